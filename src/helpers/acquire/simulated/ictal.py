"""The seizures of a simulated EEG, and their planted truth: where, when and at which frequencies they show."""

import numpy as np

from helpers.acquire.simulated.background import add_movement, add_muscle
from helpers.acquire.simulated.electrodes import (
    CHANNELS,
    DISTANCES_CM,
    ELECTRODES,
    MINUS,
    PLUS,
    RATE_HZ,
    around,
    drift,
    field,
    footprint,
    noise,
    smooth,
    swell,
)

NOTICEABLE_UV = 5  # planted rows below this drown in the background (10 µV RMS in the alpha band)
HARMONICS = 4


def add_seizure(rng, traits, potentials, start_s, end_s):
    """Add a seizure to `potentials` [21, samples], in place, and return its planted rows.

    It starts at the patient's focus, low in voltage, spreads, slows down and grows into spike-and-wave, with
    muscle and movement (evolution in frequency, amplitude and place: Kane et al. 2017), and is followed by slowing.
    """
    when = slice(int(round(start_s * RATE_HZ)), int(round(end_s * RATE_HZ)))
    samples = when.stop - when.start
    strength, rows = rng.uniform(0.4, 1.4), []
    if rng.uniform() < 0.5:  # electrodecrement and low-voltage fast activity
        seconds = np.arange(samples) / RATE_HZ
        potentials[:, when] *= 1 - 0.5 * np.exp(-0.5 * ((seconds - 2) / 0.9) ** 2)
        progress = np.arange(samples) / samples
        hertz = 20 - 30 * np.minimum(progress, 0.2)
        fast = 15 * np.outer(footprint(4, traits["focus"]), np.exp(-0.5 * ((progress - 0.08) / 0.05) ** 2))
        fast = fast * np.sin(2 * np.pi * np.cumsum(hertz) / RATE_HZ)
        rows += _plant(fast, hertz, 0.5, start_s, end_s)
        potentials[:, when] += fast
    growth, reach = _spread(rng, traits, samples, strength)
    for wave, hertz, half_width_hz in _ictal_waves(rng, traits, growth, reach):
        rows += _plant(wave, hertz, half_width_hz, start_s, end_s)
        potentials[:, when] += wave
    _add_ictal_artefacts(rng, potentials[:, when], strength)
    _add_postictal(rng, traits, potentials[:, when.stop :], strength)
    return rows


def _spread(rng, traits, samples, strength):
    """Return how far the seizure has grown [21, samples] in µV, and which share of it an electrode shows [21].

    It arrives at an electrode the later the farther from the focus, and elsewhere shows with either polarity.
    """
    time, seconds = np.arange(samples) / RATE_HZ, samples / RATE_HZ
    distance_cm = DISTANCES_CM[ELECTRODES.index(traits["focus"])]
    arrival_s = 1 + distance_cm / distance_cm.max() * seconds * rng.uniform(0.15, 0.35)
    arrived = 1 / (1 + np.exp(-(time - arrival_s[:, None] - 1)))
    course = (0.35 + 0.65 * np.minimum(2 * time / seconds, 1)) * np.clip((seconds - time) / 0.5, 0, 1)
    elsewhere = np.clip(strength - 0.3, 0.2, 0.8)  # a weak seizure stays local
    reach = (traits["pattern"] + 0.5 * field(rng)) * elsewhere + (1 - elsewhere) * footprint(5, traits["focus"])
    return 205 * strength * arrived * course, reach


def _wander(rng, samples):
    """Return slow random courses [21, samples], similar at neighbours."""
    return smooth(np.array([drift(rng, samples, 1) for _ in ELECTRODES]))


def _ictal_waves(rng, traits, growth, reach):
    """Yield the seizure's waves [21, samples] in µV, their frequency [samples] and half their bandwidth in Hz.

    A rhythm with its harmonics, from theta down to 2-3 Hz, and irregular slow activity about it.
    """
    samples = growth.shape[1]
    progress = np.arange(samples) / samples
    onset_hz, end_hz = traits["onset_hz"] + rng.uniform(-1, 1), traits["end_hz"] + rng.uniform(-0.3, 0.3)
    hertz = (end_hz + (onset_hz - end_hz) * np.exp(-4 * progress)) * (1 + 0.1 * drift(rng, samples, 0.5))
    lag_s = DISTANCES_CM[ELECTRODES.index(traits["focus"])] * rng.uniform(0.001, 0.003)
    phase = 2 * np.pi * (np.cumsum(hertz) / RATE_HZ - hertz * lag_s[:, None])
    phase += 0.7 * _wander(rng, samples)  # synchrony is never perfect
    envelope = growth * reach[:, None] * np.exp(0.4 * _wander(rng, samples))
    sharpness = 0.35 + 0.1 * progress  # of the waveform: the share of each harmonic in the one before
    for harmonic in range(1, HARMONICS + 1):
        # Half a hertz to each side: a rhythm seen for a second is no narrower.
        yield envelope * np.cos(harmonic * phase) * sharpness ** (harmonic - 1), harmonic * hertz, 0.5
    slow = smooth(np.array([noise(rng, samples, around(2.5, 1.4)) for _ in ELECTRODES]))
    local = 0.4 + 0.6 * footprint(7, traits["focus"])
    yield 1.1 * growth * local[:, None] * slow, np.full(samples, 2.5), 1.7


def _plant(wave, hertz, half_width_hz, start_s, end_s):
    """Return planted rows of a wave [21, samples] of frequency `hertz` [samples], second by second."""
    channels, rows = wave[PLUS] - wave[MINUS], []
    for first in range(0, len(hertz), RATE_HZ):
        second = slice(first, first + RATE_HZ)
        from_s, to_s = start_s + first / RATE_HZ, min(start_s + first / RATE_HZ + 1, end_s)
        low_hz, high_hz = max(hertz[second].min() - half_width_hz, 0), hertz[second].max() + half_width_hz
        amplitudes = np.sqrt((channels[:, second] ** 2).mean(axis=1))
        for channel, amplitude in zip(CHANNELS, amplitudes, strict=True):
            if amplitude >= NOTICEABLE_UV:
                rows.append((channel, from_s, to_s, round(low_hz, 2), round(high_hz, 2), round(amplitude, 2)))
    return rows


def _add_ictal_artefacts(rng, potentials, strength):
    """Add the muscle and movement of a seizure to `potentials` [21, samples], in place."""
    samples = potentials.shape[1]
    rise = np.clip(np.arange(samples) / samples * 3 - rng.uniform(0.2, 0.7), 0, 1) * swell(samples, 1)
    add_muscle(rng, potentials, ("T7", "T8", "F7", "F8", "FP1", "FP2"), rng.uniform(2, 70) * strength, rise)
    add_movement(rng, potentials[:, samples // 4 :], rng.uniform(20, 100) * strength)


def _add_postictal(rng, traits, potentials, strength):
    """Add slowing after a seizure to `potentials` [21, samples], in place; it decays (So & Blume 2010)."""
    samples = min(potentials.shape[1], int(RATE_HZ * rng.uniform(20, 60)))
    decay = np.exp(-2 * np.arange(samples) / max(samples, 1)) * swell(2 * samples)[:samples]
    for row, reach in zip(potentials, 0.4 + 0.6 * footprint(7, traits["focus"]), strict=True):
        row[:samples] *= 1 - 0.4 * decay
        row[:samples] += 90 * strength * reach * decay * noise(rng, samples, around(1.5, 0.7))
