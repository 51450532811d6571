"""Other detectors in the same folds: two classifiers on features made by hand, and four published networks.

They train on `fold.train` alone; the inner recording chooses regularisation or epoch, and the threshold; what comes out
has the columns of the study's own predictions. Three networks need braindecode, which `make baselines` installs.
"""

from functools import partial

import numpy as np
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate

from helpers.features import pictures, windows
from helpers.training import balanced_batch, balanced_loss, best_threshold, sigmoid

CLASSIFIERS = ("logistic", "forest")
L2 = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # inverse strengths, from strong to weak
TREES = 500
LARGEST_CLASS = 20_000  # of more training triptychs of a class, so many are drawn: a forest would take hours

# braindecode's class; learning rate and weight decay as in Lawhern et al. 2018 and in braindecode's own examples.
SIGNAL_NETWORKS = {
    "eegnet": ("EEGNetv4", 1e-3, 0.0),
    "shallow": ("ShallowFBCSPNet", 6.25e-4, 0.0),
    "deep4": ("Deep4Net", 1e-2, 5e-4),
}
NETWORKS = (*SIGNAL_NETWORKS, "efficientnet")
PIXELS = 96  # a side: larger pictures cost hours on a CPU, and show no more of 54 bins and 32 columns


def fit_predict(name, fold, table, features, samples, sample_features, seed):
    """Fit a classifier on a fold's training recordings and predict its held-out ones.

    Parameters
    ----------
    name : str
        "logistic": features standardised, classes weighted alike, L2 chosen by the loss on the inner recording.
        "forest": 500 trees, each on a bootstrap sample with its classes alike.
    fold : folds.Fold
    table, samples : pandas.DataFrame
        Triptychs to train on and to decide on, as for `training.train_fold`; row by row:
    features, sample_features : float32 [triptych, feature]
    seed : int
        Of the forest, and of the draw where a class has more than `LARGEST_CLASS` triptychs.

    Returns
    -------
    pandas.DataFrame
        The held-out rows of `samples` with ``fold``, ``p_seizure``, ``threshold``.

    Raises
    ------
    ValueError
        If `name` is unknown, features do not fit their tables, or the fold's recordings lack a class they need.
    """
    if name not in CLASSIFIERS:
        raise ValueError(f"There is no classifier '{name}'; there are {', '.join(CLASSIFIERS)}.")
    for part, values in ((table, features), (samples, sample_features)):
        if len(part) != len(values):
            raise ValueError(f"{len(values)} rows of features for {len(part)} triptychs: they must be equally many.")
    rows = _training_rows(fold, table, np.random.default_rng([seed, fold.number]))
    x, y = features[rows], table["label"].to_numpy()[rows]
    inner = (samples["recording"] == fold.inner).to_numpy()
    with threadpool_limits(1):  # as for the network: the same bytes on any machine
        if name == "logistic":
            model = _logistic(x, y, sample_features[inner], samples["label"][inner])
        else:
            options = {"class_weight": "balanced_subsample", "n_jobs": 1, "random_state": seed + fold.number}
            model = RandomForestClassifier(TREES, **options).fit(x, y)
        return predictions(fold, samples, lambda part: model.predict_proba(sample_features[part])[:, 1])


def predictions(fold, samples, probability):
    """Choose the threshold on the inner recording and decide on the held-out ones.

    `probability` returns ``p_seizure`` of those rows of `samples` that a boolean array names.
    """
    inner = (samples["recording"] == fold.inner).to_numpy()
    threshold = best_threshold(samples["label"][inner], probability(inner))
    held_out = samples["recording"].isin(fold.held_out).to_numpy()
    return samples[held_out].assign(fold=fold.number, p_seizure=probability(held_out), threshold=threshold)


def _training_rows(fold, table, generator):
    """Return the numbers of the rows to train on, sorted: those of `fold.train`, of a large class some."""
    label, rows = table["label"].to_numpy(), []
    ours = table["recording"].isin(fold.train).to_numpy()
    for value in (0, 1):
        found = np.flatnonzero(ours & (label == value))
        if not len(found):
            raise ValueError(
                f"Fold {fold.number} trains on {', '.join(fold.train)}, which hold no triptych labelled {value}; both "
                "labels are needed. Shorter frames (frame_s in the patient's file) leave more of them."
            )
        few = len(found) <= LARGEST_CLASS
        rows.append(found if few else generator.choice(found, LARGEST_CLASS, replace=False))
    return np.sort(np.concatenate(rows))


def _logistic(x, y, inner_x, inner_y):
    """Return the logistic regression whose L2 does best on the inner recording; of equals, the strongest."""

    def fitted(strength):
        regression = LogisticRegression(C=strength, class_weight="balanced", max_iter=5000)
        return make_pipeline(StandardScaler(), regression).fit(x, y)

    return min(map(fitted, L2), key=lambda model: balanced_loss(inner_y, model.decision_function(inner_x)))


