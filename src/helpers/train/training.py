"""Training: networks that never see two blocks of recordings, their weights averaged over epochs, scores for both."""

import os
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from helpers.preprocess.spectrograms import EARLIER, open_spectrogram
from helpers.study import files, parallel
from helpers.train.folds import check_apart, members, splits
from helpers.train.network import POOL, SpectrogramNetwork, pool, pool_bins

STATISTICS_COLUMNS = 2048  # columns summed at a time: an hour as float64 would take a quarter of a gigabyte
QUIETEST_DB, LOUDEST_DB = -10.0, 0.0  # of other EEG mixed into a triptych
CURVE_SAMPLES = 120  # non-seizure samples of an unseen recording that its learning curve rests on, at most


@dataclass
class Trained:
    """What a network leaves: itself, its learning curves, and its log-odds for the samples that it has not seen."""

    split: object
    network: SpectrogramNetwork
    curves: pd.DataFrame
    log_odds: pd.Series


def device():
    """Return the device to compute on: ``STUDY_DEVICE`` if set, else CUDA if there is one, else the CPU."""
    wanted = os.environ.get("STUDY_DEVICE", "auto")
    return torch.device("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else torch.device(wanted)


def slices(spectrograms, table, frame_columns, pooled=1):
    """Return triptychs as an array.

    Parameters
    ----------
    spectrograms : dict of str → float [C, F, column]
        By recording, memory-mapped (only the slices are read), or `Inputs.pooled`.
    table : pandas.DataFrame
        ``recording`` and ``column`` of each triptych (see `spectrograms.triptychs`).
    frame_columns : int
        Columns of a frame (T), before pooling.
    pooled : int
        How many columns make one of `spectrograms`.

    Returns
    -------
    float32 tensor [triptych, 3, C, F, T / pooled]
    """
    size = frame_columns // pooled
    pieces = [
        spectrograms[recording][:, :, column // pooled : column // pooled + 3 * size]
        for recording, column in zip(table["recording"], table["column"], strict=True)
    ]
    stacked = torch.from_numpy(np.stack(pieces).astype(np.float32, copy=False))  # [n, C, F, 3·T]
    return stacked.unflatten(3, (3, size)).permute(0, 3, 1, 2, 4)


class Sums(NamedTuple):
    """What a spectrogram adds to the statistics of those that are trained on, a part of its columns a row."""

    columns: int
    total: np.ndarray  # float64 [part, C, F]
    squares: np.ndarray


class Inputs(NamedTuple):
    """What networks take of recordings, by name: it is the same for all of them, and made once.

    ``pooled``: float32 [C, F/2, column/2], pooled as a network does (`network.pool`), 28 MB an hour; ``sums`` and
    ``pooled_sums``: of the spectrogram, and of the pooled one.
    """

    pooled: dict
    sums: dict
    pooled_sums: dict


def taken(spectrograms):
    """Return the `Inputs` of whole recordings: a dict of str → float [C, F, column]."""
    pooled = {name: pooled_spectrogram(power) for name, power in spectrograms.items()}
    return Inputs(pooled, *({name: sums(power) for name, power in powers.items()} for powers in (spectrograms, pooled)))


def pool_all(folder, names, target):
    """Write the `Inputs` of recordings, beside each other, so that all networks map the same ones into their memory.

    Parameters
    ----------
    folder : Path
        Of the spectrograms.
    names : list of str
    target : Path
        A folder for two files a recording, some 30 MB an hour, to be read by `opened_inputs`.

    Returns
    -------
    Path
        `target`.
    """
    parallel.parallel_map(_pool_to, [(folder, name, target) for name in names], "pool", "recording")
    return target


def _pool_to(folder, name, target):
    inputs = taken(open_spectrogram(folder, [name]))
    with files.atomic_write(target / f"{name}.npy") as path:
        np.save(path, inputs.pooled[name])
    both = {"sums": inputs.sums[name], "pooled_sums": inputs.pooled_sums[name]}
    with files.atomic_write(target / f"{name}.npz") as path:
        np.savez(
            path, **{f"{kind} {field}": getattr(one, field) for kind, one in both.items() for field in one._fields}
        )


def opened_inputs(folder, names):
    """Return the `Inputs` of recordings that `pool_all` wrote; those pooled are memory-mapped."""
    found = Inputs(open_spectrogram(folder, names), {}, {})
    for name in names:
        with np.load(folder / f"{name}.npz") as file:
            for kind in ("sums", "pooled_sums"):
                getattr(found, kind)[name] = Sums(*(file[f"{kind} {field}"] for field in Sums._fields))
    return found


def check_columns(frame_columns, columns):
    """Raise ValueError if a frame, or a triptych's first column among `columns`, is no multiple of what is pooled."""
    if frame_columns % POOL or (np.asarray(columns) % POOL).any():
        raise ValueError(
            f"A frame has {frame_columns} columns; it and step_s must be a multiple of {POOL} columns, as the network "
            f"averages {POOL} of them first. Set frame_s and step_s to multiples of {POOL} hop_s."
        )


def pooled_spectrogram(power):
    """Return a whole recording pooled as the network does (`network.pool`), float32 [C, F/2, column/2]."""
    parts = []
    for first in range(0, power.shape[2], STATISTICS_COLUMNS):
        part = np.ascontiguousarray(power[:, :, first : first + STATISTICS_COLUMNS], dtype=np.float32)
        parts.append(pool(torch.from_numpy(part)).numpy())
    return np.concatenate(parts, axis=2)


def sums(power):
    """Return the `Sums` of a spectrogram [C, F, column]."""
    total, squares = [], []
    for first in range(0, power.shape[2], STATISTICS_COLUMNS):
        part = power[:, :, first : first + STATISTICS_COLUMNS].astype(np.float64)
        total.append(part.sum(axis=2))
        squares.append((part**2).sum(axis=2))
    return Sums(power.shape[2], np.stack(total), np.stack(squares))


def statistics(found):
    """Return mean and standard deviation a channel and bin, [C, F, 1], over recordings, given their `Sums`."""
    columns = sum(one.columns for one in found)
    mean, square = (np.concatenate([one[field] for one in found]).sum(axis=0) / columns for field in (1, 2))
    deviation = np.sqrt(np.maximum(square - mean**2, 1e-6))
    return tuple(torch.from_numpy(x[:, :, None].astype(np.float32)) for x in (mean, deviation))


def predict(network, pooled, table, frame_columns, batch=64):
    """Return the log-odds of seizure for each triptych of `table`, float64 [triptych].

    `pooled` is of `Inputs`: the same numbers as the network's own on the spectrograms, in less time.
    """
    where, scores = next(network.parameters()).device, []
    network.eval()
    with torch.no_grad():
        for first in range(0, len(table), batch):
            part = slices(pooled, table.iloc[first : first + batch], frame_columns, POOL).to(where)
            scores.append(network.decide(network.encode(part)).cpu().double())
    return torch.cat(scores).numpy() if scores else np.zeros(0)


def balanced_batch(table, size, generator):
    """Return `size` rows of `table`, half of them seizure, drawn with replacement."""
    half = size // 2
    rows = [
        generator.choice(np.flatnonzero(table["label"] == label), count)
        for label, count in ((1, half), (0, size - half))
    ]
    return table.iloc[np.concatenate(rows)]


def train_split(split, inputs, overlapping, samples, frame_columns, settings):
    """Train one network, and score the samples of the recordings that it has not seen.

    Parameters
    ----------
    split : folds.Split
    inputs : Inputs
    overlapping : pandas.DataFrame
        Triptychs to train on, at small steps.
    samples : pandas.DataFrame
        Triptychs to decide on, one a frame; those of recordings that are not trained on are scored.
    frame_columns : int
    settings : dict
        ``seed``, ``epochs``, ``batches_per_epoch``, ``batch_size``, ``learning_rate``, ``weight_decay``, ``width``,
        ``hidden``, ``dropout``, ``gain_db``, ``mixed``, ``silent``, ``averaged``, ``earlier``.

    Returns
    -------
    Trained

    Raises
    ------
    ValueError
        If the training recordings lack seizure or non-seizure samples, or as `check_columns` does.
    """
    generator = seeded(split, settings["seed"])
    train = overlapping[overlapping["recording"].isin(split.train)]
    unseen = samples[~samples["recording"].isin(split.train)]
    if train["label"].nunique() < 2:
        raise ValueError(
            f"Network {split.name} trains on {', '.join(split.train)}, whose {len(train)} triptychs are all labelled "
            f"{train['label'].unique().tolist()}; seizure (1) and non-seizure (0) are needed. Shorter frames "
            "(frame_s in the patient's file) leave more of them around a seizure."
        )
    check_columns(frame_columns, np.concatenate([train["column"], unseen["column"]]))
    network = prepared(inputs, split.train, settings)
    curves = fit(network, inputs.pooled, train, unseen, frame_columns, settings, generator)
    log_odds = pd.Series(predict(network, inputs.pooled, unseen, frame_columns), index=unseen.index)
    return Trained(split, network.cpu(), curves.assign(network=split.name), log_odds)


def seeded(split, seed):
    """Make what follows the same on each run, and return NumPy's generator for one network."""
    make_repeatable()
    torch.manual_seed(split.seed(seed))
    return np.random.default_rng([seed, *split.without])


def make_repeatable():
    """Have torch give the same bytes on each run of this process, however many others run beside it."""
    torch.set_num_threads(1)  # networks run beside each other; and sums over threads depend on their number
    torch.use_deterministic_algorithms(True)
    # It would also fill new memory, for kernels that read what nobody wrote: none of ours does.
    torch.utils.deterministic.fill_uninitialized_memory = False


def prepared(inputs, names, settings):
    """Return an untrained network that knows the statistics of the recordings `names`, and of no other."""
    channels, frequencies = inputs.sums[names[0]].total.shape[1:]
    network = SpectrogramNetwork(channels, frequencies, settings["width"], settings["hidden"], settings["dropout"])
    network.mean, _ = statistics([inputs.sums[name] for name in names])
    _, network.deviation = statistics([inputs.pooled_sums[name] for name in names])
    return network.to(device())


def fit(network, pooled, train, unseen, frame_columns, settings, generator):
    """Train `network` in place; it ends with the mean of the weights of the last epochs.

    How many epochs is a setting, not a choice: stopping where one held-out recording likes it best follows that
    recording's chance. Averaged weights lie in a flatter place (Izmailov et al., UAI 2018).

    Parameters
    ----------
    network : SpectrogramNetwork
    pooled : dict of str → float32 [C, F/2, column/2]
    train, unseen : pandas.DataFrame
        Triptychs to train on; and others, whose loss is only written down, a block a column.
    frame_columns, settings
        As for `train_split`.
    generator : numpy.random.Generator

    Returns
    -------
    pandas.DataFrame
        ``epoch``, ``train_loss`` (of the mixed and changed triptychs), ``recording``, ``loss`` (of an unseen recording,
        `thinned`, with the two classes weighted alike): a row an epoch and unseen recording.
    """
    rows, total, count = [], {}, 0
    groups = {name: thinned(part, CURVE_SAMPLES) for name, part in unseen.groupby("recording", sort=False)}
    for epoch, train_loss in learning(network, pooled, train, frame_columns, settings, generator):
        for name, part in groups.items():
            score = predict(network, pooled, part, frame_columns)
            rows.append((epoch, train_loss, name, balanced_loss(part["label"], score)))
        if is_averaged(epoch, settings):
            count += 1
            for name, value in network.state_dict().items():
                total[name] = total[name] + value if name in total else value.clone()
    network.load_state_dict({name: value / count for name, value in total.items()})
    network.eval()
    return pd.DataFrame(rows, columns=["epoch", "train_loss", "recording", "loss"])


def thinned(samples, most):
    """Return all seizure samples and at most `most` others, evenly spaced: scoring hours of EEG in each epoch would
    cost more than the training, and their mean loss says no more."""
    others = np.flatnonzero(samples["label"] == 0)
    kept = (samples["label"] == 1).to_numpy(copy=True)
    kept[others[np.linspace(0, len(others) - 1, min(most, len(others))).round().astype(int)]] = True
    return samples[kept]


def is_averaged(epoch, settings):
    """Say whether the weights after `epoch`, from 1, are among those averaged: the last ones, the very last always."""
    first = round(settings["epochs"] * (1 - settings["averaged"]), 6)  # 10 · (1 − 0.9) is a little below 1
    return epoch > first or epoch == settings["epochs"]


def learning(network, pooled, train, frame_columns, settings, generator):
    """Train `network` in place, and yield each epoch's number, from 1, and mean loss; arguments as for `fit`.

    The network learns to decide after each frame, the earlier ones with the weight `earlier` (target replication;
    Lipton et al., ICLR 2016): a triptych then teaches three times, and what stands before the first decision of a
    recording teaches at all. What is done between epochs, and with their weights, is the caller's.
    """
    weight = torch.tensor([settings["earlier"]] * len(EARLIER) + [1.0])
    options = {"lr": settings["learning_rate"], "weight_decay": settings["weight_decay"]}
    optimiser, where = torch.optim.AdamW(network.parameters(), **options), network.mean.device
    for epoch in range(1, settings["epochs"] + 1):
        network.train()
        losses = []
        for _ in range(settings["batches_per_epoch"]):
            triptychs, label = changed_batch(pooled, train, frame_columns, network, settings, generator)
            score = network.decide_each(network.encode(triptychs.to(where)))
            loss = binary_cross_entropy_with_logits(score, label.to(where), weight.to(where), reduction="sum") / len(
                label
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        yield epoch, float(np.mean(losses))


def changed_batch(pooled, train, frame_columns, network, settings, generator):
    """Return triptychs to learn from, half of them seizure, as they might also have been; and all frames' labels.

    Three changes, so that a handful of recordings stand for more: other EEG of the same patient runs along in a share
    of the triptychs (`mixed`), each channel's level is another (`random_levels`), and some channels say nothing
    (`silenced`), so that no decision hangs on one.
    """
    batch = balanced_batch(train, settings["batch_size"], generator)
    triptychs = slices(pooled, batch, frame_columns, POOL)
    if settings["mixed"]:
        others = np.flatnonzero(train["label"].to_numpy() == 0)
        others = train.iloc[generator.choice(others, len(batch))]
        level_db = generator.uniform(QUIETEST_DB, LOUDEST_DB, len(batch))
        level_db[generator.random(len(batch)) >= settings["mixed"]] = -np.inf
        triptychs = mixed(triptychs, slices(pooled, others, frame_columns, POOL), level_db)
    levels = random_levels(generator, len(batch), triptychs.shape[2], settings["gain_db"])
    triptychs = silenced(triptychs + levels, network.mean.cpu(), settings["silent"], generator)
    return triptychs, torch.tensor(batch[[*EARLIER, "label"]].to_numpy(), dtype=torch.float32)


def silenced(triptychs, mean, share, generator):
    """Return triptychs [triptych, 3, C, F/2, T], in each a `share` of the channels at the mean [C, F, 1]."""
    kept = torch.from_numpy(generator.random(triptychs.shape[:3:2]) >= share)[:, None, :, None, None]
    return torch.where(kept, triptychs, pool_bins(mean))


def mixed(triptychs, others, level_db):
    """Return triptychs with other EEG running along: powers add where two signals are independent.

    Parameters
    ----------
    triptychs, others : float32 tensor [triptych, 3, C, F, T], in dB
        The others from outside seizures, so that the label stays as it is.
    level_db : float [triptych]
        How much louder the other EEG is than it was; -inf leaves a triptych as it is.
    """
    nepers = np.float32(np.log(10) / 10)
    level = torch.from_numpy(np.asarray(level_db, np.float32))[:, None, None, None, None]
    return torch.logaddexp(triptychs * nepers, (others + level) * nepers) / nepers


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


def train_all(folds, folder, overlapping, samples, frame_columns, settings, networks=None):
    """Train the networks of all folds beside each other, one thread each, with a progress bar (see `parallel.parallel_map`).

    Parameters
    ----------
    folds : list of folds.Fold
    folder : Path
        What `pool_all` wrote: a worker maps it into its memory itself, as it is too large to be sent.
    overlapping, samples, frame_columns, settings
        As for `train_split`.
    networks : list of folds.Split, optional
        Those to train; by default all that the folds need.

    Returns
    -------
    list of Trained

    Raises
    ------
    ValueError
        If a setting is out of its range, or as `train_split` does.
    """
    check(settings)
    names = [name for fold in folds for name in fold.held_out]
    networks = splits(folds) if networks is None else networks
    pieces = [(split, folder, names, overlapping, samples, frame_columns, settings) for split in networks]
    return parallel.parallel_map(_train_from, pieces, "networks", "network")


def _train_from(split, folder, names, *arguments):
    return train_split(split, opened_inputs(folder, names), *arguments)


def check(settings):
    """Raise ValueError if a share among the settings (see `train_split`) is outside 0–1, or a number too small."""
    for name in ("dropout", "mixed", "silent", "averaged"):
        if not 0 <= settings[name] <= 1:
            raise ValueError(f"{name} is {settings[name]:g}; it is a share, from 0 to 1. Correct params/train.yaml.")
    for name, least in (("epochs", 1), ("batches_per_epoch", 1), ("batch_size", 2), ("earlier", 0)):
        if settings[name] < least:
            raise ValueError(f"{name} is {settings[name]:g}; it must be at least {least}. Correct params/train.yaml.")


def out_of_fold(folds, scored, samples):
    """Put together what each fold decides on, and what it may choose by.

    Parameters
    ----------
    folds : list of folds.Fold
    scored : list of (folds.Split, pandas.Series)
        Log-odds by the index of `samples`, of each network for all that it has not seen.
    samples : pandas.DataFrame
        ``recording`` and more.

    Returns
    -------
    predictions : pandas.DataFrame
        `samples` with ``fold`` and ``log_odds``: the mean of the fold's members.
    inner : pandas.DataFrame
        Rows of `samples` with ``fold``, ``network`` and ``log_odds``: for each fold and member, its inner block.

    Raises
    ------
    AssertionError
        If a network was trained on a recording that it scores: nothing of it may be reported.
    """
    log_odds, predictions, inner = {split.without: values for split, values in scored}, [], []
    for fold in folds:
        held_out, mine = samples[samples["recording"].isin(fold.held_out)], []
        for other, split in members(fold, [split for split, _ in scored]):
            check_apart(fold, folds[other], split)
            values = log_odds[split.without]
            block = samples[samples["recording"].isin(folds[other].held_out)]
            mine.append(values.loc[held_out.index].to_numpy())
            block = block.assign(fold=fold.number, network=split.name, log_odds=values.loc[block.index])
            inner.append(block)
        predictions.append(held_out.assign(fold=fold.number, log_odds=np.mean(mine, axis=0)))
    return pd.concat(predictions).loc[samples.index], pd.concat(inner, ignore_index=True)
