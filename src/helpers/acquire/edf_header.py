"""The header of an EDF file, read strictly, before any other program of ours sees the file.

After the format's definition (Kemp et al. 1992, EDF; Kemp and Olivan 2003, EDF+). MNE, which reads the samples, takes a
truncated file for a shorter one, an unknown unit for volts, a discontinuous recording for a continuous one and a
missing range for a scale of 1, and it resamples channels of different rates. What is false but plausible (another
physical maximum, two labels exchanged) cannot be found.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helpers.acquire import montages
from helpers.study.errors import RecordingError

# The header's second part: each field for all signals in turn, and its width in bytes.
FIELDS = {"label": 16, "transducer": 80, "unit": 8}
NUMBERS = ("physical minimum", "physical maximum", "digital minimum", "digital maximum")
FIELDS |= dict.fromkeys(NUMBERS, 8) | {"prefilter": 80, "samples in a record": 8, "reserved": 32}

# Volts in a unit, by the header's bytes: µ is one byte in Latin-1, and one of two characters in UTF-8. A blank unit is
# refused: MNE takes it for volts, while most files without a unit mean µV.
UNITS = {"uV": 1e-6, "\xb5V": 1e-6, "\xc2\xb5V": 1e-6, "\xce\xbcV": 1e-6, "mV": 1e-3, "V": 1.0, "nV": 1e-9}

# Where every EEG amplifier lies with room to spare; beyond, the unit is wrong or the header damaged.
LARGEST_V, NARROWEST_V = 10.0, 1e-6  # of any channel's limits; of the widest channel's range
SLOWEST_HZ, FASTEST_HZ = 1.0, 100_000.0
RECORD_BYTES = 1 << 26  # a data record is read whole, even for one sample; EDF itself recommends 61,440 at most

ANEW = "Replace it by a whole copy, or export it anew."


@dataclass(frozen=True)
class Header:
    """What an EDF header says, checked.

    Attributes
    ----------
    file : str
        The file's name.
    labels, units : tuple of str
        Of every signal, in the file's order, Latin-1.
    montage : tuple of (int or None, int or None)
        From `montages.find`.
    used : tuple of int
        The signals that make up the montage, sorted.
    sampling_hz, samples, duration_s : float, int, float
        Of the signals in use.
    start : str
        The clock at the first sample, hh:mm:ss, or "" where the header has none.
    """

    file: str
    labels: tuple
    units: tuple
    montage: tuple
    used: tuple
    sampling_hz: float
    samples: int
    duration_s: float
    start: str


def read_header(path):
    """Read and check an EDF header.

    Returns
    -------
    Header

    Raises
    ------
    RecordingError
        If the file cannot be opened, is no EDF, or has not the size that its header promises; if a number is unreadable
        or impossible; if the recording is discontinuous (EDF+D) or still being written; if the montage's channels have
        no usable range, a blank or unknown unit, or different sampling rates.
    UnusableRecording
        If a good file cannot give the 18 channels.
    """
    path = Path(path)
    file = path.name
    if path.exists() and not path.is_file():  # a pipe would never end
        raise RecordingError(f"{path} cannot be opened (it is no file). See that it is there and readable.")
    try:
        with open(path, "rb") as opened:
            main, size = opened.read(256), os.fstat(opened.fileno()).st_size
            _check_kind(main, file)
            count = _number(main[252:256], "number of signals", file)
            table = opened.read(256 * max(count, 0))
    except OSError as error:
        raise RecordingError(
            f"{path} cannot be opened ({error.strerror}). See that it is there and readable."
        ) from error
    if count < 1 or len(table) != 256 * count:
        _refuse(file, f"is no EDF file or cut short: its header announces {count} signals, and it has {size} bytes")
    signals = _signals(table, count, file)
    records, record_s = _check_layout(main, signals["samples in a record"], size, file)
    montage = tuple(montages.find(signals["label"], file))
    used = tuple(sorted({index for pair in montage for index in pair if index is not None}))
    sampling_hz = _sampling(signals, used, record_s, file)
    _check_ranges(signals, used, file)
    samples = records * signals["samples in a record"][used[0]]
    clock = main[176:184].decode("latin-1").replace(".", ":")
    start = clock if re.fullmatch(r"[0-9]{2}:[0-9]{2}:[0-9]{2}", clock) else ""
    labels, units = tuple(signals["label"]), tuple(signals["unit"])
    return Header(file, labels, units, montage, used, sampling_hz, samples, samples / sampling_hz, start)


def _refuse(file, found, do=ANEW):
    raise RecordingError(f"{file} {found}. {do}")


def _check_kind(main, file):
    for magic, kind in ((b"\xff", "BDF (24 bits)"), (b"\x1f\x8b", "a gzip archive"), (b"PK", "a ZIP archive")):
        if main.startswith(magic):
            _refuse(file, f"is no EDF file: its header is that of {kind}", "Convert it to EDF, or unpack it.")
    if len(main) < 256:
        _refuse(file, f"is no EDF file: it has {len(main)} bytes, and a header has 256 at least")
    if main[:8].rstrip(b"\0 ") != b"0":
        _refuse(file, f"is no EDF file: its header begins with {main[:8]!r}, not with '0' and seven blanks")
    if main[192:236].startswith(b"EDF+D"):
        found = "is discontinuous (EDF+D): seconds counted by its samples would not be seconds of time"
        _refuse(file, found, "Export it as EDF or EDF+C, one file for each unbroken piece.")


def _number(field, what, file, kind=int):
    """Read a number as EDF writes it, in ASCII, with a decimal point: "nan", "1_000" and "1,5" are none."""
    text = field.decode("latin-1").rstrip("\0 ").lstrip(" ")
    if not re.fullmatch(r"[+-]?[0-9]+" if kind is int else r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        wanted = "a whole number" if kind is int else "a number, decimals after a point"
        _refuse(file, f"has a damaged header: its {what} is {text!r}, not {wanted}")
    return kind(text)


def _signals(table, count, file):
    """Cut the header's second part into lists, one a field, with an entry a signal."""
    signals, first = {}, 0
    for field, width in FIELDS.items():
        entries = [table[first + i * width : first + (i + 1) * width] for i in range(count)]
        signals[field] = [entry.strip().decode("latin-1") for entry in entries]  # as MNE strips them
        if field in NUMBERS or field == "samples in a record":
            kind = float if field in NUMBERS else int
            signals[field] = [_number(entry, f"signal {i}'s {field}", file, kind) for i, entry in enumerate(entries, 1)]
        first += count * width
    return signals


