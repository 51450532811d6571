"""Comparison with other detectors, in order of time, and of one freedom at a time; each row by hand."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t
from test_decisions import predicted
from test_scores import annotated

from helpers.evaluate import comparison, decisions

DURATIONS = dict.fromkeys("abcdef", 248.0)
ANNOTATIONS = annotated(*((name, 88.0, 128.0) for name in "abcde"), **DURATIONS)  # frames 20 to 29
LABEL = np.isin(np.arange(60), range(20, 30)).astype(int)


def decided(skill, seed=0):
    """Return decisions on six recordings: log-odds rise by `skill` in the seizures of a to e; f has none."""
    generator, parts = np.random.default_rng(seed), []
    for number, name in enumerate(DURATIONS):
        label = LABEL * (name != "f")
        parts.append(predicted(generator.normal(skill * (2 * label - 1), 1), name, label).assign(fold=number % 3))
    table = decisions.raise_alarms(pd.concat(parts, ignore_index=True), decisions.UNTRAINED)
    return table.assign(decided=(table["log_odds"] >= 0).astype(int))


def test_scores_by_hand():
    """One recording, six frames, two of seizure, log-odds 9 8 | 7 4 3 1: one of five decided seizure is wrong. Smoothed
    8 7 | 7.5 4 3 1 the precision at the hits is 1 and 2/3. The alarm finds the seizure at 8–16 s."""
    table = predicted([9, 8, 7, 4, 3, 1], label=[1, 1, 0, 0, 0, 0])
    table = table.assign(log_odds_smooth=[8, 7, 7.5, 4, 3, 1], decided=[1, 1, 1, 0, 0, 0], alarm=[1, 1, 0, 0, 0, 0])
    found = comparison.score_detector(table, annotated(("a", 8.0, 16.0), a=40.0), draws=5)
    assert {name: draws.value for name, draws in found.items()} == {
        "auprc": 1, "auprc_smoothed": pytest.approx((1 + 2 / 3) / 2), "auroc": 1, "auroc_smoothed": 7 / 8,
        "sample_f1": 0.8, "event_f1": 1,
    }  # fmt: skip


def test_a_better_and_an_equal_detector():
    """Ours against one with a fraction of its skill, and against itself in other words, in another order: ahead with an
    interval above 0; ahead by 0, and the interval has no width, as each draw cancels. Against another of equal skill it
    has one. A detector without an alarm finds no seizure, and is behind by the event F1 alone. The best is first."""
    ours, mixed = decided(1.2), decided(1.2).sample(frac=1, random_state=0)
    others = {"forest": decided(0.1, seed=1), "same": mixed, "alike": decided(1.2, seed=2)}
    others["none"] = ours.assign(alarm=0)
    rows = comparison.compare(ours, others, ANNOTATIONS, draws=300)
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    areas = [row["auprc_smoothed"]["value"] for row in rows]
    assert areas == sorted(areas, reverse=True) and rows[-1]["method"] == "forest"
    found = {row["method"]: row for row in rows}
    assert [found[name]["name"] for name in ("ours", "forest", "same")] == ["this network", "random forest", "same"]
    for name in comparison.AHEAD:
        assert found["ours"][f"ahead_{name}"] is None
        behind = found["ours"][name]["value"] - found["forest"][name]["value"]
        assert found["forest"][f"ahead_{name}"]["value"] == pytest.approx(behind)
        assert [found["same"][f"ahead_{name}"][key] for key in ("value", "low", "high")] == [0, None, None]
    assert found["forest"]["ahead_auprc"]["low"] > 0.1
    alike, none = found["alike"]["ahead_auprc"], found["none"]
    assert alike["low"] < alike["value"] < alike["high"]
    assert none["ahead_event_f1"]["value"] == found["ours"]["event_f1"]["value"] > 0.8
    assert none["ahead_auprc"]["value"] == none["detected"] == none["event_f1"]["value"] == 0


@pytest.mark.parametrize("changed", ["shorter", "label", "fold", "frame"])
def test_other_samples_are_refused(changed):
    """A frame less, another label, other folds, or another time: said with the method's name."""
    table = decided(1.0)
    other = {
        "shorter": table.iloc[:-1], "label": table.assign(label=1 - table["label"]),
        "fold": table.assign(fold=1 - table["fold"]), "frame": table.assign(end_s=table["end_s"] + 1),
    }[changed]  # fmt: skip
    with pytest.raises(ValueError, match="forest was not tested on the same 360 samples in the same folds"):
        comparison.compare(table, {"forest": other}, ANNOTATIONS, draws=5)


