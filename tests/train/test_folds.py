"""Folds share no recording, no frame and no second of EEG; each network never sees the two blocks that it serves."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.acquire.annotations import COLUMNS, Annotations
from helpers.preprocess import spectrograms
from helpers.train import folds


def planned(count, members, free=0):
    """Folds of `count` recordings with a seizure, s00, s01, …, and after them `free` without, f00, f01, …"""
    seizures = [f"s{number:02d}" for number in range(count)]
    names = [*seizures, *(f"f{number:02d}" for number in range(free))]
    return folds.leave_one_recording_out(names, set(seizures), members), names


def test_by_hand():
    """Seizures in b, d, e of a–f: three folds; a, c and f are dealt one to each in order; the two others are inner.
    Three networks: each is trained on the one block that is neither held out nor inner, and serves both of these."""
    found = folds.leave_one_recording_out(list("abcdef"), {"b", "d", "e"}, 4)
    assert [fold.held_out for fold in found] == [("b", "a"), ("d", "c"), ("e", "f")]
    assert [fold.inner for fold in found] == [(1, 2), (0, 2), (0, 1)]
    networks = folds.splits(found)
    assert [split.name for split in networks] == ["0-1", "0-2", "1-2"]
    assert [split.train for split in networks] == [("e", "f"), ("c", "d"), ("a", "b")]
    assert [(other, split.name) for other, split in folds.members(found[1], networks)] == [(0, "0-1"), (2, "1-2")]


# Blocks, members asked for, the inner folds of fold 0, and how many networks there are in all: half of the sum over
# folds, as each serves two. Both neighbours at a distance count, so that an odd number is one more, but the opposite
# one of an even circle is one alone.
CIRCLES = [
    (3, 1, (1, 2), 3), (3, 4, (1, 2), 3), (4, 1, (1, 3), 4), (4, 4, (1, 2, 3), 6), (5, 2, (1, 4), 5),
    (5, 3, (1, 2, 3, 4), 10), (12, 1, (1, 11), 12), (12, 4, (1, 2, 10, 11), 24), (12, 99, tuple(range(1, 12)), 66),
]  # fmt: skip


@pytest.mark.parametrize(("blocks", "members", "inner", "networks"), CIRCLES)
def test_inner_blocks_are_the_nearest_on_both_sides(blocks, members, inner, networks):
    """The inner blocks of fold 0, and so those of any other, turned round; and the number of networks."""
    found, _ = planned(blocks, members)
    assert found[0].inner == inner
    for fold in found:
        assert fold.inner == tuple(sorted((fold.number + other) % blocks for other in inner))
    names = [split.name for split in folds.splits(found)]
    assert len(names) == len(set(names)) == networks == blocks * len(inner) / 2


def test_seizure_free_recordings_stay_in_contiguous_blocks():
    """Nine free recordings over three folds: three neighbours each; of seven, the first fold has one more."""
    found, names = planned(3, 2, free=9)
    assert [fold.held_out[1:] for fold in found] == [tuple(names[3:6]), tuple(names[6:9]), tuple(names[9:12])]
    assert [len(fold.held_out) - 1 for fold in planned(3, 2, free=7)[0]] == [3, 2, 2]


@given(st.integers(3, 9), st.integers(1, 9), st.integers(0, 12), st.randoms())
def test_whoever_is_inner_to_me_has_me_as_inner(positive, members, free, random):
    """Each network is trained on all but two blocks, once, and is a member in the fold of either; no fold lacks one."""
    names = [f"r{number:02d}" for number in range(positive + free)]
    found = folds.leave_one_recording_out(names, set(random.sample(names, positive)), members)
    networks = folds.splits(found)
    served = [(fold.number, split.name) for fold in found for _, split in folds.members(fold, networks)]
    assert len(served) == len(set(served)) == 2 * len(networks)
    for fold in found:
        assert fold.number not in fold.inner and all(fold.number in found[other].inner for other in fold.inner)
        assert len(fold.inner) >= min(members, positive - 1) and len(fold.inner) <= min(members + 1, positive - 1)
    for split in networks:
        unseen = set().union(*(found[number].held_out for number in split.without))
        assert not unseen & set(split.train) and unseen | set(split.train) == set(names)
        assert split.name == "-".join(map(str, sorted(split.without)))


@given(st.integers(3, 8), st.integers(1, 6), st.integers(0, 12), st.randoms())
def test_no_second_of_eeg_on_both_sides(positive, members, free, random):
    """Every second of every recording is held out once, and then no member of that fold trained on it or chose by it;
    and what a member chooses by it did not train on. Each side holds a seizure."""
    names = [f"r{number}" for number in range(positive + free)]
    with_seizure = set(random.sample(names, positive))
    axis, nothing = {"hop_s": 0.5, "frame_s": 4.0, "frame_columns": 8}, pd.DataFrame(columns=COLUMNS)
    annotations = Annotations(nothing, dict.fromkeys(names, 60.0))
    table = spectrograms.triptychs(axis, dict.fromkeys(names, 120), annotations, 1.5)
    spans = {name: set() for name in names}
    for row in table.itertuples():
        spans[row.recording] |= {(row.recording, second) for second in np.arange(row.start_s, row.end_s, 0.5)}
    found = folds.leave_one_recording_out(names, with_seizure, members)
    assert sorted(name for fold in found for name in fold.held_out) == sorted(names)
    for fold in found:
        for other, split in folds.members(fold, folds.splits(found)):
            recordings = (fold.held_out, found[other].held_out, split.train)
            sides = [set().union(*(spans[name] for name in side)) for side in recordings]
            assert not any(one & two for one, two in itertools.combinations(sides, 2))
            assert set().union(*sides) == set().union(*spans.values())
            assert all(with_seizure & set(side) for side in recordings)


@pytest.mark.parametrize("third", [("c", "a"), (), ("d",)])
def test_a_wrong_plan_is_caught(third):
    """What is held out twice, never, or is unknown fails the check, which names what it found."""
    blocks, inner = [("a",), ("b",), third], [(1, 2), (0, 2), (0, 1)]
    leaky = [folds.Fold(number, block, inner[number]) for number, block in enumerate(blocks)]
    with pytest.raises(AssertionError, match="held out"):
        folds.check(leaky, ["a", "b", "c"])


def test_a_fold_must_choose_on_something_else():
    """Without an inner block there is nothing to choose a threshold by; with its own block, it would choose by what it
    reports."""
    plan = [
        folds.Fold(number, (name,), inner) for number, name, inner in ((0, "a", ()), (1, "b", (2,)), (2, "c", (1,)))
    ]
    with pytest.raises(AssertionError, match="fold 0 has no inner block"):
        folds.check(plan, list("abc"))
    plan[0] = folds.Fold(0, ("a",), (0,))
    with pytest.raises(AssertionError, match="fold 0: a is both held out and inner"):
        folds.check(plan, list("abc"))


@pytest.mark.parametrize(
    ("train", "said"),
    [
        (("a", "c", "d"), "fold 0: a is both held out and trained on"),
        (("c", "b"), "fold 0: b is both inner and trained on"),
        (("a", "e", "c"), "fold 0: a, e is both held out and trained on"),
    ],
)
def test_an_injected_leak_is_named(train, said):
    """A network of fold 0 that trains on what is held out (a, e) or inner (b): the message says which and how."""
    fold, inner = folds.Fold(0, ("a", "e"), (1,)), folds.Fold(1, ("b",), (0,))
    folds.check_apart(fold, inner, folds.Split((0, 1), ("c", "d")))
    with pytest.raises(AssertionError, match=said):
        folds.check_apart(fold, inner, folds.Split((0, 1), train))


@pytest.mark.parametrize(
    ("with_seizure", "said"), [(set(), r"0 recordings \(none\)"), ({"a", "b"}, r"2 recordings \(a, b\)")]
)
def test_too_few_seizures(with_seizure, said):
    """With no seizure at all, or two, the message counts them and says what is needed."""
    with pytest.raises(ValueError, match=said + ".*at least 3"):
        folds.leave_one_recording_out(["a", "b", "c"], with_seizure, 4)


def test_few_networks_cover_all_folds():
    """Five folds in a ring of two neighbours: three networks serve them, each fold by one of its own members."""
    planned = folds.leave_one_recording_out(list("abcde"), set("abcde"), 2)
    found = folds.covering(planned)
    assert sorted(found) == [0, 1, 2, 3, 4] and len(set(found.values())) == 3
    for number, split in found.items():
        assert number in split.without and split in folds.splits(planned)
