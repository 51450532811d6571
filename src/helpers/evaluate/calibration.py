"""Calibration: whether a probability of 0.8 is right eight times in ten; measured, and mended by one temperature."""

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from helpers.evaluate import intervals, scores
from helpers.evaluate.ranking import checked
from helpers.study.errors import RecordingError

BINS = 10
BLOCKS = 5
FEWEST = 3  # recordings, to leave each out in turn
COLDEST, HOTTEST = 0.1, 10.0
SMALLEST = 1e-12  # a probability of 0 or 1 would have infinite log-odds


def log_odds(p):
    """Return the log-odds of probabilities; nearer than 1e-12 to 0 or 1 they count as that near."""
    return logit(np.clip(np.asarray(p, float), SMALLEST, 1 - SMALLEST))


def edges(p, bins=BINS):
    """Return the inner edges of at most `bins` bins of equal mass: quantiles of `p`, equal ones once."""
    return np.unique(np.quantile(np.asarray(p, float), np.arange(1, bins) / bins))


def reliability(label, p, bins=BINS):
    """Return the reliability table.

    Returns
    -------
    pandas.DataFrame
        ``p_mean``, ``seizure_share`` and ``count`` of each bin of equal mass, rising; equal probabilities stay in one
        bin, so that bins may be fewer or unequal.
    """
    label, p = checked(label, p)
    if not len(p):
        return pd.DataFrame({"p_mean": [], "seizure_share": [], "count": np.array([], int)})
    table = pd.DataFrame({"bin": np.searchsorted(edges(p, bins), p, side="right"), "p": p, "label": label})
    columns = {"p_mean": ("p", "mean"), "seizure_share": ("label", "mean"), "count": ("p", "size")}
    return table.groupby("bin").agg(**columns).reset_index(drop=True)


def sums(table, bins=BINS):
    """Return what each recording adds to the Brier score and to each bin's gap, for `intervals.over_recordings`.

    The bins are those of all recordings together, the same in every draw.

    Returns
    -------
    pandas.DataFrame
        Index: recording. ``n``, ``squared`` (sum of squared errors), and ``gap0``, ``gap1``, … (sum of p − label).
    """
    label, p = checked(table["label"], table["p_seizure"])
    if not len(p):
        raise RecordingError("There is no sample, so no calibration to measure.")
    where, gap = np.searchsorted(edges(p, bins), p, side="right"), p - label
    parts = {f"gap{number}": np.where(where == number, gap, 0.0) for number in range(where.max() + 1)}
    terms = pd.DataFrame({"n": 1, "squared": gap**2, **parts})
    return terms.groupby(table["recording"].to_numpy(str)).sum()


def rates(n, squared, **gaps):
    """Return ``brier`` (mean squared error; Brier, Mon. Weather Rev. 78:1, 1950) and ``ece`` from the sums.

    ``ece`` is the expected calibration error, Σ count/n · |share of seizure − mean p| over the bins (Naeini et al.,
    AAAI 2015). It is never negative, so that noise alone raises it: with few samples a perfect p has one above 0.
    """
    return {"brier": scores.ratio(squared, n), "ece": scores.ratio(sum(map(abs, gaps.values())), n)}


def over_recordings(table, bins=BINS, seed=0, draws=intervals.DRAWS):
    """Return ``brier`` and ``ece`` with intervals by bootstrap over recordings; `table` as for `ranking.tallies`."""
    return intervals.over_recordings(rates, sums(table, bins), seed, draws)


def loss(log_odds, label):
    """Return the mean negative log-likelihood, in nats, of labels under log-odds."""
    return float(np.mean(np.logaddexp(0, np.where(np.asarray(label) == 1, -log_odds, log_odds))))


