"""The electrodes of CHB-MIT's montage: how sources reach them, which channels they form, what sources consist of."""

import mne
import numpy as np
from scipy.fft import irfft, next_fast_len

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
_GRID_HZ = np.linspace(0, RATE_HZ / 2, 2561)  # spectra are smooth between


def footprint(width_cm, *centres):
    """Return the scalp field [21] of sources under `centres`: Gaussian, 1 at its centre."""
    nearest = DISTANCES_CM[[ELECTRODES.index(name) for name in centres]].min(axis=0)
    return np.exp(-0.5 * (nearest / width_cm) ** 2)


def column(values):
    """Return one value for each electrode as a column, which multiplies potentials [21, samples]."""
    return np.float32(values)[:, None]


def mix(width_cm, centres, waves, tilts=0):
    """Return the potentials [21, samples] of sources [source, samples], each under one of the `centres`.

    `tilts` [source, 21] makes their fields irregular, as cortex is folded (Nunez & Srinivasan 2006).
    """
    reach = np.array([footprint(width_cm, centre) for centre in centres]) * (1 + tilts)
    return np.einsum("se,st->et", reach.astype(np.float32), waves)  # no BLAS: its sums depend on the number of threads


def smooth(independent):
    """Mix independent values [21, ...] of unit variance into values that are similar at neighbouring electrodes."""
    return np.einsum("es,s...->e...", _SMOOTHING, independent)  # no BLAS: its sums depend on the number of threads


def field(rng):
    """Return a smooth random scalp field [21] of unit variance."""
    return smooth(rng.standard_normal(len(ELECTRODES)))


def noise(rng, size, spectrum):
    """Return Gaussian noise [..., samples] of unit variance whose amplitude spectrum is ``spectrum(f in Hz)``."""
    *rows, samples = np.atleast_1d(size)
    padded = next_fast_len(int(samples) + RATE_HZ, real=True)  # so that a piece's end does not run on into its start
    gain = spectrum(_GRID_HZ)
    gain[0] = 0
    gain = np.interp(np.fft.rfftfreq(padded, 1 / RATE_HZ), _GRID_HZ, gain).astype(np.float32)
    waves = rng.standard_normal((*rows, len(gain), 2), dtype=np.float32).view(np.complex64)[..., 0] * gain
    return irfft(waves, padded)[..., :samples] * np.float32(padded / 2 / np.sqrt((gain**2).sum()))


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
