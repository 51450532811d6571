"""Where the network looked: Grad-CAM, Grad-CAM++ and Integrated Gradients, for each of t0, t1, t2."""

from functools import partial

import numpy as np
import torch
from captum.attr import IntegratedGradients

from helpers.preprocess import spectrograms
from helpers.study import parallel
from helpers.study.bands import band_masks
from helpers.train import network as networks
from helpers.train import training

METHODS = {"gradcam": "Grad-CAM", "gradcampp": "Grad-CAM++", "ig": "Integrated Gradients"}
TOGETHER = 16  # samples explained at once: more would not be faster, and take more memory
PATH_AT_ONCE = 32  # triptychs on paths of Integrated Gradients at once


def grad_cam(maps, gradients):
    """Return Grad-CAM (Selvaraju et al. 2017, equations 1 and 2).

    Parameters
    ----------
    maps, gradients : tensor [sample, step, K, row, column]
        The explained layer's feature maps A and the gradients ∂S/∂A of the class score S.

    Returns
    -------
    tensor [sample, step, row, column], not negative
    """
    weights = gradients.mean(dim=(3, 4), keepdim=True)  # (1): α_k = 1/Z Σ_ij ∂S/∂A_ij^k
    return torch.relu((weights * maps).sum(dim=2))  # (2): ReLU(Σ_k α_k A^k)


def grad_cam_plus_plus(maps, gradients):
    """Return Grad-CAM++ (Chattopadhay et al. 2018, equations 10, 19 and the final map).

    The class score is taken through an exponential, Y = exp(S), as in the paper: its second and third derivatives
    are then powers of ∂S/∂A where S is piecewise linear in A, and the factor exp(S), the same everywhere, cancels
    in α and only scales the map.

    Parameters and result are those of `grad_cam`.
    """
    square, cube = gradients**2, gradients**3
    # (19): α_ij^k = g² / (2 g² + Σ_ab A_ab^k g³), and 0 where the gradient is 0
    denominator = 2 * square + (maps.sum(dim=(3, 4), keepdim=True) * cube)
    alpha = torch.where(denominator != 0, square / torch.where(denominator != 0, denominator, 1.0), 0.0)
    weights = (alpha * torch.relu(gradients)).sum(dim=(3, 4), keepdim=True)  # (10): w_k = Σ_ij α_ij^k ReLU(∂Y/∂A_ij^k)
    return torch.relu((weights * maps).sum(dim=2))


def class_sign(predicted):
    """Return +1 for class 1 and −1 for class 0: the score of a class is its log-odds, so one is minus the other."""
    return torch.where(torch.tensor(predicted) == 1, 1.0, -1.0)


def class_maps(network, triptychs, predicted):
    """Return both class activation maps, for the predicted class, over each frame's own spectrogram.

    Parameters
    ----------
    network : network.SpectrogramNetwork or network.Ensemble
    triptychs : float32 tensor [sample, 3, C, F, T]
    predicted : int [sample]
        The class decided, 0 or 1: the one that is explained.

    Returns
    -------
    dict of "gradcam", "gradcampp" → float32 array [sample, 3, F, T]
        Resampled bilinearly from the explained layer to the spectrogram.
    """
    with torch.no_grad():
        maps = network.maps(triptychs)
    maps.requires_grad_(True)
    score = (class_sign(predicted) * network.decide(maps)).sum()  # samples do not see each other
    (gradients,) = torch.autograd.grad(score, maps)
    size = triptychs.shape[-2:]
    return {
        name: torch.nn.functional.interpolate(method(maps, gradients).detach(), size=size, mode="bilinear").numpy()
        for name, method in (("gradcam", grad_cam), ("gradcampp", grad_cam_plus_plus))
    }


