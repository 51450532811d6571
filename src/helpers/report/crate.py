"""The crate: one manifest of a whole study, so that its folder can be archived and cited.

``output/<patient>/ro-crate-metadata.json`` is an RO-Crate 1.1 (w3id.org/ro/crate/1.1) by the profile Process Run Crate
0.5 (w3id.org/ro/wfrun/process/0.5): each stage is an action, its notebook the instrument; what it read are the objects,
what it left the results. It is made from the stages' records (`provenance`), after the last of them.
"""

import shutil
from pathlib import Path

from helpers.report import entities, reproduction
from helpers.report.entities import inner, local, reference
from helpers.study import files, provenance, revisions

FILE, CODE = provenance.LAST
VERSION = "https://w3id.org/ro/crate/1.1"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
CONTEXT = [f"{VERSION}/context", {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}]  # the profile's term
BESIDE = ("CITATION.cff", "LICENSE", "requirements.lock")  # kept with the code


def write(patient):
    """Write the crate of a patient's study, and beside it the code that ran; return the crate's path.

    Raises
    ------
    FileNotFoundError
        If a stage has left no record.
    """
    for stage in provenance.stages(patient):
        files.stage_output(patient, stage, provenance.FILE)
    found = provenance.records(patient)
    folder = files.ROOT / "output" / patient
    kept = keep_code(found, folder / CODE)
    path = folder / FILE
    files.write_json(path, {"@context": CONTEXT, "@graph": graph(patient, found, kept)})
    return path


def keep_code(found, folder):
    """Copy the code that ran into `folder`, in place of what is there; return the paths that were copied.

    A file that is no longer as it ran is left out, and so is a declaration that names a folder of this machine.
    """
    ran = {path: blob for record in found.values() for path, blob in record["code"].items()}
    kept = [
        path
        for path, blob in sorted(ran.items())
        if (files.ROOT / path).is_file() and revisions.blob(files.ROOT / path) == blob and not _names_a_folder(path)
    ]
    shutil.rmtree(folder, ignore_errors=True)
    for path in (*kept, *BESIDE):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files.ROOT / path, folder / path)
    return kept


def _names_a_folder(path):
    return path.startswith("params/patients/") and "folder" in files.read_yaml(files.ROOT / path)


def graph(patient, found, kept):
    """Return the crate's entities.

    Parameters
    ----------
    patient : str
    found : dict of str → dict
        The stages' records.
    kept : list of str
        The code that lies in the crate.
    """
    citation = files.read_yaml(files.ROOT / "CITATION.cff")
    source = files.read_json(files.stage_output(patient, "acquire", "source.json"))
    database = next((one for one in citation.get("references", []) if one["type"] == "dataset"), None)
    model = entities.language_model(files.read_json(files.stage_output(patient, "narrate", "model.json")))
    code = _code(found, kept)
    results, folders = _results(patient, found)
    copied = [_file_at(f"output/{patient}/{CODE}/{path}", f"{CODE}/{path}") for path in BESIDE]
    inside = [one["@id"] for one in (*code.values(), *copied) if not one["@id"].startswith("#")]
    folders.append(entities.folder(CODE, "Code", "Notebooks, helpers and parameters, just as they ran.", inside))
    actions = [part for stage in found for part in _action(stage, patient, found[stage], code, results)]
    revision = reproduction.revision(found)
    whole = entities.commit(revision, citation)
    recorded = entities.recordings(
        source, found["acquire"]["recordings"], database if source["source"] == "physionet" else None
    )
    packages = [entities.package(*pair) for record in found.values() for pair in record["versions"].items()]
    authors = [entities.author(number, entry) for number, entry in enumerate(citation["authors"], start=1)]
    root = _root(patient, source, citation, (revision or {}).get("date")) | {
        "author": _referred(authors)[0] if len(authors) == 1 else _referred(authors),
        "hasPart": _referred(folders),
        "isBasedOn": _referred([whole, recorded[0]]),
        "mentions": _referred(one for one in actions if one["@type"] == "CreateAction"),
    }
    described = [
        _descriptor(), root, *authors, entities.licence(citation["license"]), _profile(), whole, *recorded, model,
        *packages, *actions, *folders, *code.values(), *copied, *results.values(),
    ]  # fmt: skip
    return list({one["@id"]: one for one in described}.values())


def _referred(some):
    return [reference(one["@id"]) for one in some]


