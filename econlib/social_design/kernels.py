r"""Compiled loops of the commons: stage games, backward induction, exact evaluation.

A profile is a row of efforts; profiles stand in lexicographic order, player 1 slowest,
so that player :math:`i` changing her effort from index :math:`a` to :math:`b` moves
profile :math:`p` to :math:`p+(b-a)m^{n-1-i}`.  What a stage pays depends on the stock,
on the sum of efforts and on a player's own effort alone:

.. math::

   r_i=y_i-T(y_i)+\tfrac1n\textstyle\sum_jT(y_j)-\kappa_ia_i .

``kept`` and ``tax`` hold :math:`y-T(y)` and :math:`T(y)` for each of these.
"""

from __future__ import annotations

import math
from typing import no_type_check

import numpy as np
from numba import njit

__all__ = ["backward", "evaluate", "logit", "pick", "regrets_of", "stage_games"]

_TIE = 1e-9


@njit(cache=True)
@no_type_check
def stage_games(kept, tax, cost, profiles, demand, s, future, q):
    """Fill ``q`` (n_profiles, n_players): reward now and value of the next state."""
    n_profiles, n = profiles.shape
    for p in range(n_profiles):
        d = demand[p]
        left = s - min(d, s)
        pot = 0.0
        for i in range(n):
            pot += tax[s, d, profiles[p, i]]
        pot /= n
        for i in range(n):
            a = profiles[p, i]
            q[p, i] = kept[s, d, a] + pot - cost[i, a] + future[left, i]


@njit(cache=True)
@no_type_check
def _copy(source, out):
    """Copy a table."""
    for s in range(source.shape[0]):
        for i in range(source.shape[1]):
            out[s, i] = source[s, i]


@njit(cache=True)
@no_type_check
def _refilled(refill, values, out):
    """Expected value after regrowth, by what is left: ``out = refill @ values``."""
    n_states, n = values.shape
    for r in range(n_states):
        for i in range(n):
            total = 0.0
            for s in range(n_states):
                total += refill[r, s] * values[s, i]
            out[r, i] = total


@njit(cache=True)
@no_type_check
def regrets_of(q, profiles, m, regrets):
    """Largest unilateral gain at each profile."""
    n_profiles, n = q.shape
    for p in range(n_profiles):
        regrets[p] = 0.0
    stride = 1
    for i in range(n - 1, -1, -1):
        for p in range(n_profiles):
            if profiles[p, i] == 0:
                best = q[p, i]
                for b in range(1, m):
                    best = max(best, q[p + b * stride, i])
                for b in range(m):
                    gain = best - q[p + b * stride, i]
                    if gain > regrets[p + b * stride]:
                        regrets[p + b * stride] = gain
        stride *= m


@njit(cache=True)
@no_type_check
def pick(q, regrets, mode):
    """Profile by mode: 0 best and 1 worst of the least regret, 2 largest sum of all."""
    n_profiles, n = q.shape
    least = regrets[0]
    for p in range(n_profiles):
        least = min(least, regrets[p])
    chosen, top = -1, 0.0
    for p in range(n_profiles):
        if mode < 2 and regrets[p] > least + _TIE:
            continue
        total = 0.0
        for i in range(n):
            total += q[p, i]
        total = math.floor(total * 1e9 + 0.5)
        if mode == 1:
            total = -total
        if chosen < 0 or total > top:
            chosen, top = p, total
    return chosen


@njit(cache=True)
@no_type_check
def backward(kept, tax, cost, profiles, demand, refill, terminal, horizon, mode):
    """Solve every schedule from the last step to the first.

    Arguments are arrays with the schedules first: ``kept``, ``tax``
    (n_schedules, n_states, n_demands, n_efforts), ``terminal``
    (n_schedules, n_states, n_players).  Returns profiles (n_schedules, horizon,
    n_states), values at the first step (n_schedules, n_states, n_players) and the
    regret of the profile chosen at each step and state.
    """
    n_schedules, n_states = kept.shape[0], kept.shape[1]
    n_profiles, n = profiles.shape
    m = cost.shape[1]
    policy = np.empty((n_schedules, horizon, n_states), np.int32)
    regret = np.empty((n_schedules, horizon, n_states))
    values = np.empty((n_schedules, n_states, n))
    q, future = np.empty((n_profiles, n)), np.empty((n_states, n))
    regrets = np.empty(n_profiles)
    for b in range(n_schedules):
        now = values[b]
        _copy(terminal[b], now)
        for t in range(horizon - 1, -1, -1):
            _refilled(refill, now, future)
            for s in range(n_states):
                stage_games(kept[b], tax[b], cost, profiles, demand, s, future, q)
                regrets_of(q, profiles, m, regrets)
                p = pick(q, regrets, mode)
                policy[b, t, s] = p
                regret[b, t, s] = regrets[p]
                for i in range(n):
                    now[s, i] = q[p, i]
    return policy, values, regret


