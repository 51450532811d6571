"""The simulated patient: its files, its planted truth, its likeness to real EEG, and that it is hard."""

import hashlib
import re

import mne
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.signal import welch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.acquire.simulated import ictal, simulation
from helpers.acquire.simulated.simulation import CHANNELS, simulate_patient, simulate_recording
from helpers.study import parameters
from helpers.study.files import ROOT, read_json

SMALL = {
    "tiny_01": {"duration_s": 40, "seizures": [[15, 32]]},
    "tiny_02": {"duration_s": 12, "seizures": []},
}
BANDS_HZ = {"delta": (0.5, 4), "theta": (4, 8), "alpha": (8, 13), "beta": (13, 30), "gamma": (30, 55)}
CALIBRATION = ROOT / "../shared/data/chbmit-excerpts/calibration.json"
WINDOW_S = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a small simulated patient."""
    path = tmp_path_factory.mktemp("tiny")
    simulate_patient(path, "tiny", SMALL, 3)
    return path


@pytest.fixture(scope="module")
def sim08():
    """Return the study's own patient in windows: band powers [window, 18, 5] and what each window is."""
    patient = yaml.safe_load((ROOT / "params/patients/sim08.yaml").read_text(encoding="utf-8"))
    windows, rows = [], []
    for name, plan in patient["recordings"].items():
        eeg, _ = simulate_recording("sim08", name, plan["duration_s"], plan["seizures"], patient["seed"])
        first = min((start for start, _ in plan["seizures"]), default=0)
        for t in range(0, plan["duration_s"] - WINDOW_S + 1, WINDOW_S):
            ictal = sum(max(0, min(t + WINDOW_S, end) - max(t, start)) for start, end in plan["seizures"])
            rows.append((name, ictal >= WINDOW_S / 2, t + WINDOW_S <= first))
            windows.append(np.float32(eeg[:18, 256 * t : 256 * (t + WINDOW_S)]))
    windows = np.array(windows)
    return windows, band_powers(windows), pd.DataFrame(rows, columns=["recording", "ictal", "preictal"])


def band_powers(windows):
    """Return powers [window, channel, 5] in µV²: Welch, 2-s segments, as in calibration.json."""
    hertz, density = welch(windows, 256, nperseg=512)
    bands = [density[..., (hertz >= low) & (hertz < high)].sum(-1) * hertz[1] for low, high in BANDS_HZ.values()]
    return np.stack(bands, axis=-1)


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_second_run_gives_the_same_bytes(folder, tmp_path):
    simulate_patient(tmp_path, "tiny", SMALL, 3)
    assert digests(tmp_path) == digests(folder)
    assert sorted(digests(folder)) == ["tiny-planted.csv", "tiny-summary.txt", "tiny_01.edf", "tiny_02.edf"]


def test_generator_is_the_same_in_each_process():
    draws = simulation._generator(8, "sim08").integers(1000, size=3)  # with Python's hash() they would change
    assert draws.tolist() == [684, 126, 532]


def test_seed_and_name_both_decide():
    first, _ = simulate_recording("tiny", "tiny_02", 12, [], 3)
    assert not np.allclose(first, simulate_recording("tiny", "tiny_02", 12, [], 4)[0])
    assert not np.allclose(first, simulate_recording("tiny", "tiny_03", 12, [], 3)[0])


def test_edf_holds_what_was_simulated(folder):
    """Within half a step; T8-P8 twice, as in CHB-MIT; P7-T7 is T7-P7 negated; both left chains run from FP1 to O1."""
    eeg, _ = simulate_recording("tiny", "tiny_01", 40, [[15, 32]], 3)
    with pytest.warns(RuntimeWarning, match="not unique"):
        raw = mne.io.read_raw_edf(folder / "tiny_01.edf", verbose="warning")
    assert [re.sub(r"(T8-P8)-\d", r"\1", name) for name in raw.ch_names] == list(CHANNELS)
    assert raw.info["sfreq"] == 256 and raw.n_times == 40 * 256
    stored, at = raw.get_data() * 1e6, CHANNELS.index
    assert np.abs(stored - eeg).max() <= 0.501 * simulation.BIT_UV
    for signal in (stored, eeg):
        np.testing.assert_allclose(signal[22], signal[at("T8-P8")], atol=1e-6)
        np.testing.assert_allclose(signal[at("P7-T7")], -signal[at("T7-P7")], atol=1e-6)
    np.testing.assert_allclose(eeg[0:4].sum(0), eeg[4:8].sum(0), atol=1e-6)


