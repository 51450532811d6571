"""The facts of a study: each has one printed form, and says where it comes from."""

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


def test_every_number_says_where_it_comes_from(results):
    values = facts.build(results)["values"]
    assert all(set(one) == {"name", "value", "printed", "unit", "interval", "file", "place"} for one in values.values())
    assert all((files.ROOT / one["file"]).exists() and one["name"] and one["place"] for one in values.values())
    assert all((one["printed"] is None) == (one["value"] is None) for one in values.values())


def test_a_missing_file_names_the_stage(results):
    (files.ROOT / "output/made08/explain/sanity.json").unlink()
    with pytest.raises(FileNotFoundError, match="dvc repro explain@made08"):
        facts.read("made08")
