"""Provenance: what each stage's results were made with, kept beside them: ``python -m helpers.study.provenance <patient>``
reads all of them again and says what is no longer as recorded.

A record has no time, no path of a machine and no commit in it: the same work leaves the same bytes, and a commit that
changes nothing makes no new result. Code is named by its content, by which its commit is found (`revisions`).
"""

import csv
import hashlib
import json
import re
import sys
from pathlib import Path

from helpers.study import files, revisions, versions

FILE = "provenance.json"
ABOUT = (
    "What made the files of this stage. code: git's blob id of each file's content; sha256: of a file's bytes, or of a "
    f"folder's lines '<sha256> <path in it>', sorted by path, without {FILE}. Paths are those in the project."
)
LAST = ("ro-crate-metadata.json", "code")  # what the report stage leaves after all records are there


def stages(patient):
    """Return what ``dvc.yaml`` says of each stage that is run for a patient, in the order of the flow.

    Returns
    -------
    dict of str → dict
        Lists of paths in the project: ``deps``, ``params`` and ``outs``, metrics and plots among them.
    """
    text = json.dumps(files.read_yaml(files.ROOT / "dvc.yaml")["stages"])
    text = text.replace("${item.patient}", json.dumps(patient)[1:-1])
    return {
        name: {
            "deps": entry["deps"],
            "params": [path for item in entry["params"] for path in item],
            "outs": [
                path if isinstance(path, str) else next(iter(path))
                for kind in ("outs", "metrics", "plots")
                for path in entry.get(kind, [])
            ],
        }
        for name, entry in json.loads(text).items()
        if "matrix" in entry
    }


def describe(stage, patient):
    """Return what a stage is made with, from the files as they are now.

    Returns
    -------
    dict
        ``stage``, ``patient``; ``code``: git's blob id of its notebook, helpers and parameter files, by path;
        ``parameters``: their values, by file; ``inputs``: SHA-256, bytes and number of files, by path; ``recordings``:
        SHA-256 by name, for the stage that acquires them; ``lock``: SHA-256 of ``requirements.lock``; ``versions``: of
        Python and of the packages that its code imports.

    Raises
    ------
    FileNotFoundError
        If something that ``dvc.yaml`` lists is not there.
    """
    entry = stages(patient)[stage]
    sources = [dep for dep in entry["deps"] if dep.startswith(("notebooks/", "src/"))]
    code = {name for path in sources + entry["params"] for name in listed(path)}
    inputs = [dep for dep in entry["deps"] if dep.startswith("output/")]
    return {
        "about": ABOUT,
        "stage": stage,
        "patient": patient,
        "code": {name: revisions.blob(files.ROOT / name) for name in sorted(code)},
        "parameters": {path: _values(path) for path in entry["params"]},
        "inputs": {path: _measure(path) for path in sorted(inputs)},
        "recordings": _recordings(patient) if stage == "acquire" else {},
        "lock": files.sha256(files.ROOT / "requirements.lock"),
        "versions": versions.read(files.ROOT / name for name in code if name.endswith((".py", ".ipynb"))),
    }


def write(stage, patient):
    """Write ``output/<patient>/<stage>/provenance.json``, and return its path.

    It has what `describe` returns, and ``outputs``: SHA-256 and bytes of every file that the stage left, by path.

    Raises
    ------
    FileNotFoundError
        If an output that ``dvc.yaml`` declares, or something else that it lists, is not there.
    """
    own = place(patient, stage)
    later = [own, *(f"output/{patient}/{name}" for name in LAST)]
    outs = sorted({name for out in stages(patient)[stage]["outs"] if out not in later for name in listed(out)})
    outputs = {name: {"sha256": files.sha256(files.ROOT / name), "bytes": _size(name)} for name in outs}
    files.write_json(files.ROOT / own, describe(stage, patient) | {"outputs": outputs})
    return files.ROOT / own


def place(patient, stage):
    """Return where a stage's record lies, as a path in the project."""
    return f"output/{patient}/{stage}/{FILE}"


def records(patient):
    """Return the records of the stages that have left one, by stage, in the order of the flow."""
    paths = {stage: files.ROOT / place(patient, stage) for stage in stages(patient)}
    return {stage: files.read_json(path) for stage, path in paths.items() if path.exists()}


