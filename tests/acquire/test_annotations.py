"""Reading annotations: CHB-MIT's real ones, every slip of the pen that a person can make, and bytes gone wrong.

The fuzz tests hold one promise: a file gives a good value or a RecordingError, and no seizure is lost without a word.
`FUZZ_EXAMPLES` in the environment sets how many files each of them tries.
"""

import os
import re
import socket

import pytest
from conftest import SHARED
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.acquire import annotation_files
from helpers.study.errors import RecordingError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:wfdb")
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
Channel 2: T8-P8

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
    {
        "file": "p_01.edf", "start": "23:50:12",
        "seizures": [(12, 40), (2996, 3036)],
    },
    {"file": "p_02+.edf", "start": "1:50:12", "seizures": []},
    {"file": "p_03.edf", "start": "", "seizures": [(7, 99)]},
]  # fmt: skip

EVENTS = """\
onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration
0.00\t12.00\tbckg\tn/a\tn/a\t2016-11-06 13:43:04\t3600.00
12.00\t28.50\tsz\t1.00\tall\t2016-11-06 13:43:04\t3600.00
296.25\t40.00\tsz_foc_ia\tn/a\tFp1-Avg,F7-Avg\t2016-11-06 13:43:04\t3600.00
300.00\t50.00\tsz_foc_ia\tn/a\tT3-Avg\t2016-11-06 13:43:04\t3600.00
3000.00\t600.00\tsz_gen_m_tonicClonic\tn/a\tn/a\t2016-11-06 13:43:04\t3600.00
"""
EVENTS_READ = {
    "seizures": [(12, 40.5), (296.25, 350), (3000, 3600)], "start": "13:43:04", "duration_s": 3600,
}  # fmt: skip


def mit(seizures, rate=256):
    """Encode seizures, in samples, as WFDB annotations: '[' is code 32, ']' 33, SKIP 59, in the high six bits."""
    note = f"## time resolution: {rate}".encode()
    data = b"\x00\x58" + bytes([len(note), 0xFC]) + note + b"\x00" * (len(note) % 2)
    last = 0
    for pair in seizures:
        for sample, code in zip(pair, (32, 33), strict=True):
            skip = (sample - last).to_bytes(4, "little", signed=True)
            data += b"\x00\xec" + skip[2:] + skip[:2] + bytes([0, code << 2])
            last = sample
    return data + b"\x00\x00"


SEIZURES = mit([(683520, 727296), (800000, 800256)])


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A folder to write into, the same for all examples of a fuzz test."""
    return tmp_path_factory.mktemp("annotations")


def summary_of(folder, text):
    """Write text or bytes as a summary and read it."""
    path = folder / "p-summary.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return annotation_files.read_summary(path)


def events_of(folder, text):
    """Write text or bytes as an events file and read it."""
    path = folder / "p_events.tsv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return annotation_files.read_events(path)


def seizures_of(folder, data):
    """Write bytes as a .seizures file and read it."""
    path = folder / "p_01.edf.seizures"
    path.write_bytes(data)
    return annotation_files.read_seizures(path)


def refused(read, *arguments):
    """Call a reader; return its result, or None if it refused with the one error that is allowed, in one line."""
    try:
        return read(*arguments)
    except RecordingError as error:
        assert re.search(r"p-summary\.txt|p_events\.tsv|p_01\.edf\.seizures", str(error)) and len(str(error)) < 1000
        return None


def assert_seizures(seizures, touching=True):
    """Numbers, 0 <= start < end below 1e9 s, in order and without overlap."""
    bounds = [bound for pair in seizures for bound in pair]
    assert all(type(bound) is int or (type(bound) is float and not bound.is_integer()) for bound in bounds)
    assert all(0 <= start < end < 2e9 for start, end in seizures)
    assert all(a[1] <= b[0] if touching else a[1] < b[0] for a, b in zip(seizures, seizures[1:], strict=False))


# ---------------------------------------------------------------------------------------------- CHB-MIT's own files


@pytest.fixture
def database():
    """The database's own annotations, or a skip that says why."""
    if not (SHARED / "chbmit-annotations" / "summaries").is_dir():
        pytest.skip("needs the database's annotations in ../shared/data, which are not here")
    return SHARED / "chbmit-annotations"


