"""The whole chain with labels that no EEG can tell: it scores as chance does; a leak lifts it, and is seen.

Annotations are shifted round in time before anything is labelled (`permutations.permuted`), so that labels, training,
folds, thresholds and scores all take them for true. Whatever lets a network or a threshold know what it is tested on
then shows as an AUROC above 0.5. To show that it would, the same chain is run with leaks put in.
"""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import t
from test_permutations import mean_auroc
from test_training import SETTINGS as SMALL

from helpers.acquire.annotations import Annotations
from helpers.evaluate import decisions, intervals, scores
from helpers.preprocess import spectrograms
from helpers.train import folds, permutations, training

AXIS = {"hop_s": 0.25, "frame_s": 2.0, "frame_columns": 8}
DURATIONS = dict.fromkeys(["a", "b", "c", "d", "e", "f"], 160.0)
SEIZURES = pd.DataFrame(
    [("a", 30.0, 60.0), ("b", 90.0, 118.0), ("c", 50.0, 86.0), ("e", 110.0, 140.0), ("f", 70.0, 96.0)],
    columns=["recording", "start_s", "end_s"],
)
SEEDS = range(8)  # of permutations
# Enough to find a seizure, and enough to learn by heart what is shown: nothing is mixed in, dropped or silenced.
SETTINGS = SMALL | dict(
    epochs=6, batches_per_epoch=14, batch_size=32, learning_rate=0.01, width=6, hidden=12, dropout=0.0, gain_db=0.0,
    mixed=0.0, silent=0.0, earlier=0.5,
)  # fmt: skip


