r"""Exact profit of any menu for two goods: who chooses what is a polygon.

The types that choose entry :math:`k` are the support cut by the half-planes
:math:`(a_k-a_j)\cdot x\ge t_k-t_j`.  Under a uniform law area and centroid of each
polygon give its profit to rounding; under a smooth density Gauss points do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from econlib.market_makers.model import Menu, check_belief, check_weight
from econlib.valuations import Valuation

__all__ = ["Regions", "clip", "menu_regions", "profit_exact", "stacked_profit_uniform"]

_ORDER = 8
_SPLITS = 2


@dataclass(frozen=True)
class Regions:
    """Who chooses what.

    Attributes
    ----------
    polygons : list of ndarray, shape (n_vertices, 2)
        One an entry of ``menu.with_no_trade()``; empty where nobody chooses it.
    probabilities : ndarray, shape (n_entries + 1,)
        Probability of each choice; the first is no trade.
    means : ndarray, shape (n_entries + 1, 2)
        Mean type of those who choose it; 0 where nobody does.
    profits : ndarray, shape (n_entries + 1,)
        Expected profit from each choice.
    """

    polygons: list
    probabilities: Float[np.ndarray, " n_choices"]
    means: Float[np.ndarray, "n_choices 2"]
    profits: Float[np.ndarray, " n_choices"]

    @property
    def profit(self) -> float:
        """Expected profit a trader."""
        return float(self.profits.sum())


def clip(
    polygons: Float[np.ndarray, "n_polygons n_vertices 2"],
    normals: Float[np.ndarray, "n_polygons 2"],
    offsets: Float[np.ndarray, " n_polygons"],
) -> Float[np.ndarray, "n_polygons n_kept 2"]:
    r"""Cut convex polygons, each by its own half-plane :math:`n\cdot x\ge o`.

    Parameters
    ----------
    polygons : ndarray, shape (n_polygons, n_vertices, 2)
        Vertices in order; a polygon with fewer repeats its last one.
    normals : ndarray, shape (n_polygons, 2)
        :math:`n`.
    offsets : ndarray, shape (n_polygons,)
        :math:`o`.

    Returns
    -------
    ndarray, shape (n_polygons, n_kept, 2)
        What is left; a polygon of which nothing is left is one point repeated.
    """
    here = polygons
    there = np.roll(polygons, -1, axis=1)
    s = np.einsum("pvi,pi->pv", here, normals) - offsets[:, None]
    s_next = np.roll(s, -1, axis=1)
    inside, crosses = s >= 0, (s >= 0) != (s_next >= 0)
    share = np.where(crosses, s / np.where(crosses, s - s_next, 1.0), 0.0)
    cut = here + share[..., None] * (there - here)
    candidates = np.stack([here, cut], axis=2).reshape(len(here), -1, 2)
    keep = np.stack([inside, crosses], axis=2).reshape(len(here), -1)
    counts = keep.sum(axis=1)
    n_kept = max(int(counts.max(initial=0)), 1)
    order = np.argsort(~keep, axis=1, kind="stable")[:, :n_kept]
    last = np.maximum(counts - 1, 0)[:, None]
    order = np.take_along_axis(order, np.minimum(np.arange(n_kept), last), axis=1)
    return np.take_along_axis(candidates, order[..., None], axis=1)


def _areas_and_moments(polygons: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signed areas, and integrals of x, of stacked polygons."""
    base = polygons[:, :1]
    p, q = polygons - base, np.roll(polygons, -1, axis=1) - base
    cross = p[..., 0] * q[..., 1] - p[..., 1] * q[..., 0]
    areas = cross.sum(axis=1) / 2
    moments = ((p + q) * cross[..., None]).sum(axis=1) / 6
    return areas, moments + areas[:, None] * base[:, 0]


def _cut_all(
    allocations: np.ndarray, payments: np.ndarray, corners: np.ndarray
) -> np.ndarray:
    """Regions of stacked menus, shape (n_menus * n_choices, n_vertices, 2)."""
    n_menus, n_choices, _ = allocations.shape
    polygons = np.broadcast_to(corners, (n_menus * n_choices, *corners.shape))
    for j in range(n_choices):
        normals = (allocations - allocations[:, j : j + 1]).reshape(-1, 2)
        offsets = (payments - payments[:, j : j + 1]).reshape(-1)
        same = (np.abs(normals).max(axis=1) == 0) & (offsets == 0)
        earlier = same & (np.tile(np.arange(n_choices), n_menus) > j)
        offsets = np.where(earlier, 1.0, offsets)  # of equal entries the first is taken
        polygons = clip(polygons, normals, offsets)
    return polygons


def _corners(law: Valuation) -> np.ndarray:
    """Vertices of the support, anticlockwise."""
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    corners = law.from_unit(square)
    return corners if np.linalg.det(law.axes) > 0 else corners[::-1]


