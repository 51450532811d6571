"""What a command costs, with all that it starts; what a stage costs; and where and when that was measured."""

import ctypes
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from datetime import date
from pathlib import Path

import psutil
from conftest import ROOT

from helpers.study import files, stage
from helpers.study.verification import MADE_OF

STARTED = Path(__file__).with_name("benchmark_started.py")
EVERY_S, AT_LEAST_S = 0.25, 2.0
IDLE = 30  # times as long as looking at memory takes; it holds the looked-at processes up
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, of Linux: a process whose parent has ended becomes this one's child


def measured(command, root=ROOT, environment=None, said=None):
    """Run a command and return what it cost, with all that it started.

    Parameters
    ----------
    command : list of str
    root : Path
        Where it runs.
    environment : dict, optional
    said : Path, optional
        Gets what it prints; by default the terminal does.

    Returns
    -------
    dict
        ``seconds``; ``cpu_s``, of all its processes, those that outlived their parent included (on Linux);
        ``memory_mb``, the most that they had together (10⁶ bytes), what they share counted once.

    Raises
    ------
    SystemExit
        If it fails.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    others = psutil.Process().children()  # that were there before
    before, start, peak = _cpu_of_children(), time.perf_counter(), 0
    with open(said, "w") if said else nullcontext() as log:
        process = psutil.Popen(command, cwd=root, env=environment, stdout=log, stderr=log)
        try:
            while process.poll() is None:
                began = time.perf_counter()
                peak = max(peak, _memory(process))
                time.sleep(min(max(EVERY_S, IDLE * (time.perf_counter() - began)), AT_LEAST_S))
        finally:  # of a benchmark that is stopped, nothing goes on
            for left in psutil.Process().children(recursive=True) if process.poll() is None else ():
                left.kill()
    seconds = time.perf_counter() - start
    psutil.wait_procs([one for one in psutil.Process().children() if one not in others], timeout=30)
    if process.returncode:
        last = said.read_text(errors="replace")[-2000:] if said else "run `make study` first"
        raise SystemExit(f"{' '.join(map(str, command))} failed: {last}")
    return {"seconds": seconds, "cpu_s": _cpu_of_children() - before, "memory_mb": peak / 1e6}


def _cpu_of_children():
    """Return the CPU seconds of all children that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _memory(process):
    """Return the bytes that a process and its children have for themselves: what they share is counted once."""
    found = 0
    try:
        for one in (process, *process.children(recursive=True)):
            found += one.memory_full_info().pss
    except psutil.NoSuchProcess:  # it has just ended
        pass
    return found


def stage_run(name, patient, root=ROOT, environment=None, said=None):
    """Run a stage and return what `measured` does, with ``start_s``: seconds until its notebook's own work began.

    ``called_s`` and ``kernel_s`` are the part of it before the notebook's process was asked for, and before that ran.
    """
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "moments.json")
        command = [sys.executable, str(STARTED), name, patient, str(target), str(time.time())]
        found = measured(command, root, environment, said)
        moments = files.read_json(target)
    return found | {"called_s": moments["called"], "kernel_s": moments["kernel"], "start_s": moments["work"]}


def size_mb(name, patient, root=ROOT):
    """Return the size of what a stage leaves, its executed notebook included."""
    folder = root / "output" / patient
    left = [*(folder / name).rglob("*"), folder / "notebooks" / stage.notebook(name).name]
    return sum(path.stat().st_size for path in left if path.is_file()) / 1e6


def measured_at():
    """Return date, commit and machine of a measurement.

    The commit has "+changes" where what a study is made of differs from it; results that were measured do not count.
    """

    from benchmark_data import machine  # slow to import, and not needed by the tests

    def git(*words):
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True).stdout.strip()

    changed = git("status", "--porcelain", "--", *MADE_OF)
    hardware = machine()
    return {
        "date": date.today().isoformat(),
        "commit": git("rev-parse", "--short", "HEAD") + ("+changes" if changed else ""),
        "machine": f"{hardware['cpu']}, {hardware['cores']} cores, {hardware['memory_gb']:.0f} GB, no GPU",
    }


def rounded(took):
    """Return costs to two decimals, memory to whole megabytes."""
    return {key: round(value) if key == "memory_mb" else round(value, 2) for key, value in took.items()}
