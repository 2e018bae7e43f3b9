r"""Menus of experiments learnt by gradient: RochetNet with obedience inside.

Item :math:`j` is :math:`\pi^{(j)}=\mathrm{softmax}_s(g^{(j)}/\tau_\pi)` at price
:math:`p_j`.  A buyer's gain over staying out,

.. math::

   u_j(\theta,v)=v\Big(\sum_s\max_k\theta_k\pi^{(j)}_{ks}-\max_k\theta_k\Big)-p_j,
   \qquad u_0=0,

holds the best answer to each signal, so that no report and no disobedience helps,
whatever the parameters are.  Training ascends
:math:`\mathbb E\sum_j\mathrm{softmax}_j(u/\tau_u)\,p_j`; a menu is judged by its hard
choice only.  Many laws, restarts and temperatures are trained as one stack, and items
that no type takes are pruned on the way.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from econlib.data_markets.binary_menus import Stakes, exact_revenue, item_masses
from econlib.training import FitResult, fit, generator, pick_device
from econlib.valuations import Marginal

__all__ = [
    "ExperimentMenus",
    "LearnedMenus",
    "Sampler",
    "binary_sampler",
    "judge_binary",
    "menu_loss",
    "pruned",
    "train_menus",
]

#: Draws a batch: beliefs (n_menus or 1, batch, n_states), stakes (n_menus or 1, batch).
Sampler = Callable[[int, torch.Generator], tuple[Tensor, Tensor]]

_TAU_PI = 0.2
_USED = 1e-3  # mean soft probability of an item that counts as used
_FAR = 10.0  # price at which an empty slot of a menu stands


@dataclass(frozen=True)
class LearnedMenus:
    """A stack of learnt menus.

    Attributes
    ----------
    experiments : list of ndarray, shape (n_items, n_states, n_states)
        Items that some type of a large sample takes, one array a menu.
    prices : list of ndarray, shape (n_items,)
        Their prices.
    soft_revenue : ndarray, shape (n_logged, n_menus)
        Revenue of the soft choice, on the last batch before each log.
    n_items : ndarray, shape (n_logged, n_menus)
        Items whose soft choice has a mean probability above 0.001 there.
    steps : ndarray, shape (n_logged,)
        Steps of those logs.
    fits : list of FitResult
        One for each stage between prunings.
    seconds : float
        Wall-clock time.
    """

    experiments: list
    prices: list
    soft_revenue: Float[np.ndarray, "n_logged n_menus"]
    n_items: Float[np.ndarray, "n_logged n_menus"]
    steps: Float[np.ndarray, " n_logged"]
    fits: list[FitResult]
    seconds: float


class ExperimentMenus(nn.Module):
    r"""Stacked menus of experiments; staying out is the first choice of each.

    Parameters
    ----------
    n_menus, n_items, n_states : int
        Menus of the stack; items of each; states, 2 or more.
    generator : torch.Generator, optional
        Source of the initial values: logits uniform in [-1, 1], columns ordered so
        that signals recommend states; prices 0.
    """

    def __init__(
        self,
        n_menus: int,
        n_items: int,
        n_states: int = 2,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        for name, n, least in (
            ("n_menus", n_menus, 1),
            ("n_items", n_items, 1),
            ("n_states", n_states, 2),
        ):
            if n < least:
                raise ValueError(f"{name} = {n}: expected an integer, {least} or more")
        device = generator.device if generator is not None else torch.device("cpu")
        shape = (n_menus, n_items, n_states, n_states)
        logits = 2 * torch.rand(shape, generator=generator, device=device) - 1
        self.logits = nn.Parameter(_ordered(logits))
        self.prices = nn.Parameter(torch.zeros(shape[:2], device=device))

    def experiments(self) -> Float[Tensor, "n_menus n_items n_states n_states"]:
        """The items' signals, rows sum to 1."""
        return torch.softmax(self.logits / _TAU_PI, dim=-1)

    def forward(
        self,
        beliefs: Float[Tensor, "n_menus n_samples n_states"],
        stakes: Float[Tensor, "n_menus n_samples"],
    ) -> Float[Tensor, "n_menus n_samples n_choices"]:
        """Gain of each type from each choice over staying out."""
        π = self.experiments()
        worth = None
        for s in range(π.shape[-1]):
            best = None
            for k in range(π.shape[-2]):
                part = beliefs[:, :, k, None] * π[:, None, :, k, s]
                best = part if best is None else torch.maximum(best, part)
            worth = best if worth is None else worth + best
        gain = worth - beliefs.amax(dim=-1, keepdim=True)
        utilities = stakes[..., None] * gain - self.prices[:, None]
        return nn.functional.pad(utilities, (1, 0))


