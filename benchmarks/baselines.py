"""The network against other detectors in the same folds: ``python -m benchmarks.baselines [patient …] [method …]``.

Patients are sim08, eight simulated ones with its plan and other seeds, and the real excerpts of chb01, each from its
recordings on. A detector has the study's folds, members and decisions, and reads the same three frames.
``output/benchmark/baselines/<patient>.csv`` has a row a method; ``output/benchmark/baselines.json`` has them all, and
by how much the network is ahead, over simulated patients. Both are written as each method ends: started again, it goes
on, and makes anew what other code or settings have made. Networks are trained beside each other, as many as
``STUDY_WORKERS`` says; braindecode's need
``pip install --no-deps --target .venv-baselines -r benchmarks/baselines.lock``.
"""

import hashlib
import json
import sys
import tempfile
import time
import warnings
from pathlib import Path

import pandas as pd

from benchmarks import baseline_networks
from benchmarks.common import FOLDER, ROOT, Unavailable, mean_interval, measured_at, progress, rounded
from helpers.acquire import edf, recordings
from helpers.acquire.annotations import Annotations
from helpers.acquire.simulated import simulation
from helpers.evaluate import comparison, decisions
from helpers.preprocess import filterbank, spectrograms
from helpers.study import files, parallel, patients
from helpers.train import baselines, folds, inputs, training

sys.path.append(str(ROOT / ".venv-baselines"))  # after the study's own packages
warnings.filterwarnings("ignore", module="braindecode")
TABLES = FOLDER / "baselines"
CODE = ("study", "acquire", "preprocess", "train", "evaluate")  # the folders of helpers that scores come from
METHODS = (comparison.OURS, *baselines.CLASSIFIERS, *baseline_networks.NETWORKS)
EXCERPTS = "excerpts01"
EXCERPTS_FOLDER, EXCERPTS_FRAME_S = ROOT.parent / "shared" / "data" / "chbmit-excerpts" / "chb01", 2.0  # they are short
SEEDS = {"sim08": 8} | {f"sim{seed}": seed for seed in range(51, 59)}  # none that a setting was chosen on
PATIENTS = (*SEEDS, EXCERPTS)
CHANGES = {  # of the study's settings, by method: more would take hours on a CPU
    **dict.fromkeys(baseline_networks.SIGNAL_NETWORKS, {"epochs": 10}),
    "efficientnet": {"epochs": 8, "batch_size": 16},
}
SCORES = ("auprc", "auprc_smoothed", "auroc", "event_f1")
ABOUT = {
    "scores": "of all held-out samples, at the thresholds that each fold chooses on its inner recordings",
    "cpu_s": "CPU seconds in which all networks of a patient are trained and score; without reading and preprocessing",
    "ahead": "the network minus the method: mean and 95 % interval over simulated patients, by Student's t",
    "changes": CHANGES,
}


def prepare(patient, folder):
    """Run all that precedes training for a patient, and return what `run` needs, small enough to be sent.

    `folder` is where files may be written. Raises Unavailable if there are no excerpts.
    """
    options, settings = (files.read_yaml(ROOT / "params" / f"{stage}.yaml") for stage in ("preprocess", "train"))
    source = EXCERPTS_FOLDER
    if patient in SEEDS:
        source, plan = folder / "recordings", patients.load("sim08")["recordings"]
        plan = {name.replace("sim08", patient): one for name, one in plan.items()}
        simulation.simulate_patient(source, patient, plan, SEEDS[patient])
    elif source.is_dir():
        options["frame_s"] = EXCERPTS_FRAME_S
    else:
        raise Unavailable(f"the recordings of {patient} are not in {files.display_path(source)}")
    table, seizures, *_ = recordings.survey(source)
    axis = filterbank.axes(table["sampling_hz"].iloc[0], **options)
    paths = {row.recording: source / row.file for row in table.itertuples()}
    columns = {name: filterbank.write(edf.open_edf(path), folder, name, axis) for name, path in paths.items()}
    inputs.write_inputs(folder / "spectrograms", list(paths), folder / "pooled", axis["frame_columns"])
    annotations = Annotations(seizures, dict(zip(table["recording"], table["duration_s"], strict=True)))
    return {
        "folder": folder, "paths": paths, "axis": axis, "annotations": annotations, "settings": settings,
        "overlapping": spectrograms.triptychs(axis, columns, annotations, settings["step_s"]),
        "samples": spectrograms.triptychs(axis, columns, annotations, axis["frame_s"]),
    }  # fmt: skip


