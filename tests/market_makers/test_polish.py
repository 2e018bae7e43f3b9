"""Polished payments against the closed form, which the polish does not know."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from econlib.market_makers.closed_forms import uniform_menu, uniform_profit
from econlib.market_makers.measures import finite_elements
from econlib.market_makers.model import Menu
from econlib.market_makers.polish import (
    best_payments,
    conjecture,
    conjugate_payments,
    simplify,
)
from econlib.market_makers.polygons import profit_exact
from econlib.market_makers.primal import lp_menu, solve_primal
from econlib.valuations import make

TRADES = np.array([s for s in itertools.product((-1, 0, 1), repeat=2) if any(s)], float)


@pytest.mark.parametrize(
    ("c", "lam"), [((0.5, 0.5), 0.0), ((0.2, 0.2), 0.0), ((0.2, 0.5), 0.3)]
)
def test_program_and_polish_find_the_closed_form(c, lam):
    law = make("uniform", 2)
    measure = finite_elements(law, c, lam, 16)
    primal = solve_primal(measure, c)
    start = conjugate_payments(measure.points, primal.utilities, TRADES)
    menu = best_payments(Menu(TRADES, start), law, c, lam)
    # a local maximum of a smooth function: its value is good to the square of this
    assert menu.payments == pytest.approx(uniform_menu(c, lam).payments, abs=2e-4)
    assert profit_exact(menu, law, c, lam) == pytest.approx(
        uniform_profit(c, lam), abs=1e-7
    )


def test_conjugate_payments_leave_utilities_as_they_are():
    law = make("uniform", 2)
    measure = finite_elements(law, 0.4, 0.0, 8)
    primal = solve_primal(measure, 0.4)
    payments = conjugate_payments(measure.points, primal.utilities, TRADES)
    utility = Menu(TRADES, payments).utility(measure.points)
    assert (utility <= primal.utilities + 1e-9).all()
    cheaper = Menu(TRADES, payments - 1e-3).utility(measure.points)
    assert (cheaper > primal.utilities + 1e-9).any()


def test_polish_never_lowers_profit_under_another_law():
    law = make("beta", 2)
    before = Menu(TRADES, np.abs(TRADES).sum(axis=1) * 0.2 + TRADES.sum(axis=1) * 0.5)
    after = best_payments(before, law, 0.5, 0.25)
    assert profit_exact(after, law, 0.5, 0.25) > profit_exact(before, law, 0.5, 0.25)


def _learnt_like(menu: Menu, seed: int) -> Menu:
    """A menu such as a learner leaves: nearly whole trades, copies, idle entries."""
    rng = np.random.default_rng(seed)
    a = np.concatenate([menu.allocations, menu.allocations])
    t = np.concatenate([menu.payments, menu.payments])
    a = np.clip(a + rng.uniform(-0.02, 0.02, a.shape), -1, 1)
    t = t + rng.uniform(-3e-3, 3e-3, t.shape)
    idle = rng.uniform(-1, 1, (20, 2))
    return Menu(np.concatenate([a, idle]), np.concatenate([t, np.full(20, 3.0)]))


@pytest.mark.parametrize("seed", range(3))
def test_simplified_menu_keeps_what_is_traded(seed):
    law, c = make("uniform", 2), (0.5, 0.5)
    rough = _learnt_like(uniform_menu(c, 0.25), seed)
    few = simplify(rough, law, c, 0.25)
    assert len(few) == 8
    assert set(few.allocations.ravel()) == {-1.0, 0.0, 1.0}
    assert profit_exact(few, law, c, 0.25) > 0.99 * profit_exact(rough, law, c, 0.25)


@pytest.mark.parametrize("missing", [(-1, 0), (0, -1), (0, 1), (1, 0)])
def test_conjecture_fills_in_a_single_trade_that_learning_lost(missing):
    law, c, lam = make("uniform", 2), np.array([0.2, 0.4]), 0.0
    full = uniform_menu(c, lam)
    keep = (full.allocations != missing).any(axis=1)
    lost = Menu(full.allocations[keep], full.payments[keep] + 0.004)
    found = conjecture(lost, law, c, lam)
    order = np.lexsort(full.allocations.T[::-1])
    assert np.array_equal(found.allocations, full.allocations[order])
    assert found.payments == pytest.approx(full.payments[order], abs=1e-3)


def test_conjecture_keeps_lotteries_that_pay():
    # of the sheared law, whose best menu has fractional trades
    law = make("linear_correlation", 2, weight=0.5)
    menu = lp_menu_of(law)
    found = conjecture(menu, law, 0.5, 0.0)
    assert np.abs(found.allocations - np.round(found.allocations)).max() > 0.1
    assert profit_exact(found, law, 0.5, 0.0) > profit_exact(menu, law, 0.5, 0.0) - 1e-4


def lp_menu_of(law):
    measure = finite_elements(law, 0.5, 0.0, 16)
    return lp_menu(solve_primal(measure, 0.5), measure, law)
