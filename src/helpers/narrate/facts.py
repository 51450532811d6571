"""Facts: every number and name that the narrative may say, with its one printed form and the file it comes from."""

from collections import Counter
from functools import partial

import numpy as np

from helpers.narrate.forms import BASELINES, FORMS, LABELS, METHODS, METRICS, decimals, distinct, listed, plain
from helpers.study import files
from helpers.study.bands import BANDS, band_masks

GRADES = {"strong": 0.9, "moderate": 0.7}  # the least of the lower of sensitivity and specificity; else weak
UNLIKE = 0.2  # rank correlation with the trained map, below which a map of random weights passes
STEPS = ("t0", "t1", "t2")
SOURCES = {  # the results, and where they come from
    "recordings": ("acquire", "recordings.csv"),
    "axes": ("preprocess", "axes.json"),
    **{name: ("evaluate", f"{name}.json") for name in ("metrics", "comparison", "audit")},
    **{name: ("evaluate", f"{name}.csv") for name in ("decisions", "events", "errors", "latencies")},
    **{name: ("explain", f"{name}.json") for name in ("digest", "sanity")},
    "maps": ("explain", "attributions.npz"),
}


def read(patient):
    """Return the results of all stages by name, as in `SOURCES`.

    Raises FileNotFoundError if one is missing; the message names the file, the stage and the command that makes it.
    """
    return {name: _read(files.stage_output(patient, *place)) for name, place in SOURCES.items()}


def _read(path):
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in ("sample", *METHODS, "ig_channels")}
    return files.read_json(path) if path.suffix == ".json" else files.read_table(path)


def build(results):
    """Return the facts of a patient: ``patient``; ``simulated``; ``samples``, those that are explained; and ``values``.

    A value has, by its key, ``name`` in plain words, ``value``, ``printed`` (None if undefined), ``unit`` ("name" if no
    number), ``interval`` (``low`` and ``high`` as printed, or None), ``file`` and ``place`` in it. Raises ValueError if
    the results contradict each other.
    """
    check(results)
    metrics, values = results["metrics"], {}

    def add(key, name, place, value, unit="samples", form=None):
        source, _, where = place.partition(": ")
        stage, file = SOURCES[source]
        form, ends = form or FORMS.get(unit, str), None
        if isinstance(value, dict):  # a score with its interval
            if None not in (value["value"], value.get("low")):  # without the unit, which the value has
                ends = {end: form(value[end]).split(" ")[0] for end in ("low", "high")}
            value = value["value"]
        values[key] = {
            "name": name, "value": value, "printed": None if value is None else " ".join(form(value).split()),
            "unit": unit, "interval": ends, "file": f"output/{metrics['patient']}/{stage}/{file}", "place": where,
        }  # fmt: skip

    for part in (_study, _samples, _missed, _events, _alarm, _comparison, _shown, _maps, _tests):
        part(results, add)
    shown = [{"sample": one["sample"], "files": one["files"]} for one in results["digest"]["samples"]]
    simulated = metrics["source"] == "simulate"
    return {"patient": metrics["patient"], "simulated": simulated, "samples": shown, "values": values}


def _study(results, add):
    metrics, folds = results["metrics"], results["metrics"]["folds"]
    hours = results["recordings"]["duration_s"].sum() / 3600
    length, unit = (hours, "hours") if hours >= 2 else (60 * hours, "minutes")
    add("duration", "length of all recordings", "recordings: duration_s", length, unit)
    add("frame_s", "length of a frame", "digest: frame_s", results["digest"]["frame_s"], "s")
    add("level", "level of the intervals", "metrics: intervals", 0.95, "percent")
    add("folds", "folds", "metrics: folds", len(folds), "folds")
    tested = {name for fold in folds for name in fold["held_out"]}
    add("recordings", "recordings held out", "metrics: folds[].held_out", len(tested), "recordings")
    add("frames", "frames averaged for an alarm", "metrics: folds[].alarm.frames", folds[0]["alarm"]["frames"])
    kind, name = metrics["intervals"]["samples"]["accuracy"]["kind"], "brackets hold the lowest and highest recording"
    add("ranged", name, "metrics: intervals.samples.accuracy.kind", int(kind == "range"))
    add("patient", "patient", "metrics: patient", metrics["patient"], "name")
    origin = "simulated" if metrics["source"] == "simulate" else "recorded"
    add("simulated", "origin of the EEG", "metrics: source", origin, "name")
    for key, name in LABELS.items():
        add(f"label.{key}", "class", "digest: samples[].true", name, "name")
    for key, name in (METHODS | {"ig.full": "Integrated Gradients"}).items():
        add(f"method.{key}", "method", "digest: samples[].strongest_band", name, "name")
    add("steps", "frames of a sample", "digest: samples[].strongest_band", listed(STEPS), "name")
    for end, key in (("first", min(BANDS)), ("last", max(BANDS))):
        name, low, high = BANDS[key]
        said = f"{key} ({name}, {plain(low)}–{plain(high)} Hz)"
        add(f"band.{end}", f"{end} band", "digest: bands", said, "name")


