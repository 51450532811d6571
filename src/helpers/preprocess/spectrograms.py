"""Log-power spectrograms, the labels of frames, and the triptychs laid over them."""

import numpy as np
import pandas as pd

from helpers.acquire.annotations import overlap_s

EARLIER = ("label_t0", "label_t1")  # labels of a triptych's frames before the last


def open_spectrogram(folder, names):
    """Return a dict of recording → float16 [channel, frequency, column], memory-mapped from `folder`."""
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}


def mean_power(path):
    """Return the mean over the channels of the spectrogram at `path`, float32 [frequency, column], in dB."""
    return np.load(path, mmap_mode="r").mean(axis=0, dtype=np.float32)


def labels(start_s, end_s, spans):
    """Return 1 for each frame of which seizures, `spans` (start_s, end_s), cover at least half, else 0: int [frame]."""
    return (overlap_s(start_s, end_s, spans) >= (end_s - start_s) / 2).astype(int)


def triptychs(axis, columns, annotations, step_s):
    """List the triptychs of recordings: three frames in a row, of which the last starts at a multiple of `step_s`.

    `axis` is from `filterbank.axes`; `columns` are {recording: columns of its spectrogram}, in the order wanted;
    `annotations` are `Annotations`.

    Returns a table of ``column`` (the first of t0), ``start_s`` (of t0), ``last_start_s``, ``end_s`` and ``label`` (of
    t2: what is decided), ``label_t0``, ``label_t1`` (only trained on), ``recording``.

    Raises ValueError if `step_s` is no whole number of hops, or a recording is shorter than a triptych.
    """
    hop_s, size, step = axis["hop_s"], axis["frame_columns"], round(step_s / axis["hop_s"])
    if step < 1 or abs(step_s / hop_s - step) > 1e-6:
        raise ValueError(f"step_s is {step_s:g}; it must be a multiple of hop_s, {hop_s:g} s.")
    tables = []
    for name, count in columns.items():
        column = np.arange(-2 * size % step, count - 3 * size + 1, step)
        if not len(column):
            raise ValueError(
                f"{name} lasts {count * hop_s:g} s, less than a triptych of three frames of {axis['frame_s']:g} s. Set "
                "a shorter frame_s in the patient's file, or leave the recording out."
            )
        edges_s = [(column + number * size) * hop_s for number in range(4)]
        t0, t1, t2 = (labels(*edges_s[number : number + 2], annotations.spans(name)) for number in range(3))
        table = {"column": column, "start_s": edges_s[0], "last_start_s": edges_s[2], "end_s": edges_s[3], "label": t2}
        tables.append(pd.DataFrame(table | dict(zip(EARLIER, (t0, t1), strict=True)) | {"recording": name}))
    return pd.concat(tables, ignore_index=True)
