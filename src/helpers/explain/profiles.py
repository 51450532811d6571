"""Profiles: the maps of all samples together, by band and step, by decision, and about seizure onsets."""

import numpy as np
import pandas as pd

from helpers.study.bands import BANDS, band_masks

DECISIONS = {
    "seizure, found": (1, 1),
    "seizure, missed": (1, 0),
    "other, taken for seizure": (0, 1),
    "other, left alone": (0, 0),
}
BEFORE, AFTER = 4, 12  # frames about an onset


def by_band(maps, frequencies_hz):
    """Return the relevance of maps [sample, 3, F, T], a dict by method, by band and step: float64 [sample, 3, band].

    Of ``ig``, toward seizure, the sum: log-odds that a band adds in a step. Of class activation maps the mean over the
    band's cells, as a multiple of the mean over the triptych (NaN for a map of zeros): 1 if the map is flat.
    """
    masks, found = band_masks(frequencies_hz), {}
    for name, values in maps.items():
        parts = [values[:, :, mask] for mask in masks.values()]
        if name == "ig":
            found[name] = np.stack([part.sum((2, 3)) for part in parts], axis=2).astype(float)
            continue
        means = np.stack([part.mean((2, 3)) for part in parts], axis=2).astype(float)
        overall = values.mean((1, 2, 3), dtype=float)[:, None, None]
        found[name] = np.divide(means, overall, out=np.full_like(means, np.nan), where=overall > 0)
    return found


def long_table(decisions, banded):
    """Return the relevance of each sample, method, step and band, `banded` being from `by_band`, as one long table.

    Columns are ``sample``, ``recording``, ``last_start_s``, ``label``, ``decided`` of `decisions`, ``decision`` (one of
    `DECISIONS`), ``method``, ``step`` (t0, t1, t2), ``band`` and ``relevance``.
    """
    names = {pair: name for name, pair in DECISIONS.items()}
    about = decisions[["sample", "recording", "last_start_s", "label", "decided"]].reset_index(drop=True)
    about["decision"] = [names[pair] for pair in zip(about["label"], about["decided"], strict=True)]
    keys = pd.MultiIndex.from_product([about.index, ("t0", "t1", "t2"), BANDS], names=["row", "step", "band"])
    parts = []
    for method, values in banded.items():
        long = pd.DataFrame({"relevance": values.ravel()}, index=keys).reset_index()
        parts.append(about.loc[long["row"]].reset_index(drop=True).join(long.drop(columns="row")).assign(method=method))
    return pd.concat(parts, ignore_index=True)


def means(profile):
    """Return the mean over samples: ``method``, ``decision``, ``step``, ``band``, ``relevance``, and ``n`` of them."""
    keys = ["method", "decision", "step", "band"]
    return profile.groupby(keys, sort=False)["relevance"].agg(relevance="mean", n="count").reset_index()


def onset_relevance(profile, annotations, frame_s):
    """Return the mean relevance of each band by the time since the onset, over seizures, whatever was decided.

    Columns are ``method``, ``since_s`` (middle of the frame t2 minus the onset, in whole frames and a half), ``band``,
    ``relevance`` and ``n``, the number of seizures. A sample counts at the frame on which it decides, t2, with all
    three steps of its map: their sum for ``ig``, else their mean. A frame nearer to another onset counts there.
    """
    keys = ["method", "sample", "recording", "last_start_s", "band"]
    sums = profile.groupby(keys, sort=False)["relevance"].agg(["sum", "mean"]).reset_index()
    sums["relevance"] = np.where(sums["method"] == "ig", sums["sum"], sums["mean"])
    return _mean_by_time(sums, ["method", "band"], "relevance", annotations, frame_s)


def onset_log_odds(decisions, annotations, frame_s):
    """Return the mean log-odds of seizure by the time since the onset, a Series: see `onset_relevance`."""
    return _mean_by_time(decisions, [], "log_odds", annotations, frame_s).set_index("since_s")["log_odds"]


def near_onset(decisions, annotations, frame_s):
    """Return which samples count in `onset_relevance`, bool [sample]."""
    return _with_onset(decisions, annotations, frame_s)["frame"].between(-BEFORE, AFTER - 1).to_numpy()


def _with_onset(table, annotations, frame_s):
    """Return `table` with ``onset_s``, the nearest in its recording, and ``frame``, whole frames since then."""
    onsets = {name: annotations.spans(name)[:, 0] for name in table["recording"].unique()}
    middle, nearest = table["last_start_s"].to_numpy() + frame_s / 2, np.full(len(table), np.nan)
    for row, (name, at) in enumerate(zip(table["recording"], middle, strict=True)):
        if len(onsets[name]):
            nearest[row] = onsets[name][np.abs(onsets[name] - at).argmin()]
    return table.assign(frame=np.floor((middle - nearest) / frame_s), onset_s=nearest)


def _mean_by_time(table, keys, column, annotations, frame_s):
    """Return the mean of `column` over seizures by ``since_s`` and `keys`, and ``n``, the number of seizures."""
    table = _with_onset(table, annotations, frame_s)
    table = table[table["frame"].between(-BEFORE, AFTER - 1)]
    each = table.groupby([*keys, "frame", "recording", "onset_s"], sort=False)[column].mean().reset_index()
    found = each.groupby([*keys, "frame"], sort=False)[column].agg(["mean", "count"]).reset_index()
    found = found.rename(columns={"mean": column, "count": "n"}).sort_values("frame", kind="stable", ignore_index=True)
    return found.assign(since_s=(found.pop("frame") + 0.5) * frame_s)
