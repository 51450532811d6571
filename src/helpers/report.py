"""The report: one reading of what the stages left, written in the reference study's form and as an article."""

import csv
import html
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import jinja2
import pypandoc

from helpers import files, proofs, tables
from helpers.proofs import escape
from helpers.tables import SCORES, shown

QUARTO = (1, 7)  # the oldest Quarto that renders the article as it is meant
READER = "--from=markdown-raw_html-raw_tex-raw_attribute-tex_math_dollars"
STYLES = ("claims.css", "study.scss")  # that Quarto reads beside the article
TEMPLATES = Path(__file__).parent / "templates"
PICTURES = {
    "acquire": ["timeline.png", "traces.png"],
    "preprocess": ["spectrogram.png"],
    "evaluate": [
        "confusion_matrices.png",
        "confusion_matrix.png",
        "learning_curves.png",
        "probability.png",
        "reliability.png",
        "roc_pr.png",
        "threshold_choice.png",
    ],
    "explain": [
        "deletion.png",
        "legend_gradcam.png",
        "legend_spectrogram.png",
        "onsets.png",
        "profiles.png",
        "randomised.png",
    ],
}
FORM_ONLY = {"confusion_matrix.png"}  # in report.md; the article has both prevalences
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
        What the templates fill in; `pictures` maps each picture's name to its path.

    Raises
    ------
    FileNotFoundError
        If a stage has not left its file; the message names the file, the stage and the command that makes it.
        Comparison, audit and benchmarks may be missing.
    """

    def read(stage, name):
        path = files.made_by(patient, stage, name)
        if path.suffix == ".csv":
            with open(path, encoding="utf-8", newline="") as table:
                return list(csv.DictReader(table))
        return files.read_json(path) if path.suffix == ".json" else path.read_text(encoding="utf-8")

    metrics, digest = read("evaluate", "metrics.json"), read("explain", "digest.json")
    seizures, claims = read("acquire", "seizures.csv"), read("narrate", "claims.csv")
    errors = read("evaluate", "errors.csv")
    pages = _pages(patient)
    sanity = read("explain", "sanity.json")
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
        "pages": pages,
        "digest": digest,
        "sanity": sanity,
        "narrative": read("narrate", "narrative.md").strip(),
        "claims": claims,
        "facts": read("narrate", "facts.json"),
        "wordings": _wordings(claims),
        "verdicts": _verdicts([row["verdict"] for row in claims]),
        "model": read("narrate", "model.json"),
        "pictures": _pictures(patient, digest, [*pages, *(row["file"] for row in errors)], bool(sanity["truth"])),
        **_scores(metrics, patient),
        **_beside(patient),
    }


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


def _pages(patient):
    """Return the pages of probability over time, in order: none where the headline shows all recordings."""
    found = files.made_by(patient, "evaluate", "pages").glob("probability_*.png")
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


def _wordings(claims):
    """Count the sentences in the model's own words, and those of its sentences that were refused."""
    own = sum(row["wording"] == proofs.MODEL for row in claims)
    return {"own": own, "refused": sum(int(row["refused"]) for row in claims)}


def _pictures(patient, digest, pages, simulated):
    found = {name: files.made_by(patient, stage, name) for stage, names in PICTURES.items() for name in names}
    found |= {name: files.made_by(patient, "evaluate", f"pages/{name}") for name in pages}
    if simulated:
        found["truth.png"] = files.made_by(patient, "explain", "truth.png")
    for sample in digest["samples"] + digest["errors"]:
        expected = [f"sample{sample['sample']}_{picture}.png" for picture in SAMPLE_PICTURES]
        if sample["files"] != expected:
            raise ValueError(f"digest.json lists for sample {sample['sample']} {sample['files']}, expected {expected}")
        beside = [f"sample{sample['sample']}_{picture}.png" for picture in CHANNEL_PICTURES]
        found |= {name: files.made_by(patient, "explain", name) for name in (*expected, *beside)}
    return found


def write_reference_form(context, folder):
    """Write `report.md`, the reference study's report, with its pictures beside it, and return its path."""
    _lay(context["pictures"], folder)
    return _fill("report.md.j2", context, Path(folder) / "report.md")


