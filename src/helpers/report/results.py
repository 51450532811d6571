"""Results: what the stages of a patient's study have left, and scores as the report prints them."""

import re
from types import SimpleNamespace

from IPython.display import SVG, Image

from helpers.narrate import facts
from helpers.study import files, markdown

SOURCES = {  # the files by the names under which the article and the supplement use them
    "source": ("acquire", "source.json"),
    **{name: ("acquire", f"{name}.csv") for name in ("recordings", "seizures", "left_out")},
    "axes": ("preprocess", "axes.json"),
    "training": ("train", "training.json"),
    **{name: ("evaluate", f"{name}.json") for name in ("metrics", "comparison", "audit")},
    "errors": ("evaluate", "errors.csv"),
    **{name: ("explain", f"{name}.json") for name in ("digest", "sanity")},
    "narrative": ("narrate", "narrative.md"),
    "claims": ("narrate", "claims.csv"),
    **{name: ("narrate", f"{name}.json") for name in ("facts", "model")},
}


def read(patient):
    """Return the results named in `SOURCES`, the patient and the settings of training; raise as `facts.read`."""
    settings = files.read_yaml(files.ROOT / "params" / "train.yaml")
    return SimpleNamespace(patient=patient, settings=settings, **facts.read(patient, SOURCES))


def describe_patients(found):
    """Return whose the recordings are, in words: "patient sim08", or "6 patients (pooled as all6)"; names escaped."""
    name, pooled = markdown.escape(found.patient), found.source.get("patients")
    return f"{len(pooled)} patients (pooled as {name})" if pooled else f"patient {name}"


def read_benchmark(name):
    """Return what ``output/benchmark/<name>.json`` holds; nothing, {}, where that benchmark was not run."""
    path = files.ROOT / "output" / "benchmark" / f"{name}.json"
    return files.read_json(path) if path.exists() else {}


def picture(patient, stage, name):
    """Return a stage's picture, the SVG or else the PNG, to be displayed."""
    drawn = files.ROOT / "output" / patient / stage / f"{name}.svg"
    if drawn.exists():
        return SVG(drawn.read_bytes())
    return Image(files.stage_output(patient, stage, f"{name}.png").read_bytes())


def with_interval(score, form="{:.3f}"):
    """Return a score with its interval in one cell, without where it has none; "–" for what was not measured.

    >>> with_interval({"value": 0.81, "low": 0.7, "high": 0.9, "reason": None})
    '0.810 (0.700 to 0.900)'
    >>> with_interval({"value": -0.1, "low": None, "high": None}), with_interval(None)
    ('−0.100', '–')
    """
    if score is None:
        return "–"
    if score["value"] is None:
        return f"undefined ({score['reason']})"
    printed = (form.format(score[key] or 0) for key in ("value", "low", "high"))
    value, low, high = (text.replace("-", "−" if re.search("[1-9]", text) else "") for text in printed)
    span = "range " if score.get("kind") == "range" else ""
    return value if score["low"] is None else f"{value} ({span}{low} to {high})"
