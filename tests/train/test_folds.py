"""Folds share no recording and no second of EEG; blocks follow each other in time; no network sees its two blocks."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from helpers.acquire.annotations import COLUMNS, Annotations
from helpers.preprocess import spectrograms
from helpers.train import folds


@st.composite
def plans(draw):
    """Return recordings in order of time, those with a seizure, their folds and the networks of these."""
    free = st.lists(st.booleans(), min_size=3, max_size=20).filter(lambda drawn: sum(drawn) > 2)
    names = {f"r{number:02d}": seizure for number, seizure in enumerate(draw(free))}
    with_seizure = {name for name, seizure in names.items() if seizure}
    found = folds.leave_blocks_out(list(names), with_seizure, draw(st.integers(1, 8)))
    return list(names), with_seizure, found, folds.splits(found, draw(st.integers(1, 3)))


def test_by_hand():
    """Seizures in b, d, g, l, m of a–n, in three blocks: b and d, g and l, m. Of e and f, between the first two, each
    gets one. Without blocks 0 and 1, block 2 trains. Of ten blocks asked for, there are five, one a seizure."""
    found = folds.leave_blocks_out(list("abcdefghijklmn"), set("bdglm"), 3)
    assert [fold.held_out for fold in found] == [tuple("abcde"), tuple("fghijkl"), tuple("mn")]
    assert len(folds.leave_blocks_out(list("abcdefghijklmn"), set("bdglm"), 10)) == 5
    networks = folds.splits(found, 2)
    assert [split.name for split in networks] == ["0-1a", "0-1b", "0-2a", "0-2b", "1-2a", "1-2b"]
    assert [split.train for split in networks[::2]] == [tuple("mn"), tuple("fghijkl"), tuple("abcde")]
    serving = {other: [split.name for split in part] for other, part in folds.members(found[1], networks).items()}
    assert serving == {0: ["0-1a", "0-1b"], 2: ["1-2a", "1-2b"]}


@given(plans())
def test_blocks_follow_each_other_and_each_pair_has_its_networks(plan):
    """Blocks are contiguous, and all recordings in order; each holds as many with a seizure as any other, or one more.
    Without each pair as many networks are trained, on all the others: so each fold has the same number of members."""
    names, with_seizure, found, networks = plan
    assert [name for fold in found for name in fold.held_out] == names
    counts = [len(with_seizure & set(fold.held_out)) for fold in found]
    assert min(counts) >= 1 and max(counts) - min(counts) <= 1 and len(found) >= 3
    pairs = list(itertools.combinations(range(len(found)), 2))
    assert sorted({split.without for split in networks}) == pairs and len(networks) % len(pairs) == 0
    assert len({split.name for split in networks} | {split.torch_seed(1) for split in networks}) == 2 * len(networks)
    for fold in found:
        serving = folds.members(fold, networks)
        assert list(serving) == [other.number for other in found if other is not fold]
        assert sum(map(len, serving.values())) == len(networks) // len(pairs) * (len(found) - 1)


@settings(max_examples=30)
@given(plans())
def test_no_second_of_eeg_on_both_sides(plan):
    """Every second of every recording is held out once, and then no network of that fold trained on it or is chosen by
    it; and what a network is chosen by it did not train on. Each side holds a seizure."""
    names, with_seizure, found, networks = plan
    axis, nothing = {"hop_s": 0.5, "frame_s": 4.0, "frame_columns": 8}, pd.DataFrame(columns=COLUMNS)
    annotations = Annotations(nothing, dict.fromkeys(names, 14.0))
    table = spectrograms.triptychs(axis, dict.fromkeys(names, 28), annotations, 0.5)
    spans = {name: set() for name in names}
    for row in table.itertuples():
        spans[row.recording] |= {(row.recording, second) for second in np.arange(row.start_s, row.end_s, 0.5)}
    for fold in found:
        for other, serving in folds.members(fold, networks).items():
            for split in serving:
                recordings = (fold.held_out, found[other].held_out, split.train)
                sides = [set().union(*(spans[name] for name in side)) for side in recordings]
                assert not any(one & two for one, two in itertools.combinations(sides, 2))
                assert set().union(*sides) == set().union(*spans.values())
                assert all(with_seizure & set(side) for side in recordings)


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=3), min_size=3, max_size=7))
def test_nobody_is_on_two_sides(pool):
    """Pooled patients, a list of recordings each, True with a seizure: a fold for each patient who has one, all of
    whose recordings it holds out. Nobody is in two folds, nor among the first patients and those tested after them."""
    seizure = {f"p{person}_{number}": one for person, own in enumerate(pool) for number, one in enumerate(own)}
    patient_of, with_seizure = {name: name[:2] for name in seizure}, {name for name in seizure if seizure[name]}
    affected = {patient_of[name] for name in with_seizure}
    assume(len(affected) >= 3)
    found = folds.leave_patients_out(patient_of, with_seizure)
    sides = [{patient_of[name] for name in fold.held_out} for fold in found]
    assert len(found) == len(affected) and all(len(side & affected) == 1 for side in sides)
    assert sum(map(len, sides)) == len(pool) == len(set().union(*sides))
    pasts = [step[0].train for step in folds.grow(found, with_seizure, whole=True)]
    assert pasts == [sum((fold.held_out for fold in found[:count]), ()) for count in range(1, len(found))]
    assert not any(
        {patient_of[name] for name in past} & {patient_of[name] for name in set(patient_of) - set(past)}
        for past in pasts
    )


@given(plans())
def test_few_networks_cover_all_folds(plan):
    """Each fold by one of its own; of five folds, three networks."""
    *_, found, networks = plan
    covering = folds.covering(found, networks)
    assert sorted(covering) == [fold.number for fold in found]
    assert all(number in split.without and split in networks for number, split in covering.items())
    assert len(set(covering.values())) == -(-len(found) // 2)


@given(plans())
def test_the_past_grows(plan):
    """Each step is trained on all recordings before an end, the first of which have one with a seizure, and the last of
    which are all blocks but one; every step has more seizures than the one before, and some to come."""
    names, with_seizure, found, _ = plan
    steps = folds.grow(found, with_seizure, members=2)
    pasts = [step[0].train for step in steps]
    assert all(past == tuple(names[: len(past)]) for past in pasts)
    assert len(with_seizure & set(pasts[0])) == 1 and pasts[0][-1] in with_seizure
    assert pasts[-1] == tuple(name for fold in found[:-1] for name in fold.held_out)
    ends = {len(past) for past in pasts}
    assert ends >= set(np.cumsum([len(fold.held_out) for fold in found])[:-1].tolist()) and len(ends) == len(pasts)
    assert all(with_seizure - set(past) for past in pasts)
    shared = tuple(name for fold in found[:-2] for name in fold.held_out)
    pair = f"{len(found) - 2}-{len(found) - 1}"
    for step in steps:
        stem = pair if step[0].train == shared else f"past{len(step[0].train)}"
        assert [split.name for split in step] == [f"{stem}{draw}" for draw in "ab"]


@pytest.mark.parametrize("third", [("c", "a"), (), ("d",)])
def test_a_wrong_plan_is_caught(third):
    """What is held out twice, never, or is unknown fails the check; so do two folds, which leave nothing to train."""
    with pytest.raises(AssertionError, match="held out"):
        folds.check([folds.Fold(number, block) for number, block in enumerate([("a",), ("b",), third])], list("abc"))
    with pytest.raises(AssertionError, match="of 2 folds none has an inner block"):
        folds.check([folds.Fold(0, ("a",)), folds.Fold(1, ("b",))], list("ab"))
