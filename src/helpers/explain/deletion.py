"""Deletion and insertion: does the score depend on what a map ranks first more than on other cells?

Cells are replaced, in a map's order, by those of other EEG of the same patient, and the log-odds are followed (Petsiuk
et al., BMVC 2018); insertion goes the other way. The other EEG is of other folds, outside seizures, cell for cell:
values that occur in the data, not zeros, which no EEG has (Hooker et al., NeurIPS 2019).
"""

import numpy as np
import torch
from torch.nn.functional import avg_pool2d

from helpers.explain import attributions
from helpers.preprocess import spectrograms
from helpers.train import network as networks
from helpers.train import training

STEPS = 5  # shares of cells above 0 at which the log-odds are read
RANDOM_ORDERS = 3
OTHERS = 2  # triptychs of other EEG that cells are replaced by


def cell_columns(axis):
    """Return how many pooled columns a cell lasts: as long as the window, whose second no small hop resolves."""
    pooled = networks.pooled_columns(axis["frame_columns"])
    return max(1, min(round(axis["window_s"] / (axis["hop_s"] * pooled)), axis["frame_columns"] // pooled))


def cell_means(maps, columns):
    """Return the mean of maps [sample, step, F, T] in cells of a pooled bin and `columns`: float32 [sample, cell]."""
    maps = torch.from_numpy(np.ascontiguousarray(maps, np.float32))
    pooled = networks.pool(maps, networks.pooled_columns(maps.shape[-1]))
    return avg_pool2d(pooled, (1, columns), ceil_mode=True).flatten(1).numpy()


def curves(network, pooled, others, order, columns, sign):
    """Return how the score of one sample changes as cells are replaced (deletion) and restored (insertion) in `order`.

    `pooled` and `others`, float32 tensors [3, C, row, column] and [other, 3, C, row, column], are the sample and other
    EEG, pooled (`network.pool`). `order`, int [cell], has the cells of `cell_means`, of `columns` each, the most
    relevant first; all channels of a cell go together. `sign` is +1 if the predicted class is seizure, −1 if not.

    Both are float64 [1 + STEPS]: the score after 0, 1/`STEPS`, … 1 of the cells, a mean over the other EEG, on a scale
    from the other EEG (0) to the sample (1); NaN where the sample scores no higher than the other EEG.
    """
    counts = np.round(np.linspace(0, 1, STEPS + 1) * len(order)).astype(int)
    put_in = torch.from_numpy(np.argsort(order) < counts[:, None]).reshape(len(counts), 3, 1, pooled.shape[2], -1)
    put_in = put_in.repeat_interleave(columns, dim=4)[..., : pooled.shape[3]]
    kept = torch.cat([~put_in, put_in[1:-1]])  # insertion's ends are deletion's
    with torch.no_grad():
        mixed = torch.where(kept[None], pooled, others[:, None])  # [other, share, step, C, row, column]
        scores = network.decide(network.encode(mixed.flatten(0, 1)))
    scores = sign * scores.double().numpy().reshape(len(others), -1).mean(axis=0)
    high, low = scores[0], scores[STEPS]
    scores = (scores - low) / (high - low) if high > low else np.full_like(scores, np.nan)
    return scores[: STEPS + 1], np.r_[scores[STEPS], scores[STEPS + 1 :], scores[0]]


def draw_others(background, sample, count, seed):
    """Return `count` rows of `background`, which has ``fold``, of other folds than that of a `sample` (a dict)."""
    others = background[background["fold"] != sample["fold"]]
    generator = np.random.default_rng([seed, sample["sample"]])
    return others.iloc[generator.choice(len(others), count, replace=len(others) < count)]


def all_curves(folder, weights, members, table, background, maps, axis, seed):
    """Return the curves of each sample in each map's order, and in random order.

    The first four arguments are those of `attributions.explain_all`, with ``sample`` in `table`; `axis` is from
    `filterbank.axes`. `background` has ``recording``, ``column``, ``fold`` of samples outside seizures; `maps` are a
    dict of str → relevance for the predicted class, float [sample, 3, F, T] or [sample, 3, C, F, T].
    Return a table of ``sample``, ``map`` (also ``random``, the mean of `RANDOM_ORDERS`), ``kind`` (deletion,
    insertion), ``share`` of the cells and ``score``; see `curves`.
    """
    if table.empty:
        return attributions.to_table({}, [], ["kind", "map", "share"], "score")
    columns, ranked = cell_columns(axis), {}
    for name, values in maps.items():
        means = cell_means(values.mean(axis=2) if values.ndim == 5 else values, columns)
        ranked[name] = np.argsort(-means, axis=1, kind="stable")

    def curves_of_part(network, triptychs, part):
        pooled, found = networks.pool_steps(triptychs), {}
        for own, (row, sample) in zip(pooled, part.to_dict("index").items(), strict=True):
            others = draw_others(background, sample, OTHERS, seed)
            powers = spectrograms.open_spectrogram(folder, others["recording"].unique())
            others = networks.pool_steps(training.slices(powers, others, triptychs.shape[-1]))
            sign, generator = 2.0 * sample["decided"] - 1, np.random.default_rng([seed, sample["sample"]])
            orders = {name: [order[row]] for name, order in ranked.items()}
            orders["random"] = [generator.permutation(means.shape[1]) for _ in range(RANDOM_ORDERS)]
            for name, several in orders.items():
                pairs = [curves(network, own, others, order, columns, sign) for order in several]
                for kind, each in zip(("deletion", "insertion"), zip(*pairs, strict=True), strict=True):
                    found.setdefault(f"{kind}/{name}", []).append(np.mean(each, axis=0))
        return {name: np.stack(values) for name, values in found.items()}

    found = attributions.map_by_fold(curves_of_part, folder, weights, members, table, axis["frame_columns"])
    scores = attributions.to_table(found, table["sample"].to_numpy(), ["kind", "map"], "score").explode("score")
    shares = np.tile(np.linspace(0, 1, STEPS + 1).round(6), len(scores) // (STEPS + 1))
    return scores.assign(score=scores["score"].astype(float), share=shares).reset_index(drop=True)
