"""The facts of a study: one printed form, the definition that they say, and no contradiction."""

import numpy as np
import pytest
from made_up import make

from helpers.narrate import facts, forms
from helpers.study import files


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A study of the kind "mixed"."""
    monkeypatch.setattr(files, "ROOT", tmp_path)
    make(0)
    return facts.read("made08")


def printed(results, key):
    return facts.build(results)["values"][key]["printed"]


@pytest.mark.parametrize(
    ("value", "places", "wanted"), [(0.5, 4, "0.5000"), (-0.25, 2, "−0.25"), (-0.001, 2, "0.00"), (12.3, 1, "12.3")]
)
def test_a_number_has_one_printed_form_and_is_read_back(value, places, wanted):
    assert forms.decimals(value, places) == wanted
    assert forms.number(forms.decimals(value, places, " s")) == pytest.approx(value, abs=0.5 * 10**-places)


def test_close_numbers_get_the_decimals_that_tell_them_apart():
    assert forms.distinct(0.4099, 0.41, 3) == "0.4099" and forms.distinct(0.976, 0.41, 3) == "0.976"
    assert forms.distinct(0.41, 0.41, 3) == "0.410"


def test_the_interval_of_a_rate_is_the_exact_one():
    """Tables: none in one day has an upper limit of 3.689 events; one has 0.0253 to 5.572; ten have 4.795 to 18.39."""
    for count, low, high in ((0, 0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.39)):
        found = facts.rate_interval(count, 1.0)
        assert (found["low"], found["high"]) == pytest.approx((low, high), rel=1e-3)


def test_every_number_says_where_it_comes_from(results):
    values = facts.build(results)["values"]
    assert all(set(one) == {"name", "value", "printed", "unit", "interval", "file", "place"} for one in values.values())
    assert all((files.ROOT / one["file"]).exists() and one["name"] and one["place"] for one in values.values())
    assert all((one["printed"] is None) == (one["value"] is None) for one in values.values())


def test_bands_are_compared_by_their_mean_per_bin(results):
    """Gamma has four bins of 0.3 and delta two of 0.5: the sum is higher in gamma, the mean in delta."""
    frequencies = np.array(results["axes"]["frequencies_hz"])
    level = np.where(frequencies < 4, 0.5, np.where(frequencies >= 30, 0.3, 0.0))
    for method in forms.METHODS:
        results["maps"][method] = np.broadcast_to(level[:, None], results["maps"][method].shape)
    assert printed(results, "maps.found.ig.band") == "B1 (delta)" == printed(results, "maps.found.gradcam.band")
    assert printed(results, "maps.left.ig.band") is None, "nothing speaks for the decision there"


def test_a_map_of_zeros_counts_for_nothing_and_a_loud_one_no_more_than_others(results):
    table, frequencies = results["decisions"], np.array(results["axes"]["frequencies_hz"])
    found = np.flatnonzero((table["label"] == 1) & (table["decided"] == 1))
    maps = np.zeros(results["maps"]["gradcam"].shape)
    maps[found[0]] = 1000.0 * (frequencies < 4)[:, None]
    maps[found[1]] = maps[found[2]] = 1.0 * ((frequencies >= 4) & (frequencies < 8))[:, None]
    results["maps"]["gradcam"] = maps
    assert printed(results, "maps.found.gradcam.band") == "B2 (theta)"


@pytest.mark.parametrize(
    ("decided", "label_t0", "early", "mixed"),
    [
        ([0, 0, 1, 0], [0, 0, 1, 1], 2, 2),
        ([0, 0, 0, 0], [0, 0, 1, 1], 0, 2),  # missed as a whole: none comes before a find
        ([1, 0, 0, 1], [1, 1, 1, 1], 0, 0),
    ],
)
def test_missed_samples_before_the_first_find_and_with_a_frame_from_before(results, decided, label_t0, early, mixed):
    table = results["decisions"].iloc[:4].copy()
    table["recording"], table["label"], table["label_t1"] = "a", 1, 1
    table["last_start_s"] = [8.0, 12.0, 16.0, 20.0]
    table["decided"], table["label_t0"] = decided, label_t0
    found = {}
    facts._missed(results | {"decisions": table}, lambda key, name, place, value, *_: found.update({key: value}))
    assert (found["missed.early"], found["missed.mixed"]) == (early, mixed)
    assert found["missed.seconds"] == 4.0 * decided.count(0) and found["seizure.seconds"] == 16.0


def test_a_score_at_the_limit_gets_the_better_grade(results):
    samples, found = results["metrics"]["samples"], {}
    grades = {0.9: "strong", 0.89999: "strong", 0.8999: "moderate", 0.7: "moderate", 0.6999: "weak"}
    for lower, word in grades.items():
        samples |= {"sensitivity": lower, "specificity": 0.95}
        facts._samples(results, lambda *row: found.update({row[0]: row[3]}))
        assert found["grade"] == word, "readers compare what they see"


CONTRADICTIONS = {
    "patient": lambda r: r["digest"].update(patient="other"),
    "tp": lambda r: r["metrics"]["samples"].update(tp=1000),
    "samples": lambda r: r["metrics"]["samples"].update(n=1),
    "seizures": lambda r: r.update(latencies=r["latencies"].iloc[1:]),
    "seizures detected": lambda r: r["metrics"]["events"].update(detected=99),
    "recordings tested": lambda r: r["metrics"]["folds"][1].update(held_out=r["metrics"]["folds"][0]["held_out"]),
    "held out and inner": lambda r: r["metrics"]["folds"][0].update(inner=r["metrics"]["folds"][0]["held_out"]),
    "decision on sample": lambda r: r["digest"]["samples"][0].update(p_seizure=2.0, pred=0),
}


@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_results_that_contradict_each_other_are_refused(results, what):
    CONTRADICTIONS[what](results)
    with pytest.raises(ValueError, match=f"contradict each other: .*{what}.* is .* in one place and .* in another"):
        facts.build(results)


def test_a_missing_file_names_the_stage(results):
    (files.ROOT / "output/made08/explain/sanity.json").unlink()
    with pytest.raises(FileNotFoundError, match="dvc repro explain@made08"):
        facts.read("made08")
