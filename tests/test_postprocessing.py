"""Post-processing: each step by hand, its cost in time, its choice on the inner recording; events by timescoring."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from test_intervals import COLUMNS, frames
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring

from helpers import calibration, detections, postprocessing, scores, training
from helpers.errors import RecordingError

PLAIN = {"k": 1, "causal": False, "threshold": 0.5, "bridge": 0, "minimum": 1}


def predicted(p, recording="a", label=0):
    """Frames of 4 s from 8 s on, with these probabilities."""
    return frames(np.zeros(len(p)), recording).drop(columns="decided").assign(p_seizure=np.array(p, float), label=label)


def inner_world(seed=0, n=200, noise=1.0, rise=3.0):
    """A recording with a seizure of frames 100–114 (408–468 s): log-odds higher by `rise`, under noise."""
    generator = np.random.default_rng(seed)
    label = np.zeros(n, int)
    label[100:115] = 1
    table = predicted(expit(-2 + rise * label + generator.normal(0, noise, n)), label=label)
    seizures = pd.DataFrame([("a", 408.0, 468.0)], columns=COLUMNS)
    return table, seizures, 8.0 + 4 * n


def test_smooth_by_hand():
    """0 3 6 0: centred over three, with two at the ends; causal over three and two."""
    assert postprocessing.smooth([0, 3, 6, 0], 3).tolist() == [1.5, 3, 3, 3]
    assert postprocessing.smooth([0, 3, 6, 0], 3, causal=True).tolist() == [0, 1.5, 3, 3]
    assert postprocessing.smooth([0, 3, 6, 0], 2, causal=True).tolist() == [0, 1.5, 4.5, 3]
    assert postprocessing.smooth([0, 3, 6, 0], 1).tolist() == [0, 3, 6, 0]
    assert postprocessing.smooth([5.0], 5).tolist() == [5]
    assert postprocessing.smooth([0, 6], 5).tolist() == [3, 3]


@pytest.mark.parametrize(("k", "causal"), [(0, False), (2, False), (-1, True)])
def test_smooth_refuses(k, causal):
    """An even centred average would lie between frames."""
    with pytest.raises(RecordingError, match="k is"):
        postprocessing.smooth([1, 2], k, causal)


def test_causal_does_not_look_ahead():
    """What comes later changes no earlier causal value; it does change a centred one."""
    before, after = np.arange(10.0), np.append(np.arange(9.0), 100)
    assert (postprocessing.smooth(before, 5, True)[:9] == postprocessing.smooth(after, 5, True)[:9]).all()
    assert postprocessing.smooth(before, 5)[8] != postprocessing.smooth(after, 5)[8]


def test_bridge_and_drop_by_hand():
    """Gaps of one frame between runs are filled, not those at the ends; runs below two frames go."""
    assert postprocessing.bridge([0, 1, 0, 1, 0, 0, 1, 0], 1).tolist() == [0, 1, 1, 1, 0, 0, 1, 0]
    assert postprocessing.bridge([0, 1, 0, 1, 0, 0, 1, 0], 2).tolist() == [0, 1, 1, 1, 1, 1, 1, 0]
    assert postprocessing.drop_short([1, 0, 1, 1, 0, 1], 2).tolist() == [0, 0, 1, 1, 0, 0]
    assert postprocessing.runs([1, 0, 1, 1]).tolist() == [[0, 1], [2, 4]]
    assert postprocessing.runs([0, 0]).tolist() == [] and postprocessing.bridge([0, 0], 3).tolist() == [0, 0]


def test_plain_settings_are_the_threshold_alone():
    """No smoothing, no gap, no minimum: p ≥ threshold, known at the frame's end, rows and columns as they were."""
    table = predicted([0.1, 0.5, 0.7, 0.2]).iloc[[2, 0, 3, 1]]
    found = postprocessing.apply(table, PLAIN)
    assert found.index.tolist() == [2, 0, 3, 1] and found["decided"].tolist() == [1, 0, 0, 1]
    assert (found["p_smooth"] == found["p_seizure"]).all() and (found["known_s"] == found["end_s"]).all()
    assert found["decided"].dtype.kind == "i"
    pd.testing.assert_frame_equal(found[table.columns], table)


