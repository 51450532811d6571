"""The simulator beside real EEG: ``python -m benchmarks.simulated`` writes ``output/benchmark/simulated.json`` and a
picture, ``simulated.svg``.

Real background is what comes before the seizures of chb01's excerpts, and the clips of strangers whose judged seconds
most experts called no seizure and no pattern. Logistic regression on log band powers tells its 4-s frames from those
of 48 simulated patients, each recording left out in turn; six times, as 48 others move the result. A simulated patient
in chb01's place is the control: what an unfamiliar patient alone is worth. Takes two minutes.
"""

import time

import numpy as np
import pandas as pd
import yaml
from scipy.signal import spectrogram, welch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.common import FOLDER, ROOT, measured_at, progress, rounded
from helpers import figures
from helpers.acquire import edf
from helpers.acquire.montages import DOUBLE_BANANA
from helpers.acquire.simulated import simulation
from helpers.study import files
from helpers.study.bands import BANDS, band_masks

DATA = ROOT / "../shared/data"
EXCERPTS, STRANGERS = DATA / "chbmit-excerpts" / "chb01", DATA / "iiic"
ONSET_S, EARLY_S, FRAME_S = 10, 4, 4  # of the excerpts' seizures
SETS, CONTROLS, DURATION_S = [range(first, first + 48) for first in range(100, 388, 48)], range(400, 412), 80
TEMPORAL = ("FP1-F7", "F7-T7", "T7-P7", "P7-O1", "FP2-F8", "F8-T8", "T8-P8", "P8-O2")  # of both sides
POWER = "power, mean over these channels (dB re 1 µV²/Hz)"
CREDIT = (
    "Traces are filtered to 1–40 Hz, negative up. Spectrograms: windows of 1 s. "
    "Simulated background: 10 s of median amplitude.\n"
    "Real EEG: CHB-MIT 1.0.0, patient chb01 (PhysioNet, DOI 10.13026/C2K01R; ODC-By 1.0)."
)


def simulate(seed, number=1, duration_s=DURATION_S, seizures=()):
    """Return a recording [18, sample] of a simulated patient, in µV, and its sampling rate."""
    eeg, _ = simulation.simulate_recording(f"p{seed}", f"p{seed}_{number}", duration_s, list(seizures), seed)
    return eeg[:18], 256


def read(path):
    """Return a recording [18, sample] of real EEG, in µV, and its sampling rate."""
    recording = edf.open_edf(path)
    return edf.read(recording).astype(float), recording.header.sampling_hz


def band_power(eeg, hz):
    """Return powers [..., channel, 5] in µV², by Welch's method with segments of 2 s."""
    frequencies, density = welch(eeg, hz, nperseg=int(2 * hz))
    return np.stack([density[..., mask].sum(-1) / 2 for mask in band_masks(frequencies).values()], axis=-1)


def frames(eeg, hz):
    """Return log10 band powers [frame, 90]."""
    count = int(eeg.shape[1] / hz / FRAME_S)
    parts = np.stack(np.split(eeg[:, : int(count * FRAME_S * hz)], count, axis=1))
    return np.log10(band_power(parts, hz) + 1e-4).reshape(count, -1)


def separation(real, simulated):
    """Return the AUROC by which real frames are told from simulated ones, each a dict of recording → frames."""
    groups = {**real, **simulated}
    labels = np.concatenate([np.full(len(part), name in real) for name, part in groups.items()])
    names = np.concatenate([[name] * len(part) for name, part in groups.items()])
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2000))
    features, one_out = np.concatenate(list(groups.values())), LeaveOneGroupOut()
    scores = cross_val_predict(model, features, labels, groups=names, cv=one_out, method="decision_function", n_jobs=2)
    return roc_auc_score(labels, scores)


def over_sets(real, sets):
    """Return mean and range of `separation` over sets of simulated patients."""
    return spread([separation(real, simulated) for simulated in sets])


def spread(values):
    return {"mean": float(np.mean(values)), "low": min(values), "high": max(values)}


def onset_db(eeg, hz, onset_s):
    """Return by how much the first 4 s of a seizure exceed the 10 s before [5], in dB: a mean over channels."""
    onset, before, early = int(onset_s * hz), int(ONSET_S * hz), int(EARLY_S * hz)
    powers = [band_power(part, hz) for part in (eeg[:, onset : onset + early], eeg[:, onset - before : onset])]
    return 10 * np.log10(powers[0] / powers[1]).mean(axis=0)


def onsets(values):
    """Return mean and standard deviation of seizures' `onset_db` in each band."""
    means, spreads = np.mean(values, axis=0), np.std(values, axis=0, ddof=1)
    named = zip((name for name, _, _ in BANDS.values()), means, spreads, strict=True)
    return {"seizures": len(values), **{name: {"mean_db": mean, "sd_db": sd} for name, mean, sd in named}}


