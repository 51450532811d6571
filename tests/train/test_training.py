"""Training: inputs and augmentation by hand, networks that do not look where they must not, the same bytes again."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from helpers.train import folds, inputs, network, training

# Small and quick; every setting of `training.train_split` in this one place. Other tests import it.
SETTINGS = dict(
    seed=1, epochs=2, batches_per_epoch=3, batch_size=8, learning_rate=0.01, weight_decay=0.0, width=4, hidden=8,
    dropout=0.2, gain_db=1.0, background_mixing=0.5, channel_dropout=0.1, weight_averaging=0.5,
    auxiliary_loss_weight=0.5,
)  # fmt: skip
SIZE = 8  # columns of a frame


def powers_and_samples(names, seed=3):
    """Recordings of 6 channels and 8 bins whose seizures, columns 40–80 of 120, are 20 dB louder in two bins."""
    generator, powers, rows = np.random.default_rng(seed), {}, []
    for name in names:
        power = generator.normal(0, 3, (6, 8, 120))
        power[:, 2:4, 40:80] += 20
        powers[name] = power.astype(np.float16)
        rows += [(name, column, *(int(40 <= column + at < 80) for at in (2, 10, 18))) for column in range(0, 97, 4)]
    return powers, pd.DataFrame(rows, columns=["recording", "column", "label_t0", "label_t1", "label"])


@pytest.fixture
def world():
    """Three recordings, three folds; each network is trained on one recording."""
    return folds.leave_blocks_out(list("abc"), set("abc"), 3), *powers_and_samples("abc")


def written(powers, folder):
    """Write spectrograms and what networks read of them, as the stages preprocess and train do."""
    for name, power in powers.items():
        np.save(folder / f"{name}.npy", power)
    return inputs.write_inputs(folder, list(powers), folder / "pooled", SIZE)


def train(split, powers, samples, followed=False):
    """Train one network on the samples of its recordings, and score the others."""
    (piece,) = training.by_recording([split], samples, samples)
    return training.train_split(*piece, inputs.network_inputs(powers, SIZE), SIZE, SETTINGS, followed)


def weights(result):
    """Return all that a network holds, statistics included, as bytes by name."""
    return {name: value.numpy().tobytes() for name, value in result.network.state_dict().items()}


def test_slices_by_hand():
    """A spectrogram that counts its columns: t0, t1, t2 of 4 columns from column 4 on hold 4–7, 8–11, 12–15; pooled by
    two they are 4.5 6.5, 8.5 10.5, 12.5 14.5."""
    counted = {"a": np.broadcast_to(np.arange(30, dtype=np.float16), (2, 4, 30))}
    table = pd.DataFrame({"recording": ["a", "a"], "column": [4, 18]})
    found = inputs.slices(counted, table, 4)
    assert found.shape == (2, 3, 2, 4, 4) and found.dtype == torch.float32
    assert found[0, :, 1, 2].tolist() == [[4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]]
    assert found[1, 2, 0, 0].tolist() == [26, 27, 28, 29]
    found = inputs.slices(inputs.network_inputs(counted, 4).pooled, table, 4, 2)
    assert found[0, :, 0, 1].tolist() == [[4.5, 6.5], [8.5, 10.5], [12.5, 14.5]]


@pytest.mark.parametrize("length", [60, 61, 100])
def test_inputs_in_blocks_are_those_at_once(monkeypatch, length):
    """In blocks of 16 columns, as an hour is in blocks of 2048: pooled to the same bits; NumPy's mean and deviation."""
    powers = [np.random.default_rng(seed).normal(0, 5, (3, 7, length)).astype(np.float16) for seed in (0, 1)]
    monkeypatch.setattr(inputs, "BLOCK_COLUMNS", 16)
    pooled = network.pool(torch.from_numpy(powers[0].astype(np.float32))[None], 2)[0].numpy()
    assert np.array_equal(inputs.pool_spectrogram(powers[0], 8), pooled)
    mean, deviation = inputs.statistics([inputs.moment_sums(power) for power in powers])
    together = np.concatenate(powers, axis=2).astype(np.float64)
    np.testing.assert_allclose(mean[..., 0], together.mean(axis=2), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(deviation[..., 0], together.std(axis=2), rtol=1e-5)


def test_odd_columns_are_refused_before_training(world):
    """Two columns are averaged to one: a frame of 7, or a triptych that starts at column 3, would be cut elsewhere."""
    with pytest.raises(ValueError, match="A frame has 7 columns; .* a multiple of 2 .*Set frame_s"):
        inputs.check_columns(7, [0, 14])
    with pytest.raises(ValueError, match="Set frame_s and step_s to multiples of 2 hop_s"):
        train(folds.splits(world[0])[0], world[1], world[2].assign(column=3))


def test_balance_by_hand():
    """Half the rows of a batch are seizure, however rare. One class alone has its own loss."""
    table = pd.DataFrame({"label": [1] + [0] * 99})
    batch = training.balanced_batch(table, 10, np.random.default_rng(0))
    assert len(batch) == 10 and batch["label"].sum() == 5
    assert training.balanced_loss([1, 1], np.array([-3.0, -3.0])) == pytest.approx(np.log1p(np.exp(3)))


@pytest.mark.parametrize(
    ("own", "other", "level", "expected"),
    [
        (0, 0, 0, 3.0103),  # twice the power: 10 lg 2
        (0, 0, -10, 0.4139),  # 1 + 0.1
        (10, 0, 0, 10.4139),  # the same, 10 dB up
        (0, 20, -10, 10.4139),  # other EEG that is louder covers it: 1 + 10
    ],
)
def test_mixing_by_hand(own, other, level, expected):
    """Powers add: 10 lg(10^(own/10) + 10^((other + level)/10))."""
    one, two = (torch.full((1, 3, 1, 1, 1), float(power)) for power in (own, other))
    found = training.mix_background(one, two, [level])
    assert found.flatten().tolist() == pytest.approx([expected] * 3, abs=1e-4)


def test_only_background_is_mixed_in(world, monkeypatch):
    """What is mixed in is no seizure, from training recordings, at −10 to 0 dB, in the share asked for; labels stay.
    Without any change a batch is what was recorded, pooled."""
    _, powers, samples = world
    train, levels, sliced = samples[samples["recording"] != "b"], [], []
    read, slices = inputs.network_inputs(powers, SIZE), training.slices
    monkeypatch.setattr(
        training, "slices", lambda pooled, table, *rest: sliced.append(table) or slices(pooled, table, *rest)
    )
    monkeypatch.setattr(training, "mix_background", lambda one, other, level_db: levels.append(level_db) or one)
    settings = SETTINGS | {"batch_size": 400, "background_mixing": 0.25, "gain_db": 0.0, "channel_dropout": 0.0}
    made, generator = training.untrained_network(read, ["a", "c"], settings), np.random.default_rng(0)
    triptychs, label = training.augmented_batch(read.pooled, train, SIZE, made, settings, generator)
    batch, others = sliced
    assert label.tolist() == batch[["label_t0", "label_t1", "label"]].to_numpy().tolist() and label[:, 2].sum() == 200
    assert (others["label"] == 0).all() and set(others["recording"]) == {"a", "c"}
    (level_db,) = levels
    assert len(level_db) == len(others) and len(others) / 400 == pytest.approx(0.25, abs=0.07)
    assert (level_db >= -10).all() and (level_db <= 0).all() and np.ptp(level_db) > 5
    assert torch.equal(triptychs, slices(read.pooled, batch, SIZE, 2))


def test_auxiliary_losses_by_hand(world, monkeypatch):
    """Log-odds 0, 1, −2 against labels 0, 1, 1: ln 2, ln(1 + e⁻¹), ln(1 + e²); with the weight 0 the last one alone,
    with 0.5 half of the first two as well."""
    losses, read = np.log([2, 1 + np.exp(-1), 1 + np.exp(2)]), inputs.network_inputs(world[1], SIZE)
    said, labels = (torch.tensor([[0.0, 1.0, last]] * 8) for last in (-2.0, 1.0))
    batch = torch.zeros(8, 3, 6, 4, 4), labels
    monkeypatch.setattr(training, "augmented_batch", lambda *arguments: batch)
    monkeypatch.setattr(network.SpectrogramNetwork, "decide_each", lambda self, maps: said + 0 * maps.sum())
    for weight, expected in ((0.0, losses[2]), (0.5, losses @ [0.5, 0.5, 1])):
        settings = SETTINGS | {"auxiliary_loss_weight": weight}
        made = training.untrained_network(read, ["a"], settings)
        for _, loss in training.train_epochs(made, read.pooled, world[2], SIZE, settings, np.random.default_rng(0)):
            assert loss == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_dropped_channels_are_at_the_mean(share):
    """Of 3000 triptychs of four channels, a share of the channels is at the pooled training mean, in all three frames,
    and the others stay as they are."""
    triptychs, mean = torch.randn(3000, 3, 4, 2, 5) + 50, torch.arange(16.0).reshape(4, 4, 1)
    pooled = torch.tensor([[0.5, 2.5], [4.5, 6.5], [8.5, 10.5], [12.5, 14.5]])[None, None, :, :, None]
    found = training.drop_channels(triptychs, mean, share, np.random.default_rng(0))
    dropped = (found == pooled).all(dim=(1, 3, 4))
    assert dropped.float().mean(dim=0).numpy() == pytest.approx(np.full(4, share), abs=0.03)
    assert torch.equal(found, torch.where(dropped[:, None, :, None, None], pooled, triptychs))


@pytest.mark.parametrize(
    ("epochs", "share", "last"), [(4, 0.5, 2), (5, 0.5, 3), (4, 0.0, 1), (3, 1.0, 3), (1, 0.5, 1), (10, 0.9, 9)]
)
def test_weight_averaging_by_hand(world, monkeypatch, epochs, share, last):
    """The mean over the `last` epochs of the weights that each epoch left, those of the earlier ones forgotten; at 0
    the last epoch's own. The history has the averaged network first, as epoch 0, then what each epoch left."""
    _, powers, samples = world
    read, predict, states = inputs.network_inputs(powers, SIZE), training.predict, []
    settings = SETTINGS | {"epochs": epochs, "weight_averaging": share}
    parts = [samples[samples["recording"] == name] for name in "ca"]

    def spy(made, *rest):
        states.append({name: value.clone() for name, value in made.state_dict().items()})
        return predict(made, *rest)

    monkeypatch.setattr(training, "predict", spy)
    made = training.untrained_network(read, ["c"], settings)
    history = training.fit(made, read.pooled, *parts, SIZE, settings, np.random.default_rng(0))
    assert len(states) == epochs + 1 and not made.training
    for name, value in made.state_dict().items():
        expected = torch.stack([state[name] for state in states[-1 - last : -1]]).mean(dim=0)
        torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-7)
    assert not torch.equal(states[0]["score.weight"], made.score.weight) or epochs == 1
    said = {epoch: part["log_odds"].to_numpy() for epoch, part in history.groupby("epoch", sort=False)}
    assert list(said) == list(range(epochs + 1)) and (history["sample"] == [*parts[1].index] * (epochs + 1)).all()
    np.testing.assert_array_equal(said[0], predict(made, read.pooled, parts[1], SIZE))
    assert history["train_loss"].isna().sum() == len(said[0])
    assert (said[0] == said[epochs]).all() == (last == 1)


