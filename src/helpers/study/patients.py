"""The patients: who is declared in ``params/patients/``, and where each one's recordings come from."""

import difflib
import hashlib
import math
import re
import sys
from pathlib import Path

import yaml

from helpers.study import errors, files

SHORT_RECORDING_S = 120.0
RESERVED = ("models", "benchmark", "narratives", "overview", "runs", "studies")

# The keys that a declaration must and may have, by its source.
KEYS = {
    "simulate": ({"seed", "recordings"}, {"frame_s"}),
    "physionet": (set(), {"frame_s"}),
    "directory": ({"folder", "fingerprint"}, {"frame_s"}),
}

STUDY = """\
# The patients of the study: each has a file in params/patients/. `make study PATIENT=<id>` adds one.
patients:
"""

DIRECTORY = """\
# Declared by `make study PATIENT={patient} FOLDER=…`
source: directory
folder: {folder}
# SHA-256 over the folder's recordings and annotations; `make study PATIENT={patient}` renews it when they change.
fingerprint: {fingerprint}
# Length of a frame in seconds: 4 by default, 2 where a recording lasts less than two minutes, so that three
# frames in a row fit before a seizure that starts early.
frame_s: {frame_s}
"""


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
    _check_name(patient)
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


def fingerprint(folder):
    """Return the SHA-256 over the names and contents of the recordings and annotations below `folder`."""
    from helpers.acquire import (
        recordings,  # with MNE and pandas, for which no stage should wait that only asks who is declared
    )

    digest = hashlib.sha256()
    for path in recordings.contents(folder):
        digest.update(f"{path.relative_to(folder).as_posix()} {files.sha256(path)}\n".encode())
    return digest.hexdigest()


def declare(patient, folder):
    """Declare `patient` as the recordings in `folder`, or renew the declaration when they have changed.

    Raises
    ------
    ValueError
        If the name cannot name a folder, belongs to a patient of another source, or `folder` holds no readable
        recordings with a summary.
    """
    from helpers.acquire import recordings  # as in `fingerprint`

    _check_name(patient)
    if other := [name for name in declared() if name.lower() == patient.lower() and name != patient]:
        raise ValueError(f"'{patient}' differs from the declared '{other[0]}' in case only: choose another name.")
    if patient in declared() and load(patient)["source"] != "directory":
        raise ValueError(f"'{patient}' is already declared, from another source: choose another name for {folder}.")
    try:
        folder = Path(folder).expanduser().resolve()
    except RuntimeError as error:  # ~somebody, whom this machine does not know
        raise ValueError(f"{folder}: {error} Write the folder's whole path.") from error
    table, *_ = recordings.survey(folder, leave_out=True)  # acquire refuses what the parameters do not leave out
    frame_s = 2.0 if table["duration_s"].min() < SHORT_RECORDING_S else 4.0
    if patient in declared():
        frame_s = load(patient).get("frame_s", frame_s)  # what a person changed stays changed
    text = DIRECTORY.format(
        patient=patient,
        folder=yaml.safe_dump(str(folder), allow_unicode=True, default_style='"', width=10_000).strip(),
        fingerprint=fingerprint(folder),
        frame_s=frame_s,
    )
    files.write_text(files.ROOT / "params" / "patients" / f"{patient}.yaml", text)


def _check_name(patient):
    """Raise ValueError if `patient` cannot name a folder, a file and a stage."""
    # output/ has folders of other things; 007 and no are a number and a truth value to YAML
    named = isinstance(patient, str) and re.fullmatch(files.PATIENT, patient) and patient not in RESERVED
    if not named or yaml.safe_load(patient) != patient:
        raise ValueError(
            f"'{patient}' cannot name a patient: use letters, digits, - and _, a letter first, and no word of "
            f"YAML's (yes, no, null) nor {' or '.join(RESERVED)}."
        )


def enrol(patient):
    """Add `patient` to the study's list in ``params/study.yaml`` if it is not there yet.

    Raises
    ------
    ValueError
        If the list names what cannot be a patient: a person may have written it by hand, and DVC runs it all.
    """
    path = files.ROOT / "params" / "study.yaml"
    listed = files.read_yaml(path).get("patients") or []
    if not isinstance(listed, list):
        raise ValueError("params/study.yaml: patients must be a list, a line '  - <id>' for each.")
    for name in listed:
        _check_name(name)
    if patient not in listed:
        files.write_text(path, STUDY + "".join(f"  - {name}\n" for name in [*listed, patient]))


def main(patient, folder=None):
    """Declare (with a folder) or check (without) a patient, and enrol it in the study."""
    try:
        if folder is not None:
            declare(patient, folder)
        elif load(patient)["source"] == "directory":
            declare(patient, load(patient)["folder"])
        enrol(patient)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {errors.printable(error)}")


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument]
    if len(arguments) not in (1, 2):
        sys.exit("usage: python -m helpers.study.patients <patient> [<folder of recordings>]")
    main(*arguments)
