"""CHB-MIT from PhysioNet: a patient's recordings, fetched by pooch from mirrors in turn, checked by their SHA-256.

Goldberger et al. (2000), PhysioNet; Guttag (2010), CHB-MIT Scalp EEG Database 1.0.0, DOI 10.13026/C2K01R.
"""

import os
import re
from multiprocessing.pool import ThreadPool
from pathlib import Path
from urllib.parse import quote

import pooch
import requests
from tqdm import tqdm

from helpers.acquire.annotation_files import read_summary
from helpers.study import files
from helpers.study.errors import RecordingError

REGISTRY = Path(__file__).with_name("registries") / "chbmit-1.0.0.txt"
MIRRORS = ("https://physionet-open.s3.amazonaws.com/chbmit/1.0.0/", "https://physionet.org/files/chbmit/1.0.0/")
SAFE = re.compile(r"https://[\w.-]|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/|$)")  # or on this machine
TIMEOUT_S = (10, 30)  # to connect, and between two pieces of an answer
RETRIES = 2  # at each mirror
SAME_PERSON = {"chb21": "chb01"}  # one and a half years later
FILES_AT_ONCE = 3  # more would be impolite to a public archive

pooch.get_logger().setLevel("WARNING")  # it would name each file; the bar says enough


def fetch(patient, folder):
    """Bring a patient's summary, and the EDF files that it lists, into a folder, and return their names.

    A file that is there with the right content is kept, and the network is not asked for it. The environment's
    CHBMIT_MIRRORS, base URLs separated by blanks, are asked in turn, else `MIRRORS`.

    RecordingError if there is no such patient, a mirror is not safe, none gives a file with the right content, or a
    file with another content is in its place; DiskError if the disk takes no more.
    """
    folder, known, summary = Path(folder), registry(patient), f"{patient}-summary.txt"
    mirrors = os.environ.get("CHBMIT_MIRRORS", "").split() or MIRRORS
    if unsafe := [mirror for mirror in mirrors if not SAFE.match(mirror)]:
        raise RecordingError(
            f"'{unsafe[0]}' cannot be a mirror of CHB-MIT: only https:// is used, or http:// on this machine "
            "(127.0.0.1). Correct CHBMIT_MIRRORS, or unset it to use the public mirrors."
        )
    bases = [f"{mirror.rstrip('/')}/{patient}/" for mirror in mirrors]
    _fetch_file(summary, known[summary], folder, bases)
    names = [entry["file"] for entry in read_summary(folder / summary)]
    with ThreadPool(FILES_AT_ONCE) as pool:
        arrived = pool.imap_unordered(lambda name: _fetch_file(name, known[name], folder, bases), names)
        list(tqdm(arrived, f"fetch {patient}", len(names), unit="file"))
    return [summary, *names]


def registry(patient):
    """Return the SHA-256 of each of a patient's files, by name; raise RecordingError if there is no such patient."""
    database = pooch.create(path="", base_url="")
    database.load_registry(REGISTRY)
    known = {key.partition("/")[2]: value for key, value in database.registry.items() if key.startswith(f"{patient}/")}
    if not known:
        raise RecordingError(f"CHB-MIT 1.0.0 has no patient '{patient}'; it has chb01 to chb24.")
    return known


def unlisted(patient, names):
    """Return the names of the EDF files that the database has of a patient and `names` has not, sorted."""
    return sorted(name for name in registry(patient) if name.endswith(".edf") and name not in set(names))


def _fetch_file(name, digest, folder, bases):
    """Bring one file into `folder`, unless it is there."""
    path, answers, patient = folder / name, [], name[:5]
    if path.exists():
        if pooch.file_hash(path) == digest:
            return
        raise RecordingError(f"{path} is not the database's file (another SHA-256). Move it away, and run again.")
    # No password of ~/.netrc is for a mirror; behind a redirect it would be looked up again, and http could follow.
    no_redirect = {"response": _refuse_redirect}
    download = pooch.HTTPDownloader(timeout=TIMEOUT_S, auth=lambda request: request, hooks=no_redirect)
    for base in bases:
        urls = {name: base + quote(name)}  # S3 reads a bare '+' as a blank
        mirror = pooch.create(folder, base, registry={name: digest}, urls=urls, retry_if_failed=RETRIES)
        try:
            with files.disk_errors(path):
                mirror.fetch(name, downloader=download)
            return
        except (requests.RequestException, ValueError) as error:  # ValueError: another SHA-256
            answers.append(f"{base} – {error}")
    raise RecordingError(
        f"No mirror gives {name} of CHB-MIT: {'; '.join(answers)}. Check the network and run again: complete files are "
        f"kept. Or download https://physionet.org/content/chbmit/1.0.0/{patient}/ by hand into a folder and run: "
        f"make study PATIENT={patient}_local FOLDER=<that folder>"
    )


def _refuse_redirect(response, **_):
    if response.is_redirect:
        raise requests.RequestException(f"it redirects to {response.headers['Location']}, which is not followed")
