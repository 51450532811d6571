"""Simple baselines: features by hand; they learn what is plain, see nothing unseen, and give the same bytes again."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit
from sklearn.metrics import roc_auc_score

from helpers.acquire.annotations import COLUMNS, Annotations
from helpers.preprocess import filterbank, spectrograms
from helpers.train import baselines, folds, training

# frames of 1 s of 8 columns, 9 bins of which each band has one at least
AXIS = {
    "hop_s": 0.125, "frame_s": 1.0, "frame_columns": 8,
    "frequencies_hz": [2.0, 5.0, 9.0, 12.0, 15.0, 20.0, 35.0, 40.0, 50.0],
    "cell_columns": 4, "channels": list("ABCD"),
}  # fmt: skip
NAMES = list("abcd")
SEIZURES = pd.DataFrame([(name, 12.0, 20.0) for name in "abc"], columns=COLUMNS)


def arrays(seed=5):
    """Four recordings of 30 s, 4 channels; in a, b and c a seizure at 12–20 s: a rhythm in two channels, which are also
    of longer line, and correlated, and some kernels exceed their thresholds more often."""
    generator, found = np.random.default_rng(seed), {kind: {} for kind in filterbank.ARRAYS}
    upper = np.triu_indices(4)
    for name in NAMES:
        power = generator.normal(0, 4, (4, 9, 240)).astype(np.float16)
        features = np.concatenate([generator.normal(0, 2, (60, 20)), generator.uniform(200, 360, (60, 4))], axis=1)
        signal = generator.normal(0, 20, (60, 4, 32))
        rocket = generator.integers(4, 12, (60, 6), dtype=np.uint8)
        if name != "d":
            features[24:40, [4, 5]] += 9
            features[24:40, [20, 21]] *= 2
            signal[24:40, :2] += generator.normal(0, 20, (16, 1, 32))
            rocket[24:40, :3] += 8
        covariance = (signal @ signal.swapaxes(1, 2) / 32).astype(np.float32)[:, *upper]
        for kind, values in zip(filterbank.ARRAYS, (power, np.float32(features), covariance, rocket), strict=True):
            found[kind][name] = values
    return found


@pytest.fixture
def world(monkeypatch):
    """Three folds, three networks, each trained on one recording with a seizure; and few trees."""
    monkeypatch.setattr(baselines, "TREES", 25)
    columns, annotations = dict.fromkeys(NAMES, 240), Annotations(SEIZURES, dict.fromkeys(NAMES, 30.0))
    overlapping, samples = (spectrograms.triptychs(AXIS, columns, annotations, step_s) for step_s in (0.5, 1.0))
    return folds.leave_blocks_out(NAMES, set("abc"), 3), arrays(), overlapping, samples


def train(world, split, names=baselines.CLASSIFIERS, seed=0, **changed):
    """Train one split's classifiers, with some of the world's parts changed."""
    parts = dict(zip(("arrays", "overlapping", "samples"), world[1:], strict=True)) | changed
    return baselines.train_split(split, *parts.values(), AXIS, seed, names)


def test_features_by_hand():
    """Cells of 4 columns of 1/8 s, frames of two. Cell j has j dB in the one band of channel A, 10 + j in that of B;
    line lengths are 50 + j µV, and 0. The triptych from column 4 on has the cells 1 to 6: t0 has 1.5 dB and 11.5, t2 4
    more. Its line length is 103, 107, 111 µV/s; that of the flat channel is 0 dB."""
    cell = np.arange(8, dtype=np.float32)[:, None]
    cells = np.concatenate([cell, 10 + cell, 50 + cell, 0 * cell], axis=1)
    axis = {"frame_columns": 8, "cell_columns": 4, "hop_s": 0.125, "channels": ["A", "B"]}
    table = pd.DataFrame({"recording": ["a"], "column": [4]})
    found = baselines.features({"features": {"a": cells}}, table, axis)
    assert found.shape == (1, 3 * 2 * 2) and found.dtype == np.float32
    frames = found.reshape(3, 2, 2)
    assert frames[:, 0].tolist() == [[1.5, 11.5], [3.5, 13.5], [5.5, 15.5]] and (frames[:, 1, 1] == 0).all()
    assert frames[:, 1, 0] == pytest.approx(20 * np.log10([103, 107, 111]))


def test_covariances_and_counts_of_frames_by_hand():
    """Cells of 4 columns, frames of two cells. Cell j has j + 1 times the covariance [[2, 1], [1, 2]]: a triptych from
    column 5 on has the cells 1 to 6, means 2.5, 4.5 and 6.5 times it. Its eigenvalues, 3 and 1 with (1, 1) and (1, -1),
    are drawn by 1 % to their mean, 2, and 0.001 are added. Counts are averaged. A flat line has a logarithm."""
    cells = (1 + np.arange(8, dtype=np.float32))[:, None] * np.float32([2, 1, 2])
    axis, table = (
        {"frame_columns": 8, "cell_columns": 4, "channels": ["A", "B"]},
        pd.DataFrame({"recording": ["a"], "column": [5]}),
    )
    found = baselines.log_covariances({"covariance": {"a": cells}}, table, axis)
    for factor, (first, both, second) in zip((2.5, 4.5, 6.5), found.reshape(3, 3), strict=True):
        large, small = np.log(factor * 2.99 + 0.001), np.log(factor * 1.01 + 0.001)
        assert first == second == pytest.approx((large + small) / 2) and both == pytest.approx((large - small) / 2)
    assert np.isfinite(baselines.log_covariances({"covariance": {"a": 0 * cells}}, table, axis)).all()
    counts = np.arange(40, dtype=np.uint8).reshape(8, 5)
    found = baselines.exceedances({"rocket": {"a": counts}}, table, axis).reshape(3, 5)
    assert found[:, 0].tolist() == [7.5, 17.5, 27.5] and (np.diff(found, axis=1) == 1).all()


def test_features_see_their_frames_only():
    """The triptych at column 4 has the cells 1 to 6. Other values in cells 0 or 7 change nothing; in the first or the
    last of its own, they do. Rows of two recordings in any order: each is what it is alone."""
    plain, one = arrays(), pd.DataFrame({"recording": ["a"], "column": [4]})
    measures = {
        "features": baselines.features,
        "covariance": baselines.log_covariances,
        "rocket": baselines.exceedances,
    }
    for kind, measure in measures.items():
        for cell in (0, 1, 6, 7):
            changed = arrays()
            changed[kind]["a"][cell] = 99
            same = np.array_equal(measure(plain, one, AXIS), measure(changed, one, AXIS))
            assert same == (cell in (0, 7))
    table = pd.DataFrame({"recording": list("babba"), "column": [16, 0, 7, 3, 16]})
    whole = [measure(plain, table, AXIS) for measure in measures.values()]
    for found, measure in zip(whole, measures.values(), strict=True):
        assert np.array_equal(found, [measure(plain, table.iloc[[row]], AXIS)[0] for row in range(5)])


@pytest.mark.slow
def test_they_go_the_network_s_way(world, tmp_path):
    """From `train_all` through `out_of_fold`, as the network: what is plain is found in recordings never seen, and each
    sample is decided once."""
    planned, found, overlapping, samples = world
    for kind, values in found.items():
        (tmp_path / kind).mkdir()
        for name, value in values.items():
            np.save(tmp_path / kind / f"{name}.npy", value)
    scored = baselines.train_all(folds.splits(planned), tmp_path, overlapping, samples, AXIS, 0)
    assert list(scored) == list(baselines.CLASSIFIERS)
    for pairs in scored.values():
        assert [split for split, _ in pairs] == folds.splits(planned)
        predictions, _ = training.out_of_fold(planned, pairs, samples)
        assert roc_auc_score(predictions["label"], predictions["log_odds"]) > 0.98 and len(predictions) == len(samples)


@pytest.mark.parametrize("name", baselines.CLASSIFIERS)
def test_nothing_unseen_is_looked_at(world, name):
    """All recordings but those trained on are scored. Labels of both unseen blocks turned: no score changes, bit by
    bit. Their EEG changed: only the scores of that recording do. A training recording's labels turned: all do."""
    split, samples = folds.splits(world[0])[0], world[3]
    one = train(world, split, [name])[name]
    assert one.index.equals(samples.index[~samples["recording"].isin(split.train)]) and np.isfinite(one).all()

    def turned(table, seen):
        mine = table["recording"].isin(split.train) == seen
        return table.assign(label=np.where(mine, 1 - table["label"], table["label"]))

    lies = {"overlapping": turned(world[2], seen=False), "samples": turned(samples, seen=False)}
    assert one.equals(train(world, split, [name], **lies)[name])
    changed = {kind: values | {"a": values["a"] * 2 + 7} for kind, values in world[1].items()}
    other, rows = train(world, split, [name], arrays=changed)[name], samples.loc[one.index, "recording"] == "a"
    assert "a" not in split.train and one[~rows].equals(other[~rows]) and not one[rows].equals(other[rows])
    assert not one.equals(train(world, split, [name], overlapping=turned(world[2], seen=True))[name])


