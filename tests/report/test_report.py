"""The report: its form is the reference's, the article says what the data say, each sentence leads to its proof."""

import copy
import re
import shutil
from types import SimpleNamespace

import IPython.display
import nbformat
import pandas as pd
import pytest
import yaml
from conftest import ROOT

from helpers.report import form, links, pages, results, supplement
from helpers.study import files

REFERENCE = ROOT.parent / "shared" / "seed" / "reference-report.md"
# As Collins et al. number them: 27 items, 52 with their parts.
PARTS = {3: "abc", 5: "ab", 6: "abc", 8: "abc", 9: "abc", 12: "abcdefg", 18: "abcdef", 20: "abc", 23: "ab", 27: "abc"}
NUMBERS = [f"{item}{part}" for item in range(1, 28) for part in PARTS.get(item, [""])]
HEADINGS = ["Abstract", "Introduction", "Methods", "Results", "Real EEG", "The narrative", "Discussion", "Limits"]
HEADINGS += ["Conclusion", "References"]


def made_up(patient="chb08", simulated=False, narrative="A text."):
    """What report.md is written from, with the reference's own numbers."""
    rows = ((0, 1, 1, 0.976), (13, 1, 1, 0.998), (1, 0, 0, 0.027), (2, 0, 0, 0.057))
    samples = [dict(zip(("sample", "true", "pred", "p_seizure"), row, strict=True)) for row in rows]
    samples = [one | {"recording": "a_1", "start_s": 0.0, "end_s": 12.0} for one in samples]
    scores = {"accuracy": 0.9680, "sensitivity": 0.9468, "specificity": 0.9786, "f1": 0.9519, "weighted_f1": 0.9679}
    metrics = {"samples": scores | {"threshold": 0.37}, "undefined": {}, "folds": [{}, {}]}
    source, digest = {"simulated": simulated}, {"samples": samples}
    return SimpleNamespace(patient=patient, source=source, metrics=metrics, digest=digest, narrative=narrative)


def test_form_is_the_reference_s():
    """Line by line; ours has one line more, which says what the threshold is."""
    if not REFERENCE.exists():
        pytest.skip("needs ../shared/seed/reference-report.md")
    reference = REFERENCE.read_text("utf-8")
    narrative = reference.split("## LLM Summary\n")[1].split("\n\n## Notes\n")[0]
    ours = re.sub(r"\n\n_Best threshold: .*_\n", "\n", form.text(made_up(narrative=narrative)))
    assert ours.splitlines() == reference.splitlines()


def test_form_says_what_is_simulated_and_what_undefined():
    found = made_up("sim99", True)
    found.metrics["samples"]["sensitivity"], found.metrics["undefined"] = None, {"sensitivity": "no seizure sample"}
    text = form.text(found)
    assert text.splitlines()[1].startswith("_Simulated: ")
    assert "| Sensitivity | undefined (no seizure sample) |\n" in text
    page = form.text(found, page=True)
    assert page.splitlines()[0].endswith("(sim99)") and page.count('{alt="') == 19
    assert 'alt="Grad-CAM over the three spectrograms of sample 13, a_1, 0 to 12 s."' in page


def test_scores_are_printed_with_their_intervals():
    sure = {"value": 0.81, "low": -0.7, "high": 0.9, "reason": None}
    assert results.with_interval(sure, "{:.1f}") == "0.8 (−0.7 to 0.9)"
    assert results.with_interval({"value": None, "reason": "no seizure"}) == "undefined (no seizure)"


@pytest.fixture(scope="module")
def finished(made_study, tmp_path_factory):
    """A copy of a study's results, without recordings and weights."""
    root = tmp_path_factory.mktemp("finished")
    ignore = shutil.ignore_patterns("recordings", "weights*", "spectrograms", "features", "report")
    shutil.copytree(made_study / "output" / "sim08", root / "output" / "sim08", ignore=ignore)
    shutil.copytree(made_study / "params", root / "params")
    shutil.copy(made_study / "CITATION.cff", root)
    return root


@pytest.fixture
def study(finished, monkeypatch):
    """The results of that study, to be changed before the article is written."""
    monkeypatch.setattr(files, "ROOT", finished)
    return results.read("sim08")