def run(world, method):
    """Train and test one method; return its `SCORES` and ``cpu_s``. ImportError if its package is missing."""
    settings, names = world["settings"] | CHANGES.get(method, {}), list(world["paths"])
    with_seizure = set(world["annotations"].seizures["recording"])
    planned = folds.leave_blocks_out(names, with_seizure, settings["blocks"])
    networks = folds.splits(planned, settings["members"])
    pieces = [(method, split, world, settings) for split in networks]
    trained = parallel.parallel_map(train_network, pieces, method, "network")
    scored = [(split, log_odds) for split, (log_odds, _) in zip(networks, trained, strict=True)]
    predictions, inner = training.out_of_fold(planned, scored, world["samples"])
    table, _ = decisions.decide(predictions, inner, world["annotations"])
    found = comparison.score_detector(table, world["annotations"], draws=1)
    return {name: found[name].value for name in SCORES} | {"cpu_s": sum(cpu_s for _, cpu_s in trained)}


def train_network(method, split, world, settings):
    """Train one network, and return its log-odds for what it has not seen, by sample, and the CPU seconds it took."""
    folder, axis, names = world["folder"], world["axis"], list(world["paths"])
    rows = world["overlapping"], world["samples"]
    if method == comparison.OURS:
        [piece], read = training.by_recording([split], *rows), inputs.read_inputs(folder / "pooled", names)
        began = time.process_time()
        found = training.train_split(*piece, read, axis["frame_columns"], settings).log_odds
    elif method in baselines.CLASSIFIERS:
        arrays, began = baselines.open_arrays(folder, names), time.process_time()
        found = baselines.train_split(split, arrays, *rows, axis, settings["seed"], (method,))[method]
    else:
        if method in baseline_networks.SIGNAL_NETWORKS:
            source = {name: edf.read(edf.open_edf(path)) for name, path in world["paths"].items()}
        else:
            source = {name: spectrograms.mean_power(folder / "spectrograms" / f"{name}.npy") for name in names}
        began = time.process_time()
        found = baseline_networks.train_split(method, split, source, *rows, axis, settings)
    return found, time.process_time() - began


def digest(method):
    """Return what a row depends on, in short: code, settings and sim08's plan."""
    code = [path for folder in CODE for path in sorted((ROOT / "src" / "helpers" / folder).rglob("*.py"))]
    code += [ROOT / "params" / name for name in ("preprocess.yaml", "train.yaml", "patients/sim08.yaml")]
    code += [Path(baseline_networks.__file__), Path(__file__)]
    parts = [path.read_bytes() for path in code] + [json.dumps(CHANGES.get(method)).encode()]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:16]


def ahead(results):
    """Return by method and score the mean of ours minus the method's, with its interval over simulated patients."""
    gaps = {method: {name: [] for name in SCORES} for method in METHODS if method != comparison.OURS}
    for rows in (results[patient] for patient in SEEDS if patient in results):
        for method in gaps.keys() & rows.keys() if comparison.OURS in rows else ():
            for name in SCORES:
                ours, other = rows[comparison.OURS][name], rows[method][name]
                gaps[method][name].append(None if None in (ours, other) else ours - other)
    return {method: {name: mean_interval(one) for name, one in own.items()} for method, own in gaps.items()}


def write(results):
    """Write a table a patient, and all of them with `ahead`; `results` is patient → method → row."""
    for patient, rows in results.items():
        table = pd.DataFrame.from_dict(rows, orient="index", columns=[*SCORES, "cpu_s"])
        files.write_text(TABLES / f"{patient}.csv", table.round(4).to_csv(index_label="method"))
    found = {**measured_at(), "about": ABOUT, "patients": results, "ahead": ahead(results)}
    files.write_json(TABLES.with_suffix(".json"), rounded(found))


def main(words):
    if unknown := sorted(set(words) - {*PATIENTS, *METHODS}):
        known = f"patients are {', '.join(PATIENTS)}, methods {', '.join(METHODS)}"
        sys.exit(f"error: there is no patient or method {', '.join(unknown)}; {known}.")
    methods = [name for name in METHODS if name in words] or METHODS
    kept = TABLES.with_suffix(".json")
    results = files.read_json(kept).get("patients", {}) if kept.exists() else {}
    for patient in [name for name in PATIENTS if name in words] or PATIENTS:
        rows = results.setdefault(patient, {})
        missing = [name for name in methods if rows.get(name, {}).get("made_by") != digest(name)]
        progress(f"== {patient}: {', '.join(missing) or 'all is there'}")
        with tempfile.TemporaryDirectory() as folder:
            try:
                world = prepare(patient, Path(folder)) if missing else None
            except Unavailable as reason:
                progress(f"left out: {reason}")
                continue
            for method in missing:
                try:
                    rows[method] = run(world, method) | {"made_by": digest(method)}
                except ImportError as error:
                    progress(f"{method} is left out, as a package is missing: {error}")
                write(results)


if __name__ == "__main__":
    main(sys.argv[1:])
