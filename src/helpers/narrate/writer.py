"""Writer: a language model chooses the wording of the story; every sentence is then read again against the facts."""

import math
import random
import re

import numpy as np
from scipy.stats import entropy

from helpers.narrate import story
from helpers.narrate.facts import LABELS, METHODS
from helpers.narrate.wording import FalseSentence, match, show, wordings
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
    """Have a language model word the narrative.

    Parameters
    ----------
    facts : dict
        ``facts.json``.
    model : model.LanguageModel
    seed : int
    temperature : float
        0 takes the likeliest wording of each sentence; above it, wordings are drawn ∝ likelihood ^ (1 / temperature).
    mode : str
        ``constrained``, or ``free``: each section then ends with sentences of the model's own, see `own_words`.
    pictures : Path, optional
        The folder of the samples' pictures, for a model that reads them in free mode.

    Returns
    -------
    markdown : str
    rows : list of dict
        As `prove` returns them.
    freedom : dict
        ``texts`` (how many the wordings allow), ``choices``, ``bits`` (the entropy of the distributions drawn from) and
        ``refused``, how many of the model's own sentences were.

    Raises
    ------
    ValueError
        If there is no such mode.
    wording.FalseSentence
        If the text has a sentence that the facts do not give.
    """
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}; it must be 'constrained' or 'free': correct params/narrate.yaml.")
    sections = story.sections(facts)
    options = [list(wordings(part.text, facts, story.PHRASES)) for section in sections for part in section["parts"]]
    titles = [section["title"] for section in sections for _ in section["parts"]]
    open_ = [(title, texts) for title, texts in zip(titles, options, strict=True) if len(texts) > 1]
    scores = iter(model.score([(f"{title}:", text) for title, texts in open_ for text in texts]))
    draw, freedom = random.Random(seed), {"choices": len(open_), "bits": 0.0, "refused": 0}
    texts = math.prod(map(len, options))
    freedom["texts"] = f"10^{len(str(texts)) - 1}" if texts > 10**6 else str(texts)
    chosen = iter([choose(found, scores, temperature, draw, freedom) for found in options])
    blocks = []
    for section in sections:
        body = "".join(part.before + next(chosen) for part in section["parts"]).strip()
        if mode == "free" and section["title"] in story.COMMENTED:
            body += _comment(section, facts, model, seed, temperature, freedom, pictures)
        blocks.append(body if section["title"] in UNTITLED else f"**{section['title']}**\n\n{body}")
    signed = SIGNED.format(
        name=model.name, texts=freedom["texts"].replace("10^", "about 10^"), own=SIGNED_OWN * (mode == "free")
    )
    freedom["bits"] = round(freedom["bits"], 1)
    markdown = "\n\n".join([TITLE, blocks[0], signed, *blocks[1:]]) + "\n"
    return markdown, prove(markdown, facts, signed), freedom


def choose(texts, scores, temperature, draw, freedom):
    """Return one of some wordings, drawn by its score, the next of `scores`; their entropy is added to `freedom`."""
    if len(texts) == 1:
        return texts[0]
    likelihoods = np.array([next(scores) for _ in texts])
    if temperature == 0:
        return texts[int(likelihoods.argmax())]
    weights = np.exp((likelihoods - likelihoods.max()) / temperature)
    freedom["bits"] += float(entropy(weights, base=2))
    return draw.choices(texts, weights=weights.tolist())[0]


def prove(markdown, facts, signed):
    """Read a narrative from its first to its last character, and return the proof of each sentence.

    Returns
    -------
    list of dict
        ``section``, ``sentence``, ``facts`` (their keys), ``verdict`` ("proven", "numbers proven" of the model's own
        words, or "fixed text") and ``wording`` ("model's choice", "model" or "code").

    Raises
    ------
    FalseSentence
        If what stands there is no wording of what the story says next, filled from the facts.
    """
    rows, rest = [], markdown.removeprefix(f"{TITLE}\n\n")
    for section in story.sections(facts):
        title = section["title"]
        head = "" if title in UNTITLED else f"**{title}**\n\n"
        if not rest.startswith(head):
            raise FalseSentence(f"{title!r} is to come next, not {rest[:80]!r}")
        rest = rest.removeprefix(head)
        for at, part in enumerate(section["parts"]):
            before = part.before if at else part.before.lstrip("\n")
            allowed = wordings(part.text, facts, story.PHRASES)
            text = next(
                (text for text in sorted(allowed, key=len, reverse=True) if rest.startswith(before + text)), None
            )
            if text is None:
                raise FalseSentence(f"The facts do not give {rest[:200]!r}; they give {' / '.join(allowed)}")
            keys = match(text, part.text, facts, story.PHRASES)
            verdict, wording = "proven" if keys else "fixed text", "model's choice" if len(allowed) > 1 else "code"
            rows.append(_row(title, text, keys, verdict, wording))
            rest = rest.removeprefix(before + text)
        own = re.match(rf"\n\n((?:[^\n]*?{OWN} ?)+)(?=\n)", rest) if title in story.COMMENTED else None
        for sentence in filter(None, own[1].split(OWN)) if own else ():
            rows.append(_row(title, sentence.strip(), proof_of_own(sentence.strip(), facts), "numbers proven", "model"))
        rest = rest[own.end() :].lstrip("\n") if own else rest.lstrip("\n")
        if title == "Summary":
            if not rest.startswith(signed):
                raise FalseSentence(f"the signature is to come next, not {rest[:80]!r}")
            rows.append(_row(title, signed, [], "fixed text", "code"))
            rest = rest.removeprefix(signed).lstrip("\n")
    if rest:
        raise FalseSentence(f"The story ends before {rest[:80]!r}")
    return rows


