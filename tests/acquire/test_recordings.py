"""Reading recordings: real EEG, real summaries, and every way a folder can be wrong, each with its message."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import CHANNELS, write_edf
from test_annotations import mit

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


def edit(folder, old, new):
    """Change the folder's summary."""
    path = folder / "p-summary.txt"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


def test_a_good_folder(folder):
    """Two recordings of 30 s at 256 Hz; one seizure."""
    table, seizures, left_out = recordings.survey(folder)
    assert table[["recording", "duration_s", "sampling_hz", "seizures"]].to_numpy().tolist() == [
        ["p_01", 30, 256, 1], ["p_02", 30, 256, 0],
    ]  # fmt: skip
    assert seizures.to_numpy().tolist() == [["p_01", 10, 20]]
    assert left_out.empty and (table["montage"] == "by name").all()
    assert [path.name for path in layouts.contents(folder)] == ["p-summary.txt", "p_01.edf", "p_02.edf"]


def test_a_damaged_recording_is_never_left_out(folder):
    """Text named .edf, nothing in it, and a file cut short, which a complete copy would repair: refused, whatever the
    parameters say."""
    good = (folder / "p_02.edf").read_bytes()
    for data, said in (
        (b"not an EDF" * 100, "is no EDF file"),
        (b"", "is no EDF file"),
        (good[:-1000], "is damaged or"),
    ):
        (folder / "p_02.edf").write_bytes(data)
        for leave_out in (False, True):
            with pytest.raises(RecordingError, match=rf"p_02\.edf {said}"):
                recordings.survey(folder, leave_out)


def without_c3_p3(path):
    write_edf(path, ["X1" if name == "C3-P3" else name for name in CHANNELS])


def test_unusable_recordings_are_left_out_if_asked(folder):
    """A renamed channel, a rate of 100 Hz, or 200 Hz where most have 256: refused, or left out with the seizures they
    hold, and why; the seizure of the recording left out is in no table."""
    write_edf(folder / "p_03.edf")
    with open(folder / "p-summary.txt", "a") as file:
        file.write(SUMMARY.format(name="p_03.edf", count=0))
    for spoil, found in (
        (without_c3_p3, "lacks C3-P3 .*it has: FP1-F7, .*X1"),
        (lambda path: write_edf(path, rate=100), "has a sampling rate of 100 Hz; the bands reach 55 Hz, .*110 Hz"),
        (lambda path: write_edf(path, rate=200), "has 200 Hz, most recordings of the folder 256 Hz"),
    ):
        spoil(folder / "p_01.edf")
        with pytest.raises(UnusableRecording, match=rf"p_01\.edf {found}.*unusable: leave out"):
            recordings.survey(folder)
        table, seizures, left_out = recordings.survey(folder, leave_out=True)
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
    table, seizures, _ = recordings.survey(folder)
    durations_s = dict(zip(table["recording"], table["duration_s"], strict=True))
    with pytest.raises(ValueError, match=r"Seizures are in 1 recordings \(p_01\) of 2; .* at least 3: one held"):
        recordings.check_enough_seizures(Annotations(seizures, durations_s))
    seizures = pd.DataFrame([(name, 1, 2) for name in "cab"], columns=["recording", "start_s", "end_s"])
    assert recordings.check_enough_seizures(Annotations(seizures, dict.fromkeys("abcd", 9.0))) == ["a", "b", "c"]


def test_seizure_files_must_agree(folder):
    """p_01.edf.seizures says 10 to 20 s as the summary does; then 12 to 20 s; then one for a recording without any."""
    (folder / "p_01.edf.seizures").write_bytes(mit([(2560, 5120)]))
    recordings.survey(folder)
    assert folder / "p_01.edf.seizures" in layouts.contents(folder)
    (folder / "p_01.edf.seizures").write_bytes(mit([(3072, 5120)]))
    with pytest.raises(RecordingError, match=r"p-summary\.txt and p_01\.edf\.seizures disagree on p_01\.edf"):
        recordings.survey(folder)
    (folder / "p_01.edf.seizures").unlink()
    (folder / "p_02.edf.seizures").write_bytes(mit([(256, 512)]))
    with pytest.raises(RecordingError, match=r"p-summary\.txt and p_02\.edf\.seizures disagree"):
        recordings.survey(folder)


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
        table, seizures, left_out = recordings.survey(folder)
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


