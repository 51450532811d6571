"""Figures of the explanations: what is drawn is what was given, where it belongs."""

import itertools
import re
from collections import namedtuple

import matplotlib

matplotlib.use("agg")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import pytest  # noqa: E402
from matplotlib.container import ErrorbarContainer  # noqa: E402
from matplotlib.contour import QuadContourSet  # noqa: E402

from helpers.acquire.montages import DOUBLE_BANANA  # noqa: E402
from helpers.explain import attribution_figures, planted, profiles, sanity  # noqa: E402
from helpers.explain.attributions import METHODS  # noqa: E402
from helpers.preprocess import filterbank  # noqa: E402
from helpers.study.bands import BANDS  # noqa: E402

AXIS = filterbank.axes(256.0, 1.0, 0.125, 4.0)  # 54 bins of 1 Hz, 32 columns a frame
Sample = namedtuple("Sample", "sample recording start_s label decided p_seizure")
SAMPLE = Sample(17, "r2", 40.0, 1, 0, 0.125)
PASSED = {name: [] for name in METHODS}
LIMITS = (-7.0, 21.0)


def spectrogram_maps():
    """Power, class maps and Integrated Gradients of one sample, all different."""
    generator = np.random.default_rng(0)
    maps = {name: generator.random((3, 54, 32)).astype(np.float32) * size for name, size in (("gradcam", 3), ("ig", 1))}
    maps |= {"gradcampp": generator.random((3, 54, 32)).astype(np.float32) / 7, "ig": maps["ig"] - 0.7}
    return generator.normal(5, 6, (3, 54, 32)).astype(np.float32), maps


POWER, MAPS = spectrogram_maps()


def pictures(failed=PASSED, maps=MAPS):
    return dict(attribution_figures.sample_pictures(SAMPLE, POWER, maps, AXIS, LIMITS, False, failed))


def by_channel(attribution, failed=PASSED, simulated=False, axis=AXIS, seizures=()):
    """Pictures by channel of a sample whose raw EEG is zeros."""
    signal = np.zeros((18, round(3 * attribution.shape[2] * axis["hop_s"] * 256)))
    given = (SAMPLE, signal, attribution, axis, seizures, simulated, failed)
    return dict(attribution_figures.channel_pictures(*given))


@pytest.fixture(scope="module")
def drawn():
    """The seven pictures of the sample, nothing having failed."""
    return pictures()


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def titles(figure):
    """Return the figure's own title and those of its panels, wherever they stand."""
    own = [figure.get_suptitle(), *(axis.get_title(loc=side) for axis in figure.axes for side in ("left", "center"))]
    return [title for title in own if title]


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


def test_seven_pictures_of_a_sample_in_order(drawn):
    assert list(drawn) == [
        "sample17_spec_triptych.png", "sample17_gradcam.png", "sample17_gradcampp.png", "sample17_ig_triptych.png",
        "sample17_ig_t0.png", "sample17_ig_t1.png", "sample17_ig_t2.png",
    ]  # fmt: skip


@pytest.mark.slow
def test_titles_say_which_sample_and_what_was_decided(drawn):
    """A seizure missed; in short where a step is alone. That it is simulated only if it is; of no test that failed."""
    decided = ": true seizure, predicted non-seizure, p_seizure 0.125"
    for name, figure in (drawn | by_channel(np.ones((3, 18, 32)))).items():
        step = re.search(r"_ig_(t\d)\.", name)
        assert (f"sample 17, IG of {step[1]}" if step else f"sample 17, r2{decided}") in words(figure)
        assert "FAILS" not in words(figure) and "simulated" not in words(figure)
    given = (SAMPLE, POWER, MAPS, AXIS, LIMITS, True, PASSED)
    for figure in (
        next(attribution_figures.sample_pictures(*given))[1],
        *by_channel(MAPS["ig"][:, :18], simulated=True).values(),
    ):
        assert f"sample 17, r2 (simulated){decided}" in words(figure)


