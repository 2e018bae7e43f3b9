"""Exact denoisers and filters against loops, a stack of seeds against one by one."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import nn

from benchmarks.record import Timing, alternate
from econlib.decpomdp_diffusion.denoisers import ExactDenoiser
from econlib.decpomdp_diffusion.learning import agent_conditions, sample, train_denoiser
from econlib.decpomdp_diffusion.networks import ConditionalDenoiser
from econlib.decpomdp_diffusion.sensors import sensor_network

__all__ = ["measure"]


def _denoise_by_point(f: ExactDenoiser, x: np.ndarray, sigma: float) -> np.ndarray:
    """Eq. of the denoiser, one point at a time."""
    out = np.empty_like(x)
    for b, (points, prob) in enumerate(zip(x, f.probs, strict=True)):
        for k, point in enumerate(points):
            far = ((point - f.states) ** 2).sum(axis=1) / (2 * sigma**2)
            weight = prob * np.exp(-(far - far.min()))
            out[b, k] = weight @ f.states / weight.sum()
    return out


def _filter_one_by_one(env, obs: np.ndarray) -> np.ndarray:
    """Joint posteriors, one history at a time, dense."""
    move = np.eye(len(env.b0))
    for factor in env.P:
        move = move @ factor.toarray()
    found = []
    for history in obs:
        b = env.b0
        for t, row in enumerate(history):
            b = b @ move if t else b
            for i, symbol in enumerate(row):
                b = b * env.O[i][:, symbol]
            b = b / b.sum()
        found.append(np.bincount(env.lump, b, env.n_states))
    return np.array(found)


def _exact(n_runs: int) -> list[Timing]:
    env = sensor_network((3, 3), 2)
    _, obs = env.simulate(200, 3, np.random.default_rng(0))
    local = env.posterior(obs, [0])
    f = ExactDenoiser(env.states, local)
    x = np.random.default_rng(1).standard_normal((200, 20, env.states.shape[1]))
    gap = np.abs(f(x, 0.7) - _denoise_by_point(f, x, 0.7)).max()
    sides = {
        "ours": lambda: f(x, 0.7),
        "peer": lambda: _denoise_by_point(f, x, 0.7),
    }
    seconds = alternate(sides, n_runs)
    first = Timing(
        "exact denoiser, 3x3 sensors with two targets, 4000 points, 120 states",
        "products of arrays over all points",
        "the same sums, a point at a time, numpy",
        *seconds.values(),
        {"largest difference": float(gap)},
    )
    gap = np.abs(env.posterior(obs) - _filter_one_by_one(env, obs)).max()
    sides = {
        "ours": lambda: env.posterior(obs),
        "peer": lambda: _filter_one_by_one(env, obs),
    }
    seconds = alternate(sides, n_runs)
    second = Timing(
        "joint posteriors of 200 histories of three steps, 240 hidden states",
        "all histories at once, sparse factors",
        "a history at a time, dense kernel, numpy",
        *seconds.values(),
        {"largest difference": float(gap)},
    )
    return [first, second]


def _one_by_one(
    conditions: torch.Tensor, states: torch.Tensor, n_seeds: int, n_steps: int
) -> list[float]:
    """The same networks and loss, a seed at a time, of torch's own layers."""
    losses = []
    for seed in range(n_seeds):
        gen = torch.Generator().manual_seed(seed)
        k, d = conditions.shape[2], states.shape[1]
        encoder = nn.Sequential(nn.Linear(k, 64), nn.SiLU(), nn.Linear(64, 32))
        body = nn.Sequential(
            nn.Linear(d + 33, 128),
            nn.SiLU(),
            nn.Linear(128, 128),
            nn.SiLU(),
            nn.Linear(128, 128),
            nn.SiLU(),
            nn.Linear(128, d),
        )
        optimiser = torch.optim.Adam([*encoder.parameters(), *body.parameters()], 2e-3)
        for _ in range(n_steps):
            row = torch.randint(len(states), (256,), generator=gen)
            who = torch.randint(len(conditions), (256,), generator=gen)
            clean = states[row]
            sigma = (torch.rand(256, 1, generator=gen) * 4.09 - 3.0).exp()
            x = clean + sigma * torch.randn(clean.shape, generator=gen)
            code = encoder(conditions[who, row])
            seen = [x / (1 + sigma**2).sqrt(), sigma.log() / 4, code]
            loss = ((body(torch.cat(seen, 1)) - clean) ** 2).sum(1).mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        losses.append(float(loss.detach()))
    return losses


def _stack(n_runs: int, n_seeds: int = 5, n_steps: int = 60) -> Timing:
    env = sensor_network((2, 3), 2)
    data = sample(env, 4000, 4, np.random.default_rng(0))
    conditions = agent_conditions(data.features)
    as_tensors = (
        torch.as_tensor(conditions, dtype=torch.float32),
        torch.as_tensor(data.states, dtype=torch.float32),
    )

    def ours() -> float:
        net = ConditionalDenoiser(n_seeds, 9, conditions.shape[2])
        fit = train_denoiser(net, conditions, data.states, n_steps, n_log=1)
        return float(fit.losses[-1]) / n_seeds

    mean, theirs = ours(), float(np.mean(_one_by_one(*as_tensors, n_seeds, n_steps)))
    peer = partial(_one_by_one, *as_tensors, n_seeds, n_steps)
    seconds = alternate({"ours": ours, "peer": peer}, n_runs)
    return Timing(
        f"conditional denoisers of {n_seeds} seeds, {n_steps} steps, batch 256 a seed",
        "one stack of weights, batched products",
        "a seed at a time, torch.nn layers",
        *seconds.values(),
        {"mean loss of all steps, ours": mean, "last loss, peer": theirs},
    )


def measure(n_runs: int = 5) -> list[Timing]:
    """Run all comparisons."""
    return [*_exact(n_runs), _stack(n_runs)]
