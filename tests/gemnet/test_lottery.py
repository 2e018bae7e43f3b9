"""Affine maximisers over lists: implementable, and bounded by a program."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.gemnet import affine, discrete, laws, lottery, menu_training, regretnet

FINITE = (np.ones((1, 2, 2)), np.ones(1))


def two_values(low, high, p):
    types, q = discrete.item_types(np.array([low, high], float), np.array([p, 1 - p]))
    return types, q, menu_training.finite_profiles(types, q)


def boosts_of(rule):
    """Boosts of all nine allocations of two items to two bidders."""
    given = lottery.deterministic_allocations(2, 2)
    sold, both = given.sum(axis=(1, 2)), given.sum(axis=2).max(axis=1) == 2
    one = np.where(sold == 1, rule.one[0], 0.0)
    return given, np.where(sold < 2, one, np.where(both, rule.both[0], rule.split))


def test_the_list_of_nine_is_the_affine_maximiser_of_two_items():
    rule = affine.AffineMaximiser.symmetric(-0.635, -0.909, -1.139)
    given, boosts = boosts_of(rule)
    listed = lottery.AllocationList(given, boosts, np.ones(2))
    v = np.random.default_rng(0).random((500, 2, 2))
    done = listed.play(v)
    for i in (0, 1):
        prices = np.pad(rule.prices(i, v[:, 1 - i]), ((0, 0), (1, 0)))
        worth = np.stack([0 * v[:, i, 0], *v[:, i].T, v[:, i].sum(axis=1)], axis=1)
        best = (worth - prices).max(axis=1)
        mine = (done.allocation[:, i] * v[:, i]).sum(axis=1) - done.payments[:, i]
        assert mine == pytest.approx(best, abs=1e-9)


def test_any_list_is_truthful_and_pays_its_way():
    rng = np.random.default_rng(0)
    for n, m in ((1, 2), (2, 2), (3, 2), (2, 3)):
        a = rng.dirichlet(np.ones(n + 1), (12, m))[..., :n].transpose(0, 2, 1)
        a[0] = 0
        boosts = np.append(0.0, -rng.random(11))
        rule = lottery.AllocationList(a, boosts, rng.uniform(0.5, 2, n))

        def mechanism(i, told, rule=rule):
            done = rule.play(told)
            return done.allocation[:, i], done.payments[:, i]

        v = rng.random((20, n, m))
        support = np.tile([0.0, 1.0], (n, m, 1))
        found = regretnet.largest_regret(mechanism, v, support, n_grid=256)
        assert found.regret.max() <= 1e-9
        done = rule.play(v)
        utility = (done.allocation * v).sum(axis=2) - done.payments
        assert utility.min() >= -1e-12 and done.payments.min() >= -1e-12


@pytest.mark.parametrize("p", [0.3, 0.5, 0.7])
def test_no_trained_list_beats_the_program_of_its_weights(p):
    types, q, profiles = two_values(1, 2, p)
    found = lottery.train_list(
        2, 2, profiles, unit=2.0, n_entries=12, n_restarts=4, n_steps=300
    )
    best = discrete.best_affine(types, q, weights=tuple(found.mechanism.weights))
    assert found.revenues.max() <= best.revenue + 1e-9
    assert found.revenues.max() >= 0.85 * best.revenue
    whole = discrete.best_affine(types, q, deterministic=True).revenue
    free = discrete.best_affine(types, q).revenue
    most = discrete.optimal_auction(types, q).revenue
    assert whole <= free + 1e-9 <= most + 2e-9


def test_the_best_affine_maximiser_is_one():
    types, q, (values, chance) = two_values(3, 7, 0.6)
    found = discrete.best_affine(types, q)
    x = found.allocation.reshape(-1, 2, 2)
    rows = found.payments.reshape(-1, 2)
    assert rows.sum(axis=1) @ chance == pytest.approx(found.revenue, abs=1e-7)
    utility = np.einsum("pij,pij->pi", values, x) - rows
    assert utility.min() >= -1e-7
    assert found.revenue == pytest.approx(9.2672, abs=1e-6)


def test_training_on_draws_nears_the_tuned_boosts():
    given, _ = boosts_of(affine.AffineMaximiser.symmetric(0.0, 0.0, 0.0))
    sample = menu_training.law_sampler(laws.market("u01"))
    found = lottery.train_list(
        2, 2, sample, fixed=given, n_steps=400, batch=512, lr=2e-2
    )
    v = sample(2**16, np.random.default_rng(5))
    # 0.8744 with exact quadrature; two standard errors of this sample are 0.003
    assert found.mechanism.play(v).revenue.mean() > 0.8744 - 0.005


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: lottery.AllocationList(np.ones((1, 1, 1)), np.zeros(1), np.ones(1)),
            "the empty one first",
        ),
        (
            lambda: lottery.AllocationList(
                np.array([[[0.0], [0.0]], [[1.0], [1.0]]]), np.zeros(2), np.ones(2)
            ),
            "at most 1",
        ),
        (
            lambda: lottery.AllocationList(
                np.zeros((1, 1, 1)), np.zeros(1), np.zeros(1)
            ),
            "weights",
        ),
        (lambda: lottery.deterministic_allocations(9, 9), "n_bidders = 9"),
        (lambda: lottery.train_list(2, 0, FINITE), "n_items = 0"),
        (lambda: lottery.train_list(2, 2, FINITE, unit=0.0), "unit = 0"),
        (
            lambda: discrete.best_affine(
                np.ones((2, 2)), np.ones(2), weights=(1.0, 0.0)
            ),
            "weights",
        ),
        (
            lambda: discrete.best_affine(np.ones((50, 2)), np.full(50, 0.02)),
            "50 types: .* rows",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
