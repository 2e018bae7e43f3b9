"""PPO and SAC on the vectorised auction."""

import numpy as np
import pytest

from econlib.sequential_auctions.policy_gradient import AuctionVecEnv, learn
from econlib.sequential_auctions.settings import Setting


def test_all_auctions_step_together_and_begin_again():
    env = AuctionVecEnv(Setting("A", 3), 2, 64)
    seen = env.reset()
    assert seen.shape == (64, 4) and (seen[:, 3] == 0).all()
    total = np.zeros(64)
    for t in range(2):
        env.step_async(np.full((64, 8), 0.5, np.float32))
        seen, paid, done, infos = env.step_wait()
        total += paid
        assert done.all() == (t == 1)
    assert (seen[:, :3] == 1).all() and (seen[:, 3] == 0).all()
    assert infos[0]["terminal_observation"][3] == 2
    assert 0 < total.mean() < 3
    assert env.env_is_wrapped(object) == [False] * 64
    env.close()


def test_payments_are_prices_in_units_of_the_largest_value():
    env = AuctionVecEnv(Setting("B", 2), 1, 16)
    env.reset()
    env.step_async(np.zeros((16, 4), np.float32))
    assert (env.step_wait()[1] == 0).all()
    fees = AuctionVecEnv(Setting("A", 4), 1, 16, menu="entry_fee")
    assert fees.scale.tolist() == [1.0] * 5
    assert fees.action_space.high.tolist() == [1.0] * 4 + [4.0]


@pytest.mark.parametrize("method", ["ppo", "sac"])
def test_learners_train_and_keep_their_history(method):
    found = learn(
        Setting("A", 2),
        2,
        method=method,
        seconds=60,
        n_iterations=3,
        n_envs=32,
        n_test=2000,
        lr=1e-3,
    )
    assert found.steps[0] == 0 < found.steps[-1]
    assert found.n_episodes == 96
    assert 0 < found.revenue < 4 / 3
    assert np.isfinite(found.curve).all()


def test_ppo_learns_a_small_auction():
    found = learn(
        Setting("C", 2), 1, seconds=60, n_iterations=25, n_envs=256, lr=3e-3, seed=1
    )
    assert found.revenue > 0.95 * 2 / (3 * np.sqrt(3))


def test_entry_fees_are_learned_without_a_table():
    found = learn(
        Setting("A", 16),
        2,
        menu="entry_fee",
        seconds=60,
        n_iterations=1,
        n_envs=16,
        n_test=64,
    )
    assert found.revenue > 0


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="method = 'dqn'"):
        learn(Setting("A", 2), 2, method="dqn")
    with pytest.raises(ValueError, match="seconds = 0"):
        learn(Setting("A", 2), 2, seconds=0)
