r"""Best payments for given trades: the last step from numbers to a conjecture.

A learner or a program on a grid finds *which* trades are offered; their payments are
then polished on the exact profit.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy import optimize

from econlib.market_makers.measures import Measure
from econlib.market_makers.model import Menu, check_belief, check_weight
from econlib.market_makers.polygons import profit_exact, stacked_profit_uniform
from econlib.market_makers.primal import Primal
from econlib.valuations import Valuation

__all__ = ["best_payments", "conjugate_payments"]

_STEP = 1e-6


def conjugate_payments(
    primal: Primal,
    measure: Measure,
    allocations: Float[np.ndarray, "n_entries n_items"],
) -> Float[np.ndarray, " n_entries"]:
    r"""Lowest payments at which trades leave a program's utilities as they are.

    :math:`t(a)=\max_i\,(a\cdot p_i-u_i)`, the convex conjugate of the utility.

    Parameters
    ----------
    primal, measure : Primal, Measure
        A program's solution and its points.
    allocations : ndarray, shape (n_entries, n_items)
        Trades to price.

    Returns
    -------
    ndarray, shape (n_entries,)
        Their payments.
    """
    return (allocations @ measure.points.T - primal.utilities).max(axis=1)


def best_payments(menu: Menu, law: Valuation, c: object, lam: float) -> Menu:
    """Move a menu's payments to a local maximum of its exact profit.

    Parameters
    ----------
    menu : Menu
        Trades of two goods, and payments to start from.
    law : Valuation
        Law of the types, of two items.
    c : float or sequence of float
        Belief, finite.
    lam : float
        Weight of the trader's value, [0, 1).

    Returns
    -------
    Menu
        The same trades; never of lower profit than the menu given.

    Notes
    -----
    Quasi-Newton steps on central differences; under uniform types on the unit square
    all differences of a step are one stacked evaluation.
    """
    c, lam = check_belief(c, 2, -np.inf, np.inf), check_weight(lam)
    k = len(menu)
    steps = np.concatenate([np.eye(k), -np.eye(k), np.zeros((1, k))]) * _STEP

    def loss(t: np.ndarray) -> tuple[float, np.ndarray]:
        payments = t + steps
        if law.name == "uniform":
            n = len(payments)
            values = stacked_profit_uniform(
                np.broadcast_to(menu.allocations, (n, k, 2)),
                payments,
                np.broadcast_to(c, (n, 2)),
                np.full(n, lam),
            )
        else:
            values = np.array(
                [profit_exact(Menu(menu.allocations, p), law, c, lam) for p in payments]
            )
        return -float(values[-1]), -(values[:k] - values[k:-1]) / (2 * _STEP)

    found = optimize.minimize(
        loss, menu.payments, jac=True, method="BFGS", options={"gtol": 1e-7}
    )
    start = loss(menu.payments)[0]
    return Menu(menu.allocations, found.x if found.fun <= start else menu.payments)
