"""Reading recordings: real EEG, real summaries, and every way a folder can be wrong, each with its message."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import CHANNELS, noise_uv, write_edf, write_signals
from edfio import read_edf

from helpers.acquire import edf, layouts, recordings
from helpers.acquire.annotations import Annotations
from helpers.study.errors import RecordingError, UnusableRecording

SUMMARY = """\
File Name: {name}
File Start Time: 10:00:00
File End Time: 10:00:30
Number of Seizures in File: {count}
"""


@pytest.fixture
def folder(tmp_path):
    """A good folder: two recordings of 30 s, a seizure from 10 s to 20 s in the first."""
    write_edf(tmp_path / "p_01.edf")
    write_edf(tmp_path / "p_02.edf")
    seizure = "Seizure Start Time: 10 seconds\nSeizure End Time: 20 seconds\n"
    summary = SUMMARY.format(name="p_01.edf", count=1) + seizure + "\n" + SUMMARY.format(name="p_02.edf", count=0)
    (tmp_path / "p-summary.txt").write_text(summary)
    return tmp_path


def add(folder, *names):
    """Add recordings of 30 s without a seizure to a folder."""
    for name in names:
        write_edf(folder / f"{name}.edf")
        with open(folder / "p-summary.txt", "a") as file:
            file.write(SUMMARY.format(name=f"{name}.edf", count=0))


def edit(folder, old, new):
    """Change the folder's summary."""
    path = folder / "p-summary.txt"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


def test_a_good_folder(folder):
    """Two recordings of 30 s at 256 Hz; one seizure."""
    table, seizures, left_out, warnings, _ = recordings.survey(folder)
    assert warnings.empty
    assert table[["recording", "duration_s", "sampling_hz", "seizures"]].to_numpy().tolist() == [
        ["p_01", 30, 256, 1], ["p_02", 30, 256, 0],
    ]  # fmt: skip
    assert seizures.to_numpy().tolist() == [["p_01", 10, 20]]
    assert left_out.empty and (table["montage"] == "by name").all()
    assert [path.name for path in layouts.contents(folder)] == ["p-summary.txt", "p_01.edf", "p_02.edf"]


def without_c3_p3(path):
    write_edf(path, ["X1" if name == "C3-P3" else name for name in CHANNELS])


def write_changed(path, change):
    """Write 30 s of noise of 40 µV, changed: `change` gets [channel, sample]."""
    write_signals(path, CHANNELS, change(noise_uv(path, CHANNELS, 30 * 256)), 256)


def without_limits(path):
    write_edf(path)
    data, first = bytearray(path.read_bytes()), 256 + len(CHANNELS) * (16 + 80 + 8)
    for place in (first, first + 8 * len(CHANNELS)):
        data[place : place + 8] = b"0".ljust(8)
    path.write_bytes(data)


def test_unusable_recordings_are_left_out_if_asked(folder):
    """A renamed channel, a rate of 100 Hz, 200 Hz where most have 256, 25 s where three frames have 26, flat lines,
    limits from 0 to 0: refused, or left out with the seizures they hold, and why; the seizure of
    the recording left out is in no table."""
    add(folder, "p_03")
    for spoil, found in (
        (without_c3_p3, "lacks C3-P3 .*it has: FP1-F7, .*X1"),
        (lambda path: write_edf(path, rate=100), "has a sampling rate of 100 Hz; the bands reach 55 Hz, .*110 Hz"),
        (lambda path: write_edf(path, rate=200), "has 200 Hz, most recordings 256 Hz"),
        (lambda path: write_edf(path, seconds=25), "lasts 25 s, less than three frames, 26 s"),
        (lambda path: write_changed(path, lambda eeg: 0 * eeg), "holds no EEG, .*: 100% of its seconds are flat or"),
        (without_limits, "has FP1-F7 from 0 to 0 in the unit 'uV'"),
    ):
        spoil(folder / "p_01.edf")
        with pytest.raises(UnusableRecording, match=rf"p_01\.edf {found}.*unusable: leave out"):
            recordings.survey(folder, shortest_s=26)
        table, seizures, left_out, *_ = recordings.survey(folder, leave_out=True, shortest_s=26)
        assert table["recording"].tolist() == ["p_02", "p_03"] and seizures.empty
        ((name, count, reason),) = left_out.to_numpy().tolist()
        assert (name, count) == ("p_01", 1) and re.search(found, reason) and "leave" not in reason


