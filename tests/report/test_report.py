"""The report: its form is the reference's, its numbers are the files', and no markup that is not ours works."""

import base64
import copy
import html
import io
import re
import shutil
import stat
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import matplotlib
import nbformat
import pandas as pd
import pypandoc
import pytest
from conftest import ROOT

matplotlib.use("agg")
from matplotlib.figure import Figure  # noqa: E402

from helpers.evaluate import scores  # noqa: E402
from helpers.report import article, links, markup, pages, proofs, site, tables  # noqa: E402
from helpers.study import files  # noqa: E402

REFERENCE = ROOT.parent / "shared" / "seed" / "reference-report.md"
SEVEN = [f"{name}.png" for name in article.SAMPLE_PICTURES]
VOID = ("img", "meta", "link", "br", "hr", "col", "input", "source")
ALARMS = {"sim99_01": [(100, 112), (200, 204)], "sim99_02": [(120, 124)], "sim99_03": [(24, 28)]}
SCORES = {
    "n": 281, "seizure": 94, "tp": 89, "fn": 5, "fp": 4, "tn": 183, "accuracy": 0.96797, "sensitivity": 0.94681,
    "specificity": 0.97861, "f1": 0.951872, "weighted_f1": 0.967932, "threshold": 0.37, "auprc": 0.7654,
    "auprc_smoothed": 0.8765,
}  # fmt: skip
# Weighted to two others for each seizure sample, so its counts need not be whole.
WEIGHTED = SCORES | {"n": 282.0, "fp": 4.02, "tn": 183.98, "accuracy": 0.91, "f1": 0.8123}
METRICS = {
    "patient": "sim99",
    "source": "simulate",
    "samples": SCORES,
    "undefined": {},
    "reference_prevalence": WEIGHTED,
    "events": {"seizures": 2, "detected": 2, "false_alarms": 2, "sensitivity": 1.0, "precision": 0.5, "f1": 0.6667}
    | {"fp_per_24h": 12.34},
    "folds": [
        {"fold": 0, "held_out": ["sim99_01", "sim99_03"], "inner": ["sim99_02"], "threshold": 0.33}
        | {"calibration": {"temperature": 1.0, "reason": "it has 1 seizure sample"}},
        {"fold": 1, "held_out": ["sim99_02"], "inner": ["sim99_01", "sim99_03"], "threshold": 0.0041}
        | {"calibration": {"temperature": 1.4567, "reason": None}},
    ],
}
for fold in METRICS["folds"]:
    fold |= {"networks": ["0-1"], "alarm": {"k": 5, "threshold": 0.2345, "minimum": 2}}
SURE = {"value": 0.8123, "low": 0.7001, "high": 0.9002, "dropped": 0.0, "reason": None}
UNSURE = {"value": None, "low": None, "high": None, "dropped": 1.0, "reason": "the score is undefined"}
METRICS["intervals"] = {kind: {} for kind, _ in tables.INTERVALS}
for kind, name in tables.INTERVALS:
    METRICS["intervals"][kind][name] = UNSURE if name == "median_latency_s" else SURE
ERRORS = """\
kind,recording,start_s,end_s,peak_s,p_peak,threshold,file
missed seizure,sim99_01,110.0,152.0,130.0,0.1234,0.2345,error_1.png
nearest to a false alarm,sim99_02,40.0,44.0,42.0,0.5678,0.2345,error_2.png
"""
METHODS = {"gradcam": "Grad-CAM", "gradcampp": "Grad-CAM++", "ig": "Integrated Gradients"}
FOUND = {"value": 0.1234, "low": -0.0456, "high": 0.2345, "dropped": 0.0, "reason": None, "n": 12}
SANITY = {
    "rules": {"truth": "it finds *what* was planted", "weights": "it falls"},
    "methods": METHODS,
    "maps": METHODS | {"chance": "chance", "power": "power of the sample"},
    "layers": ["score", "mix"],
    "tested": {"seizure": 7, "other": 5},
    "completeness": {"largest": 0.0123, "n": 1325},
    "truth": {
        along: {name: {"auc": FOUND, "mass": UNSURE | {"n": 0}} for name in ("ig", "power", "chance")}
        for along in ("time × frequency", "time", "frequency", "channel", "channel, where planted")
    },
    "disturbed": {"weights:mix": dict.fromkeys(METHODS, FOUND)},
    "gain": {kind: dict.fromkeys(METHODS, FOUND) for kind in ("deletion", "insertion")},
    "beyond_power": {kind: dict.fromkeys(METHODS, FOUND) for kind in ("deletion", "insertion")},
    "agreement": {"gradcam|ig": FOUND},
    "verdicts": {name: {"truth": None, "weights": name == "ig"} for name in METHODS},
}
SETTINGS = "{epochs: 12, batches_per_epoch: 20, hidden: 32, batch_size: 32, "
SETTINGS += "gain_db: 3.0, background_mixing: 0.5, auxiliary_loss_weight: 0.5, weight_averaging: 0.25}"
# As in the reference: number, true, predicted, probability.
ERROR_SAMPLES = [(7, 1, 0, 0.123)]
SAMPLES = [(0, 1, 1, 0.976), (13, 1, 1, 0.998), (1, 0, 0, 0.027), (2, 0, 0, 0.057)]
# What narrate leaves: sentences with their facts, one of them twice, and one whose recording has a name like markup.
TWICE = "The strongest band of IG is B2 (theta) at t0."
ROWS = [
    ("It reached an **accuracy** of 96.80%.", "accuracy", "proven", "model's choice"),
    ("First: sim99_01.", "sample.0.recording; sample.0.ig", "proven", "model's choice"),
    ("Second.", "", "fixed text", "code"),
    (TWICE, "sample.0.ig", "proven", "code"),
    (TWICE, "sample.7.ig", "proven", "code"),
    ("It beats the answer that is always the same.", "accuracy; baseline; tests.truth", "proven", "code"),
    ("_Fixed text:_ No advice.", "", "fixed text", "code"),
]
NARRATIVE = (
    "## A report on spectrograms\n\nIt reached an **accuracy** of 96.80%.\n\n* First: sim99_01.\n* Second.\n\n"
    f"{TWICE} Then {TWICE}\n\nIt beats the answer that is always the same.\n\n_Fixed text:_ No advice."
)
PLACE = "output/sim99/evaluate/metrics.json"
ENDS = {"low": "0.9412", "high": "0.9891"}


