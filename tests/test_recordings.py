"""Reading recordings: real EEG, real summaries, and every way a folder can be wrong, each with its message."""

import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import SHARED
from edfio import Edf, EdfSignal
from scipy.signal import stft

from helpers import recordings, spectrograms

CHANNELS = (*recordings.DOUBLE_BANANA, "P7-T7", "T8-P8")
SUMMARY = """\
File Name: {name}
File Start Time: 10:00:00
File End Time: 10:00:30
Number of Seizures in File: {count}
"""


def write_edf(path, channels=CHANNELS, seconds=30, rate=256):
    """Write noise as an EDF file."""
    generator = np.random.default_rng(0)
    write_signals(path, channels, generator.normal(0, 40, (len(channels), seconds * rate)), rate)


def write_signals(path, channels, signals, rate):
    """Write [channel, sample] in µV as an EDF file."""
    options = {"physical_dimension": "uV", "physical_range": (-400, 400)}
    pairs = zip(channels, signals, strict=True)
    Edf([EdfSignal(signal, rate, label=name, **options) for name, signal in pairs]).write(path)


@pytest.fixture
def folder(tmp_path):
    """A good folder: two recordings of 30 s, a seizure from 10 s to 20 s in the first."""
    write_edf(tmp_path / "p_01.edf")
    write_edf(tmp_path / "p_02.edf")
    seizure = "Seizure Start Time: 10 seconds\nSeizure End Time: 20 seconds\n"
    summary = SUMMARY.format(name="p_01.edf", count=1) + seizure + "\n" + SUMMARY.format(name="p_02.edf", count=0)
    (tmp_path / "p-summary.txt").write_text(summary)
    return tmp_path


def edit(folder, old, new):
    """Change the folder's summary."""
    path = folder / "p-summary.txt"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


def test_a_good_folder(folder):
    """Two recordings of 30 s at 256 Hz; one seizure."""
    table, seizures = recordings.survey(folder)
    assert table[["recording", "duration_s", "sampling_hz", "seizures"]].to_numpy().tolist() == [
        ["p_01", 30, 256, 1], ["p_02", 30, 256, 0],
    ]  # fmt: skip
    assert seizures.to_numpy().tolist() == [["p_01", 10, 20]]


def test_unreadable_edf(folder):
    """Text named .edf, and a file cut short: the first is no EDF, the second says how many bytes are missing."""
    (folder / "p_02.edf").write_text("not an EDF file" * 100)
    with pytest.raises(recordings.RecordingError, match=r"p_02\.edf is no EDF file.*header"):
        recordings.survey(folder)
    write_edf(folder / "p_02.edf")
    whole = (folder / "p_02.edf").read_bytes()
    (folder / "p_02.edf").write_bytes(whole[:-1000])
    said = rf"p_02\.edf has {len(whole) - 1000} bytes, but its header promises {len(whole)}"
    with pytest.raises(recordings.RecordingError, match=said):
        recordings.survey(folder)
    (folder / "p_02.edf").write_bytes(b"")
    with pytest.raises(recordings.RecordingError, match="no EDF file"):
        recordings.survey(folder)


def test_missing_channel(folder):
    """A renamed channel is named, with what the file has; no zeros in its place."""
    write_edf(folder / "p_02.edf", ["X1" if name == "C3-P3" else name for name in CHANNELS])
    with pytest.raises(recordings.RecordingError, match=r"p_02\.edf lacks C3-P3 .*it has: FP1-F7, .*X1"):
        recordings.survey(folder)


def test_channels_are_found_by_name(folder):
    """In another order and in lower case: the montage's order comes out, T8-P8 once."""
    shuffled = [name.lower() for name in reversed(CHANNELS)]
    write_edf(folder / "p_02.edf", shuffled)
    raw = recordings.open_edf(folder / "p_02.edf")
    picks = recordings.montage_channels(raw.ch_names, "p_02.edf")
    assert [name.upper().removesuffix("-0") for name in picks] == list(recordings.DOUBLE_BANANA)
    assert recordings.read(raw, 0, 10).shape == (18, 10)


