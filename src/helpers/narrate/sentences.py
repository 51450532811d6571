"""Sentences: those of the narrative, which stand in ``sentences.md``, as far as a study's facts allow them.

A line of that file is a sentence: alternatives in brackets, slots in braces (`wording.fill`). It is left out where a
slot has nothing to say; a line that begins with ``|`` stands in for the one before. Lines with ``@`` are said of each sample
that is explained, whose key it stands for.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from helpers.narrate.phrases import PHRASES
from helpers.narrate.wording import Undefined, wordings

TEMPLATE = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
UNTITLED = ("Summary", "Opening")  # sections without a heading
BULLET = "*   "


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
            for choice in _choices(paragraph, facts["samples"]):
                bullet = BULLET if choice[0].startswith(BULLET) else ""
                if allowed := _first_sayable(choice, facts):
                    parts.append(Part(title, (gap or ("\n" if bullet else " ")) + bullet, allowed))
                    gap = ""
            gap = gap or "\n\n"
    return parts


def _choices(paragraph, samples):
    """Return the sentences of a paragraph, each with those that stand in for it, as lists."""
    lines = paragraph.split("\n")
    if "@" in paragraph:
        lines = [line.replace("@", f"sample.{one['sample']}") for one in samples for line in lines]
    choices = []
    for line in lines:
        if line.startswith("|"):
            choices[-1].append(line)
        else:
            choices.append([line])
    return choices


def _first_sayable(choice, facts):
    """Return the wordings of the first sentence of a choice that can be said, with their facts' keys, or None."""
    for sentence in choice:
        try:
            return wordings(re.sub(r"^[*|]   ", "", sentence), facts, PHRASES)
        except Undefined:
            continue
    return None
