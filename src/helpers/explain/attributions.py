"""Grad-CAM, Grad-CAM++ and Integrated Gradients for each of t0, t1, t2; and the samples they are computed for."""

from functools import partial

import numpy as np
import pandas as pd
import torch
from captum.attr import IntegratedGradients

from helpers.preprocess import spectrograms
from helpers.study import parallel
from helpers.study.bands import band_masks
from helpers.train import network as networks
from helpers.train import training

METHODS = {"gradcam": "Grad-CAM", "gradcampp": "Grad-CAM++", "ig": "Integrated Gradients"}
BATCH = 16  # samples explained at once: more is no faster and takes more memory
PATH_BATCH = 32  # triptychs on the paths of Integrated Gradients at once


def grad_cam(maps, gradients):
    """Return Grad-CAM (Selvaraju et al. 2017, equations 1 and 2), [sample, step, row, column], not negative.

    `maps` and `gradients`, [sample, step, K, row, column], are the explained layer's feature maps A and the gradients
    ∂S/∂A of the class score S.
    """
    weights = gradients.mean(dim=(3, 4), keepdim=True)  # (1): α_k = 1/Z Σ_ij ∂S/∂A_ij^k
    return torch.relu((weights * maps).sum(dim=2))  # (2): ReLU(Σ_k α_k A^k)


def grad_cam_plus_plus(maps, gradients):
    """Return Grad-CAM++ (Chattopadhay et al. 2018, equations 10, 19 and the final map); see `grad_cam`.

    As in the paper, the class score is Y = exp(S): where S is piecewise linear in A, the higher derivatives of Y are
    powers of ∂S/∂A, and the factor exp(S) cancels in α and only scales the map.
    """
    square, cube = gradients**2, gradients**3
    # (19): α_ij^k = g² / (2 g² + Σ_ab A_ab^k g³), and 0 where the gradient is 0
    denominator = 2 * square + (maps.sum(dim=(3, 4), keepdim=True) * cube)
    alpha = torch.where(denominator != 0, square / torch.where(denominator != 0, denominator, 1.0), 0.0)
    weights = (alpha * torch.relu(gradients)).sum(dim=(3, 4), keepdim=True)  # (10): w_k = Σ_ij α_ij^k ReLU(∂Y/∂A_ij^k)
    return torch.relu((weights * maps).sum(dim=2))


def class_sign(predicted):
    """Return +1 for seizure and −1 for non-seizure: the score of one class is minus that of the other."""
    return torch.where(torch.tensor(predicted) == 1, 1.0, -1.0)


def class_maps(network, triptychs, predicted):
    """Return Grad-CAM and Grad-CAM++ for the predicted class, each frame's map over its own spectrogram.

    `network` is an `Ensemble` or one of its members, `triptychs` float32 [sample, 3, C, F, T], `predicted` 0 or 1
    [sample]. Return a dict of "gradcam", "gradcampp" → float32 [sample, 3, F, T], resampled from the explained layer.
    """
    with torch.no_grad():
        maps = network.maps(triptychs)
    maps.requires_grad_(True)
    score = (class_sign(predicted) * network.decide(maps)).sum()  # samples are independent of each other
    (gradients,) = torch.autograd.grad(score, maps)
    size = triptychs.shape[-2:]
    return {
        name: torch.nn.functional.interpolate(method(maps, gradients).detach(), size=size, mode="bilinear").numpy()
        for name, method in (("gradcam", grad_cam), ("gradcampp", grad_cam_plus_plus))
    }


