"""Figures of the explanations: what is drawn is what was given, where it belongs."""

import itertools
from collections import namedtuple

import matplotlib

matplotlib.use("agg")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import pytest  # noqa: E402
from matplotlib.container import ErrorbarContainer  # noqa: E402
from matplotlib.contour import QuadContourSet  # noqa: E402

from helpers.acquire.montages import DOUBLE_BANANA, PAIRS  # noqa: E402
from helpers.explain import attribution_figures, planted, profiles, sample_figures, sanity  # noqa: E402
from helpers.explain.attributions import METHODS  # noqa: E402
from helpers.preprocess import filterbank  # noqa: E402
from helpers.study.bands import BANDS  # noqa: E402

AXIS = filterbank.axes(256.0, 1.0, 0.125, 4.0) | {"channels": DOUBLE_BANANA}  # 54 bins of 1 Hz, 32 columns a frame
Sample = namedtuple("Sample", "sample recording start_s end_s label decided p_seizure threshold alarm")
SAMPLE = Sample(17, "r2", 40.0, 52.0, 1, 0, 0.125, 0.5, 0)
COURSE = pd.DataFrame({"recording": "r2", "last_start_s": 4.0 * np.arange(2, 40), "p_seizure": 0.1, "p_smooth": 0.2})
COURSE = COURSE.assign(end_s=COURSE["last_start_s"] + 4, alarm=0, alarm_threshold=0.3)
PASSED = {name: [] for name in METHODS}
LIMITS = (-7.0, 21.0)
RANDOM = np.random.default_rng(0)
POWER = RANDOM.normal(5, 6, (3, 54, 32)).astype(np.float32)
MAPS = {name: RANDOM.random((3, 54, 32)).astype(np.float32) * 3 for name in METHODS}
MAPS["ig"] -= 2


def sample_pictures(failed=PASSED, maps=MAPS, simulated=False):
    return dict(sample_figures.sample_pictures(SAMPLE, POWER, maps, AXIS, LIMITS, simulated, failed))


def moment_figure(signal=0.0, channels=0.0, spans=(), failed=PASSED, **options):
    """The composed figure of the sample, with EEG and attribution by channel broadcast to their shapes."""
    signal, channels = np.broadcast_to(signal, (18, 12 * 256)), np.broadcast_to(channels, (3, 18))
    moment = sample_figures.Moment(SAMPLE, signal, np.concatenate(POWER, axis=1), MAPS, channels)
    figure = sample_figures.sample_figure(moment, AXIS, COURSE, spans, False, failed, **options)
    return figure, {axis.get_label(): axis for axis in figure.axes}


@pytest.fixture(scope="module")
def pictures():
    """The seven pictures of the sample, nothing having failed."""
    return sample_pictures()


def text_of(figure):
    return " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def images(figure):
    """Return the images of each panel that has any, colour bars left out."""
    return [axis.images for axis in figure.axes if axis.images]


def value_at(image, x, y):
    """Return what an image shows at a place in the axis's own units."""
    left, right, bottom, top = image.get_extent()
    values = np.ma.filled(np.ma.asarray(image.get_array(), float), np.nan)
    row, column = (y - bottom) / (top - bottom) * len(values), (x - left) / (right - left) * values.shape[1]
    assert 0 <= row < len(values) and 0 <= column < values.shape[1], "outside the image"
    return values[int(row) if image.origin == "lower" else len(values) - 1 - int(row), int(column)]


def test_seven_pictures_of_a_sample_in_order(pictures):
    names = ("spec_triptych", "gradcam", "gradcampp", "ig_triptych", "ig_t0", "ig_t1", "ig_t2")
    assert list(pictures) == [f"sample17_{name}.png" for name in names]


