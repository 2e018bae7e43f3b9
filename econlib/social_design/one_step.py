r"""An economy of one step with closed forms: workers, an income tax, an equal rebate.

A worker of skill :math:`w` who earns :math:`z` under a tax :math:`T` has

.. math::

   u=c-\frac{(z/w)^{k}}{k},\qquad k=1+\frac1e,\qquad
   c=z-T(z)+\bar T ,

with :math:`\bar T` the mean tax and :math:`e` the elasticity of income.  Under a
marginal rate :math:`\tau` everywhere she earns :math:`z=w^{1+e}(1-\tau)^e`, so that
relative incomes do not depend on it.  Under brackets that start at
:math:`0=b_0<b_1<\dots` with rates :math:`\tau_k`, the best income within one is

.. math:: z_k=\mathrm{clip}\big(w^{1+e}(1-\tau_k)^e,\ b_k,\ b_{k+1}\big),

and she takes the best of these: exact also where rates fall and the budget is not
convex.  The rebate shifts all choices alike and changes none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize_scalar

from econlib.social_design import welfare

__all__ = [
    "OBJECTIVES",
    "OneStep",
    "Outcome",
    "rate_grid",
    "simple_labor_skills",
    "us_federal",
]

#: What a policy may be chosen for, from utilities and consumption.
OBJECTIVES: dict[str, Callable] = {
    "eq_prod": lambda u, c: welfare.eq_prod(c),
    "min": lambda u, c: u.min(axis=-1),
    "mean": lambda u, c: u.mean(axis=-1),
    "nash": lambda u, c: welfare.power_mean(u, 0),
    "inverse_income": lambda u, c: welfare.inverse_income(c, u),
}


@dataclass(frozen=True)
class Outcome:
    """What workers do under a tax, and what comes of it.

    Attributes
    ----------
    incomes : ndarray, shape (..., n)
        Before tax.
    taxes : ndarray, shape (..., n)
        Before the rebate; negative where a schedule subsidises.
    consumption : ndarray, shape (..., n)
        After tax and rebate.
    utilities : ndarray, shape (..., n)
    """

    incomes: Float[np.ndarray, "*n_schedules n"]
    taxes: Float[np.ndarray, "*n_schedules n"]
    consumption: Float[np.ndarray, "*n_schedules n"]
    utilities: Float[np.ndarray, "*n_schedules n"]

    def value(self, objective: str | int | float) -> float | np.ndarray:
        """Objective by name, or the power mean of utilities by its exponent."""
        if not isinstance(objective, str):
            return welfare.power_mean(self.utilities, objective)
        if objective not in OBJECTIVES:
            raise ValueError(
                f"objective = {objective!r}: expected one of {', '.join(OBJECTIVES)}, "
                "or the exponent of a power mean"
            )
        return OBJECTIVES[objective](self.utilities, self.consumption)

    def measures(self) -> dict[str, float | np.ndarray]:
        """Productivity, equality, their product, least and mean utility."""
        c, u = self.consumption, self.utilities
        return {
            "productivity": c.sum(axis=-1),
            "equality": welfare.equality(c),
            "eq_prod": welfare.eq_prod(c),
            "min_utility": u.min(axis=-1),
            "mean_utility": u.mean(axis=-1),
        }


class OneStep:
    """Workers and their elasticity.

    Parameters
    ----------
    skills : sequence of float, shape (n,)
        Above 0, in any order.
    elasticity : float
        Of income in the share that is kept, (0, 10].

    Raises
    ------
    ValueError
        No worker, a skill that is not positive, or an elasticity out of range.

    Examples
    --------
    >>> economy = OneStep([1, 1.5, 2, 3, 5], 0.5)
    >>> economy.linear(0.0).incomes.round(3).tolist()
    [1.0, 1.837, 2.828, 5.196, 11.18]
    """

    def __init__(self, skills: object, elasticity: int | float) -> None:
        w = np.asarray(skills, dtype=float)
        if w.ndim != 1 or w.size == 0 or not (np.isfinite(w) & (w > 0)).all():
            raise ValueError(f"skills = {skills}: expected finite numbers above 0")
        if not 0 < elasticity <= 10:
            raise ValueError(f"elasticity = {elasticity}: expected a number in (0, 10]")
        self.skills, self.elasticity = w, float(elasticity)
        self.power = 1 + 1 / self.elasticity
        self.free_incomes = w ** (1 + self.elasticity)

    def cost(self, incomes: Float[np.ndarray, "*n_schedules n"]) -> np.ndarray:
        r"""Cost of earning, :math:`(z/w)^k/k`, for incomes with workers last."""
        return (incomes / self.skills) ** self.power / self.power

    def outcome(
        self,
        incomes: Float[np.ndarray, "*n_schedules n"],
        taxes: Float[np.ndarray, "*n_schedules n"],
    ) -> Outcome:
        """Give every worker the mean tax, and account."""
        c = incomes - taxes + taxes.mean(axis=-1, keepdims=True)
        return Outcome(incomes, taxes, c, c - self.cost(incomes))

    def respond(self, schedule: object, cutoffs: object = None) -> Outcome:
        """Outcome under one rate, or under rates of brackets.

        Parameters
        ----------
        schedule : float or array_like
            A linear rate, shape (...), where no cut-offs are given; else rates of
            brackets, shape (..., n_brackets).
        cutoffs : array_like, shape (n_brackets,), optional
            Where each bracket starts, as in :meth:`brackets`.

        Returns
        -------
        Outcome
        """
        if cutoffs is None:
            return self.linear(schedule)
        return self.brackets(schedule, cutoffs)

    def linear(self, tau: object) -> Outcome:
        r"""Outcome under one rate, :math:`z=w^{1+e}(1-\tau)^e`.

        Parameters
        ----------
        tau : array_like, shape (...)
            Rates, [0, 1].

        Returns
        -------
        Outcome
            Arrays of shape (..., n).
        """
        τ = np.asarray(tau, dtype=float)
        if not ((τ >= 0) & (τ <= 1)).all():
            raise ValueError(f"tau = {tau}: expected numbers in [0, 1]")
        z = self.free_incomes * (1 - τ[..., None]) ** self.elasticity
        return self.outcome(z, τ[..., None] * z)

    def brackets(self, rates: object, cutoffs: object) -> Outcome:
        """Outcome under brackets, exact, for many schedules at once.

        Parameters
        ----------
        rates : array_like, shape (..., n_brackets)
            Marginal rates, [0, 1], in any order.
        cutoffs : array_like, shape (n_brackets,)
            Where each bracket starts: 0 first, increasing.

        Returns
        -------
        Outcome
            Arrays of shape (..., n). Of incomes that are equally good to a worker she
            takes the lower.

        Raises
        ------
        ValueError
            Rates out of range, or cut-offs that do not fit.

        Notes
        -----
        Powers are taken once for each rate that occurs, bracket and worker; a schedule
        then costs a look-up and an addition each.
        """
        τ, b = np.asarray(rates, dtype=float), check_cutoffs(cutoffs)
        if τ.ndim == 0 or τ.shape[-1] != len(b):
            raise ValueError(
                f"rates: shape {τ.shape}, expected (..., {len(b)}), one a bracket"
            )
        if not ((τ >= 0) & (τ <= 1)).all():
            raise ValueError("rates: expected numbers in [0, 1]")
        flat = τ.reshape(-1, len(b))
        levels, which = np.unique(flat, return_inverse=True)
        which = which.reshape(flat.shape)
        ends = np.append(b[1:], np.inf)
        wish = self.free_incomes * (1 - levels[:, None]) ** self.elasticity
        kept_below = np.zeros((len(flat), 1))  # of the income up to the bracket
        best = np.full((len(flat), len(self.skills)), -np.inf)
        z, kept = np.empty_like(best), np.empty_like(best)
        for k in range(len(b)):
            inside = np.clip(wish, b[k], ends[k])  # (n_levels, n)
            keeps = (1 - levels[:, None]) * (inside - b[k])
            gain = (keeps - self.cost(inside))[which[:, k]] + kept_below
            better = gain > best
            best = np.where(better, gain, best)
            z = np.where(better, inside[which[:, k]], z)
            kept = np.where(better, keeps[which[:, k]] + kept_below, kept)
            if k + 1 < len(b):
                kept_below = kept_below + (1 - flat[:, k : k + 1]) * (b[k + 1] - b[k])
        shape = (*τ.shape[:-1], len(self.skills))
        return self.outcome(z.reshape(shape), (z - kept).reshape(shape))

    def preferred_rates(self) -> Float[np.ndarray, " n"]:
        r"""Linear rate that each worker likes best.

        .. math::

           \tau_i=\frac{1-z_i/\bar z}{1-z_i/\bar z+e}\ \text{ if } z_i<\bar z,
           \text{ else } 0 .

        Utility is single-peaked in the rate, so that the median worker's is a Condorcet
        winner (Meltzer and Richard), and the poorest worker's is best for least
        utility.

        Examples
        --------
        >>> OneStep([1, 1.5, 2, 3, 5], 0.5).preferred_rates().round(4).tolist()
        [0.6073, 0.5384, 0.4175, 0.0, 0.0]
        """
        short = np.maximum(1 - self.free_incomes / self.free_incomes.mean(), 0)
        return short / (short + self.elasticity)

    def best_linear(self, objective: str | int | float) -> tuple[float, float]:
        """Best linear rate for an objective, and its value.

        A search over 2001 rates, then Brent's around the best of them.

        Parameters
        ----------
        objective : str or float
            As in :meth:`Outcome.value`.

        Returns
        -------
        (float, float)
        """
        grid = np.linspace(0, 1, 2001)
        values = self.linear(grid).value(objective)
        at = int(np.argmax(values))
        found = minimize_scalar(
            lambda τ: -float(self.linear(τ).value(objective)),
            bounds=(grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)]),
            method="bounded",
            options={"xatol": 1e-12},
        )
        if -found.fun <= values[at]:  # an end of the interval
            return float(grid[at]), float(values[at])
        return float(found.x), float(-found.fun)

    def best_brackets(
        self,
        rates: Float[np.ndarray, "n_schedules n_brackets"],
        cutoffs: object,
        objective: str | int | float,
    ) -> tuple[Float[np.ndarray, " n_brackets"], float]:
        """Best of the schedules given, and its value; the first of several.

        Parameters are those of :meth:`brackets` and :meth:`Outcome.value`.
        """
        best, value = None, -np.inf
        size = max(1, 4_000_000 // len(self.skills))
        for start in range(0, len(rates), size):
            part = rates[start : start + size]
            values = self.brackets(part, cutoffs).value(objective)
            at = int(np.argmax(values))
            if values[at] > value:
                best, value = part[at], float(values[at])
        if best is None:
            raise ValueError("rates: expected at least one schedule")
        return best, value


def check_cutoffs(cutoffs: object) -> Float[np.ndarray, " n_brackets"]:
    """Cut-offs as an array; ValueError unless they are finite and rise from 0."""
    b = np.asarray(cutoffs, dtype=float)
    rises = b.ndim == 1 and b.size > 0 and b[0] == 0 and (np.diff(b) > 0).all()
    if not rises or not np.isfinite(b).all():
        raise ValueError(f"cutoffs = {cutoffs}: expected increasing numbers from 0")
    return b


def rate_grid(
    step: int | float, n_brackets: int, top_below_one: bool = True
) -> Float[np.ndarray, "n_schedules n_brackets"]:
    """All schedules whose rates are multiples of a step, the last rate's fastest.

    Parameters
    ----------
    step : float
        Between rates, (0, 1].
    n_brackets : int
        1 or more, with at most five million schedules.
    top_below_one : bool
        Whether to leave out a top rate of one, under which nobody earns more than the
        last cut-off.

    Examples
    --------
    >>> rate_grid(0.05, 4).shape
    (185220, 4)
    """
    if not 0 < step <= 1:
        raise ValueError(f"step = {step}: expected a number in (0, 1]")
    if isinstance(n_brackets, bool) or n_brackets < 1:
        raise ValueError(f"n_brackets = {n_brackets}: expected an integer of 1 or more")
    levels = np.append(np.arange(0, 1 - step / 1e6, step), 1.0).round(12)
    if len(levels) ** n_brackets > 5_000_000:
        raise ValueError(
            f"step = {step}, n_brackets = {n_brackets}: {len(levels)}^{n_brackets} "
            "schedules, expected at most five million"
        )
    grids = [levels] * (n_brackets - 1) + [levels[:-1] if top_below_one else levels]
    return np.stack(np.meshgrid(*grids, indexing="ij"), axis=-1).reshape(-1, n_brackets)


def us_federal(scale: int | float = 10_000) -> tuple[np.ndarray, np.ndarray]:
    """Rates and cut-offs of the US federal income tax in 2018, single filers.

    As the AI Economist has it: rates .10, .12, .22, .24, .32, .35, .37.

    Parameters
    ----------
    scale : float
        Dollars that are one unit of income, above 0.

    Examples
    --------
    >>> us_federal()[1].tolist()
    [0.0, 0.97, 3.9475, 8.42, 16.0725, 20.41, 51.03]
    """
    if not 0 < scale < np.inf:
        raise ValueError(f"scale = {scale}: expected a finite number above 0")
    rates = np.array([0.10, 0.12, 0.22, 0.24, 0.32, 0.35, 0.37])
    dollars = np.array([0, 9700, 39475, 84200, 160725, 204100, 510300])
    return rates, dollars / scale


def simple_labor_skills(
    n: int, rng: np.random.Generator, n_draws: int = 1000
) -> Float[np.ndarray, " n"]:
    r"""Skills of the AI Economist's one-step economy.

    Means over ``n_draws`` draws of the sorted :math:`\min(3,\,2X+1)`, with X of a
    Pareto (Lomax) law with exponent 4.

    Parameters
    ----------
    n, n_draws : int
        Workers, and draws of all of them, 1 or more.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n,)
        Increasing, in [1, 3].
    """
    if n < 1 or n_draws < 1:
        raise ValueError(f"n = {n}, n_draws = {n_draws}: expected 1 or more")
    total = np.zeros(n)
    for _ in range(n_draws):
        total += np.sort(np.minimum(3.0, 2 * rng.pareto(4, n) + 1))
    return total / n_draws
