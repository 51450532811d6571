"""The papermill engine ``study``: checked parameters, one run at a time, canonical executed notebooks, one message.

Use: ``papermill <notebook> <executed copy> --engine study -f <parameters file> -r patient <id>``.
"""

import builtins
import itertools
import os
import re
import sys
import sysconfig
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import papermill
import psutil
from nbclient.exceptions import DeadKernelError
from papermill.engines import NBClientEngine
from traitlets.config import Config

from helpers.study import errors, files, locks, parallel, parameters, patients

# What a user has set up changes no result: hashes, pictures, kernels, warnings, assertions.
FIXED = {
    "PYTHONHASHSEED": "0", "CUBLAS_WORKSPACE_CONFIG": ":4096:8", "HF_HUB_DISABLE_TELEMETRY": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline", "JUPYTER_PREFER_ENV_PATH": "1",
    "MNE_LOGGING_LEVEL": "INFO", "PYTHONUTF8": "1",  # Rust takes a path for UTF-8, whatever the locale
}  # fmt: skip
UNSET = ("PYTHONWARNINGS", "PYTHONOPTIMIZE", "PYTHONSTARTUP", "TRANSFORMERS_VERBOSITY")
WIDGET = "application/vnd.jupyter.widget-view+json"
SHELLS = ("sh", "bash", "dash", "zsh", "ksh", "fish")
# Printed once, when a user's first figure is drawn, or where there is no home to keep the list of fonts.
FIRST_FIGURE = re.compile(
    r"[^\n]*(?:Matplotlib (?:is building the font cache|created a temporary)|mkdir -p failed for path)[^\n]*(?:\n|$)"
)


class StudyEngine(NBClientEngine):
    """Runs a stage's notebook for a patient, as `papermill.engines.NBClientEngine` does, and leaves the same bytes
    for the same work."""

    @classmethod
    def execute_notebook(cls, nb, kernel_name, output_path=None, input_path=None, progress_bar=True, **kwargs):
        """Execute a parameterized notebook and return the executed copy, which papermill writes to `output_path`.

        Parameters that the notebook does not declare, or out of range, end the run before anything is executed. So does
        a copy of the project that would use another one's helpers. A failure, or an interruption, ends with one message
        on standard error (exit status 1, or 130) and leaves ``<output>.failed.ipynb``.
        """
        given = dict(nb.metadata.papermill.get("parameters", {}))
        stage = re.sub(r"^\d+_", "", Path(input_path).stem)
        name = f"{stage}@{given.get('patient', '?')}"
        failed = Path(output_path).with_suffix(".failed.ipynb")
        end_with_caller()
        try:
            check_place()
            parameters.check(stage, given, papermill.inspect_notebook(input_path))
            patients.load(given["patient"])
            lock = files.ROOT / "output" / given["patient"] / f".{stage}.lock"
            with locks.wait_for(lock, name), kernel_settings() as config:
                folder = files.ROOT / "output" / given["patient"] / stage
                files.remove_partial(folder)
                bar = progress_bar and {"desc": name, "unit": "cell"}
                try:
                    nb = super().execute_notebook(
                        nb, kernel_name, progress_bar=bar, config=config, stderr_file=sys.stderr,
                        **{key: value for key, value in kwargs.items() if key != "stderr_file"},
                    )  # fmt: skip
                finally:
                    files.remove_partial(folder)
            if error := find_error(nb):
                with files.atomic_write(failed) as partial:
                    nbformat.write(nb, partial)
                raise ValueError(
                    f"{cell_message(error)}\n(the notebook as it ran, with the traceback: {files.display_path(failed)})"
                )
            nb = canonical(nb)
            with files.atomic_write(output_path) as partial:  # papermill writes it again, but not whole or not at all
                nbformat.write(nb, partial)
        except KeyboardInterrupt:
            end_children()
            print(f"\n{name}: stopped before its end; the same command runs it again.", file=sys.stderr)
            sys.exit(130)  # as every program that Ctrl-C ends
        except (ValueError, OSError) as error:
            sys.exit(f"\nerror in {name}: {errors.printable(error)}")
        except DeadKernelError:
            memory, disk = psutil.virtual_memory().available, psutil.disk_usage(str(files.ROOT)).free
            sys.exit(
                f"\nerror in {name}: the notebook's process was killed, most often for lack of memory. Close other "
                f"programs, or set STUDY_WORKERS=1 so that less is done at once, and run again. (Free now: "
                f"{memory / 1e6:.0f} MB of memory, {disk / 1e6:.0f} MB of the disk.)"
            )
        failed.unlink(missing_ok=True)
        return nb


def end_with_caller():
    """End with DVC, where it is the caller: nobody would take what this run makes."""
    if "DVC_STAGE" in os.environ:
        caller = psutil.Process().parent()
        if caller.name() in SHELLS:  # some shells stay beside the one command that they run
            caller = caller.parent() or caller
        parallel.end_with(caller.pid)


