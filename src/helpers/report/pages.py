"""Pages: the executed notebooks as pages of the study's site, and their figures for its article, by label."""

import base64
import copy
import itertools
import json

import nbformat
import yaml

from helpers.report import proofs
from helpers.study import files

PICTURE = "image/png"
# What stands over the folded code of cells that papermill knows; over any other: "Code".
SUMMARIES = {"parameters": "Parameters and their defaults", "injected-parameters": "Parameters of this run"}
MADE_HERE = (
    "*This notebook made the site that you are reading. So it stands here as it is written, without its results; as "
    "executed it lies in `output/{}/notebooks/`.*"
)


def options(source):
    """Return the options of a code cell: the YAML in its first lines that begin with ``#|``.

    >>> options('#| label: fig-a\\n#| fig-alt: "A line."\\nx = 1')
    {'label': 'fig-a', 'fig-alt': 'A line.'}
    """
    lines = itertools.takewhile(lambda line: line.startswith("#|"), source.splitlines())
    return yaml.safe_load("\n".join(line[2:].strip() for line in lines)) or {}


def executed(patient, notebooks):
    """Return the executed `notebooks` of a patient, by name, as `nbformat` reads them.

    Raises
    ------
    FileNotFoundError
        If a stage has not left its notebook; the message names the command that makes it.
    """
    paths = {
        name: files.stage_output(patient, name.partition("_")[2], f"../notebooks/{name}.ipynb") for name in notebooks
    }
    return {name: nbformat.read(path, as_version=4) for name, path in paths.items()}


def figures(books):
    """Return the labelled figures of executed notebooks.

    Parameters
    ----------
    books : dict
        Executed notebooks by name.

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
    for name, book in books.items():
        for cell in book.cells:
            said = options(cell.source) if cell.cell_type == "code" else {}
            label, shown = str(said.get("label", "")), _pictures(cell)
            if not label.startswith("fig-") or not shown:
                continue
            if label in found:
                raise ValueError(
                    f"{found[label]['notebook']} and {name} both have a figure labelled {label}. Rename one."
                )
            if missing := [key for key in ("fig-cap", "fig-alt") if not said.get(key)]:
                raise ValueError(
                    f"{name}: the figure labelled {label} has no {' and no '.join(missing)}. Add `#| {missing[0]}: …`."
                )
            if len(shown) > 1:
                raise ValueError(
                    f"{name}: the cell labelled {label} shows {len(shown)} figures; wanted is one. Part it."
                )
            png = base64.b64decode(shown[0])
            found[label] = {
                "notebook": name,
                "title": title(book),
                "caption": said["fig-cap"],
                "alt": said["fig-alt"],
                "png": png,
            }
    return found


def _pictures(cell):
    return [output.data[PICTURE] for output in cell.get("outputs", []) if PICTURE in output.get("data", {})]


def title(book):
    """Return a notebook's title: the heading that it begins with.

    Raises
    ------
    ValueError
        If it does not begin with one.
    """
    first = book.cells[0].source.partition("\n")[0]
    if not first.startswith("# "):
        raise ValueError(f"a notebook begins with {first!r}; wanted is a heading, '# 1 · Title'.")
    return first.removeprefix("# ").strip()


def page(book, patient):
    """Return a notebook as a page: each picture with its alt text, and nothing followed that a model wrote.

    Raises
    ------
    ValueError
        If it does not begin with a heading, or a cell shows pictures without alt text.
    """
    book, called = copy.deepcopy(book), title(book)
    if not any(cell.get("outputs") for cell in book.cells):
        book.cells[0].source = book.cells[0].source.replace("\n", f"\n\n{MADE_HERE.format(patient)}\n", 1)
    for cell in book.cells:
        if cell.cell_type == "code":
            _describe(cell, called)
            for tag, summary in SUMMARIES.items():
                if tag in cell.metadata.get("tags", []):
                    cell.source = f"#| code-summary: {summary}\n{cell.source}"
    return book


def _describe(cell, where):
    """Give each picture of a cell its alt text, and show what a model wrote as text."""
    shown, said = _pictures(cell), options(cell.source)
    if shown and not said.get("fig-alt"):
        raise ValueError(
            f"{where}: a cell shows a picture without alt text: {cell.source[:60]!r}. Give it `#| fig-alt`."
        )
    if len(shown) > 1:
        was = next(line for line in cell.source.splitlines() if line.startswith("#| fig-alt"))
        cell.source = cell.source.replace(
            was, f"#| fig-alt: {json.dumps(_each(cell, said['fig-alt']), ensure_ascii=False)}", 1
        )
    for output in cell.outputs:
        data = output.get("data", {})
        if len(data) > 1:
            data.pop("text/plain", None)  # stands for the rest where that cannot be shown
        if "text/markdown" in data:
            data["text/markdown"] = proofs.harmless(data["text/markdown"])


def _each(cell, alt):
    """Return the alt text of each picture of a cell, at the place of its output: Quarto counts all outputs."""
    shown = [PICTURE in output.get("data", {}) for output in cell.outputs]
    return [
        f"{alt.rstrip('.')}, {sum(shown[: at + 1])} of {sum(shown)}." if one else "" for at, one in enumerate(shown)
    ]