def fact(name, printed, place, interval=None, file=PLACE):
    """Return an entry of facts.json."""
    return {"name": name, "printed": printed, "unit": "", "interval": interval, "file": file, "place": place}


DIGEST = "output/sim99/explain/digest.json"
KNOWN = {
    "patient": "sim99",
    "simulated": True,
    "values": {
        "accuracy": fact("accuracy", "0.9680", "samples.n", ENDS),
        "baseline": fact("accuracy of the more frequent answer", None, "max(a[0], b)"),
        "sample.0.recording": fact("sample 0, recording", "Müller_[x](javascript:y) <b>*1*", "samples", file=DIGEST),
        "sample.0.ig": fact("sample 0, band of IG", "B2 (theta)", "samples", file=DIGEST),
        "sample.7.ig": fact("sample 7, band of IG", "B2 (theta)", "errors", file=DIGEST),
        "tests.truth": fact("test truth, Grad-CAM", "passes", "verdicts", file="output/sim99/explain/sanity.json"),
    },
}
CARD = {
    "name": "Small_Model", "revision": "abc1234567890", "dtype": "float32", "seed": 0, "mode": "constrained",
    "temperature": 0.5, "sees_pictures": False, "licence": "Apache_License", "choices": 16, "bits": 6.5,
    "texts": "131072", "refused": 0,
}  # fmt: skip


COMPARED = {
    "rows": [
        {"method": "ours", "name": "this network", "auprc": SURE, "auprc_smoothed": SURE, "auroc": SURE}
        | {"sample_f1": SURE, "event_f1": UNSURE, "ahead_auprc": None},
        {"method": "forest", "name": "random forest", "auprc": SURE, "auprc_smoothed": SURE, "auroc": SURE}
        | {"sample_f1": SURE, "event_f1": SURE, "ahead_auprc": SURE | {"low": -0.1}, "ahead_auprc_smoothed": SURE},
    ],
    "note": "Same folds.",
}
AUDITED = {
    "rows": [
        {"protocol": "random split", "n_test": 50, "shared_eeg": 49, "share": 0.98}
        | dict.fromkeys(("accuracy", "sensitivity", "specificity", "f1", "auroc"), SURE)
    ],
    "gap": {"auroc": SURE, "f1": UNSURE},
    "note": "Both by one network.",
}


def claims_table(rows):
    """Write rows of (sentence, facts, verdict, wording) as ``claims.csv``."""
    return pd.DataFrame(rows, columns=["sentence", "facts", "verdict", "wording"]).to_csv(index=False)


def sample(number, true, pred, probability):
    return {
        "sample": number, "recording": "sim99_01", "start_s": 120.0, "end_s": 132.0, "true": true, "pred": pred,
        "p_seizure": probability, "threshold": 0.41, "convergence_delta": 0.0003,
        "strongest_band": {"gradcam": ["B1", None, "B5"], "gradcampp": ["B1", "B1", "B5"], "ig": ["B2", "B2", "B2"]},
        "files": [f"sample{number}_{name}" for name in SEVEN],
    }  # fmt: skip