def test_recordings_do_not_smooth_into_each_other():
    """b's high start leaves a's end as it is: each alone and both together, mixed, give the same."""
    tables = [predicted([0.1, 0.2, 0.3], "a"), predicted([0.99, 0.9, 0.2], "b")]
    settings = PLAIN | {"k": 3}
    alone = pd.concat([postprocessing.apply(table, settings) for table in tables], ignore_index=True)
    both = postprocessing.apply(pd.concat(tables, ignore_index=True).sample(frac=1, random_state=0), settings)
    pd.testing.assert_frame_equal(both.sort_index(), alone)


@pytest.mark.parametrize("rows", [[0, 1, 3], [0, 1, 1, 2]])
def test_a_missing_or_double_frame_is_refused(rows):
    """An average over them would be none over time."""
    with pytest.raises(RecordingError, match="a: after"):
        postprocessing.apply(predicted([0.1, 0.2, 0.3, 0.4]).iloc[rows], PLAIN)


@pytest.mark.parametrize(
    ("settings", "known"),
    [
        ({"k": 1}, [20, 24, 28]),  # frames 2, 3, 4 end then
        ({"k": 3}, [24, 28, 32]),  # one frame more has to come
        ({"k": 3, "causal": True}, [24, 28, 32]),  # lags: frames 3, 4 and 5 are the ones decided
        ({"k": 1, "minimum": 3}, [28, 28, 28]),  # only the third says that there are three
    ],
)
def test_when_decisions_are_known(settings, known):
    """High in frames 2, 3, 4 of 9; the first of them ends at 20 s."""
    table = predicted(expit([-4, -4, 4, 4, 4, -4, -4, -4, -4]))
    found = postprocessing.apply(table, PLAIN | settings)
    assert found.loc[found["decided"] == 1, "known_s"].tolist() == known


def test_a_bridged_frame_is_known_when_the_gap_ends():
    """1 0 1 from 12 s: the middle frame is seizure only once the third is; with a minimum of three, all are."""
    table = predicted(expit([-4, 4, -4, 4, -4]))
    found = postprocessing.apply(table, PLAIN | {"bridge": 1})
    assert found["decided"].tolist() == [0, 1, 1, 1, 0] and found["known_s"].tolist()[1:4] == [16, 24, 24]
    found = postprocessing.apply(table, PLAIN | {"bridge": 1, "minimum": 3})
    assert found["known_s"].tolist()[1:4] == [24, 24, 24]


def test_decisions_are_known_no_later_than_said():
    """Cut off at any time: whatever was known by then (causal or centred, bridged, with a minimum) is decided alike."""
    generator = np.random.default_rng(4)
    table = predicted(expit(generator.normal(0, 2, 60)))
    for settings in ({"k": 3}, {"k": 5, "minimum": 3}, {"k": 4, "causal": True, "bridge": 2, "minimum": 2}):
        settings = PLAIN | settings
        whole = postprocessing.apply(table, settings)
        for count in range(10, 60):
            cut = postprocessing.apply(table.iloc[:count], settings)
            known = (whole["decided"][:count] == 1) & (whole["known_s"][:count] <= cut["end_s"].iloc[-1])
            assert (cut["decided"][known] == 1).all()


def test_waiting_makes_detection_later():
    """The seizure from frame 100 on is found 4 s after onset at the earliest; centred over five, 8 s later."""
    table, seizures, duration_s = inner_world(noise=0.0, rise=4)
    found = []
    for settings in (PLAIN, PLAIN | {"k": 5}, PLAIN | {"minimum": 3}):
        decided = postprocessing.apply(table, settings)
        found.append(detections.latencies(decided, seizures, {"a": duration_s})["latency_s"][0])
    assert found == [4.0, 12.0, 12.0]


