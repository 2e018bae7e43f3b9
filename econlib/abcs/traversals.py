r"""Compiled traversals: ABCs, MAX-CFR, external and outcome sampling, Boltzmann Q.

Tables have one row an infostate: mean values :math:`Q(s,a)`, counts :math:`N(s,a)`,
policy sums :math:`C(s,a)`.  ABCs tries every action of the infostates that it visits,
follows the sampled action and those judged nonstationary, and updates with

.. math::

   y_a=r_a+\gamma\max_bQ^{old}(s'_a,b)
   +1\{\text{nonstationary}\}\,\gamma\sum_bg(b)\big[u_b-Q^{new}(s'_a,b)\big],\qquad
   u_b=N'_bQ^{new}(s'_a,b)-(N'_b-1)Q^{old}(s'_a,b),

where :math:`g` is uniform over the maximisers of :math:`Q^{old}`, and old and new are
before and after the recursion.  Without the correction this is Q-learning; with it
:math:`N\,Q` is the cumulative return of the child's current play, as in CFR.

All arrays of a run are one tuple ``g``, few and large, since compiled calls are slow
to compile and to make with many.
"""

from __future__ import annotations

import math
from typing import no_type_check

from numba import njit

from econlib.abcs.detection import chi2_ring, e_value, observe
from econlib.abcs.simulators import (
    CART,
    GAMMA,
    LIMIT,
    MODE,
    RAW,
    REFALL,
    SIDE,
    TABLE,
    TERM,
    TREE,
    cartpole_bins,
    cartpole_step,
)
from econlib.abcs.tables import (
    ABCS,
    BQL,
    CLEAR,
    CODE,
    COOL_A,
    COOL_B,
    CORRECT,
    EPOCH,
    ES,
    ES_RM,
    EVERY,
    EXPANDED,
    FELL,
    FIXED,
    FLAGGED,
    FOLLOWED,
    FRESH,
    GIVEN,
    ITER,
    JUDGED,
    LEAST,
    LOG,
    MAX_CFR,
    MIX,
    NODES,
    OLD,
    OS,
    OVER,
    POLICY,
    REWARD,
    SEEN,
    STEP,
    TAU_A,
    TAU_B,
    TESTS,
    UPDATED,
    VERDICT,
    C,
    N,
    Q,
)

__all__ = ["advance"]


@njit(cache=True, error_model="numpy")
@no_type_check
def _draw(g, d, n, rng):
    """Action drawn by the policy in ``g.stack[d]``."""
    u = rng.random()
    last = 0
    for a in range(n):
        p = g.stack[d, a, POLICY]
        if p > 0:
            last = a
            u -= p
            if u < 0:
                return a
    return last


@njit(cache=True, error_model="numpy")
@no_type_check
def _judge(g, s, a):
    """Verdict on a pair: 0 stationary by default, 1 stationary, 2 nonstationary."""
    code = int(g.number[CODE])
    if code == 0:
        return g.memo[s, a, FIXED]
    if g.memo[s, a, GIVEN] == g.count[EPOCH]:
        return g.memo[s, a, VERDICT]
    n = g.memo[s, a, SEEN]
    verdict = 1 if n >= g.number[LEAST] else 0
    if code == 2:
        known = g.memo[s, a, VERDICT] == 2  # a flag is never taken back
        if known or e_value(g.bets, s, a) >= g.number[LOG]:
            verdict = 2
    elif verdict == 1:
        g.count[TESTS] += 1
        χ2, k = chi2_ring(g.ring, s, a, n, g.scratch, g.count[TESTS])
        if k > 1 and χ2 >= g.critical[k - 1]:
            verdict = 2
    if verdict == 2 and g.memo[s, a, FLAGGED] < 0:
        g.memo[s, a, FLAGGED] = g.count[NODES]
    g.memo[s, a, VERDICT] = verdict
    g.memo[s, a, GIVEN] = g.count[EPOCH]
    return verdict


