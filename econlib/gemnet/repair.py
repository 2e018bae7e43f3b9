r"""Price changes after which no item can be sold twice.

Bidders are taken in turn, the last one first.  The menus of those already taken stay;
in the boxes :math:`(C_1,\dots,C_n)` they leave bidder i of item j

.. math::  s_{ij}=1-\sum_{l\ \text{taken}}\ \max_{k\in D_l}\alpha^{(k)}_{lj},

and an element of hers is *bad* there if it holds more.  A bad element must lose to some
good one everywhere in her box: with centre :math:`c` and half-widths
:math:`\varepsilon`

.. math::

   p^{(k)}\ \ge\ p^{(k')}+(\alpha^{(k)}-\alpha^{(k')})\cdot c
   +\sum_j\varepsilon_j|\alpha^{(k)}_j-\alpha^{(k')}_j|+\eta .

Prices only rise, and nothing, which is free, is good everywhere: prices above all that
a bundle can be worth would always do.  ``repair_raise`` lifts a bad price just above
the best good element, again and again; ``repair_milp`` chooses the good elements by
binary variables.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from econlib.gemnet.boxes import Boxes
from econlib.gemnet.cells import CellMenus, build
from econlib.gemnet.price_program import PriceProgram, out_of_reach

__all__ = ["Repair", "prune", "refine", "refined", "repair_milp", "repair_raise"]

_OVER = 1e-9
_ROUNDS = 200


@dataclass(frozen=True)
class Repair:
    """Menus with other prices, and what the change took.

    Attributes
    ----------
    menus : CellMenus
    largest : float
        Largest rise of a price, over elements that are still worth something.
    n_programs, n_prices, n_binaries, n_rows : int
        Integer programs, their variables and their rows; 0 for ``repair_raise``.
    seconds : float
        CPU time.
    """

    menus: CellMenus
    largest: float
    n_programs: int
    n_prices: int
    n_binaries: int
    n_rows: int
    seconds: float


def repair_raise(
    menus: CellMenus, *, eta: float = 1e-9, order: tuple[int, ...] | None = None
) -> Repair:
    """Lift prices of bad elements to the least that the best good element asks for.

    Parameters
    ----------
    menus : CellMenus
    eta : float
        Strictness, above 1e-11.
    order : tuple of int, optional
        Bidders, the one whose menu stays first; the last to the first by default.

    Notes
    -----
    Prices that still rise after 200 rounds are put out of reach.
    """

    def mend(a, p, own, spare):
        found = p.copy()
        _lift(a, found, own.centres, own.halves, spare, eta, out_of_reach(a, own))
        return found, (0, 0, 0, 0)

    return _in_turn(menus, mend, order, eta)


def repair_milp(
    menus: CellMenus,
    *,
    objective: str = "change",
    skip: bool = True,
    eta: float = 1e-5,
    values: Float[np.ndarray, "n_values n m"] | None = None,
    order: tuple[int, ...] | None = None,
    gap: float = 1e-4,
    time_limit: float = 60.0,
) -> Repair:
    """Choose good elements by an integer program for each tuple of the others' boxes.

    Parameters
    ----------
    menus : CellMenus
    objective : {"change", "revenue"}
        Least sum of price changes, or most payments at the centres of a bidder's own
        boxes.
    skip : bool
        Whether elements that cannot matter are left out: those that no box demands,
        prices of those that are good everywhere, and bad ones that lose to a constant
        price already.
    eta : float
        Strictness, above the solver's tolerance: 1e-6 or more.
    values : ndarray, shape (n_values, n_bidders, n_items), optional
        Sample that weighs the boxes for ``"revenue"``; by volume where not given.
    order : tuple of int, optional
        As in :func:`repair_raise`.
    gap : float
        Relative gap at which a search stops.
    time_limit : float
        Seconds for each program.

    Raises
    ------
    ValueError
        Another objective, or a strictness that the solver's tolerance could undo.
    SolverError
        A program without a solution in time.
    """
    if objective not in ("change", "revenue"):
        raise ValueError(f"objective = {objective!r}: expected 'change' or 'revenue'")
    if not eta >= 1e-6:
        raise ValueError(f"eta = {eta:g}: expected 1e-6 or more, above HiGHS's 1e-9")
    bidder = iter(order or range(menus.n_bidders - 1, -1, -1))
    next(bidder)

    def mend(a, p, own, spare):
        i = next(bidder)
        weights = (own.halves * 2).prod(axis=1)
        if values is not None:
            weights = np.bincount(own.locate(values[:, i]), minlength=len(own))
        weights = weights / weights.sum()
        found, counts = p.copy(), np.zeros(4, dtype=int)
        options = {"gap": gap, "time_limit": time_limit}
        for o in range(len(p)):
            program = PriceProgram(
                a[o], p[o], own, spare[o], eta, skip, objective == "revenue", weights
            )
            if program.n_bad:
                found[o] = program.solved(options)
                counts += program.counts
        return found, tuple(counts.tolist())

    return _in_turn(menus, mend, order, eta)


def prune(menus: CellMenus) -> tuple[CellMenus, Int[np.ndarray, " n"]]:
    """Take elements off the menus that are never chosen, and dearer equal bundles.

    Returns
    -------
    menus : CellMenus
        Prices of what is off are infinite.
    left : ndarray of int, shape (n_bidders,)
        Elements that remain in all menus of each bidder, without nothing.
    """
    left = np.empty(menus.n_bidders, dtype=int)
    for i in range(menus.n_bidders):
        a, p, _ = menus._flat(i)
        p = p.copy()
        for k in range(1, p.shape[1]):
            for q in range(p.shape[1]):
                same = (a[:, k] == a[:, q]).all(axis=1)
                dearer = (p[:, q] < p[:, k]) | ((p[:, q] == p[:, k]) & (q < k))
                if q != k:
                    p[same & dearer, k] = np.inf
        fewer = menus.with_prices(i, p.reshape(menus.prices[i].shape))
        wanted = fewer.demand(i).any(axis=1)
        wanted[:, 0] = True
        p[~wanted] = np.inf
        left[i] = np.isfinite(p[:, 1:]).sum()
        menus = menus.with_prices(i, p.reshape(menus.prices[i].shape))
    return menus, left


def refine(
    menus: object, before: CellMenus, *, finest: float, max_boxes: int
) -> CellMenus:
    """Bisect boxes in which an item may be sold twice, across that item's side.

    Parameters
    ----------
    menus : callable
        As in :func:`econlib.gemnet.cells.build`.
    before : CellMenus
        These menus on some boxes, not repaired.
    finest : float
        Sides of at most this length are left alone, above 0.
    max_boxes : int
        Largest number of boxes of a bidder; those in most violations come first.

    Returns
    -------
    CellMenus
        The menus read on the finer boxes.
    """
    if not finest > 0:
        raise ValueError(f"finest = {finest}: expected a number above 0")
    n = before.n_bidders
    twice = sum(before.taken(i) for i in range(n)) > 1 + _OVER
    finer: list[Boxes] = []
    for i, own in enumerate(before.boxes):
        hits = twice.sum(axis=tuple(q for q in range(n) if q != i))
        sides = 2 * own.halves
        sides[(hits == 0) | (sides < finest * (1 + 1e-9))] = 0.0
        which = np.flatnonzero(sides.any(axis=1))
        order = np.argsort(-hits[which].max(axis=1), kind="stable")
        which = which[order][: max(0, max_boxes - len(own))]
        items = sides[which].argmax(axis=1)
        finer.append(own.cut(which, items, own.centres[which, items]))
    return build(menus, finer)


def refined(
    menus: object,
    boxes: Boxes,
    n_bidders: int,
    *,
    finest: float,
    max_boxes: int = 4096,
) -> CellMenus:
    """Bisect until no violation has a side above the finest, or boxes run out.

    Parameters
    ----------
    menus : callable
        As in :func:`econlib.gemnet.cells.build`.
    boxes : Boxes
        Where every bidder begins.
    n_bidders : int
    finest, max_boxes
        As in :func:`refine`.

    Returns
    -------
    CellMenus
        Not repaired.
    """
    before = build(menus, [boxes] * n_bidders)
    while True:
        finer = refine(menus, before, finest=finest, max_boxes=max_boxes)
        if [*map(len, finer.boxes)] == [*map(len, before.boxes)]:
            return before
        before = finer


def _in_turn(menus: CellMenus, mend: object, order: object, eta: float) -> Repair:
    """Repair each bidder's menus against those of the bidders before her in order."""
    n = menus.n_bidders
    order = tuple(range(n - 1, -1, -1)) if order is None else tuple(order)
    if sorted(order) != list(range(n)):
        raise ValueError(f"order = {order}: expected each of 0 to {n - 1} once")
    if not eta > 1e-11:
        raise ValueError(f"eta = {eta:g}: expected more than 1e-11")
    began = time.process_time()
    counts = np.zeros(4, dtype=int)
    spare, largest = 1.0, 0.0
    for turn, i in enumerate(order):
        if turn:
            a, p, own = menus._flat(i)
            room = np.moveaxis(spare, i, -2).reshape(len(p), len(own), -1)
            found, more = mend(a, p, own, np.ascontiguousarray(room))
            counts += np.array(more)
            rise = (found - p)[np.isfinite(p) & (found < out_of_reach(a, own))]
            largest = max(largest, float(rise.max(initial=0.0)))
            menus = menus.with_prices(i, found.reshape(menus.prices[i].shape))
        if turn < n - 1:
            spare = spare - menus.taken(i)
    return Repair(menus, largest, *counts.tolist(), time.process_time() - began)


