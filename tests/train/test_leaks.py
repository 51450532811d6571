"""The whole chain with labels that no EEG can tell: it scores as chance does; a leak lifts it, and is seen.

Annotations are shifted round in time before anything is labelled (`audit.permute`), so that labels, training,
folds, thresholds and scores all take them for true. Whatever lets a network or a threshold know what it is tested on
then shows as an AUROC above 0.5. To show that it would, the same chain is run with leaks put in.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import sem, t
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from test_training import SETTINGS as SMALL

from helpers.acquire.annotations import COLUMNS, Annotations
from helpers.evaluate import decisions
from helpers.preprocess import spectrograms
from helpers.train import audit, folds, inputs, training

AXIS = {"hop_s": 0.25, "frame_s": 2.0, "frame_columns": 8}
DURATIONS = dict.fromkeys(["a", "b", "c", "d", "e", "f"], 160.0)
ROWS = [("a", 30.0, 60.0), ("b", 90.0, 118.0), ("c", 50.0, 86.0), ("e", 110.0, 140.0), ("f", 70.0, 96.0)]
ANNOTATIONS = Annotations(pd.DataFrame(ROWS, columns=COLUMNS), DURATIONS)
SEEDS = range(21)  # of permutations
# Enough to find a seizure, and enough to learn by heart what is shown: nothing is mixed in or dropped.
SETTINGS = SMALL | dict(
    epochs=6, batches_per_epoch=14, batch_size=32, learning_rate=0.01, width=6, hidden=12, dropout=0.0, gain_db=0.0,
    background_mixing=0.0, channel_dropout=0.0,
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
    for start, end in (ANNOTATIONS.spans(name) / AXIS["hop_s"]).astype(int):
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


def honest(networks, folder, overlapping, samples):
    """Return each network's log-odds for what it has not seen, as the stage train does."""
    pooled = inputs.write_inputs(folder, list(DURATIONS), folder / "pooled", AXIS["frame_columns"])
    pieces = training.by_recording(networks, overlapping, samples)
    return [(one.split, one.log_odds) for one in training.train_all(pieces, pooled, AXIS["frame_columns"], SETTINGS)]


def cheating(networks, folder, overlapping, samples):
    """Return log-odds of networks that were trained on all recordings, said to be those of networks that were not."""
    read = inputs.network_inputs(spectrograms.open_spectrogram(folder, list(DURATIONS)), AXIS["frame_columns"])
    scored = []
    for split in networks:
        unseen = samples[~samples["recording"].isin(split.train)]
        leaked = training.train_split(split, overlapping, unseen, read, AXIS["frame_columns"], SETTINGS)
        scored.append((split, leaked.log_odds))
    return scored


def chain(folder, annotations, train=honest):
    """Return decisions on all recordings, from annotations on: labels, folds, training, out-of-fold scores, choices."""
    columns = {name: round(duration_s / AXIS["hop_s"]) for name, duration_s in DURATIONS.items()}
    overlapping, samples = (spectrograms.triptychs(AXIS, columns, annotations, step_s) for step_s in (0.5, 2.0))
    planned = folds.leave_blocks_out(list(DURATIONS), set(annotations.seizures["recording"]), 4)
    scored = train(folds.splits(planned), folder, overlapping, samples)
    predictions, inner = training.out_of_fold(planned, scored, samples)
    return decisions.decide(predictions, inner, annotations)[0]


def auroc(table, column="log_odds"):
    """Return the AUROC within recordings, averaged over those with a seizure; d has none."""
    parts = table[table["recording"] != "d"].groupby("recording")
    return np.mean([roc_auc_score(part["label"], part[column]) for _, part in parts])


def interval(values):
    """Return the 95 % interval of the mean over permutations, by Student's t."""
    return t.interval(0.95, len(values) - 1, np.mean(values), sem(values))


@pytest.fixture(scope="module")
def permuted(folder):
    """The chain's decisions for each of several permutations of the annotations."""
    frames_s = 2 * AXIS["frame_s"]  # before them nothing is decided
    shifted = [audit.permute(ANNOTATIONS, seed, frames_s) for seed in SEEDS]
    return shifted, [chain(folder, annotations) for annotations in shifted]


@pytest.mark.slow
def test_the_chain_finds_true_seizures(folder):
    """With the annotations as they are: an AUROC far above chance, in recordings that no network had seen."""
    table = chain(folder, ANNOTATIONS)
    assert sorted(table["recording"].unique()) == list(DURATIONS)
    assert auroc(table) > 0.9 and roc_auc_score(table["label"], table["log_odds"]) > 0.8


def test_permuted_labels_score_as_chance_does(permuted):
    """Over permutations the AUROC's interval covers 0.5, of single frames and of smoothed ones; and the choice of
    thresholds lifts no balanced accuracy, of decisions or of alarms. That of decisions lies a little below 0.5, by a
    known bias of cross-validation: a block with more seizure than most leaves less of it to the networks that decide
    on it (Parker, Günter and Bedo, BMC Bioinformatics 2007). A leak would lift it."""
    tables = permuted[1]
    assert all(table["label"].sum() > 50 for table in tables)
    for column in ("log_odds", "log_odds_smooth"):
        found = [auroc(table, column) for table in tables]
        low, high = interval(found)
        assert low < 0.5 < high and np.mean(found) < 0.65 and high - low < 0.4, column
    for column in ("decided", "alarm"):
        low, high = interval([balanced_accuracy_score(table["label"], table[column]) for table in tables])
        assert low < 0.5 and 0.45 < high < 0.6, column


@pytest.mark.slow
def test_a_leak_is_seen(folder, permuted):
    """Networks that trained on what they score, and are said not to have: no check sees it, but the permutations do.
    The AUROC, which should be 0.5, is nearly 1, far above what any honest permutation reaches."""
    shifted, tables = permuted
    leaked = [chain(folder, annotations, cheating) for annotations in shifted[:2]]
    honest = [auroc(table) for table in tables]
    assert min(auroc(table) for table in leaked) > max(0.9, *honest)
    assert min(balanced_accuracy_score(table["label"], table["decided"]) for table in leaked) > 0.7
