r"""Good lookup tables: every function of a discrete input, by subset sums.

A table that turns the majority's label round in cell :math:`c` makes
:math:`w_c=|2P_c-N_c|` errors more, so that :math:`\mathcal R_\epsilon` is the subsets
of cells with :math:`\sum w_c\le B=\lfloor\epsilon n\rfloor`.  Ambiguity is the mass of
cells with :math:`w_c\le B`, discrepancy a knapsack with values :math:`N_c`, and the
size of the set and the share of members that turn each cell are counts of subset sums:
whole numbers of any length, though the set itself may have :math:`10^{15}` members.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Float, Int

from econlib.churn.rashomon import RashomonStats, check_cells

__all__ = ["LookupTables"]


class LookupTables:
    """All functions of a discrete input.

    Parameters
    ----------
    counts, positives : ndarray of int, shape (n_cells,)
        Rows of each cell, 1 or more, and how many of them are positive.

    Raises
    ------
    ValueError
        Counts that are none.

    Examples
    --------
    >>> found = LookupTables(np.array([4, 2]), np.array([3, 1])).stats(0)
    >>> found.size, round(found.ambiguity, 6)
    (2, 0.333333)
    """

    def __init__(
        self,
        counts: Int[np.ndarray, " n_cells"],
        positives: Int[np.ndarray, " n_cells"],
    ) -> None:
        check_cells(counts, positives)
        self.counts, self.positives = counts, positives
        self.costs = np.abs(2 * positives - counts)
        self.errors = int(np.minimum(positives, counts - positives).sum())

    @property
    def best(self) -> Bool[np.ndarray, " n_cells"]:
        """Labels of the majority, 0 in a tie."""
        return 2 * self.positives > self.counts

    @property
    def n_rows(self) -> int:
        """Rows of all cells."""
        return int(self.counts.sum())

    def _sums(self, budget: int) -> np.ndarray:
        """How many subsets of cells have each sum of costs, 0 to ``budget``."""
        ways = np.zeros(budget + 1, dtype=object)
        ways[0] = 1
        for c in self.costs.tolist():
            if c <= budget:
                new = ways.copy()
                new[c:] += ways[: budget + 1 - c]
                ways = new
        return ways

    def shares(self, slack: int) -> tuple[int, Float[np.ndarray, " n_cells"]]:
        """Size of the set, and the share of its members that turn each cell round.

        Parameters
        ----------
        slack : int
            Errors allowed over the best, 0 or more.

        Returns
        -------
        size : int
        shares : ndarray, shape (n_cells,)
            Each a ratio of whole numbers, rounded once.
        """
        if slack < 0:
            raise ValueError(f"slack = {slack}: expected an integer, 0 or more")
        budget = min(slack, int(self.costs.sum()))
        ways = self._sums(budget)
        size = int(ways.sum())
        shares = {}
        for c in np.unique(self.costs).tolist():
            if c > budget:
                shares[c] = 0.0
                continue
            without = ways.copy()  # subsets that leave one cell of this cost alone
            if c == 0:
                shares[c] = 0.5
                continue
            for s in range(c, budget + 1):
                without[s] = ways[s] - without[s - c]
            turned = int(without[: budget + 1 - c].sum())
            shares[c] = float(Fraction(turned, size))
        return size, np.array([shares[c] for c in self.costs.tolist()])

    def stats(self, slack: int) -> RashomonStats:
        """Exact ambiguity, discrepancy and churns.

        Parameters
        ----------
        slack : int
            Errors allowed over the best, 0 or more.

        Returns
        -------
        RashomonStats
            ``widest`` is a knapsack in which two members spend their slacks apart.
        """
        size, p = self.shares(slack)
        w = self.counts / self.n_rows
        v = float(w @ (2 * p * (1 - p)))
        return RashomonStats(
            size=size,
            ambiguity=float(w[self.costs <= slack].sum()),
            discrepancy=self._knapsack(slack) / self.n_rows,
            baseline_churn=float(w @ p),
            multiplicity=v,
            distinct=float(v * Fraction(size, size - 1)) if size > 1 else float("nan"),
            widest=self._widest(slack) / self.n_rows,
            bound=(2 * self.errors + slack) / self.n_rows,
        )

    def _knapsack(self, budget: int) -> int:
        """Most rows that one member turns round."""
        best = np.zeros(min(budget, int(self.costs.sum())) + 1, dtype=np.int64)
        for c, n in zip(self.costs.tolist(), self.counts.tolist(), strict=True):
            if c < len(best):
                best[c:] = np.maximum(best[c:], best[: len(best) - c] + n)
        return int(best[-1])

    def _widest(self, budget: int) -> int:
        """Most rows on which two members differ; a cell is turned by one, or none."""
        top = min(budget, int(self.costs.sum()))
        best = np.zeros((top + 1, top + 1), dtype=np.int64)
        for c, n in zip(self.costs.tolist(), self.counts.tolist(), strict=True):
            if c > top:
                continue
            old = best.copy()
            best[c:] = np.maximum(best[c:], old[: top + 1 - c] + n)
            best[:, c:] = np.maximum(best[:, c:], old[:, : top + 1 - c] + n)
        return int(best[-1, -1])
