"""Prediction: the study's networks on recordings that are not in it, whatever these are; and its files, read by others.

The study is made up: two small networks with random weights, frames of 2 s, and alarms above any log-odds (-100).
"""

import os
import shutil
import subprocess
import sys
from datetime import date, time
from urllib.parse import quote

import edfio
import mne
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import CHANNELS, copy_project, environment, noise_uv, write_edf, write_signals

from helpers.acquire import annotation_files, edf, montages, quality
from helpers.acquire.simulated.electrodes import ELECTRODES
from helpers.evaluate import scores
from helpers.predict import __main__, annotated, detector, unseen
from helpers.preprocess import filterbank, spectrograms
from helpers.study import files
from helpers.train import inputs, network, training

CHOICE = {
    "log_odds": 0.0,
    "threshold": 0.5,
    "calibration": {"slope": 1.0, "intercept": 0.0},
    "alarm": {"log_odds": -100.0, "minimum": 1, "threshold": 0.0},
}


def write_study(root):
    """Write what a prediction reads of a study of patient `tiny` in `root`: the last file of each stage, made up."""
    output, axis = root / "output" / "tiny", filterbank.axes(256.0, 1.0, 0.125, 2.0)
    torch.manual_seed(8)
    for name in ("0-1a", "0-2a"):
        made = network.SpectrogramNetwork(18, 54, 4, 4, 0.0)
        made.mean += 5.0
        made.deviation *= 6.0
        with files.atomic_write(output / "train" / "weights" / f"{name}.safetensors") as path:
            network.save(made, path)
    rows = [(name, f"{name}.edf", "10:00:00", 8.0, 256.0, 0, "by name") for name in ("one", "two")]
    columns = ["recording", "file", "start", "duration_s", "sampling_hz", "seizures", "montage"]
    files.write_text(output / "acquire" / "recordings.csv", pd.DataFrame(rows, columns=columns).to_csv(index=False))
    for name, level_db in (("one", 4.0), ("two", 6.0)):
        with files.atomic_write(output / "preprocess" / "spectrograms" / f"{name}.npy") as path:
            np.save(path, np.full((18, 54, 64), level_db, np.float16))
    for name, content in {
        "train/training": {"folds": [{"networks": ["0-1a", "0-2a"]}, {"networks": ["0-2a"]}]},
        "evaluate/metrics": {"patient_alarm": CHOICE},
        "preprocess/axes": axis,
        "acquire/source": {"simulated": True, "mains_hz": None},
        "explain/sanity": {"words": {"ig": "depends on what was learnt: no"}},
    }.items():
        files.write_json(output / f"{name}.json", content)
    (root / "params" / "patients").mkdir(parents=True, exist_ok=True)
    (root / "params" / "patients" / "tiny.yaml").write_text("source: directory\nfolder: x\nfingerprint: x\n")


@pytest.fixture
def known(tmp_path, monkeypatch):
    """The detector of a study in `tmp_path`, which is the project."""
    monkeypatch.setattr(files, "ROOT", tmp_path)
    write_study(tmp_path)
    return detector.load("tiny")


def test_decisions_are_those_of_the_networks_together(known, tmp_path, monkeypatch):
    """In blocks of 8 frames: each log-odds is the mean of both networks on the triptych as the study computes it, the
    power is the spectrogram's mean; 41 s have 20 frames, of which 18 are decided, and a rest of 1 s is not."""
    monkeypatch.setattr(detector, "BLOCK_FRAMES", 8)
    write_edf(tmp_path / "new.edf", seconds=41)
    _, axis, _, table, power = detector.predict(known, tmp_path / "new.edf")
    assert axis == known.axis and table["last_start_s"].tolist() == list(range(4, 40, 2))
    filterbank.write(edf.open_edf(tmp_path / "new.edf"), tmp_path, "new", axis)
    stored = spectrograms.open_spectrogram(tmp_path / "spectrograms", ["new"])
    pooled, again = inputs.network_inputs(stored, axis["frame_columns"]).pooled, table.assign(recording="new")
    wanted = [training.predict(one, pooled, again, axis["frame_columns"]) for one in known.networks.networks]
    np.testing.assert_allclose(table["log_odds"], np.mean(wanted, axis=0), atol=1e-5)
    assert table["log_odds"].std() > 1e-4
    np.testing.assert_allclose(power, stored["new"][:, :, :320].mean(axis=2, dtype=float), atol=1e-9)


