"""Baselines: they learn what is plain, look at no held-out recording, and give the same bytes again."""

import numpy as np
import pandas as pd
import pytest
import torch

from helpers import baselines, features, folds

# frames of 1 s at 64 Hz, 8 columns of 8 samples
AXIS = {"sampling_hz": 64.0, "hop_s": 0.125, "frame_s": 1.0, "frame_columns": 8}
SETTINGS = {"seed": 1, "epochs": 2, "batches_per_epoch": 3, "batch_size": 8}
COLUMNS = ["recording", "column", "start_s", "last_start_s", "end_s", "label"]


@pytest.fixture
def world():
    """Three recordings of 30 s, 4 channels; seizures at 12–20 s are a rhythm in channels 0 and 1. Features: its size
    and three of noise."""
    generator, rows = np.random.default_rng(5), []
    eeg = {name: generator.normal(0, 10, (4, 30 * 64)).astype(np.float32) for name in "abc"}
    for name, signal in eeg.items():
        signal[:2, 12 * 64 : 20 * 64] += 60 * np.sin(np.arange(8 * 64) * 2 * np.pi * 5 / 64)
        for column in range(0, 30 * 8 - 23, 4):
            last = column / 8 + 2
            rows.append((name, column, column / 8, last, last + 1, int(12 <= last + 0.5 < 20)))
    samples = pd.DataFrame(rows, columns=COLUMNS)
    size = features.windows(eeg, samples, AXIS).std(axis=2)
    planned = folds.leave_one_recording_out(list("abc"), set("abc"))
    return planned, eeg, samples, np.hstack([size, generator.normal(0, 1, (len(samples), 3))]).astype(np.float32)


def auroc(table):
    """Return the share of pairs of a seizure and another sample that are in order."""
    positive, negative = (table.loc[table["label"] == label, "p_seizure"].to_numpy() for label in (1, 0))
    return (positive[:, None] > negative[None]).mean()


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    """A forest of 500 trees learns no better what is plain."""
    monkeypatch.setattr(baselines, "TREES", 25)


@pytest.mark.parametrize("name", baselines.CLASSIFIERS)
def test_classifiers_learn_what_is_plain(world, name):
    """A loud rhythm is found in recordings never seen; all columns of the network's predictions are there."""
    planned, _, samples, values = world
    for fold in planned:
        found = baselines.fit_predict(name, fold, samples, values, samples, values, 0)
        assert list(found.columns) == [*COLUMNS, "fold", "p_seizure", "threshold"]
        assert auroc(found) > 0.98 and found["p_seizure"].between(0, 1).all()
        assert set(found["recording"]) == set(fold.held_out) and (found["fold"] == fold.number).all()


@pytest.mark.parametrize("name", baselines.CLASSIFIERS)
def test_classifiers_do_not_look_at_the_held_out(world, name):
    """Change labels and features of the held-out recording: the threshold stays, bit by bit, and where the features
    stay so do the probabilities. Change the training recording: they do not."""
    planned, _, samples, values = world
    fold = planned[0]
    held_out = samples["recording"].isin(fold.held_out).to_numpy()
    one = baselines.fit_predict(name, fold, samples, values, samples, values, 0)
    lies = samples.assign(label=np.where(held_out, 1 - samples["label"], samples["label"]))
    other = baselines.fit_predict(name, fold, lies, values, lies, values, 0)
    assert one["p_seizure"].equals(other["p_seizure"]) and one["threshold"].equals(other["threshold"])
    moved = np.where(held_out[:, None], values * 3 + 7, values)
    other = baselines.fit_predict(name, fold, samples, moved, samples, moved, 0)
    assert one["threshold"].equals(other["threshold"]) and not one["p_seizure"].equals(other["p_seizure"])
    train = samples["recording"].isin(fold.train).to_numpy()
    lies = samples.assign(label=np.where(train, 1 - samples["label"], samples["label"]))
    assert not one["p_seizure"].equals(baselines.fit_predict(name, fold, lies, values, samples, values, 0)["p_seizure"])


def test_the_same_bytes_again(world):
    """The same seed gives the same forest; another seed another one, but the same regression, which draws nothing."""
    planned, _, samples, values = world

    def run(name, seed):
        return baselines.fit_predict(name, planned[1], samples, values, samples, values, seed)["p_seizure"].to_numpy()

    assert np.array_equal(run("forest", 3), run("forest", 3)) and not np.array_equal(run("forest", 3), run("forest", 4))
    assert np.array_equal(run("logistic", 3), run("logistic", 4))


def test_l2_is_chosen_on_the_inner_recording(monkeypatch):
    """In training, feature 1 gives the label away and feature 0 half tells it; on the inner recording feature 1 points
    the other way with some samples, so the surest answers cost most: stronger L2 than where the inner one agrees."""
    generator = np.random.default_rng(0)
    label = np.tile([0, 1], 100)
    x = np.stack([label + generator.normal(0, 0.7, 200), label + generator.normal(0, 0.05, 200)], axis=1)
    turned = x.copy()
    turned[:80, 1] = 1 - turned[:80, 1]
    strengths = [baselines._logistic(x, label, inner, label)[-1].C for inner in (x, turned)]
    assert strengths[0] == max(baselines.L2) and strengths[1] < strengths[0]


