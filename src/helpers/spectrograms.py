"""Log-power spectrograms, and the bands, frames and triptychs laid over them."""

import numpy as np
import pandas as pd
import scipy.fft

from helpers import files, recordings

# name, from (inclusive), to (exclusive), in Hz
BANDS = {
    "B1": ("delta", 0.5, 4),
    "B2": ("theta", 4, 8),
    "B3": ("alpha", 8, 13),
    "B4": ("beta", 13, 30),
    "B5": ("gamma", 30, 55),
}

BLOCK_COLUMNS = 2048  # columns computed at a time: bounds the memory, changes no result


def axes(sampling_hz, window_s, hop_s, frame_s):
    """Return the spectrogram's sizes in samples and columns, and its frequencies in Hz.

    Raises
    ------
    ValueError
        If the window or hop is no whole number of samples, or the frame no whole number of hops.
    """
    window, hop, columns = window_s * sampling_hz, hop_s * sampling_hz, frame_s / hop_s
    for name, value in {"window_s in samples": window, "hop_s in samples": hop, "frame_s in hops": columns}.items():
        if value <= 0 or value != round(value):
            raise ValueError(f"{name} is {value:g} at {sampling_hz:g} Hz; it must be a whole number above 0.")
    frequencies = np.arange(int(window) // 2 + 1) / window_s
    low, high = BANDS["B1"][1], BANDS["B5"][2]
    kept = frequencies[(frequencies >= low) & (frequencies < high)]
    if high > sampling_hz / 2:
        raise ValueError(f"The bands reach {high} Hz, more than half the sampling rate of {sampling_hz:g} Hz.")
    return {
        "sampling_hz": float(sampling_hz),
        "window_s": window_s,
        "hop_s": hop_s,
        "frame_s": frame_s,
        "frame_columns": int(columns),
        "frequencies_hz": kept.tolist(),
        "channels": list(recordings.DOUBLE_BANANA),
    }


def log_power(signal, sampling_hz, window_s, frequencies_hz, hop_s):
    """Return the log power of a piece of signal: the short-time Fourier transform used as a filter bank.

    Parameters
    ----------
    signal : float32 [channel, sample]
        In µV; each column takes `window_s`, and columns follow each other every `hop_s`.

    Returns
    -------
    float32 [channel, frequency, column]
        Power spectral density in dB re 1 µV²/Hz (Hann window, window mean removed).
    """
    window, hop = round(window_s * sampling_hz), round(hop_s * sampling_hz)
    pieces = np.lib.stride_tricks.sliding_window_view(signal, window, axis=1)[:, ::hop]
    taper = np.hanning(window + 1)[:-1].astype(np.float32)  # periodic, as for every spectral estimate
    spectrum = scipy.fft.rfft((pieces - pieces.mean(axis=2, keepdims=True)) * taper, axis=2)
    first = round(frequencies_hz[0] * window_s)
    kept = spectrum[:, :, first : first + len(frequencies_hz)]
    density = (kept.real**2 + kept.imag**2) * (2 / (sampling_hz * np.sum(taper**2)))
    # A flat line has no power; the floor lies 20 dB under the quantisation noise of a 16-bit EEG.
    return 10 * np.log10(np.maximum(density, 1e-6)).transpose(0, 2, 1)


def write(raw, path, axis):
    """Compute a recording's spectrogram block by block and write it to `path`.

    Column j is centred on (j + ½) hops; the signal is mirrored over half a window at the recording's two ends.

    Parameters
    ----------
    raw : mne.io.BaseRaw
    path : Path
        Of a ``.npy``: float16 [channel, frequency, column], in dB re 1 µV²/Hz, to be memory-mapped.
    axis : dict
        From `axes`.

    Returns
    -------
    int
        The number of columns.

    Raises
    ------
    RecordingError
        If the sampling rate is not that of `axis`, or the recording is shorter than a window.
    """
    rate, name = axis["sampling_hz"], raw.filenames[0].name
    window, hop = round(axis["window_s"] * rate), round(axis["hop_s"] * rate)
    if raw.info["sfreq"] != rate:
        raise recordings.RecordingError(f"{name} has {raw.info['sfreq']:g} Hz, the first recording {rate:g} Hz.")
    if raw.n_times < window:
        raise recordings.RecordingError(f"{name} has {raw.n_times} samples, less than one window of {window}.")
    columns, margin = int(raw.n_times) // hop, (window - hop) // 2
    shape = (len(axis["channels"]), len(axis["frequencies_hz"]), columns)
    with files.whole(path) as partial:
        out = np.lib.format.open_memmap(partial, mode="w+", dtype=np.float16, shape=shape)
        for first in range(0, columns, BLOCK_COLUMNS):
            last = min(first + BLOCK_COLUMNS, columns)
            start, stop = first * hop - margin, (last - 1) * hop - margin + window
            signal = recordings.read(raw, max(start, 0), min(stop, raw.n_times))
            ends = (max(-start, 0), max(stop - raw.n_times, 0))
            signal = np.pad(signal, ((0, 0), ends), mode="reflect")
            out[:, :, first:last] = log_power(signal, rate, axis["window_s"], axis["frequencies_hz"], axis["hop_s"])
        out.flush()
        del out
    return columns


def frames(columns, frame_columns, hop_s, seizures, step_columns):
    """List the frames of one recording with their labels.

    Parameters
    ----------
    columns : int
        Columns of the recording's spectrogram.
    frame_columns, step_columns : int
        Columns of a frame, and from one frame's start to the next.
    hop_s : float
        Seconds of a column.
    seizures : sequence of (start_s, end_s)

    Returns
    -------
    pandas.DataFrame
        ``column`` (the first), ``start_s``, ``end_s``, ``label``: 1 if seizure covers at least half of it, else 0.
    """
    first = np.arange(0, columns - frame_columns + 1, step_columns)
    start_s, end_s = first * hop_s, (first + frame_columns) * hop_s
    overlap = np.zeros(len(first))
    for start, end in seizures:
        overlap += np.clip(np.minimum(end_s, end) - np.maximum(start_s, start), 0, None)
    label = (overlap >= frame_columns * hop_s / 2).astype(int)
    return pd.DataFrame({"column": first, "start_s": start_s, "end_s": end_s, "label": label})


def triptychs(frame_table, frame_columns, hop_s):
    """List the triptychs of one recording: each frame that has two before it, with those two, contiguous in time.

    Parameters
    ----------
    frame_table : pandas.DataFrame
        From `frames`.
    frame_columns : int
    hop_s : float

    Returns
    -------
    pandas.DataFrame
        ``column`` (the first of t0), ``start_s`` (of t0), ``last_start_s`` (of t2), ``end_s`` and ``label`` (of t2).
    """
    table = frame_table[frame_table["column"] >= 2 * frame_columns].reset_index(drop=True)
    column = table["column"] - 2 * frame_columns
    return pd.DataFrame(
        {
            "column": column,
            "start_s": column * hop_s,
            "last_start_s": table["start_s"],
            "end_s": table["end_s"],
            "label": table["label"],
        }
    )


def all_triptychs(axis, columns, seizures, step_s):
    """Return the triptychs of all recordings, every `step_s`, with a column ``recording``.

    Parameters
    ----------
    axis : dict
        From `axes`.
    columns : dict of str → int
        Columns of each recording's spectrogram, in the order wanted.
    seizures : pandas.DataFrame
        ``recording``, ``start_s``, ``end_s``.
    step_s : float
        A multiple of the spectrogram's hop.

    Raises
    ------
    ValueError
        If `step_s` is no whole number of hops, or a recording is shorter than a triptych.
    """
    step, size = step_s / axis["hop_s"], axis["frame_columns"]
    if step < 1 or step != round(step):
        raise ValueError(f"step_s is {step_s:g}; it must be a multiple of hop_s, {axis['hop_s']:g} s.")
    tables = []
    for name, count in columns.items():
        spans = seizures.loc[seizures["recording"] == name, ["start_s", "end_s"]].to_numpy()
        table = triptychs(frames(count, size, axis["hop_s"], spans, int(step)), size, axis["hop_s"])
        if table.empty:
            raise ValueError(
                f"{name} lasts {count * axis['hop_s']:g} s, less than a triptych of three frames of "
                f"{axis['frame_s']:g} s. Set a shorter frame_s in the patient's file, or leave the recording out."
            )
        tables.append(table.assign(recording=name))
    return pd.concat(tables, ignore_index=True)


def opened(folder, names):
    """Return a dict of recording → float16 [channel, frequency, column], memory-mapped from `folder`."""
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}


def band_of(frequencies_hz):
    """Return a dict of band → boolean array over `frequencies_hz`, true where the band holds the frequency."""
    frequencies = np.asarray(frequencies_hz)
    return {band: (frequencies >= low) & (frequencies < high) for band, (_, low, high) in BANDS.items()}
