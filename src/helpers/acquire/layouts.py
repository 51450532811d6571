"""The layouts of a folder of recordings, CHB-MIT's and BIDS EEG: which files belong together, and what they say."""

import os
import re
from collections import defaultdict
from os.path import commonprefix
from pathlib import Path

from helpers.acquire import annotation_files
from helpers.study.errors import RecordingError

OTHER_VERSIONS = ("derivatives", "sourcedata", "code")  # of the same EEG, as BIDS names their folders
BIDS_FILE = re.compile(r"(.+)_((?:eeg|events)\..+|channels\.tsv)", re.IGNORECASE)
BIDS_PAIR, CHANNELS = {"eeg.edf", "events.tsv"}, "channels.tsv"
SUMMARY = "*-summary.txt"
LAYOUTS = (
    f"It must hold EDF files beside one {SUMMARY} that lists each with its seizures (CHB-MIT's layout), or be a "
    "subject of a BIDS data set (sub-01/…/eeg/*_eeg.edf, each with its *_events.tsv)."
)


def contents(folder):
    """Return the paths of all recordings and annotations below `folder` that a study reads, sorted.

    RecordingError if `folder` is none, or holds no recordings in a known layout.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RecordingError(f"{folder} is no folder. Name the folder that holds the recordings. {LAYOUTS}")
    if listing := _visible(folder, SUMMARY):
        return sorted([*listing, *(path for path in _visible(folder) if path.suffix.lower() == ".edf")])
    found = _bids_files(folder).items()
    return sorted(place / f"{stem}_{ending}" for (place, stem), endings in found for ending in endings)


def entries(folder):
    """Return what the annotation of a folder lists, and what is wrong with it; RecordingError as `contents`.

    Returns
    -------
    entries : list of dict
        One a recording that is there: ``recording``, its name; ``file``, below `folder`; ``annotation``, the name of
        the file that lists its ``seizures``, (start_s, end_s) each; ``start``, a clock or ""; ``duration_s`` or None;
        ``channels``, what BIDS says of them.
    faults : list of (str, RecordingError)
        Files that are missing, surplus, damaged or contradictory.
    """
    contents(folder)
    summaries = _visible(folder, SUMMARY)
    found, faults = _summary_entries(folder, summaries) if summaries else _bids_entries(folder)
    missing = {"start": "", "duration_s": None, "channels": {}}
    return [missing | entry for entry in found], [(file, RecordingError(why)) for file, why in faults]


def pooled_entries(folder, patients):
    """Return `entries` of the folders of several patients below `folder`, each with its ``patient``."""
    found, faults = [], []
    for patient in patients:
        own, wrong = entries(folder / patient)
        for entry in own:
            name, file = pooled_name(patient, entry["recording"]), f"{patient}/{entry['file']}"
            found.append(entry | {"patient": patient, "recording": name, "file": file})
        faults += [(f"{patient}/{file}", error) for file, error in wrong]
    return found, faults


def pooled_name(patient, recording):
    """Return the name of a patient's recording among those of others: its own, if it begins with the patient's."""
    return recording if recording.startswith(patient) else f"{patient}_{recording}"


def _visible(folder, pattern="*"):
    """Return what lies in `folder`, without the "._" files that macOS puts beside each file on a foreign disk."""
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("._"))


def _summary_entries(folder, summaries):
    """Return what the folder's summary lists of what is there, and the faults, (file, what is wrong)."""
    if len(summaries) != 1:
        names = ", ".join(path.name for path in summaries)
        raise RecordingError(f"{folder} holds {len(summaries)} files named {SUMMARY} ({names}). {LAYOUTS}")
    summary, present = summaries[0].name, {path.name for path in _visible(folder) if path.suffix.lower() == ".edf"}
    faults = []
    try:
        listed = {entry["file"]: entry for entry in annotation_files.read_summary(summaries[0])}
    except RecordingError as error:  # the recordings' own faults are told with it
        faults.append((summary, error))
        listed = {file: {"file": file, "seizures": []} for file in sorted(present)}
    for file in sorted(listed.keys() - present):
        do = "Name it as it is listed, or take it out of the summary."
        faults.append((file, f"{file} is listed in {summary}, but not there. {do}"))
    for file in sorted(present - listed.keys()):
        found = f"{file} is there, but not listed in {summary}, so that nobody can say whether there is a seizure"
        do = "List it ('Number of Seizures in File: 0' if none), or move it elsewhere."
        faults.append((file, f"{found}. {do}"))
    entries = [{"recording": Path(file).stem, "annotation": summary} | entry for file, entry in listed.items()]
    return [entry for entry in entries if entry["file"] in present], faults


def _bids_entries(folder):
    """Return the recordings of a BIDS subject with the seizures of their events files, and the faults."""
    found, faults, entries = _bids_files(folder), [], []
    subjects = sorted({stem.split("_")[0] for _, stem in found})
    if len(subjects) > 1:
        some = ", ".join(subjects[:9]) + ", …" * (len(subjects) > 9)
        do = "A study is of one patient: name one subject's folder."
        raise RecordingError(f"{folder} holds the recordings of {len(subjects)} subjects: {some}. {do}")
    # What all names begin with says nothing; without it, run-00 fits beside a figure.
    names = [stem.split("_") for _, stem in sorted(found)]
    shared = min(len(commonprefix(names)), min(map(len, names)) - 1) if len(names) > 1 else 0
    for (place, stem), name in zip(sorted(found), names, strict=True):
        file = (place / f"{stem}_eeg.edf").relative_to(folder).as_posix()
        if found[place, stem] - {CHANNELS} != BIDS_PAIR:
            holds = ", ".join(f"{stem}_{ending}" for ending in sorted(found[place, stem]))
            wanted = f"wanted are {stem}_eeg.edf and {stem}_events.tsv alone: only EDF is read, and events say whether"
            do = "there was a seizure (a row of type 'bckg' if none). Complete, convert or move it."
            faults.append((file, f"{place} holds {holds}; {wanted} {do}"))
            continue
        entry = {"recording": "_".join(name[shared:]), "file": file, "annotation": f"{stem}_events.tsv"}
        try:
            entry |= annotation_files.read_events(place / f"{stem}_events.tsv")
            if CHANNELS in found[place, stem]:
                entry["channels"] = annotation_files.read_channels(place / f"{stem}_{CHANNELS}")
            entries.append(entry)
        except RecordingError as error:
            faults.append((file, error))
    return entries, faults


def _bids_files(folder):
    """Return the endings of the files of each recording in a BIDS folder: {(place, stem): {"eeg.edf", …}}."""
    found = defaultdict(set)
    for path in _walk(folder):
        if (parts := BIDS_FILE.fullmatch(path.name)) and parts[2] not in ("eeg.json", "eeg.tsv", "events.json"):
            found[path.parent, parts[1]].add(parts[2])
    # A folder of EEG is called so, or holds some; events and channels elsewhere are of other data.
    eeg = {place for (place, _), of in found.items() if place.name == "eeg" or "eeg." in str(of).lower()}
    found = {key: endings for key, endings in found.items() if key[0] in eeg and endings != {CHANNELS}}
    if not found:
        raise RecordingError(f"{folder} holds no {SUMMARY} and no *_eeg.edf. {LAYOUTS}")
    return found


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
