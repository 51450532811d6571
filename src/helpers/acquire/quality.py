"""What a recording holds, found by reading all of it once: dead channels, levels, mains, EEG that another has too."""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import scipy.fft

from helpers.acquire import edf, montages
from helpers.acquire.montages import DOUBLE_BANANA
from helpers.study.errors import UnusableRecording

BLOCK_S = 60  # read at a time
FLAT_UV = 0.1  # from the lowest to the highest sample of a second: less than an amplifier's own noise
CLIPPED_SHARE = 0.05  # of a second's samples at the converter's limits
MAINS_HZ, MAINS_SHARE = (50, 60), 0.9  # of a second's power
WARNED_SHARE = 0.02  # of a recording's seconds
USUAL_UV = (1, 1000)  # standard deviation of a second of scalp EEG, with room to spare
LEVEL_FACTOR = 10  # between recordings, or channels, of one patient
DEAD_SHARE = 0.99
BITS = 1 << np.arange(18, dtype=np.uint32)  # of the channels
WAYS = ("flat", "clipped", "mains alone")

# A second's identity is which channels rise at each sample: neither another header's scale nor its names change it.
START, BASE, MIXER = 8, 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93  # samples that choose where a second begins; odd numbers


@dataclass(frozen=True)
class Examined:
    """What reading a recording found."""

    header: edf.Header
    shares: np.ndarray  # of seconds that are flat, clipped, mains alone: [3, 18]
    level_uv: np.ndarray  # median over seconds of their standard deviation, [18]
    mains_db: np.ndarray  # how far each of `MAINS_HZ` stands out of its neighbours
    doubled: tuple  # labels in use that the file has twice, with different signals
    equal: tuple  # sets of channels with one and the same signal
    seconds: np.ndarray  # of each second that was chosen: its digest, and when it begins in samples, uint64 [2, …]


def examine(path):
    """Open an EDF file and read all of it: `Examined`.

    Raises RecordingError as `edf.open_edf`, `edf.check_times` and `edf.read`, UnusableRecording if the channels hold
    nothing to learn from.
    """
    recording = edf.open_edf(path)
    edf.check_times(recording)
    header, size = recording.header, round(recording.header.sampling_hz)
    twice, different = _split_doubled(header)
    digests, blocks, seconds = [blake2b() for _ in DOUBLE_BANANA], [], []
    last, codes = np.zeros((len(DOUBLE_BANANA), 1), np.float32), np.zeros(0, np.uint32)
    for start in range(0, header.samples, BLOCK_S * size):
        stop = min(start + BLOCK_S * size, header.samples)
        digital = edf.read_digital(recording, start, stop, header.used)
        eeg = edf.derive(header, digital)
        for index, later in twice:
            first, second = edf.read_digital(recording, start, stop, (index, later))
            different |= set() if np.array_equal(first, second) else {header.labels[index]}
        for digest, channel in zip(digests, eeg, strict=True):
            digest.update(channel)
        rises, last = np.diff(eeg, axis=1, prepend=last) > 0, eeg[:, -1:]
        carried, codes = start - len(codes), np.concatenate([codes, BITS @ rises])
        seconds.append(_choose_seconds(codes, size, carried))
        codes = codes[-(size - 1) :]
        if eeg.shape[1] >= size:
            blocks.append(_describe(header, digital, eeg, size))
    names = [digest.digest() for digest in digests]
    equal = [[one for one, other in zip(DOUBLE_BANANA, names, strict=True) if other == name] for name in set(names)]
    _check_alive(header.file, [states for states, *_ in blocks], equal)
    states, deviations, mains = (np.concatenate(part, axis=-1) for part in zip(*blocks, strict=True))
    mains_db, equal = np.median(mains, -1).mean(-1), sorted(channels for channels in equal if len(channels) > 1)
    found = np.concatenate(seconds, axis=1)
    return Examined(header, states.mean(-1), np.median(deviations, -1), mains_db, sorted(different), equal, found)


def _split_doubled(header):
    """Return the pairs of signals of one label that could be the same, and the set of labels whose cannot."""
    forms = [(signal.unit, signal.limits, signal.size) for signal in header.signals]
    twice = [pair for pair in header.doubled if forms[pair[0]] == forms[pair[1]]]
    return twice, {header.labels[index] for index, later in header.doubled if (index, later) not in twice}


def _check_alive(file, states, equal):
    """Raise UnusableRecording if nothing can be learnt from what the channels hold."""
    dead = np.concatenate(states, axis=-1).any(axis=0).all(axis=0).mean() if states else 0
    found = "less than a second" if not states else ""
    if dead >= DEAD_SHARE:
        found = f"no EEG: {dead:.0%} of its seconds are {' or '.join(WAYS)} in all {len(DOUBLE_BANANA)} channels"
    elif len(equal) == 1:
        found = f"one and the same signal in all {len(DOUBLE_BANANA)} channels"
    if found:
        raise UnusableRecording(f"{file} holds {found}. Export it anew, {montages.LEAVE_OUT}")


