"""Facts: every number and name that the narrative may say, with its one printed form and the file it comes from."""

import math
from collections import Counter
from functools import partial

import numpy as np
import pandas as pd

from helpers.narrate.numbers import (
    BASELINES,
    LABELS,
    METHODS,
    METRICS,
    decimals,
    distinct,
    listed,
    number,
    plain,
    rate_interval,
)
from helpers.study import files
from helpers.study.bands import BANDS, band_masks

SCORES = {"auprc": "ranking.auprc", "event_f1": "events.f1"}  # compared with the baselines, and where ours stands
GRADES = {"strong": 0.9, "moderate": 0.7}  # the least of the lower of sensitivity and specificity; else weak
WEIGHTED = "by recording, weighted as the random split"  # in audit.json
UNLIKE = 0.2  # rank correlation with the trained map, below which a map of random weights passes
STEPS = ("t0", "t1", "t2")
SOURCES = {  # the results, and where they come from
    "recordings": ("acquire", "recordings.csv"),
    "axes": ("preprocess", "axes.json"),
    "metrics": ("evaluate", "metrics.json"),
    "comparison": ("evaluate", "comparison.json"),
    "audit": ("evaluate", "audit.json"),
    "decisions": ("evaluate", "decisions.csv"),
    "events": ("evaluate", "events.csv"),
    "errors": ("evaluate", "errors.csv"),
    "latencies": ("evaluate", "latencies.csv"),
    "digest": ("explain", "digest.json"),
    "sanity": ("explain", "sanity.json"),
    "maps": ("explain", "attributions.npz"),
}


class FactError(ValueError):
    """Results that contradict each other."""


def read(patient):
    """Return the results of all stages by name, as in `SOURCES`.

    Raises
    ------
    FileNotFoundError
        If one is missing; the message names the file, the stage and the command that makes it.
    """
    return {name: _read(files.stage_output(patient, *place)) for name, place in SOURCES.items()}


def _read(path):
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in ("sample", *METHODS, "ig_channels")}
    return files.read_json(path) if path.suffix == ".json" else pd.read_csv(path, dtype={"recording": str})


def build(results):
    """Return the facts of a patient.

    Returns
    -------
    dict
        ``patient``; ``simulated``; ``samples``, those that are explained (``sample``, ``true``, ``pred``, ``files``);
        ``values``: key → ``name`` in plain words, ``value``, ``printed`` (None if undefined), ``unit`` ("name" if no
        number), ``interval`` (``low`` and ``high`` as printed, or None), ``file`` and ``place`` in it.

    Raises
    ------
    FactError
        If the results contradict each other.
    """
    check(results)
    metrics, values = results["metrics"], {}

    def add(key, name, place, value, form=str, unit="samples", interval=None):
        source, _, where = place.partition(": ")
        stage, file = SOURCES[source]
        ends = None
        if value is not None and interval and interval.get("low") is not None:  # without the unit, said of the value
            ends = {end: form(interval[end]).split(" ")[0] for end in ("low", "high")}
        values[key] = {
            "name": name,
            "value": value,
            "printed": None if value is None else " ".join(form(value).split()),
            "unit": unit,
            "interval": ends,
            "file": f"output/{metrics['patient']}/{stage}/{file}",
            "place": where,
        }

    for part in (_study, _samples, _missed, _events, _comparison, _shown, _maps, _tests):
        part(results, add)
    shown = [{key: one[key] for key in ("sample", "true", "pred", "files")} for one in results["digest"]["samples"]]
    simulated = metrics["source"] == "simulate"
    return {"patient": metrics["patient"], "simulated": simulated, "samples": shown, "values": values}


