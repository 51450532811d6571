"""Explore a finished patient: EEG, power, attribution and probability of any moment, together in one figure."""

import io
from functools import cache, partial

import ipywidgets as widgets
import numpy as np
import pandas as pd

from helpers import figures
from helpers.acquire import edf
from helpers.acquire.annotations import Annotations
from helpers.evaluate.figures import draw_course
from helpers.explain import attributions, sample_figures
from helpers.preprocess import spectrograms
from helpers.study import files, patients
from helpers.train import network

STORED = (*attributions.METHODS, "ig_channels")
# The slider lies over the picture of the probability, so that a click in it jumps there.
STYLE = """<style>
.explore .noUi-target, .explore .noUi-base, .explore .noUi-connects, .explore .noUi-connect {
  height: 70px; top: 0 !important; border: none; background: none !important; box-shadow: none }
.explore .noUi-handle { height: 70px !important; top: 0 !important; width: 8px !important; right: -4px !important;
  border-radius: 2px !important; background: #0008 !important }
</style>"""


class Study:
    """What the stages up to explain left of a patient; FileNotFoundError says which has not run, and how to run it."""

    def __init__(self, patient):
        self.patient, self.annotations = patient, Annotations.read(patient)
        self.path = partial(files.stage_output, patient)
        self.decisions = files.read_table(self.path("evaluate", "decisions.csv"))
        self.recordings = files.read_table(self.path("acquire", "recordings.csv")).set_index("recording")
        self.simulated = files.read_json(self.path("acquire", "source.json"))["simulated"]
        self.axis = files.read_json(self.path("preprocess", "axes.json"))
        self.powers = spectrograms.open_spectrogram(self.path("preprocess", "spectrograms"), self.recordings.index)
        folds = files.read_json(self.path("train", "training.json"))["folds"]
        self.members = {fold["fold"]: fold["networks"] for fold in folds}
        self.words = files.read_json(self.path("explain", "sanity.json"))["words"]  # what each method passed
        with np.load(self.path("explain", "attributions.npz")) as stored:
            maps = zip(stored["sample"].tolist(), *(stored[name] for name in STORED), strict=True)
            self.maps = {sample: dict(zip(STORED, of, strict=True)) for sample, *of in maps}
        weights = self.path("train", "weights")
        self.mean = cache(lambda fold: network.load_ensemble(weights, self.members[fold]).mean.numpy())
        self.open = cache(self._open)

    def sample_at(self, recording, moment_s):
        """Return the row of ``decisions.csv`` that decides on the frame of a moment; ValueError if there is none."""
        own = self.decisions[self.decisions["recording"] == recording]
        if own.empty or not own["last_start_s"].min() <= moment_s <= self.annotations.durations_s[recording]:
            raise ValueError(f"There is no decision on {recording} at {moment_s:g} s: two frames must come before it.")
        return next(own[own["last_start_s"] <= moment_s + 1e-6].iloc[-1:].itertuples(index=False, name="Sample"))

    def _open(self, recording):
        file = self.recordings.loc[recording]
        return edf.read_checked(patients.recordings_folder(self.patient) / file["file"], file["sha256"])

    def eeg(self, sample):
        """Return the double banana's EEG of a triptych, float [18, sample] in µV."""
        rate = self.recordings.loc[sample.recording, "sampling_hz"]
        return edf.read(self.open(sample.recording), round(sample.start_s * rate), round(sample.end_s * rate))

    def power(self, sample):
        """Return a triptych's log power in dB, float32 [18, F, 3 · T]."""
        columns = slice(sample.column, sample.column + 3 * self.axis["frame_columns"])
        return self.powers[sample.recording][:, :, columns].astype(np.float32)

    def attributions(self, sample):
        """Return what the stage explain stored of a sample, or else compute it as that stage does: arrays by name."""
        if sample.sample not in self.maps:
            folders = self.path("preprocess", "spectrograms"), self.path("train", "weights")
            sizes = self.axis["frame_columns"], files.read_yaml(files.ROOT / "params" / "explain.yaml")["ig_steps"]
            found = attributions.explain_all(*folders, self.members, pd.DataFrame([sample]), *sizes)
            self.maps[sample.sample] = {name: found[name][0] for name in STORED}
        return self.maps[sample.sample]


