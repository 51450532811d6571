"""The electrodes of CHB-MIT's montage: how sources reach them, which channels they form, what sources consist of."""

import mne
import numpy as np

from helpers.acquire.montages import DOUBLE_BANANA

RATE_HZ = 256
CHANNELS = (*DOUBLE_BANANA, "P7-T7", "T7-FT9", "FT9-FT10", "FT10-T8", "T8-P8")
ELECTRODES = tuple(dict.fromkeys(name for channel in CHANNELS for name in channel.split("-")))
PLUS, MINUS = (np.array([ELECTRODES.index(channel.split("-")[side]) for channel in CHANNELS]) for side in (0, 1))

_PLACES_M = mne.channels.make_standard_montage("colin27_1020").get_positions()["ch_pos"]
_BY_NAME = {name.upper(): place for name, place in _PLACES_M.items()}
_POSITIONS_CM = 100 * np.array([_BY_NAME[name] for name in ELECTRODES])
DISTANCES_CM = np.sqrt(((_POSITIONS_CM[:, None] - _POSITIONS_CM[None]) ** 2).sum(-1))
_SMOOTHING = np.exp(-0.5 * (DISTANCES_CM / 7) ** 2)  # mixes independent values into spatially smooth ones
_SMOOTHING /= np.sqrt((_SMOOTHING**2).sum(axis=1, keepdims=True))


def footprint(width_cm, *centres):
    """Return the scalp field [21] of sources under `centres`: Gaussian, 1 at its centre."""
    nearest = DISTANCES_CM[[ELECTRODES.index(name) for name in centres]].min(axis=0)
    return np.exp(-0.5 * (nearest / width_cm) ** 2)


def smooth(independent):
    """Mix independent values [21, ...] of unit variance into values that are similar at neighbouring electrodes."""
    return np.einsum("es,s...->e...", _SMOOTHING, independent)  # no BLAS: its sums depend on the number of threads


def field(rng):
    """Return a smooth random scalp field [21] of unit variance."""
    return smooth(rng.standard_normal(len(ELECTRODES)))


def noise(rng, samples, shape):
    """Return Gaussian noise [samples] of unit variance whose amplitude spectrum is ``shape(f in Hz)``."""
    padded = samples + RATE_HZ  # so that the end of a piece does not run on into its start
    gain = shape(np.fft.rfftfreq(padded, 1 / RATE_HZ))
    gain[0] = 0
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(padded)) * gain, padded)[:samples]
    return noise / np.sqrt((gain**2).mean())


def around(centre_hz, width_hz):
    """Return a Gaussian amplitude spectrum, for `noise`."""
    return lambda f: np.exp(-0.5 * ((f - centre_hz) / width_hz) ** 2)


def drift(rng, samples, seconds):
    """Return a slow random course [samples] of about unit variance, within ±2, that turns every `seconds`."""
    knots = np.arange(0, samples / RATE_HZ + 2 * seconds, seconds)
    courses = rng.uniform(-2, 2, len(knots))  # bounded, so that amplitudes stay plausible
    return np.interp(np.arange(samples) / RATE_HZ, knots, courses)


def swell(samples, edge_s=0.5):
    """Return an envelope [samples] that rises and falls smoothly within `edge_s` at its ends."""
    edge = np.minimum(np.arange(samples), np.arange(samples)[::-1]) / (edge_s * RATE_HZ)
    return np.sin(np.pi / 2 * np.clip(edge, 0, 1)) ** 2
