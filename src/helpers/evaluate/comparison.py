"""Comparison: the network against other detectors on the same samples.

All are scored on the same draws of recordings, so that a difference has an interval of its own, in which what makes a
recording hard for both cancels.
"""

import numpy as np
import pandas as pd

from helpers.evaluate import decisions, detections, intervals, ranking, scores
from helpers.report.tables import METHODS

OURS = "ours"
AHEAD = ("auprc", "auprc_smoothed", "event_f1")  # in which a baseline is held against ours
COMPARED = (
    "Same folds, members, calibration, thresholds and post-processing for all. Intervals are 95 %, by bootstrap over "
    "recordings; a difference (ours minus the other) is taken draw by draw."
)


def drawn(table, seizures, durations_s, seed=0, draws=intervals.DRAWS):
    """Return a detector's scores, and those of each draw of recordings.

    Parameters
    ----------
    table : pandas.DataFrame
        From `decisions.decide`.
    seizures : pandas.DataFrame
        ``recording``, ``start_s``, ``end_s``.
    durations_s : dict of str → float
        Of the recordings of `table`.

    Returns
    -------
    values : dict of str → float or None
        ``auprc``, ``auprc_smoothed``, ``auroc``, ``sample_f1`` of single samples, ``event_f1`` of alarms.
    estimates : pandas.DataFrame [draw, score]
    """
    smoothed, p = table.assign(p_seizure=table["p_smooth"]), table["p_seizure"]
    samples = detections.sample_counts(table)
    events = detections.event_counts(scores.events(decisions.alarms(table)), seizures, durations_s)
    values = {
        "auprc": ranking.auprc(table["label"], p),
        "auprc_smoothed": ranking.auprc(table["label"], table["p_smooth"]),
        "auroc": ranking.auroc(table["label"], p),
        "sample_f1": detections.sample_rates(**samples.sum().to_dict())["f1"],
        "event_f1": scores.event_rates(**events.sum().to_dict())["f1"],
    }
    ranks = ranking.drawn(table, seed, draws)
    estimates = {
        "auprc": ranks["auprc"],
        "auprc_smoothed": ranking.drawn(smoothed, seed, draws)["auprc"],
        "auroc": ranks["auroc"],
        "sample_f1": intervals.drawn(detections.sample_rates, samples, seed, draws)["f1"],
        "event_f1": intervals.drawn(scores.event_rates, events, seed, draws)["f1"],
    }
    return values, pd.DataFrame(estimates)


def compare(ours, others, seizures, durations_s, seed=0, draws=intervals.DRAWS):
    """Return the scores of all detectors, and how far ours is ahead of each.

    Parameters
    ----------
    ours : pandas.DataFrame
        From `decisions.decide`.
    others : dict of str → pandas.DataFrame
        The same of each other detector, by its name, for the same samples.
    seizures, durations_s, seed, draws
        As for `drawn`.

    Returns
    -------
    dict
        ``rows``, ours first: ``method``, ``name``, the five scores of `drawn`, and for each of `AHEAD` ``ahead_…``,
        ours minus it; each as `intervals.interval` gives it (None where ours stands against itself). ``note``.

    Raises
    ------
    ValueError
        If detectors were not tested on the same samples, or recordings are missing.
    """
    for method, table in others.items():
        _check_alike(ours, table, method)
    if set(ours["recording"]) != set(durations_s):
        raise ValueError(f"{ours['recording'].nunique()} recordings were tested, {len(durations_s)} have a duration.")
    count, rows, reference = len(durations_s), [], None
    for method, table in {OURS: ours, **others}.items():
        values, estimates = drawn(table, seizures, durations_s, seed, draws)
        row = {"method": method, "name": METHODS.get(method, method)}
        row |= {name: intervals.interval(value, estimates[name], count) for name, value in values.items()}
        reference = reference or (values, estimates)
        for name in AHEAD:
            pair = (reference[0][name], values[name], reference[1][name], estimates[name])
            row[f"ahead_{name}"] = None if method == OURS else intervals.difference(*pair, count)
        rows.append(row)
    return {"rows": rows, "note": COMPARED}


def _check_alike(ours, table, method):
    one, other = (part.sort_values(["recording", "end_s"]) for part in (ours, table))
    keys = ["recording", "end_s", "label", "fold"]
    if not np.array_equal(one[keys].to_numpy(), other[keys].to_numpy()):
        raise ValueError(f"{method} was not tested on the same {len(ours)} samples in the same folds as ours.")
