"""Comparison: the network against simple detectors and controls, in order of time, and against a leak.

Detectors are scored on the same draws of recordings, so that a difference has an interval of its own, in which what
makes a recording hard for both cancels.
"""

import warnings
from functools import partial

import pandas as pd
from scipy import stats

from helpers.evaluate import decisions, intervals, scores

OURS = "ours"
METHODS = {
    OURS: "this network",
    "logistic": "logistic regression",
    "forest": "random forest",
    "riemann": "Riemannian classifier",
    "rocket": "MiniRocket",
}
AHEAD = ("auprc", "auprc_smoothed", "event_f1")  # in which a baseline is held against ours
PROTOCOLS = {
    "single": "by recording, one network",
    "split": "split at random",
    "threshold": "threshold chosen on the test",
    "epoch": "epoch chosen on the test",
    "ensemble": "mean of the fold's networks",
    "all": "split at random, epoch and threshold chosen on the test",
}
AUDITED = ("f1", "accuracy", "auroc")


def score_detector(table, annotations, seed=0, draws=intervals.DRAWS):
    """Return a detector's scores with their draws, as `intervals.bootstrap` does, from `decisions.decide`."""
    options = {"seed": seed, "draws": draws}
    ranking, smoothed = (
        intervals.bootstrap_ranking(table, name, **options) for name in ("log_odds", "log_odds_smooth")
    )
    samples = intervals.bootstrap(scores.sample_rates, scores.sample_counts(table), **options)
    drawn = table.drop_duplicates("recording").set_index("recording", drop=False)[scores.unit(table)]
    counts = scores.event_counts(scores.events(table), annotations).groupby(drawn).sum()
    return {
        "auprc": ranking["auprc"],
        "auprc_smoothed": smoothed["auprc"],
        "auroc": ranking["auroc"],
        "auroc_smoothed": smoothed["auroc"],
        "sample_f1": samples["f1"],
        "event_f1": intervals.bootstrap(scores.event_rates, counts, **options)["f1"],
    }


def compare(ours, others, annotations, seed=0, draws=intervals.DRAWS):
    """Return the scores of all detectors, best first, and how far ours is ahead of each.

    `ours` is from `decisions.decide`; `others` are the same tables of other detectors, by name. Each row has the scores
    of `score_detector`, the event scores' exact intervals, and ``ahead_…`` for each of `AHEAD`: ours minus it, or None.

    Raises ValueError if detectors were not tested on the same samples.
    """
    keys = ["recording", "end_s", "label", "fold"]
    for method, table in others.items():
        one, other = (part[keys].sort_values(keys).to_numpy() for part in (ours, table))
        if not (one.shape == other.shape and (one == other).all()):
            raise ValueError(f"{method} was not tested on the same {len(ours)} samples in the same folds as ours.")
    rows, reference = [], None
    for method, table in {OURS: ours, **others}.items():
        found = score_detector(table, annotations, seed, draws)
        reference = reference or found
        events = scores.event_scores(scores.events(table), annotations)
        row = {"method": method, "name": METHODS.get(method, method)}
        row |= {name: intervals.interval(*one) for name, one in found.items()}
        exact = intervals.event_intervals(**counts_of(events), hours=annotations.hours)
        row |= counts_of(events) | {f"event_{name}": one for name, one in exact.items()}
        ahead = {f"ahead_{name}": intervals.difference(reference[name], found[name]) for name in AHEAD}
        rows.append(row | (dict.fromkeys(ahead) if method == OURS else ahead))
    return sorted(rows, key=lambda row: -(row["auprc_smoothed"]["value"] or 0))


def score_past(past, samples, annotations, steps):
    """Return event scores of detectors that were trained on the past only, and test all recordings that follow.

    `past` has ``method``, ``step``, ``sample`` and ``log_odds``; `samples` are those of all recordings, by ``sample``;
    `steps` (of ``training.json``) say how many ``recordings`` and ``seizures`` each step's past holds. Threshold and
    smallest duration are chosen on what the networks of earlier steps said of recordings that were to come for them and
    are past now (Dawid, J. R. Stat. Soc. A 147:278, 1984); the first has none, and decides at even odds.

    Raises AssertionError if a network was trained on a recording that it tests.
    """
    rows, names = [], list(annotations.durations_s)
    for method, own in past.groupby("method", sort=False):
        known = [samples[:0].assign(log_odds=0.0)]
        for number, step in enumerate(steps):
            said = own[own["step"] == number].set_index("sample")["log_odds"]
            table, before = samples.join(said, how="inner"), pd.concat(known)
            seen = sorted(set(table["recording"]) & set(names[: step["recordings"]]))
            assert not seen, f"{method}: {', '.join(seen)} both trained and tested the network of step {number}"
            settings = decisions.choose_alarm(before, annotations) if before["label"].any() else decisions.UNTRAINED
            table = decisions.raise_alarms(table, settings)
            later = annotations.select(names[step["recordings"] :])
            found = scores.event_scores(scores.events(table), later)
            auprc = scores.auprc(table["label"], table["log_odds_smooth"])
            sure = intervals.event_intervals(**counts_of(found), hours=later.hours)
            rows.append({"method": method, "seizures_seen": step["seizures"], "hours": later.hours, **found})
            rows[-1] |= {"auprc": auprc, "intervals": sure}
            end = steps[number + 1]["recordings"] if number + 1 < len(steps) else None
            known.append(table[table["recording"].isin(names[step["recordings"] : end])])
    return rows


def counts_of(events):
    """Return ``seizures``, ``detected`` and ``false_alarms`` of `scores.event_scores`."""
    return {name: events[name] for name in ("seizures", "detected", "false_alarms")}


