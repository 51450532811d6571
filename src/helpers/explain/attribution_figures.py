"""Figures of the explanations: a function a figure; each returns it and saves nothing. Readable in grey."""

import matplotlib
import mne
import numpy as np
import seaborn
from matplotlib import pyplot
from matplotlib.colors import ListedColormap

from helpers.acquire.montages import DOUBLE_BANANA, ELECTRODES, PAIRS
from helpers.explain import profiles
from helpers.explain.attributions import METHODS
from helpers.explain.sanity import TRIVIAL
from helpers.figures import SEIZURE, SPECTROGRAM_MAP, begin, draw, draw_traces
from helpers.study.bands import BANDS

SIGNED_MAP = "RdBu_r"
# Turbo (blue → red) without its darkest end, which would hide the spectrogram below.
RELEVANCE_MAP = ListedColormap(pyplot.get_cmap("turbo")(np.linspace(0.08, 0.98, 256)), "relevance")
NAMES = {**METHODS, **TRIVIAL, "random": "random order"}
COLOURS = {"gradcam": "#0072b2", "gradcampp": "#56b4e9", "ig": "#d55e00", "power": "#009e73", "above_mean": "#cc79a7"}
GREY = "#777777"
RIM = 0.85  # where the electrodes a quarter round from the top are drawn, on a head of radius 1
MARKERS = {"gradcam": "s", "gradcampp": "^", "ig": "o", "power": "D", "above_mean": "v"}


def power_legend(limits):
    """Show the colour key of spectrograms: the study's one scale of power, `limits` in dB."""
    return _legend("power (dB re 1 µV²/Hz)", *limits, SPECTROGRAM_MAP, ("dark: low", "bright: high"))


def relevance_legend():
    """Show the colour key of class activation maps."""
    return _legend("relevance (1 = highest in the triptych)", 0, 1, RELEVANCE_MAP, ("blue: low", "red: high"))


def _legend(label, low, high, cmap, ends):
    """Show a colour key: the map from `low` to `high` with the meaning of its two ends written beside it."""
    figure, axis = begin(5.5, 1.0)
    scale = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(low, high), cmap)
    figure.colorbar(scale, cax=axis, orientation="horizontal", label=label)
    for x, text, side in ((0, ends[0], "left"), (1, ends[1], "right")):
        axis.annotate(text, (x, 1.15), xycoords="axes fraction", ha=side, va="bottom", fontsize=9)
    return figure


def spectrogram_triptych(power, frequencies_hz, hop_s, start_s, limits, title):
    """Show the spectrograms of t0, t1, t2, [3, F, T] in dB averaged over channels, on the study's one scale."""
    figure, axes = _triptych_axes(title)
    for step, axis in enumerate(axes):
        image = draw(
            axis, power[step], frequencies_hz, start_s + step * power.shape[2] * hop_s, hop_s, step == 2,
            cmap=SPECTROGRAM_MAP, vmin=limits[0], vmax=limits[1],
        )  # fmt: skip
    figure.colorbar(image, ax=axes, label="power (dB re 1 µV²/Hz)", pad=0.04)
    return figure


def relevance_triptych(relevance, power, frequencies_hz, hop_s, start_s, title):
    """Show a class activation map over each frame's own spectrogram, [3, F, T] both, with contours at 50 % and 80 %.

    One scale for the three steps: 1 is the highest relevance in the triptych.
    """
    figure, axes = _triptych_axes(title)
    relative = relevance / max(relevance.max(), np.finfo(np.float32).tiny)
    for step, axis in enumerate(axes):
        start = start_s + step * power.shape[2] * hop_s
        draw(axis, power[step], frequencies_hz, start, hop_s, step == 2, cmap="gray")
        image = draw(
            axis, relative[step], frequencies_hz, start, hop_s, False, cmap=RELEVANCE_MAP, vmin=0, vmax=1, alpha=0.6
        )
        _contours(axis, image, relative[step], [0.5, 0.8], "solid")
    bar = figure.colorbar(image, ax=axes, label="relevance\n(1 = highest in the triptych)", pad=0.04)
    bar.solids.set_alpha(0.6)
    return figure


