"""Figures of the explanations: a function a figure; each returns it and saves nothing. Readable in grey."""

import matplotlib
import mne
import numpy as np
import seaborn
from matplotlib import pyplot
from matplotlib.colors import ListedColormap

from helpers.acquire.montages import DOUBLE_BANANA, ELECTRODES, PAIRS
from helpers.explain.attributions import METHODS
from helpers.explain.profiles import DECISIONS
from helpers.explain.sanity import BASELINES
from helpers.figures import SEIZURE, SPECTROGRAM_MAP, begin, draw, draw_traces
from helpers.study.bands import BANDS

SIGNED_MAP = "RdBu_r"
# Turbo (blue → red) without its darkest end, which would hide the spectrogram below.
RELEVANCE_MAP = ListedColormap(pyplot.get_cmap("turbo")(np.linspace(0.08, 0.98, 256)), "relevance")
NAMES = {**METHODS, **BASELINES, "random": "random order"}
COLOURS = {"gradcam": "#0072b2", "gradcampp": "#56b4e9", "ig": "#d55e00", "power": "#009e73", "above_mean": "#cc79a7"}
MARKERS = {"gradcam": "s", "gradcampp": "^", "ig": "o", "power": "D", "above_mean": "v"}
RIM = 0.85  # where electrodes a quarter of the way round from the top are drawn, on a head of radius 1
POWER, SIGNED = "power (dB re 1 µV²/Hz)", "attribution (log-odds)\n− non-seizure, + seizure"
RELEVANCE = "relevance (1 = highest in the triptych)"
TINY = np.finfo(np.float32).tiny


def colour_key(label, limits, cmap, ends):
    """Show a colour key on its own, with the meaning of its two ends written above them."""
    figure, axis = begin(5.5, 1.0)
    scale = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(*limits), cmap)
    figure.colorbar(scale, cax=axis, orientation="horizontal", label=label)
    for x, text, side in ((0, ends[0], "left"), (1, ends[1], "right")):
        axis.annotate(text, (x, 1.15), xycoords="axes fraction", ha=side, va="bottom", fontsize=9)
    return figure


def sample_pictures(sample, power, maps, axis, limits, simulated, failed):
    """Yield the seven pictures of one sample, (file name, figure), under the reference study's names.

    `sample` has ``sample``, ``recording``, ``start_s``, ``label``, ``decided``, ``p_seizure``; `power` is the mean over
    channels in dB, float [3, F, T], drawn within `limits`; `maps`, of the same shape, are "gradcam", "gradcampp" (not
    negative) and "ig" (toward seizure); `axis` is from `filterbank.axes`; `failed` lists the tests that each method
    fails (see `sanity.RULES`), which the titles of its pictures name.
    """
    title, name, place = _title(sample, simulated), f"sample{sample.sample}", (axis, sample.start_s)
    scale = {"cmap": SPECTROGRAM_MAP, "vmin": limits[0], "vmax": limits[1]}
    yield f"{name}_spec_triptych.png", _triptych([(power, scale)], [], *place, POWER, title)
    for method in ("gradcam", "gradcampp"):
        relative = maps[method] / max(maps[method].max(), TINY)
        layers = [(power, {"cmap": "gray"}), (relative, {"cmap": RELEVANCE_MAP, "vmin": 0, "vmax": 1, "alpha": 0.6})]
        about = f"{METHODS[method]} for the predicted class{_failures(failed[method])}\n{title}"
        yield f"{name}_{method}.png", _triptych(layers, [0.5, 0.8], *place, RELEVANCE.replace(" ", "\n", 1), about)
    failures, limit = _failures(failed["ig"]), max(np.abs(maps["ig"]).max(), TINY)
    layers = [(maps["ig"], {"cmap": SIGNED_MAP, "vmin": -limit, "vmax": limit, "lines": "gray"})]
    levels = [-0.4 * limit, 0.4 * limit]
    about = f"Integrated Gradients of the log-odds of seizure{failures}\n{title}"
    yield f"{name}_ig_triptych.png", _triptych(layers, levels, *place, SIGNED, about)
    for step in range(3):
        figure, panel = begin(4.4, 3.4)
        image = _draw_step(panel, step, layers, levels, *place, True)
        panel.set_title(f"sample {sample.sample}, IG of t{step}{failures}", loc="left")
        figure.colorbar(image, ax=panel, label=SIGNED, pad=0.09)
        yield f"{name}_ig_t{step}.png", figure


