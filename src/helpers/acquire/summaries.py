"""CHB-MIT's summary files: the recordings of a patient, their channels and their seizures.

A seizure lost without a word is the worst fault here, so what could be a seizure and is not understood is refused.
Times are seconds from the recording's first sample, as `annotation_files.seconds` gives them.
"""

import difflib
import re
from pathlib import Path

from helpers.acquire.annotation_files import read_lines, seconds, shown
from helpers.study.errors import RecordingError

KEYS = (
    *("file name", "file start time", "file end time", "number of seizures in file"),
    *("seizure start time", "seizure end time", "seizure", "channels in edf files", "channels changed", "channel"),
)
NUMBERED_SECONDS = re.compile(r"(\S+?)\s*(?:s|secs?|seconds?)\.?", re.IGNORECASE)
CLOCK = re.compile(r"[0-9]{1,3}:[0-5][0-9]:[0-5][0-9](\.[0-9]+)?")  # hours of 24 and more run on into the next day


def read_summary(path):
    """Read a CHB-MIT summary file.

    Upper and lower case, blanks, tabs, line ends, a byte-order mark, "s" or "sec" for "seconds" and fractions of a
    second may be as they come. Free text is passed over unless it could be meant as one of the summary's own lines
    (a key nearly right, seizures beside a figure or colon, a number of seconds); "#" in front makes a line a remark.

    Parameters
    ----------
    path : Path
        A ``<patient>-summary.txt``, UTF-8.

    Returns
    -------
    list of dict
        One a recording, in the file's order: ``file``; ``start`` and ``end``, the clock as written, or "";
        ``channels``, the labels of the last channel block above, in order, dummies ("-") included; ``seizures``, a
        list of (start, end) in seconds, in order and without overlap.

    Raises
    ------
    RecordingError
        If the file cannot be read, a line is not understood, the announced number of seizures differs from those
        listed, or what is listed cannot be; the message names the file, the line, what was found and what is wanted.
    """
    name, found, labels = Path(path).name, {}, []
    for number, line in enumerate(read_lines(path), 1):
        try:
            _take_line(number, line, found, labels)
        except RecordingError as error:
            raise RecordingError(f"{name}, line {number}: {error}") from None
    if not found:
        raise RecordingError(f"{name} lists no recording: it needs lines 'File Name: <recording>.edf'.")
    return [_finish(recording, name) for recording in found.values()]


def _take_line(number, line, found, labels):
    """Add what a summary's line says to `found`, {file: recording}, or to the channel `labels`."""
    key, colon, value = line.partition(":")
    key, value = " ".join(key.casefold().split()), value.strip()
    bound = re.fullmatch(r"seizure(?: ?([0-9]+))? (start|end) time", key)
    channel = re.fullmatch(r"channel ?([0-9]{1,4})", key)
    if line.lstrip().startswith("#"):
        return
    if colon and key == "file name":
        _add_recording(number, value, found, labels)
    elif colon and channel:
        _add_channel(int(channel[1]), value, labels)
    elif colon and key in ("channels in edf files", "channels changed"):
        labels.clear()
    elif colon and (bound or key in ("file start time", "file end time", "number of seizures in file")):
        if not found:
            raise RecordingError(f"{shown(line)} stands above every 'File Name: <recording>.edf'.")
        recording = next(reversed(found.values()))
        if bound:
            _add_bound(bound, value, line, recording)
        else:
            _add_value(key, value, line, recording)
    elif not colon or key != "data sampling rate":
        _check_remark(line, key)


def _add_recording(number, file, found, labels):
    if not re.fullmatch(r"[^/\\]+\.edf", file, re.IGNORECASE) or not file.isprintable() or len(file) > 200:
        raise RecordingError(f"File Name is {shown(file)}; it must be the plain name of an .edf file in this folder.")
    if ".." in file or re.match("[a-z]:", file, re.IGNORECASE):
        raise RecordingError(f"File Name is {shown(file)}, which leads out of this folder.")
    if file.casefold() in found:
        raise RecordingError(f"the summary lists {file} more than once. Leave one entry a recording.")
    found[file.casefold()] = {"file": file, "line": number, "channels": tuple(labels), "starts": [], "ends": []}


