"""What each part of the detector is worth: ``python -m benchmarks.ablation [method …] [variant …]`` writes
``output/benchmark/ablation.json``.

About an hour; with methods or variants named, the others' results stay. Each variant changes one thing, on development
patients: half of them like sim08, half as short as the excerpts of real EEG. The settings of the network and the
baselines were chosen on them; the study reports none of them.
"""

import sys
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks import baselines as runs
from benchmarks.common import FOLDER, mean_interval, measured_at, progress, rounded
from helpers.acquire.simulated import simulation
from helpers.evaluate import comparison
from helpers.study import files, patients
from helpers.train import baselines, folds

TARGET = FOLDER / "ablation.json"
LIKE = {"sim08": (21, 22, 23, 24), "the excerpts": (31, 32, 33, 34)}  # seeds of the development patients
SHORT_PLAN = [(50, 10, 50), (37, 10, 37), (50, 10, 50), (61, 10, 61)]  # duration, onset and end of a seizure, in s
SHORT_FRAME_S = 2.0
FULL, ALONE = "as in the study", "one network"
BALANCED = {"class_weight": "balanced_subsample", "n_jobs": 1}
VARIANTS = {
    comparison.OURS: {
        FULL: ({}, "nothing"),
        "last frame alone": ({"auxiliary_loss_weight": 0.0}, "decisions after t0 and t1 do not count while training"),
        "no background mixing": ({"background_mixing": 0.0}, "no other EEG mixed into the training triptychs"),
        "no channel dropout": ({"channel_dropout": 0.0}, "no channel is dropped while training"),
        "no gains": ({"gain_db": 0.0}, "channels keep their level while training"),
        "no averaging": ({"weight_averaging": 0.0}, "the last epoch's weights alone"),
    },
    "logistic": {
        FULL: ({}, "nothing"),
        "weaker L2": ({"baselines": {"L2": (*baselines.L2, 1.0)}}, "a weaker L2 may be chosen as well"),
        "stronger L2": ({"baselines": {"L2": (1e-5, *baselines.L2)}}, "a stronger L2 may be chosen as well"),
    },
    "forest": {
        FULL: ({}, "nothing"),
        "full trees": ({"baselines": {"FOREST": BALANCED}}, "leaves of one triptych, trees on all triptychs"),
        "large leaves": ({"baselines": {"FOREST": {**BALANCED, "min_samples_leaf": 20}}}, "leaves of twenty"),
    },
}
SCORES = ("auprc", "auprc_smoothed", "auroc", "event_f1")
ABOUT = {
    "patients": "simulated; each patient and variant with one seed",
    "interval": "95 % interval of the mean over patients (Student's t), of scores and of variant minus the study's",
}


def simulate(like, seed, folder):
    """Simulate a development patient into `folder` and return what training needs."""
    name = f"dev{seed}"
    if like == "sim08":
        plan = {f"{name}{key[-3:]}": value for key, value in patients.load("sim08")["recordings"].items()}
    else:
        plan = {
            f"{name}_{number:02d}": {"duration_s": duration_s, "seizures": [[start_s, end_s]]}
            for number, (duration_s, start_s, end_s) in enumerate(SHORT_PLAN, 1)
        }
    simulation.simulate_patient(folder / "edf", name, plan, seed)
    return runs.prepare_folder(folder / "edf", None if like == "sim08" else SHORT_FRAME_S, folder)


def first_member_alone(world):
    """Return the scores if each fold's first network decided alone: the networks kept, trained before."""
    planned, scored, cost = runs.train(world, comparison.OURS, world["settings"]["seed"], {})
    first = [folds.Fold(fold.number, fold.held_out, fold.inner[:1]) for fold in planned]
    return {**runs.score(world, first, scored), **cost}


def row(method, variant, changed, scores, full):
    """Return a variant's entry: each score's mean over each half of the patients, and its difference from the study's.

    `scores` and `full` are dicts of (like, seed) → scores.
    """
    commits = ", ".join(sorted({found["commit"] for found in scores.values()}))
    entry = {"method": method, "variant": variant, "changed": changed, "trained_at": commits}
    for like in LIKE:
        own, other = (
            pd.DataFrame([found[which] for which in found if which[0] == like])[list(SCORES)].astype(float)
            for found in (scores, full)
        )
        means = {name: mean_interval(own[name].tolist()) for name in SCORES}
        gaps = {f"{name}_difference": mean_interval((own[name] - other[name]).tolist()) for name in SCORES}
        entry[like] = {**means, **gaps, "patients": own.to_dict("records")}
    return entry


def main(words):
    known = {*VARIANTS, *(variant for variants in VARIANTS.values() for variant in variants)}
    if unknown := sorted(set(words) - known):
        sys.exit(f"error: there is no method or variant {', '.join(unknown)}; there are {', '.join(sorted(known))}.")
    methods = [method for method in VARIANTS if method in words] or list(VARIANTS)
    chosen = set(words) - set(VARIANTS) or known
    before = files.read_json(TARGET)["rows"] if TARGET.exists() else []
    kept = {(entry["method"], entry["variant"]): entry for entry in before}
    with tempfile.TemporaryDirectory() as folder:
        worlds = {(like, seed): simulate(like, seed, Path(folder, str(seed))) for like in LIKE for seed in LIKE[like]}
        for method in methods:
            progress(f"== {method}")
            variants = {name: what for name, what in VARIANTS[method].items() if name == FULL or name in chosen}
            jobs = {
                (name, *which): (world, method, world["settings"]["seed"], changes)
                for name, (changes, _) in variants.items()
                for which, world in worlds.items()
            }
            found = dict(runs.run_all(jobs))
            if error := next((one for one in found.values() if isinstance(one, Exception)), None):
                raise error
            tables = {name: {which: found[name, *which] for which in worlds} for name in variants}
            for name, (_, changed) in variants.items():
                kept[method, name] = row(method, name, changed, tables[name], tables[FULL])
            if method == comparison.OURS:
                own = {which: first_member_alone(world) for which, world in worlds.items()}
                kept[method, ALONE] = row(method, ALONE, "a fold's first network alone", own, tables[FULL])
            order = [(one, name) for one in VARIANTS for name in (*VARIANTS[one], ALONE)]
            rows = [kept[name] for name in order if name in kept]
            files.write_json(TARGET, rounded({**measured_at(), "about": ABOUT, "rows": rows}))


if __name__ == "__main__":
    main(sys.argv[1:])
