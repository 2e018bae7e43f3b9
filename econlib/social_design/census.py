r"""How often a rule can be manipulated: exhaustive and sampled counts.

A profile is manipulable where some voter :math:`i` with ranking :math:`P_i` has a
misreport :math:`P_i'` with :math:`f(P_i',P_{-i})` above :math:`f(P)` in :math:`P_i`.
With all :math:`(m!)^n` profiles in one array, a misreport is a step along axis
:math:`i`.  On the line, peaks and reports are levels in [0, 1], and a voter likes
outcomes less the further they are from her peak.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

__all__ = [
    "LineCensus",
    "Manipulability",
    "all_profiles",
    "check_counts",
    "line_manipulability",
    "manipulability",
    "sampled_line_manipulability",
    "sampled_manipulability",
]

#: Most profiles that are listed one by one.
MOST_PROFILES = 2_000_000


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


def check_counts(n: int, m: int) -> None:
    """Refuse numbers of voters and of alternatives that are not positive integers.

    Parameters
    ----------
    n, m : int
        Voters and alternatives.

    Raises
    ------
    ValueError
        Either is below 1 or a truth value; the message has its name.
    """
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
    check_counts(n, m)
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
    check_counts(n, m)
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
    check_counts(n, 1)
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
    check_counts(n, 1)
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
