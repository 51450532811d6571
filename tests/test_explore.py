"""Explore: the right sample, EEG, power and attribution of any moment, in one figure and by the controls."""

import shutil

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import CHANNELS, ROOT, write_signals
from nbclient import NotebookClient

from helpers import explore
from helpers.acquire import edf, montages
from helpers.explain import attributions
from helpers.preprocess import spectrograms
from helpers.study import files
from helpers.train import network as networks
from helpers.train import training

RATE, FRAME_S, HOP_S, COLUMNS, STEPS = 128, 2.0, 0.125, 16, 4
# Frames of 2 s: 18 samples of a decide on the frames from 4 to 40 s, 13 of b on those from 4 to 30 s.
SECONDS = {"a": 41, "b": 30}  # of a, one second at the end is in no frame
SEIZURES = [("a", 11.0, 19.0), ("b", 9.5, 20.0)]
WRONG = [2, 15, 21]  # a from 8 s and 34 s, false positives; b from 10 s, a miss
NOT_STORED = 5  # samples that the stage explain left out, the first ones


def make(root, patient="tiny"):
    """Write a finished patient's files below `root`: noise, judged by random networks."""
    out, generator = root / "output" / patient, np.random.default_rng(len(patient))
    for stage in ("acquire", "preprocess/spectrograms", "train/weights", "evaluate", "explain", "recordings"):
        (out / stage).mkdir(parents=True)
    files.write_text(
        root / "params" / "patients" / f"{patient}.yaml", "source: simulate\nseed: 1\nrecordings: {a: {}}\n"
    )
    files.write_text(root / "params" / "explain.yaml", f"ig_steps: {STEPS}\n")
    rows, powers = [], {}
    for name, seconds in SECONDS.items():
        path = out / "recordings" / f"{name}.edf"
        write_signals(path, CHANNELS, generator.normal(0, 20, (len(CHANNELS), seconds * RATE)), RATE, 1)
        rows.append((name, path.name, float(seconds), files.sha256(path)))
        powers[name] = generator.normal(0, 9, (18, 54, round(seconds / HOP_S))).astype(np.float16)
        np.save(out / "preprocess" / "spectrograms" / f"{name}.npy", powers[name])
    recordings = pd.DataFrame(rows, columns=["recording", "file", "duration_s", "sha256"])
    recordings.to_csv(out / "acquire" / "recordings.csv", index=False)
    seizures = pd.DataFrame(SEIZURES, columns=["recording", "start_s", "end_s"])
    seizures.to_csv(out / "acquire" / "seizures.csv", index=False)
    files.write_json(out / "acquire" / "source.json", {"simulated": True})
    axis = {"sampling_hz": RATE, "hop_s": HOP_S, "frame_s": FRAME_S, "frame_columns": COLUMNS}
    axis |= {"frequencies_hz": np.arange(1.0, 55).tolist(), "channels": list(montages.DOUBLE_BANANA)}
    files.write_json(out / "preprocess" / "axes.json", axis)
    for seed, name in enumerate(("0-1", "0-2", "1-2")):
        torch.manual_seed(seed)
        networks.save(networks.SpectrogramNetwork(18, 54, 4, 4, 0.0), out / "train" / "weights" / f"{name}.safetensors")
    members = {0: ["0-1", "0-2"], 1: ["0-1", "1-2"]}
    folds = [{"fold": fold, "networks": names} for fold, names in members.items()]
    files.write_json(out / "train" / "training.json", {"folds": folds})
    decide(out, powers, axis, seizures, members)
    verdicts = {"gradcam": {"one": True, "two": None}, "gradcampp": {"one": False}, "ig": {"one": True}}
    files.write_json(out / "explain" / "sanity.json", {"verdicts": verdicts})
    return out


def decide(out, powers, axis, seizures, members):
    """Write what evaluate and explain leave: decisions right but for the samples `WRONG`, networks' log-odds."""
    samples = spectrograms.all_triptychs(axis, {name: of.shape[2] for name, of in powers.items()}, seizures, FRAME_S)
    samples.insert(0, "sample", range(len(samples)))
    samples["fold"] = (samples["recording"] == "b").astype(int)
    given = training.slices(powers, samples, COLUMNS)
    judges = {fold: networks.load_ensemble(out / "train" / "weights", names) for fold, names in members.items()}
    with torch.no_grad():
        samples["log_odds"] = [float(judges[fold](given[[row]])) for row, fold in enumerate(samples["fold"])]
    samples["decided"] = samples["label"] ^ samples["sample"].isin(WRONG)
    samples["p_seizure"], samples["threshold"] = 0.25 + 0.5 * samples["decided"], 0.5
    samples["p_smooth"], samples["alarm_threshold"], samples["alarm"] = samples["p_seizure"], 0.6, samples["decided"]
    samples.to_csv(out / "evaluate" / "decisions.csv", index=False)
    place = (out / "preprocess" / "spectrograms", out / "train" / "weights")
    stored = samples[NOT_STORED:].reset_index(drop=True)
    found = attributions.explain_all(*place, members, stored, COLUMNS, STEPS)
    np.savez_compressed(out / "explain" / "attributions.npz", sample=stored["sample"], **found)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project's folder with one finished patient."""
    monkeypatch.setattr(files, "ROOT", tmp_path)
    monkeypatch.setenv("STUDY_WORKERS", "1")
    make(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("recording", "moment_s", "sample"),
    [("a", 4.0, 0), ("a", 5.99, 0), ("a", 6.0, 1), ("a", 41.0, 17), ("b", 4.0, 18), ("b", 30.0, 30)],
)
def test_a_moment_belongs_to_the_sample_that_decides_on_its_frame(root, recording, moment_s, sample):
    """By hand. What is in no frame, at the end of a, belongs to the last one. EEG and power are the files' own."""
    study = explore.Study("tiny")
    found = study.sample_at(recording, moment_s)
    assert (found.sample, found.recording) == (sample, recording) and found.last_start_s <= moment_s <= found.end_s + 1
    signal, rate = study.eeg(found)
    recorded = edf.read(edf.open_edf(root / "output" / "tiny" / "recordings" / f"{recording}.edf"))
    np.testing.assert_array_equal(signal, recorded[:, int(found.start_s * RATE) : int(found.end_s * RATE)])
    power = np.load(root / "output" / "tiny" / "preprocess" / "spectrograms" / f"{recording}.npy")
    columns = slice(int(found.start_s / HOP_S), int(found.end_s / HOP_S))
    np.testing.assert_allclose(study.power(found), power[:, :, columns].mean(axis=0, dtype=np.float32))


