r"""Ridge logistic regression: many at once, its stability, and its spread.

For labels :math:`y_i=\pm1`,

.. math:: \min_w\ \frac1n\sum_i\log(1+e^{-y_iw\cdot x_i})+\lambda\|w\|^2 .

With :math:`\|x\|\le\kappa` the objective is :math:`2\lambda`-strongly convex and one
replaced example moves a score by at most :math:`\beta\le\kappa^2/(\lambda n)`.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.special import expit, log_expit

__all__ = ["jackknife_covariance", "ridge_logistic", "stability_beta"]


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
        A penalty that is not positive, labels other than two, missing values, or no
        convergence.
    """
    if not lam > 0:
        raise ValueError(f"lam = {lam}: expected a number above 0")
    if not np.isin(y, (0, 1)).all():
        raise ValueError("y: expected labels 0 and 1")
    if not np.isfinite(X).all():
        raise ValueError("X: missing or infinite values")
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


def jackknife_covariance(
    X: Float[np.ndarray, "batch n d"],
    y: Int[np.ndarray, "batch n"],
    w: Float[np.ndarray, "batch d"],
    lam: float,
) -> Float[np.ndarray, "batch d d"]:
    r"""Covariance of ridge logistic weights from the sample they were trained on.

    Leaving out example :math:`i` moves the weights by about
    :math:`H^{-1}\psi_i/(n-1)`, with :math:`\psi_i=(p_i-y_i)x_i+2\lambda w` and the
    objective's curvature :math:`H`, so that the jackknife's covariance is
    :math:`H^{-1}\sum_i\psi_i\psi_i^\top H^{-1}/(n(n-1))`.

    Parameters
    ----------
    X : ndarray, shape (batch, n, d)
        Features; n is 2 or more.
    y : ndarray of int, shape (batch, n)
        Labels, 0 and 1.
    w : ndarray, shape (batch, d)
        Weights that :func:`ridge_logistic` returned.
    lam : float
        The penalty it was given.
    """
    n, d = X.shape[1:]
    p = expit(np.einsum("bnd,bd->bn", X, w))
    influence = (p - y)[..., None] * X + 2 * lam * w[:, None]
    curve = np.einsum("bn,bnd,bne->bde", p * (1 - p) / n, X, X, optimize=True)
    moves = np.linalg.solve(curve + 2 * lam * np.eye(d), influence.mT)
    return moves @ moves.mT / (n * (n - 1))
