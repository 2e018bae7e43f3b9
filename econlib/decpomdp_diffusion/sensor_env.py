"""The sensor network as a PettingZoo environment in which all sensors act at once."""

from __future__ import annotations

import functools

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from econlib.decpomdp_diffusion.sensors import YIELDS, SensorNetwork, sensor_network

__all__ = ["SensorEnv", "scan_reward"]


def scan_reward(network: SensorNetwork, state: np.ndarray, scans: np.ndarray) -> float:
    """Team reward of a joint scan.

    Parameters
    ----------
    network : SensorNetwork
        Whose agents scan.
    state : ndarray, shape (d,)
        Occupancy, entries +1 and -1.
    scans : ndarray of int, shape (n_agents,)
        Neighbour 0 to 7 of each agent, 8 for none.
    """
    busy = scans < 8
    cell = network.seen[np.flatnonzero(busy), scans[busy]]
    hits = np.bincount(cell[cell >= 0], minlength=len(state))[state > 0]
    return float(np.array(YIELDS)[hits].sum() - busy.sum())


class SensorEnv(ParallelEnv):
    """Sensors that scan their neighbours for a shared reward.

    A sensor sees its eight neighbours (1 target, 0 empty, -1 off the map), row by row,
    and chooses one to scan, or 8 for none.

    Parameters
    ----------
    network : SensorNetwork, optional
        Two rows of three sensors and two targets if left out.
    horizon : int
        Steps of an episode, 1 or more.

    Examples
    --------
    >>> env = SensorEnv()
    >>> seen, _ = env.reset(seed=0)
    >>> len(seen), seen["sensor_0"].shape
    (6, (8,))
    """

    metadata = {"name": "sensor_network_v0", "render_modes": []}  # noqa: RUF012

    def __init__(self, network: SensorNetwork | None = None, horizon: int = 10) -> None:
        if not isinstance(horizon, int) or horizon < 1:
            raise ValueError(f"horizon = {horizon!r}: expected an integer, 1 or more")
        self.network = sensor_network() if network is None else network
        self.horizon = horizon
        self.possible_agents = [f"sensor_{i}" for i in self.network.active]
        self.agents: list[str] = []
        self.render_mode = None
        self._rng = np.random.default_rng()
        self._path, self._t = np.zeros(1, np.int64), 0

    @functools.cache  # noqa: B019
    def observation_space(self, agent: str) -> spaces.Box:
        """Eight neighbours."""
        return spaces.Box(-1.0, 1.0, (8,), np.float32)

    @functools.cache  # noqa: B019
    def action_space(self, agent: str) -> spaces.Discrete:
        """A neighbour, or none."""
        return spaces.Discrete(9)

    def reset(
        self, seed: int | None = None, options: dict | None = None
    ) -> tuple[dict, dict]:
        """Start an episode; a seed makes it repeatable."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        hidden, obs = self.network.simulate(1, self.horizon + 1, self._rng)
        self._path, self._obs, self._t = hidden[0], obs, 0
        self.agents = list(self.possible_agents)
        return self._seen(), {name: {} for name in self.agents}

    def step(self, actions: dict) -> tuple[dict, dict, dict, dict, dict]:
        """Scan, collect, and let the targets move."""
        scans = np.array([int(actions[name]) for name in self.possible_agents])
        reward = scan_reward(self.network, self.state(), scans)
        self._t += 1
        names, over = list(self.agents), self._t >= self.horizon
        seen = self._seen()
        if over:
            self.agents = []
        return (
            seen,
            dict.fromkeys(names, reward),
            dict.fromkeys(names, False),
            dict.fromkeys(names, over),
            {name: {} for name in names},
        )

    def state(self) -> np.ndarray:
        """Occupancy of the free cells."""
        net = self.network
        return net.states[net.lump[self._path[self._t]]]

    def _seen(self) -> dict:
        net = self.network
        return {
            name: net.windows[i][self._obs[0, self._t, i]].astype(np.float32)
            for i, name in enumerate(self.possible_agents)
        }