def write_patient(root):
    """Write what the six earlier stages would, in small, with coloured squares for pictures."""
    out = root / "output" / "sim99"
    described = {"patient": "sim99", "source": "simulate", "description": "Made by the simulator.", "simulated": True}
    files.write_json(out / "acquire" / "source.json", described)
    rows = [f"sim99_0{n},sim99_0{n}.edf,2076-11-06 13:43:04,240.0,256,{n % 2},by name,abc\n" for n in (1, 2, 3)]
    runs = [f"{name},{start}.0,{end}.0\n" for name, spans in ALARMS.items() for start, end in spans]
    for name, text in {
        "acquire/recordings.csv": "recording,file,start,duration_s,sampling_hz,seizures,montage,sha256\n"
        + "".join(rows),
        "acquire/seizures.csv": "recording,start_s,end_s\nsim99_01,110.0,152.0\nsim99_03,20.0,55.5\n",
        "acquire/left_out.csv": "recording,seizures,reason\n",
        "evaluate/errors.csv": ERRORS,
        "evaluate/events.csv": "recording,start_s,end_s\n" + "".join(runs),
        "narrate/narrative.md": NARRATIVE + "\n",
        "narrate/claims.csv": claims_table(ROWS),
        "../../params/train.yaml": SETTINGS,
    }.items():
        files.write_text(out / name, text)
    axes = {"frame_s": 4, "hop_s": 0.25, "window_s": 1.0, "channels": ["F7-T7"] * 18, "frequencies_hz": [0.5, 1, 54.75]}
    bands = {"B1": {"name": "delta", "low_hz": 0.5, "high_hz": 4}, "B5": {"name": "gamma", "low_hz": 30, "high_hz": 55}}
    digest = {
        "patient": "sim99", "frame_s": 4, "rule": "Chosen by rule.", "samples": [sample(*row) for row in SAMPLES],
        "bands": bands, "errors": [sample(*row) for row in ERROR_SAMPLES],
    }  # fmt: skip
    training = {"parameters": 54321, "feature_map": [27, 16], "folds": [{}, {}]}
    for name, value in {
        "preprocess/axes": axes, "train/training": training, "evaluate/metrics": METRICS, "evaluate/audit": AUDITED,
        "evaluate/comparison": COMPARED, "explain/digest": digest, "explain/sanity": SANITY, "narrate/facts": KNOWN,
        "narrate/model": CARD,
    }.items():  # fmt: skip
        files.write_json(out / f"{name}.json", value)
    wanted = {stage: list(names) for stage, names in article.PICTURES.items()}
    wanted["evaluate"] += ["pages/error_1.png", "pages/error_2.png"]
    nine = [*SEVEN, *(f"{name}.png" for name in article.CHANNEL_PICTURES)]
    wanted["explain"] += [f"samples/sample{row[0]}_{name}" for row in SAMPLES + ERROR_SAMPLES for name in nine]
    for stage, names in wanted.items():
        for name in names:
            files.write_bytes(out / stage / name, base64.b64decode(square(name)))
    (root / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks" / "07_report.ipynb", root / "notebooks")
    write_notebooks(out / "notebooks")
    return out


def square(text):
    """Return a small PNG with `text` in it, as a cell's output has it."""
    figure, picture = Figure(figsize=(1, 0.5)), io.BytesIO()
    figure.text(0, 0.4, text, size=5)
    figure.savefig(picture, format="png", metadata={"Software": None})
    return base64.b64encode(picture.getvalue()).decode()


def write_notebooks(folder):
    """Write the project's own notebooks as if they had run: every cell that shows pictures shows one, two if many."""
    for name in article.NOTEBOOKS:
        book = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
        for cell in book.cells:
            said = pages.options(cell.source) if cell.cell_type == "code" else {}
            for number in range(("fig-alt" in said) + ("fig-alt" in said and "fig-cap" not in said)):
                data = {"image/png": square(f"{said['label']} {number}"), "text/plain": "<Figure>"}
                cell.outputs.append(nbformat.v4.new_output("display_data", data))
        last = next(cell for cell in reversed(book.cells) if cell.cell_type == "code")
        last.outputs.append(nbformat.v4.new_output("stream", name="stdout", text="done\n"))
        files.write_text(folder / f"{name}.ipynb", nbformat.writes(book))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("written")
    write_patient(root)
    return root


@pytest.fixture
def patient(written, tmp_path, monkeypatch):
    root = tmp_path / "project"
    shutil.copytree(written, root)
    monkeypatch.setattr(files, "ROOT", root)
    return root / "output" / "sim99"


@pytest.fixture
def without_quarto(monkeypatch):
    monkeypatch.setattr(site, "quarto_version", lambda: None)


class Page(links.Page):
    """A page, with its tags, and the attributes of all of them."""

    def __init__(self, text):
        self.tags, self.keys = [], set()
        super().__init__(text)

    def handle_starttag(self, tag, attributes):
        super().handle_starttag(tag, attributes)
        self.tags.append(tag)
        self.keys.update(dict(attributes))


def context_of():
    return article.compose("sim99", "A title")


def form_of(patient):
    """Write `report.md` and return it."""
    return article.write_report(context_of(), patient / "report").read_text("utf-8")


def study(patient):
    """Render the whole site; return the renderer, and the article."""
    return article.write_site(context_of(), patient / "report"), (patient / "report" / "index.html").read_text("utf-8")


def source_of(patient):
    """Return the article's source, its lines joined."""
    return " ".join(article.sources(context_of())[1]["index.qmd"].split())


def article_of(patient):
    """Render the article alone, by pandoc, and return it: its links to other pages lead nowhere."""
    context = context_of()
    titles, sources = article.sources(context)
    folder = patient / "article"
    for name, content in (sources | context["pictures"]).items():
        site.write_source(content, folder / name)
    site.render_plain(folder, "index.qmd", titles, "", None)
    return (folder / "index.html").read_text("utf-8")


def words_of(text):
    return " ".join(re.sub(r"<[^>]*>", "", text).replace("&nbsp;", " ").split())


HEADINGS = (
    "Data and participant", "Reference standard", "Methods in short", "Splits and leakage audit", "Results", "Errors",
    "Explanations", "Narrative", "The reference’s study beside ours", "Model card", "Datasheet of the recordings",
    "TRIPOD\\+AI checklist", "Reproducibility", "References",
)  # fmt: skip
PRINTED = (
    "96.80%", "0.9519", "91.00%", "0.8123", "12.3", "54,321", "27 × 16", "Simulated", "B1 – B5", "0.0003", "0.7654",
    "54.75–54.75", "Of 281 samples, 94 (33.5%) are labelled seizure", "would reach an accuracy of 66.55%",
    "weighted to 2 for each seizure sample", "The 4 alarms (blue bars in", "mean of the weights of the last 3 epochs",
    ", 2 of which overlap no annotated seizure, make 2 detected seizures and 2 false alarms.",
    "Into 50% of them other EEG", "Temperature off in fold 0: it has 1 seizure sample.", "1 seizure was missed.",
    "p_smooth reaches 0.123 at 130 s, against a threshold for an alarm of 0.234.",
    "Nearest to a false alarm (no error): sim99_02", "Worded by a language model",
    "Small_Model (revision abc123456789, float32, seed 0, temperature 0.5, mode constrained; Apache_License)",
    "chose among 131072 wordings of this section in 16 choices, with an entropy of 6.5 bits",
    "The section’s 7 parts: 5 proven by the facts, 2 fixed text",
    "The commit of the code is unknown", "torch",
)  # fmt: skip


def check(text):
    """Check what holds for either rendering of the made-up patient's article; `site.render` checks its links."""
    page = Page(text)
    embedded = [picture for picture in page.pictures if picture["src"].removeprefix("./").startswith("figures/fig-")]
    assert len(embedded) == 14 and len(page.pictures) == len(embedded) + 4 + 9 * len(SAMPLES + ERROR_SAMPLES)
    inner = {link[1:] for link in page.links if link.startswith("#") and link != "#"}
    assert {"fig-probability", "tbl-metrics", "fig-sample13"} <= inner and inner <= page.anchors
    for heading in HEADINGS:
        assert re.search(rf"<h2[^>]*>\s*{heading}\s*</h2>", text), heading
    words = words_of(text)
    for printed in PRINTED:
        assert printed in words, printed
    return page


def test_form_is_the_reference_s(patient):
    if not REFERENCE.exists():
        pytest.skip("needs ../shared/seed/reference-report.md")
    reference = REFERENCE.read_text("utf-8")
    narrative, notes = reference.split("## LLM Summary\n")[1].split("\n\n## Notes\n")
    (patient / "narrate" / "narrative.md").write_text(narrative, "utf-8")
    # Ours has two lines more: that the patient is simulated, and what the threshold is.
    ours = re.sub(r"\)\n_Simulated.*_\n", ")\n", form_of(patient))
    ours = re.sub(r"\n\n_Best threshold: .*_\n", "\n", ours)
    assert ours.splitlines() == reference.replace("(chb08)", "(sim99)").splitlines()
    assert len(notes.splitlines()) == len(SAMPLES)


def test_form_line_by_line(patient):
    """Its pictures lie beside it."""
    ours = form_of(patient)
    lines = ours.splitlines()
    assert lines[0] == "# EEG Spectrogram Model – XAI & Multimodal Report (sim99)"
    assert lines[1].startswith("_Simulated: ") and lines[2] == ""
    assert lines[3:12] == [
        "## Metrics", "| Metric | Value |", "|---|---|", "| Accuracy | 96.80% |", "| Sensitivity | 94.68% |",
        "| Specificity | 97.86% |", "| F1 | 0.9519 |", "| Weighted F1 | 0.9679 |", "| Best threshold | 0.37 |",
    ]  # fmt: skip
    assert "chosen on its inner recordings, each judged by a network that was not trained on it" in ours
    start = lines.index("## LLM Summary")
    assert "\n".join(lines[start + 1 :]).startswith(NARRATIVE + "\n\n## Notes\n- sample 0: ")
    assert lines[-1] == (
        "- sample 2: true=0, pred=0, p_seizure=0.057, files=[sample2_spec_triptych.png, sample2_gradcam.png, "
        "sample2_gradcampp.png, sample2_ig_triptych.png, sample2_ig_t0.png, sample2_ig_t1.png, sample2_ig_t2.png]"
    )
    named = set(re.findall(r"[\w]+\.png", ours))
    assert len(named) == 3 + 7 * len(SAMPLES)
    for name in named:
        place = {"confusion_matrix.png": "evaluate"}.get(name, "explain/samples" if "sample" in name else "explain")
        assert (patient / "report" / name).read_bytes() == (patient / place / name).read_bytes()


def test_a_measured_patient_is_not_called_simulated(patient):
    described = {"patient": "sim99", "source": "directory", "description": "A folder.", "simulated": False}
    files.write_json(patient / "acquire" / "source.json", described)
    files.write_json(patient / "explain" / "sanity.json", SANITY | {"truth": None})  # nobody knows it
    context = context_of()
    del context["figures"]["fig-truth"]
    sources = article.sources(context)[1]
    for text in (sources["report.md"], sources["index.qmd"].partition("## Model card")[0], sources["_quarto.yml"]):
        assert "simulated" not in text.lower()


def test_scores_are_printed_with_their_intervals(patient):
    """As share, score or count; an undefined one says why it has none; differences have a true minus sign."""
    text = source_of(patient)
    for row in (
        "| Sensitivity, samples | 81.2% | 70.0% to 90.0% |",
        "| AUPRC | 0.812 | 0.700 to 0.900 |",
        "| Median latency (s) | undefined | none: the score is undefined |",
        "| random forest | 0.812 (−0.100 to 0.900) | 0.812 (0.700 to 0.900) | – |",
        "| this network | 0.812 (0.700 to 0.900) |",
        "undefined (the score is undefined) |",
        "| random split | 50 | 49 (98.0%) | 81.2% (70.0% to 90.0%)",
        "AUROC 0.812 (0.700",
        "| 0 | sim99\\_01, sim99\\_03 | 1 | 1 | 0.330 | off | 5 | 0.234 | 2 |",
        "| 1 | sim99\\_02 | 0 | 1 | 0.0041 | 1.46 | 5 | 0.234 | 2 |",
    ):
        assert row in text, row


def test_the_reference_study_stands_beside_its_own_patient_only(patient, monkeypatch):
    """Its six figures, as its report prints them: for chb08, and for nobody else."""
    assert "{#tbl-reference}" not in source_of(patient)
    monkeypatch.setattr(tables, "REFERENCE_PATIENT", "sim99")
    table = source_of(patient).partition("## The reference's study beside ours")[2]
    for row in ("| Accuracy | 96.80% | 91.00% | 96.80% |", "| F1 | 0.9519 | 0.8123 | 0.9519 |"):
        assert row in table, row


def test_the_reference_s_counts_give_its_figures():
    """What the six figures were solved to: 281 samples."""
    found = scores.sample_scores(*(tables.REFERENCE_COUNTS[name] for name in ("tp", "fn", "fp", "tn")))
    assert found["n"] == tables.REFERENCE_COUNTS["n"] == 281
    for name, value in tables.REFERENCE.items():
        assert name == "threshold" or abs(found[name] - value) < 0.0001, name


def test_many_recordings_have_pages(patient):
    """Eleven pages are shown in order, 2 before 10; without any the article does not mention them."""
    assert "fig-pages" not in source_of(patient)
    for number in range(1, 12):
        path = patient / "evaluate" / "pages" / f"probability_{number}.png"
        shutil.copy(patient / "evaluate" / "confusion_matrix.png", path)
    shown = re.findall(r"\]\((probability_\d+\.png)\)", source_of(patient))
    assert shown == [f"probability_{number}.png" for number in range(1, 12)]


def test_how_many_errors_are_shown_is_said(patient):
    """Two false alarms of which the worst is shown, and no missed seizure, for which one stands in that is no error."""
    (patient / "evaluate" / "errors.csv").write_text(
        ERRORS.replace("missed seizure", "least sure of the seizures found").replace("nearest to a ", "")
    )
    text = source_of(patient)
    assert "No seizure was missed; the seizure found with the lowest p_smooth" in text
    assert "There were 2 false alarms; the one with the highest p_smooth is shown." in text
    assert "Least sure of the seizures found (no error): sim99" in text and "False alarm: sim99" in text


def test_what_was_left_out_is_reported(patient):
    """Which recording, with how many seizures, and why; and how channels were found. Else there is no word of it."""
    assert "found by name." in source_of(patient) and "not in this study" not in source_of(patient)
    (patient / "acquire" / "left_out.csv").write_text(
        'recording,seizures,reason\nsim99_4,2,"sim99_4.edf lacks C3-P3."\n'
    )
    table = patient / "acquire" / "recordings.csv"
    table.write_text(table.read_text().replace("1,by name", "1,derived from electrodes against CS2", 1))
    text = source_of(patient).replace("\\", "")
    assert "found derived from electrodes against CS2 in sim99_01; by name in sim99_02, sim99_03." in text
    assert "1 recording of the source is not in this study" in text and "with 2 annotated seizures" in text
    assert "| sim99_4 | 2 | sim99_4.edf lacks C3-P3. |" in text


def test_other_scores_are_described(patient):
    """More seizure than other samples, no false alarm, two undefined scores: each is said, the last with a reason."""
    metrics = copy.deepcopy(METRICS)
    metrics["samples"] |= {"n": 100, "seizure": 80, "tp": 60, "fn": 20, "fp": 5, "tn": 15, "sensitivity": None}
    metrics["events"] |= {"false_alarms": 0, "fp_per_24h": 0.0, "precision": None}
    metrics["undefined"] = {"sensitivity": "no seizure sample"}
    files.write_json(patient / "evaluate" / "metrics.json", metrics)
    text = source_of(patient)
    assert "the more frequent class, seizure, would reach an accuracy of 80.00%" in text
    assert "dominated by the samples with a seizure" in text and "with no false alarm by" in text
    assert "undefined (no seizure sample)" in text and "undefined (no alarm was raised)" in text
    assert "| Sensitivity | undefined (no seizure sample) |\n" in form_of(patient)


def test_the_commit_is_named(patient):
    """Whatever git says of the project's folder: here it is no repository; then a commit, then changes to it."""
    assert article.commit() == "unknown"
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "params"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *command], cwd=files.ROOT, check=True)
    assert re.fullmatch(r"[0-9a-f]{7,}", article.commit())
    (files.ROOT / "params" / "train.yaml").write_text("epochs: 1")
    assert article.commit().endswith("-dirty")


