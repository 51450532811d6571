"""Scores of decisions: of samples, at any prevalence; of rankings; and of events, as `timescoring` counts them."""

import numpy as np
import pandas as pd
from sklearn import metrics
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring

from helpers.acquire.annotations import COLUMNS, Annotations, runs
from helpers.study.errors import RecordingError

SCORING_HZ = 10  # timescoring's own precision for events
TOLERANCE = EventScoring.Parameters()


def ratio(numerator, denominator):
    """Return the quotient, or None where it is undefined (JSON has no NaN)."""
    return float(numerator / denominator) if denominator else None


def f1_score(tp, fn, fp):
    """Return F1 from counts of samples or events, or None where there is neither a true nor a decided one."""
    return ratio(2 * tp, 2 * tp + fn + fp)


def confusion(label, decided):
    """Return (tp, fn, fp, tn) as whole numbers for two arrays of 0 and 1; raise ValueError for other values."""
    label, decided = np.asarray(label), np.asarray(decided)
    if wrong := int((~np.isin([label, decided], [0, 1])).any(axis=0).sum()):
        raise ValueError(f"{wrong} of {len(label)} labels or decisions are neither 0 nor 1.")
    tn, fp, fn, tp = np.bincount((2 * label + decided).astype(int), minlength=4).tolist()
    return tp, fn, fp, tn


def sample_rates(tp, fn, fp, tn):
    """Return the reference study's metrics and balanced accuracy for a confusion matrix; undefined ones are None.

    Counts may be weighted. ``weighted_f1`` is the two classes' F1, weighted by their true numbers of samples.
    """
    seizure, other = tp + fn, fp + tn
    f1, f1_other = f1_score(tp, fn, fp), f1_score(tn, fn, fp)
    sensitivity, specificity = ratio(tp, seizure), ratio(tn, other)
    return {
        "accuracy": ratio(tp + tn, seizure + other),
        "sensitivity": sensitivity,
        "specificity": specificity,
        "f1": f1,
        "weighted_f1": ratio((f1 or 0) * seizure + (f1_other or 0) * other, seizure + other),
        "balanced_accuracy": (sensitivity + specificity) / 2 if seizure and other else None,
    }


def sample_scores(tp, fn, fp, tn):
    """Return ``n``, ``seizure`` (samples), the four counts and the reference study's metrics of `sample_rates`."""
    counts = {"n": tp + fn + fp + tn, "seizure": tp + fn, "tp": tp, "fn": fn, "fp": fp, "tn": tn}
    rates = sample_rates(tp, fn, fp, tn)
    del rates["balanced_accuracy"]
    return counts | rates


def unit(table):
    """Return the column of what intervals draw whole: the patient where several are pooled, else the recording."""
    return "patient" if "patient" in table else "recording"


def sample_counts(table):
    """Return ``tp``, ``fn``, ``fp``, ``tn`` of each recording (see `unit`), from ``label`` and ``decided``."""
    rows = {name: confusion(part["label"], part["decided"]) for name, part in table.groupby(unit(table))}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["tp", "fn", "fp", "tn"])


def at_prevalence(negatives_per_seizure, tp, fn, fp, tn):
    """Return the confusion matrix with so many non-seizure samples for each seizure sample; of one class, as it is."""
    weight = negatives_per_seizure * (tp + fn) / (fp + tn) if (tp + fn) and (fp + tn) else 1.0
    return tp, fn, fp * weight, tn * weight


def missing_class(seizure, n):
    """Return which class is missing among `n` samples, `seizure` of them seizure, or None if neither is."""
    if 0 < seizure < n:
        return None
    return "there is no sample" if not n else f"there is no {'non-seizure' if seizure else 'seizure'} sample"


def undefined_reasons(scores):
    """Return a dict of metric → reason for the metrics of `sample_scores`, and areas beside them, that are None."""
    missing = missing_class(scores["seizure"], scores["n"])
    reasons = {"f1": "there is no seizure sample, and none was decided seizure"}
    return {name: reasons.get(name, missing) for name, value in scores.items() if value is None}


def auroc(label, p):
    """Return the area under the ROC curve, or None (see `missing_class`)."""
    return None if missing_class(np.sum(label), len(label)) else float(metrics.roc_auc_score(label, p))


def auprc(label, p, weight=1.0):
    """Return the average precision, non-seizure samples weighted by `weight`, or None (see `missing_class`)."""
    if missing_class(np.sum(label), len(label)):
        return None
    return float(metrics.average_precision_score(label, p, sample_weight=np.where(np.asarray(label) == 1, 1.0, weight)))


def f1_curve(label, p):
    """Return each distinct probability, rising, and the sample F1 of deciding seizure from there on, float [n]."""
    _, fp, fn, tp, thresholds = metrics.confusion_matrix_at_thresholds(label, p)
    return thresholds[::-1], (2 * tp / (2 * tp + fn + fp))[::-1]


