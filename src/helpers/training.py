"""Training a fold: batches as slices of memory-mapped spectrograms, early stopping and threshold on the inner one."""

import os
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from helpers import workers
from helpers.network import SpectrogramNetwork
from helpers.spectrograms import opened

STATISTICS_COLUMNS = 2048  # columns summed at a time: an hour as float64 would take a quarter of a gigabyte


@dataclass
class Trained:
    """What a fold leaves: its network, learning curves, threshold and predictions on the held-out recordings."""

    fold: int
    network: SpectrogramNetwork
    curves: pd.DataFrame
    threshold: float
    predictions: pd.DataFrame


def device():
    """Return the device to compute on: ``STUDY_DEVICE`` if set, else CUDA if there is one, else the CPU."""
    wanted = os.environ.get("STUDY_DEVICE", "auto")
    return torch.device("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else torch.device(wanted)


def slices(spectrograms, table, frame_columns):
    """Return triptychs as an array.

    Parameters
    ----------
    spectrograms : dict of str → float16 [C, F, column]
        By recording, memory-mapped: only the slices are read.
    table : pandas.DataFrame
        ``recording`` and ``column`` of each triptych (see `spectrograms.triptychs`).
    frame_columns : int
        Columns of a frame (T).

    Returns
    -------
    float32 tensor [triptych, 3, C, F, T]
    """
    pieces = [
        spectrograms[recording][:, :, column : column + 3 * frame_columns]
        for recording, column in zip(table["recording"], table["column"], strict=True)
    ]
    stacked = torch.from_numpy(np.stack(pieces).astype(np.float32))  # [n, C, F, 3·T]
    return stacked.unflatten(3, (3, frame_columns)).permute(0, 3, 1, 2, 4)


def statistics(spectrograms, recordings):
    """Return mean and standard deviation a channel and bin, [C, F, 1], over the `recordings` and no other."""
    total = squares = columns = 0
    for name in recordings:
        for first in range(0, spectrograms[name].shape[2], STATISTICS_COLUMNS):
            power = spectrograms[name][:, :, first : first + STATISTICS_COLUMNS].astype(np.float64)
            total, squares = total + power.sum(axis=2), squares + (power**2).sum(axis=2)
            columns += power.shape[2]
    mean = total / columns
    deviation = np.sqrt(np.maximum(squares / columns - mean**2, 1e-6))
    return tuple(torch.from_numpy(x[:, :, None].astype(np.float32)) for x in (mean, deviation))


def predict(network, spectrograms, table, frame_columns, batch=64):
    """Return the log-odds of seizure for each triptych of `table`, float64 [triptych]."""
    where, scores = next(network.parameters()).device, []
    network.eval()
    with torch.no_grad():
        for first in range(0, len(table), batch):
            part = slices(spectrograms, table.iloc[first : first + batch], frame_columns)
            scores.append(network(part.to(where)).cpu().double())
    return torch.cat(scores).numpy()


def best_threshold(label, p_seizure):
    """Return the threshold with the highest F1 on the inner recording.

    Between two neighbouring probabilities all thresholds decide alike: the middle of the widest such gap among the
    best is taken, the farthest from any sample.

    Parameters
    ----------
    label : int [n]
    p_seizure : float [n]

    Raises
    ------
    ValueError
        If there is no seizure sample: F1 is then 0 or undefined at every threshold.
    """
    label, p_seizure = np.asarray(label), np.asarray(p_seizure)
    if label.sum() == 0:
        raise ValueError("The inner recording has no seizure sample, so no threshold can be chosen on it.")
    edges = np.unique(np.concatenate([[0.0], p_seizure, [1.0]]))
    middles = (edges[:-1] + edges[1:]) / 2
    decided = p_seizure[None] >= middles[:, None]
    hits = (decided & (label == 1)).sum(axis=1)
    f1 = 2 * hits / (decided.sum(axis=1) + label.sum())
    best = np.flatnonzero(f1 == f1.max())
    return float(middles[best[np.argmax(np.diff(edges)[best])]])


def balanced_batch(table, size, generator):
    """Return `size` rows of `table`, half of them seizure, drawn with replacement."""
    half = size // 2
    rows = [
        generator.choice(np.flatnonzero(table["label"] == label), count)
        for label, count in ((1, half), (0, size - half))
    ]
    return table.iloc[np.concatenate(rows)]


def train_fold(fold, spectrograms, overlapping, samples, frame_columns, settings):
    """Train one fold and predict its held-out recordings.

    Parameters
    ----------
    fold : folds.Fold
    spectrograms : dict of str → float16 [C, F, column]
    overlapping : pandas.DataFrame
        Triptychs to train on, at small steps.
    samples : pandas.DataFrame
        Triptychs to decide on, one a frame: those of the inner recording choose epoch and threshold, those of the
        held-out recordings are predicted.
    frame_columns : int
    settings : dict
        ``seed``, ``epochs``, ``batches_per_epoch``, ``batch_size``, ``learning_rate``, ``weight_decay``, ``width``,
        ``hidden``, ``dropout``, ``gain_db``.

    Returns
    -------
    Trained

    Raises
    ------
    ValueError
        If the training recordings lack seizure or non-seizure samples.
    """
    torch.set_num_threads(1)  # folds run beside each other; and one thread gives the same bytes on any machine
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(settings["seed"] + fold.number)
    generator = np.random.default_rng([settings["seed"], fold.number])
    train = overlapping[overlapping["recording"].isin(fold.train)]
    inner = samples[samples["recording"] == fold.inner]
    if train["label"].nunique() < 2:
        raise ValueError(
            f"Fold {fold.number} trains on {', '.join(fold.train)}, whose {len(train)} triptychs are all labelled "
            f"{train['label'].unique().tolist()}; seizure (1) and non-seizure (0) are needed. Shorter frames "
            "(frame_s in the patient's file) leave more of them around a seizure."
        )
    channels, frequencies = spectrograms[fold.train[0]].shape[:2]
    network = SpectrogramNetwork(channels, frequencies, settings["width"], settings["hidden"], settings["dropout"])
    network.mean, network.deviation = statistics(spectrograms, fold.train)
    network.to(device())
    curves = fit(network, spectrograms, train, inner, frame_columns, settings, generator)
    threshold = best_threshold(inner["label"], sigmoid(predict(network, spectrograms, inner, frame_columns)))
    held_out = samples[samples["recording"].isin(fold.held_out)]
    p_seizure = sigmoid(predict(network, spectrograms, held_out, frame_columns))
    predictions = held_out.assign(fold=fold.number, p_seizure=p_seizure, threshold=threshold)
    return Trained(fold.number, network.cpu(), curves.assign(fold=fold.number), threshold, predictions)


def fit(network, spectrograms, train, inner, frame_columns, settings, generator):
    """Train `network` in place and leave it at the epoch with the lowest loss on the inner recording.

    Returns
    -------
    pandas.DataFrame
        ``epoch``, ``train_loss``, ``inner_loss`` (both with the two classes weighted alike) and ``kept``.
    """
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=settings["learning_rate"], weight_decay=settings["weight_decay"]
    )
    where, rows, best = next(network.parameters()).device, [], None
    for epoch in range(settings["epochs"]):
        network.train()
        losses = []
        for _ in range(settings["batches_per_epoch"]):
            batch = balanced_batch(train, settings["batch_size"], generator)
            triptychs = slices(spectrograms, batch, frame_columns).to(where)
            label = torch.tensor(batch["label"].to_numpy(), dtype=torch.float32, device=where)
            levels = random_levels(generator, len(batch), triptychs.shape[2], settings["gain_db"]).to(where)
            loss = binary_cross_entropy_with_logits(network(triptychs + levels), label)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        inner_loss = balanced_loss(inner["label"], predict(network, spectrograms, inner, frame_columns))
        rows.append((epoch + 1, float(np.mean(losses)), inner_loss))
        if inner_loss <= min(row[2] for row in rows):
            best = (epoch + 1, {name: value.clone() for name, value in network.state_dict().items()})
    network.load_state_dict(best[1])
    curves = pd.DataFrame(rows, columns=["epoch", "train_loss", "inner_loss"])
    return curves.assign(kept=(curves["epoch"] == best[0]).astype(int))


