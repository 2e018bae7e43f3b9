r"""Mechanisms on cells of equal probability: incentive compatible for every real stake.

Cut each of two buyers' laws into :math:`K` equally likely cells with left edges
:math:`L_k`; a report is a cell.  With accuracies :math:`x_i[k,l]` (own cell, rival's),

.. math::

   e_i[k,l]=x_i[k,l]-\alpha\,x_j[l,k]-\theta+\alpha,\qquad
   p_i[k]=L_0e_i[0]+\sum_{m=1}^kL_m\,(e_i[m]-e_i[m-1]) ,

averaged over the rival's cells for Bayesian incentives, in each of them ex post.  Where
:math:`e_i` does not fall in the own cell, truth is the best report of every real stake:
between cells :math:`m-1` and :math:`m` the gain exceeds the price step iff
:math:`v\ge L_m`.  So revenue is the mean of :math:`p`, exact, and at most the optimum.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import isotonic_regression
from torch import Tensor

from econlib.data_markets.competition import Setting, check_market, check_notion

__all__ = [
    "Audit",
    "CellMarket",
    "audit",
    "cell_market",
    "obedience_mix",
    "payments",
    "pool_repair",
    "revenue",
    "sort_layer",
    "sort_repair",
    "surplus",
    "welfare",
]


@dataclass(frozen=True)
class CellMarket:
    """Several markets of two buyers each, on equally likely cells of stakes.

    Attributes
    ----------
    laws : tuple of (Marginal, Marginal)
        One pair a market.
    edges : Tensor, shape (n_markets, 2, n_cells)
        Left edges of the cells.
    means : Tensor, shape (n_markets, 2, n_cells)
        Mean stakes in the cells.
    alpha, theta : Tensor, shape (n_markets,)
        Externality, 0 or more; largest prior probability, in (0, 1).
    """

    laws: tuple
    edges: Float[Tensor, "n_markets 2 n_cells"]
    means: Float[Tensor, "n_markets 2 n_cells"]
    alpha: Float[Tensor, " n_markets"]
    theta: Float[Tensor, " n_markets"]

    @property
    def n_cells(self) -> int:
        """Cells a buyer."""
        return self.edges.shape[-1]

    def with_cells(self, n_cells: int) -> CellMarket:
        """The same markets on another number of cells."""
        return _build(self.laws, self.alpha.tolist(), self.theta.tolist(), n_cells)


def cell_market(settings: Sequence[Setting], n_cells: int = 64) -> CellMarket:
    """Markets on cells.

    Parameters
    ----------
    settings : sequence of Setting
        One or more.
    n_cells : int
        Cells a buyer, 2 to 1024.

    Raises
    ------
    ValueError
        No setting, a setting that is none, or too few or too many cells.
    """
    if not settings:
        raise ValueError("settings: expected one or more")
    if not 2 <= n_cells <= 1024:
        raise ValueError(f"n_cells = {n_cells}: expected an integer, 2 to 1024")
    for s in settings:
        check_market(2, s.alpha, s.theta)
    return _build(
        tuple(tuple(s.laws) for s in settings),
        [s.alpha for s in settings],
        [s.theta for s in settings],
        n_cells,
    )


def _build(laws: tuple, alpha: list, theta: list, n_cells: int) -> CellMarket:
    left = np.arange(n_cells) / n_cells
    nodes, weights = np.polynomial.legendre.leggauss(16)
    inner = left[:, None] + (nodes + 1) / (2 * n_cells)

    def table(f) -> Tensor:
        return torch.tensor(np.array([[f(law) for law in pair] for pair in laws]))

    return CellMarket(
        laws,
        table(lambda law: law.ppf(left)),
        table(lambda law: law.ppf(inner) @ weights / 2),
        torch.tensor(alpha, dtype=torch.float64),
        torch.tensor(theta, dtype=torch.float64),
    )


def surplus(
    x: Float[Tensor, "n_markets 2 n_cells n_cells"], market: CellMarket
) -> Float[Tensor, "n_markets 2 n_cells n_cells"]:
    r"""Gain over opting out a unit of stake, :math:`e_i[k,l]`."""
    a = market.alpha[:, None, None, None]
    return x - a * x.flip(1).mT - market.theta[:, None, None, None] + a


def _constrained(x: Tensor, market: CellMarket, notion: str) -> Tensor:
    """Surplus as the notion sees it: own cells by one or by all rival cells."""
    check_notion(notion)
    e = surplus(x, market)
    return e.mean(-1, keepdim=True) if notion == "bic" else e


def payments(
    e: Float[Tensor, "n_markets 2 n_cells n_rival"], market: CellMarket
) -> Float[Tensor, "n_markets 2 n_cells n_rival"]:
    """Envelope payments of a surplus that does not fall in the own cell."""
    steps = torch.diff(e, dim=2, prepend=torch.zeros_like(e[:, :, :1]))
    return (market.edges[..., None] * steps).cumsum(2)


def revenue(
    x: Float[Tensor, "n_markets 2 n_cells n_cells"],
    market: CellMarket,
    notion: str = "bic",
) -> Float[Tensor, " n_markets"]:
    """Revenue under envelope payments; a mechanism's only if it is monotone."""
    e = _constrained(x, market, notion)
    return payments(e, market).mean((2, 3)).sum(1)


def welfare(
    x: Float[Tensor, "n_markets 2 n_cells n_cells"], market: CellMarket
) -> Float[Tensor, " n_markets"]:
    """Buyers' total expected payoff before payments."""
    net = x - market.alpha[:, None, None, None] * x.flip(1).mT
    return (net.mean(-1) * market.means).mean(-1).sum(1)


