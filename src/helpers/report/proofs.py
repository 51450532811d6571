"""Proofs: the narrative as Markdown in which nothing of it is followed, and each sentence has its facts at hand."""

import os
import re
from urllib.parse import quote

MODEL = "model"  # in claims.csv: the wording is the model's own
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
    if row["verdict"] not in ("proven", "numbers proven"):  # the latter: the model's own words
        return text
    own, mark = (" .claim-own", f"[{OWN}]{{.claim-mark}}") if row["wording"] == MODEL else ("", "")
    shown = _facts(row, known, anchors)
    # A group, so that a screen reader may stop here and say its description, yet reads on through the prose.
    attributes = f'.claim{own} tabindex=0 role=group aria-describedby="facts-{number}"'
    return f"[{text}{mark}[{shown}]{{#facts-{number} .claim-facts role=note}}]{{{attributes}}}"


def _facts(row, known, anchors):
    """Return the facts of a sentence as Markdown: by where they are seen, so that a place is linked once."""
    places = {}
    for key in filter(None, row["facts"].split("; ")):
        fact = known["values"].get(key)
        if fact is None:
            raise ValueError(f"facts.json lacks the fact {key!r}, which proves {row['sentence']!r}")
        said = f"**{escape(fact['name'])}:** {escape(says(fact))}"
        said = f"[{said} [{escape('at ' + fact['place'])};]{{.claim-place}}]{{.claim-fact}}"
        places.setdefault((seen(key, anchors), fact["file"]), []).append(said)
    return " ".join(" ".join([*said, _where(*place, patient=known["patient"])]) for place, said in places.items())


def _where(anchors, *sources, patient):
    """Return the links to where some facts are seen: figures and tables of the page, and their files."""
    paths = [os.path.relpath(path, f"output/{patient}/report").replace(os.sep, "/") for path in sources]
    links = " and ".join(f"[{escape(path.removeprefix('../'))}]({quote(path)})" for path in paths)
    shown = " and ".join(f"@{anchor}" for anchor in anchors)
    return f"[{f'Shown in {shown}; from' if shown else 'From'} {links}.]{{.claim-where}}"


def seen(key, anchors):
    """Return the figures and tables of the page, out of `anchors`, in which a fact is seen."""
    for pattern, places in SEEN.items():
        if match := re.fullmatch(pattern, key):
            return tuple(place for place in match.expand(places).split() if place in anchors)
    return ()


def says(fact):
    """Return what a fact says: as printed, with its interval if it has one."""
    ends = f" ({fact['interval']['low']} to {fact['interval']['high']})" if fact["interval"] else ""
    return f"{fact['printed'] or 'undefined'}{ends}"
