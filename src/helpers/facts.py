"""The facts of a study: the one source of what its narrative may say."""

import math

METHODS = {"gradcam": "Grad-CAM", "gradcampp": "Grad-CAM++", "ig": "IG"}
STEPS = ("t0", "t1", "t2")
LABELS = {0: "Non-Seizure", 1: "Seizure"}
METRICS = ("accuracy", "sensitivity", "specificity", "f1", "weighted_f1")
COUNTS = ("n", "seizure", "tp", "fn", "fp", "tn")
FRACTION = ("fraction", "{:.4f}".format)  # a unit and how it is printed
GRADES = (("strong", 0.9), ("moderate", 0.7))  # the least sensitivity and specificity; below the last: weak


class FactError(ValueError):
    """Results that contradict each other; a narrative of them would be false whatever it says."""


def build(metrics, digest):
    """Return everything that the narrative of a patient may say.

    Parameters
    ----------
    metrics : dict
        ``metrics.json`` of the stage evaluate.
    digest : dict
        ``digest.json`` of the stage explain.

    Returns
    -------
    dict
        ``values`` (key → value, printed form, unit, file and place in it; printed is None if undefined), ``undefined``
        (key → reason), ``labels``, ``bands``, ``steps``, ``methods``, ``samples``, ``groups`` (a tally of strongest
        bands for each predicted class), ``agreement`` (pairs of methods), ``changes`` (over t0–t2), ``grade``, and
        ``more_frequent`` (the class of more samples, None if both have as many).

    Raises
    ------
    FactError
        If counts do not add up, a metric is not what its counts give, a recording is tested twice or on a threshold
        chosen on it, a fold has nothing to choose its threshold on, or a sample's prediction contradicts its
        probability and threshold.
    """
    if metrics["patient"] != digest["patient"]:
        raise FactError(f"metrics are of patient {metrics['patient']}, the digest is of {digest['patient']}")
    _check_counts(metrics["samples"], "samples")
    _check_events(metrics["events"])
    _check_folds(metrics["folds"])
    patient = metrics["patient"]
    sources = {stage: f"output/{patient}/{stage}" for stage in ("evaluate", "explain")}
    values = _values(metrics, f"{sources['evaluate']}/metrics.json")
    values["frame_s"] = _fact(digest["frame_s"], "s", f"{sources['explain']}/digest.json", "frame_s", plain)
    samples = [_sample(sample) for sample in digest["samples"]]
    return {
        "patient": patient,
        "simulated": metrics["source"] == "simulate",
        "more_frequent": _more_frequent(metrics["samples"]),
        "values": values,
        "undefined": {key: metrics["undefined"].get(key, "undefined") for key in METRICS if not values[key]["printed"]},
        "labels": {str(key): label for key, label in LABELS.items()},
        "bands": {
            key: band
            | {"printed": f"{key} ({band['name']})", "range": f"{plain(band['low_hz'])}–{plain(band['high_hz'])} Hz"}
            for key, band in digest["bands"].items()
        },
        "steps": list(STEPS),
        "methods": METHODS,
        "rule": digest["rule"],
        "samples": samples,
        "groups": {str(label): _tally([s for s in samples if s["pred"] == label]) for label in (1, 0)},
        "agreement": _agreement(samples),
        "changes": {method: _changes(samples, method) for method in METHODS},
        "largest_delta": _largest_delta(samples),
        "grade": _grade(metrics["samples"]),
    }


def plain(value):
    """Print a number with at most three decimals and no needless zeros: 120.0 is "120"."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _fact(value, unit, file, place, form):
    return {
        "value": value,
        "printed": None if value is None else form(value),
        "unit": unit,
        "file": file,
        "place": place,
    }


def _values(metrics, file):
    """Return the numbers of `metrics`; keys are bare for the samples, else their part's name and a dot come first."""
    rows = [*_sample_rows(metrics), *_event_rows(metrics["events"]), *_ranking_rows(metrics), *_fold_rows(metrics)]
    return {key: _fact(value, unit, file, place, form) for key, place, value, unit, form in rows}


def _sample_rows(metrics):
    """Yield key, place, value, unit and printed form of what single samples say."""
    for prefix, part in (("", "samples"), ("reference.", "reference_prevalence")):
        for name in METRICS:
            yield prefix + name, f"{part}.{name}", metrics[part][name], *FRACTION
    samples = metrics["samples"]
    other = samples["n"] - samples["seizure"]
    for name in COUNTS:
        yield name, f"samples.{name}", samples[name], "samples", str
    yield "other", "samples.n - samples.seizure", other, "samples", str
    yield "threshold", "samples.threshold", samples["threshold"], "probability", "{:.2f}".format
    place = "max(samples.seizure, samples.n - samples.seizure) / samples.n"
    yield "baseline", place, max(samples["seizure"], other) / samples["n"], *FRACTION