@pytest.mark.slow
def test_plain_rendering(patient, without_quarto):
    """By pandoc, twice with the same bytes, with a note; no path of this machine is in it, and all scripts are ours."""

    def render():
        renderer, text = study(patient)
        return renderer, text, {path: path.read_bytes() for path in (patient / "report").rglob("*") if path.is_file()}

    renderer, text, found = render()
    page = check(text)
    assert renderer == "pandoc" and "Plain rendering: Quarto was not found" in text
    assert "dvc repro -s -f report@sim99" in text and "https://quarto.org/docs/get-started/" in page.links
    assert page.tags.count("script") == 1
    assert re.search(r"Figure\s1:\s+</span>The probability of seizure over time", text.replace("&nbsp;", "\xa0"))
    for private in (str(Path.home()), str(article.TEMPLATES.parents[1]), str(files.ROOT)):
        assert not [path for path, content in found.items() if private.encode() in content]
    assert render()[2] == found


@pytest.mark.skipif(not shutil.which("quarto"), reason="no quarto on PATH")
def test_quarto_rendering(patient):
    (patient / "narrate" / "narrative.md").write_text(NARRATIVE + EVIL, "utf-8")
    renderer, text = study(patient)
    check(text)
    assert renderer.startswith("Quarto ") and "Plain rendering" not in text
    assert_inert(text)
    assert study(patient)[1] == text