def _descriptor():
    about = {"about": reference("./"), "conformsTo": reference(VERSION)}
    return {"@id": FILE, "@type": "CreativeWork", **about}


def _profile():
    return {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}


def _root(patient, source, citation, date):
    """Return the study as a whole; published on the day of its commit, or else of the code's release."""
    kind = " (simulated)" if source["simulated"] else ""
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": f"EEG spectrogram study of {patient}{kind}",
        "description": f"{citation['title']}. Made from: {source['description']} Start with report/index.html. "
        "The licence is that of code and results; the recordings are no part of this, and have terms of their own.",
        "datePublished": date or str(citation["date-released"]),
        "license": reference(entities.SPDX + citation["license"]),
        "keywords": citation["keywords"],
        "conformsTo": reference(PROFILE),
    }


def _code(found, kept):
    """Return the notebooks, helpers and parameter files by path; each notebook requires what its stage has besides."""
    ran = {path: blob for record in found.values() for path, blob in record["code"].items()}
    entries = {}
    for path, blob in sorted(ran.items()):
        about = {"identifier": f"swh:1:cnt:{blob}", "version": blob}
        kind = "SoftwareSourceCode" if path.endswith((".ipynb", ".py")) else None
        if path in kept:
            entries[path] = _file_at(path, f"{CODE}/{path}") | about | ({"@type": ["File", kind]} if kind else {})
        else:
            about |= {"name": Path(path).name, "description": "Not in this archive."}
            entries[path] = {"@id": inner(path), "@type": kind or "CreativeWork", **about}
    for record in found.values():
        needed = [entries[path]["@id"] for path in record["code"] if path.startswith("src/")]
        needed += [entities.package(*pair)["@id"] for pair in record["versions"].items()]
        needed.append(local(f"{CODE}/requirements.lock"))
        entries[_notebook(record)]["softwareRequirements"] = [reference(one) for one in needed]
    return entries


def _notebook(record):
    return next(path for path in record["code"] if path.startswith("notebooks/"))


def _file_at(path, name):
    """Return the entity of a file that is read here: `path` in the project, `name` in the crate."""
    return entities.file(name, files.sha256(files.ROOT / path), (files.ROOT / path).stat().st_size)


def _results(patient, found):
    """Return what the stages left, by path in the project, and their folders; what lies outside the crate is not."""
    top = f"output/{patient}/"
    results = {
        path: entities.file(path.removeprefix(top), about["sha256"], about["bytes"])
        for record in found.values()
        for path, about in record["outputs"].items()
        if path.startswith(top)
    }
    for stage in found:
        path = provenance.place(patient, stage)
        results[path] = _file_at(path, path.removeprefix(top))
    folders = []
    for name in (*found, "notebooks"):
        inside = [one["@id"] for path, one in results.items() if path.startswith(f"{top}{name}/")]
        what = (
            f"Results of the stage {name}." if name != "notebooks" else "The notebooks as they ran, with their output."
        )
        folders.append(entities.folder(name, name.capitalize(), what, inside))
    return results, folders


def _action(stage, patient, record, code, results):
    """Return a stage's run, its parameters, and what it read from outside the crate."""
    parameters = [
        entities.parameter(stage, path, *pair) for path, found in record["parameters"].items() for pair in found.items()
    ]
    read, outside = [], []
    for path, about in record["inputs"].items():
        inside = [one["@id"] for name, one in results.items() if name == path or name.startswith(f"{path}/")]
        if not path.startswith(f"output/{patient}/"):
            outside.append({"@id": inner(path), "@type": "CreativeWork", "name": path, "sha256": about["sha256"]})
        read += inside or [inner(path)]
    read += [inner("recordings")] if stage == "acquire" else []
    read += [inner("language-model")] if stage == "narrate" else []
    left = [path for path in record["outputs"] if path in results] + [provenance.place(patient, stage)]
    action = {
        "@id": inner(stage),
        "@type": "CreateAction",
        "name": f"Stage {stage} of {patient}",
        "description": f"The notebook {Path(_notebook(record)).name}, run by `dvc repro {stage}@{patient}`.",
        "instrument": reference(code[_notebook(record)]["@id"]),
        "object": [reference(one) for one in (*read, *(one["@id"] for one in parameters))],
        "result": [reference(results[path]["@id"]) for path in left],
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }
    return [action, *parameters, *outside]
