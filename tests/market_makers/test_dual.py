"""The dual: by hand, weak duality, and what each version's plan dominates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from econlib.market_makers.closed_forms import uniform_menu, uniform_spread
from econlib.market_makers.dual import VARIANTS, slackness, solve_dual
from econlib.market_makers.measures import Measure, finite_elements
from econlib.market_makers.model import Menu
from econlib.market_makers.primal import solve_primal
from econlib.valuations import make

UNIFORM = make("uniform", 2)
TENTHS = st.integers(0, 5).map(lambda k: k / 5)


def _left_over(measure: Measure, plan) -> np.ndarray:
    """First marginal less second of a transport plan."""
    out = np.asarray(plan.plan.sum(axis=1)).ravel()
    return out - np.asarray(plan.plan.sum(axis=0)).ravel()


def _convex(points: np.ndarray, c: np.ndarray, seed: int) -> np.ndarray:
    """A convex function of random slopes, up to 5, that is 0 and least at c."""
    rng = np.random.default_rng(seed)
    slopes = rng.normal(size=(5, points.shape[1])) * rng.uniform(0, 2)
    pieces = (points - c) @ slopes.T - rng.exponential(0.1, 5) * rng.integers(0, 2, 5)
    return np.maximum(pieces.max(axis=1), 0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_four_cells_by_hand(variant):
    # 1/4 at each end moves a step of 1/4 inwards; the middle is left to the belief
    measure = finite_elements(make("uniform", 1), 0.5, 0.0, 4)
    found = solve_dual(measure, 0.5, variant)
    assert found.value == pytest.approx(1 / 8, abs=1e-10)
    moved = found.plan.toarray()
    assert (moved[0, 1], moved[4, 3]) == pytest.approx((0.25, 0.25), abs=1e-9)
    assert moved.sum() == pytest.approx(0.5, abs=1e-9)
    assert found.residual < 1e-9


@pytest.mark.parametrize("lam", [0.0, 0.5])
@pytest.mark.parametrize("c", [0.0, 0.2, 0.5, 0.9])
def test_one_good_costs_its_profit_and_frozen_mass_costs_more(c, lam):
    measure = finite_elements(make("uniform", 1), c, lam, 20)
    exact = uniform_spread(c, lam).profit
    for variant in ("multiplier", "belief"):
        # the program is off by half a cell at each price: h²/8 times a density of 2
        value = solve_dual(measure, c, variant).value
        assert value == pytest.approx(exact, abs=1e-3)
    frozen = solve_dual(measure, c, "frozen").value
    # bid and ask lie evenly around the belief at 1/2 alone
    assert (frozen > exact + 0.01) == (c != 0.5)


@settings(max_examples=6, deadline=None)
@given(c=st.tuples(TENTHS, TENTHS), lam=st.floats(0, 0.9))
def test_versions_are_ordered(c, lam):
    measure = finite_elements(UNIFORM, c, lam, 5)
    free, at_c, frozen = (solve_dual(measure, c, v).value for v in VARIANTS)
    assert free == pytest.approx(at_c, abs=1e-7)
    assert frozen >= at_c - 1e-7


@pytest.mark.parametrize("name", ["beta", "gaussian_copula", "linear_correlation"])
def test_duality_is_not_a_matter_of_the_law(name):
    c, lam = (0.3, 0.55), 0.2
    measure = finite_elements(make(name, 2), c, lam, 7)
    primal, dual = solve_primal(measure, c), solve_dual(measure, c)
    assert dual.value == pytest.approx(primal.value, abs=1e-7)
    assert max(map(abs, slackness(primal, dual, measure).values())) < 1e-6


def test_no_menu_earns_more_than_any_plan_costs():
    plans = []
    for c in ((0.2, 0.6), (0.6, 0.4), (1.0, 0.0), (0.4, 0.4)):
        measure = finite_elements(UNIFORM, c, 0.3, 5)
        plans += [(measure, np.array(c), solve_dual(measure, c, v)) for v in VARIANTS]
    rng, closest = np.random.default_rng(0), np.inf
    for measure, c, plan in plans:
        for _ in range(12):
            a = rng.uniform(-1, 1, (6, 2)).round(rng.integers(0, 3))
            menu = Menu(a, a @ c + rng.uniform(0, 0.3, 6))  # 0 at the belief
            earned = measure.masses @ menu.utility(measure.points)
            assert earned <= plan.value + 1e-8
            closest = min(closest, plan.value - earned)
        best = measure.masses @ uniform_menu(c, 0.3).utility(measure.points)
        assert best <= plan.value + 1e-8
        closest = min(closest, plan.value - best)
    assert closest < 0.01  # the comparison is not an empty one


@pytest.mark.parametrize("variant", ["belief", "frozen"])
def test_plan_dominates_the_measure_on_convex_functions(variant):
    c = np.array([0.2, 0.4])
    measure = finite_elements(UNIFORM, tuple(c), 0.1, 5)
    plan = solve_dual(measure, tuple(c), variant)
    left, at_c = _left_over(measure, plan), np.abs(measure.points - c).max(1).argmin()
    assert left.sum() == pytest.approx(0, abs=1e-9)
    rng = np.random.default_rng(1)
    least_elsewhere = []
    for seed in range(100):
        v = _convex(measure.points, c, seed)
        assert left @ v >= measure.masses @ v - 1e-8  # v(c) = 0
        tilted = v + measure.points @ rng.normal(size=2)
        gap = left @ tilted - measure.masses @ tilted - tilted[at_c]
        least_elsewhere.append(gap)
    # plain convex order asks the same of all convex functions: that is what breaks
    assert (min(least_elsewhere) >= -1e-8) == (variant == "frozen")


def test_plan_with_a_multiplier_dominates_on_functions_of_zero_or_more():
    c = (0.33, 0.71)  # need not be a point of the grid
    measure = finite_elements(UNIFORM, c, 0.1, 5)
    plan = solve_dual(measure, c)
    left = _left_over(measure, plan)
    assert (plan.multiplier >= -1e-12).all()
    assert plan.multiplier.sum() == pytest.approx(1, abs=1e-9)
    for seed in range(100):
        centre = np.random.default_rng(seed).uniform(0, 1, 2)
        v = _convex(measure.points, centre, seed)
        assert left @ v >= measure.masses @ v - 1e-8


def test_mass_moves_against_the_trades_and_only_along_whole_ones():
    c, lam = (0.2, 0.2), 0.0
    measure = finite_elements(UNIFORM, c, lam, 10)
    primal, dual = solve_primal(measure, c), solve_dual(measure, c)
    moved = dual.plan.tocoo()
    real = moved.data > 1e-9
    start, end = moved.row[real], moved.col[real]
    step = measure.points[start] - measure.points[end]
    # utility falls by the whole distance: a unit of each good crossed is traded
    drop = primal.utilities[start] - primal.utilities[end]
    assert drop == pytest.approx(np.abs(step).sum(axis=1), abs=1e-7)
    assert real.sum() > 20


def test_slackness_sees_a_utility_that_is_not_optimal():
    c = (0.4, 0.4)
    measure = finite_elements(UNIFORM, c, 0.2, 5)
    primal, dual = solve_primal(measure, c), solve_dual(measure, c)
    flat = replace(primal, utilities=0 * primal.utilities)
    lifted = replace(primal, utilities=primal.utilities + 0.1)
    bent = replace(primal, utilities=primal.utilities**2)
    assert slackness(flat, dual, measure)["transport"] == pytest.approx(dual.value)
    assert slackness(lifted, dual, measure)["multiplier"] == pytest.approx(0.1)
    assert abs(slackness(bent, dual, measure)["transport"]) > 0.01


def test_belief_that_does_not_fit_is_refused():
    measure = finite_elements(UNIFORM, 0.5, 0.0, 3)
    with pytest.raises(ValueError, match="expected 1 or 2 numbers"):
        solve_dual(measure, (0.1, 0.2, 0.3))
    with pytest.raises(ValueError, match="expected finite numbers"):
        solve_dual(measure, float("inf"))
