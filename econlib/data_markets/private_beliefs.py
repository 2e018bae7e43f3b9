r"""Two competing buyers with private beliefs: the optimum by linear programming.

Stakes are one, states two; each buyer privately believes in state 1 with probability
:math:`\theta\sim F`.  On :math:`K` beliefs with weights :math:`w`, the buyer of type
:math:`k` facing type :math:`l` gets :math:`a[k,l]=\pi_{11}`, :math:`b[k,l]=\pi_{22}`.
With interim means :math:`\bar a_k=\sum_lw_la[k,l]` for oneself and
:math:`\tilde a_k=\sum_lw_la[l,k]` for the rival,

.. math::

   U_k=\theta_k\bar a_k+(1-\theta_k)\bar b_k
   -\alpha\big(\theta_k\tilde a_k+(1-\theta_k)\tilde b_k\big)-p_k ,

and with the outside option :math:`o_k=\max(\theta_k,1-\theta_k)` obedience asks
:math:`\theta_k\bar a_k+(1-\theta_k)\bar b_k\ge o_k`, participation
:math:`U_k\ge o_k-\alpha`; each report :math:`m` comes with four action rules: obey,
always the one or the other action, or the opposite of the recommendation (*double
deviations*).  No closed form is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from econlib.programs import Program

__all__ = [
    "BeliefMarket",
    "deviations",
    "extrapolated",
    "solve_beliefs",
    "uniform_beliefs",
]

#: Largest number of beliefs that a program takes.
MAX_BELIEFS = 200


@dataclass(frozen=True)
class BeliefMarket:
    """An optimal symmetric mechanism on a grid of beliefs.

    Attributes
    ----------
    theta, weights : ndarray, shape (n_types,)
        Beliefs in state 1 and their probabilities.
    alpha : float
        Strength of the externality.
    own, rival : ndarray, shape (n_types, 2)
        Interim :math:`\\pi_{11},\\pi_{22}` of oneself and of the rival, by own report.
    experiments : ndarray, shape (n_types, n_types, 2)
        :math:`\\pi_{11},\\pi_{22}` by own and rival type.
    payments : ndarray, shape (n_types,)
        Interim payments.
    revenue : float
        Total of both buyers.
    bound : float
        Value of the program's duals: no mechanism on this grid earns more.
    regret : float
        Largest gain of any report and any action rule, by enumeration.
    seconds : float
        Wall-clock time of the program.
    """

    theta: Float[np.ndarray, " n_types"]
    weights: Float[np.ndarray, " n_types"]
    alpha: float
    own: Float[np.ndarray, "n_types 2"]
    rival: Float[np.ndarray, "n_types 2"]
    experiments: Float[np.ndarray, "n_types n_types 2"]
    payments: Float[np.ndarray, " n_types"]
    revenue: float
    bound: float
    regret: float
    seconds: float


def uniform_beliefs(
    n_types: int,
) -> tuple[Float[np.ndarray, " n_types"], Float[np.ndarray, " n_types"]]:
    """Midpoints of equal cells of [0, 1], and their weights."""
    if n_types < 2:
        raise ValueError(f"n_types = {n_types}: expected an integer, 2 or more")
    return (np.arange(n_types) + 0.5) / n_types, np.full(n_types, 1.0 / n_types)


def deviations(
    theta: Float[np.ndarray, " n_types"],
    own: Float[np.ndarray, "n_reports 2"],
    rival: Float[np.ndarray, "n_reports 2"],
    payments: Float[np.ndarray, " n_reports"],
    alpha: float,
) -> Float[np.ndarray, "4 n_types n_reports"]:
    """Payoffs of each type from each report, by action rule.

    Returns
    -------
    ndarray, shape (4, n_types, n_reports)
        Obey, always action 1, always action 2, the opposite; by type and report.
    """
    belief = np.stack([theta, 1 - theta], axis=1)
    obey = belief @ own.T
    one, two = np.broadcast_arrays(theta[:, None], (1 - theta)[:, None])
    n = len(own)
    rules = np.stack(
        [obey, np.repeat(one, n, axis=1), np.repeat(two, n, axis=1), 1 - obey]
    )
    return rules - (alpha * belief @ rival.T + payments)


def solve_beliefs(
    theta: Float[np.ndarray, " n_types"],
    weights: Float[np.ndarray, " n_types"],
    alpha: float,
    *,
    double_deviations: bool = True,
    continuum: bool = False,
) -> BeliefMarket:
    """Optimal symmetric mechanism for two buyers.

    Parameters
    ----------
    theta : ndarray, shape (n_types,)
        Increasing beliefs in [0, 1]; at most 200.
    weights : ndarray, shape (n_types,)
        Their positive probabilities, which sum to one.
    alpha : float
        Strength of the externality, 0 or more.
    double_deviations : bool
        Whether a liar may also disobey; without it the program is a relaxation, and
        ``regret`` says what it misses.
    continuum : bool
        Whether each belief stands for the cell of [0, 1] around it whose probability
        is its weight, under the uniform law: constraints then hold at both ends of
        every cell, hence for all beliefs, since they are linear in between.  The
        revenue is that of a mechanism for the continuous market.

    Returns
    -------
    BeliefMarket
        Optimal on this grid; a grid of midpoints is biased upwards by about 1/K, and
        ``continuum`` downwards.

    Raises
    ------
    ValueError
        Beliefs or weights that are none, or more types than fit.

    Notes
    -----
    Where grid and weights are symmetric about 1/2, so is an optimum, and half of the
    program is solved.  Incentive rows are added as they are violated.
    """
    theta, weights = _checked(theta, weights, alpha)
    mirrored = np.allclose(theta + theta[::-1], 1) and np.allclose(
        weights, weights[::-1]
    )
    if continuum and len(theta) % 2:
        raise ValueError(
            f"theta: {len(theta)} cells: expected an even number, so that 1/2 is an end"
        )
    layout = _Layout(theta, weights, alpha, bool(mirrored), continuum)
    program = Program(
        layout.cost(), layout.lower(), layout.upper(), maximise=True, tolerance=1e-9
    )
    layout.add_means(program)
    layout.add_obedience_and_participation(program)
    layout.add_local_incentives(program)
    found = program.solve(
        lambda x: layout.violated(x, double_deviations), max_rounds=400
    )
    own, rival, paid = layout.interim(found.x)
    gains, truth = layout.gains(found.x)
    return BeliefMarket(
        theta,
        weights,
        alpha,
        own,
        rival,
        layout.experiments(found.x),
        paid,
        float(2 * weights @ paid),
        found.bound,
        float((gains.max(axis=0) - truth).max()),
        found.seconds,
    )


def _checked(theta, weights, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    theta, weights = np.asarray(theta, float), np.asarray(weights, float)
    n = len(theta)
    if not 2 <= n <= MAX_BELIEFS:
        raise ValueError(
            f"theta: {n} beliefs, whose program has {2 * n * n} experiments; expected "
            f"2 to {MAX_BELIEFS} beliefs"
        )
    if theta.min() < 0 or theta.max() > 1 or (np.diff(theta) <= 0).any():
        raise ValueError("theta: expected increasing beliefs in [0, 1]")
    bad = weights.shape != theta.shape or (weights <= 0).any()
    if bad or abs(weights.sum() - 1) > 1e-9:
        raise ValueError(
            f"weights: shape {weights.shape}, sum {weights.sum():.6g}: expected "
            f"{n} positive probabilities that sum to one"
        )
    if not 0 <= alpha < np.inf:
        raise ValueError(f"alpha = {alpha}: expected a number, 0 or more")
    return theta, weights


class _Layout:
    """Columns: experiments, then interim means of oneself and the rival, payments.

    In a mirrored market only :math:`a` has columns, and
    :math:`b[k,l]=a[K-1-k,K-1-l]`, :math:`p_k=p_{K-1-k}`.
    """

    def __init__(self, theta, weights, alpha, mirrored, continuum) -> None:
        self.theta, self.weights, self.alpha = theta, weights, alpha
        self.reports = np.arange(len(theta))  # of the types that are constrained
        if continuum:
            ends = np.concatenate([[0.0], np.cumsum(weights)])
            self.theta = np.stack([ends[:-1], ends[1:]], axis=1).ravel()
            self.reports = np.repeat(self.reports, 2)
        self.mirrored, self.n = mirrored, len(theta)
        n, kinds = self.n, 1 if mirrored else 2
        self.n_tables = kinds * n * n
        at = self.n_tables + np.arange(kinds * n).reshape(kinds, n)
        back = np.arange(n)[::-1]
        self.own = np.stack([at[0], at[0][back] if mirrored else at[1]], axis=1)
        at = at + kinds * n
        self.rival = np.stack([at[0], at[0][back] if mirrored else at[1]], axis=1)
        first = self.n_tables + 2 * kinds * n
        k = np.arange(n)
        self.pay = first + (np.minimum(k, n - 1 - k) if mirrored else k)
        self.n_vars = int(self.pay.max()) + 1
        half = self.reports < (n + 1) // 2
        self.types = np.flatnonzero(half | (not mirrored))
        self.kinds = kinds

    def cost(self) -> np.ndarray:
        """Objective coefficients."""
        cost = np.zeros(self.n_vars)
        np.add.at(cost, self.pay, 2 * self.weights)
        return cost

    def lower(self) -> np.ndarray:
        """Lower bounds of the columns."""
        low = np.zeros(self.n_vars)
        low[self.pay] = -np.inf
        return low

    def upper(self) -> np.ndarray:
        """Upper bounds of the columns."""
        high = np.ones(self.n_vars)
        high[self.pay] = np.inf
        return high

    def add_means(self, program: Program) -> None:
        """Rows that tie interim means to the tables."""
        n = self.n
        table = np.arange(n * n).reshape(n, n)
        entry = (np.repeat(np.arange(n), n), np.tile(self.weights, n))
        for kind in range(self.kinds):
            for columns, means in (
                (table, self.own[:, kind]),
                (table.T, self.rival[:, kind]),
            ):
                rows = sp.coo_matrix(
                    (entry[1], (entry[0], columns.ravel() + kind * n * n)),
                    shape=(n, self.n_vars),
                ).tolil()
                rows[np.arange(n), means] = -1.0
                program.add_rows(rows.tocsr(), 0.0, 0.0)

    def _payoff(self, types, reports, rule: int) -> tuple[sp.csr_matrix, np.ndarray]:
        """Rows and constants of payoffs from reports under an action rule."""
        m, at = len(types), np.arange(len(types))
        belief = np.stack([self.theta[types], 1 - self.theta[types]], axis=1)
        sign = {0: 1.0, 1: 0.0, 2: 0.0, 3: -1.0}[rule]
        constant = [0.0, belief[:, 0], belief[:, 1], 1.0][rule] + np.zeros(m)
        rows, columns, values = [], [], []
        for kind in (0, 1):
            rows += [at, at]
            columns += [self.own[reports, kind], self.rival[reports, kind]]
            values += [sign * belief[:, kind], -self.alpha * belief[:, kind]]
        rows.append(at)
        columns.append(self.pay[reports])
        values.append(-np.ones(m))
        matrix = sp.coo_matrix(
            (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))),
            shape=(m, self.n_vars),
        )
        return matrix.tocsr(), constant

    def add_obedience_and_participation(self, program: Program) -> None:
        """Rows of every constrained type for the truth."""
        t = self.types
        best = np.maximum(self.theta, 1 - self.theta)[t]
        rows, constant = self._payoff(t, self.reports[t], 0)
        program.add_rows(rows, best - self.alpha - constant)
        at = np.tile(np.arange(len(t)), 2)
        own = sp.coo_matrix(
            (
                np.concatenate([self.theta[t], 1 - self.theta[t]]),
                (at, self.own[self.reports[t]].T.ravel()),
            ),
            shape=(len(t), self.n_vars),
        )
        program.add_rows(own.tocsr(), best)

    def add_local_incentives(self, program: Program) -> None:
        """Rows against the neighbouring reports, obeyed."""
        pairs = [
            (k, m)
            for k in self.types
            for m in (self.reports[k] - 1, self.reports[k] + 1)
            if 0 <= m < self.n
        ]
        program.add_rows(*self._incentives(np.array(pairs), 0))

    def _incentives(self, pairs: np.ndarray, rule: int):
        truth, _ = self._payoff(pairs[:, 0], self.reports[pairs[:, 0]], 0)
        lie, constant = self._payoff(pairs[:, 0], pairs[:, 1], rule)
        return (truth - lie).tocsr(), constant, np.full(len(pairs), np.inf)

    def violated(self, x: np.ndarray, double_deviations: bool):
        """Rows of every type's worst reports under each action rule."""
        gains, truth = self.gains(x)
        blocks = []
        for rule in range(4 if double_deviations else 1):
            excess = (gains[rule] - truth)[self.types]
            pairs = []
            for r, k in enumerate(self.types):
                worst = np.argsort(excess[r])[::-1][:3]
                pairs += [(k, m) for m in worst if excess[r, m] > 1e-8]
            if pairs:
                blocks.append(self._incentives(np.array(pairs), rule))
        if not blocks:
            return None
        rows, low, high = zip(*blocks, strict=True)
        return sp.vstack(rows).tocsr(), np.concatenate(low), np.concatenate(high)

    def gains(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Payoffs by rule, type and report, and each type's from truth, a column."""
        gains = deviations(self.theta, *self.interim(x), self.alpha)
        at = np.arange(len(self.theta))
        return gains, gains[0][at, self.reports][:, None]

    def interim(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Interim experiments of oneself and the rival, and payments."""
        return x[self.own], x[self.rival], x[self.pay]

    def experiments(self, x: np.ndarray) -> np.ndarray:
        """Experiments by own and rival type."""
        n = self.n
        a = x[: n * n].reshape(n, n)
        b = a[::-1, ::-1] if self.mirrored else x[n * n : 2 * n * n].reshape(n, n)
        return np.stack([a, b], axis=-1)


def extrapolated(coarse: float, fine: float) -> float:
    """Limit of values on K and 2K beliefs whose error falls as 1/K."""
    return 2 * fine - coarse
