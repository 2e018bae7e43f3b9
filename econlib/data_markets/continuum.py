r"""A continuum of beliefs, two states, one buyer: the exact optimum and the program.

With payoffs :math:`u_1,u_2` an informed buyer's utility is convex in
:math:`\theta=\Pr[\omega_1]` with slope :math:`q=\pi_1u_1-\pi_2u_2`.  Concentrated
experiments suffice {cite:p}`bergemann2018design`, and then

.. math::

   \max_q\ \int(\theta f+F)\,q-f\,(q-k)^+\,d\theta-k\quad\text{s.t.}\quad
   q\text{ non-decreasing in }[-u_2,u_1],\ \int_0^1q\,d\theta=k,\qquad k=u_1-u_2 .

**Exactly.**  With a multiplier :math:`\mu` on the integral, a monotone :math:`q` is a
stack of thresholds, and its layers below and above :math:`k` are alike, so that

.. math::

   R\le D(\mu)=\mu k-k-u_2(1-\mu)+u_1\max_tG_1(t)+u_2\max_tG_2(t),\qquad
   G_1(t)=1-tF(t)-\mu(1-t),\quad G_2(t)=G_1(t)-(1-F(t)) .

:math:`\min_\mu D` is the optimum: a certificate that needs no program, and the reason
for the structure.  The layers jump at maximisers of :math:`G_1` and :math:`G_2`; one
constraint leaves one fraction, so that besides full information (:math:`q=k`) at most
one partial item is sold, and only where :math:`\mu` is the level of an ironed
interval, on which :math:`G_1` or :math:`G_2` has two maximisers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from econlib.data_markets.experiments import check_payoffs
from econlib.programs import solve
from econlib.valuations import Marginal

__all__ = [
    "ContinuumMenu",
    "ContinuumProgram",
    "continuum_optimum",
    "continuum_program",
    "ironing_binds",
    "upper_bound",
]

_FINE = 4096  # cells of the search for maximisers


@dataclass(frozen=True)
class ContinuumMenu:
    r"""The optimal menu for a law of beliefs.

    Attributes
    ----------
    revenue : float
        What the menu earns, by exact values of :math:`F`.
    bound : float
        :math:`\min_\mu D(\mu)`: no menu earns more.
    multiplier : float
        :math:`\mu` at the minimum.
    slopes : ndarray, shape (n_items,)
        :math:`q` of each item sold, ascending; :math:`k` is full information.
    prices : ndarray, shape (n_items,)
        Price of each.
    switches : ndarray, shape (n_items + 1,)
        Beliefs at which buyers start, switch item, and stop.
    masses : ndarray, shape (n_items,)
        Probability of the buyers of each.  Where hardly any belief is, an item that
        hardly anybody buys may stand on the menu at no loss.
    """

    revenue: float
    bound: float
    multiplier: float
    slopes: Float[np.ndarray, " n_items"]
    prices: Float[np.ndarray, " n_items"]
    switches: Float[np.ndarray, " n_switches"]
    masses: Float[np.ndarray, " n_items"]

    def sold(self, least: float = 1e-4) -> Float[np.ndarray, " n_sold"]:
        """Slopes of the items whose buyers have at least this probability."""
        return self.slopes[self.masses >= least]


@dataclass(frozen=True)
class ContinuumProgram:
    r"""Solution of the program on cells.

    Attributes
    ----------
    revenue : float
        Its value: that of a real menu, hence at most the optimum.
    slopes : ndarray, shape (n_cells,)
        :math:`q` on each cell.
    multiplier : float
        Dual of :math:`\int q=k`.
    levels : ndarray, shape (n_levels,)
        Values of :math:`q` strictly inside :math:`(-u_2,u_1)` that a probability of
        1e-4 or more is at, ascending.
    seconds : float
        Wall-clock time.
    """

    revenue: float
    slopes: Float[np.ndarray, " n_cells"]
    multiplier: float
    levels: Float[np.ndarray, " n_levels"]
    seconds: float


def _two(payoffs: object) -> tuple[float, float]:
    u = check_payoffs(payoffs, 2)
    return float(u[0, 0]), float(u[1, 1])


def continuum_program(
    law: Marginal, payoffs: object = None, *, n_cells: int = 4000
) -> ContinuumProgram:
    r"""Solve the program with :math:`q` constant on equal cells.

    Cell integrals are exact: :math:`\int(\theta f+F)=\Delta(\theta F)`,
    :math:`\int f=\Delta F`.

    Parameters
    ----------
    law : Marginal
        Law of the belief.
    payoffs : array_like, shape (2,), optional
        :math:`u_1,u_2`, positive.
    n_cells : int
        10 to 200,000.

    Returns
    -------
    ContinuumProgram
        At most the optimum, by less than the gain from moving a switch by a cell.
    """
    if not 10 <= n_cells <= 200_000:
        raise ValueError(f"n_cells = {n_cells}: expected an integer, 10 to 200000")
    u1, u2 = _two(payoffs)
    k, n = u1 - u2, n_cells
    x = np.linspace(0.0, 1.0, n + 1)
    F = law.cdf(x)
    cost = np.concatenate([np.diff(x * F), -np.diff(F)]) * n  # q, then z >= (q - k)+
    up = sp.diags([-1.0, 1.0], [0, 1], shape=(n - 1, n))
    rows = sp.block_array(
        [
            [np.ones((1, n)) / n, None],
            [up, sp.csr_array((n - 1, n))],
            [-sp.identity(n), sp.identity(n)],
        ],
        format="csr",
    )
    low = np.concatenate([[k], np.zeros(n - 1), np.full(n, -k)])
    high = np.concatenate([[k], np.full(2 * n - 1, np.inf)])
    found = solve(
        cost,
        rows,
        low,
        high,
        np.concatenate([np.full(n, -u2), np.zeros(n)]),
        np.concatenate([np.full(n, u1), np.full(n, u2)]),
        maximise=True,
    )
    q = found.x[:n]
    steps, where = np.unique(np.round(q, 6), return_inverse=True)
    mass = np.bincount(where, np.diff(F), len(steps))
    inside = steps[(steps > -u2 + 1e-6) & (steps < u1 - 1e-6) & (mass > 1e-4)] + 0.0
    return ContinuumProgram(
        found.objective / n - k, q, float(found.duals[0] / n), inside, found.seconds
    )


def continuum_optimum(law: Marginal, payoffs: object = None) -> ContinuumMenu:
    r"""The optimal menu and its certificate, by bisection on :math:`\mu`.

    Parameters
    ----------
    law : Marginal
        Law of the belief, without atoms.
    payoffs : array_like, shape (2,), optional
        :math:`u_1,u_2`, positive.

    Returns
    -------
    ContinuumMenu
        One or two items.

    Notes
    -----
    The slope of :math:`D` is what :math:`\int q=k` misses.  On both sides of its sign
    change the best :math:`q` is a pair of thresholds; the optimum is the mean of the
    two pairs that meets the constraint.

    Examples
    --------
    >>> from econlib.data_markets.beliefs import uniform
    >>> best = continuum_optimum(uniform())
    >>> round(best.revenue, 6), best.prices.round(4).tolist()
    (0.125, [0.25])
    """
    u1, u2 = _two(payoffs)
    k = u1 - u2
    grid = np.linspace(0.0, 1.0, _FINE + 1)
    on_grid = law.cdf(grid)

    def thresholds(μ: float) -> tuple[float, float, float]:
        t1, t2 = (_maximiser(law, grid, on_grid, μ, layer) for layer in (1, 2))
        return t1, t2, -u2 + u1 * (1 - t1) + u2 * (1 - t2)

    low, high = -4.0, 5.0
    at_low, at_high = thresholds(low), thresholds(high)
    while high - low > 1e-13 * max(1.0, abs(low)) and abs(at_low[2] - at_high[2]) > 0:
        μ = (low + high) / 2
        if not low < μ < high:
            break
        at = thresholds(μ)
        if at[2] > k:
            low, at_low = μ, at
        else:
            high, at_high = μ, at
    spread = at_low[2] - at_high[2]
    w = (k - at_high[2]) / spread if abs(spread) > 1e-9 else 1.0
    jumps = [
        (at_low[0], w * u1),
        (at_high[0], (1 - w) * u1),
        (at_low[1], w * u2),
        (at_high[1], (1 - w) * u2),
    ]
    slopes, prices, switches = _read_off(jumps, u1, u2)
    masses, μ = np.diff(law.cdf(switches)), (low + high) / 2
    bound = upper_bound(law, μ, payoffs)
    return ContinuumMenu(
        float(prices @ masses), bound, μ, slopes, prices, switches, masses
    )


def _maximiser(
    law: Marginal, x: np.ndarray, F: np.ndarray, μ: float, layer: int
) -> float:
    """Where G of a layer is largest: best points of a grid, then finer and finer."""

    def G(t: np.ndarray, F: np.ndarray) -> np.ndarray:
        return 1 - t * F - μ * (1 - t) - (1 - F if layer == 2 else 0.0)

    y = G(x, F)
    last = len(x) - 1
    close = np.flatnonzero(y >= y.max() - 2.0 / last)
    before, after = y[np.maximum(close - 1, 0)], y[np.minimum(close + 1, last)]
    peaks = close[(y[close] >= before) & (y[close] >= after)]
    best = (-np.inf, 0.0)
    for i in peaks:
        low, high = x[max(i - 1, 0)], x[min(i + 1, last)]
        for _ in range(6):  # 16 times finer in each round
            t = np.linspace(low, high, 33)
            value = G(t, law.cdf(t))
            j = int(np.argmax(value))
            low, high = t[max(j - 1, 0)], t[min(j + 1, 32)]
        best = max(best, (float(value[j]), float(t[j])))
    return best[1]


def _read_off(
    jumps: list, u1: float, u2: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Items from the jumps of q: utility is u2 plus the integral of q."""
    k = u1 - u2
    merged: list[list[float]] = []
    for t, size in sorted(jumps):
        if merged and t - merged[-1][0] < 1e-5:
            total = merged[-1][1] + size
            if total > 0:
                merged[-1][0] = (merged[-1][0] * merged[-1][1] + t * size) / total
            merged[-1][1] = total
        else:
            merged.append([t, size])
    merged = [row for row in merged if row[1] > 1e-7]
    at = np.array([t for t, _ in merged])
    levels = -u2 + np.cumsum([size for _, size in merged])
    utility = (
        u2 - u2 * at[0] + np.concatenate([[0], np.cumsum(levels[:-1] * np.diff(at))])
    )
    inside = levels[:-1]
    gross = u2 + at[:-1] * inside - np.maximum(inside - k, 0)
    return inside, gross - utility[:-1], at


