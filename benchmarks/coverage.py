"""How often intervals hold what they are to hold: ``python -m benchmarks.coverage [synthetic]`` writes
``output/benchmark/coverage.json``.

A pool of recordings stands for all that a patient could have, and its scores are the true ones; studies of a few of its
recordings are drawn, and each interval holds the pool's score or does not. Two pools have synthetic log-odds, of a
detector that errs often, with the patient's changing level, and of a good one. In the third the networks of the first
fold of a development patient judge its simulated EEG. An hour; with ``synthetic``, only the first two, minutes.
"""

import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from benchmarks.common import FOLDER, ROOT, measured_at, progress, rounded
from helpers.acquire import edf
from helpers.acquire.annotations import COLUMNS, Annotations
from helpers.acquire.simulated import simulation
from helpers.evaluate import decisions, intervals, scores
from helpers.preprocess import filterbank, spectrograms
from helpers.study import files, parallel, patients
from helpers.train import folds, inputs, training

PATIENT, SEED = "dev41", 41
POOL, DURATION_S, FRAME_S = 160, 900, 4.0
STUDIES = {"16 recordings, 8 with a seizure": (8, 8), "7 recordings, 5 with a seizure": (5, 2)}
REPLICATES, DRAWS = 400, 500
SYNTHETIC = {"often wrong": (2.5, 1.0), "good": (5.0, 0.7)}  # log-odds more in a seizure, deviation of recordings
AHEAD = ("f1", "auprc", "event_f1")


def plan(count, generator):
    """Return a plan of recordings as `simulation.simulate_patient` takes it, every other one with 1 or 2 seizures."""
    recordings = {}
    for number in range(count):
        starts = generator.integers([120, 510], [340, 750])[: generator.integers(1, 3) if number % 2 else 0].tolist()
        seizures = [[start, start + int(generator.integers(25, 76))] for start in starts]
        recordings[f"{PATIENT}_{number:03d}"] = {"duration_s": DURATION_S, "seizures": seizures}
    return recordings


def annotate(recordings):
    """Return the `Annotations` of a plan."""
    seizures = [(name, *span) for name, one in recordings.items() for span in one["seizures"]]
    durations_s = {name: float(one["duration_s"]) for name, one in recordings.items()}
    return Annotations(pd.DataFrame(seizures, columns=COLUMNS), durations_s)


def synthetic(rise, spread):
    """Return what `decide` does for synthetic log-odds, and those of a rival with more noise."""
    generator, parts = np.random.default_rng(SEED), []
    recordings, start_s = plan(POOL + 16, generator), np.arange(2 * FRAME_S, DURATION_S - FRAME_S, FRAME_S)
    annotations = annotate(recordings)
    for name in recordings:
        label = spectrograms.labels(start_s, start_s + FRAME_S, annotations.spans(name))
        noise = lfilter([0.6], [1, -0.8], generator.normal(size=(2, len(label))))  # its deviation is 1
        ours = rise * label + spread * (generator.normal() + generator.normal() / 2 * label) + noise[0]
        table = {"recording": name, "last_start_s": start_s, "end_s": start_s + FRAME_S, "label": label}
        parts.append(pd.DataFrame({**table, "ours": ours, "rival": ours + noise[1]}))
    return decide(pd.concat(parts[POOL:]), pd.concat(parts[:POOL], ignore_index=True), annotations)


def networks(folder):
    """Return what `decide` does for the networks of a development patient's first fold, and for the first of them."""
    study = {f"{PATIENT}_s{n:02d}": one for n, one in enumerate(patients.load("sim08")["recordings"].values(), 1)}
    pool = plan(POOL, np.random.default_rng(SEED))
    simulation.simulate_patient(folder / "edf", PATIENT, study | pool, SEED)
    options, settings = (files.read_yaml(ROOT / "params" / f"{stage}.yaml") for stage in ("preprocess", "train"))
    axis, annotations = filterbank.axes(256.0, **options), annotate(study | pool)
    recordings = {name: edf.open_edf(folder / "edf" / f"{name}.edf") for name in study | pool}
    columns = {name: filterbank.write(one, folder, name, axis) for name, one in recordings.items()}
    samples = spectrograms.triptychs(axis, columns, annotations, axis["frame_s"])
    overlapping = spectrograms.triptychs(axis, {name: columns[name] for name in study}, annotations, settings["step_s"])
    with_seizure = set(annotations.select(study).seizures["recording"])
    planned = folds.leave_blocks_out(list(study), with_seizure, settings["blocks"])
    served = folds.members(planned[0], folds.splits(planned, settings["members"]))
    pooled = inputs.write_inputs(folder / "spectrograms", [*study, *pool], folder / "pooled", axis["frame_columns"])
    pieces = training.by_recording([one for part in served.values() for one in part], overlapping, samples)
    trained = training.train_all(pieces, pooled, axis["frame_columns"], settings)
    log_odds = pd.DataFrame({one.split.name: one.log_odds for one in trained})

    def judge(recordings, names):
        rows = samples[samples["recording"].isin(recordings)]
        said = log_odds.loc[rows.index, names]
        return rows.assign(ours=said.mean(axis=1), rival=said.iloc[:, 0])

    inner = [judge(planned[other].held_out, [one.name for one in part]) for other, part in served.items()]
    return decide(pd.concat(inner), judge(pool, list(log_odds)), annotations)


