"""Figures of the explanations: a function a figure; each returns it and saves nothing. Readable in grey."""

import itertools
from typing import NamedTuple

import matplotlib
import numpy as np
import seaborn
from matplotlib import pyplot
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap
from matplotlib.ticker import MaxNLocator

from helpers.acquire.montages import PAIRS
from helpers.evaluate.figures import draw_course
from helpers.explain.attributions import METHODS
from helpers.explain.profiles import DECISIONS
from helpers.explain.sanity import BASELINES
from helpers.figures import SEIZURE, SPECTROGRAM_MAP, WIDTH, begin, draw, draw_means, draw_traces, letter
from helpers.study.bands import BANDS

SIGNED_MAP, RELATIVE_MAP = "RdBu_r", "PuOr_r"
# Turbo (blue → red) without its darkest end; the lower, the more transparent, so that the spectrogram below is seen.
RELEVANCE_MAP = ListedColormap(
    np.c_[pyplot.get_cmap("turbo")(np.linspace(0.08, 0.98, 256))[:, :3], np.linspace(0.2, 0.65, 256)], "relevance"
)
NAMES = {**METHODS, **BASELINES, "random": "random order"}
COLOURS = {"gradcam": "#0072b2", "gradcampp": "#56b4e9", "ig": "#d55e00", "power": "#009e73", "above_mean": "#cc79a7"}
MARKERS = {"gradcam": "s", "gradcampp": "^", "ig": "o", "power": "D", "above_mean": "v"}
POWER, SIGNED = "power (dB re 1 µV²/Hz)", "attribution (log-odds)\n− non-seizure, + seizure"
RELEVANCE = "relevance (1: highest in the triptych)\nacross: power, low to high"
RELATIVE_DB = -15, 15  # one scale of power relative to the training mean, in all figures
AROUND_S = 120.0  # of probabilities, before and after a sample
TINY = np.finfo(np.float32).tiny


class Moment(NamedTuple):
    """What is shown of one sample of T columns a frame, F bins and C channels.

    ``sample``: its row of ``decisions.csv``; ``signal``: its EEG, [C, sample] in µV; ``above``: its power minus the
    training mean, averaged over channels, [F, 3 · T] in dB; ``maps``: by method, [3, F, T]; ``channels``: Integrated
    Gradients by channel, [3, C] in log-odds.
    """

    sample: tuple
    signal: np.ndarray
    above: np.ndarray
    maps: dict
    channels: np.ndarray