def test_a_method_that_failed_says_so_over_its_own_pictures_alone():
    """Grad-CAM failed two tests, Integrated Gradients one, Grad-CAM++ none: its picture says nothing of failing."""
    failed = {"gradcam": ["truth", "power"], "gradcampp": [], "ig": ["weights"]}
    for name, figure in (pictures(failed) | by_channel(np.ones((3, 18, 32)), failed)).items():
        about = name.removesuffix(".png").split("_")[1]
        said = [re.search(r"FAILS[\w ]*: ([\w, ]+)", title)[1] for title in titles(figure) if "FAILS" in title]
        assert said == {"spec": [], "gradcam": ["truth, power"], "gradcampp": []}.get(about, ["weights"]), name


def test_spectrograms_are_drawn_on_the_study_s_scale(drawn):
    """Each step as given; t1 begins where t0 ends, at 44 s; half a bin beyond the first and the last frequency."""
    shown = images(drawn["sample17_spec_triptych.png"])
    for step, (image,) in enumerate(shown):
        np.testing.assert_array_equal(image.get_array(), POWER[step])
        assert image.get_clim() == LIMITS and image.origin == "lower"
        assert image.get_extent() == [40 + 4 * step, 44 + 4 * step, 0.5, 54.5]
    assert len(shown) == 3


@pytest.mark.parametrize("method", ["gradcam", "gradcampp"])
def test_class_maps_lie_over_their_own_step_s_spectrogram(drawn, method):
    """Relative to the highest of the three steps, on one scale from 0 to 1; seen through."""
    shown = images(drawn[f"sample17_{method}.png"])
    for step, (below, above) in enumerate(shown):
        np.testing.assert_array_equal(below.get_array(), POWER[step])
        np.testing.assert_allclose(above.get_array(), MAPS[method][step] / MAPS[method].max(), rtol=1e-6)
        assert above.get_clim() == (0, 1) and above.get_alpha() < 1 and above.get_extent() == below.get_extent()
        assert above.get_extent()[:2] == [40 + 4 * step, 44 + 4 * step]
    assert len(shown) == 3


def test_integrated_gradients_have_one_scale_symmetric_about_0(drawn):
    """The same in the triptych and in the pictures of each step, each at its own time."""
    together = [panel[0] for panel in images(drawn["sample17_ig_triptych.png"])]
    limit = np.abs(MAPS["ig"]).max()
    for step, image in enumerate(together):
        ((alone,),) = images(drawn[f"sample17_ig_t{step}.png"])
        for one in (image, alone):
            np.testing.assert_array_equal(one.get_array(), MAPS["ig"][step])
            assert one.get_clim() == pytest.approx((-limit, limit))
            assert one.get_extent() == [40 + 4 * step, 44 + 4 * step, 0.5, 54.5]
    assert len(together) == 3


@pytest.mark.filterwarnings("error")
def test_maps_of_zeros_are_drawn_as_zeros():
    """Nothing is divided by nothing, and every scale still has two ends."""
    zeros = pictures(maps={name: np.zeros((3, 54, 32), np.float32) for name in METHODS})
    zeros |= by_channel(np.zeros((3, 18, 32), np.float32))
    del zeros["sample17_spec_triptych.png"]
    for image in (panel[-1] for figure in zeros.values() for panel in images(figure)):
        assert (np.asarray(image.get_array()) == 0).all() and image.get_clim()[0] < image.get_clim()[1]


def outlined(axis):
    """Return (left, right, low, high) of each outline drawn in a panel, with its level."""
    found = []
    for contour in (drawn for drawn in axis.collections if isinstance(drawn, QuadContourSet)):
        for level, path in zip(contour.levels, contour.get_paths(), strict=True):
            if len(path.vertices):
                (left, low), (right, high) = path.vertices.min(axis=0), path.vertices.max(axis=0)
                found.append((level, (left, right, low, high)))
    return dict(found)


