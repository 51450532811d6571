"""The tests of the explanations: tables and verdicts made by hand, and small random networks from end to end."""

import itertools
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from test_training import made_network

from helpers.evaluate import intervals
from helpers.explain import attributions, deletion, planted, randomisation, sanity
from helpers.preprocess import spectrograms
from helpers.study import files
from helpers.train import network, training

COMPLETENESS, TRUTH, POWER, WEIGHTS, LABELS, DELETION, INSERTION, STABILITY = sanity.RULES
METHODS = list(attributions.METHODS)
SIZE = 8  # columns of a frame
AXIS = {"window_s": 0.5, "hop_s": 0.125, "frame_columns": SIZE}  # cells of one pooled bin and two pooled columns


def decisions(hits, misses, others, alarms):
    """Samples in order of time: of each label those decided right first."""
    label = [1] * (hits + misses) + [0] * (others + alarms)
    decided = [1] * hits + [0] * misses + [0] * others + [1] * alarms
    return pd.DataFrame({"label": label, "decided": decided})


def test_tested_are_spread_evenly():
    """Five of ten hits, 0–9: the middles of equal parts, 1 3 5 7 9; five of 20 others, 12–31: 2, 6, 10 … of them. The
    two misses and the false alarm are not there. A hit that stands late in the table stays late."""
    table = decisions(10, 2, 20, 1)
    assert sanity.tested(table, 5).index.tolist() == [1, 3, 5, 7, 9, 14, 18, 22, 26, 30]
    turned = sanity.tested(table.iloc[::-1], 5)
    assert turned.index.is_monotonic_decreasing and turned["label"].tolist() == [0] * 5 + [1] * 5


@pytest.mark.parametrize(
    ("counts", "most", "expected"),
    [
        ((3, 0, 20, 0), 5, 3),  # all hits, as there are fewer than asked for
        ((10, 0, 10, 0), 10, 10),
        ((10, 0, 20, 0), 1, 1),
        ((10, 0, 3, 0), 5, 3),
    ],
)
def test_as_many_of_each_class(counts, most, expected):
    """Each sample once, both classes alike, those decided right."""
    found = sanity.tested(decisions(*counts), most)
    assert (found["label"] == found["decided"]).all() and not found.index.duplicated().any()
    assert ((found["label"] == 1).sum(), (found["label"] == 0).sum()) == (expected, expected)


def test_where_one_kind_is_missing_the_other_is_tested_alone():
    """Nothing found: others alone. No other left alone: hits alone. All wrong: nothing."""
    assert sanity.tested(decisions(0, 4, 20, 0), 5)["label"].tolist() == [0] * 5
    assert sanity.tested(decisions(7, 4, 0, 3), 5)["label"].tolist() == [1] * 5
    assert sanity.tested(decisions(0, 4, 0, 3), 5).empty


def test_agreement_by_hand():
    """Maps of four cells, of two samples. Grad-CAM and Grad-CAM++ agree in the first and are reversed in the second;
    Integrated Gradients order both as 2 1 4 3, ±0.6; and are flat in the second."""
    one, other = np.array([[1, 2, 3, 4], [1, 2, 3, 4]]), np.array([[2, 3, 4, 9], [4, 3, 2, 1]])
    maps = {"gradcam": one, "gradcampp": other, "ig": np.array([[2, 1, 4, 3], [0, 0, 0, 0]]), "power": one}
    found = sanity.agreement(maps, pd.DataFrame({"sample": [7, 3]}, index=[1, 0]))
    assert found["pair"].tolist() == [
        pair for pair in ("gradcam|gradcampp", "gradcam|ig", "gradcampp|ig") for _ in "ab"
    ]
    assert found["sample"].tolist() == [7, 3] * 3
    assert found["correlation"].to_numpy() == pytest.approx([1, -1, 0.6, 0, 0.6, 0])


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    """50 draws in place of 2000: a summary has a hundred intervals."""
    monkeypatch.setattr(intervals, "score_intervals", partial(intervals.score_intervals, draws=50))


# What each test finds where a method passes: of every sample, or one value a recording.
PASSING = dict(
    mix=0.1, noise=0.8, labels=0.2, retrained=0.6, deletion=0.3, insertion=0.7, mass=0.5, chance=0.2, power=0.4
)  # fmt: skip


def samples(recordings="abcd"):
    """A seizure and another sample of each recording, numbered from 10 on, in no order."""
    table = pd.DataFrame({"recording": [name for name in recordings for _ in "ab"], "label": [1, 0] * len(recordings)})
    return table.assign(sample=np.arange(len(table)) + 10).iloc[::-1].reset_index(drop=True)