def test_learning_curves_by_hand():
    """Log-odds ln 3 of a's two seizure samples and −ln 3 of its other one: p = 3/4 of each right, so ln 4/3; of b's
    other one, 0: ln 2. In epoch 2 all are 0. Epoch 0, the averaged network, has no place in a curve."""
    samples = pd.DataFrame({"recording": list("aaab"), "label": [1, 1, 0, 0]}, index=[4, 5, 6, 7])
    rows = [(0, np.nan, 4, 9.0)] + [(1, 0.5, n, z) for n, z in zip((4, 5, 6, 7), np.log([3, 3, 1 / 3, 1]), strict=True)]
    rows += [(2, 0.25, n, 0.0) for n in (4, 5, 6, 7)]
    history = pd.DataFrame(rows, columns=["epoch", "train_loss", "sample", "log_odds"]).assign(network="0-1a")
    found = training.learning_curves(history, samples)
    assert found.drop(columns="loss").to_numpy().tolist() == [
        ["0-1a", epoch, name, loss] for epoch, loss in ((1, 0.5), (2, 0.25)) for name in "ab"
    ]
    assert found["loss"].tolist() == pytest.approx([np.log(4 / 3), *[np.log(2)] * 3])


def test_few_others_by_hand():
    """Of 2 seizure samples and 11 others: both, and four others at even steps, the first and the last among them. There
    may be fewer; without a seizure, two."""
    samples = pd.DataFrame({"label": [0] * 5 + [1, 1] + [0] * 6})
    assert training.few_others(samples).index.tolist() == [0, 3, 5, 6, 9, 12]
    assert training.few_others(samples[:5]).index.tolist() == [0, 4]
    assert training.few_others(samples[4:7]).index.tolist() == [4, 5, 6]


