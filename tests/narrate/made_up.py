"""Made-up studies: the raw files that narrate reads, with any numbers, consistent as those of the stages are."""

import random

import numpy as np
import pandas as pd
from scipy.special import logit
from sklearn.metrics import average_precision_score, confusion_matrix
from timescoring import annotations, scoring

from helpers.evaluate.intervals import event_intervals
from helpers.study import files

PATIENT = "made08"
METHODS = ("gradcam", "gradcampp", "ig")
BANDS = {"B1": (0.5, 4), "B2": (4, 8), "B3": (8, 13), "B4": (13, 30), "B5": (30, 55)}
FREQUENCIES = [1.0, 3.0, 5.0, 9.0, 11.0, 15.0, 20.0, 25.0, 35.0, 40.0, 45.0, 50.0]
CHANNELS = ["FP1-F7", "F8-T8", "FZ-CZ"]
PLANTED = ("planted frequency", "planted time", "planted channel")
RULES = ("random weights", "permuted labels", "members", "stability", "deletion", "insertion")
KINDS = ("mixed", "mixed", "none", "one class", "all wrong", "perfect", "missing")
FRAME_S = 4.0


def make(seed, names=("made08_01", "made08_02", "made08_03")):
    """Write a study of a kind of `KINDS` below `files.ROOT`, of patient made08 and some recordings of `names`."""
    draw = random.Random(seed)
    numbers, kind = np.random.default_rng(seed), KINDS[seed % len(KINDS)]
    names = names[: draw.randint(2, 4) - 1]
    table = pd.concat([_recording(draw, numbers, name, kind) for name in names], ignore_index=True)
    table.insert(0, "sample", range(len(table)))
    seizures, found = _runs(table, "label"), _runs(table, "alarm")
    durations = {name: float(part["end_s"].max()) for name, part in table.groupby("recording")}
    latencies, false = _scored(seizures, found, durations)
    whole = pd.DataFrame([(name, 0.0, end_s) for name, end_s in durations.items()], columns=found.columns)
    always = _event_counts(*_scored(seizures, whole, durations))
    maps = _maps(draw, numbers, table)
    simulated = draw.random() < 0.5
    written = {
        "acquire/recordings.csv": pd.DataFrame(
            {"recording": durations.keys(), "duration_s": durations.values()}
            | ({"patient": durations.keys()} if seed % 3 == 1 else {})  # one patient each, pooled
        ),
        "preprocess/axes.json": {"frequencies_hz": FREQUENCIES, "channels": CHANNELS, "frame_s": FRAME_S},
        "evaluate/metrics.json": _metrics(draw, simulated, table, latencies, false, durations, kind),
        "evaluate/comparison.json": _comparison(draw, always),
        "evaluate/audit.json": _audit(draw),
        "evaluate/decisions.csv": table,
        "evaluate/events.csv": found,
        "evaluate/errors.csv": _errors(table, false),
        "evaluate/latencies.csv": latencies,
        "explain/digest.json": _digest(draw, table, maps),
        "explain/sanity.json": _sanity(draw, table, simulated),
    }
    folder = files.ROOT / "output" / PATIENT
    for name, content in written.items():
        if isinstance(content, dict):
            files.write_json(folder / name, content)
        else:
            files.write_text(folder / name, content.to_csv(index=False))
    np.savez(folder / "explain" / "attributions.npz", sample=table["sample"], **maps)


def _recording(draw, numbers, name, kind):
    """Return the decisions on one recording: of each sample the labels, the decision, and the probabilities."""
    count = draw.randint(4, 60)
    label = np.zeros(count + 2, int)
    if kind == "one class":
        label[:] = 1
    elif kind != "none":
        for start in range(draw.randint(0, count), count, 60):
            label[start : start + draw.randint(1, 20)] = 1
    threshold, alarm_threshold = draw.choice([0.41, 0.003, draw.random()]), draw.uniform(0.2, 0.6)
    right = {"perfect": 1.0, "all wrong": 0.0}.get(kind, draw.choice([0.3, 0.8, 0.95]))
    decided = np.where(numbers.random(count) < right, label[2:], 1 - label[2:])
    p = np.where(decided, numbers.uniform(threshold, 1, count), numbers.uniform(0, threshold * 0.999, count))
    p[decided == 1] = np.where(numbers.random(int(decided.sum())) < 0.1, threshold, p[decided == 1])  # at the threshold
    smooth = numbers.random(count)
    alarm = (smooth >= alarm_threshold).astype(int) * (numbers.random(count) < 0.7)
    alarm = {"perfect": decided, "all wrong": 0 * decided}.get(kind, alarm)
    smooth = np.where(alarm, alarm_threshold + (1 - alarm_threshold) * smooth, alarm_threshold * smooth * 0.99)
    start = FRAME_S * np.arange(count)
    times = {"start_s": start, "last_start_s": start + 2 * FRAME_S, "end_s": start + 3 * FRAME_S}
    labels = {"label": label[2:], "label_t0": label[:-2], "label_t1": label[1:-1]}
    decisions = {"p_seizure": p, "threshold": threshold, "decided": decided}
    alarms = {"p_smooth": smooth, "log_odds_smooth": logit(smooth), "alarm_threshold": alarm_threshold, "alarm": alarm}
    return pd.DataFrame({"recording": name, **times, **labels, **decisions, **alarms})


