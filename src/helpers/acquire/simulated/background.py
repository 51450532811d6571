"""The background of a simulated EEG: ongoing activity, single waves, rhythms that are no seizures, artefacts."""

import numpy as np

from helpers.acquire.simulated.electrodes import COUNT, field, footprint, mix
from helpers.acquire.simulated.signals import RATE_HZ, around, column, drift, noise, swell


def shift(rng, traits, samples):
    """Return a patient's `traits` with what shifts between recordings: electrodes, arousal, muscle tone, devices."""
    hums = {60: 0.3 if traits["notch"] else 3, rng.choice([16, 20, 32, 40, 44]): 0.4}  # most µV at each Hz
    tension_at = 1.35 - 1.0 * footprint(6, "CZ")  # there are few muscles at the vertex (Goncharova et al. 2003)
    return traits | {
        # spectrum, from 20 to 100 Hz (Goncharova et al. 2003), less the recorder's notch
        "emg": lambda f: (1 - traits["notch"] * around(60, 7)(f)) / (1 + (20 / (f + 0.1)) ** 4 + (f / 90) ** 4),
        "tilts": traits["tilts"] + 0.2 * rng.standard_normal((3, COUNT, COUNT)),
        "gains": traits["level"] * np.exp(0.1 * rng.normal() + 0.12 * rng.standard_normal(COUNT)),
        # how deeply the patient sleeps, from 0 (awake) to 1 (slow-wave sleep)
        "asleep": 1 / (1 + np.exp(-2 * (np.float32(rng.normal(-0.4, 1.2)) + 0.7 * drift(rng, samples, 90)))),
        "aperiodic": 21.5 * np.exp(0.15 * rng.normal() + 0.2 * field(rng)),
        "knees_hz": traits["knee_hz"] * np.exp(0.1 * rng.normal() + 0.1 * rng.standard_normal(COUNT)),
        "slow": np.exp(0.3 * rng.normal() + 0.3 * field(rng)),
        "alpha": traits["alpha_uv"] * np.exp(0.3 * rng.normal() + 0.5 * field(rng)),
        "muscle_uv": tension_at * np.exp(0.5 * rng.normal() + traits["tension"] + 0.5 * rng.standard_normal(COUNT)),
        "hums": {hertz: most * np.exp(0.8 * rng.standard_normal(COUNT)) for hertz, most in hums.items()},
    }


def ongoing(rng, traits):
    """Return the ongoing potentials [21, samples] of the brain in µV: 1/f activity, slow waves, alpha."""
    asleep, samples = traits["asleep"], len(traits["asleep"])
    # Aperiodic activity with a knee, 1 / (k + f^x) (Donoghue et al. 2020), and the slow waves of sleep (Steriade et
    # al. 1993), which reach wider; a source of each under each electrode.
    regional = np.exp(0.4 * drift(rng, (COUNT, samples), 15))
    spectra = [lambda f, knee=hertz: 1 / (1 + (f / knee) ** traits["exponent"]) ** 0.5 for hertz in traits["knees_hz"]]
    waves = np.array([noise(rng, samples, spectrum) for spectrum in spectra])
    waves *= regional * np.exp(0.3 * drift(rng, samples, 25)) * column(traits["aperiodic"])
    potentials = mix(6, waves, traits["tilts"][0])
    regional *= (6 + 17 * asleep) * np.exp(0.5 * drift(rng, samples, 12)) * column(traits["slow"])
    potentials += mix(9, regional * noise(rng, (COUNT, samples), around(1.2, 0.8)), traits["tilts"][1])
    # Alpha waxes and wanes: posterior when awake, frontal when drowsy (Niedermeyer & Lopes da Silva 2005).
    alpha = noise(rng, (6, samples), around(traits["alpha_hz"], 0.8)) * np.exp(0.6 * drift(rng, (6, samples), 2))
    alpha *= np.stack([1 - asleep] * 4 + [asleep] * 2)
    alpha = mix(4.5, alpha, 1.5 * traits["tilts"][1, :6], ("O1", "O2", "P3", "P4", "F3", "F4"))
    return potentials + alpha * column(traits["alpha"])


