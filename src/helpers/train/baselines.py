"""Simple detectors in the same folds: on band powers and line length, on covariances, and on MiniRocket's features.

They go the network's way: one for each Split, which scores what it has not seen; members of a fold are
averaged (`training.out_of_fold`), and its inner recordings choose all that makes decisions (`decisions.decide`).
"""

from functools import partial

import numpy as np
import pandas as pd
from scipy.special import logit
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from helpers.preprocess.filterbank import ARRAYS
from helpers.preprocess.spectrograms import open_spectrogram
from helpers.study import parallel
from helpers.train.training import balanced_loss, training_triptychs

CLASSIFIERS = ("logistic", "forest", "riemann", "rocket")
L2 = (1e-4, 1e-3, 1e-2, 1e-1)  # inverse strengths, from strong to weak
STRONG = 1e-3  # where no training recording can be left out to choose by
TOLERANCE = 1e-3  # ten times scikit-learn's, in a fifth less time
PARTS = 4  # of the training recordings, left out in turn to choose by
TREES = 100
# Triptychs overlap: trees on half of them, with leaves of five, are no worse than on all, and cost half; nor are 200.
FOREST = {"max_samples": 0.5, "min_samples_leaf": 5, "class_weight": "balanced_subsample", "n_jobs": 1}
LARGEST_CLASS = 2_000  # of more training triptychs of a class, so many are drawn: they overlap, and time is short
SHRINKAGE = 0.01  # of a covariance towards equal channels: the montage's chains close, so that it has no inverse
LEAST_UV_S = 1.0  # line length of a flat line, for its logarithm; an EEG's is a thousand times as much
LEAST_UV2 = 1e-3  # variance added, so that a flat line has a logarithm; an EEG's is ten thousand times as much


def train_all(networks, folder, overlapping, samples, *arguments):
    """Train all classifiers for each of the Splits `networks`, beside each other.

    `folder` is where `filterbank.write` wrote; the rest are arguments of `train_split`.

    Returns a dict of classifier → list of (folds.Split, pandas.Series), as `training.out_of_fold` reads it.
    """
    names = sorted(set(samples["recording"]))
    pieces = [(split, folder, names, overlapping, samples, *arguments) for split in networks]
    found = parallel.parallel_map(_train_from, pieces, "baselines", "network")
    return {name: [(piece[0], one[name]) for piece, one in zip(pieces, found, strict=True)] for name in found[0]}


def _train_from(split, folder, names, *arguments):
    return train_split(split, open_arrays(folder, names), *arguments)


def open_arrays(folder, names):
    """Return what `filterbank.write` wrote to `folder`, memory-mapped: a dict of kind → recording → array."""
    return {kind: open_spectrogram(folder / kind, names) for kind in ARRAYS}


def train_split(split, arrays, overlapping, samples, axis, seed, names=CLASSIFIERS):
    """Train classifiers on a split's recordings, and score the samples of those that they have not seen.

    `arrays` and `axis` as for `features`; `overlapping` and `samples` are the triptychs to train on and to decide on;
    `seed` is that of the forest, and of `draw_triptychs`; `names` are some of `CLASSIFIERS`.

    Returns a dict of classifier → pandas.Series: log-odds of seizure, by the index of `samples`.
    """
    train = draw_triptychs(training_triptychs(split, overlapping), np.random.default_rng(split.seed(seed)))
    unseen = samples[~samples["recording"].isin(split.train)]
    y, recording, found, measured = train["label"].to_numpy(), train["recording"].to_numpy(str), {}, None
    kinds = {"riemann": log_covariances, "rocket": exceedances}
    with threadpool_limits(1):  # as for the network: the same bytes on any machine
        for name in names:
            measure = kinds.get(name, features)
            if measure is not measured:
                measured, (x, unseen_x) = measure, (measure(arrays, table, axis) for table in (train, unseen))
            if name == "forest":
                found[name] = forest_log_odds(x, y, unseen_x, split.torch_seed(seed))
            else:
                found[name] = fit_logistic(x, y, recording).decision_function(unseen_x)
    return {name: pd.Series(values, index=unseen.index) for name, values in found.items()}


def draw_triptychs(train, generator):
    """Return `train` with at most `LARGEST_CLASS` triptychs of each class, drawn at random, in their order."""
    rows = []
    for label in (0, 1):
        found = np.flatnonzero(train["label"] == label)
        large = len(found) > LARGEST_CLASS
        rows.append(generator.choice(found, LARGEST_CLASS, replace=False) if large else found)
    return train.iloc[np.sort(np.concatenate(rows))]


