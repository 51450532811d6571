"""Results: what the stages of a patient's study have left, and scores as the report prints them."""

import re
import subprocess
from types import SimpleNamespace

from IPython.display import SVG, Image

from helpers.study import files

# Of patient chb08, from its report, "EEG Spectrogram Model – XAI & Multimodal Report (chb08)", section Metrics. The
# scores solve to the counts.
REFERENCE = {"accuracy": 0.9680, "sensitivity": 0.9468, "specificity": 0.9786, "f1": 0.9519, "weighted_f1": 0.9679}
REFERENCE_COUNTS = {"n": 281, "tp": 89, "fn": 5, "fp": 4, "tn": 183}
SCORES = {  # its six metrics, in its order, with its labels and formats
    "accuracy": ("Accuracy", "{:.2%}"),
    "sensitivity": ("Sensitivity", "{:.2%}"),
    "specificity": ("Specificity", "{:.2%}"),
    "f1": ("F1", "{:.4f}"),
    "weighted_f1": ("Weighted F1", "{:.4f}"),
    "threshold": ("Best threshold", "{:.2f}"),
}
# The files by the names under which the article and the supplement use them.
SOURCES = {
    "source": "acquire/source.json", "recordings": "acquire/recordings.csv", "seizures": "acquire/seizures.csv",
    "left_out": "acquire/left_out.csv", "axes": "preprocess/axes.json", "training": "train/training.json",
    "metrics": "evaluate/metrics.json", "comparison": "evaluate/comparison.json", "audit": "evaluate/audit.json",
    "errors": "evaluate/errors.csv", "digest": "explain/digest.json", "sanity": "explain/sanity.json",
    "narrative": "narrate/narrative.md", "claims": "narrate/claims.csv", "facts": "narrate/facts.json",
    "model": "narrate/model.json",
}  # fmt: skip


def read(patient):
    """Return the results as a namespace with the names of `SOURCES`, tables as DataFrames, and ``patient``.

    Raises FileNotFoundError, which names the command that makes it, if a stage has not left its file.
    """
    found = SimpleNamespace(patient=patient, settings=files.read_yaml(files.ROOT / "params" / "train.yaml"))
    for name, place in SOURCES.items():
        path = files.stage_output(patient, *place.split("/"))
        readers = {".json": files.read_json, ".csv": _read_table, ".md": lambda path: path.read_text(encoding="utf-8")}
        setattr(found, name, readers[path.suffix](path))
    return found


def _read_table(path):
    table = files.read_table(path)
    return table.fillna({name: "" for name in table.select_dtypes(exclude="number")})


def find_picture(patient, stage, name):
    """Return the path of a stage's picture: the SVG, or else the PNG."""
    drawn = files.ROOT / "output" / patient / stage / f"{name}.svg"
    return drawn if drawn.exists() else files.stage_output(patient, stage, f"{name}.png")


def picture(patient, stage, name):
    """Return a stage's picture, to be displayed."""
    path = find_picture(patient, stage, name)
    return SVG(path.read_bytes()) if path.suffix == ".svg" else Image(path.read_bytes())


def version():
    """Return the date and the version of the code's commit, or CITATION.cff's where there is no git repository.

    The version ends in "-dirty" where code or parameters differ from the commit's; results that git keeps may.
    """

    def git(*words):
        done = subprocess.run(["git", *words], cwd=files.ROOT, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "src", "notebooks", "params", "dvc.yaml")
        return git("log", "-1", "--format=%cs"), git("describe", "--always") + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        citation = files.read_yaml(files.ROOT / "CITATION.cff")
        return str(citation["date-released"]), citation["version"]


def coverage():
    """Return what the benchmark measured of the intervals' coverage, as part of a sentence; "" without the file."""
    path = files.ROOT / "output" / "benchmark" / "coverage.json"
    if not path.exists():
        return ""
    found = files.read_json(path)
    held = [one["held"] for pool in found["rows"].values() for study in pool.values() for one in study.values()]
    low, high = (end(share for share in held if share is not None) for end in (min, max))
    return f"; they held the truth in {low:.0%} to {high:.0%} of {found['studies']} studies of synthetic log-odds"


def print_scores(values, reasons):
    """Return the reference's six scores as printed, by label; an undefined one says why, by `reasons`."""
    return {
        label: _undefined(reasons.get(key)) if values[key] is None else form.format(values[key])
        for key, (label, form) in SCORES.items()
    }


def with_interval(score, form="{:.3f}"):
    """Return a score with its interval in one cell, without where it has none; "–" for what was not measured.

    >>> with_interval({"value": 0.81, "low": 0.7, "high": 0.9, "reason": None})
    '0.810 (0.700 to 0.900)'
    >>> with_interval({"value": -0.1, "low": None, "high": None}), with_interval(None)
    ('−0.100', '–')
    >>> with_interval({"value": -0.0001, "low": None, "high": None})
    '0.000'
    """
    if score is None:
        return "–"
    if score["value"] is None:
        return _undefined(score["reason"])
    printed = (form.format(score[key] or 0) for key in ("value", "low", "high"))
    value, low, high = (text.replace("-", "−" if re.search("[1-9]", text) else "") for text in printed)
    span = "range " if score.get("kind") == "range" else ""
    return value if score["low"] is None else f"{value} ({span}{low} to {high})"


def _undefined(reason):
    return f"undefined ({reason})" if reason else "undefined"
