r"""Revenue of a menu, and the best menu that never clashes with a leader's: compiled.

With the suprema of :mod:`econlib.gemnet.reach` prices :math:`(a,b,c)` of the follower
with

.. math::

   a>\max(\sup_{D_{12}}x,\ \alpha(b)),\quad b>\max(\sup_{D_{12}}y,\ \beta(a)),\quad
   c>\max(\sup_{D_{12}}(x+y),\ \gamma(b),\ \delta(a))

never sell an item twice, whatever the follower's values and however ties are broken.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from numba import njit

from econlib.gemnet.bound_slope import add_slope
from econlib.gemnet.reach import alpha, blank, demand, gamma

__all__ = [
    "MARGIN",
    "OUT",
    "STEPS",
    "gradient",
    "leader_slope",
    "mean_revenue",
    "repair",
    "replies",
    "reply",
    "revenue",
]

#: How far prices stay above the suprema: strictness, far above rounding.
MARGIN = 1e-9
#: A price that nobody pays.
OUT = 3.0
#: Directions of the search for prices, each tried both ways.
#:
#: :meta hide-value:
STEPS = np.array(
    [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
        [1, 1, 0],
        [1, 0, 1],
        [0, 1, 1],
        [1, 1, 1],
        [1, -1, 0],
        [1, 1, 2],
        [1, 0, -1],
        [0, 1, -1],
    ],
    dtype=np.float64,
)
_NODES = np.array([0.5 - 0.5 / np.sqrt(3), 0.5 + 0.5 / np.sqrt(3)])


@njit(cache=True)
@no_type_check
def _cdf(breaks, coef, x):
    if x <= 0.0:
        return 0.0
    if x >= breaks[-1]:
        return 1.0
    k = 0
    while x > breaks[k + 1]:
        k += 1
    return coef[k, 0] + x * (coef[k, 1] + x * coef[k, 2])


@njit(cache=True)
@no_type_check
def _insert(cuts, m, z):
    """Insert a number into m increasing ones if it lies between the first and last."""
    if z <= cuts[0] or z >= cuts[m - 1]:
        return m
    k = m
    while cuts[k - 1] > z:
        cuts[k] = cuts[k - 1]
        k -= 1
    cuts[k] = z
    return m + 1


@njit(cache=True)
@no_type_check
def revenue(breaks, coef, a, b, c):
    """Expected payment of a bidder with independent values of this law, exactly.

    Given the value x of item 1, item 2 is bought from
    ``y = max(x - a, 0) + min(b, c - x)`` on.
    """
    n, top = len(breaks), breaks[-1]
    cuts = np.empty(4 + 3 * n)
    cuts[0], cuts[1] = 0.0, top
    m = _insert(cuts, 2, a)
    m = _insert(cuts, m, c - b)
    for k in range(n):
        z = breaks[k]
        m = _insert(cuts, m, z)
        m = _insert(cuts, m, c - z)  # x < a and the bundle's price rules: y = c - x
        m = _insert(cuts, m, z + a - b)  # x > a and item 2's price rules: y = x - a + b
    total = 0.0
    for k in range(m - 1):
        low, width = cuts[k], cuts[k + 1] - cuts[k]
        if width <= 1e-15:
            continue
        middle = low + 0.5 * width
        piece = 0
        while middle > breaks[piece + 1]:
            piece += 1
        for node in _NODES:
            x = low + width * node
            density = coef[piece, 1] + 2 * x * coef[piece, 2]
            alone = c - x >= b
            start = max(x - a, 0.0) + (b if alone else c - x)
            unsold = _cdf(breaks, coef, start)
            gain = (1.0 - unsold) * (b if alone else c)
            if x >= a:
                gain += unsold * a
            total += 0.5 * width * density * gain
    return total


@njit(cache=True)
@no_type_check
def _least(both, peaks, at, first, listed, edges, a, b, c):
    still = False
    for _ in range(200):
        z, _ = alpha(peaks, at, first, listed, edges, 0, b)
        up = max(a, max(both[0], z) + MARGIN)
        z, _ = alpha(peaks, at, first, listed, edges, 1, up)
        right = max(b, max(both[1], z) + MARGIN)
        still = up == a and right == b
        a, b = up, right
        if still:
            break
    if not still:
        a = b = OUT
    z, _ = gamma(peaks, at, first, listed, edges, 0, b)
    w, _ = gamma(peaks, at, first, listed, edges, 1, a)
    return a, b, max(c, max(both[2], max(z, w)) + MARGIN)


@njit(cache=True)
@no_type_check
def repair(reach, a, b, c):
    """Least prices above a wish (a, b, c) that never clash."""
    both, _, edges, _, _, peaks, at, first, listed, _, _ = reach
    return _least(both, peaks, at, first, listed, edges, a, b, c)


@njit(cache=True)
@no_type_check
def reply(reach, breaks, coef, starts, steps, bundle):
    """Best prices found for the follower where the leader's demand is known.

    A pattern search over wishes, each repaired; fixed starts and order, so that the
    menu is a function of the leader's values.

    Parameters
    ----------
    reach : Reach
        Of the leader's values.
    breaks, coef
        Law of the follower's values.
    starts : ndarray, shape (n, 3)
        Wishes to begin from.
    steps : ndarray, shape (n_steps,)
        Of the search, one after the other where nothing is better.
    bundle : bool
        Whether both items together are on the menu.

    Returns
    -------
    prices : ndarray, shape (3,)
    revenue : float
    """
    # a tuple of arrays is costly to pass on
    both, _, edges, _, _, peaks, at, first, listed, _, _ = reach
    best, most = (OUT, OUT, OUT), 0.0
    for start in range(len(starts)):
        c = starts[start, 2] if bundle else 2 * OUT
        a, b = starts[start, 0], starts[start, 1]
        here = _least(both, peaks, at, first, listed, edges, a, b, c)
        value = revenue(breaks, coef, here[0], here[1], here[2])
        level = 0
        while level < len(steps):
            width, better = steps[level], False
            for k in range(len(STEPS)):
                if not bundle and STEPS[k, 2] != 0:
                    continue
                for sign in (width, -width):
                    there = _least(
                        both,
                        peaks,
                        at,
                        first,
                        listed,
                        edges,
                        here[0] + sign * STEPS[k, 0],
                        here[1] + sign * STEPS[k, 1],
                        here[2] + sign * STEPS[k, 2],
                    )
                    if there == here:
                        continue
                    found = revenue(breaks, coef, there[0], there[1], there[2])
                    if found > value + 1e-13:
                        here, value, better = there, found, True
            if not better:
                level += 1
        if value > most:
            best, most = here, value
    return np.array(best), most


@njit(cache=True)
@no_type_check
def replies(knots, table, breaks, coef, points, starts, steps, bundle):
    """Prices for the follower at many values of the leader.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
    starts : ndarray, shape (n, n_starts, 3)

    Returns
    -------
    ndarray, shape (n, 3)
    """
    reach = blank(len(knots))
    out = np.empty((len(points), 3))
    for p in range(len(points)):
        demand(knots, table, points[p, 0], points[p, 1], reach)
        out[p], _ = reply(reach, breaks, coef, starts[p], steps, bundle)
    return out


@njit(cache=True)
@no_type_check
def gradient(knots, table, breaks, coef, points, weights, warm, steps, bundle):
    """Follower's revenue at some values of the leader and its slope in the table.

    By the envelope theorem a price that sits on its bound passes on what raising it,
    and what it drags along, would cost.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        Values of the leader.
    weights : ndarray, shape (n,)
    warm : ndarray, shape (n, 3)
        Wishes to begin from; replaced by the replies.
    steps : ndarray
        Of the search from there.
    """
    out = np.zeros_like(table)
    total = 0.0
    h = 1e-5
    reach = blank(len(knots))
    _, _, edges, _, _, peaks, at, first, listed, _, _ = reach
    for p in range(len(points)):
        demand(knots, table, points[p, 0], points[p, 1], reach)
        here, value = reply(reach, breaks, coef, warm[p : p + 1], steps, bundle)
        warm[p] = here
        total += weights[p] * value
        for q in range(3 if bundle else 2):
            raised = here.copy()
            raised[q] += h
            a, b, c = repair(reach, raised[0], raised[1], raised[2])
            cost = (value - revenue(breaks, coef, a, b, c)) / h
            if cost <= 0:
                continue
            kink, bound, number = 0.0, reach.both[q], reach.owner[q]
            which, kind = 3, q
            if q < 2:
                z, e = alpha(peaks, at, first, listed, edges, q, here[1 - q])
                if z > bound:
                    bound, number, which, kind = z, reach.source[q, e], q + 1, 3
                    kink = here[1 - q]
            else:
                for item in range(2):
                    z, e = gamma(peaks, at, first, listed, edges, item, here[1 - item])
                    if z > bound:
                        bound, number = z, reach.source[item, e]
                        which, kind, kink = item + 1, 4, here[1 - item]
            if number < 0 or here[q] > bound + MARGIN + 1e-7:
                continue  # the price is free of its bound
            add_slope(out, knots, reach, number, which, kind, kink, -weights[p] * cost)
    return total, out


@njit(cache=True)
@no_type_check
def mean_revenue(breaks, coef, prices, weights):
    """Weighted sum of the revenue of menus."""
    total = 0.0
    for k in range(len(prices)):
        a, b, c = prices[k]
        total += weights[k] * revenue(breaks, coef, a, b, c)
    return total


@njit(cache=True)
@no_type_check
def leader_slope(breaks, coef, prices, h):
    """Mean revenue of menus, and the slope of each by central differences."""
    slope = np.empty_like(prices)
    total = 0.0
    for k in range(len(prices)):
        menu = prices[k].copy()
        total += revenue(breaks, coef, menu[0], menu[1], menu[2])
        for q in range(3):
            price = menu[q]
            menu[q] = price + h
            high = revenue(breaks, coef, menu[0], menu[1], menu[2])
            menu[q] = price - h
            low = revenue(breaks, coef, menu[0], menu[1], menu[2])
            menu[q] = price
            slope[k, q] = (high - low) / (2 * h)
    return total / len(prices), slope
