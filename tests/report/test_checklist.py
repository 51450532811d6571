"""The article's appendices: a whole checklist, links that lead somewhere, literature that is there, data as text."""

import re
import subprocess
from collections import Counter
from pathlib import Path

import pypandoc
import pytest
from test_report import SANITY, context_of, patient, written  # noqa: F401

from helpers.report import article

# As Collins et al. number them: 27 items, 52 with their parts.
PARTS = {3: "abc", 5: "ab", 6: "abc", 8: "abc", 9: "abc", 12: "abcdefg", 18: "abcdef", 20: "abc", 23: "ab", 27: "abc"}
NUMBERS = [f"{item}{part}" for item in range(1, 28) for part in PARTS.get(item, [""])]
DEVELOPMENT, EVALUATION = {"9a", "12a", "12b", "12c", "15", "22", "27a", "27b"}, {"12f", "12g", "20c", "24"}
APPENDICES = ("reference_standard", "model_card", "datasheet", "tripod")
KINDS = ("simulate", "physionet", "directory")
# Tables that an article need not have, by what they hang on.
SOMETIMES = {"tbl-seizures": "seizures", "tbl-left-out": "left_out", "tbl-truth": "truth", "fig-truth": "truth"}
SOMETIMES |= {"tbl-reference": "reference_study", "fig-pages": "probability_pages"}
BIBLIOGRAPHY = article.TEMPLATES / "references.bib"
NASTY = "x_[y](javascript:z) <b>*1* @fig-none | {#tbl-none} {{< env HOME >}}"


@pytest.fixture
def study_of(patient):  # noqa: F811
    """Return a function that makes a study of a source; if `bare`, without a seizure, and else with one left out."""

    def make(kind, bare=False):
        made = context_of()
        made["source"] |= {"source": kind, "simulated": kind == "simulate"}
        made["sanity"] = SANITY | {"truth": SANITY["truth"] if kind == "simulate" else {}}
        made["left_out"] = [{"recording": "sim99_04", "seizures": "1", "reason": "no FZ"}] * (not bare)
        if bare:
            made |= {"seizures": [], "event_scores": made["event_scores"] | {"seizures": "0", "detected": "0"}}
            made["model"] |= {"mode": "free", "name": "another"}
        return made | {"checklist": article.checklist(made)}

    return make


def appendices(made):
    return "\n\n".join(article.fill(f"sections/{name}.md.j2", made) for name in APPENDICES)


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_each_item_is_answered_once_in_order(study_of, kind, bare):
    """As the guideline numbers them; the answer is a sentence, which leads somewhere or says why there is nothing.

    What it leads to is a section, figure or table of this very study's article.
    """
    made = study_of(kind, bare)
    items = made["checklist"]
    assert [item["number"] for item in items] == NUMBERS and len(NUMBERS) == 52
    assert {item["number"] for item in items if item["applies"] == "D"} == DEVELOPMENT
    assert {item["number"] for item in items if item["applies"] == "E"} == EVALUATION
    own = appendices(made)
    for item in items:
        answer = item["answer"].strip()
        assert len(answer) > 20 and answer.endswith("."), item
        leads = re.search(r"\]\(#sec-|@(?:fig|tbl)-|`|abstract", answer)
        assert leads or re.match(r"Not reported: |Not applicable|There was none |None|In part: ", answer), item
        assert f"| {item['number']}\u00a0({item['applies']}) |" in own and f"{item['asks']} | {answer} |" in own
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(article.TEMPLATES.rglob("*.j2")))
    known = set(re.findall(r"\{#((?:sec|fig|tbl)-[\w-]+)", text)) | set(re.findall(r'embed\("(fig-[\w-]+)"', text))
    there = {"truth": made["sanity"]["truth"]} | made
    known -= {label for label, cause in SOMETIMES.items() if not there[cause]}
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
def test_each_source_is_described_and_its_literature_is_there(study_of, kind, own, others):
    """In its own words; each work that is cited is in the bibliography, and pandoc warns of nothing."""
    text = appendices(study_of(kind, bare=kind == "directory"))
    assert own in text.lower().replace("odc-by", "ODC-By") and not [word for word in others if word in text]
    text = re.sub(r"\[?@(?:fig|tbl)-[\w-]+\]?", "", text)
    command = [Path(pypandoc.__file__).parent / "files" / "pandoc", "--from=markdown-raw_html", "--to=plain"]
    command += ["--fail-if-warnings", "--citeproc", f"--bibliography={BIBLIOGRAPHY}", "--columns=200"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert "Collins, Gary" in done.stdout and "Mitchell, Margaret" in done.stdout and "{{" not in done.stdout


def test_a_name_is_text(study_of):
    made = study_of("directory", bare=True)
    made["model"] |= dict.fromkeys(("name", "licence", "dtype"), NASTY)
    text = appendices(made)
    assert text.count("javascript") == 3 and not re.search(r"(?<!\\)\]\(javascript|(?<!\\)<b|(?<!\\)@fig-none", text)
    assert "{{<" not in text


def test_the_bibliography_is_clean():
    """Every entry has an author, a title and, software without a release excepted, a year; keys and DOIs are unique."""
    text = BIBLIOGRAPHY.read_text(encoding="utf-8")
    entries = re.findall(r"^@(\w+)\{([\w-]+),\n(.*?)^\}", text, re.M | re.S)
    assert len(entries) == len(re.findall(r"^@", text, re.M)) >= 40
    assert max(Counter(key for _, key, _ in entries).values()) == 1
    for kind, key, body in entries:
        fields = dict(re.findall(r"^  (\w+) = \{(.*)\},?$", body, re.M))
        assert fields.get("author") and fields.get("title"), key
        assert fields.get("year", "").isdigit() or kind == "misc", key
        assert "doi" in fields or fields.get("url", "").startswith("https://"), key
    found = re.findall(r"doi = \{(.*)\}", text)
    assert len(found) == len(set(found)) and all(re.fullmatch(r"10\.\d{4,5}/\S+", doi) for doi in found)
