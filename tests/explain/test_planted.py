"""Planted truth: cells and scores worked out by hand, and a plain loop over cells."""

from collections import namedtuple

import numpy as np
import pandas as pd
import pytest

from helpers.explain import planted

Sample = namedtuple("Sample", ["recording", "column"])
AXIS = {
    "window_s": 1.0, "hop_s": 0.5, "frame_columns": 4, "frequencies_hz": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    "channels": ["F7-T7", "T8-P8", "FZ-CZ"],
}  # fmt: skip
SAMPLE = Sample("a", 2)  # middles of its 12 columns: 1.25, 1.75, … 6.75 s


def table(*rows):
    return pd.DataFrame(rows, columns=planted.COLUMNS)


def cells(amplitude):
    """Return the planted cells as {(step, channel, bin, column): amplitude}."""
    return {tuple(map(int, where)): float(amplitude[tuple(where)]) for where in np.argwhere(amplitude)}


@pytest.mark.parametrize(
    ("start_s", "end_s", "low_hz", "high_hz", "bins", "columns"),
    [
        (2.0, 3.0, 2.6, 3.4, [2], [(0, 2), (0, 3)]),  # the bin of 3 Hz, 2.5–3.5; columns at 2.25 and 2.75 s
        (3.0, 4.0, 2.4, 3.4, [1, 2], [(1, 0), (1, 1)]),  # also 2 Hz, which reaches to 2.5; the first of t1
        (2.3, 2.7, 2.6, 3.4, [], []),  # between two middles
        (2.25, 2.75, 2.6, 3.4, [2], [(0, 2)]),  # from one to the next: the first alone
        (0.0, 1.3, 2.6, 3.4, [2], [(0, 0)]),  # begins before the triptych
        (6.6, 9.0, 2.6, 3.4, [2], [(2, 3)]),  # ends after it
        (0.0, 1.0, 2.6, 3.4, [], []),  # before it
        (7.0, 8.0, 2.6, 3.4, [], []),  # after it
        (2.0, 3.0, 0.0, 0.4, [], []),  # below the bins
        (2.0, 3.0, 6.6, 9.0, [], []),  # above
    ],
)
def test_a_row_lands_on_its_cells_and_no_other(start_s, end_s, low_hz, high_hz, bins, columns):
    """A column belongs to the seconds that its middle lies in, a bin to the bands that half a bin about it reaches."""
    rows = table(("a", "T8-P8", start_s, end_s, low_hz, high_hz, 7.5))
    found = planted.amplitudes(rows, SAMPLE, AXIS)
    assert found.shape == (3, 3, 6, 4) and found.dtype == np.float32
    assert cells(found) == {(step, 1, row, column): 7.5 for row in bins for step, column in columns}


def test_the_strongest_of_overlapping_rows_counts():
    """8 µV in 2–4 s and 20 µV in 3–5 s, either first: 8, 20, 20; T8-P8, recorded twice, has its rows twice."""
    rows = [("a", "T8-P8", 2.0, 4.0, 2.6, 3.4, 8.0), ("a", "T8-P8", 3.0, 5.0, 2.6, 3.4, 20.0)]
    expected = dict.fromkeys([(0, 1, 2, 2), (0, 1, 2, 3)], 8.0)
    expected |= dict.fromkeys([(1, 1, 2, 0), (1, 1, 2, 1), (1, 1, 2, 2), (1, 1, 2, 3)], 20.0)
    for several in (rows, rows[::-1], rows + rows):
        assert cells(planted.amplitudes(table(*several), SAMPLE, AXIS)) == expected


def test_other_recordings_and_channels_are_ignored():
    """Another recording's seizure, and P7-T7, which is recorded and not studied; nothing planted is all zero."""
    rows = table(("b", "T8-P8", 2.0, 3.0, 2.6, 3.4, 8.0), ("a", "P7-T7", 2.0, 3.0, 2.6, 3.4, 8.0))
    assert not planted.amplitudes(rows, SAMPLE, AXIS).any()
    assert planted.amplitudes(rows, Sample("b", 2), AXIS).any()
    assert planted.amplitudes(table(), SAMPLE, AXIS).shape == (3, 3, 6, 4)


def test_masks_by_hand():
    """Channel 0 has 8 µV in two of its 8 cells: 8/√4 = 4 RMS. Channel 1 has 4 there: 2, just half of it. Channel 2 has
    5.6 in one other cell: 5.6/√8 = 1.98, too little. Channel 3 has nothing."""
    amplitude = np.zeros((1, 4, 2, 4), np.float32)
    amplitude[0, 0, 1, 1:3], amplitude[0, 1, 1, 1:3], amplitude[0, 2, 0, 3] = 8, 4, 5.6
    cells, channels = planted.masks(amplitude)
    assert cells.tolist() == [[[False, False, False, True], [False, True, True, False]]]
    assert channels.tolist() == [True, True, False, False]
    assert not any(mask.any() for mask in planted.masks(np.zeros((3, 4, 2, 4), np.float32)))