def test_summary_has_chbmits_layout(folder):
    lines = (folder / "tiny-summary.txt").read_text(encoding="utf-8").split("\n")
    assert lines[:3] == ["Data Sampling Rate: 256 Hz", "*" * 25, ""]
    assert lines[3:6] == ["Channels in EDF Files:", "*" * 22, "Channel 1: FP1-F7"]
    assert lines[27:] == [
        *("Channel 23: T8-P8", "", "File Name: tiny_01.edf", "File Start Time: 10:00:00", "File End Time: 10:00:40"),
        *("Number of Seizures in File: 1", "Seizure 1 Start Time: 15 seconds", "Seizure 1 End Time: 32 seconds", ""),
        *("File Name: tiny_02.edf", "File Start Time: 10:00:47", "File End Time: 10:00:59"),
        *("Number of Seizures in File: 0", ""),
    ]


def test_planted_rows_lie_inside_seizures(folder):
    planted = pd.read_csv(folder / "tiny-planted.csv")
    assert list(planted) == simulation.PLANTED_COLUMNS and set(planted["recording"]) == {"tiny_01"}
    assert planted["start_s"].min() >= 15 and planted["end_s"].max() <= 32
    assert (planted["start_s"] < planted["end_s"]).all() and (planted["low_hz"] < planted["high_hz"]).all()
    assert set(planted["channel"]) <= set(CHANNELS) and (planted["amplitude"] >= ictal.NOTICEABLE_UV).all()
    assert planted.groupby(["start_s", "low_hz"])["channel"].count().max() <= len(CHANNELS)


def test_power_is_where_it_was_planted():
    """Where more was planted than the background has, the EEG's power in band and second is the amplitude squared."""
    eeg, planted = simulate_recording("sim08", "sim08_04", 240, [[75, 133]], 8)
    strong = planted[planted["amplitude"] > 60]
    assert len(strong) > 50
    ratios = []
    for row in strong.itertuples():
        second = eeg[CHANNELS.index(row.channel), int(256 * row.start_s) : int(256 * row.end_s)]
        hertz, density = welch(second, 256, nperseg=256)
        ratios.append(density[(hertz >= row.low_hz) & (hertz <= row.high_hz)].sum() / row.amplitude**2)
    assert 0.7 < np.median(ratios) < 1.4 and np.quantile(ratios, 0.1) > 0.3, np.quantile(ratios, [0.1, 0.5, 0.9])


def test_seizure_starts_at_the_focus_and_slows_down():
    _, planted = simulate_recording("sim08", "sim08_04", 240, [[75, 133]], 8)
    early, late = planted[planted["start_s"] < 78], planted[planted["start_s"] >= 110]
    focus = simulation._traits(8, "sim08")["focus"]
    assert focus in early.loc[early["amplitude"].idxmax(), "channel"].split("-")
    first = planted[planted["start_s"] < 76]
    assert late["channel"].nunique() == len(set(CHANNELS)) > first["channel"].nunique()
    theta = early[(early["low_hz"] > 3.5) & (early["high_hz"] < 13)]
    assert theta["amplitude"].max() > 20 and late.loc[late["amplitude"].idxmax(), "low_hz"] < 3


@pytest.mark.slow
def test_seizures_begin_visibly():
    """As real ones (chb01: +1.7 dB delta, +3.8 dB theta), over 4 s against the 10 s before, a mean over 24 seizures."""
    decibels = []
    for seed in range(24):
        eeg, _ = simulate_recording(f"p{seed}", f"p{seed}_01", 50, [[20, 50]], seed)
        before, early = (band_powers(eeg[:18, 256 * start : 256 * end]) for start, end in ((10, 20), (20, 24)))
        decibels.append(10 * np.log10(early / before).mean(axis=0))
    delta, theta, *_ = np.mean(decibels, axis=0)
    assert 0 < delta < 4 and 1.5 < theta < 7, np.mean(decibels, axis=0)


@pytest.mark.slow
def test_recordings_of_a_patient_differ():
    """In each band by more than a decibel, as the standard deviation of their means does in chb01 (1.1 to 4.3 dB)."""
    recordings = [simulate_recording("sim08", f"sim08_{number:02d}", 120, [], 8)[0][:18] for number in range(8)]
    means = [10 * np.log10(band_powers(eeg)).mean(axis=0) for eeg in recordings]
    assert (np.std(means, axis=0) > 1).all(), np.std(means, axis=0)


@pytest.mark.slow
@pytest.mark.skipif(not CALIBRATION.exists(), reason="../shared/data, the statistics of real EEG, is not there")
@pytest.mark.parametrize("state", ["preictal", "ictal"])
def test_statistics_are_those_of_real_eeg(sim08, state):
    windows, powers, rows = sim08
    real, chosen = read_json(CALIBRATION)[state], rows[state].to_numpy()
    simulated = {name: np.median(powers[chosen][..., i]) for i, name in enumerate(BANDS_HZ)}
    wanted = {name: percentiles[1] for name, percentiles in real["band_power_uV2"].items()}
    simulated["rms"], wanted["rms"] = np.median(windows[chosen].std(-1)), real["rms_uV"]["median"]
    ratios = {name: simulated[name] / wanted[name] for name in wanted}
    assert all(1 / 1.6 < ratio < 1.6 for ratio in ratios.values()), ratios
    correlations = np.abs([np.corrcoef(window)[np.triu_indices(18, 1)] for window in windows[chosen]])
    difference = np.percentile(correlations, [10, 50, 90]) - real["abs_channel_corr_p10_50_90"]
    assert np.abs(difference).max() < 0.1, difference


