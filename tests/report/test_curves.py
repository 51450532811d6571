"""Curves: the data of the interactive figure in worlds solved by hand, and its script and the pages' in node."""

import json
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from helpers.acquire.annotations import Annotations
from helpers.evaluate import figures, scores
from helpers.report import curves
from helpers.study import files
from helpers.study.errors import RecordingError

TEMPLATES = files.ROOT / "src" / "helpers" / "report" / "templates"
THRESHOLD = 0.23456789


def decided(name, frames, alarms=(), fold=0):
    """Return one sample every 4 s from 8 s on, with alarms where it begins within [start, end); known 4 s later."""
    start = 8 + 4.0 * np.arange(frames)
    alarm = np.any([(start >= a) & (start < b) for a, b in alarms] or [np.zeros(frames, bool)], axis=0).astype(int)
    p = {"p_seizure": 0.0123456 + 0.5 * alarm, "p_smooth": 0.00000123 + 0.9 * alarm}
    times = {"last_start_s": start, "end_s": start + 4, "known_s": np.minimum(start + 8, start[-1] + 4)}
    return pd.DataFrame({"recording": name, "fold": fold, **times, **p, "alarm": alarm, "alarm_threshold": THRESHOLD})


def world():
    """a: a seizure from 100 to 140 s and an alarm in it. b: a seizure without an alarm. c: an alarm without one."""
    recordings = pd.DataFrame({"recording": ["a", "b", "c"], "duration_s": [240.0, 600.0, 240.5]})
    seizures = pd.DataFrame([("a", 100, 140), ("b", 301, 333)], columns=["recording", "start_s", "end_s"])
    samples = pd.concat(
        [decided("a", 58, [(112, 132)]), decided("b", 148), decided("c", 58, [(60, 64)])], ignore_index=True
    )
    alarms = scores.events(samples)
    folds = [{"fold": 0, "alarm": {"threshold": THRESHOLD, "k": 3, "minimum": 1}}]
    return {"recordings": recordings, "seizures": seizures, "samples": samples, "alarms": alarms, "folds": folds}


def test_times_marks_and_rounding_by_hand():
    """a: found; its alarm from 112 to 132 s is known 4 s after its first sample, at 120 s. b: missed. c: false."""
    data = curves.probability_data(**world(), frame_s=4.0)
    assert [data["frame_s"], data["log_odds"], data["floor"]] == [4, False, figures.FLOOR]
    a, b, c = data["recordings"]
    assert [row["name"] for row in (a, b, c)] == ["a", "b", "c"] and c["duration_s"] == 240.5
    assert a["seizures"] == [[100, 140, 1]] and a["alarms"] == [[112, 132, 120, 0]]
    assert b["seizures"] == [[301, 333, 0]] and b["alarms"] == []
    assert c["seizures"] == [] and c["alarms"] == [[60, 64, 68, 1]]
    assert (a["first_s"], a["wait_s"], a["threshold"], len(a["p"])) == (8, 4, 0.2346, 58)
    assert a["p"][0] == 0.01235 and a["p"][26] == 0.5123  # of the sample from 8 + 26 · 4 = 112 s on
    assert a["smooth"][0] == 0.000001 and a["smooth"][26] == 0.9


def test_without_a_missed_seizure_no_alarm_becomes_false():
    """a alone: nothing is missed and nothing false, so `mistakes.select` lists what came nearest, which is neither."""
    given = {key: table[table["recording"] == "a"] for key, table in world().items() if key != "folds"}
    (row,) = curves.probability_data(**given, folds=world()["folds"], frame_s=4.0)["recordings"]
    assert [seizure[2] for seizure in row["seizures"]] == [1] and [alarm[3] for alarm in row["alarms"]] == [0]


