"""Principal-agent processes: their kernels, their copies, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.contracts.equilibrium import meta_algorithm, spe_backward
from econlib.contracts.examples import (
    cycle_mdp,
    figure1_mdp,
    random_mdp,
    rounded_mdps,
    tree_mdp,
)
from econlib.contracts.mdp import PAMDP, disjoint_union, observe_actions, unroll
from econlib.contracts.trees import tree_arrays


def test_kernel_is_outcome_law_times_transition():
    mdp = random_mdp(np.random.default_rng(0), 4, 3, 2)
    T = mdp.T.toarray().reshape(4, 2, 4)
    by_hand = np.einsum("sao,sot->sat", mdp.F, T)
    np.testing.assert_allclose(mdp.kernel.toarray().reshape(4, 3, 4), by_hand)


def test_successors_and_laws_are_two_ways_to_say_the_same():
    tree = tree_mdp(*tree_arrays(3, 0))
    law = tree.T.toarray().reshape(7, 2, 7)
    other = PAMDP(tree.F, tree.r, tree.rp, law, 1.0, tree.layers)
    assert spe_backward(other).Vp[0] == spe_backward(tree).Vp[0]


def test_unrolled_process_has_the_value_of_the_stationary_one_in_the_limit():
    mdp = random_mdp(np.random.default_rng(3), 2, 2, 3, gamma=0.5)
    long = spe_backward(unroll(mdp, 60, 0.5))
    found, trace = meta_algorithm(mdp)
    assert trace.converged
    np.testing.assert_allclose(long.Vp[:2], found.Vp, atol=1e-9)


def test_union_solves_each_of_its_parts():
    trees = [tree_mdp(*tree_arrays(4, seed)) for seed in range(3)]
    together = spe_backward(disjoint_union(trees)).Vp.reshape(3, -1)
    for one, Vp in zip(trees, together, strict=True):
        np.testing.assert_array_equal(Vp, spe_backward(one).Vp)


def test_observing_the_action_keeps_rewards_and_transitions():
    mdp = random_mdp(np.random.default_rng(1), 3, 2, 4, gamma=1.0, horizon=3)
    seen = observe_actions(mdp)
    np.testing.assert_allclose(seen.expected_rp, mdp.expected_rp)
    np.testing.assert_allclose(seen.kernel.toarray(), mdp.kernel.toarray())


def test_rounded_processes_have_two_different_actions_on_the_grid():
    mdp = rounded_mdps(np.random.default_rng(0), 500)
    high = mdp.F[:, :, 1]
    assert (np.abs(high[:, 0] - high[:, 1]) > 0.05).all()
    np.testing.assert_allclose(10 * high, np.round(10 * high), atol=1e-12)
    assert high.min() > 0.05 and high.max() < 0.95
    # all ordered pairs of different probabilities are about equally likely
    pairs = np.unique(np.round(10 * high).astype(int), axis=0, return_counts=True)
    assert len(pairs[0]) == 72


def fields():
    mdp = figure1_mdp()
    successor = np.array([[1, 2], [-1, -1], [-1, -1]])
    return {
        "F": mdp.F,
        "r": mdp.r,
        "rp": mdp.rp,
        "T": successor,
        "gamma": 1.0,
        "layers": mdp.layers,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"F": np.full((3, 2, 2), 0.45)}, r"F\[0, 0\] sums to 0.9"),
        ({"F": np.tile([[1.5, -0.5]], (3, 2, 1))}, "F: expected probabilities"),
        ({"T": np.full((3, 2, 3), 0.2)}, r"T\[0, 0\] sums to 0.6"),
        ({"T": np.array([[1, 3], [-1, -1], [-1, -1]])}, "states 0 to 2, or -1"),
        ({"T": np.array([[1, 0], [-1, -1], [-1, -1]])}, "expected a later layer"),
        ({"T": np.zeros((2, 2))}, r"T: shape \(2, 2\)"),
        ({"r": np.full((3, 2), np.inf)}, "r: expected finite"),
        ({"gamma": 1.5}, "gamma = 1.5"),
        ({"layers": None}, "gamma = 1: expected below 1"),
        ({"layers": np.array([0, -1, 1])}, "layers: expected 0 or more"),
        ({"start": 3}, "start = 3"),
    ],
)
def test_bad_fields_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        PAMDP(**(fields() | change))


def test_all_faults_come_in_one_message():
    bad = {"F": np.full((3, 2, 2), 0.45), "gamma": -1.0, "r": np.full((3, 2), np.nan)}
    with pytest.raises(ValueError, match=r"r: expected.*F\[0, 0\] sums.*gamma = -1"):
        PAMDP(**(fields() | bad))


def test_sizes_too_large_for_memory_are_refused_before_any_work():
    with pytest.raises(ValueError, match="expected at most 1048576"):
        unroll(cycle_mdp(), 2**20)
    with pytest.raises(ValueError, match="depth of 1 to 20"):
        tree_mdp(np.zeros(2**21 - 1), np.zeros(2**21 - 1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tree_mdp(np.zeros(4), np.zeros(4)), "2\\*\\*depth - 1"),
        (lambda: tree_mdp(np.zeros(3), np.zeros(3), 1.2), "p = 1.2"),
        (lambda: random_mdp(np.random.default_rng(0), 0), "n_states = 0"),
        (lambda: rounded_mdps(np.random.default_rng(0), 0), "n = 0"),
        (lambda: unroll(cycle_mdp(), 0), "horizon = 0"),
        (lambda: disjoint_union([]), "at least one"),
        (lambda: disjoint_union([cycle_mdp(), figure1_mdp()]), r"mdps\[1\]"),
    ],
)
def test_bad_sizes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
