"""Intervals: how far a score would move with other recordings of the same patient; percentile bootstrap and Wilson.

Samples of one recording resemble each other, so whole recordings are drawn, with replacement (Efron & Tibshirani, An
Introduction to the Bootstrap, 1993, chapters 8 and 13). All scores are functions of sums over recordings, so a draw
costs a sum. The same seed and number of recordings give the same draws: two detectors, or seeds of one, are compared
draw by draw.

With five to ten recordings such intervals are too narrow more often than 5 % promises, and where every recording scores
alike they have no width: for a count of seizures read `wilson`.
"""

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from scipy.stats import t as student

from helpers.study.errors import RecordingError

LEVEL = 0.95
DRAWS = 2000
FEWEST = 3  # recordings; two have only three different draws


def resampled(recordings, seed=0, draws=DRAWS):
    """Return how often each recording is drawn, int [draw, recording]: each row sums to the number of recordings."""
    if recordings < 1 or draws < 1:
        raise RecordingError(f"{recordings} recordings cannot be drawn {draws} times. Give at least one of each.")
    return np.random.default_rng(seed).multinomial(recordings, np.full(recordings, 1 / recordings), draws)


def interval(value, estimates, recordings):
    """Return a score with its 95 % interval by the percentiles of its draws.

    Parameters
    ----------
    value : float or None
        The score itself, of all recordings.
    estimates : float [draw]
        The score of each draw, NaN where undefined: those are left out, and their share is stated.
    recordings : int
        Recordings that were drawn from.

    Returns
    -------
    dict
        ``value``, ``low``, ``high``, ``dropped`` (share of draws in which the score is undefined) and ``reason``: why
        there is no interval, else None.
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
        found["low"], found["high"] = map(float, np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    return found | {"dropped": float(dropped), "reason": reason}


def drawn(metrics, sums, seed=0, draws=DRAWS):
    """Return the scores of each draw of recordings.

    Parameters
    ----------
    metrics : callable
        Takes the columns of `sums` by name, each a float, and returns a dict of score → float or None.
    sums : pandas.DataFrame
        One row a recording (index: its name), one column a count or sum.
    seed, draws : int

    Returns
    -------
    pandas.DataFrame [draw, score], NaN where undefined
    """
    ordered = sums.sort_index()  # so that the same recordings are drawn for every table with these recordings
    totals = resampled(len(ordered), seed, draws) @ ordered.to_numpy(float)
    return pd.DataFrame([metrics(**dict(zip(sums.columns, row, strict=True))) for row in totals.tolist()], dtype=float)


def over_recordings(metrics, sums, seed=0, draws=DRAWS):
    """Return each score with its interval: a dict of score → what `interval` returns. Arguments as for `drawn`."""
    values, estimates = metrics(**sums.sum().to_dict()), drawn(metrics, sums, seed, draws)
    return {name: interval(value, estimates[name], len(sums)) for name, value in values.items()}


def difference(value, other, estimates, others, recordings):
    """Return how much higher `value` is than `other`, with its interval over the same draws (see `interval`).

    `estimates` and `others` must come from one seed and the same recordings. An interval above 0 says that the
    first is ahead whichever of these recordings are drawn.
    """
    gap = None if value is None or other is None else value - other
    return interval(gap, np.asarray(estimates, float) - np.asarray(others, float), recordings)


def half_width(values):
    """Return half the 95 % interval of the mean of `values`, float [n ≥ 2], by Student's t: of seeds, or of splits."""
    return float(student.ppf((1 + LEVEL) / 2, len(values) - 1) * standard_error(values))


def standard_error(values):
    """Return the standard error of the mean of `values`, float [n ≥ 2]."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def wilson(successes, trials):
    """Return a proportion with Wilson's 95 % score interval (J. Am. Stat. Assoc. 22:209, 1927), as `interval` does.

    Raises
    ------
    RecordingError
        If there are more successes than trials, or fewer than none.
    """
    if not 0 <= successes <= trials:
        raise RecordingError(f"{successes} of {trials} is no proportion. Give counts with 0 ≤ successes ≤ trials.")
    if trials == 0:
        return {"value": None, "low": None, "high": None, "dropped": 0.0, "reason": "there is none to count"}
    bounds = binomtest(int(successes), int(trials)).proportion_ci(LEVEL, method="wilson")
    value = float(successes / trials)
    return {"value": value, "low": float(bounds.low), "high": float(bounds.high), "dropped": 0.0, "reason": None}