def menu_regions(menu: Menu, law: Valuation, c: object, lam: float) -> Regions:
    """Find who chooses what from a menu, and what it earns.

    Parameters
    ----------
    menu : Menu
        For two goods.
    law : Valuation
        Law of the types, of two items.
    c : sequence of float
        Belief, two finite numbers.
    lam : float
        Weight of the trader's value, [0, 1).

    Returns
    -------
    Regions
        Exact to rounding for a law that is uniform on its support; by Gauss points on
        triangles otherwise (relative error about 1e-8 for smooth densities, 2e-4 for a
        copula, whose density is not bounded at corners nor smooth at edges).

    Raises
    ------
    ValueError
        Not two goods, a belief that is not finite, or a weight out of range.
    """
    lam, c = check_weight(lam), check_belief(c, 2, -np.inf, np.inf)
    full = menu.with_no_trade()
    if full.allocations.shape[1] != 2 or law.n_items != 2:
        raise ValueError("menu, law: expected two goods")
    stacked = _cut_all(full.allocations[None], full.payments[None], _corners(law))
    areas, moments = _areas_and_moments(stacked)
    if law.is_uniform:
        probabilities, moments = areas / law.volume, moments / law.volume
    else:
        probabilities, moments = _integrate(stacked, areas, law)
    some = probabilities > 1e-15
    means = np.where(
        some[:, None], moments / np.where(some, probabilities, 1)[:, None], 0
    )
    belief = (1 - lam) * c * probabilities[:, None] + lam * moments
    profits = full.payments * probabilities - (full.allocations * belief).sum(axis=1)
    polygons = [
        _distinct(p) if keep else np.empty((0, 2))
        for p, keep in zip(stacked, some, strict=True)
    ]
    return Regions(polygons, probabilities, means, profits)


def profit_exact(menu: Menu, law: Valuation, c: object, lam: float) -> float:
    """Expected profit of a menu; see :func:`menu_regions`."""
    return menu_regions(menu, law, c, lam).profit


def stacked_profit_uniform(
    allocations: Float[np.ndarray, "n_menus n_entries 2"],
    payments: Float[np.ndarray, "n_menus n_entries"],
    c: Float[np.ndarray, "n_menus 2"],
    lam: Float[np.ndarray, " n_menus"],
) -> Float[np.ndarray, " n_menus"]:
    """Exact profits of many menus under uniform types on the unit square.

    Parameters
    ----------
    allocations : ndarray, shape (n_menus, n_entries, 2)
        The menus' trades; no trade is added to each.
    payments : ndarray, shape (n_menus, n_entries)
        Their payments.
    c, lam : ndarray, shapes (n_menus, 2), (n_menus,)
        Belief and weight of each.

    Returns
    -------
    ndarray, shape (n_menus,)
        Expected profit a trader.
    """
    n_menus = len(payments)
    a = np.concatenate([np.zeros((n_menus, 1, 2)), allocations], axis=1)
    t = np.concatenate([np.zeros((n_menus, 1)), payments], axis=1)
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    areas, moments = _areas_and_moments(_cut_all(a, t, square))
    areas, moments = areas.reshape(t.shape), moments.reshape(a.shape)
    belief = (1 - lam)[:, None, None] * c[:, None] * areas[..., None]
    belief = belief + lam[:, None, None] * moments
    return (t * areas - (a * belief).sum(axis=2)).sum(axis=1)


def _integrate(
    polygons: np.ndarray, areas: np.ndarray, law: Valuation
) -> tuple[np.ndarray, np.ndarray]:
    """Probability and partial mean of each polygon under a density."""
    probabilities, moments = np.zeros(len(areas)), np.zeros((len(areas), 2))
    nodes, weights = _triangle_rule()
    for k in np.flatnonzero(areas > 1e-15):
        v = _distinct(polygons[k])
        triangles = np.stack([np.broadcast_to(v[0], v[1:-1].shape), v[1:-1], v[2:]], 1)
        for _ in range(_SPLITS):
            triangles = _split(triangles)
        x = np.einsum("qv,tvi->tqi", nodes, triangles)
        p, q = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
        size = np.abs(p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]) / 2
        mass = size[:, None] * weights * law.pdf(x.reshape(-1, 2)).reshape(x.shape[:2])
        probabilities[k], moments[k] = mass.sum(), np.einsum("tq,tqi->i", mass, x)
    total = probabilities.sum()  # 1 but for what Gauss points miss
    return probabilities / total, moments / total


def _split(triangles: np.ndarray) -> np.ndarray:
    """Cut each triangle into four at the middles of its sides."""
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return np.concatenate([np.stack(p, axis=1) for p in parts])


def _triangle_rule() -> tuple[np.ndarray, np.ndarray]:
    """Barycentric nodes and weights (sum 1) of a collapsed Gauss rule."""
    x, w = np.polynomial.legendre.leggauss(_ORDER)
    x, w = (x + 1) / 2, w / 2
    u, v = np.meshgrid(x, x, indexing="ij")
    weights = 2 * np.outer(w * (1 - x), w)
    second = (1 - u) * v
    nodes = np.stack([1 - u - second, u, second], axis=-1)
    return nodes.reshape(-1, 3), weights.ravel()


def _distinct(polygon: np.ndarray) -> np.ndarray:
    """Drop repeated vertices."""
    step = np.abs(polygon - np.roll(polygon, 1, axis=0)).max(axis=1)
    kept = polygon[step > 0]
    return kept if len(kept) else polygon[:1]
