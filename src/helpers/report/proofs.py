"""Proofs: the narrative as Markdown in which nothing of it is followed, and each sentence has its facts at hand."""

import os
import re
from urllib.parse import quote

from helpers.narrate import facts
from helpers.narrate.measures import BASELINES, METHODS

MODEL = "model"  # in claims.csv: the wording is the model's own
DERIVED = "output/{}/narrate/facts.json"  # has what was put together from the stages' files
OWN = "†"  # in narrative.md: follows a sentence in the model's own words
# Signs that Markdown would follow; an address is none without its colon or its full stop.
ADDRESS = r":(?=//)|(?<=\bwww)\."
MARKUP = rf"[$&+<=>@\[\\\]^`{{|}}~#!]|{ADDRESS}"
# The same for the reference's form, which is read as it stands, too: what makes links, HTML, code, math or attributes.
LINKING = rf"[$&<@\[\\\]^`{{|}}~]|{ADDRESS}"
# What is escaped already stays so, and so does a word of code.
KEPT = r"\\[!-/:-@\[-`{-~]|`\w[\w ./:+-]*`"
# Where a reader of the article sees a fact: the first pattern that its key matches, and figures and tables in order.
SEEN = {
    r"(?:samples|errors)\.(\d+)\..*": r"fig-sample\1",
    r"samples|(?:groups|changes)\..*|agreement": "tbl-strongest",
    r"missed_seizures|errors\..*": "fig-probability",
    r"bands.*": "tbl-bands",
    r"tests\.planted truth\.(?!verdicts).*": "tbl-truth",
    r"tests\.(?:random weights|permuted labels|stability)\.(?!verdicts).*": "fig-randomised",
    r"tests\.(?:deletion|insertion)\.(?!verdicts).*": "fig-deletion",
    r"tests\.completeness\.ig": "",  # in the text alone
    r"tests.*|passed.*": "tbl-verdicts",
    r"overall.*": "fig-profiles",
    r"audit.*": "tbl-audit",
    r"baselines\.\w+\.ahead_.*": "tbl-ahead",
    r"baselines.*": "tbl-comparison",
    r"tp|fn|fp|tn|n|seizure|other|baseline|more_frequent": "fig-confusion",
    r"sensitivity|specificity|f1|per_100.*": "tbl-metrics tbl-intervals",
    r"threshold": "tbl-metrics tbl-folds",
    r"accuracy|weighted_f1|(?:reference|grade|undefined).*": "tbl-metrics",
    r"events\.latency": "tbl-intervals",
    r"events\.(?:sensitivity|precision|f1|fp_per_24h)": "tbl-events tbl-intervals",
    r"events.*": "tbl-events",
    r"ranking.*": "fig-ranking tbl-intervals",
    r"(?:folds|networks|frames)\..*|frame_s": "tbl-folds",
    r"patient|simulated|duration": "tbl-recordings",
}
# Keys, and parts of keys, as a reader calls them; every other says itself.
NAMES = {
    "n": "samples",
    "seizure": "seizure samples",
    "other": "non-seizure samples",
    "tp": "seizure samples found",
    "fn": "seizure samples missed",
    "fp": "non-seizure samples taken for seizure",
    "tn": "non-seizure samples left alone",
    "threshold": "best threshold",
    "baseline": "accuracy of always giving the more frequent answer",
    "more_frequent": "more frequent class",
    "per_100.found": "of 100 seizure samples, found",
    "per_100.mistaken": "of 100 non-seizure samples, taken for seizure",
    "missed_seizures": "seizures missed",
    "duration": "length of all recordings",
    "frame_s": "length of a frame",
    "folds.number": "folds",
    "folds.recordings": "recordings held out",
    "folds.lowest": "lowest threshold of a fold",
    "folds.highest": "highest threshold of a fold",
    "networks.fewest": "networks of a fold, fewest",
    "networks.most": "networks of a fold, most",
    "frames.fewest": "frames averaged for an alarm, fewest",
    "frames.most": "frames averaged for an alarm, most",
    "events.seizures": "whole seizures",
    "events.detected": "whole seizures detected",
    "events.missed": "whole seizures missed",
    "events.false_alarms": "false alarms",
    "events.latency": "median delay of an alarm",
    "events.fp_per_24h": "false alarms per 24 h",
    "audit.splits": "random splits",
    "audit.tested": "test samples of the random splits",
    "audit.shared": "test samples that share EEG with training",
    "grade.rule": "rule of the grade",
    "grade.word": "grade",
    "errors.early": "missed samples before the first one found in their seizure",
    "samples": "samples examined",
    "agreement": "frames with the same strongest band",
    "tests": "verdicts",
    "tests.seizure": "seizure samples tested on",
    "tests.other": "non-seizure samples tested on",
    "tests.planted truth.chance": "test planted truth, chance",
    "tests.planted truth.power": "test planted truth, power of the EEG",
    "groups.1": "predicted seizure",
    "groups.0": "predicted non-seizure",
    "overall.found": "seizure samples found",
    "overall.left": "non-seizure samples left alone",
    "audit.random": "random split",
    "audit.weighted": "held-out recordings, with the random split's share of seizure",
    "audit.gap": "random split minus held-out recordings",
    "reference": "at the reference study's mix",
    "events": "whole seizures",
    "changes": "strongest band over t0, t1 and t2",
    "largest_delta": "largest convergence error of IG",
}
PARTS = METHODS | BASELINES
PARTS |= {
    "ranking": "",
    "baselines": "",
    "f1": "F1",
    "weighted_f1": "weighted F1",
    "auprc": "AUPRC",
    "auroc": "AUROC",
    "event_f1": "F1, events",
    "ahead_auprc": "this model ahead in AUPRC by",
    "ahead_event_f1": "this model ahead in F1 of events by",
    "sample": "number",
    "true": "true class",
    "pred": "predicted class",
    "p_seizure": "p_seizure",
    "start_s": "start",
    "end_s": "end",
    "side": "side of the threshold",
    "bands": "strongest band",
    "channels": "strongest channel",
    "counts": "frames by strongest band",
    "n": "number",
    "highest": "band with the highest mean relevance",
    "for": "bands that speak for seizure",
    "against": "bands that speak against seizure",
    "verdicts": "verdict",
}
UNITS = {"s": " s", "minutes": " minutes", "hours": " hours", "percent": " %"}  # said behind a number
VERDICT = {True: "passes", False: "fails", None: "not tested"}


