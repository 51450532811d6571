"""Ours against every baseline in the same folds: ``python tests/benchmark_baselines.py [patient …] [method …]``.

Writes ``output/benchmark/baselines.json``; with some patients or methods named, the others' results stay as they are.
Each run (a patient, a method, a seed: all folds in turn, on one thread) is a process of its own, so that CPU seconds
and peak memory are its own; as many run at once as ``STUDY_WORKERS`` says. ``BASELINE_SEEDS`` (5) says how many seeds a
method gets; a baseline that needs more than ten minutes gets fewer, and its entry says so. The networks of braindecode
need packages that the study does not: where they are missing, the entry says why it was skipped.
"""

import os
import re
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.stats
from benchmark_data import Unavailable, commit, machine, rounded
from benchmark_projects import progress
from conftest import ROOT, SHARED
from sklearn.metrics import average_precision_score, roc_auc_score

from helpers import (
    baselines,
    edf,
    features,
    files,
    filterbank,
    folds,
    patients,
    recordings,
    scores,
    spectrograms,
    stage,
    training,
    workers,
)

TARGET = ROOT / "output" / "benchmark" / "baselines.json"
METHODS = ("ours", *baselines.CLASSIFIERS, *baselines.NETWORKS)
EXCERPTS = "excerpts01"  # chb01's real excerpts: 2-s frames, as they are short
PATIENTS = ("sim08", EXCERPTS)
BUDGET_S = 600
HUB = "google/efficientnet-b0"
METRICS = ("auroc", "auprc", "sample_f1", "event_f1", "train_cpu_s_per_fold", "peak_memory_mb")
SHOWN = ("auprc", "event_f1", "auroc", "train_cpu_s_per_fold")
ABOUT = {
    "interval": "95 % interval of the mean, Student's t over seeds: what a seed changes, not what a patient does",
    "folds": "leave one seizure recording out; AUROC, AUPRC and F1 over all held-out samples of all folds together",
    "features": "logistic and forest: band powers and line length of all three frames of a triptych",
    "eeg": "eegnet, shallow and deep4: the last frame's raw EEG; as many batches as ours, of as many triptychs",
    "efficientnet": f"pictures of the channels' mean, {baselines.PIXELS} pixels a side; as many batches as ours, "
    "of half as many triptychs",
}


def prepared(patient, folder):
    """Write a patient's spectrograms to `folder`, and return all that a run needs, small enough to be sent to it."""
    if patient == EXCERPTS:
        source, frame_s = SHARED / "chbmit-excerpts" / "chb01", 2.0
        if not source.is_dir():
            raise Unavailable("needs the real EEG excerpts in ../shared/data, which are not here")
    else:
        source, frame_s = patients.recordings_folder(patient), patients.load(patient).get("frame_s")
        if not source.is_dir():
            raise Unavailable(f"its recordings are not here: make study PATIENT={patient}")
    options = stage.parameters("preprocess")
    table, seizures, _ = recordings.survey(source, leave_out=True)
    rate = table["sampling_hz"].iloc[0]
    axis = filterbank.axes(rate, options["window_s"], options["hop_s"], frame_s or options["frame_s"])
    paths = {row.recording: source / row.file for row in table.itertuples()}
    columns = {name: filterbank.write(edf.open_edf(path), folder / f"{name}.npy", axis) for name, path in paths.items()}
    settings = dict(stage.parameters("train"))
    overlapping = spectrograms.all_triptychs(axis, columns, seizures, settings.pop("step_s"))
    return {
        "folder": folder, "paths": paths, "axis": axis, "seizures": seizures, "settings": settings,
        "durations_s": dict(zip(table["recording"], table["duration_s"], strict=True)),
        "folds": folds.leave_one_recording_out(list(columns), set(seizures["recording"])),
        "overlapping": overlapping, "samples": spectrograms.all_triptychs(axis, columns, seizures, axis["frame_s"]),
    }  # fmt: skip


