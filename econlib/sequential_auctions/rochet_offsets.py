r"""RochetNet with offsets: one buyer's best menu, all states of a stage at once.

In a state with :math:`S` left, a bundle that is sold for :math:`a_T` leaves the items
:math:`S\setminus T`, worth :math:`\phi(T)=V_{t+1}(S\setminus T)` to the seller.  The
menu is trained on the smoothed objective

.. math::

   R(a)=\mathbb E_v\sum_{T\subseteq S}\Delta_T(v)\,x_T,\qquad x_T=a_T+\phi(T),\qquad
   \Delta(v)=\mathrm{softmax}_T\,\beta\big(v(T)-a_T\big),

whose gradient has a closed form, so that no graph is kept:

.. math::

   \frac{\partial R}{\partial a_T}
   =\mathbb E\,\Delta_T\Big(1-\beta\big(x_T-\textstyle\sum_R\Delta_Rx_R\big)\Big).

The value of the state is the mean of :math:`x` at the true best bundle on fresh draws.
With :math:`\phi=0` this is RochetNet.  Going backwards over buyers is the paper's
dynamic programme; with exchangeable items a menu prices sizes, and there are
:math:`m` states a stage in place of :math:`2^m`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from econlib.sequential_auctions.bundles import buyers
from econlib.sequential_auctions.settings import Setting
from econlib.sequential_auctions.size_pricing import SizePricing
from econlib.training import generator, pick_device

__all__ = [
    "BOOK",
    "OFFICIAL",
    "PAPER",
    "RochetOffsetConfig",
    "hard_values",
    "offset_gradient",
    "rochet_dp",
    "size_sampler",
    "smooth_objective",
    "train_menus",
]

_CHUNK = 2**22  # numbers in one array of utilities
_POOL = 2**15  # buyers of setting F that are drawn at once

#: Draws buyers: number of them to an array (n_states or 1, n_samples, n_options).
Sampler = Callable[[int], Tensor]


@dataclass(frozen=True)
class RochetOffsetConfig:
    r"""How a menu is trained; left out, as the paper's table has it.

    Parameters
    ----------
    n_samples : int
        Fresh buyers a step, 2 or more.
    n_steps : int
        Adam steps, 1 or more.
    lr : float
        Learning rate of the first step, above 0; of prices over ``scale``.
    lr_end : float, optional
        Of the last step; the same throughout if left out.
    temperature : tuple of float
        :math:`\beta` at the first step and from seven tenths of the steps on, for
        utilities in units of the largest value of an item, which is 1 in settings A to
        E and 3 in F.  The paper calls it :math:`\tau`, and has no unit.
    scaled : bool
        Whether prices are trained as shares of the largest value of a bundle.
    start : float
        Share of the largest value of a bundle at which its price starts, in [0, 1].
    warm : bool
        Whether a stage starts at the prices of the stage after it, where there is one.
    n_eval : int
        Buyers that value a state, 2 or more.
    pool : int
        Buyers drawn once, of whom each step takes a stretch; 0 for fresh ones.

    Raises
    ------
    ValueError
        A number out of range.
    """

    n_samples: int = 2**15
    n_steps: int = 2000
    lr: float = 0.001
    lr_end: float | None = None
    temperature: tuple[float | int, float | int] = (100.0, 100.0)
    scaled: bool = True
    start: float | int = 0.0
    warm: bool = False
    n_eval: int = 100 * 2**15
    pool: int = 0

    def __post_init__(self) -> None:
        for name, low in (("n_samples", 2), ("n_steps", 1), ("n_eval", 2)):
            n = getattr(self, name)
            if not low <= n <= 10**9:
                raise ValueError(f"{name} = {n}: expected an integer, {low} or more")
        if self.pool and self.pool < self.n_samples:
            raise ValueError(
                f"pool = {self.pool}: expected 0, or n_samples = {self.n_samples} or "
                "more"
            )
        if not 0 <= self.start <= 1:
            raise ValueError(f"start = {self.start}: expected a number in [0, 1]")
        rates = [self.lr, *([] if self.lr_end is None else [self.lr_end])]
        for name, values in (("lr", rates), ("temperature", self.temperature)):
            if not all(0 < v < np.inf for v in values):
                raise ValueError(f"{name} = {values}: expected numbers above 0")

    def at(self, step: int) -> tuple[float, float]:
        """Learning rate and temperature of a step."""
        done = step / max(self.n_steps - 1, 1)
        end = self.lr if self.lr_end is None else self.lr_end
        low, high = self.temperature
        β = low * (high / low) ** min(1.0, done / 0.7)
        return end + (self.lr - end) * (1 - done) ** 1.5, β


#: The paper's table, the official code's learning rate, and what a page has time for.
PAPER = RochetOffsetConfig()
OFFICIAL = RochetOffsetConfig(lr=0.01)
BOOK = RochetOffsetConfig(
    n_samples=2048,
    n_steps=120,
    lr=0.02,
    lr_end=2e-4,
    temperature=(20.0, 300.0),
    start=0.5,
    warm=True,
    n_eval=2**16,
    pool=2**15,
)


def smooth_objective(
    values: Float[Tensor, "*#batch n_samples n_options"],
    prices: Float[Tensor, "*#batch n_options"],
    after: Float[Tensor, "*#batch n_options"],
    beta: float | int,
) -> Float[Tensor, "*#batch"]:
    r"""Payment plus continuation at a soft choice: :math:`R(a)`, the negative loss.

    Parameters
    ----------
    values : Tensor, shape (..., n_samples, n_options)
        Of each option, first the empty bundle's 0.
    prices, after : Tensor, shape (..., n_options)
        :math:`a`, the first 0, and :math:`\phi`.
    beta : float
        :math:`\beta`, above 0.
    """
    choice = torch.softmax(beta * (values - prices[..., None, :]), dim=-1)
    return (choice * (prices + after)[..., None, :]).sum(dim=-1).mean(dim=-1)


def offset_gradient(
    values: Float[Tensor, "n_draws n_samples n_options"],
    prices: Float[Tensor, "n_states n_options"],
    after: Float[Tensor, "n_states n_options"],
    beta: float | int,
) -> Float[Tensor, "n_states n_options"]:
    """Gradient of :func:`smooth_objective` by price, the empty bundle's 0.

    ``values`` are each state's own, or one array for all.
    """
    x = prices + after
    choice = torch.softmax(beta * (values - prices[:, None]), dim=-1)
    mean = torch.bmm(choice, x[..., None]).mT
    slope = choice.mean(dim=1) * (1 - beta * x)
    slope += torch.bmm(mean, choice)[:, 0] * (beta / choice.shape[1])
    slope[:, 0] = 0.0
    return slope


def train_menus(
    sample: Sampler,
    after: Float[Tensor, "n_states n_options"],
    scale: Float[Tensor, "n_states n_options"],
    config: RochetOffsetConfig,
    start: Float[Tensor, "n_states n_options"] | None = None,
    *,
    item: float | int = 1.0,
) -> Float[Tensor, "n_states n_options"]:
    r"""Best menu of each state: the paper's algorithm 2, for many states in one tensor.

    Parameters
    ----------
    sample : callable
        Draws buyers, as :func:`size_sampler` does; options that a state does not have
        are worth minus infinity.
    after : Tensor, shape (n_states, n_options)
        :math:`\phi`, what is left is worth when an option is taken; finite.
    scale : Tensor, shape (n_states, n_options)
        Largest value of each option, of the empty bundle 0.
    config : RochetOffsetConfig
        Steps, rates, temperature.
    start : Tensor, shape (n_states, n_options), optional
        Prices to start at; the configuration's share of ``scale`` if left out.
    item : float
        Largest value of an item, the unit of the temperature.
    """
    unit = scale if config.scaled else (scale > 0).to(scale)
    start = config.start * scale if start is None else start
    share = torch.where(unit > 0, start / unit.clamp(min=1e-9), 0.0)
    m, v = torch.zeros_like(share), torch.zeros_like(share)
    for step in range(config.n_steps):
        lr, β = config.at(step)
        values = sample(config.n_samples)
        slope = offset_gradient(values, share * unit, after, β / item)
        slope = slope * unit
        m = 0.9 * m + 0.1 * slope
        v = 0.99 * v + 0.01 * slope**2
        size = torch.sqrt(v / (1 - 0.99 ** (step + 1))) + 1e-10
        share = share + lr * m / (1 - 0.9 ** (step + 1)) / size
    return share * unit


def hard_values(
    sample: Sampler,
    prices: Float[Tensor, "n_states n_options"],
    after: Float[Tensor, "n_states n_options"],
    n_samples: int,
) -> tuple[Float[np.ndarray, " n_states"], Float[np.ndarray, " n_states"]]:
    """Value of each state at the true best option, and its standard error.

    Options stand in ascending order of size, of equally good ones the last is taken.
    """
    x = (prices + after).double()
    total = torch.zeros(len(x), dtype=torch.double, device=x.device)
    squares = torch.zeros_like(total)
    chunk = max(2, _CHUNK // prices.numel())
    for start in range(0, n_samples, chunk):
        utility = sample(min(chunk, n_samples - start)) - prices[:, None]
        last = utility.shape[-1] - 1 - utility.flip(-1).argmax(dim=-1)
        w = torch.gather(x, 1, last)
        total += w.sum(dim=1)
        squares += (w**2).sum(dim=1)
    mean = total / n_samples
    spread = (squares / n_samples - mean**2).clamp(min=0)
    return mean.cpu().numpy(), torch.sqrt(spread / n_samples).cpu().numpy()


def size_sampler(setting: Setting, seed: int, device: str = "cpu") -> Sampler:
    r"""Draw a buyer's best bundle of each size, for every number of items left.

    Parameters
    ----------
    setting : Setting
        With exchangeable items.
    seed : int
        Of the draws.
    device : str
        Where tensors live; ``auto`` is a GPU where there is one.

    Returns
    -------
    callable
        Number of buyers to values, shape (n_items, n_buyers, most + 1); row s - 1 has s
        items left, sizes beyond are worth minus infinity.

    Notes
    -----
    The largest of :math:`s` uniform values is :math:`u^{1/s}`, the next one that times
    :math:`u'^{1/(s-1)}`, so that nothing is sorted; of the :math:`\binom sk` bundles
    of setting E the best is :math:`\sqrt k\,u^{1/\binom sk}`.  Buyers of setting F are
    drawn once, and batches are stretches of that sample.
    """
    where = pick_device(device)
    g = generator(seed, where)
    m, most = setting.n_items, setting.most
    s = torch.arange(1, m + 1, device=where)[:, None]
    k = torch.arange(1, most + 1, device=where)
    there = k <= s
    if setting.name == "F":
        return _pooled(_drawn(setting, seed, where, there), _POOL, seed)
    powers = (s - k + 1).clamp(min=1).float()
    if setting.name == "E":
        ways = torch.lgamma(s + 1.0) - torch.lgamma(k + 1.0)
        powers = torch.exp(ways - torch.lgamma((s - k).clamp(min=0) + 1.0))
    low, high = setting.bounds

    def sample(n: int) -> Tensor:
        logs = torch.log(torch.rand((m, n, most), generator=g, device=where))
        logs /= powers[:, None]
        if setting.name == "E":
            best = torch.exp(logs) * torch.sqrt(k)
        else:
            u = torch.exp(logs.cumsum(dim=-1))
            if setting.law is not None:
                t = np.asarray(setting.law.ppf(u.cpu().numpy()), np.float32)
                best = torch.from_numpy(t).to(where).cumsum(dim=-1)
            else:
                best = (low + (high - low) * u).cumsum(dim=-1)
        best = torch.where(there[:, None], best, -torch.inf)
        return torch.nn.functional.pad(best, (1, 0))

    return sample


def _drawn(setting: Setting, seed: int, where: torch.device, there: Tensor) -> Sampler:
    """Buyers of setting F, drawn from all bundles."""
    rng = np.random.default_rng([seed, 1])

    def sample(n: int) -> Tensor:
        best = np.full((setting.n_items, n, setting.most + 1), -np.inf, np.float32)
        for s in range(1, setting.n_items + 1):
            few = setting.best_by_size(n, s, rng)
            best[s - 1, :, : few.shape[1]] = few
        return torch.from_numpy(best).to(where)

    return sample


def _pooled(sample: Sampler, n_pool: int, seed: int) -> Sampler:
    """Stretches of one sample, whole copies of it for more buyers than it has."""
    kept = sample(n_pool)
    rng = np.random.default_rng([seed, 2])

    def stretch(n: int) -> Tensor:
        if n >= n_pool:
            return kept.repeat(1, -(-n // n_pool), 1)[:, :n]
        first = int(rng.integers(n_pool - n + 1))
        return kept[:, first : first + n]

    return stretch


def rochet_dp(
    setting: Setting | Sequence[Setting],
    n_buyers: int,
    config: RochetOffsetConfig = BOOK,
    *,
    seed: int = 0,
    device: str = "cpu",
) -> SizePricing:
    """Dynamic programme by RochetNets over sizes, the paper's algorithm 3.

    Parameters
    ----------
    setting : Setting or sequence of Setting
        Of every buyer, or of each, first buyer first; with exchangeable items.
    n_buyers : int
        1 to 200.
    config : RochetOffsetConfig
        How menus are trained.
    seed : int
        Of all draws.
    device : str
        Where tensors live; ``auto`` is a GPU where there is one.

    Returns
    -------
    SizePricing
        Values and prices with t buyers to come and s items left.

    Raises
    ------
    ValueError
        A number out of range, or items that are not exchangeable.
    """
    each = buyers(setting, n_buyers)
    first = each[0]
    if not first.symmetric:
        raise ValueError(
            f"setting {first.name}: items differ, so that size is not enough; "
            "try full_dp"
        )
    m, most = first.n_items, first.most
    values, errors = np.zeros((2, n_buyers + 1, m + 1))
    prices = np.full((n_buyers + 1, m + 1, most + 1), np.inf)
    left = np.arange(1, m + 1)[:, None] - np.arange(most + 1)
    there, samplers = left >= 0, {}
    start = last = None
    for t in range(1, n_buyers + 1):
        one = each[n_buyers - t]
        start, last = (start if one == last else None), one  # others: another scale
        if one not in samplers:
            many = len(samplers)
            samplers[one] = [
                size_sampler(one, seed * 1000 + 2 * many + part, device)
                for part in range(2)
            ]
            if config.pool:
                train, test = samplers[one]
                samplers[one] = [_pooled(train, config.pool, seed), test]
        train, test = samplers[one]
        where = train(2).device
        after = np.where(there, values[t - 1][np.maximum(left, 0)], 0.0)
        after = torch.tensor(after, dtype=torch.float32, device=where)
        scale = _largest(one) * torch.tensor(there, dtype=torch.float32, device=where)
        item = float(scale[0, 1])
        found = train_menus(train, after, scale, config, start, item=item)
        values[t, 1:], errors[t, 1:] = hard_values(test, found, after, config.n_eval)
        prices[t, 1:] = np.where(there, found.cpu().numpy(), np.inf)
        start = found if config.warm else None
    return SizePricing(values, errors, prices)


def _largest(setting: Setting) -> Float[Tensor, " n_options"]:
    """Largest value of a bundle of each size."""
    k = torch.arange(setting.most + 1, dtype=torch.float32)
    if setting.name == "E":
        return torch.sqrt(k)
    extra = max(setting.spread[1], 0.0) if setting.name == "F" else 0.0
    return k * (setting.bounds[1] + extra)
