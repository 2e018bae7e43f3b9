r"""Where a leader takes what, and how far it reaches: compiled geometry.

The *leader*'s prices of item 1, item 2 and both are continuous and linear on the
triangles of a grid over the other's values :math:`(x,y)`, each rectangle split by its
anti-diagonal.  At values :math:`(s,t)` the leader takes :math:`S` on the closed set
:math:`D_S` of others' values, a union of convex polygons.  Of it the *follower* has to
know

.. math::

   \alpha(b)=\sup_{D_1}\,[x-(y-b)^+],\qquad
   \gamma(b)=\sup_{D_1}\,[x+\min(y,b)],

the same for item 2 with coordinates exchanged, and the suprema of x, y and x + y over
:math:`D_{12}`.  Integrands are concave with one kink on convex polygons, and rise with
x, so that each supremum is at a vertex of the right-hand chain of a polygon or where an
edge of it crosses y = b.
"""

from __future__ import annotations

from typing import NamedTuple, no_type_check

import numpy as np
from numba import njit

__all__ = [
    "WIDEN",
    "Reach",
    "alpha",
    "blank",
    "clip",
    "demand",
    "edge_alpha",
    "edge_gamma",
    "gamma",
    "place",
    "region",
]

#: How far half-planes are moved outwards: ties, and above what rounding can do.
WIDEN = 1e-11

_BINS = 64


class Reach(NamedTuple):
    """What the leader takes where, for one value; room that is used again and again.

    Index 0 of most arrays is the item.  For item 2 coordinates are exchanged.

    Attributes
    ----------
    both : ndarray, shape (3,)
        Suprema of x, y and x + y over values at which both are taken; -1 if none.
    owner : ndarray of int, shape (3,)
        Triangles at which these are attained.
    edges : ndarray, shape (2, n, 4)
        Right-hand edges (x, y, x, y) of the regions of a single item.
    source : ndarray of int, shape (2, n)
        Their triangles.
    count : ndarray of int, shape (2,)
    peaks : ndarray, shape (2, 4, n_bins)
        Largest x and x + y at a vertex in bins of y up to this one, and largest x - y
        and x from this one on.
    at : ndarray of int, shape (2, 4, n_bins)
        Edges at which these are attained.
    first : ndarray of int, shape (2, n_bins + 1)
        Where the list of each bin begins.
    listed : ndarray of int, shape (2, n)
        Edges that meet a bin and are not dominated within it, bin after bin.
    gains : ndarray, shape (n_knots, n_knots, 4)
        Of nothing, item 1, item 2 and both to the leader.
    sure : ndarray of int, shape (n_knots, n_knots)
        What is strictly best, -1 if it is close.
    """

    both: np.ndarray
    owner: np.ndarray
    edges: np.ndarray
    source: np.ndarray
    count: np.ndarray
    peaks: np.ndarray
    at: np.ndarray
    first: np.ndarray
    listed: np.ndarray
    gains: np.ndarray
    sure: np.ndarray


@njit(cache=True)
@no_type_check
def blank(n_knots):
    """Room for the regions on so many knots."""
    cells = n_knots - 1
    n_edges = 12 * cells**2  # a clipped triangle has at most six sides
    n_listed = 12 * cells * _BINS + 2 * n_edges  # sides of one column, bin by bin
    return Reach(
        np.empty(3),
        np.empty(3, np.int64),
        np.empty((2, n_edges, 4)),
        np.empty((2, n_edges), np.int64),
        np.zeros(2, np.int64),
        np.empty((2, 4, _BINS)),
        np.empty((2, 4, _BINS), np.int64),
        np.empty((2, _BINS + 1), np.int64),
        np.empty((2, n_listed), np.int64),
        np.zeros((n_knots, n_knots, 4)),
        np.empty((n_knots, n_knots), np.int64),
    )


