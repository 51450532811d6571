"""Profiles: what the maps of all samples say together, by band and step, by decision, and about the onset."""

import numpy as np
import pandas as pd

from helpers.explain.attributions import METHODS
from helpers.study.bands import BANDS, band_masks

DECISIONS = {
    "seizure, found": (1, 1),
    "seizure, missed": (1, 0),
    "other, taken for seizure": (0, 1),
    "other, left alone": (0, 0),
}
BEFORE, AFTER = 4, 12  # frames about an onset


def by_band(maps, frequencies_hz):
    """Return each map's relevance by band and step.

    Parameters
    ----------
    maps : dict of str → float [sample, 3, F, T]
        ``ig`` toward seizure; class activation maps, not negative.
    frequencies_hz : float [F]

    Returns
    -------
    dict of str → float64 [sample, 3, band]
        Of ``ig`` the sum: log-odds that a band in a step adds. Of the others the mean over the band's cells, as a
        multiple of the mean over the triptych (NaN for a map of zeros): 1 if the map is the same everywhere.
    """
    masks, found = band_masks(frequencies_hz), {}
    for name, values in maps.items():
        signed = name == "ig"
        parts = [values[:, :, mask] for mask in masks.values()]
        banded = np.stack([part.sum((2, 3)) if signed else part.mean((2, 3)) for part in parts], axis=2).astype(float)
        if not signed:
            whole = values.mean((1, 2, 3), dtype=float)[:, None, None]
            banded = np.divide(banded, whole, out=np.full_like(banded, np.nan), where=whole > 0)
        found[name] = banded
    return found


def table(decisions, banded):
    """Return the relevance of each sample, method, step and band as one long table.

    Parameters
    ----------
    decisions : pandas.DataFrame
        ``sample``, ``recording``, ``last_start_s``, ``label``, ``decided``.
    banded : dict of str → float [sample, 3, band]
        From `by_band`, in the order of `decisions`.

    Returns
    -------
    pandas.DataFrame
        Those columns, and ``decision`` (one of `DECISIONS`), ``method``, ``step`` (t0, t1, t2), ``band`` and
        ``relevance``.
    """
    names = {pair: name for name, pair in DECISIONS.items()}
    about = decisions[["sample", "recording", "last_start_s", "label", "decided"]].reset_index(drop=True)
    about["decision"] = [names[pair] for pair in zip(about["label"], about["decided"], strict=True)]
    steps, bands = ("t0", "t1", "t2"), list(BANDS)
    index = pd.MultiIndex.from_product([range(len(about)), steps, bands], names=["row", "step", "band"])
    parts = []
    for method, values in banded.items():
        long = pd.DataFrame({"relevance": values.ravel()}, index=index).reset_index()
        parts.append(about.loc[long["row"]].reset_index(drop=True).join(long.drop(columns="row")).assign(method=method))
    return pd.concat(parts, ignore_index=True)


def means(profile):
    """Return the mean over samples: ``method``, ``decision``, ``step``, ``band``, ``relevance``, and ``n`` of them."""
    keys = ["method", "decision", "step", "band"]
    return profile.groupby(keys, sort=False)["relevance"].agg(relevance="mean", n="count").reset_index()


def about_onsets(profile, seizures, frame_s):
    """Return the mean relevance of each band by the time since the onset, over seizures, whatever was decided.

    Each sample counts at the frame on which it decides, t2, with all three steps of its map: in the sum for ``ig``, in
    the mean for the others.

    Parameters
    ----------
    profile : pandas.DataFrame
        From `table`.
    seizures : pandas.DataFrame
        ``recording``, ``start_s``, ``end_s``.
    frame_s : float

    Returns
    -------
    pandas.DataFrame
        ``method``, ``since_s`` (middle of the frame t2 minus the onset, in whole frames and a half), ``band``,
        ``relevance`` and ``n``, the number of seizures. A frame that lies nearer another onset counts there.
    """
    keys = ["method", "sample", "recording", "last_start_s", "band"]
    sums = profile.groupby(keys, sort=False)["relevance"].agg(["sum", "mean"]).reset_index()
    sums["relevance"] = np.where(sums["method"] == "ig", sums["sum"], sums["mean"])
    return _since(sums, ["method", "band"], "relevance", seizures, frame_s)


def course(decisions, seizures, frame_s):
    """Return the mean log-odds of seizure by the time since the onset, a Series by ``since_s``; see `about_onsets`."""
    return _since(decisions, [], "log_odds", seizures, frame_s).set_index("since_s")["log_odds"]


def near(decisions, seizures, frame_s):
    """Say which samples count about an onset (see `about_onsets`): bool [sample]."""
    return _onset(decisions, seizures, frame_s)["frame"].between(-BEFORE, AFTER - 1).to_numpy()


def _onset(table, seizures, frame_s):
    """Return `table` with ``onset_s``, the nearest in its recording, and ``frame``, whole frames since then."""
    onsets = {name: part["start_s"].to_numpy() for name, part in seizures.groupby("recording")}
    middle = table["last_start_s"].to_numpy() + frame_s / 2
    nearest = np.array(
        [
            onsets[name][np.abs(onsets[name] - at).argmin()] if name in onsets else np.nan
            for name, at in zip(table["recording"], middle, strict=True)
        ],
        float,
    )
    return table.assign(frame=np.floor((middle - nearest) / frame_s), onset_s=nearest)


def _since(table, keys, column, seizures, frame_s):
    """Return the mean of `column` over seizures by ``since_s`` and `keys`, and ``n``, how many seizures there were."""
    table = _onset(table, seizures, frame_s)
    table = table[table["frame"].between(-BEFORE, AFTER - 1)]
    each = table.groupby([*keys, "frame", "recording", "onset_s"], sort=False)[column].mean().reset_index()
    found = each.groupby([*keys, "frame"], sort=False)[column].agg(["mean", "count"]).reset_index()
    found = found.rename(columns={"mean": column, "count": "n"}).sort_values("frame", kind="stable", ignore_index=True)
    return found.assign(since_s=(found.pop("frame") + 0.5) * frame_s)


def ordered(methods):
    """Return the methods of a table in the order of `METHODS`."""
    return [name for name in METHODS if name in set(methods)]
