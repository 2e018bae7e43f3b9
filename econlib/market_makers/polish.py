r"""From a learnt menu to a conjecture: fewer trades, whole ones, the best payments.

A learner or a program on a grid finds *which* trades are offered.  Trades that hardly
anybody takes are dropped, those that are nearly the same are merged, those that are
nearly whole are made whole; payments are then polished on the exact profit.
"""

from __future__ import annotations

import itertools

import numpy as np
from jaxtyping import Float
from scipy import optimize

from econlib.market_makers.model import Menu, check_belief, check_weight
from econlib.market_makers.polygons import (
    menu_regions,
    profit_exact,
    stacked_profit_uniform,
)
from econlib.valuations import Valuation

__all__ = ["best_payments", "conjecture", "conjugate_payments", "simplify"]

_STEP = 1e-6
_GRID = 65
_DISCOUNT = 0.01  # of the support: so that each trade has takers to learn from


def conjugate_payments(
    points: Float[np.ndarray, "n_points n_items"],
    utilities: Float[np.ndarray, " n_points"],
    allocations: Float[np.ndarray, "n_entries n_items"],
) -> Float[np.ndarray, " n_entries"]:
    r"""Lowest payments at which trades leave given utilities as they are.

    :math:`t(a)=\max_i\,(a\cdot p_i-u_i)`, the convex conjugate of the utility.

    Parameters
    ----------
    points : ndarray, shape (n_points, n_items)
        Types.
    utilities : ndarray, shape (n_points,)
        What they have.
    allocations : ndarray, shape (n_entries, n_items)
        Trades to price.

    Returns
    -------
    ndarray, shape (n_entries,)
        Their payments.
    """
    return (allocations @ points.T - utilities).max(axis=1)


def simplify(
    menu: Menu,
    law: Valuation,
    c: object,
    lam: float,
    *,
    drop: float = 1e-3,
    merge: float = 0.03,
    snap: float = 0.05,
) -> Menu:
    """Reduce a menu to the few trades that it stands for.

    Parameters
    ----------
    menu : Menu
        Trades of two goods.
    law : Valuation
        Law of the types, of two items.
    c : float or sequence of float
        Belief, finite.
    lam : float
        Weight of the trader's value, [0, 1).
    drop : float
        Trades of smaller probability go, [0, 1).
    merge : float
        Trades that differ by at most this in each good become one, 0 or more.
    snap : float
        Amounts within this of -1, 0 or 1 become whole, [0, 0.5).

    Returns
    -------
    Menu
        Trades in lexicographic order; the mean taker of each is as well off as before.
    """
    regions = menu_regions(menu, law, c, lam)
    kept = regions.probabilities[1:] >= drop
    a, mass = menu.allocations[kept], regions.probabilities[1:][kept]
    means = regions.means[1:][kept]
    utility = (a * means).sum(axis=1) - menu.payments[kept]
    whole = np.round(a)
    a = np.where(np.abs(a - whole) <= snap, whole, a)
    groups = np.full(len(a), -1)
    for leader in np.argsort(-mass, kind="stable"):
        if groups[leader] < 0:
            near = np.abs(a - a[leader]).max(axis=1) <= merge
            groups[near & (groups < 0)] = leader
    leaders = np.unique(groups)
    shares = np.array([np.where(groups == k, mass, 0.0) for k in leaders])
    shares /= shares.sum(axis=1, keepdims=True)
    payments = (a[leaders] * (shares @ means)).sum(axis=1) - shares @ utility
    order = np.lexsort(a[leaders].T[::-1])
    return Menu(a[leaders][order] + 0.0, payments[order])


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


def conjecture(menu: Menu, law: Valuation, c: object, lam: float) -> Menu:
    """Guess the optimal menu from a learnt one.

    Two guesses are compared by their exact profit: the menu simplified, and all whole
    trades of the amounts that occur in it; each is polished first.

    Parameters
    ----------
    menu : Menu
        Trades of two goods.
    law : Valuation
        Law of the types, of two items.
    c : float or sequence of float
        Belief, finite.
    lam : float
        Weight of the trader's value, [0, 1).

    Returns
    -------
    Menu
        The better guess, without trades that hardly anybody takes.
    """
    few = best_payments(simplify(menu, law, c, lam), law, c, lam)
    amounts = [np.unique(np.round(column)) for column in few.allocations.T]
    amounts = [np.union1d(column, [0.0]) for column in amounts]
    whole = np.array([s for s in itertools.product(*amounts) if any(s)])
    axis = np.linspace(0, 1, _GRID)
    square = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    types = law.from_unit(square)
    payments = conjugate_payments(types, few.utility(types), whole)
    cheaper = _DISCOUNT * (1 - lam) * np.diff(law.support, axis=1).min()
    all_whole = best_payments(Menu(whole, payments - cheaper), law, c, lam)
    ours, theirs = (profit_exact(m, law, c, lam) for m in (all_whole, few))
    best = all_whole if ours >= theirs else few
    return best_payments(simplify(best, law, c, lam), law, c, lam)
