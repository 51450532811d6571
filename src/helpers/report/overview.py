"""The overview: all patients of the study on one page, beside each other: ``python -m helpers.report.overview``."""

import io
import re
import sys

import seaborn

from helpers.figures import begin
from helpers.report import article, site, tables
from helpers.study import files

PAGE, TITLE = "index.qmd", "All patients of this study"
# The panels of the figure, by where the score stands in metrics.json: its label, and whether it ends at 1.
PANELS = {
    ("smoothed", "auprc"): ("AUPRC, smoothed", True),
    ("samples", "f1"): ("F1, samples", True),
    ("events", "f1"): ("F1, events", True),
    ("events", "fp_per_24h"): ("False positives per 24 h", False),
}


def summary(context):
    """Return what the overview needs of one patient, from what `article.compose` returns."""
    return {
        "patient": context["patient"],
        "simulated": context["source"]["simulated"],
        "recordings": len(context["recordings"]),
        "duration_s": sum(float(row["duration_s"]) for row in context["recordings"]),
        "events": context["metrics"]["events"],
        "intervals": context["metrics"]["intervals"],
    }


def gather(patients):
    """Return the summaries of the finished studies of `patients`, and the names of the others."""
    # A name becomes a path and a link.
    if wrong := [name for name in patients if not re.fullmatch(files.PATIENT, str(name))]:
        raise ValueError(f"params/study.yaml lists {wrong[0]!r}, which cannot name a patient. Take it out.")
    paths = {patient: files.ROOT / "output" / "studies" / f"{patient}.json" for patient in patients}
    found = [files.read_json(path) for path in paths.values() if path.exists()]
    return found, [patient for patient, path in paths.items() if not path.exists()]


def row(one):
    """Return a summary with its scores as printed with their intervals, such as ``events_f1``."""
    scores = {(kind, name): (one["intervals"][kind][name], tables.INTERVALS[kind, name][1]) for kind, name in PANELS}
    return one | {f"{kind}_{name}": tables.with_interval(*score) for (kind, name), score in scores.items()}


def figure(found):
    """Show each patient's scores with their 95 % intervals, a row a patient, a panel a score."""
    drawing, axes = begin(9, 0.9 + 0.32 * len(found), 1, len(PANELS), sharey=True, squeeze=False)
    for axis, ((kind, name), (label, to_one)) in zip(axes[0], PANELS.items(), strict=True):
        for place, one in enumerate(found):
            score = one["intervals"][kind][name]
            if score["value"] is None:
                continue
            ends = [score["value"] if score[end] is None else score[end] for end in ("low", "high")]
            axis.plot(ends, [place, place], color="#444444", lw=2, solid_capstyle="butt")
            fill = "white" if one["simulated"] else "#1f4e9c"
            axis.plot(score["value"], place, "o", color="#1f4e9c", mfc=fill, ms=6, clip_on=False)
        axis.set(ylim=(len(found) - 0.5, -0.5), xlim=(-0.02, 1.02) if to_one else (0, None))
        axis.set_xlabel(label, fontsize=9)
        axis.set_yticks(range(len(found)), [one["patient"] for one in found])
        axis.grid(axis="x", alpha=0.3)
    seaborn.despine(drawing)
    return drawing


def write(patients, folder):
    """Write the overview of `patients` to `folder`, as a page that links to each one's site; return the renderer."""
    found, unfinished = gather(patients)
    context = {"title": TITLE, "rows": list(map(row, found)), "unfinished": unfinished}
    sources = {
        "_quarto.yml": article.fill("_overview.yml.j2", {}),
        **{name: site.TEMPLATES / name for name in article.ASSETS},
    }
    sources[PAGE] = article.fill("overview.qmd.j2", context)
    if found:
        picture = io.BytesIO()
        figure(found).savefig(picture, format="png")
        sources["scores.png"] = picture.getvalue()
    return site.render({PAGE: TITLE}, sources, folder, "dvc repro -s -f overview")


if __name__ == "__main__":
    try:
        patients = files.read_yaml(files.ROOT / "params" / "study.yaml").get("patients") or []
        print(write(patients, files.ROOT / "output" / "overview"))
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(f"error: {error}")
