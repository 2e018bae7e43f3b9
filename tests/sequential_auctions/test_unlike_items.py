"""Two unlike items: areas, known prices, like items, simulation."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.sequential_auctions.two_items import area_dp, choice_areas
from econlib.sequential_auctions.unlike_items import choice_shares, unlike_items_dp


def test_areas_are_those_of_a_sample():
    rng = np.random.default_rng(0)
    draws = rng.random((200_000, 2))
    holds = np.array([[0, 0], [1, 0], [0, 1], [1, 1.0]])
    for _ in range(8):
        tops = rng.uniform(0.5, 2, 2)
        p = rng.uniform(0, 1, 3) * [*tops, tops.sum()]
        utility = (draws * tops) @ holds.T - np.append(0, p)
        shares = np.bincount(utility.argmax(axis=1), minlength=4) / len(draws)
        found = choice_shares(p, tuple(tops))
        assert np.abs(found - shares).max() < 0.005
        assert found.sum() == pytest.approx(1)


def test_like_items_are_the_formulas():
    for p1, p2 in ((0.6, 0.9), (0.5, 1.3), (0.7, 0.7)):
        shares = choice_shares(np.array([p1, p1, p2]), (1, 1))
        none, one, both = choice_areas(p1, p2)
        assert shares.tolist() == pytest.approx([none, one / 2, one / 2, both])
    like = unlike_items_dp(3, (1, 1))
    assert like.values[:, 3].tolist() == pytest.approx(area_dp(3).values[:, 2])


def test_values_and_prices_of_setting_b():
    found = unlike_items_dp(2)
    assert found.values[1, 3] == pytest.approx(0.40741, abs=1e-5)
    assert found.values[2, 3] == pytest.approx(0.61195, abs=2e-5)
    assert found.prices[1, [0, 2]].tolist() == pytest.approx([0.3333, 0.6667], abs=2e-3)
    assert choice_shares(found.prices[1], (0.5, 1))[2] == pytest.approx(0, abs=1e-9)
    assert found.values[:, 1] == pytest.approx(np.array([0, 1, 1.5625]) / 8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: choice_shares(np.array([-0.1, 1, 1]), (1, 1)),
            "expected numbers of 0",
        ),
        (lambda: choice_shares(np.ones(3), (1, 0)), "tops"),
        (lambda: unlike_items_dp(0), "n_buyers = 0"),
        (lambda: unlike_items_dp(1, (0, 1)), "tops"),
    ],
)
def test_bad_arguments_of_unlike_items(call, message):
    with pytest.raises(ValueError, match=message):
        call()
