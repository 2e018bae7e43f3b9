r"""Votes on values as games: what a report does once a Principal acts on its outcome.

A voted weight :math:`\sigma` names the objective :math:`W_p`,
:math:`p=\ln\sigma+1`; the Principal chooses the schedule that serves it best; players
get the utilities of that schedule.  So a report moves utilities through

.. math::

   r\ \mapsto\ \sigma=\phi(r)\ \mapsto\ \theta(\sigma)\in\arg\max_\theta
   W_{p(\sigma)}(u(\theta))\ \mapsto\ u_i(\theta(\sigma)),

a step function in :math:`\sigma`.  Voter :math:`i`'s *peak* is the least level of a
grid that is best for her.  A rule is strategy-proof inside the loop where no voter,
whatever the others report, gains by reporting anything but her peak.

Where everyone's utility falls away from the peak on both sides, the anonymous
strategy-proof rules onto :math:`m` outcomes are the medians of the :math:`n` reports
and of :math:`n-1` fixed phantoms, :math:`\binom{n+m-2}{n-1}` of them; on all ranges
together there are

.. math:: \sum_{r=1}^m\binom mr\binom{n+r-2}{n-1},

which :func:`anonymous_census` finds by a satisfiability solver.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from econlib.social_design.impossibility import MOST_RULES, models
from econlib.social_design.rounds import first_best
from econlib.social_design.voting import check_reports
from econlib.social_design.welfare import power_mean, sigma_to_p

__all__ = [
    "AnonymousCensus",
    "LoopCensus",
    "PhantomSearch",
    "anonymous_census",
    "induced_peaks",
    "loop_manipulability",
    "schedule_of_value",
    "search_phantoms",
]

_GAIN = 1e-9  # less is no gain
_MOST_REPORTS = 2_000_000


def schedule_of_value(
    utilities: Float[np.ndarray, "n_schedules n_players"],
    values: Float[np.ndarray, " n_values"],
) -> Int[np.ndarray, " n_values"]:
    """Row of the schedule that an exact Principal chooses for each voted weight.

    Parameters
    ----------
    utilities : ndarray, shape (n_schedules, n_players)
        Finite expected utilities.
    values : ndarray, shape (n_values,)
        Voted weights on oneself, [0, 1].

    Returns
    -------
    ndarray of int, shape (n_values,)
        The first of equal ones (1e-9).

    Examples
    --------
    >>> u = np.array([[1.0, 9.0], [4.0, 4.0]])
    >>> schedule_of_value(u, np.array([0.02, 1.0])).tolist()
    [1, 0]
    """
    distinct, back = np.unique(np.round(values, 12), return_inverse=True)
    exponents = np.atleast_1d(sigma_to_p(distinct))
    rows = [int(first_best(power_mean(utilities, float(p)))) for p in exponents]
    return np.array(rows)[back]


def induced_peaks(
    outcomes: Float[np.ndarray, "n_levels n_players"],
) -> Int[np.ndarray, " n_players"]:
    """Least level that is best (1e-9) for each player, from utilities by level."""
    return (outcomes >= outcomes.max(axis=0) - _GAIN).argmax(axis=0)


@dataclass(frozen=True)
class LoopCensus:
    """How often the truth is no best response inside the loop.

    Attributes
    ----------
    cases, failures : int
        Voters times reports of the others, and those at which some report beats the
        truth by more than 1e-9.
    gain : float
        Largest gain in utility.
    voter : int
        Who has it.
    others : tuple of float
        Reports of the others, in order of size, at which she has it.
    lie, truth_outcome, lie_outcome : float
        Her report there, and the voted weight under her peak and under the report.
    """

    cases: int
    failures: int
    gain: float
    voter: int
    others: tuple[float, ...]
    lie: float
    truth_outcome: float
    lie_outcome: float


def _multisets(k: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Sorted index rows of each multiset, and how many orders it has."""
    listed = list(itertools.combinations_with_replacement(range(k), size))
    rows = np.array(listed, np.int64).reshape(len(listed), size)
    counts = (rows[:, :, None] == np.arange(k)).sum(axis=1)
    orders = [
        math.factorial(size) // math.prod(math.factorial(int(c)) for c in row)
        for row in counts
    ]
    return rows, np.array(orders)


