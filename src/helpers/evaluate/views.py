"""Views: scores and curves as small tables that `dvc metrics` and `dvc plots` show, and compare between runs.

Their templates, as ``dvc.yaml`` names them, are in ``.dvc/plots/``.
"""

import numpy as np
import pandas as pd
from sklearn import metrics

from helpers.evaluate import calibration, intervals

POINTS = 1000  # rows of a curve's table at most: a page holds all points of all runs compared
COLUMNS = ("log_odds", "log_odds_smooth")
# The scores between 0 and 1 that are shown with their intervals: part of the intervals, name there and label.
SAMPLES = {"accuracy": "accuracy", "sensitivity": "sensitivity", "specificity": "specificity", "f1": "F1"}
SCORES = {
    "samples": SAMPLES | {"weighted_f1": "weighted F1"}, "ranking": {"auroc": "AUROC", "auprc": "AUPRC"},
    "events": {"f1": "event F1"}, "seizures": {"found": "seizures found"},
}  # fmt: skip


def scores(intervals):
    """Return ``score``, ``value``, ``low``, ``high`` of `SCORES`; an undefined score has no row."""
    rows = [{"score": label} | intervals[kind][name] for kind, part in SCORES.items() for name, label in part.items()]
    return pd.DataFrame(rows)[["score", "value", "low", "high"]].dropna(subset="value")


def roc(predictions):
    """Return the ROC curve of each of `COLUMNS`, and of chance: ``false_positive_rate``, ``sensitivity``, ``line``."""
    curves = {name: metrics.roc_curve(predictions["label"], predictions[name])[:2] for name in COLUMNS}
    lines = {name: _thin(np.column_stack(curve), POINTS // 3) for name, curve in curves.items()}
    return _stack(lines | {"chance": [[0.0, 0.0], [1.0, 1.0]]}, ["false_positive_rate", "sensitivity"])


def precision_recall(predictions):
    """Return the precision–recall curve of each of `COLUMNS`, and of chance: ``recall``, ``precision``, ``line``.

    Each step is two points, since precision is not linear in between.
    """
    label, lines = predictions["label"], {}
    for name in COLUMNS:
        precision, recall, _ = metrics.precision_recall_curve(label, predictions[name], drop_intermediate=True)
        points = np.repeat(_thin(np.column_stack([recall, precision]), POINTS // 6), 2, axis=0)
        lines[name] = np.column_stack([points[1:, 0], points[:-1, 1]])
    return _stack(lines | {"chance": [[0.0, label.mean()], [1.0, label.mean()]]}, ["recall", "precision"])


def reliability(predictions):
    """Return `calibration.reliability` with the exact interval of each share: ``low`` and ``high``."""
    table = calibration.reliability(predictions["label"], predictions["p_seizure"])
    shares = zip(table["seizure_share"], table["count"], strict=True)
    bounds = [intervals.exact_share(round(share * count), count) for share, count in shares]
    return table.assign(**{key: [bound[key] for bound in bounds] for key in ("low", "high")})


def confusion(tp, fn, fp, tn):
    """Return ``true``, ``decided``, ``samples`` and their ``share`` of the true class, four rows."""
    classes = ["seizure", "non-seizure"]
    table = pd.MultiIndex.from_product([classes, classes], names=["true", "decided"]).to_frame(index=False)
    table["samples"] = [tp, fn, fp, tn]
    return table.assign(share=table["samples"] / table.groupby("true")["samples"].transform("sum").clip(lower=1))


def learning(curves, folds):
    """Return the loss by epoch of each fold's networks: ``fold``, ``epoch``, ``loss`` (nats) and ``line``.

    ``line`` is ``training`` or ``inner recordings``, either the mean; arguments as for `figures.learning_curves`.
    """
    parts, most = [], POINTS // (2 * len(folds))
    for fold in folds:
        own = curves[curves["network"].isin(fold["networks"])]
        inner = own[own["recording"].isin(fold["inner"])]
        means = {"training": own.groupby("epoch")["train_loss"], "inner recordings": inner.groupby("epoch")["loss"]}
        lines = {line: _thin(loss.mean().reset_index().to_numpy(), most) for line, loss in means.items()}
        parts.append(_stack(lines, ["epoch", "loss"]).assign(fold=fold["fold"]))
    return pd.concat(parts, ignore_index=True)[["fold", "epoch", "loss", "line"]]


def _stack(lines, columns):
    """Return the points of named lines, [point, 2] each, as one table."""
    parts = [pd.DataFrame(points, columns=columns).assign(line=name) for name, points in lines.items()]
    return pd.concat(parts, ignore_index=True)


def _thin(points, most):
    """Return at most `most` of [point, coordinate], at equal steps, the first and the last among them."""
    return points[np.linspace(0, len(points) - 1, min(most, len(points))).round().astype(int)]