@pytest.mark.slow
def test_it_learns_what_is_plain(world, tmp_path, monkeypatch):
    """A loud band is found in recordings never seen: held-out AUROC of nearly 1 in each fold. And what is explained is
    what decided: the saved members of a fold, as one network on full spectrograms."""
    monkeypatch.setenv("STUDY_WORKERS", "1")  # no processes need to start
    found, powers, samples = world
    networks, settings = folds.splits(found), SETTINGS | {"epochs": 6, "batches_per_epoch": 20}
    pieces = training.by_recording(networks, samples, samples)
    trained = training.train_all(pieces, written(powers, tmp_path), SIZE, settings)
    table, inner = training.out_of_fold(found, [(one.split, one.log_odds) for one in trained], samples)
    for result in trained:
        network.save(result.network, tmp_path / f"{result.split.name}.safetensors")
    for fold in found:
        held_out, own = table[table["fold"] == fold.number], inner[inner["fold"] == fold.number]
        assert min(roc_auc_score(part["label"], part["log_odds"]) for part in (held_out, own)) > 0.98
        names = [split.name for serving in folds.members(fold, networks).values() for split in serving]
        with torch.no_grad():
            direct = network.load_ensemble(tmp_path, names)(inputs.slices(powers, held_out, SIZE)).double().numpy()
        np.testing.assert_allclose(held_out["log_odds"], direct, atol=1e-5)


