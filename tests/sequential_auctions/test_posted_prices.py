"""Posted prices for one good: recursion, other laws, orders, errors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from econlib.sequential_auctions.posted_prices import (
    best_order,
    posted_prices,
    uniform,
)


def recursion(n: int) -> list[float]:
    values = [0.0]
    for _ in range(n):
        values.append(((1 + values[-1]) / 2) ** 2)
    return values[::-1]


@pytest.mark.parametrize("n", [1, 2, 5, 20, 50])
def test_uniform_buyers_follow_the_recursion(n):
    found = posted_prices([uniform(0, 1)] * n)
    assert found.values.tolist() == pytest.approx(recursion(n), abs=1e-10)
    assert found.prices.tolist() == pytest.approx(
        np.sqrt(found.values[:-1]).tolist(), abs=1e-5
    )


def test_item_wise_revenue_of_the_settings_of_the_paper():
    value = {n: posted_prices([uniform(0, 1)] * n).values[0] for n in (5, 10, 20, 50)}
    assert 5 * value[5] == pytest.approx(3.003757, abs=1e-6)
    assert 10 * value[10] == pytest.approx(7.414901, abs=1e-6)
    assert 20 * value[20] == pytest.approx(16.923858, abs=1e-6)
    assert 50 * value[50] == pytest.approx(46.4788, abs=1e-4)
    # U[0, j/m] for item j: the values scale
    for n, total in ((5, 1.802252), (10, 4.078196)):
        items = [
            posted_prices([uniform(0, j / n)] * n).values[0] for j in range(1, n + 1)
        ]
        assert sum(items) == pytest.approx(total, abs=3e-6)
    # the grand bundle where each bundle's value is drawn by itself, of ten items
    for n, total in ((10, 2.3448), (20, 2.6759)):
        found = posted_prices([uniform(0, np.sqrt(10))] * n).values[0]
        assert found == pytest.approx(total, abs=5e-5)


def test_sum_of_two_uniform_laws():
    law = stats.trapezoid(1 / 3, 2 / 3, 0, 3)  # U[1, 2] plus U[-1, 1]
    values = posted_prices([law] * 20).values[::-1]
    assert values[[1, 2, 5, 10, 20]].tolist() == pytest.approx(
        [0.78125, 1.15051, 1.65181, 1.97538, 2.23910], abs=1e-5
    )


def test_a_price_below_all_values_is_not_posted():
    found = posted_prices([uniform(2, 3)])
    assert (found.prices[0], found.values[0]) == pytest.approx((2.0, 2.0), abs=1e-9)


def test_the_stronger_buyer_comes_first():
    weak, strong = uniform(0, 1), uniform(0, 2)
    assert posted_prices([weak, strong]).values[0] == pytest.approx(0.5625, abs=1e-9)
    assert posted_prices([strong, weak]).values[0] == pytest.approx(0.6328125, abs=1e-9)
    assert best_order([weak, strong]) == ((1, 0), pytest.approx(0.6328125, abs=1e-9))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(0.1, 5), min_size=1, max_size=4))
def test_the_best_order_is_the_best_of_all_orders(tops):
    laws = [uniform(0, b) for b in tops]
    values = [
        posted_prices([laws[i] for i in order]).values[0]
        for order in itertools.permutations(range(len(laws)))
    ]
    order, value = best_order(laws)
    assert value == pytest.approx(max(values), abs=1e-9)
    assert posted_prices([laws[i] for i in order]).values[0] == pytest.approx(value)


@settings(max_examples=15, deadline=None)
@given(st.floats(0, 2), st.floats(0.1, 3), st.integers(1, 6))
def test_more_buyers_earn_more_and_prices_fall(low, width, n):
    found = posted_prices([uniform(low, low + width)] * n)
    assert (np.diff(found.values) < 0).all()
    assert (np.diff(found.prices) <= 1e-6).all()
    assert low - 1e-9 <= found.values[0] <= low + width


@pytest.mark.parametrize("bounds", [(-1, 1), (1, 1), (2, 1), (0, np.inf)])
def test_bad_bounds(bounds):
    with pytest.raises(ValueError, match="expected 0 <= low < high"):
        uniform(*bounds)


@pytest.mark.parametrize(
    ("laws", "message"),
    [
        ([], "no buyer"),
        ([3.0], "expected laws with cdf and ppf"),
        ([stats.norm()], "expected bounded and nonnegative"),
    ],
)
def test_bad_laws(laws, message):
    with pytest.raises(ValueError, match=message):
        posted_prices(laws)


def test_too_many_buyers_for_all_orders():
    with pytest.raises(ValueError, match="11 buyers, expected at most 10"):
        best_order([uniform(0, 1)] * 11)
