r"""Updates of a deployed model: rows before and after, and banks trained on both.

A table's training rows stand for two dates: :math:`D_A` before and :math:`D_B` after an
update.  On each a bank of models is trained; those whose loss, on the training rows or
on rows held out, is within :math:`\epsilon` of the best are the empirical Rashomon set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import expit

from econlib.churn.banks import ModelBank, log_loss
from econlib.churn.networks import BankConfig
from econlib.churn.tables import Split

__all__ = [
    "UPDATES",
    "ScoredBank",
    "check_rows",
    "ensemble_labels",
    "rashomon_filter",
    "standardised",
    "train_updates",
    "update_rows",
]

UPDATES = ("grow", "drop", "replace", "redraw", "seed")


def update_rows(
    update: str, n: int, r: float, rng: np.random.Generator
) -> tuple[Int[np.ndarray, " n_a"], Int[np.ndarray, " n_b"]]:
    """Rows before and after an update.

    Parameters
    ----------
    update : {"grow", "drop", "replace", "redraw", "seed"}
        Rows are added (a share ``r`` is there before), rows leave (a share ``r``
        stays), rows make way for others (a share ``r`` stays), both halves are drawn
        apart, or nothing changes but the seed.
    n : int
        Rows available, 2 or more.
    r : float
        Share, (0, 1).
    rng : Generator

    Raises
    ------
    ValueError
        An unknown update, a share out of range, or too few rows.
    """
    if update not in UPDATES:
        raise ValueError(f"update = {update!r}: expected one of {', '.join(UPDATES)}")
    if not 0 < r < 1:
        raise ValueError(f"r = {r}: expected a share in (0, 1)")
    if n < 2:
        raise ValueError(f"n = {n}: expected an integer, 2 or more")
    order = rng.permutation(n)
    some = order[: round(r * n)]
    if update == "grow":
        return some, order
    if update == "drop":
        return order, some
    if update == "replace":
        size = int(n / (2 - r))
        gone = n - size
        return order[:size], order[gone:]
    if update == "redraw":
        return order[: n // 2], order[n // 2 : 2 * (n // 2)]
    return order, order


def rashomon_filter(
    losses: Float[np.ndarray, " m"], eps: float
) -> Bool[np.ndarray, " m"]:
    """Models with a loss within ``eps`` of the best; all where ``eps`` is infinite."""
    if not eps >= 0:
        raise ValueError(f"eps = {eps}: expected 0 or more")
    return losses <= losses.min() + eps


def ensemble_labels(
    logits: Float[np.ndarray, "m n"], k: int, *, vote: bool = False
) -> Int[np.ndarray, "units n"]:
    """Labels of ensembles of k models each, cut from a bank without overlap.

    Parameters
    ----------
    logits : ndarray, shape (m, n)
    k : int
        Members, 1 to m.
    vote : bool
        Whether members vote (odd k); their probabilities are averaged otherwise.
    """
    m = len(logits)
    if not 1 <= k <= m or (vote and k % 2 == 0):
        raise ValueError(f"k = {k}: expected 1 to {m}, odd where members vote")
    groups = logits[: m // k * k].reshape(m // k, k, -1)
    if vote:
        return ((groups > 0).sum(axis=1) > k / 2).astype(np.int64)
    return (expit(groups).mean(axis=1) > 0.5).astype(np.int64)


@dataclass(frozen=True)
class ScoredBank:
    """What a bank says about the test rows.

    Attributes
    ----------
    logits : ndarray, shape (m, n_test)
    losses : ndarray, shape (m,)
        Mean log-loss of each model on its training rows, or on those held out.
    variance : ndarray, shape (m, n_test), or None
        Of sngp at the end of training.
    """

    logits: Float[np.ndarray, "m n_test"]
    losses: Float[np.ndarray, " m"]
    variance: Float[np.ndarray, "m n_test"] | None = None

    @property
    def labels(self) -> Int[np.ndarray, "m n_test"]:
        """Labels, 0 and 1."""
        return (self.logits > 0).astype(np.int64)

    def within(self, eps: float) -> ScoredBank:
        """The empirical Rashomon set: models with a loss within ``eps`` of the best."""
        return self._some(rashomon_filter(self.losses, eps))

    def halves(self, eps: float = np.inf) -> tuple[ScoredBank, ScoredBank]:
        """The set in two parts that share no model: first and second half of the runs.

        A half of which fewer than two models are within ``eps`` keeps its best two.

        Raises
        ------
        ValueError
            Fewer than four models.
        """
        keep, m = rashomon_filter(self.losses, eps), len(self.losses)
        if m < 4:
            raise ValueError(f"{m} models: expected 4 or more to be halved")
        parts = []
        for half in (slice(None, m // 2), slice(m // 2, None)):
            own = np.zeros(m, dtype=bool)
            own[half] = keep[half]
            if own.sum() < 2:
                own[np.argsort(self.losses[half])[:2] + (half.start or 0)] = True
            parts.append(self._some(own))
        return parts[0], parts[1]

    def _some(self, keep: Bool[np.ndarray, " m"]) -> ScoredBank:
        variance = None if self.variance is None else self.variance[keep]
        return ScoredBank(self.logits[keep], self.losses[keep], variance)


def train_updates(
    split: Split,
    config: BankConfig,
    *,
    rs: Sequence[float] = (0.8,),
    m: int = 20,
    twice: bool = False,
    update: str = "grow",
    epochs: Sequence[int] | None = None,
    valid: float = 0.0,
    seed: int = 0,
) -> dict[tuple[float, int], tuple[ScoredBank, ScoredBank]]:
    """Train banks before and after updates of several sizes.

    Parameters
    ----------
    split : Split
        Rows to train on and test rows, encoded.
    config : BankConfig
        Kind of model.
    rs : sequence of float
        Sizes, as in ``update_rows``; one order of the rows serves all.
    m : int
        Models in each bank, 2 or more.
    twice : bool
        Whether banks before the update have 2m models.
    update : str
        As in ``update_rows``.
    epochs : sequence of int, optional
        Epochs after which banks are read; the last one where not given.
    valid : float
        Share of the training rows that is held out for early stopping and for the
        losses, [0, 1); with 0 there is no stopping and losses are of the training.
    seed : int
        Of everything.

    Returns
    -------
    dict
        Bank before and bank after, by size of the update and epochs.

    Raises
    ------
    ValueError
        Fewer than two models, epochs that are not reached, or rows that
        ``check_rows`` refuses.
    """
    epochs = [config.epochs] if epochs is None else list(epochs)
    if m < 2:
        raise ValueError(f"m = {m}: expected an integer, 2 or more")
    if not all(1 <= e <= config.epochs for e in epochs):
        raise ValueError(f"epochs = {epochs}: expected 1 to {config.epochs}")
    if not 0 <= valid < 1 or (valid and epochs != [config.epochs]):
        raise ValueError(f"valid = {valid}: expected [0, 1), 0 where epochs are given")
    check_rows(split.X_train, split.y_train, split.X_test, split.y_test)
    n = len(split.y_train)
    held = np.arange(n) >= n - round(valid * n)  # a split's rows are shuffled
    held_out = (split.X_train[held], split.y_train[held]) if valid else None
    done: dict[tuple, dict[int, ScoredBank]] = {}
    found = {}
    for r in rs:
        rng = np.random.default_rng([seed, 1])
        both = []
        for role, rows in enumerate(update_rows(update, int((~held).sum()), r, rng)):
            key = (role, rows.tobytes())
            if key not in done:
                size = 2 * m if twice and role == 0 else m
                bank = ModelBank(size, config, seed=2 * seed + role)
                done[key] = _trained(bank, split, rows, epochs, held_out)
            both.append(done[key])
        for epoch in epochs:
            found[r, epoch] = both[0][epoch], both[1][epoch]
    return found


def _trained(
    bank: ModelBank,
    split: Split,
    rows: np.ndarray,
    epochs: list[int],
    held_out: tuple[np.ndarray, np.ndarray] | None,
) -> dict[int, ScoredBank]:
    """The bank on the test rows after some epochs."""
    X, y = split.X_train[rows], split.y_train[rows]
    on = (X, y) if held_out is None else held_out
    found = {}

    def read(epoch: int, bank: ModelBank, *, last: bool = False) -> None:
        if epoch in epochs and (last or epoch < bank.config.epochs):
            variance = None
            if last and bank.config.kind == "sngp":
                variance = bank.variance(split.X_test)
            losses = log_loss(bank.logits(on[0]), on[1])
            found[epoch] = ScoredBank(bank.logits(split.X_test), losses, variance)

    bank.fit(X, y, valid=held_out, on_epoch=read)
    read(bank.config.epochs, bank, last=True)
    return found


def check_rows(
    X_train: Float[np.ndarray, "n d"],
    y_train: Int[np.ndarray, " n"],
    X_test: Float[np.ndarray, "k d"],
    y_test: Int[np.ndarray, " k"],
) -> None:
    """Refuse rows that cannot be measured on.

    Raises
    ------
    ValueError
        Missing or infinite values, labels other than 0 and 1, features that are
        constant in training, or test rows cut from the training rows.

    Notes
    -----
    People may share all their features and their label, so that a test row that is
    also a training row is no fault.  A test set of which nine rows in ten recur, while
    fewer than half of the training rows recur among themselves, is one.
    """
    parts = (("train", X_train, y_train), ("test", X_test, y_test))
    for name, X, y in parts:
        if not np.isfinite(X).all():
            raise ValueError(
                f"X_{name}: missing or infinite values; fill or drop them first"
            )
        if not np.isin(y, (0, 1)).all():
            raise ValueError(f"y_{name}: expected labels 0 and 1")
    constant = np.flatnonzero(np.ptp(X_train, axis=0) == 0)
    if len(constant):
        raise ValueError(
            f"X_train: constant features, columns {constant[:5].tolist()}; drop them"
        )
    train = np.column_stack([X_train, y_train])
    test = np.column_stack([X_test, y_test])
    both, where = np.unique(np.concatenate([train, test]), axis=0, return_inverse=True)
    in_train = np.bincount(where[: len(train)], minlength=len(both))
    recurs = (in_train[where[len(train) :]] > 0).mean()
    usual = (in_train[where[: len(train)]] > 1).mean()
    if recurs > 0.9 and usual < 0.5:
        raise ValueError(
            f"X_test: {recurs:.0%} of its rows are training rows too, where "
            f"{usual:.0%} of those recur; expected rows held out"
        )


def standardised(split: Split) -> Split:
    """The split with every column, one-hot ones too, at unit variance, clipped at 10.

    Rare categories then weigh as much as common ones.
    """
    mean, spread = split.X_train.mean(axis=0), split.X_train.std(axis=0)
    train, test = (
        np.clip((X - mean) / spread, -10, 10) for X in (split.X_train, split.X_test)
    )
    return replace(split, X_train=train, X_test=test)
