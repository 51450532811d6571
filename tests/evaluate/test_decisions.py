"""Decisions: each step by hand, its cost in time; a fold chooses on its inner recordings alone."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_scores import annotated, frames

from helpers.acquire.annotations import Annotations
from helpers.evaluate import calibration, decisions, scores
from helpers.study.errors import RecordingError
from helpers.train import folds, training

SEIZURE = slice(20, 30)  # frames, of 4 s from 8 s on: 88–128 s


def predicted(log_odds, recording="a", label=0):
    """Frames with these log-odds."""
    table = frames(np.zeros(len(log_odds)), recording)[["recording", "last_start_s", "end_s"]]
    return table.assign(log_odds=np.array(log_odds, float), label=label)


def inner_world(seeds, quiet, n=200, noise=1.5):
    """Recordings with a seizure of frames 100–114 (408–468 s), log-odds higher by 3; and quiet ones."""
    generator = np.random.default_rng(99)
    label = ((np.arange(n) >= 100) & (np.arange(n) < 115)).astype(int)
    tables = [
        predicted(-2 + 3 * label + np.random.default_rng(seed).normal(0, noise, n), f"s{seed}", label) for seed in seeds
    ]
    tables += [predicted(-2 + generator.normal(0, noise, n), f"f{number}") for number in range(quiet)]
    durations = {part["recording"].iloc[0]: 8.0 + 4 * n for part in tables}
    return pd.concat(tables, ignore_index=True), annotated(*((f"s{seed}", 408.0, 468.0) for seed in seeds), **durations)


def study(seed=0, rise=4.0, noise=1.0):
    """Predictions of five folds: a–e hold a seizure, f and g none; networks that find it, each with its own noise."""
    names, generator = list("abcdefg"), np.random.default_rng(seed)
    samples = pd.concat([predicted(np.zeros(60), name) for name in names], ignore_index=True).drop(columns="log_odds")
    samples["label"] = (np.isin(samples.index % 60, range(20, 30)) & (samples["recording"] < "f")).astype(int)
    planned, scored = folds.leave_blocks_out(names, set("abcde"), 5), []
    for split in folds.splits(planned):
        unseen = samples[~samples["recording"].isin(split.train)]
        scored.append((split, -2 + rise * unseen["label"] + generator.normal(0, noise, len(unseen))))
    annotations = annotated(*((name, 88.0, 128.0) for name in "abcde"), **dict.fromkeys(names, 248.0))
    return planned, *training.out_of_fold(planned, scored, samples), annotations


@cache
def decided_study(**options):
    """Return `study`'s parts, to be left as they are, and its decisions and choices."""
    planned, predictions, inner, annotations = study(**options)
    return planned, predictions, inner, annotations, *decisions.decide(predictions, inner, annotations)


def f1_of(label, decided):
    return 2 * np.sum(decided & (label == 1)) / (np.sum(decided) + np.sum(label))


@pytest.mark.parametrize(
    ("label", "log_odds", "threshold"),
    [
        ([1, 1, 0, 0, 0], [-1, 4, -3, -2, 1], -1.5),  # above -2: TP 2, FP 1, F1 4/5, the best
        ([0, 0, 1, 1], [-3, -2, 4, 5], 1),  # any between -2 and 4 is best; the middle is the farthest
        ([1, 1, 0, 0, 0], [5, -2, 1, 0, -3], 3),  # F1 2/3 in 1–5 and in -3–-2; the first is wider
        ([1, 1, 0], [-3, 2, -1], -3.5),  # from the lowest one on all are decided seizure: F1 4/5
    ],
)
def test_threshold_by_hand(label, log_odds, threshold):
    assert decisions.best_threshold(label, log_odds) == threshold


samples = st.lists(st.tuples(st.integers(0, 1), st.integers(-6, 6)), min_size=2, max_size=40).filter(
    lambda rows: any(label for label, _ in rows)
)