def write_article(found, monkeypatch, benchmark=None):
    """Run notebook 7 on results; return the article as Markdown, without line breaks in paragraphs."""
    book = nbformat.read(ROOT / "notebooks" / "07_report.ipynb", as_version=4)
    path, shown, names = files.ROOT / "output" / "benchmark" / "baselines.json", [], {}
    path.unlink(missing_ok=True)
    if benchmark:
        files.write_json(path, benchmark)
    monkeypatch.setattr(results, "read", lambda patient: found)
    monkeypatch.setattr(IPython.display, "display", shown.append)
    for cell in book.cells:
        if cell.cell_type == "code":
            shown.clear()
            exec(cell.source, names)
            for one in shown:
                kind = {"Image": "image/png", "SVG": "image/svg+xml"}.get(type(one).__name__, "text/markdown")
                data = "AAAA" if kind == "image/png" else one.data
                cell.outputs.append(nbformat.v4.new_output("display_data", {kind: data}))
    return " ".join(pages.read(book, "07_report", article=True)[1].split())


BETTER, WORSE, OPEN = (
    {"value": value, "low": low, "high": high, "kind": "t", "reason": None}
    for value, low, high in ((0.2, 0.1, 0.3), (-0.2, -0.3, -0.1), (-0.1, -0.3, 0.0))
)
METHODS = ("gradcam", "gradcampp", "ig")


def set_results(found, leak=BETTER, ahead=BETTER, failing=()):
    """Set what the three verdicts rest on."""
    for row in found.audit["rows"][1:]:
        row["adds_f1"] = leak
    for row in found.comparison["rows"]:
        row |= {key: ahead for key in row if key.startswith("ahead_") and row["method"] != "ours"}
    rules = found.sanity["verdicts"]["ig"]
    found.sanity["verdicts"] = {
        method: {rule: (method, rule) not in failing for rule in rules} for method in found.sanity["verdicts"]
    }
    return found


@pytest.mark.slow
def test_the_article_is_a_paper(study, monkeypatch):
    """All parts, at most 3,000 words, 6 figures and 3 tables, each spoken of; date, version and author."""
    text = write_article(study, monkeypatch)
    for heading in HEADINGS:
        assert f"## {heading} " in text, heading
    words = re.sub(r"\]\([^)]*\)|\{[^}]*\}|[#|:*]", " ", text).split()
    assert 1500 < len(words) <= 3000
    figures, tables = (set(re.findall(rf"\*\*{kind} (\d)\.\*\*", text)) for kind in ("Figure", "Table"))
    assert len(figures) <= 6 and len(tables) <= 3
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert f"The authors of the EEG spectrogram study · version {citation['version']}" in text
    assert "**simulated** patient" in text and "no benchmark on real EEG" in text