def check(patient):
    """Return what of a patient's results is not as recorded, a sentence each.

    Every stage must have left a record; every file must be there with its bytes, and none besides; and what a stage
    read must be what the stages before it left.
    """
    found, wrong = records(patient), []
    for stage in stages(patient):
        if stage not in found:
            wrong.append(f"{place(patient, stage)} is not there: run `dvc repro -f {stage}@{patient}`.")
    left = {path: about["sha256"] for record in found.values() for path, about in record["outputs"].items()}
    for stage, record in found.items():
        for path, about in record["outputs"].items():
            if not (files.ROOT / path).is_file():
                wrong.append(f"{path} is missing.")
            elif files.sha256(files.ROOT / path) != about["sha256"]:
                wrong.append(f"{path} is not the file that {stage} left.")
        here = listed(f"output/{patient}/{stage}")
        wrong += [f"{path} is none that {stage} left." for path in here if path not in record["outputs"]]
    left |= {place(patient, stage): files.sha256(files.ROOT / place(patient, stage)) for stage in found}
    for stage, record in found.items():
        for path, about in record["inputs"].items():
            own = path.startswith(f"output/{patient}/")
            if own and about["sha256"] != (left.get(path) or folder_digest(path, left)):
                wrong.append(f"{stage} read another {path} than the one that was left last.")
    return wrong


def listed(path):
    """Return the files at a path in the project: itself, or those in the folder and below, sorted, without records.

    Raises
    ------
    FileNotFoundError
        If nothing is there.
    """
    root = files.ROOT / path
    if root.is_file():
        return [path]
    if not root.is_dir():
        raise FileNotFoundError(f"{path}, which dvc.yaml lists, is not there: run `dvc repro`, which makes it.")
    found = (f"{path}/{one.relative_to(root).as_posix()}" for one in root.rglob("*") if one.is_file())
    hidden = re.compile(rf"/(\.|__pycache__/|{re.escape(FILE)}$)")  # half-written files begin with a dot
    return sorted(name for name in found if not hidden.search(name.removeprefix(path)))


def folder_digest(path, digests):
    """Return the SHA-256 over the names and digests of the files below `path`, from a dict that has their digests."""
    inside = {name.removeprefix(f"{path}/"): one for name, one in digests.items() if name.startswith(f"{path}/")}
    lines = "".join(f"{one} {name}\n" for name, one in sorted(inside.items()) if Path(name).name != FILE)
    return hashlib.sha256(lines.encode()).hexdigest()


def _measure(path):
    """Return the digest, bytes and number of the files at `path`."""
    names = listed(path)
    digests = {name: files.sha256(files.ROOT / name) for name in names}
    whole = digests[path] if names == [path] else folder_digest(path, digests)
    return {"sha256": whole, "bytes": sum(map(_size, names)), "files": len(names)}


def _size(path):
    return (files.ROOT / path).stat().st_size


def _values(path):
    """Return the parameters in a file. Of a path on this machine only its end is kept."""

    def shown(name, value):
        if name == "folder":  # the user's own recordings; they are named by their fingerprint
            return None
        local = isinstance(value, str) and (value.startswith("~") or Path(value).is_absolute())
        return Path(value).name if local else value

    found = {name: shown(name, value) for name, value in files.read_yaml(files.ROOT / path).items()}
    return {name: value for name, value in found.items() if value is not None}


def _recordings(patient):
    """Return the SHA-256 of each recording, by its file's name."""
    path = files.stage_output(patient, "acquire", "recordings.csv")
    with open(path, encoding="utf-8", newline="") as table:
        return {row["file"]: row["sha256"] for row in csv.DictReader(table)}


def main(patient):
    """Check a patient's results, and end with one sentence for each thing that is not as recorded."""
    if not (files.ROOT / "output" / patient).is_dir():
        sys.exit(f"error: there is no output/{patient}: name a patient whose study has run.")
    if wrong := check(patient):
        sys.exit("\n".join(wrong))
    found = records(patient)
    number = sum(len(record["outputs"]) for record in found.values())
    print(f"output/{patient}: {number} files of {len(found)} stages are as recorded.")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m helpers.study.provenance <patient>")
    main(sys.argv[1])
