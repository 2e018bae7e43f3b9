r"""How much churn a stable procedure must have at most, and where the theory ends.

A procedure that turns a sample :math:`D` of size :math:`n` into a score :math:`f_D` is
:math:`\beta`-stable if replacing one example moves every score by at most
:math:`\beta`.  For two independent samples :math:`f_A(x)-f_B(x)` has mean 0 and
:math:`2n` bounded differences, so that

.. math::

   \mathbb E\,C_\gamma(f_A,f_B)\le\frac{\mathbb E|f_A-f_B|}\gamma
   \le\frac{\beta\sqrt{\pi n}}\gamma
   \qquad\text{and, from }\operatorname{Var}f_D\le\tfrac{n\beta^2}4,\qquad
   \le\frac{\beta\sqrt{n/2}}\gamma .

Without :math:`\beta`: a jackknife estimates :math:`\operatorname{Var}f_D(x)` from one
sample, and :math:`\mathbb E|f_A-f_B|\le\mathbb E\sqrt{2\operatorname{Var}f_D(X)}`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import expit

from econlib.churn.measures import churn, smooth_churn
from econlib.churn.ridge import jackknife_covariance, ridge_logistic, stability_beta

__all__ = [
    "StabilityRow",
    "churn_bound",
    "measured_stability",
    "sphere_sample",
    "stability_study",
    "tail_bound",
]


def churn_bound(beta: float, n: int, gamma: float, *, sharp: bool = False) -> float:
    r"""Bound on expected smooth churn, :math:`\beta\sqrt{\pi n}/\gamma`.

    Parameters
    ----------
    beta : float
        Stability, 0 or more.
    n : int
        Examples in each sample.
    gamma : float
        Margin of confidence, above 0.
    sharp : bool
        Whether to take :math:`\beta\sqrt{n/2}/\gamma`, which is smaller by
        :math:`\sqrt{2\pi}`.
    """
    if beta < 0 or n < 1 or not gamma > 0:
        raise ValueError(
            f"beta, n, gamma = {beta}, {n}, {gamma}: expected 0 or more, 1 or more, "
            "above 0"
        )
    return beta * float(np.sqrt(n / 2 if sharp else np.pi * n)) / gamma


def tail_bound(t: float, beta: float, n: int, gamma: float) -> float:
    r"""Chance that smooth churn exceeds its bound by ``t``.

    It is at most :math:`e^{-t^2\gamma^2/(n\beta^2)}`.
    """
    if t < 0:
        raise ValueError(f"t = {t}: expected 0 or more")
    return float(np.exp(-((t * gamma / beta) ** 2) / n))


def sphere_sample(
    n: int, d: int, rng: np.random.Generator, *, slope: float = 4.0, batch: int = 1
) -> tuple[Float[np.ndarray, "batch n d"], Int[np.ndarray, "batch n"]]:
    r"""Points on the unit sphere with :math:`P(y=1|x)=\sigma(\text{slope}\,x_1)`."""
    X = rng.standard_normal((batch, n, d))
    X /= np.linalg.norm(X, axis=2, keepdims=True)
    return X, (rng.random((batch, n)) < expit(slope * X[..., 0])).astype(np.int64)


def measured_stability(
    n: int,
    lam: float,
    rng: np.random.Generator,
    *,
    d: int = 5,
    n_replaced: int = 30,
) -> float:
    """Largest move of the weights when one example of a sample is replaced.

    Parameters
    ----------
    n, lam, d
        Sample size, penalty, dimension.
    rng : Generator
    n_replaced : int
        How many examples are tried, one at a time, 1 or more.
    """
    X, y = sphere_sample(n, d, rng)
    new_X, new_y = sphere_sample(n_replaced, d, rng)
    which = rng.choice(n, n_replaced, replace=n_replaced > n)
    many_X = np.repeat(X, n_replaced + 1, axis=0)
    many_y = np.repeat(y, n_replaced + 1, axis=0)
    k = np.arange(n_replaced)
    many_X[k, which], many_y[k, which] = new_X[0], new_y[0]
    w = ridge_logistic(many_X, many_y, lam)
    return float(np.linalg.norm(w[:-1] - w[-1], axis=1).max())


@dataclass(frozen=True)
class StabilityRow:
    r"""Churn of independent pairs of samples against the bounds.

    Attributes
    ----------
    n, lam, gamma : float
        Sample size, penalty, margin of confidence.
    beta, beta_measured : float
        Bound on stability, and the largest move found.
    difference : float
        Mean absolute difference of scores.
    jackknife : float
        Bound on it from one sample alone, mean over samples.
    angle : float
        Mean angle between the two weights, over :math:`\pi`.
    churn, smooth : float
        Mean churn and mean smooth churn (ramp form).
    smooth_each : ndarray, shape (n_pairs,)
        Smooth churn of each pair.
    bound, sharp : float
        Bounds on the mean smooth churn.
    """

    n: int
    lam: float
    gamma: float
    beta: float
    beta_measured: float
    difference: float
    jackknife: float
    angle: float
    churn: float
    smooth: float
    smooth_each: Float[np.ndarray, " n_pairs"]
    bound: float
    sharp: float


def stability_study(
    n: int,
    lam: float,
    gammas: list[float],
    rng: np.random.Generator,
    *,
    n_pairs: int = 20,
    d: int = 5,
    n_test: int = 20_000,
) -> list[StabilityRow]:
    """Train on independent pairs of samples and compare churn with its bounds.

    Parameters
    ----------
    n : int
        Examples in each sample, 2 or more.
    lam : float
        Penalty, above 0.
    gammas : list of float
        Margins of confidence, above 0; one row each.
    rng : Generator
    n_pairs : int
        Pairs, 1 or more.
    d : int
        Dimension, 1 or more.
    n_test : int
        Points that scores are compared on.
    """
    if n < 2 or n_pairs < 1:
        raise ValueError(f"n, n_pairs = {n}, {n_pairs}: expected 2 or more, 1 or more")
    test_X, test_y = sphere_sample(n_test, d, rng)
    weights, own, block = [], [], max(1, 200_000 // n)
    for start in range(0, 2 * n_pairs, block):
        X, y = sphere_sample(n, d, rng, batch=min(block, 2 * n_pairs - start))
        weights.append(ridge_logistic(X, y, lam))
        cov = jackknife_covariance(X, y, weights[-1], lam)
        own += [float(np.sqrt(2 * _spread(test_X[0], c)).mean()) for c in cov]
    w = np.concatenate(weights)
    scores = test_X[0] @ w.T
    fa, fb = scores[:, ::2].T, scores[:, 1::2].T
    unit = w / np.linalg.norm(w, axis=1, keepdims=True)
    angles = np.arccos(np.clip((unit[::2] * unit[1::2]).sum(axis=1), -1, 1))
    beta, found = stability_beta(lam, n), measured_stability(n, lam, rng, d=d)
    flips = np.mean([churn(a > 0, b > 0) for a, b in zip(fa, fb, strict=True)])
    rows = []
    for gamma in gammas:
        each = np.array(
            [smooth_churn(a, b, test_y[0], gamma) for a, b in zip(fa, fb, strict=True)]
        )
        rows.append(
            StabilityRow(
                n=n,
                lam=lam,
                gamma=gamma,
                beta=beta,
                beta_measured=found,
                difference=float(np.abs(fa - fb).mean()),
                jackknife=float(np.mean(own)),
                angle=float(angles.mean() / np.pi),
                churn=float(flips),
                smooth=float(each.mean()),
                smooth_each=each,
                bound=churn_bound(beta, n, gamma),
                sharp=churn_bound(beta, n, gamma, sharp=True),
            )
        )
    return rows


def _spread(X: np.ndarray, cov: np.ndarray) -> np.ndarray:
    """Variance of the score of each row."""
    return ((X @ cov) * X).sum(axis=1)
