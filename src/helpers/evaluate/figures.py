"""Figures of the evaluation: a function a figure; each returns it and saves nothing. Readable in grey."""

import numpy as np
import seaborn
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from sklearn import metrics
from sklearn.calibration import calibration_curve

from helpers.acquire.montages import DOUBLE_BANANA
from helpers.evaluate import calibration, intervals, scores, views
from helpers.figures import DECISION, SEIZURE, begin, draw_traces

ROWS = 12  # recordings on a page
COLUMNS = 5  # folds in a row of panels
LONG_S = 900.0  # from here on, time is given in minutes
RARE = 0.05  # thresholds below it would lie on a linear axis's end: the axis is then one of log-odds
TICKS = {0.001: "0.001", 0.1: "0.1", 0.99: "0.99"}
FLOOR = 1e-4  # on an axis of log-odds, what is nearer than this to 0 or 1 is drawn there
AROUND_S = 120.0  # of probabilities, before and after the raw EEG of a mistake
GREY, PALE, DARK = "#999999", "#777777", "#555555"
# The edges keep in sight what is narrower than a dot of the picture.
ANNOTATED = {"fc": (SEIZURE, 0.22), "ec": (SEIZURE, 0.8), "hatch": "////", "lw": 0.6}
THRESHOLD = {"color": DARK, "linestyle": "--", "linewidth": 0.9}
KEYS = (
    Patch(**ANNOTATED, label="annotated seizure"),
    Patch(fc=DECISION, label="alarm"),
    Line2D([], [], **THRESHOLD, label="threshold for an alarm"),
    Line2D([], [], color=PALE, linewidth=0.8, label="p_seizure of each sample"),
    Line2D([], [], color="black", linewidth=1.2, label="p_smooth: over neighbouring samples"),
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
    """Show p(seizure) over time for held-out recordings, one panel each, with threshold, seizures and alarms.

    Parameters
    ----------
    decisions : pandas.DataFrame
        From `decisions.decide`, of these recordings at least.
    annotations : Annotations
        Of the recordings to show (see `pages` and `overview`), in order.
    """
    durations_s = annotations.durations_s
    longest = max(durations_s.values())
    unit, name_of_unit = (60, "min") if longest > LONG_S else (1, "s")
    figure, axes = begin(9, 1.3 + 0.9 * len(durations_s), len(durations_s), 1, sharex=True, sharey=True, squeeze=False)
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
        axis.set_yscale("logit")
        axis.set_ylim(FLOOR, 1 - 1e-6)
        _set_log_odds_ticks(axis.yaxis)
    else:
        axis.set(ylim=(0, 1.25), yticks=[0, 0.5, 1])
    _draw_alarms(axis, part, unit, (0.84, 0.1))


def _draw_alarms(axis, part, unit, where):
    """Draw a bar for each event of one recording; `where` is its foot and height in shares of the panel's."""
    bars = [(row.start_s / unit, (row.end_s - row.start_s) / unit) for row in scores.events(part).itertuples()]
    axis.broken_barh(bars, where, color=DECISION, linewidth=0.6, transform=axis.get_xaxis_transform())


def _set_log_odds_ticks(side):
    side.set_ticks(list(TICKS), list(TICKS.values()))
    side.set_ticks([], minor=True)


def _finish(figure, handles, place="upper"):
    """Return a figure with one legend for all panels, and without the frame's upper and right sides."""
    figure.legend(handles=handles, loc=f"outside {place} center", ncols=3, frameon=False, fontsize=9)
    seaborn.despine(figure)
    return figure


def _handles(axis):
    return axis.get_legend_handles_labels()[0]


def ranking_curves(decisions, found):
    """Show ROC and precision–recall curve with bands over recordings, and where the decisions lie.

    Parameters
    ----------
    decisions : pandas.DataFrame
        From `decisions.decide`.
    found : dict
        ``ranking`` and ``smoothed``: `intervals.ranking_intervals` of ``p_seizure`` and of ``p_smooth``.
    """
    figure, (left, right) = begin(9, 5.7, 1, 2)
    label = decisions["label"]
    if reason := scores.missing_class(label.sum(), len(label)):
        for axis in (left, right):
            axis.text(0.5, 0.5, f"undefined: {reason}", ha="center", va="center")
        return figure
    bands, shade = intervals.curve_bands(decisions), {"color": DECISION, "alpha": 0.2, "lw": 0}
    left.fill_between(intervals.GRID, *bands[0], **shade)
    right.fill_between(intervals.GRID, *bands[1], step="pre", **shade)
    styles = (("p_seizure", "ranking", DECISION, 2.2), ("p_smooth", "smoothed", "black", 1.0))
    for column, kind, colour, width in styles:
        options = {"color": colour, "linewidth": width, "gid": column}
        rates, sensitivity, _ = metrics.roc_curve(label, decisions[column])
        left.plot(rates, sensitivity, label=f"{column}: AUROC {_printed(found[kind]['auroc'])}", **options)
        precision, recall, _ = metrics.precision_recall_curve(label, decisions[column])
        area = f"{column}: AUPRC {_printed(found[kind]['auprc'])}"
        right.plot(recall, precision, label=area, drawstyle="steps-post", **options)
    left.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="chance")
    right.axhline(label.mean(), color=GREY, linestyle=":", label=f"chance: share of seizure, {label.mean():.1%}")
    _draw_operating_points(left, right, decisions)
    left.set(xlabel="false positive rate (1 − specificity)", ylabel="sensitivity", title="ROC")
    right.set(xlabel="recall (sensitivity)", ylabel="precision", title="Precision–recall")
    for axis in (left, right):
        axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.04), aspect="equal", anchor="N")
        axis.legend(loc="upper left", bbox_to_anchor=(0, -0.12), frameon=False, fontsize=9)
    seaborn.despine(figure)
    return figure


