r"""Tax schedules, what they take from a harvest, and how a stock regrows.

A schedule is a row of marginal rates :math:`\tau_b\in[0,1]`, one for each bracket that
the cut-offs :math:`0=c_0<c_1<\dots` open,

.. math::

   T(y)=\sum_b\tau_b\,\min\big(\max(y-c_b,0),\,c_{b+1}-c_b\big).
"""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

__all__ = ["bracket_tax", "check_rates", "pay_tables", "rate_grid", "refill_law"]


def rate_grid(step: float = 0.1, n_brackets: int = 2) -> np.ndarray:
    """All schedules whose rates are multiples of a step, first bracket slowest.

    Parameters
    ----------
    step : float
        Distance of neighbouring rates; 1 over a whole number, 0.01 to 1.
    n_brackets : int
        Rates of a schedule, 1 to 6.

    Returns
    -------
    ndarray, shape ((1 / step + 1) ** n_brackets, n_brackets)
        Rates in [0, 1].

    Raises
    ------
    ValueError
        A step that does not divide 1, or more than a million schedules.
    """
    parts = round(1 / step) if step > 0 else 0
    if not 1 <= parts <= 100 or abs(parts * step - 1) > 1e-9:
        raise ValueError(
            f"step = {step}: expected 1 over a whole number, 0.01 to 1. Try step=0.1."
        )
    if not 1 <= n_brackets <= 6 or (parts + 1) ** n_brackets > 1_000_000:
        raise ValueError(
            f"n_brackets = {n_brackets}: expected 1 to 6, and at most a million "
            f"schedules; step {step} makes {parts + 1} rates a bracket"
        )
    axis = np.arange(parts + 1) / parts
    return np.stack(np.meshgrid(*[axis] * n_brackets, indexing="ij"), -1).reshape(
        -1, n_brackets
    )


def refill_law(capacity: int, regrowth: float) -> np.ndarray:
    r"""Law of :math:`r+\mathrm{Binomial}(K-r,gr/K)`, a row for each :math:`r`."""
    law = np.zeros((capacity + 1, capacity + 1))
    for left in range(capacity + 1):
        born = np.arange(capacity - left + 1)
        rate = regrowth * left / capacity
        rate = rate if rate > 1e-100 else 0.0  # where the mass function overflows
        law[left, left:] = binom.pmf(born, capacity - left, rate)
    return law


def check_rates(rates: object, n_brackets: int) -> np.ndarray:
    """Validate schedules.

    Raises
    ------
    ValueError
        Not of shape (n_schedules, n_brackets), or a rate outside [0, 1].
    """
    table = np.ascontiguousarray(rates, float)
    if table.ndim != 2 or table.shape[1] != n_brackets or not len(table):
        raise ValueError(
            f"rates: shape {table.shape}: expected (n_schedules, {n_brackets})"
        )
    if not ((table >= 0) & (table <= 1)).all():
        worst = table[~((table >= 0) & (table <= 1))][0]
        raise ValueError(f"rates: {worst:g} found: expected numbers in [0, 1]")
    return table


def bracket_tax(rates: np.ndarray, y: np.ndarray, brackets: tuple) -> np.ndarray:
    """Tax of each schedule on each harvest, shape (n_schedules, ...)."""
    ends = [*brackets[1:], np.inf]
    parts = [
        np.clip(y - low, 0.0, high - low)
        for low, high in zip(brackets, ends, strict=True)
    ]
    return np.tensordot(rates, np.stack(parts), axes=1)


def pay_tables(
    rates: np.ndarray,
    capacity: int,
    most_demand: int,
    efforts: tuple,
    brackets: tuple,
) -> tuple[np.ndarray, np.ndarray]:
    """Kept and taxed harvest, shape (n_schedules, n_states, n_demands, n_efforts)."""
    stock = np.arange(capacity + 1)[:, None]
    share = np.minimum(1.0, stock / np.maximum(np.arange(most_demand + 1), 1))
    y = share[:, :, None] * np.asarray(efforts, float)
    tax = bracket_tax(rates, y, brackets)
    return np.ascontiguousarray(y - tax), tax
