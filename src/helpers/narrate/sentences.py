"""Sentences: those of ``sentences.md`` that a study's facts allow, each in all its wordings.

A line there is a sentence. ``[found|recognised]`` in it stands for either word, and slots are ``{key}``, a fact as
printed; ``{key~}``, with its interval if it has one; ``{phrase:argument,…}``, computed by one of `PHRASES`; and
``{?phrase:…}``, a phrase that is a condition, and not said. A line is left out where a slot has nothing to say; then
one that begins with ``|`` stands in for it. In a paragraph with ``@``, which stands for the key of a sample, the lines
are said of each sample that is explained.
"""

import itertools
import re
from collections import namedtuple
from functools import partial
from pathlib import Path

from helpers.narrate.forms import BASELINES, METHODS, listed, number

TEMPLATE = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
UNTITLED = ("Summary", "Opening")  # sections without a heading
BULLET = "*   "
Part = namedtuple("Part", "section before allowed")  # a sentence: what stands before it; wording → its facts' keys
SCORES = {"auprc_smoothed": "smoothed.auprc", "event_f1": "events.f1"}  # ours, compared with the baselines


class Undefined(LookupError):
    """A slot that has nothing to say in this study."""


def tell(facts):
    """Return the sentences that a study allows, in order, as a list of `Part`."""
    parts = []
    for section in re.split(r"^# ", TEMPLATE, flags=re.M)[1:]:
        title, *paragraphs = section.strip().split("\n\n")
        gap = "\n\n" if title in UNTITLED else f"\n\n**{title}**\n\n"
        for paragraph in paragraphs:
            if "@" in paragraph:
                keys = (f"sample.{sample}" for sample in facts["samples"])
                paragraph = "\n".join(paragraph.replace("@", key) for key in keys)
            for choice in re.split(r"\n(?!\|)", paragraph):
                bullet = BULLET if choice.startswith(BULLET) else ""
                lines = (re.sub(r"^[*|]   ", "", line) for line in choice.split("\n"))
                if allowed := next(filter(None, (wordings(line, facts) for line in lines)), None):
                    parts.append(Part(title, (gap or ("\n" if bullet else " ")) + bullet, allowed))
                    gap = ""
            gap = gap or "\n\n"
    return parts


def wordings(sentence, facts):
    """Return the texts that a line allows, each with the keys of the facts in it; none if a slot has nothing to say."""
    parts = re.split(r"\[([^\]]*)\]", sentence)
    choices = [part.split("|") if at % 2 else [part] for at, part in enumerate(parts)]
    try:
        return dict(_fill("".join(chosen), facts) for chosen in itertools.product(*choices))
    except Undefined:
        return {}


def _fill(wording, facts):
    """Return a wording with its slots filled, and the keys of the facts in it."""
    keys = []

    def say(slot):
        name, _, arguments = slot[1].partition(":")
        if arguments:
            text, used = PHRASES[name.removeprefix("?")](facts, *arguments.split(","))
        else:
            text, used = show(facts, name.removesuffix("~"), name.endswith("~")), [name.removesuffix("~")]
        if not text:
            raise Undefined(slot[1])
        keys.extend(used)
        return "" if name.startswith("?") else text

    text = re.sub(r"\{([^{}]+)\}", say, wording)
    return re.sub(r"^\W*\w", lambda start: start[0].upper(), text), list(dict.fromkeys(keys))


def show(facts, key, interval=False):
    """Return a fact as printed, with its interval if asked for; raise KeyError or Undefined if there is none."""
    fact = facts["values"][key]
    if fact["printed"] is None:
        raise Undefined(key)
    ends = " ({low} to {high})".format_map(fact["interval"]) if interval and fact["interval"] else ""
    return fact["printed"] + ends


# Phrases. Each returns what it says, nothing if it has nothing to say or does not hold, and the keys of its facts.


def _of(facts, part, total, noun):
    """Return "3 of 5 seizures"; nothing of none."""
    whole = facts["values"][total]["value"]
    return whole and f"{show(facts, part)} of {show(facts, total)} {noun}{'' if whole == 1 else 's'}", [part, total]


def _count(facts, key, noun):
    """Return "1 false alarm", "2 false alarms", "no false alarms"."""
    count = facts["values"][key]["value"]
    return f"{show(facts, key) if count else 'no'} {noun}{'' if count == 1 else 's'}", [key]


def _standing(facts, score):
    """Return how the model stands against the baselines, by each difference's interval."""
    own, groups, values = SCORES[score], {}, facts["values"]
    keys = [own]
    for method in BASELINES:
        named, other, ahead = (f"baselines.{method}{key}" for key in ("", f".{score}", f".ahead_{score}"))
        if None in (values[own]["printed"], values[other]["printed"], values[ahead]["printed"]):
            continue
        stands, ends = "not clearly different from", values[ahead]["interval"]
        if ends and number(ends["low"]) * number(ends["high"]) > 0:  # both on one side of zero
            stands = "clearly above" if number(ends["low"]) > 0 else "clearly below"
        groups.setdefault(stands, []).append(f"{show(facts, named)} ({show(facts, other)})")
        keys += [named, other, ahead]
    said = listed([f"is {stands} that of {listed(names)}" for stands, names in groups.items()])
    return said and f"{values[own]['name']}, {show(facts, own)}, {said}", keys


def _methods(facts, pattern):
    """Return the methods by what is printed for them, and the keys; ``*`` in a pattern of keys stands for a method."""
    groups, keys = {}, {method: pattern.replace("*", method) for method in METHODS}
    keys = {method: key for method, key in keys.items() if facts["values"][key]["printed"] is not None}
    for method, key in keys.items():
        groups.setdefault(show(facts, key), []).append(METHODS[method])
    groups = {said: "all three methods" if len(names) == 3 else listed(names) for said, names in groups.items()}
    return groups, [*keys.values(), *(f"method.{method}" for method in keys)]


def _each(facts, pattern, form):
    """Return what is found by which methods: "0.52 (Grad-CAM and IG) and 0.48 (Grad-CAM++)"."""
    groups, keys = _methods(facts, pattern)
    return listed([form.format(said, names) for said, names in groups.items()]), keys


def _who(facts, rule, verdict):
    """Return the methods that have a verdict in a test."""
    groups, keys = _methods(facts, f"tests.{rule}.*.verdict")
    return groups.get(verdict), keys


PHRASES = {
    "of": _of,
    "count": _count,
    "standing": _standing,
    "each": partial(_each, form="{} ({})"),
    "bands": partial(_each, form="in {} for {}"),
    "who": _who,
    "name": lambda facts, key: (facts["values"][key]["name"], [key]),
    "kind": lambda facts, noun: ("simulated " * (show(facts, "source") == "simulate") + noun, ["source"]),
    "none": lambda facts, key: (not facts["values"][key]["value"], [key]),
    "equal": lambda facts, one, other: (show(facts, one) == show(facts, other), [one, other]),
}
