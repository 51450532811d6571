"""Figures of single samples: the composed one, and the pictures of the reference study. Readable in grey."""

import itertools
import textwrap
from typing import NamedTuple

import matplotlib
import numpy as np
import torch
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap
from matplotlib.ticker import MaxNLocator

from helpers.acquire import edf
from helpers.acquire.montages import PAIRS
from helpers.evaluate.figures import AROUND_S, draw_course
from helpers.explain.attributions import METHODS, toward_seizure
from helpers.figures import SEIZURE, SPECTROGRAM_MAP, WIDTH, begin, draw, draw_traces, letter
from helpers.preprocess import filterbank

SIGNED_MAP, RELATIVE_MAP = (matplotlib.colormaps[name] for name in ("RdBu_r", "PuOr_r"))
SIGNED_MAP.colorbar_extend = RELATIVE_MAP.colorbar_extend = "both"  # a few cells are far beyond all others
# Turbo (blue → red) without its darkest end; the lower, the more transparent, so that the spectrogram below is seen.
RELEVANCE_MAP = matplotlib.colormaps["turbo"](np.linspace(0.08, 0.98, 256))
RELEVANCE_MAP[:, 3] = np.linspace(0.2, 0.65, 256)
RELEVANCE_MAP = ListedColormap(RELEVANCE_MAP, "relevance")
POWER, SIGNED = "power (dB re 1 µV²/Hz)", "attribution (log-odds)\n− non-seizure, + seizure"
RELEVANCE = "relevance (1: highest in the triptych)\nacross: power, low to high"
RELATIVE_DB = -15, 15  # one scale of power relative to the training mean, in all figures
TINY = np.finfo(np.float32).tiny


class Moment(NamedTuple):
    """What is shown of one sample of T columns a frame, F bins and C channels.

    ``sample``: its row of ``decisions.csv``; ``signal``: its EEG, [C, sample] in µV; ``above``: its power minus the
    training mean, averaged over channels, [F, 3 · T] in dB; ``maps``: by method, [3, F, T]; ``channels``: Integrated
    Gradients by channel, [3, C] in log-odds. At the start of a recording the frames may be fewer than three.
    """

    sample: tuple
    signal: np.ndarray
    above: np.ndarray
    maps: dict
    channels: np.ndarray


def read_moment(network, recording, axis, sample):
    """Return the `Moment` of a `sample` of an open recording, with Integrated Gradients of a network's log-odds."""
    size, rate = axis["frame_columns"], recording.header.sampling_hz
    steps = round((sample.end_s - sample.start_s) / axis["frame_s"])
    power, _ = filterbank.read_power(recording, axis, sample.column, sample.column + steps * size)
    frames = torch.from_numpy(power.astype(np.float32)).unflatten(2, (steps, size)).permute(2, 0, 1, 3)[None]
    (values,) = toward_seizure(network, frames.contiguous(), steps=32).numpy()
    samples = round(sample.start_s * rate), min(round(sample.end_s * rate), recording.header.samples)
    above, signal = (power - network.mean.numpy()).mean(axis=0), edf.read(recording, *samples)
    return Moment(sample, signal, above, {"ig": values.sum(axis=1)}, values.sum(axis=(2, 3)))


def sample_figure(moment, axis, decisions, spans, simulated, words, method="ig", figure=None):
    """Show a `Moment`: EEG, probability, the spectrogram as the network reads it, and what a method attributes to it.

    `axis` is from `filterbank.axes`; `decisions` is ``decisions.csv``; `spans` are the recording's seizures, [seizure,
    2] in s; `words` say of each method what it passes and fails (`sanity.in_words`). `figure`, an earlier one, is drawn
    on again, which takes half the time.
    """
    figure, panels = _empty_panels(figure)
    sample, where = moment.sample, (axis["frequencies_hz"], moment.sample.start_s, axis["hop_s"])
    rate = moment.signal.shape[1] / (sample.end_s - sample.start_s)
    draw_traces(panels["eeg"], moment.signal, rate, axis["channels"], sample.start_s)
    draw_course(panels["course"], decisions, spans, sample.recording, 1)
    panels["course"].axvspan(sample.start_s, sample.end_s, fc="none", ec="black", lw=1.2, zorder=5)
    end_s = decisions.loc[decisions["recording"] == sample.recording, "end_s"].max()
    panels["course"].set_xlim(max(0, sample.start_s - AROUND_S), min(end_s, sample.end_s + AROUND_S))
    image = draw(panels["power"], moment.above, *where, False, "grey", cmap=RELATIVE_MAP, clim=RELATIVE_DB)
    _draw_key_below(panels["power"], image, "power − training mean (dB)")
    values, options, label = _scaled(moment.maps[method], method)
    image = draw(panels["heat"], np.concatenate(values, axis=1), *where, True, "grey", **options)
    _draw_key_below(panels["heat"], image, label.split("\n")[0])
    titles = {
        "eeg": "EEG, 1–40 Hz; all times in s",
        "course": "p_seizure (grey), smoothed (black), alarm (blue) and its threshold (dashed)",
        "power": "Power as the network reads it",
        "heat": METHODS[method],
    }
    for name, title in titles.items():
        panels[name].set(title=title, xlabel="")
        if name != "course":
            _mark_edges(panels[name], sample, axis["frame_s"], spans)
    panels["heat"].tick_params(labelleft=False)
    _draw_scalps([panels[step] for step in ("t0", "t1", "t2")], moment.channels)
    letter(panels[name] for name in (*titles, "t0"))
    title, decided = _title(sample, simulated).split(": ")
    decided += f", threshold {sample.threshold:.3f}, {'' if sample.alarm else 'no '}alarm"
    figure.text(0.01, 0.988, title, va="center", fontsize=10, weight="bold")
    figure.text(0.01, 0.971, decided, va="center")
    figure.text(0.01, 0.961, textwrap.fill(f"{METHODS[method]}: {words[method]}", 125), va="top", fontsize=7)
    return figure


