"""Post-processing: each step by hand, its cost in time, its choice on inner recordings; events by timescoring."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import average_precision_score
from test_intervals import COLUMNS, frames
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring

from helpers.evaluate import calibration, detections, postprocessing, scores
from helpers.study.errors import RecordingError

PLAIN = {"k": 1, "threshold": 0.5, "minimum": 1}


def predicted(p, recording="a", label=0):
    """Frames of 4 s from 8 s on, with these probabilities."""
    return frames(np.zeros(len(p)), recording).drop(columns="decided").assign(p_seizure=np.array(p, float), label=label)


def inner_world(seed=0, n=200, noise=1.0, rise=3.0, recording="a"):
    """A recording with a seizure of frames 100–114 (408–468 s): log-odds higher by `rise`, under noise."""
    generator = np.random.default_rng(seed)
    label = np.zeros(n, int)
    label[100:115] = 1
    table = predicted(expit(-2 + rise * label + generator.normal(0, noise, n)), recording, label)
    return table, pd.DataFrame([(recording, 408.0, 468.0)], columns=COLUMNS), {recording: 8.0 + 4 * n}


def inner_worlds(seeds, quiet=0, **options):
    """Several such recordings, and `quiet` of the same length without a seizure."""
    worlds = [inner_world(seed, recording=f"s{seed}", **options) for seed in seeds]
    tables, seizures, durations = zip(*worlds, strict=True)
    generator, n = np.random.default_rng(99), options.get("n", 200)
    noise = options.get("noise", 1.0)
    free = [predicted(expit(-2 + generator.normal(0, noise, n)), f"f{number}") for number in range(quiet)]
    lengths = {name: length for part in durations for name, length in part.items()}
    lengths |= {f"f{number}": 8.0 + 4 * n for number in range(quiet)}
    return pd.concat([*tables, *free], ignore_index=True), pd.concat(seizures, ignore_index=True), lengths


def sample_f1(table, threshold):
    """The sample F1 of a threshold alone."""
    return scores.sample_scores(*scores.confusion(table["label"], (table["p_seizure"] >= threshold).astype(int)))["f1"]


def test_threshold_by_hand():
    """p of seizure 0.4, 0.8 and of others 0.1, 0.3, 0.6. Above 0.3: TP 2, FP 1, F1 4/5, the best; the threshold is the
    middle between 0.3 and 0.4."""
    assert postprocessing.best_threshold([1, 1, 0, 0, 0], [0.4, 0.8, 0.1, 0.3, 0.6]) == pytest.approx(0.35)


def test_threshold_takes_the_widest_gap():
    """Separated at 0.2 and 0.9: any threshold between them is best; the middle is the farthest from both. Seizures at
    0.95 and 0.3, others at 0.6, 0.5 and 0.2: F1 is 2/3 from 0.6 to 0.95 and from 0.2 to 0.3; the first is wider.
    """
    assert postprocessing.best_threshold([0, 0, 1, 1], [0.1, 0.2, 0.9, 0.95]) == pytest.approx(0.55)
    assert postprocessing.best_threshold([1, 1, 0, 0, 0], [0.95, 0.3, 0.6, 0.5, 0.2]) == pytest.approx(0.775)


def test_threshold_needs_a_seizure():
    """F1 means nothing without one."""
    with pytest.raises(ValueError, match="no seizure sample"):
        postprocessing.best_threshold([0, 0], [0.1, 0.9])


samples = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 12)), min_size=2, max_size=40).filter(
    lambda rows: any(label for label, _ in rows)
)


@settings(max_examples=100, deadline=None)
@given(samples)
def test_no_other_threshold_is_better(rows):
    """Of all thresholds from 0.001 to 0.999 none has a higher sample F1: than `best_threshold`, and than the best of
    the candidates, of which none lies on a probability. The widest of the best candidates is `best_threshold`."""
    label, p = (np.array(column) for column in zip(*rows, strict=True))
    p = p / 13

    def f1(threshold):
        made = p >= threshold
        return 2 * (made & (label == 1)).sum() / (made.sum() + label.sum())

    best = max(f1(threshold) for threshold in np.linspace(0.001, 0.999, 999))
    found = [(f1(threshold), width, threshold) for threshold, width in postprocessing.thresholds(label, p)]
    single = postprocessing.best_threshold(label, p)
    assert max(found)[0] == best == f1(single)
    assert not set(p) & {threshold for _, _, threshold in found}
    widest = max(width for score, width, _ in found if score == best)
    assert any(threshold == single and width == pytest.approx(widest) for _, width, threshold in found)


def test_candidates_by_hand():
    """Others at 0.1, 0.3, 0.6, seizure at 0.4, 0.5 and 0.8: the gaps below 0.4, 0.5 and 0.8, and their widths. Where
    seizure and another sample have the same p, the gap below both."""
    found = postprocessing.thresholds([0, 0, 0, 1, 1, 1], [0.1, 0.3, 0.6, 0.4, 0.5, 0.8])
    assert [threshold for threshold, _ in found] == pytest.approx([0.35, 0.45, 0.7])
    assert [width for _, width in found] == pytest.approx([0.1, 0.1, 0.2])
    assert postprocessing.thresholds([0, 1, 0], [0.2, 0.8, 0.8]) == [(pytest.approx(0.5), pytest.approx(0.6))]


def test_not_more_candidates_than_are_scored_in_seconds():
    """500 seizure samples, all apart: 40 of the gaps, the lowest and the highest among them, evenly taken."""
    p = np.linspace(0.001, 0.999, 1000)
    label = (np.arange(1000) % 2 == 1).astype(int)
    found = [threshold for threshold, _ in postprocessing.thresholds(label, p)]
    assert len(found) == postprocessing.CANDIDATES == 40 and found == sorted(found)
    assert found[0] < p[1] and found[-1] > p[-2] and np.diff(found).max() < 0.03


def test_smooth_by_hand():
    """0 3 6 0: centred over three, with two at the ends."""
    assert postprocessing.smooth([0, 3, 6, 0], 3).tolist() == [1.5, 3, 3, 3]
    assert postprocessing.smooth([0, 3, 6, 0], 1).tolist() == [0, 3, 6, 0]
    assert postprocessing.smooth([5.0], 5).tolist() == [5]
    assert postprocessing.smooth([0, 6], 5).tolist() == [3, 3]


@settings(deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=1, max_size=30), st.sampled_from([1, 3, 5, 7]))
def test_smooth_is_the_mean_of_the_frames_around(values, k):
    """Of those that are there; as many values as before, none beyond the highest and the lowest; turned round alike."""
    found = postprocessing.smooth(values, k)
    around = [np.mean(values[max(0, at - k // 2) : at + k // 2 + 1]) for at in range(len(values))]
    assert found == pytest.approx(around, abs=1e-9) and len(found) == len(values)
    assert postprocessing.smooth(values[::-1], k)[::-1] == pytest.approx(found, abs=1e-9)


@pytest.mark.parametrize("k", [0, 2, -1])
def test_smooth_refuses(k):
    """An even average would lie between frames."""
    with pytest.raises(RecordingError, match="k is"):
        postprocessing.smooth([1, 2], k)


def test_drop_by_hand():
    """Runs below two frames go, at the ends too."""
    assert postprocessing.drop_short([1, 0, 1, 1, 0, 1], 2).tolist() == [0, 0, 1, 1, 0, 0]
    assert postprocessing.drop_short([1, 0, 1, 1, 0, 1], 1).tolist() == [1, 0, 1, 1, 0, 1]
    assert postprocessing.runs([1, 0, 1, 1]).tolist() == [[0, 1], [2, 4]]
    assert postprocessing.runs([0, 0]).tolist() == [] and postprocessing.drop_short([0, 0], 3).tolist() == [0, 0]


def test_plain_settings_are_the_threshold_alone():
    """No smoothing, no minimum: p ≥ threshold, known at the frame's end, rows and columns as they were."""
    table = predicted([0.1, 0.5, 0.7, 0.2]).iloc[[2, 0, 3, 1]]
    found = postprocessing.apply(table, PLAIN)
    assert found.index.tolist() == [2, 0, 3, 1] and found["decided"].tolist() == [1, 0, 0, 1]
    assert (found["p_smooth"] == found["p_seizure"]).all() and (found["known_s"] == found["end_s"]).all()
    assert found["decided"].dtype.kind == "i" and (found["threshold"] == 0.5).all()
    pd.testing.assert_frame_equal(found[table.columns], table)


