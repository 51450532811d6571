"""A patient made to test explanations: its seizures are not where the power is, by construction.

Nine electrodes share the 18 channels out between them, two each. In each of six bands a rhythm runs at all times, loud
at four of the electrodes and soft at a fifth, and moves on at random. A seizure is nothing but the soft rhythm of one
band at the focus, where that band is otherwise silent. So, in a seizure, four electrodes are louder than the focus and
four are silent; a band's power over all channels is the same before an onset and after it; other bands have more power;
and a rhythm that comes or goes elsewhere tells nothing (distractors as in XAI-TRIS, Clark et al. 2024).

Of the variant ``suppression``, half of the time outside seizures the focus shares its soft rhythm with one other
electrode: then that one tells whether the rhythm at the focus is a seizure, although it carries none (a suppressor).
"""

import numpy as np
from scipy.ndimage import uniform_filter1d

from helpers.acquire.simulated.electrodes import ELECTRODES
from helpers.acquire.simulated.ictal import plant
from helpers.acquire.simulated.signals import RATE_HZ, drift

VARIANTS = ("distractors", "suppression")
PLACES = ("T7", "T8", "C3", "C4", "CZ", "FP1", "FP2", "O1", "O2")
# Hz and, of the soft rhythm, µV: the first is the seizure's
RHYTHMS = ((25.0, 5.0), (10.0, 28.0), (17.0, 21.0), (33.0, 21.0), (41.0, 21.0), (49.0, 21.0))
LOUD, LOUD_PLACES = 4.0, 4
PIECE_S = 12, 20  # between two moves
FADE_S = 0.2


def add_rhythms(rng, focus, potentials, seizures, variant):
    """Add all rhythms to `potentials` [21, samples], in place, and return the planted rows of the seizures.

    `focus` is the number of one of the `PLACES`; `seizures` are [start, end] in whole seconds.
    """
    samples, rows = potentials.shape[1], []
    rest = [place for place in range(len(PLACES)) if place != focus]
    where = [ELECTRODES.index(name) for name in PLACES]
    for number, (hertz, microvolts) in enumerate(RHYTHMS):
        ictal, own = np.zeros(samples, bool), seizures if number == 0 else ()
        parts = [slice(int(start_s * RATE_HZ), int(end_s * RATE_HZ)) for start_s, end_s in own]
        for part in parts:
            ictal[part] = True
        level = np.zeros((len(PLACES), samples), np.float32)
        for piece in _pieces(rng, np.flatnonzero(np.diff(ictal)) + 1, samples):
            order = rng.permutation(rest if number == 0 else len(PLACES))
            level[order[:LOUD_PLACES], piece] = LOUD
            soft = [focus] if ictal[piece.start] else [order[LOUD_PLACES]]
            if variant == "suppression" and number == 0 and not ictal[piece.start] and rng.uniform() < 0.5:
                soft = [focus, rest[0]]
            level[soft, piece] = 1
        course = hertz * (1 + 0.005 * drift(rng, level.shape, 1))
        waves = microvolts * np.sin(2 * np.pi * np.cumsum(course, axis=1) / RATE_HZ)
        waves *= uniform_filter1d(level, round(FADE_S * RATE_HZ), axis=1) * np.exp(0.15 * drift(rng, level.shape, 0.7))
        potentials[where] += waves
        for part, (start_s, _) in zip(parts, own, strict=True):
            wave = np.zeros((len(ELECTRODES), part.stop - part.start))
            wave[where[focus]] = waves[focus, part]
            rows += plant(wave, course[focus, part], 0.5, start_s, noticeable_uv=1)
    return rows


def _pieces(rng, edges, samples):
    """Yield slices between which rhythms move on; all `edges` are among their ends."""
    for first, last in zip([0, *edges], [*edges, samples], strict=True):
        while first < last:
            end = min(first + int(rng.uniform(*PIECE_S) * RATE_HZ), last)
            yield slice(first, end)
            first = end
