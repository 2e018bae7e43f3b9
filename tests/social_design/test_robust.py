"""Minimax regret: hand cases, both sides of the program, invariants, errors."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.social_design.robust import minimax_regret


def test_a_lottery_halves_what_two_worlds_disagree_on():
    choice = minimax_regret(np.eye(2) * 4)
    assert choice.pure_value == 4
    assert choice.value == pytest.approx(2, abs=1e-9)
    assert choice.lottery == pytest.approx([0.5, 0.5], abs=1e-9)
    assert choice.adversary == pytest.approx([0.5, 0.5], abs=1e-9)


def test_one_world_has_no_regret():
    choice = minimax_regret(np.array([[1.0, 3.0, 2.0]]))
    assert (choice.pure, choice.pure_value) == (1, 0)
    assert choice.value == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_both_sides_agree_and_a_lottery_does_no_worse(seed):
    welfare = np.random.default_rng(seed).normal(size=(6, 15))
    choice = minimax_regret(welfare)
    assert abs(choice.gap) < 1e-8
    assert choice.value <= choice.pure_value + 1e-9
    assert (choice.regret @ choice.lottery).max() == pytest.approx(choice.value)
    brute = (welfare.max(axis=1, keepdims=True) - welfare).max(axis=0)
    assert brute[choice.pure] == pytest.approx(brute.min())


@pytest.mark.parametrize("seed", range(3))
def test_regret_ignores_what_all_schedules_share(seed):
    rng = np.random.default_rng(seed)
    welfare = rng.normal(size=(4, 9))
    moved = welfare + rng.normal(size=(4, 1))
    a, b = minimax_regret(welfare), minimax_regret(moved)
    assert a.value == pytest.approx(b.value, abs=1e-9)
    assert a.pure == b.pure


@pytest.mark.parametrize("bad", [np.ones((0, 3)), np.ones(3), np.array([[np.nan, 1]])])
def test_bad_welfare_is_refused(bad):
    with pytest.raises((ValueError, Exception), match="welfare"):
        minimax_regret(bad)
