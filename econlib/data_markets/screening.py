r"""The best menu for finitely many types of one buyer, as a linear program.

Types :math:`t` have weight :math:`f_t`, belief :math:`\theta_t`, stake :math:`v_t`.

.. math::

   \max_{\pi,p}\ \sum_tf_tp_t\quad\text{s.t.}\quad
   U_t\ge v_t\sum_s\sum_k\theta_{tk}u_{k\sigma(s)}\pi_{t'ks}-p_{t'}
   \quad\forall t,t',\sigma,\qquad U_t\ge V^{out}_t ,

with :math:`U_t=v_t\sum_s\sum_k\theta_{tk}u_{ks}\pi_{tks}-p_t` the value of telling the
truth and obeying, and :math:`\sigma` any map from signals to actions: a lie may be
followed by disobedience, and :math:`t'=t` is obedience by itself.  There are
:math:`n^2m^m` such rows, of which few matter: they are added as they are violated,
with :math:`\sigma(s)` the best answer to :math:`s`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from econlib.data_markets.experiments import (
    check_beliefs,
    check_payoffs,
    check_stakes,
    concentration_gap,
    experiment_value,
    outside_option,
)
from econlib.programs import Program

__all__ = [
    "Item",
    "Screening",
    "deviation_gain",
    "grid_types",
    "items",
    "screening",
    "structure",
]


@dataclass(frozen=True)
class Screening:
    """An optimal menu for finitely many types.

    Attributes
    ----------
    experiments : ndarray, shape (n_types, n_states, n_actions)
        What each type buys.
    prices : ndarray, shape (n_types,)
        What each type pays.
    weights : ndarray, shape (n_types,)
        Probability of each type.
    revenue : float
        Expected payment.
    bound : float
        Value of a dual solution: no menu for these types earns more, whatever the
        accuracy of the solver.
    participation, incentive : ndarray
        Duals of the outside options, shape (n_types,), and of the rows in ``binding``.
    binding : ndarray, shape (n_rows, 2)
        Type and report of each incentive row that was added.
    largest_gain : float
        Most that any type gains from any report and action map, or from staying out.
    n_rounds : int
        How often the program was solved.
    seconds : float
        Wall-clock time.
    """

    experiments: Float[np.ndarray, "n_types n_states n_actions"]
    prices: Float[np.ndarray, " n_types"]
    weights: Float[np.ndarray, " n_types"]
    revenue: float
    bound: float
    participation: Float[np.ndarray, " n_types"]
    incentive: Float[np.ndarray, " n_rows"]
    binding: Int[np.ndarray, "n_rows 2"]
    largest_gain: float
    n_rounds: int
    seconds: float


@dataclass(frozen=True)
class Item:
    """One product of a menu.

    Attributes
    ----------
    experiment : ndarray, shape (n_states, n_actions)
        The signal.
    price : float
        Mean price at which it is sold.
    mass : float
        Probability of the types that buy it.
    """

    experiment: Float[np.ndarray, "n_states n_actions"]
    price: float
    mass: float


def grid_types(
    beliefs: Float[np.ndarray, " n_beliefs"],
    belief_weights: Float[np.ndarray, " n_beliefs"],
    stakes: Float[np.ndarray, " n_stakes"],
    stake_weights: Float[np.ndarray, " n_stakes"],
) -> tuple[
    Float[np.ndarray, "n_types 2"],
    Float[np.ndarray, " n_types"],
    Float[np.ndarray, " n_types"],
]:
    """All pairs of a two-state belief and a stake: beliefs, stakes, weights."""
    θ = np.repeat(beliefs, len(stakes))
    v = np.tile(stakes, len(beliefs))
    return np.stack([θ, 1 - θ], 1), v, np.outer(belief_weights, stake_weights).ravel()


def screening(
    beliefs: object,
    weights: object,
    stakes: object = None,
    payoffs: object = None,
    *,
    max_variables: int = 20_000,
    max_rounds: int = 300,
) -> Screening:
    r"""Solve the program of this module.

    Parameters
    ----------
    beliefs : array_like, shape (n_types, n_states)
        :math:`\theta`, rows sum to 1.
    weights : array_like, shape (n_types,)
        :math:`f`, 0 or more, sum 1.
    stakes : array_like, shape (n_types,), optional
        :math:`v`, 0 or more; 1 where left out.
    payoffs : array_like, optional
        Rewards for matching, shape (n_states,), or :math:`u`, shape
        (n_states, n_actions); matching by default.
    max_variables : int
        Largest program that is started: it has
        n_types (n_states (n_actions - 1) + 1) variables.
    max_rounds : int
        How often violated rows are added.

    Returns
    -------
    Screening
        Optimal within 1e-7.

    Raises
    ------
    ValueError
        Beliefs or weights that do not sum to one, negative stakes or rewards, or a
        program that is too large; all before anything is solved.
    SolverError
        HiGHS's status, or rows still violated after ``max_rounds``.

    Examples
    --------
    >>> menu = screening([[0.2, 0.8], [0.7, 0.3]], [0.5, 0.5])
    >>> round(menu.revenue, 6), menu.prices.round(6).tolist()
    (0.23, [0.16, 0.3])
    """
    θ = check_beliefs(beliefs)
    n, m = θ.shape
    v, u = check_stakes(stakes, n), check_payoffs(payoffs, m)
    f = np.asarray(weights, dtype=float)
    if f.shape != (n,):
        raise ValueError(f"weights: shape {f.shape}, expected ({n},)")
    if not np.isfinite(f).all() or f.min() < 0 or abs(f.sum() - 1) > 1e-8:
        raise ValueError(f"weights: sum {f.sum():.6g}: expected 0 or more, sum 1")
    n_act = u.shape[1]
    size = m * (n_act - 1) + 1
    if n * size > max_variables:
        raise ValueError(
            f"{n} types need {n * size} variables: expected at most {max_variables}. "
            f"Try {max_variables // size} types or fewer"
        )
    rows = _Rows(θ, v, u)
    top = float((v * (np.abs(θ @ np.abs(u))).max(axis=1)).max()) + 1
    lower = np.tile(np.append(np.zeros(size - 1), -2 * top), n)
    upper = np.tile(np.append(np.ones(size - 1), 2 * top), n)
    cost = np.zeros(n * size)
    cost[size - 1 :: size] = f
    # weights differ by orders of magnitude: scaled, so that tolerances are relative
    scale = 1.0 / f.max()
    program = Program(cost * scale, lower, upper, maximise=True)
    out = outside_option(θ, v, u)
    own = rows.obedient.reshape(n, -1)
    program.add_rows(
        sp.block_diag([r[None] for r in own], format="csr"),
        out - rows.constant_obedient,
    )
    if n_act > 2:  # the last signal's probability is not negative
        one = np.zeros((m, size))
        for k in range(m):
            one[k, k * (n_act - 1) : (k + 1) * (n_act - 1)] = 1
        program.add_rows(sp.block_diag([one] * n, format="csr"), -np.inf, 1.0)
    added: list[np.ndarray] = []

    def violated(x: np.ndarray) -> tuple | None:
        t, r, matrix, low = rows.violated(x.reshape(n, size))
        if not len(t):
            return None
        added.append(np.stack([t, r], 1))
        return matrix, low, np.full(len(t), np.inf)

    solution = program.solve(violated, max_rounds=max_rounds)
    x = solution.x.reshape(n, size)
    π, p = rows.experiments(x), x[:, -1]
    first = n + (n * m if n_act > 2 else 0)
    duals = solution.duals / scale
    bound = program.safe_bound(solution.duals, lower, upper) / scale
    return Screening(
        experiments=π,
        prices=p,
        weights=f,
        revenue=float(f @ p),
        bound=float(bound),
        participation=duals[:n],
        incentive=duals[first:],
        binding=np.concatenate(added) if added else np.empty((0, 2), int),
        largest_gain=deviation_gain(π, p, θ, v, u),
        n_rounds=solution.n_rounds,
        seconds=solution.seconds,
    )


class _Rows:
    """Incentive rows over variables: all signals but the last, then the price."""

    def __init__(self, θ: np.ndarray, v: np.ndarray, u: np.ndarray) -> None:
        self.θ, self.v, self.u = θ, v, u
        self.n, self.m = θ.shape
        self.n_act = u.shape[1]
        every = np.tile(np.arange(self.n_act), (self.n, 1))
        value, self.constant_obedient = self._value(np.arange(self.n), every)
        self.obedient = np.concatenate([value, -np.ones((self.n, 1))], axis=1)

    def _value(self, t: np.ndarray, σ: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients and constant of what types ``t`` get from a report under σ."""
        each = self.u[:, σ].transpose(1, 0, 2)  # (row, state, signal): u[k, σ(s)]
        each = each * (self.v[t, None] * self.θ[t])[:, :, None]
        less = each[:, :, :-1] - each[:, :, -1:]
        return less.reshape(len(t), self.m * (self.n_act - 1)), each[:, :, -1].sum(
            axis=1
        )

    def experiments(self, x: np.ndarray) -> np.ndarray:
        """Experiments of all types, the last signal filled in."""
        π = x[:, :-1].reshape(self.n, self.m, self.n_act - 1).clip(0, 1)
        last = 1 - π.sum(axis=2, keepdims=True)
        return np.concatenate([π, last.clip(0, 1)], axis=2)

    def violated(
        self, x: np.ndarray, tolerance: float = 1e-8, most: int = 3
    ) -> tuple[np.ndarray, np.ndarray, sp.csr_matrix, np.ndarray]:
        """The worst few reports of each type: type, report, rows, lower bounds."""
        π, p = self.experiments(x), x[:, -1]
        told = (self.obedient * x).sum(axis=1) + self.constant_obedient
        worth = self.v[:, None] * experiment_value(π, self.θ, None, self.u)
        gain = worth - p[None] - told[:, None]
        best = np.argsort(-gain, axis=1)[:, :most]
        t, place = np.nonzero(np.take_along_axis(gain, best, 1) > tolerance)
        r = best[t, place]
        signals = [
            np.einsum("nk,ka,nk->na", self.θ[t], self.u, π[r, :, s])
            for s in range(self.n_act)
        ]
        σ = np.stack([w.argmax(axis=1) for w in signals], 1)
        value, constant = self._value(t, σ)
        size = self.m * (self.n_act - 1) + 1
        report = np.concatenate([value, -np.ones((len(t), 1))], axis=1)
        line = np.repeat(np.arange(len(t)), size)
        column = np.arange(size)
        data = np.concatenate([self.obedient[t].ravel(), -report.ravel()])
        at = np.concatenate(
            [(t[:, None] * size + column).ravel(), (r[:, None] * size + column).ravel()]
        )
        matrix = sp.csr_matrix(
            (data, (np.concatenate([line, line]), at)), (len(t), self.n * size)
        )
        return t, r, matrix, constant - self.constant_obedient[t]