def _printed(score):
    """Return a score with its interval, as "0.906 (0.822–0.969)"."""
    span = f" ({score['low']:.3f}–{score['high']:.3f})" if score["reason"] is None else ""
    return f"{score['value']:.3f}{span}"


def _draw_operating_points(left, right, decisions):
    """Mark what was decided: folds have thresholds of their own, so a point may lie beside the curve of all."""
    points = (("decided", "o", DECISION, "decisions on samples"), ("alarm", "^", "white", "alarms, sample by sample"))
    for column, marker, fill, label in points:
        tp, fn, fp, tn = scores.confusion(decisions["label"], decisions[column])
        options = {"marker": marker, "markersize": 8, "mfc": fill, "mec": "black", "linestyle": "none", "zorder": 5}
        left.plot(fp / (fp + tn), tp / (tp + fn), label=label, **options)
        if tp + fp:  # without a decision for seizure there is no precision
            right.plot(tp / (tp + fn), tp / (tp + fp), label=label, **options)


def reliability(decisions, found, choices):
    """Show how often samples of about the same probability are seizure, and how many there are of each.

    Parameters
    ----------
    decisions : pandas.DataFrame
        ``label``, ``p_seizure``.
    found : dict
        ``calibration`` and ``uncalibrated``: `calibration.error_intervals` with and without temperature.
    choices : list of dict
        From `decisions.decide`.
    """
    label, p = decisions["label"], decisions["p_seizure"]
    table, lowest = views.reliability(decisions), min(0.5, p.clip(1e-6).min())
    figure, axes = begin(9, 6.1, 2, 2, sharex="col", height_ratios=[3.2, 1])
    for (top, bottom), edges in zip(axes.T, (np.linspace(0, 1, 21), np.geomspace(lowest, 1, 21)), strict=True):
        _draw_reliability(top, table)
        for value, name, colour, hatch in ((0, "non-seizure", "#cccccc", ""), (1, "seizure", SEIZURE, "////")):
            style = {"fc": colour, "ec": "black", "lw": 0.5, "hatch": hatch, "alpha": 0.75}
            bottom.hist(p[label == value].clip(edges[0]), edges, label=f"{name} samples", **style)
        bottom.set_yscale("symlog", linthresh=1)
        bottom.yaxis.set_major_formatter("{x:.0f}")
        bottom.set_xlabel("p_seizure")
    # Where seizure is rare, bins of equal mass hold nearly all of it in one.
    share, mean = calibration_curve(label, p, n_bins=10, strategy="uniform")
    axes[0, 0].plot(mean, share, "s", mfc="none", mec="black", label="bins of a width of 0.1")
    floor = 0.3 / table["count"].max()
    axes[0, 1].plot(table["p_mean"], np.where(table["seizure_share"] > 0, np.nan, floor * 1.3), "v", color=DECISION)
    axes[0, 0].set(ylabel="share of seizure among them", ylim=(-0.03, 1.03), xlim=(-0.03, 1.03), title="linear axes")
    axes[0, 1].set(xscale="log", yscale="log", ylim=(floor, 1.3), xlim=(lowest * 0.9, 1.1))
    axes[0, 1].set_title("logarithmic axes (▼: none is seizure)")
    axes[1, 0].set_ylabel("samples")
    figure.suptitle(_calibration_title(found, choices), fontsize=10)
    return _finish(figure, [*_handles(axes[0, 0]), *_handles(axes[1, 0])], "lower")


