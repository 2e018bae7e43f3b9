r"""Learners of accuracies that cannot break incentives, for many markets at once.

A *curve* serves buyer :math:`i` of quantile :math:`t_i` while the rival's quantile is
at most :math:`b_i(t_i)`, :math:`b_i` increasing; its average over cells,

.. math::

   y_i[k,l]=\mathrm{clip}\big(K\,b_i[k]-l,\,0,\,1\big),

has no temperature and row means :math:`b_i`.  A *sorted network* is any function of
both quantiles, put in order by :func:`econlib.data_markets.cells.sort_layer`.  Either
is monotone by construction, so that its envelope payments are exact and revenue is the
whole loss: no penalty, no multiplier.
"""

from __future__ import annotations

import itertools
import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from econlib.data_markets.cells import (
    CellMarket,
    obedience_mix,
    revenue,
    sort_layer,
)
from econlib.data_markets.competition import check_notion
from econlib.training import FitResult, fit, generator

__all__ = ["Curves", "SortedNets", "StackedMLP", "train"]


class StackedMLP(nn.Module):
    """Several networks of one shape, applied side by side.

    Parameters
    ----------
    n_nets, n_in, n_out, width, depth : int
        Networks, inputs, outputs, hidden units and hidden layers; 1 or more each.
    rng : torch.Generator
        Of the initial weights.

    Notes
    -----
    Leaky rectifiers of slope 0.1; weights and biases start uniform within
    :math:`1/\\sqrt{n_{in}}` of zero.
    """

    def __init__(
        self,
        n_nets: int,
        n_in: int,
        n_out: int,
        width: int,
        depth: int,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        sizes = [n_in] + [width] * depth + [n_out]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for a, b in itertools.pairwise(sizes):
            w = torch.rand(n_nets, a + 1, b, generator=rng, dtype=torch.float64)
            w = (2 * w - 1) / math.sqrt(a)
            self.weights.append(nn.Parameter(w[:, :a]))
            self.biases.append(nn.Parameter(w[:, a:]))

    def forward(
        self, x: Float[Tensor, "n_nets n_points n_in"]
    ) -> Float[Tensor, "n_nets n_points n_out"]:
        """Outputs of each network at its points."""
        for k, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(b, x, w)
            if k + 1 < len(self.weights):
                x = nn.functional.leaky_relu(x, 0.1)
        return x


class Curves(nn.Module):
    """One increasing cut-off a buyer, for each of several markets.

    Parameters
    ----------
    market : CellMarket
        The markets.
    notion : {"bic", "expost"}
        Incentive notion.
    seed : int
        Of the initial increments.
    """

    def __init__(self, market: CellMarket, notion: str = "bic", seed: int = 0) -> None:
        super().__init__()
        check_notion(notion)
        self.market, self.notion = market, notion
        n, k = len(market.laws), market.n_cells
        start = -3.0 if notion == "bic" else 0.0
        self.level = nn.Parameter(torch.full((n, 2, 1), start, dtype=torch.float64))
        noise = torch.randn(n, 2, k, generator=generator(seed), dtype=torch.float64)
        self.increments = nn.Parameter(0.5 * noise)

    def cutoffs(self) -> Float[Tensor, "n_markets 2 n_cells"]:
        """Rival quantiles up to which each cell is served; beyond [0, 1] means
        never or always."""
        rise = nn.functional.softplus(self.increments) / self.market.n_cells
        climb = rise.cumsum(-1)
        if self.notion == "expost":
            return self.level + climb
        least = self.market.theta[:, None, None]
        return least + 0.3 * nn.functional.softplus(self.level) + climb - climb[..., :1]

    def forward(self) -> Float[Tensor, "n_markets 2 n_cells n_cells"]:
        """Accuracies, own cell first."""
        k = self.market.n_cells
        rival = torch.arange(k, dtype=torch.float64)
        y = (k * self.cutoffs()[..., None] - rival).clamp(0, 1)
        return _accuracy(y, self.market, self.notion)


class SortedNets(nn.Module):
    """One network a buyer and market, put in order by sorting.

    Parameters
    ----------
    market : CellMarket
        The markets.
    notion : {"bic", "expost"}
        Incentive notion.
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
        self.nets = StackedMLP(
            2 * len(market.laws), 2, 1, width, depth, generator(seed)
        )

    def forward(
        self, market: CellMarket | None = None, *, ordered: bool = True
    ) -> Float[Tensor, "n_markets 2 n_cells n_cells"]:
        """Accuracies, own cell first.

        Parameters
        ----------
        market : CellMarket, optional
            The same markets on other cells.
        ordered : bool
            Whether to sort; without it the table is not a mechanism.
        """
        market = self.market if market is None else market
        y = torch.sigmoid(5 * self.nets(_profiles(market)))
        y = y.reshape(len(market.laws), 2, market.n_cells, market.n_cells)
        x = _accuracy(y, market, self.notion)
        x = sort_layer(x) if ordered else x
        return obedience_mix(x, market) if self.notion == "bic" else x


def _accuracy(y: Tensor, market: CellMarket, notion: str) -> Tensor:
    """Accuracies from shares of full information: ex post never below the prior."""
    if notion == "bic":
        return y
    least = market.theta[:, None, None, None]
    return least + (1 - least) * y


def _profiles(market: CellMarket) -> Tensor:
    """Midpoints of all pairs of cells, own quantile first, for every network."""
    t = (torch.arange(market.n_cells, dtype=torch.float64) + 0.5) / market.n_cells
    pairs = torch.cartesian_prod(t, t)
    return pairs.expand(2 * len(market.laws), -1, -1)


def train(
    model: Curves | SortedNets, n_steps: int = 1500, lr: float = 0.2
) -> FitResult:
    """Maximise the revenue of all markets together.

    Parameters
    ----------
    model : Curves or SortedNets
        Trained in place.
    n_steps : int
        Full-batch steps, 1 or more.
    lr : float
        First learning rate; 0.2 suits curves, 0.002 to 0.01 networks.
    """

    def loss(step: int) -> Tensor:
        return -revenue(model(), model.market, model.notion).sum()

    return fit(loss, model.parameters(), n_steps, lr=lr)
