"""Reading EDF and preprocessing beside other ways: ``python -m benchmarks.data`` writes ``output/benchmark/data.json``.

An hour of EEG is simulated; each way of the same work is run on it in turn, three times, on one thread (three minutes).
Medians of CPU and wall seconds, and the ratio of the study's CPU seconds to each other way's.
"""

import json
import tempfile
import time
from importlib import import_module
from pathlib import Path
from statistics import median

import edfio
import mne
import numpy as np
import scipy.signal
from threadpoolctl import threadpool_limits

from benchmarks.common import FOLDER, measured_at, progress, rounded
from helpers.acquire import edf
from helpers.acquire.simulated import simulation
from helpers.preprocess import filterbank
from helpers.study import files

TARGET = FOLDER / "data.json"
PLAN = {"hour_01": {"duration_s": 3600, "seizures": [[1700, 1871]]}}
ROUNDS = 3
WINDOW, HOP, RATE_HZ = 256, 32, 256.0


def read_ours(path):
    """Read the montage's 18 channels with the study's own code; the other ways read all signals, and derive none."""
    return edf.read(edf.open_edf(path))


def power_ours(path, folder):
    axis = filterbank.axes(RATE_HZ, WINDOW / RATE_HZ, HOP / RATE_HZ, 4.0)
    filterbank.write(edf.open_edf(path), folder / "power.npy", axis)


def power_mne(path, _):
    """Filter with MNE (0.5 to 55 Hz, no mains), then take SciPy's spectrogram of each channel at once."""
    signal = read_ours(path).astype(np.float64)
    signal = mne.filter.filter_data(signal, RATE_HZ, 0.5, 55.0, verbose="error")
    signal = mne.filter.notch_filter(signal, RATE_HZ, 60.0, verbose="error")
    for line in signal:
        _, _, power = scipy.signal.spectrogram(line, RATE_HZ, nperseg=WINDOW, noverlap=WINDOW - HOP)
        np.log10(np.maximum(power, 1e-6))


READING = {
    "ours": read_ours,
    "mne": lambda path: mne.io.read_raw_edf(path, preload=True, verbose="error").get_data(),
    "edfio": lambda path: [signal.data for signal in edfio.read_edf(path).signals],
    "pyedflib": lambda path: import_module("pyedflib.highlevel").read_edf(str(path))[0],  # where it is installed
}
PREPROCESSING = {"ours": power_ours, "mne": power_mne}


def compare(ways, *arguments):
    """Run the `ways`, functions by name, in turn; return what `ratios` does of their medians."""
    times = {}
    for number in range(ROUNDS + 1):  # the first round brings the file into memory and is not counted
        for name, way in ways.items():
            progress(f"round {number} of {ROUNDS}: {name}")
            cpu, wall = time.process_time(), time.perf_counter()
            try:
                way(*arguments)
            except ImportError:
                continue
            if number:
                times.setdefault(name, []).append((time.process_time() - cpu, time.perf_counter() - wall))
    return ratios({name: tuple(map(median, zip(*runs, strict=True))) for name, runs in times.items()})


def ratios(medians):
    """Return (CPU, wall) seconds by name as dicts, with ``ratio``, of CPU seconds of ours to each other way's."""
    own = medians["ours"][0]
    return {
        name: {"cpu_s": cpu, "wall_s": wall, **({} if name == "ours" else {"ratio": own / cpu})}
        for name, (cpu, wall) in medians.items()
    }


def main():
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        simulation.simulate_patient(Path(folder), "hour", PLAN, 8)
        path = Path(folder) / "hour_01.edf"
        found = {"reading": compare(READING, path), "preprocessing": compare(PREPROCESSING, path, Path(folder))}
    files.write_json(TARGET, rounded({**measured_at(), "rounds": ROUNDS, "hours_of_eeg": 1, **found}))
    print(json.dumps(files.read_json(TARGET), indent=1))


if __name__ == "__main__":
    main()
