"""Fetching CHB-MIT: against mirrors on 127.0.0.1 that misbehave, no file under its final name ever has a wrong byte."""

import errno
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import misbehaving_server as server
import pytest
import yaml
from conftest import ROOT, SHARED
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from misbehaving_server import EDF, FILES, PATIENT, PLUS, SCENARIOS, WANTED, Scenario

from helpers.acquire import downloads, physionet, summaries
from helpers.study import patients
from helpers.study.errors import RecordingError

ANNOTATIONS = SHARED / "chbmit-annotations"
CHBMIT = [f"chb{number:02d}" for number in range(1, 25)]


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """The toy database's registry in the real one's place, and waits of a test."""
    server.write_registry(tmp_path / "registry.txt")
    monkeypatch.setattr(physionet, "REGISTRY", tmp_path / "registry.txt")
    monkeypatch.setenv("NO_PROXY", "*")
    for name, value in server.QUICK.items():
        monkeypatch.setattr(downloads, name, value)
    return tmp_path / "recordings"


@pytest.fixture
def real_annotations():
    """The database's own lists, or a skip that says why."""
    if not ANNOTATIONS.is_dir():
        pytest.skip("needs the database's lists in ../shared/data, which are not here")
    return ANNOTATIONS


SLOW = [s.name for s in SCENARIOS if s.meanwhile is server.killed_before]


@pytest.mark.parametrize(
    "scenario",
    [pytest.param(one, id=one.name, marks=[pytest.mark.slow] if one.name in SLOW else []) for one in SCENARIOS],
)
def test_scenario(scenario, tmp_path):
    """It ends as declared: outcome, message, where the first range began, how many bytes were sent for the file."""
    found = server.run(scenario, tmp_path / "recordings")
    assert found["outcome"] == scenario.outcome, found["message"]
    assert re.search(scenario.says, found["message"])
    assert found["resumed_from"] == scenario.resumed_from
    if scenario.fetched is not None:
        assert sum(request["sent"] for request in found["requests"]) == scenario.fetched
    left = {path.name for path in (tmp_path / "recordings").iterdir()}
    if scenario.outcome == "good file":
        assert left == set(WANTED), "nothing but the files stays, and only those that the study needs"
    else:
        assert EDF not in left and not left & {".pooch", ".fetch.lock"}


def test_what_arrived_is_kept_and_the_next_run_goes_on(tmp_path):
    """Full after 100,000 bytes: they stay; with room again the range begins there, and no byte comes twice."""
    full = next(scenario for scenario in SCENARIOS if scenario.name == "disk full")
    assert server.run(full, tmp_path / "recordings")["outcome"] == "clear message"
    assert downloads.size(tmp_path / "recordings" / f"{EDF}.part") == 100_000
    found = server.run(Scenario("room again", resumed_from=100_000), tmp_path / "recordings")
    assert [(request["first"], request["sent"]) for request in found["requests"]] == [(100_000, server.SIZE - 100_000)]


# Behaviours that end within milliseconds; a hanging server is in the scenarios.
BEHAVIOURS = [
    server.good, server.drop(0), server.drop(1), server.drop(150_000), server.ignore_range, server.not_satisfiable,
    server.wrong_range, server.small_ranges, server.wrong_byte, server.status(404), server.status(503),
    server.status(206), server.status(200), server.announce(5), server.announce(-5),
    server.redirect("http://192.0.2.1/"), server.redirect("http://[broken/"),
]  # fmt: skip
SEQUENCES = st.lists(st.sampled_from(BEHAVIOURS), min_size=1, max_size=5)


PARTS = st.sampled_from([b"", FILES[EDF][:1000], b"x" * 1000, FILES[EDF] * 2])