def _runs(table, column):
    """Return the runs of frames in which a column is 1."""
    chosen = table[table[column] == 1]
    new = (chosen["recording"] != chosen["recording"].shift()) | (chosen["last_start_s"] != chosen["end_s"].shift())
    runs = chosen.groupby(new.cumsum())
    return runs.agg(recording=("recording", "first"), start_s=("last_start_s", "min"), end_s=("end_s", "max"))


def _scored(seizures, found, durations):
    """Return seizures with their latencies, and false alarms, as the rules of SzCORE count them."""
    rows, false = [], []
    for name, duration_s in durations.items():
        spans = [
            [(row.start_s, row.end_s) for row in table[table["recording"] == name].itertuples()]
            for table in (seizures, found)
        ]
        score = scoring.EventScoring(*(annotations.Annotation(events, 10, round(10 * duration_s)) for events in spans))
        for start_s, end_s in score.ref.events:
            hits = [one for one in spans[1] if one[0] < end_s + 60 and one[1] > start_s - 30]
            latency = hits[0][0] + FRAME_S - start_s if hits else None
            rows.append([name, start_s, end_s, 0, int(bool(hits)), latency])
        outside = [one for one in score.hyp.events if not score.tpMask[round(10 * one[0]) : round(10 * one[1])].any()]
        false += [(name, *one) for one in outside]
    columns = ["recording", "start_s", "end_s", "continues", "detected", "latency_s"]
    return pd.DataFrame(rows, columns=columns), false


def _errors(table, false):
    rows = []
    for name, start_s, end_s in false:
        inside = table[(table["recording"] == name) & (table["last_start_s"] < end_s) & (table["end_s"] > start_s)]
        peak = inside.loc[inside[inside["alarm"] == 1]["p_smooth"].idxmax()]
        rows.append(["false alarm", name, start_s, end_s, peak["p_smooth"], peak["alarm_threshold"]])
    columns = ["kind", "recording", "start_s", "end_s", "p_peak", "threshold"]
    return pd.DataFrame(rows, columns=columns).sort_values("p_peak", ascending=False, kind="stable")


def _maps(draw, numbers, table):
    """Return maps of any signs, some of zeros, some louder than others, and in one band."""
    shape = (len(table), 3, len(FREQUENCIES), 2)
    maps = {method: numbers.random(shape) * numbers.random(len(FREQUENCIES))[:, None] for method in METHODS}
    for method in METHODS:
        maps[method][numbers.random(len(table)) < draw.choice([0, 0.2, 1.0 if draw.random() < 0.1 else 0])] = 0
        maps[method] *= numbers.choice([1, 50], (len(table), 1, 1, 1))
    maps["ig"] *= numbers.choice([-1, 1], (len(table), 1, len(FREQUENCIES), 1))
    maps["ig_channels"] = numbers.normal(size=(len(table), 3, len(CHANNELS), 2))
    return {name: values.astype(np.float32) for name, values in maps.items()}


def _digest(draw, table, maps):
    """Return the digest of up to four samples: the strongest band of each frame, of what speaks for the decision."""
    samples = []
    for row in table.sample(min(4, len(table)), random_state=draw.randint(0, 999)).itertuples():
        sign = 1 if row.decided else -1
        bands = {}
        for method in METHODS:
            values = np.clip(maps[method][row.sample] * (sign if method == "ig" else 1), 0, None)
            bands[method] = []
            for step in values:
                inside = {key: [low <= one < high for one in FREQUENCIES] for key, (low, high) in BANDS.items()}
                means = {key: step[rows].mean() for key, rows in inside.items()}
                best = max(means, key=means.get)
                bands[method].append(best if means[best] > 0 else None)
        loud = np.clip(maps["ig_channels"][row.sample] * sign, 0, None).mean(axis=2)
        channels = [CHANNELS[int(step.argmax())] if step.max() > 0 else None for step in loud]
        samples.append({
            "sample": row.sample, "recording": row.recording, "start_s": row.start_s, "end_s": row.end_s,
            "true": row.label, "pred": row.decided, "p_seizure": row.p_seizure, "threshold": row.threshold,
            "strongest_band": bands, "strongest_channel": {"ig": channels},
        })  # fmt: skip
    return {"patient": PATIENT, "frame_s": FRAME_S, "samples": samples, "errors": []}