def _span(row):
    return f"{plain(row['start_s'])}–{plain(row['end_s'])} s of {row['recording']}"


def _samples(results, add):
    samples, intervals = results["metrics"]["samples"], results["metrics"]["intervals"]["samples"]
    for key, name in METRICS.items():
        add(key, name, f"metrics: samples.{key}", intervals[key], "fraction")
    counts = {"seizure": "seizure samples", "tp": "seizure samples found", "fn": "seizure samples missed"}
    for key, name in (counts | {"fp": "non-seizure samples taken for seizure"}).items():
        add(key, name, f"metrics: samples.{key}", samples[key])
    other = samples["n"] - samples["seizure"]
    add("other", "non-seizure samples", "metrics: samples.n - samples.seizure", other)
    add("threshold", "best threshold", "metrics: samples.threshold", samples["threshold"], "probability")
    often = None if samples["seizure"] == other else LABELS[int(samples["seizure"] > other)]
    add("frequent", "more frequent class", "metrics: samples.seizure, samples.n", often, "name")
    share, place = max(samples["seizure"], other) / samples["n"], "metrics: max(seizure, n - seizure) / n"
    add("baseline", "accuracy of always giving the more frequent class", place, share, "fraction")
    both = [samples[key] for key in ("sensitivity", "specificity")]
    lower = None if None in both else round(min(both), 4)  # as printed
    grade = None if lower is None else next((word for word, least in GRADES.items() if lower >= least), "weak")
    add("grade", "grade", "metrics: samples.sensitivity, samples.specificity", grade, "name")
    for word, least in GRADES.items():
        add(f"grade.{word}", f"least score graded {word}", "metrics: samples", least, "probability")


def _missed(results, add):
    """Add which seconds of the seizures are missed: before the first sample found, and with what in the triptych."""
    table, frame_s = results["decisions"], results["digest"]["frame_s"]
    seizure = table[table["label"] == 1].sort_values(["recording", "last_start_s"], kind="stable")
    gap = (seizure["last_start_s"].diff() > 1.5 * frame_s) | (seizure["recording"] != seizure["recording"].shift())
    found = seizure.groupby(gap.cumsum())["decided"]
    missed = seizure["decided"] == 0
    early = missed & (found.cumsum() == 0) & (found.transform("max") == 1)
    mixed = missed & (seizure[["label_t0", "label_t1"]].min(axis=1) == 0)
    place, whole = "decisions: label = 1, decided = 0", "decisions: label = 1"
    add("missed.early", "samples missed before the first one found in their seizure", place, int(early.sum()))
    add("missed.mixed", "samples missed with a non-seizure frame", f"{place}, label_t0, label_t1", int(mixed.sum()))
    add("missed.seconds", "seconds of seizure missed", place, float(missed.sum() * frame_s), "s")
    add("seizure.seconds", "seconds of seizure", whole, float(len(seizure) * frame_s), "s")


