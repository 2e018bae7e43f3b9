"""Errors in the agent's values: which margins make contracts safe."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.contracts.tree_noise import (
    last_layer_share,
    noisy_play,
    safe_margins,
    smallest_margin,
)
from econlib.contracts.trees import by_steps_to_go, contracts, solve, tree_batch

TREES = tree_batch(10, [0, 1, 2])
EXACT = solve(TREES)


def drawn(xi, error, n_draws=20, nominal=None):
    nominal, rng = nominal or solve(TREES, xi), np.random.default_rng(0)
    plays = [noisy_play(TREES, nominal, xi, error, rng) for _ in range(n_draws)]
    ratio = np.array([x.principal for x in plays]) / EXACT.vp[:, 0]
    return ratio, np.array([x.follow_rate for x in plays])


@pytest.mark.parametrize(
    ("error", "known"),
    [
        (0.0005, (0.984, 0.986, 0.983)),
        (0.001, (0.971, 0.9725, 0.966)),
        (0.002, (0.945, 0.945, 0.933)),
    ],
)
def test_margins_by_steps_to_go_are_always_obeyed(error, known):
    ratio, follow = drawn(by_steps_to_go(safe_margins(error, 10), 10), error)
    assert follow.min() == 1.0
    assert ratio.mean(axis=0) == pytest.approx(known, abs=1e-3)


def test_a_constant_margin_is_not_enough_and_none_is_worse():
    ratio, follow = drawn(0.002, 0.001)
    assert 0.96 < follow.min() < 0.99
    assert 0.75 < ratio.mean() < 0.95
    ratio, follow = drawn(0.0, 0.001)
    assert follow.mean() < 0.8
    assert ratio.mean() < 0.6


def test_around_the_exact_plan_a_constant_margin_is_worse_still():
    for xi, follow, ratio in ((0.0, 0.717, 0.48), (0.02, 0.969, 0.73)):
        values, follows = drawn(xi, 0.01, 200, EXACT)
        assert follows[:, 0].mean() == pytest.approx(follow, abs=0.01)
        assert values[:, 0].mean() == pytest.approx(ratio, abs=0.15)


@pytest.mark.parametrize("p", [0.6, 0.9, 1.0])
def test_margins_are_safe_for_other_trees(p):
    rng = np.random.default_rng(1)
    for depth, error in ((1, 0.3), (4, 0.02), (7, 0.005)):
        trees = tree_batch(depth, range(5), p)
        xi = by_steps_to_go(safe_margins(error, depth, p), depth)
        nominal = solve(trees, xi)
        for _ in range(20):
            assert noisy_play(trees, nominal, xi, error, rng).follows.all()


def test_one_step_bound_on_the_extra_payment():
    rng = np.random.default_rng(2)
    qbar, error, p = rng.normal(size=(500, 2)), 0.05, 0.9
    act = rng.integers(0, 2, 500)
    noisy = qbar + rng.uniform(-error, error, qbar.shape)
    offer = contracts(noisy, act, 2 * error, p)
    least = contracts(qbar, act, 0.0, p)
    law = np.array([[p, 1 - p], [1 - p, p]])
    total = qbar + offer @ law.T
    rows = np.arange(500)
    assert (total[rows, act] >= total[rows, 1 - act]).all()
    extra = ((offer - least) @ law.T)[rows, act]
    assert extra.max() <= 4.5 * error + 1e-12
    assert extra.max() > 3 * error


def test_the_last_layers_share():
    assert last_layer_share(0.9) == pytest.approx(0.5865237, abs=1e-7)
    rng = np.random.default_rng(3)
    x = rng.random((4, 10**6))
    for p in (0.55, 0.7, 0.9, 1.0):
        tau = p / (2 * p - 1) ** 2
        share = (2 * x[0] * x[1] > tau * x[2] * x[3]).mean()
        assert last_layer_share(p) == pytest.approx(share, abs=0.002)
    last = solve(tree_batch(10, range(100))).act[:, 511:]
    error = 0.5 / np.sqrt(last.size)
    assert last.mean() == pytest.approx(last_layer_share(), abs=4 * error)


def test_the_smallest_scale_is_found_or_refused():
    assert smallest_margin(lambda x: min(x / 30, 1.0), 0.99) == pytest.approx(
        29.7, abs=0.02
    )
    with pytest.raises(ValueError, match=r"target = 0\.99"):
        smallest_margin(lambda x: 0.5)


def test_bad_arguments_are_refused():
    for call in (lambda: safe_margins(-1.0, 3), lambda: safe_margins(0.1, 3, 0.5)):
        with pytest.raises(ValueError, match="expected"):
            call()
    with pytest.raises(ValueError, match=r"p = 0\.2"):
        last_layer_share(0.2)
