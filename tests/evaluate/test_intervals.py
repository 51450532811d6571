"""Intervals: hand-worked ones, what each must do, coverage, and draws that equal scikit-learn's scores with weights."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn import metrics as reference

from helpers.evaluate import calibration, intervals, scores

SEVEN = [True] * 7


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
    found = intervals.resample(SEVEN, 1, 2000)
    assert found.shape == (2000, 7) and (found.sum(axis=1) == 7).all()
    assert found.mean(axis=0) == pytest.approx(np.ones(7), abs=0.1)
    assert (found == intervals.resample(SEVEN, 1, 2000)).all() and (found != intervals.resample(SEVEN, 2, 2000)).any()


def test_interval_by_hand():
    """0, 1, …, 100 deviate by √850 = 29.15; as of 5 recordings by √(5/4) more; t(0.975, 4) = 2.776: ± 90.50. A NaN more
    is left out and its share said."""
    for extra, dropped in (([], 0), ([np.nan], 1 / 102)):
        found = intervals.interval(50.0, [*range(101), *extra], 5)
        assert (found["low"], found["high"]) == pytest.approx((50 - 90.501, 50 + 90.501), abs=0.01)
        assert found["kind"] == "bootstrap" and found["value"] == 50 and found["reason"] is None
        assert found["dropped"] == pytest.approx(dropped)


def test_interval_of_a_share_by_hand():
    """0.8, deviation 0.02, 6 recordings: 2.571 · 0.02 · √1.2 / 0.16 = 0.352 around log-odds of 1.386: 0.738 to 0.850.
    Of 10 independent samples 8 would have wider ends: those of `exact_share`."""
    found = intervals.interval(0.8, [0.78, 0.82], 6, 1e6)
    assert (found["low"], found["high"]) == pytest.approx((0.7377, 0.8505), abs=1e-4)
    found, exact = intervals.interval(0.8, [0.78, 0.82], 6, 10), intervals.exact_share(8, 10)
    assert (found["low"], found["high"]) == (exact["low"], exact["high"]) and found["kind"] == "bootstrap"


@pytest.mark.parametrize(
    ("value", "estimates", "reason"),
    [(None, [np.nan] * 4, "undefined"), (None, [], "undefined"), (0.5, [0.5, np.nan, np.nan], "67% of the draws")],
)
def test_no_interval_has_a_reason(value, estimates, reason):
    """Nothing is made up where there is nothing to tell from; no range, either, of what no recording alone defines."""
    assert "100% of the draws" in intervals.interval(0.5, [np.nan] * 3, 3)["reason"]
    found = intervals.interval(value, estimates, 7)
    assert found["low"] is None and found["high"] is None and found["value"] == value and reason in found["reason"]
    assert found["kind"] is None


def test_few_recordings_have_a_range():
    """4 of 6 recordings hold a seizure, of which 3, 9, 5 and 11 of 12 samples are found: from 1/4 to 11/12. A
    difference of two detectors: the lowest and the highest of a recording."""
    table = pd.DataFrame({"tp": [3, 9, 5, 11, 0, 0], "fp": 3, "tn": 43}, index=list("abcdef"))
    table["fn"] = [9, 3, 7, 1, 0, 0]
    found = sample_intervals(table)["sensitivity"]
    assert (found["value"], found["low"], found["high"], found["kind"]) == (28 / 48, 3 / 12, 11 / 12, "range")
    assert found["reason"].startswith(
        "recordings, or pooled patients, with a seizure: 4; an interval needs 5, so the ends are"
    )
    better = table.assign(tp=table["tp"] + [1, 0, 2, 1, 0, 0], fn=table["fn"] - [1, 0, 2, 1, 0, 0])
    ours, theirs = (intervals.bootstrap(scores.sample_rates, one)["sensitivity"] for one in (better, table))
    gap = intervals.difference(ours, theirs)
    assert (gap["low"], gap["high"]) == pytest.approx((0, 2 / 12)) and gap["kind"] == "range"
    ranking = intervals.ranking_intervals(world(3))
    assert {one["kind"] for one in ranking.values()} == {"range"} and ranking["auroc"]["low"] < ranking["auroc"]["high"]


def test_recordings_alike_have_the_exact_interval_of_a_third_of_their_samples():
    """Six recordings with 3 of 4 seizure samples found: every draw scores the same; a third of 24 samples is 8."""
    alike = pd.DataFrame({"tp": [3] * 6, "fn": 1, "fp": 0, "tn": 12}, index=list("abcdef"))
    found, exact = sample_intervals(alike), intervals.exact_share(6, 8)
    assert [found["sensitivity"][end] for end in ("low", "high")] == pytest.approx([exact["low"], exact["high"]])
    assert found["specificity"]["low"] == intervals.exact_share(24, 24)["low"] and found["specificity"]["high"] == 1


def test_intervals_contain_their_score_and_widen_with_fewer_recordings():
    """In 20 worlds each score is in its interval, between 0 and 1; 5 recordings tell less than 20."""
    wide, narrow = [], []
    for seed in range(20):
        for recordings, widths in ((5, wide), (20, narrow)):
            found = sample_intervals(counts(recordings, seed), draws=200)
            assert all(0 <= score["low"] <= score["value"] <= score["high"] <= 1 for score in found.values())
            widths.append(found["f1"]["high"] - found["f1"]["low"])
    assert np.mean(wide) > 1.5 * np.mean(narrow)


@pytest.mark.parametrize("recordings", [7, 16])
def test_coverage(recordings):
    """100 worlds whose true sensitivity is 0.7, and specificity 0.9: the intervals hold them in 90 at least."""
    found = [sample_intervals(counts(recordings, seed), seed=seed, draws=100) for seed in range(100)]
    for name, true in (("sensitivity", 0.7), ("specificity", 0.9)):
        assert sum(score[name]["low"] <= true <= score[name]["high"] for score in found) >= 90


def test_undefined_draws_are_dropped():
    """One of five draws of five recordings has no decision and no seizure, and so no F1: the rest tells."""
    found = intervals.interval(0.5, [0.4, 0.5, 0.6, 0.5, np.nan], 5)
    assert found["dropped"] == pytest.approx(0.2) and found["low"] < 0.5 < found["high"]


def test_paired_difference_is_narrower_than_its_parts():
    """A detector that finds one sample more in each recording is ahead in every draw, whatever the recordings."""
    table = pd.DataFrame({"tp": [3, 9, 5, 11, 7, 2, 8], "fp": 3, "tn": 43}, index=list("abcdefg"))
    table["fn"] = 12 - table["tp"]
    better = table.assign(tp=table["tp"] + 1, fn=table["fn"] - 1)
    alone = sample_intervals(table)["sensitivity"]
    assert alone["high"] - alone["low"] > 0.2
    ours, theirs = (intervals.bootstrap(scores.sample_rates, t)["sensitivity"] for t in (better, table))
    found = intervals.difference(ours, theirs)
    assert [found[key] for key in ("value", "low", "high")] == pytest.approx([1 / 12] * 3)
    assert intervals.difference(ours._replace(value=None), theirs)["value"] is None
    same = intervals.difference(theirs, theirs)
    assert same["value"] == 0 and same["low"] is None and "both score alike" in same["reason"]


def test_exact_share_by_hand():
    """5 of 5: at the low end p⁵ = 0.025; 0 of 5 is its mirror image."""
    found, none = intervals.exact_share(5, 5), intervals.exact_share(0, 5)
    assert found["value"] == found["high"] == 1 and found["low"] == pytest.approx(0.025**0.2)
    assert none["high"] == pytest.approx(1 - found["low"]) and none["low"] == 0
    assert intervals.exact_share(0, 0)["value"] is None and intervals.exact_share(0, 0)["reason"]
    both = binomtest(7, 9).proportion_ci(0.95, method="exact")
    assert [intervals.exact_share(7, 9)[end] for end in ("low", "high")] == pytest.approx([both.low, both.high])


def test_exact_rate_by_hand():
    """None in 12 h: at the high end exp(−m) = 0.025, m = 3.689 in 12 h, 7.378 in 24 h. 2 in 24 h: 0.242 to 7.225."""
    none, two = intervals.exact_rate(0, 12), intervals.exact_rate(2, 24)
    assert (none["value"], none["low"]) == (0, 0) and none["high"] == pytest.approx(-2 * np.log(0.025))
    assert (two["low"], two["high"]) == pytest.approx((0.2422, 7.2247), abs=1e-4) and two["kind"] == "exact"


def test_event_intervals_by_hand():
    """All 3 of 3 found, no false alarm: at 97.5 %, at least 0.0125^(1/3) = 0.2321 found, at most −ln 0.0125 = 4.382
    false alarms. So precision is at least 0.696/(0.696 + 4.382), F1 at least 1.392/(0.696 + 3 + 4.382)."""
    found = intervals.event_intervals(3, 3, 0, 6.0)
    assert list(found) == list(scores.event_rates(3, 3, 0, 6.0))
    assert found["precision"]["low"] == pytest.approx(0.6962 / 5.0783, abs=1e-4) and found["precision"]["high"] == 1
    assert found["f1"]["low"] == pytest.approx(1.3925 / 8.0783, abs=1e-4) and found["f1"]["high"] == 1
    assert found["sensitivity"] == intervals.exact_share(3, 3)
    assert found["fp_per_24h"] == intervals.exact_rate(0, 6.0)


def test_event_intervals_need_seizures_and_alarms():
    """Without a seizure neither F1 nor precision has ends; without an alarm F1 is 0, and precision undefined."""
    none = intervals.event_intervals(0, 0, 2, 6.0)
    assert {none[name]["reason"] for name in ("precision", "f1")} == {"there is no seizure"}
    silent = intervals.event_intervals(3, 0, 0, 6.0)
    assert silent["precision"]["reason"] == "there is no alarm" and silent["precision"]["value"] is None
    assert silent["f1"]["value"] == silent["f1"]["low"] == 0 < silent["f1"]["high"] < 1


def test_event_f1_covers():
    """10 seizures found with 0.8, 4 false alarms expected: F1 of the rates is 16/(18 + 4), held in 95 % at least."""
    generator = np.random.default_rng(1)
    draws = zip(generator.binomial(10, 0.8, 300), generator.poisson(4, 300), strict=True)
    found = [intervals.event_intervals(10, int(detected), int(alarms), 4.0)["f1"] for detected, alarms in draws]
    assert np.mean([score["low"] <= 16 / 22 <= score["high"] for score in found]) >= 0.95


def test_median_latency():
    """Of 8 the interval is from the lowest to the highest, of 9 from the second to the eighth; of 3, their range."""
    table = pd.DataFrame({"latency_s": [8.0, 12.0, 20.0, np.nan, 9.0, 14.0, 11.0, 2.0, 30.0, 4.0]})
    for rows, ends in ((9, (2, 30)), (10, (4, 20))):
        found = intervals.median_latency(table.head(rows))
        assert found["value"] == 11.5 - 0.5 * (rows == 10) and (found["low"], found["high"]) == ends
        assert found["kind"] == "exact"
    few = intervals.median_latency(table.head(4))
    assert (few["value"], few["low"], few["high"], few["kind"]) == (12, 8, 20, "range")
    assert "found: 3;" in few["reason"]
    assert intervals.median_latency(table.iloc[3:4])["reason"] == "no seizure was found"


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
    for draw, times in enumerate(intervals.resample(SEVEN, 3, 20)):
        weights = {"sample_weight": np.repeat(times, 58)}
        auroc = reference.roc_auc_score(table["label"], table["p_seizure"], **weights)
        auprc = reference.average_precision_score(table["label"], table["p_seizure"], **weights)
        assert (found["auroc"].estimates[draw], found["auprc"].estimates[draw]) == pytest.approx((auroc, auprc))
    monkeypatch.setattr(intervals, "CHUNK", 1000)
    again = intervals.bootstrap_ranking(table, seed=3, draws=20)
    assert all((again[name].estimates == found[name].estimates).all() for name in found)


def test_of_pooled_patients_whole_patients_are_drawn():
    """Six patients of two recordings each: intervals as if each patient were one recording."""
    table = world(recordings=12).assign(decided=lambda table: (table["p_seizure"] > 0.5).astype(int))
    names = sorted(table["recording"].unique())
    patient_of = {name: f"p{place // 2}" for place, name in enumerate(names)}
    pooled = table.assign(patient=table["recording"].map(patient_of))
    merged = table.assign(recording=pooled["patient"])
    for sums in (scores.sample_counts, calibration.error_sums):
        assert sums(pooled).equals(sums(merged)) and len(sums(pooled)) == 6 and len(sums(table)) == 12
    found = [intervals.bootstrap_ranking(one)["auroc"] for one in (pooled, merged, table)]
    assert [one.recordings for one in found] == [6, 6, 12] and np.array_equal(found[0].estimates, found[1].estimates)


def test_rankings_of_few_by_hand():
    """Seizures at 3 and 1 against 2, 0 and -1: 5 of 6 pairs. 3 of 3 above 16: 1.00, from where Newcombe's equation says
    0.656; upside down the same below; of one class nothing. Spearman of 1234 and 2134 is 0.8, 1 - 6 · 2 / 60, and its
    interval atanh(0.8) ± 1.96 · √1.32; of one order there is none."""
    found = intervals.auroc_of_few([1, 1, 0, 0, 0], [3, 1, 2, 0, -1])
    assert found["value"] == pytest.approx(5 / 6) and 0 < found["low"] < 5 / 6 < found["high"] < 1
    label = np.repeat([1, 0], [3, 16])
    sure, against = (intervals.auroc_of_few(label, sign * (100 * label + np.arange(19))) for sign in (1, -1))
    true = sure["low"]
    spread = true * (1 - true) * (1 + 8.5 * ((1 - true) / (2 - true) + true / (1 + true))) / 48
    assert (sure["value"], sure["high"], against["value"], against["low"]) == (1, 1, 0, 0)
    assert true == pytest.approx(0.656, abs=1e-3) and (1 - true) ** 2 == pytest.approx(1.96**2 * spread, rel=1e-3)
    assert against["high"] == pytest.approx(1 - true)
    assert intervals.auroc_of_few([0, 0], [1, 2])["value"] is None
    found = intervals.rank_correlation([1, 2, 3, 4], [2, 1, 3, 4])
    assert found["value"] == pytest.approx(0.8)
    ends = np.arctanh(0.8) + np.array([-1.96, 1.96]) * 1.32**0.5
    assert [found["low"], found["high"]] == pytest.approx(np.tanh(ends).tolist(), abs=1e-4)
    assert intervals.rank_correlation([1, 2, 3, 4], [1, 2, 3, 4])["low"] is None
    assert intervals.rank_correlation([1, 2, 3, 4], [0, 0, 0, 0])["value"] is None
