"""Published networks of the benchmark: their inputs by hand, their averaged weights, and frames of any length."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from benchmarks import baseline_networks

# frames of 1 s at 64 Hz, 8 columns of 8 samples
AXIS = {"sampling_hz": 64.0, "hop_s": 0.125, "frame_s": 1.0, "frame_columns": 8}
SETTINGS = {"seed": 1, "epochs": 2, "batches_per_epoch": 40, "batch_size": 16, "weight_averaging": 0.5}


def test_windows_and_pictures_by_hand():
    """EEG that counts its samples: the triptych from column 3 on has columns 3 to 26, samples 24 to 215.
    Columns that count: pictures of 8 columns every 6, the last t2; from the 1st to the 99th percentile is 0 to 1."""
    eeg = {"a": np.broadcast_to(np.arange(300, dtype=np.float32), (4, 300))}
    found = baseline_networks.windows(eeg, pd.DataFrame({"recording": ["a"], "column": [3]}), AXIS)
    assert found[0, 2].tolist() == list(range(24, 216))
    power = np.tile(np.arange(40, dtype=np.float32), (5, 1))
    found = baseline_networks.pictures({"a": power}, pd.DataFrame({"recording": ["a"], "column": [0]}), AXIS)
    low, high = np.percentile(np.tile(np.arange(8), 5), (1, 99))
    assert found.shape == (1, 3, 5, 8)
    assert found[0, 1, 0] == pytest.approx(np.clip((np.arange(8) - low) / (high - low), 0, 1))


def test_fit_averages_and_measures_batch_normalisation_anew():
    """The running mean is that of the averaged weights' own activations; with it, what is plain is told apart."""
    torch.manual_seed(0)
    table = pd.DataFrame({"recording": "a", "column": range(40), "label": np.tile([0, 1], 20)})
    inputs = np.random.default_rng(0).normal(0, 1, (40, 2)).astype(np.float32) + 3 * table[["label"]].to_numpy()
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1), nn.Flatten(0))

    def read(part):
        return inputs[part["column"]].astype(np.float32)

    mean = baseline_networks.fit(network, read, table, (0.05, 0.0), SETTINGS, np.random.default_rng(0))
    with torch.no_grad():
        own = mean[0](torch.from_numpy(read(table))).mean(dim=0)
    assert torch.allclose(mean[1].running_mean, own, atol=0.1) and int(mean[1].num_batches_tracked) == 40
    found = baseline_networks.log_odds(mean, read, table)
    assert found[table["label"] == 1].min() > found[table["label"] == 0].max()


@pytest.mark.parametrize("name", baseline_networks.SIGNAL_NETWORKS)
@pytest.mark.parametrize("times", [1536, 3072])
def test_signal_networks_take_frames_of_any_length(name, times):
    """Frames of 2 s, as of short recordings, or of 4 s: one decision a triptych, led by the EEG."""
    pytest.importorskip("braindecode.models", reason="needs braindecode: benchmarks/baselines.lock")
    torch.manual_seed(0)
    with torch.no_grad():
        decisions = baseline_networks.build(name, 18, times).eval()(torch.randn(5, 18, times))
    assert decisions.shape == (5,) and decisions.std() > 1e-4
