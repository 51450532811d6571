"""The same study: executed notebooks and pictures hold nothing of the machine or of the user's own settings."""

import os
import sys
import tempfile

import nbformat
import pytest
from conftest import ROOT, copy_study, environment
from test_stage import project, small_notebook  # noqa: F401  (a fixture)

from benchmarks.bytes import OWN_SETTINGS, VARIATIONS, Unavailable, join, make_locale, study, vary
from helpers import figures
from helpers.study import files, stage


def test_executed_notebooks_name_no_place_or_moment(monkeypatch):
    """A warning keeps its words and loses its place; an address, a kernel's file, a user's folder and fonts go."""
    monkeypatch.setenv("HOME", "/home/ada")
    prefix, temporary = sys.prefix, tempfile.gettempdir()
    cases = {
        f"{temporary}/ipykernel_4711/815.py:3: UserWarning: careful": "temporary:3: UserWarning: careful",
        f"{files.ROOT}/src/helpers/acquire/edf.py:9: odd": "./src/helpers/acquire/edf.py:9: odd",
        f"{prefix}/bin/python": "environment/bin/python" if not prefix.startswith(str(files.ROOT)) else None,
        f"{os.path.dirname(nbformat.__path__[0])}/torch/nn.py:1: odd": "packages/torch/nn.py:1: odd",
        "<object at 0x7f3a5c0b1d90>": "<object at 0x…>",
        "/home/ada/data/a.edf /home/adam": "~/data/a.edf /home/adam",
        f"{temporary}/tmpa1b2c3d4/x": "temporary/x",
        "0xff is a byte, 0x7f3a5c0b1d90 a place": "0xff is a byte, 0x… a place",
    }
    for text, wanted in cases.items():
        assert wanted is None or stage.placeless(text) == wanted
    said = "Matplotlib is building the font cache; this may take a moment.\ncareful\n"
    shown = {"text/plain": "<Axes at 0x7f3a5c0b1d90>", "image/png": "0x7f3a5c0b1d90"}
    outputs = [
        nbformat.v4.new_output("stream", name="stderr", text=said),
        nbformat.v4.new_output("display_data", data=dict(shown)),
    ]
    cell = nbformat.v4.new_code_cell("", outputs=outputs)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    found = stage.canonical(nbformat.v4.new_notebook(cells=[cell], metadata=kernel)).cells[0].outputs
    assert found[0].text == "careful\n"
    assert found[1].data == shown | {"text/plain": "<Axes at 0x…>"}


@pytest.mark.slow
def test_what_a_user_has_set_up_changes_no_result(project, tmp_path_factory, monkeypatch):  # noqa: F811
    """Another look of figures, code at IPython's start, all warnings, no assertions, another backend, another zone and
    number format: the same executed notebook, with its picture, by the same bytes."""
    source = (
        "import warnings\nimport mne\nimport pandas as pd\nfrom helpers import figures\n"
        "mne.utils.logger.debug('chatty')\nfigure, axis = figures.begin(3, 2)\n"
        "axis.set_title('a')\naxis.plot([1000.5, 2000.5])\nprint(pd.Series([1.23456789]))\n"
        "warnings.warn('a helper is old', DeprecationWarning, stacklevel=99)\nprint(__debug__, len({'a', 'b'}))\n"
        "print(*{'one', 'two', 'three'})\nfigure"
    )
    small_notebook(project, "train", source)
    target, home = project / "output" / "sim08" / "notebooks" / "03_train.ipynb", tmp_path_factory.mktemp("home")
    stage.run("train", "sim08")
    plain = target.read_text()
    for name, text in OWN_SETTINGS.items():
        files.write_text(home / name, text)
    own = VARIATIONS["settings"]["variables"] | VARIATIONS["hashes"]["variables"] | VARIATIONS["zone"]["variables"]
    for name, value in (own | {"HOME": str(home)}).items():
        monkeypatch.setenv(name, value)
    for name in ("XDG_CONFIG_HOME", "IPYTHONDIR", "MPLCONFIGDIR"):
        monkeypatch.delenv(name, raising=False)
    stage.run("train", "sim08")
    assert target.read_text() == plain
    data = [output.data for output in nbformat.reads(plain, as_version=4).cells[-1].outputs if "data" in output]
    assert "image/png" in data[0] and "True 2" in plain


def test_figures_look_the_same_after_any_setting():
    """`figures.begin` starts from Matplotlib's own defaults, whatever was set before."""
    import matplotlib

    looks = []
    for place in ("left", "right"):
        matplotlib.rcParams["axes.titlelocation"] = place
        figures.begin(3, 2)
        looks.append(dict(matplotlib.rcParams))
    assert looks[0] == looks[1]


def test_forced_again_with_all_else_another(made_study, tmp_path):
    """`dvc repro --force` by one thread, in a moved folder, called from elsewhere, in another zone and locale, by other
    hashes, file rights and a user's own settings: `dvc.lock` and every file keep their bytes."""
    root = copy_study(made_study, tmp_path / "eine prüfung")
    names = ["forced again", "one thread", "zone", "hashes", "umask", "settings", "locale"]
    try:
        make_locale("tr_TR.UTF-8", tmp_path / "tried")
    except Unavailable:  # a machine without the sources of locales
        names.remove("locale")
    variation = join(names)
    variables, before = vary(root, environment(root), variation)
    after = study(root, variables, before, variation)[1]
    assert "dvc.lock" in after and len(after) > 100
    assert [name for name, digest in after.items() if files.sha256(made_study / name) != digest] == []


def test_the_committed_comparison_found_no_difference():
    """`make verify-bytes`, as last run: nothing failed, nothing differed, and little was skipped."""
    path = ROOT / "output" / "benchmark" / "bytes.json"
    if not path.exists():
        pytest.skip("needs output/benchmark/bytes.json, which `make verify-bytes` writes")
    for found in files.read_json(path).values():
        rows = found["variations"].values()
        assert len(rows) >= 3 and sum("skipped" in row for row in rows) <= 1
        assert [row for row in rows if row.get("differ") or row.get("failed")] == []
