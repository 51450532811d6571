"""Published networks in the same folds: three of braindecode's on raw EEG, and the reference study's on pictures.

Trained as the study's network is: one for each of `folds.splits`, a fixed number of epochs, the weights of the last
ones averaged. Not part of the study: `benchmarks.baselines` runs them.
"""

from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate
from torch.optim import swa_utils

from helpers.train.baselines import draw_triptychs
from helpers.train.training import balanced_batch, is_averaged, make_repeatable, training_triptychs

# braindecode's class; learning rate and weight decay as in Lawhern et al. 2018 and in braindecode's own examples.
SIGNAL_NETWORKS = {
    "eegnet": ("EEGNetv4", 1e-3, 0.0),
    "shallow": ("ShallowFBCSPNet", 6.25e-4, 0.0),
    "deep4": ("Deep4Net", 1e-2, 5e-4),
}
NETWORKS = (*SIGNAL_NETWORKS, "efficientnet")
PIXELS = 64  # a side: larger pictures cost hours on a CPU, and show no more of 54 bins and 32 columns


class SignalNetwork(nn.Module):
    """A network of braindecode's behind a standardisation a channel: EEG [n, C, sample] in µV → log-odds [n]."""

    def __init__(self, network, mean, deviation):
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)  # a quarter faster on a CPU
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)

    def forward(self, signals):
        return self.network((signals - self.mean) / self.deviation)[:, 0]