def test_all_summaries_of_the_database(database):
    """664 recordings and chb24's 12, patient by patient; 198 seizures; chb08's five by hand; all clocks but chb24's."""
    entries = {
        path.name[:5]: annotation_files.read_summary(path) for path in (database / "summaries").glob("*-summary.txt")
    }
    counts = [42, 36, 38, 42, 39, 18, 19, 20, 19, 25, 35, 24, 33, 26, 40, 19, 21, 36, 30, 29, 33, 31, 9, 12]
    assert {name: len(listed) for name, listed in entries.items()} == {
        f"chb{number:02}": count for number, count in enumerate(counts, 1)
    }
    assert sum(counts) == 664 + 12
    every = [entry for listed in entries.values() for entry in listed]
    for entry in every:
        assert_seizures(entry["seizures"])
        assert 22 <= len(entry["channels"]) <= 38
    assert sum(len(entry["seizures"]) for entry in every) == 198
    assert {entry["file"] for entry in every if not entry["start"] or not entry["end"]} == {
        entry["file"] for entry in entries["chb24"]
    }
    found = {entry["file"]: entry["seizures"] for entry in entries["chb08"] if entry["seizures"]}
    assert found == {
        "chb08_02.edf": [(2670, 2841)], "chb08_05.edf": [(2856, 3046)], "chb08_11.edf": [(2988, 3122)],
        "chb08_13.edf": [(2417, 2577)], "chb08_21.edf": [(2083, 2347)],
    }  # fmt: skip


def test_traps_of_the_database(database):
    """A clock past 24 h, a name with '+', a wrong number at an end, and chb13's six channel blocks in turn."""
    entries = {}
    for path in (database / "summaries").glob("*-summary.txt"):
        entries |= {entry["file"]: entry for entry in annotation_files.read_summary(path)}
    assert entries["chb08_14.edf"]["start"].startswith("24:") or entries["chb08_14.edf"]["end"].startswith("24:")
    assert entries["chb02_16+.edf"]["seizures"] == [(2972, 3053)]
    assert entries["chb09_08.edf"]["seizures"] == [(2951, 3030), (9196, 9267)]
    lengths = [len(entry["channels"]) for name, entry in entries.items() if name.startswith("chb13")]
    assert list(dict.fromkeys(lengths)) == [28, 25, 22] and lengths[-1] == 28
    assert entries["chb12_06.edf"]["channels"][4] == "-"


def test_seizures_files_of_chb08(database):
    """The five files hold one seizure each, the summary's to the second."""
    listed = {
        entry["file"]: entry["seizures"]
        for entry in annotation_files.read_summary(database / "chb08/chb08-summary.txt")
    }
    paths = sorted((database / "chb08").glob("*.seizures"))
    assert len(paths) == 5
    for path in paths:
        found = annotation_files.read_seizures(path)
        assert len(found) == 1 and found == listed[path.stem]
        annotation_files.check_agreement("chb08-summary.txt", path.stem, listed[path.stem], path.name, found)


# -------------------------------------------------------------------------------------------------------- summaries


def test_a_summary(tmp_path):
    """Three recordings: two seizures, none, one without a clock; each with the channels of the block above it."""
    assert summary_of(tmp_path, SUMMARY) == READ