def figure(study, recording, moment_s, method="gradcam", drawn=None):
    """Show the triptych whose last frame holds a moment; `drawn`, an earlier figure, is drawn on again."""
    sample = study.sample_at(recording, moment_s)
    above, maps = (study.power(sample) - study.mean(sample.fold)).mean(axis=0), study.attributions(sample)
    moment = sample_figures.Moment(sample, study.eeg(sample), above, maps, maps["ig_channels"].sum(axis=2))
    about = study.axis, study.decisions, study.annotations.spans(recording), study.simulated, study.words
    return sample_figures.sample_figure(moment, *about, method, drawn)


def overview(study, recording, start_s, end_s):
    """Show the probability over a recording, as wide as the slider that lies over it."""
    place = {"left": 0.0092, "right": 0.9908, "bottom": 0}
    strip, axis = figures.begin(figures.WIDTH, 0.7, layout="none", gridspec_kw=place)
    draw_course(axis, study.decisions, study.annotations.spans(recording), recording, 1)
    axis.set(xlim=(start_s, end_s), xticks=[], yticks=[])
    return strip


def _png(drawn):
    drawn.savefig(held := io.BytesIO(), format="png", dpi=100, pil_kwargs={"compress_level": 1})
    return held.getvalue()


def controls():
    """Return controls for recording, method and time, with the probability to click in, above the figure."""
    done = sorted(path.parents[1].name for path in (files.ROOT / "output").glob("*/explain/sanity.json"))
    if not done:
        raise FileNotFoundError("No patient in output/ has gone through the stages up to explain. Run `make study`.")
    open_study, drawn = cache(Study), {}
    names = {f"{one}: {name}": (one, name) for one in done for name in Annotations.read(one).durations_s}
    recording = widgets.Dropdown(options=names, description="recording")
    method = widgets.Dropdown(options={name: key for key, name in attributions.METHODS.items()}, description="method")
    typed = widgets.BoundedFloatText(description="time (s)", layout={"width": "12em"})
    wide = {"width": "650px", "margin": "0"}
    time = widgets.FloatSlider(readout=False, layout=wide | {"margin": "-72px 0 2px 0", "height": "70px"})
    time.add_class("explore")
    strip, picture, message = widgets.Image(layout=wide), widgets.Image(layout=wide), widgets.HTML(STYLE)
    widgets.jslink((time, "value"), (typed, "value"))

    def show(_=None):
        try:
            study = open_study(recording.value[0])
            drawn["figure"] = figure(study, recording.value[1], time.value, method.value, drawn.get("figure"))
            picture.value, message.value = _png(drawn["figure"]), STYLE
        except (ValueError, OSError, RuntimeError) as error:
            message.value = f"{STYLE}Not possible: {error}"

    def choose(_=None):
        study, name = open_study(recording.value[0]), recording.value[1]
        own = study.decisions[study.decisions["recording"] == name]["last_start_s"]
        strip.value = _png(overview(study, name, own.min(), own.max()))
        with time.hold_trait_notifications():
            time.step, time.min, time.max, time.value = study.axis["frame_s"], own.min(), own.max(), own.min()
        typed.step, typed.min, typed.max = time.step, time.min, time.max
        show()

    def jump(frames):
        button = widgets.Button(description=f"{'◀' if frames < 0 else '▶'} {abs(frames)}", layout={"width": "4em"})
        button.tooltip = f"{abs(frames)} frames {'back' if frames < 0 else 'on'}"
        button.on_click(lambda _: setattr(time, "value", min(time.max, max(time.min, time.value + frames * time.step))))
        return button

    choose()
    recording.observe(choose, "value")
    time.observe(show, "value")
    method.observe(show, "value")
    row = widgets.HBox([recording, method, typed, *map(jump, (-3, -1, 1, 3))])
    return widgets.VBox([row, strip, time, message, picture])
