"""Montages: the 18 bipolar channels of the study, found among the labels of a recording."""

import re

from helpers.study.errors import UnusableRecording

# The longitudinal bipolar montage ("double banana"), in CHB-MIT's order.
DOUBLE_BANANA = (
    *("FP1-F7", "F7-T7", "T7-P7", "P7-O1", "FP1-F3", "F3-C3", "C3-P3", "P3-O1"),
    *("FP2-F4", "F4-C4", "C4-P4", "P4-O2", "FP2-F8", "F8-T8", "T8-P8", "P8-O2"),
    *("FZ-CZ", "CZ-PZ"),
)
PAIRS = tuple(tuple(channel.split("-")) for channel in DOUBLE_BANANA)
ELECTRODES = frozenset(electrode for pair in PAIRS for electrode in pair)

# The 10-20 system's old names (Klem et al. 1999), and zero for the letter O: chb12 has an electrode "01", and there is
# no other that it could be.
ALIASES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8", "01": "O1", "02": "O2"}

LEAVE_OUT = (
    "leave the recording out of the folder and its summary, or set `unusable: leave out` in params/acquire.yaml: the "
    "study then goes on without it, and says so."
)


def find(labels, file):
    """Find each channel of the double banana among a recording's labels.

    In this order: the channel under its own name; under its name reversed, to be negated; or as two electrodes against
    the same reference, whose difference it is exactly. Bare electrode names ("F7") share one reference without a name.
    Electrodes are never paired across references; where several references would do, the one that gives most channels
    does. Case, blanks, the prefixes "EEG" and "POL", the old names T3 to T6 and the number that MNE gives to a doubled
    name ("T8-P8-0") do not matter. Of a channel's two labels the first is taken: CHB-MIT has the same T8-P8 twice, and
    `quality.examine` tells where two differ. That one reference's name stands for several signals (a local average, a
    Laplacian) cannot be seen here.

    Returns 18 (plus, minus), indices into `labels` of the signal to take and of the one to subtract: (i, None) is a
    channel under its own name, (None, i) one under its name reversed, (i, j) two electrodes against one reference.
    UnusableRecording if a channel can be had in none of these ways; the message lists the labels that `file` has.
    """
    named, against = {}, {}
    for index, label in enumerate(labels):
        first, second = name = parts(label)
        named.setdefault(name, index)
        if first in ELECTRODES and second is not None:
            against.setdefault(second, {}).setdefault(first, index)
    sets = sorted(against.values(), key=lambda electrodes: -sum(electrodes.keys() >= set(pair) for pair in PAIRS))
    found = [_channel(pair, named, sets) for pair in PAIRS]
    if missing := [name for name, channel in zip(DOUBLE_BANANA, found, strict=True) if channel is None]:
        raise UnusableRecording(
            f"{file} lacks {', '.join(missing)} of the 18 channels of the double banana, by name and as two electrodes "
            f"against one reference; it has: {', '.join(labels)}. Rename the channels in the file, {LEAVE_OUT}"
        )
    return found


def parts(label):
    """Return (first, second) of a label in today's names: second is "" in a bare label, None in no pair at all."""
    text = re.sub(r"^(EEG|POL) ", "", " ".join(label.replace("\0", " ").upper().split()))
    first, *rest = (ALIASES.get(part, part) for part in text.replace(" ", "").split("-"))
    if len(rest) == 2 and re.fullmatch("[0-9]", rest[1]):
        rest.pop()
    if not rest:
        return first, ""
    return first, (rest[0] or None) if len(rest) == 1 else None


def _channel(pair, named, sets):
    """Return the (plus, minus) of a channel, or None; `sets` are {electrode: index} of each reference."""
    plus, minus = pair
    if pair in named:
        return named[pair], None
    if (minus, plus) in named:
        return None, named[minus, plus]
    return next(((one[plus], one[minus]) for one in sets if plus in one and minus in one), None)


def describe(found, labels):
    """Say in a few words how the channels of `find` were had, for the study's account of its data."""
    derived = [plus for plus, minus in found if plus is not None and minus is not None]
    references = dict.fromkeys(parts(labels[plus])[1] or "one unnamed reference" for plus in derived)
    ways = {
        "by name": sum(minus is None for _, minus in found),
        "by name reversed, negated": sum(plus is None for plus, _ in found),
        f"derived from electrodes against {' and '.join(references)}": len(derived),
    }
    ways = {way: count for way, count in ways.items() if count}
    return next(iter(ways)) if len(ways) == 1 else ", ".join(f"{count} {way}" for way, count in ways.items())
