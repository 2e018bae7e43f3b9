"""Long runs: the records are whole, and their cheapest slices come out again."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from econlib.abcs.beyond import (
    BUDGETS,
    SIDES,
    detectors,
    dice,
    ended,
    liars_dice,
    load,
    oracle_of,
)
from econlib.abcs.beyond import environment as made
from econlib.abcs.cfr import run_cfr
from econlib.abcs.config import DETECTORS, OFFICIAL
from econlib.abcs.learners import solve
from econlib.abcs.sequence_form import sequence_form
from econlib.abcs.simulators import cartpole, decision_process, game, stacked
from econlib.abcs.stationarity import stationary_oracle
from econlib.abcs.tree import kuhn


def test_oracle_of_a_stack_is_the_games_with_all_of_cartpole():
    tree = kuhn()
    table = oracle_of(stacked(tree, n_bins=3))
    assert table.shape == (3**4 + 12, 2)
    assert table[: 3**4].all()
    assert np.array_equal(table[3**4 :], stationary_oracle(tree))
    assert np.array_equal(oracle_of(game(tree)), stationary_oracle(tree))
    assert oracle_of(cartpole(n_bins=2)).all()


def test_oracle_of_a_decision_process_calls_all_pairs_stationary():
    from econlib.abcs.mdp import random_mdp

    env = decision_process(random_mdp(4, 3, np.random.default_rng(0)))
    assert oracle_of(env).all()


@pytest.mark.parametrize("name", BUDGETS)
def test_environments_have_the_oracles_shape(name):
    env = made(name)
    assert oracle_of(env).shape == (len(env.n_actions), env.n_actions.max())


def test_a_small_ablation_has_every_detector():
    kept = detectors({"dice": 400}, seeds=(3,))
    assert [r["detector"] for r in kept["runs"]] == [
        "oracle", "always", "never", "chi2", "sequential",
    ]  # fmt: skip
    assert kept["config"] == asdict(OFFICIAL)
    never = next(r for r in kept["runs"] if r["detector"] == "never")
    assert never["followed"][-1] == 1


def test_the_smallest_die_is_solved_and_learnt():
    kept = dice((3,), (0,), budget=2000, n_iterations=64)["games"][0]
    assert (kept["n_nodes"], kept["n_infosets"]) == (1147, 192)
    assert kept["exact_lower"] == kept["exact_upper"] == "1/9"
    assert kept["uniform"] == pytest.approx(5 / 9, abs=1e-12)
    assert {r["method"] for r in kept["runs"]} == {"abcs", "max_cfr", "es"}
    assert max(SIDES) == 6


def test_recorded_detectors_are_whole_and_the_cheapest_slice_comes_out_again():
    kept = load("detectors")
    assert kept["config"] == asdict(OFFICIAL)
    assert kept["budgets"] == BUDGETS
    assert kept["machine"] and kept["commit"] and kept["versions"]["numba"]
    found = {(r["environment"], r["detector"], r["seed"]) for r in kept["runs"]}
    assert found == {(n, d, s) for n in BUDGETS for d in DETECTORS for s in (0, 1, 2)}
    old = next(
        r
        for r in kept["runs"]
        if (r["environment"], r["detector"], r["seed"]) == ("Kuhn", "oracle", 2)
    )
    env = made("Kuhn")
    trace = solve(
        env, "abcs", BUDGETS["Kuhn"], 2, detector="oracle", stationary=oracle_of(env)
    )
    assert trace.nodes.tolist() == old["nodes"]
    assert trace.scores["exploitability"] == pytest.approx(
        np.array(old["scores"]["exploitability"]), rel=1e-4
    )


def test_recorded_dice_are_whole_and_the_smallest_comes_out_again():
    kept = load("dice")
    assert [g["sides"] for g in kept["games"]] == list(SIDES)
    assert [g["n_nodes"] for g in kept["games"]] == [1147, 8181, 51181, 294883]
    for g in kept["games"]:
        assert 0 <= g["exact_gap"] < 1e-9
        assert len(g["runs"]) == 9
    old = kept["games"][0]["full_width"]
    form = sequence_form(liars_dice(3))
    for row in old:
        new = run_cfr(form, kept["n_iterations"], row["variant"])
        assert new.exploitability == pytest.approx(
            np.array(row["exploitability"]), rel=1e-4, abs=1e-12
        )


def test_mean_of_last_scores_by_hand():
    runs = [
        {"method": "es", "scores": {"regret": [9.0, 1.0, 3.0]}},
        {"method": "es", "scores": {"regret": [9.0, 4.0, 4.0]}},
        {"method": "os", "scores": {"regret": [0.0, 0.0, 0.0]}},
    ]
    assert ended(runs, "regret", 2, method="es") == 3.0
    with pytest.raises(ValueError, match="no recorded run"):
        ended(runs, method="bql")


def test_bad_names_and_sizes_are_refused():
    with pytest.raises(ValueError, match="sides = 7"):
        liars_dice(7)
    with pytest.raises(ValueError, match="name = 'chess'"):
        made("chess")
