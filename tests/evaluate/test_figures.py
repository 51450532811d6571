"""Figures of the evaluation: what is drawn is what the tables say."""

import matplotlib

matplotlib.use("agg")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import pytest  # noqa: E402
from matplotlib.patches import StepPatch  # noqa: E402

from helpers.acquire.annotations import COLUMNS, Annotations  # noqa: E402
from helpers.acquire.montages import DOUBLE_BANANA  # noqa: E402
from helpers.evaluate import decisions, figures, intervals, scores, views  # noqa: E402


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


def sure_of(table):
    kinds = {"ranking": "log_odds", "smoothed": "log_odds_smooth"}.items()
    return {kind: intervals.ranking_intervals(table, column, draws=50) for kind, column in kinds}


def line(axis, label):
    """Return x and y of the line whose label begins so."""
    found = [drawn for drawn in axis.get_lines() if str(drawn.get_label()).startswith(label)]
    assert len(found) == 1, [drawn.get_label() for drawn in axis.get_lines()]
    return np.asarray(found[0].get_xdata(), float), np.asarray(found[0].get_ydata(), float)


def marks(axis):
    """Return the points drawn alone, by label."""
    return {
        str(drawn.get_label()): drawn.get_offsets()[0] for drawn in axis.collections if len(drawn.get_offsets()) == 1
    }


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def test_decisions_lie_on_the_curves_if_all_have_one_threshold():
    """Sensitivity, false positive rate and precision of the decisions are a corner of the curve, in both panels."""
    table = world()
    left, right = figures.ranking_curves(table, sure_of(table)).axes
    tp, fn, fp, tn = scores.confusion(table["label"], table["decided"])
    for axis, point in ((left, (fp / (fp + tn), tp / (tp + fn))), (right, (tp / (tp + fn), tp / (tp + fp)))):
        assert np.allclose(marks(axis)["decisions on samples"], point)
    rates, sensitivity = line(left, "single samples")  # straight between corners
    assert np.interp(fp / (fp + tn), rates, sensitivity) >= tp / (tp + fn) - 1e-9
    recall, precision = line(right, "single samples")
    assert np.isclose(np.hypot(recall - tp / (tp + fn), precision - tp / (tp + fp)).min(), 0)


def test_curves_carry_their_areas_intervals_and_chance():
    table = world()
    sure = sure_of(table)
    left, right = figures.ranking_curves(table, sure).axes
    for kind, said in (("ranking", "single samples"), ("smoothed", "mean of five frames")):
        for axis, name in ((left, "auroc"), (right, "auprc")):
            value, low, high = (sure[kind][name][key] for key in ("value", "low", "high"))
            line(axis, f"{said}: {name.upper()} {value:.3f} ({low:.3f}–{high:.3f})")
    assert line(left, "chance")[1].tolist() == [0, 1] and line(right, "chance")[1][0] == table["label"].mean()


def test_curves_without_a_decision_or_a_class():
    """Nothing decided seizure: there is no precision to mark. No seizure: the panels say that there is no curve."""
    table = world().assign(decided=0)
    _, right = figures.ranking_curves(table, sure_of(table)).axes
    assert "decisions on samples" not in marks(right) and "alarms, sample by sample" in marks(right)
    assert "undefined: there is no seizure sample" in words(figures.ranking_curves(table.assign(label=0), {}))


def test_reliability_points_are_the_table_s():
    """Linear axes, and logarithmic ones where seizures are rare."""
    table = world()
    top, below = figures.reliability(table).axes
    wanted = views.reliability(table)
    points, _, (bars,) = top.containers[0]
    assert np.allclose(points.get_xdata(), wanted["p_mean"])
    assert np.allclose(points.get_ydata(), wanted["seizure_share"])
    assert np.allclose([bar[:, 1] for bar in bars.get_segments()], wanted[["low", "high"]])
    assert sum(bar.get_height() for bar in below.patches) == len(table) and top.get_xscale() == "linear"
    assert f"bins of {wanted['count'].min()} samples" in words(top.figure)
    rare = table.assign(label=(np.arange(len(table)) % 100 == 0).astype(int))
    assert figures.reliability(rare).axes[0].get_xscale() == "log"


def test_the_chosen_threshold_is_the_top_of_the_inner_curve():
    """The thick curve has its highest value at the threshold; the thin one is another's, and both are there."""
    table = world()
    inner, held_out = (table[table["recording"].isin(names)] for names in (["r0", "r1", "r2"], ["r3", "r4"]))
    best = decisions.best_threshold(inner["label"], inner["log_odds"])
    (axis,) = figures.threshold_choice(inner, held_out, [{"fold": 0, "log_odds": best}]).axes
    thresholds, f1 = line(axis, "inner recordings")
    made = (inner["log_odds"] >= best).astype(int)
    reached = scores.sample_scores(*scores.confusion(inner["label"], made))["f1"]
    at = np.searchsorted(thresholds, best)  # decided from the next log-odds on
    assert np.isclose(f1[at], reached) and np.isclose(f1.max(), reached)
    assert len(line(axis, "held out: shown here, not used")[0]) == len(held_out)
    assert line(axis, "threshold chosen")[0][0] == best and f"fold 0: {best:.2f}" in words(axis.figure)