@pytest.mark.skipif(not shutil.which("quarto"), reason="no quarto on PATH")
def test_both_renderings_say_the_same(patient, monkeypatch):
    """Page by page: the same pictures, and the same labelled figures and tables."""

    def contents():
        study(patient)
        found = {}
        for path in (patient / "report").rglob("*.html"):
            page = Page(path.read_text("utf-8"))
            pictures = sorted((path.parent / picture["src"]).read_bytes() for picture in page.pictures)
            labels = {anchor for anchor in page.anchors if re.fullmatch(r"(?:fig|tbl)-[a-z\d]+(?:-[a-z]+)?", anchor)}
            found[path.relative_to(patient / "report")] = pictures, labels
        return found

    full = contents()
    monkeypatch.setattr(site, "quarto_version", lambda: None)
    assert contents() == full and len(full) == 9


def test_every_figure_is_spoken_of(patient):
    source = source_of(patient)
    labels = set(re.findall(r"\{#((?:fig|tbl)-[\w-]+)", source))
    assert labels == set(re.findall(r"@((?:fig|tbl)-[\w-]+)", source)) and len(labels) == 37


@pytest.mark.parametrize(
    ("stage", "name"), [("evaluate", "confusion_matrix.png"), ("explain", "samples/sample13_ig_t1.png")]
)
def test_a_missing_figure_names_its_stage(patient, stage, name):
    (patient / stage / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{stage}.{name} is not there: .*`dvc repro {stage}@sim99`"):
        context_of()


def test_a_figure_without_its_label_is_named(patient):
    context = context_of()
    del context["figures"]["fig-ranking"]
    with pytest.raises(ValueError, match=r"show no figure labelled fig-ranking.*`dvc repro report@sim99`"):
        article.sources(context)


def test_a_template_with_a_name_that_is_missing_is_an_error():
    with pytest.raises(jinja2.UndefinedError):
        article.fill("overview.qmd.j2", {"title": "A", "rows": []})


def test_a_digest_that_names_other_files_is_refused(patient):
    digest = files.read_json(patient / "explain" / "digest.json")
    digest["samples"][0]["files"][0] = "../../elsewhere.png"
    files.write_json(patient / "explain" / "digest.json", digest)
    with pytest.raises(ValueError, match="elsewhere"):
        context_of()


EVIL = """

<script>alert(1)</script> and <img src="https://example.org/x.png"> ![p](https://example.org/y.png) [l](javascript:x)

```{python}
raise SystemExit
```

`<script>alert(2)</script>`{=html} $x$ @fig-nowhere {{< include /etc/hostname >}} [x]{onclick="y"}
See https://example.org/bare or www.example.org/bare, <https://example.org/z>, [a][n], [n] and ^[a note], [^1], a&lt;b.

[n]: https://example.org/n
[^1]: A note.

---
title: Taken over
---

:::
:::

    <script>alert(3)</script>

# Level one {onclick="x"}

~~~
fenced
~~~
"""


def assert_inert(text):
    page = Page(text)
    assert "alert(" in text and "alert(" not in "".join(re.findall(r"<script\b.*?</script>", text, re.S))
    assert not any("example.org" in (picture["src"] or "") for picture in page.pictures)
    assert not any(link.startswith("javascript:x") for link in page.links) and "onclick" not in page.keys
    assert re.search(r"<title>\s*A title( – Patient sim99, simulated)?\s*</title>", text)
    assert "&lt;script&gt;alert(1)" in text and "@fig-nowhere" in text and "include /etc/hostname" in text


@pytest.mark.slow
def test_a_narrative_is_text(patient, without_quarto):
    (patient / "narrate" / "narrative.md").write_text(NARRATIVE + EVIL, "utf-8")
    text = article_of(patient)
    check(text)
    assert_inert(text)
    assert "<h3" in text and "<strong>accuracy</strong>" in text and "<li>" in text
    assert "{{<" not in article.sources(context_of())[1]["index.qmd"]  # Quarto reads shortcodes before Markdown


@pytest.mark.parametrize("reader", ["gfm", "commonmark_x", "markdown"])
def test_a_narrative_is_text_in_the_reference_s_form_too(patient, reader):
    """Whoever renders report.md: the model's headings, bold and bullets work, and nothing of it is followed."""
    (patient / "narrate" / "narrative.md").write_text(NARRATIVE + EVIL, "utf-8")
    form = form_of(patient)
    assert "<script" not in form and "{{<" not in form
    rendered = pypandoc.convert_text(form.partition("## LLM Summary")[2], "html", format=reader)
    page = Page(rendered)
    assert not page.links and not page.pictures and not {"script", "img", "math"} & set(page.tags)
    assert page.tags.count("pre") == 1  # what is indented is code to Markdown, and as harmless
    assert not {"onclick", "style"} & page.keys and "footnote" not in rendered
    assert "A report on spectrograms</h2>" in rendered and "<strong>accuracy</strong>" in rendered
    assert "Level one " in rendered and "Notes</h2>" in rendered  # what follows is still the report's own
    words = " ".join(html.unescape(re.sub(r"<[^>]*>", "", rendered)).split())
    for said in ("<script>alert(1)</script>", "[l](javascript:x)", "https://example.org/bare", "[n]: https://", "$x$"):
        assert said in words, said


def test_names_from_files_are_text():
    assert markup.escape("a_b*c|<d>\n@e [f](g) {{< h >}}") == r"a\_b\*c\|\<d\> \@e \[f\](g) \{\{\< h \>\}\}"
    assert markup.escape_attribute('"{{< env X >}}" & \\') == r"\"\{\{< env X >\}\}\" \& \\"
    assert "{{<" not in markup.break_shortcodes("{{< env X >}}")


def test_a_narrative_keeps_what_is_escaped_and_lowers_headings():
    assert markup.escape_narrative("## A\n\n- **b** \\< c < d\n---") == "### A\n\n- **b** \\< c \\< d\n\\---"
    assert markup.escape_narrative("https://a www.b w.c") == r"https\://a www\.b w.c"
    assert markup.escape_narrative("`a-b/1.0` `{{< x >}}` `y`{=html}") == r"`a-b/1.0` \`\{\{\< x \>\}\}\` `y`\{\=html\}"


class Told(HTMLParser):
    """The sentences of the narrative that have facts, as the page has them: words, facts, links, attributes."""

    def __init__(self, text):
        super().__init__()
        self.claims, self.fixed, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        assert tag != "p" or not self.within("claim")
        classes = (attributes.get("class") or "").split()
        if "claim" in classes:
            self.claims.append({"said": "", "facts": "", "links": [], **attributes})
        if "claim-facts" in classes:
            self.claims[-1]["facts id"] = attributes["id"]
        if "claim-fixed" in classes:
            self.fixed.append("")
        self.open += [] if tag in VOID else [classes]
        if tag == "a" and self.within("claim-facts"):
            self.claims[-1]["links"].append(attributes["href"])

    def handle_endtag(self, tag):
        if tag not in VOID:
            self.open.pop()

    def handle_data(self, data):
        if self.within("claim"):
            self.claims[-1]["facts" if self.within("claim-facts") else "said"] += data
        if self.within("claim-fixed"):
            self.fixed[-1] += data

    def within(self, name):
        return any(name in classes for classes in self.open)


def narrative_of(patient, rows=ROWS, narrative=NARRATIVE, **card):
    """Render a narrative; return its sentences, and the page."""
    (patient / "narrate" / "narrative.md").write_text(narrative + "\n", "utf-8")
    (patient / "narrate" / "claims.csv").write_text(claims_table(rows), "utf-8")
    files.write_json(patient / "narrate" / "model.json", CARD | card)
    text = article_of(patient)
    return Told(text), text


@pytest.mark.slow
def test_each_proven_sentence_has_its_facts(patient, without_quarto):
    """Five proven sentences, each focusable and described by its facts; the same sentence twice has each its own.

    Facts link to figures and tables of this page, and to files beside the report's folder. The private signs by which
    sentences are set apart get no sentence in their stead where a narrative holds them.
    """
    found, text = narrative_of(patient, narrative="\ue0000\ue001 " + NARRATIVE)
    proven = [row for row in ROWS if row[2] == "proven"]
    assert [claim["said"] for claim in found.claims] == [row[0].replace("*", "") for row in proven]
    assert "\ufffd0\ufffd" in text and "<b>" not in text
    for claim in found.claims:
        assert claim["tabindex"] == "0" and claim["role"] == "group" and claim["class"] == "claim"
        assert claim["aria-describedby"] == claim["facts id"]
    assert len({claim["facts id"] for claim in found.claims}) == len(proven)
    facts = [" ".join(claim["facts"].split()) for claim in found.claims]
    assert facts[0].startswith("accuracy: 0.9680 (0.9412 to 0.9891) at samples.n; Shown in Table")
    assert facts[1].startswith("sample 0, recording: Müller_[x](javascript:y) <b>*1* at samples; sample 0, band of IG:")
    assert "sample 7, band of IG: B2 (theta) at errors;" in facts[3]
    assert "more frequent answer: undefined at max(a[0], b);" in facts[4]
    assert "test truth, Grad-CAM: passes at verdicts;" in facts[4]
    assert found.fixed == ["Second.", "Fixed text: No advice."]
    within = [[link[1:] for link in claim["links"] if link.startswith("#")] for claim in found.claims]
    assert within[:4] == [["tbl-metrics"], ["fig-sample0"], ["fig-sample0"], ["fig-sample7"]]
    assert within[4] == ["tbl-metrics", "fig-confusion", "tbl-verdicts"] and set(sum(within, [])) <= Page(text).anchors
    outside = [link for claim in found.claims for link in claim["links"] if not link.startswith("#")]
    assert {"../evaluate/metrics.json", "../explain/digest.json", "../explain/sanity.json"} <= set(outside)
    assert all((patient / "report" / link).resolve().is_file() for link in outside)


def test_only_anchors_of_the_page_are_linked():
    """A fact whose table this page lacks is linked to its file alone. Every anchor is one of the article's."""
    assert proofs.places("audit.gap.f1", {"fig-confusion"}) == () and proofs.places("nothing", {"fig-confusion"}) == ()
    assert proofs.places("audit.gap.f1", {"tbl-audit"}) == ("tbl-audit",)
    text = "".join(path.read_text("utf-8") for path in sorted(article.TEMPLATES.rglob("*.j2")))
    possible = set(re.findall(r'(?:\{#|embed\(")((?:fig|tbl)-[\w-]+)', text)) | {"fig-sample\\1"}
    assert {place for places in proofs.PLACES.values() for place in places.split()} <= possible


@pytest.mark.slow
def test_the_model_s_own_words_are_marked(patient, without_quarto):
    """By a class, a sign and words: one sentence of its own, three refused; and none where the mode is not free."""
    rows = [
        (
            "Its own.",
            "accuracy",
            "numbers proven",
            "model",
        ),
        ("Ours.", "accuracy", "proven", "model's choice"),
    ]
    narrative = "## Title\n\nIts own.† Ours."
    found, text = narrative_of(patient, rows, narrative, mode="free", sees_pictures=True, refused=3)
    assert [claim["class"] for claim in found.claims] == ["claim claim-own", "claim"]
    assert [claim["said"] for claim in found.claims] == ["Its own.†", "Ours."]
    words = words_of(text)
    assert "1 sentence is in the model’s own words (marked †): their numbers and names are proven" in words
    assert "3 further sentences were refused. The model was also given pictures" in words
    assert "A double underline and a † mark the model’s own words" in words and "Its own.† Ours." in form_of(patient)


EVIL_SENTENCE = (
    'A [l](javascript:x) ![p](https://example.org/p.png) [r][n] ]{.x onclick="y"} <script>alert(4)</script> `z`{=html} '
    "{{< include /etc/hostname >}} $x$ @fig-nowhere ^[note] **open \\"
)


@pytest.mark.slow
@pytest.mark.parametrize("verdict", ["proven", "numbers proven", "fixed text"])
def test_a_sentence_of_the_model_is_text(patient, without_quarto, verdict):
    """Links, HTML, brackets that would close a span: all shown, none followed, and the sentence keeps its facts."""
    rows = [(EVIL_SENTENCE, "accuracy", verdict, "model"), ("# Not a heading.", "accuracy", "proven", "code")]
    narrative = f"## Title\n\n{EVIL_SENTENCE}\n\n* # Not a heading.\n\n[n]: https://example.org/n"
    found, text = narrative_of(patient, rows, narrative)
    page = Page(text)
    assert "onclick" not in page.keys and "alert(4)" not in "".join(re.findall(r"<script\b.*?</script>", text, re.S))
    assert not [link for link in page.links if "example.org" in link or link.startswith("javascript")]
    assert "math" not in page.tags and "footnote" not in text
    assert found.claims[-1]["said"] == "# Not a heading." and found.claims[-1]["links"]
    if verdict != "fixed text":
        said = EVIL_SENTENCE.replace('"y"', "“y”").replace("`z`", "z") + "†"
        assert found.claims[0]["said"].replace("\xa0", " ") == said


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("Not said.", "accuracy", "proven", "code")], r"narrative.md does not.*'Not said.'.*narrate@sim99"),
        (ROWS[:2][::-1], "does not have there: 'It reached"),
        ([*ROWS, ROWS[-1]], "does not have there: '_Fixed text:_ No advice.'"),
        ([(" ", "", "proven", "code")], "has a sentence"),
        ([(TWICE, "nothing", "proven", "code")], "lacks the fact 'nothing', which proves 'The strongest"),
        ([(TWICE, "sample.5.ig", "proven", "code")], r"lacks the fact 'sample\.5\.ig'"),
    ],
)
def test_claims_that_do_not_fit_the_narrative_are_refused(rows, message):
    named = ("sentence", "facts", "verdict", "wording")
    with pytest.raises(ValueError, match=message):
        proofs.annotate(NARRATIVE, [dict(zip(named, row, strict=True)) for row in rows], KNOWN, set())


