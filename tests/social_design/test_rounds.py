"""Rounds: carry-over, expected paths against samples, myopia, errors."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.social_design.harvest import HarvestLite
from econlib.social_design.rounds import (
    committed,
    end_law,
    first_best,
    rollout,
    solve_rounds,
    stock_path,
)
from econlib.social_design.schedules import rate_grid

GRID = rate_grid()
SHORT = HarvestLite(horizon=4)


def mean(u):
    return u.mean(axis=-1)


@pytest.mark.parametrize(
    ("n_rounds", "myopic", "value", "first"),
    [
        (1, False, 2.34968, (0.8, 0.9)),
        (2, True, 3.02948, (0.7, 0.7)),
        (2, False, 3.22809, (0.8, 0.9)),
        (3, True, 2.86661, (0.6, 0.6)),
        (3, False, 4.1276, (0.8, 0.9)),
    ],
)
def test_carry_over(n_rounds, myopic, value, first):
    plan = solve_rounds(SHORT, GRID, n_rounds, mean, myopic=myopic)
    assert plan.values[0, 8].mean() == pytest.approx(value, abs=6e-6)
    assert GRID[plan.choice[0, 8]].tolist() == pytest.approx(first)
    if not myopic and n_rounds > 1:
        assert GRID[plan.choice[0, 2]].tolist() == pytest.approx((0.9, 0.9))


def test_regrets_of_three_rounds():
    far = solve_rounds(SHORT, GRID, 3, mean)
    near = solve_rounds(SHORT, GRID, 3, mean, myopic=True)
    assert far.regret.max() == pytest.approx(0.022, abs=5e-4)
    assert near.regret.max() == pytest.approx(0.057, abs=5e-4)


def test_a_constant_schedule_over_twelve_steps():
    long = HarvestLite(horizon=12)
    best, value = committed(long, long.solve(GRID), mean)
    assert GRID[best].tolist() == pytest.approx((0.8, 0.8))
    assert value == pytest.approx(4.123321, abs=1e-6)


def test_free_market_is_worth_the_same_for_any_number_of_rounds():
    for n_rounds in (1, 2, 3):
        plan = solve_rounds(SHORT, np.zeros((1, 2)), n_rounds, mean)
        assert plan.values[0, 8].mean() == pytest.approx(1.475)


def test_rounds_under_one_schedule_are_one_long_round():
    one = HarvestLite(horizon=8).solve(np.array([[0.8, 0.8]]))
    two = solve_rounds(SHORT, np.array([[0.8, 0.8]]), 2, mean)
    assert np.abs(two.values[0] - one.values[0]).max() <= 1e-9


def test_expected_paths():
    game = HarvestLite()
    answer = game.solve(np.array([[0, 0], [0.8, 0.8], [0.9, 0.9]]))
    path = stock_path(game, answer.mixed)
    assert path.stock[0].tolist() == pytest.approx([8.0] + [0.0] * 8)
    stock = [8, 5, 5, 5, 5, 5, 4.2632, 3.3229, 0.0119]
    assert path.stock[1].tolist() == pytest.approx(stock, abs=6e-5)
    harvest = [4, 1, 1, 1, 1, 1.6875, 1.7675, 3.3146]
    assert path.harvest[1].tolist() == pytest.approx(harvest, abs=6e-5)
    stock = [8, 6.75, 5.6855, 5.2298, 5.1076, 5.0765, 5.0687, 5, 0.0781]
    assert path.stock[2].tolist() == pytest.approx(stock, abs=6e-5)
    ends = end_law(game, answer.mixed)[:, 8] @ np.arange(9)
    assert ends.tolist() == pytest.approx(path.stock[:, -1].tolist())
    total = answer.harvest[:, 8].sum(axis=1)
    assert path.harvest.sum(axis=1).tolist() == pytest.approx(total.tolist())


def test_samples_agree_with_expectations():
    game = HarvestLite(horizon=5)
    rates = np.array([[0.6, 1.0]])
    answer = game.solve(rates, select=("qre", 0.3))
    u, stock = rollout(
        game, rates[0], answer.mixed[0], 20_000, np.random.default_rng(0)
    )
    error = u.std(axis=0) / np.sqrt(20_000)
    assert (np.abs(u.mean(axis=0) - answer.values[0, 8]) <= 5 * error).all()
    path = stock_path(game, answer.mixed)
    assert stock.mean(axis=0).tolist() == pytest.approx(path.stock[0], abs=0.1)


def test_of_equal_schedules_the_first_is_taken():
    assert first_best(np.array([1.0, 2.0, 2.0 + 1e-12, 1.5])) == 1


def test_no_rounds_and_no_samples_are_refused():
    with pytest.raises(ValueError, match="n_rounds = 0"):
        solve_rounds(SHORT, GRID, 0, mean)
    with pytest.raises(ValueError, match="n_envs = 0"):
        rollout(SHORT, GRID[0], np.ones((4, 9, 4, 3)) / 3, 0, np.random.default_rng(0))