def _add_channel(number, label, labels):
    if number != len(labels) + 1 or not label:
        raise RecordingError(
            f"found Channel {number}: {shown(label)}; Channel {len(labels) + 1} and its label is next."
        )
    labels.append(label)


def _add_value(key, value, line, recording):
    """Take a recording's clock or its announced number of seizures."""
    if key in recording:
        raise RecordingError(f"{shown(line)} comes a second time for {recording['file']}. Is a 'File Name:' missing?")
    if key.endswith("time") and value and not CLOCK.fullmatch(value):
        raise RecordingError(f"{shown(line)} is no time of day like 13:43:04. Correct it, or leave it empty.")
    if key.startswith("number") and not re.fullmatch("[0-9]{1,4}", value):
        raise RecordingError(f"{shown(line)} is no whole number, as in 'Number of Seizures in File: 1'.")
    recording[key] = value


def _add_bound(bound, value, line, recording):
    """Take a seizure's start or end. A start's number must fit; an end's need not: CHB-MIT's chb09_08 has one wrong."""
    written = NUMBERED_SECONDS.fullmatch(value)
    time_s = seconds(written[1]) if written else None
    file, starts, ends = recording["file"], recording["starts"], recording["ends"]
    if time_s is None:
        raise RecordingError(f"{shown(line)} is not '<number> seconds', as in 'Seizure Start Time: 2996 seconds'.")
    if (bound[2] == "start") != (len(starts) == len(ends)):
        raise RecordingError(f"{shown(line)}: each seizure of {file} needs a start, then its end.")
    if bound[2] == "start" and bound[1] and int(bound[1]) != len(starts) + 1:
        raise RecordingError(f"{shown(line)} should be seizure {len(starts) + 1} of {file}. Is one missing?")
    if bound[2] == "start" and ends and time_s < ends[-1]:
        raise RecordingError(f"{shown(line)}: {file} has a seizure until {ends[-1]} s above. List them in order.")
    if bound[2] == "end" and time_s <= starts[-1]:
        raise RecordingError(f"{file} has a seizure from {starts[-1]} s to {time_s} s: it must end after its start.")
    (starts if bound[2] == "start" else ends).append(time_s)


def _check_remark(line, key):
    """Refuse a line of no known form that could be meant as one: a slip of the pen must not lose a seizure."""
    words = set(re.findall(r"[^\W\d_]+", line.casefold()))
    about = words & {"sz", "ictal", "onset"} or any(
        difflib.get_close_matches(word, ["seizure", "seizures"], cutoff=0.75) for word in words
    )
    near = difflib.get_close_matches(" ".join(re.sub("[0-9]", " ", key).split()), KEYS, cutoff=0.8)
    timed = re.search(r"[:=]\s*[0-9][0-9.,]*\s*s(ec|ecs|econd|econds)?\.?\s*$", line, re.IGNORECASE)
    if near or timed or (about and re.search("[0-9:=]", line)):
        raise RecordingError(
            f"{shown(line)} is not understood. A seizure is written 'Seizure Start Time: 2996 seconds' and 'Seizure "
            "End Time: 3036 seconds', their number 'Number of Seizures in File: 1'. Correct it, or put # before it."
        )


def _finish(recording, name):
    """Compare a recording's seizures with their announced number, and return it as `read_summary` does."""
    announced = recording.get("number of seizures in file")
    starts, ends = recording["starts"], recording["ends"]
    if announced is None or {int(announced)} != {len(starts), len(ends)}:
        raise RecordingError(
            f"{name}, line {recording['line']}: {recording['file']} announces {announced or 'no number of'} seizures "
            f"and lists {len(starts)} starts and {len(ends)} ends. Correct 'Number of Seizures in File' or the list."
        )
    return {
        "file": recording["file"],
        "start": recording.get("file start time", ""),
        "end": recording.get("file end time", ""),
        "channels": recording["channels"],
        "seizures": list(zip(starts, ends, strict=True)),
    }
