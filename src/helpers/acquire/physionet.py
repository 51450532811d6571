"""CHB-MIT from PhysioNet: a patient's files, fetched from mirrors in turn, resumed, and checked by their SHA-256.

Goldberger et al. (2000), PhysioNet; Guttag (2010), CHB-MIT Scalp EEG Database 1.0.0, DOI 10.13026/C2K01R.
"""

import multiprocessing
import os
import shutil
import threading
import time
import warnings
from contextlib import contextmanager
from multiprocessing.pool import ThreadPool
from pathlib import Path
from urllib.parse import quote

import filelock
import pooch
import requests
from tqdm import tqdm

from helpers.acquire import downloads
from helpers.acquire.summaries import read_summary
from helpers.study.errors import RecordingError

REGISTRY = Path(__file__).with_name("registries") / "chbmit-1.0.0.txt"
MIRRORS = ("https://physionet-open.s3.amazonaws.com/chbmit/1.0.0/", "https://physionet.org/files/chbmit/1.0.0/")
FILES_AT_ONCE = 3  # more would be impolite to a public archive

pooch.get_logger().setLevel("WARNING")  # it would name each file; the bar says enough


def fetch(patient, folder, mirrors=None):
    """Bring the files that the study of a patient needs into a folder.

    First the summary, then each EDF file that it lists, and its ``.edf.seizures`` if there is one. A file that is
    there with the right content is kept, and the network is not asked for it. What has arrived of a file lies in
    ``<name>.part`` beside it, to be continued, until all of it has the right SHA-256.

    Parameters
    ----------
    patient : str
        ``chb01`` … ``chb24``.
    folder : Path
        Made if it is absent; the files lie in it without a folder of the patient's.
    mirrors : sequence of str, optional
        Base URLs, asked in turn. Default: the environment's CHBMIT_MIRRORS (separated by blanks), else `MIRRORS`.

    Returns
    -------
    list of str
        The names of the files, in the summary's order.

    Raises
    ------
    RecordingError
        If the patient is not in the database, a mirror is not https, no mirror gives a file with the right content,
        the disk takes no more, or another run is fetching into the folder. What has arrived is kept.
    """
    folder, known = Path(folder), registry(patient)
    mirrors = _checked(mirrors or os.environ.get("CHBMIT_MIRRORS", "").split() or MIRRORS)
    bases = [f"{mirror}{patient}/" for mirror in mirrors]
    summary = f"{patient}-summary.txt"

    def needed():
        listed = [entry["file"] for entry in read_summary(folder / summary)]
        return [name for file in listed for name in (file, f"{file}.seizures") if name == file or name in known]

    def there(name):
        return (folder / name).exists() and pooch.file_hash(folder / name) == known[name]

    # An archive that nobody may write to is as good as any, if it has all.
    if not (there(summary) and all(there(name) for name in needed())):
        with _sole_run(folder):
            _bring({summary: known[summary]}, folder, bases, patient)
            _bring({name: known[name] for name in needed()}, folder, bases, patient)
    return [summary, *needed()]


def registry(patient):
    """Return the SHA-256 of each of a patient's files, by name.

    Raises
    ------
    RecordingError
        If the database has no such patient.
    """
    database = pooch.create(path="", base_url="")
    database.load_registry(REGISTRY)
    known = {key.partition("/")[2]: value for key, value in database.registry.items() if key.startswith(f"{patient}/")}
    if not known:
        patients = sorted({key.partition("/")[0] for key in database.registry})
        raise RecordingError(f"CHB-MIT 1.0.0 has no patient '{patient}'; it has {patients[0]} to {patients[-1]}.")
    return known


def unlisted(patient, files):
    """Return the names of the EDF files that the database has of a patient and `files` has not, sorted."""
    return sorted(name for name in registry(patient) if name.endswith(".edf") and name not in set(files))


def _checked(mirrors):
    """Return the base URLs, each ending in a slash; raise RecordingError if one is neither https nor loopback."""
    for mirror in mirrors:
        if not downloads.is_safe(mirror):
            raise RecordingError(
                f"'{mirror}' cannot be a mirror of CHB-MIT: only https:// is used, or http:// on this machine "
                "(127.0.0.1). Correct CHBMIT_MIRRORS, or unset it to use the public mirrors."
            )
    return [mirror.rstrip("/") + "/" for mirror in mirrors]


@contextmanager
def _sole_run(folder):
    """Keep other runs out of `folder`, and clear away what a killed one left of pooch's own temporary files."""
    with _disk_errors(folder, folder.name):
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / ".fetch.lock")
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout as error:
            raise RecordingError(
                f"Another run is fetching into {folder}. Wait until it has ended, then run again."
            ) from error
    try:
        shutil.rmtree(folder / ".pooch", ignore_errors=True)
        yield
    finally:
        shutil.rmtree(folder / ".pooch", ignore_errors=True)
        Path(lock.lock_file).unlink(missing_ok=True)  # while it is held: filelock notices, and makes a new one
        lock.release()


