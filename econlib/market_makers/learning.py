r"""RochetNet for a market maker: menus learnt by gradient on expected profit.

The loss of a menu is minus its profit under the soft choice,

.. math::

   -\frac1B\sum_x\sum_k\mathrm{softmax}_k(\tau v(x))\,
   \big[t_k-a_k\cdot(\lambda x+(1-\lambda)c)\big].

Many settings and seeds are trained at once, as one stack of menus.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from econlib.market_makers.model import Menu, check_belief, check_weight
from econlib.menus import ConditionalMenuNet, MenuNet, soft_choice
from econlib.training import FitResult, fit, generator, pick_device
from econlib.valuations import Valuation, make

__all__ = [
    "Learned",
    "conditional_menus",
    "menu_loss",
    "train_conditional",
    "train_menus",
]


#: Parts of the steps after which entries that nobody takes get a new trade.
_REVIVALS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
_LEAST_SCALE = 0.05  # of utilities, where λ is near 1


@dataclass(frozen=True)
class Learned:
    """Menus that were trained together.

    Attributes
    ----------
    menus : list of Menu
        One a setting and seed, in the order of the settings given.
    snapshots : list of (int, list of Menu)
        The menus at some steps on the way.
    fit : FitResult
        Steps, losses (the mean over the stack), seconds.
    """

    menus: list
    snapshots: list
    fit: FitResult


def menu_loss(
    utilities: Float[Tensor, "n_menus n_samples n_choices"],
    allocations: Float[Tensor, "n_menus n_choices n_items"],
    payments: Float[Tensor, "n_menus n_choices"],
    belief: Float[Tensor, "n_menus n_samples n_items"],
    temperature: float,
) -> Float[Tensor, " n_menus"]:
    r"""Minus the profit under the soft choice, at the *updated* belief.

    Parameters
    ----------
    utilities, allocations, payments
        Of each menu, the opt-out among the choices.
    belief : Tensor, shape (n_menus, n_samples, n_items)
        :math:`c'(x)` of each sample.
    temperature : float
        :math:`\tau`, positive.

    Returns
    -------
    Tensor, shape (n_menus,)
        Loss of each menu.
    """
    weights = soft_choice(utilities, temperature)
    value = payments[:, None] - torch.bmm(belief, allocations.transpose(1, 2))
    return -(weights * value).sum(dim=2).mean(dim=1)


def train_menus(
    laws: list[Valuation],
    c: Float[np.ndarray, "n_menus n_items"],
    lam: Float[np.ndarray, " n_menus"],
    *,
    seed: int,
    n_entries: int = 48,
    n_steps: int = 2000,
    batch: int = 2048,
    lr: float = 2e-2,
    temperature: tuple[float, float] = (100.0, 300.0),
    n_snapshots: int = 0,
    device: str = "auto",
) -> Learned:
    r"""Train a stack of menus, one for each setting.

    Parameters
    ----------
    laws : list of Valuation
        Law of types of each setting, all of as many items.
    c, lam : ndarray, shapes (n_menus, n_items), (n_menus,)
        Belief and weight of each.
    seed : int
        Of the initial menus and all samples.
    n_entries : int
        Trades on each menu, 1 or more.
    n_steps, batch : int
        Steps, and fresh types a step, which settings of the same law share.
    lr : float
        Adam's rate at the start; it falls linearly to a hundredth.
    temperature : (float, float)
        Softmax factor at the first step and the last, geometric in between.  Where
        values of trades are small it is scaled up: utilities are divided by the
        setting's scale, :math:`1-\lambda` times the size of the support.
    n_snapshots : int
        Menus kept on the way, besides the last.
    device : str
        ``auto``, ``cpu``, ``cuda``.

    Returns
    -------
    Learned
        Menus whose entries may include some that nobody takes.
    """
    d = laws[0].n_items
    if n_entries < 1:
        raise ValueError(f"n_entries = {n_entries}: expected an integer, 1 or more")
    weights = np.array([check_weight(float(x)) for x in lam])
    beliefs = np.array([check_belief(x, d, -np.inf, np.inf) for x in c])
    place = pick_device(device)
    rng = generator(seed, place)
    kw = {"dtype": torch.float32, "device": place}
    centre, λ = torch.as_tensor(beliefs, **kw), torch.as_tensor(weights, **kw)
    sizes = [float(np.diff(law.support, axis=1).mean()) for law in laws]
    scale = torch.as_tensor((1 - weights) * sizes, **kw)[:, None, None]
    support = torch.as_tensor(np.stack([law.support for law in laws]), **kw)
    kw = {"low": -1.0, "high": 1.0, "generator": rng}
    net = MenuNet(n_entries, centre, support, _depth(λ), **kw)
    unique = list({id(law): law for law in laws}.values())
    which = torch.tensor([[law is u for u in unique].index(True) for law in laws])
    first, last = temperature
    own = ((1 - λ)[:, None] * centre)[:, None]

    revivals = {int(share * n_steps) for share in _REVIVALS} - {0}

    def loss(step: int) -> Tensor:
        drawn = torch.stack([law.sample(batch, rng, even=True) for law in unique])
        x = drawn[which.to(place)]
        belief = λ[:, None, None] * x + own
        if step in revivals:
            net.revive(x, belief, rng)
        a, t = net.menu()
        utilities = torch.baddbmm(-t[:, None], x, a.transpose(1, 2)) / scale
        τ = first * (last / first) ** (step / n_steps)
        return (menu_loss(utilities, a, t, belief, τ) / scale[:, 0, 0]).mean()

    snapshots: list[tuple[int, list[Menu]]] = []
    keep = set(np.unique(np.geomspace(1, n_steps, max(n_snapshots, 1)).astype(int)))

    def on_log(step: int) -> None:
        if n_snapshots and any(step >= k for k in keep):
            keep.difference_update({k for k in keep if k <= step})
            snapshots.append((step, _menus(net)))

    result = fit(
        loss,
        net.parameters(),
        n_steps,
        lr=lr,
        n_log=100,
        on_log=on_log,
        tolerance=2e-2,
    )
    return Learned(_menus(net), snapshots, result)


def _menus(net: MenuNet) -> list[Menu]:
    """The stack as menus of double precision, without the opt-out."""
    with torch.no_grad():
        a, t = net.menu()
    a, t = a[:, 1:].cpu().double().numpy(), t[:, 1:].cpu().double().numpy()
    return [Menu(x, y) for x, y in zip(a, t, strict=True)]


def conditional_menus(
    net: ConditionalMenuNet,
    law: Valuation,
    c: Float[Tensor, "n_contexts n_items"],
    lam: Float[Tensor, " n_contexts"],
) -> tuple[
    Float[Tensor, "n_contexts n_choices n_items"],
    Float[Tensor, "n_contexts n_choices"],
]:
    """Menus that a conditional network offers, no trade first.

    Parameters
    ----------
    net : ConditionalMenuNet
        Context: belief and weight.
    law : Valuation
        Law of types.
    c, lam : Tensor, shapes (n_contexts, n_items), (n_contexts,)
        Beliefs, and weights in [0, 1).

    Returns
    -------
    allocations, payments : Tensor, shapes (n_contexts, n_choices, n_items), ...
        One menu a context.
    """
    support = torch.as_tensor(law.support).to(c)
    return net.menu(
        torch.cat([c, lam[:, None]], dim=1), c, support - c[..., None], _depth(lam)
    )


def _depth(lam: Tensor) -> Tensor:
    """A single trade whose margin is below λ/(2-λ) of its reach loses money."""
    return 2 * (1 - lam) / (2 - lam)


def train_conditional(
    net: ConditionalMenuNet,
    law: Valuation,
    *,
    seed: int,
    n_steps: int = 2000,
    batch: int = 512,
    n_types: int = 8,
    lr: float = 1e-2,
    temperature: tuple[float, float] = (50.0, 200.0),
) -> FitResult:
    r"""Train a conditional network, with :math:`c` and :math:`\lambda` uniform.

    Parameters
    ----------
    net : ConditionalMenuNet
        Context: belief and weight; trained in place.
    law : Valuation
        Law of types.
    seed : int
        Of all samples.
    n_steps, batch, n_types : int
        Steps; fresh (belief, weight) a step; fresh types for each of them.
    lr : float
        Adam's rate at the start; it falls linearly to a hundredth.
    temperature : (float, float)
        Softmax factor at the first step and the last, as in :func:`train_menus`.

    Returns
    -------
    FitResult
        Steps, losses, seconds.
    """
    place = next(net.parameters()).device
    rng = generator(seed, place)
    first, last = temperature
    contexts = make("uniform", law.n_items + 1)
    size = float(np.diff(law.support, axis=1).mean())

    def loss(step: int) -> Tensor:
        drawn = contexts.sample(batch, rng, even=True)
        c, lam = drawn[:, :-1], drawn[:, -1]
        order = torch.randperm(batch * n_types, generator=rng, device=place)
        types = law.sample(batch * n_types, rng, even=True)[order]
        types = types.unflatten(0, (batch, n_types))
        a, t = conditional_menus(net, law, c, lam)
        utilities = torch.baddbmm(-t[:, None], types, a.transpose(1, 2))
        scale = size * (1 - lam).clamp(min=_LEAST_SCALE)[:, None, None]
        belief = lam[:, None, None] * types + ((1 - lam)[:, None] * c)[:, None]
        τ = first * (last / first) ** (step / n_steps)
        return menu_loss(utilities / scale, a, t, belief, τ).mean()

    return fit(loss, net.parameters(), n_steps, lr=lr, tolerance=0.1)
