"""A patient's recordings: brought from their source, checked against their annotations, listed with seizures."""

import re
from collections import Counter
from pathlib import Path

import pandas as pd

from helpers.acquire import annotations, edf, layouts, montages, physionet
from helpers.acquire.simulated import simulation
from helpers.study import patients
from helpers.study.errors import RecordingError, UnusableRecording

COLUMNS = ["recording", "file", "start", "duration_s", "sampling_hz", "seizures", "montage"]
ROUNDING_S = 0.02  # SzCORE's tools write two decimals


DESCRIPTIONS = {
    "simulate": "Simulated EEG in CHB-MIT's layout, calibrated to real recordings; no person was recorded.",
    "directory": "Recordings from a folder of the user's, annotated in {layout}.",
    "physionet": "CHB-MIT Scalp EEG Database 1.0.0 (PhysioNet, DOI 10.13026/C2K01R, ODC-By 1.0).",
}


def acquire(patient):
    """Bring a patient's recordings to where the study reads them.

    Returns
    -------
    folder : Path
        The recordings and their annotations.
    source : dict
        ``patient``, ``source``, ``description``, ``simulated``: what a reader must be told; ``unlisted``: recordings of
        the database that its summary does not list, and that are not used.

    Raises
    ------
    ValueError
        If the declaration is wrong, or a recording cannot be fetched (RecordingError).
    """
    declaration, folder = patients.load(patient), patients.recordings_folder(patient)
    kind, unlisted = declaration["source"], []
    description = DESCRIPTIONS[kind]
    if kind == "simulate":
        simulation.simulate_patient(folder, patient, declaration["recordings"], declaration["seed"])
    elif kind == "physionet":
        unlisted = physionet.unlisted(patient, physionet.fetch(patient, folder))
        if unlisted:
            description += (
                f" {len(unlisted)} more recordings of {patient} are in the database but not in its summary, so nobody "
                f"says whether they hold a seizure; they are not used: {', '.join(unlisted)}."
            )
    else:
        summary = any(path.name.endswith("-summary.txt") for path in layouts.contents(folder))
        description = description.format(layout="CHB-MIT's layout" if summary else "BIDS with HED-SCORE events")
    source = {"patient": patient, "source": kind, "description": description}
    return folder, source | {"simulated": kind == "simulate", "unlisted": unlisted}


def survey(folder, leave_out=False, unlisted=()):
    """Check a folder of recordings against its annotations, and list both.

    Parameters
    ----------
    folder : Path
        EDF files beside one ``*-summary.txt`` in CHB-MIT's layout, whose ``.edf.seizures`` are compared with it where
        they are; or one subject of a BIDS data set.
    leave_out : bool
        Go on without a good recording that the study cannot use, instead of refusing it.
    unlisted : collection of str
        Files that may be there though the summary does not list them: they are not read.

    Returns
    -------
    recordings, seizures, left_out : pandas.DataFrame
        One row a recording (`COLUMNS`: ``file`` is below `folder`, ``seizures`` their number, ``montage`` how the 18
        channels were found); one a seizure (``recording``, ``start_s``, ``end_s``); and one a recording left out
        (``recording``, ``seizures``, ``reason``).

    Raises
    ------
    RecordingError
        If the folder or its annotation is missing or contradictory, a listed file is missing or a present one is not
        listed, a file is damaged, or a seizure lies beyond a recording's end.
    UnusableRecording
        If a recording cannot be used (`edf.read_header`), or has another sampling rate than most, unless `leave_out`.
    """
    folder, usable, errors = Path(folder), [], []
    entries = layouts.entries(folder, unlisted)
    _check_names(entries)
    for entry in entries:
        try:
            header = edf.read_header(folder / entry["file"])
        except UnusableRecording as error:
            errors.append((entry, error))
        else:
            _check_times(entry, header)
            usable.append((entry, header))
    common_hz = Counter(header.sampling_hz for _, header in usable).most_common(1)[0][0] if usable else 0
    for entry, header in usable:
        if header.sampling_hz != common_hz:
            found = f"{entry['file']} has {header.sampling_hz:g} Hz, most recordings of the folder {common_hz:g} Hz."
            errors.append((entry, UnusableRecording(f"{found} Resample it, {montages.LEAVE_OUT}")))
    if errors and not leave_out:
        raise UnusableRecording("\n".join(str(error) for _, error in errors))
    left_out = [  # without what could be done instead
        (entry["recording"], len(entry["seizures"]), re.split(r" (?:Rename|Export|Resample) ", str(error))[0])
        for entry, error in errors
    ]
    usable = [(entry, header) for entry, header in usable if header.sampling_hz == common_hz]
    if not usable:
        raise RecordingError(f"None of the {len(entries)} recordings in {folder} can be used: {left_out[0][2]}")
    rows = [
        (entry["recording"], entry["file"], entry["start"], header.duration_s, header.sampling_hz,
         len(entry["seizures"]), montages.describe(header.montage, header.labels))
        for entry, header in usable
    ]  # fmt: skip
    seizures = [(entry["recording"], *seizure) for entry, _ in usable for seizure in entry["seizures"]]
    return (
        pd.DataFrame(rows, columns=COLUMNS),
        pd.DataFrame(seizures, columns=annotations.COLUMNS),
        pd.DataFrame(left_out, columns=["recording", "seizures", "reason"]),
    )


