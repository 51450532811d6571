"""The narrative: a language model's wording of what the facts allow, every sentence proven."""

import os
import re
from concurrent.futures import ThreadPoolExecutor

from tqdm import tqdm

from helpers import claims, decoding, sentences, wording
from helpers.facts import METRICS

TITLE = "## EEG Spectrogram Classification Report"


def write(facts, language_model, seed=0, temperature=0.0):
    """Let a language model write the narrative, and prove every sentence of it.

    Returns
    -------
    markdown : str
    rows : list of dict
        ``section``, ``sentence``, ``facts`` (keys of the facts that prove it) and ``verdict``: "proven", "fixed
        text", or "no claim" (a sentence that only leads on to the next).

    Raises
    ------
    helpers.language_model.ModelError
        If a section leaves its grammar.
    helpers.claims.FalseClaim
        If a sentence contradicts the facts, or says what no fact proves.
    """
    sections = sentences.sections(facts, f"`{language_model.name}`")
    # Sections do not read each other: each core decodes one at a time, and the text is the same on any number of cores.
    with decoding.steady(), ThreadPoolExecutor(os.cpu_count()) as pool:
        written = pool.map(lambda section: _decoded(section, facts, language_model, seed, temperature), sections)
        texts = list(tqdm(written, total=len(sections), desc="narrative", unit="section"))
    blocks, rows = [TITLE], []
    for section, text in zip(sections, texts, strict=True):
        body, proven = _proven(section, text, facts)
        blocks.append(body if section["title"] == "Opening" else f"**{section['title']}**\n\n{body}")
        rows += proven
    return "\n\n".join(blocks) + "\n", rows


def _decoded(section, facts, language_model, seed, temperature):
    """Return the model's text of a section's free sentences, and None where it has none."""
    asked = [part for part in section["parts"] if not part["fixed"]]
    if not asked:
        return None
    draw = f"{seed} {section['title']}"
    return decoding.decode(language_model, prompt(section, facts), pattern(asked), draw, temperature)


def _proven(section, text, facts):
    """Return a section's body and a row for each sentence: fixed ones as they stand, the model's once proven."""
    asked = [part for part in section["parts"] if not part["fixed"]]
    chosen = iter(re.fullmatch(pattern(asked, group="("), text).groups()) if asked else iter(())
    body, rows = "", []
    for part in section["parts"]:
        sentence = "".join(wording.parse(part["text"])) if part["fixed"] else next(chosen)
        used = [] if part["fixed"] else claims.check(sentence, facts, part["about"])
        verdict = "fixed text" if part["fixed"] else "proven" if used else "no claim"
        rows.append({"section": section["title"], "sentence": sentence, "facts": "; ".join(used), "verdict": verdict})
        body += part["before"] + sentence
    return body.strip(), rows


def pattern(parts, group="(?:"):
    """Return the regular expression of a section's `parts`; `group` opens each sentence, "(" to get it back."""
    joined = ""
    for number, part in enumerate(parts):
        before = part["before"] if number else part["before"].lstrip()
        joined += wording.regex([before]) + group + wording.regex(wording.parse(part["text"])) + ")"
    return joined


def prompt(section, facts):
    """Return what the model is asked for a section: the task, and the facts that set its tone."""
    values = facts["values"]
    known = [f"{sentences.NAMES[key]}: {values[key]['printed'] or 'undefined'}" for key in METRICS]
    if "Samples" in section["title"] or "Analysis" in section["title"]:
        known = [
            f"Sample {s['sample']}: true {facts['labels'][str(s['true'])]}, predicted {facts['labels'][str(s['pred'])]}"
            for s in facts["samples"]
        ]
    return (
        "You report on a model that detects epileptic seizures in EEG spectrograms, in plain, exact and varied "
        f"English. Write the section “{section['title']}”.\n- " + "\n- ".join(known)
    )


def prompts(facts):
    """Return every prompt that `write` uses, as one text to keep."""
    asked = [section for section in sentences.sections(facts) if any(not part["fixed"] for part in section["parts"])]
    return "\n\n".join(f"# {section['title']}\n{prompt(section, facts)}" for section in asked) + "\n"