def test_outlines_go_round_what_they_outline():
    """+1 at t1 from 45 to 46 s, 9.5 to 19.5 Hz, −1 at t2 from 50 to 51 s, 29.5 to 34.5 Hz: outlined within half a bin
    and half a column, at 40 % of the highest, and nowhere else. Of a class map at 50 % and at 80 %."""
    given = np.zeros((3, 54, 32), np.float32)
    given[1, 9:19, 8:16], given[2, 29:34, 16:24] = 1, -1
    drawn = pictures(maps={"ig": given, "gradcam": np.maximum(given, 0) * 5, "gradcampp": given + 1})
    signed, relative = (
        [outlined(axis) for axis in drawn[f"sample17_{name}.png"].axes[:3]] for name in ("ig_triptych", "gradcam")
    )
    assert [list(panel) for panel in signed] == [[], [pytest.approx(0.4)], [pytest.approx(-0.4)]]
    assert [list(panel) for panel in relative] == [[], [0.5, 0.8], []]
    places = [*signed[1].values(), *relative[1].values()]
    for found, box in [
        *((place, (45, 46, 9.5, 19.5)) for place in places),
        (*signed[2].values(), (50, 51, 29.5, 34.5)),
    ]:
        assert np.abs(np.subtract(found, box)).max() <= 0.5 and np.abs(np.subtract(found, box))[:2].max() <= 0.0625


def test_80_percent_is_outlined_where_nothing_is_below_50():
    """t1 is at 60 % of the highest everywhere, and at 100 % from 9.5 to 19.5 Hz."""
    given = np.full((3, 54, 32), 0.6, np.float32)
    given[1, 9:19] = 1
    figure = attribution_figures.relevance_triptych(given, POWER, AXIS["frequencies_hz"], 0.125, 40.0, "")
    assert 0.8 in outlined(figure.axes[1])


def test_keys_have_the_scale_s_ends():
    """Of power the study's, of relevance 0 and 1."""
    for figure, ends in (
        (attribution_figures.power_legend(LIMITS), LIMITS),
        (attribution_figures.relevance_legend(), (0, 1)),
    ):
        assert figure.axes[0].get_xlim() == ends


def dots(axis):
    """Return x and y of the channels' dots on a scalp, [18, 2], in the order of the double banana."""
    (found,) = (line for line in axis.get_lines() if line.get_marker() == "." and len(line.get_xdata()) == 18)
    return np.column_stack([found.get_xdata(), found.get_ydata()])


@pytest.mark.slow
def test_channels_stand_at_the_middle_of_their_electrodes():
    """Nose up: electrodes with odd numbers are on the left, even ones on the right at the same places, z in the middle;
    each chain goes from front to back, the outer ones farther out; all inside the head. FP1-F7 less F7-T7 plus T7-P7
    less P7-O1 is half of FP1 − O1 where each is a middle, and so is the other chain from FP1 to O1."""
    for axis in attribution_figures.channel_maps(np.ones((3, 18)), "").axes[:3]:
        outer_left, inner_left, inner_right, outer_right, middle = np.split(dots(axis), [4, 8, 12, 16])
        size = max(np.abs(np.ravel(line.get_xdata())).max() for line in axis.get_lines() if len(line.get_xdata()) > 90)
        for left, right in ((outer_left, outer_right), (inner_left, inner_right)):
            assert (left[:, 0] < -0.2 * size).all() and (np.abs(left * (-1, 1) - right) < 0.05 * size).all()
        assert (outer_left[:, 0] < inner_left[:, 0]).all() and (np.abs(middle[:, 0]) < 0.02 * size).all()
        for chain in (outer_left, inner_left, inner_right, outer_right, middle):
            assert (np.diff(chain[:, 1]) < -0.2 * size).all() and chain[0, 1] > 0.1 * size > 0 > chain[-1, 1]
            assert (np.hypot(*chain.T) < size).all()
        signs = np.array([[1], [-1], [1], [-1]])
        for one, other in ((outer_left, inner_left), (outer_right, inner_right)):
            np.testing.assert_allclose((signs * one).sum(axis=0), (signs * other).sum(axis=0), atol=1e-6 * size)


def test_scalps_show_each_channel_s_value_where_it_stands():
    """One scale symmetric about 0 for the three; what all channels add to a step is said over it."""
    given = np.random.default_rng(3).normal(size=(3, 18))
    figure = attribution_figures.channel_maps(given, "by channel")
    for step, axis in enumerate(figure.axes[:3]):
        (image,) = axis.images
        assert image.get_clim() == pytest.approx((-np.abs(given).max(), np.abs(given).max()))
        shown = [value_at(image, x, y) for x, y in dots(axis)]
        np.testing.assert_allclose(shown, given[step], atol=0.25)
        said = re.search(r"([+−])(\d+\.\d\d)", axis.get_title())
        assert f"{given[step].sum():+.2f}" == said[0].replace("−", "-") and axis.get_title().startswith(f"t{step}")
    assert figure.get_suptitle() == "by channel"


