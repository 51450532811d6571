"""The leakage audit: scores under a random split, EEG shared by training and test, and permuted labels.

The reference's protocol: triptychs at steps shorter than a frame, from the recordings with a seizure only; two
non-seizure triptychs drawn for each seizure triptych; 70 % of them, drawn at random, train, the others test, and also
choose the epoch and the threshold. One thing is ours, as our network reads nothing else: a triptych's three frames are
contiguous, and triptychs start every 3 s; the reference's frames overlapped, and now and then jumped in time.
"""

import numpy as np
import pandas as pd
import torch
from scipy.special import expit
from sklearn.model_selection import train_test_split

from helpers.acquire.annotations import COLUMNS, Annotations
from helpers.study import parallel
from helpers.study.errors import RecordingError
from helpers.train import inputs, training

NEGATIVES = 2  # non-seizure samples for each seizure sample
STEP = 0.75  # of a frame, from one triptych to the next: 3 s where a frame is 4 s
TEST_SHARE = 0.3


def shared_eeg(train, test):
    """Return which samples of `test` overlap in time with any sample of `train` in the same recording: bool [sample].

    Both are tables of ``recording``, ``start_s`` and ``end_s`` of each triptych, from its first frame's start to its
    last one's end. Samples that only touch share nothing.
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


def draw_samples(samples, seed):
    """Return the samples the reference would take: all seizure ones, and twice as many others, at random.

    The others are from recordings that hold a seizure sample; all of them are taken if they are fewer.

    Raises ValueError if there is no seizure sample.
    """
    seizure = samples[samples["label"] == 1]
    if seizure.empty:
        raise ValueError(f"None of the {len(samples)} samples is seizure, so none can be drawn for each of them.")
    others = samples[(samples["label"] == 0) & samples["recording"].isin(seizure["recording"])]
    count = min(NEGATIVES * len(seizure), len(others))
    return pd.concat([seizure, others.sample(count, random_state=seed)]).sort_index()


def run_random_splits(seeds, folder, samples, frame_columns, settings):
    """Train and test the study's network under the reference's protocol, once a seed, beside each other.

    Each seed decides the samples drawn, the split and the network. `folder` is where `inputs.write_inputs` wrote,
    `samples` are triptychs every `STEP` frames; `settings` as for `training.train_split`, but no weights are averaged.

    Returns the test samples: ``seed``, ``recording``, ``start_s``, ``end_s``, ``label``, ``p_seizure``, and
    ``shared_eeg``, 1 if any second of it is in a training sample.
    """
    pieces = [(seed, folder, samples, frame_columns, settings) for seed in seeds]
    return pd.concat(parallel.parallel_map(_run_random_split, pieces, "random splits", "split"), ignore_index=True)


def _run_random_split(seed, folder, samples, frame_columns, settings):
    training.make_repeatable()
    torch.manual_seed(seed)
    samples = draw_samples(samples, seed)
    inputs.check_columns(frame_columns, samples["column"])
    sides = train_test_split(samples, test_size=TEST_SHARE, stratify=samples["label"], random_state=seed)
    train, test = (side.sort_index() for side in sides)
    read = inputs.read_inputs(folder, sorted(set(samples["recording"])))
    network = training.untrained_network(read, sorted(set(train["recording"])), settings)
    generator, lowest, kept = np.random.default_rng(seed), np.inf, None
    # The epoch that suits the test best is kept: what one must not do, and the reference did.
    for _ in training.train_epochs(network, read.pooled, train, frame_columns, settings, generator):
        log_odds = training.predict(network, read.pooled, test, frame_columns)
        if (loss := training.balanced_loss(test["label"], log_odds)) < lowest:
            lowest, kept = loss, log_odds
    found = test[[*COLUMNS, "label"]].assign(p_seizure=expit(kept), shared_eeg=shared_eeg(train, test).astype(int))
    found.insert(0, "seed", seed)
    return found


def permute(annotations, seed, first_s=0.0):
    """Return annotations shifted round in time, each recording's by an offset of its own drawn evenly over its length.

    So a frame's label has the same chance to be seizure whatever its EEG, and whatever its time; but labels stay in
    runs, and each recording keeps its amount of seizure. Networks trained on them can only learn noise: on recordings
    that they have not seen the AUROC within a recording is 0.5 on average, unless something leaks. (An exchange between
    recordings could leave seizures where they are; an offset that spares the true seizure would teach where it is.)

    `first_s` is where the first decided frame starts: what is annotated before it is cut off, and nothing is moved
    there. A seizure that passes the end goes on at `first_s`, and is two.

    Raises RecordingError if a recording lasts no longer than `first_s`.
    """
    rows, generator = [], np.random.default_rng(seed)
    for name, duration_s in sorted(annotations.durations_s.items()):
        length = duration_s - first_s
        if length <= 0:
            raise RecordingError(f"{name} lasts {duration_s:g} s, and frames are decided from {first_s:g} s on.")
        offset = generator.uniform(0, length)
        for start, end in annotations.spans(name).clip(first_s, duration_s):
            begin = (start - first_s + offset) % length
            stop = begin + (end - start)
            pieces = [(begin, min(stop, length)), (0.0, stop - length)]
            rows += [(name, first_s + one, first_s + other) for one, other in pieces if one < other]
    seizures = pd.DataFrame(rows, columns=COLUMNS).sort_values(["recording", "start_s"], ignore_index=True)
    return Annotations(seizures, annotations.durations_s)
