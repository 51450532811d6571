"""Executed notebooks: what differs between two runs of the same work is taken out, and an error becomes a message."""

import builtins
import itertools
import os
import re
import sys
import sysconfig
import tempfile

import nbformat

from helpers.study import files

WIDGET = "application/vnd.jupyter.widget-view+json"
# What is no result: tqdm's bar, whose carriage returns rewrite its line; what is printed when a user's first figure is
# drawn, or where there is no home to keep the list of fonts.
PASSING = "\r|Matplotlib (?:is building the font cache|created a temporary)|mkdir -p failed for path"


def find_error(book):
    """Return the error that a cell of an executed notebook ended with, or None."""
    outputs = (output for cell in book.cells for output in cell.get("outputs", []))
    return next((output for output in outputs if output.output_type == "error"), None)


def cell_message(error):
    """Return one message of a failed cell that a person can act on."""
    value = re.sub(r"\x1b\[[0-9;]*m", "", error.evalue).replace(str(files.ROOT) + os.sep, "")
    # The helpers' own errors say it all; another error's name is part of what it says.
    ours = error.ename in ("ValueError", "FileNotFoundError") or not hasattr(builtins, error.ename)
    return value if ours else f"{error.ename}: {value}"


def canonical(book):
    """Take out of an executed notebook what differs between two runs of the same work, and return it.

    Times, cell identifiers, progress bars, versions and the places of files go; code, results and warnings stay.
    """
    book.metadata = nbformat.from_dict({"kernelspec": book.metadata["kernelspec"], "language_info": {"name": "python"}})
    for number, cell in enumerate(book.cells):
        cell.id = f"cell-{number:02d}"
        tags = cell.metadata.get("tags", [])
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            cell.outputs = canonical_outputs(cell.outputs)
    return book


def canonical_outputs(outputs):
    """Return the outputs of a cell; how a stream was cut into pieces is chance, so each run of them is joined."""
    # A widget (tqdm draws its bar as one, where it is asked to) is nothing without the kernel that drew it.
    outputs = [output for output in outputs if WIDGET not in output.get("data", {})]
    found = []
    for kind, group in itertools.groupby(outputs, key=lambda output: output.output_type):
        if kind != "stream":
            for output in group:
                output.get("metadata", {}).clear()
                data = output.get("data", {})
                data.update({mime: remove_places(text) for mime, text in data.items() if mime.startswith("text/")})
                found.append(output)
            continue
        group = list(group)
        for name in ("stdout", "stderr"):
            text = "".join(output.text for output in group if output.name == name)
            text = remove_places(re.sub(rf"[^\n]*(?:{PASSING})[^\n]*(?:\n|$)", "", text))
            if text.strip():
                found.append(nbformat.v4.new_output("stream", name=name, text=text))
    return found


def remove_places(text):
    """Return a text without this machine's folders and addresses; the project's files stay, seen from its folder."""
    places = {sysconfig.get_path(name): "packages" for name in ("purelib", "platlib", "stdlib")}
    places |= {str(files.ROOT): ".", sys.prefix: "environment", os.path.expanduser("~"): "~"}
    for place, name in places.items():
        if len(place) > 1:  # a user without a home has "~" or "/"
            text = re.sub(rf"{re.escape(place)}(?![\w-])", name, text)
    # a cell's code has a file of its own, by the kernel's process, which a warning names
    text = re.sub(rf"{re.escape(tempfile.gettempdir())}/(ipykernel_\d+/\d+\.py|tmp\w{{8}})", "temporary", text)
    return re.sub(r"\b0x[0-9a-f]{6,16}\b", "0x…", text)
