"""One list of packages, pyproject.toml's: the locks and environment.yml agree with it, and all that is imported is in
it. The Makefile's install is tried with a Python and a pip that only write down what they are asked."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
import yaml
from conftest import ROOT, notebook_code
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LISTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# packages whose modules have another name
MODULES = {"IPython": "ipython", "PIL": "pillow", "pypandoc": "pypandoc-binary", "sklearn": "scikit-learn"}
MODULES |= {"axe_playwright_python": "axe-playwright-python", "yaml": "pyyaml"}
STUDY = LISTS["project"]["dependencies"]
TEST = LISTS["project"]["optional-dependencies"]["test"]
GROUPS = LISTS["dependency-groups"]
CONDA = {"pytorch": "torch", "quarto": None, "pip": None, "python": None}  # other names there, or not PyPI's
# not imported by name, but used
USED = {"codespell", "jupyterlab", "nbstripout", "pre-commit", "pytest-randomly", "pytest-xdist", "ruff", "uv"}
USED |= {"dvc", "gguf", "jinja2", "ipykernel", "setuptools", "nbconvert"}


def names(requirements):
    """Return the normal form of the names of requirements."""
    return {canonicalize_name(Requirement(item).name) for item in requirements}


def pins(name):
    """Return the versions that a lock pins, by package, and the hashes of each."""
    found = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if match := re.match(r"([\w.-]+)==([^\s;\\]+)", line):
            found[canonicalize_name(match[1])] = (match[2], [])
        elif match := re.search(r"--hash=sha256:([0-9a-f]{64})\b", line):
            found[next(reversed(found))][1].append(match[1])
    return found


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("requirements.lock", STUDY + TEST),
        ("requirements-cpu.lock", [item for item in STUDY if item.startswith("torch")]),
        ("requirements-model.lock", GROUPS["model"]),
        ("benchmarks/baselines.lock", GROUPS["baselines"]),
        ("tests/browser.lock", GROUPS["browser"]),
    ],
)
def test_the_locks_pin_the_list(lock, wanted):
    """Each package in a version that its limits allow, with the hashes of its files; no folder or index."""
    found = pins(lock)
    for item in map(Requirement, wanted):
        assert item.specifier.contains(found[canonicalize_name(item.name)][0].split("+")[0]), item
    assert all(hashes for _, hashes in found.values())
    assert not re.search(r"://|^[^#\s]*/", (ROOT / lock).read_text(encoding="utf-8"), re.M)


def test_environment_yml_names_the_list():
    """The same packages with the same limits, under conda's names."""
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    pip = [item for item in listed[-1]["pip"] if not item.startswith("--")]
    found = {}
    for item in [*listed[:-1], *pip]:
        name, _, limits = item.partition(" ")
        if CONDA.get(name, name):
            found[canonicalize_name(CONDA.get(name, name))] = limits
    wanted = [re.fullmatch(r"([\w-]+)(.*)", item).groups() for item in STUDY]
    assert found == {canonicalize_name(name): limits for name, limits in wanted}


def external(code):
    """Return the packages that a piece of Python imports."""
    modules = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules.add(node.module.split(".")[0])
    own = {
        "helpers",
        "benchmarks",
        *(path.stem for name in ("tests", "benchmarks") for path in (ROOT / name).rglob("*.py")),
    }
    return {canonicalize_name(MODULES.get(name, name)) for name in modules - own - set(sys.stdlib_module_names)}


def test_what_is_imported_is_in_the_list_and_the_other_way_round():
    """Helpers and notebooks import packages of the study alone; and no package is listed for nothing."""
    helpers = [path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py")]
    books = [notebook_code(path) for path in (ROOT / "notebooks").glob("*.ipynb")]
    study = set().union(*map(external, helpers + books))
    assert study <= names(STUDY) | {"distributed"}
    others = [
        path.read_text(encoding="utf-8") for name in ("tests", "benchmarks") for path in (ROOT / name).rglob("*.py")
    ]
    tests = set().union(*map(external, others))
    assert tests <= names(STUDY + TEST + GROUPS["baselines"] + GROUPS["browser"]) | {"packaging"}
    assert names(STUDY) - study <= USED and names(TEST) - tests <= USED


TOOL = """#!/bin/sh
printf '%s\\n' "$*" >> "$NOTES"
case "$*" in
  "-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
  *requirements-cpu.lock*) [ -e "$CPU" ] || exit 1 ;;
  *requirements.txt*) [ ! -e "$OFFLINE" ] || exit 1 ;;
  -V) echo Python 3.11 ;;
esac
"""


@pytest.fixture
def machine(tmp_path):
    """A project whose Python writes down what it is asked; returns a function that runs make there."""
    root = tmp_path / "a folder"
    root.mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements-cpu.lock", "requirements-model.lock"):
        shutil.copy(ROOT / name, root / name)
    tool = tmp_path / "python"
    tool.write_text(TOOL)
    tool.chmod(0o755)
    own = {name: str(tmp_path / name) for name in ("NOTES", "CPU", "OFFLINE")}

    def make(folder=root):
        (tmp_path / "NOTES").write_text("")
        command = ["make", f"PYTHON={tool}", ".venv/installed"]
        done = subprocess.run(command, cwd=folder, env=os.environ | own, capture_output=True, text=True)
        return done.returncode, (tmp_path / "NOTES").read_text()

    make.root, make.at = root, tmp_path
    return make


@pytest.mark.parametrize("cpu", [True, False])
def test_installing(machine, cpu):
    """With hashes and without resolving; what CUDA needs comes only where torch is not the build for CPUs alone; a
    second time nothing is done; a moved folder and a changed lock install again; a failure leaves no stamp."""
    if cpu:
        (machine.at / "CPU").touch()
    code, asked = machine()
    assert code == 0 and all("--no-deps" in line for line in asked.splitlines() if "pip" in line)
    assert all("--require-hashes" in line for line in asked.splitlines() if ".lock" in line or ".txt" in line)
    listed = (machine.root / ".venv" / "requirements.txt").read_text()
    assert ("nvidia-" in listed) is not cpu and "torch==" in listed and "numpy==" in listed
    assert "install" not in machine()[1]
    moved = machine.root.rename(machine.at / "elsewhere")
    assert "--editable" in machine(moved)[1]
    stamp = moved / ".venv" / "installed"
    os.utime(stamp, (0, 0))  # older than the lock
    (machine.at / "OFFLINE").touch()
    assert machine(moved)[0] != 0 and machine(moved)[0] != 0
    (machine.at / "OFFLINE").unlink()
    assert machine(moved)[0] == 0 and stamp.stat().st_mtime > 0
