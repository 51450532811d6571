"""The threat model: every line of THREATS.md has a test that attacks, here or beside what it protects."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import ROOT, SECRETS, copy_project, environment, notebook_code, write_edf
from test_engine import executed, project, run, write_notebook  # noqa: F401

from helpers.acquire import declare, recordings
from helpers.preprocess import spectrograms
from helpers.report import overview
from helpers.study import errors, files, patients
from helpers.study.errors import RecordingError

NAMES = ["a; touch {}", "a$(touch {})", "a`touch {}`", 'a"; touch {}; "', "a\ntouch {}", "a$(shell touch {})"]
PERSON, BORN = "Haagse_Harry", "02-MAY-1951"


class Touch:
    """What unpickles by making a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def test_every_line_of_the_model_has_its_test():
    """Each row of the table names tests that exist, and each test of this file is named."""
    text = (ROOT / "THREATS.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "What prevents it" not in line]
    assert 15 <= len(rows) <= 30 and len(text.splitlines()) <= 70
    named = {(Path(__file__).name, "test_every_line_of_the_model_has_its_test")}
    for row in rows:
        found = re.findall(r"`(test_\w+\.py)::(test_\w+)`", row.split("|")[-2])
        assert found, row
        named |= set(found)
    for file in {file for file, _ in named}:
        tree = ast.parse(next((ROOT / "tests").rglob(file)).read_text(encoding="utf-8"))
        there = {(file, node.name) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert {one for one in named if one[0] == file} <= there
    tree = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    mine = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
    assert {name for file, name in named if file == Path(__file__).name} == mine


# Names that run code or commands from data, that unpack archives, or whose file others can guess.
NEVER = (
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "subprocess.getoutput", "tempfile.mktemp"),
    *("np.load_pickle", "pd.read_pickle", "to_pickle", "torch.load", "torch.save", "joblib.load", "joblib.dump"),
    *("yaml.load", "yaml.unsafe_load", "yaml.full_load", "shutil.unpack_archive", "create_subprocess_shell"),
)
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "tarfile", "zipfile", "telnetlib", "ftplib"}
ARGUMENTS = {"shell", "allow_pickle", "trust_remote_code"}  # true: never; of `verify`, false


