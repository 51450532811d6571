"""The comparison: scores by hand and draw by draw, differences that cancel, detectors tested on other samples."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from helpers.evaluate import comparison, intervals

DURATIONS = dict.fromkeys("abcd", 200.0)
SEIZURES = pd.DataFrame([(name, 80.0, 120.0) for name in "abc"], columns=["recording", "start_s", "end_s"])


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
    seizures = pd.DataFrame({"recording": ["a"], "start_s": [12.0], "end_s": [20.0]})
    values, estimates = comparison.drawn(table, seizures, {"a": 40.0}, draws=5)
    assert values == {
        "auprc": 1, "auprc_smoothed": pytest.approx((1 + 2 / 3) / 2), "auroc": 1, "sample_f1": 0.8, "event_f1": 1,
    }  # fmt: skip
    assert len(estimates) == 5 and (estimates == pd.Series(values)).all(axis=None)  # the one recording in each draw


def test_each_draw_is_of_whole_recordings():
    """Some recordings are drawn twice and some left out: each draw scores what scikit-learn says of their frames, so
    repeated."""
    table = decided(0.8)
    _, estimates = comparison.drawn(table, SEIZURES, DURATIONS, seed=7, draws=6)
    drawn = intervals.resampled(4, 7, 6)
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
    found = comparison.compare(decided(1.2), others, SEIZURES, DURATIONS, draws=300)
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
    silent = decided(1.2).assign(alarm=0)
    ours, other = comparison.compare(decided(1.2), {"silent": silent}, SEIZURES, DURATIONS, draws=50)["rows"]
    assert ours["event_f1"]["value"] > 0.8 and other["event_f1"]["value"] == 0
    assert other["ahead_event_f1"]["value"] == ours["event_f1"]["value"] and other["ahead_auprc"]["value"] == 0


def test_order_of_rows_changes_nothing():
    """Another detector's table sorted otherwise: the same interval."""
    table = decided(0.5, seed=1)
    one, other = (
        comparison.compare(decided(2.0), {"forest": part}, SEIZURES, DURATIONS, draws=50)
        for part in (table, table.sample(frac=1, random_state=0))
    )
    assert one == other


@pytest.mark.parametrize("changed", ["shorter", "label", "fold", "frame"])
def test_other_samples_are_refused(changed):
    """A frame less, another label, other folds, or another time: said with the method's name."""
    table = decided(1.0)
    other = {
        "shorter": table.iloc[:-1], "label": table.assign(label=1 - table["label"]),
        "fold": table.assign(fold=1 - table["fold"]), "frame": table.assign(end_s=table["end_s"] + 1),
    }[changed]  # fmt: skip
    with pytest.raises(ValueError, match="forest was not tested on the same 192 samples in the same folds"):
        comparison.compare(table, {"forest": other}, SEIZURES, DURATIONS, draws=5)


def test_missing_recordings_are_refused():
    """Draws are of recordings: a recording with a duration and no decision would shift them."""
    with pytest.raises(ValueError, match="4 recordings were tested, 5 have a duration"):
        comparison.compare(decided(1.0), {}, SEIZURES, {**DURATIONS, "e": 200.0}, draws=5)
