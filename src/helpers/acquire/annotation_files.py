"""Annotation files: CHB-MIT's summaries and ``.edf.seizures``, and the events of BIDS.

A seizure lost without a word is the worst fault here, so what could be a seizure and is not understood is refused.
Times are seconds from the recording's first sample: int where whole, else float, rounded to a microsecond.
"""

import re
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import numpy as np

from helpers.study import files
from helpers.study.errors import RecordingError

MAX_BYTES, MAX_LINE = 1_000_000, 1_000  # the longest real summary has 7 kB
RESOLUTION_S = 1  # of a summary, which counts in whole seconds
NO_SEIZURE = ("bckg", "impd")

ANNOUNCED = "number of seizures in file"
CLOCK = r"([0-9]{1,3}:[0-5][0-9]:[0-5][0-9](\.[0-9]+)?)?"  # hours of 24 and more run on into the next day
VALUES = {"file start time": CLOCK, "file end time": CLOCK, ANNOUNCED: "[0-9]{1,4}"}  # of a summary's recording
IGNORED = re.compile(r"data sampling rate|channels in edf files|channels changed|channel ?[0-9]+")
BOUND = re.compile(r"seizure(?: ?([0-9]+))? (start|end) time")

# NOTE at sample 0, then AUX with its length: the head of a WFDB annotation file that states its time resolution.
WFDB_HEAD = re.compile(rb"\x00\x58(.)\xfc(## time resolution: ([0-9]{1,9}(?:\.[0-9]{1,9})?))", re.DOTALL)
START, END, SKIP = 32, 33, 59  # WFDB's codes of "[", "]" and of a 32-bit interval


def read_summary(path):
    """Read a CHB-MIT summary, ``<patient>-summary.txt``, UTF-8.

    Case, blanks, line ends, a byte-order mark, "s" or "sec" for "seconds" and fractions of a second are free. A line
    of no known form may hold neither a digit nor ":" nor "=", as it could be meant as one; "#" comments it out.

    Returns
    -------
    list of dict
        One a recording, in the file's order: ``file``; ``start`` and ``end``, clocks as written, or ""; ``seizures``, a
        list of (start_s, end_s), in order, no two touching.

    Raises
    ------
    RecordingError
        If a line is not understood, or seizures are not as many as announced, or overlap; names the file and the line.
    """
    name, entries = Path(path).name, {}
    for number, line in enumerate(read_lines(path), 1):
        try:
            _read_line(number, line, entries)
        except RecordingError as error:
            raise RecordingError(f"{name}, line {number}: {error}") from None
    if not entries:
        raise RecordingError(f"{name} lists no recording: it needs lines 'File Name: <recording>.edf'.")
    for file, entry in entries.items():
        if 2 * int(entry.get(ANNOUNCED, -1)) != len(entry["bounds"]):
            raise RecordingError(
                f"{name}, line {entry['line']}: {file} announces {entry.get(ANNOUNCED, 'no number of')} seizures and "
                f"lists {len(entry['bounds'])} starts and ends. Correct 'Number of Seizures in File' or the list."
            )
        entry["seizures"] = _unite(zip(entry["bounds"][::2], entry["bounds"][1::2], strict=True))
    return [
        {"file": file, "seizures": entry["seizures"]}
        | {kind: entry.get(f"file {kind} time", "") for kind in ("start", "end")}
        for file, entry in entries.items()
    ]


def _read_line(number, line, entries):
    """Add what a summary's line says to `entries`, {file: {"line": its number, "bounds": [start, end, …], …}}."""
    key, colon, value = line.partition(":")
    key, value = " ".join(key.casefold().split()), value.strip()
    entry, bound = next(reversed(entries.values()), None), BOUND.fullmatch(key)
    if line.lstrip().startswith("#") or (colon and IGNORED.fullmatch(key)):
        return
    if not colon or not (bound or key in VALUES or key == "file name"):
        if re.search(r"[\d:=]", line):
            raise RecordingError(
                f"{quoted(line)} is not understood. Write 'Seizure Start Time: 2996 seconds', 'Seizure End Time: 3036 "
                "seconds' or 'Number of Seizures in File: 1', or # before what is something else."
            )
    elif key == "file name":
        _check_file_name(value, entries)
        entries[value] = {"line": number, "bounds": []}
    elif entry is None:
        raise RecordingError(f"{quoted(line)} stands above every 'File Name: <recording>.edf'.")
    elif bound:
        _add_bound(entry["bounds"], *bound.groups(), value, line)
    elif key in entry:
        raise RecordingError(f"{quoted(line)} comes a second time for a recording. Is a 'File Name:' missing?")
    elif not re.fullmatch(VALUES[key], value):
        raise RecordingError(f"{quoted(line)} is not understood: a time of day is 13:43:04, a number of seizures 1.")
    else:
        entry[key] = value


