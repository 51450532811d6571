"""Scores of samples, rankings and events in worlds counted by hand, against scikit-learn and timescoring."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring

from helpers.acquire.annotations import COLUMNS, Annotations
from helpers.evaluate import scores


def frames(alarm, recording="a"):
    """Frames of 4 s that tile a recording from 8 s on, each known at its end."""
    start = 8.0 + 4 * np.arange(len(alarm))
    times = {"last_start_s": start, "end_s": start + 4, "known_s": start + 4}
    return pd.DataFrame({"recording": recording, **times, "alarm": np.asarray(alarm, int)})


def alarms_within(spans, duration_s, recording="a"):
    """Frames of a recording, with an alarm where they lie within one of `spans`."""
    table = frames(np.zeros(int(duration_s / 4) - 2), recording)
    inside = [(table["last_start_s"] >= start) & (table["end_s"] <= end) for start, end in spans]
    return table.assign(alarm=np.any(inside, axis=0).astype(int) if inside else 0)


def spans_of(*rows):
    return pd.DataFrame(rows, columns=COLUMNS)


def annotated(*rows, **durations_s):
    return Annotations(spans_of(*rows), durations_s)


def test_reference_study_solves_to_its_own_counts():
    """The reference's metrics (96.80 %, 94.68 %, 97.86 %, 0.9519, 0.9679) come from TP 89, FN 5, FP 4, TN 183."""
    found = scores.sample_scores(89, 5, 4, 183)
    assert found["n"] == 281 and found["seizure"] == 94
    printed = [f"{found[name]:.4f}" for name in ("accuracy", "sensitivity", "specificity", "f1", "weighted_f1")]
    assert printed == ["0.9680", "0.9468", "0.9786", "0.9519", "0.9679"]


@pytest.mark.parametrize(
    ("counts", "reasons"),
    [
        ((0, 0, 0, 5), {"sensitivity": "there is no seizure sample", "f1": "there is no seizure sample, and none was"}),
        ((0, 0, 2, 3), {"sensitivity": "there is no seizure sample"}),
        ((3, 1, 0, 0), {"specificity": "there is no non-seizure sample"}),
    ],
)
def test_undefined_is_none_with_a_reason(counts, reasons):
    """0/0 is neither 0 nor 1; F1 is 0, and defined, as soon as anything is decided seizure."""
    found = scores.undefined_reasons(scores.sample_scores(*counts) | {"threshold": 0.5})
    assert list(found) == list(reasons) and all(found[name].startswith(reasons[name]) for name in reasons)
    assert scores.sample_rates(*counts)["balanced_accuracy"] is None


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=40))
def test_samples_equal_scikit_learn(pairs):
    """Wherever scikit-learn defines a value, ours is the same."""
    true, made = map(np.array, zip(*pairs, strict=True))
    found = scores.sample_scores(*scores.confusion(true, made))
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(true, made))
    weighted = reference.f1_score(true, made, average="weighted", zero_division=0)
    assert found["weighted_f1"] == pytest.approx(weighted)
    if 0 < true.sum() < len(true):
        balanced = reference.balanced_accuracy_score(true, made)
        assert scores.sample_rates(*scores.confusion(true, made))["balanced_accuracy"] == pytest.approx(balanced)
    if true.any():
        assert found["sensitivity"] == pytest.approx(reference.recall_score(true, made, zero_division=0))
        assert found["f1"] == pytest.approx(reference.f1_score(true, made, zero_division=0))


@pytest.mark.parametrize(("label", "decided"), [([0, 1], [0.2, 1]), ([0, 2], [0, 1]), ([0], [0, 1])])
def test_what_is_no_decision_is_refused(label, decided):
    """A probability, a third class, or a list too short."""
    with pytest.raises(ValueError):
        scores.confusion(label, decided)