def ratio(part, whole):
    return part / whole if whole else None


def score(draw, value, kind="bootstrap", missing=0.3):
    """Return a score with ends of a kind about it, without, or undefined."""
    if value is None or draw.random() < missing:
        return {"value": value, "low": None, "high": None, "kind": None}
    low, high = sorted((value - draw.choice([0, 0.1, 0.4]), value + draw.choice([0, 0.1, 0.4])))
    return {"value": value, "low": low, "high": high, "kind": kind}


def _event_counts(latencies, false):
    return {"seizures": len(latencies), "detected": int(latencies["detected"].sum()), "false_alarms": len(false)}


def _metrics(draw, simulated, table, latencies, false, durations, kind):
    tn, fp, fn, tp = confusion_matrix(table["label"], table["decided"], labels=[0, 1]).ravel().tolist()
    f1, f0, n = ratio(2 * tp, 2 * tp + fp + fn), ratio(2 * tn, 2 * tn + fp + fn), len(table)
    scores = {"accuracy": (tp + tn) / n, "sensitivity": ratio(tp, tp + fn), "specificity": ratio(tn, tn + fp), "f1": f1}
    scores["weighted_f1"] = ((tp + fn) * (f1 or 0) + (tn + fp) * (f0 or 0)) / n
    samples = {"n": n, "seizure": tp + fn, "tp": tp, "fn": fn, "fp": fp, "tn": tn} | scores
    samples["threshold"] = None if kind == "missing" else float(table["threshold"].median())
    events = _event_counts(latencies, false)
    delay = latencies["latency_s"].dropna().median() if events["detected"] else None
    both = 0 < tp + fn < n
    auprc = float(average_precision_score(table["label"], table["p_smooth"])) if both else None
    ends = draw.choice(["range", "bootstrap"])
    folds = [
        {"held_out": [name], "inner": [one for one in durations if one != name], "alarm": {"frames": 5}}
        for name in durations
    ]
    intervals = {
        "samples": {name: score(draw, value, ends, missing=0) for name, value in scores.items()},
        "events": event_intervals(**events, hours=sum(durations.values()) / 3600),
        "seizures": {"median_latency_s": score(draw, delay, "exact")},
        "smoothed": {"auprc": score(draw, auprc, ends)},
    }
    found = {"patient": PATIENT, "source": "simulate" if simulated else "directory", "samples": samples}
    return found | {"events": events, "intervals": intervals, "folds": folds}


def _comparison(draw, always):
    rows, ends = [], draw.choice(["range", "bootstrap"])
    for method in draw.choice([["rocket", "logistic", "deep4", "riemann", "forest"], ["forest"], []]):
        row = {"method": method}
        for name in ("auprc_smoothed", "event_f1"):
            row[name], row[f"ahead_{name}"] = score(draw, draw.random()), score(draw, draw.uniform(-0.5, 0.5), ends)
        rows.append(row)
    f1 = ratio(2 * always["detected"], sum(always.values()))
    controls = [{"control": "always on", "f1": f1}, {"control": "rotated", "f1": f1, "reached": draw.random()}]
    return {"rows": rows, "controls": controls}


def _audit(draw):
    tested, rows = draw.randint(1, 400), []
    for name in ("single", "split"):
        rows.append({"protocol": name, "f1": score(draw, draw.choice([None, draw.random()]), "t")})
    return {"rows": rows, "n_test": tested, "shared_eeg": draw.choice([0, tested, draw.randint(0, tested)])}


def _sanity(draw, table, simulated):
    """Return tests of the maps, with verdicts as their rules say; without a simulated seizure found, of no truth."""
    truth = simulated and ((table["label"] == 1) & (table["decided"] == 1)).any()
    maps = {name: {"auc": score(draw, draw.random())} for name in (*METHODS, "chance", "power")} if truth else {}
    signed, magnitude = (
        {method: {"value": draw.choice([0.2, 0.196, -0.204, draw.uniform(-1, 1)])} for method in METHODS} for _ in "12"
    )
    verdicts = {method: {rule: draw.choice([True, False]) for rule in (*PLANTED, *RULES)} for method in METHODS}
    for method, given in verdicts.items():
        given["completeness"] = draw.choice([True, False]) if method == "ig" else None
        given["random weights"] = max(abs(signed[method]["value"]), abs(magnitude[method]["value"])) < 0.2
        given |= dict.fromkeys(PLANTED if not truth else () if method == "ig" else PLANTED[2:])
    return {
        "layers": ["score", "mix"], "tested": {"seizure": 4, "other": 4}, "verdicts": verdicts,
        "truth": {"time × frequency": maps} if truth else None,
        "disturbed": {"weights:mix": signed, "magnitude:weights:mix": magnitude},
    }  # fmt: skip
