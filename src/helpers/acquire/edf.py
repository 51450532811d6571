"""EDF files: the header read strictly, the samples of the montage's 18 channels read by MNE, in µV."""

import threading
from dataclasses import dataclass
from pathlib import Path

import mne
import numpy as np

from helpers.acquire.edf_header import ANEW, UNITS, Header, read_header
from helpers.study import files
from helpers.study.errors import RecordingError

UNITS_OF_MNE = ("uV", "\xb5V", "mV")  # all others it reads as volts

_OPENING = threading.Lock()  # MNE's verbosity is one for the process: two threads would leave each other's behind


@dataclass(frozen=True)
class Recording:
    """An open EDF file: its header, MNE's view of it, and that view's row of each signal in `header.used`."""

    header: Header
    raw: mne.io.BaseRaw
    rows: tuple


def open_edf(path):
    """Open an EDF file without reading its samples.

    Returns
    -------
    Recording

    Raises
    ------
    RecordingError
        As `read_header`, or if MNE cannot read the file, or reads its header otherwise.
    """
    header = read_header(path)
    # MNE keeps the file's order, and takes all signals of a doubled label.
    chosen = {header.labels[index] for index in header.used}
    included = [index for index, label in enumerate(header.labels) if label in chosen]
    try:
        # MNE also parses annotations, which nobody reads here: Latin-1 decodes whatever a clinic wrote there.
        with _OPENING:
            raw = mne.io.read_raw_edf(path, include=sorted(chosen), encoding="latin-1", verbose="error")
    except Exception as error:  # MNE raises many types on a bad header; each means the same to a user
        raise RecordingError(f"{header.file} cannot be read as EDF ({error}). {ANEW}") from error
    ours = len(included), header.samples, header.sampling_hz
    theirs = len(raw.ch_names), raw.n_times, round(raw.info["sfreq"], 6)
    if ours != theirs:
        raise RecordingError(f"{header.file}: channels, samples, Hz are {ours} by its header, {theirs} to MNE. {ANEW}")
    return Recording(header, raw, tuple(included.index(index) for index in header.used))


def read(recording, start=0, stop=None):
    """Read samples of the double banana.

    Parameters
    ----------
    recording : Recording
    start, stop : int
        From sample `start` up to, and without, `stop`; by default all.

    Returns
    -------
    numpy.ndarray
        float32 [18, stop - start], in µV. Derived channels are subtracted in float64.

    Raises
    ------
    RecordingError
        If the recording has no such samples, or they cannot be read any more.
    """
    header = recording.header
    stop = header.samples if stop is None else stop
    if not 0 <= start < stop <= header.samples:
        raise RecordingError(f"{header.file} has {header.samples} samples; asked for were {start} to {stop}.")
    try:
        volts = recording.raw.get_data(picks=list(recording.rows), start=start, stop=stop)
    except Exception as error:  # the file was moved, changed or lost since it was opened
        raise RecordingError(f"{header.file} cannot be read any more ({error}). Put it back as it was.") from error
    signals = dict(zip(header.used, volts, strict=True))
    for index, signal in signals.items():
        if header.units[index] not in UNITS_OF_MNE:
            signal *= UNITS[header.units[index]]
    bipolar = np.empty((len(header.montage), stop - start), np.float32)
    for row, (plus, minus) in enumerate(header.montage):
        difference = signals[plus] if minus is None else signals.get(plus, 0.0) - signals[minus]
        bipolar[row] = difference * 1e6
    return bipolar


def read_checked(path, digest):
    """Open an EDF file after comparing its SHA-256 with `digest`, so that no other file is taken for it."""
    if not Path(path).exists():
        raise RecordingError(f"{path} is not there any more. Put it back, or: dvc repro -s -f acquire@<patient>")
    if files.sha256(path) != digest:
        raise RecordingError(f"{path} has changed since it was acquired. Run: dvc repro -s -f acquire@<patient>")
    return open_edf(path)
