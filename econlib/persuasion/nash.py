r"""Exact equilibria that can be listed: reveal a cell, and let somebody speak in it.

All senders reveal the same partition :math:`\Pi` of the states.  Whatever one of them
does, the others still tell the cell, so that the game falls apart into one smaller game
for each cell :math:`C`, with prior :math:`\mu|_C`, and

.. math::

   \text{gain}_i(\pi)=\sum_{C\in\Pi}\mu(C)\,\text{gain}_i(\pi|_C).

Equilibria of the cells' games can be put together at will.  In a cell either nobody
says more, or one sender follows the rule that he would choose alone, or replies in turn
from random rules have come to rest; each is kept if no sender gains by any rule with
any number of signals, ties going to him.  The rule of a lone speaker makes the receiver
indifferent; she is to prefer what she does by a margin, so that no tie decides, and
equilibria hold up to a tolerance of that order.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from econlib.persuasion.best_response import reply_by_integers
from econlib.persuasion.cones import gains_by_any_rule
from econlib.persuasion.games import PersuasionGame, random_rules, utilities
from econlib.persuasion.partitions import set_partitions
from econlib.persuasion.polishing import replies_in_turn

__all__ = ["ExactEquilibrium", "cell_equilibria", "exact_equilibria", "frontier"]

#: By how much the receiver prefers what she does, in her mean payoff.
_MARGIN = 1e-6


@dataclass(frozen=True)
class ExactEquilibrium:
    """A profile that nobody gains by leaving, up to a tolerance.

    Attributes
    ----------
    cells : tuple of tuple of int
        States among which all senders tell.
    speakers : tuple of str
        What happens in each cell: ``"nobody"``, ``"sender 0"`` and so on, or ``"all"``.
    rules : tuple of ndarray, shape (n_states, n_signals)
        The profile; signals of different cells differ.
    utilities : ndarray, shape (n_senders,)
        Ties to the first action.
    gain : float
        Largest exact gain of a sender by any rule.
    """

    cells: tuple[tuple[int, ...], ...]
    speakers: tuple[str, ...]
    rules: tuple[np.ndarray, ...]
    utilities: Float[np.ndarray, " n_senders"]
    gain: float


def cell_equilibria(
    game: PersuasionGame,
    *,
    n_starts: int = 0,
    tolerance: float = 1e-5,
    seed: int = 0,
) -> list[ExactEquilibrium]:
    """Equilibria of a game in which nobody, one sender, or all of them speak.

    Parameters
    ----------
    game : PersuasionGame
        Such as that of one cell.
    n_starts : int
        Random profiles from which replies in turn are tried, 0 or more.
    tolerance : float
        Largest gain, above 0.
    seed : int
        Of the starts.

    Returns
    -------
    list of ExactEquilibrium
        With one cell each; empty where there is none of the kind.
    """
    if not tolerance > 0 or n_starts < 0:
        raise ValueError(
            f"tolerance, n_starts = {tolerance}, {n_starts}: expected a number above "
            "0, and 0 or more"
        )
    n, m = game.n_senders, game.n_states
    silent = [np.ones((m, 1))] * n
    tried = [("nobody", silent)]
    if m > 1:
        for i in range(n):
            alone = reply_by_integers(
                game, silent, i, n_signals=game.n_actions, margin=_MARGIN
            )
            used = alone.rule.max(axis=0) > 1e-9
            if used.sum() > 1:
                speaks = [*silent[:i], alone.rule[:, used], *silent[i + 1 :]]
                tried.append((f"sender {i}", speaks))
        rng = np.random.default_rng(seed)
        for _ in range(n_starts):
            rules, moves = replies_in_turn(game, random_rules(game, m, rng))
            if moves[-1] == 0:
                tried.append(("all", rules))
    cells = (tuple(range(m)),)
    found = []
    for speaker, rules in tried:
        pay = utilities(game, rules)
        gain = float(gains_by_any_rule(game, rules).max())
        if gain <= tolerance:
            found.append(ExactEquilibrium(cells, (speaker,), tuple(rules), pay, gain))
    return found


def exact_equilibria(
    game: PersuasionGame,
    *,
    n_starts: int = 0,
    tolerance: float = 1e-5,
    max_listed: int = 5000,
    seed: int = 0,
) -> list[ExactEquilibrium]:
    """Equilibria made of a partition and of an equilibrium in each of its cells.

    Parameters
    ----------
    game : PersuasionGame
        With two senders or more, and at most 7 states.
    n_starts : int
        Of replies in turn in each cell, 0 or more.
    tolerance : float
        Largest gain in a cell, above 0; a whole gain is their mean.
    max_listed : int
        At which the enumeration gives up.
    seed : int
        Of the starts.

    Returns
    -------
    list of ExactEquilibrium
        Full revelation among them, by welfare, downwards.

    Raises
    ------
    ValueError
        One sender, more states, or more equilibria than ``max_listed``, with their
        number.
    """
    if game.n_senders < 2:
        raise ValueError("n_senders = 1: expected 2 or more; see one_sender")
    if game.n_states > 7:
        raise ValueError(
            f"n_states = {game.n_states}: expected at most 7, or games of "
            f"{2**game.n_states - 1} cells would be solved"
        )
    options = {"n_starts": n_starts, "tolerance": tolerance, "seed": seed}
    within = {
        cell: _distinct(cell_equilibria(_part(game, cell), **options))
        for size in range(1, game.n_states + 1)
        for cell in itertools.combinations(range(game.n_states), size)
    }
    ways = [
        (cells, int(np.prod([len(within[cell]) for cell in cells])))
        for cells in set_partitions(game.n_states)
    ]
    total = sum(n for _, n in ways)
    if total > max_listed:
        raise ValueError(
            f"{total} equilibria: expected at most max_listed = {max_listed}; fewer "
            "states, senders or starts"
        )
    found = [
        _joined(game, cells, plays)
        for cells, _ in ways
        for plays in itertools.product(*(within[cell] for cell in cells))
    ]
    return sorted(found, key=lambda e: -e.utilities.sum())


def frontier(found: list[ExactEquilibrium]) -> list[ExactEquilibrium]:
    """Those that no other one dominates by more than rounding."""
    pay = np.array([e.utilities for e in found])
    kept = []
    for e in found:
        more = pay - e.utilities
        if not ((more >= -1e-7).all(axis=1) & (more > 1e-6).any(axis=1)).any():
            kept.append(e)
    return kept


def _part(game: PersuasionGame, cell: tuple[int, ...]) -> PersuasionGame:
    """The game when the receiver knows the cell; one state counts twice."""
    rows = list(cell) if len(cell) > 1 else [cell[0], cell[0]]
    prior = game.prior[rows]
    return PersuasionGame(
        prior / prior.sum(), game.receiver[rows], game.senders[:, rows]
    )


def _distinct(found: list[ExactEquilibrium]) -> list[ExactEquilibrium]:
    """One of each payoff, the first."""
    kept: list[ExactEquilibrium] = []
    for e in found:
        if all(np.abs(e.utilities - f.utilities).max() > 1e-6 for f in kept):
            kept.append(e)
    return kept


def _joined(
    game: PersuasionGame,
    cells: tuple[tuple[int, ...], ...],
    plays: tuple[ExactEquilibrium, ...],
) -> ExactEquilibrium:
    """One profile of the whole game from one of each cell."""
    rules = []
    for i in range(game.n_senders):
        blocks = [
            play.rules[i][: len(cell)] for cell, play in zip(cells, plays, strict=True)
        ]
        rule = np.zeros((game.n_states, sum(b.shape[1] for b in blocks)))
        first = 0
        for cell, block in zip(cells, blocks, strict=True):
            rule[list(cell), first : first + block.shape[1]] = block
            first += block.shape[1]
        rules.append(rule)
    mass = np.array([game.prior[list(cell)].sum() for cell in cells])
    return ExactEquilibrium(
        cells,
        tuple(play.speakers[0] for play in plays),
        tuple(rules),
        utilities(game, rules),
        float(max(0.0, mass @ [play.gain for play in plays])),
    )
