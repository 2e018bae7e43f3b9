"""The market maker's program on a grid: highspy directly, against cvxpy with HiGHS."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
from scipy.spatial import cKDTree

from benchmarks.record import Timing, alternate
from econlib.market_makers.measures import Measure, finite_elements
from econlib.market_makers.primal import solve_primal
from econlib.valuations import make

__all__ = ["measure"]


def _cvxpy(measure: Measure) -> float:
    """The same rows, each point against its nearest."""
    p, n = measure.points, len(measure.points)
    _, near = cKDTree(p).query(p, k=13, p=np.inf)
    i, j = np.repeat(np.arange(n), 12), near[:, 1:].ravel()
    u, g = cp.Variable(n, nonneg=True), cp.Variable((n, 2))
    step = p[j] - p[i]
    rows = u[j] - u[i] >= cp.sum(cp.multiply(g[i], step), axis=1)
    problem = cp.Problem(cp.Maximize(measure.masses @ u), [rows, g <= 1, g >= -1])
    return float(problem.solve(solver=cp.HIGHS))


def measure(n_runs: int = 5, n: int = 32) -> list[Timing]:
    """Time both sides in turn; ours also checks all pairs of points."""
    masses = finite_elements(make("uniform", 2), 0.5, 0.0, n)
    sides = {
        "ours": lambda: solve_primal(masses, 0.5).value,
        "peer": lambda: _cvxpy(masses),
    }
    values = {name: side() for name, side in sides.items()}
    return [
        Timing(
            task=f"finite-element program of the market maker, n = {n}",
            ours_is="econlib.market_makers.primal.solve_primal, all pairs checked",
            peer_is="cvxpy with HiGHS, rows of the nearest points, not checked",
            **alternate(sides, n_runs),
            quality=values,
        )
    ]
