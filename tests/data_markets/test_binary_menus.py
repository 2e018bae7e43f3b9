"""Exact revenue against sampling; closed forms against search."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.data_markets.beliefs import beta_mixture, random_law, uniform
from econlib.data_markets.binary_menus import (
    best_menu,
    best_one_item,
    best_two_items,
    enlarged_uniform,
    exact_revenue,
    item_masses,
    two_item_revenue,
    two_types,
    uniform_stakes,
)
from econlib.data_markets.continuum import continuum_optimum
from econlib.data_markets.experiments import (
    concentrated,
    experiment_value,
    full,
    outside_option,
)

MIXTURE = beta_mixture((0.5, 0.5), ((8, 30), (60, 30)))


def test_exact_revenue_is_the_mean_of_hard_choices():
    rng = np.random.default_rng(0)
    for payoffs in (None, [1.5, 0.7]):
        law = random_law(rng)
        π, p = rng.dirichlet(np.ones(2), (5, 2)), rng.uniform(0, 0.2, 5)
        stakes = uniform_stakes(0.3, 1.2, 9)
        θ = law.ppf((np.arange(40_000) + 0.5) / 40_000)
        θ, total = np.stack([θ, 1 - θ], 1), 0.0
        for v, w in zip(stakes.nodes, stakes.weights, strict=True):
            each = np.full(len(θ), v)
            u = experiment_value(π, θ, each, payoffs) - p
            stay = outside_option(θ, each, payoffs)
            paid = np.where(u.max(1) >= stay, p[u.argmax(1)], 0)
            total += w * paid.mean()
        exact = exact_revenue(π, p, law, stakes, payoffs)
        assert exact == pytest.approx(total, abs=2e-4)


def test_columns_copies_and_dear_items_change_nothing():
    π, p = concentrated([-0.2, 0.0]), np.array([0.137, 0.255])
    base = exact_revenue(π, p, MIXTURE)
    assert exact_revenue(π[:, :, ::-1], p, MIXTURE) == pytest.approx(base)
    assert exact_revenue(
        np.concatenate([π, π, full()[None]]), np.append(np.tile(p, 2), 9.0), MIXTURE
    ) == pytest.approx(base)
    assert item_masses(π, p, MIXTURE).sum() < 1


def test_two_item_formula_is_the_envelope():
    rng = np.random.default_rng(1)
    for sign in (-1, 1):
        q = sign * rng.uniform(0.05, 0.6, 30)
        p2 = rng.uniform(0.05, 0.45, 30)
        p1 = p2 * (1 - np.abs(q)) * rng.uniform(0.4, 1.2, 30)
        law, stakes = random_law(rng), uniform_stakes(0.4, 1.0, 12)
        found = two_item_revenue(q, p1, p2, law, stakes)
        for i in range(30):
            π = concentrated([q[i], 0.0])
            exact = exact_revenue(π, np.array([p1[i], p2[i]]), law, stakes)
            assert found[i] == pytest.approx(exact, abs=1e-10)


def test_best_menus_with_one_stake_are_the_exact_optimum():
    rng = np.random.default_rng(2)
    for law in (MIXTURE, random_law(rng), random_law(rng)):
        best = continuum_optimum(law)
        assert best_two_items(law).revenue == pytest.approx(best.revenue, abs=2e-6)
    assert best_one_item(MIXTURE).revenue == pytest.approx(0.1547347, abs=1e-7)


def test_stakes_on_an_interval():
    p, revenue = enlarged_uniform()
    assert (p, revenue) == pytest.approx((0.14233407, 0.05090805), abs=1e-8)
    one = best_one_item(uniform(), uniform_stakes(0.0, 1.0, 2000))
    assert one.revenue == pytest.approx(revenue, abs=2e-8)
    two = best_two_items(MIXTURE, uniform_stakes(0.75))
    assert two.revenue == pytest.approx(0.142353, abs=1e-6)
    assert two.prices == pytest.approx([0.1227, 0.2161], abs=1e-4)


def test_climbing_never_loses_and_finds_the_published_optimum():
    start = exact_revenue(concentrated([-0.3, 0.05]), np.array([0.11, 0.24]), MIXTURE)
    found = best_menu(MIXTURE, np.array([-0.3, 0.05]), np.array([0.11, 0.24]))
    assert found.revenue > start
    assert found.revenue == pytest.approx(0.1673234, abs=1e-6)


def test_two_types_are_mirrored_and_refuse_equal_precision():
    assert two_types(0.9, 0.7, 0.25)[3] == pytest.approx(0.1)
    assert two_types(0.9, 0.7, 0.5)[3] == pytest.approx(0.15)
    assert two_types(0.8, 0.3, 0.5)[3] == pytest.approx(0.23)
    assert two_types(0.8, 0.3, 0.5)[0] == pytest.approx(0.2)
    with pytest.raises(ValueError, match="further from"):
        two_types(0.6, 0.2, 0.5)
    with pytest.raises(ValueError, match="gamma = 1"):
        two_types(0.2, 0.7, 1.0)


def test_bad_arguments():
    with pytest.raises(ValueError, match="prices"):
        exact_revenue(full()[None], np.array([0.1, 0.2]), uniform())
    with pytest.raises(ValueError, match="2 states"):
        exact_revenue(full(3)[None], np.array([0.1]), uniform())
    with pytest.raises(ValueError, match="low = 2"):
        uniform_stakes(2.0, 1.0)
    with pytest.raises(ValueError, match="n_nodes = 0"):
        uniform_stakes(0.0, 1.0, 0)
