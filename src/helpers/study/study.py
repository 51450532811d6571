"""The study of one patient from its declaration to the overview: ``python -m helpers.study.study <patient> [<folder>]``.

DVC runs the stages, by its own command line; this adds what to do when it cannot. `dvc repro` alone does the same work.
"""

import hashlib
import json
import logging
import os
import re
import shutil
import sys
import time
from pathlib import Path

from dvc.cli import main as dvc
from dvc.lock import make_lock
from dvc.repo import Repo
from tqdm import tqdm

from helpers.acquire import declare
from helpers.study import errors, files, processes

# What DVC's errors are called, or say, and what to do then.
KNOWN = {
    r"LockError|Unable to acquire lock": "Another DVC command is at work in this project: wait until it ends, then run "
    "the same command again. If none is at work, delete .dvc/tmp/rwlock. Nothing is lost.",
    r"'(\./)?dvc\.lock'": "dvc.lock, DVC's list of what was made from what, is damaged. `git checkout -- dvc.lock` "
    "brings back that of the last commit; or delete it: stages then run again, or come from DVC's cache, to the same "
    "bytes.",
    r"'(\./)?(dvc\.yaml|params/\S+)'": "Correct that file, or have it back by `git checkout`; nothing has run.",
    r"DatabaseError|OperationalError": "DVC's memory of the files it has seen is damaged. Delete .dvc/tmp, and the "
    "folder that `dvc doctor` calls Repo.site_cache_dir, while no other DVC command is at work. Nothing is lost.",
}


class Heard(logging.Handler):
    """Keeps the errors that DVC reports, each with those that led to it, in words: its name and what it says."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.text, self.codes = "", set()

    def emit(self, record):
        """Take in a line of DVC's log."""
        self.text += record.getMessage() + "\n"
        error = record.exc_info[1] if record.exc_info else None
        while error:
            self.text += f"{type(error).__name__}: {error}\n"
            self.codes.add(getattr(error, "errno", None))
            error = error.__cause__ or error.__context__


def advice(heard):
    """Return what to do about the errors that DVC reported; nothing, if a stage failed, as it has said so itself."""
    codes = heard.codes | {int(number) for number in re.findall(r"\[Errno (\d+)\]", heard.text)}
    for code in codes & set(files.FULL | files.BARRED):
        places = [place for place in (files.ROOT / "output", cache()) if place.exists()]  # a first run has no cache yet
        place = min(places, default=files.ROOT, key=lambda place: shutil.disk_usage(place).free)
        if named := re.search(rf"\[Errno {code}\].*'(/.+?)'", heard.text):  # which, for a full disk, is one of two
            place = place if code in files.FULL else Path(named[1])
        return f"DVC could not keep or fetch a result: {files.disk_advice(code, place)}"
    return next((what for pattern, what in KNOWN.items() if re.search(pattern, heard.text)), "")


def cache():
    """Return the folder of DVC's cache, as the project's or the user's settings have it."""
    return Path(Repo(files.ROOT).cache.local.path)


def mend_cache():
    """Delete from DVC's cache what is not what its name, an MD5, says, and return how many files that were.

    DVC itself takes a file of its cache for right that is write-protected, as all are: a damaged one would silently
    become a result. Of a file that is missing there, the stage runs again.
    """
    damaged = 0
    found = [path for path in cache().glob("[0-9a-f][0-9a-f]/*") if re.fullmatch(r"[0-9a-f]{30}(\.dir)?", path.name)]
    for path in tqdm(found, desc="DVC's cache", unit="file", delay=3, leave=False):
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "md5").hexdigest()
        if path.parent.name + path.stem != digest:
            path.chmod(0o644)
            path.unlink()
            damaged += 1
    return damaged


def mend_lock():
    """Delete DVC's list of which files are in use if a kill cut it off: DVC would refuse all work on account of it."""
    folder = files.ROOT / ".dvc" / "tmp"
    folder.mkdir(exist_ok=True)
    with make_lock(str(folder / "rwlock.lock"), tmp_dir=str(folder)):  # as DVC does where it reads and writes it
        try:
            json.loads((folder / "rwlock").read_text())
        except ValueError:
            (folder / "rwlock").unlink()
        except FileNotFoundError:
            pass


def repro(*arguments):
    """Run `dvc repro` with these arguments; end with what to do, or DVC's status, if it fails.

    It also fails where DVC says that it could not copy a file into its cache, and ends as if it could.
    """
    heard, begun = Heard(), time.time()
    loggers = [logging.getLogger(name) for name in ("dvc", "dvc_data", "dvc_objects")]
    for logger in loggers:
        logger.addHandler(heard)
    status = dvc(["repro", *arguments])
    for logger in loggers:
        logger.removeHandler(heard)
    if status or "failed to transfer" in heard.text:
        for left in cache().rglob(".*.tmp"):  # of a copy that DVC could not end
            if left.stat().st_mtime >= begun:
                left.unlink(missing_ok=True)
        said = advice(heard)
        sys.exit(f"\n{said}" if said else status or 1)


def main(patient, folder=None):
    """Declare or check a patient, run all its stages and the overview, and say where the results lie."""
    os.chdir(files.ROOT)
    try:
        with processes.sole(files.ROOT / "output" / ".study.lock", "make study"):
            declare.main(patient, folder)
            if damaged := mend_cache():
                print(f"{damaged} damaged files were deleted from DVC's cache; what they held is made again if needed.")
            mend_lock()
            repro(f"report@{patient}")
            repro("--single-item", "overview")
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        known = error.errno in files.FULL | files.BARRED and error.filename
        said = f"{error}: {files.disk_advice(error.errno, Path(error.filename))}" if known else error
        sys.exit(f"error: {errors.printable(said)}")
    print(f"\nThe study:     output/{patient}/report/index.html")
    print(f"The report:    output/{patient}/report/report.md")
    print("All patients:  output/overview/index.html")


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument]
    if len(arguments) not in (1, 2):
        sys.exit("usage: python -m helpers.study.study <patient> [<folder of recordings>]")
    main(*arguments)
