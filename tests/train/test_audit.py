"""The leakage audit: shared EEG by hand, leaks that are caught, the reference's protocol, and permuted annotations."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from test_training import SETTINGS

from helpers.acquire.annotations import COLUMNS, Annotations
from helpers.preprocess import spectrograms
from helpers.study.errors import RecordingError
from helpers.train import audit, folds, inputs, training

AXIS = {"hop_s": 0.125, "frame_s": 1.0, "frame_columns": 8}
SIZES = dict.fromkeys("abcd", 96)
ANNOTATED = Annotations(
    pd.DataFrame([(name, 5.0, 9.0) for name in "abc"], columns=COLUMNS), dict.fromkeys("abcd", 12.0)
)
ROWS = [("a", 100.0, 130.0), ("a", 200.0, 220.0), ("b", 4.0, 20.0)]
LONG = Annotations(pd.DataFrame(ROWS, columns=COLUMNS), {"a": 240.0, "b": 400.0, "c": 400.0})


def spans(*rows):
    """Return a table of (recording, start_s, end_s)."""
    return pd.DataFrame(rows, columns=COLUMNS)


def test_shared_eeg_by_hand():
    """Training has a 0–12, a 20–32 and b 0–12. Of the tests, a 12–20 only touches both; a 11–13 shares one second with
    the first, a 10–40 holds the second whole, a 22–24 lies within it; b 5–6 shares; c has no training: 4 of 6."""
    train = spans(("a", 0, 12), ("a", 20, 32), ("b", 0, 12))
    test = spans(("a", 12, 20), ("a", 11, 13), ("a", 10, 40), ("a", 22, 24), ("b", 5, 6), ("c", 0, 12))
    assert audit.shared_eeg(train, test).tolist() == [False, True, True, True, True, False]
    assert not audit.shared_eeg(train.iloc[:0], test).any() and len(audit.shared_eeg(train, test.iloc[:0])) == 0


def test_shared_eeg_is_its_definition():
    """On random intervals of random lengths: what comparing each with each gives."""
    generator = np.random.default_rng(0)
    for _ in range(50):
        start = generator.integers(0, 60, 30)
        names = generator.choice(list("abc"), 30)
        table = spans(*zip(names, start, start + generator.integers(1, 9, 30), strict=True))
        train, test = table.iloc[:12], table.iloc[12:]
        wanted = [
            any((train["recording"] == r) & (train["start_s"] < end) & (train["end_s"] > start))
            for r, start, end in test.itertuples(index=False)
        ]
        assert audit.shared_eeg(train, test).tolist() == wanted


def test_draw_by_hand():
    """Two seizure samples in a, none in b: four of a's ten others and none of b's; another seed draws others. With one
    seizure-free sample in a, that one alone."""
    table = pd.DataFrame({"recording": ["a"] * 12 + ["b"] * 9, "label": [0, 1, 1] + [0] * 18})
    drawn = audit.draw_samples(table, 0)
    assert drawn["label"].tolist().count(1) == 2 and len(drawn) == 6 and set(drawn["recording"]) == {"a"}
    assert drawn.equals(audit.draw_samples(table, 0)) and not drawn.equals(audit.draw_samples(table, 1))
    assert audit.draw_samples(table.iloc[:3], 0).index.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="None of the 9 samples is seizure"):
        audit.draw_samples(table.iloc[12:], 0)


def reference():
    """Return the triptychs of the reference's protocol."""
    return spectrograms.triptychs(AXIS, SIZES, ANNOTATED, audit.STEP * AXIS["frame_s"])


def test_reference_samples_by_hand():
    """Frames of 1 s every 0.75 s, with two before them, in 12 s: they start at 2.25, 3, … 10.5 s, 12 of them, and those
    from 4.5 to 8.25 s, 6, lie at least half in the seizure at 5–9 s."""
    part = reference()[lambda table: table["recording"] == "a"]
    assert part["last_start_s"].tolist() == [2.25 + 0.75 * k for k in range(12)]
    assert part.loc[part["label"] == 1, "last_start_s"].tolist() == [4.5, 5.25, 6, 6.75, 7.5, 8.25]
    assert len(reference()) == 48 and reference()["label"].sum() == 18


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Four recordings of 12 s, 6 channels, 8 bins. All but d hold a seizure at 5–9 s, with a pattern of channels of its
    own, so that nothing can be learnt of one recording from another."""
    generator = np.random.default_rng(3)
    for name in SIZES:
        power = generator.normal(0, 3, (6, 8, 96))
        if name != "d":
            # What is not seizure stands out as much: that something does says nothing, and what it is, no other tells.
            seizure, other = 10 * generator.normal(0, 1, (2, 6, 8, 1))
            power += np.where((np.arange(96) >= 40) & (np.arange(96) < 72), seizure, other)
        np.save(tmp_path / f"{name}.npy", power.astype(np.float16))
    monkeypatch.setenv("STUDY_WORKERS", "1")  # no processes need to start
    return inputs.write_inputs(tmp_path, list(SIZES), tmp_path / "pooled")


def test_what_is_tested(folder):
    """Of 12 triptychs in each of a, b and c 6 are seizure; all 18 others there, fewer than two for each, are taken too;
    of the 36, a third but one, 11, test, of both labels. Nearly all of them share EEG with training, which is what was
    drawn and does not test. d, without a seizure, is not there."""
    found, drawn = audit.run_random_splits([5], folder, reference(), 8, SETTINGS), audit.draw_samples(reference(), 5)
    assert list(found.columns) == ["seed", *COLUMNS, "label", "p_seizure", "shared_eeg"]
    assert (found["seed"] == 5).all() and len(found) == 11 and not found.duplicated(["recording", "start_s"]).any()
    assert found["label"].sum() in (5, 6) and set(found["recording"]) <= set("abc")
    assert found["p_seizure"].between(0, 1).all() and found["shared_eeg"].mean() > 0.9
    keys = ["recording", "start_s"]
    tested = drawn[keys].apply(tuple, axis=1).isin(found[keys].apply(tuple, axis=1))
    assert found["shared_eeg"].tolist() == audit.shared_eeg(drawn[~tested], drawn[tested]).astype(int).tolist()


def test_the_epoch_is_chosen_on_the_test(folder, monkeypatch):
    """Log-odds of the true label after 4 epochs: -0.4, 0.7, 0.2, 0.7. The second's are kept: of equals the first."""
    said = iter([-0.4, 0.7, 0.2, 0.7])
    monkeypatch.setattr(training, "train_epochs", lambda *arguments: iter([(epoch, 0.0) for epoch in range(1, 5)]))
    monkeypatch.setattr(training, "predict", lambda *arguments: next(said) * (2 * arguments[2]["label"] - 1))
    found = audit._run_random_split(1, folder, reference(), 8, SETTINGS)
    right = 1 / (1 + np.exp(-0.7))
    assert found["p_seizure"].to_numpy() == pytest.approx(np.where(found["label"] == 1, right, 1 - right))
    assert next(said, None) is None


