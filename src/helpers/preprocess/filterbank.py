"""From EEG to log-power spectrograms and features of cells, block by block: the Fourier transform as a filter bank."""

from contextlib import ExitStack
from fractions import Fraction

import numpy as np
import scipy.fft
from scipy.signal import resample_poly
from threadpoolctl import threadpool_limits

from helpers.acquire import edf
from helpers.acquire.montages import DOUBLE_BANANA
from helpers.preprocess.cells import CellWriter, columns_per_cell
from helpers.study import files
from helpers.study.bands import BANDS, band_masks
from helpers.study.errors import RecordingError

ARRAYS = ("spectrograms", "features", "covariance", "rocket")  # folders of arrays, one a recording
RESAMPLED_HZ = 256  # for recordings in whose own rate the window or the hop is no whole number of samples
BLOCK_COLUMNS = 512  # columns computed at a time: they fit the cache, bound the memory, and change no result
FILTER_PERIODS = 10  # read on each side of a block that is resampled: more than the filter's ten samples


def axes(sampling_hz, window_s, hop_s, frame_s, mains_hz=None):
    """Return the spectrogram's sizes in samples and columns, and its frequencies in Hz.

    ``sampling_hz`` is the recordings' own rate. If window or hop is no whole number of samples at it,
    ``resampled_to_hz`` is the one to which `write` resamples them. If the mains lie in a band, ``interpolated_hz`` are
    the bins that they reach, in which `write` interpolates. Else neither is there.

    Raises ValueError if they fit at neither rate, the frame is no whole number of hops, or a band has no bin.
    """
    fits = _is_whole(window_s * sampling_hz) and _is_whole(hop_s * sampling_hz)
    rate = sampling_hz if fits else RESAMPLED_HZ
    sizes = {
        "window_s in samples": window_s * rate,
        "hop_s in samples": hop_s * rate,
        "frame_s in hops": frame_s / hop_s,
    }
    for name, value in sizes.items():
        if not _is_whole(value):
            found = f"{name} is {value:g} at {rate:g} Hz; it must be a whole number above 0"
            raise ValueError(f"{found}. Correct params/preprocess.yaml: 1.0, 0.125 and 4.0 fit at any rate.")
    low, high = BANDS["B1"][1], BANDS["B5"][2]
    frequencies = np.arange(round(window_s * rate) // 2 + 1) / window_s
    frequencies = frequencies[(frequencies >= low) & (frequencies < high)]
    if empty := [band for band, mask in band_masks(frequencies).items() if not mask.any()]:
        raise ValueError(f"window_s is {window_s:g}: no frequency of so short a window lies in {', '.join(empty)}.")
    axis = {"sampling_hz": float(sampling_hz), "window_s": window_s, "hop_s": hop_s, "frame_s": frame_s}
    axis |= {"frame_columns": round(frame_s / hop_s), "frequencies_hz": frequencies.tolist()}
    axis |= {"cell_columns": columns_per_cell(axis["frame_columns"], hop_s), "channels": list(DOUBLE_BANANA)}
    if rate != sampling_hz:
        axis["resampled_to_hz"] = float(rate)
    if mains_hz and low <= mains_hz < high:
        reached = frequencies[np.abs(frequencies - mains_hz) < 2 / window_s]  # half a Hann window's main lobe
        axis["interpolated_hz"] = reached.tolist()
    return axis


def _is_whole(value):
    return round(value) >= 1 and abs(value - round(value)) < 1e-6  # 1.2 s are 12 hops of 0.1 s, and 12.000000000000002


def log_power(windows, sampling_hz, frequencies_hz):
    """Return the power spectral density of one channel's windows: float32 [frequency, column], dB re 1 µV²/Hz.

    `windows` are float32 [column, sample] in µV, of which the mean is removed, with a Hann taper. `frequencies_hz` are
    neighbouring bins above 0 Hz. Within 0.01 dB of `scipy.signal.stft`.
    """
    size = windows.shape[1]
    first = round(frequencies_hz[0] * size / sampling_hz)
    last = first + len(frequencies_hz)
    spectrum = scipy.fft.rfft(windows)
    spectrum[:, 0] = 0  # removes the window's mean
    # The Hann window, ½ - ½ cos, mixes each bin with its two neighbours, 2 X[k] - X[k-1] - X[k+1], as the difference of
    # two differences: far fewer numbers than samples to multiply.
    steps = spectrum[:, first : last + 1] - spectrum[:, first - 1 : last]
    parts = (steps[:, :-1] - steps[:, 1:]).view(np.float32)  # real, imaginary, real, …
    parts *= parts
    density = parts[:, ::2] + parts[:, 1::2]
    # The sum above is 4 times the tapered spectrum; one-sided, over the taper's energy of ⅜ a sample.
    density *= 2 / (16 * sampling_hz * 0.375 * size)
    # A flat line has no power; the floor lies 20 dB under the quantisation noise of a 16-bit EEG.
    np.log10(np.maximum(density, 1e-6, out=density), out=density)
    density *= 10
    return density.T


def without_mains(density, axis):
    """Interpolate log power [frequency, column] over the bins that the mains reach, in place, and return it.

    As spectrum interpolation does (Leske and Dalal 2019, doi:10.1016/j.neuroimage.2019.01.026), but of power alone.
    """
    if reached := axis.get("interpolated_hz"):
        first = axis["frequencies_hz"].index(reached[0])
        last = first + len(reached)
        below, above = density[first - 1], density[min(last, len(density) - 1)]
        share = (np.arange(1, len(reached) + 1, dtype=np.float32) / (len(reached) + 1))[:, None]
        density[first:last] = below + share * (above - below)
    return density


def cell_features(power, signal, frequencies_hz, cell):
    """Return mean log power in dB, band by band, then line length in µV, of each cell: float32 [cell, 6 · channel].

    Line length, the sum of ``|x[n] - x[n-1]|``, grows with amplitude and with frequency (Esteller et al. 2001,
    doi:10.1109/IEMBS.2001.1020545). `power` is [channel, frequency, column]; `signal`, [channel, 1 + sample] in µV,
    begins with the sample before the first column; a cell has `cell` columns.
    """
    bands = [power[:, mask].mean(axis=1, dtype=np.float32) for mask in band_masks(frequencies_hz).values()]
    steps = np.abs(np.diff(signal)).reshape(len(signal), power.shape[2] // cell, -1)
    rows = np.concatenate(bands).reshape(-1, steps.shape[1], cell).mean(axis=2), steps.sum(axis=2, dtype=np.float64)
    return np.concatenate(rows).T.astype(np.float32)


def array_paths(folder, name):
    """Return the paths of a recording's `ARRAYS` below `folder`, by kind."""
    return {kind: folder / kind / f"{name}.npy" for kind in ARRAYS}


def write_checked(source, digest, folder, name, axis):
    """Write the arrays of the EDF file at `source` if its SHA-256 is `digest`; see `write`."""
    return write(edf.read_checked(source, digest), folder, name, axis)


def write(recording, folder, name, axis):
    """Write a recording's `ARRAYS` to their `array_paths`, block by block; return the number of columns.

    They are the spectrogram, float16 [channel, frequency, column] in dB re 1 µV²/Hz; `cell_features`; and what
    `CellWriter` gives: covariance, float32 [cell, pair of channels] in µV², and counts of MiniRocket, uint8 [cell,
    feature]. A cell has ``cell_columns`` columns; a rest shorter than one is left out.

    Column j is centred on (j + ½) hops; for its window, the signal is mirrored at the recording's two ends.

    `axis` is from `axes`, at the recording's sampling rate. RecordingError if the recording is shorter than a window.
    """
    rate, _, _, hop, samples = _sizes(recording, axis)
    channels, columns, cell = len(axis["channels"]), samples // hop, axis["cell_columns"]
    writer = CellWriter(channels, rate, cell * hop)
    rows = (np.float32, (len(BANDS) + 1) * channels), *writer.kinds
    kinds = [(np.float16, (channels, len(axis["frequencies_hz"]), columns))]
    kinds += [(dtype, (columns // cell, count)) for dtype, count in rows]
    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(1))  # recordings are written beside each other
        paths = array_paths(folder, name)
        arrays = {key: _array(stack, paths[key], *kind) for key, kind in zip(ARRAYS, kinds, strict=True)}
        step = max(BLOCK_COLUMNS // cell, 1) * cell
        for first in range(0, columns, step):
            last = min(first + step, columns)
            power, own = read_power(recording, axis, first, last)
            arrays["spectrograms"][:, :, first:last] = power
            whole = slice(first // cell, last // cell)
            if count := (whole.stop - whole.start) * cell:
                own, frequencies_hz = own[:, : 1 + count * hop], axis["frequencies_hz"]
                arrays["features"][whole] = cell_features(power[:, :, :count], own, frequencies_hz, cell)
                arrays["covariance"][whole], arrays["rocket"][whole] = writer.add(own[:, 1:])
        del arrays
    return columns


def count_columns(recording, axis):
    """Return how many columns the recording's spectrogram has; raises as `write`."""
    *_, hop, samples = _sizes(recording, axis)
    return samples // hop


def read_power(recording, axis, first, last):
    """Return the columns from `first` up to, and without, `last` of a recording's spectrogram, as `write` has them.

    Beside them, the samples that they stand for, after the one before: float32 [channel, 1 + columns · hop] in µV.
    """
    rate, ratio, window, hop, samples = _sizes(recording, axis)
    windows, own = _block(recording, ratio, samples, first, last, window, hop)
    power = np.empty((len(windows), len(axis["frequencies_hz"]), last - first), np.float16)
    for channel, signal in enumerate(windows):  # one at a time: its spectra stay in the processor's cache
        power[channel] = without_mains(log_power(signal, rate, axis["frequencies_hz"]), axis)
    return power, own


def _sizes(recording, axis):
    """Return the rate of the spectrogram and its ratio to the recording's; window, hop and recording in samples."""
    header, own_hz = recording.header, axis["sampling_hz"]
    rate = axis.get("resampled_to_hz", own_hz)
    ratio = Fraction(rate) / Fraction(own_hz).limit_denominator(edf.DENOMINATOR)
    window, hop, samples = round(axis["window_s"] * rate), round(axis["hop_s"] * rate), int(header.samples * ratio)
    if samples < window:
        raise RecordingError(f"{header.file} has {samples} samples, less than one window of {window}.")
    return rate, ratio, window, hop, samples


def _array(stack, path, dtype, shape):
    """Return a new array in the ``.npy`` at `path`, which is complete once `stack` is left."""
    partial = stack.enter_context(files.atomic_write(path))
    array = np.lib.format.open_memmap(partial, mode="w+", dtype=dtype, shape=shape)
    files.reserve(partial)
    return array


def _block(recording, ratio, samples, first, last, window, hop):
    """Return what the columns from `first` up to, and without, `last` are computed from.

    Their windows, float32 [channel, column, window]; and their own samples after the one before, float32 [channel,
    1 + columns · hop]: the recording's first sample stands for the one before it.
    """
    start = first * hop - (window - hop) // 2
    before, end = first * hop - 1, max((last - first - 1) * hop + start + window, last * hop)
    index = np.arange(min(start, before), end)
    offset, index = index[0], np.abs(index)
    index = np.minimum(index, 2 * (samples - 1) - index)
    low = index.min()
    signal = _read(recording, ratio, low, index.max() + 1)[:, index - low]
    windows = np.lib.stride_tricks.sliding_window_view(signal[:, start - offset :], window, axis=1)
    own = signal[:, before - offset : last * hop - offset]
    if first == 0:
        own = np.concatenate([own[:, 1:2], own[:, 1:]], axis=1)
    return windows[:, : (last - first) * hop : hop], own


def _read(recording, ratio, start, stop):
    """Return samples of a recording at `ratio` times its own rate, float32 [channel, stop - start] in µV."""
    if ratio == 1:
        return edf.read(recording, start, stop)
    # Blocks of whole periods, after which the two rates' samples coincide again: each gives what all at once would.
    up, down = ratio.numerator, ratio.denominator
    first, last = max(start // up - FILTER_PERIODS, 0), -(-stop // up) + FILTER_PERIODS
    signal = edf.read(recording, first * down, min(last * down, recording.header.samples))
    return resample_poly(signal, up, down, axis=1, padtype="edge")[:, start - first * up : stop - first * up]