def signed_triptych(attribution, frequencies_hz, hop_s, start_s, title):
    """Show Integrated Gradients for t0, t1, t2, [3, F, T] summed over channels, on one scale symmetric about 0."""
    figure, axes = _triptych_axes(title)
    for step, axis in enumerate(axes):
        start = start_s + step * attribution.shape[2] * hop_s
        image = _signed(axis, attribution[step], frequencies_hz, hop_s, start, np.abs(attribution).max(), step == 2)
    figure.colorbar(image, ax=axes, label="attribution (log-odds)\n− non-seizure, + seizure", pad=0.04)
    return figure


def signed_step(attribution, frequencies_hz, hop_s, start_s, limit, title):
    """Show Integrated Gradients of one step, [F, T] summed over channels, on the scale ± `limit`."""
    figure, axis = begin(4.4, 3.4)
    image = _signed(axis, attribution, frequencies_hz, hop_s, start_s, limit, True)
    axis.set_title(title, loc="left")
    figure.colorbar(image, ax=axis, label="attribution (log-odds)\n− non-seizure, + seizure", pad=0.09)
    return figure


def sample_pictures(sample, power, maps, axis, limits, simulated, failed):
    """Return the seven pictures of one sample under the reference's names.

    Parameters
    ----------
    sample : named tuple
        ``sample``, ``recording``, ``start_s``, ``label``, ``decided``, ``p_seizure``.
    power : float [3, F, T]
        Of t0, t1, t2 in dB, averaged over channels.
    maps : dict of "gradcam", "gradcampp" (not negative), "ig" (toward seizure) → float [3, F, T]
    axis : dict
        From `filterbank.axes`.
    limits : (low, high)
        Of the study's scale of power in dB.
    simulated : bool
    failed : dict of str → list of str
        The tests that a method fails (see `sanity.RULES`): said beside its pictures.

    Yields
    ------
    (str, matplotlib.figure.Figure)
        File name and picture, made one at a time.
    """
    title, place, name = (
        _title(sample, simulated),
        (axis["frequencies_hz"], axis["hop_s"], sample.start_s),
        _name(sample),
    )
    limit = float(np.abs(maps["ig"]).max())
    step_s = power.shape[2] * axis["hop_s"]
    yield f"{name}_spec_triptych.png", spectrogram_triptych(power, *place, limits, title)
    for method in ("gradcam", "gradcampp"):
        about = f"{METHODS[method]} for the predicted class{_failing(failed[method])}\n{title}"
        yield f"{name}_{method}.png", relevance_triptych(maps[method], power, *place, about)
    about = f"Integrated Gradients of the log-odds of seizure{_failing(failed['ig'])}\n{title}"
    yield f"{name}_ig_triptych.png", signed_triptych(maps["ig"], *place, about)
    for step in range(3):
        start = (*place[:2], sample.start_s + step * step_s)
        about = f"sample {sample.sample}, IG of t{step}{_failing(failed['ig'])}"
        yield f"{name}_ig_t{step}.png", signed_step(maps["ig"][step], *start, limit, about)


def channel_pictures(sample, signal, attribution, axis, seizures, simulated, failed):
    """Return the pictures of one sample by channel: scalp maps, and the raw EEG with shading.

    Parameters
    ----------
    sample, axis, simulated, failed
        As for `sample_pictures`.
    signal : float [C, sample]
        The raw EEG of the triptych, in µV.
    attribution : float [3, C, T]
        Integrated Gradients summed over frequencies.
    seizures : sequence of (start_s, end_s)
        Annotated in the recording.

    Yields
    ------
    (str, matplotlib.figure.Figure)
    """
    title = f"Integrated Gradients by channel{_failing(failed['ig'])}\n{_title(sample, simulated)}"
    yield f"{_name(sample)}_channels.png", channel_maps(attribution.sum(axis=2), title)
    parts = np.concatenate([in_parts(step, axis["window_s"] / 2 / axis["hop_s"]) for step in attribution], axis=1)
    yield (
        f"{_name(sample)}_traces.png",
        shaded_traces(signal, axis["sampling_hz"], sample.start_s, parts, seizures, title),
    )


def in_parts(values, columns):
    """Return [C, T] with each column at the sum of its part of so many `columns`, finer being noise.

    What fills no part belongs to the last one.
    """
    size = min(values.shape[1], max(1, round(columns)))
    starts = np.arange(0, values.shape[1] - size + 1, size)
    lengths = np.diff([*starts, values.shape[1]])
    return np.repeat(np.add.reduceat(values, starts, axis=1), lengths, axis=1)


def _name(sample):
    return f"sample{sample.sample}"


