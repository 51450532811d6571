"""Leakage: what the reference study would have tested on, and how much of a test shares EEG with training.

The reference's protocol: triptychs at steps shorter than a frame, from the recordings with a seizure only; two
non-seizure triptychs drawn for each seizure triptych; 70 % of them, drawn at random, train, the others test, and also
choose the epoch and the threshold (see `random_split`). One thing is ours, as our network reads nothing else: a
triptych's three frames are contiguous, 12 s in a row, and triptychs start every 3 s. (The reference's frames overlapped
within a triptych, and now and then jumped in time.)
"""

import numpy as np
import pandas as pd

from helpers.preprocess.spectrograms import all_triptychs

NEGATIVES = 2  # non-seizure samples for each seizure sample
STEP = 0.75  # of a frame, from one triptych to the next: 3 s where a frame is 4 s


def shared_eeg(train, test):
    """Return which samples of `test` overlap in time with any sample of `train` in the same recording.

    Parameters
    ----------
    train, test : pandas.DataFrame
        ``recording``, ``start_s`` and ``end_s`` of each triptych, from its first frame's start to its last one's end.

    Returns
    -------
    bool [test sample]
        Exact: samples that only touch share nothing. Its sum is the number that share EEG.
    """
    shared = np.zeros(len(test), bool)
    for name in set(train["recording"]) & set(test["recording"]):
        rows = np.flatnonzero(test["recording"] == name)
        starts, ends = (np.sort(train.loc[train["recording"] == name, key].to_numpy()) for key in ("start_s", "end_s"))
        # Of n samples, those begun before my end less those ended by my start are the ones that overlap me.
        begun = np.searchsorted(starts, test["end_s"].to_numpy()[rows], side="left")
        ended = np.searchsorted(ends, test["start_s"].to_numpy()[rows], side="right")
        shared[rows] = begun > ended
    return shared


def check_apart(train, test):
    """Raise AssertionError if a recording, and so EEG, is both in `train` and in `test` (tables as in `shared_eeg`)."""
    both = sorted(set(train["recording"]) & set(test["recording"]))
    assert not both, (
        f"{', '.join(both)} both trained and tested the network; {shared_eeg(train, test).sum()} of {len(test)} test "
        "samples share EEG with training. Each recording must be on one side only."
    )


def reference_samples(axis, columns, seizures):
    """Return triptychs at the reference's steps; arguments as for `spectrograms.all_triptychs`."""
    return all_triptychs(axis, columns, seizures, STEP * axis["frame_s"])


def draw(samples, seed):
    """Return the samples the reference would take: all seizure ones, and twice as many others, at random.

    They are drawn from recordings that hold a seizure sample; all others there are taken if they are fewer.

    Raises
    ------
    ValueError
        If there is no seizure sample.
    """
    seizure = samples[samples["label"] == 1]
    if seizure.empty:
        raise ValueError(f"None of the {len(samples)} samples is seizure, so none can be drawn for each of them.")
    others = samples[(samples["label"] == 0) & samples["recording"].isin(seizure["recording"])]
    count = min(NEGATIVES * len(seizure), len(others))
    return pd.concat([seizure, others.sample(count, random_state=seed)]).sort_index()
