r"""Five readings of the rank of a Jacobian, from its singular values.

With :math:`\varsigma_1\ge\dots\ge\varsigma_d` and
:math:`q_k=\varsigma_k/\sum\varsigma`: the numbers of :math:`\varsigma_k` above two
thresholds, the *effective rank* :math:`\exp(-\sum_kq_k\log q_k)`, the *stable rank*
:math:`\sum\varsigma_k^2/\varsigma_1^2` and the *nuclear rank*
:math:`\sum\varsigma_k/\varsigma_1`.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

__all__ = ["RANKS", "jacobian_ranks", "spearman", "spearman_interval"]

#: Names of the readings.
RANKS = ("above 0.1", "above 0.01", "effective", "stable", "nuclear")


def jacobian_ranks(
    jacobian: Float[np.ndarray, "*batch d d"], tolerance: float = 0.1
) -> dict[str, np.ndarray]:
    """All readings of each matrix, by name.

    Parameters
    ----------
    jacobian : ndarray, shape (..., d, d)
        Matrices.
    tolerance : float
        First threshold, above 0; the second is a tenth of it.

    Examples
    --------
    >>> found = jacobian_ranks(np.diag([1.0, 1.0, 0.0])[None])
    >>> [found[name].item() for name in RANKS]
    [2.0, 2.0, 2.0, 2.0, 2.0]
    """
    if tolerance <= 0:
        raise ValueError(f"tolerance = {tolerance}: expected a number above 0")
    value = np.linalg.svd(jacobian, compute_uv=False)
    total, top = value.sum(axis=-1), np.maximum(value[..., 0], 1e-100)
    share = value / np.maximum(total, 1e-300)[..., None]
    entropy = -(share * np.log(np.where(share > 0, share, 1.0))).sum(axis=-1)
    return {
        "above 0.1": (value > tolerance).sum(axis=-1).astype(float),
        "above 0.01": (value > tolerance / 10).sum(axis=-1).astype(float),
        "effective": np.exp(entropy),
        "stable": (value**2).sum(axis=-1) / top**2,
        "nuclear": total / top,
    }


def spearman(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> float:
    """Rank correlation; not a number where one of the two is constant."""
    if len(x) != len(y) or len(x) < 3:
        raise ValueError(
            f"x, y: {len(x)} and {len(y)} numbers, expected 3 or more each"
        )
    a, b = rankdata(x), rankdata(y)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def spearman_interval(
    x: Float[np.ndarray, " n"],
    y: Float[np.ndarray, " n"],
    rng: np.random.Generator,
    n_boot: int = 300,
) -> tuple[float, float, float]:
    """Rank correlation with a 95 % bootstrap interval over the pairs."""
    draws = [
        spearman(x[pick], y[pick]) for pick in rng.integers(0, len(x), (n_boot, len(x)))
    ]
    draws = [v for v in draws if np.isfinite(v)]
    if not draws:
        return spearman(x, y), float("nan"), float("nan")
    low, high = np.quantile(draws, [0.025, 0.975])
    return spearman(x, y), float(low), float(high)