def _ordered(logits: Tensor) -> Tensor:
    """Order the columns of each item for the largest trace, by trying all orders."""
    m = logits.shape[-1]
    if m > 6:
        raise ValueError(f"n_states = {m}: expected at most 6")
    π = torch.softmax(logits / _TAU_PI, dim=-1)
    orders = torch.cartesian_prod(*[torch.arange(m)] * m)
    orders = orders[[len(set(row)) == m for row in orders.tolist()]].to(logits.device)
    rows = torch.arange(m, device=logits.device)
    traces = torch.stack([π[..., rows, order].sum(-1) for order in orders], -1)
    best = orders[traces.argmax(dim=-1)]
    return torch.take_along_dim(logits, best[..., None, :], dim=-1)


def menu_loss(
    utilities: Float[Tensor, "n_menus n_samples n_choices"],
    prices: Float[Tensor, "n_menus n_items"],
    temperature: Float[Tensor, " n_menus"],
) -> Float[Tensor, " n_menus"]:
    r"""Minus the revenue of the soft choice, staying out included."""
    weights = torch.softmax(utilities / temperature[:, None, None], dim=-1)
    return -(weights[..., 1:] * prices[:, None]).sum(dim=-1).mean(dim=-1)


def binary_sampler(
    laws: list[Marginal], lows: list[float] | None = None, n_grid: int = 8001
) -> Sampler:
    r"""Even draws of two-state types, one row a law.

    Parameters
    ----------
    laws : list of Marginal
        Laws of :math:`\theta`.
    lows : list of float, optional
        Stakes are uniform on [low, 1], independent; 1 where left out.
    n_grid : int
        Quantiles that are tabulated for each law.

    Returns
    -------
    Sampler
        Quantiles :math:`(i+s)/B` with a random shift; stakes by the golden ratio.
    """
    lows = [1.0] * len(laws) if lows is None else list(lows)
    if len(lows) != len(laws) or not all(0 <= a <= 1 for a in lows):
        raise ValueError(f"lows = {lows}: expected {len(laws)} numbers in [0, 1]")
    levels = np.linspace(0.0, 1.0, n_grid)
    table = torch.as_tensor(
        np.stack([law.ppf(levels) for law in laws]), dtype=torch.float32
    )
    low = torch.as_tensor(lows, dtype=torch.float32)[:, None]

    def sample(batch: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        place = rng.device
        shift = torch.rand(2, generator=rng, device=place)
        i = torch.arange(batch, device=place)
        at = (i + shift[0]) / batch * (n_grid - 1)
        left = at.long().clamp(max=n_grid - 2)
        knots = table.to(place)
        θ = torch.lerp(knots[:, left], knots[:, left + 1], (at - left)[None])
        level = (i * 0.6180339887498949 + shift[1]) % 1.0
        v = low.to(place) + (1 - low.to(place)) * level[None]
        return torch.stack([θ, 1 - θ], dim=-1), v

    return sample


def train_menus(
    sampler: Sampler,
    n_menus: int,
    *,
    seed: int,
    n_items: int = 32,
    n_states: int = 2,
    n_steps: int = 2000,
    batch: int = 512,
    lr: float = 1e-2,
    temperatures: tuple = (5e-3, 5e-4),
    prune_at: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8),
    starts: list | None = None,
    price_high: float = 0.0,
    n_log: int = 40,
    device: str = "auto",
) -> LearnedMenus:
    r"""Train a stack of menus.

    Parameters
    ----------
    sampler : Sampler
        Draws types, for instance :func:`binary_sampler`.
    n_menus : int
        Menus of the stack.
    seed : int
        Of initial values and draws.
    n_items, n_states : int
        Items of each menu at the start; states.
    n_steps, batch : int
        Steps, and types a step.
    lr : float
        Adam's rate; it falls linearly to a hundredth over all steps.
    temperatures : (first, last)
        :math:`\tau_u` at the first step and the last, geometric in between; numbers,
        or arrays of shape (n_menus,).  Equal ones keep it fixed.
    prune_at : tuple of float
        Parts of the steps after which items that no type takes are dropped.
    starts : list, optional
        Entry i is None or (experiments, prices): items that take the first slots of
        menu i in place of random ones; its other slots stay empty.
    price_high : float
        Prices start uniform in [0, ``price_high``]; 0 as published.
    n_log : int
        How often revenue and items are logged.
    device : str
        ``auto``, ``cpu``, ``cuda``.

    Returns
    -------
    LearnedMenus
        Pruned by the hard choice.
    """
    for name, n in (("n_steps", n_steps), ("batch", batch), ("n_log", n_log)):
        if n < 1:
            raise ValueError(f"{name} = {n}: expected an integer, 1 or more")
    place = pick_device(device)
    first, last = (
        torch.broadcast_to(torch.as_tensor(τ, dtype=torch.float32), (n_menus,)).to(
            place
        )
        for τ in temperatures
    )
    if bool((first <= 0).any() or (last <= 0).any()):
        raise ValueError(f"temperatures = {temperatures}: expected positive numbers")
    rng = generator(seed, place)
    net = ExperimentMenus(n_menus, n_items, n_states, generator=rng)
    with torch.no_grad():
        net.prices.copy_(price_high * torch.rand(net.prices.shape, generator=rng))
    if starts is not None:
        _plant(net, starts)
    cuts = sorted({int(x * n_steps) for x in prune_at} | {0, n_steps})
    soft, counts, steps, fits = [], [], [], []
    seen: dict[str, Tensor] = {}
    for begin, end in pairwise(cuts):

        def loss(step: int, begin: int = begin) -> Tensor:
            θ, v = sampler(batch, rng)
            τ = first * (last / first) ** ((begin + step) / n_steps)
            utilities = net(θ, v)
            each = menu_loss(utilities, net.prices, τ)
            seen.update(loss=each.detach(), utilities=utilities.detach(), τ=τ)
            return each.sum()

        def on_log(step: int, begin: int = begin) -> None:
            if step == 0:
                return
            steps.append(begin + step)
            soft.append(-seen["loss"].cpu().numpy())
            soft_choice = torch.softmax(
                seen["utilities"] / seen["τ"][:, None, None], dim=-1
            )
            used = soft_choice[..., 1:].mean(dim=1) > _USED
            counts.append(used.sum(dim=1).cpu().numpy())

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a stage, not the whole
            fits.append(
                fit(
                    loss,
                    net.parameters(),
                    end - begin,
                    lr=lr * max(0.01, 1 - begin / n_steps),
                    lr_end=lr * max(0.01, 1 - end / n_steps),
                    n_log=max(1, round(n_log * (end - begin) / n_steps)),
                    on_log=on_log,
                )
            )
        if end < n_steps:
            pruned(net, sampler, rng)
    kept = pruned(net, sampler, rng)
    with torch.no_grad():
        π, p = net.experiments().cpu().double().numpy(), net.prices.cpu().double()
    return LearnedMenus(
        [x[k] / x[k].sum(axis=-1, keepdims=True) for x, k in zip(π, kept, strict=True)],
        [x[k] for x, k in zip(p.numpy(), kept, strict=True)],
        np.stack(soft),
        np.stack(counts).astype(float),
        np.array(steps, float),
        fits,
        sum(f.seconds for f in fits),
    )


