r"""How much of an exact set of good models a sample of models recovers.

Models are drawn by some procedure, those with at most :math:`B` errors more than the
best of their class are kept, and their ambiguity and discrepancy are held against those
of the whole set.  Since the sample is a part of the set, neither can be larger.

Of a pool of :math:`M` draws, of which :math:`k_c` are kept and turn cell :math:`c`
round, :math:`m` chosen at random have expected ambiguity

.. math:: \sum_cw_c\Big(1-\tbinom{M-k_c}m\big/\tbinom Mm\Big) ,

which grows with :math:`m` and is concave.  Draws that are uniform on the set turn each
cell with the share :math:`p_c` of members that do, so that :math:`m` of them have
expected ambiguity :math:`\sum_cw_c(1-(1-p_c)^m)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float, Int
from scipy.special import gammaln

from econlib.churn.lookup import LookupTables
from econlib.churn.rashomon import check_cells

__all__ = [
    "Captured",
    "capture",
    "uniform_ambiguity",
    "uniform_tables",
]


@dataclass(frozen=True)
class Captured:
    """What random parts of a pool of models show.

    Attributes
    ----------
    sizes : ndarray of int, shape (n_sizes,)
        Models drawn.
    n_kept : int
        Models of the pool that are good.
    n_distinct : int
        Distinct classifiers among them.
    ambiguity, discrepancy : ndarray, shape (n_sizes,)
        Expected over all parts of each size; 0 where no model is kept.
    """

    sizes: Int[np.ndarray, " n_sizes"]
    n_kept: int
    n_distinct: int
    ambiguity: Float[np.ndarray, " n_sizes"]
    discrepancy: Float[np.ndarray, " n_sizes"]


def capture(
    labels: Int[np.ndarray, "n_models n_cells"],
    counts: Int[np.ndarray, " n_cells"],
    positives: Int[np.ndarray, " n_cells"],
    base: Int[np.ndarray, " n_cells"],
    most: int,
    sizes: list[int],
) -> Captured:
    """Expected ambiguity and discrepancy of random parts of a pool of models.

    Parameters
    ----------
    labels : ndarray, shape (n_models, n_cells)
        The pool, one classifier a row.
    counts, positives : ndarray of int, shape (n_cells,)
        Rows of each cell, 1 or more, and how many of them are positive.
    base : ndarray of int, shape (n_cells,)
        The best model of the class.
    most : int
        Errors that a good model may make.
    sizes : list of int
        How many models are drawn, each 1 to ``n_models``.

    Raises
    ------
    ValueError
        Bad counts, or more models than there are.

    Examples
    --------
    >>> pool = np.array([[1, 0], [1, 1], [0, 0]])  # the last one is not good
    >>> found = capture(pool, np.array([3, 1]), np.array([3, 0]), pool[0], 1, [1, 3])
    >>> found.n_kept, found.ambiguity.round(4).tolist()
    (2, [0.0833, 0.25])
    """
    check_cells(counts, positives)
    pool, ms = len(labels), np.array(sizes)
    if (ms < 1).any() or (ms > pool).any():
        raise ValueError(f"sizes = {sizes}: expected 1 to {pool} models")
    errors = labels @ (counts - positives) + (1 - labels) @ positives
    keep = errors <= most
    turned = (labels != base) & keep[:, None]
    w = counts / counts.sum()
    none = _none_of(pool, turned.sum(axis=0), ms)
    churn = np.sort(turned @ w)
    # the largest of m is at most the j-th smallest where none of those above is drawn
    below = _none_of(pool, pool - np.arange(1, pool + 1), ms)
    chance = np.diff(below, axis=1, prepend=0.0)
    return Captured(
        sizes=ms,
        n_kept=int(keep.sum()),
        n_distinct=len(np.unique(labels[keep], axis=0)),
        ambiguity=(1 - none) @ w,
        discrepancy=chance @ churn,
    )


def _none_of(pool: int, special: np.ndarray, ms: np.ndarray) -> np.ndarray:
    """Chance that m of a pool hold none of its special ones, for each m (rows)."""
    rest, m = (pool - special)[None].astype(float), ms[:, None].astype(float)
    possible = rest >= m
    left = np.where(possible, rest - m, 0.0)
    log = gammaln(rest + 1) - gammaln(left + 1)
    log += gammaln(pool - m + 1) - gammaln(pool + 1.0)
    return np.where(possible, np.exp(log), 0.0)


def uniform_ambiguity(
    tables: LookupTables, slack: int, sizes: list[int]
) -> Float[np.ndarray, " n_sizes"]:
    """Expected ambiguity of some good lookup tables that are drawn uniformly.

    Parameters
    ----------
    tables : LookupTables
    slack : int
        Errors allowed over the best, 0 or more.
    sizes : list of int
        How many are drawn, with replacement.
    """
    _, share = tables.shares(slack)
    w = tables.counts / tables.n_rows
    return (1 - (1 - share) ** np.array(sizes)[:, None]) @ w


def uniform_tables(
    tables: LookupTables, slack: int, m: int, rng: np.random.Generator
) -> Int[np.ndarray, "m n_cells"]:
    """Good lookup tables, each equally likely.

    Cells are decided one after another: a cell is turned with the share of the good
    continuations in which it is.

    Parameters
    ----------
    tables : LookupTables
    slack : int
        Errors allowed over the best, 0 or more.
    m : int
        Tables, 1 or more.
    rng : Generator
    """
    if slack < 0 or m < 1:
        raise ValueError(f"slack, m = {slack}, {m}: expected 0 or more, 1 or more")
    costs = tables.costs.tolist()
    ways = [[1] * (slack + 1)]  # subsets of the first k cells with sum at most b
    for c in costs:
        old = ways[-1]
        ways.append([old[b] + (old[b - c] if b >= c else 0) for b in range(slack + 1)])
    left = np.full(m, slack)
    turned = np.zeros((m, len(costs)), dtype=bool)
    for k in reversed(range(len(costs))):
        c = costs[k]
        chance = np.array(
            [
                float(Fraction(ways[k][b - c], ways[k + 1][b])) if b >= c else 0.0
                for b in range(slack + 1)
            ]
        )
        turned[:, k] = rng.random(m) < chance[left]
        left = left - c * turned[:, k]
    return (tables.best ^ turned).astype(np.int64)
