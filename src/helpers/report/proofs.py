"""Proofs: the narrative as Markdown in which each proven sentence shows its facts."""

import os
import re
from urllib.parse import quote

from helpers.narrate import facts
from helpers.narrate.measures import BASELINES, METHODS
from helpers.report.markup import escape, escape_inline, escape_narrative
from helpers.report.site import TEMPLATES
from helpers.study import files

MODEL = "model"  # in claims.csv: the wording is the model's own
DERIVED = "output/{}/narrate/facts.json"  # facts that combine several values of the stages' files
OWN = "†"  # in narrative.md: follows a sentence in the model's own words
WORDS = files.read_yaml(TEMPLATES / "facts.yaml")
PLACES, NAMES, PARTS = WORDS["places"], WORDS["names"], WORDS["parts"] | METHODS | BASELINES
UNITS = {"s": " s", "minutes": " minutes", "hours": " hours", "percent": " %"}  # printed behind a number
VERDICT = {True: "passes", False: "fails", None: "not tested"}


def annotate(narrative, claims, known, anchors):
    """Return a narrative as Markdown in which each proven sentence carries its facts.

    A proven sentence becomes a span of class ``claim`` (``claim-own`` too if the words are the model's) that can be
    focused; in it a span of class ``claim-facts`` describes it (``aria-describedby``) and is shown on demand by
    ``claims.css``. Fixed text becomes a span of class ``claim-fixed``.

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

    Raises
    ------
    ValueError
        If a sentence of `claims` is not in the narrative, or in another order; or if `known` lacks one of its facts.
    """
    # Private signs stand for the sentences while the text between them is escaped.
    marked, end = "", 0
    for number, row in enumerate(claims):
        start = narrative.find(row["sentence"], end)
        if start < 0 or not row["sentence"].strip():
            raise ValueError(
                f"claims.csv has a sentence that narrative.md does not have there: {row['sentence']!r}. "
                f"Run `dvc repro -s -f narrate@{known['patient']}`."
            )
        marked += _without_signs(narrative[end:start]) + f"\ue000{number}\ue001"
        end = start + len(row["sentence"])
        if row["wording"] == MODEL:
            end += len(OWN) * narrative.startswith(OWN, end)
    spans = [_span(number, row, known, anchors) for number, row in enumerate(claims)]
    text = escape_narrative(marked + _without_signs(narrative[end:]))
    return re.sub("\ue000(\\d+)\ue001", lambda match: spans[int(match[1])], text)


def _without_signs(text):
    return re.sub("[\ue000\ue001]", "\ufffd", text)


def _span(number, row, known, anchors):
    """Return one sentence as Markdown."""
    text = escape_inline(_without_signs(" ".join(row["sentence"].split())))
    if row["verdict"] == "fixed text":
        return f"[{text}]{{.claim-fixed}}"
    if row["verdict"] != "proven":
        return text
    own, mark = (" .claim-own", f"[{OWN}]{{.claim-mark}}") if row["wording"] == MODEL else ("", "")
    # A group, so that a screen reader may stop here and read its description, yet reads on through the prose.
    attributes = f'.claim{own} tabindex=0 role=group aria-describedby="facts-{number}"'
    return f"[{text}{mark}[{_facts(row, known, anchors)}]{{#facts-{number} .claim-facts role=note}}]{{{attributes}}}"


def _facts(row, known, anchors):
    """Return the facts of a sentence as Markdown, grouped by where they are shown, so that a place is linked once."""
    groups = {}
    for key in keys(row["facts"]):
        try:
            found = facts.lookup(known, key)
            words = f"**{escape(name(key))}:** {escape(value_text(known, key))}"
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(f"facts.json lacks the fact {key!r}, which proves {row['sentence']!r}") from error
        measured = key in known["values"]
        sources = [found["file"]] if measured else [found["file"], DERIVED.format(known["patient"])]
        where = f"at {found['place']}" if measured else f"{key} in facts.json"
        fact = f"[{words} [{escape(where)};]{{.claim-place}}]{{.claim-fact}}"
        groups.setdefault((places(key, anchors), *sources), []).append(fact)
    return " ".join(" ".join([*group, _where(*where, patient=known["patient"])]) for where, group in groups.items())


def _where(anchors, *sources, patient):
    """Return links to where facts are shown: figures and tables of the page, and the stages' files."""
    paths = [os.path.relpath(path, f"output/{patient}/report").replace(os.sep, "/") for path in sources]
    links = " and ".join(f"[{escape(path.removeprefix('../'))}]({quote(path)})" for path in paths)
    figures = " and ".join(f"@{anchor}" for anchor in anchors)
    return f"[{f'Shown in {figures}; from' if figures else 'From'} {links}.]{{.claim-where}}"


def keys(cell):
    """Return the keys in a cell ``facts`` of ``claims.csv``, each once; two that are compared are joined by "and"."""
    return list(dict.fromkeys(key for group in cell.split("; ") for key in group.split(" and ") if key))


def places(key, anchors):
    """Return the figures and tables of the page, out of `anchors`, that show a fact."""
    for pattern, labels in PLACES.items():
        if match := re.fullmatch(pattern, key):
            return tuple(label for label in match.expand(labels).split() if label in anchors)
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


def value_text(known, key):
    """Return a fact's value in plain words: as `facts.lookup` has it, with classes, steps, methods and units named."""
    parts = key.split(".")
    if key in known["values"]:
        unit = UNITS.get(known["values"][key]["unit"], "")
        number, *ends = facts.lookup(known, key)["says"].split(" (")
        return " (".join([number + unit * (number != "undefined"), *ends])
    if key in ("samples", "errors"):
        labels = known["labels"]
        return "; ".join(
            f"{one['sample']}: {labels[str(one['true'])]}, predicted {labels[str(one['pred'])]}" for one in known[key]
        )
    if key == "missed_seizures":
        return "; ".join(f"{s['recording']}, {s['start_s']} to {s['end_s']} s" for s in known[key]) or "none"
    if key == "agreement":
        pairs = ((" and ".join(METHODS[method] for method in row["methods"]), row) for row in known[key])
        return "; ".join(f"{pair}: {row['same']} of {row['of']}" for pair, row in pairs)
    if parts[0] == "tests":
        return _tests(known["tests"], parts[1:])
    text = facts.lookup(known, key)["says"]
    if parts[-1] in ("true", "pred"):
        return known["labels"][text]
    if len(parts) == 4 and parts[2] in ("bands", "channels"):
        return ", ".join(f"{step} {value}" for step, value in zip(known["steps"], text.split(", "), strict=True))
    return text + " s" * (parts[-1] in ("start_s", "end_s"))


def _tests(tests, parts):
    """Return the result of the tests of the explanations: of all, of one, or the verdict on one method."""
    if not parts:
        return "; ".join(
            f"{rule}: " + ", ".join(f"{METHODS[method]} {VERDICT[found]}" for method, found in test["verdicts"].items())
            for rule, test in tests.items()
        )
    test = tests[parts[0]]
    return f"a method passes if … {test['asks']}" if len(parts) == 1 else VERDICT[test["verdicts"][parts[2]]]
