"""Calibration: from log-odds to the probability that is shown, and its error."""

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from helpers.evaluate import scores

BINS = 10
FLATTEST = 0.1  # slope: no probability falls where log-odds rise


def bin_numbers(p):
    """Return each probability's bin, int [n]: at most `BINS` of equal mass; equal probabilities stay in one bin."""
    edges = np.unique(np.quantile(np.asarray(p, float), np.arange(1, BINS) / BINS))
    return np.searchsorted(edges, p, side="right")


def reliability(label, p):
    """Return ``p_mean``, ``seizure_share`` and ``count`` of each bin, rising."""
    table = pd.DataFrame({"bin": bin_numbers(p), "p": np.asarray(p), "label": np.asarray(label)})
    columns = {"p_mean": ("p", "mean"), "seizure_share": ("label", "mean"), "count": ("p", "size")}
    return table.groupby("bin").agg(**columns).reset_index(drop=True)


def error_sums(table):
    """Return ``n``, ``seizure``, ``squared`` errors and each bin's ``gap0``, ``gap1``, … (p − label), by recording.

    The bins are those of all recordings together, the same in every draw.
    """
    p, label = table["p_seizure"].to_numpy(float), table["label"].to_numpy()
    where, gap = bin_numbers(p), p - label
    parts = {f"gap{number}": np.where(where == number, gap, 0.0) for number in range(where.max() + 1)}
    terms = pd.DataFrame({"n": 1, "seizure": label, "squared": gap**2, **parts})
    return terms.groupby(table[scores.unit(table)].to_numpy(str)).sum()


def error_rates(n, seizure, squared, **gaps):
    """Return ``brier``, ``brier_skill`` and ``ece`` from `error_sums`.

    The skill is 1 − Brier score / that of always answering the share of seizure (Murphy, J. Appl. Meteorol. 12:595,
    1973): 0 for what knows no more than that. ``ece``, the expected calibration error (Naeini et al., AAAI 2015), is Σ
    count/n · |share of seizure − mean p| over the bins: noise alone raises it above 0.
    """
    always = seizure * (n - seizure) / n  # squared errors of the share
    return {
        "brier": scores.ratio(squared, n),
        "brier_skill": 1 - squared / always if always else None,
        "ece": scores.ratio(sum(map(abs, gaps.values())), n),
    }


def fit(log_odds, label):
    """Fit ``slope`` and ``intercept`` of the log-odds on inner samples of both classes (Platt 1999).

    Networks train on batches half of them seizure: the intercept holds the share of seizure, the slope how sure a mean
    of networks is. It is for display alone: nothing is decided by it.
    """
    with threadpool_limits(1):  # which wait for each other far longer than two parameters take
        model = LogisticRegression().fit(np.asarray(log_odds, float)[:, None], label)
    fitted = float(model.coef_[0, 0])
    slope = max(fitted, FLATTEST)
    intercept = float(model.intercept_[0]) + (fitted - slope) * float(np.mean(log_odds))  # flatter, but as high
    return {"slope": slope, "intercept": intercept}


def calibrate(log_odds, settings):
    """Return probabilities for log-odds, with what `fit` returned. Their order does not change."""
    return expit(settings["slope"] * log_odds + settings["intercept"])
