r"""Compiled: where others may take what, and the best prices that never clash.

The pieces of :class:`econlib.gemnet.boosts.Boosts` cut bidder 1's values into polygons.
The suprema that bound her prices, as in :mod:`econlib.gemnet.several`, are of concave
functions with one kink: at a corner, or where an edge crosses the kink.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from numba import njit

from econlib.gemnet.kernels import MARGIN, OUT, STEPS, revenue
from econlib.gemnet.reach import clip, edge_alpha, edge_gamma

__all__ = ["replies"]

_STEPS = STEPS[:9]  # without those that trade one single price for the bundle


@njit(cache=True)
@no_type_check
def _regions(w, top, both, edges, count):
    """Where the others may take what: suprema over both, edges for single items."""
    own = (0, 0, 0, 0, 1, 1, 2, 2, 3)
    rest = (0, 1, 2, 3, 0, 2, 0, 1, 0)
    px, py, qx, qy = np.empty(16), np.empty(16), np.empty(16), np.empty(16)
    both[:], count[:] = -1.0, 0
    for k in range(9):
        if rest[k] == 0:
            continue
        px[0], px[1], px[2], px[3] = 0.0, top, top, 0.0
        py[0], py[1], py[2], py[3] = 0.0, 0.0, top, top
        n = 4
        for q in range(9):
            if q != k and n > 0:
                gx = float(own[k] & 1) - float(own[q] & 1)
                gy = float(own[k] >> 1) - float(own[q] >> 1)
                n = clip(px, py, n, qx, qy, w[k] - w[q], gx, gy)
        for z in range(n):
            if rest[k] == 3:
                both[0] = max(both[0], px[z])
                both[1] = max(both[1], py[z])
                both[2] = max(both[2], px[z] + py[z])
                continue
            j = z + 1 if z + 1 < n else 0
            item = rest[k] - 1
            e = count[item]
            if item == 0:
                edges[item, e] = np.array([px[z], py[z], px[j], py[j]])
            else:
                edges[item, e] = np.array([py[z], px[z], py[j], px[j]])
            count[item] += 1


@njit(cache=True)
@no_type_check
def _alpha(edges, n, b):
    """Supremum of x - (y - b)^+ over edges; -1 where there are none."""
    most = -1.0
    for e in range(n):
        x0, y0, x1, y1 = edges[e]
        most = max(most, edge_alpha(x0, y0, x1, y1, b))
    return most


@njit(cache=True)
@no_type_check
def _gamma(edges, n, b):
    """Supremum of x + min(y, b) over edges; -1 where there are none."""
    most = -1.0
    for e in range(n):
        x0, y0, x1, y1 = edges[e]
        most = max(most, edge_gamma(x0, y0, x1, y1, b))
    return most


@njit(cache=True)
@no_type_check
def _least(both, edges, count, wish):
    """Least prices above a wish that never clash; out of reach where there are none."""
    a, b = wish[0], wish[1]
    still = False
    for _ in range(200):
        up = max(a, both[0] + MARGIN, _alpha(edges[0], count[0], b) + MARGIN)
        right = max(b, both[1] + MARGIN, _alpha(edges[1], count[1], up) + MARGIN)
        still = up == a and right == b
        a, b = up, right
        if still:
            break
    if not still:
        a = b = OUT
    c = max(_gamma(edges[0], count[0], b), _gamma(edges[1], count[1], a))
    return np.array([a, b, max(wish[2], both[2] + MARGIN, c + MARGIN)])


@njit(cache=True)
@no_type_check
def replies(breaks, coef, pieces, boosted, monopoly):
    """Best triples found, each by a pattern search from two fixed starts."""
    out = np.empty((len(pieces), 3))
    both, count = np.empty(3), np.zeros(2, dtype=np.int64)
    edges = np.empty((2, 32, 4))
    for p in range(len(pieces)):
        _regions(pieces[p], breaks[-1], both, edges, count)
        most = -1.0
        for start in range(2):
            wish = boosted[p] if start == 0 else monopoly
            here = _least(both, edges, count, wish)
            value = revenue(breaks, coef, here[0], here[1], here[2])
            width = 0.03
            while width > 5e-4:
                better = False
                for k in range(len(_STEPS)):
                    for sign in (1.0, -1.0):
                        wish = here + sign * width * _STEPS[k]
                        there = _least(both, edges, count, wish)
                        found = revenue(breaks, coef, there[0], there[1], there[2])
                        if found > value + 1e-13:
                            here, value, better = there, found, True
                if not better:
                    width *= 0.4
            if value > most:
                out[p], most = here, value
    return out
