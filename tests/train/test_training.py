"""Training: slices, pooling and mixing by hand, networks that do not look where they must not, the same bytes again."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from helpers.train import folds, network, training

# Small and quick; every setting of `training.train_split` in this one place. Other tests import it.
SETTINGS = dict(
    seed=1, epochs=2, batches_per_epoch=3, batch_size=8, learning_rate=0.01, weight_decay=0.0, width=4, hidden=8,
    dropout=0.2, gain_db=1.0, mixed=0.5, silent=0.1, averaged=0.5, earlier=0.5,
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
    """Three recordings, three folds, three networks, each trained on one recording."""
    return folds.leave_one_recording_out(list("abc"), set("abc"), 2), *powers_and_samples("abc")


def saved(powers, folder):
    """Write the spectrograms as the stage preprocess does."""
    for name, power in powers.items():
        np.save(folder / f"{name}.npy", power)
    return folder


def pooled(powers, folder):
    """Write what networks take of the spectrograms, as the stage train does."""
    return training.pool_all(saved(powers, folder), list(powers), folder / "pooled")


def weights(result):
    """Return all that a network holds, statistics included, as bytes by name."""
    return {name: value.numpy().tobytes() for name, value in result.network.state_dict().items()}


def auroc(table):
    """Return the share of pairs of a seizure and another sample that are in order."""
    positive, negative = (table.loc[table["label"] == label, "log_odds"].to_numpy() for label in (1, 0))
    return (positive[:, None] > negative[None]).mean()


def test_slices_are_contiguous():
    """A spectrogram that counts its columns: t0, t1, t2 of 4 columns from column 5 on hold 5–8, 9–12, 13–16."""
    counted = np.broadcast_to(np.arange(30, dtype=np.float16), (2, 3, 30))
    table = pd.DataFrame({"recording": ["a", "a"], "column": [5, 18]})
    found = training.slices({"a": counted}, table, 4)
    assert found.shape == (2, 3, 2, 3, 4) and found.dtype == torch.float32
    assert found[0, :, 1, 2].tolist() == [[5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16]]
    assert found[1, 2, 0, 0].tolist() == [26, 27, 28, 29]


def test_pooled_slices_by_hand():
    """Counting columns, pooled by two: from column 4 on, frames of 4 are 4.5 6.5, 8.5 10.5, 12.5 14.5."""
    counted = {"a": np.broadcast_to(np.arange(30, dtype=np.float16), (2, 4, 30))}
    found = training.taken(counted).pooled
    assert found["a"].shape == (2, 2, 15) and found["a"].dtype == np.float32
    found = training.slices(found, pd.DataFrame({"recording": ["a"], "column": [4]}), 4, 2)
    assert found[0, :, 0, 1].tolist() == [[4.5, 6.5], [8.5, 10.5], [12.5, 14.5]]


def test_pooling_averages_four_cells():
    """Two bins and two columns: the mean of 1, 2, 3, 10 is 4; the odd last bin and column are left out."""
    power = torch.tensor([[[[1.0, 2.0, 99.0], [3.0, 10.0, 99.0], [99.0, 99.0, 99.0]]]])
    assert network.pool(power).tolist() == [[[[4.0]]]]


@pytest.mark.parametrize("length", [60, 61, 100])
def test_long_recordings_are_pooled_in_parts(monkeypatch, length):
    """In parts of 16 columns, as an hour is in parts of 2048: the same numbers as all at once."""
    powers = {"a": np.random.default_rng(0).normal(0, 5, (3, 7, length)).astype(np.float16)}
    monkeypatch.setattr(training, "STATISTICS_COLUMNS", 16)
    found = training.pooled_spectrogram(powers["a"])
    whole = network.pool(torch.from_numpy(powers["a"].astype(np.float32))[None])[0].numpy()
    assert found.shape == (3, 3, length // 2) and np.array_equal(found, whole)


def test_statistics_in_parts_are_those_at_once(monkeypatch, world):
    """Sums over parts of 16 columns: numpy's mean and deviation over all columns of both recordings."""
    monkeypatch.setattr(training, "STATISTICS_COLUMNS", 16)
    mean, deviation = training.statistics([training.sums(world[1][name]) for name in "ac"])
    together = np.concatenate([world[1][name] for name in "ac"], axis=2).astype(np.float64)
    np.testing.assert_allclose(mean[..., 0], together.mean(axis=2), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(deviation[..., 0], together.std(axis=2), rtol=1e-5)


def test_inputs_in_files_are_those_in_memory(world, tmp_path, monkeypatch):
    """Written once and mapped by each network: the same numbers, to the bit, parts of the sums included; and what a
    killed run left is written anew."""
    monkeypatch.setattr(training, "STATISTICS_COLUMNS", 32)
    monkeypatch.setenv("STUDY_WORKERS", "1")
    (tmp_path / "pooled").mkdir()
    (tmp_path / "pooled" / "a.npy").write_bytes(b"half")
    found, expected = training.opened_inputs(pooled(world[1], tmp_path), list("abc")), training.taken(world[1])
    for name in "abc":
        assert isinstance(found.pooled[name], np.memmap) and np.array_equal(found.pooled[name], expected.pooled[name])
        for one, other in ((found.sums, expected.sums), (found.pooled_sums, expected.pooled_sums)):
            assert one[name].columns == other[name].columns and len(one[name].total) == len(other[name].total) > 1
            assert all(np.array_equal(*pair) for pair in zip(one[name][1:], other[name][1:], strict=True))


@pytest.mark.parametrize(("frame_columns", "columns"), [(7, [0, 14]), (8, [0, 8, 13])])
def test_odd_columns_are_refused(frame_columns, columns):
    """Two columns are averaged to one: a frame of 7, or a triptych that starts at column 13, would be cut elsewhere."""
    with pytest.raises(ValueError, match=f"A frame has {frame_columns} columns; .* a multiple of 2 .*Set frame_s"):
        training.check_columns(frame_columns, columns)


def test_odd_columns_are_refused_before_training(world):
    """Training starts every 3 columns: said before an hour is spent, and not by wrong scores."""
    found, powers, samples = world
    with pytest.raises(ValueError, match="Set frame_s and step_s to multiples of 2 hop_s"):
        training.train_split(
            folds.splits(found)[0], training.taken(powers), samples.assign(column=3), samples, SIZE, SETTINGS
        )


def test_statistics_by_hand():
    """Columns 1, 3 in one recording and 5, 7, 9 in the other: mean 5, variance (16+4+0+4+16)/5 = 8; others unseen."""
    powers = {"a": np.array([[[1.0, 3.0]]]), "b": np.array([[[5.0, 7.0, 9.0]]]), "c": np.array([[[1000.0]]])}
    mean, deviation = training.statistics([training.sums(powers[name]) for name in "ab"])
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


def flat(*levels_db):
    """Triptychs of one cell a frame, each at its level in dB: [triptych, 3, 1, 1, 1]."""
    return torch.tensor(levels_db)[:, None, None, None, None].expand(-1, 3, 1, 1, 1)


@pytest.mark.parametrize(
    ("own", "other", "level", "expected"),
    [
        (0, 0, 0, 3.0103),  # twice the power: 10 lg 2
        (-7, -7, 0, -3.9897),  # whatever the level
        (0, 0, -10, 0.4139),  # 1 + 0.1
        (10, 0, 0, 10.4139),  # the same, 10 dB up
        (0, 20, -10, 10.4139),  # other EEG that is louder covers it: 1 + 10
        (5, 300, -np.inf, 5),  # nothing mixed in
    ],
)
def test_mixed_by_hand(own, other, level, expected):
    """Powers add: 10 lg(10^(own/10) + 10^((other + level)/10))."""
    found = training.mixed(flat(float(own)), flat(float(other)), [level])
    assert found.flatten().tolist() == pytest.approx([expected] * 3, abs=1e-4)


def test_mixing_never_makes_quieter(world):
    """Each cell ends above both of what is mixed, by 3 dB over the louder at most; each triptych has its own level."""
    _, powers, samples = world
    one, other = (training.slices(powers, samples.iloc[first : first + 4], SIZE) for first in (0, 40))
    level_db = np.array([-3.0, -8.0, -np.inf, 0.0])
    found = training.mixed(one, other, level_db)
    louder = torch.maximum(one, other + torch.tensor(level_db, dtype=torch.float32)[:, None, None, None, None])
    assert (found >= louder - 1e-4).all() and (found <= louder + 3.0104).all()
    torch.testing.assert_close(found[2], one[2])


def test_only_background_is_mixed_in(world, monkeypatch):
    """What is mixed in is no seizure, from training recordings, at −10 to 0 dB, in the share asked for; labels stay."""
    _, powers, samples = world
    train, seen, sliced = samples[samples["recording"] != "b"], [], []
    inputs = training.taken(powers)

    def slices(pooled, table, *rest):
        sliced.append(table)
        return real(pooled, table, *rest)

    real = training.slices
    monkeypatch.setattr(training, "slices", slices)
    monkeypatch.setattr(training, "mixed", lambda one, other, level_db: seen.append(level_db) or one)
    generator = np.random.default_rng(0)
    settings = {**SETTINGS, "batch_size": 400, "mixed": 0.25, "gain_db": 0.0, "silent": 0.0}
    made = training.prepared(inputs, ["a", "c"], settings)
    triptychs, label = training.changed_batch(inputs.pooled, train, SIZE, made, settings, generator)
    batch, others = sliced
    assert label.tolist() == batch[["label_t0", "label_t1", "label"]].to_numpy().tolist() and label[:, 2].sum() == 200
    assert (others["label"] == 0).all() and set(others["recording"]) == {"a", "c"} and len(others) == 400
    (level_db,), unmixed = seen, np.isneginf(seen[0])
    assert unmixed.mean() == pytest.approx(0.75, abs=0.07)
    assert (level_db[~unmixed] >= -10).all() and (level_db[~unmixed] <= 0).all() and np.ptp(level_db[~unmixed]) > 5
    torch.testing.assert_close(triptychs, real(inputs.pooled, batch, SIZE, network.POOL))


def test_without_changes_a_batch_is_what_was_recorded(world):
    """Nothing mixed in, no other level, no channel silent: the triptychs themselves, pooled."""
    _, powers, samples = world
    inputs = training.taken(powers)
    settings = {**SETTINGS, "mixed": 0.0, "gain_db": 0.0, "silent": 0.0}
    made = training.prepared(inputs, ["a"], settings)
    triptychs, _ = training.changed_batch(inputs.pooled, samples, SIZE, made, settings, np.random.default_rng(0))
    batch = training.balanced_batch(samples, 8, np.random.default_rng(0))
    assert torch.equal(triptychs, training.slices(inputs.pooled, batch, SIZE, network.POOL))


def test_earlier_decisions_teach_with_their_weight(world, monkeypatch):
    """Log-odds 0, 1, −2 against labels 0, 1, 1: ln 2, ln(1 + e⁻¹), ln(1 + e²); with the weight 0 the last one alone,
    with 0.5 half of the first two as well."""
    _, powers, samples = world
    inputs = training.taken(powers)
    losses = np.log([2, 1 + np.exp(-1), 1 + np.exp(2)])
    said = torch.tensor([[0.0, 1.0, -2.0]] * 8)
    monkeypatch.setattr(
        training, "changed_batch", lambda *arguments: (torch.zeros(8, 3, 6, 4, 4), torch.tensor([[0.0, 1.0, 1.0]] * 8))
    )
    monkeypatch.setattr(network.SpectrogramNetwork, "decide_each", lambda self, maps: said + 0 * maps.sum())
    for weight, expected in ((0.0, losses[2]), (0.5, losses @ [0.5, 0.5, 1])):
        settings = {**SETTINGS, "earlier": weight}
        made = training.prepared(inputs, ["a"], settings)
        for _, loss in training.learning(made, inputs.pooled, samples, SIZE, settings, np.random.default_rng(0)):
            assert loss == pytest.approx(expected, rel=1e-5)


def test_a_decision_looks_at_its_frame_and_those_before():
    """Another t2 changes the decision after it alone; another t0 changes all three. The last one is the network's."""
    made = network.SpectrogramNetwork(6, 8, 4, 8, 0.0).eval()
    maps = torch.randn(2, 3, 8, 4, 4, generator=torch.Generator().manual_seed(1))
    before = made.decide_each(maps)
    assert torch.equal(before[:, 2], made.decide(maps))
    for step, same in ((2, [True, True, False]), (0, [False, False, False])):
        other = maps.clone()
        other[:, step] += 1
        found = made.decide_each(other)
        assert [torch.allclose(found[:, k], before[:, k], atol=1e-6) for k in range(3)] == same


def test_levels_vary_by_channel_and_all_together():
    """A deviation of 4 dB for each channel and of 2 dB for all: √20 together, correlated by 4/20; one for all t."""
    found = training.random_levels(np.random.default_rng(0), 20000, 3, 4.0)
    assert found.shape == (20000, 1, 3, 1, 1)
    levels = found[:, 0, :, 0, 0].numpy()
    assert levels.std() == pytest.approx(20**0.5, rel=0.02)
    assert np.corrcoef(levels.T)[0, 1] == pytest.approx(0.2, abs=0.02)


def test_silent_channels_say_nothing():
    """Of 3000 triptychs of four channels, 30 % of the channels are at the pooled training mean, in all three frames and
    in no others; to a network they are zeros, as its own mean is taken away. At 0 none is, at 1 all are."""
    triptychs, mean = torch.randn(3000, 3, 4, 2, 5) + 50, torch.arange(16.0).reshape(4, 4, 1)
    pooled = torch.tensor([[0.5, 2.5], [4.5, 6.5], [8.5, 10.5], [12.5, 14.5]])[None, None, :, :, None]
    found = training.silenced(triptychs, mean, 0.3, np.random.default_rng(0))
    silent = (found == pooled).all(dim=(1, 3, 4))
    assert silent.float().mean(dim=0).numpy() == pytest.approx(np.full(4, 0.3), abs=0.03)
    assert torch.equal(found, torch.where(silent[:, None, :, None, None], pooled, triptychs))
    assert torch.equal(training.silenced(triptychs, mean, 0.0, np.random.default_rng(0)), triptychs)
    assert (training.silenced(triptychs, mean, 1.0, np.random.default_rng(0)) == pooled).all()


def test_predicting_from_pooled_spectrograms_is_the_network_itself(world):
    """Pooled first or sliced first, in batches of 7 or at once: the same log-odds, within a rounding."""
    _, powers, samples = world
    inputs = training.taken(powers)
    torch.manual_seed(0)
    made = training.prepared(inputs, ["a", "b"], SETTINGS)
    with torch.no_grad():
        for value in made.parameters():
            value.mul_(3)  # as initialised, the score hardly depends on the input
    found = training.predict(made, inputs.pooled, samples, SIZE, batch=7)
    with torch.no_grad():
        direct = made(training.slices(powers, samples, SIZE)).double().numpy()
    assert found.shape == (len(samples),) and found.dtype == np.float64 and np.ptp(direct) > 0.01
    np.testing.assert_allclose(found, direct, atol=1e-6)
    assert training.predict(made, inputs.pooled, samples.iloc[:0], SIZE).shape == (0,)


def test_no_dropout_while_predicting(world):
    """Twice the same, even from a network that was left in training mode."""
    _, powers, samples = world
    inputs = training.taken(powers)
    made = training.prepared(inputs, ["a"], {**SETTINGS, "dropout": 0.5}).train()
    assert np.array_equal(*(training.predict(made, inputs.pooled, samples, SIZE) for _ in range(2)))


@pytest.mark.parametrize(
    ("epochs", "averaged", "last"), [(4, 0.5, 2), (5, 0.5, 3), (4, 0.0, 1), (3, 1.0, 3), (1, 0.5, 1), (10, 0.9, 9)]
)
def test_averaged_weights_by_hand(world, monkeypatch, epochs, averaged, last):
    """The mean over the `last` epochs of the weights that each epoch left, those of the earlier ones forgotten; at 0
    the last epoch's own. The losses written down are those of each epoch, before averaging."""
    found, powers, samples = world
    inputs = training.taken(powers)
    train, unseen = samples[samples["recording"] == "c"], samples[samples["recording"] == "a"]
    settings = {**SETTINGS, "epochs": epochs, "averaged": averaged}
    torch.manual_seed(0)
    made, states = training.prepared(inputs, ["c"], settings), []

    def predict(network, *rest):
        states.append({name: value.clone() for name, value in network.state_dict().items()})
        return real(network, *rest)

    real = training.predict
    monkeypatch.setattr(training, "predict", predict)
    curves = training.fit(made, inputs.pooled, train, unseen, SIZE, settings, np.random.default_rng(0))
    assert len(states) == epochs and curves["epoch"].tolist() == [*range(1, epochs + 1)] and not made.training
    for name, value in made.state_dict().items():
        expected = torch.stack([state[name] for state in states[-last:]]).mean(dim=0)
        torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-7)
    assert not torch.equal(states[0]["score.weight"], made.score.weight) or epochs == 1


