"""The sensor network as an environment."""

from __future__ import annotations

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test, parallel_seed_test

from econlib.decpomdp_diffusion.sensor_env import SensorEnv, scan_reward
from econlib.decpomdp_diffusion.sensors import sensor_network


@pytest.mark.parametrize("network", [None, sensor_network((3, 3), 3, [0, 4, 8])])
def test_the_parallel_interface(network):
    env = SensorEnv(network)
    parallel_api_test(env, num_cycles=60)
    assert (env.state() > 0).sum() == env.network.n_targets
    parallel_seed_test(lambda: SensorEnv(network), num_cycles=20)


def test_rewards_are_counted_by_hand():
    net = sensor_network((2, 2), 1)
    state = -np.ones(5)
    middle = int(np.flatnonzero((net.cells == 1).all(axis=1))[0])
    state[middle] = 1.0
    towards = np.array([np.flatnonzero(own == middle)[0] for own in net.seen])
    none = np.full(4, 8)
    for k, known in enumerate((0.0, -1.0, 3.0 - 2, 4.5 - 3, 6.0 - 4)):
        scans = np.where(np.arange(4) < k, towards, none)
        assert scan_reward(net, state, scans) == known
    empty = np.array([np.flatnonzero(own < 0)[0] for own in net.seen])
    assert scan_reward(net, state, empty) == -4.0


def test_agents_see_what_the_state_shows():
    env = SensorEnv(horizon=5)
    env.reset(seed=3)
    for _ in range(5):
        state = env.state()
        for name, own in zip(env.possible_agents, env.network.seen, strict=True):
            shown = np.where(own >= 0, state[own] > 0, -1)
            assert (env._seen()[name] == shown).all()
        env.step(dict.fromkeys(env.agents, 8))
    assert not env.agents


def test_a_bad_horizon_is_refused():
    with pytest.raises(ValueError, match="horizon = 0: expected an integer"):
        SensorEnv(horizon=0)