def made(table, **changes):
    """The tables that the tests return, the same for all methods; curves are level, so that their area is their height.

    Along time alone planted truth says the opposite: no verdict comes from there.
    """
    names = sorted(table["recording"].unique())
    values = {
        key: table["recording"].map(dict(zip(names, np.broadcast_to(value, len(names)), strict=True)))
        for key, value in {**PASSING, **changes}.items()
    }
    hit = table["label"] == 1
    first, *_, last = (f"weights:{layer}" for layer in randomisation.LAYERS)
    levels = {first: 0.9, last: values["mix"], **{name: values[name] for name in ("labels", "retrained", "noise")}}
    disturbed = [
        pd.DataFrame({"sample": table["sample"], "method": method, "test": test, "correlation": level})
        for test, level in levels.items()
        for method in METHODS
    ]
    disturbed.append(disturbed[-1].assign(test="magnitude:noise", correlation=0.95))
    deleted = [
        pd.DataFrame({"sample": table["sample"], "map": name, "kind": kind, "share": share, "score": level})[hit]
        for kind in ("deletion", "insertion")
        for name, level in [*((method, values[kind]) for method in METHODS), ("power", 0.45), ("random", 0.5)]
        for share in np.linspace(0, 1, deletion.STEPS + 1).round(6)
    ]
    masses = dict.fromkeys(METHODS, values["mass"]) | {"chance": values["chance"], "power": values["power"]}
    masses |= {"above_mean": 0.3, "other_eeg": 0.1}
    truths = [
        pd.DataFrame({"sample": table["sample"], "along": along, "map": name, "auc": np.nan, "mass": mass})[hit]
        for along, sign in (("time × frequency", 1), ("time", -1))
        for name, mass in ((name, sign * mass) for name, mass in masses.items())
    ]
    pairs = [f"{one}|{other}" for one, other in itertools.combinations(METHODS, 2)]
    agreement = [pd.DataFrame({"sample": table["sample"], "pair": pair, "correlation": 0.3}) for pair in pairs]
    found = {"disturbed": disturbed, "deleted": deleted, "agreement": agreement, "truths": truths}
    found = {name: pd.concat(parts, ignore_index=True) for name, parts in found.items()}
    found["truths"] = found["truths"].assign(auc_at_frequency=np.nan, pointing=np.nan)
    return found


def summed(table, tests, delta=0.01, total=1.0):
    return sanity.summary(table, tests, np.full(len(table), delta), np.full(len(table), total))


def passing(method):
    """Every rule passes; completeness is a rule for Integrated Gradients alone."""
    return dict.fromkeys(sanity.RULES, True) | ({} if method == "ig" else {COMPLETENESS: None})


@pytest.mark.parametrize(
    "cases",
    [
        [
            ({}, []),
            ({"mix": 0.19, "noise": 0.71, "labels": 0.59, "deletion": 0.49, "insertion": 0.51, "mass": 0.41}, []),
            ({"mix": [0.0, 0.0, 0.0, 0.7]}, []),  # the mean counts
        ],
        [
            ({"mix": 0.21}, [WEIGHTS]),
            ({"mix": [0.0, 0.0, 0.0, 0.9]}, [WEIGHTS]),
            ({"noise": 0.69}, [STABILITY]),
        ],
        [
            ({"labels": 0.6}, [LABELS]),
            ({"labels": [0.4, 0.4, 0.4, 1.0]}, [LABELS]),  # +0.2 thrice, −0.4 once: the mean is above 0, not all draws
            ({"retrained": [0.4, 0.4, 0.4, -0.2]}, [LABELS]),
        ],
        [
            ({"deletion": 0.5}, [DELETION]),
            ({"deletion": [0.3, 0.3, 0.3, 0.9]}, [DELETION]),
            ({"insertion": [0.7, 0.7, 0.7, 0.1]}, [INSERTION]),
        ],
        [
            ({"insertion": 0.5}, [INSERTION]),
            ({"mass": 0.4}, [POWER]),
            ({"mass": 0.2, "noise": 0.0}, [TRUTH, POWER, STABILITY]),
        ],
        [({"chance": [0.3, 0.3, 0.3, 0.9], "power": [0.3, 0.3, 0.9, 0.3]}, [TRUTH, POWER])] * 3,
    ],
)
def test_each_rule_passes_and_fails_on_its_own_figure(cases):
    """Four recordings, three methods, each with a change of its own: it fails that rule, of that method, and no other.

    What chance and power score is the same for all methods.
    """
    table = samples()
    tests, others = made(table, **cases[0][0]), [made(table, **changes) for changes, _ in cases[1:]]
    for method, other in zip(METHODS[1:], others, strict=True):
        for name, key in (("disturbed", "method"), ("deleted", "map"), ("truths", "map")):
            tests[name] = tests[name].where(tests[name][key] != method, other[name])
    expected = {
        method: passing(method) | dict.fromkeys(failing, False)
        for method, (_, failing) in zip(METHODS, cases, strict=True)
    }
    assert summed(table, tests)["verdicts"] == expected


