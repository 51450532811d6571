"""The narrative: a language model's wording of what the facts allow, every sentence proven."""

import os
import re
from concurrent.futures import ThreadPoolExecutor

from tqdm import tqdm

from helpers.narrate import claims, decoding, prose, sentences, wording
from helpers.narrate.measures import METRICS
from helpers.narrate.performance import NAMES

TITLE = "## EEG Spectrogram Classification Report"
MODES = ("constrained", "free")
PICTURED = ("Observed Samples and Explainability", "Errors")  # sections that a model which can see is shown pictures in
SIGNED = {
    "constrained": "_This summary was written by {author}, run locally and decoded under a grammar: code fixed every "
    "number, label, band, method and comparison from `facts.json`, and the model chose the wording, one of {texts} "
    "possible texts. Paragraphs that begin with “Fixed text” are not the model's; code wrote them._",
    "free": "_This summary was written by {author}, run locally. Sentences marked † are the model's own ({own} of "
    "{asked} that it was asked for): code put the numbers in and proved each by `facts.json`. What could not be proven "
    "was replaced by a sentence of the grammar, whose wording the model chose. Paragraphs that begin with “Fixed text” "
    "are not the model's; code wrote them._",
}
OWN = "†"  # follows a sentence in the model's own words
# How a sentence came about, for claims.csv.
CODE, GRAMMAR, MODEL = "code", "grammar", "model"


def write(facts, language_model, seed=0, temperature=0.0, mode="constrained", pictures=None):
    """Let a language model write the narrative, and prove every sentence of it.

    Parameters
    ----------
    facts : dict
        From `facts.build`.
    language_model : language_model.LanguageModel
    seed : int
    temperature : float
        As in `decoding.decode`.
    mode : str
        ``constrained``: the model chooses among the wordings of a grammar. ``free``: it writes sentences of its own,
        with slots in place of numbers; each that the facts do not prove is tried again, and at last replaced by the
        constrained one.
    pictures : Path, optional
        The folder of the samples' pictures, for a model that can see.

    Returns
    -------
    markdown : str
    rows : list of dict
        ``section``, ``sentence``, ``facts`` (keys of the facts that prove it), ``verdict`` ("proven", "fixed text", or
        "no claim": a sentence that only leads on to the next), ``wording`` ("code", "grammar", or "model": its own
        words) and ``refused`` (how many of the model's own sentences were refused before).
    freedom : dict
        ``texts`` (how many texts the grammar allows), ``choices`` that the model had and their ``bits`` of entropy.

    Raises
    ------
    ValueError
        If there is no such mode.
    helpers.narrate.language_model.ModelError
        If a section leaves its grammar.
    helpers.narrate.claims.FalseClaim
        If a sentence of the grammar contradicts the facts, or says what no fact proves.
    """
    if mode not in MODES:
        raise ValueError(f"mode: '{mode}' is neither of {' and '.join(MODES)}; mend params/narrate.yaml.")
    sections = sentences.sections(facts)

    def told(section):
        shown = _pictures(section, facts, pictures)
        text, choices, bits = _decoded(section, facts, language_model, seed, temperature, shown)
        rows, body = _proven(section, text, facts)
        if mode == "free":
            body = _free(section, rows, facts, language_model, seed, temperature, pictures)
        return body, rows, choices, bits

    # Sections do not read each other: each core decodes one at a time, and the text is the same on any number of cores.
    with decoding.steady(), ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(tqdm(pool.map(told, sections), total=len(sections), desc="narrative", unit="section"))
    bodies, rows, choices, bits = zip(*found, strict=True)
    rows = [row for group in rows for row in group]
    freedom = {
        "texts": sentences.count([part for section in sections for part in section["parts"]]),
        "choices": sum(choices),
        "bits": round(sum(bits), 1),
    }
    signed = _signed(language_model, mode, freedom, rows)
    blocks = [TITLE, signed]
    for section, body in zip(sections, bodies, strict=True):
        blocks.append(body if section["title"] == "Opening" else f"**{section['title']}**\n\n{body}")
    signature = {"section": "Opening", "sentence": signed, "facts": "", "verdict": "fixed text", "wording": CODE}
    return "\n\n".join(blocks) + "\n", [signature | {"refused": 0}, *rows], freedom


