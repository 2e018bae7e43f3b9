"""Slope of a bound on the follower's prices in the leader's table, compiled.

A supremum of :mod:`econlib.gemnet.reach` is attained in one triangle; its slope is that
of this triangle's own supremum in the prices at its three corners.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from numba import njit

from econlib.gemnet.reach import edge_alpha, edge_gamma, place, region

__all__ = ["add_slope"]


@njit(cache=True)
@no_type_check
def _own_sup(which, kind, kink, gain, x0, y0, dx, dy, px, py, qx, qy):
    """Supremum over one triangle; -1 where nothing is taken in it."""
    n = region(which, gain, x0, y0, dx, dy, px, py, qx, qy)
    most = -1.0
    for k in range(n):
        if kind < 3:
            z = px[k] if kind == 0 else py[k] if kind == 1 else px[k] + py[k]
        else:
            m = k + 1 if k + 1 < n else 0
            x, y, u, v = px[k], py[k], px[m], py[m]
            if which == 2:
                x, y, u, v = y, x, v, u
            if kind == 3:
                z = edge_alpha(x, y, u, v, kink)
            else:
                z = edge_gamma(x, y, u, v, kink)
        most = max(most, z)
    return most


@njit(cache=True)
@no_type_check
def add_slope(out, knots, reach, number, which, kind, kink, weight):
    """Add the slope of one triangle's supremum in the prices at its corners.

    Parameters
    ----------
    out : ndarray, shape (n, n, 3)
        Weight times the slope is added.
    knots : ndarray, shape (n,)
    reach : Reach
        Of the leader's values.
    number : int
        Of the triangle.
    which : int
        1 or 2 for an item, 3 for both.
    kind : int
        0 to 2 for x, y and x + y, 3 for alpha, 4 for gamma.
    kink : float
        The price in alpha or gamma.
    weight : float
    """
    gain = np.empty((3, 4))
    px, py, qx, qy = np.empty(12), np.empty(12), np.empty(12), np.empty(12)
    i, j, d = place(len(knots) - 1, number)
    gain[0], gain[1] = reach.gains[i, j], reach.gains[i + d, j]
    gain[2] = reach.gains[i, j + d]
    x0, y0 = knots[i], knots[j]
    dx, dy = knots[i + d] - x0, knots[j + d] - y0
    h = 1e-5
    for k in range(3):
        for q in range(1, 4):
            here = gain[k, q]
            gain[k, q] = here - h  # a higher price
            high = _own_sup(which, kind, kink, gain, x0, y0, dx, dy, px, py, qx, qy)
            gain[k, q] = here + h
            low = _own_sup(which, kind, kink, gain, x0, y0, dx, dy, px, py, qx, qy)
            gain[k, q] = here
            if high < 0 or low < 0:  # the region closes
                continue
            slope = min(max((high - low) / (2 * h), -5.0), 5.0)
            row = i + d if k == 1 else i
            column = j + d if k == 2 else j
            out[row, column, q - 1] += weight * slope
