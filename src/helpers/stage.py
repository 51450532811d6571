"""One stage for one patient: ``python -m helpers.stage <stage> <patient>`` runs its notebook by papermill."""

import builtins
import difflib
import itertools
import os
import re
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import nbformat
import papermill
from filelock import FileLock, Timeout
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from helpers import files, patients

WIDGET = "application/vnd.jupyter.widget-view+json"

STAGES = ("acquire", "preprocess", "train", "evaluate", "explain", "narrate", "report")


def notebook(stage):
    """Return the path of a stage's notebook.

    Raises
    ------
    ValueError
        If there is no such stage; the message suggests one.
    """
    if stage not in STAGES:
        near = difflib.get_close_matches(stage, STAGES, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"stages are {', '.join(STAGES)}."
        raise ValueError(f"There is no stage '{stage}'; {hint}")
    return files.ROOT / "notebooks" / f"{STAGES.index(stage) + 1:02d}_{stage}.ipynb"


def defaults(stage):
    """Return the parameters that a notebook declares, with their default values, `patient` among them."""
    source = nbformat.read(notebook(stage), as_version=4)
    cells = [cell.source for cell in source.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        raise ValueError(f"{notebook(stage).name} has {len(cells)} cells tagged 'parameters'; it must have one.")
    namespace = {}
    exec(cells[0], namespace)  # our own notebook's assignments, the very cell that papermill runs
    return {name: value for name, value in namespace.items() if not name.startswith("_")}


def parameters(stage):
    """Return the values in ``params/<stage>.yaml``, checked against the notebook's parameters cell.

    Raises
    ------
    ValueError
        If a parameter is unknown (with the nearest right name), missing, or of another type than its default:
        YAML reads ``1e-3`` as text, and papermill only warns of an unknown name and runs with the default.
    """
    path = files.ROOT / "params" / f"{stage}.yaml"
    where, known = path.relative_to(files.ROOT), defaults(stage)
    known.pop("patient")
    found = files.read_yaml(path)
    patients.check_keys(found, set(known), where)
    if missing := sorted(set(known) - set(found)):
        raise ValueError(f"{where} lacks {', '.join(missing)}, which {notebook(stage).name} declares.")
    for name, value in found.items():
        wanted = type(known[name])
        if type(value) is int and wanted is float:
            found[name] = value = float(value)
        if type(value) is not wanted:
            hint = " (write 0.001, not 1e-3)" if wanted is float else ""
            raise ValueError(f"{where}: {name} is {value!r}, {type(value).__name__}; wanted {wanted.__name__}{hint}.")
    return found


def canonical(book):
    """Take out of an executed notebook what differs between two runs of the same work.

    Times, fresh cell identifiers, progress bars, the Python version and the place of the project on this machine
    go; code, results, figures and warnings stay.
    """
    book.metadata = nbformat.from_dict({"kernelspec": book.metadata["kernelspec"], "language_info": {"name": "python"}})
    for number, cell in enumerate(book.cells):
        cell.id = f"cell-{number:02d}"
        tags = cell.metadata.get("tags", [])
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            cell.outputs = _canonical_outputs(cell.outputs)
    return book


def _canonical_outputs(outputs):
    """Return the outputs of a cell; how a stream was cut into pieces is chance, so each run of them is joined."""
    # A widget (tqdm draws its bar as one, for whoever asks it to) is nothing without the kernel that drew it.
    outputs = [output for output in outputs if WIDGET not in output.get("data", {})]
    found = []
    for kind, run in itertools.groupby(outputs, key=lambda output: output.output_type):
        if kind != "stream":
            for output in run:
                output.get("metadata", {}).clear()
                found.append(output)
            continue
        run = list(run)
        for name in ("stdout", "stderr"):
            text = "".join(output.text for output in run if output.name == name)
            # tqdm rewrites its line by carriage returns; what it shows is a matter of seconds, not a result
            text = re.sub(r"[^\n]*\r[^\n]*(\n|$)", "", text).replace(str(files.ROOT), ".")
            if text.strip():
                found.append(nbformat.v4.new_output("stream", name=name, text=text))
    return found


def message(error):
    """Return one message of a failed cell that a person can act on."""
    value = re.sub(r"\x1b\[[0-9;]*m", "", error.evalue).replace(str(files.ROOT) + os.sep, "")
    # What the helpers raise on purpose says it all; another error's name is part of what it says.
    ours = error.ename in ("ValueError", "FileNotFoundError") or not hasattr(builtins, error.ename)
    return value if ours else f"{error.ename}: {value}"


def run(stage, patient):
    """Execute a stage's notebook for a patient and keep the executed copy.

    The executed notebook is written whole to ``output/<patient>/notebooks/``; that of a failed run beside it, as
    ``….failed.ipynb``, with the traceback.

    Raises
    ------
    ValueError
        If patient, stage or parameters are not right.
    papermill.exceptions.PapermillExecutionError
        If a cell fails.
    """
    _check_place()
    patients.load(patient)
    source, values = notebook(stage), parameters(stage)
    target = files.folder(patient, "notebooks") / source.name
    failed = target.with_suffix(".failed.ipynb")
    os.environ.update(PYTHONHASHSEED="0", CUBLAS_WORKSPACE_CONFIG=":4096:8", HF_HUB_DISABLE_TELEMETRY="1")
    # A run whose parent was killed may still be writing: two at once would take each other's files.
    lock = files.ROOT / "output" / patient / f".{stage}.lock"
    with _sole(lock, f"{stage}@{patient}"), files.whole(target) as partial, _short_folder() as sockets:
        # Between processes of one machine: nothing listens on the network, and Jupyter has no reason to warn of it.
        kernel = Config(KernelManager={"transport": "ipc", "ip": os.path.join(sockets, "kernel")})
        files.sweep(target.parent, target.stem)
        files.sweep(files.ROOT / "output" / patient / stage)
        try:
            book = papermill.execute_notebook(
                source, partial, {"patient": patient, **values}, cwd=source.parent, stderr_file=sys.stderr,
                progress_bar={"desc": f"{stage}@{patient}", "unit": "cell"}, config=kernel,
            )  # fmt: skip
        except PapermillExecutionError:
            if partial.exists():
                os.replace(partial, failed)
            raise
        nbformat.write(canonical(book), partial)
    failed.unlink(missing_ok=True)


def _check_place():
    """Raise ValueError in a copy of the project whose helpers are another's: what it makes would be written there."""
    here = Path.cwd()
    if (here / "dvc.yaml").exists() and not here.samefile(files.ROOT):
        raise ValueError(
            f"{here} is a copy of the project, whose helpers are those of {files.ROOT}: its results would be written "
            "there. `dvc exp run --temp` and `--queue` make such copies: use `dvc exp run` without them; in a copy of "
            "your own, `make study` makes an environment that is the copy's."
        )


@contextmanager
def _short_folder():
    """Yield a temporary folder whose path leaves room: a socket's may have 107 bytes in all."""
    short = "/tmp" if len(tempfile.gettempdir()) > 60 and os.path.isdir("/tmp") else None
    with tempfile.TemporaryDirectory(dir=short) as folder:
        yield folder


@contextmanager
def _sole(path, name):
    """Hold the lock at `path`; wait, saying so, while another run holds it."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"{name}: another run of this stage is still at work; waiting until it ends.", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def main(stage, patient):
    """Run a stage; end with one message if it fails."""
    try:
        run(stage, patient)
    except (ValueError, OSError) as error:
        sys.exit(f"\nerror in {stage}@{patient}: {error}")
    except DeadKernelError:
        sys.exit(
            f"\nerror in {stage}@{patient}: the notebook's process was killed, most often for lack of memory. Close "
            "other programs, or set STUDY_WORKERS=1 so that less is done at once, and run again."
        )
    except PapermillExecutionError as error:
        book = f"output/{patient}/notebooks/{notebook(stage).stem}.failed.ipynb"
        sys.exit(
            f"\nerror in {stage}@{patient}: {message(error)}\n(the notebook as it ran, with the traceback: {book})"
        )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m helpers.stage <stage> <patient>")
    main(*sys.argv[1:])