def _signed(language_model, mode, freedom, rows):
    """Return the paragraph that says who wrote the narrative, and how far."""
    asked = [row for row in rows if "asked" in row]
    own = sum(row["wording"] == MODEL for row in rows)
    for row in asked:
        del row["asked"]
    texts = freedom["texts"]
    shown = f"about 10^{len(str(texts)) - 1}" if texts > 10**6 else f"{texts}"
    return SIGNED[mode].format(author=f"`{language_model.name}`", texts=shown, own=own, asked=len(asked))


def _pictures(section, facts, folder):
    """Return the pictures of the samples that a section is about."""
    if folder is None or section["title"] not in PICTURED:
        return []
    group = facts["samples" if section["title"] == PICTURED[0] else "errors"]
    return [path for sample in group for path in seen(sample, folder)]


def seen(sample, folder):
    """Return the pictures of one sample that show all its steps: spectrogram, and one of each method."""
    return [folder / name for name in sample["files"] if not re.search(r"_t\d\.png$", name)]


def _decoded(section, facts, language_model, seed, temperature, pictures):
    """Return the model's text of a section's free sentences, None where it has none, and how far it was free."""
    asked = [part for part in section["parts"] if not part["fixed"]]
    if not asked:
        return None, 0, 0.0
    draw = f"{seed} {section['title']}"
    found = decoding.decode(language_model, prompt(section, facts), pattern(asked), draw, temperature, pictures)
    return found.text, found.choices, found.bits


def _proven(section, text, facts):
    """Return a row for each sentence of a section, and its body: fixed ones as they stand, the model's once proven."""
    asked = [part for part in section["parts"] if not part["fixed"]]
    chosen = iter(re.fullmatch(pattern(asked, group="("), text).groups()) if asked else iter(())
    body, rows = "", []
    for part in section["parts"]:
        sentence = "".join(wording.parse(part["text"])) if part["fixed"] else next(chosen)
        used = [] if part["fixed"] else claims.check(sentence, facts, part["about"])
        verdict = "fixed text" if part["fixed"] else "proven" if used else "no claim"
        row = {"section": section["title"], "sentence": sentence, "facts": "; ".join(used), "verdict": verdict}
        rows.append(row | {"wording": CODE if part["fixed"] else GRAMMAR, "refused": 0})
        body += part["before"] + sentence
    return rows, body.strip()


def _free(section, rows, facts, language_model, seed, temperature, pictures):
    """Replace sentences of `rows` by the model's own where those are proven, and return the section's new body."""
    body = ""
    for part, row in zip(section["parts"], rows, strict=True):
        if row["verdict"] == "proven" and prose.open_to_words(row["sentence"]):
            shown = []
            if pictures is not None and isinstance(part["about"], int):
                known = next(s for s in facts["samples"] + facts["errors"] if s["sample"] == part["about"])
                shown = seen(known, pictures)
            own = prose.own(row, part["about"], facts, language_model, f"{seed} {section['title']}", temperature, shown)
            row.update(own)
        body += part["before"] + row["sentence"] + (OWN if row["wording"] == MODEL else "")
    return body.strip()


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
    known = [f"{NAMES[key]}: {values[key]['printed'] or 'undefined'}" for key in METRICS]
    if section["title"] in (*PICTURED, "Analysis of Time-Frequency Regions"):
        known = [
            f"Sample {s['sample']}: true {facts['labels'][str(s['true'])]}, predicted {facts['labels'][str(s['pred'])]}"
            for s in facts["errors" if section["title"] == "Errors" else "samples"]
        ]
    return (
        "You report on a model that detects epileptic seizures in EEG spectrograms, in plain, exact and varied "
        f"English. Write the section “{section['title']}”.\n- " + "\n- ".join(known)
    )


def prompts(facts):
    """Return every prompt that the constrained narrative uses, as one text to keep."""
    asked = [section for section in sentences.sections(facts) if any(not part["fixed"] for part in section["parts"])]
    return "\n\n".join(f"# {section['title']}\n{prompt(section, facts)}" for section in asked) + "\n"
