"""Other people's clips with votes: what is refused, by which frames a clip is decided, and what the numbers say.

The study is the made-up one of `test_predict`: frames of 2 s, two small networks with random weights.
"""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import test_predict
import torch
from conftest import SHARED, copy_project, environment, write_edf
from test_predict import odd, write_study

from helpers.explain import sample_figures
from helpers.predict import __main__, annotated, detector, strangers, unseen
from helpers.preprocess import filterbank, spectrograms
from helpers.study import files
from helpers.study.errors import RecordingError

known = test_predict.known
HEAD = "file\tduration_s\tjudged_s\tOther\tSZ\tLPD\n"
ROW = "a.edf\t20\t6-14\t0\t3\t1\n"


def write_clips(folder, rows=ROW, head=HEAD, seconds=None, names=("a",)):
    """Make a folder with votes, and clips of noise, or files that only have a clip's name."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.edf").touch()
        if seconds:
            write_edf(folder / f"{name}.edf", seconds=seconds)
    (folder / "votes.tsv").write_text(head + rows)
    return folder


def test_votes_are_read_and_classes_follow(tmp_path):
    """Most votes decide: seizure 1, rest 0; a tie with seizure is neither, another tie is rest. A byte order mark and
    Windows' line ends are no matter, nor what else lies in the folder."""
    rows = [("a", "1 2 0"), ("b", "2 2 1"), ("c", "2 0 2"), ("d", "0 1 3")]
    text = "".join(f"{name}.edf\t10.5\t0-10\t" + said.replace(" ", "\t") + "\r\n" for name, said in rows)
    folder = write_clips(tmp_path / "x", names=("a", "b", "c", "d", "._a"))
    (folder / "votes.tsv").write_bytes(b"\xef\xbb\xbf" + HEAD.encode() + text.encode())
    clips, classes = strangers.read_votes(folder)
    seconds = clips[["duration_s", "from_s", "to_s"]]
    assert classes == ["Other", "SZ", "LPD"] and seconds.drop_duplicates().to_numpy().tolist() == [[10.5, 0, 10]]
    assert clips["group"].tolist() == ["SZ", "tie with SZ", "another tie", "LPD"]
    assert clips["label"].fillna(-1).tolist() == [1, -1, 0, 0]
    assert clips["share"].tolist() == pytest.approx([2 / 3, 2 / 5, 0, 1 / 4])


