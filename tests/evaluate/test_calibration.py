"""Calibration: scores by hand, simulations whose calibration is known, and a temperature that is found again."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.metrics import brier_score_loss

from helpers.evaluate import calibration


def inner(n, scale=1.0, prior=0.5, seed=0):
    """Log-odds of a network trained on halves, `scale` times too sure, and labels at the share `prior`.

    Two normal distributions of unit variance, 2 apart, have log-odds 2·x at equal shares, x measured from their middle.
    """
    generator = np.random.default_rng(seed)
    label = (generator.random(n) < prior).astype(int)
    return scale * 2 * generator.normal(2 * label - 1, 1), label


def inner_of(scales, n=400):
    """Log-odds and labels of several recordings, one after the other, each `scale` times too sure; and whose."""
    parts = [inner(n, scale, seed=seed) for seed, scale in enumerate(scales)]
    return *map(np.concatenate, zip(*parts, strict=True)), np.repeat(np.arange(len(scales)), n)


def table(p, label, recordings=10):
    """A predictions table of equal recordings."""
    names = np.repeat([f"r{number}" for number in range(recordings)], len(p) // recordings)
    return pd.DataFrame({"recording": names, "label": label, "p_seizure": p})


def errors_of(p, label, recordings=1):
    return calibration.error_rates(**calibration.error_sums(table(p, label, recordings)).sum())


def test_by_hand(monkeypatch):
    """0.1, 0.3 | 0.7, 0.9 with labels 0, 1 | 1, 1: Brier (0.01 + 0.49 + 0.09 + 0.01)/4 = 0.15; two bins with means 0.2
    and 0.8 and shares 0.5 and 1: ECE (2·0.3 + 2·0.2)/4 = 0.25."""
    monkeypatch.setattr(calibration, "BINS", 2)
    p, label = np.array([0.1, 0.3, 0.7, 0.9]), np.array([0, 1, 1, 1])
    assert errors_of(p, label, 2) == pytest.approx({"brier": 0.15, "ece": 0.25})
    rows = calibration.reliability(label, p)
    assert rows["p_mean"].tolist() == pytest.approx([0.2, 0.8])
    assert rows["seizure_share"].tolist() == [0.5, 1] and rows["count"].tolist() == [2, 2]


@pytest.mark.parametrize("label", [[0, 0, 1, 1], [1, 0, 1, 0]])
def test_equal_probabilities_stay_together(label):
    """All at 0.5: one bin, whatever the order of the labels, and so no gap where half are seizure."""
    rows = calibration.reliability(label, [0.5] * 4)
    assert rows["count"].tolist() == [4] and rows["seizure_share"].tolist() == [0.5]
    assert errors_of([0.5] * 4, label, 2)["ece"] == 0


@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), min_size=4, max_size=60))
def test_errors_agree_with_the_reliability_table_and_scikit_learn(rows):
    """The bins are the table's; the Brier score is scikit-learn's; the ECE is at least the gap of the means."""
    label, p = map(np.array, zip(*rows, strict=True))
    found, bins = errors_of(p, label), calibration.reliability(label, p)
    expected = (bins["count"] * (bins["p_mean"] - bins["seizure_share"]).abs()).sum() / len(p)
    assert found["ece"] == pytest.approx(expected) and bins["count"].sum() == len(p) and len(bins) <= 10
    assert found["brier"] == pytest.approx(brier_score_loss(label, p))
    assert found["ece"] >= abs(np.mean(p) - np.mean(label)) - 1e-9


def test_calibrated_probabilities_have_no_error():
    """20,000 labels drawn by their own p: ECE within noise, below 0.02; p pushed to the ends: far above, and the
    intervals do not meet."""
    p = np.random.default_rng(0).random(20000)
    label = (np.random.default_rng(1).random(20000) < p).astype(int)
    good = calibration.error_intervals(table(p, label), draws=200)["ece"]
    bad = calibration.error_intervals(table(expit(3 * logit(p)), label), draws=200)["ece"]
    assert good["value"] < 0.02 < 0.1 < bad["value"] and good["high"] < bad["low"]


@pytest.mark.parametrize("scale", [0.5, 1.5, 3.0])
def test_a_known_temperature_is_found(scale):
    """Networks `scale` times too sure need T = scale, within 5 % on 20,000 samples."""
    fitted = calibration.fit(*inner_of([scale] * 5, 4000))
    assert fitted["temperature"] == pytest.approx(scale, rel=0.05) and fitted["reason"] is None
    assert fitted["loss_after"] < fitted["loss_before"]


def test_temperature_and_share_calibrate_other_recordings():
    """Twice too sure, trained on halves, 10 % seizure: T near 2; elsewhere the ECE falls from above 0.1 to near 0."""
    z, label = inner(20000, 2.0, prior=0.1, seed=1)
    fitted = calibration.fit(z, label, np.arange(20000) // 4000)
    assert fitted["temperature"] == pytest.approx(2, rel=0.1) and fitted["prior"] == label.mean()
    z, label = inner(20000, 2.0, prior=0.1, seed=2)
    before, after = errors_of(expit(z), label), errors_of(calibration.calibrate(z, fitted), label)
    assert before["ece"] > 0.1 and after["ece"] < 0.02 and after["brier"] < before["brier"]


def test_off_where_it_does_not_help():
    """Log-odds already right: T stays 1 exactly in most of 20 small worlds, and with the reason."""
    fitted = [calibration.fit(*inner(300, 1.0, 0.2, seed), np.arange(300) // 60) for seed in range(20)]
    off = [settings for settings in fitted if settings["reason"]]
    assert len(off) >= 16 and all(settings["temperature"] == 1 for settings in off)
    assert all(abs(np.log(settings["temperature"])) < 1 for settings in fitted)


@pytest.mark.parametrize(
    ("scales", "on"), [((3.0, 3.0, 3.0), True), ((3.0, 3.0, 1.5), False), ((3.0, 3.0, 0.5), False)]
)
def test_three_recordings_must_agree(scales, on):
    """Three times too sure in two recordings and less in the third: the gain is not surely above 0 by Student's t."""
    fitted = calibration.fit(*inner_of(scales))
    assert (fitted["temperature"] != 1) == on and (on or "not surely" in fitted["reason"])