def run(world, method, seed, weights):
    """Train and test one method with one seed in this process; return its scores and its cost."""
    os.environ["STUDY_WORKERS"] = "1"
    began = time.process_time()
    one_fold = trainer(world, method, {**world["settings"], "seed": seed, "weights": weights})
    ready = time.process_time()
    predictions = pd.concat(one_fold(world["folds"]))
    cpu_s = time.process_time() - ready
    return {
        "seed": seed, **scored(world, predictions), "prepare_cpu_s": ready - began,
        "train_cpu_s_per_fold": cpu_s / len(world["folds"]), "peak_memory_mb": peak_memory_mb(),
    }  # fmt: skip


def trainer(world, method, settings):
    """Read what a method needs; return a function from all folds to their predictions."""
    axis, seed = world["axis"], settings["seed"]
    overlapping, samples, weights = world["overlapping"], world["samples"], settings.pop("weights")
    if method == "ours":
        arguments = (world["folder"], overlapping, samples, axis["frame_columns"], settings)
        return lambda planned: [result.predictions for result in training.train_all(planned, *arguments)]
    opened = spectrograms.opened(world["folder"], list(world["paths"]))
    eeg = {name: edf.open_edf(path) for name, path in world["paths"].items()}
    if method in baselines.CLASSIFIERS:
        made = [features.measure(opened, eeg, part, axis, features.ALL_FRAMES) for part in (overlapping, samples)]
        arguments = (overlapping, made[0], samples, made[1], seed)
        return lambda planned: [baselines.fit_predict(method, fold, *arguments) for fold in planned]
    if method in baselines.SIGNAL_NETWORKS:
        source = {name: edf.read(recording) for name, recording in eeg.items()}
    else:
        source = {name: spectrograms.mean_power(world["folder"] / f"{name}.npy") for name in opened}
        settings = {**settings, "weights": weights, "batch_size": settings["batch_size"] // 2}
    train = partial(baselines.train_network, method)
    return lambda planned: [train(fold, source, overlapping, samples, axis, settings) for fold in planned]


def scored(world, predictions):
    """Return a run's scores, by the study's own rules."""
    label, p_seizure = predictions["label"], predictions["p_seizure"]
    decided = predictions.assign(decided=(p_seizure >= predictions["threshold"]).astype(int))
    events = scores.event_scores(scores.events(decided), world["seizures"], world["durations_s"])
    return {
        "auroc": roc_auc_score(label, p_seizure), "auprc": average_precision_score(label, p_seizure),
        "sample_f1": scores.sample_scores(*scores.confusion(label, decided["decided"]))["f1"],
        "event_f1": events["f1"],
        "events": {key: events[key] for key in ("seizures", "detected", "false_alarms")},
    }  # fmt: skip


def peak_memory_mb():
    """Return the most memory this process has had, in 10⁶ bytes, or None where the system does not tell."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) * 1024 / 1e6 if found else None


def interval(values):
    """Return mean and 95 % interval of the mean, by Student's t over `values`; of fewer than two no interval."""
    values = [value for value in values if value is not None]
    if not values:
        return {"n": 0, "mean": None, "low": None, "high": None}
    mean, n = float(np.mean(values)), len(values)
    if n < 2:
        return {"n": n, "mean": mean, "low": None, "high": None}
    half = float(scipy.stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n))
    return {"n": n, "mean": mean, "low": mean - half, "high": mean + half}


