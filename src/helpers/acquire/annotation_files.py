"""Annotation files: CHB-MIT's summaries, and the events of BIDS.

A seizure lost without a word is the worst fault here, so what could be a seizure and is not understood is refused.
Times are seconds from the recording's first sample: int where whole, else float, rounded to a microsecond. Seizures are
a list of (start_s, end_s), in order, no two touching. Each reader raises RecordingError with the file and the line.
"""

import re
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from helpers.study import files
from helpers.study.errors import RecordingError

MAX_BYTES = 1_000_000  # the longest real summary has 7 kB
RESOLUTION_S = 1  # of a summary, which counts in whole seconds
NO_SEIZURE = ("bckg", "impd")

ANNOUNCED = "number of seizures in file"
CLOCK = r"([0-9]{1,3}:[0-5][0-9]:[0-5][0-9](\.[0-9]+)?)?"  # hours of 24 and more run on into the next day
VALUES = {"file start time": CLOCK, ANNOUNCED: "[0-9]{1,4}"}  # of a summary's recording
IGNORED = re.compile(r"data sampling rate|channels in edf files|channels changed|channel ?[0-9]+|file end time")
BOUND = re.compile(r"seizure(?: ?[0-9]+)? (start|end) time")  # its number may be wrong: see an end of chb09_08
SECONDS = re.compile(r"(\S+?)\s*s(?:ec(?:ond)?s?)?\.?", re.IGNORECASE)


def read_summary(path):
    """Read a CHB-MIT summary, ``<patient>-summary.txt``, UTF-8.

    Case, blanks, line ends, a byte-order mark, "s" or "sec" for "seconds" and fractions of a second are free. A line
    of no known form may hold neither a digit nor ":" nor "=", as it could be meant as one; "#" comments it out.

    Returns a list of dict, one a recording, in the file's order: ``file``; ``seizures``; ``start``, the clock as
    written, or "".
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
        bounds, announced = entry["bounds"], entry.get(ANNOUNCED)
        if announced is None or len(bounds) != 2 * int(announced):
            raise RecordingError(
                f"{name}, line {entry['line']}: {file} announces {announced or 'no number of'} seizures and lists "
                f"{len(bounds)} starts and ends. Correct 'Number of Seizures in File' or the list."
            )
        entry["seizures"] = _unite(zip(bounds[::2], bounds[1::2], strict=True))
    return [
        {"file": file, "seizures": entry["seizures"], "start": entry.get("file start time", "")}
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
        if not re.fullmatch(r"[^/\\:]+\.edf", value, re.IGNORECASE):
            raise RecordingError(f"{quoted(line)} must be the plain name of an .edf file in this folder.")
        if value.casefold() in map(str.casefold, entries):
            raise RecordingError(f"the summary lists {quoted(value)} more than once. Leave one entry a recording.")
        entries[value] = {"line": number, "bounds": []}
    elif entry is None:
        raise RecordingError(f"{quoted(line)} stands above every 'File Name: <recording>.edf'.")
    elif bound:
        _add_bound(entry["bounds"], bound[1] == "start", value, line)
    elif key in entry or not re.fullmatch(VALUES[key], value):
        raise RecordingError(
            f"{quoted(line)} is not understood, or comes a second time for a recording: a time of day is 13:43:04, a "
            "number of seizures 1. Is a 'File Name:' missing?"
        )
    else:
        entry[key] = value


def _add_bound(bounds, starts, value, line):
    """Add a seizure's start or end, which alternate in `bounds`."""
    written = SECONDS.fullmatch(value)
    time_s = seconds(written[1]) if written else None
    if time_s is None:
        raise RecordingError(f"{quoted(line)} is not '<number> seconds', as in 'Seizure Start Time: 2996 seconds'.")
    before_s = bounds[-1] if bounds else 0
    if starts != (len(bounds) % 2 == 0) or time_s < before_s or (time_s == before_s and not starts):
        raise RecordingError(
            f"{quoted(line)} is out of place: each seizure needs a start, then a later end, and begins no earlier than "
            "the one before it ends."
        )
    bounds.append(time_s)


def read_events(path):
    """Read a BIDS ``*_events.tsv`` in SzCORE's form: ``seizures``; ``start``, the clock of ``dateTime``, or "";
    ``duration_s``, the ``recordingDuration``, or None.

    The columns are ``onset`` and ``duration`` in seconds, ``eventType`` (or BIDS's ``trial_type``), and where known
    ``dateTime`` and ``recordingDuration``. HED-SCORE's ``sz`` and all that begin with ``sz_`` are seizures, ``bckg``
    is background, ``impd`` a check of impedances; any other type is refused, as it may be a seizure. So is a file
    without a row: a recording without seizures has a ``bckg`` row. Rows of one seizure, a channel each, are united.
    Sources: https://epilepsybenchmarks.com/framework/, https://github.com/biomedepi/seizeit2 (``impd``).
    """
    name, seizures, starts, durations = Path(path).name, [], set(), set()
    rows = _read_table(path, {"onset": ("onset",), "duration": ("duration",), "eventType": ("eventtype", "trial_type")})
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
    onset, duration = seconds(row["onset"]), seconds(row["duration"])
    if not re.fullmatch("sz(_.*)?", kind) or onset is None or not duration:
        found = f"event type {quoted(kind)}, onset {quoted(row['onset'])}, duration {quoted(row['duration'])}"
        raise RecordingError(
            f"nobody can say whether and when this is a seizure: {found}. Write sz or a type of HED-SCORE that begins "
            f"with sz_, and seconds from 0 and above 0; or {' or '.join(NO_SEIZURE)} if it is none."
        )
    return [(onset, rounded(onset + duration))]


def _known(row, column, read):
    """Return a set of the value in a row's cell, empty if it is not known."""
    text = row.get(column.casefold(), "n/a")
    if text.casefold() in ("", "n/a"):
        return set()
    with suppress(ValueError):
        if value := read(text):
            return {value}
    raise RecordingError(f"{column} is {quoted(text)}; wanted is 2016-11-06 13:43:04 or 3600.00 (s), or n/a.")


def _unite(seizures):
    """Unite seizures that overlap or touch."""
    united = []
    for start, end in sorted(seizures):
        if united and start <= united[-1][1]:
            start, end = united[-1][0], max(end, united.pop()[1])
        united.append((start, end))
    return united


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
    """Return the lines of a UTF-8 text file, whatever its line ends, of a size that an annotation can have."""
    name = Path(path).name
    with files.open_regular(path) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise RecordingError(f"{name} has more than {MAX_BYTES} bytes: that is no annotation file.")
    lines = re.split("\r\n|\r|\n", data.decode("utf-8-sig", "surrogateescape"))
    for number, line in enumerate(lines, 1):
        # A control character may stand where a digit was, and blanks are stripped: 299\x1c is not 299.
        if re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", line):
            raise RecordingError(
                f"{name}, line {number}: {quoted(line)} is no line of an annotation file: it is no UTF-8, or has a "
                "control character. Save it as UTF-8 text."
            )
    return lines
