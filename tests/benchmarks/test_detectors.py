"""The benchmark of detectors: differences by hand, a run that is cut off, and a tiny patient from end to end."""

import pandas as pd
import pytest

from benchmarks import baselines
from helpers.acquire.annotations import COLUMNS, Annotations
from helpers.study import files

SHORT = {"epochs": 2, "batches_per_epoch": 3, "batch_size": 4}
PLAN = {f"sim08_{number:02d}": {"duration_s": 44, "seizures": [[16, 34]]} for number in (1, 2, 3)}


def test_ours_is_held_against_each_method_over_patients():
    """0.9 − 0.6 and 0.8 − 0.7 of two patients: 0.2; a patient without ours, and an undefined score, have no part."""
    row = dict.fromkeys(baselines.SCORES)
    results = {
        "sim51": {"ours": row | {"auprc": 0.9}, "forest": row | {"auprc": 0.6}},
        "sim52": {"ours": row | {"auprc": 0.8}, "forest": row | {"auprc": 0.7}},
        "sim53": {"forest": row | {"auprc": 0.1}},
    }  # fmt: skip
    found = baselines.ahead(results)
    assert found["forest"]["auprc"]["value"] == pytest.approx(0.2) and found["forest"]["auprc"]["n"] == 2
    assert found["forest"]["event_f1"]["n"] == found["eegnet"]["auprc"]["n"] == 0 and "ours" not in found


def test_ours_is_held_against_each_method_over_seeds():
    """0.9 − 0.6 and 0.8 − 0.7 of two seeds: 0.2; a method with the first seed alone is compared with ours of it."""
    rows = {
        name: {"seeds": dict.fromkeys(baselines.SCORES, values)}
        for name, values in {"ours": [0.9, 0.8], "forest": [0.6, 0.7], "eegnet": [0.5]}.items()
    }
    found = baselines.ahead_over_seeds(rows)
    assert {name: (row["auroc"]["n"], row["auroc"]["value"]) for name, row in found.items()} == {
        "forest": (2, pytest.approx(0.2)),
        "eegnet": (1, pytest.approx(0.4)),
    }
    assert baselines.ahead_over_seeds({"forest": rows["forest"]}) == {}


@pytest.mark.parametrize("alarms_per_hour, expected", [(0.5, 2 / 3), (1.0, 4 / 5)])
def test_event_f1_at_an_equal_rate_of_false_alarms(alarms_per_hour, expected):
    """Two recordings of half an hour in frames of a minute. The first's seizures, frames 10 and 20, are given log-odds
    of 9 and 5, frame 10 of the second 6, all others 0. A threshold above 6/5 finds one seizure of two, F1 2/3; a lower
    one both, with a false alarm in an hour, F1 4/5."""
    log_odds = {("a", 10): 9.0, ("a", 20): 5.0, ("b", 10): 6.0}
    rows = [
        {"recording": name, "last_start_s": 60.0 * frame, "end_s": 60.0 * frame + 60,
         "label": int(name == "a" and frame in (10, 20)), "log_odds": log_odds.get((name, frame), 0.0)}
        for name in "ab" for frame in range(30)
    ]  # fmt: skip
    seizures = pd.DataFrame([("a", 600.0, 660.0), ("a", 1200.0, 1260.0)], columns=COLUMNS)
    annotations = Annotations(seizures, {"a": 1800.0, "b": 1800.0})
    assert baselines.best_event_f1(pd.DataFrame(rows), annotations, alarms_per_hour) == pytest.approx(expected)


def test_a_run_that_is_cut_off_goes_on(monkeypatch, tmp_path):
    """The second method is cut off: the first is kept, and is not made again; what lacks a package is left out."""
    runs, ends = [], {"forest": KeyboardInterrupt, "eegnet": ImportError("braindecode")}

    def run(world, method):
        runs.append((world, method))
        if method in ends:
            raise ends.pop(method)
        return dict.fromkeys([*baselines.SCORES, "cpu_s"], 0.5)

    monkeypatch.setattr(baselines, "TABLES", tmp_path / "baselines")
    monkeypatch.setattr(baselines, "prepare", lambda patient, folder: patient)
    monkeypatch.setattr(baselines, "run", run)
    words = ["sim51", "logistic", "forest", "eegnet"]
    with pytest.raises(KeyboardInterrupt):
        baselines.main(words)
    assert list(pd.read_csv(tmp_path / "baselines" / "sim51.csv")["method"]) == ["logistic"]
    baselines.main(words)
    assert runs == [("sim51", name) for name in ("logistic", "forest", "forest", "eegnet")]
    found = files.read_json(tmp_path / "baselines.json")
    assert list(found["patients"]["sim51"]) == ["logistic", "forest"] and "left out" not in found["about"]
    with pytest.raises(SystemExit, match="no patient or method forrest"):
        baselines.main(["forrest"])


@pytest.mark.slow
def test_a_tiny_patient(monkeypatch, tmp_path):
    """Three recordings of 44 s, each with a seizure: every kind of detector is trained, scored and timed."""
    monkeypatch.setattr(baselines.patients, "load", lambda patient: {"recordings": PLAN})
    monkeypatch.setattr(baselines, "CHANGES", dict.fromkeys(baselines.METHODS, SHORT))
    world = baselines.prepare("sim51", tmp_path)
    assert list(world["paths"]) == ["sim51_01", "sim51_02", "sim51_03"]
    for method in ("ours", "riemann", "efficientnet"):
        row = baselines.run(world, method)
        assert set(row) == {*baselines.SCORES, "cpu_s", "seeds"} and 0 <= row["auroc"] <= 1 and row["cpu_s"] > 0
        assert len(row["seeds"]["auroc"]) == (1 if method == "efficientnet" else 5)
