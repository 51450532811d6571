"""Declaring a folder of recordings as a patient, and what the study says of a patient's source."""

import re
import shutil

import pytest
import yaml
from conftest import CHANNELS, ROOT, write_edf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.acquire import declare, physionet, recordings
from helpers.study import files, patients


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project's folder in which the database's patients and sim08 are declared, and sim08 is studied."""
    shutil.copytree(ROOT / "params" / "patients", tmp_path / "params" / "patients")
    (tmp_path / "params" / "study.yaml").write_text("patients: [sim08]\n")
    monkeypatch.setattr(files, "ROOT", tmp_path)
    return tmp_path


def studied(project):
    return yaml.safe_load((project / "params" / "study.yaml").read_text())["patients"]


def write_folder(folder, **seconds):
    """Write recordings of so many seconds, without seizures, and their summary."""
    folder.mkdir(exist_ok=True)
    for name, duration_s in seconds.items():
        write_edf(folder / f"{name}.edf", seconds=duration_s)
    entries = "".join(f"File Name: {name}.edf\nNumber of Seizures in File: 0\n" for name in seconds)
    (folder / "x-summary.txt").write_text(entries)
    return folder


def test_declaring_a_folder(project, excerpts, monkeypatch):
    """Short excerpts: frames of 2 s, which a person may change; enrolled once; renewed when data change."""
    declare.main("excerpts01", str(excerpts))
    with monkeypatch.context() as patch:  # what is known and did not change is not read again
        patch.setattr(recordings, "survey", None)
        declare.main("excerpts01", str(excerpts))
    assert studied(project) == ["sim08", "excerpts01"]
    declaration = patients.load("excerpts01")
    assert declaration["frame_s"] == 2.0 and patients.recordings_folder("excerpts01") == excerpts.resolve()
    path = project / "params" / "patients" / "excerpts01.yaml"
    path.write_text(path.read_text().replace("frame_s: 2.0", "frame_s: 1.0"))
    copy = project / "copy é"
    shutil.copytree(excerpts, copy)
    declare.main("excerpts01", str(copy))
    assert patients.load("excerpts01") == declaration | {"frame_s": 1.0, "folder": str(copy)}
    summary = copy / "chb01-summary.txt"
    summary.write_text(summary.read_text().replace("End Time: 37 seconds", "End Time: 36 seconds"))
    declare.main("excerpts01")
    assert patients.load("excerpts01")["fingerprint"] != declaration["fingerprint"]


def test_what_declaring_looks_at(project):
    """Recordings of 200 s and 130 s: frames of 4 s; one of 60 s: of 2 s, for its sake. One without C3-P3 hinders nobody
    yet, as the parameters decide when the study begins. A recording renamed is another fingerprint."""
    folder = write_folder(project / "mine", a=200, b=130)
    declare.declare("mine", folder)
    assert patients.load("mine")["frame_s"] == 4.0
    (project / "params" / "patients" / "mine.yaml").unlink()
    write_folder(folder, a=200, b=60, c=130)
    write_edf(folder / "c.edf", CHANNELS[1:])
    declare.declare("mine", folder)
    before = patients.load("mine")
    assert before["frame_s"] == 2.0
    (folder / "b.edf").rename(folder / "d.edf")
    summary = folder / "x-summary.txt"
    summary.write_text(summary.read_text().replace("b.edf", "d.edf"))
    declare.declare("mine", folder)
    assert patients.load("mine")["fingerprint"] != before["fingerprint"]
    folder, source = recordings.acquire("mine")
    assert not source["simulated"] and "CHB-MIT's layout" in source["description"]


@pytest.mark.parametrize("name", ["007", "no", "null", "models", "benchmark", "SIM08", "a b", "../x"])
def test_names_that_cannot_name_a_patient(project, name):
    """A number or a truth value to YAML, another folder of output/, a declared name in capitals, a path."""
    folder = write_folder(project / "mine", a=5)
    with pytest.raises(SystemExit, match=rf"'{name}' (cannot name a patient|differs from the declared 'sim08')"):
        declare.main(name, str(folder))
    assert studied(project) == ["sim08"]


@pytest.mark.parametrize(
    ("patient", "folder", "said"),
    [
        ("sim08", ".", "already declared, from another source"),
        ("y", "no", "is no folder"),
        ("y", "~who-is-that/x", "home directory"),
    ],
)
def test_declaring_the_wrong_thing(project, patient, folder, said):
    """Ends with one message, and leaves the study as it was."""
    before = sorted((project / "params").rglob("*"))
    with pytest.raises(SystemExit, match=said):
        declare.main(patient, folder if "~" in folder else str(project / folder))
    assert sorted((project / "params").rglob("*")) == before


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=12) | st.sampled_from(["p", "q-1", "no", "e3", "models", "../p", "p;ls"]), max_size=4))
def test_any_list_of_patients(project, names):
    """Enrolled among whatever a person has listed: all are kept, once the new one more, and any bad name is refused."""
    path = project / "params" / "study.yaml"
    path.write_text(yaml.safe_dump({"patients": names}, allow_unicode=True), encoding="utf-8")
    before = path.read_bytes()
    try:
        declare.enrol("p")
    except ValueError:
        assert path.read_bytes() == before
    else:
        assert studied(project) == ([*names, "p"] if "p" not in names else names)
        assert all(name.replace("-", "").replace("_", "").isalnum() and name.isascii() for name in studied(project))


def test_a_patient_of_the_database(project, monkeypatch):
    """Enrolled when its recordings have come, and not where they cannot be had. chb24's summary lists one recording
    here; that 21 more of the database's 22 are not used is said with the source."""

    def fetch(patient, folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_folder(folder, chb24_01=5).joinpath("x-summary.txt").rename(folder / "chb24-summary.txt")
        return ["chb24-summary.txt", "chb24_01.edf"]

    with pytest.raises(SystemExit, match="No mirror gives chb03-summary.txt"):
        monkeypatch.setenv("CHBMIT_MIRRORS", "http://127.0.0.1:9/")
        monkeypatch.setattr("pooch.core.time.sleep", lambda _: None)
        declare.main("chb03")
    assert studied(project) == ["sim08"]
    monkeypatch.setattr(physionet, "fetch", fetch)
    declare.main("chb24")
    assert studied(project) == ["sim08", "chb24"]
    folder, source = recordings.acquire("chb24")
    assert folder == project / "output" / "chb24" / "recordings" and not source["simulated"]
    said = r"ODC-By 1\.0.* 21 more recordings .* not used: chb24_02\.edf, .*_22\.edf\.$"
    assert re.search(said, source["description"])
    assert recordings.survey(folder)[0]["recording"].tolist() == ["chb24_01"]
