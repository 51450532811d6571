"""Verification: the scores of a run here against those committed: ``python -m helpers.study.verification <patient>``.

On one machine a second run gives the same bytes. Another processor adds up in another order; training carries the last
digit on, decisions near a threshold fall on its other side, and a threshold chosen anew may jump. How far the numbers
then go was measured (``tests/benchmark_verify.py``, ``output/benchmark/verify.json``); `RULES` says how far they may.
"""

import json
import re
import subprocess
import sys
from dataclasses import dataclass

from helpers.study import files

MADE_OF = ("notebooks", "src", "params", "dvc.yaml", "requirements.lock")
ABSENT = "not there"
ROUNDING = 1e-9  # of equal numbers, computed in another order


@dataclass(frozen=True)
class Rule:
    """How far numbers whose dotted keys fit `pattern` may be from those committed (None: freely), and why."""

    name: str
    pattern: str
    tolerance: float | None
    why: str


# The first that fits a key counts. One machine was made to compute as others do: what is tolerated is two to four times
# the largest difference seen, as yet another may go farther: of counts three samples, decided the other way, and of
# scores what three samples are worth. What never differed may make its smallest step.
RULES = tuple(
    Rule(*entry)
    for entry in (
        ("words", r".*\.reason|undefined.*", None, "the number that a word speaks of is judged by its own rule"),
        ("seizures found", r"events\.(detected|sensitivity)|intervals\.(events\.sensitivity|seizures\.found)\..*", 0,
         "an alarm rests on a mean over frames, far from its threshold; none was ever lost"),
        ("false alarms", r"events\.false_alarms", 1, "one may come or go; none did"),
        ("alarm scores", r"(intervals\.)?events\.(precision|f1)(\..*)?", 0.25, "one false alarm beside five seizures"),
        ("false alarms a day", r"(intervals\.)?events\.fp_per_24h(\..*)?", 104, "one in 28 minutes, two at an end"),
        ("latency", r"intervals\.seizures\.median_latency_s\..*", 4, "s: one frame"),
        ("counts", r"(samples|reference_prevalence)\.(tp|fn|fp|tn)", 3, "the decisions nearest to a threshold"),
        ("dropped", r".*\.dropped", 0.05, "share of bootstrap samples in which a score is undefined"),
        ("ends of intervals", r"intervals\.\w+\.\w+\.(low|high)", 0.08, "percentiles over a few recordings"),
        ("sensitivity", r"(.*\.)?(sensitivity|balanced_accuracy)(\.value)?", 0.06, "3 of 53 seizure samples"),
        ("F1", r"(.*\.)?f1(\.value)?", 0.04, "3 of 53 seizure samples"),
        ("rates", r"(.*\.)?(accuracy|specificity|weighted_f1)(\.value)?", 0.02, "3 of 159, weighted as the reference"),
        ("ranking", r"(.*\.)?(auroc|auprc|auprc_smoothed)(\.value)?", 0.01, "no threshold is in it"),
        ("calibration", r".*\.(brier|ece)\.value", 0.003, "no threshold is in it"),
        ("threshold", r".*\.threshold", 0.3, "the middle of a gap between probabilities; the next one may be as wide"),
        ("choices", r"folds\.\d+\.(alarm\.(k|minimum)|calibration\.temperature)", None,
         "of two that are about as good either may be taken; what they are worth is judged by the scores"),
        ("losses", r"folds\.\d+\.(calibration\.loss_\w+|alarm\.\w+_f1)", 0.02, "by which is chosen"),
        ("what was studied", r".*", 0, "it comes from the recordings and the plan of the folds alone"),
    )
)  # fmt: skip


def compare(committed, here):
    """Hold scores against those committed, number by number.

    Parameters
    ----------
    committed, here : dict
        As ``metrics.json`` holds them.

    Returns
    -------
    list of dict
        A row for each key of either: ``key``, dotted; ``committed`` and ``here``, `ABSENT` where it is not there;
        ``difference``, None where one is no number; ``rule`` and ``tolerance``; ``within``: whether that is tolerated.
    """
    one, other = flat(committed), flat(here)
    return [_row(key, one.get(key, ABSENT), other.get(key, ABSENT)) for key in one | other]


def flat(value, key=""):
    """Return nested dicts and lists as one dict by dotted key: ``{"folds.0.threshold": 0.81, …}``."""
    if not isinstance(value, dict | list) or not value:
        return {key: value}
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    return {name: leaf for part, inner in parts for name, leaf in flat(inner, f"{key}.{part}".strip(".")).items()}