def _study(results, add):
    metrics, folds = results["metrics"], results["metrics"]["folds"]
    add("patient", "patient", "metrics: patient", metrics["patient"], unit="name")
    simulated = metrics["source"] == "simulate"
    add("simulated", "simulated", "metrics: source", simulated, lambda yes: "yes" if yes else "no", "name")
    hours = _hours(results)
    length, unit = (hours, " hours") if hours >= 2 else (60 * hours, " minutes")
    form = partial(plain, unit=unit)
    add("duration", "length of all recordings", "recordings: duration_s", length, form, unit.strip())
    frame_s = results["digest"]["frame_s"]
    add("frame_s", "length of a frame", "digest: frame_s", frame_s, partial(plain, unit=" s"), "s")
    add("level", "level of the intervals", "metrics: intervals", 0.95, lambda _: "95 %", "percent")
    add("folds", "folds", "metrics: folds", len(folds), unit="folds")
    tested = {name for fold in folds for name in fold["held_out"]}
    add("recordings", "recordings held out", "metrics: folds[].held_out", len(tested), unit="recordings")
    averaged = sorted({fold["alarm"]["k"] for fold in folds})
    said = " to ".join(map(str, dict.fromkeys((averaged[0], averaged[-1])))) + " frame" + "s" * (averaged[-1] > 1)
    add("frames", "frames averaged for an alarm", "metrics: folds[].alarm.k", averaged[-1], lambda _: said, "frames")
    for key, name in LABELS.items():
        add(f"label.{key}", "class", "digest: samples[].true", name, unit="name")
    for key, name in (METHODS | {"ig.full": "Integrated Gradients"}).items():
        add(f"method.{key}", "method", "digest: samples[].strongest_band", name, unit="name")
    add("steps", "frames of a sample", "digest: samples[].strongest_band", listed(STEPS), unit="name")
    for end, key in (("first", min(BANDS)), ("last", max(BANDS))):
        name, low, high = BANDS[key]
        said = f"{key} ({name}, {plain(low)}–{plain(high)} Hz)"
        add(f"band.{end}", f"{end} band", "digest: bands", said, unit="name")


def _hours(results):
    return float(results["recordings"]["duration_s"].sum()) / 3600


def _samples(results, add):
    samples, intervals = results["metrics"]["samples"], results["metrics"]["intervals"]["samples"]
    for key, name in METRICS.items():
        add(key, name, f"metrics: samples.{key}", samples[key], decimals, "fraction", intervals.get(key))
    counts = {"seizure": "seizure samples", "tp": "seizure samples found", "fn": "seizure samples missed"}
    for key, name in (counts | {"fp": "non-seizure samples taken for seizure"}).items():
        add(key, name, f"metrics: samples.{key}", samples[key])
    other = samples["n"] - samples["seizure"]
    add("other", "non-seizure samples", "metrics: samples.n - samples.seizure", other)
    form = partial(decimals, places=2)
    add("threshold", "best threshold", "metrics: samples.threshold", samples["threshold"], form, "probability")
    often = None if samples["seizure"] == other else LABELS[int(samples["seizure"] > other)]
    add("frequent", "more frequent class", "metrics: samples.seizure, samples.n", often, unit="name")
    share, place = max(samples["seizure"], other) / samples["n"], "metrics: max(seizure, n - seizure) / n"
    add("baseline", "accuracy of always giving the more frequent class", place, share, decimals, "fraction")
    both = [samples[key] for key in ("sensitivity", "specificity")]
    lower = None if None in both else min(number(decimals(value)) for value in both)
    grade = None if lower is None else next((word for word, least in GRADES.items() if lower >= least), "weak")
    add("grade", "grade", "metrics: samples.sensitivity, samples.specificity", grade, unit="name")
    for word, least in GRADES.items():
        add(f"grade.{word}", f"least score graded {word}", "metrics: samples", least, form, "fraction")


def _missed(results, add):
    """Add which seconds of the seizures are missed: before the first sample found, and with what in the triptych."""
    table, frame_s = results["decisions"], results["digest"]["frame_s"]
    seizure = table[table["label"] == 1].sort_values(["recording", "last_start_s"], kind="stable")
    gap = (seizure["last_start_s"].diff() > 1.5 * frame_s) | (seizure["recording"] != seizure["recording"].shift())
    found = seizure.groupby(gap.cumsum())["decided"]
    missed = seizure["decided"] == 0
    early = missed & (found.cumsum() == 0) & (found.transform("max") == 1)
    mixed = missed & (seizure[["label_t0", "label_t1"]].min(axis=1) == 0)
    place = "decisions: label = 1, decided = 0"
    add("missed.early", "samples missed before the first one found in their seizure", place, int(early.sum()))
    add("missed.mixed", "samples missed with a non-seizure frame", f"{place}, label_t0, label_t1", int(mixed.sum()))
    form = partial(plain, unit=" s")
    add("missed.seconds", "seconds of seizure missed", place, float(missed.sum() * frame_s), form, "s")
    add("seizure.seconds", "seconds of seizure", "decisions: label = 1", float(len(seizure) * frame_s), form, "s")


