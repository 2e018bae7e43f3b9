"""Exact equilibria of trees: known values, second routes, invariants, bad arguments."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import linprog

from econlib.contracts.trees import (
    Trees,
    by_steps_to_go,
    contracts,
    det_arrays,
    expected_pay,
    no_contract,
    solve,
    tree_arrays,
    tree_batch,
    welfare_optimum,
)

# name: V^p, V^a, share of a_1, welfare, no contract
KNOWN = {
    "det 3": (1.016584, 0.001049, 0.2857, 1.018105, 0.234068),
    "det 10": (4.058373, 0.124317, 0.5855, 4.183443, 0.553643),
    "10, 0": (3.756321, 0.115597, 0.5914, 3.872264, 0.386152),
    "10, 1": (5.891165, 0.191907, 0.5748, 6.083141, 0.531420),
    "10, 2": (4.110561, 0.175363, 0.5494, 4.285983, 0.427793),
    "5, 7": (1.506467, 0.024708, 0.5484, 1.531195, 0.249659),
}


def instance(name):
    if name.startswith("det"):
        cost, reward = det_arrays(int(name.split()[1]))
        return Trees(cost[None], reward[None])
    depth, seed = map(int, name.split(","))
    return tree_batch(depth, [seed])


@pytest.mark.parametrize("name", KNOWN)
def test_known_instances(name):
    trees, (vp, va, share, welfare, nothing) = instance(name), KNOWN[name]
    found, observed = solve(trees), solve(trees, observed=True)
    assert found.vp[0, 0] == pytest.approx(vp, abs=1e-6)
    assert found.va[0, 0] == pytest.approx(va, abs=1e-6)
    assert found.act.mean() == pytest.approx(share, abs=1e-4)
    assert welfare_optimum(trees)[0, 0] == pytest.approx(welfare, abs=1e-6)
    assert no_contract(trees)[0, 0] == pytest.approx(nothing, abs=1e-6)
    assert observed.vp[0, 0] == pytest.approx(welfare, abs=1e-6)
    assert found.vp[0, 0] < observed.vp[0, 0]


def test_nodes_of_the_tree_without_random_numbers():
    found = solve(instance("det 3"))
    assert found.act[0].tolist() == [0, 0, 0, 1, 0, 0, 1]
    vp = [1.016584, 1.056211, 0.053493, 1.087086, 0.009385, 0.038076, 0.097057]
    va = [0.001049, 0.001036, 0.001159, 0.001151, 0, 0, 0.011587]
    assert found.vp[0] == pytest.approx(vp, abs=1e-6)
    assert found.va[0] == pytest.approx(va, abs=1e-6)


def test_other_depths():
    known = {
        5: [3.426301, 0.955005, 0.936656],
        8: [2.886421, 2.503150, 2.602132],
    }
    for depth, values in known.items():
        assert solve(tree_batch(depth, [0, 1, 2])).vp[:, 0] == pytest.approx(
            values, abs=1e-6
        )


def test_the_nudged_row():
    trees = tree_batch(10, [0, 1, 2])
    exact = solve(trees).vp[:, 0]
    row = {
        0.005: (0.9917, 0.9935, 0.9933),
        0.01: (0.9840, 0.9870, 0.9865),
        0.02: (0.9704, 0.9740, 0.9731),
        0.05: (0.9301, 0.9342, 0.9321),
        0.1: (0.8491, 0.8679, 0.8643),
    }
    share = dict(zip(row, (0.584, 0.578, 0.568, 0.543, 0.520), strict=True))
    agent = {0.01: (0.1730, 0.2682, 0.2303), 0.02: (0.1810, 0.3445, 0.2854)}
    for xi, ratios in row.items():
        found = solve(trees, xi)
        assert found.vp[:, 0] / exact == pytest.approx(ratios, abs=6e-5)
        assert found.act[0].mean() == pytest.approx(share[xi], abs=6e-4)
        if xi in agent:
            assert found.va[:, 0] == pytest.approx(agent[xi], abs=6e-5)
    values = solve(trees, 0.02).vp[:, 0]
    assert values == pytest.approx([3.645228, 5.737808, 3.999865], abs=1e-6)


def test_a_margin_can_pay_since_it_is_a_commitment():
    tree = tree_batch(8, [1])
    assert solve(tree, 0.005).vp[0, 0] == pytest.approx(2.512512, abs=1e-6)
    assert solve(tree).vp[0, 0] == pytest.approx(2.503150, abs=1e-6)


def test_the_population():
    trees = tree_batch(10, range(1000, 1200))
    found = solve(trees)
    root = slice(0, 1)
    for values, mean, sd in (
        (found.vp[:, root], 3.945, 0.606),
        (found.va[:, root], 0.1535, 0.051),
        (welfare_optimum(trees)[:, root], 4.1007, 0.62),
        (found.act.mean(axis=1), 0.5760, 0.0158),
    ):
        assert abs(values.mean() - mean) < 3.5 * sd / np.sqrt(200)
        assert 0.8 * sd < values.std() < 1.2 * sd
    depth = np.repeat(np.arange(10), 2 ** np.arange(10))
    law = [0.549, 0.558, 0.561, 0.557, 0.552, 0.560, 0.561, 0.5615, 0.571, 0.5864]
    for layer, share in enumerate(law):
        here = found.act[:, depth == layer].mean()
        assert abs(here - share) < 4 * 0.5 / np.sqrt(200 * 2**layer)
    assert (found.gap < 0.02).mean() == pytest.approx(0.041, abs=0.003)
    assert (found.gap < 0.05).mean() == pytest.approx(0.097, abs=0.004)


def enumerated(trees, depth):
    """Equilibrium by a programme for each node and action, not by the closed form."""
    law = np.array([[trees.p, 1 - trees.p], [1 - trees.p, trees.p]])
    values = {}
    for s in reversed(range(2**depth - 1)):
        below = [values.get(2 * s + 1 + o, (0.0, 0.0)) for o in range(2)]
        cost = np.array([0.0, trees.cost[0, s]])
        qbar = law @ [v[0] for v in below] - cost
        worth = law @ [below[0][1], below[1][1] + trees.reward[0, s]]
        best = None
        for a in range(2):
            bound = qbar[a] - qbar[1 - a]
            lp = linprog(law[a], [law[1 - a] - law[a]], [bound], bounds=(0, None))
            offer = worth[a] - lp.fun, qbar[a] + lp.fun
            best = offer if best is None or offer[0] > best[0] + 1e-12 else best
        values[s] = best[1], best[0]
    return values[0]


@pytest.mark.parametrize("p", [0.6, 0.9, 1.0])
def test_linear_programmes_find_the_same(p):
    for seed in range(3):
        trees = tree_batch(4, [seed], p)
        found = solve(trees)
        root = found.va[0, 0], found.vp[0, 0]
        assert root == pytest.approx(enumerated(trees, 4), abs=1e-9)


def test_no_other_recommendations_are_better_one_node_at_a_time():
    trees = tree_batch(3, [4])
    found = solve(trees)
    for s in range(7):
        other = found.act.copy()
        other[0, s] = 1 - other[0, s]
        assert solve(trees, act=other).vp[0, s] <= found.vp[0, s] + 1e-12


def test_forgetting_later_payments_is_another_equilibrium():
    """The agent's value counts what later contracts pay it."""
    trees = instance("det 3")
    found = solve(trees)
    assert found.va[0, 0] > 1e-3
    myopic = -trees.cost * 0  # truncated values without later payments
    qbar = np.stack([myopic, -trees.cost], axis=-1)
    assert np.abs(qbar - found.qbar).max() > 1e-4