def dangers(source):
    """Return what in a piece of Python could turn data into code, by line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [(node.lineno, name) for name in names if name.split(".")[0] in MODULES]
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        called = {never for never in NEVER if name == never or name.endswith(f".{never}")} - {"eval", "compile"}
        called |= {name} & {"eval", "compile"}  # network.eval() and re.compile() are others
        found += [(node.lineno, one) for one in called]
        for word in node.keywords:
            plain = isinstance(word.value, ast.Constant) and word.value.value in (False, None, 0)
            if (word.arg in ARGUMENTS and not plain) or (word.arg == "verify" and plain):
                found.append((node.lineno, word.arg))
    return found


def test_no_code_turns_data_into_code():
    """No pickle, no eval, no shell, no archive, no loader of YAML but the safe one, in any helper or notebook."""
    sources = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "src" / "helpers").rglob("*.py")}
    sources |= {path.name: notebook_code(path) for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert len(sources) > 40
    assert {name: found for name, text in sources.items() if (found := dangers(text))} == {}
    for bad in (
        *("import pickle", "exec(x)", "eval(x)", "yaml.load(x)", "torch.load(x)", "import zipfile", "os.system(x)"),
        *("subprocess.run(x, shell=True)", "np.load(x, allow_pickle=True)", "session.get(x, verify=False)"),
        *("pd.read_pickle(x)", "AutoConfig.from_pretrained(x, trust_remote_code=True)"),
    ):
        assert dangers(bad), bad


def test_arrays_that_hold_objects_are_refused(tmp_path):
    """An .npy or .npz whose numbers are pickled objects is no spectrogram: refused, and nothing of it is run."""
    touch = np.array([Touch(tmp_path / "run")], dtype=object)
    np.save(tmp_path / "a.npy", touch, allow_pickle=True)
    np.savez(tmp_path / "a.npz", sample=touch)
    with pytest.raises(ValueError, match="Python objects"):
        spectrograms.mean_power(tmp_path / "a.npy")
    with pytest.raises(ValueError, match="allow_pickle=False"), np.load(tmp_path / "a.npz") as stored:
        stored["sample"]
    assert not (tmp_path / "run").exists()


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("source: !!python/object/apply:os.system ['touch run']", "cannot be read as YAML.*python/object/apply"),
        ("source: !!python/name:os.system", "cannot be read as YAML"),
        (BOMB + "source: *a39", "has an alias"),
        ("source: " + "[" * 5000, "cannot be read as YAML"),
    ],
)
def test_yaml_is_data(tmp_path, monkeypatch, text, words):
    """A declaration from elsewhere that names Python, grows to 2^40 values or is nested without end: one message."""
    monkeypatch.setattr(files, "ROOT", tmp_path)
    files.write_text(tmp_path / "params" / "patients" / "x.yaml", text)
    with pytest.raises(ValueError, match=words) as refused:
        patients.load("x")
    assert len(str(refused.value)) < 3000 and not (tmp_path / "run").exists()


@pytest.fixture
def opened():
    """The paths that Python opens during a test."""
    found, on = [], [True]
    sys.addaudithook(lambda event, values: on and event == "open" and found.append(str(values[0])))
    yield found
    on.clear()


@pytest.mark.parametrize(
    "name", ["../out/x.edf", "..\\out\\x.edf", "{}/out/x.edf", "C:x.edf", "in/x.edf", "x.edf\0.edf"]
)
def test_no_path_in_a_summary_leaves_the_folder(tmp_path, name, opened):
    """A whole recording lies outside: no spelling of its path in a summary has it read."""
    for folder in ("out", "in"):
        (tmp_path / folder).mkdir()
    write_edf(tmp_path / "out" / "x.edf")
    text = f"File Name: {name.format(tmp_path)}\nNumber of Seizures in File: 0\n"
    (tmp_path / "in" / "p-summary.txt").write_text(text)
    opened.clear()
    with pytest.raises(RecordingError, match=r"p-summary\.txt, line 1"):
        recordings.survey(tmp_path / "in")
    assert any(path.endswith("summary.txt") for path in opened) and not [path for path in opened if ".edf" in path]


def test_no_path_in_a_bids_file_leaves_the_folder(tmp_path, opened):
    """Paths in scans, events, JSON and participants files lead out: nobody follows them, and the study is the same."""
    eeg, out = tmp_path / "sub-01" / "eeg", tmp_path / "out"
    eeg.mkdir(parents=True)
    out.mkdir()
    write_edf(eeg / "sub-01_task-a_eeg.edf")
    write_edf(out / "x.edf")
    evil = f"filename\tparticipant_id\n../../out/x.edf\t../../out\n{out}/x.edf\t{out}\n"
    (tmp_path / "participants.tsv").write_text(evil)
    (eeg.parent / "sub-01_scans.tsv").write_text(evil)
    (eeg / "sub-01_task-a_eeg.json").write_text(f'{{"IntendedFor": "{out}/x.edf"}}')
    table = "onset\tduration\teventType\tstim_file\tdateTime\n0\t30\tbckg\t../../out/x.edf\t2016-11-06 13:43:04\n"
    (eeg / "sub-01_task-a_events.tsv").write_text(table)
    opened.clear()
    found, *_ = recordings.survey(tmp_path / "sub-01")
    assert found["file"].tolist() == ["eeg/sub-01_task-a_eeg.edf"]
    assert found["start"].tolist() == ["13:43:04"]  # no date: it says more about a person than a study needs
    assert any("sub-01_task-a_eeg.edf" in path for path in opened) and not [path for path in opened if str(out) in path]


def tools(folder):
    """Lay a Makefile's environment in which `python` and `dvc` only write down what they were given."""
    shutil.copy(ROOT / "Makefile", folder / "Makefile")
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("python", "dvc"):
        tool = folder / ".venv" / "bin" / name
        tool.write_text(f'#!/bin/sh\nprintf "%s\\0" {name} "$@" >> "{folder}/said"\nprintf "\\0" >> "{folder}/said"\n')
        tool.chmod(0o755)