STEPS = [{"recordings": number, "seizures": number} for number in (1, 2, 3)]
SAMPLES = decided(0.0)[["recording", "last_start_s", "end_s", "label"]]


def past_of(*levels, method="ours"):
    """Log-odds of each step's network for all recordings that follow: (seizure, other) at all its samples."""
    parts = []
    for step, (seizure, other) in enumerate(levels):
        later = SAMPLES[SAMPLES["recording"] > "abc"[step]]
        log_odds = np.where(later["label"] == 1, seizure, other).astype(float)
        parts.append(pd.DataFrame({"method": method, "step": step, "sample": later.index, "log_odds": log_odds}))
    return pd.concat(parts, ignore_index=True)


def test_past_by_hand():
    """The first step says ±1 and decides at 0: b, c, d and e are found. The second says −1 and −3, and decides by what
    the first said of b, at 0 as well: it finds none of three. The third says the same, and decides by what the first
    said of b and the second of c: both are found from below −1 on. So are d and e. f, where there is nothing, is always
    tested: 5, 4 and 3 recordings."""
    rows = comparison.score_past(past_of((1, -1), (-1, -3), (-1, -3)), SAMPLES, ANNOTATIONS, STEPS)
    found = [(row["seizures_seen"], row["detected"], row["seizures"]) for row in rows]
    assert found == [(1, 4, 4), (2, 0, 3), (3, 2, 2)]
    assert [row["hours"] for row in rows] == pytest.approx([count * 248 / 3600 for count in (5, 4, 3)])
    assert [row["auprc"] for row in rows] == [1, 1, 1] and [rows[at]["f1"] for at in (0, 1)] == [1, 0]
    assert rows[0]["intervals"]["f1"]["value"] == 1 and {row["method"] for row in rows} == {"ours"}


@pytest.mark.parametrize("step", [0, 1, 2])
def test_a_step_chooses_by_the_past_only(monkeypatch, step):
    """Other log-odds, labels and seizures in all that follows a step's past: the settings of this step and of those
    before it stay; those of the next do not."""
    generator, settings, raise_alarms = np.random.default_rng(5), [], decisions.raise_alarms
    past = past_of((1, -1), (1, -1), (1, -1))
    past["log_odds"] += generator.normal(0, 2, len(past))
    monkeypatch.setattr(
        decisions, "raise_alarms", lambda table, chosen: settings.append(chosen) or raise_alarms(table, chosen)
    )
    later = list("bcdef"[step:])
    to_come = past["sample"].isin(SAMPLES.index[SAMPLES["recording"].isin(later)])
    changed = past.assign(log_odds=past["log_odds"].where(~to_come, 7 - 2 * past["log_odds"]))
    relabelled = SAMPLES.assign(label=SAMPLES["label"].where(~SAMPLES["recording"].isin(later), 1 - SAMPLES["label"]))
    moved = annotated(*((name, *((20, 60) if name in later else (88, 128))) for name in "abcde"), **DURATIONS)
    comparison.score_past(past, SAMPLES, ANNOTATIONS, STEPS)
    comparison.score_past(changed, relabelled, moved, STEPS)
    assert settings[: step + 1] == settings[3 : 4 + step] and settings[0] == decisions.UNTRAINED
    assert step == 2 or settings[step + 1] != settings[4 + step]


