"""The network against other detectors in the same folds: ``python -m benchmarks.baselines [patient …] [method …]``.

Patients are sim08, eight simulated ones with its plan and other seeds, and the real excerpts of chb01, each from its
recordings on. A detector has the study's folds, members and decisions, and reads the same three frames; those of the
study are trained with five seeds. ``output/benchmark/baselines/<patient>.csv`` has a row a method, means over seeds;
``output/benchmark/baselines.json`` has them all, each seed's, and by how much the network is ahead. Both are written as
each method ends: started again, it goes on, and makes anew what other code or settings have made. Networks are trained
beside each other, as many as ``STUDY_WORKERS`` says; braindecode's need
``pip install --no-deps --target .venv-baselines -r benchmarks/baselines.lock``.
"""

import hashlib
import json
import sys
import tempfile
import time
import warnings
from itertools import islice
from pathlib import Path

import pandas as pd

from benchmarks import baseline_networks
from benchmarks.common import FOLDER, ROOT, Unavailable, measured_at, progress, rounded
from helpers.acquire import edf, recordings
from helpers.acquire.annotations import Annotations
from helpers.acquire.simulated import simulation
from helpers.evaluate import comparison, decisions, scores
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
TRAINING_SEEDS = (8, 9, 10, 11, 12)  # the first alone for published networks, of which one takes hours
CHANGES = {  # of the study's settings, by method: more would take hours on a CPU
    **dict.fromkeys(baseline_networks.SIGNAL_NETWORKS, {"epochs": 10}),
    "efficientnet": {"epochs": 8, "batch_size": 16},
}
ALARMS_PER_HOUR = 1.0  # at most, so many false ones, for the event F1 at an equal rate
SCORES = ("auprc", "auprc_smoothed", "auroc", "event_f1", "event_f1_equal_alarms")
ABOUT = {
    "scores": "of all held-out samples, at the thresholds that each fold chooses on its inner recordings; means over "
    "seeds of training; event_f1_equal_alarms is the best of any threshold, chosen on the test, with at most "
    f"{ALARMS_PER_HOUR:g} false alarm an hour",
    "cpu_s": "CPU seconds in which all networks of a patient are trained and score; without reading and preprocessing",
    "ahead": "the network minus the method: mean and 95 % interval over simulated patients, by Student's t",
    "ahead_over_seeds": "the same of one patient over seeds: how sure the training is, not how other EEG would be",
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
    """Train and test one method with each seed; return means of its `SCORES` and ``cpu_s``, and ``seeds``, a list each.

    Raises ImportError if its package is missing.
    """
    settings, names = world["settings"] | CHANGES.get(method, {}), list(world["paths"])
    with_seizure = set(world["annotations"].seizures["recording"])
    planned = folds.leave_blocks_out(names, with_seizure, settings["blocks"])
    networks = folds.splits(planned, settings["members"])
    seeds = TRAINING_SEEDS[:1] if method in baseline_networks.NETWORKS else TRAINING_SEEDS
    pieces = [(method, split, world, settings | {"seed": seed}) for seed in seeds for split in networks]
    trained, rows = iter(parallel.parallel_map(train_network, pieces, method, "network")), []
    for _ in seeds:
        found = list(islice(trained, len(networks)))
        scored = [(split, log_odds) for split, (log_odds, _) in zip(networks, found, strict=True)]
        rows.append(score(*training.out_of_fold(planned, scored, world["samples"]), world["annotations"]))
        rows[-1]["cpu_s"] = sum(cpu_s for _, cpu_s in found)
    table = pd.DataFrame(rows, dtype=float)
    return table.mean().to_dict() | {"seeds": table.to_dict("list")}


def score(predictions, inner, annotations):
    """Return the `SCORES` of what `training.out_of_fold` returned."""
    table, _ = decisions.decide(predictions, inner, annotations)
    found = comparison.score_detector(table, annotations, draws=1)
    event_f1 = {"event_f1_equal_alarms": best_event_f1(table, annotations, ALARMS_PER_HOUR)}
    return {name: found[name].value for name in SCORES if name in found} | event_f1


def best_event_f1(table, annotations, alarms_per_hour):
    """Return the highest event F1 of thresholds on smoothed log-odds that raise at most so many false alarms an hour.

    `table` as for `decisions.raise_alarms`, with ``label``. Nothing is found at all: 0.
    """
    best = 0.0
    for log_odds, _ in decisions.candidate_thresholds(table["label"], decisions.smooth(table)):
        alarms = decisions.raise_alarms(table, {"log_odds": log_odds, "minimum": 1})
        found = scores.event_scores(scores.events(alarms), annotations)
        if found["false_alarms"] <= alarms_per_hour * annotations.hours:
            best = max(best, found["f1"])
    return best


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
    known, found = [results[patient] for patient in SEEDS if patient in results], {}
    for method in METHODS[1:]:
        both = [rows for rows in known if {comparison.OURS, method} <= rows.keys()]
        found[method] = _lead(*([rows[name] for rows in both] for name in (comparison.OURS, method)))
    return found


def ahead_over_seeds(rows):
    """Return the same of one patient's rows, over the seeds that ours and the method share."""
    if comparison.OURS not in rows:
        return {}
    seeds = {method: row["seeds"] for method, row in rows.items()}
    ours = seeds.pop(comparison.OURS)
    return {method: _lead(ours, own) for method, own in seeds.items()}


def _lead(ours, others):
    one, other = (pd.DataFrame(rows, columns=list(SCORES), dtype=float) for rows in (ours, others))
    return {name: comparison.mean_difference(one[name], other[name], paired=True) for name in SCORES}


def write(results):
    """Write a table a patient, and all of them with `ahead`; `results` is patient → method → row."""
    for patient, rows in results.items():
        table = pd.DataFrame.from_dict(rows, orient="index", columns=[*SCORES, "cpu_s"])
        files.write_text(TABLES / f"{patient}.csv", table.round(4).to_csv(index_label="method"))
    found = {**measured_at(), "about": ABOUT, "patients": results, "ahead": ahead(results)}
    found["ahead_over_seeds"] = {patient: ahead_over_seeds(rows) for patient, rows in results.items()}
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
