"""All states: exact values, the by-size programme, simulation, limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from econlib.sequential_auctions.dp_record import load, run
from econlib.sequential_auctions.full_dp import full_dp
from econlib.sequential_auctions.rochet_offsets import BOOK, rochet_dp
from econlib.sequential_auctions.settings import Setting
from econlib.sequential_auctions.simulator import by_state, simulate
from econlib.sequential_auctions.unlike_items import unlike_items_dp

QUICK = replace(BOOK, n_samples=1024, n_steps=60, n_eval=2**14)


def test_two_unlike_items_reach_their_exact_values():
    found = full_dp(Setting("B", 2), 3, QUICK)
    truth = unlike_items_dp(3).values
    error = 4 * np.sqrt((found.errors**2).cumsum(axis=0)) + 1e-3
    assert (np.abs(found.values - truth) <= error).all()


@pytest.mark.parametrize("name", ["A", "C", "D", "E", "F"])
def test_exchangeable_items_earn_what_size_prices_do(name):
    setting = Setting(name, 3, demand=2)
    found, sizes = full_dp(setting, 2, QUICK), rochet_dp(setting, 2, QUICK)
    k = setting.sizes
    gap = found.values - sizes.values[:, k]
    noise = np.hypot(found.errors, sizes.errors[:, k])
    assert (np.abs(gap) <= 6 * noise + 0.004 * sizes.values[:, k]).all()


@pytest.mark.parametrize("name", ["B", "F"])
def test_the_root_is_what_the_policy_earns(name):
    setting = Setting(name, 3)
    found = full_dp(setting, 3, QUICK)
    policy = by_state(setting, found.prices[:0:-1])
    played = simulate(setting, policy, 60_000, np.random.default_rng(0))
    error = np.sqrt(played.error**2 + (found.errors[1:, -1] ** 2).sum())
    assert abs(played.revenue - found.values[3, -1]) < 4 * error


def test_values_grow_with_buyers_and_items():
    found = full_dp(Setting("B", 3), 3, QUICK).values
    assert (np.diff(found[:, 1:], axis=0) > 0).all()
    for state in range(8):
        for j in range(3):
            assert (found[:, state | 1 << j] >= found[:, state] - 1e-9).all()


def test_more_items_than_there_is_room_for():
    with pytest.raises(ValueError, match=r"2\^11 states.*at most 10 items.*entry fees"):
        full_dp(Setting("B", 11), 2)
    with pytest.raises(ValueError, match="n_buyers = 0"):
        full_dp(Setting("B", 2), 0)


def test_the_record_holds_what_a_run_gives():
    small = run("B", 1, 2, config=QUICK, n_episodes=1000)
    kept = load("B", 10, 10)
    assert set(kept) == set(small)
    assert kept["command"].endswith("sequential_auctions.dp_record B 10 10 0")
    assert kept["n_states"] == 10_240
    few = full_dp(Setting("B", 3), 1, QUICK).values[1]  # a third of the items' values
    for one in kept["runs"]:
        assert set(one) == set(small["runs"][0])
        assert (np.diff(one["by_buyers_to_come"]) > 0).all()
        states = np.array(one["one_buyer_by_state"])
        items = 0.25 * np.arange(1, 11) / 10
        # 8192 buyers a state: a standard error of 1.6 percent
        assert states[2 ** np.arange(10)] == pytest.approx(items, rel=0.07)
        assert states[:8] * 10 / 3 == pytest.approx(few, rel=0.07)
