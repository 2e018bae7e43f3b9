r"""Menus for several bidders, computed by networks from the others' values alone.

Bidder i chooses from :math:`B_i(v_{-i})=\{(\alpha_i^k,\beta_i^k)\}_{k=0}^K`, the output
of a network at :math:`v_{-i}`; element 0 is :math:`(0,0)`.  Whatever the weights, truth
is a dominant strategy.  What the bidders' own best choices hand out together may be
more than there is; :mod:`econlib.gemnet.menu_training` teaches them not to.  With one
bidder there is no input: the weights are the menu, which is RochetNet.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from econlib.gemnet.offers import deterministic_bundles, single_prices

__all__ = [
    "Choice",
    "MenuNetwork",
    "MenuOutcome",
    "hard_choice",
    "play",
]


class Choice(NamedTuple):
    """What each of some bidders takes from her menu.

    Attributes
    ----------
    index : int, shape (n_samples,)
        Of the first best element.
    allocation : shape (n_samples, n_items)
    payment, utility : shape (n_samples,)
    """

    index: Int[np.ndarray, " b"] | Int[Tensor, " b"]
    allocation: Float[np.ndarray, "b m"] | Float[Tensor, "b m"]
    payment: Float[np.ndarray, " b"] | Float[Tensor, " b"]
    utility: Float[np.ndarray, " b"] | Float[Tensor, " b"]


def hard_choice(
    bundles: np.ndarray | Tensor, prices: np.ndarray | Tensor, v: np.ndarray | Tensor
) -> Choice:
    """Best element for each value; of equal ones the first.

    Parameters
    ----------
    bundles : array or Tensor, shape (n_samples, n_choices, n_items)
    prices : array or Tensor, shape (n_samples, n_choices)
    v : array or Tensor, shape (n_samples, n_items)

    Examples
    --------
    >>> bundles = np.array([[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]])
    >>> prices, v = np.array([[0.0, 0.5, 0.9]]), np.array([[0.7, 0.6]])
    >>> found = hard_choice(bundles, prices, v)
    >>> int(found.index[0]), float(found.payment[0])
    (2, 0.9)
    """
    utilities = (bundles * v[:, None]).sum(-1) - prices
    index = utilities.argmax(-1)
    rows = torch.arange(len(v)) if isinstance(v, Tensor) else np.arange(len(v))
    return Choice(
        index, bundles[rows, index], prices[rows, index], utilities[rows, index]
    )


class MenuNetwork(nn.Module):
    r"""One network a bidder, from the others' values to her menu.

    Parameters
    ----------
    n_bidders, n_items : int
        1 or more.
    bundles : ndarray, shape (n_entries, n_items), optional
        Fixed bundles, such as those of
        :func:`~econlib.gemnet.offers.deterministic_bundles`; prices alone are learnt.
        Without them bundles are free lotteries.
    n_entries : int, optional
        Elements besides the empty one where bundles are free; 1 or more.  The first
        begin near whole bundles if there are enough, the rest at random.
    hidden : tuple of int
        Widths of the hidden layers, with ReLU; unused with one bidder.
    unit : float
        Money and value that the network calls 1, above 0: about the largest value.
    start : ndarray, shape (n_samples, n_bidders, n_items), optional
        Values for which prices start at about the optimum for each bidder alone;
        without them they start at random.
    unit_demand : bool
        Whether an element holds one item at most in total.
    generator : torch.Generator, optional
        Source of the initial weights; its device is where the network lives.

    Raises
    ------
    ValueError
        A size, unit or bundles out of range.

    Notes
    -----
    All bidders' networks are evaluated together, each with weights of its own.
    """

    def __init__(
        self,
        n_bidders: int,
        n_items: int,
        *,
        bundles: Float[np.ndarray, "n_entries n_items"] | None = None,
        n_entries: int | None = None,
        hidden: tuple[int, ...] = (32, 32),
        unit: float = 1.0,
        start: Float[np.ndarray, "n_samples n_bidders n_items"] | None = None,
        unit_demand: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if bundles is not None:
            n_entries = len(bundles)
            _check_bundles(bundles, n_items, unit_demand)
        sizes = {"n_bidders": n_bidders, "n_items": n_items, "n_entries": n_entries}
        for name, n in sizes.items():
            if n is None or n < 1:
                raise ValueError(f"{name} = {n}: expected an integer, 1 or more")
        if not unit > 0:
            raise ValueError(f"unit = {unit}: expected a number above 0")
        self.n_bidders, self.n_items, self.n_entries = n_bidders, n_items, n_entries
        self.unit, self.unit_demand = float(unit), unit_demand
        device = generator.device if generator is not None else torch.device("cpu")
        kw = {"generator": generator, "device": device}
        fixed = None
        if bundles is not None:
            # the empty element first
            rows = np.vstack([np.zeros(n_items), bundles])
            fixed = torch.as_tensor(rows, dtype=torch.float32, device=device)
        self.register_buffer("fixed", fixed)
        n_logits = n_items + (1 if unit_demand else 0)
        width = n_entries * (1 if bundles is not None else 1 + n_logits)
        sizes = [(n_bidders - 1) * n_items, *hidden, width] if n_bidders > 1 else []
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for n_in, n_out in itertools.pairwise(sizes):
            bound = n_in**-0.5
            for kept, shape in (
                (self.weights, (n_bidders, n_in, n_out)),
                (self.biases, (n_bidders, 1, n_out)),
            ):
                z = 2 * torch.rand(shape, **kw) - 1
                kept.append(nn.Parameter(bound * z))
        head = torch.rand((n_bidders, 1, width), **kw)
        if bundles is None:  # bundles spread over their range
            spread = 2 * torch.randn((n_bidders, 1, n_entries, n_logits), **kw)
            self._near_bundles(spread)
            head[..., n_entries:] = spread.flatten(2)
        self.head = nn.Parameter(head)
        if start is not None:
            self._price(start)

    def _near_bundles(self, logits: Tensor) -> None:
        """Begin with entries near whole bundles, where there are enough."""
        n, m = self.n_entries, self.n_items
        if m > 12 or n < (m if self.unit_demand else 2**m - 1):
            return
        whole = deterministic_bundles(m, unit_demand=self.unit_demand)
        if self.unit_demand:  # the last logit is that of no item
            whole = np.pad(whole, ((0, 0), (0, 1)))
        logits[:, :, : len(whole)] = torch.as_tensor(10 * whole - 5).to(logits)

    @torch.no_grad()
    def _price(self, values: np.ndarray) -> None:
        """Begin at prices for each bidder alone, nearly the same for all others."""
        if self.weights:
            self.weights[-1].mul_(0.1)
            self.biases[-1].zero_()
        middle = np.full((1, (self.n_bidders - 1) * self.n_items), self.unit / 2)
        for i in range(self.n_bidders):
            bundles, _ = self.menus(i, middle)
            own = values[:4096, i] / self.unit
            p = single_prices(bundles[0, 1:], own, 4 if self.n_entries <= 64 else 1)
            self.head[i, 0, : self.n_entries] = torch.as_tensor(p).to(self.head)

    def outputs(
        self, others: Float[Tensor, "n_bidders n_samples n_inputs"]
    ) -> tuple[
        Float[Tensor, "*any n_choices n_items"],
        Float[Tensor, "n_bidders n_samples n_choices"],
    ]:
        """All bidders' menus at once; fixed bundles have no axes of bidder and sample.

        Parameters
        ----------
        others : Tensor, shape (n_bidders, n_samples, (n_bidders - 1) * n_items)
            Of each bidder, the others' values in order, flat.
        """
        n, k, m = self.n_bidders, self.n_entries, self.n_items
        if self.weights:
            x = 2 * others / self.unit - 1
            last = len(self.weights) - 1
            for layer, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
                x = torch.baddbmm(b, x, w)
                x = torch.relu(x) if layer < last else x
            x = x + self.head
        else:
            x = self.head.expand(n, others.shape[1], -1)
        prices = nn.functional.pad(self.unit * x[..., :k], (1, 0))
        if self.fixed is not None:
            return self.fixed, prices
        logits = x[..., k:].unflatten(-1, (k, -1))
        if self.unit_demand:
            bundles = torch.softmax(logits, dim=-1)[..., :m]
        else:
            bundles = torch.sigmoid(logits)
        return nn.functional.pad(bundles, (0, 0, 1, 0)), prices

    def forward(
        self, values: Float[Tensor, "n_samples n_bidders n_items"]
    ) -> tuple[
        Float[Tensor, "*any n_choices n_items"],
        Float[Tensor, "n_bidders n_samples n_choices"],
    ]:
        """Menus at profiles of values; bidder i's does not see her own."""
        n = self.n_bidders
        seen = [[j for j in range(n) if j != i] for i in range(n)]
        others = values[:, seen].permute(1, 0, 2, 3).flatten(2)
        return self.outputs(others)

    @torch.no_grad()
    def menus(
        self, bidder: int, others: np.ndarray | Tensor
    ) -> tuple[np.ndarray | Tensor, np.ndarray | Tensor]:
        """Menu of one bidder at some values of the others, without a gradient.

        Parameters
        ----------
        bidder : int
            From 0.
        others : array or Tensor, shape (n_samples, n_bidders - 1, n_items) or flat
            In the order of bidders; (n_samples, 0) with one bidder.

        Returns
        -------
        bundles : shape (n_samples, n_entries + 1, n_items)
            The empty element first; of the kind of ``others``, an array in float64.
        prices : shape (n_samples, n_entries + 1)

        Raises
        ------
        ValueError
            No such bidder, or values of another shape.
        """
        n_in = (self.n_bidders - 1) * self.n_items
        if not 0 <= bidder < self.n_bidders:
            raise ValueError(
                f"bidder = {bidder}: expected an integer, 0 to {self.n_bidders - 1}"
            )
        size = int(np.prod(others.shape[1:]))
        if size != n_in:
            raise ValueError(
                f"others: {size} values each, expected {self.n_bidders - 1} bidders' "
                f"{self.n_items}"
            )
        x = torch.as_tensor(others).to(self.head).reshape(len(others), n_in)
        x = x.expand(self.n_bidders, -1, -1)
        bundles, prices = self.outputs(x)
        if self.fixed is not None:
            bundles = bundles.expand(len(others), -1, -1)
        else:
            bundles = bundles[bidder]
        if isinstance(others, Tensor):
            return bundles, prices[bidder]
        arrays = [z.double().cpu().numpy() for z in (bundles, prices[bidder])]
        return arrays[0], arrays[1]

    def mechanism(self, bidder: int, told: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What a bidder gets and pays at told profiles, as if nothing could clash."""
        menu = self.menus(bidder, np.delete(told, bidder, axis=1))
        found = hard_choice(*menu, told[:, bidder])
        return found.allocation, found.payment


def _check_bundles(bundles: np.ndarray, n_items: int, unit_demand: bool) -> None:
    if bundles.ndim != 2 or bundles.shape[1] != n_items:
        raise ValueError(
            f"bundles: shape {bundles.shape}, expected (n_entries, {n_items})"
        )
    if (bundles < 0).any() or (bundles > 1).any():
        raise ValueError("bundles: expected probabilities, 0 to 1")
    if unit_demand and (bundles.sum(axis=1) > 1 + 1e-9).any():
        raise ValueError("bundles: expected one item at most in total")


@dataclass(frozen=True)
class MenuOutcome:
    """What a mechanism does at some profiles, bidders choosing hard.

    Attributes
    ----------
    allocation : ndarray, shape (n_profiles, n_bidders, n_items)
        Probabilities; of a network before its repair they may sum to more than 1.
    payments : ndarray, shape (n_profiles, n_bidders)
    """

    allocation: Float[np.ndarray, "n_profiles n_bidders n_items"]
    payments: Float[np.ndarray, "n_profiles n_bidders"]

    @property
    def revenue(self) -> Float[np.ndarray, " n_profiles"]:
        """Of each profile."""
        return self.payments.sum(axis=1)

    @property
    def oversold(self) -> np.ndarray:
        """Whether some item is handed out by more than 1e-6 too often."""
        return (self.allocation.sum(axis=1) > 1 + 1e-6).any(axis=1)


def play(
    net: MenuNetwork,
    values: Float[np.ndarray, "n_profiles n_bidders n_items"],
    chunk: int = 2**16,
) -> MenuOutcome:
    """Hard choices of all bidders at some profiles, as if nothing could clash."""
    allocation, payments = np.empty(values.shape), np.empty(values.shape[:2])
    for begin in range(0, len(values), chunk):
        part = slice(begin, begin + chunk)
        for i in range(net.n_bidders):
            allocation[part, i], payments[part, i] = net.mechanism(i, values[part])
    return MenuOutcome(allocation, payments)
