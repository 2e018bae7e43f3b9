"""The three modes of judging contracts, and errors of recommendations."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.contracts.tree_modes import flip, implemented, judge, play
from econlib.contracts.trees import contracts, solve, tree_batch

TREES = tree_batch(10, [0, 1, 2])
EXACT = solve(TREES)


def test_all_modes_find_the_equilibrium_in_its_own_contracts():
    modes = judge(TREES, EXACT.act, EXACT.b)
    for one in (modes.strict, modes.implemented, modes.tolerant):
        assert one.principal / EXACT.vp[:, 0] == pytest.approx(np.ones(3), abs=1e-12)
        assert one.agent == pytest.approx(EXACT.va[:, 0], abs=1e-12)
        assert one.follows.all()


def test_mode_b_is_backward_induction_with_given_recommendations():
    rng = np.random.default_rng(0)
    act = rng.integers(0, 2, TREES.cost.shape)
    one, two = implemented(TREES, act), solve(TREES, act=act)
    assert one.vp == pytest.approx(two.vp, abs=1e-12)
    assert one.va == pytest.approx(two.va, abs=1e-12)


def test_strict_play_is_the_agents_best_reply():
    """No policy of the agent is worth more, by brute force on a small tree."""
    trees, rng = tree_batch(3, [5]), np.random.default_rng(1)
    b = rng.random((1, 7, 2))
    act = rng.integers(0, 2, (1, 7))
    found = play(trees, act, b)
    law, best = np.array([[0.9, 0.1], [0.1, 0.9]]), -np.inf
    for code in range(2**7):
        value = {}
        for s in reversed(range(7)):
            a = code >> s & 1
            ahead = [b[0, s, o] + value.get(2 * s + 1 + o, 0.0) for o in range(2)]
            value[s] = law[a] @ ahead - a * trees.cost[0, s]
        best = max(best, value[0])
    assert found.agent[0] == pytest.approx(best, abs=1e-12)


def test_payments_move_money_and_nothing_else():
    rng = np.random.default_rng(2)
    b, act = rng.random((*TREES.cost.shape, 2)), EXACT.act
    found = play(TREES, act, b)
    chosen = np.where(found.follows, act, 1 - act)
    unpaid = play(TREES, chosen, np.zeros_like(b), tolerance=np.inf)
    total = found.principal + found.agent
    assert total == pytest.approx(unpaid.principal + unpaid.agent, abs=1e-12)


def test_the_tolerance_is_a_loss_in_the_node():
    """A contract short of the price is obeyed from its shortfall on, not below."""
    for short in (0.01, 0.03):
        b = np.maximum(EXACT.b - short / 0.8 * (EXACT.b > 0), 0.0)
        last = np.zeros(TREES.n_nodes, bool)
        last[511:] = True
        paid = (EXACT.b[:, 511:].sum(axis=2) > short / 0.8).ravel()
        for tolerance in (1e-9, 0.02):
            follows = play(TREES, EXACT.act, b, tolerance).follows[:, last].ravel()
            assert (follows[paid] == (short <= tolerance)).all()


def test_unpaid_the_agent_shirks():
    found = play(TREES, EXACT.act, np.zeros((*TREES.cost.shape, 2)))
    assert found.agent == pytest.approx(np.zeros(3), abs=1e-12)
    assert found.follow_rate == pytest.approx(1 - EXACT.act.mean(axis=1))


def test_mistakes_near_indifference_are_cheap():
    """A tenth of the nodes turned over: those of the smallest gap, and random ones."""
    order = EXACT.gap.argsort(axis=1)
    near = implemented(TREES, flip(EXACT.act, order, 102)).principal / EXACT.vp[:, 0]
    assert near == pytest.approx([0.9784, 0.9987, 0.9926], abs=1e-4)
    rng = np.random.default_rng(0)
    far = [
        implemented(TREES, flip(EXACT.act, rng.permuted(order, axis=1), 102)).principal
        / EXACT.vp[:, 0]
        for _ in range(300)
    ]
    error = np.std(far, axis=0) / np.sqrt(300)
    # known to about ±.02 themselves, being means of few draws
    known = np.array([0.821, 0.833, 0.795])
    assert (np.abs(np.mean(far, axis=0) - known) < 0.02 + 3 * error).all()


def test_flipping_twice_changes_nothing():
    order = EXACT.gap.argsort(axis=1)
    assert (flip(flip(EXACT.act, order, 50), order, 50) == EXACT.act).all()
    assert (flip(EXACT.act, order, 50) != EXACT.act).sum() == 150


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"act": np.zeros((1, 3), int)}, "act"),
        ({"act": np.full(TREES.cost.shape, 3)}, "act"),
        ({"b": np.zeros((3, 1023, 1))}, "b has shape"),
        ({"b": -np.ones((3, 1023, 2))}, "0 or more"),
        ({"tolerance": -1.0}, "tolerance"),
    ],
)
def test_bad_arguments_are_refused(changes, message):
    good = {"act": EXACT.act, "b": contracts(EXACT.qbar, EXACT.act)}
    with pytest.raises(ValueError, match=message):
        play(TREES, **(good | changes))