def test_none_can_be_used(folder):
    """All lack a channel: that is said, with the first reason."""
    for name in ("p_01.edf", "p_02.edf"):
        without_c3_p3(folder / name)
    with pytest.raises(RecordingError, match="None of the 2 recordings .* p_01.edf lacks C3-P3"):
        recordings.survey(folder, leave_out=True)


def test_three_recordings_need_a_seizure(folder):
    """One of two has a seizure: too few, and it is said which it is and what is wanted. Three are enough."""
    table, seizures, *_ = recordings.survey(folder)
    durations_s = dict(zip(table["recording"], table["duration_s"], strict=True))
    with pytest.raises(ValueError, match=r"Seizures are in 1 recordings \(p_01\) of 2; .* at least 3: one held"):
        recordings.check_enough_seizures(Annotations(seizures, durations_s))
    seizures = pd.DataFrame([(name, 1, 2) for name in "cab"], columns=["recording", "start_s", "end_s"])
    assert recordings.check_enough_seizures(Annotations(seizures, dict.fromkeys("abcd", 9.0))) == ["a", "b", "c"]


@pytest.fixture
def subject(tmp_path):
    """A BIDS subject of two sessions: a seizure from 5.5 s to 9 s in the first, none in the second."""
    rows = {"ses-01": "5.5\t3.5\tsz_foc_ia\t30\n", "ses-02": "0\t30\tbckg\t30\n"}
    for session, row in rows.items():
        name = f"sub-01_{session}_task-szMonitoring_run-00"
        eeg = tmp_path / "sub-01" / session / "eeg"
        eeg.mkdir(parents=True)
        write_edf(eeg / f"{name}_eeg.edf")
        (eeg / f"{name}_events.tsv").write_text("onset\tduration\teventType\trecordingDuration\n" + row)
    return tmp_path


def test_a_bids_subject(subject):
    """The data set of one subject, or the subject's folder: two recordings, named by what tells them apart; no file of
    the derivatives is taken for a recording."""
    copy = subject / "derivatives" / "sub-01_eeg.edf"
    copy.parent.mkdir()
    copy.write_text("no EDF")
    for folder in (subject, subject / "sub-01"):
        table, seizures, left_out, *_ = recordings.survey(folder)
        assert table["recording"].tolist() == ["ses-01_task-szMonitoring_run-00", "ses-02_task-szMonitoring_run-00"]
        assert seizures.to_numpy().tolist() == [["ses-01_task-szMonitoring_run-00", 5.5, 9.0]]
        assert all((folder / file).exists() for file in table["file"]) and left_out.empty
        assert len(layouts.contents(folder)) == 4


@pytest.mark.parametrize("name", ["_eeg.Edf", "_eeg.BDF", "_eeg.set", "_eeg.edf.gz", "_EEG.edf", "_eeg.nwb"])
def test_no_bids_recording_is_lost(subject, name):
    """Another ending or another case beside a good recording: refused, not passed over."""
    eeg = subject / "sub-01" / "ses-01" / "eeg"
    (eeg / f"sub-01_ses-01_task-szMonitoring_run-01{name}").write_text("")
    (eeg / "sub-01_ses-01_task-szMonitoring_run-00_eeg.json").write_text("{}")
    with pytest.raises(RecordingError, match=rf"run-01{name}; wanted are .* only EDF is read"):
        recordings.survey(subject)


