r"""A schedule for a world that is not known: minimax regret as a program.

Scenarios :math:`s` (a regrowth rate, a selection of equilibria, ...) give welfare
:math:`w_{sb}` under schedule :math:`b`, of which :math:`w^*_s=\max_bw_{sb}`.  A lottery
:math:`x` over schedules has regret at most :math:`t`,

.. math::

   \min_{x,t}\ t\quad\text{s.t.}\quad\sum_bx_b\,(w^*_s-w_{sb})\le t\ \ \forall s,\qquad
   \sum_bx_b=1,\ x\ge0 ,

and the duals are weights on scenarios under which no schedule does better: the gap
between the two sides certifies both.  A single schedule, without a lottery, is found by
enumeration.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from econlib.programs import solve
from econlib.social_design.rounds import first_best

__all__ = ["RobustChoice", "minimax_regret"]


@dataclass(frozen=True)
class RobustChoice:
    """The schedule, and the lottery, whose largest regret is least.

    Attributes
    ----------
    regret : ndarray, shape (n_scenarios, n_schedules)
        What each schedule leaves of each scenario's best.
    pure : int
        Schedule of least largest regret, the first of equal ones.
    pure_value : float
        Its largest regret.
    lottery : ndarray, shape (n_schedules,)
        Probabilities.
    value : float
        Largest regret of the lottery.
    adversary : ndarray, shape (n_scenarios,)
        Weights under which every schedule has a mean regret of ``value``, up to
        ``gap``, or more.
    gap : float
        Largest regret of the lottery less the least mean regret under these weights.
    """

    regret: Float[np.ndarray, "n_scenarios n_schedules"]
    pure: int
    pure_value: float
    lottery: Float[np.ndarray, " n_schedules"]
    value: float
    adversary: Float[np.ndarray, " n_scenarios"]
    gap: float


def minimax_regret(
    welfare: Float[np.ndarray, "n_scenarios n_schedules"],
) -> RobustChoice:
    """Solve the program, and certify it from both sides.

    Parameters
    ----------
    welfare : ndarray, shape (n_scenarios, n_schedules)
        Finite welfare of each schedule in each scenario.

    Returns
    -------
    RobustChoice

    Raises
    ------
    ValueError
        No scenario, no schedule, or a number that is not finite.

    Examples
    --------
    >>> choice = minimax_regret(np.array([[4.0, 0.0, 3.0], [0.0, 4.0, 3.0]]))
    >>> choice.pure, choice.pure_value, round(choice.value, 9)
    (2, 1.0, 1.0)
    """
    w = np.asarray(welfare, float)
    if w.ndim != 2 or 0 in w.shape or not np.isfinite(w).all():
        raise ValueError(
            f"welfare: shape {w.shape}: expected finite numbers of shape "
            "(n_scenarios, n_schedules)"
        )
    regret = w.max(axis=1, keepdims=True) - w
    n_scenarios, n_schedules = regret.shape
    pure = int(first_best(-regret.max(axis=0)))
    rows = np.block(
        [
            [regret, -np.ones((n_scenarios, 1))],
            [np.ones((1, n_schedules)), np.zeros((1, 1))],
        ]
    )
    found = solve(
        np.append(np.zeros(n_schedules), 1.0),
        rows,
        np.append(np.full(n_scenarios, -np.inf), 1.0),
        np.append(np.zeros(n_scenarios), 1.0),
    )
    lottery = np.maximum(found.x[:-1], 0.0)
    lottery = lottery / lottery.sum()
    weights = np.abs(found.duals[:-1])
    weights = weights / weights.sum()
    value = float((regret @ lottery).max())
    return RobustChoice(
        regret=regret,
        pure=pure,
        pure_value=float(regret[:, pure].max()),
        lottery=lottery,
        value=value,
        adversary=weights,
        gap=value - float((weights @ regret).min()),
    )
