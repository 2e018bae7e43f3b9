r"""The market maker's problem as a linear program over utilities at points.

.. math::

   \max_{u,g}\ \sum_i m_iu_i\quad\text{s.t.}\quad
   u_j\ge u_i+g_i\cdot(p_j-p_i),\quad -1\le g_i\le1,\quad u_i\ge0 .

Its solution is a menu: the trade of point :math:`i` is :math:`g_i` at
:math:`g_i\cdot p_i-u_i`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float
from scipy.spatial import cKDTree

from econlib.market_makers.measures import Measure, finite_elements, upper_measure
from econlib.market_makers.model import Menu, check_belief
from econlib.market_makers.polygons import Regions, menu_regions
from econlib.programs import Program
from econlib.valuations import Valuation

__all__ = [
    "Primal",
    "Sandwich",
    "lp_menu",
    "richardson",
    "sandwich",
    "solve_primal",
    "upper_bound",
]

_TOLERANCE = 1e-8
_BLOCK = 2_000


@dataclass(frozen=True)
class Primal:
    """Solution of the program.

    Attributes
    ----------
    value : float
        Its objective.
    bound : float
        The duals' safe bound: no utility with 0 at the belief does better, whatever
        the solver's residuals.
    utilities : ndarray, shape (n_points,)
        Utility of each point.
    slopes : ndarray, shape (n_points, n_items)
        Trade of each point.
    max_violation : float
        Largest violation over all pairs of points.
    n_rows, n_rounds : int
        Rows at the end, and solves.
    seconds : float
        Wall-clock time.
    """

    value: float
    bound: float
    utilities: Float[np.ndarray, " n_points"]
    slopes: Float[np.ndarray, "n_points n_items"]
    max_violation: float
    n_rows: int
    n_rounds: int
    seconds: float


def solve_primal(measure: Measure, c: object, *, max_rounds: int = 30) -> Primal:
    """Solve the program on a measure's points, adding violated pairs until none is.

    Parameters
    ----------
    measure : Measure
        Points and masses.
    c : float or sequence of float
        The belief; it enters the safe bound alone.
    max_rounds : int
        Solves before giving up.

    Returns
    -------
    Primal
        All pairs hold to 1e-8.

    Raises
    ------
    SolverError
        The program was not solved.
    """
    p, m = measure.points, measure.masses
    n, d = p.shape
    c = check_belief(c, d, -np.inf, np.inf)
    lower = np.concatenate([np.zeros(n), -np.ones(n * d)])
    # Masses sum to -1, so that an optimum is 0 somewhere, and slopes are at most 1:
    # no utility exceeds the points' diameter. Stops early rounds from being unbounded.
    upper = np.concatenate([np.full(n, np.ptp(p, axis=0).sum()), np.ones(n * d)])
    cost = np.concatenate([m, np.zeros(n * d)])
    program = Program(cost, lower, upper, maximise=True)
    near = min(n, {1: 3, 2: 13}.get(d, 27))
    # in coordinates in which the grid is even, however sheared or flat the support is
    spread = np.atleast_2d(np.cov(p.T))
    even = np.linalg.solve(np.linalg.cholesky(spread), p.T).T
    _, neighbours = cKDTree(even).query(even, k=near, p=np.inf)
    first, second = np.repeat(np.arange(n), near - 1), neighbours[:, 1:].ravel()
    program.add_rows(_pair_rows(p, first, second), 0.0)

    def violated(x: np.ndarray):
        i, j, _ = _violations(p, x[:n], x[n:].reshape(n, d))
        return (
            (_pair_rows(p, i, j), np.zeros(len(i)), np.inf * np.ones(len(i)))
            if len(i)
            else None
        )

    found = program.solve(violated, max_rounds)
    u, g = found.x[:n], found.x[n:].reshape(n, d)
    *_, worst = _violations(p, u, g)
    # A best utility is 0 at c (lemma), hence at most ||x - c||_1; it lies in this box.
    reach = np.abs(p - c).sum(axis=1)
    box = np.concatenate([reach, np.ones(n * d)])
    bound = program.safe_bound(found.duals, lower, box)
    return Primal(
        value=found.objective,
        bound=bound,
        utilities=u,
        slopes=g,
        max_violation=worst,
        n_rows=found.n_rows,
        n_rounds=found.n_rounds,
        seconds=found.seconds,
    )


def _pair_rows(p: np.ndarray, i: np.ndarray, j: np.ndarray) -> sp.csr_matrix:
    """Rows of u_j - u_i - g_i (p_j - p_i), one a pair."""
    n, d = p.shape
    row = np.arange(len(i))
    rows = np.concatenate([row, row, np.repeat(row, d)])
    slopes = (n + i[:, None] * d + np.arange(d)).ravel()
    columns = np.concatenate([j, i, slopes])
    one = np.ones(len(i))
    data = np.concatenate([one, -one, -(p[j] - p[i]).ravel()])
    return sp.csr_matrix((data, (rows, columns)), shape=(len(i), n * (d + 1)))


def _violations(
    p: np.ndarray, u: np.ndarray, g: np.ndarray, most: int = 3
) -> tuple[np.ndarray, np.ndarray, float]:
    """The worst violated pairs of each point, over all pairs, and the worst of all."""
    own = u - (g * p).sum(axis=1)
    firsts, seconds, worst = [], [], 0.0
    for start in range(0, len(p), _BLOCK):
        block = slice(start, start + _BLOCK)
        excess = g[block] @ p.T + own[block, None] - u
        worst = max(worst, float(excess.max()))
        top = np.argpartition(-excess, min(most, len(p) - 1), axis=1)[:, :most]
        values = np.take_along_axis(excess, top, axis=1)
        i, k = np.nonzero(values > _TOLERANCE)
        firsts.append(i + start)
        seconds.append(top[i, k])
    return np.concatenate(firsts), np.concatenate(seconds), worst


def lp_menu(
    primal: Primal, measure: Measure, law: Valuation, *, n_grid: int = 257
) -> Menu:
    """Menu of a program's solution: distinct trades that somebody takes.

    Parameters
    ----------
    primal, measure : Primal, Measure
        The solution and its points.
    law : Valuation
        Law of the types.
    n_grid : int
        Points a side of the grid of types that must take a trade for it to stay.

    Returns
    -------
    Menu
        Trades that differ by more than 1e-6.
    """
    slopes = np.clip(primal.slopes, -1, 1)
    payments = (slopes * measure.points).sum(axis=1) - primal.utilities
    rounded = np.round(np.column_stack([slopes, payments]), 6)
    _, first = np.unique(rounded, axis=0, return_index=True)
    menu = Menu(slopes[first], payments[first]).with_no_trade()
    axis = np.linspace(0, 1, n_grid if law.n_items < 3 else 33)
    mesh = np.meshgrid(*[axis] * law.n_items, indexing="ij")
    types = law.from_unit(np.stack(mesh, axis=-1).reshape(-1, law.n_items))
    taken = np.zeros(len(menu), bool)
    for block in np.array_split(types, max(1, len(types) * len(menu) // 10**7)):
        taken[np.argmax(block @ menu.allocations.T - menu.payments, axis=1)] = True
    taken[0] = False
    return Menu(menu.allocations[taken], menu.payments[taken])


def upper_bound(law: Valuation, c: object, lam: float, n: int) -> float:
    """Bound no menu's profit exceeds; see :func:`~.measures.upper_measure`."""
    return solve_primal(upper_measure(law, c, lam, n), c).bound


