"""Profiles of all samples' maps, against sums and means worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from helpers.acquire.annotations import Annotations
from helpers.explain import attributions, profiles
from helpers.study.bands import BANDS

BINS = [1.0, 3.0, 5.0, 10.0, 20.0, 40.0]  # two in B1, one in each other band


def maps(**cells):
    """One sample's map [1, 3, 6 bins, 2 columns] of zeros, with `t0_3Hz=(1, 2)` and the like set."""
    found = np.zeros((1, 3, 6, 2), np.float32)
    for place, values in cells.items():
        step, hertz = place.split("_")
        found[0, int(step[1:]), BINS.index(float(hertz.removesuffix("Hz")))] = values
    return found


def test_log_odds_of_a_band_are_a_sum_by_hand():
    """t0: 1 + 2 at 1 Hz and 3 + 4 at 3 Hz are 10 in B1; t2: 0.5 − 2 at 10 Hz are −1.5 in B3; nothing elsewhere."""
    given = maps(t0_1Hz=(1, 2), t0_3Hz=(3, 4), t2_10Hz=(0.5, -2))
    found = profiles.by_band({"ig": given}, BINS)["ig"]
    expected = np.zeros((1, 3, 5))
    expected[0, 0, 0], expected[0, 2, 2] = 10, -1.5
    assert found.dtype == np.float64 and np.array_equal(found, expected)


def test_class_maps_are_means_in_multiples_of_the_triptych_s_by_hand():
    """12 in the 36 cells of the triptych: a mean of 1/3. In B3, two cells at t2, it is 6: 18 times as much. In B1, four
    cells, the same 12 have a mean of 3: 9 times as much, so that a wide band does not win by its width."""
    for given, step, band, expected in ((maps(t2_10Hz=6), 2, 2, 18), (maps(t0_1Hz=6), 0, 0, 9)):
        found = profiles.by_band({"gradcam": given}, BINS)["gradcam"]
        assert found[0, step, band] == pytest.approx(expected) and np.count_nonzero(found) == 1


@pytest.mark.filterwarnings("error")
def test_a_map_that_is_the_same_everywhere_is_1_and_one_of_zeros_is_nan():
    """Each sample by itself: its size does not matter, nor do the others. Of log-odds, zeros are zeros."""
    given = np.concatenate([maps() + 0.25, maps(), maps() + 1000])
    found = profiles.by_band({"gradcampp": given, "ig": given[1:2]}, BINS)
    np.testing.assert_allclose(found["gradcampp"][[0, 2]], 1)
    assert np.isnan(found["gradcampp"][1]).all() and (found["ig"] == 0).all()


def decisions(rows):
    """Samples from rows of (recording, last_start_s, label, decided, log_odds), under an index of their own."""
    table = pd.DataFrame(rows, columns=["recording", "last_start_s", "label", "decided", "log_odds"])
    return table.assign(sample=range(100, 100 + len(table))).set_index(np.arange(len(table))[::-1] * 3)


FOUR = decisions([("a", 8.0, 1, 1, 2), ("a", 12.0, 1, 0, -1), ("b", 8.0, 0, 1, 1), ("b", 12.0, 0, 0, -2)])


def test_the_table_has_each_number_under_its_sample_method_step_and_band():
    """Numbers that say where they are from, 100 · sample + 10 · step + band, and their negatives: 4 · 2 · 3 · 5 rows,
    bands in order within steps within samples within methods; the four kinds of decision in words."""
    sample, step, band = np.indices((4, 3, 5))
    coded = 100.0 * sample + 10 * step + band + 1
    table = profiles.long_table(FOUR, {"ig": coded, "gradcam": -coded})
    assert table.shape[0] == 120 and table["method"].tolist() == ["ig"] * 60 + ["gradcam"] * 60
    assert table["relevance"].tolist() == [*coded.ravel(), *-coded.ravel()]
    for row in table.to_dict("records"):
        code = 100 * (row["sample"] - 100) + 10 * int(row["step"][1]) + list(BANDS).index(row["band"]) + 1
        assert abs(row["relevance"]) == code
    assert table["step"].iloc[:15].tolist() == ["t0"] * 5 + ["t1"] * 5 + ["t2"] * 5
    assert table["band"].iloc[:5].tolist() == list(BANDS)
    about = table.drop_duplicates("sample")
    assert about["decision"].tolist() == [
        "seizure, found", "seizure, missed", "other, taken for seizure", "other, left alone",
    ]  # fmt: skip
    assert about[["recording", "last_start_s", "label", "decided"]].to_numpy().tolist() == [
        ["a", 8.0, 1, 1], ["a", 12.0, 1, 0], ["b", 8.0, 0, 1], ["b", 12.0, 0, 0],
    ]  # fmt: skip


def test_means_by_hand():
    """Two seizures found with 1 and 3, a third whose map was of zeros: a mean of 2, of 2. The one missed is apart."""
    table = decisions([("a", 8.0 + 4 * number, 1, int(number < 3), 0) for number in range(4)])
    banded = np.full((4, 3, 5), 7.0)
    banded[:3, 1, 2] = [1, 3, np.nan]
    means = profiles.means(profiles.long_table(table, {"gradcam": banded})).set_index(["decision", "step", "band"])
    assert means.loc[("seizure, found", "t1", "B3"), ["method", "relevance", "n"]].tolist() == ["gradcam", 2, 2]
    assert means.loc[("seizure, found", "t1", "B2"), ["relevance", "n"]].tolist() == [7, 3]
    assert means.loc[("seizure, missed", "t1", "B3"), ["relevance", "n"]].tolist() == [7, 1]
    assert len(means) == 2 * 15


