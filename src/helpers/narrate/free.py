"""Free mode: a language model's own prose, whose numbers and names come from slots (SymGen, arXiv 2311.09188)."""

import re

from helpers.narrate.numbers import LABELS, METHODS
from helpers.narrate.wording import FalseSentence, show
from helpers.study.bands import BANDS

OWN = "†"  # follows a sentence in the model's own words
ASKED = 5  # sentences of the model's own in a section
# Letters and plain punctuation stand in the model's own words; these words are numbers without digits.
PLAIN = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ ,.;:!?'’()-]*")
NUMERALS = re.compile(
    r"(?i)\b(zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|(twen|thir|for|fif|six|seven|"
    r"eigh|nine)ty|hundred|thousand|million|dozen|half|third|quarter|once|twice|thrice|double|percent)(s|th)?\b"
)


def prompt(section, offered, facts):
    """Return what a model is asked for: prose about a section, with slots in place of the facts that are offered."""
    known = "\n".join(f"{{{{{key}}}}}: {facts['values'][key]['name']}" for key in offered)
    return (
        f"Write at most {ASKED} short sentences for the section “{section}” of a report on a model that detects "
        "epileptic seizures in EEG spectrograms. Write no digit and no name of a band, method, sample or recording "
        f"yourself: put a slot in its place, written as here.\n{known}"
    )


def comment(text, offered, facts):
    """Return a paragraph of the model's own sentences, each followed by a dagger, and how many were refused."""
    said, refused = [], 0
    for sentence in re.split(r"(?<=[.!?])\s+", text.strip())[:ASKED]:
        try:
            said.append(fill_own(sentence, offered, facts) + OWN)
        except FalseSentence:
            refused += 1
    return "\n\n" + " ".join(said) if said else "", refused


def fill_own(sentence, offered, facts):
    """Return a sentence of the model's own with its slots filled, each value with its fact's name behind it.

    So a value in the wrong place still says what it is of.

    Raises
    ------
    FalseSentence
        If a slot is not one of those offered, or what stands outside slots has a digit, a number in words, a name of
        the study's, or any sign but plain punctuation: whatever is not surely plain prose is refused.
    """
    parts = re.split(r"\{\{\s*([^{}]*?)\s*\}\}", sentence)
    check_plain(" ".join(parts[::2]), facts)
    if unknown := [key for key in parts[1::2] if key not in offered]:
        raise FalseSentence(f"unknown slots {unknown}")
    parts[1::2] = [f"{show(facts, key)} ({facts['values'][key]['name']})" for key in parts[1::2]]
    return "".join(parts)


def proof(sentence, facts):
    """Return the keys of the facts in a filled sentence of the model's own, what is left of it being plain prose."""
    said = {f"{fact['printed']} ({fact['name']})": key for key, fact in facts["values"].items() if fact["printed"]}
    filled = re.compile("|".join(re.escape(text) for text in sorted(said, key=len, reverse=True)))
    check_plain(filled.sub(" ", sentence), facts)
    return [said[text] for text in filled.findall(sentence)]


def check_plain(text, facts):
    """Raise FalseSentence unless a text is plain prose without digits, numerals and names of the study's."""
    if not text.strip() or not PLAIN.fullmatch(text) or NUMERALS.search(text):
        raise FalseSentence(f"not plain prose: {text!r}")
    names = {fact["printed"] for fact in facts["values"].values() if fact["unit"] == "name" and fact["printed"]}
    for name in names | {*METHODS.values(), *BANDS, *(name for name, *_ in BANDS.values())}:
        flags = 0 if name in LABELS.values() else re.IGNORECASE  # "seizure" is a word, "Seizure" a label
        if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, flags):
            raise FalseSentence(f"{name!r} stands outside a slot: {text!r}")
