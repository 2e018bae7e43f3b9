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

What is left is a principal that *mixes*: it recommends :math:`a` with probability
:math:`\sigma(a\mid s)`, offering :math:`b^*(s,a)`.  We look for one by

.. math::

   \sigma\leftarrow(1-\eta)\,\sigma+\eta\,\mathrm{softmax}(q/\tau),\qquad\tau\downarrow0,

values following step by step, and then solve for exact indifference.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sla
from jaxtyping import Bool, Float, Int

from econlib.contracts.equilibrium import Trace, _choose, implement, solve_mdp
from econlib.contracts.mdp import PAMDP

__all__ = [
    "Candidates",
    "FixedPoint",
    "Mixed",
    "damped_meta",
    "mixed_residual",
    "pay_factors",
    "period",
    "profile_fixed_point",
    "pure_candidates",
    "smoothed_meta",
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
class Mixed:
    """A principal that mixes between recommendations.

    Attributes
    ----------
    sigma : ndarray, shape (n_states, n_actions)
        Probability of each recommendation.
    b : ndarray, shape (n_states, n_actions, n_outcomes)
        Contract offered with it; zero where its probability is zero.
    Va, Vp : ndarray, shape (n_states,)
        Values of both sides.
    residual : ndarray, shape (n_states,)
        Largest gain from a one-shot deviation of either side.
    """

    sigma: Float[np.ndarray, "n_states n_actions"]
    b: Float[np.ndarray, "n_states n_actions n_outcomes"]
    Va: Float[np.ndarray, " n_states"]
    Vp: Float[np.ndarray, " n_states"]
    residual: Float[np.ndarray, " n_states"]


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
        parts.append((good, np.where(good, gain, np.nan), once.argmax(axis=2)))
    good, gain, reply = (np.stack(p, axis=1) for p in zip(*parts, strict=True))
    return Candidates(table[:, 0], table[:, 1], good, gain, reply)


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
) -> Bool[np.ndarray, " n_blocks"]:
    r"""Meta-algorithm whose contracts move a part of the way; who converges.

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
    ndarray of bool, shape (n_blocks,)
        Whether new and old contracts agree to 1e-8 at the end.
    """
    _stationary(mdp)
    if not 0 < step <= 1:
        raise ValueError(f"step = {step}: expected a number in (0, 1]")
    n, state = _block_count(mdp, size), np.arange(mdp.n_states)
    rho = np.zeros((mdp.n_states, mdp.n_outcomes))
    for _ in range(max_iter):
        paid = mdp.expected(rho)
        _, Q = solve_mdp(mdp, mdp.r + paid)
        offer = implement(mdp, Q - paid)
        _, q = solve_mdp(mdp, mdp.expected_rp - offer.pay)
        new = offer.b[state, _choose(q)]
        off = np.abs(new - rho).max(axis=1)
        rho = rho + step * (new - rho)
    return off.reshape(n, size).max(axis=1) <= 1e-8


