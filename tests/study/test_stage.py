"""Running a stage: parameters checked before anything runs, one message on failure, canonical notebooks."""

import fnmatch
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import nbformat
import pytest
import yaml
from conftest import CHANNELS, ROOT, write_edf
from nbclient.exceptions import DeadKernelError

from helpers.acquire import declare, physionet, recordings, sources
from helpers.study import errors, files, patients, processes, stage


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A copy of notebooks and params, in place of the project."""
    for name in ("notebooks", "params"):
        shutil.copytree(ROOT / name, tmp_path / name)
    monkeypatch.setattr(files, "ROOT", tmp_path)
    monkeypatch.setattr(stage.provenance, "write", lambda *_: None)  # tests/test_provenance.py has it
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_no_such_patient():
    """The message lists who is declared, suggests the nearest, and says how to declare one."""
    with pytest.raises(
        ValueError, match=r"no patient 'sim80'.*chb08.*Did you mean 'sim08'\?.*make study PATIENT=sim80 FOLDER="
    ):
        patients.load("sim80")


def test_no_such_stage():
    """A typo gets the right name."""
    with pytest.raises(ValueError, match="no stage 'evalute'; did you mean 'evaluate'"):
        stage.notebook("evalute")


@pytest.mark.slow
def test_a_patient_of_the_database(project, monkeypatch):
    """chb24's summary lists one recording here; that 21 more of the database's 22 are not used is said with the source.
    Without a network, it is said how to study the patient all the same."""

    def fetch(patient, folder):
        folder.mkdir(parents=True)
        (folder / "chb24-summary.txt").write_text("File Name: chb24_01.edf\nNumber of Seizures in File: 0\n")
        write_edf(folder / "chb24_01.edf")
        write_edf(folder / "chb24_02.edf")  # in a copy of the whole database
        return ["chb24-summary.txt", "chb24_01.edf"]

    monkeypatch.setattr(physionet, "fetch", fetch)
    declare.main("chb24")
    assert yaml.safe_load((project / "params" / "study.yaml").read_text()) == {"patients": ["sim08", "chb24"]}
    folder, source = sources.acquire("chb24")
    assert folder == project / "output" / "chb24" / "recordings" and not source["simulated"]
    assert re.search(
        r"ODC-By 1\.0.* 21 more recordings .* not used: chb24_02\.edf, .*_22\.edf\.$", source["description"]
    )
    assert recordings.survey(folder, False, source["unlisted"])[0]["recording"].tolist() == ["chb24_01"]
    monkeypatch.undo()
    monkeypatch.setenv("CHBMIT_MIRRORS", "http://127.0.0.1:9/")
    with pytest.raises(ValueError, match=r"No mirror gives chb08-summary\.txt.*PATIENT=chb08_local FOLDER="):
        physionet.fetch("chb08", project / "nowhere")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("epochs:", "epoch:", "params/train.yaml: there is no parameter 'epoch'; did you mean 'epochs'"),
        ("learning_rate: 0.001", "learning_rate: 1e-3", r"learning_rate is '1e-3', str; wanted float \(write 0.001"),
        ("epochs: 20", "epochs: 12.5", "epochs is 12.5, float; wanted int"),
        ("epochs: 20", "epochs: true", "epochs is True, bool; wanted int"),
        ("dropout: 0.3\n", "", "lacks dropout"),
    ],
)
def test_typo_in_a_params_file(project, old, new, said):
    """An unknown or missing key, and a value of another type: refused before anything runs."""
    path = project / "params" / "train.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match=said):
        stage.run("train", "sim08")
    assert not (project / "output").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("source: simulated", "source is 'simulated'; it must be one of simulate"),
        ("source: simulate\nseed: 1", "also needs: recordings"),
        ("source: physionet\nfolder: x", "there is no parameter 'folder'"),
        ("source: directory\nfolder: x\nfingerprint: y\nframes: 2.0", "did you mean 'frame_s'"),
        ("", "source is None"),
        ("source:\tsimulate\n\tx", "cannot be read as YAML"),
        ("- a\n- b", "wanted are lines of the form 'key: value'"),
        ('source: simulate\nseed: 1\nrecordings: {}\nframe_s: "2"', "frame_s is '2'; it must be a number"),
        ("source: simulate\nseed: 1\nrecordings: {}\nframe_s: -1", "frame_s is -1"),
        ("source: simulate\nseed: 1\nrecordings: [a]", "recordings must be lines like"),
    ],
)
def test_wrong_declarations(project, text, said):
    """Each says which file is wrong and what it needs."""
    (project / "params" / "patients" / "x.yaml").write_text(text)
    with pytest.raises(ValueError, match=f"params/patients/x.yaml.*{said}"):
        patients.load("x")


def test_declaring_a_folder(project, excerpts):
    """Short excerpts: frames of 2 s, which a person may change; enrolled once; renewed when data change."""
    declare.main("excerpts01", str(excerpts))
    declare.main("excerpts01", str(excerpts))
    assert yaml.safe_load((project / "params" / "study.yaml").read_text()) == {"patients": ["sim08", "excerpts01"]}
    declaration = patients.load("excerpts01")
    assert declaration["frame_s"] == 2.0 and patients.recordings_folder("excerpts01") == excerpts.resolve()
    path = project / "params" / "patients" / "excerpts01.yaml"
    path.write_text(path.read_text().replace("frame_s: 2.0", "frame_s: 1.0"))
    copy = project / "copy é"
    shutil.copytree(excerpts, copy)
    declare.main("excerpts01", str(copy))
    assert patients.load("excerpts01")["frame_s"] == 1.0
    assert patients.load("excerpts01")["fingerprint"] == declaration["fingerprint"]
    summary = copy / "chb01-summary.txt"
    summary.write_text(summary.read_text().replace("End Time: 37 seconds", "End Time: 36 seconds"))
    declare.main("excerpts01")
    assert patients.load("excerpts01")["fingerprint"] != declaration["fingerprint"]


@pytest.mark.parametrize(
    ("patient", "folder", "said"),
    [
        ("a b", ".", "cannot name a patient"),
        ("sim08", ".", "already declared, from another source"),
        ("y", "no", "is no folder"),
    ],
)
def test_declaring_the_wrong_thing(project, patient, folder, said):
    """Ends with one message, and leaves the study as it was."""
    before = sorted((project / "params").rglob("*"))
    with pytest.raises(SystemExit, match=said):
        declare.main(patient, str(project / folder))
    assert sorted((project / "params").rglob("*")) == before


def small_notebook(project, name, source):
    """Replace a stage's notebook by one that runs `source`, with no other parameter than the patient."""
    cells = [nbformat.v4.new_code_cell('patient: str = "sim08"'), nbformat.v4.new_code_cell(source)]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), stage.notebook(name))
    (project / "params" / f"{name}.yaml").write_text("")


