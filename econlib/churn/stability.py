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

Ridge logistic regression, :math:`\min_w\frac1n\sum\log(1+e^{-y_iw\cdot x_i})
+\lambda\|w\|^2` with :math:`\|x\|\le\kappa`, has :math:`\beta\le\kappa^2/(\lambda n)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import expit, log_expit
from scipy.stats import norm

from econlib.churn.measures import churn, smooth_churn

__all__ = [
    "StabilityRow",
    "churn_bound",
    "measured_stability",
    "nested_threshold_churn",
    "ridge_logistic",
    "sphere_sample",
    "stability_beta",
    "stability_study",
    "tail_bound",
    "threshold_churn",
    "threshold_simulation",
]


def ridge_logistic(
    X: Float[np.ndarray, "batch n d"],
    y: Int[np.ndarray, "batch n"],
    lam: float,
    *,
    n_steps: int = 50,
) -> Float[np.ndarray, "batch d"]:
    r"""Ridge logistic regressions without intercept, many at once, by Newton's method.

    Parameters
    ----------
    X : ndarray, shape (batch, n, d)
        Features.
    y : ndarray of int, shape (batch, n)
        Labels, 0 and 1.
    lam : float
        :math:`\lambda`, above 0.
    n_steps : int
        Most Newton steps.

    Returns
    -------
    ndarray, shape (batch, d)
        Weights; the gradient is below 1e-10.

    Raises
    ------
    ValueError
        A penalty that is not positive, labels other than two, or no convergence.
    """
    if not lam > 0:
        raise ValueError(f"lam = {lam}: expected a number above 0")
    if not np.isin(y, (0, 1)).all():
        raise ValueError("y: expected labels 0 and 1")
    n, d = X.shape[1:]
    w = np.zeros((len(X), d))

    def objective(w: np.ndarray) -> np.ndarray:
        z = np.einsum("bnd,bd->bn", X, w)
        fit = -log_expit(np.where(y == 1, z, -z)).mean(1)
        return fit + lam * (w * w).sum(1)

    for _ in range(n_steps):
        p = expit(np.einsum("bnd,bd->bn", X, w))
        slope = np.einsum("bn,bnd->bd", p - y, X) / n + 2 * lam * w
        if np.abs(slope).max() < 1e-10:
            return w
        curve = np.einsum("bn,bnd,bne->bde", p * (1 - p) / n, X, X, optimize=True)
        move = np.linalg.solve(curve + 2 * lam * np.eye(d), slope[..., None])[..., 0]
        size, before = np.ones(len(X)), objective(w)
        for _ in range(30):  # halve the steps that do not help
            worse = objective(w - size[:, None] * move) > before + 1e-15
            if not worse.any():
                break
            size = np.where(worse, size / 2, size)
        w = w - size[:, None] * move
    raise ValueError(f"lam = {lam}: Newton's method has not converged")


def stability_beta(lam: float, n: int, kappa: float = 1.0) -> float:
    r"""Bound :math:`\kappa^2/(\lambda n)` on a score's move when one example changes.

    Parameters
    ----------
    lam : float
        Ridge penalty, above 0.
    n : int
        Examples, 1 or more.
    kappa : float
        Largest norm of features.
    """
    if not lam > 0 or n < 1 or not kappa > 0:
        raise ValueError(
            f"lam, n, kappa = {lam}, {n}, {kappa}: expected numbers above 0"
        )
    return kappa**2 / (lam * n)


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
    """Churn of independent pairs of samples against the bounds.

    Attributes
    ----------
    n, lam, gamma : float
        Sample size, penalty, margin of confidence.
    beta, beta_measured : float
        Bound on stability, and the largest move found.
    difference : float
        Mean absolute difference of scores.
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
    pairs, block = [], max(1, 200_000 // n)
    for start in range(0, 2 * n_pairs, block):
        size = min(block, 2 * n_pairs - start)
        pairs.append(ridge_logistic(*sphere_sample(n, d, rng, batch=size), lam))
    scores = test_X[0] @ np.concatenate(pairs).T
    fa, fb = scores[:, ::2].T, scores[:, 1::2].T
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
                churn=float(flips),
                smooth=float(each.mean()),
                smooth_each=each,
                bound=churn_bound(beta, n, gamma),
                sharp=churn_bound(beta, n, gamma, sharp=True),
            )
        )
    return rows


def threshold_churn(n: int) -> float:
    r"""Churn of two independent threshold learners, :math:`2\varphi(1)/\sqrt{\pi n}`.

    Two classes :math:`N(\pm1,1)`, equally likely; the threshold is the middle of the
    class means, normal with variance :math:`1/n`.  First order in the threshold.
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
