"""Explanations against values worked out by hand, published definitions and invariants."""

import numpy as np
import pandas as pd
import pytest
import torch
from captum.attr import LayerGradCam

from helpers import attributions
from helpers.network import Ensemble, SpectrogramNetwork


def toy(maps, gradients):
    """One sample, one step: [K, 2, 2] each."""
    return [torch.tensor(values, dtype=torch.float64)[None, None] for values in (maps, gradients)]


MAPS = [[[1.0, 0.0], [2.0, 1.0]], [[0.0, 3.0], [1.0, 0.0]]]
GRADIENTS = [[[0.4, 0.0], [0.2, 0.2]], [[-0.1, 0.1], [0.0, -0.4]]]


def test_grad_cam_by_hand():
    """α₁ = 0.8/4 = 0.2, α₂ = −0.4/4 = −0.1: 0.2·A¹ − 0.1·A² = [[0.2, −0.3], [0.3, 0.2]], negatives cut to 0."""
    found = attributions.grad_cam(*toy(MAPS, GRADIENTS))[0, 0]
    torch.testing.assert_close(found, torch.tensor([[0.2, 0.0], [0.3, 0.2]], dtype=torch.float64))


def test_grad_cam_plus_plus_by_hand():
    """ΣA¹ = 4: α = g²/(2g² + 4g³) = 1/(2 + 4g): 1/3.6 at 0.4, 1/2.8 at 0.2 twice, 0 at 0; w₁ = 0.4/3.6 + 2·0.2/2.8.
    ΣA² = 4: only g = 0.1 is positive: w₂ = 0.1/2.4. The map is w₁A¹ + w₂A²."""
    w1, w2 = 0.4 / 3.6 + 0.4 / 2.8, 0.1 / 2.4
    expected = torch.tensor([[w1, 3 * w2], [2 * w1 + w2, w1]], dtype=torch.float64)
    torch.testing.assert_close(attributions.grad_cam_plus_plus(*toy(MAPS, GRADIENTS))[0, 0], expected)


def independent_grad_cam_plus_plus(maps, gradients):
    """Equations 10, 11 and 19 of Chattopadhay et al. for one sample and step, loop by loop."""
    kernels, rows, columns = maps.shape
    out = np.zeros((rows, columns))
    for k in range(kernels):
        total, weight = maps[k].sum(), 0.0
        for i in range(rows):
            for j in range(columns):
                g = gradients[k, i, j]
                if g != 0:
                    weight += g**2 / (2 * g**2 + total * g**3) * max(g, 0)
        out += weight * maps[k]
    return np.maximum(out, 0)


def test_grad_cam_plus_plus_equals_an_independent_implementation():
    """On random non-negative maps, as after a ReLU."""
    generator = np.random.default_rng(0)
    maps, gradients = generator.random((2, 3, 5, 6, 4)), generator.normal(0, 0.05, (2, 3, 5, 6, 4))
    found = attributions.grad_cam_plus_plus(torch.tensor(maps), torch.tensor(gradients)).numpy()
    for sample, step in np.ndindex(2, 3):
        expected = independent_grad_cam_plus_plus(maps[sample, step], gradients[sample, step])
        np.testing.assert_allclose(found[sample, step], expected, rtol=1e-5, atol=1e-9)


@pytest.fixture
def network():
    """A small network with random weights and statistics."""
    return made(0)


@pytest.fixture
def ensemble():
    """Three of them, as the members of a fold."""
    return Ensemble([made(seed) for seed in range(3)]).eval()


def made(seed):
    torch.manual_seed(seed)
    made = SpectrogramNetwork(channels=4, frequencies=16, width=6, hidden=8, dropout=0.5).eval()
    with torch.no_grad():
        for value in made.parameters():
            value.mul_(3)  # as initialised, the score hardly depends on the input
    made.mean, made.deviation = torch.randn(4, 16, 1), torch.rand(4, 8, 1) + 0.5
    return made


@pytest.fixture
def triptychs():
    """Three random triptychs [3, 3, 4, 16, 8]."""
    return torch.randn(3, 3, 4, 16, 8, generator=torch.Generator().manual_seed(1))


