"""Laws of beliefs agree with scipy, and their parameters do what they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from econlib.data_markets.beliefs import (
    beta_mixture,
    beta_of_peak,
    cells,
    modes,
    random_law,
    uniform,
)


def test_mixture_is_the_weighted_sum_of_its_laws():
    x = np.linspace(-0.1, 1.1, 241)
    law = beta_mixture((0.3, 0.7), ((8, 30), (1, 2.5)))
    parts = stats.beta(8, 30), stats.beta(1, 2.5)
    assert law.cdf(x) == pytest.approx(0.3 * parts[0].cdf(x) + 0.7 * parts[1].cdf(x))
    assert law.pdf(x) == pytest.approx(0.3 * parts[0].pdf(x) + 0.7 * parts[1].pdf(x))
    q = np.linspace(0.001, 0.999, 99)
    assert law.cdf(law.ppf(q)) == pytest.approx(q, abs=1e-8)


def test_random_laws_have_quantiles_and_mass_one():
    rng = np.random.default_rng(3)
    for _ in range(5):
        law = random_law(rng)
        q = np.linspace(0.01, 0.99, 50)
        assert law.cdf(law.ppf(q)) == pytest.approx(q, abs=1e-7)
        assert cells(law, 50)[1].sum() == pytest.approx(1.0)


def test_modes_of_the_published_mixture():
    found = modes(beta_mixture((0.5, 0.5), ((8, 30), (60, 30))))
    assert found == pytest.approx([7 / 36, 59 / 88], abs=1e-4)


def test_a_beta_law_has_the_mode_and_the_peak_it_was_asked_for():
    peak = float(stats.beta(8, 30).pdf(7 / 36))
    for mode, a in ((0.25, 11.7815), (0.15, 5.4028), (0.09, 2.7364)):
        found = beta_of_peak(mode, peak)
        assert found[0] == pytest.approx(a, abs=1e-3)
        assert float(stats.beta(*found).pdf(mode)) == pytest.approx(peak)
        assert (found[0] - 1) / (sum(found) - 2) == pytest.approx(mode)


def test_bad_laws_are_refused():
    with pytest.raises(ValueError, match="sum to 1"):
        beta_mixture((0.5, 0.6), ((8, 30), (60, 30)))
    with pytest.raises(ValueError, match="weights: 1 for 2 laws"):
        beta_mixture((1.0,), ((8, 30), (60, 30)))
    with pytest.raises(ValueError, match="two positive numbers"):
        beta_mixture((1.0,), ((8, -30),))
    with pytest.raises(ValueError, match="mode = 1"):
        beta_of_peak(1.0, 6.0)
    with pytest.raises(ValueError, match="peak = "):
        beta_of_peak(0.2, 0.5)
    with pytest.raises(ValueError, match="n_cells = 1"):
        cells(uniform(), 1)
