"""Equilibria against the known values, two routes and one-shot deviations."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import quantecon as qe

from econlib.contracts import trees
from econlib.contracts.equilibrium import (
    implement,
    meta_algorithm,
    policy_values,
    solve_mdp,
    spe_backward,
)
from econlib.contracts.examples import (
    figure1_mdp,
    random_mdp,
    recurrent_figure1,
    tree_mdp,
)
from econlib.contracts.mdp import observe_actions
from econlib.contracts.play import (
    best_response,
    no_contract_value,
    spe_residual,
    welfare_optimum,
)

# principal, agent, share of a1, welfare optimum, principal without contracts
KNOWN = {
    ("det", 3): (1.016584, 0.001049, 2 / 7, 1.018105, 0.234068),
    ("det", 10): (4.058373, 0.124317, 0.5855, 4.183443, 0.553643),
    (0, 10): (3.756321, 0.115597, 0.5914, 3.872264, 0.386152),
    (1, 10): (5.891165, 0.191907, 0.5748, 6.083141, 0.531420),
    (2, 10): (4.110561, 0.175363, 0.5494, 4.285983, 0.427793),
    (7, 5): (1.506467, 0.024708, 0.5484, 1.531195, 0.249659),
}


def arrays(name, depth):
    det = name == "det"
    return trees.det_arrays(depth) if det else trees.tree_arrays(depth, name)


@pytest.mark.parametrize(("name", "depth"), KNOWN)
def test_trees_have_their_known_values(name, depth):
    mdp = tree_mdp(*arrays(name, depth))
    principal, agent, share, welfare, nothing = KNOWN[name, depth]
    found = spe_backward(mdp)
    assert found.Vp[0] == pytest.approx(principal, abs=5e-7)
    assert found.Va[0] == pytest.approx(agent, abs=5e-7)
    assert found.act.mean() == pytest.approx(share, abs=5e-5)
    assert welfare_optimum(mdp)[0] == pytest.approx(welfare, abs=5e-7)
    seen = spe_backward(mdp, observed=True)
    assert seen.Vp[0] == pytest.approx(welfare, abs=5e-7)
    np.testing.assert_allclose(seen.Va, 0, atol=1e-12)
    assert no_contract_value(mdp).Vp[0] == pytest.approx(nothing, abs=5e-7)


def test_small_tree_has_its_known_nodes():
    found = spe_backward(tree_mdp(*trees.det_arrays(3)))
    assert found.act.tolist() == [0, 0, 0, 1, 0, 0, 1]
    Vp = [1.016584, 1.056211, 0.053493, 1.087086, 0.009385, 0.038076, 0.097057]
    Va = [0.001049, 0.001036, 0.001159, 0.001151, 0, 0, 0.011587]
    np.testing.assert_allclose(found.Vp, Vp, atol=5e-7)
    np.testing.assert_allclose(found.Va, Va, atol=5e-7)


@pytest.mark.parametrize("xi", [0.0, 0.01, 0.1])
def test_general_solver_equals_the_fast_one_for_trees(xi):
    batch = trees.tree_batch(6, [3, 4, 5])
    fast = trees.solve(batch, xi)
    for i in range(3):
        mdp = tree_mdp(batch.cost[i], batch.reward[i])
        found = spe_backward(mdp, xi)
        np.testing.assert_allclose(found.Vp, fast.vp[i], atol=1e-12)
        np.testing.assert_allclose(found.Va, fast.va[i], atol=1e-12)
        np.testing.assert_allclose(found.q, fast.q[i], atol=1e-12)
        np.testing.assert_array_equal(found.act, fast.act[i])
        np.testing.assert_allclose(found.b, fast.b[i], atol=1e-12)


@pytest.mark.parametrize(
    ("seed", "row"),
    [
        (0, (0.9917, 0.9840, 0.9704, 0.9301, 0.8491)),
        (1, (0.9935, 0.9870, 0.9740, 0.9342, 0.8679)),
        (2, (0.9933, 0.9865, 0.9731, 0.9321, 0.8643)),
    ],
)
def test_margins_cost_what_is_known(seed, row):
    mdp = tree_mdp(*trees.tree_arrays(10, seed))
    plain = spe_backward(mdp).Vp[0]
    ratios = [
        spe_backward(mdp, xi).Vp[0] / plain for xi in (0.005, 0.01, 0.02, 0.05, 0.1)
    ]
    np.testing.assert_allclose(ratios, row, atol=6e-5)


def test_figure_1():
    mdp = figure1_mdp()
    found = spe_backward(mdp)
    np.testing.assert_allclose(found.b, [[1, 0]] * 3, atol=1e-12)
    np.testing.assert_allclose(found.Vp, [1, 0.5, 0.5], atol=1e-12)
    np.testing.assert_allclose(found.Va, [0.2, 0.1, 0.1], atol=1e-12)
    np.testing.assert_allclose(found.q[2], [0.5, 14 / 90], atol=1e-12)
    assert spe_residual(mdp, found.b, found.act).is_spe(1e-12)


def test_recurrent_figure_1_is_worth_five_everywhere():
    found, trace = meta_algorithm(recurrent_figure1())
    assert trace.converged
    np.testing.assert_allclose(found.Vp, 5, atol=1e-12)


@pytest.mark.parametrize("sizes", [(2, 2, 2), (3, 3, 2), (3, 2, 4), (2, 4, 4)])
def test_both_routes_agree_on_random_processes_and_leave_no_deviation(sizes):
    rng = np.random.default_rng(sum(sizes))
    for gamma in (0.7, 1.0):
        mdp = random_mdp(rng, *sizes, gamma=gamma, horizon=4)
        found = spe_backward(mdp)
        other, trace = meta_algorithm(mdp)
        assert trace.converged and trace.n_steps <= mdp.horizon + 1
        np.testing.assert_allclose(other.Vp, found.Vp, atol=1e-9)
        assert spe_residual(mdp, found.b, found.act).worst < 1e-9


@pytest.mark.parametrize("depth", [1, 2, 3, 5, 8])
def test_after_k_iterations_the_last_k_layers_are_exact(depth):
    mdp = tree_mdp(*trees.tree_arrays(depth, 1))
    found = spe_backward(mdp)
    start = np.random.default_rng(0).uniform(0, 1, (mdp.n_states, 2))
    for rho0 in (None, start):
        _, trace = meta_algorithm(mdp, rho0)
        for k in range(trace.n_steps):
            done = depth - mdp.layers <= k + 1
            np.testing.assert_allclose(trace.q[k][done], found.q[done], atol=1e-12)


def test_trace_of_the_first_tree_is_not_monotone():
    mdp = tree_mdp(*trees.tree_arrays(10, 0))
    _, trace = meta_algorithm(mdp)
    error = np.abs(trace.q - spe_backward(mdp).q).max(axis=(1, 2))
    known = [0.1274, 0.1172, 0.1242, 0.1493, 0.0850, 0.0089, 0.0046, 3e-5, 3e-5, 0]
    np.testing.assert_allclose(error, known, atol=6e-5)


def test_a_certificate_sees_a_wrong_contract_of_either_side():
    mdp = figure1_mdp()
    found = spe_backward(mdp)
    cheap = found.b.copy()
    cheap[0, 0] = 0.5
    assert spe_residual(mdp, cheap, found.act).agent[0] == pytest.approx(0.4)
    dear = found.b.copy()
    dear[0, 0] = 1.5
    residual = spe_residual(mdp, dear, found.act)
    assert residual.agent.max() < 1e-12
    assert residual.principal[0] == pytest.approx(0.45)
    threat = np.array([[0.9, 0], [1.0, 0], [0, 0]])  # optimal under commitment
    residual = spe_residual(mdp, threat, np.array([0, 0, 1]))
    assert residual.agent.max() < 1e-12
    assert residual.principal[2] == pytest.approx(0.5 - 14 / 90)


def test_ties_for_the_principal_reproduce_its_value_and_against_it_do_not():
    mdp = tree_mdp(*trees.tree_arrays(10, 0))
    found = spe_backward(mdp)
    kind = best_response(mdp, found.b, found.act)
    assert kind.Vp[0] == pytest.approx(found.Vp[0], abs=1e-12)
    assert kind.Va[0] == pytest.approx(found.Va[0], abs=1e-12)
    named = best_response(mdp, found.b, found.act, tie="recommended")
    assert named.follows.all()
    hard = best_response(mdp, found.b, found.act, tie="adverse")
    assert hard.Va[0] == pytest.approx(found.Va[0], abs=1e-9)
    assert hard.Vp[0] < 0.5 * found.Vp[0]
    nudged = spe_backward(mdp, 1e-6)
    safe = best_response(mdp, nudged.b, nudged.act, tie="adverse")
    assert safe.follows.all()


def test_a_fixed_opponent_leaves_a_process_that_quantecon_solves_alike():
    rng = np.random.default_rng(5)
    for sizes in [(4, 3, 3), (6, 2, 4)]:
        mdp = random_mdp(rng, *sizes, gamma=0.9)
        rho = rng.uniform(0, 1, (sizes[0], sizes[2]))
        paid = mdp.expected(rho)
        P = mdp.kernel.toarray().reshape(sizes[0], sizes[1], sizes[0])
        Va, Q = solve_mdp(mdp, mdp.r + paid)
        agent = qe.markov.DiscreteDP(mdp.r + paid, P, 0.9).solve("policy_iteration")
        np.testing.assert_allclose(Va, agent.v, atol=1e-10)
        pay = implement(mdp, Q - paid).pay
        reward = mdp.expected_rp - pay
        Vp, _ = solve_mdp(mdp, reward)
        peer = qe.markov.DiscreteDP(reward, P, 0.9).solve("policy_iteration")
        np.testing.assert_allclose(Vp, peer.v, atol=1e-10)


def test_values_of_a_fixed_opponent_equal_enumeration():
    rng = np.random.default_rng(2)
    mdp = random_mdp(rng, 3, 3, 3, gamma=0.8)
    rho = rng.uniform(0, 1, (3, 3))
    reward = mdp.r + mdp.expected(rho)
    all_ = [
        policy_values(mdp, np.array(p), reward)
        for p in itertools.product(range(3), repeat=3)
    ]
    np.testing.assert_allclose(solve_mdp(mdp, reward)[0], np.max(all_, axis=0))


def test_observed_actions_give_the_principal_all_but_the_agents_outside_option():
    rng = np.random.default_rng(7)
    for _ in range(10):
        mdp = random_mdp(rng, 3, 3, 2, gamma=0.9, horizon=4)
        seen = spe_backward(mdp, observed=True)
        bound = welfare_optimum(mdp) - no_contract_value(mdp).Va
        np.testing.assert_allclose(seen.Vp, bound, atol=1e-9)
        hidden = spe_backward(mdp)
        assert (hidden.Vp <= seen.Vp + 1e-9).all()


def test_hidden_actions_cost_the_principal():
    mdp = tree_mdp(*trees.tree_arrays(10, 0))
    assert spe_backward(mdp).Vp[0] < spe_backward(mdp, observed=True).Vp[0] - 0.1


def test_unimplementable_actions_are_worth_minus_infinity():
    mdp = figure1_mdp()
    F = mdp.F.copy()
    F[1] = 0.5  # both actions have one law in state 1
    twin = type(mdp)(F, mdp.r, mdp.rp, mdp.T, 1.0, mdp.layers)
    found = spe_backward(twin)
    assert np.isneginf(found.q[1, 0]) and found.act[1] == 1
    assert spe_residual(twin, found.b, found.act).is_spe()
    with pytest.raises(ValueError, match="state 1: no action is implementable"):
        spe_backward(twin.__class__(F, 0 * mdp.r, mdp.rp, mdp.T, 1.0, mdp.layers), 0.1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: spe_backward(m, -0.1), "xi = -0.1"),
        (lambda m: spe_backward(m, np.zeros(2)), "xi: shape"),
        (lambda m: spe_backward(recurrent_figure1()), "layers is None"),
        (lambda m: meta_algorithm(m, max_iter=0), "max_iter = 0"),
        (lambda m: meta_algorithm(m, -np.ones((3, 2))), "rho0"),
        (lambda m: solve_mdp(m, np.full((3, 2), -np.inf)), "allowed action in state 0"),
        (
            lambda m: best_response(m, m.rp, np.zeros(3, int), tie="coin"),
            "tie = 'coin'",
        ),
        (
            lambda m: best_response(m, m.rp, np.zeros(3, int), tol=-1.0),
            "tol = -1.0",
        ),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(figure1_mdp())


def test_observing_twice_changes_nothing():
    mdp = observe_actions(figure1_mdp())
    again = observe_actions(mdp)
    np.testing.assert_array_equal(again.F, mdp.F)
    np.testing.assert_array_equal(again.kernel.toarray(), mdp.kernel.toarray())
