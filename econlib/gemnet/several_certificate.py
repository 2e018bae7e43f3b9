r"""Exact certificate that a reply to affine menus never sells an item twice.

At values :math:`v_{-1}` of the others every allocation of two items to n bidders or to
nobody has a welfare, boosts included, that is linear in bidder 1's values
:math:`(x,y)`.  Where an allocation is a best one, ties included, its closed polygon
must hold no point at which bidder 1 could take an item that the allocation gives to
another: cut at :math:`y=b` or :math:`x=a` her menu's conditions are linear, and corners
decide.  All in rational arithmetic on the numbers that the mechanism uses; every
allocation is listed, and no code is shared with :mod:`econlib.gemnet.several`.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
from jaxtyping import Float

from econlib.gemnet.several import ReplyMechanism

__all__ = ["clash_margins"]


def clash_margins(
    mechanism: ReplyMechanism,
    others: Float[np.ndarray, "b k 2"],
    prices: Float[np.ndarray, "_ 3"] | None = None,
) -> Float[np.ndarray, " b"]:
    """Least distance of bidder 1's prices from a clash, over all of her values.

    Parameters
    ----------
    mechanism : ReplyMechanism
    others : ndarray, shape (n_values, n_bidders - 1, 2)
    prices : ndarray, shape (n_values, 3), optional
        Bidder 1's; those of the mechanism where not given.

    Returns
    -------
    ndarray, shape (n_values,)
        Positive where no item can be sold twice; infinite where the others never take
        anything.
    """
    found = mechanism.reply(others) if prices is None else prices
    if found.shape != (len(others), 3):
        raise ValueError(f"prices: shape {found.shape}, expected ({len(others)}, 3)")
    return np.array(
        [
            _margin(mechanism, _exact(v), _exact(p))
            for v, p in zip(others, found, strict=True)
        ]
    )


def _exact(z: np.ndarray) -> list:
    return [_exact(q) if np.ndim(q) else Fraction(float(q)) for q in z]


def _margin(mechanism: ReplyMechanism, others: list, menu: list) -> float:
    a, b, c = menu
    least = None
    for taken, polygon in _polygons(mechanism, others):
        if taken == 3:
            gaps = [min(a - x, b - y, c - x - y) for x, y in polygon]
        else:
            one, two = (a, b) if taken == 1 else (b, a)
            turned = polygon if taken == 1 else [(y, x) for x, y in polygon]
            # below the price of the free item nothing is the rival element, above it
            # the free item is
            low = _part(turned, two, 0, -1)
            high = _part(turned, -two, 0, 1)
            gaps = [min(one - x, c - x - y) for x, y in low]
            gaps += [min(one - two - x + y, c - two - x) for x, y in high]
        for gap in gaps:
            least = gap if least is None else min(least, gap)
    return float("inf") if least is None else float(least)


def _polygons(mechanism: ReplyMechanism, others: list) -> list:
    """Items that the others hold, and the closed polygon where that can be best."""
    boosts = mechanism.boosts
    n = boosts.n_bidders
    one, both, split = _exact(boosts.one), _exact(boosts.both), _exact(boosts.split)
    lines = []
    for first, second in product(range(-1, n), repeat=2):  # who gets which; -1 nobody
        w = Fraction(0)
        for item, who in enumerate((first, second)):
            if who > 0:
                w += others[who - 1][item]
        if first >= 0 and second >= 0:
            w += both[first] if first == second else split[first][second]
        elif max(first, second) >= 0:
            w += one[max(first, second)]
        taken = (1 if first > 0 else 0) + (2 if second > 0 else 0)
        lines.append((taken, w, int(first == 0), int(second == 0)))
    top = Fraction(float(mechanism.law.top))
    square = [(Fraction(0), Fraction(0)), (top, Fraction(0)), (top, top)]
    square.append((Fraction(0), top))
    out = []
    for taken, w, gx, gy in lines:
        polygon = square if taken else []
        for _, other, ox, oy in lines:
            if polygon:
                polygon = _part(polygon, w - other, gx - ox, gy - oy)
        if polygon:
            out.append((taken, polygon))
    return out


def _part(polygon: list, g0: Fraction, gx: int, gy: int) -> list:
    """Part of a convex polygon on which a linear function is 0 or more."""
    values = [g0 + gx * x + gy * y for x, y in polygon]
    out = []
    for k, (here, f) in enumerate(zip(polygon, values, strict=True)):
        q = (k + 1) % len(polygon)
        there, g = polygon[q], values[q]
        if f >= 0:
            out.append(here)
        if (f > 0 > g) or (f < 0 < g):
            t = f / (f - g)
            out.append(tuple(p + t * (r - p) for p, r in zip(here, there, strict=True)))
    return out