def channel_pictures(sample, signal, attribution, axis, seizures, simulated, failed):
    """Yield the pictures of one sample by channel: scalp maps, and raw EEG with shading; see `sample_pictures`.

    `signal` is the raw EEG of the triptych, [C, sample] in µV; `attribution` Integrated Gradients summed over
    frequencies, [3, C, T]; `seizures` the (start_s, end_s) annotated in the recording.
    """
    title = f"Integrated Gradients by channel{_failures(failed['ig'])}\n{_title(sample, simulated)}"
    yield f"sample{sample.sample}_channels.png", channel_maps(attribution.sum(axis=2), title)
    parts = [sum_in_parts(step, axis["window_s"] / 2 / axis["hop_s"]) for step in attribution]
    traces = (signal, axis["sampling_hz"], sample.start_s, np.concatenate(parts, axis=1), seizures, title)
    yield f"sample{sample.sample}_traces.png", attribution_traces(*traces)


def sum_in_parts(values, columns):
    """Return [C, T] with each column at the sum of its part of `columns`, as finer is noise; a rest joins the last."""
    size = min(values.shape[1], max(1, round(columns)))
    starts = np.arange(0, values.shape[1] - size + 1, size)
    lengths = np.diff([*starts, values.shape[1]])
    return np.repeat(np.add.reduceat(values, starts, axis=1), lengths, axis=1)


def _title(sample, simulated):
    true, predicted = (("non-seizure", "seizure")[value] for value in (sample.label, sample.decided))
    recording = f"{sample.recording}{' (simulated)' if simulated else ''}"
    return f"sample {sample.sample}, {recording}: true {true}, predicted {predicted}, p_seizure {sample.p_seizure:.3f}"


def _failures(rules):
    return f"; FAILS: {', '.join(rules)}" if rules else ""


def _triptych(layers, levels, axis, start_s, label, title):
    figure, panels = begin(9, 3.2, 1, 3, sharey=True)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    for step, panel in enumerate(panels):
        image = _draw_step(panel, step, layers, levels, axis, start_s, step == 2)
        panel.set_title(f"t{step}")
    bar = figure.colorbar(image, ax=panels, label=label, pad=0.04)
    bar.solids.set_alpha(image.get_alpha())
    return figure


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


def channel_maps(values, title):
    """Show Integrated Gradients by channel on the scalp, [3, C] in log-odds: one scalp a step, one scale.

    A bipolar channel stands at the middle of its two electrodes (MNE's standard positions, seen from above, nose up);
    between channels the map is interpolated.
    """
    figure, axes = begin(9, 3.3, 1, 3)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    limit, places = max(float(np.abs(values).max()), TINY), _scalp()
    options = {"cmap": SIGNED_MAP, "vlim": (-limit, limit), "contours": 4, "sensors": "k.", "show": False}
    for step, axis in enumerate(axes):
        image, _ = mne.viz.plot_topomap(values[step], places, axes=axis, sphere=1.0, border="mean", **options)
        axis.set_title(f"t{step}: {_signed_text(values[step].sum())} in all")
    figure.colorbar(image, ax=axes, label=SIGNED, shrink=0.85, pad=0.03)
    return figure


def _scalp():
    """Return where each channel of the double banana lies on a head of radius 1 seen from above, [C, 2].

    Electrodes are projected at equal distances from the top, from the middle of the sphere nearest to them.
    """
    standard = mne.channels.make_standard_montage("colin27_1020").get_positions()["ch_pos"]
    names = sorted(ELECTRODES)
    places = np.array([place for name in names for key, place in standard.items() if key.upper() == name])
    # |p - c|² = r² is linear in c and in r² - |c|².
    linear = np.column_stack([2 * places, np.ones(len(places))])
    x, y, z = (places - np.linalg.lstsq(linear, (places**2).sum(axis=1), rcond=None)[0][:3]).T
    across = np.hypot(x, y)
    away = np.arctan2(across, z) / np.maximum(across, 1e-9)
    flat = dict(zip(names, RIM * np.column_stack([x, y]) * (away / (np.pi / 2))[:, None], strict=True))
    return np.array([(flat[one] + flat[other]) / 2 for one, other in PAIRS])


def _signed_text(value):
    return f"{value:+.2f}".replace("-", "−")


