"""Tests of the methods: random weights, permuted labels, other members, noise; and what each method passes.

A map that stays when the network is no longer the trained one explains the input, not the network (Adebayo et al.,
Sanity Checks for Saliency Maps, NeurIPS 2018).
"""

import copy
import itertools
from functools import cache, partial

import numpy as np
import pandas as pd
import torch
from scipy.stats import entropy, rankdata

from helpers.evaluate import intervals
from helpers.explain import attributions, deletion, planted
from helpers.preprocess import spectrograms
from helpers.train import network as networks
from helpers.train import training

UNLIKE, REPEATABLE, ALIKE = 0.2, 0.5, 0.7  # rank correlations: notebook 05 states the rules
BASELINES = {  # maps that need no network
    "chance": "chance",
    "power": "power of the sample",
    "above_mean": "power above the training mean",
    "edges": "edges of the spectrogram",
    "other_eeg": "power of other EEG",
}
BROKEN = {  # of Integrated Gradients: what a test must notice
    "shuffled": "IG, channels shuffled",
    "wrong_class": "IG, of the wrong class",
    "elsewhere": "IG, of another sample",
}
MAPS = attributions.METHODS | attributions.BESIDE | BASELINES | BROKEN
SIGNED = ("ig", "gradinput")  # beside the class maps, tested on changed networks: the other methods cost too much
LAYERS = ("score", "recur", "embed", "evolve", "shape", "mix")  # from the decision to the input
DRAWS, FEWER = 10, 1  # of random weights: of all layers, and of the first ones only
MEMBERS = 3  # networks of a fold whose maps are compared with each other
NOISE_DB = 1.0  # a periodogram's own chance deviation is 5.6 dB a cell
STEPS = 4  # points on the path: enough for a rank correlation


@cache
def _resample(count):
    return intervals.resample(np.ones(count, bool))


def samples_to_test(table, per_class):
    """Return rows of `table`, in its order: seizures that were found, as many others decided rightly, or one kind.

    At most `per_class` of each, evenly spaced.
    """
    right = [np.flatnonzero((table["label"] == value) & (table["decided"] == value)) for value in (1, 0)]
    count = min([per_class, *(len(rows) for rows in right if len(rows))])
    chosen = [rows[attributions.evenly_spaced(len(rows), count)] for rows in right if len(rows)]
    return table.iloc[sorted(np.concatenate(chosen))] if chosen else table.iloc[:0]


def randomise_weights(network, depth, seed):
    """Return a copy of an ensemble whose members' first `depth` `LAYERS` are random; their statistics stay."""
    changed, generator = copy.deepcopy(network), torch.Generator().manual_seed(seed)
    for member in changed.networks:
        inputs = {"recur": member.config["hidden"], "embed": member.config["width"]}
        for name in LAYERS[:depth]:
            layer = getattr(member, name)
            limit = (inputs.get(name) or layer.weight[0].numel()) ** -0.5
            for value in layer.parameters():  # as `reset_parameters` does, but its generator is shared by all threads
                value.data.copy_(torch.empty(value.shape).uniform_(-limit, limit, generator=generator))
    return changed.eval()


def add_noise(triptychs, deviation_db, seed):
    """Return triptychs with independent Gaussian noise in each cell."""
    generator = torch.Generator().manual_seed(seed)
    return triptychs + deviation_db * torch.randn(triptychs.shape, generator=generator)


def rank_correlation(maps, others):
    """Return Spearman's correlation of each sample's two maps, float64 [sample]: 0 if one is flat, NaN if both are."""
    ranks = (rankdata(values.reshape(len(values), -1), axis=1) for values in (maps, others))
    one, other = (values - values.mean(axis=1, keepdims=True) for values in ranks)
    spread, size = (one**2).sum(axis=1), (other**2).sum(axis=1)
    undefined = np.where((spread == 0) & (size == 0), np.nan, 0.0)
    return np.divide((one * other).sum(axis=1), np.sqrt(spread * size), out=undefined, where=spread * size > 0)


def complexity(maps):
    """Return the entropy of the histogram of each map's absolute values, in 100 bins: float64 [sample]."""
    return entropy([np.histogram(np.abs(values), 100)[0] for values in maps], axis=1)


def perturbation_test(folder, weights, permuted, members, pairs, baselines, table, frame_columns, seed):
    """Return how alike each method's maps stay under other weights, labels, members and input.

    Arguments are those of `attributions.explain_all`, with ``sample`` in `table`; `permuted` is the folder of networks
    trained on permuted labels; `pairs` maps a fold to the name of one of these and of another network of the fold.

    Returns
    -------
    pandas.DataFrame
        ``sample``, ``method``, ``test``, ``draw`` and ``value``, a rank correlation of pooled maps. Tests of that one
        network are ``weights:score`` … ``weights:mix`` (random down to that one of the `LAYERS`), ``labels`` (itself
        trained on permuted labels) and ``retrained`` (the other network); ``members`` compares networks of the fold,
        ``noise`` is of the ensemble. ``magnitude:…`` is of the maps without their signs. ``complexity``: by which share
        random weights make a map's entropy rise, as they should (efficient MPRT; Hedström et al. 2024).
    """
    given = {"weights": weights, "permuted": permuted, "members": members, "pairs": pairs, "baselines": baselines}
    work = partial(_perturb, **given, seed=seed)
    found = attributions.map_by_fold(work, folder, weights, members, table, frame_columns)
    return attributions.to_table(found, table["sample"].to_numpy(), ["test", "method", "draw"], "value")


