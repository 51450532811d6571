"""Decisions: log-odds become sample decisions and alarms, by what a fold's inner recordings say.

Alarms: log-odds are averaged over `SMOOTHED` frames, compared with a threshold, and short runs dropped. ``known_s`` is
when an alarm is known: the average waits for two frames to come, a smallest duration until it has passed. Everything is
decided on log-odds; probabilities (see `calibration`) are for the eye.
"""

import numpy as np
import pandas as pd
from scipy.ndimage import binary_opening

from helpers.acquire.annotations import runs
from helpers.evaluate import calibration, controls, scores
from helpers.study.errors import RecordingError

SMOOTHED = 5  # frames averaged, two before, two after; fixed, as few seizures cannot choose it
SMALLEST = (1, 2, 3)  # frames an event must last; 1: any
CANDIDATES = 40  # thresholds tried: each is scored as events on all inner recordings
UNTRAINED = {"log_odds": 0.0, "minimum": 1}  # without recordings to choose on: even odds, as classes are balanced


def decide(predictions, inner, annotations):
    """Decide on every held-out sample by what its fold chooses on its inner recordings alone.

    `predictions` and `inner`, what each fold may choose by, are from `training.out_of_fold`, a row a frame:
    ``recording``, ``last_start_s``, ``end_s``, ``label``, ``fold``, ``log_odds``.

    Returns `predictions` with ``decided`` for the sample alone, and, after post-processing, ``log_odds_smooth``,
    ``alarm`` and ``known_s``; and as probabilities ``p_seizure``, ``threshold``, ``p_smooth`` and ``alarm_threshold``.
    Beside it a list of dicts, each fold's ``fold`` and what `choose` returns.

    Raises AssertionError if a fold would choose on a recording that it reports; RecordingError if log-odds are not
    finite, frames are missing, or a fold's inner samples are of one class.
    """
    for table in (predictions, inner):
        if wrong := int((~np.isfinite(table["log_odds"])).sum()):
            raise RecordingError(f"{wrong} of {len(table)} log-odds are not finite. Train again.")
    tables, choices = [], []
    for fold, held_out in predictions.groupby("fold"):
        own = inner[inner["fold"] == fold]
        both = sorted(set(own["recording"]) & set(held_out["recording"]))
        assert not both, f"fold {fold} chooses on {', '.join(both)}, which it reports"
        choice = {"fold": int(fold), **choose(own, annotations)}
        tables.append(apply(held_out, choice))
        choices.append(choice)
    return pd.concat(tables).loc[predictions.index], choices


def choose(inner, annotations):
    """Return what one fold's inner samples choose; arguments as for `decide`.

    ``log_odds`` of the sample threshold, and ``threshold``, the same as a probability, by ``calibration``
    (`calibration.fit`); ``alarm``: `choose_alarm`, with its ``threshold``.
    """
    if missing := scores.missing_class(inner["label"].sum(), len(inner)):
        raise RecordingError(f"A fold has nothing to choose by: among its inner samples, {missing}.")
    fitted = calibration.fit(inner["log_odds"], inner["label"])
    log_odds, alarm = best_threshold(inner["label"], inner["log_odds"]), choose_alarm(inner, annotations)
    alarm["threshold"] = float(calibration.calibrate(alarm["log_odds"], fitted))
    threshold = float(calibration.calibrate(log_odds, fitted))
    return {"log_odds": log_odds, "threshold": threshold, "calibration": fitted, "alarm": alarm}


def apply(held_out, choice):
    """Return the samples of one fold with what `decide` adds."""
    table = raise_alarms(held_out, choice["alarm"])
    return table.assign(
        decided=(table["log_odds"] >= choice["log_odds"]).astype(int),
        p_seizure=calibration.calibrate(table["log_odds"], choice["calibration"]),
        p_smooth=calibration.calibrate(table["log_odds_smooth"], choice["calibration"]),
        threshold=choice["threshold"],
        alarm_threshold=choice["alarm"]["threshold"],
    )


def raise_alarms(table, settings):
    """Return `table`, a row a frame, with ``log_odds_smooth``, ``alarm`` (0 or 1) and ``known_s`` (in s).

    `settings` has ``log_odds`` and ``minimum`` (in frames), from `choose_alarm`.
    """
    log_odds, end_s = table["log_odds"].to_numpy(float), table["end_s"].to_numpy(float)
    smoothed, alarm, known_s = smooth(table), np.zeros(len(log_odds), int), np.empty(len(log_odds))
    for _, rows in scores.recording_rows(table):
        alarm[rows] = drop_short(smoothed[rows] >= settings["log_odds"], settings["minimum"])
        known_s[rows] = end_s[rows][_known_frames(alarm[rows], settings["minimum"])]
    return table.assign(log_odds_smooth=smoothed, alarm=alarm, known_s=known_s)


