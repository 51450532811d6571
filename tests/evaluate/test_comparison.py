"""Comparison with other detectors, draw by draw, and the leakage audit: rows by hand, gaps, and leaks that stop it."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t
from sklearn.metrics import average_precision_score, roc_auc_score

from helpers.acquire.annotations import COLUMNS, Annotations
from helpers.evaluate import comparison, intervals

DURATIONS = dict.fromkeys("abcd", 200.0)
ANNOTATIONS = Annotations(pd.DataFrame([(name, 80.0, 120.0) for name in "abc"], columns=COLUMNS), DURATIONS)


def decided(skill, seed=0):
    """Return decisions on frames of 4 s: p rises by `skill` in the seizures of a, b and c; d has none. Alarms are where
    the smoothed p is above a half, and single samples are decided so, too."""
    generator, rows = np.random.default_rng(seed), []
    for fold, name in enumerate(DURATIONS):
        for start in np.arange(8, 200, 4.0):
            label = int(80 <= start < 120 and name != "d")
            rows.append((name, start, start + 4, label, fold % 3, generator.normal(skill * (2 * label - 1), 1)))
    table = pd.DataFrame(rows, columns=["recording", "last_start_s", "end_s", "label", "fold", "score"])
    smooth = table.groupby("recording")["score"].transform(lambda x: x.rolling(3, 1, center=True).mean())
    p_seizure, p_smooth = (1 / (1 + np.exp(-x)) for x in (table["score"], smooth))
    return table.drop(columns="score").assign(
        p_seizure=p_seizure, p_smooth=p_smooth, decided=(p_seizure > 0.5).astype(int), threshold=0.5,
        alarm=(p_smooth > 0.5).astype(int), alarm_threshold=0.5,
    )  # fmt: skip


def test_scores_by_hand():
    """One recording, six frames, two of seizure: p .9 .8 | .7 .4 .3 .1. One frame decided wrongly of five; the alarm
    finds the seizure at 12–20 s. Sorted by p, smoothing exchanges .8 and .7: precision at the hits 1, 2/3."""
    p, smooth = [0.9, 0.8, 0.7, 0.4, 0.3, 0.1], [0.9, 0.7, 0.8, 0.4, 0.3, 0.1]
    start = np.arange(12, 36, 4.0)
    table = pd.DataFrame({
        "recording": "a", "last_start_s": start, "end_s": start + 4, "label": [1, 1, 0, 0, 0, 0], "p_seizure": p,
        "p_smooth": smooth, "decided": [1, 1, 1, 0, 0, 0], "threshold": 0.5, "alarm": [1, 1, 0, 0, 0, 0],
        "alarm_threshold": 0.5,
    })  # fmt: skip
    annotations = Annotations(pd.DataFrame([("a", 12.0, 20.0)], columns=COLUMNS), {"a": 40.0})
    found = comparison.score_detector(table, annotations, draws=5)
    assert {name: value for name, (value, _) in found.items()} == {
        "auprc": 1, "auprc_smoothed": pytest.approx((1 + 2 / 3) / 2), "auroc": 1, "sample_f1": 0.8, "event_f1": 1,
    }  # fmt: skip
    assert all(draws.tolist() == [value] * 5 for value, draws in found.values())  # the one recording in each draw


def test_each_draw_is_of_whole_recordings():
    """Some recordings are drawn twice and some left out: each draw scores what scikit-learn says of their frames, so
    repeated."""
    table = decided(0.8)
    estimates = pd.DataFrame(
        {key: pair[1] for key, pair in comparison.score_detector(table, ANNOTATIONS, 7, 6).items()}
    )
    drawn = intervals.resample(4, 7, 6)
    assert (drawn == 0).any() and (drawn > 1).any()
    for times, found in zip(drawn, estimates.to_dict("records"), strict=True):
        parts = [part for (_, part), n in zip(table.groupby("recording"), times, strict=True) for _ in range(n)]
        together = pd.concat(parts)
        label, made = together["label"], together["decided"]
        assert found["auprc"] == pytest.approx(average_precision_score(label, together["p_seizure"]))
        assert found["auprc_smoothed"] == pytest.approx(average_precision_score(label, together["p_smooth"]))
        assert found["auroc"] == pytest.approx(roc_auc_score(label, together["p_seizure"]))
        assert found["sample_f1"] == pytest.approx(2 * (label & made).sum() / (label.sum() + made.sum()))


def test_a_better_and_an_equal_detector():
    """Ours against one with a fraction of its skill, and against itself in other words: ahead with an interval above 0;
    ahead by 0, and the interval has no width, as each draw cancels. Against another of equal skill it has one."""
    others = {"forest": decided(0.1, seed=1), "same": decided(1.2), "alike": decided(1.2, seed=2)}
    found = comparison.compare(decided(1.2), others, ANNOTATIONS, draws=300)
    ours, forest, same, alike = found["rows"]
    assert [row["method"] for row in found["rows"]] == ["ours", "forest", "same", "alike"]
    assert ours["name"] == "this network" and forest["name"] == "random forest" and same["name"] == "same"
    for name in comparison.AHEAD:
        assert ours[f"ahead_{name}"] is None
        assert forest[f"ahead_{name}"]["value"] == pytest.approx(ours[name]["value"] - forest[name]["value"])
        assert [same[f"ahead_{name}"][key] for key in ("value", "low", "high")] == [0, 0, 0]
    assert forest["ahead_auprc"]["low"] > 0.1
    assert alike["ahead_auprc"]["low"] < alike["ahead_auprc"]["value"] < alike["ahead_auprc"]["high"] < 0.2
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_alarms_alone_make_events():
    """The same probabilities without an alarm: no seizure found, so ours is ahead by its event F1, and in no other."""
    none = decided(1.2).assign(alarm=0)
    ours, other = comparison.compare(decided(1.2), {"none": none}, ANNOTATIONS, draws=50)["rows"]
    assert ours["event_f1"]["value"] > 0.8 and other["event_f1"]["value"] == 0
    assert other["ahead_event_f1"]["value"] == ours["event_f1"]["value"] and other["ahead_auprc"]["value"] == 0


@pytest.mark.parametrize("changed", ["shorter", "label", "fold", "frame"])
def test_other_samples_are_refused(changed):
    """A frame less, another label, other folds, or another time: said with the method's name."""
    table = decided(1.0)
    other = {
        "shorter": table.iloc[:-1], "label": table.assign(label=1 - table["label"]),
        "fold": table.assign(fold=1 - table["fold"]), "frame": table.assign(end_s=table["end_s"] + 1),
    }[changed]  # fmt: skip
    with pytest.raises(ValueError, match="forest was not tested on the same 192 samples in the same folds"):
        comparison.compare(table, {"forest": other}, ANNOTATIONS, draws=5)


