"""Running a stage by papermill: parameters checked before anything runs, canonical notebooks, one message on failure,
one run at a time, and no process left behind. The commands are those of dvc.yaml."""

import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest
import yaml
from conftest import ROOT, environment

from helpers.study import files, parameters, patients

SLEEPER = """\
import time
from pathlib import Path
from helpers.study import files, parallel
with files.atomic_write(files.stage_folder(patient, "acquire") / "half.csv") as partial:
    partial.write_text("half")
    Path(files.ROOT / "started").touch()
    parallel.parallel_map(time.sleep, [(60,), (60,)], "sleep", "piece")
"""


@pytest.fixture
def project(tmp_path):
    """A copy of the helpers with one patient and a notebook to be filled in, as the stage acquire."""
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info", "templates", "registries")
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=ignore)
    for name in ("notebooks", "params/patients"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "params" / "acquire.yaml").write_text('trace_s: 20.0\nunusable: "refuse"\nmains_hz: null\n')
    (tmp_path / "params" / "patients" / "sim08.yaml").write_text(
        "source: simulate\nseed: 8\nrecordings: {a: {duration_s: 20, seizures: []}}\n"
    )
    return tmp_path


DECLARED = 'patient: str = "sim08"\ntrace_s: float = 20.0\nunusable: str = "refuse"\nmains_hz: int = None'


def write_notebook(project, source, declared=DECLARED):
    """Make `source` the notebook of the stage acquire."""
    cells = [nbformat.v4.new_code_cell(declared), nbformat.v4.new_code_cell(source)]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    nbformat.write(book, project / "notebooks" / "01_acquire.ipynb")


COMMAND = [
    "papermill", "notebooks/01_acquire.ipynb", "output/sim08/notebooks/01_acquire.ipynb", "--engine", "study",
    "--log-level", "WARNING", "-f", "params/acquire.yaml", "-r", "patient", "sim08",
]  # fmt: skip


def start(project, *more, **variables):
    """Start the stage in the project, as DVC does."""
    return subprocess.Popen(
        [*COMMAND, *more], cwd=project, env=environment(project) | variables, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which a shell's background jobs ignore
    )  # fmt: skip


def run(project, *more, **variables):
    """Run the stage; return its exit status and all that it printed."""
    process = start(project, *more, **variables)
    printed = process.communicate(timeout=120)[0]
    return process.returncode, printed


def executed(project):
    """Return the path of the executed notebook."""
    return project / "output" / "sim08" / "notebooks" / "01_acquire.ipynb"


KEYS = [(stage, key) for stage, model in parameters.STAGES.items() for key in model.model_fields]


@pytest.mark.parametrize(("stage", "key"), KEYS)
def test_every_parameter_has_a_range(stage, key):
    """Below, above, infinite, NaN, of another type: the message names the file, the key, the value and what is wanted;
    the value in params/ is accepted."""
    good = files.read_yaml(ROOT / "params" / f"{stage}.yaml")
    declared = ["patient", *good]
    parameters.check(stage, {"patient": "sim08", **good}, declared)
    number = isinstance(good[key], int | float)
    bad = [-1, 10**12, math.inf, -math.inf, math.nan, True, "1e-3", [1], None] if number else [0, "", None, ["x"]]
    for value in (one for one in bad if one is not good[key]):  # null may stand for: found from the data
        said = re.escape(f"params/{stage}.yaml: {key} is {value!r}: ") + "(Input|String) should "
        with pytest.raises(ValueError, match=said):
            parameters.check(stage, {"patient": "sim08", **good, key: value}, declared)


@pytest.mark.parametrize(
    ("stage", "change", "words"),
    [
        ("train", {"epoch": 20}, "params/train.yaml: there is no parameter 'epoch'; did you mean 'epochs'?"),
        ("train", {"epochs": ...}, "params/train.yaml lacks epochs."),
        ("train", {"batch_size": 3}, "batch_size is 3: Input should be a multiple of 2"),
        ("train", {"learning_rate": "1e-3"}, r"learning_rate is '1e-3': .* \(write 0.001, not 1e-3\)"),
        ("evalute", {}, "There is no stage 'evalute'; did you mean 'evaluate'?"),  # codespell:ignore
        ("train", {"patient": ...}, "train has no patient"),
    ],
)
def test_wrong_keys(stage, change, words):
    """An unknown, missing or misspelled key; text in place of a number."""
    good = files.read_yaml(ROOT / "params" / f"{'train' if stage == 'train' else 'evaluate'}.yaml")
    given = {key: value for key, value in ({"patient": "sim08"} | good | change).items() if value is not ...}
    with pytest.raises(ValueError, match=words):
        parameters.check(stage, given, ["patient", *good])