@pytest.mark.parametrize(
    ("delta", "total", "passes"),
    [
        (0.2, -4.0, True),  # of the sum, whatever its sign
        (-0.21, 4.0, False),
        (0.05, 0.01, True),  # of 1, where the sum is less
        (-0.06, 0.01, False),
    ],
)
def test_completeness_is_that_of_the_worst_sample(monkeypatch, delta, total, passes):
    """One sample of many with this convergence delta; the others have none. Other figures do not matter."""
    monkeypatch.setattr(planted, "mean_over_recordings", lambda *given: {"value": 0.5, "low": 0.4, "high": 0.6, "n": 4})
    table = samples()
    deltas, totals = np.zeros(len(table)), np.ones(len(table))
    deltas[3], totals[3] = delta, total
    found = sanity.summary(table, made(table), deltas, totals)
    assert found["completeness"] == {"largest": pytest.approx(abs(delta) / max(1, abs(total))), "n": 8}
    assert [found["verdicts"][method][COMPLETENESS] for method in METHODS] == [None, None, passes]


def test_without_planted_truth():
    """Measured EEG: nobody knows, so neither rule is tested; the others are."""
    table = samples()
    found = summed(table, {name: part for name, part in made(table).items() if name != "truths"})
    assert found["truth"] is None
    assert found["verdicts"] == {method: passing(method) | {TRUTH: None, POWER: None} for method in METHODS}


def test_two_recordings_have_no_interval():
    """Nothing is said where a rule needs one; what asks for a mean is still told."""
    table = samples("ab")
    found = summed(table, made(table))
    untold = dict.fromkeys([TRUTH, POWER, LABELS, DELETION, INSERTION])
    assert found["verdicts"] == {method: passing(method) | untold for method in METHODS}
    assert (
        found["gain"]["deletion"]["ig"]["low"] is None and "2 recordings" in found["gain"]["deletion"]["ig"]["reason"]
    )


def test_what_is_undefined_everywhere_has_no_verdict():
    """Maps that are flat before and after, samples that score no higher than other EEG: NaN, and None is said."""
    table = samples()
    found = summed(table, made(table, mix=np.nan, noise=np.nan, labels=np.nan, deletion=np.nan, insertion=np.nan))
    untold = dict.fromkeys([WEIGHTS, STABILITY, LABELS, DELETION, INSERTION])
    assert found["verdicts"] == {method: passing(method) | untold for method in METHODS}


def test_figures_by_hand():
    """Means over samples, gaps and gains; NaN is left out of a mean, and not counted. The curves of Integrated
    Gradients are 1 − share here, rows in any order: their means stand in the order of the shares, their area is ½."""
    table = samples()
    tests = made(table, deletion=[0.1, 0.2, 0.3, np.nan], labels=[0.0, 0.2, 0.4, np.nan])
    of_ig = tests["deleted"]["map"] == "ig"
    tests["deleted"]["score"] = tests["deleted"]["score"].where(~of_ig, 1 - tests["deleted"]["share"])
    tests["truths"].loc[tests["truths"]["map"] == "ig", "pointing"] = 1.0
    found = summed(table, tests)
    assert found["tested"] == {"seizure": 4, "other": 4}
    assert found["rules"] == sanity.RULES and found["layers"] == randomisation.LAYERS
    assert set(found["maps"]) == {*METHODS, *sanity.TRIVIAL}
    truth, gain = found["truth"]["time × frequency"], found["gain"]
    ahead = found["truth"]["ahead"]["time × frequency"]["ig"]
    for figure, value, n in [
        (found["disturbed"]["weights:score"]["gradcam"], 0.9, 8),
        (found["disturbed"]["magnitude:noise"]["ig"], 0.95, 8),
        (found["disturbed"]["labels"]["ig"], 0.2, 6),
        (found["retraining_gap"]["ig"], 0.4, 6),
        (gain["deletion"]["gradcam"], 0.3, 3),
        (gain["deletion"]["ig"], 0, 4),
        (gain["deletion"]["power"], 0.05, 4),
        (gain["insertion"]["power"], -0.05, 4),
        (gain["insertion"]["gradcam"], 0.2, 4),
        (found["agreement"]["gradcam|ig"], 0.3, 8),
        (truth["power"]["mass"], 0.4, 4),
        (truth["ig"]["pointing"], 1, 4),
        (ahead["chance"]["mass"], 0.3, 4),
        (ahead["other_eeg"]["mass"], 0.4, 4),
        (found["truth"]["ahead"]["time"]["gradcam"]["power"]["mass"], -0.1, 4),
    ]:
        assert (figure["value"], figure["n"]) == (pytest.approx(value), n)
    assert set(truth["ig"]) == {"mass", "pointing"} and set(truth["power"]) == {"mass"}  # the others are undefined
    assert set(found["disturbed"]["magnitude:noise"]) == {"ig"} and "random" not in gain["deletion"]
    curves = found["curves"]
    assert curves["deletion"]["gradcam"] == pytest.approx([0.2] * 11) and curves["insertion"]["random"] == [0.5] * 11
    assert curves["deletion"]["ig"] == pytest.approx(np.linspace(1, 0, 11))


