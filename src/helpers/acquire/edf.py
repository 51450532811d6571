"""EDF files: the header checked as edfio reads it, the samples of the montage's 18 channels read by MNE, in µV.

MNE takes a truncated file for a shorter one, an unknown unit for volts, a discontinuous recording for a continuous one,
and resamples channels of different rates; so all of that is refused here. What is false but plausible (another physical
maximum, two labels exchanged) cannot be found. The format: Kemp et al. 1992 (EDF), Kemp and Olivan 2003 (EDF+).
"""

import os
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path

import edfio
import mne
import numpy as np

from helpers.acquire import montages
from helpers.study import files
from helpers.study.bands import BANDS
from helpers.study.errors import RecordingError, UnusableRecording

# Volts in a unit, by the header's bytes: µ is one byte in Latin-1, and one of two characters in UTF-8. A blank unit is
# refused: MNE takes it for volts, while most files without a unit mean µV.
UNITS = {"uV": 1e-6, "\xb5V": 1e-6, "\xc2\xb5V": 1e-6, "\xce\xbcV": 1e-6, "mV": 1e-3, "V": 1.0, "nV": 1e-9}
UNITS_OF_MNE = ("uV", "\xb5V", "mV")  # all others it reads as volts

# Where every EEG amplifier lies with room to spare; beyond, the unit is wrong or the header damaged.
LARGEST_V, NARROWEST_V = 10.0, 1e-6  # of any channel's limits; of the widest channel's range
FASTEST_HZ = 100_000.0
HIGHEST_HZ = max(high_hz for _, _, high_hz in BANDS.values())  # whose sampling takes more than twice as many a second
RECORD_BYTES = 1 << 26  # a data record is read completely, even for one sample; EDF recommends 61,440 at most

ANEW = "Replace it by a complete copy, or export it anew."
KINDS = {b"\xff": "BDF (24 bits)", b"\x1f\x8b": "a gzip archive", b"PK": "a ZIP archive"}

_OPENING = threading.Lock()  # warnings and MNE's verbosity are one for the process: two threads would exchange theirs


@dataclass(frozen=True)
class Header:
    """What an EDF header says, checked."""

    file: str  # its name
    labels: tuple  # of every signal but annotations, in the file's order
    units: tuple
    montage: tuple  # 18 pairs of signals, from `montages.find`
    used: tuple  # the signals in the montage, sorted
    sampling_hz: float  # of the signals in use
    samples: int
    duration_s: float


@dataclass(frozen=True)
class Recording:
    """An open EDF file: its header, MNE's view of it, and that view's row of each signal in `header.used`."""

    header: Header
    raw: mne.io.BaseRaw
    rows: tuple


def read_header(path):
    """Return the `Header` of an EDF file, read and checked.

    Raises
    ------
    RecordingError
        If the file cannot be opened, is no EDF, is damaged, discontinuous (EDF+D), still being written or not of the
        size that its header promises, or if the montage's channels have no usable range, unit or common sampling rate.
    UnusableRecording
        If a good file cannot give the 18 channels, or its sampling rate is too low for the bands.
    """
    path = Path(path)
    size = _check_kind(path)
    try:
        with _OPENING, warnings.catch_warnings():
            warnings.simplefilter("error")  # edfio warns of a size that is not the promised one
            parsed = edfio.read_edf(path, header_encoding="latin-1")
        return _check(parsed, path.name, size)
    except RecordingError:
        raise
    except Exception as error:  # edfio raises many types on a damaged header; each means the same to a user
        found = str(error).removesuffix(" Updating header.")
        raise RecordingError(f"{path.name} is damaged or was not copied completely ({found}). {ANEW}") from error


def _refuse(file, found, do=ANEW):
    raise RecordingError(f"{file} {found}. {do}")


def _check_kind(path):
    """Return a file's size in bytes, if its first 256 say that it is a continuous EDF, and could hold its header."""
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited on for ever
            raise OSError(0, "it is no file")
        with open(path, "rb") as opened:
            main, size = opened.read(256), os.fstat(opened.fileno()).st_size
    except OSError as error:
        found = f"{path} cannot be opened ({error.strerror})"
        raise RecordingError(f"{found}. See that it is there and readable.") from error
    file, count = path.name, main[252:].strip()
    for magic, kind in KINDS.items():
        if main.startswith(magic):
            _refuse(file, f"is no EDF file: its header is that of {kind}", "Convert it to EDF, or unpack it.")
    if len(main) < 256 or main[:8].rstrip(b"\0 ") != b"0":
        _refuse(file, f"is no EDF file: it has {size} bytes, and its header begins with {main[:8]!r}, not with '0'")
    if main[192:].startswith(b"EDF+D"):
        found = "is discontinuous (EDF+D): seconds counted by its samples would not be seconds of time"
        _refuse(file, found, "Export it as EDF or EDF+C, one file for each unbroken piece.")
    if main[236:244].strip() == b"-1":
        _refuse(file, "is still being written (-1 data records)", "End the recording, then copy it again.")
    if not count.isdigit() or not 0 < 256 * int(count) <= size - 256:
        _refuse(file, f"is no EDF file or cut short: it announces {count!r} signals, and has {size} bytes")
    return size


