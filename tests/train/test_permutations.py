"""Permuted labels: what they keep, what they break, and that they tell a leak from none."""

import numpy as np
import pandas as pd
import pytest

from helpers.acquire.annotations import COLUMNS
from helpers.evaluate import scores
from helpers.preprocess import spectrograms
from helpers.study.errors import RecordingError
from helpers.train import permutations

SEIZURES = pd.DataFrame([("a", 100.0, 130.0), ("a", 200.0, 220.0), ("b", 4.0, 20.0)], columns=COLUMNS)
DURATIONS = {"a": 240.0, "b": 400.0, "c": 400.0}


def world(recordings, samples=58, skill=1.5):
    """Predictions: some 15 % seizure, log-odds `skill` higher in them, each recording with its own level."""
    generator = np.random.default_rng(0)
    label = (generator.random((recordings, samples)) < 0.15).astype(int)
    z = generator.normal(-1, 1, label.shape) + skill * label + generator.normal(0, 0.7, (recordings, 1))
    names = np.repeat([f"r{number:02d}" for number in range(recordings)], samples)
    return pd.DataFrame({"recording": names, "label": label.ravel(), "p_seizure": 1 / (1 + np.exp(-z.ravel()))})


def mean_auroc(table):
    """Return the mean over recordings of the AUROC within each, which a recording's own level does not change."""
    found = [scores.auroc(part["label"], part["p_seizure"]) for _, part in table.groupby("recording")]
    return np.mean([value for value in found if value is not None])


def timed(table):
    """Add the frames' ends."""
    return table.assign(end_s=table.groupby("recording").cumcount() * 4.0 + 12)


def test_seconds_of_seizure_are_kept():
    """a keeps 50 s, b the 12 s after the first 8, c none; all from 8 s on, none overlapping, also where one wraps."""
    pieces = 0
    for seed in range(40):
        found = permutations.permuted(SEIZURES, DURATIONS, seed, first_s=8.0)
        lasting = (found["end_s"] - found["start_s"]).groupby(found["recording"]).sum()
        assert lasting.to_dict() == pytest.approx({"a": 50, "b": 12})
        assert (found["start_s"] >= 8).all() and (found["end_s"] <= found["recording"].map(DURATIONS)).all()
        spans = found[found["recording"] == "a"]
        assert (spans["start_s"].to_numpy()[1:] >= spans["end_s"].to_numpy()[:-1]).all()
        pieces += len(found) > 3
    assert pieces > 0
    assert permutations.permuted(SEIZURES, DURATIONS, 1).equals(permutations.permuted(SEIZURES, DURATIONS, 1))
    assert not permutations.permuted(SEIZURES, DURATIONS, 1).equals(permutations.permuted(SEIZURES, DURATIONS, 2))


def test_distances_are_kept():
    """Cut off before 8 s, a seizure starts there: 92 s before one at 100 s, round the circle of 232 s."""
    seizures = pd.DataFrame([("a", 4.0, 20.0), ("a", 100.0, 105.0)], columns=COLUMNS)
    for seed in range(20):
        found = permutations.permuted(seizures, {"a": 240.0}, seed, first_s=8.0)
        if len(found) == 2:
            lasting = dict(zip((found["end_s"] - found["start_s"]).round(6), found["start_s"], strict=True))
            assert (lasting[5.0] - lasting[12.0]) % 232 == pytest.approx(92)


def test_every_second_is_as_likely():
    """Over 600 shifts each frame of a recording is seizure as often as any other: 20 % of 200 s, whatever is there."""
    seizures, shares = SEIZURES.iloc[:1].assign(start_s=100.0, end_s=140.0), np.zeros(50)
    for seed in range(600):
        found = permutations.permuted(seizures, {"a": 200.0}, seed)
        spans = found[["start_s", "end_s"]].to_numpy()
        shares += spectrograms.frames(1600, 32, 0.125, spans, 32)["label"].to_numpy()
    assert shares / 600 == pytest.approx(np.full(50, 0.2), abs=0.08)


def test_both_tables_of_samples_are_labelled_alike():
    """Shifted before labelling, the training triptychs' labels and the decisions' agree where they are the same."""
    axis = {"hop_s": 0.125, "frame_columns": 32, "frame_s": 4.0}
    columns = {name: round(8 * duration_s) for name, duration_s in DURATIONS.items()}
    found = permutations.permuted(SEIZURES, DURATIONS, 3, first_s=8.0)
    small, large = (spectrograms.all_triptychs(axis, columns, found, step_s) for step_s in (0.5, 4.0))
    both = large.merge(small, on=["recording", "column"])
    assert len(both) == len(large) and (both["label_x"] == both["label_y"]).all() and large["label"].sum() >= 12


def test_labels_are_shifted_within_recordings():
    """The same labels round the same circle, in runs: sums and numbers of changes stay; other columns, too."""
    table = timed(world(4, 30)).sample(frac=1, random_state=0)
    found = permutations.permuted_labels(table, 5)
    pd.testing.assert_frame_equal(found.drop(columns="label"), table.drop(columns="label"))
    changed = 0
    for name, part in found.sort_values("end_s").groupby("recording"):
        old = table[table["recording"] == name].sort_values("end_s")["label"].to_numpy()
        assert any((part["label"].to_numpy() == np.roll(old, shift)).all() for shift in range(30))
        changed += (part["label"].to_numpy() != old).any()
    assert changed >= 3


@pytest.mark.slow
def test_a_good_detector_falls_to_chance():
    """AUROC far above 0.5 with the labels as they are; 0.5 on average with labels shifted."""
    table = timed(world(7, skill=2.5))
    chance = [mean_auroc(permutations.permuted_labels(table, seed)) for seed in range(100)]
    assert mean_auroc(table) > 0.9 and np.mean(chance) == pytest.approx(0.5, abs=0.02)


def test_a_leak_is_seen():
    """A detector that remembers each frame's label in training, wherever it is tested, is above chance on shifted
    labels; one that was fitted on other recordings is not."""
    leaked, honest = [], []
    for seed in range(30):
        table = permutations.permuted_labels(timed(world(6, 40)), seed)
        noise = np.random.default_rng(seed).normal(0, 1, len(table))
        mean = table.groupby("end_s")["label"].transform("sum") - table["label"]  # the label at that time elsewhere
        honest.append(mean_auroc(table.assign(p_seizure=1 / (1 + np.exp(-mean - noise)))))
        leaked.append(mean_auroc(table.assign(p_seizure=1 / (1 + np.exp(-table["label"] - noise)))))
    assert np.mean(leaked) > 0.7 and np.mean(honest) == pytest.approx(0.5, abs=0.05)


def test_bad_input_is_refused():
    """A seizure in no recording, or a recording with no frame to decide."""
    with pytest.raises(RecordingError, match="b, whose duration"):
        permutations.permuted(SEIZURES, {"a": 240.0}, 0)
    with pytest.raises(RecordingError, match="c lasts 8 s"):
        permutations.permuted(SEIZURES, {**DURATIONS, "c": 8.0}, 0, first_s=8.0)