def decide(inner, pool, annotations):
    """Return the pool's decisions of ours and the rival, chosen on the samples `inner`, and the pool's annotations."""
    tables = []
    for column in ("ours", "rival"):
        choice = decisions.choose(inner.assign(log_odds=inner[column]), annotations)
        tables.append(decisions.apply(pool.assign(log_odds=pool[column].round(1)), choice))  # few thresholds: faster
    return tables, annotations.select(sorted(set(pool["recording"])))


def measure(tables, counts, latencies, names, draws=DRAWS):
    """Return all intervals of a study of the recordings `names`, by score; ``ahead_…`` are ours minus the rival's."""
    drawn = []
    for table, (samples, events) in zip(tables, counts, strict=True):
        drawn.append(intervals.bootstrap(scores.sample_rates, samples.loc[names], draws=draws))
        drawn[-1] |= intervals.bootstrap_ranking(table[table["recording"].isin(names)], "log_odds", draws=draws)
        drawn[-1]["event_f1"] = intervals.bootstrap(scores.event_rates, events.loc[names], draws=draws)["f1"]
    found = {name: intervals.interval(*one) for name, one in drawn[0].items()}
    *whole, hours = counts[0][1].loc[names].sum()
    exact = intervals.event_intervals(*map(int, whole), hours)
    found |= {f"event_{name}": one for name, one in exact.items()}
    found["median_latency_s"] = intervals.median_latency(latencies[latencies["recording"].isin(names)])
    return found | {f"ahead_{name}": intervals.difference(*(one[name] for one in drawn)) for name in AHEAD}


def replicate(tables, annotations, *sizes):
    """Return `measure` of the pool, and of studies of so many of its recordings with and without a seizure."""
    counts = [(scores.sample_counts(one), scores.event_counts(scores.events(one), annotations)) for one in tables]
    one = partial(measure, tables, counts, scores.latencies(tables[0], annotations))
    holds, generator = set(annotations.seizures["recording"]), np.random.default_rng(SEED)
    sides = [[name for name in annotations.durations_s if (name in holds) == side] for side in (True, False)]
    studies = [
        sorted(name for side, n in zip(sides, sizes, strict=True) for name in generator.choice(side, n, replace=False))
        for _ in range(REPLICATES)
    ]
    found = parallel.parallel_map(one, [(names,) for names in studies], "studies", "study")
    return one(list(annotations.durations_s), draws=2), found


def summarise(pool, studies):
    """Return by score the pool's value, how many studies have an interval, how many of these hold it, mean width."""
    rows = {}
    for name, true in ((name, one["value"]) for name, one in pool.items()):
        ends = [(one[name]["low"], one[name]["high"]) for one in studies if one[name]["kind"] not in (None, "range")]
        rows[name] = {"pool": true, "intervals": len(ends) / len(studies)}
        rows[name] |= {
            "held": float(np.mean([low <= true <= high for low, high in ends])) if ends else None,
            "width": float(np.mean(np.diff(ends))) if ends else None,
        }
    return rows


def main(words):
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        worlds = {name: partial(synthetic, *options) for name, options in SYNTHETIC.items()}
        worlds |= {} if words == ["synthetic"] else {"networks": partial(networks, Path(folder))}
        for name, make in worlds.items():
            progress(f"== {name}")
            world = make()
            rows[name] = {study: summarise(*replicate(*world, *sizes)) for study, sizes in STUDIES.items()}
            found = {**measured_at(), "recordings": POOL, "studies": REPLICATES, "rows": rows}
            files.write_json(FOLDER / "coverage.json", rounded(found))


if __name__ == "__main__":
    main(sys.argv[1:])