def escape(text):
    """Escape what Markdown would take for markup in a name that comes from a file."""
    # two hyphens would become a dash
    return re.sub(r"([!-&*+<=>?@\[-`{-~]|(?<=-)-)", r"\\\1", " ".join(str(text).split()))


def harmless(text):
    """Return a narrative whose headings (one level down), lists, emphasis and words of code work, and no more.

    The text is a model's: HTML, links, pictures, references, blocks of code and Quarto's shortcodes in it are shown
    as they stand, never followed.
    """
    return "\n".join(_line(line, MARKUP, "#") for line in text.splitlines())


def tame(text):
    """Return a narrative for the reference's form: as `harmless`, with its headings as they are, and little changed."""
    # HTML that no renderer takes for HTML, whether or not it knows that "<" can be escaped.
    return "\n".join(_line(line, LINKING, "") for line in text.splitlines()).replace("\\<", "&lt;")


def _line(line, markup, lower):
    mark, rest = re.fullmatch(r"(#{1,5} +|\s*(?:[-*]|\d+\.) +)?(.*)", line).groups()
    # A line that starts like a rule, a fence or a metadata block gets a backslash.
    rest = re.sub(r"^(\s*)([-:%])", r"\1\\\2", _inline(rest, markup))
    return (lower if (mark or "").startswith("#") else "") + (mark or "") + rest


