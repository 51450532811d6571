"""Predicted events as files: SzCORE's table, EDF+ annotations, and a copy of the recording with them."""

from contextlib import suppress
from datetime import datetime, time

import edfio
import pandas as pd

from helpers.study import files
from helpers.study.errors import RecordingError

COLUMNS = ("onset", "duration", "eventType", "confidence", "channels", "dateTime", "recordingDuration")


def start_time(path):
    """Return when a recording began, a datetime, or None where its header gives no date and time that could be."""
    with suppress(ValueError):
        recording = edfio.read_edf(path)
        return datetime.combine(recording.startdate, recording.starttime)


def tabulate(found, started, duration_s):
    """Return events (``start_s``, ``end_s``, ``confidence``) in SzCORE's form, as text, a row an event.

    ``eventType`` is HED-SCORE's ``sz``; without an event, one row of type ``bckg`` covers the recording
    (https://epilepsybenchmarks.com/framework/).
    """
    rows = [(row.start_s, row.end_s - row.start_s, "sz", f"{row.confidence:.4f}") for row in found.itertuples()]
    same = "n/a", f"{started:%Y-%m-%d %H:%M:%S}" if started else "n/a", f"{duration_s:.2f}"
    rows = rows or [(0, duration_s, "bckg", "n/a")]
    return pd.DataFrame([(f"{row[0]:.2f}", f"{row[1]:.2f}", *row[2:], *same) for row in rows], columns=COLUMNS)


def write_annotations(path, events, started):
    """Write `tabulate`'s events as EDF+ of annotations alone, with the recording's start, to be laid over it."""
    about = edfio.Recording(startdate=started.date()) if started else None
    begun = started.time() if started else time()
    with files.atomic_write(path) as partial:
        edfio.Edf([], annotations=_annotations(events), recording=about, starttime=begun).write(partial)


def write_copy(path, source, events):
    """Write a copy of a recording, as EDF+, with `tabulate`'s events among its annotations.

    Raises RecordingError if edfio cannot read it, which asks more of a header than `edf.open_edf`.
    """
    try:
        recording = edfio.read_edf(source)
        recording.add_annotations(_annotations(events))
        with files.atomic_write(path) as partial:
            recording.write(partial)
    except ValueError as error:
        found = f"{source.name} could not be copied with its annotations ({error})"
        raise RecordingError(f"{found}. Predict without COPY: the annotations have a file of their own.") from error


def _annotations(events):
    found = zip(events["onset"], events["duration"], events["eventType"], strict=True)
    return [edfio.EdfAnnotation(float(onset), float(duration), kind) for onset, duration, kind in found]
