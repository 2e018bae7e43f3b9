r"""Processes with known answers, and random ones.

The paper's example and its trees; a process of two states in which best responses go
round for ever; and laws for random processes.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from econlib.contracts.mdp import MAX_STATES, PAMDP, unroll

__all__ = [
    "cycle_mdp",
    "figure1_mdp",
    "random_mdp",
    "recurrent_figure1",
    "rounded_mdps",
    "tree_mdp",
]


def tree_mdp(
    c: Float[np.ndarray, " n_states"],
    R: Float[np.ndarray, " n_states"],
    p: float = 0.9,
    gamma: float = 1.0,
) -> PAMDP:
    r"""A complete binary tree whose outcome picks the child.

    Outcome :math:`o` of node :math:`s` leads to :math:`2s+1+o`; action :math:`a_1`
    costs :math:`c_s` and makes :math:`o_1`, worth :math:`R_s` to the principal, come
    with probability :math:`p`, action :math:`a_0` is free and makes it come with
    :math:`1-p`.

    Parameters
    ----------
    c, R : ndarray, shape (2**depth - 1,)
        Cost and reward of the nodes, breadth first.
    p : float
        Probability, [0, 1].
    gamma : float
        Discount, [0, 1].

    Returns
    -------
    PAMDP
        With two actions, two outcomes and ``depth`` layers.
    """
    c, R = np.asarray(c, dtype=float), np.asarray(R, dtype=float)
    n = len(c) if c.ndim == 1 else 0
    if n < 1 or (n & (n + 1)) or n > MAX_STATES:
        raise ValueError(
            f"c: shape {c.shape}, expected (2**depth - 1,) with a depth of 1 to 20"
        )
    if R.shape != c.shape:
        raise ValueError(f"R: shape {R.shape}, expected {c.shape}")
    if not 0 <= p <= 1:
        raise ValueError(f"p = {p}: expected a probability in [0, 1]")
    F = np.tile([[p, 1 - p], [1 - p, p]], (n, 1, 1))
    child = 2 * np.arange(n)[:, None] + np.array([1, 2])
    layers = np.floor(np.log2(np.arange(n) + 1)).astype(np.int64)
    zero = np.zeros(n)
    return PAMDP(
        F=F,
        r=np.stack([zero, -c], axis=1),
        rp=np.stack([zero, R], axis=1),
        T=np.where(child < n, child, -1),
        gamma=gamma,
        layers=layers,
    )


def figure1_mdp(gamma: float = 1.0) -> PAMDP:
    """The paper's example: states 0, L = 1, R = 2; two steps; outcome 0 is L.

    Action 0 is :math:`a_L`, at cost 4/5, with outcome L in nine cases of ten; action 1
    is free, with outcome L in one of ten; L is worth 14/9 to the principal.
    """
    return PAMDP(
        F=np.tile([[0.9, 0.1], [0.1, 0.9]], (3, 1, 1)),
        r=np.tile([-0.8, 0.0], (3, 1)),
        rp=np.tile([14 / 9, 0.0], (3, 1)),
        T=np.array([[1, 2], [-1, -1], [-1, -1]]),
        gamma=gamma,
        layers=np.array([0, 1, 1]),
    )


def recurrent_figure1(gamma: float = 0.9) -> PAMDP:
    """The example's stage for ever: two states, the last outcome is the state."""
    return PAMDP(
        F=np.tile([[0.9, 0.1], [0.1, 0.9]], (2, 1, 1)),
        r=np.tile([-0.8, 0.0], (2, 1)),
        rp=np.tile([14 / 9, 0.0], (2, 1)),
        T=np.array([[0, 1], [0, 1]]),
        gamma=gamma,
    )


def cycle_mdp(gamma: float = 0.9) -> PAMDP:
    """Two states in which the meta-algorithm alternates for ever at discount 0.9."""
    high = np.array([[0.1, 0.8], [0.9, 0.7]])  # probability of outcome 1
    return PAMDP(
        F=np.stack([1 - high, high], axis=2),
        r=np.array([[0.0, -0.8], [0.0, -0.7]]),
        rp=np.array([[1.5, 0.7], [1.7, 0.0]]),
        T=np.array([[0, 1], [0, 1]]),
        gamma=gamma,
    )


def random_mdp(
    rng: np.random.Generator,
    n_states: int = 3,
    n_actions: int = 2,
    n_outcomes: int = 2,
    gamma: float = 0.9,
    horizon: int | None = None,
) -> PAMDP:
    r"""A process with random laws, costs and rewards.

    Outcome and transition laws are uniform on the simplex, the first action is free,
    the others cost up to 1, and the principal's rewards are uniform on [0, 2].

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    n_states, n_actions, n_outcomes : int
        Sizes, 1 or more.
    gamma : float
        Discount, [0, 1]; below 1 where ``horizon`` is None.
    horizon : int, optional
        Number of decisions; the states are then copied once a step.
    """
    for name, n in {
        "n_states": n_states,
        "n_actions": n_actions,
        "n_outcomes": n_outcomes,
    }.items():
        if n < 1:
            raise ValueError(f"{name} = {n}: expected an integer, 1 or more")
    F = rng.dirichlet(np.ones(n_outcomes), (n_states, n_actions))
    cost = rng.uniform(0, 1, (n_states, n_actions))
    cost[:, 0] = 0
    rp = rng.uniform(0, 2, (n_states, n_outcomes))
    T = rng.dirichlet(np.ones(n_states), (n_states, n_outcomes))
    if horizon is None:
        return PAMDP(F, -cost, rp, T, gamma)
    return unroll(PAMDP(F, -cost, rp, T, min(gamma, 0.5)), horizon, gamma)


def rounded_mdps(rng: np.random.Generator, n: int, gamma: float = 0.9) -> PAMDP:
    r"""Many two-state, two-action processes side by side, numbers rounded to 0.1.

    The next state is the outcome; :math:`\Pr(o=1\mid s,a)` is uniform on 0.1, …, 0.9,
    different for the two actions, action 0 is free, action 1 costs 0 to 1, and the
    principal's rewards are 0 to 2.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    n : int
        Number of processes; process i has states 2i and 2i + 1.
    gamma : float
        Discount, [0, 1).
    """
    if not 1 <= n <= MAX_STATES // 2:
        raise ValueError(f"n = {n}: expected an integer, 1 to {MAX_STATES // 2}")
    size = (2 * n, 1)
    first = rng.integers(1, 10, size)
    second = (first - 1 + rng.integers(1, 9, size)) % 9 + 1  # another of 1 to 9
    high = np.concatenate([first, second], axis=1) / 10
    cost = rng.integers(0, 11, size) / 10
    block = 2 * (np.arange(2 * n)[:, None] // 2)
    return PAMDP(
        F=np.stack([1 - high, high], axis=2),
        r=np.concatenate([np.zeros(size), -cost], axis=1),
        rp=rng.integers(0, 21, (2 * n, 2)) / 10,
        T=block + np.array([0, 1]),
        gamma=gamma,
    )