@pytest.mark.parametrize(
    "text",
    [
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
def test_unambiguous_variants(tmp_path, text):
    """Line ends, case, blanks, the unit's spelling and remarks change nothing."""
    assert summary_of(tmp_path, text) == READ


def test_fractions_of_seconds(tmp_path):
    """7.25 s stays 7.25; 99.0 s becomes the integer 99."""
    text = SUMMARY.replace(": 7 seconds", ": 7.25 seconds").replace(": 99 seconds", ": 99.0 seconds")
    seizures = summary_of(tmp_path, text)[2]["seizures"]
    assert seizures == [(7.25, 99)] and isinstance(seizures[0][1], int)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "Seizure Start Time: 7 seconds",
            "Siezure Start Time: 7 seconds",
            r"line 31: 'Siezure Start Time: 7 .*not underst",
        ),
        ("Seizure Start Time: 7 seconds", "Seizure Start: 7", "'Seizure Start: 7' is not understood"),
        ("Seizure Start Time: 7 seconds", "Seizure Start Time 7 seconds", "is not understood"),
        ("Seizure Start Time: 7 seconds", "Seizure Start Time = 7 seconds", "is not understood"),
        ("Seizure Start Time: 7 seconds", "Anfall Beginn: 7 s", "is not understood"),
        ("Seizure Start Time: 7 seconds", "Sz onset 7", "is not understood"),
        ("Seizure Start Time: 7 seconds", "Seizure Begin Time: 7 seconds", "is not understood"),
        ("Seizure Start Time: 7 seconds", "7", "each seizure of p_03.edf needs a start, then its end"),
        (
            "Number of Seizures in File: 1",
            "Number of Seizure in File: 1",
            "line 30: 'Number of Seizure in .*not underst",
        ),
        ("Number of Seizures in File: 1", "Seizures: 1", "is not understood"),
        ("Number of Seizures in File: 1", "1", "line 29: p_03.edf announces no number of seizures and lists 1 starts"),
        ("Number of Seizures in File: 1", "Number of Seizures in File: one", "line 30: .* is no whole number"),
        ("Number of Seizures in File: 1", "Number of Seizures in File: -1", "is no whole number"),
        ("Number of Seizures in File: 1", "Number of Seizures in File: ١", "is no whole number"),
        ("Number of Seizures in File: 1", "Number of Seizures in File:", "is no whole number"),
        (
            "Number of Seizures in File: 1",
            "Number of Seizures in File: 2",
            "announces 2 seizures and lists 1 starts and 1",
        ),
        (
            "Number of Seizures in File: 1",
            "Number of Seizures in File: 0",
            "announces 0 seizures and lists 1 starts and 1",
        ),
        ("Number of Seizures in File: 1", "Number of Seizures in File: 1\n" * 2, "comes a second time for p_03.edf"),
        ("End Time: 99 seconds", "End Time: soon", "line 32: 'Seizure End Time: soon' is not '<number> seconds'"),
        ("99 seconds", "99", "is not '<number> seconds'"),
        ("99 seconds", "99 minutes", "is not '<number> seconds'"),
        ("99 seconds", "1,099 seconds", "is not '<number> seconds'"),
        ("99 seconds", "00:01:39", "is not '<number> seconds'"),
        ("99 seconds", "-99 seconds", "is not '<number> seconds'"),
        ("99 seconds", "nan seconds", "is not '<number> seconds'"),
        ("99 seconds", "inf seconds", "is not '<number> seconds'"),
        ("99 seconds", "1e400 seconds", "is not '<number> seconds'"),
        ("99 seconds", "9" * 400 + " seconds", "is not '<number> seconds'"),
        ("99 seconds", "٩٩ seconds", "is not '<number> seconds'"),
        ("99 seconds", "5 seconds", "p_03.edf has a seizure from 7 s to 5 s"),
        ("99 seconds", "7 seconds", "p_03.edf has a seizure from 7 s to 7 s"),
        ("2 Start Time: 2996", "2 Start Time: 39", "line 16: .* p_01.edf has a seizure until 40 s above"),
        ("Seizure 2 Start", "Seizure 3 Start", "should be seizure 2 of p_01.edf"),
        ("File Name: p_03.edf", "File Name: p_01.edf", "line 29: the summary lists p_01.edf more than once"),
        ("File Name: p_03.edf", "File Name: P_01.EDF", "lists P_01.EDF more than once"),
        ("File Name: p_03.edf", "Filename: p_03.edf", "line 29: 'Filename: p_03.edf' is not understood"),
        ("File Name: p_03.edf", "p_03", "line 30: .* comes a second time for p_02"),
        ("File Name: p_03.edf", "File Name:", "must be the plain name of an .edf file"),
        ("File Name: p_03.edf", "File Name: .edf", "must be the plain name of an .edf file"),
        ("File Name: p_03.edf", "File Name: p_03.txt", "must be the plain name of an .edf file"),
        ("File Name: p_03.edf", "File Name: /etc/p_03.edf", "must be the plain name of an .edf file"),
        ("File Name: p_03.edf", "File Name: ../p_03.edf", "must be the plain name of an .edf file"),
        ("File Name: p_03.edf", "File Name: a\\p_03.edf", "must be the plain name of an .edf file"),
        ("File Name: p_03.edf", "File Name: p\x1b_03.edf", "line 29: .* is no line of an annotation file"),
        ("99 seconds", "9\x1c seconds", "line 32: .* is no line of an annotation file"),
        ("File Name: p_03.edf", "File Name: p\u202e_03.edf", "must be the plain name of an .edf file"),
        ("File Name: p_03.edf", "File Name: ..edf", "leads out of this folder"),
        ("File Name: p_03.edf", "File Name: C:p_03.edf", "leads out of this folder"),
        ("File Name: p_03.edf", "File Name: p\0_03.edf", "line 29: .* is no line of an annotation file"),
        ("File Start Time: 1:50:12", "File Start Time: noon", "'File Start Time: noon' is no time of day"),
        ("File Start Time: 1:50:12", "File Start Time: 1:60:12", "is no time of day"),
        ("File End Time: 2:50:12", "File Start Time: 2:50:12", "comes a second time"),
        ("Channel 2: -\n", "", "line 7: found Channel 3: 'T8-P8'; Channel 2 and its label is next"),
        ("Channel 2: -", "Channel 2:", "Channel 2 and its label is next"),
        ("Data", "Seizure Start Time: 5 seconds\nData", "line 1: .* stands above every 'File Name"),
        ("Data", "Number of Seizures in File: 1\nData", "line 1: .* stands above every 'File Name"),
        ("Data", "File Start Time: 10:00:00\nData", "line 1: .* stands above every 'File Name"),
        ("Data", "x" * 2000 + "\nData", "line 1: .* is no line of an annotation file"),
    ],
)
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
    """A directory, nothing, a file that cannot be opened, emptiness, UTF-16, Latin-1, binary and 2 MB."""
    with pytest.raises(RecordingError, match="is no file"):
        annotation_files.read_summary(tmp_path)
    with pytest.raises(RecordingError, match="is not there"):
        annotation_files.read_summary(tmp_path / "p-summary.txt")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RecordingError, match="is no file"):
        annotation_files.read_summary(tmp_path / "pipe")
    for data, said in [
        (b"", "lists no recording"),
        (SUMMARY.encode("utf-16"), "line 1 is no UTF-8"),
        (SUMMARY.encode("utf-16-le"), "is no line of"),
        (SUMMARY.replace("FP1-F7", "Müller").encode("latin-1"), "line 6 is no UTF-8"),
        (bytes(range(256)) * 10, "is no UTF-8"),
        (b"\n" * 2_000_000, "more than 1000000 bytes"),
    ]:
        with pytest.raises(RecordingError, match=said):
            summary_of(tmp_path, data)


