"""The explorer's EEG: 18 channels as a neurologist reads them, and Integrated Gradients by channel beside and below."""

import numpy as np

from helpers.acquire.montages import DOUBLE_BANANA
from helpers.explain import attribution_figures
from helpers.figures import DECISION, SEIZURE

# Half rows from the top: a channel has two, between chains of a side is one, between left, right and midline two.
CHAINS = ((0, 4, 0), (4, 8, 1), (8, 12, 2), (12, 16, 1), (16, 18, 2))  # first channel, end, gap above
GROUPS = (("left", 0, 8), ("right", 8, 16), ("midline", 16, 18))
PAPER = {"fc": (1, 1, 1, 0.8), "lw": 0, "pad": 1}  # behind text that lines may cross
FOR, AGAINST = "#b2182b", "#2166ac"  # seizure, as the two ends of `attribution_figures.SIGNED_MAP`
PART_S = 0.5  # of the shading: finer is noise


def half_rows():
    """Return the channel of each half row, int [half row], -1 in the gaps; and each channel's middle, [18]."""
    found = []
    for first, last, gap in CHAINS:
        found += [-1] * gap + [channel for channel in range(first, last) for _ in range(2)]
    rows = np.array(found)
    return rows, np.array([np.flatnonzero(rows == channel).mean() for channel in range(len(DOUBLE_BANANA))])


class EegPanel:
    """EEG on one axis, and on a second one beside it what each channel adds to the log-odds of seizure."""

    def __init__(self, axis, beside):
        self.axis, self.beside = axis, beside
        self.rows, self.middles = half_rows()
        style = {"aspect": "auto", "interpolation": "nearest", "cmap": attribution_figures.SIGNED_MAP}
        self.shade = axis.imshow(np.full((len(self.rows), 1), np.nan), alpha=0.55, **style)
        self.lines = [axis.plot([], [], color="black", linewidth=0.55)[0] for _ in self.middles]
        self.edges = [axis.axvline(0, color="black", linewidth=0.8, linestyle=":") for _ in range(4)]
        style = {"ha": "center", "va": "center", "fontsize": 8.5, "bbox": PAPER}
        self.steps = [axis.text(0, -1.6, "", **style) for _ in range(3)]
        axis.set_yticks(self.middles, DOUBLE_BANANA)
        axis.set_ylim(len(self.rows) + 1.5, -5.4)  # upside down: the first channel on top, negative up
        for name, first, last in GROUPS:
            where = {"xycoords": ("axes fraction", "data"), "rotation": 90, "ha": "center", "va": "center"}
            place = (-0.088, self.middles[first:last].mean())
            axis.annotate(name, place, fontsize=9, weight="bold", annotation_clip=False, **where)
        self._make_scale()
        self._make_bars()
        for artist in (*axis.lines, *axis.images, *axis.spines.values(), axis.xaxis, *self.steps, self.scale):
            artist.set_animated(True)

    def _make_scale(self):
        style = {"color": DECISION, "transform": self.axis.get_yaxis_transform(), "clip_on": False}
        foot = len(self.rows) + 0.9
        self.axis.plot([0.985] * 2, [foot - 2, foot], linewidth=3, **style)  # as long as two lines are apart
        style |= {"ha": "right", "va": "center", "weight": "bold", "fontsize": 9, "bbox": PAPER}
        self.scale = self.axis.text(0.98, foot - 0.9, "", **style)

    def _make_bars(self):
        axis = self.beside
        self.bars = axis.barh(self.middles, 0 * self.middles, height=1.5, edgecolor="black", linewidth=0.4)
        axis.axvline(0, color="black", linewidth=0.6)
        axis.set(ylim=self.axis.get_ylim(), yticks=[], xticks=[], xlim=(-1.1, 1.1))
        axis.set_title("IG by channel", fontsize=8.5, pad=3)
        style = {"transform": axis.transAxes, "ha": "center", "va": "top", "fontsize": 8, "bbox": PAPER}
        self.limit = axis.text(0.5, 0.985, "", **style)
        for artist in (*self.bars, self.limit):
            artist.set_animated(True)

    def turn_to(self, seizures, alarms):
        """Draw a recording's annotated seizures and alarms; tables with ``start_s``, ``end_s``. Return the artists."""
        strip, drawn = {"transform": self.axis.get_xaxis_transform(), "lw": 0}, []
        self.tints = [self.axis.axvspan(*span, fc=(SEIZURE, 0.13), lw=0) for span in _spans(seizures)]
        for spans, foot, colour in ((_spans(seizures), 0.955, SEIZURE), (_spans(alarms), 0.98, DECISION)):
            bars = [(start_s, end_s - start_s) for start_s, end_s in spans]
            drawn.append(self.axis.broken_barh(bars, (foot, 0.018), fc=colour, **strip))
        return [*self.tints, *drawn]

    def show(self, signal, rate_hz, start_s, end_s, uv):
        """Show EEG [18, sample] in µV from `start_s` on, `uv` from line to line."""
        time = start_s + np.arange(signal.shape[1]) / rate_hz
        centred = signal - np.median(signal, axis=1, keepdims=True)
        for line, middle, values in zip(self.lines, self.middles, centred, strict=True):
            line.set_data(time, middle + 2 * values / uv)
        self.axis.set_xlim(start_s, end_s)
        self.scale.set_text(f"{uv:g} µV")

    def show_frames(self, start_s, frame_s):
        """Part the frames of the triptych that begins at `start_s`; None: there is none."""
        for number, edge in enumerate(self.edges):
            edge.set_visible(start_s is not None)
            edge.set_xdata([(start_s or 0.0) + number * frame_s] * 2)
        for step, text in enumerate(self.steps):
            text.set_visible(start_s is not None)
            text.set_text(f"t{step}, decided on" if step == 2 else f"t{step}")
            text.set_x((start_s or 0.0) + (step + 0.5) * frame_s)

    def show_channels(self, attribution, start_s, hop_s, shaded):
        """Show Integrated Gradients by channel, [3, 18, T] or None, as bars and, if `shaded`, below the EEG."""
        known = attribution is not None
        total = attribution.sum(axis=(0, 2)) if known else np.zeros(len(self.bars))
        limit = max(float(np.abs(total).max()), np.finfo(np.float32).tiny)
        for bar, value in zip(self.bars, total, strict=True):
            bar.set_width(value / limit)
            bar.set_facecolor(FOR if value > 0 else AGAINST)
        self.limit.set_text(f"± {limit:.2g} log-odds" if known else "")
        self.shade.set_visible(shaded and known)
        for tint in self.tints:  # two tints over each other could not be told apart: then the bar above must do
            tint.set_visible(not (shaded and known))
        if shaded and known:
            parts = [attribution_figures.sum_in_parts(step, PART_S / hop_s) for step in attribution]
            values = np.concatenate(parts, axis=1)
            limit, end_s = float(np.abs(values).max()), start_s + values.shape[1] * hop_s
            self.shade.set_data(np.where(self.rows[:, None] < 0, np.nan, values[self.rows]))
            self.shade.set(clim=(-limit, limit), extent=(start_s, end_s, len(self.rows) - 0.5, -0.5))


def _spans(table):
    return table[["start_s", "end_s"]].to_numpy(float).tolist()