def smoothed_meta(
    mdp: PAMDP,
    size: int,
    *,
    n_steps: int | None = None,
    temperatures: tuple[float, float] = (0.1, 1e-3),
    step: float = 0.02,
    polish: bool = True,
) -> Mixed:
    """Find a stationary equilibrium in mixed recommendations.

    Parameters
    ----------
    mdp : PAMDP
        Processes of ``size`` states side by side, without layers.
    size : int
        States of each.
    n_steps : int, optional
        Steps, 1 or more; 1000 + 200 / (1 - gamma), at most 6000, where not given.
    temperatures : (float, float)
        First and last temperature of the soft choice, geometric in between.
    step : float
        Weight of the soft choice in each step, (0, 1].
    polish : bool
        With two actions, solve for exact indifference at the end, and keep the result
        wherever it has the smaller residual.

    Returns
    -------
    Mixed
        With residuals, which say how good it is.
    """
    _stationary(mdp)
    if not 0 < step <= 1:
        raise ValueError(f"step = {step}: expected a number in (0, 1]")
    first, last = temperatures
    if not 0 < last <= first:
        raise ValueError(f"temperatures = {temperatures}: expected first >= last > 0")
    n = _block_count(mdp, size)
    if n_steps is None:
        n_steps = min(1000 + int(200 / (1 - mdp.gamma)), 6000)
    shape = (mdp.n_states, mdp.n_actions)
    k = pay_factors(mdp) if mdp.n_actions == 2 else None
    σ = np.full(shape, 1 / mdp.n_actions)
    Va, Vp = np.zeros(mdp.n_states), np.zeros(mdp.n_states)
    for t in range(n_steps):
        τ = first * (last / first) ** (t / n_steps)
        Q = mdp.r + mdp.gamma * (mdp.kernel @ Va).reshape(shape)
        pay = _pay(mdp, Q, k)
        q = mdp.expected_rp - pay + mdp.gamma * (mdp.kernel @ Vp).reshape(shape)
        soft = np.exp((q - q.max(axis=1, keepdims=True)) / τ)
        σ = np.where(np.isfinite(pay), σ, 0.0)
        σ = (1 - step) * σ / σ.sum(axis=1, keepdims=True)
        σ += step * soft / soft.sum(axis=1, keepdims=True)
        Va = (σ * np.where(σ > 0, pay + Q, 0)).sum(axis=1)
        Vp = (σ * np.where(σ > 0, q, 0)).sum(axis=1)
    found = _mixed(mdp, _cut(σ, 1e-6), Va)
    for least in (1e-5, 1e-3, 1e-2, 1e-1) if polish and k is not None else ():
        exact = _mixed(mdp, *_polish(mdp, _cut(σ, least), Va, k, n, size))
        worse = exact.residual.reshape(n, size).max(axis=1)
        better = worse < found.residual.reshape(n, size).max(axis=1)
        keep = np.repeat(better, size)
        parts = {}
        for name in ("sigma", "b", "Va", "Vp", "residual"):
            new, old = getattr(exact, name), getattr(found, name)
            mask = keep.reshape(-1, *[1] * (new.ndim - 1))
            parts[name] = np.where(mask, new, old)
        found = Mixed(**parts)
    return found


def _cut(σ: np.ndarray, least: float) -> np.ndarray:
    σ = np.where(σ < least, 0.0, σ)
    return σ / σ.sum(axis=1, keepdims=True)


def _pay(mdp: PAMDP, Q: np.ndarray, k: np.ndarray | None) -> np.ndarray:
    if k is None:
        return implement(mdp, Q).pay
    need = np.maximum(Q[:, ::-1] - Q, 0)
    with np.errstate(invalid="ignore"):
        return np.where(need > 0, k * need, 0.0)


def _mixed(mdp: PAMDP, σ: np.ndarray, Va: np.ndarray) -> Mixed:
    """Contracts for values, then values and residuals for these contracts."""
    shape = (mdp.n_states, mdp.n_actions)
    Q = mdp.r + mdp.gamma * (mdp.kernel @ Va).reshape(shape)
    b = np.where((σ > 0)[:, :, None], implement(mdp, Q).b, 0.0)
    return mixed_residual(mdp, σ, b)


