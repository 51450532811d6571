"""The explorer: the right sample, EEG, power and attribution of any moment; pictures keep nothing of the last one."""

import asyncio
import io
import os
import shutil

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import CHANNELS, ROOT, write_signals
from nbclient import NotebookClient
from PIL import Image

from helpers import explorer, explorer_words, moments
from helpers.acquire import edf, montages
from helpers.explain import attributions
from helpers.explorer_eeg import half_rows
from helpers.explorer_page import SIZES, Page, View
from helpers.acquire.annotations import Annotations
from helpers.preprocess import spectrograms
from helpers.study import files
from helpers.train import network as networks
from helpers.train import training

RATE, FRAME_S, HOP_S, COLUMNS, STEPS = 128, 2.0, 0.125, 16, 4
SECONDS = {"a": 41, "b": 30}  # of a, one second at the end is in no frame
# Frames of 2 s: 18 samples of a decide on the frames from 4 to 40 s, 13 of b on those from 4 to 30 s.
SEIZURES = [("a", 11.0, 19.0), ("b", 9.5, 20.0)]
ALARMS = [("a", 14.0, 18.0), ("b", 24.0, 26.0)]
WRONG = [2, 15, 21]  # a from 8 s and 34 s, false alarms; b from 10 s, a miss
UNSTORED = 5  # samples that the stage explain left out, the first ones


def table(rows):
    return pd.DataFrame(rows, columns=["recording", "start_s", "end_s"])


def make(root, patient="tiny", seizures=SEIZURES, alarms=ALARMS, wrong=WRONG, simulated=True):
    """Write a finished patient's files below `root`, which `files.ROOT` must name: noise, judged by random networks."""
    out, generator = root / "output" / patient, np.random.default_rng(len(patient))
    for stage in ("acquire", "preprocess/spectrograms", "train/weights", "evaluate", "explain", "recordings"):
        (out / stage).mkdir(parents=True)
    (root / "params" / "patients").mkdir(parents=True, exist_ok=True)
    files.write_text(
        root / "params" / "patients" / f"{patient}.yaml", f"source: simulate\nseed: 1\nrecordings:\n  {patient}: {{}}\n"
    )
    files.write_text(root / "params" / "explain.yaml", f"ig_steps: {STEPS}\n")
    rows, powers = [], {}
    for name, seconds in SECONDS.items():
        path = out / "recordings" / f"{name}.edf"
        time = np.arange(seconds * RATE) / RATE
        wave = 40 * np.sin(2 * np.pi * 10 * time) + 30 * np.sin(2 * np.pi * 50 * time)
        write_signals(path, CHANNELS, wave + generator.normal(0, 20, (len(CHANNELS), len(time))), RATE, 1)
        rows.append((name, path.name, "10:00:00", float(seconds), float(RATE), 1, "by name", files.sha256(path)))
        powers[name] = generator.normal(0, 9, (18, 54, round(seconds / HOP_S))).astype(np.float16)
        np.save(out / "preprocess" / "spectrograms" / f"{name}.npy", powers[name])
    columns = ["recording", "file", "start", "duration_s", "sampling_hz", "seizures", "montage", "sha256"]
    pd.DataFrame(rows, columns=columns).to_csv(out / "acquire" / "recordings.csv", index=False)
    table(seizures).to_csv(out / "acquire" / "seizures.csv", index=False)
    files.write_json(out / "acquire" / "source.json", {"patient": patient, "simulated": simulated})
    axis = {"sampling_hz": RATE, "window_s": 1.0, "hop_s": HOP_S, "frame_s": FRAME_S, "frame_columns": COLUMNS}
    axis |= {"frequencies_hz": np.arange(1.0, 55).tolist(), "channels": list(montages.DOUBLE_BANANA)}
    files.write_json(out / "preprocess" / "axes.json", axis)
    for seed, name in enumerate(("0-1", "0-2", "1-2")):
        torch.manual_seed(seed)
        networks.save(networks.SpectrogramNetwork(18, 54, 4, 4, 0.0), out / "train" / "weights" / f"{name}.safetensors")
    folds = [{"fold": 0, "networks": ["0-1", "0-2"]}, {"fold": 1, "networks": ["0-1", "1-2"]}]
    files.write_json(out / "train" / "training.json", {"folds": folds})
    decide(out, powers, axis, table(seizures), wrong, {fold["fold"]: fold["networks"] for fold in folds})
    table(alarms).to_csv(out / "evaluate" / "events.csv", index=False)
    verdicts = {"gradcam": {"one": True, "two": None}, "gradcampp": {"one": False}, "ig": {"one": True}}
    files.write_json(out / "explain" / "sanity.json", {"verdicts": verdicts})
    return out


