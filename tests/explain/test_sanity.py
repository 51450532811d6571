"""The tests of the methods: tables and verdicts made by hand, and small random networks from end to end."""

import itertools
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ROOT
from test_network import made_network

from helpers.explain import attributions, deletion, planted, sanity
from helpers.preprocess import spectrograms
from helpers.study import files, markdown
from helpers.train import network, training

AXES = ("frequency", "time", "channel")
RULES = ["completeness", *(f"planted {axis}" for axis in AXES), "random weights", "permuted labels", "members"]
RULES += ["stability", "deletion", "insertion"]
METHODS, TESTED = list(attributions.METHODS), [*attributions.METHODS, "gradinput"]
MAPS = [name for name in sanity.MAPS if name not in sanity.BASELINES]  # all methods, and the broken maps
SIZE = 8  # columns of a frame
AXIS = {  # cells of one pooled bin and two pooled columns
    "window_s": 0.5, "hop_s": 0.125, "frame_columns": SIZE, "channels": list("abc"), "frequencies_hz": list(range(8)),
}  # fmt: skip


def decisions(hits, misses, others, alarms):
    """Samples in order of time: of each label those decided right first."""
    label = [1] * (hits + misses) + [0] * (others + alarms)
    decided = [1] * hits + [0] * misses + [0] * others + [1] * alarms
    return pd.DataFrame({"label": label, "decided": decided})


def test_samples_to_test_are_spread_evenly():
    """Five of ten hits, 0–9: the middles of equal parts, 1 3 5 7 9; five of 20 others, 12–31: 2, 6, 10 … of them. The
    two misses and the false alarm are not there. A hit that stands late in the table stays late."""
    table = decisions(10, 2, 20, 1)
    assert sanity.samples_to_test(table, 5).index.tolist() == [1, 3, 5, 7, 9, 14, 18, 22, 26, 30]
    turned = sanity.samples_to_test(table.iloc[::-1], 5)
    assert turned.index.is_monotonic_decreasing and turned["label"].tolist() == [0] * 5 + [1] * 5


@pytest.mark.parametrize(
    ("counts", "hits", "others"),
    [
        ((3, 0, 20, 0), 3, 3),  # all hits, as there are fewer than asked for
        ((10, 0, 3, 0), 3, 3),
        ((0, 4, 20, 0), 0, 5),  # where one kind is missing, the other alone
        ((7, 4, 0, 3), 5, 0),
        ((0, 4, 0, 3), 0, 0),
    ],
)
def test_as_many_of_each_class(counts, hits, others):
    """At most five, each once, decided right; both classes alike where there are both."""
    found = sanity.samples_to_test(decisions(*counts), 5)
    assert (found["label"] == found["decided"]).all() and not found.index.duplicated().any()
    assert ((found["label"] == 1).sum(), (found["label"] == 0).sum()) == (hits, others)


@pytest.fixture
def ensemble():
    """Three networks with random weights and statistics, as the members of a fold."""
    return network.Ensemble([made_network(seed) for seed in range(3)]).eval()


def tensors(model):
    """Return all that an ensemble holds, statistics included, as bytes by name."""
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


def test_layers_are_all_that_is_learnt(ensemble):
    """Each weight belongs to one of the layers, which stand in the order of the decision, backwards."""
    member, called = ensemble.networks[0], []
    assert {name.split(".")[0] for name, _ in member.named_parameters()} == set(sanity.LAYERS)
    for name in sanity.LAYERS:
        getattr(member, name).register_forward_hook(lambda *given, name=name: called.append(name))
    member(torch.zeros(1, 3, 3, 10, 6))
    assert called == list(sanity.LAYERS[::-1])


@pytest.mark.parametrize("depth", range(len(sanity.LAYERS) + 1))
def test_only_the_first_layers_are_lost(ensemble, depth):
    """In all members, to values that differ between them; every tensor of the layers changes and no other does, nor do
    the statistics, nor the network that was given."""
    before = tensors(ensemble)
    after = tensors(sanity.randomise_weights(ensemble, depth, 7))
    lost = {name for name in before if name.split(".")[2] in sanity.LAYERS[:depth]}
    assert {name for name in before if before[name] != after[name]} == lost
    assert len({name.split(".")[1] for name in lost}) == (3 if depth else 0)
    assert len({after[name] for name in lost}) == len(lost)
    assert tensors(ensemble) == before


