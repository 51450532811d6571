"""The study's style, and figures of signals: each function returns a figure and saves nothing."""

import re

import matplotlib
import numpy as np
from IPython.display import DisplayObject, Image
from matplotlib import pyplot
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from scipy.signal import butter, sosfiltfilt

from helpers.study import files
from helpers.study.bands import BANDS

SEIZURE = "#d55e00"  # vermilion and blue of Okabe and Ito (2008): distinct to the colour-blind, and in grey
DECISION = "#0072b2"
SPECTROGRAM_MAP = "viridis"
WIDTH = 6.5  # inches, of every figure: in a page's column its text is as large as the page's, on a phone still legible
# On Matplotlib's copy of seaborn's style "ticks", as seaborn takes longer to import than a figure to draw. Opaque and
# light, so that a figure is legible on a dark page too.
STYLE = {
    "axes.prop_cycle": matplotlib.cycler(color=["#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860"]),
    **dict.fromkeys(("font.size", "axes.labelsize"), 9.6),
    **dict.fromkeys(("legend.fontsize", "xtick.labelsize", "ytick.labelsize"), 8.8),
    **dict.fromkeys(("axes.linewidth", "xtick.major.width", "ytick.major.width"), 1.0),
    **dict.fromkeys(("xtick.major.size", "ytick.major.size", "lines.markersize"), 4.8),
    "lines.linewidth": 1.2,
    "font.sans-serif": ["DejaVu Sans"],  # it comes with Matplotlib: the same on every machine
    "figure.dpi": 144,
    "savefig.dpi": 144,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # where it is not looked for, which takes a sixth of the time of drawing
    "figure.titlesize": 10,
    "path.simplify_threshold": 0.5,
    "svg.hashsalt": "study",  # the same names in the same figure
    "svg.fonttype": "none",  # text that can be searched, and is a third as large as outlines of letters
}
EEG_HZ, LINE_UV = (1.0, 40.0), 200  # EEG is shown alike in all figures: this band, this many µV from line to line


def begin(width, height, rows=1, columns=1, mosaic=None, **options):
    """Return a new figure and its axes in the study's style, regardless of the user's matplotlibrc."""
    matplotlib.rcdefaults()
    pyplot.style.use(["seaborn-v0_8-ticks", STYLE])
    options = {"layout": "constrained", "figsize": (width, height)} | options
    figure, axes = pyplot.subplot_mosaic(mosaic, **options) if mosaic else pyplot.subplots(rows, columns, **options)
    pyplot.close(figure)  # pyplot would keep it, and a notebook show it a second time
    return figure, axes


def save(figure, path):
    """Write a figure as SVG or PNG, the same bytes each time, and return what shows it in a notebook."""
    vector = path.suffix == ".svg"
    with files.atomic_write(path) as partial:
        figure.savefig(partial, metadata={"Date": None} if vector else None)
        if vector:
            partial.write_text(re.sub(' d="[^"]+"', _shorten, partial.read_text("utf-8")), "utf-8")
    return Drawing(path.read_text("utf-8")) if vector else Image(filename=path)


class Drawing(DisplayObject):
    """An SVG as a notebook shows it; IPython's own class parses it first."""

    def _repr_svg_(self):
        return self.data[self.data.index("<svg") :]


def _shorten(path):
    """Return a path of an SVG with numbers to a tenth of a point, and without letters between points of one line."""
    path = re.sub(r"(\.\d)\d+", r"\1", path[0])
    return path if re.search("[QC]", path) else re.sub(r"\s+L ", " ", path)


def despine(figure):
    """Hide the upper and the right edges of a figure's panels."""
    for axis in figure.axes:
        axis.spines[["top", "right"]].set_visible(False)


def letter(axes):
    """Write A, B, C … above the upper left corners of panels."""
    for axis, name in zip(axes, "ABCDEFGH", strict=False):
        axis.annotate(
            name, (0, 1), xycoords="axes fraction", xytext=(-8, 5), textcoords="offset points", ha="right",
            fontsize=11, weight="bold",
        )  # fmt: skip


def draw_means(axis, places, found, horizontal=False, **options):
    """Draw means with their intervals, as from `intervals.interval`; without an interval the mean alone."""
    value, low, high = (np.array([item[key] for item in found], float) for key in ("value", "low", "high"))  # None: NaN
    errors = {
        "xerr" if horizontal else "yerr": np.maximum(np.nan_to_num([value - low, high - value]), 0)
    }  # a range may lie beside
    style = {"marker": "o", "markersize": 5, "capsize": 2, "elinewidth": 1.6} | options
    axis.errorbar(*((value, places) if horizontal else (places, value)), **errors, **style)


def timeline(recordings, seizures):
    """Show each recording as a bar over its own time, seizures on it. Tables as `recordings.survey` gives them."""
    figure, axis = begin(WIDTH, 0.9 + 0.22 * len(recordings))
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
    despine(figure)
    return figure


