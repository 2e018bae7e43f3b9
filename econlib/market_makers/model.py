r"""The market maker's problem.

A trader of type :math:`x` takes from a menu :math:`(a_k,t_k)`, with no trade
:math:`(0,0)` always on it, what maximises :math:`u=a\cdot x-t`.  The market maker
believes the goods are worth :math:`c`; after a trade with :math:`x` the belief is
:math:`c'(x)=\lambda x+(1-\lambda)c`, and the trade's profit is
:math:`t-a\cdot c'(x)`.

Allocations are in :math:`[-1,1]^d`: positive entries are bought by the trader,
negative ones sold.  Payments are made by the trader; negative ones are received.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

__all__ = [
    "Menu",
    "check_belief",
    "check_weight",
    "choose",
    "profit",
    "updated_belief",
]


@dataclass(frozen=True)
class Menu:
    """What a trader may choose from, besides no trade.

    Attributes
    ----------
    allocations : ndarray, shape (n_entries, n_items)
        In [-1, 1].
    payments : ndarray, shape (n_entries,)
        From trader to market maker.

    Raises
    ------
    ValueError
        Shapes that do not agree, NaN, or allocations outside [-1, 1].
    """

    allocations: Float[np.ndarray, "n_entries n_items"]
    payments: Float[np.ndarray, " n_entries"]

    def __post_init__(self) -> None:
        a, t = self.allocations, self.payments
        if a.ndim != 2 or t.shape != a.shape[:1]:
            raise ValueError(
                f"allocations {a.shape}, payments {t.shape}: expected "
                "(n_entries, n_items) and (n_entries,)"
            )
        if not (np.isfinite(a).all() and np.isfinite(t).all()):
            raise ValueError("allocations, payments: expected finite numbers, no NaN")
        if np.abs(a).max(initial=0.0) > 1 + 1e-9:
            worst = a.ravel()[np.abs(a).argmax()]
            raise ValueError(f"allocations: {worst:.6g} found, expected [-1, 1]")

    def __len__(self) -> int:
        return len(self.payments)

    def with_no_trade(self) -> Menu:
        """The same menu with (0, 0) as its first entry."""
        zero = np.zeros((1, self.allocations.shape[1]))
        return Menu(
            np.concatenate([zero, self.allocations]),
            np.concatenate([[0.0], self.payments]),
        )

    def utility(
        self, types: Float[np.ndarray, "n_samples n_items"]
    ) -> Float[np.ndarray, " n_samples"]:
        """What each type gets from its best choice: 0 or more, convex in the type."""
        gains = types @ self.allocations.T - self.payments
        return np.maximum(gains.max(axis=1, initial=-np.inf), 0.0)


def check_weight(lam: float) -> float:
    r"""Validate :math:`\lambda`.

    Raises
    ------
    ValueError
        ``lam`` is not in [0, 1): at 1 every trade is made at the trader's own value,
        and no menu earns anything.
    """
    number = isinstance(lam, int | float | np.number) and not isinstance(lam, bool)
    if not number or not 0 <= lam < 1:
        raise ValueError(
            f"lam = {lam!r}: expected a number in [0, 1); at 1 no trade earns "
            "anything. Try lam=0.5."
        )
    return float(lam)


def check_belief(
    c: object, n_items: int, low: float = 0.0, high: float = 1.0
) -> np.ndarray:
    r"""Validate :math:`c`, and give one number for each item.

    Parameters
    ----------
    c : float or sequence of float
        One value for all items, or one an item.
    n_items : int
        Number of items.
    low, high : float
        Range that it must be in.

    Returns
    -------
    ndarray, shape (n_items,)
        The belief.

    Raises
    ------
    ValueError
        Wrong length, NaN, or out of range.
    """
    belief = np.asarray(c, dtype=float)
    if belief.ndim > 1 or belief.size not in (1, n_items):
        raise ValueError(f"c = {belief.tolist()}: expected 1 or {n_items} numbers")
    belief = np.broadcast_to(belief.ravel(), n_items).copy()
    if not np.isfinite(belief).all() and np.isinf([low, high]).all():
        raise ValueError(f"c = {belief.tolist()}: expected finite numbers. Try c=0.5.")
    if not ((belief >= low) & (belief <= high)).all():
        raise ValueError(
            f"c = {belief.tolist()}: expected numbers in [{low:g}, {high:g}]. "
            "Try c=0.5."
        )
    return belief


def updated_belief(
    types: Float[np.ndarray, "n_samples n_items"],
    c: Float[np.ndarray, " n_items"],
    lam: float,
) -> Float[np.ndarray, "n_samples n_items"]:
    r"""Belief after a trade, :math:`c'(x)=\lambda x+(1-\lambda)c`.

    Raises
    ------
    ValueError
        A belief that is not finite, or a weight that is not in [0, 1).
    """
    lam, c = check_weight(lam), check_belief(c, types.shape[1], -np.inf, np.inf)
    return lam * types + (1 - lam) * c


def choose(
    menu: Menu, types: Float[np.ndarray, "n_samples n_items"]
) -> Int[np.ndarray, " n_samples"]:
    """Index of each type's choice in ``menu.with_no_trade()``; 0 is no trade.

    Ties go to no trade first and then to the earlier entry.
    """
    full = menu.with_no_trade()
    return np.argmax(types @ full.allocations.T - full.payments, axis=1)


def profit(
    menu: Menu,
    types: Float[np.ndarray, "n_samples n_items"],
    c: Float[np.ndarray, " n_items"],
    lam: float,
) -> Float[np.ndarray, " n_samples"]:
    r"""Profit :math:`t-a\cdot c'(x)` of each type's choice, at the *updated* belief.

    Parameters
    ----------
    menu : Menu
        What the traders choose from.
    types : ndarray, shape (n_samples, n_items)
        Finite values.
    c : ndarray, shape (n_items,)
        Belief before the trade.
    lam : float
        Weight of the trader's value in the belief after it, [0, 1).

    Returns
    -------
    ndarray, shape (n_samples,)
        Profit, in units of the numeraire.

    Raises
    ------
    ValueError
        NaN among the types or in the belief, or a weight out of range.
    """
    if not np.isfinite(types).all():
        raise ValueError("types: expected finite numbers, no NaN")
    full, k = menu.with_no_trade(), choose(menu, types)
    belief = updated_belief(types, c, lam)
    return full.payments[k] - (full.allocations[k] * belief).sum(axis=1)
