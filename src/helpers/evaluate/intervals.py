"""Intervals: how far a score would move with other recordings of the same patient, at 95 %.

Samples of one recording resemble each other, so whole recordings are drawn, with replacement (Efron & Tibshirani, An
Introduction to the Bootstrap, 1993), and whole patients, "recordings" below, where several are pooled. The same seed
and recordings give the same draws, so that detectors are compared draw by draw. The draws' percentiles do not cover
with so few recordings, nor do expanded ones (Hesterberg, Am. Stat. 69:371, 2015): the draws give a standard error,
Student's t on log-odds the ends. Counts of events have exact ones.

An interval is a dict: ``value``; ``low`` and ``high``, or None; ``kind``, "bootstrap", "exact", "t", "normal", "range"
(lowest and highest, of too few for an interval) or None; ``dropped``, the share of draws in which the score is
undefined; ``reason``, why there is no interval, or None. ``python -m benchmarks.coverage`` measures how often they
hold.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import beta, chi2, norm, quantile_test, spearmanr
from scipy.stats import t as student

from helpers.evaluate import scores

LEVEL = 0.95
DRAWS = 2000
FEWEST = 5  # recordings with a seizure, for an interval; fewer have a range
SHARED = 3  # frames of a sample: neighbours share EEG, and one sample in three is independent at best
CHUNK = 2_000_000  # numbers held at a time while drawing, so that a day of EEG fits into memory


class Draws(NamedTuple):
    """A score with its draws: what `interval` takes, ``interval(*draws)``."""

    value: float | None
    estimates: np.ndarray  # float [draw], NaN where undefined; [recording] where fewer than `FEWEST` hold a seizure
    recordings: int  # how many hold a seizure
    samples: float | None = None  # of how many independent samples the score is a share; None: of none


def resample(holds, seed=0, draws=DRAWS):
    """Return how often each recording is drawn, int [draw, recording]; `holds`: bool [recording], is there a seizure.

    Where fewer than `FEWEST` hold one, each row is one recording alone.
    """
    n = len(holds)
    if sum(holds) < FEWEST:
        return np.eye(n, dtype=int)
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), draws)


def interval(value, estimates, recordings, samples=None):
    """Return a score with its interval from draws; arguments as in `Draws`.

    The draws' standard error, times √(n/(n − 1)) as n recordings vary too little, and t with n − 1 degrees of freedom;
    of a share on log-odds, by the delta method. A share's ends are never closer than the exact ones of so many
    independent samples: where all recordings score alike, nothing else says how far it would move.
    """
    defined = np.asarray(estimates, float)
    defined = defined[~np.isnan(defined)]
    dropped = 1 - len(defined) / max(len(estimates), 1)
    if value is None or np.isnan(value):
        return _found(None, reason="the score is undefined", dropped=dropped)
    if not len(defined) or (dropped > 0.5 and recordings >= FEWEST):
        return _found(value, reason=f"the score is undefined in {dropped:.0%} of the draws", dropped=dropped)
    if recordings < FEWEST:
        found = f"recordings, or pooled patients, with a seizure: {recordings}"
        reason = f"{found}; an interval needs {FEWEST}, so the ends are of single ones"
        return _found(value, defined.min(), defined.max(), "range", dropped, reason)
    half = student.ppf((1 + LEVEL) / 2, recordings - 1) * defined.std() * (recordings / (recordings - 1)) ** 0.5
    low, high = (value - half, value + half) if samples is None else _exact_ends(value * samples, samples)
    if samples is not None and 0 < value < 1:
        ends = expit(logit(value) + np.array([-half, half]) / (value * (1 - value)))
        low, high = min(low, ends[0]), max(high, ends[1])
    return _found(value, low, high, "bootstrap", dropped)


def _found(value, low=None, high=None, kind=None, dropped=0.0, reason=None):
    value, low, high = (None if number is None else float(number) for number in (value, low, high))
    return {"value": value, "low": low, "high": high, "kind": kind, "dropped": float(dropped), "reason": reason}


def bootstrap(metrics, sums, seed=0, draws=DRAWS):
    """Return a dict of score → `Draws`: what `metrics` returns (floats or None) for sums over the recordings drawn.

    `sums` has a row for each recording (index: its name); `metrics` takes its columns by name.
    """
    ordered = sums.sort_index()  # so that the same recordings are drawn for every table with these recordings
    seizure = ordered.filter(["tp", "fn", "seizures"])
    holds = (seizure.sum(axis=1) > 0).to_numpy() | seizure.columns.empty
    totals = resample(holds, seed, draws) @ ordered.to_numpy(float)
    rows = [metrics(**dict(zip(sums.columns, row, strict=True))) for row in totals.tolist()]
    estimates, total, n = pd.DataFrame(rows, dtype=float), sums.sum().to_dict(), int(holds.sum())
    values = metrics(**total).items()
    return {name: Draws(value, estimates[name].to_numpy(), n, _samples(name, total)) for name, value in values}


def _samples(name, total):
    """Return how many independent samples a score rests on, from the sums of all recordings, or None if of none."""
    if "tp" not in total:
        return total["n"] / SHARED if name in ("brier", "ece") else None
    seizure, n = total["tp"] + total["fn"], sum(total.values())
    return {"specificity": n - seizure, "accuracy": n, "weighted_f1": n}.get(name, seizure) / SHARED


def score_intervals(metrics, sums, seed=0, draws=DRAWS):
    """Return a dict of score → interval; arguments as for `bootstrap`."""
    return {name: interval(*found) for name, found in bootstrap(metrics, sums, seed, draws).items()}


def difference(first, second):
    """Return the interval of one score minus another, both `Draws` of one seed and the same recordings."""
    value = None if None in (first.value, second.value) else first.value - second.value
    estimates = first.estimates - second.estimates
    if value == 0 and not np.nan_to_num(estimates).any():
        return _found(0.0, reason="both score alike in all draws, so that nothing says how far apart they are")
    return interval(value, estimates, min(first.recordings, second.recordings))


def threshold_counts(table, column="p_seizure"):
    """Return true and false positives of ``recording``, ``label`` and a score, float [2, recording, threshold].

    Recordings are sorted by name, thresholds (values of the score, `column`) fall. Neighbouring values that no seizure
    sample has are one: `areas` needs no more, and with a hundred samples of other EEG for one of seizure they are many.
    """
    names, row = np.unique(table[scores.unit(table)].to_numpy(str), return_inverse=True)
    thresholds, place = np.unique(-table[column].to_numpy(float), return_inverse=True)
    seizure = np.isin(np.arange(len(thresholds)), place[table["label"].to_numpy() == 1])
    step = np.cumsum(seizure | np.concatenate([[True], seizure[:-1]])) - 1
    counts = np.zeros((2, len(names), step[-1] + 1))
    np.add.at(counts, (1 - table["label"].to_numpy(int), row, step[place]), 1)
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


def bootstrap_ranking(table, column="p_seizure", seed=0, draws=DRAWS):
    """Return ``auroc`` and ``auprc`` as `bootstrap` does; `table` as for `threshold_counts`.

    AUROC varies no more than a share of the rarer class's samples (Birnbaum & Klose, Ann. Math. Stat. 28:933, 1957).
    """
    counts = threshold_counts(table, column)
    holds = counts[0, :, -1] > 0
    weights = resample(holds, seed, draws).astype(float)
    parts = np.array_split(weights, -(-len(weights) * counts.shape[2] // CHUNK))
    estimates = np.concatenate([areas(*(part @ counts)) for part in parts], axis=1)
    pair, n, seizure = (table["label"], table[column]), int(holds.sum()), int(table["label"].sum())
    auroc = Draws(scores.auroc(*pair), estimates[0], n, seizure)
    return {"auroc": auroc, "auprc": Draws(scores.auprc(*pair), estimates[1], n, seizure / SHARED)}


def ranking_intervals(table, column="p_seizure", seed=0, draws=DRAWS):
    """Return the intervals of ``auroc`` and ``auprc``; `table` as for `threshold_counts`."""
    return {name: interval(*found) for name, found in bootstrap_ranking(table, column, seed, draws).items()}


def median_latency(table):
    """Return the exact interval of the median latency of the seizures found, in s; `table`: `scores.latencies`.

    Missed seizures are left out: read it beside the sensitivity.
    """
    latency = table["latency_s"].dropna().to_numpy()
    if not len(latency):
        return _found(None, reason="no seizure was found")
    value, ends = np.median(latency), quantile_test(latency, p=0.5).confidence_interval(LEVEL)
    if np.isfinite(ends).all():
        return _found(value, *ends, "exact")
    reason = f"seizures found: {len(latency)}; an interval needs 6, so the ends are the lowest and highest latency"
    return _found(value, latency.min(), latency.max(), "range", reason=reason)


def _exact_ends(k, n, level=LEVEL):
    """Return the ends of k of n (Clopper & Pearson, Biometrika 26:404, 1934), which need not be whole."""
    tail = (1 - level) / 2
    return beta.ppf(tail, k, n - k + 1) if k else 0.0, beta.ppf(1 - tail, k + 1, n - k) if k < n else 1.0


def exact_share(k, n, level=LEVEL):
    """Return the interval of k of n independent ones."""
    return _found(k / n, *_exact_ends(k, n, level), "exact") if n else _found(None, reason="there is none to count")


def exact_rate(count, hours, per=24, level=LEVEL):
    """Return the interval of a count in so many hours as a rate per 24 hours (Garwood, Biometrika 28:437, 1936)."""
    tail, unit = (1 - level) / 2, per / hours
    low, high = chi2.ppf([tail, 1 - tail], [2 * count, 2 * count + 2]) / 2 * unit
    return _found(count * unit, low if count else 0.0, high, "exact")


def auroc_of_few(label, score):
    """Return the interval of the AUROC of few independent ones: Newcombe's method 5 (Stat. Med. 25:559, 2006)."""
    value, (m, n) = scores.auroc(label, score), np.bincount(np.asarray(label, int), minlength=2)
    if value is None:
        return _found(None, reason="there is one class alone")

    def beyond(true):
        spread = (1 - true) / (2 - true) + true / (1 + true)
        variance = true * (1 - true) * (1 + ((m + n) / 2 - 1) * spread) / (m * n)
        return (value - true) ** 2 - norm.ppf((1 + LEVEL) / 2) ** 2 * variance

    tiny = 1e-9  # as at 0 and 1 the value itself is a root
    low = brentq(beyond, 0, value - tiny) if value > tiny else 0.0
    return _found(value, low, brentq(beyond, value + tiny, 1) if value < 1 - tiny else 1.0, "normal")


