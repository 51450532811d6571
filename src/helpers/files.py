"""Where the study's files lie, and how they are written: whole or not at all."""

import hashlib
import json
import os
import re
from contextlib import contextmanager
from pathlib import Path

import psutil
import yaml

ROOT = Path(__file__).resolve().parents[2]


def folder(patient, stage):
    """Return the folder ``output/<patient>/<stage>/`` of the project, made if it is absent."""
    path = ROOT / "output" / patient / stage
    path.mkdir(parents=True, exist_ok=True)
    return path


def made_by(patient, stage, name):
    """Return the path of a file that an earlier stage made.

    Raises
    ------
    FileNotFoundError
        If the stage has not run yet; the message names the command that runs it.
    """
    path = ROOT / "output" / patient / stage / name
    if not path.exists():
        raise FileNotFoundError(
            f"{path.relative_to(ROOT)} is not there: the stage '{stage}' of patient '{patient}' has not run. "
            f"Run `dvc repro {stage}@{patient}`."
        )
    return path


@contextmanager
def whole(path):
    """Yield a temporary path beside `path`, renamed to it when the block ends without an error.

    A run that is killed leaves no half-written file that a later run would take for whole.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last: savefig and np.save choose or append by it. DVC ignores these names (.dvcignore).
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def sweep(folder, stem=""):
    """Delete what killed processes had begun to write by `whole` in `folder` and below, if its name begins so."""
    for partial in Path(folder).rglob(f".{stem}*.partial*"):
        process = re.search(r"\.(\d+)\.partial", partial.name)
        if process and not psutil.pid_exists(int(process[1])):
            partial.unlink(missing_ok=True)


def write_text(path, text):
    """Write `text` as UTF-8 with Unix line ends, whole or not at all."""
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(path, content):
    """Write bytes, whole or not at all."""
    with whole(path) as partial:
        partial.write_bytes(content)


def write_json(path, value):
    """Write `value` as readable JSON; NaN is refused, as JSON has none (use None and say why)."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path):
    """Read a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def read_yaml(path):
    """Read a YAML file of keys and values; an empty one has none.

    Raises
    ------
    ValueError
        If it is no YAML, or something else than keys and values.
    """
    where = Path(path).relative_to(ROOT) if Path(path).is_relative_to(ROOT) else path
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{where} cannot be read as YAML: {' '.join(str(error).split())}. Correct it.") from error
    if not isinstance(found or {}, dict):
        raise ValueError(f"{where} holds {found!r}; wanted are lines of the form 'key: value'.")
    return found or {}


def sha256(path):
    """Return the SHA-256 of a file in hex, read in pieces."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
