r"""Compiled geometry of a table of prices and the menu that never clashes with it.

The *leader*'s prices of item 1, item 2 and both are continuous and linear on the
triangles of a grid over the other's values :math:`(x,y)`, each rectangle split by its
anti-diagonal.  At values :math:`(s,t)` the leader takes :math:`S` on the closed set
:math:`D_S` of others' values, a union of polygons.  With

.. math::

   \alpha(b)=\sup_{D_1}\,[x-(y-b)^+],\qquad
   \gamma(b)=\sup_{D_1}\,[x+\min(y,b)],

and the same for item 2 with coordinates exchanged, prices :math:`(a,b,c)` of the
*follower* with

.. math::

   a>\max(\sup_{D_{12}}x,\ \alpha(b)),\quad b>\max(\sup_{D_{12}}y,\ \beta(a)),\quad
   c>\max(\sup_{D_{12}}(x+y),\ \gamma(b),\ \delta(a))

never sell an item twice, whatever the follower's values and however ties are broken.
Integrands are concave with one kink on convex polygons, so that each supremum is at a
vertex or where an edge crosses the kink.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from numba import njit

__all__ = [
    "MARGIN",
    "WIDEN",
    "demand",
    "gradient",
    "leader_slope",
    "mean_revenue",
    "repair",
    "reply",
    "revenue",
]

#: How far prices stay above the suprema: strictness, far above rounding.
MARGIN = 1e-9
#: How far half-planes are moved outwards: ties, far above rounding.
WIDEN = 1e-12

_BINS = 64
_OUT = 3.0  # a price that nobody pays
_STEPS = np.array(
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
def revenue(breaks, coef, a, b, c):
    """Expected payment of a bidder with independent values of this law, exactly.

    Given the value x of item 1, item 2 is bought from
    ``y = max(x - a, 0) + min(b, c - x)`` on.
    """
    n = len(breaks)
    cuts = np.empty(7 + 6 * n)
    cuts[0], cuts[1], cuts[2] = a, c - b, c
    m = 3
    for k in range(n):
        z = breaks[k]
        cuts[m] = z
        cuts[m + 1] = c - z  # x < a and the bundle's price rules: y = c - x
        cuts[m + 2] = z + a - b  # x > a and item 2's price rules: y = x - a + b
        m += 3
    cuts = cuts[:m]
    top = breaks[-1]
    for k in range(m):
        cuts[k] = min(max(cuts[k], 0.0), top)
    cuts.sort()
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
def _clip(px, py, n, qx, qy, g0, gx, gy):
    """Keep the part of a polygon where ``g0 + gx x + gy y >= -WIDEN``."""
    m = 0
    for k in range(n):
        j = k + 1 if k + 1 < n else 0
        here = g0 + gx * px[k] + gy * py[k] + WIDEN
        there = g0 + gx * px[j] + gy * py[j] + WIDEN
        if here >= 0:
            qx[m], qy[m] = px[k], py[k]
            m += 1
        if (here >= 0) != (there >= 0):
            share = here / (here - there)
            qx[m] = px[k] + share * (px[j] - px[k])
            qy[m] = py[k] + share * (py[j] - py[k])
            m += 1
    for k in range(m):
        px[k], py[k] = qx[k], qy[k]
    return m


@njit(cache=True)
@no_type_check
def _region(which, corner, x0, y0, dx, dy, s, t, px, py, qx, qy):
    """Part of a triangle on which the leader may take ``which``: 0, 1 single, 2 both.

    The triangle has its right angle at (x0, y0) and legs dx, dy, which may be negative;
    ``corner[k]`` has the prices at the right angle, along x and along y.
    """
    n = 3
    px[0], px[1], px[2] = x0, x0 + dx, x0
    py[0], py[1], py[2] = y0, y0, y0 + dy
    worth = (s, t, s + t)
    for other in range(4):
        if other == which:
            continue
        g = np.empty(3)
        for k in range(3):
            g[k] = worth[which] - corner[k, which]
            if other < 3:
                g[k] -= worth[other] - corner[k, other]
        if g[0] < -WIDEN and g[1] < -WIDEN and g[2] < -WIDEN:
            return 0
        if g[0] >= 0 and g[1] >= 0 and g[2] >= 0:
            continue
        gx, gy = (g[1] - g[0]) / dx, (g[2] - g[0]) / dy
        n = _clip(px, py, n, qx, qy, g[0] - gx * x0 - gy * y0, gx, gy)
        if n == 0:
            return 0
    return n


@njit(cache=True)
@no_type_check
def _triangle(knots, table, number, corner):
    """Right angle and legs of a triangle, and the prices at its corners."""
    cells = len(knots) - 1
    cell, upper = number // 2, number % 2
    i, j = cell // cells, cell % cells
    if upper:
        ii, jj, di, dj = i + 1, j + 1, -1, -1
    else:
        ii, jj, di, dj = i, j, 1, 1
    corner[0] = table[ii, jj]
    corner[1] = table[ii + di, jj]
    corner[2] = table[ii, jj + dj]
    dx, dy = knots[ii + di] - knots[ii], knots[jj + dj] - knots[jj]
    return knots[ii], knots[jj], dx, dy


@njit(cache=True)
@no_type_check
def demand(knots, table, s, t):
    """Where the leader at (s, t) may take what, as far as suprema need it.

    Returns
    -------
    both : ndarray, shape (3,)
        Suprema of x, y and x + y over values at which both may be taken; -1 if none.
    owner : ndarray of int, shape (3,)
        Triangles at which these are attained.
    edges : ndarray, shape (2, n, 4)
        Edges (x, y, x, y) of the regions of one item, coordinates exchanged for item 2.
    source : ndarray of int, shape (2, n)
        Their triangles.
    count : ndarray of int, shape (2,)
    """
    n_triangles = 2 * (len(knots) - 1) ** 2
    both, owner = np.full(3, -1.0), np.full(3, -1)
    edges = np.empty((2, 6 * n_triangles, 4))
    source = np.empty((2, 6 * n_triangles), dtype=np.int64)
    count = np.zeros(2, dtype=np.int64)
    best = np.full((2, _BINS), -1.0)
    corner = np.empty((3, 3))
    px, py, qx, qy = np.empty(12), np.empty(12), np.empty(12), np.empty(12)
    for number in range(n_triangles):
        x0, y0, dx, dy = _triangle(knots, table, number, corner)
        for which in range(3):
            n = _region(which, corner, x0, y0, dx, dy, s, t, px, py, qx, qy)
            if which == 2:
                for k in range(n):
                    for j, z in enumerate((px[k], py[k], px[k] + py[k])):
                        if z > both[j]:
                            both[j], owner[j] = z, number
                continue
            for k in range(n):
                j = k + 1 if k + 1 < n else 0
                e = count[which]
                if which == 0:
                    row = (px[k], py[k], px[j], py[j])
                else:
                    row = (py[k], px[k], py[j], px[j])
                for q in range(4):
                    edges[which, e, q] = row[q]
                source[which, e] = number
                count[which] += 1
                bin_ = min(max(int(row[1] * _BINS), 0), _BINS - 1)
                best[which, bin_] = max(best[which, bin_], row[0])
    for which in range(2):
        kept = 0
        for e in range(count[which]):
            x = max(edges[which, e, 0], edges[which, e, 2])
            y0, y1 = edges[which, e, 1], edges[which, e, 3]
            first = min(max(int(min(y0, y1) * _BINS), 0), _BINS - 1)
            last = min(max(int(max(y0, y1) * _BINS), 0), _BINS - 1)
            needed = False
            for bin_ in range(first, last + 1):
                # a vertex further right by more than a bin is better for every price
                if x >= best[which, bin_] - 1.0 / _BINS:
                    needed = True
                    break
            if needed:
                edges[which, kept] = edges[which, e]
                source[which, kept] = source[which, e]
                kept += 1
        count[which] = kept
    return both, owner, edges, source, count


@njit(cache=True)
@no_type_check
def _alpha(edges, n, b):
    """Supremum of x - (y - b)^+ over edges, and which edge attains it."""
    most, at = -1.0, -1
    for e in range(n):
        x0, y0, x1, y1 = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
        z = max(x0 - max(y0 - b, 0.0), x1 - max(y1 - b, 0.0))
        if (y0 - b) * (y1 - b) < 0:
            z = max(z, x0 + (b - y0) / (y1 - y0) * (x1 - x0))
        if z > most:
            most, at = z, e
    return most, at


@njit(cache=True)
@no_type_check
def _gamma(edges, n, b):
    """Supremum of x + min(y, b) over edges, and which edge attains it."""
    most, at = -1.0, -1
    for e in range(n):
        x0, y0, x1, y1 = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
        z = max(x0 + min(y0, b), x1 + min(y1, b))
        if (y0 - b) * (y1 - b) < 0:
            z = max(z, x0 + (b - y0) / (y1 - y0) * (x1 - x0) + b)
        if z > most:
            most, at = z, e
    return most, at


@njit(cache=True)
@no_type_check
def repair(both, edges, count, wish):
    """Least prices above a wish that never clash."""
    a, b = wish[0], wish[1]
    still = False
    for _ in range(200):
        z, _ = _alpha(edges[0], count[0], b)
        up = max(a, max(both[0], z) + MARGIN)
        z, _ = _alpha(edges[1], count[1], up)
        right = max(b, max(both[1], z) + MARGIN)
        still = up == a and right == b
        a, b = up, right
        if still:
            break
    if not still:
        a = b = _OUT
    z, _ = _gamma(edges[0], count[0], b)
    w, _ = _gamma(edges[1], count[1], a)
    c = max(wish[2], max(both[2], max(z, w)) + MARGIN)
    return np.array([a, b, c])


@njit(cache=True)
@no_type_check
def reply(knots, table, breaks, coef, s, t, starts, step, bundle):
    """Best prices found for the follower at the leader's values (s, t).

    A pattern search over wishes, each repaired; fixed starts and order, so that the
    menu is a function of (s, t).

    Parameters
    ----------
    knots, table
        Of the leader.
    breaks, coef
        Law of the follower's values.
    starts : ndarray, shape (n, 3)
        Wishes to begin from.
    step : float
        First step of the search.
    bundle : bool
        Whether both items together are on the menu.
    """
    both, _, edges, _, count = demand(knots, table, s, t)
    best, most = np.full(3, _OUT), 0.0
    for start in range(len(starts)):
        wish = starts[start].copy()
        if not bundle:
            wish[2] = 2 * _OUT
        here = repair(both, edges, count, wish)
        value = revenue(breaks, coef, here[0], here[1], here[2])
        width = step
        while width > 5e-4:
            better = False
            for k in range(len(_STEPS)):
                if not bundle and _STEPS[k, 2] != 0:
                    continue
                for sign in (1.0, -1.0):
                    there = repair(both, edges, count, here + sign * width * _STEPS[k])
                    found = revenue(breaks, coef, there[0], there[1], there[2])
                    if found > value + 1e-13:
                        here, value, better = there, found, True
            if not better:
                width *= 0.4
        if value > most:
            best, most = here, value
    return best, most


@njit(cache=True)
@no_type_check
def _sup(which, kind, kink, corner, x0, y0, dx, dy, s, t, px, py, qx, qy):
    """One triangle's own supremum; of kind 0 to 2 of x, y, x + y, 3 alpha, 4 gamma."""
    n = _region(which, corner, x0, y0, dx, dy, s, t, px, py, qx, qy)
    most = -1.0
    edge = np.empty((1, 4))
    for k in range(n):
        if kind < 3:
            z = px[k] if kind == 0 else py[k] if kind == 1 else px[k] + py[k]
        else:
            j = k + 1 if k + 1 < n else 0
            if which == 0:
                edge[0] = np.array([px[k], py[k], px[j], py[j]])
            else:
                edge[0] = np.array([py[k], px[k], py[j], px[j]])
            z, _ = _alpha(edge, 1, kink) if kind == 3 else _gamma(edge, 1, kink)
        most = max(most, z)
    return most


