"""Decisions: log-odds become probabilities, sample decisions and alarms, by what a fold's inner recordings say.

Alarms: log-odds are averaged over k frames, compared with a threshold, and short runs dropped. ``known_s`` is when an
alarm is known: an average waits for (k − 1)/2 frames to come, a smallest duration until it has passed.
"""

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from helpers.acquire.annotations import runs
from helpers.evaluate import calibration, scores
from helpers.study.errors import RecordingError

SMOOTHINGS = (1, 3, 5)  # frames averaged; 1: none
SMALLEST = (1, 2, 3)  # frames an event must last; 1: any
CANDIDATES = 40  # thresholds tried: each is scored as events on all inner recordings
CERTAIN = 1e-12  # a probability of 0 or 1 would have infinite log-odds


def decide(predictions, inner, annotations):
    """Decide on every held-out sample by what its fold chooses on its inner recordings alone.

    Parameters
    ----------
    predictions, inner : pandas.DataFrame
        From `training.out_of_fold`, a row a frame: ``recording``, ``last_start_s``, ``end_s``, ``label``, ``fold``,
        ``log_odds``; `inner`, what each fold may choose by, also ``network``.
    annotations : Annotations

    Returns
    -------
    table : pandas.DataFrame
        `predictions` with ``p_seizure``, ``threshold`` and ``decided`` for the sample alone, and ``p_smooth``,
        ``alarm_threshold``, ``alarm`` and ``known_s`` after post-processing.
    choices : list of dict
        A fold's ``fold``, ``threshold``, ``calibration`` (`calibration.fit`) and ``alarm`` (`choose_alarm`).

    Raises
    ------
    AssertionError
        If a fold would choose on a recording that it reports.
    RecordingError
        If log-odds are not finite, frames are missing, or a fold's inner samples are of one class.
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
    """Return ``threshold``, ``calibration`` and ``alarm`` for one fold's inner samples; arguments as for `decide`."""
    if missing := scores.missing_class(inner["label"].sum(), len(inner)):
        raise RecordingError(f"A fold has nothing to choose by: among its inner samples, {missing}.")
    fitted = calibration.fit(inner["log_odds"], inner["label"], inner["network"])
    inner = inner.assign(p_seizure=calibration.calibrate(inner["log_odds"], fitted))
    return {
        "threshold": best_threshold(inner["label"], inner["p_seizure"]),
        "calibration": fitted,
        "alarm": choose_alarm(inner, annotations),
    }


def apply(held_out, choice):
    """Return the samples of one fold with what `decide` adds."""
    p_seizure = calibration.calibrate(held_out["log_odds"], choice["calibration"])
    table = held_out.assign(p_seizure=p_seizure, threshold=choice["threshold"])
    table["decided"] = (table["p_seizure"] >= table["threshold"]).astype(int)
    return raise_alarms(table, choice["alarm"])


def raise_alarms(table, settings):
    """Return `table`, a row a frame, with ``p_smooth``, ``alarm_threshold``, ``alarm`` (0 or 1) and ``known_s`` (in s).

    `settings` has ``k``, ``threshold`` and ``minimum`` (in frames), from `choose_alarm`.
    """
    p, end_s = table["p_seizure"].to_numpy(float), table["end_s"].to_numpy(float)
    p_smooth, alarm, known_s = np.empty(len(p)), np.zeros(len(p), int), np.empty(len(p))
    for _, rows in scores.recording_rows(table):
        p_smooth[rows] = smooth(p[rows], settings["k"])
        alarm[rows] = drop_short(p_smooth[rows] >= settings["threshold"], settings["minimum"])
        known_s[rows] = end_s[rows][_known_frames(alarm[rows], settings)]
    return table.assign(p_smooth=p_smooth, alarm_threshold=settings["threshold"], alarm=alarm, known_s=known_s)


