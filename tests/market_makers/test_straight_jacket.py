"""Straight-jacket prices against closed forms, balance and sampling."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.market_makers.closed_forms import uniform_menu, uniform_profit
from econlib.market_makers.measures import finite_elements, upper_measure
from econlib.market_makers.model import profit
from econlib.market_makers.primal import solve_primal
from econlib.market_makers.straight_jacket import (
    corner_menu,
    corner_profit,
    straight_jacket_prices,
)
from econlib.valuations import make


def test_three_goods_have_the_known_seller_prices():
    p = straight_jacket_prices(3)
    assert p[:2] == pytest.approx([3 / 4, (6 - np.sqrt(2)) / 4], abs=1e-9)
    assert p[2] == pytest.approx(1.22571, abs=1e-5)


@pytest.mark.parametrize("lam", [0.0, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("n_items", [1, 2])
def test_prices_and_profit_agree_with_the_closed_form_at_a_corner(n_items, lam):
    menu = uniform_menu(0.0, lam, n_items)
    buys = (menu.allocations >= 0).all(axis=1)
    sizes = menu.allocations[buys].sum(axis=1).astype(int)
    p = straight_jacket_prices(n_items, lam)
    assert menu.payments[buys] == pytest.approx(p[sizes - 1], abs=1e-9)
    assert corner_profit(n_items, lam) == pytest.approx(
        uniform_profit(0.0, lam, n_items), abs=1e-9
    )


@pytest.mark.parametrize("lam", [0.0, 0.5])
def test_profit_of_three_goods_agrees_with_sampling(lam):
    x = np.random.default_rng(0).random((400_000, 3))
    gains = profit(corner_menu(3, lam), x, np.zeros(3), lam)
    error = gains.std() / np.sqrt(len(x))
    assert abs(gains.mean() - corner_profit(3, lam)) < 4 * error  # 4 standard errors


def test_three_goods_lie_between_the_programs():
    law = make("uniform", 3)
    lower = solve_primal(finite_elements(law, 0.0, 0.0, 6), 0.0)
    upper = solve_primal(upper_measure(law, 0.0, 0.0, 6), 0.0)
    assert lower.value < corner_profit(3) < upper.bound


@pytest.mark.parametrize("n_items", [0, 4, True])
def test_number_of_goods_out_of_range_is_named(n_items):
    with pytest.raises(ValueError, match=r"n_items = .*1 to 3"):
        straight_jacket_prices(n_items)