def test_no_mass_anywhere_has_no_verdict():
    """A class map of nothing but zeros in every sample has no mass: not tested, and not a KeyError."""
    table, tests = samples(), made(samples())
    tests["truths"].loc[tests["truths"]["map"] == "gradcam", "mass"] = np.nan
    verdicts = summed(table, tests)["verdicts"]
    assert (verdicts["gradcam"][TRUTH], verdicts["gradcam"][POWER], verdicts["ig"][TRUTH]) == (None, None, True)


def test_a_summary_without_curves_can_be_written(tmp_path):
    """No sample scores higher than the other EEG."""
    table = samples()
    files.write_json(tmp_path / "sanity.json", summed(table, made(table, deletion=np.nan, insertion=np.nan)))


PLANTED_AXIS = {
    "window_s": 1.0, "hop_s": 0.5, "frame_columns": 2, "frequencies_hz": [1.0, 2.0, 3.0, 4.0],
    "channels": ["F7-T7", "T8-P8"],
}  # fmt: skip


@pytest.fixture
def scored():
    """Planted: in sample 7 F7-T7 at 1 Hz in t1, in sample 3 T8-P8 at 2 Hz in t2: 2 cells each of 24, in 4 bins.

    Scores as a dict of (along, map, sample) → scores. Grad-CAM and Integrated Gradients are the truth, Grad-CAM++ is
    blind; power is 4, 3, 2, 1 from the lowest bin on, at all times, in both channels; other EEG has a little where the
    seizure is, and most in the other channel everywhere else, as muscle might.
    """
    rows = [("a", "F7-T7", 1.0, 2.0, 0.6, 1.4, 9.0), ("b", "T8-P8", 2.0, 3.0, 1.6, 2.4, 9.0)]
    table = pd.DataFrame({"sample": [7, 3], "recording": ["a", "b"], "column": 0})
    truth = np.zeros((2, 3, 2, 4, 2))
    truth[0, 1, 0, 0], truth[1, 2, 1, 1] = 1, 1
    power = np.broadcast_to(np.array([4.0, 3, 2, 1])[:, None], truth.shape)
    muscle = truth + 5 * (truth.any(axis=2, keepdims=True) == 0) * np.array([[0, 1], [1, 0]])[:, None, :, None, None]
    maps = {"gradcam": truth.max(axis=2), "gradcampp": np.ones((2, 3, 4, 2)), "ig": np.zeros((2, 3, 4, 2))}
    whole = {"ig": truth, "power": power, "other_eeg": muscle}
    found = sanity.truths(pd.DataFrame(rows, columns=planted.COLUMNS), table, maps, whole, PLANTED_AXIS)
    return found.set_index(["along", "map", "sample"])[list(planted.SCORES)].T.to_dict("list")


def test_a_perfect_map_beats_power_and_a_blind_one(scored):
    """Of 2 · 22 pairs power leads the 18 cells of lower bins, ties with 4 of its own: 20/22, and at 2 Hz 14/22; mass
    is 2 · 4/60 and 2 · 3/60; the highest cells are the 6 of 1 Hz. At one frequency it knows nothing."""
    along = "time × frequency"
    assert scored[along, "gradcam", 7] == scored[along, "gradcam", 3] == scored[along, "ig", 7] == [1, 1, 1, 1]
    assert scored[along, "power", 7] == pytest.approx([20 / 22, 0.5, 8 / 60, 2 / 6])
    assert scored[along, "power", 3] == pytest.approx([14 / 22, 0.5, 6 / 60, 0])
    for sample in (7, 3):
        assert scored[along, "gradcampp", sample] == scored[along, "chance", sample] == [0.5, 0.5, 1 / 12, 1 / 12]


