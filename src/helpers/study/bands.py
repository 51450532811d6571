"""The five frequency bands of the EEG, in hertz, the same in every stage."""

import numpy as np

# name, from (inclusive), to (exclusive), in Hz
BANDS = {
    "B1": ("delta", 0.5, 4),
    "B2": ("theta", 4, 8),
    "B3": ("alpha", 8, 13),
    "B4": ("beta", 13, 30),
    "B5": ("gamma", 30, 55),
}


def band_masks(frequencies_hz):
    """Return a dict of band → boolean array over `frequencies_hz`, true where the band holds the frequency."""
    frequencies = np.asarray(frequencies_hz)
    return {band: (frequencies >= low) & (frequencies < high) for band, (_, low, high) in BANDS.items()}
