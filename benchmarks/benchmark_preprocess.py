"""What preprocessing costs: beside other ways of the same work, as a whole stage, and from 1 hour to 20."""

import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from unittest import mock

import mne
import numpy as np
import scipy.fft
import scipy.signal
from benchmark_projects import SIMLONG, acquired_simlong, copy_simlong, measure, progress
from PIL import Image
from threadpoolctl import threadpool_limits

from helpers.acquire import edf
from helpers.preprocess import filterbank
from helpers.study import parallel

SIDE_BY_SIDE = ("simlong_02", "simlong_21")
WINDOW, HOP, RATE_HZ = 256, 32, 256.0
AXIS = filterbank.axes(RATE_HZ, WINDOW / RATE_HZ, HOP / RATE_HZ, 4.0)


def preprocess():
    """Measure preprocessing on simlong's 20 hours."""
    table = acquired_simlong()
    beside = {name: side_by_side(name) for name in SIDE_BY_SIDE}
    stages = {hours: whole_stage(list(table["recording"][:hours])) for hours in (2, 20)}
    result = {"side_by_side": beside, "whole_stage": stages, "growth": growth(table)}
    worst = {
        way: max(found["ratios"][way] for found in beside.values()) for way in ("reference", "bare_hour", "bare_blocks")
    }
    peak = {hours: max(run["peak_pss_mb"] for run in stages[hours]["runs"]) for hours in stages}
    result["memory_20h_less_2h_mb"] = round(peak[20] - peak[2], 1)
    result["targets"] = [
        ("CPU against the reference's way", worst["reference"], "≤ 0.2", worst["reference"] <= 0.2),
        ("CPU against bare FFTs of an hour at once", worst["bare_hour"], "≤ 3", worst["bare_hour"] <= 3),
        ("CPU against bare FFTs in blocks, the fastest", worst["bare_blocks"], "≤ 3", worst["bare_blocks"] <= 3),
        ("peak memory of 20 hours, MB", peak[20], "< 1000", peak[20] < 1000),
        ("the same of 20 hours as of 2, MB more", result["memory_20h_less_2h_mb"], "< 100", peak[20] - peak[2] < 100),
    ]
    return result


def side_by_side(name):
    """Measure the ways on one recording in turn, on one thread each; return medians in seconds and ratios of CPU."""
    path = SIMLONG / "recordings" / f"{name}.edf"
    digest = acquired_simlong().set_index("recording").loc[name, "sha256"]
    signal = edf.read(edf.open_edf(path))
    padded = np.pad(signal, ((0, 0), ((WINDOW - HOP) // 2,) * 2), mode="reflect")
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        target = Path(folder) / "power.npy"
        ways = {
            "ours": (5, filterbank.write_checked, path, digest, target, AXIS),
            "reference": (5, reference_way, path),
            "mne": (5, mne_way, path),
            "bare_hour": (5, bare, padded, scipy.fft.rfft, padded.shape[1]),
            "bare_blocks": (5, bare, padded, scipy.fft.rfft, filterbank.BLOCK_COLUMNS),
            "bare_numpy_blocks": (5, bare, padded, np.fft.rfft, filterbank.BLOCK_COLUMNS),
        }
        timed(*ways["ours"][1:])  # from here on the file is in memory, for all of them
        times = {way: [] for way in ways}
        for turn in range(5):
            progress(f"preprocess: {name} side by side, turn {turn + 1} of 5")
            for way, (repeats, *call) in ways.items():
                if turn < repeats:
                    times[way].append(timed(*call))
    medians = {
        way: {"cpu_s": median(cpu for cpu, _ in runs), "wall_s": median(wall for _, wall in runs), "runs": len(runs)}
        for way, runs in times.items()
    }
    ratios = {way: medians["ours"]["cpu_s"] / values["cpu_s"] for way, values in medians.items() if way != "ours"}
    return {"seconds_of_eeg": signal.shape[1] / RATE_HZ, "medians": medians, "ratios": ratios}


def timed(function, *arguments, **options):
    """Return the CPU and the wall seconds of a call in this process."""
    cpu, wall = time.process_time(), time.perf_counter()
    function(*arguments, **options)
    return time.process_time() - cpu, time.perf_counter() - wall


def reference_way(path):
    """Make a picture of each 4-s window of each channel, scaled by itself, as the reference's network takes it in.

    Returns
    -------
    int
        How many: 900 an hour and channel.
    """
    signal, size = edf.read(edf.open_edf(path)), round(4 * RATE_HZ)
    windows = signal[:, : signal.shape[1] // size * size].reshape(-1, size)
    for window in windows:
        _, _, power = scipy.signal.spectrogram(window, RATE_HZ, nperseg=WINDOW, noverlap=WINDOW - HOP)
        decibels = 10 * np.log10(power + np.finfo(np.float32).eps)
        low, high = np.percentile(decibels, (1, 99))
        scaled = np.clip((decibels - low) / max(high - low, 1e-6), 0, 1)
        picture = Image.fromarray((255 * scaled).astype(np.uint8))
        np.asarray(picture.resize((224, 224), Image.Resampling.BILINEAR))
    return len(windows)


def mne_way(path):
    """Filter the whole recording with MNE (0.5 to 55 Hz, no mains), then take SciPy's spectrogram of each channel."""
    signal = edf.read(edf.open_edf(path)).astype(np.float64)
    signal = mne.filter.filter_data(signal, RATE_HZ, 0.5, 55.0, verbose="error")
    signal = mne.filter.notch_filter(signal, RATE_HZ, 60.0, verbose="error")
    for line in signal:
        _, _, power = scipy.signal.spectrogram(line, RATE_HZ, nperseg=WINDOW, noverlap=WINDOW - HOP)
        np.log10(np.maximum(power, 1e-6))


def bare(padded, transform, block):
    """Take nothing but the Fourier transforms of the frames, `block` of them at a time."""
    for line in padded:
        frames = np.lib.stride_tricks.sliding_window_view(line, WINDOW)[::HOP]
        for first in range(0, len(frames), block):
            assert transform(frames[first : first + block]).dtype == np.complex64


def whole_stage(names):
    """Run the stage three times on the recordings `names` in a copy of the project."""
    hours = acquired_simlong().set_index("recording").loc[names, "duration_s"].sum() / 3600
    command = [sys.executable, "-m", "helpers.study.stage", "preprocess", "simlong"]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        environment, runs = copy_simlong(root, names), []
        for turn in range(3):
            progress(f"preprocess: whole stage, {len(names)} recordings, run {turn + 1} of 3")
            runs.append(measure(command, root, environment))
    cpu_s = median(run["cpu_s"] for run in runs)
    return {"hours_of_eeg": hours, "cpu_s_per_hour": cpu_s / hours, "runs": runs}


def growth(table):
    """Measure the spectrograms of 1 to 20 recordings by one and by two workers, without the stage around them."""
    rows, folder = [], SIMLONG / "recordings"
    for count in (1, 2, 5, 10, 20):
        for number in (1, 2):
            with tempfile.TemporaryDirectory() as target, mock.patch.dict(os.environ, {"STUDY_WORKERS": str(number)}):
                pieces = [
                    (folder / row.file, row.sha256, Path(target) / f"{row.recording}.npy", AXIS)
                    for row in table[:count].itertuples()
                ]
                what = f"{count} recordings, {number} workers"
                cpu_s, wall_s = timed(
                    parallel.parallel_map, filterbank.write_checked, pieces, what, "recording", threads=True
                )
            rows.append({"recordings": count, "workers": number, "cpu_s": cpu_s, "wall_s": wall_s})
    return rows