def test_truths_along_each_axis(scored):
    """Means over all else. Time: 2 of 6 columns; frequency: 1 of 12 bins, that of 1 Hz one of three highest; channel: 1
    of 2, only for maps that have channels."""

    def check(along, name, sample, auc, mass, pointing):
        assert scored[along, name, sample] == pytest.approx([auc, np.nan, mass, pointing], nan_ok=True)

    check("time", "gradcam", 3, 1, 1, 1)
    check("time", "power", 7, 0.5, 1 / 3, 1 / 3)
    check("time", "chance", 3, 0.5, 1 / 3, 1 / 3)
    check("frequency", "gradcam", 3, 1, 1, 1)
    check("frequency", "power", 7, (9 + 1) / 11, 4 / 30, 1 / 3)
    check("channel", "ig", 7, 1, 1, 1)
    check("channel", "ig", 3, 1, 1, 1)
    check("channel", "power", 7, 0.5, 0.5, 0.5)
    check("channel", "chance", 7, 0.5, 0.5, 0.5)
    assert {name for along, name, _ in scored if along == "channel"} == {"chance", "ig", "power", "other_eeg"}
    assert {name for along, name, _ in scored if along == "time"} == {
        "chance", "gradcam", "gradcampp", "ig", "power", "other_eeg"
    }  # fmt: skip


def test_axes_are_seen_by_their_means():
    """F7-T7 at 1 Hz in t1 has 2, and 1 in its other bins there; a single cell of the other channel, t0 and 3 Hz has
    2.4. It is the highest cell, but its column, bin and channel are not: the means of all that is planted are ahead."""
    rows = pd.DataFrame([("a", "F7-T7", 1.0, 2.0, 0.6, 1.4, 9.0)], columns=planted.COLUMNS)
    whole = np.zeros((1, 3, 2, 4, 2))
    whole[0, 1, 0], whole[0, 1, 0, 0], whole[0, 0, 1, 2, 0] = 1, 2, 2.4
    table = pd.DataFrame({"sample": [7], "recording": ["a"], "column": [0]})
    found = sanity.truths(rows, table, {}, {"ig": whole}, PLANTED_AXIS)
    auc = found[found["map"] == "ig"].set_index("along")["auc"]
    assert auc[["time", "frequency", "channel", "channel, where planted"]].tolist() == [1, 1, 1, 1]
    assert auc["time × frequency"] == pytest.approx(21 / 22)


@pytest.mark.parametrize("sample", [7, 3])
def test_where_planted_leaves_out_what_comes_with_it(scored, sample):
    """Muscle in the other channel, everywhere but in the seizure's cells: wrong in all, right where it is planted."""
    assert scored["channel", "other_eeg", sample][0] == 0
    assert scored["channel, where planted", "other_eeg", sample][0] == 1
    assert scored["channel, where planted", "ig", sample][0] == 1


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Random networks and spectrograms, saved: 6 samples of a in fold 0, and 4 of b and c in fold 1.

    Other EEG is constant, 5 dB in y (fold 0) and −5 dB in z (fold 1), so that it does not matter which is drawn; the
    class decided is the one that a sample speaks for, more than the other EEG of the other fold does.
    """
    torch.set_num_threads(1)  # as those that explain do
    root, generator = tmp_path_factory.mktemp("sanity"), np.random.default_rng(5)
    folder, weights, permuted = (root / name for name in ("spectrograms", "weights", "weights_permuted"))
    for path in (folder, weights, permuted):
        path.mkdir()
    for seed, (path, name) in enumerate(itertools.product((weights, permuted), ("0-1", "0-2", "1-2")), start=10):
        network.save(made_network(seed, channels=3, frequencies=8), path / f"{name}.safetensors")
    for name in "abc":
        np.save(folder / f"{name}.npy", generator.normal(0, 3, (3, 8, 60)).astype(np.float16))
    for name, level in (("y", 5), ("z", -5)):
        np.save(folder / f"{name}.npy", np.full((3, 8, 60), level, np.float16))
    members = {0: ["0-1", "0-2"], 1: ["0-1", "1-2"]}
    table = pd.DataFrame({"recording": list("aaaaaabbbc"), "column": [0, 6, 12, 18, 24, 36, 0, 8, 30, 4]})
    table = table.assign(fold=(table["recording"] != "a").astype(int), sample=np.arange(10) + 40)
    table = table.sample(frac=1, random_state=0)  # folds in no order
    background = pd.DataFrame({"recording": ["y"] * 6 + ["z"] * 6, "column": [*range(0, 36, 6)] * 2})
    background["fold"] = (background["recording"] == "z").astype(int)
    powers, decided = spectrograms.open_spectrogram(folder, list("abcyz")), []
    for row in table.itertuples():
        pair = pd.DataFrame({"recording": [row.recording, "zy"[row.fold]], "column": [row.column, 0]})
        with torch.no_grad():
            own, other = network.load_ensemble(weights, members[row.fold])(training.slices(powers, pair, SIZE))
        decided.append(int(own > other))
    table = table.assign(decided=decided, label=decided)
    assert 3 <= sum(decided) <= 7
    maps = {"noise": generator.normal(size=(len(table), 3, 8, SIZE)).astype(np.float32)}
    maps |= {"flat": np.zeros_like(maps["noise"]), **{name: maps["noise"] ** 2 for name in METHODS}}
    return SimpleNamespace(
        folder=folder, weights=weights, permuted=permuted, members=members, table=table, background=background,
        pairs={0: ("0-1", "0-2"), 1: ("1-2", "0-1")}, powers=powers, maps=maps,
    )  # fmt: skip


def disturbed(world, **changes):
    given = SimpleNamespace(**{**vars(world), **changes})
    return sanity.disturbed(
        given.folder, given.weights, given.permuted, given.members, given.pairs, given.table, SIZE, 8
    )  # fmt: skip


def deleted(world, rows=slice(None), seed=8):
    maps = {name: values[rows] for name, values in world.maps.items()}
    part = world.table.iloc[rows]
    return sanity.deleted(world.folder, world.weights, world.members, part, world.background, maps, AXIS, seed)


@pytest.fixture(scope="module")
def runs(world):
    """Both tests in parts of four samples at most, by one worker, here, and by two processes."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attributions, "TOGETHER", 4)
        patch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
        for count in ("1", "2"):
            patch.setenv("STUDY_WORKERS", count)
            found[count] = {"disturbed": disturbed(world), "deleted": deleted(world)}
    return found