def richardson(coarse: float, fine: float) -> float:
    """Extrapolate two values of error :math:`O(h^2)`, the second at half the step.

    An estimate, not a bound.
    """
    return (4 * fine - coarse) / 3


@dataclass(frozen=True)
class Sandwich:
    """Optimal profit between two numbers.

    Attributes
    ----------
    lower : float
        Profit of ``menu``, evaluated exactly.
    estimate : float
        Value of the finite-element program.
    upper : float
        Bound of :func:`upper_bound`.
    menu : Menu
        The program's menu.
    regions : Regions
        Who chooses what from it.
    """

    lower: float
    estimate: float
    upper: float
    menu: Menu
    regions: Regions


def sandwich(law: Valuation, c: object, lam: float, n: int) -> Sandwich:
    """Bracket the optimal profit for two goods.

    Parameters
    ----------
    law : Valuation
        Law of the types, of two items.
    c : float or sequence of float
        Belief, finite.
    lam : float
        Weight of the trader's value, [0, 1).
    n : int
        Cells a side of both programs.

    Returns
    -------
    Sandwich
        ``lower <= optimum <= upper``.
    """
    c = check_belief(c, law.n_items, -np.inf, np.inf)
    measure = finite_elements(law, c, lam, n)
    primal = solve_primal(measure, c)
    menu = lp_menu(primal, measure, law)
    regions = menu_regions(menu, law, c, lam)
    bound = upper_bound(law, c, lam, n)
    return Sandwich(regions.profit, primal.value, bound, menu, regions)
