r"""Networks that learn the senders' utilities: continuous, affine with jumps, and more.

A profile's utilities jump where the receiver changes her mind and are multilinear in
between.  Three networks take the rules as they are, one row of numbers:

* *ReLU*, continuous and affine on its pieces;
* *DeLU*, the same with a bias that depends on the piece, so that it can jump:
  :math:`\hat u=\eta(x)+\zeta(p(x))`, :math:`p(x)` the pattern of active units;
* *DNL*, whose pattern makes all the weights of a smooth head,
  :math:`\hat u=V(e)\,\phi\big(W(e)h(x)+b(e)\big)+c(e)`, :math:`e=\tanh(Ap(x)+a)`: jumps
  between pieces, curved on each.

The pattern carries no gradient; the head acts on :math:`h(x)`, so that the trunk is
trained all the same.  Each of the three can also be *shared*: utilities are a sum over
joint signals of one function of the masses :math:`x_s`, so that one small network is
applied to every normalised :math:`x_s` and weighted by what it weighs.

The *gated multilinear* network goes one step further and knows the class of the truth:
virtual actions :math:`k` win by :math:`z_s=\bar x_sL`, and pay :math:`C_i`,

.. math::

   \hat u_i=\sum_s\sum_kg_{sk}\,\langle x_s,C_{i\cdot k}\rangle,\qquad
   g_s=\text{one-hot}(\arg\max z_s)\ \text{or}\ \mathrm{softmax}(\beta z_s).

Gates are soft while it is fitted and while rules climb, hard where it is judged.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from econlib.persuasion.games import check_distribution, check_integer

__all__ = ["DNL", "DeLU", "Flat", "GatedMultilinear", "ReLUNet", "Shared"]


def _check_sizes(**sizes: int) -> None:
    for name, n in sizes.items():
        check_integer(name, n)


def _seeded(module: nn.Module, seed: int) -> None:
    """Weights and biases of all linear layers from one seed, uniform by fan-in."""
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, nn.Linear):
                bound = 1 / math.sqrt(layer.in_features)
                for w in layer.parameters():
                    w.uniform_(-bound, bound, generator=source)


class ReLUNet(nn.Module):
    """Two hidden layers of rectified units.

    Parameters
    ----------
    n_in, n_out : int
        Numbers in and out.
    width : int
        Units of each hidden layer, 1 or more.
    seed : int
        Of the first weights.
    """

    def __init__(self, n_in: int, n_out: int, width: int = 270, seed: int = 0) -> None:
        super().__init__()
        _check_sizes(n_in=n_in, n_out=n_out, width=width)
        self.layers = nn.Sequential(
            nn.Linear(n_in, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, n_out),
        )
        _seeded(self, seed)

    def forward(self, x: Float[Tensor, "*batch n_in"]) -> Float[Tensor, "*batch n_out"]:
        """Outputs for a batch."""
        return self.layers(x)


class _Trunk(nn.Module):
    """Two rectified layers: their output, and the pattern of active units."""

    def __init__(self, n_in: int, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(n_in, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z1 = self.first(x)
        z2 = self.second(z1.relu())
        pattern = torch.cat([z1, z2], dim=-1).detach() > 0
        return z2.relu(), pattern.to(x.dtype)


class DeLU(nn.Module):
    """Rectified units, and a bias by their pattern (Wang et al. 2023).

    Parameters
    ----------
    n_in, n_out : int
        Numbers in and out.
    width : int
        Units of each of the trunk's two layers, 1 or more.
    n_bias : int
        Units of the layer that turns a pattern into a bias, 1 or more.
    seed : int
        Of the first weights.
    """

    def __init__(
        self, n_in: int, n_out: int, width: int = 128, n_bias: int = 220, seed: int = 0
    ) -> None:
        super().__init__()
        _check_sizes(n_in=n_in, n_out=n_out, width=width, n_bias=n_bias)
        self.trunk = _Trunk(n_in, width)
        self.out = nn.Linear(width, n_out, bias=False)
        self.bias = nn.Sequential(
            nn.Linear(2 * width, n_bias), nn.Tanh(), nn.Linear(n_bias, n_out)
        )
        _seeded(self, seed)

    def forward(self, x: Float[Tensor, "*batch n_in"]) -> Float[Tensor, "*batch n_out"]:
        """Outputs for a batch."""
        h, pattern = self.trunk(x)
        return self.out(h) + self.bias(pattern)


_SMOOTH = {
    "tanh": torch.tanh,
    "square": torch.square,
    "softplus": nn.functional.softplus,
}


class DNL(nn.Module):
    """Discontinuous and non-linear: the pattern makes a smooth head's weights.

    Parameters
    ----------
    n_in, n_out : int
        Numbers in and out.
    width : int
        Units of each of the trunk's two layers, and of the layer that reads a pattern;
        1 or more.
    head : int
        Units of the head, 1 or more.
    smooth : {"tanh", "square", "softplus"}
        The head's non-linearity.
    seed : int
        Of the first weights.
    without : {"", "pattern", "trunk"}
        What is left out: the pattern, so that one smooth head serves all of them, or
        the rectified units under the head, which then sees the inputs; no gradient
        reaches the trunk in that case.

    Raises
    ------
    ValueError
        An unknown non-linearity or part, or a size below 1.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        width: int = 64,
        head: int = 16,
        smooth: str = "square",
        seed: int = 0,
        without: str = "",
    ) -> None:
        super().__init__()
        for name, value, known in (
            ("smooth", smooth, tuple(_SMOOTH)),
            ("without", without, ("", "pattern", "trunk")),
        ):
            if value not in known:
                listed = ", ".join(filter(None, known))
                raise ValueError(f"{name} = {value!r}: expected one of {listed}")
        _check_sizes(n_in=n_in, n_out=n_out, width=width, head=head)
        self.n_out, self.head, self.smooth = n_out, head, smooth
        self.without = without
        self.trunk = _Trunk(n_in, width)
        self.read = nn.Linear(2 * width, width)
        n_under = n_in if without == "trunk" else width
        # weights, biases, output weights and output biases of the head
        self.parts = [head * n_under, head, n_out * head, n_out]
        self.make = nn.Linear(width, sum(self.parts))
        _seeded(self, seed)
        # made weights start near one common head, so that all patterns learn together
        W, b, V, c = torch.split(self.make.weight.data, self.parts)
        W0, b0, V0, c0 = torch.split(self.make.bias.data, self.parts)
        source = torch.Generator().manual_seed(seed + 1)
        with torch.no_grad():
            W.normal_(0, 0.3 / math.sqrt(width * n_under), generator=source)
            V.normal_(0, 0.3 / math.sqrt(width * head), generator=source)
            W0.normal_(0, 1 / math.sqrt(n_under), generator=source)
            V0.normal_(0, 1 / math.sqrt(head), generator=source)
            for rest in (b0, c0):
                rest.zero_()
            for rest in (b, c):
                rest.mul_(0.3)

    def forward(self, x: Float[Tensor, "*batch n_in"]) -> Float[Tensor, "*batch n_out"]:
        """Outputs for a batch."""
        h, pattern = self.trunk(x)
        if self.without == "pattern":
            pattern = torch.zeros_like(pattern)
        if self.without == "trunk":
            h = x
        made = self.make(torch.tanh(self.read(pattern)))
        W, b, V, c = torch.split(made, self.parts, dim=-1)
        y = (W.unflatten(-1, (self.head, h.shape[-1])) @ h[..., None])[..., 0] + b
        y = _SMOOTH[self.smooth](y)
        return (V.unflatten(-1, (self.n_out, self.head)) @ y[..., None])[..., 0] + c


