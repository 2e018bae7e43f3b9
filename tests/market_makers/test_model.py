"""The model: choices, profit at the updated belief, incentives, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from econlib.market_makers.closed_forms import uniform_menu
from econlib.market_makers.model import (
    Menu,
    check_belief,
    check_weight,
    choose,
    profit,
    updated_belief,
)
from econlib.market_makers.polygons import profit_exact
from econlib.valuations import make

UNIFORM = make("uniform", 2)


def _random_menu(seed: int, c, n: int = 6) -> Menu:
    rng = np.random.default_rng(seed)
    a = rng.uniform(-1, 1, (n, 2))
    return Menu(a, a @ np.asarray(c) + rng.uniform(-0.2, 0.4, n))


def test_profit_by_hand():
    menu = Menu(np.array([[1.0, -1.0]]), np.array([0.1]))
    types = np.array([[0.9, 0.2], [0.3, 0.9]])
    assert choose(menu, types).tolist() == [1, 0]
    c, lam = np.array([0.5, 0.5]), 0.25
    # belief (0.6, 0.425): 0.1 - 0.6 + 0.425
    assert profit(menu, types, c, lam).tolist() == pytest.approx([-0.075, 0.0])
    assert updated_belief(types, c, lam)[0].tolist() == pytest.approx([0.6, 0.425])


def test_profit_counts_at_the_updated_belief_and_not_at_the_old_one():
    menu = uniform_menu(0.5, 0.5)
    types = np.random.default_rng(0).uniform(0, 1, (400_000, 2))
    new = profit(menu, types, np.full(2, 0.5), 0.5).mean()
    full, k = menu.with_no_trade(), choose(menu, types)
    old = (full.payments[k] - full.allocations[k] @ np.full(2, 0.5)).mean()
    assert new == pytest.approx(0.0928564, abs=1e-3)  # four standard errors
    assert old > 0.15


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_no_type_gains_from_another_types_choice(seed):
    menu = _random_menu(seed, (0.4, 0.6))
    rng = np.random.default_rng(seed + 1)
    x, y = rng.uniform(0, 1, (2, 200, 2))
    full = menu.with_no_trade()
    k = choose(menu, y)
    lie = (full.allocations[k] * x).sum(axis=1) - full.payments[k]
    assert (lie <= menu.utility(x) + 1e-12).all()
    assert (menu.utility(x) >= 0).all()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    lam=st.sampled_from([0.0, 0.2, 0.5, 0.8]),
    c=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_deleting_trades_that_lose_at_the_belief_never_lowers_profit(seed, lam, c):
    menu = _random_menu(seed, c)
    keep = menu.payments >= menu.allocations @ np.array(c)
    kept = Menu(menu.allocations[keep], menu.payments[keep])
    before = profit_exact(menu, UNIFORM, c, lam)
    assert profit_exact(kept, UNIFORM, c, lam) >= before - 1e-12


def test_types_that_are_not_numbers_are_refused():
    menu = uniform_menu(0.5, 0.0)
    with pytest.raises(ValueError, match="types: expected finite numbers, no NaN"):
        profit(menu, np.array([[0.5, np.nan]]), np.full(2, 0.5), 0.0)


@pytest.mark.parametrize(
    ("a", "t", "message"),
    [
        (np.array([[np.nan, 0.0]]), np.zeros(1), "no NaN"),
        (np.array([[1.5, 0.0]]), np.zeros(1), r"1.5 found, expected \[-1, 1\]"),
    ],
)
def test_bad_menus_are_refused(a, t, message):
    with pytest.raises(ValueError, match=message):
        Menu(a, t)


@pytest.mark.parametrize("lam", [1.0, -0.1, float("nan"), 2.0])
def test_weight_outside_its_range_is_refused(lam):
    with pytest.raises(ValueError, match=r"lam = .*: expected a number in \[0, 1\)"):
        check_weight(lam)


@pytest.mark.parametrize(
    ("c", "message"),
    [
        ((0.5, 1.2), r"expected numbers in \[0, 1\]"),
        ((0.5, float("nan")), r"expected numbers in \[0, 1\]"),
        ((0.1, 0.2, 0.3), "expected 1 or 2 numbers"),
    ],
)
def test_belief_outside_its_range_is_refused(c, message):
    with pytest.raises(ValueError, match=message):
        check_belief(c, 2)


def test_one_belief_stands_for_all_goods():
    assert check_belief(0.3, 3).tolist() == [0.3] * 3


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_utility_is_convex_and_its_slope_is_the_trade(seed):
    menu = _random_menu(seed, (0.3, 0.7))
    rng = np.random.default_rng(seed + 1)
    x, y = rng.uniform(0, 1, (2, 300, 2))
    share = rng.uniform(0, 1, (300, 1))
    mixed = menu.utility(share * x + (1 - share) * y)
    ends = share[:, 0] * menu.utility(x) + (1 - share[:, 0]) * menu.utility(y)
    assert (mixed <= ends + 1e-12).all()
    assert (np.abs(menu.utility(x) - menu.utility(y)) <= np.abs(x - y).sum(1)).all()
    trades, h = menu.with_no_trade().allocations[choose(menu, x)], 1e-7
    for i, step in enumerate(h * np.eye(2)):
        same = (choose(menu, x + step) == choose(menu, x - step)) & (
            choose(menu, x) == choose(menu, x + step)
        )
        assert same.sum() > 290
        slope = (menu.utility(x + step) - menu.utility(x - step)) / (2 * h)
        # rounding of utilities of size 1 over a step of 1e-7
        assert slope[same] == pytest.approx(trades[same, i], abs=1e-8)


def test_utility_by_hand_and_of_an_empty_menu():
    menu = Menu(np.array([[1.0, 0.0], [-1.0, 1.0]]), np.array([0.6, 0.1]))
    types = np.array([[0.5, 0.5], [0.9, 0.2], [0.1, 0.8]])
    assert menu.utility(types).tolist() == pytest.approx([0.0, 0.3, 0.6])
    empty = Menu(np.empty((0, 2)), np.empty(0))
    assert empty.utility(types).tolist() == [0.0, 0.0, 0.0]
    assert choose(empty, types).tolist() == [0, 0, 0]


def test_ties_go_to_no_trade_and_then_to_the_earlier_entry():
    menu = Menu(np.array([[1.0], [1.0]]), np.array([0.5, 0.5]))
    assert choose(menu, np.array([[0.5], [0.7]])).tolist() == [0, 1]


@pytest.mark.parametrize("lam", [1.0, -0.1, float("nan")])
def test_profit_refuses_weights_out_of_range(lam):
    types = np.array([[0.5, 0.9]])
    with pytest.raises(ValueError, match=r"expected a number in \[0, 1\)"):
        profit(uniform_menu(0.5, 0.0), types, np.full(2, 0.5), lam)


def test_profit_refuses_beliefs_that_are_not_finite():
    types = np.array([[0.5, 0.9]])
    with pytest.raises(ValueError, match=r"c = .*: expected finite numbers"):
        profit(uniform_menu(0.5, 0.0), types, np.array([0.5, np.nan]), 0.0)


def test_shapes_that_do_not_agree_are_refused():
    with pytest.raises((ValueError, TypeCheckError)):
        Menu(np.zeros((2, 2)), np.zeros(3))
    with pytest.raises((ValueError, TypeCheckError)):
        Menu(np.zeros(2), np.zeros(2))
    menu = uniform_menu(0.5, 0.0)
    with pytest.raises((ValueError, TypeCheckError)):
        profit(menu, np.full((4, 2), 0.9), np.full(3, 0.5), 0.0)
    with pytest.raises((ValueError, TypeCheckError)):
        profit(menu, np.full((4, 3), 0.9), np.full(3, 0.5), 0.0)
