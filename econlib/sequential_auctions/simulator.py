r"""Algorithm 1, played: what a policy of prices earns, episode by episode.

.. math::

   S\leftarrow M;\quad\text{for }i=1..n:\;
   \text{offer }\{(T,\xi_{i,S}(T)):T\subseteq S\},\;
   \text{buyer }i\text{ pays }\xi_{i,S}(S_i^*),\;S\leftarrow S\setminus S_i^* .

The buyer's choice is the true best bundle, never a softmax.  A policy is a table of
prices with a row for each kind of state and a column for each kind of bundle, so that
prices by size or by item need no :math:`2^m` rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from econlib.sequential_auctions.bundles import Bundles, bundles, buyers
from econlib.sequential_auctions.settings import Setting, popcount

__all__ = ["Played", "Policy", "by_size", "by_state", "item_prices", "simulate"]

_CHUNK = 2**15


@dataclass(frozen=True)
class Policy:
    """Prices for every buyer and state.

    Attributes
    ----------
    options : Bundles
        What is on the menu.
    prices : ndarray, shape (n_buyers, n_rows, n_columns)
        First buyer first; infinite where a bundle is not offered.
    rows : ndarray, shape (2 ** n_items,)
        Row of each state, states being masks of the items left.
    columns : ndarray, shape (n_options,)
        Column of each option.
    """

    options: Bundles
    prices: Float[np.ndarray, "n_buyers n_rows n_columns"]
    rows: Int[np.ndarray, " n_states"]
    columns: Int[np.ndarray, " n_options"]


@dataclass(frozen=True)
class Played:
    """What happened in a number of auctions.

    Attributes
    ----------
    revenue, error : float
        Mean of an episode's payments, and its standard error.
    welfare : float
        Mean of what the buyers' bundles are worth to them.
    taken : ndarray, shape (n_episodes, n_buyers)
        Mask of the bundle that each buyer takes.
    payments : ndarray, shape (n_episodes, n_buyers)
        What he pays.
    """

    revenue: float
    error: float
    welfare: float
    taken: Int[np.ndarray, "n_episodes n_buyers"]
    payments: Float[np.ndarray, "n_episodes n_buyers"]


def by_state(
    setting: Setting, prices: Float[np.ndarray, "n_buyers n_states n_options"]
) -> Policy:
    """A price for each buyer, set of items left, and option of ``bundles(setting)``."""
    options = bundles(setting)
    rows = np.arange(2**setting.n_items)
    expected = (len(rows), len(options))
    if prices.shape[1:] != expected:
        raise ValueError(f"prices: shape {prices.shape}, expected (n, *{expected})")
    return _policy(options, prices, rows, np.arange(len(options)))


def by_size(
    setting: Setting, prices: Float[np.ndarray, "n_buyers n_sizes n_options"]
) -> Policy:
    """Prices by number of items left and size of the bundle, first buyer first.

    Parameters
    ----------
    setting : Setting
        With exchangeable items.
    prices : ndarray, shape (n_buyers, n_items + 1, most + 1)
        A missing price (no number) is taken as infinite.
    """
    options = bundles(setting)
    expected = (setting.n_items + 1, setting.most + 1)
    if prices.shape[1:] != expected:
        raise ValueError(f"prices: shape {prices.shape}, expected (n, *{expected})")
    filled = np.where(np.isnan(prices), np.inf, prices)
    return _policy(options, filled, popcount(setting.n_items), options.sizes)


def item_prices(
    setting: Setting, prices: Float[np.ndarray, "n_buyers n_rows n_items"]
) -> Policy:
    """Prices of items, whatever is left, or by the number of items left.

    Parameters
    ----------
    setting : Setting
        Any.
    prices : ndarray, shape (n_buyers, 1, n_items) or (n_buyers, n_items + 1, n_items)
        First buyer first; a missing price (no number) is taken as infinite.
    """
    m = setting.n_items
    if prices.shape[1:] not in ((1, m), (m + 1, m)):
        raise ValueError(f"prices: shape {prices.shape}, expected (n, 1 or {m + 1}, m)")
    options = bundles(setting)
    filled = np.where(np.isnan(prices), np.inf, prices)
    with np.errstate(invalid="ignore"):
        parts = np.where(options.holds > 0, filled[:, :, None], 0.0).sum(axis=3)
    rows = popcount(m) if prices.shape[1] > 1 else np.zeros(2**m, int)
    return _policy(options, parts, rows, np.arange(len(options)))


def _policy(
    options: Bundles, prices: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> Policy:
    prices = np.array(prices, float)
    if np.isnan(prices).any():
        raise ValueError("prices: some are not numbers")
    prices[:, :, 0] = 0.0
    return Policy(options, prices, rows, columns)


def simulate(
    setting: Setting | Sequence[Setting],
    policy: Policy,
    n_episodes: int,
    rng: np.random.Generator,
) -> Played:
    """Play a policy against buyers drawn afresh.

    Parameters
    ----------
    setting : Setting or sequence of Setting
        Of every buyer, or of each.
    policy : Policy
        Prices.
    n_episodes : int
        2 to 10 million.
    rng : numpy.random.Generator
        Source of the buyers' values.

    Returns
    -------
    Played
        Revenue with its standard error, and every choice and payment.

    Raises
    ------
    ValueError
        A number out of range, or settings that do not agree.

    Examples
    --------
    >>> free = by_size(Setting("A", 3), np.zeros((2, 4, 4)))
    >>> played = simulate(Setting("A", 3), free, 10, np.random.default_rng(0))
    >>> played.revenue, played.taken[0].tolist()
    (0.0, [7, 0])
    """
    if not 2 <= n_episodes <= 10**7:
        raise ValueError(
            f"n_episodes = {n_episodes}: expected an integer, 2 to 10 million"
        )
    n_buyers = len(policy.prices)
    each = buyers(setting, n_buyers)
    first, options = each[0], policy.options
    kind = {"E": 1, "F": 2}.get(first.name, 0)
    spreads = np.array([s.spread for s in each], float)
    parents = _parents(options, first.most)
    taken = np.empty((n_episodes, n_buyers), np.int64)
    payments, worth = np.empty((2, n_episodes, n_buyers))
    for start in range(0, n_episodes, _CHUNK):
        part = slice(start, min(start + _CHUNK, n_episodes))
        n = part.stop - start
        items = np.empty((n, n_buyers, first.n_items))
        for t, one in enumerate(each):
            items[:, t] = 0.0 if kind == 1 else one.items(n, rng)
        _play(
            kind,
            items,
            options.masks,
            options.sizes,
            parents,
            first.most,
            policy.prices,
            policy.rows,
            policy.columns,
            spreads,
            rng,
            taken[part],
            payments[part],
            worth[part],
        )
    total = payments.sum(axis=1)
    return Played(
        float(total.mean()),
        float(total.std(ddof=1) / np.sqrt(n_episodes)),
        float(worth.sum(axis=1).mean()),
        taken,
        payments,
    )


def _parents(options: Bundles, most: int) -> np.ndarray:
    """Option that lacks an option's first item; -1 where values do not add up."""
    where = {int(mask): k for k, mask in enumerate(options.masks)}
    return np.array(
        [
            where.get(int(mask & (mask - 1)), -1) if 0 < size <= most else -1
            for mask, size in zip(options.masks, options.sizes, strict=True)
        ]
    )