def test_log_odds_are_averaged_and_not_probabilities():
    """0.5, 0.9 and 0.5: log-odds 0, ln 9, 0 average to ln 9 / 3, p = 9^(1/3)/(1 + 9^(1/3)) = 0.6753, not 0.6333."""
    found = postprocessing.apply(predicted([0.5, 0.9, 0.5]), PLAIN | {"k": 3})
    assert found["p_smooth"][1] == pytest.approx(9 ** (1 / 3) / (1 + 9 ** (1 / 3)))


def test_recordings_do_not_smooth_into_each_other():
    """b's high start leaves a's end as it is: each alone and both together, mixed, give the same."""
    tables = [predicted([0.1, 0.2, 0.3], "a"), predicted([0.99, 0.9, 0.2], "b")]
    for chosen in (PLAIN | {"k": 3}, PLAIN | {"minimum": 2, "threshold": 0.25}):
        alone = pd.concat([postprocessing.apply(table, chosen) for table in tables], ignore_index=True)
        both = postprocessing.apply(pd.concat(tables, ignore_index=True).sample(frac=1, random_state=0), chosen)
        pd.testing.assert_frame_equal(both.sort_index(), alone)


@pytest.mark.parametrize("rows", [[0, 1, 3], [0, 1, 1, 2]])
def test_a_missing_or_double_frame_is_refused(rows):
    """An average over them would be none over time."""
    table = predicted([0.1, 0.2, 0.3, 0.4]).iloc[rows]
    with pytest.raises(RecordingError, match="a: after"):
        postprocessing.apply(table, PLAIN)
    seizures = pd.DataFrame([("a", 12.0, 16.0)], columns=COLUMNS)
    with pytest.raises(RecordingError, match="a: after"):
        postprocessing.fit(table.assign(label=[0, 1, 0, 0][: len(rows)]), seizures, {"a": 24.0})


