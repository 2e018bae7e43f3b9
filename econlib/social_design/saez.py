r"""Taxes by Saez's formula, from incomes that are seen and an elasticity.

With :math:`G(z)` the mean welfare weight of those who earn more than :math:`z`, weights
having mean 1, and :math:`\alpha(z)=zf(z)/(1-F(z))`,

.. math:: \tau(z)=\frac{1-G(z)}{1-G(z)+\alpha(z)\,e} ,

and in the top bracket, from :math:`z^*` on,
:math:`\alpha=\bar z_{top}/(\bar z_{top}-z^*)`, which for a Pareto tail is its exponent.
For one rate, with :math:`\bar g=\sum_ig_iz_i/\sum_iz_i`,

.. math:: \tau=\frac{1-\bar g}{1-\bar g+e};

with weights :math:`\propto1/z`, :math:`\bar g` is the ratio of harmonic to arithmetic
mean income.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from econlib.social_design.one_step import OneStep, check_cutoffs

__all__ = [
    "SaezPath",
    "SaezSchedule",
    "estimate_elasticity",
    "saez_fixed_point",
    "saez_linear",
    "saez_schedule",
    "top_rate",
]


@dataclass(frozen=True)
class SaezSchedule:
    """A schedule by the formula.

    Attributes
    ----------
    rates, cutoffs : ndarray, shape (n_brackets,)
    edges : ndarray, shape (n_bins + 1,)
        Of the bins of income below the top bracket.
    bin_rates : ndarray, shape (n_bins,)
        The formula's rate in each, of which ``rates`` are means.
    """

    rates: Float[np.ndarray, " n_brackets"]
    cutoffs: Float[np.ndarray, " n_brackets"]
    edges: Float[np.ndarray, " n_edges"]
    bin_rates: Float[np.ndarray, " n_bins"]


@dataclass(frozen=True)
class SaezPath:
    """A schedule that the formula returns from the incomes it leads to.

    Attributes
    ----------
    schedule : SaezSchedule
    change : float
        Largest difference of a rate from what the formula returns at the end.
    converged : bool
        Whether that is within the tolerance.
    n_steps : int
    """

    schedule: SaezSchedule
    change: float
    converged: bool
    n_steps: int


def _incomes(incomes: object) -> np.ndarray:
    z = np.asarray(incomes, dtype=float)
    if z.ndim != 1 or z.size == 0 or not (np.isfinite(z) & (z > 0)).all():
        raise ValueError("incomes: expected finite numbers above 0, shape (n,)")
    return z


def _weights(incomes: np.ndarray, weights: object) -> np.ndarray:
    g = 1 / incomes if weights is None else np.asarray(weights, dtype=float)
    if g.shape != incomes.shape or not (np.isfinite(g) & (g >= 0)).all() or not g.any():
        raise ValueError(f"weights: expected {len(incomes)} numbers of 0 or more")
    return g / g.mean()


def _elasticity(elasticity: int | float) -> float:
    if not 0 < elasticity < np.inf:
        raise ValueError(f"elasticity = {elasticity}: expected a finite number above 0")
    return float(elasticity)


def saez_linear(
    incomes: object, elasticity: int | float, weights: object = None
) -> float:
    """One rate by the formula.

    Parameters
    ----------
    incomes : array_like, shape (n,)
        Above 0, under any linear tax where elasticities are equal.
    elasticity : float
        Above 0.
    weights : array_like, shape (n,), optional
        0 or more; inverse incomes where not given.

    Returns
    -------
    float
        In [0, 1): 0 where the rich weigh more than the mean.

    Examples
    --------
    >>> round(saez_linear([1, 1.5**1.5, 2**1.5, 3**1.5, 5**1.5], 0.5), 6)
    0.489626
    """
    z, e = _incomes(incomes), _elasticity(elasticity)
    share = float((_weights(z, weights) * z).sum() / z.sum())
    return max(1 - share, 0.0) / (max(1 - share, 0.0) + e)


def top_rate(
    pareto: int | float, elasticity: int | float, weight: int | float = 0.0
) -> float:
    r"""Rate on a Pareto tail, :math:`(1-g)/(1-g+ae)`.

    Parameters
    ----------
    pareto : float
        Exponent a of the tail of incomes, above 1.
    elasticity : float
        Above 0.
    weight : float
        Welfare weight g of those in the tail, [0, 1].

    Examples
    --------
    >>> round(top_rate(1.5, 0.25), 6), round(top_rate(1.5, 0.25, 0.2), 6)
    (0.727273, 0.680851)
    """
    if not 1 < pareto < np.inf:
        raise ValueError(f"pareto = {pareto}: expected a finite number above 1")
    if not 0 <= weight <= 1:
        raise ValueError(f"weight = {weight}: expected a number in [0, 1]")
    return (1 - weight) / (1 - weight + pareto * _elasticity(elasticity))


def saez_schedule(
    incomes: object,
    elasticity: int | float,
    cutoffs: object,
    weights: object = None,
    n_bins: int = 50,
) -> SaezSchedule:
    r"""Rates of brackets by the formula.

    Below the last cut-off incomes are counted in bins of equal width; a bin without
    incomes takes a rate between its neighbours', and a bracket the mean over its bins.

    Parameters
    ----------
    incomes : array_like, shape (n,)
        Above 0.
    elasticity : float
        Above 0.
    cutoffs : array_like, shape (n_brackets,)
        Where each bracket starts: 0 first, increasing.
    weights : array_like, shape (n,), optional
        0 or more; inverse incomes where not given.
    n_bins : int
        1 or more.

    Returns
    -------
    SaezSchedule
        Rates in [0, 1].

    Raises
    ------
    ValueError
        An argument out of its range.
    """
    z, e, b = _incomes(incomes), _elasticity(elasticity), check_cutoffs(cutoffs)
    if isinstance(n_bins, bool) or n_bins < 1:
        raise ValueError(f"n_bins = {n_bins}: expected an integer of 1 or more")
    g, star = _weights(z, weights), b[-1]
    above = z > star
    top = np.nan
    if above.any():
        excess = z[above].mean() - star
        α, G = z[above].mean() / excess, g[above].mean()
        top = max(1 - G, 0.0) / (max(1 - G, 0.0) + α * e)
    if len(b) == 1:  # one bracket from 0: excess is the mean, the tail everybody
        return SaezSchedule(
            np.array([saez_linear(z, e, weights)]), b, np.array([0.0]), np.empty(0)
        )
    edges = np.linspace(0, star, n_bins + 1)
    middle, width = (edges[1:] + edges[:-1]) / 2, star / n_bins
    count = np.histogram(z[~above], edges)[0]
    weight = np.histogram(z[~above], edges, weights=g[~above])[0]
    # half of a bin lies above its middle
    share = above.sum() + count[::-1].cumsum()[::-1] - count / 2
    weighs = g[above].sum() + weight[::-1].cumsum()[::-1] - weight / 2
    some = count > 0
    short = np.maximum(1 - weighs[some] / share[some], 0)
    α = middle[some] * count[some] / width / share[some]
    found = short / (short + α * e)
    if not some.any():
        found, some = np.array([top]), np.arange(n_bins) == n_bins - 1
    bins = np.interp(middle, middle[some], found)
    if np.isnan(top):  # nobody there: the last rate below goes on
        top = bins[-1]
    total = np.interp(b, edges, np.append(0, np.cumsum(bins * width)))
    rates = np.append(np.diff(total) / np.diff(b), top)
    return SaezSchedule(np.clip(rates, 0, 1), b, edges, bins)


def saez_fixed_point(
    economy: OneStep,
    cutoffs: object,
    n_bins: int = 50,
    elasticity: int | float | None = None,
    damping: int | float = 0.2,
    max_steps: int = 500,
    tolerance: int | float = 1e-3,
) -> SaezPath:
    """Apply the formula to the incomes that its own rates lead to, until they agree.

    Parameters
    ----------
    economy : OneStep
    cutoffs : array_like, shape (n_brackets,)
        Where each bracket starts.
    n_bins : int
        As in :func:`saez_schedule`.
    elasticity : float, optional
        That the Principal believes in; the true one where not given.
    damping : float
        Step towards the formula's rates, (0, 1].
    max_steps : int
        1 or more.
    tolerance : float
        Largest change of a rate to stop at, above 0.

    Returns
    -------
    SaezPath
        Where workers bunch at a kink the formula's rates can jump; ``converged`` and
        ``change`` say how it ended.
    """
    if not 0 < damping <= 1 or max_steps < 1 or not tolerance > 0:
        raise ValueError(
            f"damping = {damping}, max_steps = {max_steps}, tolerance = {tolerance}: "
            "expected (0, 1], 1 or more, and a number above 0"
        )
    b = check_cutoffs(cutoffs)
    e = economy.elasticity if elasticity is None else _elasticity(elasticity)
    rates = np.zeros(len(b))
    for n_steps in range(1, max_steps + 1):  # noqa: B007
        z = np.maximum(economy.brackets(rates, b).incomes, 1e-9)
        formula = saez_schedule(z, e, b, n_bins=n_bins)
        change = float(np.abs(formula.rates - rates).max())
        if change <= tolerance:
            break
        rates = np.clip(rates + damping * (formula.rates - rates), 0, 0.999)
    kept = SaezSchedule(rates, b, formula.edges, formula.bin_rates)
    return SaezPath(kept, change, change <= tolerance, n_steps)


def estimate_elasticity(
    incomes: object, rates: object, memory: int | float = 0.98, within: bool = False
) -> float:
    r"""Elasticity by least squares of :math:`\ln z` on :math:`\ln(1-\tau)`.

    Parameters
    ----------
    incomes, rates : array_like, shape (n_periods, n)
        Incomes above 0, and the marginal rates at which they were earned, below 1.
    memory : float
        Weight of a period relative to the next, (0, 1].
    within : bool
        Whether to compare each worker with herself only. Without it, under a
        progressive tax those who earn more face higher rates because they earn more,
        and the estimate is too low.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        Shapes that differ, numbers out of range, or rates that do not vary.
    """
    z, τ = np.asarray(incomes, dtype=float), np.asarray(rates, dtype=float)
    if z.ndim != 2 or z.shape != τ.shape or 0 in z.shape:
        raise ValueError(
            f"incomes, rates: shapes {z.shape} and {τ.shape}, expected (n_periods, n)"
        )
    if not (z > 0).all() or not (τ < 1).all():
        raise ValueError("incomes, rates: expected incomes above 0 and rates below 1")
    if not 0 < memory <= 1:
        raise ValueError(f"memory = {memory}: expected a number in (0, 1]")
    weight = memory ** np.arange(len(z))[::-1, None] * np.ones(z.shape)
    x, y = np.log(1 - τ), np.log(z)
    axis = 0 if within else None
    x = x - np.average(x, axis=axis, weights=weight, keepdims=within)
    y = y - np.average(y, axis=axis, weights=weight, keepdims=within)
    spread = (weight * x * x).sum()
    if spread < 1e-20:
        raise ValueError("rates: do not vary, so that no elasticity can be seen")
    return float((weight * x * y).sum() / spread)
