"""Frames and triptychs by hand."""

import numpy as np
import pandas as pd
import pytest

from helpers.acquire.annotations import COLUMNS, Annotations
from helpers.preprocess import spectrograms

AXIS = {"hop_s": 0.5, "frame_s": 2.0, "frame_columns": 4}  # columns of 0.5 s, frames of 2 s
ROWS = [("a", 3.0, 6.9), ("b", 0.0, 2.0)]
ANNOTATIONS = Annotations(pd.DataFrame(ROWS, columns=COLUMNS), {"a": 10.0, "b": 6.0, "c": 5.0})


def test_labels_by_hand():
    """A seizure at 3–6.9 s of 10 s: 2–4 s is half seizure, 6–8 s less."""
    start_s = np.arange(0, 10, 2)
    assert spectrograms.labels(start_s, start_s + 2, ANNOTATIONS.spans("a")).tolist() == [0, 1, 1, 0, 0]


def test_triptychs_by_hand():
    """Three frames in a row, every frame: labels are those of the frames above; every 1.5 s, the last one starts at a
    multiple of it, 4.5 s, so that the first begins at 0.5 s."""
    table = spectrograms.triptychs(AXIS, {"a": 20, "b": 12}, ANNOTATIONS, 2.0)
    times = ["recording", "column", "start_s", "last_start_s", "end_s"]
    assert table[[*times, "label_t0", "label_t1", "label"]].to_numpy().tolist() == [
        ["a", 0, 0, 4, 6, 0, 1, 1], ["a", 4, 2, 6, 8, 1, 1, 0], ["a", 8, 4, 8, 10, 1, 0, 0], ["b", 0, 0, 4, 6, 1, 0, 0],
    ]  # fmt: skip
    table = spectrograms.triptychs(AXIS, {"a": 20}, ANNOTATIONS, 1.5)
    assert table["last_start_s"].tolist() == [4.5, 6.0, 7.5] and table["column"].tolist() == [1, 4, 7]


def test_a_recording_shorter_than_a_triptych_is_refused():
    """Ten columns of 0.5 s hold two frames of 2 s, not three; a step that is no whole number of hops."""
    with pytest.raises(ValueError, match="c lasts 5 s, less than a triptych"):
        spectrograms.triptychs(AXIS, {"c": 10}, ANNOTATIONS, 2.0)
    with pytest.raises(ValueError, match="multiple of hop_s"):
        spectrograms.triptychs(AXIS, {"a": 40}, ANNOTATIONS, 0.7)
