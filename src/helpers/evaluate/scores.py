"""Scores: the reference's six metrics, event scores, and what they become at another prevalence."""

import numpy as np
import pandas as pd
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring

SCORING_HZ = 10  # timescoring's own precision for events
TOLERANCE = EventScoring.Parameters()


def ratio(numerator, denominator):
    """Return the quotient, or None where it is undefined (JSON has no NaN)."""
    return float(numerator / denominator) if denominator else None


def sample_scores(tp, fn, fp, tn):
    """Return the reference's metrics for a confusion matrix.

    Parameters
    ----------
    tp, fn, fp, tn : int or float
        Seizure samples decided seizure and non-seizure, non-seizure samples decided seizure and non-seizure; a
        float where samples are weighted.

    Returns
    -------
    dict
        ``n``, ``seizure``, the four counts, ``accuracy``, ``sensitivity``, ``specificity``, ``f1``, ``weighted_f1``
        (the two classes' F1, weighted by their true numbers of samples). Undefined ones are None.
    """
    f1 = ratio(2 * tp, 2 * tp + fn + fp)
    f1_other = ratio(2 * tn, 2 * tn + fn + fp)
    n, seizure, other = tp + fn + fp + tn, tp + fn, fp + tn
    defined = [(f, weight) for f, weight in ((f1, seizure), (f1_other, other)) if weight]
    return {
        "n": n,
        "seizure": seizure,
        "tp": tp,
        "fn": fn,
        "fp": fp,
        "tn": tn,
        "accuracy": ratio(tp + tn, n),
        "sensitivity": ratio(tp, seizure),
        "specificity": ratio(tn, other),
        "f1": f1,
        "weighted_f1": ratio(sum(f * weight for f, weight in defined), n),
    }


def confusion(label, decided):
    """Return (tp, fn, fp, tn) as whole numbers for two arrays of 0 and 1."""
    label, decided = np.asarray(label), np.asarray(decided)
    if label.shape != decided.shape or not set(np.unique([label, decided])) <= {0, 1}:
        raise ValueError(f"Labels {label.shape} and decisions {decided.shape} must be equally many, each 0 or 1.")
    pairs = ((1, 1), (1, 0), (0, 1), (0, 0))
    return tuple(int(np.sum((label == true) & (decided == made))) for true, made in pairs)


def at_prevalence(negatives_per_seizure, tp, fn, fp, tn):
    """Return the confusion matrix with the non-seizure samples weighted to so many for each seizure sample.

    Sensitivity and specificity stay; whatever mixes both classes changes. Without a seizure or a non-seizure
    sample there is nothing to weight, and the matrix is returned as it is.
    """
    weight = negatives_per_seizure * (tp + fn) / (fp + tn) if (tp + fn) and (fp + tn) else 1.0
    return tp, fn, fp * weight, tn * weight


def undefined(scores):
    """Return a dict of metric → reason for the metrics of `sample_scores` that are None."""
    reasons = {
        "accuracy": "there is no sample",
        "weighted_f1": "there is no sample",
        "sensitivity": "there is no seizure sample",
        "specificity": "there is no non-seizure sample",
        "f1": "there is no seizure sample, and none was decided seizure",
    }
    return {name: reasons[name] for name in reasons if scores[name] is None}


def events(table):
    """Join neighbouring samples decided seizure into events.

    Parameters
    ----------
    table : pandas.DataFrame
        ``recording``, ``last_start_s``, ``end_s`` (of the sample's last frame) and ``decided`` (0 or 1).

    Returns
    -------
    pandas.DataFrame
        ``recording``, ``start_s``, ``end_s``.
    """
    rows = []
    for recording, part in table.sort_values("end_s", kind="stable").groupby("recording", sort=True):
        for start, end in part.loc[part["decided"] == 1, ["last_start_s", "end_s"]].to_numpy().tolist():
            if rows and rows[-1][0] == recording and start <= rows[-1][2]:
                rows[-1] = (recording, rows[-1][1], end)
            else:
                rows.append((recording, start, end))
    return pd.DataFrame(rows, columns=["recording", "start_s", "end_s"])


def event_scores(found, seizures, durations_s):
    """Score events against the annotated seizures with `timescoring` and SzCORE's defaults.

    Parameters
    ----------
    found, seizures : pandas.DataFrame
        ``recording``, ``start_s``, ``end_s``.
    durations_s : dict of str → float
        Of every recording, by name.

    Returns
    -------
    dict
        Over all recordings: ``seizures``, ``detected``, ``false_alarms``, ``sensitivity``, ``precision``, ``f1``,
        ``fp_per_24h``. Undefined ones are None.

    Notes
    -----
    An event counts from 30 s before to 60 s after a seizure; events less than 90 s apart are one, events over
    5 min are split (Dan et al., Epilepsia 2024, SzCORE).
    """
    seizure_count = detected = false_alarms = 0
    for recording, duration_s in durations_s.items():
        score = EventScoring(*(annotation(table, recording, duration_s) for table in (seizures, found)))
        seizure_count, detected = seizure_count + score.refTrue, detected + score.tp
        false_alarms += score.fp
    counts = {"seizures": int(seizure_count), "detected": int(detected), "false_alarms": int(false_alarms)}
    return counts | event_rates(**counts, hours=sum(durations_s.values()) / 3600)


def annotation(table, recording, duration_s):
    """Return one recording's rows of `table` (``recording``, ``start_s``, ``end_s``) as `timescoring` takes them."""
    spans = table.loc[table["recording"] == recording, ["start_s", "end_s"]].sort_values("start_s")
    return Annotation(spans.to_numpy().tolist(), SCORING_HZ, round(duration_s * SCORING_HZ))


def tolerated(start_s, end_s):
    """Return from when to when an event detects a seizure: SzCORE's tolerance of 30 s before and 60 s after it."""
    return start_s - TOLERANCE.toleranceStart, end_s + TOLERANCE.toleranceEnd


def event_rates(seizures, detected, false_alarms, hours):
    """Return the rates of `event_scores` from its counts: recordings weigh by their seizures and hours."""
    return {
        "sensitivity": ratio(detected, seizures),
        "precision": ratio(detected, detected + false_alarms),
        "f1": ratio(2 * detected, seizures + detected + false_alarms),
        "fp_per_24h": ratio(false_alarms * 24, hours),
    }