def _inline(text, markup=MARKUP):
    return re.sub(f"({KEPT})|({markup})", lambda match: match[1] or "\\" + match[2], text)


def narrated(narrative, claims, known, anchors):
    """Return a narrative as Markdown in which each proven sentence has its facts with it.

    A proven sentence becomes a span of class ``claim`` (``claim-own`` too if the words are the model's) that can be
    focused; within it follows one of class ``claim-facts``, which describes it (``aria-describedby``). Fixed text
    becomes a span of class ``claim-fixed``. The stylesheet ``claims.css`` shows the facts when they are asked for.

    Parameters
    ----------
    narrative : str
        ``narrative.md``.
    claims : list of dict
        The rows of ``claims.csv``, in the order in which their sentences stand in the narrative.
    known : dict
        ``facts.json``.
    anchors : set of str
        The figures and tables of the page, such as ``fig-confusion``.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If a sentence of `claims` is not in the narrative, or in another order; or if `known` lacks one of its facts.
    """
    # Sentences are set apart by signs that mean nothing in Markdown while what lies between them is made harmless.
    apart, at = "", 0
    for number, row in enumerate(claims):
        start = narrative.find(row["sentence"], at)
        if start < 0 or not row["sentence"].strip():
            raise ValueError(
                f"claims.csv has a sentence that narrative.md has not, or not in this place: {row['sentence']!r}. "
                f"Run `dvc repro -s -f narrate@{known['patient']}`."
            )
        apart += _unsigned(narrative[at:start]) + f"\ue000{number}\ue001"
        at = start + len(row["sentence"])
        if row["wording"] == MODEL:
            at += len(OWN) * narrative.startswith(OWN, at)
    spans = [_span(number, row, known, anchors) for number, row in enumerate(claims)]
    text = harmless(apart + _unsigned(narrative[at:]))
    return re.sub("\ue000(\\d+)\ue001", lambda match: spans[int(match[1])], text)


def _unsigned(text):
    return re.sub("[\ue000\ue001]", "\ufffd", text)


def _span(number, row, known, anchors):
    """Return one sentence as Markdown."""
    text = _inline(_unsigned(" ".join(row["sentence"].split())))
    if row["verdict"] == "fixed text":
        return f"[{text}]{{.claim-fixed}}"
    if row["verdict"] != "proven":
        return text
    own, mark = (" .claim-own", f"[{OWN}]{{.claim-mark}}") if row["wording"] == MODEL else ("", "")
    shown = _facts(row, known, anchors)
    # A group, so that a screen reader may stop here and say its description, yet reads on through the prose.
    attributes = f'.claim{own} tabindex=0 role=group aria-describedby="facts-{number}"'
    return f"[{text}{mark}[{shown}]{{#facts-{number} .claim-facts role=note}}]{{{attributes}}}"


def _facts(row, known, anchors):
    """Return the facts of a sentence as Markdown: by where they are seen, so that a place is linked once."""
    places = {}
    for key in keys(row["facts"]):
        try:
            found = facts.lookup(known, key)
            said = f"**{escape(name(key))}:** {escape(says(known, key))}"
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(f"facts.json lacks the fact {key!r}, which proves {row['sentence']!r}") from error
        # What is no number was put together from its file, and stands under its own name in facts.json alone.
        sources = [found["file"]] if key in known["values"] else [found["file"], DERIVED.format(known["patient"])]
        place = f"at {found['place']}" if key in known["values"] else f"{key} in facts.json"
        said = f"[{said} [{escape(place)};]{{.claim-place}}]{{.claim-fact}}"
        places.setdefault((seen(key, anchors), *sources), []).append(said)
    return " ".join(" ".join([*said, _where(*place, patient=known["patient"])]) for place, said in places.items())


