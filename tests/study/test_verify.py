"""The same study: scores against the committed ones, within tolerance; executed notebooks and pictures that say nothing
of the machine, whoever runs them and however that one has set up Python, IPython and Matplotlib."""

import copy
import os
import re
import shutil
import subprocess
import sys
import tempfile

import nbformat
import pytest
from benchmark_bytes import JOINED, OWN_SETTINGS, VARIATIONS, Unavailable, joined, located, studied, varied
from conftest import ROOT, copy_study, environment
from test_stage import project, small_notebook  # noqa: F401  (a fixture)

from helpers import figures
from helpers.study import files, stage, verification

METRICS = files.read_json(ROOT / "output" / "sim08" / "evaluate" / "metrics.json")
TOLERANCES = {rule.name: rule.tolerance for rule in verification.RULES}


def changed(key, value):
    """Return sim08's metrics with one entry, named by its dotted key, replaced, or taken out by ``...``."""
    found = copy.deepcopy(METRICS)
    *way, last = (int(part) if part.isdecimal() else part for part in key.split("."))
    place = found
    for part in way:
        place = place[part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return found


def outside(here, committed=METRICS):
    """Return the keys of what is not tolerated."""
    return [row["key"] for row in verification.compare(committed, here) if not row["within"]]


def test_a_run_agrees_with_itself():
    """Every leaf of the file is compared once, and nothing differs."""
    rows = verification.compare(METRICS, copy.deepcopy(METRICS))
    assert len(rows) == len({row["key"] for row in rows}) > 200
    assert all(row["within"] and row["difference"] in (None, 0) for row in rows)


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        ("samples.tp", "counts"), ("reference_prevalence.fp", "counts"), ("events.false_alarms", "false alarms"),
        ("events.detected", "seizures found"), ("intervals.seizures.found.low", "seizures found"),
        ("events.f1", "alarm scores"), ("intervals.events.precision.low", "alarm scores"),
        ("intervals.events.fp_per_24h.high", "false alarms a day"), ("samples.f1", "F1"),
        ("intervals.samples.f1.value", "F1"), ("samples.weighted_f1", "rates"), ("samples.sensitivity", "sensitivity"),
        ("samples.auprc", "ranking"), ("intervals.smoothed.auroc.value", "ranking"),
        ("intervals.calibration.brier.value", "calibration"), ("intervals.ranking.auroc.low", "ends of intervals"),
        ("intervals.seizures.median_latency_s.value", "latency"), ("samples.threshold", "threshold"),
        ("folds.2.alarm.threshold", "threshold"), ("folds.3.alarm.event_f1", "losses"),
        ("folds.3.calibration.prior", "what was studied"),
    ],
)  # fmt: skip
def test_a_number_may_go_as_far_as_its_rule_says_and_no_farther(key, rule):
    """Up or down; what differs is told with both numbers, the difference and the tolerance."""
    value, tolerance = verification.flat(METRICS)[key], TOLERANCES[rule]
    for sign in (1, -1):
        assert outside(changed(key, value + sign * tolerance)) == []
        assert outside(changed(key, value + sign * (tolerance + 0.001))) == [key]
    row = next(row for row in verification.compare(METRICS, changed(key, value + 9)) if row["key"] == key)
    assert (
        row["rule"] == rule
        and row["difference"] == pytest.approx(9)
        and (row["here"], row["committed"]) == (value + 9, value)
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("patient", "sim09"), ("source", "directory"), ("samples.n", 407), ("samples.seizure", 54), ("folds.0.fold", 1),
        ("events.seizures", 4), ("folds.1.held_out.0", "sim08_03"), ("folds.2.networks.1", "1-3"),
        ("folds.4.permuted", "0-1"), ("folds.0.calibration.prior", 0.2), ("samples.f1", None), ("samples.tp", "40"),
        ("samples.tp", True), ("samples.tp", ...), ("folds.4", ...), ("intervals.seizures", ...),
    ],
)  # fmt: skip
def test_what_training_does_not_decide_is_the_same_on_any_machine(key, value):
    """So are types, and which entries there are."""
    found = outside(changed(key, value))
    assert found and all(one.startswith(key) for one in found)


def test_an_entry_that_is_new_is_told():
    """Metrics of another make of the project are not those committed."""
    assert outside(METRICS | {"more": 1}) == ["more"]


def test_a_word_goes_with_its_number():
    """Why a fold is not calibrated may change with the loss that it speaks of."""
    assert outside(changed("folds.0.calibration.reason", None)) == []


