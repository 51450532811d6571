"""Leakage: the network's scores under the reference's protocol beside those by recording, and the gap between them."""

from functools import partial

import numpy as np
import pandas as pd

from helpers.evaluate import detections, intervals, postprocessing, ranking, scores
from helpers.train import audit

RATES = ("accuracy", "sensitivity", "specificity", "f1")
GAPS = ("auroc", "f1", "accuracy")
RANDOM, BY_RECORDING, WEIGHTED = "random split", "by recording", "by recording, weighted as the random split"
AUDITED = (
    "Random split: mean over splits, 95 % interval of that mean by Student's t; epoch and threshold are chosen on the "
    "test samples, as in the reference study. By recording: 95 % intervals by bootstrap over recordings. Weighted: the "
    "recordings with a seizure, at the share of seizure that the random split tests on. The gap is random split minus "
    "weighted: what the protocol alone adds."
)


def audited(ours, tested, training, durations_s, seed=0, draws=intervals.DRAWS):
    """Return the leakage audit: scores under the reference's protocol and by recording, and the gap between them.

    Parameters
    ----------
    ours : pandas.DataFrame
        From `decisions.decide`.
    tested : pandas.DataFrame
        From `random_split.run`, of all splits.
    training : dict
        ``training.json``: its ``folds`` and, by name, the recordings that its ``networks`` were trained on.
    durations_s : dict of str → float

    Returns
    -------
    dict
        ``rows``: ``protocol``, ``n_test`` (samples tested, of all splits together), ``shared_eeg`` (those that share
        EEG with training) and its ``share``, ``accuracy``, ``sensitivity``, ``specificity``, ``f1``, ``auroc``.
        ``gap`` in ``auroc``, ``f1`` and ``accuracy``; ``splits``, their number; ``note``.

    Raises
    ------
    AssertionError
        If a recording of ours was tested by a network that was trained on it.
    """
    shared = check_out_of_fold(ours, training, durations_s)
    with_seizure = ours[ours["recording"].isin(ours.loc[ours["label"] == 1, "recording"])]
    splits, leaks = split_scores(tested), int(tested["shared_eeg"].sum())
    ratio = (tested["label"] == 0).sum() / (tested["label"] == 1).sum()
    values, estimates = _by_recording(with_seizure, partial(_rates, ratio), seed, draws)
    count = with_seizure["recording"].nunique()
    weighted = {name: intervals.interval(value, estimates[name], count) for name, value in values.items()}
    plain, estimated = _by_recording(ours, partial(_rates, None), seed, draws)
    unweighted = {name: intervals.interval(value, estimated[name], len(durations_s)) for name, value in plain.items()}
    rows = [
        _row(RANDOM, len(tested), leaks, {name: over_splits(splits[name]) for name in splits}),
        _row(BY_RECORDING, len(ours), shared, unweighted),
        _row(WEIGHTED, len(with_seizure), shared, weighted),
    ]
    gap = {name: _gap(splits[name], values[name], estimates[name], count, seed) for name in GAPS}
    return {"rows": rows, "gap": gap, "splits": len(splits), "note": AUDITED}


def check_out_of_fold(ours, training, durations_s):
    """Return how many samples share EEG with training: none, or AssertionError is raised; arguments as for `audited`.

    A recording that a network was trained on counts as seen from its first second to its last.
    """
    shared = 0
    for fold in training["folds"]:
        names = sorted({name for network in fold["networks"] for name in training["networks"][network]})
        seen = pd.DataFrame({"recording": names, "start_s": 0.0, "end_s": [durations_s[name] for name in names]})
        mine = ours[ours["fold"] == fold["fold"]]
        audit.check_apart(seen, mine)
        shared += int(audit.shared_eeg(seen, mine).sum())
    return shared


def split_scores(tested):
    """Return the scores of each random split, with the threshold that has the highest F1 on its own test samples."""
    rows = []
    for _, part in tested.groupby("seed"):
        made = part["p_seizure"] >= postprocessing.best_threshold(part["label"], part["p_seizure"])
        found = scores.sample_scores(*scores.confusion(part["label"], made.astype(int)))
        rows.append({name: found[name] for name in RATES} | {"auroc": ranking.auroc(part["label"], part["p_seizure"])})
    return pd.DataFrame(rows, dtype=float)


def over_splits(values):
    """Return the mean over splits with its 95 % interval by Student's t, within 0 and 1; keys as `intervals.interval`.

    It says how far chance in drawing and training moves the mean, not how another patient would.
    """
    found = {"value": float(np.mean(values)), "low": None, "high": None, "dropped": 0.0, "reason": None}
    if len(values) < 2:
        return found | {"reason": "there is one split; an interval over splits needs 2"}
    half = intervals.half_width(values)
    return found | {"low": float(max(0, found["value"] - half)), "high": float(min(1, found["value"] + half))}


def _rates(negatives_per_seizure, **counts):
    """Return `RATES` from summed counts, weighted to so many non-seizure samples for each seizure sample, if given."""
    counts = [counts[name] for name in ("tp", "fn", "fp", "tn")]
    if negatives_per_seizure is not None:
        counts = scores.at_prevalence(negatives_per_seizure, *counts)
    return {name: value for name, value in scores.sample_scores(*counts).items() if name in RATES}


def _by_recording(table, rates, seed, draws):
    """Return the scores of an audit's row, and those of each draw of recordings."""
    counts = detections.sample_counts(table)
    values = rates(**counts.sum().to_dict()) | {"auroc": ranking.auroc(table["label"], table["p_seizure"])}
    estimates = intervals.drawn(rates, counts, seed, draws)
    return values, estimates.assign(auroc=ranking.drawn(table, seed, draws)["auroc"])


def _row(protocol, n_test, shared, found):
    return {
        "protocol": protocol, "n_test": n_test, "shared_eeg": shared, "share": scores.ratio(shared, n_test),
        **{name: found[name] for name in (*RATES, "auroc")},
    }  # fmt: skip


def _gap(splits, value, estimates, recordings, seed):
    """Return the mean over splits minus `value`: draws of the mean by Student's t against draws of recordings."""
    mean, n = float(splits.mean()), len(splits)
    if n < 2:
        return over_splits(splits) | {"value": None if value is None else mean - value}
    # Another stream than the recordings' draws: the two are independent.
    chance = np.random.default_rng([seed, 1]).standard_t(n - 1, len(estimates)) * intervals.standard_error(splits)
    return intervals.difference(mean, value, mean + chance, estimates, recordings)
