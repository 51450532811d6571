"""The tests of the explanations: what each method shows under each test, with intervals, and whether it passes.

A method that fails a rule (`RULES`) is said to fail beside its pictures.
"""

import itertools
from functools import partial

import numpy as np
import pandas as pd
import torch

from helpers.explain import attributions, deletion, planted, randomisation
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
# Maps that need no network: nothing known, the sample's power, how far it lies above the training mean, and the power
# of other EEG, outside seizures.
TRIVIAL = {
    "chance": "chance",
    "power": "power of the sample",
    "above_mean": "power above the training mean",
    "other_eeg": "power of other EEG",
}
UNLIKE, ALIKE = 0.2, 0.7
NOISE_DB = 1.0  # a periodogram's own chance deviation is 5.6 dB a cell
STEPS = 8  # points on the path: for a rank correlation few are enough
ORDERS = 3  # random orders of cells
OTHERS = 2  # triptychs of other EEG that cells are replaced by


def tested(table, most):
    """Return the samples on which methods are tested: seizures that were decided so, and as many others decided so.

    Parameters
    ----------
    table : pandas.DataFrame
        ``label``, ``decided`` of each sample, in order of time.
    most : int
        At most so many of each, evenly spaced in time.

    Returns
    -------
    pandas.DataFrame
        Rows of `table`, in its order. Where one of the two kinds is missing the other one alone; none if all decisions
        are wrong.
    """
    right = [np.flatnonzero((table["label"] == value) & (table["decided"] == value)) for value in (1, 0)]
    count = min([most, *(len(rows) for rows in right if len(rows))])
    kept = [rows[attributions.middles(len(rows), count)] for rows in right if len(rows)]
    return table.iloc[sorted(np.concatenate(kept))] if kept else table.iloc[:0]


def disturbed(folder, weights, permuted, members, pairs, table, frame_columns, seed):
    """Return how alike each method's maps are to those under disturbed weights, labels and input.

    Parameters
    ----------
    folder, weights, members, table, frame_columns
        As for `attributions.explain_all`; ``sample`` as well in `table`.
    permuted : Path
        Folder of the networks trained on permuted labels.
    pairs : dict of int → (str, str)
        For each fold: the name of the network that was also trained on permuted labels, and of another of the fold.
    seed : int

    Returns
    -------
    pandas.DataFrame
        ``sample``, ``method``, ``test`` and ``correlation``. The tests are the depths of `randomisation.LAYERS` by
        name (``weights:score`` … ``weights:mix``, all those before it being lost as well), ``labels`` (one network
        against the same trained on permuted labels), ``retrained`` (it against another on the true labels) and
        ``noise``; ``magnitude:…`` is the same of the maps without their signs.
    """
    work = partial(_disturbed, weights=weights, permuted=permuted, pairs=pairs, seed=seed)
    found = attributions.by_parts(work, folder, weights, members, table, frame_columns)
    rows = [pd.DataFrame(columns=["sample", "method", "test", "correlation"])] if table.empty else []
    for name, values in found.items():
        test, method = name.split("/")
        rows.append(
            pd.DataFrame({"sample": table["sample"].to_numpy(), "method": method, "test": test, "correlation": values})
        )
    return pd.concat(rows, ignore_index=True)


def _disturbed(network, triptychs, part, weights, permuted, pairs, seed):
    predicted = part["decided"].to_numpy()

    def maps(of, given=triptychs):
        return attributions.toward_predicted(of, given, predicted, STEPS)

    def alone(folder, name):
        return networks.load_ensemble(folder, [name])

    own, (name, other) = maps(network), pairs[part["fold"].iloc[0]]
    one = maps(alone(weights, name))
    compared = {
        f"weights:{layer}": (own, maps(randomisation.randomised(network, depth, seed + depth)))
        for depth, layer in enumerate(randomisation.LAYERS, start=1)
    }
    compared["labels"] = (one, maps(alone(permuted, name)))
    compared["retrained"] = (one, maps(alone(weights, other)))
    compared["noise"] = (own, maps(network, randomisation.noisy(triptychs, NOISE_DB, seed)))
    found = {}
    for test, (before, after) in compared.items():
        for method in attributions.METHODS:
            found[f"{test}/{method}"] = randomisation.rank_correlation(before[method], after[method])
        sizes = (np.abs(before["ig"]), np.abs(after["ig"]))
        found[f"magnitude:{test}/ig"] = randomisation.rank_correlation(*sizes)
    return found


