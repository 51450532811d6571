"""The facts of a study: the one source of what its narrative may say."""

import csv

from helpers.narrate import consistency
from helpers.narrate.measures import BASELINES, DECISIONS, METHODS, METRICS, measures, number, plain
from helpers.study import files

STEPS = ("t0", "t1", "t2")
LABELS = {0: "Non-Seizure", 1: "Seizure"}
GRADES = (("strong", 0.9), ("moderate", 0.7))  # the least sensitivity and specificity; below the last: weak
# Where each of the results comes from: a stage and its file.
SOURCES = {
    "recordings": ("acquire", "recordings.csv"),
    "metrics": ("evaluate", "metrics.json"),
    "comparison": ("evaluate", "comparison.json"),
    "audit": ("evaluate", "audit.json"),
    "decisions": ("evaluate", "decisions.csv"),
    "latencies": ("evaluate", "latencies.csv"),
    "digest": ("explain", "digest.json"),
    "sanity": ("explain", "sanity.json"),
    "profiles": ("explain", "profiles.csv"),
}
WORDS = {"recording", "decision", "method", "step", "band", "file", "montage", "sha256", "start"}  # columns of text
# What may be said, and what never: a model is told so, and the checker holds to it.
RULES = {
    "numbers": "a number is said in its printed form, of the thing that it belongs to",
    "comparisons": "of two numbers one is higher only if its printed form is; a difference is sure only if its whole "
    "interval lies on one side of zero",
    "words": "an evaluative word stands only where a printed rule gives it",
    "methods": "what one method finds is never said of another",
    "bands": "a strongest band is said of its own sample, step and method",
    "medicine": "no cause, no physiology, no diagnosis and no advice is read into a result",
}


def read(patient):
    """Return what the stages left of a patient: each of `SOURCES` by its name.

    Raises
    ------
    FileNotFoundError
        If one is missing; the message names the file, the stage and the command that makes it.
    """
    return {name: _read(files.stage_output(patient, *place)) for name, place in SOURCES.items()}


def _read(path):
    if path.suffix == ".json":
        return files.read_json(path)
    with open(path, encoding="utf-8", newline="") as table:
        return [{key: _cell(key, text) for key, text in row.items()} for row in csv.DictReader(table)]


def _cell(key, text):
    return text if key in WORDS or text == "" else float(text)


def build(results):
    """Return everything that the narrative of a patient may say.

    Parameters
    ----------
    results : dict
        As `read` gives them.

    Returns
    -------
    dict
        ``values`` (every number, see `measures.measure`), ``undefined`` (key → reason), ``labels``, ``bands``,
        ``steps``, ``methods``, ``rules`` of what may be said; ``samples`` and ``errors`` (the clearest ones), each
        sample with its bands and channels, and ``rule``, by which samples were chosen; ``groups`` (a tally of strongest
        bands for each predicted class), ``agreement`` (pairs of methods), ``changes`` (over t0–t2), ``overall``
        (bands over all samples decided rightly), ``tests`` of the explanations (rule → verdict by method) and how many
        each method ``passed`` of those it was put to,
        ``baselines``, ``missed_seizures``, ``grade``, and ``more_frequent`` (the class of more samples, None if both
        have as many).

    Raises
    ------
    consistency.FactError
        If the results contradict each other.
    """
    consistency.check(results)
    metrics, digest, sanity = (results[name] for name in ("metrics", "digest", "sanity"))
    patient, samples = metrics["patient"], [_sample(sample) for sample in digest["samples"]]
    sources = {name: f"output/{patient}/{stage}/{file}" for name, (stage, file) in SOURCES.items()}
    values = measures(results, sources)
    return {
        "patient": patient,
        "simulated": metrics["source"] == "simulate",
        "sources": sources,
        "rules": RULES,
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
        "baselines": {key: name for key, name in BASELINES.items() if values[f"baselines.{key}.auprc"]["printed"]},
        "rule": digest["rule"],
        "samples": samples,
        "errors": [_sample(sample) for sample in digest["errors"]],
        "groups": {str(label): _tally([s for s in samples if s["pred"] == label]) for label in (1, 0)},
        "agreement": _agreement(samples),
        "changes": {method: _changes(samples, method) for method in METHODS},
        "overall": {key: _overall(results["profiles"], decision) for key, decision in DECISIONS.items()},
        "tests": {
            rule: {"asks": text, "verdicts": {method: sanity["verdicts"][method][rule] for method in METHODS}}
            for rule, text in sanity["rules"].items()
        },
        "passed": {method: _passed(sanity["verdicts"][method]) for method in METHODS},
        "missed_seizures": _missed(results["latencies"]),
        "grade": _grade(values),
    }


def sides(interval):
    """Return on which side of zero an interval lies, by its printed ends: above, below, or around (it holds zero)."""
    low, high = number(interval["low"]), number(interval["high"])
    return "above" if low > 0 else "below" if high < 0 else "around"


