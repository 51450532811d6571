"""What each stage takes: ``python tests/benchmark_stages.py [nothing]`` writes ``output/benchmark/stages.json``.

Every stage of the simulated patient sim08 is run once more, in the flow's order, as `dvc repro` runs it; the results
are the same bytes. Seconds are wall time; memory is the most that the stage's processes had together. With ``nothing``
only that is measured again which a run takes that finds nothing to do.
"""

import subprocess
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


def nothing():
    """Return the seconds of a `dvc repro` that finds nothing to do."""
    subprocess.run(["dvc", "repro", "--quiet"], cwd=ROOT, check=True)
    return round(measured(["dvc", "repro"])[0], 1)


def every_stage():
    """Run every stage, and return what the file says of them."""
    load, stages = psutil.getloadavg()[0], {}
    for name in stage.STAGES:
        seconds, memory_mb = measured([sys.executable, "-m", "helpers.stage", name, PATIENT])
        stages[name] = {"seconds": round(seconds, 1), "memory_mb": round(memory_mb), "size_mb": round(size_mb(name), 1)}
        print(name, stages[name])
    hardware = machine()
    installed = [path for path in (ROOT / ".venv").rglob("*") if path.is_file() and not path.is_symlink()]
    recordings = [path for path in (ROOT / "output" / PATIENT / "recordings").iterdir() if path.is_file()]
    return {
        "patient": PATIENT,
        "date": date.today().isoformat(),
        "commit": commit(),
        "load_before": round(load, 2),
        "machine": f"{hardware['cpu']}, {hardware['cores']} cores, {hardware['memory_gb']:.0f} GB, no GPU",
        "seconds": round(sum(row["seconds"] for row in stages.values()), 1),
        "environment_mb": round(sum(path.stat().st_size for path in installed) / 1e6),
        "recordings_mb": round(sum(path.stat().st_size for path in recordings) / 1e6, 1),
        "stages": stages,
    }


def main(words):
    found = files.read_json(TARGET) if words == ["nothing"] else every_stage()
    files.write_json(TARGET, found)
    # What was there is replaced: its own figure is the newest.
    files.write_json(TARGET, found | {"seconds_when_nothing_changed": nothing()})


if __name__ == "__main__":
    main(sys.argv[1:])
