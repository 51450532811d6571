"""What is wrong, or doubtful, with recordings and their annotations, seen together.

A fault is (file, RecordingError); `good` is a list of (entry of `layouts.entries`, `quality.Examined`).
"""

import re
from collections import Counter

from helpers.acquire import edf, montages, quality
from helpers.acquire.annotation_files import RESOLUTION_S
from helpers.study.errors import RecordingError, UnusableRecording

CLOCKS_S = 60  # apart, and two clocks disagree
DAY_S = 86_400


def times(entry, header):
    """Raise RecordingError if the annotation is of another length, or a seizure lies beyond the recording's end.

    What ends later by a summary's resolution ends with the recording.
    """
    file, end_s = entry["file"], header.duration_s
    annotated_s = entry["duration_s"] or end_s
    beyond = [
        f"{start:g} s to {end:g} s" for start, end in entry["seizures"] if end > end_s + RESOLUTION_S or start >= end_s
    ]
    if abs(annotated_s - end_s) > RESOLUTION_S or beyond:
        found = f"has a seizure from {beyond[0]}" if beyond else f"is of a recording of {annotated_s:g} s"
        raise RecordingError(
            f"{file} lasts {end_s:g} s, and {entry['annotation']} {found}. Find out whether they belong together, and "
            "correct or replace one."
        )
    entry["seizures"] = [(start, min(end, end_s)) for start, end in entry["seizures"]]


def uses(good, shortest_s):
    """Return the faults of recordings that have another sampling rate than most, or are shorter than `shortest_s`."""
    faults = []
    common_hz = Counter(found.header.sampling_hz for _, found in good).most_common(1)[0][0] if good else 0
    for entry, found in good:
        own_hz, lasts_s = found.header.sampling_hz, found.header.duration_s
        if own_hz != common_hz:
            faults.append((entry, f"has {own_hz:g} Hz, most recordings of the folder {common_hz:g} Hz. Resample it"))
        elif lasts_s < shortest_s:
            do = "Set a shorter frame_s in the patient's file"
            faults.append((entry, f"lasts {lasts_s:g} s, less than three frames, {shortest_s:g} s. {do}"))
    return [_unusable(entry["file"], f"{found}, {montages.LEAVE_OUT}") for entry, found in faults]


def _unusable(file, found):
    return file, UnusableRecording(f"{file} {found}")


def names(entries):
    """Return the faults of names: shared by two recordings, or taken for something else where they are shown."""
    files, faults = {}, []
    for entry in entries:
        name, file = entry["recording"], entry["file"]
        # a formula to a spreadsheet that opens our tables; mathematics to Matplotlib; a line's end to anything
        if odd := [text for text in (name, file) if re.match(r"[=+@-]|.*\$", text) or not text.isprintable()]:
            faults.append((file, f"{odd[0]!r} begins with one of = + - @, or holds $ or a control character"))
        if name in files:
            faults.append((file, f"{file} is named '{name}', as {files[name]} is"))
        files[name] = file
    return [(file, RecordingError(f"{found}. Rename it, in its annotation too.")) for file, found in faults]


def people(good):
    """Return the fault of a folder with recordings of several people, by their headers or by names like the database's.

    No name is repeated: a message is shown and kept.
    """
    people = {"their headers": {}, "their names": {}}
    for entry, found in good:
        # "X X X X" and the like are nobody
        words = " ".join(word for word in found.header.patient.casefold().split() if word.strip("x-_.,"))
        prefix = re.match(r"([a-z]+\d+)[a-z]?_\d", entry["recording"].casefold())  # chb17a_03 and chb17b_57 are one's
        people["their headers"].setdefault(words, entry["file"])
        people["their names"].setdefault(prefix and prefix[1], entry["file"])
    people["their headers"].pop("", None)
    for place, files in people.items():
        if len(files) > 1 and None not in files:
            some = sorted(files.values())
            found = f"{some[0]} and {len(some) - 1} more are of {len(some)} people by {place}: {', '.join(some)}"
            do = "A study is of one patient: move the others elsewhere, or name them alike if it is one person."
            return [(some[0], RecordingError(f"{found}. {do}"))]
    return []


def identity(good):
    """Return a fault for each recording that holds EEG which one before it holds too, whatever its name and header."""
    shared = quality.find_shared({entry["file"]: found for entry, found in good}) if good else []
    do = f"what is trained on must not be tested on. Remove it: {montages.LEAVE_OUT}"
    return [
        _unusable(later, f"at {later_s:.1f} s holds the same EEG as {earlier} at {earlier_s:.1f} s: {do}")
        for earlier, later, earlier_s, later_s in shared
    ]


def doubts(usable):
    """Return the warnings of clocks, and of what BIDS says of channels: (recording, channel, what, value)."""
    rows, ahead = [], None
    for entry, found in usable:
        name, header, lasts_s = entry["recording"], found.header, found.header.duration_s
        start_s, end_s, own_s = (_of_day(clock) for clock in (entry["start"], entry["end"], header.clock))
        if _apart(start_s, own_s) > CLOCKS_S:
            rows.append((name, "", "clock", f"{entry['start']} in its annotation, {header.clock} in its header"))
        if start_s is not None and _apart(start_s + lasts_s, end_s) > CLOCKS_S:
            rows.append((name, "", "clock", f"{entry['start']} to {entry['end']}, and it lasts {lasts_s:g} s"))
        if None not in (start_s, ahead) and CLOCKS_S < (ahead[1] - start_s) % DAY_S <= ahead[1] - ahead[0]:
            rows.append((name, "", "clock", f"begins at {entry['start']}, before the one ahead of it ends"))
        ahead = None if start_s is None else (start_s, start_s + lasts_s)
        signals = {header.labels[index].upper(): header.signals[index] for index in header.used}
        for label in signals.keys() & entry["channels"].keys():
            status, unit = (entry["channels"][label].get(key, "") for key in ("status", "units"))
            if status.casefold() == "bad":
                rows.append((name, label, "status", "bad in channels.tsv, and used"))
            if unit in edf.UNITS and edf.UNITS[unit] != edf.UNITS[signals[label].unit]:
                rows.append((name, label, "unit", f"{unit} in channels.tsv, {signals[label].unit} in its header, used"))
    return rows


def _of_day(clock):
    """Return a clock, 13:43:04 or 13.43.04, in seconds; None if it is none, or midnight, which stands for none."""
    parts = re.fullmatch(r"(\d{1,3})[:.]([0-5]\d)[:.]([0-5]\d)(?:\.\d+)?", clock)
    return (int(parts[1]) * 3600 + int(parts[2]) * 60 + int(parts[3]) or None) if parts else None


def _apart(one_s, other_s):
    """Return how far two clocks are apart in seconds, whatever the day; 0 if one is not known."""
    return 0 if None in (one_s, other_s) else abs((one_s - other_s + DAY_S / 2) % DAY_S - DAY_S / 2)
