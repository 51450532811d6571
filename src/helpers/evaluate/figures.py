"""Figures of the evaluation: a function a figure; each returns it and saves nothing. Readable in grey."""

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from helpers.acquire.montages import DOUBLE_BANANA
from helpers.evaluate import scores
from helpers.figures import DECISION, SEIZURE, WIDTH, begin, despine, draw_traces, letter

ROWS = 12  # recordings on a page
COLUMNS = 3  # folds in a row of panels
RARE = 0.05  # below this threshold the axis is one of log-odds
FLOOR = 1e-4  # on an axis of log-odds, what is nearer than this to 0 or 1 is drawn there
TICKS = {0.001: "0.001", 0.1: "0.1", 0.99: "0.99"}
AROUND_S = 120.0  # of probabilities, before and after the raw EEG of a mistake
PALE, DARK = "#777777", "#555555"
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
    longest, rows = max(durations_s.values()), len(durations_s)
    figure, axes = begin(WIDTH, 1.1 + 0.7 * rows, rows, 1, sharex=True, sharey=True, squeeze=False)
    for axis, (name, duration_s) in zip(axes[:, 0], durations_s.items(), strict=True):
        draw_course(axis, decisions, annotations.spans(name), name, 60)
        axis.axvspan(duration_s / 60, longest / 60, color="#e8e8e8", lw=0)
        axis.set_xlim(0, longest / 60)
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
    axes[-1, 0].set_xlabel("time in the recording (min)")
    return finish(figure, KEYS)


def draw_course(axis, decisions, spans, name, unit):
    """Draw a recording's probabilities over time in units of `unit` seconds; `spans` are its seizures, in s."""
    part = decisions[decisions["recording"] == name].sort_values("end_s")
    for start_s, end_s in spans:
        axis.axvspan(start_s / unit, end_s / unit, **ANNOTATED)
    edges = np.array([*part["last_start_s"], part["end_s"].iloc[-1]]) / unit
    for column, colour, width in (("p_seizure", PALE, 0.8), ("p_smooth", "black", 1.2)):
        values = part[column].clip(FLOOR, 1 - FLOOR)
        axis.step(edges, [*values, values.iloc[-1]], where="post", color=colour, linewidth=width)
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


def finish(figure, handles, place="upper"):
    """Return a figure with one legend for all panels and no upper or right spines; `handles` may be an axis's."""
    handles = handles if isinstance(handles, (tuple, list)) else handles.get_legend_handles_labels()[0]
    figure.legend(handles=handles, loc=f"outside {place} center", ncols=2, frameon=False)
    despine(figure)
    return figure


def fold_panels(count):
    """Return a figure with a panel for each fold, at most `COLUMNS` in a row, and their axes in order."""
    columns, rows = min(count, COLUMNS), -(-count // COLUMNS)
    figure, axes = begin(WIDTH, 1.8 * rows + 0.8, rows, columns, sharex=True, sharey=True, squeeze=False)
    for number, axis in enumerate(axes.flat):
        axis.tick_params(labelbottom=True) if number < count else axis.remove()
    return figure, axes.ravel()[:count]


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
    return finish(figure, KEYS, "lower")