def test_the_tolerances_hold_what_was_measured():
    """Every machine stood for was within them, and they are not so wide that anything is."""
    measured = files.read_json(ROOT / "output" / "benchmark" / "verify.json")
    assert len(measured["machines"]) >= 3
    for run in measured["machines"].values():
        assert outside(run["metrics"], measured["reference"]) == []
    for name, spread in measured["spreads"].items():
        assert TOLERANCES[name] is None or spread["largest"] <= TOLERANCES[name]
    worst = changed("samples.auprc", 0.5)
    assert outside(worst) == ["samples.auprc"]


@pytest.fixture
def history(tmp_path, monkeypatch):
    """A project with sim08's metrics committed."""
    place = tmp_path / "output" / "sim08" / "evaluate"
    place.mkdir(parents=True)
    monkeypatch.setattr(files, "ROOT", tmp_path)
    files.write_json(place / "metrics.json", METRICS)
    (tmp_path / ".gitignore").write_text("*.csv\n")
    (place / "decisions.csv").write_text("recording\n")
    quiet = {"capture_output": True, "check": True, "cwd": tmp_path}
    own = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    for words in (["init"], ["add", "-f", "."], [*own, "commit", "-m", "A run"]):
        subprocess.run(["git", *words], **quiet)
    return place / "metrics.json"


def ended(*words):
    """Return what `verification.main` ends with."""
    with pytest.raises(SystemExit) as error:
        verification.main(*words)
    return error.value.code


def test_make_verify_ends_well_when_all_is_tolerated(history, capsys):
    """And says how much was compared, how much is equal, and that DVC, which is not here, knows of no bytes."""
    assert ended("sim08", "HEAD") == 0
    said = capsys.readouterr().out
    assert re.search(r"(\d+) entries: \1 equal, 0 within tolerance, 0 outside", said) and "DVC cannot say" in said
    files.write_json(history, changed("samples.tp", METRICS["samples"]["tp"] + 1))
    assert ended("sim08", "HEAD") == 0
    assert re.search(r"\n +samples\.tp +40 +41 +1 +\d+\n", capsys.readouterr().out)


def test_make_verify_fails_and_says_what_differs(history, capsys):
    """A line a number: key, committed, here, difference, tolerance; those outside are marked."""
    files.write_json(history, changed("samples.auprc", 0.5))
    assert ended("sim08", "HEAD") == 1
    said = capsys.readouterr().out
    assert re.search(r"\n✗ +samples\.auprc +0\.8523 +0\.5 +0\.3523 +0\.\d+\n", said) and "1 outside" in said


def test_make_verify_says_what_is_missing(history, monkeypatch):
    """No such commit, no run, nothing committed, no history, no git: a message each, that says what to do."""
    assert "Run `dvc repro evaluate@chb08`" in ended("chb08", "HEAD")
    assert "name a commit that it has" in ended("sim08", "nonsense")
    (history.parent / "decisions.csv").rename(history.parent / "kept")
    assert "Run `dvc repro evaluate@sim08`" in ended("sim08", "HEAD")  # a fresh clone: the scores are git's
    (history.parent / "kept").rename(history.parent / "decisions.csv")
    other = history.parents[2] / "chb08" / "evaluate"
    shutil.copytree(history.parent, other)
    assert "output/chb08/evaluate/metrics.json" in ended("chb08", "HEAD")
    shutil.rmtree(files.ROOT / ".git")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(files.ROOT.parent))
    assert "git clone" in ended("sim08", "HEAD")
    monkeypatch.setenv("PATH", "")
    assert "Install git" in ended("sim08", "HEAD")


def test_executed_notebooks_name_no_place_or_moment(monkeypatch):
    """A warning keeps its words and loses its place; an address, a kernel's file, a user's folder and fonts go."""
    monkeypatch.setenv("HOME", "/home/ada")
    prefix, temporary = sys.prefix, tempfile.gettempdir()
    cases = {
        f"{temporary}/ipykernel_4711/815.py:3: UserWarning: careful": "temporary:3: UserWarning: careful",
        f"{files.ROOT}/src/helpers/acquire/edf.py:9: odd": "./src/helpers/acquire/edf.py:9: odd",
        f"{prefix}/bin/python": "environment/bin/python" if not prefix.startswith(str(files.ROOT)) else None,
        f"{os.path.dirname(nbformat.__path__[0])}/torch/nn.py:1: odd": "packages/torch/nn.py:1: odd",
        "<object at 0x7f3a5c0b1d90>": "<object at 0x…>",
        "/home/ada/data/a.edf /home/adam": "~/data/a.edf /home/adam",
        f"{temporary}/tmpa1b2c3d4/x": "temporary/x",
        "0xff is a byte, 0x7f3a5c0b1d90 a place": "0xff is a byte, 0x… a place",
    }
    for text, wanted in cases.items():
        assert wanted is None or stage.placeless(text) == wanted
    said = "Matplotlib is building the font cache; this may take a moment.\ncareful\n"
    shown = {"text/plain": "<Axes at 0x7f3a5c0b1d90>", "image/png": "0x7f3a5c0b1d90"}
    outputs = [
        nbformat.v4.new_output("stream", name="stderr", text=said),
        nbformat.v4.new_output("display_data", data=dict(shown)),
    ]
    cell = nbformat.v4.new_code_cell("", outputs=outputs)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    found = stage.canonical(nbformat.v4.new_notebook(cells=[cell], metadata=kernel)).cells[0].outputs
    assert found[0].text == "careful\n"
    assert found[1].data == shown | {"text/plain": "<Axes at 0x…>"}


