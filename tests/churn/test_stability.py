"""Stability: Newton's method, bounds that hold, closed forms against simulation."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from econlib.churn.ridge import jackknife_covariance, ridge_logistic, stability_beta
from econlib.churn.stability import (
    churn_bound,
    measured_stability,
    sphere_sample,
    stability_study,
    tail_bound,
)
from econlib.churn.threshold import (
    nested_threshold_churn,
    threshold_churn,
    threshold_simulation,
)


@pytest.mark.parametrize("lam", [1e-3, 0.05, 2.0])
def test_newton_agrees_with_scikit_learn(lam):
    X, y = sphere_sample(200, 4, np.random.default_rng(1), batch=2)
    w = ridge_logistic(X, y, lam)
    for k in range(2):
        other = LogisticRegression(
            C=1 / (2 * lam * 200), fit_intercept=False, tol=1e-10, max_iter=5000
        ).fit(X[k], y[k])
        assert w[k] == pytest.approx(other.coef_[0], abs=1e-5)


@pytest.mark.parametrize(("n", "lam"), [(50, 0.02), (200, 0.05), (1000, 0.5)])
def test_churn_and_moves_stay_below_their_bounds(n, lam):
    (row,) = stability_study(n, lam, [0.1], np.random.default_rng(0), n_test=2000)
    assert row.beta == pytest.approx(1 / (lam * n))
    assert row.beta_measured <= row.beta
    assert row.smooth <= row.difference / 0.1 + 1e-12
    assert row.smooth <= row.sharp < row.bound
    assert row.bound / row.sharp == pytest.approx(np.sqrt(2 * np.pi))


def test_churn_of_linear_classifiers_is_their_angle():
    (row,) = stability_study(300, 0.1, [0.1], np.random.default_rng(3), n_pairs=100)
    assert row.churn == pytest.approx(row.angle, rel=0.04)


def test_jackknife_is_that_of_leaving_each_example_out():
    X, y = sphere_sample(80, 3, np.random.default_rng(5))
    lam, n = 0.05, 80
    w = ridge_logistic(X, y, lam)
    others = ~np.eye(n, dtype=bool)
    rows_X = np.array([X[0][k] for k in others])
    rows_y = np.array([y[0][k] for k in others])
    left = ridge_logistic(rows_X, rows_y, lam)
    away = left - left.mean(axis=0)
    exact = (n - 1) / n * away.T @ away
    found = jackknife_covariance(X, y, w, lam)[0]
    assert found == pytest.approx(exact, rel=0.05, abs=0.02 * np.abs(exact).max())


def test_jackknife_bounds_the_difference_by_the_ratio_of_a_normal():
    (row,) = stability_study(1000, 0.1, [0.1], np.random.default_rng(4), n_pairs=200)
    assert row.jackknife / row.difference == pytest.approx(np.sqrt(np.pi / 2), rel=0.08)


def test_known_bounds():
    beta = stability_beta(0.5, 4000)
    assert beta == pytest.approx(5e-4)
    assert churn_bound(beta, 4000, 0.1) == pytest.approx(0.5605, abs=5e-5)
    assert churn_bound(beta, 4000, 0.1, sharp=True) == pytest.approx(0.2236, abs=5e-5)
    assert tail_bound(0.0, beta, 4000, 0.1) == 1


def test_moves_are_measured_on_every_replacement():
    found = [
        measured_stability(100, 0.1, np.random.default_rng(2), n_replaced=k)
        for k in (1, 100)
    ]
    assert 0 < found[0] <= stability_beta(0.1, 100)
    assert 0 < found[1] <= stability_beta(0.1, 100)


@pytest.mark.parametrize("n", [100, 400, 1600])
def test_threshold_churn_is_that_of_a_simulation(n):
    known = {100: 0.027303, 400: 0.013652, 1600: 0.006826}[n]
    assert threshold_churn(n) == pytest.approx(known, abs=1e-6)
    found = threshold_simulation(n, np.random.default_rng(0), n_draws=200_000)
    assert found == pytest.approx(known, rel=0.01)


@pytest.mark.parametrize(
    ("r", "known"), [(0.5, 0.009653), (0.8, 0.004827), (0.9, 0.003218), (0.99, 0.00097)]
)
def test_nested_threshold_churn_is_that_of_a_simulation(r, known):
    assert nested_threshold_churn(400, r) == pytest.approx(known, abs=1e-6)
    found = threshold_simulation(400, np.random.default_rng(0), r=r, n_draws=200_000)
    assert found == pytest.approx(known, rel=0.01)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ridge_logistic(np.ones((1, 2, 1)), np.ones((1, 2), int), 0.0), "lam"),
        (lambda: ridge_logistic(np.ones((1, 2, 1)), np.full((1, 2), 3), 1.0), "labels"),
        (
            lambda: ridge_logistic(np.full((1, 1, 1), np.nan), np.array([[1]]), 1.0),
            "missing",
        ),
        (lambda: churn_bound(1.0, 10, 0.0), "gamma"),
        (lambda: stability_beta(0.0, 10), "lam"),
        (lambda: tail_bound(-1.0, 1.0, 10, 0.1), "t = -1"),
        (lambda: nested_threshold_churn(10, 0.0), "share"),
        (
            lambda: stability_study(1, 0.1, [0.1], np.random.default_rng(0)),
            "n, n_pairs",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
