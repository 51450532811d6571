"""What was wasted and is no longer: ``python tests/benchmark_wastes.py`` writes ``output/benchmark/wastes.json``.

The code of the last commit before they were taken out, and that of today, do the same work on the study of sim08,
studied before, in turn, five times each; the medians of their CPU seconds are told.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path
from statistics import median

from benchmark_costs import measured_at
from conftest import ROOT

from helpers.study import files, stage

TARGET = ROOT / "output" / "benchmark" / "wastes.json"
BEFORE = "263bfd2"
ROUNDS = 5

# Both print the CPU seconds of what counts.
START = "import time; begun = time.process_time(); import helpers.study.stage; print(time.process_time() - begun)"
STUDY = """
import sys, tempfile, time, pathlib
import numpy as np
import pandas as pd
from helpers.preprocess import spectrograms
from helpers.study import files
from helpers.train import folds, training

study, hours = pathlib.Path(sys.argv[1]), int(sys.argv[2])
axis = files.read_json(study / "preprocess" / "axes.json")
seizures = pd.read_csv(study / "acquire" / "seizures.csv", dtype={"recording": str})
names = sorted(path.stem for path in (study / "preprocess" / "spectrograms").glob("*.npy"))
powers = spectrograms.open_spectrogram(study / "preprocess" / "spectrograms", names)
if hours:  # each of sim08's recordings again and again; the first seven of them begin with another one
    turned = [names[number % len(names):] + names[:number % len(names)] for number in range(hours)]
    laid = {f"h{number:02d}": (order * 3)[:15] for number, order in enumerate(turned)}
    first = {order[0]: name for name, order in reversed(laid.items())}
    seizures["recording"] = seizures["recording"].map(first)
    powers = {name: np.concatenate([powers[one] for one in order], axis=2) for name, order in laid.items()}
settings = files.read_yaml(files.ROOT / "params" / "train.yaml")
size, columns = axis["frame_columns"], {name: power.shape[2] for name, power in powers.items()}
planned = folds.leave_one_recording_out(list(powers), set(seizures["recording"]), settings["members"])
splits = folds.splits(planned)
"""
TRAIN = (
    STUDY
    + """
settings["epochs"] = int(sys.argv[3])
samples, overlapping = (
    spectrograms.all_triptychs(axis, columns, seizures, step_s) for step_s in (axis["frame_s"], settings["step_s"])
)
begun = time.process_time()
inputs = training.taken(powers) if hasattr(training, "taken") else powers
training.train_split(splits[0], inputs, overlapping, samples, size, settings)
print(time.process_time() - begun)
"""
)
# As many networks as a study trains: those that decide, one more a fold on permuted labels, and those of the audit.
POOL = (
    STUDY
    + """
trained = [split.train for split in [*splits, *splits[: len(planned)]]]
trained += [list(powers)] * settings["audit_splits"]
with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    for name, power in powers.items():
        np.save(folder / f"{name}.npy", power)
    begun = time.process_time()
    if hasattr(training, "pool_all"):
        for name in powers:  # in this process, whose time is taken
            training._pool_to(folder, name, folder / "pooled")
    for one in trained:
        if hasattr(training, "pool_all"):
            training.prepared(training.opened_inputs(folder / "pooled", list(powers)), one, settings)
        else:
            power = spectrograms.open_spectrogram(folder, list(powers))
            training.prepared(power, training.pooled_spectrograms(power, list(powers), size, [0]), one, settings)
    print(time.process_time() - begun)
"""
)
WASTES = {
    "scored": {
        "what": "Hours of EEG scored after each epoch, for learning curves that few samples draw as well",
        "where": "training.fit", "code": TRAIN, "words": (20, 2),
        "how": "one network, two epochs of its 20, 20 recordings of an hour (sim08's four minutes again and again)",
    },
    "pooled": {
        "what": "Each recording pooled, and summed for means and deviations, by each network anew",
        "where": "training.pool_all", "code": POOL, "words": (20,),
        "how": "what all networks of a study are given before they train, 20 recordings of an hour, as above",
    },
    "memory": {
        "what": "Each tensor's memory handed back to the system, cleared by it anew, and filled by torch",
        "where": "stage.FIXED, training.make_repeatable", "code": TRAIN, "words": (0, 20),
        "how": "one network of sim08, all its epochs",
    },
    "start": {
        "what": "At each stage's start a grammar of web addresses compiled, pandas and MNE imported, for nothing",
        "where": "helpers, patients", "code": START, "words": (),
        "how": "the start of python -m helpers.study.stage, before the notebook's process is asked for",
    },
}  # fmt: skip


def former(folder):
    """Lay the project of the commit `BEFORE` into `folder`."""
    packed = subprocess.run(["git", "archive", BEFORE], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")


def cpu_s(root, one, more):
    """Return the CPU seconds that a waste's code prints with the helpers of the project at `root`."""
    words = [ROOT / "output" / "sim08", *one["words"]] if one["words"] else []
    environment = {**os.environ, "PYTHONPATH": str(root / "src"), **more}
    command = [sys.executable, "-c", one["code"], *map(str, words)]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{root}: {done.stderr[-2000:]}\nRun `make study` first.")
    return float(done.stdout.split()[-1])


def main():
    now, found = measured_at(), {name: ([], []) for name in WASTES}
    with tempfile.TemporaryDirectory() as folder:
        former(folder)
        for number in range(1, ROUNDS + 1):
            for name, one in WASTES.items():
                for values, root, more in zip(found[name], (Path(folder), ROOT), ({}, stage.FIXED), strict=True):
                    values.append(round(cpu_s(root, one, more), 2))
                print(f"round {number} of {ROUNDS}: {name}: {found[name][0][-1]} → {found[name][1][-1]}", flush=True)
    files.write_json(
        TARGET,
        {
            **now,
            "rounds": ROUNDS,
            "wastes": [
                {
                    **{key: one[key] for key in ("what", "where", "how")},
                    "unit": "CPU s",
                    "before": {"value": round(median(found[name][0]), 2), "runs": found[name][0], "commit": BEFORE},
                    "after": {"value": round(median(found[name][1]), 2), "runs": found[name][1], **now},
                }
                for name, one in WASTES.items()
            ],
        },
    )


if __name__ == "__main__":
    main()
