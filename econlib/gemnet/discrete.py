r"""Optimal auctions for finitely many types, as linear programs.

Bidders have independent types from one finite set; :math:`x_{ij}(t)` is the probability
that bidder i gets item j at the profile t, :math:`p_i(t)` her payment,

.. math::

   \max\ \sum_t\Pr(t)\sum_ip_i(t)\quad\text{s.t.}\quad
   t_ix_i(t)-p_i(t)\ge\max\big(0,\ t_ix_i(s,t_{-i})-p_i(s,t_{-i})\big),
   \quad\sum_ix_{ij}(t)\le1 .

That is the dominant-strategy optimum; the Bayesian one asks for the same on average
over the others' types.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from econlib import programs

__all__ = ["DiscreteOptimum", "best_affine", "item_types", "optimal_auction"]

_MOST = 200_000  # rows of a program


@dataclass(frozen=True)
class DiscreteOptimum:
    """An optimal auction.

    Attributes
    ----------
    revenue : float
    allocation : ndarray, shape (n_types, ..., n_bidders, n_items)
        One axis of types for each bidder.
    payments : ndarray, shape (n_types, ..., n_bidders)
    gap : float
        Between the primal and the dual value.
    """

    revenue: float
    allocation: Float[np.ndarray, "*profiles n_bidders n_items"]
    payments: Float[np.ndarray, "*profiles n_bidders"]
    gap: float


def item_types(
    values: Float[np.ndarray, " n_values"],
    probabilities: Float[np.ndarray, " n_values"],
    n_items: int = 2,
) -> tuple[Float[np.ndarray, "n_types n_items"], Float[np.ndarray, " n_types"]]:
    """Types with independent items of the same law, in lexicographic order.

    Raises
    ------
    ValueError
        Negative values, probabilities that do not sum to 1, or no item.
    """
    values, q = np.asarray(values, float), np.asarray(probabilities, float)
    if (values < 0).any() or values.shape != q.shape:
        raise ValueError("values: expected numbers of 0 or more, one a probability")
    if (q < 0).any() or abs(q.sum() - 1) > 1e-9:
        raise ValueError(f"probabilities: sum {q.sum():g}, expected 1")
    if n_items < 1:
        raise ValueError(f"n_items = {n_items}: expected an integer, 1 or more")
    rows = list(itertools.product(range(len(values)), repeat=n_items))
    return values[rows], q[rows].prod(axis=1)


def optimal_auction(
    types: Float[np.ndarray, "n_types n_items"],
    probabilities: Float[np.ndarray, " n_types"],
    *,
    n_bidders: int = 2,
    bayesian: bool = False,
    unit_demand: bool = False,
) -> DiscreteOptimum:
    """Solve for the optimum.

    Parameters
    ----------
    types : ndarray, shape (n_types, n_items)
    probabilities : ndarray, shape (n_types,)
    n_bidders : int
        1 or more, all of the same law.
    bayesian : bool
        Whether incentives hold on average over the others' types only.
    unit_demand : bool
        Whether a bidder gets at most one item.

    Raises
    ------
    ValueError
        Fewer than one bidder, or a program of more than 200,000 rows.
    SolverError
        No optimum.
    """
    k, m = types.shape
    n = n_bidders
    if n < 1:
        raise ValueError(f"n_bidders = {n}: expected an integer, 1 or more")
    profiles = k**n
    n_rows = n * k * (k if bayesian else profiles)
    if n_rows > _MOST:
        raise ValueError(
            f"{n} bidders with {k} types: {n_rows} rows, expected at most {_MOST}; "
            "try fewer types"
        )
    index = np.array(list(itertools.product(range(k), repeat=n)))
    chance = probabilities[index].prod(axis=1)
    at = np.arange(profiles)
    stride = k ** np.arange(n)[::-1]
    n_x = profiles * n * m  # then payments
    cost = np.concatenate([np.zeros(n_x), np.repeat(chance, n)])
    lower = np.concatenate([np.zeros(n_x), np.full(profiles * n, -np.inf)])
    upper = np.concatenate([np.ones(n_x), np.full(profiles * n, np.inf)])

    def utilities(i: int, true: np.ndarray, told: np.ndarray) -> sp.csr_matrix:
        """Rows: utility of bidder i of a type where profiles are as told."""
        rows = np.repeat(np.arange(len(told)), m + 1)
        items = told[:, None] * n * m + i * m + np.arange(m)
        columns = np.column_stack([items, n_x + told * n + i]).ravel()
        values = np.column_stack([types[true], -np.ones(len(told))]).ravel()
        return sp.csr_matrix((values, (rows, columns)), (len(told), len(cost)))

    program = programs.Program(cost, lower, upper, maximise=True, method="ipm")
    per_item = sp.kron(sp.eye(profiles), sp.kron(np.ones((1, n)), sp.eye(m)))
    program.add_rows(
        sp.hstack([per_item, sp.csr_matrix((profiles * m, profiles * n))]), upper=1.0
    )
    if unit_demand:
        each = sp.kron(sp.eye(profiles * n), np.ones((1, m)))
        program.add_rows(
            sp.hstack([each, sp.csr_matrix((profiles * n, profiles * n))]), upper=1.0
        )
    for i in range(n):
        own = index[:, i]
        truth = utilities(i, own, at)
        others = chance / probabilities[own]
        mean = sp.csr_matrix((others, (own, at)), (k, profiles))
        program.add_rows(mean @ truth if bayesian else truth, lower=0.0)
        for s in range(k):
            lie = utilities(i, own, at + (s - own) * stride[i])
            gain = truth - lie
            if bayesian:
                program.add_rows(mean @ gain, lower=0.0)
            else:
                program.add_rows(gain[own != s], lower=0.0)
    found = program.solve()
    shape = (k,) * n
    return DiscreteOptimum(
        found.objective,
        found.x[:n_x].reshape(*shape, n, m),
        found.x[n_x:].reshape(*shape, n),
        found.gap,
    )


def best_affine(
    types: Float[np.ndarray, "n_types n_items"],
    probabilities: Float[np.ndarray, " n_types"],
    *,
    weights: tuple[float, ...] = (1.0, 1.0),
    unit_demand: bool = False,
    deterministic: bool = False,
    time_limit: float = 60.0,
) -> DiscreteOptimum:
    r"""Best affine maximiser, over all lists of lotteries and all boosts.

    Its weighted maximum :math:`W` is a convex function of the profile, the allocation a
    subgradient of it, and what others would have without bidder i is
    :math:`W(0,t_{-i})`.  With a worthless type 0 added to everybody's this is a program

    .. math::

       \max\ \sum_t\Pr(t)\sum_i\frac1{w_i}\big[W(0,t_{-i})-W(t)+w_it_ix_i(t)\big]
       \quad\text{s.t.}\quad
       W(s)\ge W(t)+\sum_iw_i(s_i-t_i)x_i(t),\quad W\ge0 .

    Parameters
    ----------
    types : ndarray, shape (n_types, n_items)
    probabilities : ndarray, shape (n_types,)
    weights : tuple of float
        One a bidder, above 0.
    unit_demand : bool
        Whether a bidder gets at most one item.
    deterministic : bool
        Whether allocations are whole, a mixed-integer program.
    time_limit : float
        Seconds.

    Raises
    ------
    ValueError
        Weights out of range, or a program of more than 200,000 rows.
    SolverError
        No optimum in time.
    """
    k, m = types.shape
    w = np.asarray(weights, dtype=float)
    n = len(w)
    if n < 1 or not w.min() > 0:
        raise ValueError(f"weights = {weights}: expected numbers above 0")
    spots = (k + 1) ** n  # the worthless type is the first
    if spots**2 > _MOST:
        raise ValueError(
            f"{n} bidders with {k} types: {spots**2} rows, expected at most {_MOST}; "
            "try fewer types"
        )
    index = np.array(list(itertools.product(range(k + 1), repeat=n)))
    scale = float(np.abs(types).max())
    t = np.vstack([np.zeros(m), types / scale])[index]  # (spots, n, m)
    chance = np.append(0.0, probabilities)[index].prod(axis=1)
    stride = (k + 1) ** np.arange(n)[::-1]
    at, width = np.arange(spots), n * m
    # x first, then W
    cost = np.zeros(spots * (width + 1))
    cost[: spots * width] = (chance[:, None, None] * t).ravel()
    for i in range(n):
        without = at - index[:, i] * stride[i]
        np.add.at(cost, spots * width + without, chance / w[i])
        np.add.at(cost, spots * width + at, -chance / w[i])
    n_x = spots * width
    integer = None
    if deterministic:
        integer = np.arange(len(cost)) < n_x
    program = programs.Program(
        cost,
        0.0,
        np.append(np.ones(n_x), np.full(spots, np.inf)),
        maximise=True,
        integer=integer,
        time_limit=time_limit,
    )
    here, there = (z.ravel() for z in np.meshgrid(at, at, indexing="ij"))
    here, there = here[here != there], there[here != there]
    slope = (w[:, None] * (t[there] - t[here])).reshape(len(here), width)
    columns = np.column_stack(
        [here[:, None] * width + np.arange(width), n_x + here, n_x + there]
    )
    ones = np.ones((len(here), 1))
    values = np.column_stack([-slope, -ones, ones])
    rows = np.repeat(np.arange(len(here)), width + 2)
    shape = (len(here), len(cost))
    program.add_rows(
        sp.csr_matrix((values.ravel(), (rows, columns.ravel())), shape), lower=0.0
    )
    per_item = sp.kron(sp.eye(spots), sp.kron(np.ones((1, n)), sp.eye(m)))
    rest = sp.csr_matrix((spots * m, spots))
    program.add_rows(sp.hstack([per_item, rest]), upper=1.0)
    if unit_demand:
        each = sp.kron(sp.eye(spots * n), np.ones((1, m)))
        rest = sp.csr_matrix((spots * n, spots))
        program.add_rows(sp.hstack([each, rest]), upper=1.0)
    found = program.solve()
    x = found.x[:n_x].reshape(*(k + 1,) * n, n, m)
    W = found.x[n_x:]
    paid = [
        (W[at - index[:, i] * stride[i]] - W) / w[i]
        + (t[:, i] * found.x[:n_x].reshape(spots, n, m)[:, i]).sum(axis=1)
        for i in range(n)
    ]
    real = (slice(1, None),) * n
    payments = scale * np.stack(paid, axis=1).reshape(*(k + 1,) * n, n)
    return DiscreteOptimum(
        scale * found.objective, x[real], payments[real], scale * found.gap
    )
