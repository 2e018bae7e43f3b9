r"""One decision: optimal contracts, linear contracts, and how far apart they can be.

Action :math:`i` costs :math:`c_i` and has the outcome law :math:`F_i`; outcome
:math:`o` is worth :math:`r_o`.  The optimal contract is the best of the cheapest
contracts of all actions; a *linear* one pays the share :math:`\alpha r_o` and leaves

.. math:: \max_{\alpha\in[0,1]}\ (1-\alpha)\,F_{i(\alpha)}\cdot r,\qquad
   i(\alpha)\in\arg\max_i\ \alpha F_i\cdot r-c_i ,

where only shares at which the agent's choice changes can be optimal.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float

from econlib.contracts.minimal import min_contract

__all__ = [
    "Linear",
    "Static",
    "gap_exact",
    "gap_family",
    "generic_example",
    "linear",
    "optimal",
]


@dataclass(frozen=True)
class Static:
    """The optimal contract.

    Attributes
    ----------
    action : int
        Action that it induces.
    b : ndarray, shape (n_outcomes,)
        Payments.
    pay, value : float
        Expected payment, and the principal's profit.
    values : ndarray, shape (n_actions,)
        Profit with each action's cheapest contract, minus infinity where there is none.
    """

    action: int
    b: Float[np.ndarray, " n_outcomes"]
    pay: float
    value: float
    values: Float[np.ndarray, " n_actions"]


@dataclass(frozen=True)
class Linear:
    """The best linear contract.

    Attributes
    ----------
    share : float
        :math:`\\alpha`.
    action : int
        Action that it induces.
    value : float
        The principal's profit.
    """

    share: float
    action: int
    value: float


def _check(F: np.ndarray, costs: np.ndarray, rewards: np.ndarray) -> None:
    if F.ndim != 2 or costs.shape != F.shape[:1] or rewards.shape != F.shape[1:]:
        raise ValueError(
            f"F, costs, rewards: shapes {F.shape}, {costs.shape}, {rewards.shape}; "
            "expected (n_actions, n_outcomes), (n_actions,), (n_outcomes,)"
        )
    if not np.isfinite(rewards).all():
        raise ValueError("rewards: expected finite numbers")
    if not np.isfinite(costs).all():
        raise ValueError("costs: expected finite numbers")


def optimal(
    F: Float[np.ndarray, "n_actions n_outcomes"],
    costs: Float[np.ndarray, " n_actions"],
    rewards: Float[np.ndarray, " n_outcomes"],
    xi: float = 0.0,
) -> Static:
    """The contract with the largest profit, all actions' programs in one batch.

    Parameters
    ----------
    F : ndarray, shape (n_actions, n_outcomes)
        Outcome laws.
    costs : ndarray, shape (n_actions,)
        The agent's costs.
    rewards : ndarray, shape (n_outcomes,)
        The principal's rewards.
    xi : float
        Margin, 0 or more.

    Returns
    -------
    Static
        With ties to the action of the lowest number.

    Examples
    --------
    >>> best = optimal(*generic_example())
    >>> best.action, round(best.value, 9), best.b.round(9).tolist()
    (2, 2.1, [0.0, 0.0, 0.0, 2.5])
    """
    F, costs = np.asarray(F, dtype=float), np.asarray(costs, dtype=float)
    rewards = np.asarray(rewards, dtype=float)
    _check(F, costs, rewards)
    n = len(costs)
    found = min_contract(
        np.tile(-costs, (n, 1)), np.tile(F, (n, 1, 1)), np.arange(n), xi
    )
    values = F @ rewards - found.pay
    action = int(values.argmax())
    if not found.feasible[action]:
        raise ValueError(f"xi = {xi:g}: no action is implementable. Try a smaller one")
    return Static(
        action=action,
        b=found.b[action],
        pay=float(found.pay[action]),
        value=float(values[action]),
        values=values,
    )


def linear(
    F: Float[np.ndarray, "n_actions n_outcomes"],
    costs: Float[np.ndarray, " n_actions"],
    rewards: Float[np.ndarray, " n_outcomes"],
) -> Linear:
    r"""The best share of the rewards, by the shares at which the agent changes.

    Parameters
    ----------
    F, costs, rewards
        As in :func:`optimal`; rewards 0 or more, for payments cannot be negative.

    Returns
    -------
    Linear
        Exact; among the agent's ties the action that is worth most.
    """
    F, costs = np.asarray(F, dtype=float), np.asarray(costs, dtype=float)
    rewards = np.asarray(rewards, dtype=float)
    _check(F, costs, rewards)
    if (rewards < 0).any():
        raise ValueError(f"rewards = {rewards.min():g}: expected 0 or more")
    worth = F @ rewards
    with np.errstate(divide="ignore", invalid="ignore"):
        cross = (costs[:, None] - costs) / (worth[:, None] - worth)
    shares = np.unique(np.append(cross[np.isfinite(cross)], [0.0, 1.0]))
    shares = shares[(shares >= 0) & (shares <= 1)]
    utility = shares[:, None] * worth - costs
    slack = 1e-10 * (1 + np.abs(utility).max())
    chosen = utility >= utility.max(axis=1, keepdims=True) - slack
    profit = np.where(chosen, (1 - shares)[:, None] * worth, -np.inf)
    k, action = np.unravel_index(profit.argmax(), profit.shape)
    return Linear(float(shares[k]), int(action), float(profit[k, action]))


def gap_family(
    n: int, eps: float
) -> tuple[
    Float[np.ndarray, "n n"],
    Float[np.ndarray, " n"],
    Float[np.ndarray, " n"],
]:
    r"""Actions for which linear contracts lose almost the factor n.

    Outcome i comes for sure with action i, is worth
    :math:`\epsilon^{-(i-1)}` and costs
    :math:`\epsilon^{-(i-1)}-i+\epsilon(i-1)`; the optimal profit is
    :math:`n-\epsilon(n-1)`, the best linear one 1.

    Parameters
    ----------
    n : int
        Actions, 1 to 12.
    eps : float
        :math:`\epsilon`, [1e-3, 1).

    Returns
    -------
    F, costs, rewards : ndarray
        Arguments of :func:`optimal` and :func:`linear`.

    References
    ----------
    duetting2019simple.
    """
    if not 1 <= n <= 12:
        raise ValueError(f"n = {n}: expected an integer, 1 to 12")
    if not 1e-3 <= eps < 1:
        raise ValueError(f"eps = {eps}: expected a number in [0.001, 1)")
    if eps ** (1 - n) > 1e9:
        raise ValueError(
            f"n = {n}, eps = {eps}: rewards up to {eps ** (1 - n):.3g}, expected at "
            "most 1e9 for floating point. Try gap_exact"
        )
    i = np.arange(n)
    rewards = eps ** (-i.astype(float))
    return np.eye(n), rewards - (i + 1) + eps * i, rewards


def gap_exact(n: int, eps: float) -> tuple[Fraction, Fraction]:
    r"""Optimal and best linear profit of :func:`gap_family` in rational numbers.

    Where action i has an outcome of its own, its cheapest contract pays
    :math:`c_i-\min_jc_j` on it; shares are compared at every crossing of two actions.

    Parameters
    ----------
    n : int
        Actions, 1 to 12.
    eps : float
        Read as the decimal number that it prints as, (0, 1).

    Returns
    -------
    optimal, linear : Fraction
        Without rounding, for any n and eps.
    """
    if not 1 <= n <= 12:
        raise ValueError(f"n = {n}: expected an integer, 1 to 12")
    if not 0 < eps < 1:
        raise ValueError(f"eps = {eps}: expected a number in (0, 1)")
    ε = Fraction(str(eps))
    rewards = [ε**-i for i in range(n)]
    costs = [rewards[i] - (i + 1) + ε * i for i in range(n)]
    best = max(r - (c - min(costs)) for r, c in zip(rewards, costs, strict=True))
    shares = {Fraction(0), Fraction(1)}
    for i in range(n):
        for j in range(i):
            shares.add((costs[i] - costs[j]) / (rewards[i] - rewards[j]))
    profit = Fraction(0)
    for share in shares:
        if 0 <= share <= 1:
            utility = [share * r - c for r, c in zip(rewards, costs, strict=True)]
            top = max(utility)
            chosen = [r for r, u in zip(rewards, utility, strict=True) if u == top]
            profit = max(profit, (1 - share) * max(chosen))
    return best, profit


def generic_example() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three actions and four outcomes: optimal profit 2.1, linear 1.7714286."""
    F = np.array([[0.6, 0.3, 0.1, 0.0], [0.3, 0.3, 0.3, 0.1], [0.1, 0.2, 0.3, 0.4]])
    return F, np.array([0.0, 0.4, 1.0]), np.array([0.0, 1.0, 3.0, 5.0])
