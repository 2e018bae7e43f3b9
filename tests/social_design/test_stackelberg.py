"""Leading, rivalry, wrong beliefs and commitment against closed forms and grids."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.social_design.stackelberg import (
    commitment,
    gradient_principal,
    misspecification_loss,
    revenue,
    revenue_rate,
    rival_principals,
)


@pytest.mark.parametrize(
    "e, rate, most, collapsed",
    [
        (0.25, 0.8, 0.534992, 0.17765),
        (0.5, 2 / 3, 0.384900, 0.03159),
        (1, 0.5, 0.25, 0.001),
    ],
)
def test_gradient_principals(e, rate, most, collapsed):
    leads = gradient_principal(e)
    assert leads.rates[-1] == pytest.approx(rate, abs=1e-5) and leads.converged
    assert leads.revenue[-1] == pytest.approx(most, abs=1e-6)
    for player_step in (1.0, 0.1):
        naive = gradient_principal(e, anticipates=False, player_step=player_step)
        assert naive.rates[-1] == 0.999 and not naive.converged
        assert naive.revenue[-1] == pytest.approx(collapsed, abs=1e-5)
    grid = np.linspace(0, 1, 100_001)
    assert grid[revenue(grid, e).argmax()] == pytest.approx(revenue_rate(e), abs=1e-5)


@pytest.mark.parametrize(
    "e, believed, share",
    [(0.5, 0.25, 0.929516), (0.5, 1, 0.918559), (0.25, 0.5, 0.946849), (1, 0.25, 0.64)],
)
def test_a_wrong_elasticity_costs_revenue(e, believed, share):
    assert misspecification_loss(e, believed) == pytest.approx(share, abs=1e-6)
    assert misspecification_loss(e, e) == 1


@pytest.mark.parametrize("n", [1, 2, 4])
@pytest.mark.parametrize("e", [0.25, 0.5, 1, 3])
def test_rivals_tax_one_over_their_number_plus_the_elasticity(n, e):
    found = rival_principals(n, e)
    assert found.rates == pytest.approx(np.full(n, 1 / (n + e)), abs=1e-9)
    assert found.regret < 1e-12
    assert found.revenue == pytest.approx(revenue(n / (n + e), e))
    grid = np.linspace(0, 1 - (n - 1) / (n + e), 10_001)
    best = (grid * (1 - (n - 1) / (n + e) - grid) ** e).max()
    assert best == pytest.approx(found.revenue / n, abs=1e-7)


def test_two_principals_raise_less_than_one():
    two, one = rival_principals(2, 0.5), rival_principals(1, 0.5)
    assert (two.total, two.revenue) == pytest.approx((0.8, 0.357771), abs=1e-6)
    assert one.revenue == pytest.approx(0.384900, abs=1e-6)


def test_commitment_is_worth_something_and_mixing_more():
    game = commitment([[2, 4], [1, 3]], [[1, 0], [0, 1]])
    assert (game.nash, game.pure, game.mixed) == (2.0, 3.0, 3.5)
    assert game.mixture == pytest.approx([0.5, 0.5])


def test_a_game_without_a_pure_equilibrium_has_its_value_as_commitment():
    pennies = np.array([[1.0, -1], [-1, 1]])
    game = commitment(pennies, -pennies)
    assert game.nash is None
    assert (game.pure, game.mixed) == (-1, pytest.approx(0))


def test_mixed_commitment_agrees_with_a_grid_of_mixtures():
    rng = np.random.default_rng(0)
    p = np.linspace(0, 1, 20_001)[:, None]
    for _ in range(20):
        leader, follower = rng.integers(0, 9, (2, 2, 3)).astype(float)
        theirs = p * follower[0] + (1 - p) * follower[1]
        ours = p * leader[0] + (1 - p) * leader[1]
        best = theirs >= theirs.max(axis=1, keepdims=True) - 1e-9
        grid = np.where(best, ours, -np.inf).max()
        found = commitment(leader, follower)
        assert grid - 1e-9 <= found.mixed < grid + 0.01
        assert found.pure <= found.mixed + 1e-9


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: revenue(1.5, 0.5), r"tau = 1.5: .*\[0, 1\]"),
        (lambda: revenue_rate(0), "elasticity = 0"),
        (lambda: gradient_principal(0.5, step=0), "step = 0"),
        (lambda: gradient_principal(0.5, cap=1), "cap = 1"),
        (lambda: rival_principals(0, 0.5), "n_principals = 0"),
        (lambda: commitment([[1]], [[1, 2]]), r"shapes \(1, 1\) and \(1, 2\)"),
        (lambda: commitment([[np.inf]], [[1]]), "expected finite payoffs"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
