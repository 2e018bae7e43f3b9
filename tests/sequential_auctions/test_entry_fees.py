"""Entry fees: prefixes against all bundles, known values, simulation, errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from econlib.sequential_auctions.entry_fees import entry_fee_choice, entry_fee_dp
from econlib.sequential_auctions.posted_prices import posted_prices, uniform
from econlib.sequential_auctions.settings import Setting
from econlib.sequential_auctions.size_pricing import play_sizes


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 8), st.floats(0, 1.5), st.integers(0, 10**6))
def test_prefixes_are_the_best_of_all_bundles(m, fee, seed):
    rng = np.random.default_rng(seed)
    values, prices = rng.random((50, m)), rng.random(m)
    prices[rng.random(m) < 0.2] = np.inf  # sold out
    allocation, payment = entry_fee_choice(values, prices, fee)
    masks = (np.arange(2**m)[:, None] >> np.arange(m)) & 1
    masks = masks[(masks * np.isinf(prices) == 0).all(axis=1)]
    cost = np.where(masks > 0, prices, 0.0).sum(axis=1)
    cost = np.where(masks.any(axis=1), cost + fee, 0.0)
    best = (values @ masks.T - cost).max(axis=1)
    utility = (values * allocation).sum(axis=1) - payment
    assert utility.tolist() == pytest.approx(best.tolist(), abs=1e-12)
    assert (allocation[:, np.isinf(prices)] == 0).all()


def test_a_tie_goes_to_the_larger_bundle():
    allocation, payment = entry_fee_choice(
        np.array([[0.75, 0.5]]), np.array([0.5, 0.5]), 0.25
    )
    assert allocation.tolist() == [[1.0, 1.0]]
    assert payment.tolist() == [1.25]


@pytest.fixture(scope="module")
def five():
    return entry_fee_dp(5, 5, n_samples=40_000)


def test_known_values(five):
    assert five.values[1, 5] == pytest.approx(1.558, abs=0.008)
    assert five.values[2, 5] == pytest.approx(2.190, abs=0.008)
    assert five.values[5, 5] == pytest.approx(3.1185, abs=0.01)
    assert 0.65 < five.prices[5, 5] < 0.75
    assert 0.1 < five.fees[5, 5] < 0.25


def test_twenty_by_twenty():
    found = entry_fee_dp(20, 20)
    assert found.values[20, 20] == pytest.approx(17.108, abs=0.03)
    assert found.values[20, 20] > 20 * posted_prices([uniform(0, 1)] * 20).values[0]


def test_between_item_prices_and_all_size_prices(five):
    item_wise = 5 * posted_prices([uniform(0, 1)] * 5).values[0]
    assert item_wise + 0.08 < five.values[5, 5] < 3.1272 + 0.008


def test_values_scale_with_the_items():
    one = entry_fee_dp(3, 3, seed=4)
    two = entry_fee_dp(3, 3, seed=4, high=2.5)
    assert two.values == pytest.approx(2.5 * one.values)
    assert two.fees[1:, 1:] == pytest.approx(2.5 * one.fees[1:, 1:])


def test_the_policy_in_simulation_brings_its_value(five):
    rng, n = np.random.default_rng(8), 40_000
    left, revenue = np.full(n, 4), np.zeros(n)
    for t in range(3, 0, -1):
        for s in range(1, 5):
            here = np.flatnonzero(left == s)
            values = rng.random((len(here), s))
            taken, paid = entry_fee_choice(
                values, np.full(s, five.prices[t, s]), five.fees[t, s]
            )
            revenue[here] += paid
            left[here] -= taken.sum(axis=1).astype(int)
    assert (
        abs(revenue.mean() - five.values[3, 4]) < 4 * revenue.std() / np.sqrt(n) + 0.005
    )


def test_fees_are_prices_by_size(five):
    prices = five.size_prices
    assert prices.shape == (6, 6, 6)
    assert prices[3, 4, 2] == pytest.approx(five.fees[3, 4] + 2 * five.prices[3, 4])
    assert np.isinf(prices[3, 4, 5]) and (prices[..., 0] == 0).all()
    revenue = play_sizes(Setting("A", 5), prices, 50_000, np.random.default_rng(1))
    error = revenue.std() / np.sqrt(len(revenue))
    assert abs(revenue.mean() - five.values[5, 5]) < 4 * error + 0.005


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1), "n_buyers = 0"),
        ((1, 201), "n_items = 201"),
    ],
)
def test_bad_sizes(arguments, message):
    with pytest.raises(ValueError, match=message):
        entry_fee_dp(*arguments)


@pytest.mark.parametrize(
    ("values", "prices", "fee", "message"),
    [
        (np.ones((2, 3)), np.ones(2), 0.0, r"shape \(2,\), expected one"),
        (np.ones((2, 3)), np.array([1, 1, np.nan]), 0.0, "expected numbers"),
        (np.ones((2, 3)), np.ones(3), np.inf, "expected numbers"),
    ],
)
def test_bad_menus(values, prices, fee, message):
    with pytest.raises(ValueError, match=message):
        entry_fee_choice(values, prices, fee)
