"""Tests of the methods: random weights, permuted labels, noise, deletion, planted truth; and which each method passes.

A map that stays when the network is no longer the trained one explains the input, not the network (Adebayo et al.,
Sanity Checks for Saliency Maps, NeurIPS 2018). A method that fails one of the `RULES` says so above its pictures.
"""

import copy
import itertools
from functools import partial

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr

from helpers.evaluate import intervals
from helpers.explain import attributions, deletion, planted
from helpers.preprocess import spectrograms
from helpers.train import network as networks
from helpers.train import training

RULES = {
    "completeness": "the convergence delta of every sample is at most 5 % of the sum of its attributions, or of 1",
    "planted truth": "on time × frequency, a larger share of the relevance lies on planted cells than by chance, with "
    "the whole interval of the difference",
    "beyond power": "and a larger one than of the spectrogram's own power (dB re 1 µV²/Hz), with the whole interval",
    "random weights": "the mean rank correlation with the trained map is below 0.2 once all weights are random",
    "permuted labels": "the mean rank correlation with the map of a network trained on permuted labels lies below that "
    "of two networks trained on the true ones, with the whole interval of the difference",
    "deletion": "the log-odds fall faster than in random order of cells, with the whole interval of the difference",
    "insertion": "the log-odds rise faster than in random order of cells, with the whole interval of the difference",
    "stability": "the mean rank correlation with the map of the same sample with a little noise is at least 0.7",
}
BASELINES = {  # maps that need no network
    "chance": "chance",
    "power": "power of the sample",
    "above_mean": "power above the training mean",
    "other_eeg": "power of other EEG",
}
LAYERS = ("score", "recur", "embed", "evolve", "shape", "mix")  # from the decision to the input
UNLIKE, ALIKE = 0.2, 0.7
NOISE_DB = 1.0  # a periodogram's own chance deviation is 5.6 dB a cell
STEPS = 8  # points on the path: enough for a rank correlation


def samples_to_test(table, per_class):
    """Return rows of `table`, in its order: seizures that were found, and as many other samples decided rightly.

    At most `per_class` of each, evenly spaced; where one kind is missing, the other alone.
    """
    right = [np.flatnonzero((table["label"] == value) & (table["decided"] == value)) for value in (1, 0)]
    count = min([per_class, *(len(rows) for rows in right if len(rows))])
    chosen = [rows[attributions.evenly_spaced(len(rows), count)] for rows in right if len(rows)]
    return table.iloc[sorted(np.concatenate(chosen))] if chosen else table.iloc[:0]


def randomise_weights(network, depth, seed):
    """Return a copy of an ensemble whose members' first `depth` `LAYERS` are as before training.

    The training statistics stay: they are the scale of the input, not learnt by gradient.
    """
    changed = copy.deepcopy(network)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for member in changed.networks:
            for name in LAYERS[:depth]:
                getattr(member, name).reset_parameters()
    return changed.eval()


def add_noise(triptychs, deviation_db, seed):
    """Return triptychs with independent Gaussian noise in each cell."""
    generator = torch.Generator().manual_seed(seed)
    return triptychs + deviation_db * torch.randn(triptychs.shape, generator=generator)


def rank_correlation(maps, others):
    """Return Spearman's correlation of each sample's two maps [sample, …], float64 [sample].

    It is 0 where one of the two is the same everywhere and so orders nothing, NaN where both are.
    """
    found = []
    for pair in zip(maps, others, strict=True):
        constant = [np.ptp(values) == 0 for values in pair]
        undefined = np.nan if all(constant) else 0.0
        found.append(undefined if any(constant) else spearmanr(*(values.ravel() for values in pair)).statistic)
    return np.array(found, float)


def perturbation_test(folder, weights, permuted, members, pairs, table, frame_columns, seed):
    """Return how alike each method's maps stay under perturbed weights, labels and input.

    Arguments are those of `attributions.explain_all`, with ``sample`` in `table`; `permuted` is the folder of networks
    trained on permuted labels; `pairs` maps a fold to the name of one of these and of another network of the fold.

    Returns
    -------
    pandas.DataFrame
        ``sample``, ``method``, ``test`` and ``correlation``. Tests are ``weights:score`` … ``weights:mix`` (random down
        to that one of the `LAYERS`), ``labels`` (a network against itself trained on permuted labels), ``retrained``
        (against another one trained on true labels) and ``noise``; ``magnitude:…`` is of the maps without their signs.
    """
    work = partial(_perturb, weights=weights, permuted=permuted, pairs=pairs, seed=seed)
    found = attributions.map_by_fold(work, folder, weights, members, table, frame_columns)
    return attributions.to_table(found, table["sample"].to_numpy(), ["test", "method"], "correlation")