def _title(sample, simulated):
    classes = ("non-seizure", "seizure")
    recording = f"{sample.recording}{' (simulated)' if simulated else ''}"
    return (
        f"sample {sample.sample}, {recording}: true {classes[sample.label]}, predicted {classes[sample.decided]}, "
        f"p_seizure {sample.p_seizure:.3f}"
    )


def _failing(rules):
    return f"; FAILS: {', '.join(rules)}" if rules else ""


def _signed(axis, values, frequencies_hz, hop_s, start_s, limit, bands):
    limit = max(limit, np.finfo(np.float32).tiny)
    image = draw(axis, values, frequencies_hz, start_s, hop_s, bands, "gray", cmap=SIGNED_MAP, vmin=-limit, vmax=limit)
    # In grey both ends are dark: solid lines go round what speaks for seizure, dashed ones round what speaks against.
    _contours(axis, image, values, [0.4 * limit], "solid")
    _contours(axis, image, values, [-0.4 * limit], "dashed")
    return image


def _contours(axis, image, values, levels, style):
    levels = [level for level in levels if values.min() < level < values.max()]
    if levels:
        left, right, low, high = image.get_extent()
        rows, columns = values.shape
        x = left + (np.arange(columns) + 0.5) * (right - left) / columns
        y = low + (np.arange(rows) + 0.5) * (high - low) / rows
        axis.contour(x, y, values, levels=levels, colors="black", linewidths=0.8, linestyles=style)


def _triptych_axes(title):
    figure, axes = begin(9, 3.2, 1, 3, sharey=True)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    for step, axis in enumerate(axes):
        axis.set_title(f"t{step}")
    return figure, axes


def channel_maps(values, title):
    """Show Integrated Gradients by channel on the scalp, [3, C] in log-odds: one scalp a step, one scale.

    A bipolar channel sees what lies between its electrodes and stands at the middle of the two (MNE's standard
    positions, seen from above, nose up); between channels the map is interpolated.
    """
    figure, axes = begin(9, 3.3, 1, 3)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    limit, places = max(float(np.abs(values).max()), np.finfo(np.float32).tiny), _scalp()
    for step, axis in enumerate(axes):
        options = {"cmap": SIGNED_MAP, "vlim": (-limit, limit), "contours": 4, "sensors": "k.", "show": False}
        options |= {"sphere": 1.0, "border": "mean"}
        image, _ = mne.viz.plot_topomap(values[step], places, axes=axis, **options)
        axis.set_title(f"t{step}: {_signed_text(values[step].sum())} in all")
    figure.colorbar(image, ax=axes, label="attribution (log-odds)\n− non-seizure, + seizure", shrink=0.85, pad=0.03)
    return figure