def rank_correlation(first, second):
    """Return the interval of Spearman's correlation of independent pairs (Bonett & Wright, Psychometrika 65, 2000)."""
    if len(first) < 4 or min(len(np.unique(first)), len(np.unique(second))) < 2:
        return _found(None, reason="there are less than four pairs, or one side is always the same")
    value = spearmanr(first, second).statistic
    if abs(value) > 1 - 1e-9:
        return _found(value, reason="all pairs are in one order")
    half = norm.ppf((1 + LEVEL) / 2) * ((1 + value**2 / 2) / (len(first) - 3)) ** 0.5
    return _found(value, *np.tanh(np.arctanh(value) + [-half, half]), "normal")


def event_intervals(seizures, detected, false_alarms, hours):
    """Return the exact intervals of `scores.event_rates`.

    F1 and precision rise with the share of seizures detected and fall with the false alarms. Either lies within its
    ends at 97.5 %, so both do at 95 % or more (Bonferroni), and the score then lies between what the two worst and the
    two best ends give.
    """
    rates, part = scores.event_rates(seizures, detected, false_alarms, hours), (1 + LEVEL) / 2
    found = {"sensitivity": exact_share(detected, seizures), "fp_per_24h": exact_rate(false_alarms, hours)}
    share, alarms = exact_share(detected, seizures, part), exact_rate(false_alarms, hours, hours, part)
    for name in ("precision", "f1"):
        if not seizures or rates[name] is None:
            found[name] = _found(rates[name], reason=f"there is no {'alarm' if seizures else 'seizure'}")
            continue
        corners = (share["low"], alarms["high"]), (share["high"], alarms["low"])
        ends = [scores.event_rates(seizures, one * seizures, other, hours)[name] for one, other in corners]
        found[name] = _found(rates[name], *ends, "exact")
    return {name: found[name] for name in rates}
