"""Figures of the evaluation: a function a figure; each returns it and saves nothing. Readable in grey."""

import numpy as np
import seaborn
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from sklearn import metrics

from helpers.acquire.montages import DOUBLE_BANANA
from helpers.evaluate import calibration, intervals, ranking, scores
from helpers.figures import DECISION, SEIZURE, begin, draw_traces

ROWS = 12  # recordings on a page
COLUMNS = 5  # folds in a row of panels
LONG_S = 900.0  # from here on, time is given in minutes
ALARM_AT = (0.84, 0.1)  # where the bar of an alarm lies, and its height, in shares of the panel's height
RARE = 0.05  # thresholds below it would lie on a linear axis's end: the axis is then one of log-odds
TICKS = {0.001: "0.001", 0.1: "0.1", 0.99: "0.99"}
FLOOR = 1e-4  # on an axis of log-odds, what is nearer than this to 0 or 1 is drawn there
AROUND_S = 120.0  # of probabilities, before and after the raw EEG of a mistake
GREY, PALE, DARK = "#999999", "#777777", "#555555"


def pages(names):
    """Return recordings in pages of at most `ROWS`, of nearly the same length: lists of names in order."""
    count = -(-len(names) // ROWS)
    return [part.tolist() for part in np.array_split(np.array(names, dtype=str), count)] if count else []


def overview(names, seizures, found):
    """Return the recordings of the headline, in order: all if one page holds them, else those that have most to show.

    These are the ones with a seizure, then those with an alarm, then the first others, until the page is full.
    Arguments: all names in order; tables with ``recording`` of annotated seizures, and of events found.
    """
    ranks = [(name not in set(seizures["recording"])) * 2 + (name not in set(found["recording"])) for name in names]
    order = sorted(range(len(names)), key=lambda row: (ranks[row], row))[:ROWS]
    return [names[row] for row in sorted(order)]


def probability(decisions, seizures, durations_s):
    """Show p(seizure) over time for held-out recordings, one panel each, with threshold, seizures and alarms.

    Parameters
    ----------
    decisions : pandas.DataFrame
        ``recording``, ``last_start_s``, ``end_s``, ``p_seizure``, ``p_smooth``, ``alarm_threshold``, ``alarm``.
    seizures : pandas.DataFrame
        ``recording``, ``start_s``, ``end_s``.
    durations_s : dict of str → float
        Of the recordings to show (see `pages` and `overview`), in order.
    """
    names, longest = list(durations_s), max(durations_s.values())
    unit, name_of_unit = (60, "min") if longest > LONG_S else (1, "s")
    figure, axes = begin(9, 1.3 + 0.9 * len(names), len(names), 1, sharex=True, sharey=True, squeeze=False)
    for axis, name in zip(axes[:, 0], names, strict=True):
        draw_course(axis, decisions, seizures, name, unit)
        axis.axvspan(durations_s[name] / unit, longest / unit, color="#e8e8e8", lw=0)
        axis.set_xlim(0, longest / unit)
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
    axes[-1, 0].set_xlabel(f"time in the recording ({name_of_unit})")
    figure.legend(handles=course_keys(), loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    seaborn.despine(figure)
    return figure


def draw_course(axis, decisions, seizures, name, unit):
    """Draw one recording's probabilities over time in units of `unit` seconds."""
    part = decisions[decisions["recording"] == name].sort_values("end_s")
    for seizure in seizures[seizures["recording"] == name].itertuples():
        # The edge keeps a seizure in sight that is narrower than a dot of the picture.
        axis.axvspan(
            seizure.start_s / unit, seizure.end_s / unit, fc=(SEIZURE, 0.22), ec=(SEIZURE, 0.8), hatch="////", lw=0.6
        )
    edges = np.array([*part["last_start_s"], part["end_s"].iloc[-1]]) / unit
    axis.stairs(part["p_seizure"].clip(FLOOR, 1 - FLOOR), edges, color=PALE, linewidth=0.8, baseline=None)
    axis.stairs(part["p_smooth"].clip(FLOOR, 1 - FLOOR), edges, color="black", linewidth=1.2, baseline=None)
    axis.axhline(part["alarm_threshold"].iloc[0], color=DARK, linestyle="--", linewidth=0.9)
    if decisions["alarm_threshold"].min() < RARE:
        _log_odds_axis(axis, axis.yaxis, 1 - 1e-6)
    else:
        axis.set(ylim=(0, 1.25), yticks=[0, 0.5, 1])
    _alarm_bars(axis, part, unit, ALARM_AT)


def _alarm_bars(axis, part, unit, where):
    """Draw a bar for each run of alarms of one recording; `where` is its foot and height in shares of the panel's."""
    raised = scores.events(part.assign(decided=part["alarm"]))
    bars = [(event.start_s / unit, (event.end_s - event.start_s) / unit) for event in raised.itertuples()]
    # The edge keeps a bar in sight that is narrower than a dot of the picture.
    axis.broken_barh(bars, where, color=DECISION, linewidth=0.6, transform=axis.get_xaxis_transform())


def _log_odds_axis(axis, side, top):
    """Make one axis of probabilities one of log-odds, from `FLOOR` to `top`."""
    vertical = side is axis.yaxis
    (axis.set_yscale if vertical else axis.set_xscale)("logit")
    (axis.set_ylim if vertical else axis.set_xlim)(FLOOR, top)
    side.set_ticks(list(TICKS), list(TICKS.values()))
    side.set_ticks([], minor=True)


def course_keys():
    """Return the keys of what `draw_course` draws, for a legend."""
    return [
        Patch(fc=(SEIZURE, 0.22), ec=(SEIZURE, 0.8), hatch="////", label="annotated seizure"),
        Patch(fc=DECISION, label="alarm"),
        Line2D([], [], color=DARK, linestyle="--", linewidth=0.9, label="threshold for an alarm"),
        Line2D([], [], color=PALE, linewidth=0.8, label="p_seizure of each sample"),
        Line2D([], [], color="black", linewidth=1.2, label="p_smooth: over neighbouring samples"),
    ]


def ranking_curves(decisions, sure):
    """Show ROC and precision–recall curve with bands over recordings, and where the decisions lie.

    Parameters
    ----------
    decisions : pandas.DataFrame
        ``recording``, ``label``, ``p_seizure``, ``decided``, ``p_smooth``, ``alarm``.
    sure : dict
        ``ranking`` and ``smoothed``: what `ranking.over_recordings` gives for ``p_seizure`` and for ``p_smooth``.
    """
    figure, (left, right) = begin(9, 5.7, 1, 2)
    label, share = decisions["label"], decisions["label"].mean()
    if reason := ranking.undefined(label):
        for axis in (left, right):
            axis.text(0.5, 0.5, f"undefined: {reason}", ha="center", va="center")
        return figure
    found = ranking.bands(decisions)
    left.fill_between(*_band(found["roc"]), color=DECISION, alpha=0.2, lw=0)
    right.fill_between(*_band(found["precision_recall"]), color=DECISION, alpha=0.2, lw=0, step="pre")
    styles = {"p_seizure": ("ranking", DECISION, 2.2), "p_smooth": ("smoothed", "black", 1.0)}
    for column, (kind, colour, width) in styles.items():
        rates, sensitivity, _ = ranking.roc(label, decisions[column])
        precision, recall, _ = ranking.precision_recall(label, decisions[column])
        options = {"color": colour, "linewidth": width, "gid": column}
        left.plot(rates, sensitivity, label=f"{column}: AUROC {_printed(sure[kind]['auroc'])}", **options)
        name = f"{column}: AUPRC {_printed(sure[kind]['auprc'])}"
        right.plot(recall, precision, label=name, drawstyle="steps-post", **options)
    left.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="chance")
    right.axhline(share, color=GREY, linestyle=":", label=f"chance: share of seizure, {share:.1%}")
    _operating_points(left, right, decisions)
    left.set(xlabel="false positive rate (1 − specificity)", ylabel="sensitivity", title="ROC")
    right.set(xlabel="recall (sensitivity)", ylabel="precision", title="Precision–recall")
    for axis in (left, right):
        axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.04), aspect="equal", anchor="N")
        axis.legend(loc="upper left", bbox_to_anchor=(0, -0.12), frameon=False, fontsize=9)
    seaborn.despine(figure)
    return figure