@pytest.mark.slow
def test_what_a_user_has_set_up_changes_no_result(project, tmp_path_factory, monkeypatch):  # noqa: F811
    """Another look of figures, code at IPython's start, all warnings, no assertions, another backend, another zone and
    number format: the same executed notebook, with its picture, by the same bytes."""
    source = (
        "import warnings\nimport mne\nimport pandas as pd\nfrom helpers import figures\n"
        "mne.utils.logger.debug('chatty')\nfigure, axis = figures.begin(3, 2)\n"
        "axis.set_title('a')\naxis.plot([1000.5, 2000.5])\nprint(pd.Series([1.23456789]))\n"
        "warnings.warn('a helper is old', DeprecationWarning, stacklevel=99)\nprint(__debug__, len({'a', 'b'}))\n"
        "print(*{'one', 'two', 'three'})\nfigure"
    )
    small_notebook(project, "train", source)
    target, home = project / "output" / "sim08" / "notebooks" / "03_train.ipynb", tmp_path_factory.mktemp("home")
    stage.run("train", "sim08")
    plain = target.read_text()
    for name, text in OWN_SETTINGS.items():
        files.write_text(home / name, text)
    own = VARIATIONS["settings"]["variables"] | VARIATIONS["hashes"]["variables"] | VARIATIONS["zone"]["variables"]
    for name, value in (own | {"HOME": str(home)}).items():
        monkeypatch.setenv(name, value)
    for name in ("XDG_CONFIG_HOME", "IPYTHONDIR", "MPLCONFIGDIR"):
        monkeypatch.delenv(name, raising=False)
    stage.run("train", "sim08")
    assert target.read_text() == plain
    data = [output.data for output in nbformat.reads(plain, as_version=4).cells[-1].outputs if "data" in output]
    assert "image/png" in data[0] and "True 2" in plain


def test_figures_look_the_same_after_any_setting():
    """`figures.begin` starts from Matplotlib's own defaults, whatever was set before."""
    import matplotlib

    looks = []
    for place in ("left", "right"):
        matplotlib.rcParams["axes.titlelocation"] = place
        figures.begin(3, 2)
        looks.append(dict(matplotlib.rcParams))
    assert looks[0] == looks[1]


def test_forced_again_with_all_else_another(made_study, tmp_path):
    """`dvc repro --force` by one thread, in a moved folder, called from elsewhere, in another zone and locale, by other
    hashes, file rights and a user's own settings: `dvc.lock` and every file keep their bytes."""
    root = copy_study(made_study, tmp_path / "eine prüfung")
    names = ["forced again", "one thread", "zone", "hashes", "umask", "settings", "locale"]
    try:
        located("tr_TR.UTF-8", tmp_path / "tried")
    except Unavailable:  # a machine without the sources of locales
        names.remove("locale")
    variation = joined(names)
    variables, before = varied(root, environment(root), variation)
    after = studied(root, variables, before, variation)[1]
    assert "dvc.lock" in after and len(after) > 100
    assert [name for name, digest in after.items() if files.sha256(made_study / name) != digest] == []


def test_variations_join():
    """All variables, commands and marks of several variations in one; a typo in a name would be an error."""
    found = joined(["one thread", "one core", "zone", "umask"])
    assert found["variables"]["TZ"] == "Pacific/Kiritimati" and found["variables"]["STUDY_WORKERS"] == "1"
    assert found["before"] == ["taskset", "-c", "0"] and found["umask"] == 0o077
    assert {name for names in JOINED.values() for name in names} == set(VARIATIONS)


def test_the_committed_comparison_found_no_difference():
    """`make verify-bytes`, as last run: nothing failed, nothing differed, and little was skipped."""
    path = ROOT / "output" / "benchmark" / "bytes.json"
    if not path.exists():
        pytest.skip("needs output/benchmark/bytes.json, which `make verify-bytes` writes")
    for study in files.read_json(path).values():
        rows = study["variations"].values()
        assert len(rows) >= 3 and sum("skipped" in row for row in rows) <= 1
        assert [row for row in rows if row.get("differ") or row.get("failed")] == []
