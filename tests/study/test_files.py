"""Files are written whole or not at all; what the disk refuses ends in a message that says what to do."""

import errno
import fnmatch
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from types import SimpleNamespace

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from conftest import ROOT

from helpers import figures
from helpers.study import executed, files


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    """An error half-way leaves what was there before, and no litter; JSON has no NaN."""
    path = tmp_path / "a.txt"
    files.write_text(path, "before")
    with pytest.raises(RuntimeError), files.atomic_write(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    with pytest.raises(ValueError, match="Out of range float"):
        files.write_json(tmp_path / "b.json", {"x": float("nan")})
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


def test_what_killed_processes_left_is_removed(tmp_path):
    """A process is killed while it writes: what it began counts under no name and is removed; a user's own hidden
    file stays."""
    code = "import os, signal, sys; from helpers.study import files\nwith files.atomic_write(sys.argv[1]) as path:\n"
    code += "    path.write_bytes(b'half'); os.kill(os.getpid(), signal.SIGKILL)"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a" / "x.npy")])
    [left] = (tmp_path / "a").iterdir()
    assert done.returncode == -signal.SIGKILL and left.name.endswith(".partial.npy")
    assert any(fnmatch.fnmatch(left.name, pattern) for pattern in (ROOT / ".dvcignore").read_text().splitlines())
    (tmp_path / ".notes.partial.txt").write_text("mine")
    files.remove_partial(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == [".notes.partial.txt", "a"]


def test_a_stage_out_of_turn_names_the_command(tmp_path, monkeypatch):
    """Nothing acquired yet: the message says which stage to run."""
    monkeypatch.setattr(files, "ROOT", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"acquire/recordings.csv is not there.*dvc repro acquire@sim08"):
        files.stage_output("sim08", "acquire", "recordings.csv")


NAMES = ["001", "002b", "1e5", "NA", "<NA>", "#NA", "1.#IND", "nan", "null", "None", "True", "-inf", "", "a,b", 'a"b']


def test_text_in_a_table_is_text(tmp_path):
    """Names that look like numbers or missing values come back as written, alone and together; numbers as numbers, and
    only an empty cell as missing."""
    numbers = [float("nan") if number % 2 else number / 7 for number in range(len(NAMES))]
    written = pd.DataFrame({"recording": NAMES, "fold": range(len(NAMES)), "value_uv": numbers, "start": "10:00"})
    for table in (written, *(written[written["recording"] == name] for name in NAMES)):
        files.write_text(tmp_path / "a.csv", table.to_csv(index=False))
        read = files.read_table(tmp_path / "a.csv")
        assert read["recording"].tolist() == table["recording"].tolist()
        pd.testing.assert_frame_equal(read[["fold", "value_uv"]], table[["fold", "value_uv"]].reset_index(drop=True))


def test_no_other_reader_of_tables():
    """Notebooks and helpers read their own tables by that one."""
    sources = [*(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "src" / "helpers").rglob("*.py")]
    found = {path.name for path in sources if "pd.read_csv" in path.read_text(encoding="utf-8")}
    assert found == {"files.py"}


@contextmanager
def small_disk(folder, size):
    """Have a disk of `size` at `folder`; skip where that takes rights that are missing."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    if done.returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def save_figure(path):
    """Write a picture of noise."""
    figure = plt.figure(figsize=(8, 8), dpi=200)
    figure.figimage(np.random.default_rng(0).random((1600, 1600)))
    with files.atomic_write(path) as partial:
        figure.savefig(partial)
    plt.close(figure)


def save_weights(path):
    """Write weights, as the networks' are."""
    with files.atomic_write(path) as partial:
        safetensors.torch.save_file({"weight": torch.zeros(100_000)}, partial)


def save_attributions(path):
    """Write compressed arrays, as attributions are."""
    with files.atomic_write(path) as partial:
        np.savez_compressed(partial, values=np.random.default_rng(0).random(100_000))


WRITERS = {
    "x.csv": lambda path: files.write_text(path, "x" * 300_000),
    "x.png": save_figure,
    "x.safetensors": save_weights,
    "x.npz": save_attributions,
}


def test_a_full_disk(tmp_path):
    """Whatever writes the file: the message names it, the free space and what to do; nothing of it is left, what was
    there is as it was; and with room it is written."""
    with small_disk(tmp_path / "disk", "200k") as disk:
        for name, write in WRITERS.items():
            (disk / name).write_text("before")
            with pytest.raises(
                files.DiskError, match=rf"{name} could not be written: No space left on device \(0\.\d MB"
            ):
                write(disk / name)
            assert {path.name: path.read_text() for path in disk.iterdir()} == {name: "before"}
            (disk / name).unlink()
        subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
        for name, write in WRITERS.items():
            write(disk / name)
            assert (disk / name).stat().st_size > 100_000
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        for path in (disk / "x.csv", disk / "new" / "x.csv"):
            with pytest.raises(files.DiskError, match="x.csv could not be written: Read-only file system"):
                files.write_text(path, "x")


def test_a_folder_that_may_not_be_written():
    """The message names the folder, and by which commands the right is taken."""
    if os.geteuid():
        pytest.skip("needs root, who alone can become another user")
    folder = tempfile.mkdtemp(dir="/tmp")
    os.chmod(folder, 0o755)
    try:
        os.seteuid(65534)
        with pytest.raises(files.DiskError, match=r"Permission denied .*take the right to write to /tmp/.*chmod"):
            files.write_text(f"{folder}/a/x.csv", "x")
    finally:
        os.seteuid(0)
        shutil.rmtree(folder)


@pytest.mark.parametrize(("code", "words"), [(errno.EFBIG, "File too large"), (errno.EDQUOT, "quota")])
def test_a_limit_of_file_size_and_a_quota(tmp_path, code, words):
    """Said by their names."""
    with pytest.raises(files.DiskError, match=words), files.atomic_write(tmp_path / "x"):
        raise OSError(code, os.strerror(code))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("OSError", "[Errno 28] No space left on device: '/tmp/x'", "^OSError: .*: '/tmp/x'$"),
        ("KeyError", "'frames'", "KeyError: 'frames'"),
        ("ValueError", "found 3, wanted 4", "^found 3, wanted 4"),
    ],
)
def test_a_cell_s_error_in_one_message(name, value, words):
    """The helpers' own errors as they are; another's with its name."""
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(executed.cell_message(SimpleNamespace(ename=name, evalue=value)))


