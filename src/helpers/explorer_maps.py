"""The explorer's pictures of frequency and time: the spectrogram, and below it what a method makes of the triptych."""

import numpy as np
from matplotlib.colorbar import Colorbar

from helpers.explain import attribution_figures
from helpers.explain.attributions import METHODS
from helpers.figures import SPECTROGRAM_MAP
from helpers.study.bands import BANDS, band_masks

KEY_AT = 0.926  # where the colour keys stand, in shares of the figure's width


class MapsPanel:
    """Spectrogram and attribution, on two axes with the same time.

    Parameters
    ----------
    power, heat : matplotlib.axes.Axes
        For the spectrogram, and for the attribution.
    axis : dict
        From `filterbank.axes`.
    limits_db : (low, high)
        Of the scale of power.
    """

    def __init__(self, power, heat, axis, limits_db):
        self.power, self.heat, self.hop_s, self.contours = power, heat, axis["hop_s"], []
        masks = {band: mask for band, mask in band_masks(axis["frequencies_hz"]).items() if mask.any()}
        bins = [np.flatnonzero(mask) for mask in masks.values()]
        # All bands are equally high, as three of the five lie below 13 of 55 Hz, and every bin has a row.
        self.rows = max(map(len, bins))
        self.bins = np.concatenate([own[np.arange(self.rows) * len(own) // self.rows] for own in bins])
        style = {"aspect": "auto", "interpolation": "nearest", "origin": "lower", "extent": (0, 1, 0, len(self.bins))}
        blank = np.zeros((len(self.bins), 1))
        self.image = power.imshow(blank, cmap=SPECTROGRAM_MAP, vmin=limits_db[0], vmax=limits_db[1], **style)
        self.under, self.over = heat.imshow(blank, cmap="gray", **style), heat.imshow(blank, **style)
        heat.set_facecolor("#eeeeee")
        self.missing = heat.text(0.5, 0.5, "", transform=heat.transAxes, ha="center", va="center", fontsize=10)
        self.edges = []
        for one, colour in ((power, "white"), (heat, "black")):
            self._name_bands(one, list(masks), colour)
            self.edges += [one.axvline(0, color=colour, linewidth=1.6) for _ in range(4)]
            for artist in (*one.lines, *one.images, *one.spines.values(), *one.texts[len(masks) :]):
                artist.set_animated(True)
        self.missing.set_animated(True)
        self.titles = [one.set_title("", loc="left", fontsize=9, pad=3) for one in (power, heat)]
        _key(power, self.image).set_label("dB re\n1 µV²/Hz", fontsize=8)
        self.key = _key(heat, self.over)
        for artist in (*self.titles, self.key.ax):
            artist.set_animated(True)
        self._colours = None

    def _name_bands(self, axis, bands, colour):
        """Name the bands on the right, and their edges in Hz on the left."""
        edges = [BANDS[band][1] for band in bands] + [BANDS[bands[-1]][2]]
        axis.set_yticks(np.arange(len(edges)) * self.rows, [f"{edge:g}" for edge in edges])
        axis.set(ylabel="Hz", xticks=[])
        where = {"xycoords": ("axes fraction", "data"), "va": "center", "fontsize": 7.5, "annotation_clip": False}
        for number, band in enumerate(bands):
            axis.annotate(f"{band} {BANDS[band][0]}", (1.008, (number + 0.5) * self.rows), **where)
            axis.axhline(number * self.rows, color=colour, linewidth=0.6, linestyle=":")

    def show_power(self, power, first_s, start_s, end_s, title):
        """Show log power [F, column] in dB, its first column at `first_s`, on a page from `start_s` to `end_s`."""
        self._place(self.image, power, first_s)
        self.power.set_xlim(start_s, end_s)
        self.heat.set_xlim(start_s, end_s)
        self.titles[0].set_text(f"Spectrogram, {title}")

    def _place(self, image, values, start_s):
        image.set_data(values[self.bins])
        image.set_extent((start_s, start_s + values.shape[1] * self.hop_s, 0, len(self.bins)))

    def show_frames(self, start_s, frame_s):
        """Part the frames of the triptych that begins at `start_s`; None: there is none."""
        for number, edge in enumerate(self.edges):
            edge.set_visible(start_s is not None)
            edge.set_xdata([(start_s or 0.0) + number % 4 * frame_s] * 2)

    def name_method(self, method, failed):
        """Say which method is shown, and the tests that it fails: list of str."""
        of = "of the log-odds of seizure" if method == "ig" else "for the predicted class"
        self.titles[1].set_text(f"{METHODS[method]} {of}" + (f"; FAILS: {', '.join(failed)}" if failed else ""))

    def show_nothing(self, why):
        """Say why there is no attribution."""
        self._clear(False, False)
        self.missing.set_text(why)

    def show_relevance(self, relevance, power, start_s):
        """Show a class activation map over its spectrogram, [3, F, T] and [F, 3 · T], from `start_s` on.

        One scale for the three steps: 1 is the highest relevance in the triptych. Contours are at 50 % and 80 %.
        """
        self._clear(True, True)
        relative = relevance / max(float(relevance.max()), np.finfo(np.float32).tiny)
        self._place(self.under, power, start_s)
        self.under.set_clim(power.min(), power.max())
        self._place(self.over, np.concatenate(relative, axis=1), start_s)
        self._colour("relevance", attribution_figures.RELEVANCE_MAP, (0, 1), 0.6)
        self._outline(relative, start_s, {"solid": [0.5, 0.8]})

    def show_signed(self, attribution, start_s):
        """Show Integrated Gradients, [3, F, T] toward seizure, on one scale symmetric about 0; contours at ± 40 %."""
        self._clear(True, False)
        peak = max(float(np.abs(attribution).max()), np.finfo(np.float32).tiny)
        self._place(self.over, np.concatenate(attribution, axis=1), start_s)
        self._colour("− against,\n+ for seizure", attribution_figures.SIGNED_MAP, (-peak, peak), 1.0)
        self._outline(attribution, start_s, {"solid": [0.4 * peak], "dashed": [-0.4 * peak]})

    def _colour(self, label, cmap, limits, alpha):
        """Set the attribution's colours, and its colour key: only if they are others, as it takes time."""
        if self._colours == (label, limits):
            return
        self._colours = label, limits
        self.over.set(cmap=cmap, clim=limits, alpha=alpha)
        self.key.update_normal(self.over)  # by itself it follows a change of colours, but not of transparency
        self.key.set_label(label, fontsize=8)

    def _clear(self, over, under):
        for drawn in self.contours:
            drawn.remove()
        self.contours = []
        self.over.set_visible(over)
        self.under.set_visible(under)
        self.key.ax.set_visible(over)
        self.missing.set_text("")

    def _outline(self, values, start_s, wanted):
        """Draw contours in each frame by itself, so that the map reads in grey, too; `wanted`: style → levels."""
        y = np.arange(len(self.bins)) + 0.5
        for step, frame in enumerate(values[:, self.bins]):
            x = start_s + (step * frame.shape[1] + np.arange(frame.shape[1]) + 0.5) * self.hop_s
            for style, levels in wanted.items():
                if inside := [level for level in levels if frame.min() < level < frame.max()]:
                    options = {"colors": "black", "linewidths": 0.8, "linestyles": style}
                    self.contours.append(self.heat.contour(x, y, frame, levels=inside, **options))
                    self.contours[-1].set_animated(True)


def _key(axis, image):
    """Add the colour key of an image beside its axis."""
    place = axis.get_position()
    bar = Colorbar(axis.figure.add_axes((KEY_AT, place.y0, 0.012, place.height)), image)
    bar.ax.tick_params(labelsize=7.5, length=3, pad=2)
    return bar
