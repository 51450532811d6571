"""Folds by recording: no frame, no second of EEG is on both sides of a split.

Recordings are dealt to blocks, one recording with a seizure in each. A fold holds one block out. A network is trained
without two blocks: in the fold of either, it is a member of the detector, and the other is its inner block, on which
nothing but threshold, post-processing and temperature are chosen. So each fold's choices rest on several recordings
that its members have not seen either, and each network serves two folds.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Fold:
    """One fold: `held_out` is reported; `inner` are the numbers of the folds whose blocks are inner here, in order."""

    number: int
    held_out: tuple
    inner: tuple


@dataclass(frozen=True)
class Split:
    """What one network is trained on: all recordings but those of the two folds `without` (their numbers, rising)."""

    without: tuple
    train: tuple

    @property
    def name(self):
        """The network's name, as "0-3": of the two folds that it serves."""
        return "-".join(map(str, self.without))

    def seed(self, seed):
        """Return a study's `seed` as this network's own."""
        first, second = self.without
        return (seed * 1000 + first) * 1000 + second


def leave_one_recording_out(recordings, with_seizure, members=2):
    """Return a list of Fold, each of which holds out one recording with a seizure, and its share of those without.

    Recordings without a seizure are dealt in contiguous blocks, so that neighbours in time stay together.

    Parameters
    ----------
    recordings : list of str
        All recordings, in order of time.
    with_seizure : collection of str
    members : int
        Networks a fold, at most: as many other blocks are inner in turn, the nearest first, on both sides alike.

    Raises ValueError if fewer than three recordings hold a seizure: one is held out, one is inner, one at least trains.
    """
    positive = [name for name in recordings if name in with_seizure]
    free = [name for name in recordings if name not in with_seizure]
    if len(positive) < 3:
        raise ValueError(
            f"Seizures are in {len(positive)} recordings ({', '.join(positive) or 'none'}) of {len(recordings)}; "
            "the study needs at least 3: one held out, one to choose the threshold, one to train. "
            "Add recordings with seizures, or correct the summary."
        )
    count = len(positive)
    blocks = [tuple(block.tolist()) for block in np.array_split(np.array(free, dtype=str), count)]
    # Neighbours on both sides, so that the relation is symmetric: two folds inner to each other share a network.
    near = [side * distance for distance in range(1, min((members + 1) // 2, count // 2) + 1) for side in (1, -1)]
    folds = [
        Fold(number, (name, *blocks[number]), tuple(sorted({(number + offset) % count for offset in near})))
        for number, name in enumerate(positive)
    ]
    check(folds, recordings)
    return folds


def splits(folds):
    """Return the networks to train, each once, as a list of Split; `folds` are all of a study."""
    recordings, found = sorted(name for fold in folds for name in fold.held_out), []
    for without in sorted({tuple(sorted((fold.number, other))) for fold in folds for other in fold.inner}):
        unseen = {name for number in without for name in folds[number].held_out}
        found.append(Split(without, tuple(name for name in recordings if name not in unseen)))
    return found


def members(fold, networks):
    """Return pairs of (the number of the inner fold, Split) of the networks of one fold, in order."""
    by_pair = {split.without: split for split in networks}
    return [(other, by_pair[tuple(sorted((fold.number, other)))]) for other in fold.inner]


def covering(folds):
    """Return few networks that serve all folds between them: a dict of fold number → Split."""
    found, networks = {}, splits(folds)
    while len(found) < len(folds):
        best = max(networks, key=lambda split: sum(number not in found for number in split.without))
        found = {number: best for number in best.without} | found
    return found


def check(folds, recordings):
    """Raise AssertionError unless each recording is held out once and stands on one side only of each network."""
    held_out = [name for fold in folds for name in fold.held_out]
    assert sorted(held_out) == sorted(recordings), f"held out {held_out}, of {recordings}"
    networks = splits(folds)
    for fold in folds:
        assert fold.inner, f"fold {fold.number} has no inner block"
        for other, split in members(fold, networks):
            check_apart(fold, folds[other], split)
            sides = [*fold.held_out, *folds[other].held_out, *split.train]
            assert sorted(sides) == sorted(recordings), f"fold {fold.number} has {sides}, of {recordings}"


def check_apart(fold, inner, split):
    """Raise AssertionError if a recording is on two sides: held out, inner, or in what the network trains on."""
    sides = {"held out": set(fold.held_out), "inner": set(inner.held_out), "trained on": set(split.train)}
    for one, other in (("held out", "inner"), ("held out", "trained on"), ("inner", "trained on")):
        both = sorted(sides[one] & sides[other])
        assert not both, f"fold {fold.number}: {', '.join(both)} is both {one} and {other}; it must be on one side."
