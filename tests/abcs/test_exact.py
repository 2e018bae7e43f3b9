"""Brackets in exact arithmetic: known values, Nash families, any policy at all."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from econlib.abcs.equilibrium import kuhn_equilibrium, solve_zero_sum
from econlib.abcs.exact import bracket, exact_bounds
from econlib.abcs.sequence_form import best_response_value, sequence_form
from econlib.abcs.tree import from_openspiel, kuhn, matrix_game, weighted_rps

KUHN = sequence_form(kuhn())


@pytest.mark.parametrize(
    ("tree", "value"),
    [
        (kuhn(), Fraction(-1, 18)),
        (from_openspiel("kuhn_poker"), Fraction(-1, 18)),
        (kuhn(13), Fraction(-5, 78)),
        (from_openspiel("liars_dice(numdice=1,dice_sides=3)"), Fraction(1, 9)),
        (from_openspiel("liars_dice(numdice=1,dice_sides=4)"), Fraction(1, 16)),
        (weighted_rps(7.0), Fraction(0)),
    ],
)
def test_programs_policies_prove_the_value(tree, value):
    form = sequence_form(tree)
    found = exact_bounds(form, solve_zero_sum(form).policy)
    assert (found.lower, found.upper) == (value, value)
    assert found.gap == 0
    assert found.largest_change < 1e-9


@pytest.mark.parametrize("α", [Fraction(0), Fraction(1, 7), Fraction(1, 3)])
def test_kuhns_family_is_exactly_in_equilibrium(α):
    found = exact_bounds(KUHN, kuhn_equilibrium(KUHN, float(α)))
    assert found.lower == found.upper == Fraction(-1, 18)


@pytest.mark.parametrize("seed", range(4))
def test_any_policy_brackets_the_value_as_floating_best_responses_do(seed):
    tree = kuhn(4)
    form = sequence_form(tree)
    policy = tree.random_policy(np.random.default_rng(seed))
    found = exact_bounds(form, policy, 10**8)
    high, low = (best_response_value(form, policy, i) for i in (0, 1))
    assert float(found.upper) == pytest.approx(high, abs=1e-7)
    assert float(found.lower) == pytest.approx(-low, abs=1e-7)
    assert found.lower < solve_zero_sum(form).value < found.upper


def test_a_coarse_denominator_widens_the_bracket_and_stays_true():
    form = sequence_form(matrix_game(np.array([[2.0, -1.0], [-1.0, 1.0]])))
    policy = solve_zero_sum(form).policy  # 2/5, 3/5
    assert exact_bounds(form, policy, 5).gap == 0
    coarse = exact_bounds(form, policy, 2)
    assert coarse.lower < Fraction(1, 5) < coarse.upper
    assert coarse.largest_change == pytest.approx(0.1)


def test_a_bracket_takes_the_better_end_of_each_denominator():
    tree = kuhn(4)
    form = sequence_form(tree)
    policy = tree.random_policy(np.random.default_rng(5))
    each = [exact_bounds(form, policy, d) for d in (3, 1000)]
    both = bracket(form, policy, (3, 1000))
    assert both.lower == max(b.lower for b in each)
    assert both.upper == min(b.upper for b in each)
    assert both.gap > 0


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="max_denominator = 0"):
        exact_bounds(KUHN, KUHN.tree.uniform(), 0)
    with pytest.raises(ValueError, match="policy: shape"):
        exact_bounds(KUHN, np.full((2, 2), 0.5))