def test_curves_say_the_loss_of_each_unseen_recording(world):
    """A row an epoch and recording, the last epoch's, unaveraged, being the loss of the log-odds that are left."""
    found, powers, samples = world
    (first, *_) = folds.splits(found)
    result = training.train_split(first, training.taken(powers), samples, samples, SIZE, {**SETTINGS, "averaged": 0.0})
    curves = result.curves
    assert curves[["epoch", "recording", "network"]].to_numpy().tolist() == [
        [epoch, name, "0-1"] for epoch in (1, 2) for name in "ab"
    ]
    for name in "ab":
        rows = samples[samples["recording"] == name]
        loss = training.balanced_loss(rows["label"], result.log_odds.loc[rows.index].to_numpy())
        assert curves.loc[(curves["epoch"] == 2) & (curves["recording"] == name), "loss"].item() == pytest.approx(loss)


@pytest.mark.slow
def test_it_learns_what_is_plain(world, tmp_path):
    """A loud band is found in recordings never seen: held-out AUROC of nearly 1 in each fold."""
    found, powers, samples = world
    settings = {**SETTINGS, "epochs": 6, "batches_per_epoch": 20}
    trained = training.train_all(found, pooled(powers, tmp_path), samples, samples, SIZE, settings)
    table, inner = training.out_of_fold(found, [(one.split, one.log_odds) for one in trained], samples)
    for fold in found:
        held_out, own = table[table["fold"] == fold.number], inner[inner["fold"] == fold.number]
        assert auroc(held_out) > 0.98 and auroc(own) > 0.98
        assert set(held_out["recording"]) == set(fold.held_out)