def integrated_gradients(network, triptychs, steps=64):
    """Return Integrated Gradients (Sundararajan et al. 2017) of the log-odds of seizure, whatever was predicted.

    The baseline is the training recordings' mean log power in each channel and bin (of an ensemble, the mean of the
    members' means). The network first averages 2 × 2 cells, each of which has a quarter of their gradient: captum
    walks the path of the averages, `steps` points long, to the same numbers in a quarter of the memory.

    Returns
    -------
    attribution : float32 array [sample, 3, C, F, T]
    delta : float64 array [sample]
        Convergence delta: sum of the attributions minus (score − score at the baseline); 0 if exact.
    """
    pooled = networks.pool_steps(triptychs)
    baseline = networks.pool_bins(network.mean).expand_as(pooled)

    def score(points):
        return network.decide(network.encode(points))

    gradients = IntegratedGradients(score, multiply_by_inputs=False).attribute(
        pooled, baselines=baseline, n_steps=steps, internal_batch_size=PATH_BATCH
    )
    attribution = networks.unpool(gradients.detach() / networks.POOL**2, triptychs.shape) * (triptychs - network.mean)
    with torch.no_grad():
        change = (score(pooled) - score(baseline[:1])).double()
    delta = attribution.sum(dim=(1, 2, 3, 4), dtype=torch.float64) - change
    return attribution.float().numpy(), delta.numpy()


def predicted_relevance(network, triptychs, predicted, steps=64):
    """Return each method's relevance for the predicted class: a dict of `METHODS` → float32 [sample, 3, F, T].

    Integrated Gradients are summed over channels; what speaks against the predicted class is negative.
    """
    attribution, _ = integrated_gradients(network, triptychs, steps)
    sign = class_sign(predicted).numpy()[:, None, None, None]
    return class_maps(network, triptychs, predicted) | {"ig": attribution.sum(axis=2) * sign}


def explain_all(folder, weights, members, table, frame_columns, steps, all_axes=False):
    """Explain all samples of a table by all methods, in parallel.

    Parameters
    ----------
    folder, weights : Path
        Of the spectrograms, and of the networks.
    members : dict of int → list of str
        The names of a fold's networks.
    table : pandas.DataFrame
        ``recording``, ``column``, ``fold``, ``decided`` and ``log_odds``; RuntimeError if they are not the networks'.
    frame_columns, steps : int

    Returns
    -------
    dict of str → array, in the order of `table`
        ``gradcam``, ``gradcampp`` [sample, 3, F, T] for the predicted class; ``ig`` [sample, 3, F, T], toward seizure,
        summed over channels; ``ig_channels`` [sample, 3, C, T], summed over frequencies; with `all_axes` ``ig_full``,
        [sample, 3, C, F, T]; ``delta`` and ``total``, float64 [sample]: convergence delta, sum of all attributions.
    """
    work = partial(_explain_part, steps=steps, all_axes=all_axes)
    return map_by_fold(work, folder, weights, members, table, frame_columns)


def map_by_fold(function, folder, weights, members, table, frame_columns):
    """Map `function` over parts of `table`, each of one fold; return its arrays in the table's order.

    `function`, importable by another process, takes ``(ensemble, triptychs, part)`` and returns a dict of str → array
    [sample, …]. Other arguments are those of `explain_all`.
    """
    folds = table.reset_index(drop=True).groupby("fold")
    parts = [own.iloc[first : first + BATCH] for _, own in folds for first in range(0, len(own), BATCH)]
    pieces = [(function, folder, weights, members[part["fold"].iloc[0]], part, frame_columns) for part in parts]
    found = parallel.parallel_map(_apply, pieces, "explain", "part")
    if not found:
        return {}
    order = np.argsort(np.concatenate([part.index for part in parts]))
    return {name: np.concatenate([values[name] for values in found])[order] for name in found[0]}


def to_table(found, samples, keys, value):
    """Return arrays [sample, …] by name as a long table: ``sample``, the parts of a name under `keys`, and `value`."""
    parts = [
        pd.DataFrame({"sample": samples, **dict(zip(keys, name.split("/"), strict=True)), value: list(values)})
        for name, values in found.items()
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["sample", *keys, value])


def _apply(function, folder, weights, names, part, frame_columns):
    training.make_repeatable()
    powers = spectrograms.open_spectrogram(folder, part["recording"].unique())
    return function(networks.load_ensemble(weights, names), training.slices(powers, part, frame_columns), part)