def test_pictures_say_which_sample_what_was_decided_and_what_failed(pictures):
    """A missed seizure. Grad-CAM failed two tests, Integrated Gradients one, Grad-CAM++ none; simulated only if so."""
    for figure in (*(pictures[name] for name in list(pictures)[:4]), moment_figure()[0]):
        assert "Sample 17, r2" in text_of(figure) and "true seizure, predicted non-seizure" in text_of(figure)
        assert "p_seizure 0.125" in text_of(figure) and "fails" not in text_of(figure)
        assert "simulated" not in text_of(figure)
    failed = {"gradcam": ["truth", "power"], "gradcampp": [], "ig": ["weights"]}
    said = {"gradcam": "Grad-CAM fails: truth, power", "ig": "Integrated Gradients fails: weights"}
    found = sample_pictures(failed, simulated=True) | {"_ig": moment_figure(failed=failed)[0]}
    for name, figure in found.items():
        method = name.removesuffix(".png").split("_")[1]
        assert (said.get(method, "nothing") in text_of(figure)) == ("fails" in text_of(figure)) == (method in said)
    assert all("r2 (simulated)" in text_of(found[name]) for name in list(found)[:4])


def test_spectrograms_are_drawn_on_the_study_s_scale(pictures):
    """Each step as given; t1 begins where t0 ends, at 44 s; half a bin beyond the first and the last frequency."""
    panels = images(pictures["sample17_spec_triptych.png"])
    for step, (image,) in enumerate(panels):
        np.testing.assert_array_equal(image.get_array(), POWER[step])
        assert image.get_clim() == LIMITS and image.origin == "lower"
        assert image.get_extent() == [40 + 4 * step, 44 + 4 * step, 0.5, 54.5]
    assert len(panels) == 3


@pytest.mark.parametrize("method", ["gradcam", "gradcampp"])
def test_class_maps_lie_over_their_own_step_s_spectrogram(pictures, method):
    """Relative to the highest of the three steps, on one scale from 0 to 1, the more transparent the lower; in the
    colour key too, over the greys of the spectrogram."""
    *panels, key = images(pictures[f"sample17_{method}.png"])
    for step, (below, above) in enumerate(panels):
        np.testing.assert_array_equal(below.get_array(), POWER[step])
        np.testing.assert_allclose(above.get_array(), MAPS[method][step] / MAPS[method].max(), rtol=1e-6)
        assert above.get_clim() == (0, 1) and below.get_clim() == LIMITS
        assert above.get_extent() == below.get_extent() == [40 + 4 * step, 44 + 4 * step, 0.5, 54.5]
    alpha = above.cmap([0.0, 0.5, 1.0])[:, 3]
    assert len(panels) == 3 and (np.diff(alpha) > 0).all() and alpha[2] < 1 and key[0].cmap.name == below.cmap.name


def test_integrated_gradients_have_one_scale_symmetric_about_0(pictures):
    """Its ends are exceeded by one cell in 200; the same in the pictures of each step, each at its own time."""
    together, limit = images(pictures["sample17_ig_triptych.png"]), np.percentile(np.abs(MAPS["ig"]), 99.5)
    for step in range(3):
        for image in (*together[step], *images(pictures[f"sample17_ig_t{step}.png"])[0]):
            np.testing.assert_array_equal(image.get_array(), MAPS["ig"][step])
            assert image.get_clim() == pytest.approx((-limit, limit))
            assert image.get_extent() == [40 + 4 * step, 44 + 4 * step, 0.5, 54.5]


@pytest.mark.filterwarnings("error")
def test_maps_of_zeros_are_drawn_as_zeros():
    """Nothing is divided by zero, and every scale still has two ends."""
    zeros = sample_pictures(maps={name: np.zeros((3, 54, 32), np.float32) for name in METHODS})
    assert moment_figure()[1]["t0"].collections[1].get_clim()[0] < 0
    del zeros["sample17_spec_triptych.png"]
    for image in (axis.images[-1] for figure in zeros.values() for axis in figure.axes if axis.get_title("left")):
        assert (np.asarray(image.get_array()) == 0).all() and image.get_clim()[0] < image.get_clim()[1]


