r"""Many small covering programs of one shape, solved in lockstep.

.. math::

   \min_{b\ge0}\ f\cdot b\quad\text{s.t.}\quad Gb\ge d,\qquad f\ge0,
   \qquad\text{dual:}\quad\max_{y\ge0}\ d\cdot y\quad\text{s.t.}\quad G^\top y\le f .

Since :math:`f\ge0` the dual starts from :math:`y=0`, without a first phase.  Condensed
tableaus of all problems stand in one array, and one pass of array operations makes one
pivot in each that is not yet finished; a column without a positive entry is a ray that
proves that there is no solution.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float

from econlib.programs import Program

__all__ = ["covering_lps"]

_TOL = 1e-11


def covering_lps(
    cost: Float[np.ndarray, "n_problems n_vars"],
    G: Float[np.ndarray, "n_problems n_rows n_vars"],
    need: Float[np.ndarray, "n_problems n_rows"],
    *,
    method: str = "auto",
) -> tuple[
    Float[np.ndarray, "n_problems n_vars"],
    Float[np.ndarray, "n_problems n_rows"],
    Bool[np.ndarray, " n_problems"],
]:
    r"""Solve many small programs of one shape in lockstep.

    .. math:: \min_{b\ge0}\ f\cdot b\quad\text{s.t.}\quad Gb\ge d,\qquad f\ge0.

    Parameters
    ----------
    cost : ndarray, shape (n_problems, n_vars)
        :math:`f`, 0 or more.
    G : ndarray, shape (n_problems, n_rows, n_vars)
        Rows.
    need : ndarray, shape (n_problems, n_rows)
        :math:`d`.
    method : {"auto", "simplex", "highs"}
        "auto" is the simplex method, with HiGHS for what fails its own check.

    Returns
    -------
    b : ndarray, shape (n_problems, n_vars)
        Solutions, NaN where there is none.
    y : ndarray, shape (n_problems, n_rows)
        Duals, or a ray that proves that there is no solution.
    feasible : ndarray of bool, shape (n_problems,)
        Whether there is a solution.
    """
    if method == "highs":
        return _highs(cost, G, need)
    b, y, feasible = _simplex(cost, G, need)
    if method == "simplex":
        return b, y, feasible
    bad = np.flatnonzero(_residual(cost, G, need, b, y, feasible) > 1e-9)
    if len(bad):
        b[bad], y[bad], feasible[bad] = _highs(cost[bad], G[bad], need[bad])
    return b, y, feasible


def _simplex(
    cost: np.ndarray, G: np.ndarray, need: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Simplex method on the duals, all problems of the batch one pivot at a time."""
    n, k, m = G.shape
    table = np.empty((n, m + 1, k + 1))
    table[:, :m, :k] = G.transpose(0, 2, 1)
    table[:, :m, k] = cost
    table[:, m, :k] = -need
    table[:, m, k] = 0
    columns = np.tile(np.arange(k), (n, 1))  # labels: y_a is a, slack of o is k + o
    rows = np.tile(np.arange(k, k + m), (n, 1))
    feasible = np.ones(n, dtype=bool)
    y = np.zeros((n, k))
    open_ = np.arange(n)
    for step in range(50 * (k + m)):
        bottom = table[open_, m, :k]
        if step < 4 * (k + m):
            enter = bottom.argmin(axis=1)
        else:  # Bland's rule cannot cycle
            label = np.where(bottom < -_TOL, columns[open_], k + m)
            enter = label.argmin(axis=1)
        going = bottom[np.arange(len(open_)), enter] < -_TOL
        open_, enter = open_[going], enter[going]
        if not len(open_):
            break
        column = table[open_, :, enter]
        body = column[:, :m]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(body > _TOL, table[open_, :m, k] / body, np.inf)
        least = ratio.min(axis=1)
        stuck = np.isinf(least)
        if stuck.any():
            lost = open_[stuck]
            feasible[lost] = False
            y[lost] = _ray(body[stuck], rows[lost], columns[lost], enter[stuck], k)
            open_, enter, column = open_[~stuck], enter[~stuck], column[~stuck]
            ratio, least = ratio[~stuck], least[~stuck]
            if not len(open_):
                break
        tied = ratio <= least[:, None] + _TOL
        leave = np.where(tied, rows[open_], k + m).argmin(axis=1)
        _pivot(table, rows, columns, open_, leave, enter, column)
    b = np.zeros((n, k + m))
    np.put_along_axis(b, columns, table[:, m, :k], axis=1)
    b = np.maximum(b[:, k:], 0)
    dual = np.zeros((n, k + m))
    np.put_along_axis(dual, rows, table[:, :m, k], axis=1)
    y = np.where(feasible[:, None], dual[:, :k], y)
    b[~feasible] = np.nan
    return b, y, feasible


