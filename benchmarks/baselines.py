"""The network against every baseline in the same folds: ``python -m benchmarks.baselines [patient …] [method …]``
writes ``output/benchmark/baselines.json``.

With patients or methods named, the others' results stay. About an hour for all. Each run (a patient, a method, a seed:
all networks in turn, on one thread) is a process of its own, so that its CPU seconds and peak memory are its own; as
many run at once as ``STUDY_WORKERS`` says. ``BASELINE_SEEDS`` (5) is the number of seeds. Braindecode's networks are
left out, and their entry says why, without ``pip install --no-deps --target .venv-baselines -r
benchmarks/baselines.lock``.
Log-odds are kept in ``output/runs``, by recordings, settings and code that trains: a benchmark that stopped continues.
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
from multiprocessing import get_context
from pathlib import Path

import pandas as pd

from benchmarks import baseline_networks
from benchmarks.common import FOLDER, ROOT, Unavailable, mean_interval, measured_at, progress, rounded
from helpers.acquire import edf, recordings
from helpers.acquire.annotations import Annotations
from helpers.evaluate import comparison, decisions
from helpers.preprocess import filterbank, spectrograms
from helpers.study import files, parallel, patients
from helpers.train import baselines, folds, inputs, training

sys.path.append(str(ROOT / ".venv-baselines"))  # after the study's own packages
warnings.filterwarnings("ignore", module="braindecode")
TARGET = FOLDER / "baselines.json"
KEPT = ROOT / "output" / "runs"
CODE = ("study", "acquire", "preprocess", "train")  # the folders of helpers that log-odds come from
METHODS = (comparison.OURS, *baselines.CLASSIFIERS, *baseline_networks.NETWORKS)
EXCERPTS = "excerpts01"  # chb01's real excerpts: 2-s frames, as they are short
PATIENTS = ("sim08", EXCERPTS)
HUB = "google/efficientnet-b0"
CHANGES = {  # of the study's settings, by method
    "eegnet": {"epochs": 10},
    "shallow": {"epochs": 10},
    "deep4": {"epochs": 10},
    "efficientnet": {"epochs": 8, "batch_size": 16, "members": 2},
}
SCORES = ("auprc", "auprc_smoothed", "auroc", "sample_f1", "event_f1")
COSTS = ("train_cpu_s_per_network", "train_cpu_s_per_fold", "peak_memory_mb")
ABOUT = {
    "interval": "95 % interval of the mean over seeds (Student's t), of scores and of ours minus the other (ahead)",
    "folds": "the study's folds and members; decisions from inner recordings; scores over all held-out samples",
    "cost": "a network serves two folds; a fold's cost is that of all networks over the number of folds",
    "input": "logistic, forest: band powers and line length of three frames; eegnet, shallow, deep4: the last frame's "
    f"EEG; efficientnet: pictures of the channels' mean, {baseline_networks.PIXELS} pixels a side",
    "settings": "ours, logistic, forest: chosen on the ablation's patients; braindecode's: 10 epochs, set after a seed "
    "of excerpts01 had been seen; efficientnet: 8 epochs and two members a fold, as more would take hours on a CPU",
    "changes": CHANGES,
}


def prepare(patient, folder):
    """Write a patient's spectrograms and line lengths to `folder`; return what a run needs, small enough to be sent."""
    if patient == EXCERPTS:
        source, frame_s = ROOT.parent / "shared" / "data" / "chbmit-excerpts" / "chb01", 2.0
    else:
        source, frame_s = patients.recordings_folder(patient), patients.load(patient).get("frame_s")
    if not source.is_dir():
        raise Unavailable(f"the recordings of {patient} are not in {files.display_path(source)}")
    return prepare_folder(source, frame_s, folder)


