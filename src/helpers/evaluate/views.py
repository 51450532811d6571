"""Views: scores and curves as small tables that `dvc metrics` and `dvc plots` show, and compare between runs.

Their templates, as `dvc.yaml` names them, are in ``.dvc/plots/``. The figures of the study come from `score_figures`.
"""

import numpy as np
import pandas as pd

from helpers.evaluate import calibration, intervals, ranking

POINTS = 1000  # rows of a curve's table at most: a page holds all points of all runs compared
# The scores between 0 and 1 that are shown with their intervals: part of `sure`, name there, what a reader calls it.
SHOWN = (
    ("samples", "accuracy", "accuracy"),
    ("samples", "sensitivity", "sensitivity"),
    ("samples", "specificity", "specificity"),
    ("samples", "f1", "F1"),
    ("samples", "weighted_f1", "weighted F1"),
    ("ranking", "auroc", "AUROC"),
    ("ranking", "auprc", "AUPRC"),
    ("events", "f1", "event F1"),
    ("seizures", "found", "seizures found"),
)


def headline(samples, events, sure):
    """Return the scores that are read first, flat, as `dvc metrics` and `dvc exp show` make columns of names.

    Parameters
    ----------
    samples, events : dict
        From `scores.sample_scores` (with ``threshold``) and `scores.event_scores`.
    sure : dict
        The intervals, as ``metrics.json`` has them.

    Returns
    -------
    dict
        Each of these stands in ``metrics.json`` as well. An undefined one is None, which DVC shows as a dash.
    """
    f1, ranked = sure["samples"]["f1"], sure["ranking"]
    return {
        **{name: samples[name] for name in ("accuracy", "sensitivity", "specificity")},
        **{"f1": samples["f1"], "f1_low": f1["low"], "f1_high": f1["high"], "weighted_f1": samples["weighted_f1"]},
        **{"threshold": samples["threshold"], "auroc": ranked["auroc"]["value"], "auprc": ranked["auprc"]["value"]},
        **{"seizures_found": events["detected"], "fp_per_24h": events["fp_per_24h"]},
    }


def tables(predictions, sure, counts, curves, folds):
    """Return every table for `dvc plots`, by the name of its file.

    Parameters
    ----------
    predictions : pandas.DataFrame
        ``recording``, ``label``, ``p_seizure``, ``p_smooth``.
    sure : dict
        The intervals, as ``metrics.json`` has them.
    counts : tuple of int
        From `scores.confusion`.
    curves : pandas.DataFrame
        ``network``, ``epoch``, ``train_loss``, ``recording``, ``loss``, from ``curves.csv``.
    folds : list of dict
        ``fold``, ``networks``, ``inner``, from ``training.json``.
    """
    return {
        "scores": scores(sure),
        "roc": roc(predictions),
        "precision_recall": precision_recall(predictions),
        "reliability": reliability(predictions),
        "confusion": confusion(*counts),
        "learning": learning(curves, folds),
    }


def scores(sure):
    """Return ``score``, ``value``, ``low``, ``high`` of `SHOWN`; an undefined score has no row."""
    rows = [{"score": label} | sure[part][name] for part, name, label in SHOWN if sure[part][name]["value"] is not None]
    return pd.DataFrame(rows, columns=["score", "value", "low", "high"])


def roc(predictions):
    """Return the ROC curve of either probability and of chance: ``false_positive_rate``, ``sensitivity``, ``line``."""
    lines, label = {}, predictions["label"]
    if not ranking.undefined(label):
        lines = {name: ranking.roc(label, predictions[name])[:2] for name in ("p_seizure", "p_smooth")}
    return _stacked(lines | {"chance": ([0.0, 1.0], [0.0, 1.0])}, ["false_positive_rate", "sensitivity"])


def precision_recall(predictions):
    """Return the precision–recall curve of either probability and of chance: ``recall``, ``precision``, ``line``.

    Each step is two points, since precision is not linear in between (see `ranking.curves`).
    """
    lines, label = {}, predictions["label"]
    if not ranking.undefined(label):
        for name in ("p_seizure", "p_smooth"):
            precision, recall, _ = ranking.precision_recall(label, predictions[name], drop_intermediate=True)
            points = _thinned(
                np.column_stack([recall, precision]), POINTS // 6
            )  # a step is two, a third is each line's
            lines[name] = np.repeat(points[:, 0], 2)[1:], np.repeat(points[:, 1], 2)[:-1]
    return _stacked(lines | {"chance": ([0.0, 1.0], [label.mean()] * 2)}, ["recall", "precision"])


def reliability(predictions):
    """Return `calibration.reliability` with Wilson's interval of each share: ``low`` and ``high``."""
    table = calibration.reliability(predictions["label"], predictions["p_seizure"])
    shares = zip(table["seizure_share"], table["count"], strict=True)
    bounds = [intervals.wilson(round(share * count), count) for share, count in shares]
    return table.assign(**{key: [bound[key] for bound in bounds] for key in ("low", "high")})


def confusion(tp, fn, fp, tn):
    """Return ``true``, ``decided``, ``samples`` and their ``share`` of the true class, four rows."""
    rows = [(true, made, n) for true, pair in (("seizure", (tp, fn)), ("non-seizure", (fp, tn)))
            for made, n in zip(("seizure", "non-seizure"), pair, strict=True)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["true", "decided", "samples"])
    return table.assign(share=table["samples"] / table.groupby("true")["samples"].transform("sum").clip(lower=1))


def learning(curves, folds):
    """Return the loss by epoch of each fold's networks: ``fold``, ``epoch``, ``loss`` (nats) and ``line``.

    ``line`` is ``training`` or ``inner recordings``, either the mean, as `score_figures.learning_curves` draws it.
    """
    parts = []
    for fold in folds:
        own = curves[curves["network"].isin(fold["networks"])]
        inner = own[own["recording"].isin(fold["inner"])]
        for line, table, column in (("training", own, "train_loss"), ("inner recordings", inner, "loss")):
            mean = table.groupby("epoch")[column].mean().rename("loss").reset_index()
            epochs = _thinned(mean.to_numpy(), POINTS // (2 * len(folds)))
            parts.append(pd.DataFrame(epochs, columns=["epoch", "loss"]).assign(line=line, fold=fold["fold"]))
    return pd.concat(parts, ignore_index=True)[["fold", "epoch", "loss", "line"]]


def _stacked(lines, columns):
    """Return the points of named lines, a pair of [point] each, as one table of `POINTS` rows at most."""
    parts = [
        pd.DataFrame(_thinned(np.column_stack(pair), POINTS // len(lines)), columns=columns).assign(line=name)
        for name, pair in lines.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _thinned(points, most):
    """Return at most `most` of [point, coordinate], at equal steps, the first and the last among them."""
    return points[np.linspace(0, len(points) - 1, min(most, len(points))).round().astype(int)]
