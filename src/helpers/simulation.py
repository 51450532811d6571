"""The simulated patient: CHB-MIT's layout, physically modelled EEG, and the planted truth of each seizure.

Potentials arise at the 10-20 electrodes as sums of sources, each with a Gaussian footprint on the scalp; bipolar
channels are their differences, as in an EEG machine. So a pop shows in all channels of its electrode, and T8-P8 is
twice the same. Literature is cited at each component; the levels are set by statistics of real EEG of chb01.
"""

import zlib
from datetime import datetime, timedelta
from pathlib import Path

import mne
import numpy as np
import pandas as pd
from edfio import Edf, EdfSignal, Recording
from tqdm import tqdm

from helpers.files import whole, write_text

RATE_HZ = 256
CHANNELS = (
    *("FP1-F7", "F7-T7", "T7-P7", "P7-O1", "FP1-F3", "F3-C3", "C3-P3", "P3-O1", "FP2-F4", "F4-C4", "C4-P4", "P4-O2"),
    *("FP2-F8", "F8-T8", "T8-P8", "P8-O2", "FZ-CZ", "CZ-PZ", "P7-T7", "T7-FT9", "FT9-FT10", "FT10-T8", "T8-P8"),
)
ELECTRODES = tuple(dict.fromkeys(name for channel in CHANNELS for name in channel.split("-")))
PLANTED_COLUMNS = ["recording", "channel", "start_s", "end_s", "low_hz", "high_hz", "amplitude"]
PLUS, MINUS = (np.array([ELECTRODES.index(channel.split("-")[side]) for channel in CHANNELS]) for side in (0, 1))
BIT_UV = 0.05  # one step of the 16-bit converter; symmetric, so that P7-T7 stays -(T7-P7) in the file
LIMIT_UV = round(32767 * BIT_UV, 2)  # the amplifier saturates here; rounded, as EDF gives it 8 characters
FIRST_START = datetime(2000, 1, 1, 10, 0, 0)  # invented, and fixed: the files are the same bytes on each run
GAP_S = 7
NOTICEABLE_UV = 5  # planted rows below this drown in the background (10 µV RMS in the alpha band)
HARMONICS = 4


def simulate_patient(folder, patient, recordings, seed):
    """Write a simulated patient's EDF files, CHB-MIT summary and planted truth into `folder`.

    Parameters
    ----------
    folder : Path
        Made if absent; gets ``<recording>.edf``, ``<patient>-summary.txt`` and ``<patient>-planted.csv``.
    patient : str
        With `seed`, decides what is stable in the patient, such as the seizure focus.
    recordings : dict
        ``{name: {"duration_s": int, "seizures": [[start_s, end_s], ...]}}``, in the order of recording.
    seed : int

    Raises
    ------
    ValueError
        If the plan of a recording cannot be simulated; nothing is written then.
    """
    for name, plan in recordings.items():
        _check(name, plan["duration_s"], plan["seizures"])
    folder, planted, start = Path(folder), [], FIRST_START
    summary = [_summary_head()]
    for name, plan in tqdm(recordings.items(), desc=f"simulate {patient}", unit="recording"):
        eeg, rows = simulate_recording(patient, name, plan["duration_s"], plan["seizures"], seed)
        _write_edf(folder / f"{name}.edf", eeg, start)
        planted.append(rows)
        summary.append(_summary_entry(name, start, plan))
        start += timedelta(seconds=plan["duration_s"] + GAP_S)
    write_text(folder / f"{patient}-summary.txt", "\n".join(summary))
    write_text(folder / f"{patient}-planted.csv", pd.concat(planted).to_csv(index=False, lineterminator="\n"))


