"""Deletion and insertion: does the decision hang on what a map ranks first, more than on cells in random order?

Cells of the spectrogram are replaced, in a map's order, by those of other EEG of the same patient, and the log-odds
are followed (Petsiuk et al., BMVC 2018; insertion goes the other way, from the other EEG to the sample). The other EEG
is of other folds, outside seizures, cell for cell at the same channel, frequency and place in the triptych: values that
are in the data, not a zero that no EEG has (Hooker et al., NeurIPS 2019).
"""

import numpy as np
import torch

from helpers.train.network import POOL

STEPS = 10  # shares of cells at which the log-odds are read, beside none


def resolution(axis):
    """Return the size (rows, columns) of a cell in pooled bins and columns: what the spectrogram can tell apart.

    A window of one second tells seconds apart, however often it is moved on; so a cell lasts as long as the window.
    """
    columns = round(axis["window_s"] / (axis["hop_s"] * POOL))
    return 1, max(1, min(columns, axis["frame_columns"] // POOL))


def cells(maps, size):
    """Return the mean of maps [sample, step, row, column] in each cell of `size`: [sample, cell].

    Rows and columns that fill no whole cell belong to the last one.
    """
    return _reduced(maps, size).reshape(len(maps), -1)


def _edges(length, size):
    return np.arange(0, max(length - size, 0) + 1, size)


def _reduced(maps, size):
    maps = np.asarray(maps, float)
    for axis, step in zip((2, 3), size, strict=True):
        starts = _edges(maps.shape[axis], step)
        counts = np.diff([*starts, maps.shape[axis]])
        shape = [1, 1, 1, 1]
        shape[axis] = len(counts)
        maps = np.add.reduceat(maps, starts, axis=axis) / counts.reshape(shape)
    return maps


def _spread(chosen, shape, size):
    """Return cells [step, cell row, cell column] as a mask over pooled bins and columns, [step, row, column]."""
    for axis, step in zip((1, 2), size, strict=True):
        length = shape[axis]
        counts = np.diff([*_edges(length, step), length])
        chosen = np.repeat(chosen, counts, axis=axis)
    return chosen


def curves(network, pooled, others, order, size, sign):
    """Return how the score of one sample falls and rises as cells are replaced and put back in `order`.

    Parameters
    ----------
    network : network.Ensemble
    pooled : float32 tensor [3, C, row, column]
        The sample, pooled (see `network.pool`).
    others : float32 tensor [other, 3, C, row, column]
        Other EEG to replace cells by; results are means over it.
    order : int [cell]
        The cells (see `cells`), the most relevant first. All channels of a cell go together.
    size : (rows, columns)
        Of a cell.
    sign : float
        +1 if the class explained is seizure, −1 if not.

    Returns
    -------
    deletion, insertion : float64 [1 + STEPS]
        The score after 0, 1/`STEPS`, … 1 of the cells, as a share of what lies between the other EEG (0) and the
        sample (1); NaN where the sample scores no higher than the other EEG.
    """
    shape = (pooled.shape[0], *pooled.shape[2:])
    grid = (shape[0], *(len(_edges(length, step)) for length, step in zip(shape[1:], size, strict=True)))
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order))
    shares = np.round(np.linspace(0, 1, STEPS + 1) * len(order)).astype(int)
    masks = np.stack([_spread((rank < count).reshape(grid), shape, size) for count in shares])
    masks = torch.from_numpy(masks)[:, :, None]  # [share, step, 1, row, column]
    found = []
    for inserted in (False, True):
        taken = masks if inserted else ~masks
        mixed = torch.where(taken[None], pooled, others[:, None])  # [other, share, step, C, row, column]
        with torch.no_grad():
            scores = network.decide(network.encode(mixed.flatten(0, 1)))
        found.append(sign * scores.double().numpy().reshape(len(others), -1).mean(axis=0))
    whole, none = found[0][0], found[0][-1]
    if whole <= none:
        return np.full(STEPS + 1, np.nan), np.full(STEPS + 1, np.nan)
    return tuple((values - none) / (whole - none) for values in found)


def area(curve):
    """Return the area under a curve over shares from 0 to 1, by trapezoids."""
    return float(np.trapezoid(curve, dx=1 / STEPS))
