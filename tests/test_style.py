"""The study's style: EEG drawn as it is read, and files that are the same each time."""

import re

import numpy as np
import pytest
from IPython.display import Image
from PIL import Image as pillow

from helpers import figures
from helpers.acquire.montages import DOUBLE_BANANA


def draw():
    """Twelve seconds from 5 s on at 256 Hz: an offset and a slow drift; on the second channel 10 Hz of 100 µV as well,
    on the third 60 Hz."""
    time = np.arange(12 * 256) / 256
    signal = np.tile(500 + 300 * np.sin(0.2 * time), (18, 1))
    signal[1] += 100 * np.sin(2 * np.pi * 10 * time)
    signal[2] += 100 * np.sin(2 * np.pi * 60 * time)
    figure, axis = figures.begin(4, 3)
    figures.draw_traces(axis, signal, 256.0, DOUBLE_BANANA, 5.0)
    return figure, axis


def test_eeg_is_filtered_and_drawn_to_one_scale():
    """Only the 10 Hz are left, on their line, as high as the scale says; chains are apart; each second has a line."""
    _, axis = draw()
    rows, middle = axis.get_yticks(), slice(300, -300)
    traces = [line.get_ydata()[middle] for line in axis.get_lines() if len(line.get_xdata()) > 1000]
    heights = [np.abs(trace - row).max() * figures.LINE_UV for trace, row in zip(traces, rows, strict=True)]
    assert heights[1] == pytest.approx(100, rel=0.05) and max(heights[:1] + heights[2:]) < 15
    assert np.flatnonzero(np.diff(rows) > 1).tolist() == [3, 7, 11, 15] and axis.yaxis_inverted()
    assert [segment[0, 0] for segment in axis.collections[0].get_segments()] == list(range(5, 17))
    assert f"{figures.LINE_UV} µV" in [text.get_text() for text in axis.texts]


def test_a_figure_is_the_same_bytes_each_time_and_opaque(tmp_path):
    """No date and no chance in an SVG, whose page is white and whose lines are where they were; a PNG stays a PNG."""
    shown = []
    for name in ("a.svg", "b.svg", "c.png"):
        figure, axis = draw()
        axis.axvspan(6, 7, hatch="//")
        shown.append(figures.save(figure, tmp_path / name))
    first, second = ((tmp_path / name).read_text() for name in ("a.svg", "b.svg"))
    assert first == second and not re.search("<dc:date>", first) and "fill: #ffffff" in first
    assert shown[0]._repr_svg_() in first and isinstance(shown[2], Image)
    assert pillow.open(tmp_path / "c.png").format == "PNG"
    points = [np.array(path.split(), float).reshape(-1, 2) for path in re.findall(r'd="M ([\d. \n-]{500,})"', first)]
    box = axis.bbox.transformed(figure.dpi_scale_trans.inverted()).extents * 72
    assert points and all(box[0] - 0.1 <= part[:, 0].min() and part[:, 0].max() <= box[2] + 0.1 for part in points)
