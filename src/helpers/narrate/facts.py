"""Facts: every number and name that the narrative may say, with its one printed form and the file it comes from."""

from collections import Counter
from functools import partial, reduce
from operator import getitem, methodcaller

import numpy as np

from helpers.narrate.forms import BASELINES, FORMS, LABELS, METHODS, METRICS, distinct, listed, plain
from helpers.study import files
from helpers.study.bands import BANDS, band_masks

UNLIKE = 0.2  # rank correlation with the trained map, below which a map of random weights passes
SOURCES = {  # the results, and where they come from
    "recordings": ("acquire", "recordings.csv"),
    "axes": ("preprocess", "axes.json"),
    **{name: ("evaluate", f"{name}.json") for name in ("metrics", "comparison", "audit")},
    **{name: ("evaluate", f"{name}.csv") for name in ("decisions", "errors", "latencies")},
    **{name: ("explain", f"{name}.json") for name in ("digest", "sanity")},
    "maps": ("explain", "attributions.npz"),
}
COPIED = (  # facts that stand in a file as they are: key, name, file and place in it, unit
    ("frame_s", "length of a frame", "digest: frame_s", "s"),
    ("patient", "patient", "metrics: patient", "name"),
    ("source", "source of the recordings", "metrics: source", "name"),
    ("seizure", "seizure samples", "metrics: samples.seizure", "samples"),
    ("tp", "seizure samples found", "metrics: samples.tp", "samples"),
    ("fp", "non-seizure samples taken for seizure", "metrics: samples.fp", "samples"),
    *((key, name, f"metrics: intervals.samples.{key}", "fraction") for key, name in METRICS.items()),
    ("threshold", "best threshold", "metrics: samples.threshold", "probability"),
    ("smoothed.auprc", "area under the precision–recall curve", "metrics: intervals.smoothed.auprc", "fraction"),
    ("events.seizures", "seizures", "metrics: events.seizures", "events"),
    ("events.detected", "seizures detected", "metrics: events.detected", "events"),
    ("events.false_alarms", "false alarms", "metrics: events.false_alarms", "events"),
    ("events.fp_per_24h", "false alarms per 24 h", "metrics: intervals.events.fp_per_24h", "per 24 h"),
    ("events.f1", "F1 over events", "metrics: intervals.events.f1", "fraction"),
    ("events.latency", "median delay of an alarm", "metrics: intervals.seizures.median_latency_s", "delay"),
    ("audit.tested", "test samples of random splits", "audit: n_test", "samples"),
    ("audit.shared", "test samples of random splits that share EEG", "audit: shared_eeg", "samples"),
)


def read(patient, sources=SOURCES):
    """Return results by name: tables, arrays, text or JSON; FileNotFoundError names the stage that has not run."""
    readers = {
        ".json": files.read_json,
        ".csv": files.read_table,
        ".npz": _read_arrays,
        ".md": methodcaller("read_text", "utf-8"),
    }
    paths = {name: files.stage_output(patient, *place) for name, place in sources.items()}
    return {name: readers[path.suffix](path) for name, path in paths.items()}


def _read_arrays(path):
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in ("sample", *METHODS)}


def build(results):
    """Return the facts of a patient: ``patient``; ``samples``, those that are explained; and ``values``.

    A value has, by its key, ``name`` in plain words, ``value``, ``printed`` (None if undefined), ``unit`` ("name" if no
    number), ``interval`` (``low`` and ``high`` as printed, or None), ``file`` and ``place`` in it.
    """
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

    for key, name, place, unit in COPIED:
        value = reduce(getitem, place.partition(": ")[2].split("."), results[place.partition(": ")[0]])
        add(key, name, place, value, unit)
    for part in (_study, _samples, _events, _comparison, _shown, _maps, _tests):
        part(results, add)
    shown = [one["sample"] for one in results["digest"]["samples"]]
    return {"patient": metrics["patient"], "samples": shown, "values": values}