def _events(results, add):
    metrics, hours = results["metrics"], _hours(results)
    events, intervals = metrics["events"], metrics["intervals"]
    names = {"seizures": "seizures", "detected": "seizures detected", "false_alarms": "false alarms"}
    for key, name in names.items():
        add(f"events.{key}", name, f"metrics: events.{key}", events[key], unit="events")
    alarms = len(results["events"])
    add("events.alarms", "alarms", "events: rows", alarms, unit="events")
    form = partial(decimals, places=1, unit=" per hour")
    add("events.per_hour", "alarms per hour", "events: rows / hours", alarms / hours, form, "per hour")
    exact = rate_interval(events["false_alarms"], hours / 24)
    place, form = "metrics: events.fp_per_24h", partial(decimals, places=1, unit=" false alarms per 24 h")
    add(
        "events.fp_per_24h",
        "false alarms per 24 h, exact interval",
        place,
        events["fp_per_24h"],
        form,
        "per 24 h",
        exact,
    )
    add("events.f1", "event F1", "metrics: events.f1", events["f1"], decimals, "fraction", intervals["events"]["f1"])
    delay, form = intervals["seizures"]["median_latency_s"], partial(decimals, places=1, unit=" s")
    place = "metrics: intervals.seizures.median_latency_s"
    add("events.latency", "median delay of an alarm", place, delay["value"], form, "s", delay)
    rows = results["latencies"][results["latencies"]["detected"] == 0]
    unseen = listed([f"{plain(row.start_s)}–{plain(row.end_s)} s of {row.recording}" for row in rows.itertuples()])
    add("events.unseen", "seizures missed", "latencies: detected = 0", unseen or None, unit="name")
    area = intervals["ranking"]["auprc"]
    add("ranking.auprc", "AUPRC", "metrics: intervals.ranking.auprc", area["value"], decimals, "fraction", area)
    false = _false_alarm(results)
    row = false.iloc[0] if len(false) else None
    span = None if row is None else f"{plain(row.start_s)}–{plain(row.end_s)} s of {row.recording}"
    add("alarm.span", "false alarm", "errors: kind = false alarm", span, unit="name")
    for key, column, other in (("p", "p_peak", "threshold"), ("threshold", "threshold", "p_peak")):
        value = None if row is None else float(row[column])
        form = partial(distinct, limit=None if row is None else row[other], places=2)
        add(f"alarm.{key}", f"false alarm, {column}", f"errors: {column}", value, form, "probability")


def _false_alarm(results):
    """Return the false alarm with the highest peak, as a table of one row or none."""
    rows = results["errors"][results["errors"]["kind"] == "false alarm"]
    return rows.sort_values("p_peak", ascending=False, kind="stable").iloc[:1]


def _comparison(results, add):
    rows = {row["method"]: row for row in results["comparison"]["rows"]}
    for method, said in BASELINES.items():
        add(f"baselines.{method}", "baseline", f"comparison: rows[{method}]", said, unit="name")
        for score, name in (("auprc", "AUPRC"), ("event_f1", "event F1")):
            for key, what in ((score, f"{name} of {said}"), (f"ahead_{score}", f"{name} of the model minus {said}")):
                found = (rows.get(method) or {}).get(key) or {"value": None}
                place = f"comparison: rows[{method}].{key}"
                add(f"baselines.{method}.{key}", what, place, found["value"], decimals, "fraction", found)
    splits, names = {row["protocol"]: row for row in results["audit"]["rows"]}, ("random split", WEIGHTED)
    random, same = (splits[name] for name in names)
    place = f"audit: rows[{names[0]}]"
    add("audit.tested", "test samples of random splits", f"{place}.n_test", random["n_test"])
    add("audit.shared", "test samples of random splits that share EEG", f"{place}.shared_eeg", random["shared_eeg"])
    f1 = random["f1"]
    add("audit.random.f1", "F1 of random splits", f"{place}.f1", f1["value"], decimals, "fraction", f1)
    f1, name = same["f1"], "F1 at the random splits' share of seizure"
    add("audit.weighted.f1", name, f"audit: rows[{names[1]}].f1", f1["value"], decimals, "fraction", f1)


