"""Algorithm 1 played: closed forms, a loop that is written out, invariants."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.sequential_auctions.bundles import bundle_values, bundles, buyers, choose
from econlib.sequential_auctions.posted_prices import posted_prices, uniform
from econlib.sequential_auctions.settings import SETTINGS, Setting
from econlib.sequential_auctions.simulator import (
    by_size,
    by_state,
    item_prices,
    simulate,
)
from econlib.sequential_auctions.two_items import area_dp


def random_policy(setting, n_buyers, rng):
    options = bundles(setting)
    shape = (n_buyers, 2**setting.n_items, len(options))
    return by_state(setting, options.scale * rng.uniform(0.2, 0.9, shape))


@pytest.mark.parametrize("name", ["A", "B"])
def test_item_prices_earn_their_closed_form(name):
    setting = Setting(name, 5)
    found = posted_prices([uniform(0, 1)] * 5)
    policy = item_prices(setting, (found.prices[:, None] * setting.tops)[:, None])
    played = simulate(setting, policy, 100_000, np.random.default_rng(0))
    truth = found.values[0] * setting.tops.sum()
    assert abs(played.revenue - truth) < 4 * played.error


def test_two_item_menus_earn_their_exact_areas():
    n, setting = 3, Setting("A", 2)
    found = area_dp(n)
    prices = np.full((n, 3, 3), np.nan)
    for t in range(1, n + 1):
        single = posted_prices([uniform(0, 1)] * t).prices[0]
        prices[n - t, 1, 1] = single
        prices[n - t, 2, 1:] = found.prices[t]
    played = simulate(
        setting, by_size(setting, prices), 200_000, np.random.default_rng(1)
    )
    assert abs(played.revenue - found.values[n, 2]) < 4 * played.error


@pytest.mark.parametrize("name", SETTINGS)
def test_no_item_is_sold_twice_and_payments_are_prices(name):
    setting, rng = Setting(name, 4), np.random.default_rng(4)
    policy = random_policy(setting, 3, rng)
    played = simulate(setting, policy, 2000, rng)
    left = np.full(2000, 15)
    for t in range(3):
        took = played.taken[:, t]
        assert not (took & ~left).any()
        option = np.searchsorted(policy.options.masks, took)
        due = policy.prices[t, left, option]
        assert played.payments[:, t].tolist() == due.tolist()
        left &= ~took
    assert played.revenue <= played.welfare
    assert played.revenue == pytest.approx(played.payments.sum(axis=1).mean())


@pytest.mark.parametrize("name", SETTINGS)
def test_the_same_law_as_a_loop_over_states(name):
    setting, rng = Setting(name, 3), np.random.default_rng(5)
    policy = random_policy(setting, 2, rng)
    played = simulate(setting, policy, 60_000, rng)
    options = policy.options
    total, squares = 0.0, 0.0
    left = np.full(20_000, 7)
    paid = np.zeros(20_000)
    for t in range(2):
        there = (options.masks & ~left[:, None]) == 0
        menu = np.where(there, policy.prices[t, left], np.inf)
        values = bundle_values(setting, options, len(left), rng)
        k = choose(values, menu, options.sizes)
        paid += menu[np.arange(len(left)), k]
        left &= ~options.masks[k]
    total, squares = paid.mean(), paid.std() / np.sqrt(len(paid))
    assert abs(played.revenue - total) < 4 * np.hypot(squares, played.error)


def test_buyers_in_an_order():
    few, many = (Setting("A", 1, law=uniform(0, b)) for b in (1, 2))
    for order, truth in (((few, many), 0.5625), ((many, few), 0.6328125)):
        prices = posted_prices([s.law for s in order]).prices
        policy = item_prices(few, prices[:, None, None])
        played = simulate(order, policy, 100_000, np.random.default_rng(6))
        assert abs(played.revenue - truth) < 4 * played.error


def test_a_bundle_beyond_demand_is_worth_its_best_items():
    setting = Setting("D", 4, demand=2)
    options = bundles(setting)
    assert options.sizes.max() == 2
    everything = Setting("A", 4)
    for price, size in ((1e-9, 2), (0.0, 4)):
        policy = item_prices(everything, np.full((1, 1, 4), price))
        played = simulate(setting, policy, 20_000, np.random.default_rng(7))
        assert (np.bitwise_count(played.taken) == size).all()
        assert played.welfare == pytest.approx(0.8 + 0.6, abs=0.01)


def test_of_equally_good_bundles_the_larger():
    values = np.array([[0.0, 0.5, 0.5, 1.0]])
    sizes = np.array([0, 1, 1, 2])
    assert choose(values, values.copy(), sizes).tolist() == [3]
    with pytest.raises(ValueError, match="not numbers"):
        choose(values, np.full((1, 4), np.nan), sizes)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: by_state(s, np.zeros((1, 4, 8))), r"prices: shape \(1, 4, 8\)"),
        (lambda s: by_state(s, np.full((1, 8, 8), np.nan)), "not numbers"),
        (lambda s: by_size(s, np.zeros((1, 3, 4))), r"prices: shape \(1, 3, 4\)"),
        (lambda s: item_prices(s, np.zeros((1, 2, 3))), r"prices: shape \(1, 2, 3\)"),
        (
            lambda s: simulate(
                s, by_size(s, np.zeros((1, 4, 4))), 1, np.random.default_rng(0)
            ),
            "n_episodes = 1: expected an integer",
        ),
        (lambda s: buyers([s, s], 3), "setting: 2 of them, expected 3"),
        (lambda s: buyers([s, Setting("B", 3)], 2), "expected one name"),
        (lambda s: buyers(s, 0), "n_buyers = 0"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call(Setting("A", 3))