@pytest.mark.slow
def test_one_worker_or_two_give_the_same_bytes(world, tmp_path, monkeypatch):
    """And so does a second run; another seed does not. Networks come in the order of the splits, and those followed
    alone have a history."""
    found, powers, samples = world
    runs, read = [], written(powers, tmp_path)
    for count, seed in (("1", 1), ("2", 1), ("1", 2)):
        monkeypatch.setenv("STUDY_WORKERS", count)
        pieces = training.by_recording(folds.splits(found), samples, samples)
        trained = training.train_all(pieces, read, SIZE, SETTINGS | {"seed": seed}, ["0-2a"])
        assert [result.split for result in trained] == folds.splits(found)
        assert [len(result.history) > 0 for result in trained] == [False, True, False]
        runs.append([(weights(one), one.log_odds.to_numpy().tobytes(), one.history.to_csv()) for one in trained])
    assert runs[0] == runs[1] and runs[0] != runs[2]
    assert torch.get_num_threads() == 1


def test_networks_differ(world, monkeypatch):
    """Members without the same pair have weights of their own, drawn by the name, already before they are trained."""
    monkeypatch.setattr(training, "fit", lambda *arguments: pd.DataFrame())
    one, other = (weights(train(split, *world[1:])) for split in folds.splits(world[0], 2)[:2])
    assert one["mean"] == other["mean"] and one["mix.weight"] != other["mix.weight"]


