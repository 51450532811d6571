"""Annotations: CHB-MIT's real files, slips of the pen, bytes gone wrong, and the type that holds what was read.

The fuzz tests hold one promise: a file gives a good value or a RecordingError, and no seizure is lost without a word.
`FUZZ_EXAMPLES` in the environment sets how many files each of them tries.
"""

import os
import re
import socket

import numpy as np
import pandas as pd
import pytest
from conftest import SHARED
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.acquire import annotation_files, edf
from helpers.acquire.annotations import Annotations, overlap_s, runs
from helpers.study import files
from helpers.study.errors import RecordingError

FUZZ = settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "300")), derandomize=True, deadline=None)

SUMMARY = """\
Data Sampling Rate: 256 Hz
*************************

Channels in EDF Files:
**********************
Channel 1: FP1-F7
Channel 2: -
Channel 3: T8-P8

File Name: p_01.edf
File Start Time: 23:50:12
File End Time: 24:50:12
Number of Seizures in File: 2
Seizure 1 Start Time: 12 seconds
Seizure 1 End Time:  40 seconds
Seizure 2 Start Time: 2996 seconds
Seizure 2 End Time: 3036 seconds

Channels changed:
*****************
Channel 1: T8-P8

File Name: p_02+.edf
File Start Time: 1:50:12
File End Time: 2:50:12
Number of Seizures in File: 0

File Name: p_03.edf
Number of Seizures in File: 1
Seizure Start Time: 7 seconds
Seizure End Time: 99 seconds
"""
READ = [
    {"file": "p_01.edf", "seizures": [(12, 40), (2996, 3036)], "start": "23:50:12"},
    {"file": "p_02+.edf", "seizures": [], "start": "1:50:12"},
    {"file": "p_03.edf", "seizures": [(7, 99)], "start": ""},
]

EVENTS = """\
onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration
0.00\t12.00\tbckg\tn/a\tn/a\t2016-11-06 13:43:04\t3600.00
12.00\t28.50\tsz\t1.00\tall\t2016-11-06 13:43:04\t3600.00
296.25\t40.00\tsz_foc_ia\tn/a\tFp1-Avg,F7-Avg\t2016-11-06 13:43:04\t3600.00
300.00\t50.00\tsz_foc_ia\tn/a\tT3-Avg\t2016-11-06 13:43:04\t3600.00
3000.00\t600.00\tsz_gen_m_tonicClonic\tn/a\tn/a\t2016-11-06 13:43:04\t3600.00
"""
EVENTS_READ = {"seizures": [(12, 40.5), (296.25, 350), (3000, 3600)], "start": "13:43:04", "duration_s": 3600}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A folder to write into, the same for all examples of a fuzz test."""
    return tmp_path_factory.mktemp("annotations")


def reader(name, read):
    """Return a function that writes text or bytes as a file of this name, and reads it."""

    def write_and_read(folder, text):
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return read(folder / name)

    return write_and_read


summary_of = reader("p-summary.txt", annotation_files.read_summary)
events_of = reader("p_events.tsv", annotation_files.read_events)


def refused(read, *arguments):
    """Call a reader; return its result, or None if it refused with the one error that is allowed, in one line."""
    try:
        return read(*arguments)
    except RecordingError as error:
        assert re.search(r"p-summary\.txt|p_events\.tsv", str(error)) and len(str(error)) < 1000
        return None


def assert_seizures(seizures):
    """Numbers, 0 <= start < end, in order, no two touching."""
    bounds = [bound for pair in seizures for bound in pair]
    assert all(type(bound) is int or (type(bound) is float and not bound.is_integer()) for bound in bounds)
    assert all(0 <= start < end < 2e9 for start, end in seizures)
    assert all(a[1] < b[0] for a, b in zip(seizures, seizures[1:], strict=False))


def test_annotations_of_recordings():
    """b has seizures from 2 to 5 s and from 8 to 9 s, a none: spans in order, the hours of both, one of them alone; a
    seizure of a recording without a duration is a mistake."""
    seizures = pd.DataFrame([("b", 8, 9), ("b", 2, 5)], columns=["recording", "start_s", "end_s"])
    annotated = Annotations(seizures, {"a": 1800.0, "b": 3600.0})
    assert annotated.spans("b").tolist() == [[2, 5], [8, 9]] and annotated.spans("a").shape == (0, 2)
    assert annotated.hours == 1.5 and annotated.select(["a"]).durations_s == {"a": 1800.0}
    assert annotated.select(["a"]).seizures.empty and len(annotated.select(["b"]).seizures) == 2
    with pytest.raises(ValueError, match="Seizures are listed for b, whose duration is not known"):
        Annotations(seizures, {"a": 1800.0})


def test_overlaps_and_runs():
    """Of 0–4 s, 2 s lie in a seizure from 2 to 5 s, of 4–10 s 1 s and another's 1 s; ones at 1, 2, 4 are two runs."""
    assert overlap_s([0, 4, 5], [4, 10, 8], [(2, 5), (8, 9)]).tolist() == [2, 2, 0]
    assert overlap_s(0, 4, []) == 0
    assert runs([0, 1, 1, 0, 1]).tolist() == [[1, 3], [4, 5]] and runs(np.zeros(3)).shape == (0, 2)


