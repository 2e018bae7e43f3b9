r"""Sets of good models that are listed in full.

With errors :math:`\hat R` on the training sample and a best model :math:`h_0`,

.. math:: \mathcal R_\epsilon=\{h\in\mathcal H:\hat R(h)\le\hat R(h_0)+\epsilon\} .

Two classifiers that disagree on a point cannot both be right there, so that every
member has :math:`C(h_0,h)\le\hat R(h_0)+\hat R(h)\le2\hat R(h_0)+\epsilon`.  Points may
be *cells*, each with a count of rows and of positive rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from econlib.churn.measures import (
    ambiguity,
    baseline_churn,
    discrepancy,
    multiplicity,
    pairwise_churn,
)

__all__ = ["RashomonSet", "RashomonStats", "check_cells", "good_models", "slack_of"]


@dataclass(frozen=True)
class RashomonStats:
    r"""What a set of good models can do.

    Attributes
    ----------
    size : int
        Distinct classifiers.
    ambiguity, discrepancy : float
        :math:`\alpha_\epsilon` and :math:`\delta_\epsilon` against the baseline.
    baseline_churn : float
        Mean churn from the baseline to a member.
    multiplicity, distinct : float
        Mean churn between two members, with and without replacement; the second is NaN
        in a set of one.
    widest : float
        Largest churn between two members.
    bound : float
        :math:`2\hat R(h_0)+\epsilon`.
    """

    size: int
    ambiguity: float
    discrepancy: float
    baseline_churn: float
    multiplicity: float
    distinct: float
    widest: float
    bound: float


@dataclass(frozen=True)
class RashomonSet:
    """Classifiers with at most a number of errors more than the best.

    Attributes
    ----------
    labels : ndarray of int, shape (n_models, n_cells)
        One classifier a row; the baseline is the first.
    errors : ndarray of int, shape (n_models,)
        Training errors of each.
    counts : ndarray of int, shape (n_cells,)
        Rows in each cell.
    slack : int
        Errors allowed over the best.
    """

    labels: Int[np.ndarray, "n_models n_cells"]
    errors: Int[np.ndarray, " n_models"]
    counts: Int[np.ndarray, " n_cells"]
    slack: int

    def within(self, slack: int) -> RashomonSet:
        """The members with at most ``slack`` errors more than the best."""
        if not 0 <= slack <= self.slack:
            raise ValueError(f"slack = {slack}: expected 0 to {self.slack}")
        keep = self.errors <= self.errors[0] + slack
        return RashomonSet(self.labels[keep], self.errors[keep], self.counts, slack)

    def churns(self) -> Float[np.ndarray, "n_models n_models"]:
        """Churn of every pair of members."""
        return pairwise_churn(self.labels, w=self.counts)

    def from_baseline(self) -> Float[np.ndarray, " n_models"]:
        """Churn from the baseline to each member."""
        return pairwise_churn(self.labels[:1], self.labels, self.counts)[0]

    def widest(self) -> float:
        """Largest churn between two members, a block of pairs at a time."""
        P = self.labels.astype(np.float32)  # sums of counts below 2^24 are exact
        ones, w = P @ self.counts.astype(np.float32), self.counts.astype(np.float32)
        most = 0.0
        for k in range(0, len(P), 1000):
            both = (P[k : k + 1000] * w) @ P.T
            most = max(most, float((ones[k : k + 1000, None] + ones - 2 * both).max()))
        return most / int(self.counts.sum())

    def stats(self) -> RashomonStats:
        """Ambiguity, discrepancy, expected churns and the bound."""
        P, w, n = self.labels, self.counts, len(self.labels)
        total = int(w.sum())
        return RashomonStats(
            size=n,
            ambiguity=ambiguity(P, w=w),
            discrepancy=discrepancy(P, w=w),
            baseline_churn=baseline_churn(P, w=w),
            multiplicity=multiplicity(P, w),
            distinct=multiplicity(P, w, distinct=True) if n > 1 else float("nan"),
            widest=self.widest(),
            bound=(2 * int(self.errors[0]) + self.slack) / total,
        )


def slack_of(eps: float, n_rows: int) -> int:
    r"""Errors that a slack allows, :math:`\lfloor\epsilon n\rfloor`.

    Raises
    ------
    ValueError
        A negative slack.

    Examples
    --------
    >>> slack_of(0.29, 100)
    29
    """
    if not eps >= 0:
        raise ValueError(f"eps = {eps}: expected a number, 0 or more")
    return int(np.floor(eps * n_rows + 1e-9))


def check_cells(counts: np.ndarray, positives: np.ndarray) -> None:
    """Raise ValueError unless ``0 <= positives <= counts``, whole and not all empty."""
    for name, x in (("counts", counts), ("positives", positives)):
        if x.ndim != 1 or not np.issubdtype(x.dtype, np.integer):
            raise ValueError(f"{name}: expected a vector of whole numbers")
    if len(counts) != len(positives) or not len(counts):
        raise ValueError(
            f"counts, positives: {len(counts)} and {len(positives)} cells, expected "
            "as many, at least one"
        )
    if (counts < 1).any() or (positives < 0).any() or (positives > counts).any():
        raise ValueError(
            "counts, positives: expected 1 or more rows, 0 to all positive"
        )


def good_models(
    labels: Int[np.ndarray, "n_models n_cells"],
    counts: Int[np.ndarray, " n_cells"],
    positives: Int[np.ndarray, " n_cells"],
    slack: int,
) -> RashomonSet:
    """Members of a listed class with few errors, best first, ties in string order.

    Parameters
    ----------
    labels : ndarray, shape (n_models, n_cells)
        All classifiers of the class, 0 and 1; repeated ones are counted once.
    counts, positives : ndarray of int, shape (n_cells,)
        Rows of each cell, 1 or more, and how many of them are positive.
    slack : int
        Errors allowed over the best, 0 or more.

    Returns
    -------
    RashomonSet
        Ordered by errors, then as binary strings.

    Raises
    ------
    ValueError
        Counts that are none, or a negative slack.

    Examples
    --------
    >>> every = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> found = good_models(every, np.array([3, 2]), np.array([2, 1]), 1)
    >>> found.labels.tolist(), found.errors.tolist()
    ([[1, 0], [1, 1], [0, 0], [0, 1]], [2, 2, 3, 3])
    """
    check_cells(counts, positives)
    if slack < 0:
        raise ValueError(f"slack = {slack}: expected an integer, 0 or more")
    labels = np.unique(labels.astype(np.int64), axis=0)
    errors = labels @ (counts - positives) + (1 - labels) @ positives
    keep = errors <= errors.min() + slack
    labels, errors = labels[keep], errors[keep]
    order = np.argsort(errors, kind="stable")  # np.unique left them in string order
    return RashomonSet(labels[order], errors[order], counts, slack)
