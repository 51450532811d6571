"""Where the network looked: Grad-CAM, Grad-CAM++ and Integrated Gradients, for each of t0, t1, t2."""

import numpy as np
import torch
from captum.attr import IntegratedGradients

from helpers import spectrograms

METHODS = {"gradcam": "Grad-CAM", "gradcampp": "Grad-CAM++", "ig": "Integrated Gradients"}


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
    whatever was predicted.

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
    baseline = network.mean.expand_as(triptychs)
    attribution, delta = IntegratedGradients(network).attribute(
        triptychs, baselines=baseline, n_steps=steps, internal_batch_size=32, return_convergence_delta=True
    )
    return attribution.detach().numpy(), delta.detach().double().numpy()


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
    masks = spectrograms.band_of(frequencies_hz)
    found = []
    for step in np.clip(relevance, 0, None):
        means = {band: float(step[mask].mean()) for band, mask in masks.items() if mask.any()}
        band = max(means, key=means.get)
        found.append(band if means[band] > 0 else None)
    return found


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
        rows += [ordered.index[int((part + 0.5) * len(ordered) / per_class)] for part in range(per_class)]
    return decisions.loc[rows].reset_index(drop=True)
