"""Covariance and MiniRocket features of the EEG, summed over cells of half a second, so that a frame's are sums.

MiniRocket (Dempster, Schmidt and Webb, KDD 2021, arXiv:2012.08791) convolves a signal with 84 kernels of nine weights,
at several dilations, each over channels drawn at random. A feature is the share of a window in which a kernel's output
exceeds a threshold. Ours deviates in one point: thresholds are quantiles of the outputs on reference noise, not on
training data. So nothing is learnt from a recording, and one transform serves all folds.
"""

from functools import cache
from itertools import combinations

import numpy as np
from scipy.signal import butter, sosfilt, sosfilt_zi

LONGEST_S = 0.5  # of a cell
BAND_HZ = (1.0, 25.0)  # what is faster in scalp EEG is muscle, for the most part
LEAST_HZ = 60  # sampling rate after decimation, at least
STEPS = 16  # a µV has so many: whole numbers below 2**24 have the same sum, in float32, in whatever order
TAPS = list(combinations(range(9), 3))  # where each kernel has the weight 2; its other weights are -1
DILATIONS = (1, 2, 4, 8)
PAST = 8 * max(DILATIONS)  # samples before its last one that an output reads, at most
REFERENCE_UV = (5, 10, 20, 40, 80)  # levels of the reference noise, RMS: from low EEG to high
SEED = 8  # of channels and reference noise: the features are the same in every study


def columns_per_cell(frame_columns, hop_s):
    """Return how many columns make a cell: by which a frame divides, the most that last half a second; at least 1."""
    sizes = [size for size in range(1, frame_columns + 1) if frame_columns % size == 0]
    return max((size for size in sizes if size * hop_s < LONGEST_S + 1e-6), default=1)


class CellWriter:
    """Computes a recording's cells of `size` samples at `sampling_hz`, block after block as if it were all at once.

    The EEG is band-passed to `BAND_HZ` and decimated by a whole number. Filter and kernels look back alone: a cell
    holds nothing of what comes after it. ``kinds`` are the dtype and the length of the two rows of a cell.
    """

    def __init__(self, channels, sampling_hz, size):
        self.factor = max(by for by in range(1, max(int(sampling_hz / LEAST_HZ), 1) + 1) if size % by == 0)
        self.size = size // self.factor
        self.filter, self.state = butter(4, BAND_HZ, "bandpass", fs=sampling_hz, output="sos"), None
        self.past = np.zeros((channels, PAST), np.float32)
        pairs, features = channels * (channels + 1) // 2, len(DILATIONS) * len(TAPS)
        self.kinds = (np.float32, pairs), (np.min_scalar_type(self.size), features)

    def add(self, signal):
        """Return covariance and counts of the next cells, from their samples [channel, cells · size] in µV.

        Covariance, float32 [cell, pair of channels], is the mean product in µV², the upper triangle row by row. Counts,
        [cell, feature], are of samples at which a kernel's output exceeds its threshold.
        """
        if self.state is None:  # as if the first sample had always been there
            self.state = sosfilt_zi(self.filter)[:, None] * signal[None, :, :1]
        signal, self.state = sosfilt(self.filter, signal, zi=self.state)
        signal = np.rint(STEPS * signal[:, :: self.factor]).astype(np.float32)
        longer = np.concatenate([self.past, signal], axis=1)
        self.past = longer[:, -PAST:]
        return covariance(signal / STEPS, self.size), counts(longer, self.size)


def covariance(signal, size):
    """Return the mean products of channels over each cell of `size` samples of [channel, sample]: [cell, pair]."""
    cells = signal.reshape(len(signal), -1, size).swapaxes(0, 1)
    return (cells @ cells.swapaxes(1, 2))[:, *np.triu_indices(len(signal))] / size


def counts(signal, size):
    """Return how many samples of each cell have an output above the threshold, [cell, feature].

    `signal`, [channel, `PAST` + cells · size] in steps of 1/16 µV, begins with what the first outputs read.
    """
    levels, found = thresholds(len(signal)), []
    for dilation, kernels, level in zip(DILATIONS, draw_kernels(len(signal)), levels, strict=True):
        above = outputs(signal, kernels, dilation, size) > level[:, None, None]
        found.append(above.sum(axis=1, dtype=np.min_scalar_type(size)))
    return np.concatenate(found).T


def outputs(signal, kernels, dilation, size):
    """Return the outputs of `kernels` [kernel, channel · 9] for a signal as of `counts`: [kernel, place, cell]."""
    taps = []
    for number in range(9):
        start = PAST - (8 - number) * dilation
        taps.append(signal[:, start : start + signal.shape[1] - PAST].reshape(len(signal), -1, size).swapaxes(1, 2))
    return (kernels @ np.stack(taps, axis=1).reshape(kernels.shape[1], -1)).reshape(len(kernels), size, -1)


@cache
def draw_kernels(channels):
    """Return 84 kernels for each dilation, float32 [dilation, kernel, channel · 9].

    Each convolves the sum of one to nine channels; as in MiniRocket, few more often than many.
    """
    generator = np.random.default_rng(SEED)
    found = np.zeros((len(DILATIONS), len(TAPS), channels, 9), np.float32)
    for kernels in found:
        for kernel, taps in zip(kernels, TAPS, strict=True):
            count = int(2 ** generator.uniform(0, np.log2(min(channels, 9) + 1)))
            drawn = generator.choice(channels, count, replace=False)
            kernel[drawn] = -1
            kernel[np.ix_(drawn, taps)] = 2
    return found.reshape(len(DILATIONS), len(TAPS), -1)


@cache
def thresholds(channels):
    """Return a threshold for each kernel, [dilation, kernel]: a quantile of its outputs on 1/f noise at several levels.

    As in MiniRocket, quantiles are spread by the golden ratio, here over the upper half, as the noise is symmetric.
    Thresholds lie between two possible outputs, so that none is met.
    """
    spectrum = np.fft.rfft(np.random.default_rng(SEED).normal(size=(channels, 4096)))
    spectrum /= np.sqrt(np.maximum(np.arange(spectrum.shape[1]), 64))  # of 64 s, with equal power below 1 Hz
    noise = np.fft.irfft(spectrum)
    noise *= STEPS / noise.std(axis=1, keepdims=True)
    noise = np.rint(np.concatenate([level * noise for level in REFERENCE_UV], axis=1)).astype(np.float32)
    share = (1 + np.arange(len(DILATIONS) * len(TAPS))) * (np.sqrt(5) + 1) / 2 % 1
    pairs = zip(DILATIONS, draw_kernels(channels), strict=True)
    every = np.concatenate([outputs(noise, kernels, dilation, 1)[:, 0] for dilation, kernels in pairs])
    found = [np.quantile(values, (1 + place) / 2) for values, place in zip(every, share, strict=True)]
    return (np.floor(found) + 0.5).reshape(len(DILATIONS), -1)
