"""The study's style, and figures of signals: each function returns a figure and saves nothing."""

import matplotlib
import numpy as np
import seaborn
from matplotlib import pyplot
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from helpers.study.bands import BANDS

SEIZURE = "#d55e00"  # vermilion and blue of Okabe and Ito (2008): distinct to the colour-blind, and in grey
DECISION = "#0072b2"
SPECTROGRAM_MAP = "viridis"
STYLE = {
    "figure.dpi": 144,
    "savefig.dpi": 144,
    "font.size": 9,
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
}


def begin(width, height, rows=1, columns=1, **options):
    """Return a new figure and its axes in the study's style, regardless of the user's matplotlibrc."""
    matplotlib.rcdefaults()
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
    """Draw raw EEG, [channel, sample] in µV from `start_s` on: one line per channel, negative up, with a scale.

    Return the time of the last sample in s.
    """
    time = start_s + np.arange(signal.shape[1]) / sampling_hz
    # One sensitivity for all channels, as on paper: nearly all samples stay within the distance between lines.
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