def test_events_without_their_recording(subject):
    """A seizure's events are there, its EDF is gone: refused. A session behind a link counts; one in a folder of other
    versions does not."""
    eeg = subject / "sub-01" / "ses-01" / "eeg"
    for other in ("sourcedata", "code", "derivatives"):
        shutil.copytree(eeg, subject / other)
    (subject / "sub-01" / "ses-02").rename(subject / "elsewhere")
    shutil.move(subject / "elsewhere", subject.parent / f"{subject.name}-elsewhere")
    (subject / "sub-01" / "ses-02").symlink_to(subject.parent / f"{subject.name}-elsewhere", target_is_directory=True)
    (subject / "sub-01" / "loop").symlink_to(subject, target_is_directory=True)
    assert len(recordings.survey(subject)[0]) == 2
    (eeg / "sub-01_ses-01_task-szMonitoring_run-03_events.tsv").write_text("onset\tduration\ttrial_type\n0\t9\tsz\n")
    with pytest.raises(RecordingError, match=r"run-03_events.tsv; wanted are .*run-03_eeg.edf and"):
        recordings.survey(subject)
    shutil.rmtree(eeg)
    eeg.mkdir()
    (eeg / "sub-01_ses-01_task-szMonitoring_run-00_events.tsv").write_text("onset\tduration\ttrial_type\n0\t9\tsz\n")
    with pytest.raises(RecordingError, match=r"run-00_events.tsv; wanted are"):
        recordings.survey(subject)


def test_bids_names(subject, tmp_path_factory):
    """The same name in two folders is refused. Of sub-01_task-x, beside sub-01_task-x_run-02, the last part is left."""
    shutil.copytree(subject / "sub-01" / "ses-01", subject / "sub-01" / "copy")
    with pytest.raises(RecordingError, match="is named 'ses-01_task-szMonitoring_run-00', as copy/"):
        recordings.survey(subject / "sub-01")
    tmp_path = tmp_path_factory.mktemp("bids")
    for name in ("sub-01_task-x", "sub-01_task-x_run-02"):
        write_edf(tmp_path / f"{name}_eeg.edf")
        (tmp_path / f"{name}_events.tsv").write_text("onset\tduration\ttrial_type\n0\t30\tbckg\n")
    assert recordings.survey(tmp_path)[0]["recording"].tolist() == ["task-x", "task-x_run-02"]


def test_wrong_bids_subjects(subject):
    """No events, two subjects, another format, a seizure beyond the end: each is named."""
    eeg = subject / "sub-01" / "ses-01" / "eeg"
    events = eeg / "sub-01_ses-01_task-szMonitoring_run-00_events.tsv"
    text = events.read_text()
    events.write_text(text.replace("3.5", "33.5").replace("\t30\n", "\tn/a\n"))
    with pytest.raises(RecordingError, match=rf"ses-01/.* lasts 30 s, and {events.name} has .* from 5.5 s to 39 s"):
        recordings.survey(subject / "sub-01")
    events.write_text(text.replace("\t30\n", "\t40\n"))
    with pytest.raises(RecordingError, match=rf"ses-01/.* lasts 30 s, and {events.name} is of a recording of 40 s"):
        recordings.survey(subject / "sub-01")
    events.unlink()
    with pytest.raises(RecordingError, match=rf"run-00_eeg.edf; wanted are .* and {events.name}"):
        recordings.survey(subject)
    events.write_text(text)
    (eeg / "sub-01_ses-01_task-rest_eeg.vhdr").write_text("")
    with pytest.raises(RecordingError, match=r"task-rest_eeg\.vhdr; wanted are"):
        recordings.survey(subject)
    (eeg / "sub-01_ses-01_task-rest_eeg.vhdr").rename(subject / "sub-02_eeg.edf")
    with pytest.raises(RecordingError, match="2 subjects: sub-01, sub-02"):
        recordings.survey(subject)


