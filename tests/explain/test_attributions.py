"""Explanations against values worked out by hand, published definitions and invariants."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from captum.attr import IntegratedGradients, LayerGradCam

from helpers.explain import attributions
from helpers.train import network as networks
from helpers.train import training
from helpers.train.network import Ensemble, SpectrogramNetwork


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors are not faster on several; and what parts of `explain_all` set is set back."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


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
    attribution = attributions.toward_seizure(ensemble, triptychs, steps=200).numpy()
    baseline = torch.stack([member.mean for member in ensemble.networks]).mean(dim=0)
    with torch.no_grad():
        change = ensemble(triptychs) - ensemble(baseline.expand_as(triptychs))
    np.testing.assert_allclose(attribution.sum(axis=(1, 2, 3, 4)), change.numpy(), atol=5e-3)
    assert np.abs(change.numpy()).max() > 0.05
    for member in ensemble.networks:
        member.mean = baseline.clone()
    together = attributions.toward_seizure(ensemble, triptychs, steps=16)
    alone = [attributions.toward_seizure(member, triptychs, steps=16).numpy() for member in ensemble.networks]
    np.testing.assert_allclose(together, np.mean(alone, axis=0), rtol=1e-3, atol=1e-5)


def test_integrated_gradients_are_complete(network, triptychs):
    """Attributions sum to score − score at the baseline: the training mean, or what is given."""
    for baseline in (network.mean, network.mean + 1):
        attribution = attributions.toward_seizure(network, triptychs, baseline, steps=600).numpy()
        with torch.no_grad():
            change = network(triptychs) - network(baseline.expand_as(triptychs))
        np.testing.assert_allclose(attribution.sum(axis=(1, 2, 3, 4)), change.numpy(), atol=5e-3)
        assert np.abs(change.numpy()).max() > 0.05
    default = attributions.toward_seizure(network, triptychs, steps=4)
    assert torch.equal(default, attributions.toward_seizure(network, triptychs, network.mean, 4))


def test_integrated_gradients_ignore_what_the_network_ignores(network, triptychs):
    """A channel with no weight gets no attribution (the axiom of dummies)."""
    with torch.no_grad():
        network.mix.weight[:, 2] = 0
    others = torch.zeros_like(triptychs)
    found = {method: attributions.toward_seizure(network, triptychs, steps=8, method=method) for method in SIGNED}
    found["occlusion"] = attributions.occlude(network, triptychs, others, np.arange(1.0, 17.0))
    for values in found.values():
        assert values[:, :, 2].abs().max() < 1e-7 and values[:, :, 1].abs().max() > 0


SIGNED = ("ig", "gradinput", "smooth")


class Linear(torch.nn.Module):
    """A network whose score is a weighted sum of all pooled cells."""

    def __init__(self, weights):
        super().__init__()
        self.weights, self.mean = weights, torch.zeros(*weights.shape[1:3], 1).repeat_interleave(2, dim=1)
        self.encode, self.decide = (lambda pooled: pooled), (lambda pooled: (pooled * self.weights).sum((1, 2, 3, 4)))


@pytest.mark.parametrize("method", SIGNED)
def test_of_a_weighted_sum_each_term_is_attributed_to_its_cells(method):
    """Score Σ w · (mean of 4 cells): each cell adds w/4 · (x − baseline), by all three methods: a gradient that is the
    same everywhere leaves no choice, and noise does not change it."""
    weights = torch.randn(3, 4, 8, 4, generator=torch.Generator().manual_seed(3))
    triptychs = torch.randn(2, 3, 4, 16, 8, generator=torch.Generator().manual_seed(4))
    found = attributions.toward_seizure(Linear(weights), triptychs, torch.full((4, 16, 1), 0.5), 8, method)
    expected = weights.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3) / 4 * (triptychs - 0.5)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_occlusion_shares_out_the_fall_of_each_band_of_each_channel():
    """Score 1 · channel 0 in its two rows below 4 Hz + 2 · channel 1 in all others; 3 dB in the sample, 1 in the other
    EEG: all 24 pooled cells of the first lose 2 each, 48 on 96 cells: 0.5 each. The four rows from 4 to 12 Hz of
    channel 1 lie in two bands, and lose 2 · 2 on each pooled cell, 1 on each of its four."""
    weights = torch.zeros(3, 2, 6, 4)
    weights[:, 0, :2], weights[:, 1, 2:] = 1, 2
    frequencies = [1.0, 2.0, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0]
    given = torch.full((1, 3, 2, 12, 8), 3.0)
    found = attributions.occlude(Linear(weights), given, given - 2, frequencies)
    expected = torch.zeros_like(given)
    expected[:, :, 0, :4], expected[:, :, 1, 4:] = 0.5, 1.0
    torch.testing.assert_close(found, expected)


def test_grad_cam_plus_plus_is_grad_cam_of_the_maps_with_a_positive_gradient(ensemble, triptychs):
    """As the score is a sum over each map's places: their correlation is above 0.99."""
    maps = ensemble.maps(triptychs).detach().requires_grad_(True)
    (gradients,) = torch.autograd.grad(ensemble.decide(maps).sum(), maps)
    maps, found = maps.detach(), attributions.grad_cam_plus_plus(maps, gradients).detach()
    expected = attributions.grad_cam(maps, gradients.clamp(min=0))
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.99
    assert np.corrcoef(found.ravel(), attributions.grad_cam(maps, gradients).ravel())[0, 1] < 0.95


