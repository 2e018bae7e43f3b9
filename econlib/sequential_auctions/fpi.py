r"""Fitted policy iteration on one core: the paper's scheme, with draws that pay.

Each iteration (i) evaluates the actor :math:`\pi` by the known model,

.. math::

   V(i,S)=\mathbb E_v\big[\pi_T+V(i+1,S\setminus T)\big],\qquad
   T=\arg\max_{T\subseteq S}v(T)-\pi(i,S)_T,

with a hard choice, backwards over buyers, at every state; (ii) fits the critic to it,
or keeps it as a table; (iii) improves the actor by Adam on the smoothed objective with
the critic's values as offsets.  There is no maximum over actions anywhere but in (iii),
and nothing of a dynamic programme.

Departures from the paper, each an option: two inputs more, a structured output, values
at all states in place of visited ones, an inverse temperature and a learning rate that
follow a schedule in steps, and draws of their own for each state of a step.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from econlib.sequential_auctions.actors import Actor, Critic
from econlib.sequential_auctions.fpi_config import FPIConfig, check_sizes
from econlib.sequential_auctions.kernels import (
    play,
    shared_gradient,
    soft_gradient,
    sweep,
    sweep_one,
)
from econlib.sequential_auctions.menu_tables import Menus, menus, values_law
from econlib.sequential_auctions.settings import Setting, popcount

__all__ = [
    "FPI",
    "antithetic",
    "evaluate",
    "fitted_policy_iteration",
    "law_of",
    "menu_prices",
    "price_gradient_step",
    "simulate",
]


@dataclass(frozen=True)
class FPI:
    """A trained policy and its history.

    Attributes
    ----------
    actor : Actor
        The policy.
    prices : ndarray, shape (n_buyers, n_flat)
        Its prices at every state, in the order of :class:`Menus`.
    values : ndarray, shape (n_buyers + 1, n_sets)
        What the critic holds of every state with that buyer next.
    steps, seconds : ndarray, shape (n_logged,)
        Gradient steps of actor and critic, and process seconds of training, when
        revenue was measured, first before any.
    revenue : ndarray, shape (n_logged,)
        Mean over fresh episodes.
    visited : int
        Distinct states that rollouts of the last iteration met.
    """

    actor: Actor
    prices: Float[np.ndarray, "n_buyers n_flat"]
    values: Float[np.ndarray, "n_stages n_sets"]
    steps: Float[np.ndarray, " n_logged"]
    seconds: Float[np.ndarray, " n_logged"]
    revenue: Float[np.ndarray, " n_logged"]
    visited: int


def law_of(setting: Setting, bundles: Menus) -> tuple:
    """What the compiled loops read of how values are drawn."""
    items, own = values_law(setting)
    size = popcount(setting.n_items).astype(np.int32)
    alone = size if np.ptp(own) > 0 else np.full(1, -1, np.int32)
    return (
        bundles.members,
        size,
        items,
        own[:, 0].copy(),
        np.ptp(own, axis=1),
        alone,
    )


@torch.no_grad()
def menu_prices(
    actor: Actor, bundles: Menus, n_buyers: int
) -> Float[np.ndarray, "n_buyers n_flat"]:
    """Prices of an actor at every state, the empty bundle's 0."""
    bits = _bits(bundles)
    which = torch.from_numpy(
        np.repeat(np.arange(bundles.n_sets), np.diff(bundles.start))
    )
    column = torch.from_numpy(bundles.column).long()
    prices = np.empty((n_buyers, len(bundles.column)), np.float32)
    for i in range(n_buyers):
        all_prices = actor(bits, torch.full((bundles.n_sets,), i))
        prices[i] = all_prices[which, column].numpy()
    prices[:, bundles.start[:-1]] = 0.0
    return prices


def simulate(
    setting: Setting,
    prices: Float[np.ndarray, "n_buyers n_flat"],
    n_episodes: int,
    seed: int,
) -> tuple[float, float]:
    """Mean revenue of menus over fresh episodes, hard choices, and its standard error.

    Parameters
    ----------
    setting : Setting
        Buyers.
    prices : ndarray, shape (n_buyers, n_flat)
        In the order of :func:`~econlib.sequential_auctions.menu_tables.menus`.
    n_episodes : int
        2 or more.
    seed : int
        Of the episodes.
    """
    bundles = menus(setting)
    if prices.shape[1] != len(bundles.column):
        raise ValueError(
            f"prices: {prices.shape[1]} columns, expected {len(bundles.column)}"
        )
    if n_episodes < 2:
        raise ValueError(f"n_episodes = {n_episodes}: expected an integer, 2 or more")
    rng = np.random.default_rng(seed)
    law = law_of(setting, bundles)
    paid, _ = play(prices.astype(np.float32), n_episodes, 0.0, bundles.flat, law, rng)
    revenue = paid.sum(axis=1)
    return float(revenue.mean()), float(revenue.std() / np.sqrt(n_episodes))