def test_the_same_as_the_static_picture_draws():
    """Edges, heights, threshold and alarms of the picture's first panel are those of the data."""
    given = world()
    durations = dict(zip(given["recordings"]["recording"], given["recordings"]["duration_s"], strict=True))
    axis = figures.probability(given["samples"], Annotations(given["seizures"], durations)).axes[0]
    row = curves.probability_data(**given, frame_s=4.0)["recordings"][0]
    drawn = {patch.get_linewidth(): patch.get_data() for patch in axis.patches if hasattr(patch, "get_data")}
    for width, values in ((0.8, row["p"]), (1.2, row["smooth"])):
        np.testing.assert_allclose(drawn[width].values, np.clip(values, figures.FLOOR, 1), rtol=5e-4)
        np.testing.assert_allclose(drawn[width].edges, row["first_s"] + 4 * np.arange(len(values) + 1))
    (line,) = axis.get_lines()
    assert line.get_ydata()[0] == pytest.approx(row["threshold"], rel=5e-4)
    (bars,) = axis.collections
    assert [(x.min(), x.max()) for x in (path.vertices[:, 0] for path in bars.get_paths())] == [(112, 132)]


def test_rare_seizures_have_an_axis_of_log_odds():
    given = world()
    given["folds"][0]["alarm"]["threshold"] = 0.04
    given["samples"]["alarm_threshold"] = 0.04
    assert curves.probability_data(**given, frame_s=4.0)["log_odds"]


def change(given, column, value):
    given["samples"].loc[3, column] = value


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda given: given.update(samples=given["samples"].drop(index=3)), "a: its samples are not one each 4 s"),
        (lambda given: given.update(samples=given["samples"][given["samples"]["recording"] != "b"]), "b has no sample"),
        (lambda given: given.update(alarms=given["alarms"].iloc[:1]), "c: the alarms .* differ"),
        (lambda given: given.update(recordings=given["recordings"].iloc[:2]), "The samples name c"),
        (lambda given: change(given, "p_smooth", np.nan), "a: a p_seizure or p_smooth does not lie between"),
        (lambda given: given["folds"][0]["alarm"].update(threshold=0.3), "a: its threshold is 0.23.* 0.3 in fold 0"),
        (lambda given: given.update(folds=[]), "a: its threshold is 0.23.* nan in fold 0"),
    ],
)
def test_what_does_not_fit_is_refused(spoil, message):
    given = world()
    spoil(given)
    with pytest.raises(RecordingError, match=message):
        curves.probability_data(**given, frame_s=4.0)


def test_no_name_ends_the_script():
    """A name with the end of a script, a line separator and quotes comes back as it was, the same bytes twice."""
    name = "</script><!--\u2028\u2029'\"\\é&"
    given = world()
    for table in ("recordings", "seizures", "samples", "alarms"):
        given[table]["recording"] = given[table]["recording"].replace("a", name)
    data = curves.probability_data(**given, frame_s=4.0)
    text = curves.script(data)
    assert text == curves.script(curves.probability_data(**given, frame_s=4.0))
    assert text.isascii() and not set("<>&") & set(text) and text.count("\n") == 1
    assert json.loads(text.removeprefix("window.PROBABILITY = ").removesuffix(";\n")) == data
    assert data["recordings"][0]["name"] == name
    assert node("(() => { const window = {}; eval(text); return window.PROBABILITY; })()", text=text) == data


