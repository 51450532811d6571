"""Planted truth: the channels, times and frequencies of a simulated seizure, and how well maps locate them."""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

COLUMNS = ["recording", "channel", "start_s", "end_s", "low_hz", "high_hz", "amplitude"]
SCORES = ("auc", "auc_at_frequency", "mass", "pointing")


def amplitudes(planted, sample, axis):
    """Return what is planted in one triptych: RMS amplitude in µV, float32 [3, C, F, T], 0 where there is nothing.

    `planted` has the `COLUMNS`, a row for each channel, second and band that carries a seizure; the strongest row of a
    cell counts. `sample` has ``recording`` and ``column``, the first of t0; `axis` is from `filterbank.axes`. A column
    belongs to the seconds that hold its middle, a bin to the bands that overlap it (it is 1 / window wide).
    """
    size, hop_s = axis["frame_columns"], axis["hop_s"]
    frequencies, half_hz = np.asarray(axis["frequencies_hz"]), 0.5 / axis["window_s"]
    middle_s = (sample.column + np.arange(3 * size) + 0.5) * hop_s
    rows = planted[
        (planted["recording"] == sample.recording)
        & (planted["start_s"] <= middle_s[-1])
        & (planted["end_s"] > middle_s[0])
        & planted["channel"].isin(axis["channels"])
    ]
    found = np.zeros((len(axis["channels"]), len(frequencies), 3 * size), np.float32)
    for row in rows.itertuples():
        first, last = np.searchsorted(middle_s, [row.start_s, row.end_s])
        low, high = np.searchsorted(frequencies, [row.low_hz - half_hz, row.high_hz + half_hz])
        part = found[axis["channels"].index(row.channel), low:high, first:last]
        np.maximum(part, np.float32(row.amplitude), out=part)
    return np.moveaxis(found.reshape(*found.shape[:2], 3, size), 2, 0)


def masks(amplitude):
    """Return where one triptych is planted, from `amplitudes`: a dict of axis → bool array.

    ``time × frequency`` [3, F, T]: cells with a seizure in any channel; ``time`` [3, T] and ``frequency`` [3, F]: where
    there is such a cell. A seizure that has spread is in all channels, so ``channel`` [C] has those where it is at
    least half as strong (RMS) as in the strongest.
    """
    cells = amplitude.max(axis=1) > 0
    strength = np.sqrt((amplitude.astype(float) ** 2).mean(axis=(0, 2, 3)))
    return {
        "time × frequency": cells,
        "time": cells.any(axis=1),
        "frequency": cells.any(axis=2),
        "channel": (strength > 0) & (strength >= 0.5 * strength.max()),
    }


def score(relevance, truth):
    """Score one map, float, against the truth, bool, of the same shape; NaN where all cells are planted, or none.

    ``auc`` is how often a planted cell lies above another (ties half), 0.5 by chance; ``auc_at_frequency`` the same for
    two cells at one frequency, of [3, F, T]: any EEG has most power at low frequencies, where seizures are planted, and
    this gives no credit for knowing that. ``mass`` is the share of the relevance above zero that lies on planted cells;
    ``pointing`` is 1 if the highest cell is planted (the share of them among equals; the pointing game of Zhang et al.,
    ECCV 2016): both are NaN where nothing is above zero, and by chance the share of planted cells.
    """
    relevance, truth = np.asarray(relevance, float), np.asarray(truth)
    found = {"auc": _auc(relevance.reshape(1, -1), truth.reshape(1, -1)), "auc_at_frequency": np.nan}
    if truth.ndim == 3:
        found["auc_at_frequency"] = _auc(*(np.swapaxes(a, 0, 1).reshape(a.shape[1], -1) for a in (relevance, truth)))
    positive = np.clip(relevance, 0, None)
    if not 0 < truth.mean() < 1 or not positive.any():
        return found | {"mass": np.nan, "pointing": np.nan}
    pointing = truth[relevance == relevance.max()].mean()
    return found | {"mass": float(positive[truth].sum() / positive.sum()), "pointing": float(pointing)}


def _auc(relevance, truth):
    """Return the share of pairs in order of a planted and another cell of one group, [group, cell]; NaN without any."""
    inside = truth.sum(axis=1)
    pairs = (inside * (truth.shape[1] - inside)).sum()
    ordered = (rankdata(relevance, axis=1) * truth).sum() - (inside * (inside + 1) / 2).sum()
    return float(ordered / pairs) if pairs else np.nan


def score_along_axes(rows, table, maps, full, axis):
    """Return how each map of each sample scores along each axis: ``sample``, ``along``, ``map`` and the `SCORES`.

    `rows` and `axis` are as for `amplitudes`; `table` has ``sample``, ``recording``, ``column``; `maps` are relevance
    for the predicted class, a dict of str → float [sample, 3, F, T], `full` those with channels, [sample, 3, C, F, T].
    The map ``chance`` is flat. ``channel, where planted`` counts only the times and frequencies at which a channel
    carries the seizure, so that what accompanies it, as muscle does, is left out.
    """
    where = [masks(amplitudes(rows, sample, axis)) for sample in table.itertuples()]
    maps = maps | {name: values.mean(axis=2) for name, values in full.items()}
    cells = np.stack([mask["time × frequency"] for mask in where])[:, :, None]
    along = {
        "time × frequency": maps,
        "time": {name: values.mean(axis=2) for name, values in maps.items()},
        "frequency": {name: values.mean(axis=3) for name, values in maps.items()},
        "channel": {name: values.mean(axis=(1, 3, 4)) for name, values in full.items()},
        "channel, where planted": {name: (values * cells).sum(axis=(1, 3, 4)) for name, values in full.items()},
    }
    found = []
    for name, each in along.items():
        for row, (sample, mask) in enumerate(zip(table["sample"], where, strict=True)):
            truth = mask[name.removesuffix(", where planted")]
            own = {"chance": np.ones(truth.shape)} | {key: values[row] for key, values in each.items()}
            found += [{"sample": sample, "along": name, "map": key, **score(map_, truth)} for key, map_ in own.items()]
    return pd.DataFrame(found)