def prepare_folder(source, frame_s, folder):
    """Return what a run needs of the recordings in the folder `source`; `frame_s` None is the study's own."""
    options, settings = (files.read_yaml(ROOT / "params" / f"{stage}.yaml") for stage in ("preprocess", "train"))
    table, seizures, _ = recordings.survey(source, leave_out=True)
    rate = table["sampling_hz"].iloc[0]
    axis = filterbank.axes(rate, options["window_s"], options["hop_s"], frame_s or options["frame_s"])
    paths, columns = {row.recording: source / row.file for row in table.itertuples()}, {}
    for name, path in paths.items():
        power, lengths = (folder / kind / f"{name}.npy" for kind in ("spectrograms", "line_length"))
        columns[name] = filterbank.write(edf.open_edf(path), power, axis, lengths)
    annotations = Annotations(seizures, dict(zip(table["recording"], table["duration_s"], strict=True)))
    return {
        "folder": folder, "paths": paths, "axis": axis, "annotations": annotations, "settings": settings,
        "overlapping": spectrograms.triptychs(axis, columns, annotations, settings["step_s"]),
        "samples": spectrograms.triptychs(axis, columns, annotations, axis["frame_s"]),
    }  # fmt: skip


def run(world, method, seed, changes):
    """Train and test one method with one seed in this process; return its scores and its cost."""
    planned, scored, cost = train(world, method, seed, changes)
    return {"seed": seed, **score(world, planned, scored), **cost}


def train(world, method, seed, changes):
    """Train all networks of a method, unless they are kept.

    Returned are the folds, (split, log-odds) of each network as `training.out_of_fold` takes them, and the cost.
    """
    settings = {**world["settings"], **CHANGES.get(method, {}), **changes, "seed": seed}
    with_seizure = set(world["annotations"].seizures["recording"])
    planned = folds.leave_one_recording_out(list(world["paths"]), with_seizure, settings["members"])
    splits = folds.splits(planned)
    path = KEPT / f"{method}-{digest(world, method, settings)}.json"
    if not path.exists():
        one, began = trainer(world, method, settings), time.process_time()
        scored = {split.name: one(split).to_dict() for split in splits}
        cpu_s = time.process_time() - began
        cost = {
            **measured_at(), "networks": len(splits), "train_cpu_s_per_network": cpu_s / len(splits),
            "train_cpu_s_per_fold": cpu_s / len(planned), "peak_memory_mb": peak_memory_mb(),
        }  # fmt: skip
        files.write_json(path, {"cost": cost, "log_odds": scored})
    kept = files.read_json(path)
    return planned, [(split, pd.Series(kept["log_odds"][split.name]).rename(int)) for split in splits], kept["cost"]


def digest(world, method, settings):
    """Return the name of a run, by the recordings, the settings and the code that trains."""
    code = [path for folder in CODE for path in sorted((ROOT / "src" / "helpers" / folder).rglob("*.py"))]
    parts = [Path(path).read_bytes() for path in (*world["paths"].values(), *code, baseline_networks.__file__)]
    parts.append(json.dumps([method, settings, world["axis"]["frame_s"]], sort_keys=True, default=str).encode())
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:16]


def score(world, planned, scored):
    """Return the scores of `comparison.score_detector` for these folds, without their draws."""
    predictions, inner = training.out_of_fold(planned, scored, world["samples"])
    table, _ = decisions.decide(predictions, inner, world["annotations"])
    found = comparison.score_detector(table, world["annotations"], draws=1)
    return {name: value for name, (value, _) in found.items()}


def trainer(world, method, settings):
    """Read what a method needs; return a function from a split to the log-odds of its held-out samples."""
    axis, names, folder = world["axis"], list(world["paths"]), world["folder"]
    rows = world["overlapping"], world["samples"]
    power = spectrograms.open_spectrogram(folder / "spectrograms", names)
    if method == comparison.OURS:
        arguments = (inputs.network_inputs(power), *rows, axis["frame_columns"], settings)
        return lambda split: training.train_split(split, *arguments).log_odds
    if method in baselines.CLASSIFIERS:
        lengths = spectrograms.open_spectrogram(folder / "line_length", names)
        for name, value in settings.get("baselines", {}).items():
            setattr(baselines, name, value)  # this process is this run's own
        arguments = (power, lengths, *rows, axis, settings["seed"], (method,))
        return lambda split: baselines.train_split(split, *arguments)[method]
    if method in baseline_networks.SIGNAL_NETWORKS:
        source = {name: edf.read(edf.open_edf(path)) for name, path in world["paths"].items()}
    else:
        source = {name: spectrograms.mean_power(folder / "spectrograms" / f"{name}.npy") for name in names}
    return lambda split: baseline_networks.train_split(method, split, source, *rows, axis, settings)


