r"""One bidder: menus that are known to be optimal, and menus that are learnt.

With one bidder nothing can be sold twice, and the menu network is RochetNet.  For m
items, independent and uniform on [0, 1], the *straight-jacket auction* sells any r of
them at a price :math:`p_r` with

.. math::

   \mathrm{vol}\Big\{x\in[0,1]^r:\ \sum_{j\in J}x_j\le p_{|J|}\ \forall J\Big\}
   =1-\frac r{m+1},

optimal for up to six items (Giannakopoulos and Koutsoupias 2018).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy import integrate, optimize, stats
from torch import Tensor

from econlib.gemnet.offers import deterministic_bundles, single_prices
from econlib.menus import MenuNet, hard_choice, reach, soft_choice
from econlib.training import FitResult, fit, generator, pick_device
from econlib.valuations import Marginal

__all__ = [
    "LearnedMenu",
    "bundle_optimum",
    "menu_revenue",
    "pair_revenue",
    "train_menu",
    "uniform_prices",
    "uniform_revenue",
]

_AVERAGED = 0.7  # of the steps come before those that are averaged
_REVIVALS = (0.1, 0.2, 0.3, 0.4, 0.5)


def uniform_prices(m: int, log2_n: int = 18, seed: int = 0) -> Float[np.ndarray, " m"]:
    """Prices of any 1, ..., m of m uniform items, by the straight-jacket condition.

    Parameters
    ----------
    m : int
        Items, 1 to 6.
    log2_n : int
        Points of a scrambled Sobol sequence in each dimension, 10 to 24.
    seed : int

    Raises
    ------
    ValueError
        A number of items or points out of range.

    Notes
    -----
    The largest sum over r of some coordinates is that of the r largest, so that
    :math:`p_r` is an order statistic of the total of those r-tuples that meet the
    conditions before.
    """
    if not 1 <= m <= 6:
        raise ValueError(f"m = {m}: expected an integer, 1 to 6")
    if not 10 <= log2_n <= 24:
        raise ValueError(f"log2_n = {log2_n}: expected an integer, 10 to 24")
    prices = np.empty(m)
    for r in range(1, m + 1):
        u = stats.qmc.Sobol(r, rng=seed + r).random_base2(log2_n)
        sums = np.cumsum(-np.sort(-u, axis=1), axis=1)
        inside = (sums[:, : r - 1] <= prices[: r - 1]).all(axis=1)
        total = np.sort(sums[inside, -1])
        prices[r - 1] = total[round((1 - r / (m + 1)) * len(u)) - 1]
    return prices


def uniform_revenue(
    prices: Float[np.ndarray, " m"], log2_n: int = 18, seed: int = 1
) -> float:
    """Revenue of prices by number of items, from one bidder with uniform values."""
    u = stats.qmc.Sobol(len(prices), rng=seed).random_base2(log2_n)
    sums = np.cumsum(-np.sort(-u, axis=1), axis=1)
    gains = np.column_stack([np.zeros(len(u)), sums - prices])
    return float(np.append(0.0, prices)[gains.argmax(axis=1)].mean())


@dataclass(frozen=True)
class LearnedMenu:
    """A menu that was trained.

    Attributes
    ----------
    allocations : ndarray, shape (n_choices, n_items)
        Of the opt-out, first, and the entries.
    payments : ndarray, shape (n_choices,)
    fit : FitResult
    """

    allocations: Float[np.ndarray, "n_choices n_items"]
    payments: Float[np.ndarray, " n_choices"]
    fit: FitResult


def _draw(laws: list[Marginal], n: int, rng: np.random.Generator) -> np.ndarray:
    return np.stack([law.ppf(rng.random(n)) for law in laws], axis=1)


def train_menu(
    laws: list[Marginal],
    *,
    n_entries: int = 32,
    n_steps: int = 3000,
    batch: int = 1024,
    lr: float = 1e-2,
    temperature: tuple[float, float] = (50.0, 400.0),
    unit_demand: bool = False,
    bundles: bool = True,
    seed: int = 0,
    device: str = "cpu",
) -> LearnedMenu:
    """Train a menu of lotteries for one bidder.

    Parameters
    ----------
    laws : list of Marginal
        Of each item.
    n_entries : int
        Lotteries besides the opt-out, 1 or more.
    n_steps, batch : int
        Steps, and fresh values in each.
    lr : float
        Adam's first rate.
    temperature : (float, float)
        Sharpness of the choice at the first and the last step, geometric between, for
        values whose mean is one half.
    unit_demand : bool
        Whether the probabilities of an entry sum to at most one.
    bundles : bool
        Whether the first entries begin near whole bundles, where there are enough, at
        about the prices that earn most among those; the rest begin at random.
    seed : int
    device : str

    Raises
    ------
    ValueError
        No entry, no step, or a batch of none.
    TrainingError
        A loss that is not finite.
    """
    for name, value in (("n_steps", n_steps), ("batch", batch)):
        if value < 1:
            raise ValueError(f"{name} = {value}: expected an integer, 1 or more")
    place, m = pick_device(device), len(laws)
    rng, draws = generator(seed, place), np.random.default_rng([seed, 1])
    sample = _draw(laws, 4096, draws)
    scale = 2 * float(sample.mean())
    # in units of twice the mean value; rare large values are seen in training
    top = np.quantile(sample, 0.999, axis=0) / scale
    kw = {"dtype": torch.float32, "device": place}
    support = torch.as_tensor(np.stack([np.zeros(m), top], axis=1), **kw)[None]
    net = MenuNet(
        n_entries,
        torch.zeros(1, m, **kw),
        support,
        torch.ones(1, **kw),
        generator=rng,
    )
    # entries for rare bundles look idle in a batch, and must not be given away
    keep = bundles and _begin_with_bundles(net, sample / scale, unit_demand)
    low, high = temperature
    at = {int(share * n_steps) for share in _REVIVALS}

    def menu() -> tuple[Tensor, Tensor]:
        a, t = net.menu()
        if unit_demand:
            a = a / a.sum(dim=-1, keepdim=True).clamp(min=1.0)
        return a, t

    means = [z.detach().clone() for z in net.parameters()]
    first = int(_AVERAGED * n_steps)

    def loss(step: int) -> Tensor:
        # the mean of the last steps, less the noise of their draws
        for kept, mean in zip(net.parameters(), means, strict=True):
            mean.lerp_(kept.detach(), 1 / max(1, step - first + 1))
        types = torch.as_tensor(_draw(laws, batch, draws) / scale, **kw)[None]
        if step in at and not unit_demand and not keep:
            net.revive(types, torch.zeros_like(types), rng)
        a, t = menu()
        utilities = torch.baddbmm(-t[:, None], types, a.transpose(1, 2))
        τ = low * (high / low) ** (step / max(1, n_steps - 1))
        return -(soft_choice(utilities, τ) * t[:, None]).sum(dim=2).mean()

    done = fit(loss, net.parameters(), n_steps, lr=lr, tolerance=0.05)
    with torch.no_grad():
        for kept, mean in zip(net.parameters(), means, strict=True):
            kept.copy_(mean)
        a, t = menu()
    return LearnedMenu(
        a[0].double().cpu().numpy(), t[0].double().cpu().numpy() * scale, done
    )


@torch.no_grad()
def _begin_with_bundles(net: MenuNet, values: np.ndarray, unit_demand: bool) -> bool:
    """Whether there are entries enough to begin near whole bundles."""
    m = values.shape[1]
    if 2**m > net.logits.shape[1] + 1:
        return False
    whole = deterministic_bundles(m, unit_demand=unit_demand)
    near = np.clip(whole, 0.001, 0.999)
    prices = single_prices(near, values)
    n = len(near)
    a = torch.as_tensor(near).to(net.logits)
    net.logits[0, :n] = torch.logit(a)
    share = torch.as_tensor(prices).to(a) / reach(a[None], net.room)[0]
    net.depths[0, :n] = (1 - share) / net.depth[0]
    return True


def menu_revenue(
    allocations: Float[np.ndarray, "n_choices n_items"],
    payments: Float[np.ndarray, " n_choices"],
    laws: list[Marginal],
    log2_n: int = 17,
    seed: int = 2,
) -> float:
    """Revenue of a menu, the bidder choosing the best entry, of equal ones the dearest.

    Parameters
    ----------
    allocations, payments : ndarray
        The opt-out among them.
    laws : list of Marginal
    log2_n : int
        Points of a scrambled Sobol sequence.
    seed : int
    """
    u = stats.qmc.Sobol(len(laws), rng=seed).random_base2(log2_n)
    v = np.stack([law.ppf(x) for law, x in zip(laws, u.T, strict=True)], axis=1)
    order = np.argsort(-payments, kind="stable")
    a, t = allocations[order], payments[order]
    best = hard_choice(torch.as_tensor(v @ a.T - t)).numpy()
    return float(t[best].mean())


def pair_revenue(
    allocations: Float[np.ndarray, "n_choices 2"],
    payments: Float[np.ndarray, " n_choices"],
    laws: list[Marginal],
    n: int = 8192,
) -> float:
    """Revenue of a menu for two items, exact in the first value.

    Given the second value y the bidder's utility is the upper envelope of lines in the
    first, and the chance of each is a difference of distribution functions; y takes
    midpoints in quantiles.  Of equal lines the dearest is taken.

    Parameters
    ----------
    allocations, payments : ndarray
        The opt-out among them; 400 choices at most.
    laws : list of Marginal
        Two.
    n : int
        Midpoints.

    Raises
    ------
    ValueError
        More than two items, or too many choices.
    """
    if len(laws) != 2 or allocations.shape[1] != 2 or len(payments) > 400:
        raise ValueError(
            f"{len(laws)} laws, {len(payments)} choices: expected 2, and at most 400"
        )
    order = np.lexsort((-payments, allocations[:, 0]))
    a, t = allocations[order], payments[order]
    y = laws[1].ppf((np.arange(n) + 0.5) / n)
    height = y[:, None] * a[:, 1] - t  # (n, k): the line is x a[:, 0] + height
    rise = a[:, None, 0] - a[None, :, 0]
    total = 0.0
    for h in np.array_split(height, max(1, n * len(t) ** 2 // 2**22)):
        fall = h[:, None, :] - h[:, :, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            cross = fall / rise
        low = np.where(rise > 0, cross, -np.inf).max(axis=2)
        high = np.where(rise < 0, cross, np.inf).min(axis=2)
        same = (rise == 0) & ~np.eye(len(t), dtype=bool)
        first = np.tri(len(t), k=-1, dtype=bool)
        lost = (same & ((fall > 0) | ((fall == 0) & first))).any(axis=2)
        chance = np.where(lost, 0.0, laws[0].cdf(high) - laws[0].cdf(low))
        total += float((np.maximum(chance, 0.0) * t).sum())
    return total / n


def bundle_optimum(laws: list[Marginal]) -> tuple[float, float]:
    """Best price of two items sold in one bundle only, and its revenue.

    Parameters
    ----------
    laws : list of Marginal
        Two, with a density.
    """
    one, two = laws
    start, end = one.low + two.low, one.ppf(0.999) + two.ppf(0.999)

    def lost(p: float) -> float:
        chance, _ = integrate.quad(
            lambda x: one.pdf(x) * (1 - two.cdf(p - x)), one.low, p - two.low
        )
        return -p * (chance + 1 - one.cdf(p - two.low))

    found = optimize.minimize_scalar(
        lost,
        bounds=(start + 1e-9, float(end)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return float(found.x), float(-found.fun)