def _describe(header, digital, eeg, size):
    """Return what each second of a block is, of its whole seconds: `WAYS` [3, 18, second], level in µV, mains in dB."""
    whole = eeg.shape[1] // size
    eeg, digital = (part[:, : whole * size].reshape(len(part), whole, size) for part in (eeg, digital))
    limits = [(header.signals[index].low, header.signals[index].high) for index in header.used]
    at_limit = [np.isin(signal, ends).mean(-1) > CLIPPED_SHARE for signal, ends in zip(digital, limits, strict=True)]
    at_limit = dict(zip(header.used, at_limit, strict=True))
    clipped = [np.any([at_limit[index] for index in pair if index is not None], axis=0) for pair in header.montage]
    power = np.abs(scipy.fft.rfft((eeg - eeg.mean(-1, keepdims=True)) * np.hanning(size).astype(np.float32))) ** 2
    hertz = np.arange(power.shape[-1]) * header.sampling_hz / size
    total, near, beside = power.sum(-1) + 1e-9, [], []
    for mains_hz in MAINS_HZ:
        distance = np.abs(hertz - mains_hz)
        near.append(power[..., distance <= 1.5].sum(-1) if hertz[-1] > mains_hz else np.zeros_like(total))
        beside.append(power[..., (distance > 2.5) & (distance < 6.5)].mean(-1) + 1e-9)
    flat = np.ptp(eeg, axis=-1) < FLAT_UV
    alone = (np.array(near) > MAINS_SHARE * total).any(0) & ~flat
    return np.array([flat, np.array(clipped), alone]), eeg.std(-1), 10 * np.log10((np.array(near) + 1e-9) / beside / 3)


def _choose_seconds(codes, size, offset):
    """Return the digests of seconds, and when they begin, uint64 [2, …]: a start is chosen by what follows it.

    So the same EEG gives the same digests whatever comes before it, at about one sample of a second's. Seconds that
    repeat themselves, as a flat line or a sine does, could be equal by chance, and are no identity.
    """
    if len(codes) < size:
        return np.zeros((2, 0), np.uint64)
    mixed = (codes.astype(np.uint64) + np.uint64(1)) * np.uint64(MIXER)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(MIXER)
    # A polynomial of the codes, modulo 2^64; divided by the power at its start, it is the same wherever that is.
    powers = np.multiply.accumulate(np.full(len(codes), BASE, np.uint64))
    inverse = np.multiply.accumulate(np.full(len(codes), pow(BASE, -1, 1 << 64), np.uint64))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed * powers, dtype=np.uint64)])
    heads = (sums[START:] - sums[:-START]) * inverse[: len(codes) - START + 1]
    starts = np.flatnonzero((heads[: len(codes) - size + 1] >> np.uint64(40)) % np.uint64(size) == 0)
    varied = [len(set(heads[start : start + size - START].tolist())) > size / 2 for start in starts]
    starts = starts[np.array(varied, bool)]
    digests = (sums[starts + size] - sums[starts]) * inverse[starts]
    return np.array([digests, (starts + offset).astype(np.uint64)])


def find_shared(examined):
    """Return what recordings share: (earlier, later, s in the earlier, s in the later) of the first equal seconds.

    `examined` is a dict of recording → `Examined`; each pair of recordings comes once.
    """
    names, shared = list(examined), {}
    numbers = np.repeat(np.arange(len(names)), [one.seconds.shape[1] for one in examined.values()])
    digests, starts = np.concatenate([one.seconds for one in examined.values()], axis=1)
    order = np.argsort(digests, kind="stable")
    for first, second in zip(order, order[1:], strict=False):
        pair = int(numbers[first]), int(numbers[second])
        if digests[first] == digests[second] and pair[0] != pair[1]:
            times = [float(starts[i] / examined[names[numbers[i]]].header.sampling_hz) for i in (first, second)]
            shared[pair] = min(shared.get(pair, times), times)
    return [(names[first], names[second], *times) for (first, second), times in sorted(shared.items())]


def warnings(examined):
    """List what a reader must know of recordings that are used: (recording, channel, what, value), all text.

    `examined` is a dict of recording → `Examined`.
    """
    levels = {name: np.median(one.level_uv) for name, one in examined.items()}
    rows = []
    for name, one in examined.items():
        rows += [(name, "all", *row) for row in _of_recording(one, levels, name)]
        for way, shares in zip(WAYS, one.shares, strict=True):
            said = {channel: f"{share:.0%} of seconds" for channel, share in zip(DOUBLE_BANANA, shares, strict=True)}
            rows += _rows(name, way, said, shares >= WARNED_SHARE)
        ratio = one.level_uv / max(levels[name], 1e-9)
        said = {channel: f"{times:.2g} times the median" for channel, times in zip(DOUBLE_BANANA, ratio, strict=True)}
        rows += _rows(name, "level", said, (ratio > LEVEL_FACTOR) | (ratio < 1 / LEVEL_FACTOR))
        rows += [(name, label, "twice, with different signals", "the first is used") for label in one.doubled]
        rows += [(name, ", ".join(channels), "one and the same signal", "") for channels in one.equal]
    return rows


def _of_recording(one, levels, name):
    """Yield (what, value) of a whole recording."""
    if one.header.tail:
        yield "zero bytes after the last data record", f"{one.header.tail}"
    if not USUAL_UV[0] <= levels[name] <= USUAL_UV[1]:
        yield "level", f"{levels[name]:.2g} µV, {USUAL_UV[0]} to {USUAL_UV[1]} is usual: is the unit right?"
    others = np.median([level for other, level in levels.items() if other != name] or [levels[name]])
    if not 1 / LEVEL_FACTOR <= levels[name] / max(others, 1e-9) <= LEVEL_FACTOR:
        yield "level", f"{levels[name] / max(others, 1e-9):.2g} times the other recordings': is the unit right?"


def _rows(name, what, said, marked):
    """Return a row for each channel that is marked, or one for all if it says the same of all."""
    marked = [channel for channel, mark in zip(DOUBLE_BANANA, marked, strict=True) if mark]
    if len(marked) == 18 and len(set(said.values())) == 1:
        return [(name, "all", what, said[marked[0]])]
    return [(name, channel, what, said[channel]) for channel in marked]
