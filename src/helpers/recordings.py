"""Recordings: EDF files and the summary that annotates them, in CHB-MIT's layout."""

import re
import warnings
from pathlib import Path

import mne
import numpy as np
import pandas as pd

from helpers import files

# The longitudinal bipolar montage ("double banana"), in CHB-MIT's order.
DOUBLE_BANANA = (
    *("FP1-F7", "F7-T7", "T7-P7", "P7-O1"),
    *("FP1-F3", "F3-C3", "C3-P3", "P3-O1"),
    *("FP2-F4", "F4-C4", "C4-P4", "P4-O2"),
    *("FP2-F8", "F8-T8", "T8-P8", "P8-O2"),
    *("FZ-CZ", "CZ-PZ"),
)


class RecordingError(ValueError):
    """A recording or its annotation that cannot be used; the message says what was found and what to do."""


def read_summary(path):
    """Read a CHB-MIT summary file.

    Parameters
    ----------
    path : Path
        A ``<patient>-summary.txt``.

    Returns
    -------
    list of dict
        One a recording, in the file's order: ``file``, ``start`` (the clock as written, or "" where the summary
        gives none) and ``seizures``, a list of (start, end) in seconds from the recording's first sample.

    Raises
    ------
    RecordingError
        If the announced number of seizures differs from those listed, a seizure ends before it starts, a file is
        listed twice, or the summary lists no recording.
    """
    found = []
    for line in Path(path).read_text(encoding="latin-1").splitlines():
        key, _, value = line.partition(":")
        key, value = " ".join(key.split()), value.strip()
        if key == "File Name":
            found.append({"file": value, "start": "", "announced": None, "starts": [], "ends": []})
        elif key == "File Start Time":
            found[-1]["start"] = value
        elif key == "Number of Seizures in File":
            found[-1]["announced"] = int(value)
        elif bound := re.fullmatch(r"Seizure(?: \d+)? (Start|End) Time", key):
            number = re.fullmatch(r"(\d+)\s*seconds?", value)
            if not found or number is None:
                raise RecordingError(f"{Path(path).name}: '{line.strip()}' is not '<whole number> seconds' of a file.")
            found[-1]["starts" if bound[1] == "Start" else "ends"].append(int(number[1]))
    _check_summary(found, Path(path).name)
    return [
        {"file": r["file"], "start": r["start"], "seizures": list(zip(r["starts"], r["ends"], strict=True))}
        for r in found
    ]


def _check_summary(found, name):
    if not found:
        raise RecordingError(f"{name} lists no recording: it needs lines 'File Name: <recording>.edf'.")
    for recording in found:
        counts = {recording["announced"], len(recording["starts"]), len(recording["ends"])}
        if len(counts) != 1:
            raise RecordingError(
                f"{name}: {recording['file']} announces {recording['announced']} seizures and lists "
                f"{len(recording['starts'])} starts and {len(recording['ends'])} ends. Correct the summary."
            )
        for start, end in zip(recording["starts"], recording["ends"], strict=True):
            if end <= start:
                raise RecordingError(f"{name}: {recording['file']} has a seizure from {start} s to {end} s.")
    names = [recording["file"] for recording in found]
    if twice := sorted({file for file in names if names.count(file) > 1}):
        raise RecordingError(f"{name} lists {', '.join(twice)} more than once.")


