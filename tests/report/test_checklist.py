"""The article's appendices: a whole checklist, links that lead somewhere, literature that is there, data as text."""

import copy
import re
import subprocess
from collections import Counter
from pathlib import Path

import pypandoc
import pytest

from helpers.report import article

# As Collins et al. number them: 27 items, 52 with their parts.
PARTS = {3: "abc", 5: "ab", 6: "abc", 8: "abc", 9: "abc", 12: "abcdefg", 18: "abcdef", 20: "abc", 23: "ab", 27: "abc"}
NUMBERS = [f"{item}{part}" for item in range(1, 28) for part in PARTS.get(item, [""])]
DEVELOPMENT, EVALUATION = {"9a", "12a", "12b", "12c", "15", "22", "27a", "27b"}, {"12f", "12g", "20c", "24"}
APPENDICES = ("reference_standard", "model_card", "datasheet", "tripod")
# Tables that an article need not have, by what they hang on.
SOMETIMES = {"tbl-seizures": "seizures", "tbl-left-out": "left_out", "tbl-truth": "truth", "fig-truth": "truth"}
SOMETIMES |= {"tbl-reference": "reference", "fig-pages": "pages"}
BIBLIOGRAPHY = article.TEMPLATES / "references.bib"
NASTY = "x_[y](javascript:z) <b>*1* @fig-none | {#tbl-none}"
CONTEXT = {
    "patient": "sim99",
    "source": {"source": "simulate", "simulated": True, "description": "Made.", "unlisted": []},
    "recordings": [{"recording": "sim99_01", "duration_s": "240.0", "sampling_hz": "256.0", "seizures": "1"}],
    "seizures": [{"recording": "sim99_01", "start_s": "110", "end_s": "152"}],
    "left_out": [{"recording": "sim99_02", "seizures": "1", "reason": "no FZ"}],
    "axes": {
        "frame_s": 4.0, "window_s": 1.0, "hop_s": 0.125, "channels": ["FZ-CZ"] * 18, "frequencies_hz": [1.0, 54.0]
    },
    "training": {"parameters": 54321, "folds": [{}, {}]},
    "metrics": {
        "samples": {"n": 58, "seizure": 10},
        "events": {"false_alarms": 2, "seizures": 1},
        "folds": [{"networks": ["0-1", "0-2"]}, {"networks": ["0-1"]}],
    },
    "scores": {"sensitivity": "75.00%", "specificity": "98.00%"},
    "event_scores": {"seizures": "1", "detected": "1"},
    "sanity": {
        "truth": {"time": {}},
        "methods": {"ig": "Integrated Gradients", "gradcam": "Grad-CAM"},
        "verdicts": {"ig": {"deletion": True}, "gradcam": {"deletion": False}},
    },
    "model": {
        "name": "smollm2-135m-instruct", "revision": "abc1234567890", "dtype": "float32", "seed": 0, "licence": None,
        "mode": "constrained", "temperature": 0.5, "sees_pictures": False, "choices": 193,
    },
    "claims": [{}] * 7,
    "verdicts": ["7 proven by the facts"],
    "wordings": {"own": 2, "refused": 1},
}  # fmt: skip


def context(kind, bare=False):
    """Return a made-up study of a source; if `bare`, without a seizure and with nothing left out."""
    made = copy.deepcopy(CONTEXT)
    made["source"] |= {"source": kind, "simulated": kind == "simulate"}
    if kind != "simulate":
        made["sanity"]["truth"] = {}
    if bare:
        made |= {"seizures": [], "left_out": []}
        made["event_scores"]["seizures"] = made["event_scores"]["detected"] = "0"
        made["model"] |= {"mode": "free", "name": "another"}
    return made | {"checklist": article.checklist(made)}


def appendices(made):
    return "\n\n".join(article.fill(f"sections/{name}.md.j2", made) for name in APPENDICES)


STUDIES = pytest.mark.parametrize(
    "made", [context(kind, bare) for kind in ("simulate", "physionet", "directory") for bare in (False, True)]
)


