"""A patient's recordings: brought from their source, checked against their annotations, listed with seizures."""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.acquire import annotations, checks, layouts, montages, physionet, quality
from helpers.acquire.simulated import simulation
from helpers.study import files, patients
from helpers.study.errors import RecordingError, UnusableRecording
from helpers.study.parallel import parallel_map

COLUMNS = ["recording", "file", "start", "duration_s", "sampling_hz", "seizures", "montage"]
WARNINGS = ["recording", "channel", "what", "value"]
ADVICE = " (?:Rename|Export|Resample|Correct|Remove|Set) "

DESCRIPTIONS = {
    "simulate": "Simulated EEG in CHB-MIT's layout, calibrated to real recordings; no person was recorded.",
    "directory": "Recordings from a folder of the user's, annotated in {layout}.",
    "physionet": "CHB-MIT Scalp EEG Database 1.0.0 (PhysioNet, DOI 10.13026/C2K01R, ODC-By 1.0).",
}


def acquire(patient):
    """Bring a patient's recordings to where the study reads them, and return that folder and ``source``, a dict:

    ``patient``, ``source``, ``description``, ``simulated``: what a reader must be told; ``unlisted``: recordings of the
    database that its summary does not list, and that are not used; of pooled ones, ``patients``. ValueError if the
    declaration is wrong, or a recording cannot be fetched (RecordingError).
    """
    declaration, folder = patients.load(patient), patients.recordings_folder(patient)
    kind, unlisted = declaration["source"], []
    if kind == "pooled":
        return folder, _pool(patient, folder, declaration["patients"])
    description = DESCRIPTIONS[kind]
    if kind == "simulate":
        plan = declaration["recordings"], declaration["seed"], declaration.get("truth")
        simulation.simulate_patient(folder, patient, *plan)
    elif kind == "physionet":
        unlisted = physionet.unlisted(patient, physionet.fetch(patient, folder))
        if unlisted:
            description += (
                f" {len(unlisted)} more recordings of {patient} are in the database but not in its summary, so nobody "
                f"says whether they hold a seizure; they are not used: {', '.join(unlisted)}."
            )
    else:
        summary = any(path.name.endswith("-summary.txt") for path in layouts.contents(folder))
        description = description.format(layout="CHB-MIT's layout" if summary else "BIDS with HED-SCORE events")
    source = {"patient": patient, "source": kind, "description": description}
    return folder, source | {"simulated": kind == "simulate", "unlisted": unlisted}


def _pool(patient, folder, names):
    """Acquire the patients `names`, link their folders in `folder`, and return the ``source`` of all together."""
    where, kinds = f"params/patients/{patient}.yaml", {name: patients.load(name)["source"] for name in names}
    people = [physionet.SAME_PERSON.get(name, name) for name in names]
    if twice := [name for name, person in zip(names, people, strict=True) if people.count(person) > 1]:
        do = "who is held out must not be trained on. Name each person once."
        raise ValueError(f"{where}: {' and '.join(twice)} are one person; {do}")
    if len(set(kinds.values())) > 1 or "pooled" in kinds.values():
        found = ", ".join(f"{name} ({kind})" for name, kind in kinds.items())
        raise ValueError(f"{where}: pooled patients must have one source, and not be pooled themselves: {found}.")
    found = {name: acquire(name) for name in names}
    folder.mkdir(parents=True, exist_ok=True)
    for name, (place, _) in found.items():
        link = folder / name
        if link.is_symlink():
            link.unlink()
        link.symlink_to(os.path.relpath(place, folder) if place.is_relative_to(files.ROOT) else place)
    sources = [source for _, source in found.values()]
    if sources[0]["simulated"]:
        planted = pd.concat({name: files.read_table(folder / name / f"{name}-planted.csv") for name in names})
        planted["recording"] = [layouts.pooled_name(of, name) for (of, _), name in planted["recording"].items()]
        files.write_text(folder / f"{patient}-planted.csv", planted.to_csv(index=False))
    said = " ".join(dict.fromkeys(source["description"] for source in sources))
    told = {"patient": patient, "description": f"{len(names)} patients pooled, {', '.join(names)}. {said}"}
    return sources[0] | told | {"unlisted": sum((one["unlisted"] for one in sources), []), "patients": names}