@pytest.mark.slow
def test_executed_notebooks_are_canonical(project):
    """Twice the same bytes: no times, paths, fresh ids or progress bars; results and warnings stay."""
    source = (
        "import os, sys\nfrom tqdm import tqdm\nfor _ in tqdm(range(3)): pass\n"
        "from tqdm.notebook import tqdm\nfor _ in tqdm(range(3)): pass\n"
        "print(patient, os.getcwd())\nprint('careful', file=sys.stderr)\n1 + 1"
    )
    small_notebook(project, "train", source)
    texts = []
    for _ in range(2):
        stage.run("train", "sim08")
        texts.append((project / "output" / "sim08" / "notebooks" / "03_train.ipynb").read_text())
    assert texts[0] == texts[1]
    assert str(project) not in texts[0] and "papermill" not in texts[0] and "it/s" not in texts[0]
    book = nbformat.reads(texts[0], as_version=4)
    shown = [output.get("text") or output["data"]["text/plain"] for output in book.cells[-1].outputs]
    assert sorted(shown) == ["2", "careful\n", "sim08 ./notebooks\n"]


def test_a_failing_stage_ends_with_one_message(project, capsys):
    """No traceback at the end but a message, and the notebook as it ran; a finished one from before is not touched."""
    small_notebook(project, "train", "raise ValueError('found 3, wanted 4: bring one more')")
    done = project / "output" / "sim08" / "notebooks" / "03_train.ipynb"
    done.parent.mkdir(parents=True)
    done.write_text("from before")
    with pytest.raises(SystemExit) as end:
        stage.main("train", "sim08")
    assert str(end.value).startswith(
        "\nerror in train@sim08: found 3, wanted 4: bring one more\n(the notebook as it ran"
    )
    assert done.read_text() == "from before"
    failed = nbformat.read(done.with_suffix(".failed.ipynb"), as_version=4)
    assert failed.cells[-1].outputs[0].ename == "ValueError"
    assert sorted(path.name for path in done.parent.iterdir()) == ["03_train.failed.ipynb", "03_train.ipynb"]


