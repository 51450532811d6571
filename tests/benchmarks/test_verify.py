"""`benchmarks.verify`: scores against committed ones, number by number, within tolerances that were measured."""

import copy
import re
import subprocess

import pytest

from benchmarks import verify
from benchmarks.common import ROOT
from helpers.study import files

METRICS = files.read_json(ROOT / "tests" / "metrics.json")
TOLERANCES = {name: tolerance for name, _, tolerance in verify.RULES}


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
    return [row["key"] for row in verify.compare(committed, here) if not row["within"]]


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        ("samples.tp", "counts"), ("events.false_alarms", "false alarms"), ("events.detected", "seizures found"),
        ("intervals.events.precision.low", "alarm scores"), ("intervals.events.fp_per_24h.high", "false alarms a day"),
        ("intervals.samples.f1.value", "F1"), ("samples.weighted_f1", "rates"), ("samples.sensitivity", "sensitivity"),
        ("intervals.smoothed.auroc.value", "ranking"), ("intervals.calibration.brier.value", "calibration"),
        ("intervals.ranking.auroc.low", "interval ends"), ("intervals.seizures.median_latency_s.value", "latency"),
        ("folds.2.alarm.threshold", "threshold"), ("folds.3.alarm.event_f1", "losses"),
        ("folds.3.calibration.prior", "data and folds"),
    ],
)  # fmt: skip
def test_a_number_may_go_as_far_as_its_rule_says_and_no_farther(key, rule):
    value, tolerance = verify.flatten(METRICS)[key], TOLERANCES[rule]
    for sign in (1, -1):
        assert outside(changed(key, value + sign * tolerance)) == []
        assert outside(changed(key, value + sign * (tolerance + 0.001))) == [key]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("patient", "sim09"), ("samples.n", 407), ("folds.1.held_out.0", "sim08_03"), ("samples.f1", None),
        ("samples.tp", "40"), ("samples.tp", True), ("samples.tp", ...), ("folds.4", ...), ("intervals.seizures", ...),
    ],
)  # fmt: skip
def test_what_training_does_not_decide_is_the_same_on_any_machine(key, value):
    """So are types, and which entries there are."""
    found = outside(changed(key, value))
    assert found and all(one.startswith(key) for one in found)
    assert outside(METRICS | {"more": 1}) == ["more"] and outside(METRICS) == []


def test_the_tolerances_hold_what_was_measured():
    """Every machine stood for was within them."""
    measured = files.read_json(ROOT / "output" / "benchmark" / "verify.json")
    assert len(measured["machines"]) >= 3
    for run in measured["machines"].values():
        assert outside(run["metrics"], measured["reference"]) == []


def test_verify_compares_with_a_commit(tmp_path, monkeypatch, capsys):
    """A change within tolerance ends with 0, one beyond with 1 and its line; no run, commit or history: what to do."""
    place = tmp_path / "output" / "sim08" / "evaluate"
    monkeypatch.setattr(files, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    files.write_json(place / "metrics.json", METRICS)
    assert "Run `dvc repro evaluate@sim08`" in verify.main("sim08")
    (place / "decisions.csv").write_text("recording\n")
    assert "git clone" in verify.main("sim08")
    own = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    for words in (["init"], ["add", "-f", "."], [*own, "commit", "-m", "A run"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True, capture_output=True)
    assert "nonsense" in verify.main("sim08", "nonsense")
    files.write_json(place / "metrics.json", changed("samples.tp", METRICS["samples"]["tp"] + 1))
    assert verify.main("sim08") == 0 and "1 within tolerance, 0 outside" in capsys.readouterr().out
    files.write_json(place / "metrics.json", changed("samples.auprc", 0.5))
    assert verify.main("sim08") == 1
    assert re.search(r"samples\.auprc +0\.85\d* +0\.5 +0\.35\d* +0\.01 +False", capsys.readouterr().out)
