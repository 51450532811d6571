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
        (3.0, 4.0, 2.6, 3.6, [2, 3], [(1, 0), (1, 1)]),  # also 4 Hz, which begins at 3.5
        (2.3, 2.7, 2.6, 3.4, [], []),  # between two middles
        (2.7, 2.8, 2.6, 3.4, [2], [(0, 3)]),  # about one
        (2.25, 2.75, 2.6, 3.4, [2], [(0, 2)]),  # from one to the next: the first alone
        (0.0, 1.3, 2.6, 3.4, [2], [(0, 0)]),  # begins before the triptych
        (6.6, 9.0, 2.6, 3.4, [2], [(2, 3)]),  # ends after it
        (0.0, 1.0, 2.6, 3.4, [], []),  # before it
        (7.0, 8.0, 2.6, 3.4, [], []),  # after it
        (2.0, 3.0, 0.0, 0.4, [], []),  # below the bins
        (2.0, 3.0, 0.0, 0.6, [0], [(0, 2), (0, 3)]),
        (2.0, 3.0, 6.4, 9.0, [5], [(0, 2), (0, 3)]),
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


def test_amplitudes_equal_a_loop_over_cells():
    """200 random rows about a triptych that starts at 10 s; bins half as wide."""
    generator, axis = np.random.default_rng(0), {**AXIS, "window_s": 2.0, "hop_s": 0.25}
    start_s, low_hz = generator.uniform(8, 14, 200), generator.uniform(0, 7, 200)
    rows = pd.DataFrame({"recording": generator.choice(["a", "b"], 200), "start_s": start_s, "low_hz": low_hz})
    rows["channel"] = generator.choice([*AXIS["channels"], "P7-T7"], 200)
    rows["end_s"], rows["high_hz"] = start_s + generator.uniform(0, 1, 200), low_hz + generator.uniform(0, 2, 200)
    rows["amplitude"] = generator.uniform(5, 50, 200)
    expected = np.zeros((3, 3, 6, 4))
    for step, channel, row, column in np.ndindex(expected.shape):
        middle_s, hertz = (40 + 4 * step + column + 0.5) * 0.25, axis["frequencies_hz"][row]
        for one in rows.itertuples():
            here = one.recording == "a" and one.channel == axis["channels"][channel]
            if (
                here
                and one.start_s <= middle_s < one.end_s
                and one.low_hz < hertz + 0.25
                and one.high_hz > hertz - 0.25
            ):
                expected[step, channel, row, column] = max(expected[step, channel, row, column], one.amplitude)
    found = planted.amplitudes(rows[planted.COLUMNS], Sample("a", 40), axis)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert 0.1 < (found > 0).mean() < 0.9


def test_the_last_column_is_as_any_other():
    """Columns of 0.4 s, the last of them about 5.0 s: where the planted second 5–6 s begins, as in any other column."""
    rows = table(("a", "T8-P8", 5.0, 6.0, 2.6, 3.4, 8.0))
    found = planted.amplitudes(rows, Sample("a", 1), {**AXIS, "hop_s": 0.4})
    assert cells(found) == {(2, 1, 2, 3): 8.0}


def test_a_second_begins_with_the_column_at_its_start():
    """The same, one column on: 5.0 s is the last middle but one, and in; the one at 5.4 s is the last."""
    rows = table(("a", "T8-P8", 5.0, 6.0, 2.6, 3.4, 8.0))
    found = planted.amplitudes(rows, Sample("a", 2), {**AXIS, "hop_s": 0.4})
    assert cells(found) == {(2, 1, 2, 2): 8.0, (2, 1, 2, 3): 8.0}


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


def test_masks_keep_steps_apart():
    """Planted in t1 alone: t0 and t2 have nothing."""
    amplitude = np.zeros((3, 2, 3, 4), np.float32)
    amplitude[1, 0, 2, 3] = 9
    found = planted.masks(amplitude)
    assert np.argwhere(found["time × frequency"]).tolist() == [[1, 2, 3]]
    assert np.argwhere(found["time"]).tolist() == [[1, 3]] and np.argwhere(found["frequency"]).tolist() == [[1, 2]]


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
    """The row chance: 0.5, 0.5, and the share of cells planted, 5 or 3 of 24; 2000 random maps have it on average."""
    truth = np.zeros((2, 3, 4, 2), bool)
    truth[0].flat[:5], truth[1].flat[[0, 9, 23]] = True, True
    generator = np.random.default_rng(0)
    found = planted.against({"one": generator.random(truth.shape), "other": truth * 1.0}, truth)
    assert found[["row", "map"]].to_numpy().tolist() == [
        [row, name] for row in (0, 1) for name in ("chance", "one", "other")
    ]
    assert list(found.columns) == ["row", "map", *planted.SCORES]
    chance = found[found["map"] == "chance"]
    assert chance[list(planted.SCORES)].to_numpy().tolist() == [[0.5, 0.5, 5 / 24, 5 / 24], [0.5, 0.5, 1 / 8, 1 / 8]]
    assert (found.loc[found["map"] == "other", list(planted.SCORES)] == 1).all(axis=None)
    many = pd.DataFrame([planted.score(generator.random(truth[0].shape), truth[0]) for _ in range(2000)])
    assert many.mean().to_numpy() == pytest.approx([0.5, 0.5, 5 / 24, 5 / 24], abs=0.03)


def test_each_sample_is_scored_on_its_own_truth():
    """A map that is right of the first sample and wrong of the second."""
    truth = np.array([[True, False], [False, True]])
    found = planted.against({"first": np.array([[1.0, 0.0], [1.0, 0.0]])}, truth)
    assert found.loc[found["map"] == "first", "auc"].tolist() == [1, 0]


def test_mean_over_recordings_by_hand():
    """a: 1, 1, 1; b: 0; c: NaN, 1: each sample weighs the same, 4/5 of five. Of three draws all may be b (1 in 27), or
    none (8 in 27): from 0 to 1."""
    values, names = [1, 0, np.nan, 1, 1, 1], ["a", "b", "c", "c", "a", "a"]
    found = planted.mean_over_recordings(values, names)
    assert (found["value"], found["low"], found["high"], found["n"]) == (pytest.approx(0.8), 0, 1, 5)
    assert found["reason"] is None
    assert planted.mean_over_recordings(values[::-1], pd.Series(names[::-1])) == found


def test_recordings_are_drawn_whole():
    """Three recordings of 50 samples with the same mean: no draw differs, however the samples scatter."""
    values = np.tile(np.random.default_rng(0).normal(size=50), 3)
    found = planted.mean_over_recordings(values, np.repeat(["a", "b", "c"], 50))
    assert found["low"] == pytest.approx(found["value"]) == pytest.approx(found["high"]) and found["n"] == 150


@pytest.mark.parametrize(
    ("values", "value", "n", "reason"),
    [
        ([], None, 0, "undefined"),
        ([np.nan] * 3, None, 0, "undefined"),
        ([1, 3, np.nan], 2, 2, "there are 2 recordings"),  # the third has nothing to be drawn
    ],
)
def test_no_interval_has_a_reason(values, value, n, reason):
    """Nothing is made up where there is nothing to tell from."""
    found = planted.mean_over_recordings(values, ["a", "b", "c"][: len(values)])
    assert (found["value"], found["low"], found["high"], found["n"]) == (value, None, None, n)
    assert reason in found["reason"]
