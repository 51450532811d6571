"""A folder of recordings, in CHB-MIT's layout or as BIDS EEG: which there are, and when there were seizures."""

import os
import re
import unicodedata
from collections import Counter
from datetime import datetime
from os.path import commonprefix
from pathlib import Path

import pandas as pd

from helpers.acquire import annotation_files, edf, events, montages, summaries
from helpers.study.errors import RecordingError, UnusableRecording

COLUMNS = ["recording", "file", "start", "duration_s", "sampling_hz", "seizures", "montage"]

FORMULA = ("=", "+", "-", "@")

OTHER_VERSIONS = ("derivatives", "sourcedata", "code")  # of the same EEG, as BIDS names their folders

LAYOUTS = (
    "It must hold EDF files beside one *-summary.txt that lists each with its seizures (CHB-MIT's layout), or be a "
    "subject of a BIDS data set (sub-01/…/eeg/*_eeg.edf, each with its *_events.tsv)."
)


def contents(folder):
    """Return the paths of all files below `folder` that a study reads: recordings and annotations, sorted.

    Raises
    ------
    RecordingError
        If `folder` is none, or holds no recordings in a known layout.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RecordingError(f"{folder} is no folder. Name the folder that holds the recordings. {LAYOUTS}")
    if listing := _summaries(folder):
        found = [path for path in _visible(folder) if path.name.lower().endswith((".edf", ".edf.seizures"))]
        return sorted([*listing, *found])
    recordings = _bids_recordings(folder)
    return sorted([*recordings, *map(_events_file, recordings)])


def survey(folder, leave_out=False, unlisted=()):
    """Check a folder of recordings against its annotations, and list both.

    Parameters
    ----------
    folder : Path
        EDF files beside one ``*-summary.txt`` in CHB-MIT's layout, whose ``.edf.seizures`` are compared with it where
        they are; or one subject of a BIDS data set.
    leave_out : bool
        Go on without a whole recording that cannot be used, and list it with the reason, instead of refusing it.
    unlisted : collection of str
        Files that may be there though the summary does not list them: they are not read.

    Returns
    -------
    recordings : pandas.DataFrame
        One row a recording: ``recording``, ``file`` (below `folder`), ``start``, ``duration_s``, ``sampling_hz``,
        ``seizures`` (their number) and ``montage``: how the 18 channels were found.
    seizures : pandas.DataFrame
        One row a seizure: ``recording``, ``start_s``, ``end_s``.
    left_out : pandas.DataFrame
        One row a recording left out: ``recording``, ``seizures`` (their number), ``reason``.

    Raises
    ------
    RecordingError
        If the folder or its annotation is missing or contradictory, a listed file is missing or a present one is not
        listed, a file is no whole EDF, or a seizure lies beyond a recording's end.
    UnusableRecording
        If a recording lacks a channel, or has another sampling rate than most, and `leave_out` is not set.
    """
    folder = Path(folder)
    contents(folder)
    listed = _summary_entries(folder, unlisted) if _summaries(folder) else _bids_entries(folder)
    _check_names(listed)
    usable, left_out = [], []
    for entry in listed:
        try:
            header = edf.read_header(folder / entry["file"])
        except UnusableRecording as error:
            if not leave_out:
                raise
            left_out.append((entry["recording"], len(entry["seizures"]), _why(error)))
            continue
        _check_times(entry, header)
        usable.append((entry, header))
    if usable:
        common_hz = Counter(header.sampling_hz for _, header in usable).most_common(1)[0][0]
        usable, others = _split(usable, common_hz, leave_out)
        left_out += others
    if not usable:
        raise RecordingError(f"None of the {len(listed)} recordings in {folder} can be used: {left_out[0][2]}")
    rows = [
        (entry["recording"], entry["file"], entry["start"], header.duration_s, header.sampling_hz,
         len(entry["seizures"]), montages.describe(header.montage, header.labels))
        for entry, header in usable
    ]  # fmt: skip
    seizures = [(entry["recording"], *seizure) for entry, _ in usable for seizure in entry["seizures"]]
    return (
        pd.DataFrame(rows, columns=COLUMNS),
        pd.DataFrame(seizures, columns=["recording", "start_s", "end_s"]),
        pd.DataFrame(left_out, columns=["recording", "seizures", "reason"]),
    )


def _why(error):
    """Return what an UnusableRecording found, without what could be done: it has been decided."""
    return re.split(r" (?:Rename|Resample) ", str(error))[0]


def _split(usable, common_hz, leave_out):
    """Part the recordings with most recordings' sampling rate from those with another."""
    kept, others = [], []
    for entry, header in usable:
        if header.sampling_hz == common_hz:
            kept.append((entry, header))
            continue
        error = UnusableRecording(
            f"{entry['file']} has {header.sampling_hz:g} Hz, most recordings of the folder {common_hz:g} Hz. Resample "
            "it, leave it out of the folder, or set `unusable: leave out` in params/acquire.yaml."
        )
        if not leave_out:
            raise error
        others.append((entry["recording"], len(entry["seizures"]), _why(error)))
    return kept, others


