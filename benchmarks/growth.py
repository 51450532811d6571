"""How costs grow with hours of EEG: ``python -m benchmarks.growth [hours …]`` writes ``output/benchmark/growth.json``.

A simulated patient with five seizures as long as chb08's, in 1, 5 and 20 hours of EEG, goes through all stages in a
temporary copy of the project (5 GB for 20 hours; a quarter of an hour in all). With hours named, the others' results
stay.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import common
from benchmarks.common import FOLDER, STAGES, measured_at, progress, rounded
from helpers.study import files

TARGET = FOLDER / "growth.json"
PATIENT = "simgrowth"
HOURS = (1, 5, 20)
SEIZURES_S = (171, 190, 134, 160, 264)  # of chb08
KINDS = ("cpu_s", "seconds", "memory_mb", "size_mb")


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


def run_all(hours):
    """Run all stages of a patient of so many hours in a copy of the project; return a dict of stage → costs."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "study"
        environment = common.copy_project(root, PATIENT, declaration(hours))
        for stage in STAGES:
            found[stage] = common.run_stage(stage, PATIENT, root, environment) | {
                "size_mb": common.stage_size_mb(stage, PATIENT, root)
            }
            progress(f"{hours:g} h, {stage}: {rounded(found[stage], 1)}")
    return found


def exponent(hours, values):
    """Return the exponent of growth: the slope of a straight line through the logarithms, by least squares.

    1 means that twice the hours cost twice as much, 0 that they cost the same.
    """
    return float(np.polyfit(np.log(hours), np.log(values), 1)[0])


def growth(runs):
    """Return how each stage's cost grows.

    `runs` has by hours, as text, ``stages`` with the costs of `KINDS`. Returned is an exponent by stage, and for the
    ``whole``, by cost; nothing for one length.
    """
    done = {float(key): run["stages"] for key, run in runs.items()}
    hours, found = sorted(done), {}
    if len(hours) < 2:
        return found
    for name in (*done[hours[0]], "whole"):
        found[name] = {}
        for kind in KINDS:
            values = [total(done[one], kind) if name == "whole" else done[one][name][kind] for one in hours]
            if min(values) > 0:
                found[name][kind] = exponent(hours, values)
    return found


def total(stages, kind):
    """Return the cost of all stages: memory is the most at any time, the rest adds up."""
    return (max if kind == "memory_mb" else sum)(stage[kind] for stage in stages.values())


def main(words):
    for hours in [float(word) for word in words] or HOURS:
        at = measured_at()
        run = {f"{hours:g}": {**at, "stages": rounded(run_all(hours), 2)}}
        kept = (files.read_json(TARGET)["runs"] if TARGET.exists() else {}) | run
        kept = {key: kept[key] for key in sorted(kept, key=float)}
        files.write_json(TARGET, {"runs": kept, "growth": rounded(growth(kept), 3)})


if __name__ == "__main__":
    main(sys.argv[1:])