def _check_file_name(file, entries):
    """Raise RecordingError unless `file` is the plain name of an EDF file that is not listed yet."""
    plain = re.fullmatch(r"[^/\\]+\.edf", file, re.IGNORECASE) and file.isprintable() and len(file) <= 200
    if not plain or ".." in file or re.match("[a-z]:", file, re.IGNORECASE):
        raise RecordingError(f"File Name is {quoted(file)}; it must be the plain name of an .edf file in this folder.")
    if file.casefold() in map(str.casefold, entries):
        raise RecordingError(f"the summary lists {file} more than once. Leave one entry a recording.")


def _add_bound(bounds, number, kind, value, line):
    """Add a seizure's start or end. A start's number must fit; an end's need not: chb09_08 has a wrong one."""
    written = re.fullmatch(r"(\S+?)\s*s(?:ec(?:ond)?s?)?\.?", value, re.IGNORECASE)
    time_s, starts = seconds(written[1]) if written else None, len(bounds) % 2 == 0
    if time_s is None:
        raise RecordingError(f"{quoted(line)} is not '<number> seconds', as in 'Seizure Start Time: 2996 seconds'.")
    if starts != (kind == "start"):
        raise RecordingError(f"{quoted(line)}: each seizure needs a start, then its end.")
    if starts and number and int(number) != len(bounds) // 2 + 1:
        raise RecordingError(f"{quoted(line)} should be seizure {len(bounds) // 2 + 1}. Is one missing?")
    if bounds and (time_s < bounds[-1] or (time_s == bounds[-1] and not starts)):
        raise RecordingError(f"{quoted(line)} must come later than the {bounds[-1]} s above: list seizures in order.")
    bounds.append(time_s)


def read_seizures(path):
    """Read one of CHB-MIT's ``<recording>.edf.seizures`` files: a list of (start_s, end_s), in order, no two touching.

    WFDB annotations in MIT format: "[" and "]" at a seizure's first and last sample, after a note of the time
    resolution (https://physionet.org/physiotools/wag/annot-5.htm). The package wfdb is not used: it loops for ever
    over a damaged note, takes a file cut short for complete, and a name with '::' for an address.

    Raises
    ------
    RecordingError
        If the file is damaged, holds another mark, or its marks are not pairs in order of time.
    """
    name, data = Path(path).name, read_bytes(path)
    head = WFDB_HEAD.match(data)
    if not head or head[1][0] != len(head[2]) or float(head[3]) == 0 or len(data) % 2 or data[-2:] != b"\0\0":
        raise RecordingError(
            f"{name} is no complete WFDB annotation file: '## time resolution:' at its head, a mark at its end."
        )
    first = len(head[0]) + len(head[0]) % 2
    sample, marks, bounds, words = 0, [], [], iter(np.frombuffer(data[first:-2], "<u2").tolist())
    for word in words:
        code, interval = word >> 10, word & 1023
        if code == SKIP:
            high, low = next(words, 0), next(words, 0)
            interval = (high << 16 | low) - (high >> 15 << 32)  # signed
        sample += interval
        if code != SKIP and word != 1:  # the database's first word after the head, which has no meaning
            marks.append(code)
            bounds.append(seconds(f"{sample / float(head[3]):.6f}"))
    pairs = list(zip(bounds[::2], bounds[1::2], strict=False))
    in_order = None not in bounds and bounds == sorted(bounds) and all(start < end for start, end in pairs)
    if marks != [START, END] * len(pairs) or not in_order:
        raise RecordingError(
            f"{name} has the marks {quoted(str(marks))} at {quoted(str(bounds))} s; wanted are {START} and {END}, each "
            "seizure's start and end, in order of time, from 0 s on."
        )
    return _unite(pairs)


def check_agreement(summary, file, listed, path):
    """Raise RecordingError if a summary's seizures of a recording are not those of its ``.seizures`` file, to 1 s."""
    found = read_seizures(path)
    if len(listed) != len(found) or (listed and np.abs(np.subtract(listed, found)).max() > RESOLUTION_S):
        raise RecordingError(
            f"{summary} and {path.name} disagree on {file}: seizures at {listed} s in the one, at {found} s in the "
            "other. Find out which is right, and correct or remove the other."
        )


