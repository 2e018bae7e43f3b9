r"""All rules that no voter can manipulate, and all that rank pairs independently.

All strategy-proof rules are the models of one formula.  With :math:`x_{P,a}` for "a
wins at P", exactly one a profile, and for each profile, voter and misreport,

.. math::

   \neg x_{P,b}\lor\neg x_{(P_i',P_{-i}),a}\qquad\text{for each } a\ P_i\ b .

A solver lists them.  Gibbard and Satterthwaite's theorem on each range says how many
there must be: with :math:`M(n)` the number of monotone Boolean functions (Dedekind),

.. math:: m+\binom m2\big(M(n)-2\big)+n\sum_{r\ge3}\binom mr .

Likewise Arrow's: pairwise functions that are transitive at every profile, one Boolean
function of :math:`n` votes a pair.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from pysat.solvers import Solver

from econlib.social_design.census import all_profiles, check_counts

__all__ = [
    "IIACensus",
    "StrategyProofCensus",
    "iia_census",
    "iia_count",
    "models",
    "strategyproof_census",
    "strategyproof_count",
]

#: Most rules that a census lists.
MOST_RULES = 20_000
#: Numbers of monotone Boolean functions of 0 to 6 variables.
DEDEKIND = (2, 3, 6, 20, 168, 7581, 7_828_354)


@dataclass(frozen=True)
class StrategyProofCensus:
    """All strategy-proof rules for n voters and m alternatives.

    Attributes
    ----------
    rules : ndarray of int, shape (n_rules, n_profiles)
        Winner of each rule at each profile, in the order of ``all_profiles``.
    range_sizes : ndarray of int, shape (n_rules,)
        How many alternatives can win.
    dictators : ndarray of bool, shape (n_rules,)
        Whether one voter's first place always wins.
    """

    rules: Int[np.ndarray, "n_rules n_profiles"]
    range_sizes: Int[np.ndarray, " n_rules"]
    dictators: np.ndarray

    def by_range(self) -> dict[int, int]:
        """Number of rules by how many alternatives can win."""
        sizes, counts = np.unique(self.range_sizes, return_counts=True)
        return {int(s): int(c) for s, c in zip(sizes, counts, strict=True)}


def strategyproof_count(n: int, m: int) -> int:
    """Number of strategy-proof rules, by Gibbard and Satterthwaite's theorem.

    Parameters
    ----------
    n : int
        Voters, 1 to 6 (as far as Dedekind's numbers are listed here).
    m : int
        Alternatives, 1 or more.

    Examples
    --------
    >>> strategyproof_count(2, 3), strategyproof_count(3, 3)
    (17, 60)
    """
    check_counts(n, m)
    if n >= len(DEDEKIND):
        raise ValueError(f"n = {n}: expected at most {len(DEDEKIND) - 1} voters")
    wider = sum(math.comb(m, r) for r in range(3, m + 1))
    return m + math.comb(m, 2) * (DEDEKIND[n] - 2) + n * wider


def strategyproof_census(n: int, m: int) -> StrategyProofCensus:
    """List all strategy-proof resolute rules, by a satisfiability solver.

    Parameters
    ----------
    n, m : int
        Voters and alternatives, 1 or more; at most 1500 profiles, and as many rules
        as ``MOST_RULES``: (5, 2), (4, 3), (2, 4) are within.

    Returns
    -------
    StrategyProofCensus

    Raises
    ------
    ValueError
        More profiles or rules than that.

    Examples
    --------
    >>> strategyproof_census(2, 3).by_range()
    {1: 3, 2: 12, 3: 2}
    """
    check_counts(n, m)
    big = m > 5 or n > 5 or math.factorial(m) ** n > 1500
    if big or strategyproof_count(n, m) > MOST_RULES:
        raise ValueError(
            f"n = {n}, m = {m}: too many profiles or rules to list; expected (m!)^n of "
            f"at most 1500 and n of at most 5"
        )
    ballots = all_profiles(n, m)
    k = math.factorial(m)
    rows = np.arange(len(ballots)).reshape((k,) * n)
    rules = models(_truthful(ballots, rows), len(ballots), m)
    found = np.array(sorted(rules))
    sizes = np.array([len(np.unique(rule)) for rule in found])
    first = ballots[:, :, 0]
    dictators = (found[:, :, None] == first).all(axis=1).any(axis=1) & (sizes == m)
    return StrategyProofCensus(found, sizes, dictators)


def _truthful(ballots: np.ndarray, rows: np.ndarray) -> Iterator[list[int]]:
    """Clauses against every profitable misreport; variable of (P, a) is P m + a + 1."""
    n, m = ballots.shape[1:]
    for i in range(n):
        lines = np.moveaxis(rows, i, 0).reshape(rows.shape[0], -1).T
        for line in lines:
            for truth, lie in itertools.permutations(line.tolist(), 2):
                for a, b in itertools.combinations(ballots[truth, i].tolist(), 2):
                    yield [-(truth * m + b + 1), -(lie * m + a + 1)]


def models(
    clauses: Iterator[list[int]], n_rows: int, m: int
) -> Iterator[tuple[int, ...]]:
    """All ways to pick one of ``m`` in each row under some clauses.

    Parameters
    ----------
    clauses : iterator of list of int
        Each a disjunction; the variable of pick ``a`` in row ``r`` is ``r m + a + 1``,
        negative where it is denied.
    n_rows, m : int
        Rows, and choices in each.

    Yields
    ------
    tuple of int, length n_rows
        One pick a row, each way once.

    Examples
    --------
    >>> sorted(models(iter([[-1, -3]]), 2, 2))
    [(0, 1), (1, 0), (1, 1)]
    """
    with Solver(name="glucose4") as solver:
        for row in range(n_rows):
            picks = [row * m + a + 1 for a in range(m)]
            solver.add_clause(picks)
            for a, b in itertools.combinations(picks, 2):
                solver.add_clause([-a, -b])
        for clause in clauses:
            solver.add_clause(clause)
        while solver.solve():
            picked = [v for v in solver.get_model()[: n_rows * m] if v > 0]
            yield tuple((v - 1) % m for v in picked)
            solver.add_clause([-v for v in picked])


@dataclass(frozen=True)
class IIACensus:
    """All independent pairwise rules with a strict ranking at every profile.

    Attributes
    ----------
    n_rules : int
        All of them.
    unanimous : int
        Those that put one alternative above another where all voters do.
    dictators : int
        Those that always return one voter's ranking.
    """

    n_rules: int
    unanimous: int
    dictators: int


def iia_count(n: int) -> int:
    r"""Number of independent rules for three alternatives.

    :math:`6\cdot2^{2^n}-6+2n`: one alternative imposed on top or at the bottom and any
    function of the votes on the other two, and n dictators and their mirror images.

    Examples
    --------
    >>> iia_count(2)
    94
    """
    check_counts(n, 3)
    return 6 * 2 ** (2**n) - 6 + 2 * n


def iia_census(n: int = 2) -> IIACensus:
    r"""List all independent rules for three alternatives, by a satisfiability solver.

    A variable for each pair of alternatives and each of the :math:`2^n` ways to vote on
    it; at no profile may the three pairs form a cycle.

    Parameters
    ----------
    n : int
        Voters, 1 to 3.

    Returns
    -------
    IIACensus

    Raises
    ------
    ValueError
        ``n`` out of range: four voters have 393,218 rules.

    Examples
    --------
    >>> iia_census(2)
    IIACensus(n_rules=94, unanimous=2, dictators=2)
    """
    if isinstance(n, bool) or n not in (1, 2, 3):
        raise ValueError(f"n = {n}: expected an integer, 1 to 3")
    ways = 2**n
    places = np.argsort(all_profiles(n, 3), axis=-1)
    # pairs (0, 1), (1, 2), (2, 0): a cycle is all alike
    votes = places < np.roll(places, -1, axis=-1)
    pattern = (votes * 2 ** np.arange(n)[:, None]).sum(axis=1)
    variables = pattern + ways * np.arange(3) + 1
    everyone = np.array([ways * pair + ways for pair in range(3)])
    nobody = np.array([ways * pair + 1 for pair in range(3)])
    bits = (np.arange(ways)[:, None] >> np.arange(n)) & 1
    counts = [0, 0, 0]
    with Solver(name="glucose4") as solver:
        for row in np.unique(variables, axis=0).tolist():
            solver.add_clause(row)
            solver.add_clause([-v for v in row])
        while solver.solve():
            model = solver.get_model()
            value = np.array(model) > 0
            counts[0] += 1
            counts[1] += bool(value[everyone - 1].all() and not value[nobody - 1].any())
            table = value.reshape(3, ways)
            counts[2] += any((table == bits[:, i]).all() for i in range(n))
            solver.add_clause([-v for v in model])
    return IIACensus(*counts)
