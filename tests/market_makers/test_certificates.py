"""Certificates: costs equal profits, masses balance, corners can be filled."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from econlib.market_makers.certificates import (
    corner_plan,
    dominance_gaps,
    region_balance,
    spread_certificate,
)
from econlib.market_makers.closed_forms import (
    single_good,
    uniform_menu,
    uniform_profit,
    uniform_spread,
)
from econlib.market_makers.polygons import menu_regions
from econlib.valuations import make

BELIEF, WEIGHT = st.floats(0, 1), st.floats(0, 0.95)


@settings(max_examples=50, deadline=None)
@given(c=BELIEF, lam=WEIGHT)
def test_one_good_costs_exactly_its_profit(c, lam):
    plan = spread_certificate(c, lam)
    assert plan.pop("cost") == pytest.approx(uniform_spread(c, lam).profit, abs=1e-14)
    assert list(plan.values()) == pytest.approx([0, 0, 0], abs=1e-14)


@settings(max_examples=20, deadline=None)
@given(c=BELIEF, lam=WEIGHT, seed=st.integers(0, 10**6))
def test_middle_is_dominated_by_functions_least_at_the_belief(c, lam, seed):
    gaps = dominance_gaps(c, lam, 300, np.random.default_rng(seed))
    assert gaps.min() >= -1e-12


def test_middle_is_not_dominated_in_plain_convex_order_off_the_centre():
    rng = np.random.default_rng(0)
    assert dominance_gaps(0.2, 0.0, 1000, rng, minimum_at_c=False).min() < -0.05
    assert dominance_gaps(0.5, 0.3, 1000, rng, minimum_at_c=False).min() >= -1e-12


class _OneKink:
    """A source of one function: (x - kink)+, with slope 1."""

    def __init__(self, kink: float) -> None:
        self.kink = kink

    def uniform(self, low, high, size):
        return np.full(size, self.kink)

    def exponential(self, scale, size):
        slopes = np.zeros(size)
        slopes[:, 0] = 1.0
        return slopes


@pytest.mark.parametrize("kink", [0.3, 0.5, 0.95])
def test_dominance_gap_is_the_integral_of_the_function(kink):
    c, lam = 0.3, 0.4
    spread = uniform_spread(c, lam)
    # untyped call: the source is a stand-in for a generator
    plain = inspect.unwrap(dominance_gaps)
    gap = plain(c, lam, 1, _OneKink(kink))[0]
    x = np.linspace(spread.bid, spread.ask, 200_001)
    exact = (2 - lam) * np.trapezoid(np.maximum(x - kink, 0), x)
    assert gap == pytest.approx(exact, abs=1e-8)


@settings(max_examples=30, deadline=None)
@given(c=st.tuples(BELIEF, BELIEF), lam=WEIGHT)
def test_masses_balance_on_every_region(c, lam):
    balance = region_balance(c, lam)
    assert len(balance) == 9
    assert max(map(abs, balance.values())) < 1e-9


@pytest.mark.parametrize(
    ("h1", "h2", "lam"),
    [
        (0.5, 0.5, 0.0),
        (0.2, 0.8, 0.0),
        (0.1, 0.9, 0.0),
        (0.05, 1.0, 0.0),
        (0.5, 1.0, 0.5),
    ],
)
def test_corners_can_be_filled(h1, h2, lam):
    plan = corner_plan((h1, h2), lam, 32)
    assert plan.shipped >= 0.998
    assert plan.shipped <= 1 + 1e-9
    source, target = plan.flow.tocoo().row, plan.flow.tocoo().col
    step = plan.sources[source] - plan.targets[target]
    cell = np.array([h1, h2]) / 32
    assert (step >= -cell).all()  # both coordinates down, up to the size of a cell
    cost = plan.flow.tocoo().data @ np.abs(step).sum(axis=1)
    assert cost == pytest.approx(plan.cost, abs=1e-12)


def test_corner_plan_refuses_bad_rooms():
    with pytest.raises(ValueError, match="rooms = "):
        corner_plan((0.0, 0.5), 0.0)
    with pytest.raises(ValueError, match="n = 1: expected an integer, 2 to 128"):
        corner_plan((0.5, 0.5), 0.0, 1)


@pytest.mark.parametrize("c", [0.0, 0.2, 0.5, 0.85])
@pytest.mark.parametrize("lam", [0.0, 0.25, 0.5, 0.75])
def test_cost_is_the_profit_of_searched_prices(c, lam):
    found = single_good(make("uniform", 1).marginals[0], c, lam).profit
    assert spread_certificate(c, lam)["cost"] == pytest.approx(found, abs=1e-9)


@pytest.mark.parametrize(
    ("c", "lam"), [((0.5, 0.5), 0.0), ((0.2, 0.2), 0.0), ((0.1, 0.7), 0.5)]
)
def test_costs_of_strips_and_corners_add_up_to_the_profit(c, lam):
    menu = uniform_menu(c, lam)
    regions = menu_regions(menu, make("uniform", 2), c, lam)
    m, totals = 2 + 1 / (1 - lam), np.zeros(2)
    for a, area in zip(menu.allocations, regions.probabilities[1:], strict=True):
        h = np.where(a > 0, 1 - np.array(c), np.array(c))
        if np.abs(a).sum() == 1:
            width = h[np.abs(a).argmax()] / m
            totals += (1 - lam) * m * area * width / 2  # mass moves half the width
        else:
            rooms = float(h[0]), float(h[1])
            totals += [corner_plan(rooms, lam, n).cost for n in (8, 16)]
    # distances are between middles of cells: the error falls as their size squared
    exact = uniform_profit(c, lam)
    assert (totals[0] - exact) / (totals[1] - exact) == pytest.approx(4, abs=0.2)
    assert (4 * totals[1] - totals[0]) / 3 == pytest.approx(exact, rel=5e-5)


@settings(max_examples=15, deadline=None)
@given(
    h=st.tuples(st.floats(0.02, 1), st.floats(0.02, 1)),
    lam=st.floats(0, 0.95),
    n=st.integers(4, 12),
)
def test_any_corner_ships_all_its_mass(h, lam, n):
    # cells on the region's slanted edge are cut exactly: no deficit at any size (the
    # tabled .9974 and .9987 counted whole cells)
    assert corner_plan(h, lam, n).shipped == pytest.approx(1.0, abs=1e-9)


@settings(max_examples=10, deadline=None)
@given(h=st.tuples(st.floats(0.05, 1), st.floats(0.05, 1)), lam=st.floats(0, 0.9))
def test_corner_plans_swap_with_the_goods(h, lam):
    first, second = corner_plan(h, lam, 6), corner_plan(h[::-1], lam, 6)
    assert first.cost == pytest.approx(second.cost, rel=1e-8)


def test_plan_sends_no_more_than_the_faces_carry_and_cells_take():
    h, lam, n = (0.2, 0.8), 0.0, 16
    plan = corner_plan(h, lam, n)
    sent = np.asarray(plan.flow.sum(axis=1)).ravel()
    taken = np.asarray(plan.flow.sum(axis=0)).ravel()
    menu = uniform_menu((1 - h[0], 1 - h[1]), lam)
    k = (menu.allocations == 1).all(axis=1).argmax()
    regions = menu_regions(menu, make("uniform", 2), (1 - h[0], 1 - h[1]), lam)
    polygon = regions.polygons[k + 1]
    low = polygon.min(axis=0)  # the region's ends on the two faces
    faces = h[0] * (1 - low[1]) + h[1] * (1 - low[0])
    assert sent.sum() == pytest.approx(plan.shipped * faces, abs=1e-9)
    assert taken.sum() <= 3 * regions.probabilities[k + 1] + 1e-9
    assert taken.max() <= 3 * np.prod((1 - low) / n) + 1e-9


@pytest.mark.parametrize("lam", [1.0, -0.1, float("nan")])
def test_weights_out_of_range_are_refused(lam):
    rng = np.random.default_rng(0)
    for call in (
        lambda: spread_certificate(0.5, lam),
        lambda: dominance_gaps(0.5, lam, 3, rng),
        lambda: region_balance(0.5, lam),
        lambda: corner_plan((0.5, 0.5), lam),
    ):
        with pytest.raises(ValueError, match=r"expected a number in \[0, 1\)"):
            call()


@pytest.mark.parametrize("c", [-0.1, 1.1, float("nan")])
def test_beliefs_outside_the_box_are_refused(c):
    for call in (spread_certificate, region_balance):
        with pytest.raises(ValueError, match=r"expected numbers in \[0, 1\]"):
            call(c, 0.0)
