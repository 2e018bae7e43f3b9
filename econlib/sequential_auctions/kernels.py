r"""The compiled loops of fitted policy iteration: one state, one draw, one menu a time.

For a state with the menu :math:`p` and :math:`w_T=p_T+V(i+1,S\setminus T)`, with
:math:`\Delta=\mathrm{softmax}_T\,\beta(v(T)-p_T)` and :math:`r=\sum_T\Delta_Tw_T`,

.. math::

   \frac{\partial}{\partial p_T}\mathbb E\,r
   =\mathbb E\,\Delta_T\big(1-\beta(w_T-r)\big),

so that no graph over states, draws and bundles is kept.  Where :math:`v(T)-p_T` is more
than :math:`16/\beta` below the best, :math:`\Delta_T` is held at :math:`2\cdot10^{-7}`.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from numba import njit

__all__ = [
    "hard_targets",
    "play",
    "shared_gradient",
    "soft_gradient",
    "sweep",
    "sweep_one",
]


@njit(cache=True, fastmath=True)
@no_type_check
def _exp(x):
    """Exponential of a number from -16 to 0, to 5e-4 of itself at -16, 1e-6 from -4 on.

    Without a call, so that the compiler does eight at once.
    """
    y = x * np.float32(1 / 64)
    e = y * np.float32(1 / 24) + np.float32(1 / 6)
    e = e * y + np.float32(0.5)
    e = e * y + np.float32(1.0)
    e = e * y + np.float32(1.0)
    e *= e
    e *= e
    e *= e
    e *= e
    e *= e
    return e * e


@njit(cache=True, fastmath=True)
@no_type_check
def _quantile(table, unit):
    """Value at a level in [0, 1], linear between equally spaced quantiles."""
    at = unit * (len(table) - 1)
    k = min(int(at), len(table) - 2)
    return table[k] + np.float32(at - k) * (table[k + 1] - table[k])


@njit(cache=True, fastmath=True)
@no_type_check
def _fill(v, x, first, n_options, full, parent, top, bundle, low, span, size, rng):
    """Values of a menu's options from those of the items, and draws of their own."""
    v[0] = 0.0
    if full:
        width = 1
        while width < n_options:
            j = top[first + width]
            for k in range(width):
                v[width + k] = v[k] + x[j]
            width *= 2
    else:
        for k in range(1, n_options):
            v[k] = v[parent[first + k]] + x[top[first + k]]
    if size[0] >= 0:
        for k in range(1, n_options):
            s = size[bundle[first + k]]
            v[k] += low[s] + span[s] * np.float32(rng.random())


@njit(cache=True, fastmath=True)
@no_type_check
def _choose_softly(v, p, w, g, soft, n, β):
    """Objective of one draw; its gradient is added to g, and v becomes utility."""
    best = np.float32(0.0)
    for k in range(n):
        v[k] -= p[k]
        best = max(best, v[k])
    mass = np.float32(0.0)
    mean = np.float32(0.0)
    for k in range(n):
        e = _exp(max(β * (v[k] - best), np.float32(-16.0)))
        soft[k] = e
        mass += e
        mean += e * w[k]
    mean /= mass
    level = (1 + β * mean) / mass
    slope = β / mass
    for k in range(n):
        g[k] += soft[k] * (level - slope * w[k])
    return mean


@njit(cache=True, fastmath=True)
@no_type_check
def soft_gradient(prices, sets, buyers, after, flat, law, beta, draws, rng):
    """Smoothed objective and price gradient of some states, draws of their own each.

    Indices are (b, k) -> (state, column).  ``law`` is (members, n_left, quantiles
    of items, low and span of bundles by size, size of each set or a first entry of -1
    where bundles have no draws); ``after[i, S]`` the value with buyer i next, ``draws``
    by number of items left, even.
    """
    start, column, bundle, rest, parent, top = flat
    members, left, quantiles, own_low, own_span, size = law
    most = 0
    for b in range(len(sets)):
        most = max(most, start[sets[b] + 1] - start[sets[b]])
    m = len(quantiles)
    p = np.empty(most, np.float32)
    w = np.empty(most, np.float32)
    v = np.empty(most, np.float32)
    g = np.empty(most, np.float32)
    soft = np.empty(most, np.float32)
    x = np.empty(m, np.float32)
    unit = np.empty(m, np.float32)
    gradient = np.zeros(prices.shape, np.float32)
    objective = np.zeros(len(sets))
    β = np.float32(beta)
    for b in range(len(sets)):
        s = sets[b]
        first = start[s]
        n = start[s + 1] - first
        here = after[buyers[b] + 1, s]
        for k in range(n):
            p[k] = prices[b, column[first + k]] if k > 0 else 0.0
            w[k] = p[k] + after[buyers[b] + 1, rest[first + k]] - here
            g[k] = 0.0
        n_draws = draws[left[s]]
        total = 0.0
        full = n == 1 << left[s]
        for d in range(n_draws):
            for j in range(left[s]):
                if d % 2 == 0:
                    unit[j] = rng.random()
                else:
                    unit[j] = 1 - unit[j]
                item = members[s, j]
                x[j] = _quantile(quantiles[item], unit[j])
            _fill(
                v, x, first, n, full, parent, top, bundle, own_low, own_span, size, rng
            )
            total += _choose_softly(v, p, w, g, soft, n, β)
        for k in range(1, n):
            gradient[b, column[first + k]] = g[k] / n_draws
        objective[b] = total / n_draws + here
    return objective, gradient