def _bring(wanted, folder, bases, patient):
    """Bring the files `wanted` (SHA-256 by name) into `folder`, a few at a time; the first failure ends all."""
    stop, counting, arrived, replaced = threading.Event(), threading.Lock(), 0, []
    # Shown after two seconds only: when all files are there, their check needs no bar.
    bar = tqdm(total=len(wanted), desc=f"fetch {patient}", unit="file", delay=2, miniters=0)

    def count(size):
        nonlocal arrived
        with counting:
            arrived += size
            bar.set_postfix_str(f"{arrived / 1e6:.1f} MB", refresh=False)
            bar.update(0)

    # ThreadPool, as its threads are daemons: Ctrl-C need not wait for a mirror that hangs.
    with downloads.open_session(FILES_AT_ONCE) as session, bar, ThreadPool(FILES_AT_ONCE) as pool:

        def bring_one(name):
            if stop.is_set():
                raise InterruptedError("stopped")
            with _disk_errors(folder, name):
                return _bring_file(
                    name, wanted[name], folder, bases,
                    lambda url, part: downloads.receive(session, url, part, wanted[name], count, stop),
                )  # fmt: skip

        results = pool.imap_unordered(bring_one, wanted)
        try:
            for put_aside in results:
                replaced += [put_aside] if put_aside else []
                with counting:
                    bar.update()
        finally:
            stop.set()
            _wait(results)
    if replaced:
        warnings.warn(
            f"{folder} held files with other content than the database's. They are kept as "
            f"{', '.join(sorted(replaced))}; the right ones have been fetched. Delete them if you do not need them.",
            stacklevel=3,
        )


def _wait(results):
    """Give the other threads two seconds to stop, so that none works in the folder when it is another run's."""
    deadline = time.monotonic() + 2
    while (left := deadline - time.monotonic()) > 0:
        try:
            results.next(timeout=left)
        except (StopIteration, multiprocessing.TimeoutError):
            return  # a thread that still waits for its mirror will find `stop` set, and write nothing
        except (OSError, RecordingError):
            pass  # they were stopped: the first failure is the one that is told


def _bring_file(name, digest, folder, bases, receive):
    """Bring one file, unless it is there; return the name under which one with other content is kept, or None."""
    path, part, answers = folder / name, folder / f"{name}.part", {}
    if path.exists() and pooch.file_hash(path) == digest:
        return None

    def arrive(url, output_file, _):
        receive(url, part)
        os.replace(part, output_file)  # moved, so that a recording never lies on the disk twice

    for base in bases:
        for again in (False, True):
            begun = downloads.size(part) > 0
            try:
                # quoted, as S3 reads a bare '+' as a blank
                pooch.retrieve(base + quote(name), digest, name, folder / ".pooch", downloader=arrive)
                return _put_in_place(folder / ".pooch" / name, path)
            except requests.RequestException as error:
                answers[base] = downloads.reason(error)
            except ValueError:  # pooch's, on a wrong hash; the part is gone with it
                answers[base] = "what it sent is not the database's file (another SHA-256)"
                if begun and not again:
                    continue  # the fault may lie in what had arrived before: once more, from the first byte
            break
    raise RecordingError(_failure(name, answers))


def _put_in_place(arrived, path):
    """Rename a proven file to its name; what had that name before is kept under another, which is returned."""
    aside = None
    if path.exists():
        aside = path.with_name(f"{path.name}.{pooch.file_hash(path)[:8]}.replaced")
        os.replace(path, aside)
    os.replace(arrived, path)
    return aside and aside.name


@contextmanager
def _disk_errors(folder, name):
    """Turn what the disk refuses into a RecordingError that says what is kept, and what to do."""
    try:
        yield
    except OSError as error:
        place = folder if folder.exists() else folder.parent
        free = f"{shutil.disk_usage(place).free / 1e6:.0f} MB are free there" if place.exists() else "it is not there"
        raise RecordingError(
            f"{name} cannot be written to {folder}: {error.strerror or error} ({free}). What has arrived is kept: "
            "make room or allow writing there, and run again to continue."
        ) from error


def _failure(name, answers):
    """Return the message about a file that no mirror gave: what each answered, and what to do."""
    patient, said = name[:5], "; ".join(f"{base} – {answer}" for base, answer in answers.items())
    return (
        f"No mirror gives {name} of CHB-MIT: {said}. Check the network and run again: what has arrived is kept. "
        f"Or download https://physionet.org/content/chbmit/1.0.0/{patient}/ by hand into a folder and run: "
        f"make study PATIENT={patient}_local FOLDER=<that folder>"
    )
