"""The study's network under the reference's protocol, to show what a random split is worth (see `audit`)."""

import numpy as np
import torch
from scipy.special import expit
from sklearn.model_selection import train_test_split

from helpers.study import parallel
from helpers.train import audit, training

TEST_SHARE = 0.3
COLUMNS = ["recording", "start_s", "end_s", "label"]


def run(seed, folder, table, frame_columns, settings):
    """Train and test one network as the reference did; only its threshold is left to be chosen.

    Parameters
    ----------
    seed : int
        Of the samples drawn, the split and the network.
    folder : Path
        What `training.pool_all` wrote.
    table : pandas.DataFrame
        From `audit.reference_samples`.
    frame_columns : int
    settings : dict
        As for `training.train_split`; nothing is averaged here.

    Returns
    -------
    pandas.DataFrame
        The test samples: ``seed``, ``recording``, ``start_s``, ``end_s``, ``label``, ``p_seizure``, ``shared_eeg`` (1
        if any second of it is in a training sample).
    """
    training.make_repeatable()
    torch.manual_seed(seed)
    drawn = audit.draw(table, seed)
    train, test = train_test_split(drawn, test_size=TEST_SHARE, stratify=drawn["label"], random_state=seed)
    train, test = train.sort_index(), test.sort_index()
    names = sorted(set(drawn["recording"]))
    training.check_columns(frame_columns, drawn["column"])
    inputs = training.opened_inputs(folder, names)
    network = training.prepared(inputs, sorted(set(train["recording"])), settings)
    log_odds = best_on_test(network, inputs.pooled, train, test, frame_columns, settings, np.random.default_rng(seed))
    found = test[COLUMNS].assign(p_seizure=expit(log_odds), shared_eeg=audit.shared_eeg(train, test).astype(int))
    found.insert(0, "seed", seed)
    return found


def best_on_test(network, pooled, train, test, frame_columns, settings, generator):
    """Return the log-odds of `test` after the epoch that suits it best: what one must not do, and the reference did."""
    lowest = np.inf
    for _ in training.learning(network, pooled, train, frame_columns, settings, generator):
        found = training.predict(network, pooled, test, frame_columns)
        loss = training.balanced_loss(test["label"], found)
        if loss < lowest:
            lowest, kept = loss, found
    return kept


def run_all(seeds, *arguments):
    """Run the protocol with each seed, beside each other; return a list of what `run` returns, as for `arguments`."""
    if not seeds:
        raise ValueError("audit_splits is 0; the leakage audit needs at least 1. Correct params/train.yaml.")
    return parallel.parallel_map(run, [(seed, *arguments) for seed in seeds], "random splits", "split")
