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

from helpers import files

QUARTO = (1, 7)  # the oldest Quarto that renders the article as it is meant
READER = "--from=markdown-raw_html-raw_tex-raw_attribute-tex_math_dollars"
TEMPLATES = Path(__file__).parent / "templates"
PICTURES = {
    "acquire": ["timeline.png", "traces.png"],
    "preprocess": ["spectrogram.png"],
    "evaluate": ["confusion_matrix.png", "learning_curves.png", "probability.png"],
    "explain": ["legend_spectrogram.png", "legend_gradcam.png"],
}
SAMPLE_PICTURES = ["spec_triptych", "gradcam", "gradcampp", "ig_triptych", "ig_t0", "ig_t1", "ig_t2"]
# The reference's six metrics, in its order, with its labels and formats.
SCORES = {
    "accuracy": ("Accuracy", "{:.2%}"),
    "sensitivity": ("Sensitivity", "{:.2%}"),
    "specificity": ("Specificity", "{:.2%}"),
    "f1": ("F1", "{:.4f}"),
    "weighted_f1": ("Weighted F1", "{:.4f}"),
    "threshold": ("Best threshold", "{:.2f}"),
}
EVENTS = {
    "seizures": ("Seizures", "{}"),
    "detected": ("Detected", "{}"),
    "false_alarms": ("False alarms", "{}"),
    "sensitivity": ("Sensitivity", "{:.2%}"),
    "precision": ("Precision", "{:.2%}"),
    "f1": ("F1", "{:.4f}"),
    "fp_per_24h": ("False positives per 24 h", "{:.1f}"),
}
# Scores with intervals: where in metrics.json, label, format.
INTERVALS = {
    ("samples", "sensitivity"): ("Sensitivity, samples", "{:.1%}"),
    ("samples", "specificity"): ("Specificity, samples", "{:.1%}"),
    ("samples", "balanced_accuracy"): ("Balanced accuracy, samples", "{:.1%}"),
    ("samples", "f1"): ("F1, samples", "{:.3f}"),
    ("ranking", "auroc"): ("AUROC", "{:.3f}"),
    ("ranking", "auprc"): ("AUPRC", "{:.3f}"),
    ("events", "sensitivity"): ("Sensitivity, events", "{:.1%}"),
    ("events", "precision"): ("Precision, events", "{:.1%}"),
    ("events", "f1"): ("F1, events", "{:.3f}"),
    ("events", "fp_per_24h"): ("False positives per 24 h", "{:.1f}"),
    ("seizures", "found"): ("Seizures found (Wilson)", "{:.1%}"),
    ("seizures", "median_latency_s"): ("Median latency (s)", "{:.1f}"),
}
# How a part of the narrative was proven, in the order in which the report counts them.
VERDICTS = {"proven": "proven by the facts", "no claim": "without a claim", "fixed text": "fixed text written by code"}
# Why an event score can be undefined: there is nothing to divide by.
NO_EVENTS = {
    "sensitivity": "there is no seizure",
    "precision": "nothing was decided seizure",
    "f1": "there is no seizure, and nothing was decided seizure",
    "fp_per_24h": "there is no recording",
}


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
    """

    def read(stage, name):
        path = files.made_by(patient, stage, name)
        if path.suffix == ".csv":
            with open(path, encoding="utf-8", newline="") as table:
                return list(csv.DictReader(table))
        return files.read_json(path) if path.suffix == ".json" else path.read_text(encoding="utf-8")

    metrics, digest = read("evaluate", "metrics.json"), read("explain", "digest.json")
    seizures, claims = read("acquire", "seizures.csv"), read("narrate", "claims.csv")
    return {
        "patient": patient,
        "title": title,
        "source": read("acquire", "source.json"),
        "recordings": read("acquire", "recordings.csv"),
        "seizures": seizures,
        "left_out": read("acquire", "left_out.csv"),
        "axes": read("preprocess", "axes.json"),
        "training": read("train", "training.json"),
        "metrics": metrics,
        "scores": shown(metrics["samples"], SCORES, metrics["undefined"]),
        "reference_scores": shown(metrics["reference_prevalence"], SCORES, metrics["undefined"]),
        "runs": _runs(read("evaluate", "events.csv"), seizures),
        "event_scores": shown(metrics["events"], EVENTS, NO_EVENTS),
        "intervals": _intervals(metrics["intervals"]),
        "digest": digest,
        "narrative": read("narrate", "narrative.md").strip(),
        "claims": claims,
        "verdicts": _verdicts([row["verdict"] for row in claims]),
        "model": read("narrate", "model.json"),
        "pictures": _pictures(patient, digest),
    }


def shown(values, forms, undefined):
    """Return each value as the report prints it, by key; one that is None says that it is undefined, and why.

    >>> shown({"f1": None}, {"f1": ("F1", "{:.4f}")}, {"f1": "no seizure sample"})
    {'f1': 'undefined (no seizure sample)'}
    """
    return {
        key: form.format(values[key]) if values[key] is not None else _undefined(undefined.get(key))
        for key, (_, form) in forms.items()
    }


def _intervals(found):
    """Return (label, value, interval) as printed for each score of `INTERVALS`."""
    rows = []
    for (kind, name), (label, form) in INTERVALS.items():
        score = found[kind][name]
        value, low, high = (
            "undefined" if score[key] is None else form.format(score[key]).replace("-", "−")
            for key in ("value", "low", "high")
        )
        rows.append((label, value, f"none: {score['reason']}" if score["reason"] else f"{low} to {high}"))
    return rows


def _runs(decided, seizures):
    """Count the runs of samples decided seizure, and those of them that touch no annotated seizure."""

    def touch(a, b):
        overlap = float(a["start_s"]) < float(b["end_s"]) and float(b["start_s"]) < float(a["end_s"])
        return overlap and a["recording"] == b["recording"]

    outside = [run for run in decided if not any(touch(run, seizure) for seizure in seizures)]
    return {"number": len(decided), "outside": len(outside)}


def _verdicts(given):
    """Count the narrative's parts by verdict, as a reader calls it; an unknown one keeps its name."""
    known = [verdict for verdict in VERDICTS if verdict in given]
    order = known + sorted(set(given) - set(known))
    return [f"{given.count(verdict)} {VERDICTS.get(verdict, verdict)}" for verdict in order]


