"""Decisions: what a fold decides by is chosen on its inner recordings, and by nothing else; then applied as chosen."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from test_intervals import COLUMNS, frames

from helpers.evaluate import calibration, decisions, postprocessing, scores
from helpers.train import folds, training

SEIZURE = slice(20, 30)  # frames, of 4 s from 8 s on: 88–128 s


def samples_of(names, with_seizure, n=60):
    """Frames of recordings, as the stage preprocess lists them, and their seizures and durations."""
    parts = []
    for name in names:
        label = np.zeros(n, int)
        label[SEIZURE] = name in with_seizure
        parts.append(frames(label, name).rename(columns={"decided": "label"}))
    seizures = pd.DataFrame([(name, 88.0, 128.0) for name in names if name in with_seizure], columns=COLUMNS)
    samples = pd.concat(parts, ignore_index=True).rename_axis("sample").reset_index()
    return samples, seizures, dict.fromkeys(names, 8.0 + 4 * n)


def study(seed=0, rise=4.0, noise=1.0, members=2):
    """Predictions of five folds: a–e hold a seizure, f and g none; networks that find it, each with its own noise."""
    names, generator = list("abcdefg"), np.random.default_rng(seed)
    samples, seizures, durations = samples_of(names, set("abcde"))
    planned = folds.leave_one_recording_out(names, set("abcde"), members)
    scored = []
    for split in folds.splits(planned):
        unseen = samples[~samples["recording"].isin(split.train)]
        log_odds = -2 + rise * unseen["label"] + generator.normal(0, noise, len(unseen))
        scored.append((split, log_odds))
    return planned, *training.out_of_fold(planned, scored, samples), seizures, durations


def test_by_hand():
    """Inner log-odds: 1 in the seizure, −1 elsewhere, one sixth of it seizure: T is off, as the classes are apart; the
    share 1/6 shifts odds of e to e/5 and of 1/e to 1/(5e): p is 0.352 and 0.0685, and the threshold in the middle. So a
    held-out log-odds of 0.5 (p 0.248) is decided seizure, and one of 0 (p 1/6) is not, with or without an alarm."""
    samples, seizures, durations = samples_of(list("ab"), set("ab"))
    held_out, own = (samples[samples["recording"] == name] for name in "ab")
    own = own.assign(fold=0, network="0-1", log_odds=2.0 * own["label"] - 1)
    held_out = held_out.assign(fold=0, log_odds=np.where(held_out["label"] == 1, 0.5, 0.0))
    table, (choice,) = decisions.decide(held_out, own, seizures, durations)
    high, low = np.e / 5 / (1 + np.e / 5), 1 / (5 * np.e) / (1 + 1 / (5 * np.e))
    assert choice["calibration"]["temperature"] == 1 and choice["calibration"]["prior"] == 1 / 6
    assert choice["threshold"] == pytest.approx((high + low) / 2) == choice["alarm"]["threshold"]
    assert (choice["alarm"]["k"], choice["alarm"]["minimum"], choice["fold"]) == (1, 1, 0)
    shifted = np.exp(0.5) / 5
    assert sorted(set(table["p_seizure"].round(9))) == pytest.approx([1 / 6, shifted / (1 + shifted)])
    assert (table["decided"] == table["label"]).all() and (table["alarm"] == table["label"]).all()


def test_what_is_chosen_is_applied():
    """Fold by fold: p from temperature and share; decided where p ≥ threshold; alarms as post-processing gives them."""
    planned, predictions, inner, seizures, durations = study()
    table, choices = decisions.decide(predictions, inner, seizures, durations)
    assert [choice["fold"] for choice in choices] == [fold.number for fold in planned]
    assert len({choice["threshold"] for choice in choices}) == len(planned)
    for choice, fold in zip(choices, planned, strict=True):
        part, fitted, alarm = table[table["fold"] == fold.number], choice["calibration"], choice["alarm"]
        threshold = choice["threshold"]
        p = expit(part["log_odds"] / fitted["temperature"] + logit(fitted["prior"]))
        np.testing.assert_allclose(part["p_seizure"], p, rtol=1e-12)
        assert (part["threshold"] == threshold).all() and (part["alarm_threshold"] == alarm["threshold"]).all()
        assert (part["decided"] == (part["p_seizure"] >= threshold)).all() and part["decided"].dtype.kind == "i"
        after = postprocessing.apply(part, alarm)
        assert part["alarm"].equals(after["decided"].rename("alarm"))
        assert part["p_smooth"].equals(after["p_smooth"]) and part["known_s"].equals(after["known_s"])
    pd.testing.assert_frame_equal(table[predictions.columns], predictions)


def test_what_is_chosen_is_the_best_on_the_inner_recordings():
    """The temperature, share, threshold and alarm settings are what each module chooses on a fold's inner samples; for
    the temperature, what one network says of its inner block is left out together."""
    planned, predictions, inner, seizures, durations = study(noise=2.0, members=4)
    _, choices = decisions.decide(predictions, inner, seizures, durations)
    for choice in choices:
        own = inner[inner["fold"] == choice["fold"]]
        fitted = calibration.fit(own["log_odds"], own["label"], own["label"].mean(), own["network"])
        p = calibration.apply(own["log_odds"], fitted)
        assert choice["calibration"] == fitted
        assert choice["threshold"] == postprocessing.best_threshold(own["label"], p)
        assert choice["alarm"] == postprocessing.fit(own.assign(p_seizure=p), seizures, durations)


def test_a_threshold_that_is_met_decides():
    """p exactly at the threshold counts as seizure, one rounding below it does not."""
    choice = {"threshold": 0.5, "calibration": {"temperature": 1.0, "prior": None}}
    choice["alarm"] = {"k": 1, "threshold": 0.5, "minimum": 1}
    part = frames([0, 0, 0]).drop(columns="decided").assign(log_odds=[0.0, -1e-15, 1e-15], label=0)
    assert decisions.applied(part, choice)["decided"].tolist() == [1, 0, 1]


CHANGES = {
    "log-odds": lambda table: table.assign(log_odds=-3 * table["log_odds"] + 1),
    "labels": lambda table: table.assign(label=1 - table["label"]),
}


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("number", range(5))
def test_choices_do_not_see_what_is_held_out(what, number):
    """Whatever the held-out recordings' log-odds or labels, their fold chooses the same, and so do all others: what
    one network says of a recording held out is no other network's, of the same recording inner."""
    planned, predictions, inner, seizures, durations = study()
    table, before = decisions.decide(predictions, inner, seizures, durations)
    p, changed = table["p_seizure"], predictions.copy()
    rows = changed["fold"] == number
    changed[rows] = CHANGES[what](changed[rows])
    table, after = decisions.decide(changed, inner, seizures, durations)
    assert after == before and (what == "labels" or (table.loc[rows, "p_seizure"] != p[rows]).any())