@given(samples)
def test_no_other_threshold_is_better(rows):
    """Of all thresholds from −8 to 8 none has a higher sample F1: than `best_threshold`, and than the best of the
    candidates, of which none lies on a sample. The widest of the best candidates is `best_threshold`."""
    label, log_odds = (np.array(column) for column in zip(*rows, strict=True))
    best = max(f1_of(label, log_odds >= threshold) for threshold in np.arange(-8, 8, 0.25))
    found = [(f1_of(label, log_odds >= at), width, at) for at, width in decisions.candidate_thresholds(label, log_odds)]
    single = decisions.best_threshold(label, log_odds)
    assert max(found)[0] == best == f1_of(label, log_odds >= single)
    assert not set(log_odds) & {threshold for _, _, threshold in found}
    widest = max(width for score, width, _ in found if score == best)
    assert any(threshold == single and width == widest for _, width, threshold in found)


def test_candidates_by_hand():
    """Others at 1, 3, 6, seizure at 4, 5 and 8: the gaps below 4, 5 and 8, and their widths. Of 500 gaps 40 are tried,
    evenly, the lowest and the highest among them."""
    found = decisions.candidate_thresholds([0, 0, 0, 1, 1, 1], [1, 3, 6, 4, 5, 8])
    assert found == [(3.5, 1), (4.5, 1), (7, 2)]
    found = [threshold for threshold, _ in decisions.candidate_thresholds(np.arange(1000) % 2, np.arange(1000))]
    assert len(found) == decisions.CANDIDATES == 40 and found == sorted(found)
    assert (found[0], found[-1]) == (0.5, 998.5) and np.diff(found).max() < 30


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=30), st.lists(st.floats(-20, 20), min_size=1, max_size=9))
def test_smoothing_is_the_mean_of_five_frames(first, second):
    """Two before, two after, fewer at a recording's ends; another recording's are not among them, in whatever order."""
    tables = [predicted(values, name) for values, name in zip((first, second), "ab", strict=True)]
    mixed = pd.concat(tables, ignore_index=True).sample(frac=1, random_state=0)
    around = [np.mean(values[max(0, at - 2) : at + 3]) for values in (first, second) for at in range(len(values))]
    assert pd.Series(decisions.smooth(mixed), mixed.index).sort_index().to_numpy() == pytest.approx(around, abs=1e-9)


@pytest.mark.parametrize(
    ("decided", "frames", "kept"),
    [([1, 0, 1, 1, 0, 1], 2, [0, 0, 1, 1, 0, 0]), ([1, 0, 1], 1, [1, 0, 1]), ([0, 0], 3, [0, 0])],
)
def test_short_runs_are_dropped(decided, frames, kept):
    """At the ends too."""
    assert decisions.drop_short(decided, frames).tolist() == kept


@pytest.mark.parametrize("rows", [[0, 1, 3], [0, 1, 1, 2]])
def test_a_missing_or_double_frame_is_refused(rows):
    """An average over them would be none over time."""
    table = predicted([1, 2, 3, 4]).iloc[rows]
    for refuse in (
        lambda: decisions.raise_alarms(table, decisions.UNTRAINED),
        lambda: scores.events(table.assign(alarm=1)),
        lambda: decisions.choose_alarm(table.assign(label=table["log_odds"] == 2), annotated(("a", 12, 16), a=24.0)),
    ):
        with pytest.raises(RecordingError, match="a: after 16 s"):
            refuse()


@pytest.mark.parametrize(
    ("high", "minimum", "known"),
    [
        ([2, 3, 4], 1, [28, 32, 36]),  # frames 2, 3, 4 end at 20, 24, 28 s; two more have to come
        ([2, 3, 4], 3, [36, 36, 36]),  # only the third says that there are three, and it waits for two
        ([6, 7, 8], 1, [44, 44, 44]),  # nothing is waited for after the end
        ([2, 3, 4], 4, []),
    ],
)
def test_when_alarms_are_known(high, minimum, known):
    """Log-odds 4 in three of 9 frames, which end at 12, 16, … 44 s, and −5 in the others: of five frames' mean, 0 is
    reached by the three alone. Rows and columns stay as they were."""
    table = predicted(np.where(np.isin(np.arange(9), high), 4, -5)).iloc[::-1]
    found = decisions.raise_alarms(table, {"log_odds": 0.0, "minimum": minimum})
    pd.testing.assert_frame_equal(found[table.columns], table)
    assert found.index[found["alarm"] == 1].tolist() == (high[::-1] if known else [])
    assert found.loc[found["alarm"] == 1, "known_s"].tolist() == known[::-1]


