"""Revenue of a leader's table at independent profiles, beside an affine maximiser's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from econlib.gemnet.affine import AffineMaximiser, affine_revenue
from econlib.gemnet.residual import LeaderTable, choose

__all__ = ["Sample", "sample_revenue"]


@dataclass(frozen=True)
class Sample:
    """Revenue in money at fresh profiles; errors are clustered by the leader's values.

    Attributes
    ----------
    n_leader, n_each : int
        Values of the leader, and values of the follower for each.
    revenue, error : float
        Mean and standard error.
    gain, gain_error : float
        Over the affine maximiser on the same profiles.
    controlled : float
        The gain plus the affine maximiser's revenue by quadrature; its error is that of
        the gain.
    n_clashes : int
        Profiles at which an item could be sold twice under some tie rule.
    """

    n_leader: int
    n_each: int
    revenue: float
    error: float
    gain: float
    gain_error: float
    controlled: float
    n_clashes: int


def sample_revenue(
    table: LeaderTable,
    affine: AffineMaximiser,
    n_leader: int,
    n_each: int = 4,
    seed: int = 0,
) -> Sample:
    """Play a mechanism and an affine maximiser at the same independent profiles.

    Parameters
    ----------
    table : LeaderTable
    affine : AffineMaximiser
    n_leader : int
        Values of the leader, 2 or more.
    n_each : int
        Values of the follower for each of these, 1 or more.
    seed : int

    Raises
    ------
    ValueError
        Too few values.
    """
    if n_leader < 2 or n_each < 1:
        raise ValueError(
            f"n_leader = {n_leader}, n_each = {n_each}: "
            "expected 2 or more and 1 or more"
        )
    market, rng = table.market, np.random.default_rng(seed)
    paid, gain, clashes = [], [], 0
    for start in range(0, n_leader, 50_000):
        n = min(50_000, n_leader - start)
        one = market.first.ppf(rng.random((n, 2)))
        two = market.second.ppf(rng.random((n, n_each, 2)))
        ours, clash = table.play(one, two)
        theirs = (
            choose(one[:, None], affine.prices(0, two), market.unit_demand).paid
            + choose(two, affine.prices(1, one)[:, None], market.unit_demand).paid
        )
        paid.append(ours.mean(axis=1))
        gain.append((ours - theirs).mean(axis=1))
        clashes += int(clash.sum())
    means = []
    for z in (np.concatenate(paid), np.concatenate(gain)):
        means += [z.mean(), z.std(ddof=1) / np.sqrt(n_leader)]
    revenue, error, more, more_error = (market.unit * float(z) for z in means)
    known = market.unit * affine_revenue(market, affine)
    return Sample(
        n_leader, n_each, revenue, error, more, more_error, known + more, clashes
    )