@njit(cache=True, error_model="numpy")
@no_type_check
def _explore(g, method, s, d):
    """Put a method's exploration policy at an infostate into ``g.stack[d]``."""
    n = g.n_actions[s]
    fresh, most, top = 0, 0.0, g.table[s, 0, Q]
    for a in range(n):
        fresh += g.table[s, a, N] == 0
        most = max(most, g.table[s, a, N])
        top = max(top, g.table[s, a, Q])
    if method == ES_RM:
        total = 0.0
        for a in range(n):
            total += max(g.table[s, a, Q], 0.0)
        for a in range(n):
            gain = max(g.table[s, a, Q], 0.0)
            g.stack[d, a, POLICY] = gain / total if total > 0 else 1.0 / n
        return
    factor = most
    if method == ES or method == OS:
        factor, fresh = 1.0, 0  # their Q is cumulative
    elif fresh > 0:
        for a in range(n):
            g.stack[d, a, POLICY] = 1.0 / fresh if g.table[s, a, N] == 0 else 0.0
        return
    elif method == ABCS:
        calm = True
        for a in range(n):
            calm &= _judge(g, s, a) != 2
        if calm:
            factor = 1.0 / max(g.number[TAU_A], 1e-300)
    elif method == BQL:
        factor = 1.0 / max(g.number[TAU_B], 1.0 / most)
    total = 0.0
    for a in range(n):
        gap = g.table[s, a, Q] - top
        p = math.exp(max(gap * factor, -700.0)) if gap < 0 else 1.0
        g.stack[d, a, POLICY] = p
        total += p
    for a in range(n):
        g.stack[d, a, POLICY] /= total


@njit(cache=True, error_model="numpy")
@no_type_check
def _infostate(g, d, k):
    mode = g.stack[d, k, 0]
    if mode == TREE:
        return g.nodes[int(g.stack[d, k, 1]), 2]
    if mode == TABLE:
        return int(g.stack[d, k, 1])
    return cartpole_bins(g.stack, d, k, int(g.rules[SIDE]))


@njit(cache=True, error_model="numpy")
@no_type_check
def _walk(g, rng, method, player, node):
    """Let chance and the other player move until the player acts or the game ends."""
    while g.nodes[node, 4] > 0:
        n, first = g.nodes[node, 4], g.nodes[node, 3]
        if g.nodes[node, 0] == 0:
            u = rng.random()
            node = first
            while node < first + n - 1 and u >= g.reals[node, 0]:
                u -= g.reals[node, 0]
                node += 1
        elif g.nodes[node, 1] == player:
            break
        else:
            d = g.stack.shape[0] - 1
            _explore(g, method, g.nodes[node, 2], d)
            node = first + _draw(g, d, n, rng)
    return node


@njit(cache=True, error_model="numpy")
@no_type_check
def _begin(g, rng, method, player):
    """Put the start of an episode on the stack; its depth, -1 where it is over."""
    here, depth = (
        g.stack.shape[1] - 1,
        g.n_actions[0] * 0,
    )  # no literal: one compilation
    mode = g.rules[MODE + player]
    for k in range(7):
        g.stack[0, here, k] = 0.0
    g.stack[0, here, 0] = mode
    g.count[FELL] = 0
    if mode == TREE:
        node = _walk(g, rng, method, player, depth)
        g.stack[0, here, 1] = node
        return depth - 1 if g.nodes[node, 4] == 0 else depth
    if mode == TABLE:
        u, s = rng.random(), 0
        while s < len(g.start) - 1 and u >= g.start[s]:
            s += 1
        g.stack[0, here, 1] = s
    else:
        for k in range(2, 6):
            g.stack[0, here, k] = rng.random() * 0.1 - 0.05
    return depth


@njit(cache=True, error_model="numpy")
@no_type_check
def _step(g, rng, method, player, d, a):
    """Play action ``a`` at depth ``d``; child, reward and end on the stack; label."""
    here = g.stack.shape[1] - 1
    for k in range(7):
        g.stack[d, a, k] = g.stack[d, here, k]
    mode = g.stack[d, here, 0]
    reward, over = 1.0, False
    g.count[NODES] += 1
    if mode == TABLE:
        pair = int(g.stack[d, here, 1]) * g.n_actions[0] + a
        k = g.first[pair]
        u = rng.random()
        while k < g.first[pair + 1] - 1 and u >= g.reals[k, 0]:
            k += 1
        g.stack[d, a, 1] = g.nodes[k, 0]
        reward, over, label = g.reals[k, 1], g.nodes[k, 1] == 1, g.nodes[k, 2]
    elif mode == TREE:
        node = g.nodes[int(g.stack[d, here, 1]), 3] + a
        node = _walk(g, rng, method, player, node)
        g.stack[d, a, 1] = node
        over, label = g.nodes[node, 4] == 0, g.nodes[node, 5]
        reward = g.reals[node, 1] if player == 0 else -g.reals[node, 1]
    else:
        if cartpole_step(g.stack, d, a, a):
            if g.count[FELL] == 1 and g.rules[REFALL] == 0:
                reward = 0.0
            g.count[FELL] = 1
            over = True
        over = (
            over or rng.random() < g.rules[TERM] or g.stack[d, a, 6] >= g.rules[LIMIT]
        )
        if over and g.rules[MODE + 1] == TREE:  # a fresh hand follows
            node = _walk(g, rng, method, player, g.n_actions[0] * 0)
            g.stack[d, a, 0], g.stack[d, a, 1] = TREE, node
            over, label = False, g.nodes[node, 5]
        elif over:
            label = -1 - int(reward)
        elif g.rules[RAW] == 1:
            g.count[FRESH] += 1
            label = (1 << 30) + g.count[FRESH]
        else:
            label = (1 << 29) + cartpole_bins(g.stack, d, a, int(g.rules[SIDE]))
    g.stack[d, a, REWARD] = reward
    g.stack[d, a, OVER] = over
    return label


