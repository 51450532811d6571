"""Comparison: the network against other detectors on the same samples, and against the reference study's protocol.

Detectors are scored on the same draws of recordings, so that a difference has an interval of its own, in which what
makes a recording hard for both cancels.
"""

import numpy as np
import pandas as pd

from helpers.evaluate import decisions, intervals, scores

OURS = "ours"
METHODS = {
    OURS: "this network",
    "logistic": "logistic regression",
    "forest": "random forest",
    "eegnet": "EEGNet",
    "shallow": "ShallowFBCSPNet",
    "deep4": "Deep4Net",
    "efficientnet": "EfficientNet-B0 and LSTM (the reference's)",
}
AHEAD = ("auprc", "auprc_smoothed", "event_f1")  # in which a baseline is held against ours
COMPARED = (
    "Same folds, members, calibration, thresholds and post-processing for all. Intervals are 95 %, by bootstrap over "
    "recordings; a difference (ours minus the other) is taken draw by draw."
)
RATES = ("accuracy", "sensitivity", "specificity", "f1")
GAPS = ("auroc", "f1", "accuracy")
RANDOM, BY_RECORDING, WEIGHTED = "random split", "by recording", "by recording, weighted as the random split"
AUDITED = (
    "Random split: mean over splits, 95 % interval of that mean by Student's t; epoch and threshold are chosen on the "
    "test samples, as in the reference study. By recording: 95 % intervals by bootstrap over recordings. Weighted: the "
    "recordings with a seizure, at the share of seizure that the random split tests on. The gap is random split minus "
    "weighted: what the protocol alone adds."
)


def score_detector(table, annotations, seed=0, draws=intervals.DRAWS):
    """Return a detector's scores with their draws, as `intervals.bootstrap` does, from `decisions.decide`."""
    options = {"seed": seed, "draws": draws}
    ranking, smoothed = (intervals.bootstrap_ranking(table, name, **options) for name in ("p_seizure", "p_smooth"))
    samples = intervals.bootstrap(scores.sample_rates, scores.sample_counts(table), **options)
    counts = scores.event_counts(scores.events(table), annotations)
    return {
        "auprc": ranking["auprc"],
        "auprc_smoothed": smoothed["auprc"],
        "auroc": ranking["auroc"],
        "sample_f1": samples["f1"],
        "event_f1": intervals.bootstrap(scores.event_rates, counts, **options)["f1"],
    }


def compare(ours, others, annotations, seed=0, draws=intervals.DRAWS):
    """Return the scores of all detectors, and how far ours is ahead of each, as ``comparison.json`` has them.

    `ours` is from `decisions.decide`; `others` are the same tables of other detectors, by name. Each of the ``rows``,
    ours first, has the scores of `score_detector`, and ``ahead_…`` for each of `AHEAD`: ours minus it, or None.

    Raises
    ------
    ValueError
        If detectors were not tested on the same samples, or recordings are missing.
    """
    keys = ["recording", "end_s", "label", "fold"]
    for method, table in others.items():
        one, other = (part[keys].sort_values(keys).to_numpy() for part in (ours, table))
        if not np.array_equal(one, other):
            raise ValueError(f"{method} was not tested on the same {len(ours)} samples in the same folds as ours.")
    tested, count = set(ours["recording"]), len(annotations.durations_s)
    if tested != set(annotations.durations_s):
        raise ValueError(f"{len(tested)} recordings were tested, {count} have a duration.")
    rows, reference = [], None
    for method, table in {OURS: ours, **others}.items():
        found = score_detector(table, annotations, seed, draws)
        reference = reference or found
        row = {"method": method, "name": METHODS.get(method, method)}
        row |= {name: intervals.interval(*pair, count) for name, pair in found.items()}
        ahead = {f"ahead_{name}": intervals.difference(reference[name], found[name], count) for name in AHEAD}
        rows.append(row | (dict.fromkeys(ahead) if method == OURS else ahead))
    return {"rows": rows, "note": COMPARED}