@pytest.mark.parametrize("number", range(5))
def test_choices_do_not_see_the_annotations_of_what_is_held_out(number):
    """A held-out recording's seizures moved: its fold chooses the same; a fold in which it is inner may not."""
    planned, predictions, inner, seizures, durations = study(noise=2.0)
    _, before = decisions.decide(predictions, inner, seizures, durations)
    moved = seizures["recording"].isin(planned[number].held_out)
    seizures = seizures.assign(start_s=seizures["start_s"].mask(moved, 200), end_s=seizures["end_s"].mask(moved, 240))
    _, after = decisions.decide(predictions, inner, seizures, durations)
    for fold in planned:
        if number not in fold.inner:
            assert after[fold.number] == before[fold.number]
    assert after[number] == before[number]
    assert any(after[other]["alarm"] != before[other]["alarm"] for other in planned[number].inner)


def test_choices_see_what_is_inner():
    """The tests above can fail: other log-odds of a fold's inner recordings, and it, but no other, chooses anew."""
    planned, predictions, inner, seizures, durations = study()
    _, before = decisions.decide(predictions, inner, seizures, durations)
    inner.loc[inner["fold"] == 2, "log_odds"] += 5
    _, after = decisions.decide(predictions, inner, seizures, durations)
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, True, False, True, True]
    assert all(after[2][key] != before[2][key] for key in ("threshold", "calibration", "alarm"))


@pytest.mark.parametrize("number", range(5))
def test_a_fold_that_chooses_on_what_it_reports_is_refused(number):
    """One sample of a held-out recording among the inner ones is one too many; the message says which recording."""
    planned, predictions, inner, seizures, durations = study()
    leaked, recording = predictions[predictions["fold"] == number].iloc[[7]], planned[number].held_out[0]
    leaked = leaked.assign(recording=recording, network="x")
    with pytest.raises(AssertionError, match=f"fold {number} chooses on {recording}, which"):
        decisions.decide(predictions, pd.concat([inner, leaked]), seizures, durations)


def test_rows_keep_their_order_and_index():
    """Shuffled and renumbered, each sample has the decision that it had; the choices do not change."""
    _, predictions, inner, seizures, durations = study()
    table, choices = decisions.decide(predictions, inner, seizures, durations)
    mixed = predictions.sample(frac=1, random_state=0)
    mixed.index = mixed.index + 1000
    found, again = decisions.decide(mixed, inner, seizures, durations)
    assert found.index.equals(mixed.index) and again == choices
    pd.testing.assert_frame_equal(found.set_index("sample").sort_index(), table.set_index("sample").sort_index())


def test_all_inner_recordings_have_a_say():
    """In each fold, every inner recording, those without a seizure too, moves the share that makes p a probability."""
    planned, predictions, inner, seizures, durations = study(members=4)
    for fold in planned:
        own = inner[inner["fold"] == fold.number]
        assert own["network"].nunique() == len(fold.inner) == 4 and own["recording"].nunique() == 7 - len(fold.held_out)
        choice = decisions.choose(own, seizures, durations)
        assert choice["calibration"]["prior"] == own["label"].mean() == 40 / len(own)


def test_without_a_seizure_sample_nothing_is_chosen():
    """A seizure too short to label a frame by: refused, and not decided by a threshold from nowhere."""
    _, predictions, inner, seizures, durations = study()
    with pytest.raises(ValueError, match="no seizure sample"):
        decisions.decide(predictions, inner.assign(label=0), seizures, durations)


def test_alarms_are_scored_in_the_place_of_decisions():
    """Events come from alarms and their threshold; all else of the table stays. A good detector's alarms find what
    single samples find, without their false alarms."""
    _, predictions, inner, seizures, durations = study(seed=1, noise=1.8)
    table, _ = decisions.decide(predictions, inner, seizures, durations)
    alarms = decisions.alarms(table)
    assert alarms["decided"].equals(table["alarm"].rename("decided"))
    assert alarms["threshold"].equals(table["alarm_threshold"].rename("threshold"))
    rest = table.columns.difference(["decided", "threshold"])
    pd.testing.assert_frame_equal(alarms[rest], table[rest])
    single, joined = (scores.event_scores(scores.events(one), seizures, durations) for one in (table, alarms))
    assert joined["detected"] == single["detected"] == 5 and joined["false_alarms"] < single["false_alarms"]