def _scalp():
    """Return where each channel of the double banana lies on a head of radius 1 seen from above, [C, 2].

    The electrodes' directions (MNE's montage) from the middle of the sphere nearest to them are projected with equal
    distances from the top; a channel is at the middle of its two.
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


def _signed_text(value, form="+.2f"):
    return format(value, form).replace("-", "−")


def shaded_traces(signal, sampling_hz, start_s, attribution, seizures, title):
    """Show the raw EEG of a triptych, each channel shaded by what it adds to the log-odds of seizure.

    Parameters
    ----------
    signal : float [C, sample]
        In µV, of the triptych.
    sampling_hz, start_s : float
    attribution : float [C, column]
        Integrated Gradients summed over frequencies, and over the columns of a part: each column has its part's.
    seizures : list of (start_s, end_s)
        Annotated in the recording.
    title : str
    """
    figure, axis = begin(9, 6.5)
    end_s = start_s + signal.shape[1] / sampling_hz
    limit = max(float(np.abs(attribution).max()), np.finfo(np.float32).tiny)
    extent = (start_s, end_s, len(attribution) - 0.5, -0.5)
    options = {"cmap": SIGNED_MAP, "vmin": -limit, "vmax": limit, "alpha": 0.75, "interpolation": "nearest"}
    image = axis.imshow(attribution, extent=extent, aspect="auto", **options)
    draw_traces(axis, signal, sampling_hz, DOUBLE_BANANA, start_s)
    axis.set_xlim(start_s, end_s)
    for step in range(1, 3):
        axis.axvline(start_s + step * (end_s - start_s) / 3, color="black", linewidth=0.8, linestyle=":")
    for step in range(3):
        axis.annotate(f"t{step}", (start_s + (step + 0.5) * (end_s - start_s) / 3, -1.05), ha="center", va="center")
    for edge in (edge for span in seizures for edge in span if start_s < edge < end_s):
        axis.axvline(edge, color=SEIZURE, linestyle="--", linewidth=1.4)
    axis.set_title(title, loc="left")
    bar = figure.colorbar(image, ax=axis, label="attribution (log-odds): − non-seizure, + seizure", pad=0.02)
    bar.solids.set_alpha(0.75)
    seaborn.despine(figure)
    return figure


def profile_maps(means):
    """Show each method's mean relevance by band and step, one panel a method and decision; from `profiles.means`."""
    methods, decisions = profiles.ordered(means["method"]), list(profiles.DECISIONS)
    figure, axes = begin(
        9, 2.1 * len(methods) + 0.5, len(methods), len(decisions), sharex=True, sharey=True, squeeze=False
    )
    for row, method in enumerate(methods):
        part = means[means["method"] == method]
        options = _profile_scale(method, part["relevance"])
        for axis, decision in zip(axes[row], decisions, strict=True):
            own = part[part["decision"] == decision]
            if own.empty:
                axis.annotate("none", (0.5, 0.5), xycoords="axes fraction", ha="center")
                axis.set_title(f"{decision}: 0" if row == 0 else "")
                continue
            grid = own.pivot(index="band", columns="step", values="relevance").loc[list(BANDS)]
            image = axis.imshow(grid, origin="lower", aspect="auto", **options)
            for (y, x), value in np.ndenumerate(grid.to_numpy()):
                shade = image.norm(value)
                text = _signed_text(value) if method == "ig" else f"{value:.2f}"
                dark = abs(shade - 0.5) > 0.38 if method == "ig" else shade < 0.55
                axis.annotate(text, (x, y), ha="center", va="center", fontsize=7, color="white" if dark else "black")
            if row == 0:
                axis.set_title(f"{decision}: {means.loc[means['decision'] == decision, 'n'].max()}", fontsize=9)
        axes[row, 0].set_yticks(range(len(BANDS)), [f"{band} {name}" for band, (name, *_) in BANDS.items()])
        axes[row, 0].set_xticks(range(3), ["t0", "t1", "t2"])
        label = "log-odds" if method == "ig" else "relevance\n(1 = everywhere alike)"
        figure.colorbar(image, ax=axes[row], label=f"{METHODS[method]}\n{label}", pad=0.01)
    return figure


def _profile_scale(method, values):
    if method == "ig":
        limit = max(float(np.nanmax(np.abs(values))), np.finfo(np.float32).tiny)
        return {"cmap": SIGNED_MAP, "vmin": -limit, "vmax": limit}
    return {"cmap": SPECTROGRAM_MAP, "vmin": 0, "vmax": max(2.0, float(np.nanmax(values)))}


def onset_profiles(found, log_odds):
    """Show each method's mean relevance by band over the time since the onset.

    Parameters
    ----------
    found : pandas.DataFrame
        From `profiles.about_onsets`.
    log_odds : pandas.Series
        Mean log-odds of seizure by ``since_s``, drawn over the panel of Integrated Gradients.
    """
    methods = profiles.ordered(found["method"])
    figure, axes = begin(9, 2.0 * len(methods) + 0.4, len(methods), 1, sharex=True, squeeze=False)
    for axis, method in zip(axes[:, 0], methods, strict=True):
        part = found[found["method"] == method]
        grid = part.pivot(index="band", columns="since_s", values="relevance").loc[list(BANDS)]
        first, last = grid.columns[0], grid.columns[-1]
        frame_s = np.diff(grid.columns).min() if len(grid.columns) > 1 else 2.0
        grid.columns = np.round((grid.columns - first) / frame_s).astype(int)
        grid = grid.reindex(columns=range(grid.columns[-1] + 1))  # white where there is no frame
        extent = (first - frame_s / 2, last + frame_s / 2, -0.5, len(BANDS) - 0.5)
        image = axis.imshow(grid, origin="lower", aspect="auto", extent=extent, **_profile_scale(method, grid))
        label = "log-odds" if method == "ig" else "relevance\n(1 = everywhere alike)"
        figure.colorbar(image, ax=axis, label=f"{METHODS[method]}\n{label}", pad=0.07 if method == "ig" else 0.01)
        axis.set_yticks(range(len(BANDS)), [f"{band} {name}" for band, (name, *_) in BANDS.items()])
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
                _interval_dot(axis, row, found.get(name), name)
            if "chance" in found:
                axis.axvline(found["chance"]["value"], color="black", linestyle=":", linewidth=1)
            count = max((item["n"] for item in found.values()), default=0)
            axis.set_title(f"{what}, {along}\n{count} samples", fontsize=8)
            axis.grid(axis="x", linewidth=0.4)
    axes[0, 0].set(xlim=(-0.03, 1.03), ylim=(len(names) - 0.5, -0.5))
    for line in axes:
        line[0].set_yticks(range(len(names)), [NAMES[name] for name in names], fontsize=8)
    return figure


