"""What is wrong, or doubtful, with recordings and their annotations, seen together.

A fault is (file, RecordingError); `good` is a list of (entry of `layouts.entries`, `quality.Examined`).
"""

import re
from collections import Counter

from helpers.acquire import montages
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
        own_hz, lasts_s, wrong = found.header.sampling_hz, found.header.duration_s, None
        if own_hz != common_hz:
            wrong = f"has {own_hz:g} Hz, most recordings {common_hz:g} Hz. Resample it"
        elif lasts_s < shortest_s:
            wrong = f"lasts {lasts_s:g} s, less than three frames, {shortest_s:g} s. Set a shorter frame_s in the "
            wrong += "patient's file"
        if wrong:
            faults.append((entry["file"], UnusableRecording(f"{entry['file']} {wrong}, {montages.LEAVE_OUT}")))
    return faults


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
    """Return the faults of a patient with recordings of several people, or of one with two patients, by their headers.

    No name is repeated: a message is shown and kept.
    """
    found, first, faults = {}, {}, []  # patient → person → first file; person → first file
    for entry, examined in good:
        # "X X X X" and the like are nobody
        words = " ".join(word for word in examined.header.patient.casefold().split() if word.strip("x-_.,"))
        if words:
            found.setdefault(entry.get("patient"), {}).setdefault(words, entry["file"])
    for persons in found.values():
        some = sorted(persons.values())
        if len(some) > 1:
            told = f"{some[0]} and {len(some) - 1} more are of {len(some)} people by their headers: {', '.join(some)}"
            do = "A patient is one person: move the others elsewhere, or name them alike if it is one person."
            faults.append((some[0], RecordingError(f"{told}. {do}")))
        for words, file in persons.items():
            earlier = first.setdefault(words, file)
            if earlier != file and any(len(word) > 1 for word in words.split()):  # a sex alone is nobody
                told = f"{file} is of the same person as {earlier} by its header, but of another pooled patient"
                do = "Declare both as one patient, or correct the header."
                faults.append((file, RecordingError(f"{told}: who is held out must not be trained on. {do}")))
    return faults


def identity(good):
    """Return a fault for each recording that holds EEG which one before it holds too, whatever its name and header."""
    first, shared = {}, {}
    for entry, found in good:
        file = entry["file"]
        for digest, start in found.seconds.T.tolist():
            start_s = start / found.header.sampling_hz
            earlier, earlier_s = first.setdefault(digest, (file, start_s))
            if earlier != file:
                same = f"{file} at {start_s:.1f} s holds the same EEG as {earlier} at {earlier_s:.1f} s"
                shared.setdefault((file, earlier), same)
    do = f"what is trained on must not be tested on. Remove it: {montages.LEAVE_OUT}"
    return [(file, UnusableRecording(f"{same}: {do}")) for (file, _), same in shared.items()]


def doubts(usable):
    """Return the warnings of clocks, and of channels that BIDS calls bad: (recording, channel, what, value)."""
    rows = []
    for entry, found in usable:
        name, header = entry["recording"], found.header
        start_s, own_s = _of_day(entry["start"]), _of_day(header.clock)
        # the day is not known, so that 23:59 and 0:01 are two minutes apart
        if None not in (start_s, own_s) and CLOCKS_S < (start_s - own_s) % DAY_S < DAY_S - CLOCKS_S:
            rows.append((name, "", "clock", f"{entry['start']} in its annotation, {header.clock} in its header"))
        labels = sorted({header.labels[index].upper() for index in header.used} & entry["channels"].keys())
        bad = [label for label in labels if entry["channels"][label].get("status", "").casefold() == "bad"]
        rows += [(name, label, "status", "bad in channels.tsv, and used") for label in bad]
    return rows


def _of_day(clock):
    """Return a clock, 13:43:04 or 13.43.04, in seconds; None if it is none, or midnight, which stands for none."""
    parts = re.fullmatch(r"(\d{1,3})[:.]([0-5]\d)[:.]([0-5]\d)(?:\.\d+)?", clock)
    return (int(parts[1]) * 3600 + int(parts[2]) * 60 + int(parts[3]) or None) if parts else None
