"""How far scores go on other processors: ``python -m benchmarks.processors [name …]`` writes ``…/verify.json``.

Needs the study of sim08. Its stages up to evaluate run in copies of the project whose libraries compute as on other
processors, five minutes each; the scores are compared with those in ``output/sim08``. With some named, the others'
results stay. The tolerances of `benchmarks.verify` rest on this.
"""

import sys
import tempfile
from pathlib import Path

from benchmarks.common import FOLDER, copy_project, measured_at, progress, run_stage
from benchmarks.verify import compare
from helpers.study import files

TARGET = FOLDER / "verify.json"
PATIENT = "sim08"
STAGES = ("acquire", "preprocess", "train", "evaluate")
OLD_NUMPY = "X86_V4 AVX512_ICL AVX512_SPR"
# For torch's kernels, its convolutions, its and NumPy's matrix products, and NumPy's loops.
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


def metrics_on(variables):
    """Return the scores of sim08 if libraries compute as the environment `variables` say."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "study"
        environment = copy_project(root, PATIENT) | variables
        for stage in STAGES:
            run_stage(stage, PATIENT, root, environment)
        return files.read_json(root / "output" / PATIENT / "evaluate" / "metrics.json")


def spreads(reference, runs):
    """Return for each rule of `benchmarks.verify` its tolerance, and the largest difference from `reference`."""
    found = {}
    for row in (row for run in runs for row in compare(reference, run["metrics"])):
        worst = found.setdefault(row["rule"], {"tolerance": row["tolerance"], "largest": 0.0, "where": None})
        if row["difference"] is not None and row["difference"] > worst["largest"]:
            worst |= {"largest": row["difference"], "where": row["key"]}
    return found


def main(names):
    reference = files.read_json(files.stage_output(PATIENT, "evaluate", "metrics.json"))
    before = files.read_json(TARGET) if names and TARGET.exists() else {}
    machines = before["machines"] if before.get("reference") == reference else {}
    for name in names or MACHINES:
        progress(f"processor: {name}")
        machines[name] = {"variables": MACHINES[name], "metrics": metrics_on(MACHINES[name])}
        found = {"spreads": spreads(reference, machines.values()), "reference": reference, "machines": machines}
        files.write_json(TARGET, {"patient": PATIENT, **measured_at(), **found})


if __name__ == "__main__":
    main(sys.argv[1:])