@pytest.mark.parametrize(
    "read", [annotation_files.read_summary, annotation_files.read_seizures, annotation_files.read_events]
)
def test_a_file_without_permission(tmp_path, monkeypatch, read):
    """The operating system says no: the error names the file and the reason."""

    def deny(*_):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "p_01.edf.seizures").write_bytes(SEIZURES)
    monkeypatch.setattr(annotation_files, "open", deny, raising=False)
    with pytest.raises(RecordingError, match=r"p_01\.edf\.seizures cannot be read \(Permission denied\)"):
        read(tmp_path / "p_01.edf.seizures")


# ------------------------------------------------------------------------------------------------- .seizures files


def test_a_seizures_file(tmp_path):
    """683520 to 727296 at 256 Hz is 2670 s to 2841 s; 800000 to 800256 is 3125 s to 3126 s; at 200 Hz, 3 to 5.005."""
    assert seizures_of(tmp_path, SEIZURES) == [(2670, 2841), (3125, 3126)]
    assert seizures_of(tmp_path, mit([(600, 1001)], rate=200)) == [(3, 5.005)]


def test_names_that_are_no_addresses(tmp_path, monkeypatch):
    """Plus signs, dots and '::' in names are names; a missing file is an error; nobody is called."""

    def forbid(*arguments, **_):
        raise AssertionError(f"the network was asked for {arguments}")

    monkeypatch.setattr(socket.socket, "connect", forbid)
    monkeypatch.setattr(socket, "getaddrinfo", forbid)
    for name in ("chb02_16+.edf.seizures", "a.b..c.seizures", "http::x.seizures", "simplecache::http::x.y", "s3"):
        (tmp_path / name).write_bytes(SEIZURES)
        assert annotation_files.read_seizures(tmp_path / name) == [(2670, 2841), (3125, 3126)]
    with pytest.raises(RecordingError, match="is not there"):
        annotation_files.read_seizures(tmp_path / "chb99_01.edf.seizures")
    with pytest.raises(RecordingError, match="is not there"):
        annotation_files.read_seizures("http://example.org/chb99_01.edf.seizures")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no whole WFDB"),
        (SEIZURES + b"\0", "no whole WFDB"),
        (SEIZURES.replace(b"time", b"tame"), "no whole WFDB"),  # wfdb alone loops for ever over this
        (SEIZURES.replace(b"256", b"abc"), "no whole WFDB"),
        (SEIZURES.replace(b"\x17\xfc", b"\x16\xfc"), "no whole WFDB"),  # the note cut to "25": all times wrong
        (SEIZURES[:-2] + SEIZURES, "no whole WFDB"),
        (SEIZURES.replace(b"256", b"000"), "has the marks"),
        (SEIZURES.replace(b"\x00\x84", b"\x00\x80"), "has the marks"),
        (SEIZURES.replace(b"\x00\x80", b"\x00\x04"), "has the marks 'N ] N ]'"),
        (mit([(100, 50)]), r"has the seizures \[\(0\.390625, 0\.195312\)\]"),
        (mit([(100, 100)]), "has the seizures"),
        (mit([(100, 200), (150, 300)]), "has the seizures"),
        (mit([(-100, 200)]), "has the marks"),
        (b"\0" * 2_000_000, "more than 1000000 bytes"),
    ],
)
def test_refused_seizures_files(tmp_path, data, said):
    """Damage to the note, odd marks, impossible times: each is refused, with the file's name."""
    with pytest.raises(RecordingError, match=r"^p_01\.edf\.seizures.*" + f"({said})"):
        seizures_of(tmp_path, data)


