r"""Equilibria in which all senders reveal the same partition of the states.

Whatever one sender does, the others still tell in which cell the state is; he can only
say more inside a cell.  So a partition is an equilibrium exactly if no sender, alone in
a cell :math:`C`, gains by saying anything:

.. math::

   \mathrm{BP}_i(\mu|_C)=\sum_{\omega\in C}\mu(\omega)\,v_i(\omega,a^*(\mu|_C))
   \qquad\forall C,i ,

one small program for each cell and sender.  The finest partition is full revelation.
With fewer than min(states, actions) signals a deviation may not be feasible, and there
may be more equilibria of this kind than are listed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from econlib.persuasion.games import PersuasionGame, check_integer, receiver_actions
from econlib.persuasion.one_sender import one_sender

__all__ = ["PartitionEquilibrium", "partition_equilibria", "set_partitions"]

#: Gains below count as none.
_NOTHING = 1e-9
#: States of whose partitions a list can still be walked through.
_MOST_STATES = 12


@dataclass(frozen=True)
class PartitionEquilibrium:
    """A partition that all senders reveal, and that nobody gains by refining.

    Attributes
    ----------
    cells : tuple of tuple of int
        States that the receiver cannot tell apart.
    utilities : ndarray, shape (n_senders,)
        What the senders have.
    """

    cells: tuple[tuple[int, ...], ...]
    utilities: Float[np.ndarray, " n_senders"]

    def rule(self) -> Float[np.ndarray, "n_states n_cells"]:
        """The rule that every sender follows."""
        n_states = sum(map(len, self.cells))
        rule = np.zeros((n_states, len(self.cells)))
        for s, cell in enumerate(self.cells):
            rule[list(cell), s] = 1.0
        return rule


def set_partitions(n: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    """All partitions of 0..n-1, cells by their smallest member.

    Parameters
    ----------
    n : int
        0 to 12, for 4,213,597 partitions.

    Raises
    ------
    ValueError
        Another number; how many partitions there would be.

    Examples
    --------
    >>> sum(1 for _ in set_partitions(4))
    15
    """
    check_integer("n", n, 0)
    if n > _MOST_STATES:
        raise ValueError(
            f"n = {n}: expected an integer, 0 to {_MOST_STATES}, or {_count(n)} "
            "partitions would be listed"
        )
    return _partitions(n)


def _count(n: int) -> str:
    """How many partitions n states have (Bell's number), for a message."""
    row = [1]
    for _ in range(min(n, 26) - 1):
        row = list(itertools.accumulate(row, initial=row[-1]))
    return f"{row[-1]:,}" + " or more" * (n > 26)


def _partitions(n: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    if n == 0:
        yield ()
        return
    for smaller in _partitions(n - 1):
        yield (*smaller, (n - 1,))
        for k, cell in enumerate(smaller):
            yield (*smaller[:k], (*cell, n - 1), *smaller[k + 1 :])


def partition_equilibria(game: PersuasionGame) -> list[PartitionEquilibrium]:
    """Every partition that is an equilibrium, the finest first.

    Parameters
    ----------
    game : PersuasionGame
        With at least two senders and at most 10 states: 115,975 partitions.

    Returns
    -------
    list of PartitionEquilibrium
        Full revelation among them, by number of cells, downwards.

    Raises
    ------
    ValueError
        One sender, or more states.
    """
    if game.n_senders < 2:
        raise ValueError("n_senders = 1: expected 2 or more; see one_sender")
    if game.n_states > 10:
        raise ValueError(
            f"n_states = {game.n_states}: expected at most 10, or "
            f"{_count(game.n_states)} partitions would be listed"
        )
    known: dict[tuple[int, ...], np.ndarray | None] = {}

    def silent(cell: tuple[int, ...]) -> np.ndarray | None:
        """Utilities of saying nothing in a cell, None where somebody would speak."""
        if cell not in known:
            part = np.zeros(game.n_states)
            part[list(cell)] = game.prior[list(cell)]
            action = receiver_actions(game, part[None])[0]
            have = game.senders[:, :, action] @ part
            rows = list(cell)
            known[cell] = have
            for i, v in enumerate(game.senders):
                could = one_sender(game.prior[rows], game.receiver[rows], v[rows])
                if could.value > have[i] + _NOTHING:
                    known[cell] = None
                    break
        return known[cell]

    found = []
    for cells in set_partitions(game.n_states):
        parts = [silent(cell) for cell in cells]
        if all(part is not None for part in parts):
            found.append(PartitionEquilibrium(cells, np.sum(parts, axis=0)))
    return sorted(found, key=lambda e: (-len(e.cells), e.cells))
