"""What the benchmarks share: where and when they ran, copies of the project, stages, and what a command costs."""

import ctypes
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import psutil
import yaml

from helpers.study import files

ROOT = files.ROOT
FOLDER = ROOT / "output" / "benchmark"
STAGES = ("acquire", "preprocess", "train", "evaluate", "explain", "narrate", "report")
# What a study is made of: a commit has "+changes" where these differ from it.
MADE_OF = ("notebooks", "src", "params", "dvc.yaml", "requirements.lock")
EVERY_S, AT_MOST_S, IDLE = 0.25, 2.0, 30  # idle times as long as a look at memory, which holds the processes up
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of Linux: a process whose parent has ended becomes this one's child


class Unavailable(Exception):
    """What a benchmark needs is not on this machine."""


def progress(text):
    """Print to stderr what is being done."""
    print(text, file=sys.stderr, flush=True)


def git(*words):
    """Return what git prints for the project; ValueError says what to do if it refuses."""
    try:
        done = subprocess.run(["git", *words], cwd=files.ROOT, capture_output=True, text=True, encoding="utf-8")
    except FileNotFoundError as error:
        raise ValueError("There is no git here, which keeps the project's history. Install git.") from error
    if done.returncode:
        said = done.stderr.strip()
        raise ValueError(f"git {' '.join(words)}: {said}. Get the project by `git clone`; name a commit that it has.")
    return done.stdout.strip()


def measured_at():
    """Return date, commit and machine of a measurement."""
    cpu = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.*)", cpu.read_text()) if cpu.exists() else None
    memory_gb = psutil.virtual_memory().total / 1e9
    return {
        "date": date.today().isoformat(),
        "commit": git("rev-parse", "--short", "HEAD") + ("+changes" if git("status", "-s", "--", *MADE_OF) else ""),
        "machine": f"{model[1] if model else platform.processor()}, {os.cpu_count()} cores, {memory_gb:.0f} GB",
    }


def rounded(value, digits=4):
    """Return `value` with its floats rounded, in dicts and lists too, whose keys become text."""
    if isinstance(value, dict):
        return {str(key): rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item, digits) for item in value]
    return round(float(value), digits) if isinstance(value, float) else value


def notebook(stage):
    """Return the path of a stage's notebook within the project."""
    return f"notebooks/{STAGES.index(stage) + 1:02d}_{stage}.ipynb"


def stage_command(stage, patient, root=ROOT):
    """Return the command that runs a stage from a project's folder, all that its ``dvc.yaml`` has for it."""
    commands = files.read_yaml(root / "dvc.yaml")["stages"][stage]["cmd"]
    joined = commands if isinstance(commands, str) else " && ".join(commands)
    return ["sh", "-c", joined.replace("${item.patient}", patient)]


def run_stage(stage, patient, root=ROOT, environment=None):
    """Run a stage in a copy of the project and return what `cost` does."""
    (root / "output" / patient / "notebooks").mkdir(parents=True, exist_ok=True)
    return cost(stage_command(stage, patient, root), root, environment)


def size_mb(*places):
    """Return the size of files and of all files in folders; links are not followed."""
    paths = (path for place in places for path in (place, *place.rglob("*")))
    return sum(path.stat().st_size for path in paths if path.is_file() and not path.is_symlink()) / 1e6


def stage_size_mb(stage, patient, root=ROOT):
    """Return the size of what a stage leaves, its executed notebook included."""
    return size_mb(root / "output" / patient / stage, root / "output" / patient / notebook(stage))


def copy_project(root, patient, declaration=None, models=True):
    """Copy to `root` what a study of one patient is made of; return the environment that runs it there.

    `declaration`, a dict, is written to ``params/patients/<patient>.yaml``; by default the project's own stays. With
    `models`, the copy shares the language model that the project has converted.
    """
    ignore = shutil.ignore_patterns("__pycache__", "tmp", "cache", "*.egg-info", ".ipynb_checkpoints")
    for name in ("notebooks", "src", "params", ".dvc"):
        shutil.copytree(ROOT / name, root / name, ignore=ignore)
    for name in ("dvc.yaml", ".dvcignore", "requirements.lock", "CITATION.cff", "LICENSE"):
        shutil.copy(ROOT / name, root / name)
    if declaration is not None:
        text = yaml.safe_dump(declaration, sort_keys=False)
        files.write_text(root / "params" / "patients" / f"{patient}.yaml", text)
    files.write_text(root / "params" / "study.yaml", f"patients: [{patient}]\n")
    site = root / ".dvc" / "tmp" / "site"
    files.write_text(root / ".dvc" / "config", f"[core]\nno_scm = true\nanalytics = false\nsite_cache_dir = {site}\n")
    (root / "output").mkdir()
    if models:
        (ROOT / "output" / "models").mkdir(exist_ok=True)
        (root / "output" / "models").symlink_to(ROOT / "output" / "models", target_is_directory=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("STUDY_", "DASK_"))}
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    return kept | {"PYTHONPATH": str(root / "src"), "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def cost(command, root=ROOT, environment=None):
    """Run a command and return what it cost, with all that it started.

    ``seconds``; ``cpu_s`` of all its processes, on Linux those that outlived their parent too; ``memory_mb``, the most
    that they had together (10⁶ bytes, shared pages counted once); ``load_before``, of the machine. RuntimeError, with
    the last that it printed, if it fails.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    load, before, others = psutil.getloadavg()[0], _cpu_of_children(), psutil.Process().children()
    start, peak = time.perf_counter(), 0
    with open(root / "output" / ".printed.txt", "w+", errors="replace") as printed:
        process = psutil.Popen(command, cwd=root, env=environment, stdout=printed, stderr=printed)
        try:
            while process.poll() is None:
                looked = time.perf_counter()
                peak = max(peak, _memory(process))
                time.sleep(min(max(EVERY_S, IDLE * (time.perf_counter() - looked)), AT_MOST_S))
        finally:  # a benchmark that is stopped leaves nothing running
            for left in psutil.Process().children(recursive=True) if process.poll() is None else ():
                left.kill()
        seconds = time.perf_counter() - start
        psutil.wait_procs([one for one in psutil.Process().children() if one not in others], timeout=30)
        printed.seek(0)
        if process.returncode:
            raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{printed.read()[-4000:]}")
    cpu_s, memory_mb = _cpu_of_children() - before, peak / 1e6
    return {"seconds": seconds, "cpu_s": cpu_s, "memory_mb": round(memory_mb), "load_before": load}


def _cpu_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _memory(process):
    try:
        return sum(one.memory_full_info().pss for one in (process, *process.children(recursive=True)))
    except psutil.NoSuchProcess:  # it has just ended
        return 0
