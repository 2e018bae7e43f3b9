"""Sequential auctions: CPU seconds to 99 % of the optimum, against one menu a state.

The task is setting A with five buyers and five items, 32 prices a menu and 155 states.
Ours is fitted policy iteration, one network for all states; the peer is dynamic
programming written with the obvious torch code, a parameter vector trained for each
state in turn by automatic differentiation on fresh samples.  Each side is timed at the
shortest of some lengths that reaches the goal; both policies are judged by the same
simulator on the same fresh auctions, which is not counted.
"""

from __future__ import annotations

import time

import numpy as np
import torch

from benchmarks.record import Timing
from econlib.sequential_auctions.fpi import fitted_policy_iteration, simulate
from econlib.sequential_auctions.menu_tables import menus
from econlib.sequential_auctions.settings import Setting
from econlib.sequential_auctions.size_pricing import size_pricing_dp

__all__ = ["measure"]

_GOAL, _N, _SETTING = 0.99, 5, Setting("A", 5)


def _ours(seed: int, best: float) -> tuple[float, float]:
    for n_iterations in (1, 2, 4, 8):
        start = time.process_time()
        found = fitted_policy_iteration(
            _SETTING,
            _N,
            seed=seed,
            n_iterations=n_iterations,
            actor_steps=100,
            warm_up=20,
            critic="table",
        )
        seconds = time.process_time() - start
        ratio = simulate(_SETTING, found.prices, 100_000, seed)[0] / best
        if ratio >= _GOAL:
            break
    return seconds, ratio


def _peer(seed: int, best: float) -> tuple[float, float]:
    for n_steps in (25, 50, 100, 200, 400):
        start = time.process_time()
        prices = _one_menu_a_state(seed, n_steps)
        seconds = time.process_time() - start
        ratio = simulate(_SETTING, prices, 100_000, seed)[0] / best
        if ratio >= _GOAL:
            break
    return seconds, ratio


def _one_menu_a_state(seed: int, n_steps: int) -> np.ndarray:
    """Algorithms 2 and 3 state by state: samples of 2048, Adam 0.03, factor 100."""
    rng = torch.Generator().manual_seed(seed)
    bundles, m = menus(_SETTING), _SETTING.n_items
    value = torch.zeros(_N + 1, bundles.n_sets)
    kept = np.zeros((_N, len(bundles.column)), np.float32)
    for i in range(_N - 1, -1, -1):
        for s in range(1, bundles.n_sets):
            part = slice(bundles.start[s], bundles.start[s + 1])
            held = torch.tensor(bundles.bundle[part])[:, None] >> torch.arange(m) & 1
            after = value[i + 1, torch.tensor(bundles.rest[part]).long()]
            scale = held.sum(dim=1).float()
            z = torch.full(scale.shape, 0.5, requires_grad=True)
            adam = torch.optim.Adam([z], lr=0.03)
            for _ in range(n_steps):
                v = torch.rand(2048, m, generator=rng) @ held.float().T
                p = z * scale
                choice = torch.softmax(100 * (v - p), dim=1)
                loss = -(choice * (p + after)).sum(dim=1).mean()
                adam.zero_grad()
                loss.backward()
                adam.step()
            p = (z * scale).detach()
            v = torch.rand(16_384, m, generator=rng) @ held.float().T
            value[i, s] = (p + after)[(v - p).argmax(dim=1)].mean()
            kept[i, part] = p.numpy()
    return kept


def measure(n_runs: int = 5) -> list[Timing]:
    """Time both sides in turn, seeds 0 to ``n_runs - 1``, one thread."""
    torch.set_num_threads(1)
    best = float(size_pricing_dp(_SETTING, _N).values[_N, _SETTING.n_items])
    _ours(10**6, best)
    runs = [(_ours(seed, best), _peer(seed, best)) for seed in range(n_runs)]
    return [
        Timing(
            task="Sequential auction, 5 buyers, 5 items, to 99 % of the optimum, "
            "CPU seconds",
            ours_is="econlib.sequential_auctions.fpi.fitted_policy_iteration, tabular "
            "critic; the shortest of 1, 2, 4, 8 iterations of 100 steps",
            peer_is="straightforward torch, one menu a state, 2048 samples a step; the "
            "shortest of 25, 50, 100, 200, 400 steps a state",
            ours=[ours[0] for ours, _ in runs],
            peer=[peer[0] for _, peer in runs],
            quality={
                "ours": [ours[1] for ours, _ in runs],
                "peer": [peer[1] for _, peer in runs],
            },
        )
    ]