def test_strongest_band_is_a_mean_not_a_sum():
    """Bins 1–54 Hz: 1 in the 3 bins of delta against 0.5 in the 25 of gamma is delta; negatives do not count; zero
    everywhere is none."""
    frequencies = np.arange(1.0, 55.0)
    relevance = np.zeros((3, 54, 4))
    relevance[0, :3], relevance[0, 29:] = 1.0, 0.5
    relevance[1, :3], relevance[1, 7:12] = -5.0, 0.1
    assert attributions.strongest_bands(relevance, frequencies) == ["B1", "B3", None]


def test_strongest_channel_is_that_with_most_for_the_decision():
    """Channel b has 3 in one column, a 1 in each of four: a mean of 0.75 against 1; −9 counts as nothing; no channel
    above zero is none."""
    relevance = np.zeros((3, 2, 4))
    relevance[0, 0], relevance[0, 1, 2] = 1.0, 3.0
    relevance[1, 0], relevance[1, 1, 0] = [-9.0, 0.5, 0.5, 0.5], 2.0
    relevance[2] = -1.0
    assert attributions.strongest_channels(relevance, ("a", "b")) == ["a", "b", None]


def test_representative_samples_are_the_middles_of_equal_parts():
    """Six seizure samples ordered 0.9 … 0.4, two parts of three: the second and the fifth; four others: the second and
    the fourth (the middle of two rounds down the list)."""
    table = pd.DataFrame({"sample": range(10), "label": [1] * 6 + [0] * 4})
    table["p_seizure"] = [0.4, 0.9, 0.5, 0.8, 0.6, 0.7, 0.1, 0.3, 0.2, 0.0]
    chosen = attributions.representative_samples(table, 2)
    assert chosen["p_seizure"].tolist() == [0.8, 0.5, 0.2, 0.0]
    with pytest.raises(ValueError, match="samples_per_class is 5, but there are only 4 non-seizure samples"):
        attributions.representative_samples(table, 5)


def test_samples_are_selected_by_hand():
    """Of 12, the fourth and the eighth are missed seizures, the ninth is taken for one, none is found; nine others. Six
    are two of each kind: both missed, the ninth, and of the others, rows 0 1 2 4 5 6 9 10 11, the middles of two parts:
    2 and 9. Row 0 is required and comes on top; the table is left as it was."""
    label, taken = [int(row in (3, 7)) for row in range(12)], [int(row == 8) for row in range(12)]
    table = pd.DataFrame({"label": label, "decided": taken}, index=np.arange(12) + 50)
    before, always = table.copy(), pd.Series(np.arange(12) == 0)
    assert (attributions.select_samples(table, 6, always).index - 50).tolist() == [0, 2, 3, 7, 8, 9]
    assert (attributions.select_samples(table, 0, always).index - 50).tolist() == [0]
    assert len(attributions.select_samples(table, 1000, always)) == 12
    pd.testing.assert_frame_equal(table, before)


def errors_of(rows):
    """Samples 0, 1, … of (label, decided, p_seizure, threshold), and one more column."""
    table = pd.DataFrame(rows, columns=["label", "decided", "p_seizure", "threshold"])
    return table.assign(sample=range(len(table)), recording="a")


