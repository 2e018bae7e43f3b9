r"""Two states: exact revenue of any menu, and the menus known in closed form.

For a given stake every item is worth the largest of a few functions that are affine in
:math:`\theta`, one for each answer to its signals, so that a menu's utility is an upper
envelope and its revenue a sum of prices times differences of :math:`F`:

.. math::

   R=\sum_bw_b\sum_jp_j\,[F(h_{jb})-F(l_{jb})],

with :math:`(l_{jb},h_{jb})` the beliefs at which line :math:`j` is on top for the stake
:math:`v_b` of weight :math:`w_b`.  Nothing is sampled and nothing is soft.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import optimize

from econlib.data_markets.experiments import (
    check_experiments,
    check_payoffs,
    concentrated,
    full,
)
from econlib.valuations import Marginal

__all__ = [
    "BinaryMenu",
    "Stakes",
    "best_menu",
    "best_one_item",
    "best_two_items",
    "enlarged_uniform",
    "exact_revenue",
    "item_masses",
    "two_item_revenue",
    "two_types",
    "uniform_stakes",
]


@dataclass(frozen=True)
class Stakes:
    """Stakes as nodes of a quadrature.

    Attributes
    ----------
    nodes, weights : ndarray, shape (n_nodes,)
        Positive stakes, and their weights, which sum to 1.
    """

    nodes: Float[np.ndarray, " n_nodes"]
    weights: Float[np.ndarray, " n_nodes"]


@dataclass(frozen=True)
class BinaryMenu:
    """A menu for two states; the buyer may always stay out.

    Attributes
    ----------
    experiments : ndarray, shape (n_items, 2, 2)
        Row-stochastic matrices.
    prices : ndarray, shape (n_items,)
        Price of each.
    revenue : float
        What it earns, exactly.
    """

    experiments: Float[np.ndarray, "n_items 2 2"]
    prices: Float[np.ndarray, " n_items"]
    revenue: float


def uniform_stakes(low: float, high: float = 1.0, n_nodes: int = 64) -> Stakes:
    """Stakes uniform on [low, high], by Gauss and Legendre; one node if they agree.

    Raises
    ------
    ValueError
        Unless 0 <= low <= high, high is positive, and n_nodes is 1 to 2000.
    """
    if not 0 <= low <= high or high <= 0 or not np.isfinite(high):
        raise ValueError(f"low = {low}, high = {high}: expected 0 <= low <= high > 0")
    if not 1 <= n_nodes <= 2000:
        raise ValueError(f"n_nodes = {n_nodes}: expected an integer, 1 to 2000")
    if low == high:
        return Stakes(np.array([float(low)]), np.ones(1))
    x, w = np.polynomial.legendre.leggauss(n_nodes)
    return Stakes(low + (high - low) * (x + 1) / 2, w / 2)


def _lines(
    experiments: np.ndarray, prices: np.ndarray, u: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Gross value as lines in θ: value at 0, slope, price, item (-1: staying out)."""
    n_act = u.shape[1]
    answers = np.stack(np.meshgrid(*[np.arange(n_act)] * experiments.shape[2]), -1)
    at1, at0, item = [u[0]], [u[1]], [np.full(n_act, -1)]
    for σ in answers.reshape(-1, experiments.shape[2]):
        if (σ == σ[0]).all():
            continue  # ignores the signal: as staying out, but for the price
        at1.append(experiments[:, 0] @ u[0][σ])
        at0.append(experiments[:, 1] @ u[1][σ])
        item.append(np.arange(len(prices)))
    one, zero, j = (np.concatenate(x) for x in (at1, at0, item))
    paid = np.where(j < 0, 0.0, prices[j] if len(prices) else 0.0)
    # a negative price for nothing would be taken by all: keep such lines
    return zero, one - zero, paid, j