@njit(cache=True, fastmath=True)
@no_type_check
def shared_gradient(prices, sets, buyers, after, flat, values, beta):
    """As :func:`soft_gradient`, on draws of all bundles that the states share.

    ``values[d, T]`` is the worth of bundle T in draw d.
    """
    start, column, bundle, rest, _, _ = flat
    most = 0
    for b in range(len(sets)):
        most = max(most, start[sets[b] + 1] - start[sets[b]])
    p = np.empty(most, np.float32)
    w = np.empty(most, np.float32)
    v = np.empty(most, np.float32)
    g = np.empty(most, np.float32)
    soft = np.empty(most, np.float32)
    gradient = np.zeros(prices.shape, np.float32)
    objective = np.zeros(len(sets))
    n_draws = len(values)
    for b in range(len(sets)):
        s = sets[b]
        first = start[s]
        n = start[s + 1] - first
        here = after[buyers[b] + 1, s]
        for k in range(n):
            p[k] = prices[b, column[first + k]] if k > 0 else 0.0
            w[k] = p[k] + after[buyers[b] + 1, rest[first + k]] - here
            g[k] = 0.0
        total = 0.0
        for d in range(n_draws):
            for k in range(n):
                v[k] = values[d, bundle[first + k]]
            total += _choose_softly(v, p, w, g, soft, n, np.float32(beta))
        for k in range(1, n):
            gradient[b, column[first + k]] = g[k] / n_draws
        objective[b] = total / n_draws + here
    return objective, gradient


@njit(cache=True, fastmath=True)
@no_type_check
def hard_targets(menu_prices, sets, buyers, after, n_draws, flat, law, rng):
    """Values of some states by one step of the model, draws of their own each."""
    start, _, bundle, rest, parent, top = flat
    members, left, quantiles, own_low, own_span, size = law
    n_sets = len(start) - 1
    v = np.empty(start[n_sets] - start[n_sets - 1], np.float32)
    x = np.empty(len(quantiles), np.float32)
    target = np.zeros(len(sets), np.float32)
    for b in range(len(sets)):
        s = sets[b]
        i = buyers[b]
        first = start[s]
        n = start[s + 1] - first
        full = n == 1 << left[s]
        total = 0.0
        for _ in range(n_draws):
            for j in range(left[s]):
                item = members[s, j]
                x[j] = _quantile(quantiles[item], rng.random())
            _fill(
                v, x, first, n, full, parent, top, bundle, own_low, own_span, size, rng
            )
            best = np.float32(0.0)
            taken = 0
            for k in range(1, n):
                u = v[k] - menu_prices[i, first + k]
                if u >= best:
                    best = u
                    taken = k
            if taken > 0:
                total += menu_prices[i, first + taken]
            total += after[i + 1, rest[first + taken]]
        target[b] = total / n_draws
    return target


@njit(cache=True)
@no_type_check
def sweep(menu_prices, values, flat):
    """Value of a policy at every state, backwards over buyers, the choice hard.

    ``menu_prices[i, f]`` is buyer i's price of flat option f, ``values[d, T]`` worth of
    each bundle in draw d, the same draws at every state.  Returns ``after[i, S]``, 0
    for the last i and where nothing is left.
    """
    n_buyers = menu_prices.shape[0]
    after = np.zeros((n_buyers + 1, len(flat[0]) - 1), np.float32)
    for i in range(n_buyers - 1, -1, -1):
        after[i] = sweep_one(menu_prices[i], values, flat, after[i + 1])
    return after


@njit(cache=True)
@no_type_check
def sweep_one(prices, values, flat, after):
    """Value of one buyer's menus at every set, ``after[S]`` what comes after him."""
    start, _, bundle, rest, _, _ = flat
    n_sets = len(start) - 1
    here = np.zeros(n_sets, np.float32)
    for s in range(1, n_sets):
        total = 0.0
        for d in range(len(values)):
            best = np.float32(0.0)
            taken = start[s]
            for f in range(start[s] + 1, start[s + 1]):
                u = values[d, bundle[f]] - prices[f]
                if u >= best:
                    best = u
                    taken = f
            if taken > start[s]:
                total += prices[taken]
            total += after[rest[taken]]
        here[s] = total / len(values)
    return here


@njit(cache=True, fastmath=True)
@no_type_check
def play(menu_prices, n_episodes, noise, flat, law, rng):
    """Payments in episodes of a policy, and the sets that each buyer met.

    ``noise`` is the standard deviation of what is added to each price, 0 for none.
    """
    start, _, bundle, rest, parent, top = flat
    members, left, quantiles, own_low, own_span, size = law
    n_buyers = menu_prices.shape[0]
    n_sets = len(start) - 1
    most = start[n_sets] - start[n_sets - 1]
    v = np.empty(most, np.float32)
    x = np.empty(len(quantiles), np.float32)
    payments = np.zeros((n_episodes, n_buyers))
    met = np.zeros((n_episodes, n_buyers), np.int64)
    for e in range(n_episodes):
        s = n_sets - 1
        for i in range(n_buyers):
            met[e, i] = s
            first = start[s]
            n = start[s + 1] - first
            for j in range(left[s]):
                item = members[s, j]
                x[j] = _quantile(quantiles[item], rng.random())
            _fill(
                v,
                x,
                first,
                n,
                n == 1 << left[s],
                parent,
                top,
                bundle,
                own_low,
                own_span,
                size,
                rng,
            )
            best = np.float32(0.0)
            taken = 0
            paid = np.float32(0.0)
            for k in range(1, n):
                price = menu_prices[i, first + k]
                if noise > 0:
                    price += np.float32(noise * rng.standard_normal())
                u = v[k] - price
                if u >= best:
                    best = u
                    taken = k
                    paid = price
            payments[e, i] = paid
            s = rest[first + taken]
    return payments, met
