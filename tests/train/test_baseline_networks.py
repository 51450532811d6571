"""Published networks: they take what they are given, learn what is plain, and have the mean of their last weights."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from helpers.train import baseline_networks, features, folds

# frames of 1 s at 64 Hz, 8 columns of 8 samples
AXIS = {"sampling_hz": 64.0, "hop_s": 0.125, "frame_s": 1.0, "frame_columns": 8}
SETTINGS = {"seed": 1, "epochs": 2, "batches_per_epoch": 3, "batch_size": 8, "averaged": 0.5}
COLUMNS = ["recording", "column", "start_s", "last_start_s", "end_s", "label"]


def planned():
    """Return the split that trains on c."""
    return folds.splits(folds.leave_one_recording_out(list("abc"), set("abc"), 2))[0]


def test_windows_by_hand():
    """EEG that counts its samples: the last frame of the triptych from column 3 on has columns 19 to 26, samples 152 to
    215; its last two frames begin at column 11, sample 88."""
    eeg = {"a": np.broadcast_to(np.arange(300, dtype=np.float32), (4, 300))}
    table = pd.DataFrame({"recording": ["a"], "column": [3]})
    one, two = (features.windows(eeg, table, AXIS, frames)[0, 2] for frames in (1, 2))
    assert one.tolist() == list(range(152, 216)) and two.tolist() == list(range(88, 216))


def test_pictures_by_hand():
    """Columns that count: frames of 8 columns every 6, the last with columns 16 to 23 of the triptych, so they begin at
    4, 10 and 16; from the 1st to the 99th percentile is 0 to 1, the ends are cut. A louder EEG is the same picture.
    """
    power = np.tile(np.arange(40, dtype=np.float32), (5, 1))
    table = pd.DataFrame({"recording": ["a", "a"], "column": [0, 9]})
    found = features.pictures({"a": power}, table, AXIS)
    assert found.shape == (2, 3, 5, 8) and found.min() == 0 and found.max() == 1
    low, high = np.percentile(np.tile(np.arange(8), 5), (1, 99))
    assert found[0, 1, 0] == pytest.approx(np.clip((np.arange(8) - low) / (high - low), 0, 1))
    assert features.pictures({"a": power + 30}, table, AXIS) == pytest.approx(found)
    steep = np.where(np.arange(40) < 10, 0, power)  # flat before column 10: t0's window, 4 to 11, shows its last two
    first = features.pictures({"a": steep.astype(np.float32)}, table, AXIS)[0, 0, 0]
    assert first[:6].tolist() == [0] * 6 and first[6:].min() > 0.8


class Toy(nn.Module):
    """One weight before a batch normalisation: [n, 2, sample] → [n]."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Conv1d(2, 3, 1)
        self.norm = nn.BatchNorm1d(3)
        self.score = nn.Linear(3, 1)

    def forward(self, x):
        return self.score(self.norm(self.mix(x)).mean(dim=2))[:, 0]


