"""Private beliefs: small exact programs, limits, audits, the sorted network."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from econlib.data_markets.private_beliefs import (
    deviations,
    extrapolated,
    solve_beliefs,
    uniform_beliefs,
)
from econlib.data_markets.sorted_beliefs import (
    SortedBeliefs,
    audit_beliefs,
    train_sorted,
)

TABLE = {  # externality: values on 10, 20 and 40 beliefs
    0.0: (0.3, 0.275, 0.2625),
    0.5: (0.624, 0.615, 0.609609),
    1.0: (1.114473, 1.105084, 1.098167),
    2.0: (2.182341, 2.164873, 2.155269),
}


@pytest.mark.parametrize("alpha", TABLE)
def test_midpoint_programs_have_their_known_values(alpha):
    for n, known in zip((10, 20, 40), TABLE[alpha], strict=True):
        found = solve_beliefs(*uniform_beliefs(n), alpha)
        assert found.revenue == pytest.approx(known, abs=1e-6)
        assert found.bound == pytest.approx(found.revenue, abs=1e-7)
        assert found.regret < 1e-7


def test_double_deviations_bind_from_one_on_and_not_at_one_half():
    grid = uniform_beliefs(20)
    for alpha, known in ((0.5, 0.615), (1.0, 1.114861), (2.0, 2.219492)):
        relaxed = solve_beliefs(*grid, alpha, double_deviations=False)
        assert relaxed.revenue == pytest.approx(known, abs=1e-6)
        assert (relaxed.regret > 1e-3) == (alpha > 0.5)


def _by_cvxpy(theta, w, alpha):
    """The whole program, written once more without rows added or mirrored."""
    n = len(theta)
    a, b, p = cp.Variable((n, n)), cp.Variable((n, n)), cp.Variable(n)
    own, rival = (a @ w, b @ w), (a.T @ w, b.T @ w)
    limits = [a >= 0, a <= 1, b >= 0, b <= 1]
    for k in range(n):
        t = theta[k]
        harm = alpha * (t * rival[0] + (1 - t) * rival[1]) + p
        obey = t * own[0] + (1 - t) * own[1]
        truth = obey[k] - harm[k]
        best = max(t, 1 - t)
        limits += [obey[k] >= best, truth >= best - alpha]
        for rule in (obey, t * np.ones(n), (1 - t) * np.ones(n), 1 - obey):
            limits.append(truth >= rule - harm)
    problem = cp.Problem(cp.Maximize(2 * w @ p), limits)
    return problem.solve(solver=cp.HIGHS)


@given(st.integers(0, 10_000), st.floats(0, 2.5), st.booleans())
@settings(max_examples=15, deadline=None)
def test_random_markets_agree_with_a_second_formulation(seed, alpha, mirrored):
    rng = np.random.default_rng(seed)
    theta = np.sort(rng.random(5)) * 0.5
    w = rng.dirichlet(np.ones(5) * 3)
    if mirrored:
        theta = np.concatenate([theta, 1 - theta[::-1]])
        w = np.concatenate([w, w[::-1]]) / 2
    if (np.diff(theta) < 1e-3).any() or w.min() < 1e-3:
        return
    found = solve_beliefs(theta, w, alpha)
    assert found.revenue == pytest.approx(_by_cvxpy(theta, w, alpha), abs=1e-6)
    assert found.regret < 1e-7


def test_cells_bracket_the_limit_from_below():
    for alpha, limit, tolerance in ((0.0, 0.25, 1e-9), (0.5, 29 / 48, 1e-6)):
        inner = [
            solve_beliefs(*uniform_beliefs(n), alpha, continuum=True).revenue
            for n in (20, 40)
        ]
        outer = [solve_beliefs(*uniform_beliefs(n), alpha).revenue for n in (20, 40)]
        assert max(inner) <= limit + 1e-9
        assert (4 * inner[1] - inner[0]) / 3 == pytest.approx(limit, abs=tolerance)
        assert extrapolated(*outer) == pytest.approx(limit, abs=1e-4)


def test_constraints_at_the_ends_hold_in_between():
    found = solve_beliefs(*uniform_beliefs(12), 1.2, continuum=True)
    theta = np.linspace(0, 1, 1001)
    cell = np.minimum((theta * 12).astype(int), 11)
    gains = deviations(theta, found.own, found.rival, found.payments, 1.2)
    truth = gains[0][np.arange(1001), cell]
    assert (gains.max(axis=(0, 2)) - truth).max() < 1e-7
    assert (np.maximum(theta, 1 - theta) - 1.2 - truth).max() < 1e-7


@pytest.mark.filterwarnings("ignore:the loss moved")
def test_the_sorted_network_is_honest_and_reaches_the_limit():
    model = SortedBeliefs(0.5, 24, seed=0)
    train_sorted(model, 400, lr=4e-3)
    for n_cells in (24, 100):
        found = audit_beliefs(model, n_cells)
        worst = (found.regret, found.double_regret, found.participation)
        assert max(*worst, found.obedience) < 1e-9
        assert 0.97 * 29 / 48 < found.revenue <= 29 / 48


@given(st.integers(0, 10_000), st.floats(0, 3), st.sampled_from([2, 8, 14]))
@settings(max_examples=20, deadline=None)
def test_any_weights_make_an_honest_mechanism(seed, alpha, n_cells):
    model = SortedBeliefs(alpha, n_cells, width=8, seed=seed)
    found = audit_beliefs(model, n_types=501)
    assert max(found.regret, found.participation, found.obedience) < 1e-9


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: solve_beliefs(np.array([0.5, 0.2]), np.full(2, 0.5), 1.0), "increas"),
        (lambda: solve_beliefs(np.array([0.2, 1.5]), np.full(2, 0.5), 1.0), "beliefs"),
        (lambda: solve_beliefs(np.array([0.2, 0.5]), np.full(2, 0.4), 1.0), "sum 0.8"),
        (lambda: solve_beliefs(*uniform_beliefs(4), -1.0), "alpha = -1"),
        (lambda: solve_beliefs(*uniform_beliefs(300), 1.0), "180000 experiments"),
        (lambda: solve_beliefs(*uniform_beliefs(5), 1.0, continuum=True), "even"),
        (lambda: uniform_beliefs(1), "n_types = 1"),
        (lambda: SortedBeliefs(0.5, 7), "n_cells = 7"),
        (lambda: SortedBeliefs(-0.5), "alpha = -0.5"),
    ],
)
def test_markets_that_are_none_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