def test_names_that_would_be_confused(folder, subject):
    """NA.edf, which tables take for a missing value; and the same BIDS name in two folders."""
    (folder / "p_02.edf").rename(folder / "NA.edf")
    edit(folder, "p_02.edf", "NA.edf")
    with pytest.raises(RecordingError, match=r"'NA' .*stands for a missing value"):
        recordings.survey(folder)
    (folder / "p-summary.txt").unlink()
    shutil.copytree(subject / "sub-01" / "ses-01", subject / "sub-01" / "copy")
    with pytest.raises(RecordingError, match="is named 'ses-01_task-szMonitoring_run-00', as copy/"):
        recordings.survey(subject / "sub-01")


def test_a_link_to_nothing_is_no_missing_file(folder):
    """p_01.edf.seizures is a link whose target is not there, as an archive leaves them: refused, not passed over."""
    (folder / "p_01.edf.seizures").symlink_to(folder / "nowhere")
    with pytest.raises(RecordingError, match=r"p_01\.edf\.seizures"):
        recordings.survey(folder)


def test_a_bids_name_that_another_begins_with(tmp_path):
    """sub-01_task-x and sub-01_task-x_run-02: what is left of the first is its last part, never nothing."""
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
    with pytest.raises(RecordingError, match=rf"{events.name}: ses-01/.* from 5.5 s to 39 s, beyond .* at 30 s"):
        recordings.survey(subject / "sub-01")
    events.write_text(text.replace("\t30\n", "\t40\n"))
    with pytest.raises(RecordingError, match=rf"{events.name} is of a recording of 40 s, and ses-01/.* lasts 30 s"):
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
        RecordingError, match=r"listed, but not there: p_02\.edf; there, but not .* seizure: P_02\.EDF\."
    ):
        recordings.survey(folder)
    edit(folder, "p_02.edf", "P_02.EDF")
    assert recordings.survey(folder)[0]["recording"].tolist() == ["p_01", "P_02"]
    write_edf(folder / "p_03.edf")
    with pytest.raises(RecordingError, match=r"not there: none; there, but not listed, .* seizure: p_03\.edf\."):
        recordings.survey(folder)
    assert len(recordings.survey(folder, unlisted=["p_03.edf"])[0]) == 2


def test_seizure_beyond_the_end(folder):
    """31 s in a recording of 30 s; what tools round to two decimals may be 0.01 s late, and ends with the recording."""
    edit(folder, "End Time: 20 seconds", "End Time: 31 seconds")
    with pytest.raises(RecordingError, match=r"p_01\.edf has a seizure from 10 s to 31 s, beyond .* at 30 s"):
        recordings.survey(folder)
    edit(folder, "End Time: 31 seconds", "End Time: 30.01 seconds")
    assert recordings.survey(folder)[1].to_numpy().tolist() == [["p_01", 10, 30]]
    edit(folder, "Start Time: 10 seconds", "Start Time: 30 seconds")
    with pytest.raises(RecordingError, match=r"p_01\.edf has a seizure from 30 s to 30\.01 s, beyond"):
        recordings.survey(folder)


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
    """Four excerpts of chb01, 37 to 61 s, one seizure each from 10 s on; amplitudes of real EEG."""
    table, seizures, left_out = recordings.survey(excerpts)
    assert table["duration_s"].tolist() == [50, 37, 50, 61] and (seizures["start_s"] == 10).all()
    signal = edf.read(edf.open_edf(excerpts / "chb01_03.edf"))
    assert signal.shape == (18, 50 * 256) and 10 < np.median(signal.std(axis=1)) < 200
