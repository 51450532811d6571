"""Are the scores here those of a commit? ``python -m benchmarks.verify <patient> [commit]`` compares ``metrics.json``.

On one machine a second run gives the same bytes. Another processor adds in another order; training amplifies the last
digit, decisions near a threshold flip, and a threshold may jump. `benchmarks.processors` measured how far numbers then
go (``output/benchmark/verify.json``); `RULES` says how far they may. A second; ends with 1 if a number is outside.
"""

import json
import re
import sys

import pandas as pd

from benchmarks.common import MADE_OF, git
from helpers.study import files

ABSENT = "absent"
ROUNDING = 1e-9
# Name, pattern of dotted keys, tolerance (None: any value). The first that matches counts. Tolerances are two to four
# times the largest difference measured: of counts three samples, of scores what three samples are worth. What never
# differed may take its smallest step.
RULES = (
    ("text", r".*\.reason|undefined.*", None),  # the number that it is about has its own rule
    ("seizures found", r"events\.(detected|sensitivity)|intervals\.(events\.sensitivity|seizures\.found)\..*", 0),
    ("false alarms", r"events\.false_alarms", 1),
    ("alarm scores", r"(intervals\.)?events\.(precision|f1)(\..*)?", 0.25),  # one false alarm beside five seizures
    # one in 28 minutes, two at an interval's end
    ("false alarms a day", r"(intervals\.)?events\.fp_per_24h(\..*)?", 104),
    ("latency", r"intervals\.seizures\.median_latency_s\..*", 4),  # one frame, in s
    ("counts", r"(samples|reference_prevalence)\.(tp|fn|fp|tn)", 3),
    ("dropped", r".*\.dropped", 0.05),  # share of bootstrap draws in which a score is undefined
    ("interval ends", r"intervals\.\w+\.\w+\.(low|high)", 0.08),
    ("sensitivity", r"(.*\.)?(sensitivity|balanced_accuracy)(\.value)?", 0.06),  # 3 of 53 seizure samples
    ("F1", r"(.*\.)?f1(\.value)?", 0.04),
    ("rates", r"(.*\.)?(accuracy|specificity|weighted_f1)(\.value)?", 0.02),
    ("ranking", r"(.*\.)?(auroc|auprc|auprc_smoothed)(\.value)?", 0.01),
    ("calibration", r".*\.(brier|ece)\.value", 0.003),
    ("threshold", r".*\.threshold", 0.3),  # the middle of a gap between probabilities; the next gap may be as wide
    ("choices", r"folds\.\d+\.(alarm\.(k|minimum)|calibration\.temperature)", None),  # judged by the scores they give
    ("losses", r"folds\.\d+\.(calibration\.loss_\w+|alarm\.\w+_f1)", 0.02),
    ("data and folds", r".*", 0),  # not a result of training
)


def flatten(value, key=""):
    """Return nested dicts and lists as one dict by dotted key: ``{"folds.0.threshold": 0.81, …}``."""
    if not isinstance(value, dict | list) or not value:
        return {key: value}
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    return {name: leaf for part, inner in parts for name, leaf in flatten(inner, f"{key}.{part}".strip(".")).items()}


def compare(committed, here):
    """Return a row for each key of two ``metrics.json``: both values, and whether their difference is tolerated."""
    one, other = flatten(committed), flatten(here)
    return [_row(key, one.get(key, ABSENT), other.get(key, ABSENT)) for key in one | other]


def _row(key, committed, here):
    rule, _, tolerance = next(rule for rule in RULES if re.fullmatch(rule[1], key))
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (committed, here))
    difference = abs(here - committed) if numbers else None
    if tolerance is None:
        within = ABSENT not in (committed, here)
    else:
        within = committed == here if difference is None else difference <= tolerance + ROUNDING
    return {
        "key": key, "committed": committed, "here": here, "difference": difference, "rule": rule,
        "tolerance": tolerance, "within": within,
    }  # fmt: skip


def verify(patient, commit):
    """Compare the scores here with those of `commit`; print what differs, and return what is outside its tolerance."""
    files.stage_output(patient, "evaluate", "decisions.csv")  # metrics.json is in git, there before any run
    here = files.read_json(files.stage_output(patient, "evaluate", "metrics.json"))
    name, short = f"output/{patient}/evaluate/metrics.json", git("rev-parse", "--short", f"{commit}^{{commit}}")
    rows = compare(json.loads(git("show", f"{short}:./{name}")), here)
    unequal = [row for row in rows if row["committed"] != row["here"]]
    outside = [row for row in unequal if not row["within"]]
    columns = ("key", "committed", "here", "difference", "tolerance", "within")
    print(f"{name} here, against commit {short}:")
    if unequal:
        print(pd.DataFrame(unequal, columns=columns, dtype=object).to_string(index=False))
    print(f"{len(rows)} values: {len(unequal) - len(outside)} within tolerance, {len(outside)} outside, others equal")
    if changed := git("diff", "--name-only", short, "--", *MADE_OF).splitlines():
        print(f"{len(changed)} files of the project differ from the commit, first {changed[0]}")
    return outside


def main(patient, commit="HEAD"):
    try:
        return 1 if verify(patient, commit) else 0
    except (ValueError, OSError) as error:
        return f"error: {error}"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