def evaluate(
    setting: Setting, result: FPI, n_episodes: int = 200_000, seed: int = 10_001
) -> tuple[float, float]:
    """Mean revenue of a trained policy and its standard error; a seed of its own."""
    return simulate(setting, result.prices, n_episodes, seed)


def price_gradient_step(
    actor: Actor,
    bundles: Menus,
    law: tuple,
    sets: np.ndarray,
    buyers: np.ndarray,
    after: np.ndarray,
    beta: float,
    draws: np.ndarray,
    rng: np.random.Generator,
    shared: np.ndarray | None = None,
) -> float:
    """Put the gradient of the actor's loss at some states into its weights.

    The loss is minus the mean smoothed objective of the states, which is returned; each
    state has draws of its own, or all share a table of the values of all bundles.
    """
    bits = torch.from_numpy(sets[:, None] >> np.arange(actor.n_items) & 1).float()
    prices = actor(bits, torch.from_numpy(buyers))
    menu, flat = prices.detach().numpy(), bundles.flat
    if shared is None:
        found = soft_gradient(menu, sets, buyers, after, flat, law, beta, draws, rng)
    else:
        found = shared_gradient(menu, sets, buyers, after, flat, shared, beta)
    objective, gradient = found
    prices.backward(torch.from_numpy(gradient) / -len(sets))
    return float(objective.mean())


def fitted_policy_iteration(
    setting: Setting,
    n_buyers: int,
    config: FPIConfig | None = None,
    *,
    seed: int = 0,
    n_log: int = 0,
    **changes: object,
) -> FPI:
    """Train an actor for every state of a sequential auction.

    Parameters
    ----------
    setting : Setting
        Buyers, of 12 items at most.
    n_buyers : int
        1 to 100.
    config : FPIConfig, optional
        How to train; ``changes`` replace single fields of it.
    seed : int
        Of weights, draws and states.
    n_log : int
        Episodes on which revenue is measured after each iteration, outside
        ``seconds``; 0 for none.

    Returns
    -------
    FPI
        Policy, values and history.

    Raises
    ------
    ValueError
        A size or an option out of range.
    """
    config = replace(config or FPIConfig(), **changes)
    check_sizes(setting, n_buyers)
    return _Training(setting, n_buyers, config, seed, n_log).run()


