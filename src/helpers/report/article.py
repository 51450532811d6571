"""The article: everything that the report says, read from the stages' files and filled into the templates."""

import csv
import functools
import json
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path

import jinja2
import nbformat
import yaml

from helpers.acquire.annotations import Annotations, overlap_s
from helpers.report import markup, pages, proofs, site, tables
from helpers.report.site import TEMPLATES
from helpers.study import files

NOTEBOOKS = ("01_acquire", "02_preprocess", "03_train", "04_evaluate", "05_explain", "06_narrate")
REPORT = "07_report"  # makes the site, so its page shows the source notebook
ASSETS = ("claims.css", "widgets.css", "study.scss", "light.scss", "dark.scss", "widths.lua", "page.js")
# Pictures of report.md, besides those of its samples. The article takes its figures from the executed notebooks.
PICTURES = {"evaluate": ["confusion_matrix.png"], "explain": ["legend_gradcam.png", "legend_spectrogram.png"]}
SAMPLE_PICTURES = ["spec_triptych", "gradcam", "gradcampp", "ig_triptych", "ig_t0", "ig_t1", "ig_t2"]
CHANNEL_PICTURES = ["channels", "traces"]  # of a sample, in the article alone
FORM_ALTS = {  # alt texts of the pictures of report.md on its page
    "confusion_matrix": "Confusion matrix over all samples: true class by row, predicted class by column.",
    "legend_spectrogram": "Color bar from dark to bright: low to high power.",
    "legend_gradcam": "Color bar from blue to red: low to high importance.",
    "spec_triptych": "Spectrograms of the three frames",
    "gradcam": "Grad-CAM over the three spectrograms",
    "gradcampp": "Grad-CAM++ over the three spectrograms",
    "ig_triptych": "Integrated gradients of the three frames",
}
# How a part of the narrative was proven, in the order in which the report counts them.
VERDICTS = {"proven": "proven by the facts", "numbers proven": "with proven numbers", "fixed text": "fixed text"}
PACKAGES = ("captum", "dvc", "edfio", "mne", "numpy", "pandas", "papermill", "scikit-learn", "scipy", "timescoring")
PACKAGES += ("torch", "transformers")


def compose(patient, title):
    """Read everything that the report says from the files of the earlier stages.

    Returns
    -------
    dict
        The names that the templates use. ``pictures`` maps each picture's name to its path, ``figures`` each label to
        the figure as its notebook shows it (`pages.figures`).

    Raises
    ------
    FileNotFoundError
        If a stage has not left its file; the message names the file, the stage and the command that makes it.
    """

    def read(stage, name):
        path = files.stage_output(patient, stage, name)
        if path.suffix == ".csv":
            with open(path, encoding="utf-8", newline="") as table:
                return list(csv.DictReader(table))
        return files.read_json(path) if path.suffix == ".json" else path.read_text(encoding="utf-8")

    metrics, digest = read("evaluate", "metrics.json"), read("explain", "digest.json")
    claims, errors = read("narrate", "claims.csv"), read("evaluate", "errors.csv")
    model = read("narrate", "model.json")
    scores = {"scores": metrics["samples"], "reference_scores": metrics["reference_prevalence"]}
    folder = files.stage_output(patient, "evaluate", "pages")
    probability_pages = [f"probability_{number + 1}.png" for number in range(len(list(folder.glob("probability_*"))))]
    notebooks = pages.read_executed(patient, NOTEBOOKS)
    return {
        "patient": patient,
        "title": title,
        "source": read("acquire", "source.json"),
        "recordings": read("acquire", "recordings.csv"),
        "seizures": read("acquire", "seizures.csv"),
        "left_out": read("acquire", "left_out.csv"),
        "axes": read("preprocess", "axes.json"),
        "training": read("train", "training.json"),
        "settings": files.read_yaml(files.ROOT / "params" / "train.yaml"),
        "metrics": metrics,
        **{name: tables.print_scores(values, metrics["undefined"]) for name, values in scores.items()},
        "event_scores": tables.print_scores(metrics["events"], tables.NO_EVENTS, tables.EVENTS),
        "intervals": tables.intervals(metrics["intervals"]),
        "inner_blocks": tables.inner_blocks(metrics["folds"]),
        "alarms": _count_alarms(read("evaluate", "events.csv"), Annotations.read(patient)),
        "errors": errors,
        "comparison": read("evaluate", "comparison.json"),
        "audit": read("evaluate", "audit.json"),
        "reference_study": tables.reference_study(patient),
        "probability_pages": probability_pages,
        "notebooks": notebooks,
        "figures": pages.figures(notebooks),
        "digest": digest,
        "sanity": read("explain", "sanity.json"),
        "narrative": read("narrate", "narrative.md").strip(),
        "claims": claims,
        "facts": read("narrate", "facts.json"),
        "wordings": {"own": sum(row["wording"] == proofs.MODEL for row in claims), "refused": model["refused"]},
        "verdicts": _count_verdicts([row["verdict"] for row in claims]),
        "model": model,
        "pictures": _pictures(patient, digest, [*probability_pages, *(row["file"] for row in errors)]),
        "commit": commit(),
        "versions": {"Python": platform.python_version()} | {name: metadata.version(name) for name in PACKAGES},
    }