def test_a_referential_recording_is_its_differences(known, tmp_path):
    """SzCORE's 19 electrodes against their average, with the old names T3 to T6, give the bipolar recording's log-odds
    to what 16 bits round; the page says how the channels were had."""
    potentials = dict(zip(ELECTRODES, noise_uv("x", ELECTRODES, 20 * 256), strict=True))
    bipolar = [potentials[plus] - potentials[minus] for plus, minus in montages.PAIRS]
    write_signals(tmp_path / "a.edf", montages.DOUBLE_BANANA, bipolar, 256)
    old = {"T7": "T3", "T8": "T4", "P7": "T5", "P8": "T6"}
    names = [f"{old.get(name, name).capitalize()}-Avg" for name in potentials]
    write_signals(tmp_path / "b.edf", names, list(potentials.values()), 256)
    one, other = (detector.predict(known, tmp_path / name) for name in ("a.edf", "b.edf"))
    np.testing.assert_allclose(one.table["log_odds"], other.table["log_odds"], atol=2e-3)
    rows = unseen.differences("tiny", other.axis, other.examined, other.mean_power)
    assert rows.iloc[0].tolist() == ["channels", "derived from electrodes against AVG", "by name"]


@pytest.mark.parametrize(("rate", "resampled"), [(250, 256), (512, None)])
def test_another_rate(known, tmp_path, rate, resampled):
    """A hop is a whole number of samples at 512 Hz, and not at 250 Hz, which is resampled; both rates are told."""
    write_edf(tmp_path / "new.edf", seconds=20, rate=rate)
    _, axis, examined, table, power = detector.predict(known, tmp_path / "new.edf")
    assert axis.get("resampled_to_hz") == resampled and len(table) == 8
    assert axis["frequencies_hz"] == known.axis["frequencies_hz"]
    rows = unseen.differences("tiny", axis, examined, power)
    assert rows.iloc[0].tolist() == ["sampling rate", f"{rate} Hz", "256 Hz"]


def change(path, at, new):
    """Overwrite bytes of a file from `at` on, a number or what stands there."""
    data = bytearray(path.read_bytes())
    at = at if isinstance(at, int) else data.index(at)
    data[at : at + len(new)] = new
    path.write_bytes(data)


def odd(path, kind):
    """Write a recording that is odd in one way."""
    channels = {"missing": CHANNELS[1:18], "mixed": ("Fp1-A1", "F7-A2", *CHANNELS[1:])}.get(kind, CHANNELS)
    seconds, rate = 5 if kind == "short" else 20, 100 if kind == "slow" else 256
    signals = noise_uv(path, channels, seconds * rate) * {"flat": 0, "saturated": 20}.get(kind, 1)
    write_signals(path, channels, np.clip(signals, -400, 400), rate, 1)
    if kind in ("jump", "steady"):
        pairs = zip(channels, signals, strict=True)
        signals = [edfio.EdfSignal(row, 256, label=name, physical_dimension="uV") for name, row in pairs]
        note = [edfio.EdfAnnotation(3, None, "x")]
        edfio.Edf(signals, annotations=note, starttime=time(), data_record_duration=1).write(path)
        change(path, 192, b"EDF+D")
        change(path, b"+9\x14\x14", b"+9\x14\x14" if kind == "steady" else b"+5\x14\x14")
    if kind == "cut":
        path.write_bytes(path.read_bytes()[:-300])
    if kind == "text":
        path.write_text("It is no EDF. " * 100)
    if kind in FIELDS:
        change(path, *FIELDS[kind])
    if kind == "empty":
        path.write_bytes(b"")
    if kind == "notes":
        edfio.Edf([], annotations=[edfio.EdfAnnotation(3, 4, "sz")]).write(path)
    if kind == "two rates":
        rates = [128 if name == "P7-O1" else 256 for name in channels]
        rows = zip(channels, signals, rates, strict=True)
        signals = [edfio.EdfSignal(row[: 20 * hz], hz, label=name, physical_dimension="uV") for name, row, hz in rows]
        edfio.Edf(signals, data_record_duration=1).write(path)


