"""Programs against scipy, duality, and rows that arrive late."""

from __future__ import annotations

import inspect
import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError
from scipy import optimize

from econlib.programs import Program, SolverError, solve


def _random_program(seed: int, n_vars: int = 6, n_rows: int = 5):
    rng = np.random.default_rng(seed)
    rows = rng.uniform(-1, 2, (n_rows, n_vars))
    inside = rng.uniform(0.2, 0.8, n_vars)
    return rng.normal(size=n_vars), rows, rows @ inside + rng.uniform(0, 1, n_rows)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), maximise=st.booleans())
def test_value_duals_and_bound_agree_with_scipy(seed, maximise):
    cost, rows, right = _random_program(seed)
    found = solve(cost, rows, row_upper=right, upper=1.0, maximise=maximise)
    sign = -1 if maximise else 1
    peer = optimize.linprog(sign * cost, rows, right, bounds=(0, 1))
    assert found.objective == pytest.approx(sign * peer.fun, abs=1e-8)
    assert found.bound == pytest.approx(found.objective, abs=1e-8)  # strong duality
    assert found.gap < 1e-8
    assert found.primal_residual < 1e-8
    assert found.dual_residual < 1e-8


def test_dual_is_the_change_of_the_optimum_for_a_unit_of_the_row():
    cost, rows, right = _random_program(3)
    found = solve(cost, rows, row_upper=right, upper=1.0, maximise=True)
    for k in range(len(right)):
        step = 1e-6 * (np.arange(len(right)) == k)
        more = solve(cost, rows, row_upper=right + step, upper=1.0, maximise=True)
        rise = (more.objective - found.objective) / 1e-6
        assert rise == pytest.approx(found.duals[k], abs=1e-3)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_safe_bound_holds_for_any_duals(seed):
    cost, rows, right = _random_program(seed)
    program = Program(cost, 0.0, 1.0, maximise=True)
    program.add_rows(rows, upper=right)
    found = program.solve()
    noise = np.random.default_rng(seed).normal(size=len(right))
    box = np.zeros(len(cost)), np.ones(len(cost))
    for duals in (found.duals, found.duals + 0.1 * noise, noise):
        assert program.safe_bound(duals, *box) >= found.objective - 1e-8
    assert program.safe_bound(found.duals, *box) == pytest.approx(
        found.objective, abs=1e-7
    )


def test_late_rows_give_the_same_optimum_as_early_ones():
    cost, rows, right = _random_program(11, 8, 40)
    early = solve(cost, rows, row_upper=right, upper=1.0, maximise=True)
    program = Program(cost, 0.0, 1.0, maximise=True)
    program.add_rows(rows[:1], upper=right[:1])

    def violated(x):
        worst = np.argmax(rows @ x - right)
        if rows[worst] @ x <= right[worst] + 1e-9:
            return None
        return sp.csr_matrix(rows[[worst]]), np.full(1, -np.inf), right[[worst]]

    late = program.solve(violated)
    assert late.objective == pytest.approx(early.objective, abs=1e-8)
    assert 1 < late.n_rounds <= late.n_rows < len(right)


def test_rows_that_stay_violated_are_an_error_and_not_a_result():
    program = Program(np.ones(1), 0.0, 1.0)
    row = sp.csr_matrix(np.ones((1, 1)))
    program.add_rows(row, upper=1.0)
    with pytest.raises(SolverError, match="still violated after 3 rounds"):
        program.solve(lambda x: (row, np.zeros(1), np.ones(1)), max_rounds=3)


def test_knapsack_agrees_with_enumeration():
    rng = np.random.default_rng(0)
    value, weight = rng.uniform(1, 5, 10), rng.uniform(1, 5, 10)
    found = solve(
        value,
        weight[None],
        row_upper=12.0,
        upper=1.0,
        maximise=True,
        integer=np.ones(10, bool),
    )
    best = max(
        value @ x
        for x in map(np.array, itertools.product((0, 1), repeat=10))
        if weight @ x <= 12
    )
    assert found.objective == pytest.approx(best, abs=1e-9)
    assert found.bound == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize(
    ("cost", "right", "status"), [(1.0, -1.0, "Infeasible"), (-1.0, np.inf, "nbounded")]
)
def test_programs_without_an_optimum_name_the_status(cost, right, status):
    with pytest.raises(SolverError, match=status):
        solve(np.array([cost]), np.ones((1, 1)), row_upper=right)