def _perturb(network, triptychs, part, weights, permuted, pairs, members, seed, baselines):
    fold, predicted = part["fold"].iloc[0], part["decided"].to_numpy()

    def maps(of, inputs=triptychs):
        found = attributions.predicted_relevance(of, inputs, predicted, baselines[fold][0], STEPS, SIGNED)
        flat = {name: values.sum(axis=2) if values.ndim == 5 else values for name, values in found.items()}
        by = networks.pooled_columns(inputs.shape[-1])
        return {name: networks.pool(torch.from_numpy(values), by).numpy() for name, values in flat.items()}

    def maps_of(folder, name):
        return maps(networks.load_ensemble(folder, [name]))

    name, other = pairs[fold]
    own = {one: maps_of(weights, one) for one in dict.fromkeys([name, other, *members[fold][:MEMBERS]])}
    compared = {
        ("labels", 0): (own[name], maps_of(permuted, name)),
        ("retrained", 0): (own[name], own[other]),
        ("noise", 0): (maps(network), maps(network, add_noise(triptychs, NOISE_DB, seed))),
    }
    for draw, pair in enumerate(itertools.combinations(members[fold][:MEMBERS], 2)):
        compared["members", draw] = tuple(own[one] for one in pair)
    single, found = networks.load_ensemble(weights, [name]), {}
    for depth, layer in enumerate(LAYERS, start=1):
        for draw in range(DRAWS if depth == len(LAYERS) else FEWER):
            changed = randomise_weights(single, depth, seed + 100 * depth + draw)
            compared[f"weights:{layer}", draw] = own[name], maps(changed)
    was = {method: complexity(values) for method, values in own[name].items()}
    for (test, draw), (before, after) in compared.items():
        for method in before:
            one, another = before[method], after[method]
            found[f"{test}/{method}/{draw}"] = rank_correlation(one, another)
            found[f"magnitude:{test}/{method}/{draw}"] = rank_correlation(np.abs(one), np.abs(another))
            if test == f"weights:{LAYERS[-1]}":
                rise = complexity(another) - was[method]
                found[f"complexity/{method}/{draw}"] = rise / np.maximum(was[method], 1e-6)
    return found


def maps_to_rank(folder, weights, members, baselines, table, background, axis, steps, seed):
    """Return maps of samples by all methods, with channels where they have them, and without a network.

    A dict of `MAPS`, but for chance and the `BROKEN` ones → float32 [sample, 3, F, T] or [sample, 3, C, F, T], for the
    predicted class; empty if `table` is. Arguments as for `attributions.explain_all` and `deletion.all_curves`.
    """

    def maps_of_part(network, triptychs, part):
        predicted, baseline = part["decided"].to_numpy(), baselines[part["fold"].iloc[0]][0]
        drawn = pd.concat(deletion.draw_others(background, sample, 1, seed) for sample in part.to_dict("records"))
        powers = spectrograms.open_spectrogram(folder, drawn["recording"].unique())
        others = training.slices(powers, drawn, axis["frame_columns"])
        found = attributions.predicted_relevance(network, triptychs, predicted, baseline, steps, (*SIGNED, "smooth"))
        sign, power = attributions.class_sign(predicted)[:, None, None, None, None], triptychs.numpy()
        return found | {
            "occlusion": (attributions.occlude(network, triptychs, others, axis["frequencies_hz"]) * sign).numpy(),
            "power": power,
            "above_mean": (triptychs - network.mean).numpy(),
            "edges": np.hypot(*np.gradient(power, axis=(3, 4))),
            "other_eeg": others.numpy(),
        }

    return attributions.map_by_fold(maps_of_part, folder, weights, members, table, axis["frame_columns"])


def mean_over_clusters(table, column, clusters):
    """Return the mean of a column over samples, NaN left out, with its interval by bootstrap over clusters.

    `clusters`, a Series by ``sample``, names its seizure or recording. A dict as from `intervals.interval`, and ``n``.
    """
    values = table[["sample", column]].dropna()
    if values.empty:
        return {**intervals.interval(None, [], 0), "n": 0}
    known = values[column].to_numpy(float)
    names, cluster = np.unique(clusters.loc[values["sample"]].to_numpy(str), return_inverse=True)
    total, number = (_resample(len(names)) @ np.bincount(cluster, weights) for weights in (known, None))
    return {**intervals.interval(known.mean(), total / number, len(names)), "n": values["sample"].nunique()}


