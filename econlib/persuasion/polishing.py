"""Exact replies, one sender after the other: in a box, or any.

A reply in a box improves a profile that something else has found; full replies are
best-response dynamics, which need not come to rest.  The receiver is to prefer what she
does by a margin, so that a profile does not hang on how ties are broken, and a reply
counts for what it earns with ties to the first action.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from econlib.persuasion.best_response import reply_by_integers
from econlib.persuasion.games import PersuasionGame, check_integer, utilities
from econlib.programs import SolverError

__all__ = ["polish", "replies_in_turn"]


def polish(
    game: PersuasionGame,
    rules: Sequence[Float[np.ndarray, "n_states k"]],
    radius: float = 0.05,
    *,
    n_rounds: int = 6,
    margin: float = 2e-5,
    least: float = 1e-3,
) -> list[np.ndarray]:
    """A profile after exact replies in the box, in turn, while they pay.

    Parameters
    ----------
    game : PersuasionGame
        Prior and payoffs.
    rules : sequence of ndarray, shape (n_states, n_signals)
        Start.
    radius : float
        Of each reply's box; 1 for any reply.
    n_rounds : int
        Turns of each sender at most.
    margin : float
        By which the receiver is to prefer what she does, so that ties play no part.
    least : float
        A reply is taken where it earns more than this, ties to the first action.

    Returns
    -------
    list of ndarray
        The last profile.

    Raises
    ------
    ValueError
        Fewer than one round, or a number out of range.
    SolverError
        A reply that ran out of time, which is not the same as none that pays.
    """
    check_integer("n_rounds", n_rounds)
    rules = [np.array(rule, float) for rule in rules]
    for _ in range(n_rounds):
        moved = False
        for i in range(game.n_senders):
            now = utilities(game, rules)[i]
            try:
                reply = reply_by_integers(game, rules, i, radius=radius, margin=margin)
            except SolverError as error:
                if "Time limit" in str(error):
                    raise
                continue  # no rule in the box keeps the margin
            trial = [*rules[:i], reply.rule, *rules[i + 1 :]]
            if utilities(game, trial)[i] > now + least:
                rules, moved = trial, True
        if not moved:
            break
    return rules


def replies_in_turn(
    game: PersuasionGame,
    rules: Sequence[Float[np.ndarray, "n_states k"]],
    n_rounds: int = 6,
) -> tuple[list[np.ndarray], Int[np.ndarray, " n_rounds"]]:
    """Best-response dynamics: any rule, in turn, with a small margin for obedience.

    Returns
    -------
    list of ndarray
        The last profile.
    ndarray of int, shape (rounds taken,)
        How many senders moved in each round; ends with 0 where the dynamics came to
        rest.

    Raises
    ------
    ValueError
        Fewer than one round.
    SolverError
        A reply that ran out of time.
    """
    check_integer("n_rounds", n_rounds)
    moves = []
    for _ in range(n_rounds):
        after = polish(game, rules, 1.0, n_rounds=1, margin=1e-4, least=1e-5)
        changed = [not np.array_equal(a, b) for a, b in zip(after, rules, strict=True)]
        rules = after
        moves.append(sum(changed))
        if not moves[-1]:
            break
    return list(rules), np.array(moves)
