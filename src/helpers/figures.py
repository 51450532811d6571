"""The study's figures of signals and attributions: a function a figure; each returns it and saves nothing."""

import matplotlib
import numpy as np
import seaborn
from matplotlib import pyplot
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from helpers.spectrograms import BANDS

SEIZURE = "#d55e00"  # vermilion and blue of Okabe and Ito (2008): told apart by the colour-blind, and in grey
DECISION = "#0072b2"
SPECTROGRAM_MAP, SIGNED_MAP = "viridis", "RdBu_r"
# Turbo (blue → red) without its darkest end, which would hide the spectrogram below.
RELEVANCE_MAP = ListedColormap(pyplot.get_cmap("turbo")(np.linspace(0.08, 0.98, 256)), "relevance")
STYLE = {
    "figure.dpi": 110,
    "savefig.dpi": 110,
    "font.size": 9,
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
}


def begin(width, height, rows=1, columns=1, **options):
    """Return a new figure and its axes in the study's style."""
    seaborn.set_theme(style="ticks", rc=STYLE)
    figure, axes = pyplot.subplots(rows, columns, figsize=(width, height), **options)
    pyplot.close(figure)  # pyplot would keep it, and a notebook show it a second time
    return figure, axes


def timeline(recordings, seizures):
    """Show each recording as a bar over its own time, seizures on it. Tables as `recordings.survey` gives them."""
    figure, axis = begin(8, 0.9 + 0.28 * len(recordings))
    for row, recording in enumerate(recordings.itertuples()):
        axis.barh(row, recording.duration_s / 60, color="#dddddd", edgecolor="#888888", height=0.6)
        for seizure in seizures[seizures["recording"] == recording.recording].itertuples():
            length = (seizure.end_s - seizure.start_s) / 60
            axis.barh(row, length, left=seizure.start_s / 60, color=SEIZURE, edgecolor="black", height=0.6, hatch="//")
    axis.set_yticks(range(len(recordings)), recordings["recording"])
    axis.invert_yaxis()
    axis.set_xlabel("time in the recording (min)")
    keys = [Patch(fc="#dddddd", ec="#888888", label="EEG"), Patch(fc=SEIZURE, ec="black", hatch="//", label="seizure")]
    axis.legend(handles=keys, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    seaborn.despine(figure)
    return figure


def traces(signal, sampling_hz, channels, start_s, seizure, title):
    """Show raw EEG as a neurologist reads it, around the onset of `seizure`, (start_s, end_s); see `draw_traces`."""
    figure, axis = begin(9, 6.5)
    end_s = draw_traces(axis, signal, sampling_hz, channels, start_s)
    axis.axvspan(max(seizure[0], start_s), min(seizure[1], end_s), color=SEIZURE, alpha=0.12, lw=0)
    axis.axvline(seizure[0], color=SEIZURE, linestyle="--", linewidth=1.2)
    axis.set_title(f"{title}; negative up, shaded from the annotated onset on", loc="left")
    seaborn.despine(figure)
    return figure


def draw_traces(axis, signal, sampling_hz, channels, start_s):
    """Draw raw EEG: a channel a line, negative up, with a scale in µV; return the time of the last sample in s.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
    signal : float [channel, sample]
        In µV.
    sampling_hz : float
    channels : list of str
    start_s : float
        Of the first sample, in the recording.
    """
    time = start_s + np.arange(signal.shape[1]) / sampling_hz
    # One sensitivity for all channels, as on paper: a line's distance is what nearly all samples stay within.
    centred = signal - np.median(signal, axis=1, keepdims=True)
    spacing = max(50.0, 50 * round(np.percentile(np.abs(centred), 97) * 2 / 50))
    for row, line in enumerate(centred):
        axis.plot(time, row + line / spacing, color="black", linewidth=0.45)
    axis.set_yticks(range(len(channels)), channels)
    axis.set_ylim(len(channels) + 0.5, -1.5)  # upside down: the first channel on top, negative up
    axis.set_xlim(time[0], time[-1])
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    scale_s = time[-1] - 0.012 * (time[-1] - time[0])
    axis.plot([scale_s] * 2, [len(channels) - 0.8, len(channels) + 0.2], color=DECISION, linewidth=3)
    axis.annotate(
        f"{spacing:.0f} µV", (scale_s, len(channels) - 0.3), xytext=(-6, 0), textcoords="offset points",
        ha="right", va="center", color=DECISION, weight="bold",
    )  # fmt: skip
    axis.set_xlabel("time in the recording (s)")
    return time[-1]


def spectrogram(power, frequencies_hz, hop_s, seizures, title):
    """Show one recording's log power, averaged over channels, [F, column] in dB, with its seizures."""
    figure, axis = begin(9, 3.2)
    low, high = np.percentile(power, [2, 98])
    image = draw(axis, power, frequencies_hz, 0.0, hop_s, cmap=SPECTROGRAM_MAP, vmin=low, vmax=high)
    for start, end in seizures:
        axis.plot([start, end], [frequencies_hz[-1] + 2.5] * 2, color=SEIZURE, linewidth=5, clip_on=False)
        axis.text(end, frequencies_hz[-1] + 2.5, " seizure", color=SEIZURE, va="center", weight="bold", clip_on=False)
    axis.set_title(title, loc="left", pad=14)
    figure.colorbar(image, ax=axis, label="power (dB re 1 µV²/Hz)", pad=0.06)
    return figure


def draw(axis, values, frequencies_hz, start_s, hop_s, bands=True, lines="white", **options):
    """Draw [F, column] values on physical axes, with the bands named on the right; return the image."""
    step = frequencies_hz[1] - frequencies_hz[0]
    low, high = frequencies_hz[0] - step / 2, frequencies_hz[-1] + step / 2
    extent = (start_s, start_s + values.shape[1] * hop_s, low, high)
    image = axis.imshow(values, origin="lower", aspect="auto", extent=extent, interpolation="nearest", **options)
    axis.set_xlabel("time (s)")
    if axis.get_subplotspec().is_first_col():
        axis.set_ylabel("frequency (Hz)")
    for band, (_, start, end) in BANDS.items():
        if start > low:
            axis.axhline(start - step / 2, color=lines, linewidth=0.6, linestyle=":")
        if bands:
            middle = (max(start, low) + min(end, high)) / 2
            axis.annotate(band, (1.015, middle), xycoords=("axes fraction", "data"), va="center", fontsize=8)
    return image


def legend(label, low, high, cmap, ends):
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


def sample_pictures(sample, power, maps, axis, limits, simulated):
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

    Yields
    ------
    (str, matplotlib.figure.Figure)
        File name and picture, made one at a time.
    """
    classes = ("non-seizure", "seizure")
    recording = f"{sample.recording}{' (simulated)' if simulated else ''}"
    title = (
        f"sample {sample.sample}, {recording}: true {classes[sample.label]}, predicted {classes[sample.decided]}, "
        f"p_seizure {sample.p_seizure:.3f}"
    )
    place, name = (axis["frequencies_hz"], axis["hop_s"], sample.start_s), f"sample{sample.sample}"
    explained = f"for the predicted class\n{title}"
    limit = float(np.abs(maps["ig"]).max())
    step_s = power.shape[2] * axis["hop_s"]
    yield f"{name}_spec_triptych.png", spectrogram_triptych(power, *place, limits, title)
    yield f"{name}_gradcam.png", relevance_triptych(maps["gradcam"], power, *place, f"Grad-CAM {explained}")
    yield f"{name}_gradcampp.png", relevance_triptych(maps["gradcampp"], power, *place, f"Grad-CAM++ {explained}")
    yield (
        f"{name}_ig_triptych.png",
        signed_triptych(maps["ig"], *place, f"Integrated Gradients of the log-odds of seizure\n{title}"),
    )
    for step in range(3):
        start = (*place[:2], sample.start_s + step * step_s)
        figure = signed_step(maps["ig"][step], *start, limit, f"sample {sample.sample}, IG of t{step}")
        yield f"{name}_ig_t{step}.png", figure


def _signed(axis, values, frequencies_hz, hop_s, start_s, limit, bands):
    limit = max(limit, np.finfo(np.float32).tiny)
    image = draw(axis, values, frequencies_hz, start_s, hop_s, bands, "gray", cmap=SIGNED_MAP, vmin=-limit, vmax=limit)
    # In grey both ends are dark: solid lines go round what speaks for seizure, dashed ones round what speaks against.
    _contours(axis, image, values, [0.4 * limit], "solid")
    _contours(axis, image, values, [-0.4 * limit], "dashed")
    return image


def _contours(axis, image, values, levels, style):
    if values.min() < min(levels) < values.max():
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
