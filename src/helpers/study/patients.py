"""The patients: who is declared in ``params/patients/``, and where each one's recordings lie."""

import re
from pathlib import Path

import yaml

from helpers.study import files, parameters

RESERVED = ("models", "benchmark", "overview", "studies")  # other folders in output/


def declared():
    """Return the identifiers of all declared patients, sorted."""
    return sorted(path.stem for path in (files.ROOT / "params" / "patients").glob("*.yaml"))


def load(patient):
    """Return a patient's declaration, a dict of ``source`` and the keys of `parameters.SOURCES`.

    ValueError if there is none, or its source is unknown, or a key missing, unknown or out of range.
    """
    if patient not in declared():
        raise ValueError(
            f"There is no patient '{patient}'; {parameters.suggest(patient, declared())} "
            f"To declare one from a folder of recordings: make study PATIENT={patient} FOLDER=<path>."
        )
    check_name(patient)
    declaration = files.read_yaml(files.ROOT / "params" / "patients" / f"{patient}.yaml")
    where, source = f"params/patients/{patient}.yaml", declaration.get("source")
    if source not in list(parameters.SOURCES):  # a list, as YAML may give what no dict can be asked for
        raise ValueError(f"{where}: source is {source!r}; it must be one of {', '.join(parameters.SOURCES)}.")
    return parameters.validate(parameters.SOURCES[source], declaration, where)


def recordings_folder(patient):
    """Return the folder in which the patient's EDF files and annotations lie."""
    declaration = load(patient)
    if declaration["source"] == "directory":
        return Path(declaration["folder"])
    return files.ROOT / "output" / patient / "recordings"


def check_name(patient):
    """Raise ValueError if `patient` cannot name a folder, a file and a stage."""
    named = isinstance(patient, str) and re.fullmatch(files.PATIENT, patient) and patient not in RESERVED
    if not named or yaml.safe_load(patient) != patient:  # no is a truth value to YAML
        raise ValueError(
            f"'{patient}' cannot name a patient: use letters, digits, - and _, a letter first, and no word of "
            f"YAML's (yes, no, null) nor {' or '.join(RESERVED)}."
        )