def fake_quarto(folder, monkeypatch, script):
    path = folder / "quarto"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_an_old_quarto_is_not_used(tmp_path, monkeypatch):
    """A site of one page, by pandoc, which names the version that was found."""
    fake_quarto(tmp_path, monkeypatch, "echo 1.4.557")
    sources = {"index.qmd": "---\ntitle: A\n---\n", "page.js": "", "claims.css": "", "widgets.css": ""}
    assert site.render({"index.qmd": "A"}, sources, tmp_path / "site", "make x") == "pandoc"
    assert "Quarto 1.4.557 is too old" in (tmp_path / "site" / "index.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("error", "script", "message"),
    [
        (RuntimeError, 'echo "no such theme" >&2; exit 3', "quarto failed with exit code 3:\nno such theme"),
        (
            ValueError,
            'mkdir _site; echo "<p>?@fig-lost</p>" > _site/index.html',
            r"index.html: the cross-reference \?@fig-lost leads nowhere",
        ),
    ],
)
def test_a_failing_quarto_leaves_nothing(patient, tmp_path, monkeypatch, error, script, message):
    """It fails with a message; or it leaves a reference that leads nowhere, of which it does not complain."""
    fake_quarto(tmp_path, monkeypatch, f'[ "$1" = --version ] && echo 1.10.2 && exit 0; {script}')
    with pytest.raises(error, match=message):
        study(patient)
    assert not (patient / "report" / "index.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("was", "becomes", "message"),
    [
        ("@fig-probability", "@fig-lost", "@fig-lost leads nowhere"),
        ("{#tbl-metrics", "{#tbl-folds", "two blocks are called tbl-folds"),
        ('"figures/%s.png"', '"figures/%s.jpg"', "fig-probability.jpg leads to no file"),
        ("(report.html)", "(form.html)", "form.html leads to no file"),
        ("(#sec-limits)", "(#sec-bounds)", "#sec-bounds leads to no place"),
        ('{fig-alt="', '{alt="', "has no alt text"),
    ],
)
def test_a_broken_article_is_an_error_in_pandoc(patient, without_quarto, tmp_path, monkeypatch, was, becomes, message):
    broken = tmp_path / "templates"
    shutil.copytree(article.TEMPLATES, broken)
    found = [path for path in broken.rglob("*.j2") if was in path.read_text("utf-8")]
    assert found
    for path in found:
        path.write_text(path.read_text("utf-8").replace(was, becomes), "utf-8")
    monkeypatch.setattr(article, "TEMPLATES", broken)
    with pytest.raises((RuntimeError, ValueError), match=message):
        study(patient)
    assert not (patient / "report").exists()
