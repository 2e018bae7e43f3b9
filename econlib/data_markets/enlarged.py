r"""Two states, private belief and private stake: a bound on every menu.

Write :math:`x=v(\theta,1-\theta)`.  A menu's utility :math:`u(x)` is convex with
:math:`\nabla u=(\pi_{11},\pi_{22})\in[0,1]^2` and :math:`u\ge\max(x_1,x_2)`, and it
pays :math:`x\cdot\nabla u-u`.  Along a ray :math:`x\cdot\nabla u=v\,\partial_vu`, so
that for :math:`\theta\sim F` and :math:`v` uniform on :math:`[a,1]`

.. math::

   R(u)=\int\Big[\frac{u(1,\theta)-a\,u(a,\theta)}{1-a}
   -\frac2{1-a}\int_a^1u(v,\theta)\,dv\Big]dF(\theta).

Jensen's inequality turns this into a finite program from above: negative mass of a cell
moves to the cell's mean, positive mass on the edge :math:`v=1` to the ends of its
cell.  No menu, with however many items, earns more than

.. math::

   \max_{u,g}\ \sum_jm_ju_j\quad\text{s.t.}\quad u_i\ge u_j+g_j\cdot(x_i-x_j),\quad
   g_j\in[0,1]^2,\quad\max(x_j)\le u_j\le x_{j1}+x_{j2}.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from econlib.programs import Program
from econlib.valuations import Marginal

__all__ = ["EnlargedBound", "enlarged_bound"]


@dataclass(frozen=True)
class EnlargedBound:
    r"""A certified bound on the revenue of all menus.

    Attributes
    ----------
    bound : float
        Value of a dual solution, whatever the accuracy of the solver.
    value : float
        Value of the program.
    points : ndarray, shape (n_points, 2)
        :math:`x` of the program's points.
    masses : ndarray, shape (n_points,)
        :math:`m`, sum -1.
    utilities : ndarray, shape (n_points,)
        :math:`u` of its solution.
    slopes : ndarray, shape (n_points, 2)
        :math:`g`.
    n_rounds : int
        How often rows were added.
    seconds : float
        Wall-clock time.
    """

    bound: float
    value: float
    points: Float[np.ndarray, "n_points 2"]
    masses: Float[np.ndarray, " n_points"]
    utilities: Float[np.ndarray, " n_points"]
    slopes: Float[np.ndarray, "n_points 2"]
    n_rounds: int
    seconds: float


def _measure(
    law: Marginal, low: float, n_beliefs: int, n_stakes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Points x and masses m; half the cells of equal width, half of equal mass."""
    n_even = (n_beliefs + 1) // 2
    levels = np.linspace(0.0, 1.0, n_beliefs - n_even + 2)[1:-1]
    t = np.concatenate([np.linspace(0.0, 1.0, n_even + 1), law.ppf(levels)])
    t = np.sort(np.clip(t, 0.0, 1.0))
    t = t[np.append(True, np.diff(t) > 1e-7)]
    t[-1] = 1.0
    n_beliefs, F = len(t) - 1, law.cdf(t)
    nodes, w = np.polynomial.legendre.leggauss(8)
    inner = law.cdf(t[:-1, None] + np.diff(t)[:, None] * (nodes + 1) / 2)
    integral = np.diff(t) * (inner @ w) / 2  # of F over each cell
    p = np.diff(F)
    first = np.diff(t * F) - integral  # ∫ θ dF
    mean = np.where(p > 1e-14, first / np.maximum(p, 1e-14), (t[1:] + t[:-1]) / 2)
    mean = np.clip(mean, t[:-1], t[1:])
    right = p * (mean - t[:-1]) / np.diff(t)
    top = np.zeros(n_beliefs + 1)
    top[:-1] += p - right
    top[1:] += right
    s = np.linspace(low, 1.0, n_stakes + 1)
    v = (s[1:] + s[:-1]) / 2
    θ = np.concatenate([t, np.repeat(mean, n_stakes)])
    at = np.concatenate([np.ones(n_beliefs + 1), np.tile(v, n_beliefs)])
    inside = -2 * np.outer(p, np.diff(s)).ravel()
    mass = np.concatenate([top, inside]) / (1 - low)
    if low > 0:
        θ, at = np.concatenate([θ, mean]), np.concatenate([at, np.full(n_beliefs, low)])
        mass = np.concatenate([mass, -low * p / (1 - low)])
    keep = np.abs(mass) > 1e-12
    keep[: n_beliefs + 1] = True
    x = at[:, None] * np.stack([θ, 1 - θ], 1)
    return x[keep], mass[keep]


