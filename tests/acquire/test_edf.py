"""EDF files: samples compared with two other readers, each damaged header named, and thousands of mutated files.

What no check can find is not asked for: a physical maximum of 300 for 400, two labels exchanged, samples overwritten
by others. The fuzz demands that such a file is read as it now stands.
"""

import io
import os
import tracemalloc
from functools import cache

import numpy as np
import pytest
from edfio import Edf, EdfAnnotation, EdfSignal, read_edf
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.acquire import edf, montages, quality
from helpers.study import files
from helpers.study.errors import RecordingError, UnusableRecording

FUZZ = settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "300")), derandomize=True, deadline=None)
CHBMIT = (*montages.DOUBLE_BANANA, "P7-T7", "T7-FT9", "FT9-FT10", "FT10-T8", "T8-P8")
REFERENTIAL = ("ECG", *(f"EEG {name.title()}-Ref" for name in sorted(montages.ELECTRODES)), "EEG A1-Ref")

# Offset and width of the fields of the first part; of the second, in the order of the file, the width a signal.
MAIN = {"version": (0, 8), "patient": (8, 80), "recording": (88, 80), "date": (168, 8), "clock": (176, 8)}
MAIN |= {"length": (184, 8), "reserved": (192, 44), "records": (236, 8), "duration": (244, 8), "signals": (252, 4)}
SIGNAL = {"label": 16, "transducer": 80, "unit": 8, "pmin": 8, "pmax": 8, "dmin": 8, "dmax": 8, "filter": 80, "n": 8}
SIGNAL |= {"rest": 32}


def place(data, field, signal=0):
    """Return the slice of a header's field."""
    if field in MAIN:
        return slice(MAIN[field][0], sum(MAIN[field]))
    names, count = list(SIGNAL), int(data[252:256])
    first = 256 + count * sum(SIGNAL[name] for name in names[: names.index(field)]) + signal * SIGNAL[field]
    return slice(first, first + SIGNAL[field])


def put(data, where, value):
    """Return `data` with `value` at a slice, blanks after it."""
    width = where.stop - where.start
    return data[: where.start] + value[:width].ljust(width) + data[where.stop :]


def patched(data, field, value, signal=0):
    """Return an EDF file with one field of its header replaced."""
    return put(data, place(data, field, signal), value if isinstance(value, bytes) else value.encode("latin-1"))


def built(labels, rate=256, seconds=4, rates=None, limits=(-400, 400), unit="uV", record_s=None, annotations=None):
    """Return an EDF file of noise of 40 µV as bytes, of the rates {label: Hz} where given; T8-P8 is the same twice."""
    signals = []
    for label in labels:
        generator = np.random.default_rng(list(label.encode()))
        hz = (rates or {}).get(label, rate)
        data = generator.normal(0, 40, round(seconds * hz)) * limits[1] / 400
        signals.append(EdfSignal(data, hz, label=label, physical_dimension=unit, physical_range=limits))
    target = io.BytesIO()
    Edf(signals, data_record_duration=record_s, annotations=annotations).write(target)
    return target.getvalue()


@cache
def seed(name):
    """Return one of the valid files that the tests damage."""
    notes = [EdfAnnotation(0.5, None, "eyes closed"), EdfAnnotation(1.0, 2.0, "@ spike")]
    return {
        "chbmit": lambda: built(CHBMIT, 128, seconds=2),
        "annotated": lambda: built(CHBMIT, 128, seconds=2, annotations=notes),
        "ecg": lambda: built((*CHBMIT[:3], "ECG", *CHBMIT[3:]), 128, seconds=2, rates={"ECG": 256}),
        "referential": lambda: built(REFERENTIAL, 128, seconds=2),
    }[name]()


SEEDS = ("chbmit", "annotated", "ecg", "referential")


@pytest.fixture
def opened(tmp_path):
    """A function that writes bytes as a file and opens it."""

    def write_and_open(data, name="a.edf"):
        (tmp_path / name).write_bytes(data)
        return edf.open_edf(tmp_path / name)

    return write_and_open