def smooth(p, k):
    """Return probabilities [frame] averaged as log-odds over k frames (odd, centred), over fewer at the ends."""
    if k == 1:
        return p
    log_odds = logit(np.clip(p, CERTAIN, 1 - CERTAIN))
    total, count = (np.convolve(values, np.ones(k)) for values in (log_odds, np.ones(len(p))))
    return expit((total / count)[(k - 1) // 2 :][: len(p)])


def drop_short(decided, frames):
    """Return decisions, int [frame], without runs shorter than `frames` frames."""
    decided = np.array(decided, int)
    for start, end in runs(decided):
        if end - start < frames:
            decided[start:end] = 0
    return decided


def _known_frames(alarm, settings):
    """Return the frame at whose end each decision is known, int [frame]; the recording's end ends all waiting."""
    known = np.arange(len(alarm))
    for start, end in runs(alarm):
        known[start:end] = np.maximum(known[start:end], start + settings["minimum"] - 1)
    return np.minimum(known + (settings["k"] - 1) // 2, len(alarm) - 1)


def best_threshold(label, p_seizure):
    """Return the threshold with the highest sample F1; of equals, the middle of the widest gap."""
    p, f1 = scores.f1_curve(label, p_seizure)
    below = np.concatenate([[0.0], p[:-1]])
    best = np.flatnonzero(f1 == f1.max())
    at = best[np.argmax((p - below)[best])]
    return float((below[at] + p[at]) / 2)


def candidate_thresholds(label, p):
    """Return middle and width of the gaps below seizure samples, at most `CANDIDATES`: no other has a higher F1."""
    edges = np.unique(np.concatenate([[0.0], p]))
    upper = np.searchsorted(edges, np.unique(np.asarray(p)[np.asarray(label) == 1]))
    upper = upper[upper > 0]
    if len(upper) > CANDIDATES:
        upper = upper[np.unique(np.linspace(0, len(upper) - 1, CANDIDATES).round().astype(int))]
    return [((edges[i - 1] + edges[i]) / 2, edges[i] - edges[i - 1]) for i in upper]


def choose_alarm(inner, annotations):
    """Return smoothing ``k``, ``threshold`` and ``minimum`` duration chosen on the frames of inner recordings.

    Few settings are tried, as few recordings say little. Smoothing has the highest average precision, which needs no
    threshold. The threshold has the highest event F1 (timescoring), then sample F1, then the widest gap between
    probabilities; the smallest duration is the shortest whose event F1 is the best and whose sample F1 is less than one
    seizure sample's worth below the best. ``event_f1`` and ``sample_f1`` of the choice are higher here than elsewhere.
    """
    label, p = inner["label"].to_numpy(), inner["p_seizure"].to_numpy(float)
    parts = list(scores.recording_rows(inner))
    by_k = {k: np.empty(len(p)) for k in SMOOTHINGS}
    for k, p_smooth in by_k.items():
        for _, rows in parts:
            p_smooth[rows] = smooth(p[rows], k)
    k = max(SMOOTHINGS, key=lambda k: (scores.auprc(label, by_k[k]), -k))
    tried = [_best_alarm(inner, parts, annotations, by_k[k], minimum) for minimum in SMALLEST]
    top = max(settings["event_f1"] for settings in tried)
    tried = [settings for settings in tried if settings["event_f1"] == top]
    close = max(settings["sample_f1"] for settings in tried) - 1 / label.sum()
    return {"k": k, **next(settings for settings in tried if settings["sample_f1"] > close)}


def _best_alarm(inner, parts, annotations, p_smooth, minimum):
    """Return the settings with this `minimum` and the best threshold, with its two F1."""
    label, start_s, end_s = (inner[key].to_numpy() for key in ("label", "last_start_s", "end_s"))
    true, found = {name: annotations.spans(name) for name, _ in parts}, []
    for threshold, width in candidate_thresholds(label, p_smooth):
        decided, counts = np.zeros(len(inner), int), np.zeros(3, int)
        for name, rows in parts:
            decided[rows] = drop_short(p_smooth[rows] >= threshold, minimum)
            spans = scores.event_spans(start_s[rows], end_s[rows], decided[rows])
            score = scores.score_recording(true[name], spans, annotations.durations_s[name])
            counts += (score.tp, score.refTrue - score.tp, score.fp)
        tp = int(decided @ label)
        sample_f1 = scores.f1_score(tp, int(label.sum()) - tp, int(decided.sum()) - tp)
        found.append((scores.f1_score(*counts.tolist()), sample_f1, width, float(threshold)))
    event_f1, sample_f1, _, threshold = max(found)
    return {"threshold": threshold, "minimum": minimum, "event_f1": event_f1, "sample_f1": sample_f1}