def test_lost_weights_are_as_before_training(ensemble):
    """As torch initialises them, whatever they were: uniform, within ±1/√inputs; what was learnt here is three times as
    wide. The seed decides; what torch draws next is the same; dropout is off."""
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    found = sanity.randomise_weights(ensemble.train(), 6, 7)
    sanity.add_noise(torch.zeros(2, 3, 3, 10, 6), 1.0, 7)
    assert torch.equal(torch.rand(4), expected)
    for member, old in zip(found.networks, ensemble.networks, strict=True):
        for layer, inputs in (("score", 8), ("mix", 3), ("evolve", 5 * 4), ("embed", 4)):
            values, limit = getattr(member, layer).weight, inputs**-0.5
            assert 0.5 * limit < values.abs().max() <= limit < getattr(old, layer).weight.abs().max()
    assert tensors(found) == tensors(sanity.randomise_weights(ensemble, 6, 7)) and not found.networks[0].training
    other = tensors(sanity.randomise_weights(ensemble, 6, 8))
    assert {name.split(".")[2] for name, value in tensors(found).items() if value == other[name]} == {
        "mean",
        "deviation",
    }


def test_noise_has_its_deviation_and_seed():
    """2 dB about what was there, in each of 48000 cells on its own; the seed decides."""
    triptychs = torch.randn(4, 3, 10, 20, 20, generator=torch.Generator().manual_seed(0)) * 50
    found = sanity.add_noise(triptychs, 2.0, 7)
    noise = (found - triptychs).double().numpy()
    assert noise.mean() == pytest.approx(0, abs=0.05) and noise.std() == pytest.approx(2, abs=0.05)
    for axis in range(5):  # means over one axis scatter as those of independent values do
        assert noise.mean(axis=axis).std() == pytest.approx(2 / noise.shape[axis] ** 0.5, rel=0.1)
    assert torch.equal(found, sanity.add_noise(triptychs, 2.0, 7))
    assert (found != sanity.add_noise(triptychs, 2.0, 8)).double().mean() > 0.99


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1, 2, 3, 4], [1, 10, 100, 1000], 1),  # the order alone counts
        ([1, 2, 3, 4], [2, 1, 4, 3], 0.6),  # 1 − 6 Σd²/(n³ − n) = 1 − 6 · 4/60
        ([1, 2, 3], [5, 5, 6], 0.75**0.5),  # ranks 1 2 3 and 1½ 1½ 3: 1.5/√(2 · 1.5)
        ([1, 2, 3, 4], [5, 5, 5, 5], 0),  # orders nothing
        ([0, 0, 0, 0], [1, 2, 3, 4], 0),
        ([0, 0, 0, 0], [5, 5, 5, 5], np.nan),
    ],
)
@pytest.mark.filterwarnings("error")
def test_rank_correlation_by_hand(one, other, expected):
    """Of one sample; a map that is the same everywhere has 0 with any, and NaN with another such."""
    found = sanity.rank_correlation(np.array([one]), np.array([other]))
    assert found.dtype == np.float64 and found == pytest.approx([expected], nan_ok=True)


def test_complexity_by_hand():
    """Absolute values in a hundred bins: all in one, 0; half in each of two, ln 2."""
    found = sanity.complexity(np.array([[3.0, -3, 3, 3], [1, 2, -2, -1], [1, 2, -2, 1]]))
    assert found == pytest.approx([0, np.log(2), np.log(2)])


# What each test finds where a method passes: of every sample, or one value a recording.
PASSING = {
    "mix": 0.1, "unsigned": 0.15, "noise": 0.8, "members": 0.6, "labels": 0.2, "retrained": 0.6, "deletion": 0.3,
    "insertion": 0.7, "frequency": 0.9, "time": 0.9, "channel": 0.9, "chance": 0.5, "power": 0.6,
}  # fmt: skip