def test_companions_from_macos_are_no_recordings(folder):
    """._p_01.edf and ._p-summary.txt hold a Mac's notes on the files, not EEG: the folder is read as if without."""
    for name in ("._p_01.edf", "._p-summary.txt"):
        (folder / name).write_bytes(b"Mac OS X")
    assert recordings.survey(folder)[0]["recording"].tolist() == ["p_01", "p_02"]
    assert [path.name for path in layouts.contents(folder)] == ["p-summary.txt", "p_01.edf", "p_02.edf"]


def test_the_summary_lists_what_is_there(folder):
    """A recording in another case, one that is not listed, .EDF in capitals too: what is missing and what is surplus is
    named in one message; listed, it is read."""
    (folder / "p_02.edf").rename(folder / "P_02.EDF")
    with pytest.raises(
        RecordingError,
        match=r"^P_02\.EDF is there, but not listed in p-summary\.txt, .*\np_02\.edf is listed .* not there",
    ):
        recordings.survey(folder)
    edit(folder, "p_02.edf", "P_02.EDF")
    assert recordings.survey(folder)[0]["recording"].tolist() == ["p_01", "P_02"]
    write_edf(folder / "p_03.edf")
    with pytest.raises(
        RecordingError, match=r"^p_03\.edf is there, but not listed in p-summary.txt, .* seizure\. List it"
    ):
        recordings.survey(folder)


def test_seizure_beyond_the_end(folder):
    """32 s in a recording of 30 s; what is late by a summary's resolution of a second ends with the recording."""
    for before, end in (("20", "31"), ("31", "30.25")):
        edit(folder, f"End Time: {before} seconds", f"End Time: {end} seconds")
        assert recordings.survey(folder)[1].to_numpy().tolist() == [["p_01", 10, 30]]
    for old, new in (("End Time: 30.25", "End Time: 32"), ("Seizure Start Time: 10", "Seizure Start Time: 30")):
        edit(folder, old, new)
        with pytest.raises(RecordingError, match=r"p_01\.edf lasts 30 s, and .* has a seizure from \d0 s to 32 s"):
            recordings.survey(folder)
    edit(folder, "End Time: 32", "End Time: 30.5")
    with pytest.raises(RecordingError, match="has a seizure from 30 s to 30.5 s"):
        recordings.survey(folder)


def overwrite(path, start, text):
    """Put a text, filled with blanks to 80 characters, over a header's field."""
    data = path.read_bytes()
    path.write_bytes(data[:start] + text.encode().ljust(80)[:80] + data[start + 80 :])


def copied(folder, change):
    """Make p_02 a copy of p_01, changed: `change` gets float [channel, sample] in µV of all of p_01."""
    signals = [signal.data for signal in read_edf(folder / "p_01.edf").signals]
    write_signals(folder / "p_02.edf", CHANNELS, change(np.array(signals)), 256)


@pytest.mark.parametrize(
    "copy",
    [
        lambda folder: shutil.copy(folder / "p_01.edf", folder / "p_02.edf"),
        lambda folder: overwrite(shutil.copy(folder / "p_01.edf", folder / "p_02.edf"), 88, "Startdate 01-JAN-2001"),
        lambda folder: (folder / "p_02.edf").unlink() or (folder / "p_02.edf").symlink_to("p_01.edf"),
        lambda folder: copied(folder, lambda eeg: eeg / 4),
        lambda folder: copied(folder, lambda eeg: np.concatenate([eeg[:, 20 * 256 + 77 :], eeg[::-1, :5197]], axis=1)),
    ],
)
def test_the_same_eeg_in_two_recordings_is_refused(folder, copy):
    """Under another name, with another header, behind a link, with another scale; and the last 10 s of one, from the
    middle of a second on, as the first of another: both are named, with the places."""
    copy(folder)
    with pytest.raises(
        RecordingError, match=r"^p_02\.edf at [\d.]+ s holds the same EEG as p_01\.edf at [\d.]+ s: .*Rem"
    ):
        recordings.survey(folder)
    assert recordings.survey(folder, leave_out=True)[0]["recording"].tolist() == ["p_01"]