def test_another_error_keeps_its_name(project):
    """A KeyError says only its key: the name is part of the message."""
    small_notebook(project, "train", "{}['frames']")
    with pytest.raises(SystemExit, match="error in train@sim08: KeyError: 'frames'"):
        stage.main("train", "sim08")


def test_a_stage_out_of_turn_names_the_command(project):
    """Nothing acquired yet: the message says which stage to run."""
    with pytest.raises(
        FileNotFoundError, match=r"output/sim08/acquire/recordings.csv is not there.*dvc repro acquire@sim08"
    ):
        files.stage_output("sim08", "acquire", "recordings.csv")


def test_files_are_written_whole_or_not_at_all(tmp_path):
    """An error half-way leaves what was there before, and no litter."""
    path = tmp_path / "a.txt"
    files.write_text(path, "before")
    with pytest.raises(RuntimeError), files.atomic_write(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]
    with pytest.raises(ValueError, match="Out of range float"):
        files.write_json(tmp_path / "b.json", {"x": float("nan")})
    assert list(tmp_path.iterdir()) == [path]


def test_recording_errors_are_value_errors():
    """What the command line turns into one message."""
    assert issubclass(errors.RecordingError, ValueError)


def test_leftovers_of_killed_runs_are_swept(tmp_path):
    """A process is killed while it writes: what it began lies under no name that counts, and is swept; what a living
    process is writing stays, as does a user's own hidden file."""
    code = f"import os, signal; from helpers.study import files\nwith files.atomic_write({str(tmp_path / 'a' / 'x.npy')!r}) as path:\n"
    code += "    path.write_bytes(b'half'); os.kill(os.getpid(), signal.SIGKILL)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    left = list((tmp_path / "a").iterdir())
    assert len(left) == 1 and left[0].name.endswith(".partial.npy")
    (tmp_path / ".notes.partial.txt").write_text("mine")
    with files.atomic_write(tmp_path / "y.npy") as living:
        living.write_bytes(b"half")
        files.remove_partial(tmp_path)
        assert living.exists()
    assert sorted(path.name for path in tmp_path.rglob("*")) == [".notes.partial.txt", "a", "y.npy"]


def test_what_is_being_written_is_ignored_by_dvc(tmp_path):
    """DVC hashes no half-written file into an output folder."""
    ignored = (ROOT / ".dvcignore").read_text().splitlines()
    with files.atomic_write(tmp_path / "x.npy") as partial:
        assert any(fnmatch.fnmatch(partial.name, pattern) for pattern in ignored)
        partial.write_bytes(b"")


def test_one_run_of_a_stage_at_a_time(tmp_path, capsys):
    """A second run waits, saying so, until the first has ended; a failure inside frees the lock."""
    order, lock = [], tmp_path / ".train.lock"

    def second():
        with processes.sole(lock, "train@x"):
            order.append("second")

    with processes.sole(lock, "train@x"):
        thread = threading.Thread(target=second)
        thread.start()
        while "still at work" not in capsys.readouterr().err:
            time.sleep(0.01)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    with pytest.raises(ValueError, match="within"), processes.sole(lock, "train@x"):
        raise ValueError("within")
    with processes.sole(lock, "train@x"):
        pass
    assert "still at work" not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["007", "no", "null", "models", "benchmark", "SIM08", "a b", "../x"])
def test_names_that_cannot_name_a_patient(project, excerpts, name):
    """A number or a truth value to YAML, another folder of output/, a declared name in capitals, a path."""
    with pytest.raises(SystemExit, match=rf"'{name}' (cannot name a patient|differs from the declared 'sim08')"):
        declare.main(name, str(excerpts))
    assert yaml.safe_load((project / "params" / "study.yaml").read_text()) == {"patients": ["sim08"]}


