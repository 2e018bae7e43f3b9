r"""Certificates that a uniform market's closed form is optimal.

One good: mass :math:`(1-\lambda)(1-c)` moves from 1 down onto (ask, 1], mass
:math:`(1-\lambda)c` from 0 up onto [0, bid), and what is left between bid and ask is
:math:`\delta_c` against a density of the same mass, which no convex function with its
minimum at :math:`c` prefers.

Two goods: the no-trade region as above, a strip of straight transport for each single
trade, and for each corner a plan that moves face mass inwards, both coordinates down.
That the corner plan exists is a transport program.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from econlib.market_makers.closed_forms import uniform_menu, uniform_spread
from econlib.market_makers.model import check_belief, check_weight
from econlib.market_makers.polygons import clip, menu_regions
from econlib.programs import solve
from econlib.valuations import make

__all__ = [
    "CornerPlan",
    "corner_plan",
    "dominance_gaps",
    "region_balance",
    "spread_certificate",
]


def spread_certificate(c: float, lam: float) -> dict[str, float]:
    r"""Cost of the one-good transport plan, and the balance of what it leaves.

    Parameters
    ----------
    c : float
        Belief, [0, 1].
    lam : float
        Weight of the trader's value, [0, 1).

    Returns
    -------
    dict of str to float
        ``cost``: :math:`(2-\lambda)[(1-ask)^2+bid^2]/2`, equal to the best profit;
        ``ask_mass`` and ``bid_mass``: mass sent less mass received on each side;
        ``middle_mass``: mass of :math:`\delta_c` less that of the density between.
    """
    spread = uniform_spread(c, lam)
    density = 2 - lam
    top, bottom = 1 - spread.ask, spread.bid
    return {
        "cost": density * (top**2 + bottom**2) / 2,
        "ask_mass": (1 - lam) * (1 - c) - density * top,
        "bid_mass": (1 - lam) * c - density * bottom,
        "middle_mass": 1 - density * (spread.ask - spread.bid),
    }


def dominance_gaps(
    c: float,
    lam: float,
    n_functions: int,
    rng: np.random.Generator,
    *,
    minimum_at_c: bool = True,
) -> Float[np.ndarray, " n_functions"]:
    r"""Test the middle of the one-good certificate with random convex functions.

    Parameters
    ----------
    c, lam : float
        Belief in [0, 1], weight in [0, 1).
    n_functions : int
        How many random piecewise linear convex functions.
    rng : numpy.random.Generator
        Source of randomness.
    minimum_at_c : bool
        Whether the functions have their minimum at :math:`c`, as utilities do.

    Returns
    -------
    ndarray, shape (n_functions,)
        :math:`(2-\lambda)\int_{bid}^{ask}v\,dx-v(c)`, 0 or more for each convex
        :math:`v` that is least at :math:`c`; functions with their minimum elsewhere
        give negative values unless bid and ask lie evenly around :math:`c`.
    """
    spread = uniform_spread(c, lam)
    low, high = spread.bid, spread.ask
    n_kinks = 6
    kinks = rng.uniform(0, 1, (n_functions, n_kinks))
    slopes = rng.exponential(1.0, (n_functions, n_kinks))
    if minimum_at_c:
        right = kinks >= c
        signs = np.where(right, 1.0, -1.0)
    else:
        signs = rng.choice([-1.0, 1.0], (n_functions, n_kinks))
    # v(x) = Σ slope · max(sign · (x - kink), 0)
    at_c = (slopes * np.maximum(signs * (c - kinks), 0)).sum(axis=1)
    reach_high = np.maximum(signs * (high - kinks), 0)
    reach_low = np.maximum(signs * (low - kinks), 0)
    integral = (slopes * signs * (reach_high**2 - reach_low**2) / 2).sum(axis=1)
    return (2 - lam) * integral - at_c


def region_balance(c: object, lam: float) -> dict[str, float]:
    r"""Mass of :math:`\mu` on each region of the two-good closed form.

    Parameters
    ----------
    c : float or sequence of float
        Belief in the two goods, [0, 1].
    lam : float
        Weight of the trader's value, [0, 1).

    Returns
    -------
    dict of str to float
        For ``none`` and each trade such as ``(1, -1)``: face mass, and the unit at
        :math:`c`, less interior mass; 0 on every region.
    """
    c, lam = check_belief(c, 2), check_weight(lam)
    menu = uniform_menu(c, lam)
    regions = menu_regions(menu, make("uniform", 2), c, lam)
    density = 2 * (1 - lam) + 1
    names = ["none", *(str(tuple(int(x) for x in a)) for a in menu.allocations)]
    balance = {}
    for name, polygon, area in zip(
        names, regions.polygons, regions.probabilities, strict=True
    ):
        face = 1.0 if name == "none" else 0.0
        for v, w in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
            for axis in range(2):
                for end in (0.0, 1.0):
                    if v[axis] == end == w[axis]:
                        room = 1 - c[axis] if end else c[axis]
                        face += (1 - lam) * room * np.abs(w - v).sum()
        balance[name] = float(face - density * area)
    return balance


@dataclass(frozen=True)
class CornerPlan:
    """Transport in one corner region.

    Attributes
    ----------
    shipped : float
        Share of the face mass that can be moved inwards, both coordinates down; 1 in
        the limit of small cells.
    cost : float
        Cost of the mass shipped.
    sources, targets : ndarray, shape (n, 2)
        Middles of face pieces and of cells, relative to the belief.
    flow : scipy.sparse matrix, shape (n_sources, n_targets)
        Mass moved.
    """

    shipped: float
    cost: float
    sources: Float[np.ndarray, "n_sources 2"]
    targets: Float[np.ndarray, "n_targets 2"]
    flow: sp.csr_matrix


def corner_plan(rooms: tuple[float, float], lam: float, n: int = 32) -> CornerPlan:
    r"""Move the face mass of a corner region onto its interior.

    In coordinates :math:`z_i=s_i(x_i-c_i)\le h_i` the region is
    :math:`z_i\ge q_i,\ z_1+z_2\ge P`; mass on the face :math:`z_1=h_1` at height
    :math:`z_2'` may go where :math:`z_2\le z_2'`, and the other way round.

    Parameters
    ----------
    rooms : (float, float)
        :math:`h_1,h_2`, positive, at most 1.
    lam : float
        Weight of the trader's value, [0, 1).
    n : int
        Pieces a face and cells a side, 2 to 128.

    Returns
    -------
    CornerPlan
        Of largest flow.

    Raises
    ------
    ValueError
        Rooms or ``n`` out of range.
    """
    lam, h = check_weight(lam), np.asarray(rooms, dtype=float)
    if h.shape != (2,) or not ((h > 0) & (h <= 1)).all():
        raise ValueError(f"rooms = {h.tolist()}: expected two numbers in (0, 1]")
    if not 2 <= n <= 128:
        raise ValueError(f"n = {n}: expected an integer, 2 to 128")
    m = 2 + 1 / (1 - lam)
    δ = np.sqrt(2 * h.prod()) / m
    q, least = h * (1 - 1 / m) - δ, h.sum() * (1 - 1 / m) - δ
    edges = [np.linspace(q[i], h[i], n + 1) for i in range(2)]
    middle = [(e[1:] + e[:-1]) / 2 for e in edges]
    width = (h - q) / n
    k1, k2 = (x.ravel() for x in np.meshgrid(np.arange(n), np.arange(n), indexing="ij"))
    low1, low2 = edges[0][k1], edges[1][k2]
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * width
    cells = np.stack([low1, low2], axis=1)[:, None] + corners
    ones = np.ones((len(cells), 2))
    kept = clip(cells, ones, np.full(len(cells), least))
    v, w = kept, np.roll(kept, -1, axis=1)
    areas = (v[..., 0] * w[..., 1] - v[..., 1] * w[..., 0]).sum(axis=1) / 2
    some = areas > 1e-15
    k1, k2, need = k1[some], k2[some], (1 - lam) * m * areas[some]
    supply = np.concatenate(
        [
            np.full(n, (1 - lam) * h[0] * width[1]),
            np.full(n, (1 - lam) * h[1] * width[0]),
        ]
    )
    targets = np.stack([middle[0][k1], middle[1][k2]], axis=1)
    sources = np.concatenate(
        [
            np.stack([np.full(n, h[0]), middle[1]], axis=1),
            np.stack([middle[0], np.full(n, h[1])], axis=1),
        ]
    )
    # from (h1, piece j) to cells at or below j in good 2, and the other way round
    down = np.concatenate(
        [k2[None] <= np.arange(n)[:, None], k1[None] <= np.arange(n)[:, None]]
    )
    i, j = np.nonzero(down)
    at = np.arange(len(i))
    one = np.ones(len(i))
    sent = sp.csr_matrix((one, (i, at)), (2 * n, len(i)))
    received = sp.csr_matrix((one, (j, at)), (len(need), len(i)))
    found = solve(
        one,
        sp.vstack([sent, received]),
        row_upper=np.concatenate([supply, need]),
        maximise=True,
    )
    distance = np.abs(sources[i] - targets[j]).sum(axis=1)
    return CornerPlan(
        shipped=float(found.objective / supply.sum()),
        cost=float(found.x @ distance),
        sources=sources,
        targets=targets,
        flow=sp.csr_matrix((found.x, (i, j)), (2 * n, len(need))),
    )
