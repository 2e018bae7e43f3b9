r"""Reconstructing the state with every method, on held-out histories.

A method returns points; a point names the nearest state.  *Accuracy* is how often that
is the true one, *distance* the Euclidean distance to it, *validity* how often a point
lies within 0.5 of a state that is possible, for the agent that made it or, where all
had a part in it, for all agents.  *TV* is the total variation between the frequencies
of the states named from different starts and the exact posterior.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from econlib.decpomdp_diffusion.denoisers import (
    Composite,
    ExpertsDenoiser,
    ParallelDenoiser,
)
from econlib.decpomdp_diffusion.flows import anneal, nearest, schedule, stays
from econlib.decpomdp_diffusion.learning import (
    Samples,
    agent_conditions,
    sample,
    team_conditions,
    train_denoiser,
)
from econlib.decpomdp_diffusion.networks import ConditionalDenoiser, LearnedDenoiser
from econlib.decpomdp_diffusion.peers import (
    VarianceCoder,
    predict,
    sample_states,
    train_coder,
    train_regression,
)
from econlib.decpomdp_diffusion.sensors import SensorNetwork

__all__ = [
    "METRICS",
    "Case",
    "compare",
    "orders",
    "sensitivity",
    "sweeps",
    "train_case",
]

#: Names of the metrics, as in the module's text.
METRICS = ("accuracy", "distance", "validity", "tv")


@dataclass(frozen=True)
class Case:
    """A network of sensors, trained denoisers, and histories to judge them by.

    Attributes
    ----------
    env : SensorNetwork
        The process.
    data, held : Samples
        Training and held-out histories.
    agents : list of LearnedDenoiser
        Of each agent, at the held-out histories.
    prior : LearnedDenoiser
        With no history.
    """

    env: SensorNetwork
    data: Samples
    held: Samples
    agents: list[LearnedDenoiser]
    prior: LearnedDenoiser

    @property
    def local(self) -> Float[np.ndarray, "n_agents n n_states"]:
        """Exact local posteriors of the held-out histories."""
        return self.env.local_posteriors(self.held.obs)

    @property
    def joint(self) -> Float[np.ndarray, "n n_states"]:
        """Exact joint posteriors."""
        return self.env.posterior(self.held.obs)

    def starts(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Random starts, shape (n_seeds, n_histories, n, d)."""
        shape = (*self.agents[0].shape, n, self.env.states.shape[1])
        return 2.0 * rng.standard_normal(shape)


def train_case(
    env: SensorNetwork,
    *,
    length: int,
    n_seeds: int,
    n_episodes: int,
    n_histories: int,
    n_steps: int,
    width: int,
    seed: int,
) -> Case:
    """Train agents' denoisers, a tenth of the histories hidden for the prior's."""
    rng = np.random.default_rng(seed)
    data = sample(env, n_episodes * n_seeds, length, rng)
    held = sample(env, n_histories, length, rng)
    conditions, asked = agent_conditions(data.features), agent_conditions(held.features)
    net = ConditionalDenoiser(
        n_seeds, env.states.shape[1], conditions.shape[2], width=width, seed=seed
    )
    train_denoiser(net, conditions, data.states, n_steps, dropout=0.1, seed=seed)
    return Case(
        env,
        data,
        held,
        [LearnedDenoiser(net, own) for own in asked],
        LearnedDenoiser(net, np.zeros_like(asked[0])),
    )


def judge(
    case: Case,
    x: Float[np.ndarray, "n_seeds n n_starts d"],
    possible: Bool[np.ndarray, "n n_states"],
) -> Float[np.ndarray, "n_metrics n_seeds"]:
    """Metrics of a method's points, a row each."""
    k, away = nearest(case.env.states, x)
    allowed = np.take_along_axis(
        np.broadcast_to(possible, (len(x), *possible.shape)), k, 2
    )
    share = (k[..., None] == np.arange(case.env.n_states)).mean(axis=2)
    truth = case.held.states[:, None]
    return np.stack(
        [
            (k == case.held.index[:, None]).mean(axis=(1, 2)),
            np.linalg.norm(x - truth, axis=-1).mean(axis=(1, 2)),
            (allowed & (away < 0.5)).mean(axis=(1, 2)),
            np.abs(share - case.joint).sum(axis=2).mean(axis=1) / 2,
        ]
    )


