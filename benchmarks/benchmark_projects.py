"""Copies of the project in temporary folders, for the benchmark to run, to watch and to kill."""

import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import pandas as pd
import psutil
from conftest import ROOT

SIMLONG = ROOT / "output" / "simlong"
SAMPLE_S = 0.2  # from one look at the memory to the next


def progress(text):
    """Say on stderr what goes on."""
    print(text, file=sys.stderr, flush=True)


def copy_project(root, patient, declaration, source=ROOT):
    """Copy from `source` to `root` what a study needs, with one patient, declared as in the text `declaration`.

    Returns
    -------
    dict
        The environment in which the copy's own helpers are imported.
    """
    ignore = shutil.ignore_patterns("__pycache__", "tmp", "cache", "*.egg-info")
    for name in ("notebooks", "src", "params", ".dvc"):
        shutil.copytree(source / name, root / name, ignore=ignore)
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy(source / name, root / name)
    (root / "params" / "patients" / f"{patient}.yaml").write_text(declaration, encoding="utf-8")
    (root / "params" / "study.yaml").write_text(f"patients: [{patient}]\n", encoding="utf-8")
    site = root / ".dvc" / "tmp" / "site"
    (root / ".dvc" / "config").write_text(f"[core]\nno_scm = true\nanalytics = false\nsite_cache_dir = {site}\n")
    (root / "output").mkdir()
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("STUDY_", "DASK_"))}
    return {**kept, "PYTHONPATH": str(root / "src"), "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def acquired_simlong():
    """Return the table of simlong's recordings, simulated first if they are not there."""
    if not (SIMLONG / "acquire" / "recordings.csv").exists():
        subprocess.run([sys.executable, "-m", "helpers.study.stage", "acquire", "simlong"], cwd=ROOT, check=True)
    return pd.read_csv(SIMLONG / "acquire" / "recordings.csv", dtype={"recording": str, "start": str})


def copy_simlong(root, names):
    """Copy the project with simlong cut down to the recordings `names`, acquired: the EDF files are links."""
    plan = "".join(f"  {name}: {{duration_s: 3600, seizures: []}}\n" for name in names)
    environment = copy_project(root, "simlong", f"source: simulate\nseed: 8\nrecordings:\n{plan}")
    table, own = acquired_simlong(), root / "output" / "simlong"
    for folder in ("acquire", "recordings"):
        (own / folder).mkdir(parents=True)
    shutil.copy(SIMLONG / "acquire" / "source.json", own / "acquire")
    seizures = pd.read_csv(SIMLONG / "acquire" / "seizures.csv", dtype={"recording": str})
    for name, rows in (("recordings", table), ("seizures", seizures)):
        rows[rows["recording"].isin(names)].to_csv(own / "acquire" / f"{name}.csv", index=False)
    for name in table.loc[table["recording"].isin(names), "file"]:
        (own / "recordings" / name).symlink_to(SIMLONG / "recordings" / name)
    return environment


def run_stage(stage, patient, root, environment):
    """Run a stage in a copy; raise with its last words if it fails."""
    command = [sys.executable, "-m", "helpers.study.stage", stage, patient]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{stage}@{patient} failed: {done.stderr[-2000:]}")


def measure(command, root, environment):
    """Run a command; return its wall and CPU seconds and its peak memory, with all its descendants.

    Returns
    -------
    dict
        ``wall_s``; ``cpu_s`` of all descendants that were waited for; ``peak_pss_mb`` (10⁶ bytes), sampled, of the
        whole tree, each shared page counted once; ``peak_rss_mb``, sampled, of its largest process, the Jupyter
        kernel (the system's own high-water mark, ``ru_maxrss``, is inherited from the process that starts another).
    """
    began, peak = time.perf_counter(), (0.0, 0.0)
    with open(root / "said.txt", "w+") as said:
        process = subprocess.Popen(command, cwd=root, env=environment, stdout=said, stderr=said)
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            peak = tuple(map(max, peak, memory_mb(process.pid)))
            time.sleep(SAMPLE_S)
        _, status, usage = ended
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{command} failed: {said.read()[-2000:]}")
    return {
        "wall_s": round(time.perf_counter() - began, 2), "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_pss_mb": round(peak[0], 1), "peak_rss_mb": round(peak[1], 1),
    }  # fmt: skip


def memory_mb(pid):
    """Return the proportional set size of a process and its descendants, and their largest RSS, in 10⁶ bytes."""
    pss, rss = 0, 0
    for process in family(pid):
        with suppress(psutil.Error):
            used = process.memory_full_info()
            pss, rss = pss + used.pss, max(rss, used.rss)
    return pss / 1e6, rss / 1e6


def family(pid):
    """Return a process and all its descendants, as far as they are still there."""
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def alive(processes):
    """Return those of `processes` that still run; a zombie does not."""
    found = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def role(process):
    """Return what a process of a study is: "stage train", "kernel", "dvc", or its program's name."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return "gone"
    if "helpers.study.stage" in words:
        return f"stage {words[words.index('helpers.study.stage') + 1]}"
    known = {"ipykernel_launcher": "kernel", "joblib.externals.loky": "worker", "multiprocessing": "worker"}
    for word, name in known.items():
        if any(word in part for part in words):
            return name
    return "dvc" if any(part.endswith("/dvc") for part in words[:2]) else process.name()


@contextmanager
def dask_cluster(folder, environment, workers=2):
    """Start a scheduler and workers of one thread on 127.0.0.1, as a user does; yield a client and their PIDs."""
    file, dask, started = folder / "scheduler.json", [sys.executable, "-m", "dask"], []
    common = ["--scheduler-file", file, "--no-dashboard"]
    commands = [["scheduler", "--host", "127.0.0.1", "--port", "0", *common]]
    commands += [["worker", *common, "--no-nanny", "--nthreads", "1", "--local-directory", folder]] * workers
    try:
        for words in commands:
            with open(folder / "dask.txt", "a") as log:
                started.append(subprocess.Popen([*dask, *words], env=environment, cwd=folder, stdout=log, stderr=log))
            while not file.exists() and started[0].poll() is None:
                time.sleep(0.1)
        from distributed import Client

        with Client(scheduler_file=str(file), timeout="30s") as client:
            client.wait_for_workers(workers, timeout=60)
            yield client, [process.pid for process in started[1:]]
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(30)