def render_study(context, folder):
    """Write `index.qmd`, the article, and render it to `index.html`, one file that needs nothing beside it.

    Returns
    -------
    str
        ``"Quarto <version>"``, or ``"pandoc"`` where no Quarto of 1.7 or newer is on PATH.

    Raises
    ------
    RuntimeError
        If the renderer fails or a cross-reference leads nowhere; the message is the renderer's.
    ValueError
        If the narrative, its claims and its facts do not fit together.
    """
    beside = context["pictures"] | {name: TEMPLATES / name for name in STYLES}
    told = proofs.narrated(context["narrative"], context["claims"], context["facts"], _anchors(context))
    source = _fill("index.qmd.j2", context | {"told": told}, Path(folder) / "index.qmd")
    _lay(beside, folder)
    version = quarto_version()
    full = version is not None and tuple(map(int, re.findall(r"\d+", version)[:2])) >= QUARTO
    # Apart from the project, so that no _quarto.yml above has a say and no half-made page is left behind.
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copyfile(source, Path(scratch, source.name))
        _lay(beside, scratch)
        if full:
            _run(["quarto", "render", source.name, "--to", "html", "--no-execute"], scratch)
        else:
            _render_plain(scratch, source.name, _banner(version, context["patient"]))
        page = Path(scratch, "index.html").read_text(encoding="utf-8")
    if lost := sorted(set(re.findall(r"\?@[\w-]+", page))):
        raise RuntimeError(f"cross-references in {source.name} lead nowhere: {', '.join(lost)}")
    files.write_text(Path(folder) / "index.html", page)
    return f"Quarto {version}" if full else "pandoc"


def _anchors(context):
    """Return the figures and tables that the article will have: which, depends on the study."""
    return set(re.findall(r"\{#((?:fig|tbl)-[\w-]+)", _text("index.qmd.j2", context | {"told": ""})))


def quarto_version():
    """Return the version that the Quarto on PATH gives, or None where there is none."""
    return _run(["quarto", "--version"]).strip() if shutil.which("quarto") else None


def _render_plain(scratch, name, banner):
    # A warning is a failure here: a picture that cannot be embedded is only warned of.
    command = [f"{Path(pypandoc.__file__).parent}/files/pandoc", name, READER, "--to=html5", "--standalone"]
    command += ["--embed-resources", "--fail-if-warnings", "--mathml", "--wrap=none", "--toc", "--toc-depth=3"]
    command += [f"--template={TEMPLATES / 'plain.html'}"]
    command += [f"--css={TEMPLATES / style}" for style in ("plain.css", "claims.css")]
    command += [f"--lua-filter={TEMPLATES / 'plain.lua'}", f"--variable=banner:{banner}", "--output=index.html"]
    _run(command, scratch)


def _banner(version, patient):
    found = f"Quarto {html.escape(version)} was found, which is too old" if version else "Quarto was not found"
    wanted = ".".join(map(str, QUARTO))
    return (
        f"<strong>This is the plain rendering of the study</strong>: {found}. For the full one, install Quarto "
        f'{wanted} or newer from <a href="https://quarto.org/docs/get-started/">quarto.org</a> and run '
        f"<code>dvc repro -s -f report@{html.escape(patient)}</code>."
    )


def _run(command, folder=None):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name} failed with exit code {done.returncode}:\n{done.stderr.strip()}")
    return done.stdout


def _lay(sources, folder):
    for name, path in sources.items():
        with files.whole(Path(folder) / name) as partial:
            shutil.copyfile(path, partial)


def _fill(template, context, path):
    files.write_text(path, _text(template, context))
    return path


def _text(template, context):
    # An undefined name raises: a hole in a report must not look like a short sentence.
    world = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        comment_start_string="{##",  # Jinja's own, "{#", is how Quarto writes a label
        comment_end_string="##}",
    )
    # Jinja's own float filter makes 0.0 of what is no number; Python's raises.
    world.filters.update(md=escape, quoted=_quoted, tame=proofs.tame, power=_power, float=float, spanned=tables.spanned)
    labels = {"labels": SCORES, "area_labels": tables.AREAS, "event_labels": tables.EVENTS, "own_mark": proofs.OWN}
    return world.get_template(template).render(context, **labels)


def _quoted(text):
    return re.sub(r'(["\\&])', r"\\\1", text)


def _power(text):
    """Return a power as Markdown: "10^47" with its exponent raised."""
    return re.sub(r"\^(\d+)$", r"^\1^", text) if re.fullmatch(r"\d+(\^\d+)?", text) else escape(text)
