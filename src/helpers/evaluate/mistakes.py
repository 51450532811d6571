"""Mistakes: each missed seizure and the worst false alarms; where there is none, what came nearest to being one."""

import numpy as np
import pandas as pd
from timescoring.scoring import EventScoring

from helpers.evaluate import decisions, detections, scores

MISSED, FALSE_ALARM = "missed seizure", "false alarm"  # errors
LEAST_SURE, LOUDEST = "least sure of the seizures found", "nearest to a false alarm"  # none
COLUMNS = ["kind", "recording", "start_s", "end_s", "peak_s", "p_peak", "threshold"]
WINDOW_S = 20.0  # of raw EEG beside each: two pages of an EEG on paper
LEAD_S = 5.0  # shown before a seizure's onset


def select(table, seizures, durations_s, false_alarms_shown):
    """Choose by rule what the page of errors shows.

    Parameters
    ----------
    table : pandas.DataFrame
        From `decisions.decide`.
    seizures : pandas.DataFrame
        ``recording``, ``start_s``, ``end_s``.
    durations_s : dict of str → float
    false_alarms_shown : int
        At most so many, those with the highest peak first.

    Returns
    -------
    pandas.DataFrame
        ``kind``, ``recording``, ``start_s``, ``end_s`` (of the seizure or alarm), ``peak_s`` (middle of the frame with
        the highest ``p_smooth``, for a seizure within SzCORE's tolerance), ``p_peak``, ``threshold`` (the fold's, for
        alarms).

    Notes
    -----
    Missed seizures and false alarms are those that `scores.event_scores` counts. If no seizure was missed, the one
    found with the lowest ``p_peak`` / ``threshold`` stands in its place; if there is no false alarm, the frame without
    an alarm, and outside every seizure's tolerance, with the highest ``p_smooth``. Neither is an error.
    """
    seen = _seizures(table, seizures, durations_s)
    false = _false_alarms(table, seizures, durations_s)
    missed = [row for row in seen if row[0] == MISSED]
    rows = missed or sorted(seen, key=lambda row: (row[5] / row[6], *row[1:3]))[:1]
    if false:
        rows += sorted(false, key=lambda row: (-row[5], *row[1:3]))[:false_alarms_shown]
    elif false_alarms_shown:
        rows += _loudest(table, seizures, durations_s)
    return pd.DataFrame(rows, columns=COLUMNS)


def window(row, duration_s):
    """Return where to read the raw EEG of a row of `select`: from 5 s before an onset, or around an alarm's peak."""
    of_seizure = row.kind in (MISSED, LEAST_SURE)
    start_s = row.start_s - LEAD_S if of_seizure else row.peak_s - WINDOW_S / 2
    start_s = max(0.0, min(float(start_s), duration_s - WINDOW_S))
    return start_s, min(start_s + WINDOW_S, duration_s)


def _row(kind, recording, start_s, end_s, frames):
    """Return one row; `frames` are those among which the peak is looked for."""
    peak = frames.loc[frames["p_smooth"].idxmax()]
    peak_s = (peak["last_start_s"] + peak["end_s"]) / 2
    return [kind, recording, *map(float, (start_s, end_s, peak_s, peak["p_smooth"], peak["alarm_threshold"]))]


def _within(table, recording, start_s, end_s):
    """Return the frames of a recording that overlap a span."""
    inside = (table["last_start_s"] < end_s) & (table["end_s"] > start_s)
    return table[inside & (table["recording"] == recording)]


def _seizures(table, seizures, durations_s):
    """Return a row for each seizure as SzCORE counts it; its peak is looked for within the tolerance."""
    rows = []
    for seizure in detections.latencies(decisions.alarms(table), seizures, durations_s).itertuples():
        frames = _within(table, seizure.recording, *scores.tolerated(seizure.start_s, seizure.end_s))
        kind = LEAST_SURE if seizure.detected else MISSED
        rows.append(_row(kind, seizure.recording, seizure.start_s, seizure.end_s, frames))
    return rows


def _false_alarms(table, seizures, durations_s):
    """Return a row for each false alarm as SzCORE counts it; its peak is one of the alarm's own frames."""
    alarms, rows = table[table["alarm"] == 1], []
    found = scores.events(decisions.alarms(table))
    for recording, duration_s in durations_s.items():
        score = EventScoring(*(scores.annotation(spans, recording, duration_s) for spans in (seizures, found)))
        for start_s, end_s in score.hyp.events:
            first, last = round(start_s * scores.SCORING_HZ), round(end_s * scores.SCORING_HZ)
            if not np.any(score.tpMask[first:last]):
                rows.append(_row(FALSE_ALARM, recording, start_s, end_s, _within(alarms, recording, start_s, end_s)))
    return rows


def _loudest(table, seizures, durations_s):
    """Return, as a list of one row or none, the highest frame that is no alarm and outside every tolerance."""
    quiet = table[table["alarm"] == 0]
    for seizure in seizures.itertuples():
        tolerated = scores.tolerated(seizure.start_s, seizure.end_s)
        quiet = quiet.drop(_within(quiet, seizure.recording, *tolerated).index)
    quiet = quiet[quiet["recording"].isin(durations_s)]
    if quiet.empty:
        return []
    highest = quiet.loc[[quiet["p_smooth"].idxmax()]]
    frame = highest.iloc[0]
    return [_row(LOUDEST, frame["recording"], frame["last_start_s"], frame["end_s"], highest)]
