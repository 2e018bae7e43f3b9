r"""Updates of a deployed model, and what is measured on them.

A table's training rows stand for two dates: :math:`D_A` before and :math:`D_B` after an
update.  On each a bank of models is trained; those whose *training* loss is within
:math:`\epsilon` of the best are the empirical Rashomon set.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from econlib.churn.banks import BankConfig, ModelBank
from econlib.churn.measures import (
    ChurnDecomposition,
    ambiguity,
    baseline_churn,
    churn,
    discrepancy,
    expected_churn,
    overlap,
    unstable,
)
from econlib.churn.tables import Split

__all__ = ["UPDATES", "Update", "ensemble_labels", "rashomon_filter", "run_update"]

UPDATES = ("grow", "drop", "redraw", "seed")


def update_rows(
    update: str, n: int, r: float, rng: np.random.Generator
) -> tuple[Int[np.ndarray, " n_a"], Int[np.ndarray, " n_b"]]:
    """Rows before and after an update.

    Parameters
    ----------
    update : {"grow", "drop", "redraw", "seed"}
        Rows are added (a share ``r`` is there before), rows leave (a share ``r``
        stays), both halves are drawn apart, or nothing changes but the seed.
    n : int
        Rows available.
    r : float
        Share, (0, 1).
    rng : Generator

    Raises
    ------
    ValueError
        An unknown update or a share out of range.
    """
    if update not in UPDATES:
        raise ValueError(f"update = {update!r}: expected one of {', '.join(UPDATES)}")
    if not 0 < r < 1:
        raise ValueError(f"r = {r}: expected a share in (0, 1)")
    order = rng.permutation(n)
    some, every = order[: round(r * n)], order
    if update == "grow":
        return some, every
    if update == "drop":
        return every, some
    if update == "redraw":
        return order[: n // 2], order[n // 2 : 2 * (n // 2)]
    return every, every


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
    return ((1 / (1 + np.exp(-groups))).mean(axis=1) > 0.5).astype(np.int64)


@dataclass(frozen=True)
class Update:
    """Banks before and after an update, on the test rows.

    Attributes
    ----------
    logits_a, logits_b : ndarray, shapes (m_a, n) and (m_b, n)
        Scores of the models kept.
    n_kept : tuple of int
        Models kept, before and after.
    errors_a, errors_b : ndarray
        Test errors of the models kept.
    parts : ChurnDecomposition
        Expected churn and its parts.
    ambiguity, discrepancy, baseline : float
        Of the set before the update, against its first model.
    deployed : float
        Churn of one pair, first model against first model.
    recall, precision, lift : float
        Of the points on which the set before is not unanimous, for expected churn.
    margin_recall : float
        The same for as many points with the smallest score of the first model alone.
    """

    logits_a: Float[np.ndarray, "m_a n"]
    logits_b: Float[np.ndarray, "m_b n"]
    n_kept: tuple[int, int]
    errors_a: Float[np.ndarray, " m_a"]
    errors_b: Float[np.ndarray, " m_b"]
    parts: ChurnDecomposition
    ambiguity: float
    discrepancy: float
    baseline: float
    deployed: float
    recall: float
    precision: float
    lift: float
    margin_recall: float

    @property
    def labels_a(self) -> Int[np.ndarray, "m_a n"]:
        """Labels before."""
        return (self.logits_a > 0).astype(np.int64)

    @property
    def labels_b(self) -> Int[np.ndarray, "m_b n"]:
        """Labels after."""
        return (self.logits_b > 0).astype(np.int64)

    @property
    def flips(self) -> Float[np.ndarray, " n"]:
        """Probability of each test row's label to change."""
        p, q = self.labels_a.mean(axis=0), self.labels_b.mean(axis=0)
        return p * (1 - q) + q * (1 - p)


