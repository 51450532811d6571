"""Decisions: each step by hand, its cost in time; a fold chooses on its inner recordings alone."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.metrics import average_precision_score
from test_scores import annotated, frames

from helpers.acquire.annotations import Annotations
from helpers.evaluate import calibration, decisions, scores
from helpers.study.errors import RecordingError
from helpers.train import folds, training

PLAIN = {"k": 1, "threshold": 0.5, "minimum": 1}
SEIZURE = slice(20, 30)  # frames, of 4 s from 8 s on: 88–128 s


def predicted(p, recording="a", label=0):
    """Frames with these probabilities."""
    table = frames(np.zeros(len(p)), recording)
    return table[["recording", "last_start_s", "end_s"]].assign(p_seizure=np.array(p, float), label=label)


def inner_world(seeds=(0,), quiet=0, n=200, noise=1.0, rise=3.0):
    """Recordings with a seizure of frames 100–114 (408–468 s), log-odds higher by `rise`; and quiet ones."""
    tables, rows, label = [], [], np.zeros(n, int)
    label[100:115] = 1
    for seed in seeds:
        log_odds = -2 + rise * label + np.random.default_rng(seed).normal(0, noise, n)
        tables.append(predicted(expit(log_odds), f"s{seed}", label))
        rows.append((f"s{seed}", 408.0, 468.0))
    generator = np.random.default_rng(99)
    tables += [predicted(expit(-2 + generator.normal(0, noise, n)), f"f{number}") for number in range(quiet)]
    durations = {part["recording"].iloc[0]: 8.0 + 4 * n for part in tables}
    return pd.concat(tables, ignore_index=True), annotated(*rows, **durations)


def study(seed=0, rise=4.0, noise=1.0, members=2):
    """Predictions of five folds: a–e hold a seizure, f and g none; networks that find it, each with its own noise."""
    names, generator, scored = list("abcdefg"), np.random.default_rng(seed), []
    parts = [predicted(np.zeros(60), name).drop(columns="p_seizure") for name in names]
    for part in parts[:5]:
        part.loc[part.index[SEIZURE], "label"] = 1
    samples = pd.concat(parts, ignore_index=True).rename_axis("sample").reset_index()
    planned = folds.leave_one_recording_out(names, set("abcde"), members)
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
    ("label", "p", "threshold"),
    [
        ([1, 1, 0, 0, 0], [0.4, 0.8, 0.1, 0.3, 0.6], 0.35),  # above 0.3: TP 2, FP 1, F1 4/5, the best
        ([0, 0, 1, 1], [0.1, 0.2, 0.9, 0.95], 0.55),  # any between 0.2 and 0.9 is best; the middle is the farthest
        ([1, 1, 0, 0, 0], [0.95, 0.3, 0.6, 0.5, 0.2], 0.775),  # F1 2/3 in 0.6–0.95 and in 0.2–0.3; the first is wider
    ],
)
def test_threshold_by_hand(label, p, threshold):
    assert decisions.best_threshold(label, p) == pytest.approx(threshold)


samples = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 12)), min_size=2, max_size=40).filter(
    lambda rows: any(label for label, _ in rows)
)


@given(samples)
def test_no_other_threshold_is_better(rows):
    """Of all thresholds from 0.001 to 0.999 none has a higher sample F1: than `best_threshold`, and than the best of
    the candidates, of which none lies on a probability. The widest of the best candidates is `best_threshold`."""
    label, p = (np.array(column) for column in zip(*rows, strict=True))
    p = p / 13
    best = max(f1_of(label, p >= threshold) for threshold in np.linspace(0.001, 0.999, 999))
    found = [(f1_of(label, p >= at), width, at) for at, width in decisions.candidate_thresholds(label, p)]
    single = decisions.best_threshold(label, p)
    assert max(found)[0] == best == f1_of(label, p >= single)
    assert not set(p) & {threshold for _, _, threshold in found}
    widest = max(width for score, width, _ in found if score == best)
    assert any(threshold == single and width == pytest.approx(widest) for _, width, threshold in found)


def test_candidates_by_hand():
    """Others at 0.1, 0.3, 0.6, seizure at 0.4, 0.5 and 0.8: the gaps below 0.4, 0.5 and 0.8, and their widths. Of 500
    gaps 40 are tried, evenly, the lowest and the highest among them."""
    found = decisions.candidate_thresholds([0, 0, 0, 1, 1, 1], [0.1, 0.3, 0.6, 0.4, 0.5, 0.8])
    assert np.array(found) == pytest.approx(np.array([(0.35, 0.1), (0.45, 0.1), (0.7, 0.2)]))
    p = np.linspace(0.001, 0.999, 1000)
    found = [threshold for threshold, _ in decisions.candidate_thresholds(np.arange(1000) % 2, p)]
    assert len(found) == decisions.CANDIDATES == 40 and found == sorted(found)
    assert found[0] < p[1] and found[-1] > p[-2] and np.diff(found).max() < 0.03


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=30), st.sampled_from([1, 3, 5, 7]))
def test_smoothing_is_the_mean_of_the_log_odds_around(values, k):
    """Of the frames that are there, at the ends too. 0.5, 0.9, 0.5 give 9^(1/3)/(1 + 9^(1/3)) in the middle, not
    their mean."""
    around = [np.mean(values[max(0, at - k // 2) : at + k // 2 + 1]) for at in range(len(values))]
    assert logit(decisions.smooth(expit(np.array(values)), k)) == pytest.approx(around, abs=1e-6)
    assert decisions.smooth(np.array([0.5, 0.9, 0.5]), 3)[1] == pytest.approx(9 ** (1 / 3) / (1 + 9 ** (1 / 3)))
    assert np.isfinite(decisions.smooth(np.array([0.0, 1.0, 1.0]), 3)).all()


@pytest.mark.parametrize(
    ("decided", "frames", "kept"),
    [([1, 0, 1, 1, 0, 1], 2, [0, 0, 1, 1, 0, 0]), ([1, 0, 1], 1, [1, 0, 1]), ([0, 0], 3, [0, 0])],
)
def test_short_runs_are_dropped(decided, frames, kept):
    """At the ends too."""
    assert decisions.drop_short(decided, frames).tolist() == kept


def test_plain_settings_are_the_threshold_alone():
    """No smoothing, no minimum: p ≥ threshold, known at the frame's end; rows and columns stay as they were."""
    table = predicted([0.1, 0.5, 0.7, 0.2]).iloc[[2, 0, 3, 1]]
    found = decisions.raise_alarms(table, PLAIN)
    assert found.index.tolist() == [2, 0, 3, 1] and found["alarm"].tolist() == [1, 0, 0, 1]
    assert (found["p_smooth"] == found["p_seizure"]).all() and (found["known_s"] == found["end_s"]).all()
    assert found["alarm"].dtype.kind == "i" and (found["alarm_threshold"] == 0.5).all()
    pd.testing.assert_frame_equal(found[table.columns], table)