def audit_leakage(ours, tested, training, seed=0, draws=intervals.DRAWS):
    """Return the network's scores under the reference's protocol and by recording, and the gap between them.

    As ``audit.json`` has them. `ours` is from `decisions.decide`, `tested` from `random_split.run`, of all splits;
    `training` is ``training.json``. ``n_test`` counts samples, ``shared_eeg`` those that share EEG with training.

    Raises
    ------
    AssertionError
        If a recording of ours was tested by a network that was trained on it.
    """
    check_out_of_fold(ours, training)
    with_seizure = ours[ours["recording"].isin(ours.loc[ours["label"] == 1, "recording"])]
    splits, ratio = score_splits(tested), (tested["label"] == 0).sum() / (tested["label"] == 1).sum()
    plain = _score_by_recording(ours, None, seed, draws)
    weighted = _score_by_recording(with_seizure, ratio, seed, draws)
    count, shared = with_seizure["recording"].nunique(), int(tested["shared_eeg"].sum())
    rows = [(RANDOM, len(tested), shared, {name: split_interval(splits[name]) for name in splits})]
    for protocol, table, found in ((BY_RECORDING, ours, plain), (WEIGHTED, with_seizure, weighted)):
        n = table["recording"].nunique()
        rows.append((protocol, len(table), 0, {name: intervals.interval(*pair, n) for name, pair in found.items()}))
    rows = [
        {"protocol": protocol, "n_test": n, "shared_eeg": shared, "share": shared / n, **found}
        for protocol, n, shared, found in rows
    ]
    gap = {name: _gap(splits[name], weighted[name], count, seed) for name in GAPS}
    return {"rows": rows, "gap": gap, "splits": len(splits), "note": AUDITED}


def check_out_of_fold(ours, training):
    """Raise AssertionError if a recording is tested by a network trained on it; arguments as for `audit_leakage`."""
    for fold in training["folds"]:
        mine = ours[ours["fold"] == fold["fold"]]
        seen = {name for network in fold["networks"] for name in training["networks"][network]}
        both = sorted(seen & set(mine["recording"]))
        assert not both, (
            f"{', '.join(both)} both trained and tested a network of fold {fold['fold']}: "
            f"{mine['recording'].isin(both).sum()} of {len(mine)} test samples share EEG with training."
        )


def score_splits(tested):
    """Return the scores of each random split, with the threshold that has the highest F1 on its own test samples."""
    rows = []
    for _, part in tested.groupby("seed"):
        decided = part["p_seizure"] >= decisions.best_threshold(part["label"], part["p_seizure"])
        rates = scores.sample_rates(*scores.confusion(part["label"], decided.astype(int)))
        rows.append({name: rates[name] for name in RATES} | {"auroc": scores.auroc(part["label"], part["p_seizure"])})
    return pd.DataFrame(rows, dtype=float)


def split_interval(values):
    """Return the mean over splits with its interval by Student's t, within 0 and 1, as `intervals.interval` does."""
    found = {"value": float(np.mean(values)), "low": None, "high": None, "dropped": 0.0, "reason": None}
    if len(values) < 2:
        return found | {"reason": "there is one split; an interval over splits needs 2"}
    half = intervals.half_width(values)
    return found | {"low": float(max(0, found["value"] - half)), "high": float(min(1, found["value"] + half))}


def _score_by_recording(table, negatives_per_seizure, seed, draws):
    """Return `RATES` and ``auroc`` with their draws, as `intervals.bootstrap` does; weighted, if a number is given."""

    def rates(**counts):
        counts = [counts[name] for name in ("tp", "fn", "fp", "tn")]
        if negatives_per_seizure is not None:
            counts = scores.at_prevalence(negatives_per_seizure, *counts)
        return {name: value for name, value in scores.sample_rates(*counts).items() if name in RATES}

    found = intervals.bootstrap(rates, scores.sample_counts(table), seed, draws)
    return found | {"auroc": intervals.bootstrap_ranking(table, "p_seizure", seed, draws)["auroc"]}


def _gap(splits, found, recordings, seed):
    """Return the mean over splits minus a score: draws of the mean by Student's t against draws of recordings."""
    (value, estimates), mean, n = found, float(splits.mean()), len(splits)
    if n < 2:
        return split_interval(splits) | {"value": None if value is None else mean - value}
    # Another stream than the recordings' draws: the two are independent.
    chance = np.random.default_rng([seed, 1]).standard_t(n - 1, len(estimates)) * splits.sem()
    return intervals.difference((mean, mean + chance), found, recordings)
