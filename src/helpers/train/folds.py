"""Folds by recording: no frame, no second of EEG is on both sides of a split.

Recordings, in order of time, are cut into blocks that hold about as many recordings with a seizure each. A fold holds
one block out. Networks are trained without two blocks, several without the same two: in the fold of either they are
members of the detector, and the other block is inner, on which nothing but thresholds and calibration are chosen. So a
fold chooses on all other blocks, by networks that have seen neither these nor what it reports.
"""

from dataclasses import dataclass
from itertools import combinations
from string import ascii_lowercase

import numpy as np


@dataclass(frozen=True)
class Fold:
    """One fold: the block of recordings `held_out` is reported; the blocks of all other folds are inner in turn."""

    number: int
    held_out: tuple


@dataclass(frozen=True)
class Split:
    """What one network is trained on: the recordings `train`; `without` are the numbers of the two folds it serves."""

    name: str
    train: tuple
    without: tuple = ()

    def seed(self, seed):
        """Return a study's `seed` as this network's own, for numpy; torch takes `torch_seed`."""
        return [seed, *self.name.encode()]

    def torch_seed(self, seed):
        """Return a study's `seed` as this network's own, a whole number."""
        return int(np.random.SeedSequence(self.seed(seed)).generate_state(1)[0])


def leave_blocks_out(recordings, with_seizure, count):
    """Return a list of at most `count` Folds, each of which holds out one block of neighbouring recordings.

    `recordings` are all, in order of time; each block holds one of those `with_seizure` at least. Between the last
    recording with a seizure of a block and the first of the next, the others are shared evenly.

    There are at least three with a seizure (`recordings.check_enough_seizures`): one is held out, one is inner, one
    trains.
    """
    positive = [place for place, name in enumerate(recordings) if name in with_seizure]
    groups = np.array_split(positive, min(max(count, 3), len(positive)))
    cuts = [(one[-1] + other[0] + 1) // 2 for one, other in zip(groups, groups[1:], strict=False)]
    blocks = zip([0, *cuts], [*cuts, len(recordings)], strict=True)
    folds = [Fold(number, tuple(recordings[first:last])) for number, (first, last) in enumerate(blocks)]
    check(folds, recordings)
    return folds


def leave_patients_out(patient_of, with_seizure):
    """Return `leave_blocks_out` of pooled patients, a block each; `patient_of` is recording → patient, in order.

    Patients without a seizure are held out with a neighbour. All recordings of a patient are in one fold.
    """
    patients = list(dict.fromkeys(patient_of.values()))
    blocks = leave_blocks_out(patients, {patient_of[name] for name in with_seizure}, len(patients))
    held_out = [[name for name, patient in patient_of.items() if patient in block.held_out] for block in blocks]
    folds = [Fold(number, tuple(names)) for number, names in enumerate(held_out)]
    check(folds, list(patient_of))
    return folds


def splits(folds, members=1):
    """Return the networks to train, as a list of Split: `members` without each two of all `folds` of a study."""
    found = []
    for pair in combinations(range(len(folds)), 2):
        train = tuple(name for fold in folds if fold.number not in pair for name in fold.held_out)
        found += [Split(f"{pair[0]}-{pair[1]}{draw}", train, pair) for draw in ascii_lowercase[:members]]
    return found


def members(fold, networks):
    """Return a dict: number of another fold → the Splits, in order, that serve both it and `fold`."""
    found = {}
    for split in networks:
        if fold.number in split.without:
            other = sum(split.without) - fold.number
            found.setdefault(other, []).append(split)
    return dict(sorted(found.items()))


def covering(folds, networks):
    """Return few of `networks` that serve all folds between them: a dict of fold number → Split."""
    found = {}
    while len(found) < len(folds):
        best = max(networks, key=lambda split: sum(number not in found for number in split.without))
        found = {number: best for number in best.without} | found
    return found


def grow(folds, with_seizure, members=1, whole=False):
    """Return the networks of the protocol in order of time, trained on the past only: a list of lists of Split.

    The past ends after the first recording with a seizure, unless blocks stay `whole`, as patients must; then after
    each block but the last. Those of `splits` without the last two blocks know the past only, and are used again.
    """
    recordings, own = tuple(name for fold in folds for name in fold.held_out), {}
    for split in splits(folds, members):
        own.setdefault(split.train, []).append(split)
    ends = set(np.cumsum([len(fold.held_out) for fold in folds]).tolist())
    if not whole:
        ends.add(next(place for place, name in enumerate(recordings) if name in with_seizure) + 1)
    new = {end: [Split(f"past{end}{draw}", recordings[:end]) for draw in ascii_lowercase[:members]] for end in ends}
    return [own.get(recordings[:end], new[end]) for end in sorted(ends)[:-1]]


def check(folds, recordings):
    """Raise AssertionError unless each recording is held out once, and something is left to choose by and to train on.

    What each network was trained on is checked where it is scored, by `check_apart`.
    """
    held_out = [name for fold in folds for name in fold.held_out]
    assert sorted(held_out) == sorted(recordings), f"held out {held_out}, of {recordings}"
    assert len(folds) > 2, f"of {len(folds)} folds none has an inner block and something to train on"


def check_apart(fold, inner, *networks):
    """Raise AssertionError if a recording is on two sides: held out, inner, or in what a network trains on."""
    for split in networks:
        sides = {"held out": set(fold.held_out), "inner": set(inner.held_out), "trained on": set(split.train)}
        for one, other in combinations(sides, 2):
            both = sorted(sides[one] & sides[other])
            assert not both, f"fold {fold.number}: {', '.join(both)} is both {one} and {other}; it must be on one side."