def _count_alarms(alarms, annotations):
    """Count the alarms, and those of them that overlap no annotated seizure."""
    ends = [(float(row["start_s"]), float(row["end_s"]), annotations.spans(row["recording"])) for row in alarms]
    return {"number": len(alarms), "outside": sum(not overlap_s(*one) for one in ends)}


def _count_verdicts(verdicts):
    """Count the narrative's parts by verdict, as a reader calls it; an unknown one keeps its name."""
    order = dict.fromkeys([*VERDICTS, *sorted(set(verdicts))])
    return [f"{verdicts.count(name)} {VERDICTS.get(name, name)}" for name in order if name in verdicts]


def _pictures(patient, digest, evaluated):
    """Return the pictures that lie beside the report, by name: paths of the stages' files."""
    found = {name: files.stage_output(patient, stage, name) for stage, names in PICTURES.items() for name in names}
    found |= {name: files.stage_output(patient, "evaluate", f"pages/{name}") for name in evaluated}
    for sample in digest["samples"] + digest["errors"]:
        expected = [f"sample{sample['sample']}_{picture}.png" for picture in SAMPLE_PICTURES]
        if sample["files"] != expected:
            raise ValueError(f"digest.json lists for sample {sample['sample']} {sample['files']}, expected {expected}")
        expected += [f"sample{sample['sample']}_{picture}.png" for picture in CHANNEL_PICTURES]
        found |= {name: files.stage_output(patient, "explain", f"samples/{name}") for name in expected}
    return found


