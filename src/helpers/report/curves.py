"""Curves: what the interactive figure of probability over time draws, as data for its script."""

import json

import numpy as np

from helpers.acquire.annotations import Annotations
from helpers.evaluate import mistakes, scores
from helpers.evaluate.figures import FLOOR, RARE
from helpers.study.errors import RecordingError

DIGITS, PLACES = 4, 6  # of a probability: significant digits, and places after the point; finer is not to be seen
NAME = "PROBABILITY"  # the variable of the page in which the script looks for its data


def probability_data(recordings, seizures, samples, alarms, folds, frame_s):
    """Return what `figures.probability` shows, of all recordings, for ``probability.js``.

    Parameters
    ----------
    recordings : pandas.DataFrame
        ``recording`` (str), ``duration_s``; in the order in which they are shown.
    seizures : pandas.DataFrame
        ``recording``, ``start_s``, ``end_s``, as annotated.
    samples : pandas.DataFrame
        ``decisions.csv``: ``recording``, ``fold``, ``last_start_s``, ``end_s``, ``p_seizure``, ``p_smooth``,
        ``alarm_threshold``, ``alarm``, ``known_s``.
    alarms : pandas.DataFrame
        ``events.csv``: ``recording``, ``start_s``, ``end_s`` of each run of alarms.
    folds : list of dict
        ``folds`` of ``metrics.json``: ``fold``, and ``alarm`` with ``threshold`` and ``k``.
    frame_s : float
        The length of a frame.

    Returns
    -------
    dict
        Ready for JSON. ``frame_s``; ``log_odds``, whether the static picture's axis is one of log-odds; ``floor``, what
        is nearer than this to 0 or 1 is drawn there; ``recordings``, a list of ``name``, ``duration_s``, ``fold``,
        ``threshold``, ``first_s``, ``wait_s``, ``p``, ``smooth``, ``seizures`` [start_s, end_s, found] and ``alarms``
        [start_s, end_s, known_s, false]. Sample i lies from ``first_s`` + i · ``frame_s``, one frame long, as in the
        static picture; its ``smooth`` is known ``wait_s`` after its end; an alarm is known at its ``known_s``.

    Raises
    ------
    RecordingError
        If the tables do not fit together; the message names the recording.

    Notes
    -----
    What is found and what is false is counted by SzCORE's rules, as in ``metrics.json``. A seizure of over 5 min is
    split by them; here it is found if a part of it is.
    """
    names = recordings["recording"].tolist()
    for what, table in (("samples", samples), ("seizures", seizures), ("alarms", alarms)):
        if unknown := sorted(set(table["recording"]) - set(names)):
            raise RecordingError(f"The {what} name {', '.join(map(str, unknown))}, which are none of the recordings.")
    settings = {fold["fold"]: fold["alarm"] for fold in folds}
    parts = {name: samples[samples["recording"] == name].sort_values("end_s") for name in names}
    courses = {name: _course(part, name, settings, frame_s) for name, part in parts.items()}
    durations_s = dict(zip(names, recordings["duration_s"].tolist(), strict=True))
    annotations = Annotations(seizures, durations_s)
    seen = scores.latencies(samples, annotations)
    wrong = mistakes.select(samples, annotations, len(samples))
    found, false = seen[seen["detected"] == 1], wrong[wrong["kind"] == mistakes.FALSE_ALARM]
    shown = []
    for name, part in parts.items():
        spans, known = _spans(seizures, name), _known(part)
        if _spans(alarms, name) != [list(span) for span in known]:
            raise RecordingError(f"{name}: the alarms {_spans(alarms, name)} differ from the samples', {list(known)}.")
        marks = {
            "seizures": [[*span, _touches(name, span, found)] for span in spans],
            "alarms": [[*span, known_s, _touches(name, span, false)] for span, known_s in known.items()],
        }
        shown.append({"name": name, "duration_s": _short(durations_s[name]), **courses[name], **marks})
    rare = bool(samples["alarm_threshold"].min() < RARE)
    return {"frame_s": _short(frame_s), "log_odds": rare, "floor": FLOOR, "recordings": shown}


def script(data):
    """Return the text of ``probability-data.js``: the same data, the same bytes.

    Nothing in a recording's name ends the script or a line of it: what is not plain ASCII, and ``<``, ``>``, ``&``, are
    written by number.
    """
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f"window.{NAME} = {text};\n"


def _course(part, name, settings, frame_s):
    """Return fold, threshold, times and probabilities of one recording, whose samples must be one a frame."""
    if part.empty:
        raise RecordingError(f"{name} has no sample. Give the decisions on every recording.")
    first_s, start_s, end_s = part["last_start_s"].iloc[0], part["last_start_s"], part["end_s"]
    edges_s = first_s + frame_s * np.arange(len(part) + 1)
    if not (np.allclose(start_s, edges_s[:-1]) and np.allclose(end_s, edges_s[1:])):
        raise RecordingError(
            f"{name}: its samples are not one each {frame_s:g} s from {first_s:g} s on, without a gap."
        )
    fold, threshold = int(part["fold"].iloc[0]), float(part["alarm_threshold"].iloc[0])
    chosen = settings.get(fold, {"threshold": np.nan, "k": 1})
    if not np.allclose(part["alarm_threshold"], chosen["threshold"], rtol=1e-9):
        raise RecordingError(f"{name}: its threshold is {threshold}, but {chosen['threshold']} in fold {fold}.")
    if not part[["p_seizure", "p_smooth"]].apply(lambda p: p.between(0, 1)).all(axis=None):
        raise RecordingError(f"{name}: a p_seizure or p_smooth does not lie between 0 and 1.")
    return {
        "fold": fold,
        "threshold": _rounded(threshold),
        "first_s": _short(first_s),
        "wait_s": _short((chosen["k"] - 1) // 2 * frame_s),
        "p": [_rounded(p) for p in part["p_seizure"]],
        "smooth": [_rounded(p) for p in part["p_smooth"]],
    }


def _known(part):
    """Return when each run of alarms of one recording is known, in s: a dict by (start_s, end_s), in order."""
    part = part[part["alarm"] == 1]
    run = (part["last_start_s"] > part["end_s"].shift()).cumsum()
    rows = part.groupby(run).agg(start=("last_start_s", "first"), end=("end_s", "last"), known=("known_s", "first"))
    return {(_short(row.start), _short(row.end)): _short(row.known) for row in rows.itertuples()}


def _spans(table, name):
    """Return the [start_s, end_s] of a recording, in order."""
    part = table.loc[table["recording"] == name, ["start_s", "end_s"]].sort_values("start_s")
    return [[_short(start), _short(end)] for start, end in part.to_numpy().tolist()]


def _touches(name, span, table):
    """Return 1 if a span of a recording overlaps one of the table, else 0."""
    overlap = (table["start_s"] < span[1]) & (table["end_s"] > span[0])
    return int((overlap & (table["recording"] == name)).any())


def _rounded(p):
    """Return a probability as it is drawn."""
    return _short(round(float(f"{p:.{DIGITS}g}"), PLACES))


def _short(number):
    """Return a number to the millionth; a whole one without a point."""
    value = round(float(number), 6)
    return int(value) if value.is_integer() else value
