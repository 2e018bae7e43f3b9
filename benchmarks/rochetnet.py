"""RochetNet: seconds to 99.9 % of the best profit, against straightforward torch.

The task is the seller of two goods with uniform values, which is the market maker at a
belief of 0 without adverse selection; its best profit is known.  Ours may also offer to
buy, and has to learn not to.  Both sides stop at the first of their checkpoints that
reaches the goal; the exact evaluation there is not counted.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
import torch

from benchmarks.record import Timing
from econlib.market_makers.closed_forms import uniform_profit
from econlib.market_makers.learning import train_menus
from econlib.market_makers.model import Menu
from econlib.market_makers.polygons import profit_exact
from econlib.valuations import make

__all__ = ["measure"]

_GOAL = 0.999
_LIMIT = 30_000  # steps of the peer
_UNIFORM = make("uniform", 2)
_BEST = uniform_profit(0.0, 0.0)


def _ratio(allocations: torch.Tensor, payments: torch.Tensor) -> float:
    menu = Menu(
        allocations.detach().double().numpy(), payments.detach().double().numpy()
    )
    return profit_exact(menu, _UNIFORM, 0.0, 0.0) / _BEST


def _ours(seed: int) -> tuple[float, float]:
    """Seconds to the end of the shortest of some runs that reaches the goal."""
    for n_steps in (200, 400, 800, 1600):
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            learnt = train_menus(
                [_UNIFORM],
                np.zeros((1, 2)),
                np.zeros(1),
                seed=seed,
                n_steps=n_steps,
                batch=1024,
            )
        seconds = time.perf_counter() - start
        ratio = profit_exact(learnt.menus[0], _UNIFORM, 0.0, 0.0) / _BEST
        if ratio >= _GOAL:
            break
    return seconds, ratio


def _peer(seed: int) -> tuple[float, float]:
    """Menu of 1000, batch of 128, one rate and one temperature throughout."""
    rng = torch.Generator().manual_seed(seed)
    weights = torch.randn(1000, 2, generator=rng).requires_grad_()
    payments = torch.rand(1000, generator=rng).requires_grad_()
    adam = torch.optim.Adam([weights, payments], lr=1e-3)
    seconds, ratio, start = 0.0, 0.0, time.perf_counter()
    for step in range(1, _LIMIT + 1):
        types = torch.rand(128, 2, generator=rng)
        a = torch.cat([torch.zeros(1, 2), torch.sigmoid(weights)])
        t = torch.cat([torch.zeros(1), payments])
        choice = torch.softmax(1000 * (types @ a.T - t), dim=1)
        loss = -(choice * t).sum(dim=1).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        if step % 500 == 0:
            seconds += time.perf_counter() - start
            ratio = _ratio(torch.sigmoid(weights), payments)
            if ratio >= _GOAL:
                break
            start = time.perf_counter()
    return seconds, ratio


def measure(n_runs: int = 5) -> list[Timing]:
    """Time both sides in turn, seeds 0 to ``n_runs - 1``."""
    _ours(10**6)
    runs = [(_ours(seed), _peer(seed)) for seed in range(n_runs)]
    return [
        Timing(
            task="RochetNet, two goods, uniform values, to 99.9 % of the best profit",
            ours_is="econlib.market_makers.learning.train_menus, 48 entries, annealed, "
            "evenly spread types; the shortest of 200, 400, 800, 1600 steps",
            peer_is="straightforward torch: 1000 entries, 128 types, rate 0.001, "
            f"softmax factor 1000; at most {_LIMIT} steps",
            ours=[ours[0] for ours, _ in runs],
            peer=[peer[0] for _, peer in runs],
            quality={
                "ours": [ours[1] for ours, _ in runs],
                "peer": [peer[1] for _, peer in runs],
            },
        )
    ]
