"""Pages: an executed notebook as one page of Markdown, with its figures and tables numbered and its pictures apart."""

import base64
import itertools
import re

import yaml

from helpers.study import markdown

PICTURES = {"image/svg+xml": "svg", "image/png": "png"}
LEFT_OUT = "remove_cell"  # tag of a cell that the article does not have


def options(source):
    """Return the options of a code cell, YAML in its first lines that begin with ``#|``, and the code below them."""
    lines = list(itertools.takewhile(lambda line: line.startswith("#|"), source.splitlines(keepends=True)))
    return yaml.safe_load("".join(line[2:].strip() + "\n" for line in lines)) or {}, source[sum(map(len, lines)) :]


def read(notebook, name, article=False):
    """Return a notebook's title, its text as Markdown, and its pictures by their path in the site.

    The article (``article``) has no code, nothing that code prints, and no cell tagged `LEFT_OUT`; its page lies at the
    top of the site, another notebook's in ``notebooks/``.

    Raises ValueError if the notebook does not begin with a heading, a picture has no alt text, a label stands twice, or
    a reference (``@fig-…``, ``@tbl-…``) leads to no label.
    """
    parts, pictures = [], {}
    for number, cell in enumerate(notebook.cells, start=1):
        if article and LEFT_OUT in cell.metadata.get("tags", []):
            continue
        parts += _show_cell(cell, name, number, article, pictures) if cell.cell_type == "code" else [cell.source]
    title, text = split_title(markdown.number_labels("\n\n".join(parts), name), name)
    # A notebook's page lies one folder deeper than the article.
    return title, text if article else re.sub(r"\]\((?=media/|notebooks/|\w+\.html)", "](../", text), pictures


def labelled(notebook, name):
    """Return what the labelled cells of a notebook show, as Markdown by label; their pictures are those of its page."""
    shown = {}
    for number, cell in enumerate(notebook.cells, start=1):
        said = options(cell.source)[0] if cell.cell_type == "code" else {}
        if "label" in said and ("fig-cap" in said or "tbl-cap" in said):
            shown[said["label"]] = "\n\n".join(_show_cell(cell, name, number, True, {}))
    return shown


def split_title(text, name):
    """Return the heading that a text begins with, and the rest, in which no other heading is of the first level."""
    first, _, rest = text.partition("\n")
    if not first.startswith("# "):
        raise ValueError(f"{name} begins with {first[:60]!r}; it must begin with a heading, '# 1 · Title'.")
    return first.removeprefix("# ").strip(), re.sub(r"^# ", "## ", rest, flags=re.M)


def _show_cell(cell, name, number, article, pictures):
    """Return what a code cell shows, as Markdown; its pictures go to `pictures`, by their path in the site."""
    said, code = options(cell.source)
    shown = [] if article or said.get("echo") is False or not code else [markdown.fence(code, "python")]
    kinds = [next((kind for kind in PICTURES if kind in output.get("data", {})), None) for output in cell.outputs]
    total = len(list(filter(None, kinds)))
    if total and not said.get("fig-alt"):
        where = f"{name}: cell {number}"
        raise ValueError(f"{where} shows a picture without alt text. Add `#| fig-alt: …` to its first lines.")
    for place, (output, kind) in enumerate(zip(cell.outputs, kinds, strict=True)):
        data = output.get("data", {})
        if kind:
            file = f"media/{name}-{number}-{place}.{PICTURES[kind]}"
            pictures[file] = data[kind] if kind == "image/svg+xml" else base64.b64decode(data[kind])
            caption = said.get("fig-cap", "") if total == 1 else ""
            shown.append(markdown.figure(file, caption, said["fig-alt"], said.get("label", "")))
        elif "text/markdown" in data:
            text = markdown.break_shortcodes(data["text/markdown"])
            if "tbl-cap" in said:
                text = markdown.labelled_table(text, said["tbl-cap"], said["label"])
            shown.append(markdown.scroll(text, "Table") if text.startswith("|") else text)
        elif not article:
            shown.append(markdown.fence(str(output.get("text") or data.get("text/plain", "")).rstrip(), "{.output}"))
    return shown
