"""What the tests share: the project's root, real data where it is, and how a stage's dependencies are found."""

import ast
from pathlib import Path

import nbformat
import numpy as np
import pytest
from edfio import Edf, EdfSignal

from helpers import montages

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
CHANNELS = (*montages.DOUBLE_BANANA, "P7-T7", "T8-P8")


def write_edf(path, channels=CHANNELS, seconds=30, rate=256):
    """Write noise as an EDF file."""
    generator = np.random.default_rng(0)
    write_signals(path, channels, generator.normal(0, 40, (len(channels), seconds * rate)), rate)


def write_signals(path, channels, signals, rate, record_s=None):
    """Write [channel, sample] in µV as an EDF file, in data records of `record_s` (default: one second, if it fits)."""
    options = {"physical_dimension": "uV", "physical_range": (-400, 400)}
    pairs = zip(channels, signals, strict=True)
    signals = [EdfSignal(signal, rate, label=name, **options) for name, signal in pairs]
    Edf(signals, data_record_duration=record_s).write(path)


def imported(source):
    """Return the helper modules that a piece of Python imports, by name."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "helpers":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("helpers."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("helpers.")}
    return found


def notebook_code(path):
    """Return all code of a notebook as one text."""
    return "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")


def needed_helpers(path):
    """Return the helper modules that a notebook imports, directly and through others, sorted."""
    return needed_by(*imported(notebook_code(path)))


def needed_by(*modules):
    """Return helper modules and those that they import, directly and through others, sorted."""
    todo, found = set(modules), set()
    while todo:
        name = todo.pop()
        found.add(name)
        todo |= imported((ROOT / "src" / "helpers" / f"{name}.py").read_text(encoding="utf-8")) - found
    return sorted(found)


@pytest.fixture
def excerpts():
    """The folder of real EEG, or a skip that says why."""
    if not (SHARED / "chbmit-excerpts" / "chb01").is_dir():
        pytest.skip("needs the real EEG excerpts in ../shared/data, which are not here")
    return SHARED / "chbmit-excerpts" / "chb01"


def pytest_collection_modifyitems(items):
    """Run the whole study first: it takes longest, and beside the other files it costs no time."""
    items.sort(key=lambda item: item.path.name != "test_study.py")
