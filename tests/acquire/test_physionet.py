"""Fetching CHB-MIT: against mirrors on 127.0.0.1 that misbehave, no file under its final name ever has a wrong byte."""

import errno
import os
import re

import misbehaving_server as server
import pytest
from conftest import SHARED
from misbehaving_server import EDF, FILES, PATIENT, PLUS, WANTED, drop, good, hang, redirect, stall, status, wrong_byte

from helpers.acquire import annotation_files, physionet
from helpers.study import files
from helpers.study.errors import RecordingError

ANNOTATIONS = SHARED / "chbmit-annotations"
CHBMIT = [f"chb{number:02d}" for number in range(1, 25)]


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A folder to fetch into, the toy database's registry in the real one's place, and waits of a test."""
    server.write_registry(tmp_path / "registry.txt")
    monkeypatch.setattr(physionet, "REGISTRY", tmp_path / "registry.txt")
    monkeypatch.setattr(physionet, "TIMEOUT_S", (0.25, 0.25))
    monkeypatch.setattr("pooch.core.time.sleep", lambda _: None)
    return tmp_path / "recordings"


def fetch(folder, bases):
    """Fetch the toy database's patient from these mirrors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHBMIT_MIRRORS", " ".join(bases))
        return physionet.fetch(PATIENT, folder)


@pytest.fixture
def real_annotations():
    """The database's own lists, or a skip that says why."""
    if not ANNOTATIONS.is_dir():
        pytest.skip("needs the database's lists in ../shared/data, which are not here")
    return ANNOTATIONS


ELSEWHERE = redirect("http://192.0.2.1/x.edf")


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ([good], [good], None),
        ([drop, good], [status(404)], None),
        ([status(503), good], [status(404)], None),
        ([drop], [good], None),
        ([hang], [good], None),
        ([stall, good], [status(404)], None),
        ([wrong_byte], [good], None),
        ([status(404)], [good], None),
        ([ELSEWHERE], [good], None),
        ([drop], [status(404)], "404"),
        ([hang], [stall], "timed out.*timed out"),
        ([wrong_byte], [wrong_byte], "does not match.*does not match"),
        ([status(403)], [status(404)], "403 .*404 "),
        ([ELSEWHERE], [redirect("/chb02/chb02_16.edf")], "redirects to http://192.0.2.1/x.edf, which is not followed"),
    ],
)
def test_scenario(toy, first, second, said):
    """What two mirrors do with the EDF file in turn: the right files and no others, or one message and no EDF file."""
    with server.mirrors({EDF: first}, {EDF: second}) as (bases, _):
        if said is None:
            assert fetch(toy, bases) == WANTED
        else:
            match = rf"No mirror gives {EDF} of CHB-MIT: .*{said}.*run again.*PATIENT=chb02_local FOLDER="
            with pytest.raises(RecordingError, match=match):
                fetch(toy, bases)
    there = {path.name: path.read_bytes() for path in toy.iterdir()}
    assert all(there[name] == FILES[name] for name in there) and "chb02-summary.txt" in there
    assert set(there) == set(WANTED) if said is None else EDF not in there