WRONG = {
    "no table": (None, None, "votes.tsv cannot be read"),
    "empty": ("", "", "0 rows of no column"),
    "no seizure": (ROW, HEAD.replace("SZ", "XX"), "wanted are a row a clip, and file, duration_s, judged_s, SZ"),
    "no judged": (ROW, HEAD.replace("judged_s", "judged"), "judged_s, SZ and other classes"),
    "twice a column": (ROW, HEAD.replace("LPD", "SZ"), "each once"),
    "one class": ("a.edf\t20\t6-14\t3\n", "file\tduration_s\tjudged_s\tSZ\n", "other classes"),
    "no row": ("", HEAD, "has 0 rows"),
    "cells": (ROW + "b.edf\t1\n", HEAD, "has 2 cells, not 6, in its row b.edf, 1"),
    "not there": (ROW + ROW.replace("a.", "b."), HEAD, "b.edf is listed, and not there"),
    "elsewhere": (ROW.replace("a.edf", "../a.edf"), HEAD, "../a.edf is listed, and not there; a.edf is there, and not"),
    "twice": (ROW * 2, HEAD, "a.edf is listed twice"),
    "part": (ROW.replace("3", "1.5"), HEAD, "a.edf: its votes are 0, 1.5, 1"),
    "negative": (ROW.replace("3", "-3"), HEAD, "its votes are 0, -3, 1"),
    "nobody": (ROW.replace("3\t1", "0\t0"), HEAD, "its votes are 0, 0, 0"),
    "judged": (ROW.replace("6-14", "14-6"), HEAD, "a.edf: judged are 14-6 of 20 s"),
    "beyond": (ROW.replace("6-14", "6-21"), HEAD, "judged are 6-21 of 20 s"),
    "words": (ROW.replace("6-14", "all"), HEAD, "judged are all of 20 s"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_table_is_one_message(tmp_path, kind):
    """It names the table, what was found and what is wanted; nothing in the folder changes."""
    rows, head, wanted = WRONG[kind]
    folder = write_clips(tmp_path / "x", rows or "", head or "")
    if rows is None:
        (folder / "votes.tsv").unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ValueError) as error:
        strangers.read_votes(folder)
    assert wanted in str(error.value) and "\n" not in str(error.value)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_all_faults_are_told_at_once(tmp_path):
    folder = write_clips(tmp_path / "x", ROW.replace("3", "x").replace("6-", "16-"), names=("a", "b"))
    with pytest.raises(
        ValueError, match=r"b.edf is there, and not listed; a.edf: judged .*; a.edf: its votes are 0, x"
    ):
        strangers.read_votes(folder)


def decide(known, folder):
    return strangers.decide(known, folder, next(strangers.read_votes(folder)[0].itertuples()))


@pytest.mark.parametrize(
    ("seconds", "judged", "wanted", "deciding"),
    [(20, "6-14", [3, 4, 5, 6], [3, 4, 5, 6]), (20, "5-8", [2, 3], [2, 3]), (20, "0-6", [0, 1, 2], [2]),
     (5, "0-5", [0, 1], [1]), (3, "0-3", [0], [0])],
)  # fmt: skip
def test_judged_frames_decide(known, tmp_path, seconds, judged, wanted, deciding):
    """Frames of 2 s of which a second or more was judged; of these the ones with two before them, or else the last. A
    frame is decided as the networks do after one, two and three frames of the stored spectrogram."""
    row = ROW.replace("20", str(seconds)).replace("6-14", judged)
    folder = write_clips(tmp_path / "x", row, seconds=seconds)
    found, frames, own = decide(known, folder)
    assert frames.tolist() == wanted and own.tolist() == deciding
    assert found.table["last_start_s"].tolist() == list(range(0, seconds - 1, 2))
    filterbank.write(found.recording, tmp_path, "a", found.axis)
    stored = spectrograms.open_spectrogram(tmp_path / "spectrograms", ["a"])
    size = found.axis["frame_columns"]
    for row in found.table.itertuples():
        part = np.array(stored["a"][:, :, row.column : (row.Index + 1) * size], np.float32)
        frames = torch.from_numpy(part).unflatten(2, (-1, size)).permute(2, 0, 1, 3)[None]
        each = [one.decide_each(one.maps(frames))[0, -1].item() for one in known.networks.networks]
        assert row.log_odds == pytest.approx(np.mean(each), abs=1e-5)
    steps, sample = min(own[-1] + 1, 3), list(found.table.itertuples())[own[-1]]
    explained = sample_figures.read_moment(known.networks, found.recording, found.axis, sample)
    assert explained.channels.shape == (steps, 18) and explained.signal.shape == (18, 512 * steps)


@pytest.mark.parametrize(
    ("row", "seconds", "wanted"),
    [(ROW.replace("20", "1").replace("6-14", "0-1"), 1, "a.edf lasts 1 s; a decision needs a frame, 2 s."),
     (ROW, 18, "a.edf lasts 18 s, votes.tsv says 20 s."),
     (ROW.replace("6-14", "6-6.5"), 20, "no frame of which half or more was judged (6-6.5 s)")],
)  # fmt: skip
def test_a_clip_that_cannot_be_decided(known, tmp_path, row, seconds, wanted):
    folder = write_clips(tmp_path / "x", row, seconds=seconds)
    with pytest.raises(RecordingError) as error:
        decide(known, folder)
    assert wanted in str(error.value)


def test_artefacts_are_decided_too(known, tmp_path):
    """A flat clip, which no study takes and no recording to predict may be, is decided; what it is, is told."""
    folder = write_clips(tmp_path / "x", names=())
    odd(folder / "a.edf", "flat")
    found, *_ = decide(known, folder)
    said = unseen.in_words(unseen.differences("tiny", found.axis, found.examined, found.mean_power))
    assert np.isfinite(found.table["log_odds"]).all() and "flat: 100% of seconds" in said
    with pytest.raises(RecordingError, match="flat"):
        detector.predict(known, folder / "a.edf")


def test_differences_in_words():
    """Channels of which a warning says the same kind of thing are listed together; what is of all keeps its value."""
    rows = [("sampling rate", "200 Hz", "256 Hz"), ("power of B1, delta", "up", "span"), ("clipped, F7-T7", "9%", ""),
            ("clipped, CZ-PZ", "8%", ""), ("level, all", "0.5 µV", "")]  # fmt: skip
    found = pd.DataFrame(rows, columns=["what", "here", "in the study"])
    said = "sampling rate: 200 Hz; power of B1, delta: up; clipped: F7-T7, CZ-PZ; level: 0.5 µV"
    assert unseen.in_words(found) == said and unseen.in_words(found[:0]) == "nothing"


SAID = {
    "cannot be said: of 4 clips, 0 are seizures by most votes, and 4 are not.": (0, 0, 4, 4),
    "does not work: it fires on 0 of 3 seizures, and on 0 of 9 other clips; its sensitivity is 71%": (0, 3, 0, 9),
    "does not work: it fires on 1 of 2 seizures, and on 8 of 16 other clips;": (1, 2, 8, 16),
    "is not shown: it fires on 2 of 3 seizures, and on 4 of 16 other clips, which chance could give.": (2, 3, 4, 16),
    "10 of 10 seizures, and on 1 of 16 other clips; at worst it misses 31% of such seizures, and fires on 30% of":
        (10, 10, 1, 16),
}  # fmt: skip


@pytest.mark.parametrize("words", SAID)
def test_the_first_sentence_follows_from_the_counts(words):
    """By counts of seizures it fires on, and of others. 0 of 3: to 71 %; Fisher's p of 2/3 and 4/16 is 0.22."""
    one, n, other, m = SAID[words]
    fires = [*(place < one for place in range(n)), *(place < other for place in range(m))]
    said = strangers.say_how_far("the detector", pd.DataFrame({"label": [1] * n + [0] * m, "fires": fires}))
    assert words in said and said.endswith(".") and "the detector" in said


def test_a_folder_with_votes_is_one_page(tmp_path):
    write_clips(tmp_path / "x")
    assert __main__.recordings(tmp_path / "x") == [tmp_path / "x"]
    (tmp_path / "x" / "votes.tsv").unlink()
    assert __main__.recordings(tmp_path / "x") == [tmp_path / "x" / "a.edf"]


def run(root, folder):
    copy_project(root)
    write_study(root)
    command = [sys.executable, "-m", "helpers.predict", str(folder)]
    own = environment(root) | {"PATIENT": "tiny"}
    done = subprocess.run(command, cwd=root, env=own, capture_output=True, text=True)
    return done, root / "output" / "tiny" / "strangers" / folder.name


def test_other_clips_in_a_folder_of_the_same_name_are_refused(known, tmp_path):
    """Nothing that was made is lost: corrected votes make a new page of the same clips, as does a file of macOS beside
    them; other clips make none."""
    for place, seconds in (("one", 20), ("two", 30)):
        (tmp_path / place).mkdir()
        write_clips(tmp_path / place / "x", ROW.replace("20", str(seconds)), seconds=seconds)
    folder, digest = annotated.result_folder("tiny", tmp_path / "one" / "x")
    assert folder == tmp_path / "output" / "tiny" / "strangers" / "x"
    (folder / "clips.csv").write_text("kept")
    (folder / annotated.KEPT).write_text(f"{digest}\n")
    write_clips(tmp_path / "one" / "x", ROW.replace("\t1\n", "\t0\n"), names=("a", "._a"))
    assert annotated.result_folder("tiny", tmp_path / "one" / "x") == (folder, digest)
    [message] = __main__.main(str(tmp_path / "two" / "x"), None, "tiny")
    assert "output/tiny/strangers/x holds the results of other EEG that is named x" in message
    assert (folder / "clips.csv").read_text() == "kept" and len(list(folder.iterdir())) == 2


@pytest.mark.slow
def test_the_page(tmp_path):
    """A seizure of three frames, a mimic of two, and a clip too short, which is listed and counted: the page begins
    with how far the detector is; a picture a clip. The folder is left as it was, and a wrong table is one message."""
    rows = ROW + "b.edf\t5\t0-5\t0\t1\t3\n" + "c.edf\t1\t0-1\t1\t0\t0\n"
    folder = write_clips(tmp_path / "of others", rows, seconds=20)
    write_edf(folder / "b.edf", seconds=5)
    write_edf(folder / "c.edf", seconds=1)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    done, out = run(tmp_path / "a project", folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "The page: output/tiny/strangers/of others/page/index.html"
    page = (out / "page" / "index.html").read_text(encoding="utf-8")
    first = page[page.index("never seen?") :]
    assert "the detector of the study tiny" in first[: first.index(".")]
    assert "2 decided, 1 not" in first and "c.edf lasts 1 s" in first
    table = files.read_table(out / "clips.csv")
    assert table["file"].tolist() == ["a.edf", "b.edf"] and table["frames"].tolist() == [3, 2]
    assert table["end_s"].tolist() == [14, 4] and page.count("<img") == 3
    assert "a.edf: SZ 3, LPD 1" in (out / "clip_a.svg").read_text(encoding="utf-8")
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "votes.tsv").write_text(HEAD + ROW)
    done = subprocess.run(done.args, cwd=tmp_path / "a project", capture_output=True, text=True,
                          env=environment(tmp_path / "a project") | {"PATIENT": "tiny"})  # fmt: skip
    assert done.returncode == 1 and done.stderr.count("b.edf is there, and not listed") == 1


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "iiic").is_dir(), reason="needs the clips in ../shared/data/iiic, which are not here")
def test_real_clips(tmp_path):
    """All 22 are decided, with frames of 2 s all by three; three seizures, and three ties that are neither."""
    done, out = run(tmp_path / "project", SHARED / "iiic")
    assert done.returncode == 0, done.stderr
    table = files.read_table(out / "clips.csv")
    assert len(table) == 22 and set(table["frames"]) == {3} and table["label"].isna().sum() == 3
    assert table["label"].sum() == 3 and len(list(out.glob("clip_*.svg"))) == 22
