"""Deletion and insertion: does the score depend on what a map ranks first more than on cells in random order?

Cells are replaced, in a map's order, by those of other EEG of the same patient, and the log-odds are followed (Petsiuk
et al., BMVC 2018); insertion goes the other way. The other EEG is of other folds, outside seizures, cell for cell:
values that occur in the data, not zeros, which no EEG has (Hooker et al., NeurIPS 2019).
"""

from functools import partial

import numpy as np
import torch

from helpers.explain import attributions
from helpers.preprocess import spectrograms
from helpers.train import network as networks
from helpers.train import training

STEPS = 10  # shares of cells above 0 at which the log-odds are read
RANDOM_ORDERS = 3
OTHERS = 2  # triptychs of other EEG that cells are replaced by


def cell_size(axis):
    """Return the (rows, columns) of a cell in pooled bins and columns: a cell lasts as long as the window.

    A window of one second resolves seconds, however small its hop.
    """
    columns = round(axis["window_s"] / (axis["hop_s"] * networks.POOL))
    return 1, max(1, min(columns, axis["frame_columns"] // networks.POOL))


def cell_index(shape, size):
    """Return the cell of each place of a map, int [step, row, column]; a remainder joins the last cell."""
    rows, columns = (
        np.minimum(np.arange(length) // step, max(length // step, 1) - 1)
        for length, step in zip(shape[1:], size, strict=True)
    )
    places = np.meshgrid(np.arange(shape[0]), rows, columns, indexing="ij")
    return np.ravel_multi_index(places, (shape[0], rows[-1] + 1, columns[-1] + 1))


def cell_means(maps, size):
    """Return the mean of maps [sample, step, row, column] in each cell of `size`: [sample, cell]."""
    cells = cell_index(np.shape(maps)[1:], size).ravel()
    sums = [np.bincount(cells, weights=values.ravel()) for values in np.asarray(maps, float)]
    return np.array(sums).reshape(len(maps), -1) / np.bincount(cells)


def curves(network, pooled, others, order, size, sign):
    """Return how the score of one sample changes as cells are replaced (deletion) and restored (insertion) in `order`.

    Parameters
    ----------
    pooled, others : float32 tensor [3, C, row, column], [other, 3, C, row, column]
        The sample and other EEG, pooled (see `network.pool`); results are means over the other EEG.
    order : int [cell]
        The cells of `size`, the most relevant first. All channels of a cell go together.
    sign : float
        +1 if the predicted class is seizure, −1 if not.

    Returns
    -------
    deletion, insertion : float64 [1 + STEPS]
        The score after 0, 1/`STEPS`, … 1 of the cells, on a scale from the other EEG (0) to the sample (1); NaN where
        the sample scores no higher than the other EEG.
    """
    cells, rank = cell_index((pooled.shape[0], *pooled.shape[2:]), size), np.argsort(order)
    counts = np.round(np.linspace(0, 1, STEPS + 1) * len(order)).astype(int)
    masks = torch.from_numpy(np.stack([(rank < count)[cells] for count in counts]))[:, :, None]  # [share, step, 1, …]
    found = []
    for kept in (~masks, masks):
        mixed = torch.where(kept[None], pooled, others[:, None])  # [other, share, step, C, row, column]
        with torch.no_grad():
            scores = network.decide(network.encode(mixed.flatten(0, 1)))
        found.append(sign * scores.double().numpy().reshape(len(others), -1).mean(axis=0))
    high, low = found[0][0], found[0][-1]
    if high <= low:
        return np.full(STEPS + 1, np.nan), np.full(STEPS + 1, np.nan)
    return tuple((values - low) / (high - low) for values in found)


def area(curve):
    """Return the area under a curve over shares from 0 to 1, by trapezoids."""
    return float(np.trapezoid(curve, dx=1 / STEPS))


def all_curves(folder, weights, members, table, background, maps, axis, seed):
    """Return the curves of each sample in each map's order, and in random order.

    The first four arguments are those of `attributions.explain_all`, with ``sample`` in `table`; `axis` is from
    `filterbank.axes`. `background` has ``recording``, ``column``, ``fold`` of samples outside seizures; `maps` are a
    dict of str → relevance for the predicted class, float [sample, 3, F, T].

    Returns
    -------
    pandas.DataFrame
        ``sample``, ``map`` (also ``random``, the mean of `RANDOM_ORDERS`), ``kind`` (deletion, insertion), ``share`` of
        the cells and ``score``; see `curves`.
    """
    if table.empty:
        return attributions.to_table({}, [], ["kind", "map", "share"], "score")
    size, part = cell_size(axis), table
    for name, values in maps.items():
        pooled = networks.pool_steps(torch.from_numpy(values)[:, :, None])[:, :, 0].numpy()
        orders = np.argsort(-cell_means(pooled, size), axis=1, kind="stable")
        part = part.assign(**{f"order:{name}": list(orders)})
    work = partial(_curves_of_part, folder=folder, background=background, size=size, seed=seed)
    found = attributions.map_by_fold(work, folder, weights, members, part, axis["frame_columns"])
    scores = attributions.to_table(found, table["sample"].to_numpy(), ["kind", "map"], "score").explode("score")
    shares = np.tile(np.linspace(0, 1, STEPS + 1).round(6), len(scores) // (STEPS + 1))
    return scores.assign(score=scores["score"].astype(float), share=shares).reset_index(drop=True)


def _curves_of_part(network, triptychs, part, folder, background, size, seed):
    pooled, found = networks.pool_steps(triptychs), {}
    for row, sample in enumerate(part.to_dict("records")):
        generator = np.random.default_rng([seed, sample["sample"]])
        others = background[background["fold"] != sample["fold"]]
        others = others.iloc[generator.choice(len(others), OTHERS, replace=len(others) < OTHERS)]
        powers = spectrograms.open_spectrogram(folder, others["recording"].unique())
        others = networks.pool_steps(training.slices(powers, others, triptychs.shape[-1]))
        sign = float(attributions.class_sign(sample["decided"]))
        orders = {key.removeprefix("order:"): [sample[key]] for key in part if key.startswith("order:")}
        cells = len(next(iter(orders.values()))[0])
        orders["random"] = [generator.permutation(cells) for _ in range(RANDOM_ORDERS)]
        for name, several in orders.items():
            pairs = [curves(network, pooled[row], others, order, size, sign) for order in several]
            for kind, each in zip(("deletion", "insertion"), zip(*pairs, strict=True), strict=True):
                found.setdefault(f"{kind}/{name}", []).append(np.mean(each, axis=0))
    return {name: np.stack(values) for name, values in found.items()}