def decide(out, powers, axis, seizures, wrong, members):
    """Write what evaluate and explain leave: decisions right but for the samples `wrong`, networks' log-odds."""
    columns = {name: power.shape[2] for name, power in powers.items()}
    samples = spectrograms.triptychs(axis, columns, Annotations(seizures, SECONDS), FRAME_S)
    samples.insert(0, "sample", range(len(samples)))
    samples["fold"] = (samples["recording"] == "b").astype(int)
    given = training.slices(powers, samples, COLUMNS)
    judges = {fold: networks.load_ensemble(out / "train" / "weights", names) for fold, names in members.items()}
    with torch.no_grad():
        samples["log_odds"] = [float(judges[fold](given[[row]])) for row, fold in enumerate(samples["fold"])]
    samples["decided"] = samples["label"] ^ samples["sample"].isin(wrong)
    samples["p_seizure"], samples["threshold"] = 0.25 + 0.5 * samples["decided"], 0.5
    samples["p_smooth"], samples["alarm_threshold"], samples["alarm"] = samples["p_seizure"], 0.6, samples["decided"]
    samples["known_s"] = samples["end_s"]
    samples.to_csv(out / "evaluate" / "decisions.csv", index=False)
    place = (out / "preprocess" / "spectrograms", out / "train" / "weights")
    stored = samples[UNSTORED:].reset_index(drop=True)
    found = attributions.explain_all(*place, members, stored, COLUMNS, STEPS)
    np.savez_compressed(out / "explain" / "attributions.npz", sample=stored["sample"], **found)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A project's folder with one finished patient; tests do not change it."""
    root = tmp_path_factory.mktemp("explorer")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "ROOT", root)
        patch.setenv("STUDY_WORKERS", "1")
        make(root)
    return root


@pytest.fixture(autouse=True)
def here(root, monkeypatch):
    monkeypatch.setenv("STUDY_WORKERS", "1")
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    monkeypatch.setattr(files, "ROOT", root)


