"""What each part of the detector is worth: ``python tests/benchmark_ablation.py [variant …]``.

Writes ``output/benchmark/ablation.json``; with some variants named, the others' results stay as they are. The network
was chosen on these development patients, simulated like sim08 with other seeds; nothing is reported on them but this.
Each variant changes one thing. Those marked "same networks" cost nothing: the same log-odds are used otherwise.
"""

import os
import sys
import tempfile
from datetime import date
from pathlib import Path

import pandas as pd
from benchmark_baselines import interval, world_of
from benchmark_data import commit, machine, rounded
from benchmark_projects import progress
from conftest import ROOT

from helpers import comparison, decisions, files, folds, patients, simulation, training

TARGET = ROOT / "output" / "benchmark" / "ablation.json"
SEEDS = [int(word) for word in os.environ.get("ABLATION_PATIENTS", "21 22 23 24").split()]  # of patients
FULL = "as in the study"
TRAINED = {
    FULL: ({}, "nothing"),
    "no mixing": ({"mixed": 0.0}, "no other EEG mixed into the training triptychs"),
    "no silent channels": ({"silent": 0.0}, "all channels always speak while training"),
    "no levels": ({"gain_db": 0.0}, "channels keep their level while training"),
    "no averaging": ({"averaged": 0.0}, "the last epoch's weights alone"),
    "twelve epochs": ({"epochs": 12}, "12 epochs in place of 20"),
    "narrow": ({"width": 8, "hidden": 16}, "half the feature maps and half the hidden size"),
    "wide": ({"width": 32, "hidden": 64}, "twice the feature maps and twice the hidden size"),
}
SCORES = ("auprc", "auprc_smoothed", "auroc", "event_f1")
ABOUT = {
    "patients": "simulated like sim08 with other seeds; the network was chosen on them",
    "interval": "95 % interval of the mean over these patients, Student's t; difference: variant minus the study's, "
    "patient by patient",
    "auprc_smoothed": "of the probability averaged over neighbouring frames, as for alarms",
}


def patient(seed, folder):
    """Simulate a development patient and return what training needs."""
    name = f"dev{seed}"
    plan = patients.load("sim08")["recordings"]
    simulation.simulate_patient(folder / "edf", name, {f"{name}{key[-3:]}": value for key, value in plan.items()}, seed)
    return world_of(folder / "edf", None, folder)


def measured(world, changes):
    """Train a variant on one patient; return its scores, and those of its first members alone."""
    settings = {**world["settings"], **changes}
    with_seizure, overlapping, samples = set(world["seizures"]["recording"]), world["overlapping"], world["samples"]
    planned = folds.leave_one_recording_out(list(world["paths"]), with_seizure, settings["members"])
    arguments = (overlapping, samples, world["axis"]["frame_columns"], settings)
    trained = training.train_all(planned, world["folder"] / "spectrograms", *arguments)
    scored = [(result.split, result.log_odds) for result in trained]
    alone = [folds.Fold(fold.number, fold.held_out, fold.inner[:1]) for fold in planned]
    return tuple(scores_of(world, chosen, scored) for chosen in (planned, alone))


def scores_of(world, planned, scored):
    """Return the scores of `comparison.drawn` for these folds."""
    predictions, inner = training.out_of_fold(planned, scored, world["samples"])
    table, _ = decisions.decide(predictions, inner, world["seizures"], world["durations_s"])
    return comparison.drawn(table, world["seizures"], world["durations_s"], draws=1)[0]


def row(variant, changed, rows, full):
    """Return a variant's entry: each score's mean with its interval, and its difference from the study's."""
    table, reference = pd.DataFrame(rows), pd.DataFrame(full)
    entry = {"variant": variant, "changed": changed, "patients": rows}
    for name in SCORES:
        entry[name] = interval(table[name])
        entry[f"{name}_difference"] = interval(table[name] - reference[name])
    return entry


def main(words):
    """Measure the variants named in `words`, by default all; return the exit code."""
    if unknown := sorted(set(words) - set(TRAINED)):
        sys.exit(f"error: there is no variant {', '.join(unknown)}; variants are {', '.join(TRAINED)}.")
    before = files.read_json(TARGET) if TARGET.exists() else {"rows": []}
    kept = {entry["variant"]: entry for entry in before["rows"]}
    with tempfile.TemporaryDirectory() as folder:
        worlds = [patient(seed, Path(folder, str(seed))) for seed in SEEDS]
        for variant in [FULL, *(name for name in TRAINED if name in (words or TRAINED) and name != FULL)]:
            changes, changed = TRAINED[variant]
            progress(f"== {variant}")
            found = [measured(world, changes) for world in worlds]
            own = [whole for whole, _ in found]
            if variant == FULL:
                full = own
                kept["one network"] = row(
                    "one network", "a fold's first member alone (same networks)", [a for _, a in found], full
                )
            kept[variant] = row(variant, changed, own, full)
            order = [name for name in (FULL, "one network", *TRAINED) if name in kept]
            rows = [kept[name] for name in dict.fromkeys(order)]
            stamp = {"date": date.today().isoformat(), "commit": commit(), "machine": machine(), "about": ABOUT}
            files.write_json(TARGET, rounded({**stamp, "development_seeds": SEEDS, "rows": rows}))
            print(variant, {name: round(kept[variant][name]["mean"], 3) for name in SCORES}, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
