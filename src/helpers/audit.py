"""The leakage audit: the same network under the reference study's protocol and under ours, in one table.

The reference's protocol: triptychs at steps shorter than a frame, from the recordings with a seizure only; two
non-seizure triptychs drawn for each seizure triptych; 70 % of them, drawn at random, train, the others test, and also
choose the epoch and the threshold. One thing is ours in both rows, as the network reads nothing else: a triptych's
three frames are contiguous, 12 s in a row, and triptychs start every 3 s. (The reference's frames overlapped within a
triptych, and now and then jumped in time.)
"""

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from helpers import scores, training
from helpers.network import SpectrogramNetwork
from helpers.spectrograms import all_triptychs, opened

NEGATIVES = 2  # non-seizure samples for each seizure sample
TEST_SHARE = 0.3
STEP = 0.75  # of a frame, from one triptych to the next: 3 s where a frame is 4 s
REFERENCE, OURS, OURS_DRAWN = "random split", "by recording", "by recording, samples drawn alike"


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


def reference_samples(axis, columns, seizures):
    """Return triptychs at the reference's steps; arguments as for `spectrograms.all_triptychs`."""
    return all_triptychs(axis, columns, seizures, STEP * axis["frame_s"])


def run_reference(spectrograms, table, frame_columns, settings):
    """Train and test the study's network as the reference did.

    Parameters
    ----------
    spectrograms : dict of str → float16 [C, F, column]
    table : pandas.DataFrame
        From `reference_samples`.
    frame_columns : int
    settings : dict
        As for `training.train_fold`; its ``seed`` also draws the samples and the split.

    Returns
    -------
    train, predictions : pandas.DataFrame
        The training samples; and the test samples with ``p_seizure`` and ``threshold``.
    """
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(settings["seed"])
    drawn = draw(table, settings["seed"])
    train, test = train_test_split(drawn, test_size=TEST_SHARE, stratify=drawn["label"], random_state=settings["seed"])
    names = sorted(set(train["recording"]))
    channels, frequencies = spectrograms[names[0]].shape[:2]
    network = SpectrogramNetwork(channels, frequencies, settings["width"], settings["hidden"], settings["dropout"])
    network.mean, network.deviation = training.statistics(spectrograms, names)
    network.to(training.device())
    generator = np.random.default_rng(settings["seed"])
    training.fit(network, spectrograms, train, test, frame_columns, settings, generator)
    p_seizure = training.sigmoid(training.predict(network, spectrograms, test, frame_columns))
    threshold = training.best_threshold(test["label"], p_seizure)
    return train, test.assign(p_seizure=p_seizure, threshold=threshold)


def row(protocol, seed, predictions, shared):
    """Return one row of the audit's table; metrics that are undefined are None.

    Parameters
    ----------
    predictions : pandas.DataFrame
        ``label``, ``p_seizure`` and ``threshold`` of each test sample.
    shared : bool [sample]
        From `shared_eeg`.
    """
    label = predictions["label"]
    found = scores.sample_scores(*scores.confusion(label, predictions["p_seizure"] >= predictions["threshold"]))
    return {
        "protocol": protocol,
        "seed": seed,
        "n_test": len(predictions),
        "shared_eeg": int(np.sum(shared)),
        "share": scores.ratio(np.sum(shared), len(predictions)),
        **{name: found[name] for name in ("accuracy", "sensitivity", "specificity", "f1")},
        "auroc": float(roc_auc_score(label, predictions["p_seizure"])) if label.nunique() == 2 else None,
    }


def rows_of_ours(folds, overlapping, predictions, seed):
    """Return the rows of `predictions` made by recording: of all samples, and of samples drawn as the reference does.

    Raises
    ------
    AssertionError
        If a held-out recording trained its own fold.
    """
    shared = np.zeros(len(predictions), bool)
    for fold in folds:
        # The inner recording counts as training: it chose the epoch and the threshold.
        train = overlapping[overlapping["recording"].isin([*fold.train, fold.inner])]
        mine = (predictions["fold"] == fold.number).to_numpy()
        check_apart(train, predictions[mine])
        shared[mine] = shared_eeg(train, predictions[mine])
    tested = predictions.reset_index(drop=True)
    drawn = draw(tested, seed)
    return [row(OURS, seed, tested, shared), row(OURS_DRAWN, seed, drawn, shared[drawn.index])]


def compare(folds, folder, overlapping, samples, reference, frame_columns, settings, seeds):
    """Run both protocols with each seed, and return their rows as one table.

    Parameters
    ----------
    folds, folder, overlapping, samples, frame_columns, settings
        As for `training.train_all`.
    reference : pandas.DataFrame
        From `reference_samples`.
    seeds : sequence of int
        Each replaces ``seed`` of `settings`.

    Returns
    -------
    pandas.DataFrame
        Three rows a seed: ``protocol``, ``seed``, ``n_test``, ``shared_eeg`` (test samples that share EEG with
        training), ``share``, ``accuracy``, ``sensitivity``, ``specificity``, ``f1``, ``auroc``.
    """
    rows, spectrograms = [], opened(folder, sorted(set(reference["recording"])))
    for seed in seeds:
        chosen = {**settings, "seed": seed}
        train, tested = run_reference(spectrograms, reference, frame_columns, chosen)
        rows.append(row(REFERENCE, seed, tested, shared_eeg(train, tested)))
        trained = training.train_all(folds, folder, overlapping, samples, frame_columns, chosen)
        ours = pd.concat([result.predictions for result in trained])
        rows += rows_of_ours(folds, overlapping, ours, seed)
    return pd.DataFrame(rows)
