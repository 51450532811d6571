"""Prediction on new recordings of sim08: ``python -m benchmarks.predict`` writes ``output/benchmark/predict.json``.

An hour with three seizures, and a day, the same hour 24 times: costs, and scores of the events. Needs sim08's study.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import common
from benchmarks.common import FOLDER, ROOT, STAGES, measured_at, progress, rounded
from helpers.acquire import annotation_files
from helpers.acquire.simulated import simulation
from helpers.evaluate import scores
from helpers.study import files

SEIZURES = [[611, 655], [1502, 1560], [2740, 2771]]
HEADER_BYTES = 256 * (1 + len(simulation.CHANNELS))


def write_recordings(folder):
    """Write the hour and the day as EDF to `folder`; return their seizures by path."""
    simulation.simulate_patient(folder, "sim08", {"sim08_17": {"duration_s": 3600, "seizures": SEIZURES}}, 8)
    hour, day = folder / "sim08_17.edf", folder / "sim08_day.edf"
    data = hour.read_bytes()
    day.write_bytes(data[:236] + b"86400   " + data[244:HEADER_BYTES] + 24 * data[HEADER_BYTES:])
    return {hour: SEIZURES, day: [np.add(one, 3600 * number) for number in range(24) for one in SEIZURES]}


def measure(path, seizures, root, environment):
    """Predict on a recording in a copy of the project; return the costs, and how its events score."""
    costs = common.cost([sys.executable, "-m", "helpers.predict", str(path)], root, environment | {"PATIENT": "sim08"})
    folder = root / "output" / "sim08" / "predictions" / path.stem
    read = annotation_files.read_events(folder / f"{path.stem}_events.tsv")
    score = scores.score_recording(np.array(seizures), np.array(read["seizures"]), read["duration_s"])
    return costs | {"seizures": score.refTrue, "detected": score.tp, "false_alarms": score.fp, "f1": score.f1}


def main():
    found = measured_at()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "study"
        environment = common.copy_project(root, "sim08", models=False)
        (root / "output" / "sim08").mkdir()
        for stage in STAGES[:5]:
            (root / "output" / "sim08" / stage).symlink_to(ROOT / "output" / "sim08" / stage)
        for path, seizures in write_recordings(Path(folder)).items():
            progress(path.name)
            found[path.stem] = rounded(measure(path, seizures, root, environment), 2)
    files.write_json(FOLDER / "predict.json", found)


if __name__ == "__main__":
    main()
