"""Figures of the evaluation: a function a figure; each returns it and saves nothing. Readable in grey."""

import numpy as np
import seaborn
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from sklearn import metrics

from helpers.acquire.montages import DOUBLE_BANANA
from helpers.evaluate import comparison, scores, views
from helpers.figures import DECISION, SEIZURE, WIDTH, begin, draw_means, draw_traces, letter

ROWS = 12  # recordings on a page
COLUMNS = 3  # folds in a row of panels
LONG_S = 900.0  # from here on, time is given in minutes
RARE = 0.05  # below this threshold the axis is one of log-odds
FLOOR = 1e-4  # on an axis of log-odds, what is nearer than this to 0 or 1 is drawn there
TICKS = {0.001: "0.001", 0.1: "0.1", 0.99: "0.99"}
AROUND_S = 120.0  # of probabilities, before and after the raw EEG of a mistake
GREY, PALE, DARK = "#999999", "#777777", "#555555"
# The edges keep in sight what is narrower than a dot of the picture. Opaque, as an SVG's hatch is as faint as its face.
ANNOTATED = {"fc": "#f7dcc9", "ec": SEIZURE, "hatch": "////", "lw": 0.6}
THRESHOLD = {"color": DARK, "linestyle": "--", "linewidth": 0.9}
KEYS = (
    Patch(**ANNOTATED, label="annotated seizure"),
    Patch(fc=DECISION, label="alarm"),
    Line2D([], [], **THRESHOLD, label="threshold for an alarm"),
    Line2D([], [], color=PALE, linewidth=0.8, label="p_seizure of each sample"),
    Line2D([], [], color="black", linewidth=1.2, label="p_smooth: of log-odds averaged over five frames"),
)


def pages(names):
    """Return recordings in pages of at most `ROWS`, of nearly the same length: lists of names in order."""
    return [part.tolist() for part in np.array_split(np.array(names, str), -(-len(names) // ROWS))] if names else []


def overview(names, seizures, events):
    """Return, in order, as many recordings as a page holds: those with a seizure first, then those with an event."""
    seizures, events = set(seizures["recording"]), set(events["recording"])
    ranked = sorted(names, key=lambda name: (name not in seizures, name not in events))[:ROWS]
    return [name for name in names if name in ranked]


def probability(decisions, annotations):
    """Show p(seizure) over time for the recordings of `annotations`, one panel each, with seizures and alarms.

    `decisions` is from `decisions.decide`, here and below.
    """
    durations_s = annotations.durations_s
    longest = max(durations_s.values())
    unit, name_of_unit = (60, "min") if longest > LONG_S else (1, "s")
    height = 1.1 + 0.7 * len(durations_s)
    figure, axes = begin(WIDTH, height, len(durations_s), 1, sharex=True, sharey=True, squeeze=False)
    for axis, (name, duration_s) in zip(axes[:, 0], durations_s.items(), strict=True):
        draw_course(axis, decisions, annotations.spans(name), name, unit)
        axis.axvspan(duration_s / unit, longest / unit, color="#e8e8e8", lw=0)
        axis.set_xlim(0, longest / unit)
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
    axes[-1, 0].set_xlabel(f"time in the recording ({name_of_unit})")
    return _finish(figure, KEYS)


def draw_course(axis, decisions, spans, name, unit):
    """Draw a recording's probabilities over time in units of `unit` seconds; `spans` are its seizures, in s."""
    part = decisions[decisions["recording"] == name].sort_values("end_s")
    for start_s, end_s in spans:
        axis.axvspan(start_s / unit, end_s / unit, **ANNOTATED)
    edges = np.array([*part["last_start_s"], part["end_s"].iloc[-1]]) / unit
    for column, colour, width in (("p_seizure", PALE, 0.8), ("p_smooth", "black", 1.2)):
        axis.stairs(part[column].clip(FLOOR, 1 - FLOOR), edges, color=colour, linewidth=width, baseline=None)
    axis.axhline(part["alarm_threshold"].iloc[0], **THRESHOLD)
    if decisions["alarm_threshold"].min() < RARE:
        axis.set(yscale="logit", ylim=(FLOOR, 1 - 1e-6))
        axis.set_yticks(list(TICKS), TICKS.values())
        axis.set_yticks([], minor=True)
    else:
        axis.set(ylim=(0, 1.25), yticks=[0, 0.5, 1])
    _draw_alarms(axis, part, unit, (0.84, 0.1))


def _draw_alarms(axis, part, unit, where):
    """Draw a bar for each event of one recording; `where` is its foot and height in shares of the panel's."""
    bars = [(row.start_s / unit, (row.end_s - row.start_s) / unit) for row in scores.events(part).itertuples()]
    axis.broken_barh(bars, where, color=DECISION, linewidth=0.6, transform=axis.get_xaxis_transform())


def _finish(figure, handles, place="upper"):
    """Return a figure with one legend for all panels and no upper or right spines; `handles` may be an axis's."""
    handles = handles if isinstance(handles, (tuple, list)) else handles.get_legend_handles_labels()[0]
    figure.legend(handles=handles, loc=f"outside {place} center", ncols=2, frameon=False)
    seaborn.despine(figure)
    return figure


def ranking_curves(decisions, found):
    """Show ROC and precision–recall curve, and where the decisions lie.

    `found` has ``ranking`` and ``smoothed``: `intervals.ranking_intervals` of log-odds, and of those averaged.
    """
    (figure, (left, right)), label = begin(WIDTH, 4.3, 1, 2), decisions["label"]
    if reason := scores.missing_class(label.sum(), len(label)):
        for axis in (left, right):
            axis.text(0.5, 0.5, f"undefined: {reason}", ha="center", va="center")
        return figure
    styles = (
        ("single samples", "log_odds", "ranking", DECISION, 1.2),
        ("mean of five frames", "log_odds_smooth", "smoothed", "black", 1.8),
    )
    for name, column, kind, colour, width in styles:
        options = {"color": colour, "linewidth": width}
        rates, sensitivity, _ = metrics.roc_curve(label, decisions[column])
        precision, recall, _ = metrics.precision_recall_curve(label, decisions[column])
        auroc, auprc = (f"{name}: {area.upper()} {_printed(found[kind][area])}" for area in ("auroc", "auprc"))
        left.plot(rates, sensitivity, label=auroc, **options)
        right.plot(recall, precision, label=auprc, drawstyle="steps-post", **options)
    left.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="chance")
    right.axhline(label.mean(), color=GREY, linestyle=":", label=f"chance: share of seizure, {label.mean():.1%}")
    _draw_operating_points(left, right, decisions)
    left.set(xlabel="false positive rate (1 − specificity)", ylabel="sensitivity", title="ROC")
    right.set(xlabel="recall (sensitivity)", ylabel="precision", title="Precision and recall")
    for axis in (left, right):
        axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.04), aspect="equal", anchor="N")
        axis.legend(loc="upper left", bbox_to_anchor=(-0.15, -0.17), frameon=False, fontsize=8)
    letter((left, right))
    seaborn.despine(figure)
    return figure