def random_levels(generator, count, channels, gain_db):
    """Return random changes of level in dB, one a triptych and channel, the same over time: [count, 1, C, 1, 1].

    Electrodes sit better or worse from day to day: a channel's level, and that of all channels together, say less of
    a seizure than a change within the triptych does.
    """
    own, common = generator.normal(0, gain_db, (count, channels)), generator.normal(0, gain_db / 2, (count, 1))
    return torch.from_numpy((own + common).astype(np.float32))[:, None, :, None, None]


def balanced_loss(label, log_odds):
    """Return the cross-entropy with both classes weighted alike; with one class only, that class's."""
    label = np.asarray(label)
    loss = np.logaddexp(0, np.where(label == 1, -log_odds, log_odds))
    return float(np.mean([loss[label == value].mean() for value in np.unique(label)]))


def sigmoid(log_odds):
    """Return probabilities for log-odds, without overflow."""
    return 0.5 * (1 + np.tanh(np.asarray(log_odds) / 2))


def train_all(folds, folder, *arguments):
    """Train the folds beside each other, one thread each, with a progress bar (see `workers.mapped`).

    Parameters
    ----------
    folds : list of folds.Fold
    folder : Path
        Of the spectrograms: a worker maps them into its memory itself, as they are too large to be sent.
    arguments
        The further ones of `train_fold`.

    Returns
    -------
    list of Trained
    """
    return workers.mapped(_train_from, [(fold, folder, *arguments) for fold in folds], "folds", "fold")


def _train_from(fold, folder, *arguments):
    return train_fold(fold, opened(folder, [*fold.train, fold.inner, *fold.held_out]), *arguments)