def test_pictures_by_channel_add_up_time():
    """Two pictures; on the scalps the sum over a step's columns, on the EEG that over each half second."""
    given = np.random.default_rng(4).normal(size=(3, 18, 32)).astype(np.float32)
    drawn = by_channel(given)
    assert list(drawn) == ["sample17_channels.png", "sample17_traces.png"]
    for step, axis in enumerate(drawn["sample17_channels.png"].axes[:3]):
        assert f"{given[step].sum():+.2f}".replace("-", "−") in axis.get_title()
    ((image,),) = images(drawn["sample17_traces.png"])
    expected = given.reshape(3, 18, 8, 4).sum(axis=3).transpose(1, 0, 2).reshape(18, 24)
    np.testing.assert_allclose(image.get_array(), np.repeat(expected, 4, axis=1), rtol=1e-5, atol=1e-5)
    limit = np.abs(expected).max()
    assert image.get_clim() == pytest.approx((-limit, limit))


@pytest.mark.parametrize(
    ("step", "channel", "column", "columns"),
    [
        (0, 0, 0, 32),
        (1, 4, 9, 32),
        (2, 17, 31, 32),
        (0, 4, 4, 10),
        (1, 4, 1, 2),
    ],
)
def test_shading_lies_on_its_channel_and_second(monkeypatch, step, channel, column, columns):
    """One cell of one channel alone is not 0: its second and line are shaded, the lines beside it and what lies a
    second away are not."""
    monkeypatch.setattr(attribution_figures, "channel_maps", lambda *given: None)  # takes longest, and is not looked at
    given = np.zeros((3, 18, columns), np.float32)
    given[step, channel, column] = -2
    figure = by_channel(given, axis={**AXIS, "frame_columns": columns, "frame_s": columns / 8})["sample17_traces.png"]
    ((image,),) = images(figure)
    second = 40 + (step * columns + column + 0.5) * 0.125
    shown = [value_at(image, second, line) for line in range(18)]
    assert shown[channel] == -2 and np.count_nonzero(shown) == 1
    shaded = np.flatnonzero(np.asarray(image.get_array())[channel])
    assert np.count_nonzero(image.get_array()) == len(shaded) <= 6 and (np.diff(shaded) == 1).all()  # one part
    assert shaded[0] <= step * columns + column <= shaded[-1] and set(shaded // columns) == {step}
    assert image.get_extent()[:2] == [40, 40 + 3 * columns / 8]
    assert figure.axes[0].get_yticklabels()[channel].get_text() == DOUBLE_BANANA[channel]


def test_traces_are_drawn_over_their_shading_with_the_edges_of_seizures():
    """A spike on the sixth channel alone at 43 s rises (negative is up) on the sixth line; no edges from outside."""
    signal = np.zeros((18, 12 * 256))
    signal[5, 3 * 256] = -40
    seizures = [(10.0, 41.5), (50.25, 90.0), (40.0, 52.0)]
    figure = attribution_figures.shaded_traces(signal, 256.0, 40.0, np.ones((18, 24)), seizures, "title")
    axis = figure.axes[0]
    traces = [line for line in axis.get_lines() if len(line.get_xdata()) == signal.shape[1]]
    spikes = [(row, line) for row, line in enumerate(traces) if np.ptp(line.get_ydata())]
    assert len(traces) == 18 and [row for row, _ in spikes] == [5]
    top = np.argmin(spikes[0][1].get_ydata())
    assert spikes[0][1].get_xdata()[top] == 43 and spikes[0][1].get_ydata()[top] < 5 and axis.yaxis_inverted()
    edges = [line.get_xdata()[0] for line in axis.get_lines() if line.get_color() == attribution_figures.SEIZURE]
    assert edges == [41.5, 50.25] and axis.get_xlim() == (40, 52)
    steps = {text.get_text(): text.get_position()[0] for text in axis.texts}
    assert [steps[f"t{step}"] for step in range(3)] == [42, 46, 50]


def means_of(labels, banded):
    """Return `profiles.means` of samples with these (label, decided)."""
    table = pd.DataFrame(labels, columns=["label", "decided"])
    table = table.assign(sample=range(len(table)), recording="a", last_start_s=8.0 + 4 * table.index)
    return profiles.means(profiles.table(table, banded))


def panel_titles(figure):
    return [axis.get_title() for axis in figure.axes if axis.get_title()]


def test_profiles_show_the_means_and_say_of_how_many():
    """Two seizures found, one other left alone; nothing missed and nothing taken for seizure, and the panels say so."""
    generator = np.random.default_rng(5)
    banded = {"ig": generator.normal(size=(3, 3, 5)), "gradcam": generator.random((3, 3, 5)) * 3}
    figure = attribution_figures.profile_maps(means_of([(1, 1), (1, 1), (0, 0)], banded))
    assert panel_titles(figure) == [
        "seizure, found: 2", "seizure, missed: 0", "other, taken for seizure: 0", "other, left alone: 1",
    ]  # fmt: skip
    for row, method in enumerate(("gradcam", "ig")):
        found, missed, taken, left = figure.axes[4 * row : 4 * row + 4]
        for axis, samples in ((found, slice(0, 2)), (left, slice(2, 3))):
            (image,), expected = axis.images, banded[method][samples].mean(axis=0).T  # [band, step]
            np.testing.assert_allclose(image.get_array(), expected)
            texts = {text.get_position(): float(text.get_text().replace("−", "-")) for text in axis.texts}
            for (band, step), value in np.ndenumerate(expected):
                assert value_at(image, step, band) == pytest.approx(value)
                assert texts[step, band] == pytest.approx(value, abs=0.005)
            low, high = image.get_clim()
            assert (low == -high) if method == "ig" else (low == 0 and high >= 2)
        for axis in (missed, taken):
            assert not axis.images and [text.get_text() for text in axis.texts] == ["none"]
        names = [label.get_text() for label in found.get_yticklabels()]
        assert [name.split()[0] for name in names] == list(BANDS)


def test_profiles_count_samples_and_not_maps():
    """Of two seizures found, one's Grad-CAM is of zeros: there are still two."""
    banded = {"gradcam": np.ones((2, 3, 5)), "ig": np.ones((2, 3, 5))}
    banded["gradcam"][0] = np.nan
    figure = attribution_figures.profile_maps(means_of([(1, 1), (1, 1)], banded))
    assert panel_titles(figure)[0] == "seizure, found: 2"


def onsets(times):
    """Return relevance by band and time since the onset that says where it is from, 100 · time + band, and log-odds."""
    rows = [
        (method, since_s, band, 100 * since_s + number, 2)
        for method in ("ig", "gradcam")
        for since_s in times
        for number, band in enumerate(BANDS)
    ]
    found = pd.DataFrame(rows, columns=["method", "since_s", "band", "relevance", "n"])
    return found, pd.Series(np.arange(len(times)) - 2.0, index=pd.Index(times, name="since_s"))


@pytest.mark.parametrize(
    ("frames", "frame_s"),
    [
        ([-2, -1, 0, 1], 4.0),
        ([-4, -1, 0, 1, 5], 4.0),
        ([-2, -1, 0, 1], 1.2),  # 0.6 − 1.2 + 1.2 is not 0.6
    ],
)
def test_onset_profiles_show_each_frame_at_its_time(frames, frame_s):
    """A frame reaches half its length to both sides of its middle; where one is missing, there is nothing. Its log-odds
    are drawn over it, the onset at 0."""
    times = ((np.array(frames) + 0.5) * frame_s).tolist()
    found, log_odds = onsets(times)
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


def figures_of(value, low=None, high=None, n=9):
    return {"value": value, "low": low, "high": high, "dropped": 0.0, "reason": None, "n": n}


def truths():
    """Return scores along each axis: of the class maps none by channel, two without intervals, one undefined."""
    generator, found = np.random.default_rng(6), {"ahead": {}}
    for along in ("time × frequency", "time", "frequency", "channel", "channel, where planted"):
        names = [name for name in (*sanity.TRIVIAL, *METHODS) if not (along.startswith("channel") and "grad" in name)]
        found[along] = {name: {} for name in names}
        for name, score in itertools.product(names, planted.SCORES):
            value = generator.uniform(0.2, 0.8)
            found[along][name][score] = figures_of(value, value - 0.1, value + 0.05)
        found[along]["power"]["auc"] |= {"low": None, "high": None}
        found[along]["ig"]["mass"] |= {"low": None, "high": None}
        found[along]["other_eeg"]["auc"] = figures_of(None, n=0)
    return found


def test_truth_scores_put_each_map_s_dot_at_its_value():
    """In the panel of its score and axis, on the line with its name, over its interval; without an interval, no bar;
    without a value, or a map along that axis, no dot. Chance is a line down the panel."""
    truth = truths()
    figure = attribution_figures.truth_scores(truth)
    names = {label.get_text(): row for row, label in enumerate(figure.axes[0].get_yticklabels())}
    assert set(names) == {*METHODS.values(), *(text for name, text in sanity.TRIVIAL.items() if name != "chance")}
    seen, scores = set(), {"AUC": "auc", "AUC at equal frequency": "auc_at_frequency", "mass": "mass"}
    for axis in figure.axes:
        what, along = axis.get_title().split("\n")[0].split(", ", 1)
        score = scores[what]
        seen.add((score, along))
        own = {name: item[score] for name, item in truth[along].items()}
        lines = [line.get_xydata().tolist() for line in axis.get_lines()]
        assert sorted(line for line in lines if len(line) == 1) == sorted(
            [[item["value"], names[attribution_figures.NAMES[name]]]]
            for name, item in own.items()
            if name != "chance" and item["value"] is not None
        )
        bars = [line for line in lines if len(line) == 2]
        expected = [
            [[item[end], names[attribution_figures.NAMES[name]]] for end in ("low", "high")]
            for name, item in own.items()
            if name != "chance" and item["low"] is not None
        ]
        assert sorted(bars) == sorted([*expected, [[own["chance"]["value"], 0], [own["chance"]["value"], 1]]])
        assert "9 samples" in axis.get_title()
    assert {("auc", "time × frequency"), ("mass", "time × frequency"), ("mass", "channel")} <= seen


LAYERS = ("score", "recur", "mix")
TESTS = ("labels", "retrained", "noise")


def disturbances():
    """Return correlations that are all different, with intervals; one without an interval, one undefined."""
    generator, found = np.random.default_rng(7), {}
    for test in (*(f"weights:{layer}" for layer in LAYERS), *TESTS):
        values = generator.uniform(-0.5, 0.9, 4)
        found[test] = {name: figures_of(at, at - 0.2, at + 0.1) for name, at in zip(METHODS, values[1:], strict=True)}
        found[f"magnitude:{test}"] = {"ig": figures_of(values[0], values[0] - 0.1, values[0] + 0.2)}
    found["weights:recur"]["gradcam"] |= {"low": None, "high": None}
    found["weights:mix"]["gradcampp"] = figures_of(None)
    return found


def drawn_errors(axis):
    """Return the points and the bars of each series with error bars: arrays [point, 2] and [point, (low, high)]."""
    found = []
    for container in (item for item in axis.containers if isinstance(item, ErrorbarContainer)):
        line, _, (bars,) = container
        ends = np.array([segment[:, 1] if len(segment) else (np.nan, np.nan) for segment in bars.get_segments()])
        found.append((container.get_label(), line.get_xydata(), ends))
    return found


def expected_errors(items):
    """Return values, and the ends of their bars: both at the value where there is no interval, NaN without a value."""
    values = np.array([np.nan if item["value"] is None else item["value"] for item in items])
    ends = [
        [at if item[end] is None else item[end] for end in ("low", "high")]
        for at, item in zip(values, items, strict=True)
    ]
    return values, np.array(ends)


def test_randomised_weights_draw_the_correlations_layer_by_layer():
    """From the trained network, 1, on; each method's, and Integrated Gradients' without signs; the limit is a line. The
    other tests beside them, in order."""
    found = disturbances()
    left, right = attribution_figures.randomised_weights(found, LAYERS, 0.2).axes
    series = [
        *((name, "weights", method) for method, name in METHODS.items()),
        ("without signs", "magnitude:weights", "ig"),
    ]
    for (said, points, bars), (label, test, method) in zip(drawn_errors(left), series, strict=True):
        values, ends = expected_errors([found[f"{test}:{layer}"][method] for layer in LAYERS])
        assert said.endswith(label)
        np.testing.assert_allclose(points, np.column_stack([[1, 2, 3], values]))
        np.testing.assert_allclose(bars, ends)
    for (_, points, bars), method in zip(drawn_errors(right), METHODS, strict=True):
        values, ends = expected_errors([found[test][method] for test in TESTS])
        np.testing.assert_allclose(points[:, 1], values)
        np.testing.assert_allclose(bars, ends)
        assert points[:, 0].round().tolist() == [0, 1, 2]
    assert [label.get_text() for label in left.get_xticklabels()] == ["trained", *LAYERS]
    assert [label.get_text().split()[-1] for label in right.get_xticklabels()] == ["labels", "recordings", "noise"]
    assert [0.2, 0.2] in [list(line.get_ydata()) for line in left.get_lines()]
    assert [[0, 1]] in [line.get_xydata().tolist() for line in left.get_lines()]


def test_deletion_curves_draw_the_scores_and_say_the_gains():
    """Over shares from 0 to 1, the curve that was given for the panel; how much faster than at random stands beside the
    map's name, and nothing beside random order, or where it is undefined."""
    generator = np.random.default_rng(8)
    curves = {
        kind: {name: generator.random(5).tolist() for name in (*METHODS, "random")}
        for kind in ("deletion", "insertion")
    }
    gain = {
        "deletion": {"gradcam": figures_of(0.12), "gradcampp": figures_of(None), "ig": figures_of(-0.34)},
        "insertion": {"gradcam": figures_of(0.56), "gradcampp": figures_of(None), "ig": figures_of(0.78)},
    }
    figure = attribution_figures.deletion_curves(curves, gain)
    for axis, (kind, own) in zip(figure.axes, curves.items(), strict=True):
        assert axis.get_title() == kind
        for line, (name, values) in zip(axis.get_lines(), own.items(), strict=True):
            np.testing.assert_allclose(line.get_xydata(), np.column_stack([[0, 0.25, 0.5, 0.75, 1], values]))
            told = attribution_figures.NAMES[name], gain[kind].get(name, {}).get("value")
            assert line.get_label().startswith(told[0])
            assert (
                (line.get_label() == told[0])
                if told[1] is None
                else (f"{told[1]:+.2f}".replace("-", "−") in line.get_label())
            )
    assert "Grad-CAM" in words(figure) and "+0.12" in words(figure) and "+0.56" in words(figure)


@pytest.mark.filterwarnings("ignore:No artists with labels")
def test_without_tests_there_are_no_series():
    """No seizure was found, so that none was tested: panels with their names, and nothing of any method."""
    left, right = attribution_figures.randomised_weights({}, LAYERS, 0.2).axes
    assert not left.containers and not right.containers and left.get_xticklabels()[1].get_text() == "score"
    figure = attribution_figures.deletion_curves({}, {})
    assert [axis.get_title() for axis in figure.axes] == ["deletion", "insertion"]
    assert not any(axis.get_lines() for axis in figure.axes)


def test_scores_that_no_sample_has_are_left_out_of_a_curve():
    """None is a gap, not a zero."""
    curves = {kind: {"ig": [0.0, None, 1.0]} for kind in ("deletion", "insertion")}
    figure = attribution_figures.deletion_curves(curves, {kind: {"ig": figures_of(None)} for kind in curves})
    for axis in figure.axes:
        np.testing.assert_array_equal(axis.get_lines()[0].get_ydata(), [0, np.nan, 1])


def test_figures_are_returned_and_kept_nowhere():
    """pyplot would hold them, and a notebook show them twice."""
    before = matplotlib.pyplot.get_fignums()
    figures = [attribution_figures.relevance_legend(), attribution_figures.channel_maps(np.ones((3, 18)), "")]
    assert matplotlib.pyplot.get_fignums() == before and all(figure.axes for figure in figures)
