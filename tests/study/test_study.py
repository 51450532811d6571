"""The whole study on a tiny patient, by the commands that a user gives; and that it all comes out a second time."""

import hashlib
import json
import subprocess
import sys

import nbformat
import pandas as pd
import pytest
from conftest import ROOT, copy_study, environment
from nbclient import NotebookClient

# a user's own settings: none may change a result
SETTINGS = {
    ".config/matplotlib/matplotlibrc": "axes.titlelocation: left\nlines.linewidth: 9\nfigure.dpi: 40\n",
    ".ipython/profile_default/startup/00.py": "raise SystemError('a start-up file of the user was run')\n",
    ".mne/mne-python.json": '{"MNE_LOGGING_LEVEL": "DEBUG"}\n',
}
VARIABLES = {
    "STUDY_WORKERS": "1", "OMP_NUM_THREADS": "1", "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "12345",
    "MPLBACKEND": "Agg", "PYTHONWARNINGS": "default", "PYTHONOPTIMIZE": "1", "LC_ALL": "C.UTF-8",
}  # fmt: skip


def digests(folder):
    """Return the SHA-256 of every file below `folder`, by path."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def test_everything_is_there(study):
    """Every stage left its files; every recording was held out once and is inner elsewhere, each network serving two
    folds; the report lists its seven files a sample."""
    root = study[0]
    output = root / "output" / "sim08"
    predictions = pd.read_csv(output / "train" / "predictions.csv")
    assert set(predictions["recording"]) == {f"sim08_0{number}" for number in range(1, 5)}
    assert not predictions.duplicated(["recording", "column"]).any()
    assert predictions.groupby("fold")["recording"].nunique().tolist() == [1, 2, 1]
    trained = json.loads((output / "train" / "training.json").read_text())["folds"]
    assert [fold["networks"] for fold in trained] == [["0-1a", "0-2a"], ["0-1a", "1-2a"], ["0-2a", "1-2a"]]
    for fold in trained:
        assert sorted(fold["held_out"] + fold["inner"]) == [f"sim08_0{number}" for number in range(1, 5)]
    weights = sorted(path.name for path in (output / "train" / "weights").iterdir())
    assert weights == ["0-1a.safetensors", "0-2a.safetensors", "1-2a.safetensors"]
    metrics = json.loads((output / "evaluate" / "metrics.json").read_text())["samples"]
    assert metrics["tp"] + metrics["fn"] + metrics["fp"] + metrics["tn"] == len(predictions) == metrics["n"]
    digest = json.loads((output / "explain" / "digest.json").read_text())
    assert [sample["true"] for sample in digest["samples"]] == [1, 0]
    report = (output / "report" / "report.md").read_text()
    assert report.startswith("# EEG Spectrogram Model – XAI & Multimodal Report (sim08)\n")
    for sample in digest["samples"]:
        assert f"files=[{', '.join(sample['files'])}]" in report
        assert all((output / "report" / name).stat().st_size > 2000 for name in sample["files"])
    assert f"| Accuracy | {metrics['accuracy']:.2%} |" in report
    assert "simulated" in (output / "report" / "index.html").read_text().lower()
    assert '<a href="../sim08/report/index.html">sim08</a>' in (root / "output" / "overview" / "index.html").read_text()


def would_run(root, environment):
    """Return the stages that `dvc repro` would run."""
    done = subprocess.run(["dvc", "repro", "--dry"], cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [line.split("'")[1].split("@")[0] for line in done.stdout.splitlines() if line.startswith("Running stage")]


def test_only_what_changed_runs_again(study):
    """Nothing, where nothing changed and where bytecode came to lie beside the helpers; a changed
    title runs the report; a changed helper of evaluate runs that stage and those after it; a changed figure never
    trains."""
    root, environment = study
    assert would_run(root, environment) == []
    helpers = root / "src" / "helpers"
    (helpers / "evaluate" / "__pycache__").mkdir(exist_ok=True)
    (helpers / "evaluate" / "__pycache__" / "scores.pyc").write_bytes(b"x")
    (root / "output" / "sim08" / "acquire" / ".x.1.partial.npy").write_bytes(b"x")
    assert would_run(root, environment) == []
    changes = {
        root / "params" / "report.yaml": ["report", "overview"],
        helpers / "evaluate" / "scores.py": ["evaluate", "explain", "narrate", "report", "overview"],
        helpers / "figures.py": ["acquire", "preprocess", "evaluate", "explain", "narrate", "report", "overview"],
    }
    for path, wanted in changes.items():
        before = path.read_text()
        try:
            path.write_text(before.replace("Finding", "Looking for") + "\n# changed\n")
            assert set(would_run(root, environment)) - {"overview"} <= set(wanted)
            assert wanted[0] in would_run(root, environment)
        finally:  # tests come in any order
            path.write_text(before)


@pytest.mark.slow
def test_forced_again_with_all_else_another(made_study, tmp_path):
    """`dvc repro --force` by one worker, in a moved folder, called from elsewhere, in another zone and locale, with
    other hashes, file rights and a user's own settings: `dvc.lock` and every file keep their bytes."""
    root, home = copy_study(made_study, tmp_path / "eine prüfung"), tmp_path / "home"
    for name, text in SETTINGS.items():
        (home / name).parent.mkdir(parents=True)
        (home / name).write_text(text)
    variables = {name: value for name, value in environment(root).items() if not name.startswith("XDG_")}
    command = ["dvc", "--cd", root, "repro", "--force"]
    own = variables | VARIABLES | {"HOME": str(home)}
    done = subprocess.run(command, cwd="/", env=own, umask=0o077, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (root / "dvc.lock").read_bytes() == (made_study / "dvc.lock").read_bytes()
    before, after = digests(made_study / "output"), digests(root / "output")
    assert len(after) > 100 and {name for name in before if before[name] != after.get(name)} == set()


def test_a_notebook_runs_with_its_defaults_from_anywhere_to_the_same_bytes(study, tmp_path):
    """Opened as a student would, in another folder, top to bottom: every output file comes out byte for byte."""
    root, environment = study
    before = digests(root / "output" / "sim08")
    for name in ["04_evaluate"]:
        book = nbformat.read(root / "notebooks" / f"{name}.ipynb", as_version=4)
        NotebookClient(book, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute(env=environment)
    after = digests(root / "output" / "sim08")
    assert {name for name in before if before[name] != after.get(name)} == set()
    assert list(tmp_path.iterdir()) == []


def test_no_executed_notebook_holds_a_path_or_a_page_from_elsewhere(study):
    """No machine path, and no HTML output: that would pull scripts from a network when rendered."""
    books = sorted((study[0] / "output" / "sim08" / "notebooks").glob("*.ipynb"))
    assert len(books) == 7
    for path in books:
        text = path.read_text()
        assert not [place for place in (study[0], ROOT, sys.prefix) if str(place) in text], path.name
        for cell in nbformat.reads(text, as_version=4).cells:
            for output in cell.get("outputs", []):
                assert output.output_type != "error" and "text/html" not in output.get("data", {}), path.name


def test_a_damaged_result_is_found_and_comes_back(study):
    """`dvc status` names it, and `dvc checkout --force` brings it back from the cache."""
    root, environment = study
    path = root / "output" / "sim08" / "train" / "predictions.csv"
    before = path.read_bytes()
    path.unlink()
    path.write_bytes(before[:-9])
    status = subprocess.run(["dvc", "status", "train"], cwd=root, env=environment, capture_output=True, text=True)
    assert "modified" in status.stdout and "output/sim08/train" in status.stdout
    subprocess.run(["dvc", "checkout", "--force"], cwd=root, env=environment, check=True, capture_output=True)
    assert path.read_bytes() == before


@pytest.mark.slow
def test_two_studies_at_once(tmp_path):
    """The second waits, saying so, until the first has made report and overview; an unknown patient is an error."""
    report = {"matrix": {"patient": ["a"]}, "cmd": "touch begun; sleep 4; echo report >> ran"}
    stages = {"report": report, "overview": {"cmd": "echo overview >> ran"}}
    (tmp_path / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    command, own = [sys.executable, "-m", "helpers.study.locks", ".lock"], {"env": environment(ROOT), "cwd": tmp_path}
    subprocess.run(["dvc", "init", "--no-scm", "--quiet"], check=True, **own)
    first = subprocess.Popen([*command, "a"], **own)
    while not (tmp_path / "begun").exists():
        assert first.poll() is None
    second = subprocess.run([*command, "a"], capture_output=True, text=True, **own)
    assert second.returncode == 0 == first.wait()
    assert (tmp_path / "ran").read_text() == 2 * "report\noverview\n"
    assert "make study: another run is still at work; waiting" in second.stderr
    assert subprocess.run([*command, "b"], **own).returncode != 0
