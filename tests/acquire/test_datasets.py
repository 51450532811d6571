"""Data sets of other people, in small folders of the layout in which they are published."""

import numpy as np
import pytest
from conftest import noise_uv, write_edf

from helpers.acquire import edf, layouts, recordings
from helpers.study.errors import RecordingError, UnusableRecording

# The order of https://github.com/esl-epfl/epilepsy2bids, whose converter wrote BIDS Siena.
ELECTRODES = (
    *("Fp1", "F3", "C3", "P3", "O1", "F7", "T3", "T5", "Fz", "Cz", "Pz"),
    *("Fp2", "F4", "C4", "P4", "O2", "F8", "T4", "T6"),
)
SZCORE = "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration\n"
SEIZEIT2 = SZCORE.replace("confidence", "lateralization\tlocalization\tvigilance\tconfidence").replace("\n", "\r\n")


def write_run(folder, run, channels, rate, events):
    """Write a recording of 12 s, its description and its events, as both data sets name them."""
    stem = f"{folder.parents[1].name}_ses-01_task-szMonitoring_run-{run:02}"
    folder.mkdir(parents=True, exist_ok=True)
    write_edf(folder / f"{stem}_eeg.edf", channels, 12, rate)
    (folder / f"{stem}_eeg.json").write_text("{}")
    (folder / f"{stem}_events.tsv").write_bytes(events.encode())
    return folder / f"{stem}_eeg.edf"


@pytest.mark.parametrize(
    ("channels", "rate", "montage"),
    [
        ([f"{name}-Avg" for name in ELECTRODES], 256, "derived from electrodes against AVG"),
        # sub-16's capitals, and the original's labels and rate
        ([f"{name.replace('Fp2', 'FP2').replace('Cz', 'CZ')}-Avg" for name in ELECTRODES], 256, "derived .* AVG"),
        ([*(f"EEG {name}" for name in (*ELECTRODES, "Fc1", "F10")), "EKG EKG", "SPO2", "HR", "1", "2", "MK"], 512,
         "derived from electrodes against one unnamed reference"),
    ],
)  # fmt: skip
def test_bids_siena(tmp_path, channels, rate, montage):
    """sub-10: runs count from 00, one seizure from 3 s to 5.5 s in each but the last, which has two; no seizure in
    none. F7-T7 is the electrode F7 less T3, as written."""
    for name in ("README", "dataset_description.json", "events.json", "participants.json", "participants.tsv"):
        (tmp_path / name).write_text("")
    folder, row = tmp_path / "sub-10" / "ses-01" / "eeg", "\t{}\tn/a\tFp1,F3,F7\t2017-01-01 05:40:05\t12.00\n"
    rows = "3.00\t2.50" + row.format("sz_foc_f2b")
    for run in (0, 1):
        written = write_run(folder, run, channels, rate, SZCORE + rows)
    write_run(folder, 2, channels, rate, SZCORE + rows + "8.00\t1.00" + row.format("sz_foc_ia"))
    write_run(folder, 3, channels, rate, SZCORE + "0.00\t12.00" + row.format("bckg"))
    table, seizures, left_out, *_ = recordings.survey(tmp_path / "sub-10")
    assert table["recording"].tolist() == ["run-00", "run-01", "run-02", "run-03"] and left_out.empty
    assert seizures.to_numpy().tolist() == [
        ["run-00", 3, 5.5], ["run-01", 3, 5.5], ["run-02", 3, 5.5], ["run-02", 8, 9],
    ]  # fmt: skip
    assert (table["start"] == "05:40:05").all() and (table["sampling_hz"] == rate).all()
    assert table["montage"].str.fullmatch(montage).all()
    electrode = dict(zip(ELECTRODES, noise_uv(written, channels, 12 * rate), strict=False))
    found = edf.read(edf.open_edf(written))
    assert np.abs(found[1] - (electrode["F7"] - electrode["T3"])).max() < 0.05


def test_the_original_siena_is_refused(tmp_path):
    """PN00-1.edf beside Seizures-list-PN00.txt, whose times are clocks: said what is wanted."""
    write_edf(tmp_path / "PN00-1.edf", [f"EEG {name}" for name in ELECTRODES], 12, 512)
    (tmp_path / "Seizures-list-PN00.txt").write_text("File name: PN00-1.edf\nSeizure start time: 19.58.36\n")
    with pytest.raises(RecordingError, match=r"no \*-summary.txt and no \*_eeg.edf. It must hold EDF .* BIDS") as said:
        recordings.survey(tmp_path)
    assert "\n" not in str(said.value)


def test_seizeit2_is_refused(tmp_path):
    """sub-001: seizures, impedance checks and background are read, the ECG and the movements beside them are not; two
    channels behind the ear are not the 18: one message, with what there is."""
    folder, row = tmp_path / "sub-001" / "ses-01" / "eeg", "\tn/a\tn/a\t2000-01-01 00:00:00\t12.00\r\n"
    check, seizure = "1.00\t2.00\timpd\tn/a\tn/a\tn/a" + row, "5.00\t4.00\tsz_foc_ia_nm\tleft\ttemp\tasleep" + row
    background = "0.00\t12.00\tbckg\tn/a\tn/a\tn/a" + row
    for run, rows in enumerate((check + seizure, check, background), 1):
        written = write_run(folder, run, ["BTEleft SD", "CROSStop SD"], 256, SEIZEIT2 + rows)
        for kind, channels in (("ecg", ["ECG SD"]), ("emg", ["EMG SD"]), ("mov", ["EEG SD ACC X"])):
            folder.with_name(kind).mkdir(exist_ok=True)
            write_edf(folder.with_name(kind) / written.name.replace("eeg", kind), channels, 12, 25)
    entries, faults = layouts.entries(tmp_path / "sub-001")
    found = {entry["recording"]: (entry["seizures"], entry["duration_s"]) for entry in entries}
    assert found == {"run-01": ([(5, 9)], 12), "run-02": ([], 12), "run-03": ([], 12)} and not faults
    why = r"sub-001_\S+_eeg.edf lacks FP1-F7, .*, CZ-PZ of the 18 channels .*; it has: BTEleft SD, CROSStop SD"
    with pytest.raises(RecordingError, match=f"None of the 3 recordings in .* can be used: {why}") as said:
        recordings.survey(tmp_path / "sub-001", leave_out=True)  # as when a folder is declared
    assert "\n" not in str(said.value)
    with pytest.raises(UnusableRecording, match=why):
        recordings.survey(tmp_path / "sub-001")