def _explain_part(network, triptychs, part, steps, all_axes):
    with torch.no_grad():
        gap = np.abs(network(triptychs).double().numpy() - part["log_odds"].to_numpy(float))
    if (wrong := ~(gap <= 1e-3)).any():  # NaN is wrong, too
        raise RuntimeError(
            f"{part['recording'].iloc[int(wrong.argmax())]}: the networks' log-odds differ by "
            f"{gap[wrong.argmax()]:.3g} from those in decisions.csv. Weights and decisions are of two runs: make both "
            "again with `dvc repro`."
        )
    attribution, delta = integrated_gradients(network, triptychs, steps)
    return class_maps(network, triptychs, part["decided"].to_numpy()) | {
        "ig": attribution.sum(axis=2),
        "ig_channels": attribution.sum(axis=3),
        "delta": delta,
        "total": attribution.sum(axis=(1, 2, 3, 4), dtype=np.float64),
        **({"ig_full": attribution} if all_axes else {}),
    }


def strongest_bands(relevance, frequencies_hz):
    """Return for each step of relevance [3, F, T] the band with the highest mean above zero, or None.

    The mean is over bins and columns, so that a wide band does not win by its width.
    """
    masks, found = band_masks(frequencies_hz), []
    for step in np.clip(relevance, 0, None):
        means = {band: float(step[mask].mean()) for band, mask in masks.items() if mask.any()}
        band = max(means, key=means.get)
        found.append(band if means[band] > 0 else None)
    return found


def strongest_channels(relevance, names):
    """Return for each step of relevance [3, C, T] the name of the channel with the highest mean above zero, or None."""
    means = np.clip(relevance, 0, None).mean(axis=2)
    return [names[int(step.argmax())] if step.max() > 0 else None for step in means]


def evenly_spaced(length, count):
    """Return the index in the middle of each of `count` equal parts of `length` rows: int [count]."""
    return np.array([int((part + 0.5) * length / count) for part in range(count)], int)


def select_samples(decisions, most, always=False):
    """Return the rows of `decisions` to explain, in their order: at most `most`, unless more are required.

    Required are seizures (``label``), samples decided seizure (``decided``) and those `always` names, bool [sample];
    the others are evenly spaced in time.
    """
    required = ((decisions["label"] == 1) | (decisions["decided"] == 1)).to_numpy() | np.asarray(always)
    others = np.flatnonzero(~required)
    count = min(len(others), max(0, most - int(required.sum())))
    required[others[evenly_spaced(len(others), count)]] = True
    return decisions[required]


def clearest_errors(decisions):
    """Return the clearest error of each kind, at most one missed seizure and one false alarm, rows of `decisions`.

    It is the one whose ``p_seizure`` lies farthest from its fold's ``threshold``, in log-odds (ties by ``sample``).
    """
    p, threshold = (decisions[name].clip(1e-12, 1 - 1e-12) for name in ("p_seizure", "threshold"))
    distance = (np.log(p / (1 - p)) - np.log(threshold / (1 - threshold))).abs()
    wrong = decisions.assign(distance=distance)[decisions["label"] != decisions["decided"]]
    ordered = wrong.sort_values(["label", "distance", "sample"], ascending=[False, False, True])
    return ordered.groupby("label", sort=False).head(1)[decisions.columns].reset_index(drop=True)


def representative_samples(decisions, per_class):
    """Return `per_class` rows of `decisions` of each true class, seizures first, not chosen for how good they look.

    A class is ordered by ``p_seizure`` (ties by ``sample``) and divided into equal parts; the middle of each is taken.
    Raise ValueError if a class has fewer samples.
    """
    rows = []
    for label, name in ((1, "seizure"), (0, "non-seizure")):
        ordered = decisions[decisions["label"] == label].sort_values(["p_seizure", "sample"], ascending=[False, True])
        if len(ordered) < per_class:
            raise ValueError(
                f"samples_per_class is {per_class}, but there are only {len(ordered)} {name} samples. Lower it."
            )
        rows += ordered.index[evenly_spaced(len(ordered), per_class)].tolist()
    return decisions.loc[rows].reset_index(drop=True)
