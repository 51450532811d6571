"""Ours against every baseline in the same folds: ``python tests/benchmark_baselines.py [patient …] [method …]``.

Writes ``output/benchmark/baselines.json``; with some patients or methods named, the others' results stay as they are.
Each run (a patient, a method, a seed: all its networks in turn, on one thread) is a process of its own, so that CPU
seconds and peak memory are its own; as many run at once as ``STUDY_WORKERS`` says. ``BASELINE_SEEDS`` (5) says how many
seeds a method gets. The networks of braindecode need packages that the study does not: where they are missing, the
entry says why it was skipped.

A run's log-odds are kept in ``output/runs``: a run that was ended goes on where it was, and only what scores
them is run again if nothing that trains has changed since.
"""

import hashlib
import json
import os
import re
import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from benchmark_data import Unavailable, commit, machine, rounded
from benchmark_projects import progress
from conftest import ROOT, SHARED

from helpers.acquire import edf, recordings
from helpers.acquire.annotations import Annotations
from helpers.evaluate import comparison, decisions, intervals
from helpers.preprocess import filterbank, spectrograms
from helpers.study import files, parallel, patients, stage
from helpers.train import baseline_networks, baselines, folds, training

sys.path.append(str(ROOT / ".venv-baselines"))  # what `make baselines` installs; after the study's own packages
warnings.filterwarnings("ignore", module="braindecode")
TARGET = ROOT / "output" / "benchmark" / "baselines.json"
KEPT = ROOT / "output" / "runs"
# The helpers that log-odds come from, beside recordings and settings: a kept run belongs to them as they are.
TRAINING = ["edf", "filterbank", "folds", "network", "recordings", "spectrograms", "training"]
TRAINING_BASELINES = ["baseline_networks", "baselines", "features"]
METHODS = (comparison.OURS, *baselines.CLASSIFIERS, *baseline_networks.NETWORKS)
EXCERPTS = "excerpts01"  # chb01's real excerpts: 2-s frames, as they are short
PATIENTS = ("sim08", EXCERPTS)
HUB = "google/efficientnet-b0"
# What a method does otherwise than the study's network.
CHANGES = {
    "eegnet": {"epochs": 10},
    "shallow": {"epochs": 10},
    "deep4": {"epochs": 10},
    "efficientnet": {"epochs": 8, "batch_size": 16, "members": 2},
}
SCORES = ("auprc", "auprc_smoothed", "auroc", "sample_f1", "event_f1")
COSTS = ("train_cpu_s_per_network", "train_cpu_s_per_fold", "peak_memory_mb")
SHOWN = ("auprc", "auprc_smoothed", "event_f1", "auroc", "train_cpu_s_per_network")
ABOUT = {
    "interval": "95 % interval of the mean, Student's t over seeds: what a seed changes, not what a patient does",
    "ahead": "ours minus it, seed by seed: mean and its 95 % interval by Student's t",
    "folds": "the study's folds and members; calibration, threshold and post-processing from inner recordings; scores "
    "over all held-out samples of all folds together",
    "cost": "a network serves two folds; a fold's cost is that of all networks over the number of folds",
    "features": "logistic and forest: band powers and line length of all three frames of a triptych",
    "eeg": "eegnet, shallow and deep4: the last frame's raw EEG",
    "pictures": f"efficientnet: pictures of the channels' mean, {baseline_networks.PIXELS} pixels a side",
    "settings": "those of ours, logistic and forest were chosen on the ablation's patients; braindecode's networks "
    "have 10 epochs, set after one seed of excerpts01 had been seen; efficientnet has 8 epochs and two members a fold, "
    "as more would take hours on a CPU",
    "changes": CHANGES,
}


def prepared(patient, folder):
    """Write a patient's spectrograms and line lengths to `folder`; return what a run needs, small enough to be sent."""
    if patient == EXCERPTS:
        source, frame_s = SHARED / "chbmit-excerpts" / "chb01", 2.0
        if not source.is_dir():
            raise Unavailable("needs the real EEG excerpts in ../shared/data, which are not here")
    else:
        source, frame_s = patients.recordings_folder(patient), patients.load(patient).get("frame_s")
        if not source.is_dir():
            raise Unavailable(f"its recordings are not here: make study PATIENT={patient}")
    return world_of(source, frame_s, folder)


