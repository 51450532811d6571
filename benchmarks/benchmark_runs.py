"""Whole runs: the same bytes from Dask's workers as from this machine's, and after ten kills as without."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
from benchmark_projects import (
    acquired_simlong,
    alive,
    copy_project,
    copy_simlong,
    dask_cluster,
    family,
    progress,
    role,
    run_stage,
)
from conftest import ROOT, TINY
from distributed import get_task_stream
from test_study import digests

from helpers.study import files

ROUNDS = int(os.environ.get("KILL_ROUNDS", "10"))
WAYS = ("dvc alone", "dvc's process group", "dvc and all its descendants")
REPRO = ["dvc", "repro", "report@sim08"]
SEED = 8


def dask():
    """Run stages here and on two Dask workers, and compare all files that they write."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "long"
        environment = copy_simlong(root, list(acquired_simlong()["recording"][:4]))
        long = both_ways(root, environment, "simlong", ["preprocess"])
        root = Path(folder) / "tiny"
        environment = copy_project(root, "sim08", TINY)
        tiny = both_ways(root, environment, "sim08", ["acquire", "preprocess", "train"])
    equal = sum(run["files"] - len(run["differ"]) for run in (long, tiny))
    total, busy = long["files"] + tiny["files"], min(run["workers_used"] for run in (long, tiny))
    targets = [
        ("files equal to those made without Dask", f"{equal} of {total}", "all", equal == total),
        ("Dask workers that did the work", busy, "2", busy == 2),
    ]
    return {"simlong, 4 recordings": long, "tiny sim08": tiny, "targets": targets}


def both_ways(root, environment, patient, stages):
    """Run `stages` without and with Dask; return what differs and which worker computed how many tasks of what."""
    output = root / "output" / patient
    for stage in stages:
        progress(f"dask: {stage}@{patient} without Dask")
        run_stage(stage, patient, root, environment)
    made = [*stages, "notebooks", *(["recordings"] if "acquire" in stages else [])]
    local = written(output, made)
    for name in made:
        shutil.rmtree(output / name)
    with dask_cluster(root, environment) as (client, pids), get_task_stream(client) as stream:
        workers = client.run(os.getpid)
        assert sorted(workers.values()) == sorted(pids), "the workers are not the processes that were started"
        named_environment = {**environment, "DASK_SCHEDULER_ADDRESS": client.scheduler.address}
        for stage in stages:
            progress(f"dask: {stage}@{patient} on two Dask workers")
            run_stage(stage, patient, root, named_environment)
    tasks = Counter((task["worker"], task["key"].split("-")[0].strip("('")) for task in stream.data)
    remote = written(output, made)
    return {
        "files": len(local), "differ": sorted(name for name in local | remote if local.get(name) != remote.get(name)),
        "workers_used": len({worker for worker, _ in tasks}),
        "tasks": [{"worker": sorted(workers).index(worker) + 1, "what": what, "count": count}
                  for (worker, what), count in sorted(tasks.items())],
    }  # fmt: skip


def written(output, folders):
    """Return the SHA-256 of every file in the `folders` of a patient's output, by path."""
    return {f"{folder}/{name}": digest for folder in folders for name, digest in digests(output / folder).items()}


def kill():
    """Kill the tiny study at random moments, run it again, and compare every byte with an unbroken run's."""
    with tempfile.TemporaryDirectory() as folder:
        folder, chance, rounds = Path(folder), random.Random(SEED), []
        environment = fresh(folder / "unbroken", ROOT)
        progress("kill: the language model is converted once")
        convert = "from helpers.narrate import language_model; language_model.embedded()"
        subprocess.run([sys.executable, "-c", convert], env=environment, check=True, capture_output=True)
        progress("kill: the unbroken run")
        whole_s, refused = repro(folder / "unbroken", environment)
        if refused:
            raise RuntimeError(f"the unbroken run failed: {refused}")
        expected, longest_s = results(folder / "unbroken"), whole_s
        while len(rounds) < ROUNDS:
            moment_s, way = chance.uniform(0.02, 0.98) * longest_s, WAYS[len(rounds) % len(WAYS)]
            progress(f"kill: round {len(rounds) + 1} of {ROUNDS}, {way}, after {moment_s:.1f} of {longest_s:.1f} s")
            found = killed_round(folder / "round", moment_s, way, expected)
            if found is None:  # the machine was less busy than before
                longest_s = moment_s
            else:
                progress(f"kill: {found}")
                rounds.append(found)
    equal = sum(row["equal"] for row in rounds)
    targets = [("killed runs that end with every byte equal", f"{equal} of {ROUNDS}", "all", equal == ROUNDS)]
    return {"seed": SEED, "unbroken_s": whole_s, "files": len(expected), "rounds": rounds, "targets": targets}