def features(arrays, table, axis):
    """Return for each frame of triptychs band powers, then line length a second: float32 [triptych, 3 · (5·C + C)].

    Both are in dB: line length spreads over orders of magnitude, as power does, so it is 20 log10 of it in µV/s.
    `arrays` are from `open_arrays`, `axis` from `filterbank.axes`; `table` has ``recording`` and ``column``.
    """
    found, length = frame_means(arrays["features"], table, axis), slice(-len(axis["channels"]), None)
    per_s = found[..., length] / np.float32(axis["cell_columns"] * axis["hop_s"])
    found[..., length] = 20 * np.log10(np.maximum(per_s, LEAST_UV_S))
    return found.reshape(len(table), -1)


def log_covariances(arrays, table, axis):
    """Return the logarithm of each frame's covariance matrix, float32 [triptych, 3 · C·(C + 1) / 2].

    Covariance matrices lie on a curved (Riemannian) manifold, which the logarithm makes flat: log-Euclidean metric
    (Arsigny et al. 2006, doi:10.1002/mrm.20965). Arguments as for `features`.
    """
    logarithms = partial(_logarithms, channels=len(axis["channels"]))
    return frame_means(arrays["covariance"], table, axis, logarithms).reshape(len(table), -1)


def _logarithms(pairs, channels):
    """Return the logarithms of matrices, shrunk towards equal channels; both as upper triangles [frame, pair]."""
    upper, matrix = np.triu_indices(channels), np.empty((len(pairs), channels, channels))
    matrix[:, *upper] = matrix[:, *upper[::-1]] = pairs
    level = np.trace(matrix, axis1=1, axis2=2)[:, None, None] / channels
    matrix = (1 - SHRINKAGE) * matrix + (SHRINKAGE * level + LEAST_UV2) * np.eye(channels)
    value, vector = np.linalg.eigh(matrix)
    log = (vector * np.log(value)[:, None, :]) @ vector.swapaxes(1, 2)
    return log[:, *upper]


def exceedances(arrays, table, axis):
    """Return the share of each frame in which each kernel of MiniRocket exceeds its threshold, [triptych, 3 · feature].

    float32, in samples a cell. Arguments as for `features`.
    """
    return frame_means(arrays["rocket"], table, axis).reshape(len(table), -1)


def frame_means(cells, table, axis, measure=lambda means: means):
    """Return the mean of `cells`, a dict of recording → [cell, feature], over frames: float32 [triptych, 3, feature].

    Frames that do not start with a cell take the cells from the one before on: what comes later is not looked at.
    `measure` of the means, [frame, feature], is returned; it is called once for a frame that several triptychs share.
    """
    size, found = axis["frame_columns"] // axis["cell_columns"], None
    for name, rows in table.groupby("recording").indices.items():
        first = table["column"].to_numpy()[rows, None] // axis["cell_columns"] + np.arange(3) * size
        if found is None:
            found = np.empty((len(table), 3, cells[name].shape[1]), np.float32)
        first, places = np.unique(first, return_inverse=True)
        means = sum(cells[name][first + number].astype(np.float32) for number in range(size)) / size
        found[rows] = measure(means).astype(np.float32, copy=False)[places]
    return found


def fit_logistic(x, y, recording):
    """Return a logistic regression on features float [triptych, feature], labels, and the recording of each triptych.

    Features are standardised, classes weighted alike. Its L2 has the lowest loss where the training recordings with a
    seizure are left out in turn, at most `PARTS` times; of equals it is the strongest. Nothing that the regression will
    be tested on, or that will choose its threshold, is looked at.
    """
    names = sorted(set(recording[y == 1]))
    outs = [np.isin(recording, part) for part in np.array_split(names, min(len(names), PARTS))]
    # Left out only where both classes remain: with one recording that holds a seizure there is no choice.
    cuts = [(np.flatnonzero(~out), np.flatnonzero(out)) for out in outs if len(set(y[~out])) == 2]
    regression = LogisticRegression(C=STRONG, class_weight="balanced", max_iter=2000, tol=TOLERANCE)
    model = make_pipeline(StandardScaler(), regression)
    if cuts:
        model = GridSearchCV(model, {"logisticregression__C": L2}, scoring=_negative_loss, cv=cuts)
        return model.fit(x, y).best_estimator_
    return model.fit(x, y)


def _negative_loss(model, x, y):
    return -balanced_loss(y, model.decision_function(x))


def forest_log_odds(x, y, unseen_x, seed):
    """Return the log-odds that a forest trained on `x`, `y` gives to `unseen_x`.

    It tells probabilities no finer than one tree of all: at 0 and 1, half a tree is taken for the truth.
    """
    p = RandomForestClassifier(TREES, random_state=seed, **FOREST).fit(x, y).predict_proba(unseen_x)[:, 1]
    return logit(np.clip(p, 0.5 / TREES, 1 - 0.5 / TREES))