FIELDS = {  # where a header is changed, and to what
    "bdf": (0, b"\xffBIOSEMI"),
    "too many": (236, b"21      "),
    "too few": (236, b"19      "),
    "none": (236, b"0       "),
    "unfinished": (236, b"-1      "),
    "unit": (256 + len(CHANNELS) * 96, b"        "),
    "limits": (256 + len(CHANNELS) * 104, b"nan     "),
}


ODD = {
    "short": "lasts 5 s; a decision needs three frames, 6 s. Record longer.",
    "flat": "100% of its seconds are flat",
    "saturated": "100% of its seconds are flat or clipped",
    "slow": "has a sampling rate of 100 Hz",
    "two rates": "has EEG channels of different sampling rates: CZ-PZ 256 Hz, P7-O1 128 Hz",
    "missing": "lacks FP1-F7 of the 18 channels",
    "mixed": "lacks FP1-F7 of the 18 channels",
    "jump": "is discontinuous: its time jumps by",
    "cut": "is damaged or was not copied completely",
    "text": "is no EDF file",
    "empty": "is no EDF file: it has 0 bytes",
    "bdf": "is no EDF file: it has",
    "notes": "holds annotations alone",
    "too many": "its header announces 21 data records",
    "too few": "its header announces 19 data records",
    "none": "0 data records of 1 s",
    "unfinished": "is still being written",
    "unit": "has FP1-F7 from -400 to 400 in the unit ''",
    "limits": "has FP1-F7 from nan to 400 in the unit 'uV'",
    "absent": "cannot be read",
    "folder": "cannot be read (it is no regular file)",
    "pipe": "cannot be read (it is no regular file)",
}


@pytest.mark.parametrize("kind", ODD)
def test_what_cannot_be_predicted_is_refused_and_left_as_it_is(known, tmp_path, kind):
    """One message that names the file, without the study's advice to leave the recording out; nothing is written."""
    path = tmp_path / "new.edf"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind != "absent":
        odd(path, kind)
    before = path.read_bytes() if path.is_file() else None
    [message] = __main__.main(str(path), str(tmp_path / "out.tsv"), "tiny")
    assert message.startswith("error in the prediction: new.edf ") and ODD[kind] in message
    assert "leave the recording out" not in message and "\n" not in message
    assert not (tmp_path / "out.tsv").exists() and before == (path.read_bytes() if path.is_file() else None)


def test_odd_recordings_that_can_be_predicted(known, tmp_path, capsys):
    """EDF+D without a jump; labels in other spellings, and beside them an ECG and a label that is none, of other rates;
    no date; a channel twice, under one name or its old one, the same or not, of which the first is used. All as the
    plain one, and each difference is told."""
    signals = list(noise_uv("x", CHANNELS, 20 * 256))
    last = {"plain": [], "same": ["T8-P8", 14], "other": ["T8-P8", 0], "old": ["T4-T6", 14], "both": ["EEG T4-T6", 0]}
    for name, (*label, row) in {**last, "plain": [-1]}.items():
        given = [*signals[:18], *([signals[row]] if label else [])]
        write_signals(tmp_path / f"{name}.edf", [*CHANNELS[:18], *label], given, 256)
    spelled = [f"EEG {name.lower()}" for name in CHANNELS[:18]]
    extra = [edfio.EdfSignal(np.arange(20 * hz), hz, label=name) for name, hz in (("ECG", 512), ("<b>'\"&$ =1", 10))]
    options = {"physical_dimension": "uV", "physical_range": (-400, 400)}
    pairs = zip(signals[:18], spelled, strict=True)
    eeg = [edfio.EdfSignal(row, 256, label=name, **options) for row, name in pairs]
    edfio.Edf([*extra, *eeg], data_record_duration=1).write(tmp_path / "spelled.edf")
    change(tmp_path / "spelled.edf", 168, b"xx.xx.xx25.61.75")
    tables, said = {}, {}
    for name in (*last, "spelled"):
        assert __main__.main(str(tmp_path / f"{name}.edf"), str(tmp_path / f"{name}.tsv"), "tiny") == []
        tables[name] = (tmp_path / f"{name}.tsv").read_text()
        said[name] = [line for line in capsys.readouterr().err.splitlines() if "twice" in line]
    assert set(tables.values()) == {tables["plain"]} and "\tn/a\t20.00" in tables["plain"]
    assert not any(said.pop(name) for name in ("plain", "same", "old", "spelled"))
    assert said == {
        "other": ["other.edf: twice, with different signals, T8-P8: the first is used"],
        "both": ["both.edf: twice, with different signals, T8-P8, EEG T4-T6: the first is used"],
    }
    odd(tmp_path / "new.edf", "steady")
    assert len(detector.predict(known, tmp_path / "new.edf").table) == 8


