r"""What a society may be measured by: objectives that are put to the vote.

For utilities :math:`u\in\mathbb R^n` the power mean is

.. math::

   W_p(u)=\Big(\tfrac1n\sum_iu_i^p\Big)^{1/p},\qquad
   W_0=\Big(\prod_iu_i\Big)^{1/n},\quad W_{-\infty}=\min_iu_i,\quad
   W_\infty=\max_iu_i ,

utilitarian at :math:`p=1`, Nash's product at 0, egalitarian at :math:`-\infty`; it
never falls as :math:`p` grows.  A voted weight :math:`\sigma` means
:math:`p=\ln\sigma+1`.  For incomes :math:`c\ge0` the Gini coefficient is

.. math::

   g(c)=\frac{\sum_{ij}|c_i-c_j|}{2n\sum_ic_i}
   =\frac{\sum_i(2i-n-1)\,c_{(i)}}{n\sum_ic_i},

with :math:`c_{(1)}\le\dots\le c_{(n)}`; it is normalised by :math:`\frac n{n-1}`, so
that it is 1 where one has everything, and equality is :math:`1-g`.

All functions read the last axis as people, and work over any leading ones.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

__all__ = [
    "eq_prod",
    "equality",
    "gini",
    "inverse_income",
    "power_mean",
    "sigma_to_p",
]

#: Number, or array over the leading dimensions.
_Batch = float | Float[np.ndarray, "*n_samples"]


def _people(name: str, x: object, low: float = -np.inf) -> np.ndarray:
    """Array with people last; ValueError where it is none, or holds bad numbers."""
    try:
        array = np.asarray(x, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} = {x!r}: expected numbers, people last") from None
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(
            f"{name}: shape {array.shape}, expected (..., n) with n of 1 or more"
        )
    bad = ~(np.isfinite(array) & (array >= low))
    if bad.any():
        rule = "finite numbers" if low == -np.inf else f"finite numbers of {low:g} up"
        raise ValueError(f"{name} holds {array[bad][0]:g}: expected {rule}")
    return array


def gini(incomes: object, normalised: bool = True) -> _Batch:
    r"""Gini coefficient, by the exact formula at every number of people.

    Parameters
    ----------
    incomes : array_like, shape (..., n)
        0 or more.
    normalised : bool
        Whether to multiply by :math:`n/(n-1)`.

    Returns
    -------
    float or ndarray, shape (...)
        In [0, 1]; 0 for one person, and where nobody has anything.

    Raises
    ------
    ValueError
        A negative or infinite income.

    Notes
    -----
    The AI Economist's code switches at 30 people to a sum of cumulative shares, which
    is the coefficient without its normalisation, up to :math:`O(1/n)`.

    Examples
    --------
    >>> float(gini([1, 2, 3, 4], normalised=False))
    0.25
    """
    c = np.sort(_people("incomes", incomes, 0.0), axis=-1)
    n = c.shape[-1]
    total = c.sum(axis=-1)
    spread = (c * (2 * np.arange(1, n + 1) - n - 1)).sum(axis=-1)
    scale = (n - 1 if normalised else n) or 1
    return np.where(total > 0, spread / np.where(total > 0, total, 1) / scale, 0.0)[()]


def equality(incomes: object, normalised: bool = True) -> _Batch:
    """One less the Gini coefficient; arguments as in :func:`gini`."""
    return 1 - gini(incomes, normalised)


def eq_prod(incomes: object, lam: int | float = 1.0) -> _Batch:
    r"""Equality times productivity, the AI Economist's objective.

    :math:`(\lambda\,\mathrm{eq}(c)+1-\lambda)\,\frac1n\sum_ic_i`.

    Parameters
    ----------
    incomes : array_like, shape (..., n)
        After tax, 0 or more.
    lam : float
        Weight of equality, [0, 1].

    Raises
    ------
    ValueError
        ``lam`` out of its range, or an income as in :func:`gini`.

    Examples
    --------
    >>> round(float(eq_prod([1, 2, 3, 4])), 6)
    1.666667
    """
    if not 0 <= lam <= 1:
        raise ValueError(f"lam = {lam}: expected a number in [0, 1]")
    mean = _people("incomes", incomes, 0.0).mean(axis=-1)
    return (lam * equality(incomes) + 1 - lam) * mean


def inverse_income(incomes: object, utilities: object) -> _Batch:
    r"""Utility weighted by inverse income.

    :math:`\sum_i\omega_iu_i` with :math:`\omega_i\propto1/\max(c_i,1)` and
    :math:`\sum_i\omega_i=1`.

    Parameters
    ----------
    incomes, utilities : array_like, shape (..., n)
        Finite numbers; shapes that broadcast, with the same n.

    Examples
    --------
    >>> round(float(inverse_income([1, 2, 3, 4], [1, 2, 3, 4])), 6)
    1.92
    """
    c, u = _people("incomes", incomes), _people("utilities", utilities)
    if c.shape[-1] != u.shape[-1]:
        raise ValueError(
            f"incomes of {c.shape[-1]} people, utilities of {u.shape[-1]}: "
            "expected the same people"
        )
    weights = 1 / np.maximum(c, 1)
    return (weights * u).sum(axis=-1) / weights.sum(axis=-1)


def power_mean(utilities: object, p: int | float, floor: int | float = 1e-9) -> _Batch:
    r"""Power mean :math:`W_p`, in logarithms, so that no :math:`p` overflows.

    Parameters
    ----------
    utilities : array_like, shape (..., n)
        Finite numbers.
    p : float
        Exponent, any number, :math:`\pm\infty` included.
    floor : float
        Utilities below it count as it, above 0; not used where no power is taken, at
        p of 1, :math:`\infty` and :math:`-\infty`.

    Returns
    -------
    float or ndarray, shape (...)

    Raises
    ------
    ValueError
        ``p`` not a number, ``floor`` not positive, or a utility that is not finite.

    Examples
    --------
    >>> [round(float(power_mean([1, 2, 4, 8], p)), 6) for p in (1, 0.5, 0, -1)]
    [3.75, 3.27849, 2.828427, 2.133333]
    """
    u = _people("utilities", utilities)
    if np.isnan(p):
        raise ValueError(f"p = {p}: expected a number, or an infinity")
    if not 0 < floor < np.inf:
        raise ValueError(f"floor = {floor}: expected a finite number above 0")
    if p == 1:
        return u.mean(axis=-1)
    if np.isinf(p):
        return u.max(axis=-1) if p > 0 else u.min(axis=-1)
    logs = np.log(np.maximum(u, floor))
    centre = logs.mean(axis=-1, keepdims=True)
    powers = p * (logs - centre)
    if p == 0:
        excess = 0.0
    elif np.abs(powers).max() < 0.1:  # for p near 0, where a difference would cancel
        excess = np.log1p(np.expm1(powers).mean(axis=-1)) / p
    else:
        top = powers.max(axis=-1, keepdims=True)
        mean = np.exp(powers - top).mean(axis=-1)
        excess = (top[..., 0] + np.log(mean)) / p
    return np.exp(centre[..., 0] + excess)


def sigma_to_p(sigma: object) -> _Batch:
    r"""Exponent that a voted weight stands for, :math:`p=\ln\sigma+1`.

    Parameters
    ----------
    sigma : array_like
        Weight on oneself, [0, 1]; at 0 the exponent is :math:`-\infty`.

    Raises
    ------
    ValueError
        A weight out of its range.

    Examples
    --------
    >>> [round(float(sigma_to_p(s)), 6) for s in (1, 0.5, 0.1)]
    [1.0, 0.306853, -1.302585]
    """
    s = np.asarray(sigma, dtype=float)
    bad = ~((s >= 0) & (s <= 1))
    if bad.any():
        raise ValueError(f"sigma = {s[bad].flat[0]:g}: expected numbers in [0, 1]")
    with np.errstate(divide="ignore"):
        return np.log(s) + 1