def _interval_dot(axis, row, found, name):
    if found is None or found["value"] is None:
        return
    colour = COLOURS.get(name, GREY)
    if found["low"] is not None:
        axis.plot([found["low"], found["high"]], [row, row], color=colour, linewidth=2)
    axis.plot(found["value"], row, MARKERS.get(name, "D"), color=colour, markersize=5)


def randomised_weights(disturbed, layers, limit):
    """Show how alike each method's maps stay as weights are lost, layer by layer; see `sanity.disturbed`."""
    figure, (left, right) = begin(9, 3.4, 1, 2, sharey=True, width_ratios=[1.5, 1])
    for method, name in METHODS.items() if disturbed else ():
        found = [disturbed[f"weights:{layer}"][method] for layer in layers]
        _with_bars(left, np.arange(1, len(layers) + 1), found, method, name)
        others = [disturbed[test][method] for test in ("labels", "retrained", "noise")]
        _with_bars(right, np.arange(3) + 0.12 * (list(METHODS).index(method) - 1), others, method, name, line="")
    if disturbed:
        size = [disturbed[f"magnitude:weights:{layer}"]["ig"] for layer in layers]
        _with_bars(left, np.arange(1, len(layers) + 1), size, "random", "Integrated Gradients, without signs")
    left.axhline(limit, color="black", linestyle="--", linewidth=0.9)
    left.axhline(0, color="#bbbbbb", linewidth=0.8)
    right.axhline(0, color="#bbbbbb", linewidth=0.8)
    left.set_xticks([0, *range(1, len(layers) + 1)], ["trained", *layers])
    left.plot([0], [1], "ko", markersize=4)
    left.set(xlabel="weights are random down to this layer", ylabel="rank correlation")
    right.set_xticks(range(3), ["permuted\nlabels", "trained on other\nrecordings", "a little\nnoise"])
    left.legend(frameon=False, fontsize=8)
    seaborn.despine(figure)
    return figure


def _with_bars(axis, x, found, method, label, line="-"):
    values = np.array([np.nan if item["value"] is None else item["value"] for item in found])
    low, high = (
        np.array([v if item[end] is None else item[end] for v, item in zip(values, found, strict=True)])
        for end in ("low", "high")
    )
    axis.errorbar(
        x, values, [values - low, high - values], color=COLOURS.get(method, GREY), marker=MARKERS.get(method, "x"),
        linestyle=line, markersize=5, linewidth=1.3, capsize=2, label=label,
    )  # fmt: skip


def deletion_curves(curves, gain):
    """Show the score as cells are taken away and put in, in each map's order and at random; see `sanity.summary`."""
    figure, axes = begin(9, 3.9, 1, 2, sharey=True)
    for axis, kind in zip(axes, ("deletion", "insertion"), strict=True):
        for name, values in curves.get(kind, {}).items():
            values = np.array(values, float)  # None where no sample has a score
            tail = "".join(
                f", {_signed_text(gain[other][name]['value'])} by {other}"
                for other in curves
                if gain[other].get(name, {}).get("value") is not None
            )
            style = {"color": COLOURS.get(name, GREY), "marker": MARKERS.get(name, "x"), "markersize": 4}
            axis.plot(np.linspace(0, 1, len(values)), values, label=f"{NAMES[name]}{tail}", linewidth=1.3, **style)
        axis.set_title(kind)
        axis.set_xlabel(f"share of cells {'replaced' if kind == 'deletion' else 'put in'}, the most relevant first")
    axes[0].set_ylabel("score (0: other EEG, 1: the sample)")
    keys = axes[0].get_legend_handles_labels()
    figure.legend(*keys, loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    seaborn.despine(figure)
    return figure
