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
from econlib.market_makers.closed_forms import uniform_spread

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
