r"""Upper bounds on the revenue of any strategy-proof auction, by flows on a grid.

Fix the other's values.  A bidder's utility :math:`u` is convex in her own values
:math:`v` with slope :math:`\nabla u=x`, her allocation, and she pays
:math:`v\cdot x-u`.  For a field :math:`w` whose component across every face of a grid
is continuous, integration by parts gives

.. math::

   \int(v\cdot x-u)f=\int(vf-w)\cdot x-\int u\,(f+\operatorname{div}w)
   +\oint u\,w\cdot n .

If :math:`f+\operatorname{div}w\ge0`, :math:`w=0` where a value is largest and
:math:`w\ge0` where it is 0, the last two terms are at most 0: :math:`w` is a flow of
the mass :math:`f` to lower values.  Item j is worth at most
:math:`\varphi_{ij}=v_{ij}-w_{ij}/f_i` from bidder i, so that

.. math:: \mathcal R\le\mathbb E\sum_j\max(0,\varphi_{1j},\varphi_{2j}).

In a cell of own values the flow :math:`w_j` is :math:`f` of the other item times a
function linear in :math:`F(v_j)`, which makes :math:`f+\operatorname{div}w` a constant
times :math:`f`: what holds for the sums over cells holds at every value, and nothing is
lost between grid and continuum.  Since :math:`x_j` rises in :math:`v_j`, any
:math:`K\ge0` that is 0 at both ends of an axis may be subtracted as
:math:`\partial K/\partial v_j` over :math:`f` (ironing).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float

from econlib.gemnet.laws import Law

__all__ = ["FlowBound"]

_ROUNDING = 1e-10  # a sum of 1e8 terms of size 1e-5, each to 1e-15, with room
_PARTS = 2**22  # of a cell's mass in exact arithmetic


@dataclass(frozen=True)
class FlowBound:
    """Flows of one or two bidders, and what they prove.

    Attributes
    ----------
    laws : tuple of Law
        Of each bidder, for either of two items.
    edges : tuple of ndarray, shape (n_cells + 1,)
        Of the cells of each bidder's values, from 0 to the top, breaks among them.
    flows : tuple of (ndarray, ndarray)
        For each bidder the flow to lower values of item 1 through faces, shape
        (n_other, n_other, n_cells + 1, n_cells), and of item 2, shape
        (n_other, n_other, n_cells, n_cells + 1), for each cell of the other's values
        (one cell if there is no other).  A total mass of 1 flows.
    ironing : tuple of (ndarray, ndarray)
        K of each bidder at the same faces, 0 at both ends.
    """

    laws: tuple[Law, ...]
    edges: tuple[Float[np.ndarray, " _"], ...]
    flows: tuple[tuple[np.ndarray, np.ndarray], ...]
    ironing: tuple[tuple[np.ndarray, np.ndarray], ...]

    def __post_init__(self) -> None:
        for one, two in (*self.flows, *self.ironing):
            if np.abs(one[..., -1, :]).max() > 0 or np.abs(two[..., -1]).max() > 0:
                raise ValueError("flows: expected 0 where a value is largest")
        for one, two in self.flows:
            if one[..., 0, :].min() < 0 or two[..., 0].min() < 0:
                raise ValueError("flows: expected 0 or more where a value is 0")
        for one, two in self.ironing:
            if one[..., 0, :].any() or two[..., 0].any() or one.min() < 0:
                raise ValueError("ironing: expected 0 or more, and 0 at both ends")
            if two.min() < 0:
                raise ValueError("ironing: expected 0 or more, and 0 at both ends")

    def revenue(self, parts: int = 8) -> float:
        """A bound on expected revenue, rounding included.

        In each of some parts of a cell a virtual value is replaced by two points that
        hold its range and keep its mean, which can only raise the mean of a maximum.

        Parameters
        ----------
        parts : int
            1 or more; the loss falls with its square.
        """
        if parts < 1:
            raise ValueError(f"parts = {parts}: expected an integer, 1 or more")
        total, short = 0.0, 0.0
        masses = [law.cdf(e[1:]) - law.cdf(e[:-1]) for law, e in self._pairs()]
        points = []
        for i, (law, own) in enumerate(self._pairs()):
            mass = masses[i]
            here = []
            for j in (0, 1):
                flow, iron = self.flows[i][j], self.ironing[i][j]
                # the item's own axis last, the other item's mass divided out
                axes = (0, 1, 3, 2) if j == 0 else (0, 1, 2, 3)
                scale = mass[:, None]
                w = flow.transpose(axes) / scale
                k = np.diff(iron.transpose(axes), axis=-1) / scale / mass
                here.append(_two_points(law, own, w, k, parts))
            points.append(here)
            # where more flows out than in, what it can be worth is added
            other = masses[1 - i] if len(self.laws) == 2 else np.ones(1)
            lost = np.maximum(-self._kept(i, mass), 0).sum(axis=(2, 3))
            short += 2 * law.top * float(other @ lost @ other)
        for j in (0, 1):
            total += _mean_of_best([p[j] for p in points], masses, j)
        return total + short + _ROUNDING

    def _pairs(self) -> list[tuple[Law, np.ndarray]]:
        return list(zip(self.laws, self.edges, strict=True))

    def _kept(self, i: int, mass: np.ndarray) -> np.ndarray:
        """Mass that comes into each cell less what leaves it."""
        one, two = self.flows[i]
        kept = mass[:, None] * mass + np.diff(one, axis=2) + np.diff(two, axis=3)
        return kept

    def exact(self, parts: int = 8) -> Fraction:
        """The bound in integer arithmetic, for uniform values on equal cells.

        Flows are rounded to multiples of 2**-22 of a cell's mass first; the proof needs
        no flow to be a best one.

        Raises
        ------
        ValueError
            Values that are not uniform from 0, cells that are not equal, ironing, or
            one bidder.
        """
        k = len(self.edges[0]) - 1
        equal = all(
            len(law.coefficients) == 1
            and law.coefficients[0, 2] == 0
            and np.allclose(edges, np.linspace(0, law.top, k + 1), 1e-14, 0)
            for law, edges in self._pairs()
        )
        iron = any(z.any() for both in self.ironing for z in both)
        if len(self.laws) != 2 or not equal or iron or parts < 1:
            raise ValueError(
                f"laws: {len(self.laws)}, parts = {parts}: expected two bidders with "
                "uniform values, equal cells, no ironing, and 1 part or more"
            )
        tops = [Fraction(law.top) for law in self.laws]
        unit = k * k * _PARTS  # mass 1
        flows = [
            [np.rint(one * unit).astype(np.int64) for one in both]
            for both in self.flows
        ]
        short = Fraction(0)
        levels = []
        for (one, two), top in zip(flows, tops, strict=True):
            kept = _PARTS + np.diff(one, axis=2) + np.diff(two, axis=3)
            lost = int(np.maximum(-kept, 0).sum())
            short += 2 * top * Fraction(lost, unit * k**2)
            # phi / top = v / top - k w, at the ends of parts, times k parts unit
            steps = np.arange(k * parts + 1)
            both = []
            for w in (one.transpose(0, 1, 3, 2), two):
                low, gap = w[..., :-1, None], np.diff(w, axis=-1)[..., None]
                s = np.arange(parts)
                ends = []
                for at in (s, s + 1):
                    along = k * (k * (low * parts + gap * at))
                    value = (steps[:-1].reshape(k, parts) + (at - s)) * unit
                    ends.append(value - along)
                both.append(np.stack(ends))
            levels.append(both)
        # on one scale for both bidders
        scale = [int(top / min(tops)) for top in tops]
        if any(top != min(tops) * s for top, s in zip(tops, scale, strict=True)):
            raise ValueError("laws: expected tops that are multiples of the least")
        total = 0
        for j in (0, 1):
            # axes: end, other, other, [not j, j], part
            mine, hers = (levels[i][j] * scale[i] for i in (0, 1))
            for a in range(k):
                for b in range(k):
                    # own cell (a, b) of bidder 1: item j in a
                    p = mine[:, :, :, b, a] if j == 0 else mine[:, :, :, a, b]
                    q = hers[:, a, b]  # her own cell comes as (d, c) for item 1
                    q = q.transpose(0, 2, 1, 3) if j == 0 else q
                    best = np.maximum(
                        p[:, None, :, :, :, None], q[None, :, :, :, None, :]
                    )
                    total += int(np.maximum(best, 0).sum())
        count = 4 * parts**2 * k**4 * (k * parts * unit)
        return min(tops) * Fraction(total, count) + short


def _two_points(
    law: Law,
    edges: np.ndarray,
    w: np.ndarray,
    k: np.ndarray,
    parts: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Range, chance of its upper end, and weight, of a virtual value part by part.

    Parameters
    ----------
    w : ndarray, shape (..., n_cells + 1)
        Flow over the other item's mass at the edges.
    k : ndarray, shape (..., n_cells)
        What ironing takes off.

    Returns
    -------
    low, high, chance : ndarray, shape (..., n_cells, parts)
    weight : ndarray, shape (n_cells, parts)
    """
    t = np.linspace(0, 1, parts + 1)
    v = edges[:-1, None] + np.diff(edges)[:, None] * t
    v[:, -1] = edges[1:]
    middle = (v[:, :-1] + v[:, 1:]) / 2
    c = law.coefficients[law._piece(middle[:, :1])][..., None, :]
    c0, c1, c2 = (c[:, 0, 0, z, None] for z in range(3))
    cdf = c0 + v * (c1 + v * c2)
    pdf = c1 + 2 * v * c2
    below = v * (c0 + v * (c1 / 2 + v * c2 / 3))  # antiderivative of the cdf
    if (pdf[:, :-1] <= 0).any() or (pdf[:-1] <= 0).any():
        raise ValueError("laws: expected a density above 0 below the top")
    mass = np.diff(cdf, axis=1)
    whole = mass.sum(axis=1, keepdims=True)
    rise = np.diff(w, axis=-1)[..., None] / whole
    at = w[..., :-1, None] + rise * (cdf - cdf[:, :1])
    width = np.diff(v, axis=1)
    area = np.diff(below, axis=1)
    drawn = np.diff(v * cdf, axis=1) - area
    flown = w[..., :-1, None] * width + rise * (area - cdf[:, :1] * width)
    mean = (drawn - flown) / mass - k[..., None]
    f, g = pdf[:, :-1], pdf[:, 1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        # at the top density and flow may both be 0, with ratio 0
        ends = at[..., :-1] / f, np.where(g > 0, at[..., 1:] / g, 0.0)
        low, high = v[:, :-1] - ends[0], v[:, 1:] - ends[1]
        low, high = np.minimum(low, high), np.maximum(low, high)
        # with z the density, linear in v, this is v - A / z - B z
        b = (at[..., :-1] - at[..., 1:]) / (f * f - g * g)
        a = at[..., :-1] - b * f * f
        slope = (f - g) / width
        z = np.sqrt(a / (1 / slope + b))
        bend = v[:, :-1] + (f - z) / slope - a / z - b * z
        bends = (z > np.minimum(f, g)) & (z < np.maximum(f, g)) & np.isfinite(bend)
    low = np.where(bends, np.minimum(low, bend), low) - k[..., None]
    high = np.where(bends, np.maximum(high, bend), high) - k[..., None]
    mean = np.clip(mean, low, high)
    chance = (mean - low) / np.maximum(high - low, 1e-300)
    return low, high, chance, mass / whole


def _mean_of_best(
    points: list[tuple[np.ndarray, ...]], masses: list[np.ndarray], item: int
) -> float:
    """Mean of the best of 0 and the bidders' virtual values of an item."""
    n = len(masses[0])
    first = masses[0][:, None] * masses[0]
    # first's cell (x, y): her value of the item in y, of the other item in x
    if len(points) == 1:
        low, high, chance, weight = points[0]
        two = (1 - chance) * np.maximum(low, 0) + chance * np.maximum(high, 0)
        return float((first * (two[0, 0] * weight).sum(axis=-1)).sum())
    second = masses[1][:, None] * masses[1]
    total = 0.0
    (l1, h1, c1, w1), (l2, h2, c2, w2) = points
    for x in range(n):
        for y in range(n):
            # others' cells (item 1, item 2) where the item's own axis is last
            mine = (slice(None), slice(None), x, y)
            hers = (y, x) if item == 0 else (x, y)
            turn = (1, 0, 2) if item == 0 else (0, 1, 2)
            best = 0.0
            for p, chance_p in ((l1, 1 - c1), (h1, c1)):
                p = p[mine].transpose(turn)[..., :, None]
                share = (chance_p[mine] * w1[y]).transpose(turn)[..., :, None]
                for q, chance_q in ((l2, 1 - c2), (h2, c2)):
                    z = np.maximum(np.maximum(p, q[hers][..., None, :]), 0.0)
                    z *= share
                    z *= (chance_q[hers] * w2)[..., None, :]
                    best = best + z.sum(axis=(-1, -2))
            total += float(first[x, y] * (second * best).sum())
    return total