def _study(results, add):
    metrics, folds = results["metrics"], results["metrics"]["folds"]
    hours = results["recordings"]["duration_s"].sum() / 3600
    length, unit = (hours, "hours") if hours >= 2 else (60 * hours, "minutes")
    add("duration", "length of all recordings", "recordings: duration_s", length, unit)
    add("level", "level of the intervals", "metrics: intervals", 0.95, "percent")
    add("folds", "folds", "metrics: folds", len(folds), "folds")
    tested = sum(len(fold["held_out"]) for fold in folds)
    add("recordings", "recordings held out", "metrics: folds[].held_out", tested, "recordings")
    pooled = results["recordings"].get("patient")
    add("patients", "patients pooled", "recordings: patient", None if pooled is None else pooled.nunique(), "patients")
    drawn = "recordings" if pooled is None else "patients"
    add("drawn", "what the bootstrap draws", "metrics: intervals.samples", drawn, "name")
    add("frames", "frames averaged for an alarm", "metrics: folds[].alarm.frames", folds[0]["alarm"]["frames"])
    kind, name = metrics["intervals"]["samples"]["accuracy"]["kind"], "brackets hold the lowest and highest recording"
    add("ranged", name, "metrics: intervals.samples.accuracy.kind", int(kind == "range"))
    for key, name in LABELS.items():
        add(f"label.{key}", "class", "digest: samples[].true", name, "name")
    for key, name in (METHODS | {"ig.full": "Integrated Gradients"}).items():
        add(f"method.{key}", "method", "digest: samples[].strongest_band", name, "name")
    bands = [f"{key} ({name}, {plain(low)}–{plain(high)} Hz)" for key, (name, low, high) in BANDS.items()]
    add("bands", "bands", "digest: bands", listed(bands), "name")


def _span(row):
    return f"{plain(row['start_s'])}–{plain(row['end_s'])} s of {row['recording']}"


def _samples(results, add):
    samples = results["metrics"]["samples"]
    other = samples["n"] - samples["seizure"]
    add("other", "non-seizure samples", "metrics: samples.n - samples.seizure", other)
    often = None if samples["seizure"] == other else LABELS[int(samples["seizure"] > other)]
    add("frequent", "more frequent class", "metrics: samples.seizure, samples.n", often, "name")
    share, place = max(samples["seizure"], other) / samples["n"], "metrics: max(seizure, n - seizure) / n"
    add("baseline", "accuracy of always giving the more frequent class", place, share, "fraction")


def _events(results, add):
    for row in results["comparison"]["controls"]:
        key, place = row["control"].replace(" ", "_"), f"comparison: controls[{row['control']}]"
        add(f"controls.{key}.f1", f"event F1 of a control, {row['control']}", f"{place}.f1", row["f1"], "fraction")
        name = f"share of draws, {row['control']}, with at least our event F1"
        add(f"controls.{key}.reached", name, f"{place}.reached", row.get("reached"), "percent")
    rows = results["latencies"][results["latencies"]["detected"] == 0]
    unseen = listed([_span(row) for row in rows.to_dict("records")]) or None
    add("events.unseen", "seizures missed", "latencies: detected = 0", unseen, "name")


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
    rows = {row["protocol"]: row for row in results["audit"]["rows"]}
    for key, split in (("split", "split at random"), ("single", "held out by recording")):
        name, place = f"F1 of single networks, {split}", f"audit: rows[{key}].f1"
        add(f"audit.{key}.f1", name, place, rows[key]["f1"], "fraction")


def _shown(results, add):
    """Add what is known of each sample that is explained: of its bands and channels, those of most frames."""
    add("shown", "samples chosen to be explained", "digest: samples", len(results["digest"]["samples"]))
    for sample in results["digest"]["samples"]:
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
    masks = band_masks(results["axes"]["frequencies_hz"])
    errors = results["errors"].sort_values("p_peak", ascending=False, kind="stable")
    groups = {name: table["label"].eq(own) & table["decided"].eq(own) for name, own in (("found", 1), ("left", 0))}
    for alarm in errors[errors["kind"] == "false alarm"].head(1).to_dict("records"):
        add("alarm", "false alarm with the highest peak", "errors: kind = false alarm", _span(alarm), "name")
        inside = (table["last_start_s"] < alarm["end_s"]) & (table["end_s"] > alarm["start_s"])
        groups["alarm"] = table["recording"].eq(alarm["recording"]) & inside
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
            best = max((key for key in means if means[key] > 0), key=means.get, default=None)
            key, said = f"maps.{group}.{method}.band", f"samples {group}, {name}, band of the highest mean"
            add(key, said, f"maps: {method}, mean over bins", _band(best), "name")


def _tests(results, add):
    sanity = results["sanity"]
    add("tests.limit", "rank correlation that passes", "sanity: rules.random weights", UNLIKE, "probability")
    for method, name in METHODS.items():
        verdicts, place = sanity["verdicts"][method], f"sanity: verdicts.{method}"
        for rule, passed in verdicts.items():
            said = None if passed is None else "passes" if passed else "fails"
            add(f"tests.{rule}.{method}.verdict", f"test {rule}, {name}", f"{place}.{rule}", said, "name")
        taken = [passed for passed in verdicts.values() if passed is not None]
        said = f"{sum(taken)} of {len(taken)}" if taken else None
        add(f"tests.passed.{method}", f"tests passed, {name}", place, said, "tests")
