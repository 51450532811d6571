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
    found = planted.masks(amplitude)
    assert found["time × frequency"].tolist() == [[[False, False, False, True], [False, True, True, False]]]
    assert found["time"].tolist() == [[False, True, True, True]]
    assert found["frequency"].tolist() == [[True, True]]
    assert found["channel"].tolist() == [True, True, False, False]
    nothing = planted.masks(np.zeros((3, 4, 2, 4), np.float32))
    assert not any(mask.any() for mask in nothing.values())
    assert {name: mask.shape for name, mask in nothing.items()} == {
        "time × frequency": (3, 2, 4), "time": (3, 4), "frequency": (3, 2), "channel": (4,)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("relevance", "truth", "auc", "mass", "pointing"),
    [
        ([4, 3, 2, 1], [1, 1, 0, 0], 1, 7 / 10, 1),
        ([1, 2, 3, 4], [1, 1, 0, 0], 0, 3 / 10, 0),
        ([2, 2, 3, -1], [1, 0, 0, 1], 0.5 / 4, 2 / 7, 0),  # of four pairs one is a tie; what is negative has no mass
        ([3, 3, 1, 3], [1, 0, 0, 1], 3 / 4, 6 / 10, 2 / 3),  # two of the three highest; pairs ½ 1 ½ 1
        ([5, 5, 5, 5], [1, 0, 0, 0], 0.5, 1 / 4, 1 / 4),  # blind
        ([-1, -2, -3, 0], [1, 0, 0, 0], 2 / 3, np.nan, np.nan),  # nothing above zero
        ([4, 3, 2, 1], [1, 1, 1, 1], np.nan, np.nan, np.nan),
        ([4, 3, 2, 1], [0, 0, 0, 0], np.nan, np.nan, np.nan),
    ],
)
def test_score_by_hand(relevance, truth, auc, mass, pointing):
    """Pairs in order, mass on planted cells, and the highest cell; one axis has no score at one frequency."""
    found = planted.score(relevance, np.array(truth, bool))
    assert list(found) == list(planted.SCORES)
    expected = {"auc": auc, "auc_at_frequency": np.nan, "mass": mass, "pointing": pointing}
    assert found == pytest.approx(expected, nan_ok=True)