@pytest.mark.slow
def test_the_same_bytes_again(folder, monkeypatch):
    """One worker or two: the same tables in the order of the seeds; another seed draws, splits and trains anew."""
    runs = []
    for workers in ("1", "2"):
        monkeypatch.setenv("STUDY_WORKERS", workers)
        runs.append(audit.run_random_splits((1, 2), folder, reference(), 8, SETTINGS))
    assert runs[0].equals(runs[1]) and runs[0]["seed"].unique().tolist() == [1, 2]
    assert len({tuple(part["p_seizure"]) for _, part in runs[0].groupby("seed")}) == 2


@pytest.mark.slow
def test_a_random_split_flatters(folder):
    """Nothing can be learnt of one recording from another, and yet the random split finds nearly every seizure sample;
    by recording, the same network is far below."""
    settings = {**SETTINGS, "epochs": 6, "batches_per_epoch": 15, "background_mixing": 0.0}
    tested = audit.run_random_splits([1, 2], folder, reference(), 8, settings)
    flattered = [roc_auc_score(table["label"], table["p_seizure"]) for _, table in tested.groupby("seed")]
    samples, overlapping = (spectrograms.triptychs(AXIS, SIZES, ANNOTATED, step_s) for step_s in (1.0, 0.25))
    planned = folds.leave_one_recording_out(list(SIZES), set("abc"), 2)
    trained = training.train_all(planned, folder, overlapping, samples, 8, settings)
    honest, _ = training.out_of_fold(planned, [(one.split, one.log_odds) for one in trained], samples)
    assert min(flattered) > 0.9 and roc_auc_score(honest["label"], honest["log_odds"]) < min(flattered) - 0.1


def test_seconds_of_seizure_are_kept():
    """a keeps 50 s, b the 12 s after the first 8, c none; all from 8 s on, none overlapping, also where one wraps."""
    pieces = 0
    for seed in range(40):
        found = audit.permute(LONG, seed, first_s=8.0).seizures
        lasting = (found["end_s"] - found["start_s"]).groupby(found["recording"]).sum()
        assert lasting.to_dict() == pytest.approx({"a": 50, "b": 12})
        assert (found["start_s"] >= 8).all() and (found["end_s"] <= found["recording"].map(LONG.durations_s)).all()
        rows = found[found["recording"] == "a"]
        assert (rows["start_s"].to_numpy()[1:] >= rows["end_s"].to_numpy()[:-1]).all()
        pieces += len(found) > 3
    assert pieces > 0
    one, again, other = (audit.permute(LONG, seed).seizures for seed in (1, 1, 2))
    assert one.equals(again) and not one.equals(other)


def test_every_second_is_as_likely():
    """Over 600 shifts each frame of a recording is seizure as often as any other: 20 % of 200 s, whatever is there."""
    shares, single = np.zeros(50), Annotations(spans(("a", 100.0, 140.0)), {"a": 200.0})
    axis = {"hop_s": 0.125, "frame_s": 4.0, "frame_columns": 32}
    for seed in range(600):
        shares += spectrograms.frames(axis, {"a": 1600}, audit.permute(single, seed))["label"].to_numpy()
    assert shares / 600 == pytest.approx(np.full(50, 0.2), abs=0.08)


def test_a_recording_with_no_frame_to_decide_is_refused():
    """c lasts as long as the two frames before the first decision."""
    with pytest.raises(RecordingError, match="c lasts 8 s"):
        audit.permute(Annotations(LONG.seizures, LONG.durations_s | {"c": 8.0}), 0, first_s=8.0)
