r"""Rules that turn reports into an outcome, and a voted weight into taxes.

*Ordinal rules* read ballots, as in :mod:`econlib.social_design.ballots`, and can be
imported from here too.

*Rules on the line* read reports, arrays of shape (..., n).  The median of an even
number of reports is the lower one.  The official code's rule asks voter :math:`i` for a
weight :math:`\sigma_i` on herself, gives :math:`\frac{1-\sigma_i}{n-1}` to each other
voter, and takes

.. math::

   \phi(\sigma)=\mathrm{med}_i\,\mathrm{med}(\sigma;\,w_i),\qquad
   w_{ii}=\sigma_i,\quad w_{ij}=\tfrac{1-\sigma_i}{n-1},

the lower median of everyone's weighted lower median of all reports.

*From a voted weight to taxes*: with :math:`b=1-\bar\sigma` the official code's marginal
rates are :math:`(\frac b2,\ b,\ \min(1,\frac{3b}2))`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from econlib.social_design.ballots import (
    ORDINAL,
    borda,
    copeland,
    dictatorship,
    irv,
    majority_margins,
    plurality,
)

__all__ = [
    "ORDINAL",
    "SCALAR",
    "apple_tax",
    "borda",
    "copeland",
    "dictatorship",
    "irv",
    "majority_margins",
    "mean",
    "mean_threshold",
    "median",
    "phantom_median",
    "plurality",
    "vote_schedule",
    "weighted_median_of_medians",
]

_Number = float | Float[np.ndarray, "*n_samples"]


def check_reports(
    reports: object, low: float = -np.inf, high: float = np.inf
) -> Float[np.ndarray, "*n_samples n"]:
    """Reports as an array, voters last; ValueError outside ``[low, high]``."""
    try:
        array = np.asarray(reports, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"reports = {reports!r}: expected one number a voter") from (
            None
        )
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(
            f"reports: shape {array.shape}, expected (..., n) with n of 1 or more"
        )
    bad = ~(np.isfinite(array) & (array >= low) & (array <= high))
    if bad.any():
        within = "" if low == -np.inf else f" in [{low:g}, {high:g}]"
        raise ValueError(
            f"reports holds {array[bad][0]:g}: expected finite numbers{within}"
        )
    return array


def mean(reports: object) -> _Number:
    """Mean report.

    Parameters
    ----------
    reports : array_like, shape (..., n)
        Finite numbers, one a voter.

    Returns
    -------
    float or ndarray, shape (...)

    Raises
    ------
    ValueError
        No voter, or a report that is not finite.
    """
    return check_reports(reports).mean(axis=-1)


def median(reports: object) -> _Number:
    """Lower median report: the middle one, of an even number the lower of the two.

    Arguments, result and errors as for :func:`mean`.

    Examples
    --------
    >>> float(median([0.1, 0.4, 0.6, 0.9]))
    0.4
    """
    reports = check_reports(reports)
    return np.sort(reports, axis=-1)[..., (reports.shape[-1] - 1) // 2][()]


def phantom_median(reports: object, phantoms: object = None) -> _Number:
    """Median of the reports and of fixed phantom reports.

    Parameters
    ----------
    reports : array_like, shape (..., n)
        Finite numbers, one a voter.
    phantoms : array_like, shape (n - 1,) or (n + 1,), optional
        Any numbers, infinite ones included; k/n for k of 0 to n where not given.

    Returns
    -------
    float or ndarray, shape (...)

    Raises
    ------
    ValueError
        Reports as in :func:`mean`, or another number of phantoms.

    Notes
    -----
    For single-peaked voters these are the anonymous rules that no voter can
    manipulate (Moulin); n - 1 phantoms are those that take no value nobody asked for
    when all agree.

    Examples
    --------
    >>> round(float(phantom_median([0.9, 0.9, 0.1])), 6)
    0.666667
    """
    reports = check_reports(reports)
    n = reports.shape[-1]
    fixed = np.arange(n + 1) / n if phantoms is None else np.asarray(phantoms, float)
    if fixed.shape not in ((n - 1,), (n + 1,)) or np.isnan(fixed).any():
        raise ValueError(
            f"phantoms: shape {fixed.shape}, expected {n - 1} or {n + 1} numbers for "
            f"{n} voters"
        )
    together = np.concatenate(
        [reports, np.broadcast_to(fixed, (*reports.shape[:-1], len(fixed)))], axis=-1
    )
    return np.sort(together, axis=-1)[..., (together.shape[-1] - 1) // 2][()]


def mean_threshold(
    reports: object, threshold: int | float = 0.5
) -> bool | np.bool_ | Bool[np.ndarray, "*n_samples"]:
    """Whether the mean report exceeds a threshold: the vote of the official code.

    Parameters
    ----------
    reports : array_like, shape (..., n)
        In [0, 1]: how much a voter wants the egalitarian objective.
    threshold : float
        [0, 1].

    Returns
    -------
    bool or ndarray of bool, shape (...)
        True for the egalitarian objective, False for the utilitarian one, which also
        wins a tie.

    Raises
    ------
    ValueError
        A report or the threshold outside [0, 1].
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold = {threshold}: expected a number in [0, 1]")
    reports = check_reports(reports, 0.0, 1.0)
    # in sums of hundredths an exact tie may come out an ulp off
    return reports.sum(axis=-1) > threshold * reports.shape[-1] + 1e-12


