"""Predicted events as files: SzCORE's table, EDF+ annotations, and a copy of the recording with them."""

from contextlib import suppress
from datetime import time

import edfio
import pandas as pd

from helpers.predict import strangers
from helpers.study import files
from helpers.study.errors import RecordingError

KEPT = "eeg.sha256"  # beside results: whose they are
COLUMNS = ("onset", "duration", "eventType", "confidence", "channels", "dateTime", "recordingDuration")


def result_folder(patient, source):
    """Return where the results of a recording, or a folder of clips, belong, made if absent, and the EEG's SHA-256.

    That is ``output/<patient>/predictions/<name>`` or, of clips, ``output/<patient>/strangers/<name>``. ValueError if
    results of other EEG are there, by ``eeg.sha256``.
    """
    if source.is_dir():
        digest, name = files.fingerprint(strangers.list_clips(source), source), source.name
        place, result = "strangers", "clips.csv"
    else:
        digest, name, place = files.sha256(source), source.stem, "predictions"
        result = f"{name}_events.tsv"
    folder = files.stage_folder(patient, f"{place}/{name}")
    kept = folder / KEPT
    if (folder / result).exists() and not (kept.exists() and kept.read_text() == f"{digest}\n"):
        found = f"{files.display_path(folder)} holds the results of other EEG that is named {name}"
        raise ValueError(f"{found}. Rename {source}, or move that folder away.")
    return folder, digest


def start(path):
    """Return a recording's date and time of day, each None where its header gives none that could be."""
    date = clock = None
    with suppress(ValueError):
        recording = edfio.read_edf(path)
        clock = recording.starttime
        date = recording.startdate  # an error where it is anonymised
    return date, clock


def tabulate(found, started, duration_s):
    """Return events (``start_s``, ``end_s``, ``confidence``) in SzCORE's form, as text; `started` is from `start`.

    Without one, a row ``bckg`` covers the recording. The form: https://epilepsybenchmarks.com/framework/.
    """
    rows = [(row.start_s, row.end_s - row.start_s, "sz", f"{row.confidence:.4f}") for row in found.itertuples()]
    begun = f"{started[0]} {started[1]:%H:%M:%S}" if all(part is not None for part in started) else "n/a"
    same = "n/a", begun, f"{duration_s:.2f}"
    rows = [(f"{x:.2f}", f"{s:.2f}", *of, *same) for x, s, *of in rows or [(0, duration_s, "bckg", "n/a")]]
    return pd.DataFrame(rows, columns=COLUMNS)


def write_annotations(path, events, started):
    """Write `tabulate`'s events as EDF+ of annotations alone, with the recording's start, to be laid over it."""
    about = {"recording": edfio.Recording(startdate=started[0]), "starttime": started[1] or time()}
    with files.atomic_write(path) as partial:
        edfio.Edf([], annotations=_annotations(events), **about).write(partial)


def write_copy(path, source, events):
    """Write a copy of a recording, as EDF+, with `tabulate`'s events among its annotations.

    Raises RecordingError if edfio, which asks more of a header than we do, cannot read it.
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
