r"""One good, buyers in a fixed order: the best posted prices.

With :math:`F_t` the law of buyer :math:`t`'s value and :math:`V_{n+1}=0`,

.. math::

   V_t=\max_p\;p\,\bar F_t(p)+F_t(p)\,V_{t+1},\qquad \bar F=1-F .

For :math:`U[0,1]` this is :math:`p_t=\frac{1+V_{t+1}}2`, :math:`V_t=p_t^2`.  The
item-wise baseline posts these prices for each item by itself, whatever remains; for
additive buyers it earns the sum of the items' values.  The bundle-wise baseline treats
the grand bundle as the one good.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats
from scipy.optimize import minimize_scalar

__all__ = ["PostedPrices", "best_order", "posted_prices", "uniform"]

_QUANTILES = np.linspace(0.0, 1.0, 2001)
_MOST_BUYERS = 10


@dataclass(frozen=True)
class PostedPrices:
    """Best prices of one good.

    Attributes
    ----------
    values : ndarray, shape (n_buyers + 1,)
        Expected revenue from buyer t on, while the good is unsold; 0 at the end.
    prices : ndarray, shape (n_buyers,)
        Price that buyer t is shown.
    """

    values: Float[np.ndarray, " n_stages"]
    prices: Float[np.ndarray, " n_buyers"]


def uniform(low: float | int, high: float | int) -> object:
    """Uniform law on an interval, as ``scipy.stats`` gives it.

    Raises
    ------
    ValueError
        Bounds that are negative, infinite or reversed.
    """
    if not 0 <= low < high < np.inf:
        raise ValueError(f"low, high = {low}, {high}: expected 0 <= low < high < inf")
    return stats.uniform(low, high - low)


def posted_prices(laws: Sequence[object]) -> PostedPrices:
    """Best price for each buyer, by backward induction.

    Parameters
    ----------
    laws : sequence of scipy.stats frozen distributions
        Values of the buyers, in the order in which they come; on bounded intervals of
        nonnegative numbers, continuous.

    Returns
    -------
    PostedPrices
        Values and prices, to about 1e-9.

    Raises
    ------
    ValueError
        No buyer, or a law without a distribution function or with an unbounded support.

    Examples
    --------
    >>> posted_prices([uniform(0, 1)] * 2).values.round(6).tolist()
    [0.390625, 0.25, 0.0]
    """
    check_laws(laws)
    values, prices = [0.0], []
    for law in reversed(laws):
        price, value = _best_price(law, values[-1])
        prices.append(price)
        values.append(value)
    return PostedPrices(np.array(values[::-1]), np.array(prices[::-1]))


def best_order(laws: Sequence[object]) -> tuple[tuple[int, ...], float]:
    r"""The order of the buyers that earns most.

    Revenue from one buyer grows with what the good is worth unsold, so the best order
    of the buyers still to come does not depend on who came before: with :math:`L` the
    set of them, :math:`V(L)=\max_{i\in L}\max_pp\bar F_i(p)+F_i(p)V(L\setminus i)`.

    Parameters
    ----------
    laws : sequence of scipy.stats frozen distributions
        As for :func:`posted_prices`, 1 to 10 of them.

    Returns
    -------
    order : tuple of int
        Places in ``laws``, first buyer first; the first of equally good orders.
    value : float
        Its expected revenue.

    Raises
    ------
    ValueError
        As :func:`posted_prices`, and for more than ten buyers.
    """
    if len(laws) > _MOST_BUYERS:
        raise ValueError(
            f"laws: {len(laws)} buyers, expected at most {_MOST_BUYERS}: every set of "
            "buyers is solved"
        )
    check_laws(laws)
    best: dict[tuple[int, ...], tuple[tuple[int, ...], float]] = {(): ((), 0.0)}
    for size in range(1, len(laws) + 1):
        for left in itertools.combinations(range(len(laws)), size):
            tried = []
            for first in left:
                rest, after = best[tuple(i for i in left if i != first)]
                tried.append(((first, *rest), _best_price(laws[first], after)[1]))
            best[left] = max(tried, key=lambda t: t[1])
    return best[tuple(range(len(laws)))]


def check_laws(laws: Sequence[object]) -> None:
    """ValueError where laws cannot be priced: see :func:`posted_prices`."""
    if len(laws) == 0:
        raise ValueError("laws: no buyer, expected one law or more")
    for law in laws:
        if not (hasattr(law, "cdf") and hasattr(law, "ppf")):
            raise ValueError(f"laws holds {law!r}: expected laws with cdf and ppf")
        ends = np.asarray(law.ppf([0.0, 1.0]), float)
        if not (np.isfinite(ends).all() and ends[0] >= 0):
            raise ValueError(
                f"laws: support {ends.tolist()}, expected bounded and nonnegative"
            )


def _best_price(law: object, after: float) -> tuple[float, float]:
    """Best price of one buyer and its value, an unsold good being worth ``after``."""

    def loss(p: float) -> float:
        kept = float(law.cdf(p))
        return -(p * (1 - kept) + kept * after)

    grid = np.asarray(law.ppf(_QUANTILES), float)
    k = int(np.argmax(grid * (1 - _QUANTILES) + _QUANTILES * after))
    ends = float(grid[max(k - 1, 0)]), float(grid[min(k + 1, len(grid) - 1)])
    found = minimize_scalar(
        loss, bounds=ends, method="bounded", options={"xatol": 1e-12}
    )
    price = min((float(found.x), *ends), key=loss)
    return price, -loss(price)
