r"""RegretNet: allocations and payments as networks of all bids, nearly truthful.

An allocation network gives each item to a bidder or nobody by a softmax, a payment
network charges bidder i a share :math:`\sigma_i` of what she reports her part to be
worth, so that nobody loses by taking part.  Truth is not built in; with the regret

.. math::

   r_i=\mathbb E\max_{b}\ u_i(v_i;b,v_{-i})-u_i(v_i;v)

training minimises :math:`-\mathbb E\sum_ip_i+\sum_i\mu_ir_i+\tfrac\rho2\sum_ir_i^2`,
multipliers rising by :math:`\rho r_i` from time to time (Duetting and others 2019).
:func:`largest_regret` measures the regret of any mechanism by the same dense search.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy import stats
from torch import Tensor, nn

from econlib.gemnet.menu_training import Sampler
from econlib.training import FitResult, fit

__all__ = [
    "Mechanism",
    "RegretNetwork",
    "RegretSearch",
    "RegretTraining",
    "largest_regret",
    "train_regret",
]

#: What one bidder gets and pays at told profiles: ``mechanism(bidder, told)``.
Mechanism = Callable[[int, np.ndarray], tuple[np.ndarray, np.ndarray]]


class RegretNetwork(nn.Module):
    """Allocation and payment network.

    Parameters
    ----------
    n_bidders, n_items : int
        1 or more.
    hidden : tuple of int
        Widths of hidden layers, with tanh, of either network.
    unit : float
        About the largest value, above 0.
    unit_demand : bool
        Whether a bidder gets one item at most in total.
    generator : torch.Generator, optional
        Source of the initial weights.

    Raises
    ------
    ValueError
        A size or unit out of range.
    """

    def __init__(
        self,
        n_bidders: int,
        n_items: int,
        *,
        hidden: tuple[int, ...] = (64, 64),
        unit: float = 1.0,
        unit_demand: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        for name, n in (("n_bidders", n_bidders), ("n_items", n_items)):
            if n < 1:
                raise ValueError(f"{name} = {n}: expected an integer, 1 or more")
        if not unit > 0:
            raise ValueError(f"unit = {unit}: expected a number above 0")
        self.n_bidders, self.n_items, self.unit = n_bidders, n_items, float(unit)
        self.unit_demand = unit_demand
        n, m = n_bidders, n_items
        outputs = (n + 1) * m + (n * (m + 1) if unit_demand else 0)
        self.allocation = _tanh_layers((n * m, *hidden, outputs), generator)
        self.payment = _tanh_layers((n * m, *hidden, n), generator)

    def forward(
        self, bids: Float[Tensor, "*batch n_bidders n_items"]
    ) -> tuple[
        Float[Tensor, "*batch n_bidders n_items"], Float[Tensor, "*batch n_bidders"]
    ]:
        """Allocations and payments at bids."""
        n, m = self.n_bidders, self.n_items
        x = 2 * bids.flatten(-2) / self.unit - 1
        out = self.allocation(x)
        given = torch.softmax(out[..., : (n + 1) * m].unflatten(-1, (n + 1, m)), dim=-2)
        given = given[..., :n, :]
        if self.unit_demand:
            own = out[..., (n + 1) * m :].unflatten(-1, (n, m + 1))
            given = torch.minimum(given, torch.softmax(own, dim=-1)[..., :m])
        share = torch.sigmoid(self.payment(x))
        return given, share * (given * bids).sum(dim=-1)

    @torch.no_grad()
    def mechanism(self, bidder: int, told: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What a bidder gets and pays at told profiles, in float64."""
        bids = torch.as_tensor(told).to(next(self.parameters()))
        given, paid = self(bids)
        return (
            given[..., bidder, :].double().numpy(),
            paid[..., bidder].double().numpy(),
        )


def _tanh_layers(
    widths: tuple[int, ...], generator: torch.Generator | None
) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(widths):
        layer = nn.Linear(n_in, n_out)
        nn.init.xavier_uniform_(layer.weight, generator=generator)
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def _gains(net: RegretNetwork, values: Tensor, bids: Tensor) -> Tensor:
    """Utility of each bidder who alone tells a bid, shape (..., n_bidders)."""
    found = []
    for i in range(net.n_bidders):
        told = values.expand(bids.shape).clone()
        told[..., i, :] = bids[..., i, :]
        given, paid = net(told)
        worth = (given[..., i, :] * values[..., i, :]).sum(dim=-1)
        found.append(worth - paid[..., i])
    return torch.stack(found, dim=-1)


@dataclass(frozen=True)
class RegretTraining:
    """How a network was trained.

    Attributes
    ----------
    fit : FitResult
        Of the Lagrangian.
    revenue, regret : ndarray, shape (n_steps,)
        Money; mean over bidders of the regret that training sees.
    """

    fit: FitResult
    revenue: Float[np.ndarray, " n_steps"]
    regret: Float[np.ndarray, " n_steps"]


