r"""Censuses: how often a rule can be manipulated, and which rules cannot be.

A profile is manipulable where some voter :math:`i` with ranking :math:`P_i` has a
misreport :math:`P_i'` with :math:`f(P_i',P_{-i})` above :math:`f(P)` in :math:`P_i`.
With all :math:`(m!)^n` profiles in one array, a misreport is a step along axis
:math:`i`.

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
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from pysat.solvers import Solver

__all__ = [
    "IIACensus",
    "LineCensus",
    "Manipulability",
    "StrategyProofCensus",
    "all_profiles",
    "iia_census",
    "iia_count",
    "line_manipulability",
    "manipulability",
    "sampled_line_manipulability",
    "sampled_manipulability",
    "strategyproof_census",
    "strategyproof_count",
]

#: Most profiles that are listed one by one.
MOST_PROFILES = 2_000_000
#: Most rules that a census lists.
MOST_RULES = 20_000
#: Numbers of monotone Boolean functions of 0 to 6 variables.
DEDEKIND = (2, 3, 6, 20, 168, 7581, 7_828_354)


@dataclass(frozen=True)
class Manipulability:
    """How many profiles some voter can gain from misreporting at.

    Attributes
    ----------
    n_profiles : int
        Profiles looked at: all, or the sample.
    profiles : int
        Those where somebody gains.
    pairs : int
        Pairs of a profile and a voter who gains.
    """

    n_profiles: int
    profiles: int
    pairs: int

    @property
    def share(self) -> float:
        """Share of manipulable profiles."""
        return self.profiles / self.n_profiles

    @property
    def share_se(self) -> float:
        """Standard error of the share, for a sample."""
        return math.sqrt(self.share * (1 - self.share) / self.n_profiles)


@dataclass(frozen=True)
class LineCensus(Manipulability):
    """The same for a rule on the line, with its distance from the lower median.

    Attributes
    ----------
    off_median : int
        Profiles with another outcome than the lower median.
    largest_gap : float
        Largest distance from it.
    largest_gain : float
        Most that a voter gains from a misreport.
    """

    off_median: int
    largest_gap: float
    largest_gain: float


def _counts(n: int, m: int) -> None:
    """ValueError where n voters or m alternatives are none, or too many to list."""
    for name, value in (("n", n), ("m", m)):
        if isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} = {value}: expected an integer of 1 or more")


def all_profiles(n: int, m: int) -> Int[np.ndarray, "n_profiles n m"]:
    """All profiles of strict rankings, the last voter's changing fastest.

    Parameters
    ----------
    n, m : int
        Voters and alternatives, 1 or more, with (m!)^n of at most two million.

    Examples
    --------
    >>> all_profiles(3, 3).shape
    (216, 3, 3)
    """
    _counts(n, m)
    if m > 9 or math.factorial(m) ** n > MOST_PROFILES:
        raise ValueError(
            f"n = {n}, m = {m}: (m!)^n profiles, expected at most {MOST_PROFILES}. "
            "Try sampled_manipulability"
        )
    rankings = np.array(list(itertools.permutations(range(m))))
    which = np.indices((len(rankings),) * n).reshape(n, -1).T
    return rankings[which]


def manipulability(rule: Callable, n: int, m: int) -> Manipulability:
    """Count manipulable profiles of an ordinal rule, exhaustively.

    Parameters
    ----------
    rule : callable
        Takes ballots, shape (n_profiles, n, m), and returns the winners.
    n, m : int
        Voters and alternatives, as in :func:`all_profiles`.

    Returns
    -------
    Manipulability

    Raises
    ------
    ValueError
        Too many profiles, or a rule that does not return one winner a profile.

    Examples
    --------
    >>> from econlib.social_design.ballots import borda
    >>> manipulability(borda, 3, 3)
    Manipulability(n_profiles=216, profiles=51, pairs=60)
    """
    ballots = all_profiles(n, m)
    k = math.factorial(m)
    winners = _winners(rule, ballots).reshape((k,) * n)
    places = np.argsort(ballots[:k, -1] if n > 1 else ballots[:, 0], axis=1)
    gains = np.zeros((n, *winners.shape), dtype=bool)
    for i in range(n):
        reported = np.moveaxis(winners, i, 0)
        found = np.moveaxis(gains[i], i, 0)
        for truth in range(k):
            place = places[truth][reported]
            found[truth] = place.min(axis=0) < place[truth]
    return Manipulability(winners.size, int(gains.any(axis=0).sum()), int(gains.sum()))


def _winners(rule: Callable, ballots: np.ndarray) -> np.ndarray:
    found = np.asarray(rule(ballots))
    m = ballots.shape[-1]
    good = found.shape == ballots.shape[:-2] and ((found >= 0) & (found < m)).all()
    if not good:
        raise ValueError(f"rule: expected one winner of 0 to {m - 1} for each profile")
    return found


def sampled_manipulability(
    rule: Callable, n: int, m: int, n_samples: int, rng: np.random.Generator
) -> Manipulability:
    """The same for random profiles, all rankings equally likely, with all misreports.

    Parameters
    ----------
    rule : callable
        As for :func:`manipulability`.
    n, m : int
        Voters, 1 or more, and alternatives, 1 to 6.
    n_samples : int
        Profiles, 1 or more.
    rng : numpy.random.Generator
        Of the profiles.

    Returns
    -------
    Manipulability
    """
    _counts(n, m)
    if m > 6 or n_samples < 1:
        raise ValueError(
            f"m = {m}, n_samples = {n_samples}: expected m of at most 6, since all m! "
            "misreports are tried, and at least one sample"
        )
    ballots = rng.permuted(np.tile(np.arange(m), (n_samples, n, 1)), axis=-1)
    places, rows = np.argsort(ballots, axis=-1), np.arange(n_samples)
    honest = _winners(rule, ballots)
    gains = np.zeros((n_samples, n), dtype=bool)
    for i in range(n):
        at_truth = places[rows, i, honest]
        for lie in itertools.permutations(range(m)):
            changed = ballots.copy()
            changed[:, i] = lie
            gains[:, i] |= places[rows, i, _winners(rule, changed)] < at_truth
    return Manipulability(n_samples, int(gains.any(axis=1).sum()), int(gains.sum()))


def line_manipulability(
    rule: Callable, n: int, grid: Float[np.ndarray, " n_levels"]
) -> LineCensus:
    r"""Count manipulable profiles of a rule on the line, exhaustively on a grid.

    Voters report peaks and lose :math:`|x-\mathrm{peak}|`; misreports are levels of the
    grid.

    Parameters
    ----------
    rule : callable
        Takes reports, shape (n_profiles, n), and returns the outcomes.
    n : int
        Voters, 1 or more, with n_levels^n of at most two million.
    grid : ndarray, shape (n_levels,)
        Levels of peaks and reports, increasing.

    Returns
    -------
    LineCensus

    Raises
    ------
    ValueError
        A grid that does not increase, or too many profiles.
    """
    _counts(n, 1)
    grid = np.asarray(grid, dtype=float)
    if grid.ndim != 1 or grid.size == 0 or (np.diff(grid) <= 0).any():
        raise ValueError(f"grid = {grid}: expected increasing levels")
    k = len(grid)
    if k**n > MOST_PROFILES:
        raise ValueError(
            f"n = {n}, {k} levels: {k}^{n} profiles, expected at most {MOST_PROFILES}. "
            "Try sampled_line_manipulability"
        )
    reports = grid[np.indices((k,) * n).reshape(n, -1).T]
    outcomes = np.asarray(rule(reports), dtype=float)
    table = outcomes.reshape((k,) * n)
    gains = np.zeros((n, *table.shape))
    for i in range(n):
        reported, found = np.moveaxis(table, i, 0), np.moveaxis(gains[i], i, 0)
        for truth in range(k):
            loss = np.abs(reported - grid[truth])
            found[truth] = loss[truth] - loss.min(axis=0)
    return _line_census(reports, outcomes, gains.reshape(n, -1))


def sampled_line_manipulability(
    rule: Callable,
    n: int,
    grid: Float[np.ndarray, " n_levels"],
    n_samples: int,
    rng: np.random.Generator,
) -> LineCensus:
    """The same for peaks drawn evenly from [0, 1], with misreports on the grid.

    Parameters are those of :func:`line_manipulability`, and ``n_samples`` profiles of 1
    or more, drawn by ``rng``.
    """
    _counts(n, 1)
    if n_samples < 1:
        raise ValueError(f"n_samples = {n_samples}: expected an integer of 1 or more")
    peaks = rng.random((n_samples, n))
    outcomes = np.asarray(rule(peaks), dtype=float)
    gains = np.zeros((n, n_samples))
    for i in range(n):
        loss = np.abs(outcomes - peaks[:, i])
        for lie in np.asarray(grid, dtype=float):
            changed = peaks.copy()
            changed[:, i] = lie
            gain = loss - np.abs(rule(changed) - peaks[:, i])
            gains[i] = np.maximum(gains[i], gain)
    return _line_census(peaks, outcomes, gains)


def _line_census(
    reports: np.ndarray, outcomes: np.ndarray, gains: np.ndarray
) -> LineCensus:
    n = reports.shape[1]
    gap = np.abs(outcomes - np.sort(reports, axis=1)[:, (n - 1) // 2])
    return LineCensus(
        n_profiles=len(reports),
        profiles=int((gains > 1e-9).any(axis=0).sum()),
        pairs=int((gains > 1e-9).sum()),
        off_median=int((gap > 1e-9).sum()),
        largest_gap=float(gap.max()),
        largest_gain=float(gains.max()),
    )


@dataclass(frozen=True)
class StrategyProofCensus:
    """All strategy-proof rules for n voters and m alternatives.

    Attributes
    ----------
    rules : ndarray of int, shape (n_rules, n_profiles)
        Winner of each rule at each profile, in the order of :func:`all_profiles`.
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
    _counts(n, m)
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
        as :data:`MOST_RULES`: (5, 2), (4, 3), (2, 4) are within.

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
    _counts(n, m)
    big = m > 5 or n > 5 or math.factorial(m) ** n > 1500
    if big or strategyproof_count(n, m) > MOST_RULES:
        raise ValueError(
            f"n = {n}, m = {m}: too many profiles or rules to list; expected (m!)^n of "
            f"at most 1500 and n of at most 5"
        )
    ballots = all_profiles(n, m)
    k = math.factorial(m)
    rows = np.arange(len(ballots)).reshape((k,) * n)
    rules = _models(_truthful(ballots, rows), len(ballots), m)
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


def _models(
    clauses: Iterator[list[int]], n_rows: int, m: int
) -> Iterator[tuple[int, ...]]:
    """All ways to pick one of m in each row under the clauses."""
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
    _counts(n, 3)
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
