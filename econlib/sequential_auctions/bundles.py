r"""What a seller prices: the bundles of a menu, their values, and a buyer's choice.

A buyer who wants at most :math:`k` items is shown the bundles of at most :math:`k`:
a larger one at price :math:`p` can be replaced by its parts of :math:`k` items at
:math:`p`, who then pays as much and leaves more.  From values :math:`v(T)` and prices
:math:`a_T` he takes

.. math::

   S^*(v)\in\arg\max_{T\subseteq S}\;v(T)-a_T,\qquad a_\emptyset=0,

of equally good bundles the larger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from econlib.sequential_auctions.settings import Setting

__all__ = [
    "Bundles",
    "available",
    "bundle_values",
    "bundles",
    "buyers",
    "choose",
    "prefix_choice",
]


@dataclass(frozen=True)
class Bundles:
    """Bundles that a menu prices.

    Attributes
    ----------
    masks : ndarray, shape (n_options,)
        Bit j is item j; ascending, first the empty bundle.
    sizes : ndarray, shape (n_options,)
        Number of items.
    holds : ndarray, shape (n_options, n_items)
        1 where a bundle holds an item, 0 elsewhere.
    scale : ndarray, shape (n_options,)
        Largest value that a buyer can have for each.
    """

    masks: Int[np.ndarray, " n_options"]
    sizes: Int[np.ndarray, " n_options"]
    holds: Float[np.ndarray, "n_options n_items"]
    scale: Float[np.ndarray, " n_options"]

    def __len__(self) -> int:
        """Number of options, the empty bundle among them."""
        return len(self.masks)


def bundles(setting: Setting) -> Bundles:
    """Every bundle that a buyer of a setting has a use for.

    Raises
    ------
    ValueError
        More than 14 items.

    Examples
    --------
    >>> [len(bundles(Setting(name, 5))) for name in "ABCD"]
    [32, 32, 6, 26]
    """
    masks = np.flatnonzero(setting.sizes <= setting.most)
    sizes = setting.sizes[masks]
    holds = ((masks[:, None] >> np.arange(setting.n_items)) & 1).astype(float)
    if setting.name == "E":
        scale = np.sqrt(sizes)
    else:
        scale = holds @ setting.tops
        if setting.name == "F":
            scale = scale + max(setting.spread[1], 0.0) * sizes
    return Bundles(masks, sizes, holds, scale.astype(float))


def buyers(setting: Setting | Sequence[Setting], n_buyers: int) -> tuple[Setting, ...]:
    """One setting a buyer, first buyer first.

    Parameters
    ----------
    setting : Setting or sequence of Setting
        Of every buyer, or of each; with the same name, items and demand.
    n_buyers : int
        1 to 200.

    Raises
    ------
    ValueError
        Another number of settings than of buyers, or settings that do not agree.
    """
    if not 1 <= n_buyers <= 200:
        raise ValueError(f"n_buyers = {n_buyers}: expected an integer, 1 to 200")
    if isinstance(setting, Setting):
        return (setting,) * n_buyers
    found = tuple(setting)
    if len(found) != n_buyers:
        raise ValueError(f"setting: {len(found)} of them, expected {n_buyers}, or one")
    if len({(s.name, s.n_items, s.most) for s in found}) > 1:
        raise ValueError(
            "setting: expected one name, n_items and demand for all buyers"
        )
    return found


def available(
    options: Bundles, states: Int[np.ndarray, " n_states"]
) -> Bool[np.ndarray, "n_states n_options"]:
    """Whether all items of an option are among those left, masks of which are given."""
    return (options.masks & ~np.asarray(states)[:, None]) == 0


def bundle_values(
    setting: Setting,
    options: Bundles,
    n_samples: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "n_samples n_options"]:
    """Values of the options of a menu, drawn for independent buyers."""
    k = options.sizes
    if setting.name == "E":
        return rng.random((n_samples, len(k))) * np.sqrt(k)
    v = setting.items(n_samples, rng) @ options.holds.T
    if setting.name == "F":
        low, high = setting.spread
        v += (low + (high - low) * rng.random(v.shape)) * k
    return v


def choose(
    values: Float[np.ndarray, "n_samples n_options"],
    prices: Float[np.ndarray, "#n_samples n_options"],
    sizes: Int[np.ndarray, " n_options"],
) -> Int[np.ndarray, " n_samples"]:
    """Index of what each buyer takes, of equally good options the larger.

    Parameters
    ----------
    values : ndarray, shape (n_samples, n_options)
        Of each option.
    prices : ndarray, shape (n_samples, n_options) or (1, n_options)
        Of each option, infinite for one that is not to be had.
    sizes : ndarray, shape (n_options,)
        Number of items of each option.

    Raises
    ------
    ValueError
        A price that is not a number.

    Examples
    --------
    >>> menu = np.array([[0.0, 0.5, 0.5, 0.9]])
    >>> choose(np.array([[0.0, 0.5, 0.2, 0.7]]), menu, np.array([0, 1, 1, 2])).tolist()
    [1]
    """
    if np.isnan(prices).any():
        raise ValueError("prices: some are not numbers")
    utility = values - prices
    best = utility >= utility.max(axis=1, keepdims=True)
    return np.where(best, sizes + 1, 0).argmax(axis=1)


def prefix_choice(
    values: Float[np.ndarray, "n_samples n_items"],
    prices: Float[np.ndarray, "n_samples n_items"],
    fees: Float[np.ndarray, " n_samples"],
    left: Bool[np.ndarray, "n_samples n_items"],
    most: int,
) -> tuple[Bool[np.ndarray, "n_samples n_items"], Float[np.ndarray, " n_samples"]]:
    r"""Choice at prices of items and a fee, each buyer facing his own, without a table.

    A buyer who wants at most ``most`` items takes a prefix of them in the order of
    :math:`t_j-p_j`, or nothing: :math:`O(m\log m)` in place of :math:`2^m`.

    Parameters
    ----------
    values, prices : ndarray, shape (n_samples, n_items)
        Of each item.
    fees : ndarray, shape (n_samples,)
        Paid by whoever takes anything.
    left : ndarray of bool, shape (n_samples, n_items)
        Items to be had.
    most : int
        Items that a buyer wants at most, 1 or more.

    Returns
    -------
    taken : ndarray of bool, shape (n_samples, n_items)
        Of equally good bundles the larger.
    payment : ndarray, shape (n_samples,)
        Prices and fee, 0 for nothing.
    """
    gain = np.where(left, values - prices, -np.inf)
    order = np.argsort(-gain, axis=1, kind="stable")[:, :most]
    upto = np.take_along_axis(gain, order, axis=1).cumsum(axis=1) - fees[:, None]
    size = upto.shape[1] - upto[:, ::-1].argmax(axis=1)
    best = np.take_along_axis(upto, size[:, None] - 1, axis=1)[:, 0]
    size = np.where(best >= 0, size, 0)
    taken = np.zeros(left.shape, bool)
    np.put_along_axis(taken, order, np.arange(order.shape[1]) < size[:, None], axis=1)
    paid = np.where(taken, prices, 0.0).sum(axis=1) + np.where(size > 0, fees, 0.0)
    return taken, paid
