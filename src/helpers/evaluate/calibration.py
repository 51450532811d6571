"""Calibration: its error, and its correction by temperature and prior."""

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from helpers.evaluate import intervals, scores

BINS = 10
FEWEST = 3  # blocks, to leave each out in turn
COLDEST, HOTTEST = 0.1, 10.0


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
    """Return ``n``, ``squared`` errors and each bin's ``gap0``, ``gap1``, … (p − label), summed by recording.

    The bins are those of all recordings together, the same in every draw.
    """
    p = table["p_seizure"].to_numpy(float)
    where, gap = bin_numbers(p), p - table["label"].to_numpy()
    parts = {f"gap{number}": np.where(where == number, gap, 0.0) for number in range(where.max() + 1)}
    terms = pd.DataFrame({"n": 1, "squared": gap**2, **parts})
    return terms.groupby(table["recording"].to_numpy(str)).sum()


def error_rates(n, squared, **gaps):
    """Return the Brier score and the expected calibration error, ``ece`` (Naeini et al., AAAI 2015), from `error_sums`.

    ``ece`` is Σ count/n · |share of seizure − mean p| over the bins: noise alone raises it above 0.
    """
    return {"brier": scores.ratio(squared, n), "ece": scores.ratio(sum(map(abs, gaps.values())), n)}


def error_intervals(table, seed=0, draws=intervals.DRAWS):
    """Return ``brier`` and ``ece`` of ``recording``, ``label`` and ``p_seizure``, as `intervals.interval` does."""
    return intervals.score_intervals(error_rates, error_sums(table), seed, draws)


def log_loss(log_odds, label):
    """Return the mean negative log-likelihood, in nats, of labels under log-odds."""
    return float(np.mean(np.logaddexp(0, np.where(np.asarray(label) == 1, -log_odds, log_odds))))


def fit_temperature(log_odds, label, shift):
    """Return the T within 0.1–10 whose log-odds/T + `shift` are the likeliest (Guo et al., ICML 2017).

    The likelihood is log-concave in 1/T, so that the bounded search finds its one maximum.
    """

    def loss(log_t):
        return log_loss(log_odds / np.exp(log_t) + shift, label)

    bounds = (np.log(COLDEST), np.log(HOTTEST))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x))


def fit(log_odds, label, block):
    """Fit share of seizure and temperature on a fold's inner samples, of both classes.

    `block` [n] is what is left out together, such as a recording: samples of one resemble each other.

    Returns
    -------
    dict
        ``temperature`` (1 if off); ``prior``, the share of seizure, whose log-odds are added to the log-odds over T, as
        networks train on batches half of them seizure (Saerens et al., Neural Comput. 14:21, 2002); ``loss_before``
        and ``loss_after``, of blocks left out, None if not tried; ``reason``: why T is off, else None.

    Notes
    -----
    Off unless the 95 % interval of the mean gain over blocks left out lies above 0: on less evidence it made held-out
    probabilities worse, on simulated patients, as it is fitted on single networks and used on their mean. Off, too,
    where T ends at a bound: the classes are then so well apart, or mixed, that nothing says how sure to be.
    """
    z, label, block = np.asarray(log_odds, float), np.asarray(label), np.asarray(block)
    settings = {"temperature": 1.0, "prior": float(label.mean()), "loss_before": None, "loss_after": None}
    names, shift = np.unique(block), logit(settings["prior"])
    if len(names) < FEWEST:
        return settings | {"reason": f"there are {len(names)} blocks to leave out; a temperature needs {FEWEST}"}
    losses = []
    for name in names:
        out = block == name
        fitted = fit_temperature(z[~out], label[~out], shift)
        losses.append([log_loss(z[out] / t + shift, label[out]) for t in (1.0, fitted)])
    before, after = np.transpose(losses)
    settings |= {"loss_before": float(before.mean()), "loss_after": float(after.mean())}
    best = fit_temperature(z, label, shift)
    if not COLDEST * 1.01 < best < HOTTEST / 1.01:
        return settings | {"reason": f"the likeliest temperature is at the bound of {COLDEST:g}–{HOTTEST:g}"}
    if (before - after).mean() <= intervals.half_width(before - after):
        return settings | {"reason": "it does not surely lower the loss of blocks left out (95 % interval)"}
    return settings | {"temperature": best, "reason": None}


def calibrate(log_odds, settings):
    """Return probabilities for log-odds, with what `fit` returned. Their order does not change."""
    return expit(log_odds / settings["temperature"] + logit(settings["prior"]))


def without_temperature(table, choices):
    """Return decisions (see `decisions.decide`) with the probabilities of T = 1, to see what the temperature did."""
    fitted = {choice["fold"]: choice["calibration"] | {"temperature": 1.0} for choice in choices}
    parts = [calibrate(part["log_odds"], fitted[fold]) for fold, part in table.groupby("fold")]
    return table.assign(p_seizure=pd.concat(parts).loc[table.index])