def test_events_are_runs_of_alarms():
    """Frames of 2 s, alarms in the second and third and in the last: two events, with the highest p_smooth of each, and
    where its log-odds are highest."""
    table = pd.DataFrame({
        "recording": detector.NAME, "last_start_s": [4.0, 6.0, 8.0, 10.0, 12.0], "end_s": [6.0, 8.0, 10.0, 12.0, 14.0],
        "alarm": [0, 1, 1, 0, 1], "p_smooth": [0.9, 0.6, 0.7, 0.1, 0.8], "log_odds": [9.0, 3.0, 2.0, 8.0, 1.0],
    })  # fmt: skip
    assert detector.events(table).to_numpy().tolist() == [[6, 10, 0.7, 1], [12, 14, 0.8, 4]]
    assert detector.events(table.assign(alarm=0)).empty


def test_what_lies_beyond_the_study_is_told(known, tmp_path):
    """The study's recordings have 4 and 6 dB everywhere: 5 dB are within, 8.9 dB are 2.9 above; 10 dB of gamma in two
    channels are 4 above, and 0 dB of alpha in one 4 below."""
    write_edf(tmp_path / "new.edf", seconds=20)
    examined = quality.examine(tmp_path / "new.edf")
    power = np.full((18, 54), 5.0)
    power[3] = 8.9
    assert unseen.differences("tiny", known.axis, examined, power).empty
    power[7:9, 29:], power[2, 7:12] = 10.0, 0.0
    power[8, 29:] = 9.5
    rows = unseen.differences("tiny", known.axis, examined, power).to_numpy().tolist()
    span = "4.0 to 6.0 dB"
    assert rows == [
        ["power of B3, alpha", "up to 4.0 dB below the lowest, in 1 of 18 channels", f"T7-P7: {span}"],
        ["power of B5, gamma", "up to 4.0 dB above the highest, in 2 of 18 channels", f"P3-O1: {span}"],
    ]


FOUND = pd.DataFrame({"start_s": [6.0, 60.5], "end_s": [10.0, 90.5], "confidence": [0.71239, 1.0]})
TSV = """\
onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration
6.00\t4.00\tsz\t0.7124\tn/a\t2016-11-06 13:43:04\t100.00
60.50\t30.00\tsz\t1.0000\tn/a\t2016-11-06 13:43:04\t100.00
"""


def test_the_table_is_szcore_s(tmp_path):
    """SzCORE's columns, to the byte; our own reader of BIDS gets the events back, and timescoring finds all of them and
    no more. Without an event, background over all of it; without a clock, n/a."""
    events = annotated.tabulate(FOUND, (date(2016, 11, 6), time(13, 43, 4)), 100.0)
    path = tmp_path / "a_events.tsv"
    path.write_text(events.to_csv(sep="\t", index=False))
    assert path.read_text() == TSV
    read = annotation_files.read_events(path)
    assert read == {"seizures": [(6, 10), (60.5, 90.5)], "start": "13:43:04", "duration_s": 100}
    score = scores.score_recording(np.array(read["seizures"]), FOUND[["start_s", "end_s"]].to_numpy(), 100.0)
    assert (score.tp, score.fp, score.f1) == (1, 0, 1.0)  # less than 90 s apart are one
    [row] = annotated.tabulate(FOUND[:0], (None, None), 100.0).to_numpy().tolist()
    assert row == ["0.00", "100.00", "bckg", "n/a", "n/a", "n/a", "100.00"]