@njit(cache=True)
@no_type_check
def _top(items, mask, most):
    """Sum of the largest values among the items of a bundle."""
    held = np.empty(len(items))
    n = 0
    for j in range(len(items)):
        if (mask >> j) & 1:
            held[n] = items[j]
            n += 1
    held = np.sort(held[:n])
    return held[max(0, n - most) :].sum()


@njit(cache=True)
@no_type_check
def _play(
    kind,
    items,
    masks,
    sizes,
    parents,
    most,
    prices,
    rows,
    columns,
    spreads,
    rng,
    taken,
    payments,
    worth,
):
    """Play episodes one by one and write what is taken, paid and gained."""
    n_episodes, n_buyers, n_items = items.shape
    value = np.zeros(len(masks))
    lowest = np.zeros(len(masks), np.int64)
    for k in range(1, len(masks)):
        while (masks[k] >> lowest[k]) & 1 == 0:
            lowest[k] += 1
    for e in range(n_episodes):
        left = (1 << n_items) - 1
        for t in range(n_buyers):
            menu = prices[t, rows[left]]
            best, chosen = 0.0, 0
            for k in range(1, len(masks)):
                if masks[k] & ~left:
                    continue
                if kind == 1:
                    value[k] = np.sqrt(sizes[k]) * rng.random()
                elif parents[k] >= 0:
                    value[k] = value[parents[k]] + items[e, t, lowest[k]]
                else:
                    value[k] = _top(items[e, t], masks[k], most)
                v = value[k]
                if kind == 2:
                    low, high = spreads[t]
                    v += sizes[k] * (low + (high - low) * rng.random())
                gain = v - menu[columns[k]]
                if gain > best or (gain == best and sizes[k] > sizes[chosen]):
                    best, chosen = gain, k
                    worth[e, t] = v
            if chosen == 0:
                worth[e, t] = 0.0
            taken[e, t] = masks[chosen]
            payments[e, t] = menu[columns[chosen]] if chosen else 0.0
            left &= ~masks[chosen]
