"""Detections: what each recording adds to the scores, and each seizure's latency, in worlds counted by hand."""

import numpy as np
import pandas as pd
import pytest
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring

from helpers.evaluate import detections, intervals, scores


def decided(recording, seconds, spans, frame_s=4.0):
    """Return one sample a frame, decided seizure where the frame begins within one of `spans`."""
    start = np.arange(0, seconds, frame_s)
    hit = np.any([(start >= a) & (start < b) for a, b in spans] or [np.zeros(len(start), bool)], axis=0).astype(int)
    return pd.DataFrame({"recording": recording, "last_start_s": start, "end_s": start + frame_s, "decided": hit})


def annotated(*rows):
    return pd.DataFrame(rows, columns=["recording", "start_s", "end_s"])


def test_sums_of_recordings_are_the_whole():
    """a: 2 of 3 seizure samples found, 1 of 2 others wrong; b: none of 1, none of 4 wrong. Together TP 2, FN 2, FP 1,
    TN 5: accuracy 7/10, sensitivity ½, specificity 5/6, balanced accuracy 2/3, as scores.sample_scores says."""
    pairs = [(1, 1), (1, 1), (1, 0), (0, 1), (0, 0), (1, 0), (0, 0), (0, 0), (0, 0), (0, 0)]
    table = pd.DataFrame(pairs, columns=["label", "decided"]).assign(recording=list("aaaaabbbbb"))
    counts = detections.sample_counts(table)
    assert counts.loc["a"].tolist() == [2, 1, 1, 1] and counts.loc["b"].tolist() == [0, 1, 0, 4]
    rates = detections.sample_rates(**counts.sum().to_dict())
    whole = scores.sample_scores(*scores.confusion(table["label"], table["decided"]))
    assert all(rates[name] == whole[name] for name in rates if name in whole)
    assert rates["balanced_accuracy"] == pytest.approx((1 / 2 + 5 / 6) / 2) and rates["accuracy"] == 0.7


@pytest.mark.parametrize(
    "true",
    [[], [(0, 600)], [(596, 600)], [(100, 140), (200, 230)], [(100, 500)]],
    ids=["no seizure", "all seizure", "at the end", "60 s apart", "over 5 minutes"],
)
def test_event_counts_are_timescorings(true):
    """On the same masks, recording by recording and together: what timescoring counts when called directly."""
    seizures = annotated(*(("a", *span) for span in true), ("b", 50, 80))
    table = pd.concat([decided("a", 600, [(108, 130), (400, 420), (580, 600)]), decided("b", 600, [])])
    found, lengths = scores.events(table), {"a": 600.0, "b": 600.0}
    counts = detections.event_counts(found, seizures, lengths)
    spans = found.loc[found["recording"] == "a", ["start_s", "end_s"]].to_numpy().tolist()
    direct = EventScoring(Annotation([list(map(float, s)) for s in true], 10, 6000), Annotation(spans, 10, 6000))
    assert counts.loc["a"].tolist() == [direct.refTrue, direct.tp, direct.fp, pytest.approx(1 / 6)]
    assert counts.loc["b", ["seizures", "detected", "false_alarms"]].tolist() == [1, 0, 0]
    rates, whole = scores.event_rates(**counts.sum().to_dict()), scores.event_scores(found, seizures, lengths)
    assert {name: whole[name] for name in rates} == pytest.approx(rates)


def test_latencies_by_hand():
    """Onset at 100 s, first decision in the frame from 108 to 112 s: 12 s. A decision from 72 to 76 s, within the 30 s
    before the seizure at 98: known at 76 s, latency -22 s. A seizure without a decision: none. One decision long before
    counts for no seizure."""
    table = pd.concat([
        decided("a", 600, [(8, 12), (108, 116)]), decided("b", 600, [(72, 76)]), decided("c", 600, [(300, 304)]),
    ])  # fmt: skip
    seizures = annotated(("a", 100, 140), ("b", 98, 140), ("c", 100, 140))
    found = detections.latencies(table, seizures, dict.fromkeys("abc", 600.0))
    assert found["detected"].tolist() == [1, 1, 0]
    np.testing.assert_array_equal(found["latency_s"], [12, -22, np.nan])
    median = detections.median_latency(found, "abc")
    assert median["value"] == -5 and -22 <= median["low"] <= -5 <= median["high"] <= 12


def test_a_seizure_of_seven_minutes_is_timed_once():
    """SzCORE splits what is longer than 5 minutes: two rows; the second continues the first and has no latency."""
    found = detections.latencies(decided("a", 900, [(100, 500)]), annotated(("a", 90, 510)), {"a": 900.0})
    assert found["continues"].tolist() == [0, 1] and found["detected"].tolist() == [1, 1]
    np.testing.assert_array_equal(found["latency_s"], [14, np.nan])


def test_nothing_found_has_no_latency():
    """No decision at all: the median is undefined, and says so."""
    found = detections.latencies(decided("a", 600, []), annotated(("a", 90, 110)), {"a": 600.0})
    assert detections.median_latency(found, ["a"]) == intervals.interval(None, [np.nan] * intervals.DRAWS, 1)
