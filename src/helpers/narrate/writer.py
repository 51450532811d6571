"""Writer: a language model chooses the wording of each sentence, which is then matched with the facts again."""

import math
import random
import re

import numpy as np
from scipy.special import entr, softmax

from helpers.narrate import free, sentences
from helpers.narrate.free import OWN
from helpers.narrate.wording import FalseSentence

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
    with sentences of the model's own (`free.comment`), which a model that reads pictures writes with those of the
    samples, in the folder `pictures`, before it. Returns Markdown; rows as `prove` does; and ``texts`` (how many the
    wordings allow), ``choices``, ``bits`` (the entropy of what was drawn from) and ``refused``, how many own sentences
    were.

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
            said = model.generate(free.prompt(part.section, offered, facts), seed, temperature, shown)
            kept, lost = free.comment(said, offered, facts)
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
                add(part.section, sentence, free.proof(sentence, facts), "numbers proven", "model")
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