@pytest.fixture
def study(here):
    return moments.Study("tiny")


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A project's folder of the test's own."""
    monkeypatch.setattr(files, "ROOT", tmp_path)
    return tmp_path


# Which moment is what


@pytest.mark.parametrize(
    ("recording", "moment_s", "sample"),
    [
        *(("a", 4.0, 0), ("a", 5.99, 0), ("a", 6.0, 1), ("a", 39.9, 17), ("a", 40.5, 17), ("a", 41.0, 17)),
        *(("b", 4.0, 18), ("b", 30.0, 30)),
    ],
)
def test_a_moment_belongs_to_the_sample_that_decides_on_its_frame(study, recording, moment_s, sample):
    """By hand. What is in no frame, at the end of a, is shown with the last one."""
    found = study.sample_at(recording, moment_s)
    assert found.sample == sample and found.recording == recording
    assert found.last_start_s <= moment_s <= found.end_s + 1


@pytest.mark.parametrize("moment_s", [0.0, 1.9, 2.0, 3.99])
def test_the_first_two_frames_have_no_sample(study, moment_s):
    assert study.sample_at("b", moment_s) is None
    assert study.page("b", moment_s, 0.0) == (0.0, 6.0)
    assert "two frames" in explorer_words.words(study, "b", moment_s, "ig")


def test_no_such_moment_is_said(study):
    with pytest.raises(ValueError, match="a lasts 41 s; there is no moment 41.5 s"):
        study.sample_at("a", 41.5)
    with pytest.raises(ValueError, match="no moment -1 s"):
        study.page("a", -1, 0)
    with pytest.raises(ValueError, match="tiny has no recording 'c'; there are: a, b"):
        study.sample_at("c", 0)
    with pytest.raises(ValueError, match="did you mean 'a'"):
        study.sample_at("aa", 0)


@pytest.mark.parametrize(
    ("moment_s", "page_s", "expected"),
    [
        *((20, 0, (16, 22)), (21.9, 6, (16, 22)), (20, 20, (9, 29))),
        *((4, 20, (0, 20)), (38, 20, (21, 41)), (20, 60, (0, 41))),
    ],
)
def test_a_page_is_about_the_triptych_and_within_the_recording(study, moment_s, page_s, expected):
    """The frame from 20 s is decided on by 16 to 22 s, whose middle is 19 s."""
    assert study.page("a", moment_s, page_s) == expected


@pytest.mark.parametrize(
    ("kind", "places"),
    [
        ("seizure", [("a", 10), ("b", 8)]),
        ("alarm", [("a", 14), ("b", 24)]),
        ("error", [("a", 8), ("a", 34), ("b", 10)]),
    ],
)
def test_what_follows_by_hand(study, kind, places):
    """One after the other from the very beginning, over the end of a recording, and from the last to the first."""
    at, seen = ("a", 0.0), []
    for _ in range(2 * len(places)):
        at = study.following(kind, *at)
        seen.append(at)
    assert seen == places * 2
    assert study.following(kind, "b", 30.0) == places[0]


def test_what_follows_a_moment_within_its_own_frame_is_the_next(study):
    """The seizure's onset, 11 s, lies within the frame from 10 s: from 10 or 11.9 s on, the next one is b's."""
    assert study.following("seizure", "a", 9.9) == ("a", 10)
    assert study.following("seizure", "a", 10.0) == study.following("seizure", "a", 11.9) == ("b", 8)


def test_nothing_follows_where_there_is_none(study):
    study.alarms = study.alarms[:0]
    assert study.following("alarm", "a", 0.0) is None
    with pytest.raises(ValueError, match="no kind 'seizures'.*seizure, alarm, error"):
        study.following("seizures", "a", 0.0)


# What is shown of it


def test_raw_eeg_is_the_file_s_own(study, root):
    opened = edf.open_edf(root / "output" / "tiny" / "recordings" / "b.edf")
    signal, rate = study.eeg("b", 9.5, 15.5)
    assert rate == RATE and signal.shape == (18, 6 * RATE)
    np.testing.assert_array_equal(signal, edf.read(opened, round(9.5 * RATE), round(15.5 * RATE)))


def test_only_the_seconds_shown_are_read(study, monkeypatch):
    """With a filter, its margin besides; at the ends of the recording, what there is."""
    read, asked = edf.read, []
    monkeypatch.setattr(
        edf, "read", lambda opened, start, stop: asked.append((start, stop)) or read(opened, start, stop)
    )
    assert study.eeg("a", 16, 22)[0].shape == study.eeg("a", 16, 22, "0.5–55 Hz")[0].shape == (18, 6 * RATE)
    assert study.eeg("a", 35, 41, "without 50 Hz")[0].shape == (18, 6 * RATE)
    assert asked == [(16 * RATE, 22 * RATE), (11 * RATE, 27 * RATE), (30 * RATE, 41 * RATE)]


def test_filters_take_what_they_say():
    """10 Hz stays, where it was; 50 Hz goes by its notch, 60 Hz stays; a drift goes by the band-pass."""
    rate, time = 256, np.arange(20 * 256) / 256
    ten, mains = np.sin(2 * np.pi * 10 * time), np.sin(2 * np.pi * 50 * time)
    drift, inner = 5 + time, slice(5 * 256, 15 * 256)
    notched = moments.filtered((ten + mains)[None], rate, "without 50 Hz")[0]
    np.testing.assert_allclose(notched[inner], ten[inner], atol=0.01)
    other = moments.filtered((ten + mains)[None], rate, "without 60 Hz")[0]
    np.testing.assert_allclose(other[inner], (ten + mains)[inner], atol=0.05)
    passed = moments.filtered((ten + drift)[None], rate, "0.5–55 Hz")[0]
    np.testing.assert_allclose(passed[inner], ten[inner], atol=0.05)
    assert moments.filtered(ten[None], rate, "as recorded")[0] is not None


def test_filters_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="no filter '50 Hz'; filters are: as recorded"):
        moments.filtered(np.zeros((1, 900)), 256, "50 Hz")
    with pytest.raises(ValueError, match="'0.5–55 Hz' needs more than 110 Hz; this EEG is sampled at 100 Hz"):
        moments.filtered(np.zeros((1, 900)), 100, "0.5–55 Hz")


def test_a_filtered_page_is_that_of_the_whole_recording(study):
    """The margin hides the filter's ends."""
    whole, _ = study.eeg("a", 0, 41, "0.5–55 Hz")
    page, _ = study.eeg("a", 16, 22, "0.5–55 Hz")
    assert np.abs(page - whole[:, 16 * RATE : 22 * RATE]).max() < 0.05 * whole.std()


