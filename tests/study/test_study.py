"""The whole study on a tiny patient, by the commands that a user gives; and that it all comes out a second time."""

import hashlib
import json
import subprocess
import sys

import nbformat
import pandas as pd
from conftest import ROOT
from nbclient import NotebookClient


def digests(folder):
    """Return the SHA-256 of every file below `folder`, by path."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def test_everything_is_there(study):
    """Every stage left its files; every recording was held out once, and is inner elsewhere, each network serving two
    folds; the report lists its seven files a sample."""
    root = study[0]
    output = root / "output" / "sim08"
    predictions = pd.read_csv(output / "train" / "predictions.csv")
    assert set(predictions["recording"]) == {f"sim08_0{number}" for number in range(1, 5)}
    assert not predictions.duplicated(["recording", "column"]).any()
    assert predictions.groupby("fold")["recording"].nunique().tolist() == [2, 1, 1]
    trained = json.loads((output / "train" / "training.json").read_text())["folds"]
    assert [fold["networks"] for fold in trained] == [["0-1", "0-2"], ["0-1", "1-2"], ["0-2", "1-2"]]
    for fold in trained:
        assert sorted(fold["held_out"] + fold["inner"]) == [f"sim08_0{number}" for number in range(1, 5)]
    weights = sorted(path.name for path in (output / "train" / "weights").iterdir())
    assert weights == ["0-1.safetensors", "0-2.safetensors", "1-2.safetensors"]
    metrics = json.loads((output / "evaluate" / "metrics.json").read_text())["samples"]
    assert metrics["tp"] + metrics["fn"] + metrics["fp"] + metrics["tn"] == len(predictions) == metrics["n"]
    digest = json.loads((output / "explain" / "digest.json").read_text())
    assert [sample["true"] for sample in digest["samples"]] == [1, 1, 0, 0]
    report = (output / "report" / "report.md").read_text()
    assert report.startswith("# EEG Spectrogram Model – XAI & Multimodal Report (sim08)\n")
    for sample in digest["samples"]:
        assert f"files=[{', '.join(sample['files'])}]" in report
        assert all((output / "report" / name).stat().st_size > 2000 for name in sample["files"])
    assert f"| Accuracy | {metrics['accuracy']:.2%} |" in report
    assert "simulated" in (output / "report" / "index.html").read_text().lower()
    assert '<a href="../sim08/report/index.html">sim08</a>' in (root / "output" / "overview" / "index.html").read_text()
    claims = pd.read_csv(output / "narrate" / "claims.csv")
    assert set(claims["verdict"]) == {"proven", "no claim", "fixed text"} and len(claims) > 20


def test_nothing_runs_a_second_time(study):
    """A second `dvc repro` finds all up to date."""
    root, environment = study
    before = (root / "dvc.lock").read_bytes()
    done = subprocess.run(["dvc", "repro"], cwd=root, env=environment, capture_output=True, text=True)
    assert "Running stage" not in done.stdout and "up to date" in done.stdout
    assert (root / "dvc.lock").read_bytes() == before


def test_notebooks_run_with_their_defaults_from_anywhere_to_the_same_bytes(study, tmp_path):
    """Opened as a student would, in another folder, top to bottom: every output file comes out byte for byte.

    Three of the seven, as the others take longest, and `test_verify.py` has all of them run a second time.
    """
    root, environment = study
    before = digests(root / "output" / "sim08")
    for name in ("02_preprocess", "04_evaluate", "07_report"):
        book = nbformat.read(root / "notebooks" / f"{name}.ipynb", as_version=4)
        client = NotebookClient(book, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
        client.execute(env=environment)
    after = digests(root / "output" / "sim08")
    assert {name for name in before if before[name] != after.get(name)} == set()
    assert list(tmp_path.iterdir()) == []


def test_no_executed_notebook_holds_a_path_or_a_page_from_elsewhere(study):
    """No machine path, and no HTML output: that would pull scripts from a network when rendered."""
    root, _ = study
    books = sorted((root / "output" / "sim08" / "notebooks").glob("*.ipynb"))
    assert len(books) == 7
    for path in books:
        text = path.read_text()
        assert str(root) not in text and str(ROOT) not in text and sys.prefix not in text, path.name
        for cell in nbformat.reads(text, as_version=4).cells:
            for output in cell.get("outputs", []):
                assert output.output_type != "error" and "text/html" not in output.get("data", {}), path.name


def test_other_stages_stay_when_one_changes(study):
    """A changed report runs the report alone; a changed figure never trains."""
    root, environment = study

    def would_run():
        command = ["dvc", "repro", "--dry", "report@sim08"]
        said = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True).stdout
        return [line.split("'")[1] for line in said.splitlines() if line.startswith("Running stage")]

    params = root / "params" / "report.yaml"
    text = params.read_text()
    figures = root / "src" / "helpers" / "figures.py"
    drawn = figures.read_text()
    try:
        params.write_text(text.replace("Finding seizures", "Looking for seizures"))
        assert would_run() == ["report@sim08"]
        params.write_text(text)
        figures.write_text(drawn + "\n# another colour\n")
        assert "evaluate@sim08" in would_run() and "train@sim08" not in would_run()
    finally:  # tests come in any order
        params.write_text(text)
        figures.write_text(drawn)