def run_update(
    split: Split,
    config: BankConfig,
    *,
    update: str = "grow",
    r: float = 0.8,
    m: int = 20,
    eps: float = float("inf"),
    paired_seeds: bool = False,
    seed: int = 0,
) -> Update:
    """Train before and after an update and measure.

    Parameters
    ----------
    split : Split
        Rows to train on and test rows, encoded.
    config : BankConfig
        Kind of model.
    update, r
        As in ``update_rows``.
    m : int
        Models in each bank, 2 or more.
    eps : float
        Largest training loss over the best of a bank; infinite keeps all.
    paired_seeds : bool
        Whether both banks draw the same first weights.
    seed : int
        Of everything.

    Raises
    ------
    ValueError
        Fewer than two models, or test rows that are among those trained on.
    """
    if m < 2:
        raise ValueError(f"m = {m}: expected an integer, 2 or more")
    check_disjoint(split.X_train, split.y_train, split.X_test, split.y_test)
    rng = np.random.default_rng([seed, 1])
    rows = update_rows(update, len(split.y_train), r, rng)
    seeds = [2 * seed, 2 * seed + (0 if paired_seeds else 1)]
    kept, logits = [], []
    for which, own in zip(rows, seeds, strict=True):
        X, y = split.X_train[which], split.y_train[which]
        bank = ModelBank(m, replace(config), seed=own).fit(X, y)
        losses = np.log1p(np.exp(-(2 * y - 1) * bank.logits(X))).mean(axis=1)
        keep = rashomon_filter(losses, eps)
        kept.append(int(keep.sum()))
        logits.append(bank.logits(split.X_test)[keep])
    return measure(*logits, split.y_test, (kept[0], kept[1]))


def measure(
    logits_a: Float[np.ndarray, "m_a n"],
    logits_b: Float[np.ndarray, "m_b n"],
    y: Int[np.ndarray, " n"],
    n_kept: tuple[int, int] | None = None,
) -> Update:
    """All measures of two banks' scores on the same rows."""
    a, b = (logits_a > 0).astype(np.int64), (logits_b > 0).astype(np.int64)
    mask = unstable(a)
    p, q = a.mean(axis=0), b.mean(axis=0)
    flips = p * (1 - q) + q * (1 - p)
    found = overlap(mask, flips)
    nearest = np.zeros(len(y), bool)
    nearest[np.argsort(np.abs(logits_a[0]), kind="stable")[: mask.sum()]] = True
    return Update(
        logits_a=logits_a,
        logits_b=logits_b,
        n_kept=(len(a), len(b)) if n_kept is None else n_kept,
        errors_a=(a != y).mean(axis=1),
        errors_b=(b != y).mean(axis=1),
        parts=expected_churn(a, b),
        ambiguity=ambiguity(a),
        discrepancy=discrepancy(a),
        baseline=baseline_churn(a),
        deployed=churn(a[0], b[0]),
        recall=found.recall,
        precision=found.precision,
        lift=found.lift,
        margin_recall=overlap(nearest, flips).recall,
    )


def check_disjoint(
    X_train: Float[np.ndarray, "n d"],
    y_train: Int[np.ndarray, " n"],
    X_test: Float[np.ndarray, "k d"],
    y_test: Int[np.ndarray, " k"],
) -> None:
    """Raise ValueError where the test set looks cut from the training rows.

    People may share all their features; half of the test rows that are also training
    rows, label included, and no more than chance explains is no fault.  A test set of
    which nine rows in ten recur while fewer than half of the training rows recur among
    themselves is one.
    """
    train = np.column_stack([X_train, y_train])
    test = np.column_stack([X_test, y_test])
    both, first = np.unique(np.concatenate([train, test]), axis=0, return_inverse=True)
    in_train = np.bincount(first[: len(train)], minlength=len(both))
    recurs = (in_train[first[len(train) :]] > 0).mean()
    usual = (in_train[first[: len(train)]] > 1).mean()
    if recurs > 0.9 and usual < 0.5:
        raise ValueError(
            f"X_test: {recurs:.0%} of its rows are training rows too, where "
            f"{usual:.0%} of those recur; expected rows held out"
        )
