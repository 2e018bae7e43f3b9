r"""RegretNet for data markets: experiments and payments learnt, incentives a penalty.

Two networks a market: one takes both reports to experiments :math:`\pi_1,\pi_2`, one
takes reports to the shares :math:`\rho_i\in(0,1)` of surplus that are paid,

.. math::

   p_i=\rho_i\,v_i\,e_i,\qquad
   \mathcal L=-\sum_ip_i+\lambda_{ob}\,ob+\lambda_{ic}\,ic
   +\rho\,(\lVert ob\rVert^2+\lVert ic\rVert^2),

with multipliers that grow by the violations (Duetting, Feng, Narasimhan, Parkes and
Ravindranath 2023; Ravindranath, Jiang and Parkes 2023).  Reports enter as quantile
:math:`t` and as :math:`v/(v+\mathbb E v)`, in which the share that a price
leaves of a large stake is no steep function.  Expectations are means over one stake in
each of equally likely cells, drawn anew each step, so that no stake is out of sight,
and a liar may also disobey.  Nothing makes the outcome incentive compatible: it is to
be judged by its regret, and by the revenue that is left when its prices are replaced by
honest ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from econlib.data_markets.allocation_nets import StackedMLP
from econlib.data_markets.cells import (
    CellMarket,
    pool_repair,
    revenue,
    sort_repair,
)
from econlib.data_markets.competition import check_notion
from econlib.training import FitResult, fit, generator

__all__ = ["RegretNets", "Verdict", "judge", "train_regret"]


class RegretNets(nn.Module):
    """Experiments and payment shares for several markets of two buyers, two states.

    Parameters
    ----------
    market : CellMarket
        The markets; each report is a stake, one in each cell.
    notion : {"bic", "expost"}
        Whether constraints hold on average over the rival or in every profile.
    width, depth : int
        Hidden units and layers, 1 or more.
    seed : int
        Of the initial weights.
    """

    def __init__(
        self,
        market: CellMarket,
        notion: str = "bic",
        *,
        width: int = 64,
        depth: int = 2,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_notion(notion)
        self.market, self.notion = market, notion
        rng, n = generator(seed), len(market.laws)
        self.experiments = StackedMLP(n, 4, 4, width, depth, rng)
        inputs = 2 if notion == "bic" else 4
        self.shares = StackedMLP(2 * n, inputs, 1, width, depth, rng)

    def forward(
        self, quantiles: Float[np.ndarray, " n_cells"] | None = None
    ) -> tuple[Tensor, Tensor]:
        r"""Experiments and payment shares.

        Parameters
        ----------
        quantiles : ndarray, shape (n_cells,), optional
            Of the reports, the same for both buyers; by default the cells' middles.

        Returns
        -------
        truth : Tensor, shape (n_markets, 2, n_cells, n_cells, 2)
            :math:`\pi_{11},\pi_{22}` of each buyer, own cell first.
        shares : Tensor, shape (n_markets, 2, n_cells, n_cells or 1)
            Shares of the surplus that are paid.
        """
        t = _middles(self.market.n_cells) if quantiles is None else quantiles
        n, k = len(self.market.laws), len(t)
        stakes = _stakes(self.market, t)
        size = stakes / (stakes + self.market.means.mean(2, keepdim=True))
        report = torch.stack([torch.as_tensor(t).expand_as(size), size], -1)
        own, rival = report[:, :, :, None], report.flip(1)[:, :, None]
        both = torch.cat(torch.broadcast_tensors(own, rival), -1)  # buyer, own, rival
        sharp = 10.0 if self.notion == "expost" else 5.0
        out = self.experiments(both[:, 0].flatten(1, 2))
        # an experiment that no action depends on has no gradient: start well informed
        out = torch.sigmoid(sharp * out + (2.0 if self.notion == "expost" else 0.0))
        out = out.reshape(n, k, k, 2, 2)
        truth = torch.stack([out[:, :, :, 0], out[:, :, :, 1].transpose(1, 2)], 1)
        inputs = report if self.notion == "bic" else both.flatten(2, 3)
        rho = torch.sigmoid(self.shares(inputs.flatten(0, 1)))
        return truth, rho.reshape(n, 2, k, -1)


def _middles(n_cells: int) -> Float[np.ndarray, " n_cells"]:
    """Quantiles in the middle of equally likely cells."""
    return (np.arange(n_cells) + 0.5) / n_cells


def _stakes(market: CellMarket, t: Float[np.ndarray, " n"]) -> Tensor:
    """Stakes at quantiles, shape (n_markets, 2, n)."""
    return torch.tensor(np.array([[law.ppf(t) for law in p] for p in market.laws]))


@dataclass(frozen=True)
class _Outcome:
    """What each report gives to each stake, and what it costs."""

    gain: Tensor  # surplus a unit of stake if obedient, by report (and rival)
    free: Tensor  # the same with the best action after each signal
    paid: Tensor
    stakes: Tensor  # (n_markets, 2, n_cells)
    accuracy: Tensor  # obedient accuracy by profile


def _outcome(nets: RegretNets, t: Float[np.ndarray, " n_cells"]) -> _Outcome:
    truth, rho = nets(t)
    market = nets.market
    prior = torch.stack([market.theta, 1 - market.theta], -1)
    prior = prior[:, None, None, None]
    interim = truth.mean(3, keepdim=True) if nets.notion == "bic" else truth
    right = prior * interim
    wrong = prior * (1 - interim)
    obey = right.sum(-1)
    best = torch.maximum(right, wrong.flip(-1)).sum(-1)
    a = market.alpha[:, None, None, None]
    pointwise = (prior * truth).sum(-1)
    if nets.notion == "expost":  # accuracy is that of the best action, in each profile
        pointwise = obey = best
    rival = pointwise.flip(1).mT
    rival = rival.mean(3, keepdim=True) if nets.notion == "bic" else rival
    outside = market.theta[:, None, None, None] - a
    gain, free = obey - a * rival - outside, best - a * rival - outside
    stakes = _stakes(market, t)
    return _Outcome(gain, free, rho * stakes[..., None] * gain, stakes, pointwise)


def _violations(found: _Outcome, per_stake: bool = False) -> tuple[Tensor, Tensor]:
    """Obedience shortfalls and regrets, over own cells (and rival cells)."""
    short = torch.relu(found.free - found.gain)
    v = found.stakes[..., None]
    truth = v * found.gain - found.paid
    # own stake, report, rival
    lies = v[..., None] * found.free[:, :, None] - found.paid[:, :, None]
    regret = torch.relu(lies.amax(3) - truth)
    return short, regret / v if per_stake else regret


def train_regret(
    nets: RegretNets,
    n_steps: int = 3000,
    *,
    lr: float = 2e-3,
    penalty: float = 1.0,
    growth: float = 150.0,
    every: int = 100,
    seed: int = 0,
) -> FitResult:
    """Maximise revenue less penalties by the augmented Lagrangian.

    Parameters
    ----------
    nets : RegretNets
        Trained in place, all markets together.
    n_steps : int
        Steps over all profiles of cells, 1 or more.
    lr : float
        First learning rate.
    penalty : float
        First multipliers and first quadratic penalty; ex post, regret counts a unit of
        stake.
    growth : float
        What is added to the quadratic penalty ...
    every : int
        ... after so many steps, when multipliers grow by penalty times violation.
    seed : int
        Of the stakes.

    Raises
    ------
    ValueError
        Fewer than one step between updates.
    """
    if every < 1:
        raise ValueError(f"every = {every}: expected an integer, 1 or more")
    n, k = len(nets.market.laws), nets.market.n_cells
    lambdas = torch.full((2, n, 2), penalty, dtype=torch.float64)
    weight, per_stake = penalty, nets.notion == "expost"
    rng = np.random.default_rng(seed)

    def loss(step: int) -> Tensor:
        nonlocal weight
        found = _outcome(nets, (np.arange(k) + rng.random(k)) / k)
        parts = torch.stack([v.mean((2, 3)) for v in _violations(found, per_stake)])
        if step and step % every == 0:
            with torch.no_grad():
                lambdas.add_(weight * parts)
            weight += growth
        punished = (lambdas * parts).sum() + weight * (parts**2).sum()
        return punished - found.paid.mean((2, 3)).sum()

    return fit(loss, nets.parameters(), n_steps, lr=lr)


@dataclass(frozen=True)
class Verdict:
    """A learnt market on its three counts, each of shape (n_markets,).

    Attributes
    ----------
    raw : ndarray
        Revenue that it claims.
    mean_regret, max_regret : ndarray
        Over stakes and buyers (and rivals ex post), by search of all reports with all
        action rules; the mean is added over buyers.
    unit_regret : ndarray
        Mean regret a unit of stake, over buyers too.
    obedience : ndarray
        Largest shortfall of accuracy against the best action.
    sorted_revenue, pooled_revenue : ndarray
        What its experiments earn at honest prices after either repair; the second is
        NaN ex post.
    """

    raw: Float[np.ndarray, " n_markets"]
    mean_regret: Float[np.ndarray, " n_markets"]
    max_regret: Float[np.ndarray, " n_markets"]
    unit_regret: Float[np.ndarray, " n_markets"]
    obedience: Float[np.ndarray, " n_markets"]
    sorted_revenue: Float[np.ndarray, " n_markets"]
    pooled_revenue: Float[np.ndarray, " n_markets"]

    @property
    def repaired(self) -> Float[np.ndarray, " n_markets"]:
        """The better of the two repairs."""
        return np.fmax(self.sorted_revenue, self.pooled_revenue)


@torch.no_grad()
def judge(nets: RegretNets, n_cells: int = 128) -> Verdict:
    """Judge learnt markets on other cells than those of the training.

    Parameters
    ----------
    nets : RegretNets
        After training.
    n_cells : int
        Cells a buyer, 2 to 1024.
    """
    market = nets.market.with_cells(n_cells)
    found = _outcome(nets, _middles(n_cells))
    short, regret = _violations(found)
    x = found.accuracy
    pooled = np.full(len(market.laws), np.nan)
    if nets.notion == "bic":
        pooled = revenue(pool_repair(x, market), market).numpy()
    repaired = sort_repair(x, market, nets.notion)
    return Verdict(
        raw=found.paid.mean((2, 3)).sum(1).numpy(),
        mean_regret=regret.mean((2, 3)).sum(1).numpy(),
        max_regret=regret.amax((1, 2, 3)).numpy(),
        unit_regret=(regret / found.stakes[..., None]).mean((1, 2, 3)).numpy(),
        obedience=short.amax((1, 2, 3)).numpy(),
        sorted_revenue=revenue(repaired, market, nets.notion).numpy(),
        pooled_revenue=pooled,
    )