def audit_leakage(tested, predictions, inner, training, negatives_per_seizure):
    """Return what each freedom of the reference study's protocol adds to scores, varied one at a time.

    `tested` is ``audit.csv``, the log-odds that single networks gave to some samples after each epoch (0: the weights
    that are used); `predictions` and `inner` are what the stage train wrote, `training` is its ``training.json``.
    Scores are at a fixed number of non-seizure samples for each seizure sample. By recording they are means over the
    networks of a fold, then over folds; at random over splits. Intervals are by Student's t; those of what is added are
    of paired folds, against a random split by Welch's test.

    Raises AssertionError if a recording of ours was tested by a network that was trained on it.
    """
    check_out_of_fold(predictions, training)
    predictions, units = predictions.set_index("sample"), {name: [] for name in PROTOCOLS}
    tested = tested.join(predictions[["label", "fold"]], on="sample")
    for fold in training["folds"]:
        own = tested[tested["network"].isin(set(fold["networks"]) & set(training["followed"]))]
        held_out, singles = own["fold"] == fold["fold"], []
        for _, part in own.groupby("network"):
            of_test = part["fold"] == fold["fold"]
            singles.append(score_freedoms(part[~of_test], part[of_test], negatives_per_seizure))
        for name in ("single", "threshold", "epoch"):
            units[name].append(pd.DataFrame([one[name] for one in singles]).astype(float).mean().to_dict())
        watched, mine = set(own["sample"]), inner[inner["fold"] == fold["fold"]]
        test = predictions.loc[sorted(set(own.loc[held_out, "sample"]))]
        chosen = decisions.best_threshold(*_values(mine[mine["sample"].isin(watched)]))
        units["ensemble"].append(_rates(*_values(test), threshold=chosen, negatives=negatives_per_seizure))
    for _, part in tested[tested["part"].notna()].groupby("network"):
        of_test = part["part"] == "test"
        found = score_freedoms(part[~of_test], part[of_test], negatives_per_seizure)
        units["split"].append(found["single"])
        units["all"].append(found["all"])
    tables, rows = {name: pd.DataFrame(unit, dtype=float) for name, unit in units.items()}, []
    for name, table in tables.items():
        paired = name not in ("split", "all")
        row = {"protocol": name, "name": PROTOCOLS[name], "units": len(table)}
        row |= {score: mean_interval(table[score]) for score in AUDITED}
        adds = {f"adds_{score}": mean_difference(table[score], tables["single"][score], paired) for score in AUDITED}
        rows.append(row | (dict.fromkeys(adds) if name == "single" else adds))
    leaky = tested[tested["part"].eq("test") & tested["epoch"].eq(0)]
    shared = int(leaky["shared_eeg"].sum())
    return {"rows": rows, "n_test": len(leaky), "shared_eeg": shared, "share": scores.ratio(shared, len(leaky))}


def score_freedoms(inner, test, negatives):
    """Return scores of one network on `test`: as it is, and with epoch, threshold or both chosen there.

    Both tables have ``epoch``, ``label``, ``log_odds``.
    """
    epochs = {epoch: scores.auroc(*_values(part)) or 0 for epoch, part in test.groupby("epoch") if epoch}
    best, found = max(epochs, key=epochs.get), {}
    freedoms = {"single": (0, inner), "threshold": (0, test), "epoch": (best, inner), "all": (best, test)}
    for name, (epoch, table) in freedoms.items():
        threshold = decisions.best_threshold(*_values(table[table["epoch"] == epoch]))
        found[name] = _rates(*_values(test[test["epoch"] == epoch]), threshold=threshold, negatives=negatives)
    return found


def _values(table):
    return table["label"].to_numpy(), table["log_odds"].to_numpy()


def _rates(label, log_odds, threshold, negatives):
    counts = scores.at_prevalence(negatives, *scores.confusion(label, (log_odds >= threshold).astype(int)))
    rates = scores.sample_rates(*counts)
    return {"f1": rates["f1"], "accuracy": rates["accuracy"], "auroc": scores.auroc(label, log_odds)}


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


def mean_interval(values):
    """Return the mean score of folds or splits with its interval by Student's t, cut off at 0 and 1.

    Where a score is undefined, as without a seizure sample in a test, the fold or split is left out.
    """
    values = values.dropna()
    found = _by_t(values.mean(), stats.ttest_1samp, len(values), values, 0)
    return found if found["low"] is None else found | {"low": max(found["low"], 0.0), "high": min(found["high"], 1.0)}


def mean_difference(first, second, paired):
    """Return the mean of `first` less that of `second` with its interval by Student's t, or Welch's if not `paired`."""
    if paired:
        values = (first - second).dropna()
        return _by_t(values.mean(), stats.ttest_1samp, len(values), values, 0)
    first, second = first.dropna(), second.dropna()
    count = min(len(first), len(second))
    return _by_t(first.mean() - second.mean(), partial(stats.ttest_ind, equal_var=False), count, first, second)


def _by_t(value, test, count, *samples):
    """Return a mean, or a difference of two, with the interval of scipy's `test` of `samples`, the smallest `count`."""
    found = {"value": float(value) if count else None, "low": None, "high": None, "kind": None, "dropped": 0.0}
    if count < 2:
        return found | {"reason": f"folds or splits: {count}; an interval needs 2", "n": count}
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # that all score nearly alike
        low, high = test(*samples).confidence_interval(intervals.LEVEL)
    return found | {"low": float(low), "high": float(high), "kind": "t", "reason": None, "n": count}
