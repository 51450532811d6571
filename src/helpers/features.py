"""What the baselines see of a triptych: features made by hand, raw EEG, or the reference study's pictures."""

import numpy as np

from helpers import edf
from helpers.errors import RecordingError
from helpers.spectrograms import BANDS, band_of

BLOCK_COLUMNS = 2048  # columns read at a time: it bounds the memory, and changes no result
QUIETEST_UV_S = 1.0  # line length of a flat line, for its logarithm; an EEG's is a thousand times as much
LAST_FRAME, ALL_FRAMES = (2,), (0, 1, 2)


def measure(spectrograms, recordings, table, axis, steps=LAST_FRAME):
    """Return the features of triptychs: per frame, the bands' powers and then the line lengths, both in dB.

    Line length spreads over orders of magnitude, as power does: 20 log10 of it puts both on one scale.

    Parameters
    ----------
    spectrograms : dict of str → float16 [C, F, column]
        By recording, memory-mapped; dB.
    recordings : dict of str → edf.Recording
        The same ones, open.
    table : pandas.DataFrame
        ``recording`` and ``column`` of each triptych (see `spectrograms.triptychs`).
    axis : dict
        From `filterbank.axes`.
    steps : tuple of int
        Frames of the triptych to measure: `LAST_FRAME` or `ALL_FRAMES`.

    Returns
    -------
    float32 [triptych, step · (5·C + C)]
        In the order of `names`.
    """
    powers = band_powers(spectrograms, table, axis, steps)
    lengths = 20 * np.log10(np.maximum(line_lengths(recordings, table, axis, steps), QUIETEST_UV_S))
    pieces = [part for step in range(len(steps)) for part in (powers[:, step], lengths[:, step])]
    return np.concatenate(pieces, axis=1).astype(np.float32)


def names(axis, steps=LAST_FRAME):
    """Return the names of the features, in order: "t2 B1 FP1-F7", …, "t2 line length FP1-F7", …"""
    kinds = [f"{kind} {channel}" for kind in (*BANDS, "line length") for channel in axis["channels"]]
    return [f"t{step} {kind}" for step in steps for kind in kinds]


def band_powers(spectrograms, table, axis, steps=LAST_FRAME):
    """Return the mean over each band's bins and each frame's columns, in dB: float32 [triptych, step, 5·C]."""
    masks, size = band_of(axis["frequencies_hz"]).values(), axis["frame_columns"]

    def curves(name):
        power = spectrograms[name]
        blocks = []
        for first in range(0, power.shape[2], BLOCK_COLUMNS):
            block = power[:, :, first : first + BLOCK_COLUMNS].astype(np.float32)
            blocks.append(np.concatenate([block[:, mask].mean(axis=1) for mask in masks]))
        return np.concatenate(blocks, axis=1)  # [5·C, column]

    return _by_recording(table, lambda name, starts: _frame_sums(curves(name), starts, size, steps) / size)


def line_lengths(recordings, table, axis, steps=LAST_FRAME):
    """Return line length a second, in µV/s: float32 [triptych, step, C].

    The sum of ``|x[n] - x[n-1]|`` over the frame's samples, the first of which has no predecessor in it, divided by
    the frame's seconds (Esteller et al. 2001, doi:10.1109/IEMBS.2001.1020545).

    Raises
    ------
    RecordingError
        If a recording's sampling rate is not that of `axis`, or it ends before a frame does.
    """
    size = axis["frame_columns"]

    def lengths(name, starts):
        whole, first = _steps_of_signal(recordings[name], axis)
        if whole.shape[1] < starts.max() + 3 * size:
            raise RecordingError(
                f"{name} has {whole.shape[1] * axis['hop_s']:g} s of EEG, and a triptych that ends at "
                f"{(starts.max() + 3 * size) * axis['hop_s']:g} s. Run `dvc repro` anew: the recording has changed."
            )
        # The difference into a frame's first sample comes from the frame before it.
        entering = np.stack([first[:, starts + step * size] for step in steps], axis=1).transpose(2, 1, 0)
        return (_frame_sums(whole, starts, size, steps) - entering) / axis["frame_s"]

    return _by_recording(table, lengths)


