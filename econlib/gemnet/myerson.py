r"""Benchmarks with a known revenue: selling items apart, in one bundle, or by VCG.

One item goes to the largest ironed virtual value :math:`\bar\varphi_i(v_i)`, if it is
positive (Myerson 1981), and

.. math::

   R=\mathbb E\max_i\bar\varphi_i(v_i)^+
    =\int_0^\infty\Big(1-\prod_i\Pr[\bar\varphi_i(v_i)\le z]\Big)\,dz .
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

__all__ = [
    "bundle_revenue",
    "ironed_virtual_values",
    "item_revenue",
    "vcg",
]


def ironed_virtual_values(
    quantiles: Float[np.ndarray, " n"],
) -> Float[np.ndarray, " n_intervals"]:
    r"""Ironed virtual values between neighbouring levels, n - 1 of them.

    The revenue curve in quantiles, :math:`R(q)=q\,F^{-1}(1-q)`, is replaced by its
    concave hull, whose slope is the ironed virtual value.

    Parameters
    ----------
    quantiles : ndarray, shape (n,)
        Values at n equally spaced levels from 0 to 1, not decreasing; the last may be
        infinite.

    Raises
    ------
    ValueError
        Fewer than two levels, or values that decrease.
    """
    v = np.asarray(quantiles, dtype=float)
    if len(v) < 2 or (v[1:] < v[:-1]).any():
        raise ValueError("quantiles: expected two numbers or more that do not decrease")
    n = len(v) - 1
    revenue = np.append(0.0, np.arange(1, n + 1) / n * v[-2::-1])
    sums: list[float] = []
    sizes: list[int] = []
    for gain in np.diff(revenue):
        sums.append(gain)
        sizes.append(1)
        # pool neighbours while slopes rise
        while len(sums) > 1 and sums[-2] * sizes[-1] <= sums[-1] * sizes[-2]:
            last, size = sums.pop(), sizes.pop()
            sums[-1] += last
            sizes[-1] += size
    slopes = np.array(sums) / np.array(sizes) * n
    return np.repeat(slopes, sizes)[::-1]


def item_revenue(quantiles: Sequence[Float[np.ndarray, " n"]]) -> float:
    """Largest revenue from one item.

    Parameters
    ----------
    quantiles : sequence of ndarray
        Of each bidder, as in ``ironed_virtual_values``.
    """
    virtual = [np.maximum(ironed_virtual_values(v), 0.0) for v in quantiles]
    z = np.unique(np.concatenate([[0.0], *virtual]))
    below = [np.searchsorted(v, z, "right") / len(v) for v in virtual]
    return float((np.diff(z) * (1 - np.prod(below, axis=0)[:-1])).sum())


def bundle_revenue(
    inverses: Sequence[Sequence[Callable[[np.ndarray], np.ndarray]]],
    n: int = 2**17,
    seed: int = 0,
) -> float:
    """Largest revenue from all items in one bundle.

    Parameters
    ----------
    inverses : sequence of sequences of callables
        Quantile function of each bidder and item.
    n : int
        Points of a scrambled Sobol sequence for each bidder's sum, a power of two.
    seed : int

    Raises
    ------
    ValueError
        Another number of points.
    """
    if n < 2 or n & (n - 1):
        raise ValueError(f"n = {n}: expected a power of two, 2 or more")
    levels = np.linspace(0, 1, 257)  # more would iron noise
    sums = []
    for k, own in enumerate(inverses):
        points = stats.qmc.Sobol(len(own), rng=seed + k).random(n)
        total = sum(ppf(u) for ppf, u in zip(own, points.T, strict=True))
        sums.append(np.quantile(total, levels, method="hazen"))
    return item_revenue(sums)


def vcg(
    values: Float[np.ndarray, "n_profiles n_bidders n_items"], reserve: float = 0.0
) -> tuple[Int[np.ndarray, "n_profiles n_items"], Float[np.ndarray, " n_profiles"]]:
    """Each item to the highest bidder at the second price, or the reserve.

    Parameters
    ----------
    values : ndarray, shape (n_profiles, n_bidders, n_items)
        Additive.
    reserve : float
        Of each item.

    Returns
    -------
    winner : ndarray of int, shape (n_profiles, n_items)
        -1 where an item stays unsold.
    revenue : ndarray, shape (n_profiles,)
    """
    order = np.sort(values, axis=1)
    best = order[:, -1]
    second = order[:, -2] if values.shape[1] > 1 else np.zeros_like(best)
    sold = best >= reserve
    winner = np.where(sold, values.argmax(axis=1), -1)
    return winner, (np.maximum(second, reserve) * sold).sum(axis=1)
