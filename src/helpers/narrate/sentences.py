"""Sentences: those of ``sentences.md`` that a study's facts allow.

A line there is a sentence, with alternatives in brackets and slots in braces (`wording.wordings`). It is left out where
a slot has nothing to say; a line that begins with ``|`` then stands in for it. In a paragraph with ``@``, which stands
for the key of a sample, the lines are said of each sample that is explained.
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