def test_annotations_open_with_edfio_and_mne(tmp_path):
    """EDF+ of annotations alone has the recording's start; MNE lays it over the recording. A copy has the same samples,
    and the source its bytes."""
    path = tmp_path / "a.edf"
    write_edf(path, seconds=100)
    change(path, 168, b"06.11.1613.43.04")
    change(path, b"Startdate X ", b"Startdate 06-NOV-2016 ")
    before, started = path.read_bytes(), annotated.start(path)
    assert started == (date(2016, 11, 6), time(13, 43, 4))
    events = annotated.tabulate(FOUND, started, 100.0)
    annotated.write_annotations(tmp_path / "b.edf", events, started)
    annotated.write_copy(tmp_path / "c.edf", path, events)
    wanted = [(6.0, 4.0, "sz"), (60.5, 30.0, "sz")]
    for name in ("b.edf", "c.edf"):
        opened = edfio.read_edf(tmp_path / name)
        assert [(one.onset, one.duration, one.text) for one in opened.annotations] == wanted
        assert (opened.startdate, opened.starttime) == started
    raw = mne.io.read_raw_edf(path, verbose="error").set_annotations(mne.read_annotations(tmp_path / "b.edf"))
    assert raw.annotations.onset.tolist() == [6.0, 60.5] and raw.annotations.duration.tolist() == [4.0, 30.0]
    signals = (edfio.read_edf(one).signals for one in (path, tmp_path / "c.edf"))
    assert all(np.array_equal(one.digital, other.digital) for one, other in zip(*signals, strict=True))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("field", "wanted"), [(b"99.99.9999.99.99", (None, None)), (b"01.01.8525.61.75", (None, None)),
                          (b"01.01.8513.43.04", (None, time(13, 43, 4)))]
)  # fmt: skip
def test_a_clock_that_cannot_be_and_a_date_that_is_hidden(tmp_path, field, wanted):
    """No date and time is better than a wrong one; the annotations are written all the same, with what is known."""
    write_edf(tmp_path / "a.edf")
    change(tmp_path / "a.edf", 168, field)
    started = annotated.start(tmp_path / "a.edf")
    assert started == wanted
    events = annotated.tabulate(FOUND[:0], started, 30.0)
    annotated.write_annotations(tmp_path / "b.edf", events, started)
    opened = edfio.read_edf(tmp_path / "b.edf")
    assert opened.annotations[0].text == "bckg" and opened.starttime == (wanted[1] or time())


def test_the_container_s_command(known, tmp_path, monkeypatch):
    """EDF in, TSV out, and nothing else: one event from the first frame that is decided to the last one's end. The
    patient is the third word or a variable. Refused: an unknown patient, an older study, a result that is there."""
    path, out = tmp_path / "new.edf", tmp_path / "made" / "out.tsv"
    write_edf(path, seconds=20)
    before = path.read_bytes()
    assert __main__.main(str(path), str(out), "tiny") == []
    assert annotation_files.read_events(out)["seizures"] == [(4, 20)]
    first = out.read_bytes()
    monkeypatch.setenv("PATIENT", "tiny")
    again = tmp_path / "again.tsv"
    assert __main__.main(str(path), str(again)) == [] and again.read_bytes() == first
    assert "There is no patient 'anna'" in __main__.main(str(path), str(out), "anna")[0]
    for there in (path, out):
        assert "is there already. Name another" in __main__.main(str(path), str(there), "tiny")[0]
    assert path.read_bytes() == before and out.read_bytes() == first
    files.write_json(tmp_path / "output" / "tiny" / "evaluate" / "metrics.json", {})
    assert "dvc repro evaluate@tiny" in __main__.main(str(path), str(tmp_path / "third.tsv"), "tiny")[0]
    assert not (tmp_path / "output" / "tiny" / "predictions").exists()


def test_a_folder_is_all_its_recordings(tmp_path):
    """Those below it too, in order; two of one name would overwrite each other, and none is an error."""
    with pytest.raises(ValueError, match="no EDF file"):
        __main__.recordings(tmp_path)
    for name in ("b.EDF", "a.edf", "._a.edf", "c.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c.edf").write_text("")
    assert [path.name for path in __main__.recordings(tmp_path)] == ["a.edf", "b.EDF", "c.edf"]
    (tmp_path / "sub" / "a.edf").write_text("")
    with pytest.raises(ValueError, match="some of one name"):
        __main__.recordings(tmp_path)