def test_the_alarm_threshold_takes_the_widest_gap(monkeypatch):
    """Without smoothing: seizure 5 and −2, two beside it 3, others −6: above 3 one of two is found (F1 2/3), above −6
    two with two false (2/3): the gap from −6 to −2 is the wider, its middle −4."""
    log_odds, label = np.full(60, -6.0), np.zeros(60, int)
    log_odds[[29, 30, 31, 32]], label[[30, 31]] = [3, 5, -2, 3], 1
    monkeypatch.setattr(decisions, "SMOOTHED", 1)
    found = decisions.choose_alarm(predicted(log_odds, label=label), annotated(("a", 128.0, 136.0), a=248.0))
    assert found == {"log_odds": -4, "minimum": 1, "frames": 1, "event_f1": 1, "sample_f1": 2 / 3}


@pytest.mark.parametrize(("false", "minimum"), [([], 1), ([60, 100], 2), ([60, 61, 100], 3)])
def test_a_smallest_duration_must_earn_its_wait(monkeypatch, false, minimum):
    """A seizure of five frames at 2, and single frames of 3 far from it, each a false alarm: two frames at least remove
    all of them, a pair of frames needs three. Without them nothing is gained, and one frame is enough."""
    monkeypatch.setattr(decisions, "SMOOTHED", 1)
    log_odds, label = np.full(130, -5.0), np.zeros(130, int)
    log_odds[10:15], label[10:15] = 2, 1
    log_odds[false] = 3
    found = decisions.choose_alarm(predicted(log_odds, label=label), annotated(("a", 48.0, 68.0), a=528.0))
    assert (found["minimum"], found["event_f1"], found["sample_f1"]) == (minimum, 1, 1)


@pytest.mark.parametrize(("seeds", "quiet"), [([0], 0), ([2, 3], 1), ([4], 2)])
def test_the_choice_scores_what_it_says(seeds, quiet):
    """On one inner recording or several, some without a seizure: its two F1 are those of scores on the alarms; neither
    the order of rows nor other recordings' seizures matter."""
    table, annotations = inner_world(seeds, quiet)
    found = decisions.choose_alarm(table, annotations)
    decided = decisions.raise_alarms(table, found)
    assert found["event_f1"] == pytest.approx(scores.event_scores(scores.events(decided), annotations)["f1"])
    assert found["sample_f1"] == f1_of(decided["label"], decided["alarm"])
    elsewhere = annotated(("elsewhere", 0.0, 50.0), elsewhere=99.0)
    seizures = pd.concat([elsewhere.seizures, annotations.seizures])
    more = Annotations(seizures, elsewhere.durations_s | annotations.durations_s)
    assert decisions.choose_alarm(table.sample(frac=1, random_state=1), more) == found


def test_decisions_by_hand():
    """Inner log-odds: 1 in the seizure, −1 elsewhere; so the threshold is 0, and so is that of alarms, as the mean of
    five frames is 0.2 in the seizure's first and −0.2 before it. As a probability either is that of log-odds 0. A
    held-out log-odds of 0.5 is decided seizure, and one of −0.5 is not, with or without an alarm."""
    label = np.zeros(60, int)
    label[SEIZURE] = 1
    own = predicted(2.0 * label - 1, "b", label).assign(fold=0)
    held_out = predicted(label - 0.5, "a", label).assign(fold=0)
    annotations = annotated(("a", 88.0, 128.0), ("b", 88.0, 128.0), a=248.0, b=248.0)
    table, (choice,) = decisions.decide(held_out, own, annotations)
    assert (choice["fold"], choice["log_odds"], choice["alarm"]["minimum"]) == (0, 0, 1)
    assert choice["alarm"]["log_odds"] == pytest.approx(0, abs=1e-12)
    even = 1 / (1 + np.exp(-choice["calibration"]["intercept"]))
    assert choice["threshold"] == pytest.approx(even) == choice["alarm"]["threshold"]
    assert (table["decided"] == table["label"]).all() and (table["alarm"] == table["label"]).all()
    for column, decided in (("p_seizure", "decided"), ("p_smooth", "alarm")):
        assert ((table[column] > even) == (table[decided] == 1)).all()


