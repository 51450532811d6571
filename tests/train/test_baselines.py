"""Simple baselines: they learn what is plain, look at nothing unseen, and give the same bytes again."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from helpers.acquire.annotations import Annotations
from helpers.acquire.montages import DOUBLE_BANANA
from helpers.evaluate import decisions
from helpers.preprocess import spectrograms
from helpers.train import baselines, features, folds, training

# frames of 1 s of 8 columns, 9 bins of which each band has one at least
AXIS = {
    "hop_s": 0.125, "frame_s": 1.0, "frame_columns": 8, "channels": DOUBLE_BANANA[:4],
    "frequencies_hz": [2.0, 5.0, 9.0, 12.0, 15.0, 20.0, 35.0, 40.0, 50.0],
}  # fmt: skip
NAMES = list("abcd")
SEIZURES = pd.DataFrame([(name, 12.0, 20.0) for name in "abc"], columns=["recording", "start_s", "end_s"])


def arrays(seed=5):
    """Four recordings of 30 s, 4 channels; in a, b and c a seizure at 12–20 s: a rhythm in two channels, which are also
    of longer line."""
    generator, power, length = np.random.default_rng(seed), {}, {}
    for name in NAMES:
        power[name] = generator.normal(0, 4, (4, 9, 240)).astype(np.float16)
        length[name] = generator.uniform(50, 90, (4, 240)).astype(np.float32)
        if name != "d":
            power[name][:2, 1:3, 96:160] += 9
            length[name][:2, 96:160] *= 2
    return power, length


@pytest.fixture
def world(monkeypatch):
    """Three folds, three networks, each trained on one recording with a seizure; and few trees."""
    monkeypatch.setattr(baselines, "TREES", 25)
    columns = dict.fromkeys(NAMES, 240)
    overlapping, samples = (spectrograms.all_triptychs(AXIS, columns, SEIZURES, step_s) for step_s in (0.5, 1.0))
    return folds.leave_one_recording_out(NAMES, set("abc"), 2), *arrays(), overlapping, samples


def train(world, split, names=baselines.CLASSIFIERS, seed=0, **changed):
    """Train one split's classifiers, with some of the world's parts changed."""
    _, power, length, overlapping, samples = world
    parts = {"power": power, "length": length, "overlapping": overlapping, "samples": samples} | changed
    return baselines.train_split(split, *parts.values(), AXIS, seed, names)


def auroc(table):
    """Return the share of pairs of a seizure and another sample that are in order."""
    positive, negative = (table.loc[table["label"] == label, "log_odds"].to_numpy() for label in (1, 0))
    return (positive[:, None] > negative[None]).mean()


@pytest.mark.slow
def test_they_go_the_network_s_way(world, tmp_path):
    """From `train_all` through the same two functions as the network: what is plain is found in recordings never seen,
    each sample is decided once, and alarms are where the seizures are."""
    planned, power, length, overlapping, samples = world
    for kind, values in (("power", power), ("length", length)):
        (tmp_path / kind).mkdir()
        for name, value in values.items():
            np.save(tmp_path / kind / f"{name}.npy", value)
    scored = baselines.train_all(planned, tmp_path / "power", tmp_path / "length", overlapping, samples, AXIS, 0)
    assert list(scored) == list(baselines.CLASSIFIERS)
    for pairs in scored.values():
        assert [split for split, _ in pairs] == folds.splits(planned)
        predictions, inner = training.out_of_fold(planned, pairs, samples)
        assert auroc(predictions) > 0.98 and len(predictions) == len(samples)
        table, _ = decisions.decide(predictions, inner, Annotations(SEIZURES, dict.fromkeys(NAMES, 30.0)))
        assert (table["alarm"] == table["label"]).mean() > 0.9


def test_only_what_was_not_seen_is_scored(world):
    """The index of `samples`, of all recordings but those trained on."""
    split, samples = folds.splits(world[0])[0], world[4]
    found = train(world, split)
    unseen = samples.index[~samples["recording"].isin(split.train)]
    assert all(values.index.equals(unseen) and np.isfinite(values).all() for values in found.values())


@pytest.mark.parametrize("name", baselines.CLASSIFIERS)
def test_nothing_unseen_is_looked_at(world, name):
    """Labels of both unseen blocks turned: no score changes, bit by bit. Their EEG changed: only the scores of that
    recording do. A training recording's labels turned: all do."""
    split = folds.splits(world[0])[0]
    one = train(world, split, [name])[name]

    def turned(table, seen):
        mine = table["recording"].isin(split.train) == seen
        return table.assign(label=np.where(mine, 1 - table["label"], table["label"]))

    lies = {"overlapping": turned(world[3], seen=False), "samples": turned(world[4], seen=False)}
    assert one.equals(train(world, split, [name], **lies)[name])
    changed = world[1] | {"a": world[1]["a"] * 2 + 7}
    other, rows = train(world, split, [name], power=changed)[name], world[4].loc[one.index, "recording"] == "a"
    assert "a" not in split.train and one[~rows].equals(other[~rows]) and not one[rows].equals(other[rows])
    assert not one.equals(train(world, split, [name], overlapping=turned(world[3], seen=True))[name])