@pytest.mark.slow
def test_sim08_is_hard_but_not_hopeless(sim08):
    """Logistic regression on log band powers, leave one recording out, ictal against all other windows."""
    _, powers, rows = sim08
    features, ictal = np.log(powers).reshape(len(powers), -1), rows["ictal"].to_numpy()
    score = np.zeros(len(ictal))
    for name in rows["recording"].unique():
        test = (rows["recording"] == name).to_numpy()
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        score[test] = model.fit(features[~test], ictal[~test]).decision_function(features[test])
    seizures = rows.assign(score=score).groupby("recording").filter(lambda part: part["ictal"].any())
    each = [roc_auc_score(part["ictal"], part["score"]) for _, part in seizures.groupby("recording")]
    pooled, mean = roc_auc_score(ictal, score), np.mean(each)
    assert 0.8 <= pooled <= 0.95 and 0.8 <= mean <= 0.95, (pooled, mean)


def test_sim08_plan_is_what_the_design_asks():
    patient = yaml.safe_load((ROOT / "params/patients/sim08.yaml").read_text(encoding="utf-8"))
    plans = [plan["seizures"] for plan in patient["recordings"].values()]
    assert patient["source"] == "simulate" and sorted(map(len, plans)) == [0] * 8 + [1] * 3 + [2] * 5
    assert {plan["duration_s"] for plan in patient["recordings"].values()} == {900}
    assert all(60 <= start <= end - 25 <= start + 50 <= 830 and end <= 780 for plan in plans for start, end in plan)
    assert all(plan[1][0] - plan[0][1] >= 200 for plan in plans if len(plan) == 2)


def check_plan(recordings):
    declared = {"source": "simulate", "seed": 1, "recordings": recordings}
    return parameters.validate(parameters.SOURCES["simulate"], declared, "x.yaml")["recordings"]


@pytest.mark.parametrize("seizure", [[50, 70], [-1, 20], [30, 20], [30, 30], [10, 30.5], [2, 20]])
def test_bad_plans_are_refused(seizure):
    """After a seizure until 5 s of 60: past the end, before the start, backwards, empty, in half seconds, too soon."""
    plan = {name: {"duration_s": 60, "seizures": [[1, 5]]} for name in ("good_01", "bad_02")}
    assert check_plan(plan) == plan
    plan["bad_02"]["seizures"].append(seizure)
    wanted = rf"bad_02.*seizure \[{seizure[0]}, {seizure[1]}\] must be in whole seconds.*5 <= start < end <= 60"
    with pytest.raises(ValueError, match=wanted):
        check_plan(plan)


@pytest.mark.parametrize("recordings", [{}, None])
def test_no_recordings_are_refused(recordings):
    with pytest.raises(ValueError, match=r"x.yaml: recordings is .*: .*[Dd]ictionary"):
        check_plan(recordings)


def test_shortest_seizure_at_the_very_end():
    eeg, planted = simulate_recording("tiny", "tiny_09", 5, [[4, 5]], 1)
    assert eeg.shape == (23, 5 * 256) and np.isfinite(eeg).all() and list(planted) == simulation.PLANTED_COLUMNS


@pytest.mark.parametrize("name", ["/mine", "../mine", "a/../../mine", "..", "", ".a", "a\nb", "a\0b", "-a", "é"])
def test_no_name_leads_out_of_the_folder(name):
    """A path in the place of a recording's name is refused before anything is written."""
    with pytest.raises(ValueError, match="recordings"):
        check_plan({"p_01": {"duration_s": 12, "seizures": []}, name: {"duration_s": 12, "seizures": []}})


def test_a_recording_taken_out_of_the_plan_goes(tmp_path):
    """tiny_01 and tiny_02, then tiny_02 alone: the folder and its summary hold no more than the plan; what a person put
    there stays, whatever it is called."""
    plan = {name: {"duration_s": 12, "seizures": []} for name in ("tiny_01", "tiny_02")}
    simulate_patient(tmp_path, "tiny", plan, 3)
    made = (tmp_path / "tiny_01.edf").read_bytes()
    (tmp_path / "mine.edf").write_text("")
    (tmp_path / "tiny_mine.edf").write_bytes(made.replace(b"01-JAN-2000 X X simulated", b"01-JAN-2000 X X EMG561   "))
    (tmp_path / ".tiny_01.999999999.partial.edf").write_text("of a killed run")
    simulate_patient(tmp_path, "tiny", {"tiny_02": plan["tiny_02"]}, 3)
    assert sorted(path.name for path in tmp_path.glob("*.edf")) == ["mine.edf", "tiny_02.edf", "tiny_mine.edf"]