def _moments(rng, potentials, chance, per_minute, shortest_s, longest_s):
    """Yield the pieces [21, samples] of `potentials` in which an event takes place, to be changed in place.

    A Poisson process of about `per_minute`, more or less in a recording, thinned by `chance`, one or [samples].
    """
    size = potentials.shape[1]
    count = rng.poisson(per_minute * rng.lognormal(-0.2, 0.7) * size / RATE_HZ / 60)
    for start in np.sort(rng.uniform(0, size, count)).astype(int):
        end = start + int(RATE_HZ * rng.uniform(shortest_s, longest_s))
        if rng.uniform() < np.broadcast_to(chance, size)[start] and end <= size:
            yield potentials[:, start:end]


def _rhythm(rng, samples, hertz, irregularity=0.05):
    """Return a rhythm [samples] around `hertz`, its frequency and amplitude a little irregular."""
    phase = np.cumsum(2 * np.pi * hertz / RATE_HZ * (1 + irregularity * drift(rng, samples, 0.5)))
    # The second harmonic makes crests sharper than troughs, as in arched rhythms.
    wave = np.sin(phase + rng.uniform(0, 2 * np.pi)) + 0.25 * np.sin(2 * phase)
    return wave * np.exp(0.25 * drift(rng, samples, 0.7))


def add_transients(rng, traits, potentials):
    """Add single waves, and rhythms that are no seizures: stable in frequency, not spreading (Kane et al. 2017)."""
    asleep, awake, focus = traits["asleep"], 1 - traits["asleep"], (traits["focus"],)
    for piece in _moments(rng, potentials, asleep, 4, 0.5, 0.8):  # vertex waves
        wave = -np.diff(swell(piece.shape[1] + 1, 0.2)) * 30
        piece += np.outer(footprint(5, "CZ", "FZ"), rng.uniform(60, 160) * wave)
    for piece in _moments(rng, potentials, 0.4 + 0.6 * asleep, 4, 0.45, 0.55):  # interictal spikes, each with a wave
        t = np.arange(piece.shape[1]) / RATE_HZ
        spike = -np.exp(-0.5 * ((t - 0.1) / 0.02) ** 2) + 0.5 * np.exp(-0.5 * ((t - 0.28) / 0.07) ** 2)
        piece += np.outer(footprint(4, *focus), rng.uniform(60, 180) * spike)
    side = ("F7", "T7", "P7") if rng.uniform() < 0.5 else ("F8", "T8", "P8")
    bursts = (
        # chance, per minute, seconds, Hz, µV, footprint in cm, where
        (asleep, 6, (0.5, 2.5), (12, 14.5), (15, 50), 5, ("C3", "C4", "CZ")),  # spindles (Rechtschaffen & Kales 1968)
        (asleep, 8, (0.5, 3), (10.5, 12.5), (15, 60), 5, ("F3", "F4", "FZ")),  # slow ones, frontal (De Gennaro 2003)
        (awake, 7, (0.6, 4), (8, 11), (15, 60), 4, ("O1", "O2", "P3", "P4")),  # runs of alpha
        (awake, 3, (0.6, 3), (8, 12), (10, 35), 4, ("C3", "C4")),  # mu
        (4 * asleep * awake, 1.6, (2, 10), (3, 4.5), (60, 200), 7, ("FZ", "CZ")),  # hypnagogic hypersynchrony
        (4 * asleep * awake, 0.8, (4, 20), (4.5, 7), (40, 110), 4, side),  # RMTD
        (asleep, 0.8, (3, 12), (1.8, 3), (60, 200), 6, ("FP1", "FP2", "FZ")),  # frontal rhythmic delta
        (0.4 + 0.6 * asleep, 1.0, (5, 20), (2, 4.5), (80, 220), 7, ("F3", "F4", "T7", "T8", "CZ")),  # arousal
        (0.3 + 0.7 * asleep, 0.5, (4, 20), (1.5, 4), (60, 200), 6, focus),  # temporal delta (Geyer et al. 1999)
        (awake, 0.4, (3, 12), (2.5, 4), (50, 140), 5, ("O1", "O2")),  # posterior slow waves of youth
        (1, 0.9, (2, 10), (3, 8), (50, 160), 5, focus),  # BIRDs, faster than 4 Hz (Yoo et al. 2014), and slower ones
    )
    for chance, per_minute, seconds, hertz, microvolts, width_cm, places in bursts:
        for piece in _moments(rng, potentials, chance, per_minute, *seconds):
            reach = footprint(width_cm * rng.uniform(0.7, 1.4), *places)
            envelope = swell(samples := piece.shape[1], min(1, 0.4 * samples / RATE_HZ))
            wave = rng.uniform(*microvolts) * envelope * _rhythm(rng, samples, rng.uniform(*hertz))
            piece += np.outer(reach * rng.normal(1, 0.4, COUNT), wave)
    for piece in _moments(rng, potentials, 0.3 + 0.7 * asleep, 1.1, 5, 25):  # arousals: slow waves, muscle, movement
        slow = mix(7, noise(rng, piece.shape, around(rng.uniform(1.5, 4.5), 1.2)), traits["tilts"][1])
        piece += rng.uniform(15, 60) * swell(piece.shape[1], 1.5) * slow
        add_movement(rng, traits, piece, rng.uniform(20, 120))