def decoded(data, header):
    """Return float64 [18, sample] in µV by the definition of EDF alone."""
    count, records = int(data[252:256]), int(data[236:244].rstrip(b"\0 "))

    def field(name, signal):
        return float(data[place(data, name, signal)].split(b"\0")[0])

    lengths = [int(field("n", signal)) for signal in range(count)]
    table = np.frombuffer(data, "<i2", records * sum(lengths), 256 * (count + 1)).reshape(records, -1).astype(float)

    def signal_uv(signal):
        first = sum(lengths[:signal])
        digital = table[:, first : first + lengths[signal]].ravel()
        low, high, bottom, top = (field(name, signal) for name in ("dmin", "dmax", "pmin", "pmax"))
        unit = data[place(data, "unit", signal)].strip()
        scale = {b"mV": 1e3, b"V": 1e6, b"nV": 1e-3}.get(unit, 1.0)
        return ((digital - low) / (high - low) * (top - bottom) + bottom) * scale

    return np.array(
        [
            (0.0 if plus is None else signal_uv(plus)) - (0.0 if minus is None else signal_uv(minus))
            for plus, minus in header.montage
        ]
    )


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("version", "1", "is no EDF file: .* its header begins with"),
        ("length", "6400", "damaged"),
        ("records", "-1", "is still being written"),
        ("records", "0", "damaged header, .* 0 data records of 1 s"),
        ("records", "99999999", "announces 99999999 data records of 5888 bytes, and it has 17920 bytes"),
        ("records", "2.5", "damaged"),
        ("duration", "-1", "damaged header, .* 2 data records of -1 s"),
        ("duration", "nan", "damaged header, .* of nan s"),
        ("duration", "1.00007", r"rate of 127\.991\d+ Hz; .* a whole number or a fraction over 10"),
        ("duration", "1e999", "damaged"),
        ("duration", "1e-9", "sampling rate of 1.28e.11 Hz; "),
        ("duration", "1e9", "sampling rate of .*; the bands reach 55 Hz"),
        ("signals", "9999", "cut short: .* '9999' signals, and 17920 bytes"),
        ("signals", "22", "damaged"),
        ("signals", "2_3", "damaged header, .* '2_3' signals"),
        ("n", "0", "different sampling rates: FP1-F7 0 Hz"),
        ("n", "1_0", "FP1-F7 has '1_0' samples in a data record"),
        ("unit", "", "FP1-F7 .* in the unit ''"),
        ("unit", "mmHg", "FP1-F7 .* in the unit 'mmHg'"),
        *(("pmax", value, f"FP1-F7 from -400 to {value} in") for value in ("-400", "nan", "1e999", "400,5", "1e9")),
        ("dmin", "32767", "FP1-F7 .* as 32767 to 32767"),
        *(("dmax", value, f"FP1-F7 .* as -32768 to {value}; .* 16 bits") for value in ("65535", "\u00b2")),
    ],
)
def test_an_impossible_header_is_named(opened, field, value, said):
    """One field replaced: refused, with the file's name, what was found and what to do."""
    with pytest.raises(RecordingError, match=rf"^a\.edf .*{said}.*\. [A-Z]"):
        opened(patched(seed("chbmit"), field, value))


def test_files_of_other_kinds(opened, tmp_path):
    """Text, nothing, BDF, gzip, a header cut short, a folder, no file at all."""
    for data, said in (
        (b"not an EDF file" * 100, "is no EDF file.*header begins with b'not an E'"),
        (b"", "is no EDF file: it has 0 bytes"),
        (b"\xffBIOSEMI" + b" " * 248, "header begins with b'.xffBIOSEMI', not with '0'"),
        (b"\x1f\x8b" + bytes(500), "is no EDF file"),
        (seed("chbmit")[:300], "cut short: .* '23' signals, and 300 bytes"),
        (seed("chbmit")[:6144], "damaged or was not copied completely"),
    ):
        with pytest.raises(RecordingError, match=rf"^a\.edf .*{said}.*\. [A-Z]"):
            opened(data)
    for path in (tmp_path, tmp_path / "nowhere.edf"):
        with pytest.raises(RecordingError, match=r"cannot be read \(.*\)\. See that it is a file"):
            edf.open_edf(path)


