r"""Every bundle an independent value, :math:`v(T)\sim U[0,\sqrt{|T|}]`: by quadrature.

There is no free disposal: a bundle may be worth less than a part of it.  With prices by
size, :math:`p_k`, only the best bundle of each size matters.  Of the :math:`\binom sk`
bundles of :math:`s` items left the best has distribution function
:math:`F_k(x)=(x/\sqrt k)^{\binom sk}`, clipped to [0, 1], and sizes are independent, so

.. math::

   \Pr(k)=\int\prod_{l\ne k}F_l(u+p_l)\,dF_k(u+p_k),\qquad \Pr(0)=\prod_lF_l(p_l),

the integral over utilities :math:`u\ge0`.  Prices maximise
:math:`\sum_k\Pr(k)\big(p_k+V(s-k)\big)+\Pr(0)V(s)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import OptimizeResult, minimize
from scipy.special import comb

__all__ = ["SubsetUniform", "quadrature_dp", "size_probabilities"]


@dataclass(frozen=True)
class SubsetUniform:
    """Best size prices where each bundle's value is drawn by itself.

    Attributes
    ----------
    values : ndarray, shape (n_buyers + 1, n_items + 1)
        Revenue with t buyers to come and s items left.
    prices : ndarray, shape (n_buyers + 1, n_items + 1, n_items + 1)
        Price of size k with t buyers to come and s items left; price 0 of size 0, not a
        number where k exceeds s or nobody comes.
    """

    values: Float[np.ndarray, "n_stages n_sizes"]
    prices: Float[np.ndarray, "n_stages n_sizes n_sizes"]


def size_probabilities(
    prices: Float[np.ndarray, " s"], n_grid: int = 1000
) -> Float[np.ndarray, " n_sizes"]:
    """Probabilities that a buyer takes a bundle of size 0 to s.

    Parameters
    ----------
    prices : ndarray, shape (s,)
        Of sizes 1 to s, where s items are left; 0 or more.
    n_grid : int
        Utilities of the quadrature, 100 or more.

    Returns
    -------
    ndarray, shape (s + 1,)
        Nonnegative, summing to one.
    """
    return _choice(np.asarray(prices, float), n_grid)[0]


def _choice(prices: np.ndarray, n_grid: int) -> tuple[np.ndarray, np.ndarray]:
    r"""Probabilities of sizes 0 to s, and their derivatives by price.

    Raising :math:`p_j` moves buyers from size j to every other,
    :math:`\partial\Pr(k)/\partial p_j=\int f_kf_j\prod_{l\ne k,j}F_l\,du`.
    """
    s = len(prices)
    k = np.arange(1, s + 1)
    top, count = np.sqrt(k), comb(s, k)
    u = np.linspace(0.0, max(float((top - prices).max()), 1e-9), n_grid)
    x = np.maximum(u[:, None] + prices, 1e-12)
    logs = count * np.log(np.minimum(x / top, 1.0))  # log F_k(u + p_k)
    whole = logs.sum(axis=1)
    others = np.exp(whole[:, None] - logs)
    steps = np.diff(np.exp(logs), axis=0)  # F_k exactly, the others by their mean
    taken = (steps * (others[1:] + others[:-1])).sum(axis=0) / 2
    share = np.concatenate([[np.exp(whole[0])], taken])
    hazard = np.where(x < top, count / x, 0.0)  # f_k / F_k
    weight = np.exp(whole) * (u[1] - u[0])
    weight[[0, -1]] /= 2
    moves = np.empty((s + 1, s))
    moves[0] = share[0] * hazard[0]
    moves[1:] = (hazard * weight[:, None]).T @ hazard
    moves[k, k - 1] = 0.0
    moves[k, k - 1] = -moves.sum(axis=0)
    return share / share.sum(), moves


def _improve(start: np.ndarray, after: np.ndarray, n_grid: int) -> OptimizeResult:
    """Prices that are a local optimum, from some start."""

    def loss(p: np.ndarray) -> tuple[float, np.ndarray]:
        share, moves = _choice(p, n_grid)
        worth = np.concatenate([[0.0], p]) + after
        return -float(share @ worth), -(share[1:] + worth @ moves)

    bounds = [(0.01, float(np.sqrt(k + 1))) for k in range(len(start))]
    return minimize(
        loss,
        start,
        jac=True,
        method="SLSQP",
        bounds=bounds,
        options={"ftol": 1e-8, "maxiter": 100},
    )


def quadrature_dp(n_buyers: int, n_items: int, n_grid: int = 1000) -> SubsetUniform:
    """Best size prices by backward induction.

    Parameters
    ----------
    n_buyers : int
        1 to 100.
    n_items : int
        1 to 14.
    n_grid : int
        Utilities of the quadrature, 100 to 100 000.

    Returns
    -------
    SubsetUniform
        Values to about 1e-4 at 1000 utilities; prices are local optima, the best of two
        starts.

    Raises
    ------
    ValueError
        A size out of range.
    """
    for name, n, low, high in (
        ("n_buyers", n_buyers, 1, 100),
        ("n_items", n_items, 1, 14),
        ("n_grid", n_grid, 100, 100_000),
    ):
        if not low <= n <= high:
            raise ValueError(f"{name} = {n}: expected an integer, {low} to {high}")
    values = np.zeros((n_buyers + 1, n_items + 1))
    prices = np.full((n_buyers + 1, n_items + 1, n_items + 1), np.nan)
    for t in range(1, n_buyers + 1):
        for s in range(1, n_items + 1):
            k = np.arange(1, s + 1)
            after = values[t - 1, s::-1]  # of selling 0, 1, ..., s items

            starts = [0.8 * np.sqrt(k)]
            if t > 1:
                starts.append(prices[t - 1, s, 1 : s + 1])
            coarse = max(100, n_grid // 5)
            rough = min(
                (_improve(x, after, coarse) for x in starts), key=lambda r: r.fun
            )
            found = _improve(rough.x, after, n_grid)
            values[t, s] = -found.fun
            prices[t, s, 0] = 0.0
            prices[t, s, 1 : s + 1] = found.x
    return SubsetUniform(values, prices)