def test_calibration_before_or_after_decides_alike():
    """Averages of log-odds keep a scale and a shift: smoothing and temperature may come in either order."""
    table, _, _ = inner_world()
    fitted = {"temperature": 2.5, "prior": 0.05}
    calibrated = table.assign(p_seizure=calibration.apply(calibration.log_odds(table["p_seizure"]), fitted))
    for threshold in (0.3, 0.6):
        settings = PLAIN | {"k": 3, "minimum": 2, "threshold": threshold}
        carried = settings | {"threshold": calibration.apply(calibration.log_odds(threshold), fitted)}
        first, second = postprocessing.apply(table, settings), postprocessing.apply(calibrated, carried)
        assert first["decided"].any() and (first["decided"] == second["decided"]).all()


def test_fit_takes_the_simplest_where_nothing_is_gained():
    """Seizure and others well apart: nothing to smooth; and the threshold is that of training.best_threshold."""
    table, seizures, duration_s = inner_world(noise=0.3, rise=5)
    found = postprocessing.fit(table, seizures, duration_s)
    assert (found["k"], found["minimum"], found["event_f1"], found["sample_f1"]) == (1, 1, 1, 1)
    assert found["threshold"] == training.best_threshold(table["label"], table["p_seizure"])


def test_fit_keeps_the_simplest_unless_a_seizure_sample_is_gained():
    """One frame beside the seizure is as likely as those in it, one in it less: smoothing over three mends one of the
    15 at most, less than what a sample is worth, and is not worth its wait. With five of them low, it is."""
    chosen = []
    for low in ([104], [102, 104, 106, 108, 110]):
        table, seizures, duration_s = inner_world(noise=0.05, rise=5)
        table.loc[low, "p_seizure"] = 0.01
        found = postprocessing.fit(table, seizures, duration_s)
        smoothed = postprocessing._best(table, Annotation([(408.0, 468.0)], 10, 8080), 3, False, 0, 1)
        assert smoothed["sample_f1"] > training_f1(table)
        chosen.append(found["k"])
    assert chosen == [1, 3]


def training_f1(table):
    """The sample F1 of the plain threshold."""
    decided = table["p_seizure"] >= training.best_threshold(table["label"], table["p_seizure"])
    return scores.sample_scores(*scores.confusion(table["label"], decided))["f1"]


def test_fit_takes_the_widest_gap():
    """Seizure 0.9 and 0.3, two beside it 0.8, others 0.05: above 0.8 one of two is found (F1 2/3), above 0.05 two with
    two false (2/3): the gap 0.05–0.3 is the wider, its middle 0.175."""
    p, label = np.full(60, 0.05), np.zeros(60, int)
    p[[29, 30, 31, 32]], label[[30, 31]] = [0.8, 0.9, 0.3, 0.8], 1
    seizures = pd.DataFrame([("a", 128.0, 136.0)], columns=COLUMNS)
    found = postprocessing.fit(predicted(p, label=label), seizures, 248.0)
    assert (found["k"], found["minimum"]) == (1, 1) and found["sample_f1"] == 2 / 3
    assert found["threshold"] == pytest.approx(0.175) == training.best_threshold(label, p)


def test_fit_smooths_where_it_helps():
    """Under heavy noise single frames cross any threshold: averaging finds the seizure, the threshold alone does not
    without false alarms, here and on 10 other recordings."""
    table, seizures, duration_s = inner_world(noise=1.6, n=900)
    found, plain = (
        postprocessing.fit(table, seizures, duration_s),
        PLAIN | {"threshold": training.best_threshold(table["label"], table["p_seizure"])},
    )
    assert found["k"] > 1 and found["event_f1"] == 1
    wins = []
    for seed in range(1, 11):
        other, _, _ = inner_world(seed, noise=1.6, n=900)
        for settings in (found, plain):
            events = scores.events(postprocessing.apply(other, settings))
            wins.append(scores.event_scores(events, seizures, {"a": duration_s})["f1"])
    assert np.mean(wins[::2]) > np.mean(wins[1::2]) + 0.2