class Head(torch.nn.Module):
    """What follows the explained layer, for one triptych's three maps [3, K, rows, columns], as captum wants it."""

    def __init__(self, network, sign):
        super().__init__()
        self.network, self.sign, self.explained = network, sign, torch.nn.Identity()

    def forward(self, maps):
        return (self.sign * self.network.decide(self.explained(maps)[None])).repeat(3)


def test_grad_cam_equals_captum(network, triptychs):
    """captum's LayerGradCam with ReLU, for the predicted class; it sums the score that `Head` repeats three times."""
    ours = attributions.class_maps(network, triptychs, np.array([1, 0, 1]))["gradcam"]
    for sample, sign in enumerate((1, -1, 1)):
        head = Head(network, sign)
        maps = network.maps(triptychs[sample : sample + 1]).detach()[0]
        expected = LayerGradCam(head, head.explained).attribute(maps, relu_attributions=True) / 3
        expected = torch.nn.functional.interpolate(expected, size=(16, 8), mode="bilinear").detach()[:, 0]
        np.testing.assert_allclose(ours[sample], expected.numpy(), rtol=1e-4, atol=1e-7)
        assert expected.max() > 1e-4


def test_class_maps_explain_the_predicted_class(network, triptychs):
    """The other class has the opposite score, so its map is another; and a frame's map is its own, not t2's."""
    one, other = (attributions.class_maps(network, triptychs, np.full(3, value)) for value in (1, 0))
    for method in ("gradcam", "gradcampp"):
        assert one[method].shape == (3, 3, 16, 8) and (one[method] >= 0).all()
        assert not np.allclose(one[method], other[method])
        assert not np.allclose(one[method][:, 0], one[method][:, 2])


