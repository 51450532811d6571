"""What explaining costs: ``python -m benchmarks.explain [patient]`` writes ``output/benchmark/explain.json``.

Needs the study of the patient (default sim08). Integrated Gradients beside the straightforward way, in which captum
walks the path at the spectrogram's full resolution, sample by sample: median CPU seconds on one thread, and the largest
difference of the two. Half a minute. What all samples and methods cost together, `benchmarks.stages` measures.
"""

import sys
import time
from statistics import median

import numpy as np
import torch
from captum.attr import IntegratedGradients

from benchmarks.common import FOLDER, measured_at
from helpers.explain import attributions
from helpers.preprocess import spectrograms
from helpers.study import files
from helpers.train import inputs, network

TARGET = FOLDER / "explain.json"
SAMPLES, ROUNDS = 6, 5


def straightforward(model, triptychs, steps):
    """Return Integrated Gradients as captum gives them from the spectrogram on, sample by sample."""
    found = [
        IntegratedGradients(model).attribute(
            one[None], baselines=model.mean.expand_as(one[None]), n_steps=steps, internal_batch_size=32
        )
        for one in triptychs
    ]
    return torch.cat(found).detach().numpy()


def compare(model, triptychs, steps):
    """Run both ways in turn; return median CPU seconds, and how far their numbers differ."""
    ways = {
        "pooled": lambda: attributions.toward_seizure(model, triptychs, steps=steps).numpy(),
        "straightforward": lambda: straightforward(model, triptychs, steps),
    }
    times, found = {name: [] for name in ways}, {}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            began = time.process_time()
            found[name] = way()
            times[name].append(time.process_time() - began)
    cpu = {name: median(values) for name, values in times.items()}
    return {
        "samples": len(triptychs), "rounds": ROUNDS, **{f"cpu_s_{name}": value for name, value in cpu.items()},
        "ratio": cpu["straightforward"] / cpu["pooled"],
        "largest_difference": float(np.abs(found["pooled"] - found["straightforward"]).max()),
    }  # fmt: skip


def main(patient="sim08"):
    decisions = files.read_table(files.stage_output(patient, "evaluate", "decisions.csv"))
    columns = files.read_json(files.stage_output(patient, "preprocess", "axes.json"))["frame_columns"]
    trained = files.read_json(files.stage_output(patient, "train", "training.json"))["folds"][0]
    part = decisions[decisions["fold"] == trained["fold"]].iloc[:SAMPLES]
    folder = files.stage_output(patient, "preprocess", "spectrograms")
    powers = spectrograms.open_spectrogram(folder, part["recording"].unique())
    model = network.load_ensemble(files.stage_output(patient, "train", "weights"), trained["networks"])
    steps = files.read_yaml(files.ROOT / "params" / "explain.yaml")["ig_steps"]
    torch.set_num_threads(1)
    found = compare(model, inputs.slices(powers, part, columns), steps)
    files.write_json(TARGET, {"patient": patient, **measured_at(), "ig_steps": steps, "beside": found})
    print(TARGET.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(*sys.argv[1:])