def test_prevalence_by_hand():
    """TP 3, FN 1 and FP 2, TN 38 at 1:2: 4 seizure samples, 8 others, so FP = 2·8/40 = 0.4 and TN = 7.6."""
    weighted = scores.at_prevalence(2.0, 3, 1, 2, 38)
    before, after = scores.sample_rates(3, 1, 2, 38), scores.sample_rates(*weighted)
    assert weighted == pytest.approx((3, 1, 0.4, 7.6))
    assert [after[name] for name in ("sensitivity", "specificity")] == pytest.approx([0.75, before["specificity"]])
    assert scores.at_prevalence(2.0, 0, 0, 1, 3) == (0, 0, 1, 3)


def test_ranking_by_hand():
    """Seizure at 0.9 and 0.4, others at 0.6 and 0.1: 3 of 4 pairs are in order. Precision is 1 at recall 1/2 and 2/3
    at recall 1: average (1 + 2/3)/2; with others weighing 3, 2/5 at recall 1. Equal probabilities count half."""
    label, p = [1, 0, 1, 0], [0.9, 0.6, 0.4, 0.1]
    assert scores.auroc(label, p) == 0.75 and scores.auroc([1, 0], [0.5, 0.5]) == 0.5
    assert [scores.auprc(label, p, weight) for weight in (1, 3)] == pytest.approx([5 / 6, (1 + 2 / 5) / 2])


@pytest.mark.parametrize(("label", "reason"), [([], "no sample"), ([1, 1], "non-seizure"), ([0, 0], "no seizure")])
def test_one_class_has_no_ranking(label, reason):
    """No order of one class is good or bad: None, not 0, 0.5 or 1, with the reason."""
    p = [0.3, 0.6][: len(label)]
    assert scores.auroc(label, p) is None and scores.auprc(label, p) is None
    assert reason in scores.missing_class(sum(label), len(label))


def test_f1_by_threshold_by_hand():
    """Samples 0.2 (no), 0.4 (yes), 0.6 (no), 0.8 (yes): from 0.8 on TP 1, FN 1; from 0.4 on TP 2, FP 1."""
    thresholds, f1 = scores.f1_curve([0, 1, 0, 1], [0.2, 0.4, 0.6, 0.8])
    assert thresholds.tolist() == [0.2, 0.4, 0.6, 0.8] and np.allclose(f1, [2 / 3, 4 / 5, 1 / 2, 2 / 3])
    assert scores.f1_curve([1, 0], [0.1, 0.9])[1].tolist() == [2 / 3, 0]


def test_events_join_neighbours():
    """0 1 1 0 1 from 8 s: events 12–20 s and 24–28 s; another recording's first sample does not join."""
    mixed = pd.concat([frames([1, 0], "b"), frames([0, 1, 1, 0, 1])]).sample(frac=1, random_state=0)
    assert scores.events(mixed).to_numpy().tolist() == [["a", 12, 20], ["a", 24, 28], ["b", 8, 12]]


def test_event_scores_by_hand():
    """Two recordings of 600 s, seizures 100–130 s and 300–340 s in a, none in b. Found: 120–124 s (a hit), 500–504 s
    in a and 50–54 s in b (false alarms, more than 60 s after and 90 s apart): 1 of 2, precision 1/3, F1 2/5,
    2 in 1200 s = 144 a day. An hour with a false alarm and eleven without: 2 a day, not the mean of 24 and 0."""
    annotations = annotated(("a", 100, 130), ("a", 300, 340), a=600.0, b=600.0)
    found = spans_of(("a", 120, 124), ("a", 500, 504), ("b", 50, 54))
    expected = {"seizures": 2, "detected": 1, "false_alarms": 2, "sensitivity": 0.5, "precision": 1 / 3, "f1": 0.4}
    assert scores.event_scores(found, annotations) == pytest.approx({**expected, "fp_per_24h": 144.0})
    counts = scores.event_counts(found, annotations)
    assert counts.loc["a"].tolist() == pytest.approx([2, 1, 1, 1 / 6]) and counts.loc["b"].tolist()[:3] == [0, 0, 1]
    rates = scores.event_rates(0, 0, 1, 12.0)
    assert (rates["fp_per_24h"], rates["sensitivity"], scores.event_rates(1, 0, 0, 1)["precision"]) == (2, None, None)


