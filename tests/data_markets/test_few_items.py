"""Few items for any number of states: repricing, subsets, and the program above."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.data_markets.beliefs import beta_mixture, cells
from econlib.data_markets.experiments import (
    experiment_value,
    full,
    null,
    outside_option,
)
from econlib.data_markets.few_items import (
    dirichlet_grid,
    few_items,
    grid_revenue,
    reprice,
)
from econlib.data_markets.screening import items, screening


def test_one_price_is_found_by_trying_all():
    rng = np.random.default_rng(0)
    θ, f = rng.dirichlet(np.ones(3), 40), rng.dirichlet(np.ones(40))
    gains = experiment_value(full(3)[None], θ) - outside_option(θ)[:, None]
    every = [grid_revenue(gains, np.array([p]), f) for p in gains[:, 0]]
    p, value = reprice(gains, np.array([0.9]), f)
    assert value == pytest.approx(max(every))
    assert grid_revenue(gains, p, f) == pytest.approx(value)


def test_two_states_need_two_items_and_no_more():
    θ, f = cells(beta_mixture((0.5, 0.5), ((8, 30), (60, 30))), 60)
    θ = np.stack([θ, 1 - θ], 1)
    menu = screening(θ, f)
    pool = items(menu)
    π, p = np.stack([i.experiment for i in pool]), np.array([i.price for i in pool])
    found = [few_items(π, p, θ, f, k) for k in (0, 1)]
    assert found[0].revenue < 0.95 * menu.revenue
    assert found[1].revenue == pytest.approx(menu.revenue, abs=1e-9)


def test_three_states_stay_below_the_program_and_rise():
    θ, f = dirichlet_grid((0.4, 0.3, 0.3), ((2, 2, 12), (12, 2, 4), (5, 5, 5)), 6)
    menu = screening(θ, f)
    pool = items(menu)[:8]
    π, p = np.stack([i.experiment for i in pool]), np.array([i.price for i in pool])
    values = [few_items(π, p, θ, f, k).revenue for k in range(4)]
    assert values == sorted(values)
    assert values[-1] <= menu.revenue + 1e-9


def test_empty_pool_and_useless_items():
    θ, f = dirichlet_grid((1.0,), ((1, 1, 1),), 5)
    alone = few_items(np.empty((0, 3, 3)), np.empty(0), θ, f, 2)
    beside = few_items(null(3)[None], np.array([0.1]), θ, f, 1)
    assert beside.revenue == pytest.approx(alone.revenue)
    assert len(alone.prices) == 1


def test_grid_covers_the_simplex():
    for n in (2, 7):
        θ, f = dirichlet_grid((1.0,), ((1, 1, 1),), n)
        assert len(θ) == n * n
        assert θ.mean(axis=0) == pytest.approx(np.full(3, 1 / 3))
        assert f == pytest.approx(np.full(n * n, 1 / n**2))


def test_bad_arguments():
    with pytest.raises(ValueError, match="n_cells = 1"):
        dirichlet_grid((1.0,), ((1, 1, 1),), 1)
    with pytest.raises(ValueError, match="weights ="):
        dirichlet_grid((0.9,), ((1, 1, 1),), 4)
    θ, f = dirichlet_grid((1.0,), ((1, 1, 1),), 4)
    with pytest.raises(ValueError, match="n_partial = -1"):
        few_items(np.empty((0, 3, 3)), np.empty(0), θ, f, -1)
    with pytest.raises(ValueError, match="make 11 menus"):
        few_items(np.stack([null(3)] * 4), np.full(4, 0.1), θ, f, 2, max_menus=5)