def sample_figure(moment, axis, decisions, spans, simulated, failed, method="ig", figure=None):
    """Show a `Moment`: EEG, probability, the spectrogram as the network reads it, and what a method attributes to it.

    `axis` is from `filterbank.axes`; `decisions` is ``decisions.csv``; `spans` are the recording's seizures, [seizure,
    2] in s; `failed` lists the tests that each method fails (see `sanity.RULES`). `figure`, an earlier one, is drawn on
    again, which takes half the time.
    """
    figure, panels = _empty_panels(figure)
    sample, where = moment.sample, (axis["frequencies_hz"], moment.sample.start_s, axis["hop_s"])
    rate = moment.signal.shape[1] / (sample.end_s - sample.start_s)
    draw_traces(panels["eeg"], moment.signal, rate, axis["channels"], sample.start_s)
    draw_course(panels["course"], decisions, spans, sample.recording, 1)
    panels["course"].axvspan(sample.start_s, sample.end_s, fc="none", ec="black", lw=1.2, zorder=5)
    panels["course"].set_xlim(max(0, sample.start_s - AROUND_S), sample.end_s + AROUND_S)
    image = draw(panels["power"], moment.above, *where, False, "grey", cmap=RELATIVE_MAP, clim=RELATIVE_DB)
    _draw_key_below(panels["power"], image, "power − training mean (dB)")
    values, options, label = _scaled(moment.maps[method], method)
    image = draw(panels["heat"], np.concatenate(values, axis=1), *where, True, "grey", **options)
    _draw_key_below(panels["heat"], image, label.split("\n")[0])
    titles = {
        "eeg": "EEG, 1–40 Hz",
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
    figure.text(0.01, 0.985, title, va="center", fontsize=10, weight="bold")
    figure.text(0.01, 0.965, decided, va="center")
    figure.text(0.99, 0.985, _failures(method, failed), va="center", ha="right", color=SEIZURE)
    return figure


def _empty_panels(figure):
    """Return a figure without contents, and its panels by name; a new one if there is none yet."""
    if figure is None:
        rows = [["eeg"] * 6, ["."] * 6, ["course"] * 6, ["."] * 6, ["power"] * 3 + ["heat"] * 3, ["."] * 6]
        rows.append([step for step in ("t0", "t1", "t2") for _ in range(2)])
        place = {"left": 0.105, "right": 0.955, "top": 0.93, "bottom": 0.05, "hspace": 0, "wspace": 0.45}
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
        limit = max(float(np.percentile(np.abs(values), 99.5)), TINY)  # a few cells are far above all others
        return values, {"cmap": SIGNED_MAP, "clim": (-limit, limit)}, SIGNED
    return values / max(float(values.max()), TINY), {"cmap": RELEVANCE_MAP, "clim": (0, 1)}, RELEVANCE


def _draw_key_below(axis, image, label, place=(0, -0.3, 1, 0.07)):
    bar = axis.figure.colorbar(image, cax=axis.inset_axes(place), orientation="horizontal", extend=_extend(image))
    bar.set_label(label, labelpad=1)
    bar.locator = MaxNLocator(4)


def _extend(image):
    return "both" if image.get_clim()[0] < 0 else "neither"


def _mark_edges(axis, sample, frame_s, spans):
    """Draw lines between the frames of a triptych, dotted, and at edges of seizures, dashed."""
    inside = {"transform": axis.get_xaxis_transform()}
    axis.vlines(sample.start_s + frame_s * np.arange(1, 3), 0, 1, "black", ":", linewidth=0.9, **inside)
    axis.set_xlim(sample.start_s, sample.end_s)
    edges = [edge for edge in np.ravel(spans) if sample.start_s < edge < sample.end_s]
    axis.vlines(edges, 0, 1, SEIZURE, "--", linewidth=1.4, **inside)


def _draw_scalps(axes, values):
    """Draw Integrated Gradients by channel, [3, C], one head a step: a channel is the line between its electrodes."""
    places, limit = electrode_places(), max(float(np.abs(values).max()), TINY)
    segments, around = [(places[one], places[other]) for one, other in PAIRS], np.linspace(0, 2 * np.pi, 90)
    for step, axis in enumerate(axes):
        axis.plot(np.sin(around), np.cos(around), [-0.1, 0, 0.1], [0.99, 1.12, 0.99], color="grey", linewidth=0.8)
        axis.add_collection(LineCollection(segments, colors="#555555", linewidths=6))
        lines = LineCollection(segments, cmap=SIGNED_MAP, clim=(-limit, limit), array=values[step], linewidths=4.6)
        axis.add_collection(lines)
        named = step == 2  # the names once, where the decision is made
        axis.scatter(*np.transpose(list(places.values())), 130 if named else 20, "white", linewidths=0, zorder=3)
        for name, (x, y) in places.items() if named else ():
            axis.text(x, y, name, ha="center", va="center", fontsize=7)
        axis.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.15), aspect="equal")
        axis.set_title(f"t{step}: {_signed_text(values[step].sum())} log-odds", loc="center")
        axis.axis("off")
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


