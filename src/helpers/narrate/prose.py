"""Prose: sentences in a model's own words, with slots where numbers and names go, proven before they count."""

import re

from helpers.narrate import claims, decoding
from helpers.narrate.facts import RULES

ATTEMPTS = 3  # sentences that a model may write before the grammar's stands in
LONGEST = 60  # words of a sentence
# What holds digits or signs of its own: the model does not spell it, it names its slot.
_SPELLED = re.compile(
    r"Sample \d+|Samples \d+(?:, \d+)*(?: and \d+)?|Grad-CAM\+\+|B\d \(\w+\)|\bt\d\b|F1\b"
    r"|[A-Z]{1,3}\d{0,2}-[A-Z]{1,3}\d{0,2}|"
    r"[−-]?\d+(?:\.\d+)?(?: %)?|per 24 h"
)


def open_to_words(sentence):
    """Tell whether a sentence may be said in other words: a metric with its meaning, and a test's question, stay."""
    return not sentence.startswith("**") or bool(_head(sentence)) and "(This " not in sentence


def _head(sentence):
    """Return the bold head of a sentence, with the blank behind it; nothing if it has none."""
    return match.group() if (match := re.match(r"\*\*[^*]+:\*\* ", sentence)) else ""


def slots(sentence, facts):
    """Return what a model may not spell itself, by the name of its slot: numbers, samples, bands, steps, recordings.

    Returns
    -------
    dict of str → str
        Names are letters, underscores and digits: ``{"sensitivity": "0.7547", "t0": "t0"}``.
    """
    names = sorted(
        {s["recording"] for s in facts["samples"] + facts["errors"]} | {facts["patient"]}, key=len, reverse=True
    )
    spelled = re.compile("|".join([*(rf"(?<!\w){re.escape(name)}(?!\w)" for name in names), _SPELLED.pattern]))
    printed, found = {}, {}
    for key in claims_of(sentence, facts):
        known = facts["values"].get(key)
        if known and known["printed"]:
            printed.setdefault(known["printed"], key)
            for end, text in (known["interval"] or {}).items():
                printed.setdefault(text, f"{key}.{end}")
    for number, text in enumerate(dict.fromkeys(spelled.findall(sentence))):
        name = printed.get(text) or (text if re.fullmatch(r"[A-Za-z]\w*", text) else f"number {number}")
        name = re.sub(r"\W+", "_", name).strip("_")
        found[name if name not in found else f"{name}_{number}"] = text
    return found


def claims_of(sentence, facts, about=None):
    """Return the facts that prove a sentence, none if nothing does."""
    try:
        return claims.check(sentence, facts, about)
    except claims.FalseClaim:
        return []


def grammar(names):
    """Return the regular expression of a sentence: words without digits, and slots; nothing else, and one full stop."""
    slot = rf"\{{\{{(?:{'|'.join(map(re.escape, names))})\}}\}}" if names else "[a-z]+"
    word = rf"(?:[A-Za-z][A-Za-z'-]*|{slot})"
    return rf"(?:[A-Z][A-Za-z'-]*|{slot})(?:[,;:]? \(?{word}\)?){{2,{LONGEST}}}\."


def filled(text, known):
    """Return a sentence with its slots filled in."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: known[match[1]], text)


def prompt(sentence, known, about):
    """Return what the model is asked: to say one sentence in other words, with slots for what it may not spell."""
    template = _with_slots(sentence, known)
    rules = "\n- ".join(RULES.values())
    told = f" It is about Sample {about}." if isinstance(about, int) else ""
    return (
        "You report on a model that detects epileptic seizures in EEG spectrograms. Say the following in one plain and "
        f"exact sentence of your own.{told} Keep every slot such as {{{{name}}}} once; write no digit.\n- "
        f"{rules}\n\n{template}"
    )


def _with_slots(sentence, known):
    by_length = sorted(known.items(), key=lambda item: -len(item[1]))
    pattern = "|".join(rf"(?<!\w){re.escape(text)}(?!\w)" for _, text in by_length)
    names = {text: name for name, text in by_length}
    return re.sub(pattern, lambda match: f"{{{{{names[match.group()]}}}}}", sentence) if pattern else sentence


def own(row, about, facts, language_model, seed, temperature, pictures):
    """Let a model say a sentence in its own words, and prove it.

    Parameters
    ----------
    row : dict
        Of the grammar's sentence: ``sentence``, ``facts``.
    about, facts
        As for `claims.check`.

    Returns
    -------
    dict
        What changes in the row: ``sentence``, ``facts``, ``wording`` if the model's own was proven and leaves out no
        fact; ``refused``, how many were not; ``asked``, that it was asked at all.
    """
    head = _head(row["sentence"])
    body, wanted = row["sentence"].removeprefix(head), set(row["facts"].split("; "))
    known = slots(row["sentence"], facts) if head else slots(body, facts)
    allowed, asked = grammar(known), prompt(body, known, about)
    for attempt in range(ATTEMPTS):
        draw = f"{seed} {body} {attempt}"
        text = decoding.decode(language_model, asked, allowed, draw, max(temperature, 0.3), pictures).text
        if not re.fullmatch(allowed, text) or set(re.findall(r"\{\{(\w+)\}\}", text)) != set(known):
            continue  # digits of its own, whatever wrote it; or a number, a band or a step left out
        sentence = head + filled(text, known)
        proven = claims_of(sentence, facts, about)
        if wanted <= set(proven):
            return {
                "sentence": sentence,
                "facts": "; ".join(proven),
                "wording": "model",
                "refused": attempt,
                "asked": True,
            }
    return {"refused": ATTEMPTS, "asked": True}
