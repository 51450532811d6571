"""Detections: what each recording adds to the scores, and each seizure's latency; counted by SzCORE's rules."""

import numpy as np
import pandas as pd
from timescoring.scoring import EventScoring

from helpers.evaluate import intervals, ranking, scores
from helpers.study.errors import RecordingError


def sample_counts(table):
    """Return ``tp``, ``fn``, ``fp``, ``tn`` of each recording, from ``recording``, ``label`` and ``decided``."""
    rows = {name: scores.confusion(part["label"], part["decided"]) for name, part in table.groupby("recording")}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["tp", "fn", "fp", "tn"])


def sample_rates(tp, fn, fp, tn):
    """Return the rates of `scores.sample_scores` and ``balanced_accuracy``, without the counts."""
    found = scores.sample_scores(tp, fn, fp, tn)
    names = ("accuracy", "sensitivity", "specificity", "f1", "weighted_f1")
    return {name: found[name] for name in names} | {"balanced_accuracy": ranking.balanced_accuracy(tp, fn, fp, tn)}


def event_counts(found, seizures, durations_s):
    """Return ``seizures``, ``detected``, ``false_alarms`` and ``hours`` of each recording.

    Arguments as for `scores.event_scores`, which counts them.
    """
    rows = {}
    for name, duration_s in durations_s.items():
        score = scores.event_scores(found, seizures, {name: duration_s})
        rows[name] = (score["seizures"], score["detected"], score["false_alarms"], duration_s / 3600)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["seizures", "detected", "false_alarms", "hours"])


def latencies(table, seizures, durations_s):
    """List every seizure, whether it was found, and how long after its onset.

    Parameters
    ----------
    table : pandas.DataFrame
        ``recording``, ``last_start_s``, ``end_s``, ``decided``; and ``known_s`` if decisions are known only later
        than ``end_s`` (see `postprocessing.apply`).
    seizures : pandas.DataFrame
        ``recording``, ``start_s``, ``end_s``.
    durations_s : dict of str → float

    Returns
    -------
    pandas.DataFrame
        One row for each seizure as SzCORE counts it: annotated ones less than 90 s apart are one, longer than 5 min
        are split. ``recording``, ``start_s``, ``end_s``, ``continues`` (1: split off the row before), ``detected``
        (0 or 1) and ``latency_s`` (NaN if missed, and where it continues).

    Notes
    -----
    Latency is the end of the deciding frame minus the annotated onset, as only then the frame is known. The deciding
    frame is the first one decided seizure that reaches into SzCORE's tolerance, from 30 s before to 60 s after the
    seizure: latency is negative where it comes before the onset.
    """
    known, rows = "known_s" if "known_s" in table else "end_s", []
    for name, duration_s in durations_s.items():
        part = table[(table["recording"] == name) & (table["decided"] == 1)].sort_values("end_s")
        made = scores.events(part)
        score = EventScoring(*(scores.annotation(spans, name, duration_s) for spans in (seizures, made)))
        ends, known_s, last = _tenths(part["end_s"].to_numpy()), part[known].to_numpy(), None
        for start, end in score.ref.events:
            opens, closes = _tenths(np.clip(scores.tolerated(start, end), 0, duration_s))
            detected, continues = int(score.hyp.mask[opens:closes].any()), int(start == last)
            after = known_s[ends > opens]
            latency = after[0] - start if detected and not continues else np.nan
            rows.append((name, start, end, continues, detected, latency))
            last = end
    columns = ["recording", "start_s", "end_s", "continues", "detected", "latency_s"]
    return pd.DataFrame(rows, columns=columns)


def _tenths(seconds):
    """Return seconds as timescoring rounds them, in samples of 0.1 s."""
    return np.rint(np.asarray(seconds) * scores.SCORING_HZ).astype(int)


def median_latency(table, recordings, seed=0, draws=intervals.DRAWS):
    """Return the median latency of the seizures found, in s, with its interval (see `intervals.interval`).

    Missed seizures have none and are left out: read it beside the sensitivity.

    Parameters
    ----------
    table : pandas.DataFrame
        From `latencies`.
    recordings : collection of str
        All that were decided on, those without a seizure too: the draws are then those of the other scores.
    """
    names = sorted(recordings)
    if unknown := sorted(set(table["recording"]) - set(names)):
        raise RecordingError(f"{', '.join(unknown)} hold seizures but are not among the {len(names)} recordings given.")
    timed = table.dropna(subset="latency_s")
    latency, row = timed["latency_s"].to_numpy(), np.searchsorted(names, timed["recording"].to_numpy(str))
    times = intervals.resampled(len(names), seed, draws)[:, row]  # how often each seizure is drawn
    estimates = [np.median(np.repeat(latency, drawn)) if drawn.any() else np.nan for drawn in times]
    value = float(np.median(latency)) if len(latency) else None
    return intervals.interval(value, estimates, len(names))