@njit(cache=True)
@no_type_check
def clip(px, py, n, qx, qy, g0, gx, gy):
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
def region(which, gain, x0, y0, dx, dy, px, py, qx, qy):
    """Part of a triangle on which the leader may take ``which``: 1, 2 single, 3 both.

    The triangle has its right angle at (x0, y0) and legs dx, dy, which may be negative;
    ``gain[k]`` has the gains at the right angle, along x and along y.  Anticlockwise.
    """
    n = 3
    px[0], px[1], px[2] = x0, x0 + dx, x0
    py[0], py[1], py[2] = y0, y0, y0 + dy
    for other in range(4):
        if other == which:
            continue
        g0 = gain[0, which] - gain[0, other]
        g1 = gain[1, which] - gain[1, other]
        g2 = gain[2, which] - gain[2, other]
        if g0 < -WIDEN and g1 < -WIDEN and g2 < -WIDEN:
            return 0
        if g0 >= 0 and g1 >= 0 and g2 >= 0:
            continue
        gx, gy = (g1 - g0) / dx, (g2 - g0) / dy
        n = clip(px, py, n, qx, qy, g0 - gx * x0 - gy * y0, gx, gy)
        if n == 0:
            return 0
    return n


@njit(cache=True)
@no_type_check
def place(cells, number):
    """Knots of the right angle of a triangle, and which way its legs go."""
    cell = number // 2
    i, j = cell // cells, cell % cells
    return (i + 1, j + 1, -1) if number % 2 else (i, j, 1)


@njit(cache=True)
@no_type_check
def demand(knots, table, s, t, reach):
    """Where the leader at (s, t) may take what, as far as suprema need it.

    Parameters
    ----------
    knots, table
        Of the leader.
    s, t : float
        The leader's values.
    reach : Reach
        Filled.
    """
    both, owner, edges, source, count = reach[:5]
    gains, sure = reach.gains, reach.sure
    n_knots = len(knots)
    cells = n_knots - 1
    both[:] = -1.0
    owner[:] = -1
    count[:] = 0
    for i in range(n_knots):
        for j in range(n_knots):
            gains[i, j, 1] = s - table[i, j, 0]
            gains[i, j, 2] = t - table[i, j, 1]
            gains[i, j, 3] = s + t - table[i, j, 2]
            top = 0
            for k in range(1, 4):
                if gains[i, j, k] > gains[i, j, top]:
                    top = k
            sure[i, j] = top
            for k in range(4):
                if k != top and gains[i, j, k] >= gains[i, j, top] - WIDEN:
                    sure[i, j] = -1
    gain = np.empty((3, 4))
    px, py, qx, qy = np.empty(12), np.empty(12), np.empty(12), np.empty(12)
    for number in range(2 * cells**2):
        i, j, d = place(cells, number)
        alone = sure[i, j]
        if alone != sure[i + d, j] or alone != sure[i, j + d]:
            alone = -1
        if alone == 0:
            continue
        if 0 < alone < 3:
            # what is taken further right, or higher up, is better for every price
            if d > 0:
                p, q = i + 1, j + 1
            else:
                p, q = (i + 1, j - 1) if alone == 1 else (i - 1, j + 1)
            if p < n_knots and q < n_knots and sure[p, q] == alone:
                continue
        for k in range(4):
            gain[0, k] = gains[i, j, k]
            gain[1, k] = gains[i + d, j, k]
            gain[2, k] = gains[i, j + d, k]
        x0, y0 = knots[i], knots[j]
        dx, dy = knots[i + d] - x0, knots[j + d] - y0
        for which in range(1, 4):
            if alone > 0 and which != alone:
                continue
            n = region(which, gain, x0, y0, dx, dy, px, py, qx, qy)
            for k in range(n):
                if which == 3:
                    for q, z in enumerate((px[k], py[k], px[k] + py[k])):
                        if z > both[q]:
                            both[q], owner[q] = z, number
                    continue
                m = k + 1 if k + 1 < n else 0
                e = count[which - 1]
                # anticlockwise, the right-hand chain goes up, the upper one left
                if which == 1 and py[m] >= py[k]:
                    row = (px[k], py[k], px[m], py[m])
                elif which == 2 and px[m] <= px[k]:
                    row = (py[m], px[m], py[k], px[k])
                else:
                    continue
                for q in range(4):
                    edges[which - 1, e, q] = row[q]
                source[which - 1, e] = number
                count[which - 1] += 1
    for item in range(2):
        _sort(edges[item], count[item], reach, item)


@njit(cache=True)
@no_type_check
def _bin(y):
    return min(max(int(y * _BINS), 0), _BINS - 1)


