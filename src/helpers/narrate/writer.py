"""Writer: a language model chooses the wording of each sentence, which is then matched with the facts again.

In free mode, it adds prose of its own, whose numbers and names come from slots (SymGen, arXiv 2311.09188).
"""

import math
import random
import re

import numpy as np
from scipy.special import entr, softmax

from helpers.narrate import sentences
from helpers.narrate.wording import LABELS, METHODS, FalseSentence, show
from helpers.study.bands import BANDS

OWN = "†"  # follows a sentence in the model's own words
ASKED = 5  # sentences of the model's own in a section
# Letters and plain punctuation stand in the model's own words; these words are numbers without digits.
PLAIN = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ ,.;:!?'’()-]*")
NUMERALS = re.compile(
    r"(?i)\b(zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|(twen|thir|for|fif|six|seven|"
    r"eigh|nine)ty|hundred|thousand|million|dozen|half|third|quarter|once|twice|thrice|double|percent)(s|th)?\b"
)
TITLE = "## EEG Spectrogram Classification Report"
MODES = ("constrained", "free")
SILENT = ("Summary", "Opening", "What is a Seizure?")  # sections without the model's own words
SIGNED = "\n\n_Worded by `{name}`, out of {texts} texts; numbers, names and comparisons are from `facts.json`.{own}_\n"
SIGNED_OWN = f" Sentences marked {OWN} are in the model's own words: numbers and names are proven, the wording is not."
SIGNATURE = re.escape(SIGNED).replace(r"\{name\}", r"[^`\n]+").replace(r"\{texts\}", r"\d+")
SIGNATURE = re.compile(SIGNATURE.replace(r"\{own\}", f"(?:{re.escape(SIGNED_OWN)})?"))
OWN_WORDS = re.compile(rf"\n\n((?:[^\n{OWN}]+{OWN} ?)+)(?=\n)")  # a paragraph of them


def write(facts, model, seed=0, temperature=1.0, mode="constrained", pictures=None):
    """Have a language model word the narrative of ``facts.json``.

    Wordings are drawn ∝ likelihood ^ (1 / temperature); at 0, the likeliest is taken. In mode ``free``, sections end
    with sentences of the model's own (`comment`); one that reads pictures is shown those of the samples, in the folder
    `pictures`. Returns Markdown; rows as `prove` does; and ``texts`` (how many the wordings allow), ``choices``,
    ``bits`` (the entropy of what was drawn from) and ``refused``, how many own sentences were.

    Raises
    ------
    ValueError
        If there is no such mode.
    FalseSentence
        If the text has a sentence that the facts do not give.
    """
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}; it must be 'constrained' or 'free': correct params/narrate.yaml.")
    parts = sentences.tell(facts)
    choices = [part for part in parts if len(part.allowed) > 1]
    scores = iter(model.score([(f"{part.section}:", text) for part in choices for text in part.allowed]))
    shown = [pictures / name for sample in facts["samples"] for name in sample["files"][:4]] if pictures else []
    draw, bits, refused, markdown = random.Random(seed), [], 0, TITLE
    for part, after in zip(parts, [*parts[1:], None], strict=True):
        texts = list(part.allowed)
        markdown += part.before + (texts[0] if len(texts) == 1 else _choose(texts, scores, temperature, draw, bits))
        last = after is None or after.section != part.section
        if mode == "free" and last and part.section not in SILENT:
            told = [one.allowed for one in parts if one.section == part.section]
            offered = dict.fromkeys(key for allowed in told for keys in allowed.values() for key in keys)
            offered = [key for key in offered if facts["values"][key]["printed"] is not None]
            said = model.generate(prompt(part.section, offered, facts), seed, temperature, shown)
            kept, lost = comment(said, offered, facts)
            markdown, refused = markdown + kept, refused + lost
    texts = str(math.prod(len(part.allowed) for part in parts))
    markdown += SIGNED.format(name=model.name, texts=texts, own=SIGNED_OWN * (mode == "free"))
    freedom = {"texts": texts, "choices": len(choices), "bits": round(sum(bits), 1), "refused": refused}
    return markdown, prove(markdown, facts), freedom


def _choose(texts, scores, temperature, draw, bits):
    """Return the wording taken; the entropy of what it was drawn from is added to `bits`."""
    shares = softmax(np.array([next(scores) for _ in texts]) / (temperature or 1e-9))
    bits.append(float(entr(shares).sum() / np.log(2)))
    return draw.choices(texts, weights=shares.tolist())[0]


def prove(markdown, facts):
    """Read a narrative from its first to its last character, and return the proof of each sentence.

    A row has ``section``, ``sentence``, ``facts`` (keys), ``verdict`` ("proven", "numbers proven" of the model's own
    words, or "fixed text") and ``wording`` ("model's choice", "model" or "code").

    Raises
    ------
    FalseSentence
        If what stands there is no wording of the sentence that comes next, filled from the facts.
    """
    rows, rest = [], _after(markdown, [TITLE])[1]

    def add(section, sentence, keys, verdict, wording):
        row = {"section": section, "sentence": sentence, "facts": "; ".join(keys)}
        rows.append(row | {"verdict": verdict, "wording": wording})

    for part in sentences.tell(facts):
        rest = _after(rest, [part.before])[1]
        text, rest = _after(rest, part.allowed)
        keys, choice = part.allowed[text], "model's choice" if len(part.allowed) > 1 else "code"
        add(part.section, text, keys, "proven" if keys else "fixed text", choice)
        if own := OWN_WORDS.match(rest):
            for sentence in own[1].rstrip(OWN).split(f"{OWN} "):
                add(part.section, sentence, proof(sentence, facts), "numbers proven", "model")
            rest = rest[own.end() :]
    if not SIGNATURE.fullmatch(rest):
        raise FalseSentence(f"The narrative ends before {rest[:80]!r}")
    add(part.section, rest.strip(), [], "fixed text", "code")
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