def test_names_are_quoted_and_no_password_is_sent(toy, monkeypatch):
    """The '+' of chb02_16+.edf arrives as %2B; a password for all hosts in ~/.netrc stays at home."""
    toy.with_name("netrc").write_text("default login somebody password secret\n")
    toy.with_name("netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(toy.with_name("netrc")))
    with server.mirrors({}) as (bases, log):
        fetch(toy, bases)
    assert {entry["path"] for entry in log if entry["file"] == PLUS} == {"/chb02/chb02_16%2B.edf"}
    assert not [name for entry in log for name in entry["headers"] if name.lower() in ("authorization", "cookie")]


def test_what_is_there_is_kept(toy):
    """One file was fetched before: it is not asked for again. With all of them there, no mirror is."""
    with server.mirrors({}) as (bases, log):
        toy.mkdir()
        (toy / EDF).write_bytes(FILES[EDF])
        fetch(toy, [bases[0].rstrip("/")])
        assert sorted(entry["file"] for entry in log) == sorted(set(WANTED) - {EDF})
    assert fetch(toy, ["http://127.0.0.1:9/"]) == WANTED


def test_another_content_under_a_final_name_is_never_overwritten(toy):
    """What lies there was damaged or is somebody's own: refused, and it stays as it is."""
    toy.mkdir()
    (toy / EDF).write_bytes(b"mine")
    with server.mirrors({}) as (bases, _), pytest.raises(RecordingError, match=rf"{EDF} is not the database's file"):
        fetch(toy, bases)
    assert (toy / EDF).read_bytes() == b"mine"


@pytest.mark.parametrize("url", ["http://example.org/", "http://127.0.0.1.example.org/", "http://127.0.0.1@example.org/",
                                 "ftp://127.0.0.1/", "physionet.org", "http://[::1"])  # fmt: skip
def test_only_https_or_this_machine(url, toy, monkeypatch):
    """Refused before anything is asked or made, and named; https and the three names of this machine are safe."""
    monkeypatch.setenv("CHBMIT_MIRRORS", f"https://example.org/ {url}")
    with pytest.raises(RecordingError, match=re.escape(f"'{url}' cannot be a mirror") + ".*CHBMIT_MIRRORS"):
        physionet.fetch(PATIENT, toy)
    assert not toy.exists()
    assert all(map(physionet.SAFE.match, [*physionet.MIRRORS, "http://localhost:8/", "http://[::1]:8/"]))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS])
def test_a_disk_that_refuses(code, toy, monkeypatch):
    """Full, over quota, no permission, read-only: one message, no second attempt."""

    def refuse(*_, **__):
        raise OSError(code, errno.errorcode[code])

    monkeypatch.setattr("pooch.downloaders.open", refuse, raising=False)
    said = rf"chb02-summary\.txt could not be written: {os.strerror(code)}.*run the same command again"
    with server.mirrors({}) as (bases, log), pytest.raises(files.DiskError, match=said):
        fetch(toy, bases)
    assert not log


def test_no_such_patient(tmp_path):
    """The message says which ones there are."""
    with pytest.raises(RecordingError, match="has no patient 'chb25'; it has chb01 to chb24"):
        physionet.fetch("chb25", tmp_path)


def test_unlisted_recordings():
    """Without chb08_02 and chb08_29, the database has those two more; only recordings are named."""
    listed = [f"chb08_{number:02d}.edf" for number in [3, 4, 5, *range(10, 25)]]
    assert physionet.unlisted("chb08", listed) == ["chb08_02.edf", "chb08_29.edf"]


def test_registry_is_the_databases(real_annotations):
    """851 files with the hashes of the database's own list; sorted."""
    lines = [line.split() for line in (real_annotations / "SHA256SUMS.txt").read_text().splitlines()]
    official = {name: digest for digest, name in lines if name.endswith((".edf", ".edf.seizures", "-summary.txt"))}
    text = physionet.REGISTRY.read_text(encoding="utf-8").splitlines()
    written = [line.split() for line in text if not line.startswith("#")]
    assert len(written) == 851 and written == sorted(map(list, official.items()))
    found = {f"{patient}/{name}": digest for patient in CHBMIT for name, digest in physionet.registry(patient).items()}
    assert found == official


@pytest.mark.slow
def test_every_listed_recording_can_be_fetched(real_annotations):
    """Each name in the 24 summaries is in the registry, and has a ``.seizures`` file there if and only if the summary
    lists a seizure; what they do not list is chb24's ten."""
    for patient in CHBMIT:
        entries = annotation_files.read_summary(real_annotations / "summaries" / f"{patient}-summary.txt")
        listed, known = [entry["file"] for entry in entries], physionet.registry(patient)
        assert set(listed) <= set(known)
        assert {entry["file"] for entry in entries if entry["seizures"]} == {
            name.removesuffix(".seizures") for name in known if name.endswith(".seizures")
        }
        assert len(physionet.unlisted(patient, listed)) == (10 if patient == "chb24" else 0)
