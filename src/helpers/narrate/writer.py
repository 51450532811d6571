"""Writer: a language model chooses the wording of each sentence, which is then matched with the facts again."""

import math
import random
import re

import numpy as np
from scipy.special import entr, softmax

from helpers.narrate import sentences
from helpers.narrate.numbers import LABELS, METHODS
from helpers.narrate.wording import FalseSentence, show, wordings
from helpers.study.bands import BANDS

TITLE = "## EEG Spectrogram Classification Report"
MODES = ("constrained", "free")
UNTITLED = ("Summary", "Opening")  # sections without a heading
OWN = "†"  # follows a sentence in the model's own words
SIGNED = (
    "_Worded by `{name}`, run locally, out of {texts} texts; numbers, names and comparisons are code's, from "
    "`facts.json`.{own}_"
)
SIGNED_OWN = " Sentences marked † are in the model's own words: numbers and names are proven, the wording is not."
ASKED = 5  # sentences of the model's own in a section
# In the model's own words stand letters and plain punctuation; these words are numbers without digits.
PLAIN = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ ,.;:!?'’()-]*")
NUMERALS = re.compile(
    r"(?i)\b(zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|(twen|thir|for|fif|six|seven|"
    r"eigh|nine)ty|hundred|thousand|million|dozen|half|third|quarter|once|twice|thrice|double|percent)(s|th)?\b"
)


def write(facts, model, seed=0, temperature=1.0, mode="constrained", pictures=None):
    """Have a language model word the narrative of ``facts.json``.

    Wordings are drawn ∝ likelihood ^ (1 / temperature); at 0, the likeliest is taken. In mode ``free``, sections end
    with sentences of the model's own (`own_words`), which a model that reads pictures writes with those of the samples,
    in the folder `pictures`, before it. Returns Markdown; rows as `prove` does; and ``texts`` (how many the wordings
    allow), ``choices``, ``bits`` (the entropy of what was drawn from) and ``refused``, how many own sentences were.

    Raises
    ------
    ValueError
        If there is no such mode.
    FalseSentence
        If the text has a sentence that the facts do not give.
    """
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}; it must be 'constrained' or 'free': correct params/narrate.yaml.")
    sections = sentences.sections(facts)
    options = [
        [list(wordings(part.text, facts, sentences.PHRASES)) for part in section["parts"]] for section in sections
    ]
    pairs = zip(sections, options, strict=True)
    asked = [(f"{one['title']}:", text) for one, texts in pairs for found in texts if len(found) > 1 for text in found]
    scores = iter(model.score(asked))
    draw, bits, refused, blocks = random.Random(seed), [], [], []
    for section, texts in zip(sections, options, strict=True):
        body = ""
        for part, found in zip(section["parts"], texts, strict=True):
            likelihoods = [next(scores) for _ in found] if len(found) > 1 else [0.0]
            body += part.before + found[_choose(likelihoods, temperature, draw, bits)]
        if mode == "free" and section["title"] in sentences.COMMENTED:
            said = model.generate(prompt(section, facts), seed, temperature, _pictures(facts, pictures))
            body += _comment(said, offered(section, facts), facts, refused)
        blocks.append(body.strip() if section["title"] in UNTITLED else f"**{section['title']}**\n\n{body.strip()}")
    texts = str(math.prod(len(found) for texts in options for found in texts))
    signed = SIGNED.format(name=model.name, texts=texts, own=SIGNED_OWN * (mode == "free"))
    markdown = "\n\n".join([TITLE, blocks[0], signed, *blocks[1:]]) + "\n"
    freedom = {"texts": texts, "choices": len(bits), "bits": round(sum(bits), 1), "refused": len(refused)}
    return markdown, prove(markdown, facts), freedom


def _choose(scores, temperature, draw, bits):
    """Return the place of the wording taken; the entropy of what it was drawn from is added to `bits`."""
    if len(scores) == 1:
        return 0
    shares = softmax(np.array(scores) / (temperature or 1e-9))
    bits.append(float(entr(shares).sum() / np.log(2)))
    return draw.choices(range(len(scores)), weights=shares.tolist())[0]