def train_regret(
    net: RegretNetwork,
    source: Sampler
    | tuple[
        Float[np.ndarray, "n_profiles n_bidders n_items"],
        Float[np.ndarray, " n_profiles"],
    ],
    *,
    n_steps: int = 2000,
    batch: int = 256,
    n_pool: int = 8192,
    n_random: int = 4,
    n_ascent: int = 2,
    multiplier: float = 5.0,
    growth: float = 1.0,
    lr: float = 2e-3,
    seed: int = 0,
) -> RegretTraining:
    r"""Train a network in place by its augmented Lagrangian.

    Parameters
    ----------
    net : RegretNetwork
    source : callable, or (values, chance)
        As in :func:`econlib.gemnet.menu_training.train_menus`.  Finite types have their
        regret found exactly, over all types.
    n_steps, batch : int
        Steps, and profiles in each; 1 or more.
    n_pool : int
        Profiles that are drawn once; each keeps its best lie so far.
    n_random, n_ascent : int
        Random lies that compete with the kept one, and gradient steps from the best.
    multiplier, growth : float
        First multiplier and :math:`\rho`, for values in units of the largest; both
        rise as training goes on, every hundredth of it.
    lr : float
        Adam's first rate.
    seed : int

    Raises
    ------
    ValueError
        No step or an empty batch.
    TrainingError
        A loss that is not finite.
    """
    if n_steps < 1 or batch < 1 or n_random < 1:
        raise ValueError(
            f"n_steps = {n_steps}, batch = {batch}, n_random = {n_random}: expected "
            "integers, 1 or more"
        )
    rng = np.random.default_rng([seed, 13])
    finite = not callable(source)
    whole = source[0] if finite else source(max(n_pool, batch), rng)
    pool = torch.as_tensor(whole / net.unit, dtype=torch.float32) * net.unit
    chance = torch.as_tensor(source[1], dtype=torch.float32) if finite else None
    lies = pool[torch.as_tensor(rng.permutation(len(pool)))].clone()
    μ = torch.full((net.n_bidders,), multiplier)
    ρ = growth
    every = max(1, n_steps // 100)
    revenue, regret = [], []
    kinds = _types_of(pool) if finite else None

    def best_lies(values: Tensor, some: Tensor) -> Tensor:
        """Best of kept and random lies, shape of values."""
        with torch.no_grad():
            if finite:
                bids = kinds[:, None].expand(-1, *values.shape[:1], -1, -1)
            else:
                drawn = torch.as_tensor(
                    rng.integers(len(pool), size=(n_random, len(values)))
                )
                bids = torch.cat([lies[some][None], pool[drawn]])
            best = _gains(net, values, bids).argmax(dim=0)
            bids = torch.take_along_dim(bids, best[None, ..., None], dim=0)[0]
        for _ in range(0 if finite else n_ascent):
            bids = bids.detach().requires_grad_()
            (slope,) = torch.autograd.grad(_gains(net, values, bids).sum(), bids)
            top, low = pool.amax(dim=0), pool.amin(dim=0)
            bids = torch.clamp(bids + 0.1 * net.unit * slope, low, top)
        return bids.detach()

    def loss(step: int) -> Tensor:
        nonlocal μ, ρ
        if finite:
            some, values = torch.arange(len(pool)), pool
        else:
            some = torch.as_tensor(rng.integers(len(pool), size=batch))
            values = pool[some]
        bids = best_lies(values, some)
        if not finite:
            lies[some] = bids
        given, paid = net(values)
        truth = (given * values).sum(dim=-1) - paid
        gain = torch.relu(_gains(net, values, bids) - truth)
        if chance is None:
            r, earned = gain.mean(dim=0), paid.sum(dim=1).mean()
        else:
            r, earned = chance @ gain, chance @ paid.sum(dim=1)
        r = r / net.unit
        total = -earned / net.unit + μ @ r + 0.5 * ρ * (r**2).sum()
        revenue.append(earned.detach())
        regret.append(r.detach().mean() * net.unit)
        if (step + 1) % every == 0:
            μ = μ + ρ * r.detach() * 100
            ρ += growth
        return total

    with warnings.catch_warnings():
        # multipliers move the loss to the end
        warnings.simplefilter("ignore", UserWarning)
        done = fit(loss, net.parameters(), n_steps, lr=lr, lr_end=lr / 10)
    curves = [torch.stack(z).double().numpy() for z in (revenue, regret)]
    return RegretTraining(done, *curves)


def _types_of(pool: Tensor) -> Tensor:
    """Every type of any bidder, repeated for all bidders."""
    types = torch.unique(pool.flatten(0, 1), dim=0)
    return types[:, None].expand(-1, pool.shape[1], -1)


@dataclass(frozen=True)
class RegretSearch:
    """What lies gain at some profiles.

    Attributes
    ----------
    regret : ndarray, shape (n_profiles, n_bidders)
        Largest gain found; 0 where no lie helps, up to rounding.
    lies : ndarray, shape (n_profiles, n_bidders, n_items)
        The best lie of each.
    """

    regret: Float[np.ndarray, "n_profiles n_bidders"]
    lies: Float[np.ndarray, "n_profiles n_bidders n_items"]


def largest_regret(
    mechanism: Mechanism,
    values: Float[np.ndarray, "n_profiles n_bidders n_items"],
    support: Float[np.ndarray, "n_bidders n_items 2"],
    *,
    n_grid: int = 1024,
    n_starts: int = 3,
    n_rounds: int = 24,
    seed: int = 0,
) -> RegretSearch:
    """Search for lies densely: a grid, corners, and a search around the best.

    Parameters
    ----------
    mechanism : callable
        ``mechanism(bidder, told)`` gives what she gets and pays, (n, n_items) and (n,).
    values : ndarray, shape (n_profiles, n_bidders, n_items)
        True values.
    support : ndarray, shape (n_bidders, n_items, 2)
        Lowest and highest bid.
    n_grid : int
        Lies tried for each bidder at each profile, 16 or more: a regular grid with one
        or two items, a Sobol sequence with more, with the corners.
    n_starts, n_rounds : int
        Lies that are improved, and rounds of a search along each axis whose step is
        halved where nothing improves.
    seed : int
        Of the Sobol sequence.

    Raises
    ------
    ValueError
        Fewer than 16 lies.
    """
    if n_grid < 16:
        raise ValueError(f"n_grid = {n_grid}: expected an integer, 16 or more")
    n_profiles, n, m = values.shape
    unit = _unit_lies(n_grid, m, seed)
    regret, lies = np.zeros((n_profiles, n)), values.copy()
    for i in range(n):
        low, width = support[i, :, 0], support[i, :, 1] - support[i, :, 0]
        bids = low + width * unit

        def gain(told_own: np.ndarray, i: int = i) -> np.ndarray:
            """Utility of lies (n_profiles, n_lies, m)."""
            many = told_own.shape[1]
            told = np.repeat(values, many, axis=0)
            told[:, i] = told_own.reshape(-1, m)
            given, paid = mechanism(i, told)
            worth = (given.reshape(n_profiles, many, m) * values[:, None, i]).sum(-1)
            return worth - paid.reshape(n_profiles, many)

        truth = gain(values[:, None, i])[:, 0]
        some = np.concatenate(
            [
                gain(np.broadcast_to(part, (n_profiles, *part.shape)))
                for part in np.array_split(bids, max(1, n_profiles * n_grid // 2**20))
            ],
            axis=1,
        )
        rank = np.argsort(-some, axis=1, kind="stable")[:, :n_starts]
        at, best = bids[rank], np.take_along_axis(some, rank, axis=1)
        step = np.full(rank.shape, n_grid ** (-1 / m))
        moves = np.concatenate([np.eye(m), -np.eye(m)])
        for _ in range(n_rounds):
            near = at[:, :, None] + step[..., None, None] * width * moves
            near = np.clip(near, low, low + width)
            tried = gain(near.reshape(n_profiles, -1, m)).reshape(*rank.shape, 2 * m)
            pick = tried.argmax(axis=2)
            new = np.take_along_axis(tried, pick[..., None], axis=2)[..., 0]
            moved = np.take_along_axis(near, pick[..., None, None], axis=2)[:, :, 0]
            better = new > best
            at = np.where(better[..., None], moved, at)
            best = np.where(better, new, best)
            step = np.where(better, step, step / 2)
        k = best.argmax(axis=1)
        rows = np.arange(n_profiles)
        regret[:, i] = np.maximum(best[rows, k] - truth, 0.0)
        lies[:, i] = at[rows, k]
    return RegretSearch(regret, lies)


def _unit_lies(n_grid: int, m: int, seed: int) -> np.ndarray:
    if m <= 2:
        side = np.linspace(0, 1, round(n_grid ** (1 / m)))
        return np.stack(np.meshgrid(*[side] * m), axis=-1).reshape(-1, m)
    corners = np.array(list(itertools.product((0.0, 1.0), repeat=min(m, 6))))
    corners = np.pad(corners, ((0, 0), (0, m - corners.shape[1])))
    sobol = stats.qmc.Sobol(m, rng=seed).random(2 ** int(np.ceil(np.log2(n_grid))))
    return np.concatenate([corners, sobol])
