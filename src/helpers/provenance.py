"""Provenance: what a study was made with, so that it can be made again."""

import re
import shutil
import subprocess
import sys
from importlib.metadata import version

from helpers import files

# What computes results, in the order of the flow; the rest is in requirements.lock.
PACKAGES = (
    "edfio", "mne", "numpy", "scipy", "pandas", "torch", "scikit-learn", "timescoring", "captum", "transformers",
    "llguidance", "matplotlib", "seaborn", "papermill", "dvc",
)  # fmt: skip
# What a study's results depend on. Which patients are declared and studied besides is not among it.
MADE_OF = ("notebooks", "src", "params", "dvc.yaml", "requirements.lock")
NOT_OF_ONE = (":(exclude)params/study.yaml", ":(exclude)params/patients")


def read(patient):
    """Return what `patient`'s study was made with.

    Returns
    -------
    dict
        ``stages``: by stage its notebook, parameter files, the stages whose results it reads, and what it took
        (``seconds``, ``memory_mb``, ``size_mb``; None where that was not measured); ``measured``: for which patient,
        when and on what machine, or None; ``commit``: that which last changed what the study is made of, None where
        there is no version control; ``changed``: whether that differs from the commit; ``lock``: SHA-256 of
        ``requirements.lock``; ``versions``: by package.
    """
    path = files.ROOT / "output" / "benchmark" / "stages.json"
    measured = files.read_json(path) if path.exists() else None
    commit, changed = _commit(patient)
    return {
        "stages": [_stage(*entry, measured) for entry in _matrix().items()],
        "measured": measured,
        "commit": commit,
        "changed": changed,
        "lock": files.sha256(files.ROOT / "requirements.lock"),
        "versions": {"python": sys.version.split()[0]} | {name: version(name) for name in PACKAGES},
    }


def _matrix():
    """Return the stages of ``dvc.yaml`` that are run for each patient."""
    stages = files.read_yaml(files.ROOT / "dvc.yaml")["stages"]
    return {name: entry for name, entry in stages.items() if "matrix" in entry}


def _stage(name, entry, measured):
    notebook = next(dep for dep in entry["deps"] if dep.endswith(".ipynb"))
    found = [re.match(r"output/\$\{item\.patient\}/(?:notebooks/\d+_)?(\w+)", dep) for dep in entry["deps"]]
    took = (measured or {"stages": {}})["stages"].get(name, {})
    return {
        "stage": name,
        "notebook": notebook.split("/")[-1].removesuffix(".ipynb"),
        "parameters": [path.replace("${item.patient}", "…") for item in entry["params"] for path in item],
        "reads": list(dict.fromkeys(match[1] for match in found if match)),
        **{key: took.get(key) for key in ("seconds", "memory_mb", "size_mb")},
    }


def _commit(patient):
    """Return the commit that last changed what a study is made of, and whether files differ from it."""
    own = f"params/patients/{patient}.yaml"
    paths = ["--", *MADE_OF, *NOT_OF_ONE]
    last = _git("log", "-1", "--format=%H %ct", *paths)
    if not last:
        return None, False
    # The patient's own declaration counts too, and git has no way to except it from an exception.
    found = max(
        filter(None, (last, _git("log", "-1", "--format=%H %ct", "--", own))), key=lambda line: int(line.split()[1])
    )
    return found.split()[0], bool(_git("status", "--porcelain", *paths) or _git("status", "--porcelain", "--", own))


def _git(*arguments):
    """Return what git says, or nothing where there is no git, or no repository of the project's own."""
    if not shutil.which("git") or not (files.ROOT / ".git").exists():
        return ""
    done = subprocess.run(["git", *arguments], cwd=files.ROOT, capture_output=True, text=True, encoding="utf-8")
    return done.stdout.strip() if done.returncode == 0 else ""