def test_power_is_the_spectrogram_s_own(study, root):
    power = np.load(root / "output" / "tiny" / "preprocess" / "spectrograms" / "a.npy")
    found, first_s = study.power("a", 16, 22)
    assert first_s == 16
    np.testing.assert_allclose(found, power[:, :, 128:176].mean(axis=0, dtype=np.float32))
    found, _ = study.power("a", 39, 41, "CZ-PZ")
    np.testing.assert_array_equal(found, power[17, :, 312:328].astype(np.float32))
    with pytest.raises(ValueError, match="no channel 'CZ'; there are: FP1-F7"):
        study.power("a", 0, 6, "CZ")


# Attributions


def test_a_stored_attribution_equals_the_one_computed_live(study):
    """Of both folds: the same sample with what is stored taken away."""
    for number in (UNSTORED, 17, 18, 30):
        sample = next(study.decisions[study.decisions["sample"] == number].itertuples(index=False))
        assert study.stored(sample) and study.explained(sample)
        stored = study.attribution(sample)
        study._row.pop(number)
        assert not study.explained(sample)
        live = study.attribution(sample)
        assert study.explained(sample) and not study.stored(sample)
        assert stored.keys() == live.keys() == {*attributions.METHODS, "ig_channels"}
        for name, values in stored.items():
            np.testing.assert_allclose(live[name], values, rtol=1e-4, atol=1e-6)
            assert values.shape == ((3, 18, COLUMNS) if name == "ig_channels" else (3, 54, COLUMNS))


def test_what_explain_left_out_is_computed_once(study, monkeypatch):
    calls, explain_all = [], attributions.explain_all
    monkeypatch.setattr(attributions, "explain_all", lambda *given: calls.append(1) or explain_all(*given))
    sample = study.sample_at("a", 4.0)
    assert not study.explained(sample)
    assert study.attribution(sample) is study.attribution(sample) and len(calls) == 1
    monkeypatch.setattr(moments, "LIVE", 2)
    for moment_s in (6.0, 8.0, 4.0):  # two are remembered: the first was forgotten
        study.attribution(study.sample_at("a", moment_s))
    assert len(calls) == 4 and len(study._live) == 2


def test_weights_of_another_run_are_refused(study):
    study.decisions["log_odds"] += 0.1
    with pytest.raises(RuntimeError, match="two runs"):
        study.attribution(study.sample_at("a", 4.0))


# Patients


def test_an_unfinished_patient_is_seen_and_says_what_to_run(own):
    out = make(own)
    make(own, "other")
    (own / "output" / "models").mkdir()
    assert moments.seen() == moments.finished() == ["other", "tiny"]
    (out / "explain" / "sanity.json").unlink()
    assert moments.seen() == ["other", "tiny"] and moments.finished() == ["other"]
    with pytest.raises(
        FileNotFoundError, match="'explain' of patient 'tiny' has not run. Run `dvc repro explain@tiny`"
    ):
        moments.Study("tiny")