@njit(cache=True, error_model="numpy")
@no_type_check
def _descend(g, d, a):
    """Make the child the node of the next depth; False where the stack ends."""
    if d + 2 >= g.stack.shape[0]:
        return False
    for k in range(7):
        g.stack[d + 1, g.stack.shape[1] - 1, k] = g.stack[d, a, k]
    return True


@njit(cache=True, error_model="numpy")
@no_type_check
def _branch(g, rng, method, player, d):
    """ABCs and MAX-CFR from the node at depth ``d``."""
    here = g.stack.shape[1] - 1
    s = _infostate(g, d, here)
    n, now = g.n_actions[s], g.count[ITER]
    part = JUDGED if g.stack[d, here, 0] == CART else JUDGED + 2
    _explore(g, method, s, d)
    sampled = _draw(g, d, n, rng)
    for a in range(n):
        verdict = 2 if method == MAX_CFR else _judge(g, s, a)
        if verdict > 0:
            g.count[part + verdict - 1] += 1
        follow = a == sampled or (verdict == 2 and g.memo[s, a, EXPANDED] != now)
        g.count[FOLLOWED if follow else FOLLOWED + 1] += 1
        if method == MAX_CFR and not follow:
            g.stack[d, a, OVER] = 2.0  # not tried, not updated
            continue
        label = _step(g, rng, method, player, d, a)
        if g.number[CODE] == 1:
            g.ring[s, a, g.memo[s, a, SEEN] % g.ring.shape[2]] = label
        elif g.number[CODE] == 2:
            observe(g.bets, s, a, label)
        g.memo[s, a, SEEN] += 1
        if g.stack[d, a, OVER] == 1:
            continue
        t = _infostate(g, d, a)
        for b in range(g.n_actions[t]):
            g.stack[d, a, OLD + b] = g.table[t, b, Q]
        if follow and _descend(g, d, a):
            g.memo[s, a, EXPANDED] = now
            _branch(g, rng, method, player, d + 1)
    for a in range(n):
        if g.stack[d, a, OVER] == 2:
            continue
        y = g.stack[d, a, REWARD]
        if g.stack[d, a, OVER] == 0:
            y += g.rules[GAMMA] * _target(g, method, s, a, d)
        times = g.table[s, a, N]
        g.table[s, a, Q] = (times * g.table[s, a, Q] + y) / (times + 1.0)
        g.table[s, a, N] += 1.0
        g.table[s, a, C] += g.stack[d, a, POLICY]
        g.memo[s, a, UPDATED] = now


@njit(cache=True, error_model="numpy")
@no_type_check
def _target(g, method, s, a, d):
    """Value of the child: the old maximum, corrected where play below has moved."""
    t = _infostate(g, d, a)
    n = g.n_actions[t]
    top = g.stack[d, a, OLD]
    for b in range(1, n):
        top = max(top, g.stack[d, a, OLD + b])
    nonstationary = method == MAX_CFR or _judge(g, s, a) == 2
    again = g.memo[s, a, UPDATED] == g.count[ITER]
    rule = g.number[CORRECT]
    if not nonstationary or rule == 0 or (rule == 1 and again):
        return top
    ties, total = 0, 0.0
    for b in range(n):
        old = g.stack[d, a, OLD + b]
        if old == top:
            new, times = g.table[t, b, Q], g.table[t, b, N]
            ties += 1
            total += times * new - (times - 1.0) * old - new
    return top + total / ties


