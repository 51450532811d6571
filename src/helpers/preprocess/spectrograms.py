"""The frames and triptychs laid over log-power spectrograms."""

import numpy as np
import pandas as pd

EARLIER = ("label_t0", "label_t1")  # labels of a triptych's frames before the last


def mean_power(path):
    """Return the mean over the channels of the spectrogram at `path`, float32 [frequency, column], in dB."""
    return np.load(path, mmap_mode="r").mean(axis=0, dtype=np.float32)


def power_limits(folder, names):
    """Return the 2nd and the 98th percentile of the power of recordings, averaged over channels, in dB: one scale."""
    means = [mean_power(folder / f"{name}.npy").ravel() for name in names]
    return tuple(np.percentile(np.concatenate(means), [2, 98]).tolist())


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
    label = labels(start_s, end_s, seizures)
    return pd.DataFrame({"column": first, "start_s": start_s, "end_s": end_s, "label": label})


def labels(start_s, end_s, seizures):
    """Return 1 for each frame of which seizure covers at least half, else 0; int [frame]. Arguments as for `frames`."""
    overlap = np.zeros(len(start_s))
    for start, end in seizures:
        overlap += np.clip(np.minimum(end_s, end) - np.maximum(start_s, start), 0, None)
    return (overlap >= (end_s - start_s) / 2).astype(int)


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
    """Return the triptychs of all recordings, every `step_s`, with columns ``recording``, ``label_t0``, ``label_t1``.

    ``label`` is what is decided; those of the frames before it are there to learn from (see `training.learning`).

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
    if round(step) < 1 or abs(step - round(step)) > 1e-6:
        raise ValueError(f"step_s is {step_s:g}; it must be a multiple of hop_s, {axis['hop_s']:g} s.")
    tables = []
    for name, count in columns.items():
        spans = seizures.loc[seizures["recording"] == name, ["start_s", "end_s"]].to_numpy()
        table = triptychs(frames(count, size, axis["hop_s"], spans, round(step)), size, axis["hop_s"])
        if table.empty:
            raise ValueError(
                f"{name} lasts {count * axis['hop_s']:g} s, less than a triptych of three frames of "
                f"{axis['frame_s']:g} s. Set a shorter frame_s in the patient's file, or leave the recording out."
            )
        for number, before in enumerate(EARLIER):
            start_s = table["start_s"] + number * axis["frame_s"]
            table[before] = labels(start_s, start_s + axis["frame_s"], spans)
        tables.append(table.assign(recording=name))
    return pd.concat(tables, ignore_index=True)


def open_spectrogram(folder, names):
    """Return a dict of recording → float16 [channel, frequency, column], memory-mapped from `folder`."""
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}