def prove(markdown, facts):
    """Read a narrative from its first to its last character, and return the proof of each sentence.

    A row has ``section``, ``sentence``, ``facts`` (keys), ``verdict`` ("proven", "numbers proven" of the model's own
    words, or "fixed text") and ``wording`` ("model's choice", "model" or "code").

    Raises
    ------
    FalseSentence
        If what stands there is no wording of the sentence that comes next, filled from the facts.
    """
    rows, rest = [], _after(markdown, {f"{TITLE}\n\n": []})[1]
    signed = re.escape(SIGNED).replace(r"\{name\}", r"[^`\n]+").replace(r"\{texts\}", r"\d+")
    signed = re.compile(signed.replace(r"\{own\}", f"(?:{re.escape(SIGNED_OWN)})?") + "\n\n")

    def add(section, sentence, keys, verdict, wording):
        found = {"section": section, "sentence": sentence, "facts": "; ".join(keys), "verdict": verdict}
        rows.append(found | {"wording": wording})

    for section in sentences.sections(facts):
        title = section["title"]
        if title not in UNTITLED:
            rest = _after(rest, {f"**{title}**\n\n": []})[1]
        for at, part in enumerate(section["parts"]):
            rest = _after(rest, {part.before if at else part.before.lstrip(): []})[1]
            allowed = wordings(part.text, facts, sentences.PHRASES)
            text, rest = _after(rest, allowed)
            verdict, wording = (
                "proven" if allowed[text] else "fixed text",
                "model's choice" if len(allowed) > 1 else "code",
            )
            add(title, text, allowed[text], verdict, wording)
        if own := re.match(rf"\n\n((?:[^\n{OWN}]+{OWN} ?)+)(?=\n)", rest):
            for sentence in own[1].rstrip(OWN).split(f"{OWN} "):
                add(title, sentence, proof_of_own(sentence, facts), "numbers proven", "model")
            rest = rest[own.end() :]
        rest = rest.lstrip("\n")
        if title == "Summary" and (match := signed.match(rest)):
            add(title, match[0].strip(), [], "fixed text", "code")
            rest = rest[match.end() :]
    if rest:
        raise FalseSentence(f"The narrative ends before {rest[:80]!r}")
    return rows


def _after(text, allowed):
    """Return which of some beginnings a text has, the longest, and what follows it."""
    for start in sorted(allowed, key=len, reverse=True):
        if text.startswith(start):
            return start, text[len(start) :]
    raise FalseSentence(f"The facts do not give {text[:120]!r}. They give: {' / '.join(allowed)}")


def prompts(facts, mode):
    """Return what the model reads before it chooses or writes, as one text to keep."""
    sections = sentences.sections(facts)
    asked = [f"{section['title']}:" for section in sections]
    if mode == "free":
        asked += [prompt(section, facts) for section in sections if section["title"] in sentences.COMMENTED]
    return "\n\n".join(asked) + "\n"


def prompt(section, facts):
    """Return what a model is asked for in free mode: prose about a section, with slots in place of its facts."""
    known = "\n".join(f"{{{{{key}}}}}: {facts['values'][key]['name']}" for key in offered(section, facts))
    return (
        f"Write at most {ASKED} short sentences for the section “{section['title']}” of a report on a model that "
        "detects epileptic seizures in EEG spectrograms. Write no digit and no name of a band, method, sample or "
        f"recording yourself: put a slot in its place, written as here.\n{known}"
    )


def offered(section, facts):
    """Return the keys of the facts that a section tells, each once."""
    found = [wordings(part.text, facts, sentences.PHRASES).values() for part in section["parts"]]
    keys = dict.fromkeys(key for group in found for keys in group for key in keys)
    return [key for key in keys if facts["values"][key]["printed"] is not None]


def _pictures(facts, folder):
    return [folder / name for sample in facts["samples"] for name in sample["files"][:4]] if folder else []


def _comment(text, allowed, facts, refused):
    """Return a paragraph of the model's own sentences, each followed by a dagger; those that fail go to `refused`."""
    said = []
    for sentence in re.split(r"(?<=[.!?])\s+", text.strip())[:ASKED]:
        try:
            said.append(own_words(sentence, allowed, facts) + OWN)
        except FalseSentence:
            refused.append(sentence)
    return "\n\n" + " ".join(said) if said else ""


def own_words(sentence, allowed, facts):
    """Return a sentence of the model's own with its slots filled, each value with its fact's name behind it.

    So a value in the wrong place still says what it is of.

    Raises
    ------
    FalseSentence
        If a slot is not one of `allowed`, or what stands outside slots has a digit, a number in words, a name of the
        study's, or any sign but plain punctuation: whatever is not surely plain prose is refused.
    """
    parts = re.split(r"\{\{\s*([^{}]*?)\s*\}\}", sentence)
    check_plain(" ".join(parts[::2]), facts)
    if unknown := [key for key in parts[1::2] if key not in allowed]:
        raise FalseSentence(f"unknown slots {unknown}")
    parts[1::2] = [f"{show(facts, key)} ({facts['values'][key]['name']})" for key in parts[1::2]]
    return "".join(parts)


def proof_of_own(sentence, facts):
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
        # "seizure" is a word, "Seizure" a label
        flags = 0 if name in LABELS.values() else re.IGNORECASE
        if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, flags):
            raise FalseSentence(f"{name!r} stands outside a slot: {text!r}")