@pytest.mark.slow
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(first=SEQUENCES, second=st.just([server.good]) | SEQUENCES, part=PARTS)
def test_any_sequence_of_misbehaviours(first, second, part, tmp_path_factory):
    """Whatever two mirrors do in turn, and whatever lies there: the right file, or a message and no file."""
    folder = tmp_path_factory.mktemp("any") / "recordings"
    before = server.there_before(f"{EDF}.part", part)
    found = server.run(Scenario("any", list(first), list(second), before), folder)
    assert (folder / EDF).exists() == (found["outcome"] == "good file")
    if [server.good] in (first, second):
        assert found["outcome"] == "good file", "one good mirror is enough, whatever the other does"


def test_names_are_quoted_and_the_visitor_says_who_it_is(toy):
    """The '+' of chb02_16+.edf arrives as %2B; the User-Agent is the project with its version; no compression."""
    with server.mirrors({}) as (bases, log):
        names = physionet.fetch(PATIENT, toy, bases)
    assert names == WANTED
    assert next(entry["path"] for entry in log if entry["file"] == PLUS) == "/chb02/chb02_16%2B.edf"
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert {entry["agent"] for entry in log} == {f"eeg-spectrogram-study/{version}"}
    assert {entry["encoding"] for entry in log} == {"identity"}


def test_the_environment_names_other_mirrors(toy, monkeypatch):
    """CHBMIT_MIRRORS, two addresses separated by a blank, the first of which has nothing."""
    nowhere = {name: [server.status(404)] for name in FILES}
    with server.mirrors(nowhere, {}) as (bases, log):
        monkeypatch.setenv("CHBMIT_MIRRORS", " ".join(base.rstrip("/") for base in bases))
        physionet.fetch(PATIENT, toy)
    server.assert_no_bad_file(toy)
    assert {entry["mirror"] for entry in log} == {1, 2}


@pytest.mark.parametrize("url", ["http://example.org/", "http://127.0.0.1.example.org/", "http://127.0.0.1@example.org/",
                                 "ftp://127.0.0.1/", "physionet.org", "http://[::1"])  # fmt: skip
def test_only_https_or_this_machine(url, toy, monkeypatch):
    """Refused before anything is asked or made, and named."""
    monkeypatch.setenv("CHBMIT_MIRRORS", f"https://example.org/ {url}")
    with pytest.raises(RecordingError, match=re.escape(f"'{url}' cannot be a mirror") + ".*CHBMIT_MIRRORS"):
        physionet.fetch(PATIENT, toy)
    assert not toy.exists()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_mirror_on_this_machine_is_asked_directly(host, monkeypatch):
    """Though HTTP_PROXY names a proxy (at which nobody answers), and NO_PROXY is not set."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as mirror:
        threading.Thread(target=mirror.serve_forever, daemon=True).start()
        with downloads.open_session(1) as session:
            answer = session.get(f"http://{host}:{mirror.server_port}/", timeout=10)
        mirror.shutdown()
    assert answer.status_code == 501  # it has no method for it


def test_the_public_mirrors_and_loopback_are_safe():
    """https, and the three names of this machine."""
    assert all(map(downloads.is_safe, [*physionet.MIRRORS, "http://localhost:8/", "http://[::1]:8/"]))


def test_another_content_under_a_final_name_is_kept_aside(toy):
    """What lies there was damaged or is somebody's own: the right file comes, a warning names where the old one is."""
    toy.mkdir()
    (toy / EDF).write_bytes(b"mine")
    with (
        server.mirrors({}) as (bases, _),
        pytest.warns(UserWarning, match=rf"{re.escape(EDF)}\.[0-9a-f]{{8}}\.replaced"),
    ):
        physionet.fetch(PATIENT, toy, bases)
    server.assert_no_bad_file(toy)
    assert [path.read_bytes() for path in toy.glob("*.replaced")] == [b"mine"]


def test_another_content_stays_until_the_right_one_is_there(toy):
    """No mirror has the file: what lies there is not touched."""
    toy.mkdir()
    (toy / EDF).write_bytes(b"mine")
    with server.mirrors({EDF: [server.status(404)]}) as (bases, _), pytest.raises(RecordingError, match="HTTP 404"):
        physionet.fetch(PATIENT, toy, bases)
    assert (toy / EDF).read_bytes() == b"mine"