@pytest.mark.parametrize("cut", [-1, -2, -1000, -5888, 1, 2, 5888])
def test_a_size_that_is_not_promised(opened, cut):
    """One byte, one sample or one complete data record too few or too many. Zeros after the last record, fewer than a
    record's, are said and change nothing; the database's own chb17b_69.edf is said to end in 256."""
    good = seed("chbmit")
    data = good[:cut] if cut < 0 else good + b"\1" * cut
    with pytest.raises(RecordingError, match=r"a\.edf is damaged or was not copied completely: .* announces 2 data"):
        opened(data)
    longer = opened(good + bytes(256))
    assert longer.header.tail == 256
    np.testing.assert_array_equal(edf.read(longer), edf.read(opened(good)))


def test_sampling_rates(opened):
    """The bands reach 55 Hz: 110 Hz and less cannot show them, and a study may go on without such a recording; all
    usual rates above are read."""
    for rate in (128, 200, 250, 256, 500, 512, 1000):
        assert opened(built(CHBMIT, rate)).header.sampling_hz == rate
    blurred = opened(built(CHBMIT, 200, 11, record_s=0.55)).header  # 110 / 0.55 is a little less than 200
    assert (blurred.sampling_hz, blurred.samples, blurred.duration_s) == (200, 2200, 11)
    thirds = opened(patched(built(CHBMIT, 400, 3), "duration", "2.999999")).header  # 400 samples in 3 s, written badly
    assert (thirds.sampling_hz, thirds.duration_s) == (400 / 3, 9)
    for rate in (100, 110):
        with pytest.raises(UnusableRecording, match=rf"^a\.edf has a sampling rate of {rate} Hz; .* more than 110 Hz"):
            opened(built(CHBMIT, rate))


def test_annotations_are_no_eeg_and_never_stop_it(opened):
    """EDF+ with a channel of annotations, also one of bytes that are no UTF-8: the same samples as without."""
    plain = edf.read(opened(seed("chbmit")))
    data = seed("annotated")
    assert b"eyes closed" in data and b"EDF+C" in data
    np.testing.assert_array_equal(edf.read(opened(data)), plain)
    np.testing.assert_array_equal(edf.read(opened(data.replace(b"eyes closed", b"\xc4uge ge\xf6ffn"))), plain)
    with pytest.raises(UnusableRecording, match="lacks FP1-F7, .* it has: ECG"):
        opened(built(("ECG",), annotations=[EdfAnnotation(0, None, "x")]))


def test_eeg_of_two_rates_is_refused(opened):
    """One channel at half the rate; an ECG or a second T8-P8 of another rate, which nobody reads, changes nothing."""
    for label, rate in (("ECG", 512), ("ECG", 64), ("FT9-FT10", 512)):
        labels = dict.fromkeys((*montages.DOUBLE_BANANA, "FT9-FT10", "ECG"))
        recording = opened(built(labels, rates={label: rate}))
        assert recording.header.sampling_hz == 256 and recording.header.samples == 1024
        np.testing.assert_array_equal(edf.read(recording), edf.read(opened(built(labels))))
    with pytest.raises(RecordingError, match="different sampling rates: .* 256 Hz, C3-P3 128 Hz"):
        opened(built(CHBMIT, rates={"C3-P3": 128}))
    other = built((*CHBMIT, "X1"), rates={"X1": 128})
    assert opened(patched(other, "label", "T8-P8", 23)).header.sampling_hz == 256


@pytest.mark.parametrize(
    ("unit", "limits"),
    [
        *((mu + b"V", (-400, 400)) for mu in (b"\xb5", b"\xc2\xb5", b"\xce\xbc", b"\x83\xca")),
        (b"mV", (-0.4, 0.4)), (b"V", (-0.0004, 0.0004)), (b"nV", (-400000, 400000)),
    ],
)  # fmt: skip
def test_units(opened, unit, limits):
    """The same EEG in µV (Latin-1, UTF-8, Shift-JIS), mV, V and nV: the same µV. Volts called microvolts are flat, and
    the reverse is more than any amplifier has."""
    wanted = edf.read(opened(built(CHBMIT)))
    data = built(CHBMIT, limits=limits)
    for signal in range(len(CHBMIT)):
        data = patched(data, "unit", unit, signal)
    np.testing.assert_allclose(edf.read(opened(data)), wanted, atol=400 / 32768, rtol=1e-6)
    with pytest.raises(UnusableRecording, match="100% of its seconds are flat"):
        quality.examine(opened(built(CHBMIT, limits=(-0.0004, 0.0004))).path)
    with pytest.raises(RecordingError, match="FP1-F7 from -400 to 400 in the unit 'V'"):
        opened(built(CHBMIT, unit="V"))


