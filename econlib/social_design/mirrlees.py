r"""The best of all taxes: a convex program that bounds every schedule.

A tax is a menu of bundles of income and consumption from which types choose.  With
:math:`k=1+1/e` and :math:`v_i=z_i^k`, type :math:`i` values bundle :math:`j` at
:math:`c_j-v_j/(kw_i^k)`: incentives are linear in :math:`(c,v)`, and the budget is
convex,

.. math::

   \max_{c,v\ge0}\ W(u)\quad\text{s.t.}\quad
   u_i=c_i-\frac{v_i}{kw_i^k}\ \ge\ c_j-\frac{v_j}{kw_i^k},\qquad
   \sum_i\pi_ic_i\le\sum_i\pi_iv_i^{1/k}.

Types are sorted by skill, so that neighbours' constraints imply all others (single
crossing) and consumption rises with skill.  Sorted consumption makes equality times
productivity linear,

.. math::

   \sum_i\Big[\frac1n-\lambda\,\frac n{n-1}\,\frac{2i-n-1}{n^2}\Big]c_i ,

with :math:`\lambda=1`; other weights :math:`\lambda` of equality trace the frontier.

*It is unbounded.* Give everyone the bundle :math:`c=z=s`: incentive compatible,
balanced, equality 1, productivity :math:`s` a head, for any :math:`s`.  What stops it
is the right to do nothing, :math:`u_i\ge0`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cvxpy as cp
import numpy as np
from jaxtyping import Float

__all__ = [
    "Mirrlees",
    "UnboundedError",
    "mirrlees",
    "same_bundle",
    "two_types",
    "worst_off_incomes",
]


class UnboundedError(ValueError):
    """A design problem whose objective grows without limit."""


#: Tighter than the solver's own, since objectives are flat around their optimum.
_TOLERANCES = {"tol_gap_abs": 1e-9, "tol_gap_rel": 1e-9, "tol_feas": 1e-9}


@dataclass(frozen=True)
class Mirrlees:
    """An optimal menu, one bundle a type, types sorted by skill.

    Attributes
    ----------
    incomes, consumption, utilities : ndarray, shape (n,)
    marginal_rates : ndarray, shape (n,)
        Implicit rates :math:`1-z_i^{1/e}/w_i^k`: what a worker loses of one more unit
        of income, where she is content not to earn it.
    value : float
        Objective of the bundles above.
    incentive_residual : float
        Most that a type gains from another's bundle, over all pairs.
    budget_residual : float
        Consumption less income a head.
    """

    incomes: Float[np.ndarray, " n"]
    consumption: Float[np.ndarray, " n"]
    utilities: Float[np.ndarray, " n"]
    marginal_rates: Float[np.ndarray, " n"]
    value: float
    incentive_residual: float
    budget_residual: float


def mirrlees(
    skills: object,
    elasticity: int | float,
    objective: str | object = "min",
    mass: object = None,
    participation: bool | None = None,
    lam: int | float = 1.0,
) -> Mirrlees:
    """Solve for the best nonlinear tax.

    Parameters
    ----------
    skills : sequence of float, shape (n,)
        Increasing, above 0.
    elasticity : float
        (0, 10].
    objective : {"min", "eq_prod"} or array_like, shape (n,)
        Least utility; equality times productivity of consumption, two types or more of
        the same mass; or weights of 0 or more on the types' utilities, which are
        normalised so that their mean is 1.
    mass : array_like, shape (n,), optional
        Shares of the types, above 0, normalised; equal where not given.
    participation : bool, optional
        Whether everyone may do nothing, for a utility of 0; by default only for
        "eq_prod", which has no optimum without.
    lam : float
        Weight of equality in "eq_prod", [0, 1]; 0 is productivity alone.

    Returns
    -------
    Mirrlees
        Its value bounds that of every tax on these types, up to the residuals.

    Raises
    ------
    UnboundedError
        Without participation: equality times productivity always, and weights that
        rise so much with skill that pushing the others down pays.
    ValueError
        An argument out of its range.
    RuntimeError
        The solver stops elsewhere than at an optimum.

    Examples
    --------
    >>> round(mirrlees([1, 2], 1.0).value, 5)
    1.14286
    """
    w, π = _types(skills, mass)
    n = len(w)
    if not 0 < elasticity <= 10:
        raise ValueError(f"elasticity = {elasticity}: expected a number in (0, 10]")
    if not 0 <= lam <= 1:
        raise ValueError(f"lam = {lam}: expected a number in [0, 1]")
    e, k = float(elasticity), 1 + 1 / elasticity
    free = w ** (1 + e)
    # y = v / free^k: then z = free y^(1/k), and all numbers are of the size of 1
    c, y = cp.Variable(n), cp.Variable(n, nonneg=True)
    own = free / k  # cost of bundle i to type i: free_i^k / (k w_i^k) = free_i / k
    u = c - cp.multiply(own, y)
    rows = [π @ c <= (π * free) @ cp.power(y, 1 / k, approx=False)]
    if n > 1:
        up, down = free[1:] ** k / (k * w[:-1] ** k), free[:-1] ** k / (k * w[1:] ** k)
        rows += [
            # divided by what is huge where e is small
            cp.multiply(1 / up, u[:-1] - c[1:]) >= -y[1:],
            u[1:] >= c[:-1] - cp.multiply(down, y[:-1]),
        ]
    goal, opts_out = _goal(objective, u, c, π, lam)
    if opts_out if participation is None else participation:
        rows.append(u >= 0)
    elif opts_out:
        raise UnboundedError(
            "objective = 'eq_prod', participation = False: unbounded, since c = z = s "
            "for everyone is incentive compatible and balanced, has equality 1 and a "
            "value of s for every s. Try participation=True"
        )
    problem = cp.Problem(cp.Maximize(goal), rows)
    try:
        problem.solve(solver=cp.CLARABEL, **_TOLERANCES)
    except cp.SolverError as err:
        raise RuntimeError(f"Clarabel: {err}") from err
    if problem.status in (cp.UNBOUNDED, cp.UNBOUNDED_INACCURATE):
        raise UnboundedError(
            f"objective = {objective}, participation = False: unbounded, since types "
            "of little weight can be made worse off without limit. Try "
            "participation=True"
        )
    if problem.status not in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
        raise RuntimeError(f"Clarabel: {problem.status}; no tax was found")
    z = free * np.maximum(y.value, 0) ** (1 / k)
    found = _account(w, π, e, z, c.value, float(goal.value))
    if max(found.incentive_residual, found.budget_residual) > 1e-5 * free.max():
        raise RuntimeError(
            f"Clarabel: {problem.status}; incentives are off by "
            f"{found.incentive_residual:.2g}, the budget by {found.budget_residual:.2g}"
        )
    return found


def _types(skills: object, mass: object) -> tuple[np.ndarray, np.ndarray]:
    w = np.asarray(skills, dtype=float)
    if w.ndim != 1 or w.size == 0 or not (np.isfinite(w) & (w > 0)).all():
        raise ValueError(f"skills = {skills}: expected finite numbers above 0")
    if (np.diff(w) <= 0).any():
        raise ValueError(f"skills = {skills}: expected increasing types, see mass")
    π = np.ones(len(w)) if mass is None else np.asarray(mass, dtype=float)
    if π.shape != w.shape or not (np.isfinite(π) & (π > 0)).all():
        raise ValueError(f"mass = {mass}: expected {len(w)} numbers above 0")
    return w, π / π.sum()


def _goal(
    objective: object, u: cp.Expression, c: cp.Variable, π: np.ndarray, lam: int | float
) -> tuple[cp.Expression, bool]:
    """Concave objective, and whether it needs a right to opt out."""
    n = len(π)
    if isinstance(objective, str):
        if objective == "min":
            return cp.min(u), False
        if objective != "eq_prod":
            raise ValueError(
                f"objective = {objective!r}: expected 'min', 'eq_prod' or weights"
            )
        if n < 2 or np.ptp(π) > 1e-12:
            raise ValueError(
                "objective = 'eq_prod': expected two types or more, each "
                "of the same mass"
            )
        i = np.arange(1, n + 1)
        return (1 / n - lam * (2 * i - n - 1) / (n * (n - 1))) @ c, True
    g = np.asarray(objective, dtype=float)
    if g.shape != π.shape or not (np.isfinite(g) & (g >= 0)).all() or π @ g <= 0:
        raise ValueError(f"objective = {objective}: expected {n} weights of 0 or more")
    return (π * g / (π @ g)) @ u, False


def _account(
    w: np.ndarray,
    π: np.ndarray,
    e: float,
    z: np.ndarray,
    c: np.ndarray,
    value: float,
) -> Mirrlees:
    k = 1 + 1 / e
    worth = c - (z / w[:, None]) ** k / k  # worth[i, j]: bundle j to type i
    u = np.diag(worth)
    return Mirrlees(
        incomes=z,
        consumption=c,
        utilities=u,
        marginal_rates=1 - z ** (1 / e) / w**k,
        value=value,
        incentive_residual=float((worth - u[:, None]).max()),
        budget_residual=float(π @ (c - z)),
    )


def worst_off_incomes(
    skills: object, elasticity: int | float, mass: object = None
) -> tuple[Float[np.ndarray, " n"], float]:
    r"""Incomes and value of the best tax for the worst off, in closed form.

    Only the wish to imitate the next lower type binds, so that

    .. math::

       z_i=\Big(\frac{\pi_i}{\pi_iw_i^{-k}+S_i\,(w_i^{-k}-w_{i+1}^{-k})}\Big)^e,
       \qquad S_i=\sum_{j>i}\pi_j ,

    and the least utility is mean income less costs and rents.

    Parameters
    ----------
    skills, elasticity, mass
        As in :func:`mirrlees`.

    Returns
    -------
    (ndarray of shape (n,), float)

    Raises
    ------
    ValueError
        Arguments as there, or incomes that do not rise with skill: the formula then
        does not hold, since types share a bundle.

    Examples
    --------
    >>> z, value = worst_off_incomes([1, 2], 1.0)
    >>> z.round(6).tolist(), round(value, 6)
    ([0.571429, 4.0], 1.142857)
    """
    w, π = _types(skills, mass)
    if not 0 < elasticity <= 10:
        raise ValueError(f"elasticity = {elasticity}: expected a number in (0, 10]")
    k = 1 + 1 / elasticity
    above = 1 - np.cumsum(π)
    above[-1] = 0.0
    inverse = w**-k
    easier = inverse - np.append(inverse[1:], inverse[-1])  # for the next type
    z = (π / (π * inverse + above * easier)) ** elasticity
    if (np.diff(z) < 0).any():
        raise ValueError(
            f"skills = {skills}: incomes would fall with skill. Try mirrlees"
        )
    return z, float(π @ (z - z**k * inverse / k) - above @ (z**k * easier / k))


def two_types(
    skills: object, share_high: int | float, elasticity: int | float
) -> tuple[float, float, float]:
    r"""Best tax on two types for the worst off, in closed form.

    :math:`z_2=w_2^{1+e}` and
    :math:`z_1=\big(\frac{1-q}{w_1^{-k}-q\,w_2^{-k}}\big)^e`.

    Parameters
    ----------
    skills : sequence of float, shape (2,)
        Increasing, above 0.
    share_high : float
        Share q of the higher skill, (0, 1).
    elasticity : float
        (0, 10].

    Returns
    -------
    (float, float, float)
        Income of the lower type, least utility, marginal rate of the lower type.

    Examples
    --------
    >>> [round(x, 6) for x in two_types((1, 3), 0.3, 0.5)]
    [0.841347, 1.431859, 0.292135]
    """
    if not 0 < share_high < 1:
        raise ValueError(f"share_high = {share_high}: expected a number in (0, 1)")
    w, _ = _types(skills, (1 - share_high, share_high))
    if len(w) != 2:
        raise ValueError(f"skills = {skills}: expected two types")
    if not 0 < elasticity <= 10:
        raise ValueError(f"elasticity = {elasticity}: expected a number in (0, 10]")
    q, k = share_high, 1 + 1 / elasticity
    low, high = w**-k
    z = ((1 - q) / (low - q * high)) ** elasticity
    top = w[1] ** (1 + elasticity)
    rent = z**k * (low - high) / k
    value = (1 - q) * (z - z**k * low / k) + q * (top - top**k * high / k - rent)
    return float(z), float(value), float(1 - z ** (1 / elasticity) * low)


def same_bundle(
    skills: object, elasticity: int | float, size: object
) -> Float[np.ndarray, "*n_sizes n"]:
    """Utilities where everyone must earn and consume the same.

    Equality times productivity is then ``size``, whatever the utilities are.

    Parameters
    ----------
    skills, elasticity
        As in :func:`mirrlees`.
    size : array_like, shape (...)
        Income and consumption of everyone, 0 or more.

    Returns
    -------
    ndarray, shape (..., n)
    """
    w, _ = _types(skills, None)
    s = np.asarray(size, dtype=float)[..., None]
    if not (np.isfinite(s) & (s >= 0)).all():
        raise ValueError(f"size = {size}: expected finite numbers of 0 or more")
    k = 1 + 1 / elasticity
    return s - (s / w) ** k / k
