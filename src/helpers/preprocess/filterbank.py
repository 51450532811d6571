"""From EEG to log-power spectrograms and line length, block by block: the Fourier transform used as a filter bank."""

from contextlib import ExitStack

import numpy as np
import scipy.fft

from helpers.acquire import edf
from helpers.acquire.montages import DOUBLE_BANANA
from helpers.study import files
from helpers.study.bands import BANDS
from helpers.study.errors import RecordingError

BLOCK_COLUMNS = 512  # columns computed at a time: they fit the cache, bound the memory, and change no result


def axes(sampling_hz, window_s, hop_s, frame_s):
    """Return the spectrogram's sizes in samples and columns, and its frequencies in Hz.

    Raises
    ------
    ValueError
        If the window or hop is no whole number of samples, the frame no whole number of hops, or a band without a bin.
    """
    window, hop, columns = window_s * sampling_hz, hop_s * sampling_hz, frame_s / hop_s
    for name, value in {"window_s in samples": window, "hop_s in samples": hop, "frame_s in hops": columns}.items():
        if round(value) < 1 or abs(value - round(value)) > 1e-6:  # 1.2 s are 12 hops of 0.1 s, and 12.000000000000002
            raise ValueError(f"{name} is {value:g} at {sampling_hz:g} Hz; it must be a whole number above 0.")
    frequencies = np.arange(round(window) // 2 + 1) / window_s
    low, high = BANDS["B1"][1], BANDS["B5"][2]
    kept = frequencies[(frequencies >= low) & (frequencies < high)]
    if high > sampling_hz / 2:
        raise ValueError(f"The bands reach {high} Hz, more than half the sampling rate of {sampling_hz:g} Hz.")
    if empty := [band for band, (_, from_hz, to_hz) in BANDS.items() if not ((kept >= from_hz) & (kept < to_hz)).any()]:
        raise ValueError(f"window_s is {window_s:g}: no frequency of so short a window lies in {', '.join(empty)}.")
    return {
        "sampling_hz": float(sampling_hz),
        "window_s": window_s,
        "hop_s": hop_s,
        "frame_s": frame_s,
        "frame_columns": round(columns),
        "frequencies_hz": kept.tolist(),
        "channels": list(DOUBLE_BANANA),
    }


def log_power(pieces, sampling_hz, frequencies_hz):
    """Return the log power of windows of one channel: the short-time Fourier transform used as a filter bank.

    Parameters
    ----------
    pieces : float32 [column, sample]
        In µV, one window a column.
    frequencies_hz : list of float
        Neighbouring bins, from the first above 0 Hz on at the earliest.

    Returns
    -------
    float32 [frequency, column]
        Power spectral density in dB re 1 µV²/Hz (Hann window, window mean removed).
    """
    window = pieces.shape[1]
    first = round(frequencies_hz[0] * window / sampling_hz)
    last = first + len(frequencies_hz)
    spectrum = scipy.fft.rfft(pieces)
    spectrum[:, 0] = 0  # removes the window's mean
    # The Hann window, ½ - ½ cos, mixes each bin with its two neighbours, 2 X[k] - X[k-1] - X[k+1], as the difference of
    # two differences: far fewer numbers than samples to multiply.
    steps = spectrum[:, first : last + 1] - spectrum[:, first - 1 : last]
    parts = (steps[:, :-1] - steps[:, 1:]).view(np.float32)  # real, imaginary, real, …
    parts *= parts
    density = parts[:, ::2] + parts[:, 1::2]
    # The sum above is 4 times the tapered spectrum; one-sided, over the taper's energy of ⅜ a sample.
    density *= 2 / (16 * sampling_hz * 0.375 * window)
    # A flat line has no power; the floor lies 20 dB under the quantisation noise of a 16-bit EEG.
    np.log10(np.maximum(density, 1e-6, out=density), out=density)
    density *= 10
    return density.T


def line_length(signal, hop):
    """Return the line length of each hop: the sum of ``|x[n] - x[n-1]|`` over its samples, in µV.

    Line length grows with amplitude and with frequency (Esteller et al. 2001, doi:10.1109/IEMBS.2001.1020545).

    Parameters
    ----------
    signal : float32 [1 + hops · hop]
        In µV, of one channel; it begins with the sample before the first hop, so that the step into each hop counts.
    hop : int
        Samples.

    Returns
    -------
    float32 [hop]
    """
    steps = np.diff(signal)
    np.abs(steps, out=steps)
    return steps.reshape(-1, hop).sum(axis=1, dtype=np.float64).astype(np.float32)


def write(recording, path, axis, lengths=None):
    """Compute a recording's spectrogram block by block and write it to `path`; and its line length, if wanted.

    Column j is centred on (j + ½) hops; the signal is mirrored over half a window at the recording's two ends.

    Parameters
    ----------
    recording : edf.Recording
    path : Path
        Of a ``.npy``: float16 [channel, frequency, column], in dB re 1 µV²/Hz, to be memory-mapped.
    axis : dict
        From `axes`.
    lengths : Path, optional
        Of another ``.npy``: float32 [channel, column], from `line_length`; the recording's first sample adds nothing.

    Returns
    -------
    int
        The number of columns.

    Raises
    ------
    RecordingError
        If the sampling rate is not that of `axis`, or the recording is shorter than a window.
    """
    rate, header = axis["sampling_hz"], recording.header
    window, hop = round(axis["window_s"] * rate), round(axis["hop_s"] * rate)
    if header.sampling_hz != rate:
        raise RecordingError(f"{header.file} has {header.sampling_hz:g} Hz, the first recording {rate:g} Hz.")
    if header.samples < window:
        raise RecordingError(f"{header.file} has {header.samples} samples, less than one window of {window}.")
    channels, columns = len(axis["channels"]), header.samples // hop
    with ExitStack() as stack:
        out = _array(stack, path, np.float16, (channels, len(axis["frequencies_hz"]), columns))
        sums = None if lengths is None else _array(stack, lengths, np.float32, (channels, columns))
        for first in range(0, columns, BLOCK_COLUMNS):
            last = min(first + BLOCK_COLUMNS, columns)
            pieces, whole = _block(recording, first, last, window, hop)
            for channel in range(channels):  # one at a time: its spectra stay in the processor's cache
                power = log_power(pieces[channel], rate, axis["frequencies_hz"])
                out[channel, :, first:last] = power.astype(np.float16)
                if sums is not None:
                    sums[channel, first:last] = line_length(whole[channel], hop)
        del out, sums
    return columns


def _array(stack, path, dtype, shape):
    """Return a new array in the ``.npy`` at `path`, which is there, whole, once `stack` is left."""
    partial = stack.enter_context(files.atomic_write(path))
    array = np.lib.format.open_memmap(partial, mode="w+", dtype=dtype, shape=shape)
    files.reserve(partial)
    return array


def _block(recording, first, last, window, hop):
    """Read what the columns `first` to, and without, `last` need.

    Returns
    -------
    pieces : float32 [channel, column, window]
        Windows centred on the columns.
    whole : float32 [channel, 1 + columns · hop]
        The columns' own samples, and the one before them; the recording's first one stands for it at its start.
    """
    samples, margin = recording.header.samples, (window - hop) // 2
    start, stop = first * hop - margin, (last - 1) * hop - margin + window
    begin, end = max(min(start, first * hop - 1), 0), min(max(stop, last * hop), samples)
    signal = edf.read(recording, begin, end)
    whole = signal[:, max(first * hop - 1, 0) - begin : last * hop - begin]
    if first == 0:
        whole = np.concatenate([whole[:, :1], whole], axis=1)
    windows = signal[:, max(start, 0) - begin : min(stop, samples) - begin]
    if start < 0 or stop > samples:
        windows = np.pad(windows, ((0, 0), (max(-start, 0), max(stop - samples, 0))), mode="reflect")
    return np.lib.stride_tricks.sliding_window_view(windows, window, axis=1)[:, ::hop], whole


def write_checked(source, digest, path, axis, lengths=None):
    """Write the spectrogram of the EDF file at `source` if its SHA-256 is `digest`; see `write`."""
    return write(edf.read_checked(source, digest), path, axis, lengths)
