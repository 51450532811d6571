"""Calibration: scores by hand, simulations whose calibration is known, and a curve that is found again."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.metrics import brier_score_loss

from helpers.evaluate import calibration, intervals


def inner(n, scale, prior, seed):
    """Log-odds of a network trained on halves, `scale` times too sure, and labels at the share `prior`.

    Two normal distributions of unit variance, 2 apart, have log-odds 2·x at equal shares, x measured from their middle.
    """
    generator = np.random.default_rng(seed)
    label = (generator.random(n) < prior).astype(int)
    return scale * 2 * generator.normal(2 * label - 1, 1), label


def table(p, label, recordings=10):
    """A predictions table of equal recordings."""
    names = np.repeat([f"r{number}" for number in range(recordings)], len(p) // recordings)
    return pd.DataFrame({"recording": names, "label": label, "p_seizure": p})


def errors_of(p, label, recordings=1):
    return calibration.error_rates(**calibration.error_sums(table(p, label, recordings)).sum())


def test_by_hand(monkeypatch):
    """0.1, 0.3 | 0.7, 0.9 with labels 0, 1 | 1, 1: Brier (0.01 + 0.49 + 0.09 + 0.01)/4 = 0.15; the share 3/4, always
    answered, has (3/16 · 4)/4 = 0.1875: skill 1 − 0.15/0.1875 = 0.2. Two bins with means 0.2 and 0.8 and shares 0.5 and
    1: ECE (2·0.3 + 2·0.2)/4 = 0.25."""
    monkeypatch.setattr(calibration, "BINS", 2)
    p, label = np.array([0.1, 0.3, 0.7, 0.9]), np.array([0, 1, 1, 1])
    assert errors_of(p, label, 2) == pytest.approx({"brier": 0.15, "brier_skill": 0.2, "ece": 0.25})
    rows = calibration.reliability(label, p)
    assert rows["p_mean"].tolist() == pytest.approx([0.2, 0.8])
    assert rows["seizure_share"].tolist() == [0.5, 1] and rows["count"].tolist() == [2, 2]


def test_skill_by_hand():
    """Always the share, here 1/4: 0. The truth itself: 1. Always a half: (1/4)/(3/16) = 4/3 of the share's error, −1/3.
    With one class the share makes no error, and there is no skill to have."""
    label = np.array([0, 0, 0, 1])
    for p, skill in ((np.full(4, 0.25), 0), (label, 1), (np.full(4, 0.5), -1 / 3)):
        assert errors_of(p, label)["brier_skill"] == pytest.approx(skill, abs=1e-12)
    assert errors_of(np.full(4, 0.25), label * 0)["brier_skill"] is None


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
    sums = [calibration.error_sums(table(one, label)) for one in (p, expit(3 * logit(p)))]
    good, bad = (intervals.score_intervals(calibration.error_rates, one, draws=200)["ece"] for one in sums)
    assert good["value"] < 0.02 < 0.1 < bad["value"] and good["high"] < bad["low"]


@pytest.mark.parametrize(("scale", "prior"), [(0.5, 0.5), (2.0, 0.1), (3.0, 0.02)])
def test_a_known_curve_is_found_and_calibrates_other_recordings(scale, prior):
    """Log-odds `scale` times too sure, of networks trained on halves, need the slope 1/scale and the intercept logit of
    the share; elsewhere the errors fall to what noise alone makes."""
    fitted = calibration.fit(*inner(20000, scale, prior, seed=1))
    assert fitted["slope"] == pytest.approx(1 / scale, rel=0.1)
    assert fitted["intercept"] == pytest.approx(logit(prior), abs=0.2)
    log_odds, label = inner(20000, scale, prior, seed=2)
    before, after = errors_of(expit(log_odds), label), errors_of(calibration.calibrate(log_odds, fitted), label)
    assert after["ece"] < 0.01 < before["ece"] and after["brier"] < before["brier"] and after["brier_skill"] > 0


def test_probabilities_never_fall_where_log_odds_rise():
    """Slope 2 and intercept −1: log-odds 0.5 are even odds. Seizure at 19 and others at 21, contrary to all training:
    the curve is as flat as it may be, and says at 20, in their middle, what share is seizure."""
    assert calibration.calibrate(0.5, {"slope": 2.0, "intercept": -1.0}) == 0.5
    contrary = calibration.fit([19.0, 21.0] * 50, [1, 0] * 50)
    assert contrary["slope"] == calibration.FLATTEST
    assert calibration.calibrate(20.0, contrary) == pytest.approx(0.5, abs=1e-4)
