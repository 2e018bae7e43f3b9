"""The battle as an environment."""

from __future__ import annotations

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test, parallel_seed_test

from econlib.decpomdp_diffusion.combat import Battle, advance
from econlib.decpomdp_diffusion.combat_env import CombatEnv


@pytest.mark.parametrize(
    ("rules", "variant"),
    [(None, "sight"), (None, "partition"), (Battle(2, 5, 16.0, 0.0, 9), "sight")],
)
def test_the_parallel_interface(rules, variant):
    env = CombatEnv(rules, variant)
    parallel_api_test(env, num_cycles=60)
    assert env.state().shape == (env.rules.d,)
    parallel_seed_test(lambda: CombatEnv(rules, variant), num_cycles=20)


def one_step(orders, place, kind=(0, 0), health=(1.0, 1.0), seed=0):
    """An ally and an enemy after one step without noise, 200 battles alike."""
    rules = Battle(1, 1, noise=0.0)
    many = [np.tile(np.array(v), (200,) + (1,) * np.ndim(v)) for v in (health, place)]
    given = np.tile(np.array([orders]), (200, 1))
    rng = np.random.default_rng(seed)
    return advance(rules, *many, np.tile(np.array(kind), (200, 1)), rng, given)


def test_orders_are_obeyed():
    far = [[4.0, 4.0], [30.0, 30.0]]
    for order, to in enumerate(([4, 4], [5.5, 4], [4, 5.5], [2.5, 4], [4, 2.5])):
        assert one_step(order, far)[1][:, 0] == pytest.approx(np.tile(to, (200, 1)))
    health, place = one_step(5, far)  # out of reach: it stays and nobody is hurt
    assert (health == 1).all() and (place[:, 0] == 4).all()
    near = [[4.0, 4.0], [9.0, 4.0]]
    health, place = one_step(5, near)
    assert (place[:, 0] == 4).all() and set(health[:, 1]) == {1.0, 0.88}
    assert abs((health[:, 1] < 1).mean() - 0.8) < 4 * np.sqrt(0.16 / 200)
    health, _ = one_step(0, near)  # the enemy strikes still
    assert (health[:, 1] == 1).all() and (health[:, 0] < 1).any()
    health, place = one_step(5, near, health=(0.0, 1.0))  # the dead do nothing
    assert (health[:, 1] == 1).all() and (place[:, 0] == 4).all()


def test_rewards_count_health_and_the_dead_leave():
    env, rng = CombatEnv(Battle(2, 2, 12.0, 0.0, 60)), np.random.default_rng(1)
    for seed in range(5):
        env.reset(seed=seed)
        start, total = env._now.health[0, 0], 0.0
        while env.agents:
            was = set(env.agents)
            _, reward, dead, late, _ = env.step(
                {a: int(rng.integers(5, 7)) for a in env.agents}
            )
            total += reward[next(iter(was))]
            for name in was:
                unit = env._now.health[0, 0, int(name[5:])]
                assert unit > 0 or dead[name]
                assert (name in env.agents) == (not dead[name] and not late[name])
        lost = start - env._now.health[0, 0]
        assert total == pytest.approx(lost[2:].sum() - lost[:2].sum())


def test_an_unknown_way_of_seeing_is_refused():
    with pytest.raises(ValueError, match="variant = 'fog'"):
        CombatEnv(variant="fog")
