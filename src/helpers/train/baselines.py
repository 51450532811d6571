"""Simple detectors in the same folds: a logistic regression and a random forest on band powers and line length.

They go the network's way: one for each Split, which scores what it has not seen; members of a fold are
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
from helpers.study.bands import band_masks
from helpers.train.training import balanced_loss, training_triptychs

CLASSIFIERS = ("logistic", "forest")
L2 = (1e-4, 1e-3, 1e-2, 1e-1)  # inverse strengths, from strong to weak
STRONG = 1e-3  # where no training recording can be left out to choose by
TREES = 200
# Triptychs overlap: trees on half of them, with leaves of five, are no worse than on all, and cost half.
FOREST = {"max_samples": 0.5, "min_samples_leaf": 5, "class_weight": "balanced_subsample", "n_jobs": 1}
LARGEST_CLASS = 20_000  # of more training triptychs of a class, so many are drawn: a forest would take hours
BLOCK_COLUMNS = 2048  # columns read at a time: it bounds the memory, and changes no result
LEAST_UV_S = 1.0  # line length of a flat line, for its logarithm; an EEG's is a thousand times as much


def train_all(networks, folder, lengths, overlapping, samples, *arguments):
    """Train all classifiers for each of the Splits `networks`, beside each other.

    `folder` and `lengths` are where spectrograms and line lengths lie; the rest are arguments of `train_split`.

    Returns a dict of classifier → list of (folds.Split, pandas.Series), as `training.out_of_fold` reads it.
    """
    names = sorted(set(samples["recording"]))
    pieces = [(split, folder, lengths, names, overlapping, samples, *arguments) for split in networks]
    found = parallel.parallel_map(_train_from, pieces, "baselines", "network")
    return {name: [(piece[0], one[name]) for piece, one in zip(pieces, found, strict=True)] for name in found[0]}


def _train_from(split, folder, lengths, names, *arguments):
    return train_split(split, open_spectrogram(folder, names), open_spectrogram(lengths, names), *arguments)


def train_split(split, spectrograms, lengths, overlapping, samples, axis, seed, names=CLASSIFIERS):
    """Train classifiers on a split's recordings, and score the samples of those that they have not seen.

    `spectrograms`, `lengths` and `axis` are as for `features`; `overlapping` and `samples`, the triptychs to train on
    and to decide on, as for `training.train_split`; `seed` is that of the forest, and of `draw_triptychs`; `names` are
    some of `CLASSIFIERS`.

    Returns a dict of classifier → pandas.Series: log-odds of seizure, by the index of `samples`.
    """
    train = draw_triptychs(training_triptychs(split, overlapping), np.random.default_rng(split.seed(seed)))
    unseen = samples[~samples["recording"].isin(split.train)]
    x, unseen_x = (features(spectrograms, lengths, table, axis) for table in (train, unseen))
    y, recording = train["label"].to_numpy(), train["recording"].to_numpy(str)
    found = {}
    with threadpool_limits(1):  # as for the network: the same bytes on any machine
        if "logistic" in names:
            found["logistic"] = fit_logistic(x, y, recording).decision_function(unseen_x)
        if "forest" in names:
            found["forest"] = forest_log_odds(x, y, unseen_x, split.torch_seed(seed))
    return {name: pd.Series(values, index=unseen.index) for name, values in found.items()}


def draw_triptychs(train, generator):
    """Return `train` with at most `LARGEST_CLASS` triptychs of each class, drawn at random, in their order."""
    rows = []
    for label in (0, 1):
        found = np.flatnonzero(train["label"] == label)
        large = len(found) > LARGEST_CLASS
        rows.append(generator.choice(found, LARGEST_CLASS, replace=False) if large else found)
    return train.iloc[np.sort(np.concatenate(rows))]


def features(spectrograms, lengths, table, axis):
    """Return for each frame of triptychs band powers, then line length a second: float32 [triptych, 3 · (5·C + C)].

    Both are in dB: line length spreads over orders of magnitude, as power does, so it is 20 log10 of it in µV/s.

    Parameters
    ----------
    spectrograms, lengths : dict of str → array
        By recording: power in dB, float16 [C, F, column], and line length in µV (`filterbank.line_length`), float32 [C,
        column].
    table : pandas.DataFrame
        ``recording`` and ``column`` of each triptych (see `spectrograms.triptychs`).
    axis : dict
        From `filterbank.axes`.
    """
    size, parts, order = axis["frame_columns"], [], []
    for name, rows in table.groupby("recording").indices.items():
        starts = table["column"].to_numpy()[rows]
        power = _frame_sums(band_power(spectrograms[name], axis["frequencies_hz"]), starts, size) / size
        length = (_frame_sums(lengths[name], starts, size) / axis["frame_s"]).astype(np.float32)
        length = 20 * np.log10(np.maximum(length, LEAST_UV_S))
        parts.append(np.concatenate([power, length], axis=2, dtype=np.float32, casting="same_kind"))
        order.append(rows)
    return np.concatenate(parts)[np.argsort(np.concatenate(order))].reshape(len(table), -1)


def band_power(power, frequencies_hz):
    """Return the mean over each band's bins of a spectrogram [C, F, column] in dB: float32 [5·C, column]."""
    masks, blocks = band_masks(frequencies_hz).values(), []
    for first in range(0, power.shape[2], BLOCK_COLUMNS):
        block = power[:, :, first : first + BLOCK_COLUMNS].astype(np.float32)
        blocks.append(np.concatenate([block[:, mask].mean(axis=1) for mask in masks]))
    return np.concatenate(blocks, axis=1)


def _frame_sums(curves, starts, size):
    """Sum [row, column] over the `size` columns of each frame of triptychs from `starts` on: [triptych, 3, row]."""
    total = np.zeros((curves.shape[1] + 1, len(curves)))
    np.cumsum(curves.T, axis=0, dtype=np.float64, out=total[1:])
    return np.diff(total[starts[:, None] + np.arange(4) * size], axis=1)


def fit_logistic(x, y, recording):
    """Return a logistic regression on features float [triptych, feature], labels, and the recording of each triptych.

    Features are standardised, classes weighted alike. Its L2 has the lowest loss where each training recording with a
    seizure is left out in turn; of equals it is the strongest. Nothing that the regression will be tested on, or that
    will choose its threshold, is looked at.
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


def forest_log_odds(x, y, unseen_x, seed):
    """Return the log-odds that a forest trained on `x`, `y` gives to `unseen_x`.

    It tells probabilities no finer than one tree of all: at 0 and 1, half a tree is taken for the truth.
    """
    p = RandomForestClassifier(TREES, random_state=seed, **FOREST).fit(x, y).predict_proba(unseen_x)[:, 1]
    return logit(np.clip(p, 0.5 / TREES, 1 - 0.5 / TREES))
