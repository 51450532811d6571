"""Planted truth: the channels, times and frequencies of a simulated seizure, and how well maps locate them."""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

COLUMNS = ["recording", "channel", "start_s", "end_s", "low_hz", "high_hz", "amplitude"]
SCORES = ("auc", "precision")
ALONG = ("time × frequency", "frequency", "time", "channel")


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
    """Return which cells of one triptych are planted, bool [3, F, T], and which channels, bool [C], from `amplitudes`.

    A seizure that has spread is in all channels: those count where it is at least half as strong (RMS) as in the
    strongest.
    """
    strength = np.sqrt((amplitude.astype(float) ** 2).mean(axis=(0, 2, 3)))
    return amplitude.max(axis=1) > 0, (strength > 0) & (strength >= 0.5 * strength.max())


def groups(relevance, cells, channels):
    """Return what is ranked along each axis, and the truth of it: a dict of `ALONG` → two arrays [group, cell].

    `relevance` is [3, F, T], or [3, C, F, T], of which alone channels are ranked; the truth is from `masks`. Only cells
    of one group are compared, so that no credit is given for knowing what any EEG, or any label, has in common: that
    most power is at low frequencies, or that a decision is on the last frame.

    ``time × frequency``: cells at one frequency; ``time``: cells at one frequency of one frame; ``frequency``: bins of
    one frame, means over its time; ``channel``: means over the planted times and frequencies.
    """
    flat = relevance.mean(axis=1) if relevance.ndim == 4 else relevance
    swapped, truth = (np.swapaxes(each, 0, 1).reshape(each.shape[1], -1) for each in (flat, cells))
    found = {
        "time × frequency": (swapped, truth),
        "frequency": (flat.mean(axis=2), cells.any(axis=2)),
        "time": tuple(each.reshape(-1, each.shape[-1]) for each in (flat, cells)),
    }
    if relevance.ndim == 4:
        found["channel"] = (relevance * cells[:, None]).sum(axis=(0, 2, 3))[None], channels[None]
    return found


def score(relevance, truth):
    """Score what is ranked against the truth, both [group, cell]; NaN where in no group some are planted, and some not.

    ``auc`` is how often a planted cell lies above another one of its group (ties half): 0.5 by chance. ``precision`` is
    the share of planted ones among as many of the highest cells of each group as are planted in it (ties by their
    share): by chance, the share that is planted.
    """
    inside, size = truth.sum(axis=1), truth.shape[1]
    mixed = (inside > 0) & (inside < size)
    if not mixed.any():
        return dict.fromkeys(SCORES, np.nan)
    relevance, truth, inside = np.asarray(relevance, float)[mixed], truth[mixed], inside[mixed]
    ordered = (rankdata(relevance, axis=1) * truth).sum() - (inside * (inside + 1) / 2).sum()
    limit = np.take_along_axis(np.sort(relevance, axis=1), (size - inside)[:, None], axis=1)
    above, ties = relevance > limit, relevance == limit
    share = (inside - above.sum(axis=1)) / ties.sum(axis=1)
    hits = (above & truth).sum() + ((ties & truth).sum(axis=1) * share).sum()
    return {"auc": float(ordered / (inside * (size - inside)).sum()), "precision": float(hits / inside.sum())}


def score_maps(rows, table, maps, axis):
    """Return how each map of each sample scores along each axis: ``sample``, ``along``, ``map`` and the `SCORES`.

    `rows` and `axis` are as for `amplitudes`; `table` has ``sample``, ``recording``, ``column``; `maps` are relevance
    for the predicted class, a dict of str → float [sample, 3, F, T] or, with channels, [sample, 3, C, F, T]. The map
    ``chance`` is flat.
    """
    found, flat = [], np.ones((3, len(axis["channels"]), len(axis["frequencies_hz"]), axis["frame_columns"]))
    for number, sample in enumerate(table.itertuples()):
        truth = masks(amplitudes(rows, sample, axis))
        for name, each in {"chance": flat, **{name: values[number] for name, values in maps.items()}}.items():
            for along, pair in groups(each, *truth).items():
                found.append({"sample": sample.sample, "along": along, "map": name, **score(*pair)})
    return pd.DataFrame(found)