def test_a_seizures_file_cut_short(tmp_path):
    """Cut anywhere, also between two seizures: never taken for a whole one."""
    for length in range(len(SEIZURES)):
        with pytest.raises(RecordingError, match=r"^p_01\.edf\.seizures"):
            seizures_of(tmp_path, SEIZURES[:length])


def test_disagreement():
    """A second apart is the summary's resolution; 1.5 s apart, or another number of seizures, is a contradiction."""
    agree = annotation_files.check_agreement
    agree("p-summary.txt", "p_01.edf", [(12, 40)], "p_01.edf.seizures", [(11.0, 40.996)])
    agree("p-summary.txt", "p_01.edf", [], "p_01.edf.seizures", [])
    for found in ([], [(12, 40), (50, 60)], [(10.5, 40)], [(12, 41.5)]):
        with pytest.raises(RecordingError) as error:
            agree("p-summary.txt", "p_01.edf", [(12, 40)], "p_01.edf.seizures", found)
        assert all(
            part in str(error.value) for part in ("p-summary.txt", "p_01.edf.seizures", "[(12, 40)]", str(found))
        )


# ------------------------------------------------------------------------------------------------------ events files


def test_an_events_file(tmp_path):
    """Two rows from 296.25 s to 336.25 s and 300 s to 350 s are one seizure; the last ends with the recording."""
    assert events_of(tmp_path, EVENTS) == EVENTS_READ


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + EVENTS,
        EVENTS.replace("\n", "\r\n"),
        EVENTS.replace("\n", "\n\n"),
        EVENTS.removesuffix("\n"),
        EVENTS.replace("eventType", "trial_type"),
        EVENTS.replace("eventType", "EventType").replace("\tsz", "\t SZ"),
        EVENTS.replace("\t", "  \t "),
        EVENTS.replace("\tsz\t", '\t"sz"\t'),
        EVENTS.replace("0.00\t12.00\tbckg", "n/a\tn/a\timpd"),
        EVENTS.replace("350", "349").replace("336", "350"),
        EVENTS + EVENTS.splitlines()[-1] + "\n",
        EVENTS.replace("2016-11-06 13:43:04\t3600.00\n3000", "n/a\tn/a\n3000"),
    ],
)
def test_unambiguous_events(tmp_path, text):
    """Line ends, case, blanks, quotes, a row twice and n/a where it does no harm change nothing."""
    assert events_of(tmp_path, text) == EVENTS_READ


def test_what_an_events_file_may_leave_out(tmp_path):
    """Only onset, duration and the type: no start, no duration. Touching seizures, 5 to 7 and 7 to 8.5, are one."""
    text = "onset\tduration\teventType\n7\t1.5\tsz\n5\t2\tsz\n0.1\t0.2\tsz\n"
    assert events_of(tmp_path, text) == {"seizures": [(0.1, 0.3), (5, 8.5)], "start": "", "duration_s": None}


def test_a_very_late_seizure(tmp_path):
    """The last second that can be written, and two after it: 999999999 to 1000000001, not a traceback."""
    text = "onset\tduration\teventType\n999999999\t2\tsz\n5\t2\tsz\n"
    assert events_of(tmp_path, text)["seizures"] == [(5, 7), (999999999, 1000000001)]


def test_no_seizure(tmp_path):
    """SzCORE's row for a recording without seizures: background from its start to its end."""
    text = EVENTS.splitlines()[0] + "\n0.00\t3600.00\tbckg\tn/a\tn/a\tn/a\t3600.00\n"
    assert events_of(tmp_path, text) == {"seizures": [], "start": "", "duration_s": 3600}