def _row(key, committed, here):
    rule = next(rule for rule in RULES if re.fullmatch(rule.pattern, key))
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (committed, here))
    difference = abs(here - committed) if numbers else None
    if rule.tolerance is None:
        within = ABSENT not in (committed, here)
    else:
        within = committed == here if difference is None else difference <= rule.tolerance + ROUNDING
    return {
        "key": key, "committed": committed, "here": here, "difference": difference, "rule": rule.name,
        "tolerance": rule.tolerance, "within": within,
    }  # fmt: skip


def table(rows):
    """Return rows of `compare` as lines of text, a heading first; what is not tolerated is marked."""
    heading = ("", "", "committed", "here", "difference", "tolerated")
    cells = [
        (
            "" if row["within"] else "✗", row["key"], *(_printed(row[name]) for name in ("committed", "here")),
            "" if row["difference"] is None else _printed(row["difference"]),
            "freely" if row["tolerance"] is None else _printed(row["tolerance"]),
        )
        for row in rows
    ]  # fmt: skip
    widths = [max(len(line[column]) for line in (heading, *cells)) for column in range(len(heading))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (heading, *cells)
    ]


def _printed(value):
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else text[:39] + "…"


def git(*words):
    """Return what git says of the project.

    Raises
    ------
    ValueError
        If there is no git, or no history, or git refuses; the message says what to do.
    """
    try:
        done = subprocess.run(["git", *words], cwd=files.ROOT, capture_output=True, text=True, encoding="utf-8")
    except FileNotFoundError as error:
        raise ValueError("There is no git here, which keeps the scores to compare with. Install git.") from error
    if done.returncode:
        raise ValueError(
            f"git {' '.join(words)} says: {done.stderr.strip()}. A run is compared with the project's history: "
            "get the project by `git clone`, and name a commit that it has (VERIFY_COMMIT, by default HEAD)."
        )
    return done.stdout


def other_bytes(patient, commit):
    """Return the patient's outputs, files or folders, whose bytes are not those of `commit`'s ``dvc.lock``.

    None where DVC cannot say: where it is not set up, or the lock is damaged.
    """
    words = [sys.executable, "-m", "dvc", "diff", "--json", commit]
    done = subprocess.run(words, cwd=files.ROOT, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        return None
    told = json.loads(done.stdout or "{}")
    found = [entry["path"] for kind in ("added", "deleted", "modified") for entry in told.get(kind, [])]
    found += [entry["path"]["new"] for entry in told.get("renamed", [])]
    return sorted(path for path in found if path.startswith(f"output/{patient}/"))


def verify(patient, commit):
    """Compare the scores that lie here with those of `commit`; print what differs, and return what is not tolerated."""
    name = f"output/{patient}/evaluate/metrics.json"
    files.stage_output(
        patient, "evaluate", "decisions.csv"
    )  # metrics.json is in git, and there before anything has run
    here = files.read_json(files.stage_output(patient, "evaluate", "metrics.json"))
    short = git("rev-parse", "--short", "--verify", f"{commit}^{{commit}}").strip()
    rows = compare(json.loads(git("show", f"{short}:./{name}")), here)
    unlike = [row for row in rows if row["committed"] != row["here"]]
    outside = [row for row in unlike if not row["within"]]
    print(f"{name}, as it lies here, against that of commit {short}:", *(table(unlike) if unlike else []), sep="\n")
    equal, near = len(rows) - len(unlike), len(unlike) - len(outside)
    print(f"{len(rows)} entries: {equal} equal, {near} within tolerance, {len(outside)} outside")
    if changed := git("diff", "--name-only", short, "--", *MADE_OF).splitlines():
        print(f"The project here is not that of the commit, which may be why: {len(changed)} files, first {changed[0]}")
    unequal = other_bytes(patient, short)
    print("Outputs with other bytes than the commit's:", "DVC cannot say" if unequal is None else len(unequal), end="")
    print(*("", *unequal) if unequal else "", sep="\n  ")
    return outside


def main(patient, commit):
    """Verify a patient; end with 1 if a number is outside its tolerance, or with a message if there is none to see."""
    try:
        outside = verify(patient, commit)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    sys.exit(1 if outside else 0)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python -m helpers.study.verification <patient> [commit]")
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "HEAD")
