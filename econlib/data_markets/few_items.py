r"""Any number of states: how much do a few items lose to the best menu of types?

On a grid of types the program of :mod:`econlib.data_markets.screening` gives the
optimum with as many items as types.  Menus of full information and at most :math:`k`
partial items, taken from a pool of candidates and priced for those types, give a lower
bound for few items:

.. math::

   R_0\le R_1\le R_2\le\dots\le R_{LP}.

A type that is indifferent takes the dearest item, as in the program.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

from econlib.data_markets.experiments import (
    check_beliefs,
    check_stakes,
    experiment_value,
    full,
    outside_option,
)

__all__ = ["FewItems", "dirichlet_grid", "few_items", "grid_revenue", "reprice"]

_TIE = 1e-9


@dataclass(frozen=True)
class FewItems:
    """The best menu of full information and at most some partial items.

    Attributes
    ----------
    experiments : ndarray, shape (n_items, n_states, n_states)
        Full information first.
    prices : ndarray, shape (n_items,)
        Price of each.
    revenue : float
        On the grid of types.
    """

    experiments: Float[np.ndarray, "n_items n_states n_states"]
    prices: Float[np.ndarray, " n_items"]
    revenue: float


def dirichlet_grid(
    weights: tuple[float, ...] | list[float],
    parameters: tuple | list,
    n_cells: int = 8,
) -> tuple[Float[np.ndarray, "n_types 3"], Float[np.ndarray, " n_types"]]:
    """Three states: centres of ``n_cells`` squared triangles, weighted by density.

    Parameters
    ----------
    weights : sequence of float
        Of the mixture; sum 1.
    parameters : sequence of (float, float, float)
        Of each Dirichlet law, positive.
    n_cells : int
        Subdivisions of a side, 2 to 40.
    """
    if not 2 <= n_cells <= 40:
        raise ValueError(f"n_cells = {n_cells}: expected an integer, 2 to 40")
    w = np.asarray(weights, dtype=float)
    if w.min() < 0 or abs(w.sum() - 1) > 1e-9 or len(w) != len(parameters):
        raise ValueError(f"weights = {w.tolist()}: expected one a law, sum 1")
    points = []
    for i in range(n_cells):
        for j in range(n_cells - i):
            points.append((i + 1 / 3, j + 1 / 3))
            if i + j < n_cells - 1:
                points.append((i + 2 / 3, j + 2 / 3))
    two = np.array(points) / n_cells
    θ = np.column_stack([two, 1 - two.sum(axis=1)])
    f = sum(
        x * stats.dirichlet(row).pdf(θ.T) for x, row in zip(w, parameters, strict=True)
    )
    return θ, f / f.sum()


def grid_revenue(
    gains: Float[np.ndarray, "n_types n_items"],
    prices: Float[np.ndarray, " n_items"],
    weights: Float[np.ndarray, " n_types"],
) -> float:
    """Revenue when each type takes its best item, the dearest of equal ones.

    Parameters
    ----------
    gains : ndarray, shape (n_types, n_items)
        What each item adds to staying out, before its price.
    prices, weights : ndarray
        Of items, of types.
    """
    u = gains - prices
    best = np.maximum(u.max(axis=1), 0.0)
    paid = np.where(u >= best[:, None] - _TIE, prices, 0.0).max(axis=1)
    return float(weights @ np.maximum(paid, 0.0))


def reprice(
    gains: Float[np.ndarray, "n_types n_items"],
    prices: Float[np.ndarray, " n_items"],
    weights: Float[np.ndarray, " n_types"],
    *,
    max_sweeps: int = 20,
) -> tuple[Float[np.ndarray, " n_items"], float]:
    """Climb, one price at a time, over all prices at which a type is indifferent.

    Returns
    -------
    prices, revenue
        A menu that no change of one price improves.
    """
    p = prices.copy()
    value = grid_revenue(gains, p, weights)
    for _ in range(max_sweeps):
        before = value
        for j in range(len(p)):
            rest = np.delete(gains - p, j, axis=1)
            beaten = rest.max(axis=1, initial=0.0)
            # of equal rivals the dearest is what the type pays otherwise
            others = np.delete(p, j)
            tied = np.where(rest >= beaten[:, None] - _TIE, others, 0.0)
            else_paid = np.maximum(tied.max(axis=1, initial=0.0), 0.0)
            limit = gains[:, j] - beaten  # most that the type would pay for j
            order = np.argsort(-limit)
            joined = np.cumsum(weights[order])
            kept = weights @ else_paid - np.cumsum((weights * else_paid)[order])
            offers = np.where(limit[order] > 0, limit[order], 0.0)
            earned = offers * joined + kept
            i = int(np.argmax(earned))
            trial = p.copy()
            trial[j] = offers[i]
            found = grid_revenue(gains, trial, weights)
            if found > value + 1e-12:
                p, value = trial, found
        if value <= before + 1e-12:
            break
    return p, value


def few_items(
    pool: Float[np.ndarray, "n_pool n_states n_states"],
    pool_prices: Float[np.ndarray, " n_pool"],
    beliefs: Float[np.ndarray, "n_types n_states"],
    weights: Float[np.ndarray, " n_types"],
    n_partial: int,
    *,
    stakes: Float[np.ndarray, " n_types"] | None = None,
    max_menus: int = 20_000,
) -> FewItems:
    """Full information and the best at most ``n_partial`` items of a pool.

    Parameters
    ----------
    pool, pool_prices : ndarray
        Candidates, and the prices that climbing starts from.
    beliefs, weights, stakes : ndarray
        Types, as in :func:`econlib.data_markets.screening.screening`.
    n_partial : int
        0 or more.
    max_menus : int
        Most subsets that are tried.
    """
    θ = check_beliefs(beliefs)
    v = check_stakes(stakes, len(θ))
    if n_partial < 0:
        raise ValueError(f"n_partial = {n_partial}: expected an integer, 0 or more")
    every = np.concatenate([full(θ.shape[1])[None], pool])
    gains = experiment_value(every, θ, v) - outside_option(θ, v)[:, None]
    start = np.concatenate([[np.median(gains[:, 0])], pool_prices])
    single, _ = reprice(gains[:, :1], start[:1], weights)
    start[0] = single[0]
    subsets = [
        (0, *(i + 1 for i in chosen))
        for k in range(n_partial + 1)
        for chosen in itertools.combinations(range(len(pool)), k)
    ]
    if len(subsets) > max_menus:
        raise ValueError(
            f"{len(pool)} candidates make {len(subsets)} menus: expected at most "
            f"{max_menus}"
        )
    best = None
    for chosen in subsets:
        at = list(chosen)
        p, value = reprice(gains[:, at], start[at], weights)
        if best is None or value > best[2] + 1e-12:
            best = (at, p, value)
    at, p, value = best
    return FewItems(every[at], p, value)