def upper_bound(
    law: Marginal, multiplier: float, payoffs: object = None, *, tolerance: float = 1e-7
) -> float:
    r"""A bound on the revenue of every menu: :math:`D(\mu)`, rounded up.

    Parameters
    ----------
    law : Marginal
        Law of the belief.
    multiplier : float
        Any :math:`\mu`; the optimal one gives the least bound.
    payoffs : array_like, shape (2,), optional
        :math:`u_1,u_2`, positive.
    tolerance : float
        How much the bound may lie above :math:`D(\mu)`, 1e-9 to 1e-2.

    Returns
    -------
    float
        The bound.

    Notes
    -----
    Branch and bound: on a cell :math:`[s,t]`, :math:`F(s)\le F\le F(t)` bounds
    :math:`G`, so that nothing between the points of a grid is missed.
    """
    if not 1e-9 <= tolerance <= 1e-2:
        raise ValueError(f"tolerance = {tolerance}: expected 1e-9 to 1e-2")
    u1, u2 = _two(payoffs)
    μ, tops = float(multiplier), []
    for layer in (1, 2):
        x = np.linspace(0.0, 1.0, 513)
        s, t = x[:-1], x[1:]
        best, above = -np.inf, -np.inf
        while len(s):
            lowF, highF = law.cdf(s), law.cdf(t)
            if layer == 1:  # G = 1 - μ + t (μ - F)
                value, room = 1 - μ + s * (μ - lowF), μ - lowF
                bound = 1 - μ + np.where(room > 0, t, s) * room
            else:  # G = (1 - t) (F - μ)
                value, room = (1 - s) * (lowF - μ), highF - μ
                bound = (1 - np.where(room > 0, s, t)) * room
            best = max(best, float(value.max()))
            done = bound <= best + tolerance
            if done.any():
                above = max(above, float(bound[done].max()))
            s, t = s[~done], t[~done]
            steps = np.linspace(0.0, 1.0, 9)
            cut = s[:, None] + (t - s)[:, None] * steps
            s, t = cut[:, :-1].ravel(), cut[:, 1:].ravel()
        tops.append(max(above, best))
    k = u1 - u2
    return float(μ * k - k - u2 * (1 - μ) + u1 * tops[0] + u2 * tops[1])


def ironing_binds(
    law: Marginal, multiplier: float, *, n_grid: int = 20_001, tolerance: float = 1e-4
) -> bool:
    r"""Whether :math:`\mu` is the level of an ironed interval.

    The virtual values :math:`\theta f+F` and :math:`\theta f+F-f` are slopes of
    :math:`H_1=\theta F` and :math:`H_2=(\theta-1)F`; ironed they are slopes of the
    convex hulls, and an ironed interval is a segment of a hull that bridges points
    with some probability between them.
    """
    x = np.linspace(0.0, 1.0, n_grid)
    F = law.cdf(x)
    for H in (x * F, (x - 1) * F):
        hull: list[int] = []
        for i in range(n_grid):
            while len(hull) > 1:
                p, q = hull[-2], hull[-1]
                if (H[q] - H[p]) * (x[i] - x[p]) < (H[i] - H[p]) * (x[q] - x[p]):
                    break
                hull.pop()
            hull.append(i)
        at = np.array(hull)
        bridged = (np.diff(at) > max(10, n_grid // 1000)) & (np.diff(F[at]) > 1e-4)
        slopes = np.diff(H[at]) / np.diff(x[at])
        if (np.abs(slopes[bridged] - multiplier) < tolerance).any():
            return True
    return False