def test_what_repeats_is_no_copy(folder):
    """Both begin with 10 s of a flat line, 5 s of a square wave for calibration and 5 s of 50 Hz without noise."""
    time = np.arange(5 * 256) / 256
    same = np.concatenate([np.zeros(2560), 50 * np.sign(np.sin(2 * np.pi * time)), 50 * np.sin(100 * np.pi * time)])
    for name in ("p_01", "p_02"):
        write_changed(
            folder / f"{name}.edf", lambda eeg: np.concatenate([np.tile(same, (20, 1)), eeg[:, 5120:]], axis=1)
        )
    assert len(recordings.survey(folder)[0]) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda eeg: np.clip(eeg * np.where(np.arange(30 * 256) < 3840, 8, 1), -400, 400),
            ["clipped", "50% of seconds"],
        ),
        (lambda eeg: eeg * (np.arange(30 * 256) > 2560), ["flat", "33% of seconds"]),
        (lambda eeg: eeg / 100, ["level", "0.4 µV, 1 to 1000 is usual"]),
        (lambda eeg: eeg / 20, ["level", "0.05 times the other recordings'"]),
        (lambda eeg: eeg * np.where(np.arange(20) == 3, 0.01, 1)[:, None], ["P7-O1", "level", "times the median"]),
        (lambda eeg: eeg[[0, 0, *range(2, 20)]], ["FP1-F7, F7-T7", "one and the same signal"]),
        (lambda eeg: eeg * (np.arange(20) != 14)[:, None], ["T8-P8", "twice, with different signals", "flat"]),
    ],
)
def test_what_a_reader_must_know_is_said(folder, change, said):
    """Half of the seconds at the converter's limits, a third flat, µV a hundredth or a twentieth of what they were, one
    channel so, one signal under two names, of the doubled T8-P8 the first flat: used, and in the table of warnings."""
    add(folder, "p_03", "p_04")
    write_changed(folder / "p_02.edf", change)
    table, _, _, warnings, _ = recordings.survey(folder)
    assert len(table) == 4 and set(warnings["recording"]) == {"p_02"}
    for words in said:
        assert words in warnings.to_csv(), warnings.to_csv()


@pytest.mark.parametrize("mains_hz", [50, 60, None])
def test_mains_are_found(folder, mains_hz):
    """10 µV of them in noise of 40 µV, or none; alone in a channel, they are told."""
    mains = 20 * np.sin(2 * np.pi * (mains_hz or 0) * np.arange(30 * 256) / 256)
    for name in ("p_01", "p_02"):
        write_changed(folder / f"{name}.edf", lambda eeg: eeg * (np.arange(20) != 5)[:, None] + mains)
    *_, warnings, mains_db = recordings.survey(folder)
    assert [hertz for hertz, above in mains_db.items() if above > 3] == ([mains_hz] if mains_hz else [])
    assert ("mains alone" in warnings["what"].tolist()) == bool(mains_hz)


def test_clocks_that_disagree_are_told(folder):
    """The header's by over a minute: told, and nothing else, as no result depends on a clock; by less, or over
    midnight, not. Midnight, or no time of day at all, is no clock."""
    text = (folder / "p-summary.txt").read_text()
    cases = [("10.00.59", "10:00:00", 0), ("10.02.00", "10:00:00", 1), ("75.61.99", "10:00:00", 0)]
    for own, annotated, told in [*cases, ("00.00.20", "23:59:40", 0), ("00.00.00", "10:00:00", 0)]:
        head, _, tail = text.rpartition("10:00:00")
        (folder / "p-summary.txt").write_text(f"{head}{annotated}{tail}")
        data = (folder / "p_02.edf").read_bytes()
        (folder / "p_02.edf").write_bytes(data[:176] + own.encode() + data[184:])
        warnings = recordings.survey(folder)[3]
        assert warnings[["recording", "what"]].to_numpy().tolist() == [["p_02", "clock"]] * told


