"""Polished payments against the closed form, which the polish does not know."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from econlib.market_makers.closed_forms import uniform_menu, uniform_profit
from econlib.market_makers.measures import finite_elements
from econlib.market_makers.model import Menu
from econlib.market_makers.polish import best_payments, conjugate_payments
from econlib.market_makers.polygons import profit_exact
from econlib.market_makers.primal import solve_primal
from econlib.valuations import make

TRADES = np.array([s for s in itertools.product((-1, 0, 1), repeat=2) if any(s)], float)


@pytest.mark.parametrize(
    ("c", "lam"), [((0.5, 0.5), 0.0), ((0.2, 0.2), 0.0), ((0.2, 0.5), 0.3)]
)
def test_program_and_polish_find_the_closed_form(c, lam):
    law = make("uniform", 2)
    measure = finite_elements(law, c, lam, 16)
    start = conjugate_payments(solve_primal(measure, c), measure, TRADES)
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
    payments = conjugate_payments(primal, measure, TRADES)
    utility = Menu(TRADES, payments).utility(measure.points)
    assert (utility <= primal.utilities + 1e-9).all()
    cheaper = Menu(TRADES, payments - 1e-3).utility(measure.points)
    assert (cheaper > primal.utilities + 1e-9).any()


def test_polish_never_lowers_profit_under_another_law():
    law = make("beta", 2)
    before = Menu(TRADES, np.abs(TRADES).sum(axis=1) * 0.2 + TRADES.sum(axis=1) * 0.5)
    after = best_payments(before, law, 0.5, 0.25)
    assert profit_exact(after, law, 0.5, 0.25) > profit_exact(before, law, 0.5, 0.25)