@pytest.mark.parametrize("name", SEEDS)
def test_samples_are_those_of_the_definition(opened, name):
    """µV by the definition of EDF alone, in float32; of noise of 40 µV, 2 s at 128 Hz."""
    recording = opened(seed(name))
    signal, wanted = edf.read(recording), decoded(seed(name), recording.header)
    assert signal.dtype == np.float32 and signal.shape == wanted.shape == (18, 256)
    assert recording.header.duration_s == 2 and recording.header.tail == 0
    np.testing.assert_allclose(signal, wanted, atol=1e-3)
    assert signal.std(axis=1).min() > 20


def test_real_recordings(excerpts):
    """chb01: by name, as edfio reads them; the two T8-P8 are the same signal, so that the first stands for both."""
    for path in sorted(excerpts.glob("*.edf")):
        recording = edf.open_edf(path)
        assert montages.describe(recording.header.montage, recording.header.labels) == "by name"
        signals = read_edf(path).signals
        wanted = np.array([signals[index].data for index, _ in recording.header.montage])
        np.testing.assert_allclose(edf.read(recording), wanted, atol=1e-2)
        both = [signal.data for signal in signals if signal.label == "T8-P8"]
        assert len(both) == 2 and np.array_equal(*both)


def test_of_two_channels_of_a_name_the_first_is_taken(opened):
    """The second T8-P8 overwritten by another signal, or moved beside the first: nothing changes. The first
    overwritten: the channel does."""
    good, labels = edf.read(opened(seed("chbmit"))), list(CHBMIT)
    np.testing.assert_array_equal(edf.read(opened(built([*CHBMIT[:15], *CHBMIT[14:22]], 128, seconds=2))), good)
    labels[22] = "another"
    np.testing.assert_array_equal(edf.read(opened(patched(built(labels, 128, seconds=2), "label", "T8-P8", 22))), good)
    labels[22], labels[14] = "T8-P8", "another"
    changed = edf.read(opened(patched(built(labels, 128, seconds=2), "label", "T8-P8", 14))) != good
    assert changed[14].mean() > 0.9 and not np.delete(changed, 14, axis=0).any()


def test_a_reversed_channel_is_negated(opened):
    """The file calls FP1-F7 "F7-FP1": the trace is turned back."""
    data = seed("chbmit")
    good, turned = edf.read(opened(data)), edf.read(opened(patched(data, "label", "F7-FP1")))
    np.testing.assert_array_equal(turned[0], -good[0])
    np.testing.assert_array_equal(turned[1:], good[1:])


@pytest.mark.parametrize(("name", "record_s"), [("chbmit", 1), ("referential", 0.5), ("ecg", 0.25), ("annotated", 2)])
def test_blocks_equal_the_whole(opened, name, record_s):
    """Blocks of 1, 7, 64 and 100 samples, across the bounds of data records: the same bits as at once."""
    labels = {"chbmit": CHBMIT, "referential": REFERENTIAL, "ecg": (*CHBMIT, "ECG"), "annotated": CHBMIT}[name]
    notes = [EdfAnnotation(0.5, None, "x")] if name == "annotated" else None
    recording = opened(built(labels, 128, 2, {"ECG": 256}, record_s=record_s, annotations=notes))
    whole = edf.read(recording)
    for size in (1, 7, 64, 100):
        blocks = [edf.read(recording, start, min(start + size, 256)) for start in range(0, 256, size)]
        np.testing.assert_array_equal(np.concatenate(blocks, axis=1), whole)