def test_an_end_beyond_by_rounding(tmp_path):
    """3599.996 s long, written 3600.00; a seizure to the end may come out 0.01 s later, and ends with the recording."""
    text = EVENTS.replace("3000.00\t600.00", "3000.01\t600.00")
    assert events_of(tmp_path, text)["seizures"][-1] == (3000.01, 3600)
    with pytest.raises(RecordingError, match=r"from 3000\.03 s to 3600\.03 s, beyond the recording's end at 3600 s"):
        events_of(tmp_path, text.replace("3000.01", "3000.03"))


@pytest.mark.parametrize(
    "kind", ["seizure", "Seizure", "ictal", "sz-foc", "szfoc", "s z", "n/a", "", "spike", "sz.foc"]
)
def test_types_that_nobody_knows(tmp_path, kind):
    """What may be a seizure and is no type of HED-SCORE is refused by its line, not passed over."""
    with pytest.raises(RecordingError, match=r"^p_events\.tsv, line 3: the event type is .*whether that is a seizure"):
        events_of(tmp_path, EVENTS.replace("\tsz\t", f"\t{kind}\t"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("12.00\t28.50", "n/a\t28.50", "line 3: a seizure has onset 'n/a'"),
        ("12.00\t28.50", "12.00\tn/a", "line 3: a seizure has .* duration 'n/a'"),
        ("12.00\t28.50", "-12.00\t28.50", "line 3: a seizure has onset '-12.00'"),
        ("12.00\t28.50", "12.00\t-28.50", "line 3: .* duration '-28.50'"),
        ("12.00\t28.50", "12.00\t0.00", "line 3: .* duration '0.00'"),
        ("12.00\t28.50", "nan\t28.50", "line 3: .* onset 'nan'"),
        ("12.00\t28.50", "12.00\tinf", "line 3: .* duration 'inf'"),
        ("12.00\t28.50", "1e400\t28.50", "line 3: .* onset '1e400'"),
        ("12.00\t28.50", "9" * 400 + "\t28.50", "line 3: .* onset '999"),
        ("12.00\t28.50", "12,00\t28,50", "line 3: .* onset '12,00'"),
        ("12.00\t28.50", "1_2\t28.50", "line 3: .* onset '1_2'"),
        ("12.00\t28.50", "12.00\t28.5\x1c", "line 3: .* is no line of an annotation file"),
        ("12.00\t28.50", "", "line 3: 6 cells, wanted 7"),
        ("12.00\t28.50", "12.00\t28.50\t", "line 3: 8 cells, wanted 7"),
        ("12.00\t28.50", '"12.00\t28.50', "line 3: unexpected end of data"),
        ("28.50\tsz\t1.00\t", '28.50\tsz\t1.00\t"', "line 3: unexpected end of data"),
        ("\tall", '\t"all\n" ', "line 3: .*(quoted cell|expected after)"),
        ("3000.00\t600", "3000.00\t601", "from 3000 s to 3601 s, beyond the recording's end at 3600 s"),
        ("3000.00\t600", "3601.00\t600", "beyond the recording's end"),
        ("3000.00\t600.00", "3600.00\t0.01", "beyond the recording's end"),
        ("onset", "begin", r"has the columns .*'begin', 'duration'.*it needs onset"),
        ("eventType", "type", "has the columns"),
        ("confidence", "Onset", "has a column twice"),
        ("confidence", "duration", "has a column twice"),
        ("\t3600.00\n12.00", "\t3700.00\n12.00", "differs from another's"),
        ("\t3600.00\n12.00", "\t-1\n12.00", "line 2: recordingDuration is '-1'"),
        ("\t3600.00\n12.00", "\tsoon\n12.00", "line 2: recordingDuration is 'soon'"),
        ("13:43:04\t3600.00\n12.00", "13:43:05\t3600.00\n12.00", "differs from another's"),
        ("13:43:04\t3600.00\n12.00", "soon\t3600.00\n12.00", "line 2: dateTime is '2016-11-06 soon'"),
        ("n/a\tFp1", "n\0a\tFp1", "line 4: .* is no line of an annotation file"),
    ],
)
def test_refused_events(tmp_path, old, new, said):
    """Each slip is named with its place; none is repaired or passed over."""
    assert EVENTS.count(old) == 1
    with pytest.raises(RecordingError, match=r"^p_events\.tsv.*(" + said + ")"):
        events_of(tmp_path, EVENTS.replace(old, new))


def test_a_quote_swallows_no_row(tmp_path):
    """A cell quoted from line 3 into line 4 makes one row of two, each of seven cells: refused, not a seizure less."""
    rows = EVENTS.replace("\tall\t", '\t"all\t').replace("F7-Avg\t", 'F7-Avg"\t')
    assert rows.count('"') == 2
    with pytest.raises(RecordingError, match=r"^p_events\.tsv, line 3: a quoted cell runs over the end of its line"):
        events_of(tmp_path, rows)