def _intervals(
    zero: np.ndarray, slope: np.ndarray, paid: np.ndarray, stakes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where each line is on top, for each stake; of equal lines the dearest one."""
    height = zero[None] - paid[None] / stakes[:, None]
    steeper = slope[None, :] - slope[:, None]  # [line, rival]
    above = height[:, None, :] - height[:, :, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        cross = -above / steeper[None]
    low = np.where(steeper[None] < -1e-12, cross, -np.inf).max(axis=2)
    high = np.where(steeper[None] > 1e-12, cross, np.inf).min(axis=2)
    same = np.abs(steeper)[None] <= 1e-12
    order = np.arange(len(zero))
    dearer = (paid[None, :] > paid[:, None] + 1e-15) | (
        (np.abs(paid[None, :] - paid[:, None]) <= 1e-15)
        & (order[None, :] < order[:, None])
    )
    beaten = same & ((above > 1e-12) | ((np.abs(above) <= 1e-12) & dearer[None]))
    low, high = np.clip(low, 0, 1), np.clip(high, 0, 1)
    return low, np.where(beaten.any(axis=2), low, np.maximum(low, high))


def item_masses(
    experiments: Float[np.ndarray, "n_items n_states n_signals"],
    prices: Float[np.ndarray, " n_prices"],
    law: Marginal,
    stakes: Stakes | None = None,
    payoffs: object = None,
) -> Float[np.ndarray, " n_items"]:
    """Probability that each item is bought; arguments as in :func:`exact_revenue`."""
    π, p = check_experiments(experiments), np.asarray(prices, dtype=float)
    if p.shape != (len(π),) or not np.isfinite(p).all():
        raise ValueError(f"prices: expected {len(π)} finite numbers")
    if π.shape[1] != 2 or π.shape[2] > 3:
        raise ValueError(
            f"experiments: shape {π.shape}, expected 2 states, 2-3 signals"
        )
    stakes = uniform_stakes(1.0) if stakes is None else stakes
    zero, slope, paid, j = _lines(π, p, check_payoffs(payoffs, 2))
    mass = np.zeros(len(p) + 1)
    step = max(1, 2_000_000 // len(zero) ** 2)
    for at in range(0, len(stakes.nodes), step):
        v, w = stakes.nodes[at : at + step], stakes.weights[at : at + step]
        low, high = _intervals(zero, slope, paid, v)
        F = law.cdf(np.stack([low, high]))
        np.add.at(mass, j, w @ (F[1] - F[0]))
    return mass[:-1]


def exact_revenue(
    experiments: Float[np.ndarray, "n_items n_states n_signals"],
    prices: Float[np.ndarray, " n_prices"],
    law: Marginal,
    stakes: Stakes | None = None,
    payoffs: object = None,
) -> float:
    r"""Revenue of any menu for two states, each buyer taking its best item.

    Parameters
    ----------
    experiments : ndarray, shape (n_items, 2, n_signals)
        Row-stochastic; the order of signals does not matter.
    prices : ndarray, shape (n_items,)
        Any finite prices.
    law : Marginal
        Law of :math:`\theta=\Pr[\omega_1]`.
    stakes : Stakes, optional
        Independent of the belief; 1 where left out.
    payoffs : optional
        As in :func:`econlib.data_markets.experiments.check_payoffs`.

    Returns
    -------
    float
        Exact for the nodes of the stakes.

    Examples
    --------
    >>> from econlib.data_markets.beliefs import uniform
    >>> exact_revenue(full()[None], np.array([0.25]), uniform())
    0.125
    """
    p = np.asarray(prices, dtype=float)
    return float(p @ item_masses(experiments, p, law, stakes, payoffs))


def best_one_item(law: Marginal, stakes: Stakes | None = None) -> BinaryMenu:
    """Full information at the best single price."""
    stakes = uniform_stakes(1.0) if stakes is None else stakes

    def earned(p: np.ndarray) -> np.ndarray:
        cut = np.minimum(p[:, None] / stakes.nodes, 0.5)
        return p * ((law.cdf(1 - cut) - law.cdf(cut)) @ stakes.weights)

    top = float(stakes.nodes.max()) / 2
    low, high = 0.0, top
    for _ in range(8):
        grid = np.linspace(low, high, 257)
        best = int(np.argmax(earned(grid)))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, 256)]
    p = np.array([grid[best]])
    return BinaryMenu(full()[None], p, float(earned(p)[0]))


def best_menu(
    law: Marginal,
    slopes: Float[np.ndarray, " n_items"],
    prices: Float[np.ndarray, " n_items"],
    stakes: Stakes | None = None,
) -> BinaryMenu:
    r"""Climb from a menu of concentrated items to a local optimum of exact revenue.

    Parameters
    ----------
    law, stakes
        As in :func:`exact_revenue`.
    slopes, prices : ndarray, shape (n_items,)
        Where to start: :math:`q` in [-1, 1], and prices.

    Returns
    -------
    BinaryMenu
        Nelder and Mead, restarted twice; never worse than the start.
    """
    n = len(slopes)

    def loss(x: np.ndarray) -> float:
        q = np.clip(x[:n], -1, 1)
        return -exact_revenue(concentrated(q), x[n:], law, stakes)

    x = np.concatenate([slopes, prices])
    for size in (0.03, 0.01, 0.003):
        simplex = np.vstack([x, x + size * np.eye(2 * n)])
        found = optimize.minimize(
            loss,
            x,
            method="Nelder-Mead",
            options={
                "initial_simplex": simplex,
                "xatol": 1e-8,
                "fatol": 1e-12,
                "maxiter": 400 * n,
            },
        )
        x = found.x
    q = np.clip(x[:n], -1, 1)
    return BinaryMenu(concentrated(q), x[n:], float(-found.fun))


def two_item_revenue(
    q: Float[np.ndarray, " n_menus"],
    partial: Float[np.ndarray, " n_menus"],
    whole: Float[np.ndarray, " n_menus"],
    law: Marginal,
    stakes: Stakes | None = None,
) -> Float[np.ndarray, " n_menus"]:
    r"""Revenue of many menus of a partial item and full information.

    With :math:`\pi=1-|q|` and prices in units of the stake, the partial item
    :math:`(\pi,1)` is bought on
    :math:`[\frac{p_1}\pi,\min(t_1,\frac{1-p_1}{2-\pi})]` and full information on
    :math:`[\max(t_1,p_2),1-p_2]`, :math:`t_1=\frac{p_2-p_1}{1-\pi}`.

    Parameters
    ----------
    q, partial, whole : ndarray, shape (n_menus,)
        Slope of the partial item, all of one sign and not 0; its price
        :math:`p_1`; the price of full information, :math:`p_2`.
    law, stakes
        As in :func:`exact_revenue`.
    """
    stakes = uniform_stakes(1.0) if stakes is None else stakes
    size = np.abs(q)[:, None]
    p1, p2 = partial[:, None] / stakes.nodes, whole[:, None] / stakes.nodes
    t1 = (p2 - p1) / size
    start = p1 / (1 - size)
    stop = np.minimum(t1, (1 - p1) / (1 + size))
    cuts = np.stack([start, np.maximum(start, stop), np.maximum(t1, p2), 1 - p2])
    cuts[3] = np.maximum(cuts[2], cuts[3])
    cuts = np.clip(cuts, 0.0, 1.0)
    mirrored = bool((q > 0).all())
    F = 1 - law.cdf(1 - cuts) if mirrored else law.cdf(cuts)
    w = stakes.weights
    return partial * ((F[1] - F[0]) @ w) + whole * ((F[3] - F[2]) @ w)


def best_two_items(law: Marginal, stakes: Stakes | None = None) -> BinaryMenu:
    r"""Full information and at most one partial item, at the best prices.

    A grid over slope and prices on either side, then Nelder and Mead on
    :func:`two_item_revenue` from its best points; the single item is returned where a
    second adds less than 1e-7.
    """
    single = best_one_item(law, stakes)
    top = single.prices[0]
    sizes = np.geomspace(0.01, 0.7, 14)
    grid = np.stack(
        np.meshgrid(sizes, np.linspace(0.65, 1.1, 13), np.linspace(0.9, 1.4, 13)), -1
    ).reshape(-1, 3)  # size, p1 / ((1 - size) p), p2 / p
    best = single
    for sign in (-1.0, 1.0):

        def earned(x: np.ndarray, sign: float = sign) -> np.ndarray:
            size = np.clip(x[:, 0], 1e-4, 0.999)
            low, high = (1 - size) * x[:, 1] * top, x[:, 2] * top
            return two_item_revenue(sign * size, low, high, law, stakes)

        value = np.concatenate([earned(part) for part in np.array_split(grid, 4)])
        order, starts = np.argsort(-value), []
        for small in (False, True):  # the best points, one of them close to full
            kept = [i for i in order if (grid[i, 0] < 0.06) == small]
            starts += [kept[0], next(i for i in kept if grid[i, 0] != grid[kept[0], 0])]
        for i in starts:
            x = grid[i]
            for step in (0.02, 0.002):
                found = optimize.minimize(
                    lambda x, f=earned: -float(f(x[None])[0]),
                    x,
                    method="Nelder-Mead",
                    options={
                        "initial_simplex": np.vstack([x, x + step * np.eye(3)]),
                        "xatol": 1e-9,
                        "fatol": 1e-13,
                        "maxiter": 600,
                    },
                )
                x = found.x
            size = float(np.clip(x[0], 1e-4, 0.999))
            p = np.array([(1 - size) * x[1] * top, x[2] * top])
            π = concentrated([sign * size, 0.0])
            revenue = exact_revenue(π, p, law, stakes)
            sold = item_masses(π, p, law, stakes)
            if revenue > best.revenue + 1e-7 and sold.min() > 0:
                best = BinaryMenu(π, p, revenue)
    return best


def two_types(
    precise: float, vague: float, gamma: float
) -> tuple[float, float, float, float]:
    r"""The optimal menu for two beliefs {cite:p}`bergemann2018design`.

    The less informed type ``vague``, of probability ``gamma``, buys full information.
    If the types lean to different states, the other buys
    :math:`(\pi_1,1)` with :math:`\pi_1=\frac{2\theta^H-1}{\theta^H-\theta^L}` and all
    surplus is extracted if :math:`\gamma>\theta^L/\theta^H`, else full information is
    sold to both.  If they lean to the same state, both buy it if
    :math:`\gamma\le\frac{1-\theta^L}{1-\theta^H}`, else only ``vague`` does.
    Formulas are for ``vague`` above 1/2; the mirror image is handled.

    Parameters
    ----------
    precise, vague : float
        :math:`\theta^L,\theta^H` in (0, 1), the first further from 1/2, the second not
        1/2.
    gamma : float
        Probability of ``vague``, in (0, 1).

    Returns
    -------
    q, price_precise, price_vague, revenue : float
        Slope and price of the item of ``precise`` (``nan`` if it buys none), the price
        of full information, and revenue.

    Examples
    --------
    >>> [round(x, 6) + 0.0 for x in two_types(0.2, 0.7, 0.5)]
    [-0.2, 0.16, 0.3, 0.23]
    """
    for name, x in (("precise", precise), ("vague", vague), ("gamma", gamma)):
        if not 0 < x < 1:
            raise ValueError(f"{name} = {x}: expected a number in (0, 1)")
    if not abs(precise - 0.5) > abs(vague - 0.5) > 0:
        raise ValueError(
            f"precise = {precise}, vague = {vague}: expected the first further from "
            "1/2, the second not 1/2"
        )
    if vague < 0.5:
        q, low, high, revenue = two_types(1 - precise, 1 - vague, gamma)
        return -q, low, high, revenue
    if precise < 0.5:
        if gamma <= precise / vague:
            return 0.0, precise, precise, precise
        π = (2 * vague - 1) / (vague - precise)
        low, high = precise * π, 1 - vague
        return π - 1, low, high, (1 - gamma) * low + gamma * high
    if gamma <= (1 - precise) / (1 - vague):
        return 0.0, 1 - precise, 1 - precise, 1 - precise
    return float("nan"), 0.0, 1 - vague, gamma * (1 - vague)


def enlarged_uniform() -> tuple[float, float]:
    r"""Price and revenue of full information for :math:`\theta,v` uniform on [0, 1].

    With :math:`z=2p`, :math:`R=p(1-z+z\ln z)` is largest where
    :math:`1-z+2z\ln z=0`.
    """
    z = optimize.brentq(lambda z: 1 - z + 2 * z * np.log(z), 1e-6, 0.9, xtol=1e-15)
    p = z / 2
    return float(p), float(p * (1 - z + z * np.log(z)))
