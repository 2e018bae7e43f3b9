r"""Rounds: what play does to the stock, and a society that lives for several rounds.

A round ends with a stock, and the next one starts from it.  Players see that coming, so
that rounds are solved backward with continuation values: with :math:`R` rounds left and
:math:`V^{R-1}` known,

.. math::

   \theta^R(s)\in\arg\max_\theta W\big(U^R_\theta(s)\big),\qquad
   V^R(s)=V^R_{\theta^R(s)}(s),

where :math:`V^R_\theta` answers schedule :math:`\theta` with terminal value
:math:`V^{R-1}`.  A *far-sighted* Principal counts all of :math:`V^R_\theta`; a *myopic*
one counts this round's utility alone, :math:`V^R_\theta-\mathbb E\,V^{R-1}(s_T)`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from econlib.social_design.harvest import HarvestLite, Response

__all__ = [
    "Path",
    "RoundsPlan",
    "committed",
    "end_law",
    "first_best",
    "rollout",
    "solve_rounds",
    "stock_path",
]

_SAME = 1e-9


@dataclass(frozen=True)
class Path:
    """Expected course of a round.

    Attributes
    ----------
    stock : ndarray, shape (n_schedules, horizon + 1)
        Expected stock before each step, and at the end.
    harvest : ndarray, shape (n_schedules, horizon)
        Expected harvest of all players together.
    """

    stock: Float[np.ndarray, "n_schedules n_times"]
    harvest: Float[np.ndarray, "n_schedules horizon"]


def _demand_law(game: HarvestLite, mixed: np.ndarray) -> np.ndarray:
    """Law of the sum of efforts, shape (n_schedules, horizon, n_states, n_demands)."""
    most = max(game.efforts) * game.n_players
    law = np.zeros((*mixed.shape[:3], most + 1))
    law[..., 0] = 1.0
    for i in range(game.n_players):
        moved = np.zeros_like(law)
        for k, effort in enumerate(game.efforts):
            part = law[..., : most + 1 - effort] * mixed[..., i, k, None]
            moved[..., effort:] += part
        law = moved
    return law


def _transitions(game: HarvestLite, demand: np.ndarray) -> np.ndarray:
    """Law of the next stock of one step, shape (n_schedules, n_states, n_states)."""
    out = np.zeros((len(demand), game.capacity + 1, game.capacity + 1))
    for d in range(demand.shape[-1]):
        left = np.maximum(np.arange(game.capacity + 1) - d, 0)
        out += demand[:, :, d, None] * game.refill[left]
    return out


def stock_path(
    game: HarvestLite,
    mixed: Float[np.ndarray, "n_schedules horizon n_states n_players n_efforts"],
    start: int | None = None,
) -> Path:
    """Expected stock and harvest of each step under given play.

    Parameters
    ----------
    game : HarvestLite
        The commons.
    mixed : ndarray, shape (n_schedules, horizon, n_states, n_players, n_efforts)
        Play, such as a response's ``mixed``.
    start : int, optional
        Stock at the first step, 0 to the capacity; the game's own if left out.

    Returns
    -------
    Path
        Exact expectations.
    """
    law, states = _demand_law(game, mixed), np.arange(game.capacity + 1)
    now = np.zeros((len(mixed), len(states)))
    now[:, game.s0 if start is None else start] = 1.0
    stock, harvest = [now @ states], []
    taken = np.minimum(np.arange(law.shape[-1]), states[:, None])
    for t in range(game.horizon):
        harvest.append(np.einsum("bs,bsd,sd->b", now, law[:, t], taken))
        now = np.einsum("bs,bsk->bk", now, _transitions(game, law[:, t]))
        stock.append(now @ states)
    return Path(np.stack(stock, axis=1), np.stack(harvest, axis=1))


def end_law(
    game: HarvestLite,
    mixed: Float[np.ndarray, "n_schedules horizon n_states n_players n_efforts"],
) -> Float[np.ndarray, "n_schedules n_states n_states"]:
    """Law of the stock at the end of a round, by the stock at its first step."""
    law = _demand_law(game, mixed)
    total = np.broadcast_to(
        np.eye(game.capacity + 1), (len(mixed), *[game.capacity + 1] * 2)
    )
    for t in range(game.horizon):
        total = total @ _transitions(game, law[:, t])
    return total


def rollout(
    game: HarvestLite,
    rates: Float[np.ndarray, " n_brackets"],
    mixed: Float[np.ndarray, "horizon n_states n_players n_efforts"],
    n_envs: int,
    rng: np.random.Generator,
    start: int | None = None,
) -> tuple[Float[np.ndarray, "n_envs n_players"], Int[np.ndarray, "n_envs n_times"]]:
    """Sample rounds under one schedule.

    Parameters
    ----------
    game : HarvestLite
        The commons.
    rates : ndarray, shape (n_brackets,)
        The schedule.
    mixed : ndarray, shape (horizon, n_states, n_players, n_efforts)
        Play.
    n_envs : int
        Rounds, 1 or more.
    rng : Generator
        Source of randomness.
    start : int, optional
        First stock; the game's own if left out.

    Returns
    -------
    utilities : ndarray, shape (n_envs, n_players)
        Totals of the round.
    stocks : ndarray, shape (n_envs, horizon + 1)
        Stock before each step, and at the end.
    """
    if n_envs < 1:
        raise ValueError(f"n_envs = {n_envs}: expected an integer, 1 or more")
    efforts, costs = np.asarray(game.efforts), np.asarray(game.costs)
    stock = np.full(n_envs, game.s0 if start is None else start)
    utility, seen = np.zeros((n_envs, game.n_players)), [stock]
    for t in range(game.horizon):
        cut = mixed[t, stock].cumsum(axis=-1)
        draw = rng.random((n_envs, game.n_players, 1))
        effort = efforts[(draw > cut[..., :-1]).sum(axis=-1)]
        demand = effort.sum(axis=1)
        y = effort * np.minimum(1.0, stock / np.maximum(demand, 1))[:, None]
        tax = game.tax(np.asarray(rates)[None], y)[0]
        utility += y - tax + tax.mean(axis=1, keepdims=True) - costs * effort
        left = stock - np.minimum(demand, stock)
        share = game.regrowth * left / game.capacity
        stock = left + rng.binomial(game.capacity - left, share)
        seen.append(stock)
    return utility, np.stack(seen, axis=1)


@dataclass(frozen=True)
class RoundsPlan:
    """Schedules by rounds left and stock, and what they are worth.

    Attributes
    ----------
    choice : ndarray, shape (n_rounds, n_states)
        Row of ``rates`` chosen; entry ``[k]`` belongs to round ``k``, counted from 0.
    values : ndarray, shape (n_rounds + 1, n_states, n_players)
        Expected utility from that round to the last; zero after the last.
    regret : ndarray, shape (n_rounds, n_states)
        Largest stage regret of the schedule that is chosen there.
    """

    choice: Int[np.ndarray, "n_rounds n_states"]
    values: Float[np.ndarray, "n_moments n_states n_players"]
    regret: Float[np.ndarray, "n_rounds n_states"]


def solve_rounds(
    game: HarvestLite,
    rates: Float[np.ndarray, "n_schedules n_brackets"],
    n_rounds: int,
    objective: Callable[[np.ndarray], np.ndarray],
    *,
    myopic: bool = False,
    select: str = "best",
) -> RoundsPlan:
    r"""Choose a schedule for every round and stock; everybody sees it coming.

    Parameters
    ----------
    game : HarvestLite
        One round.
    rates : ndarray, shape (n_schedules, n_brackets)
        Schedules to choose from; the first of equal ones (1e-9) is taken.
    n_rounds : int
        Rounds, 1 or more.
    objective : callable
        Welfare of utilities, (..., n_players) to (...).
    myopic : bool
        Whether the Principal counts the utility of the round alone.
    select : {"best", "worst"}
        Players' selection among profiles of least regret.

    Returns
    -------
    RoundsPlan
        Choices, values and regrets.

    Raises
    ------
    ValueError
        ``n_rounds`` below 1.
    """
    if n_rounds < 1:
        raise ValueError(f"n_rounds = {n_rounds}: expected an integer, 1 or more")
    states = np.arange(game.capacity + 1)
    values = np.zeros((n_rounds + 1, len(states), game.n_players))
    choice = np.zeros((n_rounds, len(states)), int)
    regret = np.zeros((n_rounds, len(states)))
    for k in range(n_rounds - 1, -1, -1):
        answer = game.solve(rates, values[k + 1], select)
        counted = answer.values
        if myopic:
            counted = counted - end_law(game, answer.mixed) @ values[k + 1]
        choice[k] = first_best(objective(counted))
        values[k] = answer.values[choice[k], states]
        regret[k] = answer.regret[choice[k]]
    return RoundsPlan(choice, values, regret)


def first_best(
    welfare: Float[np.ndarray, "n_schedules *more"],
) -> np.ndarray | np.integer:
    """First schedule within 1e-9 of the best."""
    return (welfare >= welfare.max(axis=0) - _SAME).argmax(axis=0)


def committed(
    game: HarvestLite, answer: Response, objective: Callable[[np.ndarray], np.ndarray]
) -> tuple[int, float]:
    """The best constant schedule from the game's start, and its welfare."""
    welfare = objective(answer.values[:, game.s0])
    best = int(first_best(welfare))
    return best, float(welfare[best])
