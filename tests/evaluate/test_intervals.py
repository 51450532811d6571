"""Intervals: hand-worked ones, and what every interval must do; counts and latencies of worlds with known answers."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.evaluate import detections, intervals, scores
from helpers.study.errors import RecordingError

COLUMNS = ["recording", "start_s", "end_s"]


def counts(recordings, seed=0):
    """Sample counts of recordings that differ: sensitivity 0.5 to 0.9, a few false alarms."""
    generator = np.random.default_rng(seed)
    tp = generator.binomial(12, generator.uniform(0.5, 0.9, recordings))
    fp = generator.binomial(46, generator.uniform(0, 0.2, recordings))
    names = [f"r{number:02d}" for number in range(recordings)]
    return pd.DataFrame({"tp": tp, "fn": 12 - tp, "fp": fp, "tn": 46 - fp}, index=names)


def test_draws_are_seeded_and_whole():
    """Each draw takes as many recordings as there are; each is drawn once on average; the seed decides."""
    found = intervals.resampled(7, 1, 2000)
    assert found.shape == (2000, 7) and (found.sum(axis=1) == 7).all()
    assert found.mean(axis=0) == pytest.approx(np.ones(7), abs=0.1)
    assert (found == intervals.resampled(7, 1, 2000)).all() and (found != intervals.resampled(7, 2, 2000)).any()


def test_interval_by_hand():
    """Of 0, 1, …, 100 the 2.5th and 97.5th percentiles are 2.5 and 97.5; a NaN more is left out and its share said."""
    found = intervals.interval(50.0, [*range(101)], 5)
    assert (found["low"], found["high"]) == pytest.approx((2.5, 97.5))
    assert (found["value"], found["dropped"], found["reason"]) == (50, 0, None)
    found = intervals.interval(50.0, [*range(101), np.nan], 5)
    assert (found["low"], found["high"]) == pytest.approx((2.5, 97.5)) and found["dropped"] == pytest.approx(1 / 102)


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
    found = intervals.over_recordings(detections.sample_rates, alike)
    assert found["sensitivity"]["low"] == found["sensitivity"]["high"] == 0.75
    assert all(score["high"] - score["low"] == 0 for score in found.values())


def test_intervals_contain_their_score_and_widen_with_fewer_recordings():
    """In 20 worlds: each sensitivity, F1 and balanced accuracy is in its interval; 5 recordings tell less than 20."""
    wide, narrow = [], []
    for seed in range(20):
        for recordings, widths in ((5, wide), (20, narrow)):
            found = intervals.over_recordings(detections.sample_rates, counts(recordings, seed), draws=200)
            assert all(score["low"] <= score["value"] <= score["high"] for score in found.values())
            widths.append(found["f1"]["high"] - found["f1"]["low"])
    assert np.mean(wide) > 1.5 * np.mean(narrow)


def test_coverage():
    """100 worlds of 20 recordings whose true sensitivity is 0.7: the interval holds it in about 95, in 86 at least."""
    hits = 0
    for seed in range(100):
        score = intervals.over_recordings(detections.sample_rates, counts(20, seed), seed, 400)["sensitivity"]
        hits += score["low"] <= 0.7 <= score["high"]
    assert 86 <= hits <= 100


def test_undefined_draws_are_dropped():
    """One of four recordings holds the seizure: (3/4)^4 = 32 % of the draws have none, and so no sensitivity."""
    one = pd.DataFrame({"tp": [2, 0, 0, 0], "fn": [1, 0, 0, 0], "fp": 1, "tn": 9}, index=list("abcd"))
    found = intervals.over_recordings(detections.sample_rates, one)
    assert found["sensitivity"]["dropped"] == pytest.approx(0.75**4, abs=0.03)
    assert found["specificity"]["dropped"] == 0


def test_order_of_rows_changes_nothing():
    """The same recordings are drawn, in whatever order the table lists them."""
    table = counts(7)
    first, second = (intervals.over_recordings(detections.sample_rates, t) for t in (table, table.iloc[::-1]))
    assert first == second


def test_paired_difference_is_narrower_than_its_parts():
    """A detector that finds one sample more in each recording is ahead in every draw, whatever the recordings."""
    table = pd.DataFrame({"tp": [3, 9, 5, 11, 7, 2, 8], "fp": 3, "tn": 43}, index=list("abcdefg"))
    table["fn"] = 12 - table["tp"]
    better = table.assign(tp=table["tp"] + 1, fn=table["fn"] - 1)
    alone = intervals.over_recordings(detections.sample_rates, table)["sensitivity"]
    assert alone["high"] - alone["low"] > 0.2
    ours, theirs = (intervals.drawn(detections.sample_rates, t)["sensitivity"] for t in (better, table))
    values = [detections.sample_rates(**t.sum())["sensitivity"] for t in (better, table)]
    found = intervals.difference(*values, ours, theirs, 7)
    assert found["value"] == pytest.approx(1 / 12)
    assert found["low"] == pytest.approx(1 / 12) and found["high"] == pytest.approx(1 / 12)
    assert intervals.difference(None, 0.5, ours, theirs, 7)["value"] is None


def test_wilson_by_hand():
    """5 of 5 found: (1 + z²/10 ± z²/10)/(1 + z²/5) with z = 1.96: from 0.566 to 1; 0 of 5 is its mirror image."""
    found, none = intervals.wilson(5, 5), intervals.wilson(0, 5)
    assert found["value"] == 1 and found["high"] == pytest.approx(1)
    assert found["low"] == pytest.approx(1 / (1 + 1.959964**2 / 5), abs=1e-6)
    assert none["high"] == pytest.approx(1 - found["low"]) and none["low"] == pytest.approx(0)
    assert intervals.wilson(0, 0)["value"] is None and intervals.wilson(0, 0)["reason"]
    with pytest.raises(RecordingError, match="6 of 5"):
        intervals.wilson(6, 5)


def frames(decided, recording="a", seconds=4.0):
    """Samples whose last frames tile a recording from 8 s on, 4 s each."""
    start = 2 * seconds + seconds * np.arange(len(decided))
    return pd.DataFrame(
        {"recording": recording, "last_start_s": start, "end_s": start + seconds, "decided": np.asarray(decided, int)}
    )


def deciding(spans, duration_s, recording="a"):
    """Frames of a recording decided seizure where they lie within one of `spans`."""
    table = frames(np.zeros(int(duration_s / 4) - 2), recording)
    inside = [(table["last_start_s"] >= start) & (table["end_s"] <= end) for start, end in spans]
    return table.assign(decided=np.any(inside, axis=0).astype(int) if inside else 0)


def test_event_counts_add_up_to_the_scores():
    """Two recordings of 600 s, a hit and two false alarms (see test_scores): the sums give scores.event_scores."""
    seizures = pd.DataFrame([("a", 100, 130), ("a", 300, 340)], columns=COLUMNS)
    found = pd.DataFrame([("a", 120, 124), ("a", 500, 504), ("b", 48, 52)], columns=COLUMNS)
    durations = {"a": 600.0, "b": 600.0}
    table = detections.event_counts(found, seizures, durations)
    assert table.loc["a"].tolist() == pytest.approx([2, 1, 1, 1 / 6])
    assert table.loc["b"].tolist() == pytest.approx([0, 0, 1, 1 / 6])
    whole = scores.event_scores(found, seizures, durations)
    rates = scores.event_rates(**table.sum())
    assert rates == pytest.approx({name: whole[name] for name in rates})


def test_false_alarms_weigh_by_hours():
    """1 in an hour and 0 in 11 hours: 2 in 24 h, not the mean of 24 and 0."""
    table = pd.DataFrame({"seizures": 0, "detected": 0, "false_alarms": [1, 0], "hours": [1.0, 11.0]}, list("ab"))
    assert scores.event_rates(**table.sum())["fp_per_24h"] == 2
    assert scores.event_rates(**table.sum())["sensitivity"] is None


@pytest.mark.parametrize(
    ("spans", "latency"),
    [
        ([(104, 112)], 8.0),  # the frame 104–108 decides, known at 108
        ([(72, 76), (120, 124)], -24.0),  # within 30 s before the onset: early
        ([(40, 112)], -28.0),  # a long run: the frame 68–72 is its first within the tolerance
        ([(64, 68), (184, 188)], None),  # more than 30 s before and more than 60 s after: missed
        ([(60, 64), (140, 144)], 44.0),  # the same seizure touched only by its last frame
    ],
)
def test_latency_by_hand(spans, latency):
    """A seizure 100–110 s: the end of the first deciding frame after 70 s, less 100 s."""
    seizures = pd.DataFrame([("a", 100, 110)], columns=COLUMNS)
    found = detections.latencies(deciding(spans, 400), seizures, {"a": 400.0})
    assert found["detected"].tolist() == [int(latency is not None)]
    assert np.isnan(found["latency_s"][0]) if latency is None else found["latency_s"][0] == latency


def test_latency_uses_when_a_decision_is_known():
    """Post-processing that waits 12 s makes detection 12 s later."""
    seizures = pd.DataFrame([("a", 100, 110)], columns=COLUMNS)
    table = deciding([(104, 112)], 400)
    late = table.assign(known_s=table["end_s"] + 12)
    assert detections.latencies(late, seizures, {"a": 400.0})["latency_s"].tolist() == [20.0]


def test_seizures_are_counted_as_szcore_does():
    """Two seizures 60 s apart are one; one of 400 s is two, the second of which has no latency of its own; another
    recording's detection finds nothing here."""
    seizures = pd.DataFrame([("a", 100, 110), ("a", 170, 180), ("b", 100, 500)], columns=COLUMNS)
    durations = {"a": 400.0, "b": 800.0}
    table = pd.concat([deciding([(172, 180)], 400), deciding([(100, 500)], 800, "b")])
    found = detections.latencies(table, seizures, durations)
    assert found[["recording", "start_s", "end_s"]].to_numpy().tolist() == [
        ["a", 100, 180],
        ["b", 100, 400],
        ["b", 400, 500],
    ]
    assert found["continues"].tolist() == [0, 0, 1] and found["detected"].tolist() == [1, 1, 1]
    assert found["latency_s"].tolist()[:2] == [76.0, 4.0] and np.isnan(found["latency_s"][2])
    alone = detections.latencies(table[table["recording"] == "b"], seizures, durations)
    assert alone["detected"].tolist() == [0, 1, 1]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_found_seizures_are_those_timescoring_counts(data):
    """Random seizures and decisions: as many found, and as many in all, as scores.event_scores says, and each found
    one with an onset of its own has a latency."""
    bounds = data.draw(st.lists(st.integers(0, 1000), min_size=2, max_size=8, unique=True).map(sorted))
    spans = list(zip(bounds[::2], bounds[1::2], strict=False))
    seizures = pd.DataFrame([("a", start, end) for start, end in spans], columns=COLUMNS)
    decided = np.repeat(data.draw(st.lists(st.integers(0, 1), min_size=31, max_size=31)), 8)
    table = frames(decided)
    durations = {"a": 1000.0}
    found = detections.latencies(table, seizures, durations)
    whole = scores.event_scores(scores.events(table), seizures, durations)
    assert (len(found), found["detected"].sum()) == (whole["seizures"], whole["detected"])
    timed = (found["detected"] == 1) & (found["continues"] == 0)
    assert found["latency_s"].notna().equals(timed)
    assert (found["latency_s"].dropna() > -30).all()


def test_median_latency():
    """8, 12 and 20 s in three recordings, a miss in the fourth, none in the fifth: median 12, within 8–20 s."""
    rows = [("a", 8.0), ("b", 12.0), ("c", 20.0), ("d", np.nan)]
    table = pd.DataFrame(rows, columns=["recording", "latency_s"])
    found = detections.median_latency(table, list("abcde"))
    assert found["value"] == 12 and found["low"] == 8 and found["high"] == 20 and found["dropped"] < 0.05
    assert detections.median_latency(table.tail(1), list("abcde"))["value"] is None
    with pytest.raises(RecordingError, match="d hold"):
        detections.median_latency(table, list("abc"))
