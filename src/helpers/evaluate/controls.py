"""Controls of event scores: what alarms score that know nothing of the EEG, by the same rules."""

import numpy as np
import pandas as pd

from helpers.acquire.annotations import COLUMNS
from helpers.evaluate import scores

DRAWS = 200


def score(found, annotations, seed=0, draws=DRAWS):
    """Return the event scores of three controls of the events `found` (see `scores.events`), as a list of dicts.

    ``always on`` is one event over each recording. ``random`` are as many events of the same durations at random
    places, ``rotated`` our own, those of a recording shifted round together by a random offset. Each has ``control``,
    ``name``, and ``f1``, ``sensitivity``, ``precision`` and ``fp_per_24h``, of the random ones means over draws where
    defined; these also ``low`` and ``high``, the middle 95 % of F1, and ``reached``, the share of draws whose F1 is at
    least ours, ours counted as one (Phipson & Smyth, Stat. Appl. Genet. Mol. Biol. 9:39, 2010).
    """
    ours, generator = scores.event_scores(found, annotations)["f1"] or 0, np.random.default_rng(seed)
    names, durations_s = list(annotations.durations_s), np.array(list(annotations.durations_s.values()))
    everywhere = pd.DataFrame(zip(names, np.zeros(len(names)), durations_s, strict=True), columns=COLUMNS)
    always = {"control": "always on", "name": "always on", **scores.event_scores(everywhere, annotations)}
    rows = [always | {"low": None, "high": None, "reached": None}]
    for control, name, move in (("random", "random alarms", _scatter), ("rotated", "our alarms, shifted", _rotate)):
        moved = [move(found, names, durations_s, generator) for _ in range(draws)]
        table = pd.DataFrame([scores.event_scores(events, annotations) for events in moved], dtype=float)
        f1 = table["f1"].fillna(0)
        means = {key: None if np.isnan(x := table[key].mean()) else float(x) for key in ("sensitivity", "precision")}
        means |= {"f1": float(f1.mean()), "fp_per_24h": float(table["fp_per_24h"].mean())}
        ends = dict(zip(("low", "high"), np.quantile(f1, [0.025, 0.975]).tolist(), strict=True))
        reached = float((1 + (f1 >= ours - 1e-9).sum()) / (1 + draws))
        rows.append({"control": control, "name": name, **means, **ends, "reached": reached})
    return rows


def _scatter(found, names, durations_s, generator):
    """Return as many events of the same durations, each at a random place of the recordings that are long enough."""
    rows = []
    for length_s in found["end_s"] - found["start_s"]:
        room_s = np.maximum(durations_s - length_s, 0)
        place = generator.choice(len(names), p=room_s / room_s.sum()) if room_s.any() else durations_s.argmax()
        start_s = generator.uniform(0, room_s[place])
        rows.append((names[place], start_s, start_s + length_s))
    return pd.DataFrame(rows, columns=COLUMNS)


def _rotate(found, names, durations_s, generator):
    """Return the events of each recording, shifted round by one random offset; one that passes the end goes on."""
    offset_s = dict(zip(names, generator.uniform(0, durations_s), strict=True))
    length_s = dict(zip(names, durations_s, strict=True))
    rows = []
    for row in found.itertuples():
        end_of = length_s[row.recording]
        start_s = (row.start_s + offset_s[row.recording]) % end_of
        end_s = start_s + row.end_s - row.start_s
        rows.append((row.recording, start_s, min(end_s, end_of)))
        if end_s > end_of:
            rows.append((row.recording, 0.0, end_s - end_of))
    return pd.DataFrame(rows, columns=COLUMNS).sort_values(["recording", "start_s"], ignore_index=True)
