r"""How much could lotteries earn the follower, beside a table of the leader?

At one value of the leader item j is out of reach wherever the leader may take it.  On a
grid of the follower's values :math:`v` with chances :math:`f` the best menu is the
linear program over utilities :math:`u` and allocations :math:`x`

.. math::

   \max\sum_vf(v)\,(v\cdot x(v)-u(v))\quad\text{s.t.}\quad
   u(v)-u(w)\ge x(w)\cdot(v-w),\quad u\ge0,\quad 0\le x_j(v)\le1-\mathbb 1_j(v) ,

and with whole :math:`x` it is the best deterministic menu, found here by trying all
prices that can matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from econlib import programs
from econlib.gemnet.residual import LeaderTable, choose

__all__ = ["LotteryReply", "lottery_reply"]


@dataclass(frozen=True)
class LotteryReply:
    """Best revenue from the follower on a grid of her values, in units of the market.

    Attributes
    ----------
    lotteries, deterministic : float
    mixed : float
        Chance of a value that gets a lottery strictly between 0 and 1.
    """

    lotteries: float
    deterministic: float
    mixed: float


def lottery_reply(
    table: LeaderTable, value: Float[np.ndarray, "2"], n: int = 14
) -> LotteryReply:
    """Compare lotteries with deterministic menus at one value of the leader.

    Parameters
    ----------
    table : LeaderTable
    value : ndarray, shape (2,)
        Of the leader.
    n : int
        Midpoints an axis, evenly spaced, of the follower's values, 2 to 40.

    Raises
    ------
    ValueError
        Another n, or a value outside the support.
    SolverError
        A program that is not solved.
    """
    if not 2 <= n <= 40:
        raise ValueError(f"n = {n}: expected an integer in [2, 40]")
    law = table.market.second
    cuts = np.linspace(0, law.top, n + 1)
    x = (cuts[1:] + cuts[:-1]) / 2
    chance = np.diff(law.cdf(cuts))
    v = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)
    f = np.outer(chance, chance).ravel()
    table.follower(value[None])  # a value outside the support is an error
    taken = choose(
        np.asarray(value, float)[None], table.leader(v), table.market.unit_demand
    ).may_take
    lotteries, mixed = _program(v, f, taken, n)
    return LotteryReply(lotteries, _best_prices(x, v, f, taken), mixed)


def _program(
    v: np.ndarray, f: np.ndarray, taken: np.ndarray, n: int
) -> tuple[float, float]:
    """Optimum over lotteries; incentive rows are added where they are violated."""
    size = len(v)
    cost = np.concatenate([-f, (f[:, None] * v).ravel()])
    upper = np.concatenate([np.full(size, np.inf), (~taken).astype(float).ravel()])
    i, j = np.divmod(np.arange(size), n)
    near = (np.abs(i[:, None] - i) <= 1) & (np.abs(j[:, None] - j) <= 1)
    np.fill_diagonal(near, False)
    program = programs.Program(cost, 0.0, upper, maximise=True)
    pairs = np.argwhere(near)
    while True:
        program.add_rows(_truth(v, pairs), lower=0.0)
        found = program.solve()
        u, x = found.x[:size], found.x[size:].reshape(size, 2)
        # gain of type k by telling w
        gain = u + (v[:, None] * x).sum(-1) - (v * x).sum(-1) - u[:, None]
        short = gain > 1e-8
        if not short.any():
            break
        # the worst few of each type
        worst = np.argsort(-gain, axis=1)[:, :6]
        rows = np.repeat(np.arange(size), worst.shape[1])
        pairs = np.stack([rows, worst.ravel()], axis=1)
        pairs = pairs[short[pairs[:, 0], pairs[:, 1]]]
    lottery = ((x > 1e-6) & (x < 1 - 1e-6)).any(axis=1)
    return float(found.objective), float(f[lottery].sum())


def _truth(v: np.ndarray, pairs: np.ndarray) -> sp.csr_matrix:
    """Rows u(k) - u(w) - x(w) (v(k) - v(w)) for pairs (k, w)."""
    size, m = len(v), len(pairs)
    k, w = pairs.T
    rows = np.arange(m)
    gap = v[w] - v[k]
    data = np.concatenate([np.ones(m), -np.ones(m), gap[:, 0], gap[:, 1]])
    columns = np.concatenate([k, w, size + 2 * w, size + 2 * w + 1])
    return sp.csr_matrix((data, (np.tile(rows, 4), columns)), (m, 3 * size))


def _best_prices(
    x: np.ndarray, v: np.ndarray, f: np.ndarray, taken: np.ndarray
) -> float:
    """Best deterministic menu on a grid, ties at whatever earns most.

    On an even grid prices may be taken among values of an item, or their sums.
    """
    out = 6.0  # nobody pays that
    single = np.append(x, out)
    sums = np.append(np.unique(np.round(x[:, None] + x, 12)), out)
    barred = np.stack(
        [np.zeros(len(v), bool), taken[:, 0], taken[:, 1], taken.any(axis=1)], axis=1
    )
    best = 0.0
    for a in single:
        b, c = (z.ravel() for z in np.meshgrid(single, sums, indexing="ij"))
        price = np.stack([np.zeros(len(b)), np.full(len(b), a), b, c], axis=1)
        worth = np.stack([np.zeros(len(v)), v[:, 0], v[:, 1], v.sum(axis=1)], axis=1)
        gains = worth[:, None] - price
        first = gains >= gains.max(axis=2, keepdims=True) - 1e-9
        allowed = first & ~barred[:, None]
        paid = np.where(allowed, price, -1.0).max(axis=2)
        total = np.where((paid >= 0).all(axis=0), f @ paid, 0.0)
        best = max(best, float(total.max()))
    return best