def test_what_is_chosen_is_the_best_on_inner_recordings_and_is_applied():
    """Fold by fold, in order: thresholds and alarm are chosen on its inner samples, and decide; what is shown as a
    probability comes from its calibration, which changes no decision. Rows of predictions stay as they are."""
    planned, predictions, inner, annotations, table, choices = decided_study(noise=2.0)
    assert [choice["fold"] for choice in choices] == [fold.number for fold in planned]
    for choice, fold in zip(choices, planned, strict=True):
        own, part = (every[every["fold"] == fold.number] for every in (inner, table))
        assert own["recording"].nunique() == 7 - len(fold.held_out)
        fitted = calibration.fit(own["log_odds"], own["label"])
        assert choice["calibration"] == fitted
        assert choice["log_odds"] == decisions.best_threshold(own["label"], own["log_odds"])
        alarm = decisions.choose_alarm(own, annotations)
        assert choice["alarm"] == alarm | {"threshold": calibration.calibrate(alarm["log_odds"], fitted)}
        assert (part["decided"] == (part["log_odds"] >= choice["log_odds"])).all()
        assert (part["decided"] == (part["p_seizure"] >= part["threshold"])).all()
        assert (part["log_odds_smooth"] == decisions.smooth(part)).all()
        raised = decisions.raise_alarms(part[predictions.columns], alarm)
        pd.testing.assert_frame_equal(raised, part[raised.columns])
        for shown, column in (("p_seizure", "log_odds"), ("p_smooth", "log_odds_smooth")):
            np.testing.assert_allclose(part[shown], calibration.calibrate(part[column], fitted), rtol=1e-12)
    pd.testing.assert_frame_equal(table[predictions.columns], predictions)


@pytest.mark.parametrize("number", [0, 3])
def test_choices_do_not_see_what_is_held_out(number):
    """Whatever the held-out recordings' log-odds and labels, and wherever their annotated seizures, their fold chooses
    the same. Other folds, in which they are inner, choose anew by the annotations, and not by these log-odds."""
    planned, predictions, inner, annotations, table, before = decided_study(noise=2.0)
    changed, rows = predictions.copy(), predictions["fold"] == number
    changed.loc[rows, "log_odds"], changed.loc[rows, "label"] = 1 - 3 * changed["log_odds"], 1 - changed["label"]
    other, after = decisions.decide(changed, inner, annotations)
    assert after == before and (other.loc[rows, "p_seizure"] != table.loc[rows, "p_seizure"]).any()
    seizures, moved = annotations.seizures, annotations.seizures["recording"].isin(planned[number].held_out)
    seizures = seizures.assign(start_s=seizures["start_s"].mask(moved, 200), end_s=seizures["end_s"].mask(moved, 240))
    _, after = decisions.decide(predictions, inner, Annotations(seizures, annotations.durations_s))
    assert after[number] == before[number] and after != before


def test_choices_see_what_is_inner():
    """The test above can fail: other log-odds of a fold's inner recordings, and it, but no other, chooses anew."""
    _, predictions, inner, annotations, _, before = decided_study()
    log_odds = inner["log_odds"] + 5.0 * (inner["fold"] == 2)
    _, after = decisions.decide(predictions, inner.assign(log_odds=log_odds), annotations)
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, True, False, True, True]
    assert all(after[2][key] != before[2][key] for key in ("log_odds", "alarm"))


@pytest.mark.parametrize("number", [0, 4])
def test_a_fold_that_chooses_on_what_it_reports_is_refused(number):
    """One sample of a held-out recording among the inner ones is one too many; the message says which recording."""
    planned, predictions, inner, annotations, *_ = decided_study()
    leaked, recording = predictions[predictions["fold"] == number].iloc[[7]], planned[number].held_out[0]
    with pytest.raises(AssertionError, match=f"fold {number} chooses on {recording}, which"):
        decisions.decide(predictions, pd.concat([inner, leaked.assign(recording=recording)]), annotations)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": 0}, "no seizure sample"),
        ({"label": 1}, "no non-seizure sample"),
        ({"log_odds": np.nan}, "not finite"),
    ],
)
def test_nothing_is_decided_by_a_choice_from_nowhere(change, message):
    """Inner samples of one class, or a network that diverged, are refused."""
    _, predictions, inner, annotations, *_ = decided_study()
    with pytest.raises(RecordingError, match=message):
        decisions.decide(predictions, inner.assign(**change), annotations)