def _empty_panels(figure):
    """Return a figure without contents, and its panels by name; a new one if there is none yet."""
    if figure is None:
        rows = [["eeg"] * 6, ["."] * 6, ["course"] * 6, ["."] * 6, ["power"] * 3 + ["heat"] * 3, ["."] * 6]
        rows.append([step for step in ("t0", "t1", "t2") for _ in range(2)])
        place = {"left": 0.105, "right": 0.955, "top": 0.915, "bottom": 0.05, "hspace": 0, "wspace": 0.45}
        options = {"height_ratios": [11, 1.7, 1.8, 1.9, 4.6, 3.4, 5.2], "gridspec_kw": place, "layout": "none"}
        return begin(WIDTH, 10.2, mosaic=rows, **options)  # constrained layout would take most of the time
    panels = {panel.get_label(): panel for panel in figure.axes}
    for panel in panels.values():
        artists = panel.child_axes, panel.lines, panel.collections, panel.images, panel.patches, panel.texts
        for artist in list(itertools.chain(*artists)):
            artist.remove()
    for text in list(figure.texts):
        text.remove()
    return figure, panels


def _scaled(values, method):
    """Return a map, [3, F, T], as it is drawn, with the options of its image and the label of its colours."""
    if method == "ig":
        limit = max(float(np.percentile(np.abs(values), 99.5)), TINY)
        return values, {"cmap": SIGNED_MAP, "clim": (-limit, limit)}, SIGNED
    return values / max(float(values.max()), TINY), {"cmap": RELEVANCE_MAP, "clim": (0, 1)}, RELEVANCE


def _draw_key_below(axis, image, label, place=(0, -0.3, 1, 0.07)):
    bar = axis.figure.colorbar(image, cax=axis.inset_axes(place), orientation="horizontal")
    bar.set_label(label, labelpad=1)
    bar.locator = MaxNLocator(4)


def _mark_edges(axis, sample, frame_s, spans):
    """Draw lines between the frames of a triptych, dotted, and at edges of seizures, dashed."""
    inside = {"transform": axis.get_xaxis_transform()}
    axis.vlines(sample.start_s + frame_s * np.arange(1, 3), 0, 1, "black", ":", linewidth=0.9, **inside)
    axis.set_xlim(sample.start_s, sample.end_s)
    edges = [edge for edge in np.ravel(spans) if sample.start_s < edge < sample.end_s]
    axis.vlines(edges, 0, 1, SEIZURE, "--", linewidth=1.4, **inside)


def _draw_scalps(axes, values):
    """Draw Integrated Gradients by channel, [3, C], one head a step: a channel is the line between its electrodes."""
    for axis in axes:  # where there are fewer frames, nothing is left of an earlier moment
        axis.set_title("", loc="center")
        axis.axis("off")
    places, limit = electrode_places(), max(float(np.abs(values).max()), TINY)
    segments, around = [(places[one], places[other]) for one, other in PAIRS], np.linspace(0, 2 * np.pi, 90)
    for step, axis in enumerate(axes[: len(values)]):
        axis.plot(np.sin(around), np.cos(around), [-0.1, 0, 0.1], [0.99, 1.12, 0.99], color="grey", linewidth=0.8)
        axis.add_collection(LineCollection(segments, colors="#555555", linewidths=6))
        lines = LineCollection(segments, cmap=SIGNED_MAP, clim=(-limit, limit), array=values[step], linewidths=4.6)
        axis.add_collection(lines)
        named = step == len(values) - 1  # the names once, where the decision is made
        axis.scatter(*np.transpose(list(places.values())), 130 if named else 20, "white", linewidths=0, zorder=3)
        for name, (x, y) in places.items() if named else ():
            axis.text(x, y, name, ha="center", va="center", fontsize=7)
        axis.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.15), aspect="equal")
        total = f"{values[step].sum():+.2f}".replace("-", "−")
        axis.set_title(f"t{step}: {total} log-odds", loc="center")
    _draw_key_below(axes[1], lines, "Integrated Gradients by channel (log-odds)", (0, -0.04, 1, 0.06))