def test_memory_does_not_grow_with_the_recording(opened):
    """The last 512 samples of 10 s and of 500 s take the same memory, within a tenth of the longer file."""
    peaks = []
    for seconds in (10, 500):
        recording = opened(built(CHBMIT, 128, seconds))
        edf.read(recording, 0, 512)
        tracemalloc.start()
        edf.read(recording, seconds * 128 - 512, seconds * 128)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 2 * 23 * 64 * 1000 / 10


def test_samples_that_are_not_there(opened, tmp_path):
    """Beyond the end, before the start, none at all; and a file that was cut short after it was opened."""
    recording = opened(seed("chbmit"))
    for start, stop in ((0, 257), (-1, 5), (5, 5), (9, 5)):
        with pytest.raises(RecordingError, match=rf"has 256 samples; asked for were {start} to {stop}"):
            edf.read(recording, start, stop)
    (tmp_path / "a.edf").write_bytes(seed("chbmit")[:-3000])
    with pytest.raises(RecordingError, match=r"a\.edf has become shorter"):
        edf.read(recording)
    (tmp_path / "a.edf").unlink()
    with pytest.raises(RecordingError, match=r"a\.edf cannot be read"):
        edf.read(recording, 0, 10)


def test_a_changed_recording_is_not_read(opened, tmp_path):
    """Its own digest opens it; another digest, or no file, does not."""
    path = tmp_path / "a.edf"
    opened(seed("chbmit"))
    assert edf.read_checked(path, files.sha256(path)).header.samples == 256
    with pytest.raises(RecordingError, match="has changed since it was acquired"):
        edf.read_checked(path, "0" * 64)
    with pytest.raises(RecordingError, match="not there any more"):
        edf.read_checked(tmp_path / "b.edf", "0" * 64)


@pytest.mark.parametrize("value", ["99.99.99", "25.61.75", "\u00ff" * 80, "\0" * 80, "X 31-FEB-1900", "nan"])
def test_no_field_that_nobody_uses_ends_a_good_recording(opened, value):
    """Person, dates, clocks, transducers, filters; limits and unit of a channel that is in no montage, and of the
    second T8-P8, which is then told to be another."""
    data = seed("chbmit")
    for field in ("patient", "recording", "date", "clock", "transducer", "filter", "rest"):
        data = patched(data, field, value)
    for field in ("pmin", "pmax", "dmin", "dmax", "unit"):
        data = patched(patched(data, field, value, 20), field, value, 22)
    np.testing.assert_array_equal(edf.read(opened(data)), edf.read(opened(seed("chbmit"))))
    assert quality.examine(opened(data).path).doubled == ["T8-P8"]


def with_times(data, onsets, reserved):
    """Return a file of EDF+ whose data records begin at `onsets`, in s as written."""
    data = patched(data, "reserved", reserved)
    size = (len(data) - 256 * 25) // len(onsets)
    for record, onset in enumerate(onsets):
        end = 256 * 25 + (record + 1) * size
        note = f"+{onset}\x14\x14\0".encode() if onset is not None else b""
        width = 2 * int(data[place(data, "n", 23)])
        data = data[: end - width] + note.ljust(width, b"\0") + data[end:]
    return data


@pytest.mark.parametrize("reserved", ["EDF+C", "EDF+D"])
def test_time_that_jumps_is_refused(opened, reserved):
    """Records of 1 s at 0.25, 1.25, 2.25 and 3.25 s, a few milliseconds late, are in a row, EDF+D too; one that begins
    5 s late, or before the one ahead, or a drift of 2 s in all is not. EDF+D must give the time of each."""
    notes = [EdfAnnotation(0.5, None, "a long enough note")]
    data = built(CHBMIT, 128, 4, annotations=notes)
    edf.check_times(opened(with_times(data, ["0.25", "1.253", "2.25", "3.248"], reserved)))
    for onsets in (["0", "1", "7", "8"], ["0", "1", "1", "2"], ["0", "1", "2", "99999999"]):
        with pytest.raises(RecordingError, match=r"a\.edf is discontinuous: its time jumps by \S+ s at [23] s"):
            edf.check_times(opened(with_times(data, onsets, reserved)))
    slow = built(CHBMIT, 128, 40, annotations=notes)
    with pytest.raises(RecordingError, match="is discontinuous"):
        edf.check_times(opened(with_times(slow, [f"{1.05 * record:.2f}" for record in range(40)], reserved)))
    silent = opened(with_times(data, ["0", "1", None, "3"], reserved))
    if reserved == "EDF+C":
        edf.check_times(silent)
    else:
        with pytest.raises(RecordingError, match="EDF.D., and does not give the time of each"):
            edf.check_times(silent)


