"""Covariance and MiniRocket features in cells: by hand, at several sampling rates, and of the past alone."""

import numpy as np
import pytest
from conftest import CHANNELS, write_signals

from helpers.acquire import edf
from helpers.preprocess import cells, filterbank


@pytest.mark.parametrize(
    ("frame_columns", "hop_s", "size"), [(32, 0.125, 4), (16, 0.125, 4), (8, 0.128, 2), (12, 0.1, 4), (7, 0.2, 1)]
)
def test_a_frame_is_whole_cells(frame_columns, hop_s, size):
    """4 hops of 0.125 s are half a second; of 0.128 s, more; 5 of 0.1 s are half a second, but 12 are no multiple; 2 of
    0.2 s fit, but 7 are no multiple."""
    assert cells.columns_per_cell(frame_columns, hop_s) == size


@pytest.mark.parametrize("rate", [200, 250, 256, 512])
def test_covariance_of_sines_by_hand(tmp_path, rate):
    """10 Hz of 40 µV in the first channel, of -20 µV in the second, of 10 µV a quarter of a period later in the third;
    in the fourth 50 Hz of 40 µV and 300 µV of offset. Over half a second the mean products are 40²/2, -40 · 20/2 and
    nothing; what lies outside of 1–25 Hz is less than a hundredth of its power."""
    time, signals = np.arange(8 * rate) / rate, np.zeros((len(CHANNELS), 8 * rate))
    signals[:4] = np.outer([40, -20, 0, 0], np.sin(20 * np.pi * time))
    signals[2], signals[3] = 10 * np.cos(20 * np.pi * time), 40 * np.sin(100 * np.pi * time) + 300
    write_signals(tmp_path / "r.edf", CHANNELS, signals, rate)
    filterbank.write(edf.open_edf(tmp_path / "r.edf"), tmp_path, "r", filterbank.axes(float(rate), 1.0, 0.125, 4.0))
    found = np.load(tmp_path / "covariance" / "r.npy")
    matrix = np.zeros((16, 18, 18))
    matrix[:, *np.triu_indices(18)] = found
    expected = [[800, -400, 0, 0], [0, 200, 0, 0], [0, 0, 50, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(matrix[8:, :4, :4], np.broadcast_to(expected, (8, 4, 4)), rtol=0.03, atol=8)


def test_counts_by_hand():
    """One channel, flat but for one sample of 10,000 steps. Where a kernel's weight 2 meets it, the output is 20,000,
    elsewhere at most 0: three samples exceed the threshold, each as many dilations later as the weight is places before
    the last. In cells of 4 samples."""
    levels = cells.thresholds(1)
    assert levels.shape == (4, 84) and (levels > 0).all() and (levels < 20_000).all()
    signal = np.zeros((1, cells.PAST + 80), np.float32)
    signal[0, cells.PAST] = 10_000
    expected = np.zeros((20, 4, 84))
    for row, dilation in enumerate((1, 2, 4, 8)):
        for number, taps in enumerate(cells.TAPS):
            for tap in taps:
                expected[(8 - tap) * dilation // 4, row, number] += 1
    assert np.array_equal(cells.counts(signal, 4), expected.reshape(20, -1))


def test_kernels_read_some_channels():
    """84 kernels for each of four dilations, which sum to nothing: an offset is not seen. Each reads one to nine
    channels, half of them at most two, and each channel is read. The same in each study."""
    drawn = cells.draw_kernels(18).reshape(4, 84, 18, 9)
    assert set(np.unique(drawn)) == {-1, 0, 2} and (drawn.sum(axis=3) == 0).all()
    counts = (drawn != 0).all(axis=3).sum(axis=2)
    assert counts.min() == 1 and counts.max() == 9 and 1 <= np.median(counts) <= 3
    assert (drawn != 0).any(axis=(0, 1, 3)).all()
    assert np.array_equal(cells.draw_kernels.__wrapped__(18), cells.draw_kernels(18))


def test_a_cell_knows_its_past_only():
    """What changes from the sixth cell on changes no cell before it, and most features after it."""
    signal = np.random.default_rng(7).normal(0, 30, (18, 20 * 128)).astype(np.float32)
    other = signal.copy()
    other[:, 5 * 128 :] *= 3
    for one, two in zip(*(cells.CellWriter(18, 256.0, 128).add(each) for each in (signal, other)), strict=True):
        assert np.array_equal(one[:5], two[:5]) and (one[5:] != two[5:]).any(axis=0).mean() > 0.9
