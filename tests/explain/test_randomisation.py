"""Randomised weights, noise and rank correlation: what changes, what must not, and values worked out by hand."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from test_training import made_network

from helpers.explain import randomisation
from helpers.train.network import Ensemble

DEPTHS = range(len(randomisation.LAYERS) + 1)


@pytest.fixture
def ensemble():
    """Three networks with random weights and statistics, as the members of a fold."""
    return Ensemble([made_network(seed) for seed in range(3)]).eval()


def held(network):
    """Return all that an ensemble holds, statistics included, as bytes by name."""
    return {name: value.numpy().tobytes() for name, value in network.state_dict().items()}


def test_layers_are_all_that_is_learnt(ensemble):
    """Each weight belongs to one of the layers, which stand in the order of the decision, backwards."""
    member, called = ensemble.networks[0], []
    assert {name.split(".")[0] for name, _ in member.named_parameters()} == set(randomisation.LAYERS)
    for name in randomisation.LAYERS:
        getattr(member, name).register_forward_hook(lambda *given, name=name: called.append(name))
    member(torch.zeros(1, 3, 3, 10, 6))
    assert called == list(randomisation.LAYERS[::-1])


@pytest.mark.parametrize("depth", DEPTHS)
def test_only_the_first_layers_are_lost(ensemble, depth):
    """In all members, to values that differ between them; every tensor of the layers changes and no other does, nor do
    the statistics, nor the network that was given."""
    before = held(ensemble)
    after = held(randomisation.randomised(ensemble, depth, 7))
    lost = {name for name in before if name.split(".")[2] in randomisation.LAYERS[:depth]}
    assert {name for name in before if before[name] != after[name]} == lost
    assert len({name.split(".")[1] for name in lost}) == (3 if depth else 0)
    assert len({after[name] for name in lost}) == len(lost)
    assert held(ensemble) == before


def test_all_lost_is_as_before_training(ensemble):
    """Weights as torch initialises them, whatever they were: uniform, within ±1/√inputs; what was learnt here is three
    times as wide."""
    found = randomisation.randomised(ensemble, DEPTHS[-1], 7)
    for member, old in zip(found.networks, ensemble.networks, strict=True):
        for layer, inputs in (("score", 8), ("mix", 3), ("evolve", 9 * 4), ("embed", 4)):
            values, limit = getattr(member, layer).weight, inputs**-0.5
            assert 0.5 * limit < values.abs().max() <= limit < getattr(old, layer).weight.abs().max()
    other = Ensemble([made_network(seed) for seed in range(3, 6)]).eval()
    for member, one in zip(other.networks, ensemble.networks, strict=True):
        member.mean, member.deviation = one.mean, one.deviation
    assert held(randomisation.randomised(other, DEPTHS[-1], 7)) == held(found)


def test_seeds_decide(ensemble):
    """The same one gives the same bytes, another others; ready to predict, even if the given one was not."""
    one, again, other = (held(randomisation.randomised(ensemble, 6, seed)) for seed in (7, 7, 8))
    assert one == again
    statistics = {name for name in one if name.endswith(("mean", "deviation"))}
    assert {name for name in one if one[name] == other[name]} == statistics
    found = randomisation.randomised(ensemble.train(), 3, 7)
    assert not found.training and not any(member.training for member in found.networks)


def test_the_global_generator_is_not_touched(ensemble):
    """Neither by lost weights nor by noise: what torch draws next is the same."""
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    randomisation.randomised(ensemble, 6, 7)
    randomisation.noisy(torch.zeros(2, 3, 3, 10, 6), 1.0, 7)
    assert torch.equal(torch.rand(4), expected)


def test_noise_has_its_deviation_and_seed():
    """2 dB about what was there, in each of 48000 cells on its own; none at 0 dB; the seed decides."""
    triptychs = torch.randn(4, 3, 10, 20, 20, generator=torch.Generator().manual_seed(0)) * 50
    before = triptychs.clone()
    found = randomisation.noisy(triptychs, 2.0, 7)
    noise = (found - triptychs).double().numpy()
    assert noise.mean() == pytest.approx(0, abs=0.05) and noise.std() == pytest.approx(2, abs=0.05)
    for axis in range(5):  # means over one axis scatter as those of independent values do
        assert noise.mean(axis=axis).std() == pytest.approx(2 / noise.shape[axis] ** 0.5, rel=0.1)
    assert torch.equal(triptychs, before) and torch.equal(randomisation.noisy(triptychs, 0.0, 7), triptychs)
    assert torch.equal(found, randomisation.noisy(triptychs, 2.0, 7))
    assert (found != randomisation.noisy(triptychs, 2.0, 8)).double().mean() > 0.99


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1, 2, 3, 4], [1, 10, 100, 1000], 1),  # the order alone counts
        ([1, 2, 3, 4], [4, 3, 2, 1], -1),
        ([1, 2, 3, 4], [2, 1, 4, 3], 0.6),  # 1 − 6 Σd²/(n³ − n) = 1 − 6 · 4/60
        ([1, 2, 3], [5, 5, 6], 0.75**0.5),  # ranks 1 2 3 and 1½ 1½ 3: 1.5/√(2 · 1.5)
        ([1, 2, 3, 4], [5, 5, 5, 5], 0),  # orders nothing
        ([0, 0, 0, 0], [1, 2, 3, 4], 0),
        ([0, 0, 0, 0], [5, 5, 5, 5], np.nan),
    ],
)
def test_rank_correlation_by_hand(one, other, expected):
    """Of one sample; a map that is the same everywhere has 0 with any, and NaN with another such."""
    found = randomisation.rank_correlation(np.array([one]), np.array([other]))
    assert found.dtype == np.float64 and found == pytest.approx([expected], nan_ok=True)


def test_rank_correlation_is_spearmans_for_each_sample():
    """Against scipy, on maps of several axes with ties, a flat one among them."""
    one, other = np.random.default_rng(0).integers(0, 9, (2, 5, 3, 4, 6)).astype(np.float32)
    other += one
    one[3] = 0
    found = randomisation.rank_correlation(one, other)
    expected = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(one, other, strict=True) if a.any()]
    assert found[[0, 1, 2, 4]] == pytest.approx(expected) and found[3] == 0
    assert randomisation.rank_correlation(one[:0], other[:0]).shape == (0,)