@pytest.mark.parametrize(
    ("z", "blocks", "reason"),
    [
        ([-3.0, -2.0, 2.0, 3.0] * 3, 3, "bound"),  # apart: ever colder would be ever likelier
        ([3.0, 2.0, -2.0, -3.0] * 3, 3, "bound"),  # the wrong way round: ever hotter
        ([-3.0, 2.0, -2.0, 3.0] * 3, 2, "there are 2 blocks"),
    ],
)
def test_off_where_the_recordings_do_not_tell(z, blocks, reason):
    """T = 1, and the reason beside it: p is then that of the log-odds and the share of seizure alone."""
    fitted = calibration.fit(z, [0, 0, 1, 1] * 3, np.arange(12) // 4 % blocks)
    assert fitted["temperature"] == 1 and reason in fitted["reason"]
    assert calibration.calibrate(np.array(z), fitted) == pytest.approx(expit(z))


def test_share_by_hand():
    """Even odds after training on halves are the base rate itself; T does not touch it."""
    fitted = {"temperature": 4.0, "prior": 0.02}
    assert calibration.calibrate(0.0, fitted) == pytest.approx(0.02)
    assert calibration.calibrate(np.log(49) * 4, fitted) == pytest.approx(0.5)


def test_without_temperature_keeps_all_else():
    """Log-odds ln 9 at T = 2 and share 0.5 were 0.75; without the temperature 0.9. Fold 1 has T = 1 and a share of 0.1,
    which stays: odds 9 · 1/9, so 0.5. Rows keep their order, whatever the folds'."""
    decided = pd.DataFrame({"fold": [1, 0, 1], "log_odds": np.log([9.0, 9.0, 1.0]), "p_seizure": [0.5, 0.75, 0.1]})
    choices = [
        {"fold": fold, "calibration": {"temperature": temperature, "prior": prior, "reason": None}}
        for fold, temperature, prior in ((0, 2.0, 0.5), (1, 1.0, 0.1))
    ]
    decided.index = [7, 3, 5]
    found = calibration.without_temperature(decided, choices)
    assert found["p_seizure"].tolist() == pytest.approx([0.5, 0.9, 0.1]) and found.index.tolist() == [7, 3, 5]
    pd.testing.assert_frame_equal(found.drop(columns="p_seizure"), decided.drop(columns="p_seizure"))