@pytest.mark.slow
def test_one_worker_or_two_give_the_same_bytes(world, tmp_path, monkeypatch):
    """And so does a second run; another seed does not. Networks come in the order of the splits."""
    found, powers, samples = world
    runs = []
    for count, seed in (("1", 1), ("2", 1), ("1", 2)):
        monkeypatch.setenv("STUDY_WORKERS", count)
        settings = {**SETTINGS, "seed": seed}
        trained = training.train_all(found, pooled(powers, tmp_path), samples, samples, SIZE, settings)
        assert [result.split for result in trained] == folds.splits(found)
        runs.append([(weights(one), one.log_odds.to_numpy().tobytes(), one.curves.to_csv()) for one in trained])
    assert runs[0] == runs[1] and runs[0] != runs[2]


@pytest.mark.parametrize("trained", [True, False])
def test_networks_differ(world, monkeypatch, trained):
    """Each network has weights of its own, drawn by the two folds that it serves: also on the same recordings, and
    also before it is trained."""
    found, powers, samples = world
    if not trained:
        monkeypatch.setattr(training, "fit", lambda *arguments: pd.DataFrame())
    first, second, _ = folds.splits(found)
    twin = dataclasses.replace(second, train=first.train)
    one, other = (
        training.train_split(s, training.taken(powers), samples, samples, SIZE, SETTINGS) for s in (first, twin)
    )
    assert weights(one)["mean"] == weights(other)["mean"] and weights(one)["mix.weight"] != weights(other)["mix.weight"]