def _check_times(entry, header):
    """Raise RecordingError if a seizure lies beyond the recording's end, or the annotation is of another length."""
    annotated_s = entry.get("duration_s") or header.duration_s
    if abs(annotated_s - header.duration_s) > 1:
        raise RecordingError(
            f"{entry['annotation']} is of a recording of {annotated_s:g} s, and {entry['file']} lasts "
            f"{header.duration_s:g} s. Find out which belongs to which, and correct it."
        )
    for start, end in entry["seizures"]:
        if end > header.duration_s:
            raise RecordingError(
                f"{entry['annotation']}: {entry['file']} has a seizure from {start:g} s to {end:g} s, beyond the "
                f"recording's end at {header.duration_s:g} s. Correct the annotation or replace the recording."
            )


def _visible(folder, pattern="*"):
    """Return what lies in `folder`, without the "._" files that macOS puts beside each file on a foreign disk."""
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("._"))


def _summaries(folder):
    return _visible(folder, "*-summary.txt")


def _summary_entries(folder, unlisted):
    """Return what the folder's summary lists, checked against the files that are there."""
    paths = _summaries(folder)
    if len(paths) != 1:
        names = ", ".join(path.name for path in paths)
        raise RecordingError(f"{folder} holds {len(paths)} files named *-summary.txt ({names}). {LAYOUTS}")
    summary = paths[0].name
    entries = summaries.read_summary(paths[0])
    _check_files(folder, summary, [entry["file"] for entry in entries], unlisted)
    for entry in entries:
        seizures = folder / f"{entry['file']}.seizures"
        if seizures.exists() or seizures.is_symlink():  # a link to nothing is for read_seizures to refuse
            found = annotation_files.read_seizures(seizures)
            annotation_files.check_agreement(summary, entry["file"], entry["seizures"], seizures.name, found)
    return [{**entry, "recording": Path(entry["file"]).stem, "annotation": summary} for entry in entries]


def _check_names(entries):
    """Raise RecordingError if two recordings share a name, or one's is taken for something else where it is shown."""
    files = {}
    for entry in entries:
        for shown in (entry["recording"], entry["file"]):
            # a formula to a spreadsheet that opens our tables; mathematics to Matplotlib; a line's end to anything
            if shown.startswith(FORMULA) or "$" in shown or not shown.isprintable():
                raise RecordingError(
                    f"{shown!r} begins with one of {' '.join(FORMULA)}, or holds $ or a control character: tables and "
                    "pictures take that for something else than a name. Rename it, in its annotation too."
                )
        name = entry["recording"]
        if name in files or name.lower() in ("na", "n/a", "nan", "null", "none"):
            other = f", as {files[name]} is" if name in files else ", which tables take for a missing value"
            raise RecordingError(f"{entry['file']} is named '{name}'{other}. Rename it, in its annotation too.")
        files[name] = entry["file"]


def _check_files(folder, summary, listed, unlisted):
    present = {path.name for path in _visible(folder) if path.suffix.lower() == ".edf"}
    if missing := sorted(set(listed) - present):
        alike = {name: other for name in missing for other in present if _plain(name) == _plain(other)}
        hint = "".join(f" {other} is there: name it alike." for other in alike.values())
        raise RecordingError(
            f"{summary} names {', '.join(missing)}, not found in {folder}.{hint} "
            "Put the recordings there, or take them out of the summary."
        )
    if surplus := sorted(present - set(listed) - set(unlisted)):
        raise RecordingError(
            f"{folder} holds {', '.join(surplus)}, not listed in {summary}, so nobody can say whether they hold a "
            "seizure. List them there ('Number of Seizures in File: 0' if none), or move them elsewhere."
        )


