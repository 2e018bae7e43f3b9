r"""Why rounding cannot make a leader's table sell twice: a forward error bound.

Everything is computed in double precision, each operation exact up to a factor
:math:`1\pm u`, :math:`u=2^{-53}`.  Let :math:`g` be a difference of two gains of the
leader on a triangle of the table, at most :math:`M` in size and :math:`L` in slope.

1. The computed :math:`\tilde g` is within :math:`e` of :math:`g` at every vertex, and a
   computed crossing with :math:`\tilde g=-W` lies within :math:`r_0` of the edge it
   cuts, at a point where :math:`g` is within :math:`e'` of :math:`-W`.
2. Take a point p where the leader, choosing in floating point herself, may take S:
   there :math:`g(p)\ge-\omega` against every other element.  Towards the centre of the
   triangle there is a p' at most :math:`\rho` away, where g is less by :math:`d` at
   most, and more than three :math:`r_0` from all sides.  If

   .. math::  W>\omega+d+e' ,

   no cut comes near p': what a cut replaces, and what it is replaced by, lie where
   :math:`g\le-W+e'`, and rounding moves a vertex by less than the distance of p' from
   any side.  So the computed polygon winds once around p', however ill-conditioned its
   vertices are, and the way from p' to the right crosses one of its edges that go up.
3. Suprema rise with x and change by at most the distance, so that the computed ones are
   below the true ones by at most :math:`2\rho+8u`.  Prices stay above the computed ones
   by :math:`\eta`; the follower's own choice in floating point takes :math:`6uM`.  If

   .. math::  \eta>2\rho+8u+6uM ,

   an element that shares an item with S is never chosen.

Both conditions depend on the table alone, not on anybody's values: with them, no item
is sold twice at any pair of double-precision reports.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from econlib.gemnet.kernels import MARGIN
from econlib.gemnet.reach import WIDEN
from econlib.gemnet.residual import LeaderTable

__all__ = ["RoundingBound", "rounding_bound"]

_U = 2.0**-53


@dataclass(frozen=True)
class RoundingBound:
    """Constants of the proof for one table.

    Attributes
    ----------
    slope : float
        L, of differences of two gains.
    shift : float
        :math:`\\rho`, between a point and one well inside its triangle.
    widening_needed : float
        :math:`\\omega+d+e'`, to be below ``WIDEN``.
    margin_needed : float
        :math:`2\\rho+8u+6uM`, to be below ``MARGIN``.
    """

    slope: float
    shift: float
    widening_needed: float
    margin_needed: float

    @property
    def holds(self) -> bool:
        """Whether both conditions hold, so that nothing is sold twice anywhere."""
        return self.widening_needed < WIDEN and self.margin_needed < MARGIN


def rounding_bound(table: LeaderTable) -> RoundingBound:
    """Bound what rounding can do to the mechanism of a table.

    Parameters
    ----------
    table : LeaderTable

    Notes
    -----
    Round to nearest is assumed, without reordering or approximate division: what the
    compiler does unless it is told otherwise.
    """
    h = np.diff(table.knots)
    prices = np.concatenate(
        [np.zeros((*table.prices.shape[:2], 1)), table.prices], axis=2
    )
    # of price differences, over both pairs of legs of a cell's triangles
    gaps = prices[..., :, None] - prices[..., None, :]
    over = [np.abs(np.diff(gaps, axis=i)).max(axis=(2, 3)) for i in (0, 1)]
    over = [
        np.maximum(over[0][:, 1:], over[0][:, :-1]),
        np.maximum(over[1][1:], over[1][:-1]),
    ]
    a, b = h[:, None], h[None, :]
    leg = float(max((over[0] / a).max(), (over[1] / b).max()))
    slope = float(np.hypot(over[0] / a, over[1] / b).max())
    size = 2.0 + float(np.abs(table.prices).max())
    # a gain: two operations; a difference of gains: one more, of twice the size
    gain = 6 * _U * size
    # slopes err by 2 gains and 3 roundings a leg, which is at most 1 long; then six
    # operations on terms of size g and slope
    value = 5 * gain + 6 * _U * leg + 6 * _U * (2 * size + 4 * leg)
    off = 5 * _U  # three roundings in each coordinate
    crossing = value + 6 * _U * size + slope * off
    # three cuts, and corners that are off by two roundings
    away = 3 * off + 4 * _U
    # as a part of the way to the centre, at the incircle's radius from all sides
    part = 2 * away / (a + b - np.hypot(a, b))
    shift = float((part * np.hypot(a, b)).max())
    drift = float((part * (over[0] + over[1])).max())
    # leader's prices: shares err by 2 roundings each, three products and two sums
    own = 12 * _U * size + 2 * gain
    return RoundingBound(
        slope=slope,
        shift=shift,
        widening_needed=own + drift + crossing,
        margin_needed=float(2 * shift + 8 * _U + 6 * _U * size),
    )