def test_one_failure_ends_the_others_and_keeps_what_is_finished(toy, monkeypatch):
    """A file is refused while another trickles in for a second: the message comes first, and the trickle ends."""
    ended = threading.Event()

    def trickle(handler, content, first):
        server.trickle(handler, content, first)
        ended.set()  # all is sent, or nobody reads any more

    with server.mirrors({EDF: [server.status(404)], PLUS: [trickle]}) as (bases, _):
        with pytest.raises(RecordingError, match="No mirror gives chb02_16.edf"):
            physionet.fetch(PATIENT, toy, bases)
        stopped_at = downloads.size(toy / f"{PLUS}.part")
        assert ended.wait(60)
        assert downloads.size(toy / f"{PLUS}.part") == stopped_at < len(FILES[PLUS])
    assert (toy / "chb02-summary.txt").exists() and not (toy / PLUS).exists()


def test_one_failure_does_not_wait_for_a_mirror_that_hangs(toy, monkeypatch):
    """The other file would be waited for 30 s, then asked for again; the message comes before it is."""
    monkeypatch.setattr(downloads, "TIMEOUT_S", (10, 30))
    with (
        server.mirrors({EDF: [server.status(404)], PLUS: [server.stall(50_000)]}) as (bases, log),
        pytest.raises(RecordingError, match="No mirror gives chb02_16.edf"),
    ):
        physionet.fetch(PATIENT, toy, bases)
    assert len([entry for entry in log if entry["file"] == PLUS]) == 1


def test_at_most_three_files_at_once(toy, monkeypatch):
    """Nine files from a server that counts, and answers when it has three in hand: never more."""
    busy, most, three = [], [], threading.Barrier(3, timeout=20)

    def counted(handler, content, first):
        busy.append(1)
        most.append(len(busy))
        three.wait()
        busy.pop()
        server.good(handler, content, first)

    names = [f"chb02_{number}.edf" for number in range(20, 29)]
    summary = "".join(f"File Name: {name}\nNumber of Seizures in File: 0\n" for name in names)
    monkeypatch.setattr(server, "FILES", {"chb02-summary.txt": summary.encode(), **dict.fromkeys(names, b"some EEG")})
    server.write_registry(physionet.REGISTRY)
    with server.mirrors(dict.fromkeys(names, [counted])) as (bases, _):
        physionet.fetch(PATIENT, toy, bases)
    assert max(most) == 3


def test_no_second_run_into_the_same_folder(toy):
    """While one run has the folder, another is told so; afterwards no lock is left."""
    toy.mkdir()
    with physionet._sole_run(toy), pytest.raises(RecordingError, match="Another run is fetching into"):
        physionet.fetch(PATIENT, toy, ["http://127.0.0.1:9/"])
    assert list(toy.iterdir()) == []


def test_an_archive_that_nobody_may_write_to(toy, monkeypatch):
    """All files are there already: no network is asked, no lock is taken, nothing is made beside them."""
    toy.mkdir()
    for name in WANTED:
        (toy / name).write_bytes(FILES[name])

    def refuse(*_, **__):
        raise AssertionError("nothing is to be opened, made or locked")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(physionet, "_sole_run", refuse)
    assert physionet.fetch(PATIENT, toy) == WANTED
    assert {path.name for path in toy.iterdir()} == set(WANTED)


def test_a_folder_that_cannot_be_written(toy):
    """A file lies where the folder should be."""
    toy.write_text("a file")
    with pytest.raises(RecordingError, match=r"cannot be written to .*MB are free.*run again"):
        physionet.fetch(PATIENT, toy, ["http://127.0.0.1:9/"])