def test_the_same_bytes_again(world):
    """The same seed gives the same forest; another seed another one, but the same regressions, which draw nothing."""
    split = folds.splits(world[0])[1]
    one, again, other = (train(world, split, seed=seed) for seed in (3, 3, 4))
    assert all(one[name].equals(again[name]) for name in one)
    assert [name for name in one if not one[name].equals(other[name])] == ["forest"]


def regression_world(contrary):
    """Two recordings. Feature 0 half tells the label. Feature 1 gives it away in both, or in b contrariwise."""
    generator, label = np.random.default_rng(0), np.tile([0, 1], 200)
    recording = np.repeat(["a", "b"], 200)
    given = np.where(contrary & (recording == "b"), 1 - label, label)
    x = np.stack([label + generator.normal(0, 0.7, 400), given + generator.normal(0, 0.05, 400)], axis=1)
    return x, label, recording


def test_l2_is_chosen_by_leaving_out_recordings():
    """Where both recordings agree, the weakest L2 has the lowest loss on the one left out; where they contradict each
    other, the surest answers cost most, and the strongest has. With a seizure in one recording only there is no choice:
    the fixed strength. With labels of one class left after leaving out a, b alone is left out."""
    strengths = [baselines.fit_logistic(*regression_world(contrary))[-1].C for contrary in (False, True)]
    assert strengths == [max(baselines.L2), min(baselines.L2)]
    x, label, recording = regression_world(False)
    assert baselines.fit_logistic(x, np.where(recording == "a", label, 0), recording)[-1].C == baselines.STRONG
    assert baselines.fit_logistic(x, np.where(recording == "a", label, 1), recording)[-1].C in baselines.L2


