r"""Banks of networks trained in lockstep: many runs of one randomised procedure.

The models of a bank share their data and differ in what the procedure draws: first
weights, order of mini-batches, or both.  Their weights are stacked, one model a slice,
so that a step of all is a few batched products.  The kinds of network are those of
:mod:`econlib.churn.networks`; *sngp* also has a variance of its score,
:math:`v=\Phi^\top(sI+\sum_ip_i(1-p_i)\Phi_i\Phi_i^\top)^{-1}\Phi`.  The mean-field
probability :math:`\sigma(f/\sqrt{1+\pi v/8})` never changes the sign of :math:`f`, so
that at threshold one half the variance alone cannot change a label.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.special import expit
from torch import Tensor
from torch.nn import functional

from econlib.churn.networks import BankConfig, draw, features, scores

__all__ = ["ModelBank", "log_loss", "mean_field"]

_BLOCK = 2048  # rows in one product once trained


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

    def fit(
        self,
        X: Float[np.ndarray, "n d"],
        y: Int[np.ndarray, " n"],
        *,
        valid: tuple[np.ndarray, np.ndarray] | None = None,
        rows: Int[np.ndarray, "m k"] | None = None,
        teacher: Float[np.ndarray, "m n"] | None = None,
        distil: float = 0.0,
        start: ModelBank | None = None,
        anchor: float = 0.0,
        on_epoch: Callable[[int, ModelBank], None] | None = None,
    ) -> ModelBank:
        r"""Train all models.

        Parameters
        ----------
        X : ndarray, shape (n, d)
            Features, finite.
        y : ndarray of int, shape (n,)
            Labels, 0 and 1, both present.
        valid : (X, y), optional
            Rows held out: each model keeps the weights of the epoch at which its loss
            there was least.
        rows : ndarray of int, shape (m, k), optional
            The rows that each model is trained on; all where not given.
        teacher : ndarray, shape (m, n), optional
            Probabilities of the deployed models, one for each model here.
        distil : float
            Weight :math:`\lambda` of the teacher, [0, 1]: cross-entropy against the
            labels counts :math:`1-\lambda`, against the teacher :math:`\lambda`.
        start : ModelBank, optional
            Models whose weights are the first ones.
        anchor : float
            Price of the squared distance of weights from those of ``start``.
        on_epoch : callable, optional
            Called with the number of epochs done and the bank, after each.

        Returns
        -------
        ModelBank
            Itself.

        Raises
        ------
        ValueError
            Missing or infinite values, labels other than two, constant labels, or
            rows, a teacher or a start that do not fit.
        """
        X, y = _checked(X, y)
        n, d = X.shape
        if not 0 <= distil <= 1 or (distil and teacher is None):
            raise ValueError(f"distil = {distil}: expected [0, 1], with a teacher")
        if anchor < 0 or (anchor and start is None):
            raise ValueError(f"anchor = {anchor}: expected 0 or more, with a start")
        if rows is not None and (
            rows.ndim != 2 or len(rows) != self.m or not np.isin(rows, range(n)).all()
        ):
            raise ValueError(f"rows: expected {self.m} lists of numbers, 0 to {n - 1}")
        rng = torch.Generator().manual_seed(self.seed)
        data = torch.tensor(X, dtype=torch.float32)
        target = torch.tensor(y, dtype=torch.float32).expand(self.m, n)
        if distil:
            if teacher.shape != (self.m, n):
                raise ValueError(
                    f"teacher: shape {teacher.shape}, expected {self.m, n}"
                )
            soft = torch.tensor(teacher, dtype=torch.float32)
            target = (1 - distil) * target + distil * soft
        first, self._fixed = draw(self.config, self.m, d, rng)
        if start is not None:
            first = _like(start.weights, first)
            self._fixed = [w.clone() for w in start._fixed]
        self.weights = [w.contiguous().requires_grad_() for w in first]
        anchors = [w.detach().clone() for w in self.weights]
        own = torch.arange(n).expand(self.m, n) if rows is None else torch.tensor(rows)
        optimiser = torch.optim.Adam(self.weights, lr=self.config.rate, fused=True)
        best, kept = np.full(self.m, np.inf), None
        for epoch in range(1, self.config.epochs + 1):
            for which in self._batches(own, rng):
                goal = torch.gather(target, 1, which)
                loss = functional.binary_cross_entropy_with_logits(
                    scores(self.config, self.weights, self._fixed, data[which]), goal
                )
                loss = loss * self.m  # mean within a model, sum over models
                if anchor:
                    away = zip(self.weights, anchors, strict=True)
                    loss = loss + anchor * sum(((w - a) ** 2).sum() for w, a in away)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
            if on_epoch is not None or valid is not None:
                bank = self._now()
            if on_epoch is not None:
                on_epoch(epoch, bank)
            if valid is not None:
                losses = log_loss(bank.logits(valid[0]), valid[1])
                kept = _better(kept, bank, losses < best)
                best = np.minimum(best, losses)
        done = self._now() if kept is None else kept
        self.weights, self._fixed = done.weights, done._fixed
        self._precision = self._laplace(data) if self.config.kind == "sngp" else None
        return self

    def _batches(self, own: Tensor, rng: torch.Generator) -> list[Tensor]:
        """Rows of each mini-batch of one epoch, for each model."""
        m, n = own.shape
        each = m if self.config.source != "init" else 1
        order = torch.rand(each, n, generator=rng).argsort(1).expand(m, n)
        return list(torch.gather(own, 1, order).split(self.config.batch, dim=1))

    def _now(self) -> ModelBank:
        """The models as they are, cut from training."""
        found = ModelBank(self.m, self.config, seed=self.seed)
        found.weights = [w.detach().clone() for w in self.weights]
        found._fixed = [w.clone() for w in self._fixed]
        return found

    @torch.no_grad()
    def _laplace(self, data: Tensor) -> Tensor:
        """Precision of the head's weights, one exact pass."""
        total = (self.config.ridge * torch.eye(self.config.rff)).repeat(self.m, 1, 1)
        for block in data.split(_BLOCK):
            Φ = self._features(block)
            p = torch.sigmoid(torch.baddbmm(self.weights[-1], Φ, self.weights[-2]))
            total += torch.bmm((p * (1 - p) * Φ).mT, Φ)
        return total

    def _features(self, data: Tensor) -> Tensor:
        X = data.expand(self.m, *data.shape)
        return features(self.config, self.weights, self._fixed, X)

    def _trained(self) -> None:
        if not self.weights or self.weights[0].requires_grad:
            raise ValueError("the bank has not been fitted")

    @torch.no_grad()
    def logits(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "m n"]:
        """Scores of all models; a label is 1 where the score is positive."""
        self._trained()
        data = torch.tensor(X, dtype=torch.float32)
        parts = [
            scores(self.config, self.weights, self._fixed, b.expand(self.m, *b.shape))
            for b in data.split(_BLOCK)
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
        for block in data.split(_BLOCK):
            Φ = self._features(block)
            half = torch.linalg.solve_triangular(root, Φ.mT, upper=False)
            parts.append((half**2).sum(1))
        return torch.cat(parts, dim=1).numpy().astype(float)


def _like(found: list[Tensor], first: list[Tensor]) -> list[Tensor]:
    if [w.shape for w in found] != [w.shape for w in first]:
        raise ValueError("start: expected trained models of the same shapes")
    return [w.detach().clone() for w in found]


def _better(kept: ModelBank | None, bank: ModelBank, better: np.ndarray) -> ModelBank:
    """Models that have improved in place of those kept so far."""
    if kept is None:
        return bank
    which = torch.tensor(better)[:, None, None]
    for old, new in ((kept.weights, bank.weights), (kept._fixed, bank._fixed)):
        old[:] = [torch.where(which, b, a) for a, b in zip(old, new, strict=True)]
    return kept


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
    if (np.ptp(X, axis=0) == 0).all():
        raise ValueError("X: every feature is constant")
    return X, y


def log_loss(
    logits: Float[np.ndarray, "m n"], y: Int[np.ndarray, " n"]
) -> Float[np.ndarray, " m"]:
    """Mean negative log-likelihood of each model's scores, in nats."""
    return np.logaddexp(0, -(2 * y - 1) * logits).mean(axis=1)


def mean_field(
    logits: Float[np.ndarray, "m n"], variance: Float[np.ndarray, "m n"]
) -> Float[np.ndarray, "m n"]:
    r"""Probability :math:`\sigma(f/\sqrt{1+\pi v/8})` under a normal score."""
    return expit(logits / np.sqrt(1 + np.pi * variance / 8))