def _band(table):
    """Return x, low and high of a band; where there is none, nothing is drawn."""
    return table.iloc[:, 0], table["low"], table["high"]


def _printed(score):
    """Return a score with its interval, as "0.906 (0.822–0.969)"."""
    if score["value"] is None:
        return f"undefined ({score['reason']})"
    span = f" ({score['low']:.3f}–{score['high']:.3f})" if score["reason"] is None else ""
    return f"{score['value']:.3f}{span}"


def _operating_points(left, right, decisions):
    """Mark what was decided: folds have thresholds of their own, so a point may lie beside the curve of all."""
    for column, marker, fill, label in (
        ("decided", "o", DECISION, "decisions on samples"),
        ("alarm", "^", "white", "alarms, sample by sample"),
    ):
        tp, fn, fp, tn = scores.confusion(decisions["label"], decisions[column])
        options = {"marker": marker, "markersize": 8, "mfc": fill, "mec": "black", "linestyle": "none", "zorder": 5}
        left.plot(fp / (fp + tn), tp / (tp + fn), label=label, **options)
        if tp + fp:  # without a decision for seizure there is no precision
            right.plot(tp / (tp + fn), tp / (tp + fp), label=label, **options)


def reliability(decisions, sure, choices):
    """Show how often samples of about the same probability are seizure, and how many there are of each.

    Parameters
    ----------
    decisions : pandas.DataFrame
        ``label``, ``p_seizure``.
    sure : dict
        ``calibration`` and ``uncalibrated``: what `calibration.over_recordings` gives, with and without temperature.
    choices : list of dict
        From `decisions.decide`.
    """
    table = calibration.reliability(decisions["label"], decisions["p_seizure"])
    figure, axes = begin(9, 6.1, 2, 2, sharex="col", height_ratios=[3.2, 1])
    lowest = min(0.5, decisions["p_seizure"].clip(1e-6).min())
    for (top, bottom), edges in zip(axes.T, (np.linspace(0, 1, 21), np.geomspace(lowest, 1, 21)), strict=True):
        _reliability_points(top, table)
        _histogram(bottom, decisions, edges)
    # Where seizure is rare, bins of equal mass hold nearly all of it in one.
    tenth = (decisions["p_seizure"] * 10).astype(int).clip(upper=9)
    wide = decisions.groupby(tenth)[["p_seizure", "label"]].mean()
    axes[0, 0].plot(wide["p_seizure"], wide["label"], "s", mfc="none", mec="black", label="bins of a width of 0.1")
    floor = 0.3 / table["count"].max()
    axes[0, 1].plot(table["p_mean"], np.where(table["seizure_share"] > 0, np.nan, floor * 1.3), "v", color=DECISION)
    axes[0, 0].set(ylabel="share of seizure among them", ylim=(-0.03, 1.03), xlim=(-0.03, 1.03), title="linear axes")
    axes[0, 1].set(xscale="log", yscale="log", ylim=(floor, 1.3), xlim=(lowest * 0.9, 1.1))
    axes[0, 1].set_title("logarithmic axes (▼: none is seizure)")
    axes[1, 0].set_ylabel("samples")
    figure.suptitle(_calibration_title(sure, choices), fontsize=10)
    handles = [handle for axis in axes[:, 0] for handle in axis.get_legend_handles_labels()[0]]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    seaborn.despine(figure)
    return figure


