"""What fails ends in a message that says what to do, with nothing lost: full disks, missing rights, interruptions, two
runs at once, damage in DVC's cache. Each is brought about for real where this machine lets it be."""

import errno
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import psutil
import pytest
import safetensors.torch
import torch
import yaml
from conftest import ROOT

from helpers.acquire.simulated import simulation
from helpers.preprocess import filterbank
from helpers.study import files, parallel, stage, study

# As `helpers.study.stage` and `helpers.study.study` run: a stage that writes what it is given, and the overview.
PIPELINE = """\
vars:
  - params/study.yaml
stages:
  report:
    matrix: {patient: "${patients}"}
    cmd: sh stage.sh
    deps: [given.txt]
    outs: [output/made]
  overview:
    cmd: cp output/made/given.txt output/overview
    deps: [output/made]
    outs: [output/overview]
"""
SLEEPER = """\
import time
from pathlib import Path
from helpers.study import files, parallel
with files.atomic_write(files.stage_folder(patient, "acquire") / "half.csv") as partial:
    partial.write_text("half")
    parallel.parallel_map(time.sleep, [(0.1,), (0.1,)], "nap", "piece")
    Path("../started").touch()
    parallel.parallel_map(time.sleep, [(60,), (60,)], "sleep", "piece")
"""


@pytest.fixture
def project(tmp_path):
    """A copy of the helpers with a patient, a notebook to be filled in, and stages of DVC's that take no time."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("notebooks", "params/patients", ".dvc"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    (tmp_path / "stage.sh").write_text("mkdir output/made && cp given.txt output/made/given.txt\n")
    (tmp_path / "given.txt").write_text("first")
    (tmp_path / "params" / "acquire.yaml").write_text("")
    (tmp_path / "params" / "study.yaml").write_text("patients: [sim08]\n")
    (tmp_path / "params" / "patients" / "sim08.yaml").write_text("source: simulate\nseed: 8\nrecordings: {}\n")
    return tmp_path


def write_notebook(project, source):
    """Make `source` the notebook of the stage `acquire`."""
    cells = [nbformat.v4.new_code_cell('patient: str = "sim08"'), nbformat.v4.new_code_cell(source)]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path = project / "notebooks" / "01_acquire.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)


def started(project, *words, **variables):
    """Start Python with these words in the project, as `make` and DVC do."""
    scripts = os.path.dirname(sys.executable)
    environment = {
        **os.environ, "PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1", **variables,
        "PATH": scripts + os.pathsep + os.environ["PATH"],
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, *words], cwd=project, env=environment, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which a shell's background jobs ignore
    )  # fmt: skip


def ended(process):
    """Return the exit code of a process, and all that it said."""
    said = process.communicate(timeout=120)[0]
    return process.returncode, said


@pytest.fixture
def run_study(project, monkeypatch, caplog, capsys):
    """What runs the study of the project, here, and returns how it ended and all that was said."""
    monkeypatch.setattr(files, "ROOT", project)
    monkeypatch.chdir(project)

    def run():
        caplog.clear()
        capsys.readouterr()
        end = None
        try:
            study.main("sim08")
        except SystemExit as error:
            end = error.code
        return end, caplog.text + capsys.readouterr().out

    return run


@contextmanager
def small_disk(folder, size):
    """Have a disk of `size` at `folder`, with what lay there; skip where that takes rights that are missing."""
    kept = folder.with_name(folder.name + "-before")
    folder.rename(kept) if folder.exists() else None
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    if done.returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        shutil.copytree(kept, folder, dirs_exist_ok=True) if kept.exists() else None
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def remount(folder, option):
    """Change the disk at `folder`."""
    subprocess.run(["mount", "-o", f"remount,{option}", folder], check=True)


def save_map(path):
    """Write a memory-mapped array, as the spectrograms are, of more than the disk holds."""
    with ExitStack() as stack:
        filterbank._array(stack, path, np.float16, (18, 60, 1000))[:] = 1


def save_figure(path):
    """Write a picture of noise."""
    figure = plt.figure(figsize=(8, 8), dpi=200)
    figure.figimage(np.random.default_rng(0).random((1600, 1600)))
    with files.atomic_write(path) as partial:
        figure.savefig(partial)
    plt.close(figure)


def save_weights(path):
    """Write weights, as the networks' are."""
    with files.atomic_write(path) as partial:
        safetensors.torch.save_file({"weight": torch.zeros(100_000)}, partial)


