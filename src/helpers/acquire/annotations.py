"""Annotations: when a patient's recordings had seizures, in one form for the whole study."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from helpers.study import files

COLUMNS = ["recording", "start_s", "end_s"]


@dataclass(frozen=True)
class Annotations:
    """The seizures of recordings, and how long each recording lasts."""

    seizures: pd.DataFrame  # a row each: recording, start_s, end_s, in seconds from the recording's first sample
    durations_s: dict  # recording → its length, those without a seizure too

    def __post_init__(self):
        """Raise ValueError if a seizure is of a recording that has no duration."""
        if unknown := sorted(set(self.seizures["recording"]) - set(self.durations_s)):
            raise ValueError(f"Seizures are listed for {', '.join(unknown)}, whose duration is not known.")

    @classmethod
    def read(cls, patient):
        """Read what the stage acquire left for a patient."""
        recordings, seizures = (
            files.read_table(files.stage_output(patient, "acquire", name))
            for name in ("recordings.csv", "seizures.csv")
        )
        return cls(seizures, dict(zip(recordings["recording"], recordings["duration_s"], strict=True)))

    @property
    def hours(self):
        """The length of all recordings together, in hours."""
        return sum(self.durations_s.values()) / 3600

    def select(self, recordings):
        """Return the annotations of some recordings alone, in the order given."""
        names = list(recordings)
        seizures = self.seizures[self.seizures["recording"].isin(names)]
        return Annotations(seizures, {name: self.durations_s[name] for name in names})

    @cached_property
    def _spans(self):
        ordered = self.seizures.sort_values("start_s")
        spans = ordered[["start_s", "end_s"]].to_numpy(float)
        return {name: spans[rows] for name, rows in ordered.groupby("recording").indices.items()}

    def spans(self, recording):
        """Return the seizures of one recording, float [seizure, 2], in s and in order."""
        return self._spans.get(recording, np.empty((0, 2)))


def overlap_s(start_s, end_s, spans):
    """Return for how many seconds each interval, `start_s` to `end_s` [interval], overlaps any of `spans`, float.

    `spans`, (start_s, end_s) each, are of the same recording; no two of them overlap.
    """
    start_s, end_s = np.asarray(start_s, float), np.asarray(end_s, float)
    total = np.zeros(np.broadcast(start_s, end_s).shape)
    for start, end in spans:
        total += np.clip(np.minimum(end_s, end) - np.maximum(start_s, start), 0, None)
    return total


def runs(flags):
    """Return the first index and the one after the last of each run of ones, int [run, 2]."""
    change = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(flags, int), [0]])))
    return change.reshape(-1, 2)