def test_what_is_no_events_file(tmp_path):
    """Nothing, a header alone (it may be cut short), other text encodings, a summary, a directory."""
    for data, said in [
        (b"", "has the columns"),
        (EVENTS.splitlines()[0].encode(), "has no row"),
        (EVENTS.encode("utf-16"), "is no UTF-8"),
        (EVENTS.replace("all", "é").encode("latin-1"), "line 3 is no UTF-8"),
        (SUMMARY.encode(), "has the columns"),
        (EVENTS.replace("\t", ",").encode(), "has the columns"),
    ]:
        with pytest.raises(RecordingError, match=said):
            events_of(tmp_path, data)
    with pytest.raises(RecordingError, match="is no file"):
        annotation_files.read_events(tmp_path)


# -------------------------------------------------------------------------------------------------------------- fuzz

NUMBERS = st.one_of(
    st.integers(-(10**12), 10**12).map(str),
    st.floats(allow_nan=True).map(str),
    st.sampled_from(["1e400", "999999999", "0x10", "7,5", "0", "00", "1.", ".5", "9" * 50, "٣", "12:00"]),
)
WHERE = st.integers(0, 10**6)


def at(data, place):
    """Return a position in `data`."""
    return place % (len(data) + 1)


def with_byte(place, byte):
    return lambda data: data[: at(data, place)] + bytes([byte]) + data[at(data, place) + 1 :]


def with_inserted(place, piece):
    return lambda data: data[: at(data, place)] + piece + data[at(data, place) :]


def cut_short(place):
    return lambda data: data[: at(data, place)]


def with_number(place, number):
    """Put a number in the place of one that is there."""

    def mutate(data):
        spans = [found.span() for found in re.finditer(rb"[0-9.]+", data)] or [(0, 0)]
        start, stop = spans[place % len(spans)]
        return data[:start] + number.encode() + data[stop:]

    return mutate


def with_lines(kind, first, second):
    """Delete, double or swap lines."""

    def mutate(data):
        lines = data.split(b"\n")
        one, two = first % len(lines), second % len(lines)
        if kind == "delete":
            lines[one : one + 1 + second % 3] = []
        elif kind == "double":
            lines.insert(two, lines[one])
        else:
            lines[one], lines[two] = lines[two], lines[one]
        return b"\n".join(lines)

    return mutate


BYTES = st.one_of(
    st.builds(with_byte, WHERE, st.integers(0, 255)),
    st.builds(with_inserted, WHERE, st.binary(min_size=1, max_size=8)),
    st.builds(with_inserted, WHERE, st.text(min_size=1, max_size=8).map(lambda text: text.encode("utf-8", "replace"))),
    st.builds(cut_short, WHERE),
)
MUTATIONS = st.one_of(
    BYTES,
    st.builds(with_number, WHERE, NUMBERS),
    st.builds(with_lines, st.sampled_from(["delete", "double", "swap"]), WHERE, WHERE),
    st.builds(
        with_inserted, WHERE, st.sampled_from([b" ", b"\t", b"\r\n", b'"', b":", b"#", b"\xef\xbb\xbf", b"\xc2\xa0"])
    ),
)


def mutated(data, mutations):
    """Apply mutations one after the other."""
    for mutate in mutations:
        data = mutate(data)
    return data


@FUZZ
@given(st.lists(MUTATIONS, min_size=1, max_size=3))
def test_fuzzed_summaries(scratch, mutations):
    """A good value or a RecordingError; as many seizures as lines that speak of a seizure's start, and as announced."""
    data = mutated(SUMMARY.encode(), mutations)
    recordings = refused(summary_of, scratch, data)
    if recordings is None:
        return
    for recording in recordings:
        assert list(recording) == ["file", "start", "end", "channels", "seizures"]
        assert (scratch / recording["file"]).resolve().parent == scratch.resolve()
        assert all(isinstance(label, str) and label for label in recording["channels"])
        assert_seizures(recording["seizures"])
    lines = [line for line in re.split(r"[\r\n]+", data.decode()) if not line.strip().startswith("#")]
    total = sum(len(recording["seizures"]) for recording in recordings)
    assert total == sum(bool(re.search("seizure.*start.*[0-9]", line, re.IGNORECASE)) for line in lines)
    announced = [re.search(r"number\s+of\s+seizures.*?([0-9]+)\s*$", line, re.IGNORECASE) for line in lines]
    assert total == sum(int(found[1]) for found in announced if found)
    assert len(recordings) == sum(bool(re.search(r"file\s+name.*\.edf", line, re.IGNORECASE)) for line in lines)


