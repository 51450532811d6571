"""Controls: hand-worked ones, and the fast count of events against `timescoring`."""

import time

import numpy as np
import pandas as pd
import pytest

from helpers.acquire.annotations import COLUMNS, Annotations
from helpers.evaluate import controls, scores


def annotations(seizures, durations_s):
    return Annotations(pd.DataFrame(seizures, columns=COLUMNS), durations_s)


def spans(generator, count, duration_s):
    """Spans of whole seconds, in order, that neither touch nor leave the recording, float [span, 2]."""
    edges = generator.choice(np.arange(duration_s + 1), 2 * count, replace=False)
    return np.sort(edges).reshape(-1, 2).astype(float)


def test_events_are_counted_as_by_timescoring():
    """400 random recordings of 2 to 40 min, of 0 to 4 seizures and 0 to 6 alarms: merged, split and tolerant alike."""
    generator = np.random.default_rng(0)
    for _ in range(400):
        duration_s = int(generator.integers(120, 2400))
        true, found = (spans(generator, generator.integers(0, most), duration_s) for most in (5, 7))
        score = scores.score_recording(true, found, duration_s)
        start, end = (found.T[:, None] * 10).astype(int)
        counted = controls.count_events(true, start, end, duration_s * 10)
        assert counted.tolist() == [[score.refTrue, score.tp, score.fp]]


def test_overlapping_alarms_are_one_and_those_without_length_are_none():
    """In any order: 0–200 s holds 10–20 s, 800–1000 s meets 950–1100 s, nothing lasts from 500 to 500 s. The seizure
    at 2000 s is missed, by 0.1 s in the second draw, and found by the third."""
    start = np.array([[8000, 100, 5000, 0, 9500], [19600, 0, 0, 0, 0], [19601, 0, 0, 0, 0]])
    end = np.array([[10000, 200, 5000, 2000, 11000], [19700, 0, 0, 0, 0], [19701, 0, 0, 0, 0]])
    found = controls.count_events(np.array([[2000.0, 2010.0]]), start, end, 30000)
    assert found.tolist() == [[1, 0, 2], [1, 0, 1], [1, 1, 0]]


def test_always_on_by_hand():
    """240 s with a seizure: found, no false alarm. 900 s with a seizure at 100–150 s: of three parts of 300 s the first
    is true, two are false; 600 s without a seizure: two more. F1 = 4/(4 + 4), in 29 min 198.6 false alarms a day."""
    about = annotations([("a", 100, 140), ("b", 100, 150)], {"a": 240.0, "b": 900.0, "c": 600.0})
    row = controls.score_controls(pd.DataFrame([("b", 100, 120)], columns=COLUMNS), about, draws=5)[0]
    assert row == {
        "control": "always on",
        "sensitivity": 1.0,
        "precision": 2 / 6,
        "f1": 0.5,
        "fp_per_24h": 4 / (1740 / 86400),
    }


def test_random_and_rotated_alarms_by_hand():
    """An alarm of 100 s in 10,000 s, a seizure of 210 s at 5000 s: found if it begins within 4870–5270 s, in 400 of
    9901 s (random) or 10,000 s (rotated). So F1 is 1 in 4 % of the draws, else 0."""
    about = annotations([("a", 5000, 5210)], {"a": 10000.0})
    found = pd.DataFrame([("a", 5050, 5150)], columns=COLUMNS)
    _, random, rotated = controls.score_controls(found, about, draws=20000)
    for row in (random, rotated):
        assert row["f1"] == pytest.approx(0.04, abs=0.006)
        assert row["sensitivity"] == pytest.approx(row["f1"]) and (row["f1_low"], row["f1_high"]) == (0, 1)
    assert rotated["reached"] == pytest.approx(rotated["f1"], abs=1e-4) and "reached" not in random
    assert rotated["fp_per_24h"] == pytest.approx((1 - rotated["f1"]) * 8.64, rel=0.02)


def test_rotated_alarms_stay_in_their_recording():
    """An alarm over all of the recording with the seizure finds it however it is rotated; anywhere else it may not."""
    about = annotations([("a", 100, 140)], {"a": 200.0, "b": 10000.0})
    found = pd.DataFrame([("a", 0, 200)], columns=COLUMNS)
    _, random, rotated = controls.score_controls(found, about, draws=200)
    assert rotated["f1"] == rotated["reached"] == 1 and random["f1"] < 0.2


def test_no_alarm_has_controls():
    """Nothing to rotate: nothing is found, as by the detector, and precision is undefined."""
    rows = controls.score_controls(pd.DataFrame(columns=COLUMNS), annotations([("a", 10, 40)], {"a": 240.0}), draws=9)
    assert [row["f1"] for row in rows] == [1, 0, 0] and rows[2]["reached"] == 1 and rows[2]["precision"] is None


def test_a_study_takes_seconds():
    """1000 draws for 16 recordings of 15 min; the same seed gives the same numbers."""
    generator = np.random.default_rng(2)
    durations = {f"r{number:02d}": 900.0 for number in range(16)}
    about = annotations([(name, 300, 350) for name in list(durations)[::2]], durations)
    found = [(name, *span) for name in durations for span in spans(generator, 2, 900)]
    found, began = pd.DataFrame(found, columns=COLUMNS), time.process_time()
    rows = controls.score_controls(found, about)
    assert time.process_time() - began < 4 and rows == controls.score_controls(found, about)