def test_another_recording_of_the_same_name_is_refused(known, tmp_path):
    """Nothing that was made is lost: `a.edf` of another folder is refused, whatever its date, and the same bytes are
    not, wherever they lie; nor is another one where the first prediction ended before its events."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_edf(tmp_path / name / "a.edf", seconds=20)
    (tmp_path / "three").mkdir()
    shutil.copy(tmp_path / "one" / "a.edf", tmp_path / "three" / "a.edf")
    places = [tmp_path / name / "a.edf" for name in ("one", "two", "three")]
    folder, digest = annotated.result_folder("tiny", places[0])
    assert folder == tmp_path / "output" / "tiny" / "predictions" / "a" and annotated.result_folder("tiny", places[1])
    (folder / "a_events.tsv").write_text("events")
    with pytest.raises(ValueError, match="output/tiny/predictions/a holds the results of other EEG that is named a"):
        annotated.result_folder("tiny", places[0])  # of which nobody knows
    (folder / annotated.KEPT).write_text(f"{digest}\n")
    assert annotated.result_folder("tiny", places[2]) == annotated.result_folder("tiny", places[0]) == (folder, digest)
    [message] = __main__.main(str(tmp_path / "two"), None, "tiny")
    assert f"is named a. Rename {places[1]}, or move that folder away." in message
    assert "absent.edf cannot be read" in __main__.main(str(tmp_path / "absent.edf"), None, "tiny")[0]
    assert sorted(path.name for path in folder.iterdir()) == ["a_events.tsv", annotated.KEPT]


@pytest.mark.slow
def test_the_command_of_make(tmp_path):
    """A folder of two, one of which is no EDF: the other's files, its page with the event and what the networks have
    not seen, a line on standard output, one message, exit status 1. Nothing is said of seconds without a decision.
    Blanks, braces, quotes and a line's end in a name, an ending in capitals and a link change nothing."""
    root, folder = tmp_path / "a project", tmp_path / "mine"
    copy_project(root)
    write_study(root)
    folder.mkdir()
    name = "a {b} \"c\"\n'd'"
    write_edf(tmp_path / "kept.edf", seconds=21)
    (folder / f"{name}.EDF").symlink_to(tmp_path / "kept.edf")
    (folder / "c.edf").write_text("no EDF")
    own = environment(root) | {"PATIENT": "tiny", "COPY": "1"}
    command = [sys.executable, "-m", "helpers.predict", str(folder)]
    done = subprocess.run(command, cwd=root, env=own, capture_output=True, text=True)
    out = root / "output" / "tiny" / "predictions" / name
    assert done.stdout.startswith(f"{name}.EDF: sz from 4 s, 16 s long, confidence 0."), done
    assert done.returncode == 1 and done.stderr.count("error in predict@tiny") == 1, done.stderr
    assert annotation_files.read_events(out / f"{name}_events.tsv")["seizures"] == [(4, 20)]
    assert len(edfio.read_edf(out / f"{name}_annotated.edf").annotations) == 1
    assert edfio.read_edf(out / f"{name}_events.edf").annotations[0].duration == 16
    seconds = pd.read_csv(out / "probability.csv")
    assert seconds["time_s"].tolist() == list(range(21))
    assert np.flatnonzero(seconds["p_seizure"].notna()).tolist() == list(range(4, 20))
    assert seconds["alarm"].dropna().tolist() == [1] * 16 and seconds["p_smooth"].between(0, 1).sum() == 16
    page = (out / "page" / "index.html").read_text(encoding="utf-8")
    assert "1, 16 s in all" in page and "above the highest" in page and f'href="../{quote(name)}_events.tsv"' in page
    assert page.count("<img") == 2 and (out / "event_1.svg").exists()
    assert "depends on what was learnt: no" in (out / "event_1.svg").read_text(encoding="utf-8")
    assert sorted(path.name for path in folder.iterdir()) == [f"{name}.EDF", "c.edf"]