def mixed_residual(
    mdp: PAMDP,
    sigma: Float[np.ndarray, "n_states n_actions"],
    b: Float[np.ndarray, "n_states n_actions n_outcomes"],
) -> Mixed:
    """Certify a mixed equilibrium by the one-shot deviations of both sides.

    Parameters
    ----------
    mdp : PAMDP
        Without layers.
    sigma : ndarray, shape (n_states, n_actions)
        Probability of each recommendation; rows sum to 1.
    b : ndarray, shape (n_states, n_actions, n_outcomes)
        Contract offered with each.

    Returns
    -------
    Mixed
        The given policy with its values and residuals: what the agent gains by not
        following some recommendation that is made, and the principal by its best
        contract instead of its mixture.
    """
    _stationary(mdp)
    σ = np.asarray(sigma, dtype=float)
    if (σ < 0).any() or np.abs(σ.sum(axis=1) - 1).max() > 1e-9:
        raise ValueError("sigma: expected probabilities whose rows sum to 1")
    n, n_actions = σ.shape
    offered = np.einsum("sao,spo->spa", mdp.F, b)  # state, recommendation, action
    pay = np.einsum("spp->sp", offered)
    mix = sp.csr_matrix(
        (σ.ravel(), (np.repeat(np.arange(n), n_actions), np.arange(n * n_actions))),
        shape=(n, n * n_actions),
    )
    system = sp.csc_matrix(sp.eye_array(n) - mdp.gamma * (mix @ mdp.kernel))
    solver = sla.splu(system)
    Va = solver.solve((σ * (mdp.r + pay)).sum(axis=1))
    Vp = solver.solve((σ * (mdp.expected_rp - pay)).sum(axis=1))
    Q = mdp.r + mdp.gamma * (mdp.kernel @ Va).reshape(n, n_actions)
    best = (offered + Q[:, None, :]).max(axis=2)
    agent = np.where(σ > 0, best - pay - Q, 0.0).max(axis=1)
    once = mdp.expected_rp + mdp.gamma * (mdp.kernel @ Vp).reshape(n, n_actions)
    principal = (once - implement(mdp, Q).pay).max(axis=1) - Vp
    return Mixed(σ, np.asarray(b, dtype=float), Va, Vp, np.maximum(agent, principal))


def _polish(
    mdp: PAMDP, σ: np.ndarray, Va: np.ndarray, k: np.ndarray, n: int, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Newton's method on the mixed states' probabilities until q(0) = q(1)."""
    shape = (mdp.n_states, 2)
    Q = mdp.r + mdp.gamma * (mdp.kernel @ Va).reshape(shape)
    paid = Q[:, ::-1] > Q
    own = np.where(paid & np.isfinite(k), k, 0.0).reshape(n, size, 2)
    P, γ, eye = _dense(mdp, n, size), mdp.gamma, np.eye(size)
    r, w = mdp.r.reshape(n, size, 2), mdp.expected_rp.reshape(n, size, 2)
    # expected value of following a: (1 - k) Qbar(a) + k Qbar(other)
    own_P = (1 - own)[..., None] * P + own[..., None] * P[:, :, ::-1]
    own_r = (1 - own) * r + own * r[:, :, ::-1]

    def values(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mix = np.stack([x, 1 - x], axis=2)
        system = eye - γ * np.einsum("nsa,nsat->nst", mix, own_P)
        V = np.linalg.solve(system, (mix * own_r).sum(axis=2)[..., None])[..., 0]
        Q = r + γ * np.einsum("nsat,nt->nsa", P, V)
        net = w - own * (Q[:, :, ::-1] - Q)
        system = eye - γ * np.einsum("nsa,nsat->nst", mix, P)
        Vp = np.linalg.solve(system, (mix * net).sum(axis=2)[..., None])[..., 0]
        q = net + γ * np.einsum("nsat,nt->nsa", P, Vp)
        return q[:, :, 0] - q[:, :, 1], V

    x = σ[:, 0].reshape(n, size).copy()
    free = (x > 0) & (x < 1)
    for _ in range(20):
        g, _ = values(x)
        slope = np.empty((n, size, size))
        for j in range(size):
            h = np.where(free[:, j], 1e-7, 0.0)
            up, down = x.copy(), x.copy()
            up[:, j] += h
            down[:, j] -= h
            d = (values(up)[0] - values(down)[0]) / 2e-7
            slope[:, :, j] = np.where(free[:, j : j + 1], d, 0.0)
        fixed = ~free
        slope[fixed] = 0
        slope[:, range(size), range(size)] += fixed
        bad = np.abs(np.linalg.det(slope)) < 1e-14
        slope[bad] = eye
        move = np.linalg.solve(slope, np.where(free, g, 0.0)[..., None])[..., 0]
        x = np.clip(x - np.clip(move, -0.2, 0.2), 0, 1)
    V = values(x)[1].ravel()
    return np.stack([x.ravel(), 1 - x.ravel()], axis=1), V
