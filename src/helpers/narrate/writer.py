"""Writer: a language model chooses the wording of each sentence, which is then matched with the facts again.

In free mode, it adds prose of its own, whose numbers and names come from slots (SymGen, arXiv 2311.09188).
"""

import itertools
import random
import re
from contextlib import suppress

import numpy as np
from scipy.special import softmax

from helpers.narrate import sentences
from helpers.narrate.forms import LABELS
from helpers.study.bands import BANDS

TITLE = "## EEG Spectrogram Classification Report"
SIGNED = "\n\n_Worded by `{name}`; numbers, names and comparisons are from `facts.json`.{own}_\n"
OWN = "†"  # follows a sentence in the model's own words
SIGNED_OWN = f" Sentences marked {OWN} are in the model's own words: numbers and names are proven, the wording is not."
OWN_WORDS = re.compile(rf"\n\n((?:[^\n{OWN}]+{OWN} ?)+)(?=\n)")  # a paragraph of them
ASKED = 5  # sentences of the model's own in a section
SILENT = ("Summary", "Opening", "What is a Seizure?")  # sections without any
# Letters and plain punctuation stand in the model's own words; these words are numbers without digits.
PLAIN = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ ,.;:!?'’()-]*")
NUMERALS = re.compile(
    r"(?i)\b(zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|(twen|thir|for|fif|six|seven|"
    r"eigh|nine)ty|hundred|thousand|million|dozen|half|third|quarter|once|twice|thrice|double|percent)(s|th)?\b"
)


class FalseSentence(ValueError):
    """A sentence that no wording, filled from the facts, gives."""


def write(facts, model, seed=0, temperature=1.0, mode="constrained"):
    """Have a language model word the narrative of ``facts.json``.

    Wordings are drawn ∝ likelihood ^ (1 / temperature); at 0, the likeliest is taken. In mode ``free``, sections end
    with sentences of the model's own (`comment`). Returns Markdown; rows as `prove` does; and how many ``choices`` of
    wording there were, and own sentences ``refused``. Raises FalseSentence as `prove`.
    """
    parts, known = sentences.tell(facts), facts["values"]
    choices = [part for part in parts if len(part.allowed) > 1]
    scores = iter(model.score([(f"{part.section}:", text) for part in choices for text in part.allowed]))
    draw, refused, markdown = random.Random(seed), 0, TITLE
    for section, group in itertools.groupby(parts, lambda part: part.section):
        offered = []
        for part in group:
            texts = list(part.allowed)
            if len(texts) > 1:
                shares = softmax(np.array([next(scores) for _ in texts]) / (temperature or 1e-9))
                texts = draw.choices(texts, weights=shares.tolist())
            markdown += part.before + texts[0]
            offered += [key for keys in part.allowed.values() for key in keys if known[key]["printed"] is not None]
        if mode == "free" and section not in SILENT:
            answer = model.generate(prompt(section, dict.fromkeys(offered), facts), seed, temperature)
            kept, lost = comment(answer, offered, facts)
            markdown, refused = markdown + kept, refused + lost
    markdown += SIGNED.format(name=model.name, own=SIGNED_OWN * (mode == "free"))
    return markdown, prove(markdown, facts), {"choices": len(choices), "refused": refused}


def prove(markdown, facts):
    """Read a narrative from its first to its last character, and return the proof of each sentence.

    A row has ``section``, ``sentence``, ``facts`` (keys), ``verdict`` ("proven", "numbers proven" of the model's own
    words, or "fixed text") and ``wording`` ("model's choice", "model" or "code"). Raises FalseSentence if what stands
    there is no wording of the sentence that comes next, filled from the facts.
    """
    parts, rows, rest = sentences.tell(facts), [], _after(markdown, [TITLE])[1]

    def add(sentence, keys, verdict, wording):
        row = {"section": part.section, "sentence": sentence, "facts": "; ".join(keys)}
        rows.append(row | {"verdict": verdict, "wording": wording})

    for part in parts:
        rest = _after(rest, [part.before])[1]
        text, rest = _after(rest, part.allowed)
        keys, choice = part.allowed[text], "model's choice" if len(part.allowed) > 1 else "code"
        add(text, keys, "proven" if keys else "fixed text", choice)
        if own := OWN_WORDS.match(rest):
            for sentence in own[1].rstrip(OWN).split(f"{OWN} "):
                add(sentence, find_facts(sentence, facts), "numbers proven", "model")
            rest = rest[own.end() :]
    name = rest.split("`")[1] if "`" in rest else ""
    if rest not in [SIGNED.format(name=name, own=own) for own in ("", SIGNED_OWN)]:
        raise FalseSentence(f"The narrative ends before {rest[:80]!r}")
    add(rest.strip(), [], "fixed text", "code")
    return rows


def _after(text, allowed):
    """Return which of some beginnings a text has, the longest, and what follows it."""
    for start in sorted(allowed, key=len, reverse=True):
        if text.startswith(start):
            return start, text[len(start) :]
    raise FalseSentence(f"The facts do not give {text[:120]!r}. They give: {' / '.join(allowed)}")


def prompt(section, offered, facts):
    """Return what a model is asked for: prose about a section, with slots in place of the facts that are offered."""
    known = "\n".join(f"{{{{{key}}}}}: {facts['values'][key]['name']}" for key in offered)
    return (
        f"Write at most {ASKED} short sentences for the section “{section}” of a report on a model that detects "
        "epileptic seizures in EEG spectrograms. Write no digit and no name of a band, method, sample or recording "
        f"yourself: put a slot in its place, written as here.\n{known}"
    )


def comment(text, offered, facts):
    """Return a paragraph of the model's own sentences, each followed by a dagger, and how many were refused.

    In a slot, a value has its fact's name behind it, so that it says what it is of in a wrong place, too.
    """
    known, said = {key: _said(facts["values"][key]) for key in offered}, []
    asked = re.split(r"(?<=[.!?])\s+", text.strip())[:ASKED]
    for sentence in asked:
        filled = re.sub(r"\{\{\s*([^{}]*?)\s*\}\}", lambda slot: known.get(slot[1], slot[0]), sentence)
        with suppress(FalseSentence):  # also of a slot that is not offered: no brace is plain
            find_facts(filled, facts)
            said.append(filled + OWN)
    return "\n\n" + " ".join(said) if said else "", len(asked) - len(said)


def _said(fact):
    return f"{fact['printed']} ({fact['name']})"


def find_facts(sentence, facts):
    """Return the keys of the facts in a filled sentence of the model's own.

    Raises FalseSentence if what stands beside them has a digit, a number in words, a name of the study's, or any sign
    but plain punctuation: whatever is not surely plain prose is refused.
    """
    said = {_said(fact): key for key, fact in facts["values"].items() if fact["printed"]}
    filled = re.compile("|".join(re.escape(text) for text in sorted(said, key=len, reverse=True)))
    rest = filled.sub(" ", sentence)
    if not rest.strip() or not PLAIN.fullmatch(rest) or NUMERALS.search(rest):
        raise FalseSentence(f"not plain prose: {rest!r}")
    names = {fact["printed"] for fact in facts["values"].values() if fact["unit"] == "name" and fact["printed"]}
    for name in names | {name for name, *_ in BANDS.values()}:
        flags = 0 if name in LABELS.values() else re.IGNORECASE  # "seizure" is a word, "Seizure" a label
        if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", rest, flags):
            raise FalseSentence(f"{name!r} stands outside a slot: {rest!r}")
    return [said[text] for text in filled.findall(sentence)]
