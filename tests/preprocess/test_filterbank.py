"""The filter bank: against SciPy's, on a sine, in blocks; line length against its definition; and axes that fit."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from conftest import CHANNELS, write_edf, write_signals
from scipy.signal import stft

from helpers.acquire import edf
from helpers.preprocess import filterbank
from helpers.study import files
from helpers.study.bands import band_masks
from helpers.study.errors import RecordingError


@pytest.mark.parametrize("window", [128, 256, 512])
def test_log_power_equals_scipy(window):
    """The filter bank against scipy's STFT with the same periodic Hann window, scaled to a density, for windows of ½, 1
    and 2 s: from the first bin above 0 Hz to the last below 55 Hz; an offset of 500 µV is removed with the mean."""
    signal = np.random.default_rng(1).normal(500, 30, 2560).astype(np.float32)
    kept = slice(1, int(np.ceil(55 * window / 256)))
    frequencies = (np.arange(window // 2 + 1) * 256 / window)[kept]
    ours = filterbank.log_power(np.lib.stride_tricks.sliding_window_view(signal, window)[::32], 256.0, frequencies)
    _, _, values = stft(
        signal, 256.0, "hann", window, window - 32, detrend="constant", boundary=None, padded=False, scaling="psd"
    )
    expected = 10 * np.log10(2 * np.abs(values[kept]) ** 2)
    assert ours.shape == expected.shape and frequencies[-1] < 55
    np.testing.assert_allclose(ours, expected, atol=0.01)


def test_a_sine_shows_where_it_is(tmp_path):
    """10 Hz at 50 µV from 12 s to 20 s of 30 s: its bin rises by over 20 dB there, at the column of that time.
    The whole power of a sine, A²/2 = 1250 µV², lies in its main lobe."""
    time = np.arange(30 * 256) / 256
    sine = 50 * np.sin(2 * np.pi * 10 * time) * ((time >= 12) & (time < 20))
    noise = np.random.default_rng(2).normal(0, 1, (len(CHANNELS), time.size))
    write_signals(tmp_path / "s.edf", CHANNELS, noise + sine, 256)
    axis = filterbank.axes(256.0, 1.0, 0.125, 4.0)
    columns = filterbank.write(edf.open_edf(tmp_path / "s.edf"), tmp_path / "s.npy", axis)
    power = np.load(tmp_path / "s.npy").astype(float)
    assert columns == 240 and power.shape == (18, 54, 240)
    ten = power[0, 9]
    inside, outside = slice(12 * 8 + 5, 20 * 8 - 5), slice(0, 12 * 8 - 5)
    assert ten[inside].min() > ten[outside].max() + 20
    assert np.sum(10 ** (power[0, 7:12, 120] / 10)) == pytest.approx(1250, rel=0.05)


def test_blocks_change_no_result(tmp_path, monkeypatch):
    """Written in blocks of 7 columns or at once, with line length or without: the same bytes."""
    write_edf(tmp_path / "p_01.edf")
    recording, axis = edf.open_edf(tmp_path / "p_01.edf"), filterbank.axes(256.0, 1.0, 0.125, 4.0)
    for name, block in (("a", 2048), ("b", 7)):
        monkeypatch.setattr(filterbank, "BLOCK_COLUMNS", block)
        filterbank.write(recording, tmp_path / f"{name}.npy", axis, tmp_path / "lengths" / f"{name}.npy")
    filterbank.write(recording, tmp_path / "c.npy", axis)
    assert len({(tmp_path / f"{name}.npy").read_bytes() for name in "abc"}) == 1
    assert len({(tmp_path / "lengths" / f"{name}.npy").read_bytes() for name in "ab"}) == 1
    assert sorted(path.name for path in (tmp_path / "lengths").iterdir()) == ["a.npy", "b.npy"]


def test_line_length_by_hand():
    """Samples 5 | 7 4 4 | 0 1 -1: steps of 2, 3, 0, then 4, 1, 2. The step into the first hop counts."""
    found = filterbank.line_length(np.array([5, 7, 4, 4, 0, 1, -1], np.float32), 3)
    assert found.tolist() == [5, 7] and found.dtype == np.float32


@pytest.mark.parametrize(("window_s", "samples"), [(1.0, 1500), (2.0, 1500), (0.125, 1100), (1.0, 256)])
def test_line_length_is_its_definition(window_s, samples, tmp_path, monkeypatch):
    """In blocks of 5 columns of 128 samples, half a second: what the definition gives on the whole recording, whatever
    the window, one shorter than a column too; the last column where it is whole; the first sample adds nothing."""
    signals = np.random.default_rng(6).normal(0, 40, (len(CHANNELS), samples))
    write_signals(tmp_path / "r.edf", CHANNELS, signals, 256, record_s=0.015625)
    monkeypatch.setattr(filterbank, "BLOCK_COLUMNS", 5)
    axis = filterbank.axes(256.0, 1.0, 0.5, 2.0) | {"window_s": window_s}
    axis["frequencies_hz"] = [8.0, 16.0] if window_s < 1 else axis["frequencies_hz"]
    recording = edf.open_edf(tmp_path / "r.edf")
    columns = filterbank.write(recording, tmp_path / "r.npy", axis, tmp_path / "l.npy")
    signal = edf.read(recording).astype(float)
    steps = np.abs(np.diff(signal, axis=1, prepend=signal[:, :1]))[:, : columns * 128]
    found = np.load(tmp_path / "l.npy")
    assert columns == samples // 128 and found.shape == (18, columns) and found.dtype == np.float32
    assert found == pytest.approx(steps.reshape(18, columns, 128).sum(axis=2), rel=1e-5)


def test_an_unreadable_recording_leaves_no_file(tmp_path, monkeypatch):
    """A read that fails in the third block: neither array is there, whole or half."""
    write_edf(tmp_path / "p_01.edf")
    monkeypatch.setattr(filterbank, "BLOCK_COLUMNS", 64)
    read, calls = edf.read, []

    def failing(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise RecordingError("cannot be read any more")
        return read(*arguments)

    monkeypatch.setattr(edf, "read", failing)
    target, axis = tmp_path / "out", filterbank.axes(256.0, 1.0, 0.125, 4.0)
    with pytest.raises(RecordingError, match="any more"):
        filterbank.write(edf.open_edf(tmp_path / "p_01.edf"), target / "a.npy", axis, target / "b.npy")
    assert list(target.iterdir()) == []


@pytest.mark.parametrize("samples", [250, 251, 300, 512 * 32 + 31, 512 * 32 + 32, 513 * 32 + 13])
def test_a_whole_recording_against_its_definition(samples, tmp_path):
    """At 250 Hz, column j is the window of 250 samples from 32 j - 109 on, centred on the column to a sample, of the
    recording mirrored at its two ends; there are as many columns as whole hops: in float64, for lengths that fill the
    last hop or block and that do not."""
    signals = np.random.default_rng(4).normal(0, 40, (len(CHANNELS), samples))
    write_signals(tmp_path / "r.edf", CHANNELS, signals, 250, record_s=0.004)
    recording = edf.open_edf(tmp_path / "r.edf")
    columns = filterbank.write(recording, tmp_path / "r.npy", filterbank.axes(250.0, 1.0, 0.128, 1.024))
    assert columns == samples // 32
    signal = edf.read(recording)[3].astype(float)
    mirrored = np.concatenate([signal[109:0:-1], signal, signal[-2:-112:-1]])
    windows = np.array([mirrored[32 * j : 32 * j + 250] for j in range(columns)])
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(250) / 250)
    spectra = np.fft.rfft((windows - windows.mean(axis=1, keepdims=True)) * taper)[:, 1:55]
    expected = 10 * np.log10(2 * np.abs(spectra) ** 2 / (250 * np.sum(taper**2)))
    np.testing.assert_allclose(np.load(tmp_path / "r.npy")[3].T.astype(float), expected, atol=0.04)


def test_recordings_that_do_not_fit(tmp_path):
    """Shorter than a window; of another rate; changed, in its last bytes, since its SHA-256 was taken."""
    axis = filterbank.axes(256.0, 2.0, 0.125, 4.0)
    write_edf(tmp_path / "short.edf", seconds=1)
    with pytest.raises(RecordingError, match=r"short\.edf has 256 samples, less than one window of 512"):
        filterbank.write(edf.open_edf(tmp_path / "short.edf"), tmp_path / "x.npy", axis)
    write_edf(tmp_path / "slow.edf", rate=200)
    with pytest.raises(RecordingError, match=r"slow\.edf has 200 Hz, the first recording 256 Hz"):
        filterbank.write(edf.open_edf(tmp_path / "slow.edf"), tmp_path / "x.npy", axis)
    path = tmp_path / "changed.edf"
    write_edf(path, seconds=110)
    digest, data = files.sha256(path), bytearray(path.read_bytes())
    assert digest == hashlib.sha256(data).hexdigest() and len(data) > 1 << 20  # read in more than one piece
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(RecordingError, match=r"changed\.edf has changed since it was acquired"):
        filterbank.write_checked(path, digest, tmp_path / "x.npy", axis)
    assert not (tmp_path / "x.npy").exists()


def test_lengths_that_floating_point_blurs():
    """12 hops of 0.1 s are 1.2 s, though 1.2 / 0.1 is not 12; nor is 1.1 · 200 exactly 220."""
    axis = filterbank.axes(200.0, 1.1, 0.1, 1.2)
    assert axis["frame_columns"] == 12 and len(axis["frequencies_hz"]) == 60  # 1/1.1 to 60/1.1 Hz, below 55
    assert filterbank.axes(200.0, 1.0, 0.2, 2.4)["frame_columns"] == 12


def test_axes_that_do_not_fit():
    """A frame that is no whole number of hops, a window of no whole number of samples, a rate too low for gamma."""
    with pytest.raises(ValueError, match="frame_s in hops is 3.2"):
        filterbank.axes(256.0, 1.0, 0.125, 0.4)
    with pytest.raises(ValueError, match="window_s in samples is 76.8"):
        filterbank.axes(256.0, 0.3, 0.125, 4.0)
    with pytest.raises(ValueError, match="window_s is 0.25: no frequency of so short a window lies in B1"):
        filterbank.axes(256.0, 0.25, 0.125, 4.0)
    with pytest.raises(ValueError, match="more than half the sampling rate"):
        filterbank.axes(100.0, 1.0, 0.25, 4.0)


def test_bands_are_hertz():
    """Every bin from 1 to 54 Hz is in one band; 4, 8, 13 and 30 Hz begin the next."""
    masks = band_masks(np.arange(1.0, 55.0))
    assert pd.DataFrame(masks).sum(axis=1).eq(1).all()
    assert {band: int(mask.sum()) for band, mask in masks.items()} == {"B1": 3, "B2": 4, "B3": 5, "B4": 17, "B5": 25}
