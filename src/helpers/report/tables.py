"""Tables: scores as the report prints them, each with its interval, or why it has none."""

from statistics import median

from helpers.evaluate.comparison import METHODS

# The reference study's six metrics for patient chb08: literature values, of one random split. Source: its report,
# "EEG Spectrogram Model – XAI & Multimodal Report (chb08)", section Metrics. They solve to the counts below.
REFERENCE_PATIENT = "chb08"
REFERENCE = {
    "accuracy": 0.9680,
    "sensitivity": 0.9468,
    "specificity": 0.9786,
    "f1": 0.9519,
    "weighted_f1": 0.9679,
    "threshold": 0.37,
}
REFERENCE_COUNTS = {"n": 281, "tp": 89, "fn": 5, "fp": 4, "tn": 183}
# The reference's six metrics, in its order, with its labels and formats.
SCORES = {
    "accuracy": ("Accuracy", "{:.2%}"),
    "sensitivity": ("Sensitivity", "{:.2%}"),
    "specificity": ("Specificity", "{:.2%}"),
    "f1": ("F1", "{:.4f}"),
    "weighted_f1": ("Weighted F1", "{:.4f}"),
    "threshold": ("Best threshold", "{:.2f}"),
}
AREAS = {"auprc": ("AUPRC", "{:.4f}"), "auprc_smoothed": ("AUPRC, smoothed", "{:.4f}")}
EVENTS = {
    "seizures": ("Seizures", "{}"),
    "detected": ("Detected", "{}"),
    "false_alarms": ("False alarms", "{}"),
    "sensitivity": ("Sensitivity", "{:.2%}"),
    "precision": ("Precision", "{:.2%}"),
    "f1": ("F1", "{:.4f}"),
    "fp_per_24h": ("False positives per 24 h", "{:.1f}"),
}
# Scores with intervals: where in metrics.json, label, format.
INTERVALS = {
    ("samples", "sensitivity"): ("Sensitivity, samples", "{:.1%}"),
    ("samples", "specificity"): ("Specificity, samples", "{:.1%}"),
    ("samples", "balanced_accuracy"): ("Balanced accuracy, samples", "{:.1%}"),
    ("samples", "f1"): ("F1, samples", "{:.3f}"),
    ("ranking", "auroc"): ("AUROC", "{:.3f}"),
    ("smoothed", "auroc"): ("AUROC, smoothed", "{:.3f}"),
    ("ranking", "auprc"): ("AUPRC", "{:.3f}"),
    ("smoothed", "auprc"): ("AUPRC, smoothed", "{:.3f}"),
    ("calibration", "brier"): ("Brier score", "{:.3f}"),
    ("uncalibrated", "brier"): ("Brier score without temperature", "{:.3f}"),
    ("calibration", "ece"): ("Expected calibration error (ECE)", "{:.3f}"),
    ("uncalibrated", "ece"): ("ECE without temperature", "{:.3f}"),
    ("events", "sensitivity"): ("Sensitivity, events", "{:.1%}"),
    ("events", "precision"): ("Precision, events", "{:.1%}"),
    ("events", "f1"): ("F1, events", "{:.3f}"),
    ("events", "fp_per_24h"): ("False positives per 24 h", "{:.1f}"),
    ("seizures", "found"): ("Seizures found (Wilson)", "{:.1%}"),
    ("seizures", "median_latency_s"): ("Median latency (s)", "{:.1f}"),
}
# Why an event score can be undefined: there is nothing to divide by.
NO_EVENTS = {
    "sensitivity": "there is no seizure",
    "precision": "no alarm was raised",
    "f1": "there is no seizure, and no alarm was raised",
    "fp_per_24h": "there is no recording",
}
NOT_PATIENTS = ("about", "machine")  # what baselines.json holds beside its patients


def shown(values, forms, undefined):
    """Return each value as the report prints it, by key; one that is None says that it is undefined, and why.

    >>> shown({"f1": None}, {"f1": ("F1", "{:.4f}")}, {"f1": "no seizure sample"})
    {'f1': 'undefined (no seizure sample)'}
    """
    return {
        key: form.format(values[key]) if values[key] is not None else _undefined(undefined.get(key))
        for key, (_, form) in forms.items()
    }


