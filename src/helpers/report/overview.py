"""The overview: all patients of the study on one page, beside each other: ``python -m helpers.report.overview``."""

import re
import sys

from IPython.display import Markdown

from helpers.report import results, site
from helpers.study import files, markdown

SCORES = {  # where they stand in metrics.json, and how they are printed
    "False positives per 24 h": ("events", "fp_per_24h", "{:.1f}"),
    "F1, events": ("events", "f1", "{:.3f}"),
    "F1, samples": ("samples", "f1", "{:.3f}"),
    "AUPRC, smoothed": ("smoothed", "auprc", "{:.3f}"),
}
ABOUT = """\
Each patient has a study of its own: networks trained on that patient's recordings and tested on held-out ones; where
patients are pooled, tested on a patient that they were not trained on. The rows are not runs of one detector, and a
simulated patient shows nothing about a person. Brackets: 95 % intervals."""


def summary(found):
    """Return a patient's row of the overview, scores with their intervals, from what `results.read` returns."""
    events, intervals = found.metrics["events"], found.metrics["intervals"]
    return {
        "Kind": ("pooled, " if found.source.get("patients") else "")
        + ("simulated" if found.source["simulated"] else "recorded"),
        "Recordings": len(found.recordings),
        "Hours": round(float(found.recordings["duration_s"].sum()) / 3600, 1),
        "Seizures found": f"{events['detected']} of {events['seizures']}",
        "False alarms": events["false_alarms"],
    } | {label: results.with_interval(intervals[kind][key], form) for label, (kind, key, form) in SCORES.items()}


def text(patients):
    """Return the page of `patients`; ValueError if a name cannot be a patient's, as it becomes a path and a link."""
    if wrong := [name for name in patients if not re.fullmatch(files.PATIENT, str(name))]:
        raise ValueError(f"params/study.yaml lists {wrong[0]!r}, which cannot name a patient. Take it out.")
    paths = {patient: files.ROOT / "output" / "studies" / f"{patient}.json" for patient in patients}
    rows = [
        {"Patient": Markdown(f"[{markdown.escape(patient)}](../{patient}/report/index.html)")} | files.read_json(path)
        for patient, path in paths.items()
        if path.exists()
    ]
    parts = [ABOUT, markdown.scroll(markdown.table(rows, 1).data, "Patients")] if rows else []
    if missing := [patient for patient, path in paths.items() if not path.exists()]:
        names = ", ".join(map(markdown.escape, missing))
        parts.append(f"Not finished: {names}. `make study PATIENT={missing[0]}` runs it.")
    return "\n\n".join(parts)


if __name__ == "__main__":
    try:
        patients = files.read_yaml(files.ROOT / "params" / "study.yaml").get("patients") or []
        page = {"index": ("All patients of this study", text(patients), {})}
        print(site.render(page, files.ROOT / "output" / "overview", "EEG spectrogram study"))
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(f"error: {error}")