# CHB-MIT's own files


def test_all_summaries_of_the_database():
    """664 recordings and chb24's 12, patient by patient; 198 seizures; chb08's five by hand; all clocks but chb24's; a
    clock past 24 h, a name with '+', a wrong number at an end."""
    paths = list((SHARED / "chbmit-annotations" / "summaries").glob("*-summary.txt"))
    if not paths:
        pytest.skip("needs the database's annotations in ../shared/data, which are not here")
    entries = {path.name[:5]: annotation_files.read_summary(path) for path in paths}
    counts = [42, 36, 38, 42, 39, 18, 19, 20, 19, 25, 35, 24, 33, 26, 40, 19, 21, 36, 30, 29, 33, 31, 9, 12]
    assert {name: len(listed) for name, listed in entries.items()} == {
        f"chb{number:02}": count for number, count in enumerate(counts, 1)
    }
    every = {entry["file"]: entry for listed in entries.values() for entry in listed}
    for entry in every.values():
        assert_seizures(entry["seizures"])
    assert sum(len(entry["seizures"]) for entry in every.values()) == 198
    assert {file for file, entry in every.items() if not entry["start"]} == {one["file"] for one in entries["chb24"]}
    found = {entry["file"]: entry["seizures"] for entry in entries["chb08"] if entry["seizures"]}
    assert found == {
        "chb08_02.edf": [(2670, 2841)], "chb08_05.edf": [(2856, 3046)], "chb08_11.edf": [(2988, 3122)],
        "chb08_13.edf": [(2417, 2577)], "chb08_21.edf": [(2083, 2347)],
    }  # fmt: skip
    assert every["chb02_16+.edf"]["seizures"] == [(2972, 3053)]
    assert every["chb09_08.edf"]["seizures"] == [(2951, 3030), (9196, 9267)]


# Summaries


@pytest.mark.parametrize(
    "text",
    [
        SUMMARY,
        "\ufeff" + SUMMARY[SUMMARY.index("Channels in EDF Files") :],
        SUMMARY.replace("\n", "\r\n"),
        SUMMARY.replace("\n", "\r"),
        SUMMARY.replace(" seconds", "s").replace("Seizure 1", "seizure  1"),
        SUMMARY.replace(" seconds", " sec").replace("Time:", "TIME :\t"),
        SUMMARY.replace("Seizure Start Time: 7 ", "\tSeizure\tStart Time:\u00a07.000 "),
        SUMMARY.replace("\n\n", "\nThe patient slept well.\n\n# 3 seizures at home: 5 seconds each\n"),
        SUMMARY.replace("Number of Seizures in File", "NUMBER OF SEIZURES IN FILE"),
    ],
)
def test_a_summary(tmp_path, text):
    """Three recordings: two seizures, none, one without a clock; line ends, case, blanks, the unit's spelling and
    comments change nothing; a fraction of a second stays."""
    assert summary_of(tmp_path, text) == READ
    assert summary_of(tmp_path, text.replace("99", "99.25"))[2]["seizures"] == [(7, 99.25)]


