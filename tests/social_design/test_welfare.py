"""Welfare measures against hand counts, double sums, laws and limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from econlib.social_design.welfare import (
    eq_prod,
    equality,
    gini,
    inverse_income,
    power_mean,
    sigma_to_p,
)


@pytest.mark.parametrize(
    "incomes, plain, normalised",
    [
        ((1, 2, 3, 4), 0.25, 1 / 3),
        ((1, 1, 2, 4, 8), 0.425, 0.53125),
        ((0, 0, 0, 1), 0.75, 1.0),
        ((3, 3, 3), 0.0, 0.0),
        ((0, 0), 0.0, 0.0),
        ((7,), 0.0, 0.0),
    ],
)
def test_gini_of_small_societies(incomes, plain, normalised):
    assert gini(incomes, normalised=False) == pytest.approx(plain, abs=1e-12)
    assert gini(incomes) == pytest.approx(normalised, abs=1e-12)
    assert equality(incomes) == pytest.approx(1 - normalised, abs=1e-12)


def test_gini_is_the_double_sum_over_pairs_also_beyond_thirty_people():
    rng = np.random.default_rng(0)
    for n in (2, 5, 29, 30, 31, 100):
        c = rng.lognormal(size=(3, n))
        pairs = np.abs(c[:, :, None] - c[:, None, :]).sum(axis=(1, 2))
        direct = pairs / (2 * n * c.sum(axis=1))
        assert gini(c, normalised=False) == pytest.approx(direct, abs=1e-12)
        assert gini(c) == pytest.approx(direct * n / (n - 1), abs=1e-12)
    assert gini(np.arange(1, 41)) == pytest.approx(1 / 3, abs=1e-12)


@pytest.mark.parametrize("s", [0.5, 1.0])
def test_gini_of_lognormal_incomes_is_an_error_function(s):
    from scipy.stats import norm

    levels = (np.arange(200_000) + 0.5) / 200_000
    c = np.exp(s * norm.ppf(levels))
    assert gini(c) == pytest.approx(math.erf(s / 2), abs=1e-4)  # midpoints of a tail


def test_gini_of_pareto_incomes():
    levels = (np.arange(400_000) + 0.5) / 400_000
    assert gini((1 - levels) ** (-1 / 3)) == pytest.approx(1 / 5, abs=1e-3)


def test_equality_times_productivity():
    assert eq_prod([1, 2, 3, 4]) == pytest.approx(5 / 3)
    assert eq_prod([1, 1, 2, 4, 8]) == pytest.approx(1.5)
    assert eq_prod([1, 2, 3, 4], lam=0) == pytest.approx(2.5)
    assert eq_prod([1, 2, 3, 4], lam=0.5) == pytest.approx(2.5 * (1 - 1 / 6))


def test_inverse_income_weights_sum_to_one_and_stop_at_an_income_of_one():
    assert inverse_income([1, 2, 3, 4], [1, 2, 3, 4]) == pytest.approx(1.92)
    assert inverse_income([0.0, 0.5, 1.0], [3.0, 6.0, 9.0]) == pytest.approx(6.0)
    assert inverse_income([[1, 9], [5, 5]], [[4, 4], [1, 3]]) == pytest.approx([4, 2])


@pytest.mark.parametrize(
    "p, value",
    [(1, 3.75), (0.5, 3.278490), (0, 2.828427), (-1, 2.133333), (-3, 1.518418)],
)
def test_power_means_of_one_two_four_eight(p, value):
    assert power_mean([1, 2, 4, 8], p) == pytest.approx(value, abs=1e-6)


def test_power_means_at_the_ends_and_below_the_floor():
    u = np.array([[1.0, 2, 4, 8], [3, 3, 3, 3]])
    assert power_mean(u, -np.inf) == pytest.approx([1, 3])
    assert power_mean(u, np.inf) == pytest.approx([8, 3])
    assert power_mean(u, -1e4) == pytest.approx([1, 3], abs=1e-3)
    assert power_mean(u, 1e4) == pytest.approx([8, 3], abs=2e-3)
    assert power_mean([-5.0, 1.0], 0, floor=1e-4) == pytest.approx(1e-2)
    assert power_mean([-5.0, 1.0], -1) == pytest.approx(2e-9, rel=1e-6)
    assert power_mean([-5.0, 1.0], 1) == -2.0
    assert power_mean([-5.0, 1.0], -np.inf) == -5.0


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=6),
    st.floats(-60, 60),
    st.floats(-60, 60),
    st.floats(0.01, 100),
)
def test_power_means_rise_with_p_scale_and_stay_within_the_range(u, p, q, scale):
    low, high = (float(power_mean(u, x)) for x in sorted((p, q)))
    assert low <= high * (1 + 1e-9)
    assert min(u) * (1 - 1e-9) <= low and high <= max(u) * (1 + 1e-9)
    scaled = power_mean(np.array(u) * scale, p)
    assert scaled == pytest.approx(scale * power_mean(u, p), rel=1e-8)


def test_power_mean_is_continuous_at_zero():
    u = [0.2, 1.0, 30.0]
    middle = power_mean(u, 0)
    for p in (1e-12, -1e-12, 1e-7, -1e-7):
        assert power_mean(u, p) == pytest.approx(middle, rel=1e-6)


def test_exponents_of_voted_weights():
    sigma = [1, 1 / math.e, 0.5, 0.2, 0.1]
    p = [1, 0, 0.306853, -0.609438, -1.302585]
    assert sigma_to_p(sigma) == pytest.approx(p, abs=1e-6)
    assert sigma_to_p(0) == -np.inf


def test_leading_dimensions_are_kept():
    c = np.random.default_rng(1).random((3, 2, 5))
    for f in (gini, equality, eq_prod, lambda c: power_mean(c, -2)):
        assert f(c).shape == (3, 2)
        assert f(c)[1, 0] == pytest.approx(f(c[1, 0]))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: gini([-1, 2]), "incomes holds -1: expected finite numbers of 0 up"),
        (lambda: gini([]), r"incomes: shape \(0,\)"),
        (lambda: gini(3.0), r"incomes: shape \(\)"),
        (lambda: gini(["rich"]), "expected numbers, people last"),
        (lambda: eq_prod([1, 2], lam=2), r"lam = 2: expected a number in \[0, 1\]"),
        (lambda: power_mean([1, np.nan], 1), "utilities holds nan"),
        (lambda: power_mean([1, 2], np.nan), "p = nan"),
        (lambda: power_mean([1, 2], 0, floor=0), "floor = 0"),
        (lambda: sigma_to_p(1.5), r"sigma = 1.5: expected numbers in \[0, 1\]"),
        (lambda: inverse_income([1, 2], [1, 2, 3]), "incomes of 2 people"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
