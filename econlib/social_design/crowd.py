r"""Large societies: groups of equal players, and exact values of pure play.

With :math:`n` players there are :math:`m^n` profiles, so that exact solutions stop near
ten players.  Two ways lead further.

*Groups.*  Players of a group have the same cost, and at each step a public draw gives
its members their roles.  A stage profile is then a table of counts :math:`k_{ga}`, how
many of group :math:`g` make effort :math:`a`; each member expects

.. math::

   V_g=\sum_a\tfrac{k_{ga}}{n_g}\,q_{ga}(k),

and obeys where no role gains by another effort,
:math:`q_{gb}(k-e_{ga}+e_{gb})\le q_{ga}(k)` for all :math:`k_{ga}>0`.  As in the exact
solution the counts of least regret are played, among equals those of the largest sum.
A group of :math:`n_g` has :math:`\binom{n_g+m-1}{m-1}` counts.

*Pure play.*  A profile for each step and stock, however it was found, has exact values
and exact best replies at a cost linear in :math:`n`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from econlib.social_design.harvest import MOST_CELLS, HarvestLite
from econlib.social_design.schedules import check_rates, pay_tables, refill_law

__all__ = ["CrowdAnswer", "evaluate_pure", "solve_crowd"]


@dataclass(frozen=True)
class CrowdAnswer:
    """How groups answer each schedule.

    Attributes
    ----------
    values : ndarray, shape (n_schedules, n_states, n_groups)
        Expected utility of a member of each group.
    welfare : ndarray, shape (n_schedules, n_states)
        Mean over all players.
    regret : ndarray, shape (n_schedules,)
        Largest gain from leaving one's role in one stage, over all steps and stocks.
    """

    values: Float[np.ndarray, "n_schedules n_states n_groups"]
    welfare: Float[np.ndarray, "n_schedules n_states"]
    regret: Float[np.ndarray, " n_schedules"]


def _counts(size: int, m: int) -> np.ndarray:
    """Counts of each effort in a group, high counts of low efforts first."""
    rows = [
        np.bincount(roles, minlength=m)
        for roles in combinations_with_replacement(range(m), size)
    ]
    return np.array(rows, np.int64)


def solve_crowd(
    costs: Float[np.ndarray, " n_groups"],
    sizes: Int[np.ndarray, " n_groups"],
    rates: Float[np.ndarray, "n_schedules n_brackets"],
    *,
    capacity: int,
    horizon: int,
    regrowth: float = 0.5,
    efforts: tuple[int, ...] = (0, 1, 2),
    brackets: tuple[float, ...] = (0.0, 1.0),
) -> CrowdAnswer:
    """Backward induction over groups of equal players.

    Parameters
    ----------
    costs, sizes : ndarray, shape (n_groups,)
        Cost of a unit of effort, 0 or more, and members, 1 or more, of each group.
    rates : ndarray, shape (n_schedules, n_brackets)
        Marginal rates in [0, 1].
    capacity, horizon, regrowth, efforts, brackets
        As in :class:`econlib.social_design.harvest.HarvestLite`.

    Returns
    -------
    CrowdAnswer
        Values and regret.

    Raises
    ------
    ValueError
        A size below 1, arrays that do not agree, or too many tables of counts.
    """
    costs, sizes = np.asarray(costs, float), np.asarray(sizes, np.int64)
    if costs.shape != sizes.shape or sizes.ndim != 1 or (sizes < 1).any():
        raise ValueError(f"sizes = {sizes.tolist()}: expected 1 or more a group")
    n = int(sizes.sum())
    HarvestLite((float(costs.min()),), capacity, horizon, regrowth, efforts, brackets)
    rates, m = check_rates(rates, len(brackets)), len(efforts)
    parts = [_counts(int(size), m) for size in sizes]
    total = int(np.prod([float(len(part)) for part in parts]))
    if total * (capacity + 1) > 30 * MOST_CELLS:
        raise ValueError(
            f"sizes = {sizes.tolist()}: {total:.3g} tables of counts on {capacity + 1} "
            f"stocks are more than {30 * MOST_CELLS:.3g}. Try fewer or smaller groups"
        )
    index = np.indices([len(part) for part in parts]).reshape(len(parts), -1)
    tables = np.stack([part[i] for part, i in zip(parts, index, strict=True)], axis=1)
    effort = np.asarray(efforts, np.int64)
    kept, tax = pay_tables(rates, capacity, max(efforts) * n, efforts, brackets)
    values, regret = _solve(
        kept,
        tax,
        costs[:, None] * effort,
        effort,
        sizes,
        np.ascontiguousarray(tables),
        (tables.sum(axis=1) * effort).sum(axis=1),
        refill_law(capacity, regrowth),
        horizon,
    )
    return CrowdAnswer(values, values @ (sizes / n), regret)


@njit(cache=True)
@no_type_check
def _solve(kept, tax, cost, effort, sizes, tables, demand, refill, horizon):
    n_schedules, n_states = kept.shape[0], kept.shape[1]
    n_tables, n_groups, m = tables.shape
    n = 0
    for g in range(n_groups):
        n += sizes[g]
    values = np.zeros((n_schedules, n_states, n_groups))
    worst = np.zeros(n_schedules)
    future = np.empty((n_states, n_groups))
    for b in range(n_schedules):
        for _ in range(horizon):
            for r in range(n_states):
                for g in range(n_groups):
                    future[r, g] = 0.0
                    for s in range(n_states):
                        future[r, g] += refill[r, s] * values[b, s, g]
            for s in range(n_states):
                least, top, chosen = np.inf, 0.0, -1
                for k in range(n_tables):
                    d = demand[k]
                    regret = 0.0
                    for g in range(n_groups):
                        for a in range(m):
                            if tables[k, g, a] == 0:
                                continue
                            here = _payoff(
                                kept[b],
                                tax[b],
                                cost,
                                effort,
                                tables[k],
                                s,
                                d,
                                n,
                                future,
                                g,
                                a,
                                a,
                            )
                            for c in range(m):
                                if c != a:
                                    there = _payoff(
                                        kept[b],
                                        tax[b],
                                        cost,
                                        effort,
                                        tables[k],
                                        s,
                                        d + effort[c] - effort[a],
                                        n,
                                        future,
                                        g,
                                        a,
                                        c,
                                    )
                                    regret = max(regret, there - here)
                            if regret > least + 1e-9:
                                break
                        if regret > least + 1e-9:
                            break
                    if regret > least + 1e-9:
                        continue
                    left = s - min(d, s)
                    total = min(d, s) + 0.0
                    for g in range(n_groups):
                        total += sizes[g] * future[left, g]
                        for a in range(m):
                            total -= tables[k, g, a] * cost[g, a]
                    total = np.floor(total * 1e9 + 0.5)
                    if chosen < 0 or regret < least - 1e-9 or total > top:
                        top, chosen = total, k
                    least = min(least, regret)
                d = demand[chosen]
                for g in range(n_groups):
                    mean = 0.0
                    for a in range(m):
                        if tables[chosen, g, a] > 0:
                            mean += tables[chosen, g, a] * _payoff(
                                kept[b],
                                tax[b],
                                cost,
                                effort,
                                tables[chosen],
                                s,
                                d,
                                n,
                                future,
                                g,
                                a,
                                a,
                            )
                    values[b, s, g] = mean / sizes[g]
                worst[b] = max(worst[b], least)
    return values, worst


@njit(cache=True)
@no_type_check
def _payoff(kept, tax, cost, effort, table, s, d, n, future, g, a, c):
    """Payoff of a member of ``g`` who has role ``a`` and makes effort ``c``."""
    pot = tax[s, d, c] - tax[s, d, a]
    for h in range(table.shape[0]):
        for x in range(table.shape[1]):
            pot += table[h, x] * tax[s, d, x]
    return kept[s, d, c] + pot / n - cost[g, c] + future[s - min(d, s), g]


def evaluate_pure(
    game: HarvestLite,
    rates: Float[np.ndarray, " n_brackets"],
    picks: Int[np.ndarray, "horizon n_states n_players"],
) -> tuple[
    Float[np.ndarray, "n_states n_players"], Float[np.ndarray, "n_states n_players"]
]:
    """Exact values of pure play by any number of players, and of best replies to it.

    Parameters
    ----------
    game : HarvestLite
        The commons; up to 256 players.
    rates : ndarray, shape (n_brackets,)
        The schedule.
    picks : ndarray of int, shape (horizon, n_states, n_players)
        Index of everybody's effort.

    Returns
    -------
    values, exploitability : ndarray, shape (n_states, n_players)
        Expected utility by the first stock, and what a best reply in the whole game
        would add.

    Raises
    ------
    ValueError
        Picks of the wrong shape, or that are no index of an effort.
    """
    n, m, states = game.n_players, len(game.efforts), np.arange(game.capacity + 1)
    picks = np.asarray(picks)
    if picks.shape != (game.horizon, len(states), n):
        raise ValueError(
            f"picks: shape {picks.shape}, expected {(game.horizon, len(states), n)}"
        )
    if picks.min() < 0 or picks.max() >= m:
        raise ValueError(f"picks: {picks.max()} found, expected 0 to {m - 1}")
    kept, tax = (x[0] for x in game._pay(game.check_rates(rates[None])))
    effort, cost = np.asarray(game.efforts), game._cost
    value, reply, who = np.zeros((2, len(states), n)), None, np.arange(n)
    value, reply = value
    at = states[:, None]
    for t in range(game.horizon - 1, -1, -1):
        now = picks[t]
        d = effort[now].sum(axis=1, keepdims=True)
        ahead, ahead_reply = game.refill @ value, game.refill @ reply
        best = np.full((len(states), n), -np.inf)
        for c in range(m):
            moved = d + effort[c] - effort[now]
            pot = tax[at, moved, c] - tax[at, moved, now]
            for x in range(m):  # everybody's tax at the demand that c leads to
                counts = (now == x).sum(axis=1, keepdims=True)
                pot = pot + counts * tax[at, moved, x]
            left = at - np.minimum(moved, at)
            paid = kept[at, moved, c] + pot / n - cost[who, c]
            best = np.maximum(best, paid + ahead_reply[left, who])
        pot = tax[at, d, now].sum(axis=1, keepdims=True) / n
        left = at - np.minimum(d, at)
        value = kept[at, d, now] + pot - cost[who, now] + ahead[left, who]
        reply = best
    return value, np.maximum(reply - value, 0.0)
