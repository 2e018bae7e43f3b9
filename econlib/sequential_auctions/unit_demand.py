r"""Unit-demand buyers, one price for every item left.

Of :math:`s` items left with independent values of law :math:`F` a buyer wants the best;
at price :math:`P` he takes it with probability :math:`1-F(P)^s`, and

.. math::

   V_t(s)=\max_P\,\big(1-F(P)^s\big)\big(P+V_{t+1}(s-1)\big)+F(P)^s\,V_{t+1}(s).

One buyer with :math:`U[0,1]`: :math:`P=(1+s)^{-1/s}`.  That items have one price is
assumed; with symmetric items no better prices are known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize_scalar

from econlib.sequential_auctions.posted_prices import check_laws, uniform

__all__ = ["UnitDemand", "unit_demand_dp"]

_QUANTILES = np.linspace(0.0, 1.0, 2001)


@dataclass(frozen=True)
class UnitDemand:
    """Best uniform prices.

    Attributes
    ----------
    values, prices : ndarray, shape (n_buyers + 1, n_items + 1)
        Revenue with t buyers to come and s items left, and the price shown; prices
        where there is nothing to sell or nobody to come are not numbers.
    """

    values: Float[np.ndarray, "n_stages n_sizes"]
    prices: Float[np.ndarray, "n_stages n_sizes"]


def unit_demand_dp(
    n_buyers: int, n_items: int, law: object | None = None
) -> UnitDemand:
    """Best price with t buyers to come and s items left, by backward induction.

    Parameters
    ----------
    n_buyers, n_items : int
        1 to 200.
    law : scipy.stats frozen distribution, optional
        Of each value, as for ``posted_prices``; uniform on [0, 1] if left out.

    Returns
    -------
    UnitDemand
        Values to about 1e-9.

    Raises
    ------
    ValueError
        Sizes out of range, or a law that cannot be used.

    Examples
    --------
    >>> round(float(unit_demand_dp(2, 2).values[2, 2]), 6)
    0.683556
    """
    for name, n in (("n_buyers", n_buyers), ("n_items", n_items)):
        if not 1 <= n <= 200:
            raise ValueError(f"{name} = {n}: expected an integer, 1 to 200")
    law = uniform(0, 1) if law is None else law
    check_laws([law])
    grid = np.asarray(law.ppf(_QUANTILES), float)
    values = np.zeros((n_buyers + 1, n_items + 1))
    prices = np.full_like(values, np.nan)
    for t in range(1, n_buyers + 1):
        for s in range(1, n_items + 1):
            sold, kept = values[t - 1, s - 1], values[t - 1, s]

            def loss(
                p: float, s: int = s, sold: float = sold, kept: float = kept
            ) -> float:
                below = law.cdf(p) ** s
                return -((1 - below) * (p + sold) + below * kept)

            below = _QUANTILES**s
            k = int(np.argmax((1 - below) * (grid + sold) + below * kept))
            ends = float(grid[max(k - 1, 0)]), float(grid[min(k + 1, len(grid) - 1)])
            found = minimize_scalar(
                loss, bounds=ends, method="bounded", options={"xatol": 1e-10}
            )
            prices[t, s] = min((float(found.x), *ends), key=loss)
            values[t, s] = -loss(prices[t, s])
    return UnitDemand(values, prices)
