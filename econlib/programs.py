r"""Linear and mixed-integer programs by HiGHS, with duals, residuals and safe bounds.

.. math::

   \min_x\ \text{or}\ \max_x\ c^\top x \quad\text{s.t.}\quad
   r^{lo} \le A x \le r^{up},\qquad \ell \le x \le w .

A modelling language is right for one program written once; this room is for programs
that are assembled from arrays, solved by the thousand, or grown by violated rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import highspy
import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float

__all__ = ["Program", "Solution", "SolverError", "solve"]

_INF = highspy.kHighsInf


class SolverError(RuntimeError):
    """A program was not solved; the message gives HiGHS's status and the residual."""


@dataclass(frozen=True)
class Solution:
    """An optimal solution and how good it is.

    Attributes
    ----------
    x : ndarray, shape (n_vars,)
        The solution.
    objective : float
        Its value.
    duals : ndarray, shape (n_rows,)
        Change of the optimal value for a unit of each active row bound; empty for a
        mixed-integer program.
    reduced_costs : ndarray, shape (n_vars,)
        The same for variable bounds.
    bound : float
        For a linear program, the value of the duals, a bound on the optimum up to
        ``dual_residual`` times the size of ``x``; for a mixed-integer program, the
        bound of the search.
    primal_residual : float
        Largest violation of a row, a variable bound or integrality.
    dual_residual : float
        Largest entry of :math:`c - A^\top y - z`; 0 for a mixed-integer program.
    n_rows, n_rounds : int
        Rows at the end, and how often the program was solved while rows were added.
    seconds : float
        Wall-clock time.
    """

    x: Float[np.ndarray, " n_vars"]
    objective: float
    duals: Float[np.ndarray, " n_rows"]
    reduced_costs: Float[np.ndarray, " n_vars"]
    bound: float
    primal_residual: float
    dual_residual: float
    n_rows: int
    n_rounds: int
    seconds: float

    @property
    def gap(self) -> float:
        """Distance between objective and bound."""
        return abs(self.objective - self.bound)


