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
from jaxtyping import Bool, Float, Int

from econlib.contracts.covering import _TOL, _residual, covering_lps

__all__ = [
    "MinContract",
    "certificate_residual",
    "min_contract",
    "min_contract_lp",
]

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
