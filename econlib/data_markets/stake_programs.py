r"""The Bayesian optimum for private stakes as a linear program, a check without theory.

Symmetric buyers have stakes on :math:`K` equally likely cells with left edges
:math:`L_k`; a mechanism says with which probability :math:`d_s[k,r]` a buyer of cell
:math:`k`, facing rivals in cells :math:`r`, is told state :math:`s` when it is true,
and which wrong signals it gets on average.  With prior :math:`\theta`, accuracies
:math:`x=\sum_s\theta_sd_s` and interim surplus :math:`e_k`,

.. math::

   \max\ n\,\sum_kc_k\,e_k\quad\text{s.t.}\quad e_0\ge0,\ e_k\le e_{k+1},\quad
   \theta_s\bar\pi_{ss}(k)\ge\theta_j\bar\pi_{js}(k)\ \ \forall s,j ,

where :math:`c_k=\frac1K\big(L_k(K-k)-L_{k+1}(K-k-1)\big)` collects envelope payments.
Its solution is a mechanism of the continuous market, so its value approaches the
optimum from below.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from econlib.data_markets.competition import check_market
from econlib.programs import Program
from econlib.valuations import Marginal

__all__ = ["MAX_PROFILES", "StakeProgram", "solve_stakes"]

#: Largest number of profiles times states that a program takes.
MAX_PROFILES = 60_000


@dataclass(frozen=True)
class StakeProgram:
    """An optimal symmetric mechanism on cells.

    Attributes
    ----------
    revenue : float
        Total of all buyers; a lower bound of the continuous optimum.
    accuracy : ndarray, shape (n_cells,) * n_buyers
        :math:`x`, own cell first.
    interim : ndarray, shape (n_cells, n_states, n_states)
        Interim experiments.
    seconds : float
        Wall-clock time.
    """

    revenue: float
    accuracy: Float[np.ndarray, "..."]
    interim: Float[np.ndarray, "n_cells n_states n_states"]
    seconds: float


def solve_stakes(
    law: Marginal,
    alpha: float,
    prior: Float[np.ndarray, " n_states"],
    *,
    n_buyers: int = 2,
    n_cells: int = 10,
) -> StakeProgram:
    """Optimal symmetric Bayesian mechanism on cells.

    Parameters
    ----------
    law : Marginal
        Law of every stake.
    alpha : float
        Strength of the externality, 0 or more.
    prior : ndarray, shape (n_states,)
        Common prior; two or more positive probabilities that sum to one.
    n_buyers : int
        2 or more.
    n_cells : int
        Cells a buyer, 2 or more; ``n_states * n_cells**n_buyers`` at most 60 000.

    Raises
    ------
    ValueError
        A market that is none, or one that does not fit; the message gives its size.
    """
    prior = np.asarray(prior, dtype=float)
    check_market(n_buyers, alpha, float(prior.max(initial=0.0)))
    if len(prior) < 2 or (prior <= 0).any() or abs(prior.sum() - 1) > 1e-9:
        raise ValueError(
            f"prior = {prior.tolist()}: expected two or more positive probabilities "
            "that sum to one"
        )
    if n_cells < 2:
        raise ValueError(f"n_cells = {n_cells}: expected an integer, 2 or more")
    n_states, size = len(prior), len(prior) * n_cells**n_buyers
    if size > MAX_PROFILES:
        raise ValueError(
            f"n_cells = {n_cells}: {size} profiles and states, more than "
            f"{MAX_PROFILES}. Lower n_cells or n_buyers"
        )
    # columns: told[s, profile], then interim[k, j, s], then surplus[k]
    shape = (n_cells,) * n_buyers
    n_told = n_states * n_cells**n_buyers
    n_interim = n_cells * n_states**2
    n_vars = n_told + n_interim + n_cells
    told = np.arange(n_told).reshape(n_states, *shape)
    interim = n_told + np.arange(n_interim).reshape(n_cells, n_states, n_states)
    gain = n_told + n_interim + np.arange(n_cells)

    edges = np.append(law.ppf(np.arange(n_cells) / n_cells), 0.0)
    left = n_cells - np.arange(n_cells)
    cost = np.zeros(n_vars)
    cost[gain] = n_buyers * (edges[:-1] * left - edges[1:] * (left - 1)) / n_cells
    lower = np.zeros(n_vars)
    upper = np.ones(n_vars)
    upper[gain] = np.inf
    program = Program(cost, lower, upper, maximise=True)

    rows = _Rows(n_vars)
    share = 1.0 / n_cells ** (n_buyers - 1)
    for k in range(n_cells):
        for s in range(n_states):  # the diagonal of the interim experiment
            rows.add([(interim[k, s, s], -1.0)], (told[s, k].ravel(), share), 0.0, 0.0)
            rows.add([(interim[k, s, j], 1.0) for j in range(n_states)], None, 1.0, 1.0)
        for s, j in product(range(n_states), repeat=2):
            if s != j:
                obeyed = [(interim[k, s, s], prior[s]), (interim[k, j, s], -prior[j])]
                rows.add(obeyed, None, 0.0, np.inf)
        mine = [(interim[k, s, s], prior[s]) for s in range(n_states)]
        theirs = [  # this buyer in any place among a rival's rivals
            told[s].take(k, axis=place).ravel()
            for s in range(n_states)
            for place in range(1, n_buyers)
        ]
        each = np.repeat(prior, (n_buyers - 1) * n_cells ** (n_buyers - 1))
        rows.add(
            [(gain[k], -1.0), *mine],
            (np.concatenate(theirs), -alpha * each * share / (n_buyers - 1)),
            float(prior.max()) - alpha,
            float(prior.max()) - alpha,
        )
        if k:
            rows.add([(gain[k], 1.0), (gain[k - 1], -1.0)], None, 0.0, np.inf)
    program.add_rows(*rows.stacked())
    found = program.solve()
    accuracy = np.tensordot(prior, found.x[told], axes=1)
    return StakeProgram(found.objective, accuracy, found.x[interim], found.seconds)


class _Rows:
    """Rows of a program, gathered as coordinates."""

    def __init__(self, n_vars: int) -> None:
        self.n_vars, self.low, self.high = n_vars, [], []
        self.at, self.columns, self.values = [], [], []

    def add(self, few: list, many: tuple | None, low: float, high: float) -> None:
        """Add one row from single entries and an array of them."""
        columns = np.array([c for c, _ in few])
        values = np.array([v for _, v in few], dtype=float)
        if many is not None:
            columns = np.concatenate([columns, many[0]])
            values = np.concatenate([values, np.broadcast_to(many[1], len(many[0]))])
        self.at.append(np.full(len(columns), len(self.low)))
        self.columns.append(columns)
        self.values.append(values)
        self.low.append(low)
        self.high.append(high)

    def stacked(self) -> tuple[sp.csr_matrix, np.ndarray, np.ndarray]:
        """Matrix and bounds."""
        parts = (np.concatenate(x) for x in (self.values, self.at, self.columns))
        values, at, columns = parts
        matrix = sp.coo_matrix((values, (at, columns)), (len(self.low), self.n_vars))
        return matrix.tocsr(), np.array(self.low, float), np.array(self.high, float)