def _grid(grid: object, n: int) -> np.ndarray:
    levels = check_reports(grid, 0.0, 1.0)
    if levels.ndim != 1 or len(levels) < 2 or (np.diff(levels) <= 0).any():
        raise ValueError(f"grid = {grid}: expected 2 or more increasing levels")
    if math.comb(len(levels) + n - 2, n - 1) * len(levels) > _MOST_REPORTS:
        raise ValueError(
            f"grid: {len(levels)} levels and {n} voters make too many reports. Try a "
            "coarser grid"
        )
    return levels


def loop_manipulability(
    rule: Callable[[np.ndarray], np.ndarray],
    utilities: Float[np.ndarray, "n_schedules n_players"],
    grid: Float[np.ndarray, " n_levels"],
) -> LoopCensus:
    """Try every report of every voter against all reports of the others.

    Parameters
    ----------
    rule : callable
        Anonymous: from reports (..., n) to voted weights (...).
    utilities : ndarray, shape (n_schedules, n_players)
        Of every schedule; 2 or more players.
    grid : ndarray, shape (n_levels,)
        Levels that can be reported, increasing in [0, 1].

    Returns
    -------
    LoopCensus
        Each order of the others' reports is a case of its own.

    Raises
    ------
    ValueError
        A grid that does not increase, or over two million reports.
    """
    n = utilities.shape[1]
    levels = _grid(grid, n)
    others, orders = _multisets(len(levels), n - 1)
    k = len(levels)
    reports = np.empty((len(others), k, n))
    reports[:, :, 0], reports[:, :, 1:] = levels, levels[others][:, None]
    voted = np.asarray(rule(reports), float)
    paid = utilities[schedule_of_value(utilities, voted.ravel())].reshape(
        *voted.shape, n
    )
    peaks = induced_peaks(utilities[schedule_of_value(utilities, levels)])
    at_truth = paid[:, peaks, np.arange(n)]
    gains = paid.max(axis=1) - at_truth
    row, voter = np.unravel_index(int(gains.argmax()), gains.shape)
    lie = int(paid[row, :, voter].argmax())
    return LoopCensus(
        cases=n * k ** (n - 1),
        failures=int(((gains > _GAIN) * orders[:, None]).sum()),
        gain=float(max(gains.max(), 0.0)),
        voter=int(voter),
        others=tuple(levels[others[row]].tolist()),
        lie=float(levels[lie]),
        truth_outcome=float(voted[row, peaks[voter]]),
        lie_outcome=float(voted[row, lie]),
    )


@dataclass(frozen=True)
class PhantomSearch:
    """All medians of reports and n - 1 phantoms on a grid.

    Attributes
    ----------
    phantoms : ndarray, shape (n_rules, n_players - 1)
        Phantoms of each rule, increasing.
    failures : ndarray of int, shape (n_rules,)
        As in :class:`LoopCensus`: 0 certifies the rule for these players.
    distance : ndarray, shape (n_rules,)
        Mean distance of the outcome from the mean report, over all profiles of the
        grid.
    """

    phantoms: Float[np.ndarray, "n_rules n_phantoms"]
    failures: Int[np.ndarray, " n_rules"]
    distance: Float[np.ndarray, " n_rules"]

    @property
    def best(self) -> int:
        """The certified rule that is nearest to the mean, -1 where there is none."""
        sound = np.where(self.failures == 0, self.distance, np.inf)
        return int(sound.argmin()) if np.isfinite(sound.min()) else -1


