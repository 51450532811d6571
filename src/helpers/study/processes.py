"""The processes of a run: one run of the same work at a time, and none left behind when it ends, however it ends."""

import logging
import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress

import psutil
from filelock import FileLock, Timeout

from helpers.study import files


@contextmanager
def sole(path, name):
    """Hold the lock at `path`; wait, saying so, while another run of `name` holds it.

    The system lets go of the lock when a process ends, however it ends: a file that is left over locks nothing.

    Raises
    ------
    DiskError
        If the lock's file cannot be made.
    """
    with files.disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(f"{name}: another run is still at work; waiting until it ends (Ctrl-C gives up).", file=sys.stderr)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def stoppable():
    """Have a stage that is terminated, or whose DVC is killed, end as by Ctrl-C; no process that it began stays."""
    others, over = set(psutil.Process().children(recursive=True)), threading.Event()

    def stop(*_):
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # or it tells of the kernel that is ended here
        _end(others)  # at once, and before they write long tracebacks of their own
        raise KeyboardInterrupt

    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number in before:
        if before[number] != signal.SIG_IGN:  # as nohup has it
            signal.signal(number, stop)
    if "DVC_STAGE" in os.environ:
        threading.Thread(target=_watch, args=(os.getppid(), over), daemon=True).start()
    try:
        yield
    finally:
        over.set()
        for number, handler in before.items():
            signal.signal(number, handler)
        _end(others)


def _end(others):
    """Kill the processes that this one began, and theirs, but for `others`."""
    for process in set(psutil.Process().children(recursive=True)) - others:
        with suppress(psutil.Error):
            process.kill()


def _watch(parent, over):
    """Terminate this process once `parent`, which waits for it, is no more: nobody would take what it makes."""
    while not over.wait(1):
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)
            return
