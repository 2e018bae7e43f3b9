r"""Two kinds of network, many side by side: how they are drawn and what they compute.

The weights of m models are stacked, one model a slice.

*dnn*, two hidden layers of rectifiers;

*sngp*, whose distances are kept and whose head is a Gaussian process in random features
(Liu et al. 2020): residual blocks :math:`h\leftarrow h+\mathrm{ReLU}(\tilde Wh+b)` with
:math:`\tilde W=W\min(1,c/\hat\sigma(W))`, features
:math:`\Phi(h)=\sqrt{2/D}\cos(\Omega h/\ell+\varphi)`, score :math:`f=\Phi\cdot\beta+b`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["KINDS", "SOURCES", "BankConfig", "draw", "features", "scores"]

KINDS = ("dnn", "sngp")
SOURCES = ("both", "init", "order")


@dataclass(frozen=True)
class BankConfig:
    r"""How the models of a bank are built and trained.

    Attributes
    ----------
    kind : {"dnn", "sngp"}
    hidden : int
        Units of a hidden layer.
    epochs : int
        Passes over the data.
    batch : int
        Rows of a mini-batch.
    lr : float
        Of Adam; None takes 1e-3 for dnn and 3e-3 for sngp.
    source : {"both", "init", "order"}
        What the models of a bank draw for themselves.
    rff : int
        Random features :math:`D` of sngp.
    length_scale : float
        :math:`\ell`.
    sn_bound : float
        :math:`c`.
    ridge : float
        :math:`s`, of the precision behind the variance.

    Raises
    ------
    ValueError
        An unknown word, or a number out of range.
    """

    kind: str = "dnn"
    hidden: int = 64
    epochs: int = 8
    batch: int = 128
    lr: float | None = None
    source: str = "both"
    rff: int = 128
    length_scale: float = 8.0
    sn_bound: float = 0.95
    ridge: float = 1.0

    def __post_init__(self) -> None:
        for name, allowed in (("kind", KINDS), ("source", SOURCES)):
            value = getattr(self, name)
            if value not in allowed:
                raise ValueError(
                    f"{name} = {value!r}: expected one of {', '.join(allowed)}"
                )
        for name in ("hidden", "epochs", "batch", "rff"):
            value = getattr(self, name)
            if value < 1:
                raise ValueError(f"{name} = {value}: expected an integer, 1 or more")
        for name in ("rate", "length_scale", "sn_bound", "ridge"):
            value = getattr(self, name)
            if not value > 0:
                name = "lr" if name == "rate" else name
                raise ValueError(f"{name} = {value}: expected a number above 0")

    @property
    def rate(self) -> float:
        """Learning rate."""
        return self.lr if self.lr is not None else 3e-3 if self.kind == "sngp" else 1e-3


def draw(
    config: BankConfig, m: int, d: int, rng: torch.Generator
) -> tuple[list[Tensor], list[Tensor]]:
    """First weights of m models with d features, and what training does not move.

    Returns
    -------
    weights : list of Tensor, shapes (m, n_in, n_out) and (m, 1, n_out) in turn
    fixed : list of Tensor
        Of sngp: frequencies, phases, and one probe a block for power iterations.
    """
    each = 1 if config.source == "order" else m
    h, D = config.hidden, config.rff

    def uniform(n_in: int, n_out: int, scale: float) -> tuple[Tensor, Tensor]:
        w = (2 * torch.rand(each, n_in, n_out, generator=rng) - 1) * scale
        return w, (2 * torch.rand(each, 1, n_out, generator=rng) - 1) * scale

    if config.kind == "dnn":
        layers = [uniform(a, b, a**-0.5) for a, b in ((d, h), (h, h), (h, 1))]
        fixed = []
    else:
        first = torch.randn(each, d, h, generator=rng) * d**-0.5
        blocks = [uniform(h, h, h**-0.5) for _ in range(2)]
        head = torch.zeros(each, D, 1), torch.zeros(each, 1, 1)
        layers = [(first, torch.zeros(each, 1, h)), *blocks, head]
        omega = torch.randn(each, h, D, generator=rng) / config.length_scale
        phase = 2 * math.pi * torch.rand(each, 1, D, generator=rng)
        fixed = [omega, phase]
        fixed += [torch.randn(each, 1, h, generator=rng) for _ in blocks]
    weights = [w for pair in layers for w in pair]
    if each < m:
        weights, fixed = ([w.repeat(m, 1, 1) for w in x] for x in (weights, fixed))
    return weights, fixed


def features(
    config: BankConfig, weights: list[Tensor], fixed: list[Tensor], X: Tensor
) -> Tensor:
    """Last hidden layer of dnn, or random features of sngp, shape (m, n, width).

    While weights are being trained, each call moves the probes one power iteration.
    """
    w = weights
    h = torch.baddbmm(w[1], X, w[0])
    if config.kind == "dnn":
        return torch.relu(torch.baddbmm(w[3], torch.relu(h), w[2]))
    for k in (0, 1):
        W = _bounded(config.sn_bound, w[2 + 2 * k], fixed, 2 + k)
        h = h + torch.relu(torch.baddbmm(w[3 + 2 * k], h, W))
    omega, phase = fixed[:2]
    return math.sqrt(2 / config.rff) * torch.cos(torch.baddbmm(phase, h, omega))


def scores(
    config: BankConfig, weights: list[Tensor], fixed: list[Tensor], X: Tensor
) -> Tensor:
    """Scores of all models, shape (m, n)."""
    # a sum, since products with one column are slow
    out = (features(config, weights, fixed, X) * weights[-2].mT).sum(2)
    return out + weights[-1][..., 0]


def _bounded(bound: float, W: Tensor, fixed: list[Tensor], probe: int) -> Tensor:
    """Weights scaled to a largest singular value of about ``bound``."""
    with torch.no_grad():
        u = fixed[probe]
        v = functional.normalize((W * u.mT).sum(1, keepdim=True), dim=2)
        if W.requires_grad:  # one power iteration a step, none once trained
            u = functional.normalize((W * v).sum(2)[:, None], dim=2)
            fixed[probe] = u
    sigma = (W * (u.mT * v)).sum((1, 2), keepdim=True)
    return W * torch.clamp(bound / sigma, max=1.0)
