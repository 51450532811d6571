"""Folds by recording: no frame, no second of EEG is on both sides of a split."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Fold:
    """The recordings of one fold: `held_out` is reported, `inner` chooses the threshold, `train` trains."""

    number: int
    held_out: tuple
    inner: str
    train: tuple


def leave_one_recording_out(recordings, with_seizure):
    """Deal recordings to folds: each holds out one recording with a seizure, and its share of those without.

    Parameters
    ----------
    recordings : list of str
        All recordings, in order of time.
    with_seizure : collection of str
        Those that hold a seizure.

    Returns
    -------
    list of Fold
        As many as recordings with a seizure. Each recording is held out once. Recordings without a seizure are
        dealt in contiguous blocks, so that neighbours in time stay together. A fold's inner recording is the
        seizure recording after the one held out.

    Raises
    ------
    ValueError
        If fewer than three recordings hold a seizure: one is held out, one is inner, one at least trains.
    """
    positive = [name for name in recordings if name in with_seizure]
    free = [name for name in recordings if name not in with_seizure]
    if len(positive) < 3:
        raise ValueError(
            f"Seizures are in {len(positive)} recordings ({', '.join(positive) or 'none'}) of {len(recordings)}; "
            "the study needs at least 3: one held out, one to choose the threshold, one to train. "
            "Add recordings with seizures, or correct the summary."
        )
    blocks = [tuple(block.tolist()) for block in np.array_split(np.array(free, dtype=str), len(positive))]
    folds = []
    for number, name in enumerate(positive):
        held_out, inner = (name, *blocks[number]), positive[(number + 1) % len(positive)]
        train = tuple(r for r in recordings if r not in held_out and r != inner)
        folds.append(Fold(number, held_out, inner, train))
    check(folds, recordings)
    return folds


def check(folds, recordings):
    """Raise AssertionError unless each recording is held out once and stands on one side only of each fold."""
    held_out = [name for fold in folds for name in fold.held_out]
    assert sorted(held_out) == sorted(recordings), f"held out {held_out}, of {recordings}"
    for fold in folds:
        sides = [*fold.held_out, fold.inner, *fold.train]
        assert sorted(sides) == sorted(recordings), f"fold {fold.number} has {sides}, of {recordings}"