EDGES = {
    "no seizure": (60, [], [10, 11], (0, 0, 1)),
    "no seizure, nothing decided": (60, [], [], (0, 0, 0)),
    "all seizure": (60, [(0, 248)], range(60), (1, 1, 0)),
    "all seizure, longer than 5 min": (160, [(0, 648)], range(160), (3, 3, 0)),
    "one sample": (1, [(8, 12)], [0], (1, 1, 0)),
    "one sample, missed": (1, [(8, 12)], [], (1, 0, 0)),
    "at the file's end": (60, [(230, 248)], [59], (1, 1, 0)),
    "at the file's end, cut early by tolerance": (60, [(230, 248)], [45], (1, 0, 1)),
    "two seizures 60 s apart": (100, [(100, 120), (180, 200)], [25], (1, 1, 0)),
    "two seizures 100 s apart": (100, [(100, 120), (220, 240)], [25], (2, 1, 0)),
}


@pytest.mark.parametrize("name", EDGES)
def test_events_equal_timescoring_on_masks(name):
    """Seizures, those found, and false alarms, by hand and by timescoring on masks of the same decisions; the first
    8 s have no decision, and count as none."""
    n, spans, high, expected = EDGES[name]
    table, duration_s = frames(np.isin(np.arange(n), list(high))), 8.0 + 4 * n
    masks = np.zeros((2, round(duration_s * 10)), bool)
    decided = table.loc[table["alarm"] == 1, ["last_start_s", "end_s"]].to_numpy()
    for mask, own in zip(masks, (spans, decided), strict=True):
        for start, end in own:
            mask[round(start * 10) : round(end * 10)] = True
    direct = EventScoring(*(Annotation(mask, 10) for mask in masks))
    found = scores.event_scores(scores.events(table), annotated(*(("a", *span) for span in spans), a=duration_s))
    assert (found["seizures"], found["detected"], found["false_alarms"]) == expected
    assert (direct.refTrue, direct.tp, direct.fp) == expected
    for key, value in (("sensitivity", direct.sensitivity), ("precision", direct.precision)):
        assert np.isnan(value) if found[key] is None else found[key] == pytest.approx(value)
    assert found["fp_per_24h"] == pytest.approx(direct.fpRate)


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
    """A seizure 100–110 s: the first alarm frame that ends after 70 s, less 100 s; known 12 s later, 12 s later."""
    table, annotations = alarms_within(spans, 400), annotated(("a", 100, 110), a=400.0)
    for wait_s in (0, 12):
        found = scores.latencies(table.assign(known_s=table["end_s"] + wait_s), annotations)
        assert found["detected"].tolist() == [int(latency is not None)]
        wanted = np.nan if latency is None else latency + wait_s
        np.testing.assert_array_equal(found["latency_s"], [wanted])


def test_seizures_are_counted_as_szcore_does():
    """Two seizures 60 s apart are one; one of 400 s is two, the second of which continues the first and has no latency;
    another recording's alarm finds nothing here."""
    annotations = annotated(("a", 100, 110), ("a", 170, 180), ("b", 100, 500), ("c", 300, 320), a=400, b=800, c=400)
    table = pd.concat([alarms_within([(172, 180)], 400), alarms_within([(100, 500)], 800, "b")])
    found = scores.latencies(pd.concat([table, alarms_within([], 400, "c")]), annotations)
    assert found[COLUMNS].to_numpy().tolist() == [["a", 100, 180], ["b", 100, 400], ["b", 400, 500], ["c", 300, 320]]
    assert found["continues"].tolist() == [0, 0, 1, 0] and found["detected"].tolist() == [1, 1, 1, 0]
    np.testing.assert_array_equal(found["latency_s"], [76, 4, np.nan, np.nan])
