"""Wording: a sentence's alternatives in brackets, its slots filled from the facts, and a sentence matched back."""

import itertools
import re

MOST = 12  # wordings of one sentence: each is scored in full


class Undefined(LookupError):
    """A slot that has nothing to say in this study."""


class FalseSentence(ValueError):
    """A sentence that no wording, filled from the facts, gives."""


def expand(template):
    """Return all wordings of a template, in order.

    >>> expand("The model [found|recognised] {tp}.")
    ['The model found {tp}.', 'The model recognised {tp}.']
    """
    parts = re.split(r"\[([^\]]*)\]", template)
    choices = [part.split("|") if at % 2 else [part] for at, part in enumerate(parts)]
    return ["".join(chosen) for chosen in itertools.product(*choices)]


def fill(wording, facts, phrases):
    """Return a wording with its slots filled, and the keys of the facts in it.

    Slots are ``{key}``, a fact as printed; ``{key~}``, with its interval if it has one; and ``{phrase:argument,…}``,
    computed by one of `phrases`: a function of facts and arguments that returns text and keys.

    Raises
    ------
    KeyError
        If a slot names no fact and no phrase.
    Undefined
        If a fact is undefined, or a phrase has nothing to say.
    """
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
    ends = fact["interval"] if interval else None
    return f"{fact['printed']} ({span(ends)})" if ends else fact["printed"]


def span(ends):
    """Return the ends of an interval as one word, but with signs in it as three."""
    low, high = ends["low"], ends["high"]
    return f"{low} to {high}" if "−" in low + high else f"{low}–{high}"


def wordings(template, facts, phrases):
    """Return the sentences that a template allows, each with its keys, in order and each once."""
    found = dict(fill(wording, facts, phrases) for wording in expand(template))
    if len(found) > MOST:
        raise ValueError(f"{len(found)} wordings of one sentence, at most {MOST}: {template}")
    return found