def test_a_past_that_is_tested_is_refused():
    """Step 1 has seen a and b, and yet scores b."""
    leaky = past_of((1, -1), (1, -1), (1, -1))
    leaky.loc[leaky["step"] == 0, "step"] = 1
    with pytest.raises(AssertionError, match="ours: b both trained and tested the network of step 1"):
        comparison.score_past(leaky, SAMPLES, ANNOTATIONS, STEPS)


# Three recordings of two seizure and four other samples, three networks, each trained on one of them.
TRAINING = {
    "folds": [{"fold": number, "networks": names} for number, names in enumerate((["x", "y"], ["x", "z"], ["y", "z"]))],
    "networks": {"x": ["c"], "y": ["b"], "z": ["a"]}, "followed": ["x", "y", "z"],
}  # fmt: skip
TRUE = np.array([1, 1, 0, 0, 0, 0])
EVEN, HIGH, FLAT, HALF = 2.0 * TRUE - 1, 2.0 * TRUE + 1, 0.0 * TRUE, np.array([1.0, -1, -1, -1, -1, -1])


def history(network, *parts):
    """Rows of ``audit.csv``: for each part (first sample, log-odds of epoch 0, 1 and 2, part, shared EEG)."""
    tables = [
        pd.DataFrame({"network": network, "epoch": epoch, "sample": first + np.arange(6), "log_odds": log_odds})
        .assign(part=part, shared_eeg=shared)
        for first, said, part, shared in parts for epoch, log_odds in enumerate(said)
    ]  # fmt: skip
    return pd.concat(tables)


def audit_world():
    """Arguments of `comparison.audit_leakage`: see the test by hand."""
    level, high, half = (EVEN, FLAT, HALF), (HIGH, FLAT, HALF), (HALF, FLAT, EVEN)
    none, even = (None, np.nan), (EVEN, FLAT, EVEN)
    tested = pd.concat([
        history("x", (0, level, *none), (6, high, *none)), history("y", (0, level, *none), (12, high, *none)),
        history("z", (6, level, *none), (12, high, *none)),
        history("random0", (0, even, "inner", 0), (6, even, "test", [1, 1, 1, 0, 1, 1])),
        history("random1", (6, even, "inner", 0), (12, half, "test", 1)),
    ])  # fmt: skip
    names = np.repeat(list("abc"), 6)
    predictions = pd.DataFrame({"sample": range(18), "recording": names, "fold": np.repeat(range(3), 6)})
    predictions = predictions.assign(label=np.tile(TRUE, 3), log_odds=np.concatenate([EVEN, EVEN, HALF]))
    inner = [predictions.assign(fold=fold, log_odds=np.tile(EVEN, 3))[predictions["fold"] != fold] for fold in range(3)]
    unwatched = pd.DataFrame({"sample": 99, "label": 1, "log_odds": -3.0, "fold": np.repeat(range(3), 50)})
    return tested, predictions, pd.concat([*inner, unwatched]), TRAINING, 4.0


