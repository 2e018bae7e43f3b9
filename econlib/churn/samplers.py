r"""Cheap ways to draw good models: retraining on cells, and noise on trained weights.

*Retraining* draws as many rows with replacement and trains again.  *Gaussian dropout*
multiplies the weights or the hidden units of one trained model by independent
:math:`N(1,\sigma^2)` (Hsu, Li, Hu and Chen 2024): no training at all.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.special import expit

from econlib.churn.rashomon import check_cells

__all__ = ["bootstrap_cells", "logistic_cells", "noisy_network", "noisy_weights"]


def bootstrap_cells(
    counts: Int[np.ndarray, " n_cells"],
    positives: Int[np.ndarray, " n_cells"],
    m: int,
    rng: np.random.Generator,
) -> tuple[Int[np.ndarray, "m n_cells"], Int[np.ndarray, "m n_cells"]]:
    """Counts and positive counts of samples with replacement, as many rows each.

    Parameters
    ----------
    counts, positives : ndarray of int, shape (n_cells,)
        Rows of each cell, 1 or more, and how many of them are positive.
    m : int
        Samples, 1 or more.
    rng : Generator
    """
    check_cells(counts, positives)
    if m < 1:
        raise ValueError(f"m = {m}: expected an integer, 1 or more")
    n = int(counts.sum())
    share = np.concatenate([positives, counts - positives]) / n
    drawn = rng.multinomial(n, share, size=m)
    ones = drawn[:, : len(counts)]
    return ones + drawn[:, len(counts) :], ones


def logistic_cells(
    U: Float[np.ndarray, "n_cells n_features"],
    counts: Int[np.ndarray, "m n_cells"],
    positives: Int[np.ndarray, "m n_cells"],
    *,
    lam: float = 1e-4,
) -> Float[np.ndarray, "m n_features"]:
    r"""Logistic regressions on weighted cells, many at once, by Newton's method.

    Parameters
    ----------
    U : ndarray, shape (n_cells, n_features)
        Features.
    counts, positives : ndarray of int, shape (m, n_cells)
        Rows of each cell, 0 or more, and how many of them are positive, model by model.
    lam : float
        Ridge penalty on all weights, above 0.

    Raises
    ------
    ValueError
        A penalty that is not positive, or no convergence.
    """
    if not lam > 0:
        raise ValueError(f"lam = {lam}: expected a number above 0")
    n = counts.sum(axis=1, keepdims=True)
    w = np.zeros((len(counts), U.shape[1]))
    for _ in range(50):
        p = expit(w @ U.T)
        slope = (counts * p - positives) / n @ U + 2 * lam * w
        if np.abs(slope).max() < 1e-9:
            return w
        curve = np.einsum(
            "mc,ci,cj->mij", counts / n * p * (1 - p), U, U, optimize=True
        )
        curve += 2 * lam * np.eye(U.shape[1])
        w = w - np.linalg.solve(curve, slope[..., None])[..., 0]
    raise ValueError(f"lam = {lam}: Newton's method has not converged")


def noisy_weights(
    w: Float[np.ndarray, " n_features"], m: int, sigma: float, rng: np.random.Generator
) -> Float[np.ndarray, "m n_features"]:
    r"""Weights times independent :math:`N(1,\sigma^2)`: Gaussian dropout, m times.

    Parameters
    ----------
    w : ndarray, shape (n_features,)
    m : int
    sigma : float
        0 or more.
    rng : Generator
    """
    if not sigma >= 0:
        raise ValueError(f"sigma = {sigma}: expected a number, 0 or more")
    return w * (1 + sigma * rng.standard_normal((m, len(w))))


def noisy_network(
    layers: list[Float[np.ndarray, "..."]],
    X: Float[np.ndarray, "n d"],
    m: int,
    sigma: float,
    rng: np.random.Generator,
) -> Int[np.ndarray, "m n"]:
    r"""Labels of a network whose hidden units are multiplied by :math:`N(1,\sigma^2)`.

    Each of the m copies keeps its factors for all rows: it is a network itself.

    Parameters
    ----------
    layers : list of ndarray
        Weights and biases in turn, shapes (in, out) and (1, out); rectifiers between.
    X : ndarray, shape (n, d)
    m : int
    sigma : float
        0 or more.
    rng : Generator
    """
    if not sigma >= 0:
        raise ValueError(f"sigma = {sigma}: expected a number, 0 or more")
    found = []
    for start in range(0, m, 500):
        size = min(500, m - start)
        h = np.broadcast_to(X, (size, *X.shape))
        for k in range(0, len(layers) - 2, 2):
            factor = 1 + sigma * rng.standard_normal((size, 1, layers[k].shape[1]))
            h = np.maximum(h @ layers[k] + layers[k + 1], 0) * factor
        found.append((h @ layers[-2] + layers[-1])[..., 0] > 0)
    return np.concatenate(found).astype(np.int64)
