"""Two additive items: areas, known optima, no lottery does better, errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from econlib.sequential_auctions.two_items import (
    area_dp,
    best_order_two_items,
    best_prices,
    choice_areas,
    stage_value,
)

PRICES = st.tuples(st.floats(0, 1), st.floats(0, 1.2)).map(lambda x: (x[0], sum(x)))


def choices(p1: float, p2: float, types: np.ndarray) -> np.ndarray:
    options = np.stack(
        [0 * types[:, 0], types.max(axis=1) - p1, types.sum(axis=1) - p2], axis=1
    )
    return np.bincount(options.argmax(axis=1), minlength=3) / len(types)


@settings(max_examples=25, deadline=None)
@given(PRICES)
def test_areas_are_those_of_a_grid_of_types(prices):
    side = (np.arange(600) + 0.5) / 600
    types = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    areas = choice_areas(*prices)
    assert areas.sum() == pytest.approx(1)
    assert areas.min() >= -1e-12
    assert areas.tolist() == pytest.approx(choices(*prices, types).tolist(), abs=0.006)


def test_values_and_first_prices():
    found = area_dp(20)
    values = [0.549201, 0.820565, 0.996110, 1.122228, 1.218318, 1.489051, 1.694168]
    at = [1, 2, 3, 4, 5, 10, 20]
    assert found.values[at, 2].tolist() == pytest.approx(values, abs=1e-6)
    assert found.values[1, 2] == pytest.approx((12 + 2 * np.sqrt(2)) / 27, abs=1e-9)
    first = [[2 / 3, (4 - np.sqrt(2)) / 3], [0.71224, 1.15502], [0.92296, 1.81086]]
    assert found.prices[[1, 2, 20]] == pytest.approx(np.array(first), abs=2e-5)
    item = 0.0
    for t in range(1, 21):  # one item is the posted-price recursion
        item = ((1 + item) / 2) ** 2
        assert found.values[t, 1] == pytest.approx(item, abs=1e-12)
        assert found.values[t, 2] > 2 * item


def lottery_value(after: np.ndarray, n: int) -> float:
    """Best menu of lotteries over bundles on a grid of types, with offsets."""
    side = (np.arange(n) + 0.5) / n
    x = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
    worth = np.array([after[2], after[1], after[1], after[0]])
    bundle = np.stack([0 * x[:, 0], x[:, 0], x[:, 1], x.sum(axis=1)], axis=1)
    m = len(x)
    # variables: lotteries q (m, 4), payments t (m,)
    cost = -np.concatenate([np.tile(worth, m), np.ones(m)]) / m
    rows, columns = np.nonzero(~np.eye(m, dtype=bool))
    gain = np.zeros((len(rows) + m, 5 * m))
    for r, (i, j) in enumerate(zip(rows, columns, strict=True)):
        gain[r, 4 * j : 4 * j + 4] = bundle[i]
        gain[r, 4 * i : 4 * i + 4] -= bundle[i]
        gain[r, 4 * m + j], gain[r, 4 * m + i] = -1.0, 1.0
    for i in range(m):
        gain[len(rows) + i, 4 * i : 4 * i + 4] = -bundle[i]
        gain[len(rows) + i, 4 * m + i] = 1.0
    ones = np.kron(np.eye(m), np.ones(4))
    found = linprog(
        cost,
        A_ub=gain,
        b_ub=np.zeros(len(gain)),
        A_eq=np.hstack([ones, np.zeros((m, m))]),
        b_eq=np.ones(m),
        bounds=[(0, None)] * (4 * m) + [(None, None)] * m,
    )
    assert found.status == 0
    return -found.fun


@pytest.mark.parametrize(
    ("after", "value"),
    [((0, 0, 0), 0.59765625), ((0, 0.25, 0.549201), 0.85906289)],
)
def test_no_lottery_beats_size_prices_on_a_grid(after, value):
    after = np.array(after, float)
    side = (np.arange(8) + 0.5) / 8
    types = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    # on a grid the best deterministic prices make some type indifferent
    singles = np.unique(np.concatenate([side, [1.0]]))
    best = 0.0
    for p1 in singles:
        for p2 in np.unique(np.round(np.add.outer(singles, side).ravel(), 9)):
            if p2 >= p1:
                eps = 1e-9  # ties go to the larger bundle
                share = choices(p1 - eps, p2 - 3 * eps, types)
                worth = np.array([after[2], p1 + after[1], p2 + after[0]])
                best = max(best, float(share @ worth))
    lotteries = lottery_value(after, 8)
    assert lotteries == pytest.approx(value, abs=1e-6)
    assert lotteries == pytest.approx(best, abs=1e-6)


@pytest.fixture(scope="module")
def found():
    return area_dp(10)


@settings(max_examples=50, deadline=None)
@given(prices=PRICES, t=st.integers(1, 10))
def test_no_menu_beats_the_solution(found, prices, t):
    assert stage_value(*prices, found.values[t - 1]) <= found.values[t, 2] + 1e-9


@pytest.mark.parametrize("prices", [(-0.1, 1), (1.1, 2), (0.5, 0.4), (0.5, np.inf)])
def test_bad_prices(prices):
    with pytest.raises(ValueError, match=r"expected p1 in \[0, 1\]"):
        choice_areas(*prices)


@pytest.mark.parametrize("n", [0, 1001])
def test_bad_number_of_buyers(n):
    with pytest.raises(ValueError, match=f"n_buyers = {n}: expected an integer"):
        area_dp(n)


def test_best_orders_of_two_items_let_the_richer_come_first():
    order, value, every = best_order_two_items([1, 2, 1.5])
    assert order == (1, 2, 0) and value == max(every.values())
    assert len(every) == 6
    alike = best_order_two_items([3, 3])
    assert alike[1] == pytest.approx(3 * area_dp(2).values[2, 2])
    with pytest.raises(ValueError, match="expected 1 to 6 numbers above 0"):
        best_order_two_items([])


def test_best_prices_where_keeping_both_is_best():
    after = np.array([0.0, 1.5, 4.0])
    assert best_prices(after)[2] == pytest.approx(4.0)