START, NUMBER, NAME = "Seizure Start Time: 7 seconds", "Number of Seizures in File: 1", "File Name: p_03.edf"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (START, "Siezure Start Time: 7 seconds", "line 30: 'Siezure Start Time: 7 .*not understood"),
        *((START, new, "is not understood") for new in (
            "Seizure Start Time 7 seconds", "Seizure Start Time = 7 seconds", "Sz onset 7", "EEG: good",
        )),
        (START, "7 o'clock", "line 30: .* is not understood"),
        (START, "", "line 31: .*out of place: each seizure needs a start, then a later end"),
        *((NUMBER, new, "line 29: .*not understood") for new in (
            "Number of Seizure in File: 1", f"{NUMBER[:-1]}-1", f"{NUMBER[:-1]}\u0661", NUMBER[:-1],
        )),
        (NUMBER, "", "line 28: p_03.edf announces no number of seizures and lists 2 starts and ends"),
        (NUMBER, f"{NUMBER[:-1]}2", "announces 2 seizures and lists 2 starts and ends"),
        (NUMBER, f"{NUMBER[:-1]}0", "announces 0 seizures and lists 2 starts and ends"),
        (NUMBER, f"{NUMBER}\n" * 2, "comes a second time"),
        *(("99 seconds", new, "line 31: 'Seizure End Time: .* is not '<number> seconds'") for new in (
            "99", "99 minutes", "1,099 seconds", "-99 seconds", "nan seconds", "1e400 seconds", "\u0669 seconds",
        )),
        ("99 seconds", "5 seconds", "line 31: .* is out of place"),
        ("99 seconds", "7 seconds", "line 31: .* is out of place"),
        ("99 seconds", "9\x1c seconds", "line 31: .* is no line of an annotation file"),
        ("2 Start Time: 2996", "2 Start Time: 39", "line 16: .* is out of place"),
        (NAME, "File Name: p_01.edf", "line 28: the summary lists 'p_01.edf' more than once"),
        (NAME, "File Name: P_01.EDF", "lists 'P_01.EDF' more than once"),
        (NAME, "Filename: p_03.edf", "line 28: 'Filename: p_03.edf' is not understood"),
        (NAME, "p.edf", "line 29: .* comes a second time"),
        *((NAME, f"File Name: {new}", "must be the plain name of an .edf file") for new in (
            "", ".edf", "p_03.txt", "../p_03.edf", "a\\p_03.edf", "C:p_03.edf",
        )),
        (NAME, "File Name: p\x1b_03.edf", "line 28: .* is no line of an annotation file"),
        ("File Start Time: 1:50:12", "File Start Time: noon", "'File Start Time: noon' is not understood"),
        ("File Start Time: 1:50:12", "File Start Time: 1:60:12", "is not understood, .* a time of day"),
        ("File End Time: 2:50:12", "File Start Time: 2:50:12", "comes a second time"),
        *(("Data", f"{new}\nData", "line 1: .* stands above every 'File Name") for new in (
            "Seizure Start Time: 5 seconds", NUMBER, "File Start Time: 10:00:00",
        )),
    ],
)  # fmt: skip
def test_refused_summaries(tmp_path, old, new, said):
    """Each slip is named with its place; none is repaired or passed over. (Lines are counted from 1.)"""
    assert SUMMARY.count(old) == 1
    with pytest.raises(RecordingError, match=r"^p-summary\.txt.*" + said):
        summary_of(tmp_path, SUMMARY.replace(old, new))


@pytest.mark.parametrize("line", [line for line in SUMMARY.splitlines() if re.match("Seizure|Number|File Name", line)])
def test_no_line_of_a_seizure_can_be_lost(tmp_path, line):
    """Any bound, number or name taken out or doubled: an error, each time."""
    for text in (SUMMARY.replace(line + "\n", "", 1), SUMMARY.replace(line, f"{line}\n{line}", 1)):
        with pytest.raises(RecordingError, match=r"^p-summary\.txt, line [0-9]+: "):
            summary_of(tmp_path, text)


