"""The detector: a compact convolutional encoder per frame and a recurrent head over t0, t1, t2; several averaged."""

import json

import safetensors.torch
import torch
from torch import nn

POOL_BINS = 2  # that are averaged first
REACH = 5  # rows, and columns, that a convolution sees


class SpectrogramNetwork(nn.Module):
    """Log-odds of seizure in the last frame of a triptych of spectrograms.

    Input is [triptych, step, C, F, T] in dB, step = t0, t1, t2: C EEG channels, F frequency bins, T columns a frame.
    The convolutions have `width` feature maps, the explained layer `hidden` (K), [K, F/2, T/4]: for 54 bins and 32
    columns, 27 × 8; of shorter frames, T/2 (`pooled_columns`). Its maps are summed over frequency and averaged over
    time, and nothing else is known of a frame: so the gradient of the score is the same at every place of a map, as
    Grad-CAM assumes (Selvaraju et al. 2017, section 3). `dropout` is the share of a frame's embedding that is dropped
    while training. There is no batch, group or layer normalisation: it would discard the amplitude, and a seizure is
    first of all a change of amplitude.
    """

    def __init__(self, channels, frequencies, width, hidden, dropout):
        super().__init__()
        self.config = dict(channels=channels, frequencies=frequencies, width=width, hidden=hidden, dropout=dropout)
        # Statistics of the training recordings: the spectrogram's mean, the pooled one's deviation.
        self.register_buffer("mean", torch.zeros(channels, frequencies, 1))
        self.register_buffer("deviation", torch.ones(channels, frequencies // POOL_BINS, 1))
        self.mix = nn.Conv2d(channels, width, kernel_size=1)  # a montage of its own: weighted sums of channels
        self.shape = nn.Conv2d(width, width, kernel_size=(1, REACH))  # over frequency
        self.evolve = nn.Conv2d(width, width, kernel_size=(REACH, 1))  # over time
        # A rhythm at 3 Hz is not one at 20 Hz: each row, two bins, has weights of its own.
        self.embed = RowLinear(frequencies // POOL_BINS, width, hidden)
        self.dropout = nn.Dropout(dropout)
        self.recur = nn.GRU(hidden, hidden, batch_first=True)
        self.score = nn.Linear(hidden, 1)
        self.to(memory_format=torch.channels_last)  # faster on a CPU

    def encode(self, pooled):
        """Return the explained layer of pooled triptychs: [triptych, step, C, F/2, T/4] → [triptych, step, K, …]."""
        x = ((pooled - pool_bins(self.mean)) / self.deviation).flatten(0, 1)
        x = x.transpose(2, 3)  # [n·3, C, T/4, F/2], as `inputs.slices` lie in memory: half the time of the other order
        x = torch.relu(self.mix(x))  # [n·3, width, T/4, F/2]
        x = torch.relu(self.shape(repeat_edges(x, 3)))
        x = torch.relu(self.evolve(repeat_edges(x, 2)))
        x = torch.relu(self.embed(x))  # [n·3, K, T/4, F/2]
        return x.transpose(2, 3).unflatten(0, pooled.shape[:2])

    def maps(self, triptychs):
        """Return the explained layer: [triptych, step, C, F, T] in dB → [triptych, step, K, F/2, T/4]."""
        return self.encode(pool_steps(triptychs))

    def decide(self, maps):
        """Return log-odds of seizure in the last frame: [triptych, step, K, F/2, T/4] → [triptych]."""
        return self.decide_each(maps)[:, -1]

    def decide_each(self, maps):
        """Return log-odds of seizure in each frame, by it and those before: [triptych, step, …] → [triptych, step]."""
        # Over the square root of the number of rows, so that what follows starts from values of about 1.
        scale = maps.shape[4] * maps.shape[3] ** 0.5
        x = maps.flatten(0, 1).sum(dim=(2, 3)).unflatten(0, maps.shape[:2])  # [n, 3, K]
        x = self.dropout(x / scale)
        states, _ = self.recur(x)
        return self.score(states)[:, :, 0]

    def forward(self, triptychs):
        """Return log-odds of seizure for triptychs [triptych, step, C, F, T] in dB."""
        return self.decide(self.maps(triptychs))


class RowLinear(nn.Module):
    """A linear layer with weights of its own for each row: [n, width, column, row] → [n, hidden, column, row]."""

    def __init__(self, rows, width, hidden):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.empty(rows, inputs, hidden)) for inputs in (width, 1))
        self.reset_parameters()

    def reset_parameters(self):
        """Draw weights as torch's own linear layers do."""
        limit = self.weight.shape[1] ** -0.5
        for value in self.parameters():
            nn.init.uniform_(value, -limit, limit)

    def forward(self, maps):
        """Return the layer's maps: one matrix product a row, in a third of the time of a grouped convolution."""
        n, width, columns, rows = maps.shape
        x = maps.permute(3, 0, 2, 1).reshape(rows, n * columns, width)
        return torch.baddbmm(self.bias, x, self.weight).unflatten(1, (n, columns)).permute(1, 3, 2, 0)


class Ensemble(nn.Module):
    """The mean of several networks' log-odds, as one network: what a fold decides by, and what is explained.

    Its explained layer holds the maps of all members, one after the other: [triptych, step, members · K, F/2, T/4].
    """

    def __init__(self, networks):
        super().__init__()
        self.networks = nn.ModuleList(networks)

    @property
    def mean(self):
        """The mean of the members' training means, [C, F, 1] in dB."""
        return torch.stack([network.mean for network in self.networks]).mean(dim=0)

    def encode(self, pooled):
        """Return the explained layer of all members, as `SpectrogramNetwork.encode`."""
        return torch.cat([network.encode(pooled) for network in self.networks], dim=2)

    def maps(self, triptychs):
        """Return the explained layer of all members; see `SpectrogramNetwork.maps`."""
        return self.encode(pool_steps(triptychs))

    def decide(self, maps):
        """Return log-odds of seizure; see `SpectrogramNetwork.decide`."""
        own = maps.chunk(len(self.networks), dim=2)
        scores = [network.decide(part) for network, part in zip(self.networks, own, strict=True)]
        return torch.stack(scores).mean(dim=0)

    def forward(self, triptychs):
        """Return log-odds of seizure for triptychs [triptych, step, C, F, T] in dB."""
        return self.decide(self.maps(triptychs))


def pooled_columns(frame_columns):
    """Return how many columns are averaged first: four, or two where four would leave a frame fewer than eight."""
    return 4 if frame_columns >= 32 else 2


def pool(power, columns):
    """Average 2 × `columns` cells of spectrograms in dB: [n, C, F, T] → [n, C, F/2, T/columns], without a rest.

    One periodogram's log power varies by 5.6 dB from bin to bin by chance: a mean of several says more.
    """
    return nn.functional.avg_pool2d(power, (POOL_BINS, columns))


def pool_steps(triptychs):
    """Pool each frame of triptychs: [triptych, step, C, F, T] → [triptych, step, C, F/2, T/4]."""
    return pool(triptychs.flatten(0, 1), pooled_columns(triptychs.shape[-1])).unflatten(0, triptychs.shape[:2])


def unpool(values, shape):
    """Repeat values for the cells that `pool_steps` averaged: [triptych, step, C, F/2, T/4] → `shape`; others get 0."""
    columns = pooled_columns(shape[-1])
    repeated = values.repeat_interleave(POOL_BINS, dim=-2).repeat_interleave(columns, dim=-1)
    return nn.functional.pad(repeated, (0, shape[-1] % columns, 0, shape[-2] % POOL_BINS))


def pool_bins(mean):
    """Average the bins of [C, F, 1] as `pool` does those of a spectrogram: [C, F/2, 1]."""
    return nn.functional.avg_pool2d(mean, (POOL_BINS, 1))


def repeat_edges(maps, dim):
    """Repeat the first and the last row or column of maps, along `dim`, for a convolution over `REACH` of them.

    Zeros there would dim every frame's border, and Grad-CAM would show a box. torch's own replication padding has no
    deterministic backward pass on a GPU.
    """
    first, last = [maps.narrow(dim, 0, 1)] * (REACH // 2), [maps.narrow(dim, maps.shape[dim] - 1, 1)] * (REACH // 2)
    return torch.cat([*first, maps, *last], dim=dim)


def save(network, path):
    """Write weights, training statistics and sizes to one ``.safetensors`` file (no pickle)."""
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    safetensors.torch.save_file(state, path, metadata={"config": json.dumps(network.config)})


def load(path):
    """Return the network in `path`, ready to predict; RuntimeError if the weights do not fit the sizes beside them."""
    with safetensors.safe_open(path, framework="pt") as file:
        network = SpectrogramNetwork(**json.loads(file.metadata()["config"]))
        network.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    return network.eval()


def load_ensemble(folder, names):
    """Return the networks `names` (see `folds.Split.name`) in `folder` as one, ready to predict."""
    return Ensemble([load(folder / f"{name}.safetensors") for name in names]).eval()