def _check(parsed, file, size):
    """Return the `Header` of what edfio parsed, checked; any property of edfio's may raise."""
    records, record_s, signals = parsed.num_data_records, parsed.data_record_duration, parsed.signals
    shortest = min((signal.samples_per_data_record for signal in signals), default=0)
    if records < 1 or shortest < 1 or not 0 < record_s < np.inf or parsed.bytes_in_header_record % 256:
        found = f"{records} data records of {record_s:g} s, with {shortest} samples a signal or more"
        _refuse(file, f"has a damaged header: {found}")
    if (size - parsed.bytes_in_header_record) / records > RECORD_BYTES:
        do = "Export it with data records of about one second."
        _refuse(file, f"has data records of more than {RECORD_BYTES} bytes", do)
    labels = tuple(signal.label.strip() for signal in signals)
    montage = tuple(montages.find(labels, file))
    used = tuple(sorted({index for pair in montage for index in pair if index is not None}))
    # MNE takes all signals of a label; one of another rate would make it resample the rest.
    chosen = {labels[index] for index in used}
    sampling_hz = _sampling([signal for signal in signals if signal.label.strip() in chosen], file)
    _check_ranges([signals[index] for index in used], file)
    samples = records * signals[used[0]].samples_per_data_record
    units = tuple(signal.physical_dimension.strip() for signal in signals)
    return Header(file, labels, units, montage, used, sampling_hz, samples, samples / sampling_hz)


def _sampling(signals, file):
    """Return the sampling rate of some signals in Hz, the same for all."""
    rates = {round(signal.sampling_frequency, 6): signal.label for signal in signals}  # 110 / 0.55 is a little less
    if len(rates) > 1:
        found = ", ".join(f"{label} {rate:g} Hz" for rate, label in rates.items())
        _refuse(file, f"has EEG channels of different sampling rates: {found}", "Export all EEG channels at one rate.")
    (rate,) = rates
    if not rate <= FASTEST_HZ:
        _refuse(file, f"has a damaged header: a sampling rate of {rate:g} Hz is not plausible for EEG")
    if rate <= 2 * HIGHEST_HZ:
        raise UnusableRecording(
            f"{file} has a sampling rate of {rate:g} Hz; the bands reach {HIGHEST_HZ:g} Hz, which takes more than "
            f"{2 * HIGHEST_HZ:g} Hz. Export it at its original rate, {montages.LEAVE_OUT}"
        )
    return rate


def _check_ranges(signals, file):
    """Check unit, digital and physical limits of the signals in use."""
    ranges_v = []
    for signal in signals:
        label, unit = signal.label, signal.physical_dimension.strip()
        (low, high), (bottom, top) = signal.digital_range, signal.physical_range
        if unit not in UNITS:
            do = "Write the unit into the header, or export the file anew with it."
            _refuse(file, f"has {label} in the unit {unit!r}, not in uV, µV, mV, V or nV", do)
        if not -32768 <= low < high <= 32767:
            _refuse(file, f"has digital limits of {label} from {low:g} to {high:g}, no range of 16 bits")
        if bottom == top or not all(abs(limit) * UNITS[unit] <= LARGEST_V for limit in (bottom, top)):  # nor NaN
            found = f"has physical limits of {label} from {bottom:g} to {top:g} {unit}, none of an EEG"
            _refuse(file, found, f"Correct limits and unit in the header: two limits within ±{LARGEST_V:g} V.")
        ranges_v.append(abs(top - bottom) * UNITS[unit])
    if max(ranges_v) < NARROWEST_V:
        found = f"has no channel that ranges over more than {max(ranges_v) * 1e6:g} µV, too little for an EEG"
        _refuse(file, found, "Correct limits and unit in the header, or export it anew.")


def open_edf(path):
    """Return an EDF file as a `Recording`, without reading its samples.

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
    """Return samples `start` up to, and without, `stop` (by default all) of the double banana, float32 [18, …] in µV.

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
