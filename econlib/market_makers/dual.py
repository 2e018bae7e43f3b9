r"""The dual: optimal transport with a geometric constraint on the plan's marginals.

.. math::

   \min_{\gamma\ge0}\ \sum_{ij}\gamma_{ij}\|p_i-p_j\|_1\quad\text{s.t.}\quad
   \gamma_1-\gamma_2\ \succeq\ \mu ,

where :math:`\succeq` lets mass be spread out: :math:`\beta_{ij}\ge0` moves mass from
:math:`p_i` to :math:`p_j` with :math:`\sum_j\beta_{ij}(p_j-p_i)=0`.  Three versions
differ in what happens to the unit of mass that :math:`\mu_0` lacks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from econlib.market_makers.measures import Measure
from econlib.market_makers.model import check_belief
from econlib.market_makers.primal import Primal
from econlib.programs import solve

__all__ = ["VARIANTS", "Dual", "slackness", "solve_dual"]

VARIANTS = ("multiplier", "belief", "frozen")


@dataclass(frozen=True)
class Dual:
    """A transport plan and what it proves.

    Attributes
    ----------
    value : float
        Cost of the plan.
    plan : scipy.sparse matrix, shape (n_points, n_points)
        Mass moved from one point to another at cost.
    spreads : scipy.sparse matrix, shape (n_points, n_points)
        Mass spread at no cost.
    multiplier : ndarray, shape (n_points,)
        Multiplier of u >= 0, of mass 1; for the other variants the point mass at the
        belief.
    residual : float
        Largest violation of the dual's equations.
    """

    value: float
    plan: sp.csr_matrix
    spreads: sp.csr_matrix
    multiplier: Float[np.ndarray, " n_points"]
    residual: float


def solve_dual(measure: Measure, c: object, variant: str = "multiplier") -> Dual:
    r"""Solve the transport program on a measure's points.

    Parameters
    ----------
    measure : Measure
        Points and masses; about 200 points at most, since all pairs are variables.
    c : float or sequence of float
        The belief; a point of the grid for the last two variants.
    variant : {"multiplier", "belief", "frozen"}
        The missing unit of mass is ``multiplier``: put anywhere, at choice; ``belief``:
        put at :math:`c`, and mass may also move directly away from it; ``frozen``: put
        at :math:`c` and the plain convex order asked for.

    Returns
    -------
    Dual
        An optimal plan.

    Raises
    ------
    ValueError
        Unknown variant, too many points, or a belief off the grid where it must be on.
    """
    p, m = measure.points, measure.masses
    n, d = p.shape
    if variant not in VARIANTS:
        raise ValueError(
            f"variant = {variant!r}: expected one of {', '.join(VARIANTS)}"
        )
    if n > 700:
        raise ValueError(f"{n} points: expected at most 700, all pairs being variables")
    c = check_belief(c, d, -np.inf, np.inf)
    i, j = np.divmod(np.arange(n * n), n)
    off = i != j
    i, j = i[off], j[off]
    step, at = p[j] - p[i], np.arange(len(i))
    one = np.ones(len(i))
    shape = (n, len(i))
    flow = sp.csr_matrix((one, (i, at)), shape) - sp.csr_matrix((one, (j, at)), shape)
    balance = sp.vstack(
        [sp.csr_matrix((step[:, k], (i, at)), shape) for k in range(d)], format="csr"
    )
    target = m.copy()
    centre = np.flatnonzero(np.abs(p - c).max(axis=1) < 1e-12)
    if variant != "multiplier":
        if not len(centre):
            raise ValueError(
                f"c = {c.tolist()}: expected a point of the grid for {variant!r}. "
                "Try n=10 and c a multiple of 0.1."
            )
        target[centre[0]] += 1.0
    if variant == "multiplier":
        extra = -sp.identity(n, format="csr")
    elif variant == "belief":
        # δ_x - δ_c: mass moved directly away from c
        away = sp.lil_matrix(sp.identity(n))
        away[centre[0]] -= np.ones(n)
        extra = -sp.csr_matrix(away)
    else:
        extra = sp.csr_matrix((n, 0))
    n_extra = extra.shape[1]
    rows = sp.bmat(
        [[flow, flow, extra], [None, balance, sp.csr_matrix((n * d, n_extra))]],
        format="csr",
    )
    right = np.concatenate([target, np.zeros(n * d)])
    cost = np.concatenate([np.abs(step).sum(axis=1), np.zeros(len(i) + n_extra)])
    found = solve(cost, rows, right, right)
    γ, β, rest = np.split(found.x, [len(i), 2 * len(i)])
    multiplier = rest if variant == "multiplier" else np.zeros(n)
    if variant != "multiplier":
        multiplier[centre[0]] = 1.0
    return Dual(
        value=found.objective,
        plan=sp.csr_matrix((γ, (i, j)), (n, n)),
        spreads=sp.csr_matrix((β, (i, j)), (n, n)),
        multiplier=multiplier,
        residual=found.primal_residual,
    )


def slackness(primal: Primal, dual: Dual, measure: Measure) -> dict[str, float]:
    r"""Complementary slackness of a primal and a dual solution.

    Returns
    -------
    dict of str to float
        ``transport``: mass-weighted sum of :math:`\|x-y\|_1-(u(x)-u(y))` over the plan;
        ``spread``: gain of utility over the spreads, 0 where it is affine;
        ``multiplier``: utility under the multiplier. All are 0 at an optimum.
    """
    u, p = primal.utilities, measure.points
    plan, spreads = dual.plan.tocoo(), dual.spreads.tocoo()
    cost = np.abs(p[plan.row] - p[plan.col]).sum(axis=1)
    drop = u[plan.row] - u[plan.col]
    rise = u[spreads.col] - u[spreads.row]
    return {
        "transport": float(plan.data @ (cost - drop)),
        "spread": float(spreads.data @ rise),
        "multiplier": float(dual.multiplier @ u),
    }