def sort_layer(
    x: Float[Tensor, "n_markets 2 n_cells n_cells"],
) -> Float[Tensor, "n_markets 2 n_cells n_cells"]:
    """Sort to rise in the own cell, then to fall in the rival's; differentiable."""
    return x.sort(2).values.sort(3, descending=True).values


def obedience_mix(
    x: Float[Tensor, "n_markets 2 n_cells n_cells"], market: CellMarket
) -> Float[Tensor, "n_markets 2 n_cells n_cells"]:
    """Mix in full information where interim accuracy is below the prior's largest.

    The row mean becomes the larger of itself and the prior's; monotone tables stay so.
    """
    mean = x.mean(-1, keepdim=True)
    short = torch.relu(market.theta[:, None, None, None] - mean)
    return x + (1 - x) * (short / (1 - mean).clamp_min(1e-12)).clamp(0, 1)


def sort_repair(
    x: Float[Tensor, "n_markets 2 n_cells n_cells"],
    market: CellMarket,
    notion: str = "bic",
) -> Float[Tensor, "n_markets 2 n_cells n_cells"]:
    """Make any accuracies monotone and obedient by sorting.

    Parameters
    ----------
    x : Tensor, shape (n_markets, 2, n_cells, n_cells)
        Accuracies in [0, 1], own cell first.
    market : CellMarket
        The markets.
    notion : {"bic", "expost"}
        Obedience on average, or in every profile.
    """
    x = x.clamp(0, 1)
    if notion == "expost":
        return sort_layer(torch.maximum(x, market.theta[:, None, None, None]))
    return obedience_mix(sort_layer(x), market)


def pool_repair(
    x: Float[Tensor, "n_markets 2 n_cells n_cells"], market: CellMarket
) -> Float[Tensor, "n_markets 2 n_cells n_cells"]:
    """Make accuracies monotone on average by pooling cells of each buyer.

    Obedience is mended first; then the blocks of the isotonic regression of each
    interim surplus are averaged over, for the buyer itself and for its rival, which
    leaves the rival's interim accuracies as they were.  For Bayesian incentives only.

    Parameters
    ----------
    x : Tensor, shape (n_markets, 2, n_cells, n_cells)
        Accuracies in [0, 1], own cell first.
    market : CellMarket
        The markets.
    """
    x = obedience_mix(x.clamp(0, 1), market)
    e = surplus(x, market).mean(-1)
    pools = torch.stack([torch.stack([_pool(row) for row in pair]) for pair in e])
    return pools @ x @ pools.flip(1).mT


def _pool(e: Tensor) -> Tensor:
    """Matrix that averages over the blocks of an isotonic regression."""
    blocks = isotonic_regression(e.detach().numpy()).blocks
    pool = torch.zeros(len(e), len(e), dtype=e.dtype)
    for start, end in itertools.pairwise(blocks):
        pool[start:end, start:end] = 1.0 / (end - start)
    return pool


@dataclass(frozen=True)
class Audit:
    """Violations found by dense search; nothing is assumed to hold.

    Attributes
    ----------
    regret : ndarray, shape (n_markets,)
        Largest gain of any report with any action rule over truth and obedience.
    participation : ndarray, shape (n_markets,)
        Largest gain of opting out.
    obedience : ndarray, shape (n_markets,)
        Largest shortfall of accuracy below the prior's largest probability.
    """

    regret: Float[np.ndarray, " n_markets"]
    participation: Float[np.ndarray, " n_markets"]
    obedience: Float[np.ndarray, " n_markets"]


def audit(
    x: Float[Tensor, "n_markets 2 n_cells n_cells"],
    market: CellMarket,
    notion: str = "bic",
    *,
    n_stakes: int = 4000,
    seed: int = 0,
) -> Audit:
    """Search stakes, reports and action rules for violations.

    Stakes are random ones and all cell edges; a buyer may report any cell and then
    obey, or ignore the signal and bet on the likeliest state.

    Parameters
    ----------
    x : Tensor, shape (n_markets, 2, n_cells, n_cells)
        Accuracies, own cell first, with envelope payments.
    market : CellMarket
        The markets.
    notion : {"bic", "expost"}
        Whether a buyer knows the rival's report; if so, 24 rival cells are searched.
    n_stakes : int
        Random stakes a buyer, 1 or more.
    seed : int
        Of the random stakes.
    """
    rng = np.random.default_rng(seed)
    e = _constrained(x, market, notion)
    own = x.mean(-1, keepdim=True) if notion == "bic" else x
    paid = payments(e, market)
    rivals = np.unique(np.linspace(0, e.shape[-1] - 1, 24).astype(int))
    k = market.n_cells
    found = np.zeros((len(market.laws), 2))
    for s, pair in enumerate(market.laws):
        theta = float(market.theta[s])
        for i, law in enumerate(pair):
            t = np.concatenate([rng.random(n_stakes), np.arange(k) / k])
            cell = np.minimum((t * k).astype(int), k - 1)
            v = torch.tensor(law.ppf(t))
            for r in rivals:
                gain, price = e[s, i, :, r], paid[s, i, :, r]
                ignore = gain + torch.relu(theta - own[s, i, :, r])
                truth = v * gain[cell] - price[cell]
                best = (v[:, None] * torch.maximum(gain, ignore) - price).amax(1)
                found[s, 0] = max(found[s, 0], float((best - truth).max()))
                found[s, 1] = max(found[s, 1], float(-truth.min()))
    short = torch.relu(market.theta[:, None, None, None] - own).amax((1, 2, 3))
    return Audit(found[:, 0], found[:, 1], short.numpy())