def outlines(axis):
    """Return (left, right, low, high) of each outline in a panel by its level, and whether it is dashed."""
    found = {}
    for contour in (item for item in axis.collections if isinstance(item, QuadContourSet)):
        for number, (level, path) in enumerate(zip(contour.levels, contour.get_paths(), strict=True)):
            (left, low), (right, high) = path.vertices.min(axis=0), path.vertices.max(axis=0)
            dashed = contour.get_linestyle()[number % len(contour.get_linestyle())][1] is not None
            found[level] = ((left, right, low, high), dashed)
    return found


def test_outlines_surround_what_they_outline():
    """+1 at t1 from 45 to 46 s, 9.5 to 19.5 Hz, −1 at t2 from 50 to 51 s, 29.5 to 34.5 Hz: outlined within half a bin
    and half a column, at 40 % of the highest, dashed below zero. Of a class map at 50 % and at 80 %."""
    given = np.zeros((3, 54, 32), np.float32)
    given[1, 9:19, 8:16], given[2, 29:34, 16:24] = 1, -1
    made = sample_pictures(maps={"ig": given, "gradcam": np.maximum(given, 0) * 5, "gradcampp": given + 1})
    signed, relative = (
        [outlines(axis) for axis in made[f"sample17_{name}.png"].axes[:3]] for name in ("ig_triptych", "gradcam")
    )
    assert [list(panel) for panel in signed] == [[], [pytest.approx(0.4)], [pytest.approx(-0.4)]]
    assert [list(panel) for panel in relative] == [[], [0.5, 0.8], []]
    for found, dashed in (*signed[1].values(), *relative[1].values(), *signed[2].values()):
        off = np.abs(np.subtract(found, (50, 51, 29.5, 34.5) if dashed else (45, 46, 9.5, 19.5)))
        assert off.max() <= 0.5 and off[:2].max() <= 0.0625
    assert [dashed for panel in signed for _, dashed in panel.values()] == [False, True]


def test_a_colour_key_has_the_scale_s_ends():
    figure = sample_figures.colour_key("power", LIMITS, "viridis", ("dark", "bright"))
    assert figure.axes[0].get_xlim() == LIMITS and all(word in text_of(figure) for word in ("power", "dark", "bright"))


def test_channels_are_lines_between_their_electrodes():
    """Nose up: odd electrodes on the left, even ones on the right at the same places, z in the middle, front to back;
    all inside the head. Each channel has its value's colour, on one scale symmetric about 0; the sum is the title."""
    places = {name: np.array(place) for name, place in sample_figures.electrode_places().items()}
    for left, right in (("FP1", "FP2"), ("F7", "F8"), ("F3", "F4"), ("C3", "C4"), ("T7", "T8"), ("P3", "P4")):
        assert places[left][0] < 0 and np.allclose(places[left] * (-1, 1), places[right])
    assert all(places[f"{row}Z"][0] == 0 for row in "FCP") and places["F7"][0] < places["F3"][0]
    for chain in (("FP1", "F7", "T7", "P7", "O1"), ("FP1", "F3", "C3", "P3", "O1"), ("FZ", "CZ", "PZ")):
        assert (np.diff([places[name][1] for name in chain]) < 0).all()
    assert max(np.hypot(*place) for place in places.values()) < 1
    given = np.random.default_rng(3).normal(size=(3, 18))
    _, panels = moment_figure(channels=given)
    for step in range(3):
        lines = panels[f"t{step}"].collections[1]
        np.testing.assert_array_equal(lines.get_array(), given[step])
        assert lines.get_clim() == pytest.approx((-np.abs(given).max(), np.abs(given).max()))
        np.testing.assert_allclose(lines.get_segments(), [(places[one], places[other]) for one, other in PAIRS])
        assert panels[f"t{step}"].get_title("center").startswith(f"t{step}: {given[step].sum():+.2f}".replace("-", "−"))
    assert {text.get_text() for text in panels["t2"].texts} >= set(places)


