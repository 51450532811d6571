"""Ranking: how well probabilities order the samples, whatever the threshold; ROC, precision–recall, areas, bands.

Probabilities of different folds come from different networks. Pooled, they are compared with each other as they are;
`within` compares only samples of the same recording, and so of the same network.
"""

import numpy as np
import pandas as pd
from sklearn import metrics

from helpers.evaluate import intervals
from helpers.study.errors import RecordingError

GRID = np.linspace(0, 1, 101)
CHUNK = 2_000_000  # numbers held at a time while drawing, so that a day of EEG fits into memory


def checked(label, p):
    """Return labels and probabilities as arrays; raise RecordingError unless equally many, 0 or 1, and in 0–1."""
    label, p = np.asarray(label), np.asarray(p, float)
    if label.shape != p.shape or label.ndim != 1 or not set(np.unique(label)) <= {0, 1}:
        raise RecordingError(f"Labels {label.shape} and probabilities {p.shape} must be two lists, labels 0 or 1.")
    if not np.all((p >= 0) & (p <= 1)):  # NaN fails too
        raise RecordingError(f"{np.sum(~((p >= 0) & (p <= 1)))} of {len(p)} probabilities are not between 0 and 1.")
    return label.astype(int), p


def undefined(label):
    """Return the reason why no ranking score is defined for these labels, or None."""
    values = set(np.unique(label))
    if values == {0, 1}:
        return None
    return {0: "there is no sample", 1: f"there is no {'non-seizure' if 1 in values else 'seizure'} sample"}[
        len(values)
    ]


def auroc(label, p):
    """Return the area under the ROC curve, or None (see `undefined`)."""
    label, p = checked(label, p)
    return None if undefined(label) else float(metrics.roc_auc_score(label, p))


def auprc(label, p, weight=1.0):
    """Return the average precision, Σ (recall step · precision), or None (see `undefined`).

    `weight` is that of a non-seizure sample, as in `scores.at_prevalence`; a seizure sample's is 1.

    Chance scores the share of seizure. With seizure samples only, any order would score 1: that is None too.
    """
    label, p = checked(label, p)
    if undefined(label):
        return None
    return float(metrics.average_precision_score(label, p, sample_weight=np.where(label == 1, 1.0, weight)))


def within(table):
    """Return the mean over recordings of the AUROC within each, or None if none holds both classes.

    What a recording's own level adds to its probabilities changes nothing here.
    """
    found = [auroc(part["label"], part["p_seizure"]) for _, part in table.groupby("recording")]
    found = [value for value in found if value is not None]
    return float(np.mean(found)) if found else None


def balanced_accuracy(tp, fn, fp, tn):
    """Return the mean of sensitivity and specificity, or None where either is undefined."""
    return (tp / (tp + fn) + tn / (fp + tn)) / 2 if (tp + fn) and (fp + tn) else None


def roc(label, p):
    """Return false positive rate, sensitivity and threshold, each a float array, or None (see `undefined`)."""
    label, p = checked(label, p)
    return None if undefined(label) else metrics.roc_curve(label, p)


def precision_recall(label, p, drop_intermediate=False):
    """Return precision, recall and threshold, each a float array, or None (see `undefined`).

    `drop_intermediate` leaves out the thresholds between two others of the same recall, as in scikit-learn.
    """
    label, p = checked(label, p)
    return None if undefined(label) else metrics.precision_recall_curve(label, p, drop_intermediate=drop_intermediate)


def tallies(table):
    """Count the samples at or above each threshold, recording by recording.

    Parameters
    ----------
    table : pandas.DataFrame
        ``recording``, ``label``, ``p_seizure``.

    Returns
    -------
    tp, fp : float [recording, threshold]
        Seizure and non-seizure samples; recordings sorted by name, thresholds (the distinct probabilities) falling.
        Sums of rows are the counts of several recordings together.
    """
    label, p = checked(table["label"], table["p_seizure"])
    names, row = np.unique(table["recording"].to_numpy(str), return_inverse=True)
    thresholds, column = np.unique(-p, return_inverse=True)
    counts = np.zeros((2, len(names), len(thresholds)))
    np.add.at(counts, (1 - label, row, column), 1)
    return tuple(counts.cumsum(axis=2))


