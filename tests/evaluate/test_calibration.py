"""Calibration: scores by hand, simulations whose calibration is known, and a temperature that is found again."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.metrics import brier_score_loss

from helpers.evaluate import calibration, ranking
from helpers.study.errors import RecordingError


def inner(n, scale=1.0, prior=0.5, seed=0):
    """Log-odds of a network trained on halves, `scale` times too sure, and labels at the share `prior`.

    Two normal distributions of unit variance, 2 apart, have log-odds 2·x at equal shares, x measured from their middle.
    """
    generator = np.random.default_rng(seed)
    label = (generator.random(n) < prior).astype(int)
    x = generator.normal(2 * label - 1, 1)
    return scale * 2 * x, label


def table(p, label, recordings=10):
    """A predictions table of equal recordings."""
    names = np.repeat([f"r{number}" for number in range(recordings)], len(p) // recordings)
    return pd.DataFrame({"recording": names, "label": label, "p_seizure": p})


def test_by_hand():
    """0.1, 0.3 | 0.7, 0.9 with labels 0, 1 | 1, 1: Brier (0.01 + 0.49 + 0.09 + 0.01)/4 = 0.15; two bins with means 0.2
    and 0.8 and shares 0.5 and 1: ECE (2·0.3 + 2·0.2)/4 = 0.25."""
    p, label = np.array([0.1, 0.3, 0.7, 0.9]), np.array([0, 1, 1, 1])
    found = calibration.rates(**calibration.sums(table(p, label, 2), bins=2).sum())
    assert found == pytest.approx({"brier": 0.15, "ece": 0.25})
    rows = calibration.reliability(label, p, bins=2)
    assert rows["p_mean"].tolist() == pytest.approx([0.2, 0.8])
    assert rows["seizure_share"].tolist() == [0.5, 1] and rows["count"].tolist() == [2, 2]


def test_equal_probabilities_stay_together():
    """All at 0.5: one bin, whatever the order of the labels, and so no gap where half are seizure."""
    for label in ([0, 0, 1, 1], [1, 0, 1, 0]):
        rows = calibration.reliability(label, [0.5] * 4)
        assert rows["count"].tolist() == [4] and rows["seizure_share"].tolist() == [0.5]
        assert calibration.rates(**calibration.sums(table([0.5] * 4, label, 2)).sum())["ece"] == 0
    assert calibration.reliability([], []).empty
    with pytest.raises(RecordingError, match="no sample"):
        calibration.sums(table([], [], 1))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), min_size=4, max_size=60), st.integers(1, 15))
def test_sums_agree_with_the_reliability_table(rows, bins):
    """Both are the same bins; the Brier score is scikit-learn's; the ECE is at least the gap of the means."""
    label, p = map(np.array, zip(*rows, strict=True))
    found = calibration.rates(**calibration.sums(table(p, label, 1), bins).sum()) if len(p) else None
    shown = calibration.reliability(label, p, bins)
    expected = (shown["count"] * (shown["p_mean"] - shown["seizure_share"]).abs()).sum() / len(p)
    assert found["ece"] == pytest.approx(expected) and shown["count"].sum() == len(p) and len(shown) <= bins
    assert found["brier"] == pytest.approx(brier_score_loss(label, p))
    assert found["ece"] >= abs(np.mean(p) - np.mean(label)) - 1e-9


def test_calibrated_probabilities_have_no_error():
    """20,000 labels drawn by their own p: ECE within noise, below 0.02; p pushed to the ends: far above, and the
    intervals do not meet."""
    p = np.random.default_rng(0).random(20000)
    label = (np.random.default_rng(1).random(20000) < p).astype(int)
    good = calibration.over_recordings(table(p, label), draws=200)["ece"]
    bad = calibration.over_recordings(table(expit(3 * logit(p)), label), draws=200)["ece"]
    assert good["value"] < 0.02 < 0.1 < bad["value"] and good["high"] < bad["low"]


