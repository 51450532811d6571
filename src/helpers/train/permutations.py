"""Permutations: labels that no EEG can tell, to test the whole chain for leaks.

Each recording's labels are shifted round in time by an offset of its own, drawn evenly over all its length. So a
frame's label has the same chance to be seizure whatever its EEG, and whatever its time in the recording; but labels
stay in runs, and each recording keeps its amount of seizure, its folds and its place. Networks trained on them can
only learn noise, and on recordings that they have not seen the AUROC within a recording is 0.5 on
average. What lets a network know a held-out recording's labels lifts it above.

Exchanging labels between recordings would be no such test: seizures at like times would stay where they are. An
offset that spares the true seizure would teach that seizure EEG is never labelled, which is no noise either.
"""

import numpy as np
import pandas as pd

from helpers.study.errors import RecordingError


def permuted(seizures, durations_s, seed, first_s=0.0):
    """Shift the annotated seizures of each recording round in time: what to label, train and score all stages with.

    Parameters
    ----------
    seizures : pandas.DataFrame
        ``recording``, ``start_s``, ``end_s``.
    durations_s : dict of str → float
    seed : int
    first_s : float
        Where the first decided frame starts (two frames): before it nothing is decided, so nothing is moved there,
        and what is annotated there is cut off.

    Returns
    -------
    pandas.DataFrame
        Like `seizures`, sorted; one that passes the end goes on at the start, and is two.

    Raises
    ------
    RecordingError
        If a seizure is in no recording of `durations_s`, or one lasts no longer than `first_s`.
    """
    if unknown := sorted(set(seizures["recording"]) - set(durations_s)):
        raise RecordingError(f"Seizures are in {', '.join(unknown)}, whose duration is not given.")
    rows, generator = [], np.random.default_rng(seed)
    for name in sorted(durations_s):
        length = durations_s[name] - first_s
        if length <= 0:
            raise RecordingError(f"{name} lasts {durations_s[name]:g} s, and frames are decided from {first_s:g} s on.")
        offset = generator.uniform(0, length)
        for start, end in seizures.loc[seizures["recording"] == name, ["start_s", "end_s"]].to_numpy().tolist():
            lasting = min(end, durations_s[name]) - max(start, first_s)
            begin = (max(start, first_s) - first_s + offset) % length
            if lasting > 0:
                rows.append((name, first_s + begin, first_s + min(begin + lasting, length)))
            if lasting > 0 and begin + lasting > length:
                rows.append((name, first_s, first_s + begin + lasting - length))
    return pd.DataFrame(rows, columns=["recording", "start_s", "end_s"]).sort_values(
        ["recording", "start_s"], ignore_index=True
    )


def permuted_labels(table, seed):
    """Return `table` with each recording's labels shifted round by whole frames: chance, for predictions as they are.

    Parameters
    ----------
    table : pandas.DataFrame
        ``recording``, ``end_s``, ``label``, one row a frame.
    seed : int
    """
    result, generator = table.assign(label=table["label"].to_numpy()), np.random.default_rng(seed)
    for _, rows in sorted(table.reset_index(drop=True).groupby("recording").groups.items()):
        rows = np.asarray(rows)[np.argsort(table["end_s"].to_numpy()[np.asarray(rows)])]
        shifted = np.roll(table["label"].to_numpy()[rows], generator.integers(len(rows)))
        result.iloc[rows, result.columns.get_loc("label")] = shifted
    return result