def _histogram(axis, decisions, edges):
    """Draw how many samples of either class have a probability between `edges`."""
    for label, name, colour, hatch in ((0, "non-seizure", "#cccccc", ""), (1, "seizure", SEIZURE, "////")):
        p = decisions.loc[decisions["label"] == label, "p_seizure"].clip(edges[0])
        axis.hist(p, edges, fc=colour, ec="black", lw=0.5, hatch=hatch, alpha=0.75, label=f"{name} samples")
    axis.set_yscale("symlog", linthresh=1)
    axis.yaxis.set_major_formatter("{x:.0f}")
    axis.set_xlabel("p_seizure")


def _reliability_points(axis, table):
    """Draw the diagonal, and each bin of a reliability table with Wilson's interval."""
    axis.plot([1e-9, 1], [1e-9, 1], color=GREY, linestyle=":", label="as often as it says")
    shares = zip(table["seizure_share"], table["count"], strict=True)
    bars = [intervals.wilson(round(share * count), count) for share, count in shares]
    value, low, high = (np.array([bar[key] for bar in bars]) for key in ("value", "low", "high"))
    fewest, most = table["count"].min(), table["count"].max()
    size = f"{fewest}–{most}" if fewest < most else f"{most}"
    label = f"bins of {size} samples, 95 % (Wilson)"
    style = {"color": DECISION, "marker": "o", "linestyle": "none", "elinewidth": 1, "capsize": 3}
    axis.errorbar(table["p_mean"], value, [value - low, high - value], label=label, **style)