def simulate_recording(patient, name, duration_s, seizures, seed):
    """Simulate one recording; it depends on its own arguments only, so recordings may be made in parallel.

    Parameters
    ----------
    patient, name : str
        Patient and recording; each seeds its own random generator together with `seed`.
    duration_s : int
    seizures : list of [start_s, end_s]
        In seconds from the recording's start, in order, not overlapping.
    seed : int

    Returns
    -------
    eeg : float64 [23, duration_s * 256], µV
        Channels in the order of `CHANNELS`.
    planted : DataFrame
        A row for each channel, second and frequency band that carries the seizure: `recording`, `channel`,
        `start_s`, `end_s`, `low_hz`, `high_hz`, `amplitude` (µV RMS of that wave there, at least `NOTICEABLE_UV`).
        Bands are those of the fast onset, the rhythm, its harmonics, and the irregular slow activity about it; they
        may overlap. Muscle, movement and slowing afterwards only accompany a seizure, and are not planted.

    Raises
    ------
    ValueError
        If the duration is no positive whole number, or a seizure is reversed, outside, not in whole seconds, or
        overlaps another.
    """
    _check(name, duration_s, seizures)
    rng, traits = _generator(seed, patient, name), _traits(seed, patient)
    asleep = _sleep_depth(rng, int(duration_s))
    potentials = _background(rng, traits, asleep)
    _add_graphoelements(rng, traits, asleep, potentials)
    _add_rhythmic_bursts(rng, traits, asleep, potentials)
    _add_artefacts(rng, asleep, potentials)
    planted = [_add_seizure(rng, traits, potentials, *seizure) for seizure in seizures]
    eeg = np.clip(potentials[PLUS] - potentials[MINUS], -LIMIT_UV, LIMIT_UV)
    rows = pd.DataFrame([row for rows in planted for row in rows], columns=PLANTED_COLUMNS[1:])
    rows.insert(0, "recording", name)
    return eeg, rows


def _check(name, duration_s, seizures):
    """Raise ValueError if a recording's plan cannot be simulated, saying what to change."""
    if duration_s != int(duration_s) or duration_s <= 0:
        raise ValueError(
            f"{name}: duration_s is {duration_s}; EDF holds whole seconds. Give a whole number greater than 0."
        )
    free_from = 0
    for start_s, end_s in seizures:
        if not 0 <= start_s < end_s <= duration_s:
            raise ValueError(
                f"{name}: seizure [{start_s}, {end_s}] does not lie within the recording of {duration_s} s. "
                f"Give [start, end] in seconds with 0 <= start < end <= {duration_s}."
            )
        if start_s != int(start_s) or end_s != int(end_s):
            raise ValueError(
                f"{name}: seizure [{start_s}, {end_s}] is not in whole seconds, and a CHB-MIT summary holds no others. "
                "Round its start and end."
            )
        if start_s < free_from:
            raise ValueError(
                f"{name}: seizure [{start_s}, {end_s}] starts before the one ahead of it ends, at {free_from} s. "
                "Give seizures in order of time, not overlapping."
            )
        free_from = end_s


def _generator(seed, *names):
    """Return a random generator for these names: crc32, as Python's own hash differs between runs."""
    return np.random.default_rng(np.random.SeedSequence([seed, *(zlib.crc32(name.encode()) for name in names)]))


# --- The head: electrodes, footprints, noise -------------------------------------------------------------------------


def _positions_cm():
    """Return electrode positions [21, 3] in cm: MNE's colin27_1020 montage."""
    montage = mne.channels.make_standard_montage("colin27_1020").get_positions()["ch_pos"]
    by_name = {name.upper(): position for name, position in montage.items()}
    return 100 * np.array([by_name[name] for name in ELECTRODES])


_POSITIONS_CM = _positions_cm()
_DISTANCES_CM = np.sqrt(((_POSITIONS_CM[:, None] - _POSITIONS_CM[None]) ** 2).sum(-1))
_ALIKE = np.exp(-0.5 * (_DISTANCES_CM / 7) ** 2)  # mixes independent values into spatially smooth ones
_ALIKE /= np.sqrt((_ALIKE**2).sum(axis=1, keepdims=True))


def _footprint(width_cm, *centres):
    """Return the scalp field [21] of sources under `centres`: Gaussian, 1 at its centre (volume conduction)."""
    nearest = _DISTANCES_CM[[ELECTRODES.index(name) for name in centres]].min(axis=0)
    return np.exp(-0.5 * (nearest / width_cm) ** 2)


