"""The data side in figures: ``python tests/benchmark_data.py [part …]`` writes ``output/benchmark/data.json``.

All parts take about half an hour; with some named, the others' results stay as they are. Each part says when it was
measured, on which commit, and how busy the machine was before; one that cannot run says why. The benchmark ends with
a table of what was aimed at. Its parts are here, in ``benchmark_preprocess`` and in ``benchmark_runs``.
"""

import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path

import psutil
from benchmark_preprocess import preprocess
from benchmark_projects import progress
from benchmark_runs import dask, kill
from conftest import ROOT, SHARED
from misbehaving_server import SCENARIOS, run

from helpers.acquire import annotation_files as reading
from helpers.acquire import summaries
from helpers.study import files

TARGET = ROOT / "output" / "benchmark" / "data.json"
CHB08 = {
    "chb08_02.edf": [(2670, 2841)], "chb08_05.edf": [(2856, 3046)], "chb08_11.edf": [(2988, 3122)],
    "chb08_13.edf": [(2417, 2577)], "chb08_21.edf": [(2083, 2347)],
}  # fmt: skip
KINDS = {
    "EDF files": "test_mutated_files",
    "summaries": "test_fuzzed_summaries",
    "seizures files": "test_fuzzed_seizures_files",
    "BIDS events": "test_fuzzed_events",
}
LEAST_FUZZED = 2000


class Unavailable(Exception):
    """What a part needs is not on this machine."""


def annotations():
    """Read all annotations of CHB-MIT that there are."""
    folder = SHARED / "chbmit-annotations"
    if not folder.is_dir():
        raise Unavailable("needs CHB-MIT's annotations in ../shared/data, which are not here")
    patients, chb08 = {}, {}
    for path in sorted((folder / "summaries").glob("*-summary.txt")):
        entries = summaries.read_summary(path)
        seizures = sum(len(entry["seizures"]) for entry in entries)
        patients[path.name.removesuffix("-summary.txt")] = {"recordings": len(entries), "seizures": seizures}
        if path.name.startswith("chb08"):
            chb08 = {entry["file"]: entry["seizures"] for entry in entries if entry["seizures"]}
    agreeing = 0
    for path in sorted((folder / "chb08").glob("*.seizures")):
        file = path.name.removesuffix(".seizures")
        reading.check_agreement("chb08-summary.txt", file, chb08[file], path.name, reading.read_seizures(path))
        agreeing += 1
    total = {key: sum(counts[key] for counts in patients.values()) for key in ("recordings", "seizures")}
    untimed = patients["chb24"]["recordings"]
    timed = total["recordings"] - untimed
    targets = [
        ("recordings in the summaries of chb01 to chb23", timed, "664", (len(patients), timed) == (24, 664)),
        ("chb24's, which has no times", untimed, "12", untimed == 12),
        ("seizures", total["seizures"], "198", total["seizures"] == 198),
        ("chb08's .seizures that agree", agreeing, "5, at the known times", agreeing == 5 and chb08 == CHB08),
    ]
    return {"patients": patients, "total": total, "chb08": chb08, "agreeing": agreeing, "targets": targets}


def download():
    """Play every scenario of the misbehaving mirrors."""
    rows = []
    for scenario in SCENARIOS:
        progress(f"download: {scenario.name}")
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            found = run(scenario, Path(folder) / "recordings")
        as_expected = all((
            found["outcome"] == scenario.outcome, re.search(scenario.says, found["message"]),
            found["resumed_from"] == scenario.resumed_from,
        ))  # fmt: skip
        message = re.sub(r":\d{4,5}/", "/", found["message"].replace(folder, "…"))
        rows.append({
            "scenario": scenario.name, "outcome": found["outcome"], "as_expected": as_expected,
            "message": message[:200], "requests": len(found["requests"]), "resumed_from": found["resumed_from"],
            "bytes_sent": sum(request["sent"] for request in found["requests"]),
            "seconds": round(time.perf_counter() - began, 2),
        })  # fmt: skip
    right = sum(row["as_expected"] for row in rows)
    counts = {outcome: sum(row["outcome"] == outcome for row in rows) for outcome in ("good file", "clear message")}
    targets = [("scenarios that end as they must", f"{right} of {len(rows)}", "all", right == len(rows))]
    return {"scenarios": rows, "outcomes": counts, "targets": targets}