@pytest.mark.parametrize("side", ["held out", "inner"])
def test_what_is_held_out_or_inner_is_not_looked_at(side):
    """Change every value and label of the one block, then of the other: weights and statistics stay the same, bit by
    bit, and so do the log-odds of the other block; only its own scores change."""
    found = folds.leave_one_recording_out(list("abcde"), set("abcde"), 2)
    powers, samples = powers_and_samples("abcde")
    other, split = folds.members(found[0], folds.splits(found))[0]
    name, kept = (found[0].held_out[0], found[other].held_out[0])[:: 1 if side == "held out" else -1]
    changed = {**powers, name: powers[name][:, ::-1, ::-1] * 3 + 7}
    relabelled = samples.assign(label=samples["label"].where(samples["recording"] != name, 1 - samples["label"]))
    one = training.train_split(split, training.taken(powers), samples, samples, SIZE, SETTINGS)
    two = training.train_split(split, training.taken(changed), relabelled, relabelled, SIZE, SETTINGS)
    assert weights(one) == weights(two)
    rows = {key: samples.index[samples["recording"] == key] for key in (name, kept)}
    assert one.log_odds[rows[kept]].equals(two.log_odds[rows[kept]])
    assert (one.log_odds[rows[name]] != two.log_odds[rows[name]]).all()
    assert set(one.log_odds.index) == {*rows[name], *rows[kept]}