def compare(
    case: Case, *, n_steps: int, width: int, seed: int, n_starts: int = 8
) -> dict[str, Float[np.ndarray, "n_metrics n_seeds"]]:
    """Metrics of every method; peers are trained here on the same samples.

    Parameters
    ----------
    case : Case
        With trained denoisers.
    n_steps, width, seed : int
        Of the peers' training.
    n_starts : int
        Starts, or draws, a history.
    """
    rng = np.random.default_rng(seed + 1)
    start, levels = case.starts(n_starts, rng), schedule()
    local, n_seeds = case.local > 0, case.agents[0].shape[0]
    shared = local.all(axis=0)
    data, held = case.data, case.held
    conditions, asked = agent_conditions(data.features), agent_conditions(held.features)

    def alone(points: Callable[[int], np.ndarray]) -> np.ndarray:
        return np.mean([judge(case, points(i), own) for i, own in enumerate(local)], 0)

    found = {
        "one agent": alone(lambda i: anneal(case.agents[i], start, levels)),
        "composite": judge(case, anneal(Composite(case.agents), start, levels), shared),
        "parallel mean": judge(
            case, anneal(ParallelDenoiser(case.agents), start, levels), shared
        ),
        "experts": judge(
            case,
            anneal(
                ExpertsDenoiser(case.agents, case.prior), start, np.repeat(levels, 4)
            ),
            shared,
        ),
    }
    whole, one = team_conditions(data.features), team_conditions(held.features)[0]
    central = ConditionalDenoiser(
        n_seeds, start.shape[-1], whole.shape[2], width=width, seed=seed + 2
    )
    train_denoiser(central, whole, data.states, n_steps, seed=seed + 2)
    found["centralised"] = judge(
        case, anneal(LearnedDenoiser(central, one), start, levels), shared
    )
    options = {"width": width, "seed": seed + 3}
    mean = train_regression(conditions, data.states, n_seeds, n_steps, **options)
    found["regression"] = alone(lambda i: predict(mean, asked[i])[:, :, None])
    coder = VarianceCoder(n_seeds, start.shape[-1], conditions.shape[2], **options)
    train_coder(coder, conditions, data.states, n_steps, seed=seed + 3)
    found["autoencoder"] = alone(lambda i: sample_states(coder, asked[i], n_starts))
    best = case.env.states[case.joint.argmax(axis=1)][None, :, None]
    found["exact Bayes"] = judge(case, best, shared)
    return found


def sweeps(
    case: Case, sigma: float, n_sweeps: int, seed: int
) -> dict[str, Float[np.ndarray, "n_seeds n_sweeps"]]:
    """Mean distance to the state after each sweep at one noise level.

    One agent's sweep is as many applications of its own denoiser as there are agents.
    """
    start = case.starts(8, np.random.default_rng(seed + 4))
    truth = case.held.states[:, None]
    n = len(case.agents)
    maps = {"composite": [Composite(case.agents)]}
    maps["one agent"] = [Composite([f] * n) for f in case.agents]
    found = {}
    for name, many in maps.items():
        total = 0.0
        for f in many:
            x, path = start, []
            for _ in range(n_sweeps + 1):
                path.append(np.linalg.norm(x - truth, axis=-1).mean(axis=(1, 2)))
                x = f(x, sigma)
            total = total + np.array(path).T / len(many)
        found[name] = total
    return found


def orders(case: Case, seed: int) -> dict[str, Float[np.ndarray, " n_seeds"]]:
    """Accuracy of the annealed composite in every cyclic order and in random ones."""
    rng = np.random.default_rng(seed + 5)
    start, n, levels = case.starts(4, rng), len(case.agents), schedule()
    everybody = np.ones((len(case.held.index), case.env.n_states), bool)
    found = {}
    for first in range(n):
        turn = [case.agents[(first + i) % n] for i in range(n)]
        x = anneal(Composite(turn), start, levels)
        found[f"from agent {first}"] = judge(case, x, everybody)[0]
    x = start
    for sigma in levels:
        for i in rng.permutation(n):
            x = case.agents[i](x, float(sigma))
    found["random"] = judge(case, x, everybody)[0]
    return found


def sensitivity(
    case: Case, sigma: float, seed: int
) -> dict[str, Float[np.ndarray, " n_seeds"]]:
    """Shares of possible states that are fixed, of histories with the state as the one
    shared fixed point, and accuracy of the composite, at a noise level.
    """
    states = case.env.states
    fixed = np.stack(
        [stays(f, states, f.shape, sigma, n_steps=40, within=0.5) for f in case.agents]
    )
    possible = np.broadcast_to((case.local > 0)[:, None], fixed.shape)
    shared = fixed.all(axis=0)
    is_true = np.arange(case.env.n_states) == case.held.index[:, None]
    start = case.starts(4, np.random.default_rng(seed + 6))
    x = anneal(Composite(case.agents), start, schedule(2.0, sigma))
    return {
        "fixed": (fixed & possible).sum(axis=(0, 2, 3)) / possible.sum(axis=(0, 2, 3)),
        "shared": (shared == is_true).all(axis=2).mean(axis=1),
        "composite": judge(case, x, case.local.all(axis=0) > 0)[0],
    }