def _noise(rng, samples, shape):
    """Return Gaussian noise [samples] of unit variance whose amplitude spectrum is ``shape(f in Hz)``."""
    padded = samples + RATE_HZ  # so that the end of a piece does not run on into its start
    gain = shape(np.fft.rfftfreq(padded, 1 / RATE_HZ))
    gain[0] = 0
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(padded)) * gain, padded)[:samples]
    return noise / np.sqrt((gain**2).mean())


def _around(centre_hz, width_hz):
    """Return a Gaussian amplitude spectrum, for `_noise`."""
    return lambda f: np.exp(-0.5 * ((f - centre_hz) / width_hz) ** 2)


def _muscle_spectrum(f):
    """Return EMG's amplitude spectrum: from 20 Hz on, broad, up to 100 Hz (Goncharova et al. 2003)."""
    return 1 / (1 + (20 / np.maximum(f, 1)) ** 4) / (1 + (f / 90) ** 4)


def _drift(rng, samples, seconds):
    """Return a slow random course [samples] of about unit variance, within ±2, that turns every `seconds`."""
    knots = np.arange(0, samples / RATE_HZ + 2 * seconds, seconds)
    courses = rng.uniform(-2, 2, len(knots))  # bounded, so that amplitudes stay plausible
    return np.interp(np.arange(samples) / RATE_HZ, knots, courses)


def _alike(independent):
    """Mix independent values [21, ...] of unit variance into values alike at neighbouring electrodes."""
    return np.einsum("es,s...->e...", _ALIKE, independent)  # no BLAS: its sums depend on the number of threads


def _field(rng):
    """Return a smooth random scalp field [21] of unit variance."""
    return _alike(rng.standard_normal(len(ELECTRODES)))


def _wander(rng, samples):
    """Return slow random courses [21, samples], alike at neighbours."""
    return _alike(np.array([_drift(rng, samples, 1) for _ in ELECTRODES]))


def _swell(samples, edge_s=0.5):
    """Return an envelope [samples] that rises and falls smoothly within `edge_s` at its ends."""
    edge = np.minimum(np.arange(samples), np.arange(samples)[::-1]) / (edge_s * RATE_HZ)
    return np.sin(np.pi / 2 * np.clip(edge, 0, 1)) ** 2


# --- Background ------------------------------------------------------------------------------------------------------


def _traits(seed, patient):
    """Return what stays the same from one recording of a patient to the next."""
    rng = _generator(seed, patient)
    return {
        "focus": str(rng.choice(["F7", "T7", "F8", "T8", "F3", "F4"])),
        "alpha_hz": rng.uniform(8.5, 10),
        "onset_hz": rng.uniform(6, 8),
        "end_hz": rng.uniform(2.2, 2.8),
        "pattern": _field(rng),  # how strongly the rhythm shows at each electrode
        "mains_uv": rng.uniform(0.5, 3, len(ELECTRODES)),  # by the electrode's impedance
    }


def _sleep_depth(rng, duration_s):
    """Return how deeply the patient sleeps [samples], from 0 (awake) to 1 (slow-wave sleep)."""
    samples = duration_s * RATE_HZ
    return 1 / (1 + np.exp(-2 * (rng.normal(-0.4, 0.8) + 0.7 * _drift(rng, samples, 90))))


