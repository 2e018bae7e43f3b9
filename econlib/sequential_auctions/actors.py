r"""Actor and critic: from a state to the whole price vector, and to a value.

A state is the set of items left and whose turn it is.  A network sees the bits of the
set and a sinusoidal code of the buyer's index :math:`i`,

.. math::

   \sin(i/10000^{2k/d}),\quad\cos(i/10000^{2k/d}),\qquad k=0..d/2-1,\quad d=12,

and, where ``extra`` is asked for, the share of items left and of buyers to come.  Three
ways to put out prices :math:`\xi(T)`, with :math:`c_j` the largest value of an item and
:math:`c_T` that of a bundle:

==============  ================================================================
paper           :math:`\mathrm{softplus}(x_T)-1`, as in the official code
flat            :math:`c_T\,\mathrm{softplus}(x_T-1)`
structured      :math:`c_T\big(\bar\sigma_T+g_{|T|}+r_T\big)` with
                :math:`\bar\sigma_T=\sum_{j\in T}c_j\sigma(x_j-1)/\sum_{j\in T}c_j`
==============  ================================================================
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from econlib.sequential_auctions.menu_tables import Menus, top_values
from econlib.sequential_auctions.settings import Setting

__all__ = ["OUTPUTS", "Actor", "Critic", "Features", "position_code", "tower"]

#: Ways to put out prices.
OUTPUTS = ("structured", "flat", "paper")


def position_code(n_positions: int, d: int = 12) -> Float[Tensor, "n_positions d"]:
    """Sinusoidal code of positions 0 to ``n_positions - 1``; d is even.

    Examples
    --------
    >>> position_code(2)[0, :4].tolist()
    [0.0, 1.0, 0.0, 1.0]
    """
    angle = torch.arange(n_positions)[:, None] / 10000 ** (torch.arange(0, d, 2) / d)
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)


def tower(
    n_in: int, n_out: int, width: int, generator: torch.Generator, last: float = 1.0
) -> nn.Sequential:
    """Three hidden layers of tanh units, and a linear one whose weights are ``last`` of
    the usual size and whose biases start at 0 where that is not 1."""
    layers: list[nn.Module] = []
    for a, b in ((n_in, width), (width, width), (width, width), (width, n_out)):
        layer = nn.Linear(a, b)
        for weight in (layer.weight, layer.bias):
            nn.init.uniform_(weight, -(a**-0.5), a**-0.5, generator=generator)
        layers += [layer, nn.Tanh()]
    if last != 1:
        with torch.no_grad():
            layers[-2].weight.mul_(last)
            layers[-2].bias.zero_()
    return nn.Sequential(*layers[:-1])


class Features(nn.Module):
    """What a network sees of a state.

    Parameters
    ----------
    n_buyers, n_items : int
        Size of the auction.
    extra : bool
        Whether to add the share of items left and of buyers to come, in [-1, 1].
    """

    def __init__(self, n_buyers: int, n_items: int, extra: bool = True) -> None:
        super().__init__()
        self.extra, self.n_buyers, self.n_items = extra, n_buyers, n_items
        self.register_buffer("code", position_code(n_buyers + 1))
        self.n_features = n_items + 12 + 2 * extra

    def forward(
        self, bits: Float[Tensor, "n_states n_items"], buyers: Int[Tensor, " n_states"]
    ) -> Float[Tensor, "n_states n_features"]:
        """Bits, position code and shares; buyers are counted from 0."""
        parts = [bits, self.code[buyers]]
        if self.extra:
            left = 2 * bits.mean(dim=1, keepdim=True) - 1
            to_come = 1 - 2 * buyers[:, None] / self.n_buyers
            parts += [left, to_come]
        return torch.cat(parts, dim=1)


class Actor(nn.Module):
    """Prices of every bundle for sale from a state.

    Parameters
    ----------
    setting : Setting
        Buyers.
    bundles : Menus
        Their bundles.
    n_buyers : int
        Buyers in turn.
    output : str
        ``structured``, ``flat`` or ``paper``.
    width : int
        Of the hidden layers.
    generator : torch.Generator
        Source of the initial weights.
    extra : bool
        Whether the network sees the two shares.

    Raises
    ------
    ValueError
        An unknown output.
    """

    def __init__(
        self,
        setting: Setting,
        bundles: Menus,
        n_buyers: int,
        generator: torch.Generator,
        *,
        output: str = "structured",
        width: int = 256,
        extra: bool = True,
    ) -> None:
        super().__init__()
        if output not in OUTPUTS:
            raise ValueError(
                f"output = {output!r}: expected one of {', '.join(OUTPUTS)}"
            )
        self.output, self.n_items = output, setting.n_items
        self.features = Features(n_buyers, setting.n_items, extra)
        items, scale = (
            torch.from_numpy(np.array(a)) for a in top_values(setting, bundles)
        )
        bits = bundles.masks[:, None] >> np.arange(setting.n_items) & 1
        held = torch.from_numpy(bits).float()
        share = held * items * (scale / (held @ items).clamp(min=1e-9))[:, None]
        self.register_buffer("share", share.T.contiguous())
        self.register_buffer("scale", scale)
        self.register_buffer("size", torch.from_numpy(bits.sum(axis=1)))
        n_sizes = int(self.size.max()) + 1
        n_free = setting.n_items + n_sizes if output == "structured" else 0
        self.split = n_free
        last = 1.0 if output == "paper" else 0.1
        self.net = tower(
            self.features.n_features, n_free + len(scale), width, generator, last
        )

    def forward(
        self, bits: Float[Tensor, "n_states n_items"], buyers: Int[Tensor, " n_states"]
    ) -> Float[Tensor, "n_states n_columns"]:
        """Price of each bundle for sale; the first, the empty one's, is not used."""
        x = self.net(self.features(bits, buyers))
        if self.output == "paper":
            return nn.functional.softplus(x) - 1
        if self.output == "flat":
            return self.scale * nn.functional.softplus(x - 1)
        m = self.n_items
        by_item = torch.sigmoid(x[:, :m] - 1) @ self.share
        by_size = x[:, m : self.split][:, self.size]
        return by_item + self.scale * (by_size + x[:, self.split :])


class Critic(nn.Module):
    """Value of a state; what it says of an empty set or after the last buyer is 0.

    Parameters
    ----------
    n_buyers, n_items : int
        Size of the auction.
    unit : float
        Its output is in these units.
    width : int
        Of the hidden layers.
    generator : torch.Generator
        Source of the initial weights.
    extra : bool
        Whether the network sees the two shares.
    """

    def __init__(
        self,
        n_buyers: int,
        n_items: int,
        generator: torch.Generator,
        *,
        unit: float | int = 1.0,
        width: int = 128,
        extra: bool = True,
    ) -> None:
        super().__init__()
        self.unit = unit
        self.features = Features(n_buyers, n_items, extra)
        self.net = tower(self.features.n_features, 1, width, generator)

    def forward(
        self, bits: Float[Tensor, "n_states n_items"], buyers: Int[Tensor, " n_states"]
    ) -> Float[Tensor, " n_states"]:
        """Value, 0 where no item is left or no buyer is to come."""
        value = self.unit * self.net(self.features(bits, buyers))[:, 0]
        alive = (bits.sum(dim=1) > 0) & (buyers < self.features.n_buyers)
        return torch.where(alive, value, 0.0)
