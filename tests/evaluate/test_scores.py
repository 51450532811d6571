"""Metrics on cases small enough to work out by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring

from helpers.evaluate import scores


def test_reference_study_solves_to_its_own_counts():
    """The reference's six metrics (96.80 %, 94.68 %, 97.86 %, 0.9519, 0.9679) come from TP 89, FN 5, FP 4, TN 183."""
    found = scores.sample_scores(89, 5, 4, 183)
    assert found["n"] == 281 and found["seizure"] == 94
    printed = [f"{found[name]:.4f}" for name in ("accuracy", "sensitivity", "specificity", "f1", "weighted_f1")]
    assert printed == ["0.9680", "0.9468", "0.9786", "0.9519", "0.9679"]


def test_by_hand():
    """TP 2, FN 1, FP 1, TN 4: accuracy 6/8, sensitivity 2/3, specificity 4/5, F1 2·2/(4+1+1) = 2/3,
    F1 of the other class 2·4/(8+1+1) = 0.8, weighted (3·2/3 + 5·0.8)/8 = 0.75."""
    assert scores.confusion([1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0, 0, 0]) == (2, 1, 1, 4)
    found = scores.sample_scores(2, 1, 1, 4)
    expected = {"accuracy": 0.75, "sensitivity": 2 / 3, "specificity": 0.8, "f1": 2 / 3, "weighted_f1": 0.75}
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert scores.undefined(found) == {}


def test_undefined_is_none_with_a_reason():
    """No seizure sample: sensitivity is 0/0, not 0; with nothing decided seizure either, so is F1."""
    found = scores.sample_scores(0, 0, 0, 5)
    assert found["sensitivity"] is None and found["f1"] is None and found["specificity"] == 1
    assert found["weighted_f1"] == 1
    assert set(scores.undefined(found)) == {"sensitivity", "f1"}
    assert scores.sample_scores(0, 0, 2, 3)["f1"] == 0


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=40))
def test_equal_to_scikit_learn(pairs):
    """Against an independent implementation, wherever it defines a value."""
    true, made = map(np.array, zip(*pairs, strict=True))
    found = scores.sample_scores(*scores.confusion(true, made))
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(true, made))
    weighted = reference.f1_score(true, made, average="weighted", zero_division=0)
    assert found["weighted_f1"] == pytest.approx(weighted)
    if true.any():
        assert found["sensitivity"] == pytest.approx(reference.recall_score(true, made, zero_division=0))
        assert found["f1"] == pytest.approx(reference.f1_score(true, made, zero_division=0))


def test_bad_labels_are_refused():
    """A probability in place of a decision is no label."""
    with pytest.raises(ValueError, match="each 0 or 1"):
        scores.confusion([0, 1], [0.2, 1])


def test_prevalence_by_hand():
    """TP 3, FN 1 and FP 2, TN 38 at 1:2: 4 seizure samples, 8 others, so FP = 2·8/40 = 0.4 and TN = 7.6."""
    weighted = scores.at_prevalence(2.0, 3, 1, 2, 38)
    assert weighted == pytest.approx((3, 1, 0.4, 7.6))
    before, after = scores.sample_scores(3, 1, 2, 38), scores.sample_scores(*weighted)
    assert after["sensitivity"] == before["sensitivity"] and after["specificity"] == pytest.approx(
        before["specificity"]
    )
    assert scores.at_prevalence(2.0, 0, 0, 1, 3) == (0, 0, 1, 3)


def table(decided, recording="a"):
    """Samples whose last frames tile a recording from 8 s on, 4 s each."""
    start = 8 + 4 * np.arange(len(decided))
    return pd.DataFrame({"recording": recording, "last_start_s": start, "end_s": start + 4, "decided": decided})


def test_events_join_neighbours():
    """0 1 1 0 1 from 8 s: events 12–20 s and 24–28 s; another recording's first sample does not join."""
    found = scores.events(pd.concat([table([0, 1, 1, 0, 1]), table([1, 0], "b")]))
    assert found.to_numpy().tolist() == [["a", 12, 20], ["a", 24, 28], ["b", 8, 12]]


def test_event_scores_by_hand():
    """Two recordings of 600 s, seizures 100–130 s and 300–340 s in a, none in b. Found: 120–124 s (a hit), 500–504 s
    in a and 50–54 s in b (false alarms, more than 60 s after and 90 s apart): 1 of 2, precision 1/3, F1 2/5,
    2 in 1200 s = 144 a day."""
    seizures = pd.DataFrame([("a", 100, 130), ("a", 300, 340)], columns=["recording", "start_s", "end_s"])
    found = pd.DataFrame([("a", 120, 124), ("a", 500, 504), ("b", 50, 54)], columns=seizures.columns)
    score = scores.event_scores(found, seizures, {"a": 600.0, "b": 600.0})
    expected = {"seizures": 2, "detected": 1, "false_alarms": 2, "sensitivity": 0.5, "precision": 1 / 3, "f1": 0.4}
    assert score == pytest.approx({**expected, "fp_per_24h": 144.0})


def test_event_scores_equal_timescoring_on_masks():
    """Lists of events or binary masks: the package says the same, and so do we, with a seizure at the file's end."""
    seizures = pd.DataFrame([("a", 10, 40), ("a", 280, 300)], columns=["recording", "start_s", "end_s"])
    found = pd.DataFrame([("a", 150, 160), ("a", 290, 300)], columns=seizures.columns)
    masks = []
    for events in (seizures, found):
        mask = np.zeros(3000, bool)
        for start, end in events[["start_s", "end_s"]].to_numpy():
            mask[start * 10 : end * 10] = True
        masks.append(Annotation(mask, 10))
    direct, ours = EventScoring(*masks), scores.event_scores(found, seizures, {"a": 300.0})
    assert (ours["detected"], ours["false_alarms"], ours["seizures"]) == (direct.tp, direct.fp, direct.refTrue)
    assert (ours["sensitivity"], ours["precision"]) == pytest.approx((direct.sensitivity, direct.precision))


def test_nothing_found_leaves_precision_undefined():
    """No event: precision is 0/0; sensitivity is 0 and no false alarm is none a day."""
    seizures = pd.DataFrame([("a", 10, 40)], columns=["recording", "start_s", "end_s"])
    score = scores.event_scores(seizures.iloc[:0], seizures, {"a": 300.0})
    assert score["precision"] is None and score["sensitivity"] == 0 and score["fp_per_24h"] == 0