class PictureNetwork(nn.Module):
    """The reference's: EfficientNet-B0 a picture, LSTM over three, dropout: [n, 3, row, column] → log-odds [n]."""

    def __init__(self, encoder, hidden=256, dropout=0.4):
        super().__init__()
        self.encoder = encoder.to(memory_format=torch.channels_last)  # a third faster on a CPU
        self.recur = nn.LSTM(encoder.config.hidden_dim, hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.score = nn.Linear(hidden, 1)

    def forward(self, pictures):
        n, size = len(pictures), (PIXELS, PIXELS)
        grey = interpolate(pictures.flatten(0, 1)[:, None], size, mode="bilinear", align_corners=False)  # [n·3, 1, …]
        grey = (grey - 0.449) / 0.226  # the mean over the colours of ImageNet's own mean and deviation
        embedded = self.encoder(grey.expand(-1, 3, -1, -1)).pooler_output
        _, (last, _) = self.recur(embedded.unflatten(0, (n, -1)))
        return self.score(self.dropout(last[0]))[:, 0]


def build(name, channels=18, times=1024, mean=0.0, deviation=1.0):
    """Return the network `name` of `NETWORKS`, untrained.

    Parameters
    ----------
    channels, times : int
        EEG channels and samples of a window; of no meaning to "efficientnet".
    mean, deviation : float or float32 tensor [C, 1]
        Of the training recordings' EEG, in µV.

    Raises ImportError if the network's package is missing, ValueError if there is no such network.
    """
    if name in SIGNAL_NETWORKS:
        from braindecode import models  # not among the study's packages

        # The other two would end in a log-softmax: of one output, that is 0 whatever the EEG.
        options = {"final_conv_length": "auto"} | ({} if name == "eegnet" else {"add_log_softmax": False})
        network = getattr(models, SIGNAL_NETWORKS[name][0])(channels, 1, n_times=times, **options)
        return SignalNetwork(network, torch.as_tensor(mean), torch.as_tensor(deviation))
    if name != "efficientnet":
        raise ValueError(f"There is no network '{name}'; there are {', '.join(NETWORKS)}.")
    from transformers import EfficientNetConfig, EfficientNetModel  # slow to import

    b0 = {"width_coefficient": 1.0, "depth_coefficient": 1.0, "hidden_dim": 1280, "dropout_rate": 0.2}
    encoder = EfficientNetModel(EfficientNetConfig(image_size=PIXELS, **b0))
    # transformers draws the scales of batch normalisation around 0, which leaves no signal after some layers.
    for layer in encoder.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.ones_(layer.weight)
        elif isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    return PictureNetwork(encoder)


def train_split(name, split, source, overlapping, samples, axis, settings):
    """Train the network `name` on a split, and score the samples of the recordings that it has not seen.

    Parameters
    ----------
    name : str
        Of `NETWORKS`.
    split : folds.Split
    source : dict of str → array
        By recording: the EEG for `windows`, or for "efficientnet" the powers for `pictures`.
    overlapping, samples, axis
        As for `baselines.train_split`.
    settings : dict
        ``seed``, ``epochs``, ``batches_per_epoch``, ``batch_size``, ``weight_averaging``.

    Returns
    -------
    pandas.Series
        Log-odds of seizure, by the index of `samples`.

    Raises
    ------
    ValueError
        If there is no such network, the training recordings lack a class, or log-odds are no numbers any more.
    """
    make_repeatable()
    torch.manual_seed(split.torch_seed(settings["seed"]))
    generator = np.random.default_rng(split.seed(settings["seed"]))
    train = draw_triptychs(training_triptychs(split, overlapping), generator)
    unseen = samples[~samples["recording"].isin(split.train)]
    if name in SIGNAL_NETWORKS:
        _, *rates = SIGNAL_NETWORKS[name]
        mean, deviation = statistics(source, split.train)
        network = build(name, len(mean), round(3 * axis["frame_s"] * axis["sampling_hz"]), mean, deviation)
        read = partial(windows, source, axis=axis)
    else:
        network, rates = build(name), (1e-3, 0.01)
        read = partial(pictures, source, axis=axis)
    found = log_odds(fit(network, read, train, rates, settings, generator), read, unseen)
    if not np.isfinite(found).all():
        raise ValueError(
            f"{name} {split.name}: log-odds are no numbers any more; lower the learning rate, {rates[0]:g}."
        )
    return pd.Series(found, index=unseen.index)


def statistics(eeg, recordings):
    """Return mean and standard deviation a channel over `recordings`, float32 tensors [C, 1]."""
    count = sum(eeg[name].shape[1] for name in recordings)
    mean = sum(eeg[name].sum(axis=1, dtype=np.float64) for name in recordings) / count
    square = sum(np.square(eeg[name], dtype=np.float64).sum(axis=1) for name in recordings) / count
    deviation = np.sqrt(np.maximum(square - mean**2, 1e-6))
    return tuple(torch.from_numpy(x[:, None].astype(np.float32)) for x in (mean, deviation))


def fit(network, read, train, rates, settings, generator):
    """Train `network`, and return one with the mean of the weights of its last epochs, as `training.fit` does.

    The statistics of batch normalisation belong to no network averaged, so they are taken anew, over an epoch's batches
    (Izmailov et al., UAI 2018, section 3.2). `rates` are the learning rate and the weight decay.
    """

    def batches():
        for _ in range(settings["batches_per_epoch"]):
            batch = balanced_batch(train, settings["batch_size"], generator)
            yield torch.from_numpy(read(batch)), torch.tensor(batch["label"].to_numpy(), dtype=torch.float32)

    optimiser = torch.optim.AdamW(network.parameters(), lr=rates[0], weight_decay=rates[1])
    mean = swa_utils.AveragedModel(network)
    for epoch in range(1, settings["epochs"] + 1):
        network.train()
        for inputs, label in batches():
            loss = binary_cross_entropy_with_logits(network(inputs), label)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        if is_averaged(epoch, settings):
            mean.update_parameters(network)
    swa_utils.update_bn(batches(), mean)
    return mean.module


def log_odds(network, read, table, batch=64):
    """Return the log-odds of seizure for each triptych of `table`, float64 [triptych]."""
    network.eval()
    with torch.no_grad():
        cuts = (table.iloc[first : first + batch] for first in range(0, len(table), batch))
        return torch.cat([network(torch.from_numpy(read(part))) for part in cuts]).double().numpy()


def windows(eeg, table, axis):
    """Return the raw EEG of triptychs: float32 [triptych, C, sample].

    `eeg` is a dict of recording → float32 [C, sample], in µV: 66 MB an hour.
    """
    hop, size = round(axis["hop_s"] * axis["sampling_hz"]), axis["frame_columns"]
    cuts = [
        eeg[name][:, column * hop : (column + 3 * size) * hop]
        for name, column in zip(table["recording"], table["column"], strict=True)
    ]
    return np.stack(cuts)


def pictures(powers, table, axis):
    """Return the reference's pictures of triptychs, from 0 to 1: float32 [triptych, 3, frequency, column].

    Three windows of a frame's length, each ¾ of it after the one before (4 s every 3 s); the last is the triptych's
    last frame. Each is scaled by its own 1st and 99th percentile, which throws the amplitude away, as there.
    `powers` is a dict of recording → float32 [frequency, column]: the mean over the channels in dB.
    """
    size, step = axis["frame_columns"], round(0.75 * axis["frame_columns"])
    back_steps = (2 * step, step, 0)
    lasts = zip(table["recording"], table["column"] + 2 * size, strict=True)
    cuts = np.stack([powers[name][:, last - back : last - back + size] for name, last in lasts for back in back_steps])
    low, high = np.percentile(cuts, (1, 99), axis=(1, 2), keepdims=True)
    scaled = np.clip((cuts - low) / np.maximum(high - low, 1e-6), 0, 1).astype(np.float32)
    return scaled.reshape(len(table), 3, *scaled.shape[1:])