def _draw_reliability(axis, table):
    """Draw the diagonal, and each bin of `views.reliability` with Wilson's interval."""
    axis.plot([1e-9, 1], [1e-9, 1], color=GREY, linestyle=":", label="as often as it says")
    size = "–".join(str(count) for count in sorted({table["count"].min(), table["count"].max()}))
    value = table["seizure_share"]
    style = {"color": DECISION, "marker": "o", "linestyle": "none", "elinewidth": 1, "capsize": 3}
    label = f"bins of {size} samples, 95 % (Wilson)"
    axis.errorbar(table["p_mean"], value, [value - table["low"], table["high"] - value], label=label, **style)


def _calibration_title(found, choices):
    """Return Brier score and calibration error, before the temperature too if a fold has one."""
    after, before = (
        f"Brier {found[kind]['brier']['value']:.3f}, ECE {found[kind]['ece']['value']:.3f}"
        for kind in ("calibration", "uncalibrated")
    )
    on = sum(choice["calibration"]["reason"] is None for choice in choices)
    if not on:
        return f"{after}; temperature off in every fold"
    return f"{after}; without temperature {before} (it is on in {on} of {len(choices)} folds)"


def threshold_choice(inner, held_out, choices):
    """Show the sample F1 over the threshold, a panel a fold: where it was chosen, and where it is reported.

    Parameters
    ----------
    inner : pandas.DataFrame
        ``fold``, ``label``, ``log_odds``, of what each fold chooses by.
    held_out : pandas.DataFrame
        ``fold``, ``label``, ``p_seizure``.
    choices : list of dict
        From `decisions.decide`.
    """
    figure, axes = _fold_panels(len(choices))
    for axis, choice in zip(axes, choices, strict=True):
        own, other = (table[table["fold"] == choice["fold"]] for table in (inner, held_out))
        chosen = scores.f1_curve(own["label"], calibration.calibrate(own["log_odds"], choice["calibration"]))
        axis.step(*chosen, where="pre", color=DECISION, linewidth=1.8, label="inner recordings: chosen by this")
        if other["label"].any():
            unseen = scores.f1_curve(other["label"], other["p_seizure"])
            axis.step(*unseen, where="pre", color=DARK, linewidth=0.9, label="held out: shown here, not used")
        axis.axvline(choice["threshold"], color="black", linestyle="--", linewidth=1, label="threshold chosen")
        axis.set(title=f"fold {choice['fold']}: {choice['threshold']:.2g}", xlim=(0, 1), ylim=(0, 1.02))
        if min(one["threshold"] for one in choices) < RARE:
            axis.set_xscale("logit")
            axis.set_xlim(FLOOR, 1 - FLOOR)
            _set_log_odds_ticks(axis.xaxis)
    axes[0].set_ylabel("sample F1")
    figure.supxlabel("threshold on p_seizure", fontsize=11)
    return _finish(figure, _handles(axes[0]))


