"""Figures of single samples: what is drawn is what was given, where it belongs."""

from collections import namedtuple

import matplotlib

matplotlib.use("agg")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import pytest  # noqa: E402
from matplotlib.contour import QuadContourSet  # noqa: E402

from helpers.acquire.montages import DOUBLE_BANANA, PAIRS  # noqa: E402
from helpers.explain import sample_figures  # noqa: E402
from helpers.explain.attributions import METHODS  # noqa: E402
from helpers.preprocess import filterbank  # noqa: E402

AXIS = filterbank.axes(256.0, 1.0, 0.125, 4.0) | {"channels": DOUBLE_BANANA}  # 54 bins of 1 Hz, 32 columns a frame
Sample = namedtuple("Sample", "sample recording start_s end_s label decided p_seizure threshold alarm")
SAMPLE = Sample(17, "r2", 40.0, 52.0, 1, 0, 0.125, 0.5, 0)
COURSE = pd.DataFrame({"recording": "r2", "last_start_s": 4.0 * np.arange(2, 40), "p_seizure": 0.1, "p_smooth": 0.2})
COURSE = COURSE.assign(end_s=COURSE["last_start_s"] + 4, alarm=0, alarm_threshold=0.3)
WORDS = dict.fromkeys(METHODS, "repeatable: yes")
LIMITS = (-7.0, 21.0)
RANDOM = np.random.default_rng(0)
POWER = RANDOM.normal(5, 6, (3, 54, 32)).astype(np.float32)
MAPS = {name: RANDOM.random((3, 54, 32)).astype(np.float32) * 3 for name in METHODS}
MAPS["ig"] -= 2


def sample_pictures(words=WORDS, maps=MAPS, simulated=False):
    return dict(sample_figures.sample_pictures(SAMPLE, POWER, maps, AXIS, LIMITS, simulated, words))


def moment_figure(signal=0.0, channels=0.0, spans=(), words=WORDS, **options):
    """The composed figure of the sample, with EEG and attribution by channel broadcast to their shapes."""
    signal, channels = np.broadcast_to(signal, (18, 12 * 256)), np.broadcast_to(channels, (3, 18))
    moment = sample_figures.Moment(SAMPLE, signal, np.concatenate(POWER, axis=1), MAPS, channels)
    figure = sample_figures.sample_figure(moment, AXIS, COURSE, spans, False, words, **options)
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


def test_seven_pictures_of_a_sample_in_order(pictures):
    names = ("spec_triptych", "gradcam", "gradcampp", "ig_triptych", "ig_t0", "ig_t1", "ig_t2")
    assert list(pictures) == [f"sample17_{name}.png" for name in names]


def test_pictures_say_which_sample_what_was_decided_and_what_can_be_trusted(pictures):
    """A missed seizure. Below each map, and in the composed figure, are its method's words; simulated only if so."""
    for figure in (*(pictures[name] for name in list(pictures)[:4]), moment_figure()[0]):
        assert "Sample 17, r2" in text_of(figure) and "true seizure, predicted non-seizure" in text_of(figure)
        assert "p_seizure 0.125" in text_of(figure) and "simulated" not in text_of(figure)
    words = {"gradcam": "depends: yes", "gradcampp": "depends: no", "ig": "finds the planted time"}
    found = sample_pictures(words, simulated=True) | {"_ig": moment_figure(words=words)[0]}
    for name, figure in found.items():
        method, text = name.removesuffix(".png").split("_")[1], text_of(figure).replace("\n", " ")
        assert [other for other in words if f"{METHODS[other]}: {words[other]}" in text] == (
            [method] if method in words else []
        )
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
    probability of the two minutes around, or to the end, with the triptych framed; only edges of seizures within it."""
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
    assert box[-1].get_x() == 40 and panels["course"].get_xlim() == (0, 160)


def test_a_figure_drawn_on_again_is_as_a_new_one():
    """Nothing of the first moment is left."""
    new, _ = moment_figure(channels=2.0, method="gradcam")
    first, _ = moment_figure(channels=1.0, spans=np.array([(41.0, 60.0)]))
    again, panels = moment_figure(channels=2.0, method="gradcam", figure=first)
    assert again is first and text_of(again) == text_of(new) and len(again.findobj()) == len(new.findobj())
    for axis, wanted in zip(again.axes, new.axes, strict=True):
        assert len(axis.get_children()) == len(wanted.get_children()) and axis.get_xlim() == wanted.get_xlim()


def test_figures_are_returned_and_kept_nowhere():
    """pyplot would hold them, and a notebook show them twice."""
    before = matplotlib.pyplot.get_fignums()
    assert moment_figure()[0].axes and matplotlib.pyplot.get_fignums() == before
