"""Moments of a finished patient: what the stages left about any of them, read only when it is asked for."""

import contextlib
import difflib
import io

import numpy as np
import pandas as pd
from scipy.signal import butter, iirnotch, sosfiltfilt, tf2sos

from helpers.acquire import edf
from helpers.explain import attributions
from helpers.preprocess import spectrograms
from helpers.study import files, patients
from helpers.train import training

FILTERS = {"as recorded": None, "0.5–55 Hz": (0.5, 55.0), "without 50 Hz": 50.0, "without 60 Hz": 60.0}
NEEDED = {  # of a finished patient, by the stage that leaves it
    "acquire": ("recordings.csv", "seizures.csv", "source.json"),
    "preprocess": ("axes.json", "spectrograms"),
    "train": ("training.json", "weights"),
    "evaluate": ("decisions.csv", "events.csv"),
    "explain": ("attributions.npz", "sanity.json"),
}
TABLES = ("recordings.csv", "seizures.csv", "decisions.csv", "events.csv")
MARGIN_S = 5.0  # read on either side of what is filtered, so that the filter's ends are not seen
KINDS = ("seizure", "alarm", "error")
LIVE = 256  # samples explained live that are remembered, 0.1 MB each
SCALE_SAMPLES = 200  # evenly spaced, for the scale of power: a day of spectrograms would take many seconds


def seen():
    """Return the patients with results in ``output/``, finished or not, sorted."""
    return sorted(path.parent.name for path in (files.ROOT / "output").glob("*/acquire"))


def finished():
    """Return the patients whose stages up to explain have run, sorted."""
    out = files.ROOT / "output"
    wanted = [(stage, name) for stage, names in NEEDED.items() for name in names]
    return [name for name in seen() if all((out / name / stage / file).exists() for stage, file in wanted)]


def filtered(signal, rate_hz, kind):
    """Return EEG [channel, sample] filtered for the eye, forth and back, so that nothing moves in time.

    Parameters
    ----------
    signal : float [channel, sample]
    rate_hz : float
    kind : str
        One of `FILTERS`: a Butterworth band-pass of order 2, or a notch 1/30 of its frequency wide.

    Raises
    ------
    ValueError
        If there is no such filter, or the recording is sampled too slowly for it.
    """
    if kind not in FILTERS:
        raise ValueError(f"There is no filter '{kind}'; filters are: {', '.join(FILTERS)}.")
    if (edge := FILTERS[kind]) is None:
        return signal
    if np.max(edge) >= rate_hz / 2:
        raise ValueError(f"'{kind}' needs more than {2 * np.max(edge):g} Hz; this EEG is sampled at {rate_hz:g} Hz.")
    band = isinstance(edge, tuple)
    sos = butter(2, edge, "bandpass", fs=rate_hz, output="sos") if band else tf2sos(*iirnotch(edge, 30, fs=rate_hz))
    return sosfiltfilt(sos, signal, axis=1, padlen=min(signal.shape[1] - 1, round(rate_hz)))


