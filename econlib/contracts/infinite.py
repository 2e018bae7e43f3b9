r"""Without a horizon: stationary equilibria, cycles, and a way out of them.

A stationary equilibrium in pure recommendations is a profile :math:`a^p(\cdot)` with
two properties: its cheapest contracts and the agent's values agree,

.. math::

   V^a(s)=\bar Q(s,a^p(s))+F(s,a^p(s))\cdot b^*(s,a^p(s)),\qquad
   \bar Q=r+\gamma PV^a,

and it is the principal's best response to them.  With two actions
:math:`F\cdot b^*=k(s,a)\,[\bar Q(s,a')-\bar Q(s,a)]_+`, so that once it is said where
something is paid the first property is a linear system: all candidates of all
profiles can be listed.  Where none is a best response there is no such equilibrium, and
the meta-algorithm has nowhere to stop.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from econlib.contracts.equilibrium import Trace, _choose, implement, solve_mdp
from econlib.contracts.mdp import PAMDP

__all__ = [
    "Candidates",
    "Damped",
    "FixedPoint",
    "damped_meta",
    "pay_factors",
    "period",
    "profile_fixed_point",
    "pure_candidates",
    "take_blocks",
]


@dataclass(frozen=True)
class FixedPoint:
    """A profile's contracts and the agent's values in agreement.

    Attributes
    ----------
    Va : ndarray, shape (n_states,)
        The agent's values.
    pay : ndarray, shape (n_states, n_actions)
        Expected payment under each action of the contract offered.
    q : ndarray, shape (n_states, n_actions)
        The principal's optimal contractual values against this agent.
    reply : ndarray of int, shape (n_states,)
        The principal's best response.
    change : float
        Last change of the agent's values.
    n_steps : int
        Steps made.
    converged : bool
        Whether the change is within the tolerance.
    """

    Va: Float[np.ndarray, " n_states"]
    pay: Float[np.ndarray, "n_states n_actions"]
    q: Float[np.ndarray, "n_states n_actions"]
    reply: Int[np.ndarray, " n_states"]
    change: float
    n_steps: int
    converged: bool


@dataclass(frozen=True)
class Candidates:
    """All profiles of many small processes, with every set of states that are paid.

    Attributes
    ----------
    profiles, paid : ndarray, shape (n_candidates, n_states)
        Recommended action, and whether something is paid for it.
    consistent : ndarray of bool, shape (n_blocks, n_candidates)
        Whether contracts and values agree.
    gain : ndarray, shape (n_blocks, n_candidates)
        What the principal gains by its best one-shot deviation; NaN where not
        consistent.
    reply : ndarray of int, shape (n_blocks, n_candidates, n_states)
        The principal's best response.
    """

    profiles: Int[np.ndarray, "n_candidates n_states"]
    paid: Int[np.ndarray, "n_candidates n_states"]
    consistent: Bool[np.ndarray, "n_blocks n_candidates"]
    gain: Float[np.ndarray, "n_blocks n_candidates"]
    reply: Int[np.ndarray, "n_blocks n_candidates n_states"]

    def has_equilibrium(self, tol: float = 1e-9) -> Bool[np.ndarray, " n_blocks"]:
        """Whether some candidate is its own best response."""
        return (self.consistent & (self.gain <= tol)).any(axis=1)


@dataclass(frozen=True)
class Damped:
    """Contracts that move a part of the way.

    Attributes
    ----------
    b : ndarray, shape (n_states, n_outcomes)
        Contracts at the end.
    distance : ndarray, shape (n_steps, n_blocks)
        Largest difference between a payment and its best response.
    converged : ndarray of bool, shape (n_blocks,)
        Whether the last of them is at most 1e-8.
    """

    b: Float[np.ndarray, "n_states n_outcomes"]
    distance: Float[np.ndarray, "n_steps n_blocks"]
    converged: Bool[np.ndarray, " n_blocks"]


def period(trace: Trace, tol: float = 1e-9) -> int:
    """Length of the cycle in which the contracts end; 0 where there is none.

    Parameters
    ----------
    trace : Trace
        Of the meta-algorithm.
    tol : float
        Largest difference of a payment that counts as none.
    """
    n = trace.n_steps
    for p in range(1, n // 2 + 1):
        later, before = trace.b[n - p :], trace.b[n - 2 * p : n - p]
        if np.abs(later - before).max() <= tol:
            return p
    return 0


def _stationary(mdp: PAMDP) -> None:
    if mdp.layers is not None:
        raise ValueError("mdp: has layers; expected a process without a horizon")


def _block_count(mdp: PAMDP, size: int) -> int:
    if size < 1 or mdp.n_states % size:
        raise ValueError(f"size = {size}: expected a divisor of {mdp.n_states} states")
    rows, columns = mdp.kernel.nonzero()
    if (rows // (size * mdp.n_actions) != columns // size).any():
        raise ValueError(f"size = {size}: some block of states leads to another")
    return mdp.n_states // size


def take_blocks(mdp: PAMDP, blocks: Int[np.ndarray, " n_some"], size: int) -> PAMDP:
    """Some of many processes that stand side by side, each of ``size`` states."""
    _block_count(mdp, size)
    states = (np.asarray(blocks)[:, None] * size + np.arange(size)).ravel()
    rows = (states[:, None] * mdp.n_outcomes + np.arange(mdp.n_outcomes)).ravel()
    return PAMDP(
        F=mdp.F[states],
        r=mdp.r[states],
        rp=mdp.rp[states],
        T=sp.csr_matrix(mdp.T[rows][:, states]),
        gamma=mdp.gamma,
        layers=None if mdp.layers is None else mdp.layers[states],
    )


def pay_factors(mdp: PAMDP) -> Float[np.ndarray, "n_states 2"]:
    r"""With two actions, the factor :math:`k(s,a)` of the cheapest expected payment.

    :math:`k=\min_o F_a(o)/(F_a(o)-F_{a'}(o))` over outcomes with a positive
    denominator; infinite where both actions have the same law.
    """
    if mdp.n_actions != 2:
        raise ValueError(f"mdp: has {mdp.n_actions} actions, expected two")
    gain = mdp.F - mdp.F[:, ::-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(gain > 1e-11, mdp.F / gain, np.inf)
    return ratio.min(axis=2)


def profile_fixed_point(
    mdp: PAMDP,
    act: Int[np.ndarray, " n_states"],
    *,
    max_iter: int = 5000,
    tol: float = 1e-12,
) -> FixedPoint:
    """Iterate a profile's cheapest contracts and the agent's values to agreement.

    Parameters
    ----------
    mdp : PAMDP
        Without layers; any number of actions.
    act : ndarray of int, shape (n_states,)
        Recommended actions.
    max_iter : int
        Largest number of steps.
    tol : float
        Change of a value at which to stop.

    Returns
    -------
    FixedPoint
        With the principal's best response.  The iteration is no contraction where
        payments are leveraged, and may fail where :func:`pure_candidates` does not.
    """
    _stationary(mdp)
    act = np.asarray(act)
    state, shape = np.arange(mdp.n_states), (mdp.n_states, mdp.n_actions)
    Va, change, n_steps = np.zeros(mdp.n_states), np.inf, 0
    for _ in range(max_iter):
        n_steps += 1
        Qbar = mdp.r + mdp.gamma * (mdp.kernel @ Va).reshape(shape)
        offer = implement(mdp, Qbar)
        new = offer.pay[state, act] + Qbar[state, act]
        if not np.isfinite(new).all():
            raise ValueError(f"act = {act.tolist()}: not implementable in some state")
        change, Va = float(np.abs(new - Va).max()), new
        if change <= tol or change > 1e9:
            break
    _, q = solve_mdp(mdp, mdp.expected_rp - offer.pay)
    return FixedPoint(
        Va=Va,
        pay=mdp.expected(offer.b[state, act]),
        q=q,
        reply=_choose(q),
        change=change,
        n_steps=n_steps,
        converged=change <= tol,
    )


def pure_candidates(mdp: PAMDP, size: int | None = None) -> Candidates:
    """List every stationary profile that agrees with its own contracts.

    Parameters
    ----------
    mdp : PAMDP
        Without layers and with two actions; many processes may stand side by side.
    size : int, optional
        States of each of them, at most 6; all states where not given.

    Returns
    -------
    Candidates
        Four to the power of ``size`` for each process.  Contracts that pay more than
        the cheapest one are never a best response, so that nothing is missed.
    """
    _stationary(mdp)
    size = mdp.n_states if size is None else size
    if size > 6:
        raise ValueError(f"size = {size}: expected at most 6, for 4^size candidates")
    n = _block_count(mdp, size)
    k = pay_factors(mdp).reshape(n, size, 2)
    P = _dense(mdp, n, size)
    r, w = mdp.r.reshape(n, size, 2), mdp.expected_rp.reshape(n, size, 2)
    state, eye, γ = np.arange(size), np.eye(size), mdp.gamma
    both = list(itertools.product((0, 1), repeat=2 * size))
    table = np.array(both).reshape(-1, 2, size)
    parts = []
    for act, paid in table:
        # V = (1 - k) Qbar(act) + k Qbar(other), with k = 0 where nothing is paid
        own = np.where(paid, k[:, state, act], 0.0)
        good = np.isfinite(own).all(axis=1)
        own = np.where(np.isfinite(own), own, 0.0)
        system = eye - γ * _blend(P, own[..., None], act)
        good &= np.abs(np.linalg.det(system)) > 1e-12
        system[~good] = eye
        V = np.linalg.solve(system, _blend(r, own, act)[..., None])[..., 0]
        Q = r + γ * np.einsum("nsat,nt->nsa", P, V)
        short = Q[:, state, 1 - act] - Q[:, state, act]
        good &= (np.where(paid, -short, short) <= 1e-10).all(axis=1)
        need = np.maximum(Q[:, :, ::-1] - Q, 0)
        with np.errstate(invalid="ignore"):
            pay = np.where(need > 1e-12, k * need, 0.0)
        wage = np.where(good[:, None], pay[:, state, act], 0.0)
        base = w[:, state, act] - wage
        Vp = np.linalg.solve(eye - γ * P[:, state, act], base[..., None])[..., 0]
        once = w - pay + γ * np.einsum("nsat,nt->nsa", P, Vp)
        gain = (once.max(axis=2) - Vp).max(axis=1)
        reply = _reply(P, w - pay, once.argmax(axis=2), γ)
        parts.append((good, np.where(good, gain, np.nan), reply))
    good, gain, reply = (np.stack(p, axis=1) for p in zip(*parts, strict=True))
    return Candidates(table[:, 0], table[:, 1], good, gain, reply)


def _reply(P: np.ndarray, net: np.ndarray, act: np.ndarray, γ: float) -> np.ndarray:
    """The principal's optimal recommendations, by policy iteration in every block."""
    n, size = act.shape
    block, state = np.arange(n)[:, None], np.arange(size)
    for _ in range(2**size):
        system = np.eye(size) - γ * P[block, state, act]
        V = np.linalg.solve(system, net[block, state, act][..., None])[..., 0]
        q = net + γ * np.einsum("nsat,nt->nsa", P, V)
        better = q.max(axis=2) > V + 1e-10 * (1 + np.abs(V))
        if not better.any():
            break
        act = np.where(better, q.argmax(axis=2), act)
    return act