class SignalNetwork(nn.Module):
    """A network of braindecode's behind a standardisation a channel: EEG [n, C, sample] in µV → log-odds [n]."""

    def __init__(self, network, mean, deviation):
        super().__init__()
        self.network = network
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)

    def forward(self, signals):
        return self.network((signals - self.mean) / self.deviation)[:, 0]


class PictureNetwork(nn.Module):
    """The reference's: EfficientNet-B0 a picture, LSTM over three, dropout: [n, 3, row, column] → log-odds [n]."""

    def __init__(self, encoder, hidden=256, dropout=0.4):
        super().__init__()
        self.encoder = encoder
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


def build(name, channels=18, times=1024, mean=0.0, deviation=1.0, weights=None):
    """Return the network `name` of `NETWORKS`, untrained.

    Parameters
    ----------
    channels, times : int
        EEG channels and samples of a window; of no meaning to "efficientnet".
    mean, deviation : float or float32 tensor [C, 1]
        Of the training recordings' EEG, in µV.
    weights : str, optional
        For "efficientnet": a name on the Hub, or a folder, to start from; by default random weights.

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

    # The default, 0.99, predicts with the last batch's statistics; 0.3 forgets the first ones within an epoch.
    changes = {"image_size": PIXELS, "batch_norm_momentum": 0.3}
    if weights:
        return PictureNetwork(EfficientNetModel.from_pretrained(weights, **changes))
    b0 = EfficientNetConfig(width_coefficient=1.0, depth_coefficient=1.0, hidden_dim=1280, dropout_rate=0.2, **changes)
    encoder = EfficientNetModel(b0)
    # transformers draws the scales of batch normalisation around 0, which leaves no signal after some layers.
    for layer in encoder.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.ones_(layer.weight)
        elif isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    return PictureNetwork(encoder)


def train_network(name, fold, source, table, samples, axis, settings):
    """Train the network `name` on one fold and predict its held-out recordings, as `training.train_fold` does ours.

    `source` holds arrays by recording, as `features.windows` takes them, or for "efficientnet" `features.pictures`.
    `settings` are ``seed``, ``epochs``, ``batches_per_epoch``, ``batch_size``; if wanted ``frames``, ``weights``.
    Returns and raises as `fit_predict`; ValueError also if the loss is no number any more.
    """
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(settings["seed"] + fold.number)
    generator = np.random.default_rng([settings["seed"], fold.number])
    train = table.iloc[_training_rows(fold, table, generator)]
    if name in SIGNAL_NETWORKS:
        frames, (_, *rates) = settings.get("frames", 1), SIGNAL_NETWORKS[name]
        mean, deviation = _statistics(source, fold.train)
        times = round(frames * axis["frame_s"] * axis["sampling_hz"])
        network = build(name, len(mean), times, mean, deviation)
        read = partial(windows, source, axis=axis, frames=frames)
    else:
        network, rates = build(name, weights=settings.get("weights")), (1e-3, 0.01)
        read = partial(pictures, source, axis=axis)

    _fit(network, read, train, samples[samples["recording"] == fold.inner], rates, settings, generator)
    return predictions(fold, samples, lambda part: sigmoid(_log_odds(network, read, samples[part])))


def _statistics(eeg, recordings):
    """Return mean and standard deviation a channel over `recordings`, float32 tensors [C, 1]."""
    count = sum(eeg[name].shape[1] for name in recordings)
    mean = sum(eeg[name].sum(axis=1, dtype=np.float64) for name in recordings) / count
    square = sum(np.square(eeg[name], dtype=np.float64).sum(axis=1) for name in recordings) / count
    deviation = np.sqrt(np.maximum(square - mean**2, 1e-6))
    return tuple(torch.from_numpy(x[:, None].astype(np.float32)) for x in (mean, deviation))


def _fit(network, read, train, inner, rates, settings, generator):
    """Train in place, and leave the network at the epoch with the lowest loss on the inner recording."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=rates[0], weight_decay=rates[1])
    lowest = np.inf
    for epoch in range(settings["epochs"]):
        network.train()
        for _ in range(settings["batches_per_epoch"]):
            batch = balanced_batch(train, settings["batch_size"], generator)
            label = torch.tensor(batch["label"].to_numpy(), dtype=torch.float32)
            loss = binary_cross_entropy_with_logits(network(torch.from_numpy(read(batch))), label)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        inner_loss = balanced_loss(inner["label"], _log_odds(network, read, inner))
        if not np.isfinite(inner_loss):
            raise ValueError(f"The loss is {inner_loss} after epoch {epoch + 1}: lower the learning rate.")
        if inner_loss < lowest:
            lowest, kept = inner_loss, {key: value.clone() for key, value in network.state_dict().items()}
    network.load_state_dict(kept)


def _log_odds(network, read, table, batch=64):
    """Return the log-odds of seizure for each triptych of `table`, float64 [triptych]."""
    network.eval()
    with torch.no_grad():
        cuts = (table.iloc[first : first + batch] for first in range(0, len(table), batch))
        return torch.cat([network(torch.from_numpy(read(part))) for part in cuts]).double().numpy()