def _shown(results, add):
    """Add what is known of each sample that is explained: of its bands and channels, those of most frames."""
    samples = results["digest"]["samples"]
    add("shown", "samples chosen to be explained", "digest: samples", len(samples))
    for sample in samples:
        about, place, name = (f"{text}{sample['sample']}" for text in ("sample.", "digest: samples ", "sample "))
        add(about, "sample", place, sample["sample"], unit="name")
        span = f"{plain(sample['start_s'])}–{plain(sample['end_s'])} s of {sample['recording']}"
        add(f"{about}.span", f"{name}, span", f"{place}.start_s", span, unit="name")
        for key in ("true", "pred"):
            add(f"{about}.{key}", f"{name}, {key} class", f"{place}.{key}", LABELS[sample[key]], unit="name")
        form = partial(distinct, limit=sample["threshold"], places=3)
        add(f"{about}.p_seizure", f"{name}, p_seizure", f"{place}.p_seizure", sample["p_seizure"], form, "probability")
        found = [(method, "band", sample["strongest_band"][method], _band) for method in METHODS]
        for method, kind, steps, form in [*found, ("ig", "channel", sample["strongest_channel"]["ig"], str)]:
            key, said = f"{about}.{method}.{kind}", f"{name}, {METHODS[method]}, strongest {kind}"
            what, count = Counter(filter(None, steps)).most_common(1)[0] if any(steps) else (None, 0)
            add(key, said, f"{place}.strongest_{kind}", what if count > 1 else None, form, "name")
            add(f"{key}.frames", f"{said}, frames", f"{place}.strongest_{kind}", count, unit="frames")


def _band(key):
    return f"{key} ({BANDS[key][0]})"


def _maps(results, add):
    """Add the band of the highest mean relevance toward the decision, over groups of samples and the false alarm.

    A class activation map counts relative to its own mean over the triptych, a map of zeros not at all; Integrated
    Gradients in log-odds. Means are over all bins of a band, so that a wide one does not win by its width.
    """
    maps, table = results["maps"], results["decisions"].set_index("sample").loc[results["maps"]["sample"]]
    masks, inside = band_masks(results["axes"]["frequencies_hz"]), np.zeros(len(table), bool)
    for row in _false_alarm(results).itertuples():
        inside = (table["recording"] == row.recording) & (table["last_start_s"] < row.end_s)
        inside &= table["end_s"] > row.start_s
    groups = {name: table["label"].eq(own) & table["decided"].eq(own) for name, own in (("found", 1), ("left", 0))}
    for group, chosen in (groups | {"alarm": inside}).items():
        chosen = np.asarray(chosen)
        add(f"maps.{group}", f"samples {group} with maps", "maps: sample", int(chosen.sum()))
        for method, name in METHODS.items():
            bins = np.asarray(maps[method][chosen], float).mean(axis=(1, 3))  # [sample, frequency]
            if method == "ig":
                bins = -bins if group == "left" else bins
            else:
                bins = bins[bins.sum(axis=1) > 0]
                bins = bins / bins.mean(axis=1, keepdims=True)
            means = {key: float(bins[:, mask].mean()) for key, mask in masks.items() if len(bins) and mask.any()}
            best = max(means, key=means.get, default=None)
            best = best if best and means[best] > 0 else None
            key, said = f"maps.{group}.{method}.band", f"samples {group}, {name}, band of the highest mean"
            add(key, said, f"maps: {method}, mean over bins", best, _band, "name")
    where = np.asarray(maps["ig_channels"][np.asarray(inside)], float).sum(axis=(0, 1, 3))  # [channel]
    channel = results["axes"]["channels"][int(where.argmax())] if where.max() > 0 else None
    add("alarm.channel", "false alarm, IG, channel of the highest mean", "maps: ig_channels", channel, unit="name")