@pytest.mark.parametrize("chosen", [PLAIN | {"k": 3}, PLAIN | {"minimum": 2, "threshold": 0.25}])
def test_recordings_do_not_smooth_into_each_other(chosen):
    """b's high start leaves a's end as it is: each alone and both together, mixed, give the same."""
    tables = [predicted([0.1, 0.2, 0.3], "a"), predicted([0.99, 0.9, 0.2], "b")]
    alone = pd.concat([decisions.raise_alarms(table, chosen) for table in tables], ignore_index=True)
    both = decisions.raise_alarms(pd.concat(tables, ignore_index=True).sample(frac=1, random_state=0), chosen)
    pd.testing.assert_frame_equal(both.sort_index(), alone)


@pytest.mark.parametrize("rows", [[0, 1, 3], [0, 1, 1, 2]])
def test_a_missing_or_double_frame_is_refused(rows):
    """An average over them would be none over time."""
    table = predicted([0.1, 0.2, 0.3, 0.4]).iloc[rows]
    for refuse in (lambda: decisions.raise_alarms(table, PLAIN), lambda: scores.events(table.assign(alarm=1))):
        with pytest.raises(RecordingError, match="a: after 16 s"):
            refuse()
    with pytest.raises(RecordingError, match="a: after"):
        decisions.choose_alarm(table.assign(label=[0, 1, 0, 0][: len(rows)]), annotated(("a", 12.0, 16.0), a=24.0))


