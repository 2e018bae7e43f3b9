r"""A table of prices for one bidder, and the exact reply of the other.

The *leader*, bidder 1, has prices :math:`p_1(v_2)=(A,B,C)` of item 1, item 2 and both:
a table, linear on the triangles of a grid.  Nothing is asked of it.  The *follower*,
bidder 2, has no table: at :math:`v_1` her prices are the most profitable ones found
that can never clash with what the leader then takes, for any :math:`v_2`
(:mod:`econlib.gemnet.kernels`).  Both menus are functions of the other's report alone,
so that truth is a dominant strategy; no item is sold twice at any profile, so that any
table is feasible.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from econlib.gemnet import kernels
from econlib.gemnet.affine import AffineMaximiser, monopoly_menu
from econlib.gemnet.laws import Law, Market

__all__ = ["Choices", "LeaderTable", "boost_knots", "choose", "refine", "start_table"]

CAPS = np.array([1.4, 1.4, 2.4])

#: Steps of the search for a reply, part of the mechanism's definition.
SEARCH = 0.03 * 0.4 ** np.arange(5)


@dataclass(frozen=True)
class LeaderTable:
    """The mechanism: a market, the leader's table, and where replies begin.

    Attributes
    ----------
    market : Market
    affine : AffineMaximiser
        Its prices for the follower are among the starts of the reply.
    knots : ndarray, shape (n,)
        From 0 to 1, increasing, the same for both items.
    prices : ndarray, shape (n, n, 3)
        The leader's prices at the other's values ``(knots[i], knots[j])``.
    """

    market: Market
    affine: AffineMaximiser
    knots: Float[np.ndarray, " _"]
    prices: Float[np.ndarray, "_ _ 3"]

    def __post_init__(self) -> None:
        k = self.knots
        if k[0] != 0 or k[-1] != 1 or not (np.diff(k) > 0).all():
            raise ValueError("knots: expected increasing numbers from 0 to 1")
        if (
            self.prices.shape != (len(k), len(k), 3)
            or not np.isfinite(self.prices).all()
        ):
            raise ValueError(
                f"prices: shape {self.prices.shape}, expected finite numbers, "
                f"({len(k)}, {len(k)}, 3)"
            )

    @cached_property
    def monopoly(self) -> Float[np.ndarray, "3"]:
        """Prices for the follower if she were alone, another start of the reply."""
        return monopoly_menu(self.market.second, unit_demand=self.market.unit_demand)

    def leader(self, values: Float[np.ndarray, "n_values 2"]) -> np.ndarray:
        """Leader's prices at the other's values, shape (n_values, 3)."""
        rows, shares = self.corners(_checked(values, self.market.second))
        flat = self.prices.reshape(-1, 3)
        return (flat[rows] * shares[..., None]).sum(axis=1)

    def corners(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Corners of the triangle of each value and barycentric shares."""
        k, n = self.knots, len(self.knots)
        i, j = np.clip(np.searchsorted(k, values.T, "right") - 1, 0, n - 2)
        p = (values[:, 0] - k[i]) / (k[i + 1] - k[i])
        q = (values[:, 1] - k[j]) / (k[j + 1] - k[j])
        upper = p + q > 1
        along = np.where(upper, (i + 1) * n + j + 1, i * n + j)
        one = np.where(upper, i * n + j + 1, (i + 1) * n + j)
        two = np.where(upper, (i + 1) * n + j, i * n + j + 1)
        p, q = np.where(upper, 1 - p, p), np.where(upper, 1 - q, q)
        shares = np.stack([1 - p - q, p, q], axis=1)
        return np.stack([along, one, two], axis=1), shares

    def follower(self, values: Float[np.ndarray, "n_values 2"]) -> np.ndarray:
        """Follower's prices at the leader's values, shape (n_values, 3)."""
        values = _checked(values, self.market.first)
        own = self.leader(np.minimum(values, self.market.second.top))
        boosted = self.affine.prices(1, values)
        law = self.market.second
        alone = np.broadcast_to(self.monopoly, own.shape)
        return kernels.replies(
            self.knots,
            self.prices,
            law.breaks,
            law.coefficients,
            values,
            np.stack([boosted, alone, own], axis=1),
            SEARCH,
            not self.market.unit_demand,
        )

    def revenue(self, n: int = 96, n_leader: int = 384) -> float:
        """Expected revenue in money: midpoints over one's values, exact in the other's.

        Parameters
        ----------
        n, n_leader : int
            Midpoints an axis, in quantiles of the leader's and the follower's values.
        """
        first, second = self.market.first, self.market.second
        lead = _mean(first, self.leader(_midpoints(second, n_leader)))
        follow = _mean(second, self.follower(_midpoints(first, n)))
        return self.market.unit * (lead + follow)

    def play(
        self,
        v_first: Float[np.ndarray, "n_values 2"],
        v_second: Float[np.ndarray, "n_values n_each 2"],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Payments of both bidders together, and whether an item could be sold twice.

        Parameters
        ----------
        v_first : ndarray, shape (n_values, 2)
            Values of the leader.
        v_second : ndarray, shape (n_values, n_each, 2)
            Values of the follower, some for each of the leader's.

        Returns
        -------
        paid : ndarray, shape (n_values, n_each)
            In units of the market.
        clash : ndarray of bool, shape (n_values, n_each)
            Whether some elements within 1e-13 of each bidder's best share an item.
        """
        shape = v_second.shape[:2]
        lead = self.leader(v_second.reshape(-1, 2)).reshape(*shape, 3)
        follow = self.follower(v_first)[:, None]
        one = choose(v_first[:, None], lead, self.market.unit_demand)
        two = choose(v_second, follow, False)
        paid = one.paid + two.paid
        return paid, (one.may_take & two.may_take).any(axis=-1)


@dataclass(frozen=True)
class Choices:
    """What bidders take.

    Attributes
    ----------
    paid : ndarray, shape (...)
    may_take : ndarray of bool, shape (..., 2)
        Items in any element within 1e-13 of the best.
    """

    paid: Float[np.ndarray, "..."]
    may_take: np.ndarray


def choose(v: np.ndarray, prices: np.ndarray, unit_demand: bool) -> Choices:
    """The first best element of menus.

    Parameters
    ----------
    v : ndarray, shape (..., 2)
    prices : ndarray, shape (..., 3)
        Of item 1, item 2 and both.
    unit_demand : bool
        Whether both are not on the menu.
    """
    single, both = v - prices[..., :2], v.sum(axis=-1) - prices[..., 2]
    gains = np.concatenate([0 * single[..., :1], single, both[..., None]], axis=-1)
    if unit_demand:
        gains[..., 3] = -np.inf
    best = gains.argmax(axis=-1)
    cost = np.concatenate([np.zeros((*prices.shape[:-1], 1)), prices], axis=-1)
    cost = np.broadcast_to(cost, gains.shape)
    paid = np.take_along_axis(cost, best[..., None], axis=-1)[..., 0]
    near = gains >= gains.max(axis=-1, keepdims=True) - 1e-13
    holds = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=bool)
    return Choices(paid, (near[..., None] & holds).any(axis=-2))


def _checked(values: np.ndarray, law: Law) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if not ((values >= 0) & (values <= law.top)).all():
        raise ValueError(f"values: expected numbers in the support, [0, {law.top:g}]")
    return values


def _mean(law: Law, prices: np.ndarray) -> float:
    weights = np.full(len(prices), 1 / len(prices))
    return kernels.mean_revenue(law.breaks, law.coefficients, prices, weights)


def _midpoints(law: Law, n: int) -> np.ndarray:
    x = law.ppf((np.arange(n) + 0.5) / n)
    return np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)


def boost_knots(affine: AffineMaximiser, n: int = 11) -> Float[np.ndarray, " n"]:
    """Knots on which the leader's prices of an affine maximiser are exact.

    The prices bend along lines x or y = z, and along x + y = w, a union of
    anti-diagonals if the knots lie in pairs about w / 2.

    Parameters
    ----------
    affine : AffineMaximiser
    n : int
        Knots, about; the widest intervals are halved until there are as many.
    """
    lines, total = affine.bends(0)
    inside = [z for z in lines if 0 < z < 1]
    knots = {0.0, 1.0, *inside, *(total - z for z in inside if 0 < total - z < 1)}
    while len(knots) < n:
        own = np.array(sorted(knots))
        k = int(np.argmax(np.diff(own)))
        middle = (own[k] + own[k + 1]) / 2
        pair = total - middle
        apart = np.abs(own - pair).min() > 1 / (4 * n)
        knots |= {middle, pair} if apart and 0 < pair < 1 else {middle}
    return np.array(sorted(knots))


def start_table(
    market: Market, affine: AffineMaximiser, knots: Float[np.ndarray, " n"]
) -> LeaderTable:
    """A table to begin from: the leader's exact reply to the affine maximiser.

    The reply holds the prices for a single bidder where the other is too weak to win.

    Parameters
    ----------
    market : Market
    affine : AffineMaximiser
    knots : ndarray, shape (n,)
        From 0 to 1, increasing.
    """
    grid = np.stack(np.meshgrid(knots, knots, indexing="ij"), axis=-1)
    back, turned = market.swapped(), affine.swapped()
    own = boost_knots(turned)
    at = np.stack(np.meshgrid(own, own, indexing="ij"), axis=-1)
    other = LeaderTable(back, turned, own, turned.prices(0, at))
    # beyond the support the menu is never used
    values = np.minimum(grid.reshape(-1, 2), market.second.top)
    reply = other.follower(values).reshape(*grid.shape[:2], 3)
    reply = np.minimum(reply, CAPS - 0.1)
    # the search is not quite even-handed between the items
    low = np.tri(len(knots), dtype=bool)
    one = np.where(low, reply[..., 0], reply[..., 1].T)
    both = np.where(low, reply[..., 2], reply[..., 2].T)
    return LeaderTable(market, affine, knots, np.stack([one, one.T, both], axis=-1))


def refine(table: LeaderTable, more: np.ndarray | None = None) -> LeaderTable:
    """The table read on more knots.

    Where none are given every interval is halved, and the function stays the same;
    other knots cut anti-diagonals, and change it a little.
    """
    k = table.knots
    more = (k[1:] + k[:-1]) / 2 if more is None else more
    knots = np.unique(np.append(k, more))
    grid = np.stack(np.meshgrid(knots, knots, indexing="ij"), axis=-1)
    rows, shares = table.corners(grid.reshape(-1, 2))
    prices = (table.prices.reshape(-1, 3)[rows] * shares[..., None]).sum(axis=1)
    return replace(table, knots=knots, prices=prices.reshape(*grid.shape[:2], 3))
