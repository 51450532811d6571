"""BIDS events files: when a recording's seizures were, in HED-SCORE's terms.

A seizure lost without a word is the worst fault here, so what could be a seizure and is not understood is refused.
Times are seconds from the recording's first sample, as `annotation_files.seconds` gives them.
"""

import csv
from datetime import datetime
from pathlib import Path

from helpers.acquire.annotation_files import read_lines, rounded, seconds, shown
from helpers.study.errors import RecordingError

ROUNDING_S = 0.02  # SzCORE's tools write onset, duration and recordingDuration with two decimals each
NO_SEIZURE = ("bckg", "impd")


def read_events(path):
    """Read a BIDS ``*_events.tsv`` in SzCORE's form.

    The columns are ``onset`` and ``duration`` in seconds, ``eventType``, and where known ``confidence``, ``channels``,
    ``dateTime`` and ``recordingDuration``; BIDS's ``trial_type`` is taken where there is no ``eventType``. The types
    are HED-SCORE's: ``sz`` and all that begin with ``sz_`` are seizures, ``bckg`` is background; ``impd``, a check of
    impedances that SeizeIT2's own reader skips, is none either. Any other type ("seizure", "sz-foc", "n/a") is
    refused, as it may be a seizure. A file without a row is refused too: SzCORE gives a recording without seizures a
    ``bckg`` row, so an empty one is as likely cut short. Rows of one seizure, a channel each, are united where they
    overlap or touch.

    Sources: https://epilepsybenchmarks.com/framework/, ``events.json`` of https://github.com/esl-epfl/epilepsy2bids,
    https://github.com/biomedepi/seizeit2,
    https://bids-specification.readthedocs.io/en/stable/modality-specific-files/task-events.html.

    Returns
    -------
    dict
        ``seizures``, a list of (start_s, end_s) in order, no two touching; ``start``, the ``dateTime`` as written, or
        ""; ``duration_s``, the ``recordingDuration``, or None.

    Raises
    ------
    RecordingError
        If the file is no such table, or a seizure has no onset or duration or lies beyond the recording; the message
        names the file and the line.
    """
    name, seizures, starts, durations = Path(path).name, [], set(), set()
    for number, row in _read_table(path):
        try:
            starts |= _date_time(row.get("datetime", ""))
            durations |= _recording_duration(row.get("recordingduration", ""))
            seizures += _seizure_of(row)
        except RecordingError as error:
            raise RecordingError(f"{name}, line {number}: {error}") from None
    if len(starts) > 1 or len(durations) > 1:
        raise RecordingError(f"{name}: a row's dateTime or recordingDuration differs from another's. Correct them.")
    duration_s = next(iter(durations), None)
    return {"seizures": _unite(seizures, duration_s, name), "start": next(iter(starts), ""), "duration_s": duration_s}


def _read_table(path):
    """Return a TSV file's rows as (line number, {column in lower case: cell}), its columns and shape checked."""
    name, rows, last = Path(path).name, [], 0
    reader = csv.reader(read_lines(path), delimiter="\t", strict=True)
    try:
        for cells in reader:
            if reader.line_num != last + 1:
                raise csv.Error("a quoted cell runs over the end of its line")
            last = reader.line_num
            rows += [(last, [cell.strip() for cell in cells])] if cells else []
    except csv.Error as error:
        raise RecordingError(f"{name}, line {last + 1}: {error}. Wanted is a table separated by tabs.") from None
    header = [cell.casefold() for cell in rows[0][1]] if rows else []
    if not {"onset", "duration"} <= set(header) or not {"eventtype", "trial_type"} & set(header):
        raise RecordingError(f"{name} has the columns {shown(str(header))}; it needs onset, duration and eventType.")
    if len(set(header)) != len(header):
        raise RecordingError(f"{name} has a column twice: {shown(str(header))}. Leave one of each name.")
    for number, cells in rows:
        if len(cells) != len(header):
            raise RecordingError(f"{name}, line {number}: {len(cells)} cells, wanted {len(header)} as in the header.")
    if len(rows) < 2:
        raise RecordingError(f"{name} has no row. A recording without seizures has one of type bckg over all of it.")
    return [(number, dict(zip(header, cells, strict=True))) for number, cells in rows[1:]]


def _seizure_of(row):
    """Return a list of the row's seizure, (start_s, end_s), empty if its type is none."""
    kind = row.get("eventtype", row.get("trial_type")).casefold()
    if kind in NO_SEIZURE:
        return []
    if kind != "sz" and not kind.startswith("sz_"):
        raise RecordingError(
            f"the event type is {shown(kind)}, and nobody can say whether that is a seizure. Write sz or a type of "
            f"HED-SCORE that begins with sz_ if it is, {' or '.join(NO_SEIZURE)} if not."
        )
    onset, duration = seconds(row["onset"]), seconds(row["duration"])
    if onset is None or not duration:
        found = f"onset {shown(row['onset'])} and duration {shown(row['duration'])}"
        raise RecordingError(f"a seizure has {found}; wanted are seconds, from 0 and above 0.")
    return [(onset, rounded(onset + duration))]


def _date_time(text):
    """Return a set of the dateTime as written, empty if it is not known."""
    if text.casefold() in ("", "n/a"):
        return set()
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise RecordingError(f"dateTime is {shown(text)}; wanted is one like 2016-11-06 13:43:04, or n/a.") from None
    return {text}


def _recording_duration(text):
    """Return a set of the recordingDuration in seconds, empty if it is not known."""
    if text.casefold() in ("", "n/a"):
        return set()
    if not seconds(text):
        raise RecordingError(f"recordingDuration is {shown(text)}; wanted are seconds, more than 0, or n/a.")
    return {seconds(text)}


def _unite(seizures, duration_s, name):
    """Unite seizures that overlap or touch; end them with the recording, as far as they end later by rounding."""
    united = []
    for start, end in sorted(seizures):
        if duration_s is not None and end > duration_s:
            if end > duration_s + ROUNDING_S or start >= duration_s:
                raise RecordingError(
                    f"{name} has a seizure from {start} s to {end} s, beyond the recording's end at {duration_s} s."
                )
            end = duration_s
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((start, end))
    return united
