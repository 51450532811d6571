"""What explaining costs: all samples of a studied patient by all methods, and beside the straightforward ways.

``python tests/benchmark_explain.py [patient]`` (sim08, studied before) writes ``output/benchmark/explain.json``.
The straightforward way has captum walk the path of Integrated Gradients at the spectrogram's full resolution, sample by
sample; it gives the same numbers (largest difference stated). One run, the two ways in turn.
"""

import sys
import time
from datetime import date
from statistics import median

import numpy as np
import pandas as pd
import torch
from benchmark_data import commit, machine, rounded
from captum.attr import IntegratedGradients
from conftest import ROOT

from helpers.explain import attributions
from helpers.preprocess import spectrograms
from helpers.study import files, parallel, stage
from helpers.train import network, training

TARGET = ROOT / "output" / "benchmark" / "explain.json"
BESIDE = 6  # samples of the first fold that both ways explain
ROUNDS = 5
LIMIT_S = 60


def straightforward(model, triptychs, steps):
    """Return Integrated Gradients as captum gives them from the spectrogram on, sample by sample."""
    found = [
        IntegratedGradients(model).attribute(
            one[None], baselines=model.mean.expand_as(one[None]), n_steps=steps, internal_batch_size=32
        )
        for one in triptychs
    ]
    return torch.cat(found).detach().numpy()


def main(patient="sim08"):
    """Measure, write and print; return the exit code: 1 if explaining all samples took too long."""
    decisions = pd.read_csv(files.stage_output(patient, "evaluate", "decisions.csv"), dtype={"recording": str})
    axis = files.read_json(files.stage_output(patient, "preprocess", "axes.json"))
    trained = files.read_json(files.stage_output(patient, "train", "training.json"))
    members = {fold["fold"]: fold["networks"] for fold in trained["folds"]}
    weights, folder = (
        files.stage_output(patient, "train", "weights"),
        files.stage_output(patient, "preprocess", "spectrograms"),
    )
    settings = stage.parameters("explain")
    table = attributions.select_samples(decisions, settings["samples_explained_max"]).reset_index(drop=True)
    began = time.perf_counter()
    attributions.explain_all(folder, weights, members, table, axis["frame_columns"], settings["ig_steps"])
    took_s = time.perf_counter() - began

    torch.set_num_threads(1)
    part = table[table["fold"] == table["fold"].min()].iloc[:BESIDE]
    model = network.load_ensemble(weights, members[part["fold"].iloc[0]])
    powers = spectrograms.open_spectrogram(folder, part["recording"].unique())
    triptychs = training.slices(powers, part, axis["frame_columns"])
    times, results = {"pooled": [], "straightforward": []}, {}
    for _ in range(ROUNDS):
        for name in times:
            began = time.process_time()
            if name == "pooled":
                results[name] = attributions.integrated_gradients(model, triptychs, settings["ig_steps"])[0]
            else:
                results[name] = straightforward(model, triptychs, settings["ig_steps"])
            times[name].append(time.process_time() - began)
    cpu = {name: median(values) for name, values in times.items()}
    off = float(np.abs(results["pooled"] - results["straightforward"]).max())
    found = {
        "date": date.today().isoformat(), "commit": commit(), "machine": machine(), "patient": patient,
        "all_samples": {
            "samples": len(table), "methods": list(attributions.METHODS), "ig_steps": settings["ig_steps"],
            "at_once": parallel.worker_count(), "seconds": took_s, "limit_s": LIMIT_S, "met": took_s <= LIMIT_S,
        },
        "beside": {
            "samples": len(part), "rounds": ROUNDS,
            "cpu_s_pooled": cpu["pooled"], "cpu_s_straightforward": cpu["straightforward"],
            "ratio": cpu["straightforward"] / cpu["pooled"], "largest_difference": off,
            "largest_attribution": float(np.abs(results["straightforward"]).max()),
        },
    }  # fmt: skip
    files.write_json(TARGET, rounded(found) | {"beside": found["beside"]})
    print(TARGET.read_text(encoding="utf-8"))
    return 0 if found["all_samples"]["met"] else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
