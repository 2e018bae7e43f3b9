r"""Child stationarity, exactly.

Fix the traverser :math:`i`.  After action :math:`a` at infostate :math:`s`, chance and
the other player move until :math:`i` acts again at :math:`h'` or the game ends with
reward :math:`r`:

.. math::

   p_\pi(h'\mid s,a)=\frac{\rho_{-i}(h')}{\sum_{g}\rho_{-i}(g)},\qquad
   \rho_{-i}(h)=\prod_{\text{moves of chance and the other on the way to }h}
   \sigma_c,\pi_{-i},

the sum being over all such :math:`g` below :math:`(s,a)`.  The pair is *child
stationary* for every policy if that law is the same for all of them.  The law is a
ratio of polynomials in :math:`\pi_{-i}`: if it is the same for a few policies drawn at
random, it is the same for all, with probability one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from econlib.abcs.sequence_form import depths
from econlib.abcs.tree import CHANCE, DECISION, TERMINAL, FlatTree

__all__ = ["Children", "child_distribution", "children", "stationary_oracle"]


@dataclass(frozen=True)
class Children:
    """Next own histories and ends below each pair (infostate, action).

    Attributes
    ----------
    tree : FlatTree
        The game.
    node : ndarray of int, shape (n_children,)
        History at which the owner of the pair acts again, or which ends the game.
    pair : ndarray of int, shape (n_children,)
        ``infostate * max_actions + action``.
    label : ndarray of int, shape (n_children,)
        The history, or a number of its own for each reward where the game ended.
    """

    tree: FlatTree
    node: Int[np.ndarray, " n_children"]
    pair: Int[np.ndarray, " n_children"]
    label: Int[np.ndarray, " n_children"]

    def laws(
        self, policy: Float[np.ndarray, "n_infosets n_actions"]
    ) -> tuple[Int[np.ndarray, " n_laws"], Int[np.ndarray, " n_laws"], np.ndarray]:
        """Pair, label and probability of all labels, in the order of pair and label.

        Where the other player never lets a pair be reached, its law is not a number.
        """
        policy = self.tree.check_policy(policy)
        own = self.tree.owner[self.pair // self.tree.max_actions]
        weight = _reach(self.tree, policy)[own, self.node]
        top = int(self.label.max()) + 1
        keys, where = np.unique(self.pair * top + self.label, return_inverse=True)
        mass = np.bincount(where, weight)
        pair = keys // top
        total = np.bincount(pair, mass, minlength=int(pair.max()) + 1)
        with np.errstate(invalid="ignore"):
            return pair, keys % top, mass / total[pair]


def _reach(tree: FlatTree, policy: np.ndarray) -> np.ndarray:
    """Reach of each history by everyone but player 0, and everyone but player 1."""
    reach = np.ones((2, tree.n_nodes))
    for low, high in depths(tree):
        h = np.arange(low, high)
        up = tree.parent[h]
        reach[:, h] = reach[:, up] * tree.chance[h]
        moved = tree.kind[up] == DECISION
        a = (h - tree.first_child[up])[moved]
        played = policy[tree.infoset[up[moved]], a]
        other = 1 - tree.player[up[moved]]
        reach[other, h[moved]] *= played
    return reach


def children(tree: FlatTree) -> Children:
    """Find what follows each pair; one pass over the tree."""
    last = np.full((2, tree.n_nodes), -1)
    for low, high in depths(tree):
        h = np.arange(low, high)
        up = tree.parent[h]
        last[:, h] = last[:, up]
        moved = tree.kind[up] != CHANCE
        a = (h - tree.first_child[up])[moved]
        pair = tree.infoset[up[moved]] * tree.max_actions + a
        last[tree.player[up[moved]], h[moved]] = pair
    end = tree.kind == TERMINAL
    _, reward = np.unique(tree.utility, return_inverse=True)
    label = np.where(end, tree.n_nodes + reward, np.arange(tree.n_nodes))
    node, pair = [], []
    for i in (0, 1):
        # above a decision of player i, ``last`` is that of the action before it
        h = np.flatnonzero((last[i] >= 0) & (end | (tree.player == i)))
        node.append(h)
        pair.append(last[i, h])
    node, pair = np.concatenate(node), np.concatenate(pair)
    return Children(tree, node, pair, label[node])


def child_distribution(
    tree: FlatTree,
    policy: Float[np.ndarray, "n_infosets n_actions"],
    infoset: int,
    action: int,
) -> dict[int, float]:
    r"""Law :math:`p_\pi(\cdot\mid s,a)` by label.

    Parameters
    ----------
    tree : FlatTree
        The game.
    policy : ndarray, shape (n_infosets, n_actions)
        Of both players; the owner's own moves do not matter.
    infoset, action : int
        The pair.

    Returns
    -------
    dict of int to float
        Probability of each next history, or of ``n_nodes`` and more for rewards.
    """
    if not (0 <= infoset < tree.n_infosets and 0 <= action < tree.n_actions[infoset]):
        raise ValueError(f"infoset = {infoset}, action = {action}: no such pair")
    pair, label, p = children(tree).laws(policy)
    mine = pair == infoset * tree.max_actions + action
    return dict(zip(label[mine].tolist(), p[mine].tolist(), strict=True))


def stationary_oracle(
    tree: FlatTree, n_probe: int = 8, seed: int = 0, tolerance: float = 1e-9
) -> Bool[np.ndarray, "n_infosets n_actions"]:
    """Tell which pairs are child stationary for every policy.

    Parameters
    ----------
    tree : FlatTree
        The game.
    n_probe : int
        Random policies with full support that are compared, 2 or more.
    seed : int
        Of those policies.
    tolerance : float
        Largest difference of two probabilities that count as the same, positive.

    Returns
    -------
    ndarray of bool, shape (n_infosets, n_actions)
        True where stationary; illegal actions are False.

    Examples
    --------
    >>> from econlib.abcs.tree import kuhn
    >>> int(stationary_oracle(kuhn()).sum())
    12
    """
    if n_probe < 2:
        raise ValueError(f"n_probe = {n_probe}: expected an integer, 2 or more")
    rng = np.random.default_rng(seed)
    below = children(tree)
    moved = np.zeros(tree.n_infosets * tree.max_actions, dtype=bool)
    pair, _, base = below.laws(tree.random_policy(rng))
    for _ in range(n_probe - 1):
        _, _, p = below.laws(tree.random_policy(rng))
        moved[pair[np.abs(p - base) > tolerance]] = True
    return ~moved.reshape(-1, tree.max_actions) & tree.legal
