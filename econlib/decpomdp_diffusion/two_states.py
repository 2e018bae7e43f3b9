r"""Two states on a line: when a possible state stops being a fixed point.

States :math:`\pm1` with probability :math:`w` of :math:`+1`.  The denoiser is
:math:`D(y)=\tanh(y/\sigma^2+h)` with :math:`h=\frac12\log\frac w{1-w}`.  For equal
weights both states have a stable fixed point near them exactly if :math:`\sigma<1` (a
pitchfork).  Otherwise the one near the lighter state meets an unstable one and vanishes
at the level :math:`\sigma_c(w)` with

.. math::

   -\sqrt{1-\sigma^2}/\sigma^2+h+\operatorname{artanh}\sqrt{1-\sigma^2}=0 .
"""

from __future__ import annotations

import itertools

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq

from econlib.decpomdp_diffusion.denoisers import check_sigma

__all__ = ["critical_sigma", "two_state_points", "two_state_slope"]


def critical_sigma(weight: float) -> float:
    """Noise level above which the lighter of two states is no fixed point.

    Parameters
    ----------
    weight : float
        Probability of the heavier state, [0.5, 1).

    Examples
    --------
    >>> round(critical_sigma(0.85), 6)
    0.638686
    """
    if not 0.5 <= weight < 1:
        raise ValueError(f"weight = {weight}: expected a number in [0.5, 1)")
    if weight == 0.5:
        return 1.0
    h = 0.5 * np.log(weight / (1 - weight))

    def gap(v: float) -> float:
        root = np.sqrt(1 - v)
        return -root / v + h + np.arctanh(root)

    return float(np.sqrt(brentq(gap, 1e-4, 1 - 1e-12, xtol=1e-15)))


def two_state_points(weight: float, sigma: float) -> Float[np.ndarray, " n_points"]:
    r"""All fixed points of :math:`\tanh(y/\sigma^2+h)`, ascending: one or three.

    Parameters
    ----------
    weight : float
        Probability of the state +1, (0, 1).
    sigma : float
        Noise level.
    """
    if not 0 < weight < 1:
        raise ValueError(f"weight = {weight}: expected a number in (0, 1)")
    v = check_sigma(sigma) ** 2
    h = 0.5 * np.log(weight / (1 - weight))

    def gap(y: float) -> float:
        return float(np.tanh(y / v + h) - y)

    # between the two turning points of the gap, and beyond them, it is monotone
    ends = [-1.0, 1.0]
    if v < 1:
        turn = v * (np.array([-1, 1]) * np.arctanh(np.sqrt(1 - v)) - h)
        ends = [-1.0, *np.clip(turn, -1.0, 1.0), 1.0]
    found: list[float] = []
    for low, high in itertools.pairwise(ends):
        a, b = gap(low), gap(high)
        if a == 0.0:
            found.append(low)
        elif a * b < 0:
            found.append(brentq(gap, low, high, xtol=1e-15, rtol=1e-15))
    if gap(ends[-1]) == 0.0:
        found.append(ends[-1])
    return np.array(sorted(set(found)))


def two_state_slope(
    weight: float, sigma: float, y: Float[np.ndarray, " n_points"]
) -> Float[np.ndarray, " n_points"]:
    """Derivative of the denoiser; below 1 a fixed point is stable."""
    v = check_sigma(sigma) ** 2
    h = 0.5 * np.log(weight / (1 - weight))
    return (1 - np.tanh(y / v + h) ** 2) / v
