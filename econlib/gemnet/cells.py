r"""Menus that are constant on cells of the others' values, and their certificate.

Each bidder's values are cut into closed boxes.  At any values of the others in the
boxes :math:`C_{-i}` bidder i sees the bundles :math:`\alpha^{(k)}` and prices
:math:`p^{(k)}` that are kept for these boxes: a function of :math:`v_{-i}` alone, so
that truth is a dominant strategy.  In her own box with centre :math:`c` and half-widths
:math:`\varepsilon` she can choose :math:`k` only if for all :math:`k'`

.. math::

   (\alpha^{(k)}-\alpha^{(k')})\cdot c-p^{(k)}+p^{(k')}
   +\sum_j\varepsilon_j|\alpha^{(k)}_j-\alpha^{(k')}_j|\ge0 .

These :math:`k` are her *demand set* :math:`D_i(C_i\mid C_{-i})`.  For bundles of zeros
and ones all :math:`k'` are at their worst in the same corner of the box, so that the
set is exact; for lotteries it may be too large, and a linear program per element
decides.  Boxes are a product: an item j can be sold twice in some profile of
:math:`C_1\times\dots\times C_n`, for some way to break ties, if and only if

.. math::  \sum_i\max_{k\in D_i}\alpha^{(k)}_{ij}>1 .
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Float, Int
from numba import njit
from scipy.optimize import linprog

from econlib.gemnet.boxes import Boxes, check_size

__all__ = [
    "CellMenus",
    "CellReport",
    "build",
    "certify",
]

_TIE = 1e-12  # elements this close to the best count as chosen: ties, above rounding
_OVER = 1e-9  # of an item above one


@dataclass(frozen=True)
class CellMenus:
    """The mechanism: each bidder's menu for each tuple of the others' boxes.

    Attributes
    ----------
    boxes : tuple of Boxes
        Of each bidder.
    bundles : tuple of ndarray, shape (n_boxes of each other bidder..., K + 1, n_items)
        For each bidder; others in their order.  Element 0 is nothing.
    prices : tuple of ndarray, shape (n_boxes of each other bidder..., K + 1)
        Infinite where an element is off the menu; 0 for nothing.
    """

    boxes: tuple[Boxes, ...]
    bundles: tuple[Float[np.ndarray, "..."], ...]
    prices: tuple[Float[np.ndarray, "..."], ...]

    def __post_init__(self) -> None:
        sizes = [len(b) for b in self.boxes]
        check_size(sizes)
        for i, (a, p) in enumerate(zip(self.bundles, self.prices, strict=True)):
            others = tuple(np.delete(sizes, i))
            m = self.boxes[i].low.shape[1]
            if p.shape[:-1] != others or a.shape != (*p.shape, m):
                raise ValueError(
                    f"menus of bidder {i}: shapes {a.shape} and {p.shape}, expected "
                    f"boxes of the others {others} first"
                )
            if a[..., 0, :].any() or p[..., 0].any():
                raise ValueError(f"menus of bidder {i}: element 0 is not free nothing")
            if np.isnan(p).any() or a.min() < 0 or a.max() > 1 + _OVER:
                raise ValueError(
                    f"menus of bidder {i}: expected prices, and shares in [0, 1]"
                )

    @property
    def n_bidders(self) -> int:
        """Bidders."""
        return len(self.boxes)

    def with_prices(self, bidder: int, prices: Float[np.ndarray, "..."]) -> CellMenus:
        """The same with other prices for one bidder."""
        changed = [*self.prices]
        changed[bidder] = prices
        return replace(self, prices=tuple(changed))

    def demand(
        self, bidder: int, *, margin: float = 1.0, exact: bool = False
    ) -> Bool[np.ndarray, "n_others n_own K"]:
        """What a bidder may choose in each of her boxes, ties included.

        Parameters
        ----------
        bidder : int
        margin : float
            Times the half-widths; 1 is sound, 0 looks at centres only.
        exact : bool
            Whether linear programs decide about lotteries.

        Returns
        -------
        ndarray of bool, shape (tuples of the others' boxes, own boxes, K + 1)
        """
        a, p, own = self._flat(bidder)
        out = np.empty((len(p), len(own), p.shape[1]), dtype=bool)
        _demand(a, p, own.centres, margin * own.halves, out)
        if exact and not np.isin(a, (0.0, 1.0)).all():
            for o, c, k in np.argwhere(out).tolist():
                out[o, c, k] = _can_be_best(a[o], p[o], own.low[c], own.high[c], k)
        return out

    def taken(
        self, bidder: int, *, margin: float = 1.0, exact: bool = False
    ) -> Float[np.ndarray, "..."]:
        """Most of each item that a bidder may take, by tuples of all boxes and item."""
        a, p, own = self._flat(bidder)
        out = np.zeros((len(p), len(own), a.shape[2]))
        _most(a, self.demand(bidder, margin=margin, exact=exact), out)
        others = [len(b) for i, b in enumerate(self.boxes) if i != bidder]
        return np.moveaxis(out.reshape(*others, len(own), -1), len(others), bidder)

    def _flat(self, bidder: int) -> tuple[np.ndarray, np.ndarray, Boxes]:
        a, p = self.bundles[bidder], self.prices[bidder]
        return (
            a.reshape(-1, *a.shape[-2:]),
            p.reshape(-1, p.shape[-1]),
            self.boxes[bidder],
        )

    def play(
        self, values: Float[np.ndarray, "n_profiles n m"]
    ) -> tuple[Float[np.ndarray, "n_profiles n m"], Float[np.ndarray, "n_profiles n"]]:
        """What each bidder gets and pays; of equal elements the first is chosen.

        Parameters
        ----------
        values : ndarray, shape (n_profiles, n_bidders, n_items)

        Raises
        ------
        ValueError
            Values outside the boxes.
        """
        n = self.n_bidders
        if values.shape[1] != n:
            raise ValueError(f"values: {values.shape[1]} bidders, expected {n}")
        at = [box.locate(values[:, i]) for i, box in enumerate(self.boxes)]
        got, paid = np.empty(values.shape), np.empty(values.shape[:2])
        rows = np.arange(len(values))
        for i in range(n):
            others = tuple(at[q] for q in range(n) if q != i)
            a, p = self.bundles[i], self.prices[i]
            a = np.broadcast_to(a[others], (len(values), *a.shape[-2:]))
            p = np.broadcast_to(p[others], a.shape[:2])
            k = (np.einsum("bkm,bm->bk", a, values[:, i]) - p).argmax(axis=1)
            got[:, i], paid[:, i] = a[rows, k], p[rows, k]
        return got, paid

    def revenue(self, values: Float[np.ndarray, "n_profiles n m"]) -> tuple:
        """Mean payments, their standard error, and the share of profiles sold twice."""
        got, paid = self.play(values)
        total = paid.sum(axis=1)
        twice = (got.sum(axis=1) > 1 + _OVER).any(axis=1)
        se = total.std(ddof=1) / np.sqrt(len(total))
        return float(total.mean()), float(se), float(twice.mean())


@dataclass(frozen=True)
class CellReport:
    """The certificate: none in violation means that no profile sells an item twice.

    Attributes
    ----------
    n_tuples : int
        Tuples of boxes, all of which were looked at.
    tuples : ndarray of int, shape (n_violations, n_bidders)
        Those in which some item may be sold twice.
    """

    n_tuples: int
    tuples: Int[np.ndarray, "n_violations n"]

    @property
    def n_violations(self) -> int:
        """How many tuples are in violation."""
        return len(self.tuples)

    @property
    def pairs(self) -> Int[np.ndarray, "n_violations n"]:
        """The same by the name that they have for two bidders."""
        return self.tuples


def build(
    menus: Callable[[int, np.ndarray], tuple[np.ndarray, np.ndarray]],
    boxes: Sequence[Boxes],
) -> CellMenus:
    """Menus read at the centres of the others' boxes.

    Parameters
    ----------
    menus : callable
        Of a bidder and the others' values, shape (n_values, (n - 1) m), others in their
        order; gives bundles (n_values, K + 1, m) and prices (n_values, K + 1), the free
        nothing first.
    boxes : sequence of Boxes
        Of each bidder.
    """
    sizes = [len(b) for b in boxes]
    check_size(sizes)
    bundles, prices = [], []
    for i in range(len(boxes)):
        others = [boxes[q] for q in range(len(boxes)) if q != i]
        shape = [len(b) for b in others]
        at = np.indices(shape).reshape(len(others), prod(shape))
        centres = [b.centres[k] for b, k in zip(others, at, strict=True)]
        x = np.concatenate(centres, axis=1) if others else np.zeros((1, 0))
        a, p = (np.asarray(z, dtype=float) for z in menus(i, x))
        bundles.append(a.reshape(*shape, *a.shape[1:]))
        prices.append(p.reshape(*shape, p.shape[1]))
    return CellMenus(tuple(boxes), tuple(bundles), tuple(prices))


def certify(
    menus: CellMenus, *, margin: float = 1.0, exact: bool = False
) -> CellReport:
    """Look at every tuple of boxes for an item that may be sold twice.

    Parameters
    ----------
    menus : CellMenus
    margin : float
        As in :meth:`CellMenus.demand`; a certificate needs 1.
    exact : bool
        Whether linear programs decide about lotteries.

    Notes
    -----
    Boxes are closed and ties count as chosen, so that nothing depends on how a report
    on a cut or an indifferent bidder is treated.
    """
    total = sum(
        menus.taken(i, margin=margin, exact=exact) for i in range(menus.n_bidders)
    )
    bad = (total > 1 + _OVER).any(axis=-1)
    return CellReport(bad.size, np.argwhere(bad))


def _can_be_best(
    a: np.ndarray, p: np.ndarray, low: np.ndarray, high: np.ndarray, k: int
) -> bool:
    """Whether element k is a best one for some values in a closed box."""
    others = [q for q in range(len(p)) if q != k and np.isfinite(p[q])]
    if not others:
        return True
    # largest t with u_k(v) - u_q(v) >= t for all q and v in the box
    rows = np.column_stack([a[others] - a[k], np.ones(len(others))])
    bounds = [*zip(low, high, strict=True), (None, None)]
    cost = np.append(np.zeros(len(low)), -1.0)
    found = linprog(cost, rows, p[others] - p[k], bounds=bounds, method="highs")
    return bool(found.status != 0 or -found.fun >= -1e-9)


@njit(cache=True)
@no_type_check
def _demand(a, p, centres, halves, out):
    """Demand sets by the pairwise margin; an infinite price is never chosen."""
    n_k, m = a.shape[1], a.shape[2]
    for o in range(a.shape[0]):
        for c in range(centres.shape[0]):
            for k in range(n_k):
                chosen = np.isfinite(p[o, k])
                q = 0
                while chosen and q < n_k:
                    if q != k and np.isfinite(p[o, q]):
                        gap = p[o, q] - p[o, k]
                        for j in range(m):
                            d = a[o, k, j] - a[o, q, j]
                            gap += d * centres[c, j] + halves[c, j] * abs(d)
                        chosen = gap >= -_TIE
                    q += 1
                out[o, c, k] = chosen


@njit(cache=True)
@no_type_check
def _most(a, demanded, out):
    """Most of each item over a demand set."""
    for o in range(demanded.shape[0]):
        for c in range(demanded.shape[1]):
            for k in range(demanded.shape[2]):
                if demanded[o, c, k]:
                    for j in range(a.shape[2]):
                        out[o, c, j] = max(out[o, c, j], a[o, k, j])