def test_executed_notebooks_name_no_place_or_moment(monkeypatch):
    """A warning keeps its words and loses its place; an address, a kernel's file, a user's folder and fonts go."""
    monkeypatch.setenv("HOME", "/home/ada")
    temporary = tempfile.gettempdir()
    cases = {
        f"{temporary}/ipykernel_4711/815.py:3: UserWarning: careful": "temporary:3: UserWarning: careful",
        f"{files.ROOT}/src/helpers/acquire/edf.py:9: odd": "./src/helpers/acquire/edf.py:9: odd",
        "<object at 0x7f3a5c0b1d90>": "<object at 0x…>",
        "/home/ada/data/a.edf /home/adam": "~/data/a.edf /home/adam",
        f"{temporary}/tmpa1b2c3d4/x": "temporary/x",
        "0xff is a byte, 0x7f3a5c0b1d90 a place": "0xff is a byte, 0x… a place",
    }
    assert {text: executed.remove_places(text) for text in cases} == cases
    printed = "Matplotlib is building the font cache; this may take a moment.\ncareful\n"
    data = {"text/plain": "<Axes at 0x7f3a5c0b1d90>", "image/png": "0x7f3a5c0b1d90"}
    outputs = [nbformat.v4.new_output("stream", name="stderr", text=printed)]
    outputs += [nbformat.v4.new_output("display_data", data=dict(data))]
    found = executed.canonical_outputs(outputs)
    assert found[0].text == "careful\n" and found[1].data == data | {"text/plain": "<Axes at 0x…>"}


def test_figures_look_the_same_after_any_setting():
    """`figures.begin` starts from Matplotlib's own defaults, whatever was set before."""
    looks = []
    for place in ("left", "right"):
        plt.rcParams["axes.titlelocation"] = place
        figures.begin(3, 2)
        looks.append(dict(plt.rcParams))
    assert looks[0] == looks[1]
