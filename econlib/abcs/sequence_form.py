r"""The sequence form: a game tree as one sparse matrix, and what follows from it.

A sequence of player :math:`i` is an infostate with an action, or the empty one.  A
behaviour policy :math:`\pi_i` becomes a realisation plan
:math:`x(s,a)=x(\text{parent}(s))\,\pi_i(a\mid s)`, so that plans are exactly
:math:`\{x\ge0: Ex=e\}`, and player 1 expects

.. math::

   u(\pi)=x^\top M y,\qquad
   M_{pq}=\sum_{h\ \text{terminal},\ (p,q)\ \text{leads to}\ h}\sigma_c(h)\,u(h).

The best response to :math:`y` is one pass over own infostates, the last first, on
:math:`g=My`:

.. math::

   v(s)=\max_a\Big[g(s,a)+\sum_{s':\,\text{parent}(s')=(s,a)}v(s')\Big].
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from econlib.abcs.tree import CHANCE, TERMINAL, FlatTree

__all__ = [
    "SequenceForm",
    "behaviour",
    "best_response",
    "best_response_value",
    "depths",
    "expected_value",
    "exploitability",
    "nash_conv",
    "plan",
    "sequence_form",
]


@dataclass(frozen=True)
class SequenceForm:
    """A game in sequence form; infostates of a player in an order that parents lead.

    Attributes
    ----------
    tree : FlatTree
        What it was made from.
    payoffs : csr_matrix, shape (n_sequences[0], n_sequences[1])
        :math:`M`, to player 1.
    infosets : tuple of ndarray, shapes (n_own,)
        Infostates of each player, in the tree's numbering.
    start : tuple of ndarray, shapes (n_own + 1,)
        First sequence of each own infostate; sequence 0 is the empty one.
    above : tuple of ndarray, shapes (n_own,)
        Sequence that leads to each own infostate.
    level : tuple of ndarray, shapes (n_own,)
        Own moves before each own infostate.
    """

    tree: FlatTree
    payoffs: sp.csr_matrix
    infosets: tuple
    start: tuple
    above: tuple
    level: tuple

    @property
    def n_sequences(self) -> tuple[int, int]:
        """Sequences of each player, the empty one among them."""
        return self.payoffs.shape

    @cached_property
    def transposed(self) -> sp.csr_matrix:
        """Payoffs of player 2's view, same sign, by rows."""
        return self.payoffs.T.tocsr()

    @cached_property
    def levels(self) -> tuple:
        """For each player, own infostates grouped by level: (members, sequences, cuts).

        ``sequences`` are those of all members in a row, ``cuts`` where each begins.
        """
        grouped = []
        for i in (0, 1):
            rows = []
            for k in range(int(self.level[i].max(initial=-1)) + 1):
                members = np.flatnonzero(self.level[i] == k)
                sizes = np.diff(self.start[i])[members]
                cuts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
                offset = np.repeat(self.start[i][members] - cuts, sizes)
                sequences = np.arange(sizes.sum()) + offset
                rows.append((members, sequences, cuts, sizes))
            grouped.append(rows)
        return tuple(grouped)

    def constraints(self, player: int) -> tuple[sp.csr_matrix, np.ndarray]:
        """Matrix and right-hand side of ``E x = e``; row 0 fixes the empty sequence."""
        start, above = self.start[player], self.above[player]
        n_own, n = len(above), self.n_sequences[player]
        own = np.repeat(np.arange(n_own), np.diff(start)) + 1
        rows = np.concatenate([[0], own, np.arange(n_own) + 1])
        columns = np.concatenate([[0], np.arange(1, n), above])
        data = np.concatenate([[1.0], np.ones(n - 1), -np.ones(n_own)])
        e = np.zeros(n_own + 1)
        e[0] = 1.0
        return sp.csr_matrix((data, (rows, columns)), shape=(n_own + 1, n)), e


def sequence_form(tree: FlatTree) -> SequenceForm:
    """Sequence form of a tree, in one pass over its arrays.

    Parameters
    ----------
    tree : FlatTree
        With perfect recall, which building it has checked.

    Returns
    -------
    SequenceForm
        Payoffs as a sparse matrix; cost linear in the number of nodes.
    """
    infosets, start, above, level = [], [], [], []
    first = np.zeros(tree.n_infosets, dtype=np.int64)
    for i in (0, 1):
        depth = np.full(tree.n_infosets, -1)
        mine = np.flatnonzero(tree.owner == i)
        for s in mine:  # breadth-first numbers: a parent's is smaller
            p = tree.parent_sequence[s, 0]
            depth[s] = 0 if p < 0 else depth[p] + 1
        begin = np.concatenate([[1], 1 + np.cumsum(tree.n_actions[mine])])
        first[mine] = begin[:-1]
        origin = tree.parent_sequence[mine]
        infosets.append(mine)
        start.append(begin)
        level.append(depth[mine])
        above.append(np.where(origin[:, 0] < 0, 0, first[origin[:, 0]] + origin[:, 1]))
    reach = np.ones(tree.n_nodes)
    at = np.zeros((tree.n_nodes, 2), dtype=np.int64)
    for low, high in depths(tree):
        h = np.arange(low, high)
        up = tree.parent[h]
        reach[h] = reach[up] * tree.chance[h]
        at[h] = at[up]
        moved = tree.kind[up] != CHANCE
        a = h - tree.first_child[up]
        for i in (0, 1):
            own = moved & (tree.player[up] == i)
            at[h[own], i] = first[tree.infoset[up[own]]] + a[own]
    end = np.flatnonzero(tree.kind == TERMINAL)
    shape = (int(start[0][-1]), int(start[1][-1]))
    payoffs = sp.csr_matrix(
        (reach[end] * tree.utility[end], (at[end, 0], at[end, 1])), shape=shape
    )
    payoffs.sum_duplicates()
    return SequenceForm(
        tree, payoffs, tuple(infosets), tuple(start), tuple(above), tuple(level)
    )