def test_large_classes_are_drawn_from(world, monkeypatch):
    """Of 16 seizure and 39 other triptychs of the one training recording, at most 20 of a class: all 16 and 20, sorted,
    others with another seed; those of other recordings never."""
    planned, _, samples, _ = world
    monkeypatch.setattr(baselines, "LARGEST_CLASS", 20)
    drawn = [baselines._training_rows(planned[0], samples, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    table = samples.iloc[drawn[0]]
    assert table["label"].value_counts().to_dict() == {0: 20, 1: 16} and (np.diff(drawn[0]) > 0).all()
    assert set(table["recording"]) == set(planned[0].train)
    assert np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[0], drawn[2])


def test_bad_input_is_refused(world):
    """An unknown name, features of other samples, training without a seizure: each said."""
    planned, _, samples, values = world
    with pytest.raises(ValueError, match="no classifier 'svm'; there are logistic, forest"):
        baselines.fit_predict("svm", planned[0], samples, values, samples, values, 0)
    with pytest.raises(ValueError, match="9 rows of features for 165 triptychs"):
        baselines.fit_predict("forest", planned[0], samples, values, samples, values[:9], 0)
    with pytest.raises(ValueError, match="Fold 0 trains on c, which hold no triptych labelled 1"):
        baselines.fit_predict("forest", planned[0], samples.assign(label=0), values, samples, values, 0)
    with pytest.raises(ValueError, match="no network 'resnet'"):
        baselines.build("resnet")


def test_windows_by_hand(world):
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


def needs_braindecode(name):
    """Skip where the optional package of `make baselines` is missing."""
    if name in baselines.SIGNAL_NETWORKS:
        pytest.importorskip("braindecode.models", reason="needs braindecode: see `make baselines`")


@pytest.mark.parametrize("name", baselines.SIGNAL_NETWORKS)
@pytest.mark.parametrize("times", [512, 1024, 3072])
def test_signal_networks_take_frames_of_any_length(name, times):
    """A frame of 2 s, as of short recordings, one of 4 s, and a triptych: one decision each, led by the EEG."""
    needs_braindecode(name)
    torch.manual_seed(0)
    network = baselines.build(name, 18, times).eval()
    with torch.no_grad():
        decisions = network(torch.randn(5, 18, times))
    assert decisions.shape == (5,) and decisions.std() > 1e-4


@pytest.mark.parametrize("name", baselines.SIGNAL_NETWORKS)
def test_signal_networks_learn_what_is_plain(name):
    """18 channels at 256 Hz: a loud rhythm is told from noise in a recording never seen. A second run gives the same
    bytes, and the held-out recording changes nothing but its own probabilities."""
    needs_braindecode(name)
    axis = {"sampling_hz": 256.0, "hop_s": 0.125, "frame_s": 4.0, "frame_columns": 32}
    generator, rows = np.random.default_rng(5), []
    eeg = {key: generator.normal(0, 10, (18, 60 * 256)).astype(np.float32) for key in "abc"}
    for key, signal in eeg.items():
        signal[:9, 30 * 256 : 46 * 256] += 80 * np.sin(np.arange(16 * 256) * 2 * np.pi * 5 / 256)
        rows += [(key, c, c / 8, c / 8 + 8, c / 8 + 12, int(30 <= c / 8 + 10 < 46)) for c in range(0, 385, 16)]
    samples = pd.DataFrame(rows, columns=COLUMNS)
    fold = folds.leave_one_recording_out(list("abc"), set("abc"))[0]
    settings = {**SETTINGS, "epochs": 3, "batches_per_epoch": 8}
    found = baselines.train_network(name, fold, eeg, samples, samples, axis, settings)
    assert auroc(found) > 0.95 and list(found.columns) == [*COLUMNS, "fold", "p_seizure", "threshold"]
    short = {**settings, "epochs": 1, "batches_per_epoch": 2}
    louder = {**eeg, "a": eeg["a"] * 2 + 5}
    one, again, other = (
        baselines.train_network(name, fold, e, samples, samples, axis, short) for e in (eeg, eeg, louder)
    )
    assert one.equals(again) and one["threshold"].equals(other["threshold"])
    assert not one["p_seizure"].equals(other["p_seizure"])


def test_the_reference_network_sees_its_pictures(monkeypatch):
    """With random weights, too: pictures that differ end in embeddings that differ, to predict (1e-30 by the weights
    that transformers draws, and 0 in float32 after the LSTM)."""
    monkeypatch.setattr(baselines, "PIXELS", 48)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network, pictures = baselines.build("efficientnet"), torch.rand(4, 3, 54, 32)
    with torch.no_grad():
        for _ in range(5):
            network(pictures)
        network.eval()
        assert network(pictures).std() > 1e-4


def test_the_reference_network(world, monkeypatch):
    """EfficientNet-B0 has 4,007,548 weights, as published without its classifier; the LSTM 4·256·(1280 + 256 + 2), the
    score 257. Two runs give the same bytes, another seed does not; the gradient reaches the first layer.
    """
    monkeypatch.setattr(baselines, "PIXELS", 32)
    planned, _, samples, _ = world
    network = baselines.build("efficientnet")
    weights = sum(value.numel() for value in network.parameters())
    assert weights == 4_007_548 + 4 * 256 * (1280 + 256 + 2) + 257
    network(torch.rand(2, 3, 5, 8)).sum().backward()
    assert next(network.encoder.parameters()).grad.abs().max() > 1e-6
    generator = np.random.default_rng(0)
    powers = {name: generator.normal(0, 5, (8, 240)).astype(np.float32) for name in "abc"}
    settings = {"seed": 1, "epochs": 1, "batches_per_epoch": 1, "batch_size": 4}
    few = samples.iloc[::5]
    runs = [
        baselines.train_network("efficientnet", planned[0], powers, few, few, AXIS, {**settings, "seed": seed})
        for seed in (1, 1, 2)
    ]
    assert runs[0].equals(runs[1]) and not runs[0]["p_seizure"].equals(runs[2]["p_seizure"])