def sample_pictures(sample, power, maps, axis, limits, simulated, failed):
    """Yield the seven pictures of one sample, (file name, figure), under the reference study's names.

    `power` is the mean over channels in dB, float [3, F, T], drawn within `limits`; `maps`, of the same shape, are
    "gradcam", "gradcampp" (not negative) and "ig" (toward seizure); the rest as for `sample_figure`.
    """
    name, place, title = f"sample{sample.sample}", (axis, sample.start_s), _title(sample, simulated)
    below = {"clim": limits}
    yield f"{name}_spec_triptych.png", _triptych([(power, below | {"cmap": SPECTROGRAM_MAP})], [], *place, POWER, title)
    for method in METHODS:
        values, options, label = _scaled(maps[method], method)
        signed = method == "ig"
        layers = [] if signed else [(power, below | {"cmap": "gray"})]
        layers.append((values, options | ({"lines": "grey"} if signed else {})))
        high = options["clim"][1]
        levels = [-0.4 * high, 0.4 * high] if signed else [0.5, 0.8]
        title = _title(sample, simulated, METHODS[method])
        picture = _triptych(layers, levels, *place, label, title, _failures(method, failed))
        yield f"{name}_{'ig_triptych' if signed else method}.png", picture
    for step in range(3):
        figure, panel = begin(4.4, 3.4)
        image = _draw_step(panel, step, layers, levels, *place, True)
        panel.set_title(f"Sample {sample.sample}, Integrated Gradients of t{step}")
        figure.supxlabel(_failures("ig", failed), x=0.01, ha="left", color=SEIZURE)
        figure.colorbar(image, ax=panel, label=SIGNED, pad=0.09, extend="both")
        yield f"{name}_ig_t{step}.png", figure


def _title(sample, simulated, method=None):
    true, decided = (("non-seizure", "seizure")[value] for value in (sample.label, sample.decided))
    where = f"{sample.recording}{' (simulated)' if simulated else ''}{f', {method}' if method else ''}"
    return f"Sample {sample.sample}, {where}: true {true}, predicted {decided}, p_seizure {sample.p_seizure:.3f}"


def _failures(method, failed):
    return f"{METHODS[method]} fails: {', '.join(failed[method])}" if failed[method] else ""


def _triptych(layers, levels, axis, start_s, label, title, failures=""):
    figure, panels = begin(9, 3.2, 1, 3, sharey=True)
    figure.suptitle(title, x=0.01, ha="left")
    for step, panel in enumerate(panels):
        image = _draw_step(panel, step, layers, levels, axis, start_s, step == 2)
        panel.set_title(f"t{step}")
    figure.supxlabel(failures, x=0.01, ha="left", color=SEIZURE)
    key = figure.colorbar(image, ax=panels, label=label, pad=0.04, aspect=10, extend=_extend(image))
    if len(layers) > 1:
        _draw_grey_below(key.ax, 0)
    return figure


def _draw_grey_below(axis, along):
    """Draw the spectrogram's greys below a key of relevance, across it, as the map lies over the spectrogram."""
    extent = (*axis.get_xlim(), *axis.get_ylim())
    axis.imshow(np.expand_dims(np.linspace(0, 1, 64), along), cmap="gray", extent=extent, aspect="auto", zorder=-1)


def _draw_step(panel, step, layers, levels, axis, start_s, bands):
    """Draw one step of `layers`, a list of ([3, F, T], options), over each other; outline `levels` of the last one.

    Negative levels are dashed, as in grey both ends of the signed colours are dark.
    """
    start_s += step * axis["frame_columns"] * axis["hop_s"]
    for number, (values, options) in enumerate(layers):
        named = bands and number == 0
        image = draw(panel, values[step], axis["frequencies_hz"], start_s, axis["hop_s"], named, **options)
    if levels := [level for level in levels if values[step].min() < level < values[step].max()]:
        place = {"extent": image.get_extent(), "origin": "lower"}
        panel.contour(values[step], levels=levels, colors="black", linewidths=0.8, **place)
    return image


def colour_key(label, limits, cmap, ends):
    """Show a colour key on its own, with the meaning of its two ends written above them."""
    figure, axis = begin(5.5, 1.1)
    scale = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(*limits), cmap)
    figure.colorbar(scale, cax=axis, orientation="horizontal", label=label)
    if cmap is RELEVANCE_MAP:
        _draw_grey_below(axis, 1)
    for x, text, side in ((0, ends[0], "left"), (1, ends[1], "right")):
        axis.annotate(text, (x, 1.15), xycoords="axes fraction", ha=side, va="bottom", fontsize=9)
    return figure


