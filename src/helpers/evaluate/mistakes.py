"""Mistakes: the missed seizures and the likeliest false alarms; without any, the decision closest to an error."""

import pandas as pd

from helpers.acquire.annotations import overlap_s
from helpers.evaluate import scores

MISSED, FALSE_ALARM = "missed seizure", "false alarm"  # errors
LEAST_SURE, LOUDEST = "least sure of the seizures found", "nearest to a false alarm"  # none
COLUMNS = ["kind", "recording", "start_s", "end_s", "peak_s", "p_peak", "threshold"]
WINDOW_S = 20.0  # of raw EEG beside each: two pages of an EEG on paper
LEAD_S = 5.0  # shown before a seizure's onset


def select(table, annotations, false_alarms_shown):
    """Return each missed seizure and the worst false alarms, counted as in `scores.event_scores`.

    `table` is from `decisions.decide`. ``start_s`` and ``end_s`` are of the seizure or alarm, ``peak_s`` is the middle
    of its frame with the highest ``p_smooth`` (``p_peak``), for a seizure within SzCORE's tolerance. If no seizure was
    missed, the one found with the lowest ``p_peak`` / ``threshold`` stands in its place; if there is no false alarm,
    the frame without an alarm, outside every tolerance, with the highest ``p_smooth``. Neither is an error.
    """
    rows = []
    for row in scores.latencies(table, annotations).itertuples():
        span = (row.start_s, row.end_s)
        frames = _frames_in(table[table["recording"] == row.recording], [scores.detection_window(*span)])
        rows.append(_describe(LEAST_SURE if row.detected else MISSED, row.recording, *span, frames))
    missed = [row for row in rows if row[0] == MISSED]
    rows = missed or sorted(rows, key=lambda row: (row[5] / row[6], *row[1:3]))[:1]
    false = sorted(_false_alarms(table, annotations), key=lambda row: (-row[5], *row[1:3]))
    return pd.DataFrame(rows + (false or _nearest(table, annotations))[:false_alarms_shown], columns=COLUMNS)


def window(row, duration_s):
    """Return where to read the raw EEG of a row of `select`: from 5 s before an onset, or around an alarm's peak."""
    of_seizure = row.kind in (MISSED, LEAST_SURE)
    start_s = row.start_s - LEAD_S if of_seizure else row.peak_s - WINDOW_S / 2
    start_s = max(0.0, min(float(start_s), duration_s - WINDOW_S))
    return start_s, min(start_s + WINDOW_S, duration_s)


def _describe(kind, recording, start_s, end_s, frames):
    """Return one row of `select`; the peak is looked for among `frames`."""
    peak = frames.loc[frames["p_smooth"].idxmax()]
    peak_s = (peak["last_start_s"] + peak["end_s"]) / 2
    return [kind, recording, *map(float, (start_s, end_s, peak_s, peak["p_smooth"], peak["alarm_threshold"]))]


def _frames_in(frames, spans):
    """Return those of a recording's frames that overlap one of `spans`."""
    return frames[overlap_s(frames["last_start_s"], frames["end_s"], spans) > 0]


def _false_alarms(table, annotations):
    """Yield a row for each false alarm as SzCORE counts it; its peak is one of the alarm's own frames."""
    alarms = table[table["alarm"] == 1]
    for name, score in scores.score_events(scores.events(table), annotations):
        for start_s, end_s in score.hyp.events:
            first, last = round(start_s * scores.SCORING_HZ), round(end_s * scores.SCORING_HZ)
            if not score.tpMask[first:last].any():
                own = _frames_in(alarms[alarms["recording"] == name], [(start_s, end_s)])
                yield _describe(FALSE_ALARM, name, start_s, end_s, own)


def _nearest(table, annotations):
    """Return, as a list of one row or none, the highest frame that is no alarm and outside every tolerance."""
    quiet = table[table["alarm"] == 0]
    for name, part in quiet.groupby("recording"):
        windows = [scores.detection_window(*span) for span in annotations.spans(name)]
        quiet = quiet.drop(_frames_in(part, windows).index)
    highest = quiet.nlargest(1, "p_smooth")
    return [_describe(LOUDEST, row.recording, row.last_start_s, row.end_s, highest) for row in highest.itertuples()]