def test_what_is_trained_on_is_looked_at():
    """The test above can fail: the same change to a recording that is trained on changes weights and statistics."""
    found = folds.leave_one_recording_out(list("abcde"), set("abcde"), 2)
    powers, samples = powers_and_samples("abcde")
    split = folds.splits(found)[0]
    changed = {**powers, split.train[0]: powers[split.train[0]][:, ::-1, ::-1] * 3 + 7}
    one, two = (
        training.train_split(split, training.taken(values), samples, samples, SIZE, SETTINGS)
        for values in (powers, changed)
    )
    assert all(value != weights(two)[name] for name, value in weights(one).items())


def test_one_class_only_is_refused(world):
    """Training recordings without a frame outside seizures: the message says which recordings and what to do."""
    found, powers, samples = world
    with pytest.raises(ValueError, match=r"Network 0-1 trains on c, .*\[1\].*Shorter frames"):
        training.train_split(
            folds.splits(found)[0], training.taken(powers), samples.assign(label=1), samples, SIZE, SETTINGS
        )


def scored_by_hand(found, samples, values):
    """Log-odds as the networks leave them: for each split the value `values[its name]` for all that it has not seen."""
    scored = []
    for split in folds.splits(found):
        unseen = samples[~samples["recording"].isin(split.train)]
        scored.append((split, pd.Series(values[split.name], index=unseen.index, dtype=float)))
    return scored


