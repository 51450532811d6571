"""What a recording holds, found by reading all of it once: dead channels, levels, mains, EEG that another has too."""

from collections import defaultdict
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
WEIGHTS = np.random.default_rng(1).integers(1 << 64, size=8, dtype=np.uint64)  # of the samples that choose its start


@dataclass(frozen=True)
class Examined:
    """What reading a recording found."""

    header: edf.Header
    shares: np.ndarray  # of seconds that are flat, clipped, mains alone: [3, 18]
    level_uv: np.ndarray  # median over seconds of their standard deviation, [18]
    mains_db: np.ndarray  # how far each of `MAINS_HZ` stands out of its neighbours
    doubled: tuple  # names of each channel in use that the file has twice, with different signals
    equal: tuple  # sets of channels with one and the same signal
    seconds: np.ndarray  # of each second that was chosen: its digest, and when it begins in samples, uint64 [2, …]


def examine(path, alive=True):
    """Open an EDF file and read all of it: `Examined`.

    Raises RecordingError as `edf.open_edf`, `edf.check_times` and `edf.read`, UnusableRecording if the channels hold
    nothing to learn from (not if that need not be, `alive`, and there is a second of EEG).
    """
    recording = edf.open_edf(path)
    edf.check_times(recording)
    header, size = recording.header, round(recording.header.sampling_hz)
    names = [montages.parts(label) for label in header.labels]
    doubled = [
        (index, later)
        for index in header.used
        for later in range(index + 1, len(names))
        if names[index] == names[later]
    ]
    forms = [(signal.unit, signal.limits, signal.size) for signal in header.signals]
    different = {pair for pair in doubled if forms[pair[0]] != forms[pair[1]]}
    digests, blocks, seconds = [blake2b() for _ in DOUBLE_BANANA], [], []
    last, codes = np.zeros((len(DOUBLE_BANANA), 1), np.float32), np.zeros(0, np.uint32)
    for start in range(0, header.samples, BLOCK_S * size):
        stop = min(start + BLOCK_S * size, header.samples)
        digital = edf.read_digital(recording, start, stop, header.used)
        eeg = edf.derive(header, digital)
        for pair in doubled:
            if pair not in different and not np.equal(*edf.read_digital(recording, start, stop, pair)).all():
                different.add(pair)
        for digest, channel in zip(digests, eeg, strict=True):
            digest.update(channel)
        rises, last = np.diff(eeg, axis=1, prepend=last) > 0, eeg[:, -1:]
        carried, codes = start - len(codes), np.concatenate([codes, BITS @ rises])
        seconds.append(_choose_seconds(codes, size, carried))
        codes = codes[-(size - 1) :]
        if eeg.shape[1] >= size:
            blocks.append(_describe(header, digital, eeg, size))
    if alive or not blocks:
        _check_alive(header.file, [states for states, *_ in blocks])
    states, deviations, mains = (np.concatenate(part, axis=-1) for part in zip(*blocks, strict=True))
    same = defaultdict(list)
    for channel, digest in zip(DOUBLE_BANANA, digests, strict=True):
        same[digest.digest()].append(channel)
    equal = sorted(channels for channels in same.values() if len(channels) > 1)
    mains_db, found = np.median(mains, -1).mean(-1), np.concatenate(seconds, axis=1)
    twice = [", ".join(dict.fromkeys(header.labels[index] for index in pair)) for pair in sorted(different)]
    return Examined(header, states.mean(-1), np.median(deviations, -1), mains_db, twice, equal, found)


def _check_alive(file, states):
    """Raise UnusableRecording if nearly all seconds of all channels hold nothing to learn from."""
    dead = np.concatenate(states, axis=-1).any(axis=0).all(axis=0).mean() if states else 1
    if dead >= DEAD_SHARE:
        raise UnusableRecording(
            f"{file} holds no EEG, or less than a second: {dead:.0%} of its seconds are {' or '.join(WAYS)} in all "
            f"{len(DOUBLE_BANANA)} channels. Export it anew, {montages.LEAVE_OUT}"
        )


def _describe(header, digital, eeg, size):
    """Return what each second of a block is, of its whole seconds: `WAYS` [3, 18, second], level in µV, mains in dB."""
    whole = eeg.shape[1] // size
    eeg, digital = (part[:, : whole * size].reshape(len(part), whole, size) for part in (eeg, digital))
    limits = (header.signals[index].numbers[2:] for index in header.used)
    at_limit = (np.isin(signal, ends).mean(-1) > CLIPPED_SHARE for signal, ends in zip(digital, limits, strict=True))
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
    heads = np.convolve(codes.astype(np.uint64), WEIGHTS, "valid")  # modulo 2^64
    chosen = np.flatnonzero((heads[: len(codes) - size + 1] >> np.uint64(40)) % np.uint64(size) == 0)
    chosen = [start for start in chosen if len(np.unique(heads[start : start + size - len(WEIGHTS)])) > size / 2]
    digests = [blake2b(codes[start : start + size], digest_size=8).digest() for start in chosen]
    return np.array([np.frombuffer(b"".join(digests), np.uint64), np.add(chosen, offset)], np.uint64)


def warnings(examined):
    """List what a reader must know of recordings that are used: (recording, channel, what, value), all text.

    `examined` is a dict of recording → `Examined`.
    """
    levels, rows = {name: np.median(one.level_uv) for name, one in examined.items()}, []
    for name, one in examined.items():
        level, found = levels[name], []
        if one.header.tail:
            found.append(("all", "zero bytes after the last data record", f"{one.header.tail}"))
        if not USUAL_UV[0] <= level <= USUAL_UV[1]:
            said = f"{level:.2g} µV, {USUAL_UV[0]} to {USUAL_UV[1]} is usual: is the unit right?"
            found.append(("all", "level", said))
        ratio = level / max(np.median([levels[other] for other in levels if other != name] or [level]), 1e-9)
        if not 1 / LEVEL_FACTOR <= ratio <= LEVEL_FACTOR:
            found.append(("all", "level", f"{ratio:.2g} times the other recordings': is the unit right?"))
        for way, shares in zip(WAYS, one.shares, strict=True):
            found += _of_channels(way, [f"{share:.0%} of seconds" for share in shares], shares >= WARNED_SHARE)
        ratio = one.level_uv / max(level, 1e-9)
        odd = (ratio > LEVEL_FACTOR) | (ratio < 1 / LEVEL_FACTOR)
        found += _of_channels("level", [f"{times:.2g} times the median" for times in ratio], odd)
        found += [(label, "twice, with different signals", "the first is used") for label in one.doubled]
        found += [(", ".join(channels), "one and the same signal", "") for channels in one.equal]
        rows += [(name, *row) for row in found]
    return rows


def _of_channels(what, said, marked):
    """Return (channel, what, value) for each channel that is marked, or one for all if it says the same of all."""
    if all(marked) and len(set(said)) == 1:
        return [("all", what, said[0])]
    return [(channel, what, text) for channel, text, mark in zip(DOUBLE_BANANA, said, marked, strict=True) if mark]
