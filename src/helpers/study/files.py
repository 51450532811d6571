"""Where the study's files lie, and how they are written: whole or not at all."""

import errno
import hashlib
import json
import os
import re
import shutil
import stat
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml

from helpers.study.errors import RecordingError

ROOT = Path(__file__).resolve().parents[3]
PATIENT = r"[A-Za-z][A-Za-z0-9_-]*"  # may name a patient: folders, a file and stages are called so, links, and commands
RECORDING = r"[A-Za-z0-9][A-Za-z0-9_+-]*"  # may name a recording that is simulated: a file is called so

# Columns of any table whose cells are text, whatever they look like: 001 is no number, NA no missing value.
TEXT = ("recording", "file", "start", "montage", "sha256", "reason", "channel", "what", "value", "facts")

# Refusals of a disk: it is full, a quota or a limit of file size is reached, or the right to write is missing.
REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS)


class DiskError(OSError):
    """A file that could not be written, because the disk is full or refuses it; no partial file remains."""


def stage_folder(patient, stage):
    """Return the folder ``output/<patient>/<stage>/`` of the project, made if it is absent."""
    path = ROOT / "output" / patient / stage
    with disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def stage_output(patient, stage, name):
    """Return the path of a file that an earlier stage made; FileNotFoundError says how to run a stage that has not."""
    path = ROOT / "output" / patient / stage / name
    if not path.exists():
        raise FileNotFoundError(
            f"{display_path(path)} is not there: the stage '{stage}' of patient '{patient}' has not run. "
            f"Run `dvc repro {stage}@{patient}`."
        )
    return path


@contextmanager
def atomic_write(path):
    """Yield a temporary path beside `path`, renamed to it when the block ends without an error.

    A run that is killed leaves no half-written file that a later run would take for whole. DiskError says what to do
    where the disk is full, or does not let the file be written.
    """
    path = Path(path)
    # The suffix stays last: savefig and np.save choose or append by it. DVC ignores these names (.dvcignore).
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    with disk_errors(path, partial):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            os.replace(partial, path)
        finally:
            with suppress(OSError):  # where nothing may be written, nothing is there
                partial.unlink(missing_ok=True)


@contextmanager
def disk_errors(path, partial=None):
    """Turn an error of the disk, met while `path` is written, into one that says what to do."""
    try:
        yield
    except Exception as error:
        # safetensors has its own errors, Rust's, in which the number stands as text; NumPy's has none.
        rust = re.search(r"\(os error (\d+)\)", str(error)) if type(error).__name__ == "SafetensorError" else None
        short = isinstance(error, OSError) and re.fullmatch(r"\d+ requested and \d+ written", str(error))
        code = int(rust[1]) if rust else errno.ENOSPC if short else getattr(error, "errno", None)
        other = getattr(error, "filename", None)  # what another file refused, as one that is read, is not ours to say
        if code in REFUSED and (other is None or Path(os.fsdecode(other)) in (path, partial, *path.parents)):
            there = next(folder for folder in (path, *path.parents) if folder.exists())
            raise DiskError(
                f"{display_path(path)} could not be written: {os.strerror(code)} "
                f"({shutil.disk_usage(there).free / 1e6:.1f} MB are free). Nothing of it is left, and no other file is "
                f"changed. Make room, or take the right to write to {display_path(there)} (`chmod`, `chown`), then run "
                "the same command again: finished stages are not repeated. `dvc gc --workspace` deletes what former "
                "runs and experiments left in DVC's cache."
            ) from error
        raise


def reserve(path):
    """Reserve disk space for all of a memory-mapped file: a disk that gets full later would kill the process."""
    if hasattr(os, "posix_fallocate"):  # not on macOS
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.path.getsize(path))


def display_path(path):
    """Return a path as a message names it: seen from the project, if it lies there."""
    return Path(path).relative_to(ROOT).as_posix() if Path(path).is_relative_to(ROOT) else str(path)


def remove_partial(folder):
    """Delete what killed processes left of `atomic_write` in `folder` and below, while no other run writes there."""
    for partial in Path(folder).rglob(".*.[0-9]*.partial*"):
        partial.unlink(missing_ok=True)


def write_text(path, text):
    """Write `text` as UTF-8 with Unix line ends, whole or not at all."""
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(path, content):
    """Write bytes, whole or not at all."""
    with atomic_write(path) as partial:
        partial.write_bytes(content)


def write_json(path, value):
    """Write `value` as readable JSON; NaN is refused, as JSON has none (use None and say why)."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path):
    """Read a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def read_yaml(path):
    """Read a YAML file of keys and values; an empty one has none.

    ValueError if it is anything else, or has an alias (``*a``), by which a few lines stand for more than memory holds.
    """
    where = display_path(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
        aliased = any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text))
        found = None if aliased else yaml.safe_load(text)
    # Of what it cannot make, as `!!int ''`, PyYAML says so by whatever error comes.
    except (yaml.YAMLError, ValueError, RecursionError, AttributeError, IndexError, TypeError) as error:
        raise ValueError(f"{where} cannot be read as YAML: {' '.join(str(error).split())}. Correct it.") from error
    if aliased:
        raise ValueError(f"{where} has an alias ('*name'), which is not read. Write out what it stands for.")
    if not isinstance(found or {}, dict):
        raise ValueError(f"{where} holds {found!r}; wanted are lines of the form 'key: value'.")
    return found or {}


def read_table(path):
    """Read a CSV file of the study's own: text (`TEXT`) as it stands, an empty cell elsewhere as NaN."""
    import pandas as pd  # here, as the engine and the locks start sooner without

    table = pd.read_csv(path, converters=dict.fromkeys(TEXT, str), keep_default_na=False, na_values=[""])
    return table.fillna({name: "" for name in TEXT if name in table})


def open_regular(path):
    """Open a file of somebody's to read its bytes; RecordingError if it cannot be, or may never end, as a pipe."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise OSError(0, "it is no regular file")
        return open(path, "rb")
    except OSError as error:
        found = f"{Path(path).name} cannot be read ({error.strerror})"
        raise RecordingError(f"{found}. See that it is a file, is there and may be read, or move it away.") from error


def sha256(path):
    """Return the SHA-256 of a file in hex."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(paths, folder):
    """Return the SHA-256, in hex, over the names and contents of files below `folder`, in the order given."""
    lines = (f"{path.relative_to(folder).as_posix()} {sha256(path)}\n" for path in paths)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