@pytest.mark.parametrize(
    ("name", "changed", "seen"),
    [("0-1a", "a", False), ("0-1a", "b", False), ("0-1a", "c", True), ("past4a", "e", False), ("past4a", "b", True)],
)
def test_what_is_not_trained_on_is_not_looked_at(name, changed, seen):
    """Change every value and label of a recording held out, inner or to come: weights and statistics stay the same, bit
    by bit, and so do the log-odds of other recordings; only its own change. Of one that is trained on, all change. That
    a network is followed changes nothing."""
    found = folds.leave_blocks_out(list("abcde"), set("abcde"), 5)
    powers, samples = powers_and_samples("abcde")
    networks = [*folds.splits(found), *(step[0] for step in folds.grow(found, set("abcde")))]
    split = next(split for split in networks if split.name == name)
    other = {**powers, changed: powers[changed][:, ::-1, ::-1] * 3 + 7}
    relabelled = samples.assign(label=samples["label"].where(samples["recording"] != changed, 1 - samples["label"]))
    one, two = train(split, powers, samples), train(split, other, relabelled, followed=True)
    same = {key for key, value in weights(one).items() if value == weights(two)[key]}
    assert same == (set() if seen else set(weights(one)))
    assert set(samples.loc[one.log_odds.index, "recording"]) == set("abcde") - set(split.train)
    kept = (samples["recording"] != changed)[one.log_odds.index]
    assert ((one.log_odds == two.log_odds) == (kept & (not seen))).all()


def test_one_class_only_is_refused(world):
    """Training recordings without a frame outside seizures: the message says which recordings and what to do."""
    with pytest.raises(ValueError, match=r"Network 0-1a trains on c, .*\[1\].*Shorter frames"):
        train(folds.splits(world[0])[0], world[1], world[2].assign(label=1))


def scored_by_hand(found, samples, values):
    """Log-odds as the networks leave them: for each split the value `values[its name]` for all that it has not seen."""
    unseen = [(split, samples.index[~samples["recording"].isin(split.train)]) for split in folds.splits(found, 2)]
    return [(split, pd.Series(values[split.name], index=index, dtype=float)) for split, index in unseen]


SAID = {"0-1a": 1, "0-1b": 3, "0-2a": 2, "0-2b": 6, "1-2a": 7, "1-2b": 9}


def test_out_of_fold_by_hand(world):
    """Two networks a pair, in the mean 2 (without 0 and 1), 4 (0 and 2) and 8 (1 and 2): fold 0 decides by (2 + 4)/2,
    fold 1 by (2 + 8)/2, fold 2 by (4 + 8)/2. Fold 0 chooses by 2 on b and 4 on c, and so on round; rows and columns
    stay as they are. When each says the sample's number as well, its score rises by that, and no other's."""
    found, _, samples = world
    samples = samples.sample(frac=1, random_state=0)  # any order
    table, inner = training.out_of_fold(found, scored_by_hand(found, samples, SAID), samples)
    pd.testing.assert_frame_equal(table[samples.columns], samples)
    said = table[["recording", "fold", "log_odds"]].drop_duplicates().sort_values("fold")
    assert said.to_numpy().tolist() == [["a", 0, 3], ["b", 1, 5], ["c", 2, 6]]
    said = inner[["fold", "recording", "inner", "log_odds"]].drop_duplicates()
    assert said.to_numpy().tolist() == [
        [0, "b", 1, 2], [0, "c", 2, 4], [1, "a", 0, 2], [1, "c", 2, 8], [2, "a", 0, 4], [2, "b", 1, 8],
    ]  # fmt: skip
    assert len(inner) == 2 * len(samples)
    assert (inner["column"].to_numpy() == samples.loc[inner["sample"], "column"]).all()
    numbered = [(split, values + values.index.to_numpy()) for split, values in scored_by_hand(found, samples, SAID)]
    table_numbered, inner_numbered = training.out_of_fold(found, numbered[::-1], samples)
    assert (table_numbered["log_odds"] - table["log_odds"] == table.index).all()
    assert (inner_numbered["log_odds"] - inner["log_odds"] == inner["sample"]).all()


@pytest.mark.parametrize(
    ("name", "leaked", "said"),
    [
        ("0-1a", "a", "fold 0: a is both held out and trained on"),
        ("0-1b", "b", "fold 0: b is both inner and trained on"),
        ("1-2a", "c", "fold 1: c is both inner and trained on"),
    ],
)
def test_an_injected_leak_stops_the_study(world, name, leaked, said):
    """A network that also trained on the recording held out, or inner, is named, and none of its scores comes out."""
    found, _, samples = world
    leaky = [
        (dataclasses.replace(split, train=(*split.train, leaked)) if split.name == name else split, values)
        for split, values in scored_by_hand(found, samples, SAID)
    ]
    with pytest.raises(AssertionError, match=said):
        training.out_of_fold(found, leaky, samples)
