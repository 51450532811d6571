"""What the signals of a simulated EEG consist of: noise of a given spectrum, slow courses, envelopes."""

import numpy as np
from scipy.fft import irfft, next_fast_len

RATE_HZ = 256
_GRID_HZ = np.linspace(0, RATE_HZ / 2, 2561)  # spectra are smooth between


def noise(rng, size, spectrum):
    """Return Gaussian noise [..., samples] of unit variance whose amplitude spectrum is ``spectrum(f in Hz)``."""
    *rows, samples = np.atleast_1d(size)
    padded = next_fast_len(int(samples) + RATE_HZ, real=True)  # so that a piece's end does not run on into its start
    gain = spectrum(_GRID_HZ)
    gain[0] = 0
    gain = np.interp(np.fft.rfftfreq(padded, 1 / RATE_HZ), _GRID_HZ, gain)
    gain *= padded / 2 / np.sqrt((gain**2).sum())
    waves = np.empty((*rows, samples), np.float32)
    for row in np.atleast_2d(waves):  # one by one: an hour of all does not fit into a processor's cache
        parts = rng.standard_normal((len(gain), 2), dtype=np.float32).view(np.complex64)[:, 0]
        row[:] = irfft(parts * gain.astype(np.float32), padded)[:samples]
    return waves


def around(centre_hz, width_hz):
    """Return a Gaussian amplitude spectrum, for `noise`."""
    return lambda f: np.exp(-0.5 * ((f - centre_hz) / width_hz) ** 2)


def drift(rng, size, seconds):
    """Return slow random courses [..., samples] of about unit variance, within ±2, that turn every `seconds`."""
    *rows, samples = np.atleast_1d(size)
    step = int(seconds * RATE_HZ)
    knots = rng.uniform(-2, 2, (*rows, samples // step + 2)).astype(np.float32)  # bounded: amplitudes stay plausible
    courses = knots[..., :-1, None] + np.diff(knots)[..., None] * (np.arange(step, dtype=np.float32) / step)
    return courses.reshape(*rows, -1)[..., :samples]


def swell(samples, edge_s=0.5):
    """Return an envelope [samples] that rises and falls smoothly within `edge_s` at its ends."""
    edge = np.minimum(np.arange(samples), np.arange(samples)[::-1]) / np.float32(edge_s * RATE_HZ)
    return np.sin(np.pi / 2 * np.clip(edge, 0, 1)) ** 2


def column(values):
    """Return one value for each electrode as a column, which multiplies potentials [21, samples]."""
    return np.float32(values)[:, None]