def test_a_recording_that_has_changed_is_refused(own):
    out = make(own)
    (out / "recordings" / "b.edf").write_bytes((out / "recordings" / "a.edf").read_bytes())
    study = moments.Study("tiny")
    with pytest.raises(ValueError, match="has changed since it was acquired"):
        study.eeg("b", 0, 6)


# The picture


def test_half_rows_by_hand():
    """Two for each channel; one between the chains of a side, two between left, right and midline."""
    rows, middles = half_rows()
    assert rows[:9].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, -1] and rows[16:21].tolist() == [7, -1, -1, 8, 8]
    assert rows[-6:].tolist() == [-1, -1, 16, 16, 17, 17] and len(rows) == 36 + 1 + 2 + 1 + 2
    assert middles[:2].tolist() == [0.5, 2.5] and np.all(np.diff(middles) >= 2)


VIEWS = [
    View("a", 20.0),
    View("a", 20.0, method="ig", shaded=True),
    View("b", 20.0, page_s=20.0, uv=50.0, method="gradcampp", channel="CZ-PZ"),
    View("b", 0.0, page_s=20.0, filter="0.5–55 Hz", shaded=True),  # no sample, so nothing to shade by
    View("a", 38.0, filter="without 50 Hz"),
]


@pytest.mark.slow
def test_a_picture_keeps_nothing_of_the_one_before(study):
    """Its parts are made once and used again: whatever was shown before, the same view gives the same bytes."""
    alone = [Page(study).picture(view) for view in VIEWS]
    page = Page(study)
    for place in (0, 1, 2, 3, 4, 2, 0, 4, 1, 3, 0):
        assert page.picture(VIEWS[place]) == alone[place], f"view {place} differs after others"
    assert len({png for png, _ in alone}) == len(VIEWS) and not any(missing for _, missing in alone)


@pytest.mark.slow
def test_pictures_have_their_sizes_and_the_missing_attribution_is_told(study):
    for size, (width, height) in SIZES.items():
        png, missing = Page(study, size).picture(View("a", 4.0))
        assert Image.open(io.BytesIO(png)).size == (round(width * 100), round(height * 100)) and missing
    before = Page(study).picture(View("a", 4.0))[0]
    study.attribution(study.sample_at("a", 4.0))
    after, missing = Page(study).picture(View("a", 4.0))
    assert not missing and after != before


def test_lines_are_negative_up_and_in_the_scale_s_units(study):
    """A positive deflection goes down by two half rows for each `uv`; the first channel is on top."""
    page = Page(study)
    page.picture(View("a", 20.0, uv=50.0))
    signal, _ = study.eeg("a", 16, 22)
    bottom, top = page.eeg.axis.get_ylim()
    assert bottom > top and page.eeg.scale.get_text() == "50 µV"
    time, drawn = page.eeg.lines[17].get_data()
    np.testing.assert_allclose(drawn, page.eeg.middles[17] + 2 * (signal[17] - np.median(signal[17])) / 50)
    assert time[0] == 16 and time[-1] == 22 - 1 / RATE
    assert page.eeg.lines[0].get_ydata().mean() < drawn.mean()


def test_the_picture_says_what_it_is(study):
    page = Page(study)
    page.picture(View("a", 8.0, method="gradcampp", filter="0.5–55 Hz"))
    assert "SIMULATED" in page.headline.get_text() and "the network saw it as recorded" in page.headline.get_text()
    assert "true non-seizure, predicted seizure (WRONG)" in page.subline.get_text()
    assert "Grad-CAM++" in page.maps.titles[1].get_text() and "FAILS: one" in page.maps.titles[1].get_text()
    page.picture(View("a", 20.0))
    assert "FAILS" not in page.maps.titles[1].get_text() and "WRONG" not in page.subline.get_text()
    study.simulated = False
    page.picture(View("a", 20.0))
    assert "SIMULATED" not in page.headline.get_text()
    assert page.cursor.get_xdata()[0] == 21 and page.shown.get_x() == 16 and page.shown.get_width() == 6


