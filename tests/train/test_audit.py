"""The leakage audit: shared EEG and random splits by hand, how far they flatter, and permuted annotations."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from test_training import SETTINGS

from helpers.acquire.annotations import COLUMNS, Annotations
from helpers.preprocess import spectrograms
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
    return inputs.write_inputs(tmp_path, list(SIZES), tmp_path / "pooled", 8)


def triptychs():
    """Return the triptychs to train on, every 0.25 s, and those to decide on, every second."""
    return (spectrograms.triptychs(AXIS, SIZES, ANNOTATED, step_s) for step_s in (0.25, 1.0))


def test_random_splits_by_hand(monkeypatch):
    """Seven triptychs of 3 s, drawn at 0.1 to 0.95: below 0.6 they train, below 0.8 they are inner, above they test.
    Training has 0–3 s, and 2–5 s: 1–4 s, 3–6 s and 4–7 s share EEG with it, 20–23 s and 30–33 s do not. The first is
    no sample to decide on; the rows of samples are in another order, and have numbers of their own."""
    starts, drawn = np.array([0, 2, 1, 3, 4, 20, 30.0]), np.array([0.1, 0.5, 0.65, 0.7, 0.85, 0.9, 0.95])
    overlapping = pd.DataFrame({"recording": "a", "column": range(7), "start_s": starts, "end_s": starts + 3})
    samples = overlapping.assign(label=[1, 0, 0, 1, 1, 0, 0])[1:][::-1].set_axis(range(10, 16))
    monkeypatch.setattr(np.random, "default_rng", lambda seed: SimpleNamespace(random=lambda count: drawn))
    pieces, table = audit.random_splits(1, 8, overlapping, samples)
    ((split, train, scored),) = pieces
    assert (split.name, split.train, train["column"].tolist()) == ("random0", ("a",), [0, 1])
    assert set(table["network"]) == {"random0"}
    rows = table.set_index("sample").join(samples["column"]).set_index("column").sort_index()
    assert rows["part"].tolist() == ["inner"] * 2 + ["test"] * 3 and rows.index.tolist() == [2, 3, 4, 5, 6]
    assert rows["shared_eeg"].tolist() == [1, 1, 1, 0, 0] and scored.equals(samples.loc[table["sample"]])


def test_shares_of_random_splits():
    """Three fifths of the triptychs train, and as many seizure samples are inner as test, but for chance. Each split
    has its own, and the same again."""
    overlapping, samples = triptychs()
    (pieces, table), again = (audit.random_splits(40, 8, overlapping, samples) for _ in range(2))
    assert table.equals(again[1]) and len({tuple(train.index) for _, train, _ in pieces}) == 40
    assert np.mean([len(train) for _, train, _ in pieces]) / len(overlapping) == pytest.approx(0.6, abs=0.02)
    seizure = table.join(samples, on="sample").groupby(["network", "part"])["label"].sum().groupby("part").mean()
    assert seizure.to_numpy() / samples["label"].sum() == pytest.approx([0.2, 0.2], abs=0.05)
    for split, train, scored in pieces:
        keys = [set(part[["recording", "column"]].itertuples(index=False, name=None)) for part in (train, scored)]
        assert not keys[0] & keys[1] and set(scored.index) == set(table.loc[table["network"] == split.name, "sample"])


@pytest.mark.slow
def test_a_random_split_flatters(folder):
    """Nothing can be learnt of one recording from another, and yet the random split finds nearly every seizure sample;
    by recording, the same network is far below."""
    settings = {**SETTINGS, "epochs": 6, "batches_per_epoch": 15, "background_mixing": 0.0}
    overlapping, samples = triptychs()
    pieces, table = audit.random_splits(2, 8, overlapping, samples)
    random = training.train_all(pieces, folder, 8, settings, [split.name for split, *_ in pieces])
    test = table[table["part"] == "test"].set_index("network")["sample"]
    tested = [(one.log_odds, test[one.split.name]) for one in random]
    flattered = [roc_auc_score(samples.loc[rows, "label"], log_odds[rows]) for log_odds, rows in tested]
    assert all(set(one.history["sample"]) == set(one.log_odds.index) for one in random)
    planned = folds.leave_blocks_out(list(SIZES), set("abc"), 3)
    pieces = training.by_recording(folds.splits(planned), overlapping, samples)
    trained = training.train_all(pieces, folder, 8, settings)
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
    start_s = 4.0 * np.arange(50)
    for seed in range(600):
        shares += spectrograms.labels(start_s, start_s + 4.0, audit.permute(single, seed).spans("a"))
    assert shares / 600 == pytest.approx(np.full(50, 0.2), abs=0.08)