def test_the_clearest_error_is_the_farthest_from_its_own_threshold_in_log_odds():
    """Missed: 0.30 at 0.60 is ln(1.5 · 7/3) = 1.25 below; 0.001 at 0.1 is ln(111) = 4.7 below. Taken for seizure: both
    0.9 at 0.5, the first is shown; 0.95 at 0.94 is nearly right. What is right is no error, however sure."""
    table = errors_of([
        (0, 1, 0.95, 0.94), (1, 1, 0.999999, 0.5), (1, 0, 0.30, 0.60), (0, 1, 0.9, 0.5), (1, 0, 0.001, 0.1),
        (0, 0, 0.000001, 0.5), (0, 1, 0.9, 0.5),
    ])  # fmt: skip
    found = attributions.clearest_errors(table.iloc[::-1])
    assert found["sample"].tolist() == [4, 3] and found.columns.tolist() == table.columns.tolist()
    assert found.index.tolist() == [0, 1] and found["recording"].tolist() == ["a", "a"]


@pytest.mark.filterwarnings("error")
def test_the_clearest_error_of_one_kind_or_none():
    """One seizure missed, nothing else wrong: it alone, also with a probability of 0; without errors, no row."""
    table = errors_of([(1, 0, 1e-9, 0.5), (1, 0, 0.0, 0.5), (0, 0, 0.1, 0.5), (1, 1, 1.0, 0.5)])
    assert attributions.clearest_errors(table)["sample"].tolist() == [1]
    none = attributions.clearest_errors(table[2:])
    assert none.empty and none.columns.tolist() == table.columns.tolist()


def test_integrated_gradients_walk_the_path_of_full_spectrograms(ensemble):
    """captum on the network itself, from bin to bin; the odd last column, which no score hangs on, has none."""
    triptychs = torch.randn(2, 3, 4, 16, 5, generator=torch.Generator().manual_seed(2))
    whole = IntegratedGradients(ensemble).attribute(triptychs, ensemble.mean.expand_as(triptychs), n_steps=8)
    found = attributions.toward_seizure(ensemble, triptychs, steps=8).numpy()
    np.testing.assert_allclose(found, whole.detach().numpy(), rtol=1e-3, atol=1e-6)
    assert (found[..., 4] == 0).all() and np.abs(found).max() > 1e-3


def test_relevance_for_the_predicted_class_has_its_sign(ensemble, triptychs):
    """Class maps as they are; the others as they are where seizure was predicted, else turned round."""
    predicted, baseline = np.array([1, 0, 1]), ensemble.mean + 0.5
    found = attributions.predicted_relevance(ensemble, triptychs, predicted, baseline, 4, SIGNED)
    for method in SIGNED:
        toward = attributions.toward_seizure(ensemble, triptychs, baseline, 4, method).numpy()
        np.testing.assert_array_equal(found[method], toward * np.array([1, -1, 1])[:, None, None, None, None])
    for name, values in attributions.class_maps(ensemble, triptychs, predicted).items():
        np.testing.assert_array_equal(found[name], values)
    assert list(found) == ["gradcam", "gradcampp", *SIGNED]


BINS = [1.0, 3.0, 5.0, 10.0, 20.0, 40.0]  # two in B1, one in each other band


@pytest.mark.filterwarnings("error")
def test_bands_are_means_of_their_bins_by_hand():
    """At t0, 1 + 2 at 1 Hz and 3 + 4 at 3 Hz: log-odds of 3 and 7 a bin, 5 in B1; at t2, 0.5 − 2 at 10 Hz: −1.5 in B3.
    A class map of 6 in two of the triptych's 36 cells has a mean of 1/3: in B3, whose two cells they are, 18 times as
    much; in B1, of four cells, 9 times. A flat map is 1 everywhere, one of zeros NaN, and of log-odds 0."""
    given = np.zeros((3, 3, 6, 2), np.float32)
    given[0, 0, :2], given[0, 2, 3] = [[1, 2], [3, 4]], [0.5, -2]
    found = attributions.by_band({"ig": given}, BINS)["ig"]
    expected = np.zeros((3, 3, 5))
    expected[0, 0, 0], expected[0, 2, 2] = 5, -1.5
    np.testing.assert_allclose(found, expected, atol=1e-7)
    given = np.zeros((4, 3, 6, 2), np.float32)
    given[0, 2, 3], given[1, 0, 0], given[2] = 6, 6, 0.25
    found = attributions.by_band({"gradcam": given}, BINS)["gradcam"]
    assert found[0, 2, 2] == pytest.approx(18) and found[1, 0, 0] == pytest.approx(9)
    assert np.count_nonzero(found[:2]) == 2 and found[2] == pytest.approx(1) and np.isnan(found[3]).all()