def _events(results, add):
    events, intervals = results["metrics"]["events"], results["metrics"]["intervals"]
    names = {"seizures": "seizures", "detected": "seizures detected", "false_alarms": "false alarms"}
    for key, name in names.items():
        add(f"events.{key}", name, f"metrics: events.{key}", events[key], "events")
    add("events.alarms", "alarms", "events: rows", len(results["events"]), "events")
    name, rate = "false alarms per 24 h, exact interval", intervals["events"]["fp_per_24h"]
    add("events.fp_per_24h", name, "metrics: intervals.events.fp_per_24h", rate, "per 24 h")
    add("events.f1", "F1 over events", "metrics: intervals.events.f1", intervals["events"]["f1"], "fraction")
    for row in results["comparison"]["controls"]:
        key, place = row["control"].replace(" ", "_"), f"comparison: controls[{row['control']}]"
        add(f"controls.{key}.f1", f"event F1 of a control, {row['control']}", f"{place}.f1", row["f1"], "fraction")
        name = f"share of draws, {row['control']}, with at least our event F1"
        add(f"controls.{key}.reached", name, f"{place}.reached", row.get("reached"), "share")
    place, form = "metrics: intervals.seizures.median_latency_s", partial(decimals, places=1, unit=" s")
    add("events.latency", "median delay of an alarm", place, intervals["seizures"]["median_latency_s"], "s", form)
    rows = results["latencies"][results["latencies"]["detected"] == 0]
    unseen = listed([_span(row) for row in rows.to_dict("records")]) or None
    add("events.unseen", "seizures missed", "latencies: detected = 0", unseen, "name")
    name, place = "area under the precision–recall curve", "metrics: intervals.smoothed.auprc"
    add("smoothed.auprc", name, place, intervals["smoothed"]["auprc"], "fraction")


def _alarm(results, add):
    row = _false_alarm(results)
    add("alarm.span", "false alarm", "errors: kind = false alarm", row and _span(row), "name")
    for key, column, other in (("p", "p_peak", "threshold"), ("threshold", "threshold", "p_peak")):
        place, form = f"errors: {column}", partial(distinct, limit=row and row[other], places=2)
        add(f"alarm.{key}", f"false alarm, {column}", place, row and row[column], "probability", form=form)


def _false_alarm(results):
    """Return the false alarm with the highest peak, or None."""
    rows = results["errors"][results["errors"]["kind"] == "false alarm"].to_dict("records")
    return max(rows, key=lambda row: row["p_peak"], default=None)


def _comparison(results, add):
    rows = {row["method"]: row for row in results["comparison"]["rows"]}
    for method, said in BASELINES.items():
        add(f"baselines.{method}", "baseline", f"comparison: rows[{method}]", said, "name")
        for score, name in (("auprc_smoothed", "AUPRC"), ("event_f1", "event F1")):
            for key, what in ((score, f"{name} of {said}"), (f"ahead_{score}", f"{name} of the model minus {said}")):
                place, found = f"comparison: rows[{method}].{key}", rows.get(method, {}).get(key)
                if found and found["kind"] == "range":
                    found = found | {"low": None}  # no difference is clear by a range
                add(f"baselines.{method}.{key}", what, place, found, "fraction")
    audit, name = results["audit"], "test samples of random splits"
    add("audit.tested", name, "audit: n_test", audit["n_test"])
    add("audit.shared", f"{name} that share EEG", "audit: shared_eeg", audit["shared_eeg"])
    rows = {row["protocol"]: row for row in audit["rows"]}
    for key, name in (
        ("split", "F1 of single networks, split at random"),
        ("single", "F1 of single networks by recording"),
    ):
        add(f"audit.{key}.f1", name, f"audit: rows[{key}].f1", rows[key]["f1"], "fraction")


def _shown(results, add):
    """Add what is known of each sample that is explained: of its bands and channels, those of most frames."""
    samples = results["digest"]["samples"]
    add("shown", "samples chosen to be explained", "digest: samples", len(samples))
    for sample in samples:
        about, place, name = (f"{text}{sample['sample']}" for text in ("sample.", "digest: samples ", "sample "))
        add(about, "sample", place, sample["sample"], "name")
        add(f"{about}.span", f"{name}, span", f"{place}.start_s", _span(sample), "name")
        for key in ("true", "pred"):
            add(f"{about}.{key}", f"{name}, {key} class", f"{place}.{key}", LABELS[sample[key]], "name")
        said, form = f"{name}, p_seizure", partial(distinct, limit=sample["threshold"], places=3)
        add(f"{about}.p_seizure", said, f"{place}.p_seizure", sample["p_seizure"], "probability", form=form)
        for method, said in METHODS.items():
            steps, where = sample["strongest_band"][method], f"{place}.strongest_band.{method}"
            band = _band(_most(steps)) or ("no single band" if any(steps) else "no band")
            add(f"{about}.{method}.band", f"{name}, {said}, strongest band", where, band, "name")
        channel, where = _most(sample["strongest_channel"]["ig"]), f"{place}.strongest_channel.ig"
        add(f"{about}.ig.channel", f"{name}, {METHODS['ig']}, strongest channel", where, channel, "name")


