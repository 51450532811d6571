"""What the flow costs: ``python tests/benchmark_stages.py [rounds]`` writes ``output/benchmark/stages.json``.

Every stage of the simulated patient sim08, studied before, is run again and again, five times by default, round by
round in the flow's order, so that a machine that grows slower does so for all alike; the results are the same bytes.
In the same rounds: runs that find nothing to do, and two notebooks run by other tools. Each run is written down in
``output/runs`` as soon as it is done: a benchmark that was stopped goes on there, as long as the commit is the same.

Seconds are wall time; CPU seconds, which other work on the machine changes little, are those of all processes; memory
is the most that these had together; start-up is what passes before the notebook's first own work.
"""

import json
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

import psutil
from benchmark_costs import measured, measured_at, rounded, size_mb, stage_run
from conftest import ROOT

from helpers.study import files, stage

TARGET = ROOT / "output" / "benchmark" / "stages.json"
KEPT = ROOT / "output" / "runs"
RUNS = KEPT / "stages.jsonl"
PATIENT = "sim08"
ROUNDS = 5
BESIDE = ("preprocess", "evaluate")  # cheap stages, whose notebooks other tools run, too
NOTHING = {"dvc repro": ["dvc", "repro"], "make study": ["make", "study"], "dvc --version": ["dvc", "--version"]}
COSTS = ("seconds", "cpu_s", "memory_mb", "called_s", "kernel_s", "start_s", "load_before")


def ways(name, folder):
    """Return the commands of other tools that run a stage's notebook with its parameters, with copies in `folder`."""
    book, copy = stage.notebook(name), str(Path(folder, "copy.ipynb"))
    papermill = ["papermill", str(book), copy, "--cwd", str(book.parent), "-p", "patient", PATIENT]
    return {
        "papermill": [*papermill, "-f", str(ROOT / "params" / f"{name}.yaml"), "--no-progress-bar"],
        "nbconvert": ["jupyter", "nbconvert", "--to", "notebook", "--execute", "--output", copy, str(book)],
        "dvc": ["dvc", "repro", "--single-item", "--force", f"{name}@{PATIENT}"],
    }


def tasks(folder):
    """Return what a round runs, in order, by name: functions that return costs."""
    found = {f"stage {name}": partial(stage_run, name, PATIENT, said=folder / "said.txt") for name in stage.STAGES}
    found |= {f"nothing {name}": partial(nothing, command, folder / "said.txt") for name, command in NOTHING.items()}
    for name in BESIDE:
        commands = ways(name, folder)
        found |= {
            f"{way} {name}": partial(measured, command, said=folder / "said.txt") for way, command in commands.items()
        }
    return found


def nothing(command, said):
    """Return what a command costs that finds nothing to do: what the stages' runs touched, DVC has looked at before."""
    subprocess.run(["dvc", "repro", "--quiet"], cwd=ROOT, check=True)
    return measured(command, said=said)


def run_all(rounds, at):
    """Run what is missing of so many rounds, and return all runs of this commit, as they are kept in `RUNS`."""
    KEPT.mkdir(parents=True, exist_ok=True)
    kept = [json.loads(line) for line in RUNS.read_text().splitlines()] if RUNS.exists() else []
    kept = [run for run in kept if run["commit"] == at["commit"]]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1, rounds + 1):
            for what, task in tasks(Path(folder)).items():
                if any((run["what"], run["round"]) == (what, number) for run in kept):
                    continue
                load = psutil.getloadavg()[0]
                run = {"what": what, "round": number, **rounded(task() | {"load_before": load}), **at}
                kept.append(run)
                print(f"round {number} of {rounds}: {what}: {run['seconds']:.1f} s", flush=True)
                files.write_text(RUNS, "".join(json.dumps(one) + "\n" for one in kept))
    return [run for run in kept if run["round"] <= rounds]


def summary(runs):
    """Return medians, all values and ratios of runs, each with ``what``, ``round`` and its costs.

    Returns
    -------
    dict
        ``rounds``; ``seconds`` and ``cpu_s`` of all stages, medians of the rounds; ``stages``, by name: median costs,
        ``start_share`` of its seconds, ``share`` of all seconds, and ``runs``, all values by cost; ``nothing``, by
        command: the same, and ``share`` of all seconds; ``beside``, by stage and way: the same, and ``ratio``, the
        median over rounds of this study's seconds to the way's, ``cpu_ratio`` of CPU seconds.
    """
    found = {}
    for run in sorted(runs, key=lambda run: run["round"]):
        found.setdefault(run["what"], []).append(run)
    medians = {what: _medians(group) for what, group in found.items()}
    stages = {what.split()[1]: medians[what] for what in found if what.startswith("stage ")}
    whole = {
        key: median(map(sum, zip(*(one["runs"][key] for one in stages.values()), strict=True)))
        for key in ("seconds", "cpu_s")
    }
    for one in stages.values():
        ratios = [start / all_s for start, all_s in zip(one["runs"]["start_s"], one["runs"]["seconds"], strict=True)]
        one |= {"start_share": round(median(ratios), 4), "share": round(one["seconds"] / whole["seconds"], 4)}
    idle = {what.split(" ", 1)[1]: medians[what] for what in found if what.startswith("nothing ")}
    for one in idle.values():
        one["share"] = round(one["seconds"] / whole["seconds"], 5)
    beside = {}
    for what in found:
        way, name = what.split(" ", 1)
        if way not in ("stage", "nothing"):
            beside.setdefault(name, {})[way] = medians[what] | _ratios(stages[name], medians[what])
    return {
        "rounds": max(run["round"] for run in runs),
        **{key: round(value, 1) for key, value in whole.items()},
        "stages": stages,
        "nothing": idle,
        "beside": beside,
    }


def _medians(group):
    """Return the medians of the costs of runs of the same work, and all values, in the order of the rounds."""
    costs = [key for key in COSTS if key in group[0]]
    values = {key: [run[key] for run in group] for key in costs}
    return rounded({key: median(values[key]) for key in costs}) | {"runs": values}


def _ratios(ours, other):
    """Return the median over rounds of our cost to another's, of seconds and of CPU seconds."""

    def ratio(key):
        pairs = zip(ours["runs"][key], other["runs"][key], strict=True)
        return round(median(one / two for one, two in pairs), 3)

    return {"ratio": ratio("seconds"), "cpu_ratio": ratio("cpu_s")}


def main(words):
    rounds, at = int(words[0]) if words else ROUNDS, measured_at()
    found = summary(run_all(rounds, at))
    for name, one in found["stages"].items():
        one["size_mb"] = round(size_mb(name, PATIENT), 1)
    installed = [path for path in (ROOT / ".venv").rglob("*") if path.is_file() and not path.is_symlink()]
    recordings = [path for path in (ROOT / "output" / PATIENT / "recordings").iterdir() if path.is_file()]
    sizes = {
        "environment_mb": round(sum(path.stat().st_size for path in installed) / 1e6),
        "recordings_mb": round(sum(path.stat().st_size for path in recordings) / 1e6, 1),
        "seconds_when_nothing_changed": found["nothing"]["dvc repro"]["seconds"],
    }
    files.write_json(TARGET, {"patient": PATIENT, **at, **sizes, **found})


if __name__ == "__main__":
    main(sys.argv[1:])