def windows(eeg, table, axis, frames=1):
    """Return the raw EEG of triptychs' last `frames` frames: float32 [triptych, C, sample].

    `eeg` is a dict of recording → float32 [C, sample], in µV: 66 MB an hour.
    """
    hop, size = round(axis["hop_s"] * axis["sampling_hz"]), axis["frame_columns"]
    cuts = [
        eeg[name][:, (column + (3 - frames) * size) * hop : (column + 3 * size) * hop]
        for name, column in zip(table["recording"], table["column"], strict=True)
    ]
    return np.stack(cuts)


def pictures(powers, table, axis):
    """Return the reference's pictures of triptychs, from 0 to 1: float32 [triptych, 3, frequency, column].

    Three windows of a frame's length, each ¾ of it after the one before (4 s every 3 s); the last is the triptych's
    last frame. Each is scaled by its own 1st and 99th percentile, which throws the amplitude away, as there.
    `powers` is a dict of recording → float32 [frequency, column]: the mean over the channels in dB.
    """
    size, step = axis["frame_columns"], round(0.75 * axis["frame_columns"])
    back_steps = (2 * step, step, 0)
    lasts = zip(table["recording"], table["column"] + 2 * size, strict=True)
    cuts = np.stack([powers[name][:, last - back : last - back + size] for name, last in lasts for back in back_steps])
    low, high = np.percentile(cuts, (1, 99), axis=(1, 2), keepdims=True)
    scaled = np.clip((cuts - low) / np.maximum(high - low, 1e-6), 0, 1).astype(np.float32)
    return scaled.reshape(len(table), 3, *scaled.shape[1:])


def _steps_of_signal(recording, axis):
    """Return the sum of ``|x[n] - x[n-1]|`` a hop, and the part of each hop's first sample: float64 [C, column]."""
    rate, header = axis["sampling_hz"], recording.header
    if header.sampling_hz != rate:
        raise RecordingError(f"{header.file} has {header.sampling_hz:g} Hz, the first recording {rate:g} Hz.")
    hop = round(axis["hop_s"] * rate)
    columns = header.samples // hop
    sums, firsts = [], []
    for first in range(0, columns, BLOCK_COLUMNS):
        start, stop = first * hop, min(first + BLOCK_COLUMNS, columns) * hop
        signal = edf.read(recording, max(start - 1, 0), stop).astype(np.float64)
        before = signal[:, :1]  # the recording's very first sample has no predecessor: no step
        change = np.abs(np.diff(signal, axis=1, prepend=before))[:, -(stop - start) :].reshape(len(signal), -1, hop)
        sums.append(change.sum(axis=2))
        firsts.append(change[:, :, 0])
    return np.concatenate(sums, axis=1), np.concatenate(firsts, axis=1)


def _frame_sums(curves, starts, size, steps):
    """Sum [row, column] over each step's `size` columns of triptychs that begin at `starts`: [triptych, step, row]."""
    total = np.zeros((curves.shape[1] + 1, len(curves)))
    np.cumsum(curves.T, axis=0, dtype=np.float64, out=total[1:])
    return np.stack([total[starts + (step + 1) * size] - total[starts + step * size] for step in steps], axis=1)


def _by_recording(table, function):
    """Fill an array by ``function(recording, first columns)``, a recording at a time, in the order of `table`."""
    out = None
    for name in dict.fromkeys(table["recording"]):
        rows = np.flatnonzero(table["recording"] == name)
        part = function(name, table["column"].to_numpy()[rows])
        out = np.empty((len(table), *part.shape[1:]), np.float32) if out is None else out
        out[rows] = part
    return out