def test_out_of_fold_by_hand(world):
    """Networks 0-1, 0-2, 1-2 say 1, 2, 4 of everything: fold 0 decides by (1 + 2)/2, fold 1 by (1 + 4)/2, fold 2 by
    (2 + 4)/2. Fold 0 chooses by what 0-1 says of b and 0-2 of c, and so on round; rows and columns stay as they are."""
    found, _, samples = world
    samples = samples.sample(frac=1, random_state=0)  # any order
    table, inner = training.out_of_fold(found, scored_by_hand(found, samples, {"0-1": 1, "0-2": 2, "1-2": 4}), samples)
    pd.testing.assert_frame_equal(table[samples.columns], samples)
    said = table[["recording", "fold", "log_odds"]].drop_duplicates().sort_values("fold")
    assert said.to_numpy().tolist() == [["a", 0, 1.5], ["b", 1, 2.5], ["c", 2, 3.0]]
    said = inner[["fold", "recording", "network", "log_odds"]].drop_duplicates()
    assert said.to_numpy().tolist() == [
        [0, "b", "0-1", 1], [0, "c", "0-2", 2], [1, "a", "0-1", 1], [1, "c", "1-2", 4], [2, "a", "0-2", 2],
        [2, "b", "1-2", 4],
    ]  # fmt: skip
    assert len(inner) == 2 * len(samples) and inner.groupby("fold")["recording"].nunique().tolist() == [2, 2, 2]


def test_each_sample_keeps_its_own_score(world):
    """Each network says the sample's number, plus its own: the mean is that number, plus the mean of theirs."""
    found, _, samples = world
    samples = samples.sample(frac=1, random_state=1)
    scored = scored_by_hand(found, samples, {"0-1": 0.1, "0-2": 0.2, "1-2": 0.4})
    scored = [(split, values + values.index.to_numpy()) for split, values in scored]
    table, inner = training.out_of_fold(found, scored[::-1], samples)
    own = {0: 0.15, 1: 0.25, 2: 0.3}
    assert table["log_odds"].to_numpy() == pytest.approx(table.index + table["fold"].map(own))
    numbers = samples.reset_index().set_index(["recording", "column"])["index"]
    whose = [numbers.loc[pair] for pair in zip(inner["recording"], inner["column"], strict=True)]
    assert (inner["log_odds"] - whose).to_numpy() == pytest.approx(
        inner["network"].map({"0-1": 0.1, "0-2": 0.2, "1-2": 0.4})
    )


@pytest.mark.parametrize(
    ("name", "leaked", "said"),
    [
        ("0-1", "a", "fold 0: a is both held out and trained on"),
        ("0-1", "b", "fold 0: b is both inner and trained on"),
        ("1-2", "c", "fold 1: c is both inner and trained on"),
    ],
)
def test_an_injected_leak_stops_the_study(world, name, leaked, said):
    """A network that also trained on the recording held out, or inner, is named, and none of its scores comes out."""
    found, powers, samples = world
    scored = scored_by_hand(found, samples, dict.fromkeys(["0-1", "0-2", "1-2"], 1))
    training.out_of_fold(found, scored, samples)
    leaky = [
        (dataclasses.replace(split, train=(*split.train, leaked)) if split.name == name else split, values)
        for split, values in scored
    ]
    with pytest.raises(AssertionError, match=said):
        training.out_of_fold(found, leaky, samples)


@pytest.mark.slow
def test_what_a_network_trained_on_it_does_not_score(world):
    """A leak by way of a wrong split: it leaves nothing to score of what it trained on, and is caught all the same."""
    found, powers, samples = world
    first, *others = folds.splits(found)
    leaky = dataclasses.replace(first, train=("a", "c"))
    trained = [
        training.train_split(s, training.taken(powers), samples, samples, SIZE, SETTINGS) for s in (leaky, *others)
    ]
    assert set(samples.loc[trained[0].log_odds.index, "recording"]) == {"b"}
    with pytest.raises(AssertionError, match="fold 0: a is both held out and trained on"):
        training.out_of_fold(found, [(one.split, one.log_odds) for one in trained], samples)