@njit(cache=True)
@no_type_check
def _lift(a, p, centres, halves, spare, eta, out):
    """Raise prices in place until no bad element is demanded."""
    n_k, m = a.shape[1], a.shape[2]
    need = np.empty(n_k)
    bad = np.empty(n_k, dtype=np.bool_)
    for o in range(len(p)):
        for turn in range(_ROUNDS + n_k):
            need[:] = p[o]
            for c in range(len(centres)):
                for k in range(n_k):
                    bad[k] = False
                    for j in range(m):
                        if a[o, k, j] > spare[o, c, j] + _OVER:
                            bad[k] = True
                for k in range(1, n_k):
                    if not bad[k] or not np.isfinite(p[o, k]):
                        continue
                    least, lost = np.inf, False
                    for q in range(n_k):
                        if q == k or not np.isfinite(p[o, q]):
                            continue
                        asks = p[o, q]
                        for j in range(m):
                            d = a[o, k, j] - a[o, q, j]
                            asks += d * centres[c, j] + halves[c, j] * abs(d)
                        if p[o, k] > asks + 0.5 * eta:
                            lost = True
                            break
                        if not bad[q]:
                            least = min(least, asks + eta)
                    if not lost:
                        need[k] = max(need[k], least)
            still = True
            for k in range(n_k):
                if need[k] > p[o, k]:
                    still = False
                    p[o, k] = out if turn >= _ROUNDS else need[k]
            if still:
                break