def survey(folder, leave_out=False, shortest_s=0.0, pooled=()):
    """Open and read every recording of a folder, check it against its annotation, and list both.

    `folder` holds what `layouts` reads; `leave_out` goes on without a good recording that the study cannot use, instead
    of refusing it; a recording shorter than `shortest_s` cannot be used. Of `pooled` patients each has a folder there.

    Returns four tables: one row a recording (`COLUMNS`: ``file`` is below `folder`, ``seizures`` their number,
    ``montage`` how the 18 channels were found; and of pooled ones ``patient``); one a seizure (``recording``,
    ``start_s``, ``end_s``); one a recording left out (``recording``, ``seizures``, ``reason``); one a finding that a
    reader must know (`WARNINGS`). And a dict: by how many dB 50 and 60 Hz stand out of their neighbours, mean over
    recordings and channels.

    RecordingError if the folder is missing or no layout; or with one line for each fault of any file, sorted by file;
    UnusableRecording if all faults are such that `leave_out` would do.
    """
    folder = Path(folder)
    entries, faults = layouts.pooled_entries(folder, pooled) if pooled else layouts.entries(folder)
    paths = [(folder / entry["file"],) for entry in entries]
    good = []
    for entry, found in zip(entries, parallel_map(_examine, paths, "read", "recording", threads=True), strict=True):
        try:
            if isinstance(found, RecordingError):
                raise found
            checks.times(entry, found.header)
            good.append((entry, found))
        except RecordingError as error:
            faults.append((entry["file"], error))
    faults += checks.names(entries) + checks.people(good) + checks.identity(good) + checks.uses(good, shortest_s)
    unusable = {file: str(error) for file, error in faults if isinstance(error, UnusableRecording)}
    fatal = [error for _, error in faults if not isinstance(error, UnusableRecording)]
    if fatal or (faults and not leave_out):
        kind = RecordingError if fatal else UnusableRecording
        raise kind("\n".join(str(error) for _, error in sorted(faults, key=lambda fault: fault[0])))
    left_out = [  # without what could be done instead
        (entry["recording"], len(entry["seizures"]), re.split(ADVICE, unusable[entry["file"]])[0])
        for entry in entries
        if entry["file"] in unusable
    ]
    usable = [(entry, found) for entry, found in good if entry["file"] not in unusable]
    if not usable:
        raise RecordingError(f"None of the {len(entries)} recordings in {folder} can be used: {left_out[0][2]}")
    rows = [
        (entry["recording"], entry["file"], entry["start"], found.header.duration_s, found.header.sampling_hz,
         len(entry["seizures"]), montages.describe(found.header.montage, found.header.labels))
        for entry, found in usable
    ]  # fmt: skip
    seizures = [(entry["recording"], *seizure) for entry, _ in usable for seizure in entry["seizures"]]
    warnings = quality.warnings({entry["recording"]: found for entry, found in usable}) + checks.doubts(usable)
    table = pd.DataFrame(rows, columns=COLUMNS)
    if pooled:
        table.insert(1, "patient", [entry["patient"] for entry, _ in usable])
    return (
        table,
        pd.DataFrame(seizures, columns=annotations.COLUMNS),
        pd.DataFrame(left_out, columns=["recording", "seizures", "reason"]),
        pd.DataFrame(warnings, columns=WARNINGS),
        dict(zip(quality.MAINS_HZ, np.mean([found.mains_db for _, found in usable], axis=0).tolist(), strict=True)),
    )


def _examine(path):
    """Return what reading a recording finds, `quality.Examined`, or the RecordingError that ends it."""
    try:
        return quality.examine(path)
    except RecordingError as error:
        return error


def check_enough_seizures(annotated, patient_of=None):
    """Return the recordings with a seizure, of some `Annotations`; raise ValueError if they are too few to study.

    Where patients are pooled, `patient_of` (recording → patient), these are counted and returned.
    """
    unit = "patients" if patient_of else "recordings"
    owner = patient_of or {name: name for name in annotated.durations_s}
    positive = list(dict.fromkeys(owner[name] for name in annotated.durations_s if len(annotated.spans(name))))
    if len(positive) < 3:
        raise ValueError(
            f"Seizures are in {len(positive)} {unit} ({', '.join(positive) or 'none'}) of "
            f"{len(set(owner.values()))}; the study needs at least 3: one held out, one to choose the threshold, one "
            f"to train. Add {unit} with seizures, or correct the summary."
        )
    return positive