@njit(cache=True)
@no_type_check
def _add_slope(out, knots, table, number, which, kind, kink, s, t, weight):
    """Add weight times the slope of one triangle's supremum in its corner prices."""
    corner = np.empty((3, 3))
    px, py, qx, qy = np.empty(12), np.empty(12), np.empty(12), np.empty(12)
    x0, y0, dx, dy = _triangle(knots, table, number, corner)
    cells = len(knots) - 1
    cell, upper = number // 2, number % 2
    i, j = cell // cells, cell % cells
    ii, jj, d = (i + 1, j + 1, -1) if upper else (i, j, 1)
    h = 1e-5
    for k in range(3):
        for q in range(3):
            price = corner[k, q]
            corner[k, q] = price + h
            high = _sup(which, kind, kink, corner, x0, y0, dx, dy, s, t, px, py, qx, qy)
            corner[k, q] = price - h
            low = _sup(which, kind, kink, corner, x0, y0, dx, dy, s, t, px, py, qx, qy)
            corner[k, q] = price
            if high < 0 or low < 0:  # the region closes
                continue
            slope = min(max((high - low) / (2 * h), -5.0), 5.0)
            row = ii + d if k == 1 else ii
            column = jj + d if k == 2 else jj
            out[row, column, q] += weight * slope


