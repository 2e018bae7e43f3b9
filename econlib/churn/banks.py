r"""Banks of networks trained in lockstep: many runs of one randomised procedure.

The models of a bank share their data and differ in what the procedure draws: first
weights, order of mini-batches, or both.  Their weights are stacked, one model a slice,
so that a step of all is a few batched products.  Two kinds:

*dnn*, two hidden layers of rectifiers;

*sngp*, whose distances are kept and whose head is a Gaussian process in random features
(Liu et al. 2020): residual blocks :math:`h\leftarrow h+\mathrm{ReLU}(\tilde Wh+b)` with
:math:`\tilde W=W\min(1,c/\hat\sigma(W))`, features
:math:`\Phi(h)=\sqrt{2/D}\cos(\Omega h/\ell+\varphi)`, score :math:`f=\Phi\cdot\beta+b`,
and variance :math:`v=\Phi^\top(sI+\sum_ip_i(1-p_i)\Phi_i\Phi_i^\top)^{-1}\Phi`.  The
mean-field probability :math:`\sigma(f/\sqrt{1+\pi v/8})` never changes the sign of
:math:`f`, so that at threshold one half the variance alone cannot change a label.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

__all__ = ["KINDS", "SOURCES", "BankConfig", "ModelBank", "mean_field"]

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
        :math:`s`.
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
            if getattr(self, name) < 1:
                value = getattr(self, name)
                raise ValueError(f"{name} = {value}: expected an integer, 1 or more")
        for name in ("length_scale", "sn_bound", "ridge"):
            if not getattr(self, name) > 0:
                value = getattr(self, name)
                raise ValueError(f"{name} = {value}: expected a number above 0")

    @property
    def rate(self) -> float:
        """Learning rate."""
        return self.lr if self.lr is not None else 3e-3 if self.kind == "sngp" else 1e-3


class ModelBank:
    """Models of one procedure, trained side by side.

    Parameters
    ----------
    m : int
        Models, 1 or more.
    config : BankConfig
    seed : int
        Of everything that is drawn.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((200, 3))
    >>> bank = ModelBank(4, BankConfig(hidden=8, epochs=2), seed=1)
    >>> bank.fit(X, (X[:, 0] > 0).astype(int)).labels(X).shape
    (4, 200)
    """

    def __init__(
        self, m: int, config: BankConfig | None = None, *, seed: int = 0
    ) -> None:
        if m < 1:
            raise ValueError(f"m = {m}: expected an integer, 1 or more")
        self.m, self.seed = m, seed
        self.config = BankConfig() if config is None else config
        self.weights: list[Tensor] = []
        self._fixed: list[Tensor] = []
        self._precision: Tensor | None = None

    def _draw(self, d: int, rng: torch.Generator) -> None:
        c, m = self.config, 1 if self.config.source == "order" else self.m
        h = c.hidden

        def uniform(n_in: int, n_out: int, scale: float) -> tuple[Tensor, Tensor]:
            w = (2 * torch.rand(m, n_in, n_out, generator=rng) - 1) * scale
            return w, (2 * torch.rand(m, 1, n_out, generator=rng) - 1) * scale

        if c.kind == "dnn":
            layers = [uniform(a, b, a**-0.5) for a, b in ((d, h), (h, h), (h, 1))]
            self._fixed = []
        else:
            first = torch.randn(m, d, h, generator=rng) * d**-0.5
            blocks = [uniform(h, h, h**-0.5) for _ in range(2)]
            head = torch.zeros(m, c.rff, 1), torch.zeros(m, 1, 1)
            layers = [(first, torch.zeros(m, 1, h)), *blocks, head]
            omega = torch.randn(m, h, c.rff, generator=rng) / c.length_scale
            phase = 2 * math.pi * torch.rand(m, 1, c.rff, generator=rng)
            probes = [torch.randn(m, 1, h, generator=rng) for _ in blocks]
            self._fixed = [omega, phase, *probes]
        self.weights = [w for pair in layers for w in pair]
        if m < self.m:
            self.weights = [w.repeat(self.m, 1, 1) for w in self.weights]
            self._fixed = [w.repeat(self.m, 1, 1) for w in self._fixed]
        self.weights = [w.contiguous().requires_grad_() for w in self.weights]

    def _bounded(self, W: Tensor, probe: int) -> Tensor:
        """Weights scaled to a largest singular value of about ``sn_bound``."""
        with torch.no_grad():
            u = self._fixed[probe]
            v = functional.normalize(torch.bmm(u, W), dim=2)
            if W.requires_grad:  # one power iteration a step, none once trained
                u = functional.normalize(torch.bmm(v, W.mT), dim=2)
                self._fixed[probe] = u
        sigma = torch.bmm(torch.bmm(u, W), v.mT)
        return W * torch.clamp(self.config.sn_bound / sigma, max=1.0)

    def _features(self, X: Tensor) -> Tensor:
        """Last hidden layer, or random features."""
        w = self.weights
        h = torch.baddbmm(w[1], X, w[0])
        if self.config.kind == "dnn":
            return torch.relu(torch.baddbmm(w[3], torch.relu(h), w[2]))
        for k in (0, 1):
            W = self._bounded(w[2 + 2 * k], 2 + k)
            h = h + torch.relu(torch.baddbmm(w[3 + 2 * k], h, W))
        omega, phase = self._fixed[:2]
        return math.sqrt(2 / self.config.rff) * torch.cos(
            torch.baddbmm(phase, h, omega)
        )

    def _scores(self, X: Tensor) -> Tensor:
        return torch.baddbmm(self.weights[-1], self._features(X), self.weights[-2])

    def fit(
        self,
        X: Float[np.ndarray, "n d"],
        y: Int[np.ndarray, " n"],
        *,
        teacher: Float[np.ndarray, "m n"] | None = None,
        distil: float = 0.0,
        start: ModelBank | None = None,
        anchor: float = 0.0,
    ) -> ModelBank:
        r"""Train all models.

        Parameters
        ----------
        X : ndarray, shape (n, d)
            Features, finite.
        y : ndarray of int, shape (n,)
            Labels, 0 and 1, both present.
        teacher : ndarray, shape (m, n), optional
            Probabilities of the deployed models, one for each model here.
        distil : float
            Weight :math:`\lambda` of the teacher: the loss is
            :math:`(1-\lambda)\,\mathrm{BCE}(f,y)+\lambda\,\mathrm{BCE}(f,p)`, [0, 1].
        start : ModelBank, optional
            Models whose weights are the first ones.
        anchor : float
            Price of the mean squared distance of weights from those of ``start``.

        Returns
        -------
        ModelBank
            Itself.

        Raises
        ------
        ValueError
            Missing or infinite values, labels other than two, constant labels, or a
            teacher or a start that does not fit.
        """
        X, y = _checked(X, y)
        if not 0 <= distil <= 1 or (distil and teacher is None):
            raise ValueError(f"distil = {distil}: expected [0, 1], with a teacher")
        if anchor < 0 or (anchor and start is None):
            raise ValueError(f"anchor = {anchor}: expected 0 or more, with a start")
        rng = torch.Generator().manual_seed(self.seed)
        n, d = X.shape
        data = torch.tensor(X, dtype=torch.float32)
        target = torch.tensor(y, dtype=torch.float32).expand(self.m, n)
        if distil:
            if teacher.shape != (self.m, n):
                raise ValueError(
                    f"teacher: shape {teacher.shape}, expected {self.m, n}"
                )
            soft = torch.tensor(teacher, dtype=torch.float32)
            target = (1 - distil) * target + distil * soft
        self._draw(d, rng)
        if start is not None:
            self._copy(start)
        anchors = [w.detach().clone() for w in self.weights]
        c = self.config
        optimiser = torch.optim.Adam(self.weights, lr=c.rate)
        own = self.m if c.source != "init" else 1
        for _ in range(c.epochs):
            order = torch.rand(own, n, generator=rng).argsort(1).expand(self.m, n)
            for first in range(0, n, c.batch):
                rows = order[:, first : first + c.batch]
                scores = self._scores(data[rows])[..., 0]
                goal = torch.gather(target, 1, rows)
                loss = functional.binary_cross_entropy_with_logits(scores, goal)
                loss = loss * self.m  # mean within a model, sum over models
                if anchor:
                    away = zip(self.weights, anchors, strict=True)
                    loss = loss + anchor * sum(((w - a) ** 2).sum() for w, a in away)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
        self.weights = [w.detach() for w in self.weights]
        self._precision = self._laplace(data) if c.kind == "sngp" else None
        return self

    def _copy(self, start: ModelBank) -> None:
        shapes = [w.shape for w in start.weights]
        if shapes != [w.shape for w in self.weights]:
            raise ValueError("start: expected trained models of the same shapes")
        self.weights = [w.detach().clone().requires_grad_() for w in start.weights]
        self._fixed = [w.clone() for w in start._fixed]

    @torch.no_grad()
    def _laplace(self, data: Tensor) -> Tensor:
        """Precision of the head's weights, one exact pass."""
        D = self.config.rff
        total = (self.config.ridge * torch.eye(D)).repeat(self.m, 1, 1)
        for block in data.split(2048):
            Φ = self._features(block.expand(self.m, *block.shape))
            p = torch.sigmoid(torch.baddbmm(self.weights[-1], Φ, self.weights[-2]))
            total += torch.bmm((p * (1 - p) * Φ).mT, Φ)
        return total

    def _trained(self) -> None:
        if not self.weights or self.weights[0].requires_grad:
            raise ValueError("the bank has not been fitted")

    @torch.no_grad()
    def logits(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "m n"]:
        """Scores of all models; a label is 1 where the score is positive."""
        self._trained()
        data = torch.tensor(X, dtype=torch.float32)
        parts = [
            self._scores(b.expand(self.m, *b.shape))[..., 0] for b in data.split(4096)
        ]
        return torch.cat(parts, dim=1).numpy().astype(float)

    def labels(self, X: Float[np.ndarray, "n d"]) -> Int[np.ndarray, "m n"]:
        """Labels of all models, 0 and 1."""
        return (self.logits(X) > 0).astype(np.int64)

    @torch.no_grad()
    def variance(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "m n"]:
        """Variance of the score, of sngp only."""
        self._trained()
        if self._precision is None:
            raise ValueError("kind = 'dnn': only sngp has a variance")
        root = torch.linalg.cholesky(self._precision)
        data, parts = torch.tensor(X, dtype=torch.float32), []
        for block in data.split(4096):
            Φ = self._features(block.expand(self.m, *block.shape))
            half = torch.linalg.solve_triangular(root, Φ.mT, upper=False)
            parts.append((half**2).sum(1))
        return torch.cat(parts, dim=1).numpy().astype(float)

    def part(self, models: slice) -> ModelBank:
        """Some of the trained models as a bank of their own."""
        self._trained()
        weights = [w[models] for w in self.weights]
        found = ModelBank(len(weights[0]), replace(self.config), seed=self.seed)
        found.weights, found._fixed = weights, [w[models] for w in self._fixed]
        precision = self._precision
        found._precision = None if precision is None else precision[models]
        return found


def _checked(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    X, y = np.asarray(X, dtype=float), np.asarray(y)
    if X.ndim != 2 or y.shape != X.shape[:1]:
        raise ValueError(f"X, y: shapes {X.shape}, {y.shape}, expected (n, d), (n,)")
    if not np.isfinite(X).all():
        raise ValueError("X: missing or infinite values; fill or drop them first")
    if not np.isin(y, (0, 1)).all():
        raise ValueError("y: expected labels 0 and 1")
    if len(np.unique(y)) < 2:
        raise ValueError("y: only one label; expected both")
    constant = np.ptp(X, axis=0) == 0
    if constant.all():
        raise ValueError("X: every feature is constant")
    return X, y


def mean_field(
    logits: Float[np.ndarray, "m n"], variance: Float[np.ndarray, "m n"]
) -> Float[np.ndarray, "m n"]:
    r"""Probability :math:`\sigma(f/\sqrt{1+\pi v/8})` under a normal score."""
    from scipy.special import expit

    return expit(logits / np.sqrt(1 + np.pi * variance / 8))
