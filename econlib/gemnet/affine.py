r"""Affine maximisers for two bidders and two exchangeable items.

The allocation maximises weighted reported values plus a *boost* of the allocation:
:math:`\lambda_i` where bidder i gets one item and the other none, :math:`\mu_i` where
she gets both, :math:`\nu` where each gets one, 0 where nothing is sold.  Bidder i pays
what the other loses by her, boosts included and over her weight, so that her prices
depend on the other's values :math:`(x,y)` only: with the other's weight :math:`w` in
:math:`x'=wx,\ y'=wy`,

.. math::

   W=\max(0,\ x'+\lambda_o,\ y'+\lambda_o,\ x'+y'+\mu_o),\quad
   w_iA=W-\max(\lambda_i,\ y'+\nu),\quad w_iC=W-\mu_i .
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

from econlib.gemnet import kernels
from econlib.gemnet.laws import Law, Market

__all__ = ["AffineMaximiser", "affine_revenue", "monopoly_menu", "tune_boosts"]


# boosts to begin a search from, over the price of one item to one bidder
_SHAPES = np.array([[-1.2, -1.8, -2.2], [-1.9, -1.8, -2.9]])


@dataclass(frozen=True)
class AffineMaximiser:
    """A deterministic affine maximiser that treats both items alike.

    Attributes
    ----------
    weights : (float, float)
        Of both bidders' values, above 0.
    one, both : (float, float)
        Boosts where the bidder gets one item and the other none, and both items.
    split : float
        Boost where each gets one.
    """

    weights: tuple[float, float]
    one: tuple[float, float]
    both: tuple[float, float]
    split: float

    def __post_init__(self) -> None:
        if not min(self.weights) > 0:
            raise ValueError(f"weights = {self.weights}: expected numbers above 0")

    @classmethod
    def symmetric(cls, one: float, both: float, split: float) -> AffineMaximiser:
        """The one that treats bidders alike too."""
        return cls((1.0, 1.0), (one, one), (both, both), split)

    def swapped(self) -> AffineMaximiser:
        """The same with the bidders' names exchanged."""
        return AffineMaximiser(
            self.weights[::-1], self.one[::-1], self.both[::-1], self.split
        )

    def prices(
        self, bidder: int, v: Float[np.ndarray, "... 2"]
    ) -> Float[np.ndarray, "... 3"]:
        """Prices of item 1, item 2 and both for bidder 0 or 1 at the other's values."""
        other = 1 - bidder
        x, y = self.weights[other] * v[..., 0], self.weights[other] * v[..., 1]
        one, split = self.one[bidder], self.split
        alone = np.maximum(x, y) + self.one[other]
        best = np.maximum(np.maximum(alone, x + y + self.both[other]), 0.0)
        a = best - np.maximum(one, y + split)
        b = best - np.maximum(one, x + split)
        prices = np.stack([a, b, best - self.both[bidder]], axis=-1)
        return prices / self.weights[bidder]

    def bends(self, bidder: int) -> tuple[list[float], float]:
        """Where the prices of a bidder bend: at x or y, and at what sum x + y."""
        other = 1 - bidder
        w = self.weights[other]
        one, both = self.one[other], self.both[other]
        lines = [one - both, self.one[bidder] - self.split, -one]
        return [z / w for z in lines], -both / w


def affine_revenue(market: Market, affine: AffineMaximiser, n: int = 768) -> float:
    """Expected revenue in units of the market, exact in each bidder's own values.

    Parameters
    ----------
    market : Market
    affine : AffineMaximiser
    n : int
        Midpoints an axis in quantiles of the other's values; 192 are within 1e-5.
    """
    total = 0.0
    for bidder, own, other in (
        (0, market.first, market.second),
        (1, market.second, market.first),
    ):
        i, j = np.tril_indices(n)  # items are exchangeable
        x = other.ppf((np.arange(n) + 0.5) / n)
        weights = np.where(i == j, 1.0, 2.0) / n**2
        prices = affine.prices(bidder, np.stack([x[i], x[j]], axis=1))
        total += kernels.mean_revenue(own.breaks, own.coefficients, prices, weights)
    return total


def tune_boosts(market: Market, *, starts: int = 2, seed: int = 0) -> AffineMaximiser:
    """Affine maximiser of most revenue, by Nelder and Mead from several starts.

    Parameters
    ----------
    market : Market
        Where both laws are the same, bidders are treated alike.
    starts : int
        1 or more: items sold alone too, then in a bundle, then at random.
    seed : int
    """
    if starts < 1:
        raise ValueError(f"starts = {starts}: expected an integer, 1 or more")
    rng = np.random.default_rng(seed)
    alike = market.first is market.second
    r = [monopoly_price(law) for law in (market.first, market.second)]

    def made(z: np.ndarray) -> AffineMaximiser:
        if alike:
            return AffineMaximiser.symmetric(*map(float, z))
        w, *boosts = map(float, z)
        one, both = tuple(boosts[:2]), tuple(boosts[2:4])
        return AffineMaximiser((float(np.exp(w)), 1.0), one, both, boosts[4])

    best = None
    for k in range(starts):
        shape = _SHAPES[min(k, 1)]
        if k > 1:
            shape = _SHAPES[0] * rng.uniform(0.6, 1.3, 3)
        if alike:
            first = r[0] * shape
        else:
            first = [0.0, *(shape[0] * z for z in r), *(shape[1] * z for z in r)]
            first = np.array([*first, shape[2] * (r[0] + r[1]) / 2])
        options = {"xatol": 1e-5, "fatol": 1e-8, "maxfev": 250 if alike else 800}
        found = minimize(
            lambda z: -affine_revenue(market, made(z), 192),
            first,
            method="Nelder-Mead",
            options=options,
        )
        if best is None or found.fun < best.fun:
            best = found
    return made(best.x)


def monopoly_price(law: Law) -> float:
    """Best price of one item for one bidder, on a grid of 4001 values."""
    x = np.linspace(0, law.top, 4001)
    return float(x[np.argmax(x * (1 - law.cdf(x)))])


def monopoly_menu(law: Law, *, unit_demand: bool = False) -> Float[np.ndarray, "3"]:
    """Best prices of item 1, item 2 and both for a single bidder, items priced alike.

    Parameters
    ----------
    law : Law
    unit_demand : bool
        Whether both together are not for sale; their price is then 6.
    """

    def loss(z: np.ndarray) -> float:
        c = 6.0 if unit_demand else z[1]
        return -kernels.revenue(law.breaks, law.coefficients, z[0], z[0], c)

    r = monopoly_price(law)
    best = None
    for share in (1.0, 1.2, 1.5):
        found = minimize(
            loss,
            r * np.array([share, 1.7]),
            method="Nelder-Mead",
            options={"xatol": 1e-9, "fatol": 1e-13},
        )
        if best is None or found.fun < best.fun:
            best = found
    a, c = best.x
    return np.array([a, a, 6.0 if unit_demand else c])
