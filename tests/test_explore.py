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
        made = network.SpectrogramNetwork(18, 54, 4, 4, 0.0)
        made.mean.fill_(seed + 3.0)
        network.save(made, weights / f"{seed}.safetensors")
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
    words = {name: f"passes what {name} does" for name in ("gradcam", "gradcampp", "ig")}
    results = {"acquire/source": {"simulated": True}, "train/training": {"folds": folds}, "preprocess/axes": axis}
    for name, value in (results | {"explain/sanity": {"words": words}}).items():
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
        signal = study.eeg(found)
        opened, first = edf.open_edf(own / "recordings" / f"{name}.edf"), round(found.start_s * RATE)
        np.testing.assert_array_equal(signal, edf.read(opened, first, first + 6 * RATE))
        power = np.load(own / f"preprocess/spectrograms/{name}.npy")
        power = power[:, :, found.column : found.column + 3 * COLUMNS]
        np.testing.assert_array_equal(study.power(found), power)


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
        for name, values in study.attributions(sample).items():
            np.testing.assert_allclose(values, stored[name], rtol=1e-4, atol=1e-6)
    study.decisions["log_odds"] += 0.1
    with pytest.raises(RuntimeError, match="two runs"):
        study.attributions(study.sample_at("a", 4.0))


def test_the_figure_says_and_shows_the_decision(root):
    """Sample 2, a from 4 to 10 s, decided wrongly, drawn on another figure: power relative to the training mean of
    its fold, the map chosen, and the tests that it fails."""
    study = explore.Study("tiny")
    drawn = explore.figure(study, "a", 8.0, "gradcampp", explore.figure(study, "b", 20.0, "ig"))
    said, sample = [text.get_text() for text in drawn.texts], study.sample_at("a", 8.0)
    assert said[0] == "Sample 2, a (simulated)" and said[2] == "Grad-CAM++: passes what gradcampp does"
    assert said[1] == "true non-seizure, predicted seizure, p_seizure 0.750, threshold 0.500, alarm"
    panels = {axis.get_label(): axis.images[0].get_array() for axis in drawn.axes if axis.images}
    mean = network.load_ensemble(root / "output/tiny/train/weights", ["0"]).mean.numpy()
    np.testing.assert_allclose(panels["power"], (study.power(sample) - mean).mean(axis=0), rtol=1e-5)
    values = np.concatenate(study.attributions(sample)["gradcampp"], axis=1)
    np.testing.assert_allclose(panels["heat"], values / values.max(), rtol=1e-6)


@pytest.mark.slow
def test_the_notebook_and_its_controls_run_and_write_nothing(root, monkeypatch, capsys):
    """Another recording sets the slider's range; buttons step by frames, not beyond the end; each move is a picture."""
    row, strip, time, message, picture = explore.controls().children
    recording, method, _, *buttons = row.children
    assert (recording.value, time.value, time.max) == (("tiny", "a"), 4.0, 38.0)
    seen = {strip.value, picture.value}
    recording.value, method.value, time.value = ("tiny", "b"), "ig", 20.0
    assert time.max == 28.0 and not seen & {strip.value, picture.value}
    for button, at_s in zip((*buttons, buttons[-1]), (14.0, 12.0, 14.0, 20.0, 26.0), strict=True):
        button.click()
        assert time.value == at_s
    buttons[-1].click()
    assert time.value == 28.0 and "Not possible" not in message.value
    before = {path: path.stat().st_mtime_ns for path in (root / "output").rglob("*")}
    figures = []
    monkeypatch.setattr("IPython.display.display", figures.append)
    exec(notebook_code(ROOT / "notebooks" / "explore.ipynb"), {})
    assert "a: onset 11 s, alarm from 10 s" in capsys.readouterr().out
    assert len(figures) == 5  # onset, alarm, two errors, artefact
    assert before == {path: path.stat().st_mtime_ns for path in (root / "output").rglob("*")}
