r"""Laws of a belief :math:`\theta=\Pr[\omega_1]`: uniform, Beta, and their mixtures.

A mixture has distribution function :math:`F=\sum_jw_jF_j`; exact values of :math:`F`
are all that revenue needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy import optimize, special, stats

from econlib.valuations import Marginal

__all__ = [
    "beta_mixture",
    "beta_of_peak",
    "cells",
    "modes",
    "random_law",
    "random_parameters",
    "uniform",
]


@dataclass(frozen=True)
class _Mixture:
    """Mixture of Beta laws, with ``pdf``, ``cdf``, ``ppf``."""

    weights: tuple[float, ...]
    parameters: tuple[tuple[float, float], ...]

    def pdf(self, x: object) -> np.ndarray:
        """Density; 0 outside [0, 1]."""
        x = np.asarray(x, dtype=float)
        total = np.zeros_like(x)
        for w, (a, b) in zip(self.weights, self.parameters, strict=True):
            log = special.xlogy(a - 1, x) + special.xlog1py(b - 1, -x)
            total = total + w * np.exp(log - special.betaln(a, b))
        return np.where((x >= 0) & (x <= 1), total, 0.0)

    def cdf(self, x: object) -> np.ndarray | float:
        """Distribution function, by incomplete Beta functions."""
        x = np.asarray(np.clip(x, 0.0, 1.0), dtype=float)
        total = np.zeros_like(x)
        for w, (a, b) in zip(self.weights, self.parameters, strict=True):
            total = total + w * special.betainc(a, b, x)
        return total

    @cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        x = np.linspace(0.0, 1.0, 20_001)
        p = np.asarray(self.cdf(x))
        keep = np.concatenate([[True], np.diff(p) > 1e-15])
        return p[keep], x[keep]

    def ppf(self, q: object) -> np.ndarray | float:
        """Quantiles: a table, then five Newton steps kept inside their cell."""
        q = np.asarray(q, dtype=float)
        p, x = self._table
        found = np.interp(q, p, x)
        low, high = np.maximum(found - 1e-4, 0), np.minimum(found + 1e-4, 1)
        for _ in range(5):
            slope = np.maximum(self.pdf(found), 1e-6)
            found = np.clip(found - (self.cdf(found) - q) / slope, low, high)
        return found


def uniform() -> Marginal:
    """The uniform law on [0, 1]."""
    return Marginal(stats.uniform(), 0.0, 1.0)


def beta_mixture(
    weights: tuple[float, ...] | list[float],
    parameters: tuple | list,
) -> Marginal:
    r"""Mixture of Beta laws.

    Parameters
    ----------
    weights : sequence of float
        Nonnegative, sum 1.
    parameters : sequence of (float, float)
        :math:`(a,b)` of each Beta law, positive; :math:`(1,1)` is uniform.

    Raises
    ------
    ValueError
        Weights that do not sum to one, lengths that do not agree, a parameter that is
        not positive.

    Examples
    --------
    >>> law = beta_mixture((0.5, 0.5), ((8, 30), (60, 30)))
    >>> float(law.cdf(0.5).round(4))
    0.5003
    """
    w = np.asarray(weights, dtype=float)
    rows = [tuple(map(float, row)) for row in parameters]
    if w.ndim != 1 or len(w) != len(rows) or not len(w):
        raise ValueError(f"weights: {w.size} for {len(rows)} laws")
    if not np.isfinite(w).all() or w.min() < 0 or abs(w.sum() - 1) > 1e-9:
        raise ValueError(
            f"weights = {w.tolist()}: expected numbers of 0 or more that sum to 1"
        )
    for row in rows:
        if len(row) != 2 or not all(np.isfinite(row)) or min(row) <= 0:
            raise ValueError(f"parameters: {row}: expected two positive numbers")
    kept = [(float(x), row) for x, row in zip(w, rows, strict=True) if x > 0]
    mixture = _Mixture(tuple(x for x, _ in kept), tuple(row for _, row in kept))
    return Marginal(mixture, 0.0, 1.0)


def beta_of_peak(mode: float, peak: float) -> tuple[float, float]:
    r"""The Beta law with this mode and this density there.

    :math:`b=(2\mu-1+a(1-\mu))/\mu` puts the mode at :math:`\mu`; :math:`a` solves for
    the density.

    Parameters
    ----------
    mode : float
        :math:`\mu` in (0, 1).
    peak : float
        Density at the mode, above 1.

    Examples
    --------
    >>> peak = float(stats.beta(8, 30).pdf(7 / 36))
    >>> a, b = beta_of_peak(7 / 36, peak)
    >>> round(a, 4), round(b, 4)
    (8.0, 30.0)
    """
    if not 0 < mode < 1:
        raise ValueError(f"mode = {mode}: expected a number in (0, 1)")
    if not 1 < peak < 1e4:
        raise ValueError(f"peak = {peak}: expected a density in (1, 10000)")

    def second(a: float) -> float:
        return (2 * mode - 1 + a * (1 - mode)) / mode

    def miss(log_a: float) -> float:
        a = 1 + np.exp(log_a)
        return float(stats.beta(a, second(a)).logpdf(mode) - np.log(peak))

    a = 1 + float(np.exp(optimize.brentq(miss, -25.0, 25.0, xtol=1e-13)))
    return a, float(second(a))


def modes(law: Marginal, n_grid: int = 20_001) -> Float[np.ndarray, " n_modes"]:
    """Local maxima of the density inside (0, 1), refined from a grid."""
    x = np.linspace(0.0, 1.0, n_grid)[1:-1]
    f = law.pdf(x)
    at = np.flatnonzero((f[1:-1] > f[:-2]) & (f[1:-1] > f[2:])) + 1
    found = [
        optimize.minimize_scalar(
            lambda y: -float(law.pdf(y)),
            bounds=(x[i - 1], x[i + 1]),
            method="bounded",
            options={"xatol": 1e-12},
        ).x
        for i in at
    ]
    return np.array(found, dtype=float)


def cells(
    law: Marginal, n_cells: int
) -> tuple[Float[np.ndarray, " n_cells"], Float[np.ndarray, " n_cells"]]:
    """Midpoints of equal cells of [0, 1] and the probability of each."""
    if n_cells < 2:
        raise ValueError(f"n_cells = {n_cells}: expected an integer, 2 or more")
    edges = np.linspace(0.0, 1.0, n_cells + 1)
    return (edges[1:] + edges[:-1]) / 2, np.diff(law.cdf(edges))


def random_parameters(
    rng: np.random.Generator, n_max: int = 4
) -> tuple[list[float], list[tuple[float, float]]]:
    """Weights and parameters of a random mixture of one to ``n_max`` Beta laws.

    Weights are uniform on the simplex, modes uniform in (0.05, 0.95), and
    :math:`a+b-2` is log-uniform between 2 and 150.
    """
    n = int(rng.integers(1, n_max + 1))
    weights = rng.dirichlet(np.ones(n))
    rows = []
    for _ in range(n):
        mode = float(rng.uniform(0.05, 0.95))
        size = float(np.exp(rng.uniform(np.log(2), np.log(150))))
        rows.append((1 + size * mode, 1 + size * (1 - mode)))
    return (weights / weights.sum()).tolist(), rows


def random_law(rng: np.random.Generator, n_max: int = 4) -> Marginal:
    """The mixture of :func:`random_parameters`."""
    return beta_mixture(*random_parameters(rng, n_max))