@pytest.fixture
def toy():
    """A toy network, what reads its inputs, and triptychs to train on."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    generator = np.random.default_rng(0)
    table = pd.DataFrame({"recording": "a", "column": range(40), "label": np.tile([0, 1], 20)})
    inputs = generator.normal(0, 1, (40, 2, 6)).astype(np.float32) + 3 * table["label"].to_numpy()[:, None, None]
    return Toy(), lambda part: inputs[part["column"]].astype(np.float32), table


@pytest.mark.parametrize(("averaged", "last"), [(0.5, [3, 4]), (0.0, [4]), (0.9, [1, 2, 3, 4])])
def test_weights_are_the_mean_of_the_last_epochs(toy, averaged, last):
    """Of 4 epochs the last half, the last alone, or all (0.9 leaves out less than one): the mean of the weights after
    each. Those of single epochs come from runs that end there."""
    network, read, table = toy
    start = {name: value.clone() for name, value in network.state_dict().items()}

    def after(epochs, averaged):
        network.load_state_dict(start)
        settings = SETTINGS | {"epochs": epochs, "averaged": averaged}
        return baseline_networks.fit(network, read, table, (0.05, 0.0), settings, np.random.default_rng(0))

    singles = [dict(after(epoch, 0.0).named_parameters()) for epoch in last]
    for name, value in after(4, averaged).named_parameters():
        torch.testing.assert_close(value, torch.stack([single[name] for single in singles]).mean(dim=0))


def test_batch_normalisation_is_measured_anew(toy):
    """The running mean is that of the averaged weights' own activations over balanced batches, not what training had
    left; and predictions are made with it."""
    network, read, table = toy
    settings = SETTINGS | {"epochs": 4, "batches_per_epoch": 40, "batch_size": 16}
    mean = baseline_networks.fit(network, read, table, (0.05, 0.0), settings, np.random.default_rng(0))
    with torch.no_grad():
        own = mean.mix(torch.from_numpy(read(table))).mean(dim=(0, 2))
    assert torch.allclose(mean.norm.running_mean, own, atol=0.1)
    assert int(mean.norm.num_batches_tracked) == 40 and mean.norm.momentum == network.norm.momentum
    found = baseline_networks.log_odds(mean, read, table)
    assert not mean.training and found.dtype == np.float64
    assert found[table["label"] == 1].min() > found[table["label"] == 0].max()
    assert baseline_networks.log_odds(mean, read, table, batch=7) == pytest.approx(found, abs=1e-5)


def test_statistics_by_hand():
    """Samples 1, 3 in one recording and 5, 7, 9 in the other: mean 5, variance 8; c is not looked at."""
    eeg = {"a": np.float32([[1, 3]]), "b": np.float32([[5, 7, 9]]), "c": np.float32([[1000]])}
    mean, deviation = baseline_networks.statistics(eeg, ["a", "b"])
    assert mean.tolist() == [[5]] and deviation.item() == pytest.approx(8**0.5)


def needs_braindecode(name):
    """Skip where the optional package of `make baselines` is missing."""
    if name in baseline_networks.SIGNAL_NETWORKS:
        pytest.importorskip("braindecode.models", reason="needs braindecode: see `make baselines`")


@pytest.mark.parametrize("name", baseline_networks.SIGNAL_NETWORKS)
@pytest.mark.parametrize("times", [512, 1024, 3072])
def test_signal_networks_take_frames_of_any_length(name, times):
    """A frame of 2 s, as of short recordings, one of 4 s, and a triptych: one decision each, led by the EEG."""
    needs_braindecode(name)
    torch.manual_seed(0)
    network = baseline_networks.build(name, 18, times).eval()
    with torch.no_grad():
        decisions = network(torch.randn(5, 18, times))
    assert decisions.shape == (5,) and decisions.std() > 1e-4


@pytest.mark.parametrize("name", baseline_networks.SIGNAL_NETWORKS)
def test_signal_networks_learn_what_is_plain(name):
    """18 channels at 256 Hz: a loud rhythm is told from noise in recordings never seen. A second run gives the same
    bytes, and an unseen recording changes nothing but its own scores."""
    needs_braindecode(name)
    axis = {"sampling_hz": 256.0, "hop_s": 0.125, "frame_s": 4.0, "frame_columns": 32}
    generator, rows = np.random.default_rng(5), []
    eeg = {key: generator.normal(0, 10, (18, 60 * 256)).astype(np.float32) for key in "abc"}
    for key, signal in eeg.items():
        signal[:9, 30 * 256 : 46 * 256] += 80 * np.sin(np.arange(16 * 256) * 2 * np.pi * 5 / 256)
        rows += [(key, c, c / 8, c / 8 + 8, c / 8 + 12, int(30 <= c / 8 + 10 < 46)) for c in range(0, 385, 16)]
    samples = pd.DataFrame(rows, columns=COLUMNS)

    def run(eeg, epochs, batches):
        settings = SETTINGS | {"epochs": epochs, "batches_per_epoch": batches}
        return baseline_networks.train_split(name, planned(), eeg, samples, samples, axis, settings)

    found = run(eeg, 3, 8)
    label = samples.loc[found.index, "label"]
    pairs = found[label == 1].to_numpy()[:, None] > found[label == 0].to_numpy()
    assert pairs.mean() > 0.95 and set(samples.loc[found.index, "recording"]) == {"a", "b"}
    one, again, other = (run(source, 1, 2) for source in (eeg, eeg, {**eeg, "a": eeg["a"] * 2 + 5}))
    rows = samples.loc[one.index, "recording"] == "a"
    assert one.equals(again) and one[~rows].equals(other[~rows]) and not one[rows].equals(other[rows])


@pytest.mark.slow
def test_efficientnet():
    """EfficientNet-B0 has 4,007,548 weights, the LSTM of 256 behind it 4·256·(1280 + 256 + 2), its last layer 257. As
    built its signal reaches the first layer's gradient. Two short runs give the same bytes, another seed does not."""
    network = baseline_networks.build("efficientnet")
    weights = sum(value.numel() for value in network.parameters())
    assert weights == 4_007_548 + 4 * 256 * (1280 + 256 + 2) + 257
    network(torch.rand(2, 3, 5, 8)).sum().backward()
    assert next(network.encoder.parameters()).grad.abs().max() > 1e-6
    generator = np.random.default_rng(0)
    powers = {name: generator.normal(0, 5, (8, 240)).astype(np.float32) for name in "abc"}
    rows = [
        (name, c, c / 8, c / 8 + 2, c / 8 + 3, int(12 <= c / 8 + 2.5 < 20)) for name in "abc" for c in range(0, 217, 20)
    ]
    few = pd.DataFrame(rows, columns=COLUMNS)
    settings = SETTINGS | {"epochs": 1, "batches_per_epoch": 1, "batch_size": 4}
    runs = [
        baseline_networks.train_split("efficientnet", planned(), powers, few, few, AXIS, settings | {"seed": seed})
        for seed in (1, 1, 2)
    ]
    assert runs[0].equals(runs[1]) and not runs[0].equals(runs[2])


def test_bad_input_is_refused():
    """An unknown name; a learning rate at which the loss is no number any more."""
    with pytest.raises(ValueError, match="no network 'resnet'; there are eegnet, shallow, deep4, efficientnet"):
        baseline_networks.build("resnet")


def test_log_odds_that_are_no_numbers_are_refused(monkeypatch):
    """Said with the network's name, and not given on as a score."""
    monkeypatch.setattr(baseline_networks, "log_odds", lambda network, read, table: np.full(len(table), np.nan))
    monkeypatch.setattr(baseline_networks, "fit", lambda *arguments: None)
    monkeypatch.setattr(baseline_networks, "build", lambda *arguments, **options: None)
    rows = [(name, c, c / 8, c / 8 + 2, c / 8 + 3, c // 40 % 2) for name in "abc" for c in range(0, 217, 20)]
    table = pd.DataFrame(rows, columns=COLUMNS)
    with pytest.raises(ValueError, match="efficientnet 0-1: log-odds are no numbers any more"):
        baseline_networks.train_split("efficientnet", planned(), {}, table, table, AXIS, SETTINGS)
