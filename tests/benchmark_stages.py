"""What each stage takes: ``python tests/benchmark_stages.py`` writes ``output/benchmark/stages.json``.

Every stage of the simulated patient sim08 is run once more, in the flow's order, as `dvc repro` runs it; the results
are the same bytes. Seconds are wall time; memory is the most that the stage's processes had together.
"""

import sys
import time
from datetime import date

import psutil
from benchmark_data import commit, machine
from conftest import ROOT

from helpers import files, stage

TARGET = ROOT / "output" / "benchmark" / "stages.json"
PATIENT = "sim08"
EVERY_S = 0.2


def measured(command):
    """Run a command; return its seconds, and the most memory in MB that it and its children had together."""
    start, peak = time.perf_counter(), 0
    process = psutil.Popen(command, cwd=ROOT)
    while process.poll() is None:
        peak = max(peak, _memory(process))
        time.sleep(EVERY_S)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed: run `make study` first")
    return time.perf_counter() - start, peak / 1e6


def _memory(process):
    """Return the bytes that a process and its children have for themselves: what they share is counted once."""
    found = 0
    try:
        for one in (process, *process.children(recursive=True)):
            found += one.memory_full_info().pss
    except psutil.NoSuchProcess:  # it has just ended
        pass
    return found


def size_mb(name):
    """Return the size of what a stage leaves, its executed notebook included."""
    patient = ROOT / "output" / PATIENT
    left = [*(patient / name).rglob("*"), patient / "notebooks" / stage.notebook(name).name]
    return sum(path.stat().st_size for path in left if path.is_file()) / 1e6


def main():
    load = psutil.getloadavg()[0]
    stages = {}
    for name in stage.STAGES:
        seconds, memory_mb = measured([sys.executable, "-m", "helpers.stage", name, PATIENT])
        stages[name] = {"seconds": round(seconds, 1), "memory_mb": round(memory_mb), "size_mb": round(size_mb(name), 1)}
        print(name, stages[name])
    hardware = machine()
    no_op_s, _ = measured(["dvc", "repro", f"report@{PATIENT}"])
    installed = [path for path in (ROOT / ".venv").rglob("*") if path.is_file() and not path.is_symlink()]
    environment = sum(path.stat().st_size for path in installed)
    recordings = sum(path.stat().st_size for path in (ROOT / "output" / PATIENT / "recordings").iterdir())
    files.write_json(TARGET, {
        "patient": PATIENT,
        "date": date.today().isoformat(),
        "commit": commit(),
        "load_before": round(load, 2),
        "machine": f"{hardware['cpu']}, {hardware['cores']} cores, {hardware['memory_gb']:.0f} GB, no GPU",
        "seconds": round(sum(row["seconds"] for row in stages.values()), 1),
        "seconds_when_nothing_changed": round(no_op_s, 1),
        "environment_mb": round(environment / 1e6),
        "recordings_mb": round(recordings / 1e6, 1),
        "stages": stages,
    })  # fmt: skip


if __name__ == "__main__":
    main()
