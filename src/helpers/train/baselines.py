"""Simple detectors in the same folds: a logistic regression and a random forest on features made by hand.

They go the network's way: one for each of `folds.splits`, which scores what it has not seen; members of a fold are
averaged (`training.out_of_fold`), and its inner recordings choose all that makes decisions (`decisions.decide`).
"""

import numpy as np
import pandas as pd
from scipy.special import logit
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from helpers.preprocess.spectrograms import open_spectrogram
from helpers.study import parallel
from helpers.train.features import ALL_FRAMES, measure
from helpers.train.folds import splits
from helpers.train.training import balanced_loss

CLASSIFIERS = ("logistic", "forest")
L2 = (1e-4, 1e-3, 1e-2, 1e-1)  # inverse strengths, from strong to weak
STRONG = 1e-3  # where no training recording can be left out to choose by
TREES = 200
# Triptychs overlap: trees on half of them, with leaves of five, are no worse than on all, and cost half.
FOREST = {"max_samples": 0.5, "min_samples_leaf": 5, "class_weight": "balanced_subsample", "n_jobs": 1}
LARGEST_CLASS = 20_000  # of more training triptychs of a class, so many are drawn: a forest would take hours


def train_all(folds, folder, lengths, *arguments):
    """Train all classifiers for all networks of `folds` beside each other (see `parallel.parallel_map`).

    Parameters
    ----------
    folds : list of folds.Fold
    folder, lengths : Path
        Of the spectrograms and of the line lengths, which a worker maps into its memory itself.
    arguments
        The further ones of `train_split`.

    Returns
    -------
    dict of str → list of (folds.Split, pandas.Series)
        By classifier, as `training.out_of_fold` takes it.
    """
    names = [name for fold in folds for name in fold.held_out]
    pieces = [(split, folder, lengths, names, *arguments) for split in splits(folds)]
    found = parallel.parallel_map(_train_from, pieces, "baselines", "network")
    return {name: [(piece[0], one[name]) for piece, one in zip(pieces, found, strict=True)] for name in found[0]}


def _train_from(split, folder, lengths, names, *arguments):
    return train_split(split, open_spectrogram(folder, names), open_spectrogram(lengths, names), *arguments)


def train_split(split, spectrograms, lengths, overlapping, samples, axis, seed, names=CLASSIFIERS):
    """Train classifiers on a split's recordings, and score the samples of those that they have not seen.

    Parameters
    ----------
    split : folds.Split
    spectrograms, lengths : dict of str → array
        As for `features.measure`.
    overlapping, samples : pandas.DataFrame
        Triptychs to train on and to decide on, as for `training.train_split`.
    axis : dict
        From `filterbank.axes`.
    seed : int
        Of the forest, and of the draw where a class has more than `LARGEST_CLASS` triptychs.
    names : sequence of str
        "logistic": features standardised, classes weighted alike, L2 chosen by leaving out training recordings.
        "forest": trees each on a bootstrap sample with its classes alike.

    Returns
    -------
    dict of str → pandas.Series
        By classifier: log-odds of seizure, by the index of `samples`.

    Raises
    ------
    ValueError
        If a name is unknown, or the training recordings lack a class.
    """
    if unknown := sorted(set(names) - set(CLASSIFIERS)):
        raise ValueError(f"There is no classifier {', '.join(unknown)}; there are {', '.join(CLASSIFIERS)}.")
    train = overlapping.iloc[training_rows(split, overlapping, np.random.default_rng([seed, *split.without]))]
    unseen = samples[~samples["recording"].isin(split.train)]
    x, inputs = (measure(spectrograms, lengths, table, axis, ALL_FRAMES) for table in (train, unseen))
    y, recording = train["label"].to_numpy(), train["recording"].to_numpy(str)
    found = {}
    with threadpool_limits(1):  # as for the network: the same bytes on any machine
        if "logistic" in names:
            found["logistic"] = logistic(x, y, recording).decision_function(inputs)
        if "forest" in names:
            found["forest"] = forest_log_odds(x, y, inputs, split.seed(seed))
    return {name: pd.Series(values, index=unseen.index) for name, values in found.items()}


def training_rows(split, table, generator):
    """Return the numbers of the rows of `table` to train on, sorted: those of `split.train`, of a large class some.

    Raises ValueError if there is no seizure triptych, or no other.
    """
    label, rows = table["label"].to_numpy(), []
    ours = table["recording"].isin(split.train).to_numpy()
    for value in (0, 1):
        found = np.flatnonzero(ours & (label == value))
        if not len(found):
            raise ValueError(
                f"Network {split.name} trains on {', '.join(split.train)}, which hold no triptych labelled {value}; "
                "both labels are needed. Shorter frames (frame_s in the patient's file) leave more of them."
            )
        few = len(found) <= LARGEST_CLASS
        rows.append(found if few else generator.choice(found, LARGEST_CLASS, replace=False))
    return np.sort(np.concatenate(rows))


def logistic(x, y, recording):
    """Return a fitted logistic regression: features float [triptych, feature], labels, and where each is from.

    Its L2 has the lowest loss where each training recording with a seizure is left out in turn; of equals it is the
    strongest. Nothing that the regression will be tested on, or that will choose its threshold, is looked at.
    """
    # Left out only where both classes remain: with one recording that holds a seizure there is no choice.
    names = [name for name in sorted(set(recording[y == 1])) if len(set(y[recording != name])) == 2]
    losses = np.zeros(len(L2))
    for name in names:
        out = recording == name
        for place, strength in enumerate(L2):
            model = _regression(strength).fit(x[~out], y[~out])
            losses[place] += balanced_loss(y[out], model.decision_function(x[out]))
    return _regression(L2[np.argmin(losses)] if names else STRONG).fit(x, y)


def _regression(strength):
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, class_weight="balanced", max_iter=2000))


def forest_log_odds(x, y, inputs, seed):
    """Return the log-odds that a forest trained on `x`, `y` gives to `inputs`.

    It tells probabilities no finer than one tree of all: at 0 and 1, half a tree is taken for the truth.
    """
    p = RandomForestClassifier(TREES, random_state=seed, **FOREST).fit(x, y).predict_proba(inputs)[:, 1]
    return logit(np.clip(p, 0.5 / TREES, 1 - 0.5 / TREES))