def save_attributions(path):
    """Write compressed arrays, as attributions are."""
    with files.atomic_write(path) as partial:
        np.savez_compressed(partial, values=np.random.default_rng(0).random(100_000))


def save_recording(path):
    """Write EDF, as the simulator does."""
    simulation._write_edf(path, np.zeros((23, 20 * 256)), datetime(2000, 1, 1))


WRITERS = {
    "x.csv": lambda path: files.write_text(path, "x" * 300_000),
    "x.npy": save_map,
    "x.png": save_figure,
    "x.safetensors": save_weights,
    "x.npz": save_attributions,
    "x.edf": save_recording,
}


@pytest.mark.slow
def test_a_full_disk(tmp_path):
    """Whatever writes the file: the message names it, the free space and what to do; nothing of it is left, what was
    there is as it was; and with room it is written."""
    with small_disk(tmp_path / "disk", "200k") as disk:
        for name, write in WRITERS.items():
            (disk / name).write_text("before")
            with pytest.raises(files.DiskError, match=rf"{name} could not be written: the disk is full \(0\.\d MB are"):
                write(disk / name)
            assert {path.name: path.read_text() for path in disk.iterdir()} == {name: "before"}
            (disk / name).unlink()
        remount(disk, "size=20m")
        for name, write in WRITERS.items():
            write(disk / name)
            assert (disk / name).stat().st_size > 100_000


def test_a_disk_that_is_only_read(tmp_path):
    """Neither a file nor a folder can be made: the message says so."""
    with small_disk(tmp_path / "disk", "200k") as disk:
        remount(disk, "ro")
        for path in (disk / "x.csv", disk / "new" / "x.csv"):
            with pytest.raises(files.DiskError, match="x.csv could not be written: that disk can only be read. Copy"):
                files.write_text(path, "x")


@contextmanager
def nobody():
    """Be a user without rights, in a folder that this one may read; skip where nobody can be another."""
    if os.geteuid():
        pytest.skip("needs root, who alone can become another user")
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    try:
        os.seteuid(65534)
        yield folder
    finally:
        os.seteuid(0)
        shutil.rmtree(folder)


def test_a_folder_that_may_not_be_written():
    """The message says whose it is, who asks, and by which command the right is taken; a file that may not be read is
    another matter, as what was to be written is not the reason."""
    with nobody() as folder:
        with pytest.raises(files.DiskError, match=r"belongs to root; you are \w+\)\. Take .*chmod -R u\+rwX.*chown -R"):
            files.write_text(folder / "x.csv", "x")
        with pytest.raises(files.DiskError, match="a.b.x.csv could not be written"):
            files.write_text(folder / "a" / "b" / "x.csv", "x")
        os.seteuid(0)
        (folder / "secret.edf").touch(mode=0o600)
        (folder / "mine").mkdir()
        os.chown(folder / "mine", 65534, 65534)
        os.seteuid(65534)
        with pytest.raises(PermissionError, match="secret.edf"), files.atomic_write(folder / "mine" / "x.csv"):
            (folder / "secret.edf").read_bytes()
        assert list((folder / "mine").iterdir()) == []


def test_a_file_that_a_notebook_may_not_read():
    """Python's own words, and what to do."""
    error = SimpleNamespace(ename="PermissionError", evalue="[Errno 13] Permission denied: '/data/a.edf'")
    assert re.search(
        r"^PermissionError: .*'/data/a.edf': the right to do so is missing \(.*\)\. Take", stage.message(error)
    )
    error = SimpleNamespace(ename="OSError", evalue="[Errno 28] No space left on device: '/tmp/x'")
    assert re.search(r"'/tmp/x': the disk is full \(.*Make room, then run the same", stage.message(error))


def test_a_limit_of_file_size_and_a_quota(tmp_path):
    """Said by their names."""
    for code, words in ((errno.EFBIG, "grow so large"), (errno.EDQUOT, "quota")):
        with pytest.raises(files.DiskError, match=words), files.atomic_write(tmp_path / "x"):
            raise OSError(code, os.strerror(code))


