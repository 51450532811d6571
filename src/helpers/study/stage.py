"""One stage for one patient: ``python -m helpers.study.stage <stage> <patient>`` runs its notebook by papermill."""

import builtins
import difflib
import itertools
import os
import re
import sys
import sysconfig
import tempfile
from contextlib import contextmanager
from pathlib import Path

import nbformat
import papermill
import psutil
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from helpers.report import crate
from helpers.study import errors, files, patients, processes, provenance

WIDGET = "application/vnd.jupyter.widget-view+json"

# What a person or a machine has set up for itself changes no result: hashes, pictures, kernels, warnings, assertions.
FIXED = {
    "PYTHONHASHSEED": "0", "CUBLAS_WORKSPACE_CONFIG": ":4096:8", "HF_HUB_DISABLE_TELEMETRY": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline", "JUPYTER_PREFER_ENV_PATH": "1",
    "MNE_LOGGING_LEVEL": "INFO", "PYTHONUTF8": "1",  # Rust takes a path for UTF-8, whatever the locale
}  # fmt: skip
UNSET = ("PYTHONWARNINGS", "PYTHONOPTIMIZE", "PYTHONSTARTUP", "TRANSFORMERS_VERBOSITY")
# Said once, when a user's first figure is drawn, or where there is no home to keep the list of fonts.
FIRST_FIGURE = re.compile(
    r"[^\n]*(?:Matplotlib (?:is building the font cache|created a temporary)|mkdir -p failed for path)[^\n]*(?:\n|$)"
)

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

    Times, fresh cell identifiers, progress bars, the Python version, and where on this machine things lie go: the
    project, its packages, the user's own folder, a cell's temporary file, an object in memory. Code, results, figures
    and warnings stay. Nothing else makes an executed notebook fit to be compared.
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
                data = output.get("data", {})
                data.update({mime: placeless(text) for mime, text in data.items() if mime.startswith("text/")})
                found.append(output)
            continue
        run = list(run)
        for name in ("stdout", "stderr"):
            text = "".join(output.text for output in run if output.name == name)
            # tqdm rewrites its line by carriage returns; what it shows is a matter of seconds, not a result
            text = placeless(FIRST_FIGURE.sub("", re.sub(r"[^\n]*\r[^\n]*(\n|$)", "", text)))
            if text.strip():
                found.append(nbformat.v4.new_output("stream", name=name, text=text))
    return found


def placeless(text):
    """Take out of a text where on this machine things lie; the project's own files stay, seen from its folder."""
    places = {sysconfig.get_path(name): "packages" for name in ("purelib", "platlib", "stdlib")}
    places |= {str(files.ROOT): ".", sys.prefix: "environment", os.path.expanduser("~"): "~"}
    for place, name in places.items():
        if len(place) > 1:  # a user without a home has "~" or "/"
            text = re.sub(rf"{re.escape(place)}(?![\w-])", name, text)
    # The code of a cell has a file of its own, by the kernel's process, which a warning names.
    text = re.sub(rf"{re.escape(tempfile.gettempdir())}/(ipykernel_\d+/\d+\.py|tmp\w{{8}})", "temporary", text)
    return re.sub(r"\b0x[0-9a-f]{6,16}\b", "0x…", text)


def message(error):
    """Return one message of a failed cell that a person can act on."""
    value = re.sub(r"\x1b\[[0-9;]*m", "", error.evalue).replace(str(files.ROOT) + os.sep, "")
    value = errors.printable(value)
    # What the helpers raise on purpose says it all; another error's name is part of what it says.
    ours = error.ename in ("ValueError", "FileNotFoundError") or not hasattr(builtins, error.ename)
    refused = re.match(r"\[Errno (\d+)\]", value)  # elsewhere than where the helpers write files whole
    if refused and int(refused[1]) in files.FULL | files.BARRED:
        value += f": {files.disk_advice(int(refused[1]), files.ROOT / 'output')}"
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
    target = files.stage_folder(patient, "notebooks") / source.name
    failed = target.with_suffix(".failed.ipynb")
    os.environ.update(FIXED)
    for name in UNSET:
        os.environ.pop(name, None)
    # The notebook has another folder: a relative path would lead it to other helpers than these.
    own, paths = Path(files.__file__).parents[2], os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(own), *(os.path.abspath(path) for path in paths if path)])
    # A run whose parent was killed may still be writing: two at once would take each other's files.
    lock = files.ROOT / "output" / patient / f".{stage}.lock"
    with processes.sole(lock, f"{stage}@{patient}"), files.atomic_write(target) as partial, _short_folder() as sockets:
        # Between processes of one machine: nothing listens on the network, and Jupyter has no reason to warn of it.
        kernel = Config(KernelManager={"transport": "ipc", "ip": os.path.join(sockets, "kernel")})
        os.environ["IPYTHONDIR"] = os.path.join(sockets, "ipython")  # not the user's, with what runs at its start
        files.remove_partial(target.parent, target.stem)
        files.remove_partial(files.ROOT / "output" / patient / stage)
        try:
            book = papermill.execute_notebook(
                source, partial, {"patient": patient, **values}, cwd=source.parent, stderr_file=sys.stderr,
                progress_bar={"desc": f"{stage}@{patient}", "unit": "cell"}, config=kernel,
            )  # fmt: skip
        except PapermillExecutionError:
            if partial.exists():
                os.replace(partial, failed)
            raise
        finally:
            files.remove_partial(files.ROOT / "output" / patient / stage)  # of processes that were killed
        nbformat.write(canonical(book), partial)
    failed.unlink(missing_ok=True)
    provenance.write(stage, patient)
    if stage == STAGES[-1]:
        crate.write(patient)


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


def _former():
    """Return how to have back what DVC took away before it ran this stage, if it had kept any."""
    lock, name = files.ROOT / "dvc.lock", os.environ.get("DVC_STAGE", "")
    if not name or not lock.exists() or f"\n  {name}:\n" not in lock.read_text(encoding="utf-8"):
        return ""
    return f"\n(what this stage had left before is in DVC's cache: `dvc checkout --force {name}` brings it back)"


def main(stage, patient):
    """Run a stage; end with one message if it fails or is stopped."""
    try:
        with processes.stoppable():
            run(stage, patient)
        return
    except KeyboardInterrupt:
        said = "stopped before its end. What other stages made is as it was; the same command runs this one again."
        print(f"\n{stage}@{patient}: {said}{_former()}", file=sys.stderr)
        sys.exit(130)  # as every program that Ctrl-C ends
    except (ValueError, OSError) as error:
        said = errors.printable(error)
    except DeadKernelError:
        memory, disk = psutil.virtual_memory().available, psutil.disk_usage(str(files.ROOT)).free
        said = (
            "the notebook's process was killed, most often for lack of memory. Close other programs, or set "
            f"STUDY_WORKERS=1 so that less is done at once, and run again. (Free now: {memory / 1e6:.0f} MB of memory, "
            f"{disk / 1e6:.0f} MB of the disk.)"
        )
    except PapermillExecutionError as error:
        book = f"output/{patient}/notebooks/{notebook(stage).stem}.failed.ipynb"
        said = f"{message(error)}\n(the notebook as it ran, with the traceback: {book})"
    sys.exit(f"\nerror in {stage}@{patient}: {said}{_former()}")


if __name__ == "__main__":
    # DVC writes "--patient 'a b'" for ${item}, quoted for its shell, where it would write ${item.patient} as it stands.
    words = [word for word in sys.argv[1:] if word != "--patient"]
    if len(words) != 2:
        sys.exit("usage: python -m helpers.study.stage <stage> <patient>")
    main(*words)
