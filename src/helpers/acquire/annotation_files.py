"""Annotations: what their files have in common, and CHB-MIT's ``.edf.seizures`` files.

Times are seconds from the recording's first sample: int where whole, else float, rounded to a microsecond.
"""

import re
import tempfile
from pathlib import Path

import wfdb

from helpers.study.errors import RecordingError

# The longest real summary has 7 kB: a larger file is no annotation, and need not fill the memory.
MAX_BYTES, MAX_LINE = 1_000_000, 1_000

RESOLUTION_S = 1  # of a summary, which counts in whole seconds

# NOTE at sample 0, then AUX with its length: the head of a WFDB annotation file that states its time resolution.
WFDB_HEAD = re.compile(rb"\x00\x58(.)\xfc(## time resolution: [0-9.]+)\x00?", re.DOTALL)


def read_seizures(path):
    """Read one of CHB-MIT's ``.edf.seizures`` files.

    WFDB annotations in MIT format: "[" and "]" at a seizure's first and last sample, after a note of the time
    resolution (https://physionet.org/content/chbmit/1.0.0/, https://physionet.org/physiotools/wag/annot-5.htm).

    Parameters
    ----------
    path : Path
        Named ``<recording>.edf.seizures``.

    Returns
    -------
    list of (start_s, end_s)
        In seconds, in order and without overlap.

    Raises
    ------
    RecordingError
        If the file is damaged, holds another mark, or its marks are not pairs in order of time.
    """
    name, data = Path(path).name, read_bytes(path)
    head = WFDB_HEAD.match(data)
    # wfdb loops for ever over a damaged or second "## " note, and takes a file cut short for a whole one.
    if not head or head[1][0] != len(head[2]) or data.count(b"## ") != 1 or len(data) % 2 or data[-2:] != b"\0\0":
        raise RecordingError(
            f"{name} is no whole WFDB annotation file with one '## time resolution:' at its head and a mark at its end."
        )
    with tempfile.TemporaryDirectory() as folder:
        # A copy with a plain name: wfdb takes '::' or '://' in a path for an address and would open that.
        (Path(folder) / "copy.seizures").write_bytes(data)
        try:
            marks = wfdb.rdann(str(Path(folder) / "copy"), "seizures")
        except Exception as error:  # wfdb raises many types on damaged bytes; each means the same to a user
            raise RecordingError(f"{name} cannot be read as WFDB annotations ({error}): it is damaged.") from error
    times = [seconds(f"{sample / marks.fs:.6f}") if marks.fs else None for sample in marks.sample]
    pairs = list(zip(times[::2], times[1::2], strict=False))
    if None in times or list(marks.symbol) != ["[", "]"] * len(pairs):
        raise RecordingError(
            f"{name} has the marks {shown(' '.join(map(str, marks.symbol)))} at {shown(str(times))} s; wanted are "
            "[ and ], each seizure's start and end, at times from 0 s on."
        )
    if any(start >= end for start, end in pairs) or any(a[1] > b[0] for a, b in zip(pairs, pairs[1:], strict=False)):
        raise RecordingError(f"{name} has the seizures {pairs[:10]} (s); wanted is start before end, in order of time.")
    return pairs


def check_agreement(summary_name, recording_file, listed, seizures_name, found):
    """Raise RecordingError if a summary's seizures of a recording are not those of its ``.seizures`` file.

    Parameters
    ----------
    summary_name, recording_file, seizures_name : str
        For the message.
    listed, found : list of (start_s, end_s)
        What the summary and the ``.seizures`` file say, in seconds. A second of difference is the summary's resolution.
    """
    bounds = [pair for seizures in zip(listed, found, strict=False) for pair in zip(*seizures, strict=True)]
    if len(listed) != len(found) or any(abs(a - b) > RESOLUTION_S for a, b in bounds):
        raise RecordingError(
            f"{summary_name} and {seizures_name} disagree on {recording_file}: seizures at {listed} s in the one, at "
            f"{found} s in the other. Find out which is right, and correct or remove the other."
        )


def seconds(text):
    """Return a plain decimal number, int where whole, else float; None for all else (signs, exponents, NaN, words)."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,20})?", text):
        return None
    return rounded(float(text))


def rounded(time_s):
    """Round to a microsecond, so that 0.1 + 0.2 is 0.3; int where whole."""
    time_s = round(float(time_s), 6)
    return int(time_s) if time_s.is_integer() else time_s


def shown(text):
    """Return what was found for a message: in quotes, one line, not endless."""
    return repr(text.strip()[:100])


def read_lines(path):
    """Return the lines of a UTF-8 text file, whatever its line ends."""
    name, data = Path(path).name, read_bytes(path)
    try:
        lines = re.split("\r\n|\r|\n", data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
        raise RecordingError(f"{name}, line {number} is no UTF-8 text ({error.reason}). Save it as UTF-8.") from None
    for number, line in enumerate(lines, 1):
        # A control character may stand where a digit was, and blanks are stripped: 299\x1c is not 299.
        if len(line) > MAX_LINE or re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", line):
            raise RecordingError(
                f"{name}, line {number}: {shown(line)} is no line of an annotation file: wanted is text of at most "
                f"{MAX_LINE} characters, none of them a control character."
            )
    return lines


def read_bytes(path):
    """Return the bytes of an annotation file, of a size that one can have."""
    path = Path(path)
    try:
        if not path.is_file():  # nor a pipe, which would never end
            raise RecordingError(f"{path} is {'no file' if path.exists() else 'not there'}; name an annotation file.")
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RecordingError(f"{path.name} cannot be read ({error.strerror}). Check the file's permissions.") from error
    if len(data) > MAX_BYTES:
        raise RecordingError(f"{path.name} has more than {MAX_BYTES} bytes: that is no annotation file.")
    return data
