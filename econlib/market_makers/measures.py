r"""Profit as an integral of the trader's utility against a signed measure, on a grid.

With :math:`t=\nabla u\cdot x-u` profit is

.. math::

   \Pi(u)=\int\big[(1-\lambda)\nabla u\cdot(x-c)-u\big]f\,dx=\int u\,d\mu_0 ,

and by parts :math:`\mu_0` has mass :math:`(1-\lambda)f\,(x-c)\cdot n` on the faces and
density :math:`-[(1-\lambda)(\nabla f\cdot(x-c)+df)+f]` inside; its total is -1.
In coordinates :math:`s` of the support both are those of the unit cube with the
belief's own coordinates in place of :math:`c`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from econlib.market_makers.model import check_belief, check_weight
from econlib.valuations import Valuation

__all__ = ["MEMORY_LIMIT", "Measure", "finite_elements", "grid_points", "upper_measure"]

#: Bytes that a grid's program may need, by estimate, before it is refused.
MEMORY_LIMIT = 4 * 2**30
_GAUSS = 6
_MARGIN = 1e-7


@dataclass(frozen=True)
class Measure:
    """Point masses that stand for a signed measure.

    Attributes
    ----------
    points : ndarray, shape (n_points, n_items)
        Where they sit.
    masses : ndarray, shape (n_points,)
        Signed; their sum is -1.
    """

    points: Float[np.ndarray, "n_points n_items"]
    masses: Float[np.ndarray, " n_points"]


def grid_points(law: Valuation, n: int) -> Float[np.ndarray, "n_points n_items"]:
    """Points of a grid of ``n`` cells a side on a law's support.

    Raises
    ------
    ValueError
        ``n`` is not an integer of 1 or more, or the program on so many points would
        not fit in memory.
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise ValueError(f"n = {n!r}: expected an integer, 1 or more. Try n=24.")
    n_points = (n + 1) ** law.n_items
    # the check of all pairs holds one block of rows; the program about 16 entries a row
    need = 8 * n_points * (16 * 30 + min(n_points, 20_000))
    if need > MEMORY_LIMIT:
        raise ValueError(
            f"n = {n}: {n_points} points need about {need / 2**30:.0f} GiB, expected "
            f"at most {MEMORY_LIMIT / 2**30:.0f} GiB. Try a smaller n."
        )
    axis = np.linspace(0.0, 1.0, n + 1)
    mesh = np.meshgrid(*[axis] * law.n_items, indexing="ij")
    return law.from_unit(np.stack(mesh, axis=-1).reshape(-1, law.n_items))


def finite_elements(law: Valuation, c: object, lam: float, n: int) -> Measure:
    r"""Masses of multilinear hat functions,
    :math:`m_i=\int[(1-\lambda)\nabla\phi_i\cdot(x-c)-\phi_i]f`.

    Needs no derivative of the density. The program on these masses is an estimate of
    the optimal profit, with error of order :math:`1/n^2`; its menu is a real menu.

    Parameters
    ----------
    law : Valuation
        Law of the types.
    c : float or sequence of float
        Belief, finite; it may lie outside the support.
    lam : float
        Weight of the trader's value, [0, 1).
    n : int
        Cells a side.

    Returns
    -------
    Measure
        On the grid's points.
    """
    lam, points, d = check_weight(lam), grid_points(law, n), law.n_items
    centre = law.to_unit(check_belief(c, d, -np.inf, np.inf))
    masses, total = np.zeros((n + 1) ** d), 0.0
    for s, w, cells in _tensor(_axis_rule(law, n), d):
        f = law.unit_pdf(s) * w
        total += f.sum()
        local = s * n - cells
        for corner in itertools.product((0, 1), repeat=d):
            k = np.array(corner)
            hat = np.where(k, local, 1 - local)
            slope = np.zeros(len(s))
            for i in range(d):
                others = np.delete(hat, i, axis=1).prod(axis=1)
                slope += (2 * k[i] - 1) * n * others * (s[:, i] - centre[i])
            at = np.ravel_multi_index(tuple((cells + k).T), (n + 1,) * d)
            part = ((1 - lam) * slope - hat.prod(axis=1)) * f
            masses += np.bincount(at, part, minlength=len(masses))
    return Measure(points, masses / total)