def _calibration_title(sure, choices):
    """Return Brier score and calibration error, before the temperature too if a fold has one."""
    after, before = (
        [f"{name} {sure[kind][key]['value']:.3f}" for name, key in (("Brier", "brier"), ("ECE", "ece"))]
        for kind in ("calibration", "uncalibrated")
    )
    on = sum(choice["calibration"]["reason"] is None for choice in choices)
    if not on:
        return f"{', '.join(after)}; temperature off in every fold"
    return f"{', '.join(after)}; without temperature {', '.join(before)} (it is on in {on} of {len(choices)} folds)"


def f1_by_threshold(label, p):
    """Return each distinct probability, rising, float [n], and the sample F1 of deciding seizure from there on."""
    precision, recall, thresholds = metrics.precision_recall_curve(label, p)
    total = (precision + recall)[:-1]
    return thresholds, np.divide(2 * (precision * recall)[:-1], total, out=np.zeros_like(total), where=total > 0)


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
        own = inner[inner["fold"] == choice["fold"]]
        other = held_out[held_out["fold"] == choice["fold"]]
        chosen = f1_by_threshold(own["label"], calibration.apply(own["log_odds"], choice["calibration"]))
        axis.step(*chosen, where="pre", color=DECISION, linewidth=1.8, label="inner recordings: chosen by this")
        if other["label"].any():
            unseen = f1_by_threshold(other["label"], other["p_seizure"])
            axis.step(*unseen, where="pre", color=DARK, linewidth=0.9, label="held out: shown here, not used")
        axis.axvline(choice["threshold"], color="black", linestyle="--", linewidth=1, label="threshold chosen")
        axis.set(title=f"fold {choice['fold']}: {choice['threshold']:.2g}", xlim=(0, 1), ylim=(0, 1.02))
        if min(other["threshold"] for other in choices) < RARE:
            _log_odds_axis(axis, axis.xaxis, 1 - FLOOR)
    axes[0].set_ylabel("sample F1")
    figure.supxlabel("threshold on p_seizure", fontsize=11)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    seaborn.despine(figure)
    return figure