def test_an_ensemble_of_one_is_explained_as_its_network(network, triptychs):
    """Both class maps and Integrated Gradients, for either class, but for the order of sums."""
    for predicted in (np.array([1, 0, 1]), np.array([0, 1, 0])):
        alone, one = (attributions.class_maps(m, triptychs, predicted) for m in (network, Ensemble([network]).eval()))
        for method, maps in alone.items():
            np.testing.assert_allclose(maps, one[method], rtol=1e-5, atol=1e-8)
            assert maps.max() > 1e-4
    alone, one = (attributions.integrated_gradients(m, triptychs, 16) for m in (network, Ensemble([network]).eval()))
    np.testing.assert_allclose(alone[0], one[0], rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(alone[1], one[1], atol=1e-5)


def test_the_same_network_twice_is_explained_as_once(network, triptychs):
    """Twice as many maps, each with half the weight: Grad-CAM stays. So it does in Integrated Gradients. Grad-CAM++,
    whose weights are not linear in the gradients (10, 19), is nearly so."""
    predicted, twins = np.array([1, 0, 1]), Ensemble([network, network]).eval()
    once, twice = (attributions.class_maps(m, triptychs, predicted) for m in (network, twins))
    np.testing.assert_allclose(once["gradcam"], twice["gradcam"], rtol=1e-4, atol=1e-7)
    assert np.corrcoef(once["gradcampp"].ravel(), twice["gradcampp"].ravel())[0, 1] > 0.99
    once, twice = (attributions.integrated_gradients(m, triptychs, 16)[0] for m in (network, twins))
    np.testing.assert_allclose(once, twice, rtol=1e-4, atol=1e-6)


def test_grad_cam_of_an_ensemble_is_one_sum_over_all_members_maps(ensemble, triptychs):
    """Of Σ_k α_k A^k each member has its part, a third of its own; the ReLU comes last, so that what speaks for the
    class in one member and against it in another is weighed, and not counted twice."""
    sign, parts = torch.tensor([1.0, -1.0, 1.0]), []
    for member in ensemble.networks:
        maps = member.maps(triptychs).detach().requires_grad_(True)
        (gradients,) = torch.autograd.grad((sign * member.decide(maps)).sum(), maps)
        parts.append((gradients.mean(dim=(3, 4), keepdim=True) * maps).sum(dim=2).detach() / 3)
    expected = torch.nn.functional.interpolate(torch.relu(sum(parts)), size=(16, 8), mode="bilinear").numpy()
    found = attributions.class_maps(ensemble, triptychs, np.array([1, 0, 1]))["gradcam"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)
    assert (torch.stack(parts) < 0).any() and expected.max() > 1e-4


def test_integrated_gradients_of_an_ensemble_start_at_the_mean_of_the_members_means(ensemble, triptychs):
    """Complete from there; and, from one baseline for all, the mean of the members' own attributions."""
    attribution, _ = attributions.integrated_gradients(ensemble, triptychs, steps=200)
    baseline = torch.stack([member.mean for member in ensemble.networks]).mean(dim=0)
    with torch.no_grad():
        change = ensemble(triptychs) - ensemble(baseline.expand_as(triptychs))
    np.testing.assert_allclose(attribution.sum(axis=(1, 2, 3, 4)), change.numpy(), atol=5e-3)
    assert np.abs(change.numpy()).max() > 0.05
    for member in ensemble.networks:
        member.mean = baseline.clone()
    together, _ = attributions.integrated_gradients(ensemble, triptychs, 16)
    alone = [attributions.integrated_gradients(member, triptychs, 16)[0] for member in ensemble.networks]
    np.testing.assert_allclose(together, np.mean(alone, axis=0), rtol=1e-3, atol=1e-5)


def test_samples_do_not_see_each_other(network, triptychs):
    """A batch of three gives each sample the maps that it has alone."""
    together = attributions.class_maps(network, triptychs, np.array([1, 0, 1]))["gradcampp"]
    alone = attributions.class_maps(network, triptychs[1:2], np.array([0]))["gradcampp"]
    np.testing.assert_allclose(together[1:2], alone, atol=1e-6)


def test_integrated_gradients_are_complete(network, triptychs):
    """Attributions sum to score − score at the baseline, the training mean; the delta says what is missing."""
    attribution, delta = attributions.integrated_gradients(network, triptychs, steps=200)
    with torch.no_grad():
        change = network(triptychs) - network(network.mean.expand_as(triptychs))
    np.testing.assert_allclose(attribution.sum(axis=(1, 2, 3, 4)), change.numpy(), atol=5e-3)
    np.testing.assert_allclose(delta, attribution.sum(axis=(1, 2, 3, 4)) - change.numpy(), atol=1e-4)
    assert np.abs(change.numpy()).max() > 0.05


def test_integrated_gradients_ignore_what_the_network_ignores(network, triptychs):
    """A channel with no weight gets no attribution (the axiom of dummies)."""
    with torch.no_grad():
        network.mix.weight[:, 2] = 0
    attribution, _ = attributions.integrated_gradients(network, triptychs, steps=16)
    assert np.abs(attribution[:, :, 2]).max() == 0 and np.abs(attribution[:, :, 1]).max() > 0


def test_strongest_band_is_a_mean_not_a_sum():
    """Bins 1–54 Hz: 1 in the 3 bins of delta against 0.5 in the 25 of gamma is delta; negatives do not count; zero
    everywhere is none."""
    frequencies = np.arange(1.0, 55.0)
    relevance = np.zeros((3, 54, 4))
    relevance[0, :3], relevance[0, 29:] = 1.0, 0.5
    relevance[1, :3], relevance[1, 7:12] = -5.0, 0.1
    assert attributions.strongest_bands(relevance, frequencies) == ["B1", "B3", None]


def test_chosen_samples_are_the_middles_of_equal_parts():
    """Six seizure samples ordered 0.9 … 0.4, two parts of three: the second and the fifth; four others: the second and
    the fourth (the middle of two rounds down the list)."""
    table = pd.DataFrame({"sample": range(10), "label": [1] * 6 + [0] * 4})
    table["p_seizure"] = [0.4, 0.9, 0.5, 0.8, 0.6, 0.7, 0.1, 0.3, 0.2, 0.0]
    chosen = attributions.choose(table, 2)
    assert chosen["p_seizure"].tolist() == [0.8, 0.5, 0.2, 0.0]
    with pytest.raises(ValueError, match="5 non-seizure samples are to be explained, but there are only 4"):
        attributions.choose(table, 5)
