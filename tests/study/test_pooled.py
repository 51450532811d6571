"""Leave one patient out, by the real notebooks: six simulated patients, here and on Dask's workers."""

import json
import subprocess
import sys
import time

import pandas as pd
import pytest
from conftest import copy_project, environment
from test_study import digests

NAMES = [f"sim{number}" for number in range(51, 57)]
SIX = """\
source: simulate
seed: {number}
recordings:
  sim{number}_01: {{duration_s: 60, seizures: [[22, 46]]}}
  sim{number}_02: {{duration_s: 60, seizures: []}}
"""


@pytest.fixture
def project(tmp_path):
    """The project with six patients of two recordings of a minute each, which are pooled; and its environment."""
    root = tmp_path / "project"
    root.mkdir()
    copy_project(root)
    for name in NAMES:
        (root / "params" / "patients" / f"{name}.yaml").write_text(SIX.format(number=name[3:]))
    pooled = f"source: pooled\npatients: [{', '.join(NAMES)}]\nframe_s: 2.0\n"
    (root / "params" / "patients" / "all6.yaml").write_text(pooled)
    (root / "params" / "study.yaml").write_text("patients: [all6]\n")
    # a machine that is busy answers late
    return root, environment(root) | {
        f"DASK_DISTRIBUTED__COMM__TIMEOUTS__{name}": "600s" for name in ("TCP", "CONNECT")
    }


@pytest.fixture
def scheduler(project, tmp_path):
    """The address of a Dask scheduler with two workers that have the project's packages, and see its files."""
    place, common = tmp_path / "scheduler.json", {"env": project[1], "cwd": tmp_path, "stderr": subprocess.DEVNULL}
    options = {"dask_scheduler": ["--host", "127.0.0.1", "--port", "0"], "dask_worker": ["--nthreads", "1"]}
    started = []
    for name in ("dask_scheduler", "dask_worker", "dask_worker"):
        command = [sys.executable, "-m", f"distributed.cli.{name}", "--scheduler-file", place, "--no-dashboard"]
        started.append(subprocess.Popen([*command, *options[name]], **common))
        while not place.exists():
            assert started[0].poll() is None, "the scheduler ended"
            time.sleep(0.1)
    yield json.loads(place.read_text())["address"]
    for process in reversed(started):
        process.terminate()
        process.wait()


def repeat(project, *arguments, **variables):
    root, own = project
    command = ["dvc", "repro", *arguments]
    done = subprocess.run(command, cwd=root, env=own | variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]


@pytest.mark.slow
def test_one_patient_is_left_out_and_dask_gives_the_same_bytes(project, scheduler):
    """Six folds, one a patient; 15 networks, each trained on four patients, whose scores rest on two others; a decision
    on all twelve recordings. By two processes of this machine and by two workers of Dask: the same bytes."""
    root = project[0]
    output = root / "output" / "all6"
    repeat(project, "evaluate@all6", STUDY_WORKERS="2")
    trained = json.loads((output / "train" / "training.json").read_text())
    assert [fold["held_out"] for fold in trained["folds"]] == [[f"{name}_01", f"{name}_02"] for name in NAMES]
    assert len(trained["networks"]) == 15
    for pair, names in trained["networks"].items():
        first, other = (NAMES[int(number)] for number in pair[:-1].split("-"))
        assert {name[:5] for name in names} == set(NAMES) - {first, other} and len(names) == 8
    assert [step["recordings"] for step in trained["past"]] == [2, 4, 6, 8, 10]
    decisions = pd.read_csv(output / "evaluate" / "decisions.csv")
    assert decisions["recording"].nunique() == 12 and (decisions["patient"] == decisions["recording"].str[:5]).all()
    assert json.loads((output / "evaluate" / "metrics.json").read_text())["events"]["seizures"] == 6
    before, lock = digests(root / "output"), (root / "dvc.lock").read_bytes()
    repeat(project, "--force", "train@all6", DASK_SCHEDULER_ADDRESS=scheduler)
    after = digests(root / "output")
    assert len(after) > 80 and {name for name in before if before[name] != after.get(name)} == set()
    assert (root / "dvc.lock").read_bytes() == lock