def world_of(source, frame_s, folder):
    """Return what a run needs of the recordings in `source`; `frame_s` as for `prepared`, None for the study's own."""
    options = stage.parameters("preprocess")
    table, seizures, _ = recordings.survey(source, leave_out=True)
    rate = table["sampling_hz"].iloc[0]
    axis = filterbank.axes(rate, options["window_s"], options["hop_s"], frame_s or options["frame_s"])
    paths, columns = {row.recording: source / row.file for row in table.itertuples()}, {}
    for name, path in paths.items():
        targets = (folder / kind / f"{name}.npy" for kind in ("spectrograms", "line_length"))
        columns[name] = filterbank.write(edf.open_edf(path), next(targets), axis, next(targets))
    settings = dict(stage.parameters("train"))
    overlapping = spectrograms.all_triptychs(axis, columns, seizures, settings["step_s"])
    return {
        "folder": folder, "paths": paths, "axis": axis, "seizures": seizures, "settings": settings,
        "durations_s": dict(zip(table["recording"], table["duration_s"], strict=True)),
        "overlapping": overlapping, "samples": spectrograms.all_triptychs(axis, columns, seizures, axis["frame_s"]),
    }  # fmt: skip


def run(world, method, seed, changes):
    """Train and test one method with one seed in this process; return its scores and its cost."""
    planned, scored, cost = trained(world, method, seed, changes)
    return {"seed": seed, **scores_of(world, planned, scored), **cost}


def trained(world, method, seed, changes):
    """Train all networks of a method, unless they are kept; `changes` are to the settings of the study and the method.

    Returns
    -------
    planned : list of folds.Fold
    scored : list of (folds.Split, pandas.Series)
        As `training.out_of_fold` takes them.
    cost : dict
        ``date``, ``commit``, ``networks``, ``prepare_cpu_s`` and the `COSTS`.
    """
    settings = {**world["settings"], **CHANGES.get(method, {}), **changes, "seed": seed}
    planned = folds.leave_one_recording_out(
        list(world["paths"]), set(world["seizures"]["recording"]), settings["members"]
    )
    path = KEPT / f"{method}-{digest(world, method, settings)}.json"
    if not path.exists():
        began = time.process_time()
        one, networks = trainer(world, method, settings), folds.splits(planned)
        ready = time.process_time()
        scored = {split.name: one(split).to_dict() for split in networks}
        cpu_s = time.process_time() - ready
        cost = {
            "date": date.today().isoformat(), "commit": commit(), "networks": len(networks),
            "prepare_cpu_s": ready - began, "train_cpu_s_per_network": cpu_s / len(networks),
            "train_cpu_s_per_fold": cpu_s / len(planned), "peak_memory_mb": peak_memory_mb(),
        }  # fmt: skip
        files.write_json(path, {"cost": cost, "log_odds": scored})
    kept = files.read_json(path)
    scored = [(split, pd.Series(kept["log_odds"][split.name]).rename(int)) for split in folds.splits(planned)]
    return planned, scored, kept["cost"]


def digest(world, method, settings):
    """Return the name of a run: it changes with the recordings, the settings and the code that trains."""
    parts = [path.read_bytes() for path in world["paths"].values()]
    names = TRAINING if method == comparison.OURS else TRAINING + TRAINING_BASELINES
    parts += [(ROOT / "src" / "helpers" / f"{name}.py").read_bytes() for name in names]
    parts.append(json.dumps([method, settings, world["axis"]["frame_s"]], sort_keys=True, default=str).encode())
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:16]


def scores_of(world, planned, scored):
    """Return the scores of `comparison.score_detector` for these folds."""
    predictions, inner = training.out_of_fold(planned, scored, world["samples"])
    annotations = Annotations(world["seizures"], world["durations_s"])
    table, _ = decisions.decide(predictions, inner, annotations)
    return {name: value for name, (value, _) in comparison.score_detector(table, annotations, draws=1).items()}


def trainer(world, method, settings):
    """Read what a method needs; return a function from a split to the log-odds of what it has not seen."""
    axis, names = world["axis"], list(world["paths"])
    overlapping, samples = world["overlapping"], world["samples"]
    power = spectrograms.open_spectrogram(world["folder"] / "spectrograms", names)
    if method == comparison.OURS:
        arguments = (training.taken(power), overlapping, samples, axis["frame_columns"], settings)
        return lambda split: training.train_split(split, *arguments).log_odds
    if method in baselines.CLASSIFIERS:
        lengths = spectrograms.open_spectrogram(world["folder"] / "line_length", names)
        for name, value in settings.get("baselines", {}).items():
            setattr(baselines, name, value)  # this process is this run's own
        arguments = (power, lengths, overlapping, samples, axis, settings["seed"], (method,))
        return lambda split: baselines.train_split(split, *arguments)[method]
    if method in baseline_networks.SIGNAL_NETWORKS:
        source = {name: edf.read(edf.open_edf(path)) for name, path in world["paths"].items()}
    else:
        source = {name: spectrograms.mean_power(world["folder"] / "spectrograms" / f"{name}.npy") for name in names}
    train = partial(baseline_networks.train_split, method)
    return lambda split: train(split, source, overlapping, samples, axis, settings)


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
    half = intervals.half_width(values)
    return {"n": n, "mean": mean, "low": mean - half, "high": mean + half}


