"""Work mapped over recordings and folds: on this machine's cores, or on Dask's workers where a scheduler is named."""

import os
import threading
import time
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, suppress

import psutil
from joblib import Parallel, cpu_count, delayed, parallel_config
from tqdm import tqdm


class WorkerError(RuntimeError):
    """A worker process that ended before its work did."""


def worker_count():
    """Return how many pieces of work run at once: ``STUDY_WORKERS``, by default one a core.

    Raises
    ------
    ValueError
        If it is not a whole number above 0.
    """
    wanted = os.environ.get("STUDY_WORKERS") or str(cpu_count())
    if not wanted.isdecimal() or int(wanted) < 1:
        raise ValueError(f"STUDY_WORKERS is {wanted!r}; it must be a whole number above 0, or unset for one a core.")
    return int(wanted)


def parallel_map(function, pieces, description, unit, threads=False):
    """Return ``[function(*piece) for piece in pieces]``, computed in parallel, with a progress bar.

    How many run at once, and where, changes no result. With ``DASK_SCHEDULER_ADDRESS`` set they run on that
    scheduler's workers, which must see the same files under the same paths and have the same packages.

    Parameters
    ----------
    function : callable
        Importable from a module of `helpers`, as another process must find it.
    pieces : list of tuple
        Small, as they travel to the worker; large data is read there.
    description, unit : str
        For the progress bar.
    threads : bool
        On this machine, threads instead of processes: for NumPy, which releases the interpreter's lock.

    Raises
    ------
    ValueError
        If ``STUDY_WORKERS`` is not a number above 0, or the Dask scheduler cannot be reached.
    WorkerError
        If a worker process of this machine was killed.
    """
    pieces, address = list(pieces), os.environ.get("DASK_SCHEDULER_ADDRESS")
    if not pieces:
        return []
    options = {"n_jobs": min(worker_count(), len(pieces)), "backend": "threading" if threads else "loky"}
    if not threads:
        # a worker whose caller is killed while it starts would wait for work for minutes
        options |= {"initializer": end_with, "initargs": (os.getpid(),)}
    with ExitStack() as stack:
        if address:
            stack.enter_context(_connect(address))
            stack.enter_context(parallel_config("dask"))
            options = {"n_jobs": -1}
        jobs = Parallel(**options, return_as="generator")(delayed(function)(*piece) for piece in pieces)
        try:
            return list(tqdm(jobs, total=len(pieces), desc=description, unit=unit))
        except BrokenProcessPool as error:
            raise WorkerError(
                f"A process that worked on a {unit} ({description}) was killed, most often for lack of memory. Close "
                "other programs, or set STUDY_WORKERS=1 so that less is done at once, and run again."
            ) from error


def end_with(process_id):
    """End this process within a second after another one's death, so that none goes on working for nobody."""

    def watch():
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(process_id)
            while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _connect(address):
    """Return a client of the Dask scheduler at `address`."""
    try:
        from distributed import Client  # optional, and slow to import
    except ImportError as error:
        raise ValueError(
            f"DASK_SCHEDULER_ADDRESS is {address}, but the package distributed is not installed: "
            "pip install distributed, or unset the variable."
        ) from error
    try:
        return Client(address, timeout="20s", set_as_default=True)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"DASK_SCHEDULER_ADDRESS is {address}, and no Dask scheduler answers there ({error}). Start one "
            "(`dask scheduler`), correct the address (tcp://host:8786), or unset the variable."
        ) from error