def _row(section, sentence, keys, verdict, wording):
    return {
        "section": section, "sentence": sentence, "facts": "; ".join(keys), "verdict": verdict, "wording": wording,
    }  # fmt: skip


def prompt(section, facts):
    """Return what a model is asked for in free mode: prose about a section, with slots in place of its facts."""
    known = "\n".join(f"{{{{{key}}}}}: {facts['values'][key]['name']}" for key in offered(section, facts))
    return (
        f"Write at most {ASKED} short sentences for the section “{section['title']}” of a report on a model that "
        f"detects "
        "epileptic seizures in EEG spectrograms. Write no digit and no name of a band, method, sample or recording "
        f"yourself: put a slot in its place, written as here.\n{known}"
    )


def offered(section, facts):
    """Return the keys of the facts that a section tells, each once."""
    found = [wordings(part.text, facts, story.PHRASES).values() for part in section["parts"]]
    keys = dict.fromkeys(key for group in found for keys in group for key in keys)
    return [key for key in keys if key in facts["values"] and facts["values"][key]["printed"] is not None]


def _comment(section, facts, model, seed, temperature, freedom, pictures):
    """Return a paragraph in the model's own words, each sentence followed by a dagger; empty if all were refused."""
    asked = [sample for kind in ("samples", "errors") for sample in facts[kind]]
    shown = [pictures / name for sample in asked for name in sample["files"][:4]] if pictures else []
    said, allowed = [], offered(section, facts)
    for sentence in re.split(r"(?<=[.!?])\s+", model.generate(prompt(section, facts), seed, temperature, shown))[
        :ASKED
    ]:
        try:
            said.append(own_words(sentence, allowed, facts) + OWN)
        except FalseSentence:
            freedom["refused"] += 1
    return "\n\n" + " ".join(said) if said else ""


def own_words(sentence, allowed, facts):
    """Return a sentence of the model's own with its slots filled, each value with its fact's name behind it.

    So a value in the wrong place still says what it is of.

    Raises
    ------
    FalseSentence
        If a slot is unknown, or what stands outside slots has a digit, a number in words, a name of the study's, or
        any sign but plain punctuation: whatever is not surely plain prose is refused.
    """
    parts = re.split(r"\{\{\s*([^{}]*?)\s*\}\}", sentence.strip())
    check_plain(parts[::2], facts)
    if unknown := [key for key in parts[1::2] if key not in allowed]:
        raise FalseSentence(f"unknown slots {unknown}")
    filled = [
        f"{show(facts, part)} ({facts['values'][part]['name']})" if at % 2 else part for at, part in enumerate(parts)
    ]
    return "".join(filled)


def proof_of_own(sentence, facts):
    """Return the keys of the facts in a filled sentence of the model's own, what is left of it being plain prose."""
    said = {f"{fact['printed']} ({fact['name']})": key for key, fact in facts["values"].items() if fact["printed"]}
    keys = []

    def known(match):
        keys.append(said[match[0]])
        return " "

    rest = re.sub("|".join(re.escape(text) for text in sorted(said, key=len, reverse=True)), known, sentence)
    check_plain([rest], facts)
    return keys


def check_plain(texts, facts):
    """Raise FalseSentence unless some texts are plain prose without digits, numerals and names of the study's."""
    text = " ".join(texts)
    if not PLAIN.fullmatch(text) or NUMERALS.search(text):
        raise FalseSentence(f"not plain prose: {text!r}")
    names = {fact["printed"] for fact in facts["values"].values() if fact["unit"] == "name" and fact["printed"]}
    for name in names | {*METHODS.values(), *BANDS, *(name for name, *_ in BANDS.values())}:
        # "seizure" is a word, "Seizure" a label
        flags = 0 if name in LABELS.values() else re.IGNORECASE
        if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, flags):
            raise FalseSentence(f"{name!r} stands outside a slot: {text!r}")
