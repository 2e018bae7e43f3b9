r"""The integer program that prices one menu so that bad elements are not chosen.

For each of the bidder's own boxes with a bad element, one good element
:math:`k'` is picked by a binary :math:`y`, and every bad :math:`k` must lose to it:

.. math::

   (\alpha^{(k')}-\alpha^{(k)})\cdot c-p^{(k')}+p^{(k)}\ \ge\
   \sum_j\varepsilon_j|\alpha^{(k)}_j-\alpha^{(k')}_j|+\eta-M(1-y) .
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from econlib.gemnet.boxes import Boxes
from econlib.programs import solve

__all__ = ["PriceProgram", "out_of_reach"]

_OVER = 1e-9


def out_of_reach(a: np.ndarray, own: Boxes) -> float:
    """A price strictly above what any bundle is worth, by the value of an item."""
    top = own.high.max(axis=0)
    return float(top.sum() + top.max())


class PriceProgram:
    """Prices of one menu: continuous rises, and a binary for each choice of a good one.

    Variables are the prices of some elements, then for each own box with a bad element
    that matters one binary for each good element, and for revenue a binary for every
    element in every box and what it pays.
    """

    def __init__(
        self,
        a: np.ndarray,
        p: np.ndarray,
        own: Boxes,
        spare: np.ndarray,
        eta: float,
        skip: bool,
        revenue: bool,
        weights: np.ndarray,
    ) -> None:
        self.a, self.p, self.own, self.eta = a, p, own, eta
        self.revenue, self.weights, self.skip = revenue, weights, skip
        live = np.isfinite(p)
        good = (a[None] <= spare[:, None] + _OVER).all(axis=2) & live
        bad = ~good & live
        # worth at the centre, and by how much k must lose to q
        self.worth = own.centres @ a.T
        self.slack = own.halves @ np.abs(a[:, None] - a[None]).reshape(-1, a.shape[1]).T
        self.slack = self.slack.reshape(len(own), len(p), len(p)) + eta
        fixed = np.zeros(len(p), dtype=bool)
        fixed[0] = True
        if skip:
            demanded = self._loses_to(np.flatnonzero(live))
            live &= ~demanded.all(axis=0) | fixed
            good, bad = good & live, bad & live
            fixed |= ~bad.any(axis=0)
            # at their least prices bad elements already lose to a constant one
            bad &= ~self._loses_to(np.flatnonzero(fixed & live), good)
            if not revenue:
                good = self._undominated(good, bad, fixed)
        self.good, self.bad, self.live = good, bad, live
        self.free = np.flatnonzero(live & ~fixed)
        self.n_bad = int(bad.any(axis=1).sum())
        self.counts = np.zeros(4, dtype=int)

    def _loses_to(
        self, which: np.ndarray, allowed: np.ndarray | None = None
    ) -> np.ndarray:
        """Boxes and elements that lose by the margin to some of these at p."""
        u = self.worth - self.p
        out = np.zeros(u.shape, dtype=bool)
        for q in which:
            ok = u[:, [q]] - u >= self.slack[:, :, q]
            ok[:, q] = False
            out |= ok if allowed is None else ok & allowed[:, [q]]
        return out

    def _undominated(
        self, good: np.ndarray, bad: np.ndarray, fixed: np.ndarray
    ) -> np.ndarray:
        """Good elements that some bad one may lose to where no constant one does more.

        An element whose price is free does most at its least price.
        """
        u = self.worth - self.p
        does = np.where(bad[:, :, None], u[:, None] - self.slack, 0.0)
        out = good.copy()
        for q in np.flatnonzero(good.any(axis=0)):
            for f in np.flatnonzero(fixed):
                if f != q:
                    more = (does[:, :, f] >= does[:, :, q]).all(axis=1)
                    out[:, q] &= ~(more & out[:, f])
        return out

    def solved(self, solver: dict) -> np.ndarray:
        """Prices of the best solution; what is not live is off the menu."""
        n = len(self.free)
        place = np.full(len(self.p), -1)
        place[self.free] = np.arange(n)
        top = out_of_reach(self.a, self.own)
        lower = np.minimum(self.p[self.free], top)
        big = 2 * top + float(np.abs(self.p[self.live]).max()) + 1.0
        cost, low, high = [*np.ones(n)], [*lower], [*np.maximum(lower, top)]
        if self.revenue:
            cost = [0.0] * n
        rows: list[tuple[list[int], list[float], float]] = []  # sum <= bound

        def column(c, lo, hi):
            cost.append(c), low.append(lo), high.append(hi)
            return len(cost) - 1

        def gap(cell, k, q, y, slack):
            """u_q - u_k >= slack unless y = 0, that is p_q - p_k + big y <= ..."""
            bound = self.worth[cell, q] - self.worth[cell, k] - slack
            at, by = [], []
            if y is not None:
                at, by, bound = [y], [big], bound + big
            for z, sign in ((q, 1.0), (k, -1.0)):
                if place[z] >= 0:
                    at.append(int(place[z])), by.append(sign)
                else:
                    bound -= sign * self.p[z]
            rows.append((at, by, bound))

        integer: list[int] = []
        cells = (
            np.arange(len(self.own))
            if self.revenue
            else np.flatnonzero(self.bad.any(axis=1))
        )
        for cell in cells:
            options = np.flatnonzero(self.good[cell])
            chosen = []
            for q in options:
                # where elements are skipped, the only option needs no binary
                y = None
                if len(options) > 1 or self.revenue or not self.skip:
                    y = column(0.0, 0.0, 1.0)
                    integer.append(y), chosen.append(y)
                for k in np.flatnonzero(self.bad[cell]):
                    gap(cell, k, q, y, self.slack[cell, k, q])
                if self.revenue:
                    self._pays(cell, q, y, column, gap, place, rows, big)
            if chosen:
                rows.append((chosen, [-1.0] * len(chosen), -1.0))
            if self.revenue:
                rows.append((chosen, [1.0] * len(chosen), 1.0))
        whole = np.zeros(len(cost), dtype=bool)
        whole[integer] = True
        at = np.concatenate([np.full(len(r[0]), j) for j, r in enumerate(rows)])
        columns = np.concatenate([r[0] for r in rows]).astype(int)
        by = np.concatenate([r[1] for r in rows])
        matrix = sp.csr_matrix((by, (at, columns)), shape=(len(rows), len(cost)))
        self.counts = np.array([1, n, len(integer), len(rows)])
        found = solve(
            np.array(cost),
            matrix,
            row_upper=np.array([r[2] for r in rows]),
            lower=np.array(low),
            upper=np.array(high),
            integer=whole,
            maximise=self.revenue,
            **solver,
        )
        prices = self.p.copy()
        prices[self.free] = np.maximum(found.x[:n], lower)
        prices[~self.live] = np.inf
        return prices

    def _pays(self, cell, q, y, column, gap, place, rows, big) -> None:
        """The choice at the centre is the best one, and pays its price."""
        for k in np.flatnonzero(self.live):
            if k != q:
                gap(cell, k, q, y, 0.0)
        if q == 0:
            return
        top = out_of_reach(self.a, self.own)
        r = column(float(self.weights[cell]), 0.0, top)
        rows.append(([r, y], [1.0, -top], 0.0))
        if place[q] >= 0:
            rows.append(([r, int(place[q])], [1.0, -1.0], 0.0))
        else:
            rows.append(([r], [1.0], float(self.p[q])))
