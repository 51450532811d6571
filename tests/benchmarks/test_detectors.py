"""The benchmark of detectors: differences by hand, a run that is cut off, and a tiny patient from end to end."""

import pandas as pd
import pytest

from benchmarks import baselines
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
    assert found["forest"]["auprc"]["mean"] == pytest.approx(0.2) and found["forest"]["auprc"]["n"] == 2
    assert found["forest"]["event_f1"]["n"] == found["eegnet"]["auprc"]["n"] == 0 and "ours" not in found


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
        assert set(row) == {*baselines.SCORES, "cpu_s"} and 0 <= row["auroc"] <= 1 and row["cpu_s"] > 0