def _background(rng, traits, asleep):
    """Return the ongoing potentials [21, samples] in µV: 1/f activity, alpha, slow waves, tonic EMG, mains."""
    samples = len(asleep)
    potentials = np.zeros((len(ELECTRODES), samples))
    # Aperiodic activity with a knee, 1 / (k + f^x) (Donoghue et al. 2020), and the slow waves of sleep (Steriade et
    # al. 1993), which reach wider; a source of each under each electrode.
    aperiodic = 25 * np.exp(0.4 * _drift(rng, samples, 25))
    slow_waves = (12 + 26 * asleep) * np.exp(0.6 * _drift(rng, samples, 12))
    for centre in ELECTRODES:
        regional = np.exp(0.5 * _drift(rng, samples, 15))
        source = aperiodic * regional * _noise(rng, samples, lambda f: 1 / (1 + (f / 4.5) ** 3.4) ** 0.5)
        potentials += np.outer(_footprint(5, centre), source)
        potentials += np.outer(_footprint(8, centre), slow_waves * regional * _noise(rng, samples, _around(1.2, 0.8)))
    # Posterior alpha, waxing and waning, gone in sleep (Niedermeyer & Lopes da Silva 2005, ch. 9).
    for place in ("O1", "O2", "P3", "P4"):
        alpha = _noise(rng, samples, _around(traits["alpha_hz"], 0.6)) * np.exp(0.4 * _drift(rng, samples, 8))
        potentials += np.outer(_footprint(4, place), 16 * (1 - asleep) * alpha)
    time = np.arange(samples) / RATE_HZ
    for row, mains_uv in zip(potentials, traits["mains_uv"], strict=True):
        tonic = 1.2 * np.exp(0.8 * _drift(rng, samples, 10)) * (1 - 0.6 * asleep)
        row += tonic * _noise(rng, samples, _muscle_spectrum) + 0.4 * rng.standard_normal(samples)
        row += mains_uv * np.sqrt(2) * np.sin(2 * np.pi * 60 * time)
    return potentials


def _moments(rng, chance, per_minute, shortest_s, longest_s):
    """Yield slices of a recording where an event takes place.

    Events form a Poisson process of `per_minute`, thinned by `chance` [samples], such as the depth of sleep.
    """
    for start in np.sort(rng.uniform(0, len(chance), rng.poisson(per_minute * len(chance) / RATE_HZ / 60))).astype(int):
        length = int(RATE_HZ * rng.uniform(shortest_s, longest_s))
        if rng.uniform() < chance[start] and start + length <= len(chance):
            yield slice(start, start + length)


def _add_graphoelements(rng, traits, asleep, potentials):
    """Add single waves: spindles, vertex waves, and interictal spike-and-waves at the focus."""
    for when in _moments(rng, asleep, 5, 0.6, 1.6):  # sigma bursts, central (Rechtschaffen & Kales 1968)
        spindle = _swell(when.stop - when.start, 0.4) * _sine(rng, when, rng.uniform(11.5, 14.5))
        potentials[:, when] += np.outer(_footprint(5, "C3", "C4", "CZ"), rng.uniform(15, 35) * spindle)
    for when in _moments(rng, asleep, 4, 0.5, 0.8):
        wave = -np.diff(_swell(when.stop - when.start + 1, 0.2)) * 30
        potentials[:, when] += np.outer(_footprint(5, "CZ", "FZ"), rng.uniform(60, 160) * wave)
    for when in _moments(rng, 0.4 + 0.6 * asleep, 4, 0.45, 0.55):  # 70 ms spike, then a wave (Kane et al. 2017)
        t = np.arange(when.stop - when.start) / RATE_HZ
        spike = -np.exp(-0.5 * ((t - 0.1) / 0.02) ** 2) + 0.5 * np.exp(-0.5 * ((t - 0.28) / 0.07) ** 2)
        potentials[:, when] += np.outer(_footprint(4, traits["focus"]), rng.uniform(60, 180) * spike)


def _sine(rng, when, hertz):
    """Return a rhythm [samples of `when`] around `hertz`, its frequency and amplitude a little irregular."""
    samples = when.stop - when.start
    phase = 2 * np.pi * np.cumsum(hertz * (1 + 0.05 * _drift(rng, samples, 0.5))) / RATE_HZ
    # The second harmonic makes crests sharper than troughs, as in arched rhythms.
    wave = np.sin(phase + rng.uniform(0, 2 * np.pi)) + 0.25 * np.sin(2 * phase)
    return wave * np.exp(0.25 * _drift(rng, samples, 0.7))