def test_score_at_frequency_by_hand():
    """Bin 0: 9 is planted, over 8 0 0: 3 of 3 pairs. Bin 1: 5 and 4 are, against 6 and 4: 1½ of 4. Bin 2: nothing, no
    pair. Of all 3 · 9 pairs, 9 is ahead in 9, 5 in 7 (not of 8 and 6), 4 in 6 and ties in one."""
    relevance = np.array([[[9, 8, 0, 0], [5, 4, 6, 4], [1, 1, 1, 1]]], float)
    truth = np.array([[[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]], bool)
    found = planted.score(relevance, truth)
    assert found["auc_at_frequency"] == pytest.approx((3 + 1.5) / (3 + 4))
    assert found["auc"] == pytest.approx((9 + 7 + 6.5) / 27)


def test_knowing_frequencies_gives_nothing_at_one_frequency():
    """Planted in the lowest bin of t1 and t2. Low bins high at all times, as in any EEG: ahead of the 18 cells of other
    bins, tied with the 2 of t0, and those alone count at one frequency. There, knowing the times is enough."""
    truth = np.zeros((3, 4, 2), bool)
    truth[1:, 0] = True
    by_frequency = np.broadcast_to(np.array([4.0, 3, 2, 1])[:, None], truth.shape)
    found = planted.score(by_frequency, truth)
    assert found["auc"] == pytest.approx((18 + 1) / 20) and found["auc_at_frequency"] == 0.5
    by_time = np.broadcast_to(np.array([0.0, 1, 1])[:, None, None], truth.shape)
    assert planted.score(by_time, truth)["auc_at_frequency"] == 1
    everywhere = np.zeros((3, 4, 2), bool)
    everywhere[:, 0] = True  # no two cells of one bin differ
    found = planted.score(by_frequency, everywhere)
    assert found["auc"] == 1 and np.isnan(found["auc_at_frequency"])


def test_chance_is_what_blind_maps_score_on_average():
    """0.5, 0.5, and the share of cells planted, 5 of 24: 2000 random maps have it on average, and so has a flat one."""
    truth, generator = np.zeros((3, 4, 2), bool), np.random.default_rng(0)
    truth.flat[:5] = True
    many = pd.DataFrame([planted.score(generator.random(truth.shape), truth) for _ in range(2000)])
    assert many.mean().to_numpy() == pytest.approx([0.5, 0.5, 5 / 24, 5 / 24], abs=0.03)
    assert list(planted.score(np.ones(truth.shape), truth).values()) == [0.5, 0.5, 5 / 24, 5 / 24]


PLANTED_AXIS = {
    "window_s": 1.0, "hop_s": 0.5, "frame_columns": 2, "frequencies_hz": [1.0, 2.0, 3.0, 4.0],
    "channels": ["F7-T7", "T8-P8"],
}  # fmt: skip


@pytest.fixture
def scored():
    """Planted: in sample 7 F7-T7 at 1 Hz in t1, in sample 3 T8-P8 at 2 Hz in t2: 2 cells each of 24, in 4 bins.

    Scores as a dict of (along, map, sample) → scores. Grad-CAM and Integrated Gradients are the truth, Grad-CAM++ is
    blind; power is 4, 3, 2, 1 from the lowest bin on, at all times, in both channels; other EEG has a little where the
    seizure is, and most in the other channel everywhere else, as muscle might.
    """
    rows = [("a", "F7-T7", 1.0, 2.0, 0.6, 1.4, 9.0), ("b", "T8-P8", 2.0, 3.0, 1.6, 2.4, 9.0)]
    samples = pd.DataFrame({"sample": [7, 3], "recording": ["a", "b"], "column": 0})
    truth = np.zeros((2, 3, 2, 4, 2))
    truth[0, 1, 0, 0], truth[1, 2, 1, 1] = 1, 1
    power = np.broadcast_to(np.array([4.0, 3, 2, 1])[:, None], truth.shape)
    muscle = truth + 5 * (truth.any(axis=2, keepdims=True) == 0) * np.array([[0, 1], [1, 0]])[:, None, :, None, None]
    maps = {"gradcam": truth.max(axis=2), "gradcampp": np.ones((2, 3, 4, 2)), "ig": np.zeros((2, 3, 4, 2))}
    full = {"ig": truth, "power": power, "other_eeg": muscle}
    found = planted.score_along_axes(pd.DataFrame(rows, columns=planted.COLUMNS), samples, maps, full, PLANTED_AXIS)
    return found.set_index(["along", "map", "sample"])[list(planted.SCORES)].T.to_dict("list")


def test_a_perfect_map_beats_power_and_a_blind_one(scored):
    """Of 2 · 22 pairs power leads the 18 cells of lower bins, ties with 4 of its own: 20/22, and at 2 Hz 14/22; mass
    is 2 · 4/60 and 2 · 3/60; the highest cells are the 6 of 1 Hz. At one frequency it knows nothing."""
    along = "time × frequency"
    assert scored[along, "gradcam", 7] == scored[along, "gradcam", 3] == scored[along, "ig", 7] == [1, 1, 1, 1]
    assert scored[along, "power", 7] == pytest.approx([20 / 22, 0.5, 8 / 60, 2 / 6])
    assert scored[along, "power", 3] == pytest.approx([14 / 22, 0.5, 6 / 60, 0])
    for sample in (7, 3):
        assert scored[along, "gradcampp", sample] == scored[along, "chance", sample] == [0.5, 0.5, 1 / 12, 1 / 12]


def test_truths_along_each_axis(scored):
    """Means over all else. Time: 2 of 6 columns; frequency: 1 of 12 bins, that of 1 Hz one of three highest; channel: 1
    of 2, only for maps that have channels."""

    for along, name, sample, auc, mass, pointing in [
        ("time", "gradcam", 3, 1, 1, 1),
        ("time", "power", 7, 0.5, 1 / 3, 1 / 3),
        ("time", "chance", 3, 0.5, 1 / 3, 1 / 3),
        ("frequency", "gradcam", 3, 1, 1, 1),
        ("frequency", "power", 7, (9 + 1) / 11, 4 / 30, 1 / 3),
        ("channel", "ig", 7, 1, 1, 1),
        ("channel", "ig", 3, 1, 1, 1),
        ("channel", "power", 7, 0.5, 0.5, 0.5),
        ("channel", "chance", 7, 0.5, 0.5, 0.5),
    ]:
        assert scored[along, name, sample] == pytest.approx([auc, np.nan, mass, pointing], nan_ok=True)
    assert {name for along, name, _ in scored if along == "channel"} == {"chance", "ig", "power", "other_eeg"}


@pytest.mark.parametrize("sample", [7, 3])
def test_where_planted_leaves_out_what_comes_with_it(scored, sample):
    """Muscle in the other channel, everywhere but in the seizure's cells: wrong in all, right where it is planted."""
    assert scored["channel", "other_eeg", sample][0] == 0
    assert scored["channel, where planted", "other_eeg", sample][0] == 1
    assert scored["channel, where planted", "ig", sample][0] == 1