def _most(steps):
    """Return what more than one frame has, or None."""
    return next((one for one, count in Counter(filter(None, steps)).most_common(1) if count > 1), None)


def _band(key):
    return f"{key} ({BANDS[key][0]})" if key else None


def _maps(results, add):
    """Add the band of the highest mean relevance toward the decision, over groups of samples and the false alarm.

    A class activation map counts relative to its own mean over the triptych, a map of zeros not at all; Integrated
    Gradients in log-odds. Means are over all bins of a band, so that a wide one does not win by its width.
    """
    maps, table = results["maps"], results["decisions"].set_index("sample").loc[results["maps"]["sample"]]
    masks, alarm = band_masks(results["axes"]["frequencies_hz"]), _false_alarm(results)
    groups = {name: table["label"].eq(own) & table["decided"].eq(own) for name, own in (("found", 1), ("left", 0))}
    groups["alarm"] = table["recording"].eq(alarm["recording"] if alarm else "")
    if alarm:
        groups["alarm"] &= (table["last_start_s"] < alarm["end_s"]) & (table["end_s"] > alarm["start_s"])
    for group, chosen in groups.items():
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
            add(key, said, f"maps: {method}, mean over bins", _band(best), "name")
    where = np.asarray(maps["ig_channels"][groups["alarm"]], float).sum(axis=(0, 1, 3))  # [channel]
    channel = results["axes"]["channels"][int(where.argmax())] if where.max() > 0 else None
    add("alarm.channel", "false alarm, IG, channel of the highest mean", "maps: ig_channels", channel, "name")


def _tests(results, add):
    sanity, along = results["sanity"], "time × frequency"
    ranks = (sanity["truth"] or {}).get(along) or {}
    for name, said in (METHODS | {"power": "the EEG's own power"}).items():
        value, place = ranks[name]["auc"]["value"] if ranks else None, f"truth.{along}.{name}.auc"
        add(f"tests.planted truth.{name}", f"AUC of planted cells, {said}", f"sanity: {place}", value, "probability")
    add("tests.limit", "rank correlation that passes", "sanity: rules.random weights", UNLIKE, "probability")
    for method, name in METHODS.items():
        verdicts, place = sanity["verdicts"][method], f"sanity: verdicts.{method}"
        for rule, passed in verdicts.items():
            said = None if passed is None else "passes" if passed else "fails"
            add(f"tests.{rule}.{method}.verdict", f"test {rule}, {name}", f"{place}.{rule}", said, "name")
        taken = [passed for passed in verdicts.values() if passed is not None]
        said = f"{sum(taken)} of {len(taken)}" if taken else None
        add(f"tests.passed.{method}", f"tests passed, {name}", place, said, "tests")


def check(results):
    """Raise ValueError, with both sides, if the results of the stages contradict each other.

    So they do if two patients are mixed, counts do not add up, a recording is tested twice or on its own threshold, or
    a sample's decision contradicts its probability.
    """
    metrics, digest, table = (results[name] for name in ("metrics", "digest", "decisions"))
    samples, found, folds = metrics["samples"], results["latencies"]["detected"], metrics["folds"]
    tested = [name for fold in folds for name in fold["held_out"]]
    pairs = {"tp": (1, 1), "fn": (1, 0), "fp": (0, 1), "tn": (0, 0)}
    counts = table.groupby(["label", "decided"]).size()
    sides = {
        "patient": (metrics["patient"], digest["patient"]),
        "samples": (len(table), samples["n"]),
        **{name: (int(counts.get(pair, 0)), samples[name]) for name, pair in pairs.items()},
        "seizure samples": (samples["tp"] + samples["fn"], samples["seizure"]),
        "seizures": (len(found), metrics["events"]["seizures"]),
        "seizures detected": (int(found.sum()), metrics["events"]["detected"]),
        "recordings tested": (len(tested), len(set(tested))),
        "held out and inner": ([fold for fold in folds if set(fold["held_out"]) & set(fold["inner"])], []),
    }
    for one in digest["samples"] + digest["errors"]:
        sides[f"decision on sample {one['sample']}"] = one["pred"], int(one["p_seizure"] >= one["threshold"])
    for what, (one, other) in sides.items():
        if one != other:
            raise ValueError(f"The results contradict each other: {what} is {one} in one place and {other} in another.")