def _undefined(reason):
    return f"undefined ({reason})" if reason else "undefined"


def _pictures(patient, digest):
    found = {name: files.made_by(patient, stage, name) for stage, names in PICTURES.items() for name in names}
    for sample in digest["samples"]:
        expected = [f"sample{sample['sample']}_{picture}.png" for picture in SAMPLE_PICTURES]
        if sample["files"] != expected:
            raise ValueError(f"digest.json lists for sample {sample['sample']} {sample['files']}, expected {expected}")
        found |= {name: files.made_by(patient, "explain", name) for name in expected}
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
    """
    beside = context["pictures"] | {"study.scss": TEMPLATES / "study.scss"}
    source = _fill("index.qmd.j2", context, Path(folder) / "index.qmd")
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


def quarto_version():
    """Return the version that the Quarto on PATH gives, or None where there is none."""
    return _run(["quarto", "--version"]).strip() if shutil.which("quarto") else None


def _render_plain(scratch, name, banner):
    # A warning is a failure here: a picture that cannot be embedded is only warned of.
    command = [f"{Path(pypandoc.__file__).parent}/files/pandoc", name, READER, "--to=html5", "--standalone"]
    command += ["--embed-resources", "--fail-if-warnings", "--mathml", "--wrap=none", "--toc", "--toc-depth=3"]
    command += [f"--template={TEMPLATES / 'plain.html'}", f"--css={TEMPLATES / 'plain.css'}"]
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
    world.filters.update(md=escape, quoted=_quoted, harmless=harmless, float=float)
    files.write_text(path, world.get_template(template).render(context, labels=SCORES, event_labels=EVENTS))
    return path


def escape(text):
    """Escape what Markdown would take for markup in a name that comes from a file."""
    return re.sub(r"([!-&*+<=>?@\[-`{-~])", r"\\\1", " ".join(str(text).split()))


def _quoted(text):
    return re.sub(r'(["\\&])', r"\\\1", text)


def harmless(text):
    """Return a narrative whose headings (one level down), lists, emphasis and words of code work, and no more.

    The text is a model's: HTML, links, pictures, references, blocks of code and Quarto's shortcodes in it are shown
    as they stand, never followed.
    """
    return "\n".join(map(_harmless_line, text.splitlines()))


def _harmless_line(line):
    mark, rest = re.fullmatch(r"(#{1,5} +|\s*(?:[-*]|\d+\.) +)?(.*)", line).groups()
    # What is escaped already stays so, and so does a word of code; a line that starts like a rule, a fence or a
    # metadata block gets a backslash.
    kept, markup = r"\\[!-/:-@\[-`{-~]|`\w[\w ./:+-]*`", r"[$&+<=>@\[\\\]^`{|}~#!]"
    rest = re.sub(f"({kept})|({markup})", lambda match: match[1] or "\\" + match[2], rest)
    rest = re.sub(r"^(\s*)([-:%])", r"\1\\\2", rest)
    return ("#" if (mark or "").startswith("#") else "") + (mark or "") + rest