def _pivot(
    table: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    at: np.ndarray,
    leave: np.ndarray,
    enter: np.ndarray,
    column: np.ndarray,
) -> None:
    """Exchange one row and one column of each condensed table, in place."""
    i = np.arange(len(at))
    pivot = column[i, leave][:, None]
    line = table[at, leave] / pivot
    new = table[at] - column[:, :, None] * line[:, None, :]
    new[i, leave] = line
    new[i, :, enter] = -column / pivot
    new[i, leave, enter] = 1 / pivot[:, 0]
    table[at] = new
    swap = rows[at, leave].copy()
    rows[at, leave] = columns[at, enter]
    columns[at, enter] = swap


def _ray(
    body: np.ndarray, rows: np.ndarray, columns: np.ndarray, enter: np.ndarray, k: int
) -> np.ndarray:
    """Direction of the duals in which the entering one can grow for ever."""
    n, m = body.shape
    full = np.zeros((n, k + m))
    np.put_along_axis(full, rows, -body, axis=1)
    full[np.arange(n), columns[np.arange(n), enter]] = 1
    return np.maximum(full[:, :k], 0)


def _highs(
    cost: np.ndarray, G: np.ndarray, need: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HiGHS on one block-diagonal program; first which problems have a solution."""
    n, k, m = G.shape
    if not n:
        return np.zeros((n, m)), np.zeros((n, k)), np.ones(n, dtype=bool)
    blocks = sp.block_diag(list(G), format="csr")
    slack = sp.kron(sp.eye_array(n), np.ones((k, 1)), format="csr")
    first = Program(np.concatenate([np.zeros(n * m), np.ones(n)]))
    first.add_rows(sp.hstack([blocks, slack]), need.ravel(), np.inf)
    phase = first.solve()
    short = phase.x[n * m :]
    feasible = short <= 1e-8 * (1 + np.abs(need).max(axis=1))
    b, y = np.full((n, m), np.nan), np.maximum(phase.duals.reshape(n, k), 0)
    if feasible.any():
        second = Program(cost[feasible].ravel())
        rows = sp.block_diag(list(G[feasible]), format="csr")
        second.add_rows(rows, need[feasible].ravel(), np.inf)
        found = second.solve()
        b[feasible] = np.maximum(found.x.reshape(-1, m), 0)
        y[feasible] = np.maximum(found.duals.reshape(-1, k), 0)
    return b, y, feasible


def _residual(
    cost: np.ndarray,
    G: np.ndarray,
    need: np.ndarray,
    b: np.ndarray,
    y: np.ndarray,
    feasible: np.ndarray,
) -> np.ndarray:
    """Worst of primal and dual violation and gap; of the ray where infeasible."""
    paid = np.where(feasible[:, None], b, 0)
    primal = (need - np.einsum("nkm,nm->nk", G, paid)).max(axis=1)
    slope = np.einsum("nkm,nk->nm", G, y)
    gap = np.abs((cost * paid).sum(axis=1) - (need * y).sum(axis=1))
    sign = np.maximum(-paid.min(axis=1), -y.min(axis=1))
    good = np.max([primal, (slope - cost).max(axis=1), gap, sign], axis=0)
    ray = np.maximum(slope.max(axis=1), -y.min(axis=1))
    ray = np.where((need * y).sum(axis=1) > 0, ray, np.inf)
    return np.where(feasible, np.maximum(good, 0), np.maximum(ray, 0))
