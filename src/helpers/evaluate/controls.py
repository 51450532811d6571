"""Controls: what event scores alarms would have that know nothing of the EEG.

In short recordings the tolerances of event scoring reach far, so that an alarm that is always on, or that comes at
random, finds seizures too. An event score says as much as it exceeds these. Times here are whole tenths of a second.
"""

import numpy as np
import pandas as pd

from helpers.evaluate import scores

DRAWS = 1000
HZ = scores.SCORING_HZ
MERGED, LONGEST = (
    round(seconds * HZ) for seconds in (scores.TOLERANCE.minDurationBetweenEvents, scores.TOLERANCE.maxEventDuration)
)


def score_controls(found, annotations, seed=0, draws=DRAWS):
    """Return the event scores of three controls for a detector's events, from `scores.events`: a list of dicts.

    ``control``: "always on", one event a recording, over all of it; "random alarms", as many and as long as the
    detector's, anywhere in all recordings; "rotated", each recording's own, all shifted by one random time, round its
    end. Of each the `scores.event_rates`; of the two random ones they are means over draws, with ``f1_low`` and
    ``f1_high``, between which 95 % of the draws lie. Of "rotated", ``reached``: the share of rotations whose F1 is the
    detector's or more, the detector's own place counted, which is the p of a permutation test.
    """
    generator, names = np.random.default_rng(seed), list(annotations.durations_s)
    last = np.array([round(annotations.durations_s[name] * HZ) for name in names])
    start, end = np.rint(found[["start_s", "end_s"]].to_numpy(float).T * HZ).astype(int)
    length, own = end - start, found["recording"].map(names.index).to_numpy(int)
    where = generator.choice(len(names), (draws, len(found)), p=last / last.sum())
    begin = generator.integers(0, np.maximum(last[where] - length, 0) + 1)
    totals = dict.fromkeys(("ours", "always on", "random alarms", "rotated"), 0)
    for number, (name, n) in enumerate(zip(names, last, strict=True)):
        here, mine = where == number, own == number
        shifted = (start[mine] + generator.integers(0, n, (draws, 1))) % n
        over = np.maximum(shifted + length[mine] - n, 0)  # what is beyond the end goes on at the beginning
        alarms = {
            "ours": (start[None, mine], end[None, mine]),
            "always on": (np.zeros((1, 1), int), np.full((1, 1), n)),
            "random alarms": (begin, np.where(here, begin + length, 0)),
            "rotated": (np.hstack([shifted, 0 * over]), np.hstack([shifted + length[mine], over])),
        }
        for control, (first, stop) in alarms.items():
            totals[control] = totals[control] + count_events(annotations.spans(name), first, np.minimum(stop, n), n)
    rates = {control: _rates(counts, annotations.hours) for control, counts in totals.items()}
    reached = draws - (rates["rotated"]["f1"] < rates.pop("ours")["f1"][0]).sum()
    rows = [{"control": control, **_mean(table)} for control, table in rates.items()]
    return [*rows[:2], rows[2] | {"reached": float((1 + reached) / (1 + draws))}]


def count_frames(times_s, decided, annotations, recording):
    """Return `count_events` of a recording's frames, from start and end in s [2, frame] and `decided` [draw, frame]."""
    n, times = round(annotations.durations_s[recording] * HZ), np.rint(times_s * HZ).astype(int)
    edges = np.diff(decided, axis=1, prepend=0, append=0)
    (draw, first), (_, last) = np.nonzero(edges > 0), np.nonzero(edges < 0)
    place = np.arange(len(draw)) - np.searchsorted(draw, draw)  # of a run of frames among its draw's
    start, end = np.zeros((2, len(decided), place.max(initial=-1) + 1), int)
    start[draw, place], end[draw, place] = times[0, first], np.minimum(times[1, last - 1], n)
    return count_events(annotations.spans(recording), start, end, n)


def count_events(true, start, end, n):
    """Return seizures, those detected and false alarms as `timescoring` counts them, int [draw, 3].

    `true` are one recording's seizures [seizure, 2] in s; `start` and `end` [draw, event], in tenths of a second, those
    of alarms, none where the end is not after the start; `n` is the recording's length in tenths.
    """
    seizures = scores.score_recording(true, np.empty((0, 2)), n / HZ).ref.events  # merged and split
    windows = [np.clip(np.rint(np.multiply(scores.detection_window(*span), HZ)), 0, n).astype(int) for span in seizures]
    far, none = 2 * n + MERGED, end <= start
    padding = np.full((len(start), 1), far)  # an event without length, after all others
    start, end = (np.hstack([np.where(none, far, times), padding]) for times in (start, end))
    order = start.argsort(axis=1)
    start, end = (np.take_along_axis(times, order, axis=1) for times in (start, end))
    end = np.maximum.accumulate(end, axis=1)
    first = np.ones(start.shape, bool)
    first[:, 1:] = start[:, 1:] - end[:, :-1] >= MERGED
    start = np.maximum.accumulate(np.where(first, start, 0), axis=1)  # of what is merged
    end = np.where(np.hstack([first[:, 1:], padding > 0]), end, 0)  # once for all that is merged
    in_window = np.zeros(n + 1, int)  # how many tenths before each lie in a window
    for opens, closes in windows:
        in_window[opens + 1 : closes + 1] = 1
    in_window = in_window.cumsum()
    detected = sum((np.minimum(end, closes) > np.maximum(start, opens)).any(axis=1) for opens, closes in windows)
    false_alarms = np.zeros(len(start), int)
    for piece in range(0, n, LONGEST):
        begins, stops = np.minimum(start + piece, n), np.minimum(np.minimum(start + piece + LONGEST, end), n)
        false_alarms += ((stops > begins) & (in_window[stops] == in_window[begins])).sum(axis=1)
    return np.stack(np.broadcast_arrays(len(seizures), detected, false_alarms), axis=1)


def _rates(counts, hours):
    return pd.DataFrame([scores.event_rates(*row, hours) for row in counts.tolist()], dtype=float)


def _mean(table):
    found = table.mean().to_dict()
    if len(table) > 1:
        found |= {name: table["f1"].quantile(share) for name, share in (("f1_low", 0.025), ("f1_high", 0.975))}
    return {name: None if np.isnan(number) else float(number) for name, number in found.items()}
