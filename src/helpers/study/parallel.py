"""Work mapped over recordings and folds: on this machine's cores, or on Dask's workers when a scheduler is named."""

import os
import threading
import time
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack

from joblib import Parallel, cpu_count, delayed, parallel_config
from tqdm import tqdm


class WorkerError(RuntimeError):
    """A worker process that ended before its work did."""


def worker_count():
    """Return how many pieces of work run at once: ``STUDY_WORKERS``, by default one a core.

    Raises
    ------
    ValueError
        If it is no whole number above 0.
    """
    wanted = os.environ.get("STUDY_WORKERS") or str(cpu_count())
    if not wanted.isdecimal() or int(wanted) < 1:
        raise ValueError(f"STUDY_WORKERS is {wanted!r}; it must be a whole number above 0, or unset for one a core.")
    return int(wanted)


def parallel_map(function, pieces, description, unit, threads=False):
    """Return ``[function(*piece) for piece in pieces]``, computed beside each other, with a progress bar.

    How many run at once, and where, changes no result. With ``DASK_SCHEDULER_ADDRESS`` set they run on that
    scheduler's workers, which must see the same files under the same paths and have the same packages.

    Parameters
    ----------
    function : callable
        Importable from a module of `helpers`, as another process must find it.
    pieces : list of tuple
        Small: they travel to the worker. What is large is read there.
    description, unit : str
        For the progress bar.
    threads : bool
        On this machine, threads instead of processes: right for work in NumPy, which lets go of the interpreter, as
        no process must start and import everything again.

    Raises
    ------
    ValueError
        If ``STUDY_WORKERS`` is no number above 0, or the Dask scheduler cannot be reached.
    WorkerError
        If a worker process of this machine was killed.
    """
    pieces, address = list(pieces), os.environ.get("DASK_SCHEDULER_ADDRESS")
    if not pieces:
        return []
    with ExitStack() as stack:
        if address:
            stack.enter_context(_client(address))
            stack.enter_context(parallel_config("dask"))
        jobs = Parallel(
            n_jobs=-1 if address else min(worker_count(), len(pieces)),
            prefer="threads" if threads else "processes",
            return_as="generator",
        )(delayed(_attended)(os.getpid(), function, *piece) for piece in pieces)
        try:
            return list(tqdm(jobs, total=len(pieces), desc=description, unit=unit))
        except BrokenProcessPool as error:
            raise WorkerError(
                f"A process that worked on a {unit} ({description}) was killed, most often for lack of memory. Close "
                "other programs, or set STUDY_WORKERS=1 so that less is done at once, and run again."
            ) from error


def _attended(caller, function, *piece):
    """Return ``function(*piece)``; a process that works for `caller` ends with it, and writes nothing later."""
    if os.getppid() == caller and "attending" not in [thread.name for thread in threading.enumerate()]:
        threading.Thread(target=_attend, args=(caller,), name="attending", daemon=True).start()
    return function(*piece)


def _attend(caller):
    """End this process once `caller`, whose child it is, is no more."""
    while os.getppid() == caller:
        time.sleep(1)
    os._exit(1)


def _client(address):
    """Return a client of the Dask scheduler at `address`."""
    try:
        from distributed import Client  # not needed, and slow to import, without a scheduler
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
