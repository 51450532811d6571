"""Work mapped over recordings and folds: on this machine's cores, or on Dask's workers where a scheduler is named."""

import os
import threading
import time
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, suppress

import psutil
from joblib import Parallel, cpu_count, delayed, parallel_config
from tqdm import tqdm


def worker_count():
    """Return how many pieces of work run at once: ``STUDY_WORKERS``, by default one a core."""
    wanted = os.environ.get("STUDY_WORKERS") or str(cpu_count())
    if not wanted.isdecimal() or int(wanted) < 1:
        raise ValueError(f"STUDY_WORKERS is {wanted!r}; it must be a whole number above 0, or unset for one a core.")
    return int(wanted)


def parallel_map(function, pieces, description, unit, threads=False):
    """Return ``[function(*piece) for piece in pieces]``, computed in parallel, with a progress bar.

    How many run at once, and where, changes no result. With ``DASK_SCHEDULER_ADDRESS`` set they run on that
    scheduler's workers, which must see the same files under the same paths and have the same packages.

    Another process must be able to import `function`; a piece is a small tuple, as it travels there. `description` and
    `unit` are for the bar. With `threads` they are threads of this process: for NumPy, which lets others run.

    ValueError if ``STUDY_WORKERS`` or the scheduler's address is wrong; BrokenProcessPool if a process was killed.
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
            raise BrokenProcessPool(
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

        return Client(address, timeout="20s", set_as_default=True)
    except (ImportError, OSError, ValueError) as error:
        raise ValueError(
            f"DASK_SCHEDULER_ADDRESS is {address}, and no Dask scheduler can be reached there ({error}). Start one "
            "(`pip install distributed`, `dask scheduler`), correct the address (tcp://host:8786) or unset it."
        ) from error
