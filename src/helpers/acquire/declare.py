"""Declaring a folder of recordings as a patient: ``python -m helpers.acquire.declare <patient> [<folder>]``."""

import hashlib
import re
import sys
from pathlib import Path

import yaml

from helpers.study import errors, files, patients

SHORT_RECORDING_S = 120.0

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


def declare(patient, folder):
    """Declare `patient` as the recordings in `folder`, or renew the declaration when they have changed.

    ValueError if the name cannot name a folder, belongs to a patient of another source, or `folder` holds no readable
    recordings with their annotation.
    """
    patients.check_name(patient)
    if other := [name for name in patients.declared() if name.lower() == patient.lower() and name != patient]:
        raise ValueError(f"'{patient}' differs from the declared '{other[0]}' in case only: choose another name.")
    known = patients.load(patient) if patient in patients.declared() else {"source": "directory"}
    if known["source"] != "directory":
        raise ValueError(f"'{patient}' is already declared, from another source: choose another name for {folder}.")
    from helpers.acquire import layouts  # here and below, as `make study` with nothing to do needs none of them

    folder = Path(folder).expanduser().resolve()
    digest, frame_s = files.fingerprint(layouts.contents(folder), folder), known.get("frame_s")
    if frame_s is None or digest != known.get("fingerprint"):
        from helpers.acquire import recordings

        table, *_ = recordings.survey(folder, leave_out=True)  # acquire refuses what the parameters do not leave out
        frame_s = frame_s or (2.0 if table["duration_s"].min() < SHORT_RECORDING_S else 4.0)
    text = DIRECTORY.format(
        patient=patient,
        folder=yaml.safe_dump(str(folder), allow_unicode=True, default_style='"', width=10_000).strip(),
        fingerprint=digest,
        frame_s=frame_s,
    )
    files.write_text(files.ROOT / "params" / "patients" / f"{patient}.yaml", text)


def renew_pooled(patient):
    """Renew a pooled patient's fingerprint, of its patients' declarations, and those that name a folder."""
    folder, digest = files.ROOT / "params" / "patients", hashlib.sha256()
    for name in patients.load(patient)["patients"]:
        if patients.load(name)["source"] == "directory":
            declare(name, patients.recordings_folder(name))
        digest.update((folder / f"{name}.yaml").read_bytes())
    text = re.sub("^fingerprint:.*\n?", "", (folder / f"{patient}.yaml").read_text(encoding="utf-8"), flags=re.M)
    files.write_text(folder / f"{patient}.yaml", f"{text.rstrip()}\nfingerprint: {digest.hexdigest()}\n")


def enrol(patient):
    """Add `patient` to the study's list in ``params/study.yaml`` if it is not there yet, and its recordings can be had.

    ValueError if the list names what cannot be a patient: a person may have written it by hand, and DVC runs it all.
    """
    path = files.ROOT / "params" / "study.yaml"
    listed = files.read_yaml(path).get("patients") or []
    if not isinstance(listed, list):
        raise ValueError("params/study.yaml: patients must be a list, a line '  - <id>' for each.")
    for name in listed:
        patients.check_name(name)
    if patient not in listed:
        from helpers.acquire import physionet

        if patients.load(patient)["source"] == "physionet":  # what cannot be fetched leaves no trace
            physionet.fetch(patient, patients.recordings_folder(patient))
        files.write_text(path, STUDY + "".join(f"  - {name}\n" for name in [*listed, patient]))


def main(patient, folder=None):
    """Declare (with a folder) or check (without) a patient, and enrol it; end with a message if that fails."""
    try:
        if folder is None and patients.load(patient)["source"] == "directory":
            folder = patients.recordings_folder(patient)
        if folder is not None:
            declare(patient, folder)
        elif patients.load(patient)["source"] == "pooled":
            renew_pooled(patient)
        enrol(patient)
    except (ValueError, OSError, RuntimeError) as error:  # RuntimeError: ~somebody has no home
        sys.exit(f"error: {errors.printable(error)}")


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument]
    if len(arguments) not in (1, 2):
        sys.exit("usage: python -m helpers.acquire.declare <patient> [<folder of recordings>]")
    main(*arguments)
