"""Sanity checks of attribution methods: what becomes of a map when weights, input or labels are disturbed.

A map that stays when the network is no longer the trained one explains the input, not the network (Adebayo et al.,
Sanity Checks for Saliency Maps, NeurIPS 2018).
"""

import copy

import numpy as np
import torch
from scipy.stats import rankdata

# From the decision down to the input: the order in which weights are lost.
LAYERS = ("score", "recur", "embed", "evolve", "shape", "mix")


def randomised(network, depth, seed):
    """Return a copy of an ensemble whose first `depth` of the `LAYERS` are as before any training, in all members.

    The training statistics (`mean`, `deviation`) stay: they are the input's scale, not learnt by gradient.
    """
    changed = copy.deepcopy(network)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for member in changed.networks:
            for name in LAYERS[:depth]:
                getattr(member, name).reset_parameters()
    return changed.eval()


def noisy(triptychs, deviation_db, seed):
    """Return triptychs with independent Gaussian noise of `deviation_db` dB in each cell."""
    generator = torch.Generator().manual_seed(seed)
    return triptychs + deviation_db * torch.randn(triptychs.shape, generator=generator)


def rank_correlation(one, other):
    """Return Spearman's rank correlation of each sample's two maps, float64 [sample].

    Parameters
    ----------
    one, other : float [sample, …]

    Returns
    -------
    float64 [sample]
        0 where just one of the two is the same everywhere: such a map orders nothing; NaN where both are.
    """
    found = []
    for a, b in zip(one, other, strict=True):
        a, b = (rankdata(values.ravel()) for values in (a, b))
        flat = [np.ptp(values) == 0 for values in (a, b)]
        found.append(np.nan if all(flat) else 0.0 if any(flat) else np.corrcoef(a, b)[0, 1])
    return np.array(found, float)
