"""What the reference would have tested on: shared EEG counted by hand, leaks that are caught, samples drawn alike."""

import numpy as np
import pandas as pd
import pytest

from helpers.train import audit


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


def test_reference_samples_by_hand():
    """Frames of 1 s every 0.75 s, with two before them, in 12 s: they start at 2.25, 3, … 10.5 s, 12 of them, and those
    from 4.5 to 8.25 s, 6, lie at least half in the seizure at 5–9 s."""
    axis = {"hop_s": 0.125, "frame_s": 1.0, "frame_columns": 8}
    found = audit.reference_samples(axis, {"a": 96, "b": 96}, spans(("a", 5, 9)))
    part = found[found["recording"] == "a"]
    assert part["last_start_s"].tolist() == [2.25 + 0.75 * k for k in range(12)]
    assert part.loc[part["label"] == 1, "last_start_s"].tolist() == [4.5, 5.25, 6, 6.75, 7.5, 8.25]
    assert len(found) == 24 and found["label"].sum() == 6