def draw(panels):
    """Return a figure of EEG, 10 s in each panel over its spectrogram: title → (EEG, sampling rate, first second)."""
    figure, axes = figures.begin(1.3 * figures.WIDTH, 9, 4, 2, height_ratios=[2.4, 1, 2.4, 1])
    shown = [DOUBLE_BANANA.index(name) for name in TEMPORAL]
    pairs = zip([*axes[0], *axes[2]], [*axes[1], *axes[3]], panels.items(), strict=True)
    for axis, below, (title, (eeg, hz, start_s)) in pairs:
        signal = eeg[shown, int(start_s * hz) : int((start_s + 10) * hz)]
        figures.draw_traces(axis, signal, hz, TEMPORAL, start_s)
        axis.set_title(title)
        options = {"nperseg": int(hz), "noverlap": int(7 * hz / 8), "nfft": int(2 * hz)}
        frequencies, _, density = spectrogram(signal, hz, **options)
        band = (frequencies >= 1) & (frequencies <= 40)
        power = 10 * np.log10(density.mean(axis=0)[band])
        colours = {"cmap": figures.SPECTROGRAM_MAP, "vmin": -10, "vmax": 40}  # dB, the same in all panels
        image = figures.draw(below, power, frequencies[band], start_s + 7 / 16, 1 / 8, **colours)
        below.set_xlim(start_s, start_s + 10)
    figure.colorbar(image, ax=axes, location="bottom", shrink=0.4, aspect=40, pad=0.01, label=POWER)
    figure.supxlabel(CREDIT, fontsize=8)
    return figure


def main():
    progress("real EEG")
    excerpts = {path.stem: read(path) for path in sorted(EXCERPTS.glob("*.edf"))}
    votes = pd.read_csv(STRANGERS / "votes.tsv", sep="\t", index_col="file")
    clips = votes.index[votes["Other"] >= votes.iloc[:, 2:].sum(axis=1) / 2]
    chb01 = {name: frames(eeg[:, : int(ONSET_S * hz)], hz) for name, (eeg, hz) in excerpts.items()}
    strangers = {clip: frames(*read(STRANGERS / clip)) for clip in clips}
    progress("simulated EEG")
    sets = [{f"p{seed}": frames(*simulate(seed)) for seed in seeds} for seeds in SETS]
    progress("real against simulated")
    short = [{f"control {n}": frames(*simulate(seed, n, ONSET_S)) for n in range(len(chb01))} for seed in CONTROLS]
    auroc = {
        "all": over_sets({**chb01, **strangers}, sets),
        "chb01": over_sets(chb01, sets),
        "strangers": over_sets(strangers, sets),
        "a simulated patient in chb01's place": spread([separation(control, sets[0]) for control in short]),
    }
    begun = time.process_time()
    simulate(8, duration_s=3600, seizures=[[1700, 1871]])
    cpu_s = time.process_time() - begun
    seizures = [simulate(seed, 2, 90, [(30, 70)]) for seed in SETS[0]]
    onset = {
        "chb01": onsets([onset_db(*recording, ONSET_S) for recording in excerpts.values()]),
        "simulated": onsets([onset_db(*recording, 30) for recording in seizures]),
    }
    counts = {"frames": {"chb01": sum(map(len, chb01.values())), "strangers": sum(map(len, strangers.values()))}}
    counts |= {"strangers": sorted(clips), "simulated_patients": f"{len(SETS)} times {len(SETS[0])}"}
    about = {**measured_at(), **counts}
    found = {"auroc": auroc, "onset": onset, "cpu_s_per_hour": cpu_s}
    files.write_json(FOLDER / "simulated.json", rounded({**about, **found}))
    sim08 = yaml.safe_load((ROOT / "params" / "patients" / "sim08.yaml").read_text("utf-8"))
    simulated = {}
    for name in ("sim08_02", "sim08_07"):
        plan = sim08["recordings"][name].values()
        simulated[name] = simulation.simulate_recording("sim08", name, *plan, sim08["seed"])[0][:18], 256
    pieces = simulated["sim08_02"][0].reshape(18, -1, 10 * 256).std(axis=(0, 2))
    median_s = 10 * int(np.argsort(pieces)[len(pieces) // 2])
    onset_s = sim08["recordings"]["sim08_07"]["seizures"][0][0]
    panels = {
        "Real (chb01_03): background": (*excerpts["chb01_03"], 0),
        "Simulated (sim08_02): background": (*simulated["sim08_02"], median_s),
        "Real (chb01_04): onset at 10 s": (*excerpts["chb01_04"], ONSET_S - 3),
        f"Simulated (sim08_07): onset at {onset_s} s": (*simulated["sim08_07"], onset_s - 3),
    }
    figures.save(draw(panels), FOLDER / "simulated.svg")


if __name__ == "__main__":
    main()
