"""Pages: the executed notebooks as pages of the study's site, and their figures for its article, by label."""

import base64
import copy
import itertools
import json

import nbformat
import yaml

from helpers.report import markup
from helpers.study import files

PICTURE = "image/png"
# What stands over the folded code of cells that papermill knows; over any other: "Code".
SUMMARIES = {"parameters": "Parameters and their defaults", "injected-parameters": "Parameters of this run"}
WITHOUT_RESULTS = (
    "*This notebook made the site that you are reading. It is shown without its results; the executed notebook is in "
    "`output/{}/notebooks/`.*"
)


def options(source):
    """Return the options of a code cell: the YAML in its first lines that begin with ``#|``.

    >>> options('#| label: fig-a\\n#| fig-alt: "A line."\\nx = 1')
    {'label': 'fig-a', 'fig-alt': 'A line.'}
    """
    lines = itertools.takewhile(lambda line: line.startswith("#|"), source.splitlines())
    return yaml.safe_load("\n".join(line[2:].strip() for line in lines)) or {}


def read_executed(patient, notebooks):
    """Return the executed `notebooks` of a patient by name; FileNotFoundError names the stage that has not run."""
    found = {}
    for name in notebooks:
        path = files.stage_output(patient, name.partition("_")[2], f"../notebooks/{name}.ipynb")
        found[name] = nbformat.read(path, as_version=4)
    return found


def figures(notebooks):
    """Return the labelled figures of executed notebooks.

    Returns
    -------
    dict
        By label (``fig-…``): ``notebook``, its ``title``, ``caption``, ``alt``, and ``png``, the picture's bytes. A
        cell that shows nothing, as there was nothing to show, has no figure.

    Raises
    ------
    ValueError
        If a label stands twice, or a labelled cell lacks caption or alt text or shows more than one picture.
    """
    found = {}
    for name, notebook in notebooks.items():
        for cell in notebook.cells:
            cell_options = options(cell.source) if cell.cell_type == "code" else {}
            label, pictures = str(cell_options.get("label", "")), _pictures(cell)
            if not label.startswith("fig-") or not pictures:
                continue
            if label in found:
                pair = f"{found[label]['notebook']} and {name}"
                raise ValueError(f"{pair} both have a figure labelled {label}. Rename one.")
            if missing := [key for key in ("fig-cap", "fig-alt") if not cell_options.get(key)]:
                raise ValueError(f"{name}: the figure labelled {label} has no {missing[0]}. Add `#| {missing[0]}: …`.")
            if len(pictures) > 1:
                raise ValueError(f"{name}: the cell labelled {label} shows {len(pictures)} figures; split it.")
            words = {"title": title(notebook), "caption": cell_options["fig-cap"], "alt": cell_options["fig-alt"]}
            found[label] = {"notebook": name, **words, "png": base64.b64decode(pictures[0])}
    return found


def _pictures(cell):
    return [output.data[PICTURE] for output in cell.get("outputs", []) if PICTURE in output.get("data", {})]


def title(notebook):
    """Return a notebook's title: the heading that it begins with; ValueError if it begins with none."""
    first = notebook.cells[0].source.partition("\n")[0]
    if not first.startswith("# "):
        raise ValueError(f"A notebook begins with {first!r}; it must begin with a heading, '# 1 · Title'.")
    return first.removeprefix("# ").strip()


def page(notebook, patient):
    """Return a notebook as a page: each picture with its alt text, and no markup followed in what its cells print.

    Raises ValueError if it does not begin with a heading, or a cell shows pictures without alt text.
    """
    notebook, heading = copy.deepcopy(notebook), title(notebook)
    if not any(cell.get("outputs") for cell in notebook.cells):
        first = notebook.cells[0]
        first.source = first.source.replace("\n", f"\n\n{WITHOUT_RESULTS.format(patient)}\n", 1)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            _describe_pictures(cell, heading)
            _escape_outputs(cell)
            for tag, summary in SUMMARIES.items():
                if tag in cell.metadata.get("tags", []):
                    cell.source = f"#| code-summary: {summary}\n{cell.source}"
    return notebook


def _describe_pictures(cell, heading):
    """Number the alt texts of a cell that shows several pictures; ValueError if one has none."""
    pictures, alt = [PICTURE in output.get("data", {}) for output in cell.outputs], options(cell.source).get("fig-alt")
    if any(pictures) and not alt:
        start = repr(cell.source[:60])
        raise ValueError(f"{heading}: a cell shows a picture without alt text: {start}. Give it `#| fig-alt`.")
    if sum(pictures) > 1:
        # One for each output, as Quarto counts them: empty for those that are no pictures.
        total, counts = sum(pictures), itertools.accumulate(pictures)
        alts = [f"{alt.rstrip('.')}, {n} of {total}." * shows for n, shows in zip(counts, pictures, strict=True)]
        line = next(line for line in cell.source.splitlines() if line.startswith("#| fig-alt"))
        cell.source = cell.source.replace(line, f"#| fig-alt: {json.dumps(alts, ensure_ascii=False)}", 1)


def _escape_outputs(cell):
    """Escape the Markdown and text that a cell printed: recordings' names and a model's text are in them."""
    cell.source = markup.break_shortcodes(cell.source)
    for output in cell.outputs:
        data = output.get("data", {})
        if len(data) > 1:
            data.pop("text/plain", None)  # stands for the rest where that cannot be shown
        if "text/markdown" in data:
            data["text/markdown"] = markup.escape_narrative(data["text/markdown"])
        for texts, key in ((output, "text"), (data, "text/plain")):
            if key in texts:
                texts[key] = markup.break_shortcodes(texts[key])
