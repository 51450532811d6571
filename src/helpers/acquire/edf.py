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

LARGEST_V = 20.0  # between a channel's limits: no EEG amplifier has more, so the unit is wrong or the header damaged
FASTEST_HZ = 100_000.0
HIGHEST_HZ = max(high_hz for _, _, high_hz in BANDS.values())  # whose sampling takes more than twice as many a second
DENOMINATOR = 10  # a rate is a fraction of small numbers, or no filter of reasonable length resamples it
JUMP_S, DRIFT_S = 0.1, 1.0  # of time between two records of EDF+, and by a clock's inaccuracy in all

ANEW = "Replace it by a complete copy, or export it anew."
FIELDS = {"label": 16, "transducer": 80, "unit": 8, "bottom": 8, "top": 8, "low": 8, "high": 8, "filter": 80, "size": 8}
NOTES = "EDF Annotations"
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Signal:
    """What an EDF header says of a signal."""

    label: str
    unit: str
    limits: tuple  # physical bottom and top, in the unit, and digital low and high, as written
    size: int  # samples in a data record
    first: int  # its place there

    @property
    def numbers(self):
        """The limits as numbers, NaN where they are none: not all signals are needed."""
        return [float(limit) if NUMBER.fullmatch(limit) else np.nan for limit in self.limits]

    def volts(self, digital):
        """Return digital samples in V, float64."""
        bottom, top, low, high = self.numbers
        scale = (top - bottom) / (high - low)
        return (digital * scale + (bottom - low * scale)) * UNITS[self.unit]


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
    records: int
    record_s: float
    gaps: bool  # EDF+D: time may jump between records
    tail: int  # zero bytes after the last record, fewer than a record's

    @property
    def labels(self):
        return tuple(signal.label for signal in self.signals)

    @property
    def samples(self):
        return self.records * self.signals[self.used[0]].size

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

    RecordingError if the file cannot be opened, is no EDF, damaged, still being written or not of the size that its
    header promises (but for zeros); UnusableRecording if a good file cannot give the 18 channels in µV, or its sampling
    rate is too low for the bands.
    """
    path = Path(path)
    with files.open_regular(path) as opened:
        size = os.fstat(opened.fileno()).st_size
        header = _read_header(path.name, opened, size)
        opened.seek(max(0, size - header.tail))
        if not 0 <= header.tail < header.record_bytes or any(opened.read()):
            promised = f"{header.records} data records of {header.record_bytes} bytes"
            found = "is damaged or was not copied completely: its header announces"
            _refuse(path.name, f"{found} {promised}, and it has {size} bytes")
    return Recording(path, header)


def _refuse(file, found, do=ANEW):
    raise RecordingError(f"{file} {found}. {do}")


def _read_header(file, opened, size):
    """Return the `Header` of an open file of `size` bytes, checked but for what follows its data records."""
    main = opened.read(256)
    if len(main) < 256 or _text(main[:8]) != "0":
        found = f"is no EDF file: it has {size} bytes, and its header begins with {main[:8]!r}, not with '0'"
        _refuse(file, found, "Unpack or convert it to EDF, or replace it by a complete copy.")
    texts = [_text(field) for field in (main[184:192], main[236:244], main[244:252], main[252:])]
    if texts[1] == "-1":
        _refuse(file, "is still being written (-1 data records)", "End the recording, then copy it again.")
    if texts[2] == "0":
        _refuse(file, "holds annotations alone (data records of 0 s)", "Take the recording that they belong to.")
    length, records, record_s, count = (float(text) if NUMBER.fullmatch(text) else np.nan for text in texts)
    whole = records >= 1 and records % 1 == 0 and count >= 1 and count % 1 == 0  # nor NaN
    if not (whole and 0 < record_s < np.inf and length == 256 * (1 + count) <= size):
        found = "{} bytes of header, {} data records of {} s, {!r} signals".format(*texts)
        _refuse(file, f"has a damaged header, or is cut short: {found}, and {size} bytes in all")
    signals = _signals(file, opened.read(int(length) - 256), int(count))
    eeg = tuple(signal for signal in signals if signal.label != NOTES)
    notes = tuple(signal for signal in signals if signal.label == NOTES)
    montage = tuple(montages.find([signal.label for signal in eeg], file))
    used = tuple(sorted({index for pair in montage for index in pair if index is not None}))
    sampling_hz = _sampling([eeg[index] for index in used], record_s, file)
    _check_ranges([eeg[index] for index in used], file)
    tail = size - int(length) - int(records) * 2 * sum(signal.size for signal in signals)
    return Header(
        file, _text(main[8:88]), _text(main[176:184]), eeg, notes, montage, used, sampling_hz, int(records), record_s,
        main[192:].startswith(b"EDF+D"), tail,
    )  # fmt: skip


def _text(field):
    return field.decode("latin-1").strip("\0 ")


def _signals(file, table, count):
    """Return the `Signal` of each in a header, those of annotations too."""
    columns, start, signals, first = {}, 0, [], 0
    for name, width in FIELDS.items():
        columns[name] = [_text(table[start + width * index : start + width * (index + 1)]) for index in range(count)]
        start += width * count
    for index, size in enumerate(columns["size"]):
        label, unit, *limits = (columns[name][index] for name in ("label", "unit", "bottom", "top", "low", "high"))
        if not re.fullmatch("[0-9]+", size):
            _refuse(file, f"has a damaged header ({label} has {size!r} samples in a data record)")
        signals.append(Signal(label, unit, tuple(limits), int(size), first))
        first += int(size)
    return signals


def _sampling(signals, record_s, file):
    """Return the sampling rate of some signals in Hz, the same for all, of which the bands can be had."""
    rates = {signal.size / record_s: signal.label for signal in signals}
    if len(rates) > 1:
        found = ", ".join(f"{label} {rate:g} Hz" for rate, label in rates.items())
        _refuse(file, f"has EEG channels of different sampling rates: {found}", "Export all EEG channels at one rate.")
    (rate,) = rates
    # 110 / 0.55 is a little less than 200
    exact = float(Fraction(min(rate, FASTEST_HZ)).limit_denominator(DENOMINATOR))
    if exact <= 2 * HIGHEST_HZ or abs(exact / rate - 1) > 1e-5:
        raise UnusableRecording(
            f"{file} has a sampling rate of {rate:.10g} Hz; the bands reach {HIGHEST_HZ:g} Hz, which takes more than "
            f"{2 * HIGHEST_HZ:g} Hz, and resampling a whole number or a fraction over {DENOMINATOR} at most. Export it "
            f"at its original rate, {montages.LEAVE_OUT}"
        )
    return exact


def _check_ranges(signals, file):
    """Raise UnusableRecording if unit, physical or digital limits of the signals in use give no µV."""
    for signal in signals:
        bottom, top, low, high = signal.numbers
        range_v = abs(top - bottom) * UNITS.get(signal.unit, np.nan)
        if not (0 < range_v <= LARGEST_V and -32768 <= low < high <= 32767):  # nor NaN
            bottom, top, low, high = signal.limits
            raise UnusableRecording(
                f"{file} has {signal.label} from {bottom} to {top} in the unit {signal.unit!r}, as {low} to {high}; "
                f"wanted are uV, µV, mV, V or nV, at most {LARGEST_V:g} V in all, and 16 bits. Correct limits and unit "
                f"in the header, {montages.LEAVE_OUT}"
            )


def check_times(recording):
    """Raise RecordingError if the time that EDF+ gives each data record jumps, or is not given where it may."""
    header, known, late_s = recording.header, [], []
    with files.open_regular(recording.path) as file:
        for record in range(header.records if header.notes else 0):
            file.seek(header.start_byte + record * header.record_bytes + 2 * header.notes[0].first)
            if onset := re.match(rb"[+-]\d+(\.\d*)?(?=[\x14\x15])", file.read(2 * header.notes[0].size)):
                known.append(record)
                late_s.append(float(onset[0]) - record * header.record_s)
    steps = np.abs(np.diff(late_s))
    jumps = len(steps) and not (steps.max() <= JUMP_S and abs(late_s[-1] - late_s[0]) <= DRIFT_S)
    if jumps or (header.gaps and len(known) < header.records):
        found = "may be discontinuous (EDF+D), and does not give the time of each data record"
        if jumps:
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
    places = [header.signals[index].first for index in indices]
    whole = [records[:, place : place + size].reshape(-1) for place in places]
    return np.array([signal[start - first * size : stop - first * size] for signal in whole])


def read(recording, start=0, stop=None):
    """Return samples `start` up to, and without, `stop` (by default all) of the double banana, float32 [18, …] in µV.

    RecordingError if the recording has no such samples, or they cannot be read any more.
    """
    header = recording.header
    return derive(header, read_digital(recording, start, header.samples if stop is None else stop, header.used))


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