@pytest.mark.parametrize("scale", [0.5, 1.5, 3.0])
def test_temperature_finds_a_known_scaling(scale):
    """A network `scale` times too sure needs T = scale, within 5 % on 20,000 samples."""
    z, label = inner(20000, scale)
    assert calibration.temperature(z, label) == pytest.approx(scale, rel=0.05)
    assert calibration.fit(z, label)["temperature"] == pytest.approx(scale, rel=0.05)


def test_temperature_and_prior_calibrate_other_recordings():
    """Twice too sure, trained on halves, 10 % seizure: T near 2; elsewhere the ECE falls from above 0.1 to near 0. The
    inner recording's own 30 % of seizure does not mislead it."""
    z, label = inner(20000, 2.0, prior=0.3, seed=1)
    fitted = calibration.fit(z, label, prior=0.1)
    assert fitted["temperature"] == pytest.approx(2, rel=0.1) and fitted["reason"] is None
    z, label = inner(20000, 2.0, prior=0.1, seed=2)
    before = calibration.rates(**calibration.sums(table(expit(z), label)).sum())
    after = calibration.rates(**calibration.sums(table(calibration.apply(z, fitted), label)).sum())
    assert before["ece"] > 0.1 and after["ece"] < 0.02 and after["brier"] < before["brier"]


def test_blocks_are_stretches_of_time_with_both_classes():
    """0 0 1 1 1 0 0 in two blocks: the seizure's first two and the others' first two, then the rest. Neighbours stay
    together, so that a block left out has few twins in the fit."""
    assert calibration._blocks(np.array([0, 0, 1, 1, 1, 0, 0]), 2).tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_off_where_it_does_not_help():
    """Log-odds already right: T stays 1 exactly in most of 20 small recordings, and with the reason."""
    fitted = [calibration.fit(*inner(300, 1.0, 0.2, seed)) for seed in range(20)]
    off = [settings for settings in fitted if settings["reason"]]
    assert len(off) >= 16 and all(settings["temperature"] == 1 for settings in off)
    assert all(abs(np.log(settings["temperature"])) < 1 for settings in fitted)


@pytest.mark.parametrize(
    ("z", "label", "reason"),
    [
        ([1.0, 2.0, 3.0], [0, 0, 0], "0 seizure and 3 other"),
        ([1.0, 2.0, 3.0], [0, 0, 1], "each class needs two"),
        ([-3.0, -2.0, 2.0, 3.0], [0, 0, 1, 1], "bound"),  # apart: ever colder would be ever likelier
        ([3.0, 2.0, -2.0, -3.0], [0, 0, 1, 1], "bound"),  # the wrong way round: ever hotter
    ],
)
def test_off_where_the_recording_does_not_tell(z, label, reason):
    """One class, hardly a sample of one, or nothing to weigh: T = 1, the reason beside it."""
    fitted = calibration.fit(z, label)
    assert fitted["temperature"] == 1 and reason in fitted["reason"]
    assert calibration.apply(np.array(z), fitted) == pytest.approx(expit(z))


@pytest.mark.parametrize("prior", [None, 0.05])
def test_order_and_decisions_stay(prior):
    """Calibration is monotone: the same ranking, and the carried-over threshold decides as before."""
    z, label = inner(2000, 3.0, 0.2)
    fitted = calibration.fit(z, label, prior)
    p, calibrated = expit(z), calibration.apply(calibration.log_odds(expit(z)), fitted)
    assert fitted["temperature"] != 1 and ranking.auroc(label, p) == ranking.auroc(label, calibrated)
    assert ranking.auprc(label, p) == ranking.auprc(label, calibrated)
    threshold = calibration.apply(calibration.log_odds(0.62), fitted)
    assert ((p >= 0.62) == (calibrated >= threshold)).all()


def test_prior_shift_by_hand():
    """Even odds after training on halves are the base rate itself; T does not touch it."""
    fitted = {"temperature": 4.0, "prior": 0.02}
    assert calibration.apply(0.0, fitted) == pytest.approx(0.02)
    assert calibration.apply(np.log(49) * 4, fitted) == pytest.approx(0.5)


