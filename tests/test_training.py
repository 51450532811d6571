"""Training: thresholds by hand, slices that are contiguous, statistics without the held-out, the same bytes again."""

import numpy as np
import pandas as pd
import pytest
import torch

from helpers import folds, network, training

SETTINGS = dict(
    seed=1, epochs=2, batches_per_epoch=3, batch_size=8, learning_rate=0.01, weight_decay=0.0, width=4, hidden=8,
    dropout=0.2, gain_db=1.0,
)  # fmt: skip


def test_threshold_by_hand():
    """p of seizure 0.4, 0.8 and of others 0.1, 0.3, 0.6. Above 0.3: TP 2, FP 1, F1 4/5, the best; the threshold is the
    middle between 0.3 and 0.4."""
    assert training.best_threshold([1, 1, 0, 0, 0], [0.4, 0.8, 0.1, 0.3, 0.6]) == pytest.approx(0.35)


def test_threshold_takes_the_widest_gap():
    """Separated at 0.2 and 0.9: any threshold between them is best; the middle is the farthest from both. Seizures at
    0.95 and 0.3, others at 0.6, 0.5 and 0.2: F1 is 2/3 from 0.6 to 0.95 and from 0.2 to 0.3; the first is wider.
    """
    assert training.best_threshold([0, 0, 1, 1], [0.1, 0.2, 0.9, 0.95]) == pytest.approx(0.55)
    assert training.best_threshold([1, 1, 0, 0, 0], [0.95, 0.3, 0.6, 0.5, 0.2]) == pytest.approx(0.775)


def test_threshold_reaches_what_can_be_reached():
    """No other threshold has a higher F1, on random probabilities."""
    generator = np.random.default_rng(0)
    for _ in range(50):
        label, p = generator.integers(0, 2, 12), generator.random(12).round(1)
        label[0] = 1
        found = training.best_threshold(label, p)

        def f1(threshold, label=label, p=p):
            made = p >= threshold
            return 2 * (made & (label == 1)).sum() / (made.sum() + label.sum())

        assert f1(found) == max(f1(threshold) for threshold in np.linspace(0.001, 0.999, 999))


def test_threshold_needs_a_seizure():
    """F1 means nothing without one."""
    with pytest.raises(ValueError, match="no seizure sample"):
        training.best_threshold([0, 0], [0.1, 0.9])


def test_slices_are_contiguous():
    """A spectrogram that counts its columns: t0, t1, t2 of 4 columns from column 5 on hold 5–8, 9–12, 13–16."""
    counted = np.broadcast_to(np.arange(30, dtype=np.float16), (2, 3, 30))
    table = pd.DataFrame({"recording": ["a", "a"], "column": [5, 18]})
    found = training.slices({"a": counted}, table, 4)
    assert found.shape == (2, 3, 2, 3, 4)
    assert found[0, :, 1, 2].tolist() == [[5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16]]
    assert found[1, 2, 0, 0].tolist() == [26, 27, 28, 29]


def test_statistics_by_hand():
    """Columns 1, 3 in one recording and 5, 7, 9 in the other: mean 5, variance (16+4+0+4+16)/5 = 8; others unseen."""
    powers = {"a": np.array([[[1.0, 3.0]]]), "b": np.array([[[5.0, 7.0, 9.0]]]), "c": np.array([[[1000.0]]])}
    mean, deviation = training.statistics(powers, ["a", "b"])
    assert mean.shape == (1, 1, 1) and mean.item() == 5
    assert deviation.item() == pytest.approx(8**0.5)


def test_balanced_batches():
    """Half the rows are seizure, however rare it is."""
    table = pd.DataFrame({"label": [1] + [0] * 99})
    batch = training.balanced_batch(table, 10, np.random.default_rng(0))
    assert len(batch) == 10 and batch["label"].sum() == 5


def test_balanced_loss_by_hand():
    """log-odds 0 everywhere: ln 2 whatever the classes' sizes; right and certain: 0; one class alone: its own."""
    assert training.balanced_loss([1, 0, 0], np.zeros(3)) == pytest.approx(np.log(2))
    assert training.balanced_loss([1, 0], np.array([50.0, -50.0])) == pytest.approx(0, abs=1e-9)
    assert training.balanced_loss([1, 1], np.array([-3.0, -3.0])) == pytest.approx(np.log1p(np.exp(3)))


