r"""Subgame-perfect equilibrium: by backward induction and by the meta-algorithm.

A fixed contract policy :math:`\rho` leaves the agent an ordinary decision process; its
value of an action splits into the payment of this step and the truncated value

.. math::

   \bar Q(s,a)=r(s,a)+\gamma\,\mathbb E\max_{a'}
   \big[F(s',a')\cdot\rho(s')+\bar Q(s',a')\big],

and a fixed agent leaves the principal one whose actions are recommendations
:math:`a^p`, each with its cheapest contract :math:`b^*(s,a^p)`, eq. (3):

.. math::

   q(s,a^p)=F(s,a^p)\cdot\big(r^p(s)-b^*(s,a^p)\big)+\gamma\,\mathbb E\max_{a}q(s',a).

In equilibrium both hold at once in every state.  Backward induction finds it state by
state; the meta-algorithm alternates full solutions of the two processes, each against
the other side's *last* answer.  The agent's ties go to the principal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sla
from jaxtyping import Float, Int

from econlib.contracts.mdp import PAMDP, observe_actions
from econlib.contracts.minimal import _solve

__all__ = [
    "SPE",
    "Implementation",
    "Trace",
    "implement",
    "meta_algorithm",
    "policy_values",
    "solve_mdp",
    "spe_backward",
]

#: Values closer than this are ties; the action with the lowest number then wins.
_TIE = 1e-10


@dataclass(frozen=True)
class Implementation:
    """Cheapest contract of every action in every state.

    Attributes
    ----------
    b : ndarray, shape (n_states, n_actions, n_outcomes)
        Payments; NaN where the action is not implementable.
    pay : ndarray, shape (n_states, n_actions)
        Expected payment; infinite where the action is not implementable.
    """

    b: Float[np.ndarray, "n_states n_actions n_outcomes"]
    pay: Float[np.ndarray, "n_states n_actions"]


@dataclass(frozen=True)
class SPE:
    """Contracts, recommendations and values of both sides.

    Attributes
    ----------
    Va, Vp : ndarray, shape (n_states,)
        Value of the agent and of the principal.
    Qbar : ndarray, shape (n_states, n_actions)
        The agent's truncated values.
    q : ndarray, shape (n_states, n_actions)
        The principal's contractual values; minus infinity where the action is not
        implementable.
    act : ndarray of int, shape (n_states,)
        Recommended action.
    b : ndarray, shape (n_states, n_outcomes)
        Contract offered.
    pay : ndarray, shape (n_states, n_actions)
        Cheapest expected payment for each action.
    """

    Va: Float[np.ndarray, " n_states"]
    Vp: Float[np.ndarray, " n_states"]
    Qbar: Float[np.ndarray, "n_states n_actions"]
    q: Float[np.ndarray, "n_states n_actions"]
    act: Int[np.ndarray, " n_states"]
    b: Float[np.ndarray, "n_states n_outcomes"]
    pay: Float[np.ndarray, "n_states n_actions"]


@dataclass(frozen=True)
class Trace:
    """Iterations of the meta-algorithm.

    Attributes
    ----------
    q : ndarray, shape (n_steps, n_states, n_actions)
        The principal's contractual values after each iteration.
    act : ndarray of int, shape (n_steps, n_states)
        Recommendations.
    b : ndarray, shape (n_steps, n_states, n_outcomes)
        Contracts.
    change : ndarray, shape (n_steps, n_states)
        Largest change of a state's payments against the iteration before.
    converged : bool
        Whether the last iteration changed nothing.
    n_steps : int
        Iterations, the confirming one included.
    """

    q: Float[np.ndarray, "n_steps n_states n_actions"]
    act: Int[np.ndarray, "n_steps n_states"]
    b: Float[np.ndarray, "n_steps n_states n_outcomes"]
    change: Float[np.ndarray, "n_steps n_states"]
    converged: bool
    n_steps: int


def solve_mdp(
    mdp: PAMDP, reward: Float[np.ndarray, "n_states n_actions"]
) -> tuple[Float[np.ndarray, " n_states"], Float[np.ndarray, "n_states n_actions"]]:
    r"""Solve the ordinary decision process that one side faces.

    .. math:: Q(s,a)=R(s,a)+\gamma\,\mathbb E[V(s')\mid s,a],\qquad V(s)=\max_aQ(s,a).

    Parameters
    ----------
    mdp : PAMDP
        Gives transitions and discount.
    reward : ndarray, shape (n_states, n_actions)
        :math:`R`; minus infinity forbids an action, at least one must be allowed in
        every state.

    Returns
    -------
    V : ndarray, shape (n_states,)
        Optimal values: backward through the layers, or by policy iteration.
    Q : ndarray, shape (n_states, n_actions)
        Values of actions.

    Raises
    ------
    ValueError
        A state without an allowed action, or a reward that is not a number.
    """
    none = ~np.isfinite(reward).any(axis=1)
    if np.isnan(reward).any() or none.any():
        where = f" in state {int(np.argmax(none))}" if none.any() else ""
        raise ValueError(f"reward: expected numbers and an allowed action{where}")
    if mdp.layers is not None:
        V, Q = np.zeros(mdp.n_states), np.empty(reward.shape)
        for states, kernel in mdp.sweeps:
            after = (kernel @ V).reshape(len(states), -1)
            Q[states] = reward[states] + mdp.gamma * after
            V[states] = Q[states].max(axis=1)
        return V, Q
    act = reward.argmax(axis=1)
    for _ in range(100 * mdp.n_actions + mdp.n_states):
        V = policy_values(mdp, act, reward)
        Q = reward + mdp.gamma * (mdp.kernel @ V).reshape(reward.shape)
        better = Q.max(axis=1) > V + 1e-12 * (1 + np.abs(V))
        if not better.any():
            break
        act = np.where(better, Q.argmax(axis=1), act)
    return Q.max(axis=1), np.where(np.isfinite(reward), Q, -np.inf)


def policy_values(
    mdp: PAMDP,
    act: Int[np.ndarray, " n_states"],
    reward: Float[np.ndarray, "n_states n_actions"],
) -> Float[np.ndarray, " n_states"]:
    r"""Value of a fixed policy, :math:`V=R_\pi+\gamma P_\pi V`.

    Parameters
    ----------
    mdp : PAMDP
        Gives transitions and discount.
    act : ndarray of int, shape (n_states,)
        Action in each state.
    reward : ndarray, shape (n_states, n_actions)
        Reward of each action.
    """
    state = np.arange(mdp.n_states)
    if mdp.layers is not None:
        V = np.zeros(mdp.n_states)
        for states, kernel in mdp.sweeps:
            after = (kernel @ V).reshape(len(states), -1)
            chosen = act[states]
            V[states] = reward[states, chosen]
            V[states] += mdp.gamma * after[np.arange(len(states)), chosen]
        return V
    P = mdp.kernel[state * mdp.n_actions + act]
    if P.nnz > 0.1 * mdp.n_states**2:  # sparse factors of a dense law fill up
        system = np.eye(mdp.n_states) - mdp.gamma * P.toarray()
        return np.linalg.solve(system, reward[state, act])
    system = sp.eye_array(mdp.n_states, format="csc") - mdp.gamma * P
    return sla.spsolve(sp.csc_matrix(system), reward[state, act])


def implement(
    mdp: PAMDP,
    Qbar: Float[np.ndarray, "n_states n_actions"],
    xi: float | Float[np.ndarray, " n_states"] = 0.0,
    states: Int[np.ndarray, " n_some"] | None = None,
) -> Implementation:
    """Cheapest contract for every action, eq. (3), in all states or in some.

    Parameters
    ----------
    mdp : PAMDP
        Gives outcome laws.
    Qbar : ndarray, shape (n_states, n_actions)
        The agent's truncated values (of the named states only, if there are any).
    xi : float or ndarray, shape (n_states,)
        Margin, 0 or more.
    states : ndarray of int, optional
        States to solve.
    """
    F = mdp.F if states is None else mdp.F[states]
    n, n_actions, n_outcomes = F.shape
    margin = np.asarray(xi, dtype=float)
    if margin.ndim:
        margin = np.repeat(margin if states is None else margin[states], n_actions)
    found = _solve(
        np.repeat(Qbar, n_actions, axis=0),
        np.repeat(F, n_actions, axis=0),
        np.tile(np.arange(n_actions), n),
        margin,
    )
    return Implementation(
        found.b.reshape(n, n_actions, n_outcomes), found.pay.reshape(n, n_actions)
    )


def _choose(q: np.ndarray, states: np.ndarray | None = None) -> np.ndarray:
    """Best action; among ties the one with the lowest number."""
    top = q.max(axis=1, keepdims=True)
    if not np.isfinite(top).all():
        s = int(np.argmin(np.isfinite(top[:, 0])))
        s = s if states is None else int(states[s])
        raise ValueError(
            f"state {s}: no action is implementable with this margin. Try a smaller xi"
        )
    return (q >= top - _TIE * (1 + np.abs(top))).argmax(axis=1)


def _check_xi(xi: float | np.ndarray, n_states: int) -> None:
    margin = np.asarray(xi, dtype=float)
    if not np.isfinite(margin).all() or (margin < 0).any():
        raise ValueError(f"xi = {margin.min():g}: expected a finite margin, 0 or more")
    if margin.shape not in ((), (n_states,)):
        raise ValueError(f"xi: shape {margin.shape}, expected () or ({n_states},)")


def spe_backward(
    mdp: PAMDP,
    xi: float | Float[np.ndarray, " n_states"] = 0.0,
    *,
    observed: bool = False,
) -> SPE:
    """Subgame-perfect equilibrium of a process with a horizon, last layer first.

    Parameters
    ----------
    mdp : PAMDP
        With layers.
    xi : float or ndarray, shape (n_states,)
        Margin by which a recommended action must be preferred (a nudge), 0 or more.
    observed : bool
        Whether the principal sees the action; contracts then pay on actions.

    Returns
    -------
    SPE
        Exact up to rounding; with ``observed``, payments are by action.

    Raises
    ------
    ValueError
        No layers, a negative margin, or a margin under which a state has no
        implementable action.

    References
    ----------
    ivanov2024principal, Section 3 and Theorem 3.3.

    Examples
    --------
    >>> from econlib.contracts.examples import figure1_mdp
    >>> found = spe_backward(figure1_mdp())
    >>> float(found.Vp[0].round(9)), float(found.Va[0].round(9))
    (1.0, 0.2)
    """
    mdp = observe_actions(mdp) if observed else mdp
    _check_xi(xi, mdp.n_states)
    shape = (mdp.n_states, mdp.n_actions)
    Va, Vp = np.zeros(mdp.n_states), np.zeros(mdp.n_states)
    Qbar, q, pay = np.empty(shape), np.empty(shape), np.empty(shape)
    act = np.zeros(mdp.n_states, dtype=np.int64)
    b = np.empty((mdp.n_states, mdp.n_outcomes))
    for states, kernel in mdp.sweeps:
        n, row = len(states), np.arange(len(states))
        Qbar[states] = mdp.r[states] + mdp.gamma * (kernel @ Va).reshape(n, -1)
        offer = implement(mdp, Qbar[states], xi, states)
        after = mdp.expected_rp[states] + mdp.gamma * (kernel @ Vp).reshape(n, -1)
        pay[states], q[states] = offer.pay, after - offer.pay
        best = _choose(q[states], states)
        act[states], b[states] = best, offer.b[row, best]
        Vp[states] = q[states, best]
        Va[states] = offer.pay[row, best] + Qbar[states, best]
    return SPE(Va, Vp, Qbar, q, act, b, pay)


def meta_algorithm(
    mdp: PAMDP,
    rho0: Float[np.ndarray, "n_states n_outcomes"] | None = None,
    *,
    max_iter: int = 100,
    xi: float = 0.0,
    observed: bool = False,
    tol: float = 1e-10,
) -> tuple[SPE, Trace]:
    r"""Algorithm 1: best responses in turn until the contracts stay as they are.

    Inner step: the agent's truncated values :math:`\bar Q` against the contracts
    :math:`\rho_k`.  Outer step: the principal's optimal contracts against the agent,
    :math:`\bar Q` *held fixed* while its own values are computed.

    Parameters
    ----------
    mdp : PAMDP
        With or without layers.
    rho0 : ndarray, shape (n_states, n_outcomes), optional
        First contracts, 0 or more; nothing is paid where not given.
    max_iter : int
        Largest number of iterations, 1 or more.
    xi : float
        Margin, 0 or more.
    observed : bool
        Whether the principal sees the action.
    tol : float
        Largest change of a payment that counts as none.

    Returns
    -------
    SPE
        The last iterate; an equilibrium if ``converged``, as
        :func:`~econlib.contracts.play.spe_residual` certifies.
    Trace
        All iterates.

    Notes
    -----
    With a horizon of T decisions it stops after at most T + 1 iterations
    (Theorem 3.3).  Without one and with hidden actions it may go round for ever.
    """
    mdp = observe_actions(mdp) if observed else mdp
    _check_xi(xi, mdp.n_states)
    if max_iter < 1:
        raise ValueError(f"max_iter = {max_iter}: expected an integer, 1 or more")
    shape = (mdp.n_states, mdp.n_outcomes)
    rho = np.zeros(shape) if rho0 is None else np.asarray(rho0, dtype=float)
    if rho.shape != shape or not np.isfinite(rho).all() or (rho < 0).any():
        raise ValueError(f"rho0: expected finite payments, 0 or more, shape {shape}")
    state = np.arange(mdp.n_states)
    kept: list[tuple] = []
    for _ in range(max_iter):
        paid = mdp.expected(rho)
        Va, Qfull = solve_mdp(mdp, mdp.r + paid)  # inner: the agent
        Qbar = Qfull - paid
        offer = implement(mdp, Qbar, xi)
        Vp, q = solve_mdp(mdp, mdp.expected_rp - offer.pay)  # outer: the principal
        act = _choose(q)
        new = offer.b[state, act]
        change = np.abs(new - rho).max(axis=1)
        rho = new
        kept.append((q, act, rho, change))
        if change.max() <= tol:
            break
    trace = Trace(
        *(np.stack(part) for part in zip(*kept, strict=True)),
        converged=bool(change.max() <= tol),
        n_steps=len(kept),
    )
    return SPE(Va, Vp, Qbar, q, act, rho, offer.pay), trace
