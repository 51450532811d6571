"""What each part of the detector is worth, and what the settings were chosen by: on patients simulated for it.

``python tests/benchmark_ablation.py [method …] [variant …]`` writes ``output/benchmark/ablation.json``; with some
methods or variants named, the others' results stay as they are. Half of these development patients are like sim08,
half are cut as short as the excerpts of real EEG. The network's and the baselines' settings were chosen on them; the
study reports none of them. Each variant changes one thing. Runs are kept as those of ``benchmark_baselines`` are.
"""

import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
from benchmark_baselines import interval, line, run, scores_of, trained, world_of
from benchmark_data import commit, machine, rounded
from benchmark_projects import progress
from conftest import ROOT

from helpers.acquire.simulated import simulation
from helpers.evaluate import comparison
from helpers.evaluate.comparison import METHODS as NAMES
from helpers.study import files, parallel, patients
from helpers.train import baselines, folds

TARGET = ROOT / "output" / "benchmark" / "ablation.json"
LIKE = {"sim08": (21, 22, 23, 24), "the excerpts": (31, 32, 33, 34)}  # seeds of the development patients
SHORT_PLAN = [(50, 10, 50), (37, 10, 37), (50, 10, 50), (61, 10, 61)]  # duration, onset and end of a seizure, in s
SHORT_FRAME_S = 2.0
FULL, ALONE = "as in the study", "one network"
BALANCED = {"class_weight": "balanced_subsample", "n_jobs": 1}
VARIANTS = {
    comparison.OURS: {
        FULL: ({}, "nothing"),
        "last frame alone": ({"earlier": 0.0}, "decisions after t0 and t1 do not count while training"),
        "no mixing": ({"mixed": 0.0}, "no other EEG mixed into the training triptychs"),
        "no silent channels": ({"silent": 0.0}, "all channels always speak while training"),
        "no levels": ({"gain_db": 0.0}, "channels keep their level while training"),
        "no averaging": ({"averaged": 0.0}, "the last epoch's weights alone"),
    },
    "logistic": {
        FULL: ({}, "nothing"),
        "weaker, too": ({"baselines": {"L2": (*baselines.L2, 1.0)}}, "a weaker L2 may be chosen as well"),
        "stronger, too": ({"baselines": {"L2": (1e-5, *baselines.L2)}}, "a stronger L2 may be chosen as well"),
    },
    "forest": {
        FULL: ({}, "nothing"),
        "whole trees": ({"baselines": {"FOREST": BALANCED}}, "leaves of one triptych, trees on all triptychs"),
        "large leaves": ({"baselines": {"FOREST": {**BALANCED, "min_samples_leaf": 20}}}, "leaves of twenty"),
    },
}
SCORES = ("auprc", "auprc_smoothed", "auroc", "event_f1")
ABOUT = {
    "patients": "simulated; each patient and variant with one seed",
    "interval": "95 % interval of the mean over these patients, Student's t; difference: variant minus the study's, "
    "patient by patient",
    "auprc_smoothed": "of the probability averaged over neighbouring frames, as for alarms",
}


def patient(like, seed, folder):
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
    return world_of(folder / "edf", None if like == "sim08" else SHORT_FRAME_S, folder)


def measured(worlds, jobs):
    """Run all `jobs`, (method, changes), on all `worlds`; return a dict of (job number, like, seed) → what it left."""
    found = {}
    with ProcessPoolExecutor(parallel.worker_count(), get_context("spawn"), max_tasks_per_child=1) as pool:
        started = {
            (number, *which): pool.submit(run, world, method, world["settings"]["seed"], changes)
            for number, (method, changes) in enumerate(jobs)
            for which, world in worlds.items()
        }
        for (number, *which), future in started.items():
            found[number, *which] = future.result()
            progress(f"  {jobs[number][0]} {which}: {line(found[number, *which])}")
    return found


def alone(world):
    """Return what `run` does for ours if each fold's first member decided alone: the networks kept, trained before."""
    planned, scored, cost = trained(world, comparison.OURS, world["settings"]["seed"], {})
    first = [folds.Fold(fold.number, fold.held_out, fold.inner[:1]) for fold in planned]
    return {**scores_of(world, first, scored), **cost}


def row(method, variant, changed, scores, full):
    """Return a variant's entry: each score's mean over each half of the patients, and its difference from the study's.

    `scores` and `full` are dicts of (like, seed) → scores, of the variant and of the method as it is in the study.
    """
    commits = ", ".join(sorted({found["commit"] for found in scores.values()}))
    entry = {"method": method, "name": NAMES[method], "variant": variant, "changed": changed, "trained_at": commits}
    for like in LIKE:
        own, other = (
            pd.DataFrame([found[which] for which in found if which[0] == like])[list(SCORES)].astype(float)
            for found in (scores, full)
        )
        means = {name: interval(own[name].tolist()) for name in SCORES}
        gaps = {f"{name}_difference": interval((own[name] - other[name]).tolist()) for name in SCORES}
        entry[like] = {**means, **gaps, "patients": own.to_dict("records")}
    return entry


def main(words):
    """Measure the methods and the variants named in `words`, by default all; return the exit code."""
    known = {*VARIANTS, *(variant for variants in VARIANTS.values() for variant in variants)}
    if unknown := sorted(set(words) - known):
        sys.exit(f"error: there is no method or variant {', '.join(unknown)}; there are {', '.join(sorted(known))}.")
    methods = [method for method in VARIANTS if method in words] or list(VARIANTS)
    chosen = set(words) - set(VARIANTS) or known
    before = files.read_json(TARGET)["rows"] if TARGET.exists() else []
    kept = {(entry["method"], entry["variant"]): entry for entry in before}
    with tempfile.TemporaryDirectory() as folder:
        worlds = {
            (like, seed): patient(like, seed, Path(folder, str(seed))) for like, seeds in LIKE.items() for seed in seeds
        }
        for method in methods:
            progress(f"== {method}")
            variants = {name: what for name, what in VARIANTS[method].items() if name == FULL or name in chosen}
            found = measured(worlds, [(method, changes) for changes, _ in variants.values()])
            tables = [{which: found[number, *which] for which in worlds} for number in range(len(variants))]
            for (variant, (_, changed)), table in zip(variants.items(), tables, strict=True):
                kept[method, variant] = row(method, variant, changed, table, tables[0])
            if method == comparison.OURS:
                own = {which: alone(world) for which, world in worlds.items()}
                kept[method, ALONE] = row(method, ALONE, "a fold's first member alone (same networks)", own, tables[0])
            order = [(name, variant) for name in VARIANTS for variant in (*VARIANTS[name], ALONE)]
            rows = [kept[name] for name in order if name in kept]
            stamp = {"date": date.today().isoformat(), "commit": commit(), "machine": machine(), "about": ABOUT}
            files.write_json(TARGET, rounded({**stamp, "rows": rows}))
            for entry in rows:
                if entry["method"] == method:
                    print(method, entry["variant"], {like: round(entry[like]["auprc"]["mean"], 3) for like in LIKE})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
