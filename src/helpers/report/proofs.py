"""Proofs: the narrative as Markdown in which each proven sentence shows its facts."""

import os
import re
from urllib.parse import quote

from helpers.report.markup import escape, escape_inline, escape_narrative

MODEL = "model"  # in claims.csv: the wording is the model's own
OWN = "†"  # in narrative.md: follows a sentence in the model's own words
# The figures and tables of the article that show a fact: those of the first pattern that its key matches.
PLACES = {
    r"sample\.(\d+)(?:\..*)?": r"fig-sample\1",
    r"shown|method\..*|label\..*|steps|band\..*": "tbl-strongest",
    r"missed\..*|seizure\.seconds|events\.unseen|alarm\..*": "fig-probability",
    r"tests\.planted truth\.(?!.*verdict).*": "tbl-truth",
    r"tests\.random weights\.(?!.*verdict).*|tests\.limit": "fig-randomised",
    r"tests\..*": "tbl-verdicts",
    r"maps\..*": "fig-profiles",
    r"audit\..*": "tbl-audit",
    r"baselines\.\w+\.ahead_.*": "tbl-ahead",
    r"baselines\..*": "tbl-comparison",
    r"tp|fn|fp|tn|n|seizure|other|baseline|frequent": "fig-confusion",
    r"sensitivity|specificity|f1|level": "tbl-metrics tbl-intervals",
    r"threshold": "tbl-metrics tbl-folds",
    r"accuracy|weighted_f1|grade.*": "tbl-metrics",
    r"events\.latency": "tbl-intervals",
    r"events\.(?:f1|fp_per_24h)": "tbl-events tbl-intervals",
    r"events\..*": "tbl-events",
    r"ranking\..*": "fig-ranking tbl-intervals",
    r"folds|frames|frame_s": "tbl-folds",
    r"patient|simulated|duration|recordings": "tbl-recordings",
}


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
    if row["verdict"] not in ("proven", "numbers proven"):  # the latter: the model's own words
        return text
    own, mark = (" .claim-own", f"[{OWN}]{{.claim-mark}}") if row["wording"] == MODEL else ("", "")
    # A group, so that a screen reader may stop here and read its description, yet reads on through the prose.
    attributes = f'.claim{own} tabindex=0 role=group aria-describedby="facts-{number}"'
    return f"[{text}{mark}[{_facts(row, known, anchors)}]{{#facts-{number} .claim-facts role=note}}]{{{attributes}}}"


def _facts(row, known, anchors):
    """Return the facts of a sentence as Markdown, grouped by where they are shown, so that a place is linked once."""
    groups = {}
    for key in filter(None, row["facts"].split("; ")):
        fact = known["values"].get(key)
        if fact is None:
            raise ValueError(f"facts.json lacks the fact {key!r}, which proves {row['sentence']!r}")
        words = f"**{escape(fact['name'])}:** {escape(value_text(fact))}"
        words = f"[{words} [{escape('at ' + fact['place'])};]{{.claim-place}}]{{.claim-fact}}"
        groups.setdefault((places(key, anchors), fact["file"]), []).append(words)
    return " ".join(" ".join([*group, _where(*where, patient=known["patient"])]) for where, group in groups.items())


def _where(anchors, *sources, patient):
    """Return links to where facts are shown: figures and tables of the page, and the stages' files."""
    paths = [os.path.relpath(path, f"output/{patient}/report").replace(os.sep, "/") for path in sources]
    links = " and ".join(f"[{escape(path.removeprefix('../'))}]({quote(path)})" for path in paths)
    figures = " and ".join(f"@{anchor}" for anchor in anchors)
    return f"[{f'Shown in {figures}; from' if figures else 'From'} {links}.]{{.claim-where}}"


def places(key, anchors):
    """Return the figures and tables of the page, out of `anchors`, that show a fact."""
    for pattern, labels in PLACES.items():
        if match := re.fullmatch(pattern, key):
            return tuple(label for label in match.expand(labels).split() if label in anchors)
    return ()


def value_text(fact):
    """Return a fact's value as printed, with its interval if it has one."""
    ends = f" ({fact['interval']['low']} to {fact['interval']['high']})" if fact["interval"] else ""
    return f"{fact['printed'] or 'undefined'}{ends}"
