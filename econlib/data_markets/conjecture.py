r"""Do two items suffice when stakes are private too?  A search for counter-evidence.

With a known stake at most two items are optimal
(:mod:`econlib.data_markets.continuum`).  With stakes uniform on :math:`[a,1]` that is a
conjecture.  For a law of beliefs and an :math:`a` this module brackets the optimum,

.. math::

   R_2\le R_3\le\dots\le R^*\le\bar R,

with :math:`R_k` the exact revenue of the best menu of :math:`k` concentrated items
that was found, and :math:`\bar R` the bound of :mod:`econlib.data_markets.enlarged`.
:math:`R_3>R_2` contradicts the conjecture as far as the search for :math:`R_2` is
global; :math:`\bar R/R_2-1` limits what any menu could add.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from econlib.data_markets.binary_menus import (
    BinaryMenu,
    best_menu,
    best_one_item,
    best_two_items,
    exact_revenue,
    item_masses,
    uniform_stakes,
)
from econlib.data_markets.enlarged import enlarged_bound
from econlib.data_markets.experiments import concentrated, differential_informativeness
from econlib.valuations import Marginal

__all__ = ["Bracket", "best_three_items", "bracket"]


@dataclass(frozen=True)
class Bracket:
    """What menus of one, two and three items earn, and what none can exceed.

    Attributes
    ----------
    one, two, three : float
        Exact revenue of the best menus that were found.
    bound : float
        No menu earns more.
    slopes, prices : ndarray, shape (n_items,)
        The best menu of up to three items.
    masses : ndarray, shape (n_items,)
        Probability that each is bought.
    """

    one: float
    two: float
    three: float
    bound: float
    slopes: Float[np.ndarray, " n_items"]
    prices: Float[np.ndarray, " n_items"]
    masses: Float[np.ndarray, " n_items"]

    @property
    def third_item(self) -> float:
        """Relative gain of a third item."""
        return self.three / self.two - 1

    @property
    def room(self) -> float:
        """Largest relative gain of any menu over two items, certified."""
        return self.bound / self.two - 1


def best_three_items(
    law: Marginal, low: float, *, n_nodes: int = 32, n_starts: int = 4
) -> BinaryMenu:
    """Climb from the best two items with a third beside them, on either side.

    Parameters
    ----------
    law : Marginal
        Law of the belief.
    low : float
        Stakes are uniform on [low, 1].
    n_nodes : int
        Quadrature of stakes while climbing; the result is revalued by 200 nodes.
    n_starts : int
        Best starts that are climbed from.
    """
    coarse = uniform_stakes(low, 1.0, n_nodes)
    two = best_two_items(law, coarse)
    q0 = differential_informativeness(two.experiments)
    whole = two.prices[-1]
    starts = []
    for sign in (-1.0, 1.0):
        for size in (0.05, 0.12, 0.2, 0.3, 0.45, 0.6):
            for share in (0.85, 0.95, 1.0):
                q = np.append(q0, sign * size)
                p = np.append(two.prices, (1 - size) * share * whole)
                if len(q) < 3:  # no partial item yet: its mirror image beside it
                    q, p = np.append(q, -sign * size), np.append(p, p[-1])
                value = exact_revenue(concentrated(q), p, law, coarse)
                starts.append((value, sign, size, q, p))
    starts.sort(key=lambda row: -row[0])
    chosen: list = []
    for row in starts:
        if all(row[1:3] != other[1:3] for other in chosen):
            chosen.append(row)
    fine = uniform_stakes(low, 1.0, 200)
    best = BinaryMenu(
        two.experiments,
        two.prices,
        exact_revenue(two.experiments, two.prices, law, fine),
    )
    for _, _, _, q, p in chosen[:n_starts]:
        found = best_menu(law, q, p, coarse)
        value = exact_revenue(found.experiments, found.prices, law, fine)
        if value > best.revenue:
            best = BinaryMenu(found.experiments, found.prices, value)
    return best


def bracket(
    law: Marginal,
    low: float,
    *,
    cells: tuple[int, int] = (48, 12),
    n_nodes: int = 32,
    n_starts: int = 4,
) -> Bracket:
    """Bracket the optimum for one law of beliefs and stakes uniform on [low, 1].

    Parameters
    ----------
    law : Marginal
        Law of the belief.
    low : float
        In [0, 0.99].
    cells : (int, int)
        Cells of the bound, in belief and in stake.
    n_nodes, n_starts : int
        As in :func:`best_three_items`.
    """
    fine = uniform_stakes(low, 1.0, 200)
    one = best_one_item(law, fine)
    two = best_two_items(law, uniform_stakes(low, 1.0, 64))
    two_value = exact_revenue(two.experiments, two.prices, law, fine)
    three = best_three_items(law, low, n_nodes=n_nodes, n_starts=n_starts)
    if three.revenue < two_value:
        three = BinaryMenu(two.experiments, two.prices, two_value)
    bound = enlarged_bound(law, low, n_beliefs=cells[0], n_stakes=cells[1])
    return Bracket(
        one=one.revenue,
        two=max(two_value, one.revenue),
        three=max(three.revenue, one.revenue),
        bound=bound.bound,
        slopes=differential_informativeness(three.experiments),
        prices=three.prices,
        masses=item_masses(three.experiments, three.prices, law, fine),
    )
