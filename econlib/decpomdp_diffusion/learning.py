r"""Training on episodes: samples of histories with states, and the denoising loss.

A sample is a joint history of ``length`` observations with the state at its end.  The
condition of agent :math:`i` is its history as numbers, its one-hot number and a 1; that
of the *team*, all histories side by side and a 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from econlib.decpomdp_diffusion.networks import ConditionalDenoiser
from econlib.training import FitResult, fit

__all__ = [
    "NOISE",
    "Samples",
    "agent_conditions",
    "sample",
    "team_conditions",
    "train_denoiser",
]

#: Least and largest noise level of training.
NOISE = (0.05, 3.0)


@dataclass(frozen=True)
class Samples:
    """Histories with the states at their ends.

    Attributes
    ----------
    features : ndarray, shape (n_agents, n_samples, n_features)
        Each agent's history as numbers.
    states : ndarray, shape (n_samples, d)
        States.
    index : ndarray of int, shape (n_samples,)
        Their numbers.
    obs : ndarray of int, shape (n_samples, length, n_agents)
        Observations.
    """

    features: Float[np.ndarray, "n_agents n_samples n_features"]
    states: Float[np.ndarray, "n_samples d"]
    index: Int[np.ndarray, " n_samples"]
    obs: Int[np.ndarray, "n_samples length n_agents"]


def sample(env, n_samples: int, length: int, rng: np.random.Generator) -> Samples:
    """Draw histories from a process that has ``features``, such as a sensor network.

    Parameters
    ----------
    env : SensorNetwork or the like
        With ``simulate``, ``features``, ``lump`` and ``states``.
    n_samples, length : int
        1 or more each.
    rng : Generator
        Source of the episodes.
    """
    hidden, obs = env.simulate(n_samples, length, rng)
    index = env.lump[hidden[:, -1]]
    return Samples(env.features(obs), env.states[index], index, obs)


def agent_conditions(
    features: Float[np.ndarray, "n_agents n n_features"],
) -> Float[np.ndarray, "n_agents n n_condition"]:
    """Conditions of every agent: its history, its number, and a 1."""
    n_agents, n, _ = features.shape
    number = np.broadcast_to(np.eye(n_agents)[:, None], (n_agents, n, n_agents))
    return np.concatenate([features, number, np.ones((n_agents, n, 1))], axis=2)


def team_conditions(
    features: Float[np.ndarray, "n_agents n n_features"],
) -> Float[np.ndarray, "1 n n_condition"]:
    """The condition of somebody who sees all: all histories, and a 1."""
    n_agents, n, k = features.shape
    flat = features.transpose(1, 0, 2).reshape(1, n, n_agents * k)
    return np.concatenate([flat, np.ones((1, n, 1))], axis=2)


def batches(
    conditions: Float[np.ndarray, "n_agents n_samples n_condition"],
    states: Float[np.ndarray, "n_samples d"],
    n_seeds: int,
    batch: int,
    generator: torch.Generator,
):
    """Draws of (condition, state); the samples are dealt out to the seeds."""
    own = len(states) // n_seeds
    if own < 1 or batch < 1:
        raise ValueError(
            f"{len(states)} samples, {n_seeds} seeds, batch = {batch}: expected at "
            "least one sample a seed, and a batch of 1 or more"
        )
    cond = torch.as_tensor(conditions, dtype=torch.float32)
    clean = torch.as_tensor(states, dtype=torch.float32)
    first = torch.arange(n_seeds)[:, None] * own

    def draw() -> tuple[Tensor, Tensor]:
        row = first + torch.randint(own, (n_seeds, batch), generator=generator)
        who = torch.randint(len(cond), (n_seeds, batch), generator=generator)
        return cond[who, row], clean[row]

    return draw


def denoising_loss(
    net: ConditionalDenoiser,
    condition: Tensor,
    clean: Tensor,
    generator: torch.Generator,
    dropout: float = 0.0,
) -> Tensor:
    """Mean squared error of the predicted states, summed over coordinates and seeds."""
    shape = (*clean.shape[:2], 1)
    low, high = np.log(NOISE)
    sigma = (torch.rand(shape, generator=generator) * (high - low) + low).exp()
    noisy = clean + sigma * torch.randn(clean.shape, generator=generator)
    if dropout:
        condition = condition * (torch.rand(shape, generator=generator) >= dropout)
    error = net(noisy, sigma, net.encode(condition)) - clean
    return (error**2).sum(dim=-1).mean(dim=1).sum()


def train_denoiser(
    net: ConditionalDenoiser,
    conditions: Float[np.ndarray, "n_agents n_samples n_condition"],
    states: Float[np.ndarray, "n_samples d"],
    n_steps: int,
    *,
    batch: int = 256,
    lr: float = 2e-3,
    dropout: float = 0.0,
    seed: int = 0,
    on_log=None,
    n_log: int = 50,
    bar: bool = False,
) -> FitResult:
    """Minimise the denoising loss of all seeds at once.

    Parameters
    ----------
    net : ConditionalDenoiser
        Trained in place.
    conditions, states : ndarray
        Samples; seeds share none of them.
    n_steps, batch : int
        Steps, and draws of each seed a step.
    lr : float
        First learning rate; falls linearly to a hundredth.
    dropout : float
        Share of histories hidden, [0, 1), so that the prior's denoiser is learnt too.
    seed : int
        Of draws and noise.
    on_log, n_log, bar
        As in :func:`econlib.training.fit`.
    """
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout = {dropout}: expected a number in [0, 1)")
    source = torch.Generator().manual_seed(seed)
    n_seeds = len(net.body.weights[0])
    draw = batches(conditions, states, n_seeds, batch, source)
    return fit(
        lambda step: denoising_loss(net, *draw(), source, dropout),
        net.parameters(),
        n_steps,
        lr=lr,
        on_log=on_log,
        n_log=n_log,
        tolerance=np.inf,
        bar=bar,
    )
