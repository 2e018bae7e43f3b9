r"""Good linear classifiers on cells, exactly.

With a row of features :math:`u_c` a cell, weights :math:`|w_j|\le1` and labels
:math:`p_c\in\{0,1\}`, a labeling is linear iff for a small margin :math:`g`

.. math::

   u_c\cdot w\ge g\ \text{ where }p_c=1,\qquad u_c\cdot w\le-g\ \text{ where }p_c=0 .

A few cells: list all linear labelings, one cell after another, by linear programs.
More: mixed-integer programs with :math:`\|u_c\|_1+g` as the big constant (Marx, Calmon
and Ustun 2020) for the fewest errors, for the largest churn from the best model within
:math:`B` errors more, and for each cell the fewest errors of a model that turns it
round, from which ambiguity follows at every :math:`B` at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from econlib.churn.rashomon import check_cells
from econlib.programs import Program, SolverError

__all__ = ["MARGIN", "LinearCells", "LinearModel", "linear_labelings", "separator"]

#: Least distance of a score from 0, with weights of at most 1.
MARGIN = 1e-4


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
        What the search proved of its objective.
    """

    labels: Int[np.ndarray, " n_cells"]
    weights: Float[np.ndarray, " n_features"]
    errors: int
    bound: float


def _check_features(U: np.ndarray) -> None:
    if U.ndim != 2 or 0 in U.shape or not np.isfinite(U).all():
        raise ValueError(f"U: shape {U.shape}, expected finite (n_cells, n_features)")
    if (U == 0).all(axis=1).any():
        raise ValueError("U: a cell has no feature; add an intercept")


def linear_labelings(
    U: Float[np.ndarray, "n_cells n_features"], margin: float = MARGIN
) -> Int[np.ndarray, "n_labelings n_cells"]:
    """List every labeling that some linear classifier makes.

    Parameters
    ----------
    U : ndarray, shape (n_cells, n_features)
        Features, with a column of ones for an intercept; at most 30 cells.
    margin : float
        Least distance of scores from 0 with weights in [-1, 1], above 0.

    Returns
    -------
    ndarray of int, shape (n_labelings, n_cells)
        In the order of binary strings.

    Raises
    ------
    ValueError
        Too many cells, a cell without features, or a margin that is not positive.

    Examples
    --------
    >>> linear_labelings(np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])).tolist()
    [[0, 0, 0], [0, 0, 1], [0, 1, 1], [1, 0, 0], [1, 1, 0], [1, 1, 1]]
    """
    _check_features(U)
    if len(U) > 30:
        raise ValueError(f"U: {len(U)} cells, expected at most 30; use LinearCells")
    if not margin > 0:
        raise ValueError(f"margin = {margin}: expected a number above 0")
    known: list[tuple[list[int], np.ndarray]] = [([], np.zeros(U.shape[1]))]
    for k in range(len(U)):
        longer = []
        for labels, w in known:
            for label in (0, 1):
                side = (2 * label - 1) * (U[k] @ w)
                more = np.array([*labels, label])
                at = w if side >= margin else separator(U[: k + 1], more)
                if at is not None:
                    longer.append(([*labels, label], at))
        known = [(h, w) for h, w in longer if _margin(U[: k + 1], h, w) >= margin]
    return np.array([labels for labels, _ in known], dtype=np.int64)


def _margin(U: np.ndarray, labels: list[int], w: np.ndarray) -> float:
    return float(((2 * np.array(labels) - 1) * (U @ w)).min())