@pytest.mark.parametrize(
    ("chosen", "high", "known"),
    [
        ({"k": 1}, [2, 3, 4], [20, 24, 28]),  # frames 2, 3, 4 end then
        ({"k": 3}, [2, 3, 4], [24, 28, 32]),  # one frame more has to come
        ({"k": 1, "minimum": 3}, [2, 3, 4], [28, 28, 28]),  # only the third says that there are three
        ({"k": 3, "minimum": 3}, [2, 3, 4], [32, 32, 32]),  # and it waits for one more
        ({"k": 3}, [7, 8], [40 + 4, 44]),  # nothing is waited for after the end
    ],
)
def test_when_decisions_are_known(chosen, high, known):
    """High in some frames of 9, which end at 12, 16, … 44 s."""
    table = predicted(expit(np.where(np.isin(np.arange(9), high), 4, -4)))
    found = decisions.raise_alarms(table, PLAIN | chosen)
    assert found.loc[found["alarm"] == 1, "known_s"].tolist() == known


@pytest.mark.parametrize("chosen", [{"k": 3}, {"k": 5, "minimum": 3}, {"k": 1, "minimum": 2}])
def test_decisions_are_known_no_later_than_said(chosen):
    """Cut off at any time: whatever was known by then is decided alike."""
    table = predicted(expit(np.random.default_rng(4).normal(0, 2, 60)))
    complete = decisions.raise_alarms(table, PLAIN | chosen)
    for count in range(10, 60):
        cut = decisions.raise_alarms(table.iloc[:count], PLAIN | chosen)
        known = (complete["alarm"][:count] == 1) & (complete["known_s"][:count] <= cut["end_s"].iloc[-1])
        assert (cut["alarm"][known] == 1).all()


@pytest.mark.parametrize(("chosen", "latency_s"), [({}, 4.0), ({"k": 5}, 12.0), ({"minimum": 3}, 12.0)])
def test_waiting_makes_detection_later(chosen, latency_s):
    """The seizure from frame 100 on is found 4 s after onset at the earliest; averaged over five frames, 8 s later."""
    table, annotations = inner_world(noise=0.0, rise=4)
    found = scores.latencies(decisions.raise_alarms(table, PLAIN | chosen), annotations)
    assert found["latency_s"].tolist() == [latency_s]


@pytest.mark.parametrize("noise", [0.5, 3.0])
def test_smoothing_has_the_highest_average_precision(noise):
    """Of 1, 3 and 5 frames that with the highest average precision on all inner recordings; the shorter of equals."""
    for seed in range(3):
        table, annotations = inner_world([seed, seed + 10], quiet=1, noise=noise)
        smoothed = {k: decisions.raise_alarms(table, PLAIN | {"k": k})["p_smooth"] for k in decisions.SMOOTHINGS}
        by_k = {k: average_precision_score(table["label"], p) for k, p in smoothed.items()}
        best = min(k for k in by_k if by_k[k] == max(by_k.values()))
        assert decisions.choose_alarm(table, annotations)["k"] == best


def test_the_alarm_threshold_takes_the_widest_gap(monkeypatch):
    """Without smoothing: seizure 0.9 and 0.3, two beside it 0.8, others 0.05: above 0.8 one of two is found (F1 2/3),
    above 0.05 two with two false (2/3): the gap 0.05–0.3 is the wider, its middle 0.175."""
    p, label = np.full(60, 0.05), np.zeros(60, int)
    p[[29, 30, 31, 32]], label[[30, 31]] = [0.8, 0.9, 0.3, 0.8], 1
    monkeypatch.setattr(decisions, "SMOOTHINGS", (1,))
    found = decisions.choose_alarm(predicted(p, label=label), annotated(("a", 128.0, 136.0), a=248.0))
    assert (found["k"], found["minimum"]) == (1, 1) and found["sample_f1"] == 2 / 3
    assert found["threshold"] == pytest.approx(0.175) == decisions.best_threshold(label, p)


@pytest.mark.parametrize(("false", "minimum"), [([], 1), ([60, 100], 2), ([60, 61, 100], 3)])
def test_a_smallest_duration_must_earn_its_wait(monkeypatch, false, minimum):
    """A seizure of five frames at 0.9, and single frames of 0.95 far from it, each a false alarm: two frames at least
    remove all of them, a pair of frames needs three. Without them nothing is gained, and one frame is enough."""
    monkeypatch.setattr(decisions, "SMOOTHINGS", (1,))
    p, label = np.full(130, 0.01), np.zeros(130, int)
    p[10:15], label[10:15] = 0.9, 1
    p[false] = 0.95
    found = decisions.choose_alarm(predicted(p, label=label), annotated(("a", 48.0, 68.0), a=528.0))
    assert (found["minimum"], found["event_f1"], found["sample_f1"]) == (minimum, 1, 1)


