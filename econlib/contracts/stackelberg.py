r"""Commitment: the best contract policy that is announced before play.

A principal that commits to :math:`\rho` picks the agent's policy :math:`\pi` from all
deterministic ones, :math:`|A|^{|S|}` of them, and for each the cheapest contracts under
which :math:`\pi` is optimal in *every* state.  With :math:`M_\pi=(I-\gamma P_\pi)^{-1}`
the agent's values are linear in the payments,

.. math::

   V=M_\pi(r_\pi+F_\pi\cdot b),\qquad
   V(s)\ \ge\ r(s,a)+F(s,a)\cdot b(s)+\gamma P(s,a)V\quad\forall s,a,

so each is a program :math:`\min f\cdot b`, :math:`Gb\ge d`, :math:`b\ge0` with
:math:`f\ge0` the expected discounted use of each payment.  All programs of all policies
and instances are solved in lockstep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from econlib.contracts.covering import covering_lps
from econlib.contracts.mdp import PAMDP

__all__ = ["Commitment", "stackelberg_many", "stackelberg_markov"]

_MOST_NUMBERS = 2**27


@dataclass(frozen=True)
class Commitment:
    """The best committed policy.

    Attributes
    ----------
    value : float
        The principal's value in the initial state.
    act : ndarray of int, shape (n_states,)
        The agent's policy.
    b : ndarray, shape (n_states, n_outcomes)
        Contracts.
    Va : float
        The agent's value in the initial state.
    policies : ndarray of int, shape (n_policies, n_states)
        All policies of the agent.
    values : ndarray, shape (n_policies,)
        The principal's value with each; minus infinity where no contracts make the
        policy optimal.
    """

    value: float
    act: Int[np.ndarray, " n_states"]
    b: Float[np.ndarray, "n_states n_outcomes"]
    Va: float
    policies: Int[np.ndarray, "n_policies n_states"]
    values: Float[np.ndarray, " n_policies"]


def stackelberg_markov(mdp: PAMDP) -> Commitment:
    """Best Markov contract policy under commitment, by enumeration and programs.

    Parameters
    ----------
    mdp : PAMDP
        Small: at most 2**27 numbers in all programs together, 3 layers of a binary
        tree with ease, 4 not.

    Returns
    -------
    Commitment
        Exact up to rounding; the agent's ties go to the principal.

    Raises
    ------
    ValueError
        Too many policies for memory.

    Examples
    --------
    >>> from econlib.contracts.examples import figure1_mdp
    >>> round(18 * stackelberg_markov(figure1_mdp()).value, 9)
    19.0
    """
    return stackelberg_many([mdp])[0]


def stackelberg_many(mdps: Sequence[PAMDP]) -> list[Commitment]:
    """The same for several processes of one shape, all programs in lockstep.

    Parameters
    ----------
    mdps : sequence of PAMDP
        With the same numbers of states, actions and outcomes.
    """
    shape = mdps[0].F.shape
    for i, mdp in enumerate(mdps):
        if mdp.F.shape != shape:
            raise ValueError(
                f"mdps[{i}]: shape of F {mdp.F.shape}, expected {shape} of the first"
            )
    n_states, n_actions, n_outcomes = shape
    variables = n_states * n_outcomes
    size = (variables + 1) * (n_states * (n_actions - 1) + 1)
    if n_states * np.log2(n_actions) + np.log2(size) > np.log2(_MOST_NUMBERS):
        raise ValueError(
            f"n_states = {n_states} with {n_actions} actions: {n_actions}^{n_states} "
            "policies are too many for memory. Try a smaller tree"
        )
    grid = np.indices((n_actions,) * n_states).reshape(n_states, -1).T
    policies = np.ascontiguousarray(grid)
    chunk = max(1, 2**22 // (len(policies) * size))
    found: list[Commitment] = []
    for start in range(0, len(mdps), chunk):
        found += _solve_chunk(mdps[start : start + chunk], policies)
    return found


def _solve_chunk(mdps: Sequence[PAMDP], policies: np.ndarray) -> list[Commitment]:
    parts = [_programs(mdp, policies) for mdp in mdps]
    cost, G, need, base, worth = (np.concatenate(p) for p in zip(*parts, strict=True))
    b, _, feasible = covering_lps(cost, G, need)
    paid = np.where(feasible[:, None], b, 0)
    values = np.where(feasible, worth - (cost * paid).sum(axis=1), -np.inf)
    agent = base + (cost * paid).sum(axis=1)
    n = len(policies)
    found = []
    for i, mdp in enumerate(mdps):
        own = values[i * n : (i + 1) * n]
        best = int(own.argmax())
        found.append(
            Commitment(
                value=float(own[best]),
                act=policies[best],
                b=b[i * n + best].reshape(mdp.n_states, mdp.n_outcomes),
                Va=float(agent[i * n + best]),
                policies=policies,
                values=own,
            )
        )
    return found


def _programs(mdp: PAMDP, policies: np.ndarray) -> tuple[np.ndarray, ...]:
    """Rows, right sides and costs of one process, one program a policy."""
    n_states, n_actions, n_outcomes = mdp.F.shape
    n = len(policies)
    state = np.arange(n_states)
    P = mdp.kernel.toarray().reshape(n_states, n_actions, n_states)
    P_π, F_π = P[state, policies], mdp.F[state, policies]
    r_π, rp_π = mdp.r[state, policies], mdp.expected_rp[state, policies]
    M = np.linalg.inv(np.eye(n_states) - mdp.gamma * P_π)
    V0 = np.einsum("nst,nt->ns", M, r_π)  # the agent's value before payments
    # payments enter V as V1 @ b, b flat over states and outcomes
    V1 = np.einsum("nst,nto->nsto", M, F_π).reshape(n, n_states, -1)
    rows, right = [], []
    for step in range(1, n_actions):
        other = (policies + step) % n_actions
        own = np.zeros((n, n_states, n_states, n_outcomes))
        own[:, state, state] = mdp.F[state, other]
        after = mdp.gamma * P[state, other]
        deviate = own.reshape(n, n_states, -1) + np.einsum("nst,ntv->nsv", after, V1)
        rows.append(V1 - deviate)
        constant = mdp.r[state, other] + np.einsum("nst,nt->ns", after, V0)
        right.append(constant - V0)
    use = M[:, mdp.start]  # discounted visits from the start
    cost = (use[:, :, None] * F_π).reshape(n, -1)
    if n_actions == 1:
        rows, right = [np.zeros((n, 1, cost.shape[1]))], [np.zeros((n, 1))]
    return (
        np.maximum(cost, 0),
        np.concatenate(rows, axis=1),
        np.concatenate(right, axis=1),
        V0[:, mdp.start],
        (use * rp_π).sum(axis=1),
    )
