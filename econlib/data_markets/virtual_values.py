r"""Stakes of buyers and their ironed virtual values, by quantile.

A buyer's stake :math:`v` has law :math:`F`; at quantile :math:`t=F(v)` the revenue
curve :math:`R(q)=q\,F^{-1}(1-q)` has slope

.. math::

   \phi(t)=R'(1-t)=v-\frac{1-F(v)}{f(v)},\qquad
   \int_0^t\phi=R(1)-R(1-t).

Ironing replaces :math:`R` by its concave hull, whose slopes are the isotonic regression
of :math:`\phi` in :math:`t` (Myerson 1981).  Everything here is piecewise constant on
knots, so that integrals over quantiles are exact sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from scipy import stats
from scipy.optimize import isotonic_regression

from econlib.valuations import Marginal

__all__ = ["STAKES", "VirtualValues", "average", "stake", "virtual_values"]

#: Names of the laws that the published settings use.
STAKES = ("uniform", "uniform2", "exponential", "irregular")


def stake(name: str) -> Marginal:
    """Law of a stake in the published settings.

    Parameters
    ----------
    name : {"uniform", "uniform2", "exponential", "irregular"}
        U[0, 1]; U[0, 2]; unit exponential; three quarters U[0, 0.3] and one quarter
        U[0.3, 0.8].

    Raises
    ------
    ValueError
        Another name.
    """
    laws = {
        "uniform": (stats.uniform(), 1.0),
        "uniform2": (stats.uniform(0, 2), 2.0),
        "exponential": (stats.expon(), np.inf),
        "irregular": (
            stats.rv_histogram(
                (np.array([3.0, 1.0]), np.array([0.0, 0.3, 0.8])), density=False
            ),
            0.8,
        ),
    }
    if name not in laws:
        raise ValueError(f"name = {name!r}: expected one of {', '.join(STAKES)}")
    law, high = laws[name]
    return Marginal(law, 0.0, high)


@dataclass(frozen=True)
class VirtualValues:
    """A non-decreasing step function of a quantile, with its integral.

    Attributes
    ----------
    knots : ndarray, shape (n + 1,)
        Quantiles, from 0 to 1.
    slopes : ndarray, shape (n,)
        Ironed virtual values between the knots, non-decreasing.
    low : float
        Least stake, which the virtual values average to.
    """

    knots: Float[np.ndarray, " n_knots"]
    slopes: Float[np.ndarray, " n_steps"]
    low: float

    @property
    def widths(self) -> Float[np.ndarray, " n_steps"]:
        """Probabilities of the steps."""
        return np.diff(self.knots)

    def at(
        self, quantile: Float[np.ndarray, "*batch"] | float
    ) -> Float[np.ndarray, "*batch"]:
        """Virtual value at quantiles in [0, 1]."""
        step = np.searchsorted(self.knots, quantile, side="right") - 1
        return np.asarray(self.slopes[np.clip(step, 0, len(self.slopes) - 1)])

    def integral(
        self, quantile: Float[np.ndarray, "*batch"] | float
    ) -> Float[np.ndarray, "*batch"]:
        """Integral of the virtual value from 0 to quantiles in [0, 1]."""
        sums = np.concatenate([[0.0], np.cumsum(self.widths * self.slopes)])
        return np.asarray(np.interp(quantile, self.knots, sums))

    def quantile_of(
        self, level: Float[np.ndarray, "*batch"] | float
    ) -> Float[np.ndarray, "*batch"]:
        """Largest quantile up to which the virtual value is at most ``level``."""
        step = np.searchsorted(self.slopes, level, side="right")
        return np.asarray(self.knots[step])


@lru_cache(maxsize=16)
def _knots(n: int) -> np.ndarray:
    """Quantiles with ``n`` equal steps and a tail that gets finer towards 1."""
    tail = 1.0 - np.geomspace(1.0 / n, 1e-14, 60 * 12)[1:]
    return np.concatenate([np.linspace(0.0, 1.0, n + 1)[:-1], tail, [1.0]])


def virtual_values(
    law: Marginal, n_knots: int = 20_000, *, ironed: bool = True
) -> VirtualValues:
    r"""Ironed virtual values of a law of stakes.

    Parameters
    ----------
    law : Marginal
        On an interval from 0 or above; unbounded above if :math:`q\,F^{-1}(1-q)\to0`.
    n_knots : int
        Equal steps of the quantile, 100 or more; the tail is refined on top.
    ironed : bool
        Whether to iron; without it a law that is not regular raises.

    Returns
    -------
    VirtualValues
        Integrals are off by about ``1 / n_knots**2``.

    Raises
    ------
    ValueError
        A negative stake, too few knots, or a falling virtual value without ironing.

    Examples
    --------
    >>> v = virtual_values(stake("uniform"))
    >>> round(float(v.integral(0.5)), 6)  # revenue curve of U[0, 1]: -(1/2)(1/2)
    -0.25
    """
    if law.low < 0:
        raise ValueError(f"law.low = {law.low}: expected stakes of 0 or more")
    if n_knots < 100:
        raise ValueError(f"n_knots = {n_knots}: expected an integer, 100 or more")
    knots = _knots(n_knots)
    revenue = np.zeros(len(knots))
    revenue[:-1] = (1.0 - knots[:-1]) * law.ppf(knots[:-1])
    slopes = -np.diff(revenue) / np.diff(knots)
    if ironed:
        slopes = isotonic_regression(slopes, weights=np.diff(knots)).x
    elif (np.diff(slopes) < -1e-6).any():
        raise ValueError("law: its virtual value falls somewhere; iron it")
    return VirtualValues(knots, slopes, float(law.low))


def average(parts: list[VirtualValues], n_steps: int = 2_000) -> VirtualValues:
    """Quantile function of the mean of independent virtual values.

    Parameters
    ----------
    parts : list of VirtualValues
        One a rival; a single one is returned as it is.
    n_steps : int
        Equally likely steps of the result, 100 or more.

    Returns
    -------
    VirtualValues
        Its integrals are off by about ``1 / n_steps**2``; steps keep their means.
    """
    if n_steps < 100:
        raise ValueError(f"n_steps = {n_steps}: expected an integer, 100 or more")
    if len(parts) == 1:
        return parts[0]
    total, edges = None, np.linspace(0.0, 1.0, n_steps + 1)
    for part in parts:
        means = np.diff(part.integral(edges)) * n_steps
        if total is None:
            total = means
            continue
        sums = np.sort((total[:, None] + means).ravel())
        total = sums.reshape(n_steps, n_steps).mean(axis=1)
    low = sum(part.low for part in parts) / len(parts)
    return VirtualValues(edges, total / len(parts), low)
