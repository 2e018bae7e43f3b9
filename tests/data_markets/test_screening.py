"""The program for finitely many types: closed forms, a second program, an audit."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest

from econlib.data_markets.beliefs import beta_mixture, cells, uniform
from econlib.data_markets.binary_menus import two_types
from econlib.data_markets.experiments import experiment_value
from econlib.data_markets.screening import (
    deviation_gain,
    grid_types,
    items,
    screening,
    structure,
)

MIXTURE = beta_mixture((0.5, 0.5), ((8, 30), (60, 30)))


def _binary(x):
    return np.stack([x, 1 - x], 1)


def _all_rows(θ, f, v):
    """The whole program at once, with a variable for each answer's value."""
    n, m = θ.shape
    π, p = [cp.Variable((m, m), nonneg=True) for _ in range(n)], cp.Variable(n)
    rules = [cp.sum(x, axis=1) == 1 for x in π]
    for t in range(n):
        told = v[t] * (θ[t] @ cp.diag(π[t])) - p[t]
        rules.append(told >= v[t] * θ[t].max())
        for r in range(n):
            y = cp.Variable(m)
            rules += [y >= v[t] * cp.multiply(θ[t][k], π[r][k]) for k in range(m)]
            rules.append(told >= cp.sum(y) - p[r])
    problem = cp.Problem(cp.Maximize(f @ p), rules)
    return problem.solve(solver=cp.CLARABEL)


def test_two_types_have_their_closed_form():
    rng = np.random.default_rng(0)
    for _ in range(40):
        a, b = rng.uniform(0.02, 0.98, 2)
        precise, vague = (a, b) if abs(a - 0.5) > abs(b - 0.5) else (b, a)
        γ = float(rng.uniform(0.05, 0.95))
        menu = screening(_binary(np.array([precise, vague])), [1 - γ, γ])
        assert menu.revenue == pytest.approx(two_types(precise, vague, γ)[3], abs=1e-9)


@pytest.mark.parametrize(("n_types", "m"), [(7, 2), (5, 3)])
def test_added_rows_reach_the_whole_program(n_types, m):
    rng = np.random.default_rng(n_types)
    θ, f = rng.dirichlet(np.ones(m), n_types), rng.dirichlet(np.ones(n_types))
    v = rng.uniform(0.5, 2, n_types)
    menu = screening(θ, f, v)
    assert menu.revenue == pytest.approx(_all_rows(θ, f, v), abs=1e-5)
    assert menu.bound == pytest.approx(menu.revenue, abs=1e-7)
    assert menu.largest_gain < 1e-7


@pytest.mark.parametrize(
    ("law", "n", "revenue"), [(uniform(), 20, 0.1375), (MIXTURE, 40, 0.176557)]
)
def test_grids_of_the_known_laws(law, n, revenue):
    θ, f = cells(law, n)
    menu = screening(_binary(θ), f)
    assert menu.revenue == pytest.approx(revenue, abs=1e-6)
    n_items, has_full, gap = structure(menu)
    assert n_items <= 2 and has_full and gap < 1e-6


def test_types_with_stakes_on_a_grid():
    θ, f = cells(uniform(), 20)
    types, v, w = grid_types(θ, f, (np.arange(10) + 0.5) / 10, np.full(10, 0.1))
    menu = screening(types, w, v)
    assert menu.revenue == pytest.approx(0.054752, abs=1e-6)
    assert sum(item.mass for item in items(menu)) < 1


def test_audit_sees_a_broken_menu():
    θ, f = cells(MIXTURE, 12)
    menu = screening(_binary(θ), f)
    assert deviation_gain(menu.experiments, menu.prices, _binary(θ)) < 1e-9
    cheaper = menu.prices.copy()
    cheaper[np.argmax(cheaper)] -= 0.05
    assert deviation_gain(menu.experiments, cheaper, _binary(θ)) > 0.01


def test_units_do_not_matter_and_duals_price_participation():
    θ, f = cells(uniform(), 15)
    one = screening(_binary(θ), f)
    ten = screening(_binary(θ), f, np.full(15, 10.0))
    assert ten.revenue == pytest.approx(10 * one.revenue)
    # with the outside option of every type better by ε, revenue falls by the duals' sum
    assert -one.participation.sum() == pytest.approx(1.0, abs=1e-6)


def test_other_payoffs_and_more_actions():
    θ, f = cells(uniform(), 80)
    menu = screening(_binary(θ), f, payoffs=[2.0, 1.0])
    assert menu.revenue == pytest.approx(1 / 6, abs=0.01)
    safe = np.array([[1.0, 0.0, 0.8], [0.0, 1.0, 0.8]])  # a third, safe action
    θ, f = cells(uniform(), 12)
    menu = screening(_binary(θ), f, payoffs=safe)
    assert menu.largest_gain < 1e-7
    assert 0 < menu.revenue < screening(_binary(θ), f).revenue
    told = experiment_value(menu.experiments, _binary(θ), None, safe)
    assert (np.diagonal(told) - menu.prices >= (_binary(θ) @ safe).max(1) - 1e-9).all()


@pytest.mark.parametrize(
    ("beliefs", "weights", "options", "said"),
    [
        ([[0.4, 0.5]], [1.0], {}, "sums to 0.9"),
        ([[0.5, 0.5]], [0.9], {}, "weights: sum 0.9"),
        ([[0.5, 0.5]], [0.5, 0.5], {}, "weights: shape"),
        ([[0.5, 0.5]], [1.0], {"stakes": [-1.0]}, r"stakes\[0\] = -1"),
        ([[0.5, 0.5]], [1.0], {"payoffs": [1.0, 0.0]}, r"payoffs\[1\] = 0"),
        ([[0.5, 0.5]] * 8, [0.125] * 8, {"max_variables": 20}, "Try 6 types or fewer"),
    ],
)
def test_bad_input_is_refused_before_solving(beliefs, weights, options, said):
    with pytest.raises(ValueError, match=said):
        screening(beliefs, weights, **options)
