r"""Affine maximisers over a list of allocations, fixed or learnt, for any market.

From allocations :math:`A_t` with boosts :math:`\lambda_t`, the empty one with boost 0
among them, and weights :math:`w_i`, the mechanism takes

.. math::

   t^*=\arg\max_t\sum_iw_iv_i(A_t)+\lambda_t,\qquad
   p_i=\frac1{w_i}\Big[\max_t\Big(\sum_{l\ne i}w_lv_l(A_t)+\lambda_t\Big)
       -\sum_{l\ne i}w_lv_l(A_{t^*})-\lambda_{t^*}\Big].

It is strategy-proof whatever the list; with free lotteries :math:`A_t` it is the
lottery affine maximiser, with all :math:`(n+1)^m` ways to hand out the items the
deterministic one.
"""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from econlib.gemnet.menu_training import Sampler
from econlib.gemnet.networks import MenuOutcome
from econlib.training import FitResult, fit

__all__ = [
    "AllocationList",
    "TrainedList",
    "deterministic_allocations",
    "train_list",
]

_TIE = 1e-9
_MOST = 50_000


@dataclass(frozen=True)
class AllocationList:
    """An affine maximiser.

    Attributes
    ----------
    allocations : ndarray, shape (n_allocations, n_bidders, n_items)
        Probabilities, at most 1 an item; the first is empty.
    boosts : ndarray, shape (n_allocations,)
        0 for the first, in money.
    weights : ndarray, shape (n_bidders,)
        Above 0.

    Raises
    ------
    ValueError
        A first allocation that is not empty, an item given twice, or weights of 0.
    """

    allocations: Float[np.ndarray, "n_allocations n_bidders n_items"]
    boosts: Float[np.ndarray, " n_allocations"]
    weights: Float[np.ndarray, " n_bidders"]

    def __post_init__(self) -> None:
        a = self.allocations
        if (a[0] != 0).any() or self.boosts[0] != 0:
            raise ValueError("allocations: expected the empty one first, with boost 0")
        if a.min() < 0 or a.sum(axis=1).max() > 1 + 1e-6:
            raise ValueError("allocations: expected at most 1 of each item")
        if not self.weights.min() > 0:
            raise ValueError(f"weights = {self.weights}: expected numbers above 0")

    def play(
        self, values: Float[np.ndarray, "n_profiles n_bidders n_items"]
    ) -> MenuOutcome:
        """Allocations and payments; of maxima equal to 1e-9 the one that pays most."""
        allocation, payments = np.empty(values.shape), np.empty(values.shape[:2])
        step = max(1, 2**23 // len(self.boosts))
        for begin in range(0, len(values), step):
            part = slice(begin, begin + step)
            worth = np.einsum("pim,tim->pit", values[part], self.allocations)
            worth = worth * self.weights[:, None]
            total = worth.sum(axis=1) + self.boosts
            others = total[:, None] - worth  # (p, i, t)
            paid = (others.max(axis=2, keepdims=True) - others) / self.weights[:, None]
            near = total >= total.max(axis=1, keepdims=True) - _TIE
            best = np.where(near, paid.sum(axis=1), -np.inf).argmax(axis=1)
            allocation[part] = self.allocations[best]
            payments[part] = paid[np.arange(len(best)), :, best]
        return MenuOutcome(allocation, payments)


def deterministic_allocations(
    n_bidders: int, n_items: int, *, unit_demand: bool = False
) -> Float[np.ndarray, "n_allocations n_bidders n_items"]:
    """All ways to give each item to a bidder or nobody, the empty one first.

    Parameters
    ----------
    n_bidders, n_items : int
        1 or more, with at most 50,000 ways.
    unit_demand : bool
        Whether nobody gets more than one item.

    Raises
    ------
    ValueError
        Sizes out of range.
    """
    n, m = n_bidders, n_items
    if n < 1 or m < 1 or (n + 1) ** m > _MOST:
        raise ValueError(
            f"n_bidders = {n}, n_items = {m}: expected 1 or more, with at most "
            f"{_MOST} allocations; try free lotteries"
        )
    owners = np.array(list(itertools.product(range(n + 1), repeat=m)))
    given = (owners[:, None] == np.arange(1, n + 1)[:, None]).astype(float)
    return given[(given.sum(axis=2) <= 1).all(axis=1)] if unit_demand else given


@dataclass(frozen=True)
class TrainedList:
    """An affine maximiser that was trained.

    Attributes
    ----------
    mechanism : AllocationList
        The best of all restarts.
    revenues : ndarray, shape (n_restarts,)
        Of hard choices, on all profiles or on a sample apart from the report.
    fit : FitResult
        Of the mean loss over restarts.
    """

    mechanism: AllocationList
    revenues: Float[np.ndarray, " n_restarts"]
    fit: FitResult


def train_list(
    n_bidders: int,
    n_items: int,
    source: Sampler
    | tuple[
        Float[np.ndarray, "n_profiles n_bidders n_items"],
        Float[np.ndarray, " n_profiles"],
    ],
    *,
    n_entries: int = 32,
    fixed: Float[np.ndarray, "n_allocations n_bidders n_items"] | None = None,
    unit: float = 1.0,
    unit_demand: bool = False,
    learn_weights: bool = True,
    n_restarts: int = 1,
    n_steps: int = 2000,
    batch: int = 1024,
    lr: float = 1e-2,
    temperature: tuple[float, float] = (10.0, 300.0),
    seed: int = 0,
) -> TrainedList:
    """Train boosts, weights and, unless they are fixed, allocations.

    Parameters
    ----------
    n_bidders, n_items : int
        1 or more.
    source : callable, or (values, chance)
        As in :func:`econlib.gemnet.menu_training.train_menus`.
    n_entries : int
        Free lotteries besides the empty allocation, 1 or more.
    fixed : ndarray, shape (n_allocations, n_bidders, n_items), optional
        Allocations that are kept, the empty one first.
    unit : float
        About the largest value, above 0.
    unit_demand : bool
        Whether a free lottery gives nobody more than one item in total.
    learn_weights : bool
        Whether bidders may have different weights.
    n_restarts : int
        Lists that are trained side by side, of which the best is kept.
    n_steps, batch : int
        Steps, and profiles in each where they are drawn; 1 or more.
    lr : float
        Adam's first rate.
    temperature : (float, float)
        Sharpness of the choice for values in units, first and last, geometric between.
    seed : int

    Raises
    ------
    ValueError
        A size or unit out of range.
    TrainingError
        A loss that is not finite.
    """
    n, m, r = n_bidders, n_items, n_restarts
    sizes = {"n_bidders": n, "n_items": m, "n_entries": n_entries, "n_restarts": r}
    for name, value in (sizes | {"n_steps": n_steps, "batch": batch}).items():
        if value < 1:
            raise ValueError(f"{name} = {value}: expected an integer, 1 or more")
    if not unit > 0:
        raise ValueError(f"unit = {unit}: expected a number above 0")
    rng, draws = torch.Generator().manual_seed(seed), np.random.default_rng([seed, 11])
    n_lists = n_entries if fixed is None else len(fixed) - 1
    logits = 2 * torch.randn((r, n_lists, n + 1, m), generator=rng)
    across = 2 * torch.randn((r, n_lists, n, m + 1), generator=rng)
    # boosts start as what half of the items' values are worth
    size = _given(logits, across, unit_demand).sum(dim=(2, 3))
    if fixed is not None:
        kept = torch.as_tensor(fixed[1:], dtype=torch.float32)
        size = kept.sum(dim=(1, 2)).expand(r, -1)
    boosts = -size * (0.3 + 0.4 * torch.rand((r, 1), generator=rng))
    boosts = boosts + 0.05 * torch.randn(boosts.shape, generator=rng)
    free = {"boosts": boosts}
    if learn_weights:
        free["weights"] = 0.05 * torch.randn((r, n), generator=rng)
    if fixed is None:
        free |= {"logits": logits} | ({"across": across} if unit_demand else {})
    free = {name: z.requires_grad_() for name, z in free.items()}
    whole = chance = None
    if not callable(source):
        whole, chance = (torch.as_tensor(z, dtype=torch.float32) for z in source)
        whole = whole / unit
    τs = np.geomspace(*temperature, n_steps)

    def parts() -> tuple[Tensor, Tensor, Tensor]:
        if fixed is None:
            a = _given(logits, across, unit_demand)
        else:
            a = kept.expand(r, -1, -1, -1)
        w = torch.exp(free["weights"]) if learn_weights else torch.ones((r, n))
        return a, free["boosts"], w / w.mean(dim=1, keepdim=True)

    def loss(step: int) -> Tensor:
        v = whole
        if v is None:
            v = torch.as_tensor(source(batch, draws) / unit, dtype=torch.float32)
        paid = _soft_payments(v, *parts(), float(τs[step]))
        return -(paid.mean(dim=1) if chance is None else paid @ chance).mean()

    with warnings.catch_warnings():
        # the temperature moves the loss to the end
        warnings.simplefilter("ignore", UserWarning)
        done = fit(loss, free.values(), n_steps, lr=lr)
    if callable(source):
        values = source(2**14, draws)
        mass = np.full(len(values), 1 / len(values))
    else:
        values, mass = source
    found = [_hard(*(z[k].detach() for z in parts()), unit) for k in range(r)]
    revenues = np.array([one.play(values).revenue @ mass for one in found])
    return TrainedList(found[int(revenues.argmax())], revenues, done)


def _given(logits: Tensor, across: Tensor, unit_demand: bool) -> Tensor:
    """Allocations, shape (n_restarts, n_entries, n_bidders, n_items)."""
    given = torch.softmax(logits, dim=2)[:, :, :-1]
    if unit_demand:
        given = torch.minimum(given, torch.softmax(across, dim=3)[..., :-1])
    return given


def _soft_payments(
    v: Tensor, a: Tensor, boosts: Tensor, w: Tensor, temperature: float
) -> Tensor:
    """Payments of all bidders, shape (n_restarts, n_profiles)."""
    n = w.shape[1]
    flat = (a * w[:, None, :, None]).permute(2, 3, 0, 1)  # (n, m, r, t)
    worth = torch.einsum("pim,imrt->irpt", v, flat)
    worth = torch.nn.functional.pad(worth, (1, 0))
    total = worth.sum(dim=0) + torch.nn.functional.pad(boosts, (1, 0))[:, None]
    z = torch.softmax(temperature * total, dim=-1)
    paid = 0.0
    for i in range(n):
        others = total - worth[i]
        pivot = others.amax(dim=-1) - (z * others).sum(dim=-1)
        paid = paid + pivot / w[:, i, None]
    return paid


def _hard(a: Tensor, boosts: Tensor, w: Tensor, unit: float) -> AllocationList:
    a, boosts, w = (z.double().numpy() for z in (a, boosts, w))
    a = np.concatenate([np.zeros((1, *a.shape[1:])), a])
    a = a / np.maximum(1.0, a.sum(axis=1, keepdims=True))  # rounding of float32
    return AllocationList(a, np.append(0.0, boosts * unit), w)
