r"""Entry fees for additive buyers: :math:`\delta` to enter, then a price an item.

A buyer who pays :math:`\xi(T)=\delta+\sum_{j\in T}p_j` for :math:`T\ne\emptyset` takes,
if anything, the items that gain most: with :math:`t_j-p_j` sorted downwards only the
prefixes can be best, so that a choice among :math:`2^m` bundles costs
:math:`O(m\log m)`.

With exchangeable items the state is how many are left and a menu two numbers, one price
:math:`p` and the fee.  A buyer who enters takes all :math:`K` items worth more than
:math:`p`, which gains him :math:`X=\sum(t-p)_+`; he enters where :math:`X\ge\delta`.
On a sample the best fee for a price is found exactly: sort :math:`X` and add up

.. math::

   \delta\,|\{X\ge\delta\}|+\sum_{X\ge\delta}\big(pK+V_{t+1}(s-K)-V_{t+1}(s)\big).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

__all__ = ["EntryFees", "entry_fee_choice", "entry_fee_dp"]


@dataclass(frozen=True)
class EntryFees:
    """Best price and fee by number of items left.

    Attributes
    ----------
    values : ndarray, shape (n_buyers + 1, n_items + 1)
        Revenue with t buyers to come and s items left, out of sample.
    errors : ndarray, shape (n_buyers + 1, n_items + 1)
        Standard error of the last stage of each value.
    prices, fees : ndarray, shape (n_buyers + 1, n_items + 1)
        Of an item, and to enter; not numbers where nothing is sold.
    """

    values: Float[np.ndarray, "n_stages n_sizes"]
    errors: Float[np.ndarray, "n_stages n_sizes"]
    prices: Float[np.ndarray, "n_stages n_sizes"]
    fees: Float[np.ndarray, "n_stages n_sizes"]

    @property
    def size_prices(self) -> Float[np.ndarray, "n_stages n_sizes n_options"]:
        """The same menus as prices by size, which ``play_sizes`` takes.

        Of shape (n_buyers + 1, n_items + 1, n_items + 1): a fee and k times the price,
        infinite where fewer than k items are left, nothing for nothing.
        """
        k = np.arange(self.prices.shape[1])
        prices = self.fees[..., None] + self.prices[..., None] * k
        prices[:, k > k[:, None]] = np.inf
        prices[..., 0] = 0.0
        return prices


def entry_fee_choice(
    values: Float[np.ndarray, "n_samples n_items"],
    prices: Float[np.ndarray, " n_prices"],
    fee: float | int,
) -> tuple[Float[np.ndarray, "n_samples n_items"], Float[np.ndarray, " n_samples"]]:
    """What additive buyers take and pay.

    Parameters
    ----------
    values : ndarray, shape (n_samples, n_items)
        Of each item.
    prices : ndarray, shape (n_items,)
        Of each item; infinite for one that is gone.
    fee : float
        Paid by whoever takes anything.

    Returns
    -------
    allocation : ndarray, shape (n_samples, n_items)
        1 for an item taken, 0 otherwise; of equally good bundles the larger.
    payment : ndarray, shape (n_samples,)
        Fee and prices, 0 for nothing.

    Raises
    ------
    ValueError
        A price or fee that is not a number, or another number of prices than of items.

    Examples
    --------
    >>> entry_fee_choice(np.array([[0.9, 0.4]]), np.array([0.5, 0.5]), 0.1)[1].tolist()
    [0.6]
    """
    values, prices = np.asarray(values, float), np.asarray(prices, float)
    if values.ndim != 2 or prices.shape != values.shape[1:]:
        raise ValueError(
            f"prices: shape {prices.shape}, expected one for each of the items of "
            f"values, shape {values.shape}"
        )
    if np.isnan(prices).any() or not np.isfinite(fee):
        raise ValueError(f"prices, fee = {prices}, {fee}: expected numbers")
    gain = values - prices
    order = np.argsort(-gain, axis=1)
    upto = np.take_along_axis(gain, order, axis=1).cumsum(axis=1) - fee
    # of equally good prefixes the longest, and any before nothing
    size = upto.shape[1] - upto[:, ::-1].argmax(axis=1)
    best = np.take_along_axis(upto, size[:, None] - 1, axis=1)[:, 0]
    size = np.where(best >= 0, size, 0)
    allocation = np.zeros_like(gain)
    rank = np.arange(gain.shape[1]) < size[:, None]
    np.put_along_axis(allocation, order, rank.astype(float), axis=1)
    paid = np.where(allocation > 0, prices, 0.0).sum(axis=1)
    return allocation, np.where(size > 0, paid + fee, 0.0)


def entry_fee_dp(
    n_buyers: int,
    n_items: int,
    *,
    high: float | int = 1.0,
    seed: int = 0,
    n_samples: int = 5000,
    n_prices: int = 41,
) -> EntryFees:
    """Best price and fee for every number of buyers to come and of items left.

    Parameters
    ----------
    n_buyers, n_items : int
        1 to 200; values of items are uniform on [0, ``high``].
    high : float
        Largest value, above 0.
    seed : int
        Of the samples.
    n_samples : int
        Buyers that prices are found on, and as many again that value them; 100 or more.
    n_prices : int
        Prices tried at each state, 5 or more.

    Returns
    -------
    EntryFees
        Values, prices and fees.

    Raises
    ------
    ValueError
        A number out of range.

    Notes
    -----
    Every price of a grid is tried at every state: a local search is caught between
    cheap items with a large fee and dear items with a small one.
    """
    for name, n, low, most in (
        ("n_buyers", n_buyers, 1, 200),
        ("n_items", n_items, 1, 200),
        ("n_samples", n_samples, 100, 10**7),
        ("n_prices", n_prices, 5, 10_000),
    ):
        if not low <= n <= most:
            raise ValueError(f"{name} = {n}: expected an integer, {low} to {most}")
    if not 0 < high < np.inf:
        raise ValueError(f"high = {high}: expected a number above 0")
    shape = (n_buyers + 1, n_items + 1)
    values, errors = np.zeros(shape), np.zeros(shape)
    prices, fees = np.full(shape, np.nan), np.full(shape, np.nan)
    grid = np.linspace(0.0, 1.0, n_prices + 1)[:-1]
    draws = np.random.default_rng(seed).random((2, n_samples, n_items))
    for s in range(1, n_items + 1):
        train, test = draws[0, :, :s], draws[1, :, :s]
        # by price: gains sorted downwards, and the items taken in that order
        tables = [_entrants(train, p) for p in grid]
        for t in range(1, n_buyers + 1):
            after = values[t - 1, : s + 1]
            best = max(
                (
                    (*_best_fee(gain, taken, p, after), p)
                    for p, (gain, taken) in zip(grid, tables, strict=True)
                ),
                key=lambda found: found[0],
            )
            _, fee, price = best
            prices[t, s], fees[t, s] = price, fee
            gain, taken = np.maximum(test - price, 0).sum(axis=1), (test > price).sum(1)
            w = np.where(
                (gain >= fee) & (taken > 0),
                fee + price * taken + after[s - taken],
                after[s],
            )
            values[t, s], errors[t, s] = w.mean(), w.std() / np.sqrt(n_samples)
    return EntryFees(high * values, high * errors, high * prices, high * fees)


def _entrants(sample: np.ndarray, price: float) -> tuple[np.ndarray, np.ndarray]:
    gain = np.maximum(sample - price, 0.0).sum(axis=1)
    order = np.argsort(-gain)
    return gain[order], (sample > price).sum(axis=1)[order]


def _best_fee(
    gain: np.ndarray, taken: np.ndarray, price: float, after: np.ndarray
) -> tuple[float, float]:
    """Best mean revenue over all fees, and the fee: all that some buyer gains."""
    n, s = len(gain), len(after) - 1
    extra = price * taken + after[s - taken] - after[s]
    total = gain * np.arange(1, n + 1) + extra.cumsum()
    k = int(total.argmax())
    return float(after[s] + max(total[k], 0.0) / n), float(gain[k])
