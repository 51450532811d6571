"""Explore: the right sample, EEG, power and attribution of any moment, in one figure and by the controls."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import CHANNELS, ROOT, notebook_code, write_signals

from helpers import explore
from helpers.acquire import edf, montages
from helpers.acquire.annotations import Annotations
from helpers.explain import attributions
from helpers.preprocess import spectrograms
from helpers.study import files
from helpers.train import inputs, network

RATE, FRAME_S, HOP_S, COLUMNS, STEPS = 128, 2.0, 0.125, 16, 4
# Frames of 2 s: 18 samples of a decide on the frames from 4 to 40 s, 13 of b on those from 4 to 30 s.
SECONDS = {"a": 41, "b": 30}  # of a, one second at the end is in no frame
WRONG = [2, 15, 21]  # a from 8 s and 34 s, false positives; b from 10 s, a miss


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project's folder with a finished patient: noise, judged by random networks, rightly but for `WRONG`."""
    root = tmp_path_factory.mktemp("explore")
    out, generator = root / "output" / "tiny", np.random.default_rng(4)
    spectra, weights = out / "preprocess" / "spectrograms", out / "train" / "weights"
    for folder in (out / "acquire", out / "recordings", out / "evaluate", out / "explain", spectra, weights):
        folder.mkdir(parents=True)
    files.write_text(root / "params/patients/tiny.yaml", "source: physionet\n")
    files.write_text(root / "params/explain.yaml", f"ig_steps: {STEPS}\n")
    rows, powers = [], {}
    for name, seconds in SECONDS.items():
        path = out / "recordings" / f"{name}.edf"
        write_signals(path, CHANNELS, generator.normal(0, 20, (len(CHANNELS), seconds * RATE)), RATE, 1)
        rows.append((name, path.name, float(seconds), float(RATE), files.sha256(path)))
        powers[name] = generator.normal(0, 9, (18, 54, round(seconds / HOP_S))).astype(np.float16)
        np.save(spectra / f"{name}.npy", powers[name])
    recordings = pd.DataFrame(rows, columns=["recording", "file", "duration_s", "sampling_hz", "sha256"])
    seizures = pd.DataFrame([("a", 11.0, 19.0), ("b", 9.5, 20.0)], columns=["recording", "start_s", "end_s"])
    axis = {"hop_s": HOP_S, "frame_s": FRAME_S, "frame_columns": COLUMNS}
    axis |= {"frequencies_hz": np.arange(1.0, 55).tolist(), "channels": list(montages.DOUBLE_BANANA)}
    members, columns = {0: ["0"], 1: ["0", "1"]}, {name: of.shape[2] for name, of in powers.items()}
    for seed in range(2):
        torch.manual_seed(seed)
        network.save(network.SpectrogramNetwork(18, 54, 4, 4, 0.0), weights / f"{seed}.safetensors")
    samples = spectrograms.triptychs(axis, columns, Annotations(seizures, SECONDS), FRAME_S)
    samples.insert(0, "sample", range(len(samples)))
    samples["fold"] = (samples["recording"] == "b").astype(int)
    with torch.no_grad():
        given = inputs.slices(powers, samples, COLUMNS)
        scores = [network.load_ensemble(weights, names)(given).numpy() for names in members.values()]
    samples["log_odds"] = np.where(samples["fold"] == 0, *scores)
    samples["decided"] = samples["alarm"] = samples["label"] ^ samples["sample"].isin(WRONG)
    samples["p_seizure"] = samples["p_smooth"] = 0.25 + 0.5 * samples["decided"]
    samples["threshold"], samples["alarm_threshold"] = 0.5, 0.6
    stored = samples[5:].reset_index(drop=True)  # the first ones are left to be computed
    found = attributions.explain_all(spectra, weights, members, stored, COLUMNS, STEPS)
    np.savez_compressed(out / "explain" / "attributions.npz", sample=stored["sample"], **found)
    tables = {"acquire/recordings": recordings, "acquire/seizures": seizures, "evaluate/decisions": samples}
    for name, table in tables.items():
        table.to_csv(out / f"{name}.csv", index=False)
    folds = [{"fold": fold, "networks": names} for fold, names in members.items()]
    verdicts = {"gradcam": {"one": None}, "gradcampp": {"one": False}, "ig": {"one": True}}
    results = {"acquire/source": {"simulated": True}, "train/training": {"folds": folds}, "preprocess/axes": axis}
    for name, value in (results | {"explain/sanity": {"verdicts": verdicts}}).items():
        files.write_json(out / f"{name}.json", value)
    return root