@pytest.mark.parametrize(
    ("chosen", "known"),
    [
        ({"k": 1}, [20, 24, 28]),  # frames 2, 3, 4 end then
        ({"k": 3}, [24, 28, 32]),  # one frame more has to come
        ({"k": 1, "minimum": 3}, [28, 28, 28]),  # only the third says that there are three
        ({"k": 3, "minimum": 3}, [32, 32, 32]),  # and it waits for one more
    ],
)
def test_when_decisions_are_known(chosen, known):
    """High in frames 2, 3, 4 of 9; the first of them ends at 20 s."""
    table = predicted(expit([-4, -4, 4, 4, 4, -4, -4, -4, -4]))
    found = postprocessing.apply(table, PLAIN | chosen)
    assert found.loc[found["decided"] == 1, "known_s"].tolist() == known


def test_nothing_is_waited_for_after_the_end():
    """High in the last two frames of five: over five, the second of them waits for none that do not come."""
    found = postprocessing.apply(predicted(expit([-4, -4, -4, 9, 9])), PLAIN | {"k": 5})
    assert found["known_s"].tolist() == [20, 24, 28, 28, 28]


def test_decisions_are_known_no_later_than_said():
    """Cut off at any time: whatever was known by then is decided alike."""
    generator = np.random.default_rng(4)
    table = predicted(expit(generator.normal(0, 2, 60)))
    for chosen in ({"k": 3}, {"k": 5, "minimum": 3}, {"k": 1, "minimum": 2}):
        whole = postprocessing.apply(table, PLAIN | chosen)
        for count in range(10, 60):
            cut = postprocessing.apply(table.iloc[:count], PLAIN | chosen)
            known = (whole["decided"][:count] == 1) & (whole["known_s"][:count] <= cut["end_s"].iloc[-1])
            assert (cut["decided"][known] == 1).all()


