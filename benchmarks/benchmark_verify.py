"""How far a study's numbers go on other machines: ``python tests/benchmark_verify.py [machine …]`` writes
``output/benchmark/verify.json``.

The same study has the same bytes on one machine. Another processor adds up in another order, and training carries that
on. One machine can stand for several, as its libraries can be told to compute as an older or another one would: sim08
is run so in copies of the project, from its recordings to its scores, and compared with the scores in
``output/sim08``, run before, number by number. About five minutes a machine; with some named, the others' results stay.
"""

import os
import shutil
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import nbformat
from benchmark_bytes import copied
from benchmark_data import commit, machine
from benchmark_projects import progress, run_stage
from conftest import ROOT

from helpers.study import files, verification

TARGET = ROOT / "output" / "benchmark" / "verify.json"
PATIENT = "sim08"
STAGES = ("acquire", "preprocess", "train", "evaluate")
NOT_IN_METRICS = ("weights_permuted", "baselines.train_all", "random_split.run_all")
ELSEWHERE = ("baselines.csv", "baselines_inner.csv", "audit.csv")
OLD_NUMPY = "X86_V4 AVX512_ICL AVX512_SPR"
# What each library is told to compute with: torch's own kernels, its convolutions, its and NumPy's matrix products,
# and NumPy's loops.
MACHINES = {
    "a PC since 2013 (AVX2)": {
        "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": OLD_NUMPY,
    },
    "a PC before (SSE, no fused multiply-add)": {
        "ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE",
        "OPENBLAS_CORETYPE": "Nehalem", "NPY_DISABLE_CPU_FEATURES": OLD_NUMPY + " X86_V3",
    },
    "this one, other matrix products": {"MKL_CBWR": "COMPATIBLE", "OPENBLAS_CORETYPE": "Zen"},
    "AVX, other convolutions": {
        "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX", "OPENBLAS_CORETYPE": "Sandybridge",
    },
}  # fmt: skip


def only_scores(root):
    """Take out of the training of a copy what nothing in metrics.json comes from, which is half of its work."""
    path = root / "notebooks" / "03_train.ipynb"
    book = nbformat.read(path, as_version=4)
    book.cells = [cell for cell in book.cells if not any(word in cell.source for word in NOT_IN_METRICS)]
    nbformat.write(book, path)
    for name in ELSEWHERE:
        (root / "output" / PATIENT / "train").mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "output" / PATIENT / "train" / name, root / "output" / PATIENT / "train")


def written(folder):
    """Return the SHA-256 of a stage's files by name, but for those that were not made anew."""
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return {name: files.sha256(folder / name) for name in names if name not in ELSEWHERE}


def measured(variables, root):
    """Run the study of a copy in `root` with environment `variables`; return its scores and which files differ."""
    environment = copied(root, PATIENT) | variables
    only_scores(root)
    start, differ = time.perf_counter(), {}
    for stage in STAGES:
        run_stage(stage, PATIENT, root, environment)
        here, there = (written(folder / "output" / PATIENT / stage) for folder in (root, ROOT))
        differ[stage] = f"{sum(here[name] != there.get(name) for name in here)} of {len(here)}"
    return {
        "seconds": round(time.perf_counter() - start),
        "files_that_differ": differ,
        "metrics": files.read_json(root / "output" / PATIENT / "evaluate" / "metrics.json"),
    }


def spreads(reference, runs):
    """Return by group of numbers the largest difference from `reference` over the runs, beside what is tolerated."""
    found = {}
    for run in runs:
        for row in verification.compare(reference, run["metrics"]):
            worst = found.setdefault(row["rule"], {"tolerance": row["tolerance"], "largest": 0.0, "where": None})
            if row["difference"] is not None and row["difference"] > worst["largest"]:
                worst |= {"largest": row["difference"], "where": row["key"]}
    return found


def main(names):
    """Measure the machines `names`, all by default; what is there of others stays, if it was held against the same."""
    reference = files.read_json(ROOT / "output" / PATIENT / "evaluate" / "metrics.json")
    before = files.read_json(TARGET) if names and TARGET.exists() else {}
    machines = before["machines"] if before.get("reference") == reference else {}
    for name in names or MACHINES:
        progress(f"machine: {name}")
        with tempfile.TemporaryDirectory() as folder:
            machines[name] = {"variables": MACHINES[name]} | measured(MACHINES[name], Path(folder) / "study")
        print(name, machines[name]["seconds"], machines[name]["files_that_differ"])
        write(reference, machines)


def write(reference, machines):
    """Write what was measured, and by rule how far it goes."""
    hardware = machine()
    origin = {
        "patient": PATIENT, "date": date.today().isoformat(), "commit": commit(),
        "machine": f"{hardware['cpu']}, {hardware['cores']} cores, {os.uname().machine}",
    }  # fmt: skip
    found = {"spreads": spreads(reference, machines.values()), "reference": reference, "machines": machines}
    files.write_json(TARGET, origin | found)


if __name__ == "__main__":
    main(sys.argv[1:])