def search_phantoms(
    utilities: Float[np.ndarray, "n_schedules n_players"],
    grid: Float[np.ndarray, " n_levels"],
) -> PhantomSearch:
    """Certify or refute every phantom median inside the loop.

    Parameters
    ----------
    utilities, grid
        As in :func:`loop_manipulability`; phantoms are levels of the grid.

    Returns
    -------
    PhantomSearch

    Raises
    ------
    ValueError
        As in :func:`loop_manipulability`.
    """
    n = utilities.shape[1]
    levels = _grid(grid, n)
    k, player = len(levels), np.arange(n)
    by_level = utilities[schedule_of_value(utilities, levels)]
    peaks = induced_peaks(by_level)
    others, orders = _multisets(k, n - 1)
    reports = np.empty((len(others), k, n), np.int64)
    reports[:, :, 0], reports[:, :, 1:] = np.arange(k), others[:, None]
    reports.sort(axis=-1)
    mean, weight = levels[reports].mean(axis=-1), orders[:, None] / k**n
    failures, distance = [], []
    for phantom in others:  # multisets of n - 1 levels, like the others' reports
        voted = _median(reports, phantom)
        paid = by_level[voted]
        gains = paid.max(axis=1) - paid[:, peaks, player]
        failures.append(int(((gains > _GAIN) * orders[:, None]).sum()))
        distance.append(float((weight * np.abs(levels[voted] - mean)).sum()))
    return PhantomSearch(levels[others], np.array(failures), np.array(distance))


def _median(reports: np.ndarray, phantom: np.ndarray) -> np.ndarray:
    """Median of sorted reports (..., n) and of n - 1 sorted phantoms.

    It reaches x where, for some j, all but j reports and j phantoms do: the largest of
    min(least but j report, j-th largest phantom).
    """
    falling = np.append(reports.max(), phantom[::-1])
    return np.minimum(reports, falling).max(axis=-1)


@dataclass(frozen=True)
class AnonymousCensus:
    """All anonymous strategy-proof rules on a domain of preferences.

    Attributes
    ----------
    profiles : ndarray of int, shape (n_profiles, n_voters)
        Types of the voters, each multiset once.
    rules : ndarray of int, shape (n_rules, n_profiles)
        Outcome of each rule at each profile.
    onto : ndarray of bool, shape (n_rules,)
        Whether every outcome is chosen somewhere.
    """

    profiles: Int[np.ndarray, "n_profiles n_voters"]
    rules: Int[np.ndarray, "n_rules n_profiles"]
    onto: Bool[np.ndarray, " n_rules"]


def anonymous_census(
    types: Float[np.ndarray, "n_types n_outcomes"], n_voters: int
) -> AnonymousCensus:
    """List every anonymous rule that no voter of these types can manipulate.

    Parameters
    ----------
    types : ndarray, shape (n_types, n_outcomes)
        Utility of each outcome to each type of voter; equal ones (1e-9) are ties.
    n_voters : int
        Voters, 1 or more, with at most 400 multisets of types.

    Returns
    -------
    AnonymousCensus

    Raises
    ------
    ValueError
        No voter, too many multisets, or more rules than
        ``impossibility.MOST_RULES``.

    Examples
    --------
    >>> peaked = np.array([[2.0, 1, 0], [1, 2, 0], [0, 2, 1], [0, 1, 2]])
    >>> found = anonymous_census(peaked, 2)
    >>> len(found.rules), int(found.onto.sum())
    (12, 3)
    """
    types = np.atleast_2d(np.asarray(types, float))
    k, m = types.shape
    if n_voters < 1 or math.comb(k + n_voters - 1, n_voters) > 400:
        raise ValueError(
            f"n_voters = {n_voters}: expected 1 or more, and at most 400 multisets of "
            f"{k} types"
        )
    profiles, _ = _multisets(k, n_voters)
    place = {tuple(row): j for j, row in enumerate(profiles.tolist())}
    clauses = []
    for others in _multisets(k, n_voters - 1)[0].tolist():
        at = [place[tuple(sorted([*others, t]))] for t in range(k)]
        for truth, lie in itertools.permutations(range(k), 2):
            for a, b in itertools.permutations(range(m), 2):
                if types[truth, a] > types[truth, b] + _GAIN:
                    clauses.append([-(at[truth] * m + b + 1), -(at[lie] * m + a + 1)])
    listed = models(iter(clauses), len(profiles), m)
    found = list(itertools.islice(listed, MOST_RULES + 1))
    if len(found) > MOST_RULES:
        raise ValueError(
            f"types: over {MOST_RULES} rules for {k} types and {n_voters} voters. Try "
            "fewer voters"
        )
    rules = np.array(sorted(found)).reshape(-1, len(profiles))
    onto = (rules[:, :, None] == np.arange(m)).any(axis=1).all(axis=1)
    return AnonymousCensus(profiles, rules, onto)
