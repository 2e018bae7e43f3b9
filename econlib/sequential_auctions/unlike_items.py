r"""Additive buyers, two unlike items: three prices, areas of polygons.

Values are :math:`U[0,b_1]` and :math:`U[0,b_2]`.  At prices
:math:`p_1,p_2,p_{12}` the buyers who take a bundle form a polygon, the rectangle cut
by the half-planes :math:`v(T)-p_T\ge v(R)-p_R`; its area over :math:`b_1b_2` is the
probability of the bundle.  Backward induction maximises
:math:`\sum_T\Pr(T)\big(p_T+V_{t+1}(M\setminus T)\big)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

__all__ = ["UnlikeItems", "choice_shares", "unlike_items_dp"]

_HOLDS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])


@dataclass(frozen=True)
class UnlikeItems:
    """Best prices for two unlike items.

    Attributes
    ----------
    values : ndarray, shape (n_buyers + 1, 4)
        Revenue with t buyers to come and nothing, item 1, item 2, both left.
    prices : ndarray, shape (n_buyers + 1, 3)
        Of item 1, item 2 and both, with both left; the first row is not a number.
    """

    values: Float[np.ndarray, "n_stages 4"]
    prices: Float[np.ndarray, "n_stages 3"]


def choice_shares(
    prices: Float[np.ndarray, " 3"], tops: tuple[float | int, float | int]
) -> Float[np.ndarray, " 4"]:
    """Probabilities that a buyer takes nothing, item 1, item 2, both.

    Parameters
    ----------
    prices : ndarray, shape (3,)
        Of item 1, item 2 and both; 0 or more.
    tops : tuple of float
        Largest value of each item, above 0.

    Raises
    ------
    ValueError
        A number out of range.

    Examples
    --------
    >>> choice_shares(np.array([0.5, 0.5, 1.0]), (1, 1)).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    p = np.concatenate([[0.0], np.asarray(prices, float)])
    if not (np.isfinite(p).all() and p.min() >= 0):
        raise ValueError(f"prices = {prices}: expected numbers of 0 or more")
    if not all(0 < b < np.inf for b in tops):
        raise ValueError(f"tops = {tops}: expected numbers above 0")
    b1, b2 = map(float, tops)
    box = [(0.0, 0.0), (b1, 0.0), (b1, b2), (0.0, b2)]
    areas = np.zeros(4)
    for k in range(4):
        polygon = box
        for r in range(4):
            if r != k and polygon:
                a = _HOLDS[k] - _HOLDS[r]
                polygon = _cut(polygon, a[0], a[1], p[k] - p[r])
        areas[k] = _area(polygon)
    return areas / areas.sum()


def _cut(polygon: list, a1: float, a2: float, c: float) -> list:
    """The part of a convex polygon where :math:`a_1x+a_2y\\ge c`."""
    kept = []
    over = [a1 * x + a2 * y - c for x, y in polygon]
    for i, (x, y) in enumerate(polygon):
        j = i - 1
        if (over[i] >= 0) != (over[j] >= 0):
            θ = over[j] / (over[j] - over[i])
            u, v = polygon[j]
            kept.append((u + θ * (x - u), v + θ * (y - v)))
        if over[i] >= 0:
            kept.append((x, y))
    return kept


def _area(polygon: list) -> float:
    twice = 0.0
    for i, (x, y) in enumerate(polygon):
        u, v = polygon[i - 1]
        twice += u * y - x * v
    return abs(twice) / 2


def unlike_items_dp(
    n_buyers: int, tops: tuple[float | int, float | int] = (0.5, 1.0)
) -> UnlikeItems:
    """Best prices by backward induction.

    Parameters
    ----------
    n_buyers : int
        1 to 200.
    tops : tuple of float
        Largest value of each item, above 0; setting B with two items if left out.

    Returns
    -------
    UnlikeItems
        Values to about 1e-8; prices are local optima, the best of five starts.

    Raises
    ------
    ValueError
        A number out of range.

    Examples
    --------
    >>> unlike_items_dp(1).values[1].round(5).tolist()
    [0.0, 0.125, 0.25, 0.40741]
    """
    if not 1 <= n_buyers <= 200:
        raise ValueError(f"n_buyers = {n_buyers}: expected an integer, 1 to 200")
    if not all(0 < b < np.inf for b in tops):
        raise ValueError(f"tops = {tops}: expected numbers above 0")
    b = np.array(tops, float)
    values = np.zeros((n_buyers + 1, 4))
    prices = np.full((n_buyers + 1, 3), np.nan)
    high = np.array([*b, b.sum()])
    for t in range(1, n_buyers + 1):
        after = values[t - 1][::-1]  # of taking nothing, item 1, item 2, both

        def loss(x: np.ndarray, after: np.ndarray = after) -> float:
            p = np.clip(x, 0.0, high)
            return -float(choice_shares(p, tops) @ (np.append(0.0, p) + after))

        one = (b + values[t - 1, 1:3]) / 2
        starts = [np.append(one, f * one.sum()) for f in (1.0, 0.85, 0.7)]
        starts += [np.array([one[0], b[1], one[1]]), np.array([b[0], one[1], one[1]])]
        if t > 1:
            starts.append(prices[t - 1])
        found = min(
            (
                minimize(
                    loss,
                    start,
                    method="Nelder-Mead",
                    options={"xatol": 1e-9, "fatol": 1e-13, "maxiter": 1000},
                )
                for start in starts
            ),
            key=lambda r: r.fun,
        )
        prices[t] = np.clip(found.x, 0.0, high)
        values[t] = 0.0, one[0] ** 2 / b[0], one[1] ** 2 / b[1], -found.fun
    return UnlikeItems(values, prices)
