r"""What a reconstructed state is worth: scanning targets with and without agreement.

In the sensor network scans do not move targets, so that the best play is the best scan
of each state.  With the state known, a *plan* is a joint scan with the largest team
reward.  Without it, an agent's *policy* maps its last observation to a scan; policies
are improved in turn until none gains, from what the plan of the likeliest state asks
and from random policies; the best end is optimal person by person, a lower bound on
the team's best.
"""

from __future__ import annotations

import itertools

import numpy as np
from jaxtyping import Float, Int

from econlib.decpomdp_diffusion.sensors import YIELDS, SensorNetwork

__all__ = ["best_plans", "local_policies", "scan_rewards"]

#: Largest number of joint scans that are tried in a state.
MAX_JOINT = 200_000


def scan_rewards(
    env: SensorNetwork,
    states: Int[np.ndarray, " n"],
    scans: Int[np.ndarray, "n n_agents"],
) -> Float[np.ndarray, " n"]:
    """Team rewards of joint scans, one a state.

    Parameters
    ----------
    env : SensorNetwork
        Whose agents scan.
    states : ndarray of int, shape (n,)
        Numbers of the states.
    scans : ndarray of int, shape (n, n_agents)
        Neighbour 0 to 7 of each agent, 8 for none.
    """
    busy = scans < 8
    cell = np.where(
        busy, env.seen[np.arange(env.n_agents), np.where(busy, scans, 0)], -1
    )
    hits = (cell[:, :, None] == np.arange(env.states.shape[1])).sum(axis=1)
    yields = np.array([*YIELDS, *[YIELDS[-1]] * env.n_agents])[hits]
    return (yields * (env.states[states] > 0)).sum(axis=1) - busy.sum(axis=1)


def best_plans(env: SensorNetwork) -> Int[np.ndarray, "n_states n_agents"]:
    """A best joint scan of each state, over all scans of targets.

    Raises
    ------
    ValueError
        More than ``MAX_JOINT`` joint scans in a state.
    """
    plans = np.empty((env.n_states, env.n_agents), np.int64)
    for k, state in enumerate(env.states):
        options = [
            [8, *np.flatnonzero((own >= 0) & (state[own] > 0))] for own in env.seen
        ]
        size = int(np.prod([len(o) for o in options]))
        if size > MAX_JOINT:
            raise ValueError(
                f"state {k}: {size} joint scans, expected at most {MAX_JOINT}. "
                "Try fewer sensors or targets"
            )
        joint = np.array(list(itertools.product(*options)))
        value = scan_rewards(env, np.full(size, k), joint)
        plans[k] = joint[value.argmax()]
    return plans


def local_policies(
    env: SensorNetwork, rng: np.random.Generator, n_starts: int = 10
) -> tuple[float, Int[np.ndarray, "n_states n_agents"]]:
    """Value and scans of policies of the last observation, improved in turn.

    Parameters
    ----------
    env : SensorNetwork
        Its states are weighed by their first law.
    rng : Generator
        Source of the random starts and of the order of improvement.
    n_starts : int
        Starts, by turns the first of these and random; the best end counts.

    Returns
    -------
    value : float
        Expected team reward.
    scans : ndarray of int, shape (n_states, n_agents)
        What the policies do in each state.
    """
    weight = env.merge(env.b0[None])[0]
    first = np.array([np.flatnonzero(env.lump == k)[0] for k in range(env.n_states)])
    codes = np.stack([law.argmax(axis=1)[first] for law in env.O], axis=1)
    states, best = np.arange(env.n_states), (-np.inf, None)
    plans, sizes = best_plans(env), [law.shape[1] for law in env.O]
    for start in range(n_starts):
        if start % 2:
            draws = [rng.integers(0, 9, size) for size in sizes]
        else:  # what the plan of the likeliest state asks of the agent
            draws = []
            for i, size in enumerate(sizes):
                seen = (codes[:, i] == np.arange(size)[:, None]) * weight
                draws.append(plans[seen.argmax(axis=1), i])
        scans = np.stack([d[codes[:, i]] for i, d in enumerate(draws)], axis=1)
        value = -np.inf
        while True:
            for i in rng.permutation(env.n_agents):
                gain = np.zeros((env.O[i].shape[1], 9))
                for a in range(9):
                    trial = scans.copy()
                    trial[:, i] = a
                    reward = weight * scan_rewards(env, states, trial)
                    gain[:, a] = np.bincount(codes[:, i], reward, len(gain))
                scans[:, i] = gain.argmax(axis=1)[codes[:, i]]
            new = float(weight @ scan_rewards(env, states, scans))
            if new <= value + 1e-12:
                break
            value = new
        if value > best[0]:
            best = (value, scans)
    return best
