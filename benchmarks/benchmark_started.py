"""A stage as it runs, and when its notebook's cells began.

``python benchmark_started.py <stage> <patient> <file> <asked>``, ``<asked>`` being the time (seconds since 1970) just
before this command was given.

The stage is run by its own code, `helpers.study.stage`; only the times that papermill notes in the executed notebook are
written down before they are taken out of it. ``<file>`` gets, in seconds since ``<asked>``, when `helpers.study.stage` was
called (``called``), the notebook's first cell began (``kernel``) and its first cell after the imports (``work``).
"""

import ast
import sys
import time
from datetime import datetime

from helpers.study import files, stage


def first_work(book):
    """Return the place of the first code cell after that of the imports.

    Raises
    ------
    ValueError
        If no code cell begins with an import, or none follows it.
    """
    code = [place for place, cell in enumerate(book.cells) if cell.cell_type == "code"]
    for place, following in zip(code, code[1:], strict=False):
        body = ast.parse(book.cells[place].source).body
        if body and isinstance(body[0], ast.Import | ast.ImportFrom):
            return following
    raise ValueError("no code cell begins with an import and has one after it: when does the notebook's work begin?")


def moments(book, called, asked):
    """Return the seconds from `asked` to the call, the first cell, and the first cell of work."""
    begun = [_began(cell) for cell in book.cells if cell.cell_type == "code"]
    work = _began(book.cells[first_work(book)])
    return {"called": called - asked, "kernel": min(begun) - asked, "work": work - asked}


def _began(cell):
    """Return when a cell began, as papermill noted it, in seconds since 1970."""
    return datetime.fromisoformat(cell.metadata["papermill"]["start_time"]).timestamp()


def main(name, patient, target, asked):
    called, canonical = time.time(), stage.canonical

    def noted(book):
        files.write_json(target, moments(book, called, float(asked)))
        return canonical(book)

    stage.canonical = noted
    stage.main(name, patient)


if __name__ == "__main__":
    main(*sys.argv[1:])