@pytest.mark.parametrize(
    ("relevance", "truth", "auc", "precision"),
    [
        ([[4, 3, 2, 1]], [[1, 1, 0, 0]], 1, 1),
        ([[1, 2, 3, 4]], [[1, 1, 0, 0]], 0, 0),
        ([[2, 2, 3, -1]], [[1, 0, 0, 1]], 0.5 / 4, 0.5 / 2),  # of the two highest one is not planted, one of two ties
        ([[3, 3, 1, 3]], [[1, 0, 0, 1]], 3 / 4, 2 / 3),  # two of three ties; pairs ½ 1 ½ 1
        ([[5, 5, 5, 5]], [[1, 0, 0, 0]], 0.5, 1 / 4),  # blind
        ([[4, 3, 2, 1]], [[1, 1, 1, 1]], np.nan, np.nan),
        ([[4, 3, 2, 1]], [[0, 0, 0, 0]], np.nan, np.nan),
        # 9 over 8 0 0: 3 of 3 pairs; 5 and 4 against 6 and 4: 1½ of 4, of the two highest 6 and 5 one; no pair
        ([[9, 8, 0, 0], [5, 4, 6, 4], [1, 1, 1, 1]], [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]], 4.5 / 7, 2 / 3),
    ],
)
def test_score_by_hand(relevance, truth, auc, precision):
    """Pairs in order within groups, and as many of the highest cells of each group as are planted in it."""
    found = planted.score(np.array(relevance, float), np.array(truth, bool))
    assert list(found) == list(planted.SCORES)
    assert found == pytest.approx({"auc": auc, "precision": precision}, nan_ok=True)


def test_chance_is_what_blind_maps_score_on_average():
    """0.5, and the share planted of each group: 5 of 8, none of the next and 2 of 8, on average over those planted
    (25 + 4)/8 of 7: 2000 random maps have it on average, and so has a flat one."""
    truth, generator = np.zeros((3, 8), bool), np.random.default_rng(0)
    truth[0, :5], truth[2, 6:] = True, True
    many = pd.DataFrame([planted.score(generator.random(truth.shape), truth) for _ in range(2000)])
    assert many.mean().to_numpy() == pytest.approx([0.5, 29 / 8 / 7], abs=0.02)
    assert list(planted.score(np.ones(truth.shape), truth).values()) == pytest.approx([0.5, 29 / 8 / 7])


@pytest.fixture
def truth():
    """Planted at t1, from its second column on, and t2, in channels 0 and 2 of 4 and in the lowest two bins of 5."""
    cells = np.zeros((3, 5, 4), bool)
    cells[1, :2, 2:] = cells[2, :2] = True
    return cells, np.array([True, False, True, False])


def scores(relevance, truth):
    return {along: planted.score(*pair)["auc"] for along, pair in planted.groups(relevance, *truth).items()}


def test_the_truth_itself_is_found_along_each_axis(truth):
    cells, channels = truth
    assert scores((cells[:, None] & channels[:, None, None]) * 1.0, truth) == dict.fromkeys(planted.ALONG, 1)
    assert scores(cells * 1.0, truth) == dict.fromkeys(planted.ALONG[:3], 1)  # a map without channels


def test_each_axis_gives_no_credit_for_what_any_eeg_or_label_has(truth):
    """High in low bins: the bins, and nothing at one frequency. High in late frames: nothing within a frame; at one
    frequency, of 2 · 6 · 6 pairs only those within t1 tie: 2 · 2 · 2 of them. High in channels 0 and 2: they alone."""
    bins, steps = np.array([4.0, 4, 3, 2, 1])[:, None], np.array([0.0, 1, 2])[:, None, None]
    low, late = np.broadcast_to(bins, (3, 5, 4)), np.broadcast_to(steps, (3, 5, 4))
    assert scores(low, truth) == {"time × frequency": 0.5, "frequency": 1, "time": 0.5}
    assert scores(late, truth) == {"time × frequency": (72 - 4) / 72, "frequency": 0.5, "time": 0.5}
    at = np.broadcast_to(np.array([1.0, 0, 1, 0])[:, None, None], (3, 4, 5, 4))
    assert scores(at, truth) == {"time × frequency": 0.5, "frequency": 0.5, "time": 0.5, "channel": 1}


def test_channels_count_where_something_is_planted(truth):
    """Muscle in the other channels, everywhere but at the planted times and frequencies: it is left out."""
    cells, channels = truth
    relevance = np.where(cells[:, None], channels[:, None, None] * 1.0, ~channels[:, None, None] * 9.0)
    assert scores(relevance, truth)["channel"] == 1


def test_maps_are_scored_sample_by_sample_against_their_own_truth():
    """In sample 7 F7-T7 at 1 Hz in t1, in sample 3 T8-P8 at 2 Hz in t2. One map finds both, one has them exchanged: at
    one frequency and in the planted frame it has nothing at all, so ties."""
    axis = AXIS | {"frame_columns": 2, "frequencies_hz": [1.0, 2.0, 3.0, 4.0], "channels": ["F7-T7", "T8-P8"]}
    rows = table(("a", "F7-T7", 1.0, 2.0, 0.6, 1.4, 9.0), ("b", "T8-P8", 2.0, 3.0, 1.6, 2.4, 9.0))
    samples = pd.DataFrame({"sample": [7, 3], "recording": ["a", "b"], "column": 0})
    right = np.zeros((2, 3, 2, 4, 2))
    right[0, 1, 0, 0], right[1, 2, 1, 1] = 1, 1
    maps = {"right": right, "without": right.max(axis=2), "exchanged": right[::-1]}
    found = planted.score_maps(rows, samples, maps, axis).set_index(["map", "along", "sample"])["auc"]
    for sample in (7, 3):
        for along in planted.ALONG[:2]:
            assert found["right", along, sample] == found["without", along, sample] == 1
            assert found["chance", along, sample] == found["exchanged", along, sample] == 0.5
        assert found["right", "channel", sample] == 1 and found["chance", "channel", sample] == 0.5
        assert np.isnan(found["right", "time", sample])  # the frame is planted from end to end
    assert ("without", "channel", 7) not in found.index and len(found) == 2 * (4 * 3 + 3)