def _printed(score):
    span = "" if score["low"] is None else f" ({score['low']:.3f}–{score['high']:.3f})"
    return f"{score['value']:.3f}{span}"


def _draw_operating_points(left, right, decisions):
    """Mark what was decided: folds have thresholds of their own, so a point may lie beside the curve of all."""
    points = (("decided", "o", DECISION, "decisions on samples"), ("alarm", "^", "white", "alarms, sample by sample"))
    for column, marker, fill, label in points:
        tp, fn, fp, tn = scores.confusion(decisions["label"], decisions[column])
        style = {"marker": marker, "s": 64, "c": fill, "edgecolors": "black", "zorder": 5, "label": label}
        left.scatter(fp / (fp + tn), tp / (tp + fn), **style)
        if tp + fp:  # without a decision for seizure there is no precision
            right.scatter(tp / (tp + fn), tp / (tp + fp), **style)


def reliability(decisions):
    """Show how often samples of about the same probability are seizure, and how many there are of each.

    Where seizures are rare, axes are logarithmic; a triangle at the foot is a bin without any.
    """
    label, p, table = decisions["label"], decisions["p_seizure"].clip(1e-6), views.reliability(decisions)
    rare = label.mean() < RARE
    edges = np.geomspace(min(0.5, p.min()), 1, 21) if rare else np.linspace(0, 1, 21)
    bars = np.abs(table[["low", "high"]].to_numpy().T - table["seizure_share"].to_numpy())
    size = "–".join(str(count) for count in sorted({table["count"].min(), table["count"].max()}))
    figure, (top, bottom) = begin(WIDTH, 5, 2, 1, sharex=True, height_ratios=[3, 1])
    style = {"fmt": "o", "color": DECISION, "elinewidth": 1, "capsize": 3}
    top.errorbar(table["p_mean"], table["seizure_share"], bars, label=f"bins of {size} samples, 95 % (exact)", **style)
    top.plot([1e-9, 1], [1e-9, 1], color=GREY, linestyle=":", label="as often as it says")
    shading = {"color": ["#cccccc", "#e28d52"], "edgecolor": "black", "label": ["non-seizure", "seizure"]}
    bottom.hist([p[label == value] for value in (0, 1)], edges, **shading)
    bottom.set(xlabel="p_seizure", ylabel="samples", yscale="symlog")
    bottom.yaxis.set_major_formatter("{x:.0f}")
    top.set(ylabel="share of seizure", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    if rare:
        floor, none = 0.3 / table["count"].max(), table["seizure_share"] == 0
        top.plot(table["p_mean"][none], np.full(none.sum(), floor * 1.3), "v", color=DECISION)
        top.set(xscale="log", yscale="log", ylim=(floor, 1.3), xlim=(edges[0] * 0.9, 1.1))
    letter((top, bottom))
    keys = top.get_legend_handles_labels()[0] + bottom.get_legend_handles_labels()[0]
    return _finish(figure, keys, "lower")


def threshold_choice(inner, held_out, choices):
    """Show the sample F1 over the threshold, a panel a fold: on `inner` where it was chosen, and on `held_out`.

    Both have ``fold``, ``label`` and ``log_odds``.
    """
    figure, axes = _fold_panels(len(choices))
    for axis, choice in zip(axes, choices, strict=True):
        own, other = (table[table["fold"] == choice["fold"]] for table in (inner, held_out))
        chosen = scores.f1_curve(own["label"], own["log_odds"])
        axis.step(*chosen, where="pre", color=DECISION, linewidth=1.8, label="inner recordings: chosen by this")
        if other["label"].any():
            unseen = scores.f1_curve(other["label"], other["log_odds"])
            axis.step(*unseen, where="pre", color=DARK, linewidth=0.9, label="held out: shown here, not used")
        axis.axvline(choice["log_odds"], color="black", linestyle="--", linewidth=1, label="threshold chosen")
        axis.set(title=f"fold {choice['fold']}: {choice['log_odds']:.2f}", ylim=(0, 1.02))
    axes[0].set_ylabel("sample F1")
    figure.supxlabel("threshold on log-odds", fontsize=9.6)
    return _finish(figure, axes[0])


def _fold_panels(count):
    """Return a figure with a panel for each fold, at most `COLUMNS` in a row, and their axes in order."""
    columns, rows = min(count, COLUMNS), -(-count // COLUMNS)
    figure, axes = begin(WIDTH, 1.8 * rows + 0.8, rows, columns, sharex=True, sharey=True, squeeze=False)
    for number, axis in enumerate(axes.flat):
        axis.tick_params(labelbottom=True) if number < count else axis.remove()
    return figure, axes.ravel()[:count]


def learning_curves(curves, folds):
    """Show the loss by epoch, a panel a fold: in training, and on each inner recording.

    `curves` has ``network``, ``epoch``, ``train_loss``, ``recording``, ``loss``; `folds` is from ``training.json``.
    """
    figure, axes = _fold_panels(len(folds))
    for axis, fold in zip(axes, folds, strict=True):
        own = curves[curves["network"].isin(fold["networks"])]
        inner = own[own["recording"].isin(fold["inner"])]
        for _, part in inner.groupby(["network", "recording"]):
            axis.plot(part["epoch"], part["loss"], color=DECISION, linewidth=0.7, alpha=0.45)
        mean, train = inner.groupby("epoch")["loss"].mean(), own.groupby("epoch")["train_loss"].mean()
        axis.plot(mean.index, mean, color=DECISION, linewidth=2, label="inner recordings: each, and their mean")
        axis.plot(train.index, train, color=DARK, linestyle="--", label="training (triptychs changed at random)")
        axis.axhline(np.log(2), color=GREY, linewidth=0.8, linestyle=":", label="chance, ln 2")
        axis.set(title=f"fold {fold['fold']}", xlabel="epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set(ylabel="cross-entropy (nats)", ylim=(0, None))
    return _finish(figure, axes[0])


def confusion_matrix(panels):
    """Show counts, each row shaded by its share, with the reference study's quadrant labels.

    `panels` is a dict of title → `scores.sample_scores`; several get their titles, with prevalence, accuracy and F1.
    """
    figure, axes = begin(0.8 + 2.85 * len(panels), 3.6, 1, len(panels), squeeze=False)
    for axis, (title, found) in zip(axes[0], panels.items(), strict=True):
        counts = np.array([[found["tn"], found["fp"]], [found["fn"], found["tp"]]])
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        drawn = metrics.ConfusionMatrixDisplay(share, display_labels=["non-seizure", "seizure"])
        drawn.plot(ax=axis, cmap="Blues", colorbar=False, im_kw={"clim": (0, 1)}, text_kw={"fontsize": 10})
        for (row, column), label in zip(np.ndindex(2, 2), ("TN", "FP", "FN", "TP"), strict=True):
            count = f"{counts[row, column]:.1f}".removesuffix(".0")
            drawn.text_[row, column].set_text(f"{label}\n{count}\n({share[row, column]:.1%} of row)")
        axis.set_yticks([0, 1], drawn.display_labels, rotation=90, va="center")
        axis.set(xlabel="predicted", ylabel="true")
        if len(panels) > 1:
            accuracy, f1 = ("undefined" if (x := found[key]) is None else f"{x:.3f}" for key in ("accuracy", "f1"))
            prevalence = found["seizure"] / max(found["n"], 1)
            axis.set_title(f"{title}: {prevalence:.1%} seizure\naccuracy {accuracy}, F1 {f1}")
    figure.colorbar(drawn.im_, ax=axes, label="share of the true class", shrink=0.8)
    return figure


def mistake(signal, sampling_hz, start_s, decisions, spans, recording, title):
    """Show EEG as a neurologist reads it, and below it the probabilities of the minutes around.

    `signal` is float [channel, sample] in µV, of the double banana, from `start_s` of the recording on; `spans` are its
    seizures, float [seizure, 2], in s.
    """
    figure, (top, bottom) = begin(WIDTH, 6.6, 2, 1, height_ratios=[4.6, 1])
    end_s = draw_traces(top, signal, sampling_hz, DOUBLE_BANANA, start_s)
    for edges in spans:
        if edges[0] < end_s and edges[1] > start_s:
            top.axvspan(*np.clip(edges, start_s, end_s), fc=(SEIZURE, 0.12), lw=0)
        for edge in edges[(edges > start_s) & (edges < end_s)]:
            top.axvline(edge, color=SEIZURE, linestyle="--", linewidth=1.2)
    part = decisions[decisions["recording"] == recording]
    _draw_alarms(top, part, 1, (0.97, 0.02))
    top.set_title(title)
    draw_course(bottom, decisions, spans, recording, 1)
    bottom.axvspan(start_s, end_s, fc="none", ec="black", lw=1.4)
    middle = ((start_s + end_s) / 2, 1.02)
    bottom.annotate("EEG above", middle, xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=8)
    bottom.set_xlim(max(0, start_s - AROUND_S), min(part["end_s"].max(), end_s + AROUND_S))
    bottom.set(xlabel="time in the recording (s)", ylabel="probability")
    letter((top, bottom))
    return _finish(figure, KEYS, "lower")


def score_comparison(compared, audited):
    """Show scores with 95 % intervals: of all detectors, and of single networks with freedoms of the reference's.

    `compared` are the rows of `comparison.compare`, `audited` is from `comparison.audit_leakage`.
    """
    figure, axes = begin(WIDTH, 1.0 + 0.3 * max(len(compared), len(audited["rows"])), 1, 3)
    short = {"single": "one network", "split": "random split", "threshold": "threshold on test"}
    short |= {"epoch": "epoch on test", "ensemble": "mean of networks", "all": "random split,\nboth on test"}
    panels = {
        "AUPRC, smoothed": {row["name"]: row["auprc_smoothed"] for row in compared},
        "Event F1": {row["name"]: row["event_f1"] for row in compared},
        "Sample F1": {short[row["protocol"]]: row["f1"] for row in audited["rows"]},
    }
    for axis, (title, rows) in zip(axes, panels.items(), strict=True):
        for place, (name, score) in enumerate(rows.items()):
            if score["value"] is not None:
                draw_means(axis, [place], [score], True, color=SEIZURE if "random split" in name else DECISION)
                axis.annotate(f"{score['value']:.2f}", (score["value"], place - 0.15), ha="center", fontsize=8)
        axis.set(title=title, xlim=(0, 1.05), ylim=(len(rows) - 0.5, -0.6))
        axis.set_yticks(range(len(rows)), rows if axis is not axes[1] else [""] * len(rows))
        axis.grid(axis="x", linewidth=0.5)
    letter(axes)
    seaborn.despine(figure)
    return figure


def past(rows):
    """Show event F1 and AUPRC over the seizures that a detector had seen; `rows` of `comparison.score_past`."""
    figure, (left, right) = begin(WIDTH, 3.4, 1, 2, sharex=True)
    for number, method in enumerate(dict.fromkeys(row["method"] for row in rows)):
        own = [row for row in rows if row["method"] == method]
        seen = [row["seizures_seen"] for row in own]
        style = {"marker": "osv^D"[number % 5], "color": f"C{number}", "label": comparison.METHODS[method]}
        style["linewidth"] = 2 if method == comparison.OURS else 1
        left.plot(seen, [np.nan if row["f1"] is None else row["f1"] for row in own], **style)
        right.plot(seen, [np.nan if row["auprc"] is None else row["auprc"] for row in own], **style)
        if method == comparison.OURS:
            draw_means(left, seen, [row["intervals"]["f1"] for row in own], color=style["color"], linestyle="none")
    left.set(ylabel="event F1", xlabel="seizures seen", ylim=(0, 1.05))
    right.set(ylabel="AUPRC, smoothed", xlabel="seizures seen", ylim=(0, 1.05))
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    letter((left, right))
    return _finish(figure, left)
