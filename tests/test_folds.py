"""Folds share no recording, no frame and no second of EEG."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import folds, spectrograms


def test_by_hand():
    """Seizures in b, d, e of a–f: three folds; a, c and f are dealt one to each in order; inner is the next one."""
    found = folds.leave_one_recording_out(list("abcdef"), {"b", "d", "e"})
    assert [(fold.held_out, fold.inner) for fold in found] == [(("b", "a"), "d"), (("d", "c"), "e"), (("e", "f"), "b")]
    assert found[0].train == ("c", "e", "f")


def test_seizure_free_recordings_stay_in_contiguous_blocks():
    """Nine free recordings over three folds: three neighbours each."""
    names = [f"r{number:02d}" for number in range(12)]
    found = folds.leave_one_recording_out(names, set(names[:3]))
    assert [fold.held_out[1:] for fold in found] == [tuple(names[3:6]), tuple(names[6:9]), tuple(names[9:12])]


@given(st.integers(3, 8), st.integers(0, 12), st.randoms())
def test_no_second_of_eeg_on_both_sides(positive, free, random):
    """Every second of every recording is held out once, and then neither trained on nor used to choose."""
    names = [f"r{number}" for number in range(positive + free)]
    with_seizure = set(random.sample(names, positive))
    size, hop_s = 8, 0.5
    spans = {}
    for name in names:
        table = spectrograms.triptychs(spectrograms.frames(120, size, hop_s, [], 3), size, hop_s)
        spans[name] = {
            (name, second)
            for start, end in table[["start_s", "end_s"]].to_numpy()
            for second in np.arange(start, end, hop_s)
        }
    found = folds.leave_one_recording_out(names, with_seizure)
    held = [name for fold in found for name in fold.held_out]
    assert sorted(held) == sorted(names)
    for fold in found:
        sides = [set().union(*(spans[n] for n in side)) for side in (fold.held_out, [fold.inner], fold.train)]
        assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
        assert fold.inner in with_seizure and with_seizure & set(fold.train)


def test_a_leak_is_caught():
    """A held-out recording that is also trained on fails the check."""
    leaky = [folds.Fold(0, ("a",), "b", ("a", "c")), folds.Fold(1, ("b", "c"), "a", ())]
    with pytest.raises(AssertionError, match="fold 0"):
        folds.check(leaky, ["a", "b", "c"])


@pytest.mark.parametrize(
    ("with_seizure", "said"), [(set(), r"0 recordings \(none\)"), ({"a", "b"}, r"2 recordings \(a, b\)")]
)
def test_too_few_seizures(with_seizure, said):
    """With no seizure at all, or two, the message counts them and says what is needed."""
    with pytest.raises(ValueError, match=said + ".*at least 3"):
        folds.leave_one_recording_out(["a", "b", "c"], with_seizure)


def test_frames_and_labels_by_hand():
    """Columns of 0.5 s, frames of 4 (2 s), seizure 3–6.9 s of 10 s: 2–4 s is half seizure, 6–8 s less."""
    table = spectrograms.frames(20, 4, 0.5, [(3, 6.9)], 4)
    assert table["label"].tolist() == [0, 1, 1, 0, 0]
    triptychs = spectrograms.triptychs(table, 4, 0.5)
    assert triptychs[["column", "start_s", "last_start_s", "end_s", "label"]].to_numpy().tolist() == [
        [0, 0, 4, 6, 1], [4, 2, 6, 8, 0], [8, 4, 8, 10, 0],
    ]  # fmt: skip


def test_a_recording_shorter_than_a_triptych_is_refused():
    """Ten columns of 0.5 s hold two frames of 2 s, not three."""
    axis = {"hop_s": 0.5, "frame_s": 2.0, "frame_columns": 4}
    nothing = pd.DataFrame(columns=["recording", "start_s", "end_s"])
    with pytest.raises(ValueError, match="a lasts 5 s, less than a triptych"):
        spectrograms.all_triptychs(axis, {"a": 10}, nothing, 2.0)
    with pytest.raises(ValueError, match="multiple of hop_s"):
        spectrograms.all_triptychs(axis, {"a": 40}, nothing, 0.7)