@pytest.mark.parametrize("code", [errno.EDQUOT, errno.EACCES, errno.EROFS])
def test_a_disk_that_refuses(code, toy, monkeypatch):
    """Over quota, no permission, read-only: one message, no second attempt."""
    calls = []

    def refuse(*args, **kwargs):
        calls.append(args)
        raise OSError(code, errno.errorcode[code])

    monkeypatch.setattr(downloads, "open", refuse, raising=False)
    with (
        server.mirrors({}) as (bases, log),
        pytest.raises(RecordingError, match=rf"chb02-summary\.txt cannot .*{errno.errorcode[code]}"),
    ):
        physionet.fetch(PATIENT, toy, bases)
    assert len(calls) == 1 and len(log) == 1


@pytest.mark.slow
def test_ctrl_c_ends_soon(toy):
    """SIGINT while a mirror hangs and would be waited for two hours: the process ends, and no file is bad."""
    code = f"""
        from helpers.acquire import downloads, physionet
        downloads.TIMEOUT_S = (10, 7200)
        physionet.REGISTRY = {str(physionet.REGISTRY)!r}
        physionet.fetch({PATIENT!r}, {str(toy)!r}, BASES)
        """
    with server.mirrors({EDF: [server.stall(50_000)]}) as (bases, _):
        code = textwrap.dedent(code).replace("BASES", repr(bases))
        process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
        server.until(lambda: downloads.size(toy / f"{EDF}.part") >= 50_000)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=300)[1]
    assert "KeyboardInterrupt" in said
    server.assert_no_bad_file(toy)
    assert downloads.size(toy / f"{EDF}.part") == 50_000


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
    """Each name in the 24 summaries is in the registry; what they do not list is chb24's ten."""
    for patient in CHBMIT:
        entries = summaries.read_summary(real_annotations / "summaries" / f"{patient}-summary.txt")
        listed = [entry["file"] for entry in entries]
        assert set(listed) <= set(physionet.registry(patient))
        assert len(physionet.unlisted(patient, listed)) == (10 if patient == "chb24" else 0)


def test_the_real_summaries_have_their_hashes(real_annotations):
    """The registry fits real files: the 24 summaries and chb08's five annotations."""
    files = [*(real_annotations / "summaries").glob("*"), *(real_annotations / "chb08").glob("*.seizures")]
    assert len(files) == 29
    for path in files:
        assert physionet.registry(path.name[:5])[path.name] == physionet.pooch.file_hash(path)


@pytest.mark.parametrize("patient", CHBMIT)
def test_declarations(patient):
    """Each patient of the database is declared, with nothing but its source."""
    assert patients.load(patient) == {"source": "physionet"}
    path = ROOT / "params" / "patients" / f"{patient}.yaml"
    assert yaml.safe_load(path.read_text(encoding="utf-8")) == {"source": "physionet"}


@pytest.mark.parametrize("patient", CHBMIT)
def test_declarations_say_true_numbers(patient, real_annotations):
    """Recordings, hours and seizures in the comment are the summary's; sex and age SUBJECT-INFO's."""
    path = real_annotations / "summaries" / f"{patient}-summary.txt"
    entries, text = summaries.read_summary(path), path.read_text(encoding="latin-1")
    clock = re.findall(r"^File (?:Start|End) Time: *(\d+):(\d+):(\d+)", text, re.M)
    seconds = [int(hour) * 3600 + int(minute) * 60 + int(second) for hour, minute, second in clock]
    # A recording lasts less than a day: past midnight the end may be written as 1:05 or as 25:05.
    hours = sum((end - start) % 86400 for start, end in zip(seconds[::2], seconds[1::2], strict=True)) / 3600
    seizures = sum(len(entry["seizures"]) for entry in entries)
    people = dict(re.findall(r"^(chb\d\d\t[FM])\t *([\d.]+)", (real_annotations / "SUBJECT-INFO").read_text(), re.M))
    person = "".join(
        f" ({'female' if key[-1] == 'F' else 'male'}, {age} years)" for key, age in people.items() if patient in key
    )
    comment = (ROOT / "params" / "patients" / f"{patient}.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert comment.startswith(f"# Patient {patient} of CHB-MIT{person}")
    said = f": {len(entries)} recordings, " + (f"{hours:.1f} h, " if hours else "") + f"{seizures} seizures."
    assert said in comment