@STUDIES
def test_each_item_is_answered_once_in_order(made):
    """As the guideline numbers them; the answer is a sentence, which leads somewhere or says why there is nothing."""
    items = made["checklist"]
    assert [item["number"] for item in items] == NUMBERS and len(NUMBERS) == 52
    assert {item["number"] for item in items if item["applies"] == "D"} == DEVELOPMENT
    assert {item["number"] for item in items if item["applies"] == "E"} == EVALUATION
    table = article.fill("sections/tripod.md.j2", made)
    for item in items:
        answer = item["answer"].strip()
        assert len(answer) > 20 and answer.endswith("."), item
        leads = re.search(r"\]\(#sec-|@(?:fig|tbl)-|`|abstract", answer)
        assert leads or re.match(r"Not reported: |Not applicable|There was none |None|In part: ", answer), item
        assert f"| {item['number']}\u00a0({item['applies']}) |" in table and f"{item['asks']} | {answer} |" in table


@STUDIES
def test_each_target_exists(made):
    """Sections, figures and tables that the appendices link to are the article's, in this very study."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(article.TEMPLATES.rglob("*.md.j2")))
    text += (article.TEMPLATES / "index.qmd.j2").read_text(encoding="utf-8")
    known = set(re.findall(r"\{#((?:sec|fig|tbl)-[\w-]+)", text)) | set(re.findall(r'embed\("(fig-[\w-]+)"', text))
    there = {"truth": made["sanity"]["truth"]} | made
    known -= {label for label, cause in SOMETIMES.items() if not there.get(cause)}
    own = appendices(made)
    wanted = set(re.findall(r"\(#([\w-]+)\)", own)) | set(re.findall(r"@((?:fig|tbl)-\w[\w-]*\w)", own))
    assert len(wanted) > 20 and wanted <= known, sorted(wanted - known)


@pytest.mark.parametrize(
    ("kind", "own", "others"),
    [
        ("simulate", "planted", ("ODC-By", "10.13026", "folder")),
        ("physionet", "ODC-By 1.0", ("planted", "simulator", "folder")),
        ("directory", "whoever provided the folder", ("planted", "simulator", "ODC-By", "PhysioNet")),
    ],
)
def test_each_source_is_told_as_it_is(kind, own, others):
    text = appendices(context(kind))
    assert own in text and not [word for word in others if word in text]


@pytest.mark.parametrize("made", [context("simulate"), context("physionet"), context("directory", bare=True)])
def test_pandoc_renders_them(made):
    """Each work that is cited is in the bibliography, and nothing is warned of."""
    text = re.sub(r"\[?@(?:fig|tbl)-[\w-]+\]?", "", appendices(made))
    command = [Path(pypandoc.__file__).parent / "files" / "pandoc", "--from=markdown-raw_html", "--to=plain"]
    command += ["--fail-if-warnings", "--citeproc", f"--bibliography={BIBLIOGRAPHY}", "--columns=200"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert "Collins, Gary" in done.stdout and "Mitchell, Margaret" in done.stdout and "{{" not in done.stdout


def test_a_name_is_text():
    made = context("directory", bare=True)
    made["model"] |= {"name": NASTY, "licence": NASTY, "dtype": NASTY}
    text = appendices(made)
    assert text.count("javascript") == 3 and not re.search(r"(?<!\\)\]\(javascript|(?<!\\)<b|(?<!\\)@fig-none", text)


def test_the_bibliography_is_clean():
    """Every entry has an author, a title and, software without a release excepted, a year; keys and DOIs are unique."""
    text = BIBLIOGRAPHY.read_text(encoding="utf-8")
    entries = re.findall(r"^@(\w+)\{([\w-]+),\n(.*?)^\}", text, re.M | re.S)
    assert len(entries) == len(re.findall(r"^@", text, re.M)) > 40
    assert max(Counter(key for _, key, _ in entries).values()) == 1
    for kind, key, body in entries:
        fields = dict(re.findall(r"^  (\w+) = \{(.*)\},?$", body, re.M))
        assert fields.get("author") and fields.get("title"), key
        assert fields.get("year", "").isdigit() or kind == "misc", key
        assert "doi" in fields or fields.get("url", "").startswith("https://"), key
        assert re.fullmatch(r"10\.\d{4,5}/\S+", fields.get("doi", "10.1000/x")), key
    found = re.findall(r"doi = \{(.*)\}", text)
    assert len(found) == len(set(found))
