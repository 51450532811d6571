"""The explorer's picture: EEG, spectrogram, attribution and probability of a moment, one below the other.

Drawn anew at each move of a slider, it must be fast: its parts are made once and only get other values. What stays from
moment to moment is kept as a background, and the rest ("animated") drawn over it.
"""

import io
from dataclasses import dataclass

import numpy as np
import seaborn
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from helpers import figures
from helpers.evaluate import figures as score_figures
from helpers.explorer_eeg import EegPanel
from helpers.explorer_maps import MapsPanel
from helpers.explorer_words import verdict

SIZES = {"small": (9.2, 6.4), "medium": (11.8, 7.6), "large": (14.6, 8.1)}  # in units of 100 dots
LEFT, WIDTH = 0.085, 0.765
PLACES = {"eeg": (0.425, 0.49), "power": (0.28, 0.1), "heat": (0.15, 0.1), "course": (0.063, 0.062)}  # foot, height
SAMPLE_LINE = {"color": "#777777", "linestyle": ":", "linewidth": 1.2}
PNG_EFFORT = 1  # of 9: more would take longer than it saves on the way to the browser


@dataclass(frozen=True)
class View:
    """What is to be seen.

    Attributes
    ----------
    recording : str
    moment_s : float
        In the recording; what is shown is the sample that decides on its frame.
    page_s : float
        EEG on the page; the triptych at least.
    uv : float
        Sensitivity: microvolts between two lines.
    filter : str
        One of `moments.FILTERS`.
    method : str
        One of `attributions.METHODS`.
    channel : str or None
        Whose spectrogram; None for the mean of all.
    shaded : bool
        Whether Integrated Gradients by channel shade the EEG.
    """

    recording: str
    moment_s: float
    page_s: float = 0.0
    uv: float = 200.0
    filter: str = "as recorded"
    method: str = "gradcam"
    channel: str | None = None
    shaded: bool = False