def test_confusion_matrices_at_both_prevalences():
    """Rows keep their shares; the non-seizure row alone has other counts, and F1 is another."""
    counts = (38, 15, 10, 343)
    found, weighted = scores.sample_scores(*counts), scores.sample_scores(*scores.at_prevalence(2, *counts))
    figure = figures.confusion_matrix({"all": found, "weighted": weighted})
    one, other = ([text.get_text().split("\n") for text in axis.texts] for axis in figure.axes[:2])
    assert [cell[:2] for cell in one] == [["TN", "343"], ["FP", "10"], ["FN", "15"], ["TP", "38"]]
    assert [cell[:2] for cell in other] == [["TN", "103"], ["FP", "3"], ["FN", "15"], ["TP", "38"]]
    assert [cell[2] for cell in one] == [cell[2] for cell in other]
    places = {text.get_text().split("\n")[0]: text.get_position() for text in figure.axes[0].texts}
    assert places == {"TN": (0, 0), "FP": (1, 0), "FN": (0, 1), "TP": (1, 1)}  # the reference's quadrants
    assert "13.1% seizure" in words(figure) and "33.3% seizure" in words(figure)
    assert f"F1 {found['f1']:.3f}" in words(figure) and f"F1 {weighted['f1']:.3f}" in words(figure)


SEIZURES = pd.DataFrame([("r0", 20.0, 44.0), ("r1", 100.0, 130.0)], columns=COLUMNS)
R0 = SEIZURES.iloc[:1, 1:].to_numpy()


def test_probability_has_a_panel_a_recording_with_its_seizures_and_alarms():
    table = world()
    durations_s = {f"r{number}": 248.0 for number in range(5)}
    figure = figures.probability(table, Annotations(SEIZURES, durations_s))
    assert [axis.get_ylabel() for axis in figure.axes] == list(durations_s)
    axis, part = figure.axes[0], table[table["recording"] == "r0"]
    for column, steps in zip(("p_seizure", "p_smooth"), axis.findobj(StepPatch), strict=True):
        assert np.allclose(steps.get_data().values, part[column]) and steps.get_data().edges[0] == 8
    raised = scores.events(part)
    bars = [path.vertices[:, 0] for path in axis.collections[0].get_paths()]
    assert [(bar.min(), bar.max()) for bar in bars] == list(zip(raised["start_s"], raised["end_s"], strict=True))
    spans = [patch for patch in axis.patches if patch.get_hatch()]
    assert [(span.get_x(), span.get_width()) for span in spans] == [(20, 24)]
    assert axis.get_yscale() == "linear" and "time in the recording (s)" in words(figure)


def test_long_recordings_are_in_minutes_and_rare_seizures_in_log_odds():
    table = world(2, 900, at=-5)
    figure = figures.probability(table, Annotations(SEIZURES, {"r0": 3608.0, "r1": 1800.0}))
    assert "time in the recording (min)" in words(figure) and figure.axes[0].get_xlim()[1] == pytest.approx(3608 / 60)
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
    box = [patch for patch in bottom.patches if patch.get_facecolor()[3] == 0 and not isinstance(patch, StepPatch)]
    assert (box[0].get_x(), round(box[0].get_x() + box[0].get_width())) == (30, 50)
    assert bottom.get_xlim() == (0, pytest.approx(170, abs=0.1))


def test_the_comparison_shows_each_detector_and_freedom():
    """Ours and a forest, whose event F1 is undefined; a split at random beside the protocol by recording, in orange."""
    score = {"value": 0.8, "low": 0.7, "high": 0.9}
    f1 = {"ours": score, "forest": dict.fromkeys(score)}
    rows = [{"name": name, "auprc_smoothed": score, "event_f1": f1[name]} for name in f1]
    audited = [{"protocol": name, "f1": score | {"value": at}} for name, at in (("single", 0.8), ("split", 0.85))]
    left, middle, right = figures.score_comparison(rows, {"rows": audited}).axes
    for axis, values in ((left, [0.8, 0.8]), (middle, [0.8]), (right, [0.8, 0.85])):
        points = [bar[0].get_xydata()[0].tolist() for bar in axis.containers]
        assert points == [[value, place] for place, value in enumerate(values)]
        np.testing.assert_allclose(axis.containers[0][2][0].get_segments()[0][:, 0], (0.7, 0.9))
    assert [label.get_text() for label in left.get_yticklabels()] == ["ours", "forest"]
    assert [bar[0].get_color() for bar in right.containers] == [figures.DECISION, figures.SEIZURE]
    assert "random split" in right.get_yticklabels()[1].get_text() and "nan" not in words(left.figure)


def test_the_past_shows_each_detector_over_the_seizures_seen():
    """Ours with its interval; where a score is undefined there is no point."""
    sure, rows = {"f1": {"value": 0.5, "low": 0.2, "high": 0.8}}, []
    for method in ("ours", "forest"):
        for seen, f1 in ((1, 0.5), (3, None)):
            row = {"method": method, "seizures_seen": seen, "f1": f1, "auprc": seen / 10, "intervals": sure}
            rows.append(row)
    left, right = figures.past(rows).axes
    for method in ("this network", "random forest"):
        np.testing.assert_array_equal(line(left, method), [[1, 3], [0.5, np.nan]])
        np.testing.assert_allclose(line(right, method), [[1, 3], [0.1, 0.3]])
    assert len(left.containers) == 1 and not right.containers
