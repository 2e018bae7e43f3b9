r"""Menus as parameters: what a buyer, bidder or trader chooses from, and how softly.

An agent of type :math:`x` takes the entry of highest utility
:math:`v_k=a_k\cdot x-t_k`.  A learner replaces the choice by
:math:`\mathrm{softmax}(\tau v)`, which has a gradient; what is reported is always the
hard choice.  Every menu is incentive compatible whatever its parameters are, and
individually rational because :math:`(0,0)` is always on it.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

__all__ = ["ConditionalMenuNet", "MenuNet", "hard_choice", "reach", "soft_choice"]


def soft_choice(
    utilities: Float[Tensor, "*batch n_choices"], temperature: float
) -> Float[Tensor, "*batch n_choices"]:
    r"""Probabilities :math:`\mathrm{softmax}(\tau v)`; large :math:`\tau` is hard."""
    return torch.softmax(temperature * utilities, dim=-1)


def hard_choice(
    utilities: Float[Tensor, "*batch n_choices"],
) -> Int[Tensor, "*batch"]:
    """Index of the best entry; of equal ones the first."""
    return torch.argmax(utilities, dim=-1)


def reach(
    allocations: Float[Tensor, "*batch n_entries n_items"],
    room: Float[Tensor, "*batch n_items 2"],
) -> Float[Tensor, "*batch n_entries"]:
    r"""Most that any type gains from a trade before it pays, :math:`H(a)`.

    Parameters
    ----------
    allocations : Tensor, shape (..., n_entries, n_items)
        :math:`a`.
    room : Tensor, shape (..., n_items, 2)
        Lowest and highest value of each item, less what it is worth to the seller.

    Returns
    -------
    Tensor, shape (..., n_entries)
        :math:`\sum_i\max(a_i\,\text{low}_i,\ a_i\,\text{high}_i)`.
    """
    return (allocations[..., None] * room[..., None, :, :]).amax(dim=-1).sum(dim=-1)


class MenuNet(nn.Module):
    r"""Stacked menus, each with free allocations and payments.

    An allocation is :math:`low+(high-low)\,\sigma(w)`; a payment is
    :math:`a\cdot\text{worth}+H(a)(1-\text{depth}\cdot r)` with :math:`H` of
    :func:`reach` and a free :math:`r`, so that learning does not depend on the units
    of values: at :math:`r=0` nobody gains from the trade, at :math:`r=1/\text{depth}`
    it is priced at its worth.  The opt-out :math:`(0,0)` is the first entry and is not
    trained.

    Parameters
    ----------
    n_entries : int
        Entries of each menu besides the opt-out, 1 or more.
    worth : Tensor, shape (n_menus, n_items)
        What each item is worth to the one who offers it; 0 for a seller without costs.
    support : Tensor, shape (n_menus, n_items, 2)
        Lowest and highest value of each item.
    depth : Tensor, shape (n_menus,)
        Positive; :math:`r` starts uniform in [0, 1].
    low, high : float
        Range of allocations: [0, 1] for a seller, [-1, 1] for a market maker.
    generator : torch.Generator, optional
        Source of the initial values; its device is where the menus live.
    """

    def __init__(
        self,
        n_entries: int,
        worth: Float[Tensor, "n_menus n_items"],
        support: Float[Tensor, "n_menus n_items 2"],
        depth: Float[Tensor, " n_menus"],
        *,
        low: float = 0.0,
        high: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if n_entries < 1:
            raise ValueError(f"n_entries = {n_entries}: expected an integer, 1 or more")
        if not low < high:
            raise ValueError(f"low = {low}, high = {high}: expected low < high")
        self.low, self.high = low, high
        n_menus, n_items = worth.shape
        kw = {"generator": generator, "device": worth.device}
        logits = 6 * torch.rand(n_menus, n_entries, n_items, **kw) - 3
        self.logits = nn.Parameter(logits)
        self.depths = nn.Parameter(torch.rand(n_menus, n_entries, **kw))
        self.register_buffer("worth", worth)
        self.register_buffer("room", support - worth[..., None])
        self.register_buffer("depth", depth)

    def menu(
        self,
    ) -> tuple[
        Float[Tensor, "n_menus n_choices n_items"], Float[Tensor, "n_menus n_choices"]
    ]:
        """Allocations and payments, the opt-out first."""
        a = self.low + (self.high - self.low) * torch.sigmoid(self.logits)
        share = 1 - self.depth[:, None] * self.depths
        t = torch.einsum("mki,mi->mk", a, self.worth) + reach(a, self.room) * share
        return (
            nn.functional.pad(a, (0, 0, 1, 0)),
            nn.functional.pad(t, (1, 0)),
        )

    def forward(
        self, types: Float[Tensor, "n_menus n_samples n_items"]
    ) -> Float[Tensor, "n_menus n_samples n_choices"]:
        """Utility of each type from each choice."""
        a, t = self.menu()
        return torch.baddbmm(-t[:, None], types, a.transpose(1, 2))

    @torch.no_grad()
    def revive(
        self,
        types: Float[Tensor, "n_menus n_samples n_items"],
        costs: Float[Tensor, "n_menus n_samples n_items"],
        generator: torch.Generator | None = None,
        n_proposals: int = 64,
    ) -> Int[Tensor, " n_menus"]:
        """Give each entry that no type takes a new trade, so that it can learn again.

        Of some proposals the one that adds most profit to the menu as it stands, types
        choosing hard.  The allocation of every other proposal is random, of the rest
        midway between those that two random types take, which is where a region that
        closed can open again.  The payment leaves one random type as well off as it is,
        within the range in which payments start.

        Parameters
        ----------
        types : Tensor, shape (n_menus, n_samples, n_items)
            A sample of types.
        costs : Tensor, shape (n_menus, n_samples, n_items)
            What a unit of each item costs the one who offers it, if sold to that type.
        generator : torch.Generator, optional
            Source of the new trades.
        n_proposals : int
            Proposals for each idle entry, 1 or more.

        Returns
        -------
        Tensor, shape (n_menus,)
            Entries of each menu that were given a new trade.
        """
        if n_proposals < 1:
            raise ValueError(f"n_proposals = {n_proposals}: expected 1 or more")
        a, t = self.menu()
        best, chosen = self(types).max(dim=-1)
        taken = torch.zeros_like(t, dtype=torch.bool)
        idle = ~taken.scatter_(1, chosen, True)[:, 1:]
        bought = torch.take_along_dim(a, chosen[..., None], dim=1)
        profit = t.gather(1, chosen) - (bought * costs).sum(-1)
        kw = {"generator": generator, "device": types.device}
        most = torch.full_like(self.depths, -torch.inf)
        for trial in range(n_proposals):
            logits = 6 * torch.rand(self.logits.shape, **kw) - 3
            if trial % 2:
                two = torch.randint(types.shape[1], (2, *idle.shape), **kw)
                held = torch.take_along_dim(bought[None], two[..., None], dim=2)
                share = (held.mean(dim=0) - self.low) / (self.high - self.low)
                logits = torch.logit(share, 0.02)
            some = torch.randint(types.shape[1], idle.shape, **kw)
            x = torch.take_along_dim(types, some[..., None], dim=1)
            a = self.low + (self.high - self.low) * torch.sigmoid(logits)
            margin = (a * (x - self.worth[:, None])).sum(-1) - best.gather(1, some)
            depths = 1 - margin / reach(a, self.room).clamp(min=1e-6)
            depths = (depths / self.depth[:, None]).clamp(0, 1)
            t = (a * self.worth[:, None]).sum(-1)
            t = t + reach(a, self.room) * (1 - self.depth[:, None] * depths)
            takes = types @ a.transpose(1, 2) - t[:, None] > best[..., None]
            sold = t[:, None] - costs @ a.transpose(1, 2) - profit[..., None]
            gain = torch.where(takes, sold, 0).mean(dim=1)
            better = idle & (gain > most)
            most = torch.where(better, gain, most)
            self.logits[better] = logits[better]
            self.depths[better] = depths[better]
        return idle.sum(dim=1)


class ConditionalMenuNet(nn.Module):
    r"""A network from a context to a menu, priced as in :class:`MenuNet`.

    Parameters
    ----------
    n_context, n_entries, n_items : int
        Length of the context, entries besides the opt-out, items; each 1 or more.
    hidden : tuple of int
        Widths of the hidden layers, with ReLU.
    low, high : float
        Range of allocations.
    generator : torch.Generator, optional
        Source of the initial values; its device is where the network lives.

    Notes
    -----
    The last layer's bias starts as a :class:`MenuNet` does: allocations spread over
    their range, :math:`r` uniform in [0, 1].
    """

    def __init__(
        self,
        n_context: int,
        n_entries: int,
        n_items: int,
        *,
        hidden: tuple[int, ...] = (32, 32),
        low: float = 0.0,
        high: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        for name, n in (
            ("n_context", n_context),
            ("n_entries", n_entries),
            ("n_items", n_items),
        ):
            if n < 1:
                raise ValueError(f"{name} = {n}: expected an integer, 1 or more")
        self.n_entries, self.n_items = n_entries, n_items
        self.low, self.high = low, high
        device = generator.device if generator is not None else torch.device("cpu")
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise([n_context, *hidden, n_entries * (n_items + 1)]):
            layer = nn.Linear(n_in, n_out, device=device)
            bound = n_in**-0.5
            for weight in (layer.weight, layer.bias):
                nn.init.uniform_(weight, -bound, bound, generator=generator)
            layers += [layer, nn.ReLU()]
        last, split = layers[-2], n_entries * n_items
        with torch.no_grad():
            draws = torch.rand(last.bias.shape, generator=generator, device=device)
            last.bias[:split] = 6 * draws[:split] - 3
            last.bias[split:] = draws[split:]
        self.layers = nn.Sequential(*layers[:-1])

    def menu(
        self,
        context: Float[Tensor, "n_contexts n_context"],
        worth: Float[Tensor, "n_contexts n_items"],
        room: Float[Tensor, "n_contexts n_items 2"],
        depth: Float[Tensor, " n_contexts"],
    ) -> tuple[
        Float[Tensor, "n_contexts n_choices n_items"],
        Float[Tensor, "n_contexts n_choices"],
    ]:
        """Allocations and payments of each context, the opt-out first.

        Parameters
        ----------
        context : Tensor, shape (n_contexts, n_context)
            What the network sees.
        worth, room, depth : Tensor
            As in :class:`MenuNet`, one row a context; ``room`` is that of
            :func:`reach`.
        """
        out = self.layers(context)
        split = self.n_entries * self.n_items
        a = self.low + (self.high - self.low) * torch.sigmoid(out[:, :split])
        a = a.unflatten(1, (self.n_entries, self.n_items))
        share = 1 - depth[:, None] * out[:, split:]
        t = torch.einsum("ski,si->sk", a, worth) + reach(a, room) * share
        return nn.functional.pad(a, (0, 0, 1, 0)), nn.functional.pad(t, (1, 0))