def eeg(name):
    """Return a spectrogram [4, 12, 640] in dB: falling with frequency, rising and falling slowly as sleep does, with
    rhythmic bursts that are no seizure; and in the seizure a rhythm that grows, falls in frequency and spreads."""
    generator = np.random.default_rng(list(name.encode()))
    columns = round(DURATIONS[name] / AXIS["hop_s"])
    noise = np.log(generator.exponential(size=(4, 12, columns))) * 10 / np.log(10)  # of one periodogram
    drift = np.cumsum(generator.normal(0, 0.25, (4, 12, columns)), axis=2)
    power = 20 - np.arange(12)[None, :, None] + generator.normal(0, 3, (4, 1, 1)) + noise + drift
    for first in generator.integers(0, columns - 24, 5):
        power[generator.integers(4), generator.integers(2, 10), first : first + 24] += 8
    spans = SEIZURES.loc[SEIZURES["recording"] == name, ["start_s", "end_s"]].to_numpy() / AXIS["hop_s"]
    for start, end in spans.astype(int):
        rising = np.linspace(0, 1, end - start)
        for channel, strength in enumerate((16, 14, 10, 6)):
            rows = (7 - 3 * rising).round().astype(int)
            power[channel, rows, np.arange(start, end)] += strength * np.minimum(1, 3 * rising)
            power[channel, rows + 1, np.arange(start, end)] += strength * np.minimum(1, 3 * rising)
    return power.astype(np.float16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The spectrograms on disk, as the stage preprocess leaves them."""
    path = tmp_path_factory.mktemp("spectrograms")
    for name in DURATIONS:
        np.save(path / f"{name}.npy", eeg(name))
    return path


def labelled(seizures):
    """Return the triptychs to train on and to decide on, labelled by these annotations."""
    columns = {name: round(duration_s / AXIS["hop_s"]) for name, duration_s in DURATIONS.items()}
    overlapping, samples = (spectrograms.all_triptychs(AXIS, columns, seizures, step_s) for step_s in (0.5, 2.0))
    return overlapping, samples


def honest(planned, folder, overlapping, samples):
    """Return each network's scores for what it has not seen, as the stage train does."""
    pooled = training.pool_all(folder, list(DURATIONS), folder / "pooled")
    trained = training.train_all(planned, pooled, overlapping, samples, AXIS["frame_columns"], SETTINGS)
    return [(result.split, result.log_odds) for result in trained]


def cheating(planned, folder, overlapping, samples):
    """Return scores of networks that were trained on all recordings, said to be those of networks that were not."""
    torch.set_num_threads(1)  # as in training: more only get in each other's way
    powers, size, scored = spectrograms.open_spectrogram(folder, list(DURATIONS)), AXIS["frame_columns"], []
    inputs = training.taken(powers)
    for split in folds.splits(planned):
        unseen = samples[~samples["recording"].isin(split.train)]
        made = training.prepared(inputs, list(DURATIONS), SETTINGS)
        generator = np.random.default_rng(split.without)
        training.fit(made, inputs.pooled, overlapping, unseen.iloc[:0], size, SETTINGS, generator)
        scored.append((split, pd.Series(training.predict(made, inputs.pooled, unseen, size), index=unseen.index)))
    return scored


def chain(folder, seizures, networks=honest):
    """Return decisions on all recordings, from annotations on: folds, training, out-of-fold scores, choices."""
    overlapping, samples = labelled(seizures)
    planned = folds.leave_one_recording_out(list(DURATIONS), set(seizures["recording"]), members=2)
    scored = networks(planned, folder, overlapping, samples)
    predictions, inner = training.out_of_fold(planned, scored, samples)
    return decisions.decide(predictions, inner, Annotations(seizures, DURATIONS))[0]


def within_interval(tables):
    """Return the mean over permutations of the AUROC within recordings, with its 95 % interval by Student's t."""
    found = np.array([mean_auroc(table) for table in tables])
    half = t.ppf(0.975, len(found) - 1) * found.std(ddof=1) / np.sqrt(len(found))
    return found.mean() - half, found.mean(), found.mean() + half


def together(tables):
    """Return the decisions of several permutations as one table, each recording of each a recording of its own."""
    named = [table.assign(recording=table["recording"] + f" {seed}") for seed, table in enumerate(tables)]
    return pd.concat(named, ignore_index=True)


@pytest.fixture(scope="module")
def permuted(folder):
    """The chain's decisions for each of several permutations of the annotations."""
    frames_s = 2 * AXIS["frame_s"]  # before them nothing is decided
    shifted = [permutations.permuted(SEIZURES, DURATIONS, seed, frames_s) for seed in SEEDS]
    return shifted, [chain(folder, seizures) for seizures in shifted]


@pytest.mark.slow
def test_the_chain_finds_true_seizures(folder):
    """With the annotations as they are: an AUROC far above chance, in recordings that no network had seen."""
    table = chain(folder, SEIZURES)
    assert mean_auroc(table) > 0.9
    assert intervals.ranking_intervals(table)["auroc"]["low"] > 0.6
    assert sorted(table["recording"].unique()) == list(DURATIONS)


def test_permuted_labels_score_as_chance_does(permuted):
    """The AUROC's interval covers 0.5: over permutations, within recordings, of single frames and of smoothed ones; and
    of all samples, over recordings and permutations drawn together. So does that of the balanced accuracy, which the
    choice of thresholds could lift."""
    shifted, tables = permuted
    assert all(table["label"].sum() > 50 for table in tables)
    for column in ("p_seizure", "p_smooth"):
        low, mean, high = within_interval([table.assign(p_seizure=table[column]) for table in tables])
        assert low < 0.5 < high and mean < 0.65 and high - low < 0.4, column
    table = together(tables)
    found = intervals.ranking_intervals(table)["auroc"]
    assert found["low"] < 0.5 < found["high"] < 0.65 and found["reason"] is None
    for decided in (table, table.assign(decided=table["alarm"])):
        rates = intervals.score_intervals(scores.sample_rates, scores.sample_counts(decided))
        assert rates["balanced_accuracy"]["low"] < 0.5 < rates["balanced_accuracy"]["high"] < 0.6


@pytest.mark.slow
def test_one_study_s_own_interval_covers_chance(permuted):
    """Over the six recordings of each permutation alone: 0.5 lies in it nearly always, as so few make it too narrow."""
    found = [intervals.ranking_intervals(table)["auroc"] for table in permuted[1]]
    assert np.mean([score["low"] < 0.5 < score["high"] for score in found]) > 0.7


@pytest.mark.slow
def test_a_leak_is_seen(folder, permuted):
    """Networks that trained on what they score, and are said not to have: no check sees it, but the permutations do.
    The AUROC, which should be 0.5, is nearly 1, far above what any honest permutation reaches."""
    shifted, tables = permuted
    leaked = [chain(folder, seizures, cheating) for seizures in shifted[:2]]
    assert min(map(mean_auroc, leaked)) > max(0.9, *map(mean_auroc, tables))
    assert intervals.ranking_intervals(together(leaked))["auroc"]["low"] > 0.9
    rates = intervals.score_intervals(scores.sample_rates, scores.sample_counts(together(leaked)))
    assert rates["balanced_accuracy"]["low"] > 0.7


def test_a_leak_that_is_owned_up_to_stops_the_chain(folder):
    """Networks of which each says that it trained on all recordings: nothing is reported."""

    def owned(planned, folder, overlapping, samples):
        log_odds, everything = pd.Series(0.0, index=samples.index), tuple(DURATIONS)
        return [(folds.Split(split.without, everything), log_odds) for split in folds.splits(planned)]

    with pytest.raises(AssertionError, match="fold 0: a, d is both held out and trained on"):
        chain(folder, SEIZURES, owned)