def test_summary_names_a_missing_file(folder):
    """The message names the file and the two ways out; so does a file that nobody lists."""
    (folder / "p_02.edf").rename(folder / "p_03.edf")
    with pytest.raises(recordings.RecordingError, match=r"p-summary\.txt names p_02\.edf, not found"):
        recordings.survey(folder)
    write_edf(folder / "p_02.edf")
    with pytest.raises(recordings.RecordingError, match=r"holds p_03\.edf, not listed in p-summary\.txt"):
        recordings.survey(folder)


def test_seizure_beyond_the_end(folder):
    """31 s in a recording of 30 s."""
    edit(folder, "End Time: 20 seconds", "End Time: 31 seconds")
    with pytest.raises(
        recordings.RecordingError, match=r"p_01\.edf has a seizure from 10 s to 31 s, beyond .* at 30 s"
    ):
        recordings.survey(folder)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("File: 1", "File: 2", "announces 2 seizures and lists 1 starts and 1 ends"),
        ("End Time: 20 seconds", "End Time: 5 seconds", "from 10 s to 5 s"),
        ("End Time: 20 seconds", "End Time: soon", "'Seizure End Time: soon' is not"),
        ("p_02.edf", "p_01.edf", r"lists p_01\.edf more than once"),
    ],
)
def test_contradictory_summaries(folder, old, new, said):
    """Each contradiction is named; none is repaired in silence."""
    edit(folder, old, new)
    with pytest.raises(recordings.RecordingError, match=said):
        recordings.survey(folder)


def test_no_folder_no_summary_two_summaries(folder):
    """The folder must be one, with one summary, that lists something."""
    with pytest.raises(recordings.RecordingError, match="is no folder"):
        recordings.survey(folder / "nowhere")
    shutil.copy(folder / "p-summary.txt", folder / "q-summary.txt")
    with pytest.raises(recordings.RecordingError, match="holds 2 files named"):
        recordings.survey(folder)
    (folder / "q-summary.txt").unlink()
    (folder / "p-summary.txt").write_text("nothing")
    with pytest.raises(recordings.RecordingError, match="lists no recording"):
        recordings.survey(folder)


def test_a_changed_recording_is_not_read(folder):
    """Acquired with one content, changed since: the stage stops."""
    with pytest.raises(recordings.RecordingError, match="has changed since it was acquired"):
        recordings.read_checked(folder / "p_01.edf", "0" * 64)
    with pytest.raises(recordings.RecordingError, match="not there any more"):
        recordings.read_checked(folder / "p_09.edf", "0" * 64)


def test_all_summaries_of_the_database():
    """The database's 198 seizures are found in its 24 summaries, whatever their spelling; chb08's five by hand."""
    folder = SHARED / "chbmit-annotations" / "summaries"
    if not folder.is_dir():
        pytest.skip("needs the database's summaries in ../shared/data, which are not here")
    entries = {path.stem: recordings.read_summary(path) for path in sorted(folder.glob("*-summary.txt"))}
    assert len(entries) == 24
    assert sum(len(entry["seizures"]) for listed in entries.values() for entry in listed) == 198
    found = {entry["file"]: entry["seizures"] for entry in entries["chb08-summary"] if entry["seizures"]}
    assert found == {
        "chb08_02.edf": [(2670, 2841)], "chb08_05.edf": [(2856, 3046)], "chb08_11.edf": [(2988, 3122)],
        "chb08_13.edf": [(2417, 2577)], "chb08_21.edf": [(2083, 2347)],
    }  # fmt: skip