def test_the_composed_figure_shows_each_part_at_its_time():
    """A triptych from 40 to 52 s: EEG, power and map over the same 12 s, power on a fixed scale about 0, the
    probability of the two minutes around with the triptych framed; only edges of seizures within it."""
    spans = np.array([(10.0, 41.5), (50.25, 90.0), (40.0, 52.0)])
    _, panels = moment_figure(spans=spans)
    for name, values in (("power", POWER), ("heat", MAPS["ig"])):
        (image,) = panels[name].images
        np.testing.assert_array_equal(image.get_array(), np.concatenate(values, axis=1))
        assert image.get_extent() == [40, 52, 0.5, 54.5] and image.get_clim()[0] == -image.get_clim()[1]
    for name in ("eeg", "power", "heat"):
        assert panels[name].get_xlim() == (40, 52)
        dashed = [lines.get_segments() for lines in panels[name].collections][-1]
        assert [segment[0, 0] for segment in dashed] == [41.5, 50.25]
    box = [patch for patch in panels["course"].patches if getattr(patch, "get_width", float)() == 12]
    assert box[-1].get_x() == 40 and panels["course"].get_xlim() == (0, 172)


def test_a_figure_drawn_on_again_is_as_a_new_one():
    """Nothing of the first moment is left."""
    new, _ = moment_figure(channels=2.0, method="gradcam")
    first, _ = moment_figure(channels=1.0, spans=np.array([(41.0, 60.0)]))
    again, panels = moment_figure(channels=2.0, method="gradcam", figure=first)
    assert again is first and text_of(again) == text_of(new) and len(again.findobj()) == len(new.findobj())
    for axis, wanted in zip(again.axes, new.axes, strict=True):
        assert len(axis.get_children()) == len(wanted.get_children()) and axis.get_xlim() == wanted.get_xlim()


def test_profiles_show_the_means_and_say_of_how_many():
    """Two seizures found, one other left alone; nothing missed and nothing taken for seizure, and the panels say so.
    One seizure's Grad-CAM is of zeros, so NaN: there are still two."""
    banded = {"ig": RANDOM.normal(size=(3, 3, 5)), "gradcam": RANDOM.random((3, 3, 5)) * 3}
    banded["gradcam"][0] = np.nan
    table = pd.DataFrame([(1, 1), (1, 1), (0, 0)], columns=["label", "decided"])
    table = table.assign(sample=range(3), recording="a", last_start_s=8.0)
    figure = attribution_figures.profile_maps(profiles.means(profiles.long_table(table, banded)))
    titles = [axis.get_title("center").replace("\n", " ") for axis in figure.axes[:4]]
    assert titles == ["seizure, found: 2", "seizure, missed: 0", "other, taken for seizure: 0", "other, left alone: 1"]
    for row, method in enumerate(("gradcam", "ig")):
        found, missed, taken, left = figure.axes[4 * row : 4 * row + 4]
        for axis, samples in ((found, slice(0, 2)), (left, slice(2, 3))):
            expected = np.nanmean(banded[method][samples], axis=0).T  # [band, step]
            np.testing.assert_allclose(axis.collections[0].get_array(), expected)
            assert [float(text.get_text()) for text in axis.texts] == pytest.approx(
                expected.ravel().tolist(), abs=0.006
            )
            low, high = axis.collections[0].get_clim()
            assert (low == -high) if method == "ig" else (low == 0 and high >= 2)
        for axis in (missed, taken):
            assert not axis.collections and [text.get_text() for text in axis.texts if len(text.get_text()) > 1] == [
                "none"
            ]
        assert [label.get_text() for label in found.get_yticklabels()] == list(BANDS) and not found.yaxis_inverted()