def _perturb(network, triptychs, part, weights, permuted, pairs, seed):
    def maps(of, inputs=triptychs):
        return attributions.predicted_relevance(of, inputs, part["decided"].to_numpy(), STEPS)

    def maps_of(folder, name):
        return maps(networks.load_ensemble(folder, [name]))

    trained, (name, other) = maps(network), pairs[part["fold"].iloc[0]]
    single = maps_of(weights, name)
    compared = {
        f"weights:{layer}": (trained, maps(randomise_weights(network, depth, seed + depth)))
        for depth, layer in enumerate(LAYERS, start=1)
    }
    compared["labels"] = (single, maps_of(permuted, name))
    compared["retrained"] = (single, maps_of(weights, other))
    compared["noise"] = (trained, maps(network, add_noise(triptychs, NOISE_DB, seed)))
    found = {}
    for test, (before, after) in compared.items():
        for method in attributions.METHODS:
            found[f"{test}/{method}"] = rank_correlation(before[method], after[method])
        found[f"magnitude:{test}/ig"] = rank_correlation(np.abs(before["ig"]), np.abs(after["ig"]))
    return found


def baseline_maps(folder, weights, members, table, background, axis, seed):
    """Return the `BASELINES` other than chance: a dict of str → float32 [sample, 3, C, F, T] in dB.

    Arguments are those of `deletion.all_curves`.
    """
    if table.empty:
        none = np.zeros((0, 3, len(axis["channels"]), len(axis["frequencies_hz"]), axis["frame_columns"]), np.float32)
        return dict.fromkeys(("power", "above_mean", "other_eeg"), none)

    def triptychs(samples):
        powers = spectrograms.open_spectrogram(folder, samples["recording"].unique())
        return training.slices(powers, samples, axis["frame_columns"]).numpy()

    generator = np.random.default_rng(seed)
    others = [background[background["fold"] != fold] for fold in table["fold"]]
    others = pd.concat([each.iloc[[generator.integers(len(each))]] for each in others])
    means = {fold: networks.load_ensemble(weights, members[fold]).mean.numpy() for fold in table["fold"].unique()}
    power = triptychs(table)
    above = power - np.stack([means[fold] for fold in table["fold"]])[:, None]
    return {"power": power, "above_mean": above, "other_eeg": triptychs(others)}


def agreement(maps, table):
    """Return how alike the maps of two methods are for each sample: ``sample``, ``pair`` and ``correlation``."""
    pairs = itertools.combinations(attributions.METHODS, 2)
    found = {f"{one}|{other}": rank_correlation(maps[one], maps[other]) for one, other in pairs}
    return attributions.to_table(found, table["sample"].to_numpy(), ["pair"], "correlation")


def mean_over_recordings(table, column, recordings):
    """Return the mean of a column over samples, NaN left out, with its interval by bootstrap over recordings.

    `recordings` is a Series by ``sample``. Return a dict as from `intervals.interval`, and ``n``: of how many samples.
    """
    values = table[["sample", column]].dropna()
    if values.empty:
        return {**intervals.interval(None, [], 0), "n": 0}
    groups = values[column].astype(float).groupby(recordings.loc[values["sample"]].to_numpy())
    sums = groups.agg(total="sum", number="size").astype(float)
    found = intervals.score_intervals(lambda total, number: {"mean": total / number if number else None}, sums)
    return {**found["mean"], "n": len(values)}


