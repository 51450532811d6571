"""Which lines tests run: ``python tests/benchmark_coverage.py`` writes ``output/benchmark/coverage.json``.

All tests run once, in their usual way, and coverage.py watches: in the tests' own processes, in the stages that they
start, in those stages' notebooks and in joblib's workers. That takes about half as long again, so `make test` does
without. The file has the share of lines run, in percent, of all helpers together and of each.
"""

import os
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

from benchmark_data import commit
from conftest import ROOT

from helpers.study import files

TARGET = ROOT / "output" / "benchmark" / "coverage.json"
TESTS = ("-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder")


def measured(folder, options):
    """Run the tests with pytest's options, and return coverage.py's own account of them."""
    own = os.environ | {"COVERAGE_FILE": str(folder / "coverage")}
    command = [sys.executable, "-m", "pytest", *TESTS, "--cov", "--cov-report=term:skip-covered", *options]
    if subprocess.run(command, cwd=ROOT, env=own).returncode:
        raise SystemExit("tests failed: coverage is not written")
    report = [sys.executable, "-m", "coverage", "json", "--quiet", "-o", str(folder / "coverage.json")]
    subprocess.run(report, cwd=ROOT, env=own, check=True)
    return files.read_json(folder / "coverage.json")


def main(options):
    with tempfile.TemporaryDirectory() as folder:
        found = measured(Path(folder), options)
    helpers = {
        Path(path).stem: {"lines": one["summary"]["num_statements"], "percent": round(_percent(one["summary"]), 1)}
        for path, one in sorted(found["files"].items())
    }
    when = {"date": date.today().isoformat(), "commit": commit()}
    files.write_json(TARGET, when | {"percent": round(_percent(found["totals"]), 1), "helpers": helpers})
    print(f"\n{TARGET.relative_to(ROOT)}: {found['totals']['percent_covered']:.1f} % of the helpers' lines")


def _percent(summary):
    return summary["percent_covered"]


if __name__ == "__main__":
    main(sys.argv[1:])
