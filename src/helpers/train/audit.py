"""The leakage audit: networks under a random split, EEG shared by training and test, and permuted labels."""

import numpy as np
import pandas as pd

from helpers.acquire.annotations import COLUMNS, Annotations
from helpers.train.folds import Split
from helpers.train.training import few_others

SHARES = (0.6, 0.8)  # of the triptychs train; those up to the second share are inner, the rest tests


def shared_eeg(train, test):
    """Return which samples of `test` overlap in time with any sample of `train` in the same recording: bool [sample].

    Both are tables of ``recording``, ``start_s`` and ``end_s`` of each triptych, from its first frame's start to its
    last one's end. Samples that only touch share nothing.
    """
    shared = np.zeros(len(test), bool)
    for name, rows in test.groupby("recording").indices.items():
        trained, own = train[train["recording"] == name], test.iloc[rows]
        begun = trained["start_s"].to_numpy() < own["end_s"].to_numpy()[:, None]
        shared[rows] = (begun & (trained["end_s"].to_numpy() > own["start_s"].to_numpy()[:, None])).any(axis=1)
    return shared


def random_splits(count, seed, overlapping, samples):
    """Return what `training.train_all` needs of networks that train on a random share of the triptychs, and the tests.

    The reference study split its overlapping triptychs so; all else is as in our folds of five blocks: three fifths
    train, and of `samples` that do not, as many as for a network of ours are inner and tested.

    Returns a list of (Split, `overlapping` to train on, samples to score), and a table of ``network``, ``sample`` (its
    index), ``part`` (``inner`` or ``test``) and ``shared_eeg``, 1 if any second of it is in a training triptych.
    """
    keys, pieces, tables = ["recording", "column"], [], []
    for number in range(count):
        split = Split(f"random{number}", tuple(sorted(set(overlapping["recording"]))))
        place = np.random.default_rng(split.seed(seed)).random(len(overlapping))
        train = overlapping[place < SHARES[0]]
        part = overlapping[keys].assign(part=np.where(place < SHARES[1], "inner", "test"))[place >= SHARES[0]]
        part = samples.reset_index(names="sample").merge(part, on=keys).set_index("sample", drop=False)
        scored = [few_others(part[part["part"] == side]) for side in ("inner", "test")]
        table = pd.concat(scored)
        shared = shared_eeg(train, table).astype(int)
        tables.append(table[["sample", "part"]].assign(network=split.name, shared_eeg=shared))
        pieces.append((split, train, samples.loc[table["sample"]]))
    return pieces, pd.concat(tables, ignore_index=True)


def permute(annotations, seed, first_s=0.0):
    """Return annotations shifted round in time, each recording's by an offset of its own drawn evenly over its length.

    So a frame's label has the same chance to be seizure whatever its EEG, and whatever its time; but labels stay in
    runs, and each recording keeps its amount of seizure. Networks trained on them can only learn noise: on recordings
    that they have not seen the AUROC within a recording is 0.5 on average, unless something leaks. (An exchange between
    recordings could leave seizures where they are; an offset that spares the true seizure would teach where it is.)

    `first_s` is where the first decided frame starts: what is annotated before it is cut off, and nothing is moved
    there. A seizure that passes the end goes on at `first_s`, and is two.
    """
    rows, generator = [], np.random.default_rng(seed)
    for name, duration_s in sorted(annotations.durations_s.items()):
        length = duration_s - first_s
        offset = generator.uniform(0, length)
        for start, end in annotations.spans(name).clip(first_s, duration_s):
            begin = (start - first_s + offset) % length
            stop = begin + (end - start)
            pieces = [(begin, min(stop, length)), (0.0, stop - length)]
            rows += [(name, first_s + one, first_s + other) for one, other in pieces if one < other]
    seizures = pd.DataFrame(rows, columns=COLUMNS).sort_values(["recording", "start_s"], ignore_index=True)
    return Annotations(seizures, annotations.durations_s)
