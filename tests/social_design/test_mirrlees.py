"""Optimal nonlinear taxes: closed forms, known values, bounds and an unbounded goal."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.social_design import welfare
from econlib.social_design.mirrlees import (
    UnboundedError,
    mirrlees,
    same_bundle,
    two_types,
    worst_off_incomes,
)
from econlib.social_design.one_step import OneStep, rate_grid

SKILLS = [1, 1.5, 2, 3, 5]


@pytest.mark.parametrize("e, least", [(0.25, 2.335907), (0.5, 2.468875), (1, 3.366586)])
def test_best_tax_for_the_worst_off(e, least):
    found = mirrlees(SKILLS, e)
    assert found.value == pytest.approx(least, abs=5e-6)
    z, value = worst_off_incomes(SKILLS, e)
    assert found.value == pytest.approx(value, abs=1e-6)
    assert found.incomes == pytest.approx(z, rel=1e-3)  # flat around the optimum
    assert found.marginal_rates[-1] == pytest.approx(0, abs=1e-3)
    assert (found.marginal_rates[:-1] > 0).all()
    assert found.utilities.min() == pytest.approx(found.value, abs=1e-6)


def test_incomes_and_rates_at_an_elasticity_of_one_half():
    found = mirrlees(SKILLS, 0.5)
    z = (0.51199, 1.11098, 1.82293, 3.89031, 11.18034)
    assert found.incomes == pytest.approx(z, abs=1e-4)
    rates = (0.73786, 0.63429, 0.58462, 0.43946, 0)
    assert found.marginal_rates == pytest.approx(rates, abs=1e-4)


@pytest.mark.parametrize(
    "skills, share, e, z, value, rate",
    [
        ((1, 2), 0.5, 1, 4 / 7, 8 / 7, 3 / 7),
        ((1, 3), 0.3, 0.5, 0.841347, 1.431859, 0.292135),
    ],
)
def test_two_types(skills, share, e, z, value, rate):
    known = pytest.approx((z, value, rate), abs=1e-6)
    assert two_types(skills, share, e) == known
    found = mirrlees(skills, e, mass=(1 - share, share))
    assert found.value == pytest.approx(value, abs=1e-6)
    assert found.marginal_rates[0] == pytest.approx(rate, abs=1e-4)
    assert worst_off_incomes(skills, e, (1 - share, share))[1] == pytest.approx(value)


@pytest.mark.parametrize("e, value", [(0.25, 2.831409), (0.5, 3.445896), (1, 5.395548)])
def test_best_equality_times_productivity_with_a_right_to_do_nothing(e, value):
    found = mirrlees(SKILLS, e, "eq_prod")
    assert found.value == pytest.approx(value, abs=1e-5)
    assert found.value == pytest.approx(welfare.eq_prod(found.consumption), abs=1e-6)
    assert found.utilities[0] == pytest.approx(0, abs=1e-5)
    assert (np.diff(found.consumption) >= -1e-9).all()


def test_less_weight_on_equality_is_a_frontier():
    found = [mirrlees(SKILLS, 0.5, "eq_prod", lam=lam) for lam in (0, 0.5, 1)]
    equality = [welfare.equality(f.consumption) for f in found]
    productivity = [f.consumption.sum() for f in found]
    assert equality == sorted(equality)
    assert productivity == sorted(productivity, reverse=True)
    half = welfare.eq_prod(found[1].consumption, lam=0.5)
    assert found[1].value == pytest.approx(half, abs=1e-6)


def test_the_poorest_is_subsidised_to_work_for_equality_times_productivity():
    found = mirrlees(SKILLS, 0.5, "eq_prod")
    z = (2.1206, 2.2514, 2.5544, 4.477, 11.1805)
    rates = (-3.4971, -0.5019, 0.1844, 0.2577, 0)
    assert found.incomes == pytest.approx(z, abs=5e-4)
    assert found.marginal_rates == pytest.approx(rates, abs=1e-3)
    u = (0, 2.237, 2.8886, 3.3773, 4.2458)
    assert found.utilities == pytest.approx(u, abs=1e-4)


def test_equality_times_productivity_is_unbounded_without_that_right():
    with pytest.raises(UnboundedError, match=r"c = z = s .* value of s for every s"):
        mirrlees(SKILLS, 0.5, "eq_prod", participation=False)
    sizes = np.array([1.0, 10.0, 100.0])
    everyone = np.repeat(sizes[:, None], 5, axis=1)
    assert welfare.eq_prod(everyone) == pytest.approx(sizes)
    u = same_bundle(SKILLS, 0.5, sizes)
    assert u[0, 0] == pytest.approx(1 - 1 / 3) and (np.diff(u[:, 0]) < 0).all()


def test_weights_on_the_rich_are_unbounded_unless_the_poor_may_do_nothing():
    # both earn the more the better for the rich: u2 has π1 (w1^-k - w2^-k) > π2 w2^-k
    with pytest.raises(UnboundedError, match="worse off without limit"):
        mirrlees([1, 3], 0.5, [0, 1])
    found = mirrlees([1, 3], 0.5, [0, 1], participation=True)
    assert found.utilities[0] == pytest.approx(0, abs=1e-5)
    # with few poor, who are almost as skilled, that inequality fails
    assert mirrlees([1, 1.05], 0.5, [0, 1], mass=[0.1, 0.9]).value > 0


@pytest.mark.parametrize("e", [0.3, 0.5, 1.2])
def test_no_schedule_does_better_than_the_bound(e):
    economy = OneStep(SKILLS, e)
    grid = rate_grid(0.1, 3)
    for objective in ("min", "eq_prod"):
        bound = mirrlees(SKILLS, e, objective).value
        for cutoffs in ([0, 1, 3], [0, 2, 4]):
            assert economy.best_brackets(grid, cutoffs, objective)[1] < bound + 1e-6
    weights = np.array([3, 2, 1, 0.5, 0.2])
    bound = mirrlees(SKILLS, e, weights).value
    values = economy.brackets(grid, [0, 1, 3]).utilities @ (weights / weights.sum())
    assert values.max() < bound + 1e-6


def test_equal_weights_ask_for_no_tax_and_a_bundle_is_nobodys_envy():
    rng = np.random.default_rng(0)
    flat = mirrlees(SKILLS, 0.5, np.ones(5))
    assert flat.marginal_rates == pytest.approx(np.zeros(5), abs=1e-3)
    assert flat.value == pytest.approx(2.938938, abs=1e-5)
    for _ in range(5):
        w = np.sort(rng.uniform(0.5, 5, 8))
        mass, weights = rng.random(8) + 0.1, np.sort(rng.random(8))[::-1]
        for objective in ("min", weights):
            found = mirrlees(w, rng.uniform(0.3, 1.5), objective, mass)
            assert found.incentive_residual < 1e-6
            assert found.budget_residual < 1e-6


def test_types_that_share_a_bundle_leave_the_closed_form():
    skills, mass = [1, 1.05, 3], [0.05, 0.01, 0.94]
    with pytest.raises(ValueError, match="incomes would fall with skill"):
        worst_off_incomes(skills, 0.5, mass)
    found = mirrlees(skills, 0.5, mass=mass)
    assert found.incomes[0] == pytest.approx(found.incomes[1], rel=2e-3)


def test_many_types_agree_with_the_closed_form():
    w = np.linspace(1, 5, 60)
    assert mirrlees(w, 0.5).value == pytest.approx(
        worst_off_incomes(w, 0.5)[1], abs=1e-5
    )


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: mirrlees([2, 1], 0.5), "expected increasing types"),
        (lambda: mirrlees([1, 2], 0), r"elasticity = 0: .*\(0, 10\]"),
        (lambda: mirrlees([1, 2], 0.5, "fair"), "objective = 'fair'"),
        (lambda: mirrlees([1, 2], 0.5, [1, -1]), "expected 2 weights of 0 or more"),
        (lambda: mirrlees([1, 2], 0.5, [1, 1, 1]), "expected 2 weights"),
        (lambda: mirrlees([1, 2], 0.5, mass=[1]), r"mass = \[1\]: expected 2 numbers"),
        (lambda: mirrlees([1, 2], 0.5, "eq_prod", mass=[1, 2]), "of the same mass"),
        (lambda: mirrlees([-1, 2], 0.5), "skills"),
        (lambda: mirrlees([1, 2], 0.5, "eq_prod", lam=2), "lam = 2"),
        (lambda: two_types([1, 2], 1.0, 0.5), "share_high = 1.0"),
        (lambda: worst_off_incomes([1, 2], 20), "elasticity = 20"),
        (lambda: same_bundle([1, 2], 0.5, -1), "size = -1"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
