r"""Stationary equilibria in mixed recommendations.

Where no stationary equilibrium in pure recommendations exists, what is left is a
principal that *mixes*: it recommends :math:`a` with probability
:math:`\sigma(a\mid s)`, offering :math:`b^*(s,a)`.  We look for one by

.. math::

   \sigma\leftarrow(1-\eta)\,\sigma+\eta\,\mathrm{softmax}(q/\tau),\qquad\tau\downarrow0,

values following step by step, and then solve for exact indifference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sla
from jaxtyping import Float

from econlib.contracts.equilibrium import implement
from econlib.contracts.infinite import _block_count, _dense, _stationary, pay_factors
from econlib.contracts.mdp import PAMDP

__all__ = ["Mixed", "mixed_residual", "smoothed_meta"]


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