def integrated_gradients(network, triptychs, steps=64):
    """Return Integrated Gradients (Sundararajan et al. 2017) of the log-odds of seizure.

    The baseline is the training recordings' mean log power in each channel and bin, for an ensemble the mean of its
    members' means: the EEG of no moment in particular. Positive values speak for seizure, negative ones against it,
    whatever was predicted. The network averages 2 × 2 cells first (`network.pool`), so that each of the four has a
    quarter of their gradient: the path is walked with the averages, to the same numbers in a quarter of the memory.

    Parameters
    ----------
    network : network.SpectrogramNetwork or network.Ensemble
    triptychs : float32 tensor [sample, 3, C, F, T]
    steps : int
        Points on the path (Gauss–Legendre).

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
        pooled, baselines=baseline, n_steps=steps, internal_batch_size=PATH_AT_ONCE
    )
    attribution = networks.unpool(gradients.detach() / networks.POOL**2, triptychs.shape) * (triptychs - network.mean)
    with torch.no_grad():
        change = (score(pooled) - score(baseline[:1])).double()
    delta = attribution.sum(dim=(1, 2, 3, 4), dtype=torch.float64) - change
    return attribution.float().numpy(), delta.numpy()


def toward_predicted(network, triptychs, predicted, steps=64):
    """Return each method's relevance for the predicted class: a dict of `METHODS` → float32 [sample, 3, F, T].

    Integrated Gradients are summed over channels; what speaks against the predicted class is negative. Arguments are
    those of `class_maps` and `integrated_gradients`.
    """
    attribution, _ = integrated_gradients(network, triptychs, steps)
    sign = class_sign(predicted).numpy()[:, None, None, None]
    return class_maps(network, triptychs, predicted) | {"ig": attribution.sum(axis=2) * sign}


def explain_all(folder, weights, members, table, frame_columns, steps):
    """Explain all samples of a table by all methods, beside each other, with a progress bar (see `parallel.parallel_map`).

    Parameters
    ----------
    folder : Path
        Of the spectrograms.
    weights : Path
        Folder of the networks.
    members : dict of int → list of str
        The names of a fold's networks.
    table : pandas.DataFrame
        ``recording``, ``column``, ``fold``, ``decided`` and ``log_odds`` of each sample.
    frame_columns, steps : int

    Returns
    -------
    dict of str → array, in the order of `table`
        ``gradcam``, ``gradcampp`` [sample, 3, F, T] for the predicted class; ``ig`` [sample, 3, F, T], toward seizure,
        summed over channels; ``ig_channels`` [sample, 3, C, T], the same summed over frequencies; all float32.
        ``delta`` and ``total``, float64 [sample]: the convergence delta, and the sum of all attributions.

    Raises
    ------
    RuntimeError
        If the log-odds of a sample are not those of its networks.
    """
    return by_parts(partial(_explained, steps=steps), folder, weights, members, table, frame_columns)


def whole(folder, weights, members, table, frame_columns, steps):
    """Return Integrated Gradients toward seizure with all axes, float32 [sample, 3, C, F, T]; see `explain_all`."""
    return by_parts(partial(_whole, steps=steps), folder, weights, members, table, frame_columns)["ig"]


def by_parts(function, folder, weights, members, table, frame_columns):
    """Map `function` over parts of `table`, each of one fold; return its arrays put together in the table's order.

    `function` takes ``(ensemble, triptychs, part)`` and returns a dict of str → array [sample, …]; it must be found by
    another process (see `parallel.parallel_map`). Other arguments are those of `explain_all`.
    """
    pieces, rows = [], []
    for fold, own in table.reset_index(drop=True).groupby("fold"):
        for first in range(0, len(own), TOGETHER):
            part = own.iloc[first : first + TOGETHER]
            pieces.append((function, folder, weights, members[fold], part, frame_columns))
            rows.append(part.index.to_numpy())
    found = parallel.parallel_map(_of_part, pieces, "explain", "part")
    if not found:
        return {}
    order = np.argsort(np.concatenate(rows))
    return {name: np.concatenate([part[name] for part in found])[order] for name in found[0]}


def _of_part(function, folder, weights, names, part, frame_columns):
    training.make_repeatable()
    powers = spectrograms.open_spectrogram(folder, part["recording"].unique())
    return function(networks.load_ensemble(weights, names), training.slices(powers, part, frame_columns), part)


def _whole(network, triptychs, part, steps):
    return {"ig": integrated_gradients(network, triptychs, steps)[0]}


def _explained(network, triptychs, part, steps):
    with torch.no_grad():
        off = np.abs(network(triptychs).double().numpy() - part["log_odds"].to_numpy(float))
    if (wrong := ~(off <= 1e-3)).any():  # so that NaN is wrong, too
        raise RuntimeError(
            f"{part['recording'].iloc[int(wrong.argmax())]}: these networks' log-odds differ by "
            f"{off[wrong.argmax()]:.3g} from those that were decided by. Weights and decisions are of two runs: make "
            "both again with `dvc repro`."
        )
    attribution, delta = integrated_gradients(network, triptychs, steps)
    return class_maps(network, triptychs, part["decided"].to_numpy()) | {
        "ig": attribution.sum(axis=2),
        "ig_channels": attribution.sum(axis=3),
        "delta": delta,
        "total": attribution.sum(axis=(1, 2, 3, 4), dtype=np.float64),
    }


def strongest_bands(relevance, frequencies_hz):
    """Return for each step the band with the highest mean relevance.

    Parameters
    ----------
    relevance : float [3, F, T]
        Relevance for the predicted class; what speaks against it (negative) is not counted.
    frequencies_hz : float [F]

    Returns
    -------
    list of str or None
        A band's name for t0, t1, t2; None where the relevance is nowhere above zero. The mean is over bins and
        columns, so that a wide band does not win by its width.
    """
    masks = band_masks(frequencies_hz)
    found = []
    for step in np.clip(relevance, 0, None):
        means = {band: float(step[mask].mean()) for band, mask in masks.items() if mask.any()}
        band = max(means, key=means.get)
        found.append(band if means[band] > 0 else None)
    return found


def strongest_channels(relevance, names):
    """Return for each step the channel with the highest mean relevance.

    Parameters
    ----------
    relevance : float [3, C, T]
        Relevance for the predicted class, summed over frequencies; what speaks against it (negative) is not counted.
    names : sequence of str [C]

    Returns
    -------
    list of str or None
        A channel's name for t0, t1, t2; None where the relevance is nowhere above zero.
    """
    means = np.clip(relevance, 0, None).mean(axis=2)
    return [names[int(step.argmax())] if step.max() > 0 else None for step in means]


def middles(length, parts):
    """Return the index in the middle of each of so many equal `parts` of `length` rows: int [parts]."""
    return np.array([int((part + 0.5) * length / parts) for part in range(parts)], int)


def explained(decisions, most, always=None):
    """Return the samples to explain: all, or where there are more than `most`, those with most to say.

    Parameters
    ----------
    decisions : pandas.DataFrame
        ``label`` and ``decided`` of each sample, in order of time.
    most : int
    always : bool [sample], optional
        Samples to explain in any case, such as those about an onset (`profiles.near`).

    Returns
    -------
    pandas.DataFrame
        Rows of `decisions`, in its order: every seizure, every sample decided seizure and those `always` wanted, be
        they more than `most` or not; and others evenly spaced in time.
    """
    kept = ((decisions["label"] == 1) | (decisions["decided"] == 1)).to_numpy(copy=True)
    kept |= False if always is None else np.asarray(always)
    others = np.flatnonzero(~kept)
    count = min(len(others), max(0, most - int(kept.sum())))
    kept[others[middles(len(others), count)]] = True
    return decisions[kept]


def worst(decisions):
    """Return the clearest error of each kind, at most two rows of `decisions`: a seizure missed, another taken for one.

    The one whose ``p_seizure`` lies farthest from its fold's ``threshold``, in log-odds (ties by ``sample``).
    """
    p, threshold = (decisions[name].clip(1e-12, 1 - 1e-12) for name in ("p_seizure", "threshold"))
    distance = (np.log(p / (1 - p)) - np.log(threshold / (1 - threshold))).abs()
    wrong = decisions.assign(distance=distance)[decisions["label"] != decisions["decided"]]
    ordered = wrong.sort_values(["label", "distance", "sample"], ascending=[False, False, True])
    return ordered.groupby("label", sort=False).head(1)[decisions.columns].reset_index(drop=True)


def choose(decisions, per_class):
    """Choose samples of each true class without looking for good ones.

    The samples of a class are ordered by ``p_seizure`` (ties by ``sample``) and divided into `per_class` equal
    parts; the middle of each part is taken.

    Parameters
    ----------
    decisions : pandas.DataFrame
        ``sample``, ``label``, ``p_seizure`` and more.
    per_class : int

    Returns
    -------
    pandas.DataFrame
        Rows of `decisions`: seizure samples first, the most probable first.

    Raises
    ------
    ValueError
        If a class has fewer than `per_class` samples.
    """
    rows = []
    for label, name in ((1, "seizure"), (0, "non-seizure")):
        ordered = decisions[decisions["label"] == label].sort_values(["p_seizure", "sample"], ascending=[False, True])
        if len(ordered) < per_class:
            raise ValueError(f"{per_class} {name} samples are to be explained, but there are only {len(ordered)}.")
        rows += ordered.index[middles(len(ordered), per_class)].tolist()
    return decisions.loc[rows].reset_index(drop=True)