def _add_rhythmic_bursts(rng, traits, asleep, potentials):
    """Add rhythms that are no seizures: stable in frequency, not spreading (Kane et al. 2017; Westmoreland 1998)."""
    left, right = ("F7", "T7", "P7"), ("F8", "T8", "P8")
    drowsy = 4 * asleep * (1 - asleep)
    bursts = (
        # chance, per minute, seconds, Hz, µV, footprint in cm, where
        (drowsy, 1.2, (2, 10), (3, 4.5), (60, 200), 7, ("FZ", "CZ")),  # hypnagogic hypersynchrony
        (drowsy, 0.6, (4, 20), (4.5, 7), (40, 110), 4, left if rng.uniform() < 0.5 else right),  # RMTD
        (asleep, 0.8, (3, 12), (1.8, 3), (60, 200), 6, ("FP1", "FP2", "FZ")),  # frontal rhythmic delta
        (0.4 + 0.6 * asleep, 0.7, (5, 20), (2, 4.5), (80, 220), 7, ("F3", "F4", "T7", "T8", "CZ")),  # arousal
        (1 - asleep, 0.4, (3, 12), (2.5, 4), (50, 140), 5, ("O1", "O2")),  # posterior slow waves of youth
        (drowsy, 0.4, (3, 12), (8, 11), (25, 60), 6, ("FZ", "C3", "C4")),  # arousal alpha
        (np.ones(len(asleep)), 0.9, (2, 10), (3, 8), (50, 160), 5, (traits["focus"],)),  # BIRDs (Yoo et al. 2014)
    )
    for chance, per_minute, seconds, hertz, microvolts, width_cm, places in bursts:
        for when in _moments(rng, chance, per_minute, *seconds):
            wave = rng.uniform(*microvolts) * _swell(when.stop - when.start, 1) * _sine(rng, when, rng.uniform(*hertz))
            potentials[:, when] += np.outer(_footprint(width_cm, *places) * rng.normal(1, 0.4, len(ELECTRODES)), wave)


# --- Artefacts -------------------------------------------------------------------------------------------------------


def _add_artefacts(rng, asleep, potentials):
    """Add blinks, muscle, chewing, movement and electrode pops (Tatum et al. 2011)."""
    awake = 1 - asleep
    for when in _moments(rng, awake, 9, 0.3, 0.45):  # Bell's phenomenon: positive at FP1, FP2
        blink = np.hanning(when.stop - when.start) ** 1.5
        potentials[:, when] += np.outer(_footprint(4, "FP1", "FP2"), rng.uniform(60, 220) * blink)
    for when in _moments(rng, awake, 2.5, 1, 10):
        places = [("T7", "F7"), ("T8", "F8"), ("T7", "T8", "F7", "F8", "FP1", "FP2")][rng.integers(3)]
        _add_muscle(rng, potentials[:, when], places, rng.uniform(10, 60), _swell(when.stop - when.start))
    for when in _moments(rng, awake, 0.4, 4, 15):  # chewing: muscle bursts at the jaw's 1-2 Hz, tongue in delta
        jaw = np.sin(_phase(rng, when, rng.uniform(1.2, 2)))
        _add_muscle(rng, potentials[:, when], ("T7", "T8", "F7", "F8"), rng.uniform(20, 70), np.maximum(jaw, 0) ** 2)
        potentials[:, when] += np.outer(_footprint(6, "FP1", "FP2"), rng.uniform(20, 80) * jaw * _swell(len(jaw)))
    for when in _moments(rng, 0.3 + 0.7 * awake, 1.3, 2, 10):
        _add_movement(rng, potentials[:, when], rng.uniform(40, 240))
    for when in _moments(rng, np.ones(len(awake)), 0.7, 1.5, 2.5):  # a step that the high-pass lets decay
        t = np.arange(when.stop - when.start) / RATE_HZ
        pop = rng.choice([-1, 1]) * rng.uniform(80, 300) * np.exp(-t / rng.uniform(0.1, 0.4))
        potentials[rng.integers(len(ELECTRODES)), when] += pop


def _phase(rng, when, hertz):
    """Return the phase [samples of `when`] of a slightly irregular rhythm."""
    return 2 * np.pi * np.cumsum(hertz * (1 + 0.1 * _drift(rng, when.stop - when.start, 1))) / RATE_HZ


def _add_muscle(rng, potentials, places, microvolts, envelope):
    """Add EMG to `potentials` [21, samples], in place: independent at each electrode, as muscle units are."""
    for row, reach in zip(potentials, _footprint(4.5, *places), strict=True):
        row += microvolts * reach * envelope * _noise(rng, len(envelope), _muscle_spectrum)