@njit(cache=True)
@no_type_check
def gradient(knots, table, breaks, coef, points, weights, warm, bundle):
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
    """
    out = np.zeros_like(table)
    total = 0.0
    h = 1e-5
    for p in range(len(points)):
        s, t = points[p]
        both, owner, edges, source, count = demand(knots, table, s, t)
        here, value = reply(
            knots, table, breaks, coef, s, t, warm[p : p + 1], 0.01, bundle
        )
        warm[p] = here
        total += weights[p] * value
        for q in range(3 if bundle else 2):
            raised = here.copy()
            raised[q] += h
            there = repair(both, edges, count, raised)
            cost = (value - revenue(breaks, coef, there[0], there[1], there[2])) / h
            if cost <= 0:
                continue
            kink, bound, number, which, kind = 0.0, both[q], owner[q], 2, q
            if q < 2:
                kink = here[1 - q]
                z, e = _alpha(edges[q], count[q], kink)
                if z > bound:
                    bound, number, which, kind = z, source[q, e], q, 3
            else:
                for item in range(2):
                    z, e = _gamma(edges[item], count[item], here[1 - item])
                    if z > bound:
                        bound, number, which, kind = z, source[item, e], item, 4
                        kink = here[1 - item]
            if number < 0 or here[q] > bound + MARGIN + 1e-7:
                continue  # the price is free of its bound
            _add_slope(
                out, knots, table, number, which, kind, kink, s, t, -weights[p] * cost
            )
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
