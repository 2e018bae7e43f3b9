r"""Every menu of every state, as flat arrays: which bundles a set of items leaves.

A seller with the set :math:`S` left prices the bundles :math:`T\subseteq S` alone, so
that over all sets there are :math:`3^m` prices to look up and not :math:`4^m`.  Sets
are bit masks; the bundles of a set stand one after another, the empty one first, and
those larger than a buyer has a use for are left out: at the same price the best part of
such a bundle gives the buyer as much and leaves the seller more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from econlib.sequential_auctions.settings import Setting

__all__ = ["Menus", "menus", "top_values", "values_law"]


@dataclass(frozen=True)
class Menus:
    """Bundles that each set of items leaves.

    Attributes
    ----------
    masks : ndarray, shape (n_columns,)
        Bundles that are ever sold, by size and then by mask, first the empty one; a
        price vector has one number for each.
    start : ndarray, shape (n_sets + 1,)
        Where the menu of each set begins in the flat arrays.
    column : ndarray, shape (n_flat,)
        Place in ``masks`` of each option of each menu.
    bundle, rest : ndarray, shape (n_flat,)
        Its bundle, and what is left when it is sold.
    parent, top : ndarray, shape (n_flat,)
        Within its menu the bundle without its last item, and which of the set's items
        that is, counted from 0.
    members : ndarray, shape (n_sets, n_items)
        Items of each set in rising order.
    """

    masks: Int[np.ndarray, " n_columns"]
    start: Int[np.ndarray, " n_starts"]
    column: Int[np.ndarray, " n_flat"]
    bundle: Int[np.ndarray, " n_flat"]
    rest: Int[np.ndarray, " n_flat"]
    parent: Int[np.ndarray, " n_flat"]
    top: Int[np.ndarray, " n_flat"]
    members: Int[np.ndarray, "n_sets n_items"]

    @property
    def n_sets(self) -> int:
        """Sets of items, 2 to the power of their number."""
        return len(self.members)

    @property
    def flat(self) -> tuple[Int[np.ndarray, " n"], ...]:
        """What the compiled loops read."""
        return self.start, self.column, self.bundle, self.rest, self.parent, self.top


def menus(setting: Setting) -> Menus:
    """List the bundles of every set.

    Parameters
    ----------
    setting : Setting
        With 14 items at most.

    Returns
    -------
    Menus
        The flat arrays; their length is :math:`3^m` where buyers want every bundle.

    Raises
    ------
    ValueError
        More than 14 items.

    Examples
    --------
    >>> len(menus(Setting("A", 5)).bundle), len(menus(Setting("C", 5)).masks)
    (243, 6)
    """
    sizes, m = setting.sizes, setting.n_items
    small = np.flatnonzero(sizes <= setting.most)
    masks = small[np.argsort(sizes[small], kind="stable")]
    place = np.full(len(sizes), -1)
    place[masks] = np.arange(len(masks))
    members = np.zeros((len(sizes), m), np.int32)
    start, column, bundle, parent, top, rest = [0], [], [], [], [], []
    local: dict[int, tuple[np.ndarray, ...]] = {}
    for s in range(len(sizes)):
        items = [j for j in range(m) if s >> j & 1]
        members[s, : len(items)] = items
        if len(items) not in local:
            local[len(items)] = _local(len(items), setting.most)
        bits, above, last = local[len(items)]
        held = bits @ (1 << np.array(items, int)) if items else np.zeros(1, int)
        column.append(place[held])
        bundle.append(held)
        rest.append(s ^ held)
        parent.append(above)
        top.append(last)
        start.append(start[-1] + len(held))
    flat = [
        np.concatenate(a).astype(np.int32) for a in (column, bundle, rest, parent, top)
    ]
    return Menus(masks, np.array(start), *flat, members)


def _local(s: int, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bits of each bundle of s items, its bundle without the last, and the last."""
    index = np.arange(2**s)
    bits = index[:, None] >> np.arange(s) & 1
    kept = np.flatnonzero(bits.sum(axis=1) <= most)
    place = np.full(2**s, -1)
    place[kept] = np.arange(len(kept))
    last = np.array([int(k).bit_length() - 1 for k in kept])
    above = place[np.where(kept > 0, kept - (1 << np.maximum(last, 0)), 0)]
    return bits[kept], above, np.maximum(last, 0)


def values_law(
    setting: Setting,
) -> tuple[Float[np.ndarray, "n_items n_levels"], Float[np.ndarray, "n_sizes 2"]]:
    """How values are drawn: quantiles of each item's, and ends of a bundle's own.

    A bundle is worth its items' values and a uniform draw of its own: settings A to D
    have nothing of the second kind, E nothing of the first.

    Returns
    -------
    items : ndarray of float32, shape (n_items, n_levels)
        Quantiles at equally spaced levels from 0 to 1; two where the law is uniform,
        1025 for another.
    own : ndarray of float32, shape (n_items + 1, 2)
        Low and high of what a bundle of each size adds.
    """
    m, k = setting.n_items, np.arange(setting.n_items + 1)
    own = np.zeros((m + 1, 2), np.float32)
    if setting.name == "E":
        own[:, 1] = np.sqrt(k)
        return np.zeros((m, 2), np.float32), own
    if setting.name == "F":
        own[:] = np.outer(k, setting.spread)
    if setting.law is None:
        table = np.array(setting.bounds)
    else:
        table = np.asarray(setting.law.ppf(np.linspace(0, 1, 1025)), float)
    each = np.arange(1, m + 1) / m if setting.name == "B" else np.ones(m)
    return np.outer(each, table).astype(np.float32), own


def top_values(
    setting: Setting, bundles: Menus
) -> tuple[Float[np.ndarray, " n_items"], Float[np.ndarray, " n_columns"]]:
    """Largest value of each item, and of each bundle for sale: the scale of its price.

    Setting E has no items' values; there an item counts 1 and a bundle the root of its
    size.
    """
    items, own = values_law(setting)
    held = bundles.masks[:, None] >> np.arange(setting.n_items) & 1
    size = held.sum(axis=1)
    if setting.name == "E":
        return np.ones(setting.n_items, np.float32), own[size, 1]
    top = items[:, -1].copy()
    return top, (held @ top + np.maximum(own[size, 1], 0)).astype(np.float32)