@pytest.mark.parametrize(("seeds", "quiet"), [([0], 0), ([2, 3], 1), ([4], 2)])
def test_the_choice_scores_what_it_says(seeds, quiet):
    """On one inner recording or several, some without a seizure: its two F1 are those of scores on the alarms; neither
    the order of rows nor other recordings' seizures matter."""
    table, annotations = inner_world(seeds, quiet, noise=1.5)
    found = decisions.choose_alarm(table, annotations)
    decided = decisions.raise_alarms(table, found)
    assert found["event_f1"] == pytest.approx(scores.event_scores(scores.events(decided), annotations)["f1"])
    assert found["sample_f1"] == f1_of(decided["label"], decided["alarm"])
    elsewhere = annotated(("elsewhere", 0.0, 50.0), elsewhere=99.0)
    seizures = pd.concat([elsewhere.seizures, annotations.seizures])
    more = Annotations(seizures, elsewhere.durations_s | annotations.durations_s)
    assert decisions.choose_alarm(table.sample(frac=1, random_state=1), more) == found


def test_a_recording_without_seizure_warns_of_false_alarms():
    """On the seizure's recording alone 0.3 finds it; a quiet one that often reaches 0.7 makes the choice stricter."""
    table, annotations = inner_world(noise=0.3, rise=4)
    quiet = predicted(np.where(np.arange(200) % 20 == 0, 0.7, 0.05), "b")
    longer = Annotations(annotations.seizures, annotations.durations_s | {"b": 808.0})
    alone, both = decisions.choose_alarm(table, annotations), decisions.choose_alarm(pd.concat([table, quiet]), longer)
    assert alone["event_f1"] == both["event_f1"] == 1 and alone["threshold"] < 0.7
    assert [decisions.raise_alarms(quiet, chosen)["alarm"].sum() for chosen in (both, alone)] == [0, 10]


def test_decisions_by_hand():
    """Inner log-odds: 1 in the seizure, −1 elsewhere, one sixth of it seizure: T is off, as the classes are apart; the
    share 1/6 shifts odds of e to e/5 and of 1/e to 1/(5e): p is 0.352 and 0.0685, and the threshold in the middle. So a
    held-out log-odds of 0.5 (p 0.248) is decided seizure, and one of 0 (p 1/6) is not, with or without an alarm."""
    label = np.zeros(60, int)
    label[SEIZURE] = 1
    own = predicted(label, "b", label).assign(fold=0, network="0-1", log_odds=2.0 * label - 1)
    held_out = predicted(label, "a", label).drop(columns="p_seizure").assign(fold=0, log_odds=np.where(label, 0.5, 0.0))
    annotations = annotated(("a", 88.0, 128.0), ("b", 88.0, 128.0), a=248.0, b=248.0)
    table, (choice,) = decisions.decide(held_out, own, annotations)
    high, low = np.e / 5 / (1 + np.e / 5), 1 / (5 * np.e) / (1 + 1 / (5 * np.e))
    assert choice["calibration"]["temperature"] == 1 and choice["calibration"]["prior"] == 1 / 6
    assert choice["threshold"] == pytest.approx((high + low) / 2) == choice["alarm"]["threshold"]
    assert (choice["alarm"]["k"], choice["alarm"]["minimum"], choice["fold"]) == (1, 1, 0)
    assert sorted(set(table["p_seizure"].round(9))) == pytest.approx([1 / 6, np.exp(0.5) / (5 + np.exp(0.5))])
    assert (table["decided"] == table["label"]).all() and (table["alarm"] == table["label"]).all()


def test_what_is_chosen_is_the_best_on_inner_recordings_and_is_applied():
    """Fold by fold: temperature, share, threshold and alarm are chosen on its inner samples, what one network says left
    out together; p comes from temperature and share, alarms from the alarm's settings."""
    planned, predictions, inner, annotations, table, choices = decided_study(noise=2.0, members=4)
    assert [choice["fold"] for choice in choices] == [fold.number for fold in planned]
    for choice, fold in zip(choices, planned, strict=True):
        own, part = (every[every["fold"] == fold.number] for every in (inner, table))
        assert own["network"].nunique() == len(fold.inner) == 4 and own["recording"].nunique() == 7 - len(fold.held_out)
        fitted = calibration.fit(own["log_odds"], own["label"], own["network"])
        p = calibration.calibrate(own["log_odds"], fitted)
        assert choice["calibration"] == fitted and fitted["prior"] == own["label"].mean()
        assert choice["threshold"] == decisions.best_threshold(own["label"], p)
        assert choice["alarm"] == decisions.choose_alarm(own.assign(p_seizure=p), annotations)
        np.testing.assert_allclose(part["p_seizure"], calibration.calibrate(part["log_odds"], fitted), rtol=1e-12)
        assert (part["decided"] == (part["p_seizure"] >= choice["threshold"])).all()
        pd.testing.assert_frame_equal(decisions.raise_alarms(part[part.columns[:-4]], choice["alarm"]), part)
    pd.testing.assert_frame_equal(table[predictions.columns], predictions)