def _check_layout(main, per_record, size, file):
    """Return the number of data records and their duration in s, if the file has the size that they make."""
    length = _number(main[184:192], "own length", file)
    records = _number(main[236:244], "number of data records", file)
    record_s = _number(main[244:252], "duration of a data record", file, float)
    if records == -1:
        _refuse(file, "is still being written (-1 data records)", "End the recording, then copy it again.")
    if records < 1 or not 0 < record_s < np.inf or min(per_record) < 1:
        found = f"{records} data records of {record_s:g} s, with {min(per_record)} samples or more a signal"
        _refuse(file, f"has a damaged header: {found}; each must be positive")
    if length != 256 * (len(per_record) + 1):
        _refuse(file, f"has a damaged header: {length} bytes for {len(per_record)} signals, not 256 for each and 256")
    if size != (wanted := length + 2 * records * sum(per_record)):
        _refuse(file, f"has {size} bytes, but its header promises {wanted}: it is damaged or was not copied whole")
    if 2 * sum(per_record) > RECORD_BYTES:
        found = f"has data records of {2 * sum(per_record)} bytes, too long to read in blocks (limit: {RECORD_BYTES})"
        _refuse(file, found, "Export it with data records of about one second.")
    return records, record_s


def _sampling(signals, used, record_s, file):
    """Return the sampling rate in Hz, the same for all signals in use and all others of their labels."""
    # MNE takes all signals of a label; one of another rate would make it resample the rest.
    chosen, rates = {signals["label"][index] for index in used}, {}
    for label, samples in zip(signals["label"], signals["samples in a record"], strict=True):
        if label in chosen:
            rates.setdefault(round(samples / record_s, 6), label)  # 110 samples in 0.55 s are 200 Hz
    if len(rates) > 1:
        found = ", ".join(f"{label} {rate:g} Hz" for rate, label in rates.items())
        _refuse(file, f"has EEG channels of different sampling rates: {found}", "Export all EEG channels at one rate.")
    (rate,) = rates
    if not SLOWEST_HZ <= rate <= FASTEST_HZ:
        _refuse(file, f"has a damaged header: a sampling rate of {rate:g} Hz is none of an EEG")
    return rate


def _check_ranges(signals, used, file):
    """Check unit, digital and physical limits of the signals in use."""
    ranges_v = []
    for index in used:
        label, unit = signals["label"][index], signals["unit"][index]
        bottom, top, low, high = (signals[field][index] for field in NUMBERS)
        if unit not in UNITS:
            do = "Write the unit into the header, or export the file anew with it."
            _refuse(file, f"has {label} in the unit {unit!r}, not in uV, µV, mV, V or nV", do)
        if not -32768 <= low < high <= 32767:
            _refuse(file, f"has digital limits of {label} from {low:g} to {high:g}, no range of 16 bits")
        if bottom == top or not max(abs(bottom), abs(top)) * UNITS[unit] <= LARGEST_V:
            found = f"has physical limits of {label} from {bottom:g} to {top:g} {unit}, none of an EEG"
            _refuse(file, found, f"Correct limits and unit in the header: two limits within ±{LARGEST_V:g} V.")
        ranges_v.append(abs(top - bottom) * UNITS[unit])
    if max(ranges_v) < NARROWEST_V:
        found = f"has no channel that ranges over more than {max(ranges_v) * 1e6:g} µV, too little for an EEG"
        _refuse(file, found, "Correct limits and unit in the header, or export it anew.")