def made_network(seed=0, channels=3, frequencies=10):
    """A network with random weights and statistics, whose score depends on its input."""
    torch.manual_seed(seed)
    made = network.SpectrogramNetwork(channels, frequencies, 4, 8, 0.1).eval()
    made.mean, made.deviation = torch.randn(channels, frequencies, 1), torch.rand(channels, frequencies // 2, 1) + 1
    with torch.no_grad():
        for value in made.parameters():
            value.mul_(3)  # as initialised, the score hardly depends on the input
    return made


def test_weights_come_back_from_safetensors(tmp_path):
    """Saved and loaded: the same score to the bit, statistics included; the file holds no pickle."""
    made, triptychs = made_network(), torch.randn(2, 3, 3, 10, 6)
    network.save(made, tmp_path / "w.safetensors")
    with torch.no_grad():
        assert torch.equal(made(triptychs), network.load(tmp_path / "w.safetensors")(triptychs))


def test_weights_of_another_size_are_refused(tmp_path):
    """Sizes that do not fit the weights beside them."""
    made = made_network()
    made.config["width"] = 5
    network.save(made, tmp_path / "w.safetensors")
    with pytest.raises(RuntimeError, match="size mismatch"):
        network.load(tmp_path / "w.safetensors")


def test_an_ensemble_is_the_mean_of_its_members(tmp_path):
    """Log-odds are the mean of the members'; maps stand one after the other, in order; `decide` takes them up from
    there; the mean is that of the training means. Saved, and loaded by their names, it is the same to the bit."""
    made, triptychs = [made_network(seed) for seed in range(3)], torch.randn(5, 3, 3, 10, 6)
    for number, one in enumerate(made):
        network.save(one, tmp_path / f"{number}-7.safetensors")
    together = network.load_ensemble(tmp_path, ["0-7", "1-7", "2-7"])
    with torch.no_grad():
        scores = torch.stack([one(triptychs) for one in made])
        maps = together.maps(triptychs)
        assert torch.equal(together(triptychs), scores.mean(dim=0)) and scores.std(dim=0).min() > 0.01
        assert maps.shape == (5, 3, 3 * 8, 5, 3) and torch.equal(together.decide(maps), together(triptychs))
        for number, one in enumerate(made):
            assert torch.equal(maps[:, :, 8 * number : 8 * number + 8], one.maps(triptychs))
        assert torch.equal(together(triptychs), network.Ensemble(made).eval()(triptychs))
        turned = network.load_ensemble(tmp_path, ["2-7", "0-7", "1-7"])
        torch.testing.assert_close(turned(triptychs), together(triptychs))
    torch.testing.assert_close(together.mean, (made[0].mean + made[1].mean + made[2].mean) / 3)
    assert not together.training and not any(one.training for one in together.networks)


@pytest.mark.slow
def test_the_ensemble_of_a_fold_scores_as_out_of_fold_does(world, tmp_path):
    """What is explained is what decided: the saved members of a fold, as one network on full spectrograms."""
    found, powers, samples = world
    trained = training.train_all(found, pooled(powers, tmp_path), samples, samples, SIZE, SETTINGS)
    for result in trained:
        network.save(result.network, tmp_path / f"{result.split.name}.safetensors")
    table, _ = training.out_of_fold(found, [(one.split, one.log_odds) for one in trained], samples)
    for fold in found:
        names = [split.name for _, split in folds.members(fold, folds.splits(found))]
        rows = table[table["fold"] == fold.number]
        with torch.no_grad():
            direct = network.load_ensemble(tmp_path, names)(training.slices(powers, rows, SIZE))
        np.testing.assert_allclose(rows["log_odds"], direct.double().numpy(), atol=1e-6)


def test_encoding_what_is_pooled_is_the_network_itself():
    """forward = decide(maps) = decide(encode(pooled)); an odd last bin has no say."""
    made, triptychs = made_network(frequencies=11), torch.randn(4, 3, 3, 11, 6)
    pooled = network.pool(triptychs.flatten(0, 1)).unflatten(0, (4, 3))
    with torch.no_grad():
        assert torch.equal(made(triptychs), made.decide(made.maps(triptychs)))
        assert torch.equal(made(triptychs), made.decide(made.encode(pooled)))
        changed = triptychs.clone()
        changed[:, :, :, 10] += 30
        assert torch.equal(made(triptychs), made(changed))


def test_each_frequency_has_weights_of_its_own():
    """The explained layer at one row is its own linear layer of the convolutions' maps there, and no other row's."""
    made = made_network()
    seen = {}
    made.embed.register_forward_hook(lambda layer, given, out: seen.update(given=given[0]))
    with torch.no_grad():
        maps = made.maps(torch.randn(2, 3, 3, 10, 6))
    given = seen["given"].unflatten(1, (5, 4))  # [n·3, row, width, column]
    weight, bias = made.embed.weight.detach().reshape(5, 8, 4), made.embed.bias.detach().reshape(5, 8)
    for row in range(5):
        expected = torch.relu(torch.einsum("hk,nkt->nht", weight[row], given[:, row]) + bias[row][None, :, None])
        torch.testing.assert_close(maps.flatten(0, 1)[:, :, row], expected)
    assert (maps > 0).any() and (maps == 0).any()


def test_the_score_has_one_gradient_for_all_of_a_map():
    """What Grad-CAM takes for granted: nothing after the explained layer tells places of a map apart."""
    made = made_network()
    maps = made.maps(torch.randn(2, 3, 3, 10, 6)).detach().requires_grad_(True)
    (gradients,) = torch.autograd.grad(made.decide(maps).sum(), maps)
    torch.testing.assert_close(gradients, gradients[..., :1, :1].expand_as(gradients))
    assert gradients.abs().max() > 1e-4


def test_training_statistics_normalise():
    """The training mean everywhere is encoded as zeros are by a network whose mean is 0; scaled by the deviation."""
    made, plain = made_network(), made_network()
    plain.mean, plain.deviation = torch.zeros(3, 10, 1), torch.ones(3, 5, 1)
    triptychs, step = torch.randn(2, 3, 3, 10, 6), torch.tensor(4.0)
    made.deviation = step.expand(3, 5, 1)
    with torch.no_grad():
        torch.testing.assert_close(made(triptychs * step + made.mean), plain(triptychs), rtol=1e-4, atol=1e-5)


def test_amplitude_reaches_the_decision():
    """No layer normalises it away: 10 dB more everywhere changes the score."""
    made, triptychs = made_network(), torch.randn(4, 3, 3, 10, 6)
    with torch.no_grad():
        assert (made(triptychs + 10) - made(triptychs)).abs().min() > 1e-3


def test_edges_are_repeated_as_torch_does():
    """The hand-written padding against torch's replication."""
    maps = torch.randn(2, 3, 5, 4)
    assert torch.equal(network.repeat_edges(maps), torch.nn.functional.pad(maps, (1, 1, 1, 1), mode="replicate"))


def test_learning_curves_rest_on_all_seizures_and_few_others():
    """Of 2 seizure samples and 11 others, at most 3 of which count: both, and the first, middle and last of the others;
    where there are no more than that, or no seizure, all of those that are there."""
    samples = pd.DataFrame({"label": [0] * 5 + [1, 1] + [0] * 6})
    assert training.thinned(samples, 3).index.tolist() == [0, 5, 6, 7, 12]
    assert training.thinned(samples, 11).index.tolist() == list(range(13))
    assert training.thinned(samples[:5], 1000).index.tolist() == [0, 1, 2, 3, 4]
    assert training.thinned(samples[5:7], 3).index.tolist() == [5, 6]


def test_repeatable_training_fills_no_memory_for_nothing():
    """Deterministic kernels, one thread, and no filling of memory that is written anyway."""
    training.make_repeatable()
    assert torch.are_deterministic_algorithms_enabled() and torch.get_num_threads() == 1
    assert torch.utils.deterministic.fill_uninitialized_memory is False


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mixed": 1.5}, "mixed is 1.5; it is a share"),
        ({"silent": -0.1}, "silent is -0.1; it is a share"),
        ({"averaged": 2.0}, "averaged is 2; it is a share"),
        ({"epochs": 0}, "epochs is 0; it must be at least 1"),
        ({"batch_size": 1}, "batch_size is 1; it must be at least 2"),
        ({"earlier": -0.5}, "earlier is -0.5; it must be at least 0"),
    ],
)
def test_settings_out_of_range_are_refused(world, tmp_path, change, said):
    """Before anything is trained, with the file to correct; at the ends of the range they are taken."""
    found, _, samples = world
    with pytest.raises(ValueError, match=f"{said}.*params/train.yaml"):
        training.train_all(found, tmp_path, samples, samples, SIZE, {**SETTINGS, **change})
    training.check({**SETTINGS, "mixed": 1.0, "silent": 0.0, "epochs": 1, "batch_size": 2})