def add_artefacts(rng, traits, potentials):
    """Add tonic EMG, the recorder's noise, hum, blinks, muscle, chewing, movement and pops (Tatum et al. 2011)."""
    size, seconds = potentials.shape, np.arange(potentials.shape[1]) / RATE_HZ
    tonic = np.exp(0.5 * drift(rng, size, 10)) * (1 - 0.6 * traits["asleep"]) * column(traits["muscle_uv"])
    potentials += mix(4, tonic * noise(rng, size, traits["emg"]), traits["tilts"][2])
    potentials += np.float32(0.3) * rng.standard_normal(size, dtype=np.float32)
    for hertz, microvolts in traits["hums"].items():
        potentials += column(microvolts) * np.sin(2 * np.pi * hertz * seconds).astype(np.float32)
    awake, jaws = 1 - traits["asleep"], ("T7", "T8", "F7", "F8")
    muscles = (("T7", "F7"), ("T8", "F8"), (*jaws, "FP1", "FP2"), ("O1", "O2", "P7", "P8"))  # the last, the neck's
    for piece in _moments(rng, potentials, awake, 9, 0.3, 0.45):  # Bell's phenomenon: positive at FP1, FP2
        piece += np.outer(footprint(4, "FP1", "FP2"), rng.uniform(60, 220) * np.hanning(piece.shape[1]) ** 1.5)
    for piece in _moments(rng, potentials, awake, 3, 0.3, 5):
        places = muscles[rng.integers(len(muscles))]
        add_muscle(rng, traits, piece, places, rng.uniform(10, 60), swell(piece.shape[1], 0.15))
    for piece in _moments(rng, potentials, awake, 0.3, 4, 15):  # chewing: muscle at the jaw's 1-2 Hz, tongue in delta
        jaw = _rhythm(rng, piece.shape[1], rng.uniform(1.2, 2), 0.1)
        add_muscle(rng, traits, piece, jaws, rng.uniform(20, 70), np.maximum(jaw, 0) ** 2)
        piece += np.outer(footprint(6, "FP1", "FP2"), rng.uniform(20, 80) * jaw * swell(len(jaw)))
    for piece in _moments(rng, potentials, 0.3 + 0.7 * awake, 1.0, 2, 10):
        add_movement(rng, traits, piece, rng.uniform(40, 240))
    for piece in _moments(rng, potentials, 1, 0.7, 1.5, 2.5):  # electrode pops: the high-pass lets them decay
        pop = rng.choice([-1, 1]) * rng.uniform(80, 300) * np.exp(-seconds[: piece.shape[1]] / rng.uniform(0.1, 0.4))
        piece[rng.integers(COUNT)] += pop


def add_muscle(rng, traits, potentials, places, microvolts, envelope):
    """Add EMG to `potentials` [21, samples], in place: in bursts; units under each electrode fire on their own."""
    reach = microvolts * footprint(4.5, *places) * np.exp(0.4 * rng.standard_normal(COUNT))
    bursts = 0.7 * np.exp(0.8 * drift(rng, len(envelope), 0.2))
    potentials += column(reach) * bursts * envelope * noise(rng, potentials.shape, traits["emg"])


def add_movement(rng, traits, potentials, microvolts):
    """Add swings of electrodes and their leads to `potentials` [21, samples], in place."""
    envelope = swell(potentials.shape[1], 1)
    swings = column(rng.uniform(0, 0.7, COUNT)) * noise(rng, potentials.shape, around(1.2, 0.8))
    potentials += microvolts * envelope * mix(7, swings)
    add_muscle(rng, traits, potentials, ("T7", "T8", "FP1", "FP2"), microvolts / 8, envelope)
