"""Sampled sets against exact ones: closed forms, enumeration, and bounds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from econlib.churn.banks import BankConfig, ModelBank
from econlib.churn.capture import capture, uniform_ambiguity, uniform_tables
from econlib.churn.cells import additive, compas_cells
from econlib.churn.lookup import LookupTables
from econlib.churn.measures import ambiguity, discrepancy
from econlib.churn.rashomon import good_models
from econlib.churn.samplers import (
    bootstrap_cells,
    logistic_cells,
    noisy_network,
    noisy_weights,
)

COUNTS, POSITIVES = np.array([9, 5, 7, 4, 6]), np.array([5, 2, 4, 4, 1])
TABLES = LookupTables(COUNTS, POSITIVES)
BASE = TABLES.best.astype(np.int64)


def test_expected_capture_is_the_mean_over_all_parts():
    rng = np.random.default_rng(0)
    pool = rng.integers(0, 2, (6, 5))
    most = TABLES.errors + 7
    found = capture(pool, COUNTS, POSITIVES, BASE, most, [1, 2, 4, 6])
    errors = pool @ (COUNTS - POSITIVES) + (1 - pool) @ POSITIVES
    assert found.n_kept == (errors <= most).sum() > 0
    for k, m in enumerate(found.sizes):
        seen = []
        for part in itertools.combinations(range(6), m):
            kept = [pool[i] for i in part if errors[i] <= most]
            P = np.array([BASE, *kept])
            seen.append((ambiguity(P, w=COUNTS), discrepancy(P, w=COUNTS)))
        mean = np.mean(seen, axis=0)
        assert found.ambiguity[k] == pytest.approx(mean[0])
        assert found.discrepancy[k] == pytest.approx(mean[1])


def test_expected_capture_grows_and_is_concave():
    rng = np.random.default_rng(1)
    pool = rng.integers(0, 2, (300, 5))
    found = capture(pool, COUNTS, POSITIVES, BASE, 12, list(range(1, 301)))
    for curve in (found.ambiguity, found.discrepancy):
        assert (np.diff(curve) >= -1e-12).all()
        assert (np.diff(curve, 2) <= 1e-9).all()


def test_uniform_draws_are_uniform_on_the_set():
    every = np.array(list(itertools.product((0, 1), repeat=5)))
    listed = good_models(every, COUNTS, POSITIVES, 4)
    rng = np.random.default_rng(2)
    drawn = uniform_tables(TABLES, 4, 20_000, rng)
    codes, times = np.unique(drawn, axis=0, return_counts=True)
    members = np.unique(listed.labels, axis=0)
    assert np.array_equal(codes, members)
    expected = 20_000 / len(members)
    chi_square = ((times - expected) ** 2 / expected).sum()
    assert chi_square < len(members) + 5 * np.sqrt(2 * len(members))


def test_uniform_ambiguity_is_that_of_the_listed_set():
    every = np.array(list(itertools.product((0, 1), repeat=5)))
    listed = good_models(every, COUNTS, POSITIVES, 4)
    two = [
        ambiguity(np.array([BASE, a, b]), w=COUNTS)
        for a, b in itertools.product(listed.labels, repeat=2)
    ]
    one, both, many = uniform_ambiguity(TABLES, 4, [1, 2, 10_000])
    assert one == pytest.approx(TABLES.stats(4).baseline_churn)
    assert both == pytest.approx(np.mean(two))
    assert many == pytest.approx(TABLES.stats(4).ambiguity)


def test_no_sample_of_the_class_sees_more_than_the_set():
    rows, counts, positives = compas_cells("age", "priors")
    tables = LookupTables(counts, positives)
    rng = np.random.default_rng(3)
    n, ones = bootstrap_cells(counts, positives, 400, rng)
    stats = tables.stats(123)
    w = logistic_cells(additive(rows), n, ones)
    for pool in (2 * ones > n, w @ additive(rows).T > 0):
        found = capture(
            pool.astype(np.int64),
            counts,
            positives,
            tables.best.astype(np.int64),
            tables.errors + 123,
            [400],
        )
        assert 0 < found.ambiguity[0] <= stats.ambiguity
        assert 0 < found.discrepancy[0] <= stats.discrepancy


def test_bootstrap_samples_keep_the_number_of_rows():
    n, ones = bootstrap_cells(COUNTS, POSITIVES, 2000, np.random.default_rng(4))
    assert (n.sum(axis=1) == COUNTS.sum()).all()
    assert (ones <= n).all()
    assert n.mean(axis=0) == pytest.approx(COUNTS, rel=0.05)
    assert ones.mean(axis=0) == pytest.approx(POSITIVES, rel=0.1)


def test_logistic_regressions_on_cells_agree_with_scikit_learn():
    rows, counts, positives = compas_cells("age", "priors")
    U = additive(rows)
    w = logistic_cells(U, counts[None], positives[None], lam=1e-3)[0]
    n = counts.sum()
    both = np.concatenate([U, U])
    other = LogisticRegression(
        C=1 / (2e-3 * n), fit_intercept=False, tol=1e-10, max_iter=5000
    ).fit(
        both,
        np.repeat([1, 0], len(U)),
        sample_weight=np.concatenate([positives, counts - positives]),
    )
    assert w == pytest.approx(other.coef_[0], abs=1e-4)


def test_a_network_without_noise_is_the_bank_s():
    rng = np.random.default_rng(5)
    X = rng.standard_normal((200, 3))
    bank = ModelBank(2, BankConfig(hidden=8, epochs=3), seed=1)
    bank.fit(X, (X[:, 0] > 0).astype(int))
    layers = [w[1].numpy().astype(float) for w in bank.weights]
    labels = noisy_network(layers, X, 3, 0.0, rng)
    assert (labels == bank.labels(X)[1]).mean() > 0.99  # rounding of float32
    assert (noisy_network(layers, X, 50, 0.5, rng) != labels[0]).any()


def test_noise_multiplies_weights():
    w = np.array([1.0, -2.0, 0.0])
    found = noisy_weights(w, 20_000, 0.3, np.random.default_rng(6))
    assert found.mean(axis=0) == pytest.approx(w, abs=0.02)
    assert found.std(axis=0) == pytest.approx([0.3, 0.6, 0.0], abs=0.01)


RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: capture(BASE[None], COUNTS, POSITIVES, BASE, 9, [2]),
            "expected 1 to 1 models",
        ),
        (lambda: uniform_tables(TABLES, -1, 1, RNG), "slack, m = -1"),
        (lambda: bootstrap_cells(COUNTS, POSITIVES, 0, RNG), "m = 0"),
        (lambda: bootstrap_cells(POSITIVES, COUNTS, 1, RNG), "0 to all positive"),
        (
            lambda: logistic_cells(
                np.ones((5, 1)), COUNTS[None], POSITIVES[None], lam=0.0
            ),
            "lam = 0",
        ),
        (lambda: noisy_weights(np.ones(2), 1, -1.0, RNG), "sigma = -1"),
        (lambda: noisy_network([], np.ones((1, 1)), 1, -1.0, RNG), "sigma = -1"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