def check_enough_seizures(annotated):
    """Return the recordings with a seizure, of some `Annotations`; raise ValueError if they are too few to study."""
    positive = [name for name in annotated.durations_s if len(annotated.spans(name))]
    if len(positive) < 3:
        raise ValueError(
            f"Seizures are in {len(positive)} recordings ({', '.join(positive) or 'none'}) of "
            f"{len(annotated.durations_s)}; the study needs at least 3: one held out, one to choose the threshold, one "
            "to train. Add recordings with seizures, or correct the summary."
        )
    return positive


def _check_times(entry, header):
    """Raise RecordingError if the annotation is of another length, or a seizure lies beyond the recording's end.

    What ends later by rounding alone ends with the recording.
    """
    file, annotation, end_s = entry["file"], entry["annotation"], header.duration_s
    annotated_s = entry.get("duration_s") or end_s
    if abs(annotated_s - end_s) > 1:
        found = f"{annotation} is of a recording of {annotated_s:g} s, and {file} lasts {end_s:g} s"
        raise RecordingError(f"{found}. Find out which belongs to which, and correct it.")
    for start, end in entry["seizures"]:
        if end > end_s + ROUNDING_S or start >= end_s:
            found = f"{annotation}: {file} has a seizure from {start:g} s to {end:g} s"
            do = "Correct the annotation or replace the recording."
            raise RecordingError(f"{found}, beyond the recording's end at {end_s:g} s. {do}")
    entry["seizures"] = [(start, min(end, end_s)) for start, end in entry["seizures"]]


def _check_names(entries):
    """Raise RecordingError if two recordings share a name, or one's is taken for something else where it is shown."""
    files = {}
    for entry in entries:
        name, file = entry["recording"], entry["file"]
        # a formula to a spreadsheet that opens our tables; mathematics to Matplotlib; a line's end to anything
        odd = [text for text in (name, file) if re.match(r"[=+@-]|.*\$", text) or not text.isprintable()]
        if odd or name.lower() in ("na", "n/a", "nan", "null", "none"):
            found = f"{(odd or [name])[0]!r} begins with one of = + - @, holds $ or a control character, or stands for"
            raise RecordingError(f"{found} a missing value. Rename it, in its annotation too.")
        if name in files:
            raise RecordingError(f"{file} is named '{name}', as {files[name]} is. Rename one, in its annotation too.")
        files[name] = file