def _blend(x: np.ndarray, own: np.ndarray, act: np.ndarray) -> np.ndarray:
    state = np.arange(len(act))
    return (1 - own) * x[:, state, act] + own * x[:, state, 1 - act]


def _dense(mdp: PAMDP, n: int, size: int) -> np.ndarray:
    """Transition laws (n_blocks, size, n_actions, size) of processes side by side."""
    P = np.zeros((n, size, mdp.n_actions, size))
    law = mdp.kernel.tocoo()
    s, a = np.divmod(law.row, mdp.n_actions)
    P[s // size, s % size, a, law.col % size] = law.data
    return P


def damped_meta(
    mdp: PAMDP, size: int, *, step: float = 0.2, max_iter: int = 500
) -> Damped:
    r"""Meta-algorithm whose contracts move a part of the way.

    .. math:: \rho\leftarrow(1-\eta)\,\rho+\eta\,\rho^{new}.

    Parameters
    ----------
    mdp : PAMDP
        Processes of ``size`` states side by side, without layers.
    size : int
        States of each.
    step : float
        :math:`\eta`, (0, 1].
    max_iter : int
        Iterations, 1 or more.

    Returns
    -------
    Damped
        Converged where new and old contracts agree to 1e-8 at the end.
    """
    _stationary(mdp)
    if not 0 < step <= 1:
        raise ValueError(f"step = {step}: expected a number in (0, 1]")
    off = []
    n, state = _block_count(mdp, size), np.arange(mdp.n_states)
    rho = np.zeros((mdp.n_states, mdp.n_outcomes))
    for _ in range(max_iter):
        paid = mdp.expected(rho)
        _, Q = solve_mdp(mdp, mdp.r + paid)
        offer = implement(mdp, Q - paid)
        _, q = solve_mdp(mdp, mdp.expected_rp - offer.pay)
        new = offer.b[state, _choose(q)]
        off.append(np.abs(new - rho).reshape(n, -1).max(axis=1))
        rho = rho + step * (new - rho)
    return Damped(rho, np.array(off), off[-1] <= 1e-8)
