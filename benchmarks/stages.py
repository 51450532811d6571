"""What each stage of sim08 costs: ``python -m benchmarks.stages [rounds]`` writes ``output/benchmark/stages.json``.

Needs the study of sim08. Each stage runs again in each of five rounds (20 minutes), then `dvc repro` and `make study`
with nothing changed: wall seconds, CPU seconds of all processes, the most memory that they had together; medians.
"""

import sys
from statistics import median

from benchmarks import common
from benchmarks.common import FOLDER, ROOT, STAGES, cost, measured_at, progress, rounded
from helpers.study import files

TARGET = FOLDER / "stages.json"
PATIENT = "sim08"
NOTHING = {"dvc repro": ["dvc", "repro"], "make study": ["make", "study"]}


def run_round():
    """Run all stages once, and what finds nothing to do; return a dict of name → costs."""
    found = {}
    for stage in STAGES:
        found[stage] = common.run_stage(stage, PATIENT)
        progress(f"{stage}: {rounded(found[stage], 1)}")
    cost(["dvc", "repro"])  # it looks at what the stages' runs have touched
    return found | {name: cost(command) for name, command in NOTHING.items()}


def summary(rounds):
    """Return medians of rounds.

    Returned are ``rounds``, their number; ``seconds`` and ``cpu_s`` of all stages; ``stages`` and ``nothing``, by name:
    median costs, and ``runs`` with all values.
    """
    medians = {}
    for name, first in rounds[0].items():
        runs = {key: [one[name][key] for one in rounds] for key in first}
        medians[name] = {**{key: median(values) for key, values in runs.items()}, "runs": runs}
    stages = {name: one for name, one in medians.items() if name not in NOTHING}
    total = {key: median(sum(one[name][key] for name in stages) for one in rounds) for key in ("seconds", "cpu_s")}
    return {"rounds": len(rounds), **total, "stages": stages, "nothing": {name: medians[name] for name in NOTHING}}


def main(count=5):
    at, rounds = measured_at(), []
    for number in range(int(count)):
        progress(f"round {number + 1} of {count}")
        rounds.append(run_round())
        found = summary(rounds)
        size_mb = common.size_mb(ROOT / ".venv")
        files.write_json(TARGET, rounded({"patient": PATIENT, **at, "environment_mb": size_mb, **found}, 2))


if __name__ == "__main__":
    main(*sys.argv[1:])