def _tests(results, add):
    sanity, form = results["sanity"], partial(decimals, places=2)
    shares = ((sanity["truth"] or {}).get("time × frequency")) or {}
    for name, said in (METHODS | {"chance": "chance", "power": "the EEG's own power"}).items():
        mass, place = (shares.get(name) or {}).get("mass"), f"sanity: truth.time × frequency.{name}.mass"
        value = (mass or {}).get("value")
        add(f"tests.planted truth.{name}", f"share on the planted seizure, {said}", place, value, form, "fraction")
    last = f"weights:{sanity['layers'][-1]}"
    add("tests.limit", "rank correlation that passes", "sanity: rules.random weights", UNLIKE, form, "fraction")
    for method, name in METHODS.items():
        alike = ((sanity["disturbed"].get(last) or {}).get(method) or {}).get("value")
        place, close = f"sanity: disturbed.{last}.{method}", partial(distinct, limit=UNLIKE, places=2)
        add(f"tests.random weights.{method}", f"rank correlation, {name}", place, alike, close, "fraction")
        verdicts = {rule: None if one is None else bool(one) for rule, one in sanity["verdicts"][method].items()}
        for rule, verdict in verdicts.items():
            key, place = f"tests.{rule}.{method}.verdict", f"sanity: verdicts.{method}.{rule}"
            add(key, f"test {rule}, {name}", place, verdict, lambda passed: "passes" if passed else "fails", "name")
        taken = [verdict for verdict in verdicts.values() if verdict is not None]
        add(f"tests.passed.{method}", f"tests passed, {name}", f"sanity: verdicts.{method}", sum(taken), unit="tests")
        add(f"tests.taken.{method}", f"tests, {name}", f"sanity: verdicts.{method}", len(taken), unit="tests")


def check(results):
    """Hold the results of the stages against each other.

    Raises
    ------
    FactError
        If two patients are mixed, counts do not add up, a score is not what its counts give, a recording is tested
        twice or on its own threshold, or a sample's decision contradicts its probability: the message has both sides.
    """
    metrics, digest, table = (results[name] for name in ("metrics", "digest", "decisions"))
    samples, events = metrics["samples"], metrics["events"]
    _agree("patient", metrics["patient"], digest["patient"])
    for name, pair in (("tp", (1, 1)), ("fn", (1, 0)), ("fp", (0, 1)), ("tn", (0, 0))):
        count = int((table[["label", "decided"]] == list(pair)).all(axis=1).sum())
        _agree(f"{name} in the decisions", count, samples[name])
    tp, fn, fp, tn = (samples[name] for name in ("tp", "fn", "fp", "tn"))
    _agree("samples", (samples["n"], samples["seizure"]), (tp + fn + fp + tn, tp + fn))
    f1, other = _ratio(2 * tp, 2 * tp + fp + fn), _ratio(2 * tn, 2 * tn + fp + fn)
    weighted = ((tp + fn) * (f1 or 0) + (tn + fp) * (other or 0)) / samples["n"]
    wanted = _ratio(tp + tn, samples["n"]), _ratio(tp, tp + fn), _ratio(tn, tn + fp), f1, weighted
    for name, value in zip(METRICS, wanted, strict=True):
        _agree(name, samples[name], value)
    seizures, detected, alarms = (events[name] for name in ("seizures", "detected", "false_alarms"))
    _agree("event sensitivity", events["sensitivity"], _ratio(detected, seizures))
    _agree("event precision", events["precision"], _ratio(detected, detected + alarms))
    found = results["latencies"]["detected"]
    _agree("seizures and detected ones", (len(found), int(found.sum())), (seizures, detected))
    tested = [name for fold in metrics["folds"] for name in fold["held_out"]]
    _agree("recordings tested", len(tested), len(set(tested)))
    for fold in metrics["folds"]:
        both = set(fold["held_out"]) & set(fold["inner"])
        _agree(f"recordings of fold {fold['fold']} that are held out and inner", both, set())
    for sample in digest["samples"] + digest["errors"]:
        wanted = int(sample["p_seizure"] >= sample["threshold"])
        _agree(f"decision on sample {sample['sample']}", sample["pred"], wanted)


def _ratio(part, whole):
    return part / whole if whole else None


def _agree(what, one, other):
    close = isinstance(one, float) and isinstance(other, float) and math.isclose(one, other, abs_tol=1e-6)
    if not close and one != other:
        raise FactError(f"The results contradict each other: {what} is {one} in one place and {other} in another.")