def recording_rows(table):
    """Yield each recording's name and its rows' positions in order of time; raise RecordingError on a gap."""
    start_s, end_s = (table[key].to_numpy(float) for key in ("last_start_s", "end_s"))
    for name, rows in sorted(table.groupby("recording").indices.items()):
        rows = rows[np.argsort(end_s[rows], kind="stable")]
        gaps = np.flatnonzero(np.abs(start_s[rows[1:]] - end_s[rows[:-1]]) > 1e-6)
        if len(gaps):
            at = end_s[rows[gaps[0]]]
            raise RecordingError(f"{name}: after {at:g} s the next frame does not start. Give one row a frame, all.")
        yield name, rows


def event_spans(start_s, end_s, decided):
    """Return the events, float [event, 2], into which a recording's neighbouring samples, in order of time, join."""
    found = runs(decided)
    return np.column_stack([start_s[found[:, 0]], end_s[found[:, 1] - 1]])


def events(table):
    """Return the events of ``alarm`` (0 or 1), ``recording``, ``start_s``, ``end_s``; raises as `recording_rows`."""
    found, columns = [], [table[key].to_numpy() for key in ("last_start_s", "end_s", "alarm")]
    for name, rows in recording_rows(table):
        found += [(name, *span) for span in event_spans(*(column[rows] for column in columns)).tolist()]
    return pd.DataFrame(found, columns=COLUMNS)


def score_recording(true, found, duration_s):
    """Return `timescoring`'s EventScoring of one recording's seizures and events, each [event, 2] in s.

    SzCORE's defaults: an event counts from 30 s before to 60 s after a seizure; events less than 90 s apart are one,
    events over 5 min are split (Dan et al., Epilepsia 2024).
    """
    n = round(duration_s * SCORING_HZ)
    return EventScoring(*(Annotation(spans.tolist(), SCORING_HZ, n) for spans in (true, found)))


def score_events(found, annotations):
    """Yield each recording's name and its EventScoring; `found` as from `events`, `annotations` an `Annotations`."""
    found = Annotations(found, annotations.durations_s)
    for name, duration_s in annotations.durations_s.items():
        yield name, score_recording(annotations.spans(name), found.spans(name), duration_s)


def event_counts(found, annotations):
    """Return ``seizures``, ``detected``, ``false_alarms`` and ``hours`` of each recording (see `score_events`)."""
    rows = {
        name: (score.refTrue, score.tp, score.fp, annotations.durations_s[name] / 3600)
        for name, score in score_events(found, annotations)
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["seizures", "detected", "false_alarms", "hours"])


def event_rates(seizures, detected, false_alarms, hours):
    """Return ``sensitivity``, ``precision``, ``f1`` and ``fp_per_24h`` from counts; undefined ones are None."""
    return {
        "sensitivity": ratio(detected, seizures),
        "precision": ratio(detected, detected + false_alarms),
        "f1": f1_score(detected, seizures - detected, false_alarms),
        "fp_per_24h": ratio(false_alarms * 24, hours),
    }


def event_scores(found, annotations):
    """Return counts and rates of events over all recordings together (see `event_counts` and `event_rates`)."""
    totals = event_counts(found, annotations).sum()
    counts = {name: int(totals[name]) for name in ("seizures", "detected", "false_alarms")}
    return counts | event_rates(**counts, hours=annotations.hours)


def detection_window(start_s, end_s):
    """Return from when to when an event detects a seizure: SzCORE's tolerance of 30 s before and 60 s after it."""
    return start_s - TOLERANCE.toleranceStart, end_s + TOLERANCE.toleranceEnd


def latencies(table, annotations):
    """Return every seizure as SzCORE counts it, whether it was found, and how long after its onset.

    `table` is from `decisions.decide`. ``continues`` is 1 for a seizure split off the row before. ``latency_s`` runs
    from the annotated onset until the deciding frame is known: the first alarm frame that reaches into the
    `detection_window`. It is negative where that lies before the onset, NaN if missed and where a seizure continues.
    """
    rows = []
    for name, score in score_events(events(table), annotations):
        alarms, last = table[(table["recording"] == name) & (table["alarm"] == 1)].sort_values("end_s"), None
        for start, end in score.ref.events:
            opens, closes = _tenths(np.clip(detection_window(start, end), 0, annotations.durations_s[name]))
            detected, continues = int(score.hyp.mask[opens:closes].any()), int(start == last)
            known_s = alarms["known_s"].to_numpy()[_tenths(alarms["end_s"]) > opens]
            latency = known_s[0] - start if detected and not continues else np.nan
            rows.append((name, start, end, continues, detected, latency))
            last = end
    return pd.DataFrame(rows, columns=[*COLUMNS, "continues", "detected", "latency_s"])


def _tenths(seconds):
    """Return seconds as timescoring rounds them, in samples of 0.1 s."""
    return np.rint(np.asarray(seconds) * SCORING_HZ).astype(int)