def test_each_freedom_by_hand():
    """With 4 others a seizure sample each other one weighs 2. As they are used, networks say ±1 (level) of one block
    and 1 or 3 (high) of the other: level is tested with the threshold 2 of high, and nothing is found (F1 0); high with
    the threshold 0 of level, and all is decided seizure (F1 2 · 2/(2 · 2 + 8) = 1/3). Fold 0 is level for both
    networks, fold 1 level for one, fold 2 high for both: F1 0, 1/6, 1/3. A threshold of the test's own gives 1.

    After epoch 1 they say 0 of everything, after epoch 2 ±1, but −1 of one seizure sample: AUROC 0.75, the best, and by
    the inner threshold 0 F1 2/3 everywhere. The mean of networks decides at 0 and misses one sample in fold 2: F1 1,
    1, 2/3; samples that no network watched choose no threshold. At random: F1 1, and 2/3, which epoch 2 makes 1."""
    found = comparison.audit_leakage(*audit_world())
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    rows = {row["protocol"]: row for row in found["rows"]}
    assert list(rows) == list(comparison.PROTOCOLS)
    expected = {"single": 1 / 6, "split": 5 / 6, "threshold": 1, "epoch": 2 / 3, "ensemble": 8 / 9, "all": 1}
    assert {name: row["f1"]["value"] for name, row in rows.items()} == pytest.approx(expected)
    assert rows["single"]["adds_f1"] is None
    for name, row in rows.items():
        assert row["units"] == row["f1"]["n"] == (2 if name in ("split", "all") else 3)
        assert name == "single" or row["adds_f1"]["value"] == pytest.approx(expected[name] - 1 / 6)
    assert [rows[name]["auroc"]["value"] for name in ("single", "epoch", "all")] == [1, 0.75, 1]
    accuracy = (0.8 + (0.8 + 0.2) / 2 + 0.2) / 3  # nothing is found: 8 of 10 right; all decided seizure: 2 of 10
    assert rows["single"]["accuracy"]["value"] == pytest.approx(accuracy)
    assert (found["n_test"], found["shared_eeg"], found["share"]) == (12, 11, 11 / 12)
    half = t.ppf(0.975, 2) / 6 / np.sqrt(3)  # of 0, 1/6, 1/3
    assert (rows["single"]["f1"]["low"], rows["single"]["f1"]["high"]) == pytest.approx((0, 1 / 6 + half))
    added = rows["threshold"]["adds_f1"]
    assert (added["low"], added["high"]) == pytest.approx((5 / 6 - half, 5 / 6 + half))
    one, other = 1 / 18 / 2, 1 / 36 / 3  # squared standard errors of 1, 2/3 and of 0, 1/6, 1/3, for Welch's test
    half = t.ppf(0.975, (one + other) ** 2 / (one**2 + other**2 / 2)) * np.sqrt(one + other)
    assert rows["split"]["adds_f1"]["low"] == pytest.approx(2 / 3 - half)


def test_one_split_has_no_interval_and_an_undefined_score_no_part():
    """One random split: the mean, and why it has no interval. Without a seizure in its test, it has no AUROC either."""
    tested, predictions, *rest = audit_world()
    alone = tested[tested["network"] != "random0"]
    row = comparison.audit_leakage(alone, predictions, *rest)["rows"][1]
    assert row["f1"]["value"] == pytest.approx(2 / 3) and row["adds_f1"]["low"] is None
    assert "splits: 1; an interval needs 2" in row["f1"]["reason"]
    empty = alone.assign(sample=alone["sample"].mask(alone["part"].eq("test"), 14))
    row = comparison.audit_leakage(empty, predictions, *rest)["rows"][1]
    assert row["auroc"]["value"] is None and row["adds_auroc"]["value"] is None
    assert json.dumps(row, allow_nan=False)
    values = pd.Series([0.5, np.nan, 0.7])
    assert comparison.mean_interval(values)["value"] == pytest.approx(0.6)
    paired = comparison.mean_difference(values, pd.Series([0.4, 0.1, np.nan]), paired=True)
    assert paired["value"] == pytest.approx(0.1) and paired["n"] == 1


def test_a_leak_of_ours_stops_the_audit():
    """Network y was trained on a, which fold 0 holds out: named, with its 6 samples, all of which share EEG."""
    tested, predictions, inner, training, negatives = audit_world()
    leaked = {**training, "networks": training["networks"] | {"y": ["a", "b"]}}
    with pytest.raises(AssertionError, match="a both trained and tested a network of fold 0: 6 of 6 test samples"):
        comparison.audit_leakage(tested, predictions, inner, leaked, negatives)