def survey(folder):
    """Check a folder of recordings against its summary, and list both.

    Parameters
    ----------
    folder : Path
        EDF files beside one ``*-summary.txt`` in CHB-MIT's layout.

    Returns
    -------
    recordings : pandas.DataFrame
        One row a recording: ``recording``, ``file``, ``start``, ``duration_s``, ``sampling_hz``, ``seizures``.
    seizures : pandas.DataFrame
        One row a seizure: ``recording``, ``start_s``, ``end_s``.

    Raises
    ------
    RecordingError
        If the folder or the summary is missing, a listed file is missing or a present one is not listed, a file is
        no EDF or lacks a channel, or a seizure lies beyond a recording's end.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RecordingError(f"{folder} is no folder. Name the folder that holds the EDF files and their summary.")
    summaries = sorted(folder.glob("*-summary.txt"))
    if len(summaries) != 1:
        raise RecordingError(
            f"{folder} holds {len(summaries)} files named *-summary.txt; it must hold one, in CHB-MIT's layout, "
            "that lists each EDF file with its seizures."
        )
    listed = read_summary(summaries[0])
    _check_files(folder, summaries[0].name, [entry["file"] for entry in listed])
    rows, seizures = [], []
    for entry in listed:
        name, header = Path(entry["file"]).stem, open_edf(folder / entry["file"])
        montage_channels(header.ch_names, entry["file"])
        duration_s = header.n_times / header.info["sfreq"]
        for start, end in entry["seizures"]:
            if end > duration_s:
                raise RecordingError(
                    f"{summaries[0].name}: {entry['file']} has a seizure from {start} s to {end} s, beyond the "
                    f"recording's end at {duration_s:g} s. Correct the summary or replace the recording."
                )
            seizures.append((name, start, end))
        rows.append((name, entry["file"], entry["start"], duration_s, header.info["sfreq"], len(entry["seizures"])))
    columns = ["recording", "file", "start", "duration_s", "sampling_hz", "seizures"]
    return pd.DataFrame(rows, columns=columns), pd.DataFrame(seizures, columns=["recording", "start_s", "end_s"])


def _check_files(folder, summary, listed):
    present = {path.name for path in folder.glob("*.edf")}
    if missing := sorted(set(listed) - present):
        raise RecordingError(
            f"{summary} names {', '.join(missing)}, not found in {folder}. "
            "Put the recordings there, or take them out of the summary."
        )
    if unlisted := sorted(present - set(listed)):
        raise RecordingError(
            f"{folder} holds {', '.join(unlisted)}, not listed in {summary}, so nobody can say whether they hold a "
            "seizure. List them there ('Number of Seizures in File: 0' if none), or move them elsewhere."
        )


def open_edf(path):
    """Open an EDF file without reading its samples.

    Returns
    -------
    mne.io.BaseRaw
        Not preloaded; data in volts.

    Raises
    ------
    RecordingError
        If the file is no EDF, or holds fewer or more samples than its header says.
    """
    path = Path(path)
    _check_size(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # doubled names are expected, and dealt with in montage_channels
            return mne.io.read_raw_edf(path, preload=False, verbose="error")
    except Exception as error:  # MNE raises many types on a bad header; each means the same to a user
        raise RecordingError(f"{path.name} cannot be read as EDF ({error}). Replace it by a whole copy.") from error


def _check_size(path):
    """Compare a file's size with its header (Kemp et al. 1992): MNE reads a truncated file without an error."""
    with open(path, "rb") as file:
        header = file.read(256)
        try:
            records, signals = int(header[236:244]), int(header[252:256])
            file.seek(256 + signals * 216)
            per_record = sum(int(file.read(8)) for _ in range(signals))
            wanted = int(header[184:192]) + records * per_record * 2
        except ValueError as error:
            raise RecordingError(f"{path.name} is no EDF file: its header cannot be read ({error}).") from error
    if path.stat().st_size != wanted:
        raise RecordingError(
            f"{path.name} has {path.stat().st_size} bytes, but its header promises {wanted}: it is damaged or "
            "was not copied whole. Replace it by a whole copy."
        )


def montage_channels(names, file):
    """Return, for each channel of the double banana, its name among `names`.

    MNE numbers doubled names: CHB-MIT's two T8-P8, the same signal twice, are T8-P8-0 and T8-P8-1; the first is taken.

    Raises
    ------
    RecordingError
        If a channel is missing; the message lists the ones that `file` has.
    """
    by_name = {}
    for name in names:
        by_name.setdefault(re.sub(r"-\d$", "", name.strip().upper()), name)
    if missing := [channel for channel in DOUBLE_BANANA if channel not in by_name]:
        raise RecordingError(
            f"{file} lacks {', '.join(missing)} of the 18 channels of the double banana; it has: {', '.join(names)}. "
            "Rename the channels in the file, or leave the recording out of the folder and its summary."
        )
    return [by_name[channel] for channel in DOUBLE_BANANA]


def read(raw, start=0, stop=None):
    """Return samples `start` to `stop` of the double banana, float32 [channel, sample], in µV."""
    picks = montage_channels(raw.ch_names, Path(raw.filenames[0]).name)
    return (raw.get_data(picks=picks, start=start, stop=stop) * 1e6).astype(np.float32)


def read_checked(path, digest):
    """Open an EDF file after comparing its SHA-256 with `digest`, so that no other file is taken for it."""
    if not Path(path).exists():
        raise RecordingError(f"{path} is not there any more. Put it back, or: dvc repro -s -f acquire@<patient>")
    if files.sha256(path) != digest:
        raise RecordingError(f"{path} has changed since it was acquired. Run: dvc repro -s -f acquire@<patient>")
    return open_edf(path)
