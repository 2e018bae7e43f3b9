r"""Good decision trees of small depth, listed.

Two classes on binary features.  *Free* trees carry any label in each leaf; their
functions are listed once each, all of them or, deeper, the good ones: below the first
question the two sides are free trees of their own, and errors add up.  *Sparse* trees
carry the majority's label, never split a leaf into two of one label, and are judged by

.. math:: \frac{\text{errors}}n+\lambda\cdot\text{leaves} ,

whose near-optimal members are found by branch and bound: a split is followed only while
the best trees of its two sides leave room (Xin, Zhong, Chen, Takagi, Seltzer and Rudin
2022 list them in the same sense).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from econlib.churn.rashomon import RashomonSet, check_cells, good_models

__all__ = ["MAX_FREE", "SparseTree", "free_trees", "good_trees", "sparse_trees"]

#: Most functions of free trees that are listed.
MAX_FREE = 2_000_000


@dataclass(frozen=True)
class SparseTree:
    """One tree with majority labels.

    Attributes
    ----------
    rule : str
        Nested ``(feature? if-not : if-so)``, leaves 0 and 1.
    labels : ndarray of int, shape (n_cells,)
    errors, leaves : int
    objective : float
        Share of errors plus the price of the leaves.
    """

    rule: str
    labels: Int[np.ndarray, " n_cells"]
    errors: int
    leaves: int
    objective: float


def _check(B: np.ndarray, depth: int) -> np.ndarray:
    B = np.asarray(B)
    if B.ndim != 2 or 0 in B.shape or not np.isin(B, (0, 1)).all():
        raise ValueError(f"B: shape {B.shape}, expected (n_cells, n_features) of 0, 1")
    if depth not in (0, 1, 2, 3):
        raise ValueError(f"depth = {depth}: expected 0 to 3")
    return B.astype(bool)


def free_trees(
    B: Int[np.ndarray, "n_cells n_features"], depth: int = 2
) -> Int[np.ndarray, "n_functions n_cells"]:
    """Functions of all trees up to a depth, with any labels in their leaves.

    Parameters
    ----------
    B : ndarray, shape (n_cells, n_features)
        Binary features.
    depth : int
        Largest number of questions on a path, 0 to 3.

    Raises
    ------
    ValueError
        Features that are not binary, a depth out of range, or more than ``MAX_FREE``
        candidates.
    """
    B = _check(B, depth)
    candidates = 2
    for _ in range(depth):
        candidates = 2 + B.shape[1] * candidates**2
    if candidates > MAX_FREE:
        raise ValueError(
            f"depth = {depth} with {B.shape[1]} features: {candidates} candidates, "
            f"expected at most {MAX_FREE}; lower the depth or take sparse_trees"
        )
    found = np.array([np.zeros(len(B), bool), np.ones(len(B), bool)])
    for _ in range(depth):
        parts = [found]
        for side in B.T:
            left = np.unique(found & ~side, axis=0)
            right = np.unique(found & side, axis=0)
            both = left[:, None] | right[None, :]
            parts.append(both.reshape(-1, len(B)))
        found = np.unique(np.concatenate(parts), axis=0)
    return found.astype(np.int64)


def good_trees(
    B: Int[np.ndarray, "n_cells n_features"],
    counts: Int[np.ndarray, " n_cells"],
    positives: Int[np.ndarray, " n_cells"],
    slack: int,
    depth: int = 2,
) -> RashomonSet:
    """Functions of free trees with at most a number of errors more than the best.

    Parameters
    ----------
    B : ndarray, shape (n_cells, n_features)
        Binary features.
    counts, positives : ndarray of int, shape (n_cells,)
        Rows of each cell, 1 or more, and how many of them are positive.
    slack : int
        Errors allowed over the best, 0 or more.
    depth : int
        Largest number of questions on a path, 1 to 3.

    Raises
    ------
    ValueError
        As :func:`free_trees` a level lower, which may be listed where this level is
        not; bad counts, or a negative slack.
    """
    if depth not in (1, 2, 3):
        raise ValueError(f"depth = {depth}: expected 1 to 3")
    if slack < 0:
        raise ValueError(f"slack = {slack}: expected an integer, 0 or more")
    check_cells(counts, positives)
    below = free_trees(B, depth - 1).astype(bool)
    price, sides = counts - 2 * positives, []
    for yes in np.asarray(B, dtype=bool).T:
        halves = []
        for cells in (~yes, yes):
            functions = np.unique(below & cells, axis=0)
            halves += [functions, functions @ price + positives[cells].sum()]
        sides.append(halves)
    best = min(no_errors.min() + errors.min() for _, no_errors, _, errors in sides)
    found = []
    for no, no_errors, so, errors in sides:
        i, j = np.nonzero(no_errors[:, None] + errors[None] <= best + slack)
        found.append(no[i] | so[j])
    every = np.concatenate(found).astype(np.int64)
    return good_models(every, counts, positives, slack)


def sparse_trees(
    B: Int[np.ndarray, "n_cells n_features"],
    counts: Int[np.ndarray, " n_cells"],
    positives: Int[np.ndarray, " n_cells"],
    *,
    leaf_price: float,
    slack: float,
    depth: int = 3,
) -> list[SparseTree]:
    r"""Sparse trees within a distance of the best objective.

    Parameters
    ----------
    B : ndarray, shape (n_cells, n_features)
        Binary features.
    counts, positives : ndarray of int, shape (n_cells,)
        Rows of each cell, 1 or more, and how many of them are positive.
    leaf_price : float
        :math:`\lambda`, 0 or more.
    slack : float
        Largest distance from the best objective, 0 or more.
    depth : int
        Largest number of questions on a path, 0 to 3.

    Returns
    -------
    list of SparseTree
        Best first; trees of one function but other questions count separately.

    Raises
    ------
    ValueError
        Features that are not binary, bad counts, or a negative price or slack.
    """
    B = _check(B, depth)
    check_cells(counts, positives)
    for name, value in (("leaf_price", leaf_price), ("slack", slack)):
        if not value >= 0:
            raise ValueError(f"{name} = {value}: expected 0 or more")
    search = _Search(B, counts, positives, leaf_price)
    everything = np.ones(len(B), bool)
    budget = search.best(everything, depth) + slack + 1e-12
    trees = [
        SparseTree(rule, labels.astype(np.int64), errors, leaves, cost)
        for cost, errors, leaves, rule, labels in search.list(everything, depth, budget)
    ]
    return sorted(trees, key=lambda t: (round(t.objective, 12), t.rule))


class _Search:
    """Branch and bound over sets of cells, best costs remembered."""

    def __init__(
        self, B: np.ndarray, counts: np.ndarray, positives: np.ndarray, price: float
    ) -> None:
        self.B, self.counts, self.positives, self.price = B, counts, positives, price
        self.n = int(counts.sum())
        self._best: dict[tuple[bytes, int], float] = {}

    def leaf(self, cells: np.ndarray) -> tuple[float, int, int]:
        """Cost, errors and label of a leaf with these cells."""
        rows = int(self.counts[cells].sum())
        ones = int(self.positives[cells].sum())
        label = int(2 * ones > rows)
        errors = rows - ones if label else ones
        return errors / self.n + self.price, errors, label

    def splits(self, cells: np.ndarray) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """Questions that divide these cells, with both sides."""
        found = []
        for j, side in enumerate(self.B.T):
            left, right = cells & ~side, cells & side
            if left.any() and right.any():
                found.append((j, left, right))
        return found

    def best(self, cells: np.ndarray, depth: int) -> float:
        """Lowest cost of a tree on these cells; a bound where siblings may agree."""
        key = (cells.tobytes(), depth)
        if key not in self._best:
            cost = self.leaf(cells)[0]
            if depth and cost > self.price:
                for _, left, right in self.splits(cells):
                    both = self.best(left, depth - 1) + self.best(right, depth - 1)
                    cost = min(cost, both)
            self._best[key] = cost
        return self._best[key]

    def list(self, cells: np.ndarray, depth: int, budget: float) -> list[tuple]:
        """Cost, errors, leaves, rule and labels of each tree within a budget."""
        found = []
        cost, errors, label = self.leaf(cells)
        if cost <= budget:
            found.append((cost, errors, 1, str(label), cells & bool(label)))
        if not depth or 2 * self.price > budget:
            return found
        for j, left, right in self.splits(cells):
            least_l, least_r = self.best(left, depth - 1), self.best(right, depth - 1)
            if least_l + least_r > budget:
                continue
            lefts = self.list(left, depth - 1, budget - least_r)
            rights = self.list(right, depth - 1, budget - least_l)
            for a in lefts:
                for b in rights:
                    cost = a[0] + b[0]
                    if cost <= budget and not (a[2] == b[2] == 1 and a[3] == b[3]):
                        rule = f"({j}? {a[3]} : {b[3]})"
                        errors, leaves = a[1] + b[1], a[2] + b[2]
                        found.append((cost, errors, leaves, rule, a[4] | b[4]))
        return found