def test_a_full_disk_while_the_notebook_is_kept(project):
    """Three megabytes of output in a cell, and one on the disk: the executed notebook is named, and nothing is left."""
    write_notebook(project, "print('x' * 3_000_000)")
    with small_disk(project / "output", "1m"):
        code, said = ended(started(project, "-m", "helpers.study.stage", "acquire", "sim08"))
        assert code == 1 and "Traceback" not in said
        assert "error in acquire@sim08: output/sim08/notebooks/01_acquire.ipynb could not be written: the disk" in said
        assert list((project / "output" / "sim08" / "notebooks").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("how", ["Ctrl-C", "terminated", "DVC killed", "killed"])
def test_a_stage_that_is_stopped(project, how):
    """By Ctrl-C, by SIGTERM, with its DVC, or by SIGKILL, while a notebook's workers write: no process goes on, no half
    file counts, and but for the last, which can say nothing, it is said how the former result comes back."""
    write_notebook(project, SLEEPER)
    (project / "dvc.lock").write_text("stages:\n  acquire@sim08:\n    cmd: x\n")
    words = ["-m", "helpers.study.stage", "acquire", "--patient", "sim08"]
    if how == "DVC killed":
        words = ["-c", f"import subprocess, sys; subprocess.run([sys.executable, *{words}])"]
    process = started(project, *words, DVC_STAGE="acquire@sim08", STUDY_WORKERS="2")
    family = wait_for(project / "started", process)
    if how == "Ctrl-C":
        os.killpg(process.pid, signal.SIGINT)
    elif how == "terminated":
        process.terminate()
    else:
        process.kill()
    code, said = ended(process)
    assert psutil.wait_procs(family, timeout=10)[1] == []
    acquired = [path.name for path in (project / "output" / "sim08" / "acquire").iterdir()]
    if how == "killed":
        assert not [name for name in acquired if ".partial" not in name]
        return
    assert "acquire@sim08: stopped before its end." in said and "Traceback" not in said
    assert "`dvc checkout --force acquire@sim08` brings it back" in said
    assert code in (130, -signal.SIGKILL) and acquired == []


def wait_for(path, process):
    """Return all processes that `process` began, once `path` is there."""
    until = time.monotonic() + 100
    while not path.exists():
        assert process.poll() is None and time.monotonic() < until, process.communicate()[0]
        time.sleep(0.05)
    return psutil.Process(process.pid).children(recursive=True)


def test_a_worker_that_was_killed(monkeypatch):
    """One message, not a page about segmentation faults."""
    monkeypatch.setenv("STUDY_WORKERS", "2")
    with pytest.raises(parallel.WorkerError, match=r"worked on a fold \(train\) was killed, .*STUDY_WORKERS=1"):
        parallel.parallel_map(os._exit, [(9,), (9,)], "train", "fold")


@pytest.mark.slow
def test_a_relative_path_to_the_helpers(project):
    """`PYTHONPATH=src`, as `started` sets it: the notebook, whose folder is another, has the same helpers."""
    write_notebook(project, "from helpers.study import files\nraise ValueError(f'helpers of {files.ROOT}/')")
    code, said = ended(started(project, "-m", "helpers.study.stage", "acquire", "sim08"))
    assert code == 1 and "error in acquire@sim08: helpers of \n" in said  # its own folder, left out


def cached(project):
    """Return the file of DVC's cache that holds what the stage made of given.txt."""
    name = hashlib.md5((project / "given.txt").read_bytes()).hexdigest()
    return project / ".dvc" / "cache" / "files" / "md5" / name[:2] / name[2:]


def test_a_damaged_cache(project, run_study):
    """A file of the cache is changed, but as long as before and protected as before: DVC alone would take it for the
    stage's result. It goes, and the stage runs again; a folder's list that was cut off goes, too."""
    assert run_study()[0] is None
    for path in (cached(project), *(project / ".dvc" / "cache").rglob("*.dir")):
        path.chmod(0o644)
        path.write_bytes(b"wrong" if path == cached(project) else path.read_bytes()[:-9])
        path.chmod(0o444)
    shutil.rmtree(project / "output")
    before = (project / "dvc.lock").read_bytes()
    code, said = run_study()
    assert code is None and "2 damaged files were deleted from DVC's cache; what they held is made again" in said
    assert (project / "output" / "overview").read_text() == cached(project).read_text() == "first"
    assert (project / "dvc.lock").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("dvc.lock", "<<<<<<< HEAD\nschema: '2.0'\n=======\n", "git checkout -- dvc.lock"),
        ("dvc.lock", "schema: '2.0'\nstages:\n  report@sim08:\n    cm", "git checkout -- dvc.lock"),
        ("dvc.lock", "\0\0", "git checkout -- dvc.lock"),
        ("dvc.yaml", "stages:\n  report", "Correct that file"),
    ],
)
def test_damaged_files_of_dvc(project, run_study, name, text, said):
    """Conflict marks, cut off, or not text at all: what to do is said last."""
    path = project / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert said in run_study()[0]
    path.unlink()
    if name != "dvc.yaml":
        assert run_study()[0] is None


