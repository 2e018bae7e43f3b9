r"""Experiments: what a signal about the state is worth to a buyer who then acts.

There are :math:`m` states.  An experiment is a row-stochastic matrix,
:math:`\pi_{ks}=\Pr[\text{signal }s\mid\text{state }k]`.  A buyer with belief
:math:`\theta` and stake :math:`v` earns :math:`v\,u_{ka}` from action :math:`a` in
state :math:`k`, and answers each signal with the best action:

.. math::

   V(\pi;\theta,v)=v\sum_s\max_a\sum_k\theta_k\,u_{ka}\,\pi_{ks},\qquad
   V^{out}(\theta,v)=v\max_a\sum_k\theta_k\,u_{ka}.

Where nothing else is said the action has to match the state, :math:`u_{ka}=1[k=a]`, so
that :math:`V=v\sum_s\max_k\theta_k\pi_{ks}`.  The maximum over actions is inside:
a buyer who reports falsely and then disobeys is counted.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

__all__ = [
    "check_beliefs",
    "check_experiments",
    "check_payoffs",
    "check_stakes",
    "concentrated",
    "concentration_gap",
    "differential_informativeness",
    "experiment_value",
    "full",
    "null",
    "obedience_violation",
    "outside_option",
]


def check_beliefs(beliefs: object) -> Float[np.ndarray, "n_types n_states"]:
    """Beliefs as an array of rows that sum to one.

    Raises
    ------
    ValueError
        Fewer than two states, an entry outside [0, 1], or a row whose sum is not 1
        within 1e-9.

    Examples
    --------
    >>> check_beliefs([[0.3, 0.6]])
    Traceback (most recent call last):
    ValueError: beliefs[0] sums to 0.9: expected 1
    """
    rows = np.asarray(beliefs, dtype=float)
    if rows.ndim != 2 or rows.shape[0] < 1 or rows.shape[1] < 2:
        raise ValueError(
            f"beliefs: shape {rows.shape}, expected (n_types, n_states), n_states >= 2"
        )
    if not np.isfinite(rows).all() or rows.min() < 0 or rows.max() > 1 + 1e-9:
        worst = int(np.argmax(~((rows >= 0) & (rows <= 1 + 1e-9)).all(axis=1)))
        raise ValueError(
            f"beliefs[{worst}] = {rows[worst].tolist()}: expected numbers in [0, 1]"
        )
    off = np.abs(rows.sum(axis=1) - 1)
    if off.max() > 1e-9:
        worst = int(np.argmax(off))
        raise ValueError(
            f"beliefs[{worst}] sums to {rows[worst].sum():.6g}: expected 1"
        )
    return rows


def check_stakes(stakes: object, n_types: int) -> Float[np.ndarray, " n_types"]:
    """Stakes, one a type, all 1 where none are given.

    Raises
    ------
    ValueError
        A stake that is negative or not finite, or a length that does not agree.
    """
    if stakes is None:
        return np.ones(n_types)
    v = np.asarray(stakes, dtype=float)
    if v.shape != (n_types,):
        raise ValueError(f"stakes: shape {v.shape}, expected ({n_types},)")
    if not np.isfinite(v).all() or v.min() < 0:
        worst = int(np.argmax(~(np.isfinite(v) & (v >= 0))))
        raise ValueError(f"stakes[{worst}] = {v[worst]}: expected a number, 0 or more")
    return v


def check_payoffs(
    payoffs: object, n_states: int
) -> Float[np.ndarray, "n_states n_actions"]:
    """Payoffs as a matrix: None for matching the state, a vector for rewards by state.

    Parameters
    ----------
    payoffs : None, array of shape (n_states,) or (n_states, n_actions)
        A vector holds what matching each state pays, positive.  A matrix holds any
        finite payoffs of two or more actions.
    n_states : int
        2 or more.

    Raises
    ------
    ValueError
        A reward that is not positive, a payoff that is not finite, another shape.
    """
    if payoffs is None:
        return np.eye(n_states)
    u = np.asarray(payoffs, dtype=float)
    if u.ndim == 1 and u.shape == (n_states,):
        if not np.isfinite(u).all() or u.min() <= 0:
            worst = int(np.argmax(~(np.isfinite(u) & (u > 0))))
            raise ValueError(
                f"payoffs[{worst}] = {u[worst]}: expected a positive reward for "
                "matching the state; give a matrix for payoffs of any sign"
            )
        return np.diag(u)
    if u.ndim != 2 or u.shape[0] != n_states or u.shape[1] < 2:
        raise ValueError(
            f"payoffs: shape {u.shape}, expected ({n_states},) or "
            f"({n_states}, n_actions) with 2 actions or more"
        )
    if not np.isfinite(u).all():
        raise ValueError("payoffs: expected finite numbers")
    return u


def check_experiments(
    experiments: object,
) -> Float[np.ndarray, "n_items n_states n_signals"]:
    """Experiments as an array of row-stochastic matrices.

    Raises
    ------
    ValueError
        Another shape, an entry below 0, or a row whose sum is not 1 within 1e-6.
    """
    π = np.asarray(experiments, dtype=float)
    if π.ndim != 3 or π.shape[1] < 2:
        raise ValueError(
            f"experiments: shape {π.shape}, expected (n_items, n_states, n_signals)"
        )
    if not np.isfinite(π).all() or (π < -1e-9).any():
        raise ValueError("experiments: expected probabilities, 0 or more")
    off = np.abs(π.sum(axis=2) - 1)
    if off.size and off.max() > 1e-6:
        j, k = np.unravel_index(int(np.argmax(off)), off.shape)
        raise ValueError(
            f"experiments[{j}][{k}] sums to {π[j, k].sum():.6g}: expected 1"
        )
    return π


def full(n_states: int = 2) -> Float[np.ndarray, "n_states n_states"]:
    """The experiment that reveals the state."""
    return np.eye(_count(n_states))


def null(n_states: int = 2) -> Float[np.ndarray, "n_states n_states"]:
    """An experiment that reveals nothing: all rows are equal."""
    return np.full((_count(n_states),) * 2, 1.0 / n_states)


def _count(n_states: int) -> int:
    if isinstance(n_states, bool) or n_states < 2:
        raise ValueError(f"n_states = {n_states}: expected an integer, 2 or more")
    return n_states


def concentrated(q: object) -> Float[np.ndarray, "n_items 2 2"]:
    r"""Two-state experiments with a row without error, from :math:`q=\pi_1-\pi_2`.

    Parameters
    ----------
    q : array_like, shape (n_items,)
        Differential informativeness in [-1, 1]: 0 is full information, -1 and 1 are
        none; :math:`q\le0` gives :math:`(\pi_1,\pi_2)=(1+q,1)`, else :math:`(1,1-q)`.

    Examples
    --------
    >>> concentrated([-0.25])[0].tolist()
    [[0.75, 0.25], [0.0, 1.0]]
    """
    q = np.atleast_1d(np.asarray(q, dtype=float))
    if not (np.abs(q) <= 1).all():
        raise ValueError(f"q = {q.tolist()}: expected numbers in [-1, 1]")
    a, b = np.minimum(1 + q, 1), np.minimum(1 - q, 1)
    return np.stack([np.stack([a, 1 - a], -1), np.stack([1 - b, b], -1)], axis=1)


def differential_informativeness(
    experiments: Float[np.ndarray, "n_items 2 2"],
) -> Float[np.ndarray, " n_items"]:
    r""":math:`q=\pi_{11}-\pi_{22}`, after columns are ordered so that the trace is 1
    or more."""
    a, b = experiments[:, 0, 0], experiments[:, 1, 1]
    turned = a + b < 1
    return np.where(turned, (1 - a) - (1 - b), a - b)


def concentration_gap(
    experiments: Float[np.ndarray, "n_items n_states n_states"],
) -> Float[np.ndarray, " n_items"]:
    r"""How far each item is from a state that is never mistaken.

    It is :math:`\min_k(1-\max_s\pi_{ks})`: 0 where one row is certain.
    """
    return (1 - experiments.max(axis=2)).min(axis=1)


def experiment_value(
    experiments: object,
    beliefs: object,
    stakes: object = None,
    payoffs: object = None,
) -> Float[np.ndarray, "n_types n_items"]:
    r"""Gross value :math:`V` of each item to each type, the best action taken.

    Parameters
    ----------
    experiments : array_like, shape (n_items, n_states, n_signals)
        :math:`\pi`, rows sum to 1.
    beliefs : array_like, shape (n_types, n_states)
        :math:`\theta`, rows sum to 1.
    stakes : array_like, shape (n_types,), optional
        :math:`v`, 0 or more; 1 where left out.
    payoffs : optional
        As in :func:`check_payoffs`.

    Returns
    -------
    ndarray, shape (n_types, n_items)
        Expected payoff; take :func:`outside_option` off for what the item adds.

    Examples
    --------
    >>> experiment_value(full()[None], np.array([[0.3, 0.7]])).tolist()
    [[1.0]]
    """
    π, θ = check_experiments(experiments), check_beliefs(beliefs)
    v, u = check_stakes(stakes, len(θ)), check_payoffs(payoffs, θ.shape[1])
    if π.shape[1] != θ.shape[1]:
        raise ValueError(f"experiments have {π.shape[1]} states, beliefs {θ.shape[1]}")
    worth = np.zeros((len(θ), len(π)))
    for s in range(π.shape[2]):  # one signal at a time: memory n_types × n_items
        best = np.full(worth.shape, -np.inf)
        for a in range(u.shape[1]):
            np.maximum(best, (θ * u[:, a]) @ π[:, :, s].T, out=best)
        worth += best
    return v[:, None] * worth


def outside_option(
    beliefs: object,
    stakes: object = None,
    payoffs: object = None,
) -> Float[np.ndarray, " n_types"]:
    r"""What each type earns without a signal, :math:`v\max_a\sum_k\theta_ku_{ka}`."""
    θ = check_beliefs(beliefs)
    v, u = check_stakes(stakes, len(θ)), check_payoffs(payoffs, θ.shape[1])
    return v * (θ @ u).max(axis=1)


def obedience_violation(
    experiments: Float[np.ndarray, "n_items n_states n_states"],
    beliefs: object,
    stakes: object = None,
) -> Float[np.ndarray, "n_types n_items"]:
    r"""What a type gains from the best action over the recommended one.

    Signal :math:`s` recommends action :math:`s`; matching payoffs.
    """
    obeyed = check_beliefs(beliefs) @ np.diagonal(experiments, axis1=1, axis2=2).T
    v = check_stakes(stakes, len(obeyed))
    return experiment_value(experiments, beliefs, stakes) - v[:, None] * obeyed
