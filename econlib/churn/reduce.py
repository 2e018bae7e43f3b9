r"""Ways to train after an update so that less flips, and which part each cuts.

A new model may know the one that it replaces: model j after the update starts from the
weights of model j before it, or is taught by it.  Churn is that of *matched* pairs,

.. math::

   \tfrac1m\sum_j C(a_j,b_j)=\tfrac12V_A+\tfrac12V_B+\mathbb E(p-q)^2
   -2\,\mathbb E_x\operatorname{Cov}_j\big(a_j(x),b_j(x)\big):

multiplicity plus shift less a *coupling*, which is zero on average where a new model
does not know the old one.  Ensembles cut multiplicity; distillation (Jiang et al.
2021), warm starts and anchors couple.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import expit
from scipy.stats import binom, hypergeom

from econlib.churn.banks import ModelBank
from econlib.churn.measures import ChurnDecomposition, expected_churn
from econlib.churn.networks import BankConfig
from econlib.churn.tables import Split
from econlib.churn.updates import ensemble_labels, update_rows

__all__ = [
    "MatchedChurn",
    "majority_churn",
    "matched_churn",
    "subset_churn",
    "train_methods",
    "vote_churn",
    "vote_probability",
]


@dataclass(frozen=True)
class MatchedChurn:
    """Mean churn of matched pairs, and its parts.

    Attributes
    ----------
    total : float
        Mean churn of model j before and model j after, counted.
    parts : ChurnDecomposition
        Of all pairs, matched or not.
    coupling : float
        What knowing the old model saves, from covariances.
    """

    total: float
    parts: ChurnDecomposition
    coupling: float

    @property
    def multiplicity(self) -> float:
        """Mean of the two multiplicities."""
        return (self.parts.multiplicity_a + self.parts.multiplicity_b) / 2

    @property
    def residual(self) -> float:
        """Total less its parts; rounding only."""
        return self.total - (self.multiplicity + self.parts.shift - self.coupling)


def matched_churn(
    a: Int[np.ndarray, "m n"], b: Int[np.ndarray, "m_b n"]
) -> MatchedChurn:
    """Churn from each model to the one that replaces it.

    Parameters
    ----------
    a, b : ndarray of int, shape (m, n)
        Labels before and after; row j of b replaces row j of a.

    Raises
    ------
    ValueError
        Shapes that differ, or labels other than 0 and 1.

    Examples
    --------
    >>> a = np.array([[0, 1], [1, 1]])
    >>> found = matched_churn(a, a)
    >>> found.total, found.parts.total, found.coupling
    (0.0, 0.25, 0.25)
    """
    if a.shape != b.shape:
        raise ValueError(f"a, b: shapes {a.shape} and {b.shape}, expected the same")
    parts = expected_churn(a, b)
    together = (a * b).mean(axis=0) - a.mean(axis=0) * b.mean(axis=0)
    return MatchedChurn(float((a != b).mean()), parts, float(2 * together.mean()))


def _checked_members(a: np.ndarray, b: np.ndarray, k: int) -> None:
    most = len(a) // 2 if a is b else min(len(a), len(b))
    if not 1 <= k <= most:
        raise ValueError(f"k = {k}: expected 1 to {most} members")


def subset_churn(
    a: Float[np.ndarray, "m n"],
    b: Float[np.ndarray, "m_b n"],
    k: int,
    rng: np.random.Generator,
    *,
    n_draws: int = 200,
) -> float:
    """Mean churn of two ensembles of k members each, who average probabilities.

    Parameters
    ----------
    a, b : ndarray, shapes (m, n) and (m_b, n)
        Scores; if both are the same object, no member is in both ensembles.
    k : int
        Members, 1 to m, at most m/2 from one bank.
    rng : Generator
    n_draws : int
        Pairs of ensembles, 1 or more.

    Raises
    ------
    ValueError
        More members than there are.
    """
    _checked_members(a, b, k)
    pa, pb = expit(a), expit(b)
    total = 0.0
    for _ in range(n_draws):
        first = rng.permutation(len(a))
        second = first[k:] if a is b else rng.permutation(len(b))
        one, two = pa[first[:k]].mean(axis=0), pb[second[:k]].mean(axis=0)
        total += ((one > 0.5) != (two > 0.5)).mean()
    return float(total / n_draws)


def vote_churn(
    a: Float[np.ndarray, "m n"], b: Float[np.ndarray, "m_b n"], k: int
) -> float:
    """Mean churn of two majority votes of k members each, over all ways to draw them.

    Parameters
    ----------
    a, b : ndarray, shapes (m, n) and (m_b, n)
        Scores; if both are the same object, no member votes in both ensembles.
    k : int
        Members, odd, 1 to m, at most m/2 from one bank.

    Raises
    ------
    ValueError
        More members than there are, or an even number of them.

    Examples
    --------
    Two of four members say 1, so that two single votes differ twice in three times:

    >>> scores = np.array([[1.0], [1.0], [-1.0], [-1.0]])
    >>> round(vote_churn(scores, scores, 1), 6)
    0.666667
    """
    _checked_members(a, b, k)
    if k % 2 == 0:
        raise ValueError(f"k = {k}: expected an odd number")
    ones = (a > 0).sum(axis=0)
    if a is not b:
        pa = hypergeom.sf(k // 2, len(a), np.arange(len(a) + 1), k)[ones]
        pb = hypergeom.sf(k // 2, len(b), np.arange(len(b) + 1), k)
        pb = pb[(b > 0).sum(axis=0)]
        return float((pa * (1 - pb) + pb * (1 - pa)).mean())
    m = len(a)
    total = np.arange(m + 1)[:, None]  # members that say 1, and i of them in the first
    i = np.arange(k + 1)
    first = hypergeom.pmf(i, m, total, k)
    left = np.clip(total - i, 0, m - k)
    second = hypergeom.sf(k // 2, m - k, left, k)
    differ = np.where(i > k // 2, 1 - second, second)
    return float((first * differ).sum(axis=1)[ones].mean())


def vote_probability(p: Float[np.ndarray, " n"], k: int) -> Float[np.ndarray, " n"]:
    r"""Probability that most of k independent members say 1, each with probability p.

    Raises
    ------
    ValueError
        An even k, or one below 1.
    """
    if k < 1 or k % 2 == 0:
        raise ValueError(f"k = {k}: expected an odd number, 1 or more")
    return binom.sf(k // 2, k, p)


def majority_churn(p: Float[np.ndarray, " n"], k: int) -> float:
    r"""Expected churn of two majority votes, :math:`\mathbb E\,2P_k(1-P_k)`.

    Examples
    --------
    >>> p = (np.arange(10_000) + 0.5) / 10_000  # uniform
    >>> [round(majority_churn(p, k), 4) for k in (1, 3, 5)]
    [0.3333, 0.2571, 0.2165]
    """
    P = vote_probability(p, k)
    return float((2 * P * (1 - P)).mean())


def train_methods(
    cut: Split,
    config: BankConfig,
    *,
    r: float = 0.8,
    m: int = 20,
    k: int = 5,
    distil: Sequence[float] = (0.25, 0.5, 0.75),
    anchors: Sequence[float] = (1e-3, 1e-2),
    valid: float = 0.1,
    seed: int = 0,
) -> dict[str, tuple[Int[np.ndarray, "units n"], Int[np.ndarray, "units n"]]]:
    """Train before an update, and after it in every way.

    Parameters
    ----------
    cut : Split
        Rows to train on and test rows, encoded.
    config : BankConfig
        Kind of model; all ways stop at the epoch that is best on rows held out.
    r : float
        Share of the rows that is there before they are joined by the rest, (0, 1).
    m : int
        Models, at least 2k.
    k : int
        Members of an ensemble, odd.
    distil, anchors : sequence of float
        Weights of the teacher, prices of the distance from the start.
    valid : float
        Share of the rows that is held out, (0, 1).
    seed : int

    Returns
    -------
    dict
        Labels before and after by name of the method, row j replaced by row j.

    Raises
    ------
    ValueError
        Too few models, or an even k.
    """
    if m < 2 * k or k % 2 == 0:
        raise ValueError(f"m = {m}, k = {k}: expected an odd k and m of 2k or more")
    if not 0 < valid < 1:
        raise ValueError(f"valid = {valid}: expected a share in (0, 1)")
    n = len(cut.y_train)
    left = n - round(valid * n)
    held = (cut.X_train[left:], cut.y_train[left:])
    rows = update_rows("grow", left, r, np.random.default_rng([seed, 2]))
    X, y = cut.X_train[rows[1]], cut.y_train[rows[1]]
    old = ModelBank(m, config, seed=2 * seed)
    old.fit(cut.X_train[rows[0]], cut.y_train[rows[0]], valid=held)
    teacher = expit(old.logits(X))

    def new(own: int = 1, **ways: object) -> Float[np.ndarray, "m n"]:
        bank = ModelBank(m, config, seed=2 * seed + own)
        return bank.fit(X, y, valid=held, **ways).logits(cut.X_test)

    before, again = old.logits(cut.X_test), new()
    scores = {"retrain": again, "same seeds": new(0), "warm start": new(start=old)}
    scores |= {f"anchor {a:g}": new(start=old, anchor=a) for a in anchors}
    scores |= {f"distil {λ:g}": new(teacher=teacher, distil=λ) for λ in distil}
    found = {
        name: ((before > 0) * 1, (after > 0) * 1) for name, after in scores.items()
    }
    for name in ("retrain", *[f"distil {λ:g}" for λ in distil]):
        plain = name == "retrain"
        own = f"mean of {k}" if plain else f"mean of {k}, {name}"
        found[own] = tuple(ensemble_labels(s, k) for s in (before, scores[name]))
    found[f"vote of {k}"] = tuple(
        ensemble_labels(s, k, vote=True) for s in (before, again)
    )
    return found
