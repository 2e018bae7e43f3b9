"""Commitment and static contracts against known values and a second route."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import linprog

from econlib.contracts.equilibrium import spe_backward
from econlib.contracts.examples import figure1_mdp, random_mdp, tree_mdp
from econlib.contracts.play import best_response
from econlib.contracts.stackelberg import stackelberg_many, stackelberg_markov
from econlib.contracts.static import (
    gap_exact,
    gap_family,
    generic_example,
    linear,
    optimal,
)
from econlib.contracts.trees import tree_arrays

# value of committing to each profile (s0, sL, sR) of the example
PROFILES = {
    "LLR": 19 / 18,
    "LLL": 1.0,
    "LRR": 0.655556,
    "RLL": 0.655556,
    "RRL": 0.621111,
    "LRL": 0.6,
    "RLR": 0.345556,
    "RRR": 0.311111,
}


def test_figure_1_under_commitment():
    found = stackelberg_markov(figure1_mdp())
    assert found.value == pytest.approx(19 / 18, abs=1e-12)
    np.testing.assert_allclose(found.b, [[0.9, 0], [1, 0], [0, 0]], atol=1e-12)
    for policy, value in zip(found.policies, found.values, strict=True):
        name = "".join("LR"[a] for a in policy)
        assert value == pytest.approx(PROFILES[name], abs=5e-7)


def by_linprog(mdp, policy):
    """One policy's program with the agent's values as variables."""
    n, n_actions, m = mdp.F.shape
    P = mdp.kernel.toarray().reshape(n, n_actions, n)
    s = np.arange(n)
    visits = np.linalg.solve((np.eye(n) - mdp.gamma * P[s, policy]).T, np.eye(n)[0])
    cost = (visits[:, None] * mdp.F[s, policy]).ravel()
    own = np.zeros((n, n_actions, n, m))
    for i in range(n):
        own[i, :, i] = mdp.F[i]
    own = own.reshape(n, n_actions, n * m)
    step = np.broadcast_to(np.eye(n)[:, None], (n, n_actions, n)) - mdp.gamma * P
    equal = np.concatenate([-own[s, policy], step[s, policy]], axis=1)
    above = np.concatenate([own, -step], axis=2).reshape(n * n_actions, -1)
    found = linprog(
        np.concatenate([cost, np.zeros(n)]),
        A_ub=above,
        b_ub=-mdp.r.ravel(),
        A_eq=equal,
        b_eq=mdp.r[s, policy],
        bounds=[(0, None)] * (n * m) + [(None, None)] * n,
        method="highs",
    )
    worth = visits @ mdp.expected_rp[s, policy]
    return worth - found.fun if found.status == 0 else -np.inf


@pytest.mark.parametrize("sizes", [(2, 2, 2), (2, 3, 3), (3, 2, 3)])
def test_every_policys_program_equals_one_written_with_values(sizes):
    mdp = random_mdp(np.random.default_rng(sum(sizes)), *sizes, gamma=0.8)
    found = stackelberg_markov(mdp)
    for policy, value in zip(found.policies, found.values, strict=True):
        assert value == pytest.approx(by_linprog(mdp, policy), abs=1e-8)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_commitment_is_worth_at_least_the_equilibrium_and_its_contracts_bind(depth):
    mdps = [tree_mdp(*tree_arrays(depth, seed)) for seed in range(10)]
    for mdp, found in zip(mdps, stackelberg_many(mdps), strict=True):
        assert found.value >= spe_backward(mdp).Vp[0] - 1e-9
        play = best_response(mdp, found.b, found.act, tie="recommended", tol=1e-8)
        assert play.follows.all()
        assert play.Vp[0] == pytest.approx(found.value, abs=1e-9)
        assert play.Va[0] == pytest.approx(found.Va, abs=1e-9)
        if depth == 1:
            assert found.value == pytest.approx(spe_backward(mdp).Vp[0], abs=1e-9)


def test_too_many_policies_are_refused():
    with pytest.raises(ValueError, match="too many for memory"):
        stackelberg_markov(tree_mdp(*tree_arrays(6, 0)))


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"mdps\[1\]"):
        stackelberg_many([figure1_mdp(), tree_mdp(*tree_arrays(1, 0))])


@pytest.mark.parametrize(
    ("n", "eps", "best"),
    [(2, 0.1, 1.9), (2, 0.01, 1.99), (3, 0.1, 2.8), (3, 0.01, 2.98), (5, 0.1, 4.6)],
)
def test_linear_contracts_lose_almost_a_factor_of_n(n, eps, best):
    problem = gap_family(n, eps)
    assert optimal(*problem).value == pytest.approx(best, abs=1e-8)
    assert linear(*problem).value == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize(("n", "eps"), [(5, "0.01"), (8, "0.001"), (2, "0.2")])
def test_the_factor_in_rational_numbers(n, eps):
    best, share = gap_exact(n, float(eps))
    assert best == n - Fraction(eps) * (n - 1)
    assert share == 1


def test_generic_example():
    best = optimal(*generic_example())
    assert (best.action, best.pay) == (2, pytest.approx(1.0))
    np.testing.assert_allclose(best.b, [0, 0, 0, 2.5], atol=1e-12)
    assert best.value == pytest.approx(2.1, abs=1e-12)
    for xi, value in ((0.05, 2.05), (0.1, 2.0)):
        assert optimal(*generic_example(), xi=xi).value == pytest.approx(value)
    share = linear(*generic_example())
    assert share.share == pytest.approx(3 / 7)
    assert share.value == pytest.approx(1.7714286, abs=5e-8)


def test_best_share_equals_a_fine_grid():
    rng = np.random.default_rng(0)
    for _ in range(10):
        F = rng.dirichlet(np.ones(4), 5)
        costs, rewards = rng.uniform(0, 1, 5), rng.uniform(0, 3, 4)
        best = linear(F, costs, rewards).value
        shares = np.linspace(0, 1, 20001)
        worth = F @ rewards
        utility = shares[:, None] * worth - costs
        profit = (1 - shares) * worth[utility.argmax(axis=1)]
        assert best >= profit.max() - 1e-9
        assert best == pytest.approx(profit.max(), abs=1e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gap_family(0, 0.1), "n = 0"),
        (lambda: gap_family(3, 1.0), "eps = 1.0"),
        (lambda: gap_family(8, 0.001), "rewards up to 1e\\+21"),
        (lambda: linear(np.eye(2), np.zeros(2), -np.ones(2)), "rewards = -1"),
        (lambda: optimal(np.eye(2), np.full(2, np.inf), np.ones(2)), "costs"),
        (
            lambda: optimal(np.full((2, 2), 0.5), np.zeros(2), np.ones(2), 0.1),
            "no action is implementable",
        ),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