def samples(recordings="abcd"):
    """A seizure and another sample of each recording, numbered from 10 on, in no order; a cluster each recording."""
    table = pd.DataFrame({"recording": [name for name in recordings for _ in "ab"], "label": [1, 0] * len(recordings)})
    return table.assign(sample=np.arange(len(table)) + 10, cluster=table["recording"]).iloc[::-1].reset_index(drop=True)


def made(table, **changes):
    """The tables that the tests return, the same for all maps; curves are level, so that their area is their height.

    On time × frequency planted truth says the opposite: no verdict comes from there.
    """
    names = sorted(table["recording"].unique())
    values = {
        key: table["recording"].map(dict(zip(names, np.broadcast_to(value, len(names)), strict=True)))
        for key, value in {**PASSING, **changes}.items()
    }
    hit, (first, *_, last) = table["label"] == 1, (f"weights:{layer}" for layer in sanity.LAYERS)
    levels = {first: 0.9, last: values["mix"], f"magnitude:{last}": values["unsigned"]}
    levels |= {name: values[name] for name in ("labels", "retrained", "members", "noise")}
    perturbed = [
        pd.DataFrame({"sample": table["sample"], "method": method, "test": test, "draw": draw, "value": level})
        for test, level in levels.items()
        for method in TESTED
        for draw in ("01" if last in test else "0")
    ]
    curves = [
        pd.DataFrame({"sample": table["sample"], "map": name, "kind": kind, "share": share, "score": level})[hit]
        for kind in ("deletion", "insertion")
        for name, level in [*((name, values[kind]) for name in MAPS), ("power", 0.45), ("random", 0.5)]
        for share in np.linspace(0, 1, deletion.STEPS + 1).round(6)
    ]
    baselines = {name: values["chance"] for name in sanity.BASELINES} | {"power": values["power"]}
    truths = [
        pd.DataFrame({"sample": table["sample"], "along": along, "map": name, "auc": auc, "precision": 0.25})[hit]
        for along in planted.ALONG
        for name, auc in {**{name: values.get(along, 0.0) for name in MAPS}, **baselines}.items()
    ]
    found = {"perturbation": perturbed, "deletion": curves, "truth": truths}
    return {name: pd.concat(parts, ignore_index=True) for name, parts in found.items()}


def summed(table, tests, delta=0.01, total=1.0):
    return sanity.summary(table, tests, np.full(len(table), delta), np.full(len(table), total))


def passing(name):
    """Every rule that applies passes: completeness to Integrated Gradients alone, changed networks to few methods."""
    given = dict.fromkeys(RULES, True) | ({} if name == "ig" else {"completeness": None})
    return given if name in TESTED else given | dict.fromkeys(RULES[4:8])


PLANTED = RULES[1:4]


@pytest.mark.parametrize(
    ("changes", "failing"),
    [
        ({"mix": 0.19, "noise": 0.71, "labels": 0.59, "members": 0.51, "deletion": 0.44, "insertion": 0.51}, []),
        ({"mix": [0.0, 0.0, 0.0, 0.7]}, []),  # the mean counts
        ({"mix": 0.21}, ["random weights"]),
        ({"mix": -0.21}, ["random weights"]),
        ({"mix": 0.0, "unsigned": 0.21}, ["random weights"]),  # unlike by its signs alone
        ({"noise": 0.69}, ["stability"]),
        ({"members": 0.49}, ["members"]),
        ({"labels": 0.6}, ["permuted labels"]),
        ({"labels": [0.4, 0.4, 0.4, 1.0]}, ["permuted labels"]),  # the mean of +0.2 thrice and −0.4 is above 0
        ({"deletion": 0.45}, ["deletion"]),  # as fast as in order of power
        ({"deletion": [0.3, 0.3, 0.3, 0.9]}, ["deletion"]),
        ({"insertion": 0.5}, ["insertion"]),  # as fast as at random; power is slower
        ({"time": 0.6, "channel": 0.49}, PLANTED[1:]),  # no better than power; worse than chance
        ({"frequency": [0.9, 0.9, 0.9, 0.1]}, PLANTED[:1]),
    ],
)
def test_each_rule_passes_and_fails_on_its_own_figure(changes, failing):
    """Of four recordings; one method's figures alone are changed: it fails these rules, and no other map does."""
    table = samples()
    tests, other = made(table), made(table, **changes)
    for name, key in (("perturbation", "method"), ("deletion", "map"), ("truth", "map")):
        tests[name] = tests[name].where(tests[name][key] != "ig", other[name])
    expected = {name: passing(name) for name in MAPS}
    expected["ig"] |= dict.fromkeys(failing, False)
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
def test_completeness_is_that_of_the_worst_sample(delta, total, passes):
    """One sample of many with this convergence delta; the others have none."""
    table = samples()
    deltas, totals = np.zeros(len(table)), np.ones(len(table))
    deltas[3], totals[3] = delta, total
    found = sanity.summary(table, made(table), deltas, totals)
    assert found["completeness"] == {"largest": pytest.approx(abs(delta) / max(1, abs(total))), "n": 8}
    assert [found["verdicts"][name]["completeness"] for name in METHODS] == [None, None, passes]


