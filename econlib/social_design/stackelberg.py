r"""Leading and not leading: revenue, gradients, wrong beliefs, rivals, commitment.

Revenue from one unit of skill at a linear rate is :math:`R(\tau)=\tau(1-\tau)^e`, most
at :math:`1/(1+e)`.  A Principal who takes incomes as fixed sees the slope
:math:`(1-\tau)^e>0` and raises the rate for ever.  Of :math:`N` Principals who tax the
same base each takes :math:`\tau_i=\arg\max\tau_i(1-\sum_j\tau_j)^e`, in equilibrium
:math:`1/(N+e)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from econlib.programs import SolverError, solve

__all__ = [
    "Commitment",
    "RatePath",
    "Rivals",
    "commitment",
    "gradient_principal",
    "misspecification_loss",
    "revenue",
    "revenue_rate",
    "rival_principals",
]


def _check(elasticity: int | float) -> float:
    if not 0 < elasticity <= 10:
        raise ValueError(f"elasticity = {elasticity}: expected a number in (0, 10]")
    return float(elasticity)


def revenue(tau: object, elasticity: int | float) -> float | np.ndarray:
    r"""Revenue a unit of skill, :math:`\tau(1-\tau)^e`, for rates in [0, 1]."""
    τ, e = np.asarray(tau, dtype=float), _check(elasticity)
    if not ((τ >= 0) & (τ <= 1)).all():
        raise ValueError(f"tau = {tau}: expected numbers in [0, 1]")
    return τ * (1 - τ) ** e


def revenue_rate(elasticity: int | float) -> float:
    """Rate of most revenue, one over one plus the elasticity."""
    return 1 / (1 + _check(elasticity))


def misspecification_loss(elasticity: int | float, believed: int | float) -> float:
    """Share of the best revenue that a wrong elasticity leaves.

    Examples
    --------
    >>> misspecification_loss(1.0, 0.25)
    0.64
    """
    reached = revenue(revenue_rate(believed), elasticity)
    return round(float(reached / revenue(revenue_rate(elasticity), elasticity)), 14)


@dataclass(frozen=True)
class RatePath:
    """A Principal's rates, step by step.

    Attributes
    ----------
    rates, incomes, revenue : ndarray, shape (n_steps + 1,)
        Incomes a unit of skill; the revenue is of the response to the rate.
    converged : bool
        Whether the rate is within 1e-4 of the revenue-maximising one.
    """

    rates: Float[np.ndarray, " n"]
    incomes: Float[np.ndarray, " n"]
    revenue: Float[np.ndarray, " n"]
    converged: bool


def gradient_principal(
    elasticity: int | float,
    anticipates: bool = True,
    step: int | float = 0.05,
    n_steps: int = 400,
    start: int | float = 0.0,
    cap: int | float = 0.999,
    player_step: int | float = 1.0,
) -> RatePath:
    r"""Gradient ascent on revenue by a Principal who knows the response, or does not.

    Parameters
    ----------
    elasticity : float
        (0, 10].
    anticipates : bool
        Whether the slope is :math:`(1-\tau)^e-e\tau(1-\tau)^{e-1}`, or the income seen.
    step : float
        Above 0.
    n_steps : int
        1 or more.
    start, cap : float
        First and largest rate, in [0, 1), start up to cap.
    player_step : float
        Share of the way to her best response that a player moves at each step, (0, 1].

    Returns
    -------
    RatePath

    Examples
    --------
    >>> round(float(gradient_principal(0.5).rates[-1]), 5)
    0.66667
    """
    e = _check(elasticity)
    if not (step > 0 and n_steps >= 1 and 0 < player_step <= 1):
        raise ValueError(
            f"step = {step}, n_steps = {n_steps}, player_step = {player_step}: "
            "expected a number above 0, an integer of 1 or more, a number in (0, 1]"
        )
    if not 0 <= start <= cap < 1:
        raise ValueError(
            f"start = {start}, cap = {cap}: expected 0 <= start <= cap < 1"
        )
    τ, z = start, (1 - start) ** e
    rates, incomes = [τ], [z]
    for _ in range(n_steps):
        slope = (1 - τ) ** e - e * τ * (1 - τ) ** (e - 1) if anticipates else z
        τ = float(np.clip(τ + step * slope, 0, cap))
        z += player_step * ((1 - τ) ** e - z)
        rates.append(τ)
        incomes.append(z)
    path = np.array(rates)
    return RatePath(
        rates=path,
        incomes=np.array(incomes),
        revenue=np.asarray(revenue(path, e)),
        converged=abs(τ - revenue_rate(e)) < 1e-4,
    )


@dataclass(frozen=True)
class Rivals:
    """Principals who tax one base, each for her own revenue.

    Attributes
    ----------
    rates : ndarray, shape (n_principals,)
    total, revenue : float
        Sum of rates, and of revenues.
    regret : float
        Most that one gains by another rate.
    """

    rates: Float[np.ndarray, " n_principals"]
    total: float
    revenue: float
    regret: float


def rival_principals(
    n_principals: int, elasticity: int | float, max_steps: int = 10_000
) -> Rivals:
    r"""Equilibrium of several Principals, by best responses one after another.

    :math:`\tau_i\leftarrow(1-\sum_{j\ne i}\tau_j)/(1+e)`, to the closed form
    :math:`1/(N+e)`.

    Parameters
    ----------
    n_principals : int
        1 or more.
    elasticity : float
        (0, 10].
    max_steps : int
        Rounds, 1 or more.

    Examples
    --------
    >>> rival_principals(2, 0.5).rates.round(6).tolist()
    [0.4, 0.4]
    """
    e = _check(elasticity)
    if isinstance(n_principals, bool) or n_principals < 1 or max_steps < 1:
        raise ValueError(
            f"n_principals = {n_principals}, max_steps = {max_steps}: expected "
            "integers of 1 or more"
        )
    τ = np.zeros(n_principals)
    for _ in range(max_steps):
        before = τ.copy()
        for i in range(n_principals):
            τ[i] = (1 - (τ.sum() - τ[i])) / (1 + e)
        if np.abs(τ - before).max() < 1e-14:
            break
    total = float(τ.sum())
    own = τ * (1 - total) ** e
    best = (1 - (total - τ)) / (1 + e)
    regret = best * (1 - (total - τ) - best) ** e - own
    return Rivals(τ, total, float(own.sum()), float(max(regret.max(), 0)))


@dataclass(frozen=True)
class Commitment:
    """What a leader gets with and without commitment.

    Attributes
    ----------
    nash : float or None
        Her best pure equilibrium of simultaneous moves; None where there is none.
    pure, mixed : float
        Best commitment to a row, and to a mixture; the follower breaks ties for her.
    mixture : ndarray, shape (n_rows,)
    """

    nash: float | None
    pure: float
    mixed: float
    mixture: Float[np.ndarray, " n_rows"]


def commitment(leader: object, follower: object) -> Commitment:
    """Solve a two-player game for each kind of commitment.

    One linear program a column: the best mixture to which it is a best response.

    Parameters
    ----------
    leader, follower : array_like, shape (n_rows, n_columns)
        Payoffs; the leader chooses rows.

    Returns
    -------
    Commitment

    Raises
    ------
    ValueError
        Payoffs that are no finite matrices of one shape.

    Examples
    --------
    >>> game = commitment([[2, 4], [1, 3]], [[1, 0], [0, 1]])
    >>> game.nash, game.pure, game.mixed
    (2.0, 3.0, 3.5)
    """
    L, F = np.asarray(leader, dtype=float), np.asarray(follower, dtype=float)
    if L.ndim != 2 or L.shape != F.shape or 0 in L.shape:
        raise ValueError(
            f"leader, follower: shapes {L.shape} and {F.shape}, expected one "
            "shape of a matrix"
        )
    if not (np.isfinite(L).all() and np.isfinite(F).all()):
        raise ValueError("leader, follower: expected finite payoffs")
    best_reply = F >= F.max(axis=1, keepdims=True) - 1e-12
    best_row = L >= L.max(axis=0, keepdims=True) - 1e-12
    equilibria = L[best_reply & best_row]
    pure = np.where(best_reply, L, -np.inf).max()
    mixed, mixture = -np.inf, np.zeros(len(L))
    for column in range(L.shape[1]):
        better = (F - F[:, column : column + 1]).T
        rows = np.vstack([np.ones(len(L)), better])
        low = np.append(1.0, np.full(L.shape[1], -np.inf))
        high = np.append(1.0, np.zeros(L.shape[1]))
        try:
            found = solve(L[:, column], rows, low, high, maximise=True)
        except SolverError:  # never a best response
            continue
        if found.objective > mixed + 1e-12:
            mixed, mixture = found.objective, found.x
    return Commitment(
        nash=float(equilibria.max()) if equilibria.size else None,
        pure=float(pure),
        mixed=float(mixed),
        mixture=mixture,
    )
