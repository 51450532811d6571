"""Features by hand: band means, line length of known signals, blocks that change nothing, frames that stay apart."""

import numpy as np
import pandas as pd
import pytest
from conftest import write_signals

from helpers import edf, features, filterbank, spectrograms
from helpers.errors import RecordingError
from helpers.montages import DOUBLE_BANANA

# frames of 1 s: 8 columns of 32 samples each, so a triptych is 24 columns
AXIS = filterbank.axes(256.0, 1.0, 0.125, 1.0)


def opened(folder, signals, rate=256):
    """Return [18, sample] in µV as an open recording."""
    path = folder / "a.edf"
    write_signals(path, DOUBLE_BANANA, signals, rate)
    return {"a": edf.open_edf(path)}


def test_band_power_by_hand():
    """Bin k of channel c holds 100·c + k + column. Delta's bins are 1, 2, 3 Hz (k = 0 to 2, mean 1), theta's 4 to 7 Hz
    (mean 4.5). The last frame of the triptych from column 4 on has columns 20 to 27, mean 23.5: channel 0 has 24.5 and
    28, channel 1 100 more; t0, columns 4 to 11, 16 less than t2.
    """
    k, column = np.arange(54)[:, None], np.arange(40)
    power = {"a": np.stack([100 * c + k + column for c in range(18)]).astype(np.float16)}
    table = pd.DataFrame({"recording": ["a"], "column": [4]})
    found = features.band_powers(power, table, AXIS, features.ALL_FRAMES)
    assert found.shape == (1, 3, 90)
    assert found[0, 2, [0, 1, 18, 19]].tolist() == [24.5, 124.5, 28, 128]
    assert (found[0, 2] - found[0, 0] == 16).all()


def test_line_length_by_hand(tmp_path):
    """A ramp of 0.5 µV a sample: 255 steps within a frame of 256 samples, 127.5 µV/s. A square wave that jumps by 20 µV
    every 32 samples, at each column's start: 7 jumps within a frame of 8 columns, for the one into its first sample
    comes from the frame before: 140 µV/s. A flat line: 0. (16 bits over 800 µV round each sample to 0.006 µV.)
    """
    n = np.arange(6 * 256)
    signals = np.zeros((18, len(n)))
    signals[0], signals[1] = (n - 768) / 2, 20 * (n // 32 % 2)
    table = pd.DataFrame({"recording": ["a", "a"], "column": [0, 13]})
    found = features.line_lengths(opened(tmp_path, signals), table, AXIS, features.ALL_FRAMES)
    assert found.shape == (2, 3, 18)
    assert found[..., 0] == pytest.approx(127.5, abs=0.02)
    assert found[..., 1] == pytest.approx(140, abs=0.1)
    assert (found[..., 2:] == 0).all()


def test_line_length_is_its_definition(tmp_path, monkeypatch):
    """On noise, by blocks of 5 columns: what the definition gives on each frame's samples alone, in any table order."""
    signals = np.random.default_rng(0).normal(0, 30, (18, 5 * 256))
    recordings = opened(tmp_path, signals)
    monkeypatch.setattr(features, "BLOCK_COLUMNS", 5)
    table = pd.DataFrame({"recording": ["a"] * 3, "column": [16, 0, 7]})
    found = features.line_lengths(recordings, table, AXIS)
    read = edf.read(recordings["a"]).astype(float)
    for row, column in enumerate(table["column"]):
        frame = read[:, (column + 16) * 32 : (column + 24) * 32]
        assert found[row, 0] == pytest.approx(np.abs(np.diff(frame)).sum(axis=1), rel=1e-5)


def test_features_see_their_frames_only(tmp_path):
    """Samples 512 to 767 are t2 of the triptych at column 0. A spike of 300 µV in the EEG just before or just after it
    changes nothing there; one within does. (The spectrogram is given, so only line length can change.)
    """
    quiet = np.random.default_rng(1).normal(0, 10, (18, 4 * 256))
    power = {"a": np.random.default_rng(2).normal(0, 5, (18, 54, 32)).astype(np.float16)}
    table = pd.DataFrame({"recording": ["a"], "column": [0]})
    rows = []
    for spike in (None, 511, 768, 512):
        signals = quiet.copy()
        if spike is not None:
            signals[:, spike] = 300
        rows.append(features.measure(power, opened(tmp_path, signals), table, AXIS))
    assert np.array_equal(rows[0], rows[1]) and np.array_equal(rows[0], rows[2])
    assert not np.array_equal(rows[0], rows[3])


def test_each_feature_has_a_name(tmp_path):
    """Three frames of (5 bands + line length) × 18 channels: 324, named in order; line length is in dB, as 20 log10."""
    signals = np.random.default_rng(1).normal(0, 10, (18, 4 * 256))
    recordings, table = opened(tmp_path, signals), pd.DataFrame({"recording": ["a", "a"], "column": [0, 8]})
    filterbank.write(recordings["a"], tmp_path / "a.npy", AXIS)
    power = spectrograms.opened(tmp_path, ["a"])
    found = features.measure(power, recordings, table, AXIS, features.ALL_FRAMES)
    listed = features.names(AXIS, features.ALL_FRAMES)
    assert found.shape == (2, 324) and found.dtype == np.float32 and len(set(listed)) == len(listed) == 324
    where = listed.index("t1 line length F7-T7")
    length = features.line_lengths(recordings, table, AXIS, (1,))[:, 0, 1]
    assert found[:, where] == pytest.approx(20 * np.log10(length))
    theta = power["a"][1, 3:7, 8:16].astype(float).mean()
    assert found[0, listed.index("t1 B2 F7-T7")] == pytest.approx(theta, rel=1e-5)
    last = features.measure(power, recordings, table, AXIS)
    assert np.array_equal(last, found[:, 216:]) and features.names(AXIS) == listed[216:]


def test_other_eeg_is_refused(tmp_path):
    """128 Hz where the spectrograms come from 256 Hz; and 2 s of EEG for a triptych of 3 s."""
    table = pd.DataFrame({"recording": ["a"], "column": [0]})
    with pytest.raises(RecordingError, match="128 Hz"):
        features.line_lengths(opened(tmp_path, np.zeros((18, 512)), 128), table, AXIS)
    with pytest.raises(RecordingError, match="2 s of EEG, and a triptych that ends at 3 s"):
        features.line_lengths(opened(tmp_path, np.zeros((18, 512))), table, AXIS)


def test_real_eeg(excerpts):
    """Four recordings of chb01: line length rises in the seizure (from second 10 on) in most channels."""
    rises = []
    axis = filterbank.axes(256.0, 1.0, 0.125, 2.0)
    for path in sorted(excerpts.glob("*.edf")):
        recordings = {"a": edf.open_edf(path)}
        table = pd.DataFrame({"recording": ["a"] * 2, "column": [16, 16 * 8]})  # last frames: 6 to 8 s, 20 to 22 s
        before, during = features.line_lengths(recordings, table, axis)[:, 0]
        rises.append(np.mean(during > before))
    assert len(rises) == 4 and np.mean(rises) > 0.5
