"""EDF files: the header checked, the samples of the montage's 18 channels in µV, the times of EDF+.

Read here, as other readers end at fields that no study needs (a clock with second 75), take a truncated file for a
shorter one, an unknown unit for volts and jumps of time for none. What is false but plausible (another physical
maximum, two labels exchanged) cannot be found. The format: Kemp et al. 1992 (EDF), Kemp and Olivan 2003 (EDF+).
"""

import os
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from helpers.acquire import montages
from helpers.study import files
from helpers.study.bands import BANDS
from helpers.study.errors import RecordingError, UnusableRecording

# Volts in a unit, by the header's bytes: µ is one byte in Latin-1, two in UTF-8 and Shift-JIS. A blank unit is refused:
# it would be volts to some, while most files without a unit mean µV.
MICRO = ("u", "\xb5", "\xc2\xb5", "\xce\xbc", "\x83\xca")
UNITS = dict.fromkeys((f"{micro}V" for micro in MICRO), 1e-6) | {"mV": 1e-3, "V": 1.0, "nV": 1e-9}

# Where every EEG amplifier lies with room to spare; beyond, the unit is wrong or the header damaged.
LARGEST_V, NARROWEST_V = 20.0, 1e-6  # between any channel's limits; of the widest channel's
FASTEST_HZ = 100_000.0
HIGHEST_HZ = max(high_hz for _, _, high_hz in BANDS.values())  # whose sampling takes more than twice as many a second
DENOMINATOR = 10  # a rate is a fraction of small numbers, or no filter of reasonable length resamples it
RECORD_BYTES = 1 << 26  # a data record is read completely, even for one sample; EDF recommends 61,440 at most
JUMP_S, DRIFT_S = 0.1, 1.0  # of time between two records of EDF+, and by a clock's inaccuracy in all

ANEW = "Replace it by a complete copy, or export it anew."
KINDS = {b"\xff": "BDF (24 bits)", b"\x1f\x8b": "a gzip archive", b"PK": "a ZIP archive"}
FIELDS = {"label": 16, "transducer": 80, "unit": 8, "bottom": 8, "top": 8, "low": 8, "high": 8, "filter": 80, "size": 8}
NOTES = "EDF Annotations"
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Signal:
    """What an EDF header says of a signal."""

    label: str
    unit: str
    bottom: float  # the physical limits, in the unit
    top: float
    low: float  # the digital ones
    high: float
    limits: tuple  # the four as written
    size: int  # samples in a data record
    first: int  # its place there

    def volts(self, digital):
        """Return digital samples in V, float64."""
        scale = (self.top - self.bottom) / (self.high - self.low)
        volts = digital * np.float64(scale)
        volts += self.bottom - self.low * scale
        volts *= UNITS[self.unit]
        return volts


@dataclass(frozen=True)
class Header:
    """What an EDF header says, checked."""

    file: str  # its name
    patient: str  # whom it is of, as written
    clock: str  # when it began, as written
    signals: tuple  # `Signal` of each but annotations, in the file's order
    notes: tuple  # those of annotations
    montage: tuple  # 18 pairs of signals, from `montages.find`
    used: tuple  # the signals in the montage, sorted
    sampling_hz: float  # of the signals in use
    samples: int
    records: int
    record_s: float
    gaps: bool  # EDF+D: time may jump between records
    tail: int  # zero bytes after the last record, fewer than a record's

    @property
    def labels(self):
        return tuple(signal.label for signal in self.signals)

    @property
    def doubled(self):
        """Pairs of a signal in use and a later one of the same label."""
        pairs = ((index, later) for index in self.used for later in range(index + 1, len(self.signals)))
        return [pair for pair in pairs if self.labels[pair[0]] == self.labels[pair[1]]]

    @property
    def duration_s(self):
        return self.samples / self.sampling_hz

    @property
    def start_byte(self):
        return 256 * (1 + len(self.signals) + len(self.notes))

    @property
    def record_bytes(self):
        return 2 * sum(signal.size for signal in (*self.signals, *self.notes))


@dataclass(frozen=True)
class Recording:
    """An EDF file and its header."""

    path: Path
    header: Header


def open_edf(path):
    """Return an EDF file as a `Recording`, its header read and checked, without reading its samples.

    Raises
    ------
    RecordingError
        If the file cannot be opened, is no EDF, is damaged, still being written or not of the size that its header
        promises (but for zeros), or if the montage's channels have no common sampling rate.
    UnusableRecording
        If a good file cannot give the 18 channels in µV, or its sampling rate is too low for the bands.
    """
    path = Path(path)
    with files.open_regular(path) as opened:
        main, size = opened.read(256), os.fstat(opened.fileno()).st_size
        _check_kind(path.name, main, size)
        table = opened.read(256 * int(main[252:]))
        try:
            header = _parse(path.name, main, table, size)
        except ValueError as error:
            if isinstance(error, RecordingError):
                raise
            raise RecordingError(f"{path.name} has a damaged header ({error}). {ANEW}") from error
        opened.seek(size - header.tail)
        if any(opened.read(header.tail)):
            _refuse_size(header, size)
    return Recording(path, header)