def test_what_declaring_looks_at(project):
    """A recording of 200 s and one of 60 s: short frames for the shorter one's sake. One without C3-P3 hinders nobody
    yet, as the parameters decide when the study begins. A recording renamed is another fingerprint."""
    folder = project / "mine"
    folder.mkdir()
    for name, seconds in (("a", 200), ("b", 60)):
        write_edf(folder / f"{name}.edf", seconds=seconds)
    write_edf(folder / "c.edf", CHANNELS[1:])
    entries = "".join(f"File Name: {name}.edf\nNumber of Seizures in File: 0\n" for name in "abc")
    (folder / "x-summary.txt").write_text(entries)
    declare.declare("mine", folder)
    before = patients.load("mine")
    assert before["frame_s"] == 2.0
    (folder / "b.edf").rename(folder / "d.edf")
    (folder / "x-summary.txt").write_text(entries.replace("b.edf", "d.edf"))
    assert declare.fingerprint(folder) != before["fingerprint"]
    folder, source = sources.acquire("mine")
    assert not source["simulated"] and "CHB-MIT's layout" in source["description"]


def test_a_run_waits_for_its_lock_sweeps_and_forgets_an_old_failure(project, monkeypatch):
    """`run` itself, with an executor that only looks: a held lock holds it up, leftovers are gone when it begins, and
    the notebook of a failed run goes when one succeeds."""
    output = project / "output" / "sim08"
    (output / "acquire").mkdir(parents=True)
    left = [
        output / "acquire" / ".x.999999999.partial.npy",
        output / "notebooks" / ".01_acquire.999999999.partial.ipynb",
    ]
    left[1].parent.mkdir()
    failed = output / "notebooks" / "01_acquire.failed.ipynb"
    for path in (*left, failed):
        path.write_text("old")
    seen = []

    def execute(source, partial, *_, **__):
        seen.append([path.exists() for path in left] + [os.environ["PYTHONHASHSEED"]])
        return nbformat.read(source, as_version=4)

    monkeypatch.setattr(stage.papermill, "execute_notebook", execute)
    thread = threading.Thread(target=stage.run, args=("acquire", "sim08"))
    with processes.sole(output / ".acquire.lock", "held"):
        thread.start()
        time.sleep(0.1)
        assert seen == []
    thread.join()
    assert seen == [[False, False, "0"]] and not failed.exists()
    assert (output / "notebooks" / "01_acquire.ipynb").exists()


def test_a_kernel_that_was_killed(project, monkeypatch):
    """Out of memory, as a rule: the message says so, and what to do."""

    def die(*_, **__):
        raise DeadKernelError("Kernel died")

    monkeypatch.setattr(stage.papermill, "execute_notebook", die)
    with pytest.raises(SystemExit, match="was killed, most often for lack of memory.*STUDY_WORKERS=1"):
        stage.main("acquire", "sim08")


def test_a_long_temporary_folder_leaves_room_for_sockets(tmp_path, monkeypatch):
    """A path of over 60 characters: the sockets go elsewhere, as theirs may have 107 in all."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("x" * 80)))
    with stage._short_folder() as folder:
        assert len(folder) < 60


def test_nothing_is_swept_in_a_folder_of_the_users(project, monkeypatch):
    """Acquiring reads a declared folder: a file there named like a leftover of ours is not ours to delete."""
    mine = project / "mine" / ".x.999999999.partial.edf"
    mine.parent.mkdir()
    mine.write_text("mine")
    declaration = f"source: directory\nfolder: {mine.parent}\nfingerprint: x\n"
    (project / "params" / "patients" / "mine.yaml").write_text(declaration)

    def execute(source, *_, **__):
        return nbformat.read(source, as_version=4)

    monkeypatch.setattr(stage.papermill, "execute_notebook", execute)
    stage.run("acquire", "mine")
    assert mine.exists()


def test_a_copy_with_another_s_helpers_is_refused(project, tmp_path, monkeypatch):
    """A folder with a dvc.yaml of its own that is not the helpers' project: what a stage makes would go there."""
    (tmp_path / "dvc.yaml").touch()
    with pytest.raises(ValueError, match="There is no patient 'nobody'"):
        stage.run("train", "nobody")
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "dvc.yaml").touch()
    monkeypatch.chdir(copy)
    with pytest.raises(ValueError, match="copy is a copy of the project, whose helpers are those of .*--temp"):
        stage.run("train", "sim08")
