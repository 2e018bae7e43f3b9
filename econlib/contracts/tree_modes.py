r"""Three ways to judge a principal's contracts on trees, all of them exact.

A learnt principal has recommendations :math:`\hat a(s)` and contracts :math:`\hat b(s)`
at every node.  With zero slack in a contract a rounding error decides whether the agent
obeys, so it must be said how the agent answers:

strict
    the agent plays its exact best reply to :math:`\hat b`, now and later; what is
    within :math:`10^{-9}` of the best is a tie, and ties go to the recommendation;
implemented (mode B)
    the recommendations :math:`\hat a` under their own exact cheapest contracts, with no
    margin, so that only recommendations can be wrong;
tolerant
    the agent obeys :math:`\hat b` wherever that costs it at most a tolerance, .02 for
    instance, against its best reply in the node.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Float, Int
from numba import njit

from econlib.contracts.trees import Trees

__all__ = ["Modes", "Play", "flip", "implemented", "judge", "play"]


@dataclass(frozen=True)
class Play:
    """How a tree is played, and what it is worth.

    Attributes
    ----------
    va, vp : ndarray, shape (n_trees, n_nodes)
        Values of the agent and of the principal from every node on.
    follows : ndarray of bool, shape (n_trees, n_nodes)
        Whether the agent does what is recommended.
    """

    va: Float[np.ndarray, "n_trees n_nodes"]
    vp: Float[np.ndarray, "n_trees n_nodes"]
    follows: Bool[np.ndarray, "n_trees n_nodes"]

    @property
    def principal(self) -> Float[np.ndarray, " n_trees"]:
        """The principal's value at the root."""
        return self.vp[:, 0]

    @property
    def agent(self) -> Float[np.ndarray, " n_trees"]:
        """The agent's value at the root."""
        return self.va[:, 0]

    @property
    def follow_rate(self) -> Float[np.ndarray, " n_trees"]:
        """Share of all decision nodes at which the agent obeys."""
        return self.follows.mean(axis=1)


@dataclass(frozen=True)
class Modes:
    """The same contracts in the three modes."""

    strict: Play
    implemented: Play
    tolerant: Play


def play(
    trees: Trees,
    act: Int[np.ndarray, "_ _"],
    b: Float[np.ndarray, "_ _ _"],
    tolerance: float = 1e-9,
) -> Play:
    r"""Exact play against given contracts.

    The agent takes the recommended action wherever

    .. math::
        \max_aQ((s,b),a)-Q((s,b),\hat a)\le\text{tolerance},\qquad
        Q((s,b),a)=\mathbb E_{o|a}[b(o)+V^a(s_o)]-c_s1_{a=a_1},

    where :math:`V^a` is the value of what it does later.

    Parameters
    ----------
    trees : Trees
        One row a set of contracts.
    act : ndarray of int, shape (n_trees, n_nodes)
        Recommendations, 0 or 1.
    b : ndarray, shape (n_trees, n_nodes, 2)
        Payments at the two outcomes, at least 0.
    tolerance : float
        Loss that the agent puts up with in a node, at least 0.

    Returns
    -------
    Play

    Raises
    ------
    ValueError
        Wrong shapes, payments below zero or not finite, a negative tolerance.

    Examples
    --------
    >>> from econlib.contracts.trees import solve, tree_batch
    >>> trees = tree_batch(10, [0])
    >>> found = solve(trees)
    >>> round(float(play(trees, found.act, found.b).principal[0]), 6)
    3.756321
    """
    _check(trees, act)
    if b.shape != (*trees.cost.shape, 2):
        raise ValueError(f"b has shape {b.shape}: expected {(*trees.cost.shape, 2)}")
    if not (np.isfinite(b).all() and b.min() >= 0):
        raise ValueError("b: expected finite payments, 0 or more")
    if not tolerance >= 0:
        raise ValueError(f"tolerance = {tolerance}: expected 0 or more")
    shape = trees.cost.shape
    va, vp, follows = np.empty(shape), np.empty(shape), np.empty(shape, bool)
    arrays = (trees.cost, trees.reward, act.astype(np.int64), b.astype(float))
    _play(*arrays, trees.p, tolerance, va, vp, follows)
    return Play(va, vp, follows)


