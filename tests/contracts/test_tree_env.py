"""The tree as an environment: the library's checks, and exact values by play."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from econlib.contracts.tree_env import TreeEnv, TreeVectorEnv
from econlib.contracts.trees import solve, tree_batch

TREE = tree_batch(4, [5])
PLAN = solve(TREE)


@pytest.mark.parametrize("choose", ["recommend", "contract"])
def test_the_library_accepts_it(choose):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*symmetric and normalized.*")
        env = TreeEnv(TREE, choose)
        check_env(env, skip_render_check=True)
    assert env.observation_space.n == 16


@pytest.mark.parametrize("choose", ["recommend", "contract"])
def test_plays_of_the_exact_policy_average_the_exact_values(choose):
    n = 20_000
    many = TreeVectorEnv(n, TREE, choose)
    node, _ = many.reset(seed=0)
    principal, agent = np.zeros(n), np.zeros(n)
    for step in range(4):
        chosen = PLAN.act[0, node] if choose == "recommend" else PLAN.b[0, node]
        node, reward, over, cut, info = many.step(chosen)
        principal += reward
        agent += info["agent_reward"]
        assert over.all() == (step == 3) and not cut.any()
        if choose == "contract":
            assert info["action"].min() in (0, 1)
    for total, value in ((principal, PLAN.vp[0, 0]), (agent, PLAN.va[0, 0])):
        assert abs(total.mean() - value) < 4 * total.std() / np.sqrt(n)


def test_one_game_is_a_row_of_many():
    one, many = TreeEnv(TREE), TreeVectorEnv(1, TREE)
    node, _ = one.reset(seed=7)
    nodes, _ = many.reset(seed=7)
    for _ in range(4):
        assert node == nodes[0]
        node, reward, over, _, info = one.step(1)
        nodes, rewards, overs, _, infos = many.step(np.array([1]))
        assert (reward, over) == (rewards[0], overs[0])
        assert info["payment"] == infos["payment"][0]


def test_games_that_are_over_start_again():
    many = TreeVectorEnv(5, tree_batch(1, [0]))
    many.reset(seed=0)
    node, _, over, _, _ = many.step(np.ones(5, int))
    assert over.all() and (node == 1).all()
    node, reward, over, _, _ = many.step(np.ones(5, int))
    assert not over.any() and (node == 0).all() and (reward == 0).all()


def test_an_unpaid_agent_takes_the_free_action_and_a_large_payment_moves_it():
    env = TreeEnv(TREE, "contract")
    env.reset(seed=0)
    assert env.step(np.zeros(2))[4]["action"] == int(PLAN.qbar[0, 0].argmax())
    env.reset(seed=0)
    assert env.step(np.array([0.0, 5.0]))[4]["action"] == 1
    env.reset(seed=0)
    assert env.step(np.array([5.0, 0.0]))[4]["action"] == 0


def test_bad_arguments_are_refused():
    for call, message in (
        (lambda: TreeEnv(tree_batch(2, [0, 1])), "n_trees = 2"),
        (lambda: TreeEnv(TREE, "pay"), "choose = 'pay'"),
        (lambda: TreeEnv(TREE, xi=-1.0), "xi = -1"),
        (lambda: TreeVectorEnv(0, TREE), "num_envs = 0"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