# Fuzz

VALUES = [b"-1", b"0", b"1", b"2", b"4", b"23", b"32", b"64", b"128", b"300", b"-300.5", b"2048", b"-2048", b"1_0"]
VALUES += [b"1e-3", b"1e-9", b"1e9", b"1e999", b"99999999", b"nan", b"inf", b"-inf", b"0x10", b"", b"\0", b"\0" * 80]
VALUES += [b"1,5", b"\xb2", b"\xc2\xb5V", b"V", b"nV", b"EDF Annotations", b"EDF+D", b"FP1-F7", b"FP1", b"T8-P8-0"]


@st.composite
def mutated(draw):
    """Return (the seed's name, the mutated file)."""
    name = draw(st.sampled_from(SEEDS))
    data = seed(name)
    count, header = int(data[252:256]), 256 * (int(data[252:256]) + 1)
    fields = st.sampled_from([*MAIN, *SIGNAL, "pmin", "pmax", "dmin", "dmax", "n", "unit"])
    signals = st.integers(0, count - 1)
    kinds = st.sampled_from(["field", "bytes", "swap", "samples", "field", "swap", "size"])
    for kind in draw(st.lists(kinds, min_size=1, max_size=3)):
        if kind == "bytes":
            places = st.integers(0, header - 1)
            for position, byte in draw(st.dictionaries(places, st.integers(0, 255), min_size=1, max_size=6)).items():
                data = data[:position] + bytes([byte]) + data[position + 1 :]
        elif kind == "samples":
            first, piece = draw(st.integers(header, len(seed(name)) - 64)), draw(st.binary(min_size=1, max_size=64))
            data = data[:first] + piece + data[first + len(piece) :]
        elif kind == "size":
            cut = draw(st.integers(0, len(data)))
            data = data[:cut] if draw(st.booleans()) else data + draw(st.binary(max_size=64))
        else:
            here, there = (place(seed(name), draw(fields), draw(signals)) for _ in range(2))
            if kind == "swap":
                data = put(put(data, here, data[there]), there, data[here])
            else:
                data = put(data, here, draw(st.sampled_from(VALUES)))
    return name, data


def read_or_refused(path, data):
    """Open and read a file; return its signal, or None if it is refused as it should be."""
    path.write_bytes(data)
    tracemalloc.start()
    try:
        recording = edf.open_edf(path)
        signal = edf.read(recording)
    except RecordingError as error:
        assert str(error).startswith(path.name), error
        return None
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 30e6
    header = recording.header
    assert signal.shape == (18, header.samples) and signal.dtype == np.float32 and header.samples > 0
    assert np.isfinite(signal).all() and header.sampling_hz > 0
    wanted = decoded(data, header)
    np.testing.assert_allclose(signal, wanted, rtol=1e-5, atol=1e-6 * max(1.0, np.abs(wanted).max()))
    return signal


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory):
    """The path of the file that the fuzz writes again and again."""
    return tmp_path_factory.mktemp("fuzz") / "f.edf"


@pytest.mark.slow
@FUZZ
@given(case=mutated())
def test_mutated_files(fuzzed, case):
    """Refused with a RecordingError, or read as the file now stands, after EDF's definition; zeros may follow its last
    data record; what touches only samples is read."""
    name, data = case
    result, header_bytes = read_or_refused(fuzzed, data), 256 * (int(seed(name)[252:256]) + 1)
    if len(data) != len(seed(name)):
        assert result is None or not any(data[len(seed(name)) :])
    elif data[:header_bytes] == seed(name)[:header_bytes] and name != "annotated":
        assert result is not None
