"""The Coin Game as a PettingZoo environment in which both players move at once."""

from __future__ import annotations

import functools

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from econlib.contracts.coin_game import CoinGame, CoinRules

__all__ = ["CoinEnv"]


class CoinEnv(ParallelEnv):
    """One board of the Coin Game.

    A player sees four channels of cells, *me, the other, my coin, the other's coin*,
    and chooses right, left, down or up.  No payments are made: add them outside.

    Parameters
    ----------
    rules : CoinRules, optional
        The book's default if left out.

    Examples
    --------
    >>> env = CoinEnv()
    >>> seen, _ = env.reset(seed=0)
    >>> seen["red"].shape
    (4, 3, 3)
    >>> seen, rewards, *_ = env.step({"red": 0, "blue": 2})
    >>> sorted(rewards)
    ['blue', 'red']
    """

    metadata = {"name": "coin_game_v0", "render_modes": []}  # noqa: RUF012

    def __init__(self, rules: CoinRules | None = None) -> None:
        self.rules = CoinRules() if rules is None else rules
        self.possible_agents = ["red", "blue"]
        self.agents: list[str] = []
        self.render_mode = None
        self.game = CoinGame(1, self.rules)

    @functools.cache  # noqa: B019
    def observation_space(self, agent: str) -> spaces.Box:
        """Four channels of zeros and ones."""
        n = self.rules.size
        return spaces.Box(0.0, 1.0, (4, n, n), np.float32)

    @functools.cache  # noqa: B019
    def action_space(self, agent: str) -> spaces.Discrete:
        """Index of a move."""
        return spaces.Discrete(4)

    def reset(
        self, seed: int | None = None, options: dict | None = None
    ) -> tuple[dict, dict]:
        """Start an episode; a seed makes it repeatable."""
        self.game.reset(seed)
        self.agents = list(self.possible_agents)
        return self._seen(), {name: {} for name in self.agents}

    def step(self, actions: dict) -> tuple[dict, dict, dict, dict, dict]:
        """Move both players."""
        acts = np.array([[int(actions[name]) for name in self.possible_agents]])
        rewards, picked = self.game.step(acts)
        names, over = list(self.agents), self.game.t >= self.rules.horizon
        seen = self._seen()
        if over:
            self.agents = []
        return (
            seen,
            {name: float(rewards[0, i]) for i, name in enumerate(names)},
            dict.fromkeys(names, False),
            dict.fromkeys(names, over),
            {name: {"picked": bool(picked[0])} for name in names},
        )

    def state(self) -> np.ndarray:
        """The board as Red sees it."""
        return self.game.channels(0)[0]

    def _seen(self) -> dict:
        return {
            name: self.game.channels(i)[0]
            for i, name in enumerate(self.possible_agents)
        }