def temperature(log_odds, label, shift=0.0):
    """Return the T within 0.1–10 whose log-odds/T + `shift` are the likeliest (Guo et al., ICML 2017).

    The likelihood is log-concave in 1/T, so that the bounded search finds its one top.
    """
    found = minimize_scalar(
        lambda log_t: loss(log_odds / np.exp(log_t) + shift, label),
        bounds=(np.log(COLDEST), np.log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(found.x))


def fit(log_odds, label, prior=None, block=None):
    """Fit one temperature on the inner recordings, or leave it off.

    Parameters
    ----------
    log_odds : float [n]
        Of networks trained on batches half of them seizure. Recording by recording, in order of time.
    label : int [n]
    prior : float or None
        Share of seizure to be expected. With it, log(prior / (1 − prior)) is added to the
        log-odds over T: what batches of one half took away (Saerens et al., Neural Comput. 14:21, 2002; King & Zeng,
        Political Analysis 9:137, 2001). T itself is fitted with the inner recordings' own share in its place, as
        T must not make up for recordings with more or less seizure than others. None: no shift in either.
    block : array [n], optional
        What is left out together, such as a recording: samples of one resemble each other. With fewer than three
        blocks, or None, stretches of time are left out.

    Returns
    -------
    dict
        ``temperature`` (1 if off), ``prior``, ``loss_before`` and ``loss_after`` (negative log-likelihood of blocks
        left out, None if not tried) and ``reason``: why it is off, else None.

    Raises
    ------
    RecordingError
        If `prior` is not between 0 and 1, or log-odds and labels do not fit each other.

    Notes
    -----
    Off unless it surely lowers the loss of the blocks left out of its fit: the 95 % interval of the mean gain over the
    blocks lies above 0. A fold's temperature is fitted on single networks and used on their mean, which is less sure
    of itself already; on less evidence it made held-out probabilities worse, on patients simulated to find that out.
    Without recordings enough, each of five blocks holds one stretch of the seizure samples and one of the others: a
    plain stretch of time would leave no seizure to fit on. Off, too, where T ends at a bound: the classes are then so
    well apart (or mixed) that the recordings do not say how sure to be.
    """
    label, z = _checked(log_odds, label, prior)
    settings = {"temperature": 1.0, "prior": prior, "loss_before": None, "loss_after": None}
    names, own = np.unique([] if block is None else np.asarray(block), return_inverse=True)
    blocks = min(BLOCKS, int(label.sum()), int((1 - label).sum()))
    if blocks < 2:
        few = f"{int(label.sum())} seizure and {int((1 - label).sum())} other samples"
        return settings | {"reason": f"the inner recordings have {few}; each class needs two"}
    shift = 0.0 if prior is None else float(logit(label.mean()))
    losses = _left_out(z, label, shift, own if len(names) >= FEWEST else _blocks(label, blocks))
    settings |= {"loss_before": float(losses[:, 0].mean()), "loss_after": float(losses[:, 1].mean())}
    gain, best = losses[:, 0] - losses[:, 1], temperature(z, label, shift)
    if not COLDEST * 1.01 < best < HOTTEST / 1.01:
        return settings | {"reason": f"the likeliest temperature is at the bound of {COLDEST:g}–{HOTTEST:g}"}
    if gain.mean() <= intervals.half_width(gain):
        return settings | {"reason": "it does not surely lower the loss of blocks left out (95 % interval)"}
    return settings | {"temperature": best, "reason": None}


def apply(log_odds, settings):
    """Return calibrated probabilities for log-odds, with what `fit` returned. Their order does not change.

    A threshold is carried over in the same way: ``apply(log_odds(threshold), settings)`` decides as before.
    """
    prior = settings["prior"]
    return expit(log_odds / settings["temperature"] + (0.0 if prior is None else logit(prior)))


def without(table, choices):
    """Return decisions (see `decisions.decide`) with the probabilities of T = 1, to see what the temperature did."""
    fitted = {choice["fold"]: choice["calibration"] | {"temperature": 1.0} for choice in choices}
    parts = [apply(part["log_odds"], fitted[fold]) for fold, part in table.groupby("fold")]
    return table.assign(p_seizure=pd.concat(parts).loc[table.index])


def _checked(log_odds, label, prior):
    label, z = np.asarray(label), np.asarray(log_odds, float)
    if label.shape != z.shape or not set(np.unique(label)) <= {0, 1} or not np.isfinite(z).all():
        raise RecordingError(f"Labels {label.shape} must be 0 or 1, and log-odds {z.shape} as many, all finite.")
    if prior is not None and not 0 < prior < 1:
        raise RecordingError(f"The prior is {prior}; it must be between 0 and 1: a share of seizure.")
    return label.astype(int), z


def _blocks(label, blocks):
    """Return each sample's block, int [n]: each class is cut into equal stretches of time."""
    block = np.zeros(len(label), int)
    for value in (0, 1):
        rows = np.flatnonzero(label == value)
        block[rows] = np.arange(len(rows)) * blocks // len(rows)
    return block


def _left_out(z, label, shift, block):
    """Return each block's loss with T = 1 and with T fitted on the others, float [block, 2]."""
    rows = []
    for number in range(block.max() + 1):
        out = block == number
        fitted = temperature(z[~out], label[~out], shift)
        rows.append([loss(z[out] / t + shift, label[out]) for t in (1.0, fitted)])
    return np.array(rows)
