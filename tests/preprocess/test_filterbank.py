"""The filter bank: against SciPy's, on sines at common sampling rates, in blocks; line length; and axes that fit."""

import hashlib

import numpy as np
import pytest
from conftest import CHANNELS, write_edf, write_signals
from scipy.signal import stft

from helpers.acquire import edf
from helpers.preprocess import filterbank
from helpers.study import files
from helpers.study.bands import band_masks
from helpers.study.errors import RecordingError


def written(folder, signals, rate, axis, **options):
    """Write [channel, sample] in µV as EDF; return its spectrogram and features, as the stage preprocess writes."""
    write_signals(folder / "r.edf", CHANNELS, signals, rate, **options)
    columns = filterbank.write(edf.open_edf(folder / "r.edf"), folder, "r", axis)
    power, features, covariance, rocket = (np.load(path) for path in filterbank.array_paths(folder, "r").values())
    assert covariance.shape == (columns // axis["cell_columns"], 171) and len(rocket) == len(covariance)
    assert power.shape == (18, len(axis["frequencies_hz"]), columns) and features.shape == (len(covariance), 6 * 18)
    assert power.dtype == np.float16 and features.dtype == np.float32
    return power.astype(float), features


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


@pytest.mark.parametrize("rate", [112, 125, 199.5, 200, 250, 256, 300, 500, 512, 1000, 2048])
@pytest.mark.parametrize(("hz", "amplitude"), [(10, 50), (40, 20)])
def test_a_sine_shows_where_it_is(tmp_path, rate, hz, amplitude):
    """From 12 s to 20 s of 30 s: its bin rises by over 20 dB there, at the column of that time. The whole power of a
    sine, A²/2, lies in its main lobe. Rates at which a hop is no whole number of samples are resampled."""
    time = np.arange(round(30 * rate)) / rate
    sine = amplitude * np.sin(2 * np.pi * hz * time) * ((time >= 12) & (time < 20))
    noise = np.random.default_rng(2).normal(0, 0.5, (len(CHANNELS), time.size))
    axis = filterbank.axes(float(rate), 1.0, 0.125, 4.0)
    resampled = None if rate % 8 == 0 else 256.0
    assert axis["sampling_hz"] == rate and axis.get("resampled_to_hz") == resampled
    power, _ = written(tmp_path, noise + sine, rate, axis, record_s=2.0)
    assert power.shape == (18, 54, 240) and axis["frequencies_hz"][hz - 1] == hz
    assert power[0, :, 120].argmax() == hz - 1
    inside, outside = power[0, hz - 1, 12 * 8 + 5 : 20 * 8 - 5], power[0, hz - 1, : 12 * 8 - 5]
    assert inside.min() > outside.max() + 20
    lobe = 10 ** (power[0, hz - 3 : hz + 2, 120] / 10)
    assert lobe.sum() == pytest.approx(amplitude**2 / 2, rel=0.05)


def test_mains_in_a_band_are_interpolated(tmp_path):
    """50 Hz of 30 µV lift B5 by over 2 dB; told of, the filter bank gives what there is without them, within 0.2 dB in
    B5, and the same outside of the bins that they reach. Mains of 60 Hz lie in no band: nothing changes."""
    noise = np.random.default_rng(3).normal(0, 20, (len(CHANNELS), 60 * 200))
    mains = 30 * np.sin(2 * np.pi * 50.02 * np.arange(noise.shape[1]) / 200)
    axis, told = filterbank.axes(200.0, 1.0, 0.125, 4.0), filterbank.axes(200.0, 1.0, 0.125, 4.0, 50)
    assert filterbank.axes(200.0, 1.0, 0.125, 4.0, 60) == axis
    assert told == axis | {"interpolated_hz": [49.0, 50.0, 51.0]}
    without, lifted, repaired = (
        written(tmp_path, *signals, 200, where)[0] for signals, where in (
            ((noise,), axis), ((noise + mains,), axis), ((noise + mains,), told),
        )
    )  # fmt: skip
    gamma = band_masks(axis["frequencies_hz"])["B5"]
    change = [np.mean(power[:, gamma] - without[:, gamma]) for power in (lifted, repaired)]
    assert change[0] > 2 and abs(change[1]) < 0.2
    np.testing.assert_array_equal(np.delete(repaired, [48, 49, 50], 1), np.delete(lifted, [48, 49, 50], 1))


@pytest.mark.parametrize("rate", [256, 250, 500, 400 / 3])
def test_blocks_change_no_result(tmp_path, monkeypatch, rate):
    """Written in blocks of 7 columns, rounded up to a cell of 8, or at once: the same bytes; resampled ones, too."""
    write_edf(tmp_path / "p_01.edf", seconds=102, rate=rate)
    recording, axis = edf.open_edf(tmp_path / "p_01.edf"), filterbank.axes(rate, 1.0, 0.0625, 4.0)
    for name, block in (("a", 2048), ("b", 7)):
        monkeypatch.setattr(filterbank, "BLOCK_COLUMNS", block)
        assert filterbank.write(recording, tmp_path, name, axis) == 1632
    for kind in filterbank.ARRAYS:
        assert (tmp_path / kind / "a.npy").read_bytes() == (tmp_path / kind / "b.npy").read_bytes()
        assert sorted(path.name for path in (tmp_path / kind).iterdir()) == ["a.npy", "b.npy"]


@pytest.mark.parametrize(("window_s", "samples"), [(1.0, 1500), (2.0, 1500), (1.0, 256)])
def test_features_are_their_definition(window_s, samples, tmp_path, monkeypatch):
    """In blocks of 5 columns of 128 samples, a cell of half a second each: line length is what the definition gives on
    the whole recording, whatever the window; the last column if complete; the first sample adds nothing. Power is the
    mean of a band's bins in the spectrogram: delta's are the first."""
    monkeypatch.setattr(filterbank, "BLOCK_COLUMNS", 5)
    axis = filterbank.axes(256.0, 1.0, 0.5, 2.0) | {"window_s": window_s}
    signals = np.random.default_rng(6).normal(0, 40, (len(CHANNELS), samples))
    power, found = written(tmp_path, signals, 256, axis, record_s=0.015625)
    signal, columns = edf.read(edf.open_edf(tmp_path / "r.edf")).astype(float), samples // 128
    steps = np.abs(np.diff(signal, axis=1, prepend=signal[:, :1]))[:, : columns * 128]
    assert pytest.approx(steps.reshape(18, columns, 128).sum(axis=2), rel=1e-5) == found[:, 90:].T
    for band, mask in enumerate(band_masks(axis["frequencies_hz"]).values()):
        own = found[:, 18 * band : 18 * (band + 1)].T
        assert own == pytest.approx(power[:, mask].mean(axis=1), abs=1e-4)


def test_an_unreadable_recording_leaves_no_file(tmp_path, monkeypatch):
    """A read that fails in the third block: no array is there, complete or in part."""
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
        filterbank.write(edf.open_edf(tmp_path / "p_01.edf"), target, "a", axis)
    assert [path for path in target.rglob("*") if not path.is_dir()] == []


@pytest.mark.parametrize("samples", [250, 251, 300, 512 * 32 + 31, 512 * 32 + 32, 513 * 32 + 13])
def test_a_whole_recording_against_its_definition(samples, tmp_path):
    """At 250 Hz with hops of 0.128 s, which needs no resampling, column j is the window of 250 samples from 32 j - 109
    on, centred on the column to a sample, of the recording mirrored at its two ends; there are as many columns as whole
    hops: in float64, for lengths that fill the last hop or block and that do not."""
    axis, signals = filterbank.axes(250.0, 1.0, 0.128, 1.024), np.random.default_rng(4).normal(0, 40, (20, samples))
    found, _ = written(tmp_path, signals, 250, axis, record_s=0.004)
    signal, columns = edf.read(edf.open_edf(tmp_path / "r.edf"))[3].astype(float), samples // 32
    mirrored = np.concatenate([signal[109:0:-1], signal, signal[-2:-112:-1]])
    windows = np.array([mirrored[32 * j : 32 * j + 250] for j in range(columns)])
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(250) / 250)
    spectra = np.fft.rfft((windows - windows.mean(axis=1, keepdims=True)) * taper)[:, 1:55]
    expected = 10 * np.log10(2 * np.abs(spectra) ** 2 / (250 * np.sum(taper**2)))
    np.testing.assert_allclose(found[3].T, expected, atol=0.04)