def test_observed_actions_leave_the_agent_nothing():
    trees = tree_batch(6, range(20))
    found = solve(trees, observed=True)
    assert np.abs(found.va).max() < 1e-12
    assert found.vp == pytest.approx(welfare_optimum(trees), abs=1e-12)


def test_a_batch_is_its_trees_one_by_one():
    seeds, xi = [3, 1, 4], by_steps_to_go([0.01, 0.02, 0.0, 0.1], 4)
    batch = solve(tree_batch(4, seeds), xi)
    for i, seed in enumerate(seeds):
        alone = solve(tree_batch(4, [seed]), xi)
        assert (batch.q[i] == alone.q[0]).all()
        assert (batch.b[i] == alone.b[0]).all()


@pytest.mark.parametrize("observed", [False, True])
def test_contracts_make_the_action_best_by_the_margin(observed):
    rng = np.random.default_rng(0)
    qbar, p = rng.normal(size=(50, 2)), 0.8
    law = np.eye(2) if observed else np.array([[p, 1 - p], [1 - p, p]])
    for act, xi in itertools.product((0, 1), (0.0, 0.3)):
        b = contracts(qbar, np.full(50, act), xi, p, observed)
        total = qbar + b @ law.T
        lead = total[:, act] - total[:, 1 - act]
        assert b.min() >= 0
        assert lead.min() > xi - 1e-12
        paid = b.sum(axis=1) > 0
        assert lead[paid] == pytest.approx(np.full(paid.sum(), xi), abs=1e-12)
        cheapest = expected_pay(qbar, xi, p, observed)[:, act]
        assert (b @ law.T)[:, act] == pytest.approx(cheapest, abs=1e-12)


def test_the_law_of_the_arrays():
    cost, reward = tree_arrays(14, 3)
    assert cost.mean() == pytest.approx(0.25, abs=0.01)
    assert reward.mean() == pytest.approx(0.5, abs=0.02)
    x, y = np.random.default_rng(0).random((2, 10**5))
    for q in (0.2, 0.5, 0.8):
        assert np.quantile(cost, q) == pytest.approx(np.quantile(x * y, q), abs=0.01)
        law = np.quantile(2 * x * y, q)
        assert np.quantile(reward, q) == pytest.approx(law, abs=0.02)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tree_arrays(0, 0), "depth = 0"),
        (lambda: tree_arrays(40, 0), "depth = 40.*memory"),
        (lambda: tree_batch(3, []), r"len\(seeds\) = 0"),
        (lambda: tree_batch(20, range(1000)), r"len\(seeds\) = 1000"),
        (lambda: tree_batch(3, [0], p=0.5), r"p = 0.5: expected .* \(0.5, 1\]"),
        (lambda: Trees(np.zeros((1, 4)), np.zeros((1, 4))), "n_nodes = 4"),
        (lambda: Trees(np.zeros((1, 3)), np.zeros((2, 3))), "reward has shape"),
        (lambda: Trees(-np.ones((1, 3)), np.zeros((1, 3))), "cost = -1"),
        (lambda: Trees(np.full((1, 3), np.nan), np.zeros((1, 3))), "finite"),
        (lambda: solve(tree_batch(2, [0]), -0.1), "xi = -0.1"),
        (lambda: solve(tree_batch(2, [0]), act=np.full((1, 3), 2)), "act"),
        (lambda: by_steps_to_go([1.0], 2), "values has shape"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