def areas(tp, fp):
    """Return AUROC and average precision for counts [..., threshold], NaN where one class only is there."""
    positive, negative = tp[..., -1], fp[..., -1]
    rise = np.diff(tp, axis=-1, prepend=0)
    run = np.diff(fp, axis=-1, prepend=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        auroc = ((tp - rise / 2) * run).sum(axis=-1) / (positive * negative)  # equal probabilities count half
        auprc = (rise * tp / np.maximum(tp + fp, 1)).sum(axis=-1) / positive
    both = (positive > 0) & (negative > 0)
    return np.where(both, auroc, np.nan), np.where(both, auprc, np.nan)


def curves(tp, fp, grid=GRID):
    """Return the two curves on a fixed grid for counts [threshold], NaN where one class only is there.

    Returns
    -------
    sensitivity, precision : float [grid]
        The highest sensitivity whose false positive rate is at most the grid's; and the precision at the highest
        threshold whose recall is at least the grid's (a step, as in the average precision: precision is not linear
        in between, Davis & Goadrich, ICML 2006). At recall 0 it is that of the highest probability.
    """
    positive, negative = tp[-1], fp[-1]
    if not (positive and negative):
        return np.full(len(grid), np.nan), np.full(len(grid), np.nan)
    reached = np.searchsorted(fp, grid * negative + 1e-9, side="right")  # 1e-9: 0.29 · 100 is a little below 29
    sensitivity = np.concatenate([[0], tp])[reached] / positive
    # At recall 0 the highest probability drawn, not one that no drawn recording holds.
    first = np.searchsorted(tp + fp, 1)
    at = np.maximum(np.searchsorted(tp, grid * positive - 1e-9), first)
    return sensitivity, tp[at] / (tp + fp)[at]


def _drawn_tallies(table, seed, draws):
    """Yield tp and fp [draw, threshold], some draws at a time."""
    tp, fp = tallies(table)
    weights = intervals.resampled(len(tp), seed, draws).astype(float)
    size = max(1, CHUNK // tp.shape[1])
    for first in range(0, draws, size):
        yield weights[first : first + size] @ tp, weights[first : first + size] @ fp


def drawn(table, seed=0, draws=intervals.DRAWS):
    """Return ``auroc`` and ``auprc`` of each draw of recordings (see `intervals.drawn`); `table` as for `tallies`."""
    pieces = [np.stack(areas(tp, fp), axis=1) for tp, fp in _drawn_tallies(table, seed, draws)]
    return pd.DataFrame(np.concatenate(pieces), columns=["auroc", "auprc"])


def over_recordings(table, seed=0, draws=intervals.DRAWS):
    """Return ``auroc`` and ``auprc`` with intervals by bootstrap over recordings (see `intervals.interval`)."""
    estimates, count = drawn(table, seed, draws), table["recording"].nunique()
    values = {"auroc": auroc(table["label"], table["p_seizure"]), "auprc": auprc(table["label"], table["p_seizure"])}
    return {name: intervals.interval(value, estimates[name], count) for name, value in values.items()}


def bands(table, seed=0, draws=intervals.DRAWS, grid=GRID):
    """Return the ROC and the precision–recall curve with pointwise 95 % bands by the same draws of recordings.

    Parameters
    ----------
    table : pandas.DataFrame
        As for `tallies`.
    grid : float [point]
        Rising from 0 to 1: false positive rates, and recalls.

    Returns
    -------
    dict
        ``roc`` (``false_positive_rate``, ``sensitivity``, ``low``, ``high``) and ``precision_recall`` (``recall``,
        ``precision``, ``low``, ``high``), each a pandas.DataFrame; None where one class only is there. ``low`` and
        ``high`` are NaN where `intervals.interval` gives none.
    """
    if undefined(table["label"]):
        return {"roc": None, "precision_recall": None}
    tp, fp = tallies(table)
    values, count = curves(tp.sum(axis=0), fp.sum(axis=0), grid), len(tp)
    draws = _drawn_tallies(table, seed, draws)
    pieces = [curves(*pair, grid) for tps, fps in draws for pair in zip(tps, fps, strict=True)]
    found = {}
    axes = (("roc", "false_positive_rate", "sensitivity"), ("precision_recall", "recall", "precision"))
    for (name, x, y), value, estimates in zip(axes, values, zip(*pieces, strict=True), strict=True):
        points = [intervals.interval(v, e, count) for v, e in zip(value, np.transpose(estimates), strict=True)]
        bounds = {key: np.array([point[key] for point in points], float) for key in ("low", "high")}
        found[name] = pd.DataFrame({x: grid, y: value, **bounds})
    return found
