"""The papermill engine ``study``: checked parameters, one run at a time, canonical executed notebooks, one message.

Use: ``papermill <notebook> <executed copy> --engine study -f <parameters file> -r patient <id>``.
"""

import logging
import os
import re
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import papermill
import psutil
from nbclient.exceptions import DeadKernelError
from papermill.engines import NBClientEngine
from traitlets.config import Config

from helpers.study import errors, executed, files, locks, parallel, parameters, patients

# What a user has set up changes no result: hashes, pictures, kernels, warnings, assertions. By the first two settings,
# glibc keeps memory that was freed: to ask for it again, array by array, takes a fifth of training.
FIXED = {
    "MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "1073741824",
    "PYTHONHASHSEED": "0", "CUBLAS_WORKSPACE_CONFIG": ":4096:8", "HF_HUB_DISABLE_TELEMETRY": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline", "JUPYTER_PREFER_ENV_PATH": "1",
    "MNE_LOGGING_LEVEL": "INFO", "PYTHONUTF8": "1",  # Rust takes a path for UTF-8, whatever the locale
}  # fmt: skip
UNSET = ("PYTHONWARNINGS", "PYTHONOPTIMIZE", "PYTHONSTARTUP", "TRANSFORMERS_VERBOSITY")
SHELLS = ("sh", "bash", "dash", "zsh", "ksh", "fish")


class StudyEngine(NBClientEngine):
    """Runs a stage's notebook for a patient and leaves the same bytes for the same work."""

    @classmethod
    def execute_notebook(cls, nb, kernel_name, output_path=None, input_path=None, progress_bar=True, **kwargs):
        """Execute a parameterized notebook and return the executed copy, which papermill writes to `output_path`.

        Wrong parameters, and a copy of the project that would use another one's helpers, end the run before anything is
        executed. A failure, or an interruption, ends with one message on standard error (exit status 1, or 130); a
        cell's leaves ``<output>.failed.ipynb``.
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
                files.remove_partial(files.ROOT / "output" / given["patient"] / stage)
                bar = progress_bar and {"desc": name, "unit": "cell"}
                own = kwargs | {"progress_bar": bar, "config": config, "stderr_file": sys.stderr}
                own["iopub_timeout"] = 600  # seconds; the default, 4, ends a cell's run where others use the machine
                nb = super().execute_notebook(nb, kernel_name, **own)
            if error := executed.find_error(nb):
                with files.atomic_write(failed) as partial:
                    nbformat.write(nb, partial)
                where = f"(the notebook as it ran, with the traceback: {files.display_path(failed)})"
                raise ValueError(f"{executed.cell_message(error)}\n{where}")
            nb = executed.canonical(nb)
            with files.atomic_write(output_path) as partial:  # papermill writes it again, but not whole or not at all
                nbformat.write(nb, partial)
        except KeyboardInterrupt:
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):
                    process.kill()
            logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # it would tell of the cell that was interrupted
            print(f"\n{name}: stopped before its end; the same command runs it again.", file=sys.stderr)
            sys.exit(130)  # as every program that Ctrl-C ends
        except (ValueError, OSError) as error:
            sys.exit(f"\nerror in {name}: {errors.printable(error)}")
        except DeadKernelError:
            sys.exit(
                f"\nerror in {name}: the notebook's process was killed, most often for lack of memory. Close other "
                "programs, or set STUDY_WORKERS=1 so that less is done at once, and run again."
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


def check_place():
    """Raise ValueError in a copy of the project whose helpers are another's: results would be written there."""
    here = Path.cwd()
    if (here / "dvc.yaml").exists() and not here.samefile(files.ROOT):
        raise ValueError(
            f"{here} is a copy of the project, whose helpers are those of {files.ROOT}: its results would be written "
            "there. Use `dvc exp run` without `--temp` and `--queue`, which make such copies; in one of your own, "
            "`make study` makes an environment."
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
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # a socket's path has 107 bytes at most
        os.environ["IPYTHONDIR"] = os.path.join(folder, "ipython")  # not the user's, with what runs at its start
        # between processes of one user: nothing listens on the network
        yield Config(KernelManager={"transport": "ipc", "ip": os.path.join(folder, "kernel")})