def _signed_text(value):
    return f"{value:+.2f}".replace("-", "−")


def profile_maps(means):
    """Show each method's mean relevance by band and step, one panel a method and decision; from `profiles.means`."""
    methods = [name for name in METHODS if name in set(means["method"])]
    size = (len(methods), len(DECISIONS))
    figure, axes = begin(WIDTH, 1.8 * size[0] + 0.5, *size, sharex=True, sharey=True, squeeze=False)
    counts = means.groupby("decision")["n"].max()
    for row, method in zip(axes, methods, strict=True):
        part = means[means["method"] == method]
        for axis, decision in zip(row, DECISIONS, strict=True):
            if axis in axes[0]:
                axis.set_title(f"{decision}:\n{counts.get(decision, 0)}", loc="center")
            if decision not in counts:
                axis.annotate("none", (0.5, 0.5), xycoords="axes fraction", ha="center")
                continue
            grid = part[part["decision"] == decision].pivot(index="band", columns="step", values="relevance")
            scale, form = _band_scale(method, part["relevance"]), "+.2f" if method == "ig" else ".2f"
            seaborn.heatmap(
                grid.loc[list(BANDS)], ax=axis, annot=True, fmt=form, annot_kws={"size": 7}, cbar=False, **scale
            )
            axis.set(xlabel="", ylabel="")
        row[0].set_ylabel(_band_label(method))
    axes[0, 0].invert_yaxis()
    return figure


def _band_scale(method, values):
    high = max(float(np.nanmax(np.abs(values))), TINY)
    if method == "ig":
        return {"cmap": SIGNED_MAP, "vmin": -high, "vmax": high}
    return {"cmap": SPECTROGRAM_MAP, "vmin": 0, "vmax": max(2.0, high)}


def _band_label(method):
    return METHODS[method] + ("\nlog-odds" if method == "ig" else "\nrelevance\n(1 = everywhere alike)")


def onset_profiles(found, log_odds):
    """Show each method's mean relevance by band over the time since the onset, from `profiles.onset_relevance`.

    The mean log-odds, from `profiles.onset_log_odds`, are drawn over the panel of Integrated Gradients.
    """
    methods = [name for name in METHODS if name in set(found["method"])]
    figure, axes = begin(WIDTH, 1.6 * len(methods) + 0.4, len(methods), 1, sharex=True, squeeze=False)
    for axis, method in zip(axes[:, 0], methods, strict=True):
        part = found[found["method"] == method]
        grid = part.pivot(index="band", columns="since_s", values="relevance").loc[list(BANDS)]
        first, last = grid.columns[0], grid.columns[-1]
        frame_s = np.diff(grid.columns).min() if len(grid.columns) > 1 else 2.0
        grid.columns = np.round((grid.columns - first) / frame_s).astype(int)
        grid = grid.reindex(columns=range(grid.columns[-1] + 1))  # white where there is no frame
        extent = (first - frame_s / 2, last + frame_s / 2, -0.5, len(BANDS) - 0.5)
        scale = _band_scale(method, grid)
        image = axis.imshow(grid, extent=extent, origin="lower", aspect="auto", interpolation="none", **scale)
        axis.set_yticks(range(len(BANDS)), BANDS)
        figure.colorbar(image, ax=axis, label=_band_label(method), pad=0.1 if method == "ig" else 0.01)
        axis.axvline(0, color=SEIZURE, linestyle="--", linewidth=1.4)
        if method == "ig":
            beside = axis.twinx()
            beside.plot(log_odds.index, log_odds, color="black", marker="o", markersize=3, linewidth=1.2)
            beside.set_ylabel("log-odds (line)")
    axes[-1, 0].set_xlabel("time since the annotated onset (s), of the frame decided on")
    return figure