def test_relevance_and_bars_are_the_attribution_s(study):
    """Each band takes as many rows as gamma has bins, 25: row 0 is 1 Hz, the last one 54 Hz, and no bin is lost."""
    page, found = Page(study), study.attribution(study.sample_at("a", 20.0))
    page.picture(View("a", 20.0, method="ig"))
    drawn = page.maps.over.get_array()
    assert drawn.shape == (5 * 25, 3 * COLUMNS) and set(page.maps.bins) == set(range(54))
    np.testing.assert_allclose(drawn[[0, -1]], np.concatenate(found["ig"], axis=1)[[0, -1]])
    total = found["ig_channels"].sum(axis=(0, 2))
    np.testing.assert_allclose([bar.get_width() for bar in page.eeg.bars], total / np.abs(total).max(), rtol=1e-6)


# Words and controls


def test_words_by_hand(study):
    text = explorer_words.words(study, "a", 8.5, "gradcam")
    assert text.startswith("a, simulated EEG, 8–10 s; the recording starts at 10:00:00. Sample 2: true non-seizure,")
    assert (
        "p_seizure 0.750 ≥ threshold 0.500; ALARM (p_smooth 0.750, threshold 0.600). Fold 0: networks 0-1, 0-2;" in text
    )
    assert text.endswith("Attribution: being computed.")
    text = explorer_words.words(study, "b", 10.0, "ig")
    assert "Fold 1: networks 0-1, 1-2; none was trained on this recording." in text
    assert "by Integrated Gradients (attribution stored)." in text


@pytest.mark.parametrize(
    ("moment_s", "decided", "band", "channel"), [(20.0, 0, "B3", "FP1-F7"), (8.0, 1, "B4", "CZ-PZ")]
)
def test_what_is_strongest_is_for_the_decision(study, monkeypatch, moment_s, decided, band, channel):
    """10 Hz and the first channel speak against seizure, 20 Hz and the last one, weaker, for it."""
    found = {name: np.zeros((3, 54, COLUMNS)) for name in attributions.METHODS} | {"ig_channels": np.zeros((3, 18, 1))}
    found["ig"][:, 9], found["ig"][:, 19] = -2, 1
    found["ig_channels"][:, 0], found["ig_channels"][:, 17] = -2, 1
    monkeypatch.setattr(study, "attribution", lambda sample: found)
    sample = study.sample_at("a", moment_s)
    assert sample.decided == decided
    text = explorer_words.strongest(study, sample, "ig")
    assert f"{', '.join([band] * 3)} by Integrated Gradients; {', '.join([channel] * 3)} by Integrated" in text
    assert "none, none, none by Grad-CAM;" in explorer_words.strongest(study, sample, "gradcam")


@pytest.mark.slow
def test_controls_move_the_picture(here):
    """From the first seizure; a sample on and back, stopping at the ends; to the next of each kind."""
    explore = explorer.Explorer("tiny")
    assert (explore.view().recording, explore.view().moment_s) == ("a", 10.0)
    first = explore.image.value
    explore.buttons["next sample"].click()
    assert explore.moment.value == 12.0 and explore.image.value != first
    explore.buttons["previous sample"].click()
    assert explore.moment.value == 10.0 and explore.image.value == first
    for name, place in (("seizure", ("b", 8.0)), ("alarm", ("b", 24.0)), ("error", ("a", 8.0))):
        explore.buttons[f"next {name}"].click()
        assert (
            explore.recording.value,
            explore.moment.value,
        ) == place and f"{place[0]}, simulated" in explore.words.value
    explore.moment.value = explore.moment.max
    explore.step(1)
    assert explore.moment.value == explore.moment.max == 38.0
    explore.recording.value = "b"
    assert explore.moment.value == 4.0 and explore.moment.max == 28.0
    explore.go("b", 29.0)
    assert explore.moment.value == 28.0
    with pytest.raises(ValueError, match="b lasts 30 s"):
        explore.go("b", 31.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("control", "value"),
    [
        *(("uv", 100), ("filter", "without 50 Hz"), ("page_s", 20.0), ("method", "ig")),
        *(("channel", "CZ-PZ"), ("shaded", True), ("size", "large")),
    ],
)
def test_each_control_changes_the_picture(here, control, value):
    explore = explorer.Explorer("tiny")
    explore.go("a", 20.0)
    before = explore.image.value
    getattr(explore, control).value = value
    assert explore.image.value != before