@pytest.mark.parametrize(
    ("recordings", "changes", "verdicts"),
    [
        # Chance is ahead in one recording of four: the intervals reach below 0.
        ("abcd", {"chance": [0.3, 0.3, 0.3, 1.9]}, dict.fromkeys(PLANTED, False)),
        # Maps that are flat before and after, samples that score no higher than other EEG, nothing planted.
        ("abcd", dict.fromkeys(PASSING, np.nan), dict.fromkeys(RULES[1:])),
    ],
)
def test_verdicts_need_figures_and_intervals(tmp_path, recordings, changes, verdicts):
    """The same of all maps; on measured EEG, without planted truth, no rule about it is tested."""
    table = samples(recordings)
    tests = made(table, **changes)
    found = summed(table, tests)
    expected = {name: passing(name) | {rule: value for rule, value in verdicts.items()} for name in MAPS}
    assert found["verdicts"] == expected
    files.write_json(tmp_path / "sanity.json", found)
    measured = summed(table, {name: part for name, part in tests.items() if name != "truth"})
    assert measured["verdicts"] == {name: given | dict.fromkeys(PLANTED) for name, given in expected.items()}
    assert measured["truth"] is None


def test_figures_by_hand():
    """Means over samples, gaps and gains; NaN is left out of a mean, and not counted. The curves of Integrated
    Gradients are 1 − share here, rows in any order: their means stand in the order of the shares, their area is ½."""
    table = samples()
    tests = made(table, deletion=[0.1, 0.2, 0.3, np.nan], labels=[0.0, 0.2, 0.4, np.nan])
    of_ig = tests["deletion"]["map"] == "ig"
    tests["deletion"]["score"] = tests["deletion"]["score"].where(~of_ig, 1 - tests["deletion"]["share"])
    second = (tests["perturbation"]["draw"] == "1") & (tests["perturbation"]["method"] == "ig")
    tests["perturbation"].loc[second, "value"] += 0.1
    found = summed(table, tests)
    assert found["tested"] == {"seizure": 4, "other": 4} and found["layers"] == sanity.LAYERS
    truth, gain, last = found["truth"]["time"], found["gain"], f"weights:{sanity.LAYERS[-1]}"
    for figure, value, n in [
        (found["disturbed"]["weights:score"]["gradcam"], 0.9, 8),
        (found["disturbed"][last]["ig"], 0.15, 8),  # of two draws
        (found["disturbed"]["labels"]["ig"], 0.2, 6),
        (found["retraining_gap"]["ig"], 0.4, 6),
        (gain["deletion"]["gradcam"], 0.3, 3),
        (gain["deletion"]["ig"], 0, 4),
        (gain["deletion"]["power"], 0.05, 4),
        (gain["insertion"]["power"], -0.05, 4),
        (gain["insertion"]["gradcam"], 0.2, 4),
        (found["beyond_power"]["deletion"]["gradcam"], 0.25, 3),
        (truth["power"]["auc"], 0.6, 4),
        (truth["ig"]["precision"], 0.25, 4),
        (found["truth"]["ahead"]["time"]["ig"]["chance"], 0.4, 4),
        (found["truth"]["ahead"]["time × frequency"]["ig"]["power"], -0.6, 4),
    ]:
        assert (figure["value"], figure["n"]) == (pytest.approx(value), n)
    assert found["draws"][last] == {name: pytest.approx([0.1, 0.2 if name == "ig" else 0.1]) for name in TESTED}
    assert found["draws"][f"magnitude:{last}"]["gradcam"] == pytest.approx([0.15, 0.15])
    curves = found["curves"]
    assert curves["deletion"]["gradcam"] == pytest.approx([0.2] * 6) and curves["insertion"]["random"] == [0.5] * 6
    assert curves["deletion"]["ig"] == pytest.approx(np.linspace(1, 0, 6))