@njit(cache=True)
@no_type_check
def _sort(edges, n, reach, item):
    """Peaks and lists of the bins; the second end of an edge is not below the first."""
    peaks, at = reach.peaks[item], reach.at[item]
    first, listed = reach.first[item], reach.listed[item]
    peaks[:] = -9.0
    at[:] = -1
    first[:] = 0
    for e in range(n):
        for k in (0, 2):
            x, y = edges[e, k], edges[e, k + 1]
            b = _bin(y)
            for q, z in enumerate((x, x + y, x - y, x)):
                if z > peaks[q, b]:
                    peaks[q, b], at[q, b] = z, e
    # a vertex of the bin further right by more than a bin is better for every price
    for e in range(n):
        x = max(edges[e, 0], edges[e, 2])
        for b in range(_bin(edges[e, 1]), _bin(edges[e, 3]) + 1):
            if x >= peaks[3, b] - 1.0 / _BINS:
                first[b + 1] += 1
    for b in range(_BINS):
        first[b + 1] += first[b]
    for e in range(n):
        x = max(edges[e, 0], edges[e, 2])
        for b in range(_bin(edges[e, 1]), _bin(edges[e, 3]) + 1):
            if x >= peaks[3, b] - 1.0 / _BINS:
                listed[first[b]] = e
                first[b] += 1
    for b in range(_BINS, 0, -1):
        first[b] = first[b - 1]
    first[0] = 0
    for q in range(2):
        for b in range(1, _BINS):
            if peaks[q, b - 1] > peaks[q, b]:
                peaks[q, b], at[q, b] = peaks[q, b - 1], at[q, b - 1]
    for q in range(2, 4):
        for b in range(_BINS - 2, -1, -1):
            if peaks[q, b + 1] > peaks[q, b]:
                peaks[q, b], at[q, b] = peaks[q, b + 1], at[q, b + 1]


@njit(cache=True)
@no_type_check
def edge_alpha(x0, y0, x1, y1, b):
    """Largest x - (y - b)^+ on an edge."""
    z = max(x0 - max(y0 - b, 0.0), x1 - max(y1 - b, 0.0))
    if (y0 - b) * (y1 - b) < 0:
        z = max(z, x0 + (b - y0) / (y1 - y0) * (x1 - x0))
    return z


@njit(cache=True)
@no_type_check
def edge_gamma(x0, y0, x1, y1, b):
    """Largest x + min(y, b) on an edge."""
    z = max(x0 + min(y0, b), x1 + min(y1, b))
    if (y0 - b) * (y1 - b) < 0:
        z = max(z, x0 + (b - y0) / (y1 - y0) * (x1 - x0) + b)
    return z


@njit(cache=True)
@no_type_check
def alpha(peaks, at, first, listed, edges, item, b):
    """Supremum of x - (y - b)^+ over the region of an item, and which edge has it."""
    k = _bin(b)
    most, where = -9.0, -1
    if k > 0:
        most, where = peaks[item, 0, k - 1], at[item, 0, k - 1]
    if k + 1 < _BINS and peaks[item, 2, k + 1] + b > most:
        most, where = peaks[item, 2, k + 1] + b, at[item, 2, k + 1]
    for p in range(first[item, k], first[item, k + 1]):
        e = listed[item, p]
        x0, y0, x1, y1 = (
            edges[item, e, 0],
            edges[item, e, 1],
            edges[item, e, 2],
            edges[item, e, 3],
        )
        z = edge_alpha(x0, y0, x1, y1, b)
        if z > most:
            most, where = z, e
    return most, where


@njit(cache=True)
@no_type_check
def gamma(peaks, at, first, listed, edges, item, b):
    """Supremum of x + min(y, b) over the region of an item, and which edge has it."""
    k = _bin(b)
    most, where = -9.0, -1
    if k > 0:
        most, where = peaks[item, 1, k - 1], at[item, 1, k - 1]
    if k + 1 < _BINS and peaks[item, 3, k + 1] + b > most:
        most, where = peaks[item, 3, k + 1] + b, at[item, 3, k + 1]
    for p in range(first[item, k], first[item, k + 1]):
        e = listed[item, p]
        x0, y0, x1, y1 = (
            edges[item, e, 0],
            edges[item, e, 1],
            edges[item, e, 2],
            edges[item, e, 3],
        )
        z = edge_gamma(x0, y0, x1, y1, b)
        if z > most:
            most, where = z, e
    return most, where