def _style(name):
    """Return how the line of a map is drawn."""
    return {"color": COLOURS.get(name, "#777777"), "marker": MARKERS.get(name, "x"), "markersize": 4, "linewidth": 1.3}


def truth_scores(truth):
    """Show how well each map separates planted from other cells, AUC with intervals; see `sanity.summary`."""
    panels = ("time × frequency", "frequency", "channel", "channel, where planted")
    figure, axes = begin(WIDTH, 2.9, 1, len(panels), sharex=True, sharey=True)
    names = [name for name in NAMES if name not in ("chance", "random")]
    for axis, along in zip(axes, panels, strict=True):
        found = {name: scores["auc"] for name, scores in truth[along].items() if "auc" in scores}
        for row, name in enumerate(names):
            if name in found:
                draw_means(axis, [row], [found[name]], True, **_style(name))
        if "chance" in found:
            axis.axvline(found["chance"]["value"], color="black", linestyle=":", linewidth=1)
        axis.set(title=along.replace(", ", ",\n"), xlabel="AUC", xlim=(-0.03, 1.03), ylim=(len(names) - 0.5, -0.5))
        axis.grid(axis="x", linewidth=0.4)
    axes[0].set_yticks(range(len(names)), [NAMES[name] for name in names])
    letter(axes)
    return figure


def weight_randomisation(correlations, layers, limit):
    """Show how alike each method's maps stay as weights are lost layer by layer; ``disturbed`` of `sanity.summary`."""
    figure, (left, right) = begin(WIDTH, 3.2, 1, 2, sharey=True, width_ratios=[1.5, 1])
    places = np.arange(1, len(layers) + 1)
    for number, (method, name) in enumerate(METHODS.items() if correlations else ()):
        means = [correlations[f"weights:{layer}"][method] for layer in layers]
        draw_means(left, places, means, label=name, **_style(method))
        others = [correlations[test][method] for test in ("labels", "retrained", "noise")]
        draw_means(right, np.arange(3) + 0.12 * (number - 1), others, **_style(method) | {"linestyle": ""})
    if correlations:
        size = [correlations[f"magnitude:weights:{layer}"]["ig"] for layer in layers]
        draw_means(left, places, size, label="Integrated Gradients, without signs", **_style("random"))
    left.axhline(limit, color="black", linestyle="--", linewidth=0.9)
    for axis in (left, right):
        axis.axhline(0, color="#bbbbbb", linewidth=0.8)
    left.set_xticks([0, *places], ["trained", *layers])
    left.plot([0], [1], "ko", markersize=4)
    left.set(xlabel="weights are random down to this layer", ylabel="rank correlation")
    right.set_xticks(range(3), ["permuted\nlabels", "trained on other\nrecordings", "a little\nnoise"])
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    letter((left, right))
    seaborn.despine(figure)
    return figure


def deletion_curves(curves, gain):
    """Show the score as cells are replaced and restored, in each map's order and at random; see `sanity.summary`."""
    figure, axes = begin(WIDTH, 3.9, 1, 2, sharey=True)
    for axis, kind in zip(axes, ("deletion", "insertion"), strict=True):
        for name, values in curves.get(kind, {}).items():
            gains = {other: gain[other].get(name, {}).get("value") for other in curves}
            tail = "".join(f", {_signed_text(v)} by {other}" for other, v in gains.items() if v is not None)
            values = np.array(values, float)  # None where no sample has a score
            axis.plot(np.linspace(0, 1, len(values)), values, label=f"{NAMES[name]}{tail}", **_style(name))
        axis.set(title=kind.capitalize(), xlabel="share of cells, the most relevant first")
    axes[0].set_ylabel("score (0: other EEG, 1: the sample)")
    keys = axes[0].get_legend_handles_labels()
    figure.legend(*keys, loc="outside lower center", ncols=2, frameon=False)
    letter(axes)
    seaborn.despine(figure)
    return figure