class Flat(nn.Module):
    """A network on all rules written one after the other.

    Parameters
    ----------
    core : Module
        Takes n_senders * n_states * n_signals numbers, gives n_senders.
    """

    def __init__(self, core: nn.Module) -> None:
        super().__init__()
        self.core = core

    def forward(
        self, rules: Float[Tensor, "batch n_senders n_states k"]
    ) -> Float[Tensor, "batch n_senders"]:
        """Utilities of profiles."""
        return self.core(rules.flatten(1))


class Shared(nn.Module):
    """One network for every joint signal, weighted by how often it comes.

    Parameters
    ----------
    core : Module
        Takes n_states numbers, a posterior; gives n_senders.
    prior : ndarray, shape (n_states,)
        Of the states, which this network must know.
    """

    def __init__(self, core: nn.Module, prior: Float[np.ndarray, " n_states"]) -> None:
        super().__init__()
        self.core = core
        prior = check_distribution("prior", prior)
        self.register_buffer("prior", torch.as_tensor(prior, dtype=torch.float32))

    def forward(
        self, rules: Float[Tensor, "batch n_senders n_states k"]
    ) -> Float[Tensor, "batch n_senders"]:
        """Utilities of profiles."""
        masses = _masses(rules, self.prior)
        weight = masses.sum(dim=2, keepdim=True)
        return (weight * self.core(masses / (weight + 1e-9))).sum(dim=1)


class GatedMultilinear(nn.Module):
    """Virtual actions with linear scores, and payoffs that are linear in the masses.

    Parameters
    ----------
    n_senders : int
        Utilities.
    prior : ndarray, shape (n_states,)
        Of the states.
    n_virtual : int
        Virtual actions, 1 or more; as many as the receiver's are enough, more make the
        fit easy.
    seed : int
        Of the first weights.

    Attributes
    ----------
    beta : float
        Sharpness of the gates; infinite for hard ones.

    Raises
    ------
    ValueError
        A number below 1, or a prior that is no distribution.
    """

    def __init__(
        self,
        n_senders: int,
        prior: Float[np.ndarray, " n_states"],
        n_virtual: int = 24,
        seed: int = 0,
    ) -> None:
        super().__init__()
        _check_sizes(n_senders=n_senders, n_virtual=n_virtual)
        prior = check_distribution("prior", prior)
        source = torch.Generator().manual_seed(seed)
        m = len(prior)
        self.scores = nn.Parameter(torch.randn(m, n_virtual, generator=source))
        self.payoffs = nn.Parameter(
            0.3 * torch.randn(n_senders, m, n_virtual, generator=source)
        )
        self.register_buffer("prior", torch.as_tensor(prior, dtype=torch.float32))
        self.beta = math.inf

    def forward(
        self, rules: Float[Tensor, "batch n_senders n_states k"]
    ) -> Float[Tensor, "batch n_senders"]:
        """Utilities of profiles, with gates as sharp as ``beta``."""
        masses = _masses(rules, self.prior)
        z = masses / (masses.sum(dim=2, keepdim=True) + 1e-9) @ self.scores
        if math.isinf(self.beta):
            gate = nn.functional.one_hot(z.argmax(dim=2), z.shape[2]).to(z.dtype)
        else:
            gate = torch.softmax(self.beta * z, dim=2)
        # by state and virtual action what is paid, whatever the joint signal
        paid = torch.einsum("bsw,bsk->bwk", masses, gate).flatten(1)
        return paid @ self.payoffs.flatten(1).T


def _masses(rules: Tensor, prior: Tensor) -> Tensor:
    x = prior.to(rules.dtype).expand(len(rules), 1, -1)
    for i in range(rules.shape[1]):
        x = (x[:, :, None] * rules[:, i].mT[:, None]).flatten(1, 2)
    return x