def test_the_same_bytes_again(world):
    """The same seed gives the same forest; another seed another one, but the same regression, which draws nothing."""
    split = folds.splits(world[0])[1]
    one, again, other = (train(world, split, seed=seed) for seed in (3, 3, 4))
    assert all(one[name].equals(again[name]) for name in one)
    assert not one["forest"].equals(other["forest"]) and one["logistic"].equals(other["logistic"])


def regression_world(contrary):
    """Two recordings. Feature 0 half tells the label. Feature 1 gives it away in both, or in b contrariwise."""
    generator, label = np.random.default_rng(0), np.tile([0, 1], 200)
    recording = np.repeat(["a", "b"], 200)
    given = np.where(contrary & (recording == "b"), 1 - label, label)
    x = np.stack([label + generator.normal(0, 0.7, 400), given + generator.normal(0, 0.05, 400)], axis=1)
    return x, label, recording


def test_l2_is_chosen_by_leaving_out_recordings():
    """Where both recordings agree, the weakest L2 has the lowest loss on the one left out; where they contradict each
    other, the surest answers cost most, and the strongest has."""
    strengths = [baselines.logistic(*regression_world(contrary))[-1].C for contrary in (False, True)]
    assert strengths == [max(baselines.L2), min(baselines.L2)]


def test_l2_where_nothing_can_be_left_out():
    """With a seizure in one recording only there is no choice: the fixed strength. With labels of one class left after
    leaving out a, b alone is left out."""
    x, label, recording = regression_world(False)
    alone = np.where(recording == "a", label, 0)
    assert baselines.logistic(x, alone, recording)[-1].C == baselines.STRONG
    only = np.where(recording == "a", label, 1)
    assert baselines.logistic(x, only, recording)[-1].C in baselines.L2


def test_forest_log_odds_by_hand():
    """All trees agree on what is plain: half a tree of 50 is taken for the truth, ±log 99; both are finite."""
    x = np.repeat([[0.0], [10.0]], 60, axis=0)
    found = baselines.forest_log_odds(x, np.repeat([0, 1], 60), np.array([[-1.0], [11.0]]), 0)
    edge = 0.5 / baselines.TREES
    assert found == pytest.approx([logit(edge), -logit(edge)])


def test_large_classes_are_drawn_from(world, monkeypatch):
    """Of 17 seizure and 38 other triptychs of the training recording, at most 20 of a class: all 17 and 20, sorted,
    others with another seed; those of other recordings never."""
    overlapping, split = world[3], folds.splits(world[0])[0]
    monkeypatch.setattr(baselines, "LARGEST_CLASS", 20)
    drawn = [baselines.training_rows(split, overlapping, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    table = overlapping.iloc[drawn[0]]
    assert table["label"].value_counts().to_dict() == {0: 20, 1: 17} and (np.diff(drawn[0]) > 0).all()
    assert set(table["recording"]) == set(split.train)
    assert np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[0], drawn[2])


def test_bad_input_is_refused(world):
    """An unknown name; training without a seizure: each said."""
    split = folds.splits(world[0])[0]
    with pytest.raises(ValueError, match="no classifier svm; there are logistic, forest"):
        train(world, split, ["svm", "forest"])
    with pytest.raises(ValueError, match="Network 0-1 trains on c, which hold no triptych labelled 1"):
        train(world, split, overlapping=world[3].assign(label=0))


def test_the_features_are_those_of_all_frames(world, monkeypatch):
    """(5 bands + line length) · 4 channels · 3 frames = 72, for training and for what is scored."""
    shapes, measure = [], features.measure

    def seen(*arguments):
        shapes.append(measure(*arguments).shape[1])
        return measure(*arguments)

    monkeypatch.setattr(baselines, "measure", seen)
    train(world, folds.splits(world[0])[0], ["logistic"])
    assert shapes == [72, 72]
