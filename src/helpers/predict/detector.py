"""A patient's detector, all networks of the study together, and its decisions on a recording that is not in the study.

The study reports each recording by networks that have not seen it; here all are new to the recording, and all decide.
"""

from dataclasses import dataclass
from operator import call
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from helpers.acquire import edf, montages, quality
from helpers.evaluate import decisions, scores
from helpers.preprocess import filterbank
from helpers.study import files, parallel
from helpers.study.errors import RecordingError
from helpers.train import inputs, network, training

NAME = "recording"  # of the one recording in tables: a file's own name may hold anything
BLOCK_FRAMES = 128  # decided at a time: memory does not grow with the recording, and the result is always the same


@dataclass(frozen=True)
class Detector:
    """The networks of a study, and by what rule they decide."""

    networks: network.Ensemble
    choice: dict  # from `decisions.choose`
    axis: dict  # of the study's spectrograms, from `filterbank.axes`
    source: dict  # from `recordings.acquire`, with ``mains_hz``


class Prediction(NamedTuple):
    """What is decided on a recording, and what it holds."""

    recording: edf.Recording
    axis: dict  # from `filterbank.axes`, at the recording's own rate
    examined: quality.Examined
    table: pd.DataFrame  # a row a frame, as of `decisions.apply`
    mean_power: np.ndarray  # the log power's mean over time, [C, F] in dB


def load(patient):
    """Return the `Detector` of a patient that has been studied.

    Threshold, smallest duration and calibration are chosen on all held-out predictions of the study together, each by
    networks that had not seen it (``patient_alarm`` in ``metrics.json``).

    Raises FileNotFoundError if a stage has not run, ValueError if the results are of a version that chose none.
    """
    folds = files.read_json(files.stage_output(patient, "train", "training.json"))["folds"]
    names = dict.fromkeys(name for fold in folds for name in fold["networks"])
    choice = files.read_json(files.stage_output(patient, "evaluate", "metrics.json")).get("patient_alarm")
    if choice is None:
        raise ValueError(f"The study of {patient} is of an older version. Run `dvc repro evaluate@{patient}`.")
    networks = network.load_ensemble(files.stage_output(patient, "train", "weights"), names)
    axis = files.read_json(files.stage_output(patient, "preprocess", "axes.json"))
    return Detector(networks, choice, axis, files.read_json(files.stage_output(patient, "acquire", "source.json")))


def predict(detector, path, clip=False):
    """Decide on each frame of an EDF file but the first two, and read all of it to know what it holds: `Prediction`.

    Of a `clip` the first two as well, by them and what is before them, as the networks learn by their auxiliary loss;
    and whatever it holds, as experts judge artefacts, too.

    Raises RecordingError if it is no whole EDF file, lacks channels, holds no EEG or is too short for a decision.
    """
    try:
        recording, own, first = edf.open_edf(path), detector.axis, 0 if clip else 2
        least_s = (first + 1) * own["frame_s"]
        if recording.header.duration_s < least_s:
            found = f"{recording.header.file} lasts {recording.header.duration_s:g} s; a decision needs"
            raise RecordingError(f"{found} {'three frames' if first else 'a frame'}, {least_s:g} s. Record longer.")
        sizes = recording.header.sampling_hz, *(own[key] for key in ("window_s", "hop_s", "frame_s"))
        axis = filterbank.axes(*sizes, detector.source["mains_hz"])
        count = filterbank.count_columns(recording, axis) // axis["frame_columns"]
        edges = [*range(first, count, BLOCK_FRAMES), count]
        blocks = [(recording, axis, detector.networks.networks, *edge) for edge in zip(edges, edges[1:], strict=False)]
        jobs = [(quality.examine, path, not clip), *((_decide_block, *block) for block in blocks)]
        examined, *blocks = parallel.parallel_map(call, jobs, "predict", "block", threads=True)
    except RecordingError as error:  # which would advise to leave it out of a study
        raise RecordingError(str(error).replace(f", {montages.LEAVE_OUT}", ".")) from error
    log_odds, power = zip(*blocks, strict=True)
    frame, frame_s, size = np.arange(first, count), axis["frame_s"], axis["frame_columns"]
    begin = np.maximum(frame - 2, 0)
    table = {"recording": NAME, "sample": frame - first, "column": begin * size, "start_s": begin * frame_s}
    table |= {"last_start_s": frame * frame_s, "end_s": (frame + 1) * frame_s, "label": 0}  # which nobody knows
    table = decisions.apply(pd.DataFrame(table | {"log_odds": np.concatenate(log_odds)}), detector.choice)
    return Prediction(recording, axis, examined, table, sum(power) / (count * size))


def _decide_block(recording, axis, networks, first, last):
    """Return the log-odds of the frames from `first` up to, and without, `last`, and the sum of their log power."""
    training.make_repeatable()
    size, begin = axis["frame_columns"], max(first - 2, 0)
    power, _ = filterbank.read_power(recording, axis, begin * size, last * size)
    pooled = torch.from_numpy(inputs.pool_spectrogram(power, size))
    pooled = pooled.unflatten(2, (-1, size // network.pooled_columns(size)))
    frames, scored = pooled.permute(2, 0, 1, 3)[:, None], []  # [frame, 1, C, F/2, pooled column]
    with torch.no_grad():
        for one in networks:
            # Each frame is encoded once, not in three triptychs; the mean over its columns is all that decides.
            maps = one.encode(frames)[:, 0].mean(dim=3, keepdim=True)
            decided = []
            if first < 2:  # the recording's first two frames
                decided.append(one.decide_each(maps[None, :2])[0, first:])
            if last > 2:
                decided.append(one.decide(maps.unfold(0, 3, 1).permute(0, 4, 1, 2, 3)))
            scored.append(torch.cat(decided))
    own = power[:, :, (0 if first <= 2 else 2 * size) :]  # the two frames before belong to the block before
    return torch.stack(scored).double().mean(dim=0).numpy(), own.sum(axis=2, dtype=np.float64)


def events(table):
    """Return alarms: ``start_s``, ``end_s``, ``confidence`` (the highest ``p_smooth``), ``peak`` (an index)."""
    found, rows = scores.events(table), []
    for start_s, end_s in found[["start_s", "end_s"]].itertuples(index=False):
        own = table[table["last_start_s"].between(start_s, end_s, inclusive="left")]
        rows.append((start_s, end_s, own["p_smooth"].max(), own["log_odds"].idxmax()))
    return pd.DataFrame(rows, columns=["start_s", "end_s", "confidence", "peak"])