def attribution_traces(signal, sampling_hz, start_s, attribution, seizures, title):
    """Show the raw EEG of a triptych, [C, sample] in µV, over shading by `attribution`, [C, column] in log-odds."""
    figure, axis = begin(9, 6.5)
    end_s = start_s + signal.shape[1] / sampling_hz
    limit = max(float(np.abs(attribution).max()), TINY)
    extent = (start_s, end_s, len(attribution) - 0.5, -0.5)
    options = {"cmap": SIGNED_MAP, "vmin": -limit, "vmax": limit, "alpha": 0.75, "interpolation": "nearest"}
    image = axis.imshow(attribution, extent=extent, aspect="auto", **options)
    draw_traces(axis, signal, sampling_hz, DOUBLE_BANANA, start_s)
    axis.set_xlim(start_s, end_s)
    edges_s = np.linspace(start_s, end_s, 4)
    for edge in edges_s[1:3]:
        axis.axvline(edge, color="black", linewidth=0.8, linestyle=":")
    for step, middle in enumerate((edges_s[1:] + edges_s[:-1]) / 2):
        axis.annotate(f"t{step}", (middle, -1.05), ha="center", va="center")
    for edge in (edge for span in seizures for edge in span if start_s < edge < end_s):
        axis.axvline(edge, color=SEIZURE, linestyle="--", linewidth=1.4)
    axis.set_title(title, loc="left")
    bar = figure.colorbar(image, ax=axis, label="attribution (log-odds): − non-seizure, + seizure", pad=0.02)
    bar.solids.set_alpha(0.75)
    seaborn.despine(figure)
    return figure


def profile_maps(means):
    """Show each method's mean relevance by band and step, one panel a method and decision; from `profiles.means`."""
    methods = [name for name in METHODS if name in set(means["method"])]
    size = (len(methods), len(DECISIONS))
    figure, axes = begin(9, 2.1 * size[0] + 0.5, *size, sharex=True, sharey=True, squeeze=False)
    counts = means.groupby("decision")["n"].max()
    for row, method in zip(axes, methods, strict=True):
        part = means[means["method"] == method]
        for axis, decision in zip(row, DECISIONS, strict=True):
            if axis in axes[0]:
                axis.set_title(f"{decision}: {counts.get(decision, 0)}", fontsize=9)
            if decision not in counts:
                axis.annotate("none", (0.5, 0.5), xycoords="axes fraction", ha="center")
                continue
            grid = part[part["decision"] == decision].pivot(index="band", columns="step", values="relevance")
            image = axis.imshow(grid.loc[list(BANDS)], **_band_options(axis, method, part["relevance"]))
            for (y, x), value in np.ndenumerate(image.get_array()):
                shade, text = image.norm(value), _signed_text(value) if method == "ig" else f"{value:.2f}"
                dark = abs(shade - 0.5) > 0.38 if method == "ig" else shade < 0.55
                axis.annotate(text, (x, y), ha="center", va="center", fontsize=7, color="white" if dark else "black")
        row[0].set_xticks(range(3), ["t0", "t1", "t2"])
        figure.colorbar(image, ax=row, label=_band_label(method), pad=0.01)
    return figure


def _band_options(axis, method, values):
    axis.set_yticks(range(len(BANDS)), [f"{band} {name}" for band, (name, *_) in BANDS.items()])
    high = float(np.nanmax(np.abs(values)))
    low, high = (-max(high, TINY), max(high, TINY)) if method == "ig" else (0, max(2.0, high))
    cmap = SIGNED_MAP if method == "ig" else SPECTROGRAM_MAP
    return {"cmap": cmap, "vmin": low, "vmax": high, "origin": "lower", "aspect": "auto"}


def _band_label(method):
    return METHODS[method] + ("\nlog-odds" if method == "ig" else "\nrelevance\n(1 = everywhere alike)")


def onset_profiles(found, log_odds):
    """Show each method's mean relevance by band over the time since the onset, from `profiles.onset_relevance`.

    The mean log-odds, from `profiles.onset_log_odds`, are drawn over the panel of Integrated Gradients.
    """
    methods = [name for name in METHODS if name in set(found["method"])]
    figure, axes = begin(9, 2.0 * len(methods) + 0.4, len(methods), 1, sharex=True, squeeze=False)
    for axis, method in zip(axes[:, 0], methods, strict=True):
        part = found[found["method"] == method]
        grid = part.pivot(index="band", columns="since_s", values="relevance").loc[list(BANDS)]
        first, last = grid.columns[0], grid.columns[-1]
        frame_s = np.diff(grid.columns).min() if len(grid.columns) > 1 else 2.0
        grid.columns = np.round((grid.columns - first) / frame_s).astype(int)
        grid = grid.reindex(columns=range(grid.columns[-1] + 1))  # white where there is no frame
        extent = (first - frame_s / 2, last + frame_s / 2, -0.5, len(BANDS) - 0.5)
        image = axis.imshow(grid, extent=extent, **_band_options(axis, method, grid))
        figure.colorbar(image, ax=axis, label=_band_label(method), pad=0.07 if method == "ig" else 0.01)
        axis.axvline(0, color=SEIZURE, linestyle="--", linewidth=1.4)
        if method == "ig":
            beside = axis.twinx()
            beside.plot(log_odds.index, log_odds, color="black", marker="o", markersize=3, linewidth=1.2)
            beside.set_ylabel("log-odds (line)")
    axes[-1, 0].set_xlabel("time since the annotated onset (s), of the frame decided on")
    return figure