@pytest.mark.parametrize("name", [*NAMES, "-rf", "a b", "é$$x"])
@pytest.mark.parametrize("how", ["command line", "environment"])
def test_make_passes_names_on_as_they_are(tmp_path, name, how):
    """A patient or folder that a shell, or make itself, would run: handed on letter by letter, and nothing is run."""
    tools(tmp_path)
    name = name.format("run")
    given = {"PATIENT": name, "FOLDER": f"{name}/f"}
    words = [f"{key}={value}" for key, value in given.items()] if how == "command line" else []
    command = ["make", "-o", ".venv/installed", "-o", ".venv/quarto", "study", *words]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    calls = [call.split("\0") for call in (tmp_path / "said").read_text(encoding="utf-8").split("\0\0") if call]
    calls = [call for call in calls if call != ["python", "-V"]]
    assert calls == [
        ["python", "-m", "helpers.acquire.declare", name, f"{name}/f"],
        ["python", "-m", "helpers.study.locks", "output/.study.lock", name],
    ]
    assert not (tmp_path / "run").exists()
    # what DVC keeps there is pickled in part: nobody else may put files there
    assert (tmp_path / ".dvc" / "tmp" / "site" / "repo").stat().st_mode & 0o002 == 0


@pytest.mark.parametrize("name", [*NAMES, "../x", "/x", "-x", "x.y", ""])
def test_a_name_written_by_hand_is_refused(tmp_path, monkeypatch, name):
    """In params/study.yaml, which DVC runs whole: refused by `make study` before DVC reads it, and by the overview."""
    shutil.copytree(ROOT / "params" / "patients", tmp_path / "params" / "patients")
    monkeypatch.setattr(files, "ROOT", tmp_path)
    path = tmp_path / "params" / "study.yaml"
    path.write_text(yaml.safe_dump({"patients": ["sim08", name]}))
    with pytest.raises(SystemExit, match="cannot name a patient"):
        declare.main("chb01")
    with pytest.raises(ValueError, match="cannot name a patient"):
        overview.text(["sim08", name])
    assert yaml.safe_load(path.read_text())["patients"] == ["sim08", name]
    with pytest.raises(ValueError, match="cannot name a patient|There is no patient"):
        patients.load(name)


@pytest.mark.parametrize("name", ["=1+2", "@SUM(A1)", "+1", "-1", "=cmd|' C'!A0", "a$x$", "a\u2028b", "a\tb"])
def test_a_recording_s_name_is_a_name_everywhere(tmp_path, name):
    """What a spreadsheet would compute, a picture set as mathematics or a line end with: renamed, or refused."""
    write_edf(tmp_path / f"{name}.edf")
    (tmp_path / "p-summary.txt").write_text(f"File Name: {name}.edf\nNumber of Seizures in File: 0\n", encoding="utf-8")
    with pytest.raises(RecordingError, match="Rename it|plain name|control character"):
        recordings.survey(tmp_path)
    (tmp_path / "p-summary.txt").unlink()
    write_edf(tmp_path / "sub-1_task-x_run-1_eeg.edf")
    for one in (f"sub-1_{name}_eeg", "sub-1_task-x_run-1_eeg"):
        (tmp_path / f"{one[:-4]}_events.tsv").write_text("onset\tduration\teventType\n0\t30\tbckg\n")
    (tmp_path / f"{name}.edf").rename(tmp_path / f"sub-1_{name}_eeg.edf")
    with pytest.raises(RecordingError, match="Rename it"):
        recordings.survey(tmp_path)


def test_messages_command_no_terminal(tmp_path, monkeypatch):
    """A file whose name would clear the screen, or turn the direction of writing: it is written out."""
    monkeypatch.setattr(files, "ROOT", tmp_path)
    folder = tmp_path / "mine"
    folder.mkdir()
    write_edf(folder / "a\x1b[2J\u202efde.edf")
    write_edf(folder / "b.edf")
    (folder / "p-summary.txt").write_text("File Name: b.edf\nNumber of Seizures in File: 0\n")
    with pytest.raises(SystemExit) as end:
        declare.main("mine", str(folder))
    assert r"a\x1b[2J\u202efde.edf" in str(end.value) and str(end.value).replace("\n", "").isprintable()
    assert errors.printable("a\x1b]0;x\x07 \u202e\n") == r"a\x1b]0;x\x07 \u202e" + "\n"