def test_waiting_makes_detection_later():
    """The seizure from frame 100 on is found 4 s after onset at the earliest; centred over five, 8 s later."""
    table, seizures, durations = inner_world(noise=0.0, rise=4)
    found = []
    for chosen in (PLAIN, PLAIN | {"k": 5}, PLAIN | {"minimum": 3}):
        decided = postprocessing.apply(table, chosen)
        found.append(detections.latencies(decided, seizures, durations)["latency_s"][0])
    assert found == [4.0, 12.0, 12.0]


def test_calibration_before_or_after_decides_alike():
    """Averages of log-odds keep a scale and a shift: smoothing and temperature may come in either order."""
    table, _, _ = inner_world()
    fitted = {"temperature": 2.5, "prior": 0.05}
    calibrated = table.assign(p_seizure=calibration.apply(calibration.log_odds(table["p_seizure"]), fitted))
    for threshold in (0.3, 0.6):
        chosen = PLAIN | {"k": 3, "minimum": 2, "threshold": threshold}
        carried = chosen | {"threshold": calibration.apply(calibration.log_odds(threshold), fitted)}
        first, second = postprocessing.apply(table, chosen), postprocessing.apply(calibrated, carried)
        assert first["decided"].any() and (first["decided"] == second["decided"]).all()


def test_fit_takes_the_simplest_where_nothing_is_gained():
    """Seizure and others well apart: nothing to smooth; and the threshold is that of `best_threshold`."""
    table, seizures, durations = inner_world(noise=0.3, rise=5)
    found = postprocessing.fit(table, seizures, durations)
    assert (found["k"], found["minimum"], found["event_f1"], found["sample_f1"]) == (1, 1, 1, 1)
    assert found["threshold"] == postprocessing.best_threshold(table["label"], table["p_seizure"])


@pytest.mark.parametrize("noise", [0.5, 1.5, 3.0])
def test_smoothing_has_the_highest_average_precision(noise):
    """Of 1, 3 and 5 frames that with the highest average precision on all inner recordings; the shorter of equals."""
    for seed in range(3):
        table, seizures, durations = inner_worlds([seed, seed + 10], quiet=1, noise=noise)
        found = postprocessing.fit(table, seizures, durations)
        by_k = {}
        for k in postprocessing.SMOOTHINGS:
            smoothed = postprocessing.apply(table, PLAIN | {"k": k})["p_smooth"]
            by_k[k] = average_precision_score(table["label"], smoothed)
        assert found["k"] == min(k for k in by_k if by_k[k] == max(by_k.values()))


def test_fit_takes_the_widest_gap(monkeypatch):
    """Without smoothing: seizure 0.9 and 0.3, two beside it 0.8, others 0.05: above 0.8 one of two is found (F1 2/3),
    above 0.05 two with two false (2/3): the gap 0.05–0.3 is the wider, its middle 0.175."""
    p, label = np.full(60, 0.05), np.zeros(60, int)
    p[[29, 30, 31, 32]], label[[30, 31]] = [0.8, 0.9, 0.3, 0.8], 1
    seizures = pd.DataFrame([("a", 128.0, 136.0)], columns=COLUMNS)
    monkeypatch.setattr(postprocessing, "SMOOTHINGS", (1,))
    found = postprocessing.fit(predicted(p, label=label), seizures, {"a": 248.0})
    assert (found["k"], found["minimum"]) == (1, 1) and found["sample_f1"] == 2 / 3
    assert found["threshold"] == pytest.approx(0.175) == postprocessing.best_threshold(label, p)


