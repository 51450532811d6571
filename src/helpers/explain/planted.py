"""Planted truth: which channels, times and frequencies of a triptych carry a simulated seizure; who points there."""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from helpers.evaluate import intervals

COLUMNS = ["recording", "channel", "start_s", "end_s", "low_hz", "high_hz", "amplitude"]
SCORES = ("auc", "auc_at_frequency", "mass", "pointing")


def amplitudes(planted, sample, axis):
    """Return what was planted into one triptych, as RMS amplitude.

    Parameters
    ----------
    planted : pandas.DataFrame
        `COLUMNS`: a row for each channel, second and frequency band that carries a seizure; amplitude in µV RMS.
    sample : named tuple
        ``recording`` and ``column``, the first of t0.
    axis : dict
        From `filterbank.axes`.

    Returns
    -------
    float32 [3, C, F, T], in µV
        Of the strongest row in each cell; 0 where nothing is planted. A column belongs to the seconds that its middle
        lies in; a bin to the bands that the width of a bin about it reaches.
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
    for row in rows.drop_duplicates().itertuples():  # T8-P8 is recorded twice, and studied once
        first, last = np.searchsorted(middle_s, [row.start_s, row.end_s])
        low, high = np.searchsorted(frequencies, [row.low_hz - half_hz, row.high_hz + half_hz])
        part = found[axis["channels"].index(row.channel), low:high, first:last]
        np.maximum(part, np.float32(row.amplitude), out=part)
    return np.moveaxis(found.reshape(*found.shape[:2], 3, size), 2, 0)


def masks(amplitude):
    """Return what is planted along each axis of one triptych.

    Parameters
    ----------
    amplitude : float [3, C, F, T]
        From `amplitudes`.

    Returns
    -------
    dict of str → bool array
        ``time × frequency`` [3, F, T]: cells where one of the channels carries the seizure, ``time`` [3, T] and
        ``frequency`` [3, F]: where one of those cells does. A seizure that has spread is in all channels, so
        ``channel`` [C] has those where it is strong: half as high (RMS) as in the channel where it is highest, or more.
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
    """Score one map against the truth, both of any one shape.

    Parameters
    ----------
    relevance : float
        High where the map points to; what is negative speaks against.
    truth : bool

    Returns
    -------
    dict of str → float
        ``auc``: how often a planted cell lies above another (ties half), 0.5 by chance; ``auc_at_frequency``: the same,
        of two cells at one frequency, where the shape is [3, F, T]. ``mass``: the share of the relevance above zero
        that lies on planted cells; ``pointing``: 1 if the highest cell is a planted one (the share of them among
        equals; the pointing game of Zhang et al., ECCV 2016): by chance both are the share of cells that are planted.
        NaN where all cells are planted, or none (for ``auc_at_frequency``: at every frequency); ``mass`` and
        ``pointing`` also where no cell is above zero.

    Notes
    -----
    Any EEG has most power at low frequencies, and seizures are planted there: a map of power has a high ``auc`` without
    any seizure. ``auc_at_frequency`` gives nothing for knowing the frequencies of seizures.
    """
    relevance, truth = np.asarray(relevance, float), np.asarray(truth)
    found = {"auc": _auc([(relevance.ravel(), truth.ravel())])}
    rows = (
        [(relevance[:, row].ravel(), truth[:, row].ravel()) for row in range(truth.shape[1])] if truth.ndim == 3 else []
    )
    found["auc_at_frequency"] = _auc(rows)
    positive = np.clip(relevance, 0, None)
    if not 0 < truth.mean() < 1 or not positive.any():
        return found | {"mass": np.nan, "pointing": np.nan}
    pointing = truth[relevance == relevance.max()].mean()
    return found | {"mass": float(positive[truth].sum() / positive.sum()), "pointing": float(pointing)}


def _auc(groups):
    """Return the share of pairs of a planted and another cell of one group that are in order; NaN without a pair."""
    ordered = pairs = 0.0
    for relevance, truth in groups:
        inside = int(truth.sum())
        ordered += rankdata(relevance)[truth].sum() - inside * (inside + 1) / 2
        pairs += inside * (truth.size - inside)
    return float(ordered / pairs) if pairs else np.nan


def against(maps, truth):
    """Score several maps of the same samples along one axis, or two.

    Parameters
    ----------
    maps : dict of str → float [sample, …]
    truth : bool [sample, …]

    Returns
    -------
    pandas.DataFrame
        ``row`` (of the sample), ``map`` and the `SCORES`; the map ``chance`` has what a map without any knowledge
        scores on average.
    """
    rows = []
    for number, mask in enumerate(truth):
        found = {name: score(values[number], mask) for name, values in maps.items()}
        blind = score(np.ones(mask.shape), mask)  # ties everywhere: 0.5, and the share of cells
        rows += [
            (number, name, *(scores[key] for key in SCORES)) for name, scores in {"chance": blind, **found}.items()
        ]
    return pd.DataFrame(rows, columns=["row", "map", *SCORES])


def mean_over_recordings(values, recordings):
    """Return the mean of `values` over samples, NaN left out, with its interval by bootstrap over recordings.

    Parameters
    ----------
    values : float [sample]
    recordings : sequence of str [sample]

    Returns
    -------
    dict
        As `intervals.interval` gives it, and ``n``: of how many samples.
    """
    table = pd.DataFrame({"recording": list(recordings), "value": np.asarray(values, float)}).dropna()
    if table.empty:
        return {**intervals.interval(None, [], 0), "n": 0}
    sums = table.groupby("recording")["value"].agg(total="sum", number="size").astype(float)
    found = intervals.score_intervals(lambda total, number: {"mean": total / number if number else None}, sums)
    return {**found["mean"], "n": len(table)}