def spans(*rows):
    """The annotations of four recordings, from rows of (recording, start_s, end_s)."""
    return Annotations(pd.DataFrame(rows, columns=["recording", "start_s", "end_s"]), dict.fromkeys("abcd", 1000.0))


def course(rows, seizures):
    """The course of log-odds over frames of 4 s, from rows of (recording, last_start_s, log_odds)."""
    table = decisions([(recording, start_s, 0, 0, value) for recording, start_s, value in rows])
    return profiles.onset_log_odds(table, seizures, 4.0).to_dict()


@pytest.mark.parametrize("onset_s", [20.0, 18.1, 22.0])  # 22.1 is after the middle of the frame from 20 s on
def test_frames_before_at_and_after_the_onset(onset_s):
    """Onset at 20 s: the frames from 12 s on have their middles at 14, 18, 22, 26 s, so −6, −2, 2, 6 s from it. With
    an onset up to half a frame before or after, the same: middles count in whole frames and a half."""
    rows = [("a", 24.0, 4.0), ("a", 12.0, 1.0), ("a", 20.0, 3.0), ("a", 16.0, 2.0)]
    found = course(rows, spans(("a", onset_s, 60.0)))
    assert found == {-6: 1, -2: 2, 2: 3, 6: 4} and list(found) == [-6, -2, 2, 6]


def test_a_frame_nearer_another_onset_counts_there():
    """Onsets at 20 and 60 s: the middle 38 is 18 s after the first, 22 before the second; 46 is 14 before the second,
    and so is 42 s of the second and none of the first."""
    rows = [("a", 36.0, 1.0), ("a", 44.0, 2.0), ("a", 56.0, 3.0)]
    assert course(rows, spans(("a", 60.0, 70.0), ("a", 20.0, 30.0))) == {-14: 2, -2: 3, 18: 1}


def test_the_mean_is_over_seizures_and_not_over_samples():
    """Frames every second: the first seizure has four in its first frame, of log-odds 0; the second, in another
    recording at the same time, has one, of 6: their mean is 3. A recording without a seizure has no say."""
    rows = [("a", start_s, 0.0) for start_s in (18.0, 19.0, 20.0, 21.0)] + [("b", 20.0, 6.0), ("c", 20.0, 1000.0)]
    assert course(rows, spans(("a", 20.0, 30.0), ("b", 20.0, 30.0), ("d", 20.0, 30.0))) == {2: 3}


def test_samples_near_an_onset():
    """Onset at 100 s: the frames from 84 to 144 s, as above; none where there is no seizure, none of no samples."""
    table = decisions([(name, start_s, 0, 0, 0.0) for name in "ab" for start_s in np.arange(0.0, 200.0, 4.0)])
    near = profiles.near_onset(table, spans(("a", 100.0, 110.0)), 4.0)
    assert near.dtype == bool and set(table.loc[near, "recording"]) == {"a"}
    assert table.loc[near, "last_start_s"].tolist() == np.arange(84.0, 145.0, 4.0).tolist()
    assert not profiles.near_onset(table, spans(), 4.0).any() and len(profiles.near_onset(table[:0], spans(), 4.0)) == 0


def test_explaining_a_part_of_the_samples_leaves_the_course_as_it_is():
    """In the frame before the onset, a's sample was decided seizure (2), b's was not (−4): a mean of −1, though only 32
    of 200 samples are explained."""
    rows = [(name, 4.0 * frame, int(frame == 50), int(frame == 50), -3.0) for name in "ab" for frame in range(100)]
    table, seizures = decisions(rows), spans(("a", 200.0, 204.0), ("b", 200.0, 204.0))
    table.loc[table["last_start_s"] == 196, "log_odds"] = [2.0, -4.0]
    table["decided"] = (table["log_odds"] > 0).astype(int)
    near = profiles.near_onset(table, seizures, 4.0)
    assert near.sum() == 2 * 16
    found = profiles.onset_log_odds(attributions.select_samples(table, 12, near), seizures, 4.0)
    assert found[-2] == profiles.onset_log_odds(table, seizures, 4.0)[-2] == -1


def test_steps_are_summed_for_log_odds_and_averaged_for_class_maps():
    """Onset at 20 s in a and b. Steps 1, 2, 6 in B2: 9 for Integrated Gradients, 3 for Grad-CAM. With three times that
    in the other seizure: 18 and 6, over the two, found or missed. Before the onset there is one sample, all zeros but 5
    in B5 at t2, and NaN, a map of zeros, in B1."""
    table = decisions([("a", 20.0, 1, 1, 0), ("b", 20.0, 1, 0, 0), ("a", 16.0, 0, 0, 0)])
    banded, seizures = np.zeros((3, 3, 5)), spans(("a", 20.0, 30.0), ("b", 20.0, 30.0))
    banded[0, :, 1], banded[1, :, 1], banded[2, 2, 4], banded[1, :, 0] = [1, 2, 6], [3, 6, 18], 5, np.nan
    profile = profiles.long_table(table, {"gradcam": banded, "ig": banded})
    relevance = profiles.onset_relevance(profile, seizures, 4.0)
    found = relevance.set_index(["method", "since_s", "band"])[["relevance", "n"]]
    assert found.loc[("ig", 2, "B2")].tolist() == [18, 2] and found.loc[("gradcam", 2, "B2")].tolist() == [6, 2]
    assert found.loc[("ig", -2, "B5")].tolist() == [5, 1] and found.loc[("gradcam", 2, "B1")].tolist() == [0, 1]
    assert found.loc[("gradcam", -2, "B5")].tolist() == [pytest.approx(5 / 3), 1]
    assert len(relevance) == 2 * 2 * 5 and relevance["since_s"].is_monotonic_increasing
