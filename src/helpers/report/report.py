"""The report: one reading of what the stages left, written in the reference study's form and as a site."""

import csv
from pathlib import Path

import pandas as pd

from helpers.report import article, costs, curves, pages, proofs, reproduction, site, tables
from helpers.report.tables import SCORES, shown
from helpers.study import files

NOTEBOOKS = ("01_acquire", "02_preprocess", "03_train", "04_evaluate", "05_explain", "06_narrate")

# Pictures of the reference's form; those of its samples come besides. The article takes its own from the notebooks.
PICTURES = {"evaluate": ["confusion_matrix.png"], "explain": ["legend_gradcam.png", "legend_spectrogram.png"]}
CHANNEL_PICTURES = ["channels", "traces"]  # of a sample, in the article alone
SAMPLE_PICTURES = ["spec_triptych", "gradcam", "gradcampp", "ig_triptych", "ig_t0", "ig_t1", "ig_t2"]
# How a part of the narrative was proven, in the order in which the report counts them.
VERDICTS = {"proven": "proven by the facts", "no claim": "without a claim", "fixed text": "fixed text written by code"}


def compose(patient, title):
    """Read everything that the report says from the files of the earlier stages.

    Parameters
    ----------
    patient : str
        The patient, whose stages lie under ``output/<patient>/``.
    title : str
        The article's title.

    Returns
    -------
    dict
        What the templates fill in; `pictures` maps each picture's name to its path, `embedded` each figure's label
        to the figure as its notebook shows it (`pages.figures`).

    Raises
    ------
    FileNotFoundError
        If a stage has not left its file; the message names the file, the stage and the command that makes it.
        Comparison, audit and benchmarks may be missing.
    """

    def read(stage, name):
        path = files.stage_output(patient, stage, name)
        if path.suffix == ".csv":
            with open(path, encoding="utf-8", newline="") as table:
                return list(csv.DictReader(table))
        return files.read_json(path) if path.suffix == ".json" else path.read_text(encoding="utf-8")

    metrics, digest = read("evaluate", "metrics.json"), read("explain", "digest.json")
    seizures, claims = read("acquire", "seizures.csv"), read("narrate", "claims.csv")
    errors = read("evaluate", "errors.csv")
    further = _further(patient)
    sanity = read("explain", "sanity.json")
    books = pages.executed(patient, NOTEBOOKS)
    return {
        "patient": patient,
        "title": title,
        "source": read("acquire", "source.json"),
        "recordings": read("acquire", "recordings.csv"),
        "seizures": seizures,
        "left_out": read("acquire", "left_out.csv"),
        "axes": read("preprocess", "axes.json"),
        "training": read("train", "training.json"),
        "settings": files.read_yaml(files.ROOT / "params" / "train.yaml"),
        "runs": _runs(read("evaluate", "events.csv"), seizures),
        "errors": errors,
        "pages": further,
        "books": books,
        "embedded": pages.figures(books),
        "curves": _curves(patient, metrics, read("preprocess", "axes.json")["frame_s"]),
        "costs": costs.read(),
        "provenance": reproduction.read(patient),
        "digest": digest,
        "sanity": sanity,
        "narrative": read("narrate", "narrative.md").strip(),
        "claims": claims,
        "facts": read("narrate", "facts.json"),
        "wordings": _wordings(claims, read("narrate", "model.json")["refused"]),
        "verdicts": _verdicts([row["verdict"] for row in claims]),
        "model": read("narrate", "model.json"),
        "pictures": _pictures(patient, digest, [*further, *(row["file"] for row in errors)]),
        **_scores(metrics, patient),
        **_beside(patient),
    }


def _curves(patient, metrics, frame_s):
    """Return the script that holds the probabilities over time, for the article's interactive figure."""
    parts = ("acquire/recordings", "acquire/seizures", "evaluate/decisions", "evaluate/events")
    found = [pd.read_csv(files.stage_output(patient, *f"{part}.csv".split("/"))) for part in parts]
    return curves.script(curves.probability_data(*found, metrics["folds"], frame_s))