def test_without_takes_the_temperature_away_and_nothing_else():
    """Log-odds ln 9 at T = 2 and share 0.5 were 0.75; without the temperature 0.9. Fold 1 has T = 1 and a share of 0.1,
    which stays: odds 9 · 1/9, so 0.5. Rows keep their order, whatever the folds'."""
    table = pd.DataFrame({"fold": [1, 0, 1], "log_odds": np.log([9.0, 9.0, 1.0]), "p_seizure": [0.5, 0.75, 0.1]})
    choices = [
        {"fold": fold, "calibration": {"temperature": temperature, "prior": prior, "reason": None}}
        for fold, temperature, prior in ((0, 2.0, 0.5), (1, 1.0, 0.1))
    ]
    table.index = [7, 3, 5]
    found = calibration.without(table, choices)
    assert found["p_seizure"].tolist() == pytest.approx([0.5, 0.9, 0.1]) and found.index.tolist() == [7, 3, 5]
    pd.testing.assert_frame_equal(found.drop(columns="p_seizure"), table.drop(columns="p_seizure"))


def test_several_recordings_are_fitted_together():
    """Two inner recordings, one after the other, the second without a seizure: T is that of both, near the true 2, and
    each of five blocks left out holds both classes."""
    z, label = inner(4000, 2.0, 0.3, seed=4)
    quiet, none = inner(4000, 2.0, 0.0, seed=5)
    both, labels = np.concatenate([z, quiet]), np.concatenate([label, none])
    blocks = calibration._blocks(labels, 5)
    assert all(set(labels[blocks == number]) == {0, 1} for number in range(5))
    fitted = calibration.fit(both, labels, float(labels.mean()))
    assert fitted["temperature"] == pytest.approx(2, rel=0.1) and fitted["loss_after"] < fitted["loss_before"]


def test_certainty_has_finite_log_odds():
    """p of exactly 0 or 1, as rounding makes them, is very sure and no more."""
    assert np.isfinite(calibration.log_odds([0.0, 0.5, 1.0])).all()
    assert calibration.log_odds(0.5) == 0


@pytest.mark.parametrize(
    ("z", "label", "prior"), [([1.0], [0, 1], None), ([np.nan, 1.0], [0, 1], None), ([1.0, 2.0], [0, 1], 1.0)]
)
def test_bad_input_is_refused(z, label, prior):
    """Unequal lengths, NaN, or a prior without non-seizure."""
    with pytest.raises(RecordingError):
        calibration.fit(z, label, prior)


def test_two_recordings_of_three_do_not_prove_a_temperature():
    """Two are three times too sure, the third by half. The gain lies two standard errors above 0, which of three
    recordings is less than Student's 4.3: off. Were all three too sure alike, it would be on."""
    block = np.repeat(["a", "b", "c"], 400)
    for scales, on in (((3.0, 3.0, 1.5), False), ((3.0, 3.0, 3.0), True)):
        parts = [inner(400, scale, seed=seed) for seed, scale in enumerate(scales)]
        z, label = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
        losses = calibration._left_out(z, label, float(logit(label.mean())), np.repeat([0, 1, 2], 400))
        gain = losses[:, 0] - losses[:, 1]
        assert gain.mean() > gain.std(ddof=1) / 3**0.5
        assert (calibration.fit(z, label, 0.5, block)["temperature"] != 1) == on


def test_blocks_are_what_is_left_out():
    """Three recordings: in two the log-odds are three times too sure, in the third not sure enough. Left out
    in turn the gain is not surely above 0, so T is off; over stretches of time, all alike, it is on."""
    parts = [inner(400, scale, seed=seed) for seed, scale in enumerate((3.0, 3.0, 0.5))]
    z, label = (np.stack([part[k] for part in parts], axis=1).ravel() for k in (0, 1))
    block = np.tile(["a", "b", "c"], 400)
    by_recording, by_time = calibration.fit(z, label, 0.5, block), calibration.fit(z, label, 0.5)
    assert by_recording["temperature"] == 1 and "not surely" in by_recording["reason"]
    assert by_time["temperature"] > 1.1 and by_time["reason"] is None
    two = block != "c"
    assert calibration.fit(z[two], label[two], 0.5, block[two]) == calibration.fit(z[two], label[two], 0.5)
