r"""Exact certificates that no item is sold twice.

At values :math:`v_1` of the leader the follower's prices :math:`(a,b,c)` are safe if,
for every :math:`v_2` at which the leader may take :math:`S`, ties included, each of the
follower's elements that shares an item with :math:`S` is strictly worse than some
element that shares none.  Cut at :math:`y=b` (or :math:`x=a`) this is linear on convex
polygons:

.. math::

   S=\{1\}:\quad x<a,\ x+y<c\ \ (y\le b),\qquad x-y<a-b,\ x<c-b\ \ (y\ge b).

Everything here is in rational arithmetic on the numbers that the mechanism uses, and
shares no code with :mod:`econlib.gemnet.kernels`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float

from econlib.gemnet.residual import LeaderTable

__all__ = ["Certificate", "certify", "critical_values"]

_Point = tuple[Fraction, Fraction]
_HOLDS = {1: (1, 0), 2: (0, 1), 3: (1, 1)}


@dataclass(frozen=True)
class Certificate:
    """What exact arithmetic says about some values of the leader, for all others'.

    Attributes
    ----------
    values : ndarray, shape (n, 2)
        Of the leader.
    margins : ndarray, shape (n,)
        Least distance of a price from the value at which an item could be sold twice;
        positive where it cannot, infinite where the leader never takes anything.
    """

    values: Float[np.ndarray, "n 2"]
    margins: Float[np.ndarray, " n"]

    @property
    def n_violations(self) -> int:
        """Values of the leader at which an item could be sold twice."""
        return int((self.margins <= 0).sum())


def certify(
    table: LeaderTable,
    values: Float[np.ndarray, "n 2"],
    prices: Float[np.ndarray, "_ 3"] | None = None,
) -> Certificate:
    """Check the follower's menu at some values of the leader, against all of her own.

    Parameters
    ----------
    table : LeaderTable
    values : ndarray, shape (n, 2)
        Of the leader.
    prices : ndarray, shape (n, 3), optional
        The follower's; those of the mechanism where not given.

    Raises
    ------
    ValueError
        Values outside the support, or prices of another shape.
    """
    found = table.follower(values) if prices is None else prices
    if found.shape != (len(values), 3):
        raise ValueError(f"prices: shape {found.shape}, expected ({len(values)}, 3)")
    margins = [
        _margin(table, [Fraction(float(z)) for z in v], [Fraction(float(z)) for z in p])
        for v, p in zip(values, found, strict=True)
    ]
    return Certificate(np.asarray(values, float), np.array(margins))


def critical_values(
    table: LeaderTable, count: int, seed: int = 0
) -> Float[np.ndarray, "count 2"]:
    """Values of the leader where the regions meet corners of the table.

    At a pair of a knot's prices one of the leader's gains is zero at that knot, so that
    a region begins, ends or touches a corner there; and the reply is read at knots.

    Parameters
    ----------
    table : LeaderTable
    count : int
        Half of them at prices, the rest at pairs of knots.
    seed : int
        Of which ones.
    """
    rng, top = np.random.default_rng(seed), table.market.first.top
    rows = table.prices.reshape(-1, 3)
    at = rows[rng.integers(0, len(rows), count // 2), :2]
    pairs = table.knots[rng.integers(0, len(table.knots), (count - len(at), 2))]
    return np.minimum(np.concatenate([at, pairs]), top)


def _margin(table: LeaderTable, own: list[Fraction], menu: list[Fraction]) -> float:
    a, b, c = menu
    bundle = not table.market.unit_demand
    least = None
    for taken, polygon in _regions(table, own, bundle):
        if taken == 3:
            gaps = [min(a - x, b - y, c - x - y) for x, y in polygon]
        else:
            one, two = (a, b) if taken == 1 else (b, a)
            turned = polygon if taken == 1 else [(y, x) for x, y in polygon]
            low = _half(turned, lambda p, two=two: two - p[1])
            high = _half(turned, lambda p, two=two: p[1] - two)
            gaps = [min(one - x, c - x - y) for x, y in low]
            gaps += [min(one - two - x + y, c - two - x) for x, y in high]
        for gap in gaps:
            least = gap if least is None else min(least, gap)
    return float("inf") if least is None else float(least)


def _half(polygon: list[_Point], value: object) -> list[_Point]:
    """Part of a convex polygon on which a linear function is 0 or more."""
    out = []
    for k, here in enumerate(polygon):
        there = polygon[(k + 1) % len(polygon)]
        f, g = value(here), value(there)
        if f >= 0:
            out.append(here)
        if (f > 0 > g) or (f < 0 < g):
            t = f / (f - g)
            out.append(tuple(p + t * (q - p) for p, q in zip(here, there, strict=True)))
    return out


def _regions(
    table: LeaderTable, own: list[Fraction], bundle: bool
) -> Iterator[tuple[int, list[_Point]]]:
    """Closed polygons of others' values, within the support, and what may be taken."""
    knots = [Fraction(float(z)) for z in table.knots]
    top = Fraction(float(table.market.second.top))
    worth = [Fraction(0), own[0], own[1], own[0] + own[1]]
    elements = range(4) if bundle else range(3)
    free = np.zeros((*table.prices.shape[:2], 1))
    rough = np.array([float(w) for w in worth]) - np.concatenate(
        [free, table.prices], axis=2
    )
    rough = rough[..., : len(elements)]
    ahead = rough[..., :, None] - rough[..., None, :]
    for d in (1, -1):  # triangles at the lower left, and at the upper right
        here, there = (slice(None, -1), slice(1, None))[::d]
        most = np.maximum(ahead[here, here], ahead[there, here])
        most = np.maximum(most, ahead[here, there])
        # floats leave out what loses clearly at all three corners, nothing more
        close = (most >= -1e-9).all(axis=3)
        for i, j, taken in np.argwhere(close[..., 1:]).tolist():
            ii, jj, taken = i + (d < 0), j + (d < 0), taken + 1
            at = [(ii, jj), (ii + d, jj), (ii, jj + d)]
            gains = [
                [worth[0]]
                + [
                    worth[k] - Fraction(float(table.prices[p][k - 1]))
                    for k in elements[1:]
                ]
                for p in at
            ]
            corners = [(knots[p], knots[q]) for p, q in at]
            polygon = list(corners)
            for other in elements:
                if other == taken or not polygon:
                    continue
                gap = [e[taken] - e[other] for e in gains]
                if min(gap) < 0:
                    polygon = _half(polygon, _linear(corners, gap))
            for side in (0, 1):
                if max(p[side] for p in corners) > top:
                    polygon = _half(polygon, lambda p, s=side: top - p[s])
            if polygon:
                yield taken, polygon


def _linear(corners: list[_Point], gap: list[Fraction]) -> object:
    """The linear function with these values at the corners of a right triangle."""
    (x0, y0), (x1, _), (_, y2) = corners
    gx, gy = (gap[1] - gap[0]) / (x1 - x0), (gap[2] - gap[0]) / (y2 - y0)
    return lambda p: gap[0] + gx * (p[0] - x0) + gy * (p[1] - y0)