def smooth(table):
    """Return ``log_odds`` averaged over `SMOOTHED` frames of a recording, centred, fewer at its ends: float [n]."""
    log_odds, smoothed = table["log_odds"].to_numpy(float), np.empty(len(table))
    for _, rows in scores.recording_rows(table):
        total, count = (np.convolve(x, np.ones(SMOOTHED)) for x in (log_odds[rows], np.ones(len(rows))))
        smoothed[rows] = (total / count)[(SMOOTHED - 1) // 2 :][: len(rows)]
    return smoothed


def drop_short(decided, frames):
    """Return decisions, int [..., frame], without runs shorter than `frames` frames."""
    return binary_opening(decided, np.ones((1,) * (np.ndim(decided) - 1) + (frames,))).astype(int)


def _known_frames(alarm, minimum):
    """Return the frame at whose end each decision is known, int [frame]; the recording's end ends all waiting."""
    known = np.arange(len(alarm))
    for start, end in runs(alarm):
        known[start:end] = np.maximum(known[start:end], start + minimum - 1)
    return np.minimum(known + (SMOOTHED - 1) // 2, len(alarm) - 1)


def best_threshold(label, log_odds):
    """Return the threshold with the highest sample F1; of equals, the middle of the widest gap."""
    value, f1 = scores.f1_curve(label, log_odds)
    below = np.concatenate([[value[0] - 1], value[:-1]])
    best = np.flatnonzero(f1 == f1.max())
    at = best[np.argmax((value - below)[best])]
    return float((below[at] + value[at]) / 2)


def candidate_thresholds(label, log_odds):
    """Return middle and width of the gaps below seizure samples, at most `CANDIDATES`: no other has a higher F1."""
    edges = np.unique(log_odds)
    edges = np.concatenate([[edges[0] - 1], edges])
    upper = np.searchsorted(edges, np.unique(np.asarray(log_odds)[np.asarray(label) == 1]))
    if len(upper) > CANDIDATES:
        upper = upper[np.unique(np.linspace(0, len(upper) - 1, CANDIDATES).round().astype(int))]
    return [((edges[i - 1] + edges[i]) / 2, edges[i] - edges[i - 1]) for i in upper]


def choose_alarm(inner, annotations):
    """Return threshold (``log_odds``) and ``minimum`` duration of alarms, chosen on the frames of inner recordings.

    Few settings are tried, as few recordings say little. The threshold has the highest event F1 (timescoring), then
    sample F1, then the widest gap between log-odds; the smallest duration is the shortest whose event F1 is the best
    and whose sample F1 is less than one seizure sample's worth below the best. ``event_f1`` and ``sample_f1`` of the
    choice are higher here than elsewhere.
    """
    smoothed, parts = smooth(inner), list(scores.recording_rows(inner))
    tried = [_best_alarm(inner, annotations, smoothed, parts, minimum) for minimum in SMALLEST]
    top = max(settings["event_f1"] for settings in tried)
    tried = [settings for settings in tried if settings["event_f1"] == top]
    close = max(settings["sample_f1"] for settings in tried) - 1 / inner["label"].sum()
    return next(settings for settings in tried if settings["sample_f1"] > close)


def _best_alarm(inner, annotations, smoothed, parts, minimum):
    """Return the settings with this `minimum` and the best threshold, with its two F1; `parts`: `recording_rows`."""
    label, times = inner["label"].to_numpy(), inner[["last_start_s", "end_s"]].to_numpy().T
    log_odds, width = np.transpose(candidate_thresholds(label, smoothed))
    decided, counts = np.zeros((len(log_odds), len(inner)), int), 0
    for name, rows in parts:
        decided[:, rows] = drop_short(smoothed[rows] >= log_odds[:, None], minimum)
        # a higher threshold decides a part of the same frames: as many are the same
        _, one, same = np.unique(decided[:, rows].sum(axis=1), return_index=True, return_inverse=True)
        counts = counts + controls.count_frames(times[:, rows], decided[one][:, rows], annotations, name)[same]
    seizures, detected, false_alarms = counts.T
    tp = decided @ label
    columns = (detected, seizures - detected, false_alarms), (tp, label.sum() - tp, decided.sum(axis=1) - tp)
    event_f1, sample_f1 = ([scores.f1_score(*row) for row in np.transpose(column).tolist()] for column in columns)
    event_f1, sample_f1, _, log_odds = max(zip(event_f1, sample_f1, width.tolist(), log_odds.tolist(), strict=True))
    scored = {"event_f1": event_f1, "sample_f1": sample_f1}
    return {"log_odds": log_odds, "minimum": minimum, "frames": SMOOTHED, **scored}
