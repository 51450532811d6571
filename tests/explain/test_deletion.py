"""Deletion and insertion: curves of networks whose score is a known sum of cells, worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from helpers.explain import deletion

SHARES = np.linspace(0, 1, 6)


def summing(weights, bias=0.0):
    """A network whose score is the weighted sum of all pooled cells, with `weights` [3, C, row, column] or fewer."""
    weights = torch.as_tensor(weights, dtype=torch.float32)
    return SimpleNamespace(encode=lambda pooled: pooled, decide=lambda maps: (maps * weights).sum((1, 2, 3, 4)) + bias)


@pytest.fixture
def half():
    """30 cells of two channels, 1 against other EEG of 0.5 and −0.5, whose mean is 0. A random half of them counts.

    Returns
    -------
    network, pooled, others, and the order of cells by what they count
    """
    counts = np.random.default_rng(0).permutation(np.repeat([1.0, 0.0], 15))
    weights = counts.reshape(3, 1, 2, 5) * np.array([0.3, 0.7])[:, None, None]
    others = torch.tensor([0.5, -0.5])[:, None, None, None, None].expand(2, 3, 2, 2, 5)
    return summing(weights, bias=4.0), torch.ones(3, 2, 2, 5), others, np.argsort(-counts, kind="stable")


@pytest.mark.parametrize(
    ("window_s", "hop_s", "frame_columns", "expected"),
    [
        (1.0, 0.125, 32, 2),  # a pooled column is half a second
        (0.5, 0.5, 8, 1),  # a pooled column is longer than the window
        (4.0, 0.125, 12, 6),  # a frame is shorter
    ],
)
def test_a_cell_lasts_as_long_as_the_window(window_s, hop_s, frame_columns, expected):
    """As many pooled columns as tell moments apart, one at least and a frame at most."""
    axis = {"window_s": window_s, "hop_s": hop_s, "frame_columns": frame_columns}
    assert deletion.cell_columns(axis) == expected


def test_cells_by_hand():
    """2 × 10 cells, one pooled bin of 5 columns: the means of 2 × 2 are 1 3 4 5 9. In cells of two columns: 2, 4.5, and
    9 alone; in cells of three 8/3 and 7; longer than the frame, the mean of all. A frame's cells follow each other."""
    frame = np.repeat([[1.0, 3, 4, 5, 9]], 2, axis=1) + np.array([[0.5], [-0.5]])
    maps = np.array([[frame, -frame, 2 * frame]])
    for columns, expected in ((1, [1, 3, 4, 5, 9]), (2, [2, 4.5, 9]), (3, [8 / 3, 7]), (7, [4.4])):
        wanted = np.concatenate([np.multiply(expected, factor) for factor in (1, -1, 2)])
        assert deletion.cell_means(maps, columns)[0] == pytest.approx(wanted)


def test_curves_by_hand(half):
    """The half that counts first: each tenth of the cells takes a fifth of the score, and the rest nothing."""
    network, pooled, others, best = half
    falling, rising = deletion.curves(network, pooled, others, best, 1, 1.0)
    assert falling == pytest.approx(np.clip(1 - 2 * SHARES, 0, 1), abs=1e-6)
    assert rising == pytest.approx(np.clip(2 * SHARES, 0, 1), abs=1e-6)
    assert falling.dtype == rising.dtype == np.float64
    falling, rising = deletion.curves(network, pooled, others, best[::-1], 1, 1.0)
    assert falling == pytest.approx(np.clip(2 - 2 * SHARES, 0, 1), abs=1e-6)
    assert rising == pytest.approx(np.clip(2 * SHARES - 1, 0, 1), abs=1e-6)


def test_deletion_and_insertion_are_not_one_another():
    """A score that is the product of two cells: one of them gone takes it all, one of them alone brings nothing."""

    def decide(maps):
        return maps[:, 0, 0, 0, 0] * maps[:, 0, 0, 0, 1]

    network = SimpleNamespace(encode=lambda pooled: pooled, decide=decide)
    order = np.r_[0, 2:30, 1]  # one first, the other last
    found = deletion.curves(network, torch.ones(3, 1, 1, 10), torch.zeros(1, 3, 1, 1, 10), order, 1, 1.0)
    assert found[0].tolist() == [1] + [0] * 5 and found[1].tolist() == [0] * 5 + [1]


@pytest.mark.parametrize("columns", [1, 2, 3, 7, 9])
def test_what_is_replaced_are_whole_cells_in_order(columns):
    """What the network is shown, in cells as `cell_means` makes them: other EEG in the first cells of the order, the
    sample in all others; and the reverse. All channels of a cell go together."""
    shown = []

    def encode(pooled):
        shown.append(pooled)
        return pooled

    network = SimpleNamespace(encode=encode, decide=summing(1.0).decide)
    pooled, others = torch.ones(3, 2, 5, 7), torch.zeros(2, 3, 2, 5, 7)
    number = 3 * 5 * -(-7 // columns)
    order = np.random.default_rng(2).permutation(number)
    deletion.curves(network, pooled, others, order, columns, 1.0)
    mixed = shown[0].reshape(2, 10, 3, 2, 5, 7).numpy()  # six of deletion, four between the ends of insertion
    assert (mixed == mixed[:1, :, :, :1]).all()
    full = mixed[0, :, :, 0].repeat(2, axis=2).repeat(2, axis=3)
    for kept, shares, found in ((False, SHARES, full[:6]), (True, SHARES[1:-1], full[6:])):
        for share, cells in zip(shares, deletion.cell_means(found, columns), strict=True):
            expected = np.full(number, not kept)
            expected[order[: round(share * number)]] = kept
            assert cells.tolist() == expected.tolist()


def test_the_sign_says_which_class_is_followed(half):
    """What speaks against seizure as much as the sample spoke for it has the same curves with sign −1. Where the sample
    scores no higher than the other EEG, there is nothing to fall from."""
    network, pooled, others, best = half
    expected = deletion.curves(network, pooled, others, best, 1, 1.0)
    found = deletion.curves(network, -pooled, others, best, 1, -1.0)
    assert np.array(found) == pytest.approx(np.array(expected), abs=1e-6)
    for sample, sign in ((pooled, -1.0), (-pooled, 1.0), (0 * pooled, 1.0)):
        assert np.isnan(deletion.curves(network, sample, others, best, 1, sign)).all()