def test_a_mean_over_clusters_by_hand():
    """a: 1, 1, 1; b: 0; c: NaN, 1: each sample weighs the same, 4/5 of five. Of three draws all may be b (1 in 27), or
    none (8 in 27): of so few, the ends are the lowest and the highest cluster, 0 and 1; no values have no mean."""
    table = pd.DataFrame({"sample": range(6), "x": [1, 0, np.nan, 1, 1, 1]})
    clusters = pd.Series(["a", "b", "c", "c", "a", "a"])
    found = sanity.mean_over_clusters(table, "x", clusters)
    assert (found["value"], found["low"], found["high"], found["n"]) == (pytest.approx(0.8), 0, 1, 5)
    assert found["kind"] == "range" and sanity.mean_over_clusters(table[::-1], "x", clusters) == found
    none = sanity.mean_over_clusters(table[:0], "x", clusters)
    assert (none["value"], none["low"], none["n"]) == (None, None, 0) and "undefined" in none["reason"]


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
    for seed, (path, name) in enumerate(itertools.product((weights, permuted), ("0-1", "0-2", "1-2")), start=20):
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
    maps |= {"flat": np.zeros_like(maps["noise"]), "power": maps["noise"][::-1].copy()}
    maps |= {name: maps["noise"] ** 2 for name in METHODS}
    baselines = {fold: (torch.full((3, 8, 1), 0.5 * fold), 0.0, 0.0, 0.0) for fold in members}
    return SimpleNamespace(
        baselines=baselines,
        folder=folder, weights=weights, permuted=permuted, members=members, table=table, background=background,
        pairs={0: ("0-1", "0-2"), 1: ("1-2", "0-1")}, powers=powers, maps=maps,
    )  # fmt: skip


def perturbation(world, **changes):
    given = SimpleNamespace(**{**vars(world), **changes})
    place = (given.folder, given.weights, given.permuted, given.members, given.pairs, given.baselines)
    return sanity.perturbation_test(*place, given.table, SIZE, 8)


def curves(world, rows=slice(None), seed=8):
    maps, part = {name: values[rows] for name, values in world.maps.items()}, world.table.iloc[rows]
    return deletion.all_curves(world.folder, world.weights, world.members, part, world.background, maps, AXIS, seed)


