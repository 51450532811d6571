"""Ranking scores on cases worked out by hand, against scikit-learn, and under bootstrap."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from helpers.evaluate import intervals, ranking
from helpers.study.errors import RecordingError


def world(recordings=7, samples=58, seed=0, skill=1.5):
    """Synthetic predictions: some 15 % seizure, log-odds `skill` higher in them, each recording with its own level."""
    generator = np.random.default_rng(seed)
    label = (generator.random((recordings, samples)) < 0.15).astype(int)
    level = generator.normal(0, 0.7, (recordings, 1))
    z = generator.normal(-1, 1, label.shape) + skill * label + level
    names = np.repeat([f"r{number:02d}" for number in range(recordings)], samples)
    return pd.DataFrame({"recording": names, "label": label.ravel(), "p_seizure": 1 / (1 + np.exp(-z.ravel()))})


def test_by_hand():
    """Seizure at 0.9 and 0.4, others at 0.6 and 0.1: 3 of 4 pairs are in order. Precision is 1 at recall 1/2 and 2/3
    at recall 1: average (1 + 2/3)/2. Equal probabilities count half."""
    label, p = [1, 0, 1, 0], [0.9, 0.6, 0.4, 0.1]
    assert ranking.auroc(label, p) == 0.75 and ranking.auprc(label, p) == pytest.approx(5 / 6)
    assert ranking.undefined(label) is None
    assert ranking.auroc([1, 0], [0.5, 0.5]) == 0.5
    assert ranking.balanced_accuracy(2, 1, 1, 4) == pytest.approx((2 / 3 + 4 / 5) / 2)
    positive_rate, sensitivity, _ = ranking.roc(label, p)
    assert (positive_rate.tolist(), sensitivity.tolist()) == ([0, 0, 0.5, 0.5, 1], [0, 0.5, 0.5, 1, 1])
    precision, recall, threshold = ranking.precision_recall(label, p)
    assert precision.tolist() == pytest.approx([0.5, 2 / 3, 0.5, 1, 1]) and recall[0] == 1 and len(threshold) == 4


@pytest.mark.parametrize(("label", "reason"), [([], "no sample"), ([1, 1], "non-seizure"), ([0, 0], "no seizure")])
def test_one_class_is_none_with_a_reason(label, reason):
    """No order of one class is good or bad: None, not 0, 0.5 or 1, with the reason."""
    p = [0.3, 0.6][: len(label)]
    assert ranking.auroc(label, p) is None and ranking.auprc(label, p) is None and ranking.roc(label, p) is None
    assert ranking.precision_recall(label, p) is None and reason in ranking.undefined(label)
    assert ranking.balanced_accuracy(len(label), 0, 0, 0) is None


@pytest.mark.parametrize(
    ("label", "p"), [([0, 1], [0.2, np.nan]), ([0, 1], [0.2, 1.2]), ([0, 2], [0, 1]), ([0], [0, 1])]
)
def test_bad_input_is_refused(label, p):
    """No probability, or no label."""
    with pytest.raises(RecordingError):
        ranking.auroc(label, p)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6), st.integers(0, 3)), min_size=2, max_size=40))
def test_areas_equal_scikit_learn_with_weights(rows):
    """The sums over recordings, weighted by how often each is drawn, give what scikit-learn gives with weights."""
    label, p, recording = map(np.array, zip(*rows, strict=True))
    table = pd.DataFrame({"recording": recording.astype(str), "label": label, "p_seizure": p / 6})
    times = np.array([2, 0, 1, 3])[: 1 + recording.max()]
    tp, fp = ranking.tallies(table)
    present = np.unique(recording)
    auroc, auprc = ranking.areas(times[present] @ tp, times[present] @ fp)
    weight = times[recording]
    if len(set(label[weight > 0])) < 2:
        assert np.isnan(auroc) and np.isnan(auprc)
    else:
        assert auroc == pytest.approx(reference.roc_auc_score(label, p, sample_weight=weight))
        assert auprc == pytest.approx(reference.average_precision_score(label, p, sample_weight=weight))


def test_order_alone_counts():
    """Any rising change of p leaves both areas as they are; reversed, the AUROC is its complement."""
    table = world()
    label, p = table["label"], table["p_seizure"]
    assert ranking.auroc(label, p**3) == ranking.auroc(label, p)
    assert ranking.auprc(label, p**3) == ranking.auprc(label, p)
    assert ranking.auroc(label, 1 - p) == pytest.approx(1 - ranking.auroc(label, p))


def test_within_does_not_see_a_recording_s_level():
    """Each recording in perfect order, but b's other samples above a's seizure: pooled 6 of 8 pairs, within 1."""
    rows = [("a", 1, 0.4), ("a", 0, 0.1), ("b", 1, 0.9), ("b", 0, 0.6), ("c", 0, 0.2), ("c", 0, 0.3)]
    table = pd.DataFrame(rows, columns=["recording", "label", "p_seizure"])
    assert ranking.auroc(table["label"], table["p_seizure"]) == 7 / 8
    assert ranking.within(table) == 1
    assert ranking.within(table[table["recording"] == "c"]) is None


def test_curves_by_hand():
    """1 0 1 0 falling: no false alarm up to sensitivity 1/2, one of two up to 1; precision 1 up to recall 1/2, then
    2/3. Thresholds no drawn recording holds (leading zeros) change nothing."""
    tp, fp = np.array([0, 1, 1, 2, 2]), np.array([0, 0, 1, 1, 2])
    sensitivity, precision = ranking.curves(tp, fp, np.array([0, 0.25, 0.5, 0.75, 1]))
    assert sensitivity.tolist() == [0.5, 0.5, 1, 1, 1]
    assert precision.tolist() == pytest.approx([1, 1, 1, 2 / 3, 2 / 3])


def test_curves_meet_the_grid_despite_rounding():
    """Of 100 non-seizure samples 29 are at a rate of 0.29, though 0.29 · 100 is 28.999999999999996 in floats; of 100
    seizure samples the first 7 are at a recall of 0.07, though 0.07 · 100 is 7.000000000000001."""
    tp, fp = np.repeat([*range(101)], 2)[1:], np.repeat([*range(101)], 2)[:-1]  # seizure, other, seizure, …
    sensitivity, precision = ranking.curves(tp, fp, np.array([0.07, 0.29]))
    assert sensitivity[1] == 0.3
    assert precision[0] == 7 / 13


def test_draws_are_those_of_the_intervals():
    """The first draws, computed by repeating the rows, equal the fast sums; whatever the chunk."""
    table = world()
    found = ranking.drawn(table, seed=3, draws=20)
    for draw, times in enumerate(intervals.resampled(7, 3, 20)):
        weight = np.repeat(times, 58)
        expected = reference.roc_auc_score(table["label"], table["p_seizure"], sample_weight=weight)
        assert found["auroc"][draw] == pytest.approx(expected)
        expected = reference.average_precision_score(table["label"], table["p_seizure"], sample_weight=weight)
        assert found["auprc"][draw] == pytest.approx(expected)


def test_chunks_change_nothing(monkeypatch):
    """A day of EEG is drawn a few at a time: the same numbers."""
    whole = ranking.drawn(world(), draws=50)
    monkeypatch.setattr(ranking, "CHUNK", 1000)
    pd.testing.assert_frame_equal(ranking.drawn(world(), draws=50), whole)


def test_bands_hold_their_curve_and_the_interval_the_area():
    """Of 20 recordings, every point of both curves lies in its band, but for a few where the curve is steep."""
    table = world(20)
    found = ranking.bands(table, draws=300)
    assert found["roc"]["sensitivity"].is_monotonic_increasing and found["roc"]["sensitivity"].iloc[-1] == 1
    assert found["precision_recall"]["precision"].iloc[-1] >= table["label"].mean()
    for name, y in (("roc", "sensitivity"), ("precision_recall", "precision")):
        curve = found[name]
        assert ((curve["low"] <= curve[y]) & (curve[y] <= curve["high"])).mean() > 0.95
        assert (curve["high"] - curve["low"]).max() > 0.02
    for score in ranking.over_recordings(table, draws=300).values():
        assert score["low"] < score["value"] < score["high"]
    assert ranking.bands(table.assign(label=0)) == {"roc": None, "precision_recall": None}