def deleted(folder, weights, members, table, background, maps, axis, seed):
    """Return how the score of each sample falls and rises as cells are replaced in each map's order, and at random.

    Parameters
    ----------
    folder, weights, members, table
        As for `disturbed`.
    background : pandas.DataFrame
        ``recording``, ``column``, ``fold`` of samples outside seizures, to replace cells by: those of other folds.
    maps : dict of str → float [sample, 3, F, T]
        Relevance for the predicted class, in the order of `table`.
    axis : dict
        From `filterbank.axes`.
    seed : int

    Returns
    -------
    pandas.DataFrame
        ``sample``, ``map`` (also ``random``, the mean of `ORDERS` orders), ``kind`` (deletion, insertion), ``share``
        of the cells, ``score``: see `deletion.curves`.
    """
    if table.empty:
        return pd.DataFrame(columns=["sample", "map", "kind", "share", "score"])
    size = deletion.resolution(axis)
    ordered = {name: np.argsort(-cells, axis=1, kind="stable") for name, cells in _cells(maps, size).items()}
    work = partial(_deleted, folder=folder, background=background, size=size, seed=seed)
    part = table.assign(**{f"order:{name}": list(orders) for name, orders in ordered.items()})
    found = attributions.by_parts(work, folder, weights, members, part, axis["frame_columns"])
    shares, rows = np.linspace(0, 1, deletion.STEPS + 1).round(6), []
    for key, curves in found.items():
        kind, name = key.split("/")
        for sample, curve in zip(table["sample"], curves, strict=True):
            rows.append(pd.DataFrame({"sample": sample, "map": name, "kind": kind, "share": shares, "score": curve}))
    return pd.concat(rows, ignore_index=True)


def _cells(maps, size):
    """Return the relevance of each cell: maps are averaged over what the network averages, then over cells."""
    pooled = {name: networks.pool_steps(torch.from_numpy(values)[:, :, None]) for name, values in maps.items()}
    return {name: deletion.cells(values[:, :, 0].numpy(), size) for name, values in pooled.items()}


def _deleted(network, triptychs, part, folder, background, size, seed):
    pooled = networks.pool_steps(triptychs)
    columns = [name for name in part.columns if name.startswith("order:")]
    found = {}
    for row, sample in enumerate(part.to_dict("records")):
        generator = np.random.default_rng([seed, sample["sample"]])
        others = background[background["fold"] != sample["fold"]]
        others = others.iloc[generator.choice(len(others), OTHERS, replace=len(others) < OTHERS)]
        powers = spectrograms.open_spectrogram(folder, others["recording"].unique())
        others = networks.pool_steps(training.slices(powers, others, triptychs.shape[-1]))
        sign = float(attributions.class_sign(sample["decided"]))
        orders = {name.removeprefix("order:"): [sample[name]] for name in columns}
        orders["random"] = [generator.permutation(len(sample[columns[0]])) for _ in range(ORDERS)]
        for name, several in orders.items():
            pairs = [deletion.curves(network, pooled[row], others, order, size, sign) for order in several]
            for kind, curves in zip(("deletion", "insertion"), zip(*pairs, strict=True), strict=True):
                found.setdefault(f"{kind}/{name}", []).append(np.mean(curves, axis=0))
    return {name: np.stack(curves) for name, curves in found.items()}


def trivial(folder, weights, members, table, background, axis, seed):
    """Return maps that need no decision, to hold the methods against (see `TRIVIAL`; chance has no map).

    Arguments are those of `deleted`.

    Returns
    -------
    dict of str → float32 [sample, 3, C, F, T], in dB
    """
    maps, means, generator = {name: [] for name in TRIVIAL if name != "chance"}, {}, np.random.default_rng(seed)
    for row, sample in enumerate(table.itertuples()):
        others = background[background["fold"] != sample.fold]
        pair = pd.concat([table.iloc[[row]], others.iloc[[generator.integers(len(others))]]])
        powers = spectrograms.open_spectrogram(folder, pair["recording"].unique())
        power, other = training.slices(powers, pair, axis["frame_columns"]).numpy()
        if sample.fold not in means:
            means[sample.fold] = networks.load_ensemble(weights, members[sample.fold]).mean.numpy()
        for name, values in (("power", power), ("above_mean", power - means[sample.fold]), ("other_eeg", other)):
            maps[name].append(values)
    if table.empty:
        return {name: np.zeros((0, 3, len(axis["channels"]), len(axis["frequencies_hz"]), 1)) for name in maps}
    return {name: np.stack(values) for name, values in maps.items()}


