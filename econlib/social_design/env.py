"""The commons as a PettingZoo environment in which all players move at once."""

from __future__ import annotations

import functools

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from econlib.social_design.harvest import HarvestLite

__all__ = ["HarvestEnv"]


class HarvestEnv(ParallelEnv):
    """A round of the commons under one schedule.

    A player sees who she is (one-hot), the stock over the capacity, the share of the
    round that is over, and the marginal rates; she chooses the index of an effort.  A
    reward is the step's income after tax and rebate less the cost of effort.

    Parameters
    ----------
    game : HarvestLite, optional
        The commons; the book's default if left out.
    rates : sequence of float, optional
        One rate a bracket, [0, 1]; no tax if left out.

    Raises
    ------
    ValueError
        Rates of the wrong number or out of range.

    Examples
    --------
    >>> env = HarvestEnv(rates=(0.8, 0.8))
    >>> seen, _ = env.reset(seed=0)
    >>> seen, rewards, *_ = env.step({name: 1 for name in env.agents})
    >>> [round(r, 3) for r in rewards.values()]
    [0.9, 0.8, 0.7, 0.55]
    """

    metadata = {"name": "harvest_lite_v0", "render_modes": []}  # noqa: RUF012

    def __init__(self, game: HarvestLite | None = None, rates: object = None) -> None:
        self.game = HarvestLite() if game is None else game
        if rates is None:
            rates = np.zeros(len(self.game.brackets))
        self.rates = self.game.check_rates(np.atleast_2d(rates))[0]
        self.possible_agents = [f"player_{i}" for i in range(self.game.n_players)]
        self.agents: list[str] = []
        self.render_mode = None
        self._rng = np.random.default_rng()
        self._stock, self._t = self.game.s0, 0

    @functools.cache  # noqa: B019
    def observation_space(self, agent: str) -> spaces.Box:
        """What a player sees: numbers in [0, 1]."""
        size = self.game.n_players + 2 + len(self.rates)
        return spaces.Box(0.0, 1.0, (size,), np.float32)

    @functools.cache  # noqa: B019
    def action_space(self, agent: str) -> spaces.Discrete:
        """Index of an effort."""
        return spaces.Discrete(len(self.game.efforts))

    def reset(
        self, seed: int | None = None, options: dict | None = None
    ) -> tuple[dict, dict]:
        """Start a round; a seed makes its regrowth repeatable."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self.agents = list(self.possible_agents)
        self._stock, self._t = self.game.s0, 0
        return self._seen(), {name: {} for name in self.agents}

    def step(self, actions: dict) -> tuple[dict, dict, dict, dict, dict]:
        """Play one step of all players."""
        game = self.game
        efforts = np.array([game.efforts[int(actions[a])] for a in self.agents])
        demand = int(efforts.sum())
        y = efforts * min(1.0, self._stock / max(demand, 1))
        tax = game.tax(self.rates[None], y)[0]
        reward = y - tax + tax.mean() - np.asarray(game.costs) * efforts
        left = self._stock - min(demand, self._stock)
        share = game.regrowth * left / game.capacity
        self._stock = left + int(self._rng.binomial(game.capacity - left, share))
        self._t += 1
        over = self._t >= game.horizon
        names, seen = list(self.agents), self._seen()
        if over:
            self.agents = []
        return (
            seen,
            {a: float(r) for a, r in zip(names, reward, strict=True)},
            dict.fromkeys(names, False),
            dict.fromkeys(names, over),
            {a: {"stock": self._stock} for a in names},
        )

    def state(self) -> np.ndarray:
        """Stock over capacity, share of the round that is over, and the rates."""
        game = self.game
        head = [self._stock / game.capacity, self._t / game.horizon]
        return np.array([*head, *self.rates], np.float32)

    def _seen(self) -> dict:
        who = np.eye(self.game.n_players, dtype=np.float32)
        common = self.state()
        return {a: np.concatenate([who[i], common]) for i, a in enumerate(self.agents)}
