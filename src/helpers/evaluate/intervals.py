"""Intervals: how far a score would move with other recordings of the same patient; percentile bootstrap and Wilson.

Samples of one recording resemble each other, so whole recordings are drawn, with replacement (Efron & Tibshirani, An
Introduction to the Bootstrap, 1993). Scores are functions of sums over recordings: a draw costs a sum. The same
seed and number of recordings give the same draws, so that detectors are compared draw by draw. With five to ten
recordings such intervals are too narrow; where all recordings score alike they have no width: then read `wilson`.
"""

import numpy as np
import pandas as pd
from scipy.stats import binomtest, sem
from scipy.stats import t as student

from helpers.evaluate import scores
from helpers.study.errors import RecordingError

LEVEL = 0.95
QUANTILES = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
DRAWS = 2000
FEWEST = 3  # recordings; two have only three different draws
GRID = np.linspace(0, 1, 101)
CHUNK = 2_000_000  # numbers held at a time while drawing, so that a day of EEG fits into memory


def resample(recordings, seed=0, draws=DRAWS):
    """Return how often each recording is drawn, int [draw, recording]: each row sums to the number of recordings."""
    if recordings < 1 or draws < 1:
        raise RecordingError(f"{recordings} recordings cannot be drawn {draws} times. Give at least one of each.")
    return np.random.default_rng(seed).multinomial(recordings, np.full(recordings, 1 / recordings), draws)


def interval(value, estimates, recordings):
    """Return a score with its 95 % interval by the percentiles of its draws from so many recordings.

    `value` may be None, and `estimates` (float [draw]) NaN, where undefined. A dict: ``value``, ``low``, ``high``,
    ``dropped`` (the share of draws that are undefined and left out), ``reason`` (why there is no interval, or None).
    """
    estimates = np.asarray(estimates, float)
    defined = estimates[~np.isnan(estimates)]
    dropped = 1 - len(defined) / len(estimates) if len(estimates) else 0.0
    found = {"value": None if value is None or np.isnan(value) else float(value), "low": None, "high": None}
    reason = None
    if found["value"] is None:
        reason = "the score is undefined"
    elif recordings < FEWEST:
        reason = f"there are {recordings} recordings; an interval over recordings needs {FEWEST}"
    elif dropped > 0.5:
        reason = f"the score is undefined in {dropped:.0%} of the draws"
    else:
        found["low"], found["high"] = map(float, np.quantile(defined, QUANTILES))
    return found | {"dropped": float(dropped), "reason": reason}


def bootstrap(metrics, sums, seed=0, draws=DRAWS):
    """Return each score and those of the draws of recordings: a dict of score → (value, float [draw]).

    `sums` has a row for each recording (index: its name), `metrics` takes its columns by name, summed, and returns a
    dict of score → float or None.
    """
    ordered = sums.sort_index()  # so that the same recordings are drawn for every table with these recordings
    totals = resample(len(ordered), seed, draws) @ ordered.to_numpy(float)
    rows = [metrics(**dict(zip(sums.columns, row, strict=True))) for row in totals.tolist()]
    estimates = pd.DataFrame(rows, dtype=float)
    return {name: (value, estimates[name].to_numpy()) for name, value in metrics(**sums.sum().to_dict()).items()}


def score_intervals(metrics, sums, seed=0, draws=DRAWS):
    """Return a dict of score → what `interval` returns; arguments as for `bootstrap`."""
    return {name: interval(*pair, len(sums)) for name, pair in bootstrap(metrics, sums, seed, draws).items()}


def difference(first, second, recordings):
    """Return the first score minus the second, as `interval` does; both with draws of one seed, as from `bootstrap`."""
    (value, estimates), (other, others) = first, second
    return interval(None if value is None or other is None else value - other, estimates - others, recordings)


def threshold_counts(table, column="p_seizure"):
    """Return true and false positives at each threshold, float [2, recording, threshold].

    `table` has ``recording``, ``label`` and the probability `column`; recordings are sorted by name, thresholds (the
    distinct probabilities) fall.
    """
    names, row = np.unique(table["recording"].to_numpy(str), return_inverse=True)
    thresholds, place = np.unique(-table[column].to_numpy(float), return_inverse=True)
    counts = np.zeros((2, len(names), len(thresholds)))
    np.add.at(counts, (1 - table["label"].to_numpy(int), row, place), 1)
    return counts.cumsum(axis=2)