def peak_memory_mb():
    """Return the most memory this process has had, in 10⁶ bytes, or None where the system does not tell."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) * 1024 / 1e6 if found else None


def run_all(jobs):
    """Run jobs, a dict of key → (world, method, seed, changes), as many at once as there are workers; yield in order.

    Each runs in a new process, so that its peak memory is its own. Yields (key, result or the exception it raised).
    """
    with ProcessPoolExecutor(parallel.worker_count(), get_context("spawn"), max_tasks_per_child=1) as pool:
        futures = {key: pool.submit(run, *job) for key, job in jobs.items()}
        for key, future in futures.items():
            error = future.exception()
            found = error or future.result()
            progress(f"  {key}: {found if error else rounded({name: found[name] for name in SCORES}, 3)}")
            yield key, found


def entry(runs):
    """Return a method's entry: each score and cost as mean and interval over seeds, or why it failed."""
    errors = [run for run in runs if isinstance(run, Exception)]
    if errors and isinstance(errors[0], ImportError):
        return {"skipped": f"a package is missing ({errors[0]}): install benchmarks/baselines.lock"}
    if errors:
        return {"failed": f"{type(errors[0]).__name__}: {errors[0]}".replace(str(ROOT), ".")}
    summary = {name: mean_interval([run[name] for run in runs]) for name in (*SCORES, *COSTS)}
    return {"at_once": parallel.worker_count(), **summary, "runs": runs}


def ahead(entries):
    """Return the entries of a patient, each baseline's with how far ours is ahead, over the seeds that both had."""
    ours, found = {run["seed"]: run for run in entries.get(comparison.OURS, {}).get("runs", [])}, {}
    for method, one in entries.items():
        pairs = [(ours[run["seed"]], run) for run in one.get("runs", []) if run["seed"] in ours]
        gaps = {
            f"ahead_{name}": mean_interval([a[name] - b[name] for a, b in pairs if None not in (a[name], b[name])])
            for name in SCORES
        }
        found[method] = one if method == comparison.OURS or not pairs else {**one, **gaps}
    return found


def hub_weights():
    """Return the name of EfficientNet-B0's ImageNet weights, or None if neither the cache nor the Hub has them."""
    from transformers import EfficientNetModel

    try:
        EfficientNetModel.from_pretrained(HUB)
        return HUB
    except OSError:
        return None


def main(words):
    known = {*patients.declared(), EXCERPTS, *METHODS}
    if unknown := sorted(set(words) - known):
        sys.exit(f"error: there is no patient or method {', '.join(unknown)}; methods are {', '.join(METHODS)}.")
    methods = [name for name in METHODS if name in words] or METHODS
    weights = {"efficientnet": {"weights": hub_weights()}} if "efficientnet" in methods else {}
    results, seeds = files.read_json(TARGET) if TARGET.exists() else {}, int(os.environ.get("BASELINE_SEEDS", "5"))
    for patient in [word for word in words if word not in METHODS] or PATIENTS:
        progress(f"== {patient}")
        with tempfile.TemporaryDirectory() as folder:
            try:
                world = prepare(patient, Path(folder))
            except Unavailable as reason:
                found = {name: {"skipped": str(reason)} for name in methods}
            else:
                first = world["settings"]["seed"]
                keys = [(method, seed) for method in methods for seed in range(first, first + seeds)]
                done = dict(run_all({(m, seed): (world, m, seed, weights.get(m, {})) for m, seed in keys}))
                found = {m: entry([one for (of, _), one in done.items() if of == m]) for m in methods}
        results[patient] = rounded(ahead(results.get(patient, {}) | found))
        files.write_json(TARGET, {**results, "about": ABOUT | weights, "machine": measured_at()})
    by_patient = [results[name] for name in results if name not in ("about", "machine")]
    return any("failed" in one for found in by_patient for one in found.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