def depths(tree: FlatTree) -> list[tuple[int, int]]:
    """Ranges of nodes of equal depth, below the root."""
    ranges, low, high = [], 0, 1
    while True:
        inner = np.flatnonzero(tree.n_children[low:high] > 0) + low
        if not len(inner):
            return ranges
        last = inner[-1]
        low, high = high, int(tree.first_child[last] + tree.n_children[last])
        ranges.append((low, high))


def plan(
    form: SequenceForm, policy: Float[np.ndarray, "n_infosets n_actions"], player: int
) -> Float[np.ndarray, " n_sequences"]:
    """Realisation plan of one player's behaviour policy."""
    rows = policy[form.infosets[player]]
    own = form.tree.legal[form.infosets[player]]
    x = np.ones(form.n_sequences[player])
    x[1:] = rows[own]
    for members, sequences, _, sizes in form.levels[player]:
        x[sequences] *= np.repeat(x[form.above[player][members]], sizes)
    return x


def behaviour(
    form: SequenceForm,
    plans: tuple[Float[np.ndarray, " n_rows"], Float[np.ndarray, " n_columns"]],
) -> Float[np.ndarray, "n_infosets n_actions"]:
    """Behaviour policy of two realisation plans, uniform where they never come."""
    policy = form.tree.uniform()
    legal = form.tree.legal
    for i in (0, 1):
        x = np.maximum(plans[i], 0.0)
        mine = form.infosets[i]
        rows = np.zeros((len(mine), policy.shape[1]))
        rows[legal[mine]] = x[1:]
        mass = rows.sum(axis=1)
        came = mass > 1e-12
        policy[mine[came]] = rows[came] / mass[came, None]
    return policy


def best_response(
    form: SequenceForm, gains: Float[np.ndarray, " n_sequences"], player: int
) -> tuple[float, Int[np.ndarray, " n_own"]]:
    r"""Best response of a player whose sequences gain ``gains``.

    Parameters
    ----------
    form : SequenceForm
        The game.
    gains : ndarray, shape (n_sequences,)
        :math:`My` for player 0, :math:`-M^\top x` for player 1.
    player : int
        0 or 1.

    Returns
    -------
    value : float
        What the best response earns.
    actions : ndarray of int, shape (n_own,)
        A best action at each own infostate.
    """
    total = gains.astype(float).copy()
    actions = np.zeros(len(form.above[player]), dtype=np.int64)
    for members, sequences, cuts, sizes in reversed(form.levels[player]):
        best = np.maximum.reduceat(total[sequences], cuts)
        hit = total[sequences] >= np.repeat(best, sizes)
        where = np.flatnonzero(hit)
        group = np.repeat(np.arange(len(members)), sizes)[where]
        _, first = np.unique(group, return_index=True)
        actions[members] = where[first] - cuts
        total += np.bincount(
            form.above[player][members], weights=best, minlength=len(total)
        )
    return float(total[0]), actions


def _checked(form: SequenceForm, policy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    policy = form.tree.check_policy(policy)
    return plan(form, policy, 0), plan(form, policy, 1)


def best_response_value(
    form: SequenceForm, policy: Float[np.ndarray, "n_infosets n_actions"], player: int
) -> float:
    """What the best response of ``player``, 0 or 1, earns against ``policy``."""
    if player not in (0, 1):
        raise ValueError(f"player = {player}: expected 0 or 1")
    x, y = _checked(form, policy)
    gains = form.payoffs @ y if player == 0 else -(form.transposed @ x)
    return _best(form, gains, player)


def _best(form: SequenceForm, gains: np.ndarray, player: int) -> float:
    total = gains.copy()
    above = form.above[player]
    for members, sequences, cuts, _ in reversed(form.levels[player]):
        best = np.maximum.reduceat(total[sequences], cuts)
        total += np.bincount(above[members], weights=best, minlength=len(total))
    return float(total[0])


def expected_value(
    form: SequenceForm, policy: Float[np.ndarray, "n_infosets n_actions"]
) -> float:
    """Player 1's expected utility under a policy of both."""
    x, y = _checked(form, policy)
    return float(x @ (form.payoffs @ y))


def nash_conv(
    form: SequenceForm, policy: Float[np.ndarray, "n_infosets n_actions"]
) -> float:
    """Sum of what both players gain by a best response to ``policy``."""
    x, y = _checked(form, policy)
    return _best(form, form.payoffs @ y, 0) + _best(form, -(form.transposed @ x), 1)


def exploitability(
    form: SequenceForm, policy: Float[np.ndarray, "n_infosets n_actions"]
) -> float:
    r"""Half of :func:`nash_conv`, as OpenSpiel has it.

    .. math::

       \tfrac12\big(\max_xu(x,\bar y)-\min_yu(\bar x,y)\big)

    Examples
    --------
    >>> from econlib.abcs.tree import kuhn
    >>> round(exploitability(sequence_form(kuhn()), kuhn().uniform()), 10)
    0.4583333333
    """
    return nash_conv(form, policy) / 2
