r"""What an agent does under given contracts, and what either side could gain.

An agent that is offered :math:`\rho` solves its decision process; among actions that it
likes equally well somebody has to decide.  A pair of contracts and actions is an
equilibrium if no *one-shot deviation* gains anything, in any state, for either side:
another action once, or another contract once, and play as agreed afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from econlib.contracts.equilibrium import implement, policy_values, solve_mdp
from econlib.contracts.mdp import PAMDP

__all__ = [
    "Play",
    "Residual",
    "best_response",
    "no_contract_value",
    "spe_residual",
    "welfare_optimum",
]


@dataclass(frozen=True)
class Play:
    """What an agent does under given contracts.

    Attributes
    ----------
    act : ndarray of int, shape (n_states,)
        Action taken.
    Va, Vp : ndarray, shape (n_states,)
        Values of both sides.
    follows : ndarray of bool, shape (n_states,)
        Whether the action is the recommended one.
    """

    act: Int[np.ndarray, " n_states"]
    Va: Float[np.ndarray, " n_states"]
    Vp: Float[np.ndarray, " n_states"]
    follows: Bool[np.ndarray, " n_states"]


@dataclass(frozen=True)
class Residual:
    """Largest gains from one-shot deviations.

    Attributes
    ----------
    agent : ndarray, shape (n_states,)
        What the agent gains by another action, then following.
    principal : ndarray, shape (n_states,)
        What the principal gains by another contract, then offering the given ones.
    """

    agent: Float[np.ndarray, " n_states"]
    principal: Float[np.ndarray, " n_states"]

    @property
    def worst(self) -> float:
        """The largest of all."""
        return float(max(self.agent.max(), self.principal.max()))

    def is_spe(self, tol: float = 1e-8) -> bool:
        """Whether no deviation gains more than ``tol``."""
        return self.worst <= tol


def best_response(
    mdp: PAMDP,
    rho: Float[np.ndarray, "n_states n_outcomes"],
    rec: Int[np.ndarray, " n_states"],
    *,
    tie: str = "principal",
    tol: float = 1e-9,
) -> Play:
    """The agent's optimal play under given contracts.

    Parameters
    ----------
    mdp : PAMDP
        With or without layers.
    rho : ndarray, shape (n_states, n_outcomes)
        Contracts.
    rec : ndarray of int, shape (n_states,)
        Recommended actions.
    tie : {"principal", "recommended", "adverse"}
        Who decides among actions within ``tol`` of the best: "principal" takes the
        principal's best, "adverse" its worst, "recommended" the recommended one and
        else the principal's best.
    tol : float
        Loss up to which the agent is indifferent, 0 or more.

    Returns
    -------
    Play
        Actions and values of both sides.
    """
    if tie not in ("principal", "recommended", "adverse"):
        raise ValueError(
            f"tie = {tie!r}: expected 'principal', 'recommended' or 'adverse'"
        )
    if not (np.isfinite(tol) and tol >= 0):
        raise ValueError(f"tol = {tol}: expected 0 or more")
    paid = mdp.expected(rho)
    V, Q = solve_mdp(mdp, mdp.r + paid)
    allowed = V[:, None] - tol <= Q
    state = np.arange(mdp.n_states)
    if tie == "recommended":
        keep = allowed[state, rec]
        allowed[keep] = np.arange(mdp.n_actions) == rec[keep, None]
    net = mdp.expected_rp - paid
    sign = -1.0 if tie == "adverse" else 1.0
    _, value = solve_mdp(mdp, np.where(allowed, sign * net, -np.inf))
    act = value.argmax(axis=1)
    return Play(
        act=act,
        Va=policy_values(mdp, act, mdp.r + paid),
        Vp=policy_values(mdp, act, net),
        follows=act == rec,
    )


def spe_residual(
    mdp: PAMDP,
    rho: Float[np.ndarray, "n_states n_outcomes"],
    act: Int[np.ndarray, " n_states"],
) -> Residual:
    r"""Certify an equilibrium by the one-shot deviations of both sides.

    With the values :math:`V^a,V^p` of offering :math:`\rho` and taking ``act`` always,
    the agent may try any action once, and the principal any contract once, of which
    the cheapest for each action suffice; an agent that is offered another contract
    answers by its own :math:`\bar Q`.

    Parameters
    ----------
    mdp : PAMDP
        With or without layers; for observed actions pass
        :func:`~econlib.contracts.mdp.observe_actions` of it.
    rho : ndarray, shape (n_states, n_outcomes)
        Contracts.
    act : ndarray of int, shape (n_states,)
        The agent's actions when they are offered.

    Returns
    -------
    Residual
        Gains by state; all at most rounding in an equilibrium.
    """
    state = np.arange(mdp.n_states)
    shape = (mdp.n_states, mdp.n_actions)
    paid = mdp.expected(rho)
    Va = policy_values(mdp, act, mdp.r + paid)
    Vp = policy_values(mdp, act, mdp.expected_rp - paid)
    Qbar = mdp.r + mdp.gamma * (mdp.kernel @ Va).reshape(shape)
    agent = (Qbar + paid).max(axis=1) - (Qbar + paid)[state, act]
    pay = implement(mdp, Qbar).pay
    once = mdp.expected_rp + mdp.gamma * (mdp.kernel @ Vp).reshape(shape) - pay
    return Residual(agent=agent, principal=once.max(axis=1) - Vp)


def welfare_optimum(mdp: PAMDP) -> Float[np.ndarray, " n_states"]:
    """Largest sum of both sides' rewards; payments cancel."""
    return solve_mdp(mdp, mdp.r + mdp.expected_rp)[0]


def no_contract_value(mdp: PAMDP) -> Play:
    """What both sides have when nothing is paid, ties to the principal."""
    nothing = np.zeros((mdp.n_states, mdp.n_outcomes))
    rec = np.zeros(mdp.n_states, dtype=np.int64)
    return best_response(mdp, nothing, rec)