class Program:
    """A program that can grow by rows and is then solved again from where it was.

    Parameters
    ----------
    cost : ndarray, shape (n_vars,)
        Objective coefficients.
    lower, upper : ndarray, shape (n_vars,), or float
        Variable bounds; infinite ones allowed.
    maximise : bool
        Whether the objective is maximised.
    integer : ndarray of bool, shape (n_vars,), optional
        Variables that must be whole.
    method : {"choose", "simplex", "ipm"}
        HiGHS's solver; "ipm" suits large programs that are solved once.
    gap : float
        Relative gap at which a mixed-integer search stops, 0 or more.
    tolerance : float
        Largest violation of a row, a dual sign or integrality, 1e-10 to 1e-3.
    time_limit : float
        Seconds for each solve.
    presolve : bool
        Whether the program is made smaller first.

    Raises
    ------
    ValueError
        A coefficient that is not finite, or shapes that do not agree.

    Notes
    -----
    One thread. A program keeps its basis: adding violated rows and solving again is a
    few dual simplex steps.
    """

    def __init__(
        self,
        cost: Float[np.ndarray, " n_vars"],
        lower: Float[np.ndarray, " n_vars"] | float = 0.0,
        upper: Float[np.ndarray, " n_vars"] | float = np.inf,
        *,
        maximise: bool = False,
        integer: Bool[np.ndarray, " n_vars"] | None = None,
        method: str = "choose",
        gap: float = 1e-9,
        tolerance: float = 1e-9,
        time_limit: float = np.inf,
        presolve: bool = True,
    ) -> None:
        self.cost = np.asarray(cost, dtype=float)
        if self.cost.ndim != 1:
            raise ValueError(f"cost: shape {self.cost.shape}, expected (n_vars,)")
        n_vars = len(self.cost)
        self.lower = np.broadcast_to(np.asarray(lower, float), n_vars).copy()
        self.upper = np.broadcast_to(np.asarray(upper, float), n_vars).copy()
        if not np.isfinite(self.cost).all():
            raise ValueError("cost: expected finite numbers")
        if np.isnan(self.lower).any() or np.isnan(self.upper).any():
            raise ValueError("lower, upper: expected numbers, not NaN")
        if (self.lower > self.upper).any():
            j = int(np.argmax(self.lower > self.upper))
            raise ValueError(f"lower[{j}] exceeds upper[{j}]: no value is left")
        self.maximise = maximise
        self.integer = integer
        self._matrices: list[sp.csr_matrix] = []
        self._row_lower: list[np.ndarray] = []
        self._row_upper: list[np.ndarray] = []
        self._highs = highspy.Highs()
        for name, value in {
            "output_flag": False,
            "threads": 1,
            "solver": method,
            "mip_rel_gap": gap,
            "time_limit": time_limit,
            "presolve": "on" if presolve else "off",
            "mip_feasibility_tolerance": max(tolerance, 1e-10),
            "primal_feasibility_tolerance": tolerance,
            "dual_feasibility_tolerance": tolerance,
        }.items():
            self._highs.setOptionValue(name, value)
        none = np.empty(0)
        self._highs.addCols(
            n_vars,
            self.cost,
            np.where(np.isinf(self.lower), -_INF, self.lower),
            np.where(np.isinf(self.upper), _INF, self.upper),
            0,
            none.astype(np.int32),
            none.astype(np.int32),
            none,
        )
        if maximise:
            self._highs.changeObjectiveSense(highspy.ObjSense.kMaximize)
        if integer is not None:
            columns = np.flatnonzero(integer).astype(np.int32)
            kinds = np.full(len(columns), highspy.HighsVarType.kInteger)
            self._highs.changeColsIntegrality(len(columns), columns, kinds)

    def add_rows(
        self,
        rows: sp.spmatrix | sp.sparray | Float[np.ndarray, "n_rows n_vars"],
        lower: Float[np.ndarray, " n_rows"] | float = -np.inf,
        upper: Float[np.ndarray, " n_rows"] | float = np.inf,
    ) -> None:
        """Add rows ``lower <= rows @ x <= upper``."""
        rows = sp.csr_matrix(rows)
        if rows.shape[1] != len(self.cost):
            raise ValueError(
                f"rows has {rows.shape[1]} columns: expected {len(self.cost)}"
            )
        low = np.broadcast_to(np.asarray(lower, float), rows.shape[0]).copy()
        high = np.broadcast_to(np.asarray(upper, float), rows.shape[0]).copy()
        nan = np.isnan(low).any() or np.isnan(high).any()
        if nan or not np.isfinite(rows.data).all():
            raise ValueError("rows, lower, upper: expected finite rows, no NaN")
        self._highs.addRows(
            rows.shape[0],
            np.where(np.isinf(low), -_INF, low),
            np.where(np.isinf(high), _INF, high),
            rows.nnz,
            rows.indptr[:-1].astype(np.int32),
            rows.indices.astype(np.int32),
            rows.data.astype(float),
        )
        self._matrices.append(rows)
        self._row_lower.append(low)
        self._row_upper.append(high)

    def solve(
        self,
        violated: Callable[
            [np.ndarray], tuple[sp.csr_matrix, np.ndarray, np.ndarray] | None
        ]
        | None = None,
        max_rounds: int = 50,
    ) -> Solution:
        """Solve, adding rows that a solution violates until none is.

        Parameters
        ----------
        violated : callable, optional
            Takes ``x`` and returns further rows with their bounds, or None where ``x``
            violates none.
        max_rounds : int
            How often rows are added before giving up, 1 or more.

        Returns
        -------
        Solution
            Optimal for all rows.

        Raises
        ------
        SolverError
            Infeasible, unbounded, out of time, or rows still violated at the end.
        """
        start = time.perf_counter()
        for n_rounds in range(1, max_rounds + 1):
            x = self._run()
            more = violated(x) if violated is not None else None
            if more is None:
                return self._solution(x, n_rounds, time.perf_counter() - start)
            self.add_rows(*more)
        raise SolverError(f"rows are still violated after {max_rounds} rounds")

    def _run(self) -> np.ndarray:
        self._highs.run()
        status = self._highs.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            text = self._highs.modelStatusToString(status)
            worst = self._highs.getInfo().max_primal_infeasibility
            raise SolverError(f"HiGHS: {text}; largest primal violation {worst:.2g}")
        return np.asarray(self._highs.getSolution().col_value, dtype=float)

    def _solution(self, x: np.ndarray, n_rounds: int, seconds: float) -> Solution:
        n_vars = len(self.cost)
        if self._matrices:
            rows = sp.vstack(self._matrices, format="csr")
            low, high = np.concatenate(self._row_lower), np.concatenate(self._row_upper)
        else:
            rows, low, high = sp.csr_matrix((0, n_vars)), np.empty(0), np.empty(0)
        activity = rows @ x
        gaps = [low - activity, activity - high, self.lower - x, x - self.upper]
        primal = max((float(g.max()) for g in gaps if g.size), default=0.0)
        objective = float(self.cost @ x)
        if self.integer is not None and self.integer.any():
            whole = x[self.integer]
            primal = max(primal, float(np.abs(whole - np.round(whole)).max()))
            bound, dual = float(self._highs.getInfo().mip_dual_bound), 0.0
            duals, reduced = np.empty(0), np.empty(n_vars)
        else:
            found = self._highs.getSolution()
            duals = np.asarray(found.row_dual, dtype=float)
            reduced = np.asarray(found.col_dual, dtype=float)
            dual = float(np.abs(self.cost - rows.T @ duals - reduced).max(initial=0.0))
            sign = -1.0 if self.maximise else 1.0
            bound = _value(duals, low, high, sign)
            bound += _value(reduced, self.lower, self.upper, sign)
        return Solution(
            x=x,
            objective=objective,
            duals=duals,
            reduced_costs=reduced,
            bound=bound,
            primal_residual=max(primal, 0.0),
            dual_residual=dual,
            n_rows=rows.shape[0],
            n_rounds=n_rounds,
            seconds=seconds,
        )

    def safe_bound(
        self,
        duals: Float[np.ndarray, " n_rows"],
        lower: Float[np.ndarray, " n_vars"],
        upper: Float[np.ndarray, " n_vars"],
    ) -> float:
        r"""Bound the optimum by any duals, given a finite box that holds an optimum.

        For a maximum it is
        :math:`\sum_i y_i r_i + \sum_j \max_{\ell_j\le x_j\le w_j}(c-A^\top y)_jx_j`,
        whatever the residual of ``duals`` is; duals of a sign that no active bound
        carries are dropped first.

        Parameters
        ----------
        duals : ndarray, shape (n_rows,)
            From a solution.
        lower, upper : ndarray, shape (n_vars,)
            A finite box, within the variable bounds, known to hold an optimal ``x``.

        Returns
        -------
        float
            An upper bound when maximising, a lower bound when minimising.
        """
        rows = sp.vstack(self._matrices, format="csr")
        low, high = np.concatenate(self._row_lower), np.concatenate(self._row_upper)
        sign = -1.0 if self.maximise else 1.0
        y = np.where(sign * duals > 0, duals * np.isfinite(low), duals)
        y = np.where(sign * y < 0, y * np.isfinite(high), y)
        slack = self.cost - rows.T @ y
        box = np.where(sign * slack > 0, lower, upper)
        return float(_value(y, low, high, sign) + slack @ box)


