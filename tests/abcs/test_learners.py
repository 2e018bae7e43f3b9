"""Traversals: against each other, against exact values, and the bounds of a run."""

from __future__ import annotations

import gymnasium
import numpy as np
import pyspiel
import pytest
from open_spiel.python import policy as peer_policy
from open_spiel.python.algorithms.exploitability import exploitability as peer

from econlib.abcs.config import METHODS, OFFICIAL, Config
from econlib.abcs.learners import solve
from econlib.abcs.mdp import from_gymnasium, random_mdp, value_iteration
from econlib.abcs.simulators import (
    cartpole,
    cartpole_bins,
    cartpole_step,
    decision_process,
    game,
    stacked,
)
from econlib.abcs.stationarity import stationary_oracle
from econlib.abcs.tree import from_openspiel, kuhn, weighted_rps

KUHN = from_openspiel("kuhn_poker")


def test_abcs_with_nothing_stationary_is_max_cfr():
    one = solve(game(KUHN), "abcs", 20_000, 3, detector="never")
    two = solve(game(KUHN), "max_cfr", 20_000, 3)
    assert np.array_equal(one.tables.table, two.tables.table)
    assert np.array_equal(one.nodes, two.nodes)
    assert one.followed[-1] == 1


def test_abcs_with_all_stationary_follows_one_action_and_counts_all():
    env = decision_process(random_mdp(6, 4, np.random.default_rng(0)))
    trace = solve(env, "abcs", 5_000, 0, detector="always")
    count = trace.tables.table[:, :, 1]
    assert (count == count[:, :1]).all()  # every action of a visited state
    assert count.sum() == trace.nodes[-1]
    assert trace.followed[-1] == pytest.approx(1 / 4)


