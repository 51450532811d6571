"""The layouts of a folder of recordings, CHB-MIT's and BIDS EEG: which files belong together, and what they say."""

import os
import re
from collections import defaultdict
from os.path import commonprefix
from pathlib import Path

from helpers.acquire import annotation_files
from helpers.study.errors import RecordingError

OTHER_VERSIONS = ("derivatives", "sourcedata", "code")  # of the same EEG, as BIDS names their folders
BIDS_FILE = re.compile(r"(.+)_((?:eeg|events)\..+)", re.IGNORECASE)
BIDS_PAIR = {"eeg.edf", "events.tsv"}
LAYOUTS = (
    "It must hold EDF files beside one *-summary.txt that lists each with its seizures (CHB-MIT's layout), or be a "
    "subject of a BIDS data set (sub-01/…/eeg/*_eeg.edf, each with its *_events.tsv)."
)


def contents(folder):
    """Return the paths of all recordings and annotations below `folder` that a study reads, sorted.

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
    return sorted(path for pair in _bids_pairs(folder) for path in pair)


def entries(folder, unlisted=()):
    """Return what the annotation of a folder lists, checked against the files that are there.

    Returns
    -------
    list of dict
        One a recording: ``recording``, its name; ``file``, below `folder`; ``annotation``, the name of the file that
        lists its ``seizures``, (start_s, end_s) each; ``start``, a clock or ""; in BIDS also ``duration_s`` or None.

    Raises
    ------
    RecordingError
        As `contents`, or if files are missing, surplus (but for `unlisted`) or contradictory.
    """
    contents(folder)
    return _summary_entries(folder, unlisted) if _summaries(folder) else _bids_entries(folder)


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
    present = {path.name for path in _visible(folder) if path.suffix.lower() == ".edf"}
    listed = {entry["file"] for entry in entries}
    if (missing := sorted(listed - present)) or (present - listed - set(unlisted)):
        surplus = ", ".join(sorted(present - listed - set(unlisted)))
        raise RecordingError(
            f"{summary} and {folder} differ: listed, but not there: {', '.join(missing) or 'none'}; there, but not "
            f"listed, so that nobody can say whether there is a seizure: {surplus or 'none'}. Name files as they are "
            "listed, list all of them ('Number of Seizures in File: 0' if none), or move them elsewhere."
        )
    for entry in entries:
        entry |= {"recording": Path(entry["file"]).stem, "annotation": summary}
        path = folder / f"{entry['file']}.seizures"
        if path.exists() or path.is_symlink():  # a link to nothing is for read_seizures to refuse
            annotation_files.check_agreement(summary, entry["file"], entry["seizures"], path)
    return entries


def _bids_entries(folder):
    """Return the recordings of a BIDS subject with the seizures of their events files."""
    pairs = _bids_pairs(folder)
    # What all names begin with says nothing; without it, run-00 fits beside a figure.
    names = [path.name.removesuffix("_eeg.edf").split("_") for path, _ in pairs]
    shared = min(len(commonprefix(names)), min(map(len, names)) - 1) if len(names) > 1 else 0
    return [
        {"recording": "_".join(name[shared:]), "file": path.relative_to(folder).as_posix(), "annotation": events.name}
        | annotation_files.read_events(events)
        for (path, events), name in zip(pairs, names, strict=True)
    ]


def _bids_pairs(folder):
    """Return the EDF file of each recording of the one BIDS subject in `folder`, and its events file.

    Raises
    ------
    RecordingError
        If there are none, one of a pair is missing or in another format, or they are several subjects'.
    """
    found = defaultdict(set)
    for path in _walk(folder):
        if (parts := BIDS_FILE.fullmatch(path.name)) and parts[2] not in ("eeg.json", "eeg.tsv", "events.json"):
            found[path.parent, parts[1]].add(parts[2])
    eeg = {place for (place, _), endings in found.items() if any(one.lower().startswith("eeg") for one in endings)}
    stems = sorted((place, stem) for place, stem in found if place in eeg)  # events are not of EEG alone
    if not stems:
        raise RecordingError(f"{folder} holds no *-summary.txt and no *_eeg.edf. {LAYOUTS}")
    subjects = sorted({stem.split("_")[0] for _, stem in stems})
    if len(subjects) > 1:
        some = ", ".join(subjects[:9]) + ", …" * (len(subjects) > 9)
        do = "A study is of one patient: name one subject's folder."
        raise RecordingError(f"{folder} holds the recordings of {len(subjects)} subjects: {some}. {do}")
    for place, stem in stems:
        if found[place, stem] != BIDS_PAIR:
            names = ", ".join(f"{stem}_{ending}" for ending in sorted(found[place, stem]))
            raise RecordingError(
                f"{place} holds {names}; wanted are {stem}_eeg.edf and {stem}_events.tsv alone: only EDF is read, and "
                "events say whether there was a seizure (a row of type 'bckg' if none). Complete, convert or move it."
            )
    return [tuple(place / f"{stem}_{ending}" for ending in sorted(BIDS_PAIR)) for place, stem in stems]


def _walk(folder):
    """Yield all files below `folder`, also behind links, but not other versions of the same EEG."""

    def refuse(error):  # what lies in it would be lost without a word
        raise RecordingError(f"{error.filename} cannot be read ({error.strerror}). Allow reading it, or move it.")

    visited = set()
    for place, folders, names in os.walk(folder, followlinks=True, onerror=refuse):
        real = os.path.realpath(place)
        folders[:] = sorted(name for name in folders if name not in OTHER_VERSIONS and real not in visited)
        yield from (Path(place) / name for name in names if not name.startswith("._") and real not in visited)
        visited.add(real)  # a link back up leads here once more
