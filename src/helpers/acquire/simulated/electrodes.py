"""The electrodes of CHB-MIT's montage: how sources reach them, and which channels they form."""

import mne
import numpy as np

from helpers.acquire.montages import DOUBLE_BANANA

CHANNELS = (*DOUBLE_BANANA, "P7-T7", "T7-FT9", "FT9-FT10", "FT10-T8", "T8-P8")
ELECTRODES = tuple(dict.fromkeys(name for channel in CHANNELS for name in channel.split("-")))
COUNT = len(ELECTRODES)
_PLACES_M = mne.channels.make_standard_montage("colin27_1020").get_positions()["ch_pos"]
_PLACES_CM = {name.upper(): 100 * place for name, place in _PLACES_M.items()}
_POSITIONS_CM = np.array([_PLACES_CM[name] for name in ELECTRODES])
DISTANCES_CM = np.linalg.norm(_POSITIONS_CM[:, None] - _POSITIONS_CM, axis=-1)
_SMOOTHING = np.exp(-0.5 * (DISTANCES_CM / 7) ** 2)  # mixes independent values into spatially smooth ones
_SMOOTHING /= np.linalg.norm(_SMOOTHING, axis=1, keepdims=True)


def derive(potentials):
    """Return the channels [23, samples] of potentials [21, samples]."""
    at = dict(zip(ELECTRODES, potentials, strict=True))
    return np.array([at[plus] - at[minus] for plus, minus in (channel.split("-") for channel in CHANNELS)])


def footprint(width_cm, *centres):
    """Return the scalp field [21] of sources under `centres`: Gaussian, 1 at its centre."""
    nearest = DISTANCES_CM[[ELECTRODES.index(name) for name in centres]].min(axis=0)
    return np.exp(-0.5 * (nearest / width_cm) ** 2)


def mix(width_cm, waves, tilts=0, centres=ELECTRODES):
    """Return the potentials [21, samples] of sources [source, samples], each under one of the `centres`.

    `tilts` [source, 21] makes their fields irregular, as cortex is folded (Nunez & Srinivasan 2006).
    """
    reach = np.array([footprint(width_cm, centre) for centre in centres]) * (1 + tilts)
    return np.einsum("se,st->et", reach.astype(np.float32), waves)  # no BLAS: its sums depend on the number of threads


def smooth(independent):
    """Mix independent values [21, ...] of unit variance into values that are similar at neighbouring electrodes."""
    return np.einsum("es,s...->e...", _SMOOTHING, independent)  # no BLAS, as in `mix`


def field(rng):
    """Return a smooth random scalp field [21] of unit variance."""
    return smooth(rng.standard_normal(COUNT))