STEPS, COLUMNS = 4, 6  # points on the path; columns of a frame


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Three saved networks, spectrograms of three recordings, two of them in fold 7, and the arguments of
    `explain_all`: samples in order of time, decided by their folds' networks."""
    monkeypatch.setenv("STUDY_WORKERS", "1")
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    monkeypatch.setattr(attributions, "BATCH", 2)  # so that folds have several parts
    monkeypatch.setattr(attributions, "CONVERGED", np.inf)  # the path has as many points as are asked for
    members, powers = {7: ["0-1", "0-2"], 2: ["0-2", "1-2"]}, {}
    for seed, name in enumerate(("0-1", "0-2", "1-2")):
        networks.save(made(seed), tmp_path / f"{name}.safetensors")
    generator = np.random.default_rng(0)
    for name in "abc":
        powers[name] = generator.normal(0, 1, (4, 16, 40)).astype(np.float16)
        np.save(tmp_path / f"{name}.npy", powers[name])
    rows = [(name, column, fold) for name, fold in (("a", 7), ("b", 2), ("c", 7)) for column in (0, 7, 20)]
    table = pd.DataFrame(rows, columns=["recording", "column", "fold"])
    given = training.slices(powers, table, COLUMNS)
    of = [networks.load_ensemble(tmp_path, members[fold]) for fold in table["fold"]]
    with torch.no_grad():
        table["log_odds"] = [float(one(given[[row]])) for row, one in enumerate(of)]
    table["decided"] = (np.arange(len(table)) % 3 == 1).astype(int)  # whatever they are: both classes in either fold
    return SimpleNamespace(
        table=table, triptychs=given, ensembles=of, members=members,
        explain=lambda table, **options: attributions.explain_all(
            tmp_path, tmp_path, members, table, COLUMNS, STEPS, **options
        ),
    )  # fmt: skip


@pytest.mark.parametrize("seed", [None, 0])
def test_all_samples_are_explained_as_each_by_itself(study, seed):
    """By its own fold's networks, for the class decided, on its own piece of its recording; in order of time, when the
    folds come 7, 2, 7, and in any other. Sums over all, and over bins and over channels, are of the same numbers."""
    order = np.arange(9) if seed is None else np.random.default_rng(seed).permutation(9)
    found = study.explain(study.table.iloc[order])
    assert set(found) == {*attributions.METHODS, "ig_channels", "delta", "total"}
    for place, row in enumerate(order):
        own, predicted = study.triptychs[[row]], study.table["decided"].to_numpy()[[row]]
        for name, values in attributions.class_maps(study.ensembles[row], own, predicted).items():
            np.testing.assert_allclose(found[name][place], values[0], rtol=1e-4, atol=1e-6)
        attribution = attributions.toward_seizure(study.ensembles[row], own, steps=STEPS).numpy()
        np.testing.assert_allclose(found["ig"][place], attribution[0].sum(axis=1), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found["ig_channels"][place], attribution[0].sum(axis=2), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found["total"][place], attribution.sum(), atol=1e-5)
    assert found["ig"].shape == (9, 3, 16, COLUMNS) and found["ig_channels"].shape == (9, 3, 4, COLUMNS)
    np.testing.assert_allclose(found["ig"].sum(axis=2), found["ig_channels"].sum(axis=2), atol=1e-5)
    assert all(values.dtype == (np.float64 if values.ndim == 1 else np.float32) for values in found.values())


def test_total_and_delta_say_how_far_the_score_is_from_the_baseline_s(study):
    """total − delta = score − score at the baseline: the mean of the members' training means, or the fold's own."""
    own = {fold: (torch.full((4, 16, 1), 0.1 * fold),) for fold in study.members}
    for baselines in (None, own):
        found, at = study.explain(study.table, baselines=baselines), []
        for one, fold in zip(study.ensembles, study.table["fold"], strict=True):
            baseline = one.mean if baselines is None else own[fold][0]
            with torch.no_grad():
                at.append(float(one(baseline.expand(1, 3, 4, 16, COLUMNS))))
        np.testing.assert_allclose(found["total"] - found["delta"], study.table["log_odds"] - at, atol=1e-4)
        assert np.abs(found["delta"]).max() > 1e-6 and np.abs(found["total"]).min() > 1e-3


