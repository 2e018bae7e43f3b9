r"""How much a state loses by deterministic menus: the program over all lotteries.

For finitely many types :math:`i` with values :math:`v_i(T)` and probabilities
:math:`w_i` the best mechanism, lotteries allowed, for one buyer of a sequence is

.. math::

   \max_{q,u\ge0}\ \sum_iw_i\Big(\sum_Tq_i(T)\big(v_i(T)+\phi(T)\big)-u_i\Big)
   \quad\text{s.t.}\quad
   u_i\ge u_j+\sum_Tq_j(T)\big(v_i(T)-v_j(T)\big),\quad\sum_Tq_i(T)=1,

with :math:`\phi(T)` the worth of what is left.  Its value bounds what any menu earns
from these types.

For uniform types on a box a bound of the *continuous* problem comes from the same
program on cells.  Averages over a cell stand in for what its types get, and
:math:`\mathbb E[q_jx_j]\le\bar q_j\bar x_j+\tfrac h2\bar q_j(1-\bar q_j)` in a cell of
width :math:`h`: the most that a lottery of mean :math:`\bar q_j` can be worth when it
goes to the cell's highest types.  These gains are variables, below tangents of the
parabola, so that the bound is rigorous for every number of cells.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from econlib.programs import Program

__all__ = [
    "Lotteries",
    "best_lotteries",
    "best_menu_on_grid",
    "box_types",
    "cell_bound",
]

_ROUNDS = 400
_TANGENTS = np.linspace(0.0, 1.0, 9)
_MOST_TYPES = 1000


@dataclass(frozen=True)
class Lotteries:
    """Best mechanism for one buyer of finitely many types.

    Attributes
    ----------
    value : float
        Payment plus what is left, expected.
    bound : float
        The same from the dual, an upper bound.
    allocations : ndarray, shape (n_types, n_options)
        Probability of each option.
    utilities : ndarray, shape (n_types,)
        Of each type.
    residual : float
        Largest violation of a row.
    n_rows : int
        Rows at the end, most incentive constraints never being needed.
    """

    value: float
    bound: float
    allocations: Float[np.ndarray, "n_types n_options"]
    utilities: Float[np.ndarray, " n_types"]
    residual: float
    n_rows: int


def box_types(
    tops: tuple[float | int, ...], n_cells: int
) -> tuple[Float[np.ndarray, "n_types n_items"], Float[np.ndarray, " n_types"]]:
    """Middles of the cells of a box, and their probabilities.

    Parameters
    ----------
    tops : tuple of float
        Largest value of each item, the least being 0.
    n_cells : int
        Cells a side, 2 or more, at most 1000 in all.
    """
    if n_cells < 2 or n_cells ** len(tops) > _MOST_TYPES:
        raise ValueError(
            f"n_cells = {n_cells}: expected 2 or more, at most {_MOST_TYPES} in all"
        )
    middles = (np.arange(n_cells) + 0.5) / n_cells
    types = np.array(list(itertools.product(*(b * middles for b in tops))))
    return types, np.full(len(types), 1 / len(types))


def best_lotteries(
    values: Float[np.ndarray, "n_types n_options"],
    weights: Float[np.ndarray, " n_types"],
    after: Float[np.ndarray, " n_options"],
) -> Lotteries:
    """Best mechanism over all lotteries.

    Parameters
    ----------
    values : ndarray, shape (n_types, n_options)
        Of each option to each type, the first option's 0.
    weights : ndarray, shape (n_types,)
        Probabilities.
    after : ndarray, shape (n_options,)
        Worth of what is left when an option is taken.

    Raises
    ------
    ValueError
        Shapes that do not agree, or a first option that is worth something.
    SolverError
        The program was not solved.

    Examples
    --------
    >>> one = np.array([[0.0, 0.25], [0.0, 0.75]])
    >>> round(best_lotteries(one, np.array([0.5, 0.5]), np.zeros(2)).value, 6)
    0.375
    """
    return _solve(values, weights, after, None, None)


def cell_bound(
    tops: tuple[float | int, ...],
    n_cells: int,
    after: Float[np.ndarray, " n_options"],
) -> Lotteries:
    """Upper bound for additive values that are uniform on a box, lotteries allowed.

    Parameters
    ----------
    tops : tuple of float
        Largest value of each item, above 0.
    n_cells : int
        Cells a side, 2 or more, at most 1000 in all; 8 for two items take a second.
    after : ndarray, shape (2 ** n_items,)
        Worth of what is left, by mask of the bundle that is taken.
    """
    types, weights = box_types(tops, n_cells)
    m = len(tops)
    holds = ((np.arange(2**m)[:, None] >> np.arange(m)) & 1).astype(float)
    widths = np.array(tops, float) / n_cells
    return _solve(types @ holds.T, weights, after, holds, widths)


def _solve(
    values: np.ndarray,
    weights: np.ndarray,
    after: np.ndarray,
    holds: np.ndarray | None,
    widths: np.ndarray | None,
) -> Lotteries:
    """Variables: allocations by type, utilities, then the gains within cells."""
    n, k = values.shape
    if weights.shape != (n,) or after.shape != (k,) or np.any(values[:, 0] != 0):
        raise ValueError(
            f"values, weights, after: shapes {values.shape}, {weights.shape}, "
            f"{after.shape}, first option worth {values[:, 0].max()}; expected (n, k), "
            "(n,), (k,) and 0"
        )
    m = 0 if widths is None else len(widths)
    cost = np.concatenate(
        [(weights[:, None] * (values + after)).ravel(), -weights, np.repeat(weights, m)]
    )
    upper = np.concatenate([np.ones(n * k), np.full(n + n * m, np.inf)])
    program = Program(cost, 0.0, upper, maximise=True)
    total = sp.kron(sp.eye(n), np.ones((1, k)))
    rest = sp.csr_matrix((n, n + n * m))
    program.add_rows(sp.hstack([total, rest]).tocsr(), 1.0, 1.0)
    for j in range(m):  # gain <= tangents of h/2 q (1 - q)
        q_j = sp.kron(sp.eye(n), holds[:, j][None])
        place = sp.csr_matrix((np.ones(1), ([0], [j])), shape=(1, m))
        gain = sp.kron(sp.eye(n), place)
        for q in _TANGENTS:
            rows = [-(widths[j] / 2) * (1 - 2 * q) * q_j, sp.csr_matrix((n, n)), gain]
            program.add_rows(sp.hstack(rows).tocsr(), upper=widths[j] / 2 * q**2)

    def violated(x: np.ndarray) -> tuple | None:
        q, u = x[: n * k].reshape(n, k), x[n * k : n * k + n]
        offer = u - x[n * k + n :].reshape(n, m).sum(axis=1)  # utility at its middle
        less = offer - (q * values).sum(axis=1)
        gap = values @ q.T + less - u[:, None]  # (type, option taken by another)
        np.fill_diagonal(gap, -np.inf)
        worst = np.argsort(-gap, axis=1)[:, :2]
        i, j = np.repeat(np.arange(n), 2), worst.ravel()
        bad = gap[i, j] > 1e-9
        if not bad.any():
            return None
        i, j = i[bad], j[bad]
        row = np.arange(len(i))
        data = [(values[i] - values[j]).ravel(), np.ones(len(i)), -np.ones(len(i))]
        rows = [np.repeat(row, k), row, row]
        columns = [(j[:, None] * k + np.arange(k)).ravel(), n * k + j, n * k + i]
        if m:
            data.append(-np.ones(len(i) * m))
            rows.append(np.repeat(row, m))
            columns.append((n * k + n + j[:, None] * m + np.arange(m)).ravel())
        entries = np.concatenate(data), (np.concatenate(rows), np.concatenate(columns))
        matrix = sp.csr_matrix(entries, shape=(len(i), len(cost)))
        return matrix, np.full(len(i), -np.inf), np.zeros(len(i))

    found = program.solve(violated, max_rounds=_ROUNDS)
    return Lotteries(
        found.objective,
        found.bound,
        found.x[: n * k].reshape(n, k),
        found.x[n * k : n * k + n],
        found.primal_residual,
        found.n_rows,
    )


def best_menu_on_grid(
    values: Float[np.ndarray, "n_types 4"],
    weights: Float[np.ndarray, " n_types"],
    after: Float[np.ndarray, " 4"],
    *,
    by_size: bool = False,
) -> tuple[float, Float[np.ndarray, " 4"]]:
    """Best deterministic menu for two items, found by trying all that can be best.

    Some best prices are reached from the empty bundle by a chain of bundles between
    which some type is indifferent: so every price of an item is some type's value of
    it, or that of the other item or of both plus a difference of values.  Ties are the
    seller's.

    Parameters
    ----------
    values, weights, after
        As for :func:`best_lotteries`; nothing, item 1, item 2, both.  For values on
        grids of one step the chains stay on a grid, which is what is tried.
    by_size : bool
        Whether both items must cost the same.

    Returns
    -------
    value : float
        Payment plus what is left.
    prices : ndarray, shape (4,)
        Of the options.
    """
    step = np.diff(np.unique(values[:, 1:3].round(12))).min() / 2
    one, two, both = (
        step * np.arange(np.rint(values[:, k].max() / step) + 2) for k in (1, 2, 3)
    )
    best, prices = -np.inf, np.zeros(4)
    for p1 in one:
        for p2 in [p1] if by_size else two:
            p = np.zeros((len(both), 4))
            p[:, 1], p[:, 2], p[:, 3] = p1, p2, both
            utility = values - p[:, None]
            x = p + after
            tie = utility >= utility.max(axis=-1, keepdims=True) - 1e-12
            w = np.where(tie, x[:, None], -np.inf).max(axis=-1) @ weights
            k = int(w.argmax())
            if w[k] > best:
                best, prices = float(w[k]), p[k]
    return best, prices
