r"""Menus by cells of the others' values, and what may clash on them.

Every bidder's values are cut into cells with centres :math:`g_i` and half-widths
:math:`\varepsilon_i`, 0 for finite types; her menu is constant in the others' cells.
Element k may be best somewhere in her closed cell only if, for every k',

.. math::

   u_i^k(g)-u_i^{k'}(g)+\sum_j\varepsilon_{ij}|\alpha_j^k-\alpha_j^{k'}|\ge0 .
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from econlib.gemnet.networks import MenuNetwork

__all__ = ["MenuTable", "clashes", "play_table", "tabulate"]


@dataclass(frozen=True)
class MenuTable:
    """Menus of all bidders by the cells of the others.

    Attributes
    ----------
    centres : tuple of ndarray, shape (n_cells, n_items)
        Of each bidder's cells.
    widths : tuple of ndarray, shape (n_cells, n_items)
        Half-widths; 0 for finite types.
    bundles : tuple of ndarray, shape (n_others, n_choices, n_items)
        Of each bidder; n_others is the product of the others' numbers of cells, the
        last bidder's cell running fastest.  The empty element is the first.
    prices : tuple of ndarray, shape (n_others, n_choices)
        Of each bidder, 0 for the empty element.
    """

    centres: tuple[Float[np.ndarray, "_ n_items"], ...]
    widths: tuple[Float[np.ndarray, "_ n_items"], ...]
    bundles: tuple[Float[np.ndarray, "_ _ n_items"], ...]
    prices: tuple[Float[np.ndarray, "_ _"], ...]

    @property
    def profiles(self) -> np.ndarray:
        """Cells of every profile, shape (n_profiles, n_bidders)."""
        return np.array(list(itertools.product(*(range(len(c)) for c in self.centres))))

    def others(self, bidder: int) -> np.ndarray:
        """Row of a bidder's menu at every profile, shape (n_profiles,)."""
        rest = np.delete(self.profiles, bidder, axis=1)
        sizes = [len(c) for i, c in enumerate(self.centres) if i != bidder]
        if not sizes:
            return np.zeros(len(rest), dtype=int)
        return np.ravel_multi_index(tuple(rest.T), sizes)

    def utilities(self, bidder: int) -> Float[np.ndarray, "n_profiles n_choices"]:
        """Of a bidder's elements at the centre of her cell."""
        row, own = self.others(bidder), self.profiles[:, bidder]
        worth = np.einsum(
            "pkm,pm->pk", self.bundles[bidder][row], self.centres[bidder][own]
        )
        return worth - self.prices[bidder][row]

    def demanded(
        self, bidder: int, tolerance: float = 1e-9
    ) -> Bool[np.ndarray, "n_profiles n_choices"]:
        """Elements that may be best somewhere in the closed cell, ties included."""
        row, own = self.others(bidder), self.profiles[:, bidder]
        a, u = self.bundles[bidder][row], self.utilities(bidder)
        apart = np.abs(a[:, :, None] - a[:, None])  # (p, k, k', m)
        reach = np.einsum("pklm,pm->pkl", apart, self.widths[bidder][own])
        gain = u[:, :, None] - u[:, None] + reach
        return (gain >= -tolerance * self.scale).all(axis=2)

    @property
    def scale(self) -> float:
        """Largest value."""
        return max(float(np.abs(c).max()) for c in self.centres)


def tabulate(
    net: MenuNetwork,
    centres: tuple[Float[np.ndarray, "_ n_items"], ...],
    widths: tuple[Float[np.ndarray, "_ n_items"], ...] | None = None,
) -> MenuTable:
    """A network's menus at the centres of cells.

    Parameters
    ----------
    net : MenuNetwork
    centres : tuple of ndarray, shape (n_cells, n_items)
        Of each bidder's cells.
    widths : tuple of ndarray, optional
        Half-widths; 0 without them.
    """
    if widths is None:
        widths = tuple(np.zeros_like(c) for c in centres)
    bundles, prices = [], []
    for i in range(net.n_bidders):
        rest = [c for j, c in enumerate(centres) if j != i]
        rows = list(itertools.product(*rest))
        others = np.array(rows).reshape(len(rows), -1)
        a, b = net.menus(i, others)
        bundles.append(np.ascontiguousarray(a))
        prices.append(b)
    return MenuTable(tuple(centres), tuple(widths), tuple(bundles), tuple(prices))


def clashes(table: MenuTable, tolerance: float = 1e-9) -> int:
    """Profiles of cells at which some elements that may be taken sell an item twice.

    None means that no item is sold twice at any values in any cell, under any tie rule.
    """
    found = [table.demanded(i, tolerance) for i in range(len(table.centres))]
    rows = [table.others(i) for i in range(len(table.centres))]
    count = 0
    for p in range(len(found[0])):
        total = np.zeros((1, table.centres[0].shape[1]))
        for some, row, bundles in zip(found, rows, table.bundles, strict=True):
            taken = bundles[row[p]][some[p]]
            total = np.unique(
                (total[:, None] + taken).reshape(-1, taken.shape[1]), axis=0
            )
        count += bool((total > 1 + 1e-9).any())
    return count


def play_table(
    table: MenuTable, tolerance: float = 1e-9
) -> tuple[
    Float[np.ndarray, "n_profiles n_bidders n_items"],
    Float[np.ndarray, "n_profiles n_bidders"],
]:
    """Allocations and payments at the centres, of equally good elements the dearest."""
    n = len(table.centres)
    given, paid = [], []
    for i in range(n):
        row, u = table.others(i), table.utilities(i)
        near = u >= u.max(axis=1, keepdims=True) - tolerance * table.scale
        price = np.where(near, table.prices[i][row], -np.inf)
        best = price.argmax(axis=1)
        at = np.arange(len(best))
        given.append(table.bundles[i][row][at, best])
        paid.append(price[at, best])
    return np.stack(given, axis=1), np.stack(paid, axis=1)
