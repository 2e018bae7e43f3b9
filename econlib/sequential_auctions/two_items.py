r"""Additive buyers, two items: menus with exact areas.

Values are :math:`U[0,1]` for each item.  A menu prices one item at :math:`p_1` and both
at :math:`p_2`.  With :math:`d=2p_1-p_2\ge0`,

.. math::

   \Pr(\emptyset)=p_1^2-\tfrac{d^2}2,\qquad
   \Pr(1)=2\,(1-p_1)(p_2-p_1),\qquad \Pr(2)=1-\Pr(\emptyset)-\Pr(1);

where :math:`p_2>2p_1`, with :math:`e=p_2-p_1`: :math:`\Pr(\emptyset)=p_1^2`,
:math:`\Pr(2)=(1-e)_+^2`.  With continuation values :math:`w_k` of :math:`k` items left
a buyer brings :math:`w_2\Pr(\emptyset)+(p_1+w_1)\Pr(1)+p_2\Pr(2)`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

__all__ = [
    "TwoItems",
    "area_dp",
    "best_order_two_items",
    "best_prices",
    "choice_areas",
    "stage_value",
]


@dataclass(frozen=True)
class TwoItems:
    """Best size prices for two items.

    Attributes
    ----------
    values : ndarray, shape (n_buyers + 1, 3)
        Revenue with t buyers to come and 0, 1, 2 items left.
    prices : ndarray, shape (n_buyers + 1, 2)
        Prices of one item and of both, with two items left and t buyers to come; the
        first row is not a number.
    """

    values: Float[np.ndarray, "n_stages 3"]
    prices: Float[np.ndarray, "n_stages 2"]


def choice_areas(p1: float | int, p2: float | int) -> Float[np.ndarray, " 3"]:
    """Probabilities that a buyer takes nothing, one item, both.

    Parameters
    ----------
    p1, p2 : float
        Prices of one item, in [0, 1], and of both, ``p1`` or more.

    Raises
    ------
    ValueError
        Prices out of range.

    Examples
    --------
    >>> choice_areas(0.5, 1.0).tolist()
    [0.25, 0.5, 0.25]
    """
    if not (0 <= p1 <= 1 and p1 <= p2 < np.inf):
        raise ValueError(
            f"p1, p2 = {p1}, {p2}: expected p1 in [0, 1] and p2 of p1 or more"
        )
    e = p2 - p1
    if p2 <= 2 * p1:
        none = p1**2 - max(2 * p1 - p2, 0.0) ** 2 / 2
        if e < 0:
            none = 0.0
        one = 2 * (1 - p1) * e
    else:
        none = p1**2
        one = 1 - none - max(1 - e, 0.0) ** 2
    return np.array([none, one, 1 - none - one])


def stage_value(
    p1: float | int, p2: float | int, after: Float[np.ndarray, " 3"]
) -> float:
    """Expected payment plus continuation value of one buyer facing two items.

    Parameters
    ----------
    p1, p2 : float
        As for :func:`choice_areas`.
    after : ndarray, shape (3,)
        Continuation values of 0, 1, 2 items left.
    """
    none, one, both = choice_areas(p1, p2)
    return float(after[2] * none + (p1 + after[1]) * one + (p2 + after[0]) * both)


def area_dp(n_buyers: int) -> TwoItems:
    """Best size prices by backward induction.

    Parameters
    ----------
    n_buyers : int
        1 to 1000.

    Returns
    -------
    TwoItems
        Values to about 1e-9.

    Raises
    ------
    ValueError
        ``n_buyers`` out of range.

    Notes
    -----
    A linear program over all menus of lotteries, with these continuation values, does
    no better on grids of types, so that nothing is lost by these menus.

    Examples
    --------
    >>> area_dp(2).values[2].round(6).tolist()
    [0.0, 0.390625, 0.820565]
    """
    if not 1 <= n_buyers <= 1000:
        raise ValueError(f"n_buyers = {n_buyers}: expected an integer, 1 to 1000")
    values, prices = np.zeros((n_buyers + 1, 3)), np.full((n_buyers + 1, 2), np.nan)
    for t in range(1, n_buyers + 1):
        p1, p2, value = best_prices(values[t - 1])
        values[t] = 0.0, ((1 + values[t - 1, 1]) / 2) ** 2, value
        prices[t] = p1, p2
    return TwoItems(values, prices)


def best_prices(after: Float[np.ndarray, " 3"]) -> tuple[float, float, float]:
    """Best prices of one item and of both, and what they bring with what is left.

    Parameters
    ----------
    after : ndarray, shape (3,)
        Continuation values of 0, 1, 2 items left, in units of an item's largest value.

    Examples
    --------
    >>> [round(x, 4) for x in best_prices(np.zeros(3))]
    [0.6667, 0.8619, 0.5492]
    """

    def loss(x: np.ndarray) -> float:
        p1, more = np.clip(x, 0.0, [1.0, 2.0])
        return -stage_value(p1, p1 + more, after)

    single = float(np.clip((1 + after[1]) / 2, 0.0, 1.0))
    starts = [(single, single), (single, 0.6 * single), (0.95, single)]
    found = min(
        (
            minimize(
                loss,
                start,
                method="Nelder-Mead",
                options={"xatol": 1e-10, "fatol": 1e-14, "maxiter": 2000},
            )
            for start in starts
        ),
        key=lambda r: r.fun,
    )
    p1, more = np.clip(found.x, 0.0, [1.0, 2.0])
    return float(p1), float(p1 + more), -float(found.fun)


def best_order_two_items(
    tops: Sequence[float | int],
) -> tuple[tuple[int, ...], float, dict[tuple[int, ...], float]]:
    r"""Best order of buyers whose values of two items are :math:`U[0,b_i]`.

    As for one good, the best order of those still to come does not depend on who came
    before, so that the best is found set by set.

    Parameters
    ----------
    tops : sequence of float
        :math:`b_i` of each buyer, above 0; 1 to 6 buyers.

    Returns
    -------
    order : tuple of int
        Places in ``tops``, first buyer first.
    value : float
        Its expected revenue.
    orders : dict
        Revenue of every order.

    Raises
    ------
    ValueError
        No buyer, more than six, or a bound that is not above 0.
    """
    if not (1 <= len(tops) <= 6 and all(0 < b < np.inf for b in tops)):
        raise ValueError(f"tops = {tops}: expected 1 to 6 numbers above 0")
    tails: dict[tuple[int, ...], np.ndarray] = {(): np.zeros(3)}
    n = len(tops)
    for size in range(1, n + 1):
        for order in itertools.permutations(range(n), size):
            b, after = tops[order[0]], tails[order[1:]]
            one = after[1] / b
            single = b * ((1 + one) / 2) ** 2 if one <= 1 else after[1]
            tails[order] = np.array([0.0, single, b * best_prices(after / b)[2]])
    orders = {order: float(tails[order][2]) for order in tails if len(order) == n}
    best = max(orders, key=orders.get)
    return best, orders[best], orders
