"""Sentences: those of ``sentences.md`` that a study's facts allow.

A line there is a sentence, with alternatives in brackets and slots in braces (`wording.wordings`). It is left out where
a slot has nothing to say; a line that begins with ``|`` then stands in for it. In a paragraph with ``@``, which stands
for the key of a sample, the lines are said of each sample that is explained.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from helpers.narrate.wording import BASELINES, METHODS, Undefined, listed, number, show, wordings

TEMPLATE = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
UNTITLED = ("Summary", "Opening")  # sections without a heading
BULLET = "*   "
SCORES = {"auprc": "ranking.auprc", "event_f1": "events.f1"}  # where ours stands, which is compared with the baselines


@dataclass(frozen=True)
class Part:
    """A sentence of a narrative: its section, what stands before it, and its wordings, each with its facts' keys."""

    section: str
    before: str
    allowed: dict


def tell(facts):
    """Return the sentences that a study allows, in order, as a list of `Part`."""
    parts = []
    for section in re.split(r"^# ", TEMPLATE, flags=re.M)[1:]:
        title, *paragraphs = section.strip().split("\n\n")
        gap = "\n\n" if title in UNTITLED else f"\n\n**{title}**\n\n"
        for paragraph in paragraphs:
            if "@" in paragraph:
                keys = (f"sample.{one['sample']}" for one in facts["samples"])
                paragraph = "\n".join(paragraph.replace("@", key) for key in keys)
            for choice in re.split(r"\n(?!\|)", paragraph):
                bullet = BULLET if choice.startswith(BULLET) else ""
                if allowed := _first_sayable(choice.split("\n"), facts):
                    parts.append(Part(title, (gap or ("\n" if bullet else " ")) + bullet, allowed))
                    gap = ""
            gap = gap or "\n\n"
    return parts


def _first_sayable(choice, facts):
    """Return the wordings, with their facts' keys, of the first sentence of a choice that can be said, or None."""
    for sentence in choice:
        try:
            return wordings(re.sub(r"^[*|]   ", "", sentence), facts, PHRASES)
        except Undefined:
            continue
    return None


# Phrases: slots that compute words and order; each returns its text and the keys of the facts in it.


def _of(facts, part, total, noun):
    """Return "all 5 seizures", "none of the 5 seizures", "3 of the 5 seizures"."""
    some, whole = (facts["values"][key]["value"] for key in (part, total))
    if not whole:
        raise Undefined(total)
    said, nouns = show(facts, total), f"{noun}s"
    if whole == 1:
        text = f"the {said} {noun}" if some else f"none of {said} {noun}"
    elif some == whole:
        text = f"both {nouns}" if whole == 2 else f"all {said} {nouns}"
    else:
        text = f"{show(facts, part) if some else 'none'} of the {said} {nouns}"
    return text, [part, total]


def _count(facts, key, noun):
    """Return "1 false alarm", "2 false alarms", "no false alarms"."""
    count = facts["values"][key]["value"]
    return f"{show(facts, key) if count else 'no'} {noun}{'' if count == 1 else 's'}", [key]


def _name(facts, key):
    name = facts["values"][key]["name"]
    return name[:1].upper() + name[1:], [key]


def _kind(facts, noun):
    return f"{'simulated ' if facts['simulated'] else ''}{noun}", ["simulated"]


def _than(facts, one, other):
    """Return how two facts compare, by their printed forms: readers compare what they see."""
    found = number(show(facts, one)) - number(show(facts, other))
    return "above" if found > 0 else "below" if found < 0 else "equal to", [one, other]


def _standing(facts, score):
    """Return how the model stands against the baselines, by each difference's interval, or without one by value."""
    own, groups, values = SCORES[score], {}, facts["values"]
    keys = [own]
    for method in BASELINES:
        named, other, ahead = (f"baselines.{method}{key}" for key in ("", f".{score}", f".ahead_{score}"))
        if None in (values[own]["printed"], values[other]["printed"], values[ahead]["printed"]):
            continue
        stands = f"is {_than(facts, own, other)[0]} (without an interval)"
        if ends := values[ahead]["interval"]:
            low, high = number(ends["low"]), number(ends["high"])
            stands = (
                "is clearly above" if low > 0 else "is clearly below" if high < 0 else "is not clearly different from"
            )
        groups.setdefault(stands, []).append(f"{show(facts, named)} ({show(facts, other)})")
        keys += [named, other, ahead]
    if not groups:
        raise Undefined(score)
    said = listed([f"{stands} that of {listed(names)}" for stands, names in groups.items()])
    return f"{values[own]['name']}, {show(facts, own)}, {said}", keys


def _methods(facts, pattern):
    """Return the methods by what is printed for them, and the keys; ``*`` in a pattern of keys stands for a method."""
    groups, keys = {}, {method: pattern.replace("*", method) for method in METHODS}
    keys = {method: key for method, key in keys.items() if facts["values"][key]["printed"] is not None}
    for method, key in keys.items():
        groups.setdefault(show(facts, key), []).append(METHODS[method])
    if not groups:
        raise Undefined(pattern)
    groups = {said: "all three methods" if len(names) == 3 else listed(names) for said, names in groups.items()}
    return groups, [*keys.values(), *(f"method.{method}" for method in keys)]


def _bands(facts, pattern):
    """Return "in B1 (delta) for Grad-CAM and IG and in B2 (theta) for Grad-CAM++"."""
    groups, keys = _methods(facts, pattern)
    return listed([f"in {band} for {names}" for band, names in groups.items()]), keys


def _each(facts, pattern):
    """Return "0.52 (Grad-CAM and IG) and 0.48 (Grad-CAM++)"."""
    groups, keys = _methods(facts, pattern)
    return listed([f"{said} ({names})" for said, names in groups.items()]), keys


def _who(facts, rule, verdict):
    """Return the methods that have a verdict in a test."""
    groups, keys = _methods(facts, f"tests.{rule}.*.verdict")
    if verdict not in groups:
        raise Undefined(rule)
    return groups[verdict], keys


def _all(facts, rule, verdict):
    """Return nothing, of a sentence that is said only if all methods that took a test have this verdict."""
    groups, keys = _methods(facts, f"tests.{rule}.*.verdict")
    if set(groups) != {verdict}:
        raise Undefined(rule)
    return "", keys


def _if(facts, key):
    """Return nothing, of a sentence that is said only if a fact is not zero."""
    if not facts["values"][key]["value"]:
        raise Undefined(key)
    return "", [key]


def _equal(facts, one, other):
    """Return nothing, of a sentence that is said only if two facts are the same."""
    if show(facts, one) != show(facts, other):
        raise Undefined(one)
    return "", [one, other]


def _same(facts, one, other):
    """Return "same bands", of two groups of samples in which each method finds the same."""
    keys = [[f"maps.{group}.{method}.band" for method in METHODS] for group in (one, other)]
    here, there = ([show(facts, key) for key in found] for found in keys)
    if here != there:
        raise Undefined(one)
    return f"same band{'s' * (len(set(here)) > 1)}", sum(keys, [])


PHRASES = {
    "of": _of, "count": _count, "name": _name, "kind": _kind, "than": _than, "standing": _standing, "bands": _bands,
    "each": _each, "who": _who, "all": _all, "if": _if, "equal": _equal, "same": _same,
}  # fmt: skip
