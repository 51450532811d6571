"""Figures of the evaluation: what is drawn is what the tables say."""

import matplotlib

matplotlib.use("agg")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import pytest  # noqa: E402

from helpers.acquire.annotations import COLUMNS, Annotations  # noqa: E402
from helpers.acquire.montages import DOUBLE_BANANA  # noqa: E402
from helpers.evaluate import decisions, figures, scores  # noqa: E402


def world(recordings=5, frames=60, at=-0.4):
    """Return decisions on simulated samples, one in six seizure, all with one threshold, `at`, on log-odds."""
    generator, parts = np.random.default_rng(3), []
    for number in range(recordings):
        label, starts = (np.arange(frames) % 30 < 5).astype(int), 8 + 4.0 * np.arange(frames)
        part = {"recording": f"r{number}", "fold": 0, "last_start_s": starts, "end_s": starts + 4, "label": label}
        parts.append(pd.DataFrame({**part, "log_odds": generator.normal(-2 + 3 * label, 1.5)}))
    choice = {"log_odds": at, "minimum": 1, "threshold": 1 / (1 + np.exp(-at))}
    choice |= {"calibration": {"slope": 1.0, "intercept": 0.0}, "alarm": choice}
    return decisions.apply(pd.concat(parts, ignore_index=True), choice)


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


SEIZURES = pd.DataFrame([("r0", 20.0, 44.0), ("r1", 100.0, 130.0)], columns=COLUMNS)
R0 = SEIZURES.iloc[:1, 1:].to_numpy()


def test_probability_has_a_panel_a_recording_with_its_seizures_and_alarms():
    table = world()
    durations_s = {f"r{number}": 248.0 for number in range(5)}
    figure = figures.probability(table, Annotations(SEIZURES, durations_s))
    assert [axis.get_ylabel() for axis in figure.axes] == list(durations_s)
    axis, part = figure.axes[0], table[table["recording"] == "r0"]
    for column, steps in zip(("p_seizure", "p_smooth"), axis.get_lines(), strict=False):
        assert np.allclose(steps.get_ydata()[:-1], part[column]) and steps.get_xdata()[0] == 8 / 60
    raised = scores.events(part)
    bars = [path.vertices[:, 0] for path in axis.collections[0].get_paths()]
    np.testing.assert_allclose([(bar.min(), bar.max()) for bar in bars], raised[["start_s", "end_s"]] / 60)
    spans = [patch for patch in axis.patches if patch.get_hatch()]
    np.testing.assert_allclose([(span.get_x(), span.get_width()) for span in spans], [(20 / 60, 24 / 60)])
    assert axis.get_yscale() == "linear" and "time in the recording (min)" in words(figure)


def test_rare_seizures_are_shown_on_an_axis_of_log_odds():
    table = world(2, 900, at=-5)
    figure = figures.probability(table, Annotations(SEIZURES, {"r0": 3608.0, "r1": 1800.0}))
    assert figure.axes[0].get_xlim()[1] == pytest.approx(3608 / 60)
    assert figure.axes[0].get_yscale() == "logit"
    spans = [patch for patch in figure.axes[0].patches if patch.get_hatch()]
    assert spans[0].get_x() == pytest.approx(20 / 60)


def test_the_overview_shows_seizures_before_alarms_before_others():
    """Of 30 recordings, 10 with a seizure, three more with an alarm: there is room for two of those, in their order."""
    names = [f"r{number:02d}" for number in range(30)]
    seizures, found = (pd.DataFrame({"recording": part}) for part in (names[20:], [names[25], *names[5:8]]))
    assert figures.overview(names, seizures, found) == [*names[5:7], *names[20:]]
    assert figures.overview(names[:12], seizures, found) == names[:12]
    few = pd.DataFrame({"recording": names[20:22]})
    assert figures.overview(names, few, few) == [*names[:10], *names[20:22]]


def test_a_mistake_shows_all_channels_and_the_minutes_around():
    """Twenty seconds from 30 s on: 18 lines, the seizure until 44 s shaded, the window boxed in the panel below."""
    table, signal = world(), np.random.default_rng(0).normal(0, 30, (18, 20 * 128))
    top, bottom = figures.mistake(signal, 128.0, 30.0, table, R0, "r0", "missed seizure").axes
    traces = [drawn for drawn in top.get_lines() if len(drawn.get_xdata()) > 1000]
    assert len(traces) == 18 and [text.get_text() for text in top.get_yticklabels()] == list(DOUBLE_BANANA)
    assert top.get_title("left") == "missed seizure"
    shaded = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in top.patches]
    assert shaded == [(30, 44)]
    box = [patch for patch in bottom.patches if patch.get_facecolor()[3] == 0]
    assert (box[0].get_x(), round(box[0].get_x() + box[0].get_width())) == (30, 50)
    assert bottom.get_xlim() == (0, pytest.approx(170, abs=0.1))