def _value(y: np.ndarray, low: np.ndarray, high: np.ndarray, sign: float) -> float:
    """Sum of duals times the bound that each of them prices."""
    at = np.where(sign * y > 0, low, high)
    used = np.abs(y) > 0
    return float(y[used] @ np.where(np.isfinite(at[used]), at[used], 0.0))


def solve(
    cost: Float[np.ndarray, " n_vars"],
    rows: sp.spmatrix | sp.sparray | Float[np.ndarray, "n_rows n_vars"],
    row_lower: Float[np.ndarray, " n_rows"] | float = -np.inf,
    row_upper: Float[np.ndarray, " n_rows"] | float = np.inf,
    lower: Float[np.ndarray, " n_vars"] | float = 0.0,
    upper: Float[np.ndarray, " n_vars"] | float = np.inf,
    **options: object,
) -> Solution:
    """Solve one program; ``options`` are those of :class:`Program`.

    Examples
    --------
    >>> import numpy as np
    >>> s = solve(np.array([1.0, 2.0]), np.array([[1.0, 1.0]]), row_upper=1.0,
    ...           maximise=True)
    >>> s.objective, s.x.tolist(), s.duals.tolist()
    (2.0, [0.0, 1.0], [2.0])
    """
    program = Program(cost, lower, upper, **options)
    program.add_rows(rows, row_lower, row_upper)
    return program.solve()