@pytest.fixture
def root(made, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "ROOT", tmp_path)
    monkeypatch.setenv("STUDY_WORKERS", "1")
    return shutil.copytree(made, tmp_path, dirs_exist_ok=True)


def test_a_moment_belongs_to_the_sample_that_decides_on_its_frame(root):
    """By hand. What is in no frame, at the end of a, belongs to the last one. EEG and power are the files' own."""
    study, own = explore.Study("tiny"), root / "output" / "tiny"
    for name, moment_s, sample in (("a", 5.99, 0), ("a", 6, 1), ("a", 41, 17), ("b", 4, 18), ("b", 30, 30)):
        found = study.sample_at(name, moment_s)
        assert (found.sample, found.recording) == (sample, name) and found.last_start_s <= moment_s <= found.end_s + 1
        signal, rate = study.eeg(found)
        opened, first = edf.open_edf(own / "recordings" / f"{name}.edf"), round(found.start_s * rate)
        np.testing.assert_array_equal(signal, edf.read(opened, first, first + 6 * RATE))
        power = np.load(own / f"preprocess/spectrograms/{name}.npy")
        power = power[:, :, found.column : found.column + 3 * COLUMNS]
        np.testing.assert_allclose(study.power(found), power.mean(axis=0, dtype=np.float32))


def test_what_is_missing_or_has_changed_is_said(root):
    """A moment without a decision, another file in a recording's place, a stage that has not run."""
    study = explore.Study("tiny")
    for recording, moment_s in (("a", 3.9), ("a", 41.5), ("c", 5.0)):
        with pytest.raises(ValueError, match=f"no decision on {recording} at {moment_s:g} s"):
            study.sample_at(recording, moment_s)
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
    for recording in ("a", "b"):
        sample = study.sample_at(recording, 20.0)
        stored = study.maps.pop(sample.sample)
        for method in attributions.METHODS:
            np.testing.assert_allclose(study.attribution(sample, method), stored[method], rtol=1e-4, atol=1e-6)
    study.decisions["log_odds"] += 0.1
    with pytest.raises(RuntimeError, match="two runs"):
        study.attribution(study.sample_at("a", 4.0), "ig")


def test_the_figure_says_and_shows_the_decision(root):
    """Sample 2, a from 4 to 10 s, decided wrongly; Integrated Gradients of t1 alone leave the other frames empty."""
    study = explore.Study("tiny")
    titles = [axis.get_title(loc="left") for axis in explore.figure(study, "a", 8.0, "gradcampp").axes]
    assert "a, simulated, 4–10 s: true non-seizure, predicted seizure; p_seizure 0.750" in titles[0]
    assert any("Grad-CAM++" in title and "fails: one" in title for title in titles)
    axes = explore.figure(study, "a", 20.0, "ig", "t1").axes
    panel = next(axis for axis in axes if axis.get_title(loc="left").startswith("Integrated"))
    values = np.ma.filled(panel.images[-1].get_array(), np.nan)
    np.testing.assert_array_equal(np.isnan(values).all(axis=0), np.arange(3 * COLUMNS) // COLUMNS != 1)
    np.testing.assert_array_equal(values[:, COLUMNS:-COLUMNS], study.attribution(study.sample_at("a", 20.0), "ig")[1])


@pytest.mark.slow
def test_the_notebook_and_its_controls_run_and_write_nothing(root, monkeypatch, capsys):
    """Another recording sets the slider's range."""
    recording, time, method, _ = explore.controls().children[0].children
    assert (recording.value, time.value, time.max) == (("tiny", "a"), 4.0, 38.0)
    recording.value, method.value, time.value = ("tiny", "b"), "ig", 20.0
    assert time.max == 28.0 and "Not possible" not in capsys.readouterr().out
    before = {path: path.stat().st_mtime_ns for path in (root / "output").rglob("*")}
    figures = []
    monkeypatch.setattr("IPython.display.display", figures.append)
    exec(notebook_code(ROOT / "notebooks" / "explore.ipynb"), {})
    assert "a: onset 11 s, alarm from 10 s" in capsys.readouterr().out
    assert len(figures) == 5  # onset, alarm, two errors, artefact
    assert before == {path: path.stat().st_mtime_ns for path in (root / "output").rglob("*")}
