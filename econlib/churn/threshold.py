r"""The churn of a threshold learner, in closed form.

Two classes :math:`N(\pm1,1)`, equally likely; the threshold is the middle of the class
means, normal with mean 0 and variance :math:`1/n`.  To first order in the threshold two
learners churn by the density :math:`\varphi(1)` times the distance of their thresholds.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

__all__ = ["nested_threshold_churn", "threshold_churn", "threshold_simulation"]


def threshold_churn(n: int) -> float:
    r"""Churn of two independent threshold learners, :math:`2\varphi(1)/\sqrt{\pi n}`.

    Parameters
    ----------
    n : int
        Examples of each sample, 1 or more.
    """
    if n < 1:
        raise ValueError(f"n = {n}: expected an integer, 1 or more")
    return float(norm.pdf(1) * 2 / np.sqrt(np.pi * n))


def nested_threshold_churn(n: int, r: float) -> float:
    r"""The same where the first sample is a share ``r`` of the second, of size ``n``.

    :math:`\varphi(1)\sqrt{2/\pi}\sqrt{(1/r-1)/n}`.
    """
    if n < 1 or not 0 < r <= 1:
        raise ValueError(f"n, r = {n}, {r}: expected 1 or more, a share in (0, 1]")
    return float(norm.pdf(1) * np.sqrt(2 / np.pi) * np.sqrt((1 / r - 1) / n))


def threshold_simulation(
    n: int, rng: np.random.Generator, *, r: float | None = None, n_draws: int = 20_000
) -> float:
    """Mean churn of the threshold learner by simulation, exact given the thresholds.

    Parameters
    ----------
    n : int
        Examples of the (second) sample, half of each class.
    rng : Generator
    r : float, optional
        Share of the second sample that the first one is; independent samples of the
        same size where not given.
    n_draws : int
        Pairs of samples.
    """
    t = rng.standard_normal(n_draws) / np.sqrt(n)
    if r is None:
        s = rng.standard_normal(n_draws) / np.sqrt(n)
    else:  # the mean of a part differs from that of the whole by an independent normal
        s = t + rng.standard_normal(n_draws) * np.sqrt((1 / r - 1) / n)
    mass = (norm.cdf(t - 1) + norm.cdf(t + 1)) - (norm.cdf(s - 1) + norm.cdf(s + 1))
    return float(np.abs(mass).mean() / 2)