def _add_movement(rng, potentials, microvolts):
    """Add swings of electrodes and their leads to `potentials` [21, samples], in place."""
    envelope = _swell(potentials.shape[1], 1)
    swings = np.array([rng.uniform(0, 1) * _noise(rng, len(envelope), _around(1.2, 0.8)) for _ in ELECTRODES])
    potentials += microvolts * envelope * _alike(swings)
    _add_muscle(rng, potentials, ("T7", "T8", "FP1", "FP2"), microvolts / 8, envelope)


# --- Seizures --------------------------------------------------------------------------------------------------------


def _add_seizure(rng, traits, potentials, start_s, end_s):
    """Add a seizure to `potentials` [21, samples], in place, and return its planted rows.

    It starts at the patient's focus, low in voltage, spreads, slows down and grows into spike-and-wave (Gotman 1982;
    Kane et al. 2017), with muscle and movement, and is followed by slowing.
    """
    when = slice(int(round(start_s * RATE_HZ)), int(round(end_s * RATE_HZ)))
    samples = when.stop - when.start
    strength, rows = rng.uniform(0.4, 1.4), []
    if rng.uniform() < 0.5:  # electrodecrement and low-voltage fast activity (Fisher et al. 1992)
        seconds = np.arange(samples) / RATE_HZ
        potentials[:, when] *= 1 - 0.5 * np.exp(-0.5 * ((seconds - 2) / 0.9) ** 2)
        fast, fast_hz = _fast_onset(traits, samples)
        rows += _plant(fast, fast_hz, 0.5, start_s, end_s)
        potentials[:, when] += fast
    growth, reach = _spread(rng, traits, samples, strength)
    for wave, hertz, half_width_hz in _ictal_waves(rng, traits, growth, reach):
        rows += _plant(wave, hertz, half_width_hz, start_s, end_s)
        potentials[:, when] += wave
    _add_ictal_artefacts(rng, potentials[:, when], strength)
    _add_postictal(rng, traits, potentials[:, when.stop :], strength)
    return rows


def _fast_onset(traits, samples):
    """Return low-voltage fast activity [21, samples] in µV at the focus, and its frequency [samples] in Hz."""
    progress = np.arange(samples) / samples
    hertz = 20 - 30 * np.minimum(progress, 0.2)
    microvolts = 15 * np.outer(_footprint(4, traits["focus"]), np.exp(-0.5 * ((progress - 0.08) / 0.05) ** 2))
    return microvolts * np.sin(2 * np.pi * np.cumsum(hertz) / RATE_HZ), hertz


def _spread(rng, traits, samples, strength):
    """Return how far the seizure has grown [21, samples] in µV, and which share of it an electrode shows [21].

    It arrives at an electrode the later the farther from the focus, and elsewhere shows with either polarity.
    """
    time, seconds = np.arange(samples) / RATE_HZ, samples / RATE_HZ
    distance_cm = _DISTANCES_CM[ELECTRODES.index(traits["focus"])]
    arrival_s = 1 + distance_cm / distance_cm.max() * seconds * rng.uniform(0.15, 0.35)
    arrived = 1 / (1 + np.exp(-(time - arrival_s[:, None] - 1)))
    course = (0.35 + 0.65 * np.minimum(2 * time / seconds, 1)) * np.clip((seconds - time) / 0.5, 0, 1)
    elsewhere = np.clip(strength - 0.3, 0.2, 0.8)  # a weak seizure stays local
    reach = (traits["pattern"] + 0.5 * _field(rng)) * elsewhere + (1 - elsewhere) * _footprint(5, traits["focus"])
    return 205 * strength * arrived * course, reach