def _plain(name):
    """Return a file's name without regard to case and to how its letters are composed."""
    return unicodedata.normalize("NFC", name).casefold()


def _walk(folder):
    """Return all files below `folder`, also behind links, but not other versions of the same EEG.

    Raises
    ------
    RecordingError
        If a folder cannot be read: what lies in it would be lost without a word.
    """

    def refuse(error):
        raise RecordingError(
            f"{error.filename} cannot be read ({error.strerror}). Allow reading it, or move it elsewhere."
        )

    found, been = [], set()
    for place, folders, names in os.walk(folder, followlinks=True, onerror=refuse):
        folders[:] = [name for name in folders if name not in OTHER_VERSIONS]
        if (real := os.path.realpath(place)) in been:  # a link back up
            folders.clear()
            continue
        been.add(real)
        found += [Path(place) / name for name in names if not name.startswith("._")]
    return sorted(found)


def _bids_recordings(folder):
    """Return the EDF files of the one BIDS subject in `folder`.

    Raises
    ------
    RecordingError
        If there are none, one is in another format than EDF, one of an events file is missing, or they are several
        subjects'.
    """
    found = _walk(folder)
    recordings = [path for path in found if path.name.endswith("_eeg.edf")]
    eeg = [path for path in found if "_eeg." in path.name.lower() and path.suffix.lower() not in (".json", ".tsv")]
    if others := sorted(set(eeg) - set(recordings)):
        raise RecordingError(
            f"{folder} holds {others[0].name}; only EDF, named *_eeg.edf, can be read. Convert it to EDF, "
            "rename it, or move it elsewhere."
        )
    if not recordings:
        raise RecordingError(f"{folder} holds no *-summary.txt and no *_eeg.edf. {LAYOUTS}")
    places = {path.parent for path in recordings}
    for path in found:
        wanted = path.with_name(path.name.removesuffix("_events.tsv") + "_eeg.edf")
        if path.name.endswith("_events.tsv") and path.parent in places and wanted not in recordings:
            raise RecordingError(f"{path.name} has no {wanted.name} beside it. Put it there, or take both away.")
    subjects = sorted({path.name.split("_")[0] for path in recordings})
    if len(subjects) > 1:
        raise RecordingError(
            f"{folder} holds the recordings of {len(subjects)} subjects: {', '.join(subjects[:9])}"
            f"{', …' if len(subjects) > 9 else ''}. A study is of one patient: name one subject's folder."
        )
    return recordings


def _events_file(recording):
    """Return the path of a BIDS recording's events file.

    Raises
    ------
    RecordingError
        If there is none.
    """
    events = recording.with_name(recording.name.removesuffix("_eeg.edf") + "_events.tsv")
    if not events.exists():
        raise RecordingError(
            f"{recording.name} has no {events.name} beside it, so nobody can say whether it holds a seizure. "
            "Add it (a single row of type 'bckg' if there was none), or move the recording elsewhere."
        )
    return events


def _bids_entries(folder):
    """Return the recordings of a BIDS subject with the seizures of their events files."""
    paths = _bids_recordings(folder)
    # What all names begin with says nothing; without it, run-00 fits beside a figure.
    names = [path.name.removesuffix("_eeg.edf").split("_") for path in paths]
    shared = min(len(commonprefix(names)), min(map(len, names)) - 1) if len(names) > 1 else 0
    entries = []
    for path, name in zip(paths, names, strict=True):
        table, file = _events_file(path), path.relative_to(folder).as_posix()
        read = events.read_events(table)
        # the clock, as CHB-MIT's summaries have it: a date says more about a person than a study needs
        start = read["start"] and datetime.fromisoformat(read["start"]).strftime("%H:%M:%S")
        known = {"recording": "_".join(name[shared:]), "file": file, "annotation": table.name}
        entries.append(known | read | {"start": start})
    return entries
