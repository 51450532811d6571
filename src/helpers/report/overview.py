"""The overview: all patients of the study on one page, beside each other: ``python -m helpers.report.overview``."""

import io
import re
import sys

import seaborn

from helpers.figures import begin
from helpers.report import article, site, tables
from helpers.study import files

STUDIES = "studies"  # output/studies/<patient>.json: what each report leaves for this page
PAGE = "index.qmd"
TITLE = "All patients of this study"
# What is drawn, by where it stands in metrics.json: name of the panel, whether it ends at 1.
DRAWN = {
    ("smoothed", "auprc"): ("AUPRC, smoothed", True),
    ("samples", "f1"): ("F1, samples", True),
    ("events", "f1"): ("F1, events", True),
    ("events", "fp_per_24h"): ("False positives per 24 h", False),
}


def summary(context):
    """Return what the overview says of one patient, from what `report.compose` returns."""
    metrics = context["metrics"]
    return {
        "patient": context["patient"],
        "simulated": context["source"]["simulated"],
        "recordings": len(context["recordings"]),
        "duration_s": sum(float(row["duration_s"]) for row in context["recordings"]),
        "events": metrics["events"],
        "intervals": metrics["intervals"],
    }


def gather(patients):
    """Return the summaries of those of `patients` whose study is finished, in their order, and the others' names.

    Raises
    ------
    ValueError
        If one is listed, perhaps by hand, by what cannot name a patient: it would become a path and a link.
    """
    if wrong := [name for name in patients if not re.fullmatch(files.PATIENT, str(name))]:
        raise ValueError(f"params/study.yaml lists {wrong[0]!r}, which cannot name a patient. Take it out.")
    paths = {patient: files.ROOT / "output" / STUDIES / f"{patient}.json" for patient in patients}
    found = [files.read_json(path) for path in paths.values() if path.exists()]
    return found, [patient for patient, path in paths.items() if not path.exists()]


def rows(found):
    """Return, for each summary, its cells as printed: scores with their intervals, or why they have none."""
    return [
        {
            "patient": one["patient"],
            "kind": "simulated" if one["simulated"] else "recorded",
            "recordings": one["recordings"],
            "hours": f"{one['duration_s'] / 3600:.1f}",
            "seizures": one["events"]["seizures"],
            "detected": one["events"]["detected"],
            "false_alarms": one["events"]["false_alarms"],
            **{
                f"{kind}_{name}": tables.spanned(one["intervals"][kind][name], tables.INTERVALS[kind, name][1])
                for kind, name in DRAWN
            },
        }
        for one in found
    ]


def figure(found):
    """Show each patient's scores with their 95 % intervals, a row a patient, a panel a score."""
    drawing, axes = begin(9, 0.9 + 0.32 * len(found), 1, len(DRAWN), sharey=True, squeeze=False)
    for axis, ((kind, name), (label, share)) in zip(axes[0], DRAWN.items(), strict=True):
        for row, one in enumerate(found):
            score = one["intervals"][kind][name]
            if score["value"] is None:
                continue
            ends = [score[end] if score[end] is not None else score["value"] for end in ("low", "high")]
            axis.plot(ends, [row, row], color="#444444", lw=2, solid_capstyle="butt")
            axis.plot(
                score["value"],
                row,
                "o",
                color="#1f4e9c",
                mfc="white" if one["simulated"] else "#1f4e9c",
                ms=6,
                clip_on=False,
            )
        axis.set(ylim=(len(found) - 0.5, -0.5))
        axis.set_xlabel(label, fontsize=9)
        axis.set_yticks(range(len(found)), [one["patient"] for one in found])
        axis.set_xlim(*((-0.02, 1.02) if share else (0, None)))
        axis.grid(axis="x", alpha=0.3)
    seaborn.despine(drawing)
    return drawing


def write(patients, folder):
    """Write the overview of `patients` to `folder`, as a page that links to each one's site; return the renderer."""
    found, others = gather(patients)
    sources = {
        "_quarto.yml": article.fill("_overview.yml.j2", {}),
        **article.kept(*article.STYLES),
    }
    context = {
        "title": TITLE,
        "rows": rows(found),
        "others": others,
        "simulated": any(one["simulated"] for one in found),
    }
    if found:
        picture = io.BytesIO()
        figure(found).savefig(picture, format="png")
        sources["scores.png"] = picture.getvalue()
    sources[PAGE] = article.fill("overview.qmd.j2", context)
    return site.render({PAGE: TITLE}, sources, folder, "dvc repro -s -f overview")


if __name__ == "__main__":
    try:
        print(
            write(
                files.read_yaml(files.ROOT / "params" / "study.yaml").get("patients") or [],
                files.ROOT / "output" / "overview",
            )
        )
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(f"error: {error}")