@pytest.mark.parametrize(
    ("frames", "frame_s"),
    [([-4, -1, 0, 1, 5], 4.0), ([-2, -1, 0, 1], 1.2)],  # 0.6 − 1.2 + 1.2 is not 0.6
)
def test_onset_profiles_show_each_frame_at_its_time(frames, frame_s):
    """A frame reaches half its length to both sides of its middle; where one is missing, there is nothing. The onset is
    at 0, and the log-odds are drawn over Integrated Gradients. Relevance is 100 · time + band."""
    times = ((np.array(frames) + 0.5) * frame_s).tolist()
    rows = [
        (method, since_s, band, 100 * since_s + number, 2)
        for method, since_s, (number, band) in itertools.product(("ig", "gradcam"), times, enumerate(BANDS))
    ]
    found = pd.DataFrame(rows, columns=["method", "since_s", "band", "relevance", "n"])
    log_odds = pd.Series(np.arange(len(times)) - 2.0, index=times)
    figure = attribution_figures.onset_profiles(found, log_odds)
    for axis, method in zip(figure.axes, ("gradcam", "ig"), strict=False):
        (image,) = axis.images
        for number, time, within in itertools.product(range(5), times, (-0.49, 0.0, 0.49)):
            assert value_at(image, time + within * frame_s, number) == 100 * time + number
        missing = set(range(frames[0], frames[-1])) - set(frames)
        assert np.isnan([value_at(image, (frame + 0.5) * frame_s, 2) for frame in missing]).all()
        low, high = image.get_clim()
        assert (low == -high) if method == "ig" else (low == 0)
        assert [line.get_xdata()[0] for line in axis.get_lines()] == [0]
    (line,) = (line for axis in figure.axes[2:] for line in axis.get_lines() if len(line.get_xdata()) == len(times))
    assert line.get_xydata().tolist() == [[time, value] for time, value in log_odds.items()]


def figure_of(value, low=None, high=None, n=9):
    return {"value": value, "low": low, "high": high, "dropped": 0.0, "reason": None, "n": n}


def error_bars(axis):
    """Return the points and the ends of the bars of each series: arrays [point, 2] and [point, 2 ends, 2]."""
    containers = [item for item in axis.containers if isinstance(item, ErrorbarContainer)]
    return [(item.get_label(), item[0].get_xydata(), item[2][0].get_segments()) for item in containers]


def ends_of(item):
    return [item["value"] if item[end] is None else item[end] for end in ("low", "high")]


def test_truth_scores_put_each_map_s_dot_at_its_value():
    """In the panel of its score and axis, on the line with its name, with its interval; without a value, or a map along
    that axis, no dot. Chance is a line down the panel."""
    truth = {}
    for along in ("time × frequency", "time", "frequency", "channel", "channel, where planted"):
        names = [name for name in (*sanity.BASELINES, *METHODS) if not (along.startswith("channel") and "grad" in name)]
        values = RANDOM.uniform(0.2, 0.8, (len(names), 4))
        truth[along] = {
            name: {score: figure_of(at, at - 0.1, at + 0.05) for score, at in zip(planted.SCORES, row, strict=True)}
            for name, row in zip(names, values, strict=True)
        }
        truth[along]["power"]["auc"] |= {"low": None, "high": None}
        truth[along]["other_eeg"]["auc"] = figure_of(None, n=0)
    figure = attribution_figures.truth_scores(truth)
    rows = {label.get_text().replace("\n", " "): row for row, label in enumerate(figure.axes[0].get_yticklabels())}
    assert set(rows) == {*METHODS.values(), *(text for name, text in sanity.BASELINES.items() if name != "chance")}
    assert len(figure.axes) == 4
    for axis in figure.axes:
        own = {name: item["auc"] for name, item in truth[axis.get_title("left").replace("\n", " ")].items()}
        chance = own.pop("chance")["value"]
        known = {rows[attribution_figures.NAMES[name]]: item for name, item in own.items() if item["value"] is not None}
        drawn = {round(points[0][1]): (points[0][0], bars) for _, points, bars in error_bars(axis) if len(bars[0])}
        drawn = {row: (x, bars) for row, (x, bars) in drawn.items() if not np.isnan(x)}
        assert {row: x for row, (x, _) in drawn.items()} == {row: item["value"] for row, item in known.items()}
        for row, (_, bars) in drawn.items():
            np.testing.assert_allclose(bars[0][:, 0], ends_of(known[row]))
        assert [[chance, 0], [chance, 1]] in [line.get_xydata().tolist() for line in axis.get_lines()]


LAYERS, TESTS = ("score", "recur", "mix"), ("labels", "retrained", "noise")