def implemented(trees: Trees, act: Int[np.ndarray, "n_trees n_nodes"]) -> Play:
    """Value of recommendations under their exact cheapest contracts, without margin.

    Notes
    -----
    The same as :func:`econlib.contracts.trees.solve` with ``act``, compiled.
    """
    _check(trees, act)
    shape = trees.cost.shape
    va, vp = np.empty(shape), np.empty(shape)
    _implement(trees.cost, trees.reward, act.astype(np.int64), trees.p, va, vp)
    return Play(va, vp, np.ones(shape, bool))


def judge(
    trees: Trees,
    act: Int[np.ndarray, "n_trees n_nodes"],
    b: Float[np.ndarray, "n_trees n_nodes 2"],
    tolerance: float = 0.02,
) -> Modes:
    """Judge contracts in all three modes; ``tolerance`` is that of the tolerant one."""
    return Modes(
        play(trees, act, b), implemented(trees, act), play(trees, act, b, tolerance)
    )


def flip(
    act: Int[np.ndarray, "n_trees n_nodes"],
    order: Int[np.ndarray, "n_trees n_listed"],
    n_flips: int,
) -> Int[np.ndarray, "n_trees n_nodes"]:
    """Turn over the recommendations of the first ``n_flips`` nodes of an order.

    Parameters
    ----------
    act : ndarray of int, shape (n_trees, n_nodes)
        Recommendations, 0 or 1.
    order : ndarray of int, shape (n_trees, n_listed)
        Nodes of each tree, none twice, in the order in which they are turned.
    n_flips : int
        How many of them, 0 to ``n_listed``.

    Examples
    --------
    >>> flip(np.array([[0, 1, 1]]), np.array([[2, 0, 1]]), 2).tolist()
    [[1, 1, 0]]
    """
    wrong, first = act.copy(), order[:, :n_flips]
    rows = np.arange(len(act))[:, None]
    wrong[rows, first] = 1 - wrong[rows, first]
    return wrong


def _check(trees: Trees, act: Int[np.ndarray, "_ _"]) -> None:
    if act.shape != trees.cost.shape or not ((act == 0) | (act == 1)).all():
        raise ValueError(f"act: expected 0 and 1, shape {trees.cost.shape}")


@njit(cache=True)
@no_type_check
def _play(cost, reward, act, b, p, tolerance, va, vp, follows):
    n = cost.shape[1]
    for i in range(cost.shape[0]):
        for s in range(n - 1, -1, -1):
            a_left = a_right = p_left = 0.0
            p_right = reward[i, s]
            if 2 * s + 2 < n:
                a_left, a_right = va[i, 2 * s + 1], va[i, 2 * s + 2]
                p_left += vp[i, 2 * s + 1]
                p_right += vp[i, 2 * s + 2]
            a_left += b[i, s, 0]
            a_right += b[i, s, 1]
            p_left -= b[i, s, 0]
            p_right -= b[i, s, 1]
            q0 = p * a_left + (1 - p) * a_right
            q1 = (1 - p) * a_left + p * a_right - cost[i, s]
            asked = q1 - q0 if act[i, s] == 1 else q0 - q1
            follows[i, s] = asked >= -tolerance
            if (act[i, s] == 1) == follows[i, s]:
                va[i, s] = q1
                vp[i, s] = (1 - p) * p_left + p * p_right
            else:
                va[i, s] = q0
                vp[i, s] = p * p_left + (1 - p) * p_right


@njit(cache=True)
@no_type_check
def _implement(cost, reward, act, p, va, vp):
    n = cost.shape[1]
    for i in range(cost.shape[0]):
        for s in range(n - 1, -1, -1):
            a_left = a_right = p_left = 0.0
            p_right = reward[i, s]
            if 2 * s + 2 < n:
                a_left, a_right = va[i, 2 * s + 1], va[i, 2 * s + 2]
                p_left += vp[i, 2 * s + 1]
                p_right += vp[i, 2 * s + 2]
            q0 = p * a_left + (1 - p) * a_right
            q1 = (1 - p) * a_left + p * a_right - cost[i, s]
            if act[i, s] == 1:
                pay = max(q0 - q1, 0.0) * p / (2 * p - 1)
                va[i, s] = q1 + pay
                vp[i, s] = (1 - p) * p_left + p * p_right - pay
            else:
                pay = max(q1 - q0, 0.0) * p / (2 * p - 1)
                va[i, s] = q0 + pay
                vp[i, s] = p * p_left + (1 - p) * p_right - pay
