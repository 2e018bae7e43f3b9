r"""Several goods at a corner of the belief space: one price for each number of goods.

For uniform types, :math:`c=0` and :math:`\lambda=0` the straight-jacket auction sells
any :math:`r` goods at :math:`p_r`, where the region of types that take all of the first
:math:`r` has as much interior as face mass.  With adverse selection the same balance
holds with :math:`m=d+\frac1{1-\lambda}` in place of :math:`d+1`:

.. math::

   m\,\mathrm{vol}(W_r)=r\,\mathrm{area}(W_r\cap\{z_r=1\}),\qquad
   W_r=\Big\{z\in[0,1]^r:\sum_{i\in S}z_i\ge p_r-p_{r-|S|}\ \forall S\Big\}.

For :math:`c=(\frac12)^d` the market is :math:`2^d` such corners of half the size.
"""

from __future__ import annotations

import itertools

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq, linprog
from scipy.spatial import ConvexHull, Delaunay, HalfspaceIntersection

from econlib.market_makers.model import Menu, check_weight

__all__ = ["corner_menu", "corner_profit", "straight_jacket_prices"]

_MOST = 3


def straight_jacket_prices(
    n_items: int, lam: float = 0.0
) -> Float[np.ndarray, " n_items"]:
    r"""Prices :math:`p_1<\dots<p_d` of 1 to :math:`d` goods.

    Parameters
    ----------
    n_items : int
        1 to 3.
    lam : float
        Weight of the trader's value, [0, 1).

    Returns
    -------
    ndarray, shape (n_items,)
        Price of each number of goods.

    Examples
    --------
    >>> straight_jacket_prices(2).round(6).tolist()
    [0.666667, 0.861929]
    """
    if isinstance(n_items, bool) or n_items not in range(1, _MOST + 1):
        raise ValueError(f"n_items = {n_items!r}: expected an integer, 1 to {_MOST}")
    m = n_items + 1 / (1 - check_weight(lam))
    prices = [1 - 1 / m]
    for r in range(2, n_items + 1):

        def imbalance(p: float, r: int = r) -> float:
            inner = _halfspaces(r, [*prices, p])
            face = _slice_at_one(inner)
            return m * _volume(inner) - r * _volume(face)

        # p = r p_1 is a root too, where no bundle is cheaper: the lowest is meant
        grid = np.linspace(prices[-1], r * prices[0], 60)[1:-1]
        values = np.array([imbalance(p) for p in grid])
        at = np.flatnonzero(np.diff(np.sign(values)) != 0)[0]
        prices.append(float(brentq(imbalance, grid[at], grid[at + 1], xtol=1e-13)))
    return np.array(prices)


def corner_menu(
    n_items: int,
    lam: float = 0.0,
    prices: Float[np.ndarray, " n_items"] | None = None,
) -> Menu:
    """Menu of every set of goods at the price of its size, for a belief of 0.

    Parameters are those of :func:`corner_profit`.
    """
    own = straight_jacket_prices(n_items, lam)
    prices = own if prices is None else prices
    bundles = [b for b in itertools.product((0, 1), repeat=n_items) if any(b)]
    allocations = np.array(bundles, dtype=float)
    return Menu(allocations, prices[allocations.sum(axis=1).astype(int) - 1])


def corner_profit(
    n_items: int,
    lam: float = 0.0,
    prices: Float[np.ndarray, " n_items"] | None = None,
) -> float:
    r"""Profit of :func:`corner_menu` for a belief of 0, exact.

    For a belief of :math:`(\frac12)^d` the glued menu earns half of it.

    Parameters
    ----------
    n_items : int
        1 to 3.
    lam : float
        Weight of the trader's value, [0, 1).
    prices : ndarray, shape (n_items,), optional
        Prices of 1 to ``n_items`` goods, in place of the straight-jacket ones.

    Returns
    -------
    float
        Expected profit a trader.

    Examples
    --------
    >>> round(corner_profit(2), 6)
    0.549201
    """
    menu = corner_menu(n_items, lam, prices)
    a, t = menu.with_no_trade().allocations, menu.with_no_trade().payments
    total = 0.0
    for k in range(1, len(t)):
        rows = np.column_stack([a - a[k], t[k] - t])[np.arange(len(t)) != k]
        region = np.concatenate([rows, _cube(n_items)])
        volume, moment = _volume_and_moment(region)
        total += t[k] * volume - lam * a[k] @ moment
    return float(total)


def _cube(d: int) -> np.ndarray:
    """Rows (n, o) of n·z + o <= 0 for the unit cube."""
    return np.block([[-np.eye(d), np.zeros((d, 1))], [np.eye(d), -np.ones((d, 1))]])


def _halfspaces(r: int, prices: list[float]) -> np.ndarray:
    """Rows of W_r within the cube."""
    price = [0.0, *prices]
    rows = [
        [*(-float(b) for b in subset), price[r] - price[r - sum(subset)]]
        for subset in itertools.product((0, 1), repeat=r)
        if any(subset)
    ]
    return np.concatenate([np.array(rows), _cube(r)])


def _slice_at_one(rows: np.ndarray) -> np.ndarray:
    """The same with the last coordinate equal to one."""
    rest = np.column_stack([rows[:, :-2], rows[:, -1] + rows[:, -2]])
    return rest[np.abs(rest[:, :-1]).max(axis=1) > 0]


def _vertices(rows: np.ndarray) -> np.ndarray | None:
    """Vertices of a polytope, or None where it is empty or flat."""
    d = rows.shape[1] - 1
    norms = np.linalg.norm(rows[:, :-1], axis=1, keepdims=True)
    centre = linprog(
        np.r_[np.zeros(d), -1.0],
        A_ub=np.column_stack([rows[:, :-1], norms]),
        b_ub=-rows[:, -1],
        bounds=[(None, None)] * d + [(0, None)],
    )
    if not centre.success or centre.x[-1] < 1e-10:
        return None
    if d == 1:
        ends = -rows[:, 1] / rows[:, 0]
        return np.array([[ends[rows[:, 0] < 0].max()], [ends[rows[:, 0] > 0].min()]])
    return HalfspaceIntersection(rows, centre.x[:-1]).intersections


def _volume(rows: np.ndarray) -> float:
    vertices = _vertices(rows)
    if vertices is None:
        return 0.0
    if vertices.shape[1] == 1:
        return float(vertices[1, 0] - vertices[0, 0])
    return float(ConvexHull(vertices, qhull_options="QJ").volume)


def _volume_and_moment(rows: np.ndarray) -> tuple[float, np.ndarray]:
    """Volume, and integral of z, over a polytope."""
    vertices = _vertices(rows)
    d = rows.shape[1] - 1
    if vertices is None:
        return 0.0, np.zeros(d)
    if d == 1:
        low, high = vertices[:, 0]
        return float(high - low), np.array([(high**2 - low**2) / 2])
    simplices = vertices[Delaunay(vertices, qhull_options="QJ").simplices]
    edges = simplices[:, 1:] - simplices[:, :1]
    sizes = np.abs(np.linalg.det(edges)) / np.prod(np.arange(1, d + 1))
    return float(sizes.sum()), sizes @ simplices.mean(axis=1)