def measured(patient, world, methods, seeds, weights):
    """Yield each method with its entry; all runs of a patient wait in one queue, so that no core is idle."""
    at_once, first = parallel.worker_count(), world["settings"]["seed"]
    # A process for each run, started anew: peak memory is not that of the run before.
    with ProcessPoolExecutor(at_once, get_context("spawn"), max_tasks_per_child=1) as pool:
        changes = {"efficientnet": {"weights": weights}}
        jobs = {
            method: [pool.submit(run, world, method, first + k, changes.get(method, {})) for k in range(seeds)]
            for method in methods
        }
        for method, own in jobs.items():
            try:
                runs = []
                for job in own:
                    runs.append(job.result())
                    progress(f"  {patient} {method}, seed {runs[-1]['seed']}: {line(runs[-1])}")
            except ImportError as error:
                yield method, {"skipped": f"a package is missing ({error}): make baselines installs it"}
            except Exception as error:  # the others still run; the table and the exit code say that this one did not
                yield method, {"failed": f"{type(error).__name__}: {error}".replace(str(ROOT), ".")}
            else:
                summary = {name: interval([found[name] for found in runs]) for name in (*SCORES, *COSTS)}
                stamp = {name: ", ".join(sorted({found[name] for found in runs})) for name in ("date", "commit")}
                yield method, {**stamp, "at_once": at_once, **summary, "runs": runs}


def line(found):
    """Return a run's scores and its cost as one line."""
    shown = ", ".join(f"{name} {found[name]:.3f}" for name in SCORES if found[name] is not None)
    return f"{shown}; {found['train_cpu_s_per_network']:.1f} CPU s a network"


def ahead(entries):
    """Return the entries of a patient, each baseline's with how far ours is ahead, over the seeds that both had."""
    ours = {run["seed"]: run for run in entries.get(comparison.OURS, {}).get("runs", [])}
    found = {}
    for method, entry in entries.items():
        pairs = [(ours[run["seed"]], run) for run in entry.get("runs", []) if run["seed"] in ours]
        gaps = {
            f"ahead_{name}": interval(
                [one[name] - other[name] for one, other in pairs if None not in (one[name], other[name])]
            )
            for name in SCORES
        }
        found[method] = entry if method == comparison.OURS or not pairs else {**entry, **rounded(gaps)}
    return found


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
    """Return the results of the patients `chosen` as lines of text; ``+`` and ``-`` is how far ours is ahead."""
    lines = []
    for patient in chosen:
        entries = results[patient]
        lines.append(f"{patient:14s}" + "".join(f"{name:24s}" for name in SHOWN))
        for method in [name for name in METHODS if name in entries]:
            entry = entries[method]
            said = next((f"{key}: {entry[key]}" for key in ("skipped", "failed") if key in entry), None)
            lines.append(f"  {method:12s}" + (said or "".join(cell(entry[name]) for name in SHOWN)))
            gaps = [entry.get(f"ahead_{name}") for name in SHOWN]
            if any(gaps):
                lines.append(f"  {'  ours ahead':12s}" + "".join(cell(gap, "+.3f") if gap else "" for gap in gaps))
    return "\n".join(lines)


def cell(value, form=".3f"):
    """Return a mean with its interval as text of 24 characters."""
    shown = [format(value[key], form) for key in ("mean", "low", "high") if value[key] is not None]
    return f"{' '.join([*shown[:1], ' to '.join(shown[1:])]):24s}"


def main(words):
    """Measure the patients and methods named in `words`, by default all; return the exit code."""
    known = {*patients.declared(), EXCERPTS, *METHODS}
    if unknown := sorted(set(words) - known):
        sys.exit(f"error: there is no patient or method {', '.join(unknown)}; methods are {', '.join(METHODS)}.")
    methods = [name for name in METHODS if name in words] or METHODS
    chosen = [word for word in words if word not in METHODS] or PATIENTS
    weights, said = hub_weights() if "efficientnet" in methods else (None, "")
    results = files.read_json(TARGET) if TARGET.exists() else {}
    seeds, failed = int(os.environ.get("BASELINE_SEEDS", "5")), False
    for patient in chosen:
        results.setdefault(patient, {})
        with tempfile.TemporaryDirectory() as folder:
            try:
                progress(f"== {patient}")
                world = prepared(patient, Path(folder))
            except Unavailable as reason:
                results[patient] |= {name: {"skipped": str(reason)} for name in methods}
                continue
            for method, entry in measured(patient, world, methods, seeds, weights):
                entry |= {"weights": said} if method == "efficientnet" else {}
                failed |= "failed" in entry
                results[patient] = ahead(results[patient] | {method: rounded(entry)})
                files.write_json(TARGET, {**results, "about": ABOUT, "machine": {**machine(), **packages()}})
    print(table(results, chosen))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