@pytest.mark.parametrize("method", ["abcs", "max_cfr", "es", "es_rm"])
def test_first_scores_are_those_of_uniform_play(method):
    trace = solve(game(KUHN), method, 1000, 0)
    assert trace.scores["exploitability"][0] == pytest.approx(11 / 24, abs=1e-12)
    trace = solve(game(weighted_rps()), method, 100, 0)
    assert 2 * trace.scores["exploitability"][0] == pytest.approx(2 / 3, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_budget_points_and_seeds(method):
    one, same, other = (solve(game(KUHN), method, 3000, s) for s in (0, 0, 1))
    assert (np.diff(one.nodes) > 0).all()
    assert 3000 <= one.nodes[-1] < 3000 + 60
    assert len(one.nodes) == 21
    assert np.array_equal(one.policy, same.policy)
    assert not np.array_equal(one.policy, other.policy)
    assert one.config is OFFICIAL


@pytest.mark.parametrize(
    ("method", "most"),
    [("abcs", 0.03), ("max_cfr", 0.03), ("es", 0.03), ("es_rm", 0.03), ("os", 0.04)],
)
def test_methods_reach_equilibrium_of_kuhn_poker(method, most):
    scores = [solve(game(KUHN), method, 200_000, s) for s in range(3)]
    assert np.mean([t.last("exploitability") for t in scores]) < most
    other = peer_policy.TabularPolicy(pyspiel.load_game("kuhn_poker"))
    for key, row in zip(KUHN.keys, scores[0].policy, strict=True):
        other.action_probability_array[other.state_lookup[key]] = row
    theirs = peer(pyspiel.load_game("kuhn_poker"), other)
    assert scores[0].scores["exploitability"][-1] == pytest.approx(theirs, abs=1e-12)


def test_boltzmann_q_learning_does_not_reach_it():
    runs = [solve(game(weighted_rps()), "bql", 200_000, s) for s in range(3)]
    assert min(2 * t.last("exploitability") for t in runs) > 1
    runs = [solve(game(KUHN), "bql", 200_000, s) for s in range(3)]
    assert np.mean([t.last("exploitability") for t in runs]) > 0.08


@pytest.mark.parametrize("seed", range(3))
def test_q_learning_nears_the_values_of_random_processes(seed):
    mdp = random_mdp(10, 4, np.random.default_rng(seed))
    best = value_iteration(mdp).start
    for method, share in (("abcs", 0.95), ("bql", 0.85)):
        trace = solve(decision_process(mdp), method, 100_000, seed)
        assert trace.scores["value"].max() <= best + 1e-9
        assert trace.last("value") >= share * best


def test_running_means_stall_on_frozen_lake_and_constant_steps_do_not():
    # with step 1 / N and γ = .99, the first values, all zero, fade too slowly
    mdp = from_gymnasium("FrozenLake-v1", 0.99, map_name="4x4", is_slippery=True)
    env, best = decision_process(mdp), value_iteration(mdp).start
    for method in ("abcs", "bql"):
        for seed in range(3):
            trace = solve(env, method, 200_000, seed)
            assert trace.tables.table[0, :, 0].max() < 0.5 * best
    for seed in range(3):
        trace = solve(env, "bql", 400_000, seed, Config(bql_step=0.01))
        assert trace.last("value") >= 0.95 * best


def test_oracle_flags_are_what_the_detector_uses():
    oracle = stationary_oracle(KUHN)
    trace = solve(game(KUHN), "abcs", 60_000, 0, detector="oracle", stationary=oracle)
    assert trace.last("exploitability") < 0.05
    share = trace.nonstationary["game"][-1]
    assert 0.3 < share < 0.7


def test_sequential_detector_flags_no_stationary_pair():
    oracle = stationary_oracle(KUHN)
    trace = solve(game(KUHN), "abcs", 200_000, 0, detector="sequential")
    assert not (trace.flags & oracle).any()
    assert trace.flags.sum() >= 6
    mdp = from_gymnasium("FrozenLake-v1", 0.99, map_name="4x4", is_slippery=True)
    trace = solve(decision_process(mdp), "abcs", 200_000, 0, detector="sequential")
    assert not trace.flags.any()


def test_first_flags_are_counted_in_nodes_and_kept():
    trace = solve(game(KUHN), "abcs", 50_000, 1, n_points=10)
    first = trace.first_flag
    assert (first[trace.flags] >= 0).all()  # whoever is flagged once was first
    assert ((first >= 0) | (trace.flagged_after < 0)).all()
    assert 0 < first.max() <= trace.nodes[-1]
    assert (
        solve(game(KUHN), "abcs", 5_000, 1, detector="never").first_flag == -1
    ).all()


def test_cartpole_moves_as_gymnasiums_does():
    world = gymnasium.make("CartPole-v1")
    rng = np.random.default_rng(0)
    stack = np.zeros((1, 1, 7))
    for episode in range(20):
        world.reset(seed=episode)
        stack[0, 0, 2:6] = world.unwrapped.state
        stack[0, 0, 6], over = 0, False
        while not over:
            action = int(rng.integers(2))
            _, _, over, _, _ = world.step(action)
            fell = cartpole_step(stack, 0, 0, action)
            assert stack[0, 0, 2:6] == pytest.approx(world.unwrapped.state, abs=1e-12)
            assert fell == over


def test_cartpole_bins_are_open_at_the_ends():
    stack = np.zeros((1, 1, 7))
    stack[0, 0, 2:6] = [-99, 99, 0.01, -0.01]
    assert cartpole_bins(stack, 0, 0, 10) == 954  # bins 0, 9, 5, 4


def test_cartpole_is_learnt_with_raw_labels_that_never_flag():
    trace = solve(cartpole(), "abcs", 300_000, 0)
    assert trace.scores["regret"][0] > 150
    assert trace.last("regret") < 90
    assert trace.nonstationary["cart"][-1] == 0
    binned = solve(cartpole(labels="binned"), "abcs", 100_000, 0)
    assert binned.nonstationary["cart"][-1] > 0.2


def test_stack_scores_both_parts():
    trace = solve(stacked(kuhn()), "abcs", 100_000, 0)
    assert set(trace.scores) == {"regret", "exploitability"}
    assert trace.last("regret") < 150
    assert trace.last("exploitability") < 0.3
    one = solve(stacked(kuhn()), "max_cfr", 20_000, 0)
    assert one.nodes[-1] >= 20_000


def test_bad_arguments_are_refused_before_any_work():
    env = game(KUHN)
    cases = [
        ({"method": "ppo"}, "method = 'ppo': expected one of abcs"),
        ({"budget": -5}, "budget = -5: expected an integer, 1 or more"),
        ({"budget": 0}, "budget = 0"),
        ({"seed": -1}, "seed = -1"),
        ({"detector": "none"}, "detector = 'none'"),
        ({"detector": "oracle"}, "stationary: shape"),
        ({"stationary": stationary_oracle(KUHN)}, "only for detector = 'oracle'"),
        ({"n_points": 0}, "n_points = 0"),
        ({"correction": "twice"}, "correction = 'twice'"),
    ]
    for change, message in cases:
        args = {"method": "abcs", "budget": 10, "seed": 0} | change
        with pytest.raises(ValueError, match=message):
            solve(env, **args)
    with pytest.raises(ValueError, match="does not end"):
        solve(cartpole(), "es", 10, 0)
    with pytest.raises(ValueError, match=r"'es_rm': .* does not end"):
        solve(cartpole(), "es_rm", 10, 0)
    with pytest.raises(ValueError, match="term_prob = 1"):
        cartpole(term_prob=1.0)
    with pytest.raises(ValueError, match="labels = 'fine'"):
        cartpole(labels="fine")
    with pytest.raises(ValueError, match="alpha = 0"):
        Config(alpha=0.0)
    with pytest.raises(ValueError, match="buffer = 2049"):  # beyond the hash table
        Config(buffer=2049)


def test_without_flags_there_is_nothing_to_correct():
    env = game(KUHN)
    one, two = (
        solve(env, "abcs", 5000, 0, detector="always", correction=c)
        for c in ("first", "none")
    )
    assert np.array_equal(one.tables.table, two.tables.table)
    assert not one.flags.any()
    three, four = (
        solve(env, "abcs", 5000, 0, detector="never", correction=c)
        for c in ("first", "none")
    )
    assert not np.array_equal(three.tables.table, four.tables.table)
    assert three.flags.sum() == 24


def test_corrections_at_every_update_spoil_cartpole():
    env = cartpole(labels="binned")
    once, always = (
        solve(env, "abcs", 100_000, 0, correction=c) for c in ("first", "every")
    )
    assert once.last("regret") + 50 < always.last("regret")