def _scores(metrics, patient):
    """Return what the templates say of ``metrics.json``."""
    why = metrics["undefined"]
    both = {"scores": metrics["samples"], "reference_scores": metrics["reference_prevalence"]}
    reference = shown(tables.REFERENCE, SCORES, {}) if patient == tables.REFERENCE_PATIENT else None
    return {
        "metrics": metrics,
        **{name: shown(values, SCORES | tables.AREAS, why) for name, values in both.items()},
        "event_scores": shown(metrics["events"], tables.EVENTS, tables.NO_EVENTS),
        "intervals": tables.intervals(metrics["intervals"]),
        "inner_blocks": tables.inner_blocks(metrics["folds"]),
        "reference_study": reference,
        "reference_counts": tables.REFERENCE_COUNTS,
    }


def _beside(patient):
    """Return what stands beside the study where it is there, else None: comparison, audit, and the benchmarks."""
    own, benchmark = files.ROOT / "output" / patient / "evaluate", files.ROOT / "output" / "benchmark"
    paths = {
        "comparison": own / "comparison.json",
        "audit": own / "audit.json",
        "baselines": benchmark / "baselines.json",
        "ablation": benchmark / "ablation.json",
    }
    found = {name: files.read_json(path) if path.exists() else None for name, path in paths.items()}
    about = (found["baselines"] or {}).get("about", {})
    return found | {"baselines": tables.baselines(found["baselines"] or {}), "about_baselines": about}


def _further(patient):
    """Return the pages of probability over time, in order: none where the headline shows all recordings."""
    found = files.stage_output(patient, "evaluate", "pages").glob("probability_*.png")
    return [path.name for path in sorted(found, key=lambda path: int(path.stem.split("_")[1]))]


def _runs(alarms, seizures):
    """Count the runs of alarms, and those of them that touch no annotated seizure."""

    def touch(a, b):
        overlap = float(a["start_s"]) < float(b["end_s"]) and float(b["start_s"]) < float(a["end_s"])
        return overlap and a["recording"] == b["recording"]

    outside = [run for run in alarms if not any(touch(run, seizure) for seizure in seizures)]
    return {"number": len(alarms), "outside": len(outside)}


def _verdicts(given):
    """Count the narrative's parts by verdict, as a reader calls it; an unknown one keeps its name."""
    known = [verdict for verdict in VERDICTS if verdict in given]
    order = known + sorted(set(given) - set(known))
    return [f"{given.count(verdict)} {VERDICTS.get(verdict, verdict)}" for verdict in order]


def _wordings(claims, refused):
    """Count the sentences in the model's own words, and those of its sentences that were refused."""
    own = sum(row["wording"] == proofs.MODEL for row in claims)
    return {"own": own, "refused": refused}


def _pictures(patient, digest, further):
    found = {name: files.stage_output(patient, stage, name) for stage, names in PICTURES.items() for name in names}
    found |= {name: files.stage_output(patient, "evaluate", f"pages/{name}") for name in further}
    for sample in digest["samples"] + digest["errors"]:
        expected = [f"sample{sample['sample']}_{picture}.png" for picture in SAMPLE_PICTURES]
        if sample["files"] != expected:
            raise ValueError(f"digest.json lists for sample {sample['sample']} {sample['files']}, expected {expected}")
        beside = [f"sample{sample['sample']}_{picture}.png" for picture in CHANNEL_PICTURES]
        found |= {name: files.stage_output(patient, "explain", f"samples/{name}") for name in (*expected, *beside)}
    return found


def write_reference_form(context, folder):
    """Write `report.md`, the reference study's report, with its pictures beside it, and return its path."""
    for name, path in context["pictures"].items():
        files.write_bytes(Path(folder) / name, path.read_bytes())
    path = Path(folder) / "report.md"
    files.write_text(path, article.form(context))
    return path


def render_study(context, folder):
    """Write the site: the article (`index.html`), the reference's form and the notebooks as pages, with their sources.

    Returns
    -------
    str
        The renderer, as `site.render` calls it.

    Raises
    ------
    RuntimeError, ValueError
        As `site.render` does; and ValueError if the narrative, its claims and its facts do not fit together, or a
        notebook lacks a figure that the article shows.
    """
    titles, sources = article.sources(context)
    again = f"dvc repro -s -f report@{context['patient']}"
    return site.render(titles, sources | context["pictures"], folder, again, site.OVERVIEW)