@pytest.mark.slow
def test_executed_notebooks_are_canonical(project):
    """Twice the same bytes: no times, paths, fresh ids or progress bars; results and warnings stay."""
    write_notebook(
        project,
        "import os, sys\nfrom tqdm import tqdm\nfor _ in tqdm(range(3)): pass\n"
        "from tqdm.notebook import tqdm\nfor _ in tqdm(range(3)): pass\n"
        "print(patient, os.getcwd(), object())\nprint('careful', file=sys.stderr)\n1 + 1",
    )
    texts = []
    for zone in ("UTC", "Asia/Tokyo"):
        code, printed = run(project, TZ=zone)
        assert code == 0, printed
        texts.append(executed(project).read_text())
    assert texts[0] == texts[1]
    assert str(project) not in texts[0] and "papermill" not in texts[0] and "it/s" not in texts[0]
    book = nbformat.reads(texts[0], as_version=4)
    outputs = [output.get("text") or output["data"]["text/plain"] for output in book.cells[-1].outputs]
    assert sorted(outputs) == ["2", "careful\n", "sim08 . <object object at 0x…>\n"]


@pytest.mark.slow
def test_a_failing_stage_ends_with_one_message(project):
    """No traceback at the end but a message, and the notebook as it ran; one that ran before is not touched, and the
    failed one goes when the stage succeeds."""
    write_notebook(project, "raise ValueError('found 3, wanted 4: bring one more')")
    executed(project).parent.mkdir(parents=True)
    executed(project).write_text("from before")
    failed = executed(project).with_suffix(".failed.ipynb")
    code, printed = run(project)
    assert code == 1 and "Traceback" not in printed
    assert printed.endswith(
        "error in acquire@sim08: found 3, wanted 4: bring one more\n(the notebook as it ran, with the traceback: "
        "output/sim08/notebooks/01_acquire.failed.ipynb)\n"
    )
    assert executed(project).read_text() == "from before"
    assert nbformat.read(failed, as_version=4).cells[-1].outputs[0].ename == "ValueError"
    write_notebook(project, "{}['frames']")
    assert "error in acquire@sim08: KeyError: 'frames'" in run(project)[1]
    write_notebook(project, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    code, printed = run(project)
    assert code == 1 and "killed, most often for lack of memory" in printed and "STUDY_WORKERS=1" in printed
    write_notebook(project, "1 + 1")
    assert run(project)[0] == 0 and not failed.exists()


@pytest.mark.slow
def test_a_user_s_settings_and_relative_paths_change_nothing(project):
    """Warnings as errors, another hash seed, a start-up file and a relative PYTHONPATH: the notebook sees none."""
    (project / "startup.py").write_text("raise SystemError")
    write_notebook(project, "import os, warnings\nwarnings.warn('x')\nprint(os.environ['PYTHONHASHSEED'])")
    own = {"PYTHONWARNINGS": "error", "PYTHONHASHSEED": "7", "PYTHONSTARTUP": str(project / "startup.py")}
    code, printed = run(project, **own, PYTHONPATH="src")
    assert code == 0, printed
    assert "0\n" in executed(project).read_text() or '"0\\n"' in executed(project).read_text()


def test_what_is_refused_before_a_cell_runs(project, tmp_path_factory):
    """Parameters that the notebook does not declare, and a patient that nobody has declared: no folder is made. In a
    folder with a dvc.yaml of its own that is not the helpers' project, results would be written elsewhere."""
    write_notebook(project, "raise SystemError", 'patient: str = "sim08"\ntrace_s: float = 20.0\nodd: int = 1')
    code, printed = run(project)
    assert code == 1 and "must have the same keys; they differ in mains_hz, odd, unusable" in printed
    write_notebook(project, "1")
    code, printed = run(project, "-r", "patient", "..")
    assert code == 1 and "There is no patient '..'" in printed and not (project / "output").exists()
    copy = tmp_path_factory.mktemp("copy")
    for name in ("notebooks", "params"):
        shutil.copytree(project / name, copy / name)
    (copy / "dvc.yaml").touch()
    code, printed = run(copy, PYTHONPATH=str(project / "src"))
    assert code == 1 and "is a copy of the project, whose helpers are those of" in printed


@pytest.mark.slow
@pytest.mark.parametrize("how", ["Ctrl-C", "terminated", "killed", "DVC killed"])
def test_no_process_is_left(project, how):
    """The stage is stopped while its notebook starts workers: within 20 s no process is left, no half-written file
    counts, and the next run sweeps it away."""
    write_notebook(project, SLEEPER)
    variables = {"STUDY_WORKERS": "2"}
    if how == "DVC killed":
        script = f"import subprocess; subprocess.run({COMMAND!r})"
        process = subprocess.Popen(
            [sys.executable, "-c", script], cwd=project, start_new_session=True, text=True,
            env=environment(project) | variables | {"DVC_STAGE": "acquire@sim08"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    else:
        process = start(project, **variables)
    until = time.monotonic() + 100
    while not (project / "started").exists():
        assert process.poll() is None and time.monotonic() < until, process.communicate()[0]
        time.sleep(0.02)
    family = psutil.Process(process.pid).children(recursive=True)
    if how == "Ctrl-C":
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGTERM if how == "terminated" else signal.SIGKILL)
    printed = process.communicate(timeout=60)[0]
    assert psutil.wait_procs(family, timeout=20)[1] == []
    time.sleep(0.1)
    mine = [one for one in psutil.process_iter(["cwd"]) if (one.info["cwd"] or "").startswith(str(project))]
    assert mine == []
    if how == "Ctrl-C":
        assert process.returncode == 130 and "acquire@sim08: stopped before its end" in printed
        assert "Traceback" not in printed
    assert not (project / "output" / "sim08" / "acquire" / "half.csv").exists() and not executed(project).exists()
    write_notebook(project, "print(1)")
    assert run(project)[0] == 0
    assert list((project / "output" / "sim08" / "acquire").iterdir()) == []


@pytest.mark.slow
def test_a_second_run_waits(project):
    """Two runs of one stage at once: the second says that it waits, and both succeed."""
    write_notebook(project, f"import time; open({str(project / 'started')!r}, 'w').close(); time.sleep(5)")
    first = start(project)
    while not (project / "started").exists():
        assert first.poll() is None, first.communicate()[0]
        time.sleep(0.02)
    code, printed = run(project)
    assert code == 0 and "acquire@sim08: another run is still at work; waiting until it ends" in printed
    assert first.communicate()[0] is not None and first.returncode == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("source: simulated", "source is 'simulated'; it must be one of"),
        ("source: simulate\nseed: 1", "lacks recordings"),
        ("source: physionet\nfolder: x", "there is no parameter 'folder'"),
        ("source: directory\nfolder: x\nfingerprint: y\nframes: 2.0", "did you mean 'frame_s'"),
        ("", "source is None"),
        ("source:\tsimulate\n\tx", "cannot be read as YAML"),
        ("- a\n- b", "wanted are lines of the form 'key: value'"),
        (
            'source: simulate\nseed: 1\nrecordings: {a: {duration_s: 20, seizures: []}}\nframe_s: "2"',
            "frame_s is '2': Input should be a valid number",
        ),
        ("source: simulate\nseed: 1\nrecordings: {a: {duration_s: 20, seizures: []}}\nframe_s: -1", "frame_s is -1"),
        ("source: simulate\nseed: 1\nrecordings: [a]", "recordings is .* valid dictionary"),
        ("source: simulate\nseed: 1\nrecordings: {../a: {duration_s: 20, seizures: []}}", "recordings.../a is '../a'"),
        ("source: simulate\nseed: 1\nrecordings: {a: {duration_s: 20, seizures: [[1, 2, 3]]}}", "at most 2 items"),
        ("source: simulate\nseed: 1\nrecordings: {a: {duration_s: 20, seizures: [[1]]}}", "at least 2 items"),
    ],
)
def test_wrong_declarations(tmp_path, monkeypatch, text, words):
    """Each says which file is wrong and what it needs."""
    monkeypatch.setattr(files, "ROOT", tmp_path)
    files.write_text(tmp_path / "params" / "patients" / "x.yaml", text)
    with pytest.raises(ValueError, match=rf"params/patients/x\.yaml.*{words}"):
        patients.load("x")


def test_all_declarations_are_right():
    """Every file in params/patients is accepted, and the study's list names no other."""
    listed = yaml.safe_load((ROOT / "params" / "study.yaml").read_text(encoding="utf-8"))["patients"]
    assert set(listed) <= set(patients.declared()) and {"sim08", "chb08"} <= set(patients.declared())
    for patient in patients.declared():
        assert patients.load(patient)["source"] in parameters.SOURCES
