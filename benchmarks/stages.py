"""What each stage of sim08 costs: ``python -m benchmarks.stages [rounds]`` writes ``output/benchmark/stages.json``.

Needs the study of sim08. Each stage runs again in each of five rounds (45 minutes), then `dvc repro` and `make study`
with nothing changed: wall seconds, CPU seconds of all processes, the most memory that they had together; medians.
Start-up is what the notebook takes if it ends after its imports. 0 rounds only print the table for the README.
"""

import sys
import tempfile
from pathlib import Path
from statistics import median

import nbformat

from benchmarks import common
from benchmarks.common import FOLDER, ROOT, STAGES, cost, markdown, measured_at, notebook, progress, rounded
from helpers.study import files

TARGET = FOLDER / "stages.json"
PATIENT = "sim08"
NOTHING = {"dvc repro": ["dvc", "repro"], "make study": ["make", "study"]}


def imports_only(book):
    """Cut a notebook after its first cell of imports."""
    first = next(n for n, cell in enumerate(book.cells) if cell.source.startswith(("import ", "from ")))
    book.cells = book.cells[: first + 1]
    return book


def start_up_s(stage, folder):
    """Return the seconds that a stage takes until its imports are done: papermill, kernel, imports."""
    cut, command = folder / "cut.ipynb", common.stage_command(stage, PATIENT)
    nbformat.write(imports_only(nbformat.read(ROOT / notebook(stage), as_version=4)), cut)
    place = command.index("papermill") + 1
    engine = command.index("--engine")
    rest = command[place + 2 : engine] + command[engine + 2 :]  # the study's engine checks the whole notebook
    return cost([*command[:place], str(cut), str(folder / "out.ipynb"), *rest])["seconds"]


def run_round(folder):
    """Run all stages once, and what finds nothing to do; return a dict of name → costs."""
    found = {}
    for stage in STAGES:
        found[stage] = common.run_stage(stage, PATIENT) | {"start_s": start_up_s(stage, folder)}
        progress(f"{stage}: {rounded(found[stage], 1)}")
    cost(["dvc", "repro"])  # it looks at what the stages' runs have touched
    return found | {name: cost(command) for name, command in NOTHING.items()}


def summary(rounds):
    """Return medians of rounds, and shares.

    Returned are ``rounds``, their number; ``seconds`` and ``cpu_s`` of all stages; ``stages`` and ``nothing``, by name:
    median costs, ``share`` of all seconds, ``runs`` with all values, and of a stage ``start_share``.
    """
    medians = {}
    for name, first in rounds[0].items():
        runs = {key: [one[name][key] for one in rounds] for key in first}
        medians[name] = {**{key: median(values) for key, values in runs.items()}, "runs": runs}
    stages = {name: one for name, one in medians.items() if name not in NOTHING}
    total = {key: median(sum(one[name][key] for name in stages) for one in rounds) for key in ("seconds", "cpu_s")}
    for one in medians.values():
        one["share"] = one["seconds"] / total["seconds"]
    for name, one in stages.items():
        one["start_share"] = median(each[name]["start_s"] / each[name]["seconds"] for each in rounds)
    return {"rounds": len(rounds), **total, "stages": stages, "nothing": {name: medians[name] for name in NOTHING}}


def table(found):
    """Return the README's table of what stages cost."""
    rows = [
        [name, f"{one['seconds']:.1f}", f"{one['cpu_s']:.1f}", one["memory_mb"], f"{one['start_share']:.0%}"]
        for name, one in found["stages"].items()
    ]
    most = max(one["memory_mb"] for one in found["stages"].values())
    rows.append(["all stages", f"{found['seconds']:.1f}", f"{found['cpu_s']:.1f}", most, ""])
    for name in NOTHING:
        one = found["nothing"][name]
        rows.append(
            [f"`{name}`, nothing changed", f"{one['seconds']:.1f}", f"{one['cpu_s']:.1f}", one["memory_mb"], ""]
        )
    return markdown(["stage", "seconds", "CPU seconds", "memory (MB)", "start-up"], rows)


def main(count=5):
    at, rounds = measured_at(), []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(int(count)):
            progress(f"round {number + 1} of {count}")
            rounds.append(run_round(Path(folder)))
            found = summary(rounds)
            for name, one in found["stages"].items():
                one["size_mb"] = common.stage_size_mb(name, PATIENT)
            sizes = {
                "environment_mb": common.size_mb(ROOT / ".venv"),
                "recordings_mb": common.size_mb(ROOT / "output" / PATIENT / "recordings"),
                "seconds_when_nothing_changed": found["nothing"]["dvc repro"]["seconds"],
            }
            files.write_json(TARGET, rounded({"patient": PATIENT, **at, **sizes, **found}, 2))
    print(table(files.read_json(TARGET)))


if __name__ == "__main__":
    main(*sys.argv[1:])