def read_events(path):
    """Read a BIDS ``*_events.tsv`` in SzCORE's form.

    The columns are ``onset`` and ``duration`` in seconds, ``eventType`` (or BIDS's ``trial_type``), and where known
    ``dateTime`` and ``recordingDuration``. HED-SCORE's ``sz`` and all that begin with ``sz_`` are seizures, ``bckg``
    is background, ``impd`` a check of impedances; any other type is refused, as it may be a seizure. So is a file
    without a row: a recording without seizures has a ``bckg`` row. Rows of one seizure, a channel each, are united.
    Sources: https://epilepsybenchmarks.com/framework/, https://github.com/biomedepi/seizeit2 (``impd``).

    Returns
    -------
    dict
        ``seizures``, a list of (start_s, end_s) in order, no two touching; ``start``, the clock of ``dateTime``, or
        ""; ``duration_s``, the ``recordingDuration``, or None.

    Raises
    ------
    RecordingError
        If the file is no such table, or a seizure has no onset or duration; names the file and the line.
    """
    name, seizures, starts, durations = Path(path).name, [], set(), set()
    needed = {"onset": ("onset",), "duration": ("duration",), "eventType": ("eventtype", "trial_type")}
    rows = _read_table(path, needed)
    if not rows:
        raise RecordingError(f"{name} has no row. A recording without seizures has one of type bckg over all of it.")
    for number, row in rows:
        try:
            seizures += _seizure_of(row)
            starts |= _known(row, "dateTime", datetime.fromisoformat)
            durations |= _known(row, "recordingDuration", seconds)
        except RecordingError as error:
            raise RecordingError(f"{name}, line {number}: {error}") from None
    if len(starts) > 1 or len(durations) > 1:
        raise RecordingError(f"{name}: a row's dateTime or recordingDuration differs from another's. Correct them.")
    # The clock alone, as in CHB-MIT's summaries: a date says more about a person than a study needs.
    start = "".join(f"{begun:%H:%M:%S}" for begun in starts)
    return {"seizures": _unite(seizures), "start": start, "duration_s": next(iter(durations), None)}


def read_channels(path):
    """Read a BIDS ``*_channels.tsv``: {label in capitals: {column in lower case: cell}}."""
    return {row["name"].upper(): row for _, row in _read_table(path, {"name": ("name",)})}


def _read_table(path, needed):
    """Return a TSV file's rows as (line number, {column in lower case: cell}), its shape and columns checked.

    `needed` are {name: the names that a column may have}.
    """
    name = Path(path).name
    rows = [(i, [cell.strip() for cell in line.split("\t")]) for i, line in enumerate(read_lines(path), 1) if line]
    header = [cell.casefold() for cell in rows[0][1]] if rows else []
    if not all(set(names) & set(header) for names in needed.values()) or len(set(header)) != len(header):
        found = f"{name} has the columns {quoted(str(header))}"
        raise RecordingError(f"{found}; it needs {', '.join(needed)}, each name once.")
    for number, cells in rows:
        if len(cells) != len(header):
            raise RecordingError(f"{name}, line {number}: {len(cells)} cells, wanted {len(header)} as in the header.")
    return [(number, dict(zip(header, cells, strict=True))) for number, cells in rows[1:]]


def _seizure_of(row):
    """Return a list of the row's seizure, (start_s, end_s), empty if its type is none."""
    kind = row.get("eventtype", row.get("trial_type")).casefold()
    if kind in NO_SEIZURE:
        return []
    if kind != "sz" and not kind.startswith("sz_"):
        raise RecordingError(
            f"the event type is {quoted(kind)}, and nobody can say whether that is a seizure. Write sz or a type of "
            f"HED-SCORE that begins with sz_ if it is, {' or '.join(NO_SEIZURE)} if not."
        )
    onset, duration = seconds(row["onset"]), seconds(row["duration"])
    if onset is None or not duration:
        found = f"onset {quoted(row['onset'])} and duration {quoted(row['duration'])}"
        raise RecordingError(f"a seizure has {found}; wanted are seconds, from 0 and above 0.")
    return [(onset, rounded(onset + duration))]


def _known(row, column, read):
    """Return a set of the value in a row's cell, empty if it is not known."""
    text, value = row.get(column.casefold(), "n/a"), None
    with suppress(ValueError):
        value = read(text)
    if not value and text.casefold() not in ("", "n/a"):
        raise RecordingError(f"{column} is {quoted(text)}; wanted is 2016-11-06 13:43:04 or 3600.00 (s), or n/a.")
    return {value} - {None}


def _unite(seizures):
    """Unite seizures that overlap or touch."""
    united = []
    for start, end in sorted(seizures):
        if united and start <= united[-1][1]:
            start, end = united[-1][0], max(end, united.pop()[1])
        united.append((start, end))
    return united


def resolution_s(time_s):
    """Return the resolution of a time as it was written: 1 for whole seconds, 0.01 for 60.38."""
    _, point, decimals = f"{time_s:.6f}".rstrip("0").partition(".")
    return 10.0 ** -len(decimals) if point else 1.0


def seconds(text):
    """Return a plain decimal number, int where whole, else float; None for all else (signs, exponents, NaN, words)."""
    return rounded(float(text)) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,20})?", text) else None


def rounded(time_s):
    """Round to a microsecond, so that 0.1 + 0.2 is 0.3; int where whole."""
    time_s = round(float(time_s), 6)
    return int(time_s) if time_s.is_integer() else time_s


def quoted(text):
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
            found = f"{name}, line {number}: {quoted(line)} is no line of an annotation file"
            raise RecordingError(f"{found}: it has a control character, or more than {MAX_LINE} characters.")
    return lines


def read_bytes(path):
    """Return the bytes of an annotation file, of a size that one can have."""
    with files.open_regular(path) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise RecordingError(f"{Path(path).name} has more than {MAX_BYTES} bytes: that is no annotation file.")
    return data