def test_what_is_no_summary(tmp_path):
    """Emptiness, UTF-16, Latin-1, binary and 2 MB."""
    for data, said in [
        (b"", "lists no recording"),
        (SUMMARY.encode("utf-16"), "line 1: .* is no line of"),
        (SUMMARY.encode("utf-16-le"), "is no line of"),
        (SUMMARY.replace("FP1-F7", "Müller").encode("latin-1"), "line 6: .* it is no UTF-8"),
        (bytes(range(256)) * 10, "it is no UTF-8"),
        (b"\n" * 2_000_000, "more than 1000000 bytes"),
    ]:
        with pytest.raises(RecordingError, match=said):
            summary_of(tmp_path, data)


READERS = [annotation_files.read_summary, annotation_files.read_events, edf.open_edf, files.sha256]


@pytest.mark.parametrize("read", READERS)
def test_only_regular_files_are_read(tmp_path, monkeypatch, read):
    """A folder, a pipe, a socket, a device, a link to nothing, to itself or to a device; what one may not read: each
    reader of somebody's files refuses all at once, by name, and waits for none."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name, target in (("nothing", "nowhere"), ("itself", "itself"), ("zeros", "/dev/zero"), ("linked", "pipe")):
        (tmp_path / name).symlink_to(target)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        for path in tmp_path.iterdir():
            with pytest.raises(RecordingError, match=rf"^{path.name} cannot be read \(.+\)\. See that it is a file"):
                read(path)

    def deny(*_):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "mine").write_text(SUMMARY)
    monkeypatch.setattr(files, "open", deny, raising=False)
    with pytest.raises(RecordingError, match=r"mine cannot be read \(Permission denied\)"):
        read(tmp_path / "mine")


def test_seizures_that_touch_are_one(tmp_path):
    """Two in a row without a second between (the later starts where the one ahead ends) are one, as in BIDS."""
    assert summary_of(tmp_path, SUMMARY.replace("2996", "40"))[0]["seizures"] == [(12, 3036)]


# Events files


@pytest.mark.parametrize(
    "text",
    [
        EVENTS,
        "\ufeff" + EVENTS,
        EVENTS.replace("\n", "\r\n"),
        EVENTS.replace("\n", "\n\n"),
        EVENTS.removesuffix("\n"),
        EVENTS.replace("eventType", "trial_type"),
        EVENTS.replace("eventType", "EventType").replace("\tsz", "\t SZ"),
        EVENTS.replace("\t", "  \t "),
        EVENTS.replace("0.00\t12.00\tbckg", "n/a\tn/a\timpd"),
        EVENTS.replace("\tall\t", '\t"all\t').replace("F7-Avg\t", 'F7-Avg"\t'),  # a quote swallows no row
        EVENTS + EVENTS.splitlines()[-1] + "\n",
        EVENTS.replace("2016-11-06 13:43:04\t3600.00\n3000", "n/a\tn/a\n3000"),
    ],
)
def test_events(tmp_path, text):
    """Two rows from 296.25 s to 336.25 s and from 300 s to 350 s are one seizure; line ends, case, blanks, a row twice
    and n/a where it does no harm change nothing."""
    assert events_of(tmp_path, text) == EVENTS_READ


@pytest.mark.parametrize(
    ("rows", "seizures"),
    [
        ("7\t1.5\tsz\n5\t2\tsz\n0.1\t0.2\tsz\n", [(0.1, 0.3), (5, 8.5)]),  # 5 to 7 and 7 to 8.5 touch
        ("999999999\t2\tsz\n5\t2\tsz\n", [(5, 7), (999999999, 1000000001)]),
        ("0.00\t3600.00\tbckg\n", []),
    ],
)
def test_what_an_events_file_may_leave_out(tmp_path, rows, seizures):
    """Only onset, duration and the type: no start, no duration."""
    found = events_of(tmp_path, "onset\tduration\teventType\n" + rows)
    assert found == {"seizures": seizures, "start": "", "duration_s": None}


@pytest.mark.parametrize("kind", ["seizure", "ictal", "sz-foc", "szfoc", "s z", "n/a", "", "spike", "sz.foc", '"sz"'])
def test_types_that_nobody_knows(tmp_path, kind):
    """What may be a seizure and is no type of HED-SCORE is refused by its line, not passed over."""
    with pytest.raises(RecordingError, match=r"^p_events\.tsv, line 3: nobody can say whether and when"):
        events_of(tmp_path, EVENTS.replace("\tsz\t", f"\t{kind}\t"))


ROW, CLOCK = "12.00\t28.50", "13:43:04\t3600.00\n12.00"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        *((ROW, f"{onset}\t28.50", "line 3: .* a seizure: .* onset") for onset in (
            "n/a", "-12.00", "nan", "1e400", "9" * 400, "12,00", "1_2",
        )),
        *((ROW, f"12.00\t{length}", "line 3: .* a seizure: .* duration") for length in ("n/a", "-28.50", "0", "inf")),
        (ROW, "12.00\t28.5\x1c", "line 3: .* is no line of an annotation file"),
        (ROW, "", "line 3: 6 cells, wanted 7"),
        (ROW, f"{ROW}\t", "line 3: 8 cells, wanted 7"),
        ("\tall", '\t"all\n" ', "line 3: 5 cells, wanted 7"),
        ("onset", "begin", r"has the columns .*'begin', 'duration'.*it needs onset"),
        ("eventType", "type", "has the columns"),
        ("confidence", "Onset", "each name once"),
        (CLOCK, CLOCK.replace("3600", "3700"), "differs from another's"),
        (CLOCK, CLOCK.replace("04", "05"), "differs from another's"),
        (CLOCK, CLOCK.replace("3600.00", "-1"), "line 2: recordingDuration is '-1'"),
        (CLOCK, CLOCK.replace("13:43:04", "soon"), "line 2: dateTime is '2016-11-06 soon'"),
    ],
)  # fmt: skip
def test_refused_events(tmp_path, old, new, said):
    """Each slip is named with its place; none is repaired or passed over."""
    assert EVENTS.count(old) == 1
    with pytest.raises(RecordingError, match=r"^p_events\.tsv.*" + said):
        events_of(tmp_path, EVENTS.replace(old, new))


def test_what_is_no_events_file(tmp_path):
    """Nothing, a header alone (it may be cut short), commas."""
    for data, said in [
        (b"", "has the columns"),
        (EVENTS.splitlines()[0].encode(), "has no row"),
        (EVENTS.replace("\t", ",").encode(), "has the columns"),
    ]:
        with pytest.raises(RecordingError, match=said):
            events_of(tmp_path, data)


# Fuzz

WHERE = st.integers(0, 10**6)
NUMBERS = st.integers(-(10**12), 10**12).map(str) | st.floats().map(str)
NUMBERS |= st.sampled_from(["1e400", "999999999", "0x10", "7,5", "0", "00", "1.", ".5", "9" * 50, "\u0663", "12:00"])
MARKS = st.sampled_from([b" ", b"\t", b"\r\n", b'"', b":", b"#", b"\xef\xbb\xbf", b"\xc2\xa0"])


def with_piece(place, taken, piece):
    """Put a piece in the place of so many bytes."""

    def mutate(data):
        start = place % (len(data) + 1)
        return data[:start] + piece + data[start + taken :]

    return mutate


def with_number(place, number):
    """Put a number in the place of one that is there."""

    def mutate(data):
        spans = [found.span() for found in re.finditer(rb"[0-9.]+", data)] or [(0, 0)]
        start, stop = spans[place % len(spans)]
        return data[:start] + number.encode() + data[stop:]

    return mutate


def with_lines(place, taken, source, copied):
    """Put some lines of the file in the place of others."""

    def mutate(data):
        lines = data.split(b"\n")
        start, first = place % len(lines), source % len(lines)
        lines[start : start + taken] = lines[first : first + copied]
        return b"\n".join(lines)

    return mutate


FEW = st.integers(0, 3)
PIECES = st.binary(max_size=8) | st.text(max_size=8).map(lambda text: text.encode("utf-8", "replace"))
MUTATIONS = st.one_of(
    st.builds(with_piece, WHERE, FEW | st.just(10**6), PIECES),
    st.builds(with_number, WHERE, NUMBERS),
    st.builds(with_lines, WHERE, FEW, WHERE, FEW),
    st.builds(with_piece, WHERE, st.just(0), MARKS),
)


def mutated(data, mutations):
    """Apply mutations one after the other."""
    for mutate in mutations:
        data = mutate(data)
    return data


@FUZZ
@given(st.lists(MUTATIONS, min_size=1, max_size=3))
def test_fuzzed_summaries(scratch, mutations):
    """A good value or a RecordingError; each line on a seizure's start lies in one, as many as announced."""
    data = mutated(SUMMARY.encode(), mutations)
    recordings = refused(summary_of, scratch, data)
    if recordings is None:
        return
    for recording in recordings:
        assert list(recording) == ["file", "seizures", "start"]
        assert (scratch / recording["file"]).resolve().parent == scratch.resolve()
        assert_seizures(recording["seizures"])
    lines = [line for line in re.split(r"[\r\n]+", data.decode()) if not line.strip().startswith("#")]
    starts = [re.search(r"seizure.*start.*?:\s*([0-9.]+)", line, re.IGNORECASE) for line in lines]
    starts = [float(found[1]) for found in starts if found]
    spans = [seizure for recording in recordings for seizure in recording["seizures"]]
    assert all(any(a - 1e-5 <= start < b for a, b in spans) for start in starts)
    announced = [re.search(r"number\s+of\s+seizures.*?([0-9]+)\s*$", line, re.IGNORECASE) for line in lines]
    assert len(starts) == sum(int(found[1]) for found in announced if found)
    assert len(recordings) == sum(bool(re.search(r"file\s+name.*\.edf", line, re.IGNORECASE)) for line in lines)


