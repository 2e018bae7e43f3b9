r"""Majorities: whom they agree on, when they go in circles, and voting by the mean.

Voter :math:`i` prefers a to b where :math:`u_i(a)>u_i(b)`, and a beats b where more
voters prefer it than prefer b.  A Condorcet winner beats all others.  Where
alternatives lie on a line and every voter's utility rises up to a peak and falls after
it, the median voter's peak is beaten by nothing; in general majorities can form
cycles :math:`a\succ b\succ c\succ a`.

Under the mean of reports in [0, 1] a voter pulls as hard as she must: the equilibrium
outcome is the median of the peaks and of :math:`0,\frac1n,\dots,1`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Float, Int

from econlib.social_design.ballots import majority_margins
from econlib.social_design.census import all_profiles
from econlib.social_design.voting import check_reports

__all__ = [
    "Majority",
    "MeanEquilibrium",
    "majority_relation",
    "mean_equilibrium",
    "no_condorcet_winner",
    "single_peaked",
    "threshold_disagreement",
]


@dataclass(frozen=True)
class Majority:
    """The majority relation among m alternatives.

    Attributes
    ----------
    margins : ndarray of int, shape (m, m)
        Voters who strictly prefer the row's alternative, less those who prefer the
        column's.
    winner : int or None
        The alternative that beats all others.
    undefeated : ndarray of int
        Alternatives that none beats.
    decided : int
        Pairs of which one beats the other.
    cycles : int
        Three-cycles.
    """

    margins: Int[np.ndarray, "m m"]
    winner: int | None
    undefeated: Int[np.ndarray, " n_undefeated"]
    decided: int
    cycles: int


def majority_relation(
    utilities: Float[np.ndarray, "n m"], atol: int | float = 1e-9
) -> Majority:
    r"""Who beats whom in a pairwise vote, Condorcet winner and cycles.

    Three-cycles are :math:`\frac13\mathrm{tr}\,A^3` for the matrix A of beats.

    Parameters
    ----------
    utilities : ndarray, shape (n, m)
        Of each voter, for each alternative; finite.
    atol : float
        Utilities that are not further apart are indifferent, 0 or more.

    Returns
    -------
    Majority

    Raises
    ------
    ValueError
        Utilities that are no finite matrix, or a negative ``atol``.

    Examples
    --------
    >>> cycle = majority_relation(np.array([[2.0, 1, 0], [0, 2, 1], [1, 0, 2]]))
    >>> cycle.winner, cycle.cycles
    (None, 1)
    """
    u = _matrix(utilities)
    if not atol >= 0:
        raise ValueError(f"atol = {atol}: expected a number of 0 or more")
    m = u.shape[1]
    margins = np.zeros((m, m), dtype=np.int64)
    for row in u:
        above = row[:, None] > row[None, :] + atol
        margins += above.astype(np.int64) - above.T
    beats = margins > 0
    winners = np.flatnonzero(beats.sum(axis=1) == m - 1)
    a = beats.astype(float)
    return Majority(
        margins=margins,
        winner=int(winners[0]) if len(winners) else None,
        undefeated=np.flatnonzero(~beats.any(axis=0)),
        decided=int(beats.sum()),
        cycles=round(float(((a @ a) * a.T).sum()) / 3),
    )


def _matrix(utilities: object) -> np.ndarray:
    u = np.asarray(utilities, dtype=float)
    if u.ndim != 2 or 0 in u.shape or not np.isfinite(u).all():
        raise ValueError(
            f"utilities: shape {u.shape}, expected finite numbers, (n, m) with n and m "
            "of 1 or more"
        )
    return u


def single_peaked(
    utilities: Float[np.ndarray, "n m"], atol: int | float = 1e-9
) -> Bool[np.ndarray, " n"]:
    """Whether each voter's utility rises to a peak and falls after it.

    Parameters
    ----------
    utilities : ndarray, shape (n, m)
        Alternatives in their order on the line.
    atol : float
        Steps of at most this much count as level, 0 or more.

    Returns
    -------
    ndarray of bool, shape (n,)

    Raises
    ------
    ValueError
        Utilities that are no finite matrix, or a negative ``atol``.

    Examples
    --------
    >>> single_peaked(np.array([[0.0, 2, 1], [2, 0, 1]])).tolist()
    [True, False]
    """
    u = _matrix(utilities)
    if not atol >= 0:
        raise ValueError(f"atol = {atol}: expected a number of 0 or more")
    from_left = np.maximum.accumulate(u, axis=1)
    from_right = np.maximum.accumulate(u[:, ::-1], axis=1)[:, ::-1]
    # no place lies below something on either side of it
    return (np.minimum(from_left, from_right) <= u + atol).all(axis=1)


def no_condorcet_winner(n: int, m: int) -> tuple[int, int]:
    """Profiles without a Condorcet winner, and all of them.

    Parameters
    ----------
    n, m : int
        Voters and alternatives, as in ``census.all_profiles``.

    Examples
    --------
    >>> no_condorcet_winner(3, 3)
    (12, 216)
    """
    beats = majority_margins(all_profiles(n, m)) > 0
    wins = (beats.sum(axis=-1) == m - 1).any(axis=-1)
    return int((~wins).sum()), len(wins)


def threshold_disagreement(n: int) -> float:
    r"""How often the mean and the majority of even reports part at one half, exactly.

    For :math:`r_i` even on [0, 1], with k of them above one half, the mean exceeds one
    half where an Irwin-Hall sum :math:`S_n` exceeds :math:`n-k`:

    .. math::

       \sum_k\binom nk2^{-n}\begin{cases}P(S_n\le n-k)&k>n/2\\
       P(S_n>n-k)&k\le n/2.\end{cases}

    Parameters
    ----------
    n : int
        Voters, 1 to 200; the limit is 1/6.

    Returns
    -------
    float
        Probability that one of them chooses the egalitarian objective and the other
        does not; more than half must be above one half for a majority.

    Examples
    --------
    >>> threshold_disagreement(3)
    0.125
    """
    if isinstance(n, bool) or not 1 <= n <= 200:
        raise ValueError(f"n = {n}: expected an integer, 1 to 200")
    total = Fraction(0)
    for k in range(n + 1):
        below = Fraction(
            sum((-1) ** j * math.comb(n, j) * (n - k - j) ** n for j in range(n - k)),
            math.factorial(n),
        )
        total += math.comb(n, k) * (below if 2 * k > n else 1 - below)
    return float(total / 2**n)


@dataclass(frozen=True)
class MeanEquilibrium:
    """Reports from which nobody wants to move under the mean.

    Attributes
    ----------
    reports : ndarray, shape (n,)
        In [0, 1].
    outcome : float
        Their mean.
    regret : float
        Most that a voter gains by another report.
    converged : bool
        Whether the last sweep moved no report by more than 1e-12.
    n_steps : int
        Sweeps over all voters.
    """

    reports: Float[np.ndarray, " n"]
    outcome: float
    regret: float
    converged: bool
    n_steps: int


def mean_equilibrium(peaks: object, max_steps: int = 10_000) -> MeanEquilibrium:
    r"""Equilibrium of the mean rule, by best responses one voter after another.

    :math:`r_i\leftarrow\mathrm{clip}(n\,\mathrm{peak}_i-\sum_{j\ne i}r_j,\,0,\,1)`,
    from the true peaks.

    Parameters
    ----------
    peaks : array_like, shape (n,)
        In [0, 1].
    max_steps : int
        Sweeps, 1 or more.

    Returns
    -------
    MeanEquilibrium

    Raises
    ------
    ValueError
        A peak outside [0, 1].

    Examples
    --------
    >>> round(mean_equilibrium([0.9, 0.9, 0.1]).outcome, 6)
    0.666667
    """
    peak = check_reports(peaks, 0.0, 1.0)
    if peak.ndim != 1:
        raise ValueError(f"peaks: shape {peak.shape}, expected (n,)")
    if max_steps < 1:
        raise ValueError(f"max_steps = {max_steps}: expected an integer of 1 or more")
    n, reports = len(peak), peak.copy()
    for n_steps in range(1, max_steps + 1):  # noqa: B007
        before = reports.copy()
        for i in range(n):
            others = reports.sum() - reports[i]
            reports[i] = np.clip(n * peak[i] - others, 0.0, 1.0)
        if np.abs(reports - before).max() <= 1e-12:
            break
    outcome = reports.mean()
    rest = reports.sum() - reports
    nearest = np.clip(peak, rest / n, (rest + 1) / n)
    regret = np.abs(outcome - peak) - np.abs(nearest - peak)
    return MeanEquilibrium(
        reports=reports,
        outcome=float(outcome),
        regret=float(max(regret.max(), 0.0)),
        converged=bool(np.abs(reports - before).max() <= 1e-12),
        n_steps=n_steps,
    )
