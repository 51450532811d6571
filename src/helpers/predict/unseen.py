"""What the networks have not seen: how a recording differs from those of the study that they were trained on."""

from functools import cache

import numpy as np
import pandas as pd

from helpers.acquire import montages, quality
from helpers.preprocess import spectrograms
from helpers.study import files
from helpers.study.bands import BANDS, band_masks

BEYOND_DB = 3.0  # a factor of 2 in power, beyond all recordings of the study


def differences(patient, axis, examined, mean_power):
    """List how a recording differs from a study's: a table of ``what``, ``here`` and ``in the study``.

    The rate, and how the channels were had, differ if no recording of the study has the same. A channel's power in a
    band is its mean over time in dB; its distance is how far it lies above the highest or below the lowest of the
    study's recordings, and is told beyond `BEYOND_DB`. Then what `quality.warnings` says of the recording.

    `axis`, `examined` and `mean_power` are those of a `detector.Prediction`.
    """
    recordings, header = files.read_table(files.stage_output(patient, "acquire", "recordings.csv")), examined.header
    rows, step = [], max(1, round(1 / axis["hop_s"]))  # a column a second says the same as all
    montage, rates = montages.describe(header.montage, header.labels), recordings["sampling_hz"]
    if header.sampling_hz not in set(rates):
        rows.append(("sampling rate", f"{header.sampling_hz:g} Hz", f"{rates.iloc[0]:g} Hz"))
    if montage not in set(recordings["montage"]):
        rows.append(("channels", montage, "; ".join(recordings["montage"].unique())))
    folder = files.stage_output(patient, "preprocess", "spectrograms")
    known = [band_means(power, axis) for power in _mean_powers(folder, tuple(recordings["recording"]), step)]
    low, here, high = np.min(known, axis=0), band_means(mean_power, axis), np.max(known, axis=0)
    for number, (band, (name, *_)) in enumerate(BANDS.items()):
        for distance, word in ((here - high, "above the highest"), (low - here, "below the lowest")):
            if count := int((distance[number] > BEYOND_DB).sum()):
                worst = int(distance[number].argmax())
                found = f"up to {distance[number, worst]:.1f} dB {word}, in {count} of {len(here[number])} channels"
                span = f"{low[number, worst]:.1f} to {high[number, worst]:.1f} dB".replace("-", "−")
                rows.append((f"power of {band}, {name}", found, f"{axis['channels'][worst]}: {span}"))
    for _, channel, what, value in quality.warnings({header.file: examined}):
        rows.append((f"{what}, {channel}" if channel else what, value, ""))
    return pd.DataFrame(rows, columns=["what", "here", "in the study"])


def in_words(found):
    """Return a table of `differences` as one phrase; of what a warning says of channels, which these are."""
    said = {}
    for what, here, there in found.itertuples(index=False):
        if not there:
            what, _, channel = what.partition(", ")
            here = here if channel == "all" else channel
        said.setdefault(what, []).append(here)
    return "; ".join(f"{what}: {', '.join(parts)}" for what, parts in said.items()) or "nothing"


@cache  # clips are many, and the study's hours the same
def _mean_powers(folder, names, step):
    powers = spectrograms.open_spectrogram(folder, names).values()
    return [power[:, :, ::step].mean(axis=2, dtype=np.float64) for power in powers]


def band_means(power, axis):
    """Return the mean of log power [C, F] over the bins of each band: [band, C] in dB."""
    return np.array([power[:, mask].mean(axis=1) for mask in band_masks(np.array(axis["frequencies_hz"])).values()])
