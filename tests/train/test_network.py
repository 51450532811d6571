"""The network: what it averages, what each layer sees, what Grad-CAM assumes of it, and that it is saved to the bit."""

import pytest
import torch

from helpers.train import network


def made_network(seed=0, channels=3, frequencies=10):
    """A network with random weights and statistics, whose score depends on its input."""
    torch.manual_seed(seed)
    made = network.SpectrogramNetwork(channels, frequencies, 4, 8, 0.1).eval()
    made.mean, made.deviation = torch.randn(channels, frequencies, 1), torch.rand(channels, frequencies // 2, 1) + 1
    with torch.no_grad():
        for value in made.parameters():
            value.mul_(3)  # as initialised, the score hardly depends on the input
    return made


def test_pooling_averages_eight_cells_or_four():
    """Two bins and four columns: the mean of 1, 2, 3, 10 and four times 4 is 4; the odd last bin and column are left
    out. Of a frame of 16 columns two are averaged at once, so that eight remain; and eight of 32."""
    assert [network.pooled_columns(size) for size in (8, 16, 32, 64)] == [2, 2, 4, 4]
    power = torch.tensor([[[[1.0, 2.0, 4.0, 4.0, 99.0], [3.0, 10.0, 4.0, 4.0, 99.0], [99.0] * 5]]])
    assert network.pool(power, 4).tolist() == [[[[4.0]]]]


def test_a_decision_looks_at_its_frame_and_those_before():
    """Another t2 changes the decision after it alone; another t0 changes all three. The last one is the network's."""
    made, maps = made_network(), torch.randn(2, 3, 8, 4, 4, generator=torch.Generator().manual_seed(1))
    before = made.decide_each(maps)
    assert torch.equal(before[:, 2], made.decide(maps))
    for step, same in ((2, [True, True, False]), (0, [False, False, False])):
        other = maps.clone()
        other[:, step] += 1
        found = made.decide_each(other)
        assert [torch.allclose(found[:, k], before[:, k], atol=1e-6) for k in range(3)] == same


def test_weights_come_back_from_safetensors(tmp_path):
    """Saved and loaded: the same score to the bit, statistics included. Sizes that do not fit are refused."""
    made, triptychs = made_network(), torch.randn(2, 3, 3, 10, 6)
    network.save(made, tmp_path / "w.safetensors")
    with torch.no_grad():
        assert torch.equal(made(triptychs), network.load(tmp_path / "w.safetensors")(triptychs))
    made.config["width"] = 5
    network.save(made, tmp_path / "w.safetensors")
    with pytest.raises(RuntimeError, match="size mismatch"):
        network.load(tmp_path / "w.safetensors")


def test_an_ensemble_is_the_mean_of_its_members(tmp_path):
    """Log-odds are the mean of the members'; maps stand one after the other, in the order of their names; `decide`
    starts from there; the mean is that of the training means."""
    made, triptychs = [made_network(seed) for seed in range(3)], torch.randn(5, 3, 3, 10, 6)
    for number, one in enumerate(made):
        network.save(one, tmp_path / f"{number}-7.safetensors")
    ensemble = network.load_ensemble(tmp_path, ["0-7", "1-7", "2-7"])
    with torch.no_grad():
        scores, maps = torch.stack([one(triptychs) for one in made]), ensemble.maps(triptychs)
        torch.testing.assert_close(ensemble(triptychs), scores.mean(dim=0))
        assert scores.std(dim=0).min() > 0.01
        assert torch.equal(maps, torch.cat([one.maps(triptychs) for one in made], dim=2))
        assert torch.equal(ensemble.decide(maps), ensemble(triptychs))
    torch.testing.assert_close(ensemble.mean, (made[0].mean + made[1].mean + made[2].mean) / 3)
    assert not ensemble.training and not any(one.training for one in ensemble.networks)


def test_encoding_what_is_pooled_is_the_network_itself():
    """forward = decide(maps) = decide(encode(pooled)); an odd last bin has no say."""
    made, triptychs = made_network(frequencies=11), torch.randn(4, 3, 3, 11, 6)
    with torch.no_grad():
        assert torch.equal(made(triptychs), made.decide(made.maps(triptychs)))
        assert torch.equal(made(triptychs), made.decide(made.encode(network.pool_steps(triptychs))))
        changed = triptychs.clone()
        changed[:, :, :, 10] += 30
        assert torch.equal(made(triptychs), made(changed))


def test_each_frequency_has_weights_of_its_own():
    """The explained layer at one row is its own linear layer of the convolutions' maps there, and no other row's."""
    made, seen = made_network(), {}
    made.embed.register_forward_hook(lambda layer, given, out: seen.update(given=given[0]))
    with torch.no_grad():
        maps = made.maps(torch.randn(2, 3, 3, 10, 6))
    given = seen["given"]  # [n·3, width, column, row]
    weight, bias = made.embed.weight.detach(), made.embed.bias.detach()
    for row in range(5):
        expected = torch.relu(torch.einsum("kh,nkt->nht", weight[row], given[..., row]) + bias[row].T)
        torch.testing.assert_close(maps.flatten(0, 1)[:, :, row], expected)
    assert (maps > 0).any() and (maps == 0).any()


def test_the_score_has_one_gradient_for_all_of_a_map():
    """What Grad-CAM assumes: nothing after the explained layer tells places of a map apart."""
    made = made_network()
    maps = made.maps(torch.randn(2, 3, 3, 10, 6)).detach().requires_grad_(True)
    (gradients,) = torch.autograd.grad(made.decide(maps).sum(), maps)
    torch.testing.assert_close(gradients, gradients[..., :1, :1].expand_as(gradients))
    assert gradients.abs().max() > 1e-4


def test_training_statistics_normalise_and_keep_the_amplitude():
    """The training mean everywhere is encoded as zeros are by a network whose mean is 0; scaled by the deviation. 10 dB
    more everywhere changes the score."""
    made, plain = made_network(), made_network()
    plain.mean, plain.deviation = torch.zeros(3, 10, 1), torch.ones(3, 5, 1)
    triptychs, step = torch.randn(2, 3, 3, 10, 6), torch.tensor(4.0)
    made.deviation = step.expand(3, 5, 1)
    with torch.no_grad():
        torch.testing.assert_close(made(triptychs * step + made.mean), plain(triptychs), rtol=1e-4, atol=1e-5)
        assert (made(triptychs + 10) - made(triptychs)).abs().min() > 1e-3


def test_edges_are_repeated_as_torch_does():
    """The hand-written padding against torch's replication."""
    maps = torch.randn(2, 3, 5, 4)
    padded = torch.nn.functional.pad(maps, (2, 2, 2, 2), mode="replicate")
    assert torch.equal(network.repeat_edges(network.repeat_edges(maps, 2), 3), padded)
