r"""Errors in the agent's values, and the margins that make contracts safe from them.

Contracts are computed from :math:`\hat Q=\bar Q+\text{noise}` with :math:`|\hat Q-\bar
Q|\le E`, where :math:`\bar Q` belongs to the nominal plan: the equilibrium with margins
:math:`\xi_h`, one for each number :math:`h` of steps to go.  Then the payment itself is
off by at most :math:`\frac{2p}{2p-1}E`, which the agent receives in every later step,
so that its true values drift from the nominal ones by at most

.. math::
    D_h\le\tfrac{2p}{2p-1}E\,(h-1),\qquad \xi_h=2(E+D_h)

is enough for every recommendation to be obeyed.  In one step, :math:`h=1`, that is
:math:`\xi=2E`, and the extra expected payment is at most :math:`\frac p{2p-1}4E`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from econlib.contracts.tree_modes import Play, play
from econlib.contracts.trees import Equilibrium, Trees, contracts

__all__ = ["last_layer_share", "noisy_play", "safe_margins", "smallest_margin"]


def safe_margins(
    error: float, depth: int, p: float = 0.9
) -> Float[np.ndarray, " depth"]:
    r"""Margins :math:`\xi_h=2(E+D_h)` that no noise up to :math:`E` overcomes.

    Parameters
    ----------
    error : float
        Largest error E of the agent's truncated values, at least 0.
    depth : int
        Layers; entry h - 1 is for h steps to go.
    p : float
        Probability of the outcome that an action makes likely, (0.5, 1].

    Examples
    --------
    >>> safe_margins(0.01, 3).round(3).tolist()
    [0.02, 0.065, 0.11]
    """
    if not error >= 0:
        raise ValueError(f"error = {error}: expected 0 or more")
    if not 0.5 < p <= 1:
        raise ValueError(f"p = {p}: expected a number in (0.5, 1]")
    drift = 2 * p / (2 * p - 1) * error * np.arange(depth)
    return 2 * (error + drift)


def noisy_play(
    trees: Trees,
    nominal: Equilibrium,
    xi: float | Float[np.ndarray, "*margins"],
    error: float,
    rng: np.random.Generator,
) -> Play:
    """Offer contracts computed from noisy values, and let the agent answer strictly.

    Parameters
    ----------
    trees : Trees
        Batch of trees.
    nominal : Equilibrium
        The plan: its recommendations are kept, its truncated values are perturbed.
    xi : float or ndarray
        Margin in the contracts offered, as for :func:`econlib.contracts.trees.solve`.
    error : float
        Noise is uniform on [-error, error], independent over nodes and actions.
    rng : numpy.random.Generator
        Source of the noise.

    Returns
    -------
    Play
        Exact, in the strict mode.
    """
    noise = rng.uniform(-error, error, nominal.qbar.shape)
    offered = contracts(nominal.qbar + noise, nominal.act, xi, trees.p)
    return play(trees, nominal.act, offered)


def smallest_margin(
    follow: Callable[[float], float],
    target: float = 0.99,
    high: float = 1.0,
    steps: int = 12,
) -> float:
    """Smallest scale of a margin at which enough recommendations are obeyed.

    Parameters
    ----------
    follow : callable
        From a scale, at least 0, to a share of nodes that obey; rising in the large.
    target : float
        Share to be reached, (0, 1].
    high : float
        First scale tried from above; doubled until it is enough, at most ten times.
    steps : int
        Halvings of the bracket.

    Returns
    -------
    float
        A scale that was tried and reaches the target.

    Raises
    ------
    ValueError
        No scale reaches it.

    Examples
    --------
    >>> round(smallest_margin(lambda x: x, 0.75, steps=20), 4)
    0.75
    """
    for _ in range(10):
        if follow(high) >= target:
            break
        high *= 2
    else:
        raise ValueError(f"target = {target}: not reached at a scale of {high / 2:g}")
    low = 0.0
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (low, middle) if follow(middle) >= target else (middle, high)
    return high


def last_layer_share(p: float = 0.9) -> float:
    r"""Probability that :math:`a_1` is asked for in the last layer of a random tree.

    There it is worth its price if :math:`R>\tau c` with :math:`\tau=p/(2p-1)^2`.  With
    :math:`c=X_1X_2`, :math:`R=2Y_1Y_2` of independent uniform numbers and
    :math:`k=2/\tau`,

    .. math::
        \Pr(2Y_1Y_2>\tau X_1X_2)=1-\frac{2+\ln k}{4k}\ (k\ge1),\qquad
        \frac k4\Big(2+\ln\frac1k\Big)\ (k<1).

    Examples
    --------
    >>> round(last_layer_share(0.9), 7)
    0.5865237
    """
    if not 0.5 < p <= 1:
        raise ValueError(f"p = {p}: expected a number in (0.5, 1]")
    k = 2 * (2 * p - 1) ** 2 / p
    if k < 1:
        return float(k / 4 * (2 - np.log(k)))
    return float(1 - (2 + np.log(k)) / (4 * k))
