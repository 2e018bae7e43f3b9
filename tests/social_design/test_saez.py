"""Saez's formula against Pareto tails, where all its terms are known."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.social_design.one_step import OneStep
from econlib.social_design.saez import (
    estimate_elasticity,
    saez_fixed_point,
    saez_linear,
    saez_schedule,
    top_rate,
)

LEVELS = (np.arange(400_000) + 0.5) / 400_000


@pytest.mark.parametrize("e, rate", [(0.25, 0.596694), (0.5, 0.489626), (1, 0.401775)])
def test_linear_rate_with_inverse_income_weights(e, rate):
    economy = OneStep([1, 1.5, 2, 3, 5], e)
    assert saez_linear(economy.free_incomes, e) == pytest.approx(rate, abs=1e-6)
    taxed = economy.linear(rate).incomes  # the same incomes up to scale
    assert saez_linear(taxed, e) == pytest.approx(rate, abs=1e-6)


def test_linear_rate_is_the_best_for_its_weights():
    economy = OneStep([1, 1.5, 2, 3, 5], 0.5)
    g = np.array([5.0, 2, 1, 1, 0])
    rates = np.linspace(0, 1, 100_001)
    best = rates[(economy.linear(rates).utilities @ g).argmax()]
    assert saez_linear(economy.free_incomes, 0.5, g) == pytest.approx(best, abs=1e-4)
    assert saez_linear(economy.free_incomes, 0.5, economy.free_incomes) == 0


@pytest.mark.parametrize(
    "a, e, g, rate",
    [
        (1.5, 0.25, 0, 0.727273),
        (2, 0.5, 0, 0.5),
        (1.5, 0.5, 0, 0.571429),
        (1.5, 0.25, 0.2, 0.680851),
    ],
)
def test_rate_on_a_pareto_tail(a, e, g, rate):
    assert top_rate(a, e, g) == pytest.approx(rate, abs=1e-6)


@pytest.mark.parametrize("a, e", [(2, 0.5), (3, 0.25)])
def test_schedule_on_pareto_incomes_is_the_formula_at_every_bin(a, e):
    found = saez_schedule((1 - LEVELS) ** (-1 / a), e, [0, 2, 4, 6], n_bins=120)
    z = (found.edges[1:] + found.edges[:-1]) / 2
    G = 1 / z  # of weights ∝ 1/z on incomes of 1 up
    exact = (1 - G) / (1 - G + a * e)
    seen = (z > 1.2) & (z < 5)
    assert found.bin_rates[seen] == pytest.approx(exact[seen], abs=0.01)
    slack = (1 - 1 / 6) / (1 - 1 / 6 + a * e)
    assert found.rates[-1] == pytest.approx(slack, abs=0.02)  # few incomes so high
    assert (np.diff(found.rates) > 0).all()


def test_empty_bins_take_rates_between_their_neighbours():
    found = saez_schedule([1.0, 1.0, 5.0, 9.0], 0.5, [0, 2, 6], n_bins=6)
    bins = found.bin_rates  # incomes are in the bins from 1 to 2 and 5 to 6 only
    assert len(bins) == 6 and bins[0] == bins[1]
    assert bins[2] == pytest.approx(bins[1] + (bins[5] - bins[1]) / 4)
    assert 0 < found.rates[-1] < 1


def test_without_incomes_in_the_top_bracket_the_last_rate_goes_on():
    found = saez_schedule([1.0, 1.5, 2.0], 0.5, [0, 10], n_bins=20)
    assert found.rates[-1] == found.bin_rates[-1]
    one = saez_schedule([1.0, 2.0, 3.0], 0.5, [0])
    assert one.rates.tolist() == [saez_linear([1.0, 2.0, 3.0], 0.5)]


def test_fixed_point_returns_its_own_rates():
    economy = OneStep((1 - LEVELS[::200]) ** (-1 / 3), 0.25)
    path = saez_fixed_point(economy, [0, 1, 2, 4])
    assert path.converged and path.change <= 1e-3
    z = economy.brackets(path.schedule.rates, [0, 1, 2, 4]).incomes
    again = saez_schedule(z, 0.25, [0, 1, 2, 4]).rates
    assert again == pytest.approx(path.schedule.rates, abs=2e-3)
    assert not saez_fixed_point(economy, [0, 1, 2, 4], max_steps=2).converged


def test_elasticity_is_seen_under_linear_taxes_and_not_under_progressive_ones():
    economy, rng = OneStep([1, 1.5, 2, 3, 5], 0.7), np.random.default_rng(0)
    τ = rng.random(40) * 0.6
    seen = economy.linear(τ).incomes, np.repeat(τ[:, None], 5, axis=1)
    assert estimate_elasticity(*seen) == pytest.approx(0.7, abs=1e-9)
    assert estimate_elasticity(*seen, memory=1, within=True) == pytest.approx(0.7)
    cutoffs = np.array([0, 2.0, 4.0])
    rates = np.sort(rng.random((40, 3)) * 0.6, axis=1)
    z = economy.brackets(rates, cutoffs).incomes
    at = np.searchsorted(cutoffs, z, side="right") - 1
    marginal = np.take_along_axis(rates, at, axis=1)
    assert estimate_elasticity(z, marginal) < 0.3
    assert estimate_elasticity(z, marginal, within=True) > 0.3


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: saez_linear([0, 1], 0.5), "incomes: expected finite numbers above 0"),
        (lambda: saez_linear([1, 2], 0), "elasticity = 0"),
        (lambda: saez_linear([1, 2], 1, [1]), "weights: expected 2 numbers"),
        (lambda: saez_schedule([1, 2], 1, [0, 1], n_bins=0), "n_bins = 0"),
        (lambda: saez_schedule([1, 2], 1, [1, 2]), "cutoffs"),
        (lambda: top_rate(1, 0.5), "pareto = 1"),
        (lambda: top_rate(2, 0.5, 2), "weight = 2"),
        (lambda: saez_fixed_point(OneStep([1], 1), [0], damping=0), "damping = 0"),
        (lambda: estimate_elasticity([[1.0]], [[1.0]]), "rates below 1"),
        (lambda: estimate_elasticity([[1.0, 2.0]], [[0.5, 0.5]]), "do not vary"),
        (lambda: estimate_elasticity([1.0], [0.5]), r"expected \(n_periods, n\)"),
        (lambda: estimate_elasticity([[1.0]], [[0.5]], memory=0), "memory = 0"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