def test_missing_recordings_are_refused():
    """Draws are of recordings: a recording with a duration and no decision would shift them."""
    longer = Annotations(ANNOTATIONS.seizures, {**DURATIONS, "e": 200.0})
    with pytest.raises(ValueError, match="4 recordings were tested, 5 have a duration"):
        comparison.compare(decided(1.0), {}, longer, draws=5)


TRAINING = {
    "folds": [
        {"fold": 0, "networks": ["0-1", "0-2"]}, {"fold": 1, "networks": ["0-1", "1-2"]},
        {"fold": 2, "networks": ["0-2", "1-2"]},
    ],
    "networks": {"0-1": ["c"], "0-2": ["b"], "1-2": ["a", "d"]},
}  # fmt: skip


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
    found = comparison.score_splits(random_splits(FLAWLESS, FLAWED))
    assert found.iloc[0].to_dict() == dict.fromkeys([*comparison.RATES, "auroc"], 1)
    wanted = {"accuracy": 5 / 6, "sensitivity": 1, "specificity": 3 / 4, "f1": 4 / 5, "auroc": 7 / 8}
    assert found.iloc[1].to_dict() == pytest.approx(wanted)


def test_over_splits_by_hand():
    """0.8, 0.9, 1.0: standard error 0.1/√3, t of 2 degrees of freedom 4.303, half a width 0.2484; not above 1."""
    found = comparison.split_interval(pd.Series([0.8, 0.9, 1.0]))
    assert found["value"] == pytest.approx(0.9) and found["low"] == pytest.approx(0.6516, abs=1e-4)
    assert found["high"] == 1 and found["reason"] is None
    alone = comparison.split_interval(pd.Series([0.8]))
    assert (alone["value"], alone["low"], alone["high"]) == (0.8, None, None) and "one split" in alone["reason"]


