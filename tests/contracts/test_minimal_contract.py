"""Cheapest contracts: closed form, lockstep simplex, HiGHS and cvxpy agree."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.contracts.covering import covering_lps
from econlib.contracts.minimal import (
    certificate_residual,
    min_contract,
    min_contract_lp,
)

FIGURE1 = np.array([[0.9, 0.1], [0.1, 0.9]])


def problems(seed, n, n_actions, n_outcomes, concentration=1.0):
    rng = np.random.default_rng(seed)
    F = rng.dirichlet(np.full(n_outcomes, concentration), (n, n_actions))
    qbar = -rng.uniform(0, 1, (n, n_actions))
    return qbar, F, rng.integers(0, n_actions, n)


def test_binary_closed_form_is_the_papers_formula():
    gap, p = 0.8, 0.9
    qbar = np.array([[0.0, -gap], [-gap, 0.0]])
    F = np.tile([[p, 1 - p], [1 - p, p]], (2, 1, 1))
    found = min_contract(qbar, F, np.array([1, 0]))
    factor = p / (2 * p - 1)
    np.testing.assert_allclose(found.pay, factor * gap, atol=1e-12)
    np.testing.assert_allclose(found.b, [[0, 1.0], [1.0, 0]], atol=1e-12)


def test_an_action_that_is_best_anyway_is_free():
    found = min_contract(np.array([[0.3, 0.1]]), FIGURE1[None], np.array([0]))
    assert found.pay[0] == 0 and (found.b == 0).all() and found.feasible[0]


@pytest.mark.parametrize("n_outcomes", [2, 3, 5])
def test_closed_form_equals_both_programs_on_a_thousand_problems(n_outcomes):
    qbar, F, a_p = problems(0, 1000, 2, n_outcomes)
    closed = min_contract(qbar, F, a_p, 0.01, method="closed")
    for method in ("simplex", "highs"):
        other = min_contract(qbar, F, a_p, 0.01, method=method)
        assert (other.feasible == closed.feasible).all()
        np.testing.assert_allclose(other.pay, closed.pay, atol=1e-9)
    assert certificate_residual(qbar, F, a_p, closed, 0.01).max() < 1e-11


@pytest.mark.parametrize("shape", [(3, 2), (5, 2), (5, 3), (4, 6), (6, 4), (5, 5)])
def test_lockstep_simplex_equals_highs_and_its_duals_certify_it(shape):
    qbar, F, a_p = problems(1, 300, *shape, concentration=0.5)
    F[:40, 1] = F[:40, 0]  # the same law: often not implementable
    own = min_contract(qbar, F, a_p, 0.02, method="simplex")
    other = min_contract(qbar, F, a_p, 0.02, method="highs")
    assert (own.feasible == other.feasible).all()
    some = own.feasible
    assert not some.all() or shape == (5, 5)
    np.testing.assert_allclose(own.pay[some], other.pay[some], atol=1e-8)
    assert certificate_residual(qbar, F, a_p, own, 0.02).max() < 1e-9
    assert (own.b[some] >= 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_batch_equals_one_problem_written_in_cvxpy(seed):
    qbar, F, a_p = problems(seed, 6, 4, 3)
    own = min_contract(qbar, F, a_p, 0.05)
    for i in range(6):
        b, pay = min_contract_lp(qbar[i], F[i], int(a_p[i]), 0.05)
        assert pay == pytest.approx(own.pay[i], abs=1e-7)
        assert np.isnan(b).all() == (not own.feasible[i])


def test_actions_with_one_law_cost_infinitely_much_never_zero():
    qbar = np.array([[0.5, 0.0], [0.5, 0.0], [0.0, 0.0]])
    F = np.full((3, 2, 2), 0.5)
    found = min_contract(qbar, F, np.array([1, 0, 1]), np.array([0, 0, 1e-3]))
    assert found.feasible.tolist() == [False, True, False]
    assert np.isposinf(found.pay[[0, 2]]).all()
    assert np.isnan(found.b[0]).all()
    assert certificate_residual(qbar, F, np.array([1, 0, 1]), found, 1e-3)[0] == 0


def test_an_action_inside_the_hull_of_others_is_not_implementable():
    F = np.array([[[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]])
    found = min_contract(np.array([[0.0, 0.0, -0.1]]), F, np.array([2]))
    assert not found.feasible[0]
    assert certificate_residual(
        np.array([[0.0, 0.0, -0.1]]), F, np.array([2]), found
    ) == pytest.approx(0, abs=1e-12)


def test_a_margin_of_rounding_size_between_laws_is_no_leverage():
    F = np.array([[[0.1 + 0.2, 0.7], [0.3, 0.7]]])  # equal up to the last bit
    assert not min_contract(np.array([[0.5, 0.0]]), F, np.array([1])).feasible[0]


def test_observed_actions_pay_the_difference_to_the_best():
    qbar = np.array([[0.4, -0.2, 0.1]] * 3)
    F = np.tile(np.eye(3), (3, 1, 1))
    found = min_contract(qbar, F, np.arange(3))
    np.testing.assert_allclose(found.pay, [0, 0.6, 0.3], atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_cost_grows_with_the_margin_and_scales_with_the_stakes(seed):
    qbar, F, a_p = problems(seed, 50, 3, 4)
    low, high = min_contract(qbar, F, a_p, 0.01), min_contract(qbar, F, a_p, 0.1)
    assert (high.pay >= low.pay - 1e-12).all()
    double = min_contract(2 * qbar, F, a_p, 0.02)
    np.testing.assert_allclose(double.pay, 2 * low.pay, rtol=1e-9)
    moved = min_contract(qbar + 3, F, a_p, 0.01)
    np.testing.assert_allclose(moved.pay, low.pay, rtol=1e-9)


def test_a_floor_adds_itself_to_every_payment():
    qbar, F, a_p = problems(2, 20, 3, 3)
    plain, floored = min_contract(qbar, F, a_p), min_contract(qbar, F, a_p, floor=0.3)
    np.testing.assert_allclose(floored.b, plain.b + 0.3)
    np.testing.assert_allclose(floored.pay, plain.pay + 0.3)
    assert certificate_residual(qbar, F, a_p, floored, floor=0.3).max() < 1e-9


def test_one_action_needs_no_pay():
    found = min_contract(np.zeros((2, 1)), np.ones((2, 1, 1)), np.zeros(2, int))
    assert (found.pay == 0).all()


def test_degenerate_programs_end():
    rng = np.random.default_rng(0)
    G = rng.integers(-1, 2, (200, 6, 6)).astype(float)
    need = rng.integers(0, 3, (200, 6)).astype(float)
    cost = rng.integers(0, 2, (200, 6)).astype(float)  # many zeros
    b, _, feasible = covering_lps(cost, G, need, method="simplex")
    other, _, same = covering_lps(cost, G, need, method="highs")
    assert (feasible == same).all()
    np.testing.assert_allclose(
        (cost * b).sum(axis=1)[feasible], (cost * other).sum(axis=1)[same], atol=1e-7
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"F": np.array([[[0.9, 0.2], [0.1, 0.9]]])}, r"F\[0, 0\] sums to 1.1"),
        ({"F": np.array([[[1.1, -0.1], [0.1, 0.9]]])}, "probabilities, 0 or more"),
        ({"xi": -0.1}, "xi = -0.1: expected a finite margin, 0 or more"),
        ({"floor": -0.1}, "floor = -0.1: expected 0 or more"),
        ({"a_p": np.array([2])}, "a_p: expected integers, 0 to 1"),
        ({"qbar": np.array([[np.nan, 0.0]])}, "qbar: expected finite"),
        ({"method": "guess"}, "method = 'guess'"),
    ],
)
def test_bad_arguments_are_named(change, message):
    good = {"qbar": np.zeros((1, 2)), "F": FIGURE1[None], "a_p": np.array([0])}
    with pytest.raises(ValueError, match=message):
        min_contract(**(good | change))


def test_closed_form_is_refused_with_three_actions():
    with pytest.raises(ValueError, match="3 actions: expected two"):
        min_contract(
            np.zeros((1, 3)), np.full((1, 3, 2), 0.5), np.array([0]), method="closed"
        )
