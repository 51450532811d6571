"""The leakage audit: each row by hand, the gap and its interval, and a leak of ours that stops it."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t
from test_comparison import DURATIONS, decided

from helpers.evaluate import leakage

TRAINING = {
    "folds": [
        {"fold": 0, "networks": ["0-1", "0-2"]}, {"fold": 1, "networks": ["0-1", "1-2"]},
        {"fold": 2, "networks": ["0-2", "1-2"]},
    ],
    "networks": {"0-1": ["c"], "0-2": ["b"], "1-2": ["a", "d"]},
}  # fmt: skip


def ours(skill=1.0):
    """Decisions with the triptych's start: three frames before its end."""
    table = decided(skill)
    return table.assign(start_s=table["end_s"] - 12)


def random_splits(*splits):
    """Return test samples: a list of (label, p) a split."""
    rows = [
        (seed, "a", 3.0 * k, 3.0 * k + 12, label, p, int(k > 0))
        for seed, pairs in enumerate(splits)
        for k, (label, p) in enumerate(pairs)
    ]
    columns = ["seed", "recording", "start_s", "end_s", "label", "p_seizure", "shared_eeg"]
    return pd.DataFrame(rows, columns=columns)


FLAWLESS = [(1, 0.9), (1, 0.8), (0, 0.1), (0, 0.2), (0, 0.3), (0, 0.4)]
FLAWED = [(1, 0.9), (1, 0.4), (0, 0.6), (0, 0.1), (0, 0.2), (0, 0.3)]


def test_split_scores_by_hand():
    """Flawless: all 1, at a threshold of its own. Flawed: at 0.35 both seizure samples and one other, TP 2, FP 1, TN 3:
    accuracy 5/6, specificity 3/4, F1 4/5, better than 2/3 at 0.75; of 8 pairs 7 are in order."""
    found = leakage.split_scores(random_splits(FLAWLESS, FLAWED))
    assert found.iloc[0].to_dict() == dict.fromkeys([*leakage.RATES, "auroc"], 1)
    wanted = {"accuracy": 5 / 6, "sensitivity": 1, "specificity": 3 / 4, "f1": 4 / 5, "auroc": 7 / 8}
    assert found.iloc[1].to_dict() == pytest.approx(wanted)


def test_over_splits_by_hand():
    """0.8, 0.9, 1.0: standard error 0.1/√3, t of 2 degrees of freedom 4.303, half a width 0.2484; not above 1."""
    found = leakage.over_splits(pd.Series([0.8, 0.9, 1.0]))
    assert found["value"] == pytest.approx(0.9) and found["low"] == pytest.approx(0.6516, abs=1e-4)
    assert found["high"] == 1 and found["reason"] is None
    alone = leakage.over_splits(pd.Series([0.8]))
    assert (alone["value"], alone["low"], alone["high"]) == (0.8, None, None) and "one split" in alone["reason"]


def test_the_three_rows():
    """Two splits of 6 samples, 5 of which share EEG each: 10 of 12. Ours: all 192 frames; the 144 of recordings with a
    seizure weighted to 2 others for each seizure sample. None shares EEG."""
    table = ours()
    found = leakage.audited(table, random_splits(FLAWLESS, FLAWED), TRAINING, DURATIONS, draws=100)
    random_split, plain, weighted = found["rows"]
    assert [row["protocol"] for row in found["rows"]] == [leakage.RANDOM, leakage.BY_RECORDING, leakage.WEIGHTED]
    assert [(row["n_test"], row["shared_eeg"]) for row in found["rows"]] == [(12, 10), (192, 0), (144, 0)]
    assert random_split["share"] == 10 / 12 and plain["share"] == weighted["share"] == 0
    assert random_split["f1"]["value"] == pytest.approx(0.9) and random_split["f1"]["high"] == 1
    made, label = table["decided"] == 1, table["label"] == 1
    assert plain["accuracy"]["value"] == pytest.approx((made == label).mean())
    inside = table["recording"] != "d"
    sensitivity, false_rate = made[label].mean(), made[inside & ~label].mean()
    assert weighted["sensitivity"]["value"] == pytest.approx(sensitivity)
    assert weighted["specificity"]["value"] == pytest.approx(1 - false_rate)
    assert weighted["accuracy"]["value"] == pytest.approx((sensitivity + 2 * (1 - false_rate)) / 3)
    assert weighted["f1"]["value"] == pytest.approx(2 * sensitivity / (sensitivity + 1 + 2 * false_rate))
    assert all(row["auroc"]["low"] < row["auroc"]["value"] <= row["auroc"]["high"] for row in (plain, weighted))
    assert found["splits"] == 2 and json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_gap():
    """Random split minus ours weighted alike. With three flawless splits its interval is that of ours, turned over;
    with splits that differ it is wider; with one split there is none, and it is said why."""
    flawless = leakage.audited(ours(), random_splits(*[FLAWLESS] * 3), TRAINING, DURATIONS, draws=400)
    weighted = flawless["rows"][2]
    for name, gap in flawless["gap"].items():
        assert gap["value"] == pytest.approx(1 - weighted[name]["value"])
        assert gap["low"] == pytest.approx(1 - weighted[name]["high"])
        assert gap["high"] == pytest.approx(1 - weighted[name]["low"])
    assert set(flawless["gap"]) == {"auroc", "f1", "accuracy"} and flawless["gap"]["auroc"]["low"] > 0
    mixed = leakage.audited(ours(), random_splits(FLAWLESS, FLAWED, FLAWLESS), TRAINING, DURATIONS, draws=400)
    widths = [found["gap"]["f1"]["high"] - found["gap"]["f1"]["low"] for found in (flawless, mixed)]
    assert widths[1] > widths[0] + 0.1
    alone = leakage.audited(ours(), random_splits(FLAWLESS), TRAINING, DURATIONS, draws=50)["gap"]["f1"]
    assert alone["value"] == pytest.approx(1 - weighted["f1"]["value"])
    assert alone["low"] is None and "one split" in alone["reason"]


def test_the_mean_over_splits_is_drawn_by_student_s_t():
    """Against ours that never changes (p tells all), the gap's interval is the mean's own by Student's t."""
    table = ours()
    sure = table.assign(p_seizure=table["label"] * 0.8 + 0.1, decided=table["label"])
    found = leakage.audited(sure, random_splits(FLAWLESS, FLAWED, FLAWED), TRAINING, DURATIONS, draws=20000)
    f1 = np.array([1, 0.8, 0.8])
    half = t.ppf(0.975, 2) * f1.std(ddof=1) / np.sqrt(3)
    assert found["gap"]["f1"]["value"] == pytest.approx(f1.mean() - 1)
    assert found["gap"]["f1"]["high"] - found["gap"]["f1"]["value"] == pytest.approx(half, rel=0.1)


def test_a_leak_of_ours_stops_the_audit():
    """Network 0-2 was trained on a, which fold 0 holds out: named, with its 48 samples, all of which share EEG."""
    leaked = {**TRAINING, "networks": TRAINING["networks"] | {"0-2": ["a", "b"]}}
    assert leakage.check_out_of_fold(ours(), TRAINING, DURATIONS) == 0
    with pytest.raises(AssertionError, match="a both trained and tested the network; 48 of 96 test samples share EEG"):
        leakage.audited(ours(), random_splits(FLAWLESS), leaked, DURATIONS, draws=5)
