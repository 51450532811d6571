"""One run of the same work at a time: ``python -m helpers.study.locks <file> <patient>`` waits, then runs a study."""

import sys
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from helpers.study import files


@contextmanager
def wait_for(path, name):
    """Hold the lock at `path`, which ends with the process; wait, saying so, while another run of `name` holds it."""
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


def main(path, patient):
    """Bring a patient's report, then the page of all patients, up to date, holding the lock at `path`; exit with DVC's
    status.
    """
    from dvc.cli import main as dvc  # both in one process: it takes a second to start

    try:
        with wait_for(Path(path), "make study"):
            return dvc(["repro", f"report@{patient}"]) or dvc(["repro", "--single-item", "overview"])
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        return f"error: {error}"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