def separator(
    U: Float[np.ndarray, "n_cells n_features"], labels: Int[np.ndarray, " n_cells"]
) -> Float[np.ndarray, " n_features"] | None:
    """Weights in [-1, 1] that make some labels with the largest margin.

    Parameters
    ----------
    U : ndarray, shape (n_cells, n_features)
    labels : ndarray of int, shape (n_cells,)
        0 and 1.

    Returns
    -------
    ndarray or None
        None where no linear classifier makes them.
    """
    sign = 2.0 * labels - 1
    n = U.shape[1]
    program = Program(
        np.eye(n + 1)[n],
        np.append(np.full(n, -1.0), 0.0),
        np.ones(n + 1),
        maximise=True,
    )
    program.add_rows(np.column_stack([sign[:, None] * U, -np.ones(len(U))]), 0.0)
    x = program.solve().x
    return x[:n] if x[n] > 1e-9 else None


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
        Seconds for each program; a program that needs more raises SolverError.
    """

    def __init__(
        self,
        U: Float[np.ndarray, "n_cells n_features"],
        counts: Int[np.ndarray, " n_cells"],
        positives: Int[np.ndarray, " n_cells"],
        *,
        margin: float = MARGIN,
        time_limit: float = 60.0,
    ) -> None:
        _check_features(U)
        check_cells(counts, positives)
        if len(U) != len(counts):
            raise ValueError(f"U: {len(U)} cells, expected {len(counts)}")
        if not 1e-5 <= margin <= 1e-2:
            raise ValueError(f"margin = {margin}: expected 1e-5 to 1e-2")
        self.U, self.counts, self.positives = U, counts, positives
        self.margin, self.time_limit = margin, time_limit
        size = np.abs(U).sum(axis=1)
        big = sp.diags_array(-(size + margin))
        self._rows = sp.hstack([sp.csr_array(U), big], format="csr")
        self._low, self._high = -size, np.full(len(U), -margin)
        # errors of labels p are positives.sum() + price @ p
        self._price = (counts - 2 * positives).astype(float)
        self.found: list[LinearModel] = []

    def errors(self, labels: Int[np.ndarray, " n_cells"]) -> int:
        """Rows that a labeling gets wrong."""
        return int(self.positives.sum() + self._price @ labels)

    def _search(
        self,
        price: np.ndarray,
        *,
        maximise: bool,
        most: int | None = None,
        fixed: tuple[int, int] | None = None,
    ) -> LinearModel:
        n = self.U.shape[1]
        cells = len(self.U)
        low = np.append(np.full(n, -1.0), np.zeros(cells))
        high = np.ones(n + cells)
        if fixed is not None:
            low[n + fixed[0]] = high[n + fixed[0]] = fixed[1]
        whole = np.append(np.zeros(n, bool), np.ones(cells, bool))
        program = Program(
            np.append(np.zeros(n), price),
            low,
            high,
            maximise=maximise,
            integer=whole,
            gap=0.0,
            time_limit=self.time_limit,
        )
        program.add_rows(self._rows, self._low, self._high)
        if most is not None:
            row = np.append(np.zeros(n), self._price)[None]
            program.add_rows(row, upper=most - float(self.positives.sum()) + 0.5)
        solution = program.solve()
        w = solution.x[:n]
        score = self.U @ w
        labels = (score > 0).astype(np.int64)
        if (np.abs(score) < self.margin / 2).any() or (
            labels != np.round(solution.x[n:])
        ).any():
            raise SolverError("labels of the weights are not those of the program")
        model = LinearModel(labels, w, self.errors(labels), solution.bound)
        self.found.append(model)
        return model

    def erm(self) -> LinearModel:
        """A model with the fewest errors."""
        return self._search(self._price, maximise=False)

    def discrepancy(
        self, base: Int[np.ndarray, " n_cells"], slack: int
    ) -> tuple[float, LinearModel]:
        """Largest churn from a baseline within some errors more.

        Parameters
        ----------
        base : ndarray of int, shape (n_cells,)
            Labels of the baseline.
        slack : int
            Errors allowed over the baseline's, 0 or more.

        Returns
        -------
        float
            Share of rows.
        LinearModel
            A model that attains it.
        """
        if slack < 0:
            raise ValueError(f"slack = {slack}: expected an integer, 0 or more")
        price = self.counts * (1.0 - 2.0 * base)
        most = self.errors(base) + slack
        model = self._search(price, maximise=True, most=most)
        differ = self.counts @ (model.labels != base)
        return float(differ / self.counts.sum()), model

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
        """
        if slack < 0:
            raise ValueError(f"slack = {slack}: expected an integer, 0 or more")
        own = self.errors(base)
        costs = np.full(len(base), np.inf)
        for c in range(len(base)):
            try:
                model = self._search(
                    self._price,
                    maximise=False,
                    most=own + slack,
                    fixed=(c, 1 - int(base[c])),
                )
            except SolverError as error:
                if "nfeasible" not in str(error):
                    raise
                continue
            costs[c] = model.errors - own
        return costs
