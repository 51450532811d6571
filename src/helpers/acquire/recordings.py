"""A folder of recordings, in CHB-MIT's layout or as BIDS EEG: which there are, and when there were seizures."""

import os
import re
import unicodedata
from collections import Counter
from os.path import commonprefix
from pathlib import Path

import pandas as pd

from helpers.acquire import annotation_files, annotations, edf, montages
from helpers.study.errors import RecordingError, UnusableRecording

COLUMNS = ["recording", "file", "start", "duration_s", "sampling_hz", "seizures", "montage"]
FORMULA = ("=", "+", "-", "@")
ROUNDING_S = 0.02
OTHER_VERSIONS = ("derivatives", "sourcedata", "code")  # of the same EEG, as BIDS names their folders
LAYOUTS = (
    "It must hold EDF files beside one *-summary.txt that lists each with its seizures (CHB-MIT's layout), or be a "
    "subject of a BIDS data set (sub-01/…/eeg/*_eeg.edf, each with its *_events.tsv)."
)


def survey(folder, leave_out=False, unlisted=()):
    """Check a folder of recordings against its annotations, and list both.

    Parameters
    ----------
    folder : Path
        EDF files beside one ``*-summary.txt`` in CHB-MIT's layout, whose ``.edf.seizures`` are compared with it where
        they are; or one subject of a BIDS data set.
    leave_out : bool
        Go on without a good recording that the study cannot use, and list it with the reason, instead of refusing it.
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
        listed, a file is damaged, or a seizure lies beyond a recording's end.
    UnusableRecording
        If a recording cannot be used (`edf.read_header`), or has another sampling rate than most, unless `leave_out`.
    """
    folder, usable, left_out = Path(folder), [], []
    contents(folder)
    entries = _summary_entries(folder, unlisted) if _summaries(folder) else _bids_entries(folder)
    _check_names(entries)

    def leave(entry, error):
        if not leave_out:
            raise error
        reason = re.split(r" (?:Rename|Export|Resample) ", str(error))[0]  # without what could be done instead
        left_out.append((entry["recording"], len(entry["seizures"]), reason))

    for entry in entries:
        try:
            header = edf.read_header(folder / entry["file"])
        except UnusableRecording as error:
            leave(entry, error)
        else:
            _check_times(entry, header)
            usable.append((entry, header))
    common_hz = Counter(header.sampling_hz for _, header in usable).most_common(1)
    for entry, header in [one for one in usable if one[1].sampling_hz != common_hz[0][0]]:
        found = f"{entry['file']} has {header.sampling_hz:g} Hz, most recordings of the folder {common_hz[0][0]:g} Hz."
        leave(entry, UnusableRecording(f"{found} Resample it, {montages.LEAVE_OUT}"))
        usable.remove((entry, header))
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


def _check_times(entry, header):
    """Raise RecordingError if the annotation is of another length, or a seizure lies beyond the recording's end.

    What ends later by rounding alone ends with the recording: SzCORE's tools write two decimals.
    """
    file, annotation, end_s = entry["file"], entry["annotation"], header.duration_s
    annotated_s = entry.get("duration_s") or end_s
    if abs(annotated_s - end_s) > 1:
        found = f"{annotation} is of a recording of {annotated_s:g} s, and {file} lasts {end_s:g} s"
        raise RecordingError(f"{found}. Find out which belongs to which, and correct it.")
    for start, end in entry["seizures"]:
        if end > end_s + ROUNDING_S or start >= end_s:
            raise RecordingError(
                f"{annotation}: {file} has a seizure from {start:g} s to {end:g} s, beyond the recording's end at "
                f"{end_s:g} s. Correct the annotation or replace the recording."
            )
    entry["seizures"] = [(start, min(end, end_s)) for start, end in entry["seizures"]]


def _check_names(entries):
    """Raise RecordingError if two recordings share a name, or one's is taken for something else where it is shown."""
    files = {}
    for entry in entries:
        name, file = entry["recording"], entry["file"]
        for text in (name, file):
            # a formula to a spreadsheet that opens our tables; mathematics to Matplotlib; a line's end to anything
            if text.startswith(FORMULA) or "$" in text or not text.isprintable():
                raise RecordingError(
                    f"{text!r} begins with one of {' '.join(FORMULA)}, or holds $ or a control character: tables and "
                    "pictures take that for something else than a name. Rename it, in its annotation too."
                )
        if name in files or name.lower() in ("na", "n/a", "nan", "null", "none"):
            other = f", as {files[name]} is" if name in files else ", which tables take for a missing value"
            raise RecordingError(f"{file} is named '{name}'{other}. Rename it, in its annotation too.")
        files[name] = file


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
    summary, entries = paths[0].name, annotation_files.read_summary(paths[0])
    _check_files(folder, summary, {entry["file"] for entry in entries}, unlisted)
    for entry in entries:
        entry |= {"recording": Path(entry["file"]).stem, "annotation": summary}
        path = folder / f"{entry['file']}.seizures"
        if path.exists() or path.is_symlink():  # a link to nothing is for read_seizures to refuse
            annotation_files.check_agreement(summary, entry["file"], entry["seizures"], path)
    return entries


def _check_files(folder, summary, listed, unlisted):
    """Raise RecordingError unless the EDF files in `folder` are those that its summary lists."""

    def plain(name):  # without regard to case and to how its letters are composed
        return unicodedata.normalize("NFC", name).casefold()

    present = {path.name for path in _visible(folder) if path.suffix.lower() == ".edf"}
    if missing := sorted(listed - present):
        hints = [
            f" {there} is there: name it alike." for name in missing for there in present if plain(name) == plain(there)
        ]
        raise RecordingError(
            f"{summary} names {', '.join(missing)}, not found in {folder}.{''.join(hints)} "
            "Put the recordings there, or take them out of the summary."
        )
    if surplus := sorted(present - listed - set(unlisted)):
        raise RecordingError(
            f"{folder} holds {', '.join(surplus)}, not listed in {summary}, so nobody can say whether they hold a "
            "seizure. List them there ('Number of Seizures in File: 0' if none), or move them elsewhere."
        )


def _bids_entries(folder):
    """Return the recordings of a BIDS subject with the seizures of their events files."""
    paths = _bids_recordings(folder)
    # What all names begin with says nothing; without it, run-00 fits beside a figure.
    names = [path.name.removesuffix("_eeg.edf").split("_") for path in paths]
    shared = min(len(commonprefix(names)), min(map(len, names)) - 1) if len(names) > 1 else 0
    return [
        {"recording": "_".join(name[shared:]), "file": path.relative_to(folder).as_posix()}
        | {"annotation": _events_file(path).name}
        | annotation_files.read_events(_events_file(path))
        for path, name in zip(paths, names, strict=True)
    ]


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
    """Return the path of a BIDS recording's events file; raise RecordingError if there is none."""
    events = recording.with_name(recording.name.removesuffix("_eeg.edf") + "_events.tsv")
    if not events.exists():
        raise RecordingError(
            f"{recording.name} has no {events.name} beside it, so nobody can say whether it holds a seizure. "
            "Add it (a single row of type 'bckg' if there was none), or move the recording elsewhere."
        )
    return events


def _walk(folder):
    """Return all files below `folder`, also behind links, but not other versions of the same EEG."""

    def refuse(error):  # what lies in it would be lost without a word
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
