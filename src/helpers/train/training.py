"""Training: networks that never see two blocks of recordings, their weights averaged over epochs, scores for both."""

import os
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from helpers.preprocess.spectrograms import EARLIER
from helpers.study import parallel
from helpers.train.folds import Split, check_apart, members
from helpers.train.inputs import check_columns, read_inputs, slices, statistics
from helpers.train.network import SpectrogramNetwork, pool_bins, pooled_columns

BACKGROUND_DB = (-10.0, 0.0)  # level of other EEG mixed into a triptych
OTHERS = 2  # non-seizure samples for each seizure sample, among those that a network's history has


@dataclass
class TrainedNetwork:
    """A network, its log-odds for the samples that it has not seen, and, if it was followed, its `history`."""

    split: Split
    network: SpectrogramNetwork
    log_odds: pd.Series
    history: pd.DataFrame


def training_triptychs(split, overlapping):
    """Return the rows of `overlapping` to train on; raise ValueError if they lack seizure, or are nothing else."""
    train = overlapping[overlapping["recording"].isin(split.train)]
    if train["label"].nunique() < 2:
        raise ValueError(
            f"Network {split.name} trains on {', '.join(split.train)}, whose {len(train)} triptychs are all labelled "
            f"{train['label'].unique().tolist()}; seizure (1) and non-seizure (0) are needed. Shorter frames "
            "(frame_s in the patient's file) leave more of them around a seizure."
        )
    return train


def by_recording(networks, overlapping, samples):
    """Yield for each Split what `train_all` needs: it, its triptychs to train on, and the samples it has not seen."""
    for split in networks:
        yield split, training_triptychs(split, overlapping), samples[~samples["recording"].isin(split.train)]


def train_all(pieces, folder, frame_columns, settings, followed=()):
    """Train networks beside each other, one thread each; return a list of `TrainedNetwork`.

    Parameters
    ----------
    pieces : iterable of tuple
        As from `by_recording`: a Split, the triptychs to train on, at small steps, and the samples to decide on.
    folder : Path
        Where `inputs.write_inputs` wrote.
    settings : dict
        The parameters of ``params/train.yaml`` from ``seed`` to ``weight_averaging``, without ``step_s``.
    followed : collection of str
        Names of the networks whose history is kept (see `fit`).
    """
    pieces = [(*piece, folder, frame_columns, settings, piece[0].name in followed) for piece in pieces]
    return parallel.parallel_map(_train_from, pieces, "networks", "network")


def _train_from(split, train, unseen, folder, *arguments):
    names = sorted({*train["recording"], *unseen["recording"]})
    return train_split(split, train, unseen, read_inputs(folder, names), *arguments)


def train_split(split, train, unseen, inputs, frame_columns, settings, followed=False):
    """Train one network on the triptychs `train`, and score those of `unseen`; return a `TrainedNetwork`."""
    make_repeatable()
    torch.manual_seed(split.torch_seed(settings["seed"]))
    generator = np.random.default_rng(split.seed(settings["seed"]))
    check_columns(frame_columns, np.concatenate([train["column"], unseen["column"]]))
    network = untrained_network(inputs, sorted(set(train["recording"])), settings)
    watched = few_others(unseen) if followed else unseen[:0]
    history = fit(network, inputs.pooled, train, watched, frame_columns, settings, generator)
    log_odds = pd.Series(predict(network, inputs.pooled, unseen, frame_columns), index=unseen.index)
    return TrainedNetwork(split, network.cpu(), log_odds, history.assign(network=split.name))


def make_repeatable():
    """Have torch give the same bytes on each run of this process, however many others run beside it."""
    torch.set_num_threads(1)  # networks run beside each other; and sums over threads depend on their number
    if device().type != "cpu":  # whose kernels are deterministic on one thread; the call imports for seconds
        torch.use_deterministic_algorithms(True)
        # It would also fill new memory, for kernels that read what nobody wrote: none of ours does.
        torch.utils.deterministic.fill_uninitialized_memory = False


