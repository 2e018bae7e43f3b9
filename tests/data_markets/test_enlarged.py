"""The bound for private stakes holds for every menu and is nearly reached."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.data_markets.beliefs import beta_mixture, random_law, uniform
from econlib.data_markets.binary_menus import (
    best_two_items,
    enlarged_uniform,
    exact_revenue,
    uniform_stakes,
)
from econlib.data_markets.continuum import continuum_optimum
from econlib.data_markets.enlarged import enlarged_bound
from econlib.data_markets.experiments import concentrated

MIXTURE = beta_mixture((0.5, 0.5), ((8, 30), (60, 30)))


def test_bound_falls_towards_the_closed_form():
    truth = enlarged_uniform()[1]
    found = [
        enlarged_bound(uniform(), n_beliefs=4 * k, n_stakes=k).bound for k in (4, 8, 14)
    ]
    assert found == sorted(found, reverse=True)
    assert truth < found[-1] < 1.012 * truth


def test_bound_for_two_items():
    best = best_two_items(MIXTURE, uniform_stakes(0.75))
    found = enlarged_bound(MIXTURE, 0.75, n_beliefs=48, n_stakes=6)
    assert best.revenue < found.bound < 1.02 * best.revenue
    assert found.masses.sum() == pytest.approx(-1)
    assert found.bound == pytest.approx(found.value, abs=1e-9)


def test_no_random_menu_exceeds_it():
    rng = np.random.default_rng(0)
    for low in (0.0, 0.5):
        law = random_law(rng)
        bound = enlarged_bound(law, low, n_beliefs=12, n_stakes=4).bound
        stakes = uniform_stakes(low, 1.0, 200)
        for _ in range(30):
            q, p = rng.uniform(-0.5, 0.5, 4), rng.uniform(0.02, 0.4, 4)
            assert exact_revenue(concentrated(q), p, law, stakes) <= bound


def test_stakes_in_a_narrow_band_are_worth_their_mean():
    found = enlarged_bound(MIXTURE, 0.9, n_beliefs=96, n_stakes=1)
    exact = 0.95 * continuum_optimum(MIXTURE).revenue
    assert found.bound == pytest.approx(exact, rel=0.02)


def test_solution_is_convex_with_slopes_in_the_unit_square():
    found = enlarged_bound(MIXTURE, 0.5, n_beliefs=16, n_stakes=4)
    x, u, g = found.points, found.utilities, found.slopes
    plane = u[None] + x @ g.T - (g * x).sum(1)[None]
    assert (plane - u[:, None]).max() < 1e-7
    assert g.min() > -1e-9 and g.max() < 1 + 1e-9


def test_bad_arguments():
    with pytest.raises(ValueError, match="low = 1"):
        enlarged_bound(uniform(), 1.0)
    with pytest.raises(ValueError, match="n_beliefs = 1"):
        enlarged_bound(uniform(), n_beliefs=1)
    with pytest.raises(ValueError, match="expected at most 100"):
        enlarged_bound(uniform(), max_points=100)