@njit(cache=True)
@no_type_check
def _others(mixed, profiles, p, i):
    """Probability that everybody but ``i`` plays her part of profile ``p``."""
    weight = 1.0
    for j in range(profiles.shape[1]):
        if j != i:
            weight *= mixed[j, profiles[p, j]]
            if weight == 0.0:
                return 0.0
    return weight


@njit(cache=True)
@no_type_check
def evaluate(kept, tax, cost, profiles, demand, refill, terminal, mixed):
    """Exact values of independent mixed play, and of the best reply to it.

    ``mixed`` is (n_schedules, horizon, n_states, n_players, n_efforts).  Returns
    utilities, after-tax incomes, harvests and best-reply utilities, each
    (n_schedules, n_states, n_players); incomes and harvests start from zero.
    """
    n_schedules, horizon, n_states, n, m = mixed.shape
    n_profiles = profiles.shape[0]
    out = np.zeros((4, n_schedules, n_states, n))
    q, future = np.empty((n_profiles, n)), np.empty((4, n_states, n))
    reply = np.empty((n, m))
    for b in range(n_schedules):
        _copy(terminal[b], out[0, b])
        _copy(terminal[b], out[3, b])
        for t in range(horizon - 1, -1, -1):
            for k in range(4):
                _refilled(refill, out[k, b], future[k])
            for s in range(n_states):
                stage_games(kept[b], tax[b], cost, profiles, demand, s, future[0], q)
                for i in range(n):
                    for k in range(4):
                        out[k, b, s, i] = 0.0
                    for a in range(m):
                        reply[i, a] = 0.0
                for p in range(n_profiles):
                    d = demand[p]
                    left = s - min(d, s)
                    for i in range(n):
                        a = profiles[p, i]
                        others = _others(mixed[b, t, s], profiles, p, i)
                        if others == 0.0:
                            continue
                        now = q[p, i] - future[0, left, i]
                        reply[i, a] += others * (now + future[3, left, i])
                        w = others * mixed[b, t, s, i, a]
                        gross = kept[b, s, d, a] + tax[b, s, d, a]
                        out[0, b, s, i] += w * q[p, i]
                        out[1, b, s, i] += w * (now + cost[i, a] + future[1, left, i])
                        out[2, b, s, i] += w * (gross + future[2, left, i])
                for i in range(n):
                    best = reply[i, 0]
                    for a in range(1, m):
                        best = max(best, reply[i, a])
                    out[3, b, s, i] = best
    return out


@njit(cache=True)
@no_type_check
def logit(
    kept, tax, cost, profiles, demand, refill, terminal, horizon, noise, damping, steps
):
    """Logit play of every stage game, backward: mixed play and its last change."""
    n_schedules, n_states = kept.shape[0], kept.shape[1]
    n_profiles, n = profiles.shape
    m = cost.shape[1]
    mixed = np.full((n_schedules, horizon, n_states, n, m), 1.0 / m)
    change = 0.0
    q, future = np.empty((n_profiles, n)), np.empty((n_states, n))
    gain, now = np.empty((n, m)), np.empty((n_states, n))
    for b in range(n_schedules):
        _copy(terminal[b], now)
        for t in range(horizon - 1, -1, -1):
            _refilled(refill, now, future)
            for s in range(n_states):
                stage_games(kept[b], tax[b], cost, profiles, demand, s, future, q)
                x = mixed[b, t, s]
                moved = 1.0
                for _ in range(steps):
                    _gains(q, profiles, x, gain)
                    moved = _logit_step(gain, x, noise, damping)
                    if moved < 1e-10:
                        break
                change = max(change, moved)
                _gains(q, profiles, x, gain)
                for i in range(n):
                    now[s, i] = 0.0
                    for a in range(m):
                        now[s, i] += x[i, a] * gain[i, a]
    return mixed, change


@njit(cache=True)
@no_type_check
def _gains(q, profiles, x, gain):
    """Expected payoff of each player's each effort, the others playing ``x``."""
    n, m = gain.shape
    for i in range(n):
        for a in range(m):
            gain[i, a] = 0.0
    for p in range(profiles.shape[0]):
        for i in range(n):
            gain[i, profiles[p, i]] += _others(x, profiles, p, i) * q[p, i]


@njit(cache=True)
@no_type_check
def _logit_step(gain, x, noise, damping):
    """Move ``x`` towards the logit reply, and say how far the reply is."""
    n, m = gain.shape
    moved = 0.0
    for i in range(n):
        top, total = gain[i, 0], 0.0
        for a in range(1, m):
            top = max(top, gain[i, a])
        for a in range(m):
            total += math.exp((gain[i, a] - top) / noise)
        for a in range(m):
            step = math.exp((gain[i, a] - top) / noise) / total - x[i, a]
            moved = max(moved, abs(step))
            x[i, a] += damping * step
    return moved
