"""Tables: scores as the report prints them, each with its interval, or why it has none."""

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
# Scores with intervals: where each stands in metrics.json, its label and format.
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


def print_scores(values, reasons, forms=None):
    """Return scores as printed, by key of `forms` (default: `SCORES` and `AREAS`); an undefined one says why.

    >>> print_scores({"f1": None}, {"f1": "no seizure sample"}, {"f1": ("F1", "{:.4f}")})
    {'f1': 'undefined (no seizure sample)'}
    """
    return {
        key: _undefined(reasons.get(key)) if values[key] is None else form.format(values[key])
        for key, (_, form) in (forms or SCORES | AREAS).items()
    }


def reference_study(patient):
    """Return the reference study's scores as printed if they are `patient`'s, else None."""
    return print_scores(REFERENCE, {}, SCORES) if patient == REFERENCE_PATIENT else None


def intervals(scores):
    """Return (label, value, interval) as printed for each score of `INTERVALS`, from ``intervals`` of metrics.json."""
    rows = []
    for (kind, name), (label, form) in INTERVALS.items():
        score = scores[kind][name]
        value, low, high = (_print(score[key], form) for key in ("value", "low", "high"))
        rows.append((label, value, f"none: {score['reason']}" if score["reason"] else f"{low} to {high}"))
    return rows


def with_interval(score, form="{:.3f}"):
    """Return a score with its interval in one cell, without where it has none; "–" for what was not measured.

    >>> with_interval({"value": 0.81, "low": 0.7, "high": 0.9, "reason": None})
    '0.810 (0.700 to 0.900)'
    >>> with_interval({"value": -0.1, "low": None, "high": None}), with_interval(None)
    ('−0.100', '–')
    """
    if score is None:
        return "–"
    if score["value"] is None:
        return _undefined(score["reason"])
    value, low, high = (_print(score[key], form) for key in ("value", "low", "high"))
    return value if score["low"] is None else f"{value} ({low} to {high})"


def inner_blocks(folds):
    """Return, for each fold, the numbers of the folds whose held-out recordings are its inner ones."""
    return [[other["fold"] for other in folds if set(other["held_out"]) <= set(fold["inner"])] for fold in folds]


def _print(value, form):
    return "undefined" if value is None else form.format(value).replace("-", "−")


def _undefined(reason):
    return f"undefined ({reason})" if reason else "undefined"