class Page:
    """The picture of a `moments.Study`, in one of `SIZES`."""

    def __init__(self, study, size="medium"):
        self.study, self.recording, self._of_recording = study, None, []
        seaborn.set_theme(style="ticks", rc=figures.STYLE)
        with rc_context({"figure.constrained_layout.use": False, "axes.labelsize": 9}):
            self.figure = Figure(figsize=SIZES[size], dpi=100)
            self.canvas = FigureCanvasAgg(self.figure)
            places = [(LEFT, foot, WIDTH, height) for foot, height in PLACES.values()]
            eeg, power, heat, self.course = axes = [self.figure.add_axes(place) for place in places]
            for axis in axes:
                axis.tick_params(labelsize=8, length=3, pad=2)
            beside = self.figure.add_axes((0.858, PLACES["eeg"][0], 0.085, PLACES["eeg"][1]))
            self.eeg, self.maps = EegPanel(eeg, beside), MapsPanel(power, heat, study.axis, study.limits_db)
            self.moving = (eeg, power, heat, beside)
            style = {"va": "top", "animated": True}
            self.headline = self.figure.text(0.012, 0.985, "", weight="bold", fontsize=11, **style)
            self.subline = self.figure.text(0.012, 0.957, "", fontsize=9.5, **style)
            handles = [*score_figures.KEYS, Line2D([], [], label="threshold for a sample", **SAMPLE_LINE)]
            style = {"frameon": False, "fontsize": 7.5, "borderpad": 0.1, "columnspacing": 1.0, "handlelength": 1.6}
            self.figure.legend(handles=handles, loc="lower center", ncols=6, **style)
            self.course.set_animated(True)
            self.canvas.draw()
            self._empty, self._behind = self.canvas.copy_from_bbox(self.figure.bbox), None

    def picture(self, view):
        """Return the picture of a `View` as PNG, and whether an attribution is still missing, to be computed.

        Raises
        ------
        ValueError, OSError
            If there is no such moment, or the recording's file is not what was acquired.
        """
        study, sample = self.study, self.study.sample_at(view.recording, view.moment_s)
        start_s, end_s = study.page(view.recording, view.moment_s, view.page_s)
        signal, rate_hz = study.eeg(view.recording, start_s, end_s, view.filter)
        power, first_s = study.power(view.recording, start_s, end_s, view.channel)
        ready = sample is not None and study.explained(sample)
        found = study.attribution(sample) if ready else None
        self._turn_to(view.recording)
        self.eeg.show(signal, rate_hz, start_s, end_s, view.uv)
        self.maps.show_power(power, first_s, start_s, end_s, view.channel or "mean of 18 channels")
        self._show_attribution(sample, found, view)
        self._show_place(sample, start_s, end_s, view)
        self._paint()
        picture, stream = Image.fromarray(np.asarray(self.canvas.buffer_rgba())).convert("RGB"), io.BytesIO()
        picture.save(stream, "PNG", compress_level=PNG_EFFORT)
        return stream.getvalue(), sample is not None and not ready

    def _turn_to(self, recording):
        """Draw what belongs to a whole recording: seizures, alarms, the course of the probability."""
        if recording == self.recording:
            return
        for artist in self._of_recording:
            artist.remove()
        self.recording, study = recording, self.study
        seizures, alarms, own = (
            table[table["recording"] == recording] for table in (study.seizures, study.alarms, study.decisions)
        )
        self._of_recording = self.eeg.turn_to(seizures, alarms)
        style = {"color": figures.SEIZURE, "linewidth": 1.6}
        for axis in (self.eeg.axis, self.maps.power, self.maps.heat):
            self._of_recording += [axis.axvline(start_s, linestyle="--", **style) for start_s in seizures["start_s"]]
            self._of_recording += [axis.axvline(end_s, linestyle=":", **style) for end_s in seizures["end_s"]]
        for artist in self._of_recording:
            artist.set_animated(True)
        self._draw_course(own, study.durations[recording])

    def _draw_course(self, own, duration_s):
        """Draw the probability over the whole recording; `own`: its decisions."""
        axis = self.course
        axis.clear()
        self.unit, name = (60, "min") if duration_s > score_figures.LONG_S else (1, "s")
        seizures = self.study.seizures[self.study.seizures["recording"] == self.recording]
        spans = seizures[["start_s", "end_s"]].to_numpy()
        score_figures.draw_course(axis, self.study.decisions, spans, self.recording, self.unit)
        axis.axhline(own["threshold"].iloc[0], **SAMPLE_LINE)
        axis.set_xlim(0, duration_s / self.unit)
        axis.set_ylabel("p", fontsize=9)
        title = f"Probability over the whole recording ({name}); the page in a frame"
        axis.set_title(title, loc="left", fontsize=9, pad=3)
        self.shown = axis.axvspan(0, 1, fc="none", ec="black", lw=1.0, animated=True)
        self.cursor = axis.axvline(0, color="black", linewidth=1.8, animated=True)

    def _show_attribution(self, sample, found, view):
        study, hop_s = self.study, self.study.axis["hop_s"]
        self.maps.name_method(view.method, study.failed.get(view.method))
        start_s = None if sample is None else sample.start_s
        for panel in (self.eeg, self.maps):
            panel.show_frames(start_s, study.axis["frame_s"])
        by_channel = None if found is None else found["ig_channels"]
        self.eeg.show_channels(by_channel, start_s, hop_s, view.shaded)
        if found is None:
            self.maps.show_nothing("the first two frames have no sample" if sample is None else "being computed …")
        elif view.method == "ig":
            self.maps.show_signed(found["ig"], start_s)
        else:
            power, _ = study.power(view.recording, start_s, sample.end_s)
            self.maps.show_relevance(found[view.method], power, start_s)

    def _show_place(self, sample, start_s, end_s, view):
        """Show where the page lies: in words, and on the whole recording."""
        moment = self.study.frame_start(view.recording, view.moment_s) + self.study.axis["frame_s"] / 2
        self.shown.set(x=start_s / self.unit, width=(end_s - start_s) / self.unit)
        self.cursor.set_xdata([moment / self.unit] * 2)
        kind = "SIMULATED EEG" if self.study.simulated else "EEG"
        eeg = "" if view.filter == "as recorded" else f" (shown {view.filter}; the network saw it as recorded)"
        self.headline.set_text(f"{view.recording}, {kind}, {start_s:g}–{end_s:g} s, negative up{eeg}")
        self.subline.set_text(verdict(sample))

    def _paint(self):
        """Draw what moves over a background: the empty page, then the course of the recording's probability on it."""
        renderer = self.canvas.get_renderer()
        if self._behind != self.recording:
            self.canvas.restore_region(self._empty)
            self.course.draw(renderer)
            self._behind, self._background = self.recording, self.canvas.copy_from_bbox(self.figure.bbox)
        self.canvas.restore_region(self._background)
        for parent in self.moving:
            animated = [artist for artist in parent.get_children() if artist.get_animated()]
            for artist in sorted(animated, key=lambda artist: artist.get_zorder()):
                artist.draw(renderer)
        for artist in (self.headline, self.subline, self.maps.key.ax, self.shown, self.cursor):
            artist.draw(renderer)
