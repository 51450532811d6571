"""The sources of a patient's recordings: simulated, fetched, or a folder of the user's."""

from helpers.acquire import layouts, physionet
from helpers.acquire.simulated import simulation
from helpers.study import patients

DESCRIPTIONS = {
    "simulate": "Simulated EEG in CHB-MIT's layout, calibrated to real recordings; no person was recorded.",
    "directory": "Recordings from a folder of the user's, annotated in {layout}.",
    "physionet": "CHB-MIT Scalp EEG Database 1.0.0 (PhysioNet, DOI 10.13026/C2K01R, ODC-By 1.0).",
}


def acquire(patient):
    """Bring a patient's recordings to where the study reads them.

    Returns
    -------
    folder : Path
        The recordings and their annotations.
    source : dict
        ``patient``, ``source``, ``description``, ``simulated``: what a reader must be told; ``unlisted``: recordings of
        the database that its summary does not list, and that are not used.

    Raises
    ------
    ValueError
        If the declaration is wrong, or a recording cannot be fetched (RecordingError).
    """
    declaration, folder = patients.load(patient), patients.recordings_folder(patient)
    kind, unlisted = declaration["source"], []
    description = DESCRIPTIONS[kind]
    if kind == "simulate":
        simulation.simulate_patient(folder, patient, declaration["recordings"], declaration["seed"])
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