def test_weight_randomisation_draws_the_correlations_layer_by_layer():
    """Each method's, then those of the other tests; Integrated Gradients' without signs; the limit is a line. One mean
    has no interval, and one is undefined."""
    found = {}
    for test in (*(f"weights:{layer}" for layer in LAYERS), *TESTS):
        size, *values = RANDOM.uniform(-0.5, 0.9, 4)
        found[test] = {name: figure_of(at, at - 0.2, at + 0.1) for name, at in zip(METHODS, values, strict=True)}
        found[f"magnitude:{test}"] = {"ig": figure_of(size, size - 0.1, size + 0.2)}
    found["weights:recur"]["gradcam"] |= {"low": None, "high": None}
    found["weights:mix"]["gradcampp"] = figure_of(None)
    (axis,) = attribution_figures.weight_randomisation(found, LAYERS, 0.2).axes
    weights = [f"weights:{layer}" for layer in LAYERS]
    given = [(name, [found[test][method] for test in (*weights, *TESTS)]) for method, name in METHODS.items()]
    given.append(("without signs", [found[f"magnitude:{test}"]["ig"] for test in weights]))
    for (said, points, bars), (label, items) in zip(error_bars(axis), given, strict=True):
        assert said.endswith(label) and points[:, 0].round().tolist() == list(range(len(items)))
        known = [number for number, item in enumerate(items) if item["value"] is not None]
        np.testing.assert_allclose(points[known, 1], [items[number]["value"] for number in known])
        np.testing.assert_allclose([bars[number][:, 1] for number in known], [ends_of(items[n]) for n in known])
        assert np.isnan(np.delete(points[:, 1], known)).all()
    ends = [label.get_text().split()[-1] for label in axis.get_xticklabels()]
    assert ends == [*LAYERS, "labels", "recordings", "noise"]
    assert [[0, 0.2], [1, 0.2]] in [line.get_xydata().tolist() for line in axis.get_lines()]


def test_deletion_curves_draw_the_scores_and_say_the_gains():
    """Over shares from 0 to 1, None being a gap; how much faster than at random stands beside the map's name, and
    nothing beside random order, or where it is undefined."""
    kinds, scores = ("deletion", "insertion"), [1.0, None, 0.25, 0.125, 0.0]
    curves = {
        kind: {name: scores[:: 1 if kind == "deletion" else -1] for name in (*METHODS, "random")} for kind in kinds
    }
    gain = {
        kind: {"gradcam": figure_of(at), "gradcampp": figure_of(None), "ig": figure_of(-at)}
        for kind, at in zip(kinds, (0.12, 0.56), strict=True)
    }
    figure = attribution_figures.deletion_curves(curves, gain)
    for axis, (kind, own) in zip(figure.axes, curves.items(), strict=True):
        assert axis.get_title("left") == kind.capitalize()
        for line, values in zip(axis.get_lines(), own.values(), strict=True):
            expected = np.column_stack([[0, 0.25, 0.5, 0.75, 1], np.array(values, float)])
            np.testing.assert_array_equal(line.get_xydata(), expected)
        labels = [line.get_label() for line in axis.get_lines()]
        assert labels == [
            "Grad-CAM (+0.12, +0.56)", "Grad-CAM++", "Integrated Gradients (−0.12, −0.56)", "random order",
        ]  # fmt: skip


@pytest.mark.filterwarnings("ignore:No artists with labels")
def test_without_tests_there_are_no_series():
    """No seizure was found, so that none was tested: panels with their names, and nothing of any method."""
    (axis,) = attribution_figures.weight_randomisation({}, LAYERS, 0.2).axes
    assert not axis.containers and axis.get_xticklabels()[0].get_text() == "score"
    figure = attribution_figures.deletion_curves({}, {})
    assert [axis.get_title("left") for axis in figure.axes] == ["Deletion", "Insertion"]
    assert not any(axis.get_lines() for axis in figure.axes)


def test_figures_are_returned_and_kept_nowhere():
    """pyplot would hold them, and a notebook show them twice."""
    before = matplotlib.pyplot.get_fignums()
    figures = [attribution_figures.deletion_curves({}, {}), moment_figure()[0]]
    assert matplotlib.pyplot.get_fignums() == before and all(figure.axes for figure in figures)