def _event_rows(events):
    """Yield the same of what whole seizures say; keys begin with ``events.``."""
    for name in ("seizures", "detected"):
        yield f"events.{name}", f"events.{name}", events[name], "seizures", str
    missed = events["seizures"] - events["detected"]
    yield "events.missed", "events.seizures - events.detected", missed, "seizures", str
    yield "events.false_alarms", "events.false_alarms", events["false_alarms"], "events", str
    for name in ("sensitivity", "precision", "f1"):
        yield f"events.{name}", f"events.{name}", events[name], *FRACTION
    rate = events["fp_per_24h"]
    yield "events.fp_per_24h", "events.fp_per_24h", rate, "false positives per 24 h", "{:.1f}".format


def _ranking_rows(metrics):
    """Yield the same of the areas, each with the ends of its interval; keys begin with ``ranking.``."""
    for name in ("auroc", "auprc"):
        for end, tail in (("value", ""), ("low", ".low"), ("high", ".high")):
            place = f"intervals.ranking.{name}.{end}"
            yield f"ranking.{name}{tail}", place, metrics["intervals"]["ranking"][name][end], *FRACTION


def _fold_rows(metrics):
    """Yield the same of the folds: how many, their recordings, thresholds and networks; and the frames of an alarm."""
    folds = metrics["folds"]
    thresholds = [fold["threshold"] for fold in folds if fold["threshold"] is not None]
    recordings = len({name for fold in folds for name in fold["held_out"]})
    yield "folds.number", "folds", len(folds), "folds", str
    yield "folds.recordings", "folds[].held_out", recordings, "recordings", str
    for name, pick in (("lowest", min), ("highest", max)):
        value = pick(thresholds) if thresholds else None
        yield f"folds.{name}", f"{name} of folds[].threshold", value, "probability", "{:.2f}".format
    for name, pick in (("fewest", min), ("most", max)):
        networks, frames = pick(len(fold["networks"]) for fold in folds), pick(fold["alarm"]["k"] for fold in folds)
        yield f"networks.{name}", f"{name} of folds[].networks", networks, "networks", str
        yield f"frames.{name}", f"{name} of folds[].alarm.k", frames, "frames", str


def _check_counts(samples, where):
    """Hold the metrics against the confusion counts that they come from."""
    tp, fn, fp, tn = (samples[name] for name in ("tp", "fn", "fp", "tn"))
    if tp + fn != samples["seizure"] or tp + fn + fp + tn != samples["n"] or not samples["n"]:
        raise FactError(f"{where}: TP {tp}, FN {fn}, FP {fp}, TN {tn} are not {samples['seizure']} of {samples['n']}")

    f1, f1_other = _ratio(2 * tp, 2 * tp + fp + fn), _ratio(2 * tn, 2 * tn + fp + fn)
    weighted = ((tp + fn) * (f1 or 0) + (tn + fp) * (f1_other or 0)) / samples["n"]
    rates = _ratio(tp + tn, samples["n"]), _ratio(tp, tp + fn), _ratio(tn, tn + fp)
    wanted = dict(zip(METRICS, (*rates, f1, weighted), strict=True))
    _check_given(samples, wanted, f"{where}: TP {tp}, FN {fn}, FP {fp}, TN {tn}")


def _check_events(events):
    """Hold the event scores against their counts, and the rate against the number of false alarms."""
    seizures, detected, alarms = (events[name] for name in ("seizures", "detected", "false_alarms"))
    where = f"events: {seizures} seizures, {detected} detected, {alarms} false alarms"
    if not 0 <= detected <= seizures or alarms < 0:
        raise FactError(f"{where}: impossible")
    wanted = {
        "sensitivity": _ratio(detected, seizures),
        "precision": _ratio(detected, detected + alarms),
        "f1": _ratio(2 * detected, seizures + detected + alarms),
    }
    _check_given(events, wanted, where)
    if events["fp_per_24h"] is not None and bool(events["fp_per_24h"]) != bool(alarms):
        raise FactError(f"{where}, but {events['fp_per_24h']} false positives per 24 h")


def _check_given(scores, wanted, where):
    for name, value in wanted.items():
        found = scores[name]
        if found is not None and not math.isclose(found, value or 0.0, abs_tol=1e-3):
            raise FactError(f"{where} give {name} {value}, but it is {found}")


