r"""The cheapest contract that makes the agent want an action.

With truncated values :math:`\bar Q(a)` (what the agent has from the action before the
payment of this step), outcome laws :math:`F_a` and margin :math:`\xi\ge0`, eq. (3):

.. math::

   \min_{b\ge0}\ F_{a^p}\cdot b\quad\text{s.t.}\quad
   F_{a^p}\cdot b+\bar Q(a^p)\ \ge\ F_a\cdot b+\bar Q(a)+\xi\qquad\forall a\ne a^p .

Its dual, with a price :math:`y_a\ge0` on each constraint,

.. math::

   \max_{y\ge0}\ \sum_a y_a\big(\bar Q(a)-\bar Q(a^p)+\xi\big)\quad\text{s.t.}\quad
   \sum_a y_a\big(F_{a^p}(o)-F_a(o)\big)\le F_{a^p}(o)\quad\forall o,

starts from the feasible :math:`y=0`.  With two actions it has one unknown, and all is
paid on the outcome with the largest :math:`(F_{a^p}(o)-F_a(o))/F_{a^p}(o)`.  With more,
we run the simplex method on the dual for a whole batch in lockstep, check each answer
by its own duals, and hand what fails the check to HiGHS.  An action that no payment can
make best costs :math:`+\infty`, proved by a ray of the dual.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from econlib.programs import Program

__all__ = [
    "MinContract",
    "certificate_residual",
    "covering_lps",
    "min_contract",
    "min_contract_lp",
]

_TOL = 1e-11
_METHODS = ("auto", "closed", "simplex", "highs")


@dataclass(frozen=True)
class MinContract:
    """Cheapest contracts of a batch.

    Attributes
    ----------
    b : ndarray, shape (n_problems, n_outcomes)
        Payments; NaN where the action is not implementable.
    pay : ndarray, shape (n_problems,)
        Expected payment; infinite where the action is not implementable.
    feasible : ndarray of bool, shape (n_problems,)
        Whether the action is implementable.
    duals : ndarray, shape (n_problems, n_actions)
        Price of each constraint, 0 at the wanted action; where the action is not
        implementable, a ray along which the dual grows without bound.
    """

    b: Float[np.ndarray, "n_problems n_outcomes"]
    pay: Float[np.ndarray, " n_problems"]
    feasible: Bool[np.ndarray, " n_problems"]
    duals: Float[np.ndarray, "n_problems n_actions"]


def min_contract(
    qbar: Float[np.ndarray, "n_problems n_actions"],
    F: Float[np.ndarray, "n_problems n_actions n_outcomes"],
    a_p: Int[np.ndarray, " n_problems"],
    xi: float | Float[np.ndarray, " n_problems"] = 0.0,
    *,
    floor: float = 0.0,
    method: str = "auto",
) -> MinContract:
    r"""Solve eq. (3) for many states at once.

    Parameters
    ----------
    qbar : ndarray, shape (n_problems, n_actions)
        The agent's truncated values, finite.
    F : ndarray, shape (n_problems, n_actions, n_outcomes)
        Outcome laws; rows sum to 1.
    a_p : ndarray of int, shape (n_problems,)
        Wanted actions, 0 to n_actions - 1.
    xi : float or ndarray, shape (n_problems,)
        Margin by which the wanted action must be preferred, 0 or more.
    floor : float
        Least payment of every outcome, 0 or more (limited liability).  It shifts all
        payments alike, so that incentives stay as they are.
    method : {"auto", "closed", "simplex", "highs"}
        "auto": closed form with two actions, else lockstep simplex with HiGHS behind
        it; the others force one way, for comparison.

    Returns
    -------
    MinContract
        Payments, expected payment, whether implementable, and duals.

    Raises
    ------
    ValueError
        Shapes that do not agree, laws that do not sum to 1, an action out of range, a
        negative margin or floor, or "closed" with another number of actions than two.

    Notes
    -----
    A thousand problems with five actions and five outcomes take about a millisecond.

    References
    ----------
    ivanov2024principal, eq. (3).

    Examples
    --------
    >>> F = np.array([[[0.9, 0.1], [0.1, 0.9]]])
    >>> wanted = min_contract(np.array([[-0.8, 0.0]]), F, np.array([0]))
    >>> wanted.b.round(6).tolist(), wanted.pay.round(6).tolist()
    ([[1.0, 0.0]], [0.9])
    """
    qbar, F = np.asarray(qbar, dtype=float), np.asarray(F, dtype=float)
    a_p = np.asarray(a_p)
    xi = _validated(qbar, F, a_p, xi, floor)
    if method not in _METHODS:
        raise ValueError(f"method = {method!r}: expected one of {', '.join(_METHODS)}")
    if method == "closed" and F.shape[1] != 2:
        raise ValueError(f"method = 'closed' with {F.shape[1]} actions: expected two")
    return _solve(qbar, F, a_p, xi, method=method, floor=floor)


def _validated(
    qbar: np.ndarray, F: np.ndarray, a_p: np.ndarray, xi: object, floor: float
) -> np.ndarray:
    if F.ndim != 3 or qbar.shape != F.shape[:2] or a_p.shape != F.shape[:1]:
        raise ValueError(
            f"qbar, F, a_p: shapes {qbar.shape}, {F.shape}, {a_p.shape}; expected "
            "(n_problems, n_actions), (n_problems, n_actions, n_outcomes), "
            "(n_problems,)"
        )
    if not np.isfinite(qbar).all():
        raise ValueError("qbar: expected finite values")
    if not np.isfinite(F).all() or (F < 0).any():
        raise ValueError("F: expected probabilities, 0 or more")
    off = np.abs(F.sum(axis=2) - 1) > 1e-9
    if off.any():
        i, a = (int(k) for k in np.argwhere(off)[0])
        raise ValueError(f"F[{i}, {a}] sums to {F[i, a].sum():.6g}: expected 1")
    if not np.issubdtype(a_p.dtype, np.integer) or (
        a_p.size and (a_p.min() < 0 or a_p.max() >= F.shape[1])
    ):
        raise ValueError(f"a_p: expected integers, 0 to {F.shape[1] - 1}")
    xi = np.asarray(xi, dtype=float)
    if not np.isfinite(xi).all() or (xi < 0).any():
        raise ValueError(f"xi = {xi.min():g}: expected a finite margin, 0 or more")
    if xi.shape not in ((), a_p.shape):
        raise ValueError(f"xi: shape {xi.shape}, expected () or {a_p.shape}")
    if not (np.isfinite(floor) and floor >= 0):
        raise ValueError(
            f"floor = {floor}: expected 0 or more; a contract can reward, never fine"
        )
    return np.broadcast_to(xi, a_p.shape)


def _solve(
    qbar: np.ndarray,
    F: np.ndarray,
    a_p: np.ndarray,
    xi: np.ndarray | float,
    *,
    method: str = "auto",
    floor: float = 0.0,
) -> MinContract:
    """Solve without looking at the input; the solvers of this room call it."""
    n, n_actions, n_outcomes = F.shape
    row = np.arange(n)
    cost = F[row, a_p]
    if n_actions == 1:
        found = np.zeros((n, n_outcomes)), np.zeros((n, 0))
        b, y, feasible = *found, np.ones(n, dtype=bool)
    elif n_actions == 2 and method in ("auto", "closed"):
        need = qbar[row, 1 - a_p] - qbar[row, a_p] + xi
        b, y, feasible = _closed(cost, cost - F[row, 1 - a_p], need)
    else:
        others = (a_p[:, None] + np.arange(1, n_actions)) % n_actions
        G = cost[:, None, :] - F[row[:, None], others]
        need = qbar[row[:, None], others] - qbar[row, a_p][:, None]
        need = need + np.reshape(xi, (-1, 1))
        b, y, feasible = covering_lps(cost, G, need, method=method)
    duals = np.zeros((n, n_actions))
    if n_actions > 1:
        others = (a_p[:, None] + np.arange(1, n_actions)) % n_actions
        duals[row[:, None], others] = y
    pay = np.where(feasible, (cost * np.where(feasible[:, None], b, 0)).sum(1), np.inf)
    return MinContract(b + floor, pay + floor, feasible, duals)


def _closed(
    cost: np.ndarray, gain: np.ndarray, need: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two actions: pay on the outcome with the largest gain per expected payment."""
    n = len(need)
    row = np.arange(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(gain > _TOL, gain / cost, 0.0)
    best = ratio.argmax(axis=1)
    most = ratio[row, best]
    paid = need > 0
    feasible = ~paid | (most > 0)
    b = np.zeros(cost.shape)
    y = np.zeros((n, 1))
    some = paid & feasible
    b[row[some], best[some]] = need[some] / gain[row[some], best[some]]
    y[some, 0] = 1 / most[some]
    b[~feasible] = np.nan
    y[~feasible] = 1.0
    return b, y, feasible


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


def certificate_residual(
    qbar: Float[np.ndarray, "n_problems n_actions"],
    F: Float[np.ndarray, "n_problems n_actions n_outcomes"],
    a_p: Int[np.ndarray, " n_problems"],
    contract: MinContract,
    xi: float | Float[np.ndarray, " n_problems"] = 0.0,
    *,
    floor: float = 0.0,
) -> Float[np.ndarray, " n_problems"]:
    """How far payments and duals are from proving each other optimal.

    Parameters
    ----------
    qbar, F, a_p, xi, floor
        As in :func:`min_contract`.
    contract : MinContract
        What is to be checked.

    Returns
    -------
    ndarray, shape (n_problems,)
        Largest of constraint violation, dual violation and duality gap; where the
        action is called not implementable, the violation of the ray that proves it,
        infinite where the ray proves nothing.
    """
    row = np.arange(len(a_p))[:, None]
    n_actions = F.shape[1]
    others = (a_p[:, None] + np.arange(1, n_actions)) % n_actions
    cost = F[row[:, 0], a_p]
    need = qbar[row, others] - qbar[row, a_p[:, None]] + np.reshape(xi, (-1, 1))
    return _residual(
        cost,
        cost[:, None, :] - F[row, others],
        need,
        contract.b - floor,
        contract.duals[row, others],
        contract.feasible,
    )


def min_contract_lp(
    qbar: Float[np.ndarray, " n_actions"],
    F: Float[np.ndarray, "n_actions n_outcomes"],
    a_p: int,
    xi: float = 0.0,
) -> tuple[Float[np.ndarray, " n_outcomes"], float]:
    """Eq. (3) for one state, written as one reads it, by cvxpy.

    Parameters
    ----------
    qbar : ndarray, shape (n_actions,)
        The agent's truncated values.
    F : ndarray, shape (n_actions, n_outcomes)
        Outcome laws.
    a_p : int
        Wanted action.
    xi : float
        Margin, 0 or more.

    Returns
    -------
    b : ndarray, shape (n_outcomes,)
        Payments, NaN where the action is not implementable.
    pay : float
        Expected payment, infinite where the action is not implementable.

    Notes
    -----
    The reference that :func:`min_contract` is tested against; some milliseconds.
    """
    import cvxpy as cp

    _validated(qbar[None], F[None], np.array([a_p]), xi, 0.0)
    b = cp.Variable(F.shape[1], nonneg=True)
    keep = [
        F[a_p] @ b + qbar[a_p] >= F[a] @ b + qbar[a] + xi
        for a in range(len(qbar))
        if a != a_p
    ]
    problem = cp.Problem(cp.Minimize(F[a_p] @ b), keep)
    problem.solve(solver=cp.HIGHS)
    if b.value is None:
        return np.full(F.shape[1], np.nan), float("inf")
    return np.asarray(b.value), float(problem.value)