def summary(table, tests, delta, total):
    """Return the results of all tests, each with its interval, and whether each method passes, as ``sanity.json``.

    `table` has ``sample``, ``recording`` and ``label`` of all samples; `delta` and `total` are those of Integrated
    Gradients. `tests` are tables: ``perturbation`` (`perturbation_test`), ``deletion`` (`deletion.all_curves`),
    ``agreement`` and, of a simulated patient, ``truth`` (`planted.score_along_axes`).
    """
    mean = partial(mean_over_recordings, recordings=table.set_index("sample")["recording"])
    miss = np.abs(delta) / np.maximum(1.0, np.abs(total))
    perturbed = tests["perturbation"]
    labels = table.set_index("sample")["label"].loc[perturbed["sample"].unique()]
    correlation = partial(mean, column="correlation")
    found = {
        "rules": RULES,
        "methods": attributions.METHODS,
        "maps": attributions.METHODS | BASELINES,
        "layers": LAYERS,
        "tested": {"seizure": int((labels == 1).sum()), "other": int((labels == 0).sum())},
        "completeness": {"largest": float(miss.max()), "n": len(miss)},
        "truth": _truth(tests["truth"], mean) if "truth" in tests else None,
        "disturbed": _nested(perturbed, ["test", "method"], correlation),
        **_deletion(tests["deletion"], mean),
        "agreement": _nested(tests["agreement"], ["pair"], correlation),
    }
    gap = perturbed.pivot(index=["sample", "method"], columns="test", values="correlation").reset_index()
    gap = gap.assign(correlation=gap["retrained"] - gap["labels"]) if len(gap) else gap
    found["retraining_gap"] = _nested(gap, ["method"], correlation)
    return found | {"verdicts": {method: _verdicts(method, found) for method in attributions.METHODS}}


def _nested(table, keys, function):
    """Return ``{value of the first key: {value of the second: function(rows)}}``, in the table's order."""
    first, *others = keys
    groups = table.groupby(first, sort=False)
    return {name: _nested(part, others, function) if others else function(part) for name, part in groups}


def _truth(scores, mean):
    def each(part):
        return {name: mean(part, name) for name in planted.SCORES if part[name].notna().any()}

    def ahead(part):  # the mean difference between a method and each baseline
        wide = part.set_index(["map", "sample"])[list(planted.SCORES)]
        return {
            name: {other: each((wide.loc[name] - wide.loc[other]).reset_index()) for other in BASELINES}
            for name in attributions.METHODS
            if name in wide.index
        }

    return _nested(scores, ["along", "map"], each) | {"ahead": _nested(scores, ["along"], ahead)}


def _deletion(curves, mean):
    """Return how much faster each map is than random order (``gain``) and than power, by area; and mean curves."""
    if curves.empty:
        return {"gain": {}, "beyond_power": {}, "curves": {}}
    areas = curves.groupby(["kind", "map", "sample"], sort=False)["score"].agg(deletion.area).reset_index()
    wide = areas.pivot(index=["kind", "sample"], columns="map", values="score")
    faster = wide.index.get_level_values("kind").map({"deletion": -1, "insertion": 1})  # it is to fall, and to rise

    def gains(rival, names):
        gap = wide[names].sub(wide[rival], axis=0).mul(faster, axis=0).stack().rename("gain").reset_index()
        return _nested(gap, ["kind", "map"], partial(mean, column="gain"))

    at = curves.groupby(["kind", "map", "share"], sort=False)["score"].mean().reset_index()
    return {
        "gain": gains("random", [name for name in wide if name != "random"]),
        "beyond_power": gains("power", list(attributions.METHODS)) if "power" in wide else {},
        "curves": _nested(at, ["kind", "map"], lambda part: [None if np.isnan(v) else v for v in part["score"]]),
    }


def _verdicts(method, found):
    """Return what each of the `RULES` says of a method: true, false, or None where it was not tested."""

    def above(figure):
        return None if not figure or figure["low"] is None else bool(figure["low"] > 0)

    def value(test):
        return found["disturbed"].get(test, {}).get(method, {}).get("value")

    random, noise = value(f"weights:{LAYERS[-1]}"), value("noise")
    ahead = found["truth"]["ahead"]["time × frequency"][method] if found["truth"] else {}
    gain = {kind: found["gain"].get(kind, {}).get(method) for kind in ("deletion", "insertion")}
    return {
        "completeness": found["completeness"]["largest"] <= 0.05 if method == "ig" else None,
        "planted truth": above(ahead.get("chance", {}).get("mass")),
        "beyond power": above(ahead.get("power", {}).get("mass")),
        "random weights": None if random is None else random < UNLIKE,
        "permuted labels": above(found["retraining_gap"].get(method)),
        "deletion": above(gain["deletion"]),
        "insertion": above(gain["insertion"]),
        "stability": None if noise is None else noise >= ALIKE,
    }