def device():
    """Return the device to compute on: ``STUDY_DEVICE`` if set, else CUDA if there is one, else the CPU."""
    wanted = os.environ.get("STUDY_DEVICE", "auto")
    return torch.device("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else torch.device(wanted)


def untrained_network(inputs, names, settings):
    """Return an untrained network that knows the statistics of the recordings `names`, and of no other."""
    _, channels, frequencies = inputs.sums[names[0]].shape
    network = SpectrogramNetwork(channels, frequencies, settings["width"], settings["hidden"], settings["dropout"])
    network.mean, _ = statistics([inputs.sums[name] for name in names])
    _, network.deviation = statistics([inputs.pooled_sums[name] for name in names])
    return network.to(device())


def fit(network, pooled, train, watched, frame_columns, settings, generator):
    """Train `network` in place, average the weights of its last epochs, and return its history.

    How many epochs is a setting, not a choice: stopping where one held-out recording likes it best follows that
    recording's chance. Averaged weights lie in a flatter place (Izmailov et al., UAI 2018).

    The history has a row an epoch and `watched` sample: ``epoch``, ``train_loss`` (of augmented triptychs), ``sample``
    (its index), ``log_odds``; epoch 0 is the network with averaged weights.
    """
    parts, total, count = [], {}, 0
    for epoch, train_loss in train_epochs(network, pooled, train, frame_columns, settings, generator):
        parts.append(_look(network, pooled, watched, frame_columns, epoch, train_loss))
        if is_averaged(epoch, settings):
            count += 1
            for name, value in network.state_dict().items():
                total[name] = total[name] + value if name in total else value.clone()
    network.load_state_dict({name: value / count for name, value in total.items()})
    network.eval()
    return pd.concat([_look(network, pooled, watched, frame_columns, 0, np.nan), *parts], ignore_index=True)


def _look(network, pooled, watched, frame_columns, epoch, train_loss):
    log_odds = predict(network, pooled, watched, frame_columns)
    return pd.DataFrame({"epoch": epoch, "train_loss": train_loss, "sample": watched.index, "log_odds": log_odds})


def few_others(samples):
    """Return all seizure samples, and of the others `OTHERS` for each, evenly spaced: to score all costs too much."""
    others, label = np.flatnonzero(samples["label"] == 0), samples["label"].to_numpy()
    kept, most = label == 1, min(OTHERS * max(int(label.sum()), 1), len(others))
    kept[others[np.linspace(0, len(others) - 1, most).round().astype(int)]] = True
    return samples[kept]


def learning_curves(history, samples):
    """Return the balanced ``loss`` by ``network``, ``epoch`` and ``recording`` of a history, and the ``train_loss``."""
    table = history[history["epoch"] > 0].join(samples[["recording", "label"]], on="sample")
    rows = [
        (*keys, part["train_loss"].iloc[0], balanced_loss(part["label"], part["log_odds"]))
        for keys, part in table.groupby(["network", "epoch", "recording"], sort=False)
    ]
    return pd.DataFrame(rows, columns=["network", "epoch", "recording", "train_loss", "loss"])


def is_averaged(epoch, settings):
    """Say whether the weights after `epoch`, from 1, are among those averaged: the last ones, the very last always."""
    first = round(settings["epochs"] * (1 - settings["weight_averaging"]), 6)  # 10 · (1 − 0.9) is a little below 1
    return epoch > first or epoch == settings["epochs"]


def train_epochs(network, pooled, train, frame_columns, settings, generator):
    """Train `network` in place, and yield each epoch's number, from 1, and mean loss; arguments as for `fit`.

    The network learns to decide after each frame, t0 and t1 with `auxiliary_loss_weight` (target replication; Lipton et
    al., ICLR 2016): a triptych then has three labels, and what precedes a recording's first decision is learnt from.
    """
    weight = torch.tensor([settings["auxiliary_loss_weight"]] * len(EARLIER) + [1.0])
    options = {"lr": settings["learning_rate"], "weight_decay": settings["weight_decay"], "fused": True}
    optimiser, where = torch.optim.AdamW(network.parameters(), **options), network.mean.device
    for epoch in range(1, settings["epochs"] + 1):
        network.train()
        losses = []
        for _ in range(settings["batches_per_epoch"]):
            triptychs, label = augmented_batch(pooled, train, frame_columns, network, settings, generator)
            score = network.decide_each(network.encode(triptychs.to(where)))
            loss = binary_cross_entropy_with_logits(score, label.to(where), weight.to(where), reduction="sum")
            loss = loss / len(label)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        yield epoch, float(np.mean(losses))


def balanced_batch(table, size, generator):
    """Return `size` rows of `table`, half of them seizure, drawn with replacement."""
    sizes = {1: size // 2, 0: size - size // 2}
    rows = [generator.choice(np.flatnonzero(table["label"] == label), count) for label, count in sizes.items()]
    return table.iloc[np.concatenate(rows)]


def augmented_batch(pooled, train, frame_columns, network, settings, generator):
    """Return triptychs to learn from, half of them seizure, changed at random; and the labels of their three frames.

    A handful of recordings must stand for more: background of the same patient is mixed into some triptychs, each
    channel's level is another, and some channels are dropped, so that no decision hangs on one.
    """
    batch = balanced_batch(train, settings["batch_size"], generator)
    by = pooled_columns(frame_columns)
    triptychs = slices(pooled, batch, frame_columns, by)
    if settings["background_mixing"]:
        others = generator.choice(np.flatnonzero(train["label"].to_numpy() == 0), len(batch))
        level_db = generator.uniform(*BACKGROUND_DB, len(batch))
        mixed = np.flatnonzero(generator.random(len(batch)) < settings["background_mixing"])
        if len(mixed):
            added = slices(pooled, train.iloc[others[mixed]], frame_columns, by)
            triptychs[mixed] = mix_background(triptychs[mixed], added, level_db[mixed])
    triptychs = triptychs + random_gains(generator, len(batch), triptychs.shape[2], settings["gain_db"])
    triptychs = drop_channels(triptychs, network.mean.cpu(), settings["channel_dropout"], generator)
    return triptychs, torch.from_numpy(np.stack([batch[name].to_numpy(np.float32) for name in (*EARLIER, "label")], 1))


def mix_background(triptychs, others, level_db):
    """Return triptychs [triptych, 3, C, F, T] in dB with other EEG added: powers add where signals are independent.

    `level_db`, float [triptych], is how much louder the other EEG is than recorded.
    """
    nepers = np.float32(np.log(10) / 10)
    level = torch.from_numpy(np.asarray(level_db, np.float32))[:, None, None, None, None]
    return torch.logaddexp(triptychs * nepers, (others + level) * nepers) / nepers


def random_gains(generator, count, channels, gain_db):
    """Return random gains in dB, one a triptych and channel, the same over time: [count, 1, C, 1, 1].

    Electrodes sit better or worse from day to day: a channel's level, and that of all channels together, say less of
    a seizure than a change within the triptych does.
    """
    own, common = generator.normal(0, gain_db, (count, channels)), generator.normal(0, gain_db / 2, (count, 1))
    return torch.from_numpy((own + common).astype(np.float32))[:, None, :, None, None]


def drop_channels(triptychs, mean, share, generator):
    """Return triptychs [triptych, 3, C, F/2, T], in each a `share` of the channels at the mean [C, F, 1]."""
    found = triptychs.clone()
    row, channel = np.nonzero(generator.random(triptychs.shape[:3:2]) < share)
    found[row, :, channel] = pool_bins(mean)[channel][:, None]
    return found


def predict(network, pooled, table, frame_columns, batch=64):
    """Return the log-odds of seizure for each triptych of `table`, float64 [triptych], from `Inputs.pooled`."""
    where, scores, by = next(network.parameters()).device, [], pooled_columns(frame_columns)
    network.eval()
    with torch.no_grad():
        for first in range(0, len(table), batch):
            part = slices(pooled, table.iloc[first : first + batch], frame_columns, by).to(where)
            scores.append(network.decide(network.encode(part)).cpu().double())
    return torch.cat(scores).numpy() if scores else np.zeros(0)


def balanced_loss(label, log_odds):
    """Return the cross-entropy with both classes weighted alike; with one class only, that class's."""
    label = np.asarray(label)
    loss = np.logaddexp(0, np.where(label == 1, -log_odds, log_odds))
    return float(np.mean([loss[label == value].mean() for value in np.unique(label)]))


def out_of_fold(folds, scored, samples):
    """Return what each fold decides on, and what it may choose by.

    `scored` is a list of (folds.Split, pandas.Series): log-odds by the index of `samples`, of each network for all that
    it has not seen.

    Returns `samples` with ``fold`` and ``log_odds``, the mean of the fold's networks; and for each fold and each other
    block rows of `samples` with ``sample`` (their index), ``fold``, ``inner`` (the other fold) and ``log_odds``, the
    mean of the networks that have seen neither block.

    Raises AssertionError if a network was trained on a recording that it scores: nothing of it may be reported.
    """
    log_odds, predictions, inner = {split.name: values for split, values in scored}, [], []
    for fold in folds:
        held_out, of_pairs = samples[samples["recording"].isin(fold.held_out)], []
        for other, networks in members(fold, [split for split, _ in scored]).items():
            check_apart(fold, folds[other], *networks)
            mean = sum(log_odds[split.name] for split in networks) / len(networks)
            of_pairs.append(mean.loc[held_out.index].to_numpy())
            block = samples[samples["recording"].isin(folds[other].held_out)]
            inner.append(block.assign(fold=fold.number, inner=other, log_odds=mean.loc[block.index]))
        predictions.append(held_out.assign(fold=fold.number, log_odds=np.mean(of_pairs, axis=0)))
    return pd.concat(predictions).loc[samples.index], pd.concat(inner).reset_index(names="sample")
