r"""What prices earn that know less: item by item, the grand bundle, one price a state.

*Item-wise*: for each item alone the posted prices of its own value
:math:`v(\{j\})`, shown whatever remains.  Additive buyers then bring the sum of the
items' values; others are simulated.  *Bundle-wise*: the same recursion for
:math:`v(M)`, all items as one good.  *Stateful*: one price for every item, which
depends on how many are left and who comes,

.. math::

   V_t(s)=\max_p\sum_k\Pr_s(k\mid p)\big(kp+V_{t+1}(s-k)\big),

where the choice probabilities do not depend on :math:`t` and are counted once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from econlib.sequential_auctions.posted_prices import (
    PostedPrices,
    posted_prices,
    uniform,
)
from econlib.sequential_auctions.settings import Setting

__all__ = [
    "GridLaw",
    "ItemWise",
    "StatefulPrices",
    "bundle_law",
    "grand_bundle",
    "item_law",
    "item_wise",
    "stateful_item_prices",
]

_CELLS = 2**14
_DRAWS = 2**20


@dataclass(frozen=True)
class GridLaw:
    """A law by points of its distribution function, straight between them.

    Attributes
    ----------
    points, below : ndarray, shape (n_points,)
        Ascending values, and the probability of less; from 0 to 1.
    """

    points: Float[np.ndarray, " n_points"]
    below: Float[np.ndarray, " n_points"]

    def cdf(self, x: object) -> np.ndarray | float:
        """Distribution function."""
        return np.interp(x, self.points, self.below)

    def ppf(self, q: object) -> np.ndarray | float:
        """Quantiles."""
        return np.interp(q, self.below, self.points)


@dataclass(frozen=True)
class ItemWise:
    """Best prices of items by themselves.

    Attributes
    ----------
    values : ndarray, shape (n_buyers + 1, n_items)
        Revenue of each item from buyer t on, as if it were alone.
    prices : ndarray, shape (n_buyers, n_items)
        First buyer first.
    """

    values: Float[np.ndarray, "n_stages n_items"]
    prices: Float[np.ndarray, "n_buyers n_items"]


@dataclass(frozen=True)
class StatefulPrices:
    """Best uniform price of an item by state.

    Attributes
    ----------
    values : ndarray, shape (n_buyers + 1, n_items + 1)
        Revenue with t buyers to come and s items left, out of sample.
    prices : ndarray, shape (n_buyers + 1, n_items + 1)
        Price of each item; not a number where nothing is sold.
    """

    values: Float[np.ndarray, "n_stages n_sizes"]
    prices: Float[np.ndarray, "n_stages n_sizes"]


def _sum_law(parts: list[tuple[object, float | int, float | int]]) -> GridLaw:
    """Law of a sum of independent parts, each with its law and the ends of its range.

    Masses of cells are convolved and stand at the cells' middles: errors are of the
    order of the squared width, a few times 1e-8.
    """
    low, high = sum(p[1] for p in parts), sum(p[2] for p in parts)
    h = (high - low) / _CELLS
    total = np.array([1.0])
    for law, first, last in parts:
        n = int(np.ceil((last - first) / h - 1e-9))
        mass = np.diff(np.asarray(law.cdf(first + h * np.arange(n + 1)), float))
        size = 1 << (len(total) + n - 1).bit_length()
        spectrum = np.fft.rfft(total, size) * np.fft.rfft(mass, size)
        total = np.fft.irfft(spectrum, size)[: len(total) + n - 1]
    total = np.maximum(total, 0.0)
    below = np.concatenate([[0.0], total.cumsum() / total.sum()])
    points = low + h * (np.arange(len(below)) + (len(parts) - 1) / 2)
    return GridLaw(np.clip(points, low, high), np.clip(below, 0.0, 1.0))


def _one_item(setting: Setting, j: int) -> object:
    """Law of :math:`t_j`."""
    low, high = setting.bounds
    law = uniform(low, high) if setting.law is None else setting.law
    if setting.name != "B":
        return law
    share = (j + 1) / setting.n_items
    if setting.law is None:
        return uniform(low * share, high * share)
    q = np.linspace(0.0, 1.0, _CELLS + 1)
    return GridLaw(share * np.asarray(law.ppf(q), float), q)


def item_law(setting: Setting, j: int) -> object:
    """Law of a buyer's value for item j alone; j counts from 0.

    Raises
    ------
    ValueError
        No such item.
    """
    if not 0 <= j < setting.n_items:
        raise ValueError(f"j = {j}: expected an integer, 0 to {setting.n_items - 1}")
    if setting.name == "E":
        return uniform(0, 1)
    if setting.name == "F":
        low, high = setting.spread
        return _sum_law(
            [
                (_one_item(setting, j), *setting.bounds),
                (_Uniform(low, high), low, high),
            ]
        )
    return _one_item(setting, j)


@dataclass(frozen=True)
class _Uniform:
    """Uniform on any interval, negative numbers too."""

    low: float | int
    high: float | int

    def cdf(self, x: object) -> np.ndarray | float:
        """Distribution function."""
        return np.clip((np.asarray(x) - self.low) / (self.high - self.low), 0.0, 1.0)


def bundle_law(setting: Setting, seed: int = 0) -> object:
    """Law of a buyer's value for all items together.

    Parameters
    ----------
    setting : Setting
        Any.
    seed : int
        Of the million draws that setting D needs; the others are exact to 1e-6.
    """
    m = setting.n_items
    if setting.name == "E":
        return uniform(0, np.sqrt(m))
    if setting.name in "ABF":
        parts = []
        for j in range(m):
            law, top = _one_item(setting, j), setting.tops[j] / setting.bounds[1]
            parts.append((law, setting.bounds[0] * top, setting.bounds[1] * top))
        if setting.name == "F":
            low, high = (m * end for end in setting.spread)
            parts.append((_Uniform(low, high), low, high))
        return _sum_law(parts)
    q = np.linspace(0.0, 1.0, 4001)
    if setting.name == "C":
        return GridLaw(np.asarray(_one_item(setting, 0).ppf(q ** (1 / m)), float), q)
    rng = np.random.default_rng(seed)
    top = np.concatenate(
        [setting.best_by_size(2**16, m, rng)[:, -1] for _ in range(_DRAWS >> 16)]
    )
    points = np.quantile(top, q)
    points[0] = setting.most * setting.bounds[0]
    points[-1] = setting.most * setting.bounds[1]
    return GridLaw(points, q)


def item_wise(setting: Setting, n_buyers: int) -> ItemWise:
    """Best prices of each item by itself.

    Parameters
    ----------
    setting : Setting
        Any; of every buyer.
    n_buyers : int
        1 or more.

    Examples
    --------
    >>> found = item_wise(Setting("A", 5), 5)
    >>> round(float(found.values[0].sum()), 4)
    3.0038
    """
    _check(n_buyers)
    alike = setting.symmetric
    found = [
        posted_prices([item_law(setting, j)] * n_buyers)
        for j in range(1 if alike else setting.n_items)
    ]
    found = found * setting.n_items if alike else found
    return ItemWise(
        np.stack([f.values for f in found], axis=1),
        np.stack([f.prices for f in found], axis=1),
    )


def grand_bundle(setting: Setting, n_buyers: int, seed: int = 0) -> PostedPrices:
    """Best prices of all items as one good.

    Examples
    --------
    >>> round(float(grand_bundle(Setting("A", 5), 5).values[0]), 4)
    2.5776
    """
    _check(n_buyers)
    return posted_prices([bundle_law(setting, seed)] * n_buyers)


def stateful_item_prices(
    setting: Setting,
    n_buyers: int,
    *,
    seed: int = 0,
    n_samples: int = 20_000,
    n_prices: int = 200,
) -> StatefulPrices:
    """Best uniform item price for every number of buyers to come and of items left.

    Parameters
    ----------
    setting : Setting
        With exchangeable items.
    n_buyers : int
        1 to 200.
    seed : int
        Of both samples.
    n_samples : int
        Buyers on whom prices are found, and as many others who value them; 100 or more.
    n_prices : int
        Prices tried at each state, 5 or more.

    Raises
    ------
    ValueError
        A number out of range, or items that are not exchangeable.
    """
    _check(n_buyers)
    for name, n, low in (("n_samples", n_samples, 100), ("n_prices", n_prices, 5)):
        if not low <= n <= 10**7:
            raise ValueError(f"{name} = {n}: expected an integer, {low} or more")
    m = setting.n_items
    values = np.zeros((n_buyers + 1, m + 1))
    prices = np.full_like(values, np.nan)
    for s in range(1, m + 1):
        rng = np.random.default_rng([seed, s])
        both = [setting.best_by_size(n_samples, s, rng) for _ in range(2)]
        grid = np.linspace(0.0, both[0][:, 1].max(), n_prices + 1)[1:]
        k = np.arange(both[0].shape[1])
        train, test = (_shares(x, grid) for x in both)
        for t in range(1, n_buyers + 1):
            w = grid[:, None] * k + values[t - 1, s - k]
            best = int((train * w).sum(axis=1).argmax())
            prices[t, s], values[t, s] = grid[best], test[best] @ w[best]
    return StatefulPrices(values, prices)


def _shares(best: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Shares of buyers who take each size at each price of an item."""
    k = np.arange(best.shape[1])
    shares = np.empty((len(grid), len(k)))
    for i, p in enumerate(grid):
        size = len(k) - 1 - (best - p * k)[:, ::-1].argmax(axis=1)
        shares[i] = np.bincount(size, minlength=len(k)) / len(best)
    return shares


def _check(n_buyers: int) -> None:
    if not 1 <= n_buyers <= 200:
        raise ValueError(f"n_buyers = {n_buyers}: expected an integer, 1 to 200")
