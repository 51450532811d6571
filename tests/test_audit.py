"""The leakage audit: shared EEG counted by hand, leaks that are caught, a split that is known to leak."""

import numpy as np
import pandas as pd
import pytest

from helpers import audit, folds, spectrograms

SETTINGS = dict(
    seed=1, epochs=2, batches_per_epoch=4, batch_size=8, learning_rate=0.01, weight_decay=0.0, width=4, hidden=8,
    dropout=0.2, gain_db=1.0,
)  # fmt: skip
AXIS = {"hop_s": 0.125, "frame_s": 1.0, "frame_columns": 8}


def spans(*rows):
    """Return a table of (recording, start_s, end_s)."""
    return pd.DataFrame(rows, columns=["recording", "start_s", "end_s"])


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
        table = pd.DataFrame({
            "recording": generator.choice(list("abc"), 30), "start_s": start,
            "end_s": start + generator.integers(1, 9, 30),
        })  # fmt: skip
        train, test = table.iloc[:12], table.iloc[12:]
        wanted = [
            any((train["recording"] == r) & (train["start_s"] < end) & (train["end_s"] > start))
            for r, start, end in test[["recording", "start_s", "end_s"]].itertuples(index=False)
        ]
        assert audit.shared_eeg(train, test).tolist() == wanted


def test_an_injected_leak_is_caught():
    """A test recording in training: named, with the number of samples that share EEG; it is a leak, too, where the
    samples of one recording share no second. Recordings apart: nothing is raised."""
    train, test = spans(("a", 0, 12), ("b", 0, 12)), spans(("c", 0, 12), ("c", 12, 24))
    audit.check_apart(train, test)
    leaked = pd.concat([train, test.iloc[:1]])
    with pytest.raises(AssertionError, match="c both trained and tested the network; 1 of 2 test"):
        audit.check_apart(leaked, test)
    with pytest.raises(AssertionError, match="c both .*; 0 of 1"):
        audit.check_apart(leaked, test.iloc[1:])


def test_draw_by_hand():
    """Two seizure samples in a, none in b: four of a's ten others and none of b's; another seed draws others. With one
    seizure-free sample in a, that one alone."""
    table = pd.DataFrame({"recording": ["a"] * 12 + ["b"] * 9, "label": [0, 1, 1] + [0] * 18})
    drawn = audit.draw(table, 0)
    assert drawn["label"].tolist().count(1) == 2 and len(drawn) == 6 and set(drawn["recording"]) == {"a"}
    assert drawn.equals(audit.draw(table, 0)) and not drawn.equals(audit.draw(table, 1))
    assert audit.draw(table.iloc[:3], 0).index.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="None of the 9 samples is seizure"):
        audit.draw(table.iloc[12:], 0)


def test_row_by_hand():
    """p 0.9, 0.4 of seizures, 0.6, 0.1, 0.2 of others, at 0.5: TP 1, FN 1, FP 1, TN 2. Accuracy 3/5, sensitivity 1/2,
    specificity 2/3, F1 2/4; of 6 pairs 5 are in order."""
    table = pd.DataFrame({"label": [1, 1, 0, 0, 0], "p_seizure": [0.9, 0.4, 0.6, 0.1, 0.2], "threshold": 0.5})
    found = audit.row("p", 3, table, np.array([True, False, False, True, True]))
    assert found == {
        "protocol": "p", "seed": 3, "n_test": 5, "shared_eeg": 3, "share": 0.6, "accuracy": 0.6, "sensitivity": 0.5,
        "specificity": pytest.approx(2 / 3), "f1": 0.5, "auroc": pytest.approx(5 / 6),
    }  # fmt: skip
    assert audit.row("p", 3, table.iloc[:2], [False, False])["auroc"] is None


@pytest.fixture
def world(tmp_path):
    """Three recordings of 12 s, 6 channels, 8 bins; each holds a seizure at 5–9 s, with its own pattern of channels and
    bins, so that nothing can be learnt of one recording from another."""
    generator = np.random.default_rng(3)
    names = list("abc")
    for name in names:
        power = generator.normal(0, 3, (6, 8, 96))
        power[:, :, 40:72] += 10 * generator.normal(0, 1, (6, 8, 1))
        np.save(tmp_path / f"{name}.npy", power.astype(np.float16))
    seizures = spans(*[(name, 5, 9) for name in names])
    columns = dict.fromkeys(names, 96)
    samples, overlapping = (spectrograms.all_triptychs(AXIS, columns, seizures, step) for step in (1.0, 0.25))
    reference = audit.reference_samples(AXIS, columns, seizures)
    planned = folds.leave_one_recording_out(names, set(names))
    return planned, tmp_path, overlapping, samples, reference


def test_the_table_of_both_protocols(world):
    """Frames of 1 s every 0.75 s, with two before them: they start at 2.25, 3, … 10.5 s, 12 a recording, and those from
    4.5 to 8.25 s are at least half in the seizure, 6. So 18 are seizure, and all 18 others, fewer than 2 for each, are
    taken; of 36, 11 test. Ours decides on 10 samples a recording, none of which shares EEG; 12 of the 30 are seizure:
    drawn alike it is all 30.
    """
    planned, folder, overlapping, samples, reference = world
    table = audit.compare(planned, folder, overlapping, samples, reference, 8, SETTINGS, (1, 2))
    assert table["protocol"].tolist() == [audit.REFERENCE, audit.OURS, audit.OURS_DRAWN] * 2
    assert table["seed"].tolist() == [1] * 3 + [2] * 3
    random_split = table[table["protocol"] == audit.REFERENCE]
    assert (random_split["n_test"] == 11).all() and (random_split["share"] > 0.9).all()
    others = table[table["protocol"] != audit.REFERENCE]
    assert (others["n_test"] == 30).all() and (others["shared_eeg"] == 0).all()
    again = audit.compare(planned, folder, overlapping, samples, reference, 8, SETTINGS, (2,))
    assert again.equals(table.iloc[3:].reset_index(drop=True))


def test_a_random_split_flatters(world):
    """Nothing can be learnt of one recording from another, and yet the random split finds nearly every seizure sample;
    by recording, the same network is far below."""
    planned, folder, overlapping, samples, reference = world
    settings = {**SETTINGS, "epochs": 6, "batches_per_epoch": 15}
    table = audit.compare(planned, folder, overlapping, samples, reference, 8, settings, (1, 2)).set_index("protocol")
    assert table.loc[audit.REFERENCE, "auroc"].min() > 0.9
    assert table.loc[audit.OURS, "auroc"].max() < table.loc[audit.REFERENCE, "auroc"].min() - 0.1


def test_a_leak_stops_the_audit(world):
    """A fold that trains on what it holds out gives no row."""
    planned, _, overlapping, samples, _ = world
    fold = planned[0]
    leaked = folds.Fold(0, fold.held_out, fold.inner, (*fold.train, *fold.held_out))
    made = samples[samples["recording"].isin(fold.held_out)].assign(fold=0, p_seizure=0.5, threshold=0.5)
    assert len(audit.rows_of_ours([fold], overlapping, made, 0)) == 2
    with pytest.raises(AssertionError, match="a both trained and tested"):
        audit.rows_of_ours([leaked], overlapping, made, 0)