PLANTED = ("planted frequency", "planted time", "planted channel")
ALL = [(method, rule) for method in METHODS for rule in PLANTED]
VERDICTS = [  # what the results are, what the article says then, and what it does not say
    (
        {},
        "raises the F1 of a single network | simpler detectors?* Yes: | by 0.20 (0.10 to 0.30) | No map fails | "
        "no evidence that a detector",
        "without significance",
    ),
    (
        {"leak": OPEN, "ahead": OPEN},
        "by −0.10 (−0.30 to 0.00), not significantly | 1. *Does the network outperform simpler detectors?* No: | "
        "trails | without significance | cannot be told apart | does not significantly outperform any",
        "no evidence that a detector",
    ),
    (
        {"leak": WORSE, "ahead": WORSE},
        "does not help: it changes | by −0.20 | is significantly worse than | Nothing here argues for a network",
        "is significantly better",
    ),
    (
        {"failing": [*ALL, ("gradcampp", "random weights")]},
        "1. *Can the maps be trusted?* In part: | every map misses the planted channel; Grad-CAM++ hardly changes | "
        "Integrated Gradients can be taken to show what the network used, Grad-CAM++ cannot, and none | **fails**",
        "No map fails",
    ),
    ({"failing": [(method, "deletion") for method in METHODS]}, "no map can be taken to show what the", "**–**"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("changes", "said", "unsaid"), VERDICTS)
def test_the_verdicts_follow_from_the_data(study, monkeypatch, changes, said, unsaid):
    text = write_article(set_results(study, **changes), monkeypatch).replace("'", "’")
    assert not [words for words in said.split(" | ") if words not in text] and unsaid not in text


@pytest.mark.slow
def test_real_eeg(study, monkeypatch):
    """Measured recordings: nothing is called simulated or planted. Who leads in the benchmark is said."""
    study.source |= {"source": "directory", "simulated": False}
    study.sanity["truth"] = None
    for given in study.sanity["verdicts"].values():
        given |= dict.fromkeys(PLANTED)
    low, middle, high = (dict.fromkeys(("event_f1", "auprc_smoothed", "auroc"), value) for value in (0.7, 0.8, 0.9))
    over = {"auprc_smoothed": {"n": 2, "value": 0.2, "low": 0.1, "high": 0.3}}
    rows = {"ours": middle, "logistic": high, "deep4": low}
    benchmark = {"patients": {"excerpts01": rows, "sim08": rows, "sim51": rows}, "ahead": {"logistic": over}}
    text = write_article(study, monkeypatch, benchmark)
    own = text.partition("## Introduction")[0] + text.partition("## Results")[2].partition("## Real EEG")[0]
    assert not re.search("simulated|planted", own)
    assert "real EEG" in text and "1 of 2 by event F1" in text
    assert "| 0.90 | 0.90 | 0.90 | 0.200 (0.100 to 0.300) |" in text
    assert "Over 2 simulated patients" in text and "significantly lower than that of no other" in text
    assert "the network is significantly better than logistic regression: the order does not carry over" in text


@pytest.mark.slow
def test_the_article_says_which_recordings_its_figure_shows(finished, study, monkeypatch):
    """All of three; where evaluation has drawn them on further pages, those that fit, and where the others are."""
    assert "shows every decision. The alarms" in write_article(study, monkeypatch)
    page = finished / "output" / "sim08" / "evaluate" / "pages" / "probability_1.svg"
    page.touch()
    text = write_article(study, monkeypatch)
    page.unlink()
    assert "those with a seizure or an alarm first; [notebook 4](" in text and "shows every decision" not in text


@pytest.mark.slow
def test_pooled_patients(study, monkeypatch):
    """Three patients: nothing in the article or the cards speaks of one, and what is held out is said."""
    study.source["patients"] = ["a1", "b1", "c1"]
    text = write_article(study, monkeypatch)
    cards = supplement.fill_cards(study, supplement.values(study))
    assert not re.search(
        "one patient|patient sim08|same patient's", (text + cards).replace("Recordings of one patient", ""), re.I
    )
    assert "3 patients (pooled as sim08), all **simulated**: no person" in text and "3 patients (pooled as" in cards
    for said in ("Patients are held out in turn", "bootstrap over patients", "patients listed first and tested on all"):
        assert said in " ".join(text.split()), said


def test_a_missing_file_names_its_stage(finished, study):
    path = finished / "output" / "sim08" / "evaluate" / "audit.json"
    kept = path.read_bytes()
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"evaluate.audit\.json is not there: .*`dvc repro evaluate@sim08`"):
        results.read("sim08")
    path.write_bytes(kept)


def test_the_site_of_a_study(made_study):
    """Its pages are there, and small; the article shows its figures, and its numbers are those of the files."""
    folder = made_study / "output" / "sim08" / "report"
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*.html")}
    wanted = {f"{name}.html" for name in ("index", "report", "supplement", "narrative", "cards")}
    assert names == wanted | {f"notebooks/{path.stem}.html" for path in (made_study / "notebooks").glob("0*")}
    text = (folder / "index.html").read_text("utf-8")
    events = files.read_json(made_study / "output" / "sim08" / "evaluate" / "metrics.json")["events"]
    assert f"{events['detected']} of {events['seizures']} seizures" in " ".join(text.split())
    page = links.Page(text)
    weight = sum((folder / picture["src"]).stat().st_size for picture in page.pictures) + len(text)
    assert 3 <= len(page.pictures) <= 6 and weight < 3e6
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 30e6


