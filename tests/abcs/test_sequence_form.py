"""Sequence form: constraints, best responses by enumeration, and Kuhn's equilibria."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from econlib.abcs.equilibrium import kuhn_equilibrium
from econlib.abcs.sequence_form import (
    behaviour,
    best_response,
    best_response_value,
    depths,
    expected_value,
    exploitability,
    nash_conv,
    plan,
    sequence_form,
)
from econlib.abcs.tree import build, from_openspiel, kuhn, matrix_game

KUHN = sequence_form(kuhn())


@pytest.mark.parametrize("α", [0.0, 0.2, 1 / 3])
def test_kuhns_family_is_in_equilibrium(α):
    policy = kuhn_equilibrium(KUHN, α)
    assert exploitability(KUHN, policy) < 1e-15
    assert expected_value(KUHN, policy) == pytest.approx(-1 / 18, abs=1e-15)


def test_kuhns_family_ends_at_a_third():
    with pytest.raises(ValueError, match=r"α = 0\.4"):
        kuhn_equilibrium(KUHN, 0.4)
    with pytest.raises(ValueError, match="three cards"):
        kuhn_equilibrium(sequence_form(kuhn(4)), 0.1)


@pytest.mark.parametrize("player", [0, 1])
def test_best_response_is_the_best_of_all_pure_policies(player):
    policy = KUHN.tree.random_policy(np.random.default_rng(3))
    mine = KUHN.infosets[player]
    best = -np.inf
    for choice in itertools.product((0, 1), repeat=len(mine)):
        pure = policy.copy()
        pure[mine] = np.eye(2)[list(choice)]
        value = expected_value(KUHN, pure)
        best = max(best, value if player == 0 else -value)
    assert best_response_value(KUHN, policy, player) == pytest.approx(best, abs=1e-14)


@pytest.mark.parametrize("seed", range(4))
def test_plans_and_policies_are_two_views_of_one_thing(seed):
    form = sequence_form(kuhn(4))
    policy = form.tree.random_policy(np.random.default_rng(seed))
    plans = plan(form, policy, 0), plan(form, policy, 1)
    for i in (0, 1):
        E, e = form.constraints(i)
        assert E @ plans[i] == pytest.approx(e, abs=1e-14)
    assert behaviour(form, plans) == pytest.approx(policy, abs=1e-12)
    assert nash_conv(form, policy) >= 0
    gains = form.payoffs @ plans[1]
    value, actions = best_response(form, gains, 0)
    pure = policy.copy()
    pure[form.infosets[0]] = np.eye(2)[actions]
    assert expected_value(form, pure) == pytest.approx(value, abs=1e-13)


def test_uniform_reach_of_all_ends_is_one():
    tree = from_openspiel("leduc_poker")
    reach = np.ones(tree.n_nodes)
    uniform = tree.uniform()
    for low, high in depths(tree):
        h = np.arange(low, high)
        up = tree.parent[h]
        played = np.where(tree.kind[up] == 0, 1.0, uniform[tree.infoset[up], 0])
        reach[h] = reach[up] * tree.chance[h] * played
    assert reach[tree.kind == 2].sum() == pytest.approx(1, abs=1e-12)


def test_policies_of_another_shape_or_mass_are_refused():
    with pytest.raises(ValueError, match=r"shape \(3, 2\), expected \(12, 2\)"):
        exploitability(KUHN, np.full((3, 2), 0.5))
    with pytest.raises(ValueError, match=r"policy\[0\]"):
        exploitability(KUHN, np.full((12, 2), 0.4))
    with pytest.raises(ValueError, match="player = 2"):
        best_response_value(KUHN, KUHN.tree.uniform(), 2)


def test_imperfect_recall_is_an_error_that_names_the_infostate():
    def describe(moves):  # player 1 forgets its first move
        if len(moves) == 2:
            return "terminal", None, None, float(moves[0] == moves[1])
        return "decision", 0, f"step {len(moves)}", [(*moves, 0), (*moves, 1)]

    with pytest.raises(ValueError, match=r"imperfect recall.*'step 1'"):
        build((), describe)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bridge_uncontested_bidding", "chance is sampled inside the game"),
        ("dark_hex_ir(board_size=2)", "imperfect recall: player 2"),
        ("leduc_poker(players=3)", "3 players: expected two"),
        ("goofspiel", "moves are simultaneous"),
        ("stones_and_gems", "1 players: expected two"),
    ],
)
def test_openspiel_games_that_are_not_for_us_say_why(name, message):
    with pytest.raises(ValueError, match=message):
        from_openspiel(name, max_nodes=20_000)


def test_games_that_cannot_be_built():
    with pytest.raises(ValueError, match="expected two players"):
        build(0, lambda s: ("decision", 2, "x", [1, 2]))
    with pytest.raises(ValueError, match="more than 20 nodes"):
        from_openspiel("leduc_poker", max_nodes=20)
    with pytest.raises(ValueError, match="no game of that name"):
        from_openspiel("pokerr")
    with pytest.raises(ValueError, match="1 players: expected two"):
        from_openspiel("catch")
    with pytest.raises(ValueError, match="chance node 0: probabilities"):
        build(0, lambda s: ("chance", None, None, [(0.5, 1), (0.4, 2)]))
    with pytest.raises(ValueError, match="finite matrix"):
        matrix_game(np.array([[np.nan]]))
    with pytest.raises(ValueError, match="n_cards = 1"):
        kuhn(1)