def fresh(root, source):
    """Copy the tiny study from `source`, with the language model shared by all copies; return the environment."""
    environment, models = copy_project(root, "sim08", TINY, source), root.parent / "models"
    models.mkdir(exist_ok=True)
    (root / "output" / "models").symlink_to(models, target_is_directory=True)
    return environment


def repro(root, environment):
    """Run the study to its end; return the seconds, and the last words if it failed."""
    began = time.perf_counter()
    with open(root / "said.txt", "w+") as said:
        done = subprocess.run(REPRO, cwd=root, env=environment, stdout=said, stderr=said, timeout=900)
        said.seek(0)
        return round(time.perf_counter() - began, 1), said.read()[-2000:] if done.returncode else ""


def results(root):
    """Return the SHA-256 of all that a study leaves: its output and dvc.lock, without the runner's empty locks."""
    found = digests(root / "output" / "sim08")
    found = {name: digest for name, digest in found.items() if not name.endswith(".lock")}
    return {**found, "dvc.lock": files.sha256(root / "dvc.lock")}


def killed_round(root, moment_s, way, expected):
    """Start the study, kill it in one of the `WAYS` after `moment_s`, run it again.

    Returns
    -------
    dict
        What ran, what was half-written, which orphans lived on when the second run began, and how that ended; None
        if the study was finished before it could be killed.
    """
    shutil.rmtree(root, ignore_errors=True)
    environment = fresh(root, root.parent / "unbroken")
    with open(root / "first.txt", "w") as said:
        process = subprocess.Popen(REPRO, cwd=root, env=environment, stdout=said, stderr=said, start_new_session=True)
        with suppress(subprocess.TimeoutExpired):
            if process.wait(moment_s):
                raise RuntimeError(f"the study failed: {(root / 'first.txt').read_text()[-2000:]}")
            return None
        running = family(process.pid)
        stages = [role(one) for one in running if role(one).startswith("stage ")]
        strike(process, running, way)
        process.wait()
    found = {"moment_s": round(moment_s, 1), "way": way, "running": stages[0] if stages else "dvc itself"}
    found["partial_files"], orphans = len(left_over(root)), alive(running)
    found["orphans"] = sorted(role(one) for one in orphans)
    found["second_s"], found["refused"] = repro(root, environment)
    ended = results(root) if not found["refused"] else {}
    found["orphans_at_end"] = [role(one) for one in alive(orphans)]
    strike(process, alive(orphans), WAYS[2])
    notebooks = {path.name for path in (root / "notebooks").iterdir()}
    found["litter"] = sorted(notebooks - {path.name for path in (ROOT / "notebooks").iterdir()})
    found["left_over"], found["rotten_in_cache"] = left_over(root), rotten(root)
    found["differ"] = sorted(name for name in ended | expected if ended.get(name) != expected.get(name))
    found["equal"] = not any(found[key] for key in ("differ", "left_over", "litter", "rotten_in_cache"))
    return found


def strike(process, running, way):
    """Send SIGKILL in one of the `WAYS`."""
    if way == WAYS[0]:
        process.kill()
    elif way == WAYS[1]:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        for one in running:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(running, timeout=10)


def left_over(root):
    """Return the half-written files in a copy's output."""
    output = root / "output" / "sim08"
    return sorted(path.relative_to(output).as_posix() for path in output.rglob(".*.partial*"))


def rotten(root):
    """Return the objects in a copy's DVC cache whose content is not what their name says."""
    objects = [path for path in (root / ".dvc" / "cache" / "files" / "md5").glob("??/*") if path.is_file()]
    return [
        path.name
        for path in objects
        if hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        != path.parent.name + path.name.removesuffix(".dir")
    ]