def electrode_places():
    """Return where the electrodes of the 10–20 system lie on a head of radius 1 seen from above, nose up: (x, y).

    Ten stand on a ring, a tenth of its circumference apart; the others on the midline and half-way to the ring.
    """
    ring = ("FP2", "F8", "T8", "P8", "O2", "O1", "P7", "T7", "F7", "FP1")
    angles = {name: np.deg2rad(18 + 36 * number) for number, name in enumerate(ring)}
    places = {name: (0.82 * np.sin(angle), 0.82 * np.cos(angle)) for name, angle in angles.items()}
    places |= {"FZ": (0, 0.41), "CZ": (0, 0), "PZ": (0, -0.41)}
    halfway = {"F3": "F7", "F4": "F8", "C3": "T7", "C4": "T8", "P3": "P7", "P4": "P8"}
    return places | {name: np.add(places[name[0] + "Z"], places[far]) / 2 for name, far in halfway.items()}


def sample_pictures(sample, power, maps, axis, limits, simulated, words):
    """Yield the seven pictures of one sample, (file name, figure), under the reference study's names.

    `power` is the mean over channels in dB, float [3, F, T], drawn within `limits`; `maps`, of the same shape, are
    "gradcam", "gradcampp" (not negative) and "ig" (toward seizure); the rest as for `sample_figure`.
    """
    name, title, place = f"sample{sample.sample}", _title(sample, simulated), (axis, sample.start_s)
    power = power, {"cmap": SPECTROGRAM_MAP, "clim": limits}
    yield f"{name}_spec_triptych.png", _steps([power], [], *place, POWER, title)
    below = power[0], power[1] | {"cmap": "gray"}
    for method, called in METHODS.items():
        values, options, label = _scaled(maps[method], method)
        high, said = options["clim"][1], f"{called}: {words[method]}"
        layers = [(values, options | {"lines": "grey"})] if method == "ig" else [below, (values, options)]
        drawn = layers, [-0.4 * high, 0.4 * high] if method == "ig" else [0.5, 0.8], *place, label
        picture = _steps(*drawn, _title(sample, simulated, called), said)
        yield f"{name}_{'ig_triptych' if method == 'ig' else method}.png", picture
    for step in range(3):
        title = f"Sample {sample.sample}, {METHODS['ig']} of t{step}"
        yield f"{name}_ig_t{step}.png", _steps(*drawn, title, said, [step])


def _title(sample, simulated, method=None):
    true, decided = (("non-seizure", "seizure")[value] for value in (sample.label, sample.decided))
    where = f"{sample.recording}{' (simulated)' if simulated else ''}{f', {method}' if method else ''}"
    return f"Sample {sample.sample}, {where}: true {true}, predicted {decided}, p_seizure {sample.p_seizure:.3f}"


def _steps(layers, levels, axis, start_s, label, title, said="", steps=(0, 1, 2)):
    """Show steps of `layers`, a list of ([3, F, T], options), over each other; outline `levels` of the last one.

    Negative levels are dashed, as in grey both ends of the signed colours are dark.
    """
    width, said = 1.5 + 2.5 * len(steps), textwrap.wrap(said, 45 * len(steps))
    room = {"left": 0.55 / width, "right": 1 - 1.6 / width, "bottom": 0.16 + 0.04 * len(said), "top": 0.85}
    options = {"sharey": True, "squeeze": False, "layout": "none"}  # constrained layout would take most of the time
    figure, panels = begin(width, 3.2, 1, len(steps), **options, gridspec_kw=room | {"wspace": 0.18})
    figure.text(0.01, 0.98, title, va="top", fontsize=10)
    figure.text(0.01, 0.01, "\n".join(said), fontsize=7)
    for step, panel in zip(steps, panels[0], strict=True):
        where = axis["frequencies_hz"], start_s + step * axis["frame_columns"] * axis["hop_s"], axis["hop_s"]
        for number, (values, options) in enumerate(layers):
            image = draw(panel, values[step], *where, number == 0 and step == steps[-1], **options)
        if shown := [level for level in levels if values[step].min() < level < values[step].max()]:
            place = {"extent": image.get_extent(), "origin": "lower"}
            panel.contour(values[step], levels=shown, colors="black", linewidths=0.8, **place)
        panel.set_title(f"t{step}")
    key = figure.add_axes((1 - 1.2 / width, room["bottom"], 0.2 / width, room["top"] - room["bottom"]))
    figure.colorbar(image, cax=key, label=label)
    if len(layers) > 1:
        draw_grey_below(key, 0)
    return figure


def draw_grey_below(axis, along):
    """Draw the spectrogram's greys below a key of relevance, across it, as the map lies over the spectrogram."""
    extent = (*axis.get_xlim(), *axis.get_ylim())
    axis.imshow(np.expand_dims(np.linspace(0, 1, 64), along), cmap="gray", extent=extent, aspect="auto", zorder=-1)