def test_the_three_rows():
    """Two splits of 6 samples, 5 of which share EEG each: 10 of 12. Ours: all 192 frames; the 144 of recordings with a
    seizure weighted to 2 others for each seizure sample. None shares EEG."""
    table = decided(1.0)
    found = comparison.audit_leakage(table, random_splits(FLAWLESS, FLAWED), TRAINING, draws=100)
    random_split, plain, weighted = found["rows"]
    assert [row["protocol"] for row in found["rows"]] == [
        comparison.RANDOM,
        comparison.BY_RECORDING,
        comparison.WEIGHTED,
    ]
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
    flawless = comparison.audit_leakage(decided(1.0), random_splits(*[FLAWLESS] * 3), TRAINING, draws=400)
    weighted = flawless["rows"][2]
    for name, gap in flawless["gap"].items():
        assert gap["value"] == pytest.approx(1 - weighted[name]["value"])
        assert gap["low"] == pytest.approx(1 - weighted[name]["high"])
        assert gap["high"] == pytest.approx(1 - weighted[name]["low"])
    assert set(flawless["gap"]) == {"auroc", "f1", "accuracy"} and flawless["gap"]["auroc"]["low"] > 0
    mixed = comparison.audit_leakage(decided(1.0), random_splits(FLAWLESS, FLAWED, FLAWLESS), TRAINING, draws=400)
    widths = [found["gap"]["f1"]["high"] - found["gap"]["f1"]["low"] for found in (flawless, mixed)]
    assert widths[1] > widths[0] + 0.1
    alone = comparison.audit_leakage(decided(1.0), random_splits(FLAWLESS), TRAINING, draws=50)["gap"]["f1"]
    assert alone["value"] == pytest.approx(1 - weighted["f1"]["value"])
    assert alone["low"] is None and "one split" in alone["reason"]


def test_the_mean_over_splits_is_drawn_by_student_s_t():
    """Against ours that never changes (p tells all), the gap's interval is the mean's own by Student's t."""
    table = decided(1.0)
    sure = table.assign(p_seizure=table["label"] * 0.8 + 0.1, decided=table["label"])
    found = comparison.audit_leakage(sure, random_splits(FLAWLESS, FLAWED, FLAWED), TRAINING, draws=20000)
    f1 = np.array([1, 0.8, 0.8])
    half = t.ppf(0.975, 2) * f1.std(ddof=1) / np.sqrt(3)
    assert found["gap"]["f1"]["value"] == pytest.approx(f1.mean() - 1)
    assert found["gap"]["f1"]["high"] - found["gap"]["f1"]["value"] == pytest.approx(half, rel=0.1)


def test_a_leak_of_ours_stops_the_audit():
    """Network 0-2 was trained on a, which fold 0 holds out: named, with its 48 samples, all of which share EEG."""
    leaked = {**TRAINING, "networks": TRAINING["networks"] | {"0-2": ["a", "b"]}}
    with pytest.raises(AssertionError, match="a both trained and tested a network of fold 0: 48 of 96 test samples"):
        comparison.audit_leakage(decided(1.0), random_splits(FLAWLESS), leaked, draws=5)
