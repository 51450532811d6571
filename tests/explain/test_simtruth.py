"""The patient made to test explanations: power and edges are at chance, and the seizure is where it is said to be."""

import numpy as np
import pandas as pd
import pytest

from helpers.acquire.montages import DOUBLE_BANANA
from helpers.acquire.simulated import distractors
from helpers.acquire.simulated.simulation import simulate_recording
from helpers.explain import planted
from helpers.preprocess import filterbank

AXIS = filterbank.axes(256.0, 1.0, 0.125, 4.0) | {"channels": list(DOUBLE_BANANA)}
SEIZURES = [[first, first + 12] for first in range(13, 170, 26)]


def spectrogram(eeg):
    """Return the log power of EEG [C, sample], float32 [C, F, column], a column an eighth of a second."""
    padded = np.pad(eeg.astype(np.float32), ((0, 0), (112, 112)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 256, axis=1)[:, ::32]
    return np.stack([filterbank.log_power(own.copy(), 256.0, AXIS["frequencies_hz"]) for own in windows])


@pytest.fixture(scope="module", params=distractors.VARIANTS)
def patient(request, tmp_path_factory):
    """Three recordings of three minutes: their planted rows, spectrograms [C, F, column], and seizure samples."""
    rows, powers, samples = [], {}, []
    for name in ("t_1", "t_2", "t_3"):
        eeg, planted_rows = simulate_recording("t", name, 182, SEIZURES, 31, request.param)
        powers[name] = spectrogram(eeg[: len(DOUBLE_BANANA)])
        rows.append(planted_rows)
        for column in range(0, powers[name].shape[2] - 95, 32):
            middle_s = column / 8 + 10  # of the last frame
            if any(first <= middle_s <= last for first, last in SEIZURES):
                samples.append({"sample": len(samples), "recording": name, "column": column})
    return pd.concat(rows), powers, pd.DataFrame(samples), request.param


def test_maps_without_a_network_are_at_chance(patient):
    """Power and its edges, by AUC: 0.5 along each axis, give or take what some sixty samples leave open."""
    rows, powers, samples, _ = patient
    power = np.stack([
        powers[row.recording][:, :, row.column : row.column + 96].reshape(18, 54, 3, 32).transpose(2, 0, 1, 3)
        for row in samples.itertuples()
    ])  # fmt: skip
    maps = {"power": power, "edges": np.hypot(*np.gradient(power, axis=(3, 4)))}
    found = planted.score_maps(rows, samples, maps, AXIS)
    means = found.groupby(["map", "along"])["auc"].agg(["mean", "count"])
    assert (means["count"].unstack()["time"] >= 20).all()  # onsets and ends that lie within frames
    assert (means["mean"] - 0.5).abs().max() < 0.12, means


def test_the_seizure_is_at_one_electrode_in_one_band_at_its_times(patient):
    """Two channels, 24 to 26 Hz, each second of each seizure; there, and there alone, power rises by 6 dB at least; not
    where the focus shares its rhythm half of the time (suppression)."""
    rows, powers, _, variant = patient
    channels = [list(DOUBLE_BANANA).index(name) for name in rows["channel"].unique() if name in DOUBLE_BANANA]
    assert len(channels) == 2 and rows["low_hz"].min() > 23.5 and rows["high_hz"].max() < 26.5
    for name, own in rows.groupby("recording"):
        seconds = sorted(set(own["start_s"]))
        assert seconds == [second for first, last in SEIZURES for second in range(first, last)]
        times = np.arange(powers[name].shape[2]) / 8
        inside = np.any([(times > first) & (times < last - 1) for first, last in SEIZURES], axis=0)
        outside = ~np.any([(times > first - 2) & (times < last + 1) for first, last in SEIZURES], axis=0)
        rise = powers[name][channels, 24][:, inside].mean() - np.median(powers[name][channels, 24][:, outside])
        assert rise > 6 or variant == "suppression"