def truth_scores(truth):
    """Show how each map scores against the planted truth, with intervals: a row a score; see `sanity.summary`."""
    panels = ("time × frequency", "frequency", "channel", "channel, where planted")
    figure, axes = begin(9, 5.2, 2, len(panels), sharex=True, sharey=True)
    names = [name for name in NAMES if name not in ("chance", "random")]
    for line, (score, what) in zip(axes, {"auc": "AUC", "mass": "mass"}.items(), strict=True):
        for axis, along in zip(line, panels, strict=True):
            found = {name: scores[score] for name, scores in truth[along].items() if score in scores}
            for row, name in enumerate(names):
                if name in found:
                    _draw_means(axis, [row], [found[name]], name, horizontal=True, marker=MARKERS.get(name, "D"))
            if "chance" in found:
                axis.axvline(found["chance"]["value"], color="black", linestyle=":", linewidth=1)
            count = max((item["n"] for item in found.values()), default=0)
            axis.set_title(f"{what}, {along}\n{count} samples", fontsize=8)
            axis.grid(axis="x", linewidth=0.4)
        line[0].set_yticks(range(len(names)), [NAMES[name] for name in names], fontsize=8)
    axes[0, 0].set(xlim=(-0.03, 1.03), ylim=(len(names) - 0.5, -0.5))
    return figure


def weight_randomisation(correlations, layers, limit):
    """Show how alike each method's maps stay as weights are lost layer by layer; ``disturbed`` of `sanity.summary`."""
    figure, (left, right) = begin(9, 3.4, 1, 2, sharey=True, width_ratios=[1.5, 1])
    places = np.arange(1, len(layers) + 1)
    for number, (method, name) in enumerate(METHODS.items() if correlations else ()):
        _draw_means(left, places, [correlations[f"weights:{layer}"][method] for layer in layers], method, label=name)
        others = [correlations[test][method] for test in ("labels", "retrained", "noise")]
        _draw_means(right, np.arange(3) + 0.12 * (number - 1), others, method, linestyle="")
    if correlations:
        size = [correlations[f"magnitude:weights:{layer}"]["ig"] for layer in layers]
        _draw_means(left, places, size, "random", label="Integrated Gradients, without signs")
    left.axhline(limit, color="black", linestyle="--", linewidth=0.9)
    for axis in (left, right):
        axis.axhline(0, color="#bbbbbb", linewidth=0.8)
    left.set_xticks([0, *places], ["trained", *layers])
    left.plot([0], [1], "ko", markersize=4)
    left.set(xlabel="weights are random down to this layer", ylabel="rank correlation")
    right.set_xticks(range(3), ["permuted\nlabels", "trained on other\nrecordings", "a little\nnoise"])
    left.legend(frameon=False, fontsize=8)
    seaborn.despine(figure)
    return figure


def _draw_means(axis, places, found, name, horizontal=False, **options):
    """Draw means with their intervals; without an interval the mean alone, without a mean nothing."""
    values = np.array([item["value"] for item in found], float)  # None is NaN
    low, high = (np.array([item[end] for item in found], float) for end in ("low", "high"))
    errors = {"xerr" if horizontal else "yerr": np.nan_to_num([values - low, high - values])}
    style = {"color": COLOURS.get(name, "#777777"), "marker": MARKERS.get(name, "x"), "markersize": 5, "linewidth": 1.3}
    style |= {"linewidth": 2} if horizontal else {"capsize": 2}
    axis.errorbar(*((values, places) if horizontal else (places, values)), **errors, **style | options)


def deletion_curves(curves, gain):
    """Show the score as cells are replaced and restored, in each map's order and at random; see `sanity.summary`."""
    figure, axes = begin(9, 3.9, 1, 2, sharey=True)
    for axis, kind in zip(axes, ("deletion", "insertion"), strict=True):
        for name, values in curves.get(kind, {}).items():
            gains = {other: gain[other].get(name, {}).get("value") for other in curves}
            tail = "".join(f", {_signed_text(v)} by {other}" for other, v in gains.items() if v is not None)
            values = np.array(values, float)  # None where no sample has a score
            style = {"color": COLOURS.get(name, "#777777"), "marker": MARKERS.get(name, "x"), "markersize": 4}
            axis.plot(np.linspace(0, 1, len(values)), values, label=f"{NAMES[name]}{tail}", linewidth=1.3, **style)
        axis.set_title(kind)
        axis.set_xlabel(f"share of cells {'replaced' if kind == 'deletion' else 'put in'}, the most relevant first")
    axes[0].set_ylabel("score (0: other EEG, 1: the sample)")
    keys = axes[0].get_legend_handles_labels()
    figure.legend(*keys, loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    seaborn.despine(figure)
    return figure