def test_a_path_that_is_too_coarse_is_walked_in_smaller_steps(study, monkeypatch):
    """With a lower limit, the samples beyond it come nearer to their scores, and the others stay as they are."""
    monkeypatch.setattr(attributions, "CONVERGED", 10)
    coarse = study.explain(study.table)
    limit = float(np.median(np.abs(coarse["delta"])))
    monkeypatch.setattr(attributions, "CONVERGED", limit)
    fine, wrong = study.explain(study.table), np.abs(coarse["delta"]) > limit * np.maximum(1, np.abs(coarse["total"]))
    assert wrong.any() and not wrong.all()
    assert (np.abs(fine["delta"][wrong]) < np.abs(coarse["delta"][wrong])).all()
    np.testing.assert_allclose(fine["ig"][~wrong], coarse["ig"][~wrong], atol=1e-6)


def test_a_neutral_baseline_is_where_the_fold_is_undecided(study, tmp_path):
    """On the line from the mean of other folds' samples of one label to that of the other, which is worked out here;
    the log-odds that are said are the ensemble's there; and no point of 400 on the line is nearer to the threshold than
    its 60 steps allow."""
    table = study.table.assign(label=np.arange(9) % 2, p_seizure=lambda own: 1 / (1 + np.exp(-own["log_odds"])))
    table["threshold"] = table.groupby("fold")["p_seizure"].transform("median")
    found = attributions.neutral_baselines(tmp_path, tmp_path, study.members, table, COLUMNS)
    for fold, (baseline, at, at_mean, threshold) in found.items():
        ensemble, away = study.ensembles[table.index[table["fold"] == fold][0]], (table["fold"] != fold).to_numpy()
        of_label = [study.triptychs[away & (table["label"] == label).to_numpy()] for label in (0, 1)]
        low, high = (own.mean(dim=(0, 1, 4))[..., None] for own in of_label)
        line = torch.stack([torch.lerp(low, high, share) for share in torch.linspace(0, 1.5, 400)])

        def score(points, ensemble=ensemble):
            with torch.no_grad():
                return ensemble(points[:, None].expand(-1, 3, -1, -1, COLUMNS)).numpy()

        along, share = score(line), ((baseline - low) / (high - low)).mean()
        torch.testing.assert_close(baseline, torch.lerp(low, high, share))
        assert at == pytest.approx(score(baseline[None])[0], abs=1e-4)
        assert at_mean == pytest.approx(score(ensemble.mean[None])[0], abs=1e-4)
        assert threshold == pytest.approx(table.loc[table["fold"] == fold, "log_odds"].median(), abs=1e-4)
        assert abs(at - threshold) <= np.abs(along - threshold).min() + np.abs(np.diff(along)).max() * 7


@pytest.mark.slow
def test_two_workers_give_the_same_bytes_as_one(study, monkeypatch):
    monkeypatch.undo()  # other processes do not know what the fixture sets here
    monkeypatch.setenv("STUDY_WORKERS", "1")
    one = study.explain(study.table)
    monkeypatch.setenv("STUDY_WORKERS", "2")
    two = study.explain(study.table)
    assert one.keys() == two.keys()
    assert not [name for name in one if one[name].tobytes() != two[name].tobytes()]


def test_decisions_of_another_run_are_refused(study):
    """One sample's log-odds are off by 0.01, or NaN: its recording and what to do are said. Four digits are enough."""
    study.explain(study.table[:3].round({"log_odds": 4}))
    of_c = study.table["recording"] == "c"
    off = study.table.assign(log_odds=study.table["log_odds"] + 0.01 * of_c)
    with pytest.raises(
        RuntimeError, match="^c: .*log-odds differ by 0.01 .*Weights and decisions are of two.*dvc repro"
    ):
        study.explain(off.iloc[[0, 8]])
    with pytest.raises(RuntimeError, match="dvc repro"):
        study.explain(study.table.assign(log_odds=np.nan)[:1])