def _fold_panels(count):
    """Return a figure with a panel for each fold, at most `COLUMNS` in a row, and their axes in order."""
    columns, rows = min(count, COLUMNS), -(-count // COLUMNS)
    width, height = 1.75 * columns + 0.9, 2.2 * rows + 0.5
    figure, axes = begin(max(width, 9), height, rows, columns, sharex=True, sharey=True, squeeze=False)
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
        mean = inner.groupby("epoch")["loss"].mean()
        axis.plot(mean.index, mean, color=DECISION, linewidth=2, label="inner recordings: each, and their mean")
        train = own.groupby("epoch")["train_loss"].mean()
        axis.plot(train.index, train, color=DARK, linestyle="--", label="training (triptychs changed at random)")
        axis.axhline(np.log(2), color=GREY, linewidth=0.8, linestyle=":", label="chance, ln 2")
        axis.set(title=f"fold {fold['fold']}", xlabel="epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set_ylabel("cross-entropy (nats)")
    axes[0].set_ylim(bottom=0)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    seaborn.despine(figure)
    return figure


def confusion_matrix(tp, fn, fp, tn):
    """Show the four counts, with each row's share and the reference's quadrant labels."""
    figure, axis = begin(4.6, 3.8)
    image = _matrix(axis, np.array([[tn, fp], [fn, tp]]))
    figure.colorbar(image, ax=axis, label="share of the true class", shrink=0.85)
    return figure


def confusion_matrices(found, weighted):
    """Show the counts as the recordings have them, and with the non-seizure samples weighted as in the reference.

    Parameters
    ----------
    found, weighted : dict
        From `scores.sample_scores`.
    """
    figure, axes = begin(8.4, 4.2, 1, 2)
    titles = ("all samples", "non-seizure samples weighted")
    for axis, title, part in zip(axes, titles, (found, weighted), strict=True):
        image = _matrix(axis, np.array([[part["tn"], part["fp"]], [part["fn"], part["tp"]]]))
        share = scores.ratio(part["seizure"], part["n"]) or 0
        rates = ", ".join(
            f"{name} {'undefined' if value is None else format(value, '.3f')}"
            for name, value in (("accuracy", part["accuracy"]), ("F1", part["f1"]))
        )
        axis.set_title(f"{title}: {share:.1%} seizure\n{rates}")
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    return figure


def _matrix(axis, counts):
    """Draw [true, predicted] counts, shaded by their share of the row; weighted ones may have a decimal."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    image = axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), label in zip(np.ndindex(2, 2), ("TN", "FP", "FN", "TP"), strict=True):
        colour = "white" if share[row, column] > 0.5 else "black"
        text = f"{label}\n{f'{counts[row, column]:.1f}'.removesuffix('.0')}\n({share[row, column]:.1%} of row)"
        axis.text(column, row, text, ha="center", va="center", color=colour, fontsize=11)
    axis.set_xticks([0, 1], ["non-seizure", "seizure"])
    axis.set_yticks([0, 1], ["non-seizure", "seizure"], rotation=90, va="center")
    axis.set(xlabel="predicted", ylabel="true")
    return image


def mistake(signal, sampling_hz, start_s, decisions, seizures, recording, title):
    """Show raw EEG as a neurologist reads it, and below it the probabilities of the minutes around.

    Parameters
    ----------
    signal : float [channel, sample]
        In µV, of the double banana.
    sampling_hz, start_s : float
        `start_s` is the time of the first sample in the recording.
    decisions, seizures : pandas.DataFrame
        As for `probability`.
    recording, title : str
    """
    figure, (top, bottom) = begin(9, 8.2, 2, 1, height_ratios=[4.6, 1])
    end_s = draw_traces(top, signal, sampling_hz, DOUBLE_BANANA, start_s)
    for seizure in seizures[seizures["recording"] == recording].itertuples():
        first, last = max(seizure.start_s, start_s), min(seizure.end_s, end_s)
        if first < last:
            top.axvspan(first, last, fc=(SEIZURE, 0.12), lw=0)
        for edge in (seizure.start_s, seizure.end_s):
            if start_s < edge < end_s:
                top.axvline(edge, color=SEIZURE, linestyle="--", linewidth=1.2)
    part = decisions[decisions["recording"] == recording]
    _alarm_bars(top, part, 1, (0.97, 0.02))
    top.set_title(title, loc="left")
    draw_course(bottom, decisions, seizures, recording, 1)
    bottom.axvspan(start_s, end_s, fc="none", ec="black", lw=1.4)
    middle = ((start_s + end_s) / 2, 1.02)
    bottom.annotate("EEG above", middle, xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=9)
    bottom.set_xlim(max(0, start_s - AROUND_S), min(part["end_s"].max(), end_s + AROUND_S))
    bottom.set(xlabel="time in the recording (s)", ylabel="probability")
    figure.legend(handles=course_keys(), loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    seaborn.despine(figure)
    return figure
