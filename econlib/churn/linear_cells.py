r"""Good linear classifiers of many cells, by mixed-integer programs.

For cells with features :math:`u_c`, counts :math:`N_c` and positives :math:`P_c`, with
weights :math:`|w_j|\le1`, labels :math:`p_c\in\{0,1\}` and a small margin :math:`g`
(Marx, Calmon and Ustun 2020),

.. math::

   \min_{w,p}\ \sum_c(1-p_c)P_c+p_c(N_c-P_c)\quad\text{s.t.}\quad
   -(1-p_c)\|u_c\|_1+p_cg\ \le\ u_c\cdot w\ \le\ p_c\|u_c\|_1-(1-p_c)g

is a model with the fewest errors.  The largest churn from a baseline within :math:`B`
errors more maximises :math:`\sum_cN_c|p_c-h_0(c)|`, linear since :math:`h_0` is fixed.
For each cell the fewest errors of a model that turns it round give ambiguity at every
:math:`B` at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from scipy.optimize import Bounds, LinearConstraint, milp

from econlib.churn.linear import MARGIN, check_features, separator
from econlib.churn.rashomon import check_cells
from econlib.programs import SolverError

__all__ = ["LinearCells", "LinearModel"]


@dataclass(frozen=True)
class LinearModel:
    """A linear classifier of the cells.

    Attributes
    ----------
    labels : ndarray of int, shape (n_cells,)
    weights : ndarray, shape (n_features,)
        At most 1 in size.
    errors : int
        Rows that it gets wrong, recounted from the labels of the weights.
    bound : float
        Proved lower bound on the objective that was minimised; its value where the
        search ended in time.
    """

    labels: Int[np.ndarray, " n_cells"]
    weights: Float[np.ndarray, " n_features"]
    errors: int
    bound: float


class _OutOfTime(SolverError):
    """The clock stopped a search before it had any model."""


class LinearCells:
    """Good linear classifiers of weighted cells, by mixed-integer programs.

    Parameters
    ----------
    U : ndarray, shape (n_cells, n_features)
        Features, with a column of ones for an intercept.
    counts, positives : ndarray of int, shape (n_cells,)
        Rows of each cell, 1 or more, and how many of them are positive.
    margin : float
        Least distance of scores from 0, 1e-5 to 1e-2 (above the solver's tolerance).
    time_limit : float
        Seconds for each program, above 0.  A search that runs out of time returns the
        best model so far with the bound that it has proved.
    """

    def __init__(
        self,
        U: Float[np.ndarray, "n_cells n_features"],
        counts: Int[np.ndarray, " n_cells"],
        positives: Int[np.ndarray, " n_cells"],
        *,
        margin: float = MARGIN,
        time_limit: float = 600.0,
    ) -> None:
        check_features(U)
        check_cells(counts, positives)
        if len(U) != len(counts):
            raise ValueError(f"U: {len(U)} cells, expected {len(counts)}")
        if not 1e-5 <= margin <= 1e-2:
            raise ValueError(f"margin = {margin}: expected 1e-5 to 1e-2")
        if not time_limit > 0:
            raise ValueError(f"time_limit = {time_limit}: expected seconds above 0")
        self.U, self.counts, self.positives = U, counts, positives
        self.margin, self.time_limit = margin, time_limit
        size = np.abs(U).sum(axis=1)
        rows = sp.hstack([sp.csr_array(U), sp.diags_array(-(size + margin))])
        self._sides = LinearConstraint(rows.tocsc(), -size, np.full(len(U), -margin))
        # errors of labels p are positives.sum() + price @ p
        self._price = (counts - 2 * positives).astype(float)

    def errors(self, labels: Int[np.ndarray, " n_cells"]) -> int:
        """Rows that a labeling gets wrong."""
        return int(self.positives.sum() + self._price @ labels)

    def _search(
        self,
        price: np.ndarray,
        start: float,
        *,
        most: int | None = None,
        fixed: tuple[int, int] | None = None,
    ) -> LinearModel | None:
        """Labels p that minimise ``start + price @ p``; None where there are none."""
        cells, n = self.U.shape
        low = np.append(np.full(n, -1.0), np.zeros(cells))
        high = np.ones(n + cells)
        if fixed is not None:
            low[n + fixed[0]] = high[n + fixed[0]] = fixed[1]
        rows = [self._sides]
        if most is not None:
            allowed = most - float(self.positives.sum()) + 0.5
            rows.append(
                LinearConstraint(np.append(np.zeros(n), self._price)[None], ub=allowed)
            )
        found = milp(
            np.append(np.zeros(n), price),
            integrality=np.append(np.zeros(n), np.ones(cells)),
            bounds=Bounds(low, high),
            constraints=rows,
            options={"time_limit": self.time_limit, "mip_rel_gap": 0.0},
        )
        if found.status == 2:
            return None
        if found.x is None:
            raise _OutOfTime(f"no model in {self.time_limit} s: {found.message}")
        w = found.x[:n]
        score = self.U @ w
        labels = (score > 0).astype(np.int64)
        if (np.abs(score) < self.margin / 2).any() or (
            labels != np.round(found.x[n:])
        ).any():
            raise SolverError("labels of the weights are not those of the program")
        value = start + float(price @ labels)
        bound = value if found.status == 0 else start + float(found.mip_dual_bound)
        # objectives are whole numbers
        return LinearModel(labels, w, self.errors(labels), np.ceil(bound - 1e-6))

    def erm(self) -> LinearModel:
        """A model with the fewest errors; its bound is on the errors of any.

        A search without any model in time returns the better constant one, bounded by
        the errors of the best lookup table.
        """
        try:
            return self._search(self._price, float(self.positives.sum()))
        except _OutOfTime:
            ones = 2 * self.positives.sum() > self.counts.sum()
            labels = np.full(len(self.U), int(ones))
            w = separator(self.U, labels)
            if w is None:
                raise
            least = np.minimum(self.positives, self.counts - self.positives).sum()
            return LinearModel(labels, w, self.errors(labels), float(least))

    def discrepancy(
        self, base: Int[np.ndarray, " n_cells"], slack: int
    ) -> tuple[float, float, LinearModel]:
        """Largest churn from a baseline within some errors more.

        Parameters
        ----------
        base : ndarray of int, shape (n_cells,)
            Labels of the baseline.
        slack : int
            Errors allowed over the baseline's, 0 or more.

        Returns
        -------
        low, high : float
            Shares of rows: churn of the model found, and the proved bound on any; equal
            where the search ended in time.
        LinearModel
            The model found.
        """
        if slack < 0:
            raise ValueError(f"slack = {slack}: expected an integer, 0 or more")
        price = self.counts * (2.0 * base - 1.0)  # less the rows that differ
        start = -float(self.counts @ base)
        try:
            model = self._search(price, start, most=self.errors(base) + slack)
        except _OutOfTime:  # what is known is the baseline itself
            w, own = separator(self.U, base), self.errors(base)
            model = LinearModel(base, w, own, -float(2 * own + slack))  # errors add up
        low = float(self.counts @ (model.labels != base)) / self.counts.sum()
        return low, max(low, -model.bound / self.counts.sum()), model

    def flip_costs(
        self, base: Int[np.ndarray, " n_cells"], slack: int
    ) -> Float[np.ndarray, " n_cells"]:
        """Fewest errors over the baseline's of a model that flips a cell, cell by cell.

        Parameters
        ----------
        base : ndarray of int, shape (n_cells,)
            Labels of the baseline.
        slack : int
            Largest cost of interest, 0 or more.

        Returns
        -------
        ndarray, shape (n_cells,)
            Infinite where it is more than ``slack``.  Ambiguity at B is the mass of
            cells with a cost of at most B.

        Raises
        ------
        SolverError
            A cell was not settled in time.
        """
        if slack < 0:
            raise ValueError(f"slack = {slack}: expected an integer, 0 or more")
        own, start = self.errors(base), float(self.positives.sum())
        costs = np.full(len(base), np.inf)
        for c in range(len(base)):
            turned = c, 1 - int(base[c])
            model = self._search(self._price, start, most=own + slack, fixed=turned)
            if model is None:
                continue
            if model.bound < model.errors:
                raise SolverError(f"cell {c} is not settled in {self.time_limit} s")
            costs[c] = model.errors - own
        return costs