def test_fit_says_what_apply_does():
    """Its two F1 are those of scores on what apply decides; the rows' order does not matter; the same twice."""
    for seed in range(3):
        table, seizures, duration_s = inner_world(seed, noise=1.5)
        found = postprocessing.fit(table, seizures, duration_s, gap=1)
        decided = postprocessing.apply(table, found)
        events = scores.event_scores(scores.events(decided), seizures, {"a": duration_s})
        assert found["event_f1"] == pytest.approx(events["f1"])
        samples = scores.sample_scores(*scores.confusion(decided["label"], decided["decided"]))
        assert found["sample_f1"] == samples["f1"]
        assert postprocessing.fit(table.sample(frac=1, random_state=1), seizures, duration_s, gap=1) == found


def test_fit_refuses():
    """Two recordings, or one without a seizure, choose nothing."""
    table, seizures, duration_s = inner_world()
    for bad in (table.assign(label=0), pd.concat([table, table.assign(recording="b")])):
        with pytest.raises(RecordingError, match="one recording that holds a seizure"):
            postprocessing.fit(bad, seizures, duration_s)
    with pytest.raises(RecordingError, match="0 seizures"):
        postprocessing.fit(table, seizures.iloc[:0], duration_s)


def mask(spans, duration_s):
    """A binary mask at 10 Hz."""
    found = np.zeros(round(duration_s * 10), bool)
    for start, end in spans:
        found[round(start * 10) : round(end * 10)] = True
    return found


EDGES = {
    "no seizure": (60, [], [10, 11], (0, 0, 1)),
    "no seizure, nothing decided": (60, [], [], (0, 0, 0)),
    "all seizure": (60, [(0, 248)], range(60), (1, 1, 0)),
    "all seizure, longer than 5 min": (160, [(0, 648)], range(160), (3, 3, 0)),
    "one sample": (1, [(8, 12)], [0], (1, 1, 0)),
    "one sample, missed": (1, [(8, 12)], [], (1, 0, 0)),
    "at the file's end": (60, [(230, 248)], [59], (1, 1, 0)),
    "at the file's end, cut early by tolerance": (60, [(230, 248)], [45], (1, 0, 1)),
    "two seizures 60 s apart": (100, [(100, 120), (180, 200)], [25], (1, 1, 0)),
    "two seizures 100 s apart": (100, [(100, 120), (220, 240)], [25], (2, 1, 0)),
}


@pytest.mark.parametrize("name", EDGES)
def test_events_equal_timescoring_on_masks(name):
    """Seizures counted, found, and false alarms, by hand and by timescoring on masks of the same decisions; the first
    8 s have no decision, and count as none."""
    n, spans, high, expected = EDGES[name]
    p = np.full(n, 0.1)
    p[list(high)] = 0.9
    decided = postprocessing.apply(predicted(p), PLAIN)
    duration_s, found = 8.0 + 4 * n, scores.events(decided)
    seizures = pd.DataFrame([("a", *span) for span in spans], columns=COLUMNS)
    ours = scores.event_scores(found, seizures, {"a": duration_s})
    direct = EventScoring(
        Annotation(mask(spans, duration_s), 10),
        Annotation(mask(decided.loc[decided["decided"] == 1, ["last_start_s", "end_s"]].to_numpy(), duration_s), 10),
    )
    assert (ours["seizures"], ours["detected"], ours["false_alarms"]) == expected
    assert (direct.refTrue, direct.tp, direct.fp) == expected
    nan = {key: np.nan if value is None else value for key, value in ours.items()}
    both = [(nan[key], getattr(direct, key)) for key in ("sensitivity", "precision")] + [
        (nan["fp_per_24h"], direct.fpRate)
    ]
    assert all(first == pytest.approx(second, nan_ok=True) for first, second in both)
