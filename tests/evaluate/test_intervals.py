"""Intervals: hand-worked ones, what every interval must do, and draws that equal scikit-learn's scores with weights."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from helpers.evaluate import intervals, scores
from helpers.study.errors import RecordingError


def counts(recordings, seed=0):
    """Sample counts of recordings that differ: sensitivity 0.5 to 0.9, a few false alarms."""
    generator = np.random.default_rng(seed)
    tp = generator.binomial(12, generator.uniform(0.5, 0.9, recordings))
    fp = generator.binomial(46, generator.uniform(0, 0.2, recordings))
    names = [f"r{number:02d}" for number in range(recordings)]
    return pd.DataFrame({"tp": tp, "fn": 12 - tp, "fp": fp, "tn": 46 - fp}, index=names)


def sample_intervals(table, **options):
    return intervals.score_intervals(scores.sample_rates, table, **options)


def world(recordings=7, samples=58, seed=0, skill=1.5):
    """Predictions: some 15 % seizure, log-odds `skill` higher in them, each recording with its own level."""
    generator = np.random.default_rng(seed)
    label = (generator.random((recordings, samples)) < 0.15).astype(int)
    level = generator.normal(0, 0.7, (recordings, 1))
    z = generator.normal(-1, 1, label.shape) + skill * label + level
    names = np.repeat([f"r{number:02d}" for number in range(recordings)], samples)
    return pd.DataFrame({"recording": names, "label": label.ravel(), "p_seizure": 1 / (1 + np.exp(-z.ravel()))})


def test_draws_are_seeded_and_of_whole_recordings():
    """Each draw takes as many recordings as there are; each is drawn once on average; the seed decides."""
    found = intervals.resample(7, 1, 2000)
    assert found.shape == (2000, 7) and (found.sum(axis=1) == 7).all()
    assert found.mean(axis=0) == pytest.approx(np.ones(7), abs=0.1)
    assert (found == intervals.resample(7, 1, 2000)).all() and (found != intervals.resample(7, 2, 2000)).any()
    with pytest.raises(RecordingError, match="0 recordings"):
        intervals.resample(0)


def test_interval_by_hand():
    """Of 0, 1, …, 100 the 2.5th and 97.5th percentiles are 2.5 and 97.5; a NaN more is left out and its share said."""
    for extra, dropped in (([], 0), ([np.nan], 1 / 102)):
        found = intervals.interval(50.0, [*range(101), *extra], 5)
        assert (found["low"], found["high"]) == pytest.approx((2.5, 97.5))
        assert found["value"] == 50 and found["reason"] is None and found["dropped"] == pytest.approx(dropped)


@pytest.mark.parametrize(
    ("value", "estimates", "recordings", "reason"),
    [
        (None, [np.nan] * 4, 7, "undefined"),
        (0.5, [0.4, 0.5, 0.6], 2, "there are 2 recordings"),
        (0.5, [0.5, np.nan, np.nan], 7, "67% of the draws"),
    ],
)
def test_no_interval_has_a_reason(value, estimates, recordings, reason):
    """Nothing is made up where there is nothing to tell from."""
    found = intervals.interval(value, estimates, recordings)
    assert found["low"] is None and found["high"] is None and found["value"] == value and reason in found["reason"]


def test_a_constant_score_has_no_width():
    """Recordings all alike: every draw scores the same."""
    alike = pd.DataFrame({"tp": [3] * 6, "fn": 1, "fp": 2, "tn": 10}, index=list("abcdef"))
    found = sample_intervals(alike)
    assert found["sensitivity"]["low"] == found["sensitivity"]["high"] == 0.75
    assert all(score["high"] - score["low"] == 0 for score in found.values())


def test_intervals_contain_their_score_and_widen_with_fewer_recordings():
    """In 20 worlds each score is in its interval; 5 recordings tell less than 20."""
    wide, narrow = [], []
    for seed in range(20):
        for recordings, widths in ((5, wide), (20, narrow)):
            found = sample_intervals(counts(recordings, seed), draws=200)
            assert all(score["low"] <= score["value"] <= score["high"] for score in found.values())
            widths.append(found["f1"]["high"] - found["f1"]["low"])
    assert np.mean(wide) > 1.5 * np.mean(narrow)


def test_coverage():
    """100 worlds of 20 recordings whose true sensitivity is 0.7: the interval holds it in about 95, in 86 at least."""
    found = [sample_intervals(counts(20, seed), seed=seed, draws=400)["sensitivity"] for seed in range(100)]
    assert sum(score["low"] <= 0.7 <= score["high"] for score in found) >= 86


def test_undefined_draws_are_dropped():
    """One of four recordings holds the seizure: (3/4)^4 = 32 % of the draws have none, and so no sensitivity."""
    one = pd.DataFrame({"tp": [2, 0, 0, 0], "fn": [1, 0, 0, 0], "fp": 1, "tn": 9}, index=list("abcd"))
    found = sample_intervals(one)
    assert found["sensitivity"]["dropped"] == pytest.approx(0.75**4, abs=0.03)
    assert found["specificity"]["dropped"] == 0


def test_paired_difference_is_narrower_than_its_parts():
    """A detector that finds one sample more in each recording is ahead in every draw, whatever the recordings."""
    table = pd.DataFrame({"tp": [3, 9, 5, 11, 7, 2, 8], "fp": 3, "tn": 43}, index=list("abcdefg"))
    table["fn"] = 12 - table["tp"]
    better = table.assign(tp=table["tp"] + 1, fn=table["fn"] - 1)
    alone = sample_intervals(table)["sensitivity"]
    assert alone["high"] - alone["low"] > 0.2
    ours, theirs = (intervals.bootstrap(scores.sample_rates, t)["sensitivity"] for t in (better, table))
    found = intervals.difference(ours, theirs, 7)
    assert [found[key] for key in ("value", "low", "high")] == pytest.approx([1 / 12] * 3)
    assert intervals.difference((None, ours[1]), theirs, 7)["value"] is None


def test_wilson_by_hand():
    """5 of 5 found: (1 + z²/10 ± z²/10)/(1 + z²/5) with z = 1.96: from 0.566 to 1; 0 of 5 is its mirror image."""
    found, none = intervals.wilson(5, 5), intervals.wilson(0, 5)
    assert found["value"] == 1 and found["high"] == pytest.approx(1)
    assert found["low"] == pytest.approx(1 / (1 + 1.959964**2 / 5), abs=1e-6)
    assert none["high"] == pytest.approx(1 - found["low"]) and none["low"] == pytest.approx(0)
    assert intervals.wilson(0, 0)["value"] is None and intervals.wilson(0, 0)["reason"]
    with pytest.raises(ValueError):
        intervals.wilson(6, 5)


def test_median_latency():
    """8, 12 and 20 s in three recordings, a miss in the fourth, none in the fifth: median 12, within 8–20 s."""
    rows = [("a", 8.0), ("b", 12.0), ("c", 20.0), ("d", np.nan)]
    table = pd.DataFrame(rows, columns=["recording", "latency_s"])
    found = intervals.median_latency(table, list("abcde"))
    assert found["value"] == 12 and found["low"] == 8 and found["high"] == 20 and found["dropped"] < 0.05
    assert intervals.median_latency(table.tail(1), list("abcde"))["value"] is None
    with pytest.raises(ValueError, match="'c' is not in list"):
        intervals.median_latency(table, list("ab"))


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6), st.integers(0, 3)), min_size=2, max_size=40))
def test_areas_equal_scikit_learn_with_weights(rows):
    """The sums over recordings, weighted by how often each is drawn, give what scikit-learn gives with weights."""
    label, p, recording = map(np.array, zip(*rows, strict=True))
    table = pd.DataFrame({"recording": recording.astype(str), "label": label, "p_seizure": p / 6})
    times, weight = np.array([2, 0, 1, 3]), np.array([2, 0, 1, 3])[recording]
    auroc, auprc = intervals.areas(*(times[np.unique(recording)] @ intervals.threshold_counts(table)))
    if len(set(label[weight > 0])) < 2:
        assert np.isnan(auroc) and np.isnan(auprc)
    else:
        assert auroc == pytest.approx(reference.roc_auc_score(label, p, sample_weight=weight))
        assert auprc == pytest.approx(reference.average_precision_score(label, p, sample_weight=weight))


def test_ranking_draws_are_those_of_the_other_scores(monkeypatch):
    """Each draw, computed by repeating the recordings, equals the fast sums, a few draws at a time or all at once."""
    table = world()
    found = intervals.bootstrap_ranking(table, seed=3, draws=20)
    for draw, times in enumerate(intervals.resample(7, 3, 20)):
        weights = {"sample_weight": np.repeat(times, 58)}
        auroc = reference.roc_auc_score(table["label"], table["p_seizure"], **weights)
        auprc = reference.average_precision_score(table["label"], table["p_seizure"], **weights)
        assert (found["auroc"][1][draw], found["auprc"][1][draw]) == pytest.approx((auroc, auprc))
    monkeypatch.setattr(intervals, "CHUNK", 1000)
    again = intervals.bootstrap_ranking(table, seed=3, draws=20)
    assert all((again[name][1] == found[name][1]).all() for name in found)


def test_curves_by_hand():
    """1 0 1 0 falling: sensitivity 1/2 without a false alarm, 1 with one of two, upright in between; precision 1 up to
    recall 1/2, then 2/3. Thresholds no drawn recording holds (leading zeros) change nothing."""
    sensitivity, precision = intervals.curves(np.array([0, 1, 1, 2, 2]), np.array([0, 0, 1, 1, 2]))
    assert sensitivity[[0, 25, 50, 100]] == pytest.approx([0.5, 0.5, 1, 1], abs=1e-6)
    assert precision[[0, 50, 51, 100]] == pytest.approx([1, 1, 2 / 3, 2 / 3])


def test_curves_meet_the_grid_despite_rounding():
    """Of 100 non-seizure samples 29 are at a rate of 0.29, though 0.29 · 100 is 28.999999999999996 in floats; of 100
    seizure samples the first 7 are at a recall of 0.07, though 0.07 · 100 is 7.000000000000001."""
    tp, fp = np.repeat([*range(101)], 2)[1:], np.repeat([*range(101)], 2)[:-1]  # seizure, other, seizure, …
    sensitivity, precision = intervals.curves(tp, fp)
    assert sensitivity[29] == pytest.approx(0.3) and precision[7] == 7 / 13


def test_bands_hold_their_curve_and_the_interval_the_area():
    """Of 20 recordings nearly every point of both curves lies in its band; with one class or two recordings no band."""
    table = world(20)
    bands = intervals.curve_bands(table, draws=300)
    curves = intervals.curves(*intervals.threshold_counts(table).sum(axis=1))
    for (low, high), curve in zip(bands, curves, strict=True):
        assert ((low <= curve) & (curve <= high)).mean() > 0.95 and (high - low).max() > 0.02
    assert all(score["low"] < score["value"] < score["high"] for score in intervals.ranking_intervals(table).values())
    assert np.isnan(intervals.curve_bands(table.assign(label=0), draws=5)).all()
    assert np.isnan(intervals.curve_bands(world(2), draws=5)).all()