LISTENING = """
import os, psutil
from ipykernel.kernelapp import IPKernelApp
heard = [c.laddr.ip for c in psutil.Process().net_connections("inet") if c.status == "LISTEN"]
folder = os.path.dirname(IPKernelApp.instance().ip)
print(IPKernelApp.instance().transport, heard, os.stat(folder).st_mode & 0o077, os.environ["HF_HUB_DISABLE_TELEMETRY"])
"""


@pytest.mark.slow
def test_nobody_else_can_reach_a_kernel(project):  # noqa: F811
    """A kernel runs what it is sent: its channels are files in a folder of its user's. The one port that ipykernel
    opens takes the output of child processes, of this machine and with a random key."""
    write_notebook(project, LISTENING)
    code, printed = run(project)
    assert code == 0, printed
    assert re.search(r"ipc \[(\'127\.0\.0\.1\')?\] 0 1", executed(project).read_text())


def identified(path):
    """Write EEG whose header names a person, as clinics' programs do, and return the words that must not get out."""
    write_edf(path, seconds=40)
    data = bytearray(path.read_bytes())
    data[8:88] = f"MCH-0234567 F {BORN} {PERSON}".encode().ljust(80)
    data[88:168] = b"Startdate 02-MAR-2002 EMG561 BK/JOP Sony_MNC".ljust(80)
    data[168:176] = b"02.03.02"
    path.write_bytes(data)


@pytest.mark.slow
def test_nothing_private_gets_out(tmp_path):
    """Person, birth and dates in EDF headers, where the folder lies, and the secrets of the environment: in no result,
    nor in the notebooks and dvc.lock, as the two stages that read recordings leave them."""
    root, folder = tmp_path / "project", tmp_path / "Harrys_folder"
    copy_project(root)
    folder.mkdir()
    for name in "abc":
        identified(folder / f"{name}.edf")
    entry = "File Name: {}.edf\nNumber of Seizures in File: 1\n"
    entry += "Seizure Start Time: 20 seconds\nSeizure End Time: 30 seconds\n"
    (folder / "p-summary.txt").write_text("".join(map(entry.format, "abc")))
    (tmp_path / "home").mkdir()
    own = environment(root) | SECRETS | {"HOME": str(tmp_path / "home")}
    commands = [[sys.executable, "-m", "helpers.acquire.declare", "anna", str(folder)]]
    commands += [["dvc", "repro", "preprocess@anna"]]
    for command in commands:
        done = subprocess.run(command, cwd=root, env=own, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    made = [path for path in (root / "output" / "anna").rglob("*") if path.is_file()]
    assert len(made) > 10 and "acquire@anna" in (root / "dvc.lock").read_text()
    made.append(root / "dvc.lock")
    words = f"{PERSON} Harry {BORN} MCH-0234567 02-MAR-2002 02.03.02 EMG561 Sony".split() + [*SECRETS.values()]
    for path in made:
        content = path.read_bytes()
        assert not [word for word in (*words, str(tmp_path)) if word.encode() in content], path


def test_nobody_is_told_of_a_run():
    """DVC reports no use and asks for no newer version, nor does JupyterLab; Hugging Face's libraries: see kernels."""
    said = (ROOT / ".dvc" / "config").read_text()
    assert re.search(r"^\[core\]\n(    .*\n)*?    analytics = false\n(    .*\n)*?    check_update = false\n", said)
    assert (
        "labextension disable --level=sys_prefix @jupyterlab/apputils-extension:announcements"
        in (ROOT / "Makefile").read_text()
    )


def test_the_whole_study_runs_alone(made_study):
    """The study that the other tests read was made with a home that cannot be written and without any network; and the
    secrets of its environment are in no file of it."""
    for path in (path for path in made_study.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert not [word for word in SECRETS.values() if word.encode() in content], path
        # nor a warning that there is no place to write
        assert path.suffix not in (".ipynb", ".html") or not re.search(rb"mkdir -p failed|Read-only file", content), (
            path
        )
    assert (made_study / "output" / "sim08" / "report" / "index.html").exists()
    if not (made_study.parent / "alone.txt").read_text():
        pytest.skip("unshare may give no namespaces here: the home was no folder, and all proxies led nowhere")
    assert list((made_study.parent / "home").iterdir()) == []