def lookup(facts, key):
    """Return what a key stands for, as a reader is shown it.

    Returns
    -------
    dict
        ``says`` (the fact in a few words), ``file`` that it comes from and ``place`` in it.
    """
    if key in facts["values"]:
        known = facts["values"][key]
        ends = f" ({known['interval']['low']} to {known['interval']['high']})" if known["interval"] else ""
        return {"says": f"{known['printed'] or 'undefined'}{ends}", "file": known["file"], "place": known["place"]}
    found, names = facts, key.split(".")
    if names[0] in ("samples", "errors") and len(names) > 1:
        found = {names[0]: {str(sample["sample"]): sample for sample in facts[names[0]]}}
    for name in names:
        found = found[name]
    source = {
        "tests": "sanity",
        "passed": "sanity",
        "overall": "profiles",
        "missed_seizures": "latencies",
        "grade": "metrics",
    }
    source |= {"patient": "metrics", "simulated": "metrics", "more_frequent": "metrics", "undefined": "metrics"}
    source |= {"baselines": "comparison"}
    return {"says": _said(found), "file": facts["sources"][source.get(names[0], "digest")], "place": key}


def _said(found):
    if isinstance(found, dict):
        return "; ".join(f"{key}: {_said(value)}" for key, value in found.items()) or "none"
    if isinstance(found, (list, tuple)):
        return ", ".join(map(_said, found)) or "none"
    return {"None": "none", "True": "yes", "False": "no"}.get(str(found), str(found))


def _more_frequent(samples):
    """Return the class of more samples, as a reader calls it, or None if both have as many."""
    seizure, other = samples["seizure"], samples["n"] - samples["seizure"]
    return None if seizure == other else LABELS[int(seizure > other)].lower()


def _sample(sample):
    """Return a sample's facts: numbers printed, and what follows from them."""
    p, threshold, digits = sample["p_seizure"], sample["threshold"], 3
    # A reader compares the printed forms: they get as many digits as the comparison needs.
    while p != threshold and f"{p:.{digits}f}" == f"{threshold:.{digits}f}" and digits < 12:
        digits += 1
    return {
        "sample": sample["sample"],
        "recording": sample["recording"],
        "start_s": plain(sample["start_s"]),
        "end_s": plain(sample["end_s"]),
        "true": sample["true"],
        "pred": sample["pred"],
        "correct": sample["true"] == sample["pred"],
        "p_seizure": f"{p:.{digits}f}",
        "threshold": f"{threshold:.{digits}f}",
        "side": "above" if p > threshold else "below" if p < threshold else "at",
        "bands": {method: sample["strongest_band"][method] for method in METHODS},
        "channels": {"ig": sample["strongest_channel"]["ig"]},
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


def _overall(profiles, decision):
    """Return the band in which each method's mean relevance is highest, and of IG which bands speak for seizure.

    Means are over steps and over all samples of a decision. IG is signed toward seizure; its highest band is the one
    that speaks most for the decision. None where there is no such sample or no relevance for the decision.
    """
    sums, counts = {}, {}
    for row in profiles:
        if row["decision"] == decision and row["relevance"] != "":
            key = row["method"], row["band"]
            sums[key], counts[key] = sums.get(key, 0.0) + row["relevance"], counts.get(key, 0) + 1
    means = {method: {band: sums[m, band] / counts[m, band] for m, band in sums if m == method} for method in METHODS}
    sign = -1 if decision == DECISIONS["left"] else 1
    highest = {}
    for method, found in means.items():
        toward = {band: value * (sign if method == "ig" else 1) for band, value in found.items()}
        band = max(toward, key=toward.get, default=None)
        highest[method] = band if band and toward[band] > 0 else None
    speaks = {"for": [band for band, value in means["ig"].items() if value > 0]}
    return {"highest": highest, "ig": speaks | {"against": [band for band, value in means["ig"].items() if value < 0]}}


def _passed(verdicts):
    """Return how many tests a method passed, and how many it was put to."""
    taken = [verdict for verdict in verdicts.values() if verdict is not None]
    return [sum(taken), len(taken)]


def _missed(latencies):
    return [
        {"recording": row["recording"], "start_s": plain(row["start_s"]), "end_s": plain(row["end_s"])}
        for row in latencies
        if not row["detected"]
    ]


def _grade(values):
    """Grade a result by a fixed rule, so that no evaluative word is free; a reader compares the printed forms."""
    limits = ", ".join(f"{word} from {limit:.2f}" for word, limit in GRADES)
    rule = f"sensitivity and specificity both count, and the lower decides: {limits}, weak below"
    both = [values[name]["printed"] for name in ("sensitivity", "specificity")]
    if None in both:
        return {"word": None, "rule": rule}
    lower = min(map(number, both))
    return {"word": next((word for word, limit in GRADES if lower >= limit), "weak"), "rule": rule}