@pytest.mark.parametrize("number", range(5))
def test_choices_do_not_see_what_is_held_out(number):
    """Whatever the held-out recordings' log-odds and labels, their fold chooses the same, and so do all others: what
    one network says of a recording held out is no other network's, of the same recording inner."""
    _, predictions, inner, annotations, table, before = decided_study()
    changed, rows = predictions.copy(), predictions["fold"] == number
    changed.loc[rows, "log_odds"], changed.loc[rows, "label"] = 1 - 3 * changed["log_odds"], 1 - changed["label"]
    other, after = decisions.decide(changed, inner, annotations)
    assert after == before and (other.loc[rows, "p_seizure"] != table.loc[rows, "p_seizure"]).any()


@pytest.mark.parametrize("number", range(5))
def test_choices_do_not_see_the_annotations_of_what_is_held_out(number):
    """A held-out recording's seizures moved: its fold chooses the same; a fold in which it is inner may not."""
    planned, predictions, inner, annotations, _, before = decided_study(noise=2.0)
    seizures, moved = annotations.seizures, annotations.seizures["recording"].isin(planned[number].held_out)
    seizures = seizures.assign(start_s=seizures["start_s"].mask(moved, 200), end_s=seizures["end_s"].mask(moved, 240))
    _, after = decisions.decide(predictions, inner, Annotations(seizures, annotations.durations_s))
    for fold in planned:
        if number not in fold.inner:
            assert after[fold.number] == before[fold.number]
    assert any(after[other]["alarm"] != before[other]["alarm"] for other in planned[number].inner)


def test_choices_see_what_is_inner():
    """The tests above can fail: other log-odds of a fold's inner recordings, and it, but no other, chooses anew."""
    _, predictions, inner, annotations, _, before = decided_study()
    log_odds = inner["log_odds"] + 5.0 * (inner["fold"] == 2)
    _, after = decisions.decide(predictions, inner.assign(log_odds=log_odds), annotations)
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, True, False, True, True]
    assert all(after[2][key] != before[2][key] for key in ("threshold", "alarm"))


@pytest.mark.parametrize("number", [0, 4])
def test_a_fold_that_chooses_on_what_it_reports_is_refused(number):
    """One sample of a held-out recording among the inner ones is one too many; the message says which recording."""
    planned, predictions, inner, annotations = study()
    leaked, recording = predictions[predictions["fold"] == number].iloc[[7]], planned[number].held_out[0]
    leaked = leaked.assign(recording=recording, network="x")
    with pytest.raises(AssertionError, match=f"fold {number} chooses on {recording}, which"):
        decisions.decide(predictions, pd.concat([inner, leaked]), annotations)


def test_rows_keep_their_order_and_index():
    """Shuffled and renumbered, each sample has the decision that it had; the choices do not change."""
    _, predictions, inner, annotations, table, choices = decided_study()
    mixed = predictions.sample(frac=1, random_state=0)
    mixed.index = mixed.index + 1000
    found, again = decisions.decide(mixed, inner, annotations)
    assert found.index.equals(mixed.index) and again == choices
    pd.testing.assert_frame_equal(found.set_index("sample").sort_index(), table.set_index("sample").sort_index())


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
    _, predictions, inner, annotations = study()
    with pytest.raises(RecordingError, match=message):
        decisions.decide(predictions, inner.assign(**change), annotations)


def test_alarms_find_what_single_samples_find_without_their_false_alarms():
    *_, annotations, table, _ = decided_study(seed=1, noise=1.8)
    single = scores.event_scores(scores.events(table.assign(alarm=table["decided"])), annotations)
    alarms = scores.event_scores(scores.events(table), annotations)
    assert alarms["detected"] == single["detected"] == 5 and alarms["false_alarms"] < single["false_alarms"]
