r"""Values of games in exact arithmetic: a certificate without rounding.

A program's policy is rounded to rationals :math:`x,y` that obey the constraints
exactly, and both best responses are computed in rational arithmetic, so that

.. math::

   \min_{y'}u(x,y')\;\le\;v\;\le\;\max_{x'}u(x',y)

holds without any tolerance.  Where both ends are the same, that is the value.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float

from econlib.abcs.sequence_form import SequenceForm, depths
from econlib.abcs.tree import CHANCE, DECISION, TERMINAL, FlatTree

__all__ = ["ExactBounds", "bracket", "exact_bounds"]


@dataclass(frozen=True)
class ExactBounds:
    """A bracket of a game's value to player 1.

    Attributes
    ----------
    lower : fractions.Fraction
        What the rounded policy of player 1 is sure to get.
    upper : fractions.Fraction
        What the rounded policy of player 2 holds player 1 to.
    largest_change : float
        Largest change of a probability by rounding.
    """

    lower: Fraction
    upper: Fraction
    largest_change: float

    @property
    def gap(self) -> Fraction:
        """``upper - lower``; zero where the value is proved."""
        return self.upper - self.lower


def exact_bounds(
    form: SequenceForm,
    policy: Float[np.ndarray, "n_infosets n_actions"],
    max_denominator: int = 10_000,
) -> ExactBounds:
    """Bracket the value by best responses to a rounded policy, in rationals.

    Parameters
    ----------
    form : SequenceForm
        The game; its probabilities and utilities are read as the nearest rationals
        with denominators up to a million.
    policy : ndarray, shape (n_infosets, n_actions)
        Near an equilibrium, such as a linear program's.
    max_denominator : int
        Of a rounded probability, 1 or more.

    Returns
    -------
    ExactBounds
        Both ends, exactly.

    Raises
    ------
    ValueError
        A bad policy or denominator, or chances whose rationals do not sum to one.

    Notes
    -----
    Cost is linear in the number of nodes, about 5 microseconds each.

    Examples
    --------
    >>> from econlib.abcs.equilibrium import solve_zero_sum
    >>> from econlib.abcs.sequence_form import sequence_form
    >>> from econlib.abcs.tree import kuhn
    >>> form = sequence_form(kuhn())
    >>> found = exact_bounds(form, solve_zero_sum(form).policy)
    >>> found.lower, found.upper
    (Fraction(-1, 18), Fraction(-1, 18))
    """
    if max_denominator < 1:
        raise ValueError(
            f"max_denominator = {max_denominator}: expected an integer, 1 or more"
        )
    tree = form.tree
    policy = tree.check_policy(policy)
    rows = [
        _rounded(row[:n], max_denominator)
        for row, n in zip(policy, tree.n_actions, strict=True)
    ]
    change = max(
        abs(float(p) - q)
        for row, old in zip(rows, policy, strict=True)
        for p, q in zip(row, old, strict=False)
    )
    ends = _weighted_ends(tree, rows)
    upper = _answer(form, 0, ends[1], 1)
    lower = -_answer(form, 1, ends[0], -1)
    return ExactBounds(lower, upper, change)


def bracket(
    form: SequenceForm,
    policy: Float[np.ndarray, "n_infosets n_actions"],
    denominators: tuple[int, ...] = (10**3, 10**6),
) -> ExactBounds:
    """Best of :func:`exact_bounds` at several denominators, each end by itself.

    Small ones find policies that are simple fractions, large ones come near others.
    """
    found = [exact_bounds(form, policy, d) for d in denominators]
    return ExactBounds(
        max(b.lower for b in found),
        min(b.upper for b in found),
        max(b.largest_change for b in found),
    )


def _rounded(row: np.ndarray, most: int) -> list[Fraction]:
    """Rationals near a law that sum to one; the largest takes what is left over."""
    parts = [max(Fraction(p).limit_denominator(most), Fraction(0)) for p in row]
    top = int(np.argmax(row))
    parts[top] = 1 - sum(parts[:top], Fraction(0)) - sum(parts[top + 1 :], Fraction(0))
    return parts


def _weighted_ends(
    tree: FlatTree, rows: list[list[Fraction]]
) -> tuple[dict[int, Fraction], dict[int, Fraction]]:
    """Reach by chance and one player, times utility, of each end it lets happen."""
    found = []
    for i in (0, 1):
        reach = {0: Fraction(1)}
        for low, high in [(0, 1), *depths(tree)]:
            for h in range(low, high):
                mass = reach.get(h)
                if mass is None or tree.kind[h] == TERMINAL:
                    continue
                first, n = int(tree.first_child[h]), int(tree.n_children[h])
                if tree.kind[h] == CHANCE:
                    law = _chances(tree, h)
                elif tree.player[h] == i:
                    law = rows[tree.infoset[h]]
                else:
                    law = [Fraction(1)] * n
                for k, p in enumerate(law):
                    if p:
                        reach[first + k] = mass * p
        found.append(
            {
                h: p * Fraction(float(tree.utility[h])).limit_denominator(10**6)
                for h, p in reach.items()
                if tree.kind[h] == TERMINAL
            }
        )
    return found[0], found[1]


def _chances(tree: FlatTree, h: int) -> list[Fraction]:
    first, n = int(tree.first_child[h]), int(tree.n_children[h])
    law = [
        Fraction(float(p)).limit_denominator(10**6)
        for p in tree.chance[first : first + n]
    ]
    if sum(law) != 1:
        raise ValueError(f"{tree.name}: chance node {h}: rationals do not sum to one")
    return law


def _answer(
    form: SequenceForm, player: int, ends: dict[int, Fraction], sign: int
) -> Fraction:
    """Value of the best response of a player to the weighted ends of the other."""
    tree = form.tree
    total: dict[tuple[int, int], Fraction] = {}
    last = _last_sequence(tree, player)
    for h, gain in ends.items():
        total[last[h]] = total.get(last[h], Fraction(0)) + sign * gain
    for s in reversed(form.infosets[player]):
        each = [total.get((int(s), a), Fraction(0)) for a in range(tree.n_actions[s])]
        above = (int(tree.parent_sequence[s, 0]), int(tree.parent_sequence[s, 1]))
        total[above] = total.get(above, Fraction(0)) + max(each)
    return total.get((-1, -1), Fraction(0))


def _last_sequence(tree: FlatTree, player: int) -> list[tuple[int, int]]:
    """Last own infostate and action above each history; -1, -1 where none."""
    last = [(-1, -1)] * tree.n_nodes
    for h in range(tree.n_nodes):
        own = tree.kind[h] == DECISION and tree.player[h] == player
        first = int(tree.first_child[h])
        for a in range(int(tree.n_children[h])):
            last[first + a] = (int(tree.infoset[h]), a) if own else last[h]
    return last
