"""Forecasts of churn: order statistics, scaling, and coverage."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.churn.forecast import (
    conformal_interval,
    forecast_coverage,
    rehearse_bank,
    rehearse_ridge,
)
from econlib.churn.networks import BankConfig

RNG = np.random.default_rng(0)


def test_order_statistics_hold_the_next_as_often_as_they_should():
    drawn = RNG.exponential(1, (4000, 20))
    held = [
        low <= x[-1] <= high
        for x in drawn
        for low, high in [conformal_interval(x[:-1], 0.9)]
    ]
    assert np.mean(held) == pytest.approx(0.9, abs=0.015)  # three standard errors
    assert conformal_interval(np.arange(39.0), 0.5) == (9.0, 29.0)


def sample(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    X = rng.standard_normal((n, 3))
    return X, (X[:, 0] + rng.logistic(0, 0.7, n) > 0).astype(int)


def test_ridge_rehearsals_foretell_the_update_on_average():
    ratios, held = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        (X, y), (test, _) = sample(500, rng), sample(2000, rng)
        options = {"r": 0.8, "lam": 0.01, "n_rehearsals": 19, "rng": rng}
        found = rehearse_ridge(X[:400], y[:400], X, y, test, **options)
        ratios.append((found.realised[0], found.churns.mean()))
        held.append(found.held(0.9)[0])
        assert found.multiplicity == 0
    real, foretold = np.mean(ratios, axis=0)
    assert foretold == pytest.approx(real, rel=0.2)  # 2.5 standard errors of 60 cuts
    assert forecast_coverage(np.array(held), 0.9)["z"] > -3.5


def test_rehearsals_of_networks_share_no_model_with_the_update():
    rng = np.random.default_rng(3)
    (X, y), (test, _) = sample(300, rng), sample(500, rng)
    config = BankConfig(hidden=4, epochs=3, lr=1e-2, batch=32)
    found = rehearse_bank(
        *(X[:240], y[:240], X, y, test, config),
        **{"r": 0.8, "n_rehearsals": 19, "rng": rng, "n_updates": 3},
    )
    assert found.churns.shape == (19,)
    assert found.flips.shape == (3, 500)
    assert found.realised == pytest.approx(found.flips.mean(axis=1))
    assert 0 < found.multiplicity < 0.5
    assert found.suspects[found.flips.any(axis=0)].mean() > 0.5


def test_coverage_by_hand():
    found = forecast_coverage(np.array([True] * 80 + [False] * 20), 0.9)
    assert found == pytest.approx({"coverage": 0.8, "se": 0.03, "z": -10 / 3})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: conformal_interval(np.zeros(18), 0.9), "expected 19 or more"),
        (lambda: conformal_interval(np.zeros(18), 1.0), "level = 1"),
        (lambda: forecast_coverage(np.array([], bool), 0.9), "nominal"),
        (
            lambda: rehearse_bank(
                *(np.eye(4), np.arange(4) % 2, np.eye(4), np.arange(4) % 2, np.eye(4)),
                BankConfig(),
                **{"r": 0.5, "n_rehearsals": 1, "rng": RNG},
            ),
            "n_rehearsals = 1",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
