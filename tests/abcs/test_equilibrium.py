"""Games as arrays: sizes, values, exploitability, against known numbers and a peer."""

from __future__ import annotations

import numpy as np
import pyspiel
import pytest
from open_spiel.python import policy as peer_policy
from open_spiel.python.algorithms.exploitability import exploitability as peer

from econlib.abcs.equilibrium import solve_zero_sum
from econlib.abcs.sequence_form import exploitability, nash_conv, sequence_form
from econlib.abcs.tree import from_openspiel, kuhn, matrix_game, weighted_rps

DICE = "liars_dice(numdice=1,dice_sides={})"
#: Nodes, infostates, value to player 1, exploitability of uniform play.
KNOWN = {
    "kuhn_poker": (58, 12, -1 / 18, 0.4583333333),
    "leduc_poker": (9457, 936, -0.0856064241, 2.3736111111),
    DICE.format(3): (1147, 192, 1 / 9, 0.5555555556),
    DICE.format(4): (8181, 1024, 1 / 16, 0.6550595238),
}


@pytest.fixture(scope="module", params=KNOWN)
def game(request):
    return request.param, sequence_form(from_openspiel(request.param))


def test_sizes_value_and_uniform_play(game):
    name, form = game
    n_nodes, n_infosets, value, uniform = KNOWN[name]
    tree = form.tree
    assert (tree.n_nodes, tree.n_infosets) == (n_nodes, n_infosets)
    assert exploitability(form, tree.uniform()) == pytest.approx(uniform, abs=1e-9)
    solved = solve_zero_sum(form)
    assert solved.value == pytest.approx(value, abs=1e-9)
    assert solved.gap < 1e-9
    assert solved.exploitability < 1e-8
    assert exploitability(form, solved.policy) < 1e-8


@pytest.mark.parametrize("seed", range(3))
def test_exploitability_of_random_policies_is_the_peers(seed):
    game = pyspiel.load_game("kuhn_poker")
    form = sequence_form(from_openspiel("kuhn_poker"))
    policy = form.tree.random_policy(np.random.default_rng(seed))
    other = peer_policy.TabularPolicy(game)
    for key, row in zip(form.tree.keys, policy, strict=True):
        state = key[-1] if isinstance(key, tuple) else key
        other.action_probability_array[other.state_lookup[state]] = row
    assert exploitability(form, policy) == pytest.approx(peer(game, other), abs=1e-12)


@pytest.mark.parametrize("weight", [0.5, 2.0, 7.0])
def test_weighted_rock_paper_scissors(weight):
    form = sequence_form(weighted_rps(weight))
    solved = solve_zero_sum(form)
    nash = np.array([weight, 1, 1]) / (weight + 2)
    assert solved.value == pytest.approx(0, abs=1e-9)
    assert solved.policy == pytest.approx(np.tile(nash, (2, 1)), abs=1e-7)
    if weight == 2:
        assert nash_conv(form, form.tree.uniform()) == pytest.approx(2 / 3)


def test_a_random_matrix_game_has_its_minimax_value():
    U = np.random.default_rng(0).normal(size=(5, 4))
    solved = solve_zero_sum(sequence_form(matrix_game(U)))
    x, y = solved.policy[0, :5], solved.policy[1, :4]
    assert (x @ U).min() == pytest.approx(solved.value, abs=1e-9)
    assert (U @ y).max() == pytest.approx(solved.value, abs=1e-9)


def test_two_routes_to_kuhn_poker():
    ours = solve_zero_sum(sequence_form(kuhn(3)))
    theirs = solve_zero_sum(sequence_form(from_openspiel("kuhn_poker")))
    assert ours.value == pytest.approx(theirs.value, abs=1e-9)


@pytest.mark.parametrize("name", ["kuhn_poker(players=3)", "matrix_rps", "goofspiel"])
def test_games_that_do_not_fit(name):
    with pytest.raises(ValueError, match=r"player|simultaneous|turn"):
        from_openspiel(name)