def _fold_panels(count):
    """Return a figure with a panel for each fold, at most `COLUMNS` in a row, and their axes in order."""
    columns, rows = min(count, COLUMNS), -(-count // COLUMNS)
    size = max(1.75 * columns + 0.9, 9), 2.2 * rows + 0.5
    figure, axes = begin(*size, rows, columns, sharex=True, sharey=True, squeeze=False)
    for spare in axes.ravel()[count:]:
        spare.remove()
    for axis in axes.ravel()[:count]:
        axis.tick_params(labelbottom=True)
    return figure, list(axes.ravel()[:count])


def learning_curves(curves, folds):
    """Show the loss by epoch, a panel a fold: in training, and on each inner recording.

    Parameters
    ----------
    curves : pandas.DataFrame
        ``network``, ``epoch``, ``train_loss``, ``recording``, ``loss``.
    folds : list of dict
        ``fold``, ``networks``, ``inner`` (recordings), from ``training.json``.
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
    axes[0].set_ylabel("cross-entropy (nats)")
    axes[0].set_ylim(bottom=0)
    return _finish(figure, _handles(axes[0]))


def confusion_matrix(panels):
    """Show counts, each row shaded by its share, with the reference study's quadrant labels.

    `panels` is a dict of title → `scores.sample_scores`; several get their titles, with prevalence, accuracy and F1.
    """
    figure, axes = begin(0.8 + 3.8 * len(panels), 3.8 if len(panels) == 1 else 4.2, 1, len(panels), squeeze=False)
    for axis, (title, found) in zip(axes[0], panels.items(), strict=True):
        counts = np.array([[found["tn"], found["fp"]], [found["fn"], found["tp"]]])
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        image = axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for (row, column), label in zip(np.ndindex(2, 2), ("TN", "FP", "FN", "TP"), strict=True):
            colour = "white" if share[row, column] > 0.5 else "black"
            text = f"{label}\n{f'{counts[row, column]:.1f}'.removesuffix('.0')}\n({share[row, column]:.1%} of row)"
            axis.text(column, row, text, ha="center", va="center", color=colour, fontsize=11)
        axis.set_xticks([0, 1], ["non-seizure", "seizure"])
        axis.set_yticks([0, 1], ["non-seizure", "seizure"], rotation=90, va="center")
        axis.set(xlabel="predicted", ylabel="true")
        if len(panels) > 1:
            rates = [("accuracy", found["accuracy"]), ("F1", found["f1"])]
            rates = ", ".join(f"{rate} {'undefined' if value is None else f'{value:.3f}'}" for rate, value in rates)
            share = found["seizure"] / max(found["n"], 1)
            axis.set_title(f"{title}: {share:.1%} seizure\n{rates}")
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    return figure


def mistake(signal, sampling_hz, start_s, decisions, spans, recording, title):
    """Show raw EEG as a neurologist reads it, and below it the probabilities of the minutes around.

    Parameters
    ----------
    signal : float [channel, sample]
        In µV, of the double banana, from `start_s` of the recording on.
    sampling_hz, start_s : float
    decisions : pandas.DataFrame
        From `decisions.decide`.
    spans : float [seizure, 2]
        Of the recording, in s.
    recording, title : str
    """
    figure, (top, bottom) = begin(9, 8.2, 2, 1, height_ratios=[4.6, 1])
    end_s = draw_traces(top, signal, sampling_hz, DOUBLE_BANANA, start_s)
    for edges in spans:
        if edges[0] < end_s and edges[1] > start_s:
            top.axvspan(*np.clip(edges, start_s, end_s), fc=(SEIZURE, 0.12), lw=0)
        for edge in edges[(edges > start_s) & (edges < end_s)]:
            top.axvline(edge, color=SEIZURE, linestyle="--", linewidth=1.2)
    part = decisions[decisions["recording"] == recording]
    _draw_alarms(top, part, 1, (0.97, 0.02))
    top.set_title(title, loc="left")
    draw_course(bottom, decisions, spans, recording, 1)
    bottom.axvspan(start_s, end_s, fc="none", ec="black", lw=1.4)
    middle = ((start_s + end_s) / 2, 1.02)
    bottom.annotate("EEG above", middle, xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=9)
    bottom.set_xlim(max(0, start_s - AROUND_S), min(part["end_s"].max(), end_s + AROUND_S))
    bottom.set(xlabel="time in the recording (s)", ylabel="probability")
    return _finish(figure, KEYS, "lower")