def test_forest_log_odds_by_hand():
    """All trees agree on what is plain: half a tree is taken for the truth, so that both are finite."""
    x = np.repeat([[0.0], [10.0]], 60, axis=0)
    found = baselines.forest_log_odds(x, np.repeat([0, 1], 60), np.array([[-1.0], [11.0]]), 0)
    assert found == pytest.approx([logit(0.5 / baselines.TREES), -logit(0.5 / baselines.TREES)])


def test_large_classes_are_drawn_from(world, monkeypatch):
    """Of 17 seizure and 93 other triptychs of the training recordings, at most 20 of a class: all 17 and 20, in order,
    others with another seed; those of other recordings never. Without a seizure, training ends."""
    split = folds.splits(world[0])[0]
    triptychs = training.training_triptychs(split, world[2])
    monkeypatch.setattr(baselines, "LARGEST_CLASS", 20)
    one, again, other = (baselines.draw_triptychs(triptychs, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert one["label"].value_counts().to_dict() == {0: 20, 1: 17} and one.index.is_monotonic_increasing
    assert set(one["recording"]) == set(split.train) and one.equals(again) and not one.equals(other)
    with pytest.raises(ValueError, match=r"Network 0-1a trains on c, d, .*\[0\]"):
        train(world, split, overlapping=world[2].assign(label=0))
