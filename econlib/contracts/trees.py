r"""Binary trees in which a principal pays an agent: exact equilibria by level.

A tree has :math:`T` layers and :math:`2^T-1` decision nodes, numbered breadth first;
outcome :math:`o_0` of node :math:`s` leads to :math:`2s+1`, outcome :math:`o_1` to
:math:`2s+2`, and play ends below the last layer.  Action :math:`a_1` costs the agent
:math:`c_s` and brings :math:`o_1` with probability :math:`p`; action :math:`a_0` is
free and brings it with probability :math:`1-p`; the principal receives :math:`R_s` at
:math:`o_1`.

With continuation values :math:`V^a,V^p` of the children, the agent's truncated values
are

.. math::
    \bar Q(s,a)=-c_s 1_{a=a_1}+\mathbb E_{o|a}V^a(s_o),

the cheapest contract under which :math:`a` is better than the other action :math:`a'`
by a margin :math:`\xi` pays :math:`[\bar Q(s,a')-\bar Q(s,a)+\xi]_+/(2p-1)` at the
outcome that :math:`a` makes likely, in expectation :math:`\frac p{2p-1}[\cdot]_+`, and
the principal's contractual values are

.. math::
    q(s,a)=\mathbb E_{o|a}[r^p(s,o)+V^p(s_o)]-\tfrac p{2p-1}
           [\bar Q(s,a')-\bar Q(s,a)+\xi]_+ .

In the subgame-perfect equilibrium the principal asks for :math:`\arg\max_aq(s,a)` and
the agent, whose ties go to the principal, complies.  Where actions are observed the
payment is :math:`[\cdot]_+` itself.  All trees of a batch are solved together, one
layer at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

__all__ = [
    "Equilibrium",
    "Trees",
    "by_steps_to_go",
    "contracts",
    "det_arrays",
    "expected_pay",
    "no_contract",
    "solve",
    "tree_arrays",
    "tree_batch",
    "welfare_optimum",
]

_MOST_NUMBERS = 2**26


@dataclass(frozen=True)
class Trees:
    """Trees of one depth and one :math:`p`.

    Attributes
    ----------
    cost : ndarray, shape (n_trees, n_nodes)
        The agent's cost :math:`c_s` of :math:`a_1`, at least 0.
    reward : ndarray, shape (n_trees, n_nodes)
        The principal's reward :math:`R_s` at :math:`o_1`.
    p : float
        Probability of :math:`o_1` under :math:`a_1`, and of :math:`o_0` under
        :math:`a_0`; (0.5, 1].

    Raises
    ------
    ValueError
        Shapes that differ or are not those of whole layers, a cost that is negative,
        numbers that are not finite, or ``p`` out of range.

    Examples
    --------
    >>> trees = tree_batch(3, [0, 1])
    >>> trees.depth, trees.n_trees, trees.n_nodes
    (3, 2, 7)
    """

    cost: Float[np.ndarray, "n_trees n_nodes"]
    reward: Float[np.ndarray, "_ _"]
    p: float = 0.9

    def __post_init__(self) -> None:
        shape, n = self.cost.shape, self.cost.shape[-1]
        if self.reward.shape != shape:
            raise ValueError(
                f"reward has shape {self.reward.shape}: expected that of cost, {shape}"
            )
        if n < 1 or n & (n + 1):
            raise ValueError(f"n_nodes = {n}: expected 2**depth - 1")
        if not 0.5 < self.p <= 1:
            raise ValueError(f"p = {self.p}: expected a number in (0.5, 1]")
        if not (np.isfinite(self.cost).all() and np.isfinite(self.reward).all()):
            raise ValueError("cost and reward: expected finite numbers")
        if self.cost.size and self.cost.min() < 0:
            raise ValueError(f"cost = {self.cost.min():g}: expected 0 or more")

    @property
    def depth(self) -> int:
        """Number of layers, T."""
        return self.n_nodes.bit_length()

    @property
    def n_trees(self) -> int:
        """Number of trees in the batch."""
        return self.cost.shape[0]

    @property
    def n_nodes(self) -> int:
        """Number of decision nodes of each tree."""
        return self.cost.shape[1]

    def take(self, index: Sequence[int] | Int[np.ndarray, " n_rows"]) -> Trees:
        """Trees by index, as often as they are named: one row a run."""
        rows = np.asarray(index, int)
        return Trees(self.cost[rows], self.reward[rows], self.p)


@dataclass(frozen=True)
class Equilibrium:
    """What backward induction finds at every node.

    Attributes
    ----------
    va, vp : ndarray, shape (n_trees, n_nodes)
        Values of the agent and of the principal from the node on.
    qbar : ndarray, shape (n_trees, n_nodes, 2)
        The agent's truncated values of :math:`a_0` and :math:`a_1`.
    q : ndarray, shape (n_trees, n_nodes, 2)
        The principal's contractual values.
    act : ndarray of int, shape (n_trees, n_nodes)
        Recommended action.
    b : ndarray, shape (n_trees, n_nodes, 2)
        Contract for it: payment at :math:`o_0` and at :math:`o_1` (of :math:`a_0` and
        of :math:`a_1` where actions are observed).
    """

    va: Float[np.ndarray, "n_trees n_nodes"]
    vp: Float[np.ndarray, "n_trees n_nodes"]
    qbar: Float[np.ndarray, "n_trees n_nodes 2"]
    q: Float[np.ndarray, "n_trees n_nodes 2"]
    act: Int[np.ndarray, "n_trees n_nodes"]
    b: Float[np.ndarray, "n_trees n_nodes 2"]

    @property
    def gap(self) -> Float[np.ndarray, "n_trees n_nodes"]:
        """Distance :math:`|q(s,a_1)-q(s,a_0)|` of the two contractual values."""
        return np.abs(self.q[..., 1] - self.q[..., 0])


def tree_arrays(
    depth: int, seed: int
) -> tuple[Float[np.ndarray, " n_nodes"], Float[np.ndarray, " n_nodes"]]:
    r"""Costs and rewards of a random tree.

    With independent uniform numbers, :math:`c_s=X_1X_2` and :math:`R_s=2Y_1Y_2`, drawn
    as :math:`v\sim U[0,1]`, :math:`c\sim U[0,1-v]`, :math:`v'\sim U[0,2]`, :math:`R\sim
    U[0,2-v']`.

    Parameters
    ----------
    depth : int
        Layers, 1 to 20.
    seed : int
        Of numpy's default generator, 0 or more.

    Returns
    -------
    cost, reward : ndarray, shape (2**depth - 1,)

    Raises
    ------
    ValueError
        A depth out of range.

    Examples
    --------
    >>> cost, reward = tree_arrays(10, 0)
    >>> len(cost), bool(cost.max() < 1), bool(reward.max() < 2)
    (1023, True, True)
    """
    n = _n_nodes(depth)
    rng = np.random.default_rng(seed)
    v = rng.uniform(0, 1, n)
    cost = rng.uniform(0, 1 - v)
    v2 = rng.uniform(0, 2, n)
    return cost, rng.uniform(0, 2 - v2)


def det_arrays(
    depth: int,
) -> tuple[Float[np.ndarray, " n_nodes"], Float[np.ndarray, " n_nodes"]]:
    r"""Costs and rewards without random numbers, from fractional parts.

    With :math:`\{x\}` the fractional part and nodes :math:`s=1,2,\dots` breadth first,

    .. math::
        c_s=\{s(\sqrt5-1)/2\}\{.7548776662466927s\},\qquad
        R_s=2\{s(\sqrt2-1)\}\{s(\sqrt3-1)\}.

    Parameters
    ----------
    depth : int
        Layers, 1 to 20.

    Returns
    -------
    cost, reward : ndarray, shape (2**depth - 1,)
    """
    s = np.arange(1.0, _n_nodes(depth) + 1)
    cost = (0.6180339887498949 * s % 1) * (0.7548776662466927 * s % 1)
    return cost, 2 * (0.41421356237309515 * s % 1) * (0.7320508075688772 * s % 1)


def tree_batch(depth: int, seeds: Sequence[int], p: float = 0.9) -> Trees:
    """Random trees, one a seed.

    Raises
    ------
    ValueError
        No seed, a depth or ``p`` out of range, or more numbers than fit in memory.
    """
    n = _n_nodes(depth)
    if not 0 < len(seeds) <= _MOST_NUMBERS // n:
        raise ValueError(
            f"len(seeds) = {len(seeds)}: expected 1 to {_MOST_NUMBERS // n} trees "
            f"of depth {depth}"
        )
    cost, reward = zip(*(tree_arrays(depth, s) for s in seeds), strict=True)
    return Trees(np.array(cost), np.array(reward), p)


def by_steps_to_go(
    values: Sequence[float] | Float[np.ndarray, " depth"], depth: int
) -> Float[np.ndarray, " n_nodes"]:
    """Spread one value for each number of steps to go over the nodes.

    ``values[h - 1]`` belongs to the nodes from which h decisions are left, so that
    ``values[0]`` is the last layer's and ``values[-1]`` the root's.

    Examples
    --------
    >>> by_steps_to_go([1.0, 2.0], 2).tolist()
    [2.0, 1.0, 1.0]
    """
    values = np.asarray(values, float)
    if values.shape != (depth,):
        raise ValueError(f"values has shape {values.shape}: expected ({depth},)")
    return np.repeat(values[::-1], 2 ** np.arange(depth))


def expected_pay(
    qbar: Float[np.ndarray, "*batch 2"],
    xi: float | Float[np.ndarray, "*margins"] = 0.0,
    p: float = 0.9,
    observed: bool = False,
) -> Float[np.ndarray, "*batch 2"]:
    r"""Least expected payment for each of two actions.

    .. math::
        \tfrac p{2p-1}[\bar Q(a')-\bar Q(a)+\xi]_+,\qquad\text{observed: }
        [\bar Q(a')-\bar Q(a)+\xi]_+ .

    Parameters
    ----------
    qbar : ndarray, shape (..., 2)
        The agent's truncated values.
    xi : float or ndarray
        Margin, at least 0; broadcast against ``qbar[..., 0]``.
    p : float
        As in :class:`Trees`.
    observed : bool
        Whether the payment is for the action itself.

    Examples
    --------
    >>> expected_pay(np.array([0.4, 0.0]), p=0.9).tolist()
    [0.0, 0.45]
    """
    lacks = qbar[..., ::-1] - qbar + np.asarray(xi)[..., None]
    return np.maximum(lacks, 0.0) * (1.0 if observed else p / (2 * p - 1))


def contracts(
    qbar: Float[np.ndarray, "*batch 2"],
    act: Int[np.ndarray, "*batch"],
    xi: float | Float[np.ndarray, "*margins"] = 0.0,
    p: float = 0.9,
    observed: bool = False,
) -> Float[np.ndarray, "*batch 2"]:
    """Cheapest contracts for given actions: payments at both outcomes.

    Parameters
    ----------
    qbar, xi, p, observed
        As for :func:`expected_pay`.
    act : ndarray of int, shape (...)
        Actions to be implemented.

    Returns
    -------
    ndarray, shape (..., 2)
        At most one of the two payments is above zero, that at outcome ``act``.

    Examples
    --------
    >>> contracts(np.array([0.4, 0.0]), np.array(1), p=0.9).round(9).tolist()
    [0.0, 0.5]
    """
    pay = expected_pay(qbar, xi, p, observed) / (1.0 if observed else p)
    return np.where(np.arange(2) == np.asarray(act)[..., None], pay, 0.0)


def solve(
    trees: Trees,
    xi: float | Float[np.ndarray, "*margins"] = 0.0,
    *,
    observed: bool = False,
    act: Int[np.ndarray, "n_trees n_nodes"] | None = None,
) -> Equilibrium:
    """Subgame-perfect equilibrium by backward induction.

    Parameters
    ----------
    trees : Trees
        Batch of trees.
    xi : float or ndarray
        Margin by which the agent must prefer what is asked, at least 0, in the present
        and in all later contracts: one number, or an array that broadcasts to (n_trees,
        n_nodes), for instance of :func:`by_steps_to_go`.
    observed : bool
        Whether actions are observed, and paid for.
    act : ndarray of int, shape (n_trees, n_nodes), optional
        Recommendations to be implemented in place of the best ones.  With ``xi = 0``
        this is the second mode of :mod:`econlib.contracts.tree_modes`.

    Returns
    -------
    Equilibrium

    Raises
    ------
    ValueError
        A margin that is negative, or recommendations other than 0 and 1.

    Notes
    -----
    Under 1 ms a tree of 1023 nodes.  Equal values go to the free action.

    Examples
    --------
    >>> cost, reward = det_arrays(3)
    >>> found = solve(Trees(cost[None], reward[None]))
    >>> found.act[0].tolist(), found.vp[0, 0].round(6).item()
    ([0, 0, 0, 1, 0, 0, 1], 1.016584)
    """
    shape, p = trees.cost.shape, trees.p
    xi = np.broadcast_to(np.asarray(xi, float), shape)
    if xi.size and not (np.isfinite(xi).all() and xi.min() >= 0):
        raise ValueError(f"xi = {xi.min():g}: expected finite numbers, 0 or more")
    if act is not None and (act.shape != shape or not np.isin(act, (0, 1)).all()):
        raise ValueError(f"act: expected 0 and 1, shape {shape}")
    law = np.array([[p, 1 - p], [1 - p, p]])  # law[a, o]
    va, vp = np.zeros(shape), np.zeros(shape)
    qbar, q = np.zeros((*shape, 2)), np.zeros((*shape, 2))
    chosen = np.zeros(shape, int) if act is None else act.astype(int)
    for layer in reversed(range(trees.depth)):
        now = slice(2**layer - 1, 2 ** (layer + 1) - 1)
        below = slice(now.stop, 2 ** (layer + 2) - 1)
        after = np.zeros((2, shape[0], 2**layer, 2))
        if layer < trees.depth - 1:
            after[0] = va[:, below].reshape(after.shape[1:])
            after[1] = vp[:, below].reshape(after.shape[1:])
        after[1, ..., 1] += trees.reward[:, now]
        worth = after @ law.T
        worth[0, ..., 1] -= trees.cost[:, now]
        pay = expected_pay(worth[0], xi[:, now], p, observed)
        qbar[:, now], q[:, now] = worth[0], worth[1] - pay
        if act is None:
            chosen[:, now] = q[:, now].argmax(axis=-1)
        at = chosen[:, now, None]
        va[:, now] = np.take_along_axis(worth[0] + pay, at, axis=-1)[..., 0]
        vp[:, now] = np.take_along_axis(q[:, now], at, axis=-1)[..., 0]
    b = contracts(qbar, chosen, xi, p, observed)
    return Equilibrium(va, vp, qbar, q, chosen, b)


def welfare_optimum(trees: Trees) -> Float[np.ndarray, "n_trees n_nodes"]:
    r"""Largest welfare from every node on, :math:`W(s)=\max_a\mathbb E[r+r^p+W(s')]`.

    With non-negative costs it is what the principal gets where actions are observed.
    """
    return _plain(trees, True)


def no_contract(trees: Trees) -> Float[np.ndarray, "n_trees n_nodes"]:
    """The principal's value where nothing is ever paid: the free action throughout."""
    return _plain(trees, False)


def _plain(trees: Trees, choose: bool) -> Float[np.ndarray, "n_trees n_nodes"]:
    """Value of the better action, or of the free one, without payments."""
    p, value = trees.p, np.zeros(trees.cost.shape)
    for layer in reversed(range(trees.depth)):
        now = slice(2**layer - 1, 2 ** (layer + 1) - 1)
        left, right = np.zeros_like(value[:, now]), trees.reward[:, now]
        if layer < trees.depth - 1:
            below = value[:, now.stop : 2 ** (layer + 2) - 1]
            left, right = below[:, ::2], right + below[:, 1::2]
        free = p * left + (1 - p) * right
        costly = (1 - p) * left + p * right - trees.cost[:, now]
        value[:, now] = np.maximum(free, costly) if choose else free
    return value


def _n_nodes(depth: int) -> int:
    if not 1 <= depth <= 20:
        raise ValueError(f"depth = {depth}: expected an integer, 1 to 20 (memory)")
    return 2**depth - 1