class _Training:
    """One run: what its iterations share."""

    def __init__(
        self, setting: Setting, n: int, config: FPIConfig, seed: int, n_log: int
    ) -> None:
        self.setting, self.n, self.config, self.n_log = setting, n, config, n_log
        self.seed = seed
        self.bundles = menus(setting)
        self.law = law_of(setting, self.bundles)
        self.rng = np.random.default_rng(seed)
        torch_rng = torch.Generator().manual_seed(seed)
        self.actor = Actor(
            setting,
            self.bundles,
            n,
            torch_rng,
            output=config.output,
            width=config.width,
            extra=config.extra,
        )
        scale = self.actor.scale.max().item()
        self.critic = Critic(
            n, setting.n_items, torch_rng, unit=scale / 2, extra=config.extra
        )
        self.adam = torch.optim.Adam(
            self.actor.parameters(), lr=config.lr, betas=(0.9, 0.99), fused=True
        )
        self.critic_adam = torch.optim.Adam(
            self.critic.parameters(), lr=1e-3, fused=True
        )
        k = np.diff(self.bundles.start)
        by_size = np.array(
            [k[(1 << s) - 1] for s in range(setting.n_items + 1)], dtype=np.int64
        )
        draws = np.clip(config.draws // by_size, config.least_draws, config.most_draws)
        self.draws = draws // 2 * 2
        size = popcount(setting.n_items)
        self.by_size = np.argsort(size, kind="stable")
        self.by_size_start = np.searchsorted(
            size[self.by_size], np.arange(setting.n_items + 2)
        )
        self.after = np.zeros((n + 1, self.bundles.n_sets), np.float32)
        self.n_done = 0

    def run(self) -> FPI:
        """Iterate, and measure revenue on the way."""
        config = self.config
        history, spent, count = [], 0.0, 0
        prices = menu_prices(self.actor, self.bundles, self.n)
        history.append((0, 0.0, self._revenue(prices)))
        visited = 0
        for it in range(config.n_iterations):
            start = time.process_time()
            count += self._evaluate_policy(prices, it)
            noise = config.noise * (1 - it / config.n_iterations)
            _, met = play(
                prices, config.n_rollouts, noise, self.bundles.flat, self.law, self.rng
            )
            turn = np.broadcast_to(np.arange(self.n), met.shape)
            alive = met > 0
            sets, buyers = met[alive], turn[alive]
            visited = len(np.unique(sets * self.n + buyers))
            for _ in range(config.actor_steps):
                self._step(sets, buyers)
            count += config.actor_steps
            prices = menu_prices(self.actor, self.bundles, self.n)
            spent += time.process_time() - start
            history.append((count, spent, self._revenue(prices)))
        steps, seconds, revenue = np.array(history, float).T
        return FPI(self.actor, prices, self.after, steps, seconds, revenue, visited)

    def _revenue(self, prices: np.ndarray) -> float:
        if not self.n_log:
            return np.nan
        return simulate(self.setting, prices, self.n_log, self.seed + 7_000_003)[0]

    def _evaluate_policy(self, prices: np.ndarray, it: int) -> int:
        """Values of the actor at every state, and the critic's fit; returns steps."""
        config, m = self.config, self.setting.n_items
        values = antithetic(self.setting, config.sweep_draws, self.rng)
        if config.one_step and it:
            fresh = _one_step(prices, values, self.bundles, self.after)
        else:
            fresh = sweep(prices, values, self.bundles.flat)
        if config.critic == "table":
            self.after = fresh
            return 0
        n_steps = config.critic_steps * (3 if it == 0 else 1)
        lr = 1e-3 * 10 ** -(it / max(1, config.n_iterations - 1))
        for group in self.critic_adam.param_groups:
            group["lr"] = lr
        bits = _bits(self.bundles)
        target = torch.from_numpy(fresh)
        everything = np.divmod(np.arange(n_states := self.n * (2**m - 1)), 2**m - 1)
        for _ in range(n_steps):
            i, s = everything
            if n_states > 512:
                some = self.rng.integers(n_states, size=512)
                i, s = i[some], s[some]
            i, s = torch.from_numpy(i), torch.from_numpy(s + 1)
            loss = ((self.critic(bits[s], i) - target[i, s]) ** 2).mean()
            self.critic_adam.zero_grad(set_to_none=True)
            loss.backward()
            self.critic_adam.step()
        self.after = np.zeros_like(fresh)
        with torch.no_grad():
            for i in range(self.n):
                self.after[i] = self.critic(bits, torch.full((2**m,), i)).numpy()
        return n_steps

    def _step(self, sets: np.ndarray, buyers: np.ndarray) -> None:
        config, m = self.config, self.setting.n_items
        total = config.n_iterations * config.actor_steps
        done = self.n_done / total
        self.n_done += 1
        β = config.beta[0] * (config.beta[1] / config.beta[0]) ** min(1, done / 0.6)
        lr = config.lr_end + (config.lr - config.lr_end) * (
            0.5 + 0.5 * math.cos(math.pi * done)
        )
        lr *= min(1.0, self.n_done / max(1, config.warm_up))
        for group in self.adam.param_groups:
            group["lr"] = lr
        n_uniform = round(config.uniform * config.n_states)
        some = self.rng.integers(len(sets), size=config.n_states - n_uniform)
        size = self.rng.integers(1, m + 1, n_uniform)
        first, last = self.by_size_start[size], self.by_size_start[size + 1]
        at = self.by_size[self.rng.integers(first, last)]
        s = np.concatenate([sets[some], at])
        i = np.concatenate([buyers[some], self.rng.integers(self.n, size=n_uniform)])
        self.adam.zero_grad(set_to_none=True)
        price_gradient_step(
            self.actor,
            self.bundles,
            self.law,
            s,
            i,
            self.after,
            β,
            self.draws,
            self.rng,
            antithetic(self.setting, 32, self.rng) if config.shared else None,
        )
        if config.clip:
            torch.nn.utils.clip_grad_norm_(self.actor.parameters(), config.clip)
        self.adam.step()


def antithetic(
    setting: Setting, n_samples: int, rng: np.random.Generator
) -> Float[np.ndarray, "n_samples n_bundles"]:
    """Values of all bundles for pairs of opposite buyers, as float32.

    The bundles that a buyer of setting C or D has no use for have values too, of all
    their items, and are on no menu.
    """
    items, own = values_law(setting)
    k = setting.sizes
    half = (n_samples + 1) // 2
    u = rng.random((half, setting.n_items), np.float32)
    u = np.concatenate([u, 1 - u])[:n_samples]
    held = (np.arange(len(k))[:, None] >> np.arange(setting.n_items) & 1).astype(
        np.float32
    )
    levels = np.linspace(0, 1, items.shape[1])
    x = np.stack([np.interp(u[:, j], levels, q) for j, q in enumerate(items)], axis=1)
    values = x.astype(np.float32) @ held.T
    if np.ptp(own) > 0:
        c = rng.random((half, len(k)), np.float32)
        c = np.concatenate([c, 1 - c])[:n_samples]
        values += own[k, 0] + (own[k, 1] - own[k, 0]) * c
    return values


def _one_step(
    prices: np.ndarray, values: np.ndarray, bundles: Menus, after: np.ndarray
) -> np.ndarray:
    """Values by the model for one buyer, the critic's after him."""
    fresh = np.zeros_like(after)
    for i in range(len(prices)):
        fresh[i] = sweep_one(prices[i], values, bundles.flat, after[i + 1])
    return fresh


def _bits(bundles: Menus) -> torch.Tensor:
    n_items = bundles.members.shape[1]
    return torch.from_numpy(
        np.arange(bundles.n_sets)[:, None] >> np.arange(n_items) & 1
    ).float()