def test_the_simulator_stands_beside_real_eeg(tmp_path, monkeypatch):
    """Said where the benchmark was run and the patient is simulated, with its credit; drawn where there is a figure."""
    benchmark, pictures = tmp_path / "output" / "benchmark", {}
    text = files.read_yaml(ROOT / "params" / "supplement" / "texts.yaml")["simulated"]
    monkeypatch.setattr(files, "ROOT", tmp_path)
    simulated, real = (SimpleNamespace(source={"simulated": one}) for one in (True, False))
    assert supplement.compare_with_real(simulated, text, pictures) == []
    names = ("all", "chb01", "strangers", "a simulated patient in chb01's place")
    auroc = {name: {"mean": 0.75, "low": 0.5, "high": 0.875} for name in names}
    files.write_json(benchmark / "simulated.json", {"auroc": auroc})
    said = "\n".join(supplement.compare_with_real(simulated, text, pictures))
    assert "AUROC of 0.75 (0.50 to 0.88" in " ".join(said.split()) and "ODC-By 1.0" in said and not pictures
    files.write_text(benchmark / "simulated.svg", "<svg/>")
    assert "media/simulated.svg" in "\n".join(supplement.compare_with_real(simulated, text, pictures))
    assert list(pictures) == ["media/simulated.svg"] and supplement.compare_with_real(real, text, pictures) == []


NARRATIVE = "## A report\n\nIt is **0.96**. Then {{< env HOME >}} it is.\n\n* It is **0.96**.\n"
FACTS = {"accuracy": {"name": "accuracy_[x](y)", "printed": "0.96", "interval": {"low": "0.9", "high": "1"}}}
FACTS["accuracy"]["file"] = "output/a/evaluate/metrics.json"
FACTS["baseline"] = {"name": "baseline", "printed": None, "interval": None, "file": "output/a/explain/digest.json"}
IT = "It is **0.96**."
CLAIMS = [(IT, "accuracy"), ("Then {{< env HOME >}} it is.", ""), (IT, "accuracy; baseline")]


def proved(claims=CLAIMS):
    table = pd.DataFrame(claims, columns=["sentence", "facts"])
    return supplement.prove(SimpleNamespace(patient="a", narrative=NARRATIVE, claims=table, facts={"values": FACTS}))


def test_each_claim_leads_to_its_proof():
    """Two sentences carry facts, the same one twice, each with its own; a shortcode between them is text."""
    text = proved()
    assert "It is **0.96**.^[1](#proof-1)^" in text and "* It is **0.96**.^[2](#proof-2)^" in text
    assert "[2]{#proof-2} | accuracy\\_\\[x\\](y): 0.96 (0.9 to 1); baseline: undefined |" in text
    assert "[evaluate/metrics.json](../evaluate/metrics.json), [explain/digest.json](../explain/digest.json)" in text
    assert "{{<" not in text


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ([("Not said.", "accuracy")], r"narrative.md lacks 'Not said.'.*narrate@a"),
        ([CLAIMS[1], CLAIMS[0], CLAIMS[0]], "narrative.md lacks 'It is"),
        ([(IT, "nothing")], "nothing"),
    ],
)
def test_claims_that_do_not_fit_the_narrative_are_refused(claims, message):
    with pytest.raises((ValueError, KeyError), match=message):
        proved(claims)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "own", "others"),
    [
        ("simulate", "planted", ("ODC-By 1.0.", "10.13026", "folder")),
        ("physionet", "ODC-By 1.0", ("planted", "simulator", "folder that")),
        ("directory", "Whoever provided the recordings", ("planted", "simulator", "ODC-By", "PhysioNet")),
    ],
)
def test_the_cards_fit_the_source(study, kind, own, others):
    """Each source in its own words; 52 items of TRIPOD+AI in order, each with an answer."""
    found = copy.copy(study)
    found.source = study.source | {"source": kind, "simulated": kind == "simulate"}
    text = supplement.fill_cards(found, supplement.values(found))
    assert own in text and not [word for word in others if word in text]
    assert "{" not in re.sub(r"\{#.*?\}|::: \{.*?\}", "", text)
    asked = yaml.safe_load((ROOT / "params" / "supplement" / "tripod.yaml").read_text("utf-8"))
    items = {number: answer for items in asked.values() for number, (_, answer) in items.items()}
    assert list(items) == NUMBERS
    for number, answer in items.items():
        for one in answer.values() if isinstance(answer, dict) else [answer]:
            starts = r"\[|Not reported: |Not applicable|There was none |None|In part: "
            assert re.match(starts, one) and one.endswith("."), number
