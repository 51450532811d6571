"""Features by hand: band means, line length of known signals, blocks that change nothing, frames that stay apart."""

import numpy as np
import pandas as pd
import pytest
from conftest import write_signals

from helpers.acquire import edf
from helpers.acquire.montages import DOUBLE_BANANA
from helpers.preprocess import filterbank, spectrograms
from helpers.study.errors import RecordingError
from helpers.train import features

# frames of 1 s: 8 columns of 32 samples each, so a triptych is 24 columns
AXIS = filterbank.axes(256.0, 1.0, 0.125, 1.0)


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


def test_line_length_by_hand():
    """Column j of channel c holds 10·c + j µV. The triptych from column 4 on: t0 has columns 4 to 11, sum 60, t1 124,
    t2 188, over a frame of 1 s; channel 2 160 more. A frame of 2 s would halve it."""
    lengths = {"a": (10 * np.arange(3)[:, None] + np.arange(40)).astype(np.float32)}
    table = pd.DataFrame({"recording": ["a"], "column": [4]})
    found = features.line_lengths(lengths, table, AXIS, features.ALL_FRAMES)
    assert found.shape == (1, 3, 3) and found.dtype == np.float32
    assert found[0, :, 0].tolist() == [60, 124, 188] and found[0, 0, 2] == 220
    assert features.line_lengths(lengths, table, AXIS | {"frame_s": 2.0})[0, 0, 0] == 94


def written(folder, signals):
    """Return spectrogram and line length of [18, sample] in µV, as the stage preprocess writes them."""
    write_signals(folder / "a.edf", DOUBLE_BANANA, signals, 256)
    filterbank.write(edf.open_edf(folder / "a.edf"), folder / "power" / "a.npy", AXIS, folder / "length" / "a.npy")
    return tuple(spectrograms.open_spectrogram(folder / kind, ["a"]) for kind in ("power", "length"))


def test_line_length_of_known_signals(tmp_path):
    """A ramp of 0.5 µV a sample: 256 steps a frame of 1 s, 128 µV/s. A square wave that jumps by 20 µV every 32
    samples, at each column's start: 8 jumps a frame, 160 µV/s; the very first frame of a recording lacks the jump into
    its first sample. A flat line: 0, and 0 dB as a feature. (16 bits over 800 µV round a sample to 0.006 µV.)
    """
    n = np.arange(6 * 256)
    signals = np.zeros((18, len(n)))
    signals[0], signals[1] = (n - 768) / 2, 20 * (n // 32 % 2)
    table = pd.DataFrame({"recording": ["a", "a"], "column": [0, 13]})
    power, lengths = written(tmp_path, signals)
    found = features.line_lengths(lengths, table, AXIS, features.ALL_FRAMES)
    assert found.shape == (2, 3, 18)
    assert found[..., 0].ravel() == pytest.approx([127.5, *[128] * 5], abs=0.02)
    assert found[..., 1].ravel() == pytest.approx([140, *[160] * 5], abs=0.1)
    assert (found[..., 2:] == 0).all()
    assert (features.measure(power, lengths, table, AXIS)[:, -16:] == 0).all()


def test_features_see_their_frames_only():
    """Columns 16 to 23 are t2 of the triptych at column 0. Other values in columns 15 or 24 change nothing there; in
    column 16, in spectrogram or line length, they do."""
    generator = np.random.default_rng(1)
    power, length = generator.normal(0, 5, (18, 54, 32)), generator.uniform(1, 9, (18, 32))
    table = pd.DataFrame({"recording": ["a"], "column": [0]})

    def measured(changed_power, changed_length):
        arrays = power.astype(np.float16), length.astype(np.float32)
        arrays[0][:, :, changed_power] = 99
        arrays[1][:, changed_length] = 99
        return features.measure({"a": arrays[0]}, {"a": arrays[1]}, table, AXIS)

    plain = measured([], [])
    assert np.array_equal(plain, measured([15, 24], [15, 24]))
    assert not np.array_equal(plain, measured([16], [])) and not np.array_equal(plain, measured([], [16]))


def test_tables_in_any_order(tmp_path, monkeypatch):
    """Rows of two recordings mixed, read by blocks of 5 columns: each row is what it is alone."""
    generator = np.random.default_rng(2)
    power = {name: generator.normal(0, 5, (18, 54, 40)).astype(np.float16) for name in "ab"}
    length = {name: generator.uniform(1, 9, (18, 40)).astype(np.float32) for name in "ab"}
    table = pd.DataFrame({"recording": list("babba"), "column": [16, 0, 7, 3, 16]})
    whole = features.measure(power, length, table, AXIS)
    monkeypatch.setattr(features, "BLOCK_COLUMNS", 5)
    rows = [features.measure(power, length, table.iloc[[row]], AXIS)[0] for row in range(5)]
    assert np.array_equal(whole, np.stack(rows))


def test_each_feature_has_a_name(tmp_path):
    """Three frames of (5 bands + line length) × 18 channels: 324, named in order; line length is in dB, as 20 log10."""
    signals = np.random.default_rng(1).normal(0, 10, (18, 4 * 256))
    power, lengths = written(tmp_path, signals)
    table = pd.DataFrame({"recording": ["a", "a"], "column": [0, 8]})
    found = features.measure(power, lengths, table, AXIS, features.ALL_FRAMES)
    listed = features.names(AXIS, features.ALL_FRAMES)
    assert found.shape == (2, 324) and found.dtype == np.float32 and len(set(listed)) == len(listed) == 324
    length = lengths["a"][1, 8:16].astype(float).sum()
    assert found[0, listed.index("t1 line length F7-T7")] == pytest.approx(20 * np.log10(length))
    theta = power["a"][1, 3:7, 8:16].astype(float).mean()
    assert found[0, listed.index("t1 B2 F7-T7")] == pytest.approx(theta, rel=1e-5)
    last = features.measure(power, lengths, table, AXIS)
    assert np.array_equal(last, found[:, 216:]) and features.names(AXIS) == listed[216:]


def test_too_short_a_line_length_is_refused():
    """2 s of it for a triptych of 3 s: both are said."""
    table = pd.DataFrame({"recording": ["a"], "column": [0]})
    with pytest.raises(RecordingError, match="a has line length of 2 s, and a triptych that ends at 3 s"):
        features.line_lengths({"a": np.ones((18, 16), np.float32)}, table, AXIS)


def test_real_eeg(excerpts, tmp_path):
    """Four recordings of chb01: line length rises in the seizure (from second 10 on) in most channels."""
    rises = []
    axis = filterbank.axes(256.0, 1.0, 0.125, 2.0)
    for path in sorted(excerpts.glob("*.edf")):
        filterbank.write(edf.open_edf(path), tmp_path / "power.npy", axis, tmp_path / "a.npy")
        lengths = spectrograms.open_spectrogram(tmp_path, ["a"])
        table = pd.DataFrame({"recording": ["a"] * 2, "column": [16, 16 * 8]})  # last frames: 6 to 8 s, 20 to 22 s
        before, during = features.line_lengths(lengths, table, axis)[:, 0]
        rises.append(np.mean(during > before))
    assert len(rises) == 4 and np.mean(rises) > 0.5
