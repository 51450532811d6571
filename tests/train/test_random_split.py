"""The reference's protocol: what it draws and splits, what it chooses on the test, and how it flatters."""

import numpy as np
import pandas as pd
import pytest
from test_training import SETTINGS

from helpers.evaluate import scores
from helpers.preprocess import spectrograms
from helpers.train import audit, folds, random_split, training

AXIS = {"hop_s": 0.125, "frame_s": 1.0, "frame_columns": 8}
SEIZURES = pd.DataFrame([(name, 5.0, 9.0) for name in "abc"], columns=["recording", "start_s", "end_s"])
COLUMNS = dict.fromkeys("abcd", 96)


@pytest.fixture
def folder(tmp_path):
    """Four recordings of 12 s, 6 channels, 8 bins. All but d hold a seizure at 5–9 s, with a pattern of channels of its
    own, so that nothing can be learnt of one recording from another."""
    generator = np.random.default_rng(3)
    for name in COLUMNS:
        power = generator.normal(0, 3, (6, 8, 96))
        if name != "d":
            # What is not seizure stands out as much: that something does says nothing, and what it is, no other tells.
            seizure, other = 10 * generator.normal(0, 1, (2, 6, 8, 1))
            power += np.where((np.arange(96) >= 40) & (np.arange(96) < 72), seizure, other)
        np.save(tmp_path / f"{name}.npy", power.astype(np.float16))
    return training.pool_all(tmp_path, list(COLUMNS), tmp_path / "pooled")


def reference():
    """Return the triptychs of the reference's protocol."""
    return audit.reference_samples(AXIS, COLUMNS, SEIZURES)


def test_what_is_tested(folder):
    """Of 12 triptychs in each of a, b and c 6 are seizure; all 18 others there, fewer than two for each, are taken too;
    of the 36, a third but one, 11, test, of both labels. Nearly all of them share EEG with training. d, without a
    seizure, is not there."""
    found = random_split.run(5, folder, reference(), 8, SETTINGS)
    columns = ["seed", "recording", "start_s", "end_s", "label", "p_seizure", "shared_eeg"]
    assert list(found.columns) == columns and (found["seed"] == 5).all() and len(found) == 11
    assert found["label"].sum() in (5, 6) and set(found["recording"]) <= set("abc")
    assert found["p_seizure"].between(0, 1).all() and found["shared_eeg"].mean() > 0.9
    assert not found.duplicated(["recording", "start_s"]).any()
    assert ((found["end_s"] - found["start_s"]) == 3).all()


def test_shared_eeg_is_of_the_split_itself(folder, monkeypatch):
    """The training samples are all that were drawn and do not test: counted anew from them, it is the same."""
    drawn = audit.draw(reference(), 5)
    found = random_split.run(5, folder, reference(), 8, SETTINGS)
    keys = ["recording", "start_s"]
    tested = drawn[keys].apply(tuple, axis=1).isin(found[keys].apply(tuple, axis=1))
    assert tested.sum() == 11
    assert found["shared_eeg"].tolist() == audit.shared_eeg(drawn[~tested], drawn[tested]).astype(int).tolist()


def test_the_epoch_is_chosen_on_the_test(monkeypatch):
    """Losses of 4 epochs on the test: 0.9, 0.4, 0.6, 0.4. The second's log-odds are kept: of equals the first."""
    label, spoken = [1, 0], iter([-0.4, 0.7, 0.2, 0.7])
    monkeypatch.setattr(training, "learning", lambda *arguments: iter([(epoch, 0.0) for epoch in range(1, 5)]))
    given = []

    def predict(*arguments):
        value = next(spoken)
        given.append(np.array([value, -value]))
        return given[-1]

    monkeypatch.setattr(training, "predict", predict)
    test = pd.DataFrame({"label": label})
    kept = random_split.best_on_test(None, None, None, test, 8, SETTINGS, None)
    assert len(given) == 4 and kept is given[1]


@pytest.mark.slow
def test_the_same_bytes_again(folder, monkeypatch):
    """One worker or two: the same tables in the order of the seeds; another seed draws, splits and trains anew."""
    runs = []
    for workers in ("1", "2"):
        monkeypatch.setenv("STUDY_WORKERS", workers)
        runs.append(random_split.run_all((1, 2), folder, reference(), 8, SETTINGS))
    assert [table["seed"].iloc[0] for table in runs[0]] == [1, 2]
    assert all(one.equals(other) for one, other in zip(*runs, strict=True))
    assert runs[0][0]["p_seizure"].tolist() != runs[0][1]["p_seizure"].tolist()


@pytest.mark.slow
def test_a_random_split_flatters(folder):
    """Nothing can be learnt of one recording from another, and yet the random split finds nearly every seizure sample;
    by recording, the same network is far below."""
    settings = {**SETTINGS, "epochs": 6, "batches_per_epoch": 15, "mixed": 0.0}
    tables = [random_split.run(seed, folder, reference(), 8, settings) for seed in (1, 2)]
    flattered = [scores.auroc(table["label"], table["p_seizure"]) for table in tables]
    samples, overlapping = (spectrograms.all_triptychs(AXIS, COLUMNS, SEIZURES, step) for step in (1.0, 0.25))
    planned = folds.leave_one_recording_out(list(COLUMNS), set("abc"), 2)
    trained = training.train_all(planned, folder, overlapping, samples, 8, settings)
    honest, _ = training.out_of_fold(planned, [(one.split, one.log_odds) for one in trained], samples)
    p = 1 / (1 + np.exp(-honest["log_odds"]))
    assert min(flattered) > 0.9 and scores.auroc(honest["label"], p) < min(flattered) - 0.1


def test_no_split_is_refused(folder):
    """None to run: the parameter is named."""
    with pytest.raises(ValueError, match="audit_splits is 0; .*at least 1"):
        random_split.run_all(range(8, 8), folder, reference(), 8, SETTINGS)