@pytest.mark.parametrize("text", ["", '{"write": {'])
def test_a_list_of_locks_that_a_kill_cut_off(project, run_study, text):
    """DVC alone refuses all work, until a person deletes it."""
    (project / ".dvc" / "tmp").mkdir()
    (project / ".dvc" / "tmp" / "rwlock").write_text(text)
    assert study.dvc(["repro"]) == 255
    assert run_study()[0] is None


def test_a_full_disk_at_dvc_s_cache(project, run_study):
    """The stage has ended well, but its result cannot be kept: what is free and what to do is said, and no part of a
    copy is left; with room, the same command ends the work."""
    (project / ".dvc" / "cache").mkdir()
    with small_disk(project / ".dvc" / "cache", "300k") as cache:
        (project / "given.txt").write_text("x" * 400_000)
        assert "DVC could not keep or fetch a result: the disk is full (0." in run_study()[0]
        assert not list(cache.rglob("*.tmp")) and (project / "output" / "made" / "given.txt").stat().st_size == 400_000
        remount(cache, "size=5m")
        assert run_study()[0] is None


def test_the_former_result_comes_back(project, run_study):
    """DVC takes a stage's result away before it runs; if the run fails, the words that the stage has said bring the
    former one back. What is in no cache is not taken away."""
    assert run_study()[0] is None
    (project / "given.txt").write_text("second")
    (project / "stage.sh").write_text("mkdir output/made; echo half > output/made/half; exit 1")
    assert run_study()[0] == 255 and not (project / "output" / "made" / "given.txt").exists()
    assert study.dvc(["checkout", "--force", "report@sim08"]) == 0
    assert [path.name for path in (project / "output" / "made").iterdir()] == ["given.txt"]
    assert (project / "output" / "made" / "given.txt").read_text() == "first"
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    options = [
        option for entry in stages.values() for out in entry["outs"] if isinstance(out, dict) for option in out.values()
    ]
    assert options and all(option["persist"] for option in options if not option.get("cache", True))


@pytest.mark.slow
def test_two_studies_at_once(project):
    """The second waits, saying so, and then finds all done; `dvc repro` beside them is told what is at work; and a lock
    that a killed run left behind holds up nobody."""
    (project / "stage.sh").write_text("touch begun; sleep 30\n")
    killed = started(project, "-m", "helpers.study.study", "sim08")
    for process in wait_for(project / "begun", killed):
        process.kill()
    killed.kill()
    ended(killed)
    assert (project / "output" / ".study.lock").exists()
    (project / "stage.sh").write_text("touch started; sleep 6; mkdir output/made && cp given.txt output/made\n")
    first = started(project, "-m", "helpers.study.study", "sim08")
    wait_for(project / "started", first)
    second, beside = (started(project, "-m", *words) for words in (("helpers.study.study", "sim08"), ("dvc", "repro")))
    assert "is busy, it is being blocked by" in ended(beside)[1]
    (code, said), (code_2, said_2) = ended(first), ended(second)
    assert code == code_2 == 0 and "Running stage 'report@sim08'" in said
    assert "make study: another run is still at work; waiting until it ends" in said_2 and "Running" not in said_2


def test_what_dvc_says_is_heard():
    """A lock that another command holds; the disk's errors; and no advice on top of a stage's own message."""
    heard = study.Heard()
    heard.text = "LockError: '/x/output' is busy, it is being blocked by:\n  (PID 7): dvc repro\n"
    assert study.advice(heard).startswith("Another DVC command is at work")
    heard.text = f"PermissionError: [Errno {errno.EACCES}] Permission denied: '{ROOT}/output/x/a.csv'\n"
    assert "DVC could not keep or fetch a result: the right" in study.advice(heard)
    heard.text = "StageCmdFailedError: failed to run: python -m helpers.study.stage train sim08, exited with 1\n"
    assert study.advice(heard) == ""