@pytest.mark.slow
@FUZZ
@given(st.lists(MUTATIONS, min_size=1, max_size=3))
def test_fuzzed_events(scratch, mutations):
    """A good value or a RecordingError; each row of type sz lies in a seizure, which begins and ends with such rows."""
    data = mutated(EVENTS.encode(), mutations)
    found = refused(events_of, scratch, data)
    if found is None:
        return
    assert list(found) == ["seizures", "start", "duration_s"] and isinstance(found["start"], str)
    assert_seizures(found["seizures"])
    rows = sz_rows(data.decode("utf-8-sig"))
    for start, end in rows:
        assert any(a - 1e-5 <= start and end <= b + 1e-5 for a, b in found["seizures"])
    for start, end in found["seizures"]:
        assert any(abs(start - a) < 1e-5 for a, _ in rows) and any(abs(end - b) < 1e-5 for _, b in rows)


def sz_rows(text):
    """Read (start, end) of the rows that say sz anywhere, as simply as can be."""
    header, *rows = [line.split("\t") for line in re.split(r"[\r\n]+", text.replace('"', "")) if line.strip()]
    header = [cell.strip().casefold() for cell in header]
    onset, duration = header.index("onset"), header.index("duration")
    kind = header.index("eventtype" if "eventtype" in header else "trial_type")
    rows = [row for row in rows if row[kind].strip().casefold().startswith("sz")]
    return [(float(row[onset]), float(row[onset]) + float(row[duration])) for row in rows]


@FUZZ
@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 300)), min_size=1, max_size=20))
def test_seizures_are_united(scratch, rows):
    """In whole seconds: a second is in a seizure if and only if it is in a row."""
    text = "onset\tduration\teventType\n" + "".join(f"{onset}\t{duration}\tsz\n" for onset, duration in rows)
    seizures = events_of(scratch, text)["seizures"]
    assert_seizures(seizures)
    seconds = {second for onset, duration in rows for second in range(onset, onset + duration)}
    assert {second for start, end in seizures for second in range(start, end)} == seconds
