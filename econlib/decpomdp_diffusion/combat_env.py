"""The battle as a PettingZoo environment in which all living allies act at once."""

from __future__ import annotations

import functools

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from econlib.decpomdp_diffusion.combat import (
    PER_UNIT,
    Battle,
    Battles,
    advance,
    fight,
    observe,
)

__all__ = ["CombatEnv"]


class CombatEnv(ParallelEnv):
    """Allies that fight enemies who keep to the policy of the rules.

    An ally stays (0), walks east, north, west or south (1 to 4), or strikes an enemy (5
    and on).  The shared reward is the health that enemies lose less what allies do.

    Parameters
    ----------
    rules : Battle, optional
        Three against three if left out; ``n_steps`` is the length of an episode.
    variant : str
        How allies see: sight or partition.

    Examples
    --------
    >>> seen, _ = CombatEnv().reset(seed=0)
    >>> len(seen), seen["ally_0"].shape
    (3, (30,))
    """

    metadata = {"name": "combat_v0", "render_modes": []}  # noqa: RUF012

    def __init__(self, rules: Battle | None = None, variant: str = "sight") -> None:
        self.rules = Battle() if rules is None else rules
        self.variant, self.render_mode = variant, None
        self.possible_agents = [f"ally_{i}" for i in range(self.rules.n_allies)]
        self.agents: list[str] = []
        self._rng = np.random.default_rng()
        self._now = fight(self.rules, 1, np.random.default_rng(0))
        observe(self.rules, self._now, variant)  # refuses an unknown variant

    @functools.cache  # noqa: B019
    def observation_space(self, agent: str) -> spaces.Box:
        """Of every unit a mark and its state, zeros where unseen."""
        size = (PER_UNIT + 1) * self.rules.n_units
        return spaces.Box(-1.0, 1.0, (size,), np.float32)

    @functools.cache  # noqa: B019
    def action_space(self, agent: str) -> spaces.Discrete:
        """Stay, four ways to walk, an enemy to strike."""
        return spaces.Discrete(5 + self.rules.n_enemies)

    def reset(
        self, seed: int | None = None, options: dict | None = None
    ) -> tuple[dict, dict]:
        """Start a battle; a seed makes it repeatable."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        begun = fight(self.rules, 1, self._rng)
        self._now = Battles(begun.health[:, :1], begun.place[:, :1], begun.kind)
        self._t, self.agents = 0, list(self.possible_agents)
        return self._seen(self.agents), {name: {} for name in self.agents}

    def step(self, actions: dict) -> tuple[dict, dict, dict, dict, dict]:
        """Obey, and let the enemies act."""
        now, m = self._now, self.rules.n_allies
        orders = [[int(actions.get(name, 0)) for name in self.possible_agents]]
        health, place = advance(
            self.rules,
            now.health[:, 0],
            now.place[:, 0],
            now.kind,
            self._rng,
            np.array(orders),
        )
        lost = now.health[0, 0] - health[0]
        self._now = Battles(health[:, None], place[:, None], now.kind)
        self._t += 1
        names, alive = list(self.agents), health[0] > 0
        over = not (alive[:m].any() and alive[m:].any())
        dead = {name: over or not alive[int(name[5:])] for name in names}
        late = self._t >= self.rules.n_steps
        self.agents = [name for name in names if not (dead[name] or late)]
        return (
            self._seen(names),
            dict.fromkeys(names, float(lost[m:].sum() - lost[:m].sum())),
            dead,
            dict.fromkeys(names, late),
            {name: {} for name in names},
        )

    def state(self) -> np.ndarray:
        """State vector of the battle."""
        return self._now.states(self.rules)[0, 0].astype(np.float32)

    def _seen(self, names: list[str]) -> dict:
        rows = observe(self.rules, self._now, self.variant)[:, 0, 0]
        return {name: rows[int(name[5:])].astype(np.float32) for name in names}
