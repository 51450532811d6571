"""The seizures of a simulated EEG, and their planted truth: where, when and at which frequencies they show."""

import numpy as np

from helpers.acquire.simulated.background import add_movement, add_muscle
from helpers.acquire.simulated.electrodes import CHANNELS, DISTANCES_CM, ELECTRODES, derive, field, footprint, smooth
from helpers.acquire.simulated.signals import RATE_HZ, around, column, drift, noise, swell

NOTICEABLE_UV = 5  # planted rows below this drown in the background (10 µV RMS in the alpha band)


def add_seizure(rng, traits, potentials, start_s, end_s):
    """Add a seizure to `potentials` [21, samples], in place, and return its planted rows.

    It starts at the patient's focus, half of them as low-voltage fast activity, spreads and slows down into
    spike-and-wave (Kane et al. 2017), with muscle and movement, and is followed by slowing (So & Blume 2010).
    """
    first, last, rows = int(start_s * RATE_HZ), int(end_s * RATE_HZ), []
    during, after = potentials[:, first:last], potentials[:, last:]
    samples, strength, fast = last - first, rng.uniform(0.3, 1.3), rng.uniform() < 0.5
    waves, begins_s = ([_fast_waves(rng, traits, during)], rng.uniform(0.5, 2.5)) if fast else ([], 0)
    for wave, hertz, half_width_hz in (*waves, *_ictal_waves(rng, traits, samples, strength, begins_s)):
        wave = wave * column(traits["gains"])
        rows += plant(wave, hertz, half_width_hz, start_s)
        during += wave
    muscles, muscle_uv = ("T7", "T8", "F7", "F8", "FP1", "FP2"), rng.uniform(5, 70) * strength
    rise = np.clip(np.arange(samples) / samples * 3 - rng.uniform(-0.3, 0.7), 0, 1) * swell(samples, 1)
    add_muscle(rng, traits, during, muscles, muscle_uv, rise)
    add_movement(rng, traits, during[:, samples // 4 :], rng.uniform(20, 80) * strength)
    after = after[:, : int(RATE_HZ * rng.uniform(40, 150))]  # the slowing, which decays
    samples = after.shape[1]
    decay = np.exp(-2 * np.arange(samples) / max(samples, 1)) * swell(2 * samples)[:samples]
    after *= 1 - 0.4 * decay
    slow = column(0.4 + 0.6 * footprint(7, traits["focus"])) * noise(rng, after.shape, around(1.5, 0.7))
    after += 90 * strength * decay * slow
    return rows


def _fast_waves(rng, traits, potentials):
    """Flatten `potentials` a little, in place, and return low-voltage fast waves (Perucca et al. 2014)."""
    time = np.arange(potentials.shape[1]) / RATE_HZ
    potentials *= 1 - 0.35 * footprint(9, traits["focus"])[:, None] * np.exp(-0.5 * ((time - 1.5) / 1.2) ** 2)
    hertz = np.maximum(rng.uniform(18, 26) - rng.uniform(0.5, 1.2) * time, 12) + 0.7 * drift(rng, len(time), 0.5)
    envelope = rng.uniform(15, 30) * np.minimum(0.5 + time / 3, 1) * np.exp(-0.5 * (np.maximum(time - 4, 0) / 2) ** 2)
    wave = np.exp(0.3 * drift(rng, len(time), 0.3)) * np.sin(2 * np.pi * np.cumsum(hertz) / RATE_HZ)
    return np.outer(footprint(5.5, traits["focus"]), envelope * wave), hertz, 0.5


def _ictal_waves(rng, traits, samples, strength, begins_s):
    """Yield the seizure's waves [21, samples] in µV, their frequency [samples] and half their bandwidth in Hz.

    A rhythm with its harmonics, from theta down to 2-3 Hz, and irregular slow activity about it. It begins at the
    focus, arrives at an electrode the later the farther off, and there shows with either polarity.
    """
    time, progress = np.arange(samples) / RATE_HZ, np.arange(samples) / samples
    distance_cm = DISTANCES_CM[ELECTRODES.index(traits["focus"])]
    arrival_s = begins_s + distance_cm / distance_cm.max() * (samples / RATE_HZ) * rng.uniform(0.01, 0.1)
    arrived = 1 / (1 + np.exp(-2 * (time - arrival_s[:, None] - 0.5)))
    growth = 160 * strength * (arrived * np.clip((samples / RATE_HZ - time) / 0.5, 0, 1))
    elsewhere = np.clip(strength - 0.3, 0.2, 0.8)  # a weak seizure stays local
    pattern = 0.8 * traits["pattern"] + 0.9 * field(rng)  # alike, yet no two take one path (Schroeder et al. 2020)
    reach = pattern * elsewhere + (1.2 - 0.5 * elsewhere) * footprint(5, traits["focus"])
    onset_hz, end_hz = traits["onset_hz"] + rng.uniform(-1, 1), traits["end_hz"] + rng.uniform(-0.3, 0.3)
    hertz = end_hz + (onset_hz - end_hz) * np.exp(-8 * progress)
    hertz *= np.exp(0.1 * drift(rng, samples, 0.5) + 0.1 * drift(rng, samples, 4))
    lag_s = distance_cm * rng.uniform(0.001, 0.003)
    phase = 2 * np.pi * (np.cumsum(hertz) / RATE_HZ - hertz * lag_s[:, None])
    asynchrony, fast, slow = (smooth(drift(rng, growth.shape, turn_s)) for turn_s in (1, 1, 5))
    phase += 0.7 * asynchrony
    envelope = growth * reach[:, None] * np.exp(0.4 * fast + 0.25 * slow)
    sharpness = 0.2 + 0.12 * progress  # of the waveform: the share of each harmonic in the one before
    for harmonic in range(1, 5):
        # Half a hertz to each side: a rhythm seen for a second is no narrower.
        yield envelope * np.cos(harmonic * phase) * sharpness ** (harmonic - 1), harmonic * hertz, 0.5
    local = column(0.4 + 0.6 * footprint(7, traits["focus"])) * smooth(noise(rng, growth.shape, around(2.5, 1.4)))
    yield 1.4 * growth * local, np.full(samples, 2.5), 1.7


def plant(wave, hertz, half_width_hz, start_s, noticeable_uv=NOTICEABLE_UV):
    """Return planted rows of a wave [21, samples] of frequency `hertz` [samples], second by second."""
    hertz = hertz.reshape(-1, RATE_HZ)
    bands = np.stack([np.maximum(hertz.min(axis=1) - half_width_hz, 0), hertz.max(axis=1) + half_width_hz], 1).round(2)
    amplitudes = np.sqrt((derive(wave).reshape(len(CHANNELS), -1, RATE_HZ) ** 2).mean(axis=2)).T
    return [
        (CHANNELS[channel], start_s + float(second), start_s + second + 1.0, *bands[second], round(amplitude, 2))
        for (second, channel), amplitude in np.ndenumerate(amplitudes)
        if amplitude >= noticeable_uv
    ]