@pytest.mark.slow
def test_moves_in_a_row_compute_only_where_they_end(here, monkeypatch):
    """In a notebook, an attribution that nobody stored waits until the moves have paused, and is then drawn."""
    monkeypatch.setattr(explorer, "PAUSE_S", 0.05)

    async def moves():
        explore = explorer.Explorer("tiny")
        for moment_s in (4.0, 6.0, 8.0):
            explore.go("a", moment_s)
        at_once = explore.image.value
        assert "being computed" in explore.words.value
        await asyncio.wait_for(explore._waiting, 60)
        return explore, at_once

    explore, at_once = asyncio.run(moves())
    assert list(explore.study._live) == [2]  # the sample at 8 s
    assert explore.image.value != at_once and "computed now" in explore.words.value


@pytest.mark.slow
def test_an_unfinished_patient_is_said_and_shows_no_picture(own):
    out = make(own)
    make(own, "other", simulated=False)
    explore = explorer.Explorer("tiny")
    shutil.rmtree(out / "evaluate")
    assert explorer.Explorer().patient.value == "other"
    explore.patient.value = "other"
    assert "SIMULATED" not in explore.page.headline.get_text() and explore.image.layout.visibility == "visible"
    explore.patient.value = "tiny"
    assert "tiny is not finished" in explore.words.value and "dvc repro evaluate@tiny" in explore.words.value
    assert explore.image.layout.visibility == "hidden" and explore.recording.options == ()
    explore.buttons["next sample"].click()
    explore.uv.value = 50
    explore.patient.value = "other"
    assert explore.image.layout.visibility == "visible" and explore.recording.options == ("a", "b")


@pytest.mark.slow
def test_a_patient_without_seizures_and_alarms(own):
    make(own, seizures=[], alarms=[], wrong=[])
    explore = explorer.Explorer()
    assert (explore.recording.value, explore.moment.value) == ("a", 4.0) and explore.image.value
    for kind in moments.KINDS:
        explore.buttons[f"next {kind}"].click()
        assert f"tiny has no {kind}." in explore.words.value


def test_no_patient_and_no_such_patient(own):
    assert "make study" in explorer.Explorer().words.value
    make(own)
    said = explorer.Explorer("tony").words.value
    assert "no patient" in said and "tony" in said and "there are: tiny" in said


@pytest.mark.slow
def test_the_notebook_runs_without_a_browser_and_writes_nothing(own, monkeypatch):
    """From top to bottom, as a person would run it, on the tiny patient."""
    shutil.copytree(ROOT / "src", own / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    make(own)
    monkeypatch.setenv("PYTHONPATH", str(own / "src"))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    before = {path: path.stat().st_mtime_ns for path in own.rglob("*") if path.is_file()}
    book = nbformat.read(ROOT / "notebooks" / "explore.ipynb", as_version=4)
    NotebookClient(book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(own)}}).execute()
    text = "".join(output.get("text", "") for cell in book.cells for output in cell.get("outputs", []))
    assert "a: onset 11 s, alarm from 14 s" in text and "finished: tiny" in text and "Traceback" not in text
    pictures = [
        output for cell in book.cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 5  # onset, alarm, miss, false alarm, artefact
    assert before == {path: path.stat().st_mtime_ns for path in own.rglob("*") if path.is_file()}
    assert os.environ["PYTHONPATH"] == str(own / "src")