def test_a_smallest_duration_must_earn_its_wait(monkeypatch):
    """A seizure of five frames at 0.9, and single frames of 0.95 far from it, each a false alarm: two frames at least
    mend all of them, a pair of frames needs three. Without them nothing is gained, and one frame is enough."""
    monkeypatch.setattr(postprocessing, "SMOOTHINGS", (1,))
    for false, minimum in (([], 1), ([60, 100], 2), ([60, 61, 100], 3)):
        p, label = np.full(130, 0.01), np.zeros(130, int)
        p[10:15], label[10:15] = 0.9, 1
        p[false] = 0.95
        seizures = pd.DataFrame([("a", 48.0, 68.0)], columns=COLUMNS)
        found = postprocessing.fit(predicted(p, label=label), seizures, {"a": 528.0})
        assert (found["minimum"], found["event_f1"], found["sample_f1"]) == (minimum, 1, 1)


def test_fit_smooths_where_it_helps():
    """Under heavy noise single frames cross any threshold: averaging finds the seizure, the threshold alone does not
    without false alarms, here and on 10 other recordings."""
    table, seizures, durations = inner_world(noise=1.6, n=900)
    found = postprocessing.fit(table, seizures, durations)
    plain = PLAIN | {"threshold": postprocessing.best_threshold(table["label"], table["p_seizure"])}
    assert found["k"] > 1 and found["event_f1"] == 1
    wins = []
    for seed in range(1, 11):
        other, _, _ = inner_world(seed, noise=1.6, n=900)
        for chosen in (found, plain):
            events = scores.events(postprocessing.apply(other, chosen))
            wins.append(scores.event_scores(events, seizures, durations)["f1"])
    assert np.mean(wins[::2]) > np.mean(wins[1::2]) + 0.2


WORLDS = [([0], 0), ([0, 1], 0), ([2, 3], 1), ([4], 2)]


@pytest.mark.parametrize(("seeds", "quiet"), WORLDS)
def test_fit_says_what_apply_does(seeds, quiet):
    """On one inner recording or several, some without a seizure: its two F1 are those of scores on what apply decides;
    neither the order of rows and recordings nor other recordings' seizures matter; the same twice."""
    table, seizures, durations = inner_worlds(seeds, quiet, noise=1.5)
    found = postprocessing.fit(table, seizures, durations)
    decided = postprocessing.apply(table, found)
    events = scores.event_scores(scores.events(decided), seizures, durations)
    assert found["event_f1"] == pytest.approx(events["f1"])
    assert found["sample_f1"] == scores.sample_scores(*scores.confusion(decided["label"], decided["decided"]))["f1"]
    others = pd.concat([pd.DataFrame([("elsewhere", 0.0, 50.0)], columns=COLUMNS), seizures])
    mixed = table.sample(frac=1, random_state=1)
    assert postprocessing.fit(mixed, others, {"elsewhere": 99.0, **durations}) == found


def test_a_recording_without_seizure_warns_of_false_alarms():
    """On the seizure's recording alone 0.3 finds it; a quiet one that often reaches 0.6 makes the threshold higher."""
    table, seizures, durations = inner_world(noise=0.3, rise=4)
    alone = postprocessing.fit(table, seizures, durations)
    quiet = predicted(np.where(np.arange(200) % 20 == 0, 0.7, 0.05), "b")
    both = postprocessing.fit(pd.concat([table, quiet]), seizures, durations | {"b": 808.0})
    assert alone["event_f1"] == both["event_f1"] == 1
    assert alone["threshold"] < 0.7 and (both["threshold"] > 0.7 or both["minimum"] > 1 or both["k"] > 1)
    raised = postprocessing.apply(quiet, both)["decided"].sum(), postprocessing.apply(quiet, alone)["decided"].sum()
    assert raised == (0, 10)


def test_fit_refuses():
    """No seizure, or none that any frame is labelled by: nothing to choose by. The message counts."""
    table, seizures, durations = inner_world()
    with pytest.raises(RecordingError, match="1 inner recordings with 1 seizures and 0 seizure samples"):
        postprocessing.fit(table.assign(label=0), seizures, durations)
    with pytest.raises(RecordingError, match="1 inner recordings with 0 seizures and 15 seizure samples"):
        postprocessing.fit(table, seizures.assign(recording="b"), durations)


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