def deviation_gain(
    experiments: Float[np.ndarray, "n_types n_states n_actions"],
    prices: Float[np.ndarray, " n_types"],
    beliefs: Float[np.ndarray, "n_types n_states"],
    stakes: Float[np.ndarray, " n_types"] | None = None,
    payoffs: object = None,
) -> float:
    """Most that a type gains by lying and disobeying, or by staying out.

    Truth is the value of obeying: a direct audit, by the values of experiments and not
    by the program's rows.
    """
    θ = check_beliefs(beliefs)
    v, u = check_stakes(stakes, len(θ)), check_payoffs(payoffs, θ.shape[1])
    truth = v * np.einsum("tk,ks,tks->t", θ, u, experiments) - prices
    lie = (experiment_value(experiments, θ, v, u) - prices).max(axis=1)
    return float((np.maximum(lie, outside_option(θ, v, u)) - truth).max())


def items(
    menu: Screening, *, least_price: float = 1e-6, tolerance: float = 1e-3
) -> list[Item]:
    """The different products that are sold, the most sold first.

    Parameters
    ----------
    menu : Screening
        A solution.
    least_price : float
        Types that pay less buy nothing.
    tolerance : float
        Two experiments whose entries differ by less are one product.
    """
    found: list[list] = []
    for π, p, f in zip(menu.experiments, menu.prices, menu.weights, strict=True):
        if p < least_price or f <= 0:
            continue
        for entry in found:
            if np.abs(entry[0] - π).max() < tolerance:
                entry[1] += f * p
                entry[2] += f
                break
        else:
            found.append([π, f * p, f])
    sold = [Item(π, float(paid / mass), float(mass)) for π, paid, mass in found]
    return sorted(sold, key=lambda item: -item.mass)


def structure(menu: Screening) -> tuple[int, bool, float]:
    """Products sold, whether full information is one, largest concentration gap."""
    sold = items(menu)
    n_states = menu.experiments.shape[1]
    has_full = any(
        item.experiment.shape == (n_states, n_states)
        and np.abs(item.experiment - np.eye(n_states)).max() < 1e-3
        for item in sold
    )
    gaps = concentration_gap(np.stack([item.experiment for item in sold]))
    return len(sold), has_full, float(gaps.max())
