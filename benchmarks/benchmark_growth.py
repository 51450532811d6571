"""How cost grows with hours of EEG: ``python tests/benchmark_growth.py [hours …]`` writes ``…/benchmark/growth.json``.

A simulated patient with five seizures as long as chb08's, in 1, 2, 5, 10 and 20 hours of EEG, goes through all seven
stages, outside DVC, in a copy of the project below the system's temporary folder (some 5 GB for 20 hours, deleted at
the end). What each stage took is kept in ``output/runs`` as soon as it is done, so that a benchmark that was stopped
goes on there. Without hours, those are measured that are missing or of another commit; with some, these, anew.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import psutil
import yaml
from benchmark_costs import measured_at, rounded, size_mb, stage_run
from conftest import ROOT

from helpers.study import files, stage

TARGET = ROOT / "output" / "benchmark" / "growth.json"
RUNS = ROOT / "output" / "runs" / "growth.json"
HOURS = (1, 20, 5, 2, 10)  # the extremes first: what breaks, breaks early
KINDS = ("cpu_s", "seconds", "memory_mb", "size_mb")  # of a stage's cost whose growth is told
SEIZURES_S = (171, 190, 134, 160, 264)  # of chb08
PATIENT = "simgrowth"


def declaration(hours):
    """Return the declaration of a patient of so many hours: recordings of an hour, or five shorter ones."""
    count = max(len(SEIZURES_S), round(hours))
    duration_s = round(hours * 3600 / count)
    plan = {f"{PATIENT}_{number + 1:02d}": {"duration_s": duration_s, "seizures": []} for number in range(count)}
    names = list(plan)
    for number, seizure_s in enumerate(SEIZURES_S):
        start_s = duration_s // 2
        plan[names[number * count // len(SEIZURES_S)]]["seizures"].append([start_s, start_s + seizure_s])
    return {"source": "simulate", "seed": 8, "recordings": plan}


def copied(root, hours):
    """Make a copy of the project at `root`, if there is none, that knows this patient alone; return its environment."""
    environment = {**os.environ, "PYTHONPATH": str(root / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    if root.exists():
        return environment
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info", "patients")
    for name in ("notebooks", "src", "params"):
        shutil.copytree(ROOT / name, root / name, ignore=ignore)
    for name in ("dvc.yaml", "requirements.lock", "CITATION.cff", "LICENSE"):
        shutil.copy(ROOT / name, root / name)
    (root / "params" / "patients").mkdir()
    text = yaml.safe_dump(declaration(hours), sort_keys=False)
    files.write_text(root / "params" / "patients" / f"{PATIENT}.yaml", text)
    files.write_text(root / "params" / "study.yaml", f"patients: [{PATIENT}]\n")
    models = ROOT / "output" / "models"  # converted once, by the study
    models.mkdir(parents=True, exist_ok=True)
    shutil.copytree(ROOT / "output" / "benchmark", root / "output" / "benchmark")  # shown by the report
    (root / "output" / "models").symlink_to(models, target_is_directory=True)
    return environment


def grown(hours, at, before, keep):
    """Run the stages that `before` lacks for so many hours of EEG; `keep` gets what all took, after each."""
    folder = Path(tempfile.gettempdir()) / f"growth-{hours:g}h-{at['commit']}"
    if not (folder / "study").exists():
        before = {}
    elif not before:
        shutil.rmtree(folder)
    root, found = folder / "study", dict(before)
    environment = copied(root, hours)
    for name in stage.STAGES[len(found) :]:
        load = psutil.getloadavg()[0]
        took = stage_run(name, PATIENT, root, environment, folder / f"{name}.txt")
        found[name] = rounded(took | {"size_mb": size_mb(name, PATIENT, root), "load_before": load})
        print(f"{hours:g} h, {name}: {found[name]}", flush=True)
        keep(found)
    shutil.rmtree(folder)


def exponent(hours, values):
    """Return the exponent of growth: the slope of a straight line through the logarithms, by least squares.

    1 means that twice the hours cost twice as much, 0 that they cost the same.

    >>> round(exponent([1, 2, 4], [3, 12, 48]), 6)
    2.0

    Raises
    ------
    ValueError
        If there are fewer than two different hours, or a value is not above 0: logarithms need both.
    """
    if len(set(hours)) < 2 or min(values) <= 0:
        raise ValueError(
            f"hours {list(hours)} with costs {list(values)}: a growth needs two different hours at least, and costs "
            "above 0. Measure more, or leave this cost out."
        )
    return float(np.polyfit(np.log(hours), np.log(values), 1)[0])


def growing(runs):
    """Return runs of several lengths in order, with the growth of each stage's cost.

    Parameters
    ----------
    runs : dict
        By hours, as text: ``stages``, by name, with the costs of `KINDS`.

    Returns
    -------
    dict
        ``runs``, by hours; ``growth``, by stage and for the ``whole``: by cost, its ``exponent``, the ``ratio`` of the
        longest to the shortest, and what an hour more costs between them, ``per_hour``; empty for fewer than two runs.
    """
    ordered = {key: runs[key] for key in sorted(runs, key=float)}
    done = {float(key): run["stages"] for key, run in ordered.items()}
    if len(done) < 2:
        return {"runs": ordered, "growth": {}}
    hours, names, growth = list(done), list(next(iter(done.values()))), {}
    for name in (*names, "whole"):
        growth[name] = {}
        for kind in KINDS:
            values = [_cost(stages, name, kind) for stages in done.values()]
            if min(values) > 0:
                growth[name][kind] = {
                    "exponent": round(exponent(hours, values), 3) + 0.0,  # not -0.0
                    "ratio": round(values[-1] / values[0], 3),
                    "per_hour": round((values[-1] - values[0]) / (hours[-1] - hours[0]), 3),
                }
    return {"runs": ordered, "growth": growth}


def _cost(stages, name, kind):
    """Return a stage's cost, or that of the whole: memory is the most at any time, the rest adds up."""
    if name != "whole":
        return stages[name][kind]
    return (max if kind == "memory_mb" else sum)(stage[kind] for stage in stages.values())


def main(words):
    kept, at = files.read_json(RUNS) if RUNS.exists() else {}, measured_at()
    for hours in [float(word) for word in words] or HOURS:
        key = f"{hours:g}"
        before = kept[key]["stages"] if kept.get(key, {}).get("commit") == at["commit"] else {}
        if whole(before) and not words:
            continue

        def keep(found, key=key):
            kept[key] = {**at, "stages": found}
            files.write_json(RUNS, kept)

        grown(hours, at, {} if whole(before) else before, keep)
        files.write_json(TARGET, growing({key: run for key, run in kept.items() if whole(run["stages"])}))


def whole(stages):
    """Say whether all stages have been run."""
    return set(stages) == set(stage.STAGES)


if __name__ == "__main__":
    main(sys.argv[1:])
