r"""Finite Markov decision processes, and their values by value iteration.

.. math::

   V(s)=\max_a\sum_{s'}P(s'\mid s,a)\,\big[r(s,a,s')+\gamma\,V(s')\big],

where :math:`V=0` after a step that ends the episode.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = [
    "Mdp",
    "Values",
    "chain",
    "finite_horizon",
    "from_gymnasium",
    "policy_value",
    "random_mdp",
    "value_iteration",
]


@dataclass(frozen=True)
class Mdp:
    """A Markov decision process, outcomes listed one after the other.

    Attributes
    ----------
    n_states, n_actions : int
        Every action is legal in every state.
    state, action : ndarray of int, shape (n_outcomes,)
        Where an outcome belongs; sorted by state, then action.
    target : ndarray of int, shape (n_outcomes,)
        Next state.
    probability, reward : ndarray of float, shape (n_outcomes,)
        Of the outcome.
    ends : ndarray of bool, shape (n_outcomes,)
        Whether the episode ends with it.
    start : ndarray of float, shape (n_states,)
        Law of the first state.
    gamma : float
        Discount, 0 to 1.
    """

    n_states: int
    n_actions: int
    state: Int[np.ndarray, " n_outcomes"]
    action: Int[np.ndarray, " n_outcomes"]
    target: Int[np.ndarray, " n_outcomes"]
    probability: Float[np.ndarray, " n_outcomes"]
    reward: Float[np.ndarray, " n_outcomes"]
    ends: Bool[np.ndarray, " n_outcomes"]
    start: Float[np.ndarray, " n_states"]
    gamma: float = 1.0

    def __post_init__(self) -> None:
        pair = self.state * self.n_actions + self.action
        mass = np.bincount(
            pair, self.probability, minlength=self.n_states * self.n_actions
        )
        if not 0 <= self.gamma <= 1:
            raise ValueError(f"gamma = {self.gamma}: expected a number in [0, 1]")
        if (np.diff(pair) < 0).any() or np.abs(mass - 1).max() > 1e-9:
            raise ValueError(
                "probability: expected outcomes sorted by state and action that sum "
                "to one for each pair"
            )
        if (self.probability < 0).any() or abs(self.start.sum() - 1) > 1e-9:
            raise ValueError("start, probability: expected laws")

    @property
    def pair(self) -> Int[np.ndarray, " n_outcomes"]:
        """Number of the pair (state, action) of each outcome."""
        return self.state * self.n_actions + self.action

    def discounted(self, gamma: float) -> Mdp:
        """The same process with another discount, 0 to 1."""
        return replace(self, gamma=gamma)


@dataclass(frozen=True)
class Values:
    """What value iteration found.

    Attributes
    ----------
    v : ndarray, shape (n_states,)
        Value of each state.
    q : ndarray, shape (n_states, n_actions)
        Of each pair.
    start : float
        Expected value at the start.
    n_steps : int
        Sweeps taken.
    residual : float
        Largest change of the last sweep.
    converged : bool
        Whether that is within the tolerance.
    """

    v: Float[np.ndarray, " n_states"]
    q: Float[np.ndarray, "n_states n_actions"]
    start: float
    n_steps: int
    residual: float
    converged: bool


def _backup(mdp: Mdp, v: np.ndarray) -> np.ndarray:
    gain = mdp.reward + mdp.gamma * np.where(mdp.ends, 0.0, v[mdp.target])
    size = mdp.n_states * mdp.n_actions
    q = np.bincount(mdp.pair, mdp.probability * gain, minlength=size)
    return q.reshape(mdp.n_states, mdp.n_actions)


def value_iteration(
    mdp: Mdp, tolerance: float = 1e-13, max_steps: int = 200_000
) -> Values:
    """Solve a Markov decision process from values of zero.

    Parameters
    ----------
    mdp : Mdp
        With a discount below one, or episodes that end under every policy that does
        not lose by going on.
    tolerance : float
        Largest change at which to stop, positive.
    max_steps : int
        Sweeps after which to stop anyway, 1 or more.

    Returns
    -------
    Values
        ``converged`` says whether the last change was within the tolerance.
    """
    if tolerance <= 0 or max_steps < 1:
        raise ValueError(
            f"tolerance = {tolerance}, max_steps = {max_steps}: expected a positive "
            "number, an integer of 1 or more"
        )
    v = np.zeros(mdp.n_states)
    residual, n_steps = np.inf, 0
    while residual > tolerance and n_steps < max_steps:
        n_steps += 1
        q = _backup(mdp, v)
        new = q.max(axis=1)
        residual = float(np.abs(new - v).max())
        v = new
    return Values(v, q, float(mdp.start @ v), n_steps, residual, residual <= tolerance)


def finite_horizon(mdp: Mdp, n_steps: int) -> float:
    """Optimal expected value at the start if an episode has ``n_steps`` steps."""
    if n_steps < 0:
        raise ValueError(f"n_steps = {n_steps}: expected an integer, 0 or more")
    v = np.zeros(mdp.n_states)
    for _ in range(n_steps):
        v = _backup(mdp, v).max(axis=1)
    return float(mdp.start @ v)


def policy_value(
    mdp: Mdp, actions: Int[np.ndarray, " n_states"]
) -> Float[np.ndarray, " n_states"]:
    """Value of each state if a state's action is always ``actions[s]``.

    Raises
    ------
    ValueError
        Episodes never end under it and nothing is discounted.
    """
    kept = mdp.action == np.asarray(actions)[mdp.state]
    s, t = mdp.state[kept], mdp.target[kept]
    p = mdp.probability[kept]
    step = np.zeros((mdp.n_states, mdp.n_states))
    np.add.at(step, (s, t), np.where(mdp.ends[kept], 0.0, mdp.gamma * p))
    gain = np.bincount(s, p * mdp.reward[kept], minlength=mdp.n_states)
    try:
        return np.linalg.solve(np.eye(mdp.n_states) - step, gain)
    except np.linalg.LinAlgError:
        raise ValueError("actions: episodes never end. Try gamma below 1") from None


def from_gymnasium(name: str, gamma: float, **options: Any) -> Mdp:
    """Read the table of a Gymnasium toy-text environment, such as FrozenLake-v1.

    Parameters
    ----------
    name : str
        Registered name of an environment that has a table ``P``.
    gamma : float
        Discount, 0 to 1.
    **options
        Passed to ``gymnasium.make``, such as ``map_name`` and ``is_slippery``.

    Raises
    ------
    ValueError
        The environment has no table.
    """
    import gymnasium

    world = gymnasium.make(name, **options).unwrapped
    if not hasattr(world, "P"):
        raise ValueError(f"name = {name!r}: this environment has no table")
    rows = [
        (s, a, t, p, r, bool(done))
        for s, actions in sorted(world.P.items())
        for a, outcomes in sorted(actions.items())
        for p, t, r, done in outcomes
    ]
    s, a, t, p, r, done = map(np.array, zip(*rows, strict=True))
    n = len(world.P)
    start = np.asarray(world.initial_state_distrib, dtype=float)
    return Mdp(n, len(world.P[0]), s, a, t, p, r.astype(float), done, start, gamma)


def random_mdp(
    n_states: int,
    n_actions: int,
    rng: np.random.Generator,
    *,
    concentration: float = 0.3,
    stop: float = 0.1,
) -> Mdp:
    """Episodic process with Dirichlet transitions and uniform rewards in [0, 1].

    Parameters
    ----------
    n_states, n_actions : int
        1 or more each.
    rng : numpy.random.Generator
        Source of randomness.
    concentration : float
        Of the transitions, positive; small is nearly deterministic.
    stop : float
        Probability that an episode ends after a step, (0, 1].

    Returns
    -------
    Mdp
        Not discounted; starts are uniform.
    """
    for label, value in (("n_states", n_states), ("n_actions", n_actions)):
        if value < 1:
            raise ValueError(f"{label} = {value}: expected an integer, 1 or more")
    if not 0 < stop <= 1 or concentration <= 0:
        raise ValueError(
            f"stop = {stop}, concentration = {concentration}: expected (0, 1], positive"
        )
    laws = rng.dirichlet(np.full(n_states, concentration), size=(n_states, n_actions))
    rewards = rng.uniform(size=(n_states, n_actions))
    s, a, t, ends = (
        x.ravel()
        for x in np.meshgrid(
            np.arange(n_states),
            np.arange(n_actions),
            np.arange(n_states),
            np.array([False, True]),
            indexing="ij",
        )
    )
    p = laws[s, a, t] * np.where(ends, stop, 1 - stop)
    start = np.full(n_states, 1 / n_states)
    return Mdp(n_states, n_actions, s, a, t, p, rewards[s, a], ends, start, 1.0)


def chain(n_states: int, n_actions: int, gamma: float = 0.95) -> Mdp:
    r"""Combination lock: one action of each state leads on, the others to the start.

    A reward of 1 is paid only at the end of the chain, which ends the episode; from
    state :math:`s` the action :math:`s\bmod A` is right, and it works with
    probability .9.

    Parameters
    ----------
    n_states, n_actions : int
        1 or more each.
    gamma : float
        Discount, below 1, since wrong actions go on for ever.
    """
    if n_states < 1 or n_actions < 1 or not 0 <= gamma < 1:
        raise ValueError(
            f"n_states = {n_states}, n_actions = {n_actions}, gamma = {gamma}: "
            "expected 1 or more, 1 or more, [0, 1)"
        )
    rows = []
    for s in range(n_states):
        for a in range(n_actions):
            if a == s % n_actions:
                last = s + 1 == n_states
                rows.append((s, a, 0 if last else s + 1, 0.9, float(last), last))
                rows.append((s, a, 0, 0.1, 0.0, False))
            else:
                rows.append((s, a, 0, 1.0, 0.0, False))
    s, a, t, p, r, done = map(np.array, zip(*rows, strict=True))
    start = np.zeros(n_states)
    start[0] = 1.0
    return Mdp(n_states, n_actions, s, a, t, p, r, done, start, gamma)