def _plant(net: ExperimentMenus, starts: list) -> None:
    with torch.no_grad():
        for i, start in enumerate(starts):
            if start is None:
                continue
            π, p = (torch.as_tensor(np.asarray(x), dtype=torch.float32) for x in start)
            n = len(p)
            net.prices[i] = _FAR
            net.logits[i, :n] = (_TAU_PI * π.clamp(min=1e-4).log()).to(net.logits)
            net.prices[i, :n] = p.to(net.prices)


def _taken(utilities: Tensor) -> Bool[Tensor, "n_menus n_items"]:
    """Which items some type takes, staying out being the first choice."""
    chosen = utilities.argmax(dim=-1)
    taken = torch.zeros_like(utilities[:, 0], dtype=torch.bool)
    return taken.scatter_(1, chosen, True)[:, 1:]


@torch.no_grad()
def pruned(
    net: ExperimentMenus,
    sampler: Sampler,
    rng: torch.Generator,
    *,
    batch: int = 4096,
) -> list:
    """Drop, in place, items that no type of a fresh batch takes; say which are left.

    Menus keep a common number of slots; an empty one stands at a price that nobody
    pays.

    Returns
    -------
    list of ndarray
        Slots in use, one array a menu; at least one each.
    """
    utilities = net(*sampler(batch, rng))
    taken = _taken(utilities)
    none = ~taken.any(dim=1)
    taken[none, 0] = True
    most = int(taken.sum(dim=1).max())
    order = torch.argsort(taken.int(), dim=1, descending=True, stable=True)[:, :most]
    logits = torch.take_along_dim(net.logits, order[..., None, None], dim=1)
    prices = torch.take_along_dim(net.prices, order, dim=1)
    used = torch.take_along_dim(taken, order, dim=1)
    net.logits = nn.Parameter(logits)
    net.prices = nn.Parameter(torch.where(used, prices, _FAR))
    return [np.flatnonzero(row) for row in used.cpu().numpy()]


def judge_binary(
    learned: LearnedMenus,
    laws: list[Marginal],
    stakes: list[Stakes] | None = None,
    *,
    least: float = 1e-4,
) -> list[tuple[float, Float[np.ndarray, "n_sold 2 2"], Float[np.ndarray, " n_sold"]]]:
    """Exact revenue of each menu under the hard choice, and the items it sells.

    Parameters
    ----------
    learned : LearnedMenus
        A stack for two states.
    laws : list of Marginal
        One a menu.
    stakes : list of Stakes, optional
        One a menu; 1 where left out.
    least : float
        Probability above which an item counts as sold.

    Returns
    -------
    list of (revenue, experiments, prices)
        Items sold, cheapest first; revenue is that of all items.
    """
    stakes = [None] * len(laws) if stakes is None else stakes
    found = []
    for π, p, law, v in zip(
        learned.experiments, learned.prices, laws, stakes, strict=True
    ):
        mass = item_masses(π, p, law, v)
        order = [j for j in np.argsort(p) if mass[j] >= least]
        found.append((exact_revenue(π, p, law, v), π[order], p[order]))
    return found
