"""Mistakes: what the page of errors shows is chosen by rule, and is what the event scores count."""

import numpy as np
import pandas as pd
import pytest

from helpers.acquire.annotations import COLUMNS, Annotations
from helpers.evaluate import mistakes, scores


def table(p, alarm=None, recording="a", threshold=0.5, frame_s=4.0):
    """Return decisions on frames that follow each other from 8 s on; an alarm is where p reaches the threshold."""
    p = np.asarray(p, float)
    starts = 8 + frame_s * np.arange(len(p))
    alarm = p >= threshold if alarm is None else alarm
    times = {"recording": recording, "last_start_s": starts, "end_s": starts + frame_s, "known_s": starts + frame_s}
    return pd.DataFrame({**times, "p_smooth": p, "alarm_threshold": threshold, "alarm": np.asarray(alarm, int)})


def spans(*rows):
    return pd.DataFrame(rows, columns=COLUMNS)


def selected(p, seizures, shown=3, **options):
    world = table(p, **options)
    return mistakes.select(world, Annotations(seizures, {"a": world["end_s"].max()}), shown)


def test_a_missed_seizure_and_the_worst_false_alarms():
    """A seizure at 400–440 s that peaks at 0.4; of alarms at 108, 608 and 808 s the two highest are shown."""
    p = np.full(250, 0.01)
    p[[25, 150, 200]], p[99] = (0.6, 0.9, 0.7), 0.4
    found = selected(p, spans(("a", 400.0, 440.0)), shown=2)
    assert found["kind"].tolist() == [mistakes.MISSED, mistakes.FALSE_ALARM, mistakes.FALSE_ALARM]
    assert found["start_s"].tolist() == [400, 608, 808] and found["end_s"].tolist() == [440, 612, 812]
    assert found["p_peak"].tolist() == [0.4, 0.9, 0.7] and found["peak_s"].tolist() == [406, 610, 810]
    assert (found["threshold"] == 0.5).all() and found.columns.tolist() == mistakes.COLUMNS


def test_without_an_error_the_nearest_stand_in():
    """Both are found, the second with less to spare; and the highest frame without an alarm, away from both."""
    p = np.full(250, 0.01)
    p[50], p[125], p[200], p[126] = 0.9, 0.6, 0.3, 0.45  # 0.45 is within the second seizure's tolerance
    found = selected(p, spans(("a", 200.0, 220.0), ("a", 500.0, 512.0)))
    assert found["kind"].tolist() == [mistakes.LEAST_SURE, mistakes.LOUDEST]
    assert found["start_s"].tolist() == [500, 808] and found["p_peak"].tolist() == [0.6, 0.3]


def test_the_least_sure_is_measured_against_its_own_threshold():
    """Folds have thresholds of their own: 0.6 of 0.5 is less sure than 0.5 of 0.1."""
    quiet = np.full(100, 0.01)
    one, other = quiet.copy(), quiet.copy()
    one[50], other[50] = 0.6, 0.5
    world = pd.concat([table(one), table(other, recording="b", threshold=0.1)], ignore_index=True)
    annotations = Annotations(spans(("a", 208.0, 212.0), ("b", 208.0, 212.0)), {"a": 408.0, "b": 408.0})
    found = mistakes.select(world, annotations, 3)
    assert found["recording"].iloc[0] == "a" and found["threshold"].iloc[0] == 0.5


@pytest.mark.parametrize("seed", range(8))
def test_errors_are_those_that_the_event_scores_count(seed):
    """On random alarms in two recordings, with seizures over 5 min, near each other and at the ends."""
    generator = np.random.default_rng(seed)
    parts = []
    for name in ("a", "b"):
        alarm = np.repeat(generator.random(100) < 0.12, 3)
        parts.append(table(generator.random(300), alarm, name))
    world = pd.concat(parts, ignore_index=True)
    seizures = spans(("a", 20.0, 40.0), ("a", 100.0, 500.0), ("a", 1190.0, 1208.0), ("b", 600.0, 620.0))
    annotations = Annotations(seizures, {"a": 1208.0, "b": 1208.0})
    counted = scores.event_scores(scores.events(world), annotations)
    found = mistakes.select(world, annotations, 1000)["kind"]
    assert (found == mistakes.MISSED).sum() == counted["seizures"] - counted["detected"]
    assert (found == mistakes.FALSE_ALARM).sum() == counted["false_alarms"]
    assert (found == mistakes.LEAST_SURE).sum() == (counted["seizures"] == counted["detected"])


def test_windows_lie_within_the_recording():
    """5 s before an onset, around an alarm's peak; moved inwards at the ends, shorter where the recording is."""
    rows = [
        (mistakes.MISSED, 100.0, 140.0, 120.0), (mistakes.FALSE_ALARM, 300.0, 308.0, 306.0),
        (mistakes.MISSED, 2.0, 20.0, 12.0), (mistakes.LOUDEST, 396.0, 400.0, 398.0),
    ]  # fmt: skip
    rows = pd.DataFrame(rows, columns=["kind", "start_s", "end_s", "peak_s"])
    found = [mistakes.window(row, 400.0) for row in rows.itertuples()]
    assert found == [(95, 115), (296, 316), (0, 20), (380, 400)]
    assert mistakes.window(next(rows.itertuples()), 12.0) == (0, 12)