def test_recordings_of_several_people_are_refused(folder):
    """By their headers, whose names are not repeated in the message. One person under a code, and recordings without
    any, are one patient."""
    overwrite(folder / "p_01.edf", 8, "MCH-0234567 F 02-MAY-1951 Haagse_Harry")
    recordings.survey(folder)
    overwrite(folder / "p_02.edf", 8, "MCH-0234568 M 02-MAY-1952 Anna")
    with pytest.raises(RecordingError, match=r"p_01\.edf and 1 more are of 2 people by their headers: p_01") as said:
        recordings.survey(folder, leave_out=True)
    assert "Harry" not in str(said.value)


def test_what_bids_says_of_channels_is_told(subject):
    """C3-P3 is bad by channels.tsv, and used; no other channel counts."""
    eeg = subject / "sub-01" / "ses-01" / "eeg"
    table = "name\ttype\tunits\tstatus\nC3-P3\tEEG\tmV\tbad\nFP1-F7\tEEG\tµV\tgood\nX\tEEG\tmV\tbad\n"
    (eeg / "sub-01_ses-01_task-szMonitoring_run-00_channels.tsv").write_text(table, encoding="utf-8")
    warnings = recordings.survey(subject)[3]
    assert warnings[["channel", "what"]].to_numpy().tolist() == [["C3-P3", "status"]]
    assert len(layouts.contents(subject)) == 5


def test_every_fault_in_one_message_each_sorted_by_file(folder):
    """Faults of four kinds at once: a broken annotation hides no broken recording."""
    add(folder, "p_03", "p_04")
    shutil.copy(folder / "p_01.edf", folder / "p_02.edf")
    (folder / "p_03.edf").write_bytes((folder / "p_03.edf").read_bytes()[:-1])
    without_c3_p3(folder / "p_04.edf")
    edit(folder, "Start Time: 10", "Start Time: 31")
    edit(folder, "End Time: 20", "End Time: 40")
    for leave_out in (False, True):
        with pytest.raises(RecordingError) as said:
            recordings.survey(folder, leave_out)
        assert [line[:4] for line in str(said.value).splitlines()] == ["p_01", "p_03", "p_04"]
    edit(folder, "Number of Seizures in File: 1", "Number of Seizures in File: 2")
    with pytest.raises(RecordingError) as said:
        recordings.survey(folder)
    starts = [line.split()[0] for line in str(said.value).splitlines()]
    assert starts == ["p-summary.txt,", "p_02.edf", "p_03.edf", "p_04.edf"]


def test_no_folder_no_summary_two_summaries(folder):
    """The folder must be one, with one summary, that lists something."""
    with pytest.raises(RecordingError, match="is no folder"):
        recordings.survey(folder / "nowhere")
    shutil.copy(folder / "p-summary.txt", folder / "q-summary.txt")
    with pytest.raises(RecordingError, match="holds 2 files named"):
        recordings.survey(folder)
    (folder / "q-summary.txt").unlink()
    (folder / "p-summary.txt").write_text("nothing")
    with pytest.raises(RecordingError, match="lists no recording"):
        recordings.survey(folder)


def test_real_recordings(excerpts):
    """Four excerpts of chb01, 37 to 61 s, one seizure each from 10 s on; amplitudes of real EEG, mains of 60 Hz."""
    table, seizures, _, warnings, mains_db = recordings.survey(excerpts)
    assert warnings.empty and mains_db[60] > 3 > mains_db[50]
    assert table["duration_s"].tolist() == [50, 37, 50, 61] and (seizures["start_s"] == 10).all()
    signal = edf.read(edf.open_edf(excerpts / "chb01_03.edf"))
    assert signal.shape == (18, 50 * 256) and 10 < np.median(signal.std(axis=1)) < 200