def node(script, **values):
    """Run a piece of JavaScript with `page` and `chart`, what the two scripts export; return what it gives as JSON."""
    if not shutil.which("node"):
        pytest.skip("node is not on PATH: the scripts of the pages are not tested")
    before = "".join(f"const {key} = require({json.dumps(str(path))});" for key, path in SCRIPTS.items())
    before += "".join(f"const {key} = {json.dumps(value)};" for key, value in values.items())
    code = f"{before} console.log(JSON.stringify({script}))"
    done = subprocess.run(["node", "-e", code], capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


SCRIPTS = {"page": TEMPLATES / "page.js", "chart": TEMPLATES / "probability.js"}
NUMBERS = {
    "94.83%": 0.9483, "0.792 (0.654–0.911)": 0.792, "12 of 40": 12, "−0.03": -0.03, "1,325": 1325, "1,325.5": 1325.5,
    "+0.124 (+0.02 to +0.2)": 0.124, "313 (96.3%)": 313, "62.7% to 87.0%": 0.627, "33.3% by weight": 0.333,
    "1–3": 1, "10^47": 1e47, "1.5e-3": 0.0015, "< 0.0001 in size": 0.0001, ".5": 0.5, "−": None, "–": None, "": None,
    "sim08_01": None, "2026-11-25": None, "10:04:07": None, "23672ba+changes": None, "B2 B1 B2": None, "off": None,
}  # fmt: skip


def test_numbers_in_cells():
    found = node("texts.map(page.number)", texts=list(NUMBERS))
    assert dict(zip(NUMBERS, found, strict=True)) == pytest.approx(NUMBERS)


@pytest.mark.parametrize(
    ("cells", "way", "wanted"),
    [
        (["10", "–", "9", "−1"], 1, ["−1", "9", "10", "–"]),
        (["10", "–", "9", "−1"], -1, ["10", "9", "−1", "–"]),
        (["0.5", "", "off", "94.83%", "0.9"], -1, ["94.83%", "0.9", "0.5", "off", ""]),
        (["r10", "r9", "Éa", "eb", "–"], 1, ["Éa", "eb", "r9", "r10", "–"]),
    ],
)
def test_columns_sort_numbers_as_numbers_and_dashes_last(cells, way, wanted):
    assert [cells[place] for place in node("page.order(cells, way, 'en')", cells=cells, way=way)] == wanted


@pytest.mark.parametrize("way", [1, -1])
def test_sorting_is_stable(way):
    """Three ones and two twos keep their order among themselves, both ways."""
    wanted = [0, 2, 4, 1, 3] if way == 1 else [1, 3, 0, 2, 4]
    assert node("page.order(cells, way, 'en')", cells=["1", "2", "1.0", "2", "1"], way=way) == wanted


def test_readout_of_a_sample():
    """The sample of 112 s lies in seizure and alarm; at 7.9 s there is none yet; an average of three waits 4 s."""
    row = curves.probability_data(**world(), frame_s=4.0)["recordings"][0]
    assert node("chart.sampleAt(row, 4, 7.9)", row=row) == -1 and node("chart.sampleAt(row, 4, 240)", row=row) == -1
    found = dict(node("chart.readout(row, 4, 113)", row=row))
    assert found == {
        "time": "113 s (1:53)", "p_seizure": "0.512", "p_smooth": "0.900 (known 4 s later)", "threshold": "0.235",
        "annotated seizure": "yes, found", "alarm": "yes (known at 2:00)",
    }  # fmt: skip
    assert dict(node("chart.readout(row, 4, 5)", row=row))["p_seizure"] == "no sample here"


def test_missed_and_false_are_counted():
    rows = curves.probability_data(**world(), frame_s=4.0)["recordings"]
    said = ["1 seizure; 1 alarm", "1 seizure, 1 missed; no alarms", "no seizures; 1 alarm, 1 false"]
    assert node("rows.map(chart.summary)", rows=rows) == said
    names = node("chart.events(rows).map((event) => [event.row, event.from, event.name])", rows=rows)
    assert names == [[0, 100, "seizure"], [0, 112, "alarm"], [1, 301, "missed seizure"], [2, 60, "false alarm"]]


def test_dense_curves_keep_their_extremes():
    """1,000 samples on 10 pixels: the one peak and the one trough are still drawn; two samples on 80 are two steps."""
    values = [0.5] * 1000
    values[333], values[777] = 0.9, 0.1
    points = node("chart.outline(values, 8, 4, [0, 4008], 10, (p) => p)", values=values)
    assert max(points[1::2]) == 0.9 and min(points[1::2]) == 0.1 and len(points) <= 2 * 4 * 11
    assert points[points.index(0.9) - 1] == int((8 + 333 * 4) * 10 / 4008)
    wanted = [20, 0.2, 40, 0.2, 40, 0.4, 60, 0.4]
    assert node("chart.outline([0.2, 0.4], 4, 4, [0, 16], 80, (p) => p)") == wanted


def test_zoom_and_pan_stay_within_the_recording():
    """Half of 0–240 about 60 keeps 60 where it was, at a quarter; at the end nothing moves; 12 s are the shortest."""
    assert node("chart.zoomed([0, 240], 0.5, 60, 240)") == [30, 150]
    assert node("chart.zoomed([30, 150], 10, 60, 240)") == [0, 240]
    assert node("chart.zoomed([0, 240], 0.001, 120, 240)") == [114, 126]
    assert node("chart.moved([120, 240], 50, 240)") == [120, 240] and node("chart.moved([0, 120], -5, 240)") == [0, 120]