def test_bad_numbers_are_refused_before_the_solver():
    with pytest.raises(ValueError, match="cost: expected finite"):
        Program(np.array([np.nan]))
    with pytest.raises(ValueError, match=r"lower\[1\] exceeds upper\[1\]"):
        Program(np.ones(2), np.array([0.0, 2.0]), 1.0)
    with pytest.raises(ValueError, match="2 columns: expected 1"):
        Program(np.ones(1)).add_rows(np.ones((1, 2)))
    with pytest.raises(ValueError, match="no NaN"):
        Program(np.ones(1)).add_rows(np.ones((1, 1)), lower=np.nan)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_equalities_and_free_variables_agree_with_scipy(seed):
    rng = np.random.default_rng(seed)
    equal, below, inside = rng.normal(size=(2, 5)), rng.normal(size=(4, 5)), np.ones(5)
    low = np.array([-np.inf, 0.0, -np.inf, -3.0, 0.5])
    high = np.array([3.0, np.inf, np.inf, 3.0, 2.0])
    # |x| <= 6 as rows keeps the program bounded
    rows = np.vstack([below, np.eye(5), -np.eye(5)])
    right = np.concatenate([below @ inside + rng.uniform(0, 1, 4), np.full(10, 6.0)])
    cost, level = rng.normal(size=5), equal @ inside
    program = Program(cost, low, high)
    program.add_rows(equal, level, level)
    program.add_rows(sp.csr_matrix(rows), upper=right)
    found = program.solve()
    bounds = list(zip(low, high, strict=True))
    peer = optimize.linprog(cost, rows, right, equal, level, bounds)
    assert found.objective == pytest.approx(peer.fun, abs=1e-7)
    assert found.bound == pytest.approx(found.objective, abs=1e-7)
    assert found.primal_residual < 1e-8
    assert found.dual_residual < 1e-8
    assert found.duals[:2] == pytest.approx(peer.eqlin.marginals, abs=1e-6)


def test_reduced_cost_is_the_change_of_the_optimum_for_a_unit_of_the_bound():
    cost, rows, right = _random_program(5)
    found = solve(cost, rows, row_upper=right, upper=1.0, maximise=True)
    for j in range(len(cost)):
        room = 1.0 + 1e-6 * (np.arange(len(cost)) == j)
        more = solve(cost, rows, row_upper=right, upper=room, maximise=True)
        rise = (more.objective - found.objective) / 1e-6
        at_upper = found.x[j] > 1 - 1e-9
        expected = found.reduced_costs[j] if at_upper else 0.0
        assert rise == pytest.approx(expected, abs=1e-3)


def test_program_without_rows_sits_at_its_bounds():
    found = Program(np.array([1.0, -2.0]), -1.0, np.array([4.0, 3.0])).solve()
    assert found.x.tolist() == [-1.0, 3.0]
    assert found.objective == found.bound == -7.0
    assert len(found.duals) == 0


def test_whole_numbers_differ_from_the_relaxation():
    # 2x + 2y <= 3: the relaxation gives 1.5, whole numbers 1
    rows, both = np.full((1, 2), 2.0), np.ones(2, bool)
    relaxed = solve(np.ones(2), rows, row_upper=3.0, maximise=True)
    whole = solve(np.ones(2), rows, row_upper=3.0, maximise=True, integer=both)
    assert relaxed.objective == pytest.approx(1.5)
    assert whole.objective == pytest.approx(1.0)
    assert whole.primal_residual < 1e-9
    assert len(whole.duals) == 0


def test_search_out_of_time_names_the_status():
    rng = np.random.default_rng(0)
    with pytest.raises(SolverError, match="ime limit"):
        solve(
            rng.uniform(1, 2, 60),
            rng.uniform(1, 2, (30, 60)),
            row_upper=20.0,
            maximise=True,
            integer=np.ones(60, bool),
            time_limit=0.0,
        )


def test_cost_must_be_one_row_of_numbers():
    with pytest.raises((ValueError, TypeCheckError)):
        Program(np.ones((2, 2)))
    plain = inspect.unwrap(Program.__init__)  # without the check of types
    with pytest.raises(ValueError, match=r"cost: shape \(2, 2\), expected \(n_vars,\)"):
        plain(object.__new__(Program), np.ones((2, 2)))
