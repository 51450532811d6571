"""The patients: who is declared in ``params/patients/``, and where each one's recordings come from."""

import difflib
import math
import re
from pathlib import Path

import yaml

from helpers.study import files

RESERVED = ("models", "benchmark", "narratives", "overview", "runs", "studies")

# The keys that a declaration must and may have, by its source.
KEYS = {
    "simulate": ({"seed", "recordings"}, {"frame_s"}),
    "physionet": (set(), {"frame_s"}),
    "directory": ({"folder", "fingerprint"}, {"frame_s"}),
}


def declared():
    """Return the identifiers of all declared patients, sorted."""
    return sorted(path.stem for path in (files.ROOT / "params" / "patients").glob("*.yaml"))


def load(patient):
    """Return a patient's declaration, checked.

    Parameters
    ----------
    patient : str
        The name of a file in ``params/patients/``, without its ending.

    Returns
    -------
    dict
        ``source`` and the keys that this source needs (see `KEYS`).

    Raises
    ------
    ValueError
        If there is no such patient, or its declaration has an unknown source, a missing or an unknown key.
    """
    path = files.ROOT / "params" / "patients" / f"{patient}.yaml"
    if patient not in declared():
        near = difflib.get_close_matches(patient, declared(), n=1)
        raise ValueError(
            f"There is no patient '{patient}'. Declared are: {', '.join(declared())}."
            + (f" Did you mean '{near[0]}'?" if near else "")
            + f" To declare one from a folder of recordings: make study PATIENT={patient} FOLDER=<path>."
        )
    check_name(patient)
    declaration = files.read_yaml(path)
    where = path.relative_to(files.ROOT)
    if declaration.get("source") not in [*KEYS]:  # a list, as YAML may give what cannot be looked up in a dict
        raise ValueError(f"{where}: source is {declaration.get('source')!r}; it must be one of {', '.join(KEYS)}.")
    required, optional = KEYS[declaration["source"]]
    if missing := required - set(declaration):
        raise ValueError(f"{where}: source '{declaration['source']}' also needs: {', '.join(sorted(missing))}.")
    check_keys(declaration, {"source"} | required | optional, where)
    frame_s = declaration.get("frame_s", 1.0)
    if type(frame_s) not in (int, float) or not 0 < frame_s < math.inf:
        raise ValueError(f"{where}: frame_s is {frame_s!r}; it must be a number of seconds above 0.")
    if not isinstance(declaration.get("recordings", {}), dict):
        raise ValueError(f"{where}: recordings must be lines like 'p_01: {{duration_s: 240, seizures: [[110, 152]]}}'.")
    return declaration


def check_keys(found, known, where):
    """Raise ValueError if `found` has a key outside `known`, suggesting the nearest right one."""
    for key in found:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are: {', '.join(sorted(known))}."
            raise ValueError(f"{where}: there is no parameter '{key}'; {hint}")


def recordings_folder(patient):
    """Return the folder in which the patient's EDF files and summary lie."""
    declaration = load(patient)
    if declaration["source"] == "directory":
        return Path(declaration["folder"])
    return files.ROOT / "output" / patient / "recordings"


def check_name(patient):
    """Raise ValueError if `patient` cannot name a folder, a file and a stage."""
    # output/ has folders of other things; 007 and no are a number and a truth value to YAML
    named = isinstance(patient, str) and re.fullmatch(files.PATIENT, patient) and patient not in RESERVED
    if not named or yaml.safe_load(patient) != patient:
        raise ValueError(
            f"'{patient}' cannot name a patient: use letters, digits, - and _, a letter first, and no word of "
            f"YAML's (yes, no, null) nor {' or '.join(RESERVED)}."
        )