def _ratio(part, whole):
    return part / whole if whole else None


def _more_frequent(samples):
    """Return the class of more samples, as a reader calls it, or None if both have as many."""
    seizure, other = samples["seizure"], samples["n"] - samples["seizure"]
    return None if seizure == other else LABELS[int(seizure > other)].lower()


def _check_folds(folds):
    """Hold the folds against what the narrative says of them: no recording tested twice, or on its own threshold."""
    seen = set()
    for fold in folds:
        held_out, inner = set(fold["held_out"]), set(fold["inner"])
        if not inner:
            raise FactError(f"fold {fold['fold']}: there is no inner recording to choose its threshold on")
        if strange := [name for name in fold["networks"] if str(fold["fold"]) not in name.split("-")]:
            raise FactError(f"fold {fold['fold']}: {strange} trained on what it holds out, as the names say")
        for names, fault in ((seen, "in another fold too"), (inner, "inner too")):
            if both := held_out & names:
                raise FactError(f"fold {fold['fold']}: {sorted(both)} held out and {fault}")
        seen |= held_out


def _sample(sample):
    """Return a sample's facts: numbers printed, and what follows from them."""
    p, threshold, pred = sample["p_seizure"], sample["threshold"], sample["pred"]
    if (p > threshold and pred != 1) or (p < threshold and pred != 0):
        raise FactError(f"sample {sample['sample']}: predicted {pred}, but p_seizure {p} against threshold {threshold}")
    digits = 3
    # A reader compares the printed forms: they get as many digits as the comparison needs.
    while p != threshold and f"{p:.{digits}f}" == f"{threshold:.{digits}f}" and digits < 12:
        digits += 1
    delta = sample["convergence_delta"]
    return {
        "sample": sample["sample"],
        "recording": sample["recording"],
        "start_s": plain(sample["start_s"]),
        "end_s": plain(sample["end_s"]),
        "true": sample["true"],
        "pred": pred,
        "correct": sample["true"] == pred,
        "p_seizure": f"{p:.{digits}f}",
        "threshold": f"{threshold:.{digits}f}",
        "side": "above" if p > threshold else "below" if p < threshold else "at",
        "bands": {method: sample["strongest_band"][method] for method in METHODS},
        "delta": None if delta is None else abs(delta),
        "files": sample["files"],
    }


def _tally(samples):
    """Count how often each band is the strongest, over the frames of `samples`."""
    counts = {}
    for method in METHODS:
        named = [band for sample in samples for band in sample["bands"][method] if band]
        counts[method] = {band: named.count(band) for band in sorted(set(named))}
    return {
        "samples": [sample["sample"] for sample in samples],
        "frames": len(STEPS) * len(samples),
        "counts": counts,
    }


def _agreement(samples):
    """Count, for each pair of methods, the frames where both name a band and where it is the same one."""
    rows, methods = [], list(METHODS)
    for at, first in enumerate(methods):
        for second in methods[at + 1 :]:
            pairs = [
                (a, b) for s in samples for a, b in zip(s["bands"][first], s["bands"][second], strict=True) if a and b
            ]
            rows.append({"methods": [first, second], "same": sum(a == b for a, b in pairs), "of": len(pairs)})
    return rows


def _changes(samples, method):
    """Tell the samples whose strongest band changes over t0–t2 from those where it stays; a zero map tells nothing."""
    parts = {"changes": [], "stays": [], "unknown": []}
    for sample in samples:
        bands = sample["bands"][method]
        kind = "unknown" if None in bands else "stays" if len(set(bands)) == 1 else "changes"
        parts[kind].append(sample["sample"])
    return parts


def _largest_delta(samples):
    """Return IG's largest convergence delta in size, over the samples, and the first sample that has it."""
    known = [(sample["delta"], sample["sample"]) for sample in samples if sample["delta"] is not None]
    if not known:
        return None
    value, sample = max(known, key=lambda pair: pair[0])
    return {"value": value, "printed": f"{value:.4f}" if value >= 0.0001 else "below 0.0001", "sample": sample}


def _grade(samples):
    """Grade a result by a fixed rule, so that no evaluative word is free."""
    limits = ", ".join(f"{word} from {limit:.2f}" for word, limit in GRADES)
    rule = f"sensitivity and specificity both count, and the lower decides: {limits}, weak below"
    lower = [samples[name] for name in ("sensitivity", "specificity")]
    if None in lower:
        return {"word": None, "rule": rule}
    return {"word": next((word for word, limit in GRADES if min(lower) >= limit), "weak"), "rule": rule}
