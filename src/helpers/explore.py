"""Explore a finished patient: EEG, spectrogram, attribution and probability of any moment, together in one figure."""

from functools import lru_cache, partial

import ipywidgets as widgets
import numpy as np
import pandas as pd
from IPython.display import display

from helpers import figures
from helpers.acquire import edf
from helpers.acquire.annotations import Annotations
from helpers.evaluate import figures as score_figures
from helpers.explain import attribution_figures, attributions
from helpers.preprocess import spectrograms
from helpers.study import files, patients

STEPS = ("t0 to t2", "t0", "t1", "t2")
TEXT = {"recording": str}


class Study:
    """What the stages up to explain left of a patient; FileNotFoundError says which has not run, and how to run it."""

    def __init__(self, patient):
        self.patient, self.annotations = patient, Annotations.read(patient)
        self.path = partial(files.stage_output, patient)
        self.decisions = pd.read_csv(self.path("evaluate", "decisions.csv"), dtype=TEXT)
        self.recordings = pd.read_csv(self.path("acquire", "recordings.csv"), dtype=TEXT).set_index("recording")
        self.simulated = files.read_json(self.path("acquire", "source.json"))["simulated"]
        self.axis = files.read_json(self.path("preprocess", "axes.json"))
        self.powers = spectrograms.open_spectrogram(self.path("preprocess", "spectrograms"), self.recordings.index)
        self.verdicts = files.read_json(self.path("explain", "sanity.json"))["verdicts"]
        with np.load(self.path("explain", "attributions.npz")) as stored:
            maps = zip(stored["sample"].tolist(), *(stored[method] for method in attributions.METHODS), strict=True)
            self.maps = {sample: dict(zip(attributions.METHODS, of, strict=True)) for sample, *of in maps}
        spaced = self.decisions.iloc[:: len(self.decisions) // 200 + 1].itertuples()
        self.limits_db = np.percentile([self.power(row) for row in spaced], [2, 98])  # one scale for all moments

    def sample_at(self, recording, moment_s):
        """Return the row of ``decisions.csv`` that decides on the frame of a moment; ValueError if there is none."""
        own = self.decisions[self.decisions["recording"] == recording]
        if own.empty or not own["last_start_s"].min() <= moment_s <= self.annotations.durations_s[recording]:
            raise ValueError(f"There is no decision on {recording} at {moment_s:g} s: two frames must come before it.")
        return next(own[own["last_start_s"] <= moment_s + 1e-6].iloc[-1:].itertuples(index=False, name="Sample"))

    def eeg(self, sample):
        """Return the double banana's EEG of a triptych, float [18, sample] in µV, and its sampling rate in Hz."""
        file = self.recordings.loc[sample.recording]
        opened = edf.read_checked(patients.recordings_folder(self.patient) / file["file"], file["sha256"])
        rate = file["sampling_hz"]
        return edf.read(opened, round(sample.start_s * rate), round(sample.end_s * rate)), rate

    def power(self, sample):
        """Return a triptych's log power in dB, averaged over channels: float32 [F, 3 · T]."""
        columns = slice(sample.column, sample.column + 3 * self.axis["frame_columns"])
        return self.powers[sample.recording][:, :, columns].mean(axis=0, dtype=np.float32)

    def attribution(self, sample, method):
        """Return what the stage explain stored of a sample, or else compute it as that stage does: float [3, F, T]."""
        if sample.sample not in self.maps:
            folders = self.path("preprocess", "spectrograms"), self.path("train", "weights")
            trained = files.read_json(self.path("train", "training.json"))
            members = {fold["fold"]: fold["networks"] for fold in trained["folds"]}
            sizes = self.axis["frame_columns"], files.read_yaml(files.ROOT / "params" / "explain.yaml")["ig_steps"]
            found = attributions.explain_all(*folders, members, pd.DataFrame([sample]), *sizes)
            self.maps[sample.sample] = {name: found[name][0] for name in attributions.METHODS}
        return self.maps[sample.sample][method]

    def describe(self, sample):
        """Return a sample's place and decision in words."""
        true, predicted = ("seizure" if label else "non-seizure" for label in (sample.label, sample.decided))
        return (
            f"{sample.recording}{', simulated' if self.simulated else ''}, {sample.start_s:g}–{sample.end_s:g} s: "
            f"true {true}, predicted {predicted}; p_seizure {sample.p_seizure:.3f}, threshold {sample.threshold:.3f}; "
            f"{'' if sample.alarm else 'no '}alarm"
        )


def figure(study, recording, moment_s, method="gradcam", step=STEPS[0]):
    """Show the triptych whose last frame holds a moment, attribution at a step of `STEPS`, and the probability."""
    sample, axis = study.sample_at(recording, moment_s), study.axis
    drawn, axes = figures.begin(11, 9, 4, 2, width_ratios=[70, 1], height_ratios=[5, 1.7, 1.7, 1.2])
    (eeg, power, heat, course), keys = axes.T
    keys[0].remove()
    keys[3].remove()
    figures.draw_traces(eeg, *study.eeg(sample), axis["channels"], sample.start_s)
    eeg.set_title(study.describe(sample), loc="left")
    place = axis["frequencies_hz"], sample.start_s, axis["hop_s"]
    image = figures.draw(power, study.power(sample), *place, cmap=figures.SPECTROGRAM_MAP, clim=study.limits_db)
    drawn.colorbar(image, cax=keys[1], label="dB re 1 µV²/Hz")
    _draw_attribution(heat, keys[2], study, sample, place, method, step)
    for panel in (eeg, power, heat):
        inside = {"transform": panel.get_xaxis_transform()}
        panel.vlines(sample.start_s + axis["frame_s"] * np.arange(1, 3), 0, 1, "grey", **inside)
        panel.vlines(study.annotations.spans(recording).ravel(), 0, 1, figures.SEIZURE, "--", **inside)
        panel.set(xlabel="", xlim=(sample.start_s, sample.end_s))
    score_figures.draw_course(course, study.decisions, study.annotations.spans(recording), recording, 1)
    course.axhline(sample.threshold, color="grey", linestyle=":")
    course.axvspan(sample.start_s, sample.end_s, facecolor="none", edgecolor="black", linewidth=1.4)
    course.set(xlim=(0, study.annotations.durations_s[recording]), xlabel="time (s)", ylabel="p_seizure")
    course.set_title("probability (dotted: threshold for a sample, dashed: for an alarm)", loc="left")
    return drawn


def _draw_attribution(panel, key, study, sample, place, method, step):
    """Draw the attribution of a step's frames, on one scale for the triptych."""
    values, signed = study.attribution(sample, method), method == "ig"
    peak = max(float(np.abs(values).max()), np.finfo(np.float32).tiny)
    kept = [[[step in (STEPS[0], one)]] for one in STEPS[1:]]
    values = np.concatenate(np.where(kept, values / (1 if signed else peak), np.nan), axis=1)
    if signed:
        of, options = "log-odds of seizure", {"cmap": attribution_figures.SIGNED_MAP, "vmin": -peak, "vmax": peak}
    else:
        of, options = "predicted class", {"cmap": attribution_figures.RELEVANCE_MAP, "vmin": 0, "vmax": 1, "alpha": 0.6}
        figures.draw(panel, study.power(sample), *place, bands=False, cmap="gray")
    image = figures.draw(panel, values, *place, lines="black", **options)
    panel.figure.colorbar(image, cax=key, label="log-odds" if signed else "relevance")
    failed = ", ".join(test for test, passed in study.verdicts[method].items() if passed is False)
    panel.set_title(f"{attributions.METHODS[method]}, {of}" + (f"; fails: {failed}" if failed else ""), loc="left")


def controls():
    """Return controls for recording, time, method and step, above the figure that they choose."""
    done = sorted(path.parents[1].name for path in (files.ROOT / "output").glob("*/explain/sanity.json"))
    if not done:
        raise FileNotFoundError("No patient in output/ has gone through the stages up to explain. Run `make study`.")
    open_study = lru_cache(Study)
    names = {f"{one}: {name}": (one, name) for one in done for name in Annotations.read(one).durations_s}
    recording = widgets.Dropdown(options=names, description="recording")
    time = widgets.FloatSlider(description="time (s)", continuous_update=False, readout_format=".1f")
    method = widgets.Dropdown(options={name: key for key, name in attributions.METHODS.items()}, description="method")
    step = widgets.Dropdown(options=STEPS, description="step")

    def set_times(_=None):
        study = open_study(recording.value[0])
        own = study.decisions[study.decisions["recording"] == recording.value[1]]["last_start_s"]
        time.min, time.max, time.step = 0, own.max(), study.axis["frame_s"]
        time.min = time.value = own.min()

    def draw(recording, time, method, step):
        try:
            display(figure(open_study(recording[0]), recording[1], time, method, step))
        except (ValueError, OSError, RuntimeError) as error:
            print(f"Not possible: {error}")

    set_times()
    recording.observe(set_times, "value")
    shown = widgets.interactive_output(draw, {"recording": recording, "time": time, "method": method, "step": step})
    return widgets.VBox([widgets.HBox([recording, time, method, step]), shown])
