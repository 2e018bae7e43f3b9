"""Bundles that a menu may hold, and prices for them to begin with."""

from __future__ import annotations

import itertools

import numpy as np
from jaxtyping import Float

__all__ = ["deterministic_bundles", "single_prices"]


def deterministic_bundles(
    n_items: int, *, unit_demand: bool = False, levels: int = 1
) -> Float[np.ndarray, "n_bundles n_items"]:
    """All bundles but the empty one.

    Parameters
    ----------
    n_items : int
        1 or more.
    unit_demand : bool
        Whether an element holds one item at most (in total).
    levels : int
        Probabilities are multiples of 1 / levels; 1 means no lottery.

    Raises
    ------
    ValueError
        No item, no level, or more than 4096 bundles.

    Examples
    --------
    >>> deterministic_bundles(2).tolist()
    [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    """
    if n_items < 1 or levels < 1 or (levels + 1) ** n_items > 4097:
        raise ValueError(
            f"n_items = {n_items}, levels = {levels}: expected integers, 1 or more, "
            "with at most 4096 bundles; try free lotteries"
        )
    steps = np.arange(levels + 1) / levels
    rows = np.array(list(itertools.product(steps, repeat=n_items)))[1:]
    return rows[rows.sum(axis=1) <= 1 + 1e-12] if unit_demand else rows


def single_prices(
    bundles: Float[np.ndarray, "n_entries n_items"],
    values: Float[np.ndarray, "n_samples n_items"],
    rounds: int = 4,
    start: Float[np.ndarray, " n_entries"] | None = None,
) -> Float[np.ndarray, " n_entries"]:
    """Prices that earn most from one bidder alone on a sample, one price at a time.

    Parameters
    ----------
    bundles : ndarray, shape (n_entries, n_items)
    values : ndarray, shape (n_samples, n_items)
    rounds : int
        Passes over the entries.
    start : ndarray, shape (n_entries,), optional
        Prices to begin with; without them nobody buys at first.
    """
    n = len(values)
    worth = values @ bundles.T
    prices = worth.max(axis=0) * 1.01 + 1e-9 if start is None else start.copy()
    for _ in range(rounds):
        for k in np.argsort(-bundles.sum(axis=1), kind="stable"):
            gains = worth - prices
            gains[:, k] = -np.inf
            best = gains.argmax(axis=1)
            rest = np.maximum(gains[np.arange(n), best], 0.0)
            paid = np.where(rest > 0, prices[best], 0.0)
            most = worth[:, k] - rest  # she takes k at a price up to this
            order = np.argsort(-most)
            sold = most[order] * np.arange(1, n + 1)
            total = sold + paid.sum() - np.cumsum(paid[order])
            top = int(total.argmax())
            if total[top] > paid.sum():
                prices[k] = most[order[top]]
    return prices
