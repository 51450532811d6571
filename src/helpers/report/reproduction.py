"""Reproduction: what the report says of how a study was made, so that it can be made again."""

import hashlib
import json
import re

from helpers.study import files, provenance, revisions

PARTS = ("code", "parameters", "inputs", "recordings", "outputs")  # of a record, each with its digest


def read(patient):
    """Return what `patient`'s study was made with.

    Returns
    -------
    dict
        ``stages``: by stage its notebook, parameter files, the stages whose results it reads, what it took
        (``seconds``, ``memory_mb``, ``size_mb``; None where that was not measured), and ``made``: its record in short
        (`brief`), None where it has left none, and for the report, whose record is written after its pages;
        ``measured``: for which patient, when and on what machine, or None; ``revision``: where version control has the
        code of all records (`revisions.find`); ``lock``: SHA-256 of ``requirements.lock``;
        ``versions``: by package, of all records.
    """
    path = files.ROOT / "output" / "benchmark" / "stages.json"
    measured = files.read_json(path) if path.exists() else None
    found = {stage: record for stage, record in provenance.records(patient).items() if stage != "report"}
    return {
        "stages": [
            _row(stage, patient, entry, measured) | {"made": brief(found[stage]) if stage in found else None}
            for stage, entry in provenance.stages(patient).items()
        ],
        "measured": measured,
        "revision": revision(found),
        "lock": files.sha256(files.ROOT / "requirements.lock"),
        "versions": {name: number for record in found.values() for name, number in record["versions"].items()},
    }


def revision(records):
    """Return where version control has the code of all these records together, as `revisions.find` does."""
    return revisions.find({path: blob for record in records.values() for path, blob in record["code"].items()})


def brief(record):
    """Return a record in short: each part's digest, None of an empty one; how many files; parameters; revision.

    A patient's list of simulated recordings is not among the ``settings``: the report has it elsewhere.
    """
    settings = []
    for path, values in record["parameters"].items():
        whose = f"{record['patient']}'s " if path.startswith("params/patients/") else ""
        settings += [f"{whose}{name}: {value}" for name, value in values.items() if not isinstance(value, dict)]
    return {
        **{part: digest(record[part]) if record[part] else None for part in PARTS},
        "lock": record["lock"],
        "files": len(record["outputs"]),
        "settings": settings,
        "revision": revisions.find(record["code"]),
    }


def digest(part):
    """Return the SHA-256 of a part of a record, written as JSON with sorted keys and without blanks."""
    text = json.dumps(part, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _row(stage, patient, entry, measured):
    notebook = next(dep for dep in entry["deps"] if dep.endswith(".ipynb"))
    found = [re.match(rf"output/{re.escape(patient)}/(?:notebooks/\d+_)?(\w+)", dep) for dep in entry["deps"]]
    took = (measured or {"stages": {}})["stages"].get(stage, {})
    return {
        "stage": stage,
        "notebook": notebook.split("/")[-1].removesuffix(".ipynb"),
        "parameters": [path.replace(f"/{patient}.yaml", "/….yaml") for path in entry["params"]],
        "reads": list(dict.fromkeys(match[1] for match in found if match)),
        **{key: took.get(key) for key in ("seconds", "memory_mb", "size_mb")},
    }