@FUZZ
@given(st.lists(st.tuples(WHERE, BYTES), min_size=1, max_size=4))
def test_fuzz_beside_the_seizures(scratch, mutations):
    """Whatever happens to the other lines: the seizures are all there, or an error is."""
    lines = SUMMARY.encode().split(b"\n")
    others = [number for number, line in enumerate(lines) if b"Seizure" not in line]
    for place, mutate in mutations:
        lines[others[place % len(others)]] = mutate(lines[others[place % len(others)]])
    recordings = refused(summary_of, scratch, b"\n".join(lines))
    if recordings is not None:
        assert [seizure for r in recordings for seizure in r["seizures"]] == [(12, 40), (2996, 3036), (7, 99)]


@FUZZ
@given(
    st.lists(st.tuples(WHERE, st.sampled_from(["", "*****", "# Seizure Start Time: 5 s", "Slept well.", "EEG: good"]))),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([str, str.upper, str.lower, str.title]),
    st.sampled_from([" ", "  ", "\t"]),
)
def test_what_changes_no_summary(scratch, remarks, end, case, blank):
    """Remarks, line ends, the case of keys and blanks in them: the same recordings come out."""
    lines = []
    for line in SUMMARY.splitlines():
        key, colon, value = line.partition(":")
        lines.append(case(key).replace(" ", blank) + colon + value)
    for place, remark in remarks:
        lines.insert(place % (len(lines) + 1), remark)
    assert summary_of(scratch, end.join(lines)) == READ


def with_word(place, word):
    """Put a 16-bit word, or several, over those that are there: the unit of a WFDB file, unlike the byte."""
    return lambda data: data[: at(data, place) // 2 * 2] + word + data[at(data, place) // 2 * 2 + len(word) :]


WORDS = st.sampled_from(
    [bytes([low, code << 2]) for low in (0, 2, 255) for code in (0, 1, 22, 32, 33, 59, 60, 61, 62, 63)]
)


@FUZZ
@given(st.lists(st.one_of(BYTES, st.builds(with_word, WHERE, WORDS)), min_size=1, max_size=3))
def test_fuzzed_seizures_files(scratch, mutations):
    """A good value or a RecordingError; as many seizures as there are marks of a start."""
    data = mutated(SEIZURES, mutations)
    found = refused(seizures_of, scratch, data)
    if found is not None:
        assert_seizures(found)
        assert len(found) == count_starts(data)


def count_starts(data):
    """Count the '[' (code 32) among the 16-bit words, past those that a SKIP (59) or a note (63) takes with it."""
    place, count = 0, 0
    while place < len(data) - 2:
        low, code = data[place], data[place + 1] >> 2
        count += code == 32
        place += 2 + {59: 4, 63: low + low % 2}.get(code, 0)
    return count


@pytest.mark.slow
@FUZZ
@given(st.lists(st.integers(1, 2**30), max_size=12), st.sampled_from([1, 100, 128, 256, 1000]))
def test_seizures_files_come_back(scratch, gaps, rate):
    """What is encoded by hand is read: each sample over the rate."""
    samples = [sum(gaps[: end + 1]) for end in range(len(gaps) // 2 * 2)]
    pairs = list(zip(samples[::2], samples[1::2], strict=True))
    if samples and samples[-1] / rate >= 1e9:
        with pytest.raises(RecordingError):
            seizures_of(scratch, mit(pairs, rate))
    else:
        assert seizures_of(scratch, mit(pairs, rate)) == [tuple(round(s / rate, 6) for s in pair) for pair in pairs]


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
    assert_seizures(found["seizures"], touching=False)
    duration_s = 1e12 if found["duration_s"] is None else found["duration_s"]
    assert all(end <= duration_s for _, end in found["seizures"])
    rows = sz_rows(data.decode("utf-8-sig"))
    for start, end in rows:
        assert any(a - 1e-5 <= start and min(end, duration_s) <= b + 1e-5 for a, b in found["seizures"])
    for start, end in found["seizures"]:
        assert any(abs(start - a) < 1e-5 for a, _ in rows) and any(
            abs(end - min(b, duration_s)) < 1e-5 for _, b in rows
        )


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
    assert_seizures(seizures, touching=False)
    seconds = {second for onset, duration in rows for second in range(onset, onset + duration)}
    assert {second for start, end in seizures for second in range(start, end)} == seconds