def weighted_median_of_medians(
    reports: object, resolution: int | None = 1000
) -> _Number:
    r"""Median of weighted medians on the care graph, as in the official code.

    Parameters
    ----------
    reports : array_like, shape (..., n)
        Weight :math:`\sigma_i` of each voter on herself, [0, 1].
    resolution : int, optional
        Each weight counts as :math:`\lfloor\mathrm{resolution}\cdot w\rfloor`
        repetitions of the report, 1000 in the official code; None for exact weights.

    Returns
    -------
    float or ndarray, shape (...)
        The lower median of the amended votes.

    Raises
    ------
    ValueError
        A report outside [0, 1], or so many voters that somebody's weights all round
        to 0.

    Notes
    -----
    For an odd number of voters, up to the rounding, it is the plain median; for an even
    number it is not, and can be manipulated.

    Examples
    --------
    >>> float(weighted_median_of_medians([0.0, 0.3, 1.0, 1.0]))
    1.0
    """
    if resolution is not None and (isinstance(resolution, bool) or resolution < 1):
        raise ValueError(f"resolution = {resolution}: expected an integer of 1 or more")
    reports = check_reports(reports, 0.0, 1.0)
    n = reports.shape[-1]
    if n == 1:
        return reports[..., 0][()]
    order = np.argsort(reports, axis=-1, kind="stable")
    level = np.take_along_axis(reports, order, axis=-1)
    own = np.eye(n, dtype=bool)
    care = np.where(own, level[..., :, None], (1 - level[..., :, None]) / (n - 1))
    if resolution is not None:
        care = np.floor(resolution * care + 1e-9)
    upto = np.cumsum(care, axis=-1)
    total = upto[..., -1:]
    if (total <= 0).any():
        raise ValueError(
            f"reports: {n} voters, whose weights round to 0 at resolution = "
            f"{resolution}. Try resolution=None"
        )
    if resolution is not None:
        reached = upto > (total - 1) // 2
    else:
        reached = upto >= total / 2 - 1e-12
    amended = np.take_along_axis(level, reached.argmax(axis=-1), axis=-1)
    return np.sort(amended, axis=-1)[..., (n - 1) // 2][()]


def vote_schedule(sigma: object) -> Float[np.ndarray, "*n_samples 3"]:
    r"""Marginal rates that the official code derives from a voted weight.

    :math:`(\frac b2,\ b,\ \min(1,\frac{3b}2))` with :math:`b=1-\bar\sigma`.

    Parameters
    ----------
    sigma : array_like, shape (...)
        Voted weight on oneself, [0, 1].

    Returns
    -------
    ndarray, shape (..., 3)
        Rates of the three brackets.

    Examples
    --------
    >>> vote_schedule(0.3).round(6).tolist()
    [0.35, 0.7, 1.0]
    """
    s = np.asarray(sigma, dtype=float)
    bad = ~((s >= 0) & (s <= 1))
    if bad.any():
        raise ValueError(f"sigma = {s[bad].flat[0]:g}: expected numbers in [0, 1]")
    b = 1 - s
    return np.stack([b / 2, b, np.minimum(1.0, 1.5 * b)], axis=-1)


def apple_tax(
    units: object,
    rates: object,
    starts: tuple[int, ...] = (1, 11, 21),
    strict: bool = False,
) -> _Number:
    r"""Tax on a whole number of apples, :math:`\sum_b\tau_b\cdot` apples in bracket b.

    Parameters
    ----------
    units : array_like of int, shape (...)
        Apples of a tax period, 0 or more.
    rates : array_like, shape (n_brackets,)
        Marginal rates, [0, 1].
    starts : tuple of int
        First apple of each bracket, increasing, from 1.
    strict : bool
        Whether a bracket counts only for more apples than its first, as in the
        official code's later version: its first apple alone is then not taxed.

    Returns
    -------
    float or ndarray, shape (...)
        Tax, in apples.

    Raises
    ------
    ValueError
        Apples that are negative or not whole, rates outside [0, 1], or brackets that
        do not increase or whose number is not that of the rates.

    Examples
    --------
    >>> float(apple_tax(11, (0.1, 0.25, 0.37)))
    1.25
    """
    n = np.asarray(units, dtype=float)
    τ, first = np.asarray(rates, dtype=float), np.asarray(starts, dtype=float)
    if not (np.isfinite(n) & (n >= 0) & (n == np.floor(n))).all():
        raise ValueError(f"units = {units}: expected whole numbers of 0 or more")
    if (
        first.ndim != 1
        or first.size == 0
        or first[0] != 1
        or (np.diff(first) < 1).any()
    ):
        raise ValueError(f"starts = {starts}: expected increasing integers from 1")
    if τ.shape != first.shape or not ((τ >= 0) & (τ <= 1)).all():
        raise ValueError(
            f"rates = {rates}: expected {len(first)} numbers in [0, 1], one a bracket"
        )
    last = np.append(first[1:] - 1, np.inf)
    inside = np.clip(np.minimum(n[..., None], last) - first + 1, 0, None)
    if strict:
        inside = np.where(n[..., None] > first, inside, 0)
    return (inside * τ).sum(axis=-1)


#: Rules on the line by name.
SCALAR: dict[str, Callable] = {
    "mean": mean,
    "median": median,
    "phantom_median": phantom_median,
    "weighted_medians": weighted_median_of_medians,
}