def fuzz():
    """Run the tests that mutate files with many examples, and count what they tried."""
    command = [sys.executable, "-m", "pytest", "tests/test_edf.py", "tests/test_annotations.py", "-v", "-p", "no:xdist"]
    environment = {**os.environ, "FUZZ_EXAMPLES": str(LEAST_FUZZED)}
    progress(f"fuzz: {LEAST_FUZZED} examples a test")
    command += ["--hypothesis-show-statistics"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    said = done.stdout
    verdicts = dict(re.findall(r"^tests/\S+?::(.+?) (PASSED|FAILED|ERROR|SKIPPED)", said, re.M))
    tests = {}
    for name, block in re.findall(r"^tests/\S+::(\w+):\n\n(.*?)(?=\n\n\S|\Z)", said, re.M | re.S):
        counts = re.findall(r"(\d+) passing, (\d+) failing, and (\d+) invalid", block)
        passing, failing, invalid = (sum(column) for column in zip(*(map(int, row) for row in counts), strict=True))
        tests[name] = {"verdict": verdicts[name], "passing": passing, "failing": failing, "invalid": invalid}
    kinds = {kind: tests[name]["passing"] if name in tests else 0 for kind, name in KINDS.items()}
    failed = [name for name, verdict in verdicts.items() if verdict in ("FAILED", "ERROR")]
    targets = [(f"mutated {kind}", n, f"≥ {LEAST_FUZZED}", n >= LEAST_FUZZED) for kind, n in kinds.items()]
    targets += [("tests of EDF files and annotations that fail", len(failed), "0", not failed and not done.returncode)]
    return {"tests": tests, "kinds": kinds, "failing_tests": failed, "targets": targets}


PARTS = {part.__name__: part for part in (annotations, download, preprocess, dask, fuzz, kill)}


def machine():
    """Return what the figures were measured on."""
    cpu = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.*)", cpu.read_text()) if cpu.exists() else None
    packages = ("numpy", "scipy", "mne", "dask", "dvc")
    return {
        "cpu": model[1] if model else platform.processor(), "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1), "system": platform.system(),
        "python": platform.python_version(), **{name: version(name) for name in packages},
    }  # fmt: skip


def commit():
    """Return the commit's short hash, with "+changes" if what is measured differs from it."""

    def git(*words):
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+changes" if git("status", "--porcelain") else "")


def measured(name):
    """Run a part and return its result, or why there is none."""
    stamp = {"date": date.today().isoformat(), "commit": commit(), "load_before": round(os.getloadavg()[0], 2)}
    began = time.perf_counter()
    try:
        result = PARTS[name]()
    except Unavailable as reason:
        return {**stamp, "skipped": str(reason)}
    except Exception as error:  # the other parts still run; the table and the exit code say that this one did not
        return {**stamp, "failed": f"{type(error).__name__}: {error}".replace(str(ROOT), ".")}
    targets = [dict(zip(("what", "found", "wanted", "met"), row, strict=True)) for row in result.pop("targets")]
    return {**stamp, "minutes": round((time.perf_counter() - began) / 60, 1), "targets": targets, **result}


def rounded(value):
    """Return `value` with its floats rounded to four decimals."""
    if isinstance(value, dict):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return round(float(value), 4) if isinstance(value, float) else value


def table(results):
    """Return the targets of all parts as lines of text."""
    lines = []
    for name in PARTS:
        result = results.get(name, {"skipped": "not measured yet"})
        for key in ("skipped", "failed"):
            if key in result:
                lines.append(f"{key:8s}{name}: {result[key][:200]}")
        for row in result.get("targets", []):
            verdict = "met" if row["met"] else "NOT MET"
            lines.append(f"{verdict:8s}{name}: {row['what']}: {row['found']} (wanted {row['wanted']})")
    return "\n".join(lines)


def main(names):
    """Measure the parts `names`, all by default; return the exit code."""
    if unknown := sorted(set(names) - set(PARTS)):
        sys.exit(f"error: there is no part {', '.join(unknown)}; parts are {', '.join(PARTS)}.")
    for name in names or PARTS:
        progress(f"== {name}")
        found = rounded(measured(name))
        results = files.read_json(TARGET) if TARGET.exists() else {}
        results = {**results, "machine": machine(), name: found}
        files.write_json(TARGET, {part: results[part] for part in ("machine", *PARTS) if part in results})
    print(table(results))
    return any("failed" in results[name] for name in names or PARTS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