def truths(rows, table, maps, whole, axis):
    """Return how each map of each sample scores against the planted truth, along each axis.

    Parameters
    ----------
    rows : pandas.DataFrame
        See `planted.COLUMNS`.
    table : pandas.DataFrame
        ``sample``, ``recording``, ``column``.
    maps : dict of str → float [sample, 3, F, T]
        Relevance for the predicted class.
    whole : dict of str → float [sample, 3, C, F, T]
        The same with channels, of those that have them: Integrated Gradients and the `trivial` maps.
    axis : dict
        From `filterbank.axes`.

    Returns
    -------
    pandas.DataFrame
        ``sample``, ``along``, ``map``, `planted.SCORES`; see `planted.masks` for what is planted along each axis. Along
        ``channel, where planted`` only those times and frequencies count where a channel carries the seizure: what
        comes with it, as muscle does, is left out.
    """
    masks = [planted.masks(planted.amplitudes(rows, sample, axis)) for sample in table.itertuples()]
    maps = maps | {name: values.mean(axis=2) for name, values in whole.items()}
    cells = np.stack([mask["time × frequency"] for mask in masks])
    within = {name: (values * cells[:, :, None]).sum(axis=(1, 3, 4)) for name, values in whole.items()}
    seen = {
        "time × frequency": maps,
        "time": {name: values.mean(axis=2) for name, values in maps.items()},
        "frequency": {name: values.mean(axis=3) for name, values in maps.items()},
        "channel": {name: values.mean(axis=(1, 3, 4)) for name, values in whole.items()},
        "channel, where planted": within,
    }
    found = []
    for name, values in seen.items():
        truth = np.stack([mask[name.removesuffix(", where planted")] for mask in masks])
        scores = planted.against(values, truth)
        found.append(scores.assign(along=name, sample=table["sample"].to_numpy()[scores["row"]]).drop(columns="row"))
    return pd.concat(found, ignore_index=True)


def agreement(maps, table):
    """Return how alike the maps of two methods are: ``sample``, ``pair`` and ``correlation``; all for each sample."""
    rows, names = [], list(attributions.METHODS)
    for one, other in itertools.combinations(names, 2):
        values = randomisation.rank_correlation(maps[one], maps[other])
        rows.append(
            pd.DataFrame({"sample": table["sample"].to_numpy(), "pair": f"{one}|{other}", "correlation": values})
        )
    return pd.concat(rows, ignore_index=True)


def summary(table, tests, delta, total):
    """Put the tests together: each figure with its interval, and whether each method passes.

    Parameters
    ----------
    table : pandas.DataFrame
        ``sample``, ``recording`` and ``label`` of all samples.
    tests : dict of str → pandas.DataFrame
        ``disturbed``, ``deleted``, ``agreement`` and, of a simulated patient, ``truths``: what the functions of these
        names return.
    delta, total : float [sample]
        Of Integrated Gradients, in the order of `table`.

    Returns
    -------
    dict
        ``rules``; ``methods``, ``maps`` and ``layers``: their names; ``tested``: how many samples of each class;
        ``completeness``; ``truth`` (along → map → score, and ``ahead``: along → method → trivial map →
        score, the mean difference), None without planted truth; ``disturbed`` (test → method), ``retraining_gap``
        (method), ``gain`` (kind → map: how much faster than at random), ``beyond_power`` (kind → method: how much
        faster than in the order of power), ``curves`` (kind → map → mean at each share),
        ``agreement`` (pair); ``verdicts`` (method → rule → true, false, or None where it was not tested). Figures are
        as `planted.mean_over_recordings` gives them.
    """
    mean = partial(_mean, recordings=table.set_index("sample")["recording"])
    miss = np.abs(delta) / np.maximum(1.0, np.abs(total))
    labels = table.set_index("sample")["label"].loc[tests["disturbed"]["sample"].unique()]
    found = {
        "rules": RULES,
        "methods": attributions.METHODS,
        "maps": attributions.METHODS | TRIVIAL,
        "layers": randomisation.LAYERS,
        "tested": {"seizure": int((labels == 1).sum()), "other": int((labels == 0).sum())},
        "completeness": {"largest": float(miss.max()), "n": len(miss)},
        "truth": _truth(tests["truths"], mean) if "truths" in tests else None,
        "disturbed": _nested(tests["disturbed"], ["test", "method"], lambda part: mean(part, "correlation")),
        **_deletion(tests["deleted"], mean),
        "agreement": _nested(tests["agreement"], ["pair"], lambda part: mean(part, "correlation")),
    }
    gap = tests["disturbed"].pivot(index=["sample", "method"], columns="test", values="correlation").reset_index()
    gap = gap.assign(correlation=gap["retrained"] - gap["labels"]) if len(gap) else gap
    found["retraining_gap"] = _nested(gap, ["method"], lambda part: mean(part, "correlation"))
    return found | {"verdicts": {method: _verdicts(method, found) for method in attributions.METHODS}}