def test_recordings_that_do_not_fit(tmp_path):
    """Shorter than a window; changed, in its last bytes, since its SHA-256 was taken."""
    axis, path = filterbank.axes(256.0, 2.0, 0.125, 4.0), tmp_path / "changed.edf"
    write_edf(tmp_path / "short.edf", seconds=1)
    with pytest.raises(RecordingError, match=r"short\.edf has 256 samples, less than one window of 512"):
        filterbank.write(edf.open_edf(tmp_path / "short.edf"), tmp_path, "x", axis)
    write_edf(path, seconds=110)
    digest, data = files.sha256(path), bytearray(path.read_bytes())
    assert digest == hashlib.sha256(data).hexdigest() and len(data) > 1 << 20  # read in more than one piece
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(RecordingError, match=r"changed\.edf has changed since it was acquired"):
        filterbank.write_checked(path, digest, tmp_path, "x", axis)
    assert not list(tmp_path.rglob("x.npy"))


def test_lengths_that_floating_point_blurs():
    """12 hops of 0.1 s are 1.2 s, though 1.2 / 0.1 is not 12; nor is 1.1 · 200 exactly 220."""
    axis = filterbank.axes(200.0, 1.1, 0.1, 1.2)
    assert axis["frame_columns"] == 12 and len(axis["frequencies_hz"]) == 60  # 1/1.1 to 60/1.1 Hz, below 55
    assert filterbank.axes(200.0, 1.0, 0.2, 2.4)["frame_columns"] == 12


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((256.0, 1.0, 0.125, 0.4), "frame_s in hops is 3.2"),
        ((256.0, 0.3, 0.125, 4.0), r"window_s in samples is 76.8 at 256 Hz; .*Correct params/preprocess.yaml"),
        ((250.0, 0.3003, 0.125, 4.0), "window_s in samples is 76.8768 at 256 Hz"),
        ((256.0, 0.25, 0.125, 4.0), "window_s is 0.25: no frequency of so short a window lies in B1"),
    ],
)
def test_axes_that_do_not_fit(arguments, said):
    """A frame of no whole number of hops, a window of no whole number of samples, resampled or not, a window too short
    for delta: each says what to do or what was found."""
    with pytest.raises(ValueError, match=said):
        filterbank.axes(*arguments)


def test_bands_are_hertz():
    """Every bin from 1 to 54 Hz is in one band; 4, 8, 13 and 30 Hz begin the next."""
    masks = band_masks(np.arange(1.0, 55.0))
    assert (np.sum(list(masks.values()), axis=0) == 1).all()
    assert {band: int(mask.sum()) for band, mask in masks.items()} == {"B1": 3, "B2": 4, "B3": 5, "B4": 17, "B5": 25}