def summary(table, tests, delta, total):
    """Return the results of all tests, each with its interval, and whether each method passes, as ``sanity.json``.

    `table` has ``sample``, ``cluster`` (see `mean_over_clusters`) and ``label`` of all samples; `delta` and `total` are
    those of Integrated Gradients. `tests` are tables: ``perturbation`` (`perturbation_test`), ``deletion``
    (`deletion.all_curves`) and, of a simulated patient, ``truth`` (`planted.score_maps`).
    """
    mean = partial(mean_over_clusters, clusters=table.set_index("sample")["cluster"])
    miss, perturbed = np.abs(delta) / np.maximum(1.0, np.abs(total)), tests["perturbation"]
    labels = table.set_index("sample")["label"].loc[perturbed["sample"].unique()]

    def by_draw(part):
        return part.groupby("draw", sort=False)["value"].mean().replace({np.nan: None}).tolist()

    found = {
        "methods": attributions.METHODS, "beside": attributions.BESIDE, "maps": MAPS, "layers": LAYERS,
        "tested": {"seizure": int((labels == 1).sum()), "other": int((labels == 0).sum())},
        "completeness": {"largest": float(miss.max()), "n": len(miss)},
        "truth": _truth(tests["truth"], mean) if "truth" in tests else None,
        "disturbed": _nested(perturbed, ["test", "method"], partial(mean, column="value")),
        "draws": _nested(perturbed[perturbed["test"].str.endswith(LAYERS[-1])], ["test", "method"], by_draw),
        **_deletion(tests["deletion"], mean),
    }  # fmt: skip
    wide = perturbed[perturbed["draw"].astype(str) == "0"]
    wide = wide.pivot(index=["sample", "method"], columns="test", values="value").reset_index()
    gap = wide.assign(value=wide["retrained"] - wide["labels"]) if len(wide) else wide
    found["retraining_gap"] = _nested(gap, ["method"], partial(mean, column="value"))
    return found | {"verdicts": {name: _verdicts(name, found) for name in MAPS if name not in BASELINES}}


def _nested(table, keys, function):
    """Return ``{value of the first key: {value of the second: function(rows)}}``, in the table's order."""
    first, *others = keys
    groups = table.groupby(first, sort=False)
    return {name: _nested(part, others, function) if others else function(part) for name, part in groups}


def _truth(scores, mean):
    def each(part):
        return {name: mean(part, name) for name in planted.SCORES if part[name].notna().any()}

    def ahead(part):  # the mean difference between a map and each baseline
        wide = part.pivot(index="sample", columns="map", values="auc")
        names = [name for name in wide if name not in BASELINES]
        return {
            name: {other: mean((wide[name] - wide[other]).rename("auc").reset_index(), "auc") for other in BASELINES}
            for name in names
        }

    return _nested(scores, ["along", "map"], each) | {"ahead": _nested(scores, ["along"], ahead)}


def _deletion(curves, mean):
    """Return how much faster each map is than random order (``gain``) and than power, by area; and mean curves."""
    if curves.empty:
        return {"gain": {}, "beyond_power": {}, "curves": {}}
    area = partial(np.trapezoid, dx=1 / deletion.STEPS)
    areas = curves.groupby(["kind", "map", "sample"], sort=False)["score"].agg(area).reset_index()
    wide = areas.pivot(index=["kind", "sample"], columns="map", values="score")
    faster = wide.index.get_level_values("kind").map({"deletion": -1, "insertion": 1})  # it is to fall, and to rise

    def gains(rival):
        gap = wide.drop(columns=rival).sub(wide[rival], axis=0).mul(faster, axis=0).stack().rename("gain").reset_index()
        return _nested(gap, ["kind", "map"], partial(mean, column="gain"))

    at = curves.groupby(["kind", "map", "share"], sort=False)["score"].mean().reset_index()
    return {
        "gain": gains("random"),
        "beyond_power": gains("power"),
        "curves": _nested(at, ["kind", "map"], lambda part: [None if np.isnan(v) else v for v in part["score"]]),
    }


def _verdicts(name, found):
    """Return which rules a map passes: true, false, or None where it was not tested; notebook 05 states them."""

    def above(*figures):
        known = [each["low"] for each in figures if each and each["low"] is not None]  # of few clusters, the least
        return all(low > 0 for low in known) if len(known) == len(figures) else None

    def compare(passes, *tests):
        values = [found["disturbed"].get(test, {}).get(name, {}).get("value") for test in tests]
        return None if None in values else all(map(passes, values))

    random, ahead = f"weights:{LAYERS[-1]}", (found["truth"] or {}).get("ahead", {})
    given = {"completeness": found["completeness"]["largest"] <= attributions.CONVERGED if name == "ig" else None}
    for axis in ("frequency", "time", "channel"):
        own = ahead.get(axis, {}).get(name, {})
        given[f"planted {axis}"] = above(*(own.get(rival) for rival in ("chance", "power", "above_mean")))
    given["random weights"] = compare(lambda each: abs(each) < UNLIKE, random, f"magnitude:{random}")
    given["permuted labels"] = above(found["retraining_gap"].get(name))
    given["members"] = compare(lambda each: each >= REPEATABLE, "members")
    given["stability"] = compare(lambda each: each >= ALIKE, "noise")
    for kind in ("deletion", "insertion"):
        given[kind] = above(*(found[of].get(kind, {}).get(name) for of in ("gain", "beyond_power")))
    return given