def areas(tp, fp):
    """Return AUROC and average precision, as scikit-learn's, for counts [draw, threshold]; NaN with one class only."""
    positive, negative = tp[..., -1], fp[..., -1]
    rise, run = np.diff(tp, axis=-1, prepend=0), np.diff(fp, axis=-1, prepend=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        auroc = ((tp - rise / 2) * run).sum(axis=-1) / (positive * negative)  # equal probabilities count half
        auprc = (rise * tp / np.maximum(tp + fp, 1)).sum(axis=-1) / positive
    both = (positive > 0) & (negative > 0)
    return np.where(both, auroc, np.nan), np.where(both, auprc, np.nan)


def curves(tp, fp):
    """Return sensitivity over false positive rate, and precision over recall, float [2, `GRID`].

    Counts [threshold]. Sensitivity is linear between thresholds, precision a step (Davis & Goadrich, ICML 2006). With
    one class only, NaN.
    """
    if not (tp[-1] and fp[-1]):
        return np.full((2, len(GRID)), np.nan)
    sensitivity = np.interp(GRID + 1e-9, np.append(0, fp) / fp[-1], np.append(0, tp) / tp[-1])
    first = np.searchsorted(tp + fp, 1)  # the highest probability drawn: some draws lack the highest of all
    at = np.maximum(np.searchsorted(tp, GRID * tp[-1] - 1e-9), first)  # 1e-9: 0.29 · 100 is a little below 29
    return np.stack([sensitivity, tp[at] / (tp + fp)[at]])


def _count_draws(table, column, seed, draws):
    """Yield true and false positives [2, draw, threshold], some draws at a time."""
    counts = threshold_counts(table, column)
    weights = resample(counts.shape[1], seed, draws).astype(float)
    for part in np.array_split(weights, -(-draws * counts.shape[2] // CHUNK)):
        yield part @ counts


def bootstrap_ranking(table, column="p_seizure", seed=0, draws=DRAWS):
    """Return ``auroc`` and ``auprc`` with their draws, as `bootstrap` does; `table` as for `threshold_counts`."""
    auroc, auprc = np.concatenate([areas(*counts) for counts in _count_draws(table, column, seed, draws)], axis=1)
    label, p = table["label"], table[column]
    return {"auroc": (scores.auroc(label, p), auroc), "auprc": (scores.auprc(label, p), auprc)}


def ranking_intervals(table, column="p_seizure", seed=0, draws=DRAWS):
    """Return ``auroc`` and ``auprc``, each as `interval` gives it; `table` as for `threshold_counts`."""
    count, found = table["recording"].nunique(), bootstrap_ranking(table, column, seed, draws)
    return {name: interval(*pair, count) for name, pair in found.items()}


def curve_bands(table, seed=0, draws=DRAWS):
    """Return low and high of either of the `curves` of ``p_seizure``, pointwise, 95 %: float [2, 2, `GRID`].

    NaN where `interval` would give none.
    """
    parts = _count_draws(table, "p_seizure", seed, draws)
    estimates = np.array([curves(*pair) for counts in parts for pair in counts.swapaxes(0, 1)])
    defined = estimates[~np.isnan(estimates[:, 0, 0])]
    if table["recording"].nunique() < FEWEST or len(defined) < draws / 2:
        return np.full((2, 2, len(GRID)), np.nan)
    return np.quantile(defined, QUANTILES, axis=0).swapaxes(0, 1)


def median_latency(table, recordings, seed=0, draws=DRAWS):
    """Return the median latency of the seizures found, in s, as `interval` does; `table` is from `scores.latencies`.

    Missed seizures are left out: read it beside the sensitivity. `recordings` are all that were decided on, those
    without a seizure too, so that the draws are those of the other scores.
    """
    names, timed = sorted(recordings), table.dropna(subset="latency_s")
    latency, row = timed["latency_s"].to_numpy(), [names.index(name) for name in timed["recording"]]
    times = resample(len(names), seed, draws)[:, row]  # how often each seizure is drawn
    estimates = [np.median(np.repeat(latency, often)) if often.any() else np.nan for often in times]
    return interval(float(np.median(latency)) if len(latency) else None, estimates, len(names))


def half_width(values):
    """Return half the 95 % interval of the mean of `values`, float [n ≥ 2], by Student's t: of seeds, or of splits."""
    return float(student.ppf((1 + LEVEL) / 2, len(values) - 1) * sem(values))


def wilson(successes, trials):
    """Return a proportion with Wilson's 95 % score interval (J. Am. Stat. Assoc. 22:209, 1927), as `interval` does."""
    if trials == 0:
        return {"value": None, "low": None, "high": None, "dropped": 0.0, "reason": "there is none to count"}
    bounds = binomtest(int(successes), int(trials)).proportion_ci(LEVEL, method="wilson")  # raises for 6 of 5
    value = float(successes / trials)
    return {"value": value, "low": float(bounds.low), "high": float(bounds.high), "dropped": 0.0, "reason": None}