@pytest.fixture
def alone(monkeypatch):
    """One worker: in this process, where things can be exchanged."""
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    monkeypatch.setenv("STUDY_WORKERS", "1")


@pytest.mark.parametrize("name", ["disturbed", "deleted"])
def test_one_worker_or_two_give_the_same(runs, name):
    """To the bit."""
    pd.testing.assert_frame_equal(runs["1"][name], runs["2"][name], check_exact=True)


def test_disturbed_has_all_tests_of_all_samples(world, runs):
    """Nine tests of three methods, and of the sizes of Integrated Gradients; samples in the table's order."""
    found = runs["1"]["disturbed"]
    tests = [*(f"weights:{layer}" for layer in randomisation.LAYERS), "labels", "retrained", "noise"]
    expected = {(test, method) for test in tests for method in METHODS} | {
        (f"magnitude:{test}", "ig") for test in tests
    }
    groups = found.groupby(["test", "method"], sort=False)
    assert list(found.columns) == ["sample", "method", "test", "correlation"] and set(groups.groups) == expected
    assert all(part["sample"].tolist() == world.table["sample"].tolist() for _, part in groups)
    means = groups["correlation"].mean()
    assert found["correlation"].dropna().between(-1, 1).all() and means.notna().all() and (means < 0.999).all()
    assert means["noise", "ig"] > means["weights:mix", "ig"] + 0.2


def test_disturbing_nothing_changes_nothing(world, monkeypatch, alone):
    """The same weights, 0 dB of noise, the same network as the one retrained: 1, where a map is not flat."""
    monkeypatch.setattr(sanity, "NOISE_DB", 0.0)
    monkeypatch.setattr(randomisation, "randomised", lambda network, depth, seed: network)
    found = disturbed(world, permuted=world.weights, pairs={0: ("0-1", "0-1"), 1: ("1-2", "1-2")})
    assert found["correlation"].dropna().to_numpy() == pytest.approx(1)
    assert found.loc[found["method"] == "ig", "correlation"].notna().all()
    assert found["correlation"].notna().mean() > 0.7


def test_disturbed_is_what_it_says(world, runs):
    """Of the four samples of fold 1, anew: the ensemble against itself with noise and without its first three layers;
    the network 1-2 against the one trained on permuted labels, and against 0-1."""
    part = world.table[world.table["fold"] == 1]
    triptychs = training.slices(world.powers, part, SIZE)

    def maps(folder, names, change=lambda network: network, given=triptychs):
        one = change(network.load_ensemble(folder, names))
        return attributions.toward_predicted(one, given, part["decided"].to_numpy(), sanity.STEPS)

    whole, single = maps(world.weights, ["0-1", "1-2"]), maps(world.weights, ["1-2"])
    lost = maps(world.weights, ["0-1", "1-2"], lambda network: randomisation.randomised(network, 3, 8 + 3))
    noise = maps(world.weights, ["0-1", "1-2"], given=randomisation.noisy(triptychs, sanity.NOISE_DB, 8))
    found = runs["1"]["disturbed"].pivot(index="sample", columns=["test", "method"], values="correlation")
    found = found.loc[part["sample"]]
    for test, before, after in (
        ("weights:embed", whole, lost),
        ("noise", whole, noise),
        ("labels", single, maps(world.permuted, ["1-2"])),
        ("retrained", single, maps(world.weights, ["0-1"])),
    ):
        for method in METHODS:
            expected = randomisation.rank_correlation(before[method], after[method])
            assert found[test, method].to_numpy() == pytest.approx(expected, abs=1e-3, nan_ok=True)
        expected = randomisation.rank_correlation(abs(before["ig"]), abs(after["ig"]))
        assert found[f"magnitude:{test}", "ig"].to_numpy() == pytest.approx(expected, abs=1e-3)