def measured(world, method, seeds, weights):
    """Run a method with its seeds, as far as the budget goes; return its entry."""
    at_once, runs, began = workers.count(), [], time.perf_counter()
    stamp = {"date": date.today().isoformat(), "commit": commit(), "load_before": round(os.getloadavg()[0], 2)}
    while len(runs) < seeds:
        batch = range(len(runs), min(len(runs) + at_once, seeds))
        progress(f"  {method}: seeds {[world['settings']['seed'] + k for k in batch]}")
        try:
            # A process for each run, started anew: peak memory is not that of the run before.
            with ProcessPoolExecutor(at_once, get_context("spawn"), max_tasks_per_child=1) as pool:
                jobs = [pool.submit(run, world, method, world["settings"]["seed"] + k, weights) for k in batch]
                runs += [job.result() for job in jobs]
        except ImportError as error:
            return {**stamp, "skipped": f"a package is missing ({error}): make baselines installs it"}
        except Exception as error:  # the other methods still run; the table and the exit code say that this one did not
            return {**stamp, "failed": f"{type(error).__name__}: {error}".replace(str(ROOT), ".")}
        elapsed = time.perf_counter() - began
        if method != "ours" and len(runs) < seeds and elapsed * (len(runs) + at_once) / len(runs) > BUDGET_S:
            stamp["fewer_seeds"] = f"{len(runs)} of {seeds}: one more round would pass {BUDGET_S / 60:g} minutes"
            break
    summary = {name: interval([found[name] for found in runs]) for name in METRICS}
    return {**stamp, "at_once": at_once, "wall_s": elapsed, **summary, "runs": runs}


def hub_weights():
    """Return the name of EfficientNet-B0's ImageNet weights if the Hub or its cache has them, and what to say of it."""
    from transformers import EfficientNetModel

    try:
        EfficientNetModel.from_pretrained(HUB)
        return HUB, f"ImageNet ({HUB})"
    except OSError:
        return None, f"random: {HUB} is not in the cache, and the Hub was not reached"


def packages():
    """Return the versions of what the methods are made of; None where one is missing."""
    found = {}
    for name in ("torch", "scikit-learn", "transformers", "braindecode"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def table(results, chosen):
    """Return the results of the patients `chosen` as lines of text."""
    lines = []
    for patient in chosen:
        entries = results[patient]
        lines.append(f"{patient:14s}{'AUPRC':22s}{'event F1':22s}{'AUROC':22s}CPU s a fold")
        for method in [name for name in METHODS if name in entries]:
            entry = entries[method]
            said = next((f"{key}: {entry[key]}" for key in ("skipped", "failed") if key in entry), None)
            lines.append(f"  {method:12s}" + (said or "".join(map(cell, map(entry.get, SHOWN)))))
    return "\n".join(lines)


def cell(value):
    """Return a mean with its interval as text of 22 characters."""
    shown = [f"{value[key]:.3f}" for key in ("mean", "low", "high") if value[key] is not None]
    return f"{' '.join([*shown[:1], '–'.join(shown[1:])]):22s}"


def main(words):
    """Measure the patients and methods named in `words`, by default all; return the exit code."""
    known = {*patients.declared(), EXCERPTS, *METHODS}
    if unknown := sorted(set(words) - known):
        sys.exit(f"error: there is no patient or method {', '.join(unknown)}; methods are {', '.join(METHODS)}.")
    methods = [name for name in METHODS if name in words] or METHODS
    chosen = [word for word in words if word not in METHODS] or PATIENTS
    weights, said = hub_weights() if "efficientnet" in methods else (None, "")
    results = files.read_json(TARGET) if TARGET.exists() else {}
    failed = False
    for patient in chosen:
        results.setdefault(patient, {})
        with tempfile.TemporaryDirectory() as folder:
            try:
                progress(f"== {patient}")
                world = prepared(patient, Path(folder))
            except Unavailable as reason:
                results[patient] |= {name: {"skipped": str(reason)} for name in methods}
                continue
            for method in methods:
                entry = measured(world, method, int(os.environ.get("BASELINE_SEEDS", "5")), weights)
                entry |= {"weights": said} if method == "efficientnet" else {}
                results[patient][method] = rounded(entry)
                failed |= "failed" in entry
                files.write_json(TARGET, {**results, "about": ABOUT, "machine": {**machine(), **packages()}})
    print(table(results, chosen))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
