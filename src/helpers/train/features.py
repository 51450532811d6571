"""What the baselines see of a triptych: features made by hand, raw EEG, or the reference study's pictures."""

import numpy as np

from helpers.study.bands import BANDS, band_masks
from helpers.study.errors import RecordingError

BLOCK_COLUMNS = 2048  # columns read at a time: it bounds the memory, and changes no result
QUIETEST_UV_S = 1.0  # line length of a flat line, for its logarithm; an EEG's is a thousand times as much
LAST_FRAME, ALL_FRAMES = (2,), (0, 1, 2)


def measure(spectrograms, lengths, table, axis, steps=LAST_FRAME):
    """Return the features of triptychs: per frame, the bands' powers and then the line lengths, both in dB.

    Line length spreads over orders of magnitude, as power does: 20 log10 of it puts both on one scale.

    Parameters
    ----------
    spectrograms : dict of str → float16 [C, F, column]
        By recording, memory-mapped; dB.
    lengths : dict of str → float32 [C, column]
        Of the same recordings: line length a column, in µV (see `filterbank.line_length`).
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
    lengths = 20 * np.log10(np.maximum(line_lengths(lengths, table, axis, steps), QUIETEST_UV_S))
    pieces = [part for step in range(len(steps)) for part in (powers[:, step], lengths[:, step])]
    return np.concatenate(pieces, axis=1).astype(np.float32)


def names(axis, steps=LAST_FRAME):
    """Return the names of the features, in order: "t2 B1 FP1-F7", …, "t2 line length FP1-F7", …"""
    kinds = [f"{kind} {channel}" for kind in (*BANDS, "line length") for channel in axis["channels"]]
    return [f"t{step} {kind}" for step in steps for kind in kinds]


def band_powers(spectrograms, table, axis, steps=LAST_FRAME):
    """Return the mean over each band's bins and each frame's columns, in dB: float32 [triptych, step, 5·C]."""
    masks, size = band_masks(axis["frequencies_hz"]).values(), axis["frame_columns"]

    def curves(name):
        power = spectrograms[name]
        blocks = []
        for first in range(0, power.shape[2], BLOCK_COLUMNS):
            block = power[:, :, first : first + BLOCK_COLUMNS].astype(np.float32)
            blocks.append(np.concatenate([block[:, mask].mean(axis=1) for mask in masks]))
        return np.concatenate(blocks, axis=1)  # [5·C, column]

    return _by_recording(table, lambda name, starts: _frame_sums(curves(name), starts, size, steps) / size)


def line_lengths(lengths, table, axis, steps=LAST_FRAME):
    """Return line length a second of each frame, in µV/s: float32 [triptych, step, C]; arguments as for `measure`.

    Raises
    ------
    RecordingError
        If a recording ends before a frame does.
    """
    size = axis["frame_columns"]

    def sums(name, starts):
        columns = lengths[name].shape[1]
        if columns < starts.max() + 3 * size:
            raise RecordingError(
                f"{name} has line length of {columns * axis['hop_s']:g} s, and a triptych that ends at "
                f"{(starts.max() + 3 * size) * axis['hop_s']:g} s. Run `dvc repro` anew: the recording has changed."
            )
        return _frame_sums(lengths[name], starts, size, steps) / axis["frame_s"]

    return _by_recording(table, sums)


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