class Study:
    """A finished patient: its tables whole, its EEG and spectrograms a page at a time.

    Raises
    ------
    FileNotFoundError
        If a stage up to explain has not run; the message names the command that runs it.
    """

    def __init__(self, patient):
        at = {name: files.stage_output(patient, stage, name) for stage, names in NEEDED.items() for name in names}
        tables = (pd.read_csv(path, dtype={"recording": str, "start": str}) for path in map(at.get, TABLES))
        self.recordings, self.seizures, self.decisions, self.alarms = tables
        self.recordings = self.recordings.set_index("recording", drop=False)
        self.patient, self.durations = patient, self.recordings["duration_s"].to_dict()
        self.simulated = files.read_json(at["source.json"])["simulated"]
        self.axis = files.read_json(at["axes.json"])
        self.spectrograms, self.weights = at["spectrograms"], at["weights"]
        self.members = {fold["fold"]: fold["networks"] for fold in files.read_json(at["training.json"])["folds"]}
        verdicts = files.read_json(at["sanity.json"])["verdicts"]
        self.failed = {name: [rule for rule, good in of.items() if good is False] for name, of in verdicts.items()}
        with np.load(at["attributions.npz"]) as stored:
            self._stored = {name: stored[name] for name in ("sample", *attributions.METHODS, "ig_channels")}
        self._row = {int(sample): row for row, sample in enumerate(self._stored["sample"])}
        frame_s = self.axis["frame_s"]
        rows = self.decisions.itertuples(index=False, name="Sample")
        self._at = {(row.recording, round(row.last_start_s / frame_s)): row for row in rows}
        self._powers = spectrograms.open_spectrogram(self.spectrograms, self.recordings.index)
        self._opened, self._live = {}, {}
        spaced = attributions.evenly_spaced(len(self.decisions), min(len(self.decisions), SCALE_SAMPLES))
        power = training.slices(self._powers, self.decisions.iloc[spaced], self.axis["frame_columns"]).mean(dim=2)
        self.limits_db = tuple(np.percentile(power.numpy(), [2, 98]).tolist())

    def check(self, recording, moment_s):
        """Raise ValueError if there is no such recording, or no such moment in it."""
        if recording not in self.durations:
            near = difflib.get_close_matches(str(recording), self.durations, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(self.durations)}."
            raise ValueError(f"{self.patient} has no recording '{recording}'; {hint}")
        if not 0 <= moment_s <= self.durations[recording]:
            raise ValueError(
                f"{recording} lasts {self.durations[recording]:g} s; there is no moment {moment_s:g} s in it."
            )

    def frame_start(self, recording, moment_s):
        """Return the start in s of a moment's frame; of the last one, if a rest shorter than a frame holds it."""
        self.check(recording, moment_s)
        frame_s = self.axis["frame_s"]
        last = int((self._powers[recording].shape[2] - self.axis["frame_columns"]) // self.axis["frame_columns"])
        return min(int((moment_s + 1e-6) // frame_s), last) * frame_s

    def sample_at(self, recording, moment_s):
        """Return the sample that decides on a moment's frame, a named tuple as a row of ``decisions.csv``, or None.

        None in the first two frames of a recording, which have no two before them.
        """
        start_s = self.frame_start(recording, moment_s)
        return self._at.get((recording, round(start_s / self.axis["frame_s"])))

    def page(self, recording, moment_s, page_s):
        """Return (start_s, end_s) of a page of EEG about the triptych of a moment, within the recording.

        `page_s` is at least the triptych's length, else that length is taken. In the first two frames, where there is
        no triptych, the page begins with the recording.
        """
        frame_s, duration_s = self.axis["frame_s"], self.durations[recording]
        end_s = max(self.frame_start(recording, moment_s) + frame_s, 3 * frame_s)
        page_s = min(max(page_s, 3 * frame_s), duration_s)
        start_s = max(0.0, min(end_s - 1.5 * frame_s - page_s / 2, duration_s - page_s))
        return start_s, start_s + page_s

    def eeg(self, recording, start_s, end_s, kind="as recorded"):
        """Return the double banana's EEG from `start_s` to `end_s`, float [18, sample] in µV, and its sampling rate."""
        if recording not in self._opened:
            file = self.recordings.loc[recording]
            path = patients.recordings_folder(self.patient) / file["file"]
            self._opened[recording] = edf.read_checked(path, file["sha256"])
        opened = self._opened[recording]
        rate, samples = opened.header.sampling_hz, opened.header.samples
        margin_s = 0.0 if FILTERS.get(kind) is None else MARGIN_S
        first, last = round(start_s * rate), min(round(end_s * rate), samples)
        low, high = max(0, first - round(margin_s * rate)), min(samples, last + round(margin_s * rate))
        signal = filtered(edf.read(opened, low, high), rate, kind)
        return signal[:, first - low : last - low], rate

    def power(self, recording, start_s, end_s, channel=None):
        """Return log power in dB, float32 [F, column], of a channel or of the mean of all; and its first column's s."""
        hop_s, power = self.axis["hop_s"], self._powers[recording]
        first, last = round(start_s / hop_s), min(round(end_s / hop_s), power.shape[2])
        if channel is not None and channel not in self.axis["channels"]:
            raise ValueError(f"There is no channel '{channel}'; there are: {', '.join(self.axis['channels'])}.")
        rows = slice(None) if channel is None else [self.axis["channels"].index(channel)]
        return power[rows, :, first:last].mean(axis=0, dtype=np.float32), first * hop_s

    def explained(self, sample):
        """Say whether a sample's attributions are at hand, or are still to be computed (about 0.3 s)."""
        return self.stored(sample) or sample.sample in self._live

    def stored(self, sample):
        """Say whether the stage explain stored a sample's attributions."""
        return sample.sample in self._row

    def attribution(self, sample):
        """Return a sample's attributions: what explain stored, or else computed as that stage does.

        Returns
        -------
        dict
            ``gradcam``, ``gradcampp`` for the predicted class, ``ig`` toward seizure: float32 [3, F, T];
            ``ig_channels`` [3, C, T].

        Raises
        ------
        RuntimeError
            If weights and decisions are of two runs.
        """
        if (row := self._row.get(sample.sample)) is not None:
            return {name: values[row] for name, values in self._stored.items() if name != "sample"}
        if sample.sample not in self._live:
            while len(self._live) >= LIVE:
                self._live.pop(next(iter(self._live)))  # the oldest
            self._live[sample.sample] = self._explain(sample.sample)
        return self._live[sample.sample]

    def _explain(self, number):
        table = self.decisions[self.decisions["sample"] == number].reset_index(drop=True)
        steps = files.read_yaml(files.ROOT / "params" / "explain.yaml")["ig_steps"]
        with contextlib.redirect_stderr(io.StringIO()):  # a progress bar of one step
            found = attributions.explain_all(
                self.spectrograms, self.weights, self.members, table, self.axis["frame_columns"], steps
            )
        return {name: found[name][0] for name in (*attributions.METHODS, "ig_channels")}

    def following(self, kind, recording, moment_s):
        """Return the next seizure, alarm or error after a moment: (recording, the start in s of its frame).

        A seizure is found by its onset, an alarm by its first frame; each sample decided wrongly is an error. After the
        last one of the last recording comes the first. None if there is none at all.
        """
        if kind not in KINDS:
            raise ValueError(f"There is no kind '{kind}' to look for; kinds are: {', '.join(KINDS)}.")
        wrong = self.decisions[self.decisions["label"] != self.decisions["decided"]]
        tables = {"seizure": self.seizures, "alarm": self.alarms, "error": wrong.assign(start_s=wrong["last_start_s"])}
        rows = tables[kind][["recording", "start_s"]].itertuples(index=False)
        order = {name: place for place, name in enumerate(self.durations)}
        places = sorted({(order[name], self.frame_start(name, start_s), name) for name, start_s in rows})
        here = order[recording], self.frame_start(recording, moment_s)
        later = [place for place in places if place[:2] > here] or places
        return (later[0][2], later[0][1]) if later else None