def test_real_recordings(excerpts):
    """Four excerpts of chb01, 37 to 61 s, one seizure each from 10 s on; amplitudes of real EEG."""
    table, seizures = recordings.survey(excerpts)
    assert table["duration_s"].tolist() == [50, 37, 50, 61] and (seizures["start_s"] == 10).all()
    signal = recordings.read(recordings.open_edf(excerpts / "chb01_03.edf"))
    assert signal.shape == (18, 50 * 256) and 10 < np.median(signal.std(axis=1)) < 200


def test_log_power_equals_scipy():
    """The filter bank against scipy's STFT with the same periodic Hann window, scaled to a density."""
    signal = np.random.default_rng(1).normal(0, 30, (2, 2560)).astype(np.float32)
    frequencies = np.arange(1.0, 55.0)
    ours = spectrograms.log_power(signal, 256.0, 1.0, frequencies, 0.125)
    _, _, values = stft(
        signal, 256.0, "hann", 256, 256 - 32, detrend="constant", boundary=None, padded=False, scaling="psd"
    )
    expected = 10 * np.log10(2 * np.abs(values[:, 1:55]) ** 2)
    np.testing.assert_allclose(ours, expected, atol=0.01)


def test_a_sine_shows_where_it_is(tmp_path):
    """10 Hz at 50 µV from 12 s to 20 s of 30 s: its bin rises by over 20 dB there, at the column of that time.
    The whole power of a sine, A²/2 = 1250 µV², lies in its main lobe."""
    time = np.arange(30 * 256) / 256
    sine = 50 * np.sin(2 * np.pi * 10 * time) * ((time >= 12) & (time < 20))
    noise = np.random.default_rng(2).normal(0, 1, (len(CHANNELS), time.size))
    write_signals(tmp_path / "s.edf", CHANNELS, noise + sine, 256)
    axis = spectrograms.axes(256.0, 1.0, 0.125, 4.0)
    columns = spectrograms.write(recordings.open_edf(tmp_path / "s.edf"), tmp_path / "s.npy", axis)
    power = np.load(tmp_path / "s.npy").astype(float)
    assert columns == 240 and power.shape == (18, 54, 240)
    ten = power[0, 9]
    inside, outside = slice(12 * 8 + 5, 20 * 8 - 5), slice(0, 12 * 8 - 5)
    assert ten[inside].min() > ten[outside].max() + 20
    assert np.sum(10 ** (power[0, 7:12, 120] / 10)) == pytest.approx(1250, rel=0.05)


def test_blocks_change_no_result(folder, monkeypatch):
    """Written in blocks of 7 columns or at once: the same bytes."""
    axis = spectrograms.axes(256.0, 1.0, 0.125, 4.0)
    for name, block in (("a", 2048), ("b", 7)):
        monkeypatch.setattr(spectrograms, "BLOCK_COLUMNS", block)
        spectrograms.write(recordings.open_edf(folder / "p_01.edf"), folder / f"{name}.npy", axis)
    assert (folder / "a.npy").read_bytes() == (folder / "b.npy").read_bytes()


def test_axes_that_do_not_fit():
    """A frame that is no whole number of hops, a window of no whole number of samples, a rate too low for gamma."""
    with pytest.raises(ValueError, match="frame_s in hops is 3.2"):
        spectrograms.axes(256.0, 1.0, 0.125, 0.4)
    with pytest.raises(ValueError, match="window_s in samples is 76.8"):
        spectrograms.axes(256.0, 0.3, 0.125, 4.0)
    with pytest.raises(ValueError, match="more than half the sampling rate"):
        spectrograms.axes(100.0, 1.0, 0.25, 4.0)


def test_bands_are_hertz():
    """Every bin from 1 to 54 Hz is in one band; 4, 8, 13 and 30 Hz begin the next."""
    masks = spectrograms.band_of(np.arange(1.0, 55.0))
    assert pd.DataFrame(masks).sum(axis=1).eq(1).all()
    assert {band: int(mask.sum()) for band, mask in masks.items()} == {"B1": 3, "B2": 4, "B3": 5, "B4": 17, "B5": 25}