def _refuse(file, found, do=ANEW):
    raise RecordingError(f"{file} {found}. {do}")


def _refuse_size(header, size):
    promised = f"{header.records} data records of {header.record_bytes} bytes"
    found = f"is damaged or was not copied completely: its header announces {promised}, and it has {size} bytes"
    _refuse(header.file, found)


def _check_kind(file, main, size):
    """Raise RecordingError unless a file's first 256 bytes say that it is an EDF, and it could hold its header."""
    count = main[252:].strip()
    for magic, kind in KINDS.items():
        if main.startswith(magic):
            _refuse(file, f"is no EDF file: its header is that of {kind}", "Convert it to EDF, or unpack it.")
    if len(main) < 256 or main[:8].rstrip(b"\0 ") != b"0":
        _refuse(file, f"is no EDF file: it has {size} bytes, and its header begins with {main[:8]!r}, not with '0'")
    if main[236:244].strip() == b"-1":
        _refuse(file, "is still being written (-1 data records)", "End the recording, then copy it again.")
    if not count.isdigit() or not 0 < 256 * int(count) <= size - 256:
        _refuse(file, f"is no EDF file or cut short: it announces {count!r} signals, and has {size} bytes")


def _parse(file, main, table, size):
    """Return the `Header` in a file's first bytes, checked; raise ValueError if a number in it is none."""
    length, records, record_s = (_number(main[place]) for place in (slice(184, 192), slice(236, 244), slice(244, 252)))
    signals = _signals(table, len(table) // 256)
    eeg = tuple(signal for signal in signals if signal.label != NOTES)
    notes = tuple(signal for signal in signals if signal.label == NOTES)
    if records < 1 or records % 1 or not 0 < record_s < np.inf or length != 256 + len(table):
        found = f"{length:g} bytes of header, {records:g} data records of {record_s:g} s"
        _refuse(file, f"has a damaged header: {found}")
    labels = tuple(signal.label for signal in eeg)
    montage = tuple(montages.find(labels, file))
    used = tuple(sorted({index for pair in montage for index in pair if index is not None}))
    sampling_hz = _sampling([eeg[index] for index in used], record_s, file)
    _check_ranges([eeg[index] for index in used], file)
    samples, tail = int(records) * eeg[used[0]].size, size - 256 - len(table)
    header = Header(
        file, _text(main[8:88]), _text(main[176:184]), eeg, notes, montage, used, sampling_hz, samples, int(records),
        record_s, main[192:].startswith(b"EDF+D"), tail - int(records) * 2 * sum(signal.size for signal in signals),
    )  # fmt: skip
    if header.record_bytes > RECORD_BYTES:
        do = "Export it with data records of about one second."
        _refuse(file, f"has data records of more than {RECORD_BYTES} bytes", do)
    if not 0 <= header.tail < header.record_bytes:
        _refuse_size(header, size)
    return header


def _text(field):
    return field.decode("latin-1").strip("\0 ")


def _number(field):
    """Return a header's number; raise ValueError if it is none."""
    text = _text(field)
    if not NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is no number")
    return float(text)


def _signals(table, count):
    """Return the `Signal` of each in a header, those of annotations too."""
    columns, start, signals, first = {}, 0, [], 0
    for name, width in FIELDS.items():
        columns[name] = [_text(table[start + width * index : start + width * (index + 1)]) for index in range(count)]
        start += width * count
    for index in range(count):
        label, unit, size = (columns[name][index] for name in ("label", "unit", "size"))
        if not re.fullmatch("[0-9]+", size):
            raise ValueError(f"{label} has {size!r} samples in a data record")
        limits = tuple(columns[name][index] for name in ("bottom", "top", "low", "high"))
        numbers = (float(limit) if NUMBER.fullmatch(limit) else np.nan for limit in limits)  # as not all are needed
        signals.append(Signal(label, unit, *numbers, limits, int(size), first))
        first += int(size)
    return signals


def _sampling(signals, record_s, file):
    """Return the sampling rate of some signals in Hz, the same for all."""
    rates = {signal.size / record_s: signal.label for signal in signals}
    if len(rates) > 1:
        found = ", ".join(f"{label} {rate:g} Hz" for rate, label in rates.items())
        _refuse(file, f"has EEG channels of different sampling rates: {found}", "Export all EEG channels at one rate.")
    (rate,) = rates
    if not rate <= FASTEST_HZ:
        _refuse(file, f"has a damaged header: a sampling rate of {rate:g} Hz is not plausible for EEG")
    exact = float(Fraction(rate).limit_denominator(DENOMINATOR))  # 110 / 0.55 is a little less than 200
    unusable = None
    if exact <= 2 * HIGHEST_HZ:
        unusable = f"the bands reach {HIGHEST_HZ:g} Hz, which takes more than {2 * HIGHEST_HZ:g} Hz"
        unusable += ". Export it at its original rate"
    elif abs(exact / rate - 1) > 1e-5:
        unusable = f"only a whole number, or one with a denominator of {DENOMINATOR} at most, can be resampled"
        unusable += ". Export it at a whole number of Hz"
    if unusable:
        raise UnusableRecording(f"{file} has a sampling rate of {rate:.10g} Hz; {unusable}, {montages.LEAVE_OUT}")
    return exact


def _check_ranges(signals, file):
    """Raise UnusableRecording if unit, digital or physical limits of the signals in use give no µV."""
    found, ranges_v = [], []
    for signal in signals:
        label, (bottom, top, low, high) = signal.label, signal.limits
        volts = UNITS.get(signal.unit, np.nan)
        if np.isnan(volts):
            found.append(f"has {label} in the unit {signal.unit!r}, not in uV, µV, mV, V or nV")
        elif not -32768 <= signal.low < signal.high <= 32767:
            found.append(f"has digital limits of {label} from {low} to {high}, no range of 16 bits")
        elif signal.bottom == signal.top or not abs(signal.top - signal.bottom) * volts <= LARGEST_V:  # nor NaN
            found.append(f"has physical limits of {label} from {bottom} to {top} {signal.unit}, none of an EEG")
        ranges_v.append(abs(signal.top - signal.bottom) * volts)
    if not found and max(ranges_v) < NARROWEST_V:
        found.append(f"has no channel that ranges over more than {max(ranges_v) * 1e6:g} µV, too little for an EEG")
    if found:
        raise UnusableRecording(f"{file} {found[0]}. Correct limits and unit in the header, {montages.LEAVE_OUT}")


def check_times(recording):
    """Raise RecordingError if the time that EDF+ gives each data record jumps, or is not given where it may."""
    header, known, late_s = recording.header, [], []
    with files.open_regular(recording.path) as file:
        for record in range(header.records if header.notes else 0):
            file.seek(header.start_byte + record * header.record_bytes + 2 * header.notes[0].first)
            if onset := re.match(rb"[+-]\d+(\.\d*)?(?=[\x14\x15])", file.read(2 * header.notes[0].size)):
                known.append(record)
                late_s.append(float(onset[0]) - record * header.record_s)
    if header.gaps and len(known) < header.records:
        found = "may be discontinuous (EDF+D), and does not give the time of each data record"
        _refuse(header.file, found, "Export it as EDF or EDF+C, one file for each unbroken piece.")
    steps = np.abs(np.diff(late_s))
    if len(late_s) > 1 and not (steps.max() <= JUMP_S and abs(late_s[-1] - late_s[0]) <= DRIFT_S):
        worst = int(np.argmax(steps))
        found = f"is discontinuous: its time jumps by {late_s[worst + 1] - late_s[worst]:.3g} s at "
        found += f"{known[worst + 1] * header.record_s:g} s, counted by samples"
        _refuse(header.file, found, "Export it as EDF or EDF+C, one file for each unbroken piece.")


def read_digital(recording, start, stop, indices):
    """Return samples of some signals as the file holds them, int16 [signal, stop - start]; errors as of `read`."""
    header = recording.header
    if not 0 <= start < stop <= header.samples:
        raise RecordingError(f"{header.file} has {header.samples} samples; asked for were {start} to {stop}.")
    size = header.signals[header.used[0]].size
    first, last = start // size, -(-stop // size)
    with files.open_regular(recording.path) as file:
        file.seek(header.start_byte + first * header.record_bytes)
        data = file.read((last - first) * header.record_bytes)
    if len(data) < (last - first) * header.record_bytes:
        raise RecordingError(f"{header.file} has become shorter since it was opened. Put it back as it was.")
    records = np.frombuffer(data, "<i2").reshape(last - first, -1)
    signals = [header.signals[index] for index in indices]
    whole = [records[:, signal.first : signal.first + size].reshape(-1) for signal in signals]
    return np.array([signal[start - first * size : stop - first * size] for signal in whole])


def read(recording, start=0, stop=None):
    """Return samples `start` up to, and without, `stop` (by default all) of the double banana, float32 [18, …] in µV.

    Raises
    ------
    RecordingError
        If the recording has no such samples, or they cannot be read any more.
    """
    header = recording.header
    digital = read_digital(recording, start, header.samples if stop is None else stop, header.used)
    return derive(header, digital)


def derive(header, digital):
    """Return the double banana, float32 [18, sample] in µV, of the digital samples of `header.used`."""
    volts = {index: header.signals[index].volts(row) for index, row in zip(header.used, digital, strict=True)}
    bipolar = np.empty((len(header.montage), digital.shape[1]), np.float32)
    for row, (plus, minus) in enumerate(header.montage):
        difference = volts[plus] if minus is None else volts.get(plus, 0.0) - volts[minus]
        bipolar[row] = difference * 1e6
    return bipolar


def read_checked(path, digest):
    """Open an EDF file after comparing its SHA-256 with `digest`, so that no other file is taken for it."""
    if not Path(path).exists():
        raise RecordingError(f"{path} is not there any more. Put it back, or: dvc repro -s -f acquire@<patient>")
    if files.sha256(path) != digest:
        raise RecordingError(f"{path} has changed since it was acquired. Run: dvc repro -s -f acquire@<patient>")
    return open_edf(path)
