"""What networks read of recordings: pooled spectrograms, the sums behind their statistics, and slices of them."""

from typing import NamedTuple

import numpy as np
import torch

from helpers.preprocess.spectrograms import open_spectrogram
from helpers.study import files, parallel
from helpers.train.network import pool, pooled_columns

BLOCK_COLUMNS = 2048  # columns read at a time: an hour as float64 would take a quarter of a gigabyte


class Inputs(NamedTuple):
    """What networks read of recordings, by name: the same for all networks, so that it is computed once.

    ``pooled``: the spectrogram, pooled as in the network (`network.pool`), float32 [C, F/2, pooled column], column by
    column in memory, as slices are read; ``sums`` and ``pooled_sums``: `moment_sums` of the spectrogram and of the
    pooled one.
    """

    pooled: dict
    sums: dict
    pooled_sums: dict


def network_inputs(spectrograms, frame_columns):
    """Return the `Inputs` of spectrograms: a dict of str → float [C, F, column]."""
    pooled = {name: pool_spectrogram(power, frame_columns) for name, power in spectrograms.items()}
    sums = ({name: moment_sums(power) for name, power in powers.items()} for powers in (spectrograms, pooled))
    return Inputs(pooled, *sums)


def write_inputs(folder, names, target, frame_columns):
    """Write the `Inputs` of the spectrograms in `folder` below `target`, some 15 MB an hour; return `target`."""
    pieces = [(folder, name, target, frame_columns) for name in names]
    parallel.parallel_map(_write_inputs, pieces, "pool", "recording")
    return target


def _write_inputs(folder, name, target, frame_columns):
    for kind, arrays in network_inputs(open_spectrogram(folder, [name]), frame_columns)._asdict().items():
        with files.atomic_write(target / kind / f"{name}.npy") as path:
            np.save(path, arrays[name])


def read_inputs(folder, names):
    """Return the `Inputs` of recordings that `write_inputs` left in `folder`, memory-mapped."""
    return Inputs(*(open_spectrogram(folder / kind, names) for kind in Inputs._fields))


def pool_spectrogram(power, frame_columns):
    """Return a recording's spectrogram pooled as its frames are (`network.pool`), float32 [C, F/2, pooled column]."""
    parts = []
    for first in range(0, power.shape[2], BLOCK_COLUMNS):
        part = np.ascontiguousarray(power[:, :, first : first + BLOCK_COLUMNS], dtype=np.float32)
        parts.append(pool(torch.from_numpy(part), pooled_columns(frame_columns)).numpy())
    return np.asfortranarray(np.concatenate(parts, axis=2))


def moment_sums(power):
    """Return number, sum and sum of squares of the columns of a spectrogram [C, F, column]: float64 [3, C, F]."""
    total = np.zeros((3, *power.shape[:2]))
    for first in range(0, power.shape[2], BLOCK_COLUMNS):
        part = power[:, :, first : first + BLOCK_COLUMNS].astype(np.float64)
        total += np.stack([np.full(part.shape[:2], part.shape[2]), part.sum(axis=2), (part**2).sum(axis=2)])
    return total


def statistics(sums):
    """Return mean and deviation a channel and bin, tensors [C, F, 1], over recordings, given their `moment_sums`."""
    columns, total, squares = sum(sums)
    mean = total / columns
    deviation = np.sqrt(np.maximum(squares / columns - mean**2, 1e-6))
    return tuple(torch.from_numpy(x[:, :, None].astype(np.float32)) for x in (mean, deviation))


def slices(spectrograms, table, frame_columns, pooled=1):
    """Return the triptychs of `table` (``recording``, ``column``) as a float32 tensor [triptych, 3, C, F, T / pooled].

    `spectrograms` are float [C, F, column] by recording, of whose columns each stands for `pooled` of the
    `frame_columns` (T) of a frame; if memory-mapped, only the slices are read.
    """
    size = frame_columns // pooled
    pieces = [
        spectrograms[recording][:, :, column // pooled : column // pooled + 3 * size]
        for recording, column in zip(table["recording"], table["column"], strict=True)
    ]
    stacked = torch.from_numpy(np.stack(pieces).astype(np.float32, copy=False))  # [n, C, F, 3·T]
    return stacked.unflatten(3, (3, size)).permute(0, 3, 1, 2, 4)


def check_columns(frame_columns, columns):
    """Raise ValueError if a frame, or a triptych's first column among `columns`, is no multiple of what is pooled."""
    pooled = pooled_columns(frame_columns)
    if frame_columns % pooled or (np.asarray(columns) % pooled).any():
        raise ValueError(
            f"A frame has {frame_columns} columns; it and step_s must be a multiple of {pooled} columns, as the "
            f"network averages {pooled} of them first. Set frame_s and step_s to multiples of {pooled} hop_s."
        )