def traces(signal, sampling_hz, channels, start_s, seizure, title):
    """Show EEG as a neurologist reads it, around the onset of `seizure`, (start_s, end_s); see `draw_traces`."""
    figure, axis = begin(WIDTH, 5.2)
    end_s = draw_traces(axis, signal, sampling_hz, channels, start_s)
    axis.axvspan(max(seizure[0], start_s), min(seizure[1], end_s), color=SEIZURE, alpha=0.12, lw=0)
    axis.axvline(seizure[0], color=SEIZURE, linestyle="--", linewidth=1.2)
    axis.set_title(title)
    despine(figure)
    return figure


def draw_traces(axis, signal, sampling_hz, channels, start_s):
    """Draw EEG, [channel, sample] in µV from `start_s` on, filtered to `EEG_HZ`: one line per channel, negative up.

    Lines are `LINE_UV` apart, with a gap after each chain of electrodes and a grid of seconds. Return the time at which
    it ends, in s.
    """
    band, kept = butter(2, EEG_HZ, "bandpass", fs=sampling_hz, output="sos"), max(1, int(sampling_hz / (3 * EEG_HZ[1])))
    shown = sosfiltfilt(band, signal)[:, ::kept]
    time = start_s + np.arange(shown.shape[1]) * kept / sampling_hz
    ends = [channel.split("-") for channel in channels]
    gaps = [0, *(before[1] != after[0] for before, after in zip(ends, ends[1:], strict=False))]
    rows = np.arange(len(channels)) + np.cumsum(gaps)
    axis.plot(time, rows + shown.T / LINE_UV, color="black", linewidth=0.5)
    axis.set_yticks(rows, channels, fontsize=8)
    axis.tick_params(axis="y", length=0)
    end_s = start_s + signal.shape[1] / sampling_hz
    axis.set(xlim=(start_s, end_s), ylim=(rows[-1] + 1.5, -1.5))  # upside down: the first on top, negative up
    seconds, beside = np.arange(np.ceil(start_s), end_s), {"transform": axis.get_yaxis_transform(), "clip_on": False}
    axis.vlines(seconds, 0, 1, "#dddddd", linewidth=0.5, transform=axis.get_xaxis_transform(), zorder=0)
    axis.plot([1.012] * 2, [rows[-1] - 1, rows[-1]], DECISION, linewidth=3, **beside)
    axis.text(1.02, rows[-1] - 0.5, f"{LINE_UV} µV", rotation=90, va="center", color=DECISION, fontsize=8, **beside)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel("time in the recording (s)")
    return end_s


def spectrogram(power, frequencies_hz, hop_s, seizures, title):
    """Show one recording's log power, averaged over channels, [F, column] in dB, with its seizures."""
    figure, axis = begin(WIDTH, 2.6)
    low, high = np.percentile(power, [2, 98])
    image = draw(axis, power, frequencies_hz, 0.0, hop_s, cmap=SPECTROGRAM_MAP, vmin=low, vmax=high)
    for start, end in seizures:
        axis.plot([start, end], [frequencies_hz[-1] + 2.5] * 2, color=SEIZURE, linewidth=5, clip_on=False)
        axis.text(end, frequencies_hz[-1] + 2.5, " seizure", color=SEIZURE, va="center", weight="bold", clip_on=False)
    axis.set_ylim(image.get_extent()[2:])  # the bars lie above
    axis.set_title(title, pad=14)
    figure.colorbar(image, ax=axis, label="power (dB re 1 µV²/Hz)", pad=0.06)
    return figure


def draw(axis, values, frequencies_hz, start_s, hop_s, bands=True, lines="white", **options):
    """Draw [F, column] values on physical axes, with the bands named on the right; return the image."""
    step = frequencies_hz[1] - frequencies_hz[0]
    low, high = frequencies_hz[0] - step / 2, frequencies_hz[-1] + step / 2
    extent = (start_s, start_s + values.shape[1] * hop_s, low, high)
    # An SVG holds few cells as they are, and many as a picture of its own size.
    options["interpolation"] = "none" if values.size < 50_000 else "auto"
    image = axis.imshow(values, origin="lower", aspect="auto", extent=extent, **options)
    axis.set_xlabel("time (s)")
    if axis.get_subplotspec().is_first_col():
        axis.set_ylabel("frequency (Hz)")
    for band, (_, start, end) in BANDS.items():
        if start > low:
            axis.axhline(start - step / 2, color=lines, linewidth=0.6, linestyle=":")
        if bands:
            middle = (max(start, low) + min(end, high)) / 2
            axis.annotate(band, (1.015, middle), xycoords=("axes fraction", "data"), va="center", fontsize=7)
    return image
