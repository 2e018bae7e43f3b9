"""Tests of labels: scipy's statistic, size, power; evidence that holds at any time."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, chi2_contingency

from econlib.abcs.detection import chi2_halves, critical_values, e_process


def _scipy(labels: np.ndarray) -> float:
    half = len(labels) // 2
    kinds = np.unique(labels)
    if len(kinds) == 1:
        return 1.0
    rows = [[(part == k).sum() for k in kinds] for part in np.split(labels, [half])]
    return chi2_contingency(rows).pvalue


@pytest.mark.parametrize("n_kinds", [1, 2, 3, 30])
def test_p_value_is_scipys(n_kinds):
    rng = np.random.default_rng(n_kinds)
    for n in (10, 11, 37, 1000):
        labels = rng.integers(n_kinds, size=n) * 7919
        assert chi2_halves(labels)[0] == pytest.approx(_scipy(labels), abs=1e-12)


@pytest.mark.parametrize("n_kinds", [2, 4, 10, 30])
def test_size_is_near_its_level(n_kinds):
    rng = np.random.default_rng(n_kinds)
    draws = rng.integers(n_kinds, size=(1000, 1000))
    rate = np.mean([chi2_halves(row)[1] for row in draws])
    assert rate <= 0.08


def test_power_against_a_change_of_law():
    rng = np.random.default_rng(0)
    moved = [
        np.concatenate(
            [rng.integers(4, size=500), rng.choice(4, 500, p=[0.35, 0.35, 0.15, 0.15])]
        )
        for _ in range(200)
    ]
    assert np.mean([chi2_halves(row)[1] for row in moved]) >= 0.99


def test_labels_that_never_repeat_are_never_flagged():
    # what the official code compares in Cartpole: continuous states
    for n in (10, 100, 1000):  # each label adds 1 to the statistic
        p, flagged = chi2_halves(np.arange(n))
        assert p == pytest.approx(chi2.sf(n, n - 1), abs=1e-12)
        assert not flagged
    assert e_process(np.arange(500)).max() <= 0


@pytest.mark.parametrize("law", [[0.5, 0.5], [0.9, 0.1], [0.25] * 4, [1 / 3] * 3])
def test_evidence_rarely_exceeds_its_level_at_any_time(law):
    rng = np.random.default_rng(1)
    hits = [
        e_process(rng.choice(len(law), 1000, p=law)).max() >= np.log(20)
        for _ in range(400)
    ]
    assert np.mean(hits) <= 0.05


def test_evidence_finds_a_change_and_ignores_names():
    rng = np.random.default_rng(2)
    labels = np.concatenate([rng.integers(2, size=300), 1 - (rng.random(300) < 0.9)])
    log_e = e_process(labels)
    assert log_e[:300].max() < np.log(20)
    assert log_e[-1] > np.log(1e6)
    renamed = np.array([900, -4])[labels]
    assert e_process(renamed) == pytest.approx(log_e, abs=1e-9)


def test_expected_evidence_of_a_fair_coin_is_at_most_one():
    # exactly, over all sequences of six labels
    total = 0.0
    for code in range(64):
        labels = (code >> np.arange(6)) & 1
        total += np.exp(e_process(labels)[-1]) / 64
    assert total <= 1


def test_quantiles_and_bad_arguments():
    values = critical_values(0.05, 5)
    assert values[0] == np.inf
    assert values[1:] == pytest.approx([3.8415, 5.9915, 7.8147, 9.4877], abs=1e-4)
    with pytest.raises(ValueError, match="alpha = 1"):
        chi2_halves(np.arange(10), 1.0)
    with pytest.raises(ValueError, match="labels: shape"):
        chi2_halves(np.zeros(1, dtype=int))