def intervals(found):
    """Return (label, value, interval) as printed for each score of `INTERVALS`; `found` is ``metrics.json``'s."""
    rows = []
    for (kind, name), (label, form) in INTERVALS.items():
        score = found[kind][name]
        value, low, high = (
            "undefined" if score[key] is None else _signed(score[key], form) for key in ("value", "low", "high")
        )
        rows.append((label, value, f"none: {score['reason']}" if score["reason"] else f"{low} to {high}"))
    return rows


def spanned(score, form="{:.3f}"):
    """Return a score with its interval in one cell; a mean of runs is a score, and one that was not measured a dash.

    >>> spanned({"value": 0.81, "low": 0.7, "high": 0.9, "reason": None})
    '0.810 (0.700 to 0.900)'
    >>> spanned({"mean": -0.1, "low": None, "high": None}), spanned(None)
    ('−0.100', '–')
    """
    if score is None:
        return "–"
    value = score.get("value", score.get("mean"))
    if value is None:
        return _undefined(score.get("reason"))
    if score.get("low") is None or score.get("high") is None:
        return _signed(value, form)
    return f"{_signed(value, form)} ({_signed(score['low'], form)} to {_signed(score['high'], form)})"


def spread(values, places=1):
    """Return the median of values with their range, as printed, in one piece.

    >>> spread([3, 1, 2])
    '2.0\xa0(1.0\xa0to\xa03.0)'
    """
    ordered = sorted(values)
    return f"{median(values):.{places}f}\xa0({ordered[0]:.{places}f}\xa0to\xa0{ordered[-1]:.{places}f})"


def baselines(found):
    """Return the rows of ``output/benchmark/baselines.json`` as a list of dicts of printed cells.

    ``patient``, ``name``, ``why`` (it has no scores: what the entry says, else None), ``n``, ``weights``, the scores,
    ``ahead_auprc`` and ``ahead_event_f1`` (ours minus it, over the same seeds), ``cpu_s`` (a network), ``fold_cpu_s``,
    ``memory_mb``, ``date``, ``commit``. Methods come in the order of `METHODS`, unknown ones last.
    """
    rows = []
    for patient, entries in found.items():
        if patient in NOT_PATIENTS:
            continue
        order = [name for name in METHODS if name in entries]
        for method in [*order, *sorted(set(entries) - set(order))]:
            rows.append({"patient": patient, "name": METHODS.get(method, method), **_baseline(entries[method])})
    return rows


def _baseline(entry):
    why = next((f"{key}: {entry[key]}" for key in ("skipped", "failed") if key in entry), None)
    runs = entry.get("n", (entry.get("auprc") or {}).get("n", len(entry.get("runs") or ())))
    scores = {name: spanned(entry.get(name)) for name in ("auprc", "auprc_smoothed", "event_f1", "auroc", "sample_f1")}
    scores |= {name: spanned(entry.get(name), "{:+.3f}") for name in ("ahead_auprc", "ahead_event_f1")}
    costs = {
        "cpu_s": spanned(entry.get("train_cpu_s_per_network"), "{:.1f}"),
        "fold_cpu_s": spanned(entry.get("train_cpu_s_per_fold"), "{:.1f}"),
        "memory_mb": spanned(entry.get("peak_memory_mb"), "{:.0f}"),
    }
    origin = {key: entry.get(key, "–") for key in ("date", "commit", "weights")}
    return {"why": why, "n": runs, **scores, **costs, **origin}


def inner_blocks(folds):
    """Return, for each fold, the numbers of the folds whose held-out recordings are its inner ones."""
    return [[other["fold"] for other in folds if set(other["held_out"]) <= set(fold["inner"])] for fold in folds]


def _signed(value, form):
    return form.format(value).replace("-", "−")


def _undefined(reason):
    return f"undefined ({reason})" if reason else "undefined"