def _mean(part, column, recordings):
    return planted.mean_over_recordings(part[column], recordings.loc[part["sample"]])


def _nested(table, keys, function):
    """Return ``{value of the first key: {value of the second: function(rows)}}``, in the table's order."""
    first, *others = keys
    groups = table.groupby(first, sort=False)
    return {name: _nested(part, others, function) if others else function(part) for name, part in groups}


def _truth(scores, mean):
    def each(part):
        return {name: mean(part, name) for name in planted.SCORES if part[name].notna().any()}

    def ahead(part):
        wide = part.set_index(["map", "sample"])[list(planted.SCORES)]
        names = [name for name in attributions.METHODS if name in wide.index]
        return {
            name: {other: each((wide.loc[name] - wide.loc[other]).reset_index()) for other in TRIVIAL} for name in names
        }

    return _nested(scores, ["along", "map"], each) | {"ahead": _nested(scores, ["along"], ahead)}


def _deletion(curves, mean):
    if curves.empty:
        return {"gain": {}, "beyond_power": {}, "curves": {}}
    areas = curves.groupby(["kind", "map", "sample"], sort=False)["score"].agg(deletion.area).reset_index()
    wide = areas.pivot(index=["kind", "sample"], columns="map", values="score")
    faster = {"deletion": -1, "insertion": 1}  # the score is to fall fast, and to rise fast

    def gains(rival, names):
        gap = wide[names].sub(wide[rival], axis=0).mul(wide.index.get_level_values("kind").map(faster), axis=0)
        gap = gap.stack().rename("gain").reset_index()
        return _nested(gap, ["kind", "map"], lambda part: mean(part, "gain"))

    at = curves.groupby(["kind", "map", "share"], sort=False)["score"].mean().reset_index()
    return {
        "gain": gains("random", [name for name in wide if name != "random"]),
        "beyond_power": gains("power", list(attributions.METHODS)) if "power" in wide else {},
        "curves": _nested(
            at, ["kind", "map"], lambda part: [None if np.isnan(value) else value for value in part["score"]]
        ),
    }


def _verdicts(method, found):
    """Return what each of the `RULES` says of a method: true, false, or None where it does not apply."""

    def above(figure):
        return None if not figure or figure["low"] is None else bool(figure["low"] > 0)

    def value(test):
        return found["disturbed"].get(test, {}).get(method, {}).get("value")

    every, alike = value(f"weights:{randomisation.LAYERS[-1]}"), value("noise")
    gain = {kind: found["gain"].get(kind, {}).get(method) for kind in ("deletion", "insertion")}
    verdicts = {
        "completeness": found["completeness"]["largest"] <= 0.05 if method == "ig" else None,
        "planted truth": None,
        "beyond power": None,
        "random weights": None if every is None else every < UNLIKE,
        "permuted labels": above(found["retraining_gap"].get(method)),
        "deletion": above(gain["deletion"]),
        "insertion": above(gain["insertion"]),
        "stability": None if alike is None else alike >= ALIKE,
    }
    if found["truth"]:
        ahead = found["truth"]["ahead"]["time × frequency"][method]
        verdicts |= {
            rule: above(ahead[other].get("mass"))
            for rule, other in (("planted truth", "chance"), ("beyond power", "power"))
        }
    return verdicts
