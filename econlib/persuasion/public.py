r"""Public persuasion inside a best response: why one sender's reply is hard.

One sender persuades receivers :math:`t` who accept or reject, by one public signal, and
is paid the mean share of acceptors; receiver :math:`t` gains :math:`\rho_t(\theta)` by
accepting.  Even approximating the optimum is NP-hard.  The same problem is the best
response of one of two senders: states are :math:`\theta` and a dummy :math:`d_t` for
each receiver, the other sender names a receiver, at random in each :math:`\theta` and
truly in :math:`d_t`, and the actions are :math:`(t,1),(t,0)` and :math:`\bot` with

.. math::

   r(\theta,(t,1))=\rho_t(\theta)-c,\quad r(\theta,(t,0))=-c,\quad
   r(d_t,(t,\cdot))=H,\quad r(d_{t'},(t,\cdot))=-10H,\quad r(\cdot,\bot)=0 ,

:math:`c=2\bar\rho`, :math:`H=\tfrac32(c+\bar\rho)(1-N\epsilon)/(N\epsilon)`.  With
mass :math:`\epsilon` on each dummy the reply is worth :math:`(1-N\epsilon)` times the
optimum of public persuasion.

A graph gives an instance: vertices are states and receivers, a receiver gains 1/2 at
its own vertex and loses 1 at a neighbour's, so that acceptors of one signal are never
adjacent.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import networkx as nx
import numpy as np
from jaxtyping import Bool, Float

from econlib.persuasion.games import PersuasionGame, check_table
from econlib.programs import solve

__all__ = ["PublicOptimum", "graph_instance", "hidden_public", "public_persuasion"]


@dataclass(frozen=True)
class PublicOptimum:
    """An optimal public signal.

    Attributes
    ----------
    value : float
        Mean share of acceptors.
    accept : ndarray of bool, shape (n_signals, n_receivers)
        Who accepts each signal that comes.
    masses : ndarray, shape (n_signals, n_states)
        Of states, for each such signal.
    """

    value: float
    accept: Bool[np.ndarray, "n_signals n_receivers"]
    masses: Float[np.ndarray, "n_signals n_states"]


def _checked(prior: object, gains: object) -> tuple[np.ndarray, np.ndarray]:
    prior = check_table("prior", prior, "n_states")
    gains = check_table("gains", gains, "n_receivers n_states")
    if gains.shape[1] != len(prior):
        raise ValueError(
            f"gains: shape {gains.shape}, expected (n_receivers, {len(prior)})"
        )
    if not (prior > 0).all() or abs(prior.sum() - 1) > 1e-9:
        raise ValueError(
            f"prior = {prior.tolist()}: expected positive numbers that add up to 1"
        )
    return prior, gains


def graph_instance(
    graph: nx.Graph,
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n n"]]:
    """Prior and gains of public persuasion on a graph's vertices.

    Parameters
    ----------
    graph : networkx.Graph
        Without loops, of one vertex or more.

    Returns
    -------
    prior : ndarray, shape (n,)
        Uniform.
    gains : ndarray, shape (n, n)
        Of receiver t at vertex θ: 1/2 at his own, -1 at a neighbour's, -1/(4n) else.
    """
    n = len(graph)
    if n < 1 or nx.number_of_selfloops(graph):
        raise ValueError("graph: expected one vertex or more, and no loops")
    adjacent = nx.to_numpy_array(graph) > 0
    gains = np.where(adjacent, -1.0, -1 / (4 * n))
    np.fill_diagonal(gains, 0.5)
    return np.full(n, 1 / n), gains


def public_persuasion(
    prior: Float[np.ndarray, " n_states"],
    gains: Float[np.ndarray, "n_receivers _"],
) -> PublicOptimum:
    """Optimum over all sets of acceptors, one signal for each.

    Parameters
    ----------
    prior : ndarray, shape (n_states,)
        Positive, adding up to 1.
    gains : ndarray, shape (n_receivers, n_states)
        By accepting; at most 14 receivers, for 16,384 sets.

    Returns
    -------
    PublicOptimum
        Value, and the signals that come.

    Raises
    ------
    ValueError
        More receivers, or arrays that do not fit.
    """
    prior, gains = _checked(prior, gains)
    n, m = gains.shape
    if n > 14:
        raise ValueError(
            f"gains: {n} receivers, expected at most 14, or {2**n:,} sets of acceptors "
            "would be listed"
        )
    sets = np.array(
        [
            np.isin(np.arange(n), chosen)
            for size in range(n + 1)
            for chosen in combinations(range(n), size)
        ]
    )
    # who is in a set must gain; the others may accept too, for nothing
    obey = np.zeros((int(sets.sum()), len(sets) * m))
    for row, (s, t) in enumerate(np.argwhere(sets)):
        obey[row, s * m : (s + 1) * m] = gains[t]
    solved = solve(
        np.repeat(sets.mean(axis=1), m),
        np.concatenate([obey, np.tile(np.eye(m), (1, len(sets)))]),
        np.concatenate([np.zeros(len(obey)), prior]),
        np.concatenate([np.full(len(obey), np.inf), prior]),
        maximise=True,
    )
    masses = solved.x.reshape(len(sets), m)
    come = masses.sum(axis=1) > 1e-9
    return PublicOptimum(solved.objective, sets[come], masses[come])


def hidden_public(
    prior: Float[np.ndarray, " n_states"],
    gains: Float[np.ndarray, "n_receivers _"],
    epsilon: float | None = None,
) -> tuple[PersuasionGame, Float[np.ndarray, "n_all n_receivers"], float]:
    """Two senders, of whom the first solves public persuasion when he replies.

    Parameters
    ----------
    prior : ndarray, shape (n_states,)
        Of public persuasion.
    gains : ndarray, shape (n_receivers, n_states)
        By accepting.
    epsilon : float, optional
        Mass of each dummy, inside (0, 1 / n_receivers); by default half the largest.

    Returns
    -------
    game : PersuasionGame
        States first, then dummies; actions (1, accept), (1, reject), (2, accept) and
        so on, and at the end the one that is worth nothing.
    rule : ndarray, shape (n_states + n_receivers, n_receivers)
        Of the second sender.
    scale : float
        1 - Nε, what a unit of public persuasion is worth to the first sender.
    """
    prior, gains = _checked(prior, gains)
    n, m = gains.shape
    epsilon = 0.5 / n if epsilon is None else float(epsilon)
    if not 0 < epsilon < 1 / n:
        raise ValueError(
            f"epsilon = {epsilon}: expected a number inside (0, {1 / n:g})"
        )
    scale = 1 - n * epsilon
    largest = np.abs(gains).max()
    cost = 2 * largest
    reward = 1.5 * (cost + largest) * scale / (n * epsilon)
    receiver = np.zeros((m + n, 2 * n + 1))
    receiver[:m, 0:-1:2] = gains.T - cost
    receiver[:m, 1:-1:2] = -cost
    receiver[m:, :-1] = -10 * reward
    for t in range(n):
        receiver[m + t, 2 * t : 2 * t + 2] = reward
    first = np.zeros_like(receiver)
    first[:m, 0:-1:2] = 1.0
    rule = np.concatenate([np.full((m, n), 1 / n), np.eye(n)])
    game = PersuasionGame(
        np.concatenate([scale * prior, np.full(n, epsilon)]),
        receiver,
        np.stack([first, np.zeros_like(first)]),
    )
    return game, rule, scale