def commit():
    """Return the code's commit as `git describe` names it, or "unknown" where there is no git or no repository."""
    command = ["git", "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, cwd=files.ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def write_report(context, folder):
    """Write ``report.md``, the report in the reference study's form, with its pictures beside it; return its path."""
    for name, path in context["pictures"].items():
        files.write_bytes(Path(folder) / name, path.read_bytes())
    files.write_text(Path(folder) / "report.md", fill("report.md.j2", context))
    return Path(folder) / "report.md"


def write_site(context, folder):
    """Write the site: the article, the reference's form and the notebooks; return and raise as `site.render`."""
    titles, contents = sources(context)
    again = f"dvc repro -s -f report@{context['patient']}"
    return site.render(titles, contents | context["pictures"], folder, again, site.OVERVIEW)


def sources(context):
    """Return the site's pages and its files, as `site.render` takes them.

    Raises ValueError if the narrative does not fit its claims and facts, or a notebook lacks a figure of the article.
    """
    _check_figures(context)
    context = context | {"checklist": checklist(context), "overview": site.OVERVIEW}
    anchors = set(re.findall(r"\{#((?:fig|tbl)-[\w-]+)", fill("index.qmd.j2", context | {"annotated_narrative": ""})))
    narrative = proofs.annotate(context["narrative"], context["claims"], context["facts"], anchors)
    titles = {"index.qmd": "The study", "report.qmd": "In the reference's form"}
    found = {name: TEMPLATES / name for name in (*ASSETS, "references.bib")}
    source = nbformat.read(files.ROOT / "notebooks" / f"{REPORT}.ipynb", as_version=4)
    for name, notebook in {**context["notebooks"], REPORT: source}.items():
        titles[f"notebooks/{name}.ipynb"] = pages.title(notebook)
        found[f"notebooks/{name}.ipynb"] = nbformat.writes(pages.page(notebook, context["patient"]))
    context |= {"annotated_narrative": narrative, "titles": titles}
    found |= {name: fill(f"{name}.j2", context) for name in ("_quarto.yml", "index.qmd", "report.md")}
    found["report.qmd"] = _page_of_form(found["report.md"], context["digest"])
    return titles, found | {f"figures/{label}.png": figure["png"] for label, figure in context["figures"].items()}


def _check_figures(context):
    """Raise ValueError if a notebook lacks a figure that the article shows."""
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(TEMPLATES.rglob("*.j2")))
    wanted = set(re.findall(r'embed\("(fig-[\w-]+)"', text)) - (set() if context["sanity"]["truth"] else {"fig-truth"})
    if missing := sorted(wanted - set(context["figures"])):
        raise ValueError(
            f"The executed notebooks in output/{context['patient']}/notebooks show no figure labelled "
            f"{', '.join(missing)}, which the article takes from them. Run `dvc repro report@{context['patient']}`."
        )


def _page_of_form(text, digest):
    """Return ``report.md`` as a page of the site: its title in a header, and alt texts for its pictures."""
    samples = {sample["sample"]: sample for sample in digest["samples"]}

    def describe(match):
        alt = FORM_ALTS.get(match[1].removesuffix(".png"))
        if number := re.match(r"sample(\d+)_(\w+)\.png", match[1]):
            sample = samples[int(number[1])]
            span = f"{sample['recording']}, {sample['start_s']:g} to {sample['end_s']:g} s"
            alt = f"{FORM_ALTS[number[2]]} of sample {number[1]}, {span}."
        return f'![]({match[1]}){{fig-alt="{markup.escape_attribute(alt)}"}}'

    title, _, body = text.partition("\n")
    head = f"title: {json.dumps(title.removeprefix('# '), ensure_ascii=False)}\nlang: en\nengine: markdown"
    return f"---\n{head}\n---\n" + re.sub(r"!\[\]\(([\w.]+)\)", describe, body)


def fill(template, context):
    """Return a template filled in; a name that it uses and the context lacks is an error."""
    constants = {"labels": tables.SCORES, "area_labels": tables.AREAS, "event_labels": tables.EVENTS}
    constants |= {"own_mark": proofs.OWN, "reference_counts": tables.REFERENCE_COUNTS}
    return _environment(TEMPLATES).get_template(template).render(context, **constants)


@functools.cache
def _environment(folder):
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        comment_start_string="{##",  # Jinja's own, "{#", is how Quarto writes a label
        comment_end_string="##}",
    )
    environment.filters |= {
        "md": markup.escape,
        "quoted": markup.escape_attribute,
        "narrative": markup.escape_narrative_lightly,
        "float": float,  # Jinja's own turns what is no number into 0.0
        "interval": tables.with_interval,
    }
    return environment


def checklist(context):
    """Return the items of TRIPOD+AI in order, each with its section, topic, what it asks, and this study's answer."""
    keys = ("number", "section", "topic", "applies", "asks", "answer")
    return [
        dict(zip(keys, (number, section, topic, *item), strict=True))
        for section, topics in yaml.safe_load(fill("tripod.yaml.j2", context)).items()
        for topic, items in topics.items()
        for number, item in items.items()
    ]