@pytest.fixture(scope="module")
def runs(world):
    """Both tests in parts of four samples at most, by one worker, here, and by two processes."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attributions, "BATCH", 4)
        patch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
        for count in ("1", "2"):
            patch.setenv("STUDY_WORKERS", count)
            found[count] = {"perturbation": perturbation(world), "deletion": curves(world)}
    return found


@pytest.fixture
def in_this_process(monkeypatch):
    """One worker, so that things can be exchanged."""
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    monkeypatch.setenv("STUDY_WORKERS", "1")


@pytest.mark.parametrize("name", ["perturbation", "deletion"])
def test_one_worker_or_two_give_the_same(runs, name):
    """To the bit."""
    pd.testing.assert_frame_equal(runs["1"][name], runs["2"][name], check_exact=True)


def test_perturbation_is_what_it_says(world, runs):
    """Of the four samples of fold 1, anew, on maps of 2 × 2 cells: the network 1-2 against itself without its first
    three layers and, second draw, without all, against the one trained on permuted labels, and against 0-1, which is
    the only other member; the ensemble against itself with noise."""
    part = world.table[world.table["fold"] == 1]
    triptychs = training.slices(world.powers, part, SIZE)

    def maps(folder, names, change=lambda network: network, given=triptychs):
        one = change(network.load_ensemble(folder, names))
        predicted, baseline = part["decided"].to_numpy(), world.baselines[1][0]
        found = attributions.predicted_relevance(one, given, predicted, baseline, sanity.STEPS, sanity.SIGNED)
        found = {name: values.sum(axis=2) if values.ndim == 5 else values for name, values in found.items()}
        return {name: values.reshape(4, 3, 4, 2, 4, 2).mean(axis=(3, 5)) for name, values in found.items()}

    def lose(depth, draw):
        return lambda network: sanity.randomise_weights(network, depth, 8 + 100 * depth + draw)

    single, trained = maps(world.weights, ["1-2"]), maps(world.weights, ["0-1", "1-2"])
    noisy = sanity.add_noise(triptychs, sanity.NOISE_DB, 8)
    found = runs["1"]["perturbation"].pivot(index="sample", columns=["test", "draw", "method"], values="value")
    found = found.loc[part["sample"]]
    for test, draw, before, after in (
        ("weights:embed", "0", single, maps(world.weights, ["1-2"], lose(3, 0))),
        ("weights:mix", "1", single, maps(world.weights, ["1-2"], lose(6, 1))),
        ("labels", "0", single, maps(world.permuted, ["1-2"])),
        ("retrained", "0", single, maps(world.weights, ["0-1"])),
        ("members", "0", maps(world.weights, ["0-1"]), single),
        ("noise", "0", trained, maps(world.weights, ["0-1", "1-2"], given=noisy)),
    ):
        for method in TESTED:
            expected = sanity.rank_correlation(before[method], after[method])
            assert found[test, draw, method].to_numpy() == pytest.approx(expected, abs=1e-2, nan_ok=True)
        expected = sanity.rank_correlation(abs(before["ig"]), abs(after["ig"]))
        assert found[f"magnitude:{test}", draw, "ig"].to_numpy() == pytest.approx(expected, abs=1e-2)
    draws = runs["1"]["perturbation"].groupby("test")["draw"].nunique()
    assert draws["weights:mix"] == draws["complexity"] == 10 and draws["weights:score"] == 1


def test_deletion_is_what_it_says(world, runs):
    """Each sample anew, against the other fold's EEG, in the order of its own map over cells; for the class decided. A
    flat map has the order of the cells themselves."""
    found = runs["1"]["deletion"].set_index(["kind", "map", "sample"])["score"]
    for position, row in enumerate(world.table.itertuples()):
        other = torch.full((deletion.OTHERS, 3, 3, 4, SIZE // 2), (-5.0, 5.0)[row.fold])
        pooled = network.pool_steps(training.slices(world.powers, world.table.iloc[[position]], SIZE))[0]
        # 24 cells of 2 bins and 4 columns
        means = world.maps["noise"][position].reshape(3, 4, 2, 2, 4).mean(axis=(2, 4)).ravel()
        ensemble, sign = network.load_ensemble(world.weights, world.members[row.fold]), 2 * row.decided - 1
        for name, order in (("noise", np.argsort(-means)), ("flat", np.arange(24))):
            expected = deletion.curves(ensemble, pooled, other, order, 2, sign)
            for kind, curve in zip(("deletion", "insertion"), expected, strict=True):
                assert found[kind, name, row.sample].to_numpy() == pytest.approx(curve, abs=1e-3)


def rank(world, table):
    place = (world.folder, world.weights, world.members, world.baselines, table, world.background)
    return sanity.maps_to_rank(*place, AXIS, 4, 8)


def test_maps_without_a_network_by_hand(world, in_this_process):
    """The sample's power; less the mean of its fold's networks' training means; how steep it is; EEG of the other fold:
    −5 dB for fold 0 and 5 dB for fold 1. And each method's map has its sign and its shape."""
    found = rank(world, world.table)
    methods = {*attributions.METHODS, *attributions.BESIDE}
    assert set(found) == methods | set(sanity.BASELINES) - {"chance"}
    np.testing.assert_array_equal(found["power"], training.slices(world.powers, world.table, SIZE).numpy())
    steepness = np.gradient(found["power"], axis=4) ** 2 + np.gradient(found["power"], axis=3) ** 2
    np.testing.assert_allclose(found["edges"], steepness**0.5, rtol=1e-5)
    for position, row in enumerate(world.table.itertuples()):
        members = [network.load(world.weights / f"{name}.safetensors") for name in world.members[row.fold]]
        mean = np.mean([member.mean.numpy() for member in members], axis=0)
        difference = found["power"][position] - found["above_mean"][position]
        np.testing.assert_allclose(difference, np.broadcast_to(mean, difference.shape), atol=1e-4)
        assert (found["other_eeg"][position] == (-5.0, 5.0)[row.fold]).all()
        ensemble, sign = network.load_ensemble(world.weights, world.members[row.fold]), 2 * row.decided - 1
        own, others = torch.from_numpy(found["power"][[position]]), torch.from_numpy(found["other_eeg"][[position]])
        fall = attributions.occlude(ensemble, own, others, AXIS["frequencies_hz"]).numpy()
        np.testing.assert_allclose(found["occlusion"][[position]], sign * fall, atol=1e-5)


