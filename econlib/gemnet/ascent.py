r"""Training of a leader's table through the reply to it.

Any table is feasible, so that the revenue of the mechanism that is deployed,

.. math::

   R(\theta)=\mathbb E_{v_2}\,\mathrm{rev}_1(p_1(v_2))
            +\mathbb E_{v_1}\,\mathrm{rev}_2(\mathrm{reply}(v_1)) ,

is raised over tables :math:`\theta` by its subgradient, without constraints: fresh
values in every step, one in each cell of a grid, and Adam.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from econlib.gemnet import kernels
from econlib.gemnet.affine import AffineMaximiser
from econlib.gemnet.laws import Market
from econlib.gemnet.residual import CAPS, LeaderTable, boost_knots, refine, start_table
from econlib.training import TrainingError

__all__ = ["Stage", "Training", "knots_by_error", "train", "train_in_stages"]

_SEARCH = np.array([0.01, 0.004, 0.0016])  # from the reply of the step before


@dataclass(frozen=True)
class Training:
    """A trained table and how it came about.

    Attributes
    ----------
    table : LeaderTable
    curve : ndarray, shape (n_steps,)
        Revenue of the sample of each step, in units of the market.
    """

    table: LeaderTable
    curve: Float[np.ndarray, " n_steps"]


@dataclass(frozen=True)
class Stage:
    """Some steps on the same knots.

    Attributes
    ----------
    knots : int
        In the first stage as many; later how many are added where the revenue asks for
        them most, and 0 halves every interval.
    steps : int
    rates : (float, float)
        First and last learning rate.
    n, n_leader : int
        Cells an axis from which the leader's and the follower's values are drawn.
    """

    knots: int
    steps: int
    rates: tuple[float, float]
    n: int = 24
    n_leader: int = 64


class _Sampler:
    """Revenue and its slope at fresh values."""

    def __init__(self, table: LeaderTable, n: int, n_leader: int, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.market, self.n, self.n_leader = table.market, n, n_leader
        i, j = np.tril_indices(n)  # items are exchangeable
        self.weights = np.where(i == j, 1.0, 2.0) / n**2
        self.cells = np.stack([i, j], axis=1)
        self.whole = np.indices((n_leader, n_leader)).reshape(2, -1).T
        self.warm = table.follower(self.market.first.ppf((self.cells + 0.5) / n))

    def __call__(self, table: LeaderTable) -> tuple[float, np.ndarray]:
        first, second = self.market.first, self.market.second
        points = self.cells + self.rng.random(self.cells.shape)
        others = self.whole + self.rng.random(self.whole.shape)
        lead, slope = _leader_slope(table, second.ppf(others / self.n_leader))
        follow, more = kernels.gradient(
            table.knots,
            table.prices,
            second.breaks,
            second.coefficients,
            first.ppf(points / self.n),
            self.weights,
            self.warm,
            _SEARCH,
            not self.market.unit_demand,
        )
        g = slope + more
        # the slope of a table that treats both items alike
        one = (g[..., 0] + g[..., 1].T) / 2
        both = (g[..., 2] + g[..., 2].T) / 2
        return lead + follow, np.stack([one, one.T, both], axis=-1)


def _leader_slope(
    table: LeaderTable, values: np.ndarray
) -> tuple[float, Float[np.ndarray, "n n 3"]]:
    """Leader's mean revenue at the other's values, and its slope in the table."""
    law, h = table.market.first, 1e-5
    rows, shares = table.corners(values)
    prices = (table.prices.reshape(-1, 3)[rows] * shares[..., None]).sum(axis=1)
    total, slope = kernels.leader_slope(law.breaks, law.coefficients, prices, h)
    out = np.zeros((table.prices.size // 3, 3))
    for corner in range(3):
        np.add.at(out, rows[:, corner], shares[:, corner, None] * slope)
    return total, out.reshape(table.prices.shape) / len(values)


def train(
    table: LeaderTable,
    *,
    steps: int,
    rates: tuple[float, float] = (2e-3, 6e-5),
    n: int = 24,
    n_leader: int = 64,
    seed: int = 0,
) -> Training:
    """Raise the revenue of the deployed mechanism by its subgradient.

    Parameters
    ----------
    table : LeaderTable
        Where to begin.
    steps : int
        Steps of Adam, 1 or more.
    rates : (float, float)
        First and last learning rate, geometric between.
    n, n_leader : int
        Cells an axis, in quantiles, from each of which values of the leader and of the
        follower are drawn afresh in every step.
    seed : int

    Raises
    ------
    ValueError
        Fewer than one step or cell, or rates that are not positive.
    TrainingError
        Prices that are no longer finite.
    """
    if steps < 1 or n < 2 or n_leader < 2 or min(rates) <= 0:
        raise ValueError(
            f"steps = {steps}, n = {n}, n_leader = {n_leader}, rates = {rates}: "
            "expected 1 or more, 2 or more, and rates above 0"
        )
    sample = _Sampler(table, n, n_leader, seed)
    theta = table.prices.copy()
    first, second = np.zeros_like(theta), np.zeros_like(theta)
    mean, curve = theta.copy(), np.empty(steps)
    for step in range(steps):
        curve[step], g = sample(replace(table, prices=theta))
        first = 0.9 * first + 0.1 * g
        second = 0.99 * second + 0.01 * g * g
        size = rates[0] * (rates[1] / rates[0]) ** (step / max(1, steps - 1))
        # first steps, all of full size, would tear apart what fits tightly
        size *= min(1.0, (step + 1) / 100)
        up = first / (1 - 0.9 ** (step + 1))
        scale = np.sqrt(second / (1 - 0.99 ** (step + 1))) + 1e-6
        theta = np.clip(theta + size * up / scale, 0.0, CAPS)
        mean = theta if step < 30 else 0.97 * mean + 0.03 * theta
    if not np.isfinite(theta).all():
        raise TrainingError("prices are not finite")
    some = [replace(table, prices=prices) for prices in (table.prices, theta, mean)]
    return Training(max(some, key=lambda t: t.revenue(30, 96)), curve)


def knots_by_error(
    table: LeaderTable, count: int, *, batches: int = 12, n: int = 24, seed: int = 0
) -> Float[np.ndarray, " count"]:
    """Midpoints of the intervals where prices of their own would earn most.

    With every interval halved the function is the same, and the slope of the revenue in
    the prices at new knots is what they could earn at once: an interval's score is the
    sum of the absolute values of it over the new knot's row.

    Parameters
    ----------
    table : LeaderTable
    count : int
        New knots, at least 1 and at most one for each interval.
    batches : int
        Of fresh values, over which the slope is averaged.
    n : int
        Cells an axis in each.
    seed : int

    Raises
    ------
    ValueError
        More new knots than intervals, or none.
    """
    intervals = len(table.knots) - 1
    if not 1 <= count <= intervals:
        raise ValueError(f"count = {count}: expected an integer in [1, {intervals}]")
    fine = refine(table)
    sample = _Sampler(fine, n, 64, seed)
    slope = sum(sample(fine)[1] for _ in range(batches)) / batches
    score = np.abs(slope[1::2]).sum(axis=(1, 2))
    best = np.sort(np.argsort(-score, kind="stable")[:count])
    return fine.knots[1::2][best]


def train_in_stages(
    market: Market, affine: AffineMaximiser, stages: Sequence[Stage], seed: int = 0
) -> tuple[list[Training], LeaderTable]:
    """Train on more and more knots, from the reply to an affine maximiser.

    Parameters
    ----------
    market : Market
    affine : AffineMaximiser
    stages : sequence of Stage
    seed : int

    Returns
    -------
    stages : list of Training
        One for each stage.
    start : LeaderTable
        Before the first.
    """
    start = table = start_table(market, affine, boost_knots(affine, stages[0].knots))
    done: list[Training] = []
    for k, stage in enumerate(stages):
        if k > 0:
            more = None
            if stage.knots:
                more = knots_by_error(table, stage.knots, seed=seed)
            table = refine(table, more)
        done.append(
            train(
                table,
                steps=stage.steps,
                rates=stage.rates,
                n=stage.n,
                n_leader=stage.n_leader,
                seed=seed + 1000 * k,
            )
        )
        table = done[-1].table
    return done, start
