"""Wording: the one printed form of each number and name, and sentences whose slots are filled with them."""

import itertools
import re
from functools import partial

METRICS = {name: name for name in ("accuracy", "sensitivity", "specificity")}
METRICS |= {"f1": "F1", "weighted_f1": "weighted F1"}
METHODS = {"gradcam": "Grad-CAM", "gradcampp": "Grad-CAM++", "ig": "IG"}
LABELS = {0: "Non-Seizure", 1: "Seizure"}
BASELINES = {"logistic": "logistic regression", "forest": "random forest"}


def plain(value, unit=""):
    """Return a number without needless zeros, with at most one decimal.

    >>> plain(120.0, " s"), plain(0.54)
    ('120 s', '0.5')
    """
    return f"{value:.1f}".removesuffix(".0") + unit


def decimals(value, places=4, unit=""):
    """Return a number with so many decimals and a true minus, which zero never has.

    >>> decimals(-0.25, 2), decimals(-0.001, 2)
    ('−0.25', '0.00')
    """
    text = f"{value:.{places}f}"
    return (text.replace("-", "−") if float(text) else text.removeprefix("-")) + unit


def distinct(value, limit, places):
    """Return a number with the decimals that tell it from a limit: at least `places`."""
    while value != limit and decimals(value, places) == decimals(limit, places) and places < 12:
        places += 1
    return decimals(value, places)


def number(printed):
    """Return the number at the start of a printed form: readers compare what they see."""
    return float(printed.split(" ")[0].replace("−", "-"))


def listed(words):
    """Return words as a reader lists them.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    *first, last = words or [""]
    return f"{', '.join(first)} and {last}" if first else last


FORMS = {  # unit → printed form; of others, `str`
    "fraction": decimals,
    "probability": partial(decimals, places=2),
    "percent": lambda share: f"{100 * share:.0f} %",
    **{unit: partial(plain, unit=f" {unit}") for unit in ("s", "minutes", "hours")},
    **{unit: partial(decimals, places=1, unit=f" {unit}") for unit in ("per hour", "per 24 h")},
}


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
