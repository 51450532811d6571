"""The simulated patient: CHB-MIT's layout, physically modelled EEG, and the planted truth of each seizure.

Potentials at the 10-20 electrodes are sums of sources; bipolar channels are their differences, as in an EEG machine.
Literature is cited at each component, in `background` and `ictal`; levels are set by statistics of chb01's real EEG.
"""

import zlib
from pathlib import Path

import numpy as np
import pandas as pd
from edfio import Edf, EdfSignal, Recording

from helpers.acquire.simulated import background, distractors, ictal
from helpers.acquire.simulated.electrodes import CHANNELS, COUNT, derive, field
from helpers.acquire.simulated.signals import RATE_HZ, column
from helpers.study.files import atomic_write, remove_partial, write_text
from helpers.study.parallel import parallel_map

PLANTED_COLUMNS = ["recording", "channel", "start_s", "end_s", "low_hz", "high_hz", "amplitude"]
BIT_UV = 0.05  # one step of the 16-bit converter; symmetric, so that P7-T7 stays -(T7-P7) in the file
LIMIT_UV = round(32767 * BIT_UV, 2)  # the amplifier saturates here; rounded, as EDF gives it 8 characters
MIDNIGHT = pd.Timestamp(2000, 1, 1)  # invented, and fixed: the files are the same bytes on each run
FIRST_START_S, GAP_S = 10 * 3600, 7  # after midnight; between recordings
HEADER = b"Startdate 01-JAN-2000 X X simulated"  # as `_write_recording` writes it, and no device
SUMMARY_HEAD = [f"Data Sampling Rate: {RATE_HZ} Hz", "*" * 25, "", "Channels in EDF Files:", "*" * 22]
SUMMARY_HEAD += [*(f"Channel {i}: {channel}" for i, channel in enumerate(CHANNELS, 1)), ""]


def simulate_patient(folder, patient, recordings, seed, truth=None):
    """Write a simulated patient's EDF files, CHB-MIT summary and planted truth into `folder`, made if absent.

    `patient`, its name, and `seed` decide what is stable in it. `recordings`, checked by `parameters`, is a dict
    ``{name: {"duration_s": int, "seizures": [[start_s, end_s], ...]}}`` in order; `truth` is None, or one of
    `distractors.VARIANTS`. Recordings of an earlier plan are removed, known by their header; any other file stays.
    """
    folder, start_s, pieces, lines = Path(folder), FIRST_START_S, [], [*SUMMARY_HEAD]
    for name, plan in recordings.items():
        pieces.append((folder, start_s, patient, name, plan["duration_s"], plan["seizures"], seed, truth))
        lines += _summary_entry(name, start_s, **plan)
        start_s += plan["duration_s"] + GAP_S
    remove_partial(folder)
    for path in folder.glob("*.edf"):
        if path.stem not in recordings and HEADER in np.fromfile(path, np.uint8, 256).tobytes():
            path.unlink()
    planted = parallel_map(_write_recording, pieces, f"simulate {patient}", "recording")
    write_text(folder / f"{patient}-summary.txt", "\n".join(lines))
    write_text(folder / f"{patient}-planted.csv", pd.concat(planted).to_csv(index=False, lineterminator="\n"))


def simulate_recording(patient, name, duration_s, seizures, seed, truth=None):
    """Simulate one recording, which depends on these arguments only.

    Returns the EEG in µV, float64 [23, duration_s * 256] in the order of `CHANNELS`, and a DataFrame of planted truth:
    a row for each channel, second and frequency band that carries the seizure (`PLANTED_COLUMNS`, the amplitude in µV
    RMS); bands may overlap. Muscle, movement and the slowing after a seizure are not planted.
    """
    rng = _generator(seed, patient, name)
    traits = background.shift(rng, _traits(seed, patient), duration_s * RATE_HZ)
    potentials = background.ongoing(rng, traits)
    if not truth:
        background.add_transients(rng, traits, potentials)
    potentials *= column(traits["gains"])
    background.add_artefacts(rng, traits, potentials)
    if truth:
        focus = _generator(seed, patient, truth).integers(len(distractors.PLACES))
        rows = distractors.add_rhythms(rng, focus, potentials, seizures, truth)
    else:
        rows = [row for seizure in seizures for row in ictal.add_seizure(rng, traits, potentials, *seizure)]
    eeg = np.clip(derive(potentials.astype(np.float64)), -LIMIT_UV, LIMIT_UV)  # as float64, whose sums are exact
    return eeg, pd.DataFrame([(name, *row) for row in rows], columns=PLANTED_COLUMNS)


def _generator(seed, *names):
    """Return a random generator for these names: crc32, as Python's own hash differs between runs."""
    return np.random.default_rng(np.random.SeedSequence([seed, *(zlib.crc32(name.encode()) for name in names)]))


def _traits(seed, patient):
    """Return what stays the same from one recording of a patient to the next."""
    rng = _generator(seed, patient)
    return {
        "focus": str(rng.choice(["F7", "T7", "F8", "T8", "F3", "F4"])),
        "alpha_hz": rng.uniform(8.5, 10),
        "onset_hz": rng.uniform(5.5, 7.5),
        "end_hz": rng.uniform(2.2, 2.8),
        "pattern": field(rng),  # how strongly the rhythm shows at each electrode
        "level": np.exp(rng.normal(-0.6, 0.6)),  # high in children (Segalowitz et al. 2010)
        "tilts": 0.25 * rng.standard_normal((3, COUNT, COUNT)),  # of the sources
        "exponent": rng.normal(3.4, 0.25),
        "knee_hz": 4.5 * np.exp(0.1 * rng.normal()),
        "tension": 0.3 * field(rng),  # of the muscles under each electrode
        "notch": 0.93 * (rng.uniform() < 0.6),  # of the recorder, against mains
        "alpha_uv": 10 * np.exp(0.5 * rng.normal()),
    }


def _write_recording(folder, start_s, patient, name, *arguments):
    """Simulate one recording, write it as EDF (16 bit, one-second data records), and return its planted truth."""
    eeg, planted = simulate_recording(patient, name, *arguments)
    options = {"physical_dimension": "uV", "physical_range": (-LIMIT_UV, LIMIT_UV), "digital_range": (-32767, 32767)}
    signals = [EdfSignal(row, RATE_HZ, label=label, **options) for label, row in zip(CHANNELS, eeg, strict=True)]
    start = MIDNIGHT + pd.Timedelta(seconds=start_s)
    about = Recording(startdate=start.date(), equipment_code="simulated")
    with atomic_write(folder / f"{name}.edf") as partial:
        Edf(signals, recording=about, starttime=start.time(), data_record_duration=1).write(partial)
    return planted


def _summary_entry(name, start_s, duration_s, seizures):
    """Return the lines of a recording in a CHB-MIT summary, whose hours run on past 24 as the database's do."""
    first, last = (f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in (start_s, start_s + duration_s))
    lines = [f"File Name: {name}.edf", f"File Start Time: {first}", f"File End Time: {last}"]
    lines.append(f"Number of Seizures in File: {len(seizures)}")
    for i, (start_s, end_s) in enumerate(seizures, 1):
        lines += [f"Seizure {i} Start Time: {start_s} seconds", f"Seizure {i} End Time: {end_s} seconds"]
    return [*lines, ""]