def upper_measure(law: Valuation, c: object, lam: float, n: int) -> Measure:
    r"""Masses :math:`\hat\mu` that dominate :math:`\mu_0` in convex order.

    Negative mass of a cell or of a face's cell goes to its barycentre (Jensen),
    positive mass to the cell's corners (a mean-preserving spread).  Any convex utility
    then satisfies :math:`\int u\,d\hat\mu\ge\int u\,d\mu_0`, so that the program on
    these masses is an *upper bound* on the optimal profit: rigorous for a law that is
    uniform on its support, up to the Gauss points' error otherwise.

    Parameters and result are those of :func:`finite_elements`, but that points without
    mass are left out.

    Raises
    ------
    ArithmeticError
        The Gauss points miss more than 1e-3 of the measure's total: ``n`` is too small
        for the law.
    """
    lam, corners, d = check_weight(lam), grid_points(law, n), law.n_items
    centre = law.to_unit(check_belief(c, d, -np.inf, np.inf))
    rule = _axis_rule(law, n)
    spread = np.zeros(len(corners))
    places: list[np.ndarray] = []
    sums: list[np.ndarray] = []

    def place(s: np.ndarray, mass: np.ndarray, cells: np.ndarray, free: list) -> None:
        """Spread positive and gather negative mass in cells, along the free axes."""
        positive, negative = np.maximum(mass, 0), np.minimum(mass, 0)
        local = s * n - cells
        for corner in itertools.product((0, 1), repeat=len(free)):
            hat, at = positive.copy(), cells.copy()
            for axis, bit in zip(free, corner, strict=True):
                at[:, axis] += bit
                hat *= local[:, axis] if bit else 1 - local[:, axis]
            flat = np.ravel_multi_index(tuple(at.T), (n + 1,) * d)
            spread[:] += np.bincount(flat, hat, minlength=len(spread))
        flat = np.ravel_multi_index(tuple(cells.T), (n + 1,) * d)
        total = np.bincount(flat, negative, minlength=len(spread))
        some = total < 0
        moments = [np.bincount(flat, negative * s[:, i], len(spread)) for i in range(d)]
        places.append(np.stack(moments, axis=1)[some] / total[some, None])
        sums.append(total[some])

    for s, w, cells in _tensor(rule, d, whole_cells=True):
        f = law.unit_pdf(s)
        drift = (law.unit_score(s) * (s - centre)).sum(axis=1)
        place(s, -((1 - lam) * (drift + d) + 1) * f * w, cells, list(range(d)))
    for axis, end in itertools.product(range(d), (0, 1)):
        free = [i for i in range(d) if i != axis]
        flux = (1 - lam) * (end - centre[axis]) * (1 if end else -1)
        for inner, w, part in _tensor(rule, d - 1, whole_cells=True):
            s = np.insert(inner, axis, float(end), axis=1)
            f = law.unit_pdf(np.clip(s, *_ends(law)))
            place(s, flux * f * w, np.insert(part, axis, end * n, axis=1), free)
    masses = np.concatenate([spread[spread != 0], *sums])
    points = np.concatenate([corners[spread != 0], *map(law.from_unit, places)])
    missed = masses.sum() + 1
    if abs(missed) > 1e-3:
        raise ArithmeticError(f"n = {n}: Gauss points miss {missed:.2g} of the measure")
    masses[masses < 0] *= 1 - missed / masses[masses < 0].sum()
    return Measure(points, masses)


def _axis_rule(law: Valuation, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes, weights and cell of each node of a rule on [0, 1] that respects n cells.

    A copula's density is not bounded at the corners: the outer cells are cut into
    panels that shrink towards them, and a margin of 1e-7 is left out.
    """
    edges = np.linspace(0.0, 1.0, n + 1)
    low, high = _ends(law)
    if low > 0:
        shrink = low * 4.0 ** np.arange(0, 40)
        shrink = shrink[shrink < 1 / n]
        edges = np.concatenate([edges[1:-1], shrink, 1 - shrink, [low, high]])
        edges = np.unique(edges)
    x, w = np.polynomial.legendre.leggauss(2 if law.is_uniform else _GAUSS)
    width = np.diff(edges)
    nodes = (edges[:-1, None] + width[:, None] * (x + 1) / 2).ravel()
    middles = np.repeat((edges[:-1] + edges[1:]) / 2, len(x))
    cells = np.minimum((middles * n).astype(int), n - 1)
    return nodes, (width[:, None] * w / 2).ravel(), cells


def _ends(law: Valuation) -> tuple[float, float]:
    """Where integration along an axis begins and ends."""
    margin = _MARGIN if law.name == "gaussian_copula" else 0.0
    return margin, 1 - margin


def _tensor(
    rule: tuple[np.ndarray, np.ndarray, np.ndarray],
    d: int,
    *,
    whole_cells: bool = False,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Points (n, d), weights and cells (n, d) of a product rule, in blocks.

    With ``whole_cells`` no cell is split between two blocks.
    """
    nodes, weights, cells = rule
    if d == 0:
        yield np.zeros((1, 0)), np.ones(1), np.zeros((1, 0), int)
        return
    layers = np.split(np.arange(len(nodes)), np.flatnonzero(np.diff(cells)) + 1)
    size = len(nodes) ** (d - 1)
    if size * len(nodes) <= 400_000:
        layers = [np.arange(len(nodes))]
    elif not whole_cells:
        layers = np.array_split(np.arange(len(nodes)), len(layers))
    for layer in layers:
        index = np.meshgrid(layer, *[np.arange(len(nodes))] * (d - 1), indexing="ij")
        index = np.stack(index, axis=-1).reshape(-1, d)
        yield nodes[index], weights[index].prod(axis=1), cells[index]
