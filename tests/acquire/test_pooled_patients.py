"""Patients pooled: several declared ones as one, with whose each recording is; and what cannot be pooled."""

import shutil

import pytest
from conftest import write_edf

from helpers.acquire import declare, recordings
from helpers.acquire.annotations import Annotations
from helpers.study import errors, files, patients

SUMMARY = (
    "File Name: {0}.edf\nNumber of Seizures in File: 1\nSeizure Start Time: 9 seconds\nSeizure End Time: 19 seconds\n"
)


def write_patient(root, name, *recorded, **options):
    """Write a folder of recordings of 30 s, a seizure from 9 s to 19 s in each, and declare it as a patient."""
    folder = root / "theirs" / name
    folder.mkdir(parents=True)
    for recording in recorded:
        write_edf(folder / f"{recording}.edf", **options)
    (folder / "x-summary.txt").write_text("\n".join(map(SUMMARY.format, recorded)))
    declare.declare(name, folder)


def pool(root, *names, patient="all"):
    """Declare patients pooled."""
    path = root / "params" / "patients" / f"{patient}.yaml"
    path.write_text(f"# ours\nsource: pooled\npatients: [{', '.join(names)}]\n")
    return path


def survey(patient="all", **options):
    """Return the tables of a pooled patient, and the source."""
    folder, source = recordings.acquire(patient)
    return *recordings.survey(folder, pooled=source["patients"], **options), source


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project with three patients of the user's: anna, with two recordings, bo and cy; they are pooled as "all"."""
    monkeypatch.setattr(files, "ROOT", tmp_path)
    (tmp_path / "params" / "patients").mkdir(parents=True)
    write_patient(tmp_path, "anna", "anna_01", "run-2")
    write_patient(tmp_path, "bo", "bo_01")
    write_patient(tmp_path, "cy", "run-2")
    pool(tmp_path, "anna", "bo", "cy")
    return tmp_path


def test_recordings_keep_their_place_and_say_whose_they_are(root):
    """Four recordings, a column of patients; a name that does not begin with its patient's is put behind it. No file
    is copied, and another list of patients takes the place of the first."""
    table, seizures, *_, source = survey()
    assert table[["recording", "patient", "file"]].to_numpy().tolist() == [
        ["anna_01", "anna", "anna/anna_01.edf"],
        ["anna_run-2", "anna", "anna/run-2.edf"],
        ["bo_01", "bo", "bo/bo_01.edf"],
        ["cy_run-2", "cy", "cy/run-2.edf"],
    ]
    assert seizures["recording"].tolist() == table["recording"].tolist()
    folder = patients.recordings_folder("all")
    assert (folder / "cy" / "run-2.edf").samefile(root / "theirs" / "cy" / "run-2.edf")
    assert sorted(path.name for path in folder.iterdir()) == ["anna", "bo", "cy"]
    assert all(path.is_symlink() for path in folder.iterdir())
    assert source["description"].startswith("3 patients pooled, anna, bo, cy. Recordings from a folder of the user's")
    shutil.move(root / "theirs" / "cy", root / "elsewhere")
    declare.declare("cy", root / "elsewhere")
    assert survey()[0].equals(table)


def test_three_patients_need_a_seizure(root):
    """Four recordings have one, but of two patients only: too few."""
    table, seizures, *_ = survey()
    durations_s = dict.fromkeys(table["recording"], 30.0)
    patient_of = dict(zip(table["recording"], table["patient"], strict=True))
    assert recordings.check_enough_seizures(Annotations(seizures, durations_s), patient_of) == ["anna", "bo", "cy"]
    with pytest.raises(ValueError, match=r"Seizures are in 2 patients \(anna, bo\) of 3; .* at least 3: one held"):
        recordings.check_enough_seizures(Annotations(seizures[:3], durations_s), patient_of)


def test_one_person_must_not_be_two_patients(root):
    """By their headers: refused, without the name. Sex alone is nobody, and one patient's recordings are one person's.
    Of the database, chb01 and chb21 are the same girl; nobody is named twice."""

    def write_header(name, text):
        data = (root / "theirs" / name).read_bytes()
        (root / "theirs" / name).write_bytes(data[:8] + text.encode().ljust(80) + data[88:])

    for name in ("anna/anna_01.edf", "anna/run-2.edf", "bo/bo_01.edf"):
        write_header(name, "X F X X")
    survey()
    write_header("anna/anna_01.edf", "MCH-02 F X Haagse_Harry")
    with pytest.raises(errors.RecordingError, match=r"anna/anna_01\.edf and 1 more are of 2 people"):
        survey()
    write_header("anna/run-2.edf", "MCH-02 F X Haagse_Harry")
    write_header("cy/run-2.edf", "MCH-02 F X Haagse_Harry")
    with pytest.raises(
        errors.RecordingError, match=r"^cy/run-2\.edf is of the same person as anna/anna_01\.edf"
    ) as said:
        survey(leave_out=True)
    assert "Harry" not in str(said.value)
    for name in ("chb01", "chb02", "chb21"):
        (root / "params" / "patients" / f"{name}.yaml").write_text("source: physionet\n")
    for names, twice in ((["chb01", "chb02", "chb21"], "chb01 and chb21"), (["bo", "anna", "bo"], "bo and bo")):
        pool(root, *names)
        with pytest.raises(ValueError, match=f"all.yaml: {twice} are one person; who is held out"):
            recordings.acquire("all")


def test_what_cannot_be_pooled(root):
    """Two patients; one of another source; one pooled already; one whom nobody declared; one of another rate, who can
    be left out."""
    (root / "params" / "patients" / "chb02.yaml").write_text("source: physionet\n")
    pool(root, "anna", "bo", "cy", patient="more")
    for names, said in (
        (["anna", "bo"], "patients is .*at least 3"),
        (["anna", "bo", "chb02"], r"one source, .*anna \(directory\), bo \(directory\), chb02 \(physionet\)"),
        (["anna", "bo", "more"], r"not be pooled themselves: .*more \(pooled\)"),
        (["anna", "bo", "di"], "There is no patient 'di'"),
    ):
        pool(root, *names)
        with pytest.raises(ValueError, match=said):
            recordings.acquire("all")
    write_patient(root, "di", "di_01", rate=512)
    pool(root, "anna", "bo", "cy", "di")
    with pytest.raises(errors.UnusableRecording, match=r"^di/di_01\.edf has 512 Hz, most recordings 256 Hz"):
        survey()
    assert survey(leave_out=True)[2]["recording"].tolist() == ["di_01"]


def test_a_change_of_a_patient_is_seen(root):
    """`make study PATIENT=all` writes a fingerprint below what the user wrote; it changes with what a folder holds, and
    only then."""
    path = root / "params" / "patients" / "all.yaml"
    (root / "params" / "study.yaml").write_text("patients: []\n")
    own = path.read_text()
    declare.main("all")
    first = path.read_text()
    declare.main("all")
    assert path.read_text() == first and first.startswith(f"{own}fingerprint: ")
    summary = root / "theirs" / "bo" / "x-summary.txt"
    summary.write_text(summary.read_text().replace("19 seconds", "18 seconds"))
    declare.main("all")
    assert path.read_text() != first and path.read_text().startswith(f"{own}fingerprint: ")
    assert files.read_yaml(root / "params" / "study.yaml") == {"patients": ["all"]}