@pytest.mark.parametrize("right", [True, False])
def test_from_networks_to_a_summary(world, runs, in_this_process, tmp_path, right):
    """What the tests return is what the summary takes, as JSON. A detector that is always wrong has no sample to test
    on: empty tables, and a summary without a verdict of theirs."""
    tests = dict(runs["1"])
    if not right:
        none = sanity.samples_to_test(world.table.assign(decided=1 - world.table["label"]), 5)
        place = (world.folder, world.weights, world.members, none, world.background)
        assert rank(world, none) == {}
        tests = {"perturbation": perturbation(world, table=none), "deletion": deletion.all_curves(*place, {}, AXIS, 8)}
    table = world.table.assign(cluster=world.table["recording"])
    found = sanity.summary(table, tests, np.full(10, 0.01), np.ones(10))
    files.write_json(tmp_path / "sanity.json", found)
    assert files.read_json(tmp_path / "sanity.json")["verdicts"] == found["verdicts"]
    assert all(list(verdicts) == RULES for verdicts in found["verdicts"].values())
    assert found["verdicts"]["ig"]["completeness"] is True
    seizures = int(world.table["label"].sum())
    assert found["tested"] == ({"seizure": seizures, "other": 10 - seizures} if right else {"seizure": 0, "other": 0})
    if right:
        assert set(found["gain"]["deletion"]) == set(world.maps)
    else:
        assert found["disturbed"] == found["gain"] == {}
        assert all(set(verdicts.values()) <= {None, True} for verdicts in found["verdicts"].values())


@pytest.fixture(scope="module")
def said():
    """What the notebook's cells of the rules and of the words define, executed here."""
    cells = {
        cell.id: cell.source for cell in nbformat.read(ROOT / "notebooks" / "05_explain.ipynb", as_version=4).cells
    }
    names = {"sanity": sanity, "markdown": markdown, "display": lambda _: None}
    exec(cells["rules"] + "\n" + cells["words"], names)
    return names


def test_the_notebook_states_each_rule(said):
    assert list(said["rules"]) == RULES


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "finds the planted frequency, time and channel; {}: yes; {}: yes; {}: yes"),
        (
            {PLANTED[2]: False, "members": False},
            "finds the planted frequency and time, does not find the channel; {}: yes; {}: yes; {}: no",
        ),
        (
            dict.fromkeys(PLANTED, False),
            "does not find the planted frequency, time or channel; {}: yes; {}: yes; {}: yes",
        ),
        (dict.fromkeys(RULES[:7]) | {"insertion": False}, "{1}: no; {2}: yes"),  # measured EEG
        (dict.fromkeys(RULES), ""),
    ],
)
def test_words_say_what_was_found_and_what_can_be_trusted(said, changes, expected):
    """What was not tested is not spoken of; one rule of two that fails is a no."""
    claims = ("depends on what was learnt", "ranks what the decision rests on", "repeatable")
    assert said["in_words"](dict.fromkeys(RULES, True) | changes) == expected.format(*claims)
