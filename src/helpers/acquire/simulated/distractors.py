"""A patient made to test explanations: its seizures are not where the power is, by construction.

Nine electrodes share the 18 channels out between them, two each. In each of six bands a rhythm runs at all times, loud
at four of the electrodes and soft at a fifth, and moves on at random. A seizure is nothing but the soft rhythm of one
band at the focus, where that band is otherwise silent. So a band's power over all channels is the same before an onset
and after it; other electrodes and bands have more; and a rhythm that comes or goes elsewhere tells nothing (distractors
as in XAI-TRIS, Clark et al. 2024). In the variant ``suppression``, half of the time outside seizures the focus shares
its soft rhythm with one other electrode, which then tells that it is no seizure, and never carries one (a suppressor).
"""

import numpy as np
from scipy.ndimage import uniform_filter1d

from helpers.acquire.simulated.electrodes import COUNT, ELECTRODES
from helpers.acquire.simulated.ictal import plant
from helpers.acquire.simulated.signals import RATE_HZ, drift

VARIANTS = ("distractors", "suppression")
PLACES = ("T7", "T8", "C3", "C4", "CZ", "FP1", "FP2", "O1", "O2")
# Hz and, of the soft rhythm, µV: the first is the seizure's
RHYTHMS = ((25.0, 5.0), (10.0, 28.0), (17.0, 21.0), (33.0, 21.0), (41.0, 21.0), (49.0, 21.0))
LOUD, LOUD_PLACES = 4.0, 4
PIECE_S, FADE_S = (12, 20), 0.2  # from one move to the next, and of a move


def add_rhythms(rng, focus, potentials, seizures, variant):
    """Add all rhythms to `potentials` [21, samples], in place, and return the planted rows of the seizures.

    `focus` is the number of one of the `PLACES`; `seizures` are [start, end] in whole seconds.
    """
    where = [ELECTRODES.index(name) for name in PLACES]
    rest = [place for place in range(len(PLACES)) if place != focus]
    ictal = np.zeros(potentials.shape[1], bool)
    for start_s, end_s in seizures:
        ictal[int(start_s * RATE_HZ) : int(end_s * RATE_HZ)] = True
    for number, (hertz, microvolts) in enumerate(RHYTHMS):
        own = number == 0
        level, end = np.zeros((len(PLACES), len(ictal)), np.float32), 0
        edges = [*np.flatnonzero(np.diff(ictal & own)) + 1, len(ictal)]
        while end < len(ictal):  # rhythms move on where a seizure starts or ends, and in between
            start = end
            end = min(start + int(rng.uniform(*PIECE_S) * RATE_HZ), *(edge for edge in edges if edge > start))
            piece, seizure = slice(start, end), own and ictal[start]
            order = rng.permutation(rest if own else len(PLACES))
            level[order[:LOUD_PLACES], piece] = LOUD
            soft = [focus] if seizure else [order[LOUD_PLACES]]
            if variant == "suppression" and own and not seizure and rng.uniform() < 0.5:
                soft = [focus, rest[0]]
            level[soft, piece] = 1
        course = hertz * (1 + 0.005 * drift(rng, level.shape, 1))
        waves = microvolts * np.sin(2 * np.pi * np.cumsum(course, axis=1) / RATE_HZ)
        waves *= uniform_filter1d(level, round(FADE_S * RATE_HZ), axis=1) * np.exp(0.15 * drift(rng, level.shape, 0.7))
        potentials[where] += waves
        if own:
            wave = np.outer(np.eye(COUNT)[where[focus]], waves[focus] * ictal)
            rows = plant(wave, course[focus], 0.5, 0, noticeable_uv=1)
    return rows