def enlarged_bound(
    law: Marginal,
    low: float = 0.0,
    *,
    n_beliefs: int = 24,
    n_stakes: int = 8,
    max_points: int = 6000,
    max_rounds: int = 300,
) -> EnlargedBound:
    r"""Bound the revenue of every menu for :math:`\theta\sim F`, :math:`v\sim U[a,1]`.

    Parameters
    ----------
    law : Marginal
        Law of the belief.
    low : float
        :math:`a` in [0, 0.99].
    n_beliefs, n_stakes : int
        Cells; 2 or more, 1 or more.  The bound falls to the optimum as they grow.
    max_points : int
        Largest program that is started, in points.
    max_rounds : int
        How often violated rows are added.

    Returns
    -------
    EnlargedBound
        A bound for the continuum, not for a grid of types.

    Raises
    ------
    ValueError
        ``low`` out of range or too many points, before anything is solved.
    """
    if not 0 <= low <= 0.99:
        raise ValueError(f"low = {low}: expected a number in [0, 0.99]")
    if n_beliefs < 2 or n_stakes < 1:
        raise ValueError(
            f"n_beliefs = {n_beliefs}, n_stakes = {n_stakes}: expected 2, 1 or more"
        )
    n_points = (n_beliefs + 1) * (n_stakes + 2)
    if n_points > max_points:
        raise ValueError(
            f"{n_beliefs} by {n_stakes} cells make {n_points} points: expected at most "
            f"{max_points}"
        )
    x, mass = _measure(law, low, n_beliefs, n_stakes)
    n = len(x)
    lower = np.concatenate([x.max(axis=1), np.zeros(2 * n)])
    upper = np.concatenate([x.sum(axis=1), np.ones(2 * n)])
    cost = np.concatenate([mass, np.zeros(2 * n)])
    scale = 1.0 / np.abs(mass).max()
    program = Program(cost * scale, lower, upper, maximise=True)

    def rows(i: np.ndarray, j: np.ndarray) -> sp.csr_matrix:
        line, one = np.arange(len(i)), np.ones(len(i))
        step = x[i] - x[j]
        return sp.csr_matrix(
            (
                np.concatenate([one, -one, -step[:, 0], -step[:, 1]]),
                (np.tile(line, 4), np.concatenate([i, j, n + j, 2 * n + j])),
            ),
            (len(i), 3 * n),
        )

    gap = ((x[:, None] - x[None]) ** 2).sum(axis=2)
    near = np.argsort(gap, axis=1)[:, 1:9]
    j = np.repeat(np.arange(n), near.shape[1])
    program.add_rows(rows(near.ravel(), j), 0.0)

    def violated(z: np.ndarray) -> tuple | None:
        u, g = z[:n], z[n:].reshape(2, n).T
        plane = u[None] + x @ g.T - (g * x).sum(axis=1)[None]  # [point, tangent at]
        excess = plane - u[:, None]
        worst = np.argsort(-excess, axis=0)[:3]
        i, at = worst.ravel(), np.tile(np.arange(n), 3)
        bad = excess[i, at] > 1e-8
        if not bad.any():
            return None
        i, at = i[bad], at[bad]
        return rows(i, at), np.zeros(len(i)), np.full(len(i), np.inf)

    found = program.solve(violated, max_rounds=max_rounds)
    return EnlargedBound(
        bound=program.safe_bound(found.duals, lower, upper) / scale,
        value=found.objective / scale,
        points=x,
        masses=mass,
        utilities=found.x[:n],
        slopes=found.x[n:].reshape(2, n).T,
        n_rounds=found.n_rounds,
        seconds=found.seconds,
    )
