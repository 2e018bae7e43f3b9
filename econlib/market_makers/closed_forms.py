r"""Optimal schedules that are known in closed form.

One good, any density: an ask and a bid.  Uniform types on :math:`[0,1]^d`: with
:math:`m=d+\frac1{1-\lambda}`, direction :math:`s_i=\pm1` and room
:math:`h_i=1-c_i` (buying) or :math:`c_i` (selling), every single trade costs
:math:`s_ic_i+h_i(1-\frac1m)`, and every pair of trades is cheaper than its two parts.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import integrate, interpolate, optimize

from econlib.market_makers.model import Menu, check_belief, check_weight
from econlib.valuations import Marginal

__all__ = [
    "Spread",
    "no_trade_probability",
    "pays_in_kind",
    "separate_profit",
    "single_good",
    "uniform_menu",
    "uniform_profit",
    "uniform_spread",
]


@dataclass(frozen=True)
class Spread:
    """Best bid and ask for one good.

    Attributes
    ----------
    bid, ask : float
        Prices at which the market maker buys and sells.
    profit : float
        Expected profit a trader.
    no_trade : float
        Probability of no trade.
    """

    bid: float
    ask: float
    profit: float
    no_trade: float


def uniform_spread(c: float, lam: float) -> Spread:
    r"""Best spread for uniform types on [0, 1].

    Ask :math:`\frac{1+(1-\lambda)c}{2-\lambda}`, bid
    :math:`\frac{(1-\lambda)c}{2-\lambda}`, profit
    :math:`\frac{(1-\lambda)^2(c^2+(1-c)^2)}{2(2-\lambda)}`.

    Parameters
    ----------
    c : float
        Belief, [0, 1].
    lam : float
        Weight of the trader's value, [0, 1).

    Examples
    --------
    >>> uniform_spread(0.5, 0.0)
    Spread(bid=0.25, ask=0.75, profit=0.125, no_trade=0.5)
    """
    (c,), lam = check_belief(c, 1), check_weight(lam)
    c = float(c)
    bid, ask = (1 - lam) * c / (2 - lam), (1 + (1 - lam) * c) / (2 - lam)
    profit = (1 - lam) ** 2 * (c**2 + (1 - c) ** 2) / (2 * (2 - lam))
    return Spread(bid, ask, profit, ask - bid)


def single_good(law: Marginal, c: float, lam: float, n_grid: int = 2001) -> Spread:
    r"""Best spread for any density of one good's value.

    The utility's slope is monotone in [-1, 1] and profit is linear in it, so that one
    price a side is optimal, regular density or not: the ask maximises
    :math:`\int_p^b(p-\lambda x-(1-\lambda)c)f`, the bid
    :math:`\int_0^q(\lambda x+(1-\lambda)c-q)f`.

    Parameters
    ----------
    law : Marginal
        Law of the value.
    c : float
        Belief, any finite number: outside the support one side has no trade.
    lam : float
        Weight of the trader's value, [0, 1).
    n_grid : int
        Points that the global search starts from, 3 or more.

    Returns
    -------
    Spread
        A side without trade has its price at the end of the support.
    """
    lam, c = check_weight(lam), float(check_belief(c, 1, -np.inf, np.inf)[0])
    grid = np.linspace(law.low, law.high, n_grid)
    cdf = law.cdf(grid)
    # partial mean by parts: ∫ x f = x F - ∫ F
    partial = grid * cdf - integrate.cumulative_simpson(cdf, x=grid, initial=0.0)
    mean_to = interpolate.CubicSpline(grid, partial)
    total, own = partial[-1], (1 - lam) * c

    def sold(p):
        return (p - own) * (1 - law.cdf(p)) - lam * (total - mean_to(p))

    def bought(q):
        return (own - q) * law.cdf(q) + lam * mean_to(q)

    ask = _maximiser(sold, max(c, law.low), law.high, n_grid)
    bid = _maximiser(bought, law.low, min(c, law.high), n_grid)
    if sold(ask) < 0 or c >= law.high:
        ask = law.high
    if bought(bid) < 0 or c <= law.low:
        bid = law.low
    gain = float(np.maximum(sold(ask), 0) + np.maximum(bought(bid), 0))
    return Spread(bid, ask, gain, float(law.cdf(ask) - law.cdf(bid)))


def _maximiser(f: Callable, low: float, high: float, n_grid: int) -> float:
    """Global maximiser on an interval: best point of a grid, then Brent around it."""
    if low >= high:
        return float(low)
    grid = np.linspace(low, high, n_grid)
    best = int(np.argmax(f(grid)))
    bounds = grid[max(best - 1, 0)], grid[min(best + 1, n_grid - 1)]
    found = optimize.minimize_scalar(
        lambda x: -float(f(x)),
        bounds=bounds,
        method="bounded",
        options={"xatol": 1e-10},
    )
    return float(found.x)


def _rooms(c: np.ndarray, signs: tuple[int, ...]) -> np.ndarray:
    return np.where(np.array(signs) > 0, 1 - c, c)


def uniform_menu(c: object, lam: float, n_items: int = 2) -> Menu:
    r"""Optimal menu for uniform types on :math:`[0,1]^d`, :math:`d` of 1 or 2.

    Single trades at :math:`s_ic_i+h_i(1-\frac1m)`; corner trades at the sum of both
    less :math:`\sqrt{2h_1h_2}/m`.

    Parameters
    ----------
    c : float or sequence of float
        Belief, in [0, 1].
    lam : float
        Weight of the trader's value, [0, 1).
    n_items : int
        1 or 2.

    Returns
    -------
    Menu
        The :math:`3^d-1` trades; those without room (:math:`h_i=0`) are kept, at the
        price where nobody gains from them.
    """
    if n_items not in (1, 2):
        raise ValueError(
            f"n_items = {n_items}: expected 1 or 2; 3 goods: orthant_prices"
        )
    c, lam = check_belief(c, n_items), check_weight(lam)
    m = n_items + 1 / (1 - lam)
    allocations, payments = [], []
    for signs in itertools.product((-1, 0, 1), repeat=n_items):
        s = np.array(signs)
        if not s.any():
            continue
        h = np.where(s > 0, 1 - c, c) * np.abs(s)
        discount = np.sqrt(2 * h.prod()) / m if np.abs(s).sum() == 2 else 0.0
        allocations.append(s.astype(float))
        payments.append(float(s @ c + h.sum() * (1 - 1 / m) - discount))
    return Menu(np.array(allocations), np.array(payments))


def uniform_profit(c: object, lam: float, n_items: int = 2) -> float:
    r"""Profit of :func:`uniform_menu`.

    For two goods
    :math:`\frac{1-\lambda}{m^2}\{\frac{m+1}2\sum_i[c_i^2+(1-c_i)^2]+
    \frac{2\sqrt2}3\prod_i[c_i^{3/2}+(1-c_i)^{3/2}]\}`.

    Examples
    --------
    >>> round(uniform_profit(0.5, 0.0), 6)
    0.274601
    """
    if n_items not in (1, 2):
        raise ValueError(f"n_items = {n_items}: expected 1 or 2")
    c, lam = check_belief(c, n_items), check_weight(lam)
    if n_items == 1:
        return uniform_spread(float(c[0]), lam).profit
    m = 2 + 1 / (1 - lam)
    squares = (c**2 + (1 - c) ** 2).sum()
    powers = (c**1.5 + (1 - c) ** 1.5).prod()
    curly = (m + 1) / 2 * squares + 2 * np.sqrt(2) / 3 * powers
    return float((1 - lam) / m**2 * curly)


def separate_profit(marginals: tuple[Marginal, ...], c: object, lam: float) -> float:
    """Profit of the best bid and ask for each good by itself."""
    c = check_belief(c, len(marginals), -np.inf, np.inf)
    return sum(
        single_good(law, float(c_i), lam).profit
        for law, c_i in zip(marginals, c, strict=True)
    )


def no_trade_probability(lam: float, n_items: int) -> float:
    r"""Probability of no trade under uniform types, :math:`1/(1+d(1-\lambda))`.

    It does not depend on the belief.
    """
    return 1 / (1 + n_items * (1 - check_weight(lam)))


def pays_in_kind(c: object, lam: float) -> Float[np.ndarray, "2 2"]:
    r"""Where traders hand over a good that they value above the market maker's belief.

    In the corner with rooms :math:`h_1,h_2`, good 1 serves as payment in kind iff
    :math:`h_2/h_1>(m-1)^2/2`, and good 2 iff :math:`h_1/h_2` exceeds it.

    Parameters
    ----------
    c : float or sequence of float
        Belief in the two goods, [0, 1].
    lam : float
        Weight of the trader's value, [0, 1).

    Returns
    -------
    ndarray, shape (2, 2)
        For the corners (sell 1, buy 2) and (buy 1, sell 2): by how much the credit for
        the good handed over exceeds the belief in it; positive where paying in kind
        happens.
    """
    c, lam = check_belief(c, 2), check_weight(lam)
    m = 2 + 1 / (1 - lam)
    credit = np.zeros((2, 2))
    for row, signs in enumerate(((-1, 1), (1, -1))):
        h = _rooms(c, signs)
        δ = np.sqrt(2 * h.prod()) / m
        credit[row] = δ - h * (1 - 1 / m)
    return credit