def _ictal_waves(rng, traits, growth, reach):
    """Yield the seizure's waves [21, samples] in µV, their frequency [samples] and half their bandwidth in Hz.

    A rhythm with its harmonics, from theta down to 2-3 Hz, and irregular slow activity about it.
    """
    samples = growth.shape[1]
    progress = np.arange(samples) / samples
    onset_hz, end_hz = traits["onset_hz"] + rng.uniform(-1, 1), traits["end_hz"] + rng.uniform(-0.3, 0.3)
    hertz = (end_hz + (onset_hz - end_hz) * np.exp(-4 * progress)) * (1 + 0.1 * _drift(rng, samples, 0.5))
    lag_s = _DISTANCES_CM[ELECTRODES.index(traits["focus"])] * rng.uniform(0.001, 0.003)
    phase = 2 * np.pi * (np.cumsum(hertz) / RATE_HZ - hertz * lag_s[:, None])
    phase += 0.7 * _wander(rng, samples)  # synchrony is never perfect
    envelope = growth * reach[:, None] * np.exp(0.4 * _wander(rng, samples))
    sharpness = 0.35 + 0.1 * progress  # of the waveform: the share of each harmonic in the one before
    for harmonic in range(1, HARMONICS + 1):
        # Half a hertz to each side: a rhythm seen for a second is no narrower.
        yield envelope * np.cos(harmonic * phase) * sharpness ** (harmonic - 1), harmonic * hertz, 0.5
    slow = _alike(np.array([_noise(rng, samples, _around(2.5, 1.4)) for _ in ELECTRODES]))
    local = 0.4 + 0.6 * _footprint(7, traits["focus"])
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
    rise = np.clip(np.arange(samples) / samples * 3 - rng.uniform(0.2, 0.7), 0, 1) * _swell(samples, 1)
    _add_muscle(rng, potentials, ("T7", "T8", "F7", "F8", "FP1", "FP2"), rng.uniform(2, 70) * strength, rise)
    _add_movement(rng, potentials[:, samples // 4 :], rng.uniform(20, 100) * strength)


def _add_postictal(rng, traits, potentials, strength):
    """Add slowing after a seizure to `potentials` [21, samples], in place; it decays (So & Blume 2010)."""
    samples = min(potentials.shape[1], int(RATE_HZ * rng.uniform(20, 60)))
    decay = np.exp(-2 * np.arange(samples) / max(samples, 1)) * _swell(2 * samples)[:samples]
    for row, reach in zip(potentials, 0.4 + 0.6 * _footprint(7, traits["focus"]), strict=True):
        row[:samples] *= 1 - 0.4 * decay
        row[:samples] += 90 * strength * reach * decay * _noise(rng, samples, _around(1.5, 0.7))


# --- CHB-MIT's files -------------------------------------------------------------------------------------------------


def _write_edf(path, eeg, start):
    """Write `eeg` [23, samples] in µV as EDF, 16 bit, one-second data records."""
    scale = {"physical_range": (-LIMIT_UV, LIMIT_UV), "digital_range": (-32767, 32767)}
    signals = [
        EdfSignal(row, RATE_HZ, label=channel, physical_dimension="uV", **scale)
        for channel, row in zip(CHANNELS, eeg, strict=True)
    ]
    about = Recording(startdate=start.date(), equipment_code="simulated")
    edf = Edf(signals, recording=about, starttime=start.time(), data_record_duration=1)
    with whole(path) as partial:
        edf.write(partial)


def _summary_head():
    """Return the head of a CHB-MIT summary: sampling rate and channels."""
    lines = [f"Data Sampling Rate: {RATE_HZ} Hz", "*" * 25, "", "Channels in EDF Files:", "*" * 22]
    return "\n".join([*lines, *(f"Channel {i}: {channel}" for i, channel in enumerate(CHANNELS, 1)), ""])


def _summary_entry(name, start, plan):
    """Return a recording's entry in a CHB-MIT summary, whose hours run on past 24 as the database's do."""
    begun = int((start - FIRST_START.replace(hour=0)).total_seconds())
    first, last = (f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in (begun, begun + int(plan["duration_s"])))
    lines = [f"File Name: {name}.edf", f"File Start Time: {first}", f"File End Time: {last}"]
    lines.append(f"Number of Seizures in File: {len(plan['seizures'])}")
    for i, (start_s, end_s) in enumerate(plan["seizures"], 1):
        lines += [f"Seizure {i} Start Time: {start_s} seconds", f"Seizure {i} End Time: {end_s} seconds"]
    return "\n".join([*lines, ""])