@njit(cache=True, error_model="numpy")
@no_type_check
def _external(g, rng, method, player, d):
    """External sampling, with Hedge on values or regret matching on regrets.

    Returns the value of the current policy.
    """
    s = _infostate(g, d, g.stack.shape[1] - 1)
    n = g.n_actions[s]
    _explore(g, method, s, d)
    value = 0.0
    for a in range(n):
        _step(g, rng, method, player, d, a)
        if g.stack[d, a, OVER] == 0 and _descend(g, d, a):
            below = _external(g, rng, method, player, d + 1)
            g.stack[d, a, REWARD] += g.rules[GAMMA] * below
        value += g.stack[d, a, POLICY] * g.stack[d, a, REWARD]
    base = value if method == ES_RM else 0.0
    for a in range(n):
        g.table[s, a, Q] += g.stack[d, a, REWARD] - base
        g.table[s, a, N] += 1.0
        g.table[s, a, C] += g.stack[d, a, POLICY]
    return value


@njit(cache=True, error_model="numpy")
@no_type_check
def _outcome(g, rng, method, player, d):
    """Outcome sampling with Hedge: one trajectory, importance weights."""
    here, ε, mass = g.stack.shape[1] - 1, g.number[MIX], 1.0
    while True:
        s = _infostate(g, d, here)
        n = g.n_actions[s]
        _explore(g, method, s, d)
        a = _draw(g, d, n, rng)
        if rng.random() < ε:
            a = int(rng.random() * n)
        mass *= ε / n + (1.0 - ε) * g.stack[d, a, POLICY]
        _step(g, rng, method, player, d, a)
        g.stack[d, here, OLD] = a
        if g.stack[d, a, OVER] == 1 or not _descend(g, d, a):
            break
        d += 1
    gain, forward = 0.0, 1.0
    while d >= 0:
        s = _infostate(g, d, here)
        a = int(g.stack[d, here, OLD])
        gain = g.stack[d, a, REWARD] + g.rules[GAMMA] * gain
        g.table[s, a, Q] += gain / max(mass, 1e-280) * forward
        g.table[s, a, N] += 1.0
        for b in range(g.n_actions[s]):
            g.table[s, b, C] += g.stack[d, b, POLICY]
        forward *= g.stack[d, a, POLICY]
        d -= 1


@njit(cache=True, error_model="numpy")
@no_type_check
def _boltzmann(g, rng, method, player, d):
    """Boltzmann Q-learning: one trajectory, each step updated before the next."""
    here = g.stack.shape[1] - 1
    for _ in range(g.stack.shape[0]):
        s = _infostate(g, d, here)
        _explore(g, method, s, d)
        a = _draw(g, d, g.n_actions[s], rng)
        _step(g, rng, method, player, d, a)
        y, over = g.stack[d, a, REWARD], g.stack[d, a, OVER] == 1
        if not over:
            t = _infostate(g, d, a)
            top = g.table[t, 0, Q]
            for b in range(1, g.n_actions[t]):
                top = max(top, g.table[t, b, Q])
            y += g.rules[GAMMA] * top
        g.table[s, a, N] += 1.0
        size = max(g.number[STEP], 1.0 / g.table[s, a, N])
        g.table[s, a, Q] += size * (y - g.table[s, a, Q])
        _explore(g, method, s, d)
        for b in range(g.n_actions[s]):
            g.table[s, b, C] += g.stack[d, b, POLICY]
        if over:
            break
        for k in range(7):
            g.stack[d, here, k] = g.stack[d, a, k]


@njit(cache=True, error_model="numpy")
@no_type_check
def advance(g, rng, coin, method, n_players, until):
    """Iterate until ``until`` nodes are touched; at least one iteration."""
    while True:
        if g.number[CODE] == 2 or coin.random() < g.number[CLEAR]:
            g.count[EPOCH] += 1
        for player in range(n_players):
            d = _begin(g, rng, method, player)
            if d < 0:
                continue
            if method == ABCS or method == MAX_CFR:
                _branch(g, rng, method, player, d)
            elif method == ES or method == ES_RM:
                _external(g, rng, method, player, d)
            elif method == OS:
                _outcome(g, rng, method, player, d)
            else:
                _boltzmann(g, rng, method, player, d)
        if g.count[ITER] % int(g.number[EVERY]) == 0:
            g.number[TAU_B] *= g.number[COOL_B]
        g.count[ITER] += 1
        if g.count[ITER] % int(g.number[EVERY]) == 0:
            g.number[TAU_A] *= g.number[COOL_A]
        if g.count[NODES] >= until:
            return
