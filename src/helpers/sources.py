"""The sources of a patient's recordings: simulated, fetched, or a folder of the user's."""

from helpers import patients, simulation

DESCRIPTIONS = {
    "simulate": "Simulated EEG in CHB-MIT's layout, calibrated to real recordings; no person was recorded.",
    "directory": "Recordings from a folder of the user's, with a summary in CHB-MIT's layout.",
    "physionet": "CHB-MIT Scalp EEG Database 1.0.0 (PhysioNet, DOI 10.13026/C2K01R, ODC-By 1.0).",
}


def acquire(patient):
    """Bring a patient's recordings to where the study reads them.

    Returns
    -------
    folder : Path
        EDF files and summary.
    source : dict
        ``patient``, ``source``, ``description``, ``simulated``: what a reader must be told.

    Raises
    ------
    ValueError
        If the patient or the declaration is not right, or the source cannot be used yet.
    """
    patients.check_source(patient)
    declaration, folder = patients.load(patient), patients.recordings_folder(patient)
    kind = declaration["source"]
    if kind == "simulate":
        simulation.simulate_patient(folder, patient, declaration["recordings"], declaration["seed"])
    return folder, {
        "patient": patient,
        "source": kind,
        "description": DESCRIPTIONS[kind],
        "simulated": kind == "simulate",
    }