@pytest.fixture
def world():
    """Three recordings of 6 channels and 8 bins whose seizures, columns 40–80, are 20 dB louder."""
    generator = np.random.default_rng(3)
    powers, rows = {}, []
    for name in "abc":
        power = generator.normal(0, 3, (6, 8, 120))
        power[:, 2:4, 40:80] += 20
        powers[name] = power.astype(np.float16)
        for column in range(0, 97, 4):
            rows.append((name, column, int(40 <= column + 18 < 80)))
    samples = pd.DataFrame(rows, columns=["recording", "column", "label"])
    return folds.leave_one_recording_out(list("abc"), set("abc")), powers, samples


def test_it_learns_what_is_plain(world):
    """A loud band is found in recordings never seen: held-out AUROC of nearly 1 in each fold."""
    found, powers, samples = world
    settings = {**SETTINGS, "epochs": 6, "batches_per_epoch": 20}
    for fold in found:
        result = training.train_fold(fold, powers, samples, samples, 8, settings).predictions
        positive, negative = (result.loc[result["label"] == label, "p_seizure"].to_numpy() for label in (1, 0))
        assert (positive[:, None] > negative[None]).mean() > 0.98
        assert set(result["recording"]) == set(fold.held_out)


def test_one_worker_or_two_give_the_same_bytes(world, tmp_path, monkeypatch):
    """And so does a second run; another seed does not."""
    found, powers, samples = world
    for name, power in powers.items():
        np.save(tmp_path / f"{name}.npy", power)
    runs = []
    for workers, seed in (("1", 1), ("2", 1), ("1", 2)):
        monkeypatch.setenv("STUDY_WORKERS", workers)
        trained = training.train_all(found, tmp_path, samples, samples, 8, {**SETTINGS, "seed": seed})
        weights = [value.numpy().tobytes() for result in trained for value in result.network.state_dict().values()]
        runs.append((weights, [result.predictions["p_seizure"].to_numpy().tobytes() for result in trained]))
    assert runs[0] == runs[1] and runs[0] != runs[2]


def test_the_held_out_recording_is_not_looked_at(world):
    """Change every value of the held-out recording: weights, statistics and threshold stay the same, bit by bit."""
    found, powers, samples = world
    fold = found[0]
    changed = {**powers, fold.held_out[0]: powers[fold.held_out[0]][:, ::-1, ::-1] * 3 + 7}
    one, other = (training.train_fold(fold, values, samples, samples, 8, SETTINGS) for values in (powers, changed))
    for name, value in one.network.state_dict().items():
        assert torch.equal(value, other.network.state_dict()[name]), name
    assert one.threshold == other.threshold
    assert not np.array_equal(one.predictions["p_seizure"], other.predictions["p_seizure"])


def test_one_class_only_is_refused(world):
    """Training recordings without a frame outside seizures: the message says which recordings and what to do."""
    found, powers, samples = world
    with pytest.raises(ValueError, match=r"Fold 0 trains on c, .*\[1\].*Shorter frames"):
        training.train_fold(found[0], powers, samples.assign(label=1), samples, 8, SETTINGS)


def test_weights_come_back_from_safetensors(tmp_path):
    """Saved and loaded: the same score to the bit, statistics included; the file holds no pickle."""
    torch.manual_seed(0)
    made = network.SpectrogramNetwork(3, 10, 4, 8, 0.1).eval()
    made.mean, made.deviation = torch.randn(3, 10, 1), torch.rand(3, 10, 1) + 1
    network.save(made, tmp_path / "w.safetensors")
    triptychs = torch.randn(2, 3, 3, 10, 6)
    with torch.no_grad():
        assert torch.equal(made(triptychs), network.load(tmp_path / "w.safetensors")(triptychs))


def test_amplitude_reaches_the_decision():
    """No layer normalises it away: 10 dB more everywhere changes the score."""
    torch.manual_seed(0)
    made = network.SpectrogramNetwork(3, 10, 4, 8, 0.0).eval()
    triptychs = torch.randn(4, 3, 3, 10, 6)
    with torch.no_grad():
        for value in made.parameters():
            value.mul_(3)  # as initialised, the score hardly depends on the input
        assert (made(triptychs + 10) - made(triptychs)).abs().min() > 1e-3


def test_edges_are_repeated_as_torch_does():
    """The hand-written padding against torch's replication."""
    maps = torch.randn(2, 3, 5, 4)
    assert torch.equal(network.repeat_edges(maps), torch.nn.functional.pad(maps, (1, 1, 1, 1), mode="replicate"))
