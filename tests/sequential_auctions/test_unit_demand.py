"""Unit demand: closed forms, known values, simulation, errors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from econlib.sequential_auctions.posted_prices import posted_prices
from econlib.sequential_auctions.unit_demand import unit_demand_dp


def test_one_buyer_has_the_closed_form():
    found = unit_demand_dp(1, 12)
    s = np.arange(1, 13)
    price = (1 + s) ** (-1 / s)
    assert found.prices[1, 1:].tolist() == pytest.approx(price.tolist(), abs=1e-6)
    assert found.values[1, 1:].tolist() == pytest.approx(
        (price * (1 - price**s)).tolist(), abs=1e-10
    )


def test_known_values():
    values = unit_demand_dp(20, 20).values
    known = {
        (2, 2): 0.683556,
        (2, 3): 0.880459,
        (3, 3): 1.211680,
        (4, 3): 1.462372,
        (5, 5): 2.434870,
        (10, 10): 6.000998,
        (20, 20): 14.073976,
    }
    for place, value in known.items():
        assert values[place] == pytest.approx(value, abs=1e-6)
    assert (np.diff(values[1:], axis=1) > 0).all()
    assert (np.diff(values, axis=0)[:, 1:] > 0).all()
    assert (np.diff(values[1:], n=2, axis=1) <= 1e-9).all()  # concave in items


@pytest.mark.parametrize("law", [stats.uniform(0, 2), stats.beta(2, 2)])
def test_one_item_is_a_posted_price(law):
    found = unit_demand_dp(6, 1, law)
    assert found.values[::-1, 1].tolist() == pytest.approx(
        posted_prices([law] * 6).values.tolist(), abs=1e-9
    )


def test_simulated_buyers_bring_the_value():
    found = unit_demand_dp(4, 3, stats.beta(2, 3))
    rng = np.random.default_rng(0)
    n = 200_000
    left, revenue = np.full(n, 3), np.zeros(n)
    for t in range(4, 0, -1):
        values = rng.beta(2, 3, (n, 3))
        values[np.arange(3) >= left[:, None]] = -1
        price = np.where(left > 0, found.prices[t][left], np.inf)
        buys = values.max(axis=1) >= price
        revenue += np.where(buys, price, 0.0)
        left -= buys
    assert abs(revenue.mean() - found.values[4, 3]) < 4 * revenue.std() / np.sqrt(n)


@pytest.mark.parametrize(
    ("sizes", "message"), [((0, 1), "n_buyers = 0"), ((1, 201), "n_items = 201")]
)
def test_bad_sizes(sizes, message):
    with pytest.raises(ValueError, match=message):
        unit_demand_dp(*sizes)