@pytest.mark.parametrize(("recording", "moment_s"), [("a", 3.9), ("a", 41.5), ("c", 5.0)])
def test_a_moment_without_a_decision_is_refused(root, recording, moment_s):
    with pytest.raises(ValueError, match=f"no decision on {recording} at {moment_s:g} s"):
        explore.Study("tiny").sample_at(recording, moment_s)


def test_a_missing_stage_and_a_changed_recording_are_refused(root):
    study = explore.Study("tiny")
    shutil.copy(root / "output/tiny/recordings/a.edf", root / "output/tiny/recordings/b.edf")
    with pytest.raises(ValueError, match="has changed since it was acquired"):
        explore.figure(study, "b", 10.0)
    (root / "output/tiny/explain/sanity.json").unlink()
    with pytest.raises(FileNotFoundError, match="'explain' of patient 'tiny' has not run"):
        explore.Study("tiny")
    with pytest.raises(FileNotFoundError, match="Run `make study`"):
        explore.controls()


def test_a_stored_attribution_equals_the_one_computed_now(root):
    """In both folds; a sample that explain left out is computed; weights of another run are refused."""
    study = explore.Study("tiny")
    for moment_s, recording in ((20.0, "a"), (20.0, "b")):
        sample = study.sample_at(recording, moment_s)
        stored = study.maps.pop(sample.sample)
        for method in attributions.METHODS:
            np.testing.assert_allclose(study.attribution(sample, method), stored[method], rtol=1e-4, atol=1e-6)
    study.decisions["log_odds"] += 0.1
    with pytest.raises(RuntimeError, match="two runs"):
        study.attribution(study.sample_at("a", 4.0), "ig")


def test_the_figure_says_and_shows_the_decision(root):
    """Sample 2, a from 4 to 10 s, decided wrongly; Integrated Gradients of t1 alone leave the other frames empty."""
    study = explore.Study("tiny")
    shown = explore.figure(study, "a", 8.0, "gradcampp")
    titles = [axis.get_title(loc="left") for axis in shown.axes]
    assert (
        "a, simulated, 4–10 s: true non-seizure, predicted seizure; p_seizure 0.750, threshold 0.500; alarm" in titles
    )
    assert any("Grad-CAM++" in title and "fails: one" in title for title in titles)
    shown = explore.figure(study, "a", 20.0, "ig", "t1")
    panel = next(axis for axis in shown.axes if axis.get_title(loc="left").startswith("Integrated"))
    values = np.ma.filled(panel.images[-1].get_array(), np.nan)
    np.testing.assert_array_equal(np.isnan(values).all(axis=0), np.arange(3 * COLUMNS) // COLUMNS != 1)
    expected = study.attribution(study.sample_at("a", 20.0), "ig")[1]
    np.testing.assert_array_equal(values[:, COLUMNS : 2 * COLUMNS], expected)


@pytest.mark.slow
def test_the_notebook_and_its_controls_run_and_write_nothing(root, monkeypatch, capsys):
    """From top to bottom on the tiny patient; another recording sets the slider's range."""
    make(root, "other")
    recording, time, method, _ = explore.controls().children[0].children
    assert (recording.value, time.value, time.max) == (("other", "a"), 4.0, 38.0)
    recording.value, method.value, time.value = ("tiny", "b"), "ig", 20.0
    assert time.max == 28.0 and "Not possible" not in capsys.readouterr().out
    shutil.rmtree(root / "output" / "other")
    monkeypatch.setenv("PYTHONPATH", str(root / "src"))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    shutil.copytree(ROOT / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}
    book = nbformat.read(ROOT / "notebooks" / "explore.ipynb", as_version=4)
    NotebookClient(book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(root)}}).execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    assert "a: onset 11 s, alarm from 10 s" in "".join(output.get("text", "") for output in outputs)
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 5  # onset, alarm, two errors, artefact
    assert before == {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}