def _where(anchors, *sources, patient):
    """Return the links to where some facts are seen: figures and tables of the page, and their files."""
    paths = [os.path.relpath(path, f"output/{patient}/report").replace(os.sep, "/") for path in sources]
    links = " and ".join(f"[{escape(path.removeprefix('../'))}]({quote(path)})" for path in paths)
    shown = " and ".join(f"@{anchor}" for anchor in anchors)
    return f"[{f'Shown in {shown}; from' if shown else 'From'} {links}.]{{.claim-where}}"


def keys(named):
    """Return the keys that a row of ``claims.csv`` names, each once: two that are compared are joined by "and"."""
    return list(dict.fromkeys(key for group in named.split("; ") for key in group.split(" and ") if key))


def seen(key, anchors):
    """Return the figures and tables of the page, out of `anchors`, in which a fact is seen."""
    for pattern, places in SEEN.items():
        if match := re.fullmatch(pattern, key):
            return tuple(place for place in match.expand(places).split() if place in anchors)
    return ()


def name(key):
    """Return a fact's key in plain words.

    >>> name("samples.379.bands.gradcam"), name("audit.gap.f1")
    ('sample 379, strongest band, Grad-CAM', 'random split minus held-out recordings, F1')
    """
    if key in NAMES:
        return NAMES[key]
    first, *rest = key.split(".")
    if f"{first}.{rest[0] if rest else ''}" in NAMES:
        first = NAMES[f"{first}.{rest.pop(0)}"]
    elif first in ("samples", "errors", "tests") and rest:
        first = f"{first.removesuffix('s') if first != 'errors' else 'sample'} {rest.pop(0)}"
    elif first in NAMES and rest:
        first = NAMES[first]
    words = [first, *rest]
    return ", ".join(filter(None, (PARTS.get(word, word.replace("_", " ")) for word in words)))


def says(known, key):
    """Return what a fact says, in plain words: as `facts.lookup` has it, with classes, steps, methods and units named.

    Raises
    ------
    KeyError
        If there is no such fact.
    """
    parts = key.split(".")
    if key in known["values"]:
        unit = UNITS.get(known["values"][key]["unit"], "")
        number, *ends = facts.lookup(known, key)["says"].split(" (")
        return " (".join([number + unit * (number != "undefined"), *ends])
    if key in ("samples", "errors"):
        labels = known["labels"]
        each = known[key]
        return "; ".join(f"{s['sample']}: {labels[str(s['true'])]}, predicted {labels[str(s['pred'])]}" for s in each)
    if key == "missed_seizures":
        return "; ".join(f"{s['recording']}, {s['start_s']} to {s['end_s']} s" for s in known[key]) or "none"
    if key == "agreement":
        pairs = ((" and ".join(METHODS[method] for method in row["methods"]), row) for row in known[key])
        return "; ".join(f"{pair}: {row['same']} of {row['of']}" for pair, row in pairs)
    if parts[0] == "tests":
        return _tests(known["tests"], parts[1:])
    said = facts.lookup(known, key)["says"]
    if parts[-1] in ("true", "pred"):
        return known["labels"][said]
    if len(parts) == 4 and parts[2] in ("bands", "channels"):
        return ", ".join(f"{step} {found}" for step, found in zip(known["steps"], said.split(", "), strict=True))
    return said + " s" * (parts[-1] in ("start_s", "end_s"))


def _tests(tests, parts):
    """Return what is known of the tests of the explanations: of all, of one, or the verdict on one method."""
    if not parts:
        each = {rule: test["verdicts"] for rule, test in tests.items()}
        return "; ".join(
            f"{rule}: " + ", ".join(f"{METHODS[method]} {VERDICT[found]}" for method, found in verdicts.items())
            for rule, verdicts in each.items()
        )
    test = tests[parts[0]]
    return f"a method passes if … {test['asks']}" if len(parts) == 1 else VERDICT[test["verdicts"][parts[2]]]
