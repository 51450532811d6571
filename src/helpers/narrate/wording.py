"""Wording: a sentence's alternatives in brackets, and its slots filled from the facts."""

import itertools
import re


class Undefined(LookupError):
    """A slot that has nothing to say in this study."""


class FalseSentence(ValueError):
    """A sentence that no wording, filled from the facts, gives."""


def wordings(template, facts, phrases):
    """Return the sentences that a template allows, each with the keys of the facts in it, in order and each once.

    ``[found|recognised]`` stands for either word. Slots are ``{key}``, a fact as printed; ``{key~}``, with its interval
    if it has one; and ``{phrase:argument,…}``, computed by one of `phrases`: a function of facts and arguments that
    returns text and keys.

    Raises
    ------
    KeyError
        If a slot names no fact and no phrase.
    Undefined
        If a fact is undefined, or a phrase has nothing to say.
    """
    parts = re.split(r"\[([^\]]*)\]", template)
    choices = [part.split("|") if at % 2 else [part] for at, part in enumerate(parts)]
    return dict(_fill("".join(chosen), facts, phrases) for chosen in itertools.product(*choices))


def _fill(wording, facts, phrases):
    """Return a wording with its slots filled, and the keys of the facts in it."""
    keys = []

    def said(match):
        name, _, arguments = match[1].partition(":")
        if arguments:
            text, used = phrases[name](facts, *arguments.split(","))
        else:
            text, used = show(facts, name.removesuffix("~"), name.endswith("~")), [name.removesuffix("~")]
        keys.extend(used)
        return text

    text = re.sub(r"\{([^{}]+)\}", said, wording)
    return text[:1].upper() + text[1:], list(dict.fromkeys(keys))


def show(facts, key, interval=False):
    """Return a fact as printed, with its interval if asked for; raise KeyError or Undefined if there is none."""
    fact = facts["values"][key]
    if fact["printed"] is None:
        raise Undefined(key)
    if not interval or not fact["interval"]:
        return fact["printed"]
    low, high = fact["interval"]["low"], fact["interval"]["high"]
    return f"{fact['printed']} ({low} to {high})" if "−" in low + high else f"{fact['printed']} ({low}–{high})"