def test_deleted_has_all_curves_of_all_samples(world, runs):
    """Each map and the random orders, falling and rising from end to end at eleven shares; samples in order."""
    found = runs["1"]["deleted"]
    groups = found.groupby(["kind", "map"], sort=False)
    assert list(found.columns) == ["sample", "map", "kind", "share", "score"]
    assert set(groups.groups) == set(itertools.product(["deletion", "insertion"], [*world.maps, "random"]))
    for (kind, _), part in groups:
        assert part["sample"].tolist() == np.repeat(world.table["sample"], 11).tolist()
        assert part["share"].tolist() == [tenth / 10 for tenth in range(11)] * len(world.table)
        ends = part["score"].to_numpy().reshape(-1, 11)[:, [0, 10]]
        assert ends == pytest.approx(np.tile([1, 0] if kind == "deletion" else [0, 1], (len(ends), 1)), abs=1e-4)


def test_deleted_is_what_it_says(world, runs):
    """Each sample anew, against the other fold's EEG, in the order of its own map over cells; for the class decided. A
    flat map has the order of the cells themselves."""
    found = runs["1"]["deleted"].set_index(["kind", "map", "sample"])["score"]
    for position, row in enumerate(world.table.itertuples()):
        other = torch.full((sanity.OTHERS, 3, 3, 4, SIZE // 2), (-5.0, 5.0)[row.fold])
        pooled = network.pool_steps(training.slices(world.powers, world.table.iloc[[position]], SIZE))[0]
        # 24 cells of 2 bins and 4 columns
        means = world.maps["noise"][position].reshape(3, 4, 2, 2, 4).mean(axis=(2, 4)).ravel()
        ensemble, sign = network.load_ensemble(world.weights, world.members[row.fold]), 2 * row.decided - 1
        for name, order in (("noise", np.argsort(-means)), ("flat", np.arange(24))):
            curves = deletion.curves(ensemble, pooled, other, order, (1, 2), sign)
            for kind, curve in zip(("deletion", "insertion"), curves, strict=True):
                assert found[kind, name, row.sample].to_numpy() == pytest.approx(curve, abs=1e-3)


@pytest.mark.parametrize("number", [sanity.OTHERS, sanity.OTHERS - 1])
def test_other_eeg_is_drawn_without_repeats_where_there_is_enough(world, monkeypatch, alone, number):
    """Of just as many as are drawn each comes once, for all orders of a sample; of fewer some come again. Random
    orders count by their mean: here a curve is the first cell of its order all along."""
    given = []

    def curves(network, pooled, others, order, size, sign):
        given.append((sorted(others.mean((1, 2, 3, 4)).tolist()), list(order)))
        return np.full((2, deletion.STEPS + 1), float(order[0]))

    monkeypatch.setattr(deletion, "curves", curves)
    background = pd.DataFrame({"recording": "b", "column": [0, 8, 30, 4][:number], "fold": 1})
    row = int(np.flatnonzero(world.table["fold"] == 0)[0])
    found = deleted(SimpleNamespace(**{**vars(world), "background": background}), [row])
    pooled = network.pool_steps(training.slices(world.powers, background, SIZE))
    levels, (drawn, _) = sorted(pooled.mean((1, 2, 3, 4)).tolist()), given[0]
    assert all(other == drawn for other, _ in given) and len(drawn) == sanity.OTHERS
    assert all(np.isclose(level, levels).any() for level in drawn)
    assert number < sanity.OTHERS or drawn == pytest.approx(levels)
    orders = [order for _, order in given[len(world.maps) :]]
    assert len(orders) == sanity.ORDERS and all(sorted(order) == list(range(24)) for order in orders)
    expected = np.mean([order[0] for order in orders])
    assert found.loc[found["map"] == "random", "score"].to_numpy() == pytest.approx(expected)


def test_random_orders_go_by_seed_and_sample(world, runs, alone):
    """Some of the samples, in another order: the same curves. With another seed only the random orders are others, as
    all other EEG is alike here."""
    keys, rows = ["kind", "map", "sample", "share"], [7, 3, 5]
    before = runs["1"]["deleted"].set_index(keys)["score"]
    again, other = (deleted(world, rows, seed).set_index(keys)["score"] for seed in (8, 9))
    before = before[again.index]
    assert again.to_numpy() == pytest.approx(before.to_numpy(), abs=1e-4)
    differs = (other - before).abs().groupby(["kind", "map"]).max() > 1e-3
    assert set(differs.index[differs]) == {("deletion", "random"), ("insertion", "random")}


def test_trivial_maps_by_hand(world):
    """The sample's power; less the mean of its fold's networks' training means; EEG of the other fold: −5 dB for fold 0
    and 5 dB for fold 1."""
    found = sanity.trivial(world.folder, world.weights, world.members, world.table, world.background, AXIS, 8)
    assert {name: values.shape for name, values in found.items()} == dict.fromkeys(
        ("power", "above_mean", "other_eeg"), (10, 3, 3, 8, SIZE)
    )
    assert set(found) == set(sanity.TRIVIAL) - {"chance"}
    np.testing.assert_array_equal(found["power"], training.slices(world.powers, world.table, SIZE).numpy())
    for position, row in enumerate(world.table.itertuples()):
        members = [network.load(world.weights / f"{name}.safetensors") for name in world.members[row.fold]]
        mean = np.mean([member.mean.numpy() for member in members], axis=0)
        difference = found["power"][position] - found["above_mean"][position]
        np.testing.assert_allclose(difference, np.broadcast_to(mean, difference.shape), atol=1e-4)
        assert (found["other_eeg"][position] == (-5.0, 5.0)[row.fold]).all()


def test_from_networks_to_a_summary(world, runs, tmp_path):
    """What the tests return is what the summary takes; it is written as JSON and reads the same."""
    tests = {**runs["1"], "agreement": sanity.agreement(world.maps, world.table)}
    found = sanity.summary(world.table, tests, np.full(10, 0.01), np.ones(10))
    files.write_json(tmp_path / "sanity.json", found)
    assert files.read_json(tmp_path / "sanity.json")["verdicts"] == found["verdicts"]
    assert found["tested"] == {"seizure": world.table["label"].sum(), "other": (world.table["label"] == 0).sum()}
    assert set(found["gain"]["deletion"]) == set(world.maps)
    assert all(list(verdicts) == list(sanity.RULES) for verdicts in found["verdicts"].values())
    assert found["verdicts"]["ig"][COMPLETENESS] is True and found["verdicts"]["ig"][DELETION] is not None


def test_nothing_right_is_nothing_tested(world, alone, tmp_path):
    """A detector that is always wrong has no sample to test on: empty tables, and a summary without a verdict."""
    none = sanity.tested(world.table.assign(decided=1 - world.table["label"]), 5)
    found = disturbed(world, table=none)
    assert found.empty and list(found.columns) == ["sample", "method", "test", "correlation"]
    axis = {**AXIS, "channels": list("abc"), "frequencies_hz": list(range(8))}
    trivial = sanity.trivial(world.folder, world.weights, world.members, none, world.background, axis, 8)
    assert all(len(values) == 0 for values in trivial.values())
    given = (world.folder, world.weights, world.members, none, world.background, trivial, axis, 8)
    tests = {
        "disturbed": found,
        "deleted": sanity.deleted(*given),
        "agreement": sanity.agreement(world.maps, world.table),
    }
    summed = sanity.summary(world.table, tests, np.full(10, 0.01), np.ones(10))
    files.write_json(tmp_path / "sanity.json", summed)
    assert summed["tested"] == {"seizure": 0, "other": 0} and summed["disturbed"] == summed["gain"] == {}
    assert all(set(verdicts.values()) <= {None, True} for verdicts in summed["verdicts"].values())


def test_methods_are_held_against_the_order_of_power():
    """Level curves at 0.2 and 0.9, power at 0.45: 0.25 faster by deletion, 0.45 by insertion. Else nothing."""
    table = samples()
    found = summed(table, made(table, deletion=0.2, insertion=0.9))["beyond_power"]
    for kind, gain in (("deletion", 0.25), ("insertion", 0.45)):
        assert list(found[kind]) == list(METHODS)
        assert all(figure["value"] == pytest.approx(gain) for figure in found[kind].values())
    tests = made(table)
    tests["deleted"] = tests["deleted"][tests["deleted"]["map"] != "power"]
    assert summed(table, tests)["beyond_power"] == {}