def end_children():
    """Kill the processes that this one has started."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            process.kill()


def check_place():
    """Raise ValueError in a copy of the project whose helpers are another's: results would be written there."""
    here = Path.cwd()
    if (here / "dvc.yaml").exists() and not here.samefile(files.ROOT):
        raise ValueError(
            f"{here} is a copy of the project, whose helpers are those of {files.ROOT}: its results would be written "
            "there. `dvc exp run --temp` and `--queue` make such copies: use `dvc exp run` without them; in a copy of "
            "your own, `make study` makes an environment that is the copy's."
        )


@contextmanager
def kernel_settings():
    """Set the environment of the notebook's kernel and yield its configuration, for as long as it runs."""
    os.environ.update(FIXED)
    for name in UNSET:
        os.environ.pop(name, None)
    # The kernel gets these helpers, whatever relative path led to them.
    own, paths = Path(files.__file__).parents[2], os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(own), *(os.path.abspath(path) for path in paths if path)])
    short = (
        "/tmp" if len(tempfile.gettempdir()) > 60 and os.path.isdir("/tmp") else None
    )  # a socket's path has 107 bytes
    with tempfile.TemporaryDirectory(dir=short) as folder:
        os.environ["IPYTHONDIR"] = os.path.join(folder, "ipython")  # not the user's, with what runs at its start
        # between processes of one user: nothing listens on the network
        yield Config(KernelManager={"transport": "ipc", "ip": os.path.join(folder, "kernel")})


def find_error(book):
    """Return the error that a cell of an executed notebook ended with, or None."""
    outputs = (output for cell in book.cells for output in cell.get("outputs", []))
    return next((output for output in outputs if output.output_type == "error"), None)


def cell_message(error):
    """Return one message of a failed cell that a person can act on."""
    value = re.sub(r"\x1b\[[0-9;]*m", "", error.evalue).replace(str(files.ROOT) + os.sep, "")
    # The helpers' own errors say it all; another error's name is part of what it says.
    ours = error.ename in ("ValueError", "FileNotFoundError") or not hasattr(builtins, error.ename)
    refused = re.match(r"\[Errno (\d+)\]", value)  # elsewhere than where the helpers write files
    if refused and int(refused[1]) in files.FULL | files.BARRED:
        value += f": {files.disk_advice(int(refused[1]), files.ROOT / 'output')}"
    return value if ours else f"{error.ename}: {value}"


def canonical(book):
    """Take out of an executed notebook what differs between two runs of the same work, and return it.

    Times, fresh cell identifiers, progress bars, the Python version and the places of files on this machine go. Code,
    results, figures and warnings stay.
    """
    book.metadata = nbformat.from_dict({"kernelspec": book.metadata["kernelspec"], "language_info": {"name": "python"}})
    for number, cell in enumerate(book.cells):
        cell.id = f"cell-{number:02d}"
        tags = cell.metadata.get("tags", [])
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            cell.outputs = canonical_outputs(cell.outputs)
    return book


def canonical_outputs(outputs):
    """Return the outputs of a cell; how a stream was cut into pieces is chance, so each run of them is joined."""
    # A widget (tqdm draws its bar as one, where it is asked to) is nothing without the kernel that drew it.
    outputs = [output for output in outputs if WIDGET not in output.get("data", {})]
    found = []
    for kind, group in itertools.groupby(outputs, key=lambda output: output.output_type):
        if kind != "stream":
            for output in group:
                output.get("metadata", {}).clear()
                data = output.get("data", {})
                data.update({mime: remove_places(text) for mime, text in data.items() if mime.startswith("text/")})
                found.append(output)
            continue
        group = list(group)
        for name in ("stdout", "stderr"):
            text = "".join(output.text for output in group if output.name == name)
            # tqdm rewrites its line by carriage returns; what it shows is seconds, not a result
            text = remove_places(FIRST_FIGURE.sub("", re.sub(r"[^\n]*\r[^\n]*(\n|$)", "", text)))
            if text.strip():
                found.append(nbformat.v4.new_output("stream", name=name, text=text))
    return found


def remove_places(text):
    """Return a text without this machine's folders and addresses; the project's files stay, seen from its folder."""
    places = {sysconfig.get_path(name): "packages" for name in ("purelib", "platlib", "stdlib")}
    places |= {str(files.ROOT): ".", sys.prefix: "environment", os.path.expanduser("~"): "~"}
    for place, name in places.items():
        if len(place) > 1:  # a user without a home has "~" or "/"
            text = re.sub(rf"{re.escape(place)}(?![\w-])", name, text)
    # a cell's code has a file of its own, by the kernel's process, which a warning names
    text = re.sub(rf"{re.escape(tempfile.gettempdir())}/(ipykernel_\d+/\d+\.py|tmp\w{{8}})", "temporary", text)
    return re.sub(r"\b0x[0-9a-f]{6,16}\b", "0x…", text)
